//! Same inputs, config and `as_of`: the same bytes out.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use regrant::config::Config;
use regrant::run::{Report, Subjects};

use crate::registry::recounted;
use crate::{audit, audit_keeping, one_thread, root, sample, write};

fn config_of(folder: &Path) -> Config {
    Config::load(&folder.join("regrant.toml")).unwrap_or_else(|e| panic!("{e}"))
}

/// Every file below a folder, by relative path.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    walkdir::WalkDir::new(folder)
        .into_iter()
        .map(|e| e.expect("a readable folder"))
        .filter(|e| e.file_type().is_file())
        .map(|e| {
            let path = e.path().strip_prefix(folder).expect("below it").display().to_string();
            (path, fs::read(e.path()).expect("a readable file"))
        })
        .collect()
}

fn written(report: &Report) -> BTreeMap<String, Vec<u8>> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dest = folder.path().join("report");
    write(report, &dest);
    contents(&dest)
}

fn assert_same(what: &str, a: &BTreeMap<String, Vec<u8>>, b: &BTreeMap<String, Vec<u8>>) {
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>(), "{what}");
    for (path, bytes) in a {
        let other = &b[path];
        let at = bytes.iter().zip(other).position(|(x, y)| x != y).unwrap_or(bytes.len().min(other.len()));
        let near = |b: &[u8]| String::from_utf8_lossy(&b[at.saturating_sub(80)..b.len().min(at + 80)]).into_owned();
        assert!(bytes == other, "{what}: {path} differs at byte {at}:\n{}\n{}", near(bytes), near(other));
    }
}

#[test]
fn twice_on_one_thread_and_in_any_order_gives_the_same_bytes() {
    let first = written(&sample());
    for expected in [
        "assessment.json",
        "findings.csv",
        "findings.jsonl",
        "index.html",
        "manifest.json",
        "rejected.csv",
        "run.toml",
        "subjects.jsonl.zst",
    ] {
        assert!(first.contains_key(expected), "{expected} was not written");
    }
    assert_same("a second run", &first, &written(&sample()));
    let alone = one_thread().install(|| written(&sample()));
    assert_same("one thread", &first, &alone);
    let three = rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("a pool");
    assert_same("three threads", &first, &three.install(|| written(&sample())));
}

#[test]
fn the_order_in_which_files_are_named_is_of_no_interest() {
    let folder = root().join("sample-data");
    let whole = sample();
    let mut files: Vec<PathBuf> = whole.assessment.inputs.iter().map(|i| folder.join(&i.path)).collect();
    assert!(files.len() >= 10, "{files:?}");
    let run = |paths: &[PathBuf]| written(&audit(paths, config_of(&folder)).unwrap_or_else(|e| panic!("{e}")));
    let named = run(&files);
    files.reverse();
    assert_same("reversed", &named, &run(&files));
    let middle = files.len() / 2;
    files.rotate_left(middle);
    files.push(files[0].clone());
    assert_same("rotated, one of them twice", &named, &run(&files));
    // A folder also lists what it skipped; what was found is the same.
    let by_folder = written(&whole);
    for file in ["findings.csv", "findings.jsonl", "rejected.csv", "subjects.jsonl.zst", "run.toml"] {
        assert!(named[file] == by_folder[file], "{file} differs between a folder and its files");
    }
}

fn verdicts(report: &Report) -> BTreeMap<String, (BTreeMap<String, String>, String)> {
    let subjects = report.subjects.as_ref().expect("asked for");
    subjects
        .iter()
        .map(|s| {
            let facts = serde_json::to_string(&s.facts).expect("plain data");
            (format!("{} {} {}", s.subject_kind, s.system, s.subject), (s.verdicts.clone(), facts))
        })
        .collect()
}

/// A fixed shuffle of the rows below the header.
fn shuffle(path: &Path, stride: usize) -> usize {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_path(path).expect("a sample file");
    let rows: Vec<csv::ByteRecord> = reader.byte_records().map(|r| r.expect("good CSV")).collect();
    let mut writer = csv::Writer::from_path(path).expect("a copy of ours");
    writer.write_byte_record(&rows[0]).expect("a copy of ours");
    let body = &rows[1..];
    for start in (0..stride).rev() {
        for row in body.iter().skip(start).step_by(stride).rev() {
            writer.write_byte_record(row).expect("a copy of ours");
        }
    }
    writer.flush().expect("a copy of ours");
    body.len()
}

