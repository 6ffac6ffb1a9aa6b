//! Incidents: matches that hang together, scored by reasons that can be read.
//!
//! Two matches hang together when they share an event, an identity whose access was changed, a ticket, or an address,
//! device, session or phone that few identities ever had, at most 72 hours apart. The executor alone joins nothing: a desk
//! resets all day. A score is the sum of its reasons, and is never shown without them.
//!
//! A reason weighs what it tells. A pattern that matched the very events of a weightier one has seen nothing more, and counts
//! nothing; what nothing else shows among a thousand resets or more counts half more.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::events::{Event, Field, NONE, Trail};
use super::matcher::Match;
use super::pattern::{Pattern, Piece};
use crate::table::event;
use crate::time::{DAY, HOUR, format_instant};

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
/// Among fewer resets than these, and in less time, nothing is remarkable for being there once: in a small organisation
/// everything is.
const RESETS_TO_TELL: u64 = 1_000;
/// See [`RESETS_TO_TELL`].
const LONG_ENOUGH: i64 = 28 * DAY;

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
    /// The sentence of a match, told when somebody reads it; steps are positions among a match's events.
    #[serde(skip)]
    pub because: Vec<Piece>,
}

impl Known {
    /// What happened in a match, in a sentence.
    pub fn sentence(&self, trail: &Trail, found: &Match) -> String {
        let event_of = |place: usize| found.events.get(place).map(|&i| &trail.events[i as usize]);
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Count => found.count.to_string(),
            Piece::Value(place, field) => event_of(*place)
                .and_then(|event| trail.value(event, *field))
                .map_or_else(|| format!("({} not reported)", field.as_str()), str::to_owned),
            Piece::At(place) => event_of(*place).map_or(String::new(), |event| format_instant(event.at)),
            Piece::Action(place) => event_of(*place).map_or(String::new(), |event| event.action().to_owned()),
        };
        self.because.iter().map(piece).collect()
    }
}

