//! What a run prints: the assessment in one screen, read from the same model as every other output.

use std::fmt::Write as _;
use std::path::Path;

use chrono_tz::Tz;

use super::layout::{WIDTH, columns, count, number, shown, tail, wrapped};
use crate::check::Severity;
use crate::render::html::words::percent;
use crate::report::model::{Assessment, CheckResult, Counts, Input, Standing};
use crate::time;

/// Files of the inputs table; the rest is in the report.
const INPUTS: usize = 12;
/// Files that nobody recognised.
const SKIPPED: usize = 10;
/// Missing facts named for one check.
const MISSING: usize = 3;
/// Checks that fail.
const FAILING: usize = 10;
/// Identities that need action first.
const CONCERNED: usize = 5;
/// Entries of data quality.
const HOLES: usize = 10;

/// The whole summary, what matters most first; `place` is what to open.
pub fn full(a: &Assessment, place: &Path) -> String {
    let mut out = header(a);
    controls(&mut out, a);
    concerned_first(&mut out, a);
    findings(&mut out, a);
    inconclusive(&mut out, a);
    holes(&mut out, a);
    judged(&mut out, a);
    inputs(&mut out, a);
    let _ = write!(out, "\nReport: {}\n", shown(&place.to_string_lossy()));
    out
}

/// One line for pipelines.
pub fn line(a: &Assessment, place: &Path) -> String {
    let open = |severity: &Severity| a.totals.get(severity).map_or(0, |total| total.open);
    let by: Vec<String> =
        Severity::ALL.iter().map(|severity| format!("{} {severity}", number(open(severity)))).collect();
    let waived: u64 = a.totals.values().map(|total| total.waived).sum();
    let undecided = a.checks.iter().filter(|check| check.verdict == Standing::CannotConclude).count() as u64;
    format!(
        "open: {}; accepted: {}; cannot conclude: {}; rejected: {}; report: {}\n",
        by.join(", "),
        number(waived),
        count(undecided, "check", "checks"),
        count(a.inputs.iter().map(|input| input.rejected).sum(), "record", "records"),
        shown(&place.to_string_lossy())
    )
}

/// How a standing reads, with the sign that stands for it everywhere.
fn verdict(standing: Standing) -> (&'static str, &'static str) {
    match standing {
        Standing::Fail => ("✕", "fails"),
        Standing::CannotConclude => ("?", "cannot conclude"),
        Standing::Pass => ("✓", "holds"),
        Standing::NotApplicable => ("–", "does not apply"),
    }
}

fn header(a: &Assessment) -> String {
    let zone: Option<Tz> = a.run.timezone.as_deref().and_then(|name| name.parse().ok());
    let boundary = |text: &String| boundary(text, zone.unwrap_or(Tz::UTC));
    let period = match (a.run.since.as_ref().map(boundary), a.run.until.as_ref().map(boundary)) {
        (Some(since), Some(until)) => format!("{since} up to, not including, {until}"),
        (Some(since), None) => format!("from {since}"),
        (None, Some(until)) => format!("before {until}"),
        (None, None) => "all resets in the data".to_owned(),
    };
    let zone = a.run.timezone.as_deref().unwrap_or("UTC, for want of a configured zone");
    let mut rows = vec![
        vec!["period".to_owned(), shown(&format!("{period} ({zone})"))],
        vec!["as of".to_owned(), shown(&format!("{} (from: {})", a.run.as_of, a.run.as_of_source))],
    ];
    if let Some(only) = &a.limited_to {
        rows.push(vec!["only".to_owned(), shown(only)]);
    }
    let title = a.run.title.as_deref().unwrap_or("Audit of credential resets");
    format!("{}{}", wrapped(&shown(title), 0), columns(&rows, 2))
}

/// A date where it is a midnight of the organisation's zone, as most boundaries are.
fn boundary(text: &str, zone: Tz) -> String {
    let at = time::parse_instant(text.as_bytes()).map(|instant| instant.in_zone(zone));
    match at.map(|us| time::local_parts(us, zone)) {
        Some(local) if local.micros_of_day == 0 => local.date.to_string(),
        _ => text.to_owned(),
    }
}

