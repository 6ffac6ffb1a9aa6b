//! Records mapped where they lie: the same as [`SourceMapping::apply_in`] says of them, but that nothing is built and hardly anything
//! copied. It is what makes a log cost little more than its bytes.
//!
//! Where a record or a mapping asks for more than texts that stand there plainly (JSON inside text, dates without a time, lists that
//! are cut), it is in [`Doubt`], and the general way is taken. A test holds both against each other on every sample.

use std::borrow::Cow;
use std::ops::Range;

use hashbrown::HashMap;
use hashbrown::hash_map::EntryRef;

use super::cell::{Around, Condition, From, One, Part, Source, Test, plain, same_text, spelling};
use super::decide::{self, Decided, Decision};
use super::path::{Path, Root, Says, Step};
use super::tape::{Kind, Record, Tape};
use super::{Block, HABIT, IfNone, REASON_CHARS, Setting, SourceMapping};
use crate::source::clock::{Clock, Dates, Habit};
use crate::table::event::ACTIONS;
use crate::table::{Table, Type};
use crate::time::{self, ParsedInstant};

/// It is not sure that this way says the same as the general one.
pub(super) struct Doubt;
type Sure<T> = Result<T, Doubt>;
type Told<'q> = Option<Cow<'q, str>>;

/// What became of a record.
pub(in crate::source) struct Quick<'q> {
    /// As [`super::Mapped::system`].
    pub system: Told<'q>,
    /// As [`super::Mapped::outcome`].
    pub outcome: QuickOutcome<'q>,
    /// As [`super::Mapped::occurred_at`].
    pub occurred_at: Told<'q>,
}

/// The rows of a record, or why there are none; see [`super::MappedOutcome`].
pub(in crate::source) enum QuickOutcome<'q> {
    /// At least one row.
    Rows(QuickRows<'q>),
    /// Left out on purpose.
    OutOfScope(Cow<'q, str>),
    /// Not usable.
    Reject(String),
}

/// Rows and the cells of all of them.
#[derive(Default)]
pub(in crate::source) struct QuickRows<'q> {
    /// Each row.
    pub rows: Vec<QuickRow<'q>>,
    /// Column and text, row by row.
    pub cells: Vec<(usize, Cow<'q, str>)>,
}

/// One row; see [`super::MappedRow`].
pub(in crate::source) struct QuickRow<'q> {
    /// Its table.
    pub table: Table,
    /// Its place in [`QuickRows::cells`].
    pub cells: Range<usize>,
    /// Bit of a column: does it report it?
    pub reports: u32,
    /// As [`super::MappedRow::seen`].
    pub seen: u32,
    /// As [`super::MappedRow::repeats`].
    pub repeats: &'q [String],
}

/// What one reader of records keeps from one to the next.
#[derive(Debug, Default)]
pub(in crate::source) struct Hand {
    tape: Tape,
    /// For what records are known by.
    marks: Tape,
    /// Names as they are written, to the actions that may fit.
    names: HashMap<String, Vec<usize>>,
    /// What the mapping's class says of a text.
    classes: HashMap<String, String>,
    /// What became of records that nobody wants.
    decided: Decided,
    /// What the record at hand says where that is decided.
    said: Vec<u8>,
}

/// Cells of most rows.
const MOST_CELLS: usize = 16;
/// Names and classes that are kept; a log of more has been made to have them.
const MOST_NAMES: usize = 4096;

/// Where a path looks.
#[derive(Clone, Copy)]
pub(super) struct View<'q> {
    pub record: Record<'q>,
    root: u32,
    item: Option<u32>,
    nulls: &'q [String],
    habit: &'q Habit,
    /// What is read is an instant at last: how it is written is the same.
    timely: Timely,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Timely {
    Yes,
    No,
}

/// Places a path leads to.
#[derive(Default)]
struct Spots {
    at: [u32; Spots::MOST],
    n: usize,
}

impl Spots {
    const MOST: usize = 12;

    fn push(&mut self, at: u32) -> Sure<()> {
        *self.at.get_mut(self.n).ok_or(Doubt)? = at;
        self.n += 1;
        Ok(())
    }

    fn list(&self) -> &[u32] {
        &self.at[..self.n]
    }
}

impl SourceMapping {
    /// Whether records of this mapping can be read so at all.
    pub(in crate::source) fn is_quick(&self) -> bool {
        self.each.is_none() && !self.by_name.is_empty()
    }

