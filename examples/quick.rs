//! Temporary driver.
#![allow(missing_docs, clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, reason = "temporary")]
use regrant::run::*;
use std::sync::Arc;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let config = if std::path::Path::new(&format!("{}/regrant.toml", args[1])).exists() {
        regrant::config::Config::load(format!("{}/regrant.toml", args[1]).as_ref()).unwrap_or_else(|e| panic!("{e}"))
    } else {
        regrant::config::Config::default()
    };
    let as_of = config.as_of.unwrap_or(1_800_000_000_000_000);
    let t = std::time::Instant::now();
    let r = Request { paths: vec![args[1].clone().into()], config, as_of, as_of_source: "config", mappings: vec![], input_hash: InputHash::Sha256, subjects: Subjects::Auto, identity: args.get(3).cloned() };
    let report = match audit(&r, &(Arc::new(|_, _| {}) as Progress)) { Ok(r) => r, Err(e) => { eprintln!("error: {e}"); std::process::exit(1) } };
    eprintln!("{:?}", t.elapsed());
    let html = |a: &regrant::report::model::Assessment, f: &[regrant::report::model::Finding]| regrant::render::html::render(a, f).map_err(|e| e.to_string());
    let b = regrant::render::Bundle { assessment: &report.assessment, findings: &report.findings, rejected: &report.rejected, subjects: report.subjects.as_deref(), run_toml: &report.run_toml, mapping_files: report.mapping_files.clone(), formats: regrant::render::Formats::default(), html: Some(&html) };
    regrant::render::write(&b, args[2].as_ref()).unwrap_or_else(|e| panic!("{e}"));
    eprintln!("{:?}", t.elapsed());
}
