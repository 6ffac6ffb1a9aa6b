//! Follows the patterns through the trail.
//!
//! Every condition answers yes, no or not known. What is not known matches nothing; it is counted, with the pattern, the
//! step and what was asked, so that "nothing found" is never said of what could not be seen.
//!
//! What a condition asks of the past is laid down first (`Past`); after that no pattern needs another, and within one no
//! value of the fields that join its steps needs another: each is followed on whatever thread is free. An event is looked at
//! once for each step that names its action, however much else the same executor or address did.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use hashbrown::HashMap;
use rayon::prelude::*;

use super::events::{ACTION_WORDS, Event, Field, LOG_SILENCE, MARKS, NONE, Trail};
use super::pattern::{Order, Pattern, Step, Test};
use crate::fact::sequence::HABIT_DAYS;
use crate::fact::{ResetSubject, Value, World, reset_fact};
use crate::table::{event, person};
use crate::text::EMPTY;
use crate::time::DAY;

/// An address or device not used for so long counts as unseen (Elastic, Sigma and Azure rules: 90 days).
pub const UNSEEN: i64 = 90 * DAY;
/// The window of the fact `habitual_executor`.
const HABIT: i64 = HABIT_DAYS * DAY;
/// With less history than this nobody can say what is unseen.
pub const HISTORY: i64 = 14 * DAY;
/// A baseline of an executor needs so many days.
pub const BASELINE: i64 = 7 * DAY;
/// Fewer events than these are followed by one thread: parting them takes longer.
const WORTH_PARTING: usize = 20_000;
/// In more parts than these no pattern is followed: each part reads all of its events.
const PARTS: usize = 16;

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

/// Values of the fields that join the steps of a pattern.
type Join = [u32; 3];

struct Partial {
    events: Vec<u32>,
    first: i64,
    last: i64,
    /// The latest `first` of this one and of those before it in its queue.
    newest: i64,
}

/// Sequences under way that wait for the same step, by what the next event has to differ from.
type Level = BTreeMap<Join, VecDeque<Partial>>;

/// The state of one pattern, or of a part of it.
#[derive(Default)]
struct State {
    /// Sequences under way, by how many of the steps that must be there were found, from 1.
    open: HashMap<Join, Vec<Level>>,
    /// Complete but for what must not come: (until, events), in order.
    waiting: HashMap<Join, VecDeque<(i64, Partial)>>,
    /// What must not come did not come in time.
    over: Vec<(i64, Partial)>,
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
    /// How often each value is among the recent.
    values: HashMap<u32, u32>,
    days: VecDeque<(i64, BTreeSet<u32>)>,
    /// The match that is still growing, by its position among the matches.
    growing: Option<usize>,
}

/// What conditions ask of the time before an event.
struct Past {
    /// Of each event two bits for each of [`MARKS`]: 0 not looked at, [`SEEN`], [`STALE`], [`NEW`].
    seen: Vec<AtomicU8>,
    /// When somebody else reset a target: positions, in order.
    resets: HashMap<u32, Vec<u32>>,
    /// When an executor did something of the kind: positions, in order.
    acts: HashMap<(u32, u8), Vec<u32>>,
}

/// The target signed in with this value within [`UNSEEN`].
const SEEN: u8 = 1;
/// It did, but longer ago.
const STALE: u8 = 2;
/// It never did as far back as the data goes.
const NEW: u8 = 3;

