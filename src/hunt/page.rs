//! `hunt.html`: one file that opens from disk, loads nothing and runs nothing. Prepares words; the template holds loops only.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;

use super::incident::{INCIDENT, Reason};
use super::limits::{self, KINDS, Limit, Together};
use super::output::headline;
use super::report::{Hunt, Incident, Person};
use super::story::{Cut, Line, Touched};
use crate::render::chart::{self, Branch, ChartError, Ink, Room};
use crate::render::html::Still;
use crate::render::html::words::{Clock, When, count, number, visible, visible_cut};

const TEMPLATE: &str = include_str!("../../templates/hunt.html");
const OWN_STYLE: &str = include_str!("../../templates/hunt.css");
/// Characters of a value in a table; the data files have it whole.
const CELL: usize = 120;
/// Characters of a label in the graph.
const LABEL: usize = 56;
/// Lines of a graph that are drawn; the table has all.
const DRAWN: usize = 60;
/// Lines of the table beside the graph; hunt.json has all.
const DESCENT: usize = 400;
/// Identities whose access was changed, and things to cut off a step, that are shown. Around a desk account there are tens of
/// thousands: whoever works through those takes the data files, and a page with all of them does not open.
const ROWS: usize = 200;
/// Rows of one blast list that are shown.
const TOUCHED: usize = 60;
/// Lines of what cannot be seen around one incident that are shown.
const NEAR: usize = 12;
/// Patterns and groups of one kind that are shown of what cannot be seen.
const GROUPS: usize = 40;

#[derive(Serialize)]
struct Page {
    version: String,
    as_of: When,
    span: String,
    looked_at: String,
    headline: String,
    sentences: Vec<String>,
    pivots: Vec<String>,
    contents: Vec<Content>,
    incidents: Vec<Card>,
    untold: String,
    leads: Vec<Brief>,
    leads_line: String,
    limits: Vec<Kind>,
    limits_line: String,
    patterns: Vec<Row>,
    timeline: String,
    threshold: u32,
}

#[derive(Serialize)]
struct Content {
    id: String,
    text: String,
    score: u32,
    began: When,
}

#[derive(Serialize)]
struct Card {
    id: String,
    standing: String,
    headline: String,
    score: u32,
    began: When,
    known: Option<When>,
    last: When,
    reasons: Vec<Why>,
    attack: Vec<String>,
    people: Vec<Vec<String>>,
    people_line: String,
    executors: String,
    cuts: Vec<Step>,
    wide: String,
    narrow: String,
    drawn: String,
    descent: Vec<Vec<String>>,
    descent_line: String,
    story: Vec<Told>,
    story_line: String,
    blast: Vec<Vec<String>>,
    blast_line: String,
    desk: Vec<Vec<String>>,
    desk_count: String,
    desk_line: String,
    unseen: Vec<(String, String)>,
    unseen_line: String,
}

#[derive(Serialize)]
struct Why {
    points: u32,
    text: String,
    because: Vec<String>,
}

#[derive(Serialize)]
struct Step {
    title: String,
    rows: Vec<Vec<String>>,
    line: String,
}

#[derive(Serialize)]
struct Told {
    at: When,
    sentence: String,
    matched: bool,
    place: String,
    fields: Vec<(String, String)>,
}

#[derive(Serialize)]
struct Brief {
    score: u32,
    began: When,
    headline: String,
    reasons: Vec<String>,
}

#[derive(Serialize)]
struct Kind {
    title: &'static str,
    lines: Vec<(String, String)>,
}

#[derive(Serialize)]
struct Row {
    id: String,
    title: String,
    weight: u32,
    matches: String,
    unseen: bool,
}

/// The page of a hunt; `lines` is how many the time line files have.
///
/// # Errors
/// Only when the embedded template and this module disagree, or the chart backend refuses.
pub fn html(hunt: &Hunt, lines: usize) -> Result<String, String> {
    let page = page(hunt, lines).map_err(|error| error.to_string())?;
    let run: String = hunt.proof.run_digest.chars().take(16).collect();
    let own = Still {
        name: "hunt.html",
        template: TEMPLATE,
        style: OWN_STYLE,
        title: format!("Hunt: {}", page.headline),
        header: format!("Hunt for reset abuse · {} · run {run}", page.span),
    };
    own.render(page)
}

