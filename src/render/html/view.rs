//! The page as the templates see it: every word chosen, every number formatted, every share computed.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::Serialize;
use serde_json::Value;

use super::View;
use super::changes;
use super::data::{self, Bearing, Data};
use super::series;
use super::words::{self, Clock, SEVERITIES, Verdict, When, count, number, visible, visible_cut};
use crate::check::Severity;
use crate::render::chart::{self, ChartError};
use crate::report::model::{
    Assessment, CheckResult, Counts, DataQuality, Finding, FrameworkResult, IdentityStory, Input, RequirementResult,
    Standing, State, WaiverResult,
};

/// Findings that the page lists; the rest is in `findings.csv`.
const LISTED: usize = 200;
/// Cards on the first screen.
const CARDS: usize = 5;
/// Stories that stand open to the eye; the rest is folded away.
const STORIES: usize = 10;
/// Findings named with one identity.
const FINDINGS_OF_A_STORY: usize = 25;
/// A silence between two moments that the time line names, in seconds.
const SILENCE: i64 = 3 * 86_400;

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
    data: Data,
    stories_first: Vec<Story>,
    stories_rest: Vec<Story>,
    stories_line: String,
    inputs: Vec<InputView>,
    inputs_total: InputTotal,
    skipped: Vec<(String, String)>,
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

/// A stretch of a sentence, perhaps a link.
#[derive(Serialize)]
struct Piece {
    text: String,
    href: Option<String>,
}

fn say(text: impl Into<String>) -> Piece {
    Piece { text: text.into(), href: None }
}

fn link(text: impl Into<String>, href: impl Into<String>) -> Piece {
    Piece { text: text.into(), href: Some(href.into()) }
}

#[derive(Clone, Serialize)]
pub(super) struct Link {
    id: String,
    pub(super) text: String,
}

/// A population bar and the numbers in words beside it.
#[derive(Clone, Serialize)]
struct Population {
    segments: Vec<Segment>,
    words: String,
}

#[derive(Clone, Serialize)]
struct Segment {
    class: &'static str,
    x: String,
    width: String,
}

/// What a failure is called: of a requirement it fails, of a technique it was seen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Calls {
    Verdicts,
    Sightings,
}

fn population(c: &Counts, one: &str, many: &str) -> Population {
    population_called(Calls::Verdicts, c, one, many)
}

fn population_called(calls: Calls, c: &Counts, one: &str, many: &str) -> Population {
    let parts = [
        ("fail", c.failed),
        ("waived", c.waived),
        ("open", c.indeterminate),
        ("pass", c.passed),
        ("none", c.not_applicable),
    ];
    let segments = chart::population(&parts)
        .into_iter()
        .map(|(class, x, w)| Segment { class, x: format!("{x:.3}%"), width: format!("{w:.3}%") })
        .collect();
    let words = if c.population == 0 {
        format!("no {one} to judge")
    } else {
        let mut said = Vec::new();
        let mut push = |n: u64, one: &str, many: &str| {
            if n > 0 {
                said.push(format!("{} {}", number(n), if n == 1 { one } else { many }));
            }
        };
        let (fails, fail, holds, hold) = match calls {
            Calls::Verdicts => ("fails", "fail", "holds", "hold"),
            Calls::Sightings => ("shows it", "show it", "does not", "do not"),
        };
        push(c.failed, fails, fail);
        push(c.waived, "accepted", "accepted");
        push(c.indeterminate, "cannot be judged", "cannot be judged");
        push(c.passed, holds, hold);
        let judged = c.population.saturating_sub(c.not_applicable);
        if judged == 0 {
            format!("does not apply to any of {}", count(c.population, one, many))
        } else {
            format!("{} of {}", said.join(", "), count(judged, one, many))
                + &if c.not_applicable > 0 {
                    format!("; does not apply to {}", number(c.not_applicable))
                } else {
                    String::new()
                }
        }
    };
    Population { segments, words }
}

