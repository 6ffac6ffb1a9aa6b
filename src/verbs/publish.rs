//! `publish`: an audit whose report joins a site of reports.

use std::fmt::Write as _;
use std::path::PathBuf;

use chrono::NaiveDate;

use super::audit::{Plan, because};
use super::layout::{count, shown};
use super::{Said, VerbError, summary};
use crate::cli::{Lock, Publish};
use crate::proof::Kept;
use crate::proof::verify::verify;
use crate::publish::history::{History, Line};
use crate::publish::site::{Site, WhenBusy, replace};
use crate::publish::{page, status};
use crate::render::folder::{Kind, Staging};
use crate::run::{self, Among, Progress};
use crate::time;

/// What `main` lends: the clock and the shell.
pub struct Outside<'a> {
    /// Microseconds since 1970; for metrics alone.
    pub now: &'a dyn Fn() -> i64,
    /// Runs a command with that standard input; the error says how it failed.
    pub hook: &'a Hook<'a>,
}

/// Runs a command with that standard input; the error says how it failed.
pub type Hook<'a> = dyn Fn(&str, &[u8]) -> Result<(), String> + 'a;

/// The exit code when everything is published and something after that failed.
pub const AFTERWARDS: u8 = 4;

/// Audits, writes the run, verifies it, and puts a new index before readers. `started` as for an audit.
///
/// # Errors
/// As an audit; when another run is publishing; when what was written cannot be verified. The site is then as it was.
pub fn publish(args: &Publish, started: i64, outside: &Outside<'_>, progress: &Progress) -> Result<Said, VerbError> {
    let began = (outside.now)();
    let paths = match (&args.paths[..], &args.house.config) {
        ([], Some(config)) => {
            let folder = config.parent().filter(|folder| !folder.as_os_str().is_empty());
            vec![folder.map_or_else(|| PathBuf::from("."), PathBuf::from)]
        }
        ([], None) => {
            return Err(VerbError::own(
                "nothing says what to read",
                "name files or folders, or a config with `-c`, whose folder is then read",
            ));
        }
        (paths, _) => paths.to_vec(),
    };
    let plan = Plan::of(&args.terms, &args.house, paths, started)?;
    let when_busy = match args.lock {
        Lock::Wait => WhenBusy::Wait,
        Lock::Fail => WhenBusy::Fail,
    };
    let site = Site::open(&args.site, when_busy)?;
    let mut notes = Vec::new();
    let open = |name: &str| Kept::open(&site.run(name));
    let mut history = History::of(site.published("history.jsonl").as_deref(), &site.runs()?, open);
    let previous = match history.before(plan.request.as_of) {
        None => None,
        Some(line) => match open(&line.run).and_then(|kept| kept.findings().map(|_readable| kept)) {
            Ok(kept) => Some(kept),
            Err(error) => {
                let what = error.to_string().replace('\n', ";");
                notes.push(format!("note: nothing is compared, because the run before cannot be read: {what}"));
                None
            }
        },
    };
    let report = plan.run(previous.as_ref(), progress)?;
    let run = &report.assessment.run;
    let digits: String = run.digest.chars().take(8).collect();
    let name = format!("{}-{digits}", run.as_of.replace(':', ""));
    let place = site.run(&name);
    plan.lay_down(&report, Staging::prepare(&place, Kind::Audit)?)?.publish().map_err(VerbError::from)?;
    let written = verify(&place, None)?;
    if let Some(fault) = written.faults.first() {
        return Err(VerbError::own(
            format!("{}: what was written cannot be read again as it was written: {fault:?}", place.display()),
            "check the disk; the site is as the last run left it",
        ));
    }
    let mut demands = plan.demands;
    if demands.among == Among::New && report.assessment.changes.is_none() && report.assessment.baseline.is_none() {
        notes.push("note: there is no earlier run to compare with: every open finding counts as new".to_owned());
        demands.among = Among::All;
    }
    let ending = run::ending(&report.assessment, &demands);
    if args.pin {
        site.pin(&name)?;
    }
    let line = Line::of(&name, &report.assessment, report.subjects.as_deref(), Some(ending.code()));
    history.add(line.clone());
    let pins = site.pins();
    let removed = retire(args, &mut history, &pins, &name);
    let latest = history.lines.last().map_or(&line, |line| line).clone();
    let index = page::html(&history.lines, &pins, report.assessment.run.timezone.as_deref())
        .map_err(|error| VerbError::own(format!("the index cannot be made: {error}"), "this is a fault of regrant"))?;
    let files = [("index.html", index), ("status.json", status::json(&latest)), ("history.jsonl", history.text())];
    site.publish(&latest.run, &files)?;
    site.remove(&removed);

    if latest.run != name {
        notes.push(format!(
            "note: readers still see the run as of {}, which is later than this one; if a clock was wrong then, remove {} and \
             publish again",
            latest.as_of,
            site.run(&latest.run).display()
        ));
    }
    // From here on the run is public; what fails now does not take it back.
    let mut code = ending.code();
    let mut failed = |note: String| {
        notes.push(note);
        if code == 0 {
            code = AFTERWARDS;
        }
    };
    if let (Some(command), Some(changes)) = (&args.on_change, &report.assessment.changes)
        && (!changes.findings.is_empty() || !changes.rules.is_empty())
    {
        let told = serde_json::json!({ "run": name, "as_of": run.as_of, "site": args.site, "changes": changes });
        if let Err(error) = (outside.hook)(command, told.to_string().as_bytes()) {
            failed(format!("note: the report is published, but the hook failed: {error}"));
        }
    }
    if let Some(file) = &args.metrics {
        let ended = (outside.now)();
        let text = status::metrics(&line, (ended - began) as f64 / 1e6, ended as f64 / 1e6);
        if let Err(error) = replace(file, &text) {
            failed(format!("note: the report is published, but the metrics are not: {error}"));
        }
    }
    notes.extend(because(ending, &demands));
    let mut text = summary::line(&report.assessment, &site.current().join("index.html"));
    if !args.terms.quiet {
        for sentence in &line.changes {
            let _ = writeln!(text, "{}", shown(sentence));
        }
        for path in &line.stale {
            let _ = writeln!(text, "stale: {}", shown(path));
        }
        if !removed.is_empty() {
            let _ = writeln!(text, "removed by --keep: {}", count(removed.len() as u64, "run", "runs"));
        }
    }
    Ok(Said { text, notes: notes.into_iter().map(|note| shown(&note)).collect(), code })
}

/// Which runs retention removes; their lines stay.
fn retire(args: &Publish, history: &mut History, pins: &[String], this: &str) -> Vec<String> {
    let Some(keep) = &args.keep else { return Vec::new() };
    let day = |as_of: &str| -> NaiveDate {
        time::parse_date(as_of.get(..10).unwrap_or_default().as_bytes()).unwrap_or_default()
    };
    let there: Vec<(&str, NaiveDate)> =
        history.lines.iter().filter(|line| line.kept).map(|line| (line.run.as_str(), day(&line.as_of))).collect();
    let stay = keep.stay(&there);
    let goes = |run: &str| !stay.contains(run) && run != this && !pins.iter().any(|pin| pin == run);
    let removed: Vec<String> = there.iter().filter(|(run, _)| goes(run)).map(|(run, _)| (*run).to_owned()).collect();
    for line in &mut history.lines {
        line.kept &= !removed.contains(&line.run);
    }
    removed
}