fn page(hunt: &Hunt, lines: usize) -> Result<Page, ChartError> {
    let clock = Clock::new(hunt.zone.as_deref());
    let unseen = |id: &str| {
        hunt.limits.iter().any(|l| l.kind == "pattern" && l.what == id && l.because.starts_with("cannot be seen"))
    };
    let told = hunt.incidents.iter().filter(|i| i.standing == "incident").count() as u64;
    let contents = hunt.incidents.iter().filter(|_| hunt.incidents.len() > 1);
    let cannot = hunt.patterns.iter().filter(|t| unseen(&t.pattern.id)).count() as u64;
    let headline = match (hunt.incident_count, hunt.touched) {
        (0, None) => "No group of sequences is an incident".to_owned(),
        (0, Some(_)) => "Part of no incident".to_owned(),
        (1, None) => "One incident".to_owned(),
        (1, Some(_)) => "Part of one incident".to_owned(),
        (n, None) => format!("{} incidents", number(n)),
        (n, Some(_)) => format!("Part of {} incidents", number(n)),
    };
    let mut sentences = Vec::new();
    if let Some(touched) = hunt.touched {
        sentences.push(format!(
            "{} by what was asked for; what happened around them stands first.",
            count(touched, "event is touched", "events are touched")
        ));
    }
    if let Some(first) = hunt.incidents.iter().find(|i| i.standing == "incident") {
        let by = match first.executors.as_slice() {
            [] => "by somebody whom no log names".to_owned(),
            list => format!(
                "carried out by {}{}",
                list.iter().take(3).map(|e| visible_cut(e, 60)).collect::<Vec<_>>().join(", "),
                if list.len() > 3 { " and others" } else { "" }
            ),
        };
        let began = clock.when(&first.began_at).text;
        let which = if hunt.incident_count == 1 { "It" } else { "The worst" };
        sentences.push(format!("{which} began {began}: {}, {by}.", visible_cut(&super::output::headline(first), 200)));
        let others = others(&first.blast).len() as u64;
        sentences.push(format!(
            "{} to cut off first; {} something with it.",
            count(first.containment.len() as u64, "thing", "things"),
            count(others, "other identity shares", "other identities share")
        ));
    }
    if hunt.incident_count == 0 && !hunt.leads.is_empty() {
        sentences.push(format!(
            "{} below {INCIDENT} points: look at those with the most first.",
            count(hunt.lead_count, "lead lies", "leads lie")
        ));
    }
    if cannot > 0 {
        sentences.push(format!(
            "{} of {} patterns cannot be seen in these inputs: what they would find is not ruled out.",
            number(cannot),
            number(hunt.patterns.len() as u64)
        ));
    }
    Ok(Page {
        version: visible_cut(&hunt.version, 40),
        as_of: clock.when(&hunt.as_of),
        span: match (&hunt.first_at, &hunt.last_at) {
            (Some(first), Some(last)) => format!("{} – {}", clock.when(first).text, clock.when(last).text),
            _ => "no event".to_owned(),
        },
        looked_at: format!("{}, {} of them resets", count(hunt.events, "event", "events"), number(hunt.resets)),
        headline,
        sentences,
        pivots: hunt.pivots.values.iter().map(|(kind, value)| format!("{kind} {}", visible_cut(value, CELL))).collect(),
        contents: contents
            .map(|i| Content {
                id: i.id.clone(),
                text: visible_cut(&super::output::headline(i), 140),
                score: i.score,
                began: clock.when(&i.began_at),
            })
            .collect(),
        incidents: hunt.incidents.iter().map(|i| card(i, clock)).collect::<Result<_, _>>()?,
        untold: match hunt.incident_count.saturating_sub(told) {
            0 => String::new(),
            n => format!(
                "{} with fewer points are not told here; narrow the hunt with --since or a pivot.",
                count(n, "incident", "incidents")
            ),
        },
        leads: hunt.leads.iter().map(|lead| brief(lead, clock)).collect(),
        leads_line: format!(
            "{} of {} shown; {} with fewer points",
            number(hunt.leads.len() as u64),
            number(hunt.lead_count),
            count(hunt.below, "group", "groups")
        ),
        limits: kinds(hunt, clock),
        limits_line: count(hunt.limits.len() as u64, "line", "lines"),
        patterns: hunt
            .patterns
            .iter()
            .map(|t| Row {
                id: visible_cut(&t.pattern.id, 80),
                title: visible(&t.pattern.title),
                weight: t.pattern.weight,
                matches: number(t.matches),
                unseen: unseen(&t.pattern.id),
            })
            .collect(),
        timeline: count(lines as u64, "event", "events"),
        threshold: INCIDENT,
    })
}

