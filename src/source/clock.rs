//! How vendors write time: epochs, FILETIME, LDAP's generalized time, .NET, month names, numeric dates of either order.
//!
//! [`crate::time`] reads RFC 3339 and nothing else; this module brings every other spelling to it. A date whose day and
//! month could be swapped is read only when its order is known: by the format, by the config, or from the whole file.

use std::sync::LazyLock;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime};
use chrono_tz::Tz;
use regex::{Captures, Regex};

use crate::config::DateOrder;
use crate::time::{self, DAY, HOUR, MINUTE, ParsedInstant, SECOND};

/// 1601-01-01 in microseconds of 1970: where FILETIME begins, and what exports show for "never".
const FILETIME_EPOCH: i64 = -11_644_473_600 * SECOND;
/// FILETIME 0 read as unsigned nanoseconds of 1970 is a day of 2185; Elastic's collector writes it for "never".
const WRAPPED_NEVER: &str = "2185-07-21";

/// What a cell says about time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// An instant, microseconds UTC.
    Instant(i64),
    /// A wall clock without a zone, in microseconds as if it were UTC.
    Wall(i64),
    /// A day without a time.
    Day(NaiveDate),
    /// A spelling of "never": FILETIME 0, 1601-01-01, year 9999, `0000-00-00`.
    Never,
}

/// A way to write time, as mappings and the config name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// `plain`: RFC 3339 and every other spelling that can be read in one way only.
    Plain,
    /// `epoch`, `epoch-s`, `epoch-ms`, `epoch-us`: seconds, milliseconds or microseconds of 1970; `epoch` tells by size.
    Epoch(Option<i64>),
    /// `filetime`: 100 ns since 1601.
    Filetime,
    /// `numeric`, `dmy`, `mdy`: day, month and year as numbers; `numeric` takes the order of the file.
    Numeric(Option<DateOrder>),
    /// strftime, where it has a `%`.
    Strftime(String),
}

impl Format {
    /// The format of that name; null when there is none.
    pub fn named(name: &str) -> Option<Format> {
        Some(match name {
            "plain" => Format::Plain,
            "epoch" => Format::Epoch(None),
            "epoch-s" => Format::Epoch(Some(SECOND)),
            "epoch-ms" => Format::Epoch(Some(1_000)),
            "epoch-us" => Format::Epoch(Some(1)),
            "filetime" => Format::Filetime,
            "numeric" => Format::Numeric(None),
            "dmy" => Format::Numeric(Some(DateOrder::Dmy)),
            "mdy" => Format::Numeric(Some(DateOrder::Mdy)),
            pattern if pattern.contains('%') => {
                let wrong = |part| part == chrono::format::Item::Error;
                if chrono::format::StrftimeItems::new(pattern).any(wrong) {
                    return None;
                }
                Format::Strftime(pattern.to_owned())
            }
            _ => return None,
        })
    }

    /// What [`Format::named`] takes, for hints.
    pub const NAMES: &str =
        "plain, epoch, epoch-s, epoch-ms, epoch-us, filetime, numeric, dmy, mdy, or strftime with % signs";

    /// Reads a cell; null when it is not written so. `order` is that of the file, for [`Format::Numeric`].
    pub fn read(&self, text: &str, order: Option<DateOrder>) -> Option<Moment> {
        let text = text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{200e}' | '\u{200f}'));
        let moment = match self {
            Format::Plain => plain(text),
            Format::Epoch(unit) => epoch(text, *unit),
            Format::Filetime => filetime(text),
            Format::Numeric(own) => numeric(text, own.or(order)).or_else(|| plain(text)),
            Format::Strftime(pattern) => strftime(text, pattern),
        }?;
        let day = match moment {
            Moment::Instant(us) | Moment::Wall(us) => time::local_parts(us, Tz::UTC).date,
            Moment::Day(day) => day,
            Moment::Never => return Some(Moment::Never),
        };
        // Outside of these years stand only sentinels, and instants that RFC 3339 cannot write.
        let never = day.year() <= 1601 || day.year() >= 9999 || day.to_string() == WRAPPED_NEVER;
        Some(if never { Moment::Never } else { moment })
    }
}

/// Which orders of day and month a numeric date allows; null when it is no numeric date, or begins with the year.
pub fn orders(text: &str) -> Option<(bool, bool)> {
    let found = NUMERIC.captures(text.trim())?;
    let (a, b) = (number(&found, 1)?, number(&found, 2)?);
    Some(((1..=31).contains(&a) && (1..=12).contains(&b), (1..=12).contains(&a) && (1..=31).contains(&b)))
}

