//! The site's index: the latest report, what changed, how things go, and every run.

use serde::Serialize;

use super::history::{Line, micros, word};
use crate::check::Severity;
use crate::render::chart::{self, ChartError, Column, Ink, Point, Room};
use crate::render::html::Still;
use crate::render::html::words::{Clock, Verdict, When, count, number, percent, verdict, visible, visible_cut};
use crate::report::model::Standing;
use crate::time::DAY;

const TEMPLATE: &str = include_str!("../../templates/site.html");
const OWN_STYLE: &str = include_str!("../../templates/site.css");
/// Marks that a trend has at most: each stands for the last run of its share of the time.
const MARKS: usize = 60;
/// Runs that stand open to the eye.
const LISTED: usize = 30;

#[derive(Serialize)]
struct Page {
    title: String,
    version: String,
    as_of: When,
    span: String,
    run: String,
    digest: String,
    state: String,
    headline: String,
    controls: Vec<Control>,
    changes: Vec<String>,
    stale: Vec<String>,
    charts: Vec<Chart>,
    runs: Vec<Run>,
    older: Vec<Run>,
    runs_line: String,
}

#[derive(Serialize)]
struct Control {
    id: String,
    title: String,
    verdict: Verdict,
    rate: String,
}

#[derive(Serialize)]
struct Chart {
    id: &'static str,
    title: &'static str,
    said: String,
    wide: String,
    narrow: String,
}

#[derive(Serialize)]
struct Run {
    name: Option<String>,
    as_of: When,
    verdict: Verdict,
    open: Vec<String>,
    accepted: String,
    new: String,
    resets: String,
    digest: String,
    pinned: bool,
}

/// The page; `lines` in the order of time with at least one, `zone` as the config names it.
///
/// # Errors
/// Only when the embedded template and this module disagree, or the chart backend refuses.
pub fn html(lines: &[Line], pins: &[String], zone: Option<&str>) -> Result<String, String> {
    let page = page(lines, pins, zone).map_err(|error| error.to_string())?;
    let run: String = page.digest.chars().take(16).collect();
    let title: String = page.title.chars().take(80).collect();
    let own = Still {
        name: "site.html",
        template: TEMPLATE,
        style: OWN_STYLE,
        title: page.title.clone(),
        header: format!("{title} · {} · run {run}", page.span),
    };
    own.render(page)
}

fn page(lines: &[Line], pins: &[String], zone: Option<&str>) -> Result<Page, ChartError> {
    let clock = Clock::new(zone);
    let nothing = Line::default();
    let last = lines.last().unwrap_or(&nothing);
    let mut runs: Vec<Run> = lines.iter().rev().map(|line| run(line, pins, clock)).collect();
    let kept = lines.iter().filter(|line| line.kept).count() as u64;
    let gone = lines.len() as u64 - kept;
    let older = runs.split_off(runs.len().min(LISTED));
    Ok(Page {
        title: last.title.as_deref().map_or_else(|| "Credential resets".to_owned(), visible),
        version: visible_cut(&last.version, 40),
        as_of: clock.when(&last.as_of),
        span: clock.span(last.since.as_deref(), last.until.as_deref()),
        run: last.run.clone(),
        digest: visible_cut(&last.digest, 128),
        state: last.state().to_owned(),
        headline: headline(last),
        controls: last
            .controls
            .iter()
            .map(|(id, title, standing, rate)| Control {
                id: visible_cut(id, 80),
                title: visible(title),
                verdict: verdict(*standing),
                rate: rate
                    .map_or_else(|| "nothing could be judged".to_owned(), |rate| format!("{} deviate", percent(rate))),
            })
            .collect(),
        changes: last.changes.iter().map(|line| visible(line)).collect(),
        stale: last.stale.iter().map(|path| visible(path)).collect(),
        charts: charts(&marks(lines), clock)?,
        runs_line: if gone == 0 {
            count(kept, "run", "runs")
        } else {
            format!("{}; of {} only the figures are kept", count(kept, "run", "runs"), number(gone))
        },
        runs,
        older,
    })
}

fn headline(line: &Line) -> String {
    let all: u64 = line.open.values().sum();
    let urgent: u64 = [Severity::Critical, Severity::High].iter().filter_map(|s| line.open.get(s)).sum();
    match line.state() {
        "no data" => "No reset and no credential was in the inputs: nothing could be judged.".to_owned(),
        "no findings" => "Every check could be judged, and nothing is open.".to_owned(),
        "cannot conclude" => {
            let open = line.checks.get(word(Standing::CannotConclude)).copied().unwrap_or(0);
            format!("Nothing is open, but {} cannot conclude.", count(open, "check", "checks"))
        }
        _ => {
            let verb = if all == 1 { "is" } else { "are" };
            let urgent = match urgent {
                0 => "none of them critical or high".to_owned(),
                n => format!("{} of them critical or high", number(n)),
            };
            format!("{} {verb} open, {urgent}.", count(all, "finding", "findings"))
        }
    }
}

fn run(line: &Line, pins: &[String], clock: Clock) -> Run {
    let worst = line.controls.iter().map(|control| control.2).min().unwrap_or(Standing::CannotConclude);
    Run {
        name: line.kept.then(|| line.run.clone()),
        as_of: clock.when(&line.as_of),
        verdict: verdict(worst),
        open: Severity::ALL.iter().map(|s| number(line.open.get(s).copied().unwrap_or(0))).collect(),
        accepted: number(line.accepted),
        new: line.new.map_or_else(|| "–".to_owned(), number),
        resets: number(line.resets),
        digest: line.digest.chars().take(12).collect(),
        pinned: pins.contains(&line.run),
    }
}

