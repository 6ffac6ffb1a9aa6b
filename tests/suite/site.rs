//! Sites of reports, and what can be proved of a report later: publishing under fire, replay, samples, explanations.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use regrant::cli::{Cli, Verb};
use regrant::config::Config;
use regrant::proof::facts::Rule;
use regrant::proof::passing::what_passes;
use regrant::proof::replay::replay;
use regrant::proof::sample::{draw, fails, rank};
use regrant::proof::verify::verify;
use regrant::proof::{self, Kept};
use regrant::report::model::{Finding, State};
use regrant::run::Progress;
use regrant::verbs::{self, Said, VerbError, publish::Outside};
use sha2::{Digest, Sha256};

use crate::{audit, root, sample, write};

const HEADER: &str =
    "event_id,occurred_at,system,action,target,executor,executor_kind,verification,approver,approved_at\n";
const PEOPLE: &str = "person_id,email,status,ended_on\nP1,ann@corp.example,active,\nP2,desk@corp.example,active,\n";

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Home {
        // In memory where there is such a place: hundreds of runs would mostly wait for a disk.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let home = Home(folder.expect("a folder"));
        fs::create_dir(home.path("in")).expect("a folder in it");
        fs::write(home.path("in/people.csv"), PEOPLE).expect("a file in it");
        home.events(3);
        fs::write(home.path("regrant.toml"), "title = \"Site <b>\"\n").expect("a file");
        home
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    /// One reset every third day; each fifth lacks its approval.
    fn events(&self, days: i64) {
        let start = chrono::NaiveDate::from_ymd_opt(2026, 1, 1).expect("a day");
        let mut text = HEADER.to_owned();
        for day in (0..days).step_by(3) {
            let on = start + chrono::Duration::days(day);
            let approved = if day % 5 == 0 { ",".to_owned() } else { format!("boss@corp.example,{on}T08:00:00Z") };
            text += &format!(
                "e{day},{on}T09:00:00Z,okta,password-reset,ann@corp.example,desk@corp.example,desk,totp,{approved}\n"
            );
        }
        fs::write(self.path("in/events.csv"), text).expect("a file");
    }

    fn arguments(&self, more: &[&str]) -> Vec<String> {
        let path = |below: &str| self.path(below).to_string_lossy().into_owned();
        let mut all =
            vec!["regrant".to_owned(), "publish".to_owned(), path("in"), "-c".to_owned(), path("regrant.toml")];
        all.extend(["--site".to_owned(), path("site"), "-q".to_owned()]);
        all.extend(more.iter().map(|word| (*word).to_owned()));
        all
    }

    fn publish(&self, more: &[&str]) -> Result<Said, VerbError> {
        self.publish_telling(more, &|_, _| Ok(()))
    }

    fn publish_telling(&self, more: &[&str], hook: &verbs::publish::Hook<'_>) -> Result<Said, VerbError> {
        let cli = Cli::try_parse_from(self.arguments(more)).unwrap_or_else(|e| panic!("{e}"));
        let Verb::Publish(args) = cli.verb else { panic!("publish was asked for") };
        let outside = Outside { now: &|| 1_790_000_000_000_000, hook };
        verbs::publish::publish(&args, 1_790_000_000_000_000, &outside, &(Arc::new(|_, _| {}) as Progress))
    }

    fn status(&self) -> serde_json::Value {
        let text = fs::read_to_string(self.path("site/current/status.json")).expect("a status");
        serde_json::from_str(&text).expect("JSON")
    }

    fn runs(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(self.path("site/runs")).expect("runs");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    }

    /// A reader's view must be whole: index, status, history, and the report that all of them speak of.
    fn assert_whole(&self, what: &str) -> String {
        let current = self.path("site/current");
        let index = fs::read_to_string(current.join("index.html")).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert!(index.trim_end().ends_with("</html>"), "{what}: half an index");
        let run = self.status()["run"].as_str().expect("a run").to_owned();
        let latest = fs::read_link(current.join("latest")).expect("a link");
        assert!(latest.ends_with(&run), "{what}: the status speaks of {run}, latest is {}", latest.display());
        let found = verify(&current.join("latest"), None).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert!(found.faults.is_empty(), "{what}: {:?}", found.faults);
        let history = fs::read_to_string(current.join("history.jsonl")).expect("a history");
        assert!(history.lines().any(|line| line.contains(&run)), "{what}: {run} is not in the history");
        run
    }
}

