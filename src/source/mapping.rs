//! How a vendor's record becomes canonical rows: a small declarative language, one TOML file a source.
//!
//! A mapping names paths, never computes: what it says can be read by someone who knows the vendor's log and not Rust.
//! Cells come out as text; converting and validating them, and counting what became of a record, is left to the reader.
//! `docs/mappings.md` walks through writing one.
//!
//! ```toml
//! title = "Okta System Log"
//! vendor = "Okta"
//! how_to_get = "Reports > System Log"
//! container = "json"                          # what a record looks like: json (members), csv (columns), or both in a list
//! envelopes = ["Records"]                     # arrays inside an object
//! unwrap = ["_raw"]                           # members that hold the record: as an object or as JSON text
//! null = ["N/A"]                              # spellings of nothing; "" always is one
//! recognise = { all = ["eventType"], any = ["actor"] }   # paths; [[recognise]] for several ways; the most exact mapping wins
//! # none = [paths], when = [conditions]; csv: headers = ["id", ["Employee ID", "Emp No"]], a list in it: any of these
//! each = "events"                             # a record that holds several: `@` and `@@` are then the element
//! name = "eventType"                          # the event's name in the vendor's words
//! class = { path = "eventType", pattern = '^(\w+)' }     # the reason for out of scope, where none is given
//! system = { const = "okta" }                 # not needed for person, workload and ticket
//! zone = "UTC"                                # of wall clocks without a zone; the config's `timezone` goes first
//! time = ["plain", "numeric"]                 # how every time is written, see below; a source can say otherwise
//! never = ["open end"]                        # further spellings of "never"
//! repeats = ["entra-id"]                      # mappings whose acts this log tells once more, under ids of its own
//! renders = ["okta-system-log"]               # mappings whose records these are in another rendering, under the same ids
//! excerpt = true                              # somebody chose these records: what is not among them may have happened
//! snapshot_in_name = '(\d{4}-\d{2}-\d{2})'    # the date of a snapshot in the name of its file (Y-m-d, Ymd or Y-m)
//!
//! [[out_of_scope]]                            # before all else
//! when = [{ path = "insightDetails", present = true }]
//! reason = "insight"
//!
//! [[event]]                                   # or person, workload, credential, account, ticket: a row of that table
//! each = "target[type=User]"                  # a row for each; `@` is then the element
//! if_none = "skip"                            # no row where there is no element; else one without an element
//! when = [ … ]                                # only if all hold
//! columns = { occurred_at = "published", target = "@.alternateId" }
//!
//! [[action]]                                  # the first whose name and conditions fit; none: out of scope
//! names = ["user.account.reset_password"]     # compared as spellings (below); without: any name
//! when = [{ path = "actor.id", differs_from = "target[type=User].id" }]
//! action = "password-reset"                   # or out_of_scope = "why"
//! each = "target[type=AppUser]"               # instead of the block's; with if_none
//! also = true                                 # the following may fit as well: one record, several events
//! repeats = ["okta-system-log"]               # events of this action are a feed of their own that repeats that one
//! hunt = true                                 # for a hunt alone; an audit reads as if this entry were not there
//! set = { token_channel = { const = "email" } }   # further columns, and columns said otherwise
//!
//! [[service_actor]]                           # executors that are no people
//! names = ["system@okta.com", "*$"]           # `*` is anything
//! kind = "automation"                         # their executor_kind, whatever the columns say
//! becomes = { const = "" }                    # what stands as executor instead, here nothing
//! ```
//!
//! Without `name` every `[[action]]` is tried by its conditions; without any `[[action]]` an event block may fill the
//! column `action` itself, and what is no action of the model is out of scope.
//!
//! A *path* is keys joined by dots, in any case. It goes through arrays to each element, and through text that is JSON.
//! `key[type=User|AppUser]` keeps the elements of an array whose member says so, `[type!=User]` those where it does not,
//! `[name~^Strong]` those that match a pattern; `[0]` and `[-1]` are one of what was found. `*` is every member of an object;
//! `@json` reads text as JSON once more, where it is a quoted text. `'a.b'` in single quotes is a key with a dot in it.
//! `$file` is the name of the file. In CSV the first key is a header, with or without its blanks, `_` and `-`; a header
//! that stands several times is an array.
//!
//! A *source* of a cell is a path, a list (the first that gives something), or a table: one of `path`, `const`, `template`
//! (`"aws:{accountId}"`, nothing if a part is missing), `first` (of several paths the first that says something), `all` (what all of
//! several paths say), `latest` or `earliest` (of several paths one instant), `difference`
//! (`["new", "old"]`: what the first has and the second has not) and `common` (what both have); then, each value on its own, in
//! this order: `null` (further spellings of nothing), `decode = "percent"`, `split` (`","` or a list), `pattern` (a regular
//! expression: its first group, or nothing), `as` (what is written around it: `"aws:{}"`, `"{2} {1}"` of groups), `time`,
//! `plus = { path = "valid_secs", unit = "seconds" }` (or minutes, hours, days: a time later by as much), `values` (a table of
//! spellings; what is not in it stays, or becomes `otherwise`; `""` is nothing), `pick = "first"` or `"last"`, `otherwise` (what
//! nothing becomes). `when` must hold first. Several values are joined by `;`.
//!
//! *Spellings* (`values`, `names`, `null`, `is`, filters) compare trimmed and folded, white space single, dashes alike, without
//! a full stop at the end.
//!
//! A *condition* has a `path`, or a source as `of`, and one test: `present`, `is`, `is_not` (lists), `matches`, `matches_not`,
//! `same_as`, `differs_from` (paths), `bits`, `bits_not` (of a number, decimal or 0x…), `above`, `below`; or is
//! `{ any = [conditions] }`.
//!
//! *Times*: `plain` (the default) reads RFC 3339 and all that can be read in one way only: `20240122063659.0Z`,
//! `/Date(1614719904000)/`, `Mar 2, 2021 9:18:24 PM`, `05/Jan/24 3:04 PM`, `2024/01/05`. Others are named: `epoch` (by size), `epoch-s`, `epoch-ms`,
//! `epoch-us`, `filetime`, `dmy`, `mdy`, `numeric` (day and month in the order of the file), or strftime with `%`. A list: the first that fits.
//! FILETIME 0 and its maximum, epoch 0 and -1, years up to 1601 and from 9999, `0000-00-00` are "never": nothing.
//! A date alone becomes its midnight where the column takes no dates. `cut = "day"`: the date alone.
//!
//! What a row reports: of event logs every column that is mapped; of other tables, and of CSV, only the columns that a record of the
//! file had a member or header for: an export without the field is not one in which everybody's is empty.

mod cell;
mod decide;
mod path;
mod pattern;
pub(super) mod quick;
mod sieve;
mod tape;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use chrono_tz::Tz;
use serde::Deserialize;
use serde_json::Value;

use self::cell::{Around, Condition, Decode, From, Look, One, Part, Pick, Presence, Source, Test, hold, spelling};
use self::decide::Deciders;
use self::path::{Path, Start};
use self::pattern::Pattern;
use self::sieve::Sieve;
use self::tape::Plan;
use super::clock::{Clock, Dates, Format, Habit};
use crate::mappings::{MappingKind, Mappings};
use crate::table::event::{ACTIONS, AUDITED_ACTIONS, EXECUTOR_KINDS};
use crate::table::{Breadth, Column, Table, Type};

/// Reasons are shown as a list; a name from a log must not make it endless.
const REASON_CHARS: usize = 60;
/// A record inside a record inside a record, no more.
const WRAPPINGS: usize = 4;

/// A mapping that does not load.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("mappings/sources/{id}.toml: {}{found}\n  help: {hint}", .line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct MappingError {
    /// Which mapping, as its file is named.
    pub id: String,
    /// Where in it, counted from 1; none if no one line is to blame.
    pub line: Option<usize>,
    /// What was found.
    pub found: String,
    /// What to do.
    pub hint: String,
}

/// What the records of a source look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Container {
    /// Objects with members: any of the shapes that [`super::json`] reads.
    Json,
    /// Rows below a header.
    Csv,
}

/// One source, ready to be applied.
#[derive(Debug)]
pub struct SourceMapping {
    /// The name of its file, without `.toml`.
    pub id: String,
    /// What the source is called.
    pub title: String,
    /// Who makes it.
    pub vendor: String,
    /// Where a user gets such a file.
    pub how_to_get: String,
    /// What its records look like; at least one.
    pub containers: Vec<Container>,
    recognisers: Vec<Recogniser>,
    envelopes: Vec<String>,
    unwrap: Vec<Path>,
    nulls: Vec<String>,
    each: Option<Source>,
    name: Option<Source>,
    class: Option<Source>,
    system: Option<Source>,
    out_of_scope: Vec<OutOfScope>,
    blocks: Vec<Block>,
    actions: Vec<Action>,
    by_name: BTreeMap<String, Vec<usize>>,
    /// As [`SourceMapping::actions`].
    pub(super) can_show: Vec<String>,
    service_actors: Vec<ServiceActor>,
    snapshot_in_name: Option<Pattern>,
    /// Mappings whose acts the events of this one tell once more, under ids of its own.
    pub repeats: Vec<String>,
    /// Mappings whose records this one reads in another rendering, under the same ids; perhaps itself.
    pub renders: Vec<String>,
    /// Somebody chose these records: an action that is not among them may have happened all the same.
    pub excerpt: bool,
    /// First keys of all paths, for headers that differ in blanks only.
    keys: Vec<String>,
    /// Block and action (if its table is events) to the columns they report.
    reported: Vec<Reported>,
    /// By block, then by action (without one, then each): the place in `reported`; null where there are no such rows.
    reported_at: Vec<Vec<Option<usize>>>,
    /// What of a record its paths look at.
    sieve: Sieve,
    /// The same, with places that its paths know.
    plan: Plan,
    /// Where records say what becomes of them that nobody wants; null where more than some places decides.
    deciders: Option<Deciders>,
    /// What of a record it is known by.
    marks: Plan,
}

