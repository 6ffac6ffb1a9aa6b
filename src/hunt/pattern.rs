//! Patterns: sequences of events that resets show when they are abused, one Markdown file each.
//!
//! A file has TOML front matter between `+++` lines, sections of prose and executable cases, as a check has. What can
//! be wrong with one is found here, with its line; following events is left to [`super::matcher`].
//!
//! ```toml
//! title   = "…"                        # what happened, in a few words
//! weight  = 40                         # points towards the score of an incident, 1 to 100
//! order   = "in-order"                 # or "any"
//! within  = "4h"                       # from the first step that must be there to the last
//! same    = ["target"]                 # fields that all steps share
//! differ  = ["executor"]               # fields that differ from the step before
//! attack  = ["T1098"]                  # techniques of MITRE ATT&CK
//! source  = "24 hours: …"              # where windows and thresholds come from; may be missing
//! because = "{reset.target} was …"     # a sentence; {step.field}, {count}
//!
//! [[step]]
//! name   = "reset"
//! action = ["password-reset", "mfa-reset"]
//! where  = { self_service = false, tier = ["executive"], days_inactive = "> 45" }
//! as     = { target = "executor" }     # the shared field stands in another one here
//! absent = true                        # nothing of the kind, within …
//! within = "12h"                       # … this time after the step before, or before the first
//!
//! [count]                              # instead of several steps: many of one kind
//! of = "target"                        # distinct values of this field, or "event" …
//! at_least = 3
//! within = "3h"
//! per = ["executor"]                   # … for one of these; none: for all together
//! own_history = { days = 30, times = 2.0 }   # and more than so many times the most of any day before
//! ```

use std::collections::BTreeMap;

use regex::Regex;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::events::{ACTION_WORDS, Field, MARKS};
use crate::check::nearest;
use crate::check::predicate::Kind;
use crate::fact::reset_fact;
use crate::mappings::{MappingFile, MappingKind, Mappings, MappingsError, line_of};
use crate::time::{DAY, HOUR, MINUTE};

/// Sections of a document, each there exactly once; [`INNOCENT`] may be missing.
const SECTIONS: [&str; 5] = ["What it finds", "Why it matters", INNOCENT, "What to do", "Cases"];
/// What else looks like the sequence.
const INNOCENT: &str = "What looks like it";
/// Tables that a case may supply.
const TABLES: [&str; 6] = ["event", "person", "workload", "credential", "account", "ticket"];
/// Conditions that are no facts: what only a hunt asks.
const OWN_CONDITIONS: [&str; 11] = [
    "outcome",
    "unseen",
    "rare",
    "after_reset",
    "first_act",
    "by_outsider",
    "hired_days",
    "any_ticket",
    "token_channel",
    "object",
    "executor_kind",
];

/// One pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// The name of its file.
    pub id: String,
    /// What happened, in a few words.
    pub title: String,
    /// Points towards the score of an incident.
    pub weight: u32,
    /// Techniques of MITRE ATT&CK.
    pub attack: Vec<String>,
    /// The sentence of a match.
    pub because: Vec<Piece>,
    /// Its steps; one where `count` is given.
    pub steps: Vec<Step>,
    /// Must the steps come in order?
    pub order: Order,
    /// Microseconds from the first step that must be there to the last.
    pub within: i64,
    /// Fields that differ from the step before.
    pub differ: Vec<Field>,
    /// Many of one kind instead of a sequence.
    pub count: Option<Count>,
    /// What it finds, as Markdown.
    pub finds: String,
    /// Why it matters, as Markdown.
    pub matters: String,
    /// What else looks like it, as Markdown; empty when the document does not say.
    pub innocent: String,
    /// What to do, as Markdown.
    pub remedy: String,
    /// Where its windows and thresholds come from; empty when the document does not say.
    pub source: String,
    /// Its executable cases, in file order.
    pub cases: Vec<Case>,
    /// `shipped`, or the file as named.
    pub origin: String,
}

