//! An auditor's sample: drawn so that anybody draws the same again, with what it tells about the rest.
//!
//! Subjects are ranked by SHA-256 of seed, check, kind, system and id, each on a line of its own; a stratum's share is its
//! first so many. Nothing about the draw depends on this program, its version or the order of the inputs.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use statrs::function::beta::beta_reg;

use crate::report::model::Subject;

/// What was drawn.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Strata by tier: how many there are and how many were drawn.
    pub strata: Vec<Stratum>,
    /// Subjects of the check that could not be judged, and are therefore not in the population.
    pub indeterminate: u64,
    /// Subjects that the check does not apply to.
    pub not_applicable: u64,
}

/// The subjects of one tier.
#[derive(Clone, Debug)]
pub struct Stratum {
    /// The tier; `unknown` where it is not known.
    pub tier: String,
    /// Subjects that pass or fail.
    pub population: u64,
    /// Of them, those that fail, waived or not.
    pub failing: u64,
    /// What was drawn, in order of rank: rank and subject.
    pub drawn: Vec<(String, Subject)>,
}

/// The rank that decides who is drawn: the lowest are.
pub fn rank(seed: &str, check: &str, subject: &Subject) -> String {
    let lines = [seed, check, &subject.subject_kind, &subject.system, &subject.subject].join("\n");
    hex::encode(Sha256::digest(lines.as_bytes()))
}

/// Draws `size` of the subjects that `check` judged (passes and failures alike), each tier by its share, and at least one
/// of each.
pub fn draw(subjects: Vec<Subject>, check: &str, size: usize, seed: &str) -> Sample {
    let (mut indeterminate, mut not_applicable) = (0, 0);
    let mut by_tier: BTreeMap<String, Vec<(String, Subject)>> = BTreeMap::new();
    for subject in subjects {
        match subject.verdicts.get(check).map(String::as_str) {
            Some("pass" | "fail" | "waived") => {
                let tier = subject.facts.get("tier").and_then(serde_json::Value::as_str).unwrap_or("unknown");
                by_tier.entry(tier.to_owned()).or_default().push((rank(seed, check, &subject), subject));
            }
            Some("indeterminate") => indeterminate += 1,
            _ => not_applicable += 1,
        }
    }
    let shares = shares(&by_tier.values().map(Vec::len).collect::<Vec<_>>(), size);
    let strata = by_tier.into_iter().zip(shares).map(|((tier, mut all), share)| {
        all.sort_by(|a, b| a.0.cmp(&b.0));
        let population = all.len() as u64;
        let failing = all.iter().filter(|(_, subject)| fails(subject, check)).count() as u64;
        all.truncate(share);
        Stratum { tier, population, failing, drawn: all }
    });
    Sample { strata: strata.collect(), indeterminate, not_applicable }
}

/// Does the subject fail, waived or not?
pub fn fails(subject: &Subject, check: &str) -> bool {
    matches!(subject.verdicts.get(check).map(String::as_str), Some("fail" | "waived"))
}

/// Proportional shares by largest remainder, none below one where there is one, none above what there is.
fn shares(populations: &[usize], size: usize) -> Vec<usize> {
    let all: usize = populations.iter().sum();
    if size >= all {
        return populations.to_vec();
    }
    let mut shares: Vec<usize> = populations.iter().map(|n| (size * n / all).max(usize::from(*n > 0))).collect();
    // The order of giving and taking is that of the remainders, ties going to the earlier tier.
    let mut order: Vec<usize> = (0..populations.len()).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(size * populations[i] % all), i));
    let mut given: usize = shares.iter().sum();
    while given < size {
        for &i in &order {
            if given < size && shares[i] < populations[i] {
                shares[i] += 1;
                given += 1;
            }
        }
    }
    while given > size {
        // More tiers than there are to draw: those with the most give, and the last tiers go without.
        let most = (0..shares.len()).max_by_key(|&i| (shares[i], i)).unwrap_or(0);
        shares[most] -= 1;
        given -= 1;
    }
    shares
}

/// The exact two-sided interval of Clopper and Pearson for a rate, at 95 %: of `n` drawn, `failing` failed. From 0 to 1
/// where nothing was drawn.
pub fn interval(failing: u64, n: u64) -> (f64, f64) {
    const TAIL: f64 = 0.025;
    if n == 0 {
        return (0.0, 1.0);
    }
    let (k, n) = (failing as f64, n as f64);
    // beta_reg grows with x, so halving finds the quantile to the last bit that counts.
    let quantile = |a: f64, b: f64, p: f64| {
        let (mut low, mut high) = (0.0_f64, 1.0_f64);
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if beta_reg(a, b, middle) < p { low = middle } else { high = middle }
        }
        f64::midpoint(low, high)
    };
    let low = if failing == 0 { 0.0 } else { quantile(k, n - k + 1.0, TAIL) };
    let high = if k >= n { 1.0 } else { quantile(k + 1.0, n - k, 1.0 - TAIL) };
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_the_tables() {
        let near = |(low, high): (f64, f64), expected: (f64, f64)| {
            assert!((low - expected.0).abs() < 5e-5 && (high - expected.1).abs() < 5e-5, "{low} {high}, {expected:?}");
        };
        // As R's binom.test gives them.
        near(interval(0, 25), (0.0, 0.137_19));
        near(interval(1, 25), (0.001_01, 0.203_52));
        near(interval(5, 25), (0.068_31, 0.407_04));
        near(interval(25, 25), (0.862_81, 1.0));
        near(interval(10, 100), (0.049_00, 0.176_22));
        assert_eq!(interval(0, 0), (0.0, 1.0));
    }

    #[test]
    fn shares_are_proportional_and_leave_no_tier_out() {
        assert_eq!(shares(&[90, 9, 1], 10), [8, 1, 1]);
        assert_eq!(shares(&[50, 50], 5), [3, 2]);
        assert_eq!(shares(&[3, 2], 25), [3, 2]);
        assert_eq!(shares(&[0, 7], 3), [0, 3]);
        assert_eq!(shares(&[1, 1, 1], 2).iter().sum::<usize>(), 2);
        for size in 1..60 {
            let drawn = shares(&[40, 13, 5, 1], size);
            assert_eq!(drawn.iter().sum::<usize>(), size.min(59), "{size}: {drawn:?}");
            assert!(drawn.iter().zip([40, 13, 5, 1]).all(|(n, of)| *n <= of), "{size}: {drawn:?}");
        }
    }
}
