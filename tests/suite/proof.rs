//! Reports that are compared, verified and signed: what is the same is found the same, what was altered is found.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use regrant::config::Config;
use regrant::proof::sign::{self, Signed, SigningKey};
use regrant::proof::verify::{Fault, verify};
use regrant::proof::{self, Kept};
use regrant::render::manifest;
use regrant::report::model::{Cause, ChangeKind, Changes, Severity};
use regrant::run::{Among, Conclusive, Demands, Ending, Report, ending};

use crate::{audit, root, sample, write};

const EVENTS: &str = "event_id,occurred_at,system,action,target,executor,executor_kind,verification,approver,approved_at\n\
    e1,2026-09-01T09:00:00Z,okta,password-reset,ann@corp.example,desk@corp.example,desk,totp,boss@corp.example,2026-09-01T08:00:00Z\n\
    e2,2026-09-02T09:00:00Z,okta,password-reset,bob@corp.example,desk@corp.example,desk,sms,boss@corp.example,2026-09-02T09:30:00Z\n\
    e3,2026-09-03T09:00:00Z,okta,mfa-reset,ann@corp.example,desk@corp.example,desk,,,\n";
const PEOPLE: &str = "person_id,email,name,status,ended_on,tier\n\
    P1,ann@corp.example,Ann,active,,standard\n\
    P2,bob@corp.example,Bob,active,,standard\n\
    P3,boss@corp.example,Boss,active,,standard\n\
    P4,desk@corp.example,Desk,active,,standard\n";

/// A small organisation as files, and the reports on it.
struct Small {
    home: tempfile::TempDir,
}

impl Small {
    fn new() -> Small {
        let small = Small { home: tempfile::tempdir().expect("a folder") };
        fs::create_dir(small.path("in")).expect("a folder in it");
        small.put("in/events.csv", EVENTS);
        small.put("in/people.csv", PEOPLE);
        small
    }

    fn path(&self, below: &str) -> PathBuf {
        self.home.path().join(below)
    }

    fn put(&self, file: &str, text: &str) {
        fs::write(self.path(file), text).expect("a file in it");
    }

    fn audit(&self, config: &str) -> Report {
        let config = Config::parse(config, &self.path("regrant.toml")).unwrap_or_else(|e| panic!("{e}"));
        audit(&[self.path("in")], config).unwrap_or_else(|e| panic!("{e}"))
    }

    /// Audits, compares, writes; returns the folder read again.
    fn report(&self, name: &str, config: &str, previous: Option<&Kept>, baseline: Option<&Kept>) -> Kept {
        let mut report = self.audit(config);
        proof::compare(&mut report, previous, baseline).unwrap_or_else(|e| panic!("{e}"));
        write(&report, &self.path(name));
        Kept::open(&self.path(name)).unwrap_or_else(|e| panic!("{e}"))
    }
}

fn of_kind(changes: &Changes, kind: ChangeKind) -> Vec<(&str, &str, Cause)> {
    changes
        .findings
        .iter()
        .filter(|c| c.kind == kind)
        .map(|c| (c.check.as_str(), c.subject.as_str(), c.cause))
        .collect()
}

fn changed(kept: &Kept) -> &Changes {
    kept.assessment.changes.as_ref().expect("compared")
}

