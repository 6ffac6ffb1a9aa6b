//! `oscal-assessment-results.json`: OSCAL assessment results 1.2.1, for GRC tools that read NIST's format.
//!
//! One observation a finding, one risk a check that fails, one OSCAL finding a control of SP 800-53 that is judged.
//! OSCAL knows satisfied and not satisfied only: a control that cannot be concluded is an observation and no finding,
//! since the one word would be a pass and the other an accusation. Other frameworks stand in properties of the risks.

use std::io::Write;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Fault;
use super::markdown::escaped;
use super::reference::{
    NAMESPACE, References, counts_in_words, micros, one_line, standing_word, titled, uri, uuid, why_inconclusive,
};
use crate::report::model::{Assessment, CheckResult, Finding, FrameworkResult, RequirementResult, Standing, State};

const VERSION: &str = "1.2.1";
/// Whose identifiers OSCAL's catalogue of controls has.
const CATALOGUE: &str = "nist-800-53-r5";

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "assessment-results")]
    results: Results<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Results<'a> {
    uuid: String,
    metadata: Value,
    import_ap: Value,
    results: [Run<'a>; 1],
    back_matter: Value,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Run<'a> {
    uuid: String,
    title: String,
    description: String,
    start: String,
    end: String,
    props: Value,
    reviewed_controls: Value,
    // An empty list is no list in OSCAL.
    #[serde(serialize_with = "observations", skip_serializing_if = "Observed::is_empty")]
    observations: Observed<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    risks: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<Value>,
}

struct Observed<'a> {
    assessment: &'a Assessment,
    findings: &'a [Finding],
    open: Vec<Value>,
}

impl Observed<'_> {
    fn is_empty(&self) -> bool {
        self.findings.is_empty() && self.open.is_empty()
    }
}

/// Writes one document.
///
/// # Errors
/// What `out` reports.
pub fn write(assessment: &Assessment, findings: &[Finding], mut out: impl Write) -> Result<(), Fault> {
    let run = &assessment.run;
    let references = References::of(assessment);
    let catalogue = assessment.frameworks.iter().find(|framework| framework.id == CATALOGUE);
    let as_of = instant(assessment, Some(&run.as_of));
    let title = run.title.clone().unwrap_or_else(|| "Audit of credential resets".to_owned());
    let first_at = assessment.inputs.iter().filter_map(|input| input.first_at.as_deref()).min();
    let start = run.since.as_deref().or(first_at).unwrap_or(&run.as_of);
    let mut open: Vec<Value> = assessment
        .checks
        .iter()
        .filter(|check| check.verdict == Standing::CannotConclude || check.counts.indeterminate > 0)
        .map(|check| undecided_check(check, &as_of))
        .collect();
    let judged: Vec<&RequirementResult> =
        catalogue.map_or(&[][..], |f| &f.requirements).iter().filter(|r| !r.direct.is_empty()).collect();
    open.extend(judged.iter().filter(|r| r.verdict == Standing::CannotConclude).map(|r| undecided_control(r, &as_of)));
    let document = Document {
        results: Results {
            uuid: uuid(&["assessment-results", &run.digest]),
            metadata: json!({
                "title": escaped(&title),
                "last-modified": as_of,
                "version": assessment.tool.version,
                "oscal-version": VERSION,
                "props": props(&[("tool", "regrant"), ("tool-version", &assessment.tool.version), ("run-digest", &run.digest)]),
                "remarks": "Evidence relevant to controls, from the inputs listed in the back matter; no statement of compliance.",
            }),
            import_ap: json!({"href": format!("#{}", plan_uuid(assessment))}),
            results: [Run {
                uuid: uuid(&["result", &run.digest]),
                title: escaped(&title),
                description: description(assessment),
                start: instant(assessment, Some(start)),
                end: instant(assessment, run.until.as_deref().filter(|until| micros(until) < micros(&run.as_of))),
                props: totals(assessment),
                reviewed_controls: reviewed(&judged),
                observations: Observed { assessment, findings, open },
                risks: assessment
                    .checks
                    .iter()
                    .filter(|check| findings.iter().any(|finding| finding.check == check.id))
                    .map(|check| risk(check, findings, &references))
                    .collect(),
                findings: judged
                    .iter()
                    .filter(|r| matches!(r.verdict, Standing::Fail | Standing::Pass))
                    .map(|requirement| control_finding(requirement, assessment, findings))
                    .collect(),
            }],
            back_matter: back_matter(assessment),
        },
    };
    serde_json::to_writer_pretty(&mut out, &document)?;
    Ok(out.write_all(b"\n")?)
}