#[test]
fn a_site_shows_the_latest_run_what_changed_and_what_is_stale() {
    let home = Home::new();
    fs::write(home.path("regrant.toml"), "[[input]]\npath = \"in/events.csv\"\nmax_age = \"2d\"\n").expect("a file");
    let said = home.publish(&["--as-of", "2026-01-02"]).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(said.code, 0);
    let first = home.assert_whole("first");
    assert_eq!(home.status()["state"], "findings");
    assert_eq!(home.status()["new_open"], serde_json::Value::Null);
    assert_eq!(home.status()["stale_inputs"], serde_json::json!([]));

    home.events(30);
    let told = std::cell::RefCell::new(Vec::new());
    let metrics = home.path("m.prom").to_string_lossy().into_owned();
    let more = ["--as-of", "2026-02-05", "--metrics", &metrics, "--on-change", "mail"];
    let hook = |command: &str, input: &[u8]| {
        told.borrow_mut().push((command.to_owned(), serde_json::from_slice::<serde_json::Value>(input).expect("JSON")));
        Err("no such command".to_owned())
    };
    let said = home.publish_telling(&more, &hook).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(said.code, verbs::publish::AFTERWARDS, "{said:?}");
    let second = home.assert_whole("second");
    assert!(first < second && home.runs().len() == 2);
    let status = home.status();
    assert!(status["new_open"].as_u64().is_some_and(|n| n > 0), "{status}");
    assert_eq!(status["stale_inputs"], serde_json::json!(["events.csv"]));
    assert_eq!(status["unchanged_inputs"], serde_json::json!(["people.csv"]));
    let told = told.into_inner();
    assert_eq!(told.len(), 1);
    assert!(told[0].1["changes"]["findings"].as_array().is_some_and(|all| !all.is_empty()));
    let metrics = fs::read_to_string(home.path("m.prom")).expect("metrics");
    assert!(
        metrics.contains("regrant_inputs_stale 1\n") && metrics.contains("regrant_findings_open{severity=\"high\"}")
    );
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let value = line.rsplit(' ').next().expect("a value");
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
    let index = fs::read_to_string(home.path("site/current/index.html")).expect("an index");
    for part in
        ["What changed", "Stale: ", "Open findings", "Exceptions in force", "checks that conclude", "latest/index.html"]
    {
        assert!(index.contains(part), "{part}");
    }
    assert!(
        !index.contains("http://")
            && !index.contains("https://")
            && !index.contains("<script")
            && !index.contains(" style=")
    );

    // The same run again is the same run.
    home.publish(&["--as-of", "2026-02-05"]).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(home.assert_whole("again"), second);
    assert_eq!(home.runs().len(), 2);
    // An earlier one joins the history, and the latest stays.
    home.publish(&["--as-of", "2026-01-20"]).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(home.assert_whole("between"), second);
    assert_eq!(home.runs().len(), 3);

    // What the site holds is no input, even where it lies among the inputs.
    let audited = audit(&[home.0.path().to_owned()], Config::default()).unwrap_or_else(|e| panic!("{e}"));
    let inputs: Vec<&str> = audited.assessment.inputs.iter().map(|input| input.path.as_str()).collect();
    assert_eq!(inputs, ["in/events.csv", "in/people.csv"]);
    assert!(
        audited.assessment.skipped.iter().all(|skipped| skipped.path == "m.prom"),
        "{:?}",
        audited.assessment.skipped
    );
}

