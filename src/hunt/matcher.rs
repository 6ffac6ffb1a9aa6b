//! Follows the patterns through the trail, in one pass.
//!
//! Every condition answers yes, no or not known. What is not known matches nothing; it is counted, with the pattern, the
//! step and what was asked, so that "nothing found" is never said of what could not be seen.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hashbrown::{HashMap, HashSet};

use super::events::{Event, Field, LOG_SILENCE, MARKS, NONE, Trail};
use super::pattern::{Order, Pattern, Piece, Step, Test};
use crate::fact::sequence::HABIT_DAYS;
use crate::fact::{ResetSubject, Value, World, reset_fact};
use crate::table::{event, person};
use crate::text::EMPTY;
use crate::time::{DAY, format_instant};

/// An address or device not used for so long counts as unseen (Elastic, Sigma and Azure rules: 90 days).
pub const UNSEEN: i64 = 90 * DAY;
/// The window of the fact `habitual_executor`.
const HABIT: i64 = HABIT_DAYS * DAY;
/// With less history than this nobody can say what is unseen.
pub const HISTORY: i64 = 14 * DAY;
/// A baseline of an executor needs so many days.
pub const BASELINE: i64 = 7 * DAY;

/// A sequence that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// Which pattern.
    pub pattern: usize,
    /// When it was complete: at its last event, or when the time ran out in which something should have come.
    pub at: i64,
    /// Positions in the trail, in the order of the steps.
    pub events: Vec<u32>,
    /// Distinct values counted; 0 for sequences.
    pub count: usize,
    /// The sentence.
    pub because: String,
}

/// What could not be followed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Blind {
    /// Which pattern.
    pub pattern: usize,
    /// Which step.
    pub step: usize,
    /// What was not known.
    pub what: String,
}

/// What came of all patterns.
#[derive(Clone, Debug, Default)]
pub struct Followed {
    /// By the time they were complete, then by pattern and events.
    pub matches: Vec<Match>,
    /// How many events could not be judged, and why.
    pub blind: BTreeMap<Blind, u64>,
}

type Join = [u32; 3];

struct Partial {
    /// How many of the steps that must be there were found.
    found: usize,
    events: Vec<u32>,
    first: i64,
    last: i64,
}

/// The state of one pattern.
#[derive(Default)]
struct State {
    /// Sequences under way.
    open: HashMap<Join, Vec<Partial>>,
    /// Complete but for what must not come: (until, events).
    waiting: HashMap<Join, Vec<(i64, Partial)>>,
    /// When a leading absent step was last seen.
    before: HashMap<(usize, Join), i64>,
    /// For steps in any order: the latest of each.
    any: HashMap<Join, BTreeMap<usize, (i64, u32)>>,
    /// For counts.
    window: HashMap<Join, Window>,
}

#[derive(Default)]
struct Window {
    recent: VecDeque<(i64, u32, u32)>,
    days: VecDeque<(i64, BTreeSet<u32>)>,
    /// The match that is still growing, by its position among the matches.
    growing: Option<usize>,
}

struct Follower<'a> {
    world: &'a World<'a>,
    trail: &'a Trail,
    patterns: &'a [Pattern],
    start: i64,
    end: i64,
    /// Values each identity was seen with, and when last.
    seen: HashMap<(u32, u8, u32), i64>,
    /// When somebody else last reset it.
    last_reset: HashMap<u32, i64>,
    /// When an executor last did something of the kind.
    last_act: HashMap<(u32, u8), i64>,
    out: Followed,
}

