//! The page's charts: which series, what each says, the same numbers as a table.

use serde::Serialize;

use super::words::{self, Clock, count, number, visible, visible_cut};
use crate::render::chart::{self, Branch, ChartError, Column, Ink, Room, Row, Working};
use crate::report::model::{Assessment, Bar, LineageLink};

/// A chart with its title, its text equivalent, and why it is not there.
#[derive(Serialize)]
pub(super) struct Chart {
    anchor: &'static str,
    title: String,
    axis: &'static str,
    wide: String,
    narrow: String,
    legend: Vec<(&'static str, String)>,
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    empty: Option<&'static str>,
    /// Does another order of the table's rows say anything?
    sorts: bool,
}

/// Every chart of the page, in its order.
pub(super) fn charts(a: &Assessment, clock: Clock) -> Result<Vec<Chart>, ChartError> {
    Ok(vec![
        days(a)?,
        by_control(a)?,
        hours(a)?,
        survival(a)?,
        lead(a)?,
        dormancy(a)?,
        executors(a)?,
        lineage(a, clock)?,
    ])
}

/// Both sizes of one drawing.
fn both(draw: impl Fn(Room) -> Result<String, ChartError>) -> Result<(String, String), ChartError> {
    Ok((draw(Room::Wide)?, draw(Room::Narrow)?))
}

/// Keys of a legend: class and what it stands for.
fn legend(keys: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    keys.iter().map(|(class, text)| (*class, (*text).to_owned())).collect()
}

fn nothing(anchor: &'static str, title: &str, why: &'static str) -> Chart {
    Chart {
        anchor,
        title: title.to_owned(),
        axis: "",
        wide: String::new(),
        narrow: String::new(),
        legend: Vec::new(),
        head: Vec::new(),
        rows: Vec::new(),
        empty: Some(why),
        sorts: false,
    }
}

fn days(a: &Assessment) -> Result<Chart, ChartError> {
    let total: u64 = a.series.days.iter().map(|d| d.resets).sum();
    if total == 0 {
        return Ok(nothing("chart-days", "Resets over time", "no reset in the period"));
    }
    // Columns stay wide enough to be seen: days up to four months, then weeks, then months of thirty days.
    let (step, unit, axis) = match a.series.days.len() {
        0..=124 => (1, "resets a day", "by day of the organisation’s zone"),
        125..=800 => (7, "resets a week", "by week, from the first day of the data"),
        _ => (30, "resets in 30 days", "by 30 days, from the first day of the data"),
    };
    let mut columns = Vec::new();
    let mut rows = Vec::new();
    let mut month = String::new();
    for chunk in a.series.days.chunks(step) {
        let resets: u64 = chunk.iter().map(|d| d.resets).sum();
        let failed: u64 = chunk.iter().map(|d| d.failed).sum();
        let first = words::date(&chunk[0].day);
        let short = first.rsplit_once(' ').map_or(first.clone(), |(day, _)| day.to_owned());
        // Ticks stand where a reader looks for them: Mondays, then firsts and middles of months, then firsts alone.
        let begins = chunk.iter().find(|d| d.day.get(..7) != Some(month.as_str()));
        let tick = match (step, a.series.days.len()) {
            (1, 0..=42) => monday(&chunk[0].day),
            (1, _) => chunk[0].day.ends_with("-01") || chunk[0].day.ends_with("-15"),
            _ => begins.is_some(),
        };
        if let Some(day) = begins {
            month = day.day.get(..7).unwrap_or_default().to_owned();
        }
        columns.push(Column {
            label: if tick || a.series.days.len() < 7 { short } else { String::new() },
            parts: vec![(Ink::Fail, failed), (Ink::Pass, resets.saturating_sub(failed))],
        });
        rows.push(vec![first, number(resets), number(failed)]);
    }
    let failed: u64 = a.series.days.iter().map(|d| d.failed).sum();
    let title = format!(
        "{} of {} {} an open finding",
        number(failed),
        count(total, "reset", "resets"),
        if failed == 1 { "has" } else { "have" }
    );
    let (wide, narrow) = both(|room| chart::columns(&columns, room, unit, &title))?;
    let first_column = match step {
        1 => "Day",
        7 => "Week from",
        _ => "30 days from",
    };
    Ok(Chart {
        anchor: "chart-days",
        title,
        axis,
        wide,
        narrow,
        legend: legend(&[("fail", "with an open finding"), ("pass", "without")]),
        head: vec![first_column, "Resets", "With an open finding"],
        rows,
        empty: None,
        sorts: true,
    })
}

fn monday(day: &str) -> bool {
    use chrono::Datelike;
    chrono::NaiveDate::parse_from_str(day, "%Y-%m-%d").is_ok_and(|d| d.weekday() == chrono::Weekday::Mon)
}

fn by_control(a: &Assessment) -> Result<Chart, ChartError> {
    let rows: Vec<Row> = a
        .controls
        .iter()
        .filter(|c| c.counts.population > c.counts.not_applicable)
        .map(|c| Row {
            label: visible_cut(&c.id.replace('-', " "), 26),
            parts: vec![
                (Ink::Fail, c.counts.failed),
                (Ink::Waived, c.counts.waived),
                (Ink::Open, c.counts.indeterminate),
                (Ink::Pass, c.counts.passed),
            ],
            note: c.deviation_rate.map_or_else(|| "not judged".to_owned(), words::percent),
        })
        .collect();
    if rows.is_empty() {
        return Ok(nothing("chart-controls", "Verdicts by control", "no check applies to anything"));
    }
    let worst =
        a.controls.iter().filter_map(|c| c.deviation_rate.map(|r| (r, c))).fold(None, |best: Option<(f64, _)>, x| {
            match best {
                Some(b) if b.0 >= x.0 => Some(b),
                _ => Some(x),
            }
        });
    let title = worst.map_or_else(
        || "Verdicts by control".to_owned(),
        |(rate, c)| {
            if rate > 0.0 {
                format!("Most deviations are in {}: {}", visible_cut(&c.id.replace('-', " "), 40), words::percent(rate))
            } else {
                "No control deviates where it could be judged".to_owned()
            }
        },
    );
    let (wide, narrow) = both(|room| chart::shares(&rows, room, &title))?;
    let table = a
        .controls
        .iter()
        .map(|c| {
            let k = &c.counts;
            let mut row = vec![visible_cut(&c.id.replace('-', " "), 60)];
            row.extend([k.failed, k.waived, k.indeterminate, k.passed, k.not_applicable].map(number));
            row.push(c.deviation_rate.map_or_else(|| "–".to_owned(), words::percent));
            row
        })
        .collect();
    Ok(Chart {
        anchor: "chart-controls",
        title,
        axis: "share of the subjects that a check applies to; behind it the deviation rate",
        wide,
        narrow,
        legend: legend(&[("fail", "fails"), ("waived", "accepted"), ("open", "cannot conclude"), ("pass", "holds")]),
        head: vec!["Control", "Fails", "Accepted", "Cannot conclude", "Holds", "Does not apply", "Deviation rate"],
        rows: table,
        empty: None,
        sorts: true,
    })
}

/// One bar a class, those outside policy in the colour of a failure.
fn classes(
    anchor: &'static str,
    bars: &[Bar],
    axis: &'static str,
    column: &'static str,
    title: impl FnOnce(u64, u64) -> String,
) -> Result<Chart, ChartError> {
    let total: u64 = bars.iter().map(|b| b.count).sum();
    let bad: u64 = bars.iter().filter(|b| b.bad).map(|b| b.count).sum();
    let title = title(bad, total);
    let rows: Vec<Row> = bars
        .iter()
        .map(|b| Row {
            label: visible_cut(&b.label, 26),
            parts: vec![(if b.bad { Ink::Fail } else { Ink::Plain }, b.count)],
            note: number(b.count),
        })
        .collect();
    let (wide, narrow) = both(|room| chart::bars(&rows, room, &title))?;
    Ok(Chart {
        anchor,
        title,
        axis,
        wide,
        narrow,
        legend: if bad > 0 {
            legend(&[("fail", "outside policy"), ("plain", "within policy or not known")])
        } else {
            Vec::new()
        },
        head: vec![column, "Count", "Outside policy"],
        rows: bars
            .iter()
            .map(|b| vec![visible(&b.label), number(b.count), if b.bad { "yes".to_owned() } else { "no".to_owned() }])
            .collect(),
        empty: None,
        sorts: false,
    })
}

fn some(bars: &[Bar]) -> bool {
    bars.iter().any(|b| b.count > 0)
}

fn survival(a: &Assessment) -> Result<Chart, ChartError> {
    let bars = &a.series.survival;
    if !some(bars) {
        let why = "no reset has a prior credential in the data";
        return Ok(nothing("chart-survival", "How long prior credentials lived on", why));
    }
    let total: u64 = bars.iter().map(|b| b.count).sum();
    let bad: u64 = bars.iter().filter(|b| b.bad).map(|b| b.count).sum();
    let title =
        format!("{} of {} lived on beyond policy", number(bad), count(total, "prior credential", "prior credentials"));
    // The last class is "not known": neither alive nor ended, so it is no part of the curve.
    let known: u64 = total - bars.last().map_or(0, |b| b.count);
    let mut left = known;
    let mut rows = Vec::new();
    let share = |left: u64| words::percent(left as f64 / known.max(1) as f64);
    // Five limits: at once, 15 min, 1 h, 1 d, 7 d; beyond them only the two open classes follow.
    for (label, bar) in ["at the reset", "after 15 min", "after 1 h", "after 1 d", "after 7 d"].iter().zip(bars) {
        left = left.saturating_sub(bar.count);
        // What is usable now ends in a later class: outside policy where the next class is.
        let outside = bars.iter().skip_while(|b| b.label != bar.label).nth(1).is_some_and(|next| next.bad);
        let ink = if outside { Ink::Fail } else { Ink::Plain };
        rows.push(Row {
            label: (*label).to_owned(),
            parts: vec![(ink, left), (Ink::None, known - left)],
            note: share(left),
        });
    }
    let (wide, narrow) = both(|room| chart::bars(&rows, room, &title))?;
    Ok(Chart {
        anchor: "chart-survival",
        title,
        axis: "share of prior credentials still usable some time after the reset; those whose end is not known are left out",
        wide,
        narrow,
        legend: legend(&[
            ("fail", "usable beyond policy for people"),
            ("plain", "usable within it"),
            ("none", "ended"),
        ]),
        head: vec!["Lived on", "Count", "Outside policy"],
        rows: bars
            .iter()
            .map(|b| vec![visible(&b.label), number(b.count), if b.bad { "yes".to_owned() } else { "no".to_owned() }])
            .collect(),
        empty: None,
        sorts: false,
    })
}

fn lead(a: &Assessment) -> Result<Chart, ChartError> {
    let bars = &a.series.approval_lead;
    if !some(bars) {
        return Ok(nothing("chart-lead", "How early approvals come", "no reset has an approval with an instant"));
    }
    classes("chart-lead", bars, "approvals, by the time between approval and reset", "Approved", |bad, total| {
        format!("{} of {} came too late or too early", number(bad), count(total, "approval", "approvals"))
    })
}

fn dormancy(a: &Assessment) -> Result<Chart, ChartError> {
    let bars = &a.series.dormancy;
    if !some(bars) {
        return Ok(nothing(
            "chart-dormancy",
            "How long targets had been inactive",
            "no activity is known of any target",
        ));
    }
    classes("chart-dormancy", bars, "resets, by the time the target had been inactive", "Inactive for", |bad, total| {
        format!("{} of {} woke an identity that policy calls dormant", number(bad), count(total, "reset", "resets"))
    })
}

fn executors(a: &Assessment) -> Result<Chart, ChartError> {
    let list = &a.series.executors;
    if list.is_empty() {
        return Ok(nothing("chart-executors", "Who carries out resets", "no reset names its executor"));
    }
    // Addresses of one organisation differ before the @: what they share would push that off the page.
    let shared = shared_domain(list.iter().take(10).map(|e| e.executor.as_str()));
    let rows: Vec<Row> = list
        .iter()
        .take(10)
        .map(|e| Row {
            label: visible_cut(e.executor.strip_suffix(shared).unwrap_or(&e.executor), 22),
            parts: vec![(Ink::Fail, e.unapproved), (Ink::Plain, e.resets.saturating_sub(e.unapproved))],
            note: if e.unapproved > 0 {
                format!("{}, {}", number(e.resets), words::percent(e.unapproved as f64 / e.resets.max(1) as f64))
            } else {
                number(e.resets)
            },
        })
        .collect();
    let unapproved: u64 = list.iter().map(|e| e.unapproved).sum();
    let resets: u64 = list.iter().map(|e| e.resets).sum();
    let title = if unapproved == 0 {
        format!(
            "The busiest {} carried out {}",
            count(list.len() as u64, "executor", "executors"),
            count(resets, "reset", "resets")
        )
    } else {
        format!(
            "{} of {} by the busiest executors {} the approval required",
            number(unapproved),
            count(resets, "reset", "resets"),
            if unapproved == 1 { "lacks" } else { "lack" }
        )
    };
    let (wide, narrow) = both(|room| chart::bars(&rows, room, &title))?;
    Ok(Chart {
        anchor: "chart-executors",
        title,
        axis: "resets by executor, as named in the source; behind it the number, and the share without the approval required",
        wide,
        narrow,
        legend: legend(&[("fail", "approval required and missing"), ("plain", "the rest")]),
        head: vec!["Executor", "Resets", "Approval missing"],
        rows: list
            .iter()
            .map(|e| vec![visible_cut(&e.executor, 120), number(e.resets), number(e.unapproved)])
            .collect(),
        empty: None,
        sorts: true,
    })
}

/// `@domain` that more than one of these addresses have and all others lack an `@`; empty when there is none.
fn shared_domain<'a>(names: impl Iterator<Item = &'a str>) -> &'a str {
    let mut domains: Vec<&str> = names.filter_map(|name| name.rfind('@').map(|at| &name[at..])).collect();
    let addresses = domains.len();
    domains.dedup();
    if domains.len() == 1 && addresses > 1 { domains[0] } else { "" }
}