#[derive(Serialize)]
struct Control {
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
struct Check {
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

/// A check's two questions.
#[derive(Serialize)]
struct Asks {
    id: String,
    anchor: String,
    applies: String,
    fails: String,
    thresholds: Vec<PolicyValue>,
    origin: Option<String>,
}

/// A paragraph or a list of a check's prose.
#[derive(Clone, Serialize)]
pub(super) struct Block {
    list: bool,
    items: Vec<Vec<Span>>,
}

#[derive(Clone, Serialize)]
struct Span {
    code: bool,
    text: String,
}

/// The little Markdown that a check's prose uses: paragraphs, lists, code.
pub(super) fn prose(text: &str) -> Vec<Block> {
    let spans = |line: &str| -> Vec<Span> {
        line.split('`')
            .enumerate()
            .filter(|(_, part)| !part.is_empty())
            .map(|(i, part)| Span { code: i % 2 == 1, text: visible_cut(part, 4_000) })
            .collect()
    };
    text.replace("\r\n", "\n")
        .split("\n\n")
        .map(str::trim)
        .filter(|p| !p.is_empty())
        .map(|p| {
            let list = p.lines().all(|l| l.starts_with("- ") || l.starts_with("  "));
            if list {
                let mut items: Vec<String> = Vec::new();
                for line in p.lines() {
                    match (line.strip_prefix("- "), items.last_mut()) {
                        (None, Some(item)) => {
                            item.push(' ');
                            item.push_str(line.trim());
                        }
                        (start, _) => items.push(start.unwrap_or(line).trim().to_owned()),
                    }
                }
                Block { list, items: items.iter().map(|i| spans(i)).collect() }
            } else {
                Block { list, items: vec![spans(&p.lines().collect::<Vec<_>>().join(" "))] }
            }
        })
        .collect()
}

/// Requirements of one framework that something is evidence for.
#[derive(Clone, Serialize)]
struct Reference {
    framework: String,
    requirements: Vec<Link>,
}

#[derive(Serialize)]
struct Framework {
    anchor: String,
    title: String,
    publisher: String,
    edition: String,
    licence: String,
    source: Option<String>,
    note: Option<String>,
    summary: String,
    /// Are its entries techniques, seen or not?
    technique: bool,
    requirements: Vec<Requirement>,
}

#[derive(Serialize)]
struct Requirement {
    anchor: String,
    id: String,
    aliases: Vec<String>,
    title: Option<String>,
    title_is: Option<&'static str>,
    judged: bool,
    verdict: Verdict,
    population: Population,
    direct: Vec<Link>,
    supporting: Vec<Link>,
    limits: String,
    scope: Vec<(&'static str, String)>,
    guarded: Vec<String>,
    contextual: Option<String>,
    footnote: Option<usize>,
    /// Null when no finding refers to it.
    filter: Option<String>,
}

#[derive(Serialize)]
struct Footnote {
    number: usize,
    requirement: String,
    status: Option<String>,
    provenance: Option<String>,
    nearest: Vec<String>,
}

#[derive(Serialize)]
struct Group {
    severity: &'static str,
    title: String,
    line: String,
    findings: Vec<FindingView>,
}

#[derive(Serialize)]
struct FindingView {
    id: String,
    check: Link,
    severity: &'static str,
    waived: bool,
    waiver: String,
    because: String,
    who: String,
    identity: String,
    tier: String,
    system: String,
    action: String,
    subject_kind: &'static str,
    subject: String,
    at: Option<When>,
    executor: String,
    approver: String,
    ticket: String,
    evidence: Vec<(String, String)>,
    /// What it counts for.
    references: Vec<Reference>,
    /// Requirement, and why it is context only.
    contextual: Vec<(String, String)>,
    source: String,
}

#[derive(Clone, Serialize)]
struct Story {
    anchor: String,
    name: String,
    id: String,
    kind: String,
    story: String,
    next_step: String,
    since: Option<When>,
    since_day: String,
    open: String,
    periods: Vec<String>,
    findings: Vec<StoryFinding>,
    findings_more: Option<String>,
    line: Vec<Segment>,
    marks: Vec<Mark>,
    line_from: String,
    line_to: String,
    moments: Vec<MomentView>,
    omitted: Option<String>,
}

#[derive(Clone, Serialize)]
struct StoryFinding {
    id: String,
    listed: bool,
    text: String,
    severity: &'static str,
}

/// A dot of the time line.
#[derive(Clone, Serialize)]
struct Mark {
    class: &'static str,
    x: String,
    title: String,
}

#[derive(Clone, Serialize)]
struct MomentView {
    silence: Option<String>,
    at: When,
    class: &'static str,
    kind: String,
    text: String,
    system: String,
    source: String,
}

#[derive(Serialize)]
struct InputView {
    path: String,
    short: String,
    digest: String,
    size: String,
    mapping: String,
    recognised_by: String,
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
    hole: bool,
}

#[derive(Default, Serialize)]
struct InputTotal {
    read: String,
    accepted: String,
    out_of_scope: String,
    merged: String,
    duplicates: String,
    rejected: String,
}

#[derive(Serialize)]
struct WaiverView {
    id: String,
    state: String,
    active: bool,
    flags: Vec<&'static str>,
    matched: String,
    waived: String,
    checks: Vec<Link>,
    predicate: String,
    reason: String,
    requested_by: String,
    approved_by: String,
    starts: String,
    expires: String,
    expires_at: String,
}

#[derive(Serialize)]
struct Quality {
    title: String,
    kind: String,
    count: String,
    examples: Vec<String>,
    weakens: Vec<Link>,
}

#[derive(Serialize)]
struct PolicyValue {
    name: String,
    value: String,
    changed: bool,
}

#[derive(Serialize)]
struct OverrideView {
    kind: String,
    id: String,
    replaces: bool,
    path: String,
}

/// What every part of the page looks things up in.
pub(super) struct Desk<'a> {
    pub(super) clock: Clock,
    pub(super) checks: BTreeMap<&'a str, &'a CheckResult>,
    pub(super) frameworks: BTreeMap<&'a str, &'a FrameworkResult>,
}

impl<'a> Desk<'a> {
    fn new(a: &'a Assessment) -> Self {
        Desk {
            clock: Clock::new(a.run.timezone.as_deref()),
            checks: a.checks.iter().map(|c| (c.id.as_str(), c)).collect(),
            frameworks: a.frameworks.iter().map(|f| (f.id.as_str(), f)).collect(),
        }
    }

