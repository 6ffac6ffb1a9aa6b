//! When a log has events: its first, its last, and the hours between, a bit an hour; and where it is silent for longer than
//! its own rhythm allows.
//!
//! It grows with the weeks that a log spans, not with its records. Hours and weeks are those of UTC: a rhythm of nights and
//! weekends shows in any zone, and summer time moves its edges by an hour.

use std::collections::BTreeMap;

use crate::time::HOUR;

const WEEK: i64 = 168;
/// A silence is a hole only if this many hours with events were to be expected in it: more than two working days, so that a
/// bridge day is none, and less than a day of a log that never sleeps. This project's own.
const EXPECTED: f64 = 20.0;
/// How often an hour of the week must have come round outside a silence for it to say what is usual. This project's own.
const SEEN_BEFORE: i64 = 2;
/// A silence is usual where more than this many are at least a third as long; or more than one in [`USUAL_WEEKS`] weeks.
const USUAL: usize = 3;
const USUAL_WEEKS: usize = 6;
/// Shorter silences say nothing of what is usual.
const SHORTEST: i64 = 6;
/// Dates that went wrong: at most this share of a log's hours, before or after a silence of [`ASTRAY`] hours. Were they taken
/// for the log, one record of 1970 would make it cover half a century. This project's own.
const STRAY: f64 = 0.01;
const ASTRAY: i64 = 4 * WEEK;

/// The hours in which a log has events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hours {
    /// Instants seen, those of the same hour included.
    pub seen: u64,
    /// Earliest and latest instant; null when none was seen.
    pub span: Option<(i64, i64)>,
    /// By week since 1970: a bit an hour.
    weeks: BTreeMap<i64, [u64; 3]>,
}

/// A time without an event, `from` and `until` in microseconds, at full hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hole {
    /// Its first silent hour.
    pub from: i64,
    /// The hour with the next event.
    pub until: i64,
}

impl Hours {
    /// There was an event at `t`.
    pub fn see(&mut self, t: i64) {
        let hour = t.div_euclid(HOUR);
        let (week, slot) = (hour.div_euclid(WEEK), hour.rem_euclid(WEEK) as usize);
        self.weeks.entry(week).or_default()[slot / 64] |= 1 << (slot % 64);
        self.stretch(t, t, 1);
    }

    /// There were events from `first` to `last`; nothing is said of the hours between.
    pub fn stretch(&mut self, first: i64, last: i64, seen: u64) {
        self.seen += seen;
        let span = self.span.get_or_insert((first, last));
        *span = (span.0.min(first), span.1.max(last));
    }

    /// Takes over what was seen elsewhere.
    pub fn absorb(&mut self, other: &Hours) {
        if let Some((first, last)) = other.span {
            self.stretch(first, last, other.seen);
        }
        for (week, bits) in &other.weeks {
            let mine = self.weeks.entry(*week).or_default();
            mine.iter_mut().zip(bits).for_each(|(a, b)| *a |= b);
        }
    }

    /// The same without what came after `t`; the hour of `t` is whole.
    pub fn until(&self, t: i64) -> Hours {
        if self.span.is_none_or(|span| span.1 <= t) {
            return self.clone();
        }
        let end = t.div_euclid(HOUR);
        let mut out = Hours {
            weeks: self.weeks.range(..=end.div_euclid(WEEK)).map(|(w, b)| (*w, *b)).collect(),
            ..Hours::default()
        };
        if let Some(bits) = out.weeks.get_mut(&end.div_euclid(WEEK)) {
            for slot in end.rem_euclid(WEEK) as usize + 1..WEEK as usize {
                bits[slot / 64] &= !(1 << (slot % 64));
            }
        }
        out.weeks.retain(|_, bits| bits.iter().any(|b| *b != 0));
        let last = out.hours().last();
        out.span = self.span.zip(last).map(|(span, hour)| (span.0, t.min((hour + 1).saturating_mul(HOUR) - 1)));
        out.seen = if out.span.is_some() { self.seen } else { 0 };
        out
    }

