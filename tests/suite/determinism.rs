//! Same inputs, config and `as_of`: the same bytes out.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use regrant::config::Config;
use regrant::run::Report;

use crate::{audit, one_thread, root, sample, write};

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
