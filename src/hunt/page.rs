//! `hunt.html`: one file that opens from disk, loads nothing and runs nothing. Prepares words; the template holds loops only.

use serde::Serialize;
use tera::{Context, Tera};

use super::incident::{INCIDENT, Reason};
use super::output::headline;
use super::report::{Hunt, Incident};
use super::story::{Cut, Line};
use crate::render::chart::{self, Branch, ChartError, Ink, Room};
use crate::render::html::words::{Clock, When, count, number, visible, visible_cut};
use crate::render::html::{STYLE, policy_hash};

const TEMPLATE: &str = include_str!("../../templates/hunt.html");
const OWN_STYLE: &str = include_str!("../../templates/hunt.css");
/// Characters of a value in a table; the data files have it whole.
const CELL: usize = 120;
/// Characters of a label in the graph.
const LABEL: usize = 56;
/// Lines of a graph that are drawn; the table has all.
const DRAWN: usize = 60;
/// Rows of one blast list that are shown.
const TOUCHED: usize = 60;

#[derive(Serialize)]
struct Page {
    version: String,
    as_of: When,
    span: String,
    looked_at: String,
    headline: String,
    sentences: Vec<String>,
    pivots: Vec<String>,
    incidents: Vec<Card>,
    untold: String,
    leads: Vec<Brief>,
    leads_line: String,
    limits: Vec<Kind>,
    patterns: Vec<Row>,
    timeline: String,
    threshold: u32,
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
    executors: String,
    cuts: Vec<Step>,
    wide: String,
    narrow: String,
    drawn: String,
    descent: Vec<Vec<String>>,
    story: Vec<Told>,
    story_line: String,
    blast: Vec<Vec<String>>,
    blast_line: String,
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
    let mut tera = Tera::default();
    tera.add_raw_template("hunt.html", TEMPLATE).map_err(|error| error.to_string())?;
    let style = format!("{STYLE}\n{OWN_STYLE}");
    let mut context = Context::from_serialize(page).map_err(|error| error.to_string())?;
    context.insert("style", &style);
    context.insert("style_hash", &policy_hash(&style));
    tera.render("hunt.html", &context).map_err(|error| format!("templates/hunt.html: {error:?}"))
}