/// At most [`MARKS`] lines, the last of each share.
fn marks(lines: &[Line]) -> Vec<&Line> {
    let share = lines.len().div_ceil(MARKS).max(1);
    // Counted from the end, so that the last mark is the last run.
    let mut marks: Vec<&Line> = lines.iter().rev().step_by(share).collect();
    marks.reverse();
    marks
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn concluding(line: &Line) -> Option<f64> {
    let all: u64 = line.checks.values().sum();
    share(all - line.checks.get(word(Standing::CannotConclude)).copied().unwrap_or(0), all)
}

fn charts(lines: &[&Line], clock: Clock) -> Result<Vec<Chart>, ChartError> {
    let Some(last) = lines.last().copied() else { return Ok(Vec::new()) };
    let both = |id, title, said: String, draw: &dyn Fn(Room) -> Result<String, ChartError>| {
        Ok::<_, ChartError>(Chart { id, title, said, wide: draw(Room::Wide)?, narrow: draw(Room::Narrow)? })
    };
    let columns = |parts: &dyn Fn(&Line) -> Vec<(Ink, u64)>| -> Vec<Column> {
        lines.iter().map(|line| Column { label: clock.day(&line.as_of), parts: parts(line) }).collect()
    };
    let points = |value: &dyn Fn(&Line) -> Option<f64>| -> Vec<Point> {
        lines.iter().map(|line| Point { label: clock.day(&line.as_of), value: value(line) }).collect()
    };
    let inks = [Ink::Heat(6), Ink::Heat(5), Ink::Heat(4), Ink::Heat(3), Ink::Heat(2)];
    let open = columns(&|line| {
        Severity::ALL.iter().zip(inks).map(|(s, ink)| (ink, line.open.get(s).copied().unwrap_or(0))).collect()
    });
    let by: Vec<String> =
        Severity::ALL.iter().filter_map(|s| line_count(last, *s).map(|n| format!("{} {s}", number(n)))).collect();
    let resets = columns(&|line| vec![(Ink::Plain, line.resets)]);
    let unapproved = points(&|line| line.unapproved.and_then(|(n, of)| share(n, of)).map(|x| x * 100.0));
    let outlived = points(&|line| line.outlived_hours);
    let accepted = columns(&|line| vec![(Ink::Waived, line.accepted)]);
    let coverage = points(&|line| concluding(line).map(|x| x * 100.0));
    Ok(vec![
        both(
            "open",
            "Open findings, the most severe at the bottom",
            if by.is_empty() { "Nothing is open.".to_owned() } else { format!("Now {}.", by.join(", ")) },
            &|room| chart::columns(&open, room, "findings", "Open findings of each run by severity"),
        )?,
        both("resets", "Resets judged", format!("Now {}.", number(last.resets)), &|room| {
            chart::columns(&resets, room, "resets", "Resets judged in each run")
        })?,
        both(
            "unapproved",
            "Resets that needed an approval and have none",
            last.unapproved.map_or_else(
                || "Not known: no input tells of approvals.".to_owned(),
                |(n, of)| format!("Now {} of {} ({}).", number(n), number(of), percent(n as f64 / of as f64)),
            ),
            &|room| chart::line(&unapproved, room, "per cent", "Share of resets without the approval they needed"),
        )?,
        both("outlived", "How long prior credentials outlive a reset", outlived_words(last), &|room| {
            chart::line(&outlived, room, "hours, median", "Median hours that prior credentials outlived their reset")
        })?,
        both("accepted", "Exceptions in force", growth(lines), &|room| {
            chart::columns(&accepted, room, "accepted findings", "Findings that a waiver in force accepts")
        })?,
        both(
            "coverage",
            "What the inputs can tell: checks that conclude",
            format!(
                "Now {} of {}, from {}.",
                number(
                    last.checks.values().sum::<u64>()
                        - last.checks.get(word(Standing::CannotConclude)).copied().unwrap_or(0)
                ),
                count(last.checks.values().sum(), "check", "checks"),
                count(last.inputs, "input", "inputs")
            ),
            &|room| chart::line(&coverage, room, "per cent", "Share of checks that conclude"),
        )?,
    ])
}

fn line_count(line: &Line, severity: Severity) -> Option<u64> {
    line.open.get(&severity).copied().filter(|n| *n > 0)
}

fn outlived_words(line: &Line) -> String {
    let living = line
        .outliving
        .map(|(living, of)| format!("{} of {} resets still have a living one", number(living), number(of)));
    match (line.outlived_hours, living) {
        (Some(hours), Some(living)) => {
            format!("Now {} in the middle; {living}.", crate::time::format_duration_hours(hours))
        }
        (None, Some(living)) => format!("No median: {living}."),
        (_, None) => "Not known: the report keeps no subjects.".to_owned(),
    }
}

/// How many exceptions there are, and how many more than a month before.
fn growth(lines: &[&Line]) -> String {
    let Some(last) = lines.last() else { return String::new() };
    let now = format!(
        "Now {} accepted by {}",
        count(last.accepted, "finding", "findings"),
        count(last.waivers, "waiver", "waivers")
    );
    let month_ago = micros(&last.as_of).map(|at| at - 30 * DAY);
    let before = lines.iter().rev().find(|line| micros(&line.as_of) <= month_ago);
    match before {
        Some(before) if last.accepted >= before.accepted => {
            format!("{now}, {} more than 30 days before.", number(last.accepted - before.accepted))
        }
        Some(before) => format!("{now}, {} fewer than 30 days before.", number(before.accepted - last.accepted)),
        None => format!("{now}."),
    }
}