/// A night with a wrong clock must not hide every run until that day comes.
#[test]
fn a_run_of_a_wrong_clock_can_be_taken_back() {
    let home = Home::new();
    let latest = || fs::read_to_string(home.path("site/current/status.json")).expect("a status");
    home.publish(&["--as-of", "2026-01-10"]).unwrap_or_else(|e| panic!("{e}"));
    home.publish(&["--as-of", "2036-01-10"]).unwrap_or_else(|e| panic!("{e}"));
    let said = home.publish(&["--as-of", "2026-01-11"]).unwrap_or_else(|e| panic!("{e}"));
    let note = said.notes.join("\n");
    assert!(note.contains("readers still see the run as of 2036-01-10") && note.contains("runs/2036-01-10"), "{note}");
    assert!(latest().contains("2036-01-10"));
    for run in fs::read_dir(home.path("site/runs")).expect("runs").flatten() {
        if run.file_name().to_string_lossy().starts_with("2036") {
            fs::remove_dir_all(run.path()).expect("it can be removed");
        }
    }
    let said = home.publish(&["--as-of", "2026-01-12"]).unwrap_or_else(|e| panic!("{e}"));
    assert!(!said.notes.join("\n").contains("readers still see"), "{:?}", said.notes);
    assert!(latest().contains("2026-01-12"));
    assert!(home.path("site/current/latest/index.html").exists(), "readers are led to nothing");
    let history = fs::read_to_string(home.path("site/current/history.jsonl")).expect("a history");
    assert!(history.lines().count() == 3 && !history.contains("2036"), "{history}");
}

#[test]
fn no_data_is_not_no_findings() {
    let home = Home::new();
    home.publish(&["--as-of", "2026-01-02", "--since", "2030-01-01"]).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(home.status()["state"], "no data");
    home.assert_whole("empty");
}

#[test]
fn only_a_site_is_published_to_and_only_by_one_run() {
    let home = Home::new();
    fs::create_dir(home.path("site")).expect("a folder");
    fs::write(home.path("site/letter.txt"), "dear").expect("a file");
    let error = home.publish(&["--as-of", "2026-01-02"]).expect_err("it is somebody's").to_string();
    assert!(error.contains("letter.txt") && error.contains("help:"), "{error}");
    assert_eq!(fs::read_dir(home.path("site")).expect("a folder").count(), 1, "nothing was put beside the letter");
    fs::remove_file(home.path("site/letter.txt")).expect("a file");
    home.publish(&["--as-of", "2026-01-02"]).unwrap_or_else(|e| panic!("{e}"));
    let site =
        regrant::publish::site::Site::open(&home.path("site"), regrant::publish::site::WhenBusy::Fail).expect("ours");
    let error = home.publish(&["--as-of", "2026-01-03", "--lock", "fail"]).expect_err("another runs").to_string();
    assert!(error.contains("another run is publishing") && error.contains("--lock wait"), "{error}");
    drop(site);
    home.publish(&["--as-of", "2026-01-03", "--lock", "fail"]).unwrap_or_else(|e| panic!("{e}"));
    home.assert_whole("afterwards");
}

#[test]
fn new_findings_fail_the_run_and_old_ones_do_not() {
    let home = Home::new();
    let more = |as_of: &'static str| ["--as-of", as_of, "--fail-on", "new:high"];
    assert_eq!(home.publish(&more("2026-01-02")).map(|said| said.code).ok(), Some(10), "nothing was known before");
    assert_eq!(home.publish(&more("2026-01-03")).map(|said| said.code).ok(), Some(0));
    home.events(40);
    assert_eq!(home.publish(&more("2026-02-20")).map(|said| said.code).ok(), Some(10));
}

