//! Paths of the mapping language: where in a record a value stands.

use std::borrow::Cow;
use std::sync::OnceLock;

use serde_json::Value;

use super::Fault;
use super::cell::spelling;
use super::pattern::Pattern;
use super::sieve::Sieve;
use super::tape::Plan;

/// Text that holds JSON is read no deeper than this many times.
const TEXT_IN_TEXT: usize = 8;

/// Keys from the root of a record, or from the element at hand.
#[derive(Debug, Clone)]
pub(super) struct Path {
    pub root: Root,
    pub steps: Vec<Step>,
    /// The places that its keys lead through, where there is nothing but keys: one each, as the mapping's plan has them.
    pub places: OnceLock<Vec<u32>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    Record,
    /// `@`: the element of the innermost `each`.
    Item,
    /// `@@`: the element of the mapping's `each`.
    Outer,
    /// `$file`: the name of the file.
    File,
}

#[derive(Debug, Clone)]
pub(super) enum Step {
    Key(String),
    /// `*`: every member of an object.
    Any,
    /// `@json`: the text is JSON, even where it is a quoted text or number.
    Json,
    /// `[2]`, `[-1]`: one of what was found so far.
    At(i64),
    /// `[type=User]`: those whose member says so.
    Only(Path, Says),
}

#[derive(Debug, Clone)]
pub(super) enum Says {
    Is(Vec<String>),
    IsNot(Vec<String>),
    Matches(Pattern),
}

/// What a path starts from.
#[derive(Clone, Copy)]
pub(super) struct Start<'a> {
    pub record: &'a Value,
    pub item: Option<&'a Value>,
    pub outer: Option<&'a Value>,
    pub file: &'a str,
}

impl Path {
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        Self::try_parse(text).ok_or_else(|| Fault {
            quoted: text.to_owned(),
            found: format!("\"{text}\" is not a path"),
            hint:
                "write keys joined by dots, as in actor.alternateId or target[type=User].id; a key with a dot, bracket \
                   or quote in it stands in single quotes"
                    .to_owned(),
        })
    }

    fn try_parse(text: &str) -> Option<Self> {
        let mut path = Path { root: Root::Record, steps: Vec::new(), places: OnceLock::new() };
        let mut rest = text;
        let mut first = true;
        loop {
            let (key, quoted, after) = match rest.strip_prefix('\'') {
                Some(inner) => {
                    let end = inner.find('\'')?;
                    (&inner[..end], true, &inner[end + 1..])
                }
                None => {
                    let end = rest.find(['.', '[']).unwrap_or(rest.len());
                    (&rest[..end], false, &rest[end..])
                }
            };
            rest = after;
            match (key, quoted, first) {
                ("@", false, true) => path.root = Root::Item,
                ("@@", false, true) => path.root = Root::Outer,
                ("$file", false, true) => path.root = Root::File,
                ("*", false, _) => path.steps.push(Step::Any),
                ("@json", false, false) => path.steps.push(Step::Json),
                (key, quoted, _) => {
                    if key.is_empty() || !quoted && key.contains([']', '\'']) {
                        return None;
                    }
                    path.steps.push(Step::Key(key.to_owned()));
                }
            }
            while let Some(inner) = rest.strip_prefix('[') {
                // A pattern may hold brackets of its own.
                let end = inner
                    .char_indices()
                    .find(|(at, c)| *c == ']' && matches!(inner[at + 1..].chars().next(), None | Some('.' | '[')));
                let (filter, after) = (&inner[..end?.0], &inner[end?.0 + 1..]);
                path.steps.push(filter_step(filter)?);
                rest = after;
            }
            match rest.strip_prefix('.') {
                Some(after) => rest = after,
                None if rest.is_empty() => return Some(path),
                None => return None,
            }
            first = false;
        }
    }

    /// All values that the path leads to; through arrays it goes to each element, through text that is JSON into what it
    /// says. A null value is a value.
    pub(super) fn find<'a>(&self, start: Start<'a>) -> Vec<Cow<'a, Value>> {
        let found = self.reach(start);
        if found.iter().any(|value| value.is_array()) { elements(found) } else { found }
    }

    /// Whether it leads anywhere, if only to null or to an empty array.
    pub(super) fn leads(&self, start: Start<'_>) -> bool {
        !self.reach(start).is_empty()
    }

    fn reach<'a>(&self, start: Start<'a>) -> Vec<Cow<'a, Value>> {
        let root = match self.root {
            Root::Record => Some(Cow::Borrowed(start.record)),
            Root::Item => start.item.map(Cow::Borrowed),
            Root::Outer => start.outer.map(Cow::Borrowed),
            Root::File => Some(Cow::Owned(Value::from(start.file))),
        };
        let mut found: Vec<Cow<'a, Value>> = root.into_iter().collect();
        for step in &self.steps {
            found = step.follow(found, start);
            if found.is_empty() {
                return found;
            }
        }
        found
    }

    /// As [`Self::find`], text that is an array opened too.
    pub(super) fn open<'a>(&self, start: Start<'a>) -> Vec<Cow<'a, Value>> {
        elements(self.find(start))
    }

    /// Whether the first key is there at all: of a table's row, whether it has the column.
    pub(super) fn rooted(&self, start: Start<'_>) -> bool {
        match (self.root, self.steps.first()) {
            (Root::Record, Some(Step::Key(key))) => member(start.record, key).is_some(),
            _ => true,
        }
    }

    /// The key of a path that is one key of the record and nothing else.
    pub(super) fn only_key(&self) -> Option<&str> {
        self.first_key().filter(|_| self.steps.len() == 1)
    }

    /// Marks in a sieve what of a record this path looks at.
    pub(super) fn sieve(&self, sieve: &mut Sieve) {
        if self.root == Root::Record {
            reach_of(&self.steps, sieve);
        }
    }

    /// Finds its places, if it is keys from the record on and nothing else.
    pub(super) fn place(&self, plan: &mut Plan) {
        let key = |step: &'_ Step| matches!(step, Step::Key(_));
        if self.root != Root::Record || self.steps.is_empty() || !self.steps.iter().all(key) {
            return;
        }
        let keys = self.steps.iter().filter_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            _ => None,
        });
        self.places.get_or_init(|| plan.places(keys));
    }

    /// The first key, where the path starts at the record.
    pub(super) fn first_key(&self) -> Option<&str> {
        match (self.root, self.steps.first()) {
            (Root::Record, Some(Step::Key(key))) => Some(key),
            _ => None,
        }
    }
}

