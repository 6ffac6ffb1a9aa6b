//! One act that two feeds tell is one event; two acts stay two.

use std::path::PathBuf;

use regrant::config::Config;
use regrant::report::model::Input;
use regrant::run::Report;
use serde_json::{Value, json};

use crate::{assert_adds_up, audit};

fn entra(id: &str, at: &str, target: &str) -> Value {
    json!({
        "id": id, "category": "UserManagement", "correlationId": format!("corr-{id}"), "result": "success",
        "activityDisplayName": "Reset user password", "activityDateTime": at, "loggedByService": "Core Directory",
        "initiatedBy": {"user": {"id": "id-dana", "userPrincipalName": "dana@corvid.example"}, "app": null},
        "targetResources": [{"id": format!("id-{target}"), "type": "User", "userPrincipalName": format!("{target}@corvid.example"), "modifiedProperties": []}],
    })
}

fn unified(id: &str, at: &str, target: &str, status: &str) -> Value {
    json!({
        "CreationTime": at, "Id": id, "Operation": "Reset user password.", "RecordType": 8, "ResultStatus": status,
        "Workload": "AzureActiveDirectory", "ObjectId": format!("{target}@corvid.example"), "UserId": "dana@corvid.example",
        "ActorIpAddress": "192.0.2.7:443", "ModifiedProperties": [], "InterSystemsId": format!("is-{id}"),
        "Target": [{"ID": format!("{target}@corvid.example"), "Type": 5}],
    })
}

/// Audits files of these names; the names decide which is read first.
fn report(files: &[(&str, Vec<Value>)]) -> Report {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, records) in files {
        std::fs::write(folder.path().join(name), serde_json::to_string(records).expect("JSON")).expect("written");
    }
    audited(folder)
}

fn audited(folder: tempfile::TempDir) -> Report {
    let config = Config::parse("", &PathBuf::from("regrant.toml")).expect("empty");
    let report = audit(&[folder.path().to_owned()], config).unwrap_or_else(|error| panic!("{error}"));
    assert_adds_up(&report);
    report
}

/// Ids of the resets, in order.
fn resets(report: &Report) -> Vec<String> {
    let mut ids: Vec<String> =
        report.subjects.as_deref().expect("kept").iter().map(|subject| subject.subject.clone()).collect();
    ids.sort();
    ids
}

fn input<'a>(report: &'a Report, mapping: &str) -> &'a Input {
    report.assessment.inputs.iter().find(|input| input.mapping == mapping).expect("it was read")
}

#[test]
fn entra_and_the_unified_log_tell_of_one_reset() {
    let audit_log = vec![
        entra("e-1", "2026-06-01T08:00:00.1234567Z", "ann"),
        entra("e-2", "2026-06-01T09:00:00Z", "bob"),
        // Twice in twenty seconds: two acts in either feed.
        entra("e-3", "2026-06-01T10:00:00Z", "cleo"),
        entra("e-4", "2026-06-01T10:00:20Z", "cleo"),
        entra("e-5", "2026-06-01T11:00:00Z", "dan"),
    ];
    let unified_log = vec![
        // Three seconds later, by a clock that is off.
        unified("u-1", "2026-06-01T08:00:03", "ann", "Success"),
        // Just outside.
        unified("u-2", "2026-06-01T09:00:31", "bob", "Success"),
        unified("u-3", "2026-06-01T09:59:58", "cleo", "Success"),
        unified("u-4", "2026-06-01T10:00:19", "cleo", "Success"),
        // Refused there, carried out here: not the same act.
        unified("u-5", "2026-06-01T11:00:01", "dan", "Failed"),
        // Told by this feed alone.
        unified("u-6", "2026-06-01T12:00:00", "eve", "Success"),
    ];
    for (a, b) in [("1.json", "2.json"), ("2.json", "1.json")] {
        let report = report(&[(a, audit_log.clone()), (b, unified_log.clone())]);
        assert_eq!(resets(&report), ["e-1", "e-2", "e-3", "e-4", "e-5", "u-2", "u-6"]);
        assert_eq!((input(&report, "m365-unified-audit").merged, input(&report, "entra-id").merged), (3, 0));
        let told = report.assessment.data_quality.iter().find(|entry| entry.kind == "told-twice").expect("listed");
        assert_eq!(told.count, 3);
        assert!(told.examples.contains(&format!("{a}:1 and {b}:1")), "{:?}", told.examples);
        let subjects = report.subjects.as_deref().expect("kept");
        let ann = subjects.iter().find(|subject| subject.subject == "e-1").expect("judged");
        assert_eq!(ann.occurred_at, "2026-06-01T08:00:00.123456Z");
        assert_eq!(ann.sources["event, told again"], format!("{b}:1"));
    }
}

#[test]
fn an_act_is_merged_with_the_nearest_and_with_one_only() {
    // One in the audit log; the unified log has two, one of which is another act.
    let files = [
        ("a.json", vec![entra("e-1", "2026-06-01T08:00:00Z", "ann")]),
        (
            "b.json",
            vec![
                unified("u-1", "2026-06-01T08:00:20", "ann", "Success"),
                unified("u-2", "2026-06-01T08:00:01", "ann", "Success"),
            ],
        ),
    ];
    assert_eq!(resets(&report(&files)), ["e-1", "u-1"]);
}

