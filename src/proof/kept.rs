//! A report folder, read again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::ProofError;
use crate::config::Config;
use crate::render::assessment;
use crate::render::manifest::{self, Manifest};
use crate::report::model::{Assessment, Finding, Reference, Subject};

/// Which subject: kind, folded system, id.
pub type SubjectKey = (String, String, String);

/// A report that was written earlier: its manifest and its assessment. Findings and subjects are read when asked for.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The folder.
    pub folder: PathBuf,
    /// Its manifest.
    pub manifest: Manifest,
    /// SHA-256 of the manifest's bytes.
    pub manifest_sha256: String,
    /// What it says.
    pub assessment: Assessment,
}

impl Kept {
    /// Reads manifest and assessment. Whether they are untouched is [`super::verify`]'s.
    ///
    /// # Errors
    /// When one of them is missing or is not ours.
    pub fn open(folder: &Path) -> Result<Kept, ProofError> {
        let place = folder.join(manifest::FILE);
        let bytes = fs::read(&place).map_err(|error| ProofError::unread(&place, &error))?;
        let manifest = read_manifest(&place, &bytes)?;
        let place = folder.join("assessment.json");
        let text = fs::read(&place).map_err(|error| ProofError::unread(&place, &error))?;
        let assessment = assessment::read_json(&text).map_err(|error| {
            ProofError::at(
                &place,
                format!("is no assessment: {error}"),
                "`regrant verify` tells whether it was altered",
            )
        })?;
        Ok(Kept {
            folder: folder.to_owned(),
            manifest,
            manifest_sha256: hex::encode(Sha256::digest(&bytes)),
            assessment,
        })
    }

    /// What another report says of this one.
    pub fn reference(&self) -> Reference {
        let run = &self.assessment.run;
        Reference {
            as_of: run.as_of.clone(),
            since: run.since.clone(),
            until: run.until.clone(),
            version: self.assessment.tool.version.clone(),
            run_digest: run.digest.clone(),
            manifest_sha256: self.manifest_sha256.clone(),
        }
    }

    /// Every finding, in report order.
    ///
    /// # Errors
    /// When `findings.jsonl` is missing or a line of it is no finding.
    pub fn findings(&self) -> Result<Vec<Finding>, ProofError> {
        let place = self.folder.join("findings.jsonl");
        let file = File::open(&place).map_err(|error| ProofError::unread(&place, &error))?;
        let mut findings = Vec::new();
        for (number, line) in BufReader::with_capacity(1 << 18, file).lines().enumerate() {
            let line = line.map_err(|error| ProofError::unread(&place, &error))?;
            findings.push(serde_json::from_str(&line).map_err(|error| not_a(&place, number, "finding", &error))?);
        }
        Ok(findings)
    }

    /// Every subject for which `wanted` holds, in report order; null when the report keeps none.
    ///
    /// # Errors
    /// When `subjects.jsonl.zst` cannot be read or a line of it is no subject.
    pub fn subjects(&self, wanted: &dyn Fn(&Named<'_>) -> bool) -> Result<Option<Vec<Subject>>, ProofError> {
        let place = self.folder.join("subjects.jsonl.zst");
        let file = match File::open(&place) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(ProofError::unread(&place, &error)),
        };
        let frame = zstd::Decoder::new(file).map_err(|error| ProofError::unread(&place, &error))?;
        let mut lines = BufReader::with_capacity(1 << 18, frame);
        let (mut subjects, mut line, mut number) = (Vec::new(), String::new(), 0);
        loop {
            line.clear();
            if lines.read_line(&mut line).map_err(|error| ProofError::unread(&place, &error))? == 0 {
                return Ok(Some(subjects));
            }
            let named: Named<'_> =
                serde_json::from_str(&line).map_err(|error| not_a(&place, number, "subject", &error))?;
            if wanted(&named) {
                subjects.push(serde_json::from_str(&line).map_err(|error| not_a(&place, number, "subject", &error))?);
            }
            number += 1;
        }
    }

    /// Those of `keys` that the report has as subjects; null when it keeps none.
    ///
    /// # Errors
    /// As [`Kept::subjects`].
    pub fn subjects_of(&self, keys: &BTreeSet<SubjectKey>) -> Result<Option<Vec<Subject>>, ProofError> {
        self.subjects(&|named| {
            keys.contains(&(named.subject_kind.to_string(), named.system.to_string(), named.subject.to_string()))
        })
    }

    /// The effective config of the run.
    ///
    /// # Errors
    /// When `run.toml` is missing or this version does not understand it.
    pub fn config(&self) -> Result<Config, ProofError> {
        let place = self.folder.join("run.toml");
        Config::load(&place).map_err(|error| ProofError::at(&place, error.message, error.help))
    }

    /// Files of the folder by their path with `/`, the manifest left out.
    pub fn listed(&self) -> BTreeMap<&str, &manifest::FileEntry> {
        self.manifest.files.iter().map(|file| (file.path.as_str(), file)).collect()
    }
}

/// The members of a subject that name it.
#[derive(Debug, Deserialize)]
pub struct Named<'a> {
    /// `reset` or `credential`.
    #[serde(borrow)]
    pub subject_kind: std::borrow::Cow<'a, str>,
    /// `event_id` or `credential_id`.
    #[serde(borrow)]
    pub subject: std::borrow::Cow<'a, str>,
    /// Folded.
    #[serde(borrow)]
    pub system: std::borrow::Cow<'a, str>,
}

fn not_a(place: &Path, index: usize, what: &str, error: &serde_json::Error) -> ProofError {
    ProofError::at(
        place,
        format!("line {} is no {what}: {error}", index + 1),
        "`regrant verify` tells whether the report was altered",
    )
}

/// A manifest of ours.
pub(super) fn read_manifest(place: &Path, bytes: &[u8]) -> Result<Manifest, ProofError> {
    let manifest: Manifest = serde_json::from_slice(bytes).map_err(|error| {
        ProofError::at(place, format!("is no manifest: {error}"), "name a report folder of regrant")
    })?;
    if manifest.tool.name == manifest::TOOL_NAME {
        Ok(manifest)
    } else {
        let message = format!("is the manifest of {:?}, not of regrant", manifest.tool.name);
        Err(ProofError::at(place, message, "name a report folder of regrant"))
    }
}

/// Size and SHA-256 of a file.
pub(crate) fn digest(path: &Path) -> std::io::Result<(u64, String)> {
    let (mut file, mut hash, mut bytes) = (File::open(path)?, Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 18];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((bytes, hex::encode(hash.finalize())));
        }
        hash.update(&buffer[..read]);
        bytes += read as u64;
    }
}
