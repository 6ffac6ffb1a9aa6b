//! What changed since an earlier report, as the page shows it under its opinion.

use serde::Serialize;

use super::words::{Clock, When, count, number, visible, visible_cut};
use crate::check::Severity;
use crate::render::changes::{summary, words};
use crate::report::model::{Baseline, Cause, Change, ChangeKind, Changes};

/// Changes of one kind that the page lists; the rest is in `changes.csv`.
const LISTED: usize = 25;
/// Rules that the page lists.
const RULES: usize = 50;

#[derive(Serialize)]
pub(super) struct Block {
    since: When,
    lines: Vec<String>,
    groups: Vec<Group>,
    rules: Vec<Rule>,
    rules_title: String,
}

#[derive(Serialize)]
struct Group {
    title: String,
    items: Vec<Item>,
    more: Option<String>,
}

#[derive(Serialize)]
struct Item {
    because: String,
    severity: &'static str,
    check: String,
    why: String,
    cause: Option<&'static str>,
    id: String,
}

#[derive(Serialize)]
struct Rule {
    what: String,
    was: String,
    is: String,
}

/// The lines on debt.
#[derive(Serialize)]
pub(super) struct Debt {
    since: When,
    lines: Vec<String>,
}

pub(super) fn block(changes: &Changes, clock: Clock) -> Block {
    let groups = ChangeKind::ALL.into_iter().filter_map(|kind| {
        let of: Vec<&Change> = changes.findings.iter().filter(|change| change.kind == kind).collect();
        let (one, many) = words(kind);
        (!of.is_empty()).then(|| Group {
            title: count(of.len() as u64, one, many),
            items: of.iter().take(LISTED).map(|change| item(change)).collect(),
            more: (of.len() > LISTED).then(|| number((of.len() - LISTED) as u64)),
        })
    });
    let side = |text: &Option<String>| text.as_deref().map_or_else(|| "not there".to_owned(), visible);
    Block {
        since: clock.when(&changes.previous.as_of),
        lines: summary(changes).iter().map(|line| visible(line)).collect(),
        groups: groups.collect(),
        rules: changes
            .rules
            .iter()
            .take(RULES)
            .map(|rule| Rule {
                what: visible(&format!("{} {}", rule.kind, rule.id)),
                was: side(&rule.was),
                is: side(&rule.is),
            })
            .collect(),
        rules_title: count(changes.rules.len() as u64, "rule is not as it was", "rules are not as they were"),
    }
}

fn item(change: &Change) -> Item {
    Item {
        because: visible(&change.because),
        severity: change.severity.as_str(),
        check: visible_cut(&change.check, 80),
        why: visible(&change.why),
        cause: match change.cause {
            Cause::World => None,
            Cause::Rules => Some("due to the rules"),
            Cause::NotKnown => Some("whether due to the rules is not known"),
        },
        id: visible_cut(&change.finding_id, 32),
    }
}

pub(super) fn debt(baseline: &Baseline, clock: Clock) -> Debt {
    let sum = |counts: &std::collections::BTreeMap<Severity, u64>| counts.values().sum::<u64>();
    let mut lines = vec![format!(
        "{} known and still open, {} new, {} gone since.",
        count(sum(&baseline.known), "finding is", "findings are"),
        number(sum(&baseline.new)),
        number(baseline.gone)
    )];
    if let (Some(oldest), Some(age)) = (&baseline.oldest, baseline.median_age_days) {
        let days = crate::time::format_duration_days(age);
        lines.push(format!("The oldest is known since {}; half of them for {days} or longer.", clock.day(oldest)));
    }
    if baseline.left_out > 0 {
        let n = count(
            baseline.left_out,
            "finding that a waiver accepted there is",
            "findings that a waiver accepted there are",
        );
        lines.push(format!("{n} not counted as known."));
    }
    Debt { since: clock.when(&baseline.reference.as_of), lines }
}
