//! How a vendor's record becomes canonical rows: a small declarative language, one TOML file a source.
//!
//! A mapping names paths, never computes: what it says can be read by someone who knows the vendor's log and not Rust.
//! Cells come out as text; converting and validating them, and counting what became of a record, is left to the reader.
//!
//! ```toml
//! title = "Okta System Log"
//! vendor = "Okta"
//! how_to_get = "Reports > System Log"
//! container = "json"                          # or csv
//! envelopes = ["Records"]                     # arrays inside an object
//! unwrap = ["_raw"]                           # members that hold the record as a JSON string
//! null = ["N/A"]                              # spellings of nothing, compared trimmed and folded; "" always is one
//! recognise = { all = ["eventType"], any = ["actor"] }   # csv: { headers = [...] }
//! name = "eventType"                          # the event's name in the vendor's words
//! class = { path = "eventType", pattern = '^(\w+)' }     # the reason for out of scope, where none is given
//! system = { const = "okta" }
//!
//! [[out_of_scope]]                            # before all else
//! when = [{ path = "insightDetails", present = true }]
//! reason = "insight"
//!
//! [[event]]                                   # or account, credential: a row of that table
//! each = "target[type=User]"                  # a row for each; `@` is then the element
//! when = [ … ]                                # only if all hold
//! columns = { occurred_at = "published", target = "@.alternateId" }
//!
//! [[action]]                                  # the first whose name and conditions fit; none: out of scope
//! names = ["user.account.reset_password"]
//! when = [{ path = "actor.id", differs_from = "target[type=User].id" }]
//! action = "password-reset"                   # or out_of_scope = "why"
//! set = { token_channel = { const = "email" } }   # further columns, and columns said otherwise
//! ```
//!
//! A *source* of a cell is a path, a list (the first that gives something), or a table: `path`, `const`, `template`
//! (`"aws:{accountId}"`, nothing if a part is missing) or `latest` (of several paths, the latest instant by its text),
//! then `pattern` (a regular expression: its first group, or nothing), `as` (what is written around it, `"aws:{}"`), `values` (a table of spellings, compared
//! folded; what is not in it stays, or becomes `otherwise`), `otherwise` (what nothing becomes), and `when`. A *path* is keys joined by
//! dots, in any case; `key[type=User]` keeps the elements of an array whose member says so.

use std::collections::BTreeMap;

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

use crate::table::Table;
use crate::table::event::ACTIONS;

/// Tables that a mapping can feed, in the order of [`Block::kind`].
const TABLES: [Table; 3] = [Table::Event, Table::Account, Table::Credential];

/// Reasons are shown as a list; a name from a log must not make it endless.
const REASON_CHARS: usize = 60;

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

/// How the records of a source come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Container {
    /// Any of the shapes that [`super::json`] reads.
    Json,
    /// CSV with a header.
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
    /// How its records come.
    pub container: Container,
    envelopes: Vec<String>,
    unwrap: Vec<Path>,
    nulls: Vec<String>,
    all: Vec<Path>,
    any: Vec<Path>,
    headers: Vec<String>,
    name: Option<Source>,
    class: Option<Source>,
    system: Source,
    out_of_scope: Vec<OutOfScope>,
    blocks: Vec<Block>,
    actions: Vec<Action>,
    by_name: BTreeMap<String, Vec<usize>>,
    /// Block and action (if its table is events) to the columns they report.
    reported: Vec<Reported>,
}

#[derive(Debug)]
struct Reported {
    block: usize,
    action: Option<usize>,
    columns: Vec<&'static str>,
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// The system that the record is about; known for most out-of-scope records too, none where the record does not say.
    pub system: Option<String>,
    /// Its rows, or why there are none.
    pub outcome: MappedOutcome,
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
    /// `event`, `account` or `credential`.
    pub table: &'static str,
    /// Column and text, in the table's order; what is not there is empty. Lists are joined by `;`.
    pub cells: Vec<(String, String)>,
    /// For [`SourceMapping::reports`], which says what this row reports: a certificate of a credential report, for one,
    /// has no last use, though the access key of the same line has.
    pub reported: usize,
}

