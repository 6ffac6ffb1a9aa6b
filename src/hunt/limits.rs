//! What cannot be seen: systems and fields that no input carries, logs that are cut or were silent, clocks that disagree.
//!
//! "Nothing found" is worth as much as what was looked at. Every line here is something that a responder may have to get
//! from elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::events::{ACTION_WORDS, Field, LOG_SILENCE, NONE, Trail};
use super::matcher::{Followed, HISTORY, UNSEEN};
use super::pattern::{Pattern, Test};
use crate::fact::World;
use crate::source::Input;
use crate::table::{Table, event};
use crate::time::{DAY, MINUTE, SECOND, format_duration_micros, format_instant};

/// One thing that cannot be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Limit {
    /// `pattern`, `input`, `system`, `field`, `silence`, `history`, `clock`, `window`.
    pub kind: String,
    /// Which.
    pub what: String,
    /// In words.
    pub because: String,
    /// What many of its kind have in common, by which they are shown together; empty where each is shown for itself.
    #[serde(default)]
    pub in_short: String,
    /// The mapping that reads the input, or the system; empty where there is none.
    #[serde(default)]
    pub source: String,
    /// From when something is not seen, microseconds UTC; null where that is no matter of time.
    #[serde(default)]
    pub from: Option<i64>,
    /// Until when.
    #[serde(default)]
    pub until: Option<i64>,
}

impl Limit {
    /// A limit that stands for itself.
    pub fn new(kind: &str, what: &str, because: impl Into<String>) -> Limit {
        Limit { kind: kind.to_owned(), what: what.to_owned(), because: because.into(), ..Limit::default() }
    }

    fn in_short(mut self, words: impl Into<String>) -> Limit {
        self.in_short = words.into();
        self
    }

    fn of(mut self, source: &str) -> Limit {
        self.source = source.to_owned();
        self
    }

    fn lasting(mut self, from: i64, until: i64) -> Limit {
        (self.from, self.until) = (Some(from), Some(until));
        self
    }

    /// Does it concern what happened in that time, in those systems and inputs?
    pub fn concerns(&self, (from, until): (i64, i64), systems: &BTreeSet<&str>, files: &BTreeSet<&str>) -> bool {
        let meanwhile = self.from.is_some_and(|at| at < until) && self.until.is_none_or(|at| at > from);
        match self.kind.as_str() {
            "silence" if self.from.is_none() => systems.contains(self.what.as_str()),
            "silence" | "history" => meanwhile,
            "system" => meanwhile && (self.until.is_some() || systems.contains(self.what.as_str())),
            "clock" => systems.contains(self.what.as_str()),
            "field" | "input" => files.contains(self.what.as_str()),
            "window" => true,
            _ => false,
        }
    }
}

/// Limits that have something in common, shown together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Together {
    /// As of the limits.
    pub kind: String,
    /// Which, or how many of what.
    pub what: String,
    /// In words.
    pub because: String,
    /// How many limits it stands for.
    pub count: u64,
    /// The first of them; empty where it stands for one alone.
    pub examples: Vec<String>,
}

/// Names that stand for many.
const EXAMPLES: usize = 3;

/// Limits by what they have in common, those that stand for most first within each kind.
pub fn together(limits: &[Limit]) -> Vec<Together> {
    let mut groups: BTreeMap<(&str, &str, &str), Vec<&Limit>> = BTreeMap::new();
    for limit in limits {
        // A pattern or a system is named once, whatever is to be said of it.
        let key = match limit.kind.as_str() {
            "pattern" => (limit.what.as_str(), ""),
            "silence" if limit.from.is_some() => (limit.what.as_str(), "fell silent"),
            _ if limit.in_short.is_empty() => (limit.what.as_str(), limit.because.as_str()),
            _ => (limit.source.as_str(), limit.in_short.as_str()),
        };
        groups.entry((limit.kind.as_str(), key.0, key.1)).or_default().push(limit);
    }
    let mut out: Vec<Together> = groups.into_values().map(|of| one(&of)).collect();
    let place = |kind: &str| KINDS.iter().position(|(known, _)| *known == kind).unwrap_or(KINDS.len());
    out.sort_by_key(|group| (place(&group.kind), std::cmp::Reverse(group.count)));
    out
}