/// Must the steps come in order?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Each after the one before.
    #[default]
    InOrder,
    /// In any.
    Any,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// How the sentence calls it.
    pub name: String,
    /// Codes of its actions, see [`ACTION_WORDS`].
    pub actions: Vec<u8>,
    /// All of them must hold.
    pub conditions: Vec<Condition>,
    /// The fields by which it is joined with the other steps, in the order of the pattern's `same`.
    pub key: Vec<Field>,
    /// Null: it must be there. Else nothing of the kind within so many microseconds.
    pub absent: Option<i64>,
}

/// One condition of a step.
#[derive(Clone, Debug)]
pub struct Condition {
    /// As written.
    pub name: String,
    /// What is asked.
    pub test: Test,
}

/// What a condition asks of an event. Each answers yes, no, or not known.
#[derive(Clone, Debug)]
pub enum Test {
    /// Its outcome is one of these.
    Outcome(Vec<u8>),
    /// Any of these fields has a value that the target was not seen with before.
    Unseen(Vec<Field>),
    /// The value of this field was seen with so few identities that it says who somebody is.
    Rare(Field),
    /// Somebody else reset the target at most so many microseconds before.
    AfterReset(i64),
    /// The executor has done nothing of the kind for so many microseconds.
    FirstAct(i64),
    /// The executor is a contractor, or of a vendor.
    ByOutsider(bool),
    /// Days since the target was hired.
    HiredDays(Compare),
    /// Some ticket is about it: named by the event, or found by its subject.
    AnyTicket(bool),
    /// A code travelled this way.
    TokenChannel(Vec<String>),
    /// What was granted or changed is called like this.
    Object(Regex),
    /// The derived kind of the executor.
    ExecutorKind(Vec<String>),
    /// A fact of the catalogue is true, or is not.
    FactIs(&'static str, bool),
    /// A fact of the catalogue is one of these words.
    FactIn(&'static str, Vec<String>),
    /// A fact of the catalogue compares like this.
    FactCompares(&'static str, Compare),
}

/// A comparison with a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Compare {
    /// `<`, `<=`, `>`, `>=`.
    pub how: How,
    /// With what, in the unit of what is compared.
    pub with: f64,
}

/// How numbers compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Less.
    Below,
    /// Less or the same.
    AtMost,
    /// More.
    Above,
    /// More or the same.
    AtLeast,
}

impl Compare {
    fn parse(text: &str) -> Option<Compare> {
        let text = text.trim();
        let (how, rest) = [("<=", How::AtMost), (">=", How::AtLeast), ("<", How::Below), (">", How::Above)]
            .into_iter()
            .find_map(|(sign, how)| Some((how, text.strip_prefix(sign)?)))?;
        let with: f64 = rest.trim().parse().ok()?;
        with.is_finite().then_some(Compare { how, with })
    }

    /// As it is written in a pattern, `> 45`.
    pub fn words(self) -> String {
        let sign = match self.how {
            How::Below => "<",
            How::AtMost => "<=",
            How::Above => ">",
            How::AtLeast => ">=",
        };
        format!("{sign} {}", self.with)
    }

    /// Does `x` compare so?
    pub fn holds(self, x: f64) -> bool {
        match self.how {
            How::Below => x < self.with,
            How::AtMost => x <= self.with,
            How::Above => x > self.with,
            How::AtLeast => x >= self.with,
        }
    }
}

/// Many of one kind.
#[derive(Clone, Debug)]
pub struct Count {
    /// Distinct values of this field; null counts the events themselves.
    pub of: Option<Field>,
    /// At least so many.
    pub at_least: usize,
    /// In so many microseconds.
    pub within: i64,
    /// And more than is usual.
    pub own_history: Option<History>,
}

/// What is usual: the most on any of the days before.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// How many days back.
    pub days: u32,
    /// How many times the most of any of them.
    pub times: f64,
}

/// A piece of a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Piece {
    /// As it stands.
    Text(String),
    /// A field of a step's event.
    Value(usize, Field),
    /// The time of a step's event.
    At(usize),
    /// What was done in a step's event.
    Action(usize),
    /// How many distinct values were counted.
    Count,
}

/// One executable case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Its heading.
    pub name: String,
    /// The line of that heading in the document.
    pub line: usize,
    /// Its configuration; null for the default.
    pub config: Option<String>,
    /// Canonical tables and their CSV, in file order.
    pub tables: Vec<(String, String)>,
    /// What comes of it.
    pub expected: Expected,
}

