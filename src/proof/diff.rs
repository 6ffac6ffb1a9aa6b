//! What changed between two reports: of findings, rules and populations, and to which of them a change is due.
//!
//! A finding that is not there any more is *fixed* only where its subject is judged again and passes. One whose subject
//! left the population, or of which the data tells no more, is counted apart.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::ProofError;
use super::facts::{Facts, Rule};
use super::kept::{Kept, SubjectKey};
use crate::check::Verdict;
use crate::config::Config;
use crate::report::model::{
    Assessment, Cause, Change, ChangeKind, Changes, CheckResult, ControlChange, CountChange, Finding, REMEMBERED_DAYS,
    RuleChange, Severity, State, Subject, WaiverResult,
};
use crate::time;

/// The later report, in memory or read again.
pub struct Later<'a> {
    /// What it says.
    pub assessment: &'a Assessment,
    /// Its findings, in report order.
    pub findings: &'a [Finding],
    /// Its subjects, at least those that either report has a finding about; null when it keeps none.
    pub subjects: Option<&'a [Subject]>,
}

/// Policy values that feed facts, and the facts: where one of them changed, a difference of such a fact may be due to
/// the rules although no predicate changed. A name stands for everything below it.
const FEEDS: [(&str, &[&str]); 15] = [
    ("verification.levels", &["verification_level"]),
    ("verification.required", &["required_level"]),
    ("token", &["token_limit_minutes"]),
    ("revocation", &["revocation_sla_minutes", "prior_unrevoked", "prior_used_after"]),
    ("bulk_window_minutes", &["executor_burst", "bulk_window_observed"]),
    ("repeat_window_hours", &["target_burst", "repeat_window_observed"]),
    ("approval", &["approval_required"]),
    ("approval_match_before_minutes", &APPROVAL),
    ("approval_match_after_minutes", &APPROVAL),
    ("recovery_categories", &APPROVAL),
    ("desk_departments", &["executor_kind", "self_service", "automated", "approval_required"]),
    ("working_hours", &["off_hours"]),
    ("working_days", &["off_hours"]),
    ("holidays", &["off_hours"]),
    ("roster_freshness_days", &["target_on_leave"]),
];

const APPROVAL: [&str; 9] = [
    "approval_source",
    "approval_present",
    "approval_decision",
    "approval_lead_minutes",
    "approver_is_executor",
    "approver_is_target",
    "approver_is_requester",
    "approver_offboarded",
    "ticket_category_allowed",
];