/// Follows every pattern.
pub fn follow(world: &World<'_>, trail: &Trail, patterns: &[Pattern]) -> Followed {
    let (start, end) = trail.span().unwrap_or((0, 0));
    // Only who was more than signed in can be part of a sequence, unless a pattern begins with a sign-in.
    let all =
        patterns.iter().any(|p| p.steps.iter().any(|s| s.actions.contains(&event::SIGN_IN) && p.steps.len() == 1));
    let mut concerned: HashSet<u32> = HashSet::new();
    for event in trail.events.iter().filter(|event| all || event.action != event::SIGN_IN) {
        concerned.insert(event.get(Field::Target));
    }
    let mut follower = Follower {
        world,
        trail,
        patterns,
        start,
        end,
        seen: HashMap::new(),
        last_reset: HashMap::new(),
        last_act: HashMap::new(),
        out: Followed::default(),
    };
    // For each action the steps that begin or go on with it, later steps first: an event does not follow itself.
    let mut by_action: Vec<Vec<(usize, usize)>> = vec![Vec::new(); super::events::ACTION_WORDS.len() + 1];
    for (p, pattern) in patterns.iter().enumerate() {
        for (s, step) in pattern.steps.iter().enumerate().rev() {
            for &action in &step.actions {
                by_action[action as usize].push((p, s));
            }
        }
    }
    let mut states: Vec<State> = patterns.iter().map(|_| State::default()).collect();
    for (i, event) in trail.events.iter().enumerate() {
        for &(p, s) in &by_action[event.action as usize] {
            follower.step(&mut states[p], p, s, i as u32);
        }
        if concerned.contains(&event.get(Field::Target)) {
            follower.remember(event);
        }
        if event.action != event::SIGN_IN && !event.failed() {
            follower.last_act.insert((event.get(Field::Executor), event.action), event.at);
        }
    }
    for (p, state) in states.into_iter().enumerate() {
        follower.run_out(state, p);
    }
    let mut out = follower.out;
    out.matches.sort_by(|a, b| (a.at, a.pattern, &a.events).cmp(&(b.at, b.pattern, &b.events)));
    out
}

