//! Records inside others' records, and files in which the records of several sources are mixed.

use std::fs;
use std::path::{Path, PathBuf};

use regrant::config::Config;
use regrant::mappings::Mappings;
use regrant::report::model::Input;
use regrant::run::Report;
use regrant::source::{Inventory, read_all};
use regrant::table::Table;
use serde_json::{Value, json};

use crate::{assert_adds_up, audit, root};

/// The records of a sample, one JSON text each; without the one of Okta's that lacks what Okta's records are known by.
fn records(sample: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join("tests/sources").join(sample)).expect("a sample");
    let values = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
    let one = |value: Value| match value {
        Value::Array(records) => records,
        Value::Object(mut object) => match object.remove("value").or_else(|| object.remove("Records")) {
            Some(Value::Array(records)) => records,
            _ => vec![Value::Object(object)],
        },
        _ => Vec::new(),
    };
    let known = |record: &String| !sample.starts_with("okta") || record.contains("\"eventType\":");
    values.flat_map(|value| one(value.expect("JSON"))).map(|record| record.to_string()).filter(known).collect()
}

fn written(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).expect("a writable folder");
    path
}

fn read(path: PathBuf) -> Report {
    let report = audit(&[path], Config::default()).unwrap_or_else(|error| panic!("{error}"));
    assert_adds_up(&report);
    report
}

/// Rows of events of a file, as told by its mapping and without the places where they stood.
fn events(path: &Path) -> Vec<String> {
    let config = Config::default();
    let mappings = Mappings::load(&[]).expect("the shipped ones");
    let inventory = Inventory::take(&[path.to_owned()], &config, &mappings).unwrap_or_else(|error| panic!("{error}"));
    let reading = read_all(inventory, &config, &|_| {}).unwrap_or_else(|error| panic!("{error}"));
    let rows = &reading.tables[&Table::Event];
    let cell = |row, column| rows.canonical(column, row, |id| reading.texts.get(id));
    let mut out: Vec<String> = (0..rows.len())
        .map(|row| format!("{:?}", (0..Table::Event.columns().len()).map(|c| cell(row, c)).collect::<Vec<_>>()))
        .collect();
    out.sort();
    out
}

fn of<'a>(report: &'a Report, mapping: &str) -> &'a Input {
    report.assessment.inputs.iter().find(|input| input.mapping == mapping).unwrap_or_else(|| panic!("no {mapping}"))
}

#[test]
fn each_line_of_a_mixed_file_is_read_by_the_mapping_that_knows_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let parts = [
        ("okta-system-log", records("okta-system-log/system-log.json")),
        ("entra-id", records("entra-id/graph.json")),
        ("aws-cloudtrail", records("aws-cloudtrail/identity-center.json")),
    ];
    let longest = parts.iter().map(|(_, lines)| lines.len()).max().expect("three");
    let mut lines: Vec<String> = Vec::new();
    let mut alone = Vec::new();
    for n in 0..longest {
        lines.extend(parts.iter().filter_map(|(_, records)| records.get(n).cloned()));
        lines.push(json!({"firewall": "deny", "n": n}).to_string());
    }
    lines.insert(7, "{\"eventType\": broken}".to_owned());
    for (id, records) in &parts {
        alone.extend(events(&written(folder.path(), &format!("{id}.jsonl"), &records.join("\n"))));
    }
    alone.sort();
    let mixed = written(folder.path(), "siem.jsonl", &lines.join("\n"));
    assert!(events(&mixed) == alone);
    let report = read(mixed);
    let paths: Vec<&str> = report.assessment.inputs.iter().map(|input| input.path.as_str()).collect();
    assert_eq!(paths, ["siem.jsonl!/aws-cloudtrail", "siem.jsonl!/entra-id", "siem.jsonl!/okta-system-log"]);
    for (id, records) in &parts {
        let (others, broken) = if *id == "aws-cloudtrail" { (longest as u64, 1) } else { (0, 0) };
        let input = of(&report, id);
        assert_eq!(input.read, records.len() as u64 + others + broken, "{id}");
        assert_eq!(input.rejected_reasons.get("bad-json").copied().unwrap_or_default(), broken);
        let left = input.out_of_scope_reasons.get("of no source that was recognised in this file").copied();
        assert_eq!(left.unwrap_or_default(), others);
    }
    // The number of a record is its number in the file.
    let broken: Vec<u64> = report.rejected.iter().filter(|r| r.reason == "bad-json").map(|r| r.record).collect();
    assert_eq!(broken, [8]);
}

