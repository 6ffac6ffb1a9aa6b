//! The catalogue: every check as its document says it.
//!
//! A document is a Markdown file with TOML front matter between `+++` lines, three sections of prose and executable
//! cases. Everything that can be wrong with a document is found here, with its line; judging is left to the engine, and
//! running the cases to the tests.

use std::collections::BTreeSet;

use serde::Deserialize;
use toml::Spanned;

use super::predicate::{Names, Predicate, PredicateError};
use super::{Control, Severity, SubjectKind, Verdict, nearest};
use crate::mappings::{MappingFile, MappingKind, Mappings, MappingsError, line_of};

/// A check document that cannot be used.
pub type CatalogueError = MappingsError;

/// The shipped checks in the order of every report.
pub const ORDER: [&str; 48] = [
    "reset-without-verification",
    "weak-verification",
    "stale-verification",
    "reset-after-offboarding",
    "reset-of-unknown-identity",
    "reset-of-dormant-identity",
    "reset-of-disabled-account",
    "reset-while-on-leave",
    "contractor-without-end-date",
    "workload-without-owner",
    "workload-owner-offboarded",
    "executor-offboarded",
    "desk-reset-of-sensitive-identity",
    "recovery-token-outlives-policy",
    "recovery-token-without-expiry",
    "recovery-token-redeemed-late",
    "prior-credential-not-revoked",
    "prior-credential-revoked-late",
    "prior-credential-used-after-reset",
    "reissued-credential-long-lived",
    "missing-approval",
    "rejected-approval",
    "retroactive-approval",
    "stale-approval",
    "self-approval",
    "approver-offboarded",
    "ticket-not-found",
    "ticket-of-another-identity",
    "ticket-closed-before-reset",
    "ticket-reused-across-identities",
    "access-reissued-in-support-ticket",
    "requester-not-entitled",
    "restored-access-not-recorded",
    "holder-not-notified",
    "incomplete-record",
    "bulk-resets-by-executor",
    "repeated-resets",
    "factors-reset-together",
    "reset-after-reactivation",
    "privilege-grant-after-reset",
    "reset-cascade",
    "denied-then-granted",
    "contact-changed-before-reset",
    "off-hours-sensitive-reset",
    "active-credential-of-offboarded-identity",
    "active-credential-without-owner",
    "dormant-active-credential",
    "long-lived-credential",
];

/// Tables that a case may supply.
const TABLES: [&str; 6] = ["event", "person", "workload", "credential", "account", "ticket"];

/// Sections of a document, each there exactly once.
const SECTIONS: [&str; 4] = ["What it finds", "Why it matters", "What to do", "Cases"];

/// What documents may name, by subject.
pub trait FactNames {
    /// Facts and policy values that a predicate over that subject may name.
    fn names(&self, subject: SubjectKind) -> &dyn Names;
    /// Columns of a finding that a sentence may name besides facts, such as `target`.
    fn columns(&self) -> &[&str];
}

/// One check.
#[derive(Clone, Debug)]
pub struct Check {
    /// The file name of its document.
    pub id: String,
    /// The fault, in a few words.
    pub title: String,
    /// Which question of the audit it belongs to.
    pub control: Control,
    /// What it judges.
    pub subject: SubjectKind,
    /// Before escalation.
    pub severity: Severity,
    /// When a failure weighs more; `None` when it never does.
    pub escalate: Option<Escalation>,
    /// Whom it concerns.
    pub applies: Predicate,
    /// Who fails.
    pub fails: Predicate,
    /// The sentence of a finding.
    pub because: Sentence,
    /// What it finds, as Markdown.
    pub finds: String,
    /// Why it matters, as Markdown.
    pub matters: String,
    /// What to do, as Markdown.
    pub remedy: String,
    /// Its executable cases, in file order.
    pub cases: Vec<Case>,
    /// `shipped`, or the file as named.
    pub origin: String,
}

