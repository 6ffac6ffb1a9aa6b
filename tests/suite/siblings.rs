//! Many files whose names differ in digits alone: recognised by a few records, and still each for what it is.

use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use regrant::config::Config;
use serde_json::{Value, json};

use crate::{assert_adds_up, audit};

fn cloudtrail(n: usize) -> Value {
    json!({
        "eventVersion": "1.09", "eventID": format!("e-{n}"), "eventTime": "2026-07-01T10:00:00Z",
        "eventSource": "iam.amazonaws.com", "eventName": if n.is_multiple_of(3) { "CreateAccessKey" } else { "GetUser" },
        "awsRegion": "us-east-1", "recipientAccountId": "123456789012", "eventType": "AwsApiCall",
        "userIdentity": {"type": "IAMUser", "userName": "ann", "accountId": "123456789012"},
        "requestParameters": {"userName": format!("user-{n}")},
        "responseElements": {"accessKey": {"accessKeyId": format!("AKIA{n:016}"), "status": "Active", "userName": format!("user-{n}")}},
    })
}

fn entra(n: usize) -> Value {
    json!({
        "id": format!("a-{n}"), "category": "UserManagement", "activityDisplayName": "Reset user password", "result": "success",
        "activityDateTime": "2026-07-01T10:00:00Z", "loggedByService": "Core Directory", "correlationId": format!("c-{n}"),
        "operationType": "Reset", "initiatedBy": {"user": {"userPrincipalName": "desk@harbour.example"}},
        "targetResources": [{"type": "User", "userPrincipalName": "ann@harbour.example", "modifiedProperties": []}],
    })
}

#[test]
fn what_is_unlike_its_siblings_is_recognised_by_itself() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut records = 0;
    for n in 0..100 {
        let text = match n {
            // One of another source, one that is cut off, one without a record: under names of the same kind.
            40 => json!({ "value": [entra(n)] }).to_string(),
            41 => "{\"Records\":[{\"eventVersion\":".to_owned(),
            42 => "{\"Records\":[]}".to_owned(),
            _ => json!({ "Records": [cloudtrail(2 * n), cloudtrail(2 * n + 1)] }).to_string(),
        };
        records += usize::from(n != 42) + usize::from(!(40..=42).contains(&n));
        let file =
            fs::File::create(folder.path().join(format!("123_CloudTrail_{n:04}T0005Z.json.gz"))).expect("writable");
        let mut packed = GzEncoder::new(file, Compression::fast());
        packed.write_all(text.as_bytes()).expect("written");
        packed.finish().expect("written");
    }
    let report = audit(&[folder.path().to_owned()], Config::default()).unwrap_or_else(|error| panic!("{error}"));
    assert_adds_up(&report);
    let inputs = &report.assessment.inputs;
    let of = |mapping: &str| inputs.iter().filter(|input| input.mapping == mapping).count();
    let skipped = report.assessment.skipped.len();
    assert_eq!((of("aws-cloudtrail"), of("entra-id"), inputs.len() + skipped), (97, 1, 100), "{inputs:#?}");
    let said = |what: &str| inputs.iter().filter(|input| input.recognised_by.contains(what)).count();
    assert_eq!(said("differs in digits alone"), 96, "all of them but the first");
    let read: u64 = inputs.iter().map(|input| input.read).sum();
    assert_eq!(
        read as usize + skipped - 1,
        records,
        "one of those left out has no record, the other one that is broken"
    );
    let resets: u64 = inputs.iter().filter(|i| i.mapping == "aws-cloudtrail").map(|i| i.accepted).sum();
    let wanted = (0..100)
        .filter(|n| !(40..=42).contains(n))
        .flat_map(|n| [2 * n, 2 * n + 1])
        .filter(|n: &usize| n.is_multiple_of(3))
        .count();
    assert_eq!(resets as usize, wanted);
}