/// What comes of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// These matches and no other, each the ids of its events in order.
    Matches(Vec<Vec<String>>),
    /// Nothing, and the data shows it.
    Nothing,
    /// Nothing, but the data could not have shown it.
    CannotTell,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Front {
    title: Spanned<String>,
    weight: Spanned<u32>,
    #[serde(default)]
    order: Order,
    within: Option<Spanned<String>>,
    #[serde(default)]
    same: Vec<Spanned<String>>,
    #[serde(default)]
    differ: Vec<Spanned<String>>,
    #[serde(default)]
    attack: Vec<Spanned<String>>,
    because: Spanned<String>,
    #[serde(default)]
    source: String,
    step: Vec<Spanned<WrittenStep>>,
    count: Option<Spanned<WrittenCount>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenStep {
    name: Spanned<String>,
    action: Vec<Spanned<String>>,
    #[serde(default, rename = "where")]
    conditions: BTreeMap<Spanned<String>, toml::Value>,
    #[serde(default, rename = "as")]
    instead: BTreeMap<String, String>,
    #[serde(default)]
    absent: bool,
    within: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCount {
    of: String,
    at_least: usize,
    within: String,
    #[serde(default)]
    per: Vec<String>,
    own_history: Option<History>,
}

/// Every pattern in force, by id.
///
/// # Errors
/// For the first document that is not complete and correct.
pub fn load_all(mappings: &Mappings) -> Result<Vec<Pattern>, MappingsError> {
    mappings.files(MappingKind::Pattern).map(read).collect()
}

/// Reads one document.
///
/// # Errors
/// When it is not complete and correct; with its line.
pub fn read(file: &MappingFile) -> Result<Pattern, MappingsError> {
    if file.text.split('\n').next().map(str::trim_end) != Some("+++") {
        let hint = "begin with a line `+++`, then title, weight, because and [[step]] as TOML, then `+++` again";
        return Err(file.error(Some(1), "a pattern begins with front matter, this file does not", hint));
    }
    let front: Vec<&str> = file.text.split('\n').skip(1).take_while(|line| line.trim_end() != "+++").collect();
    let front_end = front.len() + 2;
    if file.text.split('\n').count() < front_end {
        return Err(file.error(None, "the front matter has no end", "close it with a line `+++`"));
    }
    let text = front.join("\n");
    let head: Front = toml::from_str(&text).map_err(|error| file.toml_error(&text, 1, &error))?;
    let place = Place { file, text: &text };
    let title = head.title.get_ref().trim().to_owned();
    if title.is_empty() {
        return Err(place.error(&head.title, "`title` is empty", "say what happened in a few words"));
    }
    if !(1..=100).contains(head.weight.get_ref()) {
        let found = format!("`weight` is {}, expected were 1 to 100 points", head.weight.get_ref());
        return Err(place.error(&head.weight, found, "an incident has 100 points or more; see docs/hunting.md"));
    }
    for technique in &head.attack {
        let name = technique.get_ref();
        let digits = name.strip_prefix('T').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        if !digits || !name.chars().skip(1).all(|c| c.is_ascii_digit() || c == '.') {
            let found = format!("`attack`: {name:?} is no technique of MITRE ATT&CK");
            return Err(place.error(technique, found, "write it as T1098 or T1098.005"));
        }
    }
    let same = head.same.iter().map(|name| place.field(name)).collect::<Result<Vec<_>, _>>()?;
    let differ = head.differ.iter().map(|name| place.field(name)).collect::<Result<Vec<_>, _>>()?;
    let Some(first) = head.step.first() else {
        return Err(file.error(None, "a pattern without a [[step]]", "add at least one"));
    };
    let key: Vec<Field> = match &head.count {
        Some(count) => {
            let named = count.get_ref().per.iter();
            named.map(|name| place.field_at(name, count.span().start)).collect::<Result<_, _>>()?
        }
        None => same.clone(),
    };
    let mut steps = Vec::new();
    for written in &head.step {
        let step = place.step(written, &key)?;
        if steps.iter().any(|other: &Step| other.name == step.name) {
            let found = format!("two steps are called {:?}", step.name);
            return Err(place.error(written, found, "give each its own name"));
        }
        steps.push(step);
    }
    let within = match &head.within {
        Some(text) => place.span(text.get_ref(), text.span().start)?,
        None => 0,
    };
    let present = steps.iter().filter(|step| step.absent.is_none()).count();
    let count = match &head.count {
        None => None,
        Some(written) => {
            let at = written.span().start;
            let count = written.get_ref();
            if steps.len() != 1 || present != 1 {
                let found = "`[count]` counts the events of one step, and there are others";
                return Err(place.error(first, found, "keep one [[step]], or leave [count] out"));
            }
            if count.at_least == 0 {
                return Err(place.at(at, "`at_least` is 0", "count at least 1"));
            }
            if count.own_history.is_some_and(|history| history.days == 0 || !history.times.is_finite()) {
                return Err(place.at(at, "`own_history` has no days", "write { days = 30, times = 2.0 }"));
            }
            Some(Count {
                of: if count.of == "event" { None } else { Some(place.field_at(&count.of, at)?) },
                at_least: count.at_least,
                within: place.span(&count.within, at)?,
                own_history: count.own_history,
            })
        }
    };
    if present == 0 {
        return Err(place.error(first, "every step is absent", "one step at least must be there"));
    }
    if count.is_none() && present > 1 && (head.within.is_none() || same.is_empty()) {
        let found = "several steps need `same`, what joins them, and `within`, how far they may lie apart";
        return Err(place.error(first, found, "write for instance same = [\"target\"] and within = \"24h\""));
    }
    if head.order == Order::Any && present != steps.len() {
        let found = "steps in any order cannot be absent: absent after which?";
        return Err(place.error(first, found, "use order = \"in-order\""));
    }
    let because = place.sentence(&head.because, &steps, count.is_some())?;
    let body = Body::read(file, front_end)?;
    Ok(Pattern {
        id: file.id.clone(),
        title,
        weight: *head.weight.get_ref(),
        attack: head.attack.iter().map(|t| t.get_ref().clone()).collect(),
        because,
        steps,
        order: head.order,
        within,
        differ,
        count,
        finds: body.finds,
        matters: body.matters,
        innocent: body.innocent,
        remedy: body.remedy,
        source: head.source.trim().to_owned(),
        cases: body.cases,
        origin: file.origin.to_string(),
    })
}

/// A length of time: `90s`, `30min`, `12h`, `7d`; microseconds.
pub fn parse_span(text: &str) -> Option<i64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim() {
        "s" => MINUTE / 60,
        "min" => MINUTE,
        "h" => HOUR,
        "d" => DAY,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(unit).filter(|&span| span > 0)
}

/// Where errors lie.
struct Place<'a> {
    file: &'a MappingFile,
    text: &'a str,
}

impl Place<'_> {
    fn at(&self, at: usize, found: impl Into<String>, hint: impl Into<String>) -> MappingsError {
        self.file.error(Some(1 + line_of(self.text, at)), found, hint)
    }

    fn error<T>(&self, of: &Spanned<T>, found: impl Into<String>, hint: impl Into<String>) -> MappingsError {
        self.at(of.span().start, found, hint)
    }

    fn span(&self, text: &str, at: usize) -> Result<i64, MappingsError> {
        parse_span(text)
            .ok_or_else(|| self.at(at, format!("{text:?} is no length of time"), "write 90s, 30min, 12h or 7d"))
    }

    fn field(&self, name: &Spanned<String>) -> Result<Field, MappingsError> {
        self.field_at(name.get_ref(), name.span().start)
    }

    fn field_at(&self, name: &str, at: usize) -> Result<Field, MappingsError> {
        Field::named(name).ok_or_else(|| {
            let names = Field::ALL.map(Field::as_str);
            let hint = match nearest(name, names.into_iter()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the fields are {}", names.join(", ")),
            };
            self.at(at, format!("`{name}` is no field of an event"), hint)
        })
    }

    fn step(&self, written: &Spanned<WrittenStep>, same: &[Field]) -> Result<Step, MappingsError> {
        let at = written.span().start;
        let step = written.get_ref();
        let name = step.name.get_ref().clone();
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
            let found = format!("a step is called {name:?}");
            return Err(self.error(&step.name, found, "use lower-case letters and `_`"));
        }
        let mut actions = Vec::new();
        for action in &step.action {
            let known = ACTION_WORDS.iter().position(|word| word == action.get_ref()).ok_or_else(|| {
                let hint = match nearest(action.get_ref(), ACTION_WORDS.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the actions are {}", ACTION_WORDS.join(", ")),
                };
                self.error(action, format!("`{}` is no action", action.get_ref()), hint)
            })?;
            actions.push(known as u8 + 1);
        }
        if actions.is_empty() {
            return Err(self.at(at, format!("the step `{name}` has no action"), "name at least one"));
        }
        let mut key = same.to_vec();
        for (shared, here) in &step.instead {
            let (from, to) = (self.field_at(shared, at)?, self.field_at(here, at)?);
            let Some(slot) = key.iter().zip(same).position(|(_, field)| *field == from) else {
                let found = format!("`as` moves `{shared}`, which is not in `same`");
                return Err(self.at(at, found, "name a field of `same` on the left"));
            };
            key[slot] = to;
        }
        let absent = match (step.absent, &step.within) {
            (true, Some(text)) => Some(self.span(text, at)?),
            (true, None) => return Err(self.at(at, "`absent` needs `within`", "say for how long, such as \"12h\"")),
            (false, Some(_)) => {
                let found = "`within` of a step says how long something is absent, and `absent` is not set";
                return Err(self.at(at, found, "give the pattern `within`, or set `absent = true`"));
            }
            (false, None) => None,
        };
        let mut conditions = Vec::new();
        for (name, value) in &step.conditions {
            let test = self.test(name, value)?;
            conditions.push(Condition { name: name.get_ref().clone(), test });
        }
        if !step.conditions.keys().any(|name| name.get_ref() == "outcome") {
            // As context actions count: with an outcome other than failure.
            conditions.push(Condition { name: "outcome".to_owned(), test: Test::Outcome(vec![0, 1, 3]) });
        }
        Ok(Step { name, actions, conditions, key, absent })
    }

    fn test(&self, name: &Spanned<String>, value: &toml::Value) -> Result<Test, MappingsError> {
        let key = name.get_ref().as_str();
        let wrong = |expected: &str| {
            self.error(name, format!("`{key}` is {value}, expected was {expected}"), "see docs/hunting.md")
        };
        let words = || -> Option<Vec<String>> {
            match value {
                toml::Value::String(one) => Some(vec![one.clone()]),
                toml::Value::Array(list) => list.iter().map(|v| v.as_str().map(str::to_owned)).collect(),
                _ => None,
            }
        };
        let truth = || value.as_bool();
        let compare = || value.as_str().and_then(Compare::parse);
        let span = || value.as_str().and_then(parse_span);
        let fields = || -> Result<Vec<Field>, MappingsError> {
            let names = words().ok_or_else(|| wrong("a field or a list of them"))?;
            names.iter().map(|n| self.field_at(n, name.span().start)).collect()
        };
        Ok(match key {
            "outcome" => {
                let codes: Option<Vec<u8>> = words().and_then(|list| {
                    list.iter()
                        .map(|word| match word.as_str() {
                            "success" => Some(1),
                            "failure" => Some(2),
                            "unknown" => Some(3),
                            "not-reported" => Some(0),
                            _ => None,
                        })
                        .collect()
                });
                Test::Outcome(codes.ok_or_else(|| wrong("success, failure, unknown, not-reported"))?)
            }
            "unseen" => {
                let fields = fields()?;
                if let Some(other) = fields.iter().find(|field| !MARKS.contains(field)) {
                    let found = format!("`unseen` names `{}`, of which no history is kept", other.as_str());
                    return Err(self.error(name, found, format!("name {}", MARKS.map(Field::as_str).join(", "))));
                }
                Test::Unseen(fields)
            }
            "rare" => {
                let fields = fields()?;
                Test::Rare(*fields.first().ok_or_else(|| wrong("a field"))?)
            }
            "after_reset" => Test::AfterReset(span().ok_or_else(|| wrong("a length of time such as \"24h\""))?),
            "first_act" => Test::FirstAct(span().ok_or_else(|| wrong("a length of time such as \"30d\""))?),
            "by_outsider" => Test::ByOutsider(truth().ok_or_else(|| wrong("true or false"))?),
            "hired_days" => Test::HiredDays(compare().ok_or_else(|| wrong("a comparison such as \"> 14\""))?),
            "any_ticket" => Test::AnyTicket(truth().ok_or_else(|| wrong("true or false"))?),
            "token_channel" => Test::TokenChannel(words().ok_or_else(|| wrong("a list of channels"))?),
            "object" => {
                let text = value.as_str().ok_or_else(|| wrong("a regular expression"))?;
                let pattern = Regex::new(&format!("(?i){text}"));
                Test::Object(pattern.map_err(|_| wrong("a regular expression"))?)
            }
            "executor_kind" => Test::ExecutorKind(words().ok_or_else(|| wrong("a list of kinds"))?),
            _ => {
                let Some(fact) = reset_fact(key) else {
                    let all: Vec<&str> =
                        OWN_CONDITIONS.into_iter().chain(crate::fact::reset_facts().map(|fact| fact.name)).collect();
                    let hint = match nearest(key, all.into_iter()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("name a fact (`regrant list facts`) or one of {}", OWN_CONDITIONS.join(", ")),
                    };
                    return Err(self.error(name, format!("`{key}` is no condition and no fact of a reset"), hint));
                };
                match fact.kind() {
                    Kind::Bool => Test::FactIs(fact.name, truth().ok_or_else(|| wrong("true or false"))?),
                    Kind::Text => Test::FactIn(fact.name, words().ok_or_else(|| wrong("a word or a list of words"))?),
                    Kind::Number => {
                        Test::FactCompares(fact.name, compare().ok_or_else(|| wrong("a comparison such as \"> 45\""))?)
                    }
                }
            }
        })
    }

    fn sentence(&self, text: &Spanned<String>, steps: &[Step], counts: bool) -> Result<Vec<Piece>, MappingsError> {
        let hint = "placeholders are {step.field}, {step.at}, {step.action}, and {count} where there is a [count]";
        let mut pieces = Vec::new();
        let mut rest = text.get_ref().as_str();
        if rest.trim().is_empty() {
            return Err(self.error(text, "`because` is empty", "say in one sentence what was found"));
        }
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, behind)) = after.split_once('}') else {
                return Err(self.error(text, "`because` has a `{` without a `}`", hint));
            };
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            let piece = match name.split_once('.') {
                None if name == "count" && counts => Some(Piece::Count),
                None => None,
                Some((step, field)) => {
                    let present = |s: &Step| s.name == step && s.absent.is_none();
                    steps.iter().position(present).and_then(|step| match field {
                        "at" => Some(Piece::At(step)),
                        "action" => Some(Piece::Action(step)),
                        _ => Field::named(field).map(|field| Piece::Value(step, field)),
                    })
                }
            };
            let found = || self.error(text, format!("`because`: `{{{name}}}` names no step that is there"), hint);
            pieces.push(piece.ok_or_else(found)?);
            rest = behind;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(pieces)
    }
}

