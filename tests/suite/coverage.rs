//! Which time logs cover, and what follows from it: a window that reaches beyond a log is unknown, not empty.

use std::path::PathBuf;

use chrono::{DateTime, Duration, Utc};
use regrant::config::Config;
use regrant::report::model::{CheckResult, DataQuality, LogCoverage, Standing};
use regrant::run::Report;
use serde_json::{Value, json};

use crate::{assert_adds_up, audit};

const WINDOWED: [&str; 6] = [
    "bulk-resets-by-executor",
    "repeated-resets",
    "reset-after-reactivation",
    "privilege-grant-after-reset",
    "denied-then-granted",
    "contact-changed-before-reset",
];

/// 2026-06-01, a Monday.
fn monday() -> DateTime<Utc> {
    "2026-06-01T00:00:00Z".parse().expect("an instant")
}

fn okta(id: &str, at: DateTime<Utc>, name: &str, target: &str) -> Value {
    json!({
        "uuid": id, "published": at.to_rfc3339(), "eventType": name, "legacyEventType": "core.x", "displayMessage": "x",
        "actor": {"id": "00uDesk", "type": "User", "alternateId": "desk@corvid.example"},
        "outcome": {"result": "SUCCESS"}, "transaction": {"id": "unknown"},
        "target": [{"id": format!("00u{target}"), "type": "User", "alternateId": format!("{target}@corvid.example")}],
    })
}

/// Something that no check asks for.
fn noise(id: &str, at: DateTime<Utc>) -> Value {
    okta(id, at, "policy.evaluate_sign_on", "somebody")
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a temporary folder"))
    }

    fn with(self, name: &str, text: &str) -> Folder {
        std::fs::write(self.0.path().join(name), text).expect("written");
        self
    }

    fn array(self, name: &str, records: &[Value]) -> Folder {
        self.with(name, &serde_json::to_string(records).expect("JSON"))
    }

    fn lines(self, name: &str, records: &[Value]) -> Folder {
        self.with(name, &records.iter().map(|record| format!("{record}\n")).collect::<String>())
    }

    fn audit(&self, config: &str) -> Report {
        let config = Config::parse(config, &PathBuf::from("regrant.toml")).expect("a good config");
        let report = audit(&[self.0.path().to_owned()], config).unwrap_or_else(|error| panic!("{error}"));
        assert_adds_up(&report);
        report
    }
}

fn check<'a>(report: &'a Report, id: &str) -> &'a CheckResult {
    report.assessment.checks.iter().find(|check| check.id == id).expect("a shipped check")
}

fn verdicts(report: &Report) -> Vec<Standing> {
    WINDOWED.iter().map(|id| check(report, id).verdict).collect()
}

fn quality<'a>(report: &'a Report, kind: &str) -> Vec<&'a DataQuality> {
    report.assessment.data_quality.iter().filter(|entry| entry.kind == kind).collect()
}

fn log<'a>(report: &'a Report, system: &str) -> &'a LogCoverage {
    report.assessment.coverage.iter().find(|log| log.system == system).expect("the log of the system")
}

#[test]
fn a_log_of_one_reset_passes_nothing_that_looks_around_it() {
    let reset = okta("r-1", monday(), "user.account.reset_password", "ann");
    let report = Folder::new().array("okta.json", &[reset]).audit("");
    assert_eq!(verdicts(&report), [Standing::CannotConclude; 6]);
    for id in WINDOWED {
        let check = check(&report, id);
        assert_eq!((check.counts.indeterminate, check.uncovered), (1, 1), "{id}");
        let said = check.inconclusive.as_deref().expect("it says why");
        assert!(said.contains("the log of okta (okta-system-log)") && said.contains("2026-06-01T00:00:00Z"), "{said}");
    }
    let [entry] = quality(&report, "log-too-short")[..] else { panic!("one entry") };
    assert!(entry.count >= 6 && entry.weakens.iter().any(|id| id == "repeated-resets"), "{entry:?}");
    let remedy = report.assessment.plan.iter().find(|remedy| remedy.id == "log").expect("a remedy");
    assert!(remedy.answers.iter().any(|id| id == "denied-then-granted"), "{remedy:?}");
    // Seven days of contacts before, and one to be sure.
    assert!(remedy.how[0].contains("from 2026-05-24 on") && remedy.how[0].contains("until 2026-06-"), "{remedy:?}");
}

