//! The time line of one identity: to scale, except for long silences, which are cut short and say how long they are.

use serde::Serialize;

use super::population::Segment;
use crate::render::html::words::{self, Clock, visible};
use crate::report::model::IdentityStory;

/// A silence is only cut when it is at least this long, in seconds …
const SHORTEST_CUT: i64 = 6 * 3_600;
/// … and longer than this part of what is drawn to scale.
const SHARE_CUT: i64 = 4;
/// Silences that are cut; with more of them little would be left to scale.
const CUTS: usize = 4;
/// Width of a cut, in per cent.
const CUT_WIDTH: f64 = 12.0;
/// Room left and right of the first and the last point, in per cent.
const PAD: f64 = 2.5;
/// Least distance of two dates below the line, in per cent.
const DATES_APART: f64 = 13.0;

/// What the template draws; positions in per cent.
#[derive(Clone, Serialize)]
pub(super) struct Strip {
    /// Employment, or the life of a workload.
    periods: Vec<Segment>,
    cuts: Vec<Cut>,
    marks: Vec<Mark>,
    dates: Vec<Tick>,
    /// Where the data ends, if that is after everything else.
    as_of: Option<Tick>,
    from: String,
    to: String,
}

/// A silence that is not drawn to scale.
#[derive(Clone, Serialize)]
struct Cut {
    x: String,
    width: String,
    middle: String,
    lasts: String,
}

/// A dot of the time line.
#[derive(Clone, Serialize)]
struct Mark {
    class: &'static str,
    x: String,
    title: String,
}

/// A position with its date.
#[derive(Clone, Serialize)]
struct Tick {
    x: String,
    text: String,
}

fn per_cent(x: f64) -> String {
    format!("{x:.2}%")
}

/// Null when the story has no moment to draw.
pub(super) fn strip(s: &IdentityStory, clock: Clock, as_of: &str) -> Option<Strip> {
    let scale = Scale::new(s, as_of)?;
    let day = |t: i64| chrono::DateTime::from_timestamp(t, 0).map(|t| clock.day(&t.to_rfc3339())).unwrap_or_default();
    let as_of = Clock::seconds(as_of).filter(|t| *t == scale.last());
    let marks = s.timeline.iter().filter_map(|m| {
        let t = Clock::seconds(&m.at).filter(|t| (scale.first()..=scale.last()).contains(t))?;
        let title = format!("{}: {}", clock.when(&m.at).text, visible(&m.text));
        Some(Mark { class: super::stories::moment_class(&m.kind), x: per_cent(scale.x(t)), title })
    });
    let periods = s.periods.iter().filter_map(|(from, to)| {
        let from = from.as_deref().and_then(Clock::seconds).filter(|t| *t >= scale.first()).map_or(0.0, |t| scale.x(t));
        let to = to
            .as_deref()
            .and_then(Clock::seconds)
            .filter(|t| *t <= scale.last())
            .map_or(scale.x(scale.last()), |t| scale.x(t));
        (to > from).then(|| Segment { class: "life", x: per_cent(from), width: per_cent(to - from) })
    });
    let cuts = scale.stretches.iter().filter(|part| part.cut).map(|part| Cut {
        x: per_cent(part.at),
        width: per_cent(part.width),
        middle: per_cent(part.at + part.width / 2.0),
        lasts: words::duration((part.to - part.from) as f64),
    });
    // A date where drawing to scale begins again, if the one before it leaves room.
    let mut dates = vec![Tick { x: per_cent(0.0), text: day(scale.first()) }];
    let (mut free, mut cut_before) = (DATES_APART, false);
    for part in &scale.stretches {
        let room_at_the_end = if as_of.is_some() { 78.0 } else { 84.0 };
        if cut_before && part.at >= free && part.at < room_at_the_end {
            dates.push(Tick { x: per_cent(part.at), text: day(part.from) });
            free = part.at + DATES_APART;
        }
        cut_before = part.cut;
    }
    Some(Strip {
        periods: periods.collect(),
        cuts: cuts.collect(),
        marks: marks.collect(),
        dates,
        as_of: as_of.map(|t| Tick { x: per_cent(scale.x(t)), text: format!("as of {}", day(t)) }),
        from: day(scale.first()),
        to: day(scale.last()),
    })
}

/// From one point to the next.
struct Stretch {
    from: i64,
    to: i64,
    cut: bool,
    at: f64,
    width: f64,
}

/// Seconds to per cent.
struct Scale {
    stretches: Vec<Stretch>,
}

impl Scale {
    fn new(s: &IdentityStory, as_of: &str) -> Option<Self> {
        let mut points: Vec<i64> = s
            .timeline
            .iter()
            .filter(|m| !matches!(m.kind.as_str(), "started" | "ended"))
            .filter_map(|m| Clock::seconds(&m.at))
            .collect();
        let (first, last) = (*points.iter().min()?, *points.iter().max()?);
        // An end of employment shortly before the first event is what the story is about: it belongs on the line.
        let near = (last - first).max(30 * 86_400);
        let ends = s.periods.iter().filter_map(|(_, to)| to.as_deref().and_then(Clock::seconds));
        points.extend(ends.filter(|t| first - near < *t && *t < last + near));
        points.extend(Clock::seconds(as_of).filter(|t| *t > last));
        points.sort_unstable();
        points.dedup();
        if points.len() == 1 {
            points.push(first + 3_600);
        }
        Some(Self::over(&points))
    }