/// Compares a kept report with a later one.
///
/// # Errors
/// When the kept report cannot be read, or the two cannot be compared because one is limited to an identity.
pub fn changes(previous: &Kept, later: &Later<'_>) -> Result<Changes, ProofError> {
    comparable(previous, later.assessment)?;
    let before = previous.findings()?;
    let was: BTreeMap<&str, &Finding> = before.iter().map(|f| (f.finding_id.as_str(), f)).collect();
    let is: BTreeMap<&str, &Finding> = later.findings.iter().map(|f| (f.finding_id.as_str(), f)).collect();
    let rules = rules(&previous.assessment, later.assessment);
    let judge = Judge::new(previous, later, &rules);
    let memory = previous.assessment.changes.as_ref();
    let ever: BTreeSet<&str> = memory.iter().flat_map(|m| m.gone.values().flatten().map(String::as_str)).collect();

    let mut findings = Vec::new();
    for (id, now) in &is {
        match was.get(id) {
            None => {
                let kind = if ever.contains(id) { ChangeKind::Reopened } else { ChangeKind::New };
                let (cause, why) = judge.appeared(now);
                findings.push(change(kind, cause, why, now, None));
            }
            Some(then) => {
                if then.severity != now.severity {
                    let (cause, why) = judge.weighs(then, now);
                    findings.push(change(ChangeKind::SeverityChanged, cause, why, now, Some(then.severity)));
                }
                let (kind, waiver) = match (then.state, now.state) {
                    (State::Open, State::Waived) => (ChangeKind::NewlyWaived, &now.waiver),
                    (State::Waived, State::Open) => (ChangeKind::WaiverExpired, &then.waiver),
                    _ => continue,
                };
                let (cause, why) = judge.waived(waiver);
                let entry = change(kind, cause, why, now, Some(then.severity));
                findings.push(Change { waiver: waiver.to_string(), ..entry });
            }
        }
    }
    for (id, then) in &was {
        if !is.contains_key(id) {
            let (kind, cause, why) = judge.went(then);
            findings.push(change(kind, cause, why, then, Some(then.severity)));
        }
    }
    findings.sort_by(|a, b| order(a).cmp(&order(b)));

    let mut counts: BTreeMap<ChangeKind, u64> = ChangeKind::ALL.into_iter().map(|kind| (kind, 0)).collect();
    let mut new_open: BTreeMap<Severity, u64> = Severity::ALL.into_iter().map(|severity| (severity, 0)).collect();
    for change in &findings {
        *counts.entry(change.kind).or_default() += 1;
        let arrived = matches!(change.kind, ChangeKind::New | ChangeKind::Reopened);
        if arrived && is.get(change.finding_id.as_str()).is_some_and(|now| now.state == State::Open) {
            *new_open.entry(change.severity).or_default() += 1;
        }
    }
    let (first_seen, gone) = memories(previous, &was, &is, later.assessment);
    Ok(Changes {
        previous: previous.reference(),
        persisting: is.keys().filter(|id| was.contains_key(*id)).count() as u64,
        due_to_rules: findings.iter().filter(|change| change.cause == Cause::Rules).count() as u64,
        counts,
        new_open,
        findings,
        rules,
        population: population(&previous.assessment, later.assessment),
        controls: controls(&previous.assessment, later.assessment),
        unchanged_inputs: unchanged(&previous.assessment, later.assessment),
        first_seen,
        gone,
    })
}

/// The subjects that a comparison looks at: those of findings that came or went.
pub fn concerned<'a>(before: &'a [Finding], after: &'a [Finding]) -> BTreeSet<SubjectKey> {
    let ids =
        |findings: &'a [Finding]| -> BTreeSet<&'a str> { findings.iter().map(|f| f.finding_id.as_str()).collect() };
    let (was, is) = (ids(before), ids(after));
    let came = after.iter().filter(|f| !was.contains(f.finding_id.as_str()));
    let went = before.iter().filter(|f| !is.contains(f.finding_id.as_str()));
    came.chain(went).map(key).collect()
}

/// A report about one identity says nothing about the others.
pub(super) fn comparable(previous: &Kept, later: &Assessment) -> Result<(), ProofError> {
    if previous.assessment.limited_to == later.limited_to {
        return Ok(());
    }
    let limited = |to: &Option<String>| match to {
        Some(name) => format!("limited to {name:?}"),
        None => "about the whole organisation".to_owned(),
    };
    Err(ProofError::at(
        &previous.folder,
        format!(
            "is {}, the report it is compared with is {}",
            limited(&previous.assessment.limited_to),
            limited(&later.limited_to)
        ),
        "compare reports with the same `--identity`, or without it",
    ))
}

fn key(finding: &Finding) -> SubjectKey {
    (finding.subject_kind.to_string(), finding.system.to_string(), finding.subject.to_string())
}

fn order(change: &Change) -> (ChangeKind, Severity, &str, &str, &str, &str) {
    (change.kind, change.severity, &change.occurred_at, &change.check, &change.system, &change.subject)
}

fn change(kind: ChangeKind, cause: Cause, why: String, finding: &Finding, before: Option<Severity>) -> Change {
    Change {
        kind,
        cause,
        why,
        finding_id: finding.finding_id.to_string(),
        check: finding.check.to_string(),
        severity: finding.severity,
        severity_before: before,
        subject_kind: finding.subject_kind.to_string(),
        subject: finding.subject.to_string(),
        system: finding.system.to_string(),
        occurred_at: finding.occurred_at.to_string(),
        target: finding.target.to_string(),
        because: finding.because.to_string(),
        waiver: finding.waiver.to_string(),
    }
}

