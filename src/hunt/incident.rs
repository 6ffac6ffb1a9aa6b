//! Incidents: matches that hang together, scored by reasons that can be read.
//!
//! Two matches hang together when they share an event, an identity whose access was changed, a ticket, or an address,
//! device, session or phone that few identities ever had, at most 72 hours apart. The executor alone joins nothing: a desk
//! resets all day. A score is the sum of its reasons, and is never shown without them.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::events::{Event, Field, NONE, Trail};
use super::matcher::Match;
use super::pattern::Pattern;
use crate::table::event;
use crate::time::HOUR;

/// Points from which a group is an incident; below it is a lead. Sequences that one ordinary bad day shows together (phone and
/// laptop lost on a journey) stay below.
pub const INCIDENT: u32 = 120;
/// Points from which a lead is shown on its own.
pub const LEAD: u32 = 40;
/// How far apart things that share something still hang together.
pub const TOGETHER: i64 = 72 * HOUR;
/// Points for an identity whose access is worth more.
const SENSITIVE: u32 = 20;
/// A match about more identities than these stands for itself.
const CROWD: usize = 8;
/// How many further identities a pattern counts half for.
const FURTHER: usize = 2;

/// What a match stands for beyond its events: enough of a pattern to connect, score and tell without the files.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Known {
    /// The pattern's id.
    pub id: String,
    /// What happened.
    pub title: String,
    /// Points.
    pub weight: u32,
    /// Techniques.
    pub attack: Vec<String>,
    /// What to do.
    pub remedy: String,
}

impl From<&Pattern> for Known {
    fn from(pattern: &Pattern) -> Known {
        Known {
            id: pattern.id.clone(),
            title: pattern.title.clone(),
            weight: pattern.weight,
            attack: pattern.attack.clone(),
            remedy: pattern.remedy.clone(),
        }
    }
}

/// Why a group has points.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Reason {
    /// How many.
    pub points: u32,
    /// In words.
    pub text: String,
    /// The pattern; empty for what is no pattern.
    pub pattern: String,
    /// Sentences of its matches, the first ones.
    pub because: Vec<String>,
}

/// A group of matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Positions among the matches.
    pub matches: Vec<usize>,
    /// Positions in the trail of all their events, in order.
    pub events: Vec<u32>,
    /// Numbers of identities whose access was changed.
    pub subjects: BTreeSet<u32>,
    /// Sum of the reasons.
    pub score: u32,
    /// Most points first.
    pub reasons: Vec<Reason>,
    /// When its score first reached [`INCIDENT`]; null for leads.
    pub known_at: Option<i64>,
}

impl Group {
    /// The first and the last instant of its events.
    pub fn span(&self, trail: &Trail) -> (i64, i64) {
        let at = |i: Option<&u32>| i.map_or(0, |&i| trail.events[i as usize].at);
        (at(self.events.first()), at(self.events.last()))
    }

    /// A name that stays the same from run to run: of its first match's events.
    pub fn id(&self, trail: &Trail, matches: &[Match], known: &[Known]) -> String {
        let mut hash = Sha256::new();
        if let Some(&first) = self.matches.first() {
            hash.update(&known[matches[first].pattern].id);
            for &i in &matches[first].events {
                let event = &trail.events[i as usize];
                let target = trail.value(event, Field::Target).unwrap_or_default();
                let system = trail.value(event, Field::System).unwrap_or_default();
                hash.update(format!("\n{} {} {system} {target}", event.at, event.action()));
            }
        }
        for &i in self.matches.is_empty().then_some(&self.events).into_iter().flatten().take(1) {
            hash.update(format!("{:?}", trail.place(&trail.events[i as usize])));
        }
        hex::encode(&hash.finalize()[..6])
    }
}

/// Does the event change somebody's access, so that whoever it is about is a subject of what happened?
pub fn changes_access(event: &Event) -> bool {
    !matches!(event.action, event::SIGN_IN | event::HOLDER_NOTIFIED | event::USE_REVIEWED)
}

/// What joins events and is nobody's alone only when few have it.
pub const TRACES: [Field; 5] = [Field::SourceIp, Field::Device, Field::Session, Field::Contact, Field::Ticket];

/// Every group of matches, the highest score first, then the earliest.
pub fn groups(trail: &Trail, matches: &[Match], known: &[Known]) -> Vec<Group> {
    let mut sets = Sets::new(matches.len());
    // What is shared: (kind, value) to when and which match.
    let mut shared: BTreeMap<(u8, u32), Vec<(i64, usize)>> = BTreeMap::new();
    for (m, found) in matches.iter().enumerate() {
        // A migration weekend concerns two hundred people, and has nothing to do with what else happens to each.
        if subjects(trail, found).len() > CROWD {
            continue;
        }
        for &i in &found.events {
            let event = &trail.events[i as usize];
            shared.entry((u8::MAX, i)).or_default().push((event.at, m));
            let mut join = |field: Field, value: u32| {
                if value != NONE {
                    shared.entry((field as u8, value)).or_default().push((event.at, m));
                }
            };
            join(Field::Target, event.get(Field::Target));
            for field in TRACES {
                // The address of somebody else's console is the desk's, not the caller's.
                let theirs = field != Field::SourceIp || event.own == 2 || event.action == event::SIGN_IN;
                if theirs && !trail.is_common(event.get(field)) {
                    join(field, event.get(field));
                }
            }
        }
    }
    for list in shared.values_mut() {
        list.sort_unstable();
        for pair in list.windows(2).filter(|pair| pair[1].0 - pair[0].0 <= TOGETHER) {
            sets.join(pair[0].1, pair[1].1);
        }
    }
    let mut of_root: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for m in 0..matches.len() {
        of_root.entry(sets.root(m)).or_default().push(m);
    }
    let mut groups: Vec<Group> = of_root.into_values().map(|of| group(trail, matches, known, of)).collect();
    groups.sort_by(|a, b| (b.score, &a.events, &a.matches).cmp(&(a.score, &b.events, &b.matches)));
    groups
}