    /// Maps the record that `bytes` begins with, and says how long it is; null where it is not sure that this way reads it
    /// rightly. `whole` says whether the record has to be all of `bytes`.
    pub(in crate::source) fn quick<'q>(
        &'q self,
        bytes: &'q [u8],
        extent: Extent,
        hand: &'q mut Hand,
        setting: &'q Setting,
    ) -> Option<(usize, Quick<'q>)> {
        let Hand { tape, names, classes, decided, said, .. } = hand;
        let length = tape.lay(bytes, &self.plan)?;
        if extent == Extent::Whole && length != bytes.len() {
            return None;
        }
        let record = tape.record(&bytes[..length])?;
        let view = View { record, root: 0, item: None, nulls: &self.nulls, habit: &setting.habit, timely: Timely::No };
        self.is_bare(view).ok()?;
        let memorable = self.deciders.as_ref().is_some_and(|deciders| deciders.said(view, said).is_some());
        let room = decide::has_room(decided);
        let new = match memorable.then(|| decided.entry_ref(said.as_slice())) {
            Some(EntryRef::Occupied(known)) => {
                let Decision { system, reason } = &*known.into_mut();
                let (system, outcome) = (system.as_deref(), QuickOutcome::OutOfScope(Cow::Borrowed(reason.as_str())));
                let occurred_at = self.left_out_at(view).ok()?;
                return Some((length, Quick { system: system.map(Cow::Borrowed), outcome, occurred_at }));
            }
            Some(EntryRef::Vacant(new)) if room => Some(new),
            _ => None,
        };
        let (quick, by_name) = self.mapped(view, names, classes).ok()?;
        if let (Some(new), QuickOutcome::OutOfScope(reason), ByName::Yes) = (new, &quick.outcome, by_name) {
            let system = quick.system.as_deref().map(str::to_owned);
            new.insert(Decision { system, reason: reason.clone().into_owned() });
        }
        Some((length, quick))
    }

    /// How long the record is that `bytes` begins with, and whether [`SourceMapping::record_weight`] is not null; null where that
    /// is not sure.
    pub(in crate::source) fn knows_quick(&self, bytes: &[u8], hand: &mut Hand) -> Option<(usize, bool)> {
        let length = hand.marks.lay(bytes, &self.marks)?;
        let record = hand.marks.record(&bytes[..length])?.unplaced();
        let view = View { record, root: 0, item: None, nulls: &self.nulls, habit: &HABIT, timely: Timely::No };
        self.is_known(view).ok().map(|known| (length, known))
    }

    fn is_known(&self, view: View<'_>) -> Sure<bool> {
        self.is_bare(view)?;
        let leads = |path: &Path| path.spots(view).map(|spots| spots.n > 0);
        any(self.recognisers.iter(), |r| {
            let asks = !(r.all.is_empty() && r.any.is_empty() && r.when.is_empty());
            Ok(asks
                && !any(r.all.iter(), |path| leads(path).map(|leads| !leads))?
                && (r.any.is_empty() || any(r.any.iter(), leads)?)
                && !any(r.none.iter(), leads)?
                && hold(&r.when, view)?)
        })
    }

    /// In doubt where another record may stand in this one.
    fn is_bare(&self, view: View<'_>) -> Sure<()> {
        for path in &self.unwrap {
            if let Some(None) = path.straight(view) {
                continue;
            }
            for at in path.spots(view)?.list() {
                match view.record.kind(*at) {
                    Kind::Object => return Err(Doubt),
                    Kind::Text if !view.record.text(*at).trim().is_empty() => return Err(Doubt),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn mapped<'q>(
        &'q self,
        view: View<'q>,
        names: &'q mut HashMap<String, Vec<usize>>,
        classes: &'q mut HashMap<String, String>,
    ) -> Sure<(Quick<'q>, ByName)> {
        let system = match &self.system {
            Some(system) => system.told(view)?,
            None => None,
        };
        let (outcome, by_name) = self.outcome_quick(view, &system, names, classes)?;
        let occurred_at = match &outcome {
            QuickOutcome::OutOfScope(_) => self.left_out_at(view)?,
            _ => None,
        };
        Ok((Quick { system, outcome, occurred_at }, by_name))
    }

    /// When a record happened that is left out.
    fn left_out_at<'q>(&'q self, view: View<'q>) -> Sure<Told<'q>> {
        self.clock().map_or(Ok(None), |clock| clock.told(View { timely: Timely::Yes, ..view }))
    }

    fn outcome_quick<'q>(
        &'q self,
        view: View<'q>,
        system: &Told<'q>,
        names: &'q mut HashMap<String, Vec<usize>>,
        classes: &'q mut HashMap<String, String>,
    ) -> Sure<(QuickOutcome<'q>, ByName)> {
        for rule in &self.out_of_scope {
            if hold(&rule.when, view)? {
                return Ok((QuickOutcome::OutOfScope(Cow::Borrowed(&rule.reason)), ByName::Yes));
            }
        }
        let name = match &self.name {
            Some(name) => match name.told(view)? {
                Some(name) => Some(name),
                None => return Ok((QuickOutcome::Reject("missing-action".to_owned()), ByName::No)),
            },
            None => None,
        };
        // The empty name is that of actions for any name.
        let known = name.as_deref().unwrap_or_default();
        let full = names.len() >= MOST_NAMES;
        let candidates = match names.entry_ref(known) {
            EntryRef::Occupied(known) => known.into_mut(),
            EntryRef::Vacant(_) if full => return Err(Doubt),
            EntryRef::Vacant(new) => new.insert(self.candidates(name.as_deref())),
        };
        let by_name = if candidates.is_empty() { ByName::Yes } else { ByName::No };
        let mut actions = [0; 8];
        let mut n = 0;
        for index in candidates {
            if hold(&self.actions[*index].when, view)? {
                *actions.get_mut(n).ok_or(Doubt)? = *index;
                n += 1;
                if !self.actions[*index].also {
                    break;
                }
            }
        }
        let actions = &actions[..n];
        if let Some(reason) = actions.first().and_then(|first| self.actions[*first].out_of_scope.as_ref()) {
            return Ok((QuickOutcome::OutOfScope(Cow::Borrowed(reason)), by_name));
        }
        let mut so_far = SoFar::default();
        if !actions.is_empty() {
            so_far.found.cells.reserve(MOST_CELLS);
        }
        for (index, block) in self.blocks.iter().enumerate() {
            if block.table != Table::Event {
                self.block_quick(index, None, view, system, &mut so_far)?;
                continue;
            }
            for action in actions.iter().filter(|index| self.actions[**index].action.is_some()) {
                self.block_quick(index, Some(*action), view, system, &mut so_far)?;
            }
        }
        let outcome = match (so_far.missing, so_far.out) {
            _ if !so_far.found.rows.is_empty() => QuickOutcome::Rows(so_far.found),
            (Some(column), _) => QuickOutcome::Reject(format!("missing-{column}")),
            (None, Some(reason)) => QuickOutcome::OutOfScope(reason.into()),
            (None, None) => QuickOutcome::OutOfScope(self.class_quick(view, classes)?),
        };
        Ok((outcome, by_name))
    }

    fn class_quick<'q>(&'q self, view: View<'q>, classes: &'q mut HashMap<String, String>) -> Sure<Cow<'q, str>> {
        let cut = |text: &str| text.chars().take(REASON_CHARS).collect::<String>();
        // A pattern costs more than the rest of the record; of one path it says the same of the same text.
        if let Some(Source::One(one)) = &self.class
            && let From::Path(path) = &one.from
            && one.pattern.is_some()
            && one.when.is_empty()
        {
            let spots = path.find_quick(view)?;
            if let [at] = spots.list()
                && view.record.kind(*at) == Kind::Text
            {
                let text = view.record.text(*at);
                if !classes.contains_key(text) && classes.len() < MOST_NAMES {
                    let class = one.told(view)?.unwrap_or(Cow::Borrowed("other"));
                    classes.insert(text.to_owned(), cut(&class));
                }
                if let Some(class) = classes.get(text) {
                    return Ok(Cow::Borrowed(class));
                }
            }
        }
        let class = match &self.class {
            Some(class) => class.told(view)?,
            None => None,
        };
        Ok(Cow::Owned(cut(class.as_deref().unwrap_or("other"))))
    }

    fn block_quick<'q>(
        &'q self,
        index: usize,
        action: Option<usize>,
        view: View<'q>,
        system: &Told<'q>,
        so_far: &mut SoFar<'q>,
    ) -> Sure<()> {
        let block = &self.blocks[index];
        if !hold(&block.when, view)? {
            return Ok(());
        }
        let Some(reported) = self.reported_of(index, action) else { return Ok(()) };
        let each = action.and_then(|action| self.actions[action].each.as_ref()).or(block.each.as_ref());
        let items = match each {
            Some(each) => each.source.items_quick(view)?,
            None => Spots::default(),
        };
        if items.n == 0 {
            if each.is_some_and(|each| each.if_none == IfNone::Skip) {
                return Ok(());
            }
            return self.row_quick(block, action, view, system, reported, so_far);
        }
        for item in items.list() {
            self.row_quick(block, action, View { item: Some(*item), ..view }, system, reported, so_far)?;
        }
        Ok(())
    }

    fn row_quick<'q>(
        &'q self,
        block: &'q Block,
        action: Option<usize>,
        view: View<'q>,
        system: &Told<'q>,
        reported: usize,
        so_far: &mut SoFar<'q>,
    ) -> Sure<()> {
        let event = block.table == Table::Event;
        so_far.events += usize::from(event);
        let action = action.map(|index| &self.actions[index]);
        let columns = block.table.columns();
        let begin = so_far.found.cells.len();
        let mut seen = 0;
        for (place, source) in &self.reported[reported].sources {
            let column = &columns[*place];
            let timely = if matches!(column.ty, Type::Instant) { Timely::Yes } else { Timely::No };
            let mut text = match source {
                Some(source) => source.told(View { timely, ..view })?,
                None => None,
            };
            match column.name {
                "system" if text.is_none() => text.clone_from(system),
                "action" if event => match action {
                    Some(action) => text = action.action.map(Cow::Borrowed),
                    None => {
                        if let Some(other) = text.as_ref().filter(|text| !ACTIONS.contains(&text.as_ref())) {
                            so_far.out.get_or_insert_with(|| other.chars().take(REASON_CHARS).collect());
                            so_far.found.cells.truncate(begin);
                            return Ok(());
                        }
                    }
                },
                _ => {}
            }
            let there = match source {
                None => matches!(column.name, "system" | "action"),
                Some(_) if text.is_some() || event => true,
                Some(source) => source.touched_quick(view)?,
            };
            if there {
                seen |= 1 << place;
            }
            match text {
                Some(text) => so_far.found.cells.push((*place, text)),
                None if column.required && column.name != "system" => {
                    so_far.missing = so_far.missing.or(Some(column.name));
                    so_far.found.cells.truncate(begin);
                    return Ok(());
                }
                None => {}
            }
        }
        if event {
            self.service_actor_quick(&mut so_far.found.cells, begin, view)?;
            if so_far.events > 1 {
                let id = Table::Event.column("event_id");
                if let Some((_, text)) = so_far.found.cells[begin..].iter_mut().find(|(place, _)| Some(*place) == id) {
                    *text = Cow::Owned(format!("{text}#{}", so_far.events));
                }
            }
        }
        so_far.found.rows.push(QuickRow {
            table: block.table,
            cells: begin..so_far.found.cells.len(),
            reports: self.reported[reported].mask,
            seen,
            repeats: action.map_or(&[], |action| &action.repeats),
        });
        Ok(())
    }

    fn service_actor_quick<'q>(
        &'q self,
        cells: &mut Vec<(usize, Cow<'q, str>)>,
        begin: usize,
        view: View<'q>,
    ) -> Sure<()> {
        if self.service_actors.is_empty() {
            return Ok(());
        }
        let (executor, kind) = (Table::Event.column("executor"), Table::Event.column("executor_kind"));
        let Some(at) = (begin..cells.len()).find(|at| Some(cells[*at].0) == executor) else { return Ok(()) };
        let Some(actor) = self.service_actors.iter().find(|actor| actor.names.is_match(&cells[at].1)) else {
            return Ok(());
        };
        if let Some(becomes) = &actor.becomes {
            match becomes.told(view)? {
                Some(text) => cells[at].1 = text,
                None => {
                    cells.remove(at);
                }
            }
        }
        if let (Some(is), Some(kind)) = (actor.kind, kind) {
            match cells[begin..].iter_mut().find(|(place, _)| *place == kind) {
                Some((_, text)) => *text = Cow::Borrowed(is),
                None => cells.push((kind, Cow::Borrowed(is))),
            }
        }
        Ok(())
    }
}

