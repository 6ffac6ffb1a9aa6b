//! Input that is broken or means harm: an error that says what to do, or a counted rejected record, and never a panic.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use regrant::config::Config;
use regrant::render;
use regrant::run::{self, InputHash, Report, Request};
use regrant::table::{Table, Type};

use crate::{assert_adds_up, audit, root, sample, write};

const HEADER: &str = "event_id,occurred_at,system,action,target,executor_kind,outcome,emergency,reason\n";
const GOOD: &str = "good,2026-09-01T08:00:00Z,okta,password-reset,ann@corp.example,desk,success,false,phone lost\n";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn with(self, name: &str, content: impl AsRef<[u8]>) -> Folder {
        fs::write(self.path(name), content).expect("a writable folder");
        self
    }

    fn config(&self, text: &str) -> Result<Config, String> {
        Config::parse(text, &self.path("regrant.toml")).map_err(|e| e.to_string())
    }

    /// Audits one named file.
    fn file(&self, name: &str) -> Result<Report, String> {
        let report = audit(&[self.path(name)], Config::default()).map_err(|e| e.to_string());
        report.inspect(assert_adds_up)
    }

    /// Audits the folder with a config.
    fn whole(&self, config: &str) -> Result<Report, String> {
        let report = audit(&[self.0.path().to_owned()], self.config(config)?).map_err(|e| e.to_string());
        report.inspect(assert_adds_up)
    }
}

/// The message of a refusal; it names the file and says what to do.
fn refused(result: Result<Report, String>, names: &str) -> String {
    let message = match result {
        Ok(report) => panic!("expected a refusal that names {names}, but it was read: {:?}", report.assessment.inputs),
        Err(message) => message,
    };
    assert!(message.contains(names), "the message does not name {names}:\n{message}");
    assert!(message.contains("help:"), "the message does not say what to do:\n{message}");
    assert!(!message.contains("help: \n") && !message.trim_end().ends_with("help:"), "the help is empty:\n{message}");
    message
}

/// Reasons of the rejected records, in order, of a run that must succeed.
fn rejections(result: Result<Report, String>) -> Vec<String> {
    let report = result.unwrap_or_else(|e| panic!("expected rejected records, but the run stopped: {e}"));
    report.rejected.iter().map(|r| format!("{} {}", r.record, r.reason)).collect()
}

fn events(rows: &str) -> String {
    format!("{HEADER}{GOOD}{rows}")
}

#[test]
fn an_empty_file_that_is_named_is_refused() {
    refused(Folder::new().with("events.csv", "").file("events.csv"), "events.csv");
    refused(Folder::new().with("events.csv", " \n\n").file("events.csv"), "events.csv");
    refused(Folder::new().file("nowhere.csv"), "nowhere.csv");
}

#[test]
fn an_empty_file_of_a_folder_is_skipped_and_listed() {
    let folder = Folder::new().with("empty.csv", "").with("event.csv", events(""));
    let report = folder.whole("").expect("one good file");
    let skipped: Vec<&str> = report.assessment.skipped.iter().map(|s| s.path.as_str()).collect();
    assert_eq!(skipped, ["empty.csv"]);
    assert_eq!(report.assessment.population.resets, 1);
}

#[cfg(unix)]
#[test]
fn links_of_a_folder_that_are_not_followed_are_listed() {
    let elsewhere = Folder::new().with("more.csv", events(""));
    let folder = Folder::new().with("event.csv", events(""));
    std::os::unix::fs::symlink(elsewhere.0.path(), folder.path("logs")).expect("a link");
    std::os::unix::fs::symlink(folder.path("gone.csv"), folder.path("lost.csv")).expect("a link");
    std::os::unix::fs::symlink(folder.path("event.csv"), folder.path("more.csv")).expect("a link");
    let report = folder.whole("").unwrap_or_else(|e| panic!("{e}"));
    let read: Vec<(&str, u64)> = report.assessment.inputs.iter().map(|i| (i.path.as_str(), i.duplicates)).collect();
    assert_eq!(read, [("event.csv", 0), ("more.csv", 1)], "a link to a file is that file");
    let skipped: Vec<&str> = report.assessment.skipped.iter().map(|s| s.path.as_str()).collect();
    assert_eq!(skipped, ["logs", "lost.csv"]);
}

#[test]
fn a_file_of_another_kind_that_is_named_is_refused() {
    for (name, content) in [
        ("picture.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01".as_slice()),
        ("letter.txt", b"Dear auditor,\nhere is nothing.\n"),
        ("other.json", b"{\"colour\": \"green\"}\n"),
        ("numbers.json", b"[1, 2, 3]"),
        ("archive.zip", b"PK\x03\x04\x14\0\0\0\x08\0abcdef"),
    ] {
        refused(Folder::new().with(name, content).file(name), name);
    }
}

#[test]
fn a_required_column_that_is_missing_is_named() {
    let folder = Folder::new().with("export.csv", "event_id,system,action\ne1,okta,password-reset\n");
    let config = "[[input]]\npath = \"export.csv\"\nmapping = \"event\"\n";
    let message = refused(folder.whole(config), "export.csv");
    assert!(message.contains("occurred_at") && message.contains("target"), "{message}");
    let message = refused(folder.whole("[[input]]\npath = \"export.csv\"\nmapping = \"evnt\"\n"), "export.csv");
    assert!(message.contains("evnt"), "{message}");
}

