//! Against an independent program and against logs of real systems, where they lie beside the crate.

use std::path::Path;
use std::process::{Command, Output};

use regrant::config::Config;

use crate::{assert_adds_up, audit, shared, write};

/// Runs a script of the oracle; null when there is no Python.
fn python(script: &Path, args: &[&str]) -> Option<Output> {
    // The reference is read-only: Python must not leave its caches there.
    let run = Command::new("python3").arg(script).args(args).env("PYTHONDONTWRITEBYTECODE", "1").output();
    match run {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("skipped: there is no python3");
            None
        }
        Err(error) => panic!("python3: {error}"),
    }
}

fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    let differences: Vec<&str> = text.lines().filter(|l| !l.starts_with("ok ")).take(60).collect();
    format!("{}\n{}", differences.join("\n"), String::from_utf8_lossy(&output.stderr))
}

fn agree(seed: &str) {
    let Some(oracle) = shared("oracle") else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (input, report) = (folder.path().join("in"), folder.path().join("report"));
    let input_text = input.display().to_string();
    let Some(made) = python(&oracle.join("gen.py"), &[seed, "600", &input_text]) else { return };
    assert!(made.status.success(), "gen.py: {}", said(&made));
    let config = Config::load(&input.join("regrant.toml")).unwrap_or_else(|e| panic!("{e}"));
    let audited = audit(std::slice::from_ref(&input), config).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    assert_adds_up(&audited);
    assert!(audited.assessment.population.resets > 300, "seed {seed} made few resets");
    write(&audited, &report);
    let compare = |report: &Path| {
        python(&oracle.join("compare.py"), &[&input_text, &report.display().to_string()]).expect("it was there before")
    };
    let output = compare(&report);
    assert!(output.status.success(), "seed {seed}:\n{}", said(&output));

    // A comparison that finds nothing in a report with a finding less compares nothing.
    let csv = report.join("findings.csv");
    let text = std::fs::read_to_string(&csv).expect("written above");
    let shorter =
        text.trim_end().rsplit_once("\r\n").or_else(|| text.trim_end().rsplit_once('\n')).expect("findings").0;
    std::fs::write(&csv, format!("{shorter}\r\n")).expect("our own folder");
    assert!(!compare(&report).status.success(), "seed {seed}: a missing finding went unnoticed");
}

#[test]
fn oracle_agrees_on_all_columns() {
    agree("0");
}

#[test]
fn oracle_agrees_on_columns_not_reported() {
    agree("1");
}

#[test]
fn oracle_agrees_on_optional_columns_left_out() {
    agree("5");
}

#[test]
fn oracle_agrees_without_a_timezone() {
    agree("7");
}

#[test]
fn real_logs_are_read_and_every_record_is_counted() {
    for (vendor, mapping) in [("okta", "okta-system-log"), ("aws_cloudtrail", "aws-cloudtrail")] {
        let Some(folder) = shared(&format!("real/{vendor}")) else { return };
        let report = audit(&[folder], Config::default()).unwrap_or_else(|e| panic!("{vendor}: {e}"));
        assert_adds_up(&report);
        let inputs = &report.assessment.inputs;
        let recognised = inputs.iter().filter(|i| i.mapping == mapping).count();
        assert!(recognised > 0, "{vendor}: nothing was recognised as {mapping}");
        assert!(inputs.iter().all(|i| i.read > 0), "{vendor}: an input without a record");
        let read: u64 = inputs.iter().map(|i| i.read).sum();
        println!("{vendor}: {} inputs, {read} records, {} skipped", inputs.len(), report.assessment.skipped.len());
    }
}
