//! `findings.ocsf.jsonl`: one OCSF event a finding, for SIEMs and data lakes.
//!
//! Compliance Finding (2003) for failed controls, Detection Finding (2004) for the takeover patterns of the control
//! `abuse`. A waived finding has status Suppressed. What held or could not be judged is no event: counts are in
//! `assessment.json`.

use std::io::Write;

use serde_json::{Map, Value, json};

use super::findings::write_json_lines;
use super::reference::{References, micros};
use super::{Fault, Formats, OcsfVersion};
use crate::check::{Control, Severity};
use crate::report::model::{Assessment, CheckResult, Finding, FrameworkResult, RequirementResult, State};

/// Writes one line a finding, in report order.
///
/// # Errors
/// What `out` reports.
pub fn write(
    assessment: &Assessment,
    findings: &[Finding],
    formats: &Formats,
    mut out: impl Write + Send,
) -> Result<(), Fault> {
    let events = Events {
        references: References::of(assessment),
        version: formats.ocsf,
        product: json!({
            "name": "Regrant",
            "vendor_name": "Regrant",
            "uid": assessment.tool.name,
            "version": assessment.tool.version,
        }),
        as_of: micros(&assessment.run.as_of).unwrap_or_default() / 1000,
        run: &assessment.run.digest,
    };
    // Portions, so that 100,000 events never lie in memory at once.
    for portion in findings.chunks(1024) {
        let made: Vec<Value> = portion.iter().map(|finding| events.event(finding)).collect();
        write_json_lines(&made, &mut out)?;
    }
    Ok(())
}

struct Events<'a> {
    references: References<'a>,
    version: OcsfVersion,
    product: Value,
    // Milliseconds since 1970: when the finding was made.
    as_of: i64,
    run: &'a str,
}

impl Events<'_> {
    fn event(&self, finding: &Finding) -> Value {
        let detection = finding.control == Control::Abuse.id();
        let class = if detection { 2004 } else { 2003 };
        let check = self.references.check(&finding.check);
        let requirements = self.references.requirements(finding);
        let mut event = Map::new();
        let mut put = |name: &str, value: Value| event.insert(name.to_owned(), value);
        put("activity_id", json!(1));
        put("activity_name", json!("Create"));
        put("category_uid", json!(2));
        put("category_name", json!("Findings"));
        put("class_uid", json!(class));
        put("class_name", json!(if detection { "Detection Finding" } else { "Compliance Finding" }));
        put("type_uid", json!(class * 100 + 1));
        put("time", json!(self.as_of));
        put("severity_id", json!(severity_id(finding.severity)));
        put("severity", json!(severity_name(finding.severity)));
        let (status_id, status) = match finding.state {
            State::Open => (1, "New"),
            State::Waived => (3, "Suppressed"),
        };
        put("status_id", json!(status_id));
        put("status", json!(status));
        if let Some(waiver) = self.references.waiver(&finding.waiver) {
            put("comment", json!(format!("{}: {} (until {})", waiver.id, waiver.reason, waiver.expires_on)));
        }
        put("message", json!(finding.because));
        put(
            "metadata",
            json!({
                "version": self.version.as_str(),
                "product": self.product,
                "uid": finding.finding_id,
                "event_code": finding.check,
                "log_name": finding.source_file,
                "correlation_uid": self.run,
            }),
        );
        put("finding_info", self.finding_info(finding, check, &requirements, detection));
        if detection {
            put("is_alert", json!(finding.state == State::Open));
        } else {
            put("compliance", compliance(finding, check, &requirements));
        }
        put("resources", json!([resource(finding)]));
        put("evidences", json!([{"data": data(finding)}]));
        if let Some(check) = check {
            put("remediation", json!({"desc": check.remedy}));
        }
        Value::Object(event)
    }

    fn finding_info(
        &self,
        finding: &Finding,
        check: Option<&CheckResult>,
        requirements: &[(&FrameworkResult, &RequirementResult)],
        detection: bool,
    ) -> Value {
        let mut info = json!({
            "uid": finding.finding_id,
            "title": check.map_or(finding.check.as_str(), |c| c.title.as_str()),
            "desc": finding.because,
            "types": ["credential-reset-governance", finding.control],
            "created_time": self.as_of,
            "analytic": {"type_id": 1, "type": "Rule", "uid": finding.check, "name": check.map_or(finding.check.as_str(), |c| c.title.as_str())},
        });
        if let Some(at) = micros(&finding.occurred_at) {
            info["first_seen_time"] = json!(at / 1000);
        }
        if finding.subject_kind == "reset" {
            info["related_events"] = json!([{"uid": finding.subject, "type": "Account Change"}]);
        }
        let attacks: Vec<Value> = requirements
            .iter()
            .filter(|(f, _)| detection && f.kind == "technique")
            .map(|(f, r)| attack(f, r))
            .collect();
        if !attacks.is_empty() {
            info["attacks"] = Value::Array(attacks);
        }
        info
    }
}