fn kinds(hunt: &Hunt, clock: Clock) -> Vec<Kind> {
    let groups = limits::together(&hunt.limits);
    KINDS
        .into_iter()
        .map(|(kind, title)| {
            let of: Vec<&Together> = groups.iter().filter(|group| group.kind == kind).collect();
            let mut lines: Vec<(String, String)> = of.iter().take(GROUPS).map(|group| said(group, clock)).collect();
            if of.len() > GROUPS {
                lines
                    .push(("…".to_owned(), format!("{} more stand in limits.csv", number((of.len() - GROUPS) as u64))));
            }
            Kind { title, lines }
        })
        .filter(|kind| !kind.lines.is_empty())
        .collect()
}

/// What cannot be seen, as a name and a sentence.
fn said(group: &Together, clock: Clock) -> (String, String) {
    let mut because = in_words(clock, &visible_cut(&group.because, 400));
    if !group.examples.is_empty() {
        let names: Vec<String> = group.examples.iter().map(|name| visible_cut(name, 60)).collect();
        let more = if group.count > names.len() as u64 { ", …" } else { "" };
        because.push_str(&format!(" ({}{more})", names.join(", ")));
    }
    (visible_cut(&group.what, CELL), because)
}

/// What cannot be seen around one incident: its own time first.
fn near(limits: &[Limit], clock: Clock) -> (Vec<(String, String)>, String) {
    let groups = limits::together(limits);
    let lines = groups.iter().take(NEAR).map(|group| said(group, clock)).collect();
    let more = match groups.len().saturating_sub(NEAR) {
        0 => String::new(),
        n => format!("{} more stand in limits.csv.", number(n as u64)),
    };
    (lines, more)
}

static INSTANT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?Z\b").expect("a literal that compiles")
});

/// Prose with its instants as the page says them: in words, with the zone. Raw fields keep theirs.
pub fn in_words(clock: Clock, text: &str) -> String {
    INSTANT.replace_all(text, |found: &regex::Captures<'_>| clock.when(&found[0]).text).into_owned()
}

/// Others than those whose access the incident itself changed, each once: with what they share, the strongest first.
fn others(blast: &[Touched]) -> BTreeMap<&str, Vec<&Touched>> {
    let mut of: BTreeMap<&str, Vec<&Touched>> = BTreeMap::new();
    for touched in blast.iter().filter(|touched| !touched.within) {
        of.entry(touched.identity.as_str()).or_default().push(touched);
    }
    of
}

/// Rows of others; `strong` is whether they share more than somebody whose work is to reset.
fn touched(blast: &[Touched], strong: Shared, clock: Clock) -> Vec<Vec<String>> {
    let others = others(blast);
    let is = |of: &[&Touched]| match of.iter().any(|touched| touched.via != "executor") {
        true => Shared::Trace,
        false => Shared::Executor,
    };
    let mut rows: Vec<(&str, &Vec<&Touched>)> =
        others.iter().filter(|(_, of)| is(of) == strong).map(|(identity, of)| (*identity, of)).collect();
    // Of those whom one desk reset the earliest first; of others those who share most.
    rows.sort_by_key(|(identity, of)| {
        let strong = of.iter().filter(|touched| touched.via != "executor").count();
        let first = of.iter().map(|touched| touched.first_at.as_str()).min().unwrap_or_default();
        (std::cmp::Reverse(strong), first.to_owned(), identity.to_owned())
    });
    rows.into_iter()
        .map(|(identity, of)| {
            let cell = |text: &str| visible_cut(text, CELL);
            let first = of.iter().map(|touched| touched.first_at.as_str()).min().unwrap_or_default();
            let last = of.iter().map(|touched| touched.last_at.as_str()).max().unwrap_or_default();
            let when = match clock.stretch(first, Some(last)) {
                (first, None) => first.text,
                (first, Some(last)) => format!("{} – {}", first.text, last.text),
            };
            let reasons: Vec<String> = of.iter().map(|touched| cell(&touched.reason)).collect();
            let (name, tier) = (of[0].name.as_str(), of[0].tier.as_str());
            vec![cell(identity), cell(name), cell(tier), reasons.join("; "), when]
        })
        .collect()
}

/// What somebody shares with an incident.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shared {
    /// An address, device, session, phone or ticket.
    Trace,
    /// Only who carried something out.
    Executor,
}