/// Whether it was decided by what stands where names and rules look, and by nothing else.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ByName {
    Yes,
    No,
}

/// How much of the bytes a record has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) enum Extent {
    /// All of them.
    Whole,
    /// Others may follow.
    First,
}

#[derive(Default)]
struct SoFar<'q> {
    found: QuickRows<'q>,
    events: usize,
    missing: Option<&'static str>,
    out: Option<String>,
}

impl Path {
    /// Where a path of keys leads that meets nothing but objects; null where it has to be looked at more closely.
    #[inline]
    pub(super) fn straight(&self, view: View<'_>) -> Option<Option<u32>> {
        if let Some(places) = self.places.get()
            && view.record.is_placed()
        {
            let there = view.record.placed(places)?;
            return there.is_none_or(|at| view.record.kind(at) != Kind::Array).then_some(there);
        }
        let mut at = match self.root {
            Root::Record => view.root,
            Root::Item => match view.item {
                Some(item) => item,
                None => return Some(None),
            },
            Root::Outer | Root::File => return None,
        };
        for step in &self.steps {
            let Step::Key(key) = step else { return None };
            match view.record.kind(at) {
                Kind::Object => match view.record.member(at, key) {
                    Some(member) => at = member,
                    None => return Some(None),
                },
                Kind::Null | Kind::True | Kind::False | Kind::Number => return Some(None),
                Kind::Text | Kind::Array => return None,
            }
        }
        (view.record.kind(at) != Kind::Array).then_some(Some(at))
    }