/// A technique of ATT&CK; `T1098.005` is a sub-technique of `T1098`.
fn attack(framework: &FrameworkResult, requirement: &RequirementResult) -> Value {
    let name = requirement.title.as_deref().unwrap_or(&requirement.id);
    // Titles of sub-techniques are written "Technique: Sub-technique".
    let (above, own) = name.split_once(": ").unwrap_or((name, name));
    match requirement.id.split_once('.') {
        Some((technique, _)) => json!({
            "version": framework.edition,
            "technique": {"uid": technique, "name": above},
            "sub_technique": {"uid": requirement.id, "name": own},
        }),
        None => json!({"version": framework.edition, "technique": {"uid": requirement.id, "name": name}}),
    }
}

fn compliance(
    finding: &Finding,
    check: Option<&CheckResult>,
    requirements: &[(&FrameworkResult, &RequirementResult)],
) -> Value {
    let met: Vec<&(&FrameworkResult, &RequirementResult)> =
        requirements.iter().filter(|(f, _)| f.kind != "technique").collect();
    let mut standards: Vec<&str> = Vec::new();
    for (framework, _) in &met {
        if !standards.contains(&framework.title.as_str()) {
            standards.push(&framework.title);
        }
    }
    let of_requirement = |(framework, requirement): &&(&FrameworkResult, &RequirementResult)| {
        // Evidence that bears on a requirement without being counted for it is not its failure.
        let direct = requirement.direct.iter().any(|id| *id == finding.check);
        let reference = format!("{}:{}", framework.id, requirement.id);
        let (status_id, status) = match direct {
            _ if finding.contextual.contains(&reference) => (99, "Context only"),
            true => (3, "Fail"),
            false => (2, "Warning"),
        };
        let mut one = json!({
            "uid": requirement.id,
            "standards": [framework.title],
            "version": framework.edition,
            "status_id": status_id,
            "status": status,
        });
        if let Some(title) = &requirement.title {
            one["name"] = json!(title);
        }
        one
    };
    json!({
        "control": finding.check,
        "desc": check.map_or(finding.check.as_str(), |c| c.title.as_str()),
        "category": finding.control,
        "standards": standards,
        "requirements": met.iter().map(|(_, r)| r.id.as_str()).collect::<Vec<_>>(),
        "status_id": 3,
        "status": "Fail",
        "status_details": [finding.because],
        "checks": met.iter().map(of_requirement).collect::<Vec<_>>(),
    })
}

fn resource(finding: &Finding) -> Value {
    let uid = if finding.identity.is_empty() { &finding.target } else { &finding.identity };
    let name = if finding.identity_name.is_empty() { &finding.target } else { &finding.identity_name };
    let mut resource = json!({"uid": uid, "name": name, "namespace": finding.system, "type": "identity"});
    if !finding.tier.is_empty() {
        resource["criticality"] = json!(finding.tier);
    }
    resource
}

fn data(finding: &Finding) -> Value {
    json!({
        "subject_kind": finding.subject_kind,
        "subject": finding.subject,
        "system": finding.system,
        "occurred_at": finding.occurred_at,
        "action": finding.action,
        "target": finding.target,
        "executor": finding.executor,
        "approver": finding.approver,
        "ticket": finding.ticket,
        "state": finding.state,
        "waiver": finding.waiver,
        "source_file": finding.source_file,
        "source_record": finding.source_record,
        "facts": finding.evidence,
    })
}

fn severity_id(severity: Severity) -> u8 {
    match severity {
        Severity::Info => 1,
        Severity::Low => 2,
        Severity::Medium => 3,
        Severity::High => 4,
        Severity::Critical => 5,
    }
}

fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "Informational",
        Severity::Low => "Low",
        Severity::Medium => "Medium",
        Severity::High => "High",
        Severity::Critical => "Critical",
    }
}
