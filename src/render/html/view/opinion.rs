//! The first screen in sentences: how many controls hold, what should not have happened, what could not be concluded.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::check::Severity;
use crate::render::html::words::{self, Clock, count, number, visible, visible_cut};
use crate::report::model::{Assessment, CheckResult, Standing};

/// A stretch of a sentence, perhaps a link.
#[derive(Serialize)]
pub(super) struct Piece {
    pub(super) text: String,
    href: Option<String>,
}

pub(super) fn say(text: impl Into<String>) -> Piece {
    Piece { text: text.into(), href: None }
}

pub(super) fn link(text: impl Into<String>, href: impl Into<String>) -> Piece {
    Piece { text: text.into(), href: Some(href.into()) }
}

/// How many controls hold, with the reason where nothing could be concluded.
pub(super) fn headline(a: &Assessment) -> Vec<Piece> {
    let of = |s: Standing| a.controls.iter().filter(|c| c.verdict == s).count() as u64;
    let all = a.controls.len() as u64;
    let (fail, open, pass) = (of(Standing::Fail), of(Standing::CannotConclude), of(Standing::Pass));
    if all == 0 {
        return vec![say("Nothing was judged.")];
    }
    let verb = |n: u64, one: &'static str, many: &'static str| if n == 1 { one } else { many };
    let mut out = vec![link(
        match pass {
            0 if fail == all => format!("All {} fail", count(all, "control", "controls")),
            0 => format!("None of {} holds", count(all, "control", "controls")),
            n if n == all => format!("All {} hold", count(all, "control", "controls")),
            n => format!("{} of {} {}", number(n), count(all, "control", "controls"), verb(n, "holds", "hold")),
        },
        "#controls",
    )];
    if fail > 0 && fail < all {
        out.push(say(format!("; {} {}", number(fail), verb(fail, "fails", "fail"))));
    }
    if open > 0 {
        out.push(say(format!("; {} cannot be concluded", number(open))));
        let checks: Vec<&CheckResult> = a
            .controls
            .iter()
            .filter(|c| c.verdict == Standing::CannotConclude)
            .flat_map(|c| &c.checks)
            .filter_map(|id| a.checks.iter().find(|k| k.id == *id))
            .collect();
        if let Some(reason) = common_reason(&checks) {
            out.push(say(format!(" because {reason}")));
        } else if let Some(fact) = missing(&checks, 1).first() {
            out.push(say(format!(" for want of “{fact}”")));
        }
    }
    let none = all - fail - open - pass;
    if none > 0 {
        out.push(say(format!("; {} {} not apply", number(none), verb(none, "does", "do"))));
    }
    out.push(say("."));
    out
}

pub(super) fn opinion(a: &Assessment, clock: Clock) -> Vec<Vec<Piece>> {
    let mut sentences = Vec::new();
    let resets = a.population.resets;
    let when = clock.period(a.run.since.as_deref(), a.run.until.as_deref());
    let open: u64 = a.totals.values().map(|t| t.open).sum();
    let waived: u64 = a.totals.values().map(|t| t.waived).sum();
    let concerned: u64 = a.series.days.iter().map(|d| d.failed).sum();
    let counted: u64 = a.series.days.iter().map(|d| d.resets).sum();
    let left = a.checks.iter().find(|c| c.id == "reset-after-offboarding").map_or(0, |c| c.counts.failed);
    let mut first = Vec::new();
    if resets == 0 {
        first.push(say("No reset was found"));
        if !when.is_empty() {
            first.push(say(format!(" {when}")));
        }
        first.push(say(", so nothing could be said about how access was given back"));
        first.push(say(match a.population.credentials {
            0 => "; no credential inventory was supplied either.".to_owned(),
            n => format!(
                "; {} of the inventory {} judged.",
                count(n, "credential", "credentials"),
                if n == 1 { "was" } else { "were" }
            ),
        }));
    } else {
        first.push(say("Of "));
        first.push(link(count(resets, "reset", "resets"), "#read"));
        if !when.is_empty() {
            first.push(say(format!(" {when}")));
        }
        first.push(say(", "));
        if counted == resets && concerned == 0 {
            first.push(link("none has an open finding", "#findings"));
        } else if counted == resets {
            first.push(link(number(concerned), "#findings"));
            first.push(say(if concerned == 1 {
                " should not have happened as it did"
            } else {
                " should not have happened as they did"
            }));
        } else {
            first.push(say("the checks leave "));
            first.push(link(count(open, "open finding", "open findings"), "#findings"));
        }
        if left > 0 {
            first.push(say("; "));
            first.push(link(number(left), "#check-reset-after-offboarding"));
            first.push(say(if left == 1 {
                " gave access back to someone or something that had left."
            } else {
                " gave access back to people or workloads that had left."
            }));
        } else {
            first.push(say("."));
        }
    }
    sentences.push(first);

    let mut second = Vec::new();
    if open == 0 && waived == 0 {
        // Not examined is not passed.
        let judged = a.checks.iter().any(|c| c.counts.passed > 0);
        second.push(say(if judged { "No check found anything to report." } else { "No check could judge anything." }));
    } else {
        second.push(link(count(open, "finding is open", "findings are open"), "#findings"));
        let severe: Vec<(Severity, u64)> = [Severity::Critical, Severity::High]
            .into_iter()
            .map(|s| (s, a.totals.get(&s).map_or(0, |t| t.open)))
            .filter(|(_, n)| *n > 0)
            .collect();
        for (i, (s, n)) in severe.iter().enumerate() {
            second.push(say(if i == 0 { ", " } else { " and " }));
            second.push(link(
                format!("{} {}", number(*n), words::severity(*s)),
                format!("#findings-{}", words::severity(*s)),
            ));
        }
        if waived > 0 {
            second.push(say("; "));
            second.push(link(number(waived), "#waivers"));
            second.push(say(if waived == 1 {
                " more is accepted by a waiver."
            } else {
                " more are accepted by waivers."
            }));
        } else {
            second.push(say("."));
        }
    }
    sentences.push(second);
    sentences.push(inconclusive(a));
    sentences
}