macro_rules! clock_part {
    () => {
        r"(?:,?(?:\s+at)?[\sT]+(?P<h>\d{1,2})[:.](?P<m>\d{2})(?:[:.](?P<s>\d{2})(?:[.,](?P<f>\d+))?)?(?:\s*(?P<half>[AaPp])\.?\s?[Mm]\.?)?)?"
    };
}
macro_rules! zone_part {
    () => {
        r"\s*(?P<zone>[Zz]|UTC|GMT|[+-]\d{2}:?\d{2})?"
    };
}

/// A fixed pattern that every thread shares.
type Pattern = LazyLock<Regex>;

fn fixed(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a fixed pattern")
}

static NUMERIC: Pattern =
    LazyLock::new(|| fixed(concat!(r"^(\d{1,2})[/.\-](\d{1,2})[/.\-](\d{4}|\d{2})", clock_part!(), zone_part!(), "$")));
static YEAR_FIRST: Pattern =
    LazyLock::new(|| fixed(concat!(r"^(\d{4})[/.\-](\d{1,2})[/.\-](\d{1,2})", clock_part!(), zone_part!(), "$")));
static MONTH_DAY: Pattern = LazyLock::new(|| {
    fixed(concat!(
        r"^(?:[A-Za-z]{3,9},?\s+)?(?P<mon>[A-Za-z]{3,9})\.?\s+(?P<d>\d{1,2}),?\s+(?P<y>\d{4})",
        clock_part!(),
        zone_part!(),
        "$"
    ))
});
static DAY_MONTH: Pattern = LazyLock::new(|| {
    fixed(concat!(
        r"^(?:[A-Za-z]{3,9},?\s+)?(?P<d>\d{1,2})[\s/.\-]+(?P<mon>[A-Za-z]{3,9})\.?[\s/.\-]+(?P<y>\d{4}|\d{2})",
        clock_part!(),
        zone_part!(),
        "$"
    ))
});
static YEAR_LAST: Pattern = LazyLock::new(|| {
    fixed(concat!(
        r"^[A-Za-z]{3},?\s+(?P<mon>[A-Za-z]{3})\s+(?P<d>\d{1,2})",
        clock_part!(),
        zone_part!(),
        r"\s+(?P<y>\d{4})$"
    ))
});
static GENERALIZED: Pattern = LazyLock::new(|| {
    fixed(r"^(\d{4})(\d{2})(\d{2})(?P<h>\d{2})(?P<m>\d{2})(?P<s>\d{2})?(?:[.,](?P<f>\d+))?(?P<zone>Z|[+-]\d{4})$")
});
static DOTNET: Pattern = LazyLock::new(|| fixed(r"^\\?/Date\((-?\d{1,18})(?:[+-]\d{4})?\)\\?/$"));

fn number(found: &Captures<'_>, group: usize) -> Option<u32> {
    found.get(group)?.as_str().parse().ok()
}

/// A year of two digits as POSIX reads it: 69 is 1969, 68 is 2068.
fn year(text: &str) -> Option<i32> {
    let year: i32 = text.parse().ok()?;
    Some(match text.len() {
        2 if year >= 69 => 1900 + year,
        2 => 2000 + year,
        _ => year,
    })
}

fn month(name: &str) -> Option<u32> {
    const NAMES: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let name = name.to_ascii_lowercase();
    let name = if name == "sept" { "sep" } else { &name };
    NAMES.iter().position(|month| name.len() >= 3 && month.starts_with(name)).map(|at| at as u32 + 1)
}

/// Day, clock and zone put together.
fn moment(day: NaiveDate, found: &Captures<'_>) -> Option<Moment> {
    let part = |name: &str| found.name(name).map(|text| text.as_str());
    let Some(hour) = part("h") else { return Some(Moment::Day(day)) };
    let mut hour: i64 = hour.parse().ok()?;
    if let Some(half) = part("half") {
        if !(1..=12).contains(&hour) {
            return None;
        }
        hour = hour % 12 + if half.eq_ignore_ascii_case("p") { 12 } else { 0 };
    }
    let minute: i64 = part("m")?.parse().ok()?;
    let second: i64 = part("s").unwrap_or("0").parse().ok()?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut fraction = 0;
    let mut unit = SECOND / 10;
    for digit in part("f").unwrap_or_default().bytes().take(6) {
        fraction += i64::from(digit - b'0') * unit;
        unit /= 10;
    }
    let wall = time::midnight(day, Tz::UTC) + hour * HOUR + minute * MINUTE + second * SECOND + fraction;
    Some(match part("zone") {
        None => Moment::Wall(wall),
        Some(zone) if zone.starts_with(['+', '-']) => {
            let digits: Vec<i64> = zone.bytes().filter(u8::is_ascii_digit).map(|b| i64::from(b - b'0')).collect();
            let [a, b, c, d] = digits[..] else { return None };
            let ahead = (a * 10 + b) * HOUR + (c * 10 + d) * MINUTE;
            if ahead >= DAY {
                return None;
            }
            Moment::Instant(if zone.starts_with('-') { wall + ahead } else { wall - ahead })
        }
        Some(_) => Moment::Instant(wall),
    })
}

