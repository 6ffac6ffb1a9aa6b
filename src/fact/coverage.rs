//! Which time the log of a system covers, as its records show or the config declares, and whether it covers what a fact looks at.
//!
//! A log is what one mapping reads of one system. It is known to cover the time from its first record to its last, but for its
//! holes. Canonical tables are extracts: what they do not hold may be known all the same, so that their span is told and decides
//! nothing, unless `[[coverage]]` in the config says which time they are about.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use rayon::prelude::*;

use super::reset::ResetSubject;
use crate::config::{Config, Policy};
use crate::hours::{Hole, Hours};
use crate::settle::{SINCE_EVER, Settled};
use crate::table::event;
use crate::text::{EMPTY, TextId};
use crate::time::{DAY, HOUR, MINUTE};

/// Bit of each action: what is looked for.
pub type Actions = u32;

/// The bits of some actions.
pub const fn bits(actions: &[u8]) -> Actions {
    let (mut mask, mut i) = (0, 0);
    while i < actions.len() {
        mask |= 1 << actions[i];
        i += 1;
    }
    mask
}

/// Every reset action.
pub const RESETS: Actions = ((1 << event::RESET_ACTIONS) - 1) << 1;
const SIGN_INS: Actions = bits(&[event::SIGN_IN]);
const ALL: Actions = Actions::MAX;

/// Where the knowledge of a log's coverage comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// The config's `[[coverage]]`.
    Declared,
    /// The records of a vendor's log.
    Records,
    /// Canonical tables: told, and nothing rests on it.
    Extract,
}

impl Basis {
    /// As in `assessment.json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Basis::Declared => "declared",
            Basis::Records => "records",
            Basis::Extract => "extract",
        }
    }
}

/// What one mapping reads of one system.
#[derive(Clone, Debug)]
pub struct Log {
    /// The system.
    pub system: String,
    /// The mapping; empty where the coverage is declared.
    pub mapping: String,
    /// Actions that it can show.
    pub shows: Actions,
    /// See [`Basis`].
    pub basis: Basis,
    /// First and last instant that it covers; the first is [`SINCE_EVER`] where it is declared so.
    span: (i64, i64),
    /// Files that have a record of it.
    pub files: u64,
    /// What it lacks of the period, by its rhythm.
    pub missing: Vec<Hole>,
    /// Where it is silent in between for longer than its rhythm allows.
    pub holes: Vec<Hole>,
    /// Records with a time.
    pub seen: u64,
    /// Does another log of the system decide what is covered?
    pub overruled: bool,
}

impl Log {
    /// From when it covers; null is since ever.
    pub fn begins(&self) -> Option<i64> {
        Some(self.span.0).filter(|first| *first > SINCE_EVER)
    }

    /// Until when it covers.
    pub fn ends(&self) -> i64 {
        self.span.1
    }

    /// Do these files hold nothing but sign-ins?
    pub fn sign_ins_only(&self) -> bool {
        self.shows == SIGN_INS
    }

    /// Does it cover all of a time, without a hole?
    pub fn covers(&self, from: i64, until: i64) -> bool {
        self.span.0 <= from
            && until <= self.span.1
            && (self.basis == Basis::Declared || !self.holes.iter().any(|hole| from < hole.until && hole.from < until))
    }

    /// How long before an instant it covers all; 0 where it does not cover the instant.
    fn reach(&self, at: i64) -> i64 {
        if !self.covers(at, at) {
            return 0;
        }
        let hole = self.holes.iter().rev().find(|hole| self.basis == Basis::Records && hole.until <= at);
        at - hole.map_or(self.span.0, |hole| hole.until.max(self.span.0))
    }

    /// What it lacks of a time; null when it covers it.
    fn lacks(&self, from: i64, until: i64) -> Option<Lack> {
        match () {
            () if self.covers(from, until) => None,
            () if from < self.span.0 => Some(Lack::Before),
            () if self.span.1 < until => Some(Lack::After),
            () => Some(Lack::Hole),
        }
    }
}

/// What a log lacks of a time that a fact looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lack {
    /// It begins later.
    Before,
    /// It ends earlier.
    After,
    /// It is silent in it.
    Hole,
}