/// Whose access the events of a match change.
pub fn subjects(trail: &Trail, found: &Match) -> BTreeSet<u32> {
    let events = found.events.iter().map(|&i| &trail.events[i as usize]);
    let changed: BTreeSet<u32> =
        events.clone().filter(|e| changes_access(e)).map(|e| e.get(Field::Target)).filter(|&n| n != NONE).collect();
    if changed.is_empty() { events.map(|e| e.get(Field::Target)).filter(|&n| n != NONE).collect() } else { changed }
}

/// One group with its reasons.
pub fn group(trail: &Trail, matches: &[Match], known: &[Known], of: Vec<usize>) -> Group {
    let events: BTreeSet<u32> = of.iter().flat_map(|&m| matches[m].events.iter().copied()).collect();
    let all: BTreeSet<u32> = of.iter().flat_map(|&m| subjects(trail, &matches[m])).collect();
    let reasons = reasons(trail, matches, known, &of);
    let score = reasons.iter().map(|reason| reason.points).sum();
    let mut in_time = of.clone();
    in_time.sort_by_key(|&m| (matches[m].at, m));
    let known_at = (score >= INCIDENT).then(|| {
        // Groups that became incidents are few, so that each prefix may be scored anew.
        let until = (1..=in_time.len()).find(|&n| {
            let so_far: u32 = self::reasons(trail, matches, known, &in_time[..n]).iter().map(|r| r.points).sum();
            so_far >= INCIDENT
        });
        matches[in_time[until.unwrap_or(in_time.len()) - 1]].at
    });
    Group { matches: in_time, events: events.into_iter().collect(), subjects: all, score, reasons, known_at }
}

fn reasons(trail: &Trail, matches: &[Match], known: &[Known], of: &[usize]) -> Vec<Reason> {
    let mut by_pattern: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &m in of {
        by_pattern.entry(matches[m].pattern).or_default().push(m);
    }
    let mut reasons = Vec::new();
    for (pattern, found) in &by_pattern {
        let known = &known[*pattern];
        // Of a sequence that leads from one identity to another the first is whom it is about.
        let first = |m: &usize| matches[*m].events.first().map(|&i| trail.events[i as usize].get(Field::Target));
        let subjects: BTreeSet<u32> = found.iter().filter_map(first).filter(|&n| n != NONE).collect();
        // A count of identities has them in its weight already.
        let counted = found.iter().any(|&m| matches[m].count > 1);
        let further = if counted { 0 } else { subjects.len().saturating_sub(1).min(FURTHER) } as u32;
        let times = match subjects.len() {
            n if n > 1 && !counted => format!(", for {n} identities"),
            _ => String::new(),
        };
        reasons.push(Reason {
            points: known.weight + further * known.weight / 2,
            text: format!("{}{times}", known.title),
            pattern: known.id.clone(),
            because: examples(trail, matches, found),
        });
    }
    let all: BTreeSet<u32> = of.iter().flat_map(|&m| subjects(trail, &matches[m])).collect();
    let tiers = ["privileged", "executive", "emergency"];
    let sensitive: Vec<&str> = all
        .iter()
        .filter(|number| trail.who.get(number).is_some_and(|who| tiers.contains(&who.tier.as_str())))
        .filter_map(|&number| trail.name(number))
        .collect();
    if !sensitive.is_empty() {
        reasons.push(Reason {
            points: SENSITIVE,
            text: "a privileged, executive or emergency identity is among them".to_owned(),
            pattern: String::new(),
            because: vec![sensitive.join(", ")],
        });
    }
    reasons.sort_by(|a, b| (b.points, &a.pattern).cmp(&(a.points, &b.pattern)));
    reasons
}

/// Sentences of a pattern's matches, one for each identity, at most three.
fn examples(trail: &Trail, matches: &[Match], found: &[usize]) -> Vec<String> {
    let mut told: BTreeSet<u32> = BTreeSet::new();
    let mut out = Vec::new();
    for &m in found {
        let about = matches[m].events.first().map_or(NONE, |&i| trail.events[i as usize].get(Field::Target));
        if out.len() < 3 && told.insert(about) {
            out.push(matches[m].because.clone());
        }
    }
    out
}

/// Sets that are joined.
struct Sets {
    above: Vec<usize>,
}

impl Sets {
    fn new(n: usize) -> Sets {
        Sets { above: (0..n).collect() }
    }

    fn root(&mut self, mut x: usize) -> usize {
        while self.above[x] != x {
            self.above[x] = self.above[self.above[x]];
            x = self.above[x];
        }
        x
    }

    /// The lower number becomes the root, whatever the order of joining.
    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.above[a.max(b)] = a.min(b);
    }
}