fn plain(text: &str) -> Option<Moment> {
    if text.starts_with("0000-00-00") || text.starts_with("0000/00/00") {
        return Some(Moment::Never);
    }
    match time::parse_instant(text.as_bytes()) {
        Some(ParsedInstant::Utc(us)) => return Some(Moment::Instant(us)),
        Some(ParsedInstant::Naive(us)) => return Some(Moment::Wall(us)),
        None => {}
    }
    let first = text.bytes().next()?;
    if let Some(day) = time::parse_date(text.as_bytes()) {
        return Some(Moment::Day(day));
    }
    if matches!(first, b'/' | b'\\') {
        let found = DOTNET.captures(text)?;
        return Some(Moment::Instant(found.get(1)?.as_str().parse::<i64>().ok()?.checked_mul(1_000)?));
    }
    if let Some(found) = YEAR_FIRST.captures(text).or_else(|| GENERALIZED.captures(text)) {
        let day = NaiveDate::from_ymd_opt(year(found.get(1)?.as_str())?, number(&found, 2)?, number(&found, 3)?)?;
        return moment(day, &found);
    }
    let found = MONTH_DAY.captures(text).or_else(|| DAY_MONTH.captures(text)).or_else(|| YEAR_LAST.captures(text))?;
    let part = |name: &str| found.name(name).map(|text| text.as_str());
    let day = NaiveDate::from_ymd_opt(year(part("y")?)?, month(part("mon")?)?, part("d")?.parse().ok()?)?;
    moment(day, &found)
}

fn numeric(text: &str, order: Option<DateOrder>) -> Option<Moment> {
    let found = NUMERIC.captures(text)?;
    let (a, b) = (number(&found, 1)?, number(&found, 2)?);
    let (day, month) = match order {
        Some(DateOrder::Dmy) => (a, b),
        Some(DateOrder::Mdy) => (b, a),
        // Only one that cannot be read the other way round.
        Some(DateOrder::Ymd) | None => match orders(text)? {
            (true, false) => (a, b),
            (false, true) => (b, a),
            (true, true) if a == b => (a, b),
            _ => return None,
        },
    };
    let year = year(found.get(3)?.as_str())?;
    moment(NaiveDate::from_ymd_opt(year, month, day)?, &found)
}

fn epoch(text: &str, unit: Option<i64>) -> Option<Moment> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let negative = whole.starts_with('-');
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    if digits.is_empty() || digits.len() > 18 || !digits.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let count: i64 = digits.parse().ok()?;
    if count == 0 || negative && count == 1 {
        return Some(Moment::Never);
    }
    // The year 5138 in seconds, 1973 in milliseconds.
    let unit = unit.unwrap_or(match count {
        ..100_000_000_000 => SECOND,
        100_000_000_000..100_000_000_000_000 => 1_000,
        _ => 1,
    });
    let mut us = count.checked_mul(unit)?;
    let mut part = unit / 10;
    for digit in fraction.bytes() {
        us += i64::from(digit - b'0') * part;
        part /= 10;
    }
    Some(Moment::Instant(if negative { -us } else { us }))
}

fn filetime(text: &str) -> Option<Moment> {
    let ticks: i64 = text.parse().ok()?;
    if ticks <= 0 || ticks == i64::MAX {
        return Some(Moment::Never);
    }
    Some(Moment::Instant(ticks / 10 + FILETIME_EPOCH))
}

fn strftime(text: &str, pattern: &str) -> Option<Moment> {
    if let Ok(at) = DateTime::parse_from_str(text, pattern) {
        return Some(Moment::Instant(at.timestamp_micros()));
    }
    if let Ok(wall) = NaiveDateTime::parse_from_str(text, pattern) {
        return Some(Moment::Wall(wall.and_utc().timestamp_micros()));
    }
    NaiveDate::parse_from_str(text, pattern).ok().map(Moment::Day)
}

/// How the cells of a column are read as time.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// The first that fits; empty: [`Format::Plain`].
    pub formats: Vec<Format>,
    /// The zone of wall clocks; null: that of the input.
    pub zone: Option<Tz>,
    /// Further spellings of "never", folded.
    pub never: Vec<String>,
    /// Only the date of it, on its own wall clock.
    pub day_only: bool,
}