/// Lines of the lineage that are drawn; the table has all.
const DRAWN: usize = 24;

fn lineage(a: &Assessment, clock: Clock) -> Result<Chart, ChartError> {
    let links = &a.series.lineage;
    if links.is_empty() {
        let why = "nobody who had just been reset began to reset others";
        return Ok(nothing("chart-lineage", "Who reset whom after being reset", why));
    }
    let branches = branches(links, clock);
    let began: std::collections::BTreeSet<&str> = links.iter().filter(|l| l.first).map(|l| l.to.as_str()).collect();
    let mut title =
        format!("{} began to reset others soon after being reset", count(began.len() as u64, "person", "people"));
    if branches.len() > DRAWN {
        title.push_str(&format!(" (first {} lines of {})", number(DRAWN as u64), number(branches.len() as u64)));
    }
    let drawn = &branches[..branches.len().min(DRAWN)];
    let (wide, narrow) = both(|room| chart::tree(drawn, room, &title))?;
    let mut rows: Vec<Vec<String>> = links
        .iter()
        .map(|l| {
            let from = if l.from.is_empty() { "not reported".to_owned() } else { visible_cut(&l.from, 120) };
            vec![clock.when(&l.at).text, from, visible_cut(&l.to, 120), visible_cut(&l.action, 60)]
        })
        .collect();
    if a.series.lineage_omitted > 0 {
        rows.push(vec![
            format!("… and {} more", number(a.series.lineage_omitted)),
            String::new(),
            String::new(),
            String::new(),
        ]);
    }
    Ok(Chart {
        anchor: "chart-lineage",
        title,
        axis: "each line was reset by the one it hangs on",
        wide,
        narrow,
        legend: legend(&[("fail", "reset others soon after"), ("plain", "was reset")]),
        head: vec!["When", "Who", "Reset whom", "Action"],
        rows,
        empty: None,
        sorts: true,
    })
}

