//! How the page says numbers, instants, durations, verdicts and names.
//!
//! Everything that comes from data passes [`visible`] here; escaping for HTML is left to the templates.

use std::borrow::Cow;
use std::fmt::Write as _;

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};
use chrono_tz::Tz;
use serde::Serialize;
use serde_json::Value;

use crate::check::Severity;
use crate::render::scan;
use crate::report::evidence::Told;
use crate::report::model::Standing;

/// Narrow no-break space: thousands stay on one line.
const THIN: char = '\u{202f}';

/// Longest text from data that the page prints, in characters.
pub const LONGEST: usize = 400;

/// Longest text that the page prints where an instant should be, in characters.
pub const LONGEST_INSTANT: usize = 60;

/// Text from data with everything that hides or reorders made visible, cut at [`LONGEST`] characters.
///
/// Control characters become their pictures, bidirectional and zero-width characters their code in brackets.
pub fn visible(text: &str) -> String {
    visible_cut(text, LONGEST)
}

/// As [`visible_cut`]; text that needs no change, as nearly all, is not copied.
pub fn shown(text: &str, longest: usize) -> Cow<'_, str> {
    let asks = |eight| scan::below(eight, 0x20) | scan::is(eight, 0x7f) | scan::foreign(eight);
    if text.len() <= longest && !scan::any(text, asks) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(visible_cut(text, longest))
    }
}

/// As [`visible`], cut at `longest` characters, with `…` for what is gone.
pub fn visible_cut(text: &str, longest: usize) -> String {
    let mut out = String::with_capacity(text.len().min(longest * 4));
    for (seen, c) in text.chars().enumerate() {
        if seen == longest {
            out.push('…');
            break;
        }
        match c {
            '\t' | '\n' | '\r' => out.push(' '),
            '\u{0}'..='\u{1f}' => out.push(char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}')),
            '\u{7f}' => out.push('␡'),
            _ if hides(c) => {
                // Writing to a String cannot fail.
                let _ = write!(out, "[U+{:04X}]", c as u32);
            }
            _ => out.push(c),
        }
    }
    out
}

/// Is it invisible, or does it reorder what stands around it?
fn hides(c: char) -> bool {
    matches!(c,
        '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// What may stand in an `id` attribute or behind `#`: other characters become `-`.
pub fn anchor(text: &str) -> String {
    text.chars()
        .take(80)
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' })
        .collect()
}

/// A filter of the findings as it stands in an address: `key=value`, all but unreserved characters as per cent codes.
pub fn filter(key: &str, value: &str) -> String {
    let mut out = format!("{key}=");
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// A whole number with thin spaces between thousands.
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len());
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(THIN);
        }
        out.push(c);
    }
    out
}

/// "1 reset", "3 018 resets".
pub fn count(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(n), if n == 1 { one } else { many })
}

/// A share in per cent with one decimal; a share that is neither nothing nor all never rounds to 0 or 100.
pub fn percent(share: f64) -> String {
    let p = share * 100.0;
    if p > 0.0 && p < 0.1 {
        "under 0.1 %".to_owned()
    } else if p > 99.9 && p < 100.0 {
        "over 99.9 %".to_owned()
    } else if p == 0.0 || p == 100.0 {
        format!("{p:.0} %")
    } else {
        format!("{p:.1} %")
    }
}

/// Size on disk in the unit that reads best.
pub fn bytes(n: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.iter().find(|(size, _)| n >= *size) {
        Some((size, unit)) => format!("{:.1} {unit}", n as f64 / *size as f64),
        None => count(n, "byte", "bytes"),
    }
}

/// An instant for people and for machines.
#[derive(Clone, Debug, Default, Serialize)]
pub struct When {
    /// "12 Aug 2026 14:05 BST".
    pub text: String,
    /// As in the model; made visible when it is no instant.
    pub exact: String,
}

/// Instants in the organisation's zone.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    zone: Tz,
}

