//! Facts: columns computed once for every subject, each in plain units.
//!
//! [`world`] indexes the inputs; one file a family computes from it. A fact is one function and one line of a family's
//! list, with its meaning and when it is null.

pub mod coverage;
pub mod credential;
pub mod index;
pub mod record;
pub mod reset;
pub mod revocation;
pub mod sequence;
pub mod standing;
pub mod world;

use std::sync::LazyLock;

use hashbrown::HashMap;
use smol_str::format_smolstr;

use crate::check::SubjectKind;
use crate::check::catalogue::FactNames;
use crate::check::predicate::{Kind, Names};
use crate::config::Policy;
use crate::report::evidence::Told;

pub use credential::CredentialSubject;
pub use reset::ResetSubject;
pub use world::World;

/// In what a number is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// No number, or a plain one.
    None,
    /// Things.
    Count,
    /// A verification level, 0 to 4.
    Level,
    /// Minutes.
    Minutes,
    /// Hours.
    Hours,
    /// Days.
    Days,
}

/// One fact; `C` says how it is computed for a subject.
pub struct Fact<C> {
    /// Its name in predicates.
    pub name: &'static str,
    /// Unit of a number.
    pub unit: Unit,
    /// What it is.
    pub doc: &'static str,
    /// When it is null.
    pub null: &'static str,
    /// How it is computed.
    pub compute: C,
}

/// The three kinds of computing a fact about one kind of subject.
macro_rules! compute {
    ($(#[$doc:meta])* $name:ident, $subject:ident) => {
        $(#[$doc])*
        pub enum $name {
            /// Yes, no, or not known.
            Bool(for<'s, 'w> fn(&'s $subject<'w>) -> Option<bool>),
            /// A number, or not known.
            Number(for<'s, 'w> fn(&'s $subject<'w>) -> Option<f64>),
            /// A word, or not known.
            Text(for<'s, 'w> fn(&'s $subject<'w>) -> Option<&'s str>),
        }

        impl Fact<$name> {
            /// Its value for a subject.
            pub fn value(&self, subject: &$subject<'_>) -> Value {
                match &self.compute {
                    $name::Bool(f) => f(subject).map_or(Value::Null, Value::Bool),
                    $name::Number(f) => f(subject).map_or(Value::Null, Value::Number),
                    $name::Text(f) => f(subject).map_or(Value::Null, |t| Value::Text(t.to_owned())),
                }
            }

            /// What kind of value it has.
            pub fn kind(&self) -> Kind {
                match self.compute {
                    $name::Bool(_) => Kind::Bool,
                    $name::Number(_) => Kind::Number,
                    $name::Text(_) => Kind::Text,
                }
            }
        }
    };
}
compute!(
    /// How a fact about a reset is computed.
    ResetCompute, ResetSubject
);
compute!(
    /// How a fact about a credential is computed.
    CredentialCompute, CredentialSubject
);

/// One fact's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Not known.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A number in the fact's unit.
    Number(f64),
    /// A word.
    Text(String),
}

impl Value {
    /// As JSON: null, a bool, a number (whole ones without a fraction) or text.
    pub fn json(&self) -> serde_json::Value {
        match self {
            Value::Null => serde_json::Value::Null,
            Value::Bool(b) => (*b).into(),
            Value::Number(x) if x.fract() == 0.0 && x.abs() < 9e15 => (*x as i64).into(),
            // Six decimals: below a microsecond of any unit here, and free of the noise of binary fractions.
            Value::Number(x) => ((x * 1e6).round() / 1e6).into(),
            Value::Text(t) => t.as_str().into(),
        }
    }

    /// The same as a finding tells it.
    pub fn told(&self) -> Told {
        match self {
            Value::Null => Told::Null,
            Value::Bool(is) => Told::Bool(*is),
            Value::Number(x) if x.fract() == 0.0 && x.abs() < 9e15 => Told::Number(format_smolstr!("{}", *x as i64)),
            Value::Number(_) => self.json().into(),
            Value::Text(text) => Told::Text(text.into()),
        }
    }

    /// As a reader sees it, by the fact's unit; null is "not reported".
    pub fn words(&self, unit: Unit) -> String {
        match (self, unit) {
            (Value::Null, _) => "not reported".to_owned(),
            (Value::Bool(b), _) => if *b { "yes" } else { "no" }.to_owned(),
            (Value::Text(t), _) => t.clone(),
            (Value::Number(x), Unit::Minutes) => crate::time::format_duration_minutes(*x),
            (Value::Number(x), Unit::Hours) => crate::time::format_duration_hours(*x),
            (Value::Number(x), Unit::Days) => crate::time::format_duration_days(*x),
            (Value::Number(x), _) => format!("{x}"),
        }
    }
}

/// The unit of a policy value, which its name says.
pub fn policy_unit(name: &str) -> Unit {
    match name.rsplit('_').next() {
        Some("minutes") => Unit::Minutes,
        Some("hours") => Unit::Hours,
        Some("days") => Unit::Days,
        _ => Unit::Count,
    }
}

/// Every fact about a reset.
pub fn reset_facts() -> impl Iterator<Item = &'static Fact<ResetCompute>> {
    reset::FACTS.iter().chain(revocation::FACTS).chain(record::FACTS).chain(sequence::FACTS)
}

/// Every fact about a credential.
pub fn credential_facts() -> impl Iterator<Item = &'static Fact<CredentialCompute>> {
    credential::FACTS.iter()
}

