//! What a hunt says, as plain data: everything that page, time line, lists and summary are written from.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Proof;
use super::events::{Event, Field, Trail};
use super::incident::{self, Group, INCIDENT, Known, LEAD, Reason, TOGETHER, Usual};
use super::limits::{self, Limit};
use super::matcher::Match;
use super::story::{self, Cut, Descent, Line, Touched};
use crate::text::fold;
use crate::time::format_instant;

/// Incidents that are told in full; the others are counted.
pub const TOLD: usize = 50;
/// Leads that are listed; the others are counted.
pub const LEADS: usize = 200;

/// What the responder already has in hand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pivots {
    /// Each: the field, and its value folded.
    pub values: Vec<(String, String)>,
    /// From here on, microseconds.
    pub since: Option<i64>,
    /// Before this.
    pub until: Option<i64>,
}

impl Pivots {
    /// Is there a value to expand around?
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    fn covers(&self, at: i64) -> bool {
        self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
    }

    /// Numbers that each value stands for, looked for once.
    fn numbers(&self, trail: &Trail) -> Vec<(&str, BTreeSet<u32>)> {
        let of = |kind: &str, value: &str| {
            let called = |n: &u32| {
                let people = ["identity", "executor"].contains(&kind);
                people && trail.who.get(n).is_some_and(|who| who.called(value))
                    || trail.name(*n).is_some_and(|name| fold(name) == value)
            };
            (1..trail.names.len() as u32).into_par_iter().filter(called).collect::<BTreeSet<u32>>()
        };
        self.values.iter().map(|(kind, value)| (kind.as_str(), of(kind, value))).collect()
    }

    /// Positions of the events in the period that a value touches, in order.
    fn hit(&self, trail: &Trail) -> Vec<u32> {
        let numbers = self.numbers(trail);
        let touches = |event: &Event| {
            numbers.iter().any(|(kind, numbers)| {
                let is = |field: Field| numbers.contains(&event.get(field));
                match *kind {
                    // What a desk agent does all day is asked for by --executor.
                    "identity" => is(Field::Target),
                    "executor" => is(Field::Executor),
                    "ip" => is(Field::SourceIp),
                    "ticket" => is(Field::Ticket),
                    _ => is(Field::Credential),
                }
            })
        };
        let fits = |&i: &u32| self.covers(trail.events[i as usize].at) && touches(&trail.events[i as usize]);
        (0..trail.events.len() as u32).into_par_iter().filter(fits).collect()
    }
}

/// Somebody of an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// As a log writes it.
    pub identity: String,
    /// Of the register; empty when not known.
    pub name: String,
    /// As the fact; empty when not known.
    pub tier: String,
    /// Position or department; empty when not known.
    pub post: String,
}

/// One incident, lead, or what lies around a pivot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Stays the same from run to run.
    pub id: String,
    /// `incident`, `lead` or `pivot`.
    pub standing: String,
    /// Sum of the reasons' points.
    pub score: u32,
    /// Its first event.
    pub began_at: String,
    /// When its reasons first made it an incident; null for leads.
    pub known_at: Option<String>,
    /// Its last matched event.
    pub last_at: String,
    /// Why, most points first.
    pub reasons: Vec<Reason>,
    /// Techniques of MITRE ATT&CK, in order.
    pub attack: Vec<String>,
    /// Whose access was changed.
    pub people: Vec<Person>,
    /// Who carried out resets.
    pub executors: Vec<String>,
    /// What happened, in order of time.
    pub story: Vec<Line>,
    /// Lines that the story leaves to the time line.
    pub more_lines: u64,
    /// How many of them are part of a matched sequence.
    #[serde(default)]
    pub more_matched: u64,
    /// Who changed whose access.
    pub lineage: Vec<Descent>,
    /// Whom else it may concern.
    pub blast: Vec<Touched>,
    /// What is cut off, in order.
    pub containment: Vec<Cut>,
    /// What cannot be seen around it: of its time, its systems and its inputs.
    #[serde(default)]
    pub unseen: Vec<Limit>,
}