impl Clock {
    /// The zone by its IANA name; UTC when there is none or it is not known.
    pub fn new(name: Option<&str>) -> Self {
        Self { zone: name.and_then(|n| n.parse().ok()).unwrap_or(Tz::UTC) }
    }

    fn parse(text: &str) -> Option<DateTime<Utc>> {
        DateTime::parse_from_rfc3339(text).ok().map(|t| t.to_utc())
    }

    /// "12 Aug 2026 14:05 BST"; text that is no instant stays as it is.
    pub fn when(self, text: &str) -> When {
        When { text: self.said(text), exact: visible_cut(text, LONGEST_INSTANT) }
    }

    /// The first half of [`Clock::when`].
    pub fn said(self, text: &str) -> String {
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        // As the model writes them; a general parser and a general formatter take ten times as long.
        if let Some(t) = whole_second(text) {
            let local = t.with_timezone(&self.zone);
            let month = MONTHS[local.month0() as usize];
            let (day, year, hour, minute) = (local.day(), local.year(), local.hour(), local.minute());
            return format!("{day} {month} {year:04} {hour:02}:{minute:02} {}", local.offset());
        }
        match Self::parse(text) {
            Some(t) => t.with_timezone(&self.zone).format("%-d %b %Y %H:%M %Z").to_string(),
            None => visible_cut(text, LONGEST_INSTANT),
        }
    }

    /// The date alone, "12 Aug 2026".
    pub fn day(self, text: &str) -> String {
        match Self::parse(text) {
            Some(t) => t.with_timezone(&self.zone).format("%-d %b %Y").to_string(),
            None => date(text),
        }
    }

    /// The last day before an exclusive end, "30 September 2026".
    fn last_day(self, text: &str) -> Option<(NaiveDate, bool)> {
        let local = Self::parse(text)?.with_timezone(&self.zone).naive_local();
        let midnight = local.time() == chrono::NaiveTime::MIN;
        Some((if midnight { local.date().pred_opt()? } else { local.date() }, midnight))
    }

    /// "between 1 July 2026 and 30 September 2026", "since …", "until …"; empty when unbounded.
    pub fn period(self, since: Option<&str>, until: Option<&str>) -> String {
        let first = since.and_then(Self::parse).map(|t| t.with_timezone(&self.zone).date_naive());
        let last = until.and_then(|u| self.last_day(u)).map(|(d, _)| d);
        match (first, last) {
            (Some(a), Some(b)) if a == b => format!("on {}", long(a)),
            (Some(a), Some(b)) => format!("between {} and {}", long(a), long(b)),
            (Some(a), None) => format!("since {}", long(a)),
            (None, Some(b)) => format!("up to {}", long(b)),
            (None, None) => String::new(),
        }
    }

    /// "1 Jul – 30 Sep 2026" for the header line.
    pub fn span(self, since: Option<&str>, until: Option<&str>) -> String {
        let first = since.map(|t| self.day(t));
        let last = until.map(|u| match self.last_day(u) {
            Some((d, _)) => d.format("%-d %b %Y").to_string(),
            None => visible_cut(u, 60),
        });
        match (first, last) {
            (Some(a), Some(b)) => format!("{a} – {b}"),
            (Some(a), None) => format!("from {a}"),
            (None, Some(b)) => format!("to {b}"),
            (None, None) => "all of the data".to_owned(),
        }
    }

    /// From the first to the last instant of something: the second one only as far as it differs.
    pub fn stretch(self, first: &str, last: Option<&str>) -> (When, Option<When>) {
        let start = self.when(first);
        let Some(end) = last.filter(|last| *last != first).map(|last| self.when(last)) else { return (start, None) };
        let (Some(a), Some(b)) = (Self::parse(first), last.and_then(Self::parse)) else { return (start, Some(end)) };
        let (a, b) = (a.with_timezone(&self.zone), b.with_timezone(&self.zone));
        if a.date_naive() == b.date_naive() && a.format("%Z").to_string() == b.format("%Z").to_string() {
            let start = When { text: a.format("%-d %b %Y %H:%M").to_string(), ..start };
            return (start, Some(When { text: b.format("%H:%M %Z").to_string(), ..end }));
        }
        (start, Some(end))
    }