/// Says to what a change is due, by judging the later report's facts under the earlier report's rules.
struct Judge<'a> {
    later: &'a Assessment,
    subjects: Option<BTreeMap<(&'a str, &'a str, &'a str), &'a Subject>>,
    then: BTreeMap<&'a str, &'a CheckResult>,
    now: BTreeMap<&'a str, &'a CheckResult>,
    // Null: the earlier config is not one that this version understands.
    config: Option<Config>,
    // Facts that a changed policy value feeds.
    fed: BTreeSet<&'static str>,
    other_version: bool,
    waivers_then: &'a [WaiverResult],
}

impl<'a> Judge<'a> {
    fn new(previous: &'a Kept, later: &Later<'a>, rules: &[RuleChange]) -> Judge<'a> {
        let changed = |name: &str| {
            let below = format!("{name}.");
            rules.iter().any(|rule| rule.kind == "policy" && (rule.id == name || rule.id.starts_with(&below)))
        };
        let by_id = |a: &'a Assessment| a.checks.iter().map(|check| (check.id.as_str(), check)).collect();
        Judge {
            later: later.assessment,
            subjects: later.subjects.map(|all| {
                all.iter().map(|s| ((s.subject_kind.as_str(), s.system.as_str(), s.subject.as_str()), s)).collect()
            }),
            then: by_id(&previous.assessment),
            now: by_id(later.assessment),
            config: previous.config().ok(),
            fed: FEEDS.iter().filter(|(name, _)| changed(name)).flat_map(|(_, facts)| facts.iter().copied()).collect(),
            other_version: previous.assessment.tool.version != later.assessment.tool.version,
            waivers_then: &previous.assessment.waivers,
        }
    }

    fn subject(&self, finding: &Finding) -> Option<&'a Subject> {
        let key = (finding.subject_kind.as_str(), finding.system.as_str(), finding.subject.as_str());
        self.subjects.as_ref()?.get(&key).copied()
    }

    /// The verdict that the earlier rule gives on the later facts; null when that cannot be worked out.
    fn earlier_rule(&self, check: &CheckResult, facts: &Facts) -> Option<Verdict> {
        Rule::of(check, &self.config.as_ref()?.policy).map(|rule| rule.verdict(facts))
    }

    /// The world, unless the facts themselves may have been computed by other rules.
    fn world_unless_fed(&self, check: &CheckResult) -> Cause {
        let names = |text: &str| self.fed.iter().any(|fact| text.contains(fact));
        if self.other_version || names(&check.applies) || names(&check.fails) { Cause::NotKnown } else { Cause::World }
    }

    fn appeared(&self, now: &Finding) -> (Cause, String) {
        let Some(then) = self.then.get(now.check.as_str()).copied() else {
            return (Cause::Rules, "the check was not in force before".to_owned());
        };
        let same = self.now.get(now.check.as_str()).is_some_and(|is| same_rule(then, is));
        if same {
            let cause = self.world_unless_fed(then);
            return (cause, if cause == Cause::World { "the rule is as it was" } else { NOT_TOLD }.to_owned());
        }
        match self.subject(now).and_then(|subject| self.earlier_rule(then, &subject.facts)) {
            Some(Verdict::Fail) => {
                (self.world_unless_fed(then), "the rule changed, but it would have failed under the earlier one".into())
            }
            Some(_) => (Cause::Rules, "the rule changed: under the earlier one it would not have failed".to_owned()),
            None => (Cause::NotKnown, "the rule changed, and no facts are kept to judge by the earlier one".to_owned()),
        }
    }

    fn went(&self, then: &Finding) -> (ChangeKind, Cause, String) {
        let Some(check) = self.now.get(then.check.as_str()).copied() else {
            return (ChangeKind::NoLongerApplies, Cause::Rules, "the check is no longer in force".to_owned());
        };
        if then.subject_kind == "reset"
            && let Some(why) = outside(&then.occurred_at, self.later)
        {
            return (ChangeKind::LeftPopulation, Cause::World, why);
        }
        if self.subjects.is_none() {
            let why = "the later report keeps no subjects, so that it cannot be told whether it was fixed";
            return (ChangeKind::Gone, Cause::NotKnown, format!("{why} (`--subjects always`)"));
        }
        let Some(subject) = self.subject(then) else {
            return (ChangeKind::LeftPopulation, Cause::World, "its record is not in the inputs any more".to_owned());
        };
        let (kind, mut why) = match subject.verdicts.get(then.check.as_str()).map(String::as_str) {
            Some("pass") => (ChangeKind::Fixed, "it is judged, and passes".to_owned()),
            Some("indeterminate") => {
                let missing: Vec<&str> = facts_of(&check.fails, &check.applies)
                    .filter(|name| subject.facts.get(*name).is_some_and(Value::is_null))
                    .collect();
                (ChangeKind::NoLongerJudged, format!("the data does not tell any more: {}", missing.join(", ")))
            }
            _ => (ChangeKind::NoLongerApplies, "the check does not apply to it any more".to_owned()),
        };
        let cause = match self.then.get(then.check.as_str()) {
            Some(earlier) if !same_rule(earlier, check) => match self.earlier_rule(earlier, &subject.facts) {
                Some(Verdict::Fail) => {
                    why = "the rule changed: under the earlier one it would still fail".to_owned();
                    Cause::Rules
                }
                Some(_) => self.world_unless_fed(earlier),
                None => Cause::NotKnown,
            },
            Some(earlier) => self.world_unless_fed(earlier),
            None => Cause::NotKnown,
        };
        (kind, cause, why)
    }

    fn weighs(&self, then: &Finding, now: &Finding) -> (Cause, String) {
        let weight = |check: &CheckResult| (check.severity, check.escalated);
        let (was, is) = (self.then.get(then.check.as_str()), self.now.get(now.check.as_str()));
        let why = format!("{} before, {} now", then.severity, now.severity);
        match (was.map(|c| weight(c)), is.map(|c| weight(c))) {
            (Some(was), Some(is)) if was == is && !self.other_version => {
                (Cause::World, format!("{why}: who is concerned weighs otherwise"))
            }
            (Some(was), Some(is)) if was == is => (Cause::NotKnown, why),
            _ => (Cause::Rules, format!("{why}: the check's severity was changed")),
        }
    }

    fn waived(&self, id: &str) -> (Cause, String) {
        let find = |waivers: &'a [WaiverResult]| waivers.iter().find(|waiver| waiver.id == id);
        let (was, is) = (find(self.waivers_then), find(&self.later.waivers));
        match (was, is) {
            (Some(_), None) => (Cause::Rules, format!("the waiver {id} was taken out")),
            (None, Some(_)) => (Cause::Rules, format!("the waiver {id} was added")),
            (Some(was), Some(is)) if waiver_text(was) != waiver_text(is) => {
                (Cause::Rules, format!("the waiver {id} was changed"))
            }
            (Some(was), Some(is)) if was.state != is.state => {
                (Cause::World, format!("the waiver {id} was {} and is {}", was.state, is.state))
            }
            _ => (Cause::World, format!("what the waiver {id} asks for is not as it was")),
        }
    }
}