/// An instant as OSCAL admits it; what is none of them becomes `as_of`.
fn instant(assessment: &Assessment, text: Option<&str>) -> String {
    let known = text.filter(|text| micros(text).is_some() && text.ends_with('Z'));
    known.unwrap_or(&assessment.run.as_of).to_owned()
}

fn plan_uuid(assessment: &Assessment) -> String {
    uuid(&["catalogue of checks", &assessment.run.mappings_sha256, &assessment.run.policy_sha256])
}

fn description(assessment: &Assessment) -> String {
    let p = &assessment.population;
    let limited = assessment
        .limited_to
        .as_ref()
        .map_or(String::new(), |name| format!(" Findings are limited to {}.", escaped(name)));
    format!(
        "{} resets and {} credentials, judged by {} checks.{limited}",
        p.resets,
        p.credentials,
        assessment.checks.len()
    )
}

/// Properties of ours; OSCAL admits no empty value, so empty ones are left out.
fn props(pairs: &[(&str, &str)]) -> Value {
    Value::Array(
        pairs
            .iter()
            .map(|(name, value)| (*name, one_line(value)))
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| json!({"name": name, "ns": NAMESPACE, "value": value}))
            .collect(),
    )
}

fn totals(assessment: &Assessment) -> Value {
    let pairs: Vec<(String, String)> = assessment
        .totals
        .iter()
        .flat_map(|(severity, total)| {
            [
                (format!("{}-open", severity.as_str()), total.open.to_string()),
                (format!("{}-waived", severity.as_str()), total.waived.to_string()),
            ]
        })
        .chain([("as-of".to_owned(), assessment.run.as_of.clone())])
        .collect();
    props(&pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>())
}

/// `AC-2(3)` as OSCAL's catalogue spells it: `ac-2.3`.
fn control_id(id: &str) -> String {
    let mut out = String::with_capacity(id.len());
    for c in id.chars() {
        match c {
            '(' => out.push('.'),
            ')' => {}
            _ if c.is_alphanumeric() || matches!(c, '.' | '-' | '_') => out.extend(c.to_lowercase()),
            _ => out.push('-'),
        }
    }
    out
}

fn reviewed(judged: &[&RequirementResult]) -> Value {
    let ids: Vec<Value> = judged.iter().map(|r| json!({"control-id": control_id(&r.id)})).collect();
    if ids.is_empty() {
        return json!({"control-selections": [{"include-all": {}}]});
    }
    json!({"control-selections": [{
        "description": "The controls of SP 800-53 Rev. 5 that at least one check is direct evidence for.",
        "include-controls": ids,
    }]})
}

fn undecided_check(check: &CheckResult, as_of: &str) -> Value {
    json!({
        "uuid": uuid(&["undecided check", &check.id]),
        "title": escaped(&check.title),
        "description": escaped(&format!("Cannot conclude: {}.", why_inconclusive(check))),
        "props": props(&[("check", &check.id), ("verdict", standing_word(check.verdict))]),
        "methods": ["EXAMINE"],
        "types": ["control-objective"],
        "collected": as_of,
    })
}