    /// As [`Path::find`].
    fn find_quick(&self, view: View<'_>) -> Sure<Spots> {
        if let Some(at) = self.straight(view) {
            let mut found = Spots::default();
            at.map_or(Ok(()), |at| found.push(at))?;
            return Ok(found);
        }
        let found = self.spots(view)?;
        if found.list().iter().any(|at| view.record.kind(*at) == Kind::Array) {
            return opened(&found, view.record);
        }
        Ok(found)
    }

    /// As [`Path::open`]. What was opened already is opened once more, as there.
    fn open_quick(&self, view: View<'_>) -> Sure<Spots> {
        opened(&self.find_quick(view)?, view.record)
    }

    /// Where it leads, arrays unopened.
    fn spots(&self, view: View<'_>) -> Sure<Spots> {
        let record = view.record;
        let mut found = Spots::default();
        match self.root {
            Root::Record => found.push(view.root)?,
            Root::Item => view.item.map_or(Ok(()), |item| found.push(item))?,
            Root::Outer | Root::File => return Err(Doubt),
        }
        for step in &self.steps {
            let mut next = Spots::default();
            match step {
                Step::Key(key) => {
                    for at in found.list() {
                        through(*at, record, &mut |at| record.member(at, key).map_or(Ok(()), |at| next.push(at)))?;
                    }
                }
                Step::Any => {
                    for at in found.list() {
                        through(*at, record, &mut |at| match record.kind(at) {
                            Kind::Object => record.within(at).try_for_each(|at| next.push(at)),
                            _ => Ok(()),
                        })?;
                    }
                }
                Step::Json => return Err(Doubt),
                Step::At(index) => {
                    let all = opened(&found, record)?;
                    let at = if *index < 0 { all.n as i64 + index } else { *index };
                    if let Some(at) = usize::try_from(at).ok().and_then(|at| all.list().get(at)) {
                        next.push(*at)?;
                    }
                }
                Step::Only(path, says) => {
                    for at in opened(&found, record)?.list() {
                        let inner = View { root: *at, item: None, ..view };
                        let found = path.find_quick(inner)?;
                        let mut texts = found.list().iter().filter_map(|at| scalar(record, *at));
                        let kept = match says {
                            Says::Is(list) => texts.any(|text| is_among(text, list)),
                            Says::IsNot(list) => !texts.any(|text| is_among(text, list)),
                            Says::Matches(pattern) => texts.any(|text| pattern.is_match(text)),
                        };
                        if kept {
                            next.push(*at)?;
                        }
                    }
                }
            }
            found = next;
            if found.n == 0 {
                break;
            }
        }
        Ok(found)
    }
}

