//! A folder of raw exports, audited with no config: what each vendor knows is joined to what the others know.

use regrant::config::Config;
use regrant::report::model::Subject;
use regrant::run::Report;
use serde_json::{Value, json};

use crate::{assert_adds_up, audit, root};

fn report() -> Report {
    audit(&[root().join("tests/exports")], Config::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn subject<'a>(report: &'a Report, id: &str) -> &'a Subject {
    let all = report.subjects.as_deref().expect("they are kept");
    all.iter().find(|subject| subject.subject == id).unwrap_or_else(|| panic!("{id} is not judged"))
}

fn fact(report: &Report, id: &str, name: &str) -> Value {
    subject(report, id).facts.get(name).cloned().unwrap_or_else(|| panic!("no fact {name}"))
}

fn failed(report: &Report, id: &str) -> Vec<String> {
    let verdicts = &subject(report, id).verdicts;
    verdicts.iter().filter(|(_, verdict)| *verdict == "fail").map(|(check, _)| check.clone()).collect()
}

#[test]
fn each_file_is_known_by_its_content_and_read_whole() {
    let report = report();
    assert_adds_up(&report);
    let known: Vec<(&str, &str, u64)> =
        report.assessment.inputs.iter().map(|i| (i.path.as_str(), i.mapping.as_str(), i.read)).collect();
    assert_eq!(
        known,
        [
            ("ad/users.csv", "ad-users", 3),
            ("aws/credential-report.csv", "aws-credential-report", 2),
            ("entra/applications.json", "entra-applications", 3),
            ("hr/workers.csv", "workday-report", 9),
            ("okta/system-log.json", "okta-system-log", 7),
            ("servicenow/sc_req_item.json", "servicenow-requests", 4),
            ("servicenow/sys_user.json", "servicenow-users", 6),
            ("servicenow/sysapproval_approver.json", "servicenow-approvals", 6),
        ]
    );
    assert!(report.rejected.is_empty(), "{:?}", report.rejected);
}

#[test]
fn approvals_are_found_through_the_request_its_approver_and_the_user_table() {
    let report = report();
    // The request names its subject, the approval its approver, both by sys_id; the log names an address.
    assert_eq!(fact(&report, "ok-approved", "approval_source"), json!("ticket-by-subject"));
    assert_eq!(fact(&report, "ok-approved", "approval_lead_minutes"), json!(15));
    assert_eq!(fact(&report, "ok-approved", "approver_is_target"), json!(false));
    assert!(!failed(&report, "ok-approved").contains(&"missing-approval".to_owned()));
    // Two approved: the request was approved when the last of them had.
    assert_eq!(fact(&report, "ok-two-approvers", "approval_lead_minutes"), json!(10));
    assert!(failed(&report, "ok-unapproved").contains(&"missing-approval".to_owned()));
    assert!(failed(&report, "ok-pending").contains(&"missing-approval".to_owned()));
    assert!(failed(&report, "ok-self-approved").contains(&"self-approval".to_owned()));
    assert!(!failed(&report, "ok-approved").contains(&"self-approval".to_owned()));
}

#[test]
fn leavers_are_found_in_every_system() {
    let report = report();
    assert!(failed(&report, "ok-leaver").contains(&"reset-after-offboarding".to_owned()));
    // The AWS user has the name of the AD account, whose personnel number is that of the roster.
    let key = "arn:aws:iam::210987654321:user/blindqvist#access-key-1";
    assert_eq!(subject(&report, key).identity, "21002");
    assert!(failed(&report, key).contains(&"active-credential-of-offboarded-identity".to_owned()));
    let other = "arn:aws:iam::210987654321:user/amoore#access-key-1";
    assert_eq!(subject(&report, other).identity, "21001");
    assert_eq!(fact(&report, other, "identity_offboarded"), json!(false));
    // Came back in 2022; leaves at the end of the year: both are there.
    assert_eq!(fact(&report, "ok-two-approvers", "target_offboarded"), json!(false));
    assert_eq!(fact(&report, "ok-unapproved", "target_offboarded"), json!(false));
    assert_eq!(fact(&report, "ok-pending", "target_contractor"), json!(true));
    assert_eq!(fact(&report, "ok-pending", "engagement_open_ended"), json!(true));
}

