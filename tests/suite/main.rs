//! The library against its own documents, its sample data, an independent oracle and input that means harm.
//!
//! One binary, because linking it is the slowest part of testing.

#![allow(clippy::print_stdout, reason = "a test that was skipped says so")]

mod bad_input;
mod bombs;
mod browser;
mod checks;
mod chromium;
mod coverage;
mod determinism;
mod exports;
mod feeds;
mod hunt;
mod lake;
mod metamorphic;
mod mixed;
mod mutation;
mod oracle;
mod proof;
mod raw_folder;
mod registry;
mod secrets;
mod siblings;
mod site;
mod sources;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use regrant::config::Config;
use regrant::render::{self, Bundle, Formats};
use regrant::report::model::{Assessment, Counts, Finding};
use regrant::run::{self, InputHash, Progress, Report, Request, RunError, Subjects};

/// Where the crate lies.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The reference that lies beside the crate on the authors' machines; a test that needs it says so and ends without it.
fn shared(part: &str) -> Option<PathBuf> {
    let path = root().join("../shared").join(part);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: ../shared is absent ({part})");
    None
}

/// When nothing else is said, the data is taken as known up to here.
fn default_as_of() -> i64 {
    chrono::DateTime::parse_from_rfc3339("2026-10-05T00:00:00Z").expect("a good instant").timestamp_micros()
}

fn audit(paths: &[PathBuf], config: Config) -> Result<Report, RunError> {
    audit_keeping(Subjects::Always, paths, config)
}

fn audit_keeping(subjects: Subjects, paths: &[PathBuf], config: Config) -> Result<Report, RunError> {
    let as_of = config.as_of.unwrap_or_else(default_as_of);
    let request = Request {
        paths: paths.to_vec(),
        config,
        as_of,
        as_of_source: "config",
        mappings: Vec::new(),
        input_hash: InputHash::Sha256,
        subjects,
        identity: None,
        redact: None,
    };
    let nobody: Progress = Arc::new(|_, _| {});
    run::audit(&request, &nobody)
}

fn write(report: &Report, dest: &Path) {
    let html = |a: &Assessment, f: &[Finding]| render::html::render(a, f).map_err(|e| e.to_string());
    let bundle = Bundle {
        assessment: &report.assessment,
        findings: &report.findings,
        rejected: &report.rejected,
        subjects: report.subjects.as_deref(),
        run_toml: &report.run_toml,
        mapping_files: report.mapping_files.clone(),
        formats: Formats::default(),
        html: Some(&html),
    };
    if let Err(error) = render::write(&bundle, dest) {
        panic!("{error}\n  help: {}", error.hint());
    }
}

/// The sample organisation, audited as its README says.
fn sample() -> Report {
    let folder = root().join("sample-data");
    let config = Config::load(&folder.join("regrant.toml")).unwrap_or_else(|e| panic!("{e}"));
    audit(&[folder], config).unwrap_or_else(|e| panic!("{e}"))
}

fn one_thread() -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool of one thread")
}

/// What an audit must keep, whatever it read: nothing is counted twice or lost.
fn assert_adds_up(report: &Report) {
    let a = &report.assessment;
    for input in &a.inputs {
        let sum = input.accepted + input.out_of_scope + input.merged + input.duplicates + input.rejected;
        assert_eq!(input.read, sum, "{}: {input:?}", input.path);
        assert_eq!(input.rejected, input.rejected_reasons.values().sum::<u64>(), "{}: reasons", input.path);
        let listed = report.rejected.iter().filter(|r| r.file == input.path).count();
        assert_eq!(input.rejected, listed as u64, "{}: rejected.csv", input.path);
        assert_eq!(input.out_of_scope, input.out_of_scope_reasons.values().sum::<u64>(), "{}: left out", input.path);
    }
    let whole = |what: &str, c: &Counts| {
        let sum = c.not_applicable + c.passed + c.failed + c.waived + c.indeterminate;
        assert_eq!(c.population, sum, "{what}: {c:?}");
    };
    for check in &a.checks {
        whole(&check.id, &check.counts);
    }
    for control in &a.controls {
        whole(&control.id, &control.counts);
    }
    for framework in &a.frameworks {
        for requirement in &framework.requirements {
            whole(&format!("{}:{}", framework.id, requirement.id), &requirement.counts);
        }
    }
}