impl Past {
    fn of(trail: &Trail, patterns: &[Pattern]) -> Past {
        let asks = |f: &dyn Fn(&Test) -> bool| {
            patterns.iter().flat_map(|p| &p.steps).flat_map(|s| &s.conditions).any(|condition| f(&condition.test))
        };
        let (mut resets, mut acts) = (HashMap::<u32, Vec<u32>>::new(), HashMap::<(u32, u8), Vec<u32>>::new());
        let (ask_resets, ask_acts) =
            (asks(&|test| matches!(test, Test::AfterReset(_))), asks(&|test| matches!(test, Test::FirstAct(_))));
        for (i, event) in trail.events.iter().enumerate() {
            if event.action == event::SIGN_IN || event.failed() {
                continue;
            }
            if ask_resets && event.is_reset() && event.own != 2 {
                resets.entry(event.get(Field::Target)).or_default().push(i as u32);
            }
            if ask_acts {
                acts.entry((event.get(Field::Executor), event.action)).or_default().push(i as u32);
            }
        }
        let marks: Vec<usize> = (0..MARKS.len())
            .filter(|&m| asks(&|test| matches!(test, Test::Unseen(fields) if fields.contains(&MARKS[m]))))
            .collect();
        Past { seen: seen(trail, patterns, &marks), resets, acts }
    }

    /// The instant of the last position before `i`.
    fn last(trail: &Trail, positions: Option<&Vec<u32>>, i: u32) -> Option<i64> {
        let positions = positions?;
        let before = positions.partition_point(|&p| p < i);
        Some(trail.events[*positions.get(before.checked_sub(1)?)? as usize].at)
    }
}

/// Must it be known of everybody, or only of those who did more than sign in, from where they signed in?
fn asked_of_everybody(patterns: &[Pattern]) -> bool {
    patterns.iter().any(|pattern| {
        pattern.steps.iter().enumerate().any(|(s, step)| {
            let unseen = step.conditions.iter().any(|c| matches!(c.test, Test::Unseen(_)));
            let after = step.conditions.iter().any(|c| matches!(c.test, Test::AfterReset(_)));
            // Whoever is asked for is the target of an earlier step, which is no sign-in.
            let follows = pattern.order == Order::InOrder
                && pattern.steps[..s].iter().any(|earlier| {
                    let joined = earlier.key.iter().zip(&step.key).any(|pair| pair == (&Field::Target, &Field::Target));
                    earlier.absent.is_none() && joined && !earlier.actions.contains(&event::SIGN_IN)
                });
            step.actions.contains(&event::SIGN_IN) && unseen && !after && !follows
        })
    })
}

/// Of every event whether its target signed in with the same values before. `marks` are positions in [`MARKS`].
fn seen(trail: &Trail, patterns: &[Pattern], marks: &[usize]) -> Vec<AtomicU8> {
    let mut answers = Vec::with_capacity(trail.events.len());
    answers.resize_with(trail.events.len(), AtomicU8::default);
    if marks.is_empty() {
        return answers;
    }
    let all = asked_of_everybody(patterns);
    let mut concerned = vec![all; trail.names.len()];
    for event in trail.events.iter().filter(|event| event.action != event::SIGN_IN) {
        concerned[event.get(Field::Target) as usize] = true;
    }
    concerned[NONE as usize] = false;
    let parts = parts(trail.events.len());
    (0..parts).into_par_iter().for_each(|part| {
        let mut last: Vec<HashMap<(u32, u32), i64>> = marks.iter().map(|_| HashMap::new()).collect();
        for (event, answer) in trail.events.iter().zip(&answers) {
            let target = event.get(Field::Target);
            if target % parts != part || !concerned[target as usize] {
                continue;
            }
            // An address from which somebody else acted on an account is none of the account's own.
            // What was done just after a reset is no habit: only a sign-in that held says where somebody is.
            let own = event.action == event::SIGN_IN && !event.failed();
            let mut bits = 0;
            for (&m, last) in marks.iter().zip(&mut last) {
                let value = event.get(MARKS[m]);
                if value == NONE {
                    continue;
                }
                let before = match own {
                    true => last.insert((target, value), event.at),
                    false => last.get(&(target, value)).copied(),
                };
                bits |= match before {
                    Some(at) if event.at - at <= UNSEEN => SEEN,
                    Some(_) => STALE,
                    None => NEW,
                } << (2 * m);
            }
            answer.store(bits, Relaxed);
        }
    });
    answers
}