fn page(hunt: &Hunt, lines: usize) -> Result<Page, ChartError> {
    let clock = Clock::new(hunt.zone.as_deref());
    let unseen = |id: &str| {
        hunt.limits.iter().any(|l| l.kind == "pattern" && l.what == id && l.because.starts_with("cannot be seen"))
    };
    let told = hunt.incidents.iter().filter(|i| i.standing == "incident").count() as u64;
    let cannot = hunt.patterns.iter().filter(|t| unseen(&t.pattern.id)).count() as u64;
    let headline = match hunt.incident_count {
        0 => "No group of sequences is an incident".to_owned(),
        1 => "One incident".to_owned(),
        n => format!("{} incidents", number(n)),
    };
    let mut sentences = Vec::new();
    if let Some(first) = hunt.incidents.iter().find(|i| i.standing == "incident") {
        let by = match first.executors.as_slice() {
            [] => "by somebody whom no log names".to_owned(),
            list => format!(
                "carried out by {}",
                list.iter().take(3).map(|e| visible_cut(e, 60)).collect::<Vec<_>>().join(", ")
            ),
        };
        let began = clock.when(&first.began_at).text;
        let others = first.blast.iter().filter(|t| !t.within).count() as u64;
        sentences
            .push(format!("The first began {began}: {}, {by}.", visible_cut(&super::output::headline(first), 200)));
        sentences.push(format!(
            "{} to cut off first; {} something with it.",
            count(first.containment.len() as u64, "thing", "things"),
            count(others, "other identity shares", "other identities share")
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
        limits: kinds(hunt),
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

fn kinds(hunt: &Hunt) -> Vec<Kind> {
    let titles = [
        ("pattern", "Patterns that cannot be seen, or not everywhere"),
        ("system", "Systems and registers"),
        ("silence", "Silences of logs"),
        ("history", "How far back"),
        ("clock", "Clocks"),
        ("field", "Fields that an input does not carry"),
        ("input", "Inputs"),
    ];
    titles
        .into_iter()
        .map(|(kind, title)| {
            let of = hunt.limits.iter().filter(|limit| limit.kind == kind);
            Kind { title, lines: of.map(|l| (visible_cut(&l.what, CELL), visible_cut(&l.because, 400))).collect() }
        })
        .filter(|kind| !kind.lines.is_empty())
        .collect()
}

fn why(reason: &Reason) -> Why {
    Why {
        points: reason.points,
        text: visible(&reason.text),
        because: reason.because.iter().map(|text| visible_cut(text, 400)).collect(),
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
        note: visible_cut(&descent.note, 80),
        ink: match descent.kind.as_str() {
            "executor" => Ink::Plain,
            "identity" => Ink::Fail,
            _ => Ink::Open,
        },
    };
    let branches: Vec<Branch> = incident.lineage.iter().take(DRAWN).map(|d| branch(d, d.depth)).collect();
    let said = format!("Who changed whose access: {}", count(incident.lineage.len() as u64, "line", "lines"));
    let cell = |text: &str| visible_cut(text, CELL);
    Ok(Card {
        id: incident.id.clone(),
        standing: match incident.standing.as_str() {
            "pivot" => "around the pivot".to_owned(),
            other => other.to_owned(),
        },
        headline: visible_cut(&headline(incident), 240),
        score: incident.score,
        began: clock.when(&incident.began_at),
        known: incident.known_at.as_ref().map(|at| clock.when(at)),
        last: clock.when(&incident.last_at),
        reasons: incident.reasons.iter().map(why).collect(),
        attack: incident.attack.iter().map(|t| cell(t)).collect(),
        people: incident
            .people
            .iter()
            .map(|p| vec![cell(&p.identity), cell(&p.name), cell(&p.post), cell(&p.tier)])
            .collect(),
        executors: incident.executors.iter().map(|e| cell(e)).collect::<Vec<_>>().join(", "),
        cuts: steps(&incident.containment),
        wide: if branches.is_empty() { String::new() } else { chart::tree(&branches, Room::Wide, &said)? },
        narrow: if branches.is_empty() { String::new() } else { chart::tree(&branches, Room::Narrow, &said)? },
        drawn: match incident.lineage.len().saturating_sub(DRAWN) {
            0 => String::new(),
            n => format!("{} more stand in the table.", number(n as u64)),
        },
        descent: incident
            .lineage
            .iter()
            .map(|d| {
                vec![cell(if d.by.is_empty() { "–" } else { &d.by }), cell(&d.label), cell(&d.kind), cell(&d.note)]
            })
            .collect(),
        story: incident.story.iter().map(|line| told(line, clock)).collect(),
        story_line: match incident.more_lines {
            0 => String::new(),
            n => format!("{} more stand in timeline.csv.", number(n)),
        },
        blast: incident
            .blast
            .iter()
            .take(TOUCHED)
            .map(|t| {
                let when = format!("{} – {}", clock.when(&t.first_at).text, clock.when(&t.last_at).text);
                let within = if t.within { "of the incident" } else { "" };
                vec![cell(&t.identity), within.to_owned(), cell(&t.tier), cell(&t.reason), number(t.events), when]
            })
            .collect(),
        blast_line: match incident.blast.len().saturating_sub(TOUCHED) {
            0 => String::new(),
            n => format!("{} more stand in blast-list.csv.", number(n as u64)),
        },
    })
}

fn told(line: &Line, clock: Clock) -> Told {
    Told {
        at: clock.when(&line.at),
        sentence: visible_cut(&line.sentence, 400),
        matched: line.matched,
        place: line.place.as_deref().map(|place| visible_cut(place, CELL)).unwrap_or_default(),
        fields: line.fields.iter().map(|(name, value)| (name.clone(), visible_cut(value, CELL))).collect(),
    }
}

fn steps(cuts: &[Cut]) -> Vec<Step> {
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
            rows: cuts
                .iter()
                .filter(|cut| cut.order == order)
                .map(|cut| {
                    let cell = |text: &str| visible_cut(text, CELL);
                    vec![cell(&cut.identity), cell(&cut.system), cell(&cut.object), cell(&cut.why)]
                })
                .collect(),
        })
        .filter(|step| !step.rows.is_empty())
        .collect()
}