    /// The requirement that `framework:id` names.
    pub(super) fn requirement(&self, reference: &str) -> Option<&'a RequirementResult> {
        let (framework, id) = reference.split_once(':')?;
        self.frameworks.get(framework)?.requirements.iter().find(|r| r.id == id)
    }

    /// How a requirement bears on a failure of `check`.
    pub(super) fn bearing(&self, check: &str, reference: &str, contextual: &[String]) -> Bearing {
        if contextual.iter().any(|c| c == reference) {
            Bearing::Context
        } else if self.requirement(reference).is_some_and(|r| r.direct.iter().any(|d| d == check)) {
            Bearing::Counted
        } else {
            Bearing::Beside
        }
    }

    pub(super) fn check_link(&self, id: &str) -> Link {
        let text = self.checks.get(id).map_or_else(|| visible_cut(id, 80), |c| visible(&c.title));
        Link { id: words::anchor(id), text }
    }

    fn check_links(&self, ids: &[String]) -> Vec<Link> {
        ids.iter().map(|id| self.check_link(id)).collect()
    }

    fn references(&self, requirements: &[String]) -> Vec<Reference> {
        let mut out: Vec<Reference> = Vec::new();
        let mut last = None;
        for reference in requirements {
            let (framework, id) = reference.split_once(':').unwrap_or(("", reference));
            let wanted =
                Link { id: format!("r-{}-{}", words::anchor(framework), words::anchor(id)), text: visible_cut(id, 60) };
            if last == Some(framework)
                && let Some(group) = out.last_mut()
            {
                group.requirements.push(wanted);
                continue;
            }
            let title = self.frameworks.get(framework).map_or(framework, |f| f.title.as_str());
            out.push(Reference { framework: visible_cut(title, 120), requirements: vec![wanted] });
            last = Some(framework);
        }
        out
    }
}

pub(super) fn page(a: &Assessment, findings: &[Finding], view: View) -> Result<Page, ChartError> {
    let desk = Desk::new(a);
    let clock = desk.clock;
    let (groups, listed_ids) = groups(a, findings, &desk);
    let listed = groups.iter().map(|g| g.findings.len()).sum();
    let mut stories = stories(a, findings, &listed_ids, &desk);
    let concerned = a.identities_concerned.max(stories.len() as u64);
    let mut footnotes = Vec::new();
    // Thousands of findings share a list: each list is looked at once.
    let mut seen = HashSet::new();
    let lists = findings.iter().map(|f| &f.requirements).filter(|list| seen.insert(list.as_ptr()));
    let referred: HashSet<&str> = lists.flat_map(|list| list.iter()).map(String::as_str).collect();
    let referred: BTreeSet<&str> = referred.into_iter().collect();
    let frameworks: Vec<(bool, Framework)> =
        a.frameworks.iter().map(|f| (f.leading, framework(f, &desk, &referred, &mut footnotes))).collect();
    let (leading, others): (Vec<_>, Vec<_>) = frameworks.into_iter().partition(|(leading, _)| *leading);
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
        headline: headline(a),
        opinion: opinion(a, clock),
        order: order(view, a, findings.len()),
        controls: controls(a, findings, &desk),
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
        data: data::data(a, findings, &desk),
        groups,
        stories_line: stories_line(a, stories.len() as u64),
        stories_rest: stories.split_off(stories.len().min(STORIES)),
        stories_first: stories,
        inputs: a.inputs.iter().map(|i| input(i, clock)).collect(),
        inputs_total: inputs_total(&a.inputs),
        skipped: a.skipped.iter().map(|s| (visible(&s.path), visible(&s.reason))).collect(),
        waivers: a.waivers.iter().map(|w| waiver(w, &desk)).collect(),
        quality: a.data_quality.iter().map(|q| quality(q, &desk)).collect(),
        asks: a.checks.iter().map(|c| asks(c, &a.run.policy_changed)).collect(),
        policy: policy(&a.run.policy, &a.run.policy_changed),
        policy_changed: a.run.policy_changed.len(),
        digests: vec![
            ("Run", visible_cut(&a.run.digest, 128)),
            ("Policy in force", visible_cut(&a.run.policy_sha256, 128)),
            ("Mappings in force", visible_cut(&a.run.mappings_sha256, 128)),
        ],
        overrides: a
            .overrides
            .iter()
            .map(|o| OverrideView {
                kind: visible_cut(&o.kind, 40),
                id: visible_cut(&o.id, 80),
                replaces: o.replaces,
                path: visible(&o.path),
            })
            .collect(),
        population: population_lines(a),
        footnotes,
        changes: a.changes.as_ref().map(|c| changes::block(c, clock)),
        baseline: a.baseline.as_ref().map(|b| changes::debt(b, clock)),
    })
}