#[test]
fn the_order_of_rows_changes_no_fact_and_no_verdict() {
    let source = root().join("sample-data");
    let before = sample();
    for stride in [1, 2, 7] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (path, bytes) in contents(&source) {
            let to = folder.path().join(&path);
            fs::create_dir_all(to.parent().expect("below the folder")).expect("a writable folder");
            fs::write(to, bytes).expect("a writable folder");
        }
        let mut moved = 0;
        for input in &before.assessment.inputs {
            if input.mapping == "canonical"
                && ["person", "workload", "ticket", "account"].contains(&input.table.as_str())
            {
                moved += shuffle(&folder.path().join(&input.path), stride);
            }
        }
        assert!(moved > 100, "only {moved} rows were moved");
        let after = audit(&[folder.path().to_owned()], config_of(folder.path())).unwrap_or_else(|e| panic!("{e}"));
        let (was, is) = (verdicts(&before), verdicts(&after));
        assert_eq!(was.keys().collect::<Vec<_>>(), is.keys().collect::<Vec<_>>());
        for (subject, said) in &was {
            assert_eq!(said, &is[subject], "{subject}, stride {stride}");
        }
    }
}

/// More subjects than the engine judges in one block, in `files` files, with rows that meet across blocks and files.
fn large(folder: &Path, files: usize) {
    const RESETS: usize = 17_500;
    let mut events = vec![String::new(); files];
    for n in 0..RESETS {
        // The same targets and executors come again and again, far apart in the file and close in time.
        let (target, desk) = (n * 7919 % 5_000, n % 40);
        let (day, hour, minute) = (1 + n % 28, n / 28 % 24, n / 700 % 60);
        let action = ["password-reset", "mfa-reset", "account-unlocked", "recovery-issued"][n % 4];
        let verified = ["", "sms", "fido2", "totp;sms"][n / 4 % 4];
        let of_file = &mut events[n * files / RESETS];
        *of_file += &format!(
            "e{n},2026-09-{day:02}T{hour:02}:{minute:02}:00Z,okta,{action},u{target}@corp.example,desk{desk},desk,{verified},\n"
        );
    }
    for (number, rows) in events.iter().enumerate() {
        let header = "event_id,occurred_at,system,action,target,executor,executor_kind,verification,ticket\n";
        fs::write(folder.join(format!("event-{number:02}.csv")), format!("{header}{rows}")).expect("a writable folder");
    }
    let mut people = "person_id,email,status,ended_on,tier,manager\n".to_owned();
    let mut credentials = "credential_id,identity,system,kind,status,last_used_at,revoked_at,observed_at\n".to_owned();
    for n in 0..5_000 {
        let ended = if n % 11 == 0 { format!("2026-09-{:02}", 1 + n % 28) } else { String::new() };
        let tier = if n % 13 == 0 { "privileged" } else { "standard" };
        people += &format!("P{n},u{n}@corp.example,active,{ended},{tier},P{}\n", n / 10);
        for kind in ["password", "session", "factor", "api-key"] {
            let used = format!("2026-09-{:02}T12:00:00Z", 1 + n * 3 % 28);
            let revoked = if n % 3 == 0 { format!("2026-09-{:02}T13:00:00Z", 1 + n % 28) } else { String::new() };
            credentials += &format!("{kind}-{n},P{n},okta,{kind},active,{used},{revoked},2026-10-01T00:00:00Z\n");
        }
    }
    fs::write(folder.join("person.csv"), people).expect("a writable folder");
    fs::write(folder.join("credential.csv"), credentials).expect("a writable folder");
}

#[test]
fn blocks_threads_and_files_leave_no_trace() {
    let folders = [1, 9].map(|files| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        large(folder.path(), files);
        (files, folder)
    });
    let run = |folder: &Path, subjects: Subjects| {
        let config = Config::parse("timezone = \"Europe/London\"\n", &folder.join("regrant.toml"));
        audit_keeping(subjects, &[folder.to_owned()], config.expect("a good config")).unwrap_or_else(|e| panic!("{e}"))
    };
    // Where a record stands differs between one file and nine; nothing else does.
    let said = |report: &Report| -> Vec<(String, String, String)> {
        let of = |f: &regrant::report::model::Finding| {
            let evidence = serde_json::to_string(&f.evidence).expect("plain data");
            (f.finding_id.to_string(), format!("{} {:?} {}", f.severity, f.state, f.because), evidence)
        };
        report.findings.iter().map(of).collect()
    };
    let mut first: Option<Vec<(String, String, String)>> = None;
    for (files, folder) in &folders {
        let many = run(folder.path(), Subjects::Never);
        let what = format!("{files} event files");
        assert!(many.findings.len() > 20_000, "{what}: only {} findings", many.findings.len());
        let alone = one_thread().install(|| run(folder.path(), Subjects::Never));
        assert_same(&what, &written(&many), &written(&alone));
        match &first {
            None => first = Some(said(&many)),
            Some(first) => assert!(*first == said(&many), "{what}: findings differ from those of one file"),
        }
    }
    recounted(&run(folders[1].1.path(), Subjects::Always));
}

