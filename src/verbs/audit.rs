//! `audit`: from arguments to a published report and its summary.

use std::path::{Path, PathBuf};

use super::layout::shown;
use super::{Said, VerbError, config, summary};
use crate::cli::{Audit, House, Terms, format_id};
use crate::config::{Config, FORMATS};
use crate::proof::sign::SigningKey;
use crate::proof::{self, Kept};
use crate::redact::{self, KeyError, Pseudonyms};
use crate::render::folder::{Exchange, Kind, Published, Staging};
use crate::render::html::View;
use crate::render::{self, Bundle, Formats, html, manifest};
use crate::report::model::{Assessment, Finding};
use crate::run::{self, Among, Conclusive, Demands, Ending, Progress, Report, Request};
use crate::time;

/// Reads, judges and writes the report. `started` is the instant `as_of` falls back to, in microseconds UTC.
///
/// # Errors
/// Bad config or mappings, inputs that cannot be read, a folder that cannot be written.
pub fn audit(args: &Audit, started: i64, progress: &Progress) -> Result<Said, VerbError> {
    let mut plan = Plan::of(&args.terms, &args.house, args.paths.clone(), started)?;
    plan.request.identity = args.identity.clone();
    if plan.demands.among == Among::New && plan.baseline.is_none() {
        return Err(VerbError::own(
            "`--fail-on new:…` is asked for, but nothing says what is known",
            "name the report that was accepted with `--baseline REPORTDIR`",
        ));
    }
    plan.notes.extend(unread_config(args, &plan.request.config));

    // Before anything is read, so that nobody waits for a report that may not be written.
    let staging = Staging::prepare(&args.output, Kind::Audit)?;
    let report = plan.run(None, progress)?;
    let published = plan.lay_down(&report, staging)?.publish()?;

    let mut notes = std::mem::take(&mut plan.notes);
    notes.extend(published_notes(&published));
    let ending = run::ending(&report.assessment, &plan.demands);
    notes.extend(because(ending, &plan.demands));
    let place = if plan.formats.contains("html") { published.path.join("index.html") } else { published.path };
    let quiet = args.terms.quiet;
    let text =
        if quiet { summary::line(&report.assessment, &place) } else { summary::full(&report.assessment, &place) };
    if quiet {
        notes.clear();
    }
    // Nobody has to wait until hundreds of thousands of findings are given back.
    rayon::spawn(move || drop(report));
    Ok(Said { text, notes, code: ending.code() })
}

/// What every verb that makes a report settles before it reads anything.
pub(super) struct Plan {
    /// What to audit.
    pub request: Request,
    /// What to write.
    pub formats: Formats,
    /// What makes the run end with another code than 0.
    pub demands: Demands,
    /// For standard error.
    pub notes: Vec<String>,
    /// What was known before.
    pub baseline: Option<Kept>,
    key: Option<SigningKey>,
}

impl Plan {
    /// Config and arguments brought together.
    ///
    /// # Errors
    /// A bad config, an empty period, a baseline or key that cannot be used.
    pub fn of(terms: &Terms, house: &House, paths: Vec<PathBuf>, started: i64) -> Result<Plan, VerbError> {
        let mut config = config(house)?;
        let zone = config.zone();
        config.since = terms.since.map(|at| at.in_zone(zone)).or(config.since);
        config.until = terms.until.map(|at| at.in_zone(zone)).or(config.until);
        period(&config)?;
        let formats =
            Formats::parse(terms.format.as_ref().unwrap_or(&config.formats).iter().map(|name| format_id(name)))?;
        if terms.format.is_some() {
            config.formats = names_in_config(&formats);
        }
        if let Some(reader) = terms.view {
            config.view = reader.view();
        }
        let mut among = Among::All;
        if let Some(fail_on) = terms.fail_on {
            config.fail_on = fail_on.least;
            among = fail_on.among;
        }
        let (as_of, as_of_source) = match (terms.as_of, config.as_of) {
            (Some(at), _) => (at.in_zone(zone), "command line"),
            (None, Some(at)) => (at, "config"),
            (None, None) => (started, "start of the program"),
        };
        let demands = Demands {
            fail_on: config.fail_on,
            among,
            conclusive: if terms.require_conclusive { Conclusive::Required } else { Conclusive::NotRequired },
            max_rejected: terms.max_rejected,
        };
        let formats = formats.with_ocsf(terms.ocsf_version.version());
        Ok(Plan {
            request: Request {
                paths,
                config,
                as_of,
                as_of_source,
                mappings: house.mappings.clone(),
                input_hash: terms.input_hash.input_hash(),
                subjects: terms.subjects.subjects(),
                identity: None,
                redact: pseudonyms(terms)?,
            },
            formats,
            demands,
            notes: Vec::new(),
            baseline: terms.baseline.as_deref().map(Kept::open).transpose()?,
            key: terms.sign_key.as_deref().map(SigningKey::load).transpose()?,
        })
    }

    /// Audits, and compares with what was there before.
    ///
    /// # Errors
    /// Inputs that cannot be read; an earlier report that cannot be read or compared with.
    pub fn run(&self, previous: Option<&Kept>, progress: &Progress) -> Result<Report, VerbError> {
        for earlier in previous.into_iter().chain(self.baseline.as_ref()) {
            self.redacted_alike(earlier)?;
        }
        let mut report = run::audit(&self.request, progress)?;
        nothing_read(&report.assessment)?;
        proof::compare(&mut report, previous, self.baseline.as_ref())?;
        Ok(report)
    }