/// Of text that holds JSON everything is there; what is found at the end of a path is kept whole, for paths from an
/// element go on there.
fn reach_of(steps: &[Step], mut sieve: &mut Sieve) {
    for step in steps {
        match step {
            Step::Key(key) => match sieve.member(key) {
                Some(member) => sieve = member,
                None => return,
            },
            Step::Any => break,
            Step::Json | Step::At(_) => {}
            Step::Only(member, _) => reach_of(&member.steps, sieve),
        }
    }
    sieve.keep();
}

fn filter_step(filter: &str) -> Option<Step> {
    if let Ok(index) = filter.parse::<i64>() {
        return Some(Step::At(index));
    }
    let at = filter.find(['=', '~'])?;
    let (name, rest) = filter.split_at(at);
    let (name, not) = match name.strip_suffix('!') {
        Some(name) => (name, true),
        None => (name, false),
    };
    let member = Path::try_parse(name)?;
    let (sign, value) = rest.split_at(1);
    if sign == "~" {
        let pattern = Pattern::new(value).ok().filter(|_| !not)?;
        return Some(Step::Only(member, Says::Matches(pattern)));
    }
    let bare = value.strip_prefix('\'').and_then(|v| v.strip_suffix('\''));
    let list = match bare {
        Some(text) => vec![spelling(text)],
        None => value.split('|').map(spelling).collect(),
    };
    Some(Step::Only(member, if not { Says::IsNot(list) } else { Says::Is(list) }))
}