/// The document below its front matter.
#[derive(Default)]
struct Body {
    finds: String,
    matters: String,
    innocent: String,
    remedy: String,
    cases: Vec<Case>,
}

impl Body {
    fn read(file: &MappingFile, front_end: usize) -> Result<Body, MappingsError> {
        let mut prose: [String; SECTIONS.len()] = Default::default();
        let mut seen = [false; SECTIONS.len()];
        let mut section: Option<usize> = None;
        let mut cases: Vec<(Case, bool)> = Vec::new();
        let mut fence: Option<(usize, String, String)> = None;
        for (index, line) in file.text.split('\n').enumerate().skip(front_end) {
            let number = Some(index + 1);
            let in_cases = section == Some(SECTIONS.len() - 1);
            if let Some((from, info, mut text)) = fence.take() {
                if line.trim_end() == "```" {
                    Self::block(file, cases.last_mut(), from, &info, text)?;
                } else {
                    text.push_str(line);
                    text.push('\n');
                    fence = Some((from, info, text));
                }
            } else if let (true, Some(info)) = (in_cases, line.strip_prefix("```")) {
                fence = Some((index + 1, info.trim().to_owned(), String::new()));
            } else if let Some(title) = line.strip_prefix("## ") {
                let Some(at) = SECTIONS.iter().position(|known| *known == title.trim()) else {
                    let hint = format!("the headings are: {}", SECTIONS.join(", "));
                    return Err(file.error(number, format!("`## {}` is no heading of a pattern", title.trim()), hint));
                };
                if std::mem::replace(&mut seen[at], true) {
                    return Err(file.error(number, format!("`## {}` is there twice", title.trim()), "join the two"));
                }
                section = Some(at);
            } else if let Some(title) = line.strip_prefix("# ") {
                if title.trim() != file.id {
                    let found = format!("the document calls itself `{}`, its file `{}`", title.trim(), file.id);
                    return Err(file.error(number, found, format!("write `# {}`", file.id)));
                }
            } else if let (true, Some(name)) = (in_cases, line.strip_prefix("### ")) {
                let name = name.trim().to_owned();
                if cases.iter().any(|(case, _)| case.name == name) {
                    return Err(file.error(number, format!("two cases are called `{name}`"), "give each its own name"));
                }
                let expected = Expected::Nothing;
                cases.push((Case { name, line: index + 1, config: None, tables: Vec::new(), expected }, false));
            } else if let Some(at) = section {
                prose[at].push_str(line);
                prose[at].push('\n');
            }
        }
        if let Some((from, ..)) = fence {
            return Err(file.error(Some(from), "this block has no end", "close it with a line ```"));
        }
        if let Some((missing, _)) = SECTIONS.iter().zip(seen).find(|(title, seen)| !seen && **title != INNOCENT) {
            let hint = format!("every pattern has: {}", SECTIONS.join(", "));
            return Err(file.error(None, format!("the heading `## {missing}` is missing"), hint));
        }
        for ((title, text), seen) in SECTIONS.iter().zip(&prose).zip(seen).take(SECTIONS.len() - 1) {
            if seen && text.trim().is_empty() {
                let found = format!("there is nothing under `## {title}`");
                return Err(file.error(None, found, "pages print this text; write a sentence or two"));
            }
        }
        if let Some((case, _)) = cases.iter().find(|(_, said)| !said) {
            let found = format!("case `{}` says not what comes of it", case.name);
            return Err(file.error(
                Some(case.line),
                found,
                "add a block ```matches: ids of events, `none` or `cannot-tell`",
            ));
        }
        let [finds, matters, innocent, remedy, _] = prose.map(|text| text.trim().to_owned());
        Ok(Body { finds, matters, innocent, remedy, cases: cases.into_iter().map(|(case, _)| case).collect() })
    }

