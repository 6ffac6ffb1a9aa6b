//! Identities and credentials: what happened to each, drawn to scale and as a list.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashSet;
use serde::Serialize;

use super::desk::Desk;
use super::strip::{Strip, strip};
use crate::render::html::words::{self, Clock, SEVERITIES, When, count, number, visible, visible_cut};
use crate::report::model::{Assessment, Finding, IdentityStory, Standing};

/// Findings named with one identity.
pub(super) const FINDINGS_OF_A_STORY: usize = 25;

/// A silence between two moments that the time line names, in seconds.
pub(super) const SILENCE: i64 = 3 * 86_400;

#[derive(Clone, Serialize)]
pub(super) struct Story {
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
    strip: Option<Strip>,
    moments: Vec<MomentView>,
    omitted: Option<String>,
}

#[derive(Clone, Serialize)]
pub(super) struct StoryFinding {
    id: String,
    listed: bool,
    text: String,
    severity: &'static str,
    at: Option<When>,
}

#[derive(Clone, Serialize)]
pub(super) struct MomentView {
    silence: Option<String>,
    at: When,
    class: &'static str,
    kind: String,
    text: String,
    system: String,
    source: String,
}

pub(super) fn stories_line(a: &Assessment, told: u64) -> String {
    let concerned = a.identities_concerned.max(told);
    let open = a.checks.iter().filter(|check| check.verdict == Standing::CannotConclude).count() as u64;
    if concerned == 0 && open > 0 {
        let all = count(a.checks.len() as u64, "check", "checks");
        format!("No identity has an open finding; {} of {all} cannot conclude.", number(open))
    } else if concerned == 0 {
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

pub(super) fn stories(a: &Assessment, findings: &[Finding], listed: &BTreeSet<&str>, desk: &Desk<'_>) -> Vec<Story> {
    let wanted: HashSet<&str> =
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

pub(super) fn story(
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
            text: known
                .get(id.as_str())
                .map_or_else(|| visible_cut(id, 40), |f| words::sentence_from_data(&visible(&f.because))),
            severity: known.get(id.as_str()).map_or("", |f| words::severity(f.severity)),
            at: known.get(id.as_str()).filter(|f| !f.occurred_at.is_empty()).map(|f| clock.when(&f.occurred_at)),
        })
        .collect();
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
        strip: strip(s, clock, as_of),
        moments,
        omitted: (s.timeline_omitted > 0).then(|| count(s.timeline_omitted, "further entry", "further entries")),
    }
}

pub(super) fn moment_class(kind: &str) -> &'static str {
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
