//! The page as the templates see it: every word chosen, every number formatted, every share computed.
//!
//! One module a section; this one puts them in the reader's order.

mod controls;
mod desk;
mod frameworks;
mod inputs;
mod listed;
mod method;
mod opinion;
mod population;
mod prose;
mod stories;
mod strip;
mod waivers;

pub(super) use controls::thresholds;
pub(super) use desk::Desk;
pub(super) use prose::prose;

use std::collections::BTreeSet;

use hashbrown::HashSet;
use serde::Serialize;

use super::View;
use super::changes;
use super::data::Places;
use super::series;
use super::words::{When, count, number, visible, visible_cut};
use crate::render::chart::ChartError;
use crate::report::model::{Assessment, Finding};
use controls::{Control, controls};
use frameworks::{Footnote, Framework, framework};
use inputs::{InputTotal, InputView, LogView, hole, inputs, inputs_total, logs};
use listed::{Group, groups};
use method::{Asks, OverrideView, PolicyValue, asks, overridden, policy, population_lines};
use opinion::{Piece, headline, opinion};
use stories::{Story, stories, stories_line};
use waivers::{Quality, WaiverView, quality, waiver};

/// Cards on the first screen.
const CARDS: usize = 5;
/// Files that nobody recognised, of those that the page names; a folder of anything has thousands.
const SKIPPED: usize = 200;

/// Stories that stand open to the eye; the rest is folded away.
const STORIES: usize = 10;