#[test]
fn a_second_source_far_down_is_seen() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let okta = records("okta-system-log/system-log.json");
    let mut lines: Vec<String> = okta.iter().cycle().take(600).cloned().collect();
    lines.extend(records("entra-id/graph.json").into_iter().cycle().take(300));
    let report = read(written(folder.path(), "siem.jsonl", &lines.join("\n")));
    assert_eq!(of(&report, "okta-system-log").read, 600);
    assert_eq!(of(&report, "entra-id").read, 300);
}

#[test]
fn what_shippers_and_searches_put_around_a_record_is_looked_through() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let okta = records("okta-system-log/system-log.json");
    let plain = events(&written(folder.path(), "plain.jsonl", &okta.join("\n")));
    assert!(plain.len() > 10);
    let value = |record: &String| -> Value { serde_json::from_str(record).expect("JSON") };
    let lines =
        |around: &dyn Fn(&String) -> Value| okta.iter().map(|r| around(r).to_string() + "\n").collect::<String>();
    let hits: Vec<Value> =
        okta.iter().map(|r| json!({"_index": "logs", "_source": {"event": {"original": r}}})).collect();
    for (name, text) in [
        ("splunk.json", lines(&|r| json!({"preview": false, "offset": 1, "result": {"_raw": r, "host": "h"}}))),
        ("results.json", json!({"results": okta.iter().map(|r| json!({"_raw": r})).collect::<Vec<_>>()}).to_string()),
        ("original.ndjson", lines(&|r| json!({"@timestamp": "x", "event": {"original": r, "action": "y"}}))),
        ("source.ndjson", lines(&|r| json!({"_index": "logs", "_source": value(r)}))),
        ("hits.json", json!({"took": 1, "hits": {"total": {"value": 9}, "hits": hits}}).to_string()),
        ("hec.json", lines(&|r| json!({"time": 1, "sourcetype": "okta", "event": value(r)}))),
        ("docker.log", lines(&|r| json!({"log": format!("{r}\n"), "stream": "stdout"}))),
        ("rfc5424.log", okta.iter().map(|r| format!("<34>1 2026-09-14T22:14:15Z siem okta - - - {r}\n")).collect()),
        ("rfc3164.log", okta.iter().map(|r| format!("<13>Sep  4 22:14:15 siem okta[7]: {r}\n")).collect()),
        ("messages", okta.iter().map(|r| format!("Sep 14 22:14:15 siem okta: {r}\n")).collect()),
    ] {
        let got = events(&written(folder.path(), name, &text));
        assert!(got == plain, "{name}: {} of {} events", got.len(), plain.len());
    }
}

#[test]
fn the_vaults_syslog_is_read_as_it_is_sent() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = "<5>1 2026-05-04T09:20:00Z VAULT - - - - LEEF:1.0|CyberArk|Vault|12.2|24|sev=5\tAction=CPM Change Password\tusrName=PasswordManager\tsrc=192.0.2.9\tFileName=Root\\svc-feed\tReason=ExpirationPeriod\n\
        <5>1 2026-05-04T09:21:00Z VAULT CEF:0|Cyber-Ark|Vault|12.2|57|Reset User Password|5|act=Reset User Password suser=dana fname=Root\\\\svc-pay duser=svc-pay src=192.0.2.9\n";
    let got = events(&written(folder.path(), "vault.log", text));
    assert_eq!(got.len(), 2, "{got:?}");
    assert!(got[0].contains("2026-05-04T09:20:00Z") && got[0].contains("svc-feed"), "{got:?}");
    assert!(got[1].contains("password-reset") && got[1].contains("svc-pay"), "{got:?}");
}