#[test]
fn a_truncated_archive_is_refused() {
    let mut rows = events("");
    for i in 0..20_000 {
        rows.push_str(&format!(
            "e{i},2026-09-01T08:00:00Z,okta,password-reset,p{}@corp.example,desk,success,,{}\n",
            i % 77,
            i * 7919
        ));
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(rows.as_bytes()).expect("memory takes it");
    let gzip = gzip.finish().expect("memory takes it");
    let zstd = zstd::encode_all(rows.as_bytes(), 3).expect("memory takes it");
    for (name, bytes) in [("event.csv.gz", gzip), ("event.csv.zst", zstd)] {
        let whole = Folder::new().with(name, &bytes).file(name).expect("a whole archive");
        assert_eq!(whole.assessment.inputs[0].read, 20_001, "{name}");
        refused(Folder::new().with(name, &bytes[..bytes.len() * 2 / 3]).file(name), name);
        refused(Folder::new().with(name, &bytes[..12]).file(name), name);
    }
}

#[test]
fn utf_16_is_read_like_utf_8() {
    let text = events("zweite,2026-09-01T09:00:00Z,okta,password-reset,山田@corp.example,desk,success,,größer\n");
    let little: Vec<u8> = [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let big: Vec<u8> = [0xfe, 0xff].into_iter().chain(text.encode_utf16().flat_map(u16::to_be_bytes)).collect();
    let marked = format!("\u{feff}{text}");
    let crlf = text.replace('\n', "\r\n");
    for bytes in [text.as_bytes(), &little, &big, marked.as_bytes(), crlf.as_bytes()] {
        let report = Folder::new().with("event.csv", bytes).file("event.csv").unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((report.assessment.inputs[0].read, report.assessment.inputs[0].accepted), (2, 2));
        let targets: Vec<String> = report.subjects.expect("asked for").into_iter().map(|s| s.target).collect();
        assert!(targets.iter().any(|t| t == "山田@corp.example"), "{targets:?}");
    }
}

#[test]
fn rows_that_cannot_be_read_are_rejected_one_by_one() {
    let rows = events(concat!(
        "words,yesterday,okta,password-reset,ann@corp.example,desk,success,,\n",
        "date-alone,2026-09-01,okta,password-reset,ann@corp.example,desk,success,,\n",
        "no-such-day,2026-02-30T08:00:00Z,okta,password-reset,ann@corp.example,desk,success,,\n",
        "no-action,2026-09-01T08:00:00Z,okta,password-rest,ann@corp.example,desk,success,,\n",
        "odd-kind,2026-09-01T08:00:00Z,okta,password-reset,bob@corp.example,wizard,success,,\n",
        "odd-outcome,2026-09-01T08:00:00Z,okta,password-reset,cem@corp.example,desk,maybe,,\n",
        "no-bool,2026-09-01T08:00:00Z,okta,password-reset,ann@corp.example,desk,success,perhaps,\n",
        "no-target,2026-09-01T08:00:00Z,okta,password-reset,,desk,success,,\n",
        "too-few,2026-09-01T08:00:00Z,okta\n",
        "too-many,2026-09-01T08:00:00Z,okta,password-reset,ann@corp.example,desk,success,,,more,and,more\n",
        "year-0,0000-00-00T00:00:00Z,okta,password-reset,ann@corp.example,desk,success,,\n",
        "far,99999999-01-01T00:00:00Z,okta,password-reset,ann@corp.example,desk,success,,\n",
        "leap,2026-09-01T08:00:60Z,okta,password-reset,dee@corp.example,desk,success,,\n",
        "last,2026-09-01T08:00:00Z,okta,password-reset,eva@corp.example,desk,success,,\n",
    ));
    let folder = Folder::new().with("event.csv", rows);
    let report = folder.file("event.csv").expect("a good header");
    let reasons: Vec<String> = report.rejected.iter().map(|r| format!("{} {}", r.record, r.reason)).collect();
    for expected in [
        "2 bad-occurred_at",
        "3 bad-occurred_at",
        "4 bad-occurred_at",
        "5 bad-action",
        "8 bad-emergency",
        "12 bad-occurred_at",
        "13 bad-occurred_at",
    ] {
        assert!(reasons.iter().any(|r| r == expected), "no `{expected}` among {reasons:?}");
    }
    for record in [9, 10, 11] {
        assert!(
            reasons.iter().any(|r| r.starts_with(&format!("{record} "))),
            "record {record} is not among {reasons:?}"
        );
    }
    for record in [1, 6, 7, 15] {
        assert!(
            !reasons.iter().any(|r| r.starts_with(&format!("{record} "))),
            "record {record} was rejected: {reasons:?}"
        );
    }
    let kept: Vec<String> = report.subjects.expect("asked for").into_iter().map(|s| s.subject).collect();
    for subject in ["good", "odd-kind", "odd-outcome", "last"] {
        assert!(kept.iter().any(|k| k == subject), "{subject} is not among {kept:?}");
    }
}

#[test]
fn duplicates_are_dropped_and_conflicts_rejected() {
    let conflicting = GOOD.replace("ann@", "bob@");
    let folder = Folder::new().with("event.csv", events(&format!("{GOOD}{conflicting}")));
    let report = folder.file("event.csv").expect("a good header");
    let input = &report.assessment.inputs[0];
    assert_eq!((input.read, input.accepted, input.duplicates, input.rejected), (3, 1, 1, 1));
    assert_eq!(rejections(folder.file("event.csv")), ["3 conflicting-duplicate"]);
    assert_eq!(report.subjects.expect("asked for")[0].target, "ann@corp.example");

    let folder = folder
        .with("workload.csv", "workload_id,owner\nW1,ann\nw1,ann\nW1,bob\n")
        .with("ticket.csv", "ticket,approver\nT1,ann\nt1,ann\nT1,bob\n");
    let report = folder.whole("").expect("good headers");
    for input in report.assessment.inputs.iter().filter(|i| i.table != "event") {
        assert_eq!((input.read, input.accepted, input.duplicates, input.rejected), (3, 1, 1, 1), "{}", input.path);
    }
}

#[test]
fn a_roster_without_ids_is_no_roster() {
    let roster = "name,email,status\nAnn,ann@corp.example,active\n";
    refused(Folder::new().with("people.csv", roster).file("people.csv"), "people.csv");
    let folder = Folder::new().with("person.csv", "person_id,email\n,ann@corp.example\nE2,bob@corp.example\n");
    let reasons = rejections(folder.file("person.csv"));
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    assert!(reasons[0].starts_with("1 ") && reasons[0].contains("person_id"), "{reasons:?}");
}

#[test]
fn a_config_that_means_nothing_is_refused() {
    let folder = Folder::new().with("event.csv", events(""));
    let message = refused(folder.whole("timezone = \"UTC\"\n\n[[input]]\npath = \"hr/*.csv\"\n"), "hr/*.csv");
    assert!(message.contains("line 3"), "{message}");
    folder.whole("[[input]]\npath = \"hr/*.csv\"\noptional = true\n").expect("an optional input");
    for (text, names) in [
        ("timezon = \"UTC\"\n", "timezon"),
        ("[policy]\ndormant_day = 9\n", "dormant_day"),
        ("timezone = \"Europe/Lundon\"\n", "Europe/Lundon"),
        ("[policy]\ndormant_days = -1\n", "dormant_days"),
        ("[policy]\ndormant_days = \"many\"\n", "dormant_days"),
        ("[policy.severity]\nno-such-check = \"low\"\n", "no-such-check"),
        ("since = 2026-09-01\nuntil = 2026-08-01\n", "until"),
        ("mappings = [\"nowhere\"]\n", "nowhere"),
        ("[[waiver]]\nid = \"W\"\n", "`checks`"),
        ("as_of = \n", "regrant.toml"),
    ] {
        refused(folder.whole(text), names);
    }
    let waiver = |checks: &str, predicate: &str, by: &str| {
        format!(
            "[[waiver]]\nid = \"W-1\"\nchecks = [\"{checks}\"]\nwhere = \"{predicate}\"\nreason = \"r\"\n\
             requested_by = \"ann\"\napproved_by = \"{by}\"\nstarts_on = 2026-01-01\nexpires_on = 2026-12-31\n"
        )
    };
    folder.whole(&waiver("weak-verification", "sensitive", "bob")).unwrap_or_else(|e| panic!("{e}"));
    for (text, names) in [
        (waiver("weak-verificatoin", "sensitive", "bob"), "weak-verificatoin"),
        (waiver("weak-verification", "sensitiv", "bob"), "sensitiv"),
        (waiver("weak-verification", "sensitive AND", "bob"), "W-1"),
        (waiver("weak-verification", "sensitive", "ANN"), "approved_by"),
        (waiver("weak-verification", "hours_since_offboarding = 'x'", "bob"), "W-1"),
    ] {
        refused(folder.whole(&text), names);
    }
}

#[test]
fn a_folder_that_is_not_ours_is_left_alone() {
    let folder = Folder::new().with("event.csv", events("")).with("thesis.txt", "three years of work");
    let report = folder.whole("").expect("one good file");
    let bundle = render::Bundle {
        assessment: &report.assessment,
        findings: &report.findings,
        rejected: &report.rejected,
        subjects: None,
        run_toml: &report.run_toml,
        mapping_files: Vec::new(),
        formats: render::Formats::none(),
        html: None,
    };
    let error = match render::write(&bundle, folder.0.path()) {
        Ok(_) => panic!("a folder of somebody else's was replaced"),
        Err(error) => error,
    };
    assert!(error.to_string().contains(&folder.0.path().display().to_string()), "{error}");
    assert!(!error.hint().is_empty());
    assert_eq!(fs::read_to_string(folder.path("thesis.txt")).expect("still there"), "three years of work");
    // Our own report may be replaced, and reading its folder again does not read it.
    let dest = folder.path("report");
    write(&report, &dest);
    let again = folder.whole("").expect("one good file");
    assert_eq!(again.assessment.inputs.len(), 1, "an old report was read as input");
    write(&again, &dest);
}

#[test]
fn a_long_line_of_json_is_read_whole() {
    let mut text = String::with_capacity(42 << 20);
    text.push('[');
    let padding = "x".repeat(4000);
    for i in 0..10_000 {
        if i > 0 {
            text.push(',');
        }
        text.push_str(&format!(
            "{{\"event_id\":\"e{i}\",\"occurred_at\":\"2026-09-01T08:00:00Z\",\"system\":\"okta\",\"action\":\"password-reset\",\
             \"target\":\"p{i}\",\"reason\":\"{padding}\"}}"
        ));
    }
    text.push(']');
    assert!(text.len() > 40_000_000, "{}", text.len());
    let report = Folder::new().with("events.json", &text).file("events.json").unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((report.assessment.inputs[0].read, report.assessment.inputs[0].accepted), (10_000, 10_000));
    assert_eq!(report.assessment.population.resets, 10_000);
}

const JSON_GOOD: &str = "{\"event_id\":\"g\",\"occurred_at\":\"2026-09-01T08:00:00Z\",\"system\":\"okta\",\"action\":\"password-reset\",\"target\":\"ann\"}\n";

#[test]
fn deep_and_broken_json_is_rejected_and_reading_goes_on() {
    let deep = format!("{}{}\n", "[".repeat(200_000), "]".repeat(200_000));
    refused(Folder::new().with("deep.json", &deep).file("deep.json"), "deep.json");
    let deep_object = format!("{}1{}\n", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    refused(Folder::new().with("deep.json", &deep_object).file("deep.json"), "deep.json");

    let nested = JSON_GOOD
        .replace("\"g\"", "\"deep\"")
        .replace("}\n", &format!(",\"extra\":{}{}}}\n", "[".repeat(50_000), "]".repeat(50_000)));
    let broken = [
        "{\"event_id\": \"cut\", \"occurred_at\": \n",
        "{\"event_id\": nothing}\n",
        "{\"event_id\": \"\\ud800\"}\n",
        "not json at all\n",
    ];
    for line in broken.into_iter().map(str::to_owned).chain([nested]) {
        let last = JSON_GOOD.replace("\"g\"", "\"last\"");
        let text = format!("{JSON_GOOD}{line}{last}");
        let folder = Folder::new().with("event.jsonl", &text);
        let report = folder.file("event.jsonl").unwrap_or_else(|e| panic!("{e}"));
        let start: String = line.chars().take(40).collect();
        let input = &report.assessment.inputs[0];
        let kept: Vec<String> = report.subjects.expect("asked for").into_iter().map(|s| s.subject).collect();
        assert!(kept.contains(&"g".to_owned()) && kept.contains(&"last".to_owned()), "{start}: {kept:?}");
        assert!(input.rejected >= 1 || kept.len() == 3, "{start}: {input:?}");
    }
}

#[test]
fn values_of_the_wrong_json_type_do_no_harm() {
    for value in ["null", "true", "17", "1e400", "[]", "{}", "[\"a\",\"b\"]", "{\"a\":1}", "\"\""] {
        for column in ["event_id", "occurred_at", "system", "action", "target", "verification", "emergency", "outcome"]
        {
            let line =
                format!("{{\"{column}\":{value},{}", &JSON_GOOD[1..]).replace("\"event_id\":\"g\"", "\"reason\":\"r\"");
            let folder = Folder::new().with("event.jsonl", format!("{JSON_GOOD}{line}"));
            let report = folder.file("event.jsonl").unwrap_or_else(|e| panic!("{column} = {value}: {e}"));
            assert_eq!(report.assessment.inputs[0].read, 2, "{column} = {value}");
        }
    }
}

#[test]
fn bytes_that_are_no_text_stay_in_their_record() {
    let mut invalid = events("").into_bytes();
    invalid.extend_from_slice(
        b"bad,2026-09-01T08:00:00Z,okta,password-reset,b\xff\xfe\xc3(ob,desk,success,,\xed\xa0\x80\n",
    );
    invalid.extend_from_slice(b"last,2026-09-01T08:00:00Z,okta,password-reset,eva@corp.example,desk,success,,\n");
    // So near the beginning the whole file may be taken for something else; that must be said.
    match Folder::new().with("event.csv", &invalid).file("event.csv") {
        Err(message) => assert!(message.contains("event.csv") && message.contains("help:"), "{message}"),
        Ok(report) => {
            let input = &report.assessment.inputs[0];
            assert_eq!((input.read, input.accepted + input.rejected), (3, 3));
            assert!(report.subjects.expect("asked for").iter().any(|s| s.subject == "last"));
        }
    }

    // Beyond what recognition looks at.
    let mut late = events("").into_bytes();
    for i in 0..20_000 {
        late.extend_from_slice(
            format!("e{i},2026-09-01T08:00:00Z,okta,password-reset,p{i},desk,success,,\n").as_bytes(),
        );
    }
    late.extend_from_slice(b"nul,2026-09-01T08:00:00Z,okta,password-reset,a\0b,desk,success,,\0\0\n");
    late.extend_from_slice(b"raw,2026-09-01T08:00:00Z,okta,password-reset,a\xffb,desk,success,,\xff\n");
    late.extend_from_slice(b"last,2026-09-01T08:00:00Z,okta,password-reset,eva@corp.example,desk,success,,\n");
    let report = Folder::new().with("event.csv", &late).file("event.csv").unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(report.assessment.inputs[0].read, 20_004);
    assert!(report.subjects.expect("asked for").iter().any(|s| s.subject == "last"));

    // Whoever is logged writes a zero byte into one cell: the log is still read, in a folder too.
    let nul = events("nul,2026-09-01T08:00:00Z,okta,password-reset,a\0b,desk,success,,\0\n");
    for text in [nul.clone(), nul.replace('\n', "\r")] {
        let folder = Folder::new().with("event.csv", text).with("blob.bin", "text\nand\0zeros");
        let report = folder.whole("").unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((report.assessment.inputs[0].read, report.assessment.inputs[0].accepted), (2, 2));
        assert_eq!(report.assessment.skipped.len(), 1, "{:?}", report.assessment.skipped);
        assert!(report.assessment.skipped[0].reason.starts_with("not text"), "{:?}", report.assessment.skipped);
    }
    let mut raw = JSON_GOOD.as_bytes().to_vec();
    raw.extend_from_slice(&JSON_GOOD.replace("\"g\"", "\"h\"").replace("ann", "a#b").into_bytes());
    let raw: Vec<u8> = raw.into_iter().map(|b| if b == b'#' { 0xff } else { b }).collect();
    let report = Folder::new().with("event.jsonl", &raw).file("event.jsonl").unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(report.assessment.inputs[0].read, 2);
}

#[test]
fn a_file_of_a_header_only_has_no_records_and_proves_nothing() {
    let report = Folder::new().with("event.csv", HEADER).file("event.csv").unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(report.assessment.inputs[0].read, 0);
    for check in &report.assessment.checks {
        assert_eq!(check.verdict, regrant::report::model::Standing::CannotConclude, "{} of nothing", check.id);
    }
    write(&report, &Folder::new().path("report"));
    let unfinished = HEADER.trim_end();
    let report = Folder::new().with("event.csv", unfinished).file("event.csv").unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(report.assessment.inputs[0].read, 0);
}

#[test]
fn quotes_and_line_breaks_stay_in_their_cells() {
    let rows = events(concat!(
        "quoted,2026-09-01T08:00:00Z,okta,password-reset,\"a \"\"b\"\", c\",desk,success,,\"two\nlines\r\nthree\"\n",
        "last,2026-09-01T08:00:00Z,okta,password-reset,eva@corp.example,desk,success,,\n",
    ));
    let report = Folder::new().with("event.csv", rows).file("event.csv").unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((report.assessment.inputs[0].read, report.assessment.inputs[0].accepted), (3, 3));
    let subjects = report.subjects.expect("asked for");
    assert!(subjects.iter().any(|s| s.target == "a \"b\", c"), "a quoted target was changed");
    let open = events(
        "open,2026-09-01T08:00:00Z,okta,password-reset,\"never closed,desk,success,,\nlast,2026-09-01T08:00:00Z\n",
    );
    let report = Folder::new().with("event.csv", open).file("event.csv").unwrap_or_else(|e| panic!("{e}"));
    assert!(report.assessment.inputs[0].rejected >= 1, "{:?}", report.assessment.inputs[0]);
}

const HOSTILE: [&str; 13] = [
    "<script>alert(1)</script>",
    "=HYPERLINK(\"x\")",
    "@SUM(1)",
    "\u{202e}txt.exe",
    "{target}",
    "{{ 7*7 }}{% raw %}",
    "山田 太郎",
    "\"><img src=x onerror=alert(2)>",
    "javascript:alert(3)",
    "</script></style></textarea><svg onload=window.pwned=1>",
    "[x](javascript:window.pwned=1)",
    "a\u{200b}b\u{200f}c\u{2066}d",
    "'-window.pwned=1-'",
];

/// One row a hostile text, with that text wherever the table takes text.
fn table_of(table: Table, texts: &[String]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let columns = table.columns();
    let strange = "<script>alert(4)</script>";
    writer.write_record(columns.iter().map(|c| c.name).chain([strange])).expect("memory takes it");
    for (n, text) in texts.iter().enumerate() {
        let cells = columns.iter().map(|column| match column.ty {
            Type::Text | Type::Alias | Type::Folded if column.name.ends_with("_id") => format!("{text} {n}"),
            Type::Text | Type::Alias | Type::Folded => text.clone(),
            Type::List => format!("{text};{text}"),
            Type::Bool => "true".to_owned(),
            Type::Instant => format!("2026-09-{:02}T08:00:00Z", 1 + n),
            Type::On => "2026-08-01".to_owned(),
            Type::Enum(words) => words[0].to_owned(),
        });
        writer.write_record(cells.chain([text.clone()])).expect("memory takes it");
    }
    String::from_utf8(writer.into_inner().expect("memory takes it")).expect("text")
}

fn guarded(path: &Path) -> usize {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_path(path).expect("written above");
    let mut cells = 0;
    for row in reader.records() {
        for cell in &row.expect("good CSV") {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{}: {cell:?}", path.display());
            cells += usize::from(cell.starts_with("'=") || cell.starts_with("'@"));
        }
    }
    cells
}

/// An audit of tables that carry hostile text wherever text can stand.
pub struct Hostile {
    pub folder: tempfile::TempDir,
    pub report: Report,
    texts: Vec<String>,
}

pub fn hostile() -> Hostile {
    let mut texts: Vec<String> = HOSTILE.iter().map(|t| (*t).to_owned()).collect();
    texts.push("長".repeat(10_000));
    texts.push("A".repeat(10_000));
    let folder = tempfile::tempdir().expect("a temporary folder");
    for table in Table::ALL {
        let name = format!("{} <img src=x onerror=alert(5)>.csv", table.name());
        let mut text = table_of(table, &texts);
        // Records that are rejected must be as harmless as those that are kept.
        text.push_str("=cmd|' /C calc'!A0,<script>alert(6)</script>\n");
        fs::write(folder.path().join(name), text).expect("a writable folder");
    }
    let config = Config::parse(
        "title = \"<script>alert(7)</script>\"\ntimezone = \"Europe/London\"\n",
        &folder.path().join("regrant.toml"),
    )
    .unwrap_or_else(|e| panic!("{e}"));
    let report = audit(&[folder.path().to_owned()], config).unwrap_or_else(|e| panic!("{e}"));
    Hostile { folder, report, texts }
}

/// What is appended to names and free text of vendors' records. The log of a real system can hold each of them.
const PAYLOADS: [&str; 9] = [
    "<script>window.pwned=1</script>",
    "\"><img src=x onerror=window.pwned=1>",
    "</script></style></title><svg onload=window.pwned=1>",
    "javascript:window.pwned=1",
    "[x](javascript:window.pwned=1) ![y](https://evil.example/y.png)",
    "=HYPERLINK(\"https://evil.example\",\"x\")",
    "\u{202e}gpj.exe\u{200b}\u{2066}",
    "{{ 7*7 }}{% raw %} ${7*7} {target}",
    "' autofocus onfocus=window.pwned=1 x='",
];

/// Exports of a folder of `tests/`, poisoned: every name, address and free text has a payload. Of `sources` each says which
/// vendor's it is; in `exports` the same value is the same in all of them, so that logs, rosters and tickets still join.
pub fn hostile_exports(place: &str) -> Hostile {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for entry in walkdir::WalkDir::new(root().join("tests").join(place)).sort_by_file_name() {
        let path = entry.expect("a readable folder").into_path();
        let kind = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_owned();
        if !["json", "jsonl", "csv"].contains(&kind.as_str()) {
            continue;
        }
        let folder_name = path.parent().and_then(|p| p.file_name()).and_then(|n| n.to_str()).expect("a folder");
        let vendor = if place == "sources" { folder_name } else { "anyone" };
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let poisoned = if kind == "csv" { poisoned_csv(&text, vendor) } else { poisoned_json(&text, vendor) };
        let Some(poisoned) = poisoned else { continue };
        let to = folder.path().join(format!("{folder_name} <script>window.pwned=1<"));
        fs::create_dir_all(&to).expect("a writable folder");
        fs::write(to.join(path.file_name().expect("a file")), poisoned).expect("a writable folder");
    }
    let payload = toml::Value::from(PAYLOADS.join(" "));
    let config = format!(
        "title = {payload}\ntimezone = \"Europe/London\"\n[[waiver]]\nid = {payload}\nchecks = [\"missing-approval\"]\nwhere = \"system = 'okta' OR system = '<script>window.pwned=1</script>'\"\nreason = {payload}\nrequested_by = {payload}\napproved_by = \"<img src=x onerror=window.pwned=1>\"\nstarts_on = 2026-01-01\nexpires_on = 2026-12-31\n"
    );
    let config = Config::parse(&config, &folder.path().join("regrant.toml")).unwrap_or_else(|e| panic!("{e}"));
    let report = audit(&[folder.path().to_owned()], config).unwrap_or_else(|e| panic!("{e}"));
    Hostile { folder, report, texts: PAYLOADS.map(str::to_owned).to_vec() }
}

/// Does a field of this name hold what people write: a name, an address, a reason? Kinds of events and times stay, or the
/// record would not be read.
fn written_by_people(key: &str, value: &str) -> bool {
    const KINDS: [&str; 12] = [
        "eventname",
        "eventtype",
        "operationname",
        "activitydisplayname",
        "methodname",
        "servicename",
        "logname",
        "typename",
        "loggedbyservice",
        "applicationname",
        "schemaname",
        "classname",
    ];
    const FREE: [&str; 9] =
        ["name", "reason", "summary", "description", "subject", "title", "comment", "message", "login"];
    let key: String = key.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    let kind = KINDS.contains(&key.as_str());
    !value.is_empty() && !kind && (value.contains('@') || FREE.iter().any(|word| key.contains(word)))
}

fn poisoned_text(value: &str, vendor: &str) -> String {
    let number = value.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    format!("{value} {} ~{vendor}~", PAYLOADS[number % PAYLOADS.len()])
}

fn poisoned_json(text: &str, vendor: &str) -> Option<String> {
    fn walk(value: &mut serde_json::Value, key: &str, vendor: &str) {
        match value {
            serde_json::Value::String(text) if written_by_people(key, text) => *text = poisoned_text(text, vendor),
            serde_json::Value::Array(items) => items.iter_mut().for_each(|item| walk(item, key, vendor)),
            serde_json::Value::Object(fields) => fields.iter_mut().for_each(|(key, inner)| walk(inner, key, vendor)),
            _ => {}
        }
    }
    let mut out = String::new();
    for document in serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>() {
        let mut document = document.ok()?;
        walk(&mut document, "", vendor);
        out.push_str(&document.to_string());
        out.push('\n');
    }
    Some(out)
}

fn poisoned_csv(text: &str, vendor: &str) -> Option<String> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().ok()?.clone();
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&header).ok()?;
    for row in reader.records() {
        let row = row.ok()?;
        let cells = header.iter().zip(&row).map(|(key, cell)| {
            if written_by_people(key, cell) { poisoned_text(cell, vendor) } else { cell.to_owned() }
        });
        writer.write_record(cells).ok()?;
    }
    String::from_utf8(writer.into_inner().ok()?).ok()
}

#[test]
fn what_attackers_write_into_vendors_logs_reaches_the_report_as_text() {
    let Hostile { folder, report, .. } = hostile_exports("sources");
    assert_adds_up(&report);
    let dest = folder.path().join("report");
    write(&report, &dest);
    let jsonl = fs::read_to_string(dest.join("findings.jsonl")).expect("written above");
    let page = fs::read_to_string(dest.join("index.html")).expect("written above");
    let vendors: std::collections::BTreeSet<&str> =
        jsonl.split('~').filter(|part| root().join("tests/sources").join(part).is_dir() && !part.is_empty()).collect();
    for vendor in
        ["okta-system-log", "entra-id", "aws-cloudtrail", "entra-applications", "m365-unified-audit", "gcp-audit"]
    {
        assert!(vendors.contains(vendor), "nothing of {vendor} is in a finding, only of {vendors:?}");
    }
    for never in
        ["<script>window", "<img src=x", "<svg onload", "href=\"javascript", "\u{202e}", "\u{2066}", "href=\"http"]
    {
        assert!(!page.contains(never), "index.html contains {never:?}");
    }
    assert!(page.contains("&lt;script&gt;window.pwned"), "the text is not shown at all");
    for table in ["findings.csv", "rejected.csv"] {
        let _cells = guarded(&dest.join(table));
    }
}

#[test]
fn names_of_rosters_reach_the_report_through_vendors_logs_as_text() {
    let Hostile { report, .. } = hostile_exports("exports");
    assert_adds_up(&report);
    let poisoned =
        |of: fn(&regrant::report::model::Finding) -> &str| report.findings.iter().any(|f| of(f).contains("~anyone~"));
    assert!(poisoned(|f| &f.identity_name), "no finding names a person of the roster");
    assert!(poisoned(|f| &f.executor) && poisoned(|f| &f.target), "no finding names who is in the log");
    let waivers = &report.assessment.waivers;
    assert!(waivers.iter().any(|w| w.reason.contains("<script>") && w.approved_by.contains("<img")));
}

#[test]
fn hostile_text_is_shown_and_never_obeyed() {
    let Hostile { folder, report, texts } = hostile();
    assert_adds_up(&report);
    assert_eq!(report.assessment.inputs.len(), 6);
    assert_eq!(report.rejected.len(), 6);
    assert!(report.findings.len() > texts.len(), "only {} findings", report.findings.len());
    assert!(report.findings.iter().any(|f| f.target.contains("<script>")), "no finding carries the text");
    // A name with braces is a name, not a placeholder.
    let braces: Vec<&str> =
        report.findings.iter().filter(|f| f.target == "{target}").map(|f| f.because.as_str()).collect();
    assert!(braces.iter().any(|b| b.contains("{target}")), "{braces:?}");

    let dest = folder.path().join("report");
    write(&report, &dest);
    let page = fs::read_to_string(dest.join("index.html")).expect("written above");
    let harmless = {
        let r = sample();
        render::html::render(&r.assessment, &r.findings).unwrap_or_else(|e| panic!("{e}"))
    };
    let scripts = |html: &str| html.to_lowercase().matches("<script").count();
    assert_eq!(scripts(&page), scripts(&harmless), "text of the data became a script");
    for never in ["<script>alert", "<img src=x", "javascript:alert(3)\"", "href=\"javascript", "\u{202e}", "49{%"] {
        assert!(!page.contains(never), "index.html contains {never:?}");
    }
    assert!(page.contains("&lt;script&gt;"), "the text is not shown at all");
    assert!(page.contains("山田 太郎"), "a Japanese name is not shown");
    assert!(guarded(&dest.join("findings.csv")) > 0, "no cell of findings.csv needed its guard");
    assert!(guarded(&dest.join("rejected.csv")) > 0, "no cell of rejected.csv needed its guard");
    // For machines the text stays exactly what it was.
    let jsonl = fs::read_to_string(dest.join("findings.jsonl")).expect("written above");
    let targets: Vec<String> = jsonl
        .lines()
        .map(|l| {
            serde_json::from_str::<serde_json::Value>(l).expect("JSON")["target"].as_str().expect("text").to_owned()
        })
        .collect();
    for text in &texts {
        assert!(targets.contains(text), "{:.40} is not in findings.jsonl as it was", text);
    }
}

#[test]
fn secrets_do_not_reach_the_list_of_rejected_records() {
    let secret = "AKIAIOSFODNN7EXAMPLE";
    let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";
    let rows = events(&format!(
        "e2,yesterday,okta,password-reset,ann,desk,success,,\"{token} password=hunter2-long {secret}\"\n"
    ));
    let report = Folder::new().with("event.csv", rows).file("event.csv").unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(report.rejected.len(), 1);
    for hidden in [token, "hunter2-long"] {
        assert!(!report.rejected[0].excerpt.contains(hidden), "{}", report.rejected[0].excerpt);
    }
}

#[test]
fn the_sample_has_no_broken_record_that_nobody_meant() {
    let report = sample();
    assert_adds_up(&report);
    assert!(root().join("sample-data").is_dir());
    for input in &report.assessment.inputs {
        assert!(input.read > 0, "{} is empty", input.path);
        assert!(input.rejected * 100 <= input.read.max(100), "{}: {:?}", input.path, input.rejected_reasons);
    }
}

#[test]
fn two_names_of_another_encoding_do_not_become_one() {
    // Müller and Möller in Latin-1: read with replacement characters they would be one person.
    let path = root().join("tests/sources/aws-credential-report/report.csv");
    let mut sample = fs::read_to_string(path).expect("a sample").trim_end().to_owned();
    sample.push('\n');
    let row = sample.lines().find(|l| l.contains("svc-feed")).expect("a sample row").to_owned();
    // Among letters in UTF-8, that is: a file without any is read as Windows-1252.
    sample.push_str(&row.replace("svc-feed", "Zoë"));
    sample.push('\n');
    let mut bytes = sample.clone().into_bytes();
    for letter in [0xfc, 0xf6] {
        bytes.extend(row.replace("svc-feed", "M#ller").bytes().map(|b| if b == b'#' { letter } else { b }));
        bytes.push(b'\n');
    }
    let before = Folder::new().with("report.csv", &sample).file("report.csv").unwrap_or_else(|e| panic!("{e}"));
    let after = Folder::new().with("report.csv", &bytes).file("report.csv").unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(before.assessment.population.accounts, after.assessment.population.accounts);
    let reasons = |r: &Report| r.rejected.iter().filter(|r| r.reason == "bad-encoding").count();
    assert_eq!((reasons(&before), reasons(&after)), (0, 2), "{:?}", after.rejected);
}

#[test]
fn a_roster_in_windows_1252_is_read() {
    let text = "person_id;name;email\nE1;M\u{fc}ller;mueller@corp.example\nE2;M\u{f6}ller;moeller@corp.example\n";
    let bytes: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).expect("Latin-1")).collect();
    let report = Folder::new().with("person.csv", bytes).with("event.csv", events("")).whole("");
    let report = report.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((report.assessment.population.people, report.rejected.len()), (2, 0));
    let roster = report.assessment.inputs.iter().find(|i| i.path.ends_with("person.csv")).expect("it was read");
    assert!(roster.recognised_by.contains("Windows-1252, fields separated by semicolons"), "{}", roster.recognised_by);
}