/// What the config and the whole file say about its times.
#[derive(Clone, Debug, Default)]
pub struct Habit {
    /// The config's `time_format`.
    pub format: Option<Format>,
    /// The config's `date_order`, else what the file's rows allow.
    pub order: Option<DateOrder>,
    /// The config's `timezone`.
    pub zone: Option<Tz>,
}

impl Clock {
    /// The cell as RFC 3339 or a date; empty when it says never; as it was when it cannot be read, so that its column
    /// refuses it.
    pub fn tell(&self, text: &str, habit: &Habit, dates: Dates) -> String {
        if self.never.iter().any(|never| *never == text.trim().to_lowercase()) {
            return String::new();
        }
        let own = || match self.formats.is_empty() {
            true => Format::Plain.read(text, habit.order),
            false => self.formats.iter().find_map(|format| format.read(text, habit.order)),
        };
        let moment = match &habit.format {
            Some(format) => format.read(text, habit.order).or_else(own),
            None => own(),
        };
        let zone = habit.zone.or(self.zone);
        let wall = |us: i64| match zone {
            Some(zone) => time::format_instant(time::resolve_naive(us, zone)),
            None => time::format_instant(us).trim_end_matches('Z').to_owned(),
        };
        match moment {
            None => text.to_owned(),
            Some(Moment::Never) => String::new(),
            Some(Moment::Day(day)) if dates == Dates::Stay || self.day_only => day.to_string(),
            Some(Moment::Day(day)) => wall(day.and_time(NaiveTime::MIN).and_utc().timestamp_micros()),
            Some(Moment::Instant(us)) if self.day_only => match offset_day(text) {
                Some(day) => day,
                None => time::local_parts(us, Tz::UTC).date.to_string(),
            },
            Some(Moment::Wall(us)) if self.day_only => time::local_parts(us, Tz::UTC).date.to_string(),
            Some(Moment::Instant(us)) => time::format_instant(us),
            Some(Moment::Wall(us)) => wall(us),
        }
    }

    /// Whether it reads every instant in the plain way and takes none of them for "never".
    pub fn is_plain(&self) -> bool {
        self.formats.is_empty() && self.never.is_empty() && !self.day_only
    }

    /// Whether a cell of it may need the order of the file's dates.
    pub fn needs_order(&self) -> bool {
        self.formats.contains(&Format::Numeric(None))
    }
}

/// The date that an instant with an offset shows on its own wall clock.
fn offset_day(text: &str) -> Option<String> {
    let day = text.trim().get(..10)?;
    time::parse_date(day.as_bytes()).map(|day| day.to_string())
}

