//! What mappings make of records, of samples and of real logs where there are some.

use super::*;
use crate::source::{container, json};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path as FilePath, PathBuf};

const OKTA: &str = include_str!("../../../mappings/sources/okta-system-log.toml");
const CLOUDTRAIL: &str = include_str!("../../../mappings/sources/aws-cloudtrail.toml");
const REPORT: &str = include_str!("../../../mappings/sources/aws-credential-report.toml");

fn mapping(id: &str) -> SourceMapping {
    let text = match id {
        "okta-system-log" => OKTA,
        "aws-cloudtrail" => CLOUDTRAIL,
        _ => REPORT,
    };
    SourceMapping::parse(id, text).unwrap_or_else(|error| panic!("{error}"))
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn records(path: &FilePath, envelopes: &[String]) -> (Vec<Value>, usize) {
    let (mut records, mut broken) = (Vec::new(), 0);
    // As the inventory does: the envelope that the first object has.
    let head = container::head(path, 64 << 10).expect("reads");
    let named = |name: &&String| memchr::memmem::find(&head, format!("\"{name}\"").as_bytes()).is_some();
    let envelope = envelopes.iter().find(named).map(String::as_str);
    let mut reader = container::open(path).expect("opens");
    json::for_each(&mut reader, envelope, &mut |piece| {
        match piece {
            json::Piece::Record(bytes) => records.push(serde_json::from_slice(bytes).expect("parses")),
            json::Piece::Broken(_) => broken += 1,
        }
        ControlFlow::Continue(())
    })
    .expect("reads");
    (records, broken)
}

fn csv_records(path: &FilePath) -> (Vec<String>, Vec<Value>) {
    let mut reader = csv::Reader::from_reader(container::open(path).expect("opens"));
    let header: Vec<String> = reader.headers().expect("a header").iter().map(str::to_owned).collect();
    let rows = reader
        .records()
        .map(|row| {
            let row = row.expect("a row");
            header.iter().cloned().zip(row.iter().map(Value::from)).collect::<serde_json::Map<_, _>>().into()
        })
        .collect();
    (header, rows)
}

#[test]
fn mappings_know_their_own_files_only() {
    let okta = mapping("okta-system-log");
    let trail = mapping("aws-cloudtrail");
    let report = mapping("aws-credential-report");
    let base = root().join("tests/sources");
    let (logs, _) = records(&base.join("okta-system-log/system-log.json"), okta.envelopes());
    let (events, _) = records(&base.join("aws-cloudtrail/delivery.json"), trail.envelopes());
    assert!(!okta.recognises_json(&events) && !trail.recognises_json(&logs) && !report.recognises_json(&logs));
    let digest: Value = serde_json::json!({"awsAccountId": "123456789012", "digestStartTime": "2026-09-01T00:00:00Z",
        "digestEndTime": "2026-09-01T01:00:00Z", "digestPublicKeyFingerprint": "0f", "logFiles": []});
    assert!(!trail.recognises_json(&[digest]));
    let old = ["user", "arn", "user_creation_time", "password_enabled", "password_last_used", "mfa_active"];
    assert!(!report.recognises_csv(&old.map(str::to_owned)));
    assert!(!okta.recognises_json(&[]));
}

#[test]
fn only_what_a_record_carries_is_reported() {
    let report = mapping("aws-credential-report");
    let of = |kind: &str| {
        let (_, records) = csv_records(&root().join("tests/sources/aws-credential-report/report.csv"));
        let row = records
            .iter()
            .filter_map(|record| match report.apply(record).outcome {
                MappedOutcome::Rows(rows) => Some(rows),
                _ => None,
            })
            .flatten()
            .find(|row| row.get("kind") == Some(kind))
            .expect("the sample has one");
        report.reports(row.reported).contains(&"last_used_at")
    };
    assert!(of("access-key") && of("password") && !of("certificate"));
    let okta = mapping("okta-system-log");
    assert_eq!(okta.maps().len(), 1);
    assert!(okta.maps()[0].1.contains(&"token_channel"));
    assert!(okta.reported.iter().any(|of| !of.columns.contains(&"token_channel")));
    assert!(okta.maps().iter().all(|(_, columns)| !columns.contains(&"ticket")));
    assert_eq!(mapping("aws-cloudtrail").actions().first(), Some(&"password-reset"));
}

#[test]
fn faults_of_a_mapping_have_a_line_and_a_hint() {
    let fault = |find: &str, replace: &str| {
        SourceMapping::parse("okta-system-log", &OKTA.replacen(find, replace, 1)).expect_err(replace)
    };
    let line = |find: &str| OKTA.lines().position(|line| line.contains(find)).map(|n| n + 1);
    let error = fault("container =", "containr =");
    assert_eq!(error.line, line("container ="));
    assert!(error.to_string().starts_with("mappings/sources/okta-system-log.toml: line "), "{error}");
    let error = fault("source_ip =", "source_address =");
    assert_eq!(error.line, line("source_ip ="));
    assert!(error.found.contains("source_address"), "{error}");
    assert!(fault("action = \"mfa-reset\"", "action = \"mfa-reste\"").hint.contains("mfa-reset"));
    assert!(fault("'^([a-z0-9_]+", "'^(([a-z0-9_]+").found.contains("does not compile"));
    assert!(fault("target[type=User].id\" }]", "target[type=User.id\" }]").found.contains("not a path"));
    assert!(fault("present = true }", "present = true, is = [\"x\"] }").found.contains("exactly one test"));
}

#[test]
fn paths_go_through_arrays_and_ignore_case() {
    let record = serde_json::json!({"Target": [{"type": "Token", "id": 7}, {"Type": "user", "ID": "u"}, 3], "a": {"b": ["x", "y", null]}});
    let start = Start { record: &record, item: None, outer: None, file: "f.json" };
    let look = Look { start, nulls: &[], habit: &HABIT, tabular: false };
    let text = |path: &str| look.text(&Path::parse(path).unwrap_or_else(|fault| panic!("{}", fault.found)));
    assert_eq!(text("target[type=User].id").as_deref(), Some("u"));
    assert_eq!(text("target[type=Token].id").as_deref(), Some("7"));
    assert_eq!(text("a.b").as_deref(), Some("x;y"));
    assert_eq!(text("a.c"), None);
    assert_eq!(text("@.id"), None);
    assert_eq!(text("$file").as_deref(), Some("f.json"));
    let record = serde_json::json!({"urn:x:2.0:User": {"m": {"v": 7}}, "f": {"c1": [{"d": "yes"}], "c2": {"d": "no"}, "c3": 1},
        "deep": "{\"a\": \"{\\\"b\\\": [1, 2]}\"}", "quoted": "\"x\"", "list": "[\"p\",\"q\"]", "n": [{"k": true, "v": 1}, {"k": false, "v": 2}, {"v": 3}]});
    let start = Start { record: &record, item: None, outer: None, file: "" };
    let look = Look { start, nulls: &[], habit: &HABIT, tabular: false };
    let text = |path: &str| look.text(&Path::parse(path).unwrap_or_else(|fault| panic!("{}", fault.found)));
    assert_eq!(text("'urn:x:2.0:User'.m.v").as_deref(), Some("7"));
    assert_eq!(text("f.*.d").as_deref(), Some("yes;no"));
    assert_eq!(text("deep.a.b[-1]").as_deref(), Some("2"));
    assert_eq!(text("quoted").as_deref(), Some("\"x\""));
    assert_eq!(text("quoted.@json").as_deref(), Some("x"));
    assert_eq!(text("list[0]").as_deref(), Some("p"));
    assert_eq!(text("list.@json").as_deref(), Some("p;q"));
    assert_eq!(text("n[k=true].v").as_deref(), Some("1"));
    assert_eq!(text("n[k!=true].v").as_deref(), Some("2;3"));
    assert_eq!(text("n[k=true|false][1].v").as_deref(), Some("2"));
    assert_eq!(text("n[k~^t].v").as_deref(), Some("1"));
    for wrong in ["", ".", "a.", "a..b", "a[", "a[b", "a[b]", "a]b", "'a", "a[x~(]", "'a'b"] {
        assert!(Path::parse(wrong).is_err(), "{wrong}");
    }
}

fn wrote(text: &str) -> SourceMapping {
    let head = "title = 't'\nvendor = 'v'\nhow_to_get = 'h'\nsystem = { const = 's' }\n";
    SourceMapping::parse("t", &format!("{head}{text}")).unwrap_or_else(|error| panic!("{error}"))
}

fn rows(mapping: &SourceMapping, record: &Value) -> Vec<String> {
    match mapping.apply(record).outcome {
        MappedOutcome::Rows(rows) => rows
            .iter()
            .map(|row| row.cells.iter().map(|(c, t)| format!("{c}={t}")).collect::<Vec<_>>().join(" "))
            .collect(),
        other => vec![format!("{other:?}")],
    }
}

#[test]
fn keys_that_are_new_are_issued_and_those_that_stay_were_not_revoked() {
    let mapping = wrote(
        r#"
container = "json"
recognise = { all = ["operationName"] }
name = "operationName"
[[event]]
columns = { event_id = "id", occurred_at = "time", target = "target" }
[[action]]
names = ["Update application - Certificates and secrets management"]
each = { difference = ["changes[displayName=KeyDescription].newValue", "changes[displayName=KeyDescription].oldValue"], pattern = 'KeyIdentifier=([0-9a-f-]+)' }
if_none = "skip"
also = true
action = "credential-issued"
[action.set]
new_credential = "@"
old_credential = { common = ["changes[displayName=KeyDescription].newValue", "changes[displayName=KeyDescription].oldValue"], pattern = 'KeyIdentifier=([0-9a-f-]+)', pick = "first" }
[[action]]
names = ["Update application - Certificates and secrets management"]
each = { difference = ["changes[displayName=KeyDescription].oldValue", "changes[displayName=KeyDescription].newValue"], pattern = 'KeyIdentifier=([0-9a-f-]+)' }
if_none = "skip"
action = "credential-revoked"
set = { old_credential = "@" }
"#,
    );
    let key = |id: &str| format!("[KeyIdentifier={id},KeyType=Password,KeyUsage=Verify]");
    let record = serde_json::json!({
        "id": "e1", "time": "2026-09-01T00:00:00.1234567Z", "target": "app",
        // An en dash and a blank at the end, as Entra writes it.
        "operationName": "Update application \u{2013} Certificates and secrets management ",
        "changes": [{"displayName": "KeyDescription",
            "newValue": serde_json::json!([key("a1"), key("b2"), key("c3")]).to_string(),
            "oldValue": serde_json::json!([key("a1"), key("d4")]).to_string()}],
    });
    let when = "occurred_at=2026-09-01T00:00:00.123456Z system=s";
    assert_eq!(
        rows(&mapping, &record),
        [
            format!("event_id=e1 {when} action=credential-issued target=app old_credential=a1 new_credential=b2"),
            format!("event_id=e1#2 {when} action=credential-issued target=app old_credential=a1 new_credential=c3"),
            format!("event_id=e1#3 {when} action=credential-revoked target=app old_credential=d4"),
        ]
    );
}

#[test]
fn records_that_hold_several_events_and_actors_that_are_no_people() {
    let mapping = wrote(
        r#"
container = "json"
recognise = { all = ["events"] }
each = "events"
name = "@.name"
[[event]]
[event.columns]
occurred_at = { path = "id.time", time = "epoch" }
target = ["@.parameters[name=USER_EMAIL].value", { path = "@.url", pattern = '/users/([^/]+)', decode = "percent" }]
executor = "actor"
restored = { path = "@.groups", split = [",", "|"] }
token_expires_at = { path = "id.time", time = "epoch", plus = { path = "@.valid", unit = "minutes" } }
[[action]]
names = ["CHANGE_PASSWORD"]
action = "password-reset"
[[service_actor]]
names = ["system@*"]
kind = "automation"
[[service_actor]]
names = ["*$"]
becomes = { const = "" }
"#,
    );
    let record = serde_json::json!({"id": {"time": 1788220800_i64}, "actor": "System@okta.com", "events": [
        {"name": "change_password.", "parameters": [{"name": "USER_EMAIL", "value": "a@x.example"}], "groups": "a, b|c", "valid": 15},
        {"name": "VIEW"},
        {"name": "CHANGE_PASSWORD", "url": "/v2/users/auth0%7Cab/x"},
    ]});
    assert_eq!(
        rows(&mapping, &record),
        [
            "occurred_at=2026-09-01T00:00:00Z system=s action=password-reset target=a@x.example executor=System@okta.com token_expires_at=2026-09-01T00:15:00Z restored=a;b;c executor_kind=automation",
            "occurred_at=2026-09-01T00:00:00Z system=s action=password-reset target=auth0|ab executor=System@okta.com executor_kind=automation",
        ]
    );
    let machine = serde_json::json!({"id": {"time": "1788220800000"}, "actor": "DC01$", "events": {"name": "change_password", "parameters": "[{\"name\": \"user_email\", \"value\": \"b\"}]"}});
    assert_eq!(rows(&mapping, &machine), ["occurred_at=2026-09-01T00:00:00Z system=s action=password-reset target=b"]);
    assert!(mapping.maps()[0].1.contains(&"executor_kind"));
    let other = serde_json::json!({"events": [{"name": "VIEW"}]});
    assert_eq!(mapping.apply(&other).outcome, MappedOutcome::OutOfScope("other".to_owned()));
}

#[test]
fn an_export_without_a_field_does_not_report_it() {
    let mapping = wrote(
        r#"
container = ["csv", "json"]
never = ["open end"]
time = ["plain", "numeric"]
snapshot_in_name = '(\d{4}-\d{2}(?:-\d{2})?)'
[[recognise]]
headers = ["SamAccountName", ["Enabled", "Account Status"]]
[[recognise]]
all = ["sAMAccountName"]
when = [{ path = "objectClass", is = ["user"] }]
[[account]]
[account.columns]
account = ["sAMAccountName", "Account Name"]
status = [
{ const = "disabled", when = [{ path = "userAccountControl", bits = 2 }] },
{ const = "enabled", when = [{ path = "userAccountControl", bits_not = 2 }] },
{ path = "Enabled", values = { true = "enabled", false = "disabled" } },
]
last_active_at = [{ path = "lastLogonTimestamp", time = "filetime" }, "LastLogonDate"]
password_changed_at = "Password Last Set"
disabled_at = { path = "Account Expires" }
"#,
    );
    let header = ["samaccountname", "enabled", "password_last_set", "accountexpires"].map(str::to_owned);
    assert!(mapping.recognises_csv(&header) && !mapping.recognises_csv(&header[..1]));
    let header = mapping.header(&header);
    assert_eq!(header, ["samaccountname", "enabled", "Password Last Set", "Account Expires"]);
    let setting = Setting { tabular: true, ..Setting::default() };
    let cells = ["ann", " TRUE ", "13/04/2026 09:00", "Open End"].map(Value::from);
    let record: Value = header.into_iter().zip(cells).collect::<serde_json::Map<_, _>>().into();
    let MappedOutcome::Rows(rows) = mapping.apply_in(&record, &setting).outcome else { panic!("no rows") };
    assert_eq!(rows[0].get("status"), Some("enabled"));
    assert_eq!(rows[0].get("password_changed_at"), Some("2026-04-13T09:00:00"));
    let seen = |name| rows[0].seen >> Table::Account.column(name).expect("a column") & 1 == 1;
    assert!(seen("account") && seen("status") && seen("disabled_at") && rows[0].get("disabled_at").is_none());
    assert!(!seen("last_active_at"), "nobody is dormant for want of a column");
    let ldif = serde_json::json!({"sAMAccountName": "bob", "objectClass": ["top", "user"], "userAccountControl": "514", "lastLogonTimestamp": "0"});
    assert!(mapping.recognises_json(std::slice::from_ref(&ldif)));
    let MappedOutcome::Rows(rows) = mapping.apply(&ldif).outcome else { panic!("no rows") };
    assert_eq!(rows[0].get("status"), Some("disabled"));
    assert!(rows[0].seen >> Table::Account.column("last_active_at").expect("a column") & 1 == 1);
    assert_eq!(mapping.snapshot_of("ad-2026-08-31.csv"), NaiveDate::from_ymd_opt(2026, 8, 31));
    assert_eq!(mapping.snapshot_of("2009-12.csv"), NaiveDate::from_ymd_opt(2009, 12, 1));
}

#[test]
fn a_block_may_fill_the_action_itself() {
    let mapping = wrote(
        "container = 'csv'\nrecognise = { headers = ['what'] }\n[[event]]\ncolumns = { occurred_at = 'at', target = 'who', action = { path = 'what', values = { Reset = 'password-reset' } } }\n",
    );
    let of = |what: &str| mapping.apply(&serde_json::json!({"at": "2026-01-01T00:00:00Z", "who": "a", "what": what}));
    assert!(matches!(of("reset").outcome, MappedOutcome::Rows(_)));
    assert_eq!(of("View").outcome, MappedOutcome::OutOfScope("View".to_owned()));
    assert_eq!(mapping.maps()[0].1, ["occurred_at", "system", "action", "target"]);
}

#[test]
fn spellings_compare_as_people_read_them() {
    assert_eq!(spelling(" Update application \u{2013} Secrets.  "), "update application - secrets");
    assert_eq!(spelling("\u{2014}"), "-");
    assert_eq!(spelling("."), ".");
    assert_eq!(spelling("A\u{a0}\u{a0}B\n"), "a b");
}

#[test]
fn several_holders_of_one_record_have_several_ids() {
    let record = serde_json::json!({"eventType": "user.session.clear", "published": "2026-08-01T00:00:00Z", "uuid": "u-1",
        "actor": {"id": "a", "alternateId": "admin@x.example", "type": "User"}, "outcome": {"result": "SUCCESS"},
        "target": [{"id": "b", "type": "User", "alternateId": "b@x.example"}, {"id": "c", "type": "User", "alternateId": "c@x.example"}]});
    let MappedOutcome::Rows(rows) = mapping("okta-system-log").apply(&record).outcome else { panic!("no rows") };
    let ids: Vec<_> = rows.iter().map(|row| (row.get("event_id"), row.get("target"))).collect();
    assert_eq!(ids, [(Some("u-1"), Some("b@x.example")), (Some("u-1#2"), Some("c@x.example"))]);
}

#[test]
fn hostile_records_are_no_more_than_odd() {
    for id in ["okta-system-log", "aws-cloudtrail", "aws-credential-report"] {
        let mapping = mapping(id);
        for text in [
            "{}",
            "[]",
            "null",
            "7",
            r#"{"_raw":7}"#,
            r#"{"eventType":{"a":[]},"eventSource":[1],"eventName":["x"],"target":"User","arn":"<script>"}"#,
        ] {
            let mapped = mapping.apply(&serde_json::from_str(text).expect("valid"));
            // What has no system is refused by the reader, since the config may say it.
            let whole = |rows: &[MappedRow]| rows.iter().any(|row| row.get("system").is_some());
            assert!(!matches!(mapped.outcome, MappedOutcome::Rows(rows) if whole(&rows)), "{text}");
        }
        if !mapping.unwrap.is_empty() {
            let mapped = mapping.apply(&serde_json::json!({"_raw": "{\"a\":"}));
            assert_eq!(mapped.outcome, MappedOutcome::Reject("bad-json".to_owned()));
        }
    }
    let long = serde_json::json!({"eventType": "名".repeat(5000), "published": "x"});
    let MappedOutcome::OutOfScope(reason) = mapping("okta-system-log").apply(&long).outcome else { panic!("in scope") };
    assert!(reason.chars().count() <= REASON_CHARS);
}

#[derive(Default)]
struct Count {
    records: usize,
    broken: usize,
    accepted: usize,
    rows: usize,
    reasons: BTreeMap<String, usize>,
    actions: BTreeMap<String, usize>,
}

fn count(mapping: &SourceMapping, path: &FilePath) -> Count {
    let (records, broken) = match mapping.containers[0] {
        Container::Json => records(path, mapping.envelopes()),
        Container::Csv => (csv_records(path).1, 0),
    };
    let mut count = Count { records: records.len() + broken, broken, ..Count::default() };
    for record in &records {
        match mapping.apply(record).outcome {
            MappedOutcome::Rows(rows) => {
                count.accepted += 1;
                count.rows += rows.len();
                for row in rows {
                    let what = row.get("action").unwrap_or(row.table).to_owned();
                    *count.actions.entry(what).or_default() += 1;
                }
            }
            MappedOutcome::OutOfScope(reason) => *count.reasons.entry(format!("out: {reason}")).or_default() += 1,
            MappedOutcome::Reject(reason) => *count.reasons.entry(format!("rejected: {reason}")).or_default() += 1,
        }
    }
    assert_eq!(count.records, count.accepted + broken + count.reasons.values().sum::<usize>(), "{}", path.display());
    count
}

fn add(to: &mut Count, of: Count) {
    to.records += of.records;
    to.broken += of.broken;
    to.accepted += of.accepted;
    to.rows += of.rows;
    for (reason, n) in of.reasons {
        *to.reasons.entry(reason).or_default() += n;
    }
    for (action, n) in of.actions {
        *to.actions.entry(action).or_default() += n;
    }
}

fn show(name: &str, count: &Count) {
    eprintln!(
        "{name}: {} records, {} broken, {} accepted, {} rows {:?} {:?}",
        count.records, count.broken, count.accepted, count.rows, count.actions, count.reasons
    );
}

fn files(folder: &FilePath) -> Vec<PathBuf> {
    let walk = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter();
    walk.filter_map(Result::ok).filter(|entry| entry.file_type().is_file()).map(|entry| entry.into_path()).collect()
}

#[test]
fn sample_organisation_maps_without_a_rejection() {
    let base = root().join("sample-data");
    let mut trail = Count::default();
    for path in files(&base.join("aws/AWSLogs")) {
        add(&mut trail, count(&mapping("aws-cloudtrail"), &path));
    }
    let okta = count(&mapping("okta-system-log"), &base.join("identity/okta-system-log.json"));
    let report = count(&mapping("aws-credential-report"), &base.join("aws/credential-report.csv"));
    for (name, count) in [("okta", &okta), ("cloudtrail", &trail), ("credential report", &report)] {
        show(name, count);
        assert!(count.reasons.keys().all(|reason| reason.starts_with("out: ")), "{:?}", count.reasons);
    }
    assert_eq!((okta.records, report.records, report.accepted), (123, 18, 18));
    assert_eq!(report.actions.get("account"), Some(&18));
}

#[test]
fn real_files_are_read_and_every_record_is_counted() {
    let real = root().join("../shared/real");
    if !real.is_dir() {
        eprintln!("skipped: {} is not there", real.display());
        return;
    }
    for (id, folder) in [("okta-system-log", "okta"), ("aws-cloudtrail", "aws_cloudtrail")] {
        let mapping = mapping(id);
        let mut sources: BTreeMap<String, Count> = BTreeMap::new();
        for path in files(&real.join(folder)) {
            let name = path.strip_prefix(&real).expect("below it").to_string_lossy().into_owned();
            // Indexes, licences and vocabularies lie beside the logs.
            let log = [".json", ".jsonl", ".ndjson"].iter().any(|end| name.ends_with(end));
            let counted = count(&mapping, &path);
            if log {
                let source = name.rsplit_once('/').map_or(name.as_str(), |(folder, _)| folder).to_owned();
                add(sources.entry(source).or_default(), counted);
            }
        }
        for (name, count) in &sources {
            show(name, count);
            assert_eq!(count.broken, 0, "{name}");
        }
        assert!(sources.values().any(|count| count.accepted > 0));
    }
}
