//! Controls with their checks. The tables of method are left to [`super::method`].

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::{HashMap, HashSet};
use serde::Serialize;
use serde_json::Value;

use super::desk::{Desk, Link, Reference};
use super::population::{Population, population, subjects};
use super::prose::{Block, prose};
use crate::render::html::words::{self, Verdict, count, number, visible, visible_cut};
use crate::report::model::{Assessment, CheckResult, ControlResult, Finding, State};

#[derive(Serialize)]
pub(super) struct Control {
    anchor: String,
    id: String,
    title: String,
    verdict: Verdict,
    rate: String,
    rate_words: String,
    rate_word: String,
    /// Against the earlier report, where one took part.
    rate_was: Option<String>,
    population: Population,
    worst: Option<Link>,
    open: Option<String>,
    filter: String,
    checks: Vec<Check>,
}

#[derive(Serialize)]
pub(super) struct Check {
    anchor: String,
    id: String,
    title: String,
    verdict: Verdict,
    severity: String,
    escalated: Option<&'static str>,
    population: Population,
    because: Vec<(String, String)>,
    inconclusive: Option<String>,
    applies: String,
    fails: String,
    thresholds: Vec<(String, String)>,
    finds: Vec<Block>,
    matters: Vec<Block>,
    remedy: Vec<Block>,
    requirements: Vec<Reference>,
    origin: Option<String>,
    /// Null when it has no finding.
    filter: Option<String>,
}

pub(super) fn controls(a: &Assessment, findings: &[Finding], desk: &Desk<'_>) -> Vec<Control> {
    let mut open: HashMap<&str, u64> = HashMap::new();
    for f in findings.iter().filter(|f| f.state == State::Open) {
        *open.entry(&f.control).or_default() += 1;
    }
    let found: HashSet<&str> = findings.iter().map(|f| f.check.as_str()).collect();
    let found: BTreeSet<&str> = found.into_iter().collect();
    a.controls
        .iter()
        .map(|c| {
            let own: Vec<&CheckResult> =
                c.checks.iter().filter_map(|id| desk.checks.get(id.as_str()).copied()).collect();
            let one_kind = own.iter().all(|k| k.subject == "reset");
            let (one, many) = if one_kind { ("reset", "resets") } else { ("subject", "subjects") };
            let said = rate(c);
            Control {
                anchor: words::anchor(&c.id),
                id: visible_cut(&c.id, 60),
                title: visible(&c.title),
                verdict: words::verdict(c.verdict),
                rate: said.0,
                rate_words: said.1,
                rate_was: a
                    .changes
                    .as_ref()
                    .and_then(|changes| changes.controls.iter().find(|change| change.id == c.id)?.rate_was)
                    .map(|was| format!("was {}", words::percent(was))),
                rate_word: said.2,
                population: population(&c.counts, one, many),
                worst: c.worst_check.as_deref().map(|id| desk.check_link(id)),
                open: open.get(c.id.as_str()).map(|n| count(*n, "finding", "findings")),
                filter: words::filter("control", &visible_cut(&c.id, 60)) + "&state=open",
                checks: own.iter().map(|k| check(k, &found, desk)).collect(),
            }
        })
        .collect()
}

/// How many deviate, as large letters, as a line, and as what stands behind the large letters. A share of the few that could
/// be judged must not look like one of all: where more could not be judged than could, it is that which stands in front.
fn rate(c: &ControlResult) -> (String, String, String) {
    let judged = c.counts.failed + c.counts.waived + c.counts.passed;
    let concerned = judged + c.counts.indeterminate;
    match c.deviation_rate.map(words::percent) {
        None => ("–".to_owned(), "nothing could be judged".to_owned(), "nothing could be judged".to_owned()),
        Some(rate) if c.counts.indeterminate > judged => (
            format!("{} of {}", number(judged), number(concerned)),
            format!("could be judged; {rate} of them deviate"),
            format!("judged, {rate} of them deviate"),
        ),
        Some(rate) => (rate, format!("of {} deviate", number(judged)), format!("of {} judged", number(judged))),
    }
}

pub(super) fn check(c: &CheckResult, found: &BTreeSet<&str>, desk: &Desk<'_>) -> Check {
    let (one, many) = subjects(&c.subject);
    Check {
        anchor: words::anchor(&c.id),
        id: visible_cut(&c.id, 80),
        title: words::sentence(&visible(&c.title)),
        verdict: words::verdict(c.verdict),
        severity: c.severity.map_or("", words::severity).to_owned(),
        escalated: c.escalated.filter(|e| Some(*e) != c.severity).map(words::severity),
        population: population(&c.counts, one, many),
        because: c
            .indeterminate_because
            .iter()
            .map(|(fact, n)| (words::fact_name(fact), count(*n, one, many)))
            .collect(),
        inconclusive: c.inconclusive.as_deref().map(visible),
        applies: visible_cut(&c.applies, 2_000),
        fails: visible_cut(&c.fails, 2_000),
        thresholds: thresholds(&c.thresholds),
        finds: prose(&c.finds),
        matters: prose(&c.matters),
        remedy: prose(&c.remedy),
        requirements: desk.references(&c.requirements),
        origin: origin(c),
        filter: found.contains(c.id.as_str()).then(|| words::filter("check", &visible_cut(&c.id, 80))),
    }
}

/// Where the check comes from, if it is not a shipped one.
pub(super) fn origin(c: &CheckResult) -> Option<String> {
    (c.origin != "shipped" && !c.origin.is_empty()).then(|| visible(&c.origin))
}

pub(in crate::render::html) fn thresholds(values: &BTreeMap<String, Value>) -> Vec<(String, String)> {
    values
        .iter()
        .map(|(name, v)| (words::sentence(&words::fact_name(name)), words::value(name, v).into_owned()))
        .collect()
}