fn inputs(out: &mut String, a: &Assessment) {
    out.push('\n');
    const NUMBERS: usize = 4;
    let numbers = |i: &Input| [i.read, i.accepted, i.out_of_scope + i.merged + i.duplicates, i.rejected];
    let mut total = [0; NUMBERS];
    for input in &a.inputs {
        for (sum, n) in total.iter_mut().zip(numbers(input)) {
            *sum += n;
        }
    }
    let heads = ["read", "accepted", "aside", "rejected"];
    let widths: Vec<usize> = heads.iter().zip(total).map(|(head, sum)| head.len().max(number(sum).len())).collect();
    let by = |input: &Input| match input.mapping.as_str() {
        "canonical" => shown(&format!("canonical {}", input.table)),
        other => shown(other),
    };
    let listed = a.inputs.iter().take(INPUTS);
    let mapping = listed.clone().map(|i| by(i).chars().count()).max().unwrap_or(0).clamp(7, 24);
    let rest = 2 + mapping + 2 + widths.iter().map(|w| w + 2).sum::<usize>();
    let room = WIDTH.saturating_sub(rest).max(12);
    let width = listed.clone().map(|i| shown(&i.path).chars().count()).max().unwrap_or(0).clamp(8, room);
    let mut row = |path: &str, by: &str, cells: Vec<String>| {
        let mut line = format!("  {:<width$}  {:<mapping$}", tail(path, width), tail(by, mapping));
        for (cell, width) in cells.iter().zip(&widths) {
            let _ = write!(line, "  {cell:>width$}");
        }
        let _ = writeln!(out, "{}", line.trim_end());
    };
    row("", "read as", heads.map(str::to_owned).to_vec());
    for input in listed {
        row(&shown(&input.path), &by(input), numbers(input).map(number).to_vec());
    }
    if a.inputs.len() > 1 {
        row("all", "", total.map(number).to_vec());
    }
    if let Some(more) = a.inputs.len().checked_sub(INPUTS).filter(|more| *more > 0) {
        let _ = writeln!(out, "  … and {}", count(more as u64, "more file", "more files"));
    }
    if total[2] > 0 {
        let (scope, merged, twice) =
            a.inputs.iter().fold((0, 0, 0), |(s, m, d), i| (s + i.out_of_scope, m + i.merged, d + i.duplicates));
        let text = format!(
            "Aside: {} out of scope, {} merged into another, {}.",
            number(scope),
            number(merged),
            count(twice, "duplicate", "duplicates")
        );
        out.push_str(&wrapped(&text, 2));
    }
    let rejecting: Vec<&Input> = a.inputs.iter().filter(|input| input.rejected > 0).collect();
    if !rejecting.is_empty() {
        let _ = write!(out, "\nRejected (every record is in rejected.csv)\n");
        for input in rejecting.iter().take(SKIPPED) {
            let reasons: Vec<String> =
                input.rejected_reasons.iter().map(|(reason, n)| format!("{} {reason}", number(*n))).collect();
            out.push_str(&wrapped(&shown(&format!("{}: {}", input.path, reasons.join(", "))), 2));
        }
        omitted(out, rejecting.len(), SKIPPED);
    }
    if !a.skipped.is_empty() {
        let _ = write!(out, "\nNot read\n");
        for skipped in a.skipped.iter().take(SKIPPED) {
            out.push_str(&wrapped(&shown(&format!("{}: {}", skipped.path, skipped.reason)), 2));
        }
        omitted(out, a.skipped.len(), SKIPPED);
    }
}

fn omitted(out: &mut String, all: usize, listed: usize) {
    if all > listed {
        let _ = writeln!(out, "  … and {} more", number((all - listed) as u64));
    }
}