fn one(of: &[&Limit]) -> Together {
    let first = of[0];
    let count = of.len() as u64;
    let so = |what: String, because: String, examples: Vec<String>| Together {
        kind: first.kind.clone(),
        what,
        because,
        count,
        examples,
    };
    let named = |texts: &mut dyn Iterator<Item = String>| texts.take(EXAMPLES).collect::<Vec<String>>();
    match first.kind.as_str() {
        _ if count == 1 => so(first.what.clone(), first.because.clone(), Vec::new()),
        "pattern" => {
            let all: Vec<&str> = of.iter().map(|limit| limit.because.as_str()).collect();
            so(first.what.clone(), all.join("; "), Vec::new())
        }
        "silence" if first.from.is_some() => {
            let longest = of.iter().max_by_key(|limit| limit.until.unwrap_or(0) - limit.from.unwrap_or(0));
            let longest = longest.map_or("", |limit| limit.because.as_str());
            so(first.what.clone(), format!("fell silent {count} times, the longest: {longest}"), Vec::new())
        }
        "silence" | "system" => {
            let what = format!("{count} systems");
            so(what, first.in_short.clone(), named(&mut of.iter().map(|limit| limit.what.clone())))
        }
        _ => {
            let of_source = if first.source.is_empty() { String::new() } else { format!(" of {}", first.source) };
            let files: BTreeSet<&str> = of.iter().map(|limit| limit.what.as_str()).collect();
            let what = match first.source.as_str() {
                "canonical" => format!("{} canonical tables", files.len()),
                _ => format!("{} inputs{of_source}", files.len()),
            };
            so(what, first.in_short.clone(), named(&mut files.iter().map(|file| (*file).to_owned())))
        }
    }
}

/// Kinds in the order in which they are shown, with a heading.
pub const KINDS: [(&str, &str); 8] = [
    ("window", "Around it"),
    ("pattern", "Patterns that cannot be seen, or not everywhere"),
    ("system", "Systems and registers"),
    ("silence", "Silences of logs"),
    ("history", "How far back"),
    ("clock", "Clocks"),
    ("input", "Inputs"),
    ("field", "Fields that an input does not carry"),
];

/// How far the clock of one system is ahead of another's, by records of the same acts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offset {
    /// Which system.
    pub system: String,
    /// Against which: the one with the most events.
    pub against: String,
    /// Microseconds that its instants lie later; negative: earlier.
    pub ahead: i64,
    /// Acts that both recorded.
    pub acts: u64,
}

/// Acts that two systems must both have recorded before anything is said of their clocks.
const ACTS: usize = 5;
/// Two records of one act lie at most so far apart.
const ONE_ACT: i64 = 15 * MINUTE;
/// Differences scatter by no more than this around their middle, else there is no one offset.
const SCATTER: i64 = 30 * SECOND;
/// Exports end at such numbers of records because somebody's limit was reached, not the log's end.
const CAPS: [u64; 11] = [100, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 65_536, 100_000, 1_048_575];

