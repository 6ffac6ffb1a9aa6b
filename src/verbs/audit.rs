//! `audit`: from arguments to a published report and its summary.

use std::path::{Path, PathBuf};

use super::layout::shown;
use super::{Said, VerbError, config, summary};
use crate::cli::{Audit, FailOn, format_id};
use crate::config::{Config, FORMATS};
use crate::render::folder::{Exchange, Staging};
use crate::render::{self, Bundle, Formats, html};
use crate::report::model::{Assessment, Finding};
use crate::run::{self, Conclusive, Demands, Ending, Progress, Request};
use crate::time;

/// Reads, judges and writes the report. `started` is the instant `as_of` falls back to, in microseconds UTC.
///
/// # Errors
/// Bad config or mappings, inputs that cannot be read, a folder that cannot be written.
pub fn audit(args: &Audit, started: i64, progress: &Progress) -> Result<Said, VerbError> {
    let mut config = config(&args.house)?;
    let zone = config.zone();
    config.since = args.since.map(|at| at.in_zone(zone)).or(config.since);
    config.until = args.until.map(|at| at.in_zone(zone)).or(config.until);
    if let (Some(since), Some(until)) = (config.since, config.until)
        && since >= until
    {
        let (since, until) = (time::format_instant(since), time::format_instant(until));
        return Err(VerbError::own(
            format!("the period from {since} to {until} is empty"),
            "`--until` is exclusive and must lie after `--since`; one of the two may come from the config",
        ));
    }
    let formats = Formats::parse(args.format.as_ref().unwrap_or(&config.formats).iter().map(|name| format_id(name)))?;
    if args.format.is_some() {
        // `run.toml` must parse again, and a config names no file that is written in any case.
        let kept = formats.ids().iter().filter(|id| FORMATS.contains(id));
        config.formats = kept.map(|id| (*id).to_owned()).collect();
    }
    if let Some(FailOn(least)) = args.fail_on {
        config.fail_on = least;
    }
    let (as_of, as_of_source) = match (args.as_of, config.as_of) {
        (Some(at), _) => (at.in_zone(zone), "command line"),
        (None, Some(at)) => (at, "config"),
        (None, None) => (started, "start of the program"),
    };
    let demands = Demands {
        fail_on: config.fail_on,
        conclusive: if args.require_conclusive { Conclusive::Required } else { Conclusive::NotRequired },
        max_rejected: args.max_rejected,
    };
    let mut notes = unread_config(args, &config);

    // Before anything is read, so that nobody waits for a report that may not be written.
    let staging = Staging::prepare(&args.output)?;
    let request = Request {
        paths: args.paths.clone(),
        config,
        as_of,
        as_of_source,
        mappings: args.house.mappings.clone(),
        input_hash: args.input_hash.input_hash(),
        subjects: args.subjects.subjects(),
        identity: args.identity.clone(),
    };
    let report = run::audit(&request, progress)?;
    let page = |assessment: &Assessment, findings: &[Finding]| {
        // Its own help line would stand in the middle of ours.
        html::render_for(args.view.view(), assessment, findings)
            .map_err(|error| error.to_string().lines().next().unwrap_or_default().to_owned())
    };
    let bundle = Bundle {
        assessment: &report.assessment,
        findings: &report.findings,
        rejected: &report.rejected,
        subjects: report.subjects.as_deref(),
        run_toml: &report.run_toml,
        mapping_files: report.mapping_files,
        formats: formats.with_ocsf(args.ocsf_version.version()),
        html: Some(&page),
    };
    let with_page = bundle.formats.contains("html");
    let published = render::write_into(&bundle, staging)?;

    if published.exchange == Exchange::TwoSteps {
        notes.push("note: this file system cannot exchange folders; for an instant there was no report".to_owned());
    }
    if let Some(old) = &published.left_over {
        notes.push(format!(
            "note: the report that was replaced could not be deleted: {}",
            shown(&old.to_string_lossy())
        ));
    }
    let ending = run::ending(&report.assessment, &demands);
    notes.extend(because(ending, &demands));
    let place = if with_page { published.path.join("index.html") } else { published.path };
    let text =
        if args.quiet { summary::line(&report.assessment, &place) } else { summary::full(&report.assessment, &place) };
    if args.quiet {
        notes.clear();
    }
    Ok(Said { text, notes, code: ending.code() })
}

/// Why the code is not 0, for whoever reads the log of a pipeline.
fn because(ending: Ending, demands: &Demands) -> Option<String> {
    let why = match ending {
        Ending::Clean => return None,
        Ending::Rejected => {
            format!("more than {} % of an input's records were rejected (--max-rejected)", demands.max_rejected * 100.0)
        }
        Ending::Findings => {
            let least = demands.fail_on.map_or("none", |severity| severity.as_str());
            format!("something open is at or above {least} (--fail-on)")
        }
        Ending::Inconclusive => "a check cannot conclude (--require-conclusive)".to_owned(),
    };
    Some(format!("exit code {}: {why}", ending.code()))
}

/// A config that lies where the data lies looks as if it were in force.
fn unread_config(args: &Audit, config: &Config) -> Vec<String> {
    if config.path.is_some() || args.house.config.is_some() {
        return Vec::new();
    }
    let mut places: Vec<PathBuf> = args.paths.iter().filter(|path| path.is_dir()).cloned().collect();
    places.push(PathBuf::new());
    let mut found: Vec<PathBuf> = places.iter().map(|folder| folder.join("regrant.toml")).collect();
    found.retain(|file| Path::is_file(file));
    // `.` and the working folder are the same place.
    found.dedup_by_key(|file| std::fs::canonicalize(&*file).ok());
    found
        .iter()
        .map(|file| {
            let file = shown(&file.to_string_lossy());
            format!("hint: {file} is not read unless it is named: add `-c {file}`")
        })
        .collect()
}