/// In how many parts so many events are followed. What comes of them is the same.
fn parts(events: usize) -> u32 {
    if events < WORTH_PARTING { 1 } else { rayon::current_num_threads().clamp(1, PARTS) as u32 }
}

/// Positions of the events of some actions, in order, from a list for each.
struct Merged<'a>(Vec<&'a [u32]>);

impl Iterator for Merged<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let lists = self.0.iter().enumerate();
        let (least, n) = lists.filter_map(|(n, list)| Some((*list.first()?, n))).min()?;
        self.0[n] = &self.0[n][1..];
        Some(least)
    }
}

/// What every follower looks at.
struct Ground<'a> {
    world: &'a World<'a>,
    trail: &'a Trail,
    past: Past,
    start: i64,
    end: i64,
    /// Positions of events by the code of their action, of those that some pattern names.
    by_action: Vec<Vec<u32>>,
}

/// Follows every pattern.
pub fn follow(world: &World<'_>, trail: &Trail, patterns: &[Pattern]) -> Followed {
    let (start, end) = trail.span().unwrap_or((0, 0));
    let mut named = [false; ACTION_WORDS.len() + 1];
    for &action in patterns.iter().flat_map(|p| &p.steps).flat_map(|s| &s.actions) {
        named[action as usize] = true;
    }
    let mut by_action: Vec<Vec<u32>> = vec![Vec::new(); named.len()];
    for (i, event) in trail.events.iter().enumerate().filter(|(_, event)| named[event.action as usize]) {
        by_action[event.action as usize].push(i as u32);
    }
    let ground = Ground { world, trail, past: Past::of(trail, patterns), start, end, by_action };
    let tasks: Vec<(usize, u32, u32)> = patterns
        .iter()
        .enumerate()
        .flat_map(|(p, pattern)| {
            let actions: BTreeSet<u8> = pattern.steps.iter().flat_map(|s| s.actions.iter().copied()).collect();
            let of = parts(actions.iter().map(|&action| ground.by_action[action as usize].len()).sum());
            (0..of).map(move |part| (p, part, of))
        })
        .collect();
    let found: Vec<Followed> = tasks
        .into_par_iter()
        .map(|(p, part, of)| {
            let pattern = &patterns[p];
            let present = pattern.steps.iter().filter(|step| step.absent.is_none()).count();
            let shown = pattern.steps.iter().map(|step| ground.shows(step)).collect();
            let (matches, blind) = (Vec::new(), BTreeMap::new());
            Follower { ground: &ground, pattern, p, part, of, present, shown, matches, blind }.run()
        })
        .collect();
    let mut out = Followed::default();
    for part in found {
        out.matches.extend(part.matches);
        for (blind, n) in part.blind {
            *out.blind.entry(blind).or_default() += n;
        }
    }
    out.matches.par_sort_by(|a, b| (a.at, a.pattern, &a.events).cmp(&(b.at, b.pattern, &b.events)));
    out
}

/// One pattern, for those values of the fields that join its steps that fall to this part.
struct Follower<'a> {
    ground: &'a Ground<'a>,
    pattern: &'a Pattern,
    p: usize,
    part: u32,
    of: u32,
    /// How many of the steps must be there.
    present: usize,
    /// Of each step, whether any source could show it.
    shown: Vec<bool>,
    matches: Vec<Match>,
    blind: BTreeMap<(usize, &'a str), u64>,
}

