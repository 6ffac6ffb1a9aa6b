//! Kept facts under rules: what a check says of facts that were computed earlier, or that somebody supposes.

use std::collections::BTreeMap;

use polars::prelude::{ChunkedArray, IntoSeries, NamedFrom, PlSmallStr, Series};
use serde_json::Value;

use crate::check::catalogue::FactNames;
use crate::check::predicate::{Columns, Kind, Predicate, Turn};
use crate::check::{SubjectKind, Verdict};
use crate::config::Policy;
use crate::fact::Registry;
use crate::report::model::CheckResult;

/// Facts of subjects as they are kept: name → value.
pub type Facts = BTreeMap<String, Value>;

/// Both predicates of a check as a report has them, under the policy of that report.
pub struct Rule {
    kind: SubjectKind,
    registry: Registry,
    applies: Predicate,
    fails: Predicate,
}

impl Rule {
    /// Compiles the predicates; null when this version knows a name of them no more.
    pub fn of(check: &CheckResult, policy: &Policy) -> Option<Rule> {
        let kind = if check.subject == "credential" { SubjectKind::Credential } else { SubjectKind::Reset };
        let registry = Registry::new(policy);
        let applies = Predicate::compile(&check.applies, registry.names(kind)).ok()?;
        let fails = Predicate::compile(&check.fails, registry.names(kind)).ok()?;
        Some(Rule { kind, registry, applies, fails })
    }

    /// The verdict on each of the subjects.
    pub fn verdicts(&self, subjects: &[&Facts]) -> Vec<Verdict> {
        let columns = Kept { subjects, rule: self };
        let (applies, fails) = (self.applies.eval(&columns), self.fails.eval(&columns));
        (0..subjects.len()).map(|i| Verdict::of(applies.get(i), fails.get(i))).collect()
    }

    /// The verdict on one subject.
    pub fn verdict(&self, facts: &Facts) -> Verdict {
        // One subject goes in, one verdict comes out.
        self.verdicts(&[facts]).pop().unwrap_or(Verdict::Indeterminate)
    }

    /// What the facts of the failing condition are compared with for this subject.
    pub fn turns(&self, facts: &Facts) -> Vec<(String, Turn)> {
        self.fails.turns(&Kept { subjects: &[facts], rule: self })
    }

    /// The predicate that says who fails.
    pub fn fails(&self) -> &Predicate {
        &self.fails
    }

    /// The predicate that says whom it concerns.
    pub fn applies(&self) -> &Predicate {
        &self.applies
    }

    /// What kind of value a fact has; null for a name that is no fact.
    pub fn fact_kind(&self, name: &str) -> Option<Kind> {
        self.registry.names(self.kind).kind(name)
    }
}

struct Kept<'a> {
    subjects: &'a [&'a Facts],
    rule: &'a Rule,
}

impl Columns for Kept<'_> {
    fn len(&self) -> usize {
        self.subjects.len()
    }

    fn column(&self, name: &str) -> Series {
        let label = PlSmallStr::from_str(name);
        let values = self.subjects.iter().map(|facts| facts.get(name));
        match self.rule.fact_kind(name) {
            Some(Kind::Bool) => {
                let column: polars::prelude::BooleanChunked =
                    ChunkedArray::from_iter(values.map(|value| value.and_then(Value::as_bool)));
                column.with_name(label).into_series()
            }
            Some(Kind::Number) => {
                Series::new(label, values.map(|value| value.and_then(Value::as_f64)).collect::<Vec<Option<f64>>>())
            }
            Some(Kind::Text) => {
                Series::new(label, values.map(|value| value.and_then(Value::as_str)).collect::<Vec<Option<&str>>>())
            }
            None => Series::new_null(label, self.subjects.len()),
        }
    }
}
