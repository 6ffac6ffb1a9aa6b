//! `findings.sarif`: SARIF 2.1.0, for code scanning and other viewers of results.
//!
//! One result a finding, `kind` fail; a waived one carries a suppression. Checks that cannot conclude are notifications
//! of the run, not results: silence about them would look like a pass, and a result without a place is refused by code
//! scanning. A record is not a line, so results name the file and, as a logical location, the record.

use std::io::Write;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Fault;
use super::reference::{References, entry_word, one_line, share, standing_word, titled, uri, uuid, why_inconclusive};
use crate::check::Severity;
use crate::report::model::{Assessment, CheckResult, Finding, FrameworkResult, Standing, State};

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Value,
    automation_details: Value,
    invocations: Value,
    artifacts: Value,
    taxonomies: Value,
    column_kind: &'static str,
    properties: Value,
    #[serde(serialize_with = "results")]
    results: (&'a [Finding], Rules<'a>),
}

struct Rules<'a> {
    references: References<'a>,
    // Check → its place among the rules.
    index: Vec<&'a str>,
}

/// Writes one SARIF log with one run.
///
/// # Errors
/// What `out` reports.
pub fn write(assessment: &Assessment, findings: &[Finding], mut out: impl Write) -> Result<(), Fault> {
    let run = &assessment.run;
    let rules = Rules {
        references: References::of(assessment),
        index: assessment.checks.iter().map(|check| check.id.as_str()).collect(),
    };
    let document = Document {
        schema: SCHEMA,
        version: "2.1.0",
        runs: [Run {
            tool: json!({"driver": {
                "name": assessment.tool.name,
                "version": assessment.tool.version,
                "rules": assessment.checks.iter().map(|check| rule(check, &rules.references)).collect::<Vec<_>>(),
                "supportedTaxonomies": assessment.frameworks.iter().map(component).collect::<Vec<_>>(),
            }}),
            automation_details: json!({"id": format!("regrant/{}", one_line(&run.digest)), "guid": uuid(&["run", &run.digest])}),
            invocations: json!([{
                "executionSuccessful": true,
                "endTimeUtc": run.as_of,
                "toolExecutionNotifications": assessment
                    .checks
                    .iter()
                    .zip(0_usize..)
                    .filter(|(check, _)| check.verdict == Standing::CannotConclude || check.counts.indeterminate > 0)
                    .map(notification)
                    .collect::<Vec<_>>(),
            }]),
            artifacts: Value::Array(
                assessment
                    .inputs
                    .iter()
                    .map(|input| {
                        let mut artifact = json!({"location": {"uri": uri(&input.path)}, "length": input.bytes, "roles": ["analysisTarget"]});
                        if let Some(sha256) = &input.sha256 {
                            artifact["hashes"] = json!({"sha-256": sha256});
                        }
                        artifact
                    })
                    .collect(),
            ),
            taxonomies: Value::Array(assessment.frameworks.iter().map(taxonomy).collect()),
            column_kind: "unicodeCodePoints",
            properties: json!({
                "asOf": run.as_of,
                "since": run.since,
                "until": run.until,
                "title": run.title,
                "limitedTo": assessment.limited_to,
                "runDigest": run.digest,
                "totals": assessment.totals,
            }),
            results: (findings, rules),
        }],
    };
    serde_json::to_writer_pretty(&mut out, &document)?;
    Ok(out.write_all(b"\n")?)
}

fn component(framework: &FrameworkResult) -> Value {
    json!({"name": framework.id, "guid": uuid(&["framework", &framework.id, &framework.edition])})
}

fn taxonomy(framework: &FrameworkResult) -> Value {
    let taxa: Vec<Value> = framework
        .requirements
        .iter()
        .map(|requirement| {
            let title = requirement.title.as_deref().unwrap_or("no official title known");
            let mut taxon = json!({
                "id": requirement.id,
                "shortDescription": {"text": one_line(title)},
                "properties": {
                    "verdict": entry_word(framework, requirement.verdict),
                    "population": requirement.counts.population,
                    "titleIs": requirement.title_is,
                    "limits": requirement.limits,
                },
            });
            if let Some(status) = &requirement.status {
                taxon["properties"]["status"] = json!(status);
            }
            taxon
        })
        .collect();
    let mut taxonomy = component(framework);
    taxonomy["version"] = json!(framework.edition);
    taxonomy["organization"] = json!(framework.publisher);
    taxonomy["shortDescription"] = json!({"text": titled(framework)});
    taxonomy["taxa"] = Value::Array(taxa);
    taxonomy
}

fn rule(check: &CheckResult, references: &References<'_>) -> Value {
    let relationships: Vec<Value> = check
        .requirements
        .iter()
        .filter_map(|reference| references.requirement(reference))
        .map(|(framework, requirement)| {
            let direct = requirement.direct.contains(&check.id);
            json!({
                "target": {"id": requirement.id, "toolComponent": component(framework)},
                "kinds": [if direct { "relevant" } else { "canFollow" }],
            })
        })
        .collect();
    let severity = check.severity.unwrap_or(Severity::Info);
    json!({
        "id": check.id,
        "name": pascal(&check.id),
        "shortDescription": {"text": check.title},
        "fullDescription": {"text": check.finds},
        "help": {"text": format!("{}\n\n{}", check.matters, check.remedy)},
        "defaultConfiguration": {"level": level(severity)},
        "relationships": relationships,
        "properties": {
            // Code scanning reads severity as a number of its own scale; escalation is in each result.
            "security-severity": score(severity),
            "tags": ["security", "identity", check.control],
            "verdict": standing_word(check.verdict),
            "population": check.counts.population,
            "notApplicable": check.counts.not_applicable,
            "passed": check.counts.passed,
            "failed": check.counts.failed,
            "waived": check.counts.waived,
            "indeterminate": check.counts.indeterminate,
        },
    })
}