impl<'a> Follower<'a> {
    fn run(mut self) -> Followed {
        let ground = self.ground;
        let pattern = self.pattern;
        // For each action the steps that begin or go on with it, later steps first: an event does not follow itself.
        let mut steps: Vec<Vec<usize>> = vec![Vec::new(); ground.by_action.len()];
        for (s, step) in pattern.steps.iter().enumerate().rev() {
            for &action in &step.actions {
                steps[action as usize].push(s);
            }
        }
        let lists = steps.iter().zip(&ground.by_action).filter(|(steps, _)| !steps.is_empty());
        let mut state = State::default();
        for i in Merged(lists.map(|(_, list)| list.as_slice()).collect()) {
            for &s in &steps[ground.trail.events[i as usize].action as usize] {
                self.step(&mut state, s, i);
            }
        }
        self.run_out(state);
        let matches = std::mem::take(&mut self.matches);
        let blind = std::mem::take(&mut self.blind);
        let named =
            |((step, what), n): ((usize, &str), u64)| (Blind { pattern: self.p, step, what: what.to_owned() }, n);
        Followed { matches, blind: blind.into_iter().map(named).collect() }
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

    fn blind(&mut self, s: usize, what: &'a str) {
        *self.blind.entry((s, what)).or_default() += 1;
    }

    /// Do the step's conditions hold? What is not known is counted, unless another condition says no.
    fn fits(&mut self, s: usize, i: u32) -> bool {
        let step = &self.pattern.steps[s];
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
                self.blind(s, name);
                false
            }
            None => true,
        }
    }

    /// An event of an action that the step names: it may begin, move or end sequences.
    fn step(&mut self, state: &mut State, s: usize, i: u32) {
        let pattern = self.pattern;
        let step = &pattern.steps[s];
        let event = &self.ground.trail.events[i as usize];
        let Some(join) = Self::join(step, event) else {
            let counts = step.absent.is_none() && (pattern.count.is_some() || s == 0 || pattern.order == Order::Any);
            if counts && self.part == 0 {
                let missing = step.key.iter().find(|field| event.get(**field) == NONE);
                if self.fits(s, i) {
                    self.blind(s, missing.map_or("", |field| field.as_str()));
                }
            }
            return;
        };
        if self.of > 1 && join.iter().fold(0_u32, |sum, n| sum.wrapping_mul(31).wrapping_add(*n)) % self.of != self.part
        {
            return;
        }
        if pattern.count.is_some() {
            if self.fits(s, i) {
                self.counted(state, join, i);
            }
            return;
        }
        if pattern.order == Order::Any {
            if self.fits(s, i) {
                self.in_any_order(state, s, join, i);
                self.missing(s, event);
            }
            return;
        }
        let place = pattern.steps[..s].iter().filter(|step| step.absent.is_none()).count();
        if step.absent.is_some() {
            self.not_absent(state, s, place, join, i);
        } else if place == 0 {
            self.begin(state, s, join, i);
        } else {
            self.goes_on(state, s, place, join, i);
        }
    }

    /// Of what the next event has to differ; an error names the field that is not known.
    fn differs_from(&self, event: &Event) -> Join {
        let mut values = [NONE; 3];
        for (slot, field) in values.iter_mut().zip(&self.pattern.differ) {
            *slot = event.get(*field);
        }
        values
    }

    fn goes_on(&mut self, state: &mut State, s: usize, place: usize, join: Join, i: u32) {
        let pattern = self.pattern;
        let event = &self.ground.trail.events[i as usize];
        let in_time = |first: i64| event.at - first <= pattern.within;
        let Some(level) = state.open.get_mut(&join).and_then(|levels| levels.get_mut(place - 1)) else { return };
        level.retain(|_, queue| queue.back().is_some_and(|partial| in_time(partial.newest)));
        if level.is_empty() || !self.fits(s, i) {
            return;
        }
        let now = self.differs_from(event);
        let mut unknown = None;
        let mut stays = Level::new();
        let mut moved = Vec::new();
        for (before, queue) in std::mem::take(level) {
            let pairs = pattern.differ.iter().zip(before.iter().zip(&now));
            let missing = pairs.clone().find(|(_, (a, b))| **a == NONE || **b == NONE).map(|(field, _)| field.as_str());
            unknown = unknown.or(missing);
            if missing.is_some() || pairs.into_iter().any(|(_, (a, b))| a == b) {
                stays.insert(before, queue);
            } else {
                moved.extend(queue.into_iter().filter(|partial| in_time(partial.first)));
            }
        }
        *level = stays;
        if let Some(field) = unknown {
            self.blind(s, field);
        }
        moved.sort_by_key(|partial| partial.first);
        for mut partial in moved {
            partial.events.push(i);
            partial.last = event.at;
            self.wait(state, place + 1, join, now, partial);
        }
    }

    /// A sequence of which `found` steps are there waits for the next, or is complete.
    fn wait(&mut self, state: &mut State, found: usize, join: Join, differ: Join, mut partial: Partial) {
        if found == self.present {
            return self.complete(state, join, partial);
        }
        let levels = state.open.entry(join).or_default();
        if levels.len() < found {
            levels.resize_with(found, Level::new);
        }
        let queue = levels[found - 1].entry(differ).or_default();
        // What is too old in front goes on no more; nothing looks at it again otherwise.
        while queue.front().is_some_and(|old| partial.last - old.newest > self.pattern.within) {
            queue.pop_front();
        }
        partial.newest = queue.back().map_or(partial.first, |last| last.newest.max(partial.first));
        queue.push_back(partial);
    }

    fn begin(&mut self, state: &mut State, s: usize, join: Join, i: u32) {
        let pattern = self.pattern;
        if !self.fits(s, i) {
            return;
        }
        let event = &self.ground.trail.events[i as usize];
        for (lead, step) in pattern.steps[..s].iter().enumerate() {
            let Some(within) = step.absent else { continue };
            let last = state.before.get(&(lead, join)).copied();
            if last.is_some_and(|at| event.at - at <= within) {
                return;
            }
            if !self.shown[lead] {
                self.blind(lead, "no source shows it");
                return;
            }
            if last.is_none() && event.at - within < self.ground.start {
                self.blind(lead, "the data begins later");
                return;
            }
        }
        self.missing(s, event);
        let partial = Partial { events: vec![i], first: event.at, last: event.at, newest: event.at };
        self.wait(state, 1, join, self.differs_from(event), partial);
    }

    /// Everything that must be there is there.
    fn complete(&mut self, state: &mut State, join: Join, partial: Partial) {
        match self.pattern.steps.last().and_then(|step| step.absent) {
            Some(within) => state.waiting.entry(join).or_default().push_back((partial.last + within, partial)),
            None => self.found(partial.last, partial.events, 0),
        }
    }

    /// Something came that must not: sequences that wait for its absence end.
    fn not_absent(&mut self, state: &mut State, s: usize, place: usize, join: Join, i: u32) {
        let within = self.pattern.steps[s].absent.unwrap_or_default();
        let at = self.ground.trail.events[i as usize].at;
        if place == 0 {
            if self.fits(s, i) {
                state.before.insert((s, join), at);
            }
        } else if place == self.present {
            let State { waiting, over, .. } = state;
            let Some(waiting) = waiting.get_mut(&join) else { return };
            while waiting.front().is_some_and(|(until, _)| at > *until) {
                over.extend(waiting.pop_front());
            }
            if !waiting.is_empty() && self.fits(s, i) {
                waiting.clear();
            }
        } else if let Some(level) = state.open.get_mut(&join).and_then(|levels| levels.get_mut(place - 1)) {
            let concerned = |queue: &VecDeque<Partial>| queue.back().is_some_and(|last| at - last.last <= within);
            if level.values().any(concerned) && self.fits(s, i) {
                for queue in level.values_mut() {
                    while concerned(queue) {
                        queue.pop_back();
                    }
                }
            }
        }
    }

    fn in_any_order(&mut self, state: &mut State, s: usize, join: Join, i: u32) {
        let pattern = self.pattern;
        let at = self.ground.trail.events[i as usize].at;
        let latest = state.any.entry(join).or_default();
        latest.insert(s, (at, i));
        latest.retain(|_, (then, _)| at - *then <= pattern.within);
        if latest.len() < pattern.steps.len() {
            return;
        }
        let events: Vec<u32> = latest.values().map(|(_, e)| *e).collect();
        if events.iter().collect::<BTreeSet<_>>().len() == events.len() {
            state.any.remove(&join);
            self.found(at, events, 0);
        }
    }

    fn counted(&mut self, state: &mut State, join: Join, i: u32) {
        let Some(count) = &self.pattern.count else { return };
        let event = &self.ground.trail.events[i as usize];
        // Of events each counts.
        let value = count.of.map_or(i + 1, |field| event.get(field));
        if value == NONE {
            self.blind(0, count.of.map_or("", Field::as_str));
            return;
        }
        let window = state.window.entry(join).or_default();
        while let Some(&(at, value, _)) = window.recent.front()
            && event.at - at >= count.within
        {
            window.recent.pop_front();
            if let Some(n) = window.values.get_mut(&value) {
                *n -= 1;
                if *n == 0 {
                    window.values.remove(&value);
                }
            }
        }
        if window.recent.is_empty() {
            window.growing = None;
        }
        window.recent.push_back((event.at, value, i));
        *window.values.entry(value).or_default() += 1;
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
        let distinct = window.values.len();
        if let Some(growing) = window.growing {
            let found = &mut self.matches[growing];
            found.events.push(i);
            found.count = found.count.max(distinct);
            return;
        }
        if distinct < least {
            return;
        }
        if count.own_history.is_some() && event.at - self.ground.start < BASELINE {
            self.blind(0, "own history");
            return;
        }
        let events: Vec<u32> = window.recent.iter().map(|(_, _, e)| *e).collect();
        window.growing = Some(self.matches.len());
        self.found(event.at, events, distinct);
    }

    /// What waited for the absence of something, when the data is at its end.
    fn run_out(&mut self, state: State) {
        let Some(last) = self.pattern.steps.len().checked_sub(1) else { return };
        let waiting: Vec<(i64, Partial)> =
            state.over.into_iter().chain(state.waiting.into_values().flatten()).collect();
        let shows = self.shown[last];
        for (until, partial) in waiting {
            if !shows {
                self.blind(last, "no source shows it");
            } else if until > self.ground.end {
                self.blind(last, "the data ends before");
            } else {
                self.found(until, partial.events, 0);
            }
        }
    }

    /// A sequence that has begun cannot go on where nothing shows one of its other steps: that it did not is not known.
    fn missing(&mut self, s: usize, event: &Event) {
        let pattern = self.pattern;
        for (other, step) in pattern.steps.iter().enumerate() {
            if other == s || step.absent.is_some() {
                continue;
            }
            if !self.shown[other] {
                self.blind(other, "no source shows it");
            } else if step.actions == [LOG_SILENCE] {
                let reach = self.ground.trail.reach.get(&event.get(Field::System));
                match reach {
                    Some(reach) if !reach.shows_silences() => self.blind(other, "too few events to say"),
                    // Whether the log was silent before it began is not in it.
                    Some(reach) if event.at - reach.first < pattern.within => {
                        self.blind(other, "the data begins later")
                    }
                    Some(reach) if reach.last - event.at < pattern.within => self.blind(other, "the data ends before"),
                    _ => {}
                }
            }
        }
    }
}

