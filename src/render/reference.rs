//! How exports for other tools refer to things: identifiers made from content, paths as URIs, and what a finding's
//! `check`, `waiver` and `requirements` stand for. Nothing here is random or depends on the clock.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha1::{Digest, Sha1};

use crate::report::model::{
    Assessment, CheckResult, Counts, Finding, FrameworkResult, RequirementResult, Standing, WaiverResult,
};
use crate::time;

/// The namespace of properties that are ours, in formats that ask for one.
pub const NAMESPACE: &str = "urn:uuid:2de95c46-e299-41d6-8514-0cb1b4cd10bd";

// The UUID of `NAMESPACE`, drawn once: the root of every UUID that an export has.
const ROOT: [u8; 16] = [0x2d, 0xe9, 0x5c, 0x46, 0xe2, 0x99, 0x41, 0xd6, 0x85, 0x14, 0x0c, 0xb1, 0xb4, 0xcd, 0x10, 0xbd];

/// A UUID of version 5 (RFC 9562) over the parts: the same parts give the same UUID on every run and every machine.
pub fn uuid(parts: &[&str]) -> String {
    let mut hasher = Sha1::new();
    hasher.update(ROOT);
    for part in parts {
        // Lengths, so that ("ab", "c") is not ("a", "bc").
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    let digest = hasher.finalize();
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x50;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex::encode(bytes);
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

/// A relative path as a URI reference (RFC 3986): everything but letters, digits, `-._~/` is percent-encoded, so that
/// no path can become a scheme, a query or markup. A path that begins with `/` keeps no meaning as an authority.
pub fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.trim_start_matches('/').bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// Text on one line, for places that admit no line breaks: runs of white space and control characters become one
/// blank, none at either end.
pub fn one_line(text: &str) -> String {
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An instant of the model as microseconds since 1970; null for text that is no instant.
pub fn micros(instant: &str) -> Option<i64> {
    Some(time::parse_instant(instant.as_bytes())?.in_zone(chrono_tz::UTC))
}

/// "3 of 214".
pub fn share(part: u64, of: u64) -> String {
    format!("{part} of {of}")
}

/// How a check's population divides, in words, each number with its population.
pub fn counts_in_words(counts: &Counts) -> String {
    let of = counts.population;
    let parts = [
        (counts.failed, "fail"),
        (counts.waived, "fail and are waived"),
        (counts.indeterminate, "cannot be judged"),
        (counts.passed, "hold"),
        (counts.not_applicable, "do not apply"),
    ];
    let told: Vec<String> =
        parts.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", share(n, of))).collect();
    if told.is_empty() { "there is nothing to judge".to_owned() } else { told.join(", ") }
}

/// Why a check cannot conclude, in words.
pub fn why_inconclusive(check: &CheckResult) -> String {
    let mut parts = Vec::new();
    if check.counts.indeterminate > 0 {
        parts.push(format!("{} cannot be judged", share(check.counts.indeterminate, check.counts.population)));
    }
    if !check.indeterminate_because.is_empty() {
        let facts: Vec<String> =
            check.indeterminate_because.iter().map(|(fact, count)| format!("{fact} ({count})")).collect();
        parts.push(format!("not known: {}", facts.join(", ")));
    }
    parts.extend(check.inconclusive.clone());
    if parts.is_empty() { "the data cannot tell".to_owned() } else { parts.join("; ") }
}

/// As other formats spell a standing.
pub fn standing_word(standing: Standing) -> &'static str {
    match standing {
        Standing::Fail => "fail",
        Standing::CannotConclude => "cannot conclude",
        Standing::Pass => "pass",
        Standing::NotApplicable => "not applicable",
    }
}

/// How an entry of a framework stands: techniques are seen or not seen.
pub fn entry_word(framework: &FrameworkResult, standing: Standing) -> &'static str {
    match (framework.kind == "technique", standing) {
        (true, Standing::Fail) => "seen",
        (true, Standing::Pass) => "not seen",
        _ => standing_word(standing),
    }
}

/// What the ids in a finding stand for.
pub struct References<'a> {
    checks: BTreeMap<&'a str, &'a CheckResult>,
    waivers: BTreeMap<&'a str, &'a WaiverResult>,
    requirements: BTreeMap<String, (&'a FrameworkResult, &'a RequirementResult)>,
}

impl<'a> References<'a> {
    /// Indexes an assessment.
    pub fn of(assessment: &'a Assessment) -> References<'a> {
        References {
            checks: assessment.checks.iter().map(|check| (check.id.as_str(), check)).collect(),
            waivers: assessment.waivers.iter().map(|waiver| (waiver.id.as_str(), waiver)).collect(),
            requirements: assessment
                .frameworks
                .iter()
                .flat_map(|f| f.requirements.iter().map(move |r| (format!("{}:{}", f.id, r.id), (f, r))))
                .collect(),
        }
    }

    /// The check of a finding; null when a finding names one that the assessment does not have.
    pub fn check(&self, id: &str) -> Option<&'a CheckResult> {
        self.checks.get(id).copied()
    }

    /// The waiver that accepts a finding.
    pub fn waiver(&self, id: &str) -> Option<&'a WaiverResult> {
        self.waivers.get(id).copied()
    }

    /// What `framework:id` stands for.
    pub fn requirement(&self, reference: &str) -> Option<(&'a FrameworkResult, &'a RequirementResult)> {
        self.requirements.get(reference).copied()
    }

    /// What a finding is evidence for, in its own order.
    pub fn requirements(&self, finding: &Finding) -> Vec<(&'a FrameworkResult, &'a RequirementResult)> {
        finding.requirements.iter().filter_map(|reference| self.requirement(reference)).collect()
    }
}

/// A framework's title with its edition, where the title does not already say it.
pub fn titled(framework: &FrameworkResult) -> String {
    if framework.edition.is_empty() || framework.title.contains(&framework.edition) {
        framework.title.clone()
    } else {
        format!("{} ({})", framework.title, framework.edition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_version_5_and_come_from_content_alone() {
        let one = uuid(&["finding", "61b7a4089adcd252"]);
        assert_eq!(one, uuid(&["finding", "61b7a4089adcd252"]));
        assert_ne!(one, uuid(&["finding6", "1b7a4089adcd252"]), "parts do not run together");
        assert_eq!(one.len(), 36);
        assert_eq!(&one[14..15], "5");
        assert!(matches!(&one[19..20], "8" | "9" | "a" | "b"), "{one}");
    }

    #[test]
    fn the_namespace_is_the_root() {
        assert_eq!(NAMESPACE.replace('-', ""), format!("urn:uuid:{}", hex::encode(ROOT)));
    }

    #[test]
    fn paths_cannot_become_anything_but_paths() {
        assert_eq!(uri("hr/person 2026.csv"), "hr/person%202026.csv");
        assert_eq!(uri("javascript:alert(1)//"), "javascript%3Aalert%281%29//");
        assert_eq!(uri("//evil.example/x"), "evil.example/x");
        assert_eq!(uri("山.csv?a#b\0"), "%E5%B1%B1.csv%3Fa%23b%00");
    }

    #[test]
    fn one_line_has_no_breaks_and_no_blanks_around_it() {
        assert_eq!(one_line(" a\r\n\tb\0c "), "a b c");
        assert_eq!(one_line("\u{0}\u{7}"), "");
    }
}