fn judged(out: &mut String, a: &Assessment) {
    let p = &a.population;
    let known = [
        count(p.people, "person", "people"),
        count(p.workloads, "workload", "workloads"),
        count(p.accounts, "account", "accounts"),
        count(p.tickets, "ticket", "tickets"),
    ];
    let actions: Vec<String> =
        p.resets_by_action.iter().map(|(action, n)| format!("{} {action}", number(*n))).collect();
    let actions = if actions.is_empty() { String::new() } else { format!(" ({})", actions.join(", ")) };
    let text = format!(
        "Judged: {}{actions} and {}, from {}, with {}.",
        count(p.resets, "reset", "resets"),
        count(p.credentials, "credential", "credentials"),
        count(p.events, "event", "events"),
        known.join(", ")
    );
    out.push('\n');
    out.push_str(&wrapped(&shown(&text), 0));
}

fn controls(out: &mut String, a: &Assessment) {
    let of = |standing: Standing| a.controls.iter().filter(|c| c.verdict == standing).count() as u64;
    let (hold, all) = (of(Standing::Pass), a.controls.len() as u64);
    let mut said = vec![format!(
        "{} of {} {}",
        number(hold),
        count(all, "control", "controls"),
        if hold == 1 { "holds" } else { "hold" }
    )];
    for (standing, one, many) in [
        (Standing::Fail, "fails", "fail"),
        (Standing::CannotConclude, "cannot be concluded", "cannot be concluded"),
        (Standing::NotApplicable, "does not apply", "do not apply"),
    ] {
        let n = of(standing);
        if n > 0 {
            said.push(format!("{} {}", number(n), if n == 1 { one } else { many }));
        }
    }
    let _ = write!(out, "\n{}\n", said.join("; "));
    for control in &a.controls {
        let (sign, word) = verdict(control.verdict);
        let rate = control.deviation_rate.map_or_else(|| "–".to_owned(), percent);
        let _ = writeln!(out, "  {sign} {rate:>7}  {}", shown(&control.title));
        out.push_str(&wrapped(&format!("{word}: {}", divided(&control.counts, control.verdict)), 13));
    }
}

/// The identities that need action first, each with what happened and what to do.
fn concerned_first(out: &mut String, a: &Assessment) {
    if a.identities_concerned == 0 {
        return;
    }
    let told = a.identities.iter().filter(|story| !story.open.is_empty()).take(CONCERNED);
    let _ = write!(out, "\nWhat needs action first\n");
    for story in told.clone() {
        let name = if story.name.is_empty() { &story.identity } else { &story.name };
        let open: Vec<String> = story
            .open
            .iter()
            .filter(|(_, n)| **n > 0)
            .map(|(severity, n)| format!("{} {severity}", number(*n)))
            .collect();
        let title = format!("{} ({}): {}", cut(&shown(name), 40), shown(&story.kind), open.join(", "));
        out.push_str(&wrapped(&title, 2));
        out.push_str(&wrapped(&cut(&shown(&story.story), 200), 4));
        out.push_str(&wrapped(&format!("→ {}", shown(&story.next_step)), 4));
    }
    omitted(out, usize::try_from(a.identities_concerned).unwrap_or(usize::MAX), told.count());
}

/// At most `longest` characters, `…` for what is gone: names have no limit where they come from.
fn cut(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    text.chars().take(longest.saturating_sub(1)).chain(['…']).collect()
}

/// The population in words, always in the same order. The first part carries the population, and leaves out the word
/// that the verdict before it has just said.
fn divided(c: &Counts, verdict: Standing) -> String {
    if c.population == 0 {
        return "nothing was there to judge".to_owned();
    }
    let concerned = concerned(c);
    if concerned == 0 {
        return format!("applies to none of {}", number(c.population));
    }
    let verb = |n: u64, one: &'static str, many: &'static str| if n == 1 { one } else { many };
    let parts = [
        (c.failed, verb(c.failed, "fails", "fail"), Some(Standing::Fail)),
        (c.waived, "accepted", None),
        (c.indeterminate, "cannot be judged", Some(Standing::CannotConclude)),
        (c.passed, verb(c.passed, "holds", "hold"), Some(Standing::Pass)),
    ];
    let mut text = String::new();
    for (n, word, said) in parts.into_iter().filter(|part| part.0 > 0) {
        if !text.is_empty() {
            let _ = write!(text, ", {} {word}", number(n));
            continue;
        }
        let _ = write!(text, "{} of {}", number(n), number(concerned));
        if said != Some(verdict) {
            let _ = write!(text, " {word}");
        }
    }
    match c.not_applicable {
        0 => text,
        n => format!("{text}; {} not concerned", number(n)),
    }
}