/// Four hundred nights with a moving window: the site stays small, and each figure is that of its night.
#[test]
fn four_hundred_nights() {
    let home = Home::new();
    home.events(430);
    let start = chrono::NaiveDate::from_ymd_opt(2026, 1, 2).expect("a day");
    let mut pinned = String::new();
    for night in 0..400 {
        let on = start + chrono::Duration::days(night);
        let since = on - chrono::Duration::days(30);
        let (on, since) = (on.to_string(), since.to_string());
        let mut more = vec!["--as-of", &on, "--since", &since, "--keep", "30d,12m", "--format", "csv"];
        if night == 17 {
            more.push("--pin");
        }
        home.publish(&more).unwrap_or_else(|e| panic!("night {night}: {e}"));
        if night == 17 {
            pinned = home.status()["run"].as_str().expect("a run").to_owned();
        }
    }
    let last = home.assert_whole("the last night");
    assert!(last.starts_with("2027-02-05"), "{last}");
    let runs = home.runs();
    assert!(runs.contains(&pinned), "a pinned run stays");
    assert!(runs.len() <= 30 + 12 + 1, "{} runs", runs.len());
    let history = fs::read_to_string(home.path("site/current/history.jsonl")).expect("a history");
    assert_eq!(history.lines().count(), 400);
    let lines: Vec<regrant::publish::history::Line> =
        history.lines().map(|line| serde_json::from_str(line).expect("a line")).collect();
    // Counted again: resets of every third day within the thirty days before the night.
    for (night, line) in lines.iter().enumerate() {
        let night = night as i64 + 1;
        let expected = (0..430).step_by(3).filter(|day| (night - 30..night).contains(day)).count() as u64;
        assert_eq!(line.resets, expected, "night {night}");
        assert_eq!(line.kept, runs.contains(&line.run), "night {night}");
    }
    assert!(lines.iter().skip(40).all(|line| line.new.is_some()));
    let index = fs::metadata(home.path("site/current/index.html")).expect("an index").len();
    assert!(index < 600_000, "the index has {index} bytes");
    let generations = fs::read_dir(home.path("site/generations")).expect("generations").count();
    assert!(generations <= 3, "{generations} generations");
    for run in runs.iter().take(3) {
        assert!(verify(&home.path("site/runs").join(run), None).expect("a report").faults.is_empty(), "{run}");
    }
}