#[test]
fn members_of_an_archive_are_inputs_of_their_own() {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (name, text) in [
        ("logs/event.csv", events("")),
        ("person.csv", "person_id,name\nE1,Ann\n".to_owned()),
        ("x.bin", "\0".to_owned()),
    ] {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_cksum();
        tar.append_data(&mut header, name, text.as_bytes()).expect("in memory");
    }
    let bytes = tar.into_inner().and_then(flate2::write::GzEncoder::finish).expect("in memory");
    let report = Folder::new().with("exports.tar.gz", bytes).whole("").unwrap_or_else(|e| panic!("{e}"));
    assert_adds_up(&report);
    let paths: Vec<&str> = report.assessment.inputs.iter().map(|i| i.path.as_str()).collect();
    assert_eq!(paths, ["exports.tar.gz!/logs/event.csv", "exports.tar.gz!/person.csv"]);
    let again = Folder::new().with("person.csv", "person_id,name\nE1,Ann\n").with("event.csv", events("")).whole("");
    let again = again.unwrap_or_else(|e| panic!("{e}"));
    let digest = |report: &Report, name: &str| {
        report.assessment.inputs.iter().find(|i| i.path.ends_with(name)).and_then(|i| i.sha256.clone())
    };
    assert_eq!(digest(&report, "person.csv"), digest(&again, "person.csv"), "a member is hashed as itself");
}