    fn hours(&self) -> impl Iterator<Item = i64> + '_ {
        let in_week = |bits: &[u64; 3]| {
            let bits = *bits;
            (0..WEEK).filter(move |slot| bits[*slot as usize / 64] >> (slot % 64) & 1 == 1)
        };
        self.weeks.iter().flat_map(move |(week, bits)| in_week(bits).map(move |slot| week * WEEK + slot))
    }

    /// Silences that are no part of the log's rhythm.
    ///
    /// For every hour of the week it is known in what share of the log's weeks it had an event, the weeks of the silence left
    /// out. A silence is a hole where, by these shares, `EXPECTED` hours with events were to be expected in it; where the log
    /// had events in at least half of its other weeks, for a log of one batch a month has no rhythm that a month could break;
    /// and where silences of its kind are rare. So nights and weekends are none, and of a quiet log or one of less than three
    /// weeks none is named. What parts a few stray dates from all the rest is a hole in any case.
    pub fn holes(&self) -> Vec<Hole> {
        let all: Vec<i64> = self.hours().collect();
        let (begin, end) = body(&all);
        let parted =
            |at: usize| Hole { from: (all[at - 1] + 1).saturating_mul(HOUR), until: all[at].saturating_mul(HOUR) };
        let outside = |at: &usize| (*at <= begin || *at >= end) && all[*at] - all[at - 1] > ASTRAY;
        let mut holes: Vec<Hole> = (1..all.len()).filter(outside).map(parted).collect();
        holes.extend(Rhythm::of(&all[begin..end]).breaks());
        holes.sort();
        holes
    }

    /// Is a silence before or after it, as between the beginning of a period and that of the log, longer than its rhythm
    /// allows? As [`Hours::holes`], and longer than any within.
    pub fn breaks_off(&self, silence: &Hole) -> bool {
        let all: Vec<i64> = self.hours().collect();
        let (begin, end) = body(&all);
        Rhythm::of(&all[begin..end]).breaks_off((silence.from.div_euclid(HOUR) + 1, silence.until.div_euclid(HOUR)))
    }
}

/// Where the hours without stray dates begin and end.
fn body(all: &[i64]) -> (usize, usize) {
    let strays = (all.len() as f64 * STRAY) as usize;
    let astray = |at: &usize| all[*at] - all[at - 1] > ASTRAY;
    let begin = (1..=strays).rev().find(astray).unwrap_or(0);
    (begin, (all.len() - strays..all.len()).find(astray).unwrap_or(all.len()))
}

/// The hours of a log without stray dates, and what is usual in it.
struct Rhythm<'h> {
    hours: &'h [i64],
    /// How often each hour of the week had an event, and how often it came round.
    occupied: [i64; WEEK as usize],
    in_all: [i64; WEEK as usize],
    /// Weeks with an event, and all weeks.
    active: i64,
    weeks: i64,
}

