//! The population bar and the numbers in words beside it.

use serde::Serialize;

use crate::render::chart;
use crate::render::html::words::{count, number};
use crate::report::model::Counts;

/// What a failure is called: of a requirement it fails, of a technique it was seen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Calls {
    Verdicts,
    Sightings,
}

/// A population bar and the numbers in words beside it.
#[derive(Clone, Serialize)]
pub(super) struct Population {
    segments: Vec<Segment>,
    words: String,
    /// What a column of them is sorted by.
    failed: u64,
}

#[derive(Clone, Serialize)]
pub(super) struct Segment {
    pub(super) class: &'static str,
    pub(super) x: String,
    pub(super) width: String,
}

pub(super) fn population(c: &Counts, one: &str, many: &str) -> Population {
    population_called(Calls::Verdicts, c, one, many)
}

pub(super) fn population_called(calls: Calls, c: &Counts, one: &str, many: &str) -> Population {
    let parts = [
        ("fail", c.failed),
        ("waived", c.waived),
        ("open", c.indeterminate),
        ("pass", c.passed),
        ("none", c.not_applicable),
    ];
    let segments = chart::population(&parts)
        .into_iter()
        .map(|(class, x, w)| Segment { class, x: format!("{x:.3}%"), width: format!("{w:.3}%") })
        .collect();
    let words = if c.population == 0 {
        format!("no {one} to judge")
    } else {
        let mut said = Vec::new();
        let mut push = |n: u64, one: &str, many: &str| {
            if n > 0 {
                said.push(format!("{} {}", number(n), if n == 1 { one } else { many }));
            }
        };
        let (fails, fail, holds, hold) = match calls {
            Calls::Verdicts => ("fails", "fail", "holds", "hold"),
            Calls::Sightings => ("shows it", "show it", "does not", "do not"),
        };
        push(c.failed, fails, fail);
        push(c.waived, "accepted", "accepted");
        push(c.indeterminate, "cannot be judged", "cannot be judged");
        push(c.passed, holds, hold);
        let judged = c.population.saturating_sub(c.not_applicable);
        if judged == 0 {
            format!("does not apply to any of {}", count(c.population, one, many))
        } else {
            format!("{} of {}", said.join(", "), count(judged, one, many))
                + &if c.not_applicable > 0 {
                    format!("; does not apply to {}", number(c.not_applicable))
                } else {
                    String::new()
                }
        }
    };
    Population { segments, words, failed: c.failed }
}

pub(super) fn subjects(subject: &str) -> (&'static str, &'static str) {
    match subject {
        "credential" => ("credential", "credentials"),
        "reset" => ("reset", "resets"),
        _ => ("subject", "subjects"),
    }
}