/// Killed two hundred times at any moment: what readers see is always one whole run or the other.
#[test]
fn a_run_that_is_killed_at_any_moment_leaves_a_whole_site() {
    let home = Home::new();
    let run = |as_of: &str| -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_regrant"));
        command.args(&home.arguments(&["--as-of", as_of, "--keep", "5d"])[1..]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let timed = |as_of: &str| -> Duration {
        let began = Instant::now();
        assert!(run(as_of).status().expect("it starts").success());
        began.elapsed()
    };
    let mut whole = timed("2026-01-02");
    let mut seen = home.assert_whole("before");
    let mut dice = 88_172_645_463_325_252_u64;
    let (mut before, mut after) = (0, 0);
    for number in 0..210 {
        let as_of =
            (chrono::NaiveDate::from_ymd_opt(2026, 1, 3).expect("a day") + chrono::Duration::days(number)).to_string();
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        // How long a run takes depends on what else the machine does.
        if number % 20 == 19 {
            whole = timed(&as_of);
            seen = home.assert_whole(&format!("run {number}"));
            continue;
        }
        // Most of a run is starting and reading; what is dangerous comes at its end.
        let share = 0.3 + 0.9 * (dice % 10_000) as f64 / 10_000.0;
        let mut child = run(&as_of).spawn().expect("it starts");
        std::thread::sleep(Duration::from_secs_f64(whole.as_secs_f64() * share));
        let _already_ended = child.kill();
        child.wait().expect("it ended");
        let now = home.assert_whole(&format!("kill {number}"));
        if now == seen {
            before += 1;
        } else {
            assert!(now.starts_with(&as_of), "kill {number}: neither the run before nor this one, but {now}");
            after += 1;
            seen = now;
        }
    }
    assert!(
        before > 10 && after > 10,
        "{before} kills before the exchange, {after} after it: the moments are badly chosen"
    );
    assert!(run("2026-12-01").status().expect("it starts").success());
    home.assert_whole("at the end");
    for folder in ["site/runs", "site/generations", "site"] {
        let left: Vec<String> = fs::read_dir(home.path(folder))
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .filter(|name| name.starts_with('.') && name != ".lock")
            .collect();
        assert!(left.is_empty(), "{folder}: {left:?}");
    }
    let told: usize = fs::read_to_string(home.path("site/current/history.jsonl")).expect("a history").lines().count();
    assert!(told > after, "a run that was written and not shown is in the history");
}

#[test]
fn time_limits_end_a_run_and_leave_the_site() {
    let home = Home::new();
    home.publish(&["--as-of", "2026-01-02"]).unwrap_or_else(|e| panic!("{e}"));
    let before = home.assert_whole("before");
    let lock =
        regrant::publish::site::Site::open(&home.path("site"), regrant::publish::site::WhenBusy::Fail).expect("ours");
    let arguments = home.arguments(&["--as-of", "2026-01-03", "--time-limit", "1s"]);
    let out = Command::new(env!("CARGO_BIN_EXE_regrant")).args(&arguments[1..]).output().expect("it starts");
    drop(lock);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert!(said.contains("--time-limit") && said.contains("help:"), "{said}");
    assert_eq!(home.assert_whole("after"), before);
}

// -------------------------------------------------------------------------------------------------------------------
// A full disk, and folders that may not be written

#[cfg(target_os = "linux")]
mod refused {
    use super::*;

    fn quietly(program: &str, arguments: &[&str]) -> bool {
        let mut command = Command::new(program);
        command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    struct Small(PathBuf);

    impl Drop for Small {
        fn drop(&mut self) {
            quietly("umount", &[&self.0.to_string_lossy()]);
        }
    }

    #[test]
    fn a_full_disk_is_named_and_leaves_the_old_report_and_the_old_site() {
        let home = Home::new();
        let place = home.path("disk");
        fs::create_dir(&place).expect("a folder");
        if !quietly("mount", &["-t", "tmpfs", "-o", "size=1400k", "tmpfs", &place.to_string_lossy()]) {
            println!("skipped: a small disk cannot be mounted here");
            return;
        }
        let _unmounted = Small(place.clone());
        let run = |arguments: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_regrant"));
            command.args(arguments).current_dir(home.0.path()).output().expect("it starts")
        };
        let small = run(&["audit", "in", "--as-of", "2026-01-02", "-o", "disk/report", "-q"]);
        assert!(small.status.success(), "{}", String::from_utf8_lossy(&small.stderr));
        let before = fs::read(place.join("report/manifest.json")).expect("a manifest");
        let rest = fs::File::create(place.join("ballast")).expect("a file");
        let _full = std::io::copy(&mut std::io::Read::take(std::io::repeat(b'x'), 1 << 24), &mut { rest });
        for arguments in [
            &["audit", "in", "--as-of", "2026-01-03", "-o", "disk/report", "-q"][..],
            &["publish", "in", "--as-of", "2026-01-03", "--site", "disk/site", "-q"],
        ] {
            let out = run(arguments);
            let said = String::from_utf8_lossy(&out.stderr).into_owned();
            assert_eq!(out.status.code(), Some(1), "{arguments:?}: {said}");
            assert!(said.contains("No space left") && said.contains("help: make room"), "{arguments:?}: {said}");
        }
        assert_eq!(fs::read(place.join("report/manifest.json")).expect("a manifest"), before);
        assert!(verify(&place.join("report"), None).expect("a report").faults.is_empty());
        assert!(!place.join("site/current").exists());
        let left: Vec<_> = fs::read_dir(&place).expect("a folder").map(|e| e.expect("an entry").file_name()).collect();
        assert!(left.iter().all(|name| !name.to_string_lossy().contains("staging")), "{left:?}");
    }

    #[test]
    fn another_user_is_told_what_may_not_be_written() {
        let home = Home::new();
        home.publish(&["--as-of", "2026-01-02"]).unwrap_or_else(|e| panic!("{e}"));
        let before = home.assert_whole("before");
        let as_nobody = |arguments: &[&str]| {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups", env!("CARGO_BIN_EXE_regrant")]);
            command.args(arguments).current_dir(home.0.path()).output()
        };
        let open = |path: &Path| fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).is_ok();
        assert!(open(home.0.path()));
        match as_nobody(&["list", "formats"]) {
            Ok(out) if out.status.success() => {}
            _ => {
                println!("skipped: the program cannot be run as another user here");
                return;
            }
        }
        let audit = ["audit", "in", "--as-of", "2026-01-03", "-o", "report", "-q"];
        let publish = ["publish", "in", "--as-of", "2026-01-03", "--site", "site", "-q"];
        for arguments in [&audit[..], &publish[..]] {
            let out = as_nobody(arguments).expect("it started before");
            let said = String::from_utf8_lossy(&out.stderr).into_owned();
            assert_eq!(out.status.code(), Some(1), "{arguments:?}: {said}");
            assert!(said.contains("Permission denied") && said.contains("help: "), "{arguments:?}: {said}");
        }
        assert!(!home.path("report").exists());
        assert_eq!(home.assert_whole("after"), before);
        fs::set_permissions(home.path("in/people.csv"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .expect("ours");
        let out = as_nobody(&["audit", "in", "-o", "/tmp/regrant-nobody-report", "-q"]).expect("it started before");
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(1), "{said}");
        assert!(said.contains("people.csv") && said.contains("Permission denied") && said.contains("help: "), "{said}");
        assert!(!Path::new("/tmp/regrant-nobody-report").exists());
    }
}

// -------------------------------------------------------------------------------------------------------------------
// Replay, sample, explain

#[test]
fn a_report_is_computed_again_byte_for_byte_with_all_that_took_part() {
    let home = Home::new();
    fs::create_dir_all(home.path("ours/checks")).expect("a folder");
    let own = fs::read_to_string(root().join("mappings/checks/missing-approval.md")).expect("a shipped check");
    fs::write(
        home.path("ours/checks/missing-approval.md"),
        own.replace("severity = \"high\"", "severity = \"critical\""),
    )
    .expect("a file");
    let config =
        "mappings = [\"ours\"]\ntimezone = \"Europe/London\"\n[[input]]\npath = \"in/ev*.csv\"\nsystem = \"okta\"\n";
    fs::write(home.path("regrant.toml"), config).expect("a file");
    let report = |name: &str, as_of: &str, previous: Option<&Kept>, baseline: Option<&Kept>| {
        let text = format!("as_of = {as_of}T00:00:00Z\n{config}");
        let config = Config::parse(&text, &home.path("regrant.toml")).unwrap_or_else(|e| panic!("{e}"));
        let mut report = audit(&[home.path("in")], config).unwrap_or_else(|e| panic!("{e}"));
        proof::compare(&mut report, previous, baseline).unwrap_or_else(|e| panic!("{e}"));
        write(&report, &home.path("reports").join(name));
        Kept::open(&home.path("reports").join(name)).unwrap_or_else(|e| panic!("{e}"))
    };
    let base = report("base", "2026-01-05", None, None);
    home.events(9);
    let previous = report("previous", "2026-01-09", None, None);
    home.events(12);
    let last = report("last", "2026-01-15", Some(&previous), Some(&base));
    // Elsewhere, and without the config's folder: run.toml knows how they lay.
    fs::rename(home.path("in"), home.path("archive")).expect("a folder");
    fs::remove_dir_all(home.path("ours")).expect("a folder");
    let asked = |report: &Path, inputs: &str| {
        let inputs = home.path(inputs).to_string_lossy().into_owned();
        let words = ["regrant", "replay", &report.to_string_lossy(), "--inputs", &inputs].map(str::to_owned);
        let Verb::Replay(args) = Cli::try_parse_from(words).unwrap_or_else(|e| panic!("{e}")).verb else { panic!() };
        verbs::replay::replay(&args, &(Arc::new(|_, _| {}) as Progress)).unwrap_or_else(|e| panic!("{e}"))
    };
    let said = asked(&last.folder, "archive");
    assert_eq!(said.code, 0, "{}", said.text);
    assert!(said.text.contains("byte for byte the same"), "{}", said.text);

    // An input that is not as it was is named.
    let events = fs::read_to_string(home.path("archive/events.csv")).expect("a file");
    fs::write(home.path("archive/events.csv"), events.replace("totp", "none")).expect("a file");
    let said = asked(&last.folder, "archive");
    assert_eq!(said.code, 12, "{}", said.text);
    assert!(
        said.text.contains("differs: findings.csv") && said.text.contains("because: the input events.csv"),
        "{}",
        said.text
    );
    fs::write(home.path("archive/events.csv"), events).expect("a file");

    // So is a report that took part and is gone.
    fs::rename(home.path("reports/previous"), home.path("elsewhere")).expect("a folder");
    let kept = Kept::open(&last.folder).expect("a report");
    let nobody = Arc::new(|_, _| {}) as Progress;
    let error = replay(&kept, &home.path("archive"), None, None, &nobody).err().expect("it is missing").to_string();
    assert!(error.contains("previous") && error.contains("--previous"), "{error}");
    let again = replay(&kept, &home.path("archive"), Some(&home.path("elsewhere")), None, &nobody);
    assert!(
        again.is_ok_and(
            |again| again.causes.is_empty() && again.report.assessment.run.digest == kept.assessment.run.digest
        )
    );
}

#[test]
fn the_sample_organisation_is_replayed_whole() {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("report");
    write(&sample(), &folder);
    let kept = Kept::open(&folder).expect("a report");
    let nobody = Arc::new(|_, _| {}) as Progress;
    let again = replay(&kept, &root().join("sample-data"), None, None, &nobody).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(again.causes, Vec::<String>::new());
    write(&again.report, &home.path().join("again"));
    for entry in fs::read_dir(&folder).expect("a report") {
        let name = entry.expect("an entry").file_name();
        let (then, now) = (fs::read(folder.join(&name)), fs::read(home.path().join("again").join(&name)));
        assert!(then.expect("a file") == now.expect("a file"), "{}", name.to_string_lossy());
    }
}

#[test]
fn a_sample_is_drawn_the_same_by_anybody() {
    let report = sample();
    let mut subjects = report.subjects.clone().expect("kept");
    subjects.retain(|subject| subject.subject_kind == "reset");
    let check = "missing-approval";
    let drawn = draw(subjects.clone(), check, 25, "2026-q3");
    let ids = |s: &regrant::proof::sample::Sample| -> Vec<String> {
        s.strata.iter().flat_map(|s| s.drawn.iter().map(|(_, subject)| subject.subject.clone())).collect()
    };
    assert_eq!(ids(&drawn).len(), 25);
    let mut shuffled = subjects.clone();
    shuffled.reverse();
    assert_eq!(ids(&draw(shuffled, check, 25, "2026-q3")), ids(&drawn));
    assert_ne!(ids(&draw(subjects.clone(), check, 25, "2026-q4")), ids(&drawn));
    for (at, subject) in drawn.strata.iter().flat_map(|s| &s.drawn) {
        let by_hand = format!("2026-q3\n{check}\n{}\n{}\n{}", subject.subject_kind, subject.system, subject.subject);
        assert_eq!(*at, hex::encode(Sha256::digest(by_hand.as_bytes())));
        assert_eq!(*at, rank("2026-q3", check, subject));
    }
    let result = report.assessment.checks.iter().find(|c| c.id == check).expect("a check").counts;
    let sum = |f: fn(&regrant::proof::sample::Stratum) -> u64| drawn.strata.iter().map(f).sum::<u64>();
    assert_eq!(sum(|s| s.population), result.passed + result.failed + result.waived);
    assert_eq!(sum(|s| s.failing), result.failed + result.waived);
    assert_eq!((drawn.indeterminate, drawn.not_applicable), (result.indeterminate, result.not_applicable));
    // Everything that is there is drawn when there is not more than asked for.
    let all = draw(subjects, check, 100_000, "x");
    assert_eq!(ids(&all).len() as u64, result.passed + result.failed + result.waived);
    assert!(all.strata.iter().all(|s| s.drawn.iter().filter(|(_, one)| fails(one, check)).count() as u64 == s.failing));
}

/// For each of these checks, the change that is said to have sufficed is made to the record, and exactly that finding goes.
#[test]
fn what_is_said_to_have_sufficed_suffices() {
    let report = sample();
    let subjects = report.subjects.as_ref().expect("kept");
    let (source, home) = (root().join("sample-data"), tempfile::tempdir().expect("a folder"));
    let config = Config::load(&source.join("regrant.toml")).unwrap_or_else(|e| panic!("{e}"));
    let mut tried = BTreeMap::new();
    // Which way the instant goes when the fact grows.
    for (check, fact, column, way_of_growth) in [
        ("retroactive-approval", "approval_lead_minutes", "approved_at", -1),
        ("stale-verification", "verification_age_minutes", "verified_at", -1),
        ("recovery-token-outlives-policy", "token_ttl_minutes", "token_expires_at", 1),
        ("holder-not-notified", "notified_minutes", "notified_at", 1),
    ] {
        let of_check = report.findings.iter().filter(|f| f.check == check && f.state == State::Open);
        for (number, finding) in of_check.enumerate().take(4) {
            let subject =
                subjects.iter().find(|s| s.subject == finding.subject && s.system == finding.system).expect("kept");
            let result = report.assessment.checks.iter().find(|c| c.id == check).expect("a check");
            let rule = Rule::of(result, &config.policy).expect("a rule");
            let ways = what_passes(&rule, &subject.facts);
            let Some(way) = ways.iter().find(|way| way.len() == 1 && way[0].fact == fact) else { continue };
            let (Some(was), Some(to)) = (way[0].was.as_f64(), way[0].to.as_f64()) else { continue };
            let seconds = ((to - was).abs() * 60.0 - 1e-3).ceil() as i64;
            let moves = way_of_growth * if to > was { seconds } else { -seconds };
            assert!(way[0].words.contains(&regrant::time::format_duration_micros(seconds * 1_000_000)), "{:?}", way[0]);
            let folder = home.path().join(format!("{check}-{number}"));
            let moved = copy_moving(&source, &folder, finding, column, moves);
            if !moved {
                continue;
            }
            let config = Config::load(&folder.join("regrant.toml")).unwrap_or_else(|e| panic!("{e}"));
            let after = audit(std::slice::from_ref(&folder), config).unwrap_or_else(|e| panic!("{e}"));
            let ids = |findings: &[Finding]| -> BTreeSet<String> {
                findings.iter().map(|f| f.finding_id.to_string()).collect()
            };
            let (before, after) = (ids(&report.findings), ids(&after.findings));
            let gone: Vec<&String> = before.difference(&after).collect();
            assert_eq!(gone, [&finding.finding_id], "{check} {}: {:?}", finding.subject, way[0].words);
            assert_eq!(after.difference(&before).count(), 0, "{check} {}", finding.subject);
            *tried.entry(check).or_insert(0) += 1;
        }
    }
    assert!(tried.values().sum::<i32>() >= 6 && tried.len() >= 3, "{tried:?}");
}

/// Copies the sample with one instant of one record moved; false when that record has no such instant.
fn copy_moving(source: &Path, to: &Path, finding: &Finding, column: &str, seconds: i64) -> bool {
    let mut moved = false;
    for entry in walkdir::WalkDir::new(source).sort_by_file_name() {
        let entry = entry.expect("sample data");
        let path = entry.path().strip_prefix(source).expect("below it");
        if !entry.file_type().is_file() {
            continue;
        }
        let place = to.join(path);
        fs::create_dir_all(place.parent().expect("below it")).expect("a folder");
        if path.to_string_lossy() != finding.source_file.as_str() || path.extension().is_none_or(|e| e != "csv") {
            fs::copy(entry.path(), place).expect("a file");
            continue;
        }
        let mut reader =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).from_path(entry.path()).expect("CSV");
        let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("good CSV")).collect();
        let at = rows[0].iter().position(|name| name == column);
        let mut writer = csv::WriterBuilder::new().flexible(true).from_path(place).expect("a file");
        for (number, row) in rows.iter().enumerate() {
            let cells: Vec<String> = row
                .iter()
                .enumerate()
                .map(|(i, cell)| match chrono::DateTime::parse_from_rfc3339(cell) {
                    Ok(instant) if number as u64 == finding.source_record && Some(i) == at => {
                        moved = true;
                        (instant + chrono::Duration::seconds(seconds)).to_rfc3339()
                    }
                    _ => cell.to_owned(),
                })
                .collect();
            writer.write_record(cells).expect("a file");
        }
        writer.flush().expect("a file");
    }
    moved
}