/// A log that does not reach as far as a fact looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Short {
    /// Position in [`Coverage::logs`].
    pub log: usize,
    /// See [`Lack`].
    pub lack: Lack,
}

/// The logs of every system.
#[derive(Default)]
pub struct Coverage {
    /// By system, mapping and what they show.
    pub logs: Vec<Log>,
    /// Is any of them known to cover a time?
    known: bool,
    by_system: HashMap<TextId, Vec<usize>>,
}

/// A log while its files are gone through.
#[derive(Default)]
struct Gathered {
    hours: Hours,
    shows: Actions,
    files: u64,
}

/// What a fact looks at around a reset.
struct Window {
    shows: Actions,
    from: i64,
    until: i64,
    /// Would a log of another system do, where the reset's own shows none of it?
    anywhere: bool,
}

/// How far before and after a reset a fact looks, in microseconds; null for one that looks at no log.
pub fn looks(fact: &str, policy: &Policy) -> Option<(i64, i64)> {
    let us = |x: f64, unit: i64| (x * unit as f64) as i64;
    let around = |width: i64| Some((width, width));
    match fact {
        "bulk_window_observed" => around(us(policy.bulk_window_minutes, MINUTE)),
        "repeat_window_observed" => around(us(policy.repeat_window_hours, HOUR)),
        "other_factor_observed" => around(us(policy.factor_pair_minutes, MINUTE)),
        "reactivations_observed" => Some((us(policy.reactivation_hours, HOUR), 0)),
        "privilege_grants_observed" => Some((0, us(policy.privilege_hours, HOUR))),
        "contact_changes_observed" => Some((us(policy.contact_change_days, DAY), 0)),
        "cascade_window_observed" => Some((0, us(policy.cascade_hours, HOUR))),
        "denials_observed" => Some((us(policy.denied_hours, HOUR), 0)),
        "days_inactive" => Some((us(policy.dormant_days, DAY), 0)),
        _ => None,
    }
}

fn window(fact: &str, s: &ResetSubject<'_>) -> Option<Window> {
    let (before, after) = looks(fact, s.world.policy)?;
    let (shows, anywhere) = match fact {
        "other_factor_observed" => (bits(super::sequence::other_side(s)?), true),
        "reactivations_observed" => (bits(&[event::ACCOUNT_REACTIVATED]), false),
        "privilege_grants_observed" => (bits(&[event::PRIVILEGE_GRANTED]), true),
        "contact_changes_observed" => (bits(&[event::RECOVERY_CONTACT_CHANGED]), true),
        "days_inactive" => (SIGN_INS, false),
        _ => (RESETS, false),
    };
    Some(Window { shows, from: s.at.saturating_sub(before), until: s.at.saturating_add(after), anywhere })
}

/// Does a log reach as far as the fact of that name looks? True where no coverage is known.
pub fn reaches(fact: &str, s: &ResetSubject<'_>) -> bool {
    short(fact, s).is_none()
}

/// The log that is known not to reach as far as the fact of that name looks, if any.
pub fn short(fact: &str, s: &ResetSubject<'_>) -> Option<Short> {
    let coverage = &s.world.coverage;
    if !coverage.known {
        return None;
    }
    coverage.short(s.system(), &window(fact, s)?)
}

/// How far back from a reset a log of sign-ins of its system is known to reach without a hole, in microseconds; null where no
/// such coverage is known.
pub fn sign_ins_reach(s: &ResetSubject<'_>) -> Option<i64> {
    let coverage = &s.world.coverage;
    let own = coverage.by_system.get(&s.system()).filter(|_| coverage.known)?;
    let logs = || own.iter().map(|i| &coverage.logs[*i]).filter(|log| log.shows & SIGN_INS != 0);
    if logs().any(|log| log.basis == Basis::Extract) {
        return None;
    }
    logs().map(|log| log.reach(s.at)).max()
}

/// A canonical table's log of one system, for what it holds around a reset.
#[derive(Clone, Copy)]
pub struct Extent {
    /// Position in [`Coverage::logs`].
    pub log: usize,
    at: i64,
    span: (i64, i64),
}

