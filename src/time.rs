//! Instants, dates and durations: the one reading of time that everything else shares.
//!
//! An instant is an `i64` of microseconds since 1970-01-01T00:00:00Z; finer digits are cut. Parsing here is strict and fast,
//! and knows RFC 3339 alone; a vendor's own formats are the business of the source that maps them.

use std::fmt::Write as _;

use chrono::offset::LocalResult;
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Offset, TimeZone};
use chrono_tz::Tz;

/// One second in microseconds.
pub const SECOND: i64 = 1_000_000;
/// One minute in microseconds.
pub const MINUTE: i64 = 60 * SECOND;
/// One hour in microseconds.
pub const HOUR: i64 = 60 * MINUTE;
/// One day of 24 hours in microseconds.
pub const DAY: i64 = 24 * HOUR;

/// What a cell says about time, before a zone is applied to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParsedInstant {
    /// An instant: the cell carried `Z` or an offset.
    Utc(i64),
    /// A wall clock without an offset, in microseconds as if it were UTC; [`resolve_naive`] makes an instant of it.
    Naive(i64),
}

impl ParsedInstant {
    /// The instant, a wall clock being read in `zone`.
    pub fn in_zone(self, zone: Tz) -> i64 {
        match self {
            ParsedInstant::Utc(us) => us,
            ParsedInstant::Naive(local) => resolve_naive(local, zone),
        }
    }
}

/// A moment on the wall clock of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalParts {
    /// The calendar date there.
    pub date: NaiveDate,
    /// The day of the week, 0 = Monday.
    pub weekday: u32,
    /// Microseconds since 00:00 on the wall clock, in [0, [`DAY`]).
    pub micros_of_day: i64,
}

