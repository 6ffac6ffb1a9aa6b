//! Checks: two predicates over facts, kept as documents, judged in one pass.
//!
//! Knows nothing of frameworks, waivers or reports.

pub mod catalogue;
pub mod column;
pub mod dialect;
pub mod predicate;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Severity of a finding, most severe first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Access regained by someone who should not have it, or a takeover path.
    Critical,
    /// A control absent on a sensitive identity, or separation of duties broken.
    High,
    /// A control weak, or evidence missing.
    Medium,
    /// Hygiene.
    Low,
    /// Worth knowing.
    Info,
}

impl Severity {
    /// All five, most severe first.
    pub const ALL: [Severity; 5] =
        [Severity::Critical, Severity::High, Severity::Medium, Severity::Low, Severity::Info];

    /// As written in documents, configuration and outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Critical => "critical",
            Severity::High => "high",
            Severity::Medium => "medium",
            Severity::Low => "low",
            Severity::Info => "info",
        }
    }
}

/// One of the six things that an audit of credential resets asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Control {
    /// Step-up before a reset.
    Verification,
    /// Held against HR, directory and ownership.
    Eligibility,
    /// Short-lived links and one-time tokens.
    RecoveryToken,
    /// Prior credentials end.
    Revocation,
    /// Who approved, who executed, under what.
    AuditTrail,
    /// Patterns for responders.
    Abuse,
}

impl Control {
    /// All six, in the order of every report.
    pub const ALL: [Control; 6] = [
        Control::Verification,
        Control::Eligibility,
        Control::RecoveryToken,
        Control::Revocation,
        Control::AuditTrail,
        Control::Abuse,
    ];

    /// As written in documents and outputs.
    pub fn id(self) -> &'static str {
        match self {
            Control::Verification => "verification",
            Control::Eligibility => "eligibility",
            Control::RecoveryToken => "recovery-token",
            Control::Revocation => "revocation",
            Control::AuditTrail => "audit-trail",
            Control::Abuse => "abuse",
        }
    }

    /// Its name as a statement that holds or does not.
    pub fn statement(self) -> &'static str {
        match self {
            Control::Verification => "Whoever asks for a reset is verified first",
            Control::Eligibility => "Nobody gets access back after leaving",
            Control::RecoveryToken => "Recovery links and codes expire quickly",
            Control::Revocation => "Old credentials end when new ones are given",
            Control::AuditTrail => "Every reset is approved and recorded",
            Control::Abuse => "No reset looks like a takeover",
        }
    }
}

/// What a check judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubjectKind {
    /// A reset of the period, judged at its own instant.
    Reset,
    /// A credential of the inventory, judged at `as_of`.
    Credential,
}

impl SubjectKind {
    /// Both.
    pub const ALL: [SubjectKind; 2] = [SubjectKind::Reset, SubjectKind::Credential];

    /// As written in documents and outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            SubjectKind::Reset => "reset",
            SubjectKind::Credential => "credential",
        }
    }
}

/// What one check says of one subject. A waiver changes how a failure counts, never the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The check does not concern it.
    NotApplicable,
    /// It holds.
    Pass,
    /// It fails.
    Fail,
    /// The data cannot tell.
    Indeterminate,
}

impl Verdict {
    /// All four.
    pub const ALL: [Verdict; 4] = [Verdict::NotApplicable, Verdict::Pass, Verdict::Fail, Verdict::Indeterminate];

    /// The verdict of `applies` and `fails`, each unknown when `None`.
    pub fn of(applies: Option<bool>, fails: Option<bool>) -> Verdict {
        match (applies, fails) {
            (Some(false), _) => Verdict::NotApplicable,
            (Some(true), Some(true)) => Verdict::Fail,
            (Some(true), Some(false)) => Verdict::Pass,
            (None, _) | (Some(true), None) => Verdict::Indeterminate,
        }
    }

    /// As written in documents and outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::NotApplicable => "not-applicable",
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::Indeterminate => "indeterminate",
        }
    }
}

/// A word that is none of those expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is none of {expected}")]
pub struct UnknownWord {
    /// What was found.
    pub found: String,
    /// The words there are, separated by commas.
    pub expected: String,
}

macro_rules! words {
    ($type:ty, $word:ident) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.$word())
            }
        }

        impl FromStr for $type {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                <$type>::ALL.into_iter().find(|one| one.$word() == text).ok_or_else(|| UnknownWord {
                    found: text.to_owned(),
                    expected: <$type>::ALL.map(<$type>::$word).join(", "),
                })
            }
        }
    };
}

words!(Severity, as_str);
words!(Control, id);
words!(SubjectKind, as_str);
words!(Verdict, as_str);

/// The known name closest to a mistyped one; `None` when none is close enough to be meant. Of equally close ones the
/// first in the alphabet.
pub(crate) fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let given: Vec<char> = given.to_lowercase().chars().collect();
    let admitted = (given.len() / 3).clamp(1, 4);
    known
        .map(|name| (edits(&given, &name.to_lowercase().chars().collect::<Vec<_>>()), name))
        .filter(|(edits, _)| *edits <= admitted)
        .min()
        .map(|(_, name)| name)
}

/// Insertions, deletions and substitutions from one to the other.
fn edits(from: &[char], to: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let substituted = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back_as_written() {
        for severity in Severity::ALL {
            assert_eq!(severity.to_string().parse(), Ok(severity));
        }
        for control in Control::ALL {
            assert_eq!(control.to_string().parse(), Ok(control));
        }
        for verdict in Verdict::ALL {
            assert_eq!(verdict.to_string().parse(), Ok(verdict));
        }
        let error = "urgent".parse::<Severity>().expect_err("not a severity");
        assert_eq!(error.to_string(), "`urgent` is none of critical, high, medium, low, info");
    }

    #[test]
    fn nearest_name_is_close_or_none() {
        let known = ["target_known", "target_kind", "tier"];
        assert_eq!(nearest("target_knwon", known.into_iter()), Some("target_known"));
        assert_eq!(nearest("Target_Kind", known.into_iter()), Some("target_kind"));
        assert_eq!(nearest("entirely_else", known.into_iter()), None);
    }

    #[test]
    fn unknown_is_neither_pass_nor_fail() {
        assert_eq!(Verdict::of(None, Some(true)), Verdict::Indeterminate);
        assert_eq!(Verdict::of(None, Some(false)), Verdict::Indeterminate);
        assert_eq!(Verdict::of(Some(true), None), Verdict::Indeterminate);
        assert_eq!(Verdict::of(Some(false), None), Verdict::NotApplicable);
    }
}