    /// Seconds since 1970; null when it is no instant.
    pub fn seconds(text: &str) -> Option<i64> {
        Self::parse(text).map(|t| t.timestamp())
    }
}

/// The instant that a text of the form `2026-08-12T13:05:00Z` names, in the years 1000 to 9000; null for any other text.
fn whole_second(text: &str) -> Option<DateTime<Utc>> {
    let text: &[u8; 20] = text.as_bytes().try_into().ok()?;
    let number = |places: &[usize]| -> Option<u32> {
        places.iter().try_fold(0, |n, at| text[*at].is_ascii_digit().then(|| n * 10 + u32::from(text[*at] - b'0')))
    };
    let separated = [text[4], text[7], text[10], text[13], text[16], text[19]] == *b"--T::Z";
    let year = number(&[0, 1, 2, 3])?;
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, number(&[5, 6])?, number(&[8, 9])?)?;
    let time = date.and_hms_opt(number(&[11, 12])?, number(&[14, 15])?, number(&[17, 18])?)?;
    (separated && (1000..9000).contains(&year)).then(|| time.and_utc())
}

fn long(d: NaiveDate) -> String {
    d.format("%-d %B %Y").to_string()
}

/// A date of the model, "12 Aug 2026".
pub fn date(text: &str) -> String {
    match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        Ok(d) => d.format("%-d %b %Y").to_string(),
        Err(_) => visible_cut(text, 60),
    }
}

/// "3 d 4 h", "12 min", "40 s"; two units at most.
pub fn duration(seconds: f64) -> String {
    let sign = if seconds < 0.0 { "−" } else { "" };
    let s = seconds.abs();
    // Beyond what an i64 of seconds can hold nothing is a duration.
    if !s.is_finite() || s > 1e15 {
        return "a very long time".to_owned();
    }
    let total = s.round() as u64;
    let (d, h, m, s) = (total / 86_400, total / 3_600 % 24, total / 60 % 60, total % 60);
    let text = match (d, h, m, s) {
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, m, 0) => format!("{m} min"),
        (0, 0, m, s) if m < 10 => format!("{m} min {s} s"),
        (0, 0, m, _) => format!("{m} min"),
        (0, h, 0, _) => format!("{h} h"),
        (0, h, m, _) => format!("{h} h {m} min"),
        (d, 0, _, _) => format!("{} d", number(d)),
        (d, h, _, _) if d < 30 => format!("{d} d {h} h"),
        (d, _, _, _) => format!("{} d", number(d)),
    };
    format!("{sign}{text}")
}

/// The value of a fact or policy key in the unit that its name ends in; null is "not reported".
pub fn value<'a>(name: &str, v: &'a Value) -> Cow<'a, str> {
    Cow::Owned(match v {
        Value::Null => return Cow::Borrowed("not reported"),
        Value::Bool(true) => return Cow::Borrowed("yes"),
        Value::Bool(false) => return Cow::Borrowed("no"),
        Value::Number(n) => quantity(name, n.as_str()),
        Value::String(s) => return word(s),
        Value::Array(items) if items.is_empty() => return Cow::Borrowed("none"),
        Value::Array(items) => visible(&items.iter().map(|i| value("", i)).collect::<Vec<_>>().join(", ")),
        Value::Object(_) => visible(&v.to_string()),
    })
}

/// The same of a value as a finding tells it.
pub fn told<'a>(name: &str, told: &'a Told) -> Cow<'a, str> {
    match told {
        Told::Null => Cow::Borrowed("not reported"),
        Told::Bool(true) => Cow::Borrowed("yes"),
        Told::Bool(false) => Cow::Borrowed("no"),
        Told::Number(spelt) => Cow::Owned(quantity(name, spelt)),
        Told::Text(text) => word(text),
        Told::Other(other) => value(name, other),
    }
}