#[test]
fn every_kind_of_change_is_told_apart() {
    let small = Small::new();
    let first = small.report("1", "as_of = 2026-10-01T00:00:00Z", None, None);
    assert!(first.assessment.changes.is_none());

    // e2 is approved before after all; e1's approver is no longer known; a new reset comes; e3 is gone.
    let events = EVENTS
        .replace(
            "bob@corp.example,desk@corp.example,desk,sms,boss@corp.example,2026-09-02T09:30:00Z",
            "bob@corp.example,desk@corp.example,desk,sms,boss@corp.example,2026-09-02T08:30:00Z",
        )
        .lines()
        .filter(|line| !line.starts_with("e3,"))
        .chain(["e4,2026-09-04T09:00:00Z,okta,mfa-reset,bob@corp.example,desk@corp.example,desk,,,"])
        .map(|line| format!("{line}\n"))
        .collect::<String>();
    small.put("in/events.csv", &events);
    let second = small.report("2", "as_of = 2026-10-02T00:00:00Z", Some(&first), None);
    let changes = changed(&second);
    assert!(
        of_kind(changes, ChangeKind::Fixed).contains(&("retroactive-approval", "e2", Cause::World)),
        "{changes:#?}"
    );
    let missing = ("missing-approval", "e4", Cause::World);
    assert!(of_kind(changes, ChangeKind::New).contains(&missing), "{changes:#?}");
    assert!(of_kind(changes, ChangeKind::LeftPopulation).iter().all(|c| c.1 == "e3"), "{changes:#?}");
    assert!(!of_kind(changes, ChangeKind::LeftPopulation).is_empty());
    assert_eq!(changes.due_to_rules, 0);
    assert_eq!(changes.unchanged_inputs, ["people.csv"]);

    // What was gone comes back.
    small.put("in/events.csv", EVENTS);
    let third = small.report("3", "as_of = 2026-10-03T00:00:00Z", Some(&second), None);
    let back = of_kind(changed(&third), ChangeKind::Reopened);
    assert!(
        back.contains(&("missing-approval", "e3", Cause::World))
            && back.contains(&("retroactive-approval", "e2", Cause::World))
    );
    assert!(of_kind(changed(&third), ChangeKind::New).is_empty());

    // The data tells no more: that is not a fix.
    small.put("in/events.csv", &EVENTS.replace(",sms,", ",,").replace("verification", "remark"));
    let fourth = small.report("4", "as_of = 2026-10-04T00:00:00Z", Some(&third), None);
    let blind = of_kind(changed(&fourth), ChangeKind::NoLongerJudged);
    assert!(blind.contains(&("reset-without-verification", "e3", Cause::World)), "{:#?}", changed(&fourth));

    // A rule is relaxed: the world is as it was.
    small.put("in/events.csv", EVENTS);
    let fifth = small.report("5", "as_of = 2026-10-05T00:00:00Z", Some(&third), None);
    assert!(changed(&fifth).findings.is_empty(), "{:#?}", changed(&fifth).findings);
    let relaxed = "as_of = 2026-10-06T00:00:00Z\n[policy]\napproval_max_age_minutes = 30\n[policy.severity]\n\"missing-approval\" = \"low\"";
    let sixth = small.report("6", relaxed, Some(&fifth), None);
    let changes = changed(&sixth);
    assert_eq!(of_kind(changes, ChangeKind::New), [("stale-approval", "e1", Cause::Rules)]);
    assert_eq!(of_kind(changes, ChangeKind::SeverityChanged), [("missing-approval", "e3", Cause::Rules)]);
    assert_eq!(changes.due_to_rules, 2);
    assert!(changes.rules.iter().any(|rule| rule.kind == "policy" && rule.id == "approval_max_age_minutes"));

    // A waiver comes, and runs out.
    let waiver = |as_of: &str| {
        format!(
            "as_of = {as_of}\n[[waiver]]\nid = \"W1\"\nchecks = [\"missing-approval\"]\nwhere = \"TRUE\"\nreason = \"r\"\n\
             requested_by = \"a\"\napproved_by = \"b\"\nstarts_on = 2026-09-01\nexpires_on = 2026-10-07\n"
        )
    };
    let seventh = small.report("7", &waiver("2026-10-07T00:00:00Z"), Some(&fifth), None);
    assert_eq!(of_kind(changed(&seventh), ChangeKind::NewlyWaived), [("missing-approval", "e3", Cause::Rules)]);
    let eighth = small.report("8", &waiver("2026-10-08T00:00:00Z"), Some(&seventh), None);
    assert_eq!(of_kind(changed(&eighth), ChangeKind::WaiverExpired), [("missing-approval", "e3", Cause::World)]);
    for kept in [&second, &third, &fourth, &sixth, &seventh, &eighth] {
        let files = verify(&kept.folder, None).expect("a report");
        assert!(files.faults.is_empty(), "{:?}", files.faults);
        assert_eq!(kept.manifest.reports.len(), 1);
        for file in ["changes.csv", "changes.md"] {
            assert!(kept.folder.join(file).exists(), "{file}");
        }
    }
}