const NOT_TOLD: &str = "the rule is as it was, but facts it looks at were computed by other rules";

/// Why an instant is outside a report's period; null when it is inside.
fn outside(occurred_at: &str, report: &Assessment) -> Option<String> {
    let micros = |text: &str| time::parse_instant(text.as_bytes()).map(|at| at.in_zone(chrono_tz::Tz::UTC));
    let at = micros(occurred_at)?;
    let run = &report.run;
    if let Some(since) = run.since.as_deref().filter(|since| micros(since).is_some_and(|since| at < since)) {
        return Some(format!("it lies before the period, which now begins at {since}"));
    }
    let until = run.until.as_deref().filter(|until| micros(until).is_some_and(|until| at >= until))?;
    Some(format!("it lies after the period, which now ends at {until}"))
}

/// The words of two predicates that may be names of facts.
fn facts_of<'a>(fails: &'a str, applies: &'a str) -> impl Iterator<Item = &'a str> {
    let mut seen = BTreeSet::new();
    fails
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .chain(applies.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'))
        .filter(move |word| !word.is_empty() && seen.insert(*word))
}

fn same_rule(a: &CheckResult, b: &CheckResult) -> bool {
    (&a.applies, &a.fails, &a.thresholds, &a.subject) == (&b.applies, &b.fails, &b.thresholds, &b.subject)
}

type Memory = BTreeMap<String, Vec<String>>;

/// Since when each finding is known, and what went when.
fn memories(
    previous: &Kept,
    was: &BTreeMap<&str, &Finding>,
    is: &BTreeMap<&str, &Finding>,
    later: &Assessment,
) -> (Memory, Memory) {
    let memory = previous.assessment.changes.as_ref();
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for (since, ids) in memory.iter().flat_map(|m| &m.first_seen) {
        seen.extend(ids.iter().map(|id| (id.as_str(), since.as_str())));
    }
    let (then, now) = (previous.assessment.run.as_of.as_str(), later.run.as_of.as_str());
    let mut first_seen = Memory::new();
    for id in is.keys() {
        let since = if was.contains_key(id) { seen.get(id).copied().unwrap_or(then) } else { now };
        first_seen.entry(since.to_owned()).or_default().push((*id).to_owned());
    }
    let micros = |text: &str| time::parse_instant(text.as_bytes()).map(|at| at.in_zone(chrono_tz::Tz::UTC));
    let kept = |at: &str| match (micros(at), micros(now)) {
        (Some(at), Some(now)) => now - at <= REMEMBERED_DAYS * time::DAY,
        _ => false,
    };
    let mut gone = Memory::new();
    for (at, ids) in memory.iter().flat_map(|m| &m.gone).filter(|(at, _)| kept(at)) {
        let still: Vec<String> = ids.iter().filter(|id| !is.contains_key(id.as_str())).cloned().collect();
        if !still.is_empty() {
            gone.insert(at.clone(), still);
        }
    }
    let went: Vec<String> = was.keys().filter(|id| !is.contains_key(*id)).map(|id| (*id).to_owned()).collect();
    if !went.is_empty() {
        gone.entry(now.to_owned()).or_default().extend(went);
    }
    (first_seen, gone)
}

/// A waiver without what time and data do to it.
fn waiver_text(waiver: &WaiverResult) -> String {
    let w = waiver;
    format!("{} where {} ({} to {})", w.checks.join(", "), w.r#where, w.starts_on, w.expires_on)
}

fn check_text(check: &CheckResult) -> String {
    let severity = check.severity.map_or("none", |severity| severity.as_str());
    let escalated = check.escalated.map_or(String::new(), |severity| format!(", up to {severity}"));
    let thresholds: Vec<String> = check
        .thresholds
        .iter()
        .map(|(name, value)| format!("{name} = {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect();
    let thresholds = if thresholds.is_empty() { String::new() } else { format!("; {}", thresholds.join(", ")) };
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("applies {}; fails {}; {severity}{escalated}{thresholds}", one_line(&check.applies), one_line(&check.fails))
}

/// Every rule that is not as it was: version, checks, policy, waivers; the mappings where nothing of that explains them.
fn rules(was: &Assessment, is: &Assessment) -> Vec<RuleChange> {
    let mut out = Vec::new();
    let mut note = |kind: &str, was: BTreeMap<String, String>, is: BTreeMap<String, String>| {
        let ids: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
        for id in ids {
            let (was, is) = (was.get(id).cloned(), is.get(id).cloned());
            if was != is {
                out.push(RuleChange { kind: kind.to_owned(), id: id.clone(), was, is });
            }
        }
    };
    let version = |a: &Assessment| BTreeMap::from([("regrant".to_owned(), a.tool.version.clone())]);
    note("version", version(was), version(is));
    let checks = |a: &Assessment| a.checks.iter().map(|c| (c.id.clone(), check_text(c))).collect();
    note("check", checks(was), checks(is));
    note("policy", leaves(&was.run.policy), leaves(&is.run.policy));
    let zone = |a: &Assessment| a.run.timezone.iter().map(|zone| ("timezone".to_owned(), zone.clone())).collect();
    note("policy", zone(was), zone(is));
    let waivers = |a: &Assessment| a.waivers.iter().map(|w| (w.id.clone(), waiver_text(w))).collect();
    note("waiver", waivers(was), waivers(is));
    if was.run.mappings_sha256 != is.run.mappings_sha256 {
        let digest = |a: &Assessment| BTreeMap::from([("sha256".to_owned(), a.run.mappings_sha256.clone())]);
        note("mappings", digest(was), digest(is));
    }
    out
}

/// Every value of the policy by its dotted name; a list is one value.
fn leaves(policy: &Value) -> BTreeMap<String, String> {
    fn walk(value: &Value, name: &str, out: &mut BTreeMap<String, String>) {
        match value {
            Value::Object(members) => {
                for (key, below) in members {
                    let dotted = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                    walk(below, &dotted, out);
                }
            }
            Value::String(text) => drop(out.insert(name.to_owned(), text.clone())),
            other => drop(out.insert(name.to_owned(), other.to_string())),
        }
    }
    let mut out = BTreeMap::new();
    walk(policy, "", &mut out);
    out
}

fn population(was: &Assessment, is: &Assessment) -> Vec<CountChange> {
    let counts = |a: &Assessment| {
        let p = &a.population;
        [
            ("resets", p.resets),
            ("credentials", p.credentials),
            ("identities", p.identities),
            ("people", p.people),
            ("workloads", p.workloads),
            ("events", p.events),
            ("accounts", p.accounts),
            ("tickets", p.tickets),
        ]
    };
    counts(was)
        .into_iter()
        .zip(counts(is))
        .filter(|(was, is)| was.1 != is.1)
        .map(|((what, was), (_, is))| CountChange { what: what.to_owned(), was, is })
        .collect()
}

fn controls(was: &Assessment, is: &Assessment) -> Vec<ControlChange> {
    let before = |id: &str| was.controls.iter().find(|control| control.id == id);
    is.controls
        .iter()
        .filter_map(|now| before(&now.id).map(|then| (then, now)))
        .filter(|(then, now)| (then.verdict, then.deviation_rate) != (now.verdict, now.deviation_rate))
        .map(|(then, now)| ControlChange {
            id: now.id.clone(),
            was: then.verdict,
            is: now.verdict,
            rate_was: then.deviation_rate,
            rate_is: now.deviation_rate,
        })
        .collect()
}

/// Inputs that were exported to the same bytes although time went on. Without digests nothing is said.
fn unchanged(was: &Assessment, is: &Assessment) -> Vec<String> {
    if was.run.as_of == is.run.as_of {
        return Vec::new();
    }
    let before: BTreeMap<&str, _> =
        was.inputs.iter().map(|input| (input.path.as_str(), (&input.sha256, &input.blake3))).collect();
    is.inputs
        .iter()
        .filter(|input| input.sha256.is_some() || input.blake3.is_some())
        .filter(|input| before.get(input.path.as_str()) == Some(&(&input.sha256, &input.blake3)))
        .map(|input| input.path.clone())
        .collect()
}