impl MappedRow {
    /// A cell; none if empty.
    pub fn get(&self, column: &str) -> Option<&str> {
        self.cells.iter().find(|(name, _)| name == column).map(|(_, text)| text.as_str())
    }
}

impl SourceMapping {
    /// Reads a mapping file.
    ///
    /// # Errors
    /// It is no TOML, has a key that is not of the language, a path, pattern, column or action that does not exist.
    pub fn parse(id: &str, text: &str) -> Result<Self, MappingError> {
        let file: file::Mapping = toml::from_str(text).map_err(|error| MappingError {
            id: id.to_owned(),
            line: error.span().map(|span| line_of(text, span.start)),
            found: error.message().to_owned(),
            hint: "the keys of a mapping are described at the top of src/source/mapping.rs".to_owned(),
        })?;
        build(id, file).map_err(|fault| MappingError {
            id: id.to_owned(),
            line: text.find(&fault.quoted).map(|at| line_of(text, at)),
            found: fault.found,
            hint: fault.hint,
        })
    }

    /// Whether the first records of a file are of this source: most of them have what it says all have.
    pub fn recognises_json(&self, first: &[Value]) -> bool {
        if self.container != Container::Json || first.is_empty() {
            return false;
        }
        let fitting = first
            .iter()
            .filter(|record| {
                let inner = self.unwrapped(record);
                let record = match &inner {
                    Some(Ok(inner)) => inner,
                    Some(Err(_)) => return false,
                    None => record,
                };
                let has = |path: &Path| !path.find(record, None).is_empty();
                self.all.iter().all(has) && (self.any.is_empty() || self.any.iter().any(has))
            })
            .count();
        fitting * 2 > first.len()
    }

    /// Whether a CSV file with this header (folded, trimmed) is of this source.
    pub fn recognises_csv(&self, header: &[String]) -> bool {
        self.container == Container::Csv && self.headers.iter().all(|name| header.contains(name))
    }

    /// Names of members that may hold the records as an array.
    pub fn envelopes(&self) -> &[String] {
        &self.envelopes
    }

    /// What this source reports: each table once, with every column that any of its rows reports, in order.
    /// What one row reports can be less: [`Self::reports`].
    pub fn maps(&self) -> Vec<(&str, Vec<&str>)> {
        TABLES
            .iter()
            .enumerate()
            .filter(|(kind, _)| self.blocks.iter().any(|block| block.kind == *kind))
            .map(|(kind, table)| {
                let of_table = |of: &&Reported| self.blocks[of.block].kind == kind;
                let any = |name: &str| self.reported.iter().filter(of_table).any(|of| of.columns.contains(&name));
                (table.name(), table.columns().iter().map(|c| c.name).filter(|name| any(name)).collect())
            })
            .collect()
    }

    /// The columns that a row with this [`MappedRow::reported`] reports; none for a number that no row of this mapping has.
    pub fn reports(&self, reported: usize) -> &[&'static str] {
        self.reported.get(reported).map_or(&[], |of| of.columns.as_slice())
    }

    /// The canonical actions that this source can show, each once, in the order of the model.
    pub fn actions(&self) -> Vec<&str> {
        ACTIONS.iter().copied().filter(|name| self.actions.iter().any(|action| action.action == Some(name))).collect()
    }

    /// Brings one record to canonical rows.
    pub fn apply(&self, record: &Value) -> Mapped {
        match self.unwrapped(record) {
            Some(Ok(inner)) => self.apply_inner(&inner),
            Some(Err(())) => Mapped { system: None, outcome: MappedOutcome::Reject("bad-json".to_owned()) },
            None => self.apply_inner(record),
        }
    }