#[test]
fn the_same_acts_of_one_feed_are_never_one() {
    let twice = vec![entra("e-1", "2026-06-01T08:00:00Z", "ann"), entra("e-2", "2026-06-01T08:00:05Z", "ann")];
    assert_eq!(resets(&report(&[("a.json", twice)])), ["e-1", "e-2"]);
    let twice = vec![
        unified("u-1", "2026-06-01T08:00:00", "ann", "Success"),
        unified("u-2", "2026-06-01T08:00:05", "ann", "Success"),
    ];
    assert_eq!(resets(&report(&[("a.json", twice)])), ["u-1", "u-2"]);
}

fn okta(id: &str, name: &str, at: &str, actor: &str) -> Value {
    json!({
        "uuid": id, "published": at, "eventType": name, "legacyEventType": "core.x", "displayMessage": "x",
        "actor": {"id": format!("00{actor}"), "type": if actor == "agent" { "SystemPrincipal" } else { "User" }, "alternateId": format!("{actor}@corvid.example")},
        "client": {"ipAddress": if actor == "agent" { Value::Null } else { json!("192.0.2.9") }},
        "outcome": {"result": "SUCCESS"}, "transaction": {"id": "unknown"},
        "target": [{"id": "00uAnn", "type": "User", "alternateId": "ann@corvid.example"}],
    })
}

#[test]
fn the_agent_in_active_directory_tells_of_what_okta_tells() {
    let agent = "system.agent.ad.reset_user_password";
    let own = "user.account.reset_password";
    let log = vec![
        okta("o-1", own, "2026-06-01T08:00:02.500Z", "dana"),
        // The agent is first, and its clock is not Okta's.
        okta("o-2", agent, "2026-06-01T08:00:00Z", "agent"),
        okta("o-3", own, "2026-06-01T09:00:00Z", "dana"),
        okta("o-4", agent, "2026-06-01T09:00:31Z", "agent"),
        okta("o-5", agent, "2026-06-01T10:00:00Z", "agent"),
        okta("o-6", agent, "2026-06-01T10:00:05Z", "agent"),
        okta("o-7", "system.agent.ad.unlock_user_account", "2026-06-01T08:00:01Z", "agent"),
    ];
    let mut backwards = log.clone();
    backwards.reverse();
    for log in [log, backwards] {
        let report = report(&[("okta.json", log)]);
        assert_eq!(resets(&report), ["o-1", "o-3", "o-4", "o-5", "o-6", "o-7"]);
        assert_eq!(input(&report, "okta-system-log").merged, 1);
        let subjects = report.subjects.as_deref().expect("kept");
        let first = subjects.iter().find(|subject| subject.subject == "o-1").expect("judged");
        // By Dana, not by a machine.
        assert_eq!(first.facts["automated"], json!(false));
    }
    // An agent's record that names no user is left out, as it was.
    let mut nobody = okta("o-8", agent, "2026-06-01T08:00:00Z", "agent");
    nobody["target"] = json!([{"id": "0oa", "type": "AppInstance", "alternateId": "corvid.local"}]);
    let report = report(&[("okta.json", vec![nobody])]);
    assert_eq!((input(&report, "okta-system-log").out_of_scope, report.rejected.len()), (1, 0));
}

#[test]
fn one_record_in_two_renderings_is_one() {
    let graph = entra("e-1", "2026-06-01T08:00:00.1234567Z", "ann");
    let mut diagnostic = json!({"records": [{
        "time": "2026-06-01T08:00:00.1234567Z", "category": "AuditLogs", "operationName": "Reset user password",
        "callerIpAddress": "192.0.2.7", "properties": graph.clone(),
    }]});
    diagnostic["records"][0]["properties"]["correlationId"] = json!("corr-e-1");
    for (a, b) in [("1.json", "2.json"), ("2.json", "1.json")] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join(a), json!({"value": [graph.clone()]}).to_string()).expect("written");
        std::fs::write(folder.path().join(b), diagnostic.to_string()).expect("written");
        let report = audited(folder);
        assert_eq!(resets(&report), ["e-1"]);
        assert!(report.rejected.is_empty(), "{:?}", report.rejected);
    }
}

#[test]
fn the_console_s_csv_and_the_api_tell_one_record() {
    let csv = "timestamp,actor.id,actor.type,actor.alternate_id,event_type,outcome.result,transaction.id,uuid,target0.id,target0.type,target0.alternateId\n\
               2026-06-01T08:00:02.000Z,00dana,User,dana@corvid.example,user.account.reset_password,SUCCESS,tx-7,o-1,00uAnn,User,ann@corvid.example\n";
    let json = json!([okta("o-1", "user.account.reset_password", "2026-06-01T08:00:02.500Z", "dana")]).to_string();
    for (a, b) in [("1.json", "2.csv"), ("2.json", "1.csv")] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join(a), &json).expect("written");
        std::fs::write(folder.path().join(b), csv).expect("written");
        let report = audited(folder);
        assert!(report.rejected.is_empty(), "{:?}", report.rejected);
        let subjects = report.subjects.as_deref().expect("kept");
        assert_eq!(subjects.len(), 1);
        // What the API says stands, whichever was read first.
        assert_eq!(subjects[0].occurred_at, "2026-06-01T08:00:02.5Z");
    }
}