/// Reads RFC 3339: `T`, `t` or a space between date and time; seconds optional; any number of fraction digits, cut to microseconds;
/// `Z`, `z`, `±hh:mm`, `±hhmm` or nothing, with optional white space before it. White space around the cell is ignored.
///
/// `None` for anything else, for a day the calendar does not have, for year 0, for hour 24 and for second 60.
pub fn parse_instant(cell: &[u8]) -> Option<ParsedInstant> {
    if let Some(seconds) = whole_seconds(cell) {
        return Some(ParsedInstant::Utc(i64::from(seconds) * SECOND));
    }
    // The same with milliseconds.
    if let [start @ .., b'.', a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', b'Z'] = cell
        && start.len() == 19
    {
        let mut second = [b'Z'; 20];
        second[..19].copy_from_slice(start);
        let thousandths = [a, b, c].into_iter().fold(0, |n, digit| 10 * n + i64::from(digit - b'0'));
        if let Some(seconds) = whole_seconds(&second) {
            return Some(ParsedInstant::Utc(i64::from(seconds) * SECOND + thousandths * (SECOND / 1000)));
        }
    }
    let cell = cell.trim_ascii();
    if cell.len() < 16 || !matches!(cell[10], b'T' | b't' | b' ') || cell[13] != b':' {
        return None;
    }
    let days = days_of(&cell[..10])?;
    let (hour, minute) = (two(cell, 11)?, two(cell, 14)?);
    if hour > 23 || minute > 59 {
        return None;
    }
    let mut us = days * DAY + hour * HOUR + minute * MINUTE;
    let mut at = 16;
    if cell.get(at) == Some(&b':') {
        let second = two(cell, at + 1)?;
        if second > 59 {
            return None;
        }
        us += second * SECOND;
        at += 3;
        if cell.get(at) == Some(&b'.') {
            at += 1;
            let digits = cell[at..].iter().take_while(|b| b.is_ascii_digit()).count();
            if digits == 0 {
                return None;
            }
            let mut unit = SECOND / 10;
            for digit in cell[at..at + digits].iter().take(6) {
                us += i64::from(digit - b'0') * unit;
                unit /= 10;
            }
            at += digits;
        }
    }
    let offset = cell[at..].trim_ascii_start();
    match offset {
        [] => Some(ParsedInstant::Naive(us)),
        [b'Z' | b'z'] => Some(ParsedInstant::Utc(us)),
        [sign @ (b'+' | b'-'), rest @ ..] => {
            let hours = two(rest, 0)?;
            let minutes = match rest.len() {
                4 => two(rest, 2)?,
                5 if rest[2] == b':' => two(rest, 3)?,
                _ => return None,
            };
            if hours > 23 || minutes > 59 {
                return None;
            }
            let ahead = hours * HOUR + minutes * MINUTE;
            Some(ParsedInstant::Utc(if *sign == b'-' { us + ahead } else { us - ahead }))
        }
        _ => None,
    }
}

/// Seconds since 1970 of `YYYY-MM-DDThh:mm:ssZ` of the years 1970 to 2099, in which every fourth is a leap year: most instants.
/// Null for all else, which [`parse_instant`] decides.
pub fn whole_seconds(cell: &[u8]) -> Option<u32> {
    const BEFORE: [u32; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    const LENGTH: [u32; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let cell: &[u8; 20] = cell.try_into().ok()?;
    if (cell[4], cell[7], cell[10], cell[13], cell[16], cell[19]) != (b'-', b'-', b'T', b':', b':', b'Z') {
        return None;
    }
    let mut other = false;
    let mut two = |i: usize| {
        let (tens, ones) = (cell[i].wrapping_sub(b'0'), cell[i + 1].wrapping_sub(b'0'));
        other |= (tens > 9) | (ones > 9);
        u32::from(tens) * 10 + u32::from(ones)
    };
    let (year, month, day) = ((two(0) * 100 + two(2)).wrapping_sub(1970), two(5), two(8));
    let (hour, minute, second) = (two(11), two(14), two(17));
    if other {
        return None;
    }
    let leap = u32::from((year.wrapping_add(2)) & 3 == 0);
    let index = usize::try_from(month).ok()?.checked_sub(1).filter(|index| *index < 12)?;
    let length = LENGTH[index] + if index == 1 { leap } else { 0 };
    if year >= 130 || day < 1 || day > length || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = year * 365 + (year + 1) / 4 + BEFORE[index] + if index > 1 { leap } else { 0 } + day - 1;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// The instant of a wall clock in `zone`. Of an ambiguous local time the earlier instant; a local time that the clocks skipped is read
/// with the offset before the gap.
pub fn resolve_naive(local: i64, zone: Tz) -> i64 {
    let Some(wall) = wall_clock(local) else { return local };
    let seconds = match zone.offset_from_local_datetime(&wall) {
        LocalResult::Single(offset) => offset.fix().local_minus_utc(),
        // The larger offset makes the earlier instant.
        LocalResult::Ambiguous(a, b) => a.fix().local_minus_utc().max(b.fix().local_minus_utc()),
        LocalResult::None => {
            // No zone is more than 15 hours ahead, so that long before the wall clock read as UTC the gap has not begun.
            let Some(before) = wall_clock(local - 15 * HOUR) else { return local };
            zone.offset_from_utc_datetime(&before).fix().local_minus_utc()
        }
    };
    local - i64::from(seconds) * SECOND
}

/// Reads exactly `YYYY-MM-DD`; `None` for anything else, for a day the calendar does not have and for year 0.
pub fn parse_date(cell: &[u8]) -> Option<NaiveDate> {
    if cell.len() != 10 {
        return None;
    }
    days_of(cell)?;
    NaiveDate::from_ymd_opt(
        i32::try_from(year_of(cell)?).ok()?,
        u32::try_from(two(cell, 5)?).ok()?,
        u32::try_from(two(cell, 8)?).ok()?,
    )
}

/// The start of a day in `zone`: its midnight, by the rule of [`resolve_naive`] where the clocks change at midnight.
pub fn midnight(date: NaiveDate, zone: Tz) -> i64 {
    resolve_naive(days_from_civil(i64::from(date.year()), i64::from(date.month()), i64::from(date.day())) * DAY, zone)
}

/// The end of a day in `zone`: the midnight that follows it.
pub fn midnight_after(date: NaiveDate, zone: Tz) -> i64 {
    let days = days_from_civil(i64::from(date.year()), i64::from(date.month()), i64::from(date.day()));
    resolve_naive((days + 1) * DAY, zone)
}

/// An instant as RFC 3339 in UTC with `Z`; a fraction only where there is one, without trailing zeros.
pub fn format_instant(us: i64) -> String {
    let (days, of_day) = (us.div_euclid(DAY), us.rem_euclid(DAY));
    let (year, month, day) = civil_from_days(days);
    let (hour, minute, second, fraction) = (of_day / HOUR, of_day / MINUTE % 60, of_day / SECOND % 60, of_day % SECOND);
    if !(0..=9999).contains(&year) || fraction != 0 {
        let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
        if fraction != 0 {
            text.push_str(format!(".{fraction:06}").trim_end_matches('0'));
        }
        text.push('Z');
        return text;
    }
    // By far the commonest form, digit by digit.
    let mut text = String::with_capacity(20);
    for (number, before) in
        [(year / 100, ""), (year % 100, ""), (month, "-"), (day, "-"), (hour, "T"), (minute, ":"), (second, ":")]
    {
        text.push_str(before);
        text.push(char::from(b'0' + (number / 10) as u8));
        text.push(char::from(b'0' + (number % 10) as u8));
    }
    text.push('Z');
    text
}

/// Date, day of the week and time of day of an instant on the wall clock of `zone`. An instant outside the calendar that `chrono` knows
/// (some 260,000 years either way) is 1970-01-01; no parser here yields one.
pub fn local_parts(us: i64, zone: Tz) -> LocalParts {
    let offset = wall_clock(us).map_or(0, |utc| zone.offset_from_utc_datetime(&utc).fix().local_minus_utc());
    let local = us.saturating_add(i64::from(offset) * SECOND);
    let date = wall_clock(local).map_or(NaiveDate::default(), |wall| wall.date());
    LocalParts { date, weekday: date.weekday().num_days_from_monday(), micros_of_day: local.rem_euclid(DAY) }
}

/// The wall clock of a zone with its offsets of some years laid out: [`local_parts`] for many instants.
pub struct Clock {
    zone: Tz,
    /// Beginnings of stretches with one offset, with that offset in microseconds.
    stretches: Vec<(i64, i64)>,
    until: i64,
}

/// How long before its end a [`Clock`] knows the offsets without asking the zone.
const LAID_OUT: i64 = 5 * 366 * DAY;

impl Clock {
    /// Knows the years before `until` best.
    pub fn new(zone: Tz, until: i64) -> Clock {
        let offset = |us: i64| {
            let utc = wall_clock(us)?;
            Some(i64::from(zone.offset_from_utc_datetime(&utc).fix().local_minus_utc()) * SECOND)
        };
        let mut stretches: Vec<(i64, i64)> = Vec::new();
        // No zone changes twice within an hour, nor off the quarter of an hour since 1970.
        let mut at = until.saturating_sub(LAID_OUT).div_euclid(HOUR) * HOUR;
        while at < until {
            let Some(here) = offset(at) else { break };
            if stretches.last().is_none_or(|s| s.1 != here) {
                let within = (1..60).map(|m| at - HOUR + m * MINUTE).find(|&t| offset(t) == Some(here));
                let start = if stretches.is_empty() { at } else { within.unwrap_or(at) };
                stretches.push((start, here));
            }
            at += HOUR;
        }
        Clock { zone, stretches, until: at - HOUR }
    }

    /// As [`local_parts`].
    pub fn local_parts(&self, us: i64) -> LocalParts {
        let Some(first) = self.stretches.first().filter(|first| first.0 <= us && us < self.until) else {
            return local_parts(us, self.zone);
        };
        let i = self.stretches.partition_point(|s| s.0 <= us);
        let local = us + self.stretches.get(i.wrapping_sub(1)).unwrap_or(first).1;
        let days = local.div_euclid(DAY);
        let from_ce = i32::try_from(days + 719_163).expect("within some years of `until`");
        let date = NaiveDate::from_num_days_from_ce_opt(from_ce).unwrap_or_default();
        // 1970-01-01 was a Thursday.
        LocalParts { date, weekday: (days + 3).rem_euclid(7) as u32, micros_of_day: local.rem_euclid(DAY) }
    }
}

/// A number of minutes in words; see [`format_duration_micros`].
pub fn format_duration_minutes(x: f64) -> String {
    in_words(x, MINUTE)
}

/// A number of hours in words; see [`format_duration_micros`].
pub fn format_duration_hours(x: f64) -> String {
    in_words(x, HOUR)
}

/// A number of days of 24 hours in words; see [`format_duration_micros`].
pub fn format_duration_days(x: f64) -> String {
    in_words(x, DAY)
}

/// A duration in its two largest units that are not zero: `3 d 4 h`, `4 min 10 s`, `1 h 30 s`, `12 s`, `0 s`. What is smaller is cut,
/// fractions of a second too; a negative one begins with `-`.
pub fn format_duration_micros(us: i64) -> String {
    let mut rest = us.unsigned_abs() / SECOND.unsigned_abs();
    let mut words = String::with_capacity(24);
    let mut units = 0;
    for (seconds, unit) in [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")] {
        if rest >= seconds && units < 2 {
            let before = [if us < 0 { "-" } else { "" }, " "][units];
            write!(words, "{before}{} {unit}", rest / seconds).expect("a text takes what is written");
            units += 1;
        }
        rest %= seconds;
    }
    if units == 0 { "0 s".to_owned() } else { words }
}

/// Rounded to the microsecond first: 250 s as minutes is 4.1666… and must not come back as 249 s.
fn in_words(x: f64, unit: i64) -> String {
    format_duration_micros((x * unit as f64).round() as i64)
}

fn wall_clock(us: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp_micros(us).map(|at| at.naive_utc())
}

/// Days since 1970 of the ten bytes `YYYY-MM-DD`.
fn days_of(date: &[u8]) -> Option<i64> {
    if date[4] != b'-' || date[7] != b'-' {
        return None;
    }
    let (year, month, day) = (year_of(date)?, two(date, 5)?, two(date, 8)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    // Year 0 is no year of the proleptic calendar most tools know, and stands for "never" in exports.
    (year >= 1 && (1..=length).contains(&day)).then(|| days_from_civil(year, month, day))
}

fn year_of(date: &[u8]) -> Option<i64> {
    Some(two(date, 0)? * 100 + two(date, 2)?)
}

fn two(cell: &[u8], at: usize) -> Option<i64> {
    match cell.get(at..at + 2)? {
        [a @ b'0'..=b'9', b @ b'0'..=b'9'] => Some(i64::from(a - b'0') * 10 + i64::from(b - b'0')),
        _ => None,
    }
}

/// Howard Hinnant's `days_from_civil`: years begin in March, so that the leap day is the last of its year.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_says_what_the_zone_says() {
        let until = 1_790_000_000 * SECOND + 7;
        for zone in [Tz::UTC, Tz::Europe__Berlin, Tz::Australia__Lord_Howe, Tz::Africa__Casablanca, Tz::Asia__Kathmandu]
        {
            let clock = Clock::new(zone, until);
            let mut at = until - 6 * 366 * DAY;
            while at < until + 3 * DAY {
                assert_eq!(clock.local_parts(at), local_parts(at, zone), "{zone} {at}");
                at += 29 * MINUTE + 7 * SECOND + 1;
            }
        }
    }

    use chrono_tz::America::New_York;
    use chrono_tz::Europe::London;

    fn instant(text: &str, zone: Tz) -> Option<String> {
        Some(format_instant(parse_instant(text.as_bytes())?.in_zone(zone)))
    }

    fn utc(text: &str) -> String {
        instant(text, Tz::UTC).unwrap_or_else(|| "refused".to_owned())
    }

    #[test]
    fn the_most_common_spelling_is_what_the_calendar_says() {
        let mut day = NaiveDate::from_ymd_opt(1970, 1, 1).expect("a day");
        while day.year() < 2101 {
            let text = format!("{day}T23:59:58Z");
            let want = day.and_hms_opt(23, 59, 58).expect("a time").and_utc().timestamp() * SECOND;
            assert_eq!(parse_instant(text.as_bytes()), Some(ParsedInstant::Utc(want)), "{text}");
            let text = format!("{day}T23:59:58.073Z");
            assert_eq!(parse_instant(text.as_bytes()), Some(ParsedInstant::Utc(want + 73_000)), "{text}");
            day = day.succ_opt().expect("a day");
        }
        for text in ["2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z"] {
            assert_eq!(parse_instant(text.as_bytes()), None, "{text}");
        }
        for text in ["2026-02-29T00:00:00.000Z", "2026-01-01T00:00:00.0:0Z", "2026-01-01T00:00:60.000Z"] {
            assert_eq!(parse_instant(text.as_bytes()), None, "{text}");
        }
        for text in ["2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:0:Z"] {
            assert_eq!(parse_instant(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn every_spelling_of_one_instant_is_the_same_instant() {
        for text in [
            "2026-10-05T08:30:00Z",
            "2026-10-05t08:30:00z",
            "2026-10-05 08:30:00Z",
            "2026-10-05 08:30:00 Z",
            "2026-10-05T08:30Z",
            "2026-10-05T08:30",
            "2026-10-05T08:30:00",
            "2026-10-05T10:30:00+02:00",
            "2026-10-05T10:30:00+0200",
            "2026-10-05T10:30:00.000000000 +02:00",
            "2026-10-05T04:30:00-04:00",
            "2026-10-04T09:31:00-22:59",
            "  2026-10-05T08:30:00Z\t",
        ] {
            assert_eq!(utc(text), "2026-10-05T08:30:00Z", "{text}");
        }
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        for text in [
            "",
            "yesterday",
            "2026-10-05",
            "2026-10-05T",
            "2026-10-05T08",
            "2026-10-05T08:3",
            "2026-10-05T08:30:",
            "2026-10-05T08:30:0",
            "2026-10-05T08:30:00.",
            "2026-10-05T08:30:00,5",
            "2026-10-05T08:30.5",
            "2026-10-05T08:30:00+02",
            "2026-10-05T08:30:00+02:0",
            "2026-10-05T08:30:00+02:00:00",
            "2026-10-05T08:30:00+24:00",
            "2026-10-05T08:30:00+02:60",
            "2026-10-05T08:30:00ZZ",
            "2026-10-05T08:30:00 UTC",
            "2026-10-05T24:00:00Z",
            "2026-10-05T08:60:00Z",
            "2026-10-05T08:30:60Z",
            "2026-02-29T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "2026-10-05_08:30:00Z",
            "2026/10/05 08:30:00",
            "26-10-05T08:30:00Z",
            "+2026-10-05T08:30:00Z",
            "2026-10-05T08:30:00Zß",
            "２026-10-05T08:30:00Z",
            "2026-10-05T-8:30:00Z",
            "2026-10-05T08:30:00+",
            "1791189000",
        ] {
            assert_eq!(parse_instant(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_fraction_is_cut_to_microseconds_never_rounded() {
        assert_eq!(utc("2026-10-05T08:30:00.1Z"), "2026-10-05T08:30:00.1Z");
        assert_eq!(utc("2026-10-05T08:30:00.123456Z"), "2026-10-05T08:30:00.123456Z");
        assert_eq!(utc("2026-10-05T08:30:00.1234569Z"), "2026-10-05T08:30:00.123456Z");
        assert_eq!(utc("2026-10-05T08:30:59.9999999999999999999999999Z"), "2026-10-05T08:30:59.999999Z");
        assert_eq!(utc("2026-10-05T08:30:00.000000900Z"), "2026-10-05T08:30:00Z");
    }

    #[test]
    fn before_1970_counts_backwards() {
        assert_eq!(parse_instant(b"1969-12-31T23:59:59.999999Z"), Some(ParsedInstant::Utc(-1)));
        for text in ["1969-12-31T23:59:59.5Z", "1900-03-01T00:00:00Z", "1600-02-29T12:00:00Z", "0001-01-01T00:00:00Z"] {
            assert_eq!(utc(text), text);
        }
        assert_eq!(local_parts(-1, Tz::UTC).micros_of_day, DAY - 1);
    }

    #[test]
    fn our_calendar_is_chronos_calendar() {
        let mut date = NaiveDate::from_ymd_opt(1599, 12, 30).expect("a date");
        while date.year() < 2402 {
            let expected = date.signed_duration_since(NaiveDate::default()).num_days();
            assert_eq!(midnight(date, Tz::UTC), expected * DAY);
            let text = date.format("%Y-%m-%d").to_string();
            assert_eq!(parse_date(text.as_bytes()), Some(date));
            assert_eq!(format_instant(expected * DAY), format!("{text}T00:00:00Z"));
            date = date.succ_opt().expect("not the last day");
        }
    }

    #[test]
    fn an_ambiguous_local_time_is_the_earlier_instant() {
        assert_eq!(instant("2026-10-25T01:30:00", London).as_deref(), Some("2026-10-25T00:30:00Z"));
        assert_eq!(instant("2026-10-25T01:00:00", London).as_deref(), Some("2026-10-25T00:00:00Z"));
        assert_eq!(instant("2026-10-25T02:00:00", London).as_deref(), Some("2026-10-25T02:00:00Z"));
        assert_eq!(instant("2026-11-01T01:30:00", New_York).as_deref(), Some("2026-11-01T05:30:00Z"));
        assert_eq!(instant("2026-11-01T02:00:00", New_York).as_deref(), Some("2026-11-01T07:00:00Z"));
        assert_eq!(instant("2026-11-01T01:30:00-05:00", New_York).as_deref(), Some("2026-11-01T06:30:00Z"));
    }

    #[test]
    fn a_skipped_local_time_keeps_the_offset_before_the_gap() {
        assert_eq!(instant("2026-03-29T00:59:59", London).as_deref(), Some("2026-03-29T00:59:59Z"));
        assert_eq!(instant("2026-03-29T01:30:00", London).as_deref(), Some("2026-03-29T01:30:00Z"));
        assert_eq!(instant("2026-03-29T02:00:00", London).as_deref(), Some("2026-03-29T01:00:00Z"));
        assert_eq!(instant("2026-03-08T02:30:00", New_York).as_deref(), Some("2026-03-08T07:30:00Z"));
        assert_eq!(instant("2026-03-08T03:00:00", New_York).as_deref(), Some("2026-03-08T07:00:00Z"));
        // Samoa left out a whole day.
        assert_eq!(instant("2011-12-30T12:00:00", chrono_tz::Pacific::Apia).as_deref(), Some("2011-12-30T22:00:00Z"));
    }

    #[test]
    fn a_day_begins_at_its_midnight_and_ends_at_the_next() {
        let date = |text: &str| parse_date(text.as_bytes()).expect("a date");
        assert_eq!(format_instant(midnight(date("2026-07-01"), London)), "2026-06-30T23:00:00Z");
        assert_eq!(format_instant(midnight(date("2026-12-01"), New_York)), "2026-12-01T05:00:00Z");
        assert_eq!(midnight_after(date("2026-03-29"), London) - midnight(date("2026-03-29"), London), 23 * HOUR);
        assert_eq!(midnight_after(date("2026-10-25"), London) - midnight(date("2026-10-25"), London), 25 * HOUR);
        // São Paulo sprang forward at midnight: 00:00 did not exist, and is read with -03:00.
        assert_eq!(format_instant(midnight(date("2018-11-04"), chrono_tz::America::Sao_Paulo)), "2018-11-04T03:00:00Z");
        for text in [
            "2026-1-01",
            "2026-01-01 ",
            " 2026-01-01",
            "20260101",
            "2026-02-29",
            "2026-01-01T",
            "2026-01-32",
            "0000-01-01",
        ] {
            assert_eq!(parse_date(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn the_wall_clock_of_a_zone() {
        let parts = local_parts(parse_instant(b"2026-07-05T23:30:00Z").expect("an instant").in_zone(Tz::UTC), London);
        assert_eq!(parts.date, NaiveDate::from_ymd_opt(2026, 7, 6).expect("a date"));
        assert_eq!((parts.weekday, parts.micros_of_day), (0, 30 * MINUTE));
        let parts = local_parts(parse_instant(b"2026-07-06T02:00:00Z").expect("an instant").in_zone(Tz::UTC), New_York);
        assert_eq!((parts.weekday, parts.micros_of_day), (6, 22 * HOUR));
        for extreme in [i64::MIN, i64::MAX] {
            local_parts(extreme, London);
            resolve_naive(extreme, London);
            format_instant(extreme);
        }
    }

    #[test]
    fn durations_say_their_two_largest_units() {
        assert_eq!(format_duration_minutes(0.0), "0 s");
        assert_eq!(format_duration_minutes(0.2), "12 s");
        assert_eq!(format_duration_minutes(250.0 / 60.0), "4 min 10 s");
        assert_eq!(format_duration_minutes(59.999), "59 min 59 s");
        assert_eq!(format_duration_minutes(60.0), "1 h");
        assert_eq!(format_duration_minutes(60.5), "1 h 30 s");
        assert_eq!(format_duration_minutes(1439.0), "23 h 59 min");
        assert_eq!(format_duration_minutes(1440.0), "1 d");
        assert_eq!(format_duration_minutes(-90.0), "-1 h 30 min");
        assert_eq!(format_duration_minutes(-0.001), "0 s");
        assert_eq!(format_duration_hours(76.0), "3 d 4 h");
        assert_eq!(format_duration_hours(76.99), "3 d 4 h");
        assert_eq!(format_duration_days(90.0), "90 d");
        assert_eq!(format_duration_days(1.0 / 3.0), "8 h");
        assert_eq!(format_duration_days(-400.25), "-400 d 6 h");
        assert_eq!(format_duration_days(f64::NAN), "0 s");
        format_duration_days(f64::NEG_INFINITY);
        // Every whole second survives the way through minutes, hours and days.
        for seconds in 0..200_000_i64 {
            let words = format_duration_micros(seconds * SECOND);
            assert_eq!(format_duration_minutes(seconds as f64 / 60.0), words);
            assert_eq!(format_duration_hours(seconds as f64 / 3_600.0), words);
            assert_eq!(format_duration_days(seconds as f64 / 86_400.0), words);
        }
    }
}