/// Everything that cannot be seen, in order.
pub fn limits(world: &World<'_>, trail: &Trail, patterns: &[Pattern], followed: &Followed) -> Vec<Limit> {
    let mut limits = BTreeSet::new();
    let mut add = |limit: Limit| {
        limits.insert(limit);
    };
    for (p, pattern) in patterns.iter().enumerate() {
        for step in &pattern.steps {
            // A silence is seen between events, a rejection in tickets.
            let shown = |&&code: &&u8| match code as usize > event::ACTIONS.len() {
                true => code == LOG_SILENCE || world.has(Table::Ticket),
                // A review is written in a ticket as well.
                false => world.can_show(code) || code == event::USE_REVIEWED && world.has(Table::Ticket),
            };
            if !step.actions.iter().any(|code| shown(&code)) {
                let words: Vec<&str> = step.actions.iter().map(|&code| ACTION_WORDS[code as usize - 1]).collect();
                add(Limit::new("pattern", &pattern.id, format!("cannot be seen: no input shows {}", words.join(", "))));
            }
        }
        for (blind, n) in followed.blind.iter().filter(|(blind, _)| blind.pattern == p) {
            let step = &pattern.steps[blind.step].name;
            let events = if *n == 1 { "1 event" } else { &format!("{n} events") };
            let why = match blind.what.as_str() {
                // Said above, without a number.
                "no source shows it" => continue,
                "the data ends before" | "the data begins later" | "too few events to say" => blind.what.clone(),
                "unseen" => {
                    "the data does not go back far enough to say what was never seen, or has no value".to_owned()
                }
                "own history" => "the data does not go back far enough to say what is usual".to_owned(),
                what => format!("`{what}` is not known"),
            };
            let because = format!("could not be followed at {events} of the step `{step}`: {why}");
            add(Limit::new("pattern", &pattern.id, because));
        }
    }
    let asks_leave = |pattern: &&Pattern| {
        let leave = |test: &Test| matches!(test, Test::FactIs("target_on_leave", _));
        pattern.steps.iter().any(|step| step.conditions.iter().any(|condition| leave(&condition.test)))
    };
    for pattern in patterns.iter().filter(asks_leave) {
        let because =
            "who was off site cannot be told: leave is in rosters, where somebody was at a time is in no table";
        add(Limit::new("pattern", &pattern.id, because));
    }
    for input in &world.settled.inputs {
        let of = |because: String, in_short: &str| {
            Limit::new("input", &input.path, because).in_short(in_short).of(&input.mapping)
        };
        if CAPS.contains(&input.read) {
            let because = format!("holds exactly {} records: exports are cut at such numbers", input.read);
            add(of(because, ""));
        }
        if input.rejected > 0 {
            let because = format!("{} of {} records could not be used", input.rejected, input.read);
            add(of(because, "some of their records could not be used"));
        }
        fields(input, &mut add);
    }
    for (path, why) in &world.settled.skipped {
        // What follows the reason is about this file alone.
        let short = why.split([':', ';']).next().unwrap_or_default().trim();
        add(Limit::new("input", path, format!("not read: {why}")).in_short(format!("not read: {short}")));
    }
    for table in [Table::Person, Table::Ticket, Table::Credential, Table::Account] {
        if !world.has(table) {
            let without = match table {
                Table::Person => "who is an executive, a contractor, on leave or long hired is not known",
                Table::Ticket => "refusals and requests that stand in tickets are not seen",
                Table::Credential => "whether an older key lives on is not known",
                _ => "which accounts are privileged is known from rosters and registers alone",
            };
            add(Limit::new("system", table.name(), format!("no {} table: {without}", table.name())));
        }
    }
    systems(trail, &mut add);
    for offset in offsets(trail) {
        let (far, way) =
            (format_duration_micros(offset.ahead.abs()), if offset.ahead > 0 { "ahead of" } else { "behind" });
        let because = format!(
            "its clock is {far} {way} that of {}, by {} acts that both recorded; --align-clocks moves it",
            offset.against, offset.acts
        );
        add(Limit::new("clock", &offset.system, because));
    }
    limits.into_iter().collect()
}

/// A clock that was set by another's.
pub fn moved(offset: &Offset) -> Limit {
    let far = format_duration_micros(offset.ahead.abs());
    let way = if offset.ahead > 0 { "back" } else { "forward" };
    let because = format!("its instants were moved {way} by {far}, as asked, to agree with {}", offset.against);
    Limit::new("clock", &offset.system, because)
}

/// What the data does not have of the time around something that began and ended so: `together` micros before and after.
pub fn around(trail: &Trail, (began, last): (i64, i64), as_of: i64, together: i64) -> Vec<Limit> {
    let mut out = Vec::new();
    let reach = trail.reach.values().fold(None, |all: Option<(i64, i64)>, reach| match all {
        Some((first, last)) => Some((first.min(reach.first), last.max(reach.last))),
        None => Some((reach.first, reach.last)),
    });
    let Some((first, end)) = reach else { return out };
    // The data may end because the export was made then: what came since is not in it either way.
    let until = (last + together).min(as_of);
    if end < until {
        let because = format!(
            "the data ends {} after the last event of this, at {}: what was done since is not in it",
            format_duration_micros(end - last),
            format_instant(end)
        );
        out.push(Limit::new("window", "the end of the data", because).lasting(end, until));
    }
    if began - first < UNSEEN {
        let because = format!(
            "the data begins {} before this, at {}: what was seen in the 90 days before is known from those alone",
            format_duration_micros(began - first),
            format_instant(first)
        );
        out.push(Limit::new("window", "the beginning of the data", because).lasting(began - UNSEEN, first));
    }
    out
}

fn fields(input: &Input, add: &mut dyn FnMut(Limit)) {
    let Some(mask) = input.reports.get(&Table::Event) else { return };
    let silent: Vec<&str> = Field::ALL
        .into_iter()
        .filter(|field| field.columns().iter().all(|column| mask >> column & 1 == 0))
        .map(Field::as_str)
        .collect();
    if !silent.is_empty() && input.rows.get(&Table::Event).is_some_and(|rows| *rows > 0) {
        let silent = silent.join(", ");
        let limit = Limit::new("field", &input.path, format!("does not carry {silent}"));
        add(limit.in_short(format!("do not carry {silent}")).of(&input.mapping));
    }
}

