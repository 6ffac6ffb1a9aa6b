//! Proof: reports that were written earlier, read again.
//!
//! What changed between two ([`diff`]), what was known before ([`baseline`]), whether a report is untouched ([`verify`],
//! [`sign`]), whether it comes out again ([`replay`]), what an auditor looks at by hand ([`sample`]). Nothing here writes
//! a report or prints.

pub mod baseline;
pub mod diff;
pub mod facts;
pub mod kept;
pub mod passing;
pub mod replay;
pub mod sample;
pub mod sign;
pub mod verify;

use std::path::Path;

use sha2::{Digest, Sha256};

use crate::run::Report;

pub use kept::Kept;

/// Why a kept report, or what lies beside it, cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}\n  help: {help}")]
pub struct ProofError {
    /// The file or folder.
    pub place: String,
    /// What was found and what was expected.
    pub message: String,
    /// What to do next.
    pub help: String,
}

/// Says in a report what changed since `previous` and what `baseline` knew. Both take part in the run: its digest covers
/// them.
///
/// # Errors
/// When one of them cannot be read, or not be compared with this report.
pub fn compare(report: &mut Report, previous: Option<&Kept>, baseline: Option<&Kept>) -> Result<(), ProofError> {
    let mut hash = Sha256::new();
    hash.update(&report.assessment.run.digest);
    let (mut changes, mut known) = (None, None);
    if let Some(previous) = previous {
        let later = diff::Later {
            assessment: &report.assessment,
            findings: &report.findings,
            subjects: report.subjects.as_deref(),
        };
        changes = Some(diff::changes(previous, &later)?);
        hash.update(format!("\nprevious {}", previous.manifest_sha256));
    }
    if let Some(baseline) = baseline {
        known = Some(baseline::against(baseline, &report.assessment, &report.findings)?);
        hash.update(format!("\nbaseline {}", baseline.manifest_sha256));
    }
    if changes.is_some() || known.is_some() {
        report.assessment.run.digest = hex::encode(hash.finalize());
    }
    report.assessment.changes = changes;
    report.assessment.baseline = known;
    Ok(())
}

impl ProofError {
    pub(crate) fn at(place: &Path, message: impl Into<String>, help: impl Into<String>) -> ProofError {
        ProofError { place: place.display().to_string(), message: message.into(), help: help.into() }
    }

    pub(crate) fn unread(place: &Path, error: &std::io::Error) -> ProofError {
        let help = match error.kind() {
            std::io::ErrorKind::NotFound => "name a folder that regrant wrote a report into",
            std::io::ErrorKind::PermissionDenied => "ask for the right to read it",
            _ => "check the disk it lies on",
        };
        ProofError::at(place, format!("cannot be read: {error}"), help)
    }
}