impl Check {
    /// The facts that its predicates and its sentence name, which are the evidence of a finding. Columns of a finding,
    /// which a sentence may name too, are not among them.
    pub fn facts(&self, known: &dyn FactNames) -> BTreeSet<String> {
        let names = known.names(self.subject);
        let mut facts: BTreeSet<String> = self.applies.names().union(self.fails.names()).cloned().collect();
        facts.extend(self.because.names().filter(|name| names.kind(name).is_some()).map(str::to_owned));
        facts
    }
}

/// When a failure weighs more.
#[derive(Clone, Debug)]
pub struct Escalation {
    /// Over the facts of the failing subject; null does not escalate.
    pub when: Predicate,
    /// The severity then.
    pub to: Severity,
}

/// One executable case of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Its heading.
    pub name: String,
    /// The line of that heading in the document.
    pub line: usize,
    /// Its configuration; `None` for the default.
    pub config: Option<String>,
    /// Canonical tables and their CSV, in file order.
    pub tables: Vec<(String, String)>,
    /// Subject and its verdict, in file order.
    pub verdicts: Vec<(String, Verdict)>,
}

/// The sentence of a finding: text with placeholders `{fact}` and `{:policy}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Placeholder(String),
}

impl Sentence {
    /// Reads a sentence; the error says what is wrong with its braces.
    ///
    /// # Errors
    /// For a brace without its partner, or a placeholder that is no name.
    pub fn parse(text: &str) -> Result<Sentence, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            if before.contains('}') {
                return Err("a `}` without a `{` before it".to_owned());
            }
            let Some((name, behind)) = after.split_once('}') else {
                return Err(format!("`{{{after}` has no closing `}}`"));
            };
            let plain = name.strip_prefix(':').unwrap_or(name);
            if plain.is_empty() || !plain.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Err(format!("`{{{name}}}` is no placeholder"));
            }
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Placeholder(name.to_owned()));
            rest = behind;
        }
        if rest.contains('}') {
            return Err("a `}` without a `{` before it".to_owned());
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Sentence { parts })
    }

    /// Its placeholders in order: `name`, or `:name` for a policy value. One that occurs twice is given twice.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Placeholder(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// Puts the sentence with its placeholders filled behind a text; `value` is asked for `name` or `:name`.
    pub fn render<T: AsRef<str>>(&self, sentence: &mut String, mut value: impl FnMut(&str) -> T) {
        for part in &self.parts {
            match part {
                Part::Text(text) => sentence.push_str(text),
                Part::Placeholder(name) => sentence.push_str(value(name).as_ref()),
            }
        }
    }
}

/// Every check in force.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// The shipped ones in [`ORDER`], then the user's by id.
    pub checks: Vec<Check>,
}

impl Catalogue {
    /// Reads every check document in force.
    ///
    /// # Errors
    /// For the first document that is not complete and correct.
    pub fn load(mappings: &Mappings, facts: &dyn FactNames) -> Result<Catalogue, CatalogueError> {
        let mut checks =
            mappings.files(MappingKind::Check).map(|file| read(file, facts)).collect::<Result<Vec<_>, _>>()?;
        checks.sort_by(|a, b| (place(&a.id), &a.id).cmp(&(place(&b.id), &b.id)));
        Ok(Catalogue { checks })
    }

    /// The check of that id.
    pub fn get(&self, id: &str) -> Option<&Check> {
        self.checks.iter().find(|check| check.id == id)
    }
}