#[test]
fn what_left_the_period_is_not_fixed_and_without_subjects_nothing_is_claimed() {
    let small = Small::new();
    let first = small.report("1", "as_of = 2026-10-01T00:00:00Z", None, None);
    let later = "as_of = 2026-10-02T00:00:00Z\nsince = 2026-09-03";
    let second = small.report("2", later, Some(&first), None);
    let changes = changed(&second);
    assert_eq!(changes.counts[&ChangeKind::Fixed], 0);
    assert!(changes.findings.iter().all(|c| c.why.contains("before the period")), "{changes:#?}");

    let events: String = EVENTS.replace("2026-09-02T09:30:00Z", "2026-09-02T08:30:00Z");
    small.put("in/events.csv", &events);
    let mut report = small.audit("as_of = 2026-10-03T00:00:00Z");
    report.subjects = None;
    proof::compare(&mut report, Some(&first), None).expect("comparable");
    let changes = report.assessment.changes.expect("compared");
    assert_eq!(of_kind(&changes, ChangeKind::Gone), [("retroactive-approval", "e2", Cause::NotKnown)]);
}

#[test]
fn a_baseline_tells_debt_from_news() {
    let small = Small::new();
    let waived = "as_of = 2026-09-20T00:00:00Z\n[[waiver]]\nid = \"W1\"\nchecks = [\"missing-approval\"]\nwhere = \"TRUE\"\nreason = \"r\"\n\
                  requested_by = \"a\"\napproved_by = \"b\"\nstarts_on = 2026-09-01\nexpires_on = 2026-09-25\n";
    let base = small.report("base", waived, None, None);
    let events = format!("{EVENTS}e4,2026-09-24T09:00:00Z,okta,mfa-reset,bob@corp.example,desk@corp.example,desk,,,\n");
    small.put("in/events.csv", &events);
    let now = small.report("now", "as_of = 2026-09-30T00:00:00Z", None, Some(&base));
    let baseline = now.assessment.baseline.as_ref().expect("compared");
    // missing-approval of e3 was accepted until the 25th: it is new now, as is all about e4.
    assert_eq!(baseline.left_out, 1);
    let findings = now.findings().expect("its findings");
    let new: BTreeSet<(&str, &str)> = findings
        .iter()
        .filter(|f| baseline.new_findings.iter().any(|id| *id == f.finding_id))
        .map(|f| (f.check.as_str(), f.subject.as_str()))
        .collect();
    assert!(new.contains(&("missing-approval", "e3")) && new.contains(&("missing-approval", "e4")), "{new:?}");
    assert!(!new.contains(&("retroactive-approval", "e2")), "{new:?}");
    assert_eq!(baseline.median_age_days, Some(10.0));
    assert_eq!(baseline.oldest.as_deref(), Some("2026-09-20T00:00:00Z"));

    let ends = |among, least| {
        let demands = Demands { fail_on: Some(least), among, conclusive: Conclusive::NotRequired, max_rejected: 1.0 };
        ending(&now.assessment, &demands)
    };
    assert_eq!(ends(Among::New, Severity::High), Ending::Findings);
    // With itself as the baseline nothing is new, however much is open.
    let same = small.report(
        "same",
        "as_of = 2026-09-30T00:00:00Z",
        None,
        Some(&small.report("again", "as_of = 2026-09-30T00:00:00Z", None, None)),
    );
    let demands = |among| Demands {
        fail_on: Some(Severity::Info),
        among,
        conclusive: Conclusive::NotRequired,
        max_rejected: 1.0,
    };
    assert_eq!(ending(&same.assessment, &demands(Among::New)), Ending::Clean);
    assert_eq!(ending(&same.assessment, &demands(Among::All)), Ending::Findings);
}

/// A generator of our own, so that a failure can be repeated from the number it prints.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % sides
    }
}

fn key(folder: &Path) -> (SigningKey, String) {
    let path = folder.join("key");
    let seed = ssh_key::private::Ed25519Keypair::from_seed(&[7; 32]);
    let private = ssh_key::PrivateKey::from(seed);
    fs::write(&path, private.to_openssh(ssh_key::LineEnding::LF).expect("an OpenSSH key").as_bytes()).expect("a file");
    #[cfg(unix)]
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("our own file");
    (SigningKey::load(&path).expect("a key"), private.public_key().to_openssh().expect("a line"))
}

