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

mod apply;
mod build;
mod cell;
mod decide;
mod file;
mod path;
mod pattern;
pub(super) mod quick;
mod sieve;
mod tape;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use serde::Deserialize;
use serde_json::Value;

use self::build::{Fault, build, line_of};
use self::cell::{Condition, Look, Source, hold, spelling};
use self::decide::Deciders;
use self::path::{Path, Start};
use self::pattern::Pattern;
use self::sieve::Sieve;
use self::tape::Plan;
use super::clock::Habit;
use crate::mappings::{MappingKind, Mappings};
use crate::table::{Breadth, Table};

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

#[cfg(test)]
mod tests;