/// Through an array to its elements; text that may be JSON is in doubt.
fn through(at: u32, record: Record<'_>, take: &mut dyn FnMut(u32) -> Sure<()>) -> Sure<()> {
    match record.kind(at) {
        Kind::Object => take(at),
        Kind::Array => record.within(at).try_for_each(|at| match record.kind(at) {
            Kind::Text if may_be_json(record.text(at)) => Err(Doubt),
            _ => take(at),
        }),
        Kind::Text if may_be_json(record.text(at)) => Err(Doubt),
        _ => Ok(()),
    }
}

/// Arrays opened, once.
fn opened(found: &Spots, record: Record<'_>) -> Sure<Spots> {
    let mut out = Spots::default();
    for at in found.list() {
        match record.kind(*at) {
            Kind::Array => record.within(*at).try_for_each(|at| out.push(at))?,
            Kind::Text if may_be_json(record.text(*at)) => return Err(Doubt),
            _ => out.push(*at)?,
        }
    }
    Ok(out)
}

fn may_be_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '[', '"'])
}

fn scalar<'q>(record: Record<'q>, at: u32) -> Option<&'q str> {
    match record.kind(at) {
        Kind::Text => Some(record.text(at).trim()),
        Kind::Number => Some(record.text(at)),
        Kind::True => Some("true"),
        Kind::False => Some("false"),
        Kind::Null | Kind::Array | Kind::Object => None,
    }
}

/// Whether a text is one of these spellings.
fn is_among(text: &str, list: &[String]) -> bool {
    // Folding leaves the first character what it is but for its case, where that is a visible one of ASCII.
    let first = text.as_bytes().first().filter(|first| first.is_ascii_graphic());
    let begins =
        |one: &String| one.as_bytes().first().is_none_or(|b| first.is_none_or(|first| b.eq_ignore_ascii_case(first)));
    if !list.iter().any(begins) {
        return false;
    }
    match plain(text) {
        true => list.iter().any(|one| one.eq_ignore_ascii_case(text)),
        false => list.contains(&spelling(text)),
    }
}

impl<'q> View<'q> {
    fn text_of(&self, at: u32, nulls: &[String]) -> Option<&'q str> {
        let text = scalar(self.record, at)?;
        if text.is_empty() || is_among(text, self.nulls) || is_among(text, nulls) {
            return None;
        }
        Some(text)
    }

    /// Whether a text or number that stands there says anything.
    pub(super) fn says(&self, at: u32) -> bool {
        self.text_of(at, &[]).is_some()
    }

    /// Texts that a path leads to, each given to `f`.
    fn pieces(&self, path: &Path, nulls: &[String], f: &mut dyn FnMut(&'q str) -> Sure<()>) -> Sure<()> {
        if let Some(at) = path.straight(*self) {
            return at.and_then(|at| self.text_of(at, nulls)).map_or(Ok(()), f);
        }
        path.find_quick(*self)?.list().iter().filter_map(|at| self.text_of(*at, nulls)).try_for_each(f)
    }

    /// What a path says, several values joined by `;`.
    fn text(&self, path: &Path, nulls: &[String]) -> Sure<Told<'q>> {
        let mut all = Joined::default();
        self.pieces(path, nulls, &mut |text| {
            all.push(Cow::Borrowed(text));
            Ok(())
        })?;
        Ok(all.text)
    }
}

/// Texts with `;` between them.
#[derive(Default)]
struct Joined<'q> {
    text: Told<'q>,
    n: usize,
}

impl<'q> Joined<'q> {
    fn push(&mut self, text: Cow<'q, str>) {
        self.n += 1;
        self.text = Some(match self.text.take() {
            None => text,
            Some(before) => {
                let mut both = before.into_owned();
                both.push(';');
                both.push_str(&text);
                Cow::Owned(both)
            }
        });
    }
}

impl Source {
    /// As [`Source::read`].
    fn told<'q>(&'q self, view: View<'q>) -> Sure<Told<'q>> {
        match self {
            Self::First(sources) => {
                for source in sources {
                    if let Some(text) = source.told(view)? {
                        return Ok(Some(text));
                    }
                }
                Ok(None)
            }
            Self::One(one) => one.told(view),
        }
    }