fn findings(out: &mut String, a: &Assessment) {
    let (mut open, mut waived) = (Vec::new(), 0);
    for severity in Severity::ALL {
        let total = a.totals.get(&severity).copied().unwrap_or_default();
        open.push(format!("{} {severity}", number(total.open)));
        waived += total.waived;
    }
    let _ = write!(out, "\nFindings\n");
    out.push_str(&wrapped(&format!("open: {}; accepted: {}", open.join(", "), number(waived)), 2));
    let mut failing: Vec<&CheckResult> = a.checks.iter().filter(|check| check.counts.failed > 0).collect();
    failing.sort_by_key(|check| (check.severity, std::cmp::Reverse(check.counts.failed)));
    if failing.is_empty() {
        return;
    }
    let _ = write!(out, "\nChecks that fail\n");
    let rows: Vec<Vec<String>> = failing
        .iter()
        .take(FAILING)
        .map(|check| {
            let severity = check.severity.map_or("", |severity| severity.as_str());
            let of = format!("{} of {}", number(check.counts.failed), number(concerned(&check.counts)));
            vec![shown(&check.id), severity.to_owned(), of]
        })
        .collect();
    out.push_str(&columns(&rows, 2));
    omitted(out, failing.len(), FAILING);
}

fn concerned(c: &Counts) -> u64 {
    c.population.saturating_sub(c.not_applicable)
}

fn inconclusive(out: &mut String, a: &Assessment) {
    let open: Vec<&CheckResult> = a.checks.iter().filter(|check| check.verdict == Standing::CannotConclude).collect();
    if open.is_empty() {
        return;
    }
    let _ = write!(out, "\nChecks that cannot conclude, and for want of what\n");
    // Without any event every check of resets has one and the same reason, which is said once.
    let mut by_reason: Vec<(String, Vec<&CheckResult>)> = Vec::new();
    for check in open {
        let why = why(check);
        match by_reason.iter_mut().find(|(reason, _)| *reason == why && check.counts.population == 0) {
            Some((_, checks)) => checks.push(check),
            None => by_reason.push((why, vec![check])),
        }
    }
    let rows: Vec<Vec<String>> = by_reason
        .iter()
        .map(|(why, checks)| {
            let who = match checks.as_slice() {
                [one] => one.id.clone(),
                // All that are about one kind of subject: there is none of it.
                [first, ..] => format!("all {} checks of {}s", checks.len(), first.subject),
                [] => String::new(),
            };
            vec![shown(&who), shown(why)]
        })
        .collect();
    out.push_str(&columns(&rows, 2));
}

fn why(check: &CheckResult) -> String {
    let mut missing: Vec<(&String, u64)> = check.indeterminate_because.iter().map(|(fact, n)| (fact, *n)).collect();
    missing.sort_by_key(|(fact, n)| (std::cmp::Reverse(*n), *fact));
    let facts: Vec<String> = missing.iter().take(MISSING).map(|(fact, n)| format!("{fact} ({})", number(*n))).collect();
    match (&check.inconclusive, facts.is_empty()) {
        (Some(words), true) => words.clone(),
        (None, true) => format!("{} of {}", number(check.counts.indeterminate), number(concerned(&check.counts))),
        (_, false) => {
            let of = (number(check.counts.indeterminate), number(concerned(&check.counts)));
            format!("{} of {}: {}", of.0, of.1, facts.join(", "))
        }
    }
}