    fn block(
        file: &MappingFile,
        case: Option<&mut (Case, bool)>,
        line: usize,
        info: &str,
        text: String,
    ) -> Result<(), MappingsError> {
        let Some((case, said)) = case else {
            let hint = "write `### name of the case` above";
            return Err(file.error(Some(line), "this block belongs to no case", hint));
        };
        match info.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["toml"] if case.config.is_none() => case.config = Some(text),
            ["csv", table] if TABLES.contains(table) => case.tables.push(((*table).to_owned(), text)),
            ["matches"] if !*said => {
                *said = true;
                let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
                case.expected = match lines.as_slice() {
                    ["none"] => Expected::Nothing,
                    ["cannot-tell"] => Expected::CannotTell,
                    [] => {
                        let hint = "write ids of events joined by ` + `, `none` or `cannot-tell`";
                        return Err(file.error(Some(line), "this block is empty", hint));
                    }
                    lines => Expected::Matches(
                        lines.iter().map(|line| line.split(" + ").map(|id| id.trim().to_owned()).collect()).collect(),
                    ),
                };
            }
            _ => {
                let hint = "blocks of a case: toml, csv TABLE, matches; each of toml and matches once";
                return Err(file.error(Some(line), format!("a block `{info}` is not expected here"), hint));
            }
        }
        Ok(())
    }
}