fn word(text: &str) -> Cow<'_, str> {
    if text.is_empty() { Cow::Borrowed("empty") } else { shown(text, LONGEST) }
}

/// A number, as it is spelt, in the unit that its name ends in.
fn quantity(name: &str, spelt: &str) -> String {
    let Some(x) = spelt.parse::<f64>().ok().filter(|x| x.is_finite()) else { return visible_cut(spelt, 60) };
    let unit = if name.ends_with("_minutes") || name == "minutes_to_revoke" || name.starts_with("minutes_") {
        Some(60.0)
    } else if name.ends_with("_hours") || name.starts_with("hours_") {
        Some(3_600.0)
    } else if name.ends_with("_days") || name.starts_with("days_") {
        Some(86_400.0)
    } else {
        None
    };
    match (unit, spelt.parse::<u64>()) {
        (Some(unit), _) => duration(x * unit),
        (None, Ok(whole)) => number(whole),
        (None, Err(_)) => visible_cut(spelt, 40),
    }
}

/// `minutes_to_revoke` → "time to revoke", `token_ttl_minutes` → "token ttl": the unit goes, for [`value`] prints it.
pub fn fact_name(name: &str) -> String {
    let spaced = |text: &str| visible_cut(&text.replace('_', " "), 80);
    if let Some(rest) = ["minutes_", "hours_", "days_"].iter().find_map(|unit| name.strip_prefix(unit)) {
        // What is left would be a clause or a claim: "since contact change", "unused".
        return format!("time {}", spaced(rest));
    }
    spaced(["_minutes", "_hours", "_days"].iter().find_map(|unit| name.strip_suffix(unit)).unwrap_or(name))
}

/// As [`sentence`] where it begins with a word of ours; a name stays as it is.
pub fn sentence_from_data(text: &str) -> String {
    // The first words of the shipped checks' sentences. The page's script has the same list.
    let ours = ["a", "an", "credentials", "no", "the", "this", "ticket"];
    let first = text.split(' ').next().unwrap_or_default();
    if ours.contains(&first) { sentence(text) } else { text.to_owned() }
}

/// First letter in upper case.
pub fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// The one encoding of a verdict: word, sign and class.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Verdict {
    /// "fails".
    pub word: &'static str,
    /// "✕".
    pub sign: &'static str,
    /// Class in the style sheet.
    pub class: &'static str,
}

/// How a standing is said.
pub fn verdict(s: Standing) -> Verdict {
    match s {
        Standing::Fail => Verdict { word: "fails", sign: "✕", class: "fail" },
        Standing::CannotConclude => Verdict { word: "cannot conclude", sign: "?", class: "open" },
        Standing::Pass => Verdict { word: "holds", sign: "✓", class: "pass" },
        Standing::NotApplicable => Verdict { word: "does not apply", sign: "–", class: "none" },
    }
}

/// How a standing of a technique is said: a failure is a sighting.
pub fn sighting(s: Standing) -> Verdict {
    match s {
        Standing::Fail => Verdict { word: "seen", ..verdict(s) },
        Standing::Pass => Verdict { word: "not seen", ..verdict(s) },
        _ => verdict(s),
    }
}

/// "critical".
pub fn severity(s: Severity) -> &'static str {
    match s {
        Severity::Critical => "critical",
        Severity::High => "high",
        Severity::Medium => "medium",
        Severity::Low => "low",
        Severity::Info => "info",
    }
}

/// All five, most severe first.
pub const SEVERITIES: [Severity; 5] =
    [Severity::Critical, Severity::High, Severity::Medium, Severity::Low, Severity::Info];

/// Joins words as a sentence does: "a, b and c".
pub fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