fn holes(out: &mut String, a: &Assessment) {
    if a.data_quality.is_empty() {
        return;
    }
    let _ = write!(out, "\nWhat weakens these conclusions\n");
    let widest = a.data_quality.iter().take(HOLES).map(|hole| number(hole.count).len()).max().unwrap_or(0);
    let rows: Vec<Vec<String>> = a
        .data_quality
        .iter()
        .take(HOLES)
        .map(|hole| vec![format!("{:>widest$}", number(hole.count)), shown(&hole.title)])
        .collect();
    out.push_str(&columns(&rows, 2));
    omitted(out, a.data_quality.len(), HOLES);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::model::{ControlResult, Total};

    fn counts(population: u64, not_applicable: u64, failed: u64, waived: u64, indeterminate: u64) -> Counts {
        let passed = population - not_applicable - failed - waived - indeterminate;
        Counts { population, not_applicable, passed, failed, waived, indeterminate }
    }

    #[test]
    fn populations_read_as_sentences() {
        let fails = |c: Counts| divided(&c, Standing::Fail);
        assert_eq!(fails(counts(3_018, 0, 37, 4, 120)), "37 of 3,018, 4 accepted, 120 cannot be judged, 2,857 hold");
        assert_eq!(fails(counts(3, 1, 1, 0, 0)), "1 of 2, 1 holds; 1 not concerned");
        assert_eq!(fails(counts(3, 0, 0, 2, 0)), "2 of 3 accepted, 1 holds");
        assert_eq!(divided(&counts(9, 0, 0, 0, 9), Standing::CannotConclude), "9 of 9");
        assert_eq!(divided(&counts(9, 0, 0, 0, 0), Standing::CannotConclude), "9 of 9 hold");
        assert_eq!(divided(&counts(5, 5, 0, 0, 0), Standing::NotApplicable), "applies to none of 5");
        assert_eq!(divided(&Counts::default(), Standing::CannotConclude), "nothing was there to judge");
    }

    #[test]
    fn a_reason_that_many_checks_have_is_said_once() {
        let check = |id: &str, subject: &str, why: &str| CheckResult {
            id: id.to_owned(),
            subject: subject.to_owned(),
            verdict: Standing::CannotConclude,
            inconclusive: Some(why.to_owned()),
            ..CheckResult::default()
        };
        let checks =
            vec![check("a", "reset", "no event"), check("b", "credential", "no key"), check("c", "reset", "no event")];
        let a = Assessment { checks, ..Assessment::default() };
        let mut text = String::new();
        inconclusive(&mut text, &a);
        assert_eq!(text.matches("no event").count(), 1, "{text}");
        assert!(text.contains("all 2 checks of resets  no event") && text.contains("b "), "{text}");
    }

    #[test]
    fn the_summary_fits_and_steers_nothing() {
        let mut a = Assessment::default();
        a.run.title = Some("Audit \u{1b}[31m of\u{202e} resets".to_owned());
        a.run.since = Some("2026-06-30T23:00:00Z".to_owned());
        a.run.timezone = Some("Europe/London".to_owned());
        for n in 0..25 {
            a.inputs.push(Input {
                path: format!("{}山田\u{1b}]0;x\u{7}{n}.json.gz", "deep/".repeat(30)),
                mapping: "aws-credential-report".to_owned(),
                read: 12_345_678,
                accepted: 12_345_678,
                ..Input::default()
            });
        }
        a.controls.push(ControlResult {
            title: "It holds".to_owned(),
            counts: counts(2, 0, 1, 0, 0),
            ..Default::default()
        });
        a.totals.insert(Severity::High, Total { open: 1, waived: 0 });
        let text = full(&a, Path::new("regrant-report/index.html"));
        for line in text.lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
            assert!(!line.chars().any(|c| c.is_control() || c == '\u{202e}'), "{line:?}");
        }
        assert!(text.contains("from 2026-07-01 (Europe/London)"), "{text}");
        assert!(text.contains("… and 13 more files"), "{text}");
        assert_eq!(line(&a, Path::new("r")).lines().count(), 1);
    }
}
