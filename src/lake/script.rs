//! The script: from a table of facts to verdicts, findings and populations, in the SQL of one engine.
//!
//! Three views, generated from the checks in force, their thresholds resolved from the config: `…_verdicts` with one row for
//! each check and subject, `…_findings` with those that fail, `…_populations` with the counts of each check and run. Every
//! statement ends with a `;` at the end of a line, and no other line does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::basis;
use crate::assess::waiver::Waiver;
use crate::check::catalogue::{Catalogue, Check};
use crate::check::dialect::{Dialect, Inexpressible};
use crate::check::predicate::Predicate;
use crate::check::{Severity, SubjectKind};
use crate::config::Config;
use crate::fact::{credential_fact, reset_fact};
use crate::time;

/// What a script is made from.
pub struct Script<'a> {
    /// In whose SQL.
    pub dialect: Dialect,
    /// Thresholds, severities, zone.
    pub config: &'a Config,
    /// Checks in force.
    pub catalogue: &'a Catalogue,
    /// Waivers, in config order.
    pub waivers: &'a [Waiver<'a>],
    /// The table of facts: a name, or names with dots between them.
    pub table: &'a str,
    /// What the names of the views begin with.
    pub views: &'a str,
    /// Ours.
    pub version: &'a str,
}

/// A part of a check or waiver that an engine cannot be told.
#[derive(Debug, thiserror::Error)]
#[error("{what}: `{part}`: `{}` cannot be written for {dialect}: {}\n  help: {help}", .cause.expression, .cause.why)]
pub struct ScriptError {
    /// The check or waiver.
    pub what: String,
    /// Which of its predicates.
    pub part: &'static str,
    /// In whose SQL.
    pub dialect: Dialect,
    /// What and why.
    pub cause: Inexpressible,
    /// What to do.
    pub help: &'static str,
}

