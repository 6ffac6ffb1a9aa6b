//! Charts as inline SVG, drawn straight through Plotters' SVG backend.
//!
//! The backend measures no text and looks up no font, so a chart has the same bytes on every machine. Colours are
//! markers that become classes once the drawing is done: the page's style sheet gives them their value in light, dark
//! and print, and no `style` attribute is needed. What to draw is left to [`super::html`].

use plotters::backend::{DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoFont, RGBColor, TextStyle};

use super::html::words;

/// A chart could not be drawn; the backend only ever writes to memory.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ChartError(String);

impl ChartError {
    // Plotters does not export the type of the backend's errors.
    fn from_backend(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// What a mark stands for; the style sheet knows its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// Fails.
    Fail,
    /// A waiver accepts it.
    Waived,
    /// Cannot be judged.
    Open,
    /// Holds.
    Pass,
    /// Does not apply.
    None,
    /// A plain quantity.
    Plain,
    /// Lines behind the marks.
    Grid,
    /// Text.
    Text,
    /// Text that steps back.
    Quiet,
    /// An outline around marks.
    Frame,
    /// Cell of a heat map, 0 (nothing) to 6 (most).
    Heat(u8),
}

const INKS: [(Ink, &str); 17] = [
    (Ink::Fail, "c-fail"),
    (Ink::Waived, "c-waived"),
    (Ink::Open, "c-open"),
    (Ink::Pass, "c-pass"),
    (Ink::None, "c-none"),
    (Ink::Plain, "c-plain"),
    (Ink::Grid, "c-grid"),
    (Ink::Text, "c-text"),
    (Ink::Quiet, "c-quiet"),
    (Ink::Frame, "c-frame"),
    (Ink::Heat(0), "c-h0"),
    (Ink::Heat(1), "c-h1"),
    (Ink::Heat(2), "c-h2"),
    (Ink::Heat(3), "c-h3"),
    (Ink::Heat(4), "c-h4"),
    (Ink::Heat(5), "c-h5"),
    (Ink::Heat(6), "c-h6"),
];

impl Ink {
    fn marker(self) -> RGBColor {
        // Every ink is in the list; steps beyond the last are drawn as the most.
        let at = INKS.iter().position(|(ink, _)| *ink == self).unwrap_or(INKS.len() - 1);
        RGBColor(0x0a, 0x01, at as u8)
    }
}

/// Markers become classes; what the page says better goes. Text from data holds no bare quote, so no label matches.
fn themed(svg: &str, label: &str) -> String {
    let mut out = svg.replace(" xmlns=\"http://www.w3.org/2000/svg\"", "");
    for (at, (_, class)) in INKS.iter().enumerate() {
        for attribute in ["fill", "stroke"] {
            let marker = format!("{attribute}=\"#0A01{at:02X}\"");
            if out.contains(&marker) {
                out = out.replace(&marker, &format!("class=\"{class}\""));
            }
        }
    }
    for noise in [" opacity=\"1\"", " stroke=\"none\"", " font-family=\"sans-serif\"", " stroke-width=\"1\""] {
        out = out.replace(noise, "");
    }
    let label = label.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    out.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{label}\" "), 1)
}

/// Which side of its point a text stands on.
#[derive(Clone, Copy)]
enum Side {
    Right,
    Left,
}

struct Pen<'a, 'b> {
    backend: &'a mut SVGBackend<'b>,
}

impl Pen<'_, '_> {
    fn rect(&mut self, x: f64, y: f64, w: f64, h: f64, ink: Ink) -> Result<(), ChartError> {
        let (x, y, right, bottom) = (x.round(), y.round(), (x + w).round(), (y + h).round());
        let style = ink.marker().filled();
        self.backend
            .draw_rect((x as i32, y as i32), (right as i32, bottom as i32), &style, true)
            .map_err(ChartError::from_backend)
    }

