//! Identities and credentials: what happened to each, drawn to scale and as a list.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::desk::Desk;
use super::population::Segment;
use crate::render::html::words::{self, Clock, SEVERITIES, When, count, number, visible, visible_cut};
use crate::report::model::{Assessment, Finding, IdentityStory};

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
    line: Vec<Segment>,
    marks: Vec<Mark>,
    line_from: String,
    line_to: String,
    moments: Vec<MomentView>,
    omitted: Option<String>,
}

#[derive(Clone, Serialize)]
pub(super) struct StoryFinding {
    id: String,
    listed: bool,
    text: String,
    severity: &'static str,
}

/// A dot of the time line.
#[derive(Clone, Serialize)]
pub(super) struct Mark {
    class: &'static str,
    x: String,
    title: String,
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

pub(super) fn stories(a: &Assessment, findings: &[Finding], listed: &BTreeSet<&str>, desk: &Desk<'_>) -> Vec<Story> {
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

/// The time line's scale: from the first moment to the last, or to `as_of` where that lies near.
pub(super) struct Scale {
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