    /// The record that another holds as text.
    fn unwrapped(&self, record: &Value) -> Option<Result<Value, ()>> {
        let text =
            self.unwrap.iter().find_map(|path| path.find(record, None).first().and_then(|value| value.as_str()))?;
        Some(serde_json::from_str(text).ok().filter(Value::is_object).ok_or(()))
    }

    fn apply_inner(&self, record: &Value) -> Mapped {
        let look = Look { record, item: None, nulls: &self.nulls };
        let system = self.system.read(look);
        let outcome = self.outcome(look, system.as_deref());
        Mapped { system, outcome }
    }

    fn outcome(&self, look: Look<'_>, system: Option<&str>) -> MappedOutcome {
        let class = || self.class.as_ref().and_then(|class| class.read(look)).unwrap_or_else(|| "other".to_owned());
        if let Some(rule) = self.out_of_scope.iter().find(|rule| hold(&rule.when, look)) {
            return MappedOutcome::OutOfScope(rule.reason.clone());
        }
        let mut action = None;
        if let Some(name) = &self.name {
            let Some(name) = name.read(look) else { return MappedOutcome::Reject("missing-action".to_owned()) };
            let candidates = self.by_name.get(&name.to_lowercase()).map_or(&[][..], Vec::as_slice);
            let Some(found) = candidates.iter().copied().find(|index| hold(&self.actions[*index].when, look)) else {
                return MappedOutcome::OutOfScope(class().chars().take(REASON_CHARS).collect());
            };
            if let Some(reason) = &self.actions[found].out_of_scope {
                return MappedOutcome::OutOfScope(reason.clone());
            }
            action = Some(found);
        }
        let mut rows = Vec::new();
        let mut missing = None;
        for (index, block) in self.blocks.iter().enumerate() {
            if !hold(&block.when, look) {
                continue;
            }
            let action = action.filter(|_| block.table == "event");
            let Some(reported) = self.reported.iter().position(|of| of.block == index && of.action == action) else {
                continue;
            };
            let items = block.each.as_ref().map(|path| path.find(look.record, None)).unwrap_or_default();
            let items: Vec<Option<&Value>> =
                if items.is_empty() { vec![None] } else { items.into_iter().map(Some).collect() };
            for (n, item) in items.into_iter().enumerate() {
                match self.row(block, action, Look { item, ..look }, system, reported) {
                    Ok(mut row) => {
                        // One record about several holders has one id: each further row needs its own.
                        if n > 0
                            && let Some((_, id)) = row.cells.iter_mut().find(|(name, _)| name == "event_id")
                        {
                            id.push_str(&format!("#{}", n + 1));
                        }
                        rows.push(row);
                    }
                    Err(column) => missing = missing.or(Some(column)),
                }
            }
        }
        match missing {
            _ if !rows.is_empty() => MappedOutcome::Rows(rows),
            Some(column) => MappedOutcome::Reject(format!("missing-{column}")),
            None => MappedOutcome::OutOfScope(class().chars().take(REASON_CHARS).collect()),
        }
    }

    fn row(
        &self,
        block: &Block,
        action: Option<usize>,
        look: Look<'_>,
        system: Option<&str>,
        reported: usize,
    ) -> Result<MappedRow, &'static str> {
        let action = action.map(|index| &self.actions[index]);
        let mut cells = Vec::new();
        for column in TABLES[block.kind].columns() {
            let text = match column.name {
                "system" => system.map(str::to_owned),
                "action" => action.and_then(|action| action.action).map(str::to_owned),
                _ => {
                    let set = action.and_then(|action| action.set.get(column.name));
                    set.or_else(|| block.columns.get(column.name)).and_then(|source| source.read(look))
                }
            };
            match text {
                Some(text) => cells.push((column.name.to_owned(), text)),
                None if column.required => return Err(column.name),
                None => {}
            }
        }
        Ok(MappedRow { table: block.table, cells, reported })
    }
}

