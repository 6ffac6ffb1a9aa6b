//! The text of a config with its places: every error names line and column, and what was meant.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::*;

/// The text being read, for places.
pub(super) struct Document<'a> {
    pub(super) text: &'a str,
    pub(super) path: &'a Path,
}

impl Document<'_> {
    /// 1-based line and column, in characters.
    pub(super) fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
        (line, column)
    }

    pub(super) fn error(&self, span: Range<usize>, message: String, help: impl Into<String>) -> ConfigError {
        let (line, column) = self.position(span.start);
        ConfigError { path: self.path.to_owned(), line, column, message, help: help.into() }
    }
}

/// One table, with the name it has in messages.
pub(super) struct Section<'a> {
    pub(super) document: &'a Document<'a>,
    pub(super) name: String,
    pub(super) span: Range<usize>,
    pub(super) entries: &'a DeTable<'a>,
}

/// One value, with the name it has in messages.
pub(super) struct Item<'a> {
    pub(super) document: &'a Document<'a>,
    pub(super) name: String,
    pub(super) value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Section<'a> {
    pub(super) fn get(&self, key: &str) -> Option<Item<'a>> {
        self.items().find(|(name, _)| *name == key).map(|(_, item)| item)
    }

    pub(super) fn need(&self, key: &str) -> Result<Item<'a>, ConfigError> {
        self.get(key).ok_or_else(|| {
            let message = format!("{} has no `{key}`", self.name);
            self.document.error(self.span.clone(), message, format!("add `{key} = …`; {}", keys_of(&self.name)))
        })
    }

    pub(super) fn items(&self) -> impl Iterator<Item = (&'a str, Item<'a>)> + use<'a, '_> {
        self.entries.iter().map(|(key, value)| {
            let key = key.get_ref().as_ref();
            (key, Item { document: self.document, name: key.to_owned(), value })
        })
    }

    pub(super) fn only(&self, known: &[&str]) -> Result<(), ConfigError> {
        let Some(key) = self.entries.keys().find(|key| !known.contains(&key.get_ref().as_ref())) else { return Ok(()) };
        let name = key.get_ref().as_ref();
        let help = match (home_of(name), nearest(name, known)) {
            (_, Some(near)) => format!("did you mean `{near}`?"),
            (Some(home), None) if home != self.name => format!("`{name}` belongs {home}"),
            _ => format!("the keys here are {}", listed(known, "and")),
        };
        Err(self.document.error(key.span(), format!("unknown key {} in {}", quoted(name), self.name), help))
    }

    /// A table inside this one; `None`: not given.
    pub(super) fn table(&self, key: &str, name: &str) -> Result<Option<Section<'a>>, ConfigError> {
        self.get(key).map(|item| item.section(name)).transpose()
    }
}

/// Where a key lives that was found elsewhere: after `[[input]]` every key belongs to it, which is easily forgotten.
pub(super) fn home_of(key: &str) -> Option<&'static str> {
    if TOP.contains(&key) {
        Some("at the top, before the first table")
    } else if POLICY_OTHERS.contains(&key) || SCALARS.iter().any(|scalar| scalar.name == key) {
        Some("under [policy]")
    } else if ["levels", "required"].contains(&key) {
        Some("under [policy.verification]")
    } else if ["channel_minutes", "tier_minutes"].contains(&key) {
        Some("under [policy.token]")
    } else if INPUT.contains(&key) {
        Some("under [[input]]")
    } else if WAIVER.contains(&key) {
        Some("under [[waiver]]")
    } else {
        None
    }
}

pub(super) fn keys_of(section: &str) -> String {
    match section {
        "[[waiver]]" => format!("a waiver needs {}", listed(&WAIVER, "and")),
        "[[coverage]]" => "a coverage names its system as the log does".to_owned(),
        _ => "an input is named by a glob, relative to the config".to_owned(),
    }
}

impl<'a> Item<'a> {
    pub(super) fn error(&self, message: String, help: impl Into<String>) -> ConfigError {
        self.document.error(self.value.span(), message, help)
    }

    /// The value as a message quotes it.
    pub(super) fn found(&self) -> String {
        match self.value.get_ref() {
            DeValue::String(text) => quoted(text),
            DeValue::Integer(integer) => integer.to_string(),
            DeValue::Float(float) => float.to_string(),
            DeValue::Boolean(flag) => flag.to_string(),
            DeValue::Datetime(at) => at.to_string(),
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        }
    }

    pub(super) fn wrong(&self, expected: &str, help: impl Into<String>) -> ConfigError {
        self.error(format!("`{}` is {}, expected {expected}", self.name, self.found()), help)
    }