/// Why most of these checks judge nothing at all, where that is one reason for at least half of them: an input that is not
/// there explains more than a fact that is unknown.
fn common_reason(checks: &[&CheckResult]) -> Option<String> {
    let mut said: BTreeMap<&str, usize> = BTreeMap::new();
    for reason in checks.iter().filter_map(|check| check.inconclusive.as_deref()) {
        *said.entry(reason).or_default() += 1;
    }
    let (reason, times) = said.into_iter().max_by_key(|(reason, times)| (*times, std::cmp::Reverse(*reason)))?;
    (times * 2 >= checks.len()).then(|| visible_cut(reason.trim_end_matches('.'), 160))
}

/// The facts that most of these checks want, at most `most` of them.
pub(super) fn missing(checks: &[&CheckResult], most: usize) -> Vec<String> {
    let mut wanted: BTreeMap<&str, u64> = BTreeMap::new();
    for check in checks {
        for fact in check.indeterminate_because.keys() {
            *wanted.entry(fact).or_default() += 1;
        }
    }
    let mut order: Vec<(&str, u64)> = wanted.into_iter().collect();
    order.sort_by_key(|(fact, n)| (std::cmp::Reverse(*n), *fact));
    order.into_iter().take(most).map(|(fact, _)| words::fact_name(fact)).collect()
}

/// What could not be concluded: whole checks first, else the check with the most open subjects.
pub(super) fn inconclusive(a: &Assessment) -> Vec<Piece> {
    let mut out = Vec::new();
    let silent: Vec<&CheckResult> = a.checks.iter().filter(|c| c.verdict == Standing::CannotConclude).collect();
    if let Some(first) = silent.first() {
        out.push(link(
            format!("{} of {}", number(silent.len() as u64), count(a.checks.len() as u64, "check", "checks")),
            "#controls",
        ));
        out.push(say(" cannot conclude"));
        if let Some(reason) = common_reason(&silent) {
            out.push(say(format!(", most because {reason}.")));
            return out;
        }
        let wanted = missing(&silent, 3);
        match (wanted.is_empty(), first.inconclusive.as_deref()) {
            (false, _) => out.push(say(format!(", most for want of: {}", words::list(&wanted)))),
            (true, Some(reason)) => out.push(say(format!(": {}", visible_cut(reason.trim_end_matches('.'), 160)))),
            (true, None) => {
                out.push(say(", first of them "));
                out.push(link(visible(&first.title), format!("#check-{}", words::anchor(&first.id))));
            }
        }
        out.push(say("."));
    } else if let Some(most) =
        a.checks.iter().filter(|c| c.counts.indeterminate > 0).fold(None, |best: Option<&CheckResult>, c| match best {
            Some(b) if b.counts.indeterminate >= c.counts.indeterminate => Some(b),
            _ => Some(c),
        })
    {
        out.push(say("What the data says least about is "));
        out.push(link(format!("“{}”", visible(&most.title)), format!("#check-{}", words::anchor(&most.id))));
        out.push(say(format!(
            ": {} of {} cannot be judged.",
            number(most.counts.indeterminate),
            count(most.counts.population.saturating_sub(most.counts.not_applicable), "case", "cases")
        )));
    } else if !a.checks.is_empty() {
        out.push(say("The data was enough to judge every case that a check applies to."));
    }
    out
}