/// The links as a forest, each once, in the order of time.
fn branches(links: &[LineageLink], clock: Clock) -> Vec<Branch> {
    let mut used = vec![false; links.len()];
    let mut out = Vec::new();
    for start in 0..links.len() {
        if used[start] {
            continue;
        }
        let from = &links[start].from;
        let label = if from.is_empty() { "not reported".to_owned() } else { visible_cut(from, 26) };
        out.push(Branch { depth: 0, label, note: String::new(), ink: Ink::Grid });
        // A stack, deepest last: what somebody did later hangs below what was done to them.
        let mut next: Vec<(usize, usize)> =
            (start..links.len()).rev().filter(|&j| !used[j] && links[j].from == *from).map(|j| (j, 1)).collect();
        while let Some((i, depth)) = next.pop() {
            if std::mem::replace(&mut used[i], true) {
                continue;
            }
            let link = &links[i];
            out.push(Branch {
                depth,
                label: visible_cut(&link.to, 26),
                note: format!("{} · {}", visible_cut(&link.action, 20), clock.when(&link.at).text),
                ink: if link.first { Ink::Fail } else { Ink::Plain },
            });
            let below = (i + 1..links.len()).rev().filter(|&j| !used[j] && links[j].from == link.to);
            next.extend(below.map(|j| (j, depth + 1)));
        }
    }
    out
}

