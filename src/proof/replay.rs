//! A report computed again: from its `run.toml`, its `mappings/` and the inputs as they were.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::kept::Kept;
use super::verify::{Fault, Inputs, archive_of};
use super::{ProofError, compare};
use crate::config::View;
use crate::mappings::Mappings;
use crate::render::manifest;
use crate::run::{InputHash, Progress, Report, Request, RunError, Subjects, audit_again};

/// Why a report cannot be computed again.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// What is kept cannot be read.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The run itself ended with an error.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// The report, computed again, and what is not as it was.
pub struct Replayed {
    /// What comes out now.
    pub report: Report,
    /// Whom the page was for.
    pub view: View,
    /// What explains a difference: inputs, version, reports that took part.
    pub causes: Vec<String>,
}

/// Runs the report's audit again. `previous` and `baseline` are the earlier reports that took part; those not named are
/// looked for beside the report, by the digest of their manifest.
///
/// # Errors
/// When the report, its config or mappings cannot be read, an input is missing, or an earlier report cannot be found.
pub fn replay(
    kept: &Kept,
    inputs: &Path,
    previous: Option<&Path>,
    baseline: Option<&Path>,
    progress: &Progress,
) -> Result<Replayed, ReplayError> {
    let config = kept.config()?;
    let run = &kept.assessment.run;
    let place = kept.folder.join("run.toml");
    let as_of = config.as_of.ok_or_else(|| {
        ProofError::at(&place, "says no `as_of`", "`regrant verify` tells whether the report was altered")
    })?;
    let mut causes = Vec::new();
    let (theirs, ours) = (&kept.assessment.tool.version, env!("CARGO_PKG_VERSION"));
    if theirs != ours {
        causes
            .push(format!("the report was written by version {theirs}, this is {ours}: see the changelog's Findings"));
    }
    let mut folder = Inputs::of(inputs);
    for input in &kept.manifest.inputs {
        match folder.as_read(input) {
            Ok(_) => {}
            Err(Fault::InputMissing(path)) => causes.push(format!("the input {path} is not there")),
            Err(Fault::InputAltered(path, why)) => {
                causes.push(format!("the input {path} is not as it was read: {why}"))
            }
            Err(other) => causes.push(format!("{other:?}")),
        }
    }
    let mut mappings = match fs::metadata(kept.folder.join("mappings")) {
        Ok(_) => Mappings::load(&[kept.folder.join("mappings")]),
        Err(_) => Mappings::load(&[]),
    }
    .map_err(RunError::from)?;
    mappings.rename(&kept.assessment.overrides);
    if mappings.sha256() != run.mappings_sha256 {
        causes.push("the mappings of this version are not those that were in force".to_owned());
    }
    let listed = kept.listed();
    let hashed = |f: fn(&manifest::InputEntry) -> bool| kept.manifest.inputs.iter().any(f);
    let input_hash = if hashed(|input| input.blake3.is_some()) {
        InputHash::Blake3
    } else if hashed(|input| input.sha256.is_some()) || kept.manifest.inputs.is_empty() {
        InputHash::Sha256
    } else {
        InputHash::None
    };
    let view = config.view;
    let request = Request {
        paths: vec![inputs.to_owned()],
        config,
        as_of,
        as_of_source: source(&run.as_of_source),
        mappings: Vec::new(),
        input_hash,
        subjects: if listed.contains_key("subjects.jsonl.zst") { Subjects::Always } else { Subjects::Never },
        identity: kept.assessment.limited_to.clone(),
        // Who holds the key can make the pseudonyms again; nobody else can compute such a report.
        redact: None,
    };
    let skipped = kept.assessment.skipped.iter().map(|skipped| &skipped.path);
    let mut paths: Vec<String> = kept.assessment.inputs.iter().map(|input| input.path.clone()).collect();
    for path in skipped {
        // What was not read then need not be kept; but the report names it.
        if inputs.join(path).exists() || archive_of(inputs, path).is_some() {
            paths.push(path.clone());
        } else {
            causes.push(format!("the file {path}, which was not read then, is not there"));
        }
    }
    let mut report = audit_again(&request, &mappings, inputs, &paths, progress)?;
    let (previous, baseline) = (took_part(kept, "previous", previous)?, took_part(kept, "baseline", baseline)?);
    compare(&mut report, previous.as_ref(), baseline.as_ref())?;
    Ok(Replayed { report, view, causes })
}

/// The words that the pipeline has for where `as_of` came from.
fn source(recorded: &str) -> &'static str {
    ["command line", "config", "start of the program"].into_iter().find(|word| *word == recorded).unwrap_or("config")
}

/// The earlier report of a role, which must be the one that took part.
fn took_part(kept: &Kept, role: &str, named: Option<&Path>) -> Result<Option<Kept>, ProofError> {
    let Some(wanted) = kept.manifest.reports.iter().find(|report| report.role == role) else { return Ok(None) };
    let fits = |folder: &Path| {
        let bytes = fs::read(folder.join(manifest::FILE)).ok()?;
        (hex::encode(Sha256::digest(&bytes)) == wanted.manifest_sha256).then(|| folder.to_owned())
    };
    if let Some(folder) = named {
        return match fits(folder) {
            Some(folder) => Kept::open(&folder).map(Some),
            None => Err(ProofError::at(
                folder,
                format!("is not the report that took part (as of {}, run {})", wanted.as_of, wanted.run_digest),
                format!("name the report with that run digest by `--{role}`"),
            )),
        };
    }
    let folder = fs::canonicalize(&kept.folder).unwrap_or_else(|_| kept.folder.clone());
    let beside: BTreeSet<PathBuf> = folder
        .parent()
        .and_then(|parent| fs::read_dir(parent).ok())
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    match beside.iter().find_map(|folder| fits(folder)) {
        Some(folder) => Kept::open(&folder).map(Some),
        None => Err(ProofError::at(
            &kept.folder,
            format!(
                "another report took part ({role}, as of {}, run {}) and is not beside it",
                wanted.as_of, wanted.run_digest
            ),
            format!("name its folder with `--{role} REPORTDIR`"),
        )),
    }
}