    /// `points` ascend and are at least two.
    fn over(points: &[i64]) -> Self {
        let mut stretches: Vec<Stretch> = points
            .windows(2)
            .map(|pair| Stretch { from: pair[0], to: pair[1], cut: false, at: 0.0, width: 0.0 })
            .collect();
        let to_scale = |stretches: &[Stretch]| -> i64 {
            stretches.iter().filter(|part| !part.cut).map(|part| part.to - part.from).sum()
        };
        for _ in 0..CUTS {
            let all = to_scale(&stretches);
            let longest = stretches.iter_mut().filter(|part| !part.cut).max_by_key(|part| part.to - part.from);
            let Some(longest) = longest else { break };
            let lasts = longest.to - longest.from;
            if lasts < SHORTEST_CUT || lasts * SHARE_CUT <= all {
                break;
            }
            longest.cut = true;
        }
        let seconds = to_scale(&stretches);
        let cuts = stretches.iter().filter(|part| part.cut).count() as f64;
        let room = 100.0 - 2.0 * PAD;
        let cut = if seconds == 0 { room / cuts } else { CUT_WIDTH };
        let mut at = PAD;
        for part in &mut stretches {
            let share = (part.to - part.from) as f64 / seconds.max(1) as f64;
            part.at = at;
            part.width = if part.cut { cut } else { share * (room - cut * cuts) };
            at += part.width;
        }
        Self { stretches }
    }

    fn first(&self) -> i64 {
        self.stretches.first().map_or(0, |part| part.from)
    }

    fn last(&self) -> i64 {
        self.stretches.last().map_or(0, |part| part.to)
    }

    fn x(&self, t: i64) -> f64 {
        let part = self.stretches.iter().find(|part| t <= part.to).or(self.stretches.last());
        part.map_or(0.0, |part| {
            let share = (t - part.from) as f64 / (part.to - part.from) as f64;
            part.at + share.clamp(0.0, 1.0) * part.width
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600;
    const DAY: i64 = 24 * HOUR;

    #[test]
    fn a_burst_keeps_its_scale_and_the_silence_before_it_is_cut() {
        let scale = Scale::over(&[0, 50 * DAY, 50 * DAY + HOUR, 50 * DAY + 3 * HOUR]);
        let cut: Vec<bool> = scale.stretches.iter().map(|part| part.cut).collect();
        assert_eq!(cut, [true, false, false]);
        let x: Vec<f64> =
            [0, 50 * DAY, 50 * DAY + HOUR, 50 * DAY + 3 * HOUR].iter().map(|t| scale.x(*t).round()).collect();
        assert_eq!(x, [3.0, 15.0, 42.0, 98.0]);
        // Twice the time, twice the room.
        assert!((scale.stretches[2].width - 2.0 * scale.stretches[1].width).abs() < 1e-9);
    }

    #[test]
    fn even_silences_and_short_ones_are_not_cut() {
        let even = Scale::over(&[0, DAY, 2 * DAY, 3 * DAY, 4 * DAY, 5 * DAY]);
        assert!(even.stretches.iter().all(|part| !part.cut));
        let short = Scale::over(&[0, 5 * HOUR]);
        assert!(!short.stretches[0].cut && (short.x(5 * HOUR) - 97.5).abs() < 1e-9);
    }

    #[test]
    fn two_points_far_apart_fill_the_line() {
        let scale = Scale::over(&[0, 900 * DAY]);
        assert!(scale.stretches[0].cut);
        assert_eq!([scale.x(0).round(), scale.x(900 * DAY).round()], [3.0, 98.0]);
    }

    #[test]
    fn points_stay_in_order_and_on_the_line_however_many_are_cut() {
        let points: Vec<i64> = (0..40).map(|i: i64| i.pow(4) * HOUR).collect();
        let scale = Scale::over(&points);
        assert_eq!(scale.stretches.iter().filter(|part| part.cut).count(), 0, "none is a quarter of the rest");
        let sparse: Vec<i64> = (0..9).map(|i| 10_i64.pow(i) * HOUR).collect();
        let scale = Scale::over(&sparse);
        assert_eq!(scale.stretches.iter().filter(|part| part.cut).count(), CUTS);
        for scale in [scale, Scale::over(&points)] {
            let ends: Vec<f64> = scale.stretches.iter().map(|part| part.at + part.width).collect();
            assert!(ends.windows(2).all(|pair| pair[0] <= pair[1]));
            assert!((ends[ends.len() - 1] - (100.0 - PAD)).abs() < 1e-9);
        }
    }
}
