//! Sources of cells and conditions: what a mapping takes from a record, and what it makes of it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::path::{Path, Start, scalar};
use super::pattern::Pattern;
use crate::source::clock::{Clock, Dates, Habit};
use crate::time::{self, DAY, HOUR, MINUTE, SECOND};

/// How spellings compare: trimmed, folded, dashes alike, white space single, without a full stop at the end.
pub(super) fn spelling(text: &str) -> String {
    if plain(text) {
        return text.to_ascii_lowercase();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}' => out.push('-'),
            c if c.is_whitespace() => {
                if !out.is_empty() && !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            c => out.extend(c.to_lowercase()),
        }
    }
    let end = out.trim_end().len();
    out.truncate(end);
    if out.len() > 1 && out.ends_with('.') {
        out.pop();
        let end = out.trim_end().len();
        out.truncate(end);
    }
    out
}

/// Does a text differ from its spelling in case alone? Most do not even in that.
pub(super) fn plain(text: &str) -> bool {
    !text.ends_with('.') && !text.bytes().fold(false, |other, b| other | !b.is_ascii_graphic())
}

/// Where sources look.
#[derive(Clone, Copy)]
pub(super) struct Look<'a> {
    pub start: Start<'a>,
    /// Spellings of nothing, as [`spelling`] has them.
    pub nulls: &'a [String],
    pub habit: &'a Habit,
    /// The record is a row of a table: a column that is not there is not reported.
    pub tabular: bool,
}