fn why(reason: &Reason, clock: Clock) -> Why {
    Why {
        points: reason.points,
        text: visible(&match reason.worth.as_str() {
            "" => reason.text.clone(),
            worth => format!("{} ({worth})", reason.text),
        }),
        because: reason.because.iter().map(|text| in_words(clock, &visible_cut(text, 400))).collect(),
    }
}

fn brief(lead: &Incident, clock: Clock) -> Brief {
    Brief {
        score: lead.score,
        began: clock.when(&lead.began_at),
        headline: visible_cut(&headline(lead), 200),
        reasons: lead.reasons.iter().map(|r| format!("{} {}", r.points, visible(&r.text))).collect(),
    }
}

fn card(incident: &Incident, clock: Clock) -> Result<Card, ChartError> {
    let branch = |descent: &super::story::Descent, depth: usize| Branch {
        depth,
        label: visible_cut(&descent.label, LABEL),
        note: in_words(clock, &visible_cut(&descent.note, 80)),
        ink: match descent.kind.as_str() {
            "executor" => Ink::Plain,
            "identity" => Ink::Fail,
            _ => Ink::Open,
        },
    };
    let branches: Vec<Branch> = incident.lineage.iter().take(DRAWN).map(|d| branch(d, d.depth)).collect();
    let said = format!("Who changed whose access: {}", count(incident.lineage.len() as u64, "line", "lines"));
    let cell = |text: &str| visible_cut(text, CELL);
    let blast = touched(&incident.blast, Shared::Trace, clock);
    let desk = touched(&incident.blast, Shared::Executor, clock);
    let (unseen, unseen_line) = near(&incident.unseen, clock);
    // Who weighs more stands first where not all are shown.
    let mut people: Vec<&Person> = incident.people.iter().collect();
    if people.len() > ROWS {
        people.sort_by_key(|person| person.tier.is_empty());
    }
    Ok(Card {
        id: incident.id.clone(),
        standing: match incident.standing.as_str() {
            "pivot" => "around the pivot".to_owned(),
            other => other.to_owned(),
        },
        headline: visible_cut(&headline(incident), 240),
        score: incident.score,
        began: clock.when(&incident.began_at),
        // What lies around a pivot was never one thing that could be known.
        known: incident.known_at.as_ref().filter(|_| incident.standing != "pivot").map(|at| clock.when(at)),
        last: clock.when(&incident.last_at),
        reasons: incident.reasons.iter().map(|reason| why(reason, clock)).collect(),
        attack: incident.attack.iter().map(|t| cell(t)).collect(),
        people_line: more(people.len(), ROWS, "hunt.json"),
        people: people
            .into_iter()
            .take(ROWS)
            .map(|p| vec![cell(&p.identity), cell(&p.name), cell(&p.post), cell(&p.tier)])
            .collect(),
        executors: incident.executors.iter().map(|e| cell(e)).collect::<Vec<_>>().join(", "),
        cuts: steps(&incident.containment, clock),
        wide: if branches.is_empty() { String::new() } else { chart::tree(&branches, Room::Wide, &said)? },
        narrow: if branches.is_empty() { String::new() } else { chart::tree(&branches, Room::Narrow, &said)? },
        drawn: match incident.lineage.len() {
            n if n > DESCENT => more(n, DRAWN, "hunt.json"),
            n => more(n, DRAWN, "the table"),
        },
        descent_line: more(incident.lineage.len(), DESCENT, "hunt.json"),
        descent: incident
            .lineage
            .iter()
            .take(DESCENT)
            .map(|d| {
                let by = cell(if d.by.is_empty() { "–" } else { &d.by });
                vec![by, cell(&d.label), cell(&d.kind), in_words(clock, &cell(&d.note))]
            })
            .collect(),
        story: incident.story.iter().map(|line| told(line, clock)).collect(),
        story_line: match (incident.more_lines, incident.more_matched) {
            (0, _) => String::new(),
            (n, 0) => format!("{} more, none of them part of a sequence, stand in timeline.csv.", number(n)),
            (n, matched) => format!(
                "{} more stand in timeline.csv, where {} part of a sequence have the tag regrant-matched.",
                number(n),
                number(matched)
            ),
        },
        blast: blast.iter().take(TOUCHED).cloned().collect(),
        blast_line: more(blast.len(), TOUCHED, "blast-list.csv"),
        desk: desk.iter().take(TOUCHED).cloned().collect(),
        desk_count: match desk.len() {
            n if n > TOUCHED => format!("{TOUCHED} of {}", number(n as u64)),
            n => number(n as u64),
        },
        desk_line: more(desk.len(), TOUCHED, "blast-list.csv"),
        unseen,
        unseen_line,
    })
}

