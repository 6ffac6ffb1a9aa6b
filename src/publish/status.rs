//! What monitoring reads: `status.json`, and metrics in Prometheus' text format.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::history::{Line, micros};

/// The state of a site's latest run. It holds no clock: the same run gives the same bytes.
pub fn json(line: &Line) -> String {
    let status: Value = json!({
        "schema_version": 1,
        "state": line.state(),
        "run": line.run,
        "as_of": line.as_of,
        "run_digest": line.digest,
        "version": line.version,
        "open": line.open,
        "new_open": line.new,
        "accepted": line.accepted,
        "checks": line.checks,
        "controls": line.controls.iter().map(|c| (c.0.clone(), json!(c.2))).collect::<serde_json::Map<_, _>>(),
        "resets": line.resets,
        "credentials": line.credentials,
        "inputs": line.inputs,
        "stale_inputs": line.stale,
        "unchanged_inputs": line.unchanged,
        "rejected_records": line.rejected,
        "exit_code": line.exit_code,
    });
    // A value of strings, numbers and lists always serialises.
    serde_json::to_string_pretty(&status).unwrap_or_default() + "\n"
}

/// Metrics of a run: `seconds` is how long it took, `ended` when it ended, in seconds since 1970.
pub fn metrics(line: &Line, seconds: f64, ended: f64) -> String {
    let mut out = String::new();
    let mut family = |name: &str, help: &str, samples: Vec<(Vec<(&str, String)>, f64)>| {
        let _ = writeln!(out, "# HELP regrant_{name} {help}\n# TYPE regrant_{name} gauge");
        for (labels, value) in samples {
            let labels: Vec<String> = labels.iter().map(|(key, text)| format!("{key}=\"{}\"", escaped(text))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(out, "regrant_{name}{labels} {value}");
        }
    };
    let one = |value: f64| vec![(Vec::new(), value)];
    let as_of = micros(&line.as_of).map_or(f64::NAN, |at| at as f64 / 1e6);
    family("run_seconds", "How long the run took.", one(seconds));
    family("run_ended_timestamp_seconds", "When the run ended.", one(ended));
    family("as_of_timestamp_seconds", "Up to when the data was taken as known.", one(as_of));
    family("exit_code", "What the run ended with.", one(line.exit_code.map_or(f64::NAN, f64::from)));
    let open = line.open.iter().map(|(severity, n)| (vec![("severity", severity.to_string())], *n as f64));
    family("findings_open", "Open findings.", open.collect());
    family("findings_accepted", "Findings that a waiver in force accepts.", one(line.accepted as f64));
    if let Some(new) = line.new {
        family("findings_new", "Open findings that the run before did not have.", one(new as f64));
    }
    let checks = line.checks.iter().map(|(verdict, n)| (vec![("verdict", verdict.clone())], *n as f64));
    family("checks", "Checks by verdict.", checks.collect());
    family("resets", "Resets judged.", one(line.resets as f64));
    family("credentials", "Credentials judged.", one(line.credentials as f64));
    family("inputs", "Inputs read.", one(line.inputs as f64));
    family("inputs_stale", "Inputs whose newest record is older than their max_age.", one(line.stale.len() as f64));
    family("inputs_unchanged", "Inputs with the bytes of the run before.", one(line.unchanged.len() as f64));
    family("records_rejected", "Records that could not be used.", one(line.rejected as f64));
    let ages = line
        .newest
        .iter()
        .filter_map(|(path, at)| micros(at).map(|at| (vec![("input", path.clone())], as_of - at as f64 / 1e6)));
    family("input_age_seconds", "Age of an input's newest record at as_of.", ages.collect());
    family("build_info", "The version.", vec![(vec![("version", line.version.clone())], 1.0)]);
    out
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