fn place(id: &str) -> usize {
    ORDER.iter().position(|shipped| *shipped == id).unwrap_or(ORDER.len())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FrontMatter {
    title: Spanned<String>,
    control: Control,
    subject: SubjectKind,
    severity: Severity,
    #[serde(default)]
    escalate: Option<Spanned<Vec<EscalateEntry>>>,
    applies: Spanned<String>,
    fails: Spanned<String>,
    because: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EscalateEntry {
    when: Spanned<String>,
    to: Severity,
}

/// Reads one document.
fn read(file: &MappingFile, facts: &dyn FactNames) -> Result<Check, CatalogueError> {
    let mut lines = file.text.split('\n');
    if lines.next().map(str::trim_end) != Some("+++") {
        let hint = "begin with a line `+++`, then title, control, subject, severity, applies, fails and because as TOML, \
                    then `+++` again";
        return Err(file.error(Some(1), "a check begins with front matter, this file does not", hint));
    }
    let front: Vec<&str> = lines.clone().take_while(|line| line.trim_end() != "+++").collect();
    let front_end = front.len() + 2;
    if file.text.split('\n').count() < front_end {
        return Err(file.error(None, "the front matter has no end", "close it with a line `+++`"));
    }
    // The line of `+++` stays out of the TOML, so its first line is the second of the file.
    let toml_text = front.join("\n");
    let head: FrontMatter = toml::from_str(&toml_text).map_err(|e| file.toml_error(&toml_text, 1, &e))?;
    let line = |at: usize| Some(1 + line_of(&toml_text, at));

    let names = facts.names(head.subject);
    let compile = |key: &str, text: &Spanned<String>| {
        Predicate::compile(text.get_ref(), names).map_err(|e| predicate_error(file, line(text.span().start), key, &e))
    };
    let applies = compile("applies", &head.applies)?;
    let fails = compile("fails", &head.fails)?;
    let escalate = match &head.escalate {
        None => None,
        Some(entries) => {
            let at = line(entries.span().start);
            let [entry] = entries.get_ref().as_slice() else {
                let message = format!("`escalate` has {} entries, one was expected", entries.get_ref().len());
                return Err(file.error(at, message, "join the conditions with OR, or leave `escalate` out"));
            };
            if entry.to > head.severity {
                let message = format!("`escalate` goes from {} down to {}", head.severity, entry.to);
                return Err(file.error(at, message, "escalation raises the severity; exchange the two"));
            }
            Some(Escalation { when: compile("escalate", &entry.when)?, to: entry.to })
        }
    };
    let because = sentence(file, line(head.because.span().start), head.because.get_ref(), head.subject, facts)?;
    let title = head.title.get_ref().trim().to_owned();
    if title.is_empty() {
        return Err(file.error(line(head.title.span().start), "`title` is empty", "name the fault in a few words"));
    }
    let body = Body::read(file, front_end)?;
    Ok(Check {
        id: file.id.clone(),
        title,
        control: head.control,
        subject: head.subject,
        severity: head.severity,
        escalate,
        applies,
        fails,
        because,
        finds: body.finds,
        matters: body.matters,
        remedy: body.remedy,
        cases: body.cases,
        origin: file.origin.to_string(),
    })
}

/// A predicate's error in the file that holds it.
pub(crate) fn predicate_error(
    file: &MappingFile,
    line: Option<usize>,
    key: &str,
    error: &PredicateError,
) -> CatalogueError {
    file.error(line, format!("`{key}`: {error}"), error.hint.clone())
}

fn sentence(
    file: &MappingFile,
    line: Option<usize>,
    text: &str,
    subject: SubjectKind,
    facts: &dyn FactNames,
) -> Result<Sentence, CatalogueError> {
    let sentence = Sentence::parse(text.trim()).map_err(|e| {
        let hint = "placeholders are written {fact}, {column} or {:policy_value}";
        file.error(line, format!("`because`: {e}"), hint)
    })?;
    if sentence.parts.is_empty() {
        return Err(file.error(line, "`because` is empty", "say in one sentence what was found"));
    }
    let names = facts.names(subject);
    for name in sentence.names() {
        let known = match name.strip_prefix(':') {
            Some(policy) => names.policy(policy).is_some(),
            None => names.kind(name).is_some() || facts.columns().contains(&name),
        };
        if !known {
            let all = names.all();
            let near = nearest(name, all.iter().map(String::as_str).chain(facts.columns().iter().copied()));
            let hint = match near {
                Some(near) => format!("did you mean `{{{near}}}`?"),
                None => format!("name a fact of a {subject}, {}, or a policy value", facts.columns().join(", ")),
            };
            let message = format!(
                "`because`: `{{{name}}}` is no fact of a {subject}, no column of a finding and no policy value"
            );
            return Err(file.error(line, message, hint));
        }
    }
    Ok(sentence)
}

/// The document below its front matter.
#[derive(Default)]
struct Body {
    finds: String,
    matters: String,
    remedy: String,
    cases: Vec<Case>,
}

/// A fenced block that is open.
struct Fence<'a> {
    line: usize,
    info: &'a str,
    text: String,
}

impl Body {
    fn read(file: &MappingFile, front_end: usize) -> Result<Body, CatalogueError> {
        let mut prose: [String; SECTIONS.len()] = Default::default();
        let mut seen = [false; SECTIONS.len()];
        let mut section: Option<usize> = None;
        let mut cases: Vec<Case> = Vec::new();
        let mut fence: Option<Fence<'_>> = None;
        for (index, line) in file.text.split('\n').enumerate().skip(front_end) {
            let number = index + 1;
            let in_cases = section == Some(SECTIONS.len() - 1);
            if let Some(mut open) = fence.take() {
                if line.trim_end() != "```" {
                    open.text.push_str(line);
                    open.text.push('\n');
                    fence = Some(open);
                    if !in_cases && let Some(at) = section {
                        push_line(&mut prose[at], line);
                    }
                } else if in_cases {
                    Self::block(file, cases.last_mut(), open)?;
                } else if let Some(at) = section {
                    push_line(&mut prose[at], line);
                }
                continue;
            }
            if let Some(info) = line.strip_prefix("```") {
                fence = Some(Fence { line: number, info: info.trim(), text: String::new() });
                if !in_cases && let Some(at) = section {
                    push_line(&mut prose[at], line);
                }
            } else if let Some(title) = line.strip_prefix("## ") {
                let title = title.trim();
                let Some(at) = SECTIONS.iter().position(|known| *known == title) else {
                    let hint = match nearest(title, SECTIONS.into_iter()) {
                        Some(near) => format!("did you mean `## {near}`?"),
                        None => format!("the headings are: {}", SECTIONS.join(", ")),
                    };
                    return Err(file.error(Some(number), format!("`## {title}` is no heading of a check"), hint));
                };
                if seen[at] {
                    let message = format!("`## {title}` is there twice");
                    return Err(file.error(Some(number), message, "join the two"));
                }
                seen[at] = true;
                section = Some(at);
            } else if let Some(title) = line.strip_prefix("# ") {
                if title.trim() != file.id {
                    let message = format!("the document calls itself `{}`, its file `{}`", title.trim(), file.id);
                    return Err(file.error(Some(number), message, format!("write `# {}`", file.id)));
                }
            } else if let (true, Some(name)) = (in_cases, line.strip_prefix("### ")) {
                let name = name.trim().to_owned();
                if cases.iter().any(|case| case.name == name) {
                    let message = format!("two cases are called `{name}`");
                    return Err(file.error(Some(number), message, "give each its own name"));
                }
                cases.push(Case { name, line: number, config: None, tables: Vec::new(), verdicts: Vec::new() });
            } else if let Some(at) = section {
                push_line(&mut prose[at], line);
            }
        }
        if let Some(open) = fence {
            return Err(file.error(Some(open.line), "this block has no end", "close it with a line ```"));
        }
        if let Some((missing, _)) = SECTIONS.iter().zip(seen).find(|(_, seen)| !seen) {
            let message = format!("the heading `## {missing}` is missing");
            return Err(file.error(None, message, format!("every check has: {}", SECTIONS.join(", "))));
        }
        for (title, text) in SECTIONS.iter().zip(&prose).take(SECTIONS.len() - 1) {
            if text.trim().is_empty() {
                let message = format!("there is nothing under `## {title}`");
                return Err(file.error(None, message, "reports print this text; write a sentence or two"));
            }
        }
        if let Some(case) = cases.iter().find(|case| case.verdicts.is_empty()) {
            let message = format!("case `{}` expects no verdict", case.name);
            return Err(file.error(Some(case.line), message, "add a block ```verdicts with lines `subject: verdict`"));
        }
        let [finds, matters, remedy, _] = prose.map(|text| text.trim().to_owned());
        Ok(Body { finds, matters, remedy, cases })
    }

    /// Adds a closed block to the case it stands in.
    fn block(file: &MappingFile, case: Option<&mut Case>, block: Fence<'_>) -> Result<(), CatalogueError> {
        let Some(case) = case else {
            return Err(file.error(
                Some(block.line),
                "this block belongs to no case",
                "write `### name of the case` above",
            ));
        };
        let words: Vec<&str> = block.info.split_whitespace().collect();
        match words.as_slice() {
            ["toml"] if case.config.is_none() => case.config = Some(block.text),
            ["toml"] => {
                return Err(file.error(Some(block.line), "the case has two ```toml blocks", "join the two"));
            }
            ["csv", table] if TABLES.contains(table) => case.tables.push(((*table).to_owned(), block.text)),
            ["csv", table] => {
                let hint = match nearest(table, TABLES.into_iter()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the tables are: {}", TABLES.join(", ")),
                };
                return Err(file.error(Some(block.line), format!("there is no table `{table}`"), hint));
            }
            ["verdicts"] => {
                for (offset, line) in block.text.lines().enumerate() {
                    if line.trim().is_empty() {
                        continue;
                    }
                    let number = Some(block.line + 1 + offset);
                    let hint = "write `subject: pass`, fail, indeterminate or not-applicable";
                    // From the right: ids of subjects may hold colons.
                    let Some((subject, verdict)) = line.rsplit_once(':') else {
                        return Err(file.error(number, format!("`{line}` is no verdict"), hint));
                    };
                    let subject = subject.trim().to_owned();
                    let verdict = verdict.trim().parse().map_err(|e| file.error(number, format!("{e}"), hint))?;
                    if case.verdicts.iter().any(|(other, _)| *other == subject) {
                        let message = format!("`{subject}` has two verdicts in this case");
                        return Err(file.error(number, message, "keep one of them"));
                    }
                    case.verdicts.push((subject, verdict));
                }
            }
            _ => {
                let message = format!("a block `{}` is not part of a case", block.info);
                return Err(file.error(Some(block.line), message, "blocks of a case: toml, csv TABLE, verdicts"));
            }
        }
        Ok(())
    }
}

fn push_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// The names of the specification, for tests that must not depend on the registry of facts.
#[cfg(test)]
pub(crate) mod specified {
    use std::collections::BTreeMap;

    use super::super::predicate::Kind;
    use super::*;

    const RESET_TEXT: &str = "action system executor_kind target_kind tier approval_source approval_decision";
    const RESET_BOOL: &str = "emergency target_known sensitive self_service automated executor_given reason_given \
        ticket_given restored_given outcome_reported target_offboarded target_on_leave target_contractor \
        engagement_open_ended account_disabled owner_known owner_offboarded executor_offboarded token_issued \
        token_expiry_given token_redeemed new_credential_unlimited approval_required approval_reported \
        approval_present approver_is_executor approver_is_target approver_is_requester approver_offboarded \
        ticket_found ticket_subject_matches ticket_category_allowed ticket_closed requester_entitled notified \
        other_factor_observed reactivations_observed privilege_grants_observed contact_changes_observed \
        bulk_window_observed repeat_window_observed cascade_window_observed denials_observed habitual_executor off_hours";
    const RESET_NUMBER: &str = "hours_since_offboarding days_inactive verification_level required_level \
        verification_age_minutes token_ttl_minutes token_limit_minutes token_redeemed_late_minutes \
        revocation_sla_minutes prior_credentials prior_unrevoked minutes_to_revoke prior_used_after \
        new_credential_days approval_lead_minutes ticket_closed_before_minutes ticket_targets notified_minutes \
        executor_burst target_burst minutes_to_other_factor hours_since_reactivation hours_to_privilege_grant \
        days_since_contact_change hours_to_own_first_reset hours_since_denied";
    const CREDENTIAL_TEXT: &str = "kind system identity_kind tier";
    const CREDENTIAL_BOOL: &str =
        "privileged active identity_known sensitive identity_offboarded owner_known owner_offboarded unlimited";
    const CREDENTIAL_NUMBER: &str = "hours_since_offboarding days_unused lifetime_days age_days";
    const POLICY: &str = "dormant_days verification_max_age_minutes approval_max_age_minutes max_credential_days \
        bulk_targets bulk_window_minutes repeat_limit repeat_window_hours factor_pair_minutes reactivation_hours \
        privilege_hours cascade_hours denied_hours contact_change_days notification_max_minutes \
        roster_freshness_days approval_match_before_minutes approval_match_after_minutes";

    /// Names of one subject.
    pub(crate) struct Known(BTreeMap<String, Kind>);

    impl Names for Known {
        fn kind(&self, name: &str) -> Option<Kind> {
            self.0.get(name).copied()
        }
        fn policy(&self, name: &str) -> Option<f64> {
            POLICY.split_whitespace().any(|known| known == name).then_some(90.0)
        }
        fn all(&self) -> Vec<String> {
            self.0.keys().cloned().chain(POLICY.split_whitespace().map(|name| format!(":{name}"))).collect()
        }
    }

    /// Names of both subjects.
    pub(crate) struct Specified {
        reset: Known,
        credential: Known,
    }

    impl Specified {
        pub(crate) fn new() -> Specified {
            let known = |groups: [(&str, Kind); 3]| {
                Known(
                    groups
                        .into_iter()
                        .flat_map(|(names, kind)| names.split_whitespace().map(move |name| (name.to_owned(), kind)))
                        .collect(),
                )
            };
            Specified {
                reset: known([(RESET_TEXT, Kind::Text), (RESET_BOOL, Kind::Bool), (RESET_NUMBER, Kind::Number)]),
                credential: known([
                    (CREDENTIAL_TEXT, Kind::Text),
                    (CREDENTIAL_BOOL, Kind::Bool),
                    (CREDENTIAL_NUMBER, Kind::Number),
                ]),
            }
        }
    }

    impl FactNames for Specified {
        fn names(&self, subject: SubjectKind) -> &dyn Names {
            match subject {
                SubjectKind::Reset => &self.reset,
                SubjectKind::Credential => &self.credential,
            }
        }
        fn columns(&self) -> &[&str] {
            &["subject", "system", "target", "identity", "identity_name", "tier", "executor", "approver", "ticket"]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::specified::Specified;
    use super::*;

    const GOOD: &str = r#"+++
title    = "a house rule"
control  = "audit-trail"
subject  = "reset"
severity = "medium"
escalate = [{ when = "sensitive", to = "high" }]
applies  = "TRUE"
fails    = "days_inactive > :dormant_days"
because  = "{target} slept {days_inactive}, more than {:dormant_days}"
+++
# house-rule

## What it finds

Something.

## Why it matters

It does.

## What to do

This:

```toml
[policy]
```

## Cases

### one

```toml
timezone = "Europe/Berlin"
```

```csv event
event_id,system
a:b,okta
```

```verdicts
a:b: fail
c: not-applicable
```
"#;

    fn load(text: &str) -> Result<Check, CatalogueError> {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(dir.path().join("checks")).expect("a subfolder");
        std::fs::write(dir.path().join("checks/house-rule.md"), text).expect("a file");
        let mappings = Mappings::load(&[dir.path().to_owned()]).expect("a good folder");
        let catalogue = Catalogue::load(&mappings, &Specified::new())?;
        Ok(catalogue.checks.into_iter().next_back().expect("user checks come last"))
    }

    /// Line, message and hint of the error after one replacement in the good document.
    fn broken(from: &str, to: &str) -> (Option<usize>, String, String) {
        assert!(GOOD.contains(from), "{from}");
        let error = load(&GOOD.replacen(from, to, 1)).expect_err("a broken document");
        assert!(error.place.ends_with("checks/house-rule.md"), "{}", error.place);
        (error.line, error.message, error.hint)
    }

    #[test]
    fn shipped_documents_load_in_the_order_of_the_catalogue() {
        let mappings = Mappings::load(&[]).expect("shipped");
        let facts = Specified::new();
        let catalogue = Catalogue::load(&mappings, &facts).expect("48 good documents");
        let ids: Vec<&str> = catalogue.checks.iter().map(|check| check.id.as_str()).collect();
        assert_eq!(ids, ORDER);
        for check in &catalogue.checks {
            assert!(!check.cases.is_empty(), "{}", check.id);
            assert!(check.cases.iter().all(|case| !case.tables.is_empty()), "{}", check.id);
            assert_eq!(check.origin, "shipped");
        }
        let approval = catalogue.get("self-approval").expect("shipped");
        assert!(approval.facts(&facts).contains("approver_is_requester"));
        assert!(!approval.facts(&facts).contains("target"));
        assert!(catalogue.get("stale-approval").expect("shipped").fails.params().contains("approval_max_age_minutes"));
        assert!(catalogue.get("reset-of-unknown-identity").expect("shipped").applies.is_const_true());
    }

    #[test]
    fn a_document_is_read_whole() {
        let check = load(GOOD).expect("a good document");
        assert_eq!(check.title, "a house rule");
        assert_eq!(
            (check.control, check.subject, check.severity),
            (Control::AuditTrail, SubjectKind::Reset, Severity::Medium)
        );
        assert_eq!(check.escalate.as_ref().map(|e| (e.when.text(), e.to)), Some(("sensitive", Severity::High)));
        assert_eq!(check.remedy, "This:\n\n```toml\n[policy]\n```");
        let [case] = check.cases.as_slice() else { panic!("one case") };
        assert_eq!((case.name.as_str(), case.line), ("one", 31));
        assert_eq!(case.config.as_deref(), Some("timezone = \"Europe/Berlin\"\n"));
        assert_eq!(case.tables, [("event".to_owned(), "event_id,system\na:b,okta\n".to_owned())]);
        assert_eq!(case.verdicts, [("a:b".to_owned(), Verdict::Fail), ("c".to_owned(), Verdict::NotApplicable)]);
        let mut text = String::new();
        check.because.render(&mut text, |name| format!("<{name}>"));
        assert_eq!(text, "<target> slept <days_inactive>, more than <:dormant_days>");
        assert!(check.origin.ends_with("house-rule.md"));
    }

    #[test]
    fn errors_name_line_and_remedy() {
        let (line, message, hint) = broken("days_inactive > ", "days_inactiv > ");
        assert_eq!((line, hint.as_str()), (Some(8), "did you mean `days_inactive`?"));
        assert!(message.starts_with("`fails`: there is no fact `days_inactiv`"), "{message}");
        let (line, message, hint) = broken("severity = ", "severty = ");
        assert_eq!((line, hint.as_str()), (Some(5), "did you mean `severity`?"), "{message}");
        let (line, message, _) = broken("\"medium\"", "\"urgent\"");
        assert_eq!(line, Some(5), "{message}");
        let (line, message, _) = broken("title    = \"a house rule\"\n", "");
        assert!(message.contains("title"), "{line:?} {message}");
        let (line, message, hint) = broken("{target} slept", "{targt} slept");
        assert_eq!((line, hint.as_str()), (Some(9), "did you mean `{target}`?"), "{message}");
        assert!(broken("{target} slept", "{target slept").1.contains("no placeholder"));
        assert!(broken("{target} slept", "target} slept").1.contains("without"));
        assert!(broken("to = \"high\"", "to = \"low\"").1.contains("down"));
        assert!(broken("## What to do", "## What to dou").2.contains("What to do"));
        assert!(broken("## Why it matters", "Why it matters").1.contains("`## Why it matters` is missing"));
        assert_eq!(broken("# house-rule", "# other-rule").0, Some(11));
        assert_eq!(broken("csv event", "csv evnt").2, "did you mean `event`?");
        assert_eq!(broken("c: not-applicable", "c: n/a").0, Some(44));
        assert!(broken("c: not-applicable\n```", "c: not-applicable").1.contains("no end"));
        assert!(broken("+++\n# house", "# house").1.contains("no end"));
        assert!(broken("+++\ntitle", "title").1.contains("front matter"));
    }

    #[test]
    fn a_sentence_with_text_only_stays_as_it_is() {
        let sentence = Sentence::parse("nothing to fill").expect("no braces");
        assert_eq!(sentence.names().count(), 0);
        let mut text = String::new();
        sentence.render(&mut text, |name| name.to_owned());
        assert_eq!(text, "nothing to fill");
    }
}