#[derive(Serialize)]
pub(super) struct Page {
    title: String,
    span: String,
    as_of: When,
    as_of_source: String,
    zone: String,
    version: String,
    inputs_line: String,
    limited_to: Option<String>,
    headline: Vec<Piece>,
    /// Is there room for it in large letters?
    headline_short: bool,
    opinion: Vec<Vec<Piece>>,
    order: Vec<Part>,
    controls: Vec<Control>,
    act: Vec<Story>,
    concerned: String,
    leading: Vec<Framework>,
    others: Vec<Framework>,
    charts: Vec<series::Chart>,
    groups: Vec<Group>,
    listed: usize,
    listed_line: String,
    data: Places,
    stories_first: Vec<Story>,
    stories_rest: Vec<Story>,
    stories_line: String,
    inputs: Vec<InputView>,
    /// Null when all of them are listed.
    inputs_listed: Option<String>,
    inputs_total: InputTotal,
    logs: Vec<LogView>,
    skipped: Vec<(String, String)>,
    skipped_more: Option<String>,
    waivers: Vec<WaiverView>,
    quality: Vec<Quality>,
    asks: Vec<Asks>,
    policy: Vec<PolicyValue>,
    policy_changed: usize,
    digests: Vec<(&'static str, String)>,
    overrides: Vec<OverrideView>,
    population: Vec<(&'static str, String)>,
    footnotes: Vec<Footnote>,
    changes: Option<changes::Block>,
    baseline: Option<changes::Debt>,
}

impl Page {
    /// What every printed sheet says at its head: title, period, run.
    pub(super) fn running_header(&self) -> String {
        let run: String = self.digests.first().map(|(_, d)| d.chars().take(16).collect()).unwrap_or_default();
        let title: String = self.title.chars().take(80).collect();
        if run.is_empty() {
            format!("{title} · {}", self.span)
        } else {
            format!("{title} · {} · run {run}", self.span)
        }
    }
}

/// A part of the page below the first screen.
#[derive(Serialize)]
struct Part {
    id: &'static str,
    anchor: &'static str,
    title: &'static str,
    /// Is it there for those who ask, but not in the way of this reader?
    folded: bool,
    line: String,
}

/// What this reader needs first; every reader gets everything.
fn order(view: View, a: &Assessment, findings: usize) -> Vec<Part> {
    let (open, folded): (&[&str], &[&str]) = match view {
        View::Reviewer => (&["act", "controls", "frameworks", "charts", "findings", "read", "method"], &[]),
        View::Responder => (&["act", "findings", "charts"], &["controls", "frameworks", "read", "method"]),
        View::Executive => (&["act", "charts"], &["controls", "frameworks", "findings", "read", "method"]),
    };
    let part = |id: &&'static str, folded: bool| {
        let (anchor, title, line) = match *id {
            "act" => ("act", "What needs action first", String::new()),
            "controls" => ("controls", "Controls and checks", count(a.checks.len() as u64, "check", "checks")),
            "frameworks" => ("frameworks", "Frameworks", count(a.frameworks.len() as u64, "framework", "frameworks")),
            "charts" => ("charts", "Patterns", String::new()),
            "findings" => ("findings", "Findings", count(findings as u64, "finding", "findings")),
            "read" => {
                ("read", "What was read, waivers and data quality", count(a.inputs.len() as u64, "input", "inputs"))
            }
            _ => ("method", "Method", String::new()),
        };
        Part { id, anchor, title, folded, line }
    };
    open.iter().map(|id| part(id, false)).chain(folded.iter().map(|id| part(id, true))).collect()
}

pub(super) fn page(a: &Assessment, findings: &[Finding], desk: &Desk<'_>, view: View) -> Result<Page, ChartError> {
    let clock = desk.clock;
    let (groups, listed_ids) = groups(a, findings, desk);
    let listed = groups.iter().map(|g| g.findings.len()).sum();
    let mut stories = stories(a, findings, &listed_ids, desk);
    let concerned = a.identities_concerned.max(stories.len() as u64);
    let mut footnotes = Vec::new();
    // Thousands of findings share a list: each list is looked at once.
    let mut seen = HashSet::new();
    let lists = findings.iter().map(|f| &f.requirements).filter(|list| seen.insert(list.as_ptr()));
    let referred: HashSet<&str> = lists.flat_map(|list| list.iter()).map(String::as_str).collect();
    let referred: BTreeSet<&str> = referred.into_iter().collect();
    let frameworks: Vec<(bool, Framework)> =
        a.frameworks.iter().map(|f| (f.leading, framework(f, desk, &referred, &mut footnotes))).collect();
    let (leading, others): (Vec<_>, Vec<_>) = frameworks.into_iter().partition(|(leading, _)| *leading);
    let headline = headline(a);
    let (inputs, inputs_listed) = inputs(&a.inputs, clock);
    let holes = a.inputs.iter().filter(|i| hole(i)).count() as u64;
    Ok(Page {
        title: a.run.title.as_deref().map_or_else(|| "Credential resets".to_owned(), visible),
        span: clock.span(a.run.since.as_deref(), a.run.until.as_deref()),
        as_of: clock.when(&a.run.as_of),
        as_of_source: visible_cut(&a.run.as_of_source, 60),
        zone: a.run.timezone.as_deref().map_or_else(|| "UTC".to_owned(), |z| visible_cut(z, 60)),
        version: visible_cut(&a.tool.version, 40),
        inputs_line: format!(
            "{}, {} with holes",
            count(a.inputs.len() as u64, "input", "inputs"),
            if holes == 0 { "none".to_owned() } else { number(holes) }
        ),
        limited_to: a.limited_to.as_deref().map(visible),
        headline_short: headline.iter().map(|piece| piece.text.chars().count()).sum::<usize>() <= 28,
        headline,
        opinion: opinion(a, clock),
        order: order(view, a, findings.len()),
        controls: controls(a, findings, desk),
        act: stories.iter().take(CARDS).cloned().collect(),
        concerned: count(concerned, "identity", "identities"),
        leading: leading.into_iter().map(|(_, f)| f).collect(),
        others: others.into_iter().map(|(_, f)| f).collect(),
        charts: series::charts(a, clock)?,
        listed_line: if findings.is_empty() {
            "No findings.".to_owned()
        } else if listed == findings.len() {
            format!("{}, all listed here and in findings.csv.", count(findings.len() as u64, "finding", "findings"))
        } else {
            format!(
                "{} of {}, the most severe first; all are in findings.csv.",
                number(listed as u64),
                count(findings.len() as u64, "finding", "findings")
            )
        },
        listed,
        data: Places::of(findings.len()),
        groups,
        stories_line: stories_line(a, stories.len() as u64),
        stories_rest: stories.split_off(stories.len().min(STORIES)),
        stories_first: stories,
        inputs,
        inputs_listed,
        inputs_total: inputs_total(&a.inputs),
        logs: logs(&a.coverage, clock),
        skipped: a.skipped.iter().take(SKIPPED).map(|s| (visible(&s.path), visible(&s.reason))).collect(),
        skipped_more: (a.skipped.len() > SKIPPED).then(|| number((a.skipped.len() - SKIPPED) as u64)),
        waivers: a.waivers.iter().map(|w| waiver(w, desk)).collect(),
        quality: a.data_quality.iter().map(|q| quality(q, desk)).collect(),
        asks: a.checks.iter().map(|c| asks(c, &a.run.policy_changed)).collect(),
        policy: policy(&a.run.policy, &a.run.policy_changed),
        policy_changed: a.run.policy_changed.len(),
        digests: vec![
            ("Run", visible_cut(&a.run.digest, 128)),
            ("Policy in force", visible_cut(&a.run.policy_sha256, 128)),
            ("Mappings in force", visible_cut(&a.run.mappings_sha256, 128)),
        ],
        overrides: a.overrides.iter().map(overridden).collect(),
        population: population_lines(a),
        footnotes,
        changes: a.changes.as_ref().map(|c| changes::block(c, clock)),
        baseline: a.baseline.as_ref().map(|b| changes::debt(b, clock)),
    })
}