impl Extent {
    /// Of each reset; null where the log of its system is no extract.
    pub fn of(subjects: &[ResetSubject<'_>]) -> Vec<Option<Extent>> {
        let mut last: Option<(TextId, Option<usize>)> = None;
        let one = |s: &ResetSubject<'_>| {
            let coverage = &s.world.coverage;
            let log = match last {
                Some((system, log)) if system == s.system() => log,
                _ => {
                    let logs = coverage.by_system.get(&s.system()).map_or(&[][..], Vec::as_slice);
                    let log = logs.first().copied().filter(|log| coverage.logs[*log].basis == Basis::Extract);
                    last = Some((s.system(), log));
                    log
                }
            }?;
            Some(Extent { log, at: s.at, span: coverage.logs[log].span })
        };
        subjects.iter().map(one).collect()
    }

    /// What it does not hold of a time around its reset.
    pub fn lacks(&self, (before, after): (i64, i64)) -> Option<Short> {
        let lack = match () {
            () if self.at.saturating_sub(before) < self.span.0 => Lack::Before,
            () if self.at.saturating_add(after) > self.span.1 => Lack::After,
            () => return None,
        };
        Some(Short { log: self.log, lack })
    }
}

impl Coverage {
    /// What logs cover, by everything that was read and happened up to `as_of`.
    pub fn of(config: &Config, settled: &Settled, as_of: i64) -> Coverage {
        let (events, texts) = (&settled.events, &settled.texts);
        let at = |row: usize| events.instant(event::OCCURRED_AT, row).filter(|at| *at <= as_of);
        let mapped: Vec<bool> = settled.inputs.iter().map(|input| input.mapping != "canonical").collect();
        let of_mapping = |row: usize| mapped[events.file(row) as usize];
        let sign_in = |row: usize| events.code(event::ACTION, row) == event::SIGN_IN;
        // Some vendors keep sign-ins in a log of their own, often for a shorter time: files of nothing else say nothing about
        // resets.
        let mut acts: Vec<bool> = settled.inputs.iter().map(|input| input.out_of_scope > 0).collect();
        let mut sign_ins = vec![false; settled.inputs.len()];
        for row in (0..events.len()).filter(|row| of_mapping(*row)) {
            let file = events.file(row) as usize;
            if sign_in(row) { sign_ins[file] = true } else { acts[file] = true }
        }
        const ROWS: usize = 1 << 16;
        let seen = (0..events.len().div_ceil(ROWS)).into_par_iter().map(|part| {
            let mut found: HashMap<(u32, TextId), Hours> = HashMap::new();
            // Rows of one file and system lie together.
            let mut last: Option<((u32, TextId), Hours)> = None;
            for row in part * ROWS..events.len().min((part + 1) * ROWS) {
                let Some(at) = at(row) else { continue };
                let key = (events.file(row), events.text(event::SYSTEM, row));
                if last.as_ref().is_none_or(|(other, _)| *other != key) {
                    if let Some((key, hours)) = last.take() {
                        found.entry(key).or_default().absorb(&hours);
                    }
                    last = Some((key, Hours::default()));
                }
                let Some((_, hours)) = &mut last else { continue };
                if of_mapping(row) { hours.see(at) } else { hours.stretch(at, at, 1) }
            }
            if let Some((key, hours)) = last {
                found.entry(key).or_default().absorb(&hours);
            }
            found.into_iter().collect::<Vec<_>>()
        });
        let mut by_file: BTreeMap<(u32, String), Hours> = BTreeMap::new();
        for (key, hours) in seen.collect::<Vec<_>>().into_iter().flatten() {
            by_file.entry((key.0, texts.get(key.1).to_string())).or_default().absorb(&hours);
        }
        for (file, input) in settled.inputs.iter().enumerate() {
            for (system, hours) in &input.passed {
                let hours = hours.until(as_of);
                // Who does not say its system is of the file's only one.
                let only = || input.systems.first().filter(|_| input.systems.len() == 1);
                let system = if system.is_empty() { only() } else { Some(system) };
                if let (Some(system), true) = (system, hours.span.is_some()) {
                    by_file.entry((file as u32, system.clone())).or_default().absorb(&hours);
                }
            }
        }
        let mut logs: BTreeMap<(String, String, bool), Gathered> = BTreeMap::new();
        for ((file, system), hours) in by_file {
            let input = &settled.inputs[file as usize];
            let shows = match input.can_show.is_empty() {
                true => ALL,
                false => event::ACTIONS
                    .iter()
                    .enumerate()
                    .filter(|(_, name)| input.can_show.iter().any(|shown| shown == *name))
                    .fold(0, |mask, (i, _)| mask | 1 << (i + 1)),
            };
            let acts = !mapped[file as usize] || acts[file as usize];
            let log = logs.entry((system, input.mapping.clone(), !acts)).or_default();
            log.hours.absorb(&hours);
            log.files += 1;
            // A log of sign-ins beside it may reach less far.
            let signs = if sign_ins[file as usize] { SIGN_INS } else { 0 };
            log.shows |= if acts { shows & !SIGN_INS | signs } else { SIGN_INS };
        }
        let mut coverage = Coverage::default();
        for rule in &config.coverage {
            let span = (rule.since.unwrap_or(SINCE_EVER), rule.until.unwrap_or(as_of));
            let (system, mapping) = (rule.system.clone(), String::new());
            let log = Log {
                system,
                mapping,
                shows: ALL,
                basis: Basis::Declared,
                span,
                files: 0,
                missing: Vec::new(),
                holes: Vec::new(),
                seen: 0,
                overruled: false,
            };
            coverage.logs.push(log);
        }
        for ((system, mapping, _), Gathered { hours, shows, files }) in logs {
            let Some(span) = hours.span else { continue };
            let basis = if mapping == "canonical" { Basis::Extract } else { Basis::Records };
            let holes = if basis == Basis::Records { hours.holes() } else { Vec::new() };
            let ends = [(config.since, Some(span.0)), (Some(span.1), config.until.map(|until| until.min(as_of)))];
            let ends = ends.into_iter().filter_map(|(from, until)| Some(Hole { from: from?, until: until? }));
            let missing = ends.filter(|end| basis == Basis::Records && hours.breaks_off(end)).collect();
            let overruled = config.coverage.iter().any(|rule| rule.system == system);
            coverage.logs.push(Log {
                system,
                mapping,
                shows,
                basis,
                span,
                files,
                missing,
                holes,
                seen: hours.seen,
                overruled,
            });
        }
        coverage
            .logs
            .sort_by(|a, b| (&a.system, a.basis, &a.mapping, a.shows).cmp(&(&b.system, b.basis, &b.mapping, b.shows)));
        coverage.known = coverage.logs.iter().any(|log| log.basis != Basis::Extract);
        for (i, log) in coverage.logs.iter().enumerate().filter(|(_, log)| !log.overruled) {
            let system = texts.find(&log.system);
            if system != EMPTY {
                coverage.by_system.entry(system).or_default().push(i);
            }
        }
        coverage
    }

    /// The log that does not cover a window, the one that lacks least; null where one covers it, or none says so.
    fn short(&self, system: TextId, window: &Window) -> Option<Short> {
        let able = |i: &usize| !self.logs[*i].overruled && self.logs[*i].shows & window.shows != 0;
        let own = self.by_system.get(&system).map_or(&[][..], Vec::as_slice);
        if own.iter().any(able) {
            return self.shortest(own.iter().copied().filter(able), window);
        }
        if window.anywhere { self.shortest((0..self.logs.len()).filter(able), window) } else { None }
    }

    fn shortest(&self, logs: impl Iterator<Item = usize>, window: &Window) -> Option<Short> {
        let mut least: Option<(bool, Short)> = None;
        for i in logs {
            let log = &self.logs[i];
            // What an extract does not tell, it may still know.
            let lack = if log.basis == Basis::Extract { None } else { log.lacks(window.from, window.until) };
            let short = Short { log: i, lack: lack? };
            // Of several that do not reach, one that knows an edge of the window says more.
            let far = !log.covers(window.from, window.from) && !log.covers(window.until, window.until);
            least = Some(least.map_or((far, short), |other| other.min((far, short))));
        }
        Some(least?.1)
    }
}