    pub(super) fn section(&self, name: &str) -> Result<Section<'a>, ConfigError> {
        let DeValue::Table(entries) = self.value.get_ref() else {
            return Err(self.wrong("a table", format!("write {name} on a line of its own")));
        };
        Ok(Section { document: self.document, name: name.to_owned(), span: self.value.span(), entries })
    }

    pub(super) fn sections(&self, name: &str) -> Result<Vec<Section<'a>>, ConfigError> {
        let DeValue::Array(items) = self.value.get_ref() else {
            return Err(self.wrong("a list of tables", format!("write {name} with two brackets on each side")));
        };
        items
            .iter()
            .map(|value| Item { document: self.document, name: self.name.clone(), value }.section(name))
            .collect()
    }

    pub(super) fn list(&self) -> Result<Vec<Item<'a>>, ConfigError> {
        let DeValue::Array(items) = self.value.get_ref() else {
            return Err(self.wrong("a list", format!("write `{} = [{}]`", self.name, self.found())));
        };
        Ok(items.iter().map(|value| Item { document: self.document, name: self.name.clone(), value }).collect())
    }

    /// Text with something in it, trimmed.
    pub(super) fn text(&self) -> Result<&'a str, ConfigError> {
        match self.value.get_ref() {
            DeValue::String(text) if !text.trim().is_empty() => Ok(text.trim()),
            DeValue::String(_) => {
                Err(self.wrong("some text", format!("say what `{}` is, or leave the key out", self.name)))
            }
            _ => Err(self.wrong("text", format!("write `{} = \"…\"`", self.name))),
        }
    }

    /// A folder below another, perhaps that folder itself (the empty text).
    pub(super) fn folder(&self) -> Result<String, ConfigError> {
        match self.value.get_ref() {
            DeValue::String(text) => Ok(text.trim().to_owned()),
            _ => Err(self.wrong("text", format!("write `{} = \"…\"`", self.name))),
        }
    }

    pub(super) fn owned(&self) -> Result<String, ConfigError> {
        self.text().map(str::to_owned)
    }

    pub(super) fn flag(&self) -> Result<bool, ConfigError> {
        match self.value.get_ref() {
            DeValue::Boolean(flag) => Ok(*flag),
            _ => Err(self.wrong("true or false", "write it without quotes")),
        }
    }

    pub(super) fn number(&self, unit: Unit) -> Result<f64, ConfigError> {
        let value = match self.value.get_ref() {
            DeValue::Integer(integer) => {
                i64::from_str_radix(integer.as_str(), integer.radix()).ok().map(|value| value as f64)
            }
            DeValue::Float(float) => float.as_str().parse().ok(),
            _ => return Err(self.wrong("a number", format!("write `{} = 60`, without quotes", self.name))),
        };
        let most = unit.most();
        // Written so that NaN, too, is out of bounds. `+ 0.0` makes of -0.0 the zero that it is.
        value.filter(|value| (0.0..=most).contains(value)).map(|value| value + 0.0).ok_or_else(|| {
            let what = match unit {
                Unit::Minutes => "minutes, at most a hundred years of them",
                Unit::Hours => "hours, at most a hundred years of them",
                Unit::Days => "days, at most a hundred years of them",
                Unit::Count => "a count",
            };
            self.wrong(&format!("a number from 0 to {most}"), format!("`{}` is {what}", self.name))
        })
    }

    pub(super) fn count(&self) -> Result<u64, ConfigError> {
        let value = match self.value.get_ref() {
            DeValue::Integer(integer) => u64::from_str_radix(integer.as_str(), integer.radix()).ok(),
            _ => None,
        };
        // TOML written back knows 64-bit integers with a sign.
        value.filter(|value| i64::try_from(*value).is_ok()).ok_or_else(|| {
            self.wrong("a whole number, 0 or more", format!("write `{} = 1204`, without quotes", self.name))
        })
    }

    /// What a date or an instant is written as: TOML's own form and the same in quotes are read alike.
    pub(super) fn time_text(&self) -> Option<String> {
        match self.value.get_ref() {
            DeValue::Datetime(at) => Some(at.to_string()),
            DeValue::String(text) => Some(text.trim().to_owned()),
            _ => None,
        }
    }

    pub(super) fn date(&self) -> Result<NaiveDate, ConfigError> {
        self.time_text()
            .and_then(|text| time::parse_date(text.as_bytes()))
            .ok_or_else(|| self.wrong("a date", format!("write `{} = 2026-08-31`", self.name)))
    }

    pub(super) fn instant(&self, zone: Tz) -> Result<i64, ConfigError> {
        let read = |text: String| match time::parse_date(text.as_bytes()) {
            Some(date) => Some(time::midnight(date, zone)),
            None => time::parse_instant(text.as_bytes()).map(|at| at.in_zone(zone)),
        };
        self.time_text().and_then(read).ok_or_else(|| {
            let help =
                format!("write `{} = 2026-10-05T00:00:00Z`, or `2026-10-05` for its midnight in `timezone`", self.name);
            self.wrong("an instant or a date", help)
        })
    }

    pub(super) fn zone(&self) -> Result<Tz, ConfigError> {
        let name = self.text()?;
        name.parse().map_err(|_| {
            let known: Vec<&str> = TZ_VARIANTS.iter().map(|zone| zone.name()).collect();
            let help = match nearest(name, &known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "name a place, as `Europe/London`, or `UTC`; abbreviations and offsets know no summer time"
                    .to_owned(),
            };
            self.wrong("a zone of the IANA database", help)
        })
    }

    /// One of the named values, compared folded.
    pub(super) fn one_of<T: Copy>(&self, known: &[(&str, T)]) -> Result<T, ConfigError> {
        let text = fold(self.text()?);
        known.iter().find(|(name, _)| *name == text).map(|(_, value)| *value).ok_or_else(|| {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            let help = nearest(&text, &names)
                .map_or_else(|| "choose one of these".to_owned(), |near| format!("did you mean `{near}`?"));
            self.wrong(&listed(&names, "or"), help)
        })
    }
}

/// Text as a message shows it: quoted, control characters escaped, cut at 60 characters.
pub(super) fn quoted(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    format!("{short:?}{more}")
}

pub(super) fn listed(names: &[&str], conjunction: &str) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} {conjunction} {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

/// The known name that a slip of the finger away was meant; `None`: nothing is near.
pub(super) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let name: Vec<char> = fold(name).chars().take(80).collect();
    let most = (name.len() / 3).clamp(1, 3);
    known.iter().map(|each| (edits(&name, each), *each)).filter(|(edits, _)| *edits <= most).min().map(|(_, each)| each)
}

/// Levenshtein's distance, case ignored.
pub(super) fn edits(from: &[char], to: &str) -> usize {
    let to: Vec<char> = to.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let cost = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}