#[test]
fn a_thousand_flipped_bytes_are_found_in_every_file() {
    let small = Small::new();
    let first = small.report("old", "as_of = 2026-10-01T00:00:00Z", None, None);
    let kept = small.report("new", "as_of = 2026-10-02T00:00:00Z", Some(&first), None);
    let (signer, public) = key(small.home.path());
    let manifest_bytes = fs::read(kept.folder.join(manifest::FILE)).expect("a manifest");
    let signature = signer.sign(&manifest_bytes).expect("a signature");
    assert_eq!(signature, signer.sign(&manifest_bytes).expect("a signature"), "the same bytes, the same signature");
    let trusted = || Some((Path::new("key.pub"), public.as_str()));
    assert!(verify(&kept.folder, None).expect("a report").faults.is_empty());
    let said = sign::check(&manifest_bytes, signature.as_bytes(), trusted()).expect("a key");
    assert!(matches!(said, Signed::ByNamed(_)), "{said:?}");

    let mut files: Vec<String> = kept.manifest.files.iter().map(|file| file.path.clone()).collect();
    files.push(manifest::FILE.to_owned());
    assert!(files.len() >= 9, "{files:?}");
    let mut dice = Dice(2026);
    for number in 0..1_000 {
        let file = &files[number % files.len()];
        let path = kept.folder.join(file);
        let sound = fs::read(&path).expect("a file of the report");
        if sound.is_empty() {
            continue;
        }
        let (at, bit) = (dice.roll(sound.len()), dice.roll(8));
        let mut altered = sound.clone();
        altered[at] ^= 1 << bit;
        fs::write(&path, &altered).expect("a file of ours");
        let found = verify(&kept.folder, None).expect("there is a manifest");
        assert!(!found.faults.is_empty(), "flip {number}: bit {bit} of byte {at} of {file} is not found");
        if file == manifest::FILE {
            assert!(matches!(found.faults[0], Fault::Manifest(_)), "{:?}", found.faults);
            let said = sign::check(&altered, signature.as_bytes(), trusted()).expect("a key");
            assert!(matches!(said, Signed::Not(_)), "{said:?}");
        } else {
            assert!(matches!(&found.faults[..], [Fault::Altered(path, _)] if path == file), "{:?}", found.faults);
        }
        fs::write(&path, sound).expect("a file of ours");
    }
    assert!(verify(&kept.folder, None).expect("a report").faults.is_empty(), "all was put back");

    fs::write(kept.folder.join("stray"), "x").expect("a file");
    fs::remove_file(kept.folder.join("rejected.csv")).expect("a file");
    let faults = verify(&kept.folder, Some(&small.path("in"))).expect("a report").faults;
    assert_eq!(faults, [Fault::Missing("rejected.csv".into()), Fault::Added("stray".into())]);
    small.put("in/people.csv", &PEOPLE.replace("Ann", "Amy"));
    fs::remove_file(small.path("in/events.csv")).expect("an input");
    let faults = verify(&kept.folder, Some(&small.path("in"))).expect("a report").faults;
    assert!(faults.contains(&Fault::InputMissing("events.csv".into())), "{faults:?}");
    assert!(
        faults.iter().any(|fault| matches!(fault, Fault::InputAltered(path, _) if path == "people.csv")),
        "{faults:?}"
    );
}

/// A forger who can write the folder writes a manifest that fits as well; only the signature tells.
#[test]
fn a_rewritten_report_passes_without_a_signature_and_fails_with_one() {
    let small = Small::new();
    let kept = small.report("report", "as_of = 2026-10-01T00:00:00Z", None, None);
    let (signer, public) = key(small.home.path());
    let signature = signer.sign(&fs::read(kept.folder.join(manifest::FILE)).expect("a manifest")).expect("a signature");
    small.put("in/events.csv", &EVENTS.replace("2026-09-02T09:30:00Z", "2026-09-02T08:30:00Z"));
    let forged = small.report("forged", "as_of = 2026-10-01T00:00:00Z", None, None);
    assert!(verify(&forged.folder, None).expect("a report").faults.is_empty());
    let text = fs::read(forged.folder.join(manifest::FILE)).expect("a manifest");
    let said = sign::check(&text, signature.as_bytes(), Some((Path::new("key.pub"), &public))).expect("a key");
    assert!(matches!(said, Signed::Not(_)), "{said:?}");
    let other = ssh_key::PrivateKey::from(ssh_key::private::Ed25519Keypair::from_seed(&[8; 32]));
    let other = other.public_key().to_openssh().expect("a line");
    let text = fs::read(kept.folder.join(manifest::FILE)).expect("a manifest");
    let said = sign::check(&text, signature.as_bytes(), Some((Path::new("other.pub"), &other))).expect("a key");
    assert!(matches!(said, Signed::Not(_)), "{said:?}");
}

