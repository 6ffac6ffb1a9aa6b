//! What cannot be seen: systems and fields that no input carries, logs that are cut or were silent, clocks that disagree.
//!
//! "Nothing found" is worth as much as what was looked at. Every line here is something that a responder may have to get
//! from elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::events::{ACTION_WORDS, EVENTS_FOR_SILENCE, Field, LOG_SILENCE, NONE, Trail};
use super::matcher::{Followed, HISTORY, UNSEEN};
use super::pattern::Pattern;
use crate::fact::World;
use crate::source::Input;
use crate::table::{Table, event};
use crate::time::{DAY, MINUTE, SECOND, format_duration_micros, format_instant};

/// One thing that cannot be seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Limit {
    /// `pattern`, `input`, `system`, `field`, `silence`, `history`, `clock`.
    pub kind: String,
    /// Which.
    pub what: String,
    /// In words.
    pub because: String,
}

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
    let mut add = |kind: &str, what: &str, because: String| {
        limits.insert(Limit { kind: kind.to_owned(), what: what.to_owned(), because });
    };
    for (p, pattern) in patterns.iter().enumerate() {
        for step in &pattern.steps {
            // A silence is seen between events, a rejection in tickets.
            let shown = |&&code: &&u8| match code as usize > event::ACTIONS.len() {
                true => code == LOG_SILENCE || world.has(Table::Ticket),
                false => world.can_show(code),
            };
            if !step.actions.iter().any(|code| shown(&code)) {
                let words: Vec<&str> = step.actions.iter().map(|&code| ACTION_WORDS[code as usize - 1]).collect();
                add("pattern", &pattern.id, format!("cannot be seen: no input shows {}", words.join(", ")));
            }
        }
        for (blind, n) in followed.blind.iter().filter(|(blind, _)| blind.pattern == p) {
            let step = &pattern.steps[blind.step].name;
            let events = if *n == 1 { "1 event" } else { &format!("{n} events") };
            let why = match blind.what.as_str() {
                "the data ends before" | "the data begins later" | "no source shows it" => blind.what.clone(),
                what => format!("`{what}` is not known"),
            };
            add("pattern", &pattern.id, format!("could not be followed at {events} of the step `{step}`: {why}"));
        }
    }
    let inputs = &world.settled.inputs;
    for input in inputs {
        if CAPS.contains(&input.read) {
            let because = format!("holds exactly {} records: exports are cut at such numbers", input.read);
            add("input", &input.path, because);
        }
        if input.rejected > 0 {
            add("input", &input.path, format!("{} of {} records could not be used", input.rejected, input.read));
        }
        fields(input, &mut add);
    }
    for (path, why) in &world.settled.skipped {
        add("input", path, format!("not read: {why}"));
    }
    for table in [Table::Person, Table::Ticket, Table::Credential, Table::Account] {
        if !world.has(table) {
            let without = match table {
                Table::Person => "who is an executive, a contractor, on leave or long hired is not known",
                Table::Ticket => "refusals and requests that stand in tickets are not seen",
                Table::Credential => "whether an older key lives on is not known",
                _ => "which accounts are privileged is known from rosters and registers alone",
            };
            add("system", table.name(), format!("no {} table: {without}", table.name()));
        }
    }
    systems(trail, &mut add);
    for offset in offsets(trail) {
        let (far, way) =
            (format_duration_micros(offset.ahead.abs()), if offset.ahead > 0 { "ahead of" } else { "behind" });
        let because =
            format!("its clock is {far} {way} that of {}, by {} acts that both recorded", offset.against, offset.acts);
        add("clock", &offset.system, because);
    }
    limits.into_iter().collect()
}

/// A clock that was set by another's.
pub fn moved(offset: &Offset) -> Limit {
    let far = format_duration_micros(offset.ahead.abs());
    let way = if offset.ahead > 0 { "back" } else { "forward" };
    Limit {
        kind: "clock".to_owned(),
        what: offset.system.clone(),
        because: format!("its instants were moved {way} by {far}, as asked, to agree with {}", offset.against),
    }
}

fn fields(input: &Input, add: &mut dyn FnMut(&str, &str, String)) {
    let Some(mask) = input.reports.get(&Table::Event) else { return };
    let silent: Vec<&str> = Field::ALL
        .into_iter()
        .filter(|field| field.columns().iter().all(|column| mask >> column & 1 == 0))
        .map(Field::as_str)
        .collect();
    if !silent.is_empty() && input.rows.get(&Table::Event).is_some_and(|rows| *rows > 0) {
        add("field", &input.path, format!("does not carry {}", silent.join(", ")));
    }
}

fn systems(trail: &Trail, add: &mut dyn FnMut(&str, &str, String)) {
    let Some((first, last)) = trail.span() else {
        add("system", "all", "there is no event in the inputs".to_owned());
        return;
    };
    let mut of_system: BTreeMap<u32, (i64, i64, usize)> = BTreeMap::new();
    for event in trail.events.iter().filter(|event| event.action < ACTION_WORDS.len() as u8 - 1) {
        let system = of_system.entry(event.get(Field::System)).or_insert((event.at, event.at, 0));
        system.1 = event.at;
        system.2 += 1;
    }
    for (&system, &(from, until, n)) in of_system.iter().filter(|(number, _)| **number != NONE) {
        let name = trail.name(system).unwrap_or_default();
        if from - first > DAY {
            add(
                "system",
                name,
                format!("its data begins at {}, that of others at {}", format_instant(from), format_instant(first)),
            );
        }
        if last - until > DAY {
            add(
                "system",
                name,
                format!("its data ends at {}, that of others at {}", format_instant(until), format_instant(last)),
            );
        }
        if n < EVENTS_FOR_SILENCE {
            add("silence", name, format!("{n} events do not say which pauses are usual: holes are not found"));
        }
    }
    let mut silent: BTreeMap<u32, Vec<i64>> = BTreeMap::new();
    for event in trail.events.iter().filter(|event| event.action == LOG_SILENCE) {
        silent.entry(event.get(Field::System)).or_default().push(event.at);
    }
    for (system, instants) in silent {
        for pair in instants.chunks(2).filter(|pair| pair.len() == 2) {
            let because = format!("nothing from {} to {}", format_instant(pair[0]), format_instant(pair[1]));
            add("silence", trail.name(system).unwrap_or_default(), because);
        }
    }
    if last - first < UNSEEN {
        let days = (last - first) / DAY;
        let because = format!(
            "the data spans {days} days: an address counts as unseen when it was not seen in those, and before day {} not at all",
            HISTORY / DAY
        );
        add("history", "unseen addresses and devices", because);
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