    /// As [`Source::items`].
    fn items_quick(&self, view: View<'_>) -> Sure<Spots> {
        match self {
            Self::First(sources) => {
                for source in sources {
                    let items = source.items_quick(view)?;
                    if items.n > 0 {
                        return Ok(items);
                    }
                }
                Ok(Spots::default())
            }
            Self::One(one) if !hold(&one.when, view)? => Ok(Spots::default()),
            Self::One(one) => match &one.from {
                From::Path(path) if one.bare() => path.open_quick(view),
                _ => Err(Doubt),
            },
        }
    }

    /// As [`Source::touched`].
    fn touched_quick(&self, view: View<'_>) -> Sure<bool> {
        let there = |path: &Path| path.spots(view).map(|spots| spots.n > 0);
        match self {
            Self::First(sources) => any(sources.iter(), |source| source.touched_quick(view)),
            Self::One(one) if !hold(&one.when, view)? => Ok(false),
            Self::One(one) => match &one.from {
                From::Several(paths) | From::FirstOf(paths) => any(paths.iter(), there),
                from => Ok(!any(from.paths().into_iter(), |path| there(path).map(|there| !there))?),
            },
        }
    }
}

fn any<T>(mut of: impl Iterator<Item = T>, mut is: impl FnMut(T) -> Sure<bool>) -> Sure<bool> {
    loop {
        match of.next() {
            None => return Ok(false),
            Some(one) => {
                if is(one)? {
                    return Ok(true);
                }
            }
        }
    }
}

impl One {
    fn told<'q>(&'q self, view: View<'q>) -> Sure<Told<'q>> {
        if !self.when.is_empty() && !hold(&self.when, view)? {
            return Ok(None);
        }
        if !self.split.is_empty() || self.decode.is_some() || self.plus.is_some() {
            return Err(Doubt);
        }
        let mut out = Joined::default();
        let mut found = 0;
        let mut take = |text: Cow<'q, str>| {
            found += 1;
            let text = self.meant(text, view);
            if !text.is_empty() {
                out.push(text);
            }
        };
        match &self.from {
            // Most cells.
            From::Path(path) if self.pattern.is_none() && self.shape.is_empty() => {
                if let Some(at) = path.straight(view) {
                    let text = at.and_then(|at| view.text_of(at, &self.nulls));
                    let text = text.map(|text| self.meant(Cow::Borrowed(text), view));
                    return Ok(text.filter(|text| !text.is_empty()).or_else(|| self.or_else()));
                }
                self.matches(path, view, &mut take)?;
            }
            From::Const(text) => take(Cow::Borrowed(text)),
            From::Path(path) => self.matches(path, view, &mut take)?,
            From::Several(paths) => paths.iter().try_for_each(|path| self.matches(path, view, &mut take))?,
            From::FirstOf(paths) => {
                let mut any = false;
                for path in paths {
                    self.matches(path, view, &mut |text| {
                        any = true;
                        take(text);
                    })?;
                    if any {
                        break;
                    }
                }
            }
            From::Template(parts) => {
                let mut whole = String::with_capacity(64);
                let mut lacks = false;
                for part in parts {
                    match part {
                        Part::Text(text) => whole.push_str(text),
                        Part::Path(path) => match view.text(path, &self.nulls)? {
                            Some(text) => whole.push_str(&text),
                            None => {
                                lacks = true;
                                break;
                            }
                        },
                    }
                }
                if !lacks && let Some(text) = self.matched_quick(Cow::Owned(whole)) {
                    take(text);
                }
            }
            From::Difference(..) | From::Common(..) => return Err(Doubt),
        }
        // Several instants in one cell are refused later, in the words of the general way.
        if found > 1 && (self.pick.is_some() || view.timely == Timely::Yes) {
            return Err(Doubt);
        }
        Ok(out.text.or_else(|| self.or_else()))
    }

    /// What nothing becomes.
    fn or_else(&self) -> Told<'_> {
        self.otherwise.as_deref().filter(|text| !text.is_empty()).map(Cow::Borrowed)
    }

    /// Texts of a path that the pattern lets through, each given to `f`.
    fn matches<'q>(&'q self, path: &Path, view: View<'q>, f: &mut dyn FnMut(Cow<'q, str>)) -> Sure<()> {
        view.pieces(path, &self.nulls, &mut |text| {
            if let Some(text) = self.matched_quick(Cow::Borrowed(text)).filter(|text| !text.is_empty()) {
                f(text);
            }
            Ok(())
        })
    }

    fn matched_quick<'q>(&self, text: Cow<'q, str>) -> Told<'q> {
        match (&self.pattern, self.shape.as_slice()) {
            (None, []) => Some(text),
            (None, [Around::Group(0)]) => Some(text),
            _ => self.matched(&text).map(Cow::Owned),
        }
    }

    /// The text as an instant and as its values have it.
    fn meant<'q>(&'q self, mut text: Cow<'q, str>, view: View<'q>) -> Cow<'q, str> {
        if let Some((clock, dates)) = &self.clock
            && !(view.timely == Timely::Yes && self.values.is_empty() && clock.takes_as_it_is(&text, view.habit))
        {
            text = Cow::Owned(tell(clock, &text, view.habit, *dates));
        }
        if self.values.is_empty() {
            return text;
        }
        let mut low = [0; 48];
        let meaning = match low.get_mut(..text.len()) {
            Some(low) if plain(&text) => {
                low.copy_from_slice(text.as_bytes());
                low.make_ascii_lowercase();
                std::str::from_utf8(low).ok().and_then(|low| self.values.get(low))
            }
            _ => self.values.get(&spelling(&text)),
        };
        match (meaning, &self.otherwise) {
            (Some(meaning), _) | (None, Some(meaning)) => Cow::Borrowed(meaning),
            (None, None) => text,
        }
    }
}