/// A record as a row of Parquet, groups as groups; without its lists and nulls, which it returns as JSON as well.
fn row_of_parquet(record: &Value) -> (Vec<u8>, Value) {
    use parquet::column::writer::ColumnWriter;
    use parquet::data_type::ByteArray;
    fn schema(members: &serde_json::Map<String, Value>, text: &mut String, leaves: &mut Vec<Value>) -> Value {
        let mut kept = serde_json::Map::new();
        for (name, value) in members {
            match value {
                Value::Object(inner) => {
                    let mut of_group = String::new();
                    let inner = schema(inner, &mut of_group, leaves);
                    if !of_group.is_empty() {
                        text.push_str(&format!("REQUIRED group {name} {{ {of_group} }} "));
                        kept.insert(name.clone(), inner);
                    }
                    continue;
                }
                Value::String(_) => text.push_str(&format!("REQUIRED BYTE_ARRAY {name} (UTF8); ")),
                Value::Number(n) if n.as_i64().is_some() => text.push_str(&format!("REQUIRED INT64 {name}; ")),
                Value::Bool(_) => text.push_str(&format!("REQUIRED BOOLEAN {name}; ")),
                _ => continue,
            }
            leaves.push(value.clone());
            kept.insert(name.clone(), value.clone());
        }
        Value::Object(kept)
    }
    let (mut text, mut leaves) = (String::new(), Vec::new());
    let kept = schema(record.as_object().expect("an object"), &mut text, &mut leaves);
    let schema = parquet::schema::parser::parse_message_type(&format!("message s {{ {text} }}")).expect("a schema");
    let properties = parquet::file::properties::WriterProperties::builder().build();
    let mut out = Vec::new();
    let mut writer =
        parquet::file::writer::SerializedFileWriter::new(&mut out, schema.into(), properties.into()).expect("a writer");
    let mut group = writer.next_row_group().expect("a group");
    for leaf in leaves {
        let mut column = group.next_column().expect("a column").expect("as many as leaves");
        match (column.untyped(), &leaf) {
            (ColumnWriter::ByteArrayColumnWriter(typed), Value::String(text)) => {
                typed.write_batch(&[ByteArray::from(text.as_str())], None, None).expect("written");
            }
            (ColumnWriter::Int64ColumnWriter(typed), Value::Number(n)) => {
                typed.write_batch(&[n.as_i64().expect("seen above")], None, None).expect("written");
            }
            (ColumnWriter::BoolColumnWriter(typed), Value::Bool(truth)) => {
                typed.write_batch(&[*truth], None, None).expect("written");
            }
            _ => unreachable!("the schema was made of the leaves"),
        }
        column.close().expect("closed");
    }
    group.close().expect("closed");
    writer.close().expect("closed");
    (out, kept)
}

#[test]
fn ocsf_is_read_from_parquet_as_from_json() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut rows = 0;
    for (n, record) in records("ocsf/events.jsonl").iter().enumerate() {
        let (bytes, kept) = row_of_parquet(&serde_json::from_str(record).expect("JSON"));
        let lake = folder.path().join(format!("{n}.parquet"));
        fs::write(&lake, bytes).expect("a writable folder");
        let got = events(&lake);
        assert!(got == events(&written(folder.path(), &format!("{n}.json"), &kept.to_string())), "{kept}");
        rows += got.len();
    }
    assert!(rows >= 10, "{rows} events");
}

#[test]
fn approvals_by_the_id_of_the_record_are_joined() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (id, user) = ("a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1ff", "681ccaf9c0a8016400b98a06818d5103");
    let request = json!({"number": "RITM0099001", "sys_id": id, "opened_at": "2026-07-17 08:02:11", "opened_by": {"value": user}, "requested_for.email": "ann@corp.example",
        "caller_id.email": "ann@corp.example", "requested_for": {"value": user}, "cat_item": "Password reset"});
    let reference = |value: &str| json!({"link": format!("https://corp.service-now.com/{value}"), "value": value});
    let both = |value: &str| json!({"display_value": value, "value": value});
    let shown = json!({"sys_id": "b1", "sysapproval": id, "approver": "dee@corp.example", "state": "Approved", "sys_updated_on": "2026-07-17 08:05:00"});
    let values = json!({"sys_id": "b1", "sysapproval": reference(id), "approver": reference(user), "approver.email": "dee@corp.example", "state": "approved", "sys_updated_on": "2026-07-17 08:05:00"});
    let all = json!({"sys_id": both("b1"), "sysapproval": both(id), "approver": both("dee@corp.example"), "state": both("approved"), "sys_updated_on": both("2026-07-17 08:05:00")});
    for (n, approval) in [shown, values, all].into_iter().enumerate() {
        let inputs = folder.path().join(n.to_string());
        fs::create_dir(&inputs).expect("a writable folder");
        written(&inputs, "sc_req_item.json", &json!({"result": [request]}).to_string());
        written(&inputs, "sysapproval_approver.json", &json!({"result": [approval]}).to_string());
        let reset = "event_id,occurred_at,system,action,target,ticket\nr,2026-07-17T08:30:00Z,okta,password-reset,ann@corp.example,RITM0099001\n";
        written(&inputs, "event.csv", reset);
        let report = read(inputs);
        let merged: u64 = report.assessment.inputs.iter().map(|input| input.merged).sum();
        assert_eq!(merged, 1, "rendering {n}: {:?}", report.assessment.inputs);
        let subject = &report.subjects.expect("kept")[0];
        assert_eq!(subject.facts["approval_present"], true, "rendering {n}: {:?}", subject.facts);
    }
}