impl Rhythm<'_> {
    fn of(hours: &[i64]) -> Rhythm<'_> {
        let whole = hours.first().zip(hours.last()).map_or((0, 0), |(first, last)| (*first, last + 1));
        let mut occupied = [0; WEEK as usize];
        let mut active: Vec<i64> = Vec::new();
        for hour in hours {
            occupied[hour.rem_euclid(WEEK) as usize] += 1;
            active.push(hour.div_euclid(WEEK));
        }
        active.dedup();
        let weeks = whole.1.div_euclid(WEEK) - whole.0.div_euclid(WEEK) + 1;
        Rhythm { hours, occupied, in_all: slots(whole), active: active.len() as i64, weeks }
    }

    /// How many hours with events were to be expected in a silence, by the hours that are not `inside` it.
    fn expected(&self, gap: (i64, i64), inside: &[i64; WEEK as usize]) -> f64 {
        let length = slots(gap);
        let share = |slot: usize| {
            let others = self.in_all[slot] - inside[slot];
            if others < SEEN_BEFORE { 0.0 } else { length[slot] as f64 * self.occupied[slot] as f64 / others as f64 }
        };
        (0..WEEK as usize).map(share).sum()
    }

    fn breaks(&self) -> Vec<Hole> {
        let pairs = self.hours.windows(2).map(|pair| (pair[0] + 1, pair[1]));
        let gaps: Vec<(i64, i64)> = pairs.filter(|gap| gap.1 - gap.0 >= SHORTEST).collect();
        let weighed: Vec<f64> = gaps.iter().map(|gap| self.expected(*gap, &slots(*gap))).collect();
        let mut sorted = weighed.clone();
        sorted.sort_by(f64::total_cmp);
        let usual = USUAL.max(self.active as usize / USUAL_WEEKS);
        let rare = |weight: f64| sorted.len() - sorted.partition_point(|other| *other < weight / 3.0) <= usual;
        let regular = |gap: &(i64, i64)| {
            // Weeks that lie in the silence from end to end.
            let silent = (gap.1.div_euclid(WEEK) - (gap.0 + WEEK - 1).div_euclid(WEEK)).max(0);
            self.active * 2 >= self.weeks - silent
        };
        gaps.iter()
            .zip(&weighed)
            .filter(|(gap, weight)| **weight >= EXPECTED && rare(**weight) && regular(gap))
            .map(|(gap, _)| Hole { from: gap.0 * HOUR, until: gap.1 * HOUR })
            .collect()
    }

    /// Is a silence before or after the log longer than any within it, and than its rhythm allows?
    fn breaks_off(&self, gap: (i64, i64)) -> bool {
        let longest = self.hours.windows(2).map(|pair| pair[1] - pair[0] - 1).max().unwrap_or(0);
        gap.1 - gap.0 > longest && self.active * 2 >= self.weeks && self.expected(gap, &[0; WEEK as usize]) >= EXPECTED
    }
}