impl From<&Pattern> for Known {
    fn from(pattern: &Pattern) -> Known {
        // Steps that must be there, in order, each with its event; of a count the first event speaks.
        let place = |step: usize| match pattern.count {
            Some(_) => 0,
            None => pattern.steps[..step].iter().filter(|step| step.absent.is_none()).count(),
        };
        let piece = |piece: &Piece| match piece {
            Piece::Value(step, field) => Piece::Value(place(*step), *field),
            Piece::At(step) => Piece::At(place(*step)),
            Piece::Action(step) => Piece::Action(place(*step)),
            Piece::Text(_) | Piece::Count => piece.clone(),
        };
        Known {
            because: pattern.because.iter().map(piece).collect(),
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
    /// Why it counts more or less than its pattern says; empty where it does not.
    pub worth: String,
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

/// How often each pattern matches at all: what is seen once among many resets says more.
#[derive(Clone, Debug, Default)]
pub struct Usual {
    /// Matches of each pattern.
    matches: Vec<usize>,
    /// Resets among which they are, where these are enough; null where they are not.
    among: Option<u64>,
}

impl Usual {
    /// Of all matches there are, whatever period is looked at. `span` is the first and the last instant of the data.
    pub fn of(matches: &[Match], patterns: usize, resets: u64, span: Option<(i64, i64)>) -> Usual {
        let mut of = vec![0; patterns];
        for found in matches {
            of[found.pattern] += 1;
        }
        let long = span.is_some_and(|(first, last)| last - first >= LONG_ENOUGH);
        Usual { matches: of, among: (long && resets >= RESETS_TO_TELL).then_some(resets) }
    }

    /// Among how many resets nothing else shows what these matches of a pattern show; null where something does, or where
    /// there are too few to say so.
    fn alone(&self, pattern: usize, own: &[usize]) -> Option<u64> {
        self.among.filter(|_| self.matches[pattern] == own.len())
    }
}

/// Every group of matches, the highest score first, then the earliest.
pub fn groups(trail: &Trail, matches: &[Match], known: &[Known], usual: &Usual) -> Vec<Group> {
    let mut sets = Sets::new(matches.len());
    // What is shared: kind and value, when, and which match.
    let mut shared: Vec<(u8, u32, i64, u32)> = matches
        .par_iter()
        .enumerate()
        .flat_map_iter(|(m, found)| {
            // A migration weekend concerns two hundred people, and has nothing to do with what else happens to each.
            let crowd = found.events.len() > CROWD && subjects(trail, found).len() > CROWD;
            let events: &[u32] = if crowd { &[] } else { &found.events };
            events.iter().flat_map(move |&i| {
                let event = &trail.events[i as usize];
                let marks = TRACES.into_iter().filter(|&field| {
                    // The address of somebody else's console is the desk's, not the caller's.
                    let theirs = field != Field::SourceIp || event.own == 2 || event.action == event::SIGN_IN;
                    theirs && !trail.is_common(event.get(field))
                });
                let fields = marks.chain([Field::Target]).map(|field| (field as u8, event.get(field)));
                let values = fields.filter(|(_, value)| *value != NONE).chain([(u8::MAX, i)]);
                values.map(|(kind, value)| (kind, value, event.at, m as u32)).collect::<Vec<_>>()
            })
        })
        .collect();
    shared.par_sort_unstable();
    for pair in shared.windows(2) {
        let ((kind, value, at, one), (_, _, then, other)) = (pair[0], pair[1]);
        if (kind, value) == (pair[1].0, pair[1].1) && then - at <= TOGETHER {
            sets.join(one as usize, other as usize);
        }
    }
    drop(shared);
    let mut of_root: Vec<(u32, u32)> = (0..matches.len()).map(|m| (sets.root(m) as u32, m as u32)).collect();
    of_root.sort_unstable();
    let together: Vec<&[(u32, u32)]> = of_root.chunk_by(|a, b| a.0 == b.0).collect();
    let of = |pairs: &&[(u32, u32)]| pairs.iter().map(|(_, m)| *m as usize).collect();
    let mut groups: Vec<Group> =
        together.par_iter().map(|pairs| group(trail, matches, known, usual, of(pairs))).collect();
    groups.par_sort_by(|a, b| (b.score, &a.events, &a.matches).cmp(&(a.score, &b.events, &b.matches)));
    groups
}

/// Whose access the events of a match change.
pub fn subjects(trail: &Trail, found: &Match) -> BTreeSet<u32> {
    let events = found.events.iter().map(|&i| &trail.events[i as usize]);
    let changed: BTreeSet<u32> =
        events.clone().filter(|e| changes_access(e)).map(|e| e.get(Field::Target)).filter(|&n| n != NONE).collect();
    if changed.is_empty() { events.map(|e| e.get(Field::Target)).filter(|&n| n != NONE).collect() } else { changed }
}

/// One group, with its score.
pub fn group(trail: &Trail, matches: &[Match], known: &[Known], usual: &Usual, of: Vec<usize>) -> Group {
    let mut events: Vec<u32> = of.iter().flat_map(|&m| matches[m].events.iter().copied()).collect();
    events.sort_unstable();
    events.dedup();
    let all: BTreeSet<u32> = of.iter().flat_map(|&m| subjects(trail, &matches[m])).collect();
    let weights = weights(matches, known, usual, &of);
    let mut in_time = of;
    in_time.sort_by_key(|&m| (matches[m].at, m));
    // The score grows with each match; it is an incident from where it is enough.
    let mut tallies: BTreeMap<usize, Tally> = BTreeMap::new();
    let (mut score, mut sensitive, mut known_at) = (0, 0, None);
    for &m in &in_time {
        let found = &matches[m];
        let tally = tallies.entry(found.pattern).or_default();
        let before = tally.points(&known[found.pattern], &weights[&found.pattern]);
        tally.add(trail, found);
        score = score + tally.points(&known[found.pattern], &weights[&found.pattern]) - before;
        if sensitive == 0 && subjects(trail, found).iter().any(|number| is_sensitive(trail, *number)) {
            sensitive = SENSITIVE;
        }
        if score + sensitive >= INCIDENT && known_at.is_none() {
            known_at = Some(found.at);
        }
    }
    score += sensitive;
    let known_at = known_at.filter(|_| score >= INCIDENT);
    Group { matches: in_time, events, subjects: all, score, known_at }
}

/// How much of a pattern's weight counts in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Worth {
    /// All of it.
    Full,
    /// Half more: nothing else among so many resets shows it.
    Alone(u64),
    /// Nothing: the events are those of this other pattern.
    Told(usize),
}

/// What the matches of one pattern in a group add up to.
#[derive(Default)]
struct Tally {
    /// Is there a match at all?
    any: bool,
    /// Identities that they are about.
    subjects: BTreeSet<u32>,
    /// A count of identities has them in its weight already.
    counted: bool,
}

impl Tally {
    fn add(&mut self, trail: &Trail, found: &Match) {
        // Of a sequence that leads from one identity to another the first is whom it is about.
        let first = found.events.first().map_or(NONE, |&i| trail.events[i as usize].get(Field::Target));
        if first != NONE {
            self.subjects.insert(first);
        }
        self.any = true;
        self.counted |= found.count > 1;
    }

    fn points(&self, known: &Known, worth: &Worth) -> u32 {
        if !self.any {
            return 0;
        }
        let further = if self.counted { 0 } else { self.subjects.len().saturating_sub(1).min(FURTHER) } as u32;
        let points = known.weight + further * known.weight / 2;
        match worth {
            Worth::Full => points,
            Worth::Alone(_) => points + points / 2,
            Worth::Told(_) => 0,
        }
    }
}

/// What each pattern of a group is worth in it.
fn weights(matches: &[Match], known: &[Known], usual: &Usual, of: &[usize]) -> BTreeMap<usize, Worth> {
    let mut by_pattern: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &m in of {
        by_pattern.entry(matches[m].pattern).or_default().push(m);
    }
    // For the same events the weightiest pattern speaks.
    let mut speaks: HashMap<Vec<u32>, usize> = HashMap::new();
    if by_pattern.len() > 1 {
        for &m in of {
            let p = matches[m].pattern;
            let best = speaks.entry(sorted(&matches[m].events)).or_insert(p);
            if (known[p].weight, std::cmp::Reverse(p)) > (known[*best].weight, std::cmp::Reverse(*best)) {
                *best = p;
            }
        }
    }
    let worth = |(p, found): (usize, Vec<usize>)| {
        let told = |m: &usize| speaks.get(&sorted(&matches[*m].events)).copied().filter(|speaker| *speaker != p);
        let speaker = match speaks.is_empty() {
            true => None,
            false => found.iter().map(told).collect::<Option<Vec<usize>>>().and_then(|all| all.first().copied()),
        };
        let worth = match (speaker, usual.alone(p, &found)) {
            (Some(speaker), _) => Worth::Told(speaker),
            (None, Some(resets)) => Worth::Alone(resets),
            (None, None) => Worth::Full,
        };
        (p, worth)
    };
    by_pattern.into_iter().map(worth).collect()
}

fn sorted(events: &[u32]) -> Vec<u32> {
    let mut events = events.to_vec();
    events.sort_unstable();
    events
}

fn is_sensitive(trail: &Trail, number: u32) -> bool {
    trail.who.get(&number).is_some_and(|who| ["privileged", "executive", "emergency"].contains(&who.tier.as_str()))
}

/// Why a group has its points, most points first.
pub fn reasons(trail: &Trail, matches: &[Match], known: &[Known], usual: &Usual, group: &Group) -> Vec<Reason> {
    let weights = weights(matches, known, usual, &group.matches);
    let mut by_pattern: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &m in &group.matches {
        by_pattern.entry(matches[m].pattern).or_default().push(m);
    }
    let mut reasons = Vec::new();
    for (pattern, found) in &by_pattern {
        let mut tally = Tally::default();
        for &m in found {
            tally.add(trail, &matches[m]);
        }
        let times = match tally.subjects.len() {
            n if n > 1 && !tally.counted => format!(", for {n} identities"),
            _ => String::new(),
        };
        let (known_as, worth) = (&known[*pattern], &weights[pattern]);
        let worth_why = match worth {
            Worth::Full => String::new(),
            Worth::Alone(resets) => format!("half more: nothing else among {resets} resets shows it"),
            Worth::Told(other) => format!("nothing more: the same events as “{}”", known[*other].title),
        };
        reasons.push(Reason {
            points: tally.points(known_as, worth),
            text: format!("{}{times}", known_as.title),
            worth: worth_why,
            pattern: known_as.id.clone(),
            because: examples(trail, matches, known_as, found),
        });
    }
    let sensitive: Vec<&str> = group
        .subjects
        .iter()
        .filter(|number| is_sensitive(trail, **number))
        .filter_map(|&number| trail.name(number))
        .collect();
    if group.matches.iter().any(|&m| subjects(trail, &matches[m]).iter().any(|n| is_sensitive(trail, *n))) {
        reasons.push(Reason {
            points: SENSITIVE,
            text: "a privileged, executive or emergency identity is among them".to_owned(),
            worth: String::new(),
            pattern: String::new(),
            because: vec![sensitive.join(", ")],
        });
    }
    reasons.sort_by(|a, b| (b.points, &a.pattern).cmp(&(a.points, &b.pattern)));
    reasons
}

/// Sentences of a pattern's matches, one for each identity, at most three.
fn examples(trail: &Trail, matches: &[Match], known: &Known, found: &[usize]) -> Vec<String> {
    let mut told: BTreeSet<u32> = BTreeSet::new();
    let mut out = Vec::new();
    for &m in found {
        let about = matches[m].events.first().map_or(NONE, |&i| trail.events[i as usize].get(Field::Target));
        if out.len() == 3 {
            break;
        }
        if told.insert(about) {
            out.push(known.sentence(trail, &matches[m]));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn known(id: &str, weight: u32) -> Known {
        let (title, remedy) = (id.to_owned(), String::new());
        Known { id: id.to_owned(), title, weight, attack: Vec::new(), remedy, because: Vec::new() }
    }

    /// A trail of one event a day; each is about somebody else.
    fn trail(days: i64) -> Trail {
        let mut trail = Trail::default();
        trail.names.push("");
        for day in 0..days {
            let target = trail.names.push(&format!("p{day}"));
            let mut values = [NONE; Field::ALL.len()];
            values[Field::Target as usize] = target;
            let (row, file, record, action) = (u32::MAX, 0, day as u32 + 1, event::PASSWORD_RESET);
            trail.events.push(Event { at: day * DAY, values, id: NONE, row, file, record, action, outcome: 1, own: 1 });
        }
        trail
    }

    fn found(pattern: usize, day: u32) -> Match {
        Match { pattern, at: i64::from(day) * DAY, events: vec![day], count: 0 }
    }

    fn score(matches: &[Match], known: &[Known], resets: u64, days: i64, of: Vec<usize>) -> (u32, Vec<String>) {
        let trail = trail(days);
        let usual = Usual::of(matches, known.len(), resets, trail.span());
        let group = group(&trail, matches, known, &usual, of);
        let reasons = reasons(&trail, matches, known, &usual, &group);
        assert_eq!(group.score, reasons.iter().map(|reason| reason.points).sum::<u32>());
        (group.score, reasons.into_iter().map(|reason| reason.worth).collect())
    }

    #[test]
    fn what_nothing_else_shows_among_many_resets_counts_half_more() {
        let known = [known("often", 45), known("once", 40)];
        let with = |others: u32, resets: u64, days: i64| {
            let mut matches: Vec<Match> = (0..others).map(|day| found(0, day)).collect();
            matches.extend([found(0, 27), found(1, 26)]);
            let last = matches.len() - 1;
            score(&matches, &known, resets, days, vec![last - 1, last])
        };
        let (points, texts) = with(1, 1_000, 29);
        assert_eq!(points, 45 + 60);
        assert!(texts.iter().any(|text| text == "half more: nothing else among 1000 resets shows it"), "{texts:?}");
        assert_eq!(with(0, 1_000, 29).0, 67 + 60, "neither is seen elsewhere");
        assert_eq!(with(1, 999, 29).0, 85, "too few resets to say so");
        assert_eq!(with(1, 1_000, 28).0, 85, "too short a time to say so");
    }

    #[test]
    fn the_same_events_are_one_observation() {
        let known = [known("light", 30), known("heavy", 40), known("other", 20)];
        let two = |pattern: usize, events: [u32; 2]| Match { pattern, at: DAY, events: events.to_vec(), count: 0 };
        let matches = [two(0, [1, 0]), two(1, [0, 1]), two(2, [0, 2])];
        let (points, texts) = score(&matches, &known, 9, 5, vec![0, 1, 2]);
        assert_eq!(points, 60);
        assert!(texts.iter().any(|text| text == "nothing more: the same events as “heavy”"), "{texts:?}");
        // One match of its own makes the pattern speak for itself.
        let matches = [two(0, [1, 0]), two(1, [0, 1]), two(0, [3, 0])];
        assert_eq!(score(&matches, &known, 9, 5, vec![0, 1, 2]).0, 30 + 15 + 40);
    }
}