fn stories_line(a: &Assessment, told: u64) -> String {
    let concerned = a.identities_concerned.max(told);
    if concerned == 0 {
        "No identity has an open finding.".to_owned()
    } else if told == concerned {
        format!("{} with an open finding, the most urgent first.", count(concerned, "identity", "identities"))
    } else {
        format!(
            "{} of {} with an open finding, the most urgent first.",
            number(told),
            count(concerned, "identity", "identities")
        )
    }
}

fn population_lines(a: &Assessment) -> Vec<(&'static str, String)> {
    let p = &a.population;
    vec![
        ("Resets of the period", number(p.resets)),
        ("Credentials of the inventory", number(p.credentials)),
        ("Events read, of any action", number(p.events)),
        ("People of the roster", number(p.people)),
        ("Workloads of the register", number(p.workloads)),
        ("Accounts of directories", number(p.accounts)),
        ("Tickets", number(p.tickets)),
    ]
}

/// How many controls hold, with the reason where nothing could be concluded.
fn headline(a: &Assessment) -> Vec<Piece> {
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
        let missing = missing(&checks, 1);
        if !missing.is_empty() {
            out.push(say(format!(" for want of “{}”", missing[0])));
        }
    }
    let none = all - fail - open - pass;
    if none > 0 {
        out.push(say(format!("; {} {} not apply", number(none), verb(none, "does", "do"))));
    }
    out.push(say("."));
    out
}