#[test]
fn ssh_keygen_accepts_our_signatures_and_we_accept_its() {
    let home = tempfile::tempdir().expect("a folder");
    let (signer, public) = key(home.path());
    let path = |name: &str| home.path().join(name);
    let message = b"{\n  \"tool\": 1\n}\n";
    fs::write(path("m"), message).expect("a file");
    fs::write(path("m.ours"), signer.sign(message).expect("a signature")).expect("a file");
    fs::write(path("allowed"), format!("auditor@corp.example {public}\n")).expect("a file");
    let verify = |signature: &str| {
        let mut command = Command::new("ssh-keygen");
        command.args(["-Y", "verify", "-I", "auditor@corp.example", "-n", sign::NAMESPACE, "-f"]);
        command.arg(path("allowed")).arg("-s").arg(path(signature)).stdin(fs::File::open(path("m")).expect("a file"));
        command.output()
    };
    let Ok(out) = verify("m.ours") else {
        println!("skipped: there is no ssh-keygen");
        return;
    };
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let made = Command::new("ssh-keygen")
        .args(["-q", "-Y", "sign", "-n", sign::NAMESPACE, "-f"])
        .arg(path("key"))
        .arg(path("m"))
        .output();
    assert!(made.is_ok_and(|out| out.status.success()), "ssh-keygen signs with our key");
    let theirs = fs::read(path("m.sig")).expect("its signature");
    let said = sign::check(message, &theirs, Some((Path::new("allowed"), &format!("auditor@corp.example {public}\n"))));
    assert!(matches!(said, Ok(Signed::ByNamed(_))), "{said:?}");
}

// -------------------------------------------------------------------------------------------------------------------
// Findings keep their identity

/// Everything about a finding that must not depend on how files are named, ordered or spelt: its id, severity and state.
fn identities(report: &Report) -> BTreeMap<String, (Severity, String)> {
    report.findings.iter().map(|f| (f.finding_id.to_string(), (f.severity, format!("{:?}", f.state)))).collect()
}

/// A copy of the sample organisation, each file through `change`: its path and its rows (header first) to what they become.
fn changed_sample(change: impl Fn(&str, &mut Vec<csv::StringRecord>) -> String) -> Report {
    let source = root().join("sample-data");
    let home = tempfile::tempdir().expect("a folder");
    for entry in walkdir::WalkDir::new(&source).sort_by_file_name() {
        let entry = entry.expect("sample data");
        if !entry.file_type().is_file() {
            continue;
        }
        let path = entry.path().strip_prefix(&source).expect("below it").to_string_lossy().into_owned();
        let bytes = fs::read(entry.path()).expect("sample data");
        let (to, bytes) = if path.ends_with(".csv") {
            let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes.as_slice());
            let mut rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("good CSV")).collect();
            let to = change(&path, &mut rows);
            let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
            rows.iter().for_each(|row| writer.write_record(row).expect("memory takes everything"));
            (to, writer.into_inner().expect("memory takes everything"))
        } else {
            (change(&path, &mut Vec::new()), bytes)
        };
        let to = home.path().join(to);
        fs::create_dir_all(to.parent().expect("below home")).expect("a folder");
        fs::write(to, bytes).expect("a file");
    }
    let config = Config::load(&home.path().join("regrant.toml")).unwrap_or_else(|e| panic!("{e}"));
    audit(&[home.path().to_owned()], config).unwrap_or_else(|e| panic!("{e}"))
}

fn assert_same_findings(what: &str, report: &Report) {
    let (was, is) = (identities(&sample()), identities(report));
    let lost: Vec<_> = was.iter().filter(|one| is.get(one.0) != Some(one.1)).collect();
    let won: Vec<_> = is.iter().filter(|one| was.get(one.0) != Some(one.1)).collect();
    assert!(lost.is_empty() && won.is_empty(), "{what}: lost {lost:?}, won {won:?}");
    assert!(was.len() > 200, "{} findings", was.len());
}

#[test]
fn findings_keep_their_identity_when_rows_are_reordered() {
    let mut moved = 0;
    let counted = std::cell::Cell::new(0);
    let report = changed_sample(|path, rows| {
        if !rows.is_empty() {
            rows[1..].reverse();
            counted.set(counted.get() + rows.len());
        }
        path.to_owned()
    });
    moved += counted.get();
    assert!(moved > 300, "{moved} rows");
    assert_same_findings("rows reversed", &report);
}