#[test]
fn one_name_of_another_encoding_does_not_hide_a_roster() {
    // Recognition must not hang on where in the file the letter stands.
    let roster = |early: &str, late: &str| {
        let mut bytes = Vec::new();
        let filler: String = (0..100).map(|n| format!("P{n},Änn {n},ann{n}@corp.example\n")).collect();
        for part in ["person_id,name,email\n", early, &filler, late] {
            bytes.extend(part.bytes().map(|b| if b == b'#' { 0xfc } else { b }));
        }
        let folder = Folder::new().with("person.csv", bytes).with("event.csv", events(""));
        folder.whole("").unwrap_or_else(|e| panic!("{e}"))
    };
    let row = "E1,J#rg,joerg@corp.example\n";
    for report in [roster("", row), roster(row, "")] {
        assert_eq!(report.assessment.population.people, 100, "{:?}", report.assessment.skipped);
        let reasons: Vec<&str> = report.rejected.iter().map(|r| r.reason.as_str()).collect();
        assert_eq!(reasons, ["bad-encoding"]);
    }
}

/// A schedule whose folder is empty or wrong must not look like one that found nothing.
#[test]
fn a_folder_without_a_readable_file_is_no_report() {
    use clap::Parser;
    use regrant::cli::{Cli, Verb};
    use regrant::verbs;
    let home = tempfile::tempdir().expect("a folder");
    let (input, output) = (home.path().join("in"), home.path().join("out"));
    std::fs::create_dir(&input).expect("a folder in it");
    let run = |verb: &str| {
        let args = [verb.as_ref(), input.as_os_str(), "-o".as_ref(), output.as_os_str()];
        let cli = Cli::try_parse_from(["regrant".as_ref()].into_iter().chain(args)).expect("good arguments");
        let nobody: regrant::run::Progress = std::sync::Arc::new(|_, _| ());
        let result = match &cli.verb {
            Verb::Audit(args) => verbs::audit::audit(args, 0, &nobody),
            Verb::Facts(args) => verbs::facts::facts(args, 0, &nobody),
            other => panic!("{other:?}"),
        };
        result.expect_err("nothing was read").to_string()
    };
    assert!(run("audit").contains("there is no file to read"));
    std::fs::write(input.join("notes.txt"), "hello\n").expect("a file");
    for verb in ["audit", "facts"] {
        let said = run(verb);
        assert!(said.contains("recognised") && said.contains("help: "), "{said}");
        assert!(!output.exists(), "{verb} wrote something");
    }
    assert_eq!(std::fs::read_dir(home.path()).expect("a folder").count(), 1, "nothing is left behind");
}