/// What becomes of a date without a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dates {
    /// It stays a date: the column takes dates.
    Stay,
    /// The midnight that begins it: the column takes instants alone.
    Midnight,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(format: &str, text: &str) -> String {
        let clock = Clock { formats: vec![Format::named(format).expect("a format")], ..Clock::default() };
        clock.tell(text, &Habit::default(), Dates::Stay)
    }

    #[test]
    fn plain_reads_what_can_be_read_in_one_way() {
        for (text, is) in [
            ("2021-05-16T09:58:14.1234567+00:00", "2021-05-16T09:58:14.123456Z"),
            ("2018-05-11T09:46:53.000+0300", "2018-05-11T06:46:53Z"),
            ("20240122063659.0Z", "2024-01-22T06:36:59Z"),
            ("20240122063659.5+0100", "2024-01-22T05:36:59.5Z"),
            ("/Date(1614719904000)/", "2021-03-02T21:18:24Z"),
            ("/Date(1614719904000+0200)/", "2021-03-02T21:18:24Z"),
            ("Mar 2, 2021 9:18:24 PM", "2021-03-02T21:18:24"),
            ("Mar 2, 2021, 9:18:24\u{202f}PM", "2021-03-02T21:18:24"),
            ("Tue, 02 Mar 2021 21:18:24 GMT", "2021-03-02T21:18:24Z"),
            ("Tue Mar 02 21:18:24 UTC 2021", "2021-03-02T21:18:24Z"),
            ("05/Jan/24 3:04 PM", "2024-01-05T15:04:00"),
            ("05-Sept-2024", "2024-09-05"),
            ("2024/01/05", "2024-01-05"),
            ("2020-01-01-08:00", "2020-01-01"),
            ("2025-12-09 08:23:52,682", "2025-12-09T08:23:52.682"),
            ("2024-01-22 06:36:59 UTC", "2024-01-22T06:36:59Z"),
            ("0001-01-01T00:00:00Z", ""),
            ("1601-01-01", ""),
            ("0000-00-00", ""),
            ("9999-12-31T23:59:59Z", ""),
            ("2185-07-21T23:34:33.709551616Z", ""),
        ] {
            assert_eq!(told("plain", text), is, "{text}");
        }
        for text in [
            "05/06/2024",
            "1614719904",
            "soon",
            "Foo 2, 2021",
            "13 PM",
            "2024-13-01",
            "Mar 2, 2021 13:18 PM",
            "/Date(x)/",
            "名前",
        ] {
            assert_eq!(told("plain", text), text, "{text}");
        }
    }

    #[test]
    fn numbers_are_read_as_they_are_named() {
        assert_eq!(told("epoch", "1614719904"), "2021-03-02T21:18:24Z");
        assert_eq!(told("epoch", "1614719904.25"), "2021-03-02T21:18:24.25Z");
        assert_eq!(told("epoch", "1614719904123"), "2021-03-02T21:18:24.123Z");
        assert_eq!(told("epoch", "1614719904123456"), "2021-03-02T21:18:24.123456Z");
        assert_eq!(told("epoch-ms", "1614719904"), "1970-01-19T16:31:59.904Z");
        assert_eq!(told("epoch-s", "0"), "");
        assert_eq!(told("epoch-s", "-1"), "");
        assert_eq!(told("filetime", "132591935040000000"), "2021-03-02T21:18:24Z");
        assert_eq!(told("filetime", "0"), "");
        assert_eq!(told("filetime", "9223372036854775807"), "");
        assert_eq!(told("filetime", "-"), "-");
        assert_eq!(told("epoch", "99999999999999999999"), "99999999999999999999");
    }

    #[test]
    fn a_numeric_date_is_read_only_when_its_order_is_known() {
        assert_eq!(told("numeric", "03/04/2021 9:18"), "03/04/2021 9:18");
        assert_eq!(told("numeric", "13/04/2021 9:18"), "2021-04-13T09:18:00");
        assert_eq!(told("numeric", "4/13/2021 9:18:24 PM"), "2021-04-13T21:18:24");
        assert_eq!(told("numeric", "04/04/21"), "2021-04-04");
        assert_eq!(told("dmy", "03.04.2021 09:18:02"), "2021-04-03T09:18:02");
        assert_eq!(told("mdy", "03/04/2021"), "2021-03-04");
        assert_eq!(told("mdy", "13/04/2021"), "13/04/2021");
        assert_eq!(told("mdy", "07/05/71"), "1971-07-05");
        assert_eq!(told("mdy", "1/9/2007 10:41:00 AM +01:00"), "2007-01-09T09:41:00Z");
        assert_eq!(told("%d.%m.%Y %H:%M", "03.04.2021 09:18"), "2021-04-03T09:18:00");
        assert_eq!(told("%Y%m%d", "20210403"), "2021-04-03");
        assert_eq!(orders("03/04/2021"), Some((true, true)));
        assert_eq!(orders("31/04/2021"), Some((true, false)));
        assert_eq!(orders("2021-04-03"), None);
    }

    #[test]
    fn a_wall_clock_takes_the_zone_it_is_given() {
        let clock = Clock { zone: Some(chrono_tz::Europe::London), ..Clock::default() };
        let habit = Habit::default();
        assert_eq!(clock.tell("2026-07-01 10:00:00", &habit, Dates::Midnight), "2026-07-01T09:00:00Z");
        assert_eq!(clock.tell("2026-07-01", &habit, Dates::Midnight), "2026-06-30T23:00:00Z");
        assert_eq!(clock.tell("2026-07-01", &habit, Dates::Stay), "2026-07-01");
        let by_config = Habit { zone: Some(Tz::UTC), ..Habit::default() };
        assert_eq!(clock.tell("2026-07-01 10:00:00", &by_config, Dates::Stay), "2026-07-01T10:00:00Z");
        let day = Clock { day_only: true, ..Clock::default() };
        assert_eq!(day.tell("2026-07-01T00:30:00+02:00", &habit, Dates::Stay), "2026-07-01");
        let never = Clock { never: vec!["open end".to_owned()], ..Clock::default() };
        assert_eq!(never.tell(" Open End ", &habit, Dates::Stay), "");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[0-9/:. TZ+\\-a-zAP,]{0,30}|\\PC{0,20}") {
            for format in ["plain", "epoch", "filetime", "numeric", "dmy", "mdy", "%d %b %Y"] {
                told(format, &text);
            }
        }
    }
}