/// The fact about a reset of that name.
pub fn reset_fact(name: &str) -> Option<&'static Fact<ResetCompute>> {
    static BY_NAME: LazyLock<HashMap<&str, &Fact<ResetCompute>>> =
        LazyLock::new(|| reset_facts().map(|f| (f.name, f)).collect());
    BY_NAME.get(name).copied()
}

/// The fact about a credential of that name.
pub fn credential_fact(name: &str) -> Option<&'static Fact<CredentialCompute>> {
    static BY_NAME: LazyLock<HashMap<&str, &Fact<CredentialCompute>>> =
        LazyLock::new(|| credential_facts().map(|f| (f.name, f)).collect());
    BY_NAME.get(name).copied()
}

/// Columns of a finding that sentences and waivers may name, beside facts.
pub const FINDING_COLUMNS: &[&str] = &[
    "finding_id",
    "check",
    "control",
    "severity",
    "state",
    "subject_kind",
    "subject",
    "system",
    "occurred_at",
    "action",
    "target",
    "identity",
    "identity_name",
    "tier",
    "executor",
    "approver",
    "ticket",
    "source_file",
    "source_record",
];

/// What predicates may name.
pub struct Registry {
    reset: Known,
    credential: Known,
}

struct Known {
    facts: Vec<(&'static str, Kind)>,
    policy: Vec<(&'static str, f64)>,
}

impl Names for Known {
    fn kind(&self, name: &str) -> Option<Kind> {
        self.facts.iter().find(|f| f.0 == name).map(|f| f.1)
    }

    fn policy(&self, name: &str) -> Option<f64> {
        self.policy.iter().find(|p| p.0 == name).map(|p| p.1)
    }

    fn all(&self) -> Vec<String> {
        self.facts.iter().map(|f| f.0.to_owned()).collect()
    }
}

impl Registry {
    /// All facts, and the policy's numbers.
    pub fn new(policy: &Policy) -> Registry {
        let scalars = policy.scalars();
        Registry {
            reset: Known { facts: reset_facts().map(|f| (f.name, f.kind())).collect(), policy: scalars.clone() },
            credential: Known { facts: credential_facts().map(|f| (f.name, f.kind())).collect(), policy: scalars },
        }
    }
}

impl FactNames for Registry {
    fn names(&self, subject: SubjectKind) -> &dyn Names {
        match subject {
            SubjectKind::Reset => &self.reset,
            SubjectKind::Credential => &self.credential,
        }
    }

    fn columns(&self) -> &[&str] {
        FINDING_COLUMNS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_documented() {
        let names: Vec<_> = reset_facts().map(|f| (f.name, f.doc, f.null)).collect();
        let mut seen = std::collections::BTreeSet::new();
        for (name, doc, null) in names.iter().copied().chain(credential_facts().map(|f| (f.name, f.doc, f.null))) {
            assert!(!doc.is_empty() && !null.is_empty(), "{name} is not documented");
            seen.insert(name);
        }
        assert_eq!(names.len(), names.iter().map(|n| n.0).collect::<std::collections::BTreeSet<_>>().len());
    }
}