fn tell(clock: &Clock, text: &str, habit: &Habit, dates: Dates) -> String {
    clock.tell(text, habit, dates)
}

fn hold(conditions: &[Condition], view: View<'_>) -> Sure<bool> {
    for condition in conditions {
        if !condition.holds_quick(view)? {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Condition {
    fn holds_quick(&self, view: View<'_>) -> Sure<bool> {
        let (source, test) = match self {
            Condition::Any(conditions) => return any(conditions.iter(), |condition| condition.holds_quick(view)),
            Condition::Test(source, test) => (source, test),
        };
        let view = View { timely: Timely::No, ..view };
        let text = source.told(view)?;
        let text = text.as_deref();
        let there = || match text {
            Some(_) => Ok(true),
            None => {
                if let Source::One(one) = source
                    && let From::Path(path) = &one.from
                    && one.when.is_empty()
                    && one.bare()
                    && let Some(at) = path.straight(view)
                    && at.is_none_or(|at| view.record.kind(at) != Kind::Text)
                {
                    return Ok(at.is_some_and(|at| view.record.kind(at) == Kind::Object));
                }
                // Of a source that is more than a path there are texts alone.
                let spots = match source.items_quick(view) {
                    Ok(spots) => spots,
                    Err(Doubt) => return Err(Doubt),
                };
                let within = |at: &u32| matches!(view.record.kind(*at), Kind::Object | Kind::Array);
                Ok(spots.list().iter().any(within))
            }
        };
        let among = |list: &[String]| {
            text.is_some_and(|text| {
                is_among(text, list) || text.contains(';') && text.split(';').any(|text| is_among(text, list))
            })
        };
        let same = |other: &Path| -> Sure<Option<bool>> {
            let other = view.text(other, &[])?;
            Ok(text.zip(other.as_deref()).map(|(one, other)| same_text(one, other)))
        };
        Ok(match test {
            Test::Present(presence) => there()? == presence.is_there(),
            Test::Is(list) => among(list),
            Test::IsNot(list) => !among(list),
            Test::Same(other) => same(other)? == Some(true),
            Test::Differs(other) => same(other)? == Some(false),
            other => other.of_text(text),
        })
    }
}

impl Clock {
    /// Whether [`Clock::tell`] would only write an instant anew.
    fn takes_as_it_is(&self, text: &str, habit: &Habit) -> bool {
        let plainly = habit.format.is_none() && self.is_plain();
        plainly
            && matches!(time::parse_instant(text.as_bytes()), Some(ParsedInstant::Utc(us)) if EVERYDAY.contains(&us))
    }
}

/// Instants that stand for nothing else, 1990 to 2100.
const EVERYDAY: Range<i64> = 631_152_000_000_000..4_102_444_800_000_000;

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;
    use std::path::Path as FilePath;

    use serde_json::{Value, json};

    use super::*;
    use crate::mappings::Mappings;
    use crate::source::mapping::{Container, Mapped, MappedOutcome};
    use crate::source::{container, json};
    use crate::table::Breadth;

    /// Both ways in the same words: an instant as the instant it is, columns by name.
    fn cell(table: Table, column: &str, text: &str) -> String {
        let timely = table.column(column).is_some_and(|c| matches!(table.columns()[c].ty, Type::Instant));
        match time::parse_instant(text.as_bytes()) {
            Some(at) if timely => format!("{column}={at:?}"),
            _ => format!("{column}={text}"),
        }
    }

    fn general(mapping: &SourceMapping, mapped: &Mapped) -> String {
        let at = mapped.occurred_at.as_deref().map(|text| time::parse_instant(text.as_bytes()));
        let outcome = match &mapped.outcome {
            MappedOutcome::OutOfScope(reason) => format!("out {reason}"),
            MappedOutcome::Reject(reason) => format!("no {reason}"),
            MappedOutcome::Rows(rows) => {
                let told = rows.iter().map(|row| {
                    let table = Table::named(row.table).expect("a table");
                    let mut cells: Vec<String> = row.cells.iter().map(|(c, text)| cell(table, c, text)).collect();
                    cells.sort();
                    let reports: Vec<usize> =
                        mapping.reports(row.reported).iter().filter_map(|c| table.column(c)).collect();
                    let reports = reports.into_iter().fold(0_u32, |mask, c| mask | 1 << c);
                    format!("{} {reports} {} {:?} {cells:?}", row.table, row.seen, row.repeats)
                });
                told.collect::<Vec<_>>().join("\n")
            }
        };
        format!("{:?} {at:?} {outcome}", mapped.system)
    }

    fn quick(found: &Quick<'_>) -> String {
        let at = found.occurred_at.as_deref().map(|text| time::parse_instant(text.as_bytes()));
        let outcome = match &found.outcome {
            QuickOutcome::OutOfScope(reason) => format!("out {reason}"),
            QuickOutcome::Reject(reason) => format!("no {reason}"),
            QuickOutcome::Rows(rows) => {
                let told = rows.rows.iter().map(|row| {
                    let cells = rows.cells[row.cells.clone()].iter();
                    let name = |c: usize| row.table.columns()[c].name;
                    let mut cells: Vec<String> = cells.map(|(c, text)| cell(row.table, name(*c), text)).collect();
                    cells.sort();
                    format!("{} {} {} {:?} {cells:?}", row.table.name(), row.reports, row.seen, row.repeats)
                });
                told.collect::<Vec<_>>().join("\n")
            }
        };
        format!("{:?} {at:?} {outcome}", found.system.as_deref())
    }

    /// A record, and what it would be were one thing about it another.
    fn variants(record: &Value) -> Vec<Value> {
        let mut out = vec![record.clone()];
        let others = |value: &Value| {
            let text = value.to_string();
            let nested = json!({"id": "x", "ID": "y", "type": "User", "alternateId": "a;b"});
            vec![
                Value::Null,
                json!(""),
                json!(" x "),
                json!(7.50),
                json!(true),
                json!([value, value]),
                json!([]),
                json!({}),
                json!(text),
                json!("Jos\u{e9} \"quoted\" \\ \n"),
                nested,
            ]
        };
        let Value::Object(members) = record else { return out };
        for (key, value) in members {
            let mut less = members.clone();
            less.remove(key);
            out.push(Value::Object(less.clone()));
            // In another case, as SIEMs write it.
            less.insert(key.to_lowercase(), value.clone());
            out.push(Value::Object(less));
            for other in others(value) {
                let mut changed = members.clone();
                changed.insert(key.clone(), other);
                out.push(Value::Object(changed));
            }
            let Value::Object(inner) = value else { continue };
            for (name, value) in inner {
                let mut less = inner.clone();
                less.remove(name);
                let mut changed = members.clone();
                changed.insert(key.clone(), Value::Object(less));
                out.push(Value::Object(changed));
                for other in others(value) {
                    let mut within = inner.clone();
                    within.insert(name.clone(), other);
                    let mut changed = members.clone();
                    changed.insert(key.clone(), Value::Object(within));
                    out.push(Value::Object(changed));
                }
            }
        }
        out
    }

    /// Every record of every sample of a source, and many variants of each, are read the same in both ways.
    #[test]
    fn both_ways_say_the_same() {
        let folder = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("tests/sources");
        let mappings = Mappings::load(&[]).expect("the shipped ones");
        let (mut sure, mut all) = (0, 0);
        for breadth in [Breadth::Audit, Breadth::Hunt] {
            for mapping in SourceMapping::load_all_for(&mappings, breadth).expect("the shipped ones") {
                if !mapping.is_quick() || !mapping.containers.contains(&Container::Json) {
                    continue;
                }
                let mut hand = Hand::default();
                let setting = Setting::default();
                let files = walkdir::WalkDir::new(folder.join(&mapping.id)).sort_by_file_name();
                for file in files.into_iter().filter_map(Result::ok).filter(|file| file.file_type().is_file()) {
                    let Ok(mut reader) = container::open(file.path()) else { continue };
                    let mut records = Vec::new();
                    for envelope in mapping.envelopes().iter().map(Some).chain([None]) {
                        let _ = json::for_each(&mut reader, envelope.map(String::as_str), &mut |piece| {
                            if let json::Piece::Record(bytes) = piece
                                && let Ok(value) = serde_json::from_slice::<Value>(bytes)
                            {
                                records.push(value);
                            }
                            ControlFlow::Continue(())
                        });
                    }
                    let pretty = records.iter().map(|record| format!("{record:#}"));
                    let odd = records.iter().take(4).flat_map(variants).map(|record| record.to_string());
                    {
                        for text in pretty.chain(odd) {
                            all += 1;
                            let whole: Value = serde_json::from_str(&text).expect("JSON");
                            if let Some((_, known)) = mapping.knows_quick(text.as_bytes(), &mut hand) {
                                let weight = mapping.record_weight(&whole);
                                assert_eq!(known, weight.is_some(), "{}: {text}", mapping.id);
                            }
                            let value = mapping.read_json(text.as_bytes()).expect("JSON");
                            let told = general(&mapping, &mapping.apply_in(&value, &setting));
                            if let Some((length, found)) =
                                mapping.quick(text.as_bytes(), Extent::First, &mut hand, &setting)
                            {
                                sure += 1;
                                assert_eq!(length, text.len());
                                assert_eq!(quick(&found), told, "{}: {text}", mapping.id);
                            }
                        }
                    }
                }
            }
        }
        assert!(all > 10_000 && sure * 2 > all, "{sure} of {all}");
    }
}
