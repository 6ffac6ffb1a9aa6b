//! A first adoption: findings that a report had and somebody lives with, told apart from those that came since.

use std::collections::BTreeMap;

use super::ProofError;
use super::diff::comparable;
use super::kept::Kept;
use crate::report::model::{Assessment, Baseline, Finding, Severity, State};
use crate::time;

/// Compares open findings with the open findings of `report`. What a waiver accepted there is not known: a waiver has an
/// end, and a baseline has none.
///
/// # Errors
/// When the report cannot be read, or is limited to an identity that this one is not limited to.
pub fn against(report: &Kept, assessment: &Assessment, findings: &[Finding]) -> Result<Baseline, ProofError> {
    comparable(report, assessment)?;
    let theirs = report.findings()?;
    let open = |f: &&Finding| f.state == State::Open;
    // A baseline that was itself compared with an earlier report knows how old its findings are.
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for (since, ids) in report.assessment.changes.iter().flat_map(|changes| &changes.first_seen) {
        seen.extend(ids.iter().map(|id| (id.as_str(), since.as_str())));
    }
    let mut known_ids: BTreeMap<&str, &str> = BTreeMap::new();
    for f in theirs.iter().filter(open) {
        let since = seen.get(f.finding_id.as_str()).copied().unwrap_or(&report.assessment.run.as_of);
        known_ids.insert(&f.finding_id, since);
    }
    let zeros = || -> BTreeMap<Severity, u64> { Severity::ALL.into_iter().map(|severity| (severity, 0)).collect() };
    let (mut known, mut new, mut new_findings) = (zeros(), zeros(), Vec::new());
    let mut known_since: BTreeMap<String, u64> = BTreeMap::new();
    let mut here = 0;
    for f in findings {
        let since = known_ids.get(f.finding_id.as_str());
        here += u64::from(since.is_some());
        if f.state != State::Open {
            continue;
        }
        match since {
            Some(since) => {
                *known.entry(f.severity).or_default() += 1;
                *known_since.entry((*since).to_owned()).or_default() += 1;
            }
            None => {
                *new.entry(f.severity).or_default() += 1;
                new_findings.push(f.finding_id.to_string());
            }
        }
    }
    Ok(Baseline {
        reference: report.reference(),
        gone: known_ids.len() as u64 - here,
        left_out: theirs.iter().filter(|f| f.state == State::Waived).count() as u64,
        oldest: known_since.keys().next().cloned(),
        median_age_days: median_age(&known_since, &assessment.run.as_of),
        known,
        new,
        known_since,
        new_findings,
    })
}

/// The age at which as many known findings are younger as are older, in days.
fn median_age(known_since: &BTreeMap<String, u64>, as_of: &str) -> Option<f64> {
    let micros = |text: &str| time::parse_instant(text.as_bytes()).map(|at| at.in_zone(chrono_tz::Tz::UTC));
    let now = micros(as_of)?;
    let age = |at: u64| {
        let mut passed = 0;
        let (since, _) = known_since.iter().rev().find(|(_, count)| {
            passed += **count;
            passed > at
        })?;
        Some((now - micros(since)?) as f64 / time::DAY as f64)
    };
    let all: u64 = known_since.values().sum();
    let last = all.checked_sub(1)?;
    let (low, high) = (age(last / 2)?, age(last.div_ceil(2))?);
    Some((low + high) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_lies_between_the_two_in_the_middle() {
        let of = |rows: &[(&str, u64)]| {
            let known = rows.iter().map(|(at, count)| ((*at).to_owned(), *count)).collect();
            median_age(&known, "2026-10-05T00:00:00Z")
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("2026-10-01T00:00:00Z", 1)]), Some(4.0));
        assert_eq!(of(&[("2026-10-01T00:00:00Z", 1), ("2026-10-03T00:00:00Z", 1)]), Some(3.0));
        assert_eq!(of(&[("2026-09-01T00:00:00Z", 1), ("2026-10-03T00:00:00Z", 3)]), Some(2.0));
    }
}