fn undecided_control(requirement: &RequirementResult, as_of: &str) -> Value {
    let mut why = format!("{} cannot be concluded: {}.", requirement.id, counts_in_words(&requirement.counts));
    for guard in &requirement.guarded {
        why.push_str(&format!(" {guard}."));
    }
    json!({
        "uuid": uuid(&["undecided control", &requirement.id]),
        "title": escaped(&format!("{} cannot be concluded", requirement.id)),
        "description": escaped(&why),
        "props": props(&[("requirement", &format!("{CATALOGUE}:{}", requirement.id)), ("verdict", "cannot conclude")]),
        "methods": ["EXAMINE"],
        "types": ["control-objective"],
        "collected": as_of,
    })
}

fn observations<S: serde::Serializer>(of: &Observed<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    let found = of.findings.iter().map(|finding| observation(finding, of.assessment));
    serializer.collect_seq(found.chain(of.open.iter().cloned()))
}

fn observation_uuid(finding: &Finding) -> String {
    uuid(&["observation", &finding.finding_id])
}

fn observation(finding: &Finding, assessment: &Assessment) -> Value {
    let who = if finding.identity.is_empty() { &finding.target } else { &finding.identity };
    let mut subject = json!({"subject-uuid": uuid(&["subject", who]), "type": "user"});
    let name = one_line(if finding.identity_name.is_empty() { &finding.target } else { &finding.identity_name });
    if !name.is_empty() {
        subject["title"] = json!(escaped(&name));
    }
    json!({
        "uuid": observation_uuid(finding),
        "title": escaped(&format!("{} {}", finding.check, finding.subject)),
        "description": escaped(&finding.because),
        "props": props(&[
            ("finding-id", &finding.finding_id),
            ("check", &finding.check),
            ("control", &finding.control),
            ("severity", finding.severity.as_str()),
            ("state", match finding.state { State::Open => "open", State::Waived => "waived" }),
            ("waiver", &finding.waiver),
            ("system", &finding.system),
            ("subject-kind", &finding.subject_kind),
            ("subject", &finding.subject),
            ("occurred-at", &finding.occurred_at),
            ("executor", &finding.executor),
            ("approver", &finding.approver),
            ("ticket", &finding.ticket),
        ]),
        "methods": ["EXAMINE"],
        "types": ["finding"],
        "subjects": [subject],
        "relevant-evidence": [{
            "href": format!("#{}", input_uuid(&finding.source_file)),
            "description": escaped(&format!("record {} of {}", finding.source_record, finding.source_file)),
        }],
        "collected": assessment.run.as_of,
    })
}

fn risk_uuid(check: &CheckResult) -> String {
    uuid(&["risk", &check.id])
}

fn risk(check: &CheckResult, findings: &[Finding], references: &References<'_>) -> Value {
    let of_it: Vec<&Finding> = findings.iter().filter(|finding| finding.check == check.id).collect();
    let open = of_it.iter().filter(|finding| finding.state == State::Open).count();
    let worst = of_it.iter().map(|finding| finding.severity).min().or(check.severity);
    let evidence: Vec<(&FrameworkResult, &RequirementResult)> =
        check.requirements.iter().filter_map(|reference| references.requirement(reference)).collect();
    let mut properties = props(&[
        ("check", &check.id),
        ("severity", worst.map_or("", |severity| severity.as_str())),
        ("open", &open.to_string()),
        ("waived", &(of_it.len() - open).to_string()),
        ("population", &counts_in_words(&check.counts)),
    ]);
    if let Value::Array(list) = &mut properties {
        for (framework, requirement) in &evidence {
            let as_cited = requirement.status.as_deref().unwrap_or_default();
            let mut property = json!({"name": "requirement", "ns": NAMESPACE, "value": one_line(&format!("{}:{}", framework.id, requirement.id))});
            let said = one_line(&format!("{} {as_cited}", titled(framework)));
            property["remarks"] = json!(escaped(&said));
            list.push(property);
        }
    }
    let mut risk = json!({
        "uuid": risk_uuid(check),
        "title": escaped(&check.title),
        "description": escaped(&check.finds),
        "statement": escaped(&check.matters),
        "props": properties,
        "status": if open > 0 { "open" } else { "deviation-approved" },
    });
    let threats: Vec<Value> = evidence
        .iter()
        .filter(|(framework, _)| framework.kind == "technique")
        .map(|(_, technique)| {
            let path = technique.id.replace('.', "/");
            json!({"system": "https://attack.mitre.org", "id": format!("https://attack.mitre.org/techniques/{}", uri(&path))})
        })
        .collect();
    if !threats.is_empty() {
        risk["threat-ids"] = Value::Array(threats);
    }
    risk["remediations"] = json!([{
        "uuid": uuid(&["remediation", &check.id]),
        "lifecycle": "recommendation",
        "title": escaped(&format!("What to do about: {}", check.title)),
        "description": escaped(&check.remedy),
    }]);
    risk["related-observations"] =
        of_it.iter().map(|finding| json!({"observation-uuid": observation_uuid(finding)})).collect();
    risk
}

