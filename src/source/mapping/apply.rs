//! A record brought to canonical rows in the general way: it is built as JSON, and every path of the language is followed.

use std::borrow::Cow;

use serde_json::Value;

use super::cell::{Look, Source, hold, spelling};
use super::path::Start;
use super::{
    Block, Container, IfNone, Mapped, MappedOutcome, MappedRow, REASON_CHARS, Setting, SourceMapping, WRAPPINGS,
};
use crate::source::clock::Habit;
use crate::table::Table;
use crate::table::event::ACTIONS;

/// Why a part of a record became no row.
enum Lack {
    Column(&'static str),
    Out(String),
}

/// Rows of a record so far.
#[derive(Default)]
struct Rows {
    rows: Vec<MappedRow>,
    /// Events tried so far: one record has one id, further events of it need their own.
    events: usize,
    missing: Option<&'static str>,
    out: Option<String>,
}

impl SourceMapping {
    /// Brings one record of an unknown file to canonical rows.
    pub fn apply(&self, record: &Value) -> Mapped {
        self.apply_in(record, &Setting::default())
    }

    /// Brings one record to canonical rows.
    pub fn apply_in(&self, record: &Value, setting: &Setting) -> Mapped {
        match self.unwrapped(record) {
            Ok(inner) => {
                let container = match &inner {
                    Cow::Borrowed(inner) if std::ptr::eq(*inner, record) => setting.container(),
                    _ => Container::Json,
                };
                let look = self.look(&inner, &setting.file, &setting.habit, container);
                let system = self.system.as_ref().and_then(|system| system.read(look));
                let outcome = self.outcome(look, system.as_deref());
                let occurred_at = match outcome {
                    MappedOutcome::OutOfScope(_) => self.clock().and_then(|clock| clock.read(look)),
                    _ => None,
                };
                Mapped { outcome, system, occurred_at }
            }
            Err(()) => {
                Mapped { system: None, outcome: MappedOutcome::Reject("bad-json".to_owned()), occurred_at: None }
            }
        }
    }

    /// Reads a record's JSON, as far as any path of the mapping leads.
    ///
    /// # Errors
    /// It is no JSON.
    pub fn read_json(&self, bytes: &[u8]) -> serde_json::Result<Value> {
        self.sieve.read(bytes)
    }

    /// Where its events say when they happened.
    pub(super) fn clock(&self) -> Option<&Source> {
        let events = self.blocks.iter().filter(|block| block.table == Table::Event);
        events.filter_map(|block| block.columns.get("occurred_at")).map(|source| &**source).next()
    }