/// How often each hour of the week lies in `[from, until)`.
fn slots((from, until): (i64, i64)) -> [i64; WEEK as usize] {
    let mut out = [(until - from) / WEEK; WEEK as usize];
    for hour in until - (until - from) % WEEK..until {
        out[hour.rem_euclid(WEEK) as usize] += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{DAY, MINUTE};

    /// 2026-01-05T00:00:00Z, a Monday.
    const MONDAY: i64 = 1_767_571_200_000_000;

    fn hours(times: impl IntoIterator<Item = i64>) -> Hours {
        let mut hours = Hours::default();
        times.into_iter().for_each(|t| hours.see(t));
        hours
    }

    /// Twice an hour from nine to five, Monday to Friday.
    fn office(weeks: i64) -> Vec<i64> {
        let at = |week: i64, day: i64, half: i64| MONDAY + (week * 7 + day) * DAY + 9 * HOUR + half * 30 * MINUTE;
        (0..weeks)
            .flat_map(|w| (0..5).flat_map(move |d| (0..16).map(move |h| (w, d, h))))
            .map(|(w, d, h)| at(w, d, h))
            .collect()
    }

    #[test]
    fn nights_and_weekends_belong_to_the_rhythm() {
        assert_eq!(hours(office(12)).holes(), []);
        // A bank holiday, and Easter: Friday and Monday.
        for days in [[40, 40], [39, 42]] {
            let without = |t: &i64| !days.contains(&((t - MONDAY) / DAY));
            assert_eq!(hours(office(12).into_iter().filter(without)).holes(), [], "{days:?}");
        }
    }

    #[test]
    fn three_missing_working_days_are_a_hole() {
        let gone = |t: &i64| (MONDAY + 43 * DAY..MONDAY + 46 * DAY).contains(t);
        let log = hours(office(12).into_iter().filter(|t| !gone(t)));
        // From Monday evening to Friday morning.
        let hole = Hole { from: MONDAY + 42 * DAY + 17 * HOUR, until: MONDAY + 46 * DAY + 9 * HOUR };
        assert_eq!(log.holes(), [hole]);
        let mut two = hours(office(5));
        two.absorb(&hours(office(12).into_iter().filter(|t| *t >= MONDAY + 49 * DAY)));
        assert_eq!(two.holes().len(), 1, "two whole weeks between two exports");
    }

    #[test]
    fn a_missing_day_of_a_log_that_never_sleeps_is_a_hole() {
        let minutes = |days: i64, gone: i64| {
            (0..days * 48).map(|n| MONDAY + n * 30 * MINUTE).filter(move |t| (t - MONDAY) / DAY != gone)
        };
        let hole = Hole { from: MONDAY + 17 * DAY, until: MONDAY + 18 * DAY };
        assert_eq!(hours(minutes(30, 17)).holes(), [hole]);
        assert_eq!(hours(minutes(30, 99)).holes(), []);
        assert_eq!(hours(minutes(10, 5)).holes(), [], "too short for a rhythm");
    }

    #[test]
    fn quiet_logs_are_not_accused() {
        // One event every other day at an hour that wanders, and a month without any.
        let quiet = (0..90).map(|n| MONDAY + n * 2 * DAY + (n * 7 % 24) * HOUR);
        let hole = MONDAY + 60 * DAY..MONDAY + 90 * DAY;
        assert_eq!(hours(quiet.filter(|t| !hole.contains(t))).holes(), []);
        // A batch of a whole day once a month; the same every other week.
        for (every, months) in [(28, 12), (28, 4), (14, 26), (14, 6)] {
            let batch = (0..months).flat_map(|m| (0..24).map(move |h| MONDAY + m * every * DAY + h * HOUR));
            assert_eq!(hours(batch).holes(), [], "every {every} days");
        }
        assert_eq!(hours([]).holes(), []);
        assert_eq!(hours([5, MONDAY]).holes(), []);
    }

    #[test]
    fn stray_dates_do_not_make_a_log_older() {
        let log = hours(office(12).into_iter().chain([0]));
        let holes = log.holes();
        assert_eq!((holes.len(), holes[0].until), (1, MONDAY + 9 * HOUR), "{holes:?}");
        // The end of time costs no time.
        let strays = [i64::MAX, i64::MIN, 0, 900 * DAY];
        let far = hours(office(12).into_iter().filter(|t| (t - MONDAY) / DAY != 99).chain(strays)).holes();
        assert_eq!(far.iter().filter(|hole| hole.until == MONDAY + 9 * HOUR).count(), 1, "{far:?}");
        assert_eq!(far.iter().filter(|hole| hole.from == MONDAY + 81 * DAY + 17 * HOUR).count(), 1, "{far:?}");
        assert_eq!(far.len(), 4);
    }

    #[test]
    fn a_log_that_begins_late_or_breaks_off() {
        let log = hours(office(6));
        let after = |days: i64| Hole { from: MONDAY + 39 * DAY + 17 * HOUR, until: MONDAY + (39 + days) * DAY };
        assert_eq!([1, 3, 5, 6, 14].map(|days| log.breaks_off(&after(days))), [false, false, false, true, true]);
        assert!(log.breaks_off(&Hole { from: MONDAY - 10 * DAY, until: MONDAY + 9 * HOUR }));
        assert!(!hours([MONDAY]).breaks_off(&after(99)) && !hours([]).breaks_off(&after(99)));
    }

    #[test]
    fn what_comes_later_is_cut_off() {
        let log = hours(office(3));
        let cut = log.until(MONDAY + 2 * DAY);
        assert_eq!(cut.span, Some((MONDAY + 9 * HOUR, MONDAY + DAY + 17 * HOUR - 1)));
        assert_eq!(cut.hours().count(), 16);
        assert_eq!(log.until(MONDAY).span, None);
        assert_eq!(log.until(i64::MAX), log);
    }

    #[test]
    fn parts_make_the_whole() {
        let all = office(9);
        let (mut a, b) = (hours(all[..100].iter().copied()), hours(all[100..].iter().copied()));
        a.absorb(&b);
        assert_eq!(a, hours(all));
    }
}