#[test]
fn second_accounts_and_owners_lead_to_their_people() {
    let report = report();
    assert_eq!(subject(&report, "ok-admin").identity, "21003");
    assert_eq!(fact(&report, "ok-admin", "tier"), json!("privileged"));
    let key = |n: u8| format!("44444444-dddd-4ddd-8ddd-00000000000{n}");
    assert_eq!(fact(&report, &key(1), "owner_known"), json!(true));
    assert_eq!(fact(&report, &key(1), "owner_offboarded"), json!(false));
    assert_eq!(fact(&report, &key(2), "owner_offboarded"), json!(true));
    for n in [2, 3] {
        assert!(failed(&report, &key(n)).contains(&"active-credential-without-owner".to_owned()), "{n}");
    }
    assert!(!failed(&report, &key(1)).contains(&"active-credential-without-owner".to_owned()));
}

#[test]
fn whoever_is_missing_from_the_next_roster_had_left() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let rosters = root().join("tests/sources/ldap-roster");
    for name in ["ldap-2026-07-01.csv", "ldap-2026-08-01.csv"] {
        std::fs::copy(rosters.join(name), folder.path().join(name)).expect("copied");
    }
    let events = "event_id,occurred_at,system,action,target\n\
        before,2026-07-31T23:00:00Z,okta,password-reset,bo.lindqvist@corvid.example\n\
        after,2026-08-02T09:00:00Z,okta,password-reset,bo.lindqvist@corvid.example\n\
        there,2026-08-02T09:00:00Z,okta,password-reset,ann.moore@corvid.example\n";
    std::fs::write(folder.path().join("events.csv"), events).expect("written");
    let report = audit(&[folder.path().to_owned()], Config::default()).unwrap_or_else(|error| panic!("{error}"));
    assert_adds_up(&report);
    let offboarded = ["before", "after", "there"].map(|id| fact(&report, id, "target_offboarded"));
    assert_eq!(offboarded, [json!(false), json!(true), json!(false)]);
}

#[test]
fn tickets_that_name_nobody_whom_others_know_accuse_nobody() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let exports = root().join("tests/exports");
    // Without the table of users, sys_ids lead to no one.
    for name in ["okta/system-log.json", "servicenow/sc_req_item.json", "servicenow/sysapproval_approver.json"] {
        let to = folder.path().join(name.replace('/', "-"));
        std::fs::copy(exports.join(name), to).expect("copied");
    }
    let report = audit(&[folder.path().to_owned()], Config::default()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(fact(&report, "ok-unapproved", "approval_present"), Value::Null);
    assert!(!failed(&report, "ok-unapproved").contains(&"missing-approval".to_owned()));
}