impl<'a> Look<'a> {
    pub(super) fn at(self, item: Option<&'a Value>) -> Look<'a> {
        Look { start: Start { item, ..self.start }, ..self }
    }

    /// What a path says, each value as text.
    fn pieces(&self, path: &Path, nulls: &[String]) -> Vec<String> {
        path.find(self.start).iter().filter_map(|value| self.text_of(value, nulls)).collect()
    }

    /// As [`Self::pieces`], a list that stands there as text opened.
    fn opened(&self, path: &Path, nulls: &[String]) -> Vec<String> {
        path.open(self.start).iter().filter_map(|value| self.text_of(value, nulls)).collect()
    }

    fn text_of(&self, value: &Value, nulls: &[String]) -> Option<String> {
        let text = scalar(value)?;
        if text.is_empty() {
            return None;
        }
        if self.nulls.is_empty() && nulls.is_empty() {
            return Some(text);
        }
        let listed = || self.nulls.iter().chain(nulls);
        if plain(&text) && !listed().any(|null| null.len() == text.len()) {
            return Some(text);
        }
        let spelt = spelling(&text);
        (!self.nulls.contains(&spelt) && !nulls.contains(&spelt)).then_some(text)
    }

    /// What a path says, as text; several values joined by `;`.
    pub(super) fn text(&self, path: &Path) -> Option<String> {
        let texts = self.pieces(path, &[]);
        (!texts.is_empty()).then(|| texts.join(";"))
    }
}

/// What a cell is filled from.
#[derive(Debug)]
pub(super) enum Source {
    First(Vec<Source>),
    One(Box<One>),
}

/// One way to fill a cell.
#[derive(Debug)]
pub(super) struct One {
    pub from: From,
    pub nulls: Vec<String>,
    pub split: Vec<String>,
    pub decode: Option<Decode>,
    pub pattern: Option<Pattern>,
    /// What is written around a text: pieces of text and numbers of groups.
    pub shape: Vec<Around>,
    pub clock: Option<(Clock, Dates)>,
    pub plus: Option<(Path, i64)>,
    /// Spelling to what it means.
    pub values: BTreeMap<String, String>,
    pub otherwise: Option<String>,
    pub pick: Option<Pick>,
    pub when: Vec<Condition>,
}

#[derive(Debug)]
pub(super) enum From {
    Path(Path),
    Const(String),
    Template(Vec<Part>),
    /// What several paths say; a [`Pick`] may choose among it.
    Several(Vec<Path>),
    /// Of several paths, the first that says something.
    FirstOf(Vec<Path>),
    /// What the first has and the second has not.
    Difference(Path, Path),
    /// What both have.
    Common(Path, Path),
}

#[derive(Debug)]
pub(super) enum Part {
    Text(String),
    Path(Path),
}

#[derive(Debug)]
pub(super) enum Around {
    Text(String),
    /// A group of the pattern; 0 is the text itself.
    Group(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decode {
    Percent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pick {
    First,
    Last,
    Earliest,
    Latest,
}

/// Units of `plus`.
pub(super) fn unit(name: &str) -> Option<i64> {
    Some(match name {
        "seconds" => SECOND,
        "minutes" => MINUTE,
        "hours" => HOUR,
        "days" => DAY,
        _ => return None,
    })
}

impl Source {
    /// The text of the cell; several pieces joined by `;`. Nothing is `None`.
    pub(super) fn read(&self, look: Look<'_>) -> Option<String> {
        match self {
            Self::First(sources) => sources.iter().find_map(|source| source.read(look)),
            Self::One(one) => {
                if !hold(&one.when, look) {
                    return None;
                }
                let pieces = one.pieces(look);
                match pieces.len() {
                    0 => one.otherwise.clone().filter(|text| !text.is_empty()),
                    1 => pieces.into_iter().next(),
                    _ => Some(pieces.join(";")),
                }
            }
        }
    }

    /// Each value on its own, for a row of each.
    pub(super) fn items<'a>(&self, look: Look<'a>) -> Vec<Cow<'a, Value>> {
        match self {
            Self::First(sources) => {
                sources.iter().map(|source| source.items(look)).find(|items| !items.is_empty()).unwrap_or_default()
            }
            Self::One(one) if !hold(&one.when, look) => Vec::new(),
            Self::One(one) => match &one.from {
                // A bare path leads to objects; whatever is done to a value makes it text.
                From::Path(path) if one.bare() => path.open(look.start),
                _ => one.pieces(look).into_iter().map(|piece| Cow::Owned(Value::from(piece))).collect(),
            },
        }
    }

    /// Whether the record could have said it: some path of it leads somewhere, if only to null.
    pub(super) fn touched(&self, look: Look<'_>) -> bool {
        let there = |path: &Path| path.leads(look.start);
        match self {
            Self::First(sources) => sources.iter().any(|source| source.touched(look)),
            Self::One(one) if !hold(&one.when, look) => false,
            Self::One(one) => match &one.from {
                From::Several(paths) | From::FirstOf(paths) => paths.iter().any(there),
                from => from.paths().iter().all(|path| there(path)),
            },
        }
    }

    /// Whether a row of this table has the columns it needs.
    pub(super) fn rooted(&self, look: Look<'_>) -> bool {
        match self {
            Self::First(sources) => sources.iter().any(|source| source.rooted(look)),
            Self::One(one) => match &one.from {
                From::Several(paths) | From::FirstOf(paths) => paths.iter().any(|path| path.rooted(look.start)),
                from => from.paths().iter().all(|path| path.rooted(look.start)),
            },
        }
    }

    /// The key, where the cell is that member of the record as it stands.
    pub(super) fn only_key(&self) -> Option<&str> {
        match self {
            Self::One(one) if one.bare() && one.when.is_empty() && one.otherwise.is_none() => match &one.from {
                From::Path(path) => path.only_key(),
                _ => None,
            },
            _ => None,
        }
    }

    /// Every path of it, conditions included.
    pub(super) fn paths<'a>(&'a self, out: &mut Vec<&'a Path>) {
        match self {
            Self::First(sources) => sources.iter().for_each(|source| source.paths(out)),
            Self::One(one) => {
                out.extend(one.from.paths());
                out.extend(one.plus.iter().map(|(path, _)| path));
                one.when.iter().for_each(|condition| condition.paths(out));
            }
        }
    }

    /// Texts of cells whose day and month may be either way round.
    pub(super) fn undecided(&self, look: Look<'_>, out: &mut Vec<String>) {
        match self {
            Self::First(sources) => sources.iter().for_each(|source| source.undecided(look, out)),
            Self::One(one) => {
                if one.clock.as_ref().is_some_and(|(clock, _)| clock.needs_order()) {
                    out.extend(one.raw(look));
                }
            }
        }
    }

    pub(super) fn needs_order(&self) -> bool {
        match self {
            Self::First(sources) => sources.iter().any(Source::needs_order),
            Self::One(one) => one.clock.as_ref().is_some_and(|(clock, _)| clock.needs_order()),
        }
    }
}

impl From {
    pub(super) fn paths(&self) -> Vec<&Path> {
        match self {
            From::Path(path) => vec![path],
            From::Const(_) => Vec::new(),
            From::Template(parts) => parts
                .iter()
                .filter_map(|part| match part {
                    Part::Path(path) => Some(path),
                    Part::Text(_) => None,
                })
                .collect(),
            From::Several(paths) | From::FirstOf(paths) => paths.iter().collect(),
            From::Difference(a, b) | From::Common(a, b) => vec![a, b],
        }
    }
}

impl One {
    pub(super) fn bare(&self) -> bool {
        self.split.is_empty()
            && self.decode.is_none()
            && self.pattern.is_none()
            && self.shape.is_empty()
            && self.clock.is_none()
            && self.plus.is_none()
            && self.values.is_empty()
            && self.nulls.is_empty()
    }