#[derive(Debug)]
struct Block {
    table: &'static str,
    /// Its place in [`TABLES`].
    kind: usize,
    each: Option<Path>,
    when: Vec<Condition>,
    columns: BTreeMap<&'static str, Source>,
}

#[derive(Debug)]
struct Action {
    action: Option<&'static str>,
    out_of_scope: Option<String>,
    when: Vec<Condition>,
    set: BTreeMap<&'static str, Source>,
}

#[derive(Debug)]
struct OutOfScope {
    when: Vec<Condition>,
    reason: String,
}

/// Where sources look.
#[derive(Clone, Copy)]
struct Look<'a> {
    record: &'a Value,
    item: Option<&'a Value>,
    nulls: &'a [String],
}

impl Look<'_> {
    /// What a path says, as text; values of an array joined by `;`.
    fn text(&self, path: &Path) -> Option<String> {
        let texts: Vec<String> = path.find(self.record, self.item).into_iter().filter_map(|v| self.scalar(v)).collect();
        (!texts.is_empty()).then(|| texts.join(";"))
    }

    fn scalar(&self, value: &Value) -> Option<String> {
        let text = match value {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        let nothing = text.is_empty() || (!self.nulls.is_empty() && self.nulls.contains(&text.to_lowercase()));
        (!nothing).then_some(text)
    }
}

/// Keys from the root of a record, or from the element at hand.
#[derive(Debug, Clone)]
struct Path {
    from_item: bool,
    steps: Vec<Step>,
}

#[derive(Debug, Clone)]
struct Step {
    key: String,
    /// A member and what it must say for an element to be kept.
    filter: Option<(String, String)>,
}

impl Path {
    fn parse(text: &str) -> Result<Self, Fault> {
        let fault = || Fault {
            quoted: text.to_owned(),
            found: format!("\"{text}\" is not a path"),
            hint: "write keys joined by dots, as in actor.alternateId or target[type=User].id".to_owned(),
        };
        let mut steps = Vec::new();
        let mut from_item = false;
        for (n, part) in text.split('.').enumerate() {
            if n == 0 && part == "@" {
                from_item = true;
                continue;
            }
            let (key, filter) = match part.split_once('[') {
                None => (part, None),
                Some((key, rest)) => {
                    let inner = rest.strip_suffix(']').ok_or_else(fault)?;
                    let (member, is) = inner.split_once('=').ok_or_else(fault)?;
                    (key, Some((member.to_owned(), is.to_owned())))
                }
            };
            if key.is_empty() || key.contains(']') {
                return Err(fault());
            }
            steps.push(Step { key: key.to_owned(), filter });
        }
        Ok(Self { from_item, steps })
    }

    /// All values that the path leads to; through arrays it goes to each element. A null value is a value.
    fn find<'a>(&self, record: &'a Value, item: Option<&'a Value>) -> Vec<&'a Value> {
        let root = if self.from_item { item } else { Some(record) };
        let mut found: Vec<&Value> = root.into_iter().collect();
        for step in &self.steps {
            let mut next = Vec::with_capacity(found.len());
            for value in found {
                match value {
                    Value::Array(elements) => {
                        next.extend(elements.iter().filter_map(|element| member(element, &step.key)))
                    }
                    value => next.extend(member(value, &step.key)),
                }
            }
            if let Some((name, is)) = &step.filter {
                let says = |value: &&Value| {
                    member(value, name).and_then(Value::as_str).is_some_and(|text| text.eq_ignore_ascii_case(is))
                };
                next = next
                    .into_iter()
                    .flat_map(|value| value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice))
                    .filter(says)
                    .collect();
            }
            found = next;
        }
        if let [Value::Array(elements)] = found.as_slice() {
            found = elements.iter().collect();
        }
        found
    }
}

/// SIEM exports put some keys in lower case, some not.
fn member<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    let map = value.as_object()?;
    map.get(key).or_else(|| map.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value))
}

#[derive(Debug)]
enum Source {
    First(Vec<Source>),
    One(Box<One>),
}

