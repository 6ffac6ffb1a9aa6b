//! `findings.hdf.json`: Heimdall Data Format (exec-json, OHDF v1), for MITRE Heimdall and what converts from it.
//!
//! One profile, one control a check. Every finding is a failed result, waived or not: viewers take a control with a
//! passed and a skipped result for passed, and a waiver does not make a check pass. For the same reason a check that
//! cannot conclude has no passed result, whatever part of its population holds.

use std::io::Write;

use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::Fault;
use super::reference::{counts_in_words, standing_word, why_inconclusive};
use crate::check::Severity;
use crate::report::model::{Assessment, CheckResult, Finding, Standing, State};

#[derive(Serialize)]
struct Document<'a> {
    platform: Value,
    version: &'a str,
    statistics: Value,
    profiles: [Profile<'a>; 1],
}

#[derive(Serialize)]
struct Profile<'a> {
    name: &'static str,
    version: &'a str,
    sha256: String,
    title: String,
    summary: &'static str,
    supports: [Value; 0],
    attributes: [Value; 0],
    groups: Vec<Value>,
    status: &'static str,
    #[serde(serialize_with = "controls")]
    controls: (&'a Assessment, Vec<Vec<&'a Finding>>),
}

/// Writes one document.
///
/// # Errors
/// What `out` reports.
pub fn write(assessment: &Assessment, findings: &[Finding], mut out: impl Write) -> Result<(), Fault> {
    let by_check = assessment
        .checks
        .iter()
        .map(|check| findings.iter().filter(|finding| finding.check == check.id).collect())
        .collect();
    let groups = assessment
        .controls
        .iter()
        .map(|control| json!({"id": control.id, "title": control.title, "controls": control.checks}))
        .collect();
    let document = Document {
        platform: json!({"name": assessment.tool.name, "release": assessment.tool.version}),
        version: &assessment.tool.version,
        // How long a run took would differ from run to run.
        statistics: json!({}),
        profiles: [Profile {
            name: "regrant-credential-resets",
            version: &assessment.tool.version,
            // Of the mappings in force: what this profile's controls are.
            sha256: sha256_of(&assessment.run.mappings_sha256),
            title: assessment.run.title.clone().unwrap_or_else(|| "Audit of credential resets".to_owned()),
            summary: "Whether credential resets should have happened. A finding is evidence relevant to a requirement, \
                      never a statement of compliance.",
            supports: [],
            attributes: [],
            groups,
            status: "loaded",
            controls: (assessment, by_check),
        }],
    };
    serde_json::to_writer_pretty(&mut out, &document)?;
    Ok(out.write_all(b"\n")?)
}

fn sha256_of(digest: &str) -> String {
    let is_one = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_one { digest.to_owned() } else { hex::encode(Sha256::digest(digest)) }
}

fn controls<S: serde::Serializer>(of: &(&Assessment, Vec<Vec<&Finding>>), serializer: S) -> Result<S::Ok, S::Error> {
    let (assessment, by_check) = of;
    serializer.collect_seq(
        assessment.checks.iter().zip(by_check).map(|(check, findings)| control(assessment, check, findings)),
    )
}