    fn line(&mut self, from: (f64, f64), to: (f64, f64), ink: Ink) -> Result<(), ChartError> {
        let style = ink.marker().stroke_width(1);
        let point = |p: (f64, f64)| (p.0.round() as i32, p.1.round() as i32);
        self.backend.draw_line(point(from), point(to), &style).map_err(ChartError::from_backend)
    }

    /// The scale of counts from 0 to `max`, its unit above it: lines from `x.0` to `x.1`, over a height of `y.1` below `y.0`.
    fn scale(&mut self, max: u64, unit: &str, x: (f64, f64), y: (f64, f64)) -> Result<(), ChartError> {
        // What `ceiling` gives begins with 1, 2, 3, 4, 5, 6 or 8.
        let thirds = [3, 6].contains(&(max / 10_u64.pow(max.max(1).ilog10())));
        let ticks = if thirds {
            3
        } else if max.is_multiple_of(4) {
            4
        } else if max.is_multiple_of(5) {
            5
        } else {
            max.min(2)
        };
        self.text(0.0, 8.0, unit, Side::Right, Ink::Quiet)?;
        for tick in 0..=ticks {
            let n = max / ticks * tick;
            let at = y.0 + y.1 - y.1 * (n as f64 / max as f64);
            self.line((x.0, at), (x.1, at), Ink::Grid)?;
            self.text(x.0 - 8.0, at, &words::number(n), Side::Left, Ink::Quiet)?;
        }
        Ok(())
    }

    fn text(&mut self, x: f64, y: f64, text: &str, side: Side, ink: Ink) -> Result<(), ChartError> {
        let h = match side {
            Side::Right => HPos::Left,
            Side::Left => HPos::Right,
        };
        // 1.24 is what the backend divides by.
        let font = ("sans-serif", 13.0 * 1.24).into_font();
        let colour = ink.marker();
        let style = TextStyle::from(font).color(&colour).pos(Pos::new(h, VPos::Center));
        self.backend.draw_text(text, &style, (x.round() as i32, y.round() as i32)).map_err(ChartError::from_backend)
    }
}

fn draw(
    size: (f64, f64),
    label: &str,
    paint: impl FnOnce(&mut Pen<'_, '_>) -> Result<(), ChartError>,
) -> Result<String, ChartError> {
    let mut svg = String::new();
    {
        let mut backend = SVGBackend::with_string(&mut svg, (size.0 as u32, size.1 as u32));
        paint(&mut Pen { backend: &mut backend })?;
        backend.present().map_err(ChartError::from_backend)?;
    }
    Ok(themed(&svg, label))
}

/// How much room a chart has; the page shows the one that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// A screen or a sheet of paper.
    Wide,
    /// A phone.
    Narrow,
}

impl Room {
    /// Of so many points every how many have a label.
    fn every(self, points: usize) -> usize {
        let labels = match self {
            Self::Wide => 6,
            Self::Narrow => 3,
        };
        points.div_ceil(labels).max(1)
    }

    fn width(self) -> f64 {
        match self {
            Self::Wide => 580.0,
            Self::Narrow => 340.0,
        }
    }
}

/// One row of a bar chart: its name, its parts from the left, and what is printed behind it.
#[derive(Clone, Debug)]
pub struct Row {
    /// Made visible and cut by whoever built it.
    pub label: String,
    /// Quantities with what they stand for.
    pub parts: Vec<(Ink, u64)>,
    /// Direct label.
    pub note: String,
}

impl Row {
    fn total(&self) -> u64 {
        self.parts.iter().map(|(_, n)| n).sum()
    }
}