#[test]
fn records_that_are_left_out_belong_to_the_log() {
    let reset = okta("r-1", monday(), "user.account.reset_password", "ann");
    let around = [noise("n-1", monday() - Duration::days(8)), reset, noise("n-2", monday() + Duration::days(3))];
    for folder in [Folder::new().array("okta.json", &around), Folder::new().lines("okta.jsonl", &around)] {
        let report = folder.audit("");
        assert_eq!(verdicts(&report), [Standing::Pass; 6]);
        assert!(quality(&report, "log-too-short").is_empty());
        let log = log(&report, "okta");
        assert_eq!((log.basis.as_str(), log.records, log.decides), ("records", 3, true));
        assert_eq!(log.first_at.as_deref(), Some("2026-05-24T00:00:00Z"));
        assert_eq!(log.last_at.as_deref(), Some("2026-06-04T00:00:00Z"));
    }
    // A day short of the seven that a changed contact is looked for.
    let later = [noise("n-1", monday() - Duration::days(6)), around[1].clone(), around[2].clone()];
    let report = Folder::new().array("okta.json", &later).audit("");
    let short: Vec<&str> = WINDOWED.into_iter().filter(|id| check(&report, id).verdict != Standing::Pass).collect();
    assert_eq!(short, ["contact-changed-before-reset"]);
}

#[test]
fn of_lines_that_are_passed_over_enough_are_looked_at() {
    let mut records: Vec<Value> =
        (0..2_000).map(|n| noise(&format!("n-{n}"), monday() + Duration::minutes(10 * n))).collect();
    records.push(okta("r-1", monday() + Duration::days(9), "user.account.reset_password", "ann"));
    let report = Folder::new().lines("okta.jsonl", &records).audit("");
    let input = &report.assessment.inputs[0];
    assert_eq!((input.read, input.accepted, input.out_of_scope), (2_001, 1, 2_000));
    let log = log(&report, "okta");
    // Of 2,000 the first 256 and every 64th, the last of them 80 before the end.
    assert!((256..2_000).contains(&log.records), "{log:?}");
    assert!(log.last_at.as_deref().is_some_and(|at| at >= "2026-06-14T00:00:00Z"), "{log:?}");
    assert_eq!(check(&report, "contact-changed-before-reset").verdict, Standing::Pass);
}

#[test]
fn what_is_seen_to_fail_fails_however_short_the_log() {
    let resets: Vec<Value> = (0..3)
        .map(|n| okta(&format!("r-{n}"), monday() + Duration::minutes(n), "user.account.reset_password", "ann"))
        .collect();
    let report = Folder::new().array("okta.json", &resets).audit("");
    let counts = check(&report, "repeated-resets").counts;
    assert_eq!((counts.failed, counts.indeterminate), (3, 0));
}

/// Twice an hour from nine to five, for twelve weeks but for one.
fn with_a_hole() -> Vec<Value> {
    let at = |day: i64, half: i64| monday() + Duration::days(day) + Duration::minutes(540 + 30 * half);
    let days = (0..84).filter(|day| day % 7 < 5 && !(35..42).contains(day));
    days.flat_map(|day| (0..16).map(move |half| noise(&format!("n-{day}-{half}"), at(day, half)))).collect()
}

#[test]
fn a_hole_hides_what_was_in_it() {
    let mut records = with_a_hole();
    for (id, day) in [("beside", 42), ("far", 60)] {
        records.push(okta(id, monday() + Duration::days(day) + Duration::hours(10), "user.account.reset_password", id));
    }
    let report = Folder::new().array("okta.json", &records).audit("");
    let log = log(&report, "okta");
    assert_eq!(log.holes.len(), 1, "{log:?}");
    assert_eq!(log.holes[0].from, "2026-07-03T17:00:00Z");
    assert_eq!(log.holes[0].until, "2026-07-13T09:00:00Z");
    let subjects = report.subjects.as_deref().expect("kept");
    let of = |id: &str| subjects.iter().find(|s| s.subject == id).expect("judged").verdicts["repeated-resets"].clone();
    assert_eq!((of("beside").as_str(), of("far").as_str()), ("indeterminate", "pass"));
    assert_eq!(quality(&report, "log-hole").len(), 1);
    let said = check(&report, "repeated-resets").inconclusive.as_deref();
    assert!(said.is_some_and(|said| said.contains("hole of the log of okta")), "{said:?}");
    // Who knows that nothing was lost says so.
    let config = "[[coverage]]\nsystem = 'okta'\nsince = 2026-05-01\nuntil = 2026-09-01\n";
    let declared = Folder::new().array("okta.json", &records).audit(config);
    assert_eq!(verdicts(&declared), [Standing::Pass; 6]);
}

#[test]
fn a_period_that_the_log_does_not_cover_is_named() {
    let mut records = with_a_hole();
    records.push(okta("r", monday() + Duration::days(60), "user.account.reset_password", "ann"));
    let folder = Folder::new().array("okta.json", &records);
    let report = folder.audit("since = 2026-05-01\nuntil = 2026-08-22\n");
    let [entry] = quality(&report, "period-not-covered")[..] else { panic!("one log") };
    assert_eq!(entry.examples, ["2026-05-01T00:00:00Z to 2026-06-01T09:00:00Z"]);
    assert!(quality(&folder.audit("since = 2026-05-31\nuntil = 2026-08-25\n"), "period-not-covered").is_empty());
}

const TABLE: &str = "event_id,occurred_at,system,action,outcome,target,executor\n\
                     a,2026-06-01T00:00:00Z,erp,password-reset,success,ann,dee\n\
                     g,2026-06-01T00:00:00Z,crm,privilege-granted,success,eve,dee\n";