#[derive(Debug)]
struct One {
    from: From,
    pattern: Option<Regex>,
    /// What is written around a text, before and behind.
    shape: Option<(String, String)>,
    /// Folded spelling to what it means.
    values: BTreeMap<String, String>,
    otherwise: Option<String>,
    when: Vec<Condition>,
}

#[derive(Debug)]
enum From {
    Path(Path),
    Const(String),
    Template(Vec<Part>),
    Latest(Vec<Path>),
}

#[derive(Debug)]
enum Part {
    Text(String),
    Path(Path),
}

impl Source {
    fn read(&self, look: Look<'_>) -> Option<String> {
        match self {
            Self::First(sources) => sources.iter().find_map(|source| source.read(look)),
            Self::One(one) => {
                if !hold(&one.when, look) {
                    return None;
                }
                let text = match &one.from {
                    From::Path(path) => look.text(path),
                    From::Const(text) => Some(text.clone()),
                    From::Template(parts) => parts
                        .iter()
                        .map(|part| match part {
                            Part::Text(text) => Some(text.clone()),
                            Part::Path(path) => look.text(path),
                        })
                        .collect(),
                    // Instants of one file are spelled alike, and then their texts sort as they do.
                    From::Latest(paths) => paths.iter().filter_map(|path| look.text(path)).max(),
                };
                let text = match &one.pattern {
                    Some(pattern) => text.and_then(|text| {
                        let groups = pattern.captures(&text)?;
                        groups.get(1).or_else(|| groups.get(0)).map(|group| group.as_str().to_owned())
                    }),
                    None => text,
                };
                let text = match &one.shape {
                    Some((before, behind)) => text.map(|text| format!("{before}{text}{behind}")),
                    None => text,
                };
                match text {
                    Some(text) if !one.values.is_empty() => match one.values.get(&text.to_lowercase()) {
                        Some(meaning) => Some(meaning.clone()),
                        None => Some(one.otherwise.clone().unwrap_or(text)),
                    },
                    text => text.or_else(|| one.otherwise.clone()),
                }
                .filter(|text| !text.is_empty())
            }
        }
    }
}

#[derive(Debug)]
struct Condition {
    path: Path,
    test: Test,
}

#[derive(Debug)]
enum Test {
    Present(Presence),
    Is(Vec<String>),
    IsNot(Vec<String>),
    Matches(Regex),
    Same(Path),
    Differs(Path),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    There,
    Missing,
}

fn hold(conditions: &[Condition], look: Look<'_>) -> bool {
    conditions.iter().all(|condition| condition.holds(look))
}

impl Condition {
    fn holds(&self, look: Look<'_>) -> bool {
        let text = look.text(&self.path);
        let folded = || text.as_ref().map(|text| text.to_lowercase());
        match &self.test {
            Test::Present(presence) => {
                // An object is there though it has no text.
                let there = text.is_some()
                    || self.path.find(look.record, look.item).iter().any(|value| value.is_object() || value.is_array());
                there == (*presence == Presence::There)
            }
            Test::Is(list) => folded().is_some_and(|text| list.contains(&text)),
            Test::IsNot(list) => !folded().is_some_and(|text| list.contains(&text)),
            Test::Matches(pattern) => text.is_some_and(|text| pattern.is_match(&text)),
            // Two that are both missing are not known to be the same.
            Test::Same(other) => match (folded(), look.text(other)) {
                (Some(one), Some(other)) => one == other.to_lowercase(),
                _ => false,
            },
            Test::Differs(other) => match (folded(), look.text(other)) {
                (Some(one), Some(other)) => one != other.to_lowercase(),
                _ => false,
            },
        }
    }
}

