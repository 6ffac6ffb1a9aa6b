//! Files that a machine wrote in great number under names that differ in digits alone: objects of a bucket, a file an hour.
//!
//! One of them is recognised as any file is. Of the others a few records are asked whether they are of the same kind; where
//! one is not, that file is recognised as any file is.

use std::collections::BTreeMap;

use rayon::prelude::*;

/// So many files of one pattern are no longer named by hand.
const MANY: usize = 64;

/// Of each path the first with its pattern, where many share it; null for that first one and for all others.
pub(super) fn leaders<T: Sync>(files: &[T], path: impl Fn(&T) -> &str + Sync) -> Vec<Option<usize>> {
    let patterns: Vec<String> = files.par_iter().map(|file| pattern(path(file))).collect();
    let mut by: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (n, of) in patterns.iter().enumerate() {
        by.entry(of).or_default().push(n);
    }
    let mut leaders = vec![None; files.len()];
    for of_pattern in by.into_values().filter(|of_pattern| of_pattern.len() >= MANY) {
        for follower in &of_pattern[1..] {
            leaders[*follower] = Some(of_pattern[0]);
        }
    }
    leaders
}

/// The path without the words that hold digits: dates, counters, accounts, and what is drawn by lot.
fn pattern(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for piece in path.split_inclusive(|c: char| !c.is_alphanumeric()) {
        let word = piece.trim_end_matches(|c: char| !c.is_alphanumeric());
        out.push_str(if word.contains(|c: char| c.is_ascii_digit()) { "#" } else { word });
        out.push_str(&piece[word.len()..]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_in_digits_follow_the_first() {
        assert_eq!(
            pattern("logs/123_CloudTrail_us-east-1_20260701T0005Z_aB3.json.gz"),
            "logs/#_CloudTrail_us-east-#_#_#.json.gz"
        );
        assert_eq!(pattern("Jörg-7.csv"), "Jörg-#.csv");
        let paths: Vec<String> =
            (0..MANY).map(|n| format!("a/{n}.json")).chain((1..MANY).map(|n| format!("b/{n}.json"))).collect();
        let leaders = leaders(&paths, String::as_str);
        assert_eq!(leaders[0], None);
        assert!(leaders[1..MANY].iter().all(|l| *l == Some(0)));
        assert!(leaders[MANY..].iter().all(Option::is_none), "one too few of them");
    }
}