fn control(assessment: &Assessment, check: &CheckResult, findings: &[&Finding]) -> Value {
    let worst = findings.iter().map(|finding| finding.severity).min().or(check.severity).unwrap_or(Severity::Info);
    let mut tags = Map::new();
    let mut put = |tag: &str, value: Value| tags.insert(tag.to_owned(), value);
    // Viewers group by `nist` and expect identifiers of SP 800-53 in it.
    put("nist", json!(ids(assessment, check, "nist-800-53-r5")));
    put("severity", json!(worst));
    put("control", json!(check.control));
    put("verdict", json!(standing_word(check.verdict)));
    put("population", json!(counts_in_words(&check.counts)));
    for framework in assessment.frameworks.iter().filter(|framework| framework.id != "nist-800-53-r5") {
        let ids = ids(assessment, check, &framework.id);
        if !ids.is_empty() {
            put(&framework.id, json!(ids));
        }
    }
    let mut control = json!({
        "id": check.id,
        "title": check.title,
        "desc": check.finds,
        "descriptions": [
            {"label": "rationale", "data": check.matters},
            {"label": "check", "data": format!("applies: {}\nfails: {}", check.applies, check.fails)},
            {"label": "fix", "data": check.remedy},
        ],
        // Impact 0 is how viewers know "not applicable".
        "impact": if check.verdict == Standing::NotApplicable { 0.0 } else { impact(worst) },
        "refs": [],
        "tags": tags,
        "code": "",
        "source_location": {},
        "results": results(assessment, check, findings),
    });
    let waived: Vec<&&Finding> = findings.iter().filter(|finding| finding.state == State::Waived).collect();
    if !waived.is_empty() && waived.len() == findings.len() {
        let waiver = assessment.waivers.iter().find(|waiver| waiver.id == waived[0].waiver);
        if let Some(waiver) = waiver {
            control["waiver_data"] = json!({
                "justification": format!("{}: {}", waiver.id, waiver.reason),
                "expiration_date": waiver.expires_on,
                "run": true,
                "skipped_due_to_waiver": false,
                "message": format!("asked for by {}, approved by {}", waiver.requested_by, waiver.approved_by),
            });
        }
    }
    control
}

fn results(assessment: &Assessment, check: &CheckResult, findings: &[&Finding]) -> Vec<Value> {
    let as_of = &assessment.run.as_of;
    let mut results: Vec<Value> = findings.iter().map(|finding| failed(assessment, finding)).collect();
    let skipped = |why: String| {
        let code_desc = format!("{}: {}", check.title, counts_in_words(&check.counts));
        json!({"status": "skipped", "code_desc": code_desc, "skip_message": why, "start_time": as_of})
    };
    if check.verdict == Standing::CannotConclude || check.counts.indeterminate > 0 {
        results.push(skipped(why_inconclusive(check)));
    } else if check.counts.passed > 0 {
        let code_desc = format!("{} of {} hold", check.counts.passed, check.counts.population);
        results.push(json!({"status": "passed", "code_desc": code_desc, "start_time": as_of}));
    }
    if results.is_empty() {
        // Viewers call a control without results an error of the profile.
        results.push(skipped("it applies to no subject".to_owned()));
    }
    results
}

fn failed(assessment: &Assessment, finding: &Finding) -> Value {
    let start = if finding.occurred_at.is_empty() { assessment.run.as_of.as_str() } else { &finding.occurred_at };
    let waived = match finding.state {
        State::Open => String::new(),
        State::Waived => format!(" (waived by {})", finding.waiver),
    };
    json!({
        "status": "failed",
        "code_desc": format!("{} {} in {}", finding.subject_kind, finding.subject, finding.system),
        "message": format!("{}{waived}", finding.because),
        "start_time": start,
        "resource_id": finding.finding_id,
        "resource": format!("{}#{}", finding.source_file, finding.source_record),
        // Members of ours, which the format leaves room for.
        "severity": finding.severity,
        "state": finding.state,
        "waiver": finding.waiver,
    })
}

fn ids<'a>(assessment: &'a Assessment, check: &CheckResult, framework: &str) -> Vec<&'a str> {
    assessment
        .frameworks
        .iter()
        .filter(|one| one.id == framework)
        .flat_map(|one| &one.requirements)
        .filter(|requirement| requirement.direct.contains(&check.id) || requirement.supporting.contains(&check.id))
        .map(|requirement| requirement.id.as_str())
        .collect()
}

// The middle of each class of Heimdall: from 0.9 critical, 0.7 high, 0.4 medium, 0.1 low.
fn impact(severity: Severity) -> f64 {
    match severity {
        Severity::Critical => 0.95,
        Severity::High => 0.75,
        Severity::Medium => 0.5,
        Severity::Low => 0.3,
        Severity::Info => 0.1,
    }
}