#[test]
fn tables_keep_their_passes_and_the_report_says_what_they_rest_on() {
    let folder = Folder::new().with("event.csv", TABLE);
    let report = folder.audit("");
    assert_eq!(check(&report, "repeated-resets").verdict, Standing::Pass);
    let beyond = quality(&report, "pass-beyond-log");
    let repeated = beyond.iter().find(|entry| entry.weakens == ["repeated-resets"]).expect("an entry");
    assert_eq!(repeated.count, 1);
    assert!(repeated.title.starts_with("of 1 that repeated-resets passes, 1 rest on"), "{}", repeated.title);
    assert!(!log(&report, "erp").decides);
    let declared = |since: &str, until: &str| {
        folder.audit(&format!("[[coverage]]\nsystem = 'ERP'\nsince = {since}\nuntil = {until}\n"))
    };
    let whole = declared("2026-05-01", "2026-07-01");
    assert_eq!(check(&whole, "repeated-resets").verdict, Standing::Pass);
    assert!(quality(&whole, "pass-beyond-log").is_empty());
    let short = declared("2026-06-01", "2026-07-01");
    assert_eq!(check(&short, "repeated-resets").verdict, Standing::CannotConclude);
}

#[test]
fn a_log_of_sign_ins_that_ended_long_ago_makes_nobody_dormant() {
    let person = "person_id,name,email\n1,Ann,ann@corvid.example\n";
    let sign_in = |id: &str, at: DateTime<Utc>| {
        let mut record = okta(id, at, "user.session.start", "ann");
        record["actor"] = json!({"id": "00uann", "type": "User", "alternateId": "ann@corvid.example"});
        record
    };
    let reset = okta("r", monday() + Duration::days(200), "user.account.reset_password", "ann");
    let gap = [sign_in("s", monday()), reset.clone()];
    let whole: Vec<Value> = (0..200).map(|day| noise(&format!("n-{day}"), monday() + Duration::days(day))).collect();
    let dormant = |records: &[Value]| {
        let folder = Folder::new().with("person.csv", person).array("okta.json", records);
        check(&folder.audit("as_of = 2027-01-31T00:00:00Z"), "reset-of-dormant-identity").verdict
    };
    assert_eq!(dormant(&[&gap[..], &whole].concat()), Standing::Fail);
    // Sign-ins in a file of their own, which ends in June; the resets' log is whole.
    let folder = Folder::new()
        .with("person.csv", person)
        .array("sign-ins.json", &[sign_in("s", monday()), sign_in("t", monday() + Duration::days(1))])
        .array("system.json", &[&whole[..], &[reset]].concat());
    let report = folder.audit("as_of = 2027-01-31T00:00:00Z");
    let check = check(&report, "reset-of-dormant-identity");
    assert_eq!((check.verdict, check.uncovered), (Standing::CannotConclude, 1));
    let said = check.inconclusive.as_deref().unwrap_or_default();
    assert!(said.contains("after the sign-ins of okta (okta-system-log) ends, 2026-06-02"), "{said}");
}

#[test]
fn exactly_a_thousand_records_are_suspicious() {
    let rows = |n: usize| {
        let line = |i: usize| format!("p{i},Person {i}\n");
        format!("person_id,name\n{}", (0..n).map(line).collect::<String>())
    };
    let folder = |n: usize| Folder::new().with("person.csv", &rows(n)).with("event.csv", TABLE);
    let report = folder(1_000).audit("");
    let [entry] = quality(&report, "round-number")[..] else { panic!("one entry") };
    assert_eq!(entry.examples, ["person.csv: 1000 records"]);
    assert!(quality(&folder(1_001).audit(""), "round-number").is_empty());
}

#[test]
fn a_roster_that_is_too_short_takes_back_what_rests_on_tiers() {
    let events = concat!(
        "event_id,occurred_at,system,action,target,executor,executor_kind,verification,token_expires_at\n",
        "1,2026-06-01T08:00:00Z,okta,recovery-issued,ann,bob,desk,sms,2026-06-01T08:05:00Z\n",
    );
    let folder = Folder::new().with("event.csv", events).with("person.csv", "person_id,tier\nann,standard\nbob,\n");
    // Who lacks in the roster may be privileged, and then a text message is too little.
    let rests =
        ["weak-verification", "recovery-token-outlives-policy", "reset-of-unknown-identity", "executor-offboarded"];
    let stays = ["reset-without-verification", "recovery-token-without-expiry"];
    for (expected, rest) in [(2, Standing::Pass), (3, Standing::CannotConclude)] {
        let report = folder.audit(&format!("[[input]]\npath = \"*person.csv\"\nexpected_records = {expected}\n"));
        for id in rests {
            assert_eq!(check(&report, id).verdict, rest, "{id}, {expected} expected");
        }
        for id in stays {
            assert_eq!(check(&report, id).verdict, Standing::Pass, "{id}, {expected} expected");
        }
    }
}