/// A pattern and how often it matched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// The pattern.
    pub pattern: Known,
    /// Matches in the period.
    pub matches: u64,
}

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hunt {
    /// Version of the program.
    pub version: String,
    /// Up to when the data is taken as known.
    pub as_of: String,
    /// First and last event; null without any.
    pub first_at: Option<String>,
    /// See `first_at`.
    pub last_at: Option<String>,
    /// What was asked for.
    pub pivots: Pivots,
    /// Events that pivots touch; null without one.
    pub touched: Option<u64>,
    /// Events.
    pub events: u64,
    /// Resets among them that did not fail.
    pub resets: u64,
    /// Groups with 120 points or more, all of them counted, the first told.
    pub incidents: Vec<Incident>,
    /// How many there are.
    pub incident_count: u64,
    /// Groups below, the first ones, without their stories.
    pub leads: Vec<Incident>,
    /// How many there are.
    pub lead_count: u64,
    /// Groups with too few points to be listed.
    pub below: u64,
    /// Patterns in force.
    pub patterns: Vec<Tally>,
    /// What cannot be seen.
    pub limits: Vec<Limit>,
    /// The zone of the organisation; null is UTC.
    pub zone: Option<String>,
    /// Paths and record counts of the inputs.
    pub inputs: Vec<(String, u64)>,
    /// What it was made from: digests of inputs, mappings and patterns.
    pub proof: Proof,
}

/// What a hunt is put together from; what a saved case holds.
pub struct Material<'a> {
    /// Events.
    pub trail: &'a Trail,
    /// Patterns.
    pub known: &'a [Known],
    /// Matches.
    pub matches: &'a [Match],
    /// What cannot be seen.
    pub limits: &'a [Limit],
    /// Up to when the data is known.
    pub as_of: i64,
    /// The zone's name.
    pub zone: Option<&'a str>,
    /// Paths and record counts.
    pub inputs: &'a [(String, u64)],
    /// What it was made from.
    pub proof: &'a Proof,
    /// First and last event of the data, which a case no longer has.
    pub span: Option<(i64, i64)>,
    /// Events of the data.
    pub events: u64,
}

/// Lines in order of time, each with the incidents that it is part of.
pub type Timeline = Vec<(Line, Vec<String>)>;

/// Matches of the period, connected and scored.
struct Connected<'a> {
    material: &'a Material<'a>,
    matches: Cow<'a, [Match]>,
    usual: Usual,
    /// The highest score first.
    groups: Vec<Group>,
    /// What lies around the pivots; null without one.
    around: Option<Group>,
    /// Events that pivots touch; null without one.
    touched: Option<u64>,
}

fn connect<'a>(material: &'a Material<'a>, pivots: &Pivots) -> Connected<'a> {
    let Material { trail, known, matches, .. } = material;
    let matches = match (pivots.since, pivots.until) {
        (None, None) => Cow::Borrowed(*matches),
        _ => {
            let in_time = |m: &&Match| m.events.iter().any(|&i| pivots.covers(trail.events[i as usize].at));
            Cow::Owned(matches.iter().filter(in_time).cloned().collect())
        }
    };
    // What is seen once does not hang on the period that is looked at.
    let usual = Usual::of(material.matches, known.len(), trail.resets, material.span.or(trail.span()));
    let mut groups = incident::groups(trail, &matches, known, &usual);
    let (mut around, mut touched) = (None, None);
    if !pivots.is_empty() {
        let hit = pivots.hit(trail);
        touched = Some(hit.len() as u64);
        around = around_pivot(material, &matches, &usual, &hit);
        groups.retain(|group| group.events.iter().any(|i| hit.binary_search(i).is_ok()));
    }
    Connected { material, matches, usual, groups, around, touched }
}

/// Connects, scores and tells. With a pivot: what lies around it, first.
pub fn tell(material: &Material<'_>, pivots: &Pivots) -> Hunt {
    said(&connect(material, pivots), pivots)
}