/// Where the segments of one bar begin and how wide they are; a part that is not nothing has at least two units.
fn segments(parts: &[(Ink, u64)], total: u64, room: f64) -> Vec<(Ink, f64, f64)> {
    let scale = room / total.max(1) as f64;
    let wide: Vec<_> =
        parts.iter().filter(|(_, n)| *n > 0).map(|(ink, n)| (*ink, (*n as f64 * scale).max(2.0))).collect();
    let sum: f64 = wide.iter().map(|(_, w)| w).sum();
    let shrink = if sum > room { room / sum } else { 1.0 };
    let mut x = 0.0;
    wide.into_iter()
        .map(|(ink, w)| {
            let at = x;
            x += w * shrink;
            (ink, at, w * shrink)
        })
        .collect()
}

/// Horizontal bars from zero, each labelled directly.
///
/// # Errors
/// When the backend refuses to draw.
pub fn bars(rows: &[Row], room: Room, label: &str) -> Result<String, ChartError> {
    let most = rows.iter().map(Row::total).max().unwrap_or(0);
    horizontal(rows, room, label, |_| most)
}

/// Horizontal bars that each fill the width: parts of a whole.
///
/// # Errors
/// When the backend refuses to draw.
pub fn shares(rows: &[Row], room: Room, label: &str) -> Result<String, ChartError> {
    horizontal(rows, room, label, Row::total)
}

fn horizontal(rows: &[Row], room: Room, label: &str, whole: impl Fn(&Row) -> u64) -> Result<String, ChartError> {
    let width = room.width();
    // On a phone the name stands above its bar.
    let (left, right, step, bar) = match room {
        Room::Wide => (186.0, 92.0, 30.0, 16.0),
        Room::Narrow => (0.0, 84.0, 44.0, 14.0),
    };
    let space = width - left - right;
    draw((width, step * rows.len() as f64 + 8.0), label, |pen| {
        pen.line((left, 0.0), (left, step * rows.len() as f64 + 8.0), Ink::Grid)?;
        for (i, row) in rows.iter().enumerate() {
            let top = 4.0 + i as f64 * step;
            let y = match room {
                Room::Wide => {
                    pen.text(left - 10.0, top + step / 2.0, &row.label, Side::Left, Ink::Text)?;
                    top + (step - bar) / 2.0
                }
                Room::Narrow => {
                    pen.text(4.0, top + 11.0, &row.label, Side::Right, Ink::Text)?;
                    top + 22.0
                }
            };
            let drawn = segments(&row.parts, whole(row), space);
            let end = drawn.last().map_or(0.0, |(_, x, w)| x + w);
            for (ink, x, w) in drawn {
                pen.rect(left + x, y, w, bar, ink)?;
            }
            pen.text(left + end + 8.0, y + bar / 2.0, &row.note, Side::Right, Ink::Quiet)?;
        }
        Ok(())
    })
}

/// One column: its full date or class, its parts from the bottom.
#[derive(Clone, Debug)]
pub struct Column {
    /// Printed below, where there is room after the one before; empty has no tick.
    pub label: String,
    /// Quantities with what they stand for.
    pub parts: Vec<(Ink, u64)>,
}

/// A round number not below `n` that divides into the steps of an axis.
fn ceiling(n: u64) -> u64 {
    let mut unit = 1_u64;
    loop {
        for step in [1, 2, 3, 4, 5, 6, 8] {
            let top = step * unit;
            if top >= n {
                return top;
            }
        }
        let Some(next) = unit.checked_mul(10) else { return n };
        if next > u64::MAX / 10 {
            return n;
        }
        unit = next;
    }
}