/// How many of so many are not shown, and where they stand; empty when all are shown.
fn more(all: usize, shown: usize, place: &str) -> String {
    match all.saturating_sub(shown) {
        0 => String::new(),
        1 => format!("1 more stands in {place}."),
        n => format!("{} more stand in {place}.", number(n as u64)),
    }
}

fn told(line: &Line, clock: Clock) -> Told {
    Told {
        at: clock.when(&line.at),
        sentence: in_words(clock, &visible_cut(&line.sentence, 400)),
        matched: line.matched,
        place: line.place.as_deref().map(|place| visible_cut(place, CELL)).unwrap_or_default(),
        fields: line.fields.iter().map(|(name, value)| (name.clone(), visible_cut(value, CELL))).collect(),
    }
}

fn steps(cuts: &[Cut], clock: Clock) -> Vec<Step> {
    let titles = [
        (1, "Revoke sessions and tokens"),
        (2, "Remove what was enrolled since"),
        (3, "Take back what was granted"),
        (4, "Disable what was enabled"),
        (5, "Confirm each person anew"),
        (6, "Rotate keys that were issued"),
    ];
    titles
        .into_iter()
        .map(|(order, title)| Step {
            title: title.to_owned(),
            line: more(cuts.iter().filter(|cut| cut.order == order).count(), ROWS, "containment.csv"),
            rows: cuts
                .iter()
                .filter(|cut| cut.order == order)
                .take(ROWS)
                .map(|cut| {
                    let cell = |text: &str| visible_cut(text, CELL);
                    vec![cell(&cut.identity), cell(&cut.system), cell(&cut.object), in_words(clock, &cell(&cut.why))]
                })
                .collect(),
        })
        .filter(|step| !step.rows.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_of_prose_are_said_in_words_with_their_zone_and_nothing_else_is_touched() {
        let clock = Clock::new(Some("Europe/Berlin"));
        let text =
            "reset at 2026-07-14T09:12:00Z and 2026-01-14T09:12:00.25Z, ticket 2026-07-14, v2026-07-14T09:12:00Zx";
        let said =
            "reset at 14 Jul 2026 11:12 CEST and 14 Jan 2026 10:12 CET, ticket 2026-07-14, v2026-07-14T09:12:00Zx";
        assert_eq!(in_words(clock, text), said);
        assert_eq!(in_words(clock, "9999-99-99T99:99:99Z"), "9999-99-99T99:99:99Z");
    }
}