fn systems(trail: &Trail, add: &mut dyn FnMut(Limit)) {
    let Some((first, last)) = trail.span() else {
        add(Limit::new("system", "all", "there is no event in the inputs"));
        return;
    };
    for (&system, reach) in trail.reach.iter().filter(|(number, _)| **number != NONE) {
        let name = trail.name(system).unwrap_or_default();
        if reach.first - first > DAY {
            let because = format!(
                "its data begins at {}, that of others at {}",
                format_instant(reach.first),
                format_instant(first)
            );
            let short = "their data begins more than a day after that of others";
            add(Limit::new("system", name, because).in_short(short).lasting(first, reach.first));
        }
        if last - reach.last > DAY {
            let because =
                format!("its data ends at {}, that of others at {}", format_instant(reach.last), format_instant(last));
            let short = "their data ends more than a day before that of others";
            add(Limit::new("system", name, because).in_short(short).lasting(reach.last, last));
        }
        if !reach.shows_silences() {
            let events = if reach.events == 1 { "1 event does" } else { &format!("{} events do", reach.events) };
            let because = format!("{events} not say which pauses are usual: holes are not found");
            let short = "too few events to say which pauses are usual: holes are not found";
            add(Limit::new("silence", name, because).in_short(short));
        }
    }
    let mut silent: BTreeMap<u32, Vec<i64>> = BTreeMap::new();
    for event in trail.events.iter().filter(|event| event.action == LOG_SILENCE) {
        silent.entry(event.get(Field::System)).or_default().push(event.at);
    }
    for (system, instants) in silent {
        for pair in instants.chunks(2).filter(|pair| pair.len() == 2) {
            let because = format!("nothing from {} to {}", format_instant(pair[0]), format_instant(pair[1]));
            add(Limit::new("silence", trail.name(system).unwrap_or_default(), because).lasting(pair[0], pair[1]));
        }
    }
    if last - first < UNSEEN {
        let days = (last - first) / DAY;
        let because = format!(
            "the data spans {days} days: an address counts as unseen when it was not seen in those, and before day {} not at all",
            HISTORY / DAY
        );
        add(Limit::new("history", "unseen addresses and devices", because));
    }
}

/// Differences of clocks that records of the same acts show; of each system against the one with the most events.
pub fn offsets(trail: &Trail) -> Vec<Offset> {
    let mut size: BTreeMap<u32, usize> = BTreeMap::new();
    for event in &trail.events {
        *size.entry(event.get(Field::System)).or_default() += 1;
    }
    let Some(&reference) = size
        .iter()
        .filter(|(n, _)| **n != NONE)
        .max_by_key(|(n, count)| (**count, std::cmp::Reverse(**n)))
        .map(|(n, _)| n)
    else {
        return Vec::new();
    };
    // The latest of each act in each system; of one that is repeated the nearest counts.
    let mut latest: BTreeMap<(u32, u8), Vec<(u32, i64)>> = BTreeMap::new();
    let mut apart: BTreeMap<u32, Vec<i64>> = BTreeMap::new();
    for event in trail.events.iter().filter(|event| event.is_reset() && !event.failed()) {
        let (system, key) = (event.get(Field::System), (event.get(Field::Target), event.action));
        let seen = latest.entry(key).or_default();
        seen.retain(|(other, at)| *other != system && event.at - at <= ONE_ACT);
        for &(other, at) in seen.iter() {
            if system == reference {
                apart.entry(other).or_default().push(at - event.at);
            } else if other == reference {
                apart.entry(system).or_default().push(event.at - at);
            }
        }
        seen.push((system, event.at));
    }
    let mut offsets = Vec::new();
    for (system, mut differences) in apart {
        differences.sort_unstable();
        let middle = differences[differences.len() / 2];
        let near = differences.iter().filter(|d| (*d - middle).abs() <= SCATTER).count();
        // An offset below a second is what writing takes.
        if differences.len() >= ACTS && near * 5 >= differences.len() * 4 && middle.abs() >= SECOND {
            offsets.push(Offset {
                system: trail.name(system).unwrap_or_default().to_owned(),
                against: trail.name(reference).unwrap_or_default().to_owned(),
                ahead: middle,
                acts: near as u64,
            });
        }
    }
    offsets
}