/// Columns over time, zero-based; `unit` is what the vertical axis counts.
///
/// # Errors
/// When the backend refuses to draw.
pub fn columns(columns: &[Column], room: Room, unit: &str, label: &str) -> Result<String, ChartError> {
    let width = room.width();
    let (left, top, height, bottom) = (44.0, 26.0, 170.0, 28.0);
    let most = columns.iter().map(|c| c.parts.iter().map(|(_, n)| n).sum::<u64>()).max().unwrap_or(0);
    let max = ceiling(most.max(1));
    let space = width - left - 8.0;
    let step = space / columns.len().max(1) as f64;
    draw((width, top + height + bottom), label, |pen| {
        pen.scale(max, unit, (left, width), (top, height))?;
        let mut free = 0.0;
        for (i, column) in columns.iter().enumerate() {
            let x = left + i as f64 * step;
            let gap = if step > 6.0 {
                2.0
            } else if step > 3.0 {
                1.0
            } else {
                0.0
            };
            let mut y = top + height;
            for (ink, n) in &column.parts {
                let h = height * (*n as f64 / max as f64);
                if *n > 0 {
                    pen.rect(x + gap / 2.0, y - h, (step - gap).clamp(1.0, 28.0), h.max(1.0), *ink)?;
                }
                y -= h;
            }
            if !column.label.is_empty() && x >= free && x < width - 48.0 {
                free = x + 72.0;
                pen.line((x, top + height), (x, top + height + 5.0), Ink::Quiet)?;
                pen.text(x, top + height + 16.0, &column.label, Side::Right, Ink::Quiet)?;
            }
        }
        Ok(())
    })
}

/// One point of a line: its full date, and its value; null is not known, and the line has a gap there.
#[derive(Clone, Debug)]
pub struct Point {
    /// Printed below, where there is room.
    pub label: String,
    /// Zero or more.
    pub value: Option<f64>,
}

/// How wide a date is.
const DATE: f64 = 84.0;

/// A value over time, zero-based, with a gap where it is not known; `unit` is what the vertical axis counts.
///
/// # Errors
/// When the backend refuses to draw.
pub fn line(points: &[Point], room: Room, unit: &str, label: &str) -> Result<String, ChartError> {
    let width = room.width();
    let (left, top, height, bottom) = (44.0, 26.0, 170.0, 28.0);
    let most = points.iter().filter_map(|point| point.value).fold(0.0, f64::max);
    let max = ceiling(most.ceil().max(1.0) as u64);
    let space = width - left - 16.0;
    let step = space / points.len().saturating_sub(1).max(1) as f64;
    draw((width, top + height + bottom), label, |pen| {
        pen.scale(max, unit, (left, width), (top, height))?;
        let every = room.every(points.len());
        let mut before: Option<(f64, f64)> = None;
        let mut free = 0.0;
        for (i, point) in points.iter().enumerate() {
            let x = left + 4.0 + i as f64 * step;
            if let Some(value) = point.value {
                let here = (x, top + height - height * (value / max as f64));
                if let Some(before) = before {
                    pen.line(before, here, Ink::Plain)?;
                }
                pen.rect(here.0 - 2.0, here.1 - 2.0, 4.0, 4.0, Ink::Plain)?;
            }
            before = point.value.map(|value| (x, top + height - height * (value / max as f64)));
            // What is new stands at the right edge, and is told from there.
            let side = match (x < width - DATE, i + 1 == points.len()) {
                (true, _) if i % every == 0 => Side::Right,
                (false, true) if x - DATE >= free => Side::Left,
                _ => continue,
            };
            free = x + DATE;
            pen.line((x, top + height), (x, top + height + 5.0), Ink::Quiet)?;
            pen.text(x, top + height + 16.0, &point.label, side, Ink::Quiet)?;
        }
        Ok(())
    })
}

/// When the organisation works: whole days of the week from Monday, and the hours from and until in each of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Working {
    /// From Monday.
    pub days: [bool; 7],
    /// Hours of the day with their fraction; the end is outside.
    pub hours: (f64, f64),
}

impl Working {
    /// Runs of working days: the first, and how many.
    fn runs(self) -> Vec<(usize, usize)> {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for day in (0..7).filter(|&day| self.days[day]) {
            match runs.last_mut() {
                Some((first, many)) if *first + *many == day => *many += 1,
                _ => runs.push((day, 1)),
            }
        }
        runs
    }
}