    pub(super) fn matched(&self, text: &str) -> Option<String> {
        let Some(pattern) = &self.pattern else { return Some(self.around(text, None)) };
        let groups = pattern.captures(text)?;
        let group = groups.get(1).or_else(|| groups.get(0))?;
        Some(self.around(group.as_str(), Some(&groups)))
    }

    fn around(&self, text: &str, groups: Option<&regex::Captures<'_>>) -> String {
        if self.shape.is_empty() {
            return text.to_owned();
        }
        let part = |part: &Around| match part {
            Around::Text(text) => text.clone(),
            Around::Group(0) => text.to_owned(),
            Around::Group(n) => groups.and_then(|g| g.get(*n)).map(|g| g.as_str().to_owned()).unwrap_or_default(),
        };
        self.shape.iter().map(part).collect()
    }

    /// As the record has it, cut into pieces, before time and values.
    fn raw(&self, look: Look<'_>) -> Vec<String> {
        let several = |path: &Path| -> Vec<String> {
            let found = match &self.from {
                From::Difference(..) | From::Common(..) => look.opened(path, &self.nulls),
                _ => look.pieces(path, &self.nulls),
            };
            let decoded = found.into_iter().map(|text| match self.decode {
                Some(Decode::Percent) => percent(&text),
                None => text,
            });
            match self.split.is_empty() {
                true => decoded.collect(),
                false => decoded.flat_map(|text| cut(text, &self.split)).collect(),
            }
        };
        let matched = |path: &Path| -> Vec<String> {
            several(path).iter().filter_map(|text| self.matched(text)).filter(|text| !text.is_empty()).collect()
        };
        match &self.from {
            From::Path(path) => matched(path),
            From::Const(text) => vec![text.clone()],
            From::Template(parts) => {
                let text: Option<String> = parts
                    .iter()
                    .map(|part| match part {
                        Part::Text(text) => Some(text.clone()),
                        Part::Path(path) => {
                            let texts = look.pieces(path, &self.nulls);
                            (!texts.is_empty()).then(|| texts.join(";"))
                        }
                    })
                    .collect();
                text.and_then(|text| self.matched(&text)).into_iter().collect()
            }
            From::Several(paths) => paths.iter().flat_map(matched).collect(),
            From::FirstOf(paths) => paths.iter().map(matched).find(|found| !found.is_empty()).unwrap_or_default(),
            From::Difference(one, other) => {
                let others = matched(other);
                matched(one).into_iter().filter(|text| !others.contains(text)).collect()
            }
            From::Common(one, other) => {
                let others = matched(other);
                matched(one).into_iter().filter(|text| others.contains(text)).collect()
            }
        }
    }