fn notification((check, index): (&CheckResult, usize)) -> Value {
    json!({
        "descriptor": {"id": "cannot-conclude"},
        "associatedRule": {"id": check.id, "index": index},
        "level": if check.verdict == Standing::CannotConclude { "warning" } else { "note" },
        "message": {"text": format!("{}: {}", check.title, why_inconclusive(check))},
        "properties": {
            "verdict": standing_word(check.verdict),
            "indeterminate": share(check.counts.indeterminate, check.counts.population),
        },
    })
}

fn results<S: serde::Serializer>(of: &(&[Finding], Rules<'_>), serializer: S) -> Result<S::Ok, S::Error> {
    let (findings, rules) = of;
    serializer.collect_seq(findings.iter().map(|finding| result(finding, rules)))
}

fn result(finding: &Finding, rules: &Rules<'_>) -> Value {
    let mut result = Map::new();
    result.insert("ruleId".to_owned(), json!(finding.check));
    if let Some(index) = rules.index.iter().position(|id| *id == finding.check) {
        result.insert("ruleIndex".to_owned(), json!(index));
    }
    result.insert("kind".to_owned(), json!("fail"));
    result.insert("level".to_owned(), json!(level(finding.severity)));
    // SARIF reads `[text](1)` and `{0}` in messages: both are data here.
    result.insert("message".to_owned(), json!({"text": literal(&finding.because)}));
    result.insert("guid".to_owned(), json!(uuid(&["finding", &finding.finding_id])));
    result.insert("partialFingerprints".to_owned(), json!({"regrantFinding/v1": finding.finding_id}));
    let record = format!("{}#{}", finding.source_file, finding.source_record);
    result.insert(
        "locations".to_owned(),
        json!([{
            "physicalLocation": {"artifactLocation": {"uri": uri(&finding.source_file)}},
            "logicalLocations": [
                {"name": finding.subject, "fullyQualifiedName": format!("{}/{}", finding.system, finding.subject), "kind": finding.subject_kind},
                {"name": format!("record {}", finding.source_record), "fullyQualifiedName": record, "kind": "record"},
            ],
        }]),
    );
    if finding.state == State::Waived {
        let mut suppression = json!({"kind": "external", "status": "accepted", "guid": uuid(&["waiver", &finding.waiver, &finding.finding_id])});
        let waiver = rules.references.waiver(&finding.waiver);
        let reason = waiver.map_or(String::new(), |w| format!(": {} (until {})", w.reason, w.expires_on));
        suppression["justification"] = json!(format!("{}{reason}", finding.waiver));
        result.insert("suppressions".to_owned(), json!([suppression]));
    }
    let taxa: Vec<Value> = rules
        .references
        .requirements(finding)
        .into_iter()
        .map(|(framework, requirement)| json!({"id": requirement.id, "toolComponent": component(framework)}))
        .collect();
    if !taxa.is_empty() {
        result.insert("taxa".to_owned(), Value::Array(taxa));
    }
    result.insert(
        "properties".to_owned(),
        json!({
            "severity": finding.severity,
            "security-severity": score(finding.severity),
            "state": finding.state,
            "control": finding.control,
            "system": finding.system,
            "subject": finding.subject,
            "occurredAt": finding.occurred_at,
            "action": finding.action,
            "target": finding.target,
            "identity": finding.identity,
            "tier": finding.tier,
            "executor": finding.executor,
            "approver": finding.approver,
            "ticket": finding.ticket,
            "waiver": finding.waiver,
            "contextual": finding.contextual.as_ref(),
            "sourceFile": finding.source_file,
            "sourceRecord": finding.source_record,
            "evidence": finding.evidence,
        }),
    );
    Value::Object(result)
}

/// Plain text of a SARIF message: brackets and braces mean links and placeholders there unless escaped.
fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '[' | ']' | '\\' => out.extend(['\\', c]),
            '{' | '}' => out.extend([c, c]),
            _ => out.push(c),
        }
    }
    out
}

/// `reset-after-offboarding` as viewers like a rule's name.
fn pascal(id: &str) -> String {
    id.split('-')
        .flat_map(|word| {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>())
        })
        .collect()
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

// The middle of each class of GitHub code scanning: over 9.0 critical, 7.0 high, 4.0 medium, above 0 low.
fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "2.0",
        Severity::Info => "0.0",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_logs_is_no_link_and_no_placeholder_of_a_message() {
        assert_eq!(literal("[x](javascript:1) {0} \\"), "\\[x\\](javascript:1) {{0}} \\\\");
    }

    #[test]
    fn rules_have_names_that_viewers_show() {
        assert_eq!(pascal("reset-after-offboarding"), "ResetAfterOffboarding");
        assert_eq!(pascal("--"), "");
    }
}