/// A record of several rows of which one disagrees with another file's is rejected in whole or not at all.
#[test]
fn a_record_of_several_rows_ends_in_one_place() {
    let folder = Folder::new();
    let text = fs::read_to_string(root().join("tests/sources/entra-applications/applications.json")).expect("a sample");
    let other = text.replace("Berth planner", "Berth planning").replace("2299-12-31", "2298-12-31");
    assert_ne!(text, other);
    fs::write(folder.path("first.json"), &text).expect("written");
    fs::write(folder.path("second.json"), &other).expect("written");
    let report = audit(&[folder.path("first.json"), folder.path("second.json")], Config::default());
    let report = report.unwrap_or_else(|error| panic!("{error}"));
    assert_adds_up(&report);
    let second = report.assessment.inputs.iter().find(|input| input.path == "second.json").expect("read");
    assert_eq!((second.read, second.rejected), (2, second.rejected_reasons.values().sum()), "{second:?}");
}

#[test]
fn a_file_that_grows_while_it_is_read_has_no_digest() {
    let folder = Folder::new();
    let path = folder.path("event.csv");
    let row = "2026-07-01T09:00:00Z,okta,password-reset,ann@example.com\n";
    fs::write(&path, format!("occurred_at,system,action,target\n{row}")).expect("our own folder");
    let audit = |input_hash| {
        let request = Request {
            input_hash,
            ..Request::look(vec![path.clone()], Config::default(), Vec::new(), crate::default_as_of())
        };
        let grown = path.clone();
        let grow = move |done: u64, _: u64| {
            if done > 0 {
                let mut file = fs::File::options().append(true).open(&grown).expect("our own file");
                file.write_all(row.as_bytes()).expect("our own file");
            }
        };
        run::audit(&request, &(std::sync::Arc::new(grow) as run::Progress))
    };
    for hash in [InputHash::Sha256, InputHash::Blake3] {
        let error = audit(hash).err().expect("it must not be taken for what was read").to_string();
        assert!(error.contains("event.csv: the file changed while it was read"), "{error}");
        assert!(error.contains("help: nothing was written; audit a copy"), "{error}");
    }
    assert!(audit(InputHash::None).is_ok());
}