#[test]
fn day_and_month_are_told_by_the_file_or_by_the_config_and_never_guessed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let roster = folder.path().join("adp.csv");
    let header = "Associate ID,Position Status,Hire Date,Termination Date,Work Email\n";
    let read = |config: &str, rows: &str| {
        std::fs::write(&roster, format!("{header}{rows}")).expect("written");
        let path = folder.path().join("regrant.toml");
        std::fs::write(&path, config).expect("written");
        let config = Config::load(&path).unwrap_or_else(|error| panic!("{error}"));
        let report = audit(&[folder.path().to_owned()], config).unwrap_or_else(|error| panic!("{error}"));
        assert_adds_up(&report);
        let input = report.assessment.inputs.into_iter().find(|i| i.mapping == "adp-workers").expect("it is known");
        (input.accepted, input.rejected, input.recognised_by)
    };
    let unclear = "A1,Active,03/04/2019,,a@x.example\nA2,Terminated,05/06/2019,07/08/2026,b@x.example\n";
    let (accepted, rejected, _) = read("", unclear);
    assert_eq!((accepted, rejected), (0, 2));
    let (accepted, rejected, _) = read("[[input]]\npath = \"adp.csv\"\ndate_order = \"dmy\"\n", unclear);
    assert_eq!((accepted, rejected), (2, 0));
    let (accepted, rejected, because) = read("", &format!("{unclear}A3,Active,31/12/2020,,c@x.example\n"));
    assert_eq!((accepted, rejected), (3, 0));
    assert!(because.contains("day first"), "{because}");
    // Both orders in one file: each date that is certain by itself is read, the others are not.
    let both =
        "A1,Active,31/12/2020,,a@x.example\nA2,Active,12/31/2020,,b@x.example\nA3,Active,03/04/2019,,c@x.example\n";
    let (accepted, rejected, _) = read("", both);
    assert_eq!((accepted, rejected), (2, 1));
}

#[test]
fn of_several_approvals_the_request_or_the_strictest_decides() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let request = |number: &str, who: &str, approval: &str, set: &str| {
        json!({"number": number, "opened_at": "2026-07-17 08:00:00", "requested_for.email": who, "approval": approval,
            "approval_set": set, "opened_by": {"link": "x", "value": "681ccaf9c0a8016400b98a06818d5109"}})
    };
    let approval = |number: &str, who: &str, state: &str| {
        json!({"sysapproval.number": number, "approver.email": who, "state": state, "sys_updated_on": "2026-07-17 08:05:00",
            "approver": {"link": "x", "value": "681ccaf9c0a8016400b98a06818d5103"}})
    };
    let requests = [
        request("RITM0010011", "a@x.example", "approved", "2026-07-17 08:06:00"),
        request("RITM0010012", "b@x.example", "not requested", ""),
        request("RITM0010013", "c@x.example", "not requested", ""),
        request("RITM0010014", "d@x.example", "approved", "2026-07-17 08:06:00"),
        request("RITM0010014", "e@x.example", "approved", "2026-07-17 08:06:00"),
    ];
    let approvals = [
        approval("RITM0010011", "p@x.example", "requested"),
        approval("RITM0010012", "p@x.example", "approved"),
        approval("RITM0010012", "q@x.example", "requested"),
        approval("RITM0010013", "p@x.example", "approved"),
        approval("RITM0010013", "q@x.example", "rejected"),
    ];
    let mut events = "event_id,occurred_at,system,action,target,ticket\n".to_owned();
    for (id, who) in [("11", "a"), ("12", "b"), ("13", "c"), ("14", "d")] {
        let line = format!("{id},2026-07-17T09:00:00Z,okta,password-reset,{who}@x.example,RITM00100{id}\n");
        events.push_str(&line);
    }
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).expect("written");
    write("events.csv", events);
    write("requests.json", json!({"result": requests}).to_string());
    write("approvals.json", json!({"result": approvals}).to_string());
    let report = audit(&[folder.path().to_owned()], Config::default()).unwrap_or_else(|error| panic!("{error}"));
    assert_adds_up(&report);
    let decisions = ["11", "12", "13", "14"].map(|id| fact(&report, id, "approval_decision"));
    assert_eq!(decisions, [json!("approved"), json!("pending"), json!("rejected"), json!("approved")]);
    // Two requests of one number about two people: the second is no record of the first.
    let rejected: Vec<(&str, u64)> = report.rejected.iter().map(|r| (r.file.as_str(), r.record)).collect();
    assert_eq!(rejected, [("requests.json", 5)]);
    let merged: Vec<u64> = report.assessment.inputs.iter().map(|i| i.merged).collect();
    assert_eq!(merged.iter().sum::<u64>(), 5);
}