#[derive(Debug)]
struct Recogniser {
    all: Vec<Path>,
    any: Vec<Path>,
    none: Vec<Path>,
    when: Vec<Condition>,
    /// Of each one must be there; squashed.
    headers: Vec<Vec<String>>,
    without: Vec<String>,
}

#[derive(Debug)]
struct Reported {
    block: usize,
    action: Option<usize>,
    columns: Vec<&'static str>,
    /// The same as bits.
    mask: u32,
    /// Columns of the table that something may stand in, with what it is taken from.
    sources: Vec<(usize, Option<Arc<Source>>)>,
}

/// What is known of the file that a record stands in.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    /// Its name without folders.
    pub file: String,
    /// Its records are rows below a header.
    pub tabular: bool,
    /// How it writes times.
    pub habit: Habit,
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// The system that the record is about; known for most out-of-scope records too, none where the record does not say.
    pub system: Option<String>,
    /// Its rows, or why there are none.
    pub outcome: MappedOutcome,
    /// When it happened, of a record of a log that was left out on purpose; none where it does not say.
    pub occurred_at: Option<String>,
}

/// The rows of a record, or why there are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MappedOutcome {
    /// At least one row.
    Rows(Vec<MappedRow>),
    /// Left out on purpose; why, in few words.
    OutOfScope(String),
    /// Not usable; why, as a slug such as `missing-target`.
    Reject(String),
}

/// One row of a canonical table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedRow {
    /// The name of the table.
    pub table: &'static str,
    /// Column and text, in the table's order; what is not there is empty. Lists are joined by `;`.
    pub cells: Vec<(String, String)>,
    /// For [`SourceMapping::reports`], which says what this row reports: a certificate of a credential report, for one,
    /// has no last use, though the access key of the same line has.
    pub reported: usize,
    /// Bit of a column: this record had a place for it. What no record of a file has is not reported by that file.
    pub seen: u32,
    /// Of an action that is a feed of its own: the mappings whose events it tells once more.
    pub repeats: Vec<String>,
}