fn hours(a: &Assessment) -> Result<Chart, ChartError> {
    const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    const HEAD: [&str; 27] = [
        "Day", "Resets", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16",
        "17", "18", "19", "20", "21", "22", "23", "All",
    ];
    let all = &a.series.hours;
    // Automation runs at night by design: it would hide what people do there.
    let by_hand = |hours: &[Vec<u64>]| hours.iter().flatten().any(|n| *n > 0);
    let (shown, whose) =
        if by_hand(&a.series.desk_hours) { (&a.series.desk_hours, "carried out for somebody else") } else { (all, "") };
    let most = shown.iter().flatten().copied().max().unwrap_or(0);
    if most == 0 {
        return Ok(nothing("chart-hours", "When resets happen", "no reset in the period"));
    }
    let total: u64 = shown.iter().flatten().sum();
    let resets = if whose.is_empty() {
        count(total, "reset", "resets")
    } else {
        format!("{} {whose}", count(total, "reset", "resets"))
    };
    let working = working(a);
    let title = match a.series.desk_off_hours.filter(|_| !whose.is_empty()) {
        Some(off) => {
            format!("{} of {resets} {} outside working hours", number(off), if off == 1 { "was" } else { "were" })
        }
        None => {
            let busiest = shown.iter().enumerate().find_map(|(d, row)| Some((d, row.iter().position(|n| *n == most)?)));
            let (day, hour) = busiest.unwrap_or_default();
            let day = DAYS.get(day).unwrap_or(&"day");
            format!("The busiest hour is {day} {hour:02}:00, with {} of {resets}", number(most))
        }
    };
    let (wide, narrow) = both(|room| chart::heat(shown, working, room, &title))?;
    let mut legend = vec![("h0", "none".to_owned()), ("h1", "few".to_owned())];
    legend.push(("h6", format!("up to {} an hour", number(most))));
    if working.is_some() {
        legend.push(("frame", "working hours".to_owned()));
    }
    let row = |name: &str, what: &str, counts: &[u64]| -> Vec<String> {
        let cells = counts.iter().take(24).copied();
        [name.to_owned(), what.to_owned()].into_iter().chain(cells.chain([counts.iter().sum()]).map(number)).collect()
    };
    let mut rows = Vec::new();
    for (d, name) in DAYS.iter().enumerate() {
        if !whose.is_empty() {
            rows.extend(a.series.desk_hours.get(d).map(|counts| row(name, "for somebody else", counts)));
        }
        rows.extend(all.get(d).map(|counts| row(name, "all", counts)));
    }
    Ok(Chart {
        anchor: "chart-hours",
        title,
        axis: if a.run.timezone.is_some() {
            "weekday and hour of the organisation’s zone; automation and self-service only in the table; holidays stand with the other days"
        } else {
            "weekday and hour of UTC: no zone is configured, so working hours are not known; automation and self-service only in the table"
        },
        wide,
        narrow,
        legend,
        head: HEAD.to_vec(),
        rows,
        empty: None,
        sorts: false,
    })
}

/// The working hours in force; null without a zone, in which they would mean nothing.
fn working(a: &Assessment) -> Option<Working> {
    a.run.timezone.as_ref()?;
    let (from, until) = a.run.policy.get("working_hours")?.as_str()?.split_once('-')?;
    let hour = |text: &str| -> Option<f64> {
        let (hour, minute) = text.split_once(':')?;
        let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
        (hour <= 24 && minute < 60).then(|| f64::from(hour) + f64::from(minute) / 60.0)
    };
    let hours = (hour(from)?, hour(until)?);
    let named: Vec<&str> =
        a.run.policy.get("working_days")?.as_array()?.iter().filter_map(|day| day.as_str()).collect();
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].map(|day| named.contains(&day));
    (hours.0 < hours.1 && hours.1 <= 24.0 && days.contains(&true)).then_some(Working { days, hours })
}