    fn pieces(&self, look: Look<'_>) -> Vec<String> {
        let mut pieces = self.raw(look);
        if let Some((clock, dates)) = &self.clock {
            for piece in &mut pieces {
                *piece = clock.tell(piece, look.habit, *dates);
            }
        }
        if let Some((path, unit)) = &self.plus {
            let plus = look.text(path).and_then(|text| text.parse::<f64>().ok()).filter(|n| n.abs() < 1e9);
            for piece in &mut pieces {
                *piece = match (plus, time::parse_instant(piece.as_bytes())) {
                    (Some(n), Some(at)) => {
                        time::format_instant(at.in_zone(chrono_tz::Tz::UTC) + (n * *unit as f64) as i64)
                    }
                    _ => String::new(),
                };
            }
        }
        if !self.values.is_empty() {
            for piece in &mut pieces {
                match (self.values.get(&spelling(piece)), &self.otherwise) {
                    (Some(meaning), _) => piece.clone_from(meaning),
                    (None, Some(otherwise)) => piece.clone_from(otherwise),
                    (None, None) => {}
                }
            }
        }
        pieces.retain(|piece| !piece.is_empty());
        let instant = |text: &String| {
            let at = time::parse_instant(text.as_bytes()).map(|at| at.in_zone(chrono_tz::Tz::UTC));
            (at, text.clone())
        };
        let chosen = match self.pick {
            None => return pieces,
            Some(Pick::First) => pieces.into_iter().next(),
            Some(Pick::Last) => pieces.into_iter().next_back(),
            Some(Pick::Earliest) => pieces.into_iter().min_by_key(instant),
            Some(Pick::Latest) => pieces.into_iter().max_by_key(instant),
        };
        chosen.into_iter().collect()
    }
}

fn cut(text: String, at: &[String]) -> Vec<String> {
    let mut pieces = vec![text];
    for separator in at {
        pieces = pieces.iter().flat_map(|piece| piece.split(separator.as_str())).map(str::to_owned).collect();
    }
    pieces.iter().map(|piece| piece.trim().to_owned()).filter(|piece| !piece.is_empty()).collect()
}

/// `%7C` is `|`; what is no such sign stays.
fn percent(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = |byte: Option<&u8>| byte.and_then(|b| char::from(*b).to_digit(16)).map(|d| d as u8);
        match (bytes[at], hex(bytes.get(at + 1)), hex(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push(high * 16 + low);
                at += 3;
            }
            (byte, _, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

/// Something that must hold.
#[derive(Debug)]
pub(super) enum Condition {
    Test(Source, Test),
    Any(Vec<Condition>),
}

#[derive(Debug)]
pub(super) enum Test {
    Present(Presence),
    Is(Vec<String>),
    IsNot(Vec<String>),
    Matches(Pattern),
    MatchesNot(Pattern),
    Same(Path),
    Differs(Path),
    /// All of these bits are set; for those that are not, [`Test::BitsNot`].
    Bits(i64),
    BitsNot(i64),
    Above(f64),
    Below(f64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    There,
    Missing,
}

pub(super) fn hold(conditions: &[Condition], look: Look<'_>) -> bool {
    conditions.iter().all(|condition| condition.holds(look))
}

impl Condition {
    fn holds(&self, look: Look<'_>) -> bool {
        let (source, test) = match self {
            Condition::Any(conditions) => return conditions.iter().any(|condition| condition.holds(look)),
            Condition::Test(source, test) => (source, test),
        };
        let text = source.read(look);
        // Of several values one that fits is enough.
        let among = |list: &[String]| {
            text.as_ref().is_some_and(|text| {
                list.contains(&spelling(text))
                    || text.contains(';') && text.split(';').any(|t| list.contains(&spelling(t)))
            })
        };
        match test {
            Test::Present(presence) => {
                // An object is there though it has no text.
                let there =
                    text.is_some() || source.items(look).iter().any(|value| value.is_object() || value.is_array());
                there == presence.is_there()
            }
            Test::Is(list) => among(list),
            Test::IsNot(list) => !among(list),
            // Two that are both missing are not known to be the same.
            Test::Same(other) => match (&text, look.text(other)) {
                (Some(one), Some(other)) => same_text(one, &other),
                _ => false,
            },
            Test::Differs(other) => match (&text, look.text(other)) {
                (Some(one), Some(other)) => !same_text(one, &other),
                _ => false,
            },
            test => test.of_text(text.as_deref()),
        }
    }

    fn paths<'a>(&'a self, out: &mut Vec<&'a Path>) {
        match self {
            Condition::Any(conditions) => conditions.iter().for_each(|condition| condition.paths(out)),
            Condition::Test(source, test) => {
                source.paths(out);
                if let Test::Same(path) | Test::Differs(path) = test {
                    out.push(path);
                }
            }
        }
    }

    /// Every path of some conditions.
    pub(super) fn all_paths<'a>(conditions: &'a [Condition], out: &mut Vec<&'a Path>) {
        conditions.iter().for_each(|condition| condition.paths(out));
    }
}

impl Presence {
    pub(super) fn is_there(self) -> bool {
        self == Presence::There
    }
}

impl Test {
    /// A test that looks at nothing but the text.
    pub(super) fn of_text(&self, text: Option<&str>) -> bool {
        let number = || text.and_then(|text| text.parse::<f64>().ok());
        match self {
            Test::Matches(pattern) => text.is_some_and(|text| pattern.is_match(text)),
            Test::MatchesNot(pattern) => !text.is_some_and(|text| pattern.is_match(text)),
            Test::Bits(bits) => text.and_then(integer).is_some_and(|n| n & bits == *bits),
            Test::BitsNot(bits) => text.and_then(integer).is_some_and(|n| n & bits == 0),
            Test::Above(least) => number().is_some_and(|n| n > *least),
            Test::Below(most) => number().is_some_and(|n| n < *most),
            Test::Present(_) | Test::Is(_) | Test::IsNot(_) | Test::Same(_) | Test::Differs(_) => {
                unreachable!("these look at more than the text")
            }
        }
    }
}

/// The same but for case.
pub(super) fn same_text(one: &str, other: &str) -> bool {
    match one.is_ascii() && other.is_ascii() {
        true => one.eq_ignore_ascii_case(other),
        false => one.to_lowercase() == other.to_lowercase(),
    }
}

fn integer(text: &str) -> Option<i64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok().map(|n| n as i64),
        None => text.parse().ok(),
    }
}