    /// The record that another holds, as an object or as text.
    pub(super) fn unwrapped<'a>(&self, record: &'a Value) -> Result<Cow<'a, Value>, ()> {
        let mut record = Cow::Borrowed(record);
        for _ in 0..WRAPPINGS {
            let mut inner = None;
            for path in &self.unwrap {
                let start = Start { record: &record, item: None, outer: None, file: "" };
                match path.find(start).into_iter().next().as_deref() {
                    Some(Value::String(text)) if !text.trim().is_empty() => {
                        let parsed: Value = serde_json::from_str(text).map_err(drop)?;
                        inner = Some(parsed.is_object().then_some(parsed).ok_or(())?);
                    }
                    Some(object @ Value::Object(_)) => inner = Some(object.clone()),
                    _ => continue,
                }
                break;
            }
            match inner {
                Some(inner) => record = Cow::Owned(inner),
                None => break,
            }
        }
        Ok(record)
    }

    pub(super) fn look<'a>(&'a self, record: &'a Value, file: &'a str, habit: &'a Habit, of: Container) -> Look<'a> {
        let start = Start { record, item: None, outer: None, file };
        Look { start, nulls: &self.nulls, habit, tabular: of == Container::Csv }
    }

    fn outcome(&self, look: Look<'_>, system: Option<&str>) -> MappedOutcome {
        let mut so_far = Rows::default();
        match &self.each {
            None => self.part(look, system, &mut so_far),
            Some(each) => {
                for item in each.items(look) {
                    let start = Start { item: Some(&item), outer: Some(&item), ..look.start };
                    self.part(Look { start, ..look }, system, &mut so_far);
                }
            }
        }
        match (so_far.missing, so_far.out) {
            _ if !so_far.rows.is_empty() => MappedOutcome::Rows(so_far.rows),
            (Some(column), _) => MappedOutcome::Reject(format!("missing-{column}")),
            (None, Some(reason)) => MappedOutcome::OutOfScope(reason),
            (None, None) => MappedOutcome::OutOfScope(self.class(look)),
        }
    }

    fn class(&self, look: Look<'_>) -> String {
        let class = self.class.as_ref().and_then(|class| class.read(look)).unwrap_or_else(|| "other".to_owned());
        class.chars().take(REASON_CHARS).collect()
    }

    /// Actions that events of this name may be, in order.
    pub(super) fn candidates(&self, name: Option<&str>) -> Vec<usize> {
        let named = name.and_then(|name| self.by_name.get(&spelling(name))).map_or(&[][..], Vec::as_slice);
        let any = self.by_name.get("").map_or(&[][..], Vec::as_slice);
        let mut candidates: Vec<usize> = named.iter().chain(any).copied().collect();
        candidates.sort_unstable();
        candidates
    }

    /// The actions of a record or of an element of it.
    fn found(&self, look: Look<'_>, name: Option<&str>) -> Vec<usize> {
        let mut found = Vec::new();
        for index in self.candidates(name) {
            if hold(&self.actions[index].when, look) {
                found.push(index);
                if !self.actions[index].also {
                    break;
                }
            }
        }
        found
    }

    fn part(&self, look: Look<'_>, system: Option<&str>, so_far: &mut Rows) {
        if let Some(rule) = self.out_of_scope.iter().find(|rule| hold(&rule.when, look)) {
            so_far.out.get_or_insert_with(|| rule.reason.clone());
            return;
        }
        let mut actions = vec![None];
        if self.name.is_some() || !self.actions.is_empty() {
            let name = self.name.as_ref().and_then(|name| name.read(look));
            if self.name.is_some() && name.is_none() {
                so_far.missing = so_far.missing.or(Some("action"));
                return;
            }
            let found = self.found(look, name.as_deref());
            match found.first().map(|index| &self.actions[*index].out_of_scope) {
                Some(Some(reason)) => {
                    so_far.out.get_or_insert_with(|| reason.clone());
                    return;
                }
                Some(None) => {
                    let of_the_model = |index: &usize| self.actions[*index].action.is_some();
                    actions = found.into_iter().filter(of_the_model).map(Some).collect();
                }
                None => actions.clear(),
            }
        }
        for (index, block) in self.blocks.iter().enumerate() {
            if block.table != Table::Event {
                self.block(index, None, look, system, so_far);
                continue;
            }
            for action in &actions {
                self.block(index, *action, look, system, so_far);
            }
        }
        if so_far.rows.is_empty() {
            so_far.out.get_or_insert_with(|| self.class(look));
        }
    }

    fn block(&self, index: usize, action: Option<usize>, look: Look<'_>, system: Option<&str>, so_far: &mut Rows) {
        let block = &self.blocks[index];
        if !hold(&block.when, look) {
            return;
        }
        let Some(reported) = self.reported_of(index, action) else { return };
        let each = action.and_then(|action| self.actions[action].each.as_ref()).or(block.each.as_ref());
        let items = each.map(|each| each.source.items(look)).unwrap_or_default();
        if items.is_empty() && each.is_some_and(|each| each.if_none == IfNone::Skip) {
            return;
        }
        let items: Vec<Option<&Value>> = match items.is_empty() {
            true => vec![look.start.item],
            false => items.iter().map(|item| Some(&**item)).collect(),
        };
        for item in items {
            if block.table == Table::Event {
                so_far.events += 1;
            }
            match self.row(block, action, look.at(item), system, reported) {
                Ok(mut row) => {
                    if block.table == Table::Event
                        && so_far.events > 1
                        && let Some((_, id)) = row.cells.iter_mut().find(|(name, _)| name == "event_id")
                    {
                        id.push_str(&format!("#{}", so_far.events));
                    }
                    so_far.rows.push(row);
                }
                Err(Lack::Column(column)) => so_far.missing = so_far.missing.or(Some(column)),
                Err(Lack::Out(reason)) => {
                    so_far.out.get_or_insert(reason);
                }
            }
        }
    }

    /// Which [`Reported`] rows of a block and an action have.
    pub(super) fn reported_of(&self, block: usize, action: Option<usize>) -> Option<usize> {
        self.reported_at.get(block)?.get(action.map_or(0, |action| action + 1)).copied()?
    }

    fn row(
        &self,
        block: &Block,
        action: Option<usize>,
        look: Look<'_>,
        system: Option<&str>,
        reported: usize,
    ) -> Result<MappedRow, Lack> {
        let action = action.map(|index| &self.actions[index]);
        let mut cells = Vec::new();
        let mut seen = 0;
        for (place, source) in &self.reported[reported].sources {
            let (place, column) = (*place, &block.table.columns()[*place]);
            let source = source.as_deref();
            let mut text = source.and_then(|source| source.read(look));
            match column.name {
                "system" if text.is_none() => text = system.map(str::to_owned),
                "action" if block.table == Table::Event => match action {
                    Some(action) => text = action.action.map(str::to_owned),
                    None => {
                        if let Some(other) = text.as_ref().filter(|text| !ACTIONS.contains(&text.as_str())) {
                            return Err(Lack::Out(other.chars().take(REASON_CHARS).collect()));
                        }
                    }
                },
                _ => {}
            }
            let there = match source {
                // Another block of this table may map it, from what the file lacks.
                None => matches!(column.name, "system" | "action"),
                Some(_) if text.is_some() => true,
                Some(source) if block.table == Table::Event => !look.tabular || source.rooted(look),
                Some(source) => source.touched(look),
            };
            if there {
                seen |= 1 << place;
            }
            match text {
                Some(text) => cells.push((column.name.to_owned(), text)),
                // The config may say the system of a file that does not.
                None if column.required && column.name != "system" => return Err(Lack::Column(column.name)),
                None => {}
            }
        }
        if block.table == Table::Event {
            self.service_actor(&mut cells, look);
        }
        let repeats = action.map(|action| action.repeats.clone()).unwrap_or_default();
        Ok(MappedRow { table: block.table.name(), cells, reported, seen, repeats })
    }

    /// An executor that is no person, as the mapping wants it.
    fn service_actor(&self, cells: &mut Vec<(String, String)>, look: Look<'_>) {
        let Some(at) = cells.iter().position(|(name, _)| name == "executor") else { return };
        let Some(actor) = self.service_actors.iter().find(|actor| actor.names.is_match(&cells[at].1)) else { return };
        if let Some(becomes) = &actor.becomes {
            match becomes.read(look) {
                Some(text) => cells[at].1 = text,
                None => {
                    cells.remove(at);
                }
            }
        }
        if let Some(kind) = actor.kind {
            match cells.iter_mut().find(|(name, _)| name == "executor_kind") {
                Some((_, text)) => kind.clone_into(text),
                None => cells.push(("executor_kind".to_owned(), kind.to_owned())),
            }
        }
    }
}
