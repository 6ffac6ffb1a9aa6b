//! What the report says of the time that logs cover: their periods and holes, what could not be concluded for want of them,
//! and what looks cut off or told twice.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{CheckResult, DataQuality, LogCoverage, Silence};
use crate::fact::coverage::{self, Basis, Lack, Log, Short};
use crate::run::Work;
use crate::table::Table;
use crate::time::{self, DAY, SECOND};

/// Holes of one log that are listed.
const HOLES: usize = 20;
/// Logs that a sentence names.
const NAMED: usize = 3;
/// Examples of one entry.
const EXAMPLES: usize = 5;
/// The least that exporters cut at; below it round numbers are everyday.
const LEAST_CUT: u64 = 1000;

/// What every log covers.
pub fn logs(work: &Work<'_>) -> Vec<LogCoverage> {
    let one = |log: &Log| LogCoverage {
        system: log.system.clone(),
        mapping: log.mapping.clone(),
        basis: log.basis.as_str().to_owned(),
        about: if log.sign_ins_only() { "sign-ins" } else { "events" }.to_owned(),
        first_at: log.begins().map(time::format_instant),
        last_at: Some(time::format_instant(log.ends())),
        records: log.seen,
        files: log.files,
        holes: log.holes.iter().take(HOLES).map(silence).collect(),
        holes_omitted: log.holes.len().saturating_sub(HOLES) as u64,
        missing: log.missing.iter().map(silence).collect(),
        decides: log.basis != Basis::Extract && !log.overruled,
    };
    work.world.coverage.logs.iter().map(one).collect()
}

fn silence(hole: &crate::hours::Hole) -> Silence {
    Silence { from: time::format_instant(hole.from), until: time::format_instant(hole.until) }
}

/// How many of a check's subjects could not be judged because a log does not reach as far as it looks.
pub fn uncovered(work: &Work<'_>, check: usize) -> u64 {
    work.judged.short[check].values().sum()
}

/// Why, in words, the most frequent first; empty where it is not the logs.
pub fn because(work: &Work<'_>, check: usize) -> String {
    let mut counts: Vec<(&Short, &u64)> = work.judged.short[check].iter().collect();
    counts.sort_by_key(|(short, n)| (std::cmp::Reverse(**n), **short));
    let said = counts.iter().take(NAMED).map(|(short, n)| told(work, short, **n));
    said.map(|said| format!("; {said}")).collect()
}

fn told(work: &Work<'_>, short: &Short, n: u64) -> String {
    let log = &work.world.coverage.logs[short.log];
    let name = name(log);
    match short.lack {
        Lack::Before => format!("for {n} the check looks to before {name} begins, {}", when(log.begins())),
        Lack::After => format!("for {n} it looks to after {name} ends, {}", when(Some(log.ends()))),
        Lack::Hole => format!("for {n} it looks into a hole of {name}"),
    }
}

fn name(log: &Log) -> String {
    let what = if log.sign_ins_only() { "the sign-ins" } else { "the log" };
    match (log.basis, log.mapping.as_str()) {
        (Basis::Declared, _) => format!("the declared coverage of {}", log.system),
        (Basis::Extract, _) => format!("what the tables hold of {}", log.system),
        (Basis::Records, mapping) => format!("{what} of {} ({mapping})", log.system),
    }
}

fn when(at: Option<i64>) -> String {
    at.map_or("ever".to_owned(), |at| time::format_instant(at - at.rem_euclid(SECOND)))
}

fn between(from: i64, until: i64) -> String {
    format!("{} to {}", when(Some(from)), when(Some(until)))
}

