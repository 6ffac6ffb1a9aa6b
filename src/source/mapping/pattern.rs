//! Patterns of the mapping language: checked when a mapping is read, compiled when a text first meets them.

use std::sync::OnceLock;

use regex::{Captures, Regex, RegexBuilder};

/// A regular expression. A run meets few of those that all mappings together hold, and compiling is most of their cost.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    text: String,
    compiled: OnceLock<Regex>,
}

impl Pattern {
    /// Checks the syntax.
    ///
    /// # Errors
    /// It is none of the regex crate's, or it compiles to too much.
    pub(super) fn new(text: &str) -> Result<Pattern, Box<dyn std::error::Error>> {
        let pattern = Pattern { text: text.to_owned(), compiled: OnceLock::new() };
        if written_out(text) > LONGEST {
            return Ok(Pattern { compiled: Regex::new(text)?.into(), ..pattern });
        }
        regex_syntax::parse(text)?;
        Ok(pattern)
    }

    fn regex(&self) -> &Regex {
        self.compiled.get_or_init(|| {
            let builder = RegexBuilder::new(&self.text).size_limit(LONGEST * LARGEST_CLASS).build();
            builder.expect("its syntax was checked, and so was its size")
        })
    }

    pub(super) fn is_match(&self, text: &str) -> bool {
        self.regex().is_match(text)
    }

    pub(super) fn captures<'t>(&self, text: &'t str) -> Option<Captures<'t>> {
        self.regex().captures(text)
    }
}

/// Length up to which a pattern is compiled late.
const LONGEST: usize = 2048;
/// Bytes that one character of a pattern compiles to at most: `\w`, two of them, takes some 30 KB.
const LARGEST_CLASS: usize = 64 << 10;

/// No less than the length of a pattern in which repetitions are written out.
fn written_out(text: &str) -> usize {
    let counts = text.split('{').skip(1).flat_map(|after| {
        let inside = after.split('}').next().unwrap_or_default();
        inside.split(',').filter_map(|n| n.trim().parse::<usize>().ok()).max()
    });
    counts.fold(text.len(), |length, n| length.saturating_mul(n.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_compile_is_said_at_once() {
        for wrong in ["(", "(?=x)", r"\1", "(\\w{1000}){1000}", "[z-a]", "a**{"] {
            assert!(Pattern::new(wrong).is_err(), "{wrong}");
        }
        let longest = r"\w".repeat(LONGEST / 2);
        for right in ["(?i)^a|b$", r"\p{Letter}+", r"^\d{4}-\d{2}-(?:\w{1,8})$", longest.as_str()] {
            assert!(!Pattern::new(right).expect("right").is_match("\u{1}"), "{right:.20}");
        }
    }
}