/// Columns that a verdict carries from the table of facts.
const CARRIED: [&str; 15] = [
    "as_of",
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

/// Instants that every engine can compare with: beyond them a bound is left out, for no run lies there.
const SPEAKABLE: std::ops::Range<i64> = -2_208_988_800_000_000..7_258_118_400_000_000;

/// A text on one line of a comment, that cannot end it or reorder what stands around it.
fn comment(text: &str) -> String {
    let text: String =
        text.chars().map(|c| if c.is_control() || ('\u{200e}'..='\u{206f}').contains(&c) { ' ' } else { c }).collect();
    text.trim_end_matches([';', ' ']).to_owned()
}

impl Script<'_> {
    /// The whole script.
    ///
    /// # Errors
    /// For the first predicate that the engine cannot be told.
    pub fn print(&self) -> Result<String, ScriptError> {
        let mut out = self.head();
        self.verdicts(&mut out)?;
        self.findings(&mut out)?;
        self.populations(&mut out)?;
        Ok(out)
    }

    fn head(&self) -> String {
        let mut named = BTreeSet::from(["dormant_days"]);
        for check in &self.catalogue.checks {
            let all = [Some(&check.applies), Some(&check.fails), check.escalate.as_ref().map(|e| &e.when)];
            named.extend(all.into_iter().flatten().flat_map(|predicate| predicate.params().iter().map(String::as_str)));
        }
        let mut out = format!(
            "-- Verdicts, findings and populations from a table of facts, for {}.\n\
             -- Printed by `regrant sql` (version {}) from {} checks and {} waivers; the facts are those of `regrant facts`.\n\
             -- Thresholds:\n",
            self.dialect,
            comment(self.version),
            self.catalogue.checks.len(),
            self.waivers.len()
        );
        let values: BTreeMap<_, _> = self.config.policy.scalars().into_iter().collect();
        for (name, value) in named.iter().filter_map(|name| Some((name, values.get(name)?))) {
            let _ = writeln!(out, "--   {name} = {value}");
        }
        out.push_str(
            "-- Other values of the policy are part of the facts: the columns policy_… say which. Where a fact was computed under\n\
             -- another value it is not known here; `comparable` says so, and `not_comparable` counts who is indeterminate for it.\n\n",
        );
        out
    }

    fn table(&self) -> String {
        self.table.split('.').map(|part| self.dialect.name_of(part)).collect::<Vec<_>>().join(".")
    }

    fn view(&self, what: &str) -> String {
        self.dialect.name_of(&format!("{}_{what}", self.views))
    }

    fn fact(&self, name: &str) -> String {
        if name == "days_inactive" {
            let limit = format!("{:e}", self.config.policy.dormant_days);
            return format!(
                "(CASE WHEN days_inactive_seen <= {limit} OR days_inactive_sure >= {limit} OR days_inactive_sure IS NULL \
                 THEN days_inactive_seen END)"
            );
        }
        self.dialect.name_of(name)
    }

    fn condition(&self, check: &Check, part: &'static str, predicate: &Predicate) -> Result<String, ScriptError> {
        self.dialect
            .condition(predicate, &|name| Ok(self.fact(name)))
            .map_err(|cause| self.error(format!("check \"{}\"", check.id), part, cause))
    }

    fn error(&self, what: String, part: &'static str, cause: Inexpressible) -> ScriptError {
        let help = "write it otherwise, make a part of it a fact, or leave it to `regrant audit`";
        ScriptError { what, part, dialect: self.dialect, cause, help }
    }

    fn literal(&self, of: &Check, part: &'static str, text: &str) -> Result<String, ScriptError> {
        self.dialect.text(text).map_err(|cause| self.error(format!("check \"{}\"", of.id), part, cause))
    }

    /// Do the facts that some predicates name rest on the policy of this config? `TRUE` when they rest on none.
    fn comparable(&self, check: &Check, predicates: &[&Predicate]) -> Result<String, ScriptError> {
        let names: BTreeSet<&str> =
            predicates.iter().flat_map(|predicate| predicate.names().iter().map(String::as_str)).collect();
        let bases: BTreeMap<&str, String> = names
            .iter()
            .flat_map(|name| basis::of_fact(name))
            .map(|basis| (basis.column, basis.value(self.config)))
            .collect();
        let mut parts = Vec::new();
        for (column, value) in bases {
            parts.push(format!("{column} = {}", self.literal(check, "policy", &value)?));
        }
        if self.dialect == Dialect::ClickHouse {
            // A column that is not Nullable has turned what is not known into false, 0 or ''.
            let columns = names.iter().filter(|name| never_null(check.subject, name) == Some(false)).map(|name| {
                let name = if *name == "days_inactive" { "days_inactive_seen" } else { name };
                format!("toTypeName({}) LIKE '%Nullable(%'", self.dialect.name_of(name))
            });
            parts.extend(columns);
        }
        Ok(match parts.len() {
            0 => "TRUE".to_owned(),
            _ => format!("({})", parts.join(" AND ")),
        })
    }

    /// A predicate of a check, null where its facts rest on another policy.
    fn guarded(&self, check: &Check, part: &'static str) -> Result<String, ScriptError> {
        let predicate = if part == "applies" { &check.applies } else { &check.fails };
        let condition = self.condition(check, part, predicate)?;
        let comparable = self.comparable(check, &[predicate])?;
        Ok(if comparable == "TRUE" { condition } else { format!("CASE WHEN {comparable} THEN {condition} END") })
    }

    fn severity(&self, check: &Check) -> Result<String, ScriptError> {
        let word = |severity: Severity| format!("'{}'", severity.as_str());
        Ok(match (self.config.policy.severity.get(&check.id), &check.escalate) {
            (Some(own), _) => word(*own),
            (None, Some(escalation)) => {
                let when = self.condition(check, "escalate", &escalation.when)?;
                let comparable = self.comparable(check, &[&escalation.when])?;
                let guard = if comparable == "TRUE" { String::new() } else { format!("{comparable} AND ") };
                let (to, from) = (word(escalation.to), word(check.severity));
                format!("CASE WHEN {guard}{when} THEN {to} ELSE {from} END")
            }
            (None, None) => word(check.severity),
        })
    }

    fn finding_id(&self, check: &Check) -> Result<String, ScriptError> {
        let text = self.literal(check, "id", &format!("{}\n{}\n", check.id, check.subject.as_str()))?;
        let feed = self.literal(check, "id", "\n")?;
        let text = format!("{text} || system || {feed} || subject");
        Ok(match self.dialect {
            Dialect::DuckDb => format!("left(sha256({text}), 16)"),
            Dialect::Spark => format!("left(sha2({text}, 256), 16)"),
            Dialect::ClickHouse => format!("left(lower(hex(SHA256({text}))), 16)"),
        })
    }

    /// The id of the first waiver in force that takes a failure in; null where none does.
    fn waiver(&self, check: &Check, severity: &str) -> Result<String, ScriptError> {
        let mut arms = String::new();
        for waiver in self.waivers {
            let Some(predicate) = waiver.predicate(&check.id, check.subject) else { continue };
            let of = || format!("waiver \"{}\" for check \"{}\"", waiver.rule.id, check.id);
            let finding_id = self.finding_id(check)?;
            let column = |name: &str| self.finding_column(check, name, severity, &finding_id);
            let condition =
                self.dialect.condition(predicate, &column).map_err(|cause| self.error(of(), "where", cause))?;
            let comparable = self.comparable(check, &[predicate])?;
            let id = self.dialect.text(&waiver.rule.id).map_err(|cause| self.error(of(), "id", cause))?;
            let mut all = Vec::new();
            let starts = time::midnight(waiver.rule.starts_on, self.config.zone());
            if SPEAKABLE.contains(&starts) {
                all.push(format!("as_of >= {}", self.dialect.instant(starts)));
            }
            if SPEAKABLE.contains(&waiver.ends) {
                all.push(format!("as_of < {}", self.dialect.instant(waiver.ends)));
            }
            if comparable != "TRUE" {
                all.push(comparable);
            }
            all.push(condition);
            let _ = write!(arms, "\n             WHEN {} THEN {id}", all.join(" AND "));
        }
        let null = self.dialect.null(crate::check::predicate::Kind::Text);
        Ok(if arms.is_empty() { null.to_owned() } else { format!("CASE{arms}\n             ELSE {null} END") })
    }

    /// What a name in a waiver stands for: a fact, else a column of the finding, where what is empty is ''.
    fn finding_column(
        &self,
        check: &Check,
        name: &str,
        severity: &str,
        finding_id: &str,
    ) -> Result<String, Inexpressible> {
        if never_null(check.subject, name).is_some() {
            return Ok(self.fact(name));
        }
        let no_reset = check.subject == SubjectKind::Credential;
        Ok(match name {
            "finding_id" => finding_id.to_owned(),
            "check" => self.dialect.text(&check.id)?,
            "control" => format!("'{}'", check.control.id()),
            "severity" => format!("({severity})"),
            "state" => "'open'".to_owned(),
            "subject_kind" => format!("'{}'", check.subject.as_str()),
            "action" | "occurred_at" if no_reset => "''".to_owned(),
            "occurred_at" => {
                let why = "engines do not agree on an instant as text";
                return Err(Inexpressible::new(name, why));
            }
            // Not a double in the table.
            "source_record" => match self.dialect {
                Dialect::ClickHouse => "CAST(source_record AS Float64)".to_owned(),
                Dialect::DuckDb | Dialect::Spark => "CAST(source_record AS DOUBLE)".to_owned(),
            },
            "subject" | "source_file" => name.to_owned(),
            _ => format!("COALESCE({}, '')", self.dialect.name_of(name)),
        })
    }

    fn verdicts(&self, out: &mut String) -> Result<(), ScriptError> {
        let columns = CARRIED.join(", ");
        let _ = writeln!(out, "CREATE OR REPLACE VIEW {} AS\nWITH judged AS (", self.view("verdicts"));
        for (place, check) in self.catalogue.checks.iter().enumerate() {
            if place > 0 {
                out.push_str("  UNION ALL\n");
            }
            let severity = self.severity(check)?;
            let (applies, fails) = (self.guarded(check, "applies")?, self.guarded(check, "fails")?);
            let _ = write!(
                out,
                "  -- {}: {}\n  --   applies: {}\n  --   fails:   {}\n  \
                 SELECT {} AS check_id, '{}' AS control,\n         {severity} AS severity_of_failure,\n         \
                 {} AS waiver_of_failure,\n         {} AS comparable,\n         {applies} AS applies,\n         \
                 {fails} AS fails,\n         {columns}\n  FROM {} WHERE subject_kind = '{}'\n",
                comment(&check.id),
                comment(&check.title),
                comment(check.applies.text()),
                comment(check.fails.text()),
                self.literal(check, "id", &check.id)?,
                check.control.id(),
                self.waiver(check, &severity)?,
                self.comparable(check, &[&check.applies, &check.fails])?,
                self.table(),
                check.subject.as_str(),
            );
        }
        let _ = write!(
            out,
            "),\ntold AS (\n  \
             SELECT check_id, control, severity_of_failure, waiver_of_failure, comparable,\n         \
             CASE WHEN NOT applies THEN 'not-applicable'\n              \
             WHEN applies AND fails THEN 'fail'\n              \
             WHEN applies AND NOT fails THEN 'pass'\n              \
             ELSE 'indeterminate' END AS verdict,\n         \
             {columns}\n  FROM judged\n)\n\
             SELECT as_of, check_id, control, verdict,\n       \
             CASE WHEN verdict = 'fail' THEN severity_of_failure END AS severity,\n       \
             CASE WHEN verdict <> 'fail' THEN NULL WHEN waiver_of_failure IS NULL THEN 'open' ELSE 'waived' END AS state,\n       \
             CASE WHEN verdict = 'fail' THEN waiver_of_failure END AS waiver,\n       \
             CASE WHEN comparable THEN TRUE ELSE FALSE END AS comparable,\n       {}\nFROM told;\n\n",
            CARRIED[1..].join(", ")
        );
        Ok(())
    }

    fn findings(&self, out: &mut String) -> Result<(), ScriptError> {
        let feed = self.dialect.text("\n").map_err(|cause| self.error("the script".to_owned(), "finding_id", cause))?;
        let text = format!("check_id || {feed} || subject_kind || {feed} || system || {feed} || subject");
        let id = match self.dialect {
            Dialect::DuckDb => format!("left(sha256({text}), 16)"),
            Dialect::Spark => format!("left(sha2({text}, 256), 16)"),
            Dialect::ClickHouse => format!("left(lower(hex(SHA256({text}))), 16)"),
        };
        let _ = write!(
            out,
            "-- The same finding_id as in a report, run after run.\n\
             CREATE OR REPLACE VIEW {} AS\nSELECT as_of,\n       {id} AS finding_id,\n       \
             check_id, control, severity, state, {}, waiver\nFROM {}\nWHERE verdict = 'fail';\n\n",
            self.view("findings"),
            CARRIED[1..].join(", "),
            self.view("verdicts"),
        );
        Ok(())
    }

    fn populations(&self, out: &mut String) -> Result<(), ScriptError> {
        let _ = writeln!(
            out,
            "-- One row for each check and run. A check of which the table has no subject cannot conclude: whether the inputs\n\
             -- could have shown one is not in the table.\n\
             CREATE OR REPLACE VIEW {} AS\nWITH checks AS (",
            self.view("populations")
        );
        for (place, check) in self.catalogue.checks.iter().enumerate() {
            let _ = writeln!(
                out,
                "  {}SELECT {place} AS place, {} AS check_id, '{}' AS control, {} AS title",
                if place > 0 { "UNION ALL " } else { "" },
                self.literal(check, "id", &check.id)?,
                check.control.id(),
                self.literal(check, "title", &check.title)?,
            );
        }
        let one = |condition: &str| format!("CASE WHEN {condition} THEN 1 ELSE 0 END");
        let _ = write!(
            out,
            "),\nruns AS (SELECT DISTINCT as_of FROM {}),\n\
             marks AS (\n  \
             SELECT as_of, check_id, 1 AS n, {} AS n_na, {} AS n_pass,\n         {} AS n_fail,\n         {} AS n_waived,\n         \
             {} AS n_unknown, {} AS n_other\n  FROM {}\n  UNION ALL\n  \
             SELECT as_of, check_id, 0, 0, 0, 0, 0, 0, 0 FROM runs CROSS JOIN checks\n),\n\
             counted AS (\n  \
             SELECT as_of, check_id, sum(n) AS population, sum(n_na) AS not_applicable, sum(n_pass) AS passed,\n         \
             sum(n_fail) AS failed, sum(n_waived) AS waived, sum(n_unknown) AS indeterminate, sum(n_other) AS not_comparable\n  \
             FROM marks GROUP BY as_of, check_id\n)\n\
             SELECT counted.as_of AS as_of, checks.place AS place, counted.check_id AS check_id, checks.control AS control,\n       \
             checks.title AS title,\n       \
             CASE WHEN counted.failed + counted.waived > 0 THEN 'fail'\n            \
             WHEN counted.indeterminate > 0 OR counted.population = 0 THEN 'cannot conclude'\n            \
             WHEN counted.passed > 0 THEN 'pass'\n            \
             ELSE 'not applicable' END AS verdict,\n       ",
            self.table(),
            one("verdict = 'not-applicable'"),
            one("verdict = 'pass'"),
            one("verdict = 'fail' AND state = 'open'"),
            one("verdict = 'fail' AND state = 'waived'"),
            one("verdict = 'indeterminate'"),
            one("verdict = 'indeterminate' AND NOT comparable"),
            self.view("verdicts"),
        );
        let counts = ["population", "not_applicable", "passed", "failed", "waived", "indeterminate", "not_comparable"];
        let counts: Vec<String> = counts.iter().map(|n| format!("CAST(counted.{n} AS BIGINT) AS {n}")).collect();
        let _ = writeln!(
            out,
            "{}\nFROM counted INNER JOIN checks ON counted.check_id = checks.check_id;",
            counts.join(",\n       ")
        );
        Ok(())
    }
}

/// Is a fact about subjects of a kind never null? Null for a name that is no such fact.
fn never_null(subject: SubjectKind, name: &str) -> Option<bool> {
    let null = match subject {
        SubjectKind::Reset => reset_fact(name)?.null,
        SubjectKind::Credential => credential_fact(name)?.null,
    };
    Some(null == "never")
}