fn opinion(a: &Assessment, clock: Clock) -> Vec<Vec<Piece>> {
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

/// The facts that most of these checks want, at most `most` of them.
fn missing(checks: &[&CheckResult], most: usize) -> Vec<String> {
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
fn inconclusive(a: &Assessment) -> Vec<Piece> {
    let mut out = Vec::new();
    let silent: Vec<&CheckResult> = a.checks.iter().filter(|c| c.verdict == Standing::CannotConclude).collect();
    if let Some(first) = silent.first() {
        out.push(link(
            format!("{} of {}", number(silent.len() as u64), count(a.checks.len() as u64, "check", "checks")),
            "#controls",
        ));
        out.push(say(" cannot conclude"));
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

fn subjects(subject: &str) -> (&'static str, &'static str) {
    match subject {
        "credential" => ("credential", "credentials"),
        "reset" => ("reset", "resets"),
        _ => ("subject", "subjects"),
    }
}

fn controls(a: &Assessment, findings: &[Finding], desk: &Desk<'_>) -> Vec<Control> {
    let mut open: BTreeMap<&str, u64> = BTreeMap::new();
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
            let judged = c.counts.failed + c.counts.waived + c.counts.passed;
            Control {
                anchor: words::anchor(&c.id),
                id: visible_cut(&c.id, 60),
                title: visible(&c.title),
                verdict: words::verdict(c.verdict),
                rate: c.deviation_rate.map_or_else(|| "–".to_owned(), words::percent),
                rate_words: if c.deviation_rate.is_some() {
                    format!("of {} deviate", number(judged))
                } else {
                    "nothing could be judged".to_owned()
                },
                rate_was: a
                    .changes
                    .as_ref()
                    .and_then(|changes| changes.controls.iter().find(|change| change.id == c.id)?.rate_was)
                    .map(|was| format!("was {}", words::percent(was))),
                rate_word: if c.deviation_rate.is_some() {
                    format!("of {} judged", number(judged))
                } else {
                    "nothing could be judged".to_owned()
                },
                population: population(&c.counts, one, many),
                worst: c.worst_check.as_deref().map(|id| desk.check_link(id)),
                open: open.get(c.id.as_str()).map(|n| count(*n, "finding", "findings")),
                filter: words::filter("control", &visible_cut(&c.id, 60)) + "&state=open",
                checks: own.iter().map(|k| check(k, &found, desk)).collect(),
            }
        })
        .collect()
}

fn check(c: &CheckResult, found: &BTreeSet<&str>, desk: &Desk<'_>) -> Check {
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
fn origin(c: &CheckResult) -> Option<String> {
    (c.origin != "shipped" && !c.origin.is_empty()).then(|| visible(&c.origin))
}

fn asks(c: &CheckResult, changed: &[String]) -> Asks {
    Asks {
        id: visible_cut(&c.id, 80),
        anchor: words::anchor(&c.id),
        applies: visible_cut(&c.applies, 2_000),
        fails: visible_cut(&c.fails, 2_000),
        thresholds: c
            .thresholds
            .iter()
            .map(|(name, v)| PolicyValue {
                name: words::fact_name(name),
                value: words::value(name, v),
                changed: changed.iter().any(|set| set == name),
            })
            .collect(),
        origin: origin(c),
    }
}

pub(super) fn thresholds(values: &BTreeMap<String, Value>) -> Vec<(String, String)> {
    values.iter().map(|(name, v)| (words::sentence(&words::fact_name(name)), words::value(name, v))).collect()
}

fn framework(
    f: &FrameworkResult,
    desk: &Desk<'_>,
    referred: &BTreeSet<&str>,
    footnotes: &mut Vec<Footnote>,
) -> Framework {
    let judged: Vec<&RequirementResult> = f.requirements.iter().filter(|r| !r.direct.is_empty()).collect();
    let of = |s: Standing| judged.iter().filter(|r| r.verdict == s).count() as u64;
    let technique = f.kind == "technique";
    let (fail, pass) =
        if technique { (("seen", "seen"), ("not seen", "not seen")) } else { (("fails", "fail"), ("holds", "hold")) };
    let (noun, nouns) = if technique { ("technique", "techniques") } else { ("requirement", "requirements") };
    let mut parts = Vec::new();
    for (standing, (one, many)) in [
        (Standing::Fail, fail),
        (Standing::CannotConclude, ("cannot be concluded", "cannot be concluded")),
        (Standing::Pass, pass),
        (Standing::NotApplicable, ("does not apply", "do not apply")),
    ] {
        let n = of(standing);
        if n > 0 {
            parts.push(format!("{} {}", number(n), if n == 1 { one } else { many }));
        }
    }
    let summary = if judged.is_empty() {
        format!("no {noun} is judged")
    } else {
        format!("of {}, {}", count(judged.len() as u64, noun, nouns), words::list(&parts))
    };
    Framework {
        anchor: words::anchor(&f.id),
        title: visible(&f.title),
        publisher: visible(&f.publisher),
        edition: visible(&f.edition),
        licence: visible(&f.licence),
        source: f.source.as_deref().map(|s| visible_cut(s, 1_000)),
        note: f.note.as_deref().map(|s| visible_cut(s, 1_500)),
        summary,
        technique,
        requirements: f.requirements.iter().map(|r| requirement(f, r, desk, referred, footnotes)).collect(),
    }
}

fn requirement(
    f: &FrameworkResult,
    r: &RequirementResult,
    desk: &Desk<'_>,
    referred: &BTreeSet<&str>,
    footnotes: &mut Vec<Footnote>,
) -> Requirement {
    let explained = r.status.is_some() || r.provenance.is_some() || !r.nearest.is_empty();
    let footnote = explained.then(|| {
        let number = footnotes.len() + 1;
        footnotes.push(Footnote {
            number,
            requirement: format!("{} ({})", visible_cut(&r.id, 60), visible_cut(&f.title, 120)),
            status: r.status.as_deref().map(visible),
            provenance: r.provenance.as_deref().map(|p| visible_cut(p, 2_000)),
            nearest: r.nearest.iter().map(|n| visible(n)).collect(),
        });
        number
    });
    let mut kinds: Vec<&str> =
        r.direct.iter().filter_map(|id| desk.checks.get(id.as_str())).map(|c| c.subject.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let (one, many) = match kinds[..] {
        [kind] => subjects(kind),
        _ => ("subject", "subjects"),
    };
    Requirement {
        anchor: format!("r-{}-{}", words::anchor(&f.id), words::anchor(&r.id)),
        id: visible_cut(&r.id, 60),
        aliases: r.aliases.iter().map(|x| visible_cut(x, 60)).collect(),
        title: r.title.as_deref().map(visible),
        title_is: match r.title_is.as_str() {
            "paraphrase" => Some("in our words"),
            _ => None,
        },
        judged: !r.direct.is_empty(),
        verdict: if f.kind == "technique" { words::sighting(r.verdict) } else { words::verdict(r.verdict) },
        population: population_called(
            if f.kind == "technique" { Calls::Sightings } else { Calls::Verdicts },
            &r.counts,
            one,
            many,
        ),
        direct: desk.check_links(&r.direct),
        supporting: desk.check_links(&r.supporting),
        limits: visible_cut(&r.limits, 1_500),
        scope: [("Resets that count", r.scope.as_deref()), ("Credentials that count", r.scope_credential.as_deref())]
            .into_iter()
            .filter_map(|(name, s)| s.map(|s| (name, visible_cut(s, 1_000))))
            .collect(),
        guarded: r.guarded.iter().map(|g| visible(g)).collect(),
        contextual: r.contextual.as_deref().map(visible),
        footnote,
        filter: {
            let reference = format!("{}:{}", f.id, r.id);
            referred.contains(reference.as_str()).then(|| words::filter("requirement", &visible_cut(&reference, 120)))
        },
    }
}

/// Groups by severity of the first [`LISTED`] findings, and the ids of those.
fn groups<'a>(a: &Assessment, findings: &'a [Finding], desk: &Desk<'_>) -> (Vec<Group>, BTreeSet<&'a str>) {
    let mut room = LISTED;
    let mut ids = BTreeSet::new();
    let mut out = Vec::new();
    for severity in SEVERITIES {
        // What nobody accepted comes first, otherwise the order of findings.csv.
        let of = |state: State| findings.iter().filter(move |f| f.severity == severity && f.state == state);
        let own: Vec<&Finding> = of(State::Open).chain(of(State::Waived)).take(room).collect();
        room -= own.len();
        let total = a.totals.get(&severity).copied().unwrap_or_default();
        let all = total.open + total.waived;
        if all == 0 && own.is_empty() {
            continue;
        }
        ids.extend(own.iter().map(|f| f.finding_id.as_str()));
        let mut line = format!("{} open", number(total.open));
        if total.waived > 0 {
            line.push_str(&format!(", {} accepted", number(total.waived)));
        }
        if (own.len() as u64) < all {
            line.push_str(&if own.is_empty() {
                "; none listed here, all in findings.csv".to_owned()
            } else {
                format!("; the first {} listed here", number(own.len() as u64))
            });
        }
        out.push(Group {
            severity: words::severity(severity),
            title: words::sentence(words::severity(severity)),
            line,
            findings: own.into_iter().map(|f| finding(f, desk)).collect(),
        });
    }
    (out, ids)
}

fn finding(f: &Finding, desk: &Desk<'_>) -> FindingView {
    let mut counted = Vec::new();
    let mut contextual = Vec::new();
    for reference in f.requirements.iter() {
        match desk.bearing(&f.check, reference, &f.contextual) {
            Bearing::Counted => counted.push(reference.clone()),
            Bearing::Beside => {}
            Bearing::Context => {
                let of = desk.requirement(reference);
                let direct = of.is_some_and(|r| r.direct.contains(&f.check));
                // What its scope leaves out and would not have counted either is in the page's data.
                if let (true, Some(why)) = (direct, of.and_then(|r| r.contextual.as_deref())) {
                    let id = reference.split_once(':').map_or(reference.as_str(), |(_, id)| id);
                    contextual.push((visible_cut(id, 60), visible(why)));
                }
            }
        }
    }
    let name = if !f.identity_name.is_empty() {
        &f.identity_name
    } else if !f.target.is_empty() {
        &f.target
    } else {
        &f.identity
    };
    FindingView {
        id: words::anchor(&f.finding_id),
        check: desk.check_link(&f.check),
        severity: words::severity(f.severity),
        waived: f.state == State::Waived,
        waiver: visible_cut(&f.waiver, 80),
        because: visible(&f.because),
        who: visible_cut(name, 120),
        identity: visible_cut(&f.identity, 120),
        tier: visible_cut(&f.tier, 40),
        system: visible_cut(&f.system, 120),
        action: visible_cut(&f.action, 60),
        subject_kind: subjects(&f.subject_kind).0,
        subject: visible_cut(&f.subject, 160),
        at: (!f.occurred_at.is_empty()).then(|| desk.clock.when(&f.occurred_at)),
        executor: visible_cut(&f.executor, 120),
        approver: visible_cut(&f.approver, 120),
        ticket: visible_cut(&f.ticket, 80),
        evidence: f.evidence.iter().map(|(k, v)| (words::sentence(&words::fact_name(k)), words::value(k, v))).collect(),
        references: desk.references(&counted),
        contextual,
        source: format!("{}, record {}", visible(&f.source_file), number(f.source_record)),
    }
}

fn stories(a: &Assessment, findings: &[Finding], listed: &BTreeSet<&str>, desk: &Desk<'_>) -> Vec<Story> {
    let wanted: BTreeSet<&str> =
        a.identities.iter().flat_map(|s| s.findings.iter().take(FINDINGS_OF_A_STORY).map(String::as_str)).collect();
    let known: BTreeMap<&str, &Finding> = if wanted.is_empty() {
        BTreeMap::new()
    } else {
        findings.iter().map(|f| (f.finding_id.as_str(), f)).filter(|(id, _)| wanted.contains(id)).collect()
    };
    let mut anchors: BTreeMap<String, usize> = BTreeMap::new();
    a.identities
        .iter()
        .map(|s| {
            let mut anchor = format!("i-{}", words::anchor(if s.identity.is_empty() { &s.name } else { &s.identity }));
            // Two names may fold to one anchor.
            let same = anchors.entry(anchor.clone()).or_default();
            *same += 1;
            if *same > 1 {
                anchor.push_str(&format!("--{same}"));
            }
            story(anchor, s, &known, listed, desk, &a.run.as_of)
        })
        .collect()
}

fn story(
    anchor: String,
    s: &IdentityStory,
    known: &BTreeMap<&str, &Finding>,
    listed: &BTreeSet<&str>,
    desk: &Desk<'_>,
    as_of: &str,
) -> Story {
    let clock = desk.clock;
    let kind = match (s.kind.as_str(), s.tier.as_str()) {
        ("", "") => "unknown".to_owned(),
        (kind, tier) if tier.is_empty() || tier == kind => visible_cut(kind, 40),
        (kind, tier) => format!("{} · {}", visible_cut(kind, 40), visible_cut(tier, 40)),
    };
    let open: Vec<String> = SEVERITIES
        .iter()
        .filter_map(|sev| {
            s.open.get(sev).filter(|n| **n > 0).map(|n| format!("{} {}", number(*n), words::severity(*sev)))
        })
        .collect();
    let findings: Vec<StoryFinding> = s
        .findings
        .iter()
        .take(FINDINGS_OF_A_STORY)
        .map(|id| StoryFinding {
            id: words::anchor(id),
            listed: listed.contains(id.as_str()),
            text: known.get(id.as_str()).map_or_else(|| visible_cut(id, 40), |f| visible(&f.because)),
            severity: known.get(id.as_str()).map_or("", |f| words::severity(f.severity)),
        })
        .collect();
    let scale = Scale::new(s, as_of);
    let mut last: Option<i64> = None;
    let moments = s
        .timeline
        .iter()
        .map(|m| {
            let at = Clock::seconds(&m.at);
            let silence = match (last, at) {
                (Some(before), Some(now)) if now - before >= SILENCE => Some(words::duration((now - before) as f64)),
                _ => None,
            };
            last = at.or(last);
            MomentView {
                silence,
                at: clock.when(&m.at),
                class: moment_class(&m.kind),
                kind: visible_cut(&m.kind, 40),
                text: visible(&m.text),
                system: visible_cut(&m.system, 120),
                source: if m.source_file.is_empty() {
                    String::new()
                } else {
                    format!("{}, record {}", visible(&m.source_file), number(m.source_record))
                },
            }
        })
        .collect();
    Story {
        anchor,
        name: visible_cut(if s.name.is_empty() { &s.identity } else { &s.name }, 120),
        id: visible_cut(&s.identity, 120),
        kind,
        story: words::sentence_from_data(&visible(&s.story)),
        next_step: visible(&s.next_step),
        since: s.since.as_deref().map(|t| clock.when(t)),
        since_day: s.since.as_deref().map(|t| clock.day(t)).unwrap_or_default(),
        open: if open.is_empty() { "nothing open".to_owned() } else { format!("{} open", words::list(&open)) },
        periods: s
            .periods
            .iter()
            .map(|(from, to)| {
                let from = from.as_deref().map_or_else(|| "start not known".to_owned(), |t| clock.day(t));
                let to = to.as_deref().map_or_else(|| "open".to_owned(), |t| clock.day(t));
                format!("{from} – {to}")
            })
            .collect(),
        findings_more: (s.findings.len() > FINDINGS_OF_A_STORY)
            .then(|| number((s.findings.len() - FINDINGS_OF_A_STORY) as u64)),
        findings,
        line: scale.as_ref().map(|l| l.periods(s)).unwrap_or_default(),
        marks: scale.as_ref().map(|l| l.marks(s, clock)).unwrap_or_default(),
        line_from: scale.as_ref().map(|l| l.day(clock, l.from)).unwrap_or_default(),
        line_to: scale.as_ref().map(|l| l.day(clock, l.to)).unwrap_or_default(),
        moments,
        omitted: (s.timeline_omitted > 0).then(|| count(s.timeline_omitted, "further entry", "further entries")),
    }
}

fn moment_class(kind: &str) -> &'static str {
    match kind {
        "reset" => "reset",
        "approval" => "approval",
        "verification" => "verification",
        "revocation" => "revocation",
        "sign-in" => "signin",
        "started" => "started",
        "ended" => "ended",
        _ => "context",
    }
}

/// The time line's scale: from the first moment to the last, or to `as_of` where that lies near.
struct Scale {
    from: i64,
    to: i64,
}

impl Scale {
    fn new(s: &IdentityStory, as_of: &str) -> Option<Self> {
        let times: Vec<i64> = s
            .timeline
            .iter()
            .filter(|m| !matches!(m.kind.as_str(), "started" | "ended"))
            .filter_map(|m| Clock::seconds(&m.at))
            .collect();
        let (first, last) = (*times.iter().min()?, *times.iter().max()?);
        // An end of employment shortly before the first event is what the story is about: it belongs on the line.
        let near = (last - first).max(30 * 86_400);
        let ends: Vec<i64> = s
            .periods
            .iter()
            .filter_map(|(_, to)| to.as_deref().and_then(Clock::seconds))
            .filter(|t| first - t < near)
            .collect();
        let first = ends.iter().copied().min().map_or(first, |t| first.min(t));
        let last = ends.iter().copied().max().map_or(last, |t| last.max(t.min(last + near)));
        let last = Clock::seconds(as_of).filter(|t| *t > last && t - last < near).unwrap_or(last);
        let pad = ((last - first) / 25).max(3_600);
        Some(Self { from: first - pad, to: last + pad })
    }

    fn x(&self, t: i64) -> f64 {
        ((t - self.from) as f64 / (self.to - self.from) as f64 * 100.0).clamp(0.0, 100.0)
    }

    fn day(&self, clock: Clock, t: i64) -> String {
        chrono::DateTime::from_timestamp(t, 0).map(|t| clock.day(&t.to_rfc3339())).unwrap_or_default()
    }

    fn periods(&self, s: &IdentityStory) -> Vec<Segment> {
        s.periods
            .iter()
            .filter_map(|(from, to)| {
                let from = from.as_deref().and_then(Clock::seconds).map_or(0.0, |t| self.x(t));
                let to = to.as_deref().and_then(Clock::seconds).map_or(100.0, |t| self.x(t));
                (to > from).then(|| Segment {
                    class: "life",
                    x: format!("{from:.2}%"),
                    width: format!("{:.2}%", to - from),
                })
            })
            .collect()
    }

    fn marks(&self, s: &IdentityStory, clock: Clock) -> Vec<Mark> {
        s.timeline
            .iter()
            .filter_map(|m| {
                let t = Clock::seconds(&m.at).filter(|t| (self.from..=self.to).contains(t))?;
                Some(Mark {
                    class: moment_class(&m.kind),
                    x: format!("{:.2}%", self.x(t)),
                    title: format!("{}: {}", clock.when(&m.at).text, visible(&m.text)),
                })
            })
            .collect()
    }
}

/// Does this input weaken what rests on it?
fn hole(i: &Input) -> bool {
    i.rejected > 0 || i.naive_zone_assumed || i.expected_records.is_some_and(|n| n != i.read) || !balanced(i)
}

fn balanced(i: &Input) -> bool {
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
    let mut notes = Vec::new();
    if let Some(expected) = i.expected_records
        && expected != i.read
    {
        notes.push(format!("{} were expected, {} were read", count(expected, "record", "records"), number(i.read)));
    }
    if !i.rejected_reasons.is_empty() {
        notes.push(format!("rejected: {}", reasons(&i.rejected_reasons)));
    }
    if !i.out_of_scope_reasons.is_empty() {
        notes.push(format!("left out on purpose: {}", reasons(&i.out_of_scope_reasons)));
    }
    if let Some(zone) = &i.naive_zone {
        notes.push(format!(
            "times without a zone were read as {}{}",
            visible_cut(zone, 60),
            if i.naive_zone_assumed { ", which is assumed: no zone is configured for this input" } else { "" }
        ));
    }
    if let Some(snapshot) = &i.snapshot {
        notes.push(format!("snapshot of {}", words::date(snapshot)));
    }
    if !balanced(i) {
        notes.push("the records do not add up".to_owned());
    }
    InputView {
        path: visible(&i.path),
        short: if digest.is_empty() { String::new() } else { format!("{kind} {}", visible_cut(&digest, 12)) },
        digest,
        size: words::bytes(i.bytes),
        mapping: visible_cut(&i.mapping, 80),
        recognised_by: visible(&i.recognised_by),
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
        first: i.first_at.as_deref().map(|t| clock.when(t)),
        last: i.last_at.as_deref().map(|t| clock.when(t)),
        columns: visible_cut(&i.reported_columns.join(", "), 1_000),
        ignored: visible_cut(&i.ignored_columns.join(", "), 1_000),
        notes,
        hole: hole(i),
    }
}

fn inputs_total(inputs: &[Input]) -> InputTotal {
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

fn waiver(w: &WaiverResult, desk: &Desk<'_>) -> WaiverView {
    let active = w.state == "active";
    WaiverView {
        id: visible_cut(&w.id, 80),
        state: match w.state.as_str() {
            "active" => format!("accepted until {}", words::date(&w.expires_on)),
            "expired" => format!("expired on {}", words::date(&w.expires_on)),
            "not-yet-started" => format!("starts on {}", words::date(&w.starts_on)),
            other => visible_cut(other, 40),
        },
        active,
        flags: w
            .flags
            .iter()
            .filter_map(|f| match f.as_str() {
                "unused" => Some("matches nothing"),
                "expiring" => Some("ends within 30 days"),
                "broad" => Some("covers more than a quarter of a check’s failures"),
                _ => None,
            })
            .collect(),
        matched: number(w.matched),
        waived: number(w.waived),
        checks: desk.check_links(&w.checks),
        predicate: visible_cut(&w.r#where, 1_000),
        reason: visible(&w.reason),
        requested_by: visible_cut(&w.requested_by, 120),
        approved_by: visible_cut(&w.approved_by, 120),
        starts: words::date(&w.starts_on),
        expires: words::date(&w.expires_on),
        expires_at: visible_cut(&w.expires_at, 60),
    }
}

fn quality(q: &DataQuality, desk: &Desk<'_>) -> Quality {
    Quality {
        title: words::sentence(&visible(&q.title)),
        kind: visible_cut(&q.kind, 60),
        count: number(q.count),
        examples: q.examples.iter().take(10).map(|e| visible_cut(e, 120)).collect(),
        weakens: desk.check_links(&q.weakens),
    }
}

/// The policy flattened to dotted names, in its own order.
fn policy(policy: &Value, changed: &[String]) -> Vec<PolicyValue> {
    let mut out = Vec::new();
    flatten("", policy, changed, &mut out);
    out
}

fn flatten(prefix: &str, v: &Value, changed: &[String], out: &mut Vec<PolicyValue>) {
    match v {
        Value::Object(fields) => {
            for (key, inner) in fields {
                let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                flatten(&name, inner, changed, out);
            }
        }
        Value::Null if prefix.is_empty() => {}
        _ => {
            let inherited =
                |c: &String| prefix == c || prefix.strip_prefix(c.as_str()).is_some_and(|r| r.starts_with('.'));
            // Under `revocation` and the token limits the unit stands in the name of the table, not of the key.
            let unit =
                if prefix.contains("_minutes.") || prefix.starts_with("revocation.") { "_minutes" } else { prefix };
            out.push(PolicyValue {
                name: visible_cut(prefix, 120),
                value: match v {
                    Value::Null => "not set".to_owned(),
                    _ => words::value(unit, v),
                },
                changed: changed.iter().any(inherited),
            });
        }
    }
}