/// What the author of a mapping wrote, as TOML has it.
mod file {
    use super::{BTreeMap, Container, Deserialize};

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Mapping {
        pub title: String,
        pub vendor: String,
        pub how_to_get: String,
        pub container: Container,
        #[serde(default)]
        pub envelopes: Vec<String>,
        #[serde(default)]
        pub unwrap: Vec<String>,
        #[serde(default)]
        pub null: Vec<String>,
        pub recognise: Recognise,
        pub name: Option<Source>,
        pub class: Option<Source>,
        pub system: Source,
        #[serde(default)]
        pub out_of_scope: Vec<OutOfScope>,
        #[serde(default)]
        pub event: Vec<Block>,
        #[serde(default)]
        pub account: Vec<Block>,
        #[serde(default)]
        pub credential: Vec<Block>,
        #[serde(default)]
        pub action: Vec<Action>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Recognise {
        #[serde(default)]
        pub all: Vec<String>,
        #[serde(default)]
        pub any: Vec<String>,
        #[serde(default)]
        pub headers: Vec<String>,
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
        pub each: Option<String>,
        #[serde(default)]
        pub when: Vec<Condition>,
        pub columns: BTreeMap<String, Source>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Action {
        pub names: Vec<String>,
        #[serde(default)]
        pub when: Vec<Condition>,
        pub action: Option<String>,
        pub out_of_scope: Option<String>,
        #[serde(default)]
        pub set: BTreeMap<String, Source>,
    }

    #[derive(Deserialize)]
    #[serde(
        untagged,
        expecting = "a source is a path, a list of sources, or a table of path, const, template, latest, pattern, as, values, otherwise, when"
    )]
    pub(super) enum Source {
        Path(String),
        First(Vec<Source>),
        One(One),
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct One {
        pub path: Option<String>,
        #[serde(rename = "const")]
        pub constant: Option<String>,
        pub template: Option<String>,
        pub latest: Option<Vec<String>>,
        pub pattern: Option<String>,
        #[serde(rename = "as")]
        pub shape: Option<String>,
        #[serde(default)]
        pub values: BTreeMap<String, String>,
        pub otherwise: Option<String>,
        #[serde(default)]
        pub when: Vec<Condition>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Condition {
        pub path: String,
        pub present: Option<bool>,
        pub is: Option<Vec<String>>,
        pub is_not: Option<Vec<String>>,
        pub matches: Option<String>,
        pub same_as: Option<String>,
        pub differs_from: Option<String>,
    }
}

/// What is wrong with a mapping that TOML has no objection to.
struct Fault {
    /// Text of the file near the fault, for its line.
    quoted: String,
    found: String,
    hint: String,
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

fn build(id: &str, file: file::Mapping) -> Result<SourceMapping, Fault> {
    let paths = |texts: &[String]| texts.iter().map(|text| Path::parse(text)).collect::<Result<Vec<_>, _>>();
    let tables = [file.event, file.account, file.credential];
    let mut blocks = Vec::new();
    for (kind, written) in tables.into_iter().enumerate() {
        for block in written {
            blocks.push(Block {
                table: TABLES[kind].name(),
                kind,
                each: block.each.as_deref().map(Path::parse).transpose()?,
                when: conditions(block.when)?,
                columns: columns(kind, block.columns)?,
            });
        }
    }
    let mut actions = Vec::new();
    let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for written in file.action {
        let first = written.names.first().cloned().unwrap_or_default();
        let action = match (&written.action, &written.out_of_scope) {
            (Some(name), None) => Some(ACTIONS.iter().copied().find(|action| action == name).ok_or_else(|| Fault {
                quoted: format!("\"{name}\""),
                found: format!("\"{name}\" is not an action of the model"),
                hint: format!("use one of {}", ACTIONS.join(", ")),
            })?),
            (None, Some(_)) => None,
            _ => {
                return Err(Fault {
                    quoted: first.clone(),
                    found: format!("the action of \"{first}\" needs either `action` or `out_of_scope`"),
                    hint: "an event becomes an action of the model, or is left out with a reason".to_owned(),
                });
            }
        };
        for name in &written.names {
            by_name.entry(name.to_lowercase()).or_default().push(actions.len());
        }
        actions.push(Action {
            action,
            out_of_scope: written.out_of_scope,
            when: conditions(written.when)?,
            set: columns(0, written.set)?,
        });
    }
    if blocks.is_empty() {
        return Err(Fault {
            quoted: String::new(),
            found: "no rows come of a record".to_owned(),
            hint: "add [[event]], [[account]] or [[credential]]".to_owned(),
        });
    }
    let mut reported = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        let of: Vec<Option<usize>> = match block.table {
            "event" => (0..actions.len()).filter(|n| actions[*n].action.is_some()).map(Some).collect(),
            _ => vec![None],
        };
        for action in of {
            let set = action.map(|n| &actions[n].set);
            let columns = TABLES[block.kind].columns().iter().map(|c| c.name).filter(|name| {
                matches!(*name, "system" | "action") && (*name == "system" || block.table == "event")
                    || block.columns.contains_key(name)
                    || set.is_some_and(|set| set.contains_key(name))
            });
            reported.push(Reported { block: index, action, columns: columns.collect() });
        }
    }
    Ok(SourceMapping {
        id: id.to_owned(),
        title: file.title,
        vendor: file.vendor,
        how_to_get: file.how_to_get,
        container: file.container,
        envelopes: file.envelopes,
        unwrap: paths(&file.unwrap)?,
        nulls: file.null.iter().map(|text| text.trim().to_lowercase()).collect(),
        all: paths(&file.recognise.all)?,
        any: paths(&file.recognise.any)?,
        headers: file.recognise.headers.iter().map(|name| name.trim().to_lowercase()).collect(),
        name: file.name.map(source).transpose()?,
        class: file.class.map(source).transpose()?,
        system: source(file.system)?,
        out_of_scope: file
            .out_of_scope
            .into_iter()
            .map(|rule| Ok(OutOfScope { when: conditions(rule.when)?, reason: rule.reason }))
            .collect::<Result<_, Fault>>()?,
        blocks,
        actions,
        by_name,
        reported,
    })
}

fn columns(kind: usize, written: BTreeMap<String, file::Source>) -> Result<BTreeMap<&'static str, Source>, Fault> {
    let table = TABLES[kind].name();
    let names: Vec<&'static str> = TABLES[kind].columns().iter().map(|c| c.name).collect();
    written
        .into_iter()
        .map(|(name, written)| {
            let known = names.iter().find(|known| **known == name && !matches!(name.as_str(), "system" | "action"));
            let known = known.ok_or_else(|| Fault {
                quoted: format!("{name} ="),
                found: format!("`{name}` is not a column of {table} that a mapping gives here"),
                hint: format!("columns of {table}: {}; `system` is given once, at the top", names.join(", ")),
            })?;
            Ok((*known, source(written)?))
        })
        .collect()
}

fn pattern(text: &str) -> Result<Regex, Fault> {
    Regex::new(text).map_err(|error| Fault {
        quoted: text.to_owned(),
        found: format!("the pattern {text} does not compile: {error}"),
        hint: "use the syntax of Rust's regex crate: no look-around, no back-references".to_owned(),
    })
}

fn source(written: file::Source) -> Result<Source, Fault> {
    let one = match written {
        file::Source::Path(path) => {
            let from = From::Path(Path::parse(&path)?);
            return Ok(Source::One(Box::new(One {
                from,
                pattern: None,
                shape: None,
                values: BTreeMap::new(),
                otherwise: None,
                when: Vec::new(),
            })));
        }
        file::Source::First(sources) => {
            return Ok(Source::First(sources.into_iter().map(source).collect::<Result<_, _>>()?));
        }
        file::Source::One(one) => one,
    };
    let from = match (one.path, one.constant, one.template, one.latest) {
        (Some(path), None, None, None) => From::Path(Path::parse(&path)?),
        (None, Some(text), None, None) => From::Const(text),
        (None, None, Some(template), None) => From::Template(parts(&template)?),
        (None, None, None, Some(paths)) => {
            From::Latest(paths.iter().map(|path| Path::parse(path)).collect::<Result<_, _>>()?)
        }
        (path, constant, template, _) => {
            return Err(Fault {
                quoted: path.or(constant).or(template).unwrap_or_default(),
                found: "a source needs exactly one of path, const, template, latest".to_owned(),
                hint: "for the first of several that gives something, write a list".to_owned(),
            });
        }
    };
    Ok(Source::One(Box::new(One {
        from,
        pattern: one.pattern.as_deref().map(pattern).transpose()?,
        shape: one.shape.as_deref().map(shape).transpose()?,
        values: one.values.into_iter().map(|(spelling, meaning)| (spelling.to_lowercase(), meaning)).collect(),
        otherwise: one.otherwise,
        when: conditions(one.when)?,
    })))
}

fn shape(text: &str) -> Result<(String, String), Fault> {
    let (before, behind) = text.split_once("{}").ok_or_else(|| Fault {
        quoted: text.to_owned(),
        found: format!("`as = \"{text}\"` has no place for the text"),
        hint: "write {} where it belongs, as in \"aws:{}\"".to_owned(),
    })?;
    Ok((before.to_owned(), behind.to_owned()))
}

fn parts(template: &str) -> Result<Vec<Part>, Fault> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('{') {
        let (path, after) = behind.split_once('}').ok_or_else(|| Fault {
            quoted: template.to_owned(),
            found: format!("the template \"{template}\" opens a brace and does not close it"),
            hint: "write paths in braces, as in \"aws:{recipientAccountId}\"".to_owned(),
        })?;
        parts.push(Part::Text(before.to_owned()));
        parts.push(Part::Path(Path::parse(path)?));
        rest = after;
    }
    parts.push(Part::Text(rest.to_owned()));
    Ok(parts)
}