/// An organisation of a thousand resets whose ids are what `id` makes of a prefix and a number; `twice` is how tickets are spelled where
/// they are referred to.
fn numbered_house(folder: &Path, id: &dyn Fn(&str, usize) -> String, twice: &dyn Fn(&str) -> String) {
    let (mut events, mut tickets) = (String::new(), String::from("ticket,approver,decision,decided_at\n"));
    let mut credentials =
        String::from("credential_id,identity,system,kind,created_at,last_used_at,expires_at,revoked_at\n");
    events.push_str("event_id,occurred_at,system,action,outcome,target,executor,approver,approved_at,ticket,old_credential,new_credential\n");
    for n in 0..1_000 {
        let at = format!("2026-08-{:02}T{:02}:{:02}:00Z", 1 + n % 28, n % 24, n % 60);
        // Every seventh ticket serves somebody else too, every eleventh is in no table, every thirteenth event is told again.
        let ticket = id("INC", if n % 7 == 0 { 3 } else { n });
        let (old, new) = (id("cred-", 2 * n), id("cred-", 2 * n + 1));
        let event = format!(
            "{},{at},okta,password-reset,success,user{},desk{},boss{},{at},{},{old},{new}\n",
            id("evt-", n),
            n % 90,
            n % 5,
            n % 9,
            twice(&ticket)
        );
        events.push_str(&event);
        if n % 13 == 0 {
            events.push_str(&event);
        }
        if n % 11 != 0 {
            tickets.push_str(&format!("{},boss{},approved,{at}\n", id("INC", n), n % 9));
        }
        // Of two that replace one another the first is revoked, but for every fifth.
        let revoked = if n % 5 == 0 { "" } else { &at };
        credentials.push_str(&format!("{old},user{},okta,password,2026-01-01T00:00:00Z,,,{revoked}\n", n % 90));
        credentials.push_str(&format!("{new},user{},okta,password,{at},,,\n", n % 90));
    }
    let person = |n: usize| format!("P{n},user{n}@example.com,user{n},active,2020-01-01\n");
    let staff: String = (0..90).map(person).collect();
    let desk: String =
        (0..9).map(|n| format!("B{n},boss{n}@example.com,boss{n};desk{n},active,2020-01-01\n")).collect();
    let people = format!("person_id,email,aliases,status,started_on\n{staff}{desk}");
    for (name, text) in [("event", events), ("ticket", tickets), ("credential", credentials), ("person", people)] {
        fs::write(folder.join(format!("{name}.csv")), text).expect("written");
    }
    let config = "as_of = 2026-09-01T00:00:00Z\nsince = 2026-08-01\nuntil = 2026-09-01\n";
    fs::write(folder.join("regrant.toml"), config).expect("written");
}

/// Ids that are counted are found by their numbers, others by their text: no verdict may know.
#[test]
fn how_ids_are_made_changes_no_verdict() {
    let counted = |prefix: &str, n: usize| format!("{prefix}{n:08}");
    let spelled = |prefix: &str, n: usize| format!("{prefix}{n:08}x");
    let scattered = |prefix: &str, n: usize| format!("{prefix}{:010}", n * 104_729);
    let mixed = |prefix: &str, n: usize| if n.is_multiple_of(3) { counted(prefix, n) } else { spelled(prefix, n) };
    let as_it_is = |text: &str| text.to_owned();
    let lower = |text: &str| text.to_lowercase();
    let judged = |id: &dyn Fn(&str, usize) -> String, twice: &dyn Fn(&str) -> String| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        numbered_house(folder.path(), id, twice);
        let report = audit(&[folder.path().to_owned()], config_of(folder.path())).unwrap_or_else(|e| panic!("{e}"));
        let counts: BTreeMap<String, String> =
            report.assessment.checks.iter().map(|c| (c.id.clone(), format!("{:?}", c.counts))).collect();
        let of: Vec<(String, String)> = report
            .findings
            .iter()
            .map(|f| (f.check.to_string(), f.target.to_string()))
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect();
        (counts, of, report.findings.len())
    };
    let first = judged(&counted, &as_it_is);
    assert!(first.2 > 500, "{}", first.2);
    for (name, id) in
        [("spelled", &spelled as &dyn Fn(&str, usize) -> String), ("scattered", &scattered), ("mixed", &mixed)]
    {
        assert_eq!(judged(id, &as_it_is), first, "{name}");
        assert_eq!(judged(id, &lower), first, "{name}, tickets in small letters");
    }
    assert_eq!(judged(&counted, &lower), first, "tickets in small letters");
}