/// Weekdays by hours; the darkest cell is the busiest hour, and a frame stands around the working hours where they are
/// known.
///
/// # Errors
/// When the backend refuses to draw.
pub fn heat(hours: &[Vec<u64>], working: Option<Working>, room: Room, label: &str) -> Result<String, ChartError> {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let width = room.width();
    let (left, top, row) = (40.0, 4.0, 24.0);
    let cell = ((width - left) / 24.0).floor();
    let most = hours.iter().flatten().copied().max().unwrap_or(0).max(1);
    let every = match room {
        Room::Wide => 3,
        Room::Narrow => 6,
    };
    draw((width, top + row * hours.len().min(7) as f64 + 26.0), label, |pen| {
        for (d, (name, counts)) in DAYS.iter().zip(hours).enumerate() {
            let y = top + d as f64 * row;
            pen.text(left - 8.0, y + row / 2.0, name, Side::Left, Ink::Text)?;
            for (h, n) in counts.iter().take(24).enumerate() {
                // The first step is kept for "none at all", so that one reset at night is seen.
                let step = if *n == 0 { 0 } else { 1 + (n * 5 / most).min(5) as u8 };
                pen.rect(left + h as f64 * cell, y, cell - 2.0, row - 2.0, Ink::Heat(step))?;
            }
        }
        if let Some(working) = working {
            let (from, until) = working.hours;
            for (first, many) in working.runs() {
                let (x, y) = (left + from * cell - 1.0, top + first as f64 * row - 1.0);
                pen.rect(x, y, (until - from) * cell, many as f64 * row, Ink::Frame)?;
            }
        }
        for h in (0..24).step_by(every) {
            let x = left + h as f64 * cell;
            let y = top + 7.0 * row + 10.0;
            pen.text(x, y, &format!("{h:02}:00"), Side::Right, Ink::Quiet)?;
        }
        Ok(())
    })
}

/// One line of a tree: how deep it hangs, what it is, and what is said of the way to it.
#[derive(Clone, Debug)]
pub struct Branch {
    /// 0 is a root; deeper by one than the line it hangs on.
    pub depth: usize,
    /// Made visible and cut by whoever built it.
    pub label: String,
    /// Printed behind it, or below where there is little room.
    pub note: String,
    /// The colour of its dot.
    pub ink: Ink,
}

/// A tree as indented lines, each with an elbow to what it hangs on.
///
/// # Errors
/// When the backend refuses to draw.
pub fn tree(branches: &[Branch], room: Room, label: &str) -> Result<String, ChartError> {
    let (step, indent) = match room {
        Room::Wide => (26.0, 28.0),
        Room::Narrow => (42.0, 18.0),
    };
    let line = |i: usize| 14.0 + i as f64 * step;
    draw((room.width(), step * branches.len() as f64 + 8.0), label, |pen| {
        for (i, branch) in branches.iter().enumerate() {
            // Beyond six steps the elbow stays where it is: the words must stay on the page.
            let x = 6.0 + branch.depth.min(6) as f64 * indent;
            let y = line(i);
            let parent = branches[..i].iter().rposition(|b| b.depth < branch.depth);
            if let Some(parent) = parent.filter(|_| branch.depth > 0) {
                let from = 6.0 + branches[parent].depth.min(6) as f64 * indent;
                pen.line((from, line(parent) + 6.0), (from, y), Ink::Quiet)?;
                pen.line((from, y), (x - 4.0, y), Ink::Quiet)?;
            }
            pen.rect(x - 4.0, y - 4.0, 8.0, 8.0, branch.ink)?;
            pen.text(x + 10.0, y, &branch.label, Side::Right, Ink::Text)?;
            match room {
                Room::Wide => pen.text(room.width(), y, &branch.note, Side::Left, Ink::Quiet)?,
                Room::Narrow => pen.text(x + 10.0, y + 17.0, &branch.note, Side::Right, Ink::Quiet)?,
            }
        }
        Ok(())
    })
}