/// Entries of data quality about logs, for the checks that look around a reset.
pub fn quality(work: &Work<'_>, checks: &[CheckResult]) -> Vec<DataQuality> {
    let (world, inputs) = (work.world, &work.world.settled.inputs);
    let mut out = Vec::new();
    let mut add = |kind: &str, title: String, count: u64, examples: Vec<String>, weakens: Vec<String>| {
        if count > 0 {
            let examples = examples.into_iter().take(EXAMPLES).collect();
            out.push(DataQuality { kind: kind.to_owned(), title, count, examples, weakens });
        }
    };
    let looks = |check: &&crate::check::catalogue::Check| {
        check.fails.names().iter().any(|fact| coverage::looks(fact, world.policy).is_some())
    };
    let around: Vec<String> = work.catalogue.checks.iter().filter(looks).map(|check| check.id.clone()).collect();
    for log in world.coverage.logs.iter().filter(|log| !log.missing.is_empty()) {
        let examples = log.missing.iter().map(|hole| between(hole.from, hole.until)).collect();
        let title = format!("{} does not cover the whole period", name(log));
        add("period-not-covered", title, log.missing.len() as u64, examples, around.clone());
    }
    for log in world.coverage.logs.iter().filter(|log| !log.holes.is_empty()) {
        let examples = log.holes.iter().map(|hole| between(hole.from, hole.until)).collect();
        let title = format!("{} is silent for longer than its own rhythm allows", name(log));
        add("log-hole", title, log.holes.len() as u64, examples, around.clone());
    }
    let sum = |counts: &[BTreeMap<Short, u64>]| {
        let mut by_log: BTreeMap<Short, u64> = BTreeMap::new();
        for (short, n) in counts.iter().flatten() {
            *by_log.entry(*short).or_default() += n;
        }
        by_log
    };
    let concerned = |counts: &[BTreeMap<Short, u64>]| -> Vec<String> {
        checks.iter().zip(counts).filter(|(_, counts)| !counts.is_empty()).map(|(check, _)| check.id.clone()).collect()
    };
    let short = &work.judged.short;
    let examples = sum(short).iter().map(|(short, n)| told(work, short, *n)).collect();
    let title = "verdicts that cannot be given because a log does not reach as far as the check looks".to_owned();
    add("log-too-short", title, sum(short).values().sum(), examples, concerned(short));
    for (check, beyond) in checks.iter().zip(&work.judged.beyond) {
        let n: u64 = beyond.values().sum();
        let title = format!(
            "of {} that {} passes, {n} rest on a time around the reset that the tables do not span; if they were cut there, the pass \
             says nothing: `[[coverage]]` in the config says what they are about",
            check.counts.passed, check.id
        );
        let examples = beyond.iter().map(|(short, n)| told(work, short, *n)).collect();
        add("pass-beyond-log", title, n, examples, vec![check.id.clone()]);
    }
    let (settled, events) = (world.settled, &world.settled.events);
    let place = |row: u32| {
        let input = &settled.inputs[events.file(row as usize) as usize];
        format!("{}:{}", input.path, events.record(row as usize))
    };
    let pairs = settled.told_twice.iter();
    let told: Vec<String> = pairs.map(|(stands, goes)| format!("{} and {}", place(*stands), place(*goes))).collect();
    let title = "acts that two feeds tell, or one in two renderings; each is one event, and the feed that is repeated says what is so";
    add("told-twice", title.to_owned(), told.len() as u64, told, Vec::new());
    let round: Vec<String> = inputs
        .iter()
        .filter(|input| looks_cut(input.read))
        .map(|i| format!("{}: {} records", i.path, i.read))
        .collect();
    let title = "files with exactly as many records as exporters stop at; perhaps they were cut off".to_owned();
    add("round-number", title, round.len() as u64, round, Vec::new());
    let twice: Vec<String> = inputs
        .iter()
        .filter(|input| input.duplicates > 0 && input.reports.contains_key(&Table::Event))
        .map(|input| format!("{}: {} of {} records", input.path, input.duplicates, input.read))
        .collect();
    let title =
        "records of logs that stand somewhere else as well, as where exports overlap; each counts once".to_owned();
    let logged = inputs.iter().filter(|input| input.reports.contains_key(&Table::Event));
    add("duplicate-records", title, logged.map(|input| input.duplicates).sum(), twice, Vec::new());
    out
}

/// 1,000, 2,000, 5,000, 10,000, 25,000 …: a number at which an export may have stopped.
fn looks_cut(records: u64) -> bool {
    let mut leading = records;
    while leading > 0 && leading.is_multiple_of(10) {
        leading /= 10;
    }
    records >= LEAST_CUT && matches!(leading, 1 | 2 | 5 | 15 | 25)
}

/// Which further time of which log would let checks conclude, one line a log.
pub fn wanted(work: &Work<'_>) -> Vec<String> {
    let mut by_log: BTreeMap<usize, BTreeSet<Lack>> = BTreeMap::new();
    // How far the checks that could not conclude look before and after.
    let mut reach: BTreeMap<usize, (i64, i64)> = BTreeMap::new();
    for (check, shorts) in work.catalogue.checks.iter().zip(&work.judged.short) {
        let widths = check.fails.names().iter().filter_map(|fact| coverage::looks(fact, work.world.policy));
        let width = widths.fold((0, 0), |a, b| (a.0.max(b.0), a.1.max(b.1)));
        for short in shorts.keys() {
            by_log.entry(short.log).or_default().insert(short.lack);
            let reach = reach.entry(short.log).or_default();
            *reach = (reach.0.max(width.0), reach.1.max(width.1));
        }
    }
    let line = |(log, lacks): (usize, BTreeSet<Lack>)| {
        let (before, after) = reach.get(&log).copied().unwrap_or_default();
        let log = &work.world.coverage.logs[log];
        let source = work.sources.iter().find(|source| source.id == log.mapping);
        let title = source.map_or_else(|| log.system.clone(), |source| format!("{} of {}", source.title, log.system));
        let day = |at: i64| time::format_instant(at).chars().take(10).collect::<String>();
        let mut parts = Vec::new();
        if let (true, Some(first)) = (lacks.contains(&Lack::Before), log.begins()) {
            parts.push(format!(
                "from {} on (it begins {})",
                day(first.saturating_sub(before + DAY)),
                when(Some(first))
            ));
        }
        if lacks.contains(&Lack::After) {
            let last = log.ends();
            parts.push(format!("until {} (it ends {})", day(last.saturating_add(after + DAY)), when(Some(last))));
        }
        if lacks.contains(&Lack::Hole) {
            let holes: Vec<String> = log.holes.iter().take(NAMED).map(|hole| between(hole.from, hole.until)).collect();
            parts.push(format!("with what is missing: {}", holes.join(", ")));
        }
        format!("{title}: export it {}", parts.join(", "))
    };
    let mut lines: Vec<String> = by_log.into_iter().map(line).collect();
    if !lines.is_empty() {
        lines.push(
            "or judge only resets further inside the logs, with --since and --until; or, where a log is known to be complete for \
             longer than its records show, say so under [[coverage]] in regrant.toml"
                .to_owned(),
        );
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_stop_at_round_numbers() {
        for cut in [1_000, 2_000, 5_000, 10_000, 15_000, 25_000, 50_000, 100_000, 250_000, 1_000_000] {
            assert!(looks_cut(cut), "{cut}");
        }
        for other in [0, 1, 10, 100, 500, 999, 1_001, 3_000, 4_999, 10_001, 12_000, 1_100] {
            assert!(!looks_cut(other), "{other}");
        }
    }
}
