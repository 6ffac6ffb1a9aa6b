//! `assessment.json`: everything the report says, as data, documented by `schemas/assessment.schema.json`.

use std::io::Write;

use super::Fault;
use crate::report::model::Assessment;

/// The JSON Schema (2020-12) of `assessment.json`.
pub const SCHEMA: &str = include_str!("../../schemas/assessment.schema.json");

/// Writes the assessment with two spaces of indent, each input on one line (a bucket has tens of thousands), members in the order of
/// the model, ended by LF.
///
/// # Errors
/// What `out` reports.
pub fn write_json(assessment: &Assessment, mut out: impl Write) -> Result<(), Fault> {
    let text = serde_json::to_string_pretty(assessment)?;
    // Text inside of JSON has no line feed, so that these are the member itself and its end.
    let inputs = text.split_once(INPUTS).and_then(|(before, rest)| Some((before, rest.split_once("\n  ],\n")?)));
    let Some((before, (inputs, after))) = inputs else { return Ok(writeln!(out, "{text}")?) };
    let mut lines = String::with_capacity(inputs.len());
    for line in inputs.lines() {
        match line.strip_prefix("     ") {
            // Deeper than the braces of an input.
            Some(deeper) => lines.push_str(deeper.trim_start()),
            None if line == "    {" => lines.push_str(line),
            None => lines.extend([line.trim_start(), "\n"]),
        }
    }
    Ok(writeln!(out, "{before}{INPUTS}{lines}  ],\n{after}")?)
}

/// Where the inputs begin, when there are any.
const INPUTS: &str = "\n  \"inputs\": [\n";