    /// What changed since a report that names people would name them again.
    fn redacted_alike(&self, earlier: &Kept) -> Result<(), VerbError> {
        match &self.request.redact {
            Some(with) if !redact::is_redacted(&earlier.assessment, with) => Err(VerbError::own(
                format!("{}: is not redacted with this key", shown(&earlier.folder.to_string_lossy())),
                "compare a redacted report with one that was redacted with the same `--redact-key-file`",
            )),
            _ => Ok(()),
        }
    }

    /// Writes every file aside, and signs them where a key was named.
    ///
    /// # Errors
    /// A folder that cannot be written, a page that cannot be made.
    pub fn lay_down(&self, report: &Report, staging: Staging) -> Result<Staging, VerbError> {
        let (staging, manifest) = with_bundle(report, self.formats.clone(), self.request.config.view, |bundle| {
            render::lay_down(bundle, staging)
        })?;
        if let Some(key) = &self.key {
            let signature = key.sign(manifest.as_bytes()).map_err(|error| {
                VerbError::own(format!("the manifest cannot be signed: {error}"), "try another Ed25519 key")
            })?;
            staging.add(manifest::SIGNATURE, signature.as_bytes())?;
        }
        Ok(staging)
    }
}

/// A schedule whose folder is empty or wrong must not look like one that found nothing.
fn nothing_read(assessment: &Assessment) -> Result<(), VerbError> {
    if !assessment.inputs.is_empty() {
        return Ok(());
    }
    let skipped = &assessment.skipped;
    let Some(first) = skipped.first() else {
        return Err(VerbError::own(
            "there is no file to read, so there is nothing to report",
            "name files, or a folder with files; `regrant list sources` shows what is read and where to get it",
        ));
    };
    let all =
        if skipped.len() == 1 { "the only file".to_owned() } else { format!("none of the {} files", skipped.len()) };
    let is = if skipped.len() == 1 { "is not" } else { "is" };
    Err(VerbError::own(
        format!(
            "{all} {is} recognised, so there is nothing to report; {}: {}",
            shown(&first.path),
            shown(&first.reason)
        ),
        "`regrant audit --explain-input FILE` says why, `regrant list sources` what is read, and `regrant map FILE` \
         proposes a mapping",
    ))
}

/// Is there anything between the two ends?
///
/// # Errors
/// When the end does not lie after the begin.
pub(super) fn period(config: &Config) -> Result<(), VerbError> {
    match (config.since, config.until) {
        (Some(since), Some(until)) if since >= until => {
            let (since, until) = (time::format_instant(since), time::format_instant(until));
            Err(VerbError::own(
                format!("the period from {since} to {until} is empty"),
                "`--until` is exclusive and must lie after `--since`; one of the two may come from the config",
            ))
        }
        _ => Ok(()),
    }
}

fn pseudonyms(terms: &Terms) -> Result<Option<Pseudonyms>, VerbError> {
    match (terms.redact, &terms.redact_key_file) {
        (false, None) => Ok(None),
        // Who names a key wants it used.
        (_, Some(file)) => Ok(Some(Pseudonyms::load(file)?)),
        (true, None) => Err(KeyError::Missing.into()),
    }
}

/// A report as the renderers take it.
pub(super) fn with_bundle<T>(report: &Report, formats: Formats, view: View, work: impl FnOnce(&Bundle<'_>) -> T) -> T {
    let page = |assessment: &Assessment, findings: &[Finding]| {
        // Its own help line would stand in the middle of ours.
        html::render_for(view, assessment, findings)
            .map_err(|error| error.to_string().lines().next().unwrap_or_default().to_owned())
    };
    work(&Bundle {
        assessment: &report.assessment,
        findings: &report.findings,
        rejected: &report.rejected,
        subjects: report.subjects.as_deref(),
        run_toml: &report.run_toml,
        mapping_files: report.mapping_files.clone(),
        formats,
        html: Some(&page),
    })
}

/// Formats as a config names them: `run.toml` must parse again, and a config names no file that is written in any case.
pub(super) fn names_in_config(formats: &Formats) -> Vec<String> {
    formats.ids().iter().filter(|id| FORMATS.contains(id)).map(|id| (*id).to_owned()).collect()
}

/// What went otherwise than one expects while the report took its place.
pub(super) fn published_notes(published: &Published) -> Vec<String> {
    let mut notes = Vec::new();
    if published.exchange == Exchange::TwoSteps {
        notes.push("note: this file system cannot exchange folders; for an instant there was no report".to_owned());
    }
    if let Some(old) = &published.left_over {
        notes.push(format!(
            "note: the report that was replaced could not be deleted: {}",
            shown(&old.to_string_lossy())
        ));
    }
    notes
}

/// Why the code is not 0, for whoever reads the log of a pipeline.
pub(super) fn because(ending: Ending, demands: &Demands) -> Option<String> {
    let why = match ending {
        Ending::Clean => return None,
        Ending::Rejected => {
            format!("more than {} % of an input's records were rejected (--max-rejected)", demands.max_rejected * 100.0)
        }
        Ending::Findings => {
            let least = demands.fail_on.map_or("none", |severity| severity.as_str());
            let new = if demands.among == Among::New { " and new" } else { "" };
            format!("something open{new} is at or above {least} (--fail-on)")
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
