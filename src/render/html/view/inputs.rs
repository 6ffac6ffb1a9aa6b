//! What was read: one evidence box an input, and where its records went.

use std::collections::BTreeMap;

use serde::Serialize;

use super::prose::{Span, spans};
use crate::render::html::words::{self, Clock, When, count, number, visible, visible_cut};
use crate::report::model::{Input, LogCoverage, Silence};

#[derive(Serialize)]
pub(super) struct InputView {
    /// The last part of the path.
    name: String,
    /// What stands before it, with its last `/`; empty for a bare name.
    folder: String,
    short: String,
    digest: String,
    size: String,
    mapping: String,
    recognised_by: Vec<Span>,
    tables: String,
    read: String,
    accepted: String,
    out_of_scope: String,
    merged: String,
    duplicates: String,
    rejected: String,
    balanced: bool,
    first: Option<When>,
    last: Option<When>,
    columns: String,
    ignored: String,
    notes: Vec<String>,
    /// What weakens what rests on it.
    holes: Vec<String>,
    hole: bool,
}

#[derive(Default, Serialize)]
pub(super) struct InputTotal {
    read: String,
    accepted: String,
    out_of_scope: String,
    merged: String,
    duplicates: String,
    rejected: String,
}

/// Does this input weaken what rests on it?
pub(super) fn hole(i: &Input) -> bool {
    i.rejected > 0 || i.naive_zone_assumed || i.expected_records.is_some_and(|n| n != i.read) || !balanced(i)
}

pub(super) fn balanced(i: &Input) -> bool {
    i.read == i.accepted + i.out_of_scope + i.merged + i.duplicates + i.rejected
}

fn input(i: &Input, clock: Clock) -> InputView {
    let (digest, kind) = match (&i.sha256, &i.blake3) {
        (Some(d), _) => (visible_cut(d, 128), "sha256"),
        (None, Some(d)) => (visible_cut(d, 128), "blake3"),
        (None, None) => (String::new(), ""),
    };
    let reasons = |m: &BTreeMap<String, u64>| {
        m.iter().map(|(k, n)| format!("{} {}", number(*n), visible_cut(k, 80))).collect::<Vec<_>>().join(", ")
    };
    let (mut notes, mut holes) = (Vec::new(), Vec::new());
    if let Some(expected) = i.expected_records
        && expected != i.read
    {
        holes.push(format!("{} were expected, {} were read", count(expected, "record", "records"), number(i.read)));
    }
    if !i.rejected_reasons.is_empty() {
        holes.push(format!("rejected: {}", reasons(&i.rejected_reasons)));
    }
    if !i.out_of_scope_reasons.is_empty() {
        notes.push(format!("left out on purpose: {}", reasons(&i.out_of_scope_reasons)));
    }
    if let Some(zone) = &i.naive_zone {
        let told = if i.naive_zone_assumed { &mut holes } else { &mut notes };
        told.push(format!(
            "times without a zone were read as {}{}",
            visible_cut(zone, 60),
            if i.naive_zone_assumed { ", which is assumed: no zone is configured for this input" } else { "" }
        ));
    }
    if let Some(snapshot) = &i.snapshot {
        notes.push(format!("snapshot of {}", words::date(snapshot)));
    }
    if !balanced(i) {
        holes.push("the records do not add up".to_owned());
    }
    let (folder, name) = i.path.rfind('/').map_or(("", i.path.as_str()), |at| i.path.split_at(at + 1));
    let (first, last) = i.first_at.as_deref().map_or((None, None), |first| {
        let (first, last) = clock.stretch(first, i.last_at.as_deref());
        (Some(first), last)
    });
    InputView {
        name: visible(name),
        folder: visible(folder),
        short: if digest.is_empty() { String::new() } else { format!("{kind} {}", visible_cut(&digest, 12)) },
        digest,
        size: words::bytes(i.bytes),
        mapping: visible_cut(&i.mapping, 80),
        recognised_by: spans(&visible(&i.recognised_by)),
        tables: i
            .tables
            .iter()
            .map(|(t, n)| format!("{} {}", visible_cut(t, 40), number(*n)))
            .collect::<Vec<_>>()
            .join(", "),
        read: number(i.read),
        accepted: number(i.accepted),
        out_of_scope: number(i.out_of_scope),
        merged: number(i.merged),
        duplicates: number(i.duplicates),
        rejected: number(i.rejected),
        balanced: balanced(i),
        first,
        last,
        columns: visible_cut(&i.reported_columns.join(", "), 1_000),
        ignored: visible_cut(&i.ignored_columns.join(", "), 1_000),
        notes,
        holes,
        hole: hole(i),
    }
}

/// Inputs that the page lists; of a trail of ten thousand files those with holes come first.
const LISTED: usize = 300;

/// Inputs in their order, and a line that tells how many of them these are.
pub(super) fn inputs(all: &[Input], clock: Clock) -> (Vec<InputView>, Option<String>) {
    let mut room = LISTED.saturating_sub(all.iter().filter(|i| hole(i)).count());
    let listed: Vec<InputView> = all
        .iter()
        .filter(|i| {
            let listed = hole(i) || room > 0;
            room -= usize::from(listed && !hole(i));
            listed
        })
        .take(LISTED)
        .map(|i| input(i, clock))
        .collect();
    let line = (listed.len() < all.len()).then(|| {
        format!(
            "{} of {}, those with holes among them; all are in assessment.json and manifest.json.",
            number(listed.len() as u64),
            count(all.len() as u64, "input", "inputs")
        )
    });
    (listed, line)
}

pub(super) fn inputs_total(inputs: &[Input]) -> InputTotal {
    let sum = |of: fn(&Input) -> u64| number(inputs.iter().map(of).sum());
    InputTotal {
        read: sum(|i| i.read),
        accepted: sum(|i| i.accepted),
        out_of_scope: sum(|i| i.out_of_scope),
        merged: sum(|i| i.merged),
        duplicates: sum(|i| i.duplicates),
        rejected: sum(|i| i.rejected),
    }
}

/// Which time one log covers.
#[derive(Serialize)]
pub(super) struct LogView {
    system: String,
    read_as: String,
    first: Option<When>,
    last: Option<When>,
    records: String,
    holes: Vec<(When, When)>,
    more: u64,
    missing: Vec<(When, When)>,
    says: String,
}

/// Logs that are listed; folders of many accounts have thousands.
const LOGS: usize = 100;

pub(super) fn logs(coverage: &[LogCoverage], clock: Clock) -> Vec<LogView> {
    coverage.iter().take(LOGS).map(|log| covered(log, clock)).collect()
}

fn covered(log: &LogCoverage, clock: Clock) -> LogView {
    let silent = |s: &Silence| (clock.when(&s.from), clock.when(&s.until));
    LogView {
        system: visible_cut(&log.system, 80),
        read_as: match log.mapping.as_str() {
            "" => "declared in the configuration".to_owned(),
            mapping => format!("{}, {}", visible_cut(mapping, 80), visible_cut(&log.about, 40)),
        },
        first: log.first_at.as_deref().map(|t| clock.when(t)),
        last: log.last_at.as_deref().map(|t| clock.when(t)),
        records: number(log.records),
        holes: log.holes.iter().map(silent).collect(),
        more: log.holes_omitted,
        missing: log.missing.iter().map(silent).collect(),
        says: match (log.basis.as_str(), log.decides) {
            ("extract", _) => "a table; what it does not hold may be known all the same".to_owned(),
            (_, true) => "what lies outside is not known".to_owned(),
            _ => "the configuration says otherwise".to_owned(),
        },
    }
}