impl Step {
    fn follow<'a>(&self, found: Vec<Cow<'a, Value>>, start: Start<'a>) -> Vec<Cow<'a, Value>> {
        let mut next = Vec::with_capacity(found.len());
        match self {
            Step::Key(key) => {
                for value in found {
                    descend(value, &mut next, TEXT_IN_TEXT, &mut |value, next| match value {
                        Cow::Borrowed(value) => next.extend(member(value, key).map(Cow::Borrowed)),
                        Cow::Owned(value) => next.extend(member(&value, key).cloned().map(Cow::Owned)),
                    });
                }
            }
            Step::Any => {
                for value in found {
                    descend(value, &mut next, TEXT_IN_TEXT, &mut |value, next| match value {
                        Cow::Borrowed(Value::Object(map)) => next.extend(map.values().map(Cow::Borrowed)),
                        Cow::Owned(Value::Object(map)) => next.extend(map.into_iter().map(|(_, v)| Cow::Owned(v))),
                        _ => {}
                    });
                }
            }
            Step::Json => {
                for value in found {
                    next.push(match &*value {
                        Value::String(text) => match serde_json::from_str(text) {
                            Ok(inner) => Cow::Owned(inner),
                            Err(_) => value,
                        },
                        _ => value,
                    });
                }
            }
            Step::At(index) => {
                let all = elements(found);
                let at = if *index < 0 { all.len() as i64 + index } else { *index };
                next.extend(usize::try_from(at).ok().and_then(|at| all.into_iter().nth(at)));
            }
            Step::Only(path, says) => {
                let kept = |value: &Cow<'a, Value>| {
                    let inner = Start { record: value, item: None, outer: None, file: start.file };
                    let texts: Vec<String> = path.find(inner).iter().filter_map(|v| scalar(v)).collect();
                    match says {
                        Says::Is(list) => texts.iter().any(|text| list.contains(&spelling(text))),
                        Says::IsNot(list) => !texts.iter().any(|text| list.contains(&spelling(text))),
                        Says::Matches(pattern) => texts.iter().any(|text| pattern.is_match(text)),
                    }
                };
                next.extend(elements(found).into_iter().filter(kept));
            }
        }
        next
    }
}

/// What is done with a value that may have members, and where it puts them.
type Take<'f, 'a> = dyn FnMut(Cow<'a, Value>, &mut Vec<Cow<'a, Value>>) + 'f;

/// Goes through arrays and through text that is JSON, to what has members.
fn descend<'a>(value: Cow<'a, Value>, next: &mut Vec<Cow<'a, Value>>, deeper: usize, take: &mut Take<'_, 'a>) {
    match value {
        Cow::Borrowed(Value::Array(elements)) => {
            for element in elements {
                enter(Cow::Borrowed(element), next, deeper, take);
            }
        }
        Cow::Owned(Value::Array(elements)) => {
            for element in elements {
                enter(Cow::Owned(element), next, deeper, take);
            }
        }
        value => enter(value, next, deeper, take),
    }
}

fn enter<'a>(value: Cow<'a, Value>, next: &mut Vec<Cow<'a, Value>>, deeper: usize, take: &mut Take<'_, 'a>) {
    match embedded(&value) {
        Some(inner) if deeper > 0 => descend(Cow::Owned(inner), next, deeper - 1, take),
        _ => take(value, next),
    }
}

/// The object or array that a text holds.
fn embedded(value: &Value) -> Option<Value> {
    let text = value.as_str()?.trim_start();
    if !text.starts_with(['{', '[', '"']) {
        return None;
    }
    let inner: Value = serde_json::from_str(text).ok()?;
    (inner.is_object() || inner.is_array() || inner.is_string()).then_some(inner)
}

/// Arrays opened, and text that is an array.
fn elements<'a>(found: Vec<Cow<'a, Value>>) -> Vec<Cow<'a, Value>> {
    let mut out = Vec::with_capacity(found.len());
    for value in found {
        match value {
            Cow::Borrowed(Value::Array(elements)) => out.extend(elements.iter().map(Cow::Borrowed)),
            Cow::Owned(Value::Array(elements)) => out.extend(elements.into_iter().map(Cow::Owned)),
            value => match embedded(&value) {
                Some(Value::Array(elements)) => out.extend(elements.into_iter().map(Cow::Owned)),
                Some(inner @ Value::Object(_)) => out.push(Cow::Owned(inner)),
                _ => out.push(value),
            },
        }
    }
    out
}

/// SIEM exports put some keys in lower case, some not.
pub(super) fn member<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    let map = value.as_object()?;
    map.get(key).or_else(|| map.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value))
}

/// A text, number or truth as text.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
