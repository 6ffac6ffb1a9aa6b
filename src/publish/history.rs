//! What a site remembers of each run, a line each: enough for the trends, even when retention removed the report.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::proof::{Kept, ProofError};
use crate::render::changes::summary;
use crate::report::model::{Assessment, Severity, Standing, Subject};
use crate::time;

/// One run in figures. Null is "not known", never zero.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Its folder's name.
    pub run: String,
    /// Up to when the data was taken as known.
    pub as_of: String,
    /// The run digest.
    pub digest: String,
    /// The version that wrote it.
    pub version: String,
    /// The config's title.
    pub title: Option<String>,
    /// Start of the period, inclusive; null is unbounded.
    pub since: Option<String>,
    /// End of the period, exclusive; null is unbounded.
    pub until: Option<String>,
    /// The six controls: id, statement, how it stands, deviation rate.
    pub controls: Vec<(String, String, Standing, Option<f64>)>,
    /// Open findings by severity.
    pub open: BTreeMap<Severity, u64>,
    /// Findings that a waiver in force accepts.
    pub accepted: u64,
    /// Open findings that the run before did not have; null when there was none to compare with.
    pub new: Option<u64>,
    /// What changed, in sentences; empty when there was nothing to compare with.
    pub changes: Vec<String>,
    /// Checks by how they stand.
    pub checks: BTreeMap<String, u64>,
    /// Resets judged.
    pub resets: u64,
    /// Credentials judged.
    pub credentials: u64,
    /// Resets that needed an approval and have none, of those that could be judged.
    pub unapproved: Option<(u64, u64)>,
    /// Median hours that prior credentials lived on after their reset; null when nothing is known, or more than half of
    /// them still live.
    pub outlived_hours: Option<f64>,
    /// Resets whose prior credentials still live, of those of which it is known; null when the report keeps no subjects.
    pub outliving: Option<(u64, u64)>,
    /// Waivers in force.
    pub waivers: u64,
    /// Inputs that were read.
    pub inputs: u64,
    /// Inputs whose newest record is older than their `max_age`, by path.
    pub stale: Vec<String>,
    /// Inputs with the bytes they had in the run before, by path.
    pub unchanged: Vec<String>,
    /// Records rejected.
    pub rejected: u64,
    /// Newest record of each input, where one is known.
    pub newest: BTreeMap<String, String>,
    /// The exit code that the run ended with; null where a crash kept it from being told.
    pub exit_code: Option<u8>,
    /// Is the report still there?
    pub kept: bool,
}

impl Line {
    /// The figures of a run; `subjects` null when they are not kept.
    pub fn of(run: &str, a: &Assessment, subjects: Option<&[Subject]>, exit_code: Option<u8>) -> Line {
        let mut checks: BTreeMap<String, u64> = BTreeMap::new();
        for check in &a.checks {
            *checks.entry(word(check.verdict).to_owned()).or_default() += 1;
        }
        let approval = a.checks.iter().find(|check| check.id == "missing-approval").map(|check| check.counts);
        let judged = approval.map(|c| (c.failed + c.waived, c.failed + c.waived + c.passed)).filter(|(_, of)| *of > 0);
        let (outlived_hours, outliving) = subjects.map_or((None, None), outlived);
        let stale = a.data_quality.iter().filter(|hole| hole.kind == STALE);
        Line {
            run: run.to_owned(),
            as_of: a.run.as_of.clone(),
            digest: a.run.digest.clone(),
            version: a.tool.version.clone(),
            title: a.run.title.clone(),
            since: a.run.since.clone(),
            until: a.run.until.clone(),
            controls: a.controls.iter().map(|c| (c.id.clone(), c.title.clone(), c.verdict, c.deviation_rate)).collect(),
            open: a.totals.iter().map(|(severity, total)| (*severity, total.open)).collect(),
            accepted: a.totals.values().map(|total| total.waived).sum(),
            new: a.changes.as_ref().map(|changes| changes.new_open.values().sum()),
            changes: a.changes.as_ref().map(summary).unwrap_or_default(),
            checks,
            resets: a.population.resets,
            credentials: a.population.credentials,
            unapproved: judged,
            outlived_hours,
            outliving,
            waivers: a.waivers.iter().filter(|waiver| waiver.state == "active").count() as u64,
            inputs: a.inputs.len() as u64,
            stale: stale.flat_map(|hole| hole.examples.iter().cloned()).collect(),
            unchanged: a.changes.as_ref().map(|changes| changes.unchanged_inputs.clone()).unwrap_or_default(),
            rejected: a.inputs.iter().map(|input| input.rejected).sum(),
            newest: a
                .inputs
                .iter()
                .filter_map(|input| input.last_at.as_ref().map(|at| (input.path.clone(), at.clone())))
                .collect(),
            exit_code,
            kept: true,
        }
    }