impl Follower<'_> {
    fn remember(&mut self, event: &Event) {
        if event.failed() {
            return;
        }
        let target = event.get(Field::Target);
        // An address from which somebody else acted on an account is none of the account's own.
        // What was done just after a reset is no habit: only a sign-in that held says where somebody is.
        let own = event.action == event::SIGN_IN;
        for field in MARKS {
            let value = event.get(field);
            if value != NONE && own {
                self.seen.insert((target, field as u8, value), event.at);
            }
        }
        if event.is_reset() && event.own != 2 {
            self.last_reset.insert(target, event.at);
        }
    }

    fn join(step: &Step, event: &Event) -> Option<Join> {
        let mut join = [NONE; 3];
        for (slot, field) in join.iter_mut().zip(&step.key) {
            *slot = event.get(*field);
            if *slot == NONE {
                return None;
            }
        }
        Some(join)
    }

    fn blind(&mut self, p: usize, s: usize, what: &str) {
        let blind = Blind { pattern: p, step: s, what: what.to_owned() };
        *self.out.blind.entry(blind).or_default() += 1;
    }

    /// Do the step's conditions hold? What is not known is counted, unless another condition says no.
    fn fits(&mut self, p: usize, s: usize, i: u32) -> bool {
        let patterns = self.patterns;
        let step = &patterns[p].steps[s];
        let mut unknown = None;
        for condition in &step.conditions {
            match self.holds(&condition.test, i) {
                Some(true) => {}
                Some(false) => return false,
                None => unknown = unknown.or(Some(condition.name.as_str())),
            }
        }
        match unknown {
            Some(name) => {
                self.blind(p, s, name);
                false
            }
            None => true,
        }
    }

    /// An event of an action that the step names: it may begin, move or end sequences.
    fn step(&mut self, state: &mut State, p: usize, s: usize, i: u32) {
        let patterns = self.patterns;
        let pattern = &patterns[p];
        let step = &pattern.steps[s];
        let event = self.trail.events[i as usize];
        let Some(join) = Self::join(step, &event) else {
            if step.absent.is_none() && (pattern.count.is_some() || s == 0 || pattern.order == Order::Any) {
                let missing = step.key.iter().find(|field| event.get(**field) == NONE);
                if self.fits(p, s, i) {
                    self.blind(p, s, missing.map_or("", |field| field.as_str()));
                }
            }
            return;
        };
        if pattern.count.is_some() {
            if self.fits(p, s, i) {
                self.counted(state, p, join, i);
            }
            return;
        }
        if pattern.order == Order::Any {
            if self.fits(p, s, i) {
                self.in_any_order(state, p, s, join, i);
                self.missing(p, s, &event);
            }
            return;
        }
        let place = pattern.steps[..s].iter().filter(|step| step.absent.is_none()).count();
        let total = pattern.steps.iter().filter(|step| step.absent.is_none()).count();
        if step.absent.is_some() {
            return self.not_absent(state, p, s, (place, total), join, i);
        }
        if place == 0 {
            return self.begin(state, p, s, join, i);
        }
        let Some(open) = state.open.get_mut(&join) else { return };
        open.retain(|partial| event.at - partial.first <= pattern.within);
        if !open.iter().any(|partial| partial.found == place) || !self.fits(p, s, i) {
            return;
        }
        let trail = self.trail;
        let mut done = Vec::new();
        let mut unknown = None;
        let mut rest = Vec::new();
        let open = state.open.remove(&join).unwrap_or_default();
        for mut partial in open {
            let before = partial.events.last().map(|&e| trail.events[e as usize]);
            let goes_on = partial.found == place && {
                let differs = pattern.differ.iter().map(|&field| {
                    let (a, b) = (before.map_or(NONE, |e| e.get(field)), event.get(field));
                    if a == NONE || b == NONE { Err(field) } else { Ok(a != b) }
                });
                match differs.collect::<Result<Vec<bool>, Field>>() {
                    Ok(all) => all.into_iter().all(|differs| differs),
                    Err(field) => {
                        unknown = Some(field);
                        false
                    }
                }
            };
            if !goes_on {
                rest.push(partial);
                continue;
            }
            partial.events.push(i);
            partial.found += 1;
            partial.last = event.at;
            if partial.found == total { done.push(partial) } else { rest.push(partial) }
        }
        if !rest.is_empty() {
            state.open.insert(join, rest);
        }
        if let Some(field) = unknown {
            self.blind(p, s, field.as_str());
        }
        for partial in done {
            self.present(state, p, join, partial);
        }
    }

    fn begin(&mut self, state: &mut State, p: usize, s: usize, join: Join, i: u32) {
        let patterns = self.patterns;
        let pattern = &patterns[p];
        if !self.fits(p, s, i) {
            return;
        }
        let event = self.trail.events[i as usize];
        for (lead, step) in pattern.steps[..s].iter().enumerate() {
            let Some(within) = step.absent else { continue };
            let last = state.before.get(&(lead, join)).copied();
            if last.is_some_and(|at| event.at - at <= within) {
                return;
            }
            if !self.shows(step) {
                self.blind(p, lead, "no source shows it");
                return;
            }
            if last.is_none() && event.at - within < self.start {
                self.blind(p, lead, "the data begins later");
                return;
            }
        }
        self.missing(p, s, &event);
        let partial = Partial { found: 1, events: vec![i], first: event.at, last: event.at };
        if pattern.steps.iter().filter(|step| step.absent.is_none()).count() == 1 {
            self.present(state, p, join, partial);
        } else {
            state.open.entry(join).or_default().push(partial);
        }
    }

    /// Everything that must be there is there.
    fn present(&mut self, state: &mut State, p: usize, join: Join, partial: Partial) {
        let patterns = self.patterns;
        match patterns[p].steps.last().and_then(|step| step.absent) {
            Some(within) => state.waiting.entry(join).or_default().push((partial.last + within, partial)),
            None => self.found(p, partial.last, partial.events, 0),
        }
    }

    /// Something came that must not: sequences that wait for its absence end.
    fn not_absent(
        &mut self,
        state: &mut State,
        p: usize,
        s: usize,
        (place, total): (usize, usize),
        join: Join,
        i: u32,
    ) {
        let patterns = self.patterns;
        let within = patterns[p].steps[s].absent.unwrap_or_default();
        let at = self.trail.events[i as usize].at;
        let concerned = place == 0
            || state.waiting.contains_key(&join)
            || state.open.get(&join).is_some_and(|open| open.iter().any(|partial| partial.found == place));
        if !concerned || !self.fits(p, s, i) {
            return;
        }
        if place == 0 {
            state.before.insert((s, join), at);
        } else if place == total {
            if let Some(waiting) = state.waiting.get_mut(&join) {
                waiting.retain(|(until, _)| at > *until);
            }
        } else if let Some(open) = state.open.get_mut(&join) {
            open.retain(|partial| partial.found != place || at - partial.last > within);
        }
    }

    fn in_any_order(&mut self, state: &mut State, p: usize, s: usize, join: Join, i: u32) {
        let patterns = self.patterns;
        let pattern = &patterns[p];
        let at = self.trail.events[i as usize].at;
        let latest = state.any.entry(join).or_default();
        latest.insert(s, (at, i));
        latest.retain(|_, (then, _)| at - *then <= pattern.within);
        if latest.len() < pattern.steps.len() {
            return;
        }
        let events: Vec<u32> = latest.values().map(|(_, e)| *e).collect();
        if events.iter().collect::<BTreeSet<_>>().len() == events.len() {
            state.any.remove(&join);
            self.found(p, at, events, 0);
        }
    }

    fn counted(&mut self, state: &mut State, p: usize, join: Join, i: u32) {
        let patterns = self.patterns;
        let Some(count) = &patterns[p].count else { return };
        let event = self.trail.events[i as usize];
        // Of events each counts.
        let value = count.of.map_or(i + 1, |field| event.get(field));
        if value == NONE {
            self.blind(p, 0, count.of.map_or("", Field::as_str));
            return;
        }
        let window = state.window.entry(join).or_default();
        window.recent.retain(|(at, ..)| event.at - at < count.within);
        if window.recent.is_empty() {
            window.growing = None;
        }
        window.recent.push_back((event.at, value, i));
        let today = event.at.div_euclid(DAY);
        let mut least = count.at_least;
        if let Some(history) = count.own_history {
            window.days.retain(|(day, _)| today - day <= i64::from(history.days));
            // What the window itself holds is no history: a spree over midnight would raise its own bar.
            let from = (event.at - count.within + 1).div_euclid(DAY);
            let most = window.days.iter().filter(|(day, _)| *day < from).map(|(_, values)| values.len()).max();
            let most = most.unwrap_or(0);
            least = least.max((most as f64 * history.times).floor() as usize + 1);
            match window.days.back_mut().filter(|(day, _)| *day == today) {
                Some((_, values)) => {
                    values.insert(value);
                }
                None => window.days.push_back((today, BTreeSet::from([value]))),
            }
        }
        let distinct: BTreeSet<u32> = window.recent.iter().map(|(_, value, _)| *value).collect();
        if let Some(growing) = window.growing {
            let found = &mut self.out.matches[growing];
            if !found.events.contains(&i) {
                found.events.push(i);
            }
            found.count = found.count.max(distinct.len());
            let because = self.sentence(p, &self.out.matches[growing]);
            self.out.matches[growing].because = because;
            return;
        }
        if distinct.len() < least {
            return;
        }
        if count.own_history.is_some() && event.at - self.start < BASELINE {
            self.blind(p, 0, "own history");
            return;
        }
        let events: Vec<u32> = window.recent.iter().map(|(_, _, e)| *e).collect();
        window.growing = Some(self.out.matches.len());
        self.found(p, event.at, events, distinct.len());
    }

    /// What waited for the absence of something, when the data is at its end.
    fn run_out(&mut self, state: State, p: usize) {
        let patterns = self.patterns;
        let s = patterns[p].steps.len() - 1;
        let mut waiting: Vec<(i64, Partial)> = state.waiting.into_values().flatten().collect();
        waiting.sort_by(|a, b| (a.0, &a.1.events).cmp(&(b.0, &b.1.events)));
        for (until, partial) in waiting {
            if !self.shows(&patterns[p].steps[s]) {
                self.blind(p, s, "no source shows it");
            } else if until > self.end {
                self.blind(p, s, "the data ends before");
            } else {
                self.found(p, until, partial.events, 0);
            }
        }
    }

    /// A sequence that has begun cannot go on where nothing shows one of its other steps: that it did not is not known.
    fn missing(&mut self, p: usize, s: usize, event: &Event) {
        let patterns = self.patterns;
        let pattern = &patterns[p];
        for (other, step) in pattern.steps.iter().enumerate() {
            if other == s || step.absent.is_some() {
                continue;
            }
            if !self.shows(step) {
                self.blind(p, other, "no source shows it");
            } else if step.actions == [LOG_SILENCE] {
                let reach = self.trail.reach.get(&event.get(Field::System));
                match reach {
                    Some(reach) if !reach.shows_silences() => self.blind(p, other, "too few events to say"),
                    // Whether the log was silent before it began is not in it.
                    Some(reach) if event.at - reach.first < pattern.within => {
                        self.blind(p, other, "the data begins later")
                    }
                    Some(reach) if reach.last - event.at < pattern.within => {
                        self.blind(p, other, "the data ends before")
                    }
                    _ => {}
                }
            }
        }
    }

    /// Could any source show what the step names?
    fn shows(&self, step: &Step) -> bool {
        step.actions.iter().any(|&action| {
            self.world.can_show(action)
                || action as usize > event::ACTIONS.len()
                || action == event::USE_REVIEWED && self.world.has(crate::table::Table::Ticket)
        })
    }

    fn found(&mut self, p: usize, at: i64, events: Vec<u32>, count: usize) {
        let mut found = Match { pattern: p, at, events, count, because: String::new() };
        found.because = self.sentence(p, &found);
        self.out.matches.push(found);
    }

    fn sentence(&self, p: usize, found: &Match) -> String {
        let pattern = &self.patterns[p];
        // Steps that must be there, in order, each with its event; of a count the first event speaks.
        let event_of = |step: usize| {
            let place = pattern.steps[..step].iter().filter(|step| step.absent.is_none()).count();
            let place = if pattern.count.is_some() { 0 } else { place };
            found.events.get(place).map(|&i| &self.trail.events[i as usize])
        };
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Count => found.count.to_string(),
            Piece::Value(step, field) => event_of(*step)
                .and_then(|event| self.trail.value(event, *field))
                .map_or_else(|| format!("({} not reported)", field.as_str()), str::to_owned),
            Piece::At(step) => event_of(*step).map_or(String::new(), |event| format_instant(event.at)),
            Piece::Action(step) => event_of(*step).map_or(String::new(), |event| event.action().to_owned()),
        };
        pattern.because.iter().map(piece).collect()
    }

    fn holds(&self, test: &Test, i: u32) -> Option<bool> {
        let event = &self.trail.events[i as usize];
        let row = (event.row != u32::MAX).then_some(event.row as usize);
        let fact = |name: &str| -> Option<Value> {
            let row = row?;
            match reset_fact(name)?.value(&ResetSubject::new(self.world, row)) {
                Value::Null => None,
                value => Some(value),
            }
        };
        let words = |word: Option<&str>, among: &[String]| Some(among.iter().any(|one| Some(one.as_str()) == word));
        match test {
            Test::Outcome(codes) => Some(codes.contains(&event.outcome)),
            Test::Unseen(fields) => {
                let mut unknown = false;
                for &field in fields {
                    match self.unseen(event, field) {
                        Some(true) => return Some(true),
                        Some(false) => {}
                        None => unknown = true,
                    }
                }
                (!unknown).then_some(false)
            }
            Test::Rare(field) => {
                let value = event.get(*field);
                (value != NONE).then(|| !self.trail.is_common(value))
            }
            Test::AfterReset(within) => {
                let last = self.last_reset.get(&event.get(Field::Target)).copied();
                Some(last.is_some_and(|at| event.at - at <= *within))
            }
            Test::FirstAct(within) => {
                let by = event.get(Field::Executor);
                match self.last_act.get(&(by, event.action)) {
                    _ if by == NONE => None,
                    Some(last) => Some(event.at - last > *within),
                    None => (event.at - self.start >= HISTORY).then_some(true),
                }
            }
            Test::ByOutsider(wanted) => {
                let row = row?;
                let kind = self.world.executor_kind[row];
                if kind as usize == event::EXECUTOR_KINDS.iter().position(|k| *k == "vendor")? + 1 {
                    return Some(*wanted);
                }
                let id = self.world.register.identity_of(self.world.executor_key[row])?;
                let stint = self.world.register.speaking(id, event.at)?;
                match stint.worker_type {
                    0 => None,
                    person::CONTRACTOR | person::VENDOR => Some(*wanted),
                    _ => Some(!*wanted),
                }
            }
            Test::HiredDays(compare) => {
                let id = self.world.register.identity_of(self.world.target_key[row?])?;
                let start = self.world.register.covering(id, event.at)?.start;
                (start != crate::settle::SINCE_EVER).then(|| compare.holds((event.at - start) as f64 / DAY as f64))
            }
            Test::AnyTicket(wanted) => {
                let row = row?;
                let rows = &self.world.settled.events;
                if rows.text(event::TICKET, row) != EMPTY || self.world.ticket_by_subject(row).is_some() {
                    return Some(*wanted);
                }
                (rows.has(event::TICKET, row) || self.world.subjects_on_tickets).then_some(!*wanted)
            }
            Test::TokenChannel(among) => {
                let code = self.world.settled.events.code(event::TOKEN_CHANNEL, row?);
                (code != 0).then_some(())?;
                words(event::CHANNELS.get(code as usize - 1).copied(), among)
            }
            Test::Object(pattern) => {
                let value = self.trail.value(event, Field::Object)?;
                Some(pattern.is_match(value))
            }
            Test::ExecutorKind(among) => {
                let code = self.world.executor_kind[row?];
                (code != 0).then_some(())?;
                words(event::EXECUTOR_KINDS.get(code as usize - 1).copied(), among)
            }
            // Known of what tickets say, too.
            Test::FactIs("self_service", wanted) => (event.own != 0).then_some((event.own == 2) == *wanted),
            Test::FactIs(name, wanted) => match fact(name)? {
                // What somebody did not do in thirty days is not known from fewer.
                Value::Bool(false) if *name == "habitual_executor" && event.at - self.start < HABIT => None,
                Value::Bool(is) => Some(is == *wanted),
                _ => None,
            },
            Test::FactIn(name, among) => match fact(name)? {
                Value::Text(word) => words(Some(&word), among),
                _ => None,
            },
            Test::FactCompares(name, compare) => match fact(name)? {
                Value::Number(x) => Some(compare.holds(x)),
                _ => None,
            },
        }
    }

    /// Was the target not seen with this value? Null without a value, and where the data does not go back far enough.
    fn unseen(&self, event: &Event, field: Field) -> Option<bool> {
        let (value, target) = (event.get(field), event.get(Field::Target));
        if value == NONE || target == NONE {
            return None;
        }
        match self.seen.get(&(target, field as u8, value)) {
            Some(last) if event.at - last <= UNSEEN => Some(false),
            Some(_) => Some(true),
            None => (event.at - self.start >= HISTORY).then_some(true),
        }
    }
}