/// A population bar's segments in per cent of its width: class, start, width.
///
/// Each share that is not nothing takes at least 1.25 per cent, two pixels of the narrowest bar.
pub fn population(parts: &[(&'static str, u64)]) -> Vec<(&'static str, f64, f64)> {
    let total: u64 = parts.iter().map(|(_, n)| n).sum();
    let wide: Vec<_> = parts
        .iter()
        .filter(|(_, n)| *n > 0)
        .map(|(class, n)| (*class, (*n as f64 / total as f64 * 100.0).max(1.25)))
        .collect();
    let sum: f64 = wide.iter().map(|(_, w)| w).sum();
    let mut x = 0.0;
    wide.into_iter()
        .map(|(class, w)| {
            let at = x;
            x += w / sum * 100.0;
            (class, at, w / sum * 100.0)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_label_stays_text_and_no_marker_or_style_is_left() {
        let rows = [Row {
            label: "\"><script>alert(1)</script> fill=\"#0A0100\"".into(),
            parts: vec![(Ink::Fail, 3), (Ink::Pass, 5)],
            note: "3 of 8".into(),
        }];
        for room in [Room::Wide, Room::Narrow] {
            let svg = bars(&rows, room, "a \"b\" <c>").expect("draws");
            assert!(!svg.contains("<script"), "{svg}");
            assert!(!svg.contains("style="), "{svg}");
            assert!(!svg.contains("http"), "{svg}");
            assert!(svg.contains("class=\"c-fail\"") && svg.contains("class=\"c-pass\""), "{svg}");
            // The only marker left is the one that the label itself spells, escaped.
            assert_eq!(svg.matches("#0A01").count(), 1, "{svg}");
        }
    }

    #[test]
    fn a_share_of_one_in_a_million_is_seen_and_the_bar_is_full() {
        let bar = population(&[("fail", 1), ("waived", 0), ("pass", 999_999)]);
        assert_eq!(bar.len(), 2);
        assert!(bar[0].2 > 1.2);
        let end = bar[1].1 + bar[1].2;
        assert!((end - 100.0).abs() < 1e-9, "{end}");
        assert!(population(&[("fail", 0)]).is_empty());
    }

    #[test]
    fn a_tree_hangs_every_line_on_the_nearest_above_it() {
        let branch = |depth, label: &str| Branch { depth, label: label.into(), note: "n".into(), ink: Ink::Plain };
        let svg =
            tree(&[branch(0, "a"), branch(1, "b"), branch(2, "c"), branch(1, "d")], Room::Wide, "who").expect("draws");
        assert_eq!(svg.matches("<line").count(), 6);
        assert_eq!(svg.matches("<rect").count(), 4);
        assert!(!svg.contains("style=") && !svg.contains("#0A01"), "{svg}");
    }

    #[test]
    fn working_hours_are_framed_in_runs_of_days_and_only_where_they_are_known() {
        let hours = vec![vec![1; 24]; 7];
        let working = Working { days: [true, true, false, true, true, true, false], hours: (8.5, 18.0) };
        let framed = heat(&hours, Some(working), Room::Wide, "hours").expect("draws");
        assert_eq!(framed.matches("c-frame").count(), 2, "{framed}");
        // The cells are 22 wide and begin at 40, the rows are 24 high and begin at 4.
        assert!(framed.contains("<rect x=\"226\" y=\"3\" width=\"209\" height=\"48\" class=\"c-frame\"/>"), "{framed}");
        assert!(!heat(&hours, None, Room::Narrow, "hours").expect("draws").contains("c-frame"));
    }

    #[test]
    fn axes_end_on_round_numbers() {
        assert_eq!([ceiling(0), ceiling(1), ceiling(3), ceiling(9), ceiling(21), ceiling(501)], [1, 1, 3, 10, 30, 600]);
        assert!(ceiling(u64::MAX) >= u64::MAX / 10);
    }
}