#[test]
fn findings_keep_their_identity_when_files_are_renamed() {
    // Dated rosters are named in the config; the others may be called anything, in any order.
    let report = changed_sample(|path, _| match path.rsplit_once('/') {
        Some((folder, name)) if !path.starts_with("hr/") => {
            format!("zz-{folder}/{}", name.replacen(|c: char| c.is_ascii_alphabetic(), "q", 1))
        }
        _ => path.to_owned(),
    });
    assert_same_findings("files renamed", &report);
}

#[test]
fn findings_keep_their_identity_when_display_names_and_letter_case_change() {
    let columns_of = |wanted: &'static [&'static str], rows: &[csv::StringRecord]| -> Vec<usize> {
        let header = rows.first().into_iter().flat_map(|row| row.iter().enumerate());
        header.filter(|(_, name)| wanted.contains(name)).map(|(at, _)| at).collect()
    };
    let edit = |rows: &mut Vec<csv::StringRecord>, at: &[usize], change: &dyn Fn(&str) -> String| {
        for row in rows.iter_mut().skip(1) {
            *row = row
                .iter()
                .enumerate()
                .map(|(i, cell)| if at.contains(&i) { change(cell) } else { cell.to_owned() })
                .collect();
        }
    };
    let renamed = changed_sample(|path, rows| {
        if path.starts_with("hr/") {
            let at = columns_of(&["name"], rows);
            edit(rows, &at, &|cell| format!("{cell} 山田 <b>née</b>"));
        }
        path.to_owned()
    });
    assert_same_findings("display names", &renamed);
    let louder = changed_sample(|path, rows| {
        let at = columns_of(
            &[
                "email",
                "aliases",
                "target",
                "executor",
                "approver",
                "requester",
                "manager",
                "owner",
                "system",
                "account",
                "subject",
                "ticket",
                "action",
                "status",
                "tier",
            ],
            rows,
        );
        edit(rows, &at, &str::to_uppercase);
        path.to_owned()
    });
    assert_same_findings("letter case", &louder);
}

#[test]
fn run_toml_works_from_the_report_s_folder() {
    let before = sample();
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("report");
    write(&before, &folder);
    let config = Config::load(&folder.join("run.toml")).unwrap_or_else(|e| panic!("{e}"));
    let after = audit(&[root().join("sample-data")], config).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(before.run_toml, after.run_toml);
    assert_eq!(before.assessment.run.digest, after.assessment.run.digest);
    assert_eq!(identities(&before), identities(&after));
}

fn zipped(members: &[(&str, &str)]) -> Vec<u8> {
    use std::io::Write;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in members {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).expect("a member");
        zip.write_all(text.as_bytes()).expect("its text");
    }
    zip.finish().expect("a zip").into_inner()
}

#[test]
fn members_of_archives_are_held_against_the_manifest() {
    let small = Small::new();
    fs::create_dir(small.path("packed")).expect("a folder");
    let place = small.path("packed/all.zip");
    fs::write(&place, zipped(&[("events.csv", EVENTS), ("hr/people.csv", PEOPLE)])).expect("a file");
    let report = audit(&[small.path("packed")], Config::default()).unwrap_or_else(|e| panic!("{e}"));
    write(&report, &small.path("report"));
    let look = || verify(&small.path("report"), Some(&small.path("packed"))).expect("a report");
    let found = look();
    assert_eq!((found.inputs_sound, found.faults), (Some(2), Vec::new()));

    fs::write(&place, zipped(&[("events.csv", EVENTS), ("hr/people.csv", &PEOPLE.replace("Ann", "Amy"))]))
        .expect("a file");
    let faults = look().faults;
    assert!(matches!(&faults[..], [Fault::InputAltered(path, _)] if path == "all.zip!/hr/people.csv"), "{faults:?}");
    fs::write(&place, zipped(&[("hr/people.csv", PEOPLE)])).expect("a file");
    assert_eq!(look().faults, [Fault::InputMissing("all.zip!/events.csv".into())]);
    fs::write(&place, "PK\x03\x04 torn").expect("a file");
    let faults = look().faults;
    assert!(faults.len() == 2 && faults.iter().all(|f| matches!(f, Fault::InputAltered(..))), "{faults:?}");
    fs::remove_file(&place).expect("a file");
    assert!(look().faults.iter().all(|f| matches!(f, Fault::InputMissing(_))));
}