impl Ground<'_> {
    /// Could any source show what the step names?
    fn shows(&self, step: &Step) -> bool {
        let world = self.world;
        step.actions.iter().any(|&action| {
            world.can_show(action)
                || action as usize > event::ACTIONS.len()
                || action == event::USE_REVIEWED && world.has(crate::table::Table::Ticket)
        })
    }
}

impl Follower<'_> {
    fn found(&mut self, at: i64, events: Vec<u32>, count: usize) {
        self.matches.push(Match { pattern: self.p, at, events, count });
    }

    fn holds(&self, test: &Test, i: u32) -> Option<bool> {
        let Ground { world, trail, past, start, .. } = self.ground;
        let event = &trail.events[i as usize];
        let row = (event.row != u32::MAX).then_some(event.row as usize);
        let fact = |name: &str| -> Option<Value> {
            let row = row?;
            match reset_fact(name)?.value(&ResetSubject::new(world, row)) {
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
                    match self.unseen(i, field) {
                        Some(true) => return Some(true),
                        Some(false) => {}
                        None => unknown = true,
                    }
                }
                (!unknown).then_some(false)
            }
            Test::Rare(field) => {
                let value = event.get(*field);
                (value != NONE).then(|| !trail.is_common(value))
            }
            Test::AfterReset(within) => {
                let last = Past::last(trail, past.resets.get(&event.get(Field::Target)), i);
                Some(last.is_some_and(|at| event.at - at <= *within))
            }
            Test::FirstAct(within) => {
                let by = event.get(Field::Executor);
                match Past::last(trail, past.acts.get(&(by, event.action)), i) {
                    _ if by == NONE => None,
                    Some(last) => Some(event.at - last > *within),
                    None => (event.at - start >= HISTORY).then_some(true),
                }
            }
            Test::ByOutsider(wanted) => {
                let row = row?;
                let kind = world.executor_kind[row];
                if kind as usize == event::EXECUTOR_KINDS.iter().position(|k| *k == "vendor")? + 1 {
                    return Some(*wanted);
                }
                let id = world.register.identity_of(world.executor_key[row])?;
                let stint = world.register.speaking(id, event.at)?;
                match stint.worker_type {
                    0 => None,
                    person::CONTRACTOR | person::VENDOR => Some(*wanted),
                    _ => Some(!*wanted),
                }
            }
            Test::HiredDays(compare) => {
                let id = world.register.identity_of(world.target_key[row?])?;
                let start = world.register.covering(id, event.at)?.start;
                (start != crate::settle::SINCE_EVER).then(|| compare.holds((event.at - start) as f64 / DAY as f64))
            }
            Test::AnyTicket(wanted) => {
                let row = row?;
                let rows = &world.settled.events;
                if rows.text(event::TICKET, row) != EMPTY || world.ticket_by_subject(row).is_some() {
                    return Some(*wanted);
                }
                (rows.has(event::TICKET, row) || world.subjects_on_tickets).then_some(!*wanted)
            }
            Test::TokenChannel(among) => {
                let code = world.settled.events.code(event::TOKEN_CHANNEL, row?);
                (code != 0).then_some(())?;
                words(event::CHANNELS.get(code as usize - 1).copied(), among)
            }
            Test::Object(pattern) => {
                let value = trail.value(event, Field::Object)?;
                Some(pattern.is_match(value))
            }
            Test::ExecutorKind(among) => {
                let code = world.executor_kind[row?];
                (code != 0).then_some(())?;
                words(event::EXECUTOR_KINDS.get(code as usize - 1).copied(), among)
            }
            // Known of what tickets say, too.
            Test::FactIs("self_service", wanted) => (event.own != 0).then_some((event.own == 2) == *wanted),
            Test::FactIs(name, wanted) => match fact(name)? {
                // What somebody did not do in thirty days is not known from fewer.
                Value::Bool(false) if *name == "habitual_executor" && event.at - start < HABIT => None,
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
    fn unseen(&self, i: u32, field: Field) -> Option<bool> {
        let mark = MARKS.iter().position(|mark| *mark == field)?;
        let event = &self.ground.trail.events[i as usize];
        if event.get(field) == NONE || event.get(Field::Target) == NONE {
            return None;
        }
        match self.ground.past.seen[i as usize].load(Relaxed) >> (2 * mark) & 3 {
            SEEN => Some(false),
            STALE => Some(true),
            NEW => (event.at - self.ground.start >= HISTORY).then_some(true),
            _ => None,
        }
    }
}