fn conditions(written: Vec<file::Condition>) -> Result<Vec<Condition>, Fault> {
    let lower = |list: Vec<String>| list.into_iter().map(|text| text.to_lowercase()).collect();
    written
        .into_iter()
        .map(|condition| {
            let mut tests = Vec::new();
            if let Some(present) = condition.present {
                tests.push(Test::Present(if present { Presence::There } else { Presence::Missing }));
            }
            tests.extend(condition.is.map(|list| Test::Is(lower(list))));
            tests.extend(condition.is_not.map(|list| Test::IsNot(lower(list))));
            tests.extend(condition.matches.as_deref().map(pattern).transpose()?.map(Test::Matches));
            tests.extend(condition.same_as.as_deref().map(Path::parse).transpose()?.map(Test::Same));
            tests.extend(condition.differs_from.as_deref().map(Path::parse).transpose()?.map(Test::Differs));
            match (tests.pop(), tests.is_empty()) {
                (Some(test), true) => Ok(Condition { path: Path::parse(&condition.path)?, test }),
                _ => Err(Fault {
                    quoted: condition.path.clone(),
                    found: format!("the condition on \"{}\" needs exactly one test", condition.path),
                    hint: "one of present, is, is_not, matches, same_as, differs_from".to_owned(),
                }),
            }
        })
        .collect()
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
        let look = Look { record: &record, item: None, nulls: &[] };
        let text = |path: &str| look.text(&Path::parse(path).unwrap_or_else(|fault| panic!("{}", fault.found)));
        assert_eq!(text("target[type=User].id").as_deref(), Some("u"));
        assert_eq!(text("target[type=Token].id").as_deref(), Some("7"));
        assert_eq!(text("a.b").as_deref(), Some("x;y"));
        assert_eq!(text("a.c"), None);
        assert_eq!(text("@.id"), None);
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
                assert!(!matches!(mapped.outcome, MappedOutcome::Rows(_)), "{text}");
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
        let (records, broken) = match mapping.container {
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