    /// "no data" is not "no findings", and neither is "cannot conclude".
    pub fn state(&self) -> &'static str {
        let undecided = self.checks.get(word(Standing::CannotConclude)).copied().unwrap_or(0);
        if self.resets == 0 && self.credentials == 0 {
            "no data"
        } else if self.open.values().any(|count| *count > 0) {
            "findings"
        } else if undecided > 0 {
            "cannot conclude"
        } else {
            "no findings"
        }
    }
}

/// The kind of data quality that names inputs older than their `max_age`.
pub const STALE: &str = "stale-input";

/// As `assessment.json` spells it.
pub fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Fail => "fail",
        Standing::CannotConclude => "cannot conclude",
        Standing::Pass => "pass",
        Standing::NotApplicable => "not applicable",
    }
}

/// Median hours over resets with prior credentials, and how many still have a living one. Those that still live count as
/// living longest, so that the median does not improve by never revoking.
fn outlived(subjects: &[Subject]) -> (Option<f64>, Option<(u64, u64)>) {
    let number = |subject: &Subject, fact: &str| subject.facts.get(fact).and_then(serde_json::Value::as_f64);
    let (mut hours, mut living, mut known) = (Vec::new(), 0, 0);
    for subject in subjects.iter().filter(|s| number(s, "prior_credentials").is_some_and(|n| n > 0.0)) {
        if number(subject, "prior_unrevoked").is_some_and(|n| n > 0.0) {
            living += 1;
            known += 1;
            hours.push(f64::INFINITY);
        } else if let Some(minutes) = number(subject, "minutes_to_revoke") {
            known += 1;
            hours.push((minutes / 60.0).max(0.0));
        }
    }
    hours.sort_by(f64::total_cmp);
    let median = hours.len().checked_sub(1).map(|last| (hours[last / 2] + hours[last.div_ceil(2)]) / 2.0);
    (median.filter(|hours| hours.is_finite()), Some((living, known)))
}

/// All runs of a site, in the order of their `as_of`.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// One line a run.
    pub lines: Vec<Line>,
}

impl History {
    /// From the text that was published last and the runs that are there: a run that a crash kept from being published is
    /// found again, one that somebody removed is known to be gone. Lines that are none are left out: every figure of a
    /// kept run can be had from its report.
    ///
    /// # Errors
    /// When a run that is there cannot be read.
    pub fn of(published: Option<&str>, runs: &[String], open: impl Fn(&str) -> Result<Kept, ProofError>) -> History {
        let read = published.unwrap_or_default().lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
        let mut lines: Vec<Line> = read.collect();
        for line in &mut lines {
            line.kept = runs.contains(&line.run);
        }
        for run in runs {
            if lines.iter().any(|line| line.run == *run) {
                continue;
            }
            // A folder that is no report of ours is none of the site's runs.
            let Ok(kept) = open(run) else { continue };
            let subjects = kept.subjects(&|_| true).ok().flatten();
            lines.push(Line::of(run, &kept.assessment, subjects.as_deref(), None));
        }
        let mut history = History { lines };
        history.sort();
        history
    }

    fn sort(&mut self) {
        self.lines.sort_by(|a, b| (micros(&a.as_of), &a.run).cmp(&(micros(&b.as_of), &b.run)));
    }

    /// The run before `as_of` (microseconds) whose report is there.
    pub fn before(&self, as_of: i64) -> Option<&Line> {
        self.lines.iter().rev().find(|line| line.kept && micros(&line.as_of).is_some_and(|at| at < as_of))
    }

    /// Adds a run; one of the same folder is replaced. Retention never removes the last runs, so that what is later than the last
    /// one that is there was taken back by somebody, as when a clock was wrong for a night: readers would be led to nothing.
    pub fn add(&mut self, line: Line) {
        self.lines.retain(|other| other.run != line.run);
        self.lines.push(line);
        self.sort();
        let there = self.lines.iter().rposition(|line| line.kept).map_or(0, |last| last + 1);
        self.lines.truncate(there);
    }

    /// As it is published.
    pub fn text(&self) -> String {
        let lines = self.lines.iter().filter_map(|line| serde_json::to_string(line).ok());
        lines.map(|line| line + "\n").collect()
    }
}

/// An instant of a line; null when it is none.
pub(super) fn micros(text: &str) -> Option<i64> {
    time::parse_instant(text.as_bytes()).map(|at| at.in_zone(chrono_tz::Tz::UTC))
}