fn control_finding(requirement: &RequirementResult, assessment: &Assessment, findings: &[Finding]) -> Value {
    let pass = requirement.verdict == Standing::Pass;
    let mut status = Map::new();
    status.insert("state".to_owned(), json!(if pass { "satisfied" } else { "not-satisfied" }));
    status.insert("reason".to_owned(), json!(if pass { "pass" } else { "fail" }));
    status.insert("remarks".to_owned(), json!(escaped(&requirement.limits)));
    let title = requirement.title.as_deref().unwrap_or_default();
    let mut finding = json!({
        "uuid": uuid(&["finding of control", &requirement.id]),
        "title": escaped(&one_line(&format!("{} {title}", requirement.id))),
        "description": escaped(&format!("Over its own population: {}.", counts_in_words(&requirement.counts))),
        "props": props(&[
            ("requirement", &format!("{CATALOGUE}:{}", requirement.id)),
            ("verdict", standing_word(requirement.verdict)),
            ("scope", requirement.scope.as_deref().unwrap_or_default()),
            ("scope-credential", requirement.scope_credential.as_deref().unwrap_or_default()),
        ]),
        "target": {
            "type": "objective-id",
            "target-id": format!("{}_obj", control_id(&requirement.id)),
            "status": status,
        },
    });
    let risks: Vec<Value> = assessment
        .checks
        .iter()
        .filter(|check| requirement.direct.contains(&check.id))
        .filter(|check| findings.iter().any(|finding| finding.check == check.id))
        .map(|check| json!({"risk-uuid": risk_uuid(check)}))
        .collect();
    if !risks.is_empty() && !pass {
        finding["related-risks"] = Value::Array(risks);
    }
    finding
}

fn input_uuid(path: &str) -> String {
    uuid(&["input", path])
}

fn back_matter(assessment: &Assessment) -> Value {
    let plan = json!({
        "uuid": plan_uuid(assessment),
        "title": "Catalogue of checks in force",
        "description": "Every check with its predicates and thresholds, in assessment.json of the same report; it stands where an assessment plan would.",
        "rlinks": [{"href": "assessment.json", "media-type": "application/json"}],
    });
    let inputs = assessment.inputs.iter().map(|input| {
        let mut link = json!({"href": uri(&input.path)});
        if let Some(sha256) = input.sha256.as_ref().filter(|digest| !one_line(digest).is_empty()) {
            link["hashes"] = json!([{"algorithm": "SHA-256", "value": one_line(sha256)}]);
        }
        json!({
            "uuid": input_uuid(&input.path),
            "title": escaped(&one_line(&format!("Input {}", input.path))),
            "description": escaped(&format!(
                "{} records read: {} accepted, {} out of scope, {} merged, {} duplicates, {} rejected.",
                input.read, input.accepted, input.out_of_scope, input.merged, input.duplicates, input.rejected
            )),
            "rlinks": [link],
        })
    });
    json!({"resources": std::iter::once(plan).chain(inputs).collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_are_spelt_as_the_catalogue_does() {
        assert_eq!(["AC-2", "AC-2(3)", "IA-5(1)(e)", "X Y"].map(control_id), ["ac-2", "ac-2.3", "ia-5.1.e", "x-y"]);
    }
}