impl MappedRow {
    /// A cell; none if empty.
    pub fn get(&self, column: &str) -> Option<&str> {
        self.cells.iter().find(|(name, _)| name == column).map(|(_, text)| text.as_str())
    }
}

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
    /// Every source mapping in force, by id.
    ///
    /// # Errors
    /// The first that does not load.
    pub fn load_all(mappings: &Mappings) -> Result<Vec<Self>, MappingError> {
        Self::load_all_for(mappings, Breadth::Audit)
    }

    /// The same at a breadth: an audit's mappings know nothing of the columns and actions of the trail.
    ///
    /// # Errors
    /// As [`Self::load_all`].
    pub fn load_all_for(mappings: &Mappings, breadth: Breadth) -> Result<Vec<Self>, MappingError> {
        let all: Vec<Self> = mappings
            .files(MappingKind::Source)
            .map(|file| Self::parse_for(&file.id, &file.text, breadth))
            .collect::<Result<_, _>>()?;
        for mapping in &all {
            let named = mapping
                .repeats
                .iter()
                .chain(&mapping.renders)
                .chain(mapping.actions.iter().flat_map(|action| &action.repeats));
            if let Some(other) = named.into_iter().find(|name| !all.iter().any(|other| other.id == **name)) {
                let text =
                    mappings.files(MappingKind::Source).find(|file| file.id == mapping.id).map(|file| &file.text);
                return Err(MappingError {
                    id: mapping.id.clone(),
                    line: text.and_then(|text| Some(line_of(text, text.find(&format!("\"{other}\""))?))),
                    found: format!("`repeats` or `renders` names \"{other}\", which is no source"),
                    hint: "`regrant list sources` names them all".to_owned(),
                });
            }
        }
        Ok(all)
    }

    /// Reads a mapping file.
    ///
    /// # Errors
    /// It is no TOML, has a key that is not of the language, a path, pattern, column or action that does not exist.
    pub fn parse(id: &str, text: &str) -> Result<Self, MappingError> {
        Self::parse_for(id, text, Breadth::Audit)
    }

    /// The same at a breadth.
    ///
    /// # Errors
    /// As [`Self::parse`]; what is not read at this breadth must be right all the same.
    pub fn parse_for(id: &str, text: &str, breadth: Breadth) -> Result<Self, MappingError> {
        let file: file::Mapping = toml::from_str(text).map_err(|error| MappingError {
            id: id.to_owned(),
            line: error.span().map(|span| line_of(text, span.start)),
            found: error.message().to_owned(),
            hint: "the keys of a mapping are described in docs/mappings.md".to_owned(),
        })?;
        build(id, file, breadth).map_err(|fault| MappingError {
            id: id.to_owned(),
            line: text.find(&fault.quoted).map(|at| line_of(text, at)),
            found: fault.found,
            hint: fault.hint,
        })
    }

    /// Whether the first records of a file are of this source: most of them have what it says all have.
    pub fn recognises_json(&self, first: &[Value]) -> bool {
        self.json_weight(first).is_some()
    }

    /// How exactly the first records fit: of several mappings the one that asks for most is meant. Null when they do not.
    pub fn json_weight(&self, first: &[Value]) -> Option<usize> {
        if !self.containers.contains(&Container::Json) || first.is_empty() {
            return None;
        }
        let weights: Vec<usize> = first.iter().filter_map(|record| self.record_weight(record)).collect();
        (weights.len() * 2 > first.len()).then(|| weights.into_iter().max().unwrap_or_default())
    }

    /// How exactly one record fits; null when it does not.
    pub fn record_weight(&self, record: &Value) -> Option<usize> {
        let record = match self.unwrapped(record) {
            Ok(record) => record,
            Err(()) => return None,
        };
        let look = self.look(&record, "", &HABIT, Container::Json);
        let has = |path: &Path| path.leads(look.start);
        self.recognisers
            .iter()
            .filter(|r| !(r.all.is_empty() && r.any.is_empty() && r.when.is_empty()))
            .filter(|r| {
                r.all.iter().all(has)
                    && (r.any.is_empty() || r.any.iter().any(has))
                    && !r.none.iter().any(has)
                    && hold(&r.when, look)
            })
            .map(|r| r.all.len() + usize::from(!r.any.is_empty()) + 2 * r.when.len() + r.none.len())
            .max()
    }

    /// Whether a CSV file with this header (folded, trimmed) is of this source.
    pub fn recognises_csv(&self, header: &[String]) -> bool {
        self.csv_weight(header).is_some()
    }

    /// How exactly a header fits, as [`Self::json_weight`].
    pub fn csv_weight(&self, header: &[String]) -> Option<usize> {
        if !self.containers.contains(&Container::Csv) {
            return None;
        }
        let header: Vec<String> = header.iter().map(|name| squash(name)).collect();
        self.recognisers
            .iter()
            .filter(|r| !r.headers.is_empty())
            .filter(|r| r.headers.iter().all(|names| names.iter().any(|name| header.contains(name))))
            .filter(|r| !r.without.iter().any(|name| header.contains(name)))
            .map(|r| r.headers.len() + r.without.len())
            .max()
    }

    /// The header as the mapping's paths call it: a name that differs in blanks, `_` or `-` alone is taken for the path's.
    pub fn header(&self, header: &[String]) -> Vec<String> {
        let known = |name: &str| self.keys.iter().any(|key| key.eq_ignore_ascii_case(name));
        let mut names: Vec<String> = Vec::with_capacity(header.len());
        for name in header {
            let like = squash(name);
            let meant = self
                .keys
                .iter()
                .find(|key| squash(key) == like && !header.iter().any(|other| other.eq_ignore_ascii_case(key)));
            names.push(match meant {
                Some(key) if !known(name) => key.clone(),
                _ => name.clone(),
            });
        }
        names
    }

    /// Names of members that may hold the records as an array.
    pub fn envelopes(&self) -> &[String] {
        &self.envelopes
    }

    /// The date that the name of a snapshot's file carries; null where the mapping does not look for one.
    pub fn snapshot_of(&self, file: &str) -> Option<NaiveDate> {
        let found = self.snapshot_in_name.as_ref()?.captures(file)?;
        let text = found.get(1).or_else(|| found.get(0))?.as_str();
        let whole = [text.to_owned(), format!("{text}-01")];
        let formats = ["%Y-%m-%d", "%Y%m%d", "%Y_%m_%d", "%Y-%m%d"];
        whole.iter().find_map(|text| formats.iter().find_map(|f| NaiveDate::parse_from_str(text, f).ok()))
    }

    /// What this source reports: each table once, with every column that any of its rows reports, in order.
    /// What one row reports can be less: [`Self::reports`].
    pub fn maps(&self) -> Vec<(&str, Vec<&str>)> {
        Table::ALL
            .iter()
            .filter(|table| self.blocks.iter().any(|block| block.table == **table))
            .map(|table| {
                let of_table = |of: &&Reported| self.blocks[of.block].table == *table;
                let any = |name: &str| self.reported.iter().filter(of_table).any(|of| of.columns.contains(&name));
                (table.name(), table.columns().iter().map(|c| c.name).filter(|name| any(name)).collect())
            })
            .collect()
    }

    /// The columns that a row with this [`MappedRow::reported`] reports; none for a number that no row of this mapping has.
    pub fn reports(&self, reported: usize) -> &[&'static str] {
        self.reported.get(reported).map_or(&[], |of| of.columns.as_slice())
    }

    /// The same, a bit a column.
    pub(super) fn masks(&self) -> BTreeMap<Table, u32> {
        let mut masks: BTreeMap<Table, u32> = self.blocks.iter().map(|block| (block.table, 0)).collect();
        for of in &self.reported {
            *masks.entry(self.blocks[of.block].table).or_default() |= of.mask;
        }
        masks
    }

    /// The canonical actions that this source can show, each once, in the order of the model.
    pub fn actions(&self) -> Vec<&str> {
        self.can_show.iter().map(String::as_str).collect()
    }

    /// Whether the order of day and month must be known before a record is read.
    pub fn needs_order(&self) -> bool {
        let sets = self.actions.iter().flat_map(|action| action.set.values());
        self.blocks.iter().flat_map(|block| block.columns.values()).chain(sets).any(|source| source.needs_order())
    }

    /// Names of events in a record that no `[[action]]` names.
    pub fn names_without_action(&self, record: &Value, setting: &Setting) -> Vec<String> {
        let (Ok(record), Some(name)) = (self.unwrapped(record), &self.name) else { return Vec::new() };
        let look = self.look(&record, &setting.file, &setting.habit, setting.container());
        let named = |look: Look<'_>| name.read(look).filter(|name| !self.by_name.contains_key(&spelling(name)));
        match &self.each {
            None => named(look).into_iter().collect(),
            Some(each) => each
                .items(look)
                .iter()
                .filter_map(|item| {
                    let start = Start { item: Some(item), outer: Some(item), ..look.start };
                    named(Look { start, ..look })
                })
                .collect(),
        }
    }

    /// Texts of a record whose day and month may be either way round.
    pub fn undecided(&self, record: &Value, setting: &Setting) -> Vec<String> {
        let mut out = Vec::new();
        let Ok(record) = self.unwrapped(record) else { return out };
        let look = self.look(&record, &setting.file, &setting.habit, setting.container());
        let sets = self.actions.iter().flat_map(|action| action.set.values());
        for source in self.blocks.iter().flat_map(|block| block.columns.values()).chain(sets) {
            source.undecided(look, &mut out);
        }
        out
    }

    /// Brings one record of an unknown file to canonical rows.
    pub fn apply(&self, record: &Value) -> Mapped {
        self.apply_in(record, &Setting::default())
    }

    /// Where the name of an event alone says that nothing is wanted of its record: the key of that name, and the keys
    /// whose presence says that the rest has to be looked at. Null where more than the name always has to.
    pub fn glance(&self) -> Option<(&str, Vec<&str>)> {
        let name = self.name.as_ref()?.only_key()?;
        if self.each.is_some() || self.by_name.contains_key("") {
            return None;
        }
        let mut paths: Vec<&Path> = self.unwrap.iter().collect();
        [&self.class, &self.system].into_iter().flatten().for_each(|source| source.paths(&mut paths));
        self.out_of_scope.iter().for_each(|rule| Condition::all_paths(&rule.when, &mut paths));
        let mut keys = paths.into_iter().map(Path::first_key).collect::<Option<Vec<&str>>>()?;
        keys.retain(|key| !key.eq_ignore_ascii_case(name));
        Some((name, keys))
    }

    /// Does any action take events of this name?
    pub fn wants(&self, name: &str) -> bool {
        self.by_name.contains_key(&spelling(name))
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
    fn clock(&self) -> Option<&Source> {
        let events = self.blocks.iter().filter(|block| block.table == Table::Event);
        events.filter_map(|block| block.columns.get("occurred_at")).map(|source| &**source).next()
    }

    /// The record that another holds, as an object or as text.
    fn unwrapped<'a>(&self, record: &'a Value) -> Result<Cow<'a, Value>, ()> {
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

    fn look<'a>(&'a self, record: &'a Value, file: &'a str, habit: &'a Habit, of: Container) -> Look<'a> {
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
    fn candidates(&self, name: Option<&str>) -> Vec<usize> {
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
    fn reported_of(&self, block: usize, action: Option<usize>) -> Option<usize> {
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

impl Setting {
    fn container(&self) -> Container {
        if self.tabular { Container::Csv } else { Container::Json }
    }
}

/// Nothing known of a file's times.
const HABIT: Habit = Habit { format: None, order: None, zone: None };

/// A header without what exports write differently: blanks, `_`, `-`, case.
fn squash(name: &str) -> String {
    let squashed: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    if squashed.is_empty() { name.trim().to_lowercase() } else { squashed }
}

#[derive(Debug)]
struct Block {
    table: Table,
    each: Option<Each>,
    when: Vec<Condition>,
    columns: BTreeMap<&'static str, Arc<Source>>,
}

#[derive(Debug)]
struct Each {
    source: Source,
    if_none: IfNone,
}

/// What becomes of a record without an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum IfNone {
    #[default]
    Row,
    Skip,
}

#[derive(Debug)]
struct Action {
    action: Option<&'static str>,
    out_of_scope: Option<String>,
    also: bool,
    repeats: Vec<String>,
    each: Option<Each>,
    when: Vec<Condition>,
    set: BTreeMap<&'static str, Arc<Source>>,
}

#[derive(Debug)]
struct OutOfScope {
    when: Vec<Condition>,
    reason: String,
}

#[derive(Debug)]
struct ServiceActor {
    names: Pattern,
    kind: Option<&'static str>,
    becomes: Option<Source>,
}

/// What the author of a mapping wrote, as TOML has it.
mod file {
    use super::{BTreeMap, Container, Deserialize, IfNone};

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Mapping {
        pub title: String,
        pub vendor: String,
        pub how_to_get: String,
        pub container: OneOrMany<Container>,
        #[serde(default)]
        pub envelopes: Vec<String>,
        #[serde(default)]
        pub unwrap: Vec<String>,
        #[serde(default)]
        pub null: Vec<String>,
        pub recognise: OneOrMany<Recognise>,
        pub each: Option<Source>,
        pub name: Option<Source>,
        pub class: Option<Source>,
        pub system: Option<Source>,
        pub zone: Option<String>,
        pub time: Option<OneOrMany<String>>,
        #[serde(default)]
        pub never: Vec<String>,
        pub snapshot_in_name: Option<String>,
        #[serde(default)]
        pub repeats: Vec<String>,
        #[serde(default)]
        pub renders: Vec<String>,
        #[serde(default)]
        pub excerpt: bool,
        #[serde(default)]
        pub out_of_scope: Vec<OutOfScope>,
        #[serde(default)]
        pub event: Vec<Block>,
        #[serde(default)]
        pub person: Vec<Block>,
        #[serde(default)]
        pub workload: Vec<Block>,
        #[serde(default)]
        pub credential: Vec<Block>,
        #[serde(default)]
        pub account: Vec<Block>,
        #[serde(default)]
        pub ticket: Vec<Block>,
        #[serde(default)]
        pub action: Vec<Action>,
        #[serde(default)]
        pub service_actor: Vec<ServiceActor>,
    }

    #[derive(Deserialize)]
    #[serde(untagged, expecting = "one, or a list of them, with no other keys than docs/mappings.md has")]
    pub(super) enum OneOrMany<T> {
        Many(Vec<T>),
        One(T),
    }

    impl<T> OneOrMany<T> {
        pub fn list(self) -> Vec<T> {
            match self {
                Self::Many(list) => list,
                Self::One(one) => vec![one],
            }
        }
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Recognise {
        #[serde(default)]
        pub all: Vec<String>,
        #[serde(default)]
        pub any: Vec<String>,
        #[serde(default)]
        pub none: Vec<String>,
        #[serde(default)]
        pub when: Vec<Condition>,
        #[serde(default)]
        pub headers: Vec<OneOrMany<String>>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct OutOfScope {
        pub when: Vec<Condition>,
        pub reason: String,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Block {
        pub each: Option<Source>,
        pub if_none: Option<IfNone>,
        #[serde(default)]
        pub when: Vec<Condition>,
        pub columns: BTreeMap<String, Source>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Action {
        #[serde(default)]
        pub names: Vec<String>,
        #[serde(default)]
        pub when: Vec<Condition>,
        pub action: Option<String>,
        pub out_of_scope: Option<String>,
        #[serde(default)]
        pub also: bool,
        #[serde(default)]
        pub repeats: Vec<String>,
        #[serde(default)]
        pub hunt: bool,
        pub each: Option<Source>,
        pub if_none: Option<IfNone>,
        #[serde(default)]
        pub set: BTreeMap<String, Source>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct ServiceActor {
        pub names: Vec<String>,
        pub kind: Option<String>,
        pub becomes: Option<Source>,
    }

    #[derive(Deserialize)]
    #[serde(
        untagged,
        expecting = "a source is a path, a list of sources, or a table of path, const, template, first, all, latest, earliest, difference, common, null, decode, split, pattern, as, time, zone, never, cut, plus, values, pick, otherwise, when"
    )]
    pub(super) enum Source {
        Path(String),
        First(Vec<Source>),
        One(Box<One>),
    }

    #[derive(Deserialize, Default)]
    #[serde(deny_unknown_fields)]
    pub(super) struct One {
        pub path: Option<String>,
        #[serde(rename = "const")]
        pub constant: Option<String>,
        pub template: Option<String>,
        pub first: Option<Vec<String>>,
        pub all: Option<Vec<String>>,
        pub latest: Option<Vec<String>>,
        pub earliest: Option<Vec<String>>,
        pub difference: Option<[String; 2]>,
        pub common: Option<[String; 2]>,
        #[serde(default)]
        pub null: Vec<String>,
        pub decode: Option<String>,
        pub split: Option<OneOrMany<String>>,
        pub pattern: Option<String>,
        #[serde(rename = "as")]
        pub shape: Option<String>,
        pub time: Option<OneOrMany<String>>,
        pub zone: Option<String>,
        pub never: Option<Vec<String>>,
        pub cut: Option<String>,
        pub plus: Option<Plus>,
        #[serde(default)]
        pub values: BTreeMap<String, String>,
        pub pick: Option<String>,
        pub otherwise: Option<String>,
        #[serde(default)]
        pub when: Vec<Condition>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Plus {
        pub path: String,
        pub unit: String,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Condition {
        pub path: Option<String>,
        pub of: Option<Source>,
        pub any: Option<Vec<Condition>>,
        pub present: Option<bool>,
        pub is: Option<Vec<String>>,
        pub is_not: Option<Vec<String>>,
        pub matches: Option<String>,
        pub matches_not: Option<String>,
        pub same_as: Option<String>,
        pub differs_from: Option<String>,
        pub bits: Option<i64>,
        pub bits_not: Option<i64>,
        pub above: Option<f64>,
        pub below: Option<f64>,
    }
}

/// What is wrong with a mapping that TOML has no objection to.
#[derive(Debug)]
struct Fault {
    /// Text of the file near the fault, for its line.
    quoted: String,
    found: String,
    hint: String,
}

fn fault(quoted: &str, found: impl Into<String>, hint: impl Into<String>) -> Fault {
    Fault { quoted: quoted.to_owned(), found: found.into(), hint: hint.into() }
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

/// What holds for every time of a mapping.
struct Defaults {
    clock: Clock,
}

fn build(id: &str, file: file::Mapping, breadth: Breadth) -> Result<SourceMapping, Fault> {
    let paths = |texts: &[String]| texts.iter().map(|text| Path::parse(text)).collect::<Result<Vec<_>, _>>();
    let defaults = Defaults {
        clock: Clock {
            formats: file.time.map(|names| formats(names.list())).transpose()?.unwrap_or_default(),
            zone: file.zone.as_deref().map(zone).transpose()?,
            never: file.never.iter().map(|text| text.trim().to_lowercase()).collect(),
            day_only: false,
        },
    };
    let whole = |written| source(written, None, &defaults);
    let tables = [
        (Table::Event, file.event),
        (Table::Account, file.account),
        (Table::Credential, file.credential),
        (Table::Person, file.person),
        (Table::Workload, file.workload),
        (Table::Ticket, file.ticket),
    ];
    let fills_action = file.action.is_empty() && file.name.is_none();
    let mut blocks = Vec::new();
    for (table, written) in tables {
        for block in written {
            blocks.push(Block {
                table,
                each: each(block.each, block.if_none, &defaults)?,
                when: conditions(block.when, &defaults)?,
                columns: columns(table, block.columns, fills_action, &defaults, breadth)?,
            });
        }
    }
    let mut actions = Vec::new();
    let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for written in file.action {
        let first = written.names.first().cloned().unwrap_or_default();
        let action = match (&written.action, &written.out_of_scope) {
            (Some(name), None) => Some(ACTIONS.iter().copied().find(|action| action == name).ok_or_else(|| {
                fault(
                    &format!("\"{name}\""),
                    format!("\"{name}\" is not an action of the model"),
                    format!("use one of {}", ACTIONS.join(", ")),
                )
            })?),
            (None, Some(_)) => None,
            _ => {
                return Err(fault(
                    &first,
                    format!("the action of \"{first}\" needs either `action` or `out_of_scope`"),
                    "an event becomes an action of the model, or is left out with a reason",
                ));
            }
        };
        let action_set = columns(Table::Event, written.set, false, &defaults, breadth)?;
        let (action_each, action_when) =
            (each(written.each, written.if_none, &defaults)?, conditions(written.when, &defaults)?);
        // Dropped after it was checked: for the audit it is as if the mapping said nothing of it.
        let of_trail = written.hunt || action.is_some_and(|name| !ACTIONS[..AUDITED_ACTIONS].contains(&name));
        if breadth == Breadth::Audit && of_trail {
            continue;
        }
        for name in &written.names {
            by_name.entry(spelling(name)).or_default().push(actions.len());
        }
        if written.names.is_empty() {
            by_name.entry(String::new()).or_default().push(actions.len());
        }
        actions.push(Action {
            action,
            out_of_scope: written.out_of_scope,
            also: written.also,
            repeats: written.repeats,
            each: action_each,
            when: action_when,
            set: action_set,
        });
    }
    if blocks.is_empty() {
        return Err(fault(
            "",
            "no rows come of a record",
            "add [[event]], [[person]], [[workload]], [[credential]], [[account]] or [[ticket]]",
        ));
    }
    let service_actors = file.service_actor.into_iter().map(|written| service_actor(written, &defaults));
    let service_actors = service_actors.collect::<Result<Vec<_>, _>>()?;
    let told_kind = service_actors.iter().any(|actor| actor.kind.is_some());
    let mut reported = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        let event = block.table == Table::Event;
        let of: Vec<Option<usize>> = match event && !fills_action {
            true => (0..actions.len()).filter(|n| actions[*n].action.is_some()).map(Some).collect(),
            false => vec![None],
        };
        for action in of {
            let set = action.map(|n| &actions[n].set);
            let columns = block.table.columns().iter().map(|c| c.name).filter(|name| {
                *name == "system"
                    || event && *name == "action"
                    || event && *name == "executor_kind" && told_kind
                    || block.columns.contains_key(name)
                    || set.is_some_and(|set| set.contains_key(name))
            });
            let columns: Vec<&'static str> = columns.collect();
            let places = block.table.columns().iter().enumerate();
            let sources = places.clone().filter_map(|(place, column)| {
                let source = set.and_then(|set| set.get(column.name)).or_else(|| block.columns.get(column.name));
                let named = matches!(column.name, "system" | "action");
                (source.is_some() || named || column.required).then(|| (place, source.cloned()))
            });
            let mask = places.clone().filter(|(_, c)| columns.contains(&c.name)).fold(0, |mask, (n, _)| mask | 1 << n);
            reported.push(Reported { block: index, action, mask, sources: sources.collect(), columns });
        }
    }
    let recognisers = file.recognise.list().into_iter().map(|r| recogniser(r, &defaults)).collect::<Result<_, _>>()?;
    let out_of_scope = file
        .out_of_scope
        .into_iter()
        .map(|rule| Ok(OutOfScope { when: conditions(rule.when, &defaults)?, reason: rule.reason }))
        .collect::<Result<_, Fault>>()?;
    let mut mapping = SourceMapping {
        id: id.to_owned(),
        title: file.title,
        vendor: file.vendor,
        how_to_get: file.how_to_get,
        containers: file.container.list(),
        recognisers,
        envelopes: file.envelopes,
        unwrap: paths(&file.unwrap)?,
        nulls: file.null.iter().map(|text| spelling(text)).collect(),
        each: file.each.map(whole).transpose()?,
        name: file.name.map(whole).transpose()?,
        class: file.class.map(whole).transpose()?,
        system: file.system.map(whole).transpose()?,
        out_of_scope,
        blocks,
        can_show: ACTIONS
            .iter()
            .filter(|name| actions.iter().any(|action| action.action == Some(name)))
            .map(|name| (*name).to_owned())
            .collect(),
        actions,
        by_name,
        service_actors,
        repeats: file.repeats,
        renders: file.renders,
        excerpt: file.excerpt,
        snapshot_in_name: file.snapshot_in_name.as_deref().map(pattern).transpose()?,
        keys: Vec::new(),
        reported_at: Vec::new(),
        reported,
        sieve: Sieve::default(),
        plan: Plan::default(),
        deciders: None,
        marks: Plan::default(),
    };
    let of = |index: usize, action| mapping.reported.iter().position(|of| of.block == index && of.action == action);
    let of_block = |index| [None].into_iter().chain((0..mapping.actions.len()).map(Some)).map(move |a| of(index, a));
    mapping.reported_at = (0..mapping.blocks.len()).map(|index| of_block(index).collect()).collect();
    mapping.keys = first_keys(&mapping);
    let mut sieve = Sieve::default();
    all_paths(&mapping).into_iter().for_each(|path| path.sieve(&mut sieve));
    let mut plan = Plan::of(&sieve);
    all_paths(&mapping).into_iter().for_each(|path| path.place(&mut plan));
    (mapping.sieve, mapping.plan) = (sieve, plan);
    mapping.deciders = Deciders::of(&mapping);
    let mut marks = Sieve::default();
    let mut paths: Vec<&Path> = mapping.unwrap.iter().collect();
    for recogniser in &mapping.recognisers {
        paths.extend(recogniser.all.iter().chain(&recogniser.any).chain(&recogniser.none));
        Condition::all_paths(&recogniser.when, &mut paths);
    }
    paths.into_iter().for_each(|path| path.sieve(&mut marks));
    mapping.marks = Plan::of(&marks);
    Ok(mapping)
}

/// Every path by which rows are made of a record.
fn all_paths(mapping: &SourceMapping) -> Vec<&Path> {
    let mut paths: Vec<&Path> = mapping.unwrap.iter().collect();
    let whole = [&mapping.each, &mapping.name, &mapping.class, &mapping.system];
    whole.into_iter().flatten().for_each(|source| source.paths(&mut paths));
    mapping.out_of_scope.iter().for_each(|rule| Condition::all_paths(&rule.when, &mut paths));
    for block in &mapping.blocks {
        block.columns.values().for_each(|source| source.paths(&mut paths));
        block.each.iter().for_each(|each| each.source.paths(&mut paths));
        Condition::all_paths(&block.when, &mut paths);
    }
    for action in &mapping.actions {
        action.set.values().for_each(|source| source.paths(&mut paths));
        action.each.iter().for_each(|each| each.source.paths(&mut paths));
        Condition::all_paths(&action.when, &mut paths);
    }
    for actor in &mapping.service_actors {
        actor.becomes.iter().for_each(|source| source.paths(&mut paths));
    }
    paths
}

/// Every first key of a mapping's paths, once, as first written.
fn first_keys(mapping: &SourceMapping) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for key in all_paths(mapping).into_iter().filter_map(Path::first_key) {
        if !keys.iter().any(|known| known == key) {
            keys.push(key.to_owned());
        }
    }
    keys
}

fn recogniser(written: file::Recognise, defaults: &Defaults) -> Result<Recogniser, Fault> {
    let paths = |texts: &[String]| texts.iter().map(|text| Path::parse(text)).collect::<Result<Vec<_>, _>>();
    if written.all.is_empty() && written.any.is_empty() && written.when.is_empty() && written.headers.is_empty() {
        return Err(fault(
            "recognise",
            "`recognise` names nothing that a file would be known by",
            "say `all`, `any` or `when` for JSON, `headers` for CSV",
        ));
    }
    let names = |names: file::OneOrMany<String>| names.list().iter().map(|name| squash(name)).collect();
    Ok(Recogniser {
        all: paths(&written.all)?,
        any: paths(&written.any)?,
        none: paths(&written.none)?,
        when: conditions(written.when, defaults)?,
        headers: written.headers.into_iter().map(names).collect(),
        without: written.none.iter().map(|name| squash(name)).collect(),
    })
}

fn service_actor(written: file::ServiceActor, defaults: &Defaults) -> Result<ServiceActor, Fault> {
    let kind = written.kind.as_deref().map(|kind| {
        let known = EXECUTOR_KINDS.iter().copied().find(|known| *known == kind);
        known.ok_or_else(|| {
            fault(
                &format!("\"{kind}\""),
                format!("\"{kind}\" is not a kind of executor"),
                format!("use one of {}", EXECUTOR_KINDS.join(", ")),
            )
        })
    });
    let names: Vec<String> =
        written.names.iter().map(|name| name.split('*').map(regex::escape).collect::<Vec<_>>().join(".*")).collect();
    Ok(ServiceActor {
        names: pattern(&format!("(?is)^(?:{})$", names.join("|")))?,
        kind: kind.transpose()?,
        becomes: written.becomes.map(|becomes| source(becomes, None, defaults)).transpose()?,
    })
}

fn each(written: Option<file::Source>, if_none: Option<IfNone>, defaults: &Defaults) -> Result<Option<Each>, Fault> {
    let each = written
        .map(|written| Ok(Each { source: source(written, None, defaults)?, if_none: if_none.unwrap_or_default() }));
    each.transpose()
}

fn columns(
    table: Table,
    written: BTreeMap<String, file::Source>,
    with_action: bool,
    defaults: &Defaults,
    breadth: Breadth,
) -> Result<BTreeMap<&'static str, Arc<Source>>, Fault> {
    let read = |name: &&'static str| table.column_at(breadth, name).is_some();
    let all = written
        .into_iter()
        .map(|(name, written)| {
            let known = table.columns().iter().find(|known| known.name == name);
            let known =
                known.filter(|_| with_action || name != "action" || table != Table::Event).ok_or_else(|| {
                    let names: Vec<&str> = table.columns().iter().map(|c| c.name).collect();
                    fault(
                        &format!("{name} ="),
                        format!("`{name}` is not a column of {} that a mapping gives here", table.name()),
                        format!(
                            "columns of {}: {}; `action` is given by [[action]] where there is one",
                            table.name(),
                            names.join(", ")
                        ),
                    )
                })?;
            Ok((known.name, Arc::new(source(written, Some(known), defaults)?)))
        })
        .collect::<Result<BTreeMap<_, _>, Fault>>()?;
    Ok(all.into_iter().filter(|(name, _)| read(name)).collect())
}

fn pattern(text: &str) -> Result<Pattern, Fault> {
    Pattern::new(text).map_err(|error| {
        fault(
            text,
            format!("the pattern {text} does not compile: {error}"),
            "use the syntax of Rust's regex crate: no look-around, no back-references",
        )
    })
}

fn formats(names: Vec<String>) -> Result<Vec<Format>, Fault> {
    let format = |name: &String| {
        Format::named(name).ok_or_else(|| {
            fault(
                &format!("\"{name}\""),
                format!("\"{name}\" is no way to write time"),
                format!("use {}", Format::NAMES),
            )
        })
    };
    names.iter().map(format).collect()
}

fn zone(name: &str) -> Result<Tz, Fault> {
    name.parse().map_err(|_| {
        fault(&format!("\"{name}\""), format!("\"{name}\" is no time zone"), "use a name such as Europe/London or UTC")
    })
}

fn source(written: file::Source, column: Option<&Column>, defaults: &Defaults) -> Result<Source, Fault> {
    let one = match written {
        file::Source::Path(path) => file::One { path: Some(path), ..file::One::default() },
        file::Source::First(sources) => {
            let sources = sources.into_iter().map(|written| source(written, column, defaults));
            return Ok(Source::First(sources.collect::<Result<_, _>>()?));
        }
        file::Source::One(one) => *one,
    };
    let paths = |texts: &[String]| texts.iter().map(|text| Path::parse(text)).collect::<Result<Vec<_>, _>>();
    let mut from = Vec::new();
    let mut pick = None;
    let quoted = [&one.path, &one.constant, &one.template].into_iter().flatten().next().cloned().unwrap_or_default();
    if let Some(path) = &one.path {
        from.push(From::Path(Path::parse(path)?));
    }
    if let Some(text) = one.constant {
        from.push(From::Const(text));
    }
    if let Some(template) = &one.template {
        from.push(From::Template(parts(template)?));
    }
    if let Some(first) = &one.first {
        from.push(From::FirstOf(paths(first)?));
    }
    for (several, way) in [(&one.all, None), (&one.latest, Some(Pick::Latest)), (&one.earliest, Some(Pick::Earliest))] {
        if let Some(several) = several {
            from.push(From::Several(paths(several)?));
            pick = way;
        }
    }
    if let Some([a, b]) = &one.difference {
        from.push(From::Difference(Path::parse(a)?, Path::parse(b)?));
    }
    if let Some([a, b]) = &one.common {
        from.push(From::Common(Path::parse(a)?, Path::parse(b)?));
    }
    let (Some(from), true) = (from.pop(), from.is_empty()) else {
        return Err(fault(
            &quoted,
            "a source needs exactly one of path, const, template, first, all, latest, earliest, difference, common",
            "for the first of several that gives something, write a list",
        ));
    };
    let timely = column.is_some_and(|column| matches!(column.ty, Type::Instant | Type::On));
    let own = one.time.is_some() || one.zone.is_some() || one.never.is_some() || one.cut.is_some();
    let dates = match column.map(|column| column.ty) {
        Some(Type::On) => Dates::Stay,
        _ => Dates::Midnight,
    };
    let clock = (timely || own).then(|| {
        Ok((
            Clock {
                formats: match one.time {
                    Some(names) => formats(names.list())?,
                    None => defaults.clock.formats.clone(),
                },
                zone: one.zone.as_deref().map(zone).transpose()?.or(defaults.clock.zone),
                never: match one.never {
                    Some(never) => never.iter().map(|text| text.trim().to_lowercase()).collect(),
                    None => defaults.clock.never.clone(),
                },
                day_only: match one.cut.as_deref() {
                    None => false,
                    Some("day") => true,
                    Some(other) => {
                        return Err(fault(other, format!("`cut = \"{other}\"` is not known"), "write cut = \"day\""));
                    }
                },
            },
            dates,
        ))
    });
    let plus = one.plus.map(|plus| {
        let unit = cell::unit(&plus.unit).ok_or_else(|| {
            fault(&plus.unit, format!("\"{}\" is no unit of time", plus.unit), "use seconds, minutes, hours or days")
        })?;
        Ok((Path::parse(&plus.path)?, unit))
    });
    let pick = match one.pick.as_deref() {
        None => pick,
        Some("first") => Some(Pick::First),
        Some("last") => Some(Pick::Last),
        Some(other) => return Err(fault(other, format!("`pick = \"{other}\"` is not known"), "use first or last")),
    };
    let decode = match one.decode.as_deref() {
        None => None,
        Some("percent") => Some(Decode::Percent),
        Some(other) => return Err(fault(other, format!("`decode = \"{other}\"` is not known"), "use percent")),
    };
    let split = one.split.map(file::OneOrMany::list).unwrap_or_default();
    if split.iter().any(String::is_empty) {
        return Err(fault("split", "`split` at nothing", "name the text between the pieces, such as \",\""));
    }
    Ok(Source::One(Box::new(One {
        from,
        nulls: one.null.iter().map(|text| spelling(text)).collect(),
        split,
        decode,
        pattern: one.pattern.as_deref().map(pattern).transpose()?,
        shape: one.shape.as_deref().map(shape).transpose()?.unwrap_or_default(),
        clock: clock.transpose()?,
        plus: plus.transpose()?,
        values: one.values.into_iter().map(|(text, meaning)| (spelling(&text), meaning)).collect(),
        otherwise: one.otherwise,
        pick,
        when: conditions(one.when, defaults)?,
    })))
}

fn shape(text: &str) -> Result<Vec<Around>, Fault> {
    let wrong = || {
        fault(
            text,
            format!("`as = \"{text}\"` has no place for the text"),
            "write {} where it belongs, as in \"aws:{}\", or {1} for the first group of the pattern",
        )
    };
    let mut shape = Vec::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        let (group, after) = behind.split_once('}').ok_or_else(wrong)?;
        shape.push(Around::Text(before.to_owned()));
        shape.push(Around::Group(if group.is_empty() { 0 } else { group.parse().map_err(|_| wrong())? }));
        rest = after;
    }
    if shape.is_empty() {
        return Err(wrong());
    }
    shape.push(Around::Text(rest.to_owned()));
    Ok(shape)
}

fn parts(template: &str) -> Result<Vec<Part>, Fault> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('{') {
        let (path, after) = behind.split_once('}').ok_or_else(|| {
            fault(
                template,
                format!("the template \"{template}\" opens a brace and does not close it"),
                "write paths in braces, as in \"aws:{recipientAccountId}\"",
            )
        })?;
        parts.push(Part::Text(before.to_owned()));
        parts.push(Part::Path(Path::parse(path)?));
        rest = after;
    }
    parts.push(Part::Text(rest.to_owned()));
    Ok(parts)
}

fn conditions(written: Vec<file::Condition>, defaults: &Defaults) -> Result<Vec<Condition>, Fault> {
    written.into_iter().map(|written| condition(written, defaults)).collect()
}

fn condition(written: file::Condition, defaults: &Defaults) -> Result<Condition, Fault> {
    let spelt = |list: Vec<String>| list.iter().map(|text| spelling(text)).collect();
    let place = written.path.clone().unwrap_or_else(|| "of".to_owned());
    let wrong =
        |what: &str, hint: &str| fault(&place, format!("the condition on \"{place}\" needs exactly {what}"), hint);
    let mut tests = Vec::new();
    if let Some(present) = written.present {
        tests.push(Test::Present(if present { Presence::There } else { Presence::Missing }));
    }
    tests.extend(written.is.map(|list| Test::Is(spelt(list))));
    tests.extend(written.is_not.map(|list| Test::IsNot(spelt(list))));
    tests.extend(written.matches.as_deref().map(pattern).transpose()?.map(Test::Matches));
    tests.extend(written.matches_not.as_deref().map(pattern).transpose()?.map(Test::MatchesNot));
    tests.extend(written.same_as.as_deref().map(Path::parse).transpose()?.map(Test::Same));
    tests.extend(written.differs_from.as_deref().map(Path::parse).transpose()?.map(Test::Differs));
    tests.extend(written.bits.map(Test::Bits));
    tests.extend(written.bits_not.map(Test::BitsNot));
    tests.extend(written.above.map(Test::Above));
    tests.extend(written.below.map(Test::Below));
    let source = match (written.path, written.of, written.any) {
        (Some(path), None, None) => source(file::Source::Path(path), None, defaults)?,
        (None, Some(of), None) => source(of, None, defaults)?,
        (None, None, Some(any)) if tests.is_empty() => return Ok(Condition::Any(conditions(any, defaults)?)),
        _ => return Err(wrong("one of path, of, any", "`any` stands alone; `path` and `of` have a test")),
    };
    match (tests.pop(), tests.is_empty()) {
        (Some(test), true) => Ok(Condition::Test(source, test)),
        _ => Err(wrong(
            "one test",
            "one of present, is, is_not, matches, matches_not, same_as, differs_from, bits, bits_not, above, below",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{container, json};
    use std::collections::BTreeMap;
    use std::ops::ControlFlow;
    use std::path::{Path as FilePath, PathBuf};

    const OKTA: &str = include_str!("../../mappings/sources/okta-system-log.toml");
    const CLOUDTRAIL: &str = include_str!("../../mappings/sources/aws-cloudtrail.toml");
    const REPORT: &str = include_str!("../../mappings/sources/aws-credential-report.toml");

    fn mapping(id: &str) -> SourceMapping {
        let text = match id {
            "okta-system-log" => OKTA,
            "aws-cloudtrail" => CLOUDTRAIL,
            _ => REPORT,
        };
        SourceMapping::parse(id, text).unwrap_or_else(|error| panic!("{error}"))
    }

    fn root() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR"))
    }

    fn records(path: &FilePath, envelopes: &[String]) -> (Vec<Value>, usize) {
        let (mut records, mut broken) = (Vec::new(), 0);
        // As the inventory does: the envelope that the first object has.
        let head = container::head(path, 64 << 10).expect("reads");
        let named = |name: &&String| memchr::memmem::find(&head, format!("\"{name}\"").as_bytes()).is_some();
        let envelope = envelopes.iter().find(named).map(String::as_str);
        let mut reader = container::open(path).expect("opens");
        json::for_each(&mut reader, envelope, &mut |piece| {
            match piece {
                json::Piece::Record(bytes) => records.push(serde_json::from_slice(bytes).expect("parses")),
                json::Piece::Broken(_) => broken += 1,
            }
            ControlFlow::Continue(())
        })
        .expect("reads");
        (records, broken)
    }

    fn csv_records(path: &FilePath) -> (Vec<String>, Vec<Value>) {
        let mut reader = csv::Reader::from_reader(container::open(path).expect("opens"));
        let header: Vec<String> = reader.headers().expect("a header").iter().map(str::to_owned).collect();
        let rows = reader
            .records()
            .map(|row| {
                let row = row.expect("a row");
                header.iter().cloned().zip(row.iter().map(Value::from)).collect::<serde_json::Map<_, _>>().into()
            })
            .collect();
        (header, rows)
    }

    #[test]
    fn mappings_know_their_own_files_only() {
        let okta = mapping("okta-system-log");
        let trail = mapping("aws-cloudtrail");
        let report = mapping("aws-credential-report");
        let base = root().join("tests/sources");
        let (logs, _) = records(&base.join("okta-system-log/system-log.json"), okta.envelopes());
        let (events, _) = records(&base.join("aws-cloudtrail/delivery.json"), trail.envelopes());
        assert!(!okta.recognises_json(&events) && !trail.recognises_json(&logs) && !report.recognises_json(&logs));
        let digest: Value = serde_json::json!({"awsAccountId": "123456789012", "digestStartTime": "2026-09-01T00:00:00Z",
            "digestEndTime": "2026-09-01T01:00:00Z", "digestPublicKeyFingerprint": "0f", "logFiles": []});
        assert!(!trail.recognises_json(&[digest]));
        let old = ["user", "arn", "user_creation_time", "password_enabled", "password_last_used", "mfa_active"];
        assert!(!report.recognises_csv(&old.map(str::to_owned)));
        assert!(!okta.recognises_json(&[]));
    }

    #[test]
    fn only_what_a_record_carries_is_reported() {
        let report = mapping("aws-credential-report");
        let of = |kind: &str| {
            let (_, records) = csv_records(&root().join("tests/sources/aws-credential-report/report.csv"));
            let row = records
                .iter()
                .filter_map(|record| match report.apply(record).outcome {
                    MappedOutcome::Rows(rows) => Some(rows),
                    _ => None,
                })
                .flatten()
                .find(|row| row.get("kind") == Some(kind))
                .expect("the sample has one");
            report.reports(row.reported).contains(&"last_used_at")
        };
        assert!(of("access-key") && of("password") && !of("certificate"));
        let okta = mapping("okta-system-log");
        assert_eq!(okta.maps().len(), 1);
        assert!(okta.maps()[0].1.contains(&"token_channel"));
        assert!(okta.reported.iter().any(|of| !of.columns.contains(&"token_channel")));
        assert!(okta.maps().iter().all(|(_, columns)| !columns.contains(&"ticket")));
        assert_eq!(mapping("aws-cloudtrail").actions().first(), Some(&"password-reset"));
    }

    #[test]
    fn faults_of_a_mapping_have_a_line_and_a_hint() {
        let fault = |find: &str, replace: &str| {
            SourceMapping::parse("okta-system-log", &OKTA.replacen(find, replace, 1)).expect_err(replace)
        };
        let line = |find: &str| OKTA.lines().position(|line| line.contains(find)).map(|n| n + 1);
        let error = fault("container =", "containr =");
        assert_eq!(error.line, line("container ="));
        assert!(error.to_string().starts_with("mappings/sources/okta-system-log.toml: line "), "{error}");
        let error = fault("source_ip =", "source_address =");
        assert_eq!(error.line, line("source_ip ="));
        assert!(error.found.contains("source_address"), "{error}");
        assert!(fault("action = \"mfa-reset\"", "action = \"mfa-reste\"").hint.contains("mfa-reset"));
        assert!(fault("'^([a-z0-9_]+", "'^(([a-z0-9_]+").found.contains("does not compile"));
        assert!(fault("target[type=User].id\" }]", "target[type=User.id\" }]").found.contains("not a path"));
        assert!(fault("present = true }", "present = true, is = [\"x\"] }").found.contains("exactly one test"));
    }

    #[test]
    fn paths_go_through_arrays_and_ignore_case() {
        let record = serde_json::json!({"Target": [{"type": "Token", "id": 7}, {"Type": "user", "ID": "u"}, 3], "a": {"b": ["x", "y", null]}});
        let start = Start { record: &record, item: None, outer: None, file: "f.json" };
        let look = Look { start, nulls: &[], habit: &HABIT, tabular: false };
        let text = |path: &str| look.text(&Path::parse(path).unwrap_or_else(|fault| panic!("{}", fault.found)));
        assert_eq!(text("target[type=User].id").as_deref(), Some("u"));
        assert_eq!(text("target[type=Token].id").as_deref(), Some("7"));
        assert_eq!(text("a.b").as_deref(), Some("x;y"));
        assert_eq!(text("a.c"), None);
        assert_eq!(text("@.id"), None);
        assert_eq!(text("$file").as_deref(), Some("f.json"));
        let record = serde_json::json!({"urn:x:2.0:User": {"m": {"v": 7}}, "f": {"c1": [{"d": "yes"}], "c2": {"d": "no"}, "c3": 1},
            "deep": "{\"a\": \"{\\\"b\\\": [1, 2]}\"}", "quoted": "\"x\"", "list": "[\"p\",\"q\"]", "n": [{"k": true, "v": 1}, {"k": false, "v": 2}, {"v": 3}]});
        let start = Start { record: &record, item: None, outer: None, file: "" };
        let look = Look { start, nulls: &[], habit: &HABIT, tabular: false };
        let text = |path: &str| look.text(&Path::parse(path).unwrap_or_else(|fault| panic!("{}", fault.found)));
        assert_eq!(text("'urn:x:2.0:User'.m.v").as_deref(), Some("7"));
        assert_eq!(text("f.*.d").as_deref(), Some("yes;no"));
        assert_eq!(text("deep.a.b[-1]").as_deref(), Some("2"));
        assert_eq!(text("quoted").as_deref(), Some("\"x\""));
        assert_eq!(text("quoted.@json").as_deref(), Some("x"));
        assert_eq!(text("list[0]").as_deref(), Some("p"));
        assert_eq!(text("list.@json").as_deref(), Some("p;q"));
        assert_eq!(text("n[k=true].v").as_deref(), Some("1"));
        assert_eq!(text("n[k!=true].v").as_deref(), Some("2;3"));
        assert_eq!(text("n[k=true|false][1].v").as_deref(), Some("2"));
        assert_eq!(text("n[k~^t].v").as_deref(), Some("1"));
        for wrong in ["", ".", "a.", "a..b", "a[", "a[b", "a[b]", "a]b", "'a", "a[x~(]", "'a'b"] {
            assert!(Path::parse(wrong).is_err(), "{wrong}");
        }
    }

    fn wrote(text: &str) -> SourceMapping {
        let head = "title = 't'\nvendor = 'v'\nhow_to_get = 'h'\nsystem = { const = 's' }\n";
        SourceMapping::parse("t", &format!("{head}{text}")).unwrap_or_else(|error| panic!("{error}"))
    }

    fn rows(mapping: &SourceMapping, record: &Value) -> Vec<String> {
        match mapping.apply(record).outcome {
            MappedOutcome::Rows(rows) => rows
                .iter()
                .map(|row| row.cells.iter().map(|(c, t)| format!("{c}={t}")).collect::<Vec<_>>().join(" "))
                .collect(),
            other => vec![format!("{other:?}")],
        }
    }

    #[test]
    fn keys_that_are_new_are_issued_and_those_that_stay_were_not_revoked() {
        let mapping = wrote(
            r#"
container = "json"
recognise = { all = ["operationName"] }
name = "operationName"
[[event]]
columns = { event_id = "id", occurred_at = "time", target = "target" }
[[action]]
names = ["Update application - Certificates and secrets management"]
each = { difference = ["changes[displayName=KeyDescription].newValue", "changes[displayName=KeyDescription].oldValue"], pattern = 'KeyIdentifier=([0-9a-f-]+)' }
if_none = "skip"
also = true
action = "credential-issued"
[action.set]
new_credential = "@"
old_credential = { common = ["changes[displayName=KeyDescription].newValue", "changes[displayName=KeyDescription].oldValue"], pattern = 'KeyIdentifier=([0-9a-f-]+)', pick = "first" }
[[action]]
names = ["Update application - Certificates and secrets management"]
each = { difference = ["changes[displayName=KeyDescription].oldValue", "changes[displayName=KeyDescription].newValue"], pattern = 'KeyIdentifier=([0-9a-f-]+)' }
if_none = "skip"
action = "credential-revoked"
set = { old_credential = "@" }
"#,
        );
        let key = |id: &str| format!("[KeyIdentifier={id},KeyType=Password,KeyUsage=Verify]");
        let record = serde_json::json!({
            "id": "e1", "time": "2026-09-01T00:00:00.1234567Z", "target": "app",
            // An en dash and a blank at the end, as Entra writes it.
            "operationName": "Update application \u{2013} Certificates and secrets management ",
            "changes": [{"displayName": "KeyDescription",
                "newValue": serde_json::json!([key("a1"), key("b2"), key("c3")]).to_string(),
                "oldValue": serde_json::json!([key("a1"), key("d4")]).to_string()}],
        });
        let when = "occurred_at=2026-09-01T00:00:00.123456Z system=s";
        assert_eq!(
            rows(&mapping, &record),
            [
                format!("event_id=e1 {when} action=credential-issued target=app old_credential=a1 new_credential=b2"),
                format!("event_id=e1#2 {when} action=credential-issued target=app old_credential=a1 new_credential=c3"),
                format!("event_id=e1#3 {when} action=credential-revoked target=app old_credential=d4"),
            ]
        );
    }

    #[test]
    fn records_that_hold_several_events_and_actors_that_are_no_people() {
        let mapping = wrote(
            r#"
container = "json"
recognise = { all = ["events"] }
each = "events"
name = "@.name"
[[event]]
[event.columns]
occurred_at = { path = "id.time", time = "epoch" }
target = ["@.parameters[name=USER_EMAIL].value", { path = "@.url", pattern = '/users/([^/]+)', decode = "percent" }]
executor = "actor"
restored = { path = "@.groups", split = [",", "|"] }
token_expires_at = { path = "id.time", time = "epoch", plus = { path = "@.valid", unit = "minutes" } }
[[action]]
names = ["CHANGE_PASSWORD"]
action = "password-reset"
[[service_actor]]
names = ["system@*"]
kind = "automation"
[[service_actor]]
names = ["*$"]
becomes = { const = "" }
"#,
        );
        let record = serde_json::json!({"id": {"time": 1788220800_i64}, "actor": "System@okta.com", "events": [
            {"name": "change_password.", "parameters": [{"name": "USER_EMAIL", "value": "a@x.example"}], "groups": "a, b|c", "valid": 15},
            {"name": "VIEW"},
            {"name": "CHANGE_PASSWORD", "url": "/v2/users/auth0%7Cab/x"},
        ]});
        assert_eq!(
            rows(&mapping, &record),
            [
                "occurred_at=2026-09-01T00:00:00Z system=s action=password-reset target=a@x.example executor=System@okta.com token_expires_at=2026-09-01T00:15:00Z restored=a;b;c executor_kind=automation",
                "occurred_at=2026-09-01T00:00:00Z system=s action=password-reset target=auth0|ab executor=System@okta.com executor_kind=automation",
            ]
        );
        let machine = serde_json::json!({"id": {"time": "1788220800000"}, "actor": "DC01$", "events": {"name": "change_password", "parameters": "[{\"name\": \"user_email\", \"value\": \"b\"}]"}});
        assert_eq!(
            rows(&mapping, &machine),
            ["occurred_at=2026-09-01T00:00:00Z system=s action=password-reset target=b"]
        );
        assert!(mapping.maps()[0].1.contains(&"executor_kind"));
        let other = serde_json::json!({"events": [{"name": "VIEW"}]});
        assert_eq!(mapping.apply(&other).outcome, MappedOutcome::OutOfScope("other".to_owned()));
    }

    #[test]
    fn an_export_without_a_field_does_not_report_it() {
        let mapping = wrote(
            r#"
container = ["csv", "json"]
never = ["open end"]
time = ["plain", "numeric"]
snapshot_in_name = '(\d{4}-\d{2}(?:-\d{2})?)'
[[recognise]]
headers = ["SamAccountName", ["Enabled", "Account Status"]]
[[recognise]]
all = ["sAMAccountName"]
when = [{ path = "objectClass", is = ["user"] }]
[[account]]
[account.columns]
account = ["sAMAccountName", "Account Name"]
status = [
    { const = "disabled", when = [{ path = "userAccountControl", bits = 2 }] },
    { const = "enabled", when = [{ path = "userAccountControl", bits_not = 2 }] },
    { path = "Enabled", values = { true = "enabled", false = "disabled" } },
]
last_active_at = [{ path = "lastLogonTimestamp", time = "filetime" }, "LastLogonDate"]
password_changed_at = "Password Last Set"
disabled_at = { path = "Account Expires" }
"#,
        );
        let header = ["samaccountname", "enabled", "password_last_set", "accountexpires"].map(str::to_owned);
        assert!(mapping.recognises_csv(&header) && !mapping.recognises_csv(&header[..1]));
        let header = mapping.header(&header);
        assert_eq!(header, ["samaccountname", "enabled", "Password Last Set", "Account Expires"]);
        let setting = Setting { tabular: true, ..Setting::default() };
        let cells = ["ann", " TRUE ", "13/04/2026 09:00", "Open End"].map(Value::from);
        let record: Value = header.into_iter().zip(cells).collect::<serde_json::Map<_, _>>().into();
        let MappedOutcome::Rows(rows) = mapping.apply_in(&record, &setting).outcome else { panic!("no rows") };
        assert_eq!(rows[0].get("status"), Some("enabled"));
        assert_eq!(rows[0].get("password_changed_at"), Some("2026-04-13T09:00:00"));
        let seen = |name| rows[0].seen >> Table::Account.column(name).expect("a column") & 1 == 1;
        assert!(seen("account") && seen("status") && seen("disabled_at") && rows[0].get("disabled_at").is_none());
        assert!(!seen("last_active_at"), "nobody is dormant for want of a column");
        let ldif = serde_json::json!({"sAMAccountName": "bob", "objectClass": ["top", "user"], "userAccountControl": "514", "lastLogonTimestamp": "0"});
        assert!(mapping.recognises_json(std::slice::from_ref(&ldif)));
        let MappedOutcome::Rows(rows) = mapping.apply(&ldif).outcome else { panic!("no rows") };
        assert_eq!(rows[0].get("status"), Some("disabled"));
        assert!(rows[0].seen >> Table::Account.column("last_active_at").expect("a column") & 1 == 1);
        assert_eq!(mapping.snapshot_of("ad-2026-08-31.csv"), NaiveDate::from_ymd_opt(2026, 8, 31));
        assert_eq!(mapping.snapshot_of("2009-12.csv"), NaiveDate::from_ymd_opt(2009, 12, 1));
    }

    #[test]
    fn a_block_may_fill_the_action_itself() {
        let mapping = wrote(
            "container = 'csv'\nrecognise = { headers = ['what'] }\n[[event]]\ncolumns = { occurred_at = 'at', target = 'who', action = { path = 'what', values = { Reset = 'password-reset' } } }\n",
        );
        let of =
            |what: &str| mapping.apply(&serde_json::json!({"at": "2026-01-01T00:00:00Z", "who": "a", "what": what}));
        assert!(matches!(of("reset").outcome, MappedOutcome::Rows(_)));
        assert_eq!(of("View").outcome, MappedOutcome::OutOfScope("View".to_owned()));
        assert_eq!(mapping.maps()[0].1, ["occurred_at", "system", "action", "target"]);
    }

    #[test]
    fn spellings_compare_as_people_read_them() {
        assert_eq!(spelling(" Update application \u{2013} Secrets.  "), "update application - secrets");
        assert_eq!(spelling("\u{2014}"), "-");
        assert_eq!(spelling("."), ".");
        assert_eq!(spelling("A\u{a0}\u{a0}B\n"), "a b");
    }

    #[test]
    fn several_holders_of_one_record_have_several_ids() {
        let record = serde_json::json!({"eventType": "user.session.clear", "published": "2026-08-01T00:00:00Z", "uuid": "u-1",
            "actor": {"id": "a", "alternateId": "admin@x.example", "type": "User"}, "outcome": {"result": "SUCCESS"},
            "target": [{"id": "b", "type": "User", "alternateId": "b@x.example"}, {"id": "c", "type": "User", "alternateId": "c@x.example"}]});
        let MappedOutcome::Rows(rows) = mapping("okta-system-log").apply(&record).outcome else { panic!("no rows") };
        let ids: Vec<_> = rows.iter().map(|row| (row.get("event_id"), row.get("target"))).collect();
        assert_eq!(ids, [(Some("u-1"), Some("b@x.example")), (Some("u-1#2"), Some("c@x.example"))]);
    }

    #[test]
    fn hostile_records_are_no_more_than_odd() {
        for id in ["okta-system-log", "aws-cloudtrail", "aws-credential-report"] {
            let mapping = mapping(id);
            for text in [
                "{}",
                "[]",
                "null",
                "7",
                r#"{"_raw":7}"#,
                r#"{"eventType":{"a":[]},"eventSource":[1],"eventName":["x"],"target":"User","arn":"<script>"}"#,
            ] {
                let mapped = mapping.apply(&serde_json::from_str(text).expect("valid"));
                // What has no system is refused by the reader, since the config may say it.
                let whole = |rows: &[MappedRow]| rows.iter().any(|row| row.get("system").is_some());
                assert!(!matches!(mapped.outcome, MappedOutcome::Rows(rows) if whole(&rows)), "{text}");
            }
            if !mapping.unwrap.is_empty() {
                let mapped = mapping.apply(&serde_json::json!({"_raw": "{\"a\":"}));
                assert_eq!(mapped.outcome, MappedOutcome::Reject("bad-json".to_owned()));
            }
        }
        let long = serde_json::json!({"eventType": "名".repeat(5000), "published": "x"});
        let MappedOutcome::OutOfScope(reason) = mapping("okta-system-log").apply(&long).outcome else {
            panic!("in scope")
        };
        assert!(reason.chars().count() <= REASON_CHARS);
    }

    #[derive(Default)]
    struct Count {
        records: usize,
        broken: usize,
        accepted: usize,
        rows: usize,
        reasons: BTreeMap<String, usize>,
        actions: BTreeMap<String, usize>,
    }

    fn count(mapping: &SourceMapping, path: &FilePath) -> Count {
        let (records, broken) = match mapping.containers[0] {
            Container::Json => records(path, mapping.envelopes()),
            Container::Csv => (csv_records(path).1, 0),
        };
        let mut count = Count { records: records.len() + broken, broken, ..Count::default() };
        for record in &records {
            match mapping.apply(record).outcome {
                MappedOutcome::Rows(rows) => {
                    count.accepted += 1;
                    count.rows += rows.len();
                    for row in rows {
                        let what = row.get("action").unwrap_or(row.table).to_owned();
                        *count.actions.entry(what).or_default() += 1;
                    }
                }
                MappedOutcome::OutOfScope(reason) => *count.reasons.entry(format!("out: {reason}")).or_default() += 1,
                MappedOutcome::Reject(reason) => *count.reasons.entry(format!("rejected: {reason}")).or_default() += 1,
            }
        }
        assert_eq!(
            count.records,
            count.accepted + broken + count.reasons.values().sum::<usize>(),
            "{}",
            path.display()
        );
        count
    }

    fn add(to: &mut Count, of: Count) {
        to.records += of.records;
        to.broken += of.broken;
        to.accepted += of.accepted;
        to.rows += of.rows;
        for (reason, n) in of.reasons {
            *to.reasons.entry(reason).or_default() += n;
        }
        for (action, n) in of.actions {
            *to.actions.entry(action).or_default() += n;
        }
    }

    fn show(name: &str, count: &Count) {
        eprintln!(
            "{name}: {} records, {} broken, {} accepted, {} rows {:?} {:?}",
            count.records, count.broken, count.accepted, count.rows, count.actions, count.reasons
        );
    }

    fn files(folder: &FilePath) -> Vec<PathBuf> {
        let walk = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter();
        walk.filter_map(Result::ok).filter(|entry| entry.file_type().is_file()).map(|entry| entry.into_path()).collect()
    }

    #[test]
    fn sample_organisation_maps_without_a_rejection() {
        let base = root().join("sample-data");
        let mut trail = Count::default();
        for path in files(&base.join("aws/AWSLogs")) {
            add(&mut trail, count(&mapping("aws-cloudtrail"), &path));
        }
        let okta = count(&mapping("okta-system-log"), &base.join("identity/okta-system-log.json"));
        let report = count(&mapping("aws-credential-report"), &base.join("aws/credential-report.csv"));
        for (name, count) in [("okta", &okta), ("cloudtrail", &trail), ("credential report", &report)] {
            show(name, count);
            assert!(count.reasons.keys().all(|reason| reason.starts_with("out: ")), "{:?}", count.reasons);
        }
        assert_eq!((okta.records, report.records, report.accepted), (123, 18, 18));
        assert_eq!(report.actions.get("account"), Some(&18));
    }

    #[test]
    fn real_files_are_read_and_every_record_is_counted() {
        let real = root().join("../shared/real");
        if !real.is_dir() {
            eprintln!("skipped: {} is not there", real.display());
            return;
        }
        for (id, folder) in [("okta-system-log", "okta"), ("aws-cloudtrail", "aws_cloudtrail")] {
            let mapping = mapping(id);
            let mut sources: BTreeMap<String, Count> = BTreeMap::new();
            for path in files(&real.join(folder)) {
                let name = path.strip_prefix(&real).expect("below it").to_string_lossy().into_owned();
                // Indexes, licences and vocabularies lie beside the logs.
                let log = [".json", ".jsonl", ".ndjson"].iter().any(|end| name.ends_with(end));
                let counted = count(&mapping, &path);
                if log {
                    let source = name.rsplit_once('/').map_or(name.as_str(), |(folder, _)| folder).to_owned();
                    add(sources.entry(source).or_default(), counted);
                }
            }
            for (name, count) in &sources {
                show(name, count);
                assert_eq!(count.broken, 0, "{name}");
            }
            assert!(sources.values().any(|count| count.accepted > 0));
        }
    }
}
