//! Retention: which runs stay. Each rule keeps the last run of each of so many days, weeks, months or years.

use std::collections::BTreeSet;
use std::str::FromStr;

use chrono::{Datelike, NaiveDate};

/// `30d,12m`: the last run of each of the last 30 days that had one, and of each of the last 12 months.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep(Vec<(u32, Unit)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Day,
    Week,
    Month,
    Year,
}

impl Unit {
    /// What all days of one such unit have in common.
    fn of(self, day: NaiveDate) -> (i32, u32) {
        match self {
            Unit::Day => (day.year(), day.ordinal()),
            Unit::Week => (day.iso_week().year(), day.iso_week().week()),
            Unit::Month => (day.year(), day.month()),
            Unit::Year => (day.year(), 0),
        }
    }
}

impl FromStr for Keep {
    type Err = String;

    fn from_str(text: &str) -> Result<Keep, String> {
        let rule = |part: &str| {
            let part = part.trim();
            let digits = part.trim_end_matches(|c: char| !c.is_ascii_digit());
            let unit = match part.strip_prefix(digits)? {
                "d" => Unit::Day,
                "w" => Unit::Week,
                "m" => Unit::Month,
                "y" => Unit::Year,
                _ => return None,
            };
            digits.parse().ok().filter(|n| *n > 0).map(|n| (n, unit))
        };
        let rules: Option<Vec<_>> = text.split(',').map(rule).collect();
        rules.map(Keep).ok_or_else(|| "write numbers of days, weeks, months and years, such as 30d,12m".to_owned())
    }
}

impl Keep {
    /// Which of the runs stay; `runs` is in the order of time, each with its day. The last two stay in any case: readers
    /// see the last, and it is compared with the one before.
    pub fn stay<'a>(&self, runs: &[(&'a str, NaiveDate)]) -> BTreeSet<&'a str> {
        let mut stay: BTreeSet<&str> = runs.iter().rev().take(2).map(|run| run.0).collect();
        for (count, unit) in &self.0 {
            let mut seen = BTreeSet::new();
            for (name, day) in runs.iter().rev() {
                if seen.len() == *count as usize {
                    break;
                }
                if seen.insert(unit.of(*day)) {
                    stay.insert(name);
                }
            }
        }
        stay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_run_of_each_day_and_month_stays() {
        let day =
            |n: i64| NaiveDate::from_ymd_opt(2026, 1, 1).and_then(|d| d.checked_add_signed(chrono::Duration::days(n)));
        let names: Vec<String> = (0..400).map(|n| format!("run{n:03}")).collect();
        let runs: Vec<(&str, NaiveDate)> =
            names.iter().zip(0..).map(|(name, n)| (name.as_str(), day(n).expect("a day"))).collect();
        let keep: Keep = "30d,12m".parse().expect("a rule");
        let stay = keep.stay(&runs);
        assert!((370..400).all(|n| stay.contains(names[n].as_str())));
        // Of the months before, the last day: 30 days reach into January 2027, ten months lie before it.
        assert_eq!(stay.len(), 30 + 10);
        assert!(stay.contains("run333") && !stay.contains("run332") && !stay.contains("run000"));
        let twice = [("a", runs[0].1), ("b", runs[0].1), ("c", runs[0].1)];
        assert_eq!("1d".parse::<Keep>().expect("a rule").stay(&twice), BTreeSet::from(["b", "c"]));
        for wrong in ["", "d", "30", "30x", "0d", "30d,", "-1d", "30 d"] {
            assert!(wrong.parse::<Keep>().is_err(), "{wrong:?}");
        }
    }
}