/// The same, with the time line of what is told and the positions in the trail of its events.
pub fn tell_in_time(material: &Material<'_>, pivots: &Pivots) -> (Hunt, Timeline, Vec<u32>) {
    let connected = connect(material, pivots);
    let hunt = said(&connected, pivots);
    let (lines, events) = told_in_time(&connected, &hunt);
    (hunt, lines, events)
}

fn said(connected: &Connected<'_>, pivots: &Pivots) -> Hunt {
    let Connected { material, matches, groups, around, touched, .. } = connected;
    let Material { trail, known, .. } = material;
    let incident_count = groups.iter().filter(|group| group.score >= INCIDENT).count();
    let lead_count = groups.iter().filter(|group| (LEAD..INCIDENT).contains(&group.score)).count();
    let below = (groups.len() - incident_count - lead_count) as u64;
    let told_ones: Vec<(&Group, &str)> = around
        .iter()
        .map(|group| (group, "pivot"))
        .chain(groups.iter().take(incident_count.min(TOLD)).map(|group| (group, "incident")))
        .collect();
    let incidents = told_ones.into_par_iter().map(|(group, standing)| told(connected, group, standing)).collect();
    let leads = groups[incident_count..incident_count + lead_count].iter().take(LEADS);
    let leads = leads.map(|group| brief(connected, group, "lead")).collect();
    let span = material.span.or(trail.span());
    let mut tally = vec![0_u64; known.len()];
    for found in matches.iter() {
        tally[found.pattern] += 1;
    }
    Hunt {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        as_of: format_instant(material.as_of),
        first_at: span.map(|(first, _)| format_instant(first)),
        last_at: span.map(|(_, last)| format_instant(last)),
        pivots: pivots.clone(),
        touched: *touched,
        events: material.events,
        resets: trail.resets,
        incidents,
        incident_count: incident_count as u64,
        leads,
        lead_count: lead_count as u64,
        below,
        patterns: known.iter().zip(tally).map(|(k, matches)| Tally { pattern: k.clone(), matches }).collect(),
        limits: material.limits.to_vec(),
        zone: material.zone.map(str::to_owned),
        inputs: material.inputs.to_vec(),
        proof: material.proof.clone(),
    }
}

/// A group without a pattern of its own: everything that a pivot touches, and the matches among it.
fn around_pivot(material: &Material<'_>, matches: &[Match], usual: &Usual, hit: &[u32]) -> Option<Group> {
    let trail = material.trail;
    let touched = |m: &usize| matches[*m].events.iter().any(|event| hit.binary_search(event).is_ok());
    let of: Vec<usize> = (0..matches.len()).into_par_iter().filter(touched).collect();
    let mut group = incident::group(trail, matches, material.known, usual, of);
    group.events.extend(hit);
    group.events.sort_unstable();
    group.events.dedup();
    for &i in hit {
        let event = &trail.events[i as usize];
        if incident::changes_access(event) {
            group.subjects.insert(event.get(Field::Target));
        }
    }
    group.subjects.remove(&super::events::NONE);
    (!group.events.is_empty()).then_some(group)
}

fn brief(connected: &Connected<'_>, group: &Group, standing: &str) -> Incident {
    let Connected { material, matches, usual, .. } = connected;
    let Material { trail, known, .. } = material;
    let (began, last) = group.span(trail);
    let attack: BTreeSet<&String> = group.matches.iter().flat_map(|&m| &known[matches[m].pattern].attack).collect();
    let executors: BTreeSet<&str> = group
        .events
        .iter()
        .map(|&i| &trail.events[i as usize])
        .filter(|event| event.is_reset() && event.own != 2)
        .filter_map(|event| trail.value(event, Field::Executor))
        .collect();
    let person = |number: &u32| {
        let who = trail.who.get(number).cloned().unwrap_or_default();
        let identity = trail.name(*number).unwrap_or_default().to_owned();
        Person { identity, name: who.name, tier: who.tier, post: who.post }
    };
    Incident {
        id: group.id(trail, matches, known),
        standing: standing.to_owned(),
        score: group.score,
        began_at: format_instant(began),
        known_at: group.known_at.map(format_instant),
        last_at: format_instant(last),
        reasons: incident::reasons(trail, matches, known, usual, group),
        attack: attack.into_iter().cloned().collect(),
        people: group.subjects.iter().map(person).collect(),
        executors: executors.into_iter().map(str::to_owned).collect(),
        story: Vec::new(),
        more_lines: 0,
        more_matched: 0,
        lineage: Vec::new(),
        blast: Vec::new(),
        containment: Vec::new(),
        unseen: Vec::new(),
    }
}