/// Reads what [`write_json`] wrote.
///
/// # Errors
/// When it is no JSON, or not an assessment.
pub fn read_json(bytes: &[u8]) -> Result<Assessment, serde_json::Error> {
    serde_json::from_slice(bytes)
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;
    use crate::report::model::*;

    /// Every field of the model, none defaulted: a new field does not compile here until it is added, and then fails
    /// against the schema until it is documented.
    pub fn full() -> Assessment {
        Assessment {
            schema_version: 7,
            tool: Tool {
                name: "name of \u{202e}<script>\0".to_owned(),
                version: "version of \u{202e}<script>\0".to_owned(),
            },
            run: Run {
                as_of: "as_of of \u{202e}<script>\0".to_owned(),
                as_of_source: "as_of_source of \u{202e}<script>\0".to_owned(),
                since: Some("since of \u{202e}<script>\0".to_owned()),
                until: Some("until of \u{202e}<script>\0".to_owned()),
                timezone: Some("timezone of \u{202e}<script>\0".to_owned()),
                title: Some("title of \u{202e}<script>\0".to_owned()),
                policy: json!({"approval": {"self_service": false}, "dormant_days": 90}),
                policy_changed: vec!["policy_changed of \u{202e}<script>\0".to_owned()],
                policy_sha256: "policy_sha256 of \u{202e}<script>\0".to_owned(),
                mappings_sha256: "mappings_sha256 of \u{202e}<script>\0".to_owned(),
                digest: "digest of \u{202e}<script>\0".to_owned(),
            },
            inputs: vec![Input {
                path: "path of \u{202e}<script>\0".to_owned(),
                sha256: Some("sha256 of \u{202e}<script>\0".to_owned()),
                blake3: Some("blake3 of \u{202e}<script>\0".to_owned()),
                bytes: 7,
                mapping: "mapping of \u{202e}<script>\0".to_owned(),
                recognised_by: "recognised_by of \u{202e}<script>\0".to_owned(),
                table: "table of \u{202e}<script>\0".to_owned(),
                tables: BTreeMap::from([("key".to_owned(), 7)]),
                read: 7,
                accepted: 7,
                out_of_scope: 7,
                merged: 7,
                duplicates: 7,
                rejected: 7,
                reported_columns: vec!["reported_columns of \u{202e}<script>\0".to_owned()],
                ignored_columns: vec!["ignored_columns of \u{202e}<script>\0".to_owned()],
                first_at: Some("first_at of \u{202e}<script>\0".to_owned()),
                last_at: Some("last_at of \u{202e}<script>\0".to_owned()),
                naive_zone: Some("naive_zone of \u{202e}<script>\0".to_owned()),
                naive_zone_assumed: true,
                expected_records: Some(7),
                snapshot: Some("snapshot of \u{202e}<script>\0".to_owned()),
                rejected_reasons: BTreeMap::from([("key".to_owned(), 7)]),
                out_of_scope_reasons: BTreeMap::from([("key".to_owned(), 7)]),
            }],
            skipped: vec![Skipped {
                path: "path of \u{202e}<script>\0".to_owned(),
                reason: "reason of \u{202e}<script>\0".to_owned(),
            }],
            population: Population {
                resets: 7,
                credentials: 7,
                identities: 7,
                people: 7,
                workloads: 7,
                events: 7,
                accounts: 7,
                tickets: 7,
                resets_by_action: BTreeMap::from([("key".to_owned(), 7)]),
                resets_by_target_kind: BTreeMap::from([("key".to_owned(), 7)]),
                resets_by_system: BTreeMap::from([("key".to_owned(), 7)]),
            },
            checks: vec![CheckResult {
                id: "id of \u{202e}<script>\0".to_owned(),
                title: "title of \u{202e}<script>\0".to_owned(),
                control: "control of \u{202e}<script>\0".to_owned(),
                subject: "subject of \u{202e}<script>\0".to_owned(),
                severity: Some(Severity::High),
                escalated: Some(Severity::High),
                verdict: Standing::CannotConclude,
                counts: Counts { population: 7, not_applicable: 7, passed: 7, failed: 7, waived: 7, indeterminate: 7 },
                indeterminate_because: BTreeMap::from([("key".to_owned(), 7)]),
                inconclusive: Some("inconclusive of \u{202e}<script>\0".to_owned()),
                uncovered: 7,
                applies: "applies of \u{202e}<script>\0".to_owned(),
                fails: "fails of \u{202e}<script>\0".to_owned(),
                thresholds: BTreeMap::from([(
                    "key".to_owned(),
                    json!({"approval": {"self_service": false}, "dormant_days": 90}),
                )]),
                finds: "finds of \u{202e}<script>\0".to_owned(),
                matters: "matters of \u{202e}<script>\0".to_owned(),
                remedy: "remedy of \u{202e}<script>\0".to_owned(),
                requirements: vec!["requirements of \u{202e}<script>\0".to_owned()],
                origin: "origin of \u{202e}<script>\0".to_owned(),
            }],
            controls: vec![ControlResult {
                id: "id of \u{202e}<script>\0".to_owned(),
                title: "title of \u{202e}<script>\0".to_owned(),
                verdict: Standing::CannotConclude,
                counts: Counts { population: 7, not_applicable: 7, passed: 7, failed: 7, waived: 7, indeterminate: 7 },
                deviation_rate: Some(0.25),
                checks: vec!["checks of \u{202e}<script>\0".to_owned()],
                worst_check: Some("worst_check of \u{202e}<script>\0".to_owned()),
            }],
            frameworks: vec![FrameworkResult {
                id: "id of \u{202e}<script>\0".to_owned(),
                title: "title of \u{202e}<script>\0".to_owned(),
                publisher: "publisher of \u{202e}<script>\0".to_owned(),
                edition: "edition of \u{202e}<script>\0".to_owned(),
                licence: "licence of \u{202e}<script>\0".to_owned(),
                source: Some("source of \u{202e}<script>\0".to_owned()),
                note: Some("note of \u{202e}<script>\0".to_owned()),
                kind: "kind of \u{202e}<script>\0".to_owned(),
                leading: true,
                requirements: vec![RequirementResult {
                    id: "id of \u{202e}<script>\0".to_owned(),
                    aliases: vec!["aliases of \u{202e}<script>\0".to_owned()],
                    title: Some("title of \u{202e}<script>\0".to_owned()),
                    title_is: "title_is of \u{202e}<script>\0".to_owned(),
                    verdict: Standing::CannotConclude,
                    counts: Counts {
                        population: 7,
                        not_applicable: 7,
                        passed: 7,
                        failed: 7,
                        waived: 7,
                        indeterminate: 7,
                    },
                    direct: vec!["direct of \u{202e}<script>\0".to_owned()],
                    supporting: vec!["supporting of \u{202e}<script>\0".to_owned()],
                    limits: "limits of \u{202e}<script>\0".to_owned(),
                    scope: Some("scope of \u{202e}<script>\0".to_owned()),
                    scope_credential: Some("scope_credential of \u{202e}<script>\0".to_owned()),
                    status: Some("status of \u{202e}<script>\0".to_owned()),
                    provenance: Some("provenance of \u{202e}<script>\0".to_owned()),
                    nearest: vec!["nearest of \u{202e}<script>\0".to_owned()],
                    contextual: Some("contextual of \u{202e}<script>\0".to_owned()),
                    guarded: vec!["guarded of \u{202e}<script>\0".to_owned()],
                }],
            }],
            totals: BTreeMap::from([(Severity::High, Total { open: 7, waived: 7 })]),
            data_quality: vec![DataQuality {
                kind: "kind of \u{202e}<script>\0".to_owned(),
                title: "title of \u{202e}<script>\0".to_owned(),
                count: 7,
                examples: vec!["examples of \u{202e}<script>\0".to_owned()],
                weakens: vec!["weakens of \u{202e}<script>\0".to_owned()],
            }],
            waivers: vec![WaiverResult {
                id: "id of \u{202e}<script>\0".to_owned(),
                state: "state of \u{202e}<script>\0".to_owned(),
                flags: vec!["flags of \u{202e}<script>\0".to_owned()],
                matched: 7,
                waived: 7,
                checks: vec!["checks of \u{202e}<script>\0".to_owned()],
                r#where: "where of \u{202e}<script>\0".to_owned(),
                reason: "reason of \u{202e}<script>\0".to_owned(),
                requested_by: "requested_by of \u{202e}<script>\0".to_owned(),
                approved_by: "approved_by of \u{202e}<script>\0".to_owned(),
                starts_on: "starts_on of \u{202e}<script>\0".to_owned(),
                expires_on: "expires_on of \u{202e}<script>\0".to_owned(),
                expires_at: "expires_at of \u{202e}<script>\0".to_owned(),
            }],
            series: Series {
                days: vec![Day { day: "day of \u{202e}<script>\0".to_owned(), resets: 7, failed: 7 }],
                survival: vec![Bar { label: "label of \u{202e}<script>\0".to_owned(), count: 7, bad: true }],
                approval_lead: vec![Bar { label: "label of \u{202e}<script>\0".to_owned(), count: 7, bad: true }],
                dormancy: vec![Bar { label: "label of \u{202e}<script>\0".to_owned(), count: 7, bad: true }],
                executors: vec![ExecutorBar {
                    executor: "executor of \u{202e}<script>\0".to_owned(),
                    resets: 7,
                    unapproved: 7,
                }],
                hours: vec![vec![7]],
                desk_hours: vec![vec![5]],
                desk_off_hours: Some(2),
                lineage: vec![LineageLink {
                    at: "at of \u{202e}<script>\0".to_owned(),
                    from: "from of \u{202e}<script>\0".to_owned(),
                    to: "to of \u{202e}<script>\0".to_owned(),
                    action: "action of \u{202e}<script>\0".to_owned(),
                    first: true,
                }],
                lineage_omitted: 7,
            },
            identities: vec![IdentityStory {
                identity: "identity of \u{202e}<script>\0".to_owned(),
                name: "name of \u{202e}<script>\0".to_owned(),
                kind: "kind of \u{202e}<script>\0".to_owned(),
                tier: "tier of \u{202e}<script>\0".to_owned(),
                story: "story of \u{202e}<script>\0".to_owned(),
                next_step: "next_step of \u{202e}<script>\0".to_owned(),
                since: Some("since of \u{202e}<script>\0".to_owned()),
                periods: vec![(Some("2020-01-01".to_owned()), None)],
                open: BTreeMap::from([(Severity::High, 7)]),
                findings: vec!["findings of \u{202e}<script>\0".to_owned()],
                timeline: vec![Moment {
                    at: "at of \u{202e}<script>\0".to_owned(),
                    kind: "kind of \u{202e}<script>\0".to_owned(),
                    text: "text of \u{202e}<script>\0".to_owned(),
                    system: "system of \u{202e}<script>\0".to_owned(),
                    source_file: "source_file of \u{202e}<script>\0".to_owned(),
                    source_record: 7,
                }],
                timeline_omitted: 7,
            }],
            identities_concerned: 7,
            limited_to: Some("limited_to of \u{202e}<script>\0".to_owned()),
            overrides: vec![Override {
                kind: "kind of \u{202e}<script>\0".to_owned(),
                id: "id of \u{202e}<script>\0".to_owned(),
                replaces: true,
                path: "path of \u{202e}<script>\0".to_owned(),
            }],
            changes: Some(changes()),
            baseline: Some(Baseline {
                reference: reference(),
                known: BTreeMap::from([(Severity::High, 7)]),
                new: BTreeMap::from([(Severity::High, 7)]),
                gone: 7,
                left_out: 7,
                oldest: Some("oldest of \u{202e}<script>\0".to_owned()),
                median_age_days: Some(0.7),
                known_since: BTreeMap::from([("key".to_owned(), 7)]),
                new_findings: vec!["new_findings of \u{202e}<script>\0".to_owned()],
            }),
            plan: vec![Remedy {
                id: "id of \u{202e}<script>\0".to_owned(),
                title: "title of \u{202e}<script>\0".to_owned(),
                answers: vec!["answers of \u{202e}<script>\0".to_owned()],
                helps: vec!["helps of \u{202e}<script>\0".to_owned()],
                subjects: 7,
                how: vec!["how of \u{202e}<script>\0".to_owned()],
            }],
            coverage: vec![LogCoverage {
                system: "system of \u{202e}<script>\0".to_owned(),
                mapping: "mapping of \u{202e}<script>\0".to_owned(),
                basis: "basis of \u{202e}<script>\0".to_owned(),
                about: "about of \u{202e}<script>\0".to_owned(),
                first_at: Some("first_at of \u{202e}<script>\0".to_owned()),
                last_at: Some("last_at of \u{202e}<script>\0".to_owned()),
                records: 7,
                files: 7,
                holes: vec![Silence {
                    from: "from of \u{202e}<script>\0".to_owned(),
                    until: "until of \u{202e}<script>\0".to_owned(),
                }],
                holes_omitted: 7,
                missing: vec![Silence {
                    from: "from of \u{202e}<script>\0".to_owned(),
                    until: "until of \u{202e}<script>\0".to_owned(),
                }],
                decides: true,
            }],
        }
    }

    fn reference() -> Reference {
        Reference {
            as_of: "as_of of \u{202e}<script>\0".to_owned(),
            since: Some("since of \u{202e}<script>\0".to_owned()),
            until: Some("until of \u{202e}<script>\0".to_owned()),
            version: "version of \u{202e}<script>\0".to_owned(),
            run_digest: "run_digest of \u{202e}<script>\0".to_owned(),
            manifest_sha256: "manifest_sha256 of \u{202e}<script>\0".to_owned(),
        }
    }

    fn changes() -> Changes {
        Changes {
            previous: reference(),
            counts: BTreeMap::from([(ChangeKind::New, 7)]),
            persisting: 7,
            new_open: BTreeMap::from([(Severity::High, 7)]),
            due_to_rules: 7,
            findings: vec![Change {
                kind: ChangeKind::SeverityChanged,
                cause: Cause::Rules,
                why: "why of \u{202e}<script>\0".to_owned(),
                finding_id: "finding_id of \u{202e}<script>\0".to_owned(),
                check: "check of \u{202e}<script>\0".to_owned(),
                severity: Severity::High,
                severity_before: Some(Severity::Low),
                subject_kind: "subject_kind of \u{202e}<script>\0".to_owned(),
                subject: "subject of \u{202e}<script>\0".to_owned(),
                system: "system of \u{202e}<script>\0".to_owned(),
                occurred_at: "occurred_at of \u{202e}<script>\0".to_owned(),
                target: "target of \u{202e}<script>\0".to_owned(),
                because: "because of \u{202e}<script>\0".to_owned(),
                waiver: "waiver of \u{202e}<script>\0".to_owned(),
            }],
            rules: vec![RuleChange {
                kind: "kind of \u{202e}<script>\0".to_owned(),
                id: "id of \u{202e}<script>\0".to_owned(),
                was: Some("was of \u{202e}<script>\0".to_owned()),
                is: Some("is of \u{202e}<script>\0".to_owned()),
            }],
            population: vec![CountChange { what: "what of \u{202e}<script>\0".to_owned(), was: 7, is: 8 }],
            controls: vec![ControlChange {
                id: "id of \u{202e}<script>\0".to_owned(),
                was: Standing::Pass,
                is: Standing::Fail,
                rate_was: Some(0.5),
                rate_is: Some(0.7),
            }],
            unchanged_inputs: vec!["unchanged_inputs of \u{202e}<script>\0".to_owned()],
            first_seen: BTreeMap::from([("key".to_owned(), vec!["first_seen of \u{202e}<script>\0".to_owned()])]),
            gone: BTreeMap::from([("key".to_owned(), vec!["gone of \u{202e}<script>\0".to_owned()])]),
        }
    }

    fn schema() -> Value {
        serde_json::from_str(SCHEMA).expect("the schema is JSON")
    }

    fn faults(instance: &Value) -> Vec<String> {
        let validator = jsonschema::validator_for(&schema()).expect("the schema is a schema");
        validator.iter_errors(instance).map(|fault| format!("{}: {fault}", fault.instance_path())).collect()
    }

    fn written(assessment: &Assessment) -> String {
        let mut out = Vec::new();
        write_json(assessment, &mut out).expect("memory takes everything");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn the_schema_holds_for_a_full_and_for_an_empty_assessment() {
        for assessment in [full(), Assessment::default()] {
            let text = written(&assessment);
            assert!(text.starts_with("{\n  \"schema_version\": ") && text.ends_with("\n}\n"));
            assert_eq!(faults(&serde_json::from_str(&text).expect("JSON")), Vec::<String>::new());
        }
    }

    #[test]
    fn the_schema_notices_what_it_does_not_document() {
        let whole = serde_json::to_value(full()).expect("JSON");
        let mut places = Vec::new();
        objects(&whole, &mut String::new(), &mut places);
        let mut closed = 0;
        for place in places {
            let mut changed = whole.clone();
            let object = changed.pointer_mut(&place).and_then(Value::as_object_mut).expect("an object is there");
            object.insert("undocumented".to_owned(), json!({"x": []}));
            // Maps from names take any key, but no value of another kind; the policy and thresholds are free.
            let free = ["/run/policy", "/checks/0/thresholds"].iter().any(|free| place.starts_with(free));
            assert_eq!(faults(&changed).is_empty(), free, "{place}");
            closed += usize::from(!free);
        }
        assert!(closed > 30, "{closed} objects were tried");
    }

    fn objects(value: &Value, place: &mut String, places: &mut Vec<String>) {
        let children: Vec<(String, &Value)> = match value {
            Value::Object(members) => {
                places.push(place.clone());
                members.iter().map(|(name, member)| (name.clone(), member)).collect()
            }
            Value::Array(items) => items.iter().enumerate().map(|(at, item)| (at.to_string(), item)).collect(),
            _ => return,
        };
        for (name, child) in children {
            let before = place.len();
            place.push('/');
            place.push_str(&name);
            objects(child, place, places);
            place.truncate(before);
        }
    }

    #[test]
    fn every_object_of_the_schema_is_closed_and_every_field_described_and_required() {
        fn walk(node: &Value, seen: &mut usize) {
            if let Some(properties) = node.get("properties").and_then(Value::as_object) {
                assert_eq!(node["additionalProperties"], json!(false), "{node}");
                let required = node.get("required").and_then(Value::as_array);
                for (name, property) in properties {
                    *seen += 1;
                    assert!(property["description"].as_str().is_some_and(|text| text.len() > 3), "{name}");
                    assert!(!property["description"].as_str().is_some_and(|text| text.contains("[`")), "{name}");
                    let always = name != "blake3" && required.is_some();
                    assert_eq!(required.is_some_and(|names| names.contains(&json!(name))), always, "{name}");
                }
            }
            match node {
                Value::Object(members) => members.values().for_each(|member| walk(member, seen)),
                Value::Array(items) => items.iter().for_each(|item| walk(item, seen)),
                _ => {}
            }
        }
        let mut seen = 0;
        walk(&schema(), &mut seen);
        assert!(seen > 150, "{seen} fields were looked at");
    }

    #[test]
    fn an_input_is_one_line_and_nothing_else_of_the_text_differs() {
        let mut assessment = full();
        let hostile = || Input { path: "\n  ],\n  \"inputs\": [\n    {".to_owned(), ..Input::default() };
        assessment.inputs.extend([hostile(), hostile()]);
        for inputs in [3, 2, 1, 0] {
            assessment.inputs.truncate(inputs);
            let text = written(&assessment);
            let plain = serde_json::to_string_pretty(&assessment).expect("JSON");
            let (one, other): (Value, Value) =
                (serde_json::from_str(&text).expect("JSON"), serde_json::from_str(&plain).expect("JSON"));
            assert_eq!(one, other);
            assert_eq!(text.lines().filter(|line| line.starts_with("    {\"path\": ")).count(), inputs);
            let rest = |text: &str, end: &str| text.split_once(end).map(|(_, rest)| rest.trim_end().to_owned());
            assert_eq!(rest(&text, "\n  \"skipped\": "), rest(&plain, "\n  \"skipped\": "));
        }
    }

    #[test]
    fn what_was_written_can_be_read_again() {
        let text = written(&full());
        let back = read_json(text.as_bytes()).expect("an assessment");
        assert_eq!(written(&back), text);
    }
}