fn told(connected: &Connected<'_>, group: &Group, standing: &str) -> Incident {
    let trail = connected.material.trail;
    let events = story::around(trail, group);
    let mut incident = brief(connected, group, standing);
    let lines = story::first(&events);
    let matched = |lines: &[(u32, bool)]| lines.iter().filter(|(_, matched)| *matched).count();
    incident.more_lines = (events.len() - lines.len()) as u64;
    incident.more_matched = (matched(&events) - matched(&lines)) as u64;
    incident.story = lines.iter().map(|&(i, matched)| story::line(trail, &trail.events[i as usize], matched)).collect();
    incident.lineage = story::lineage(trail, &events);
    incident.blast = story::blast(trail, group);
    incident.containment = story::containment(trail, group, &events);
    incident.unseen = unseen(connected.material, &connected.matches, group, &events);
    incident
}

/// What cannot be seen around a group: in its time, its systems and the inputs that it is told from.
fn unseen(material: &Material<'_>, matches: &[Match], group: &Group, events: &[(u32, bool)]) -> Vec<Limit> {
    let trail = material.trail;
    // A pivot touches years of sign-ins; what it is about is when a sequence lies on it.
    let instants: Vec<i64> =
        group.matches.iter().flat_map(|&m| matches[m].events.iter().map(|&i| trail.events[i as usize].at)).collect();
    let (began, last) = match (instants.iter().min(), instants.iter().max()) {
        (Some(&began), Some(&last)) => (began, last),
        _ => group.span(trail),
    };
    let of = |i: u32| &trail.events[i as usize];
    let systems: BTreeSet<&str> = events.iter().filter_map(|&(i, _)| trail.value(of(i), Field::System)).collect();
    let files: BTreeSet<&str> =
        events.iter().filter_map(|&(i, _)| trail.files.get(of(i).file as usize)).map(String::as_str).collect();
    let window = (began - TOGETHER, last + TOGETHER);
    let mut unseen = limits::around(trail, (began, last), material.as_of, TOGETHER);
    unseen.extend(material.limits.iter().filter(|limit| limit.concerns(window, &systems, &files)).cloned());
    unseen
}

/// Every event of the told incidents, in order of time, each once: for the time line files. With it the incidents that it
/// is part of.
pub fn timeline(material: &Material<'_>, hunt: &Hunt) -> Vec<(Line, Vec<String>)> {
    told_in_time(&connect(material, &hunt.pivots), hunt).0
}

/// Lines of every event of the told incidents, and positions of these in the trail.
fn told_in_time(connected: &Connected<'_>, hunt: &Hunt) -> (Timeline, Vec<u32>) {
    let trail = connected.material.trail;
    let mut of: BTreeMap<u32, (bool, Vec<&str>)> = BTreeMap::new();
    // Told are what lies around a pivot, then the first groups, in this order.
    let groups = connected.around.iter().chain(&connected.groups);
    for (told, group) in hunt.incidents.iter().zip(groups) {
        for (i, matched) in story::around(trail, group) {
            let entry = of.entry(i).or_insert((false, Vec::new()));
            entry.0 |= matched;
            entry.1.push(&told.id);
        }
    }
    let positions = of.keys().copied().collect();
    let of: Vec<(u32, (bool, Vec<&str>))> = of.into_iter().collect();
    let line = |(i, (matched, ids)): (u32, (bool, Vec<&str>))| {
        let ids = ids.into_iter().map(str::to_owned).collect();
        (story::line(trail, &trail.events[i as usize], matched), ids)
    };
    (of.into_par_iter().map(line).collect(), positions)
}

/// Microseconds before and after an incident that its blast list looks at.
pub const BLAST: i64 = TOGETHER;
