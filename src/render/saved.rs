//! A report folder read back, so that further formats can be written from it without the inputs.
//!
//! What the manifest lists is held against it first: a report that somebody changed is not rendered again as if nobody
//! had.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::folder::{FolderError, Published, Staging};
use super::manifest::{self, FileEntry, Manifest};
use super::{Bundle, FORMATS, Format, Formats, HtmlRenderer, RenderError, When};
use crate::report::model::{Assessment, Finding, SCHEMA_VERSION};

/// Why a folder cannot be rendered again.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// It has no manifest of ours.
    #[error("{}: holds no report of regrant: {why}", path.display())]
    NoReport {
        /// The folder.
        path: PathBuf,
        /// What is wrong with its manifest.
        why: String,
    },
    /// A file of it cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file of it is not what the manifest says.
    #[error("{}: is not as the manifest has it: {why}", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// What differs.
        why: String,
    },
    /// A file of it does not parse.
    #[error("{}: {why}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        why: String,
    },
    /// The report is of a version of the model that we do not know.
    #[error("{}: has schema version {found}, this program writes {SCHEMA_VERSION}", path.display())]
    OtherVersion {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: u32,
    },
}

impl SavedError {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            SavedError::NoReport { .. } => {
                "name the folder that `regrant audit` wrote, with its manifest.json".to_owned()
            }
            SavedError::Unreadable { .. } => {
                "a report is rendered from all of its files: copy the whole folder".to_owned()
            }
            SavedError::Changed { .. } | SavedError::Malformed { .. } => {
                "take the folder as it was written, or audit the inputs again".to_owned()
            }
            SavedError::OtherVersion { .. } => {
                "render it with the version that wrote it; manifest.json names it".to_owned()
            }
        }
    }
}

/// A report folder, read back.
pub struct Saved {
    /// Where it lies.
    pub path: PathBuf,
    /// What its manifest says.
    pub manifest: Manifest,
    /// What the report says.
    pub assessment: Assessment,
    /// Every finding, in report order.
    pub findings: Vec<Finding>,
}

impl Saved {
    /// Reads a report and holds every file of it against its manifest.
    ///
    /// # Errors
    /// When it is no report, is incomplete, was changed, or is of another version of the model.
    pub fn open(path: &Path) -> Result<Saved, SavedError> {
        let no_report = |why: String| SavedError::NoReport { path: path.to_owned(), why };
        let text = fs::read(path.join(manifest::FILE)).map_err(|e| no_report(format!("{}: {e}", manifest::FILE)))?;
        let manifest: Manifest =
            serde_json::from_slice(&text).map_err(|e| no_report(format!("{}: {e}", manifest::FILE)))?;
        if manifest.tool.name != manifest::TOOL_NAME {
            return Err(no_report(format!("its manifest is of `{}`", manifest.tool.name.escape_debug())));
        }
        for file in &manifest.files {
            as_listed(path, file)?;
        }
        let assessment: Assessment = parse(path, "assessment.json")?;
        if assessment.schema_version != SCHEMA_VERSION {
            return Err(SavedError::OtherVersion {
                path: path.join("assessment.json"),
                found: assessment.schema_version,
            });
        }
        let findings = findings(path)?;
        Ok(Saved { path: path.to_owned(), manifest, assessment, findings })
    }

    /// The formats that were asked for when it was written, or since.
    pub fn formats(&self) -> Formats {
        let there = |format: &&Format| self.manifest.files.iter().any(|file| file.path == format.file);
        let asked = FORMATS.iter().filter(|format| format.when == When::Asked).filter(there);
        Formats { ids: asked.map(|format| format.id).collect(), ..Formats::none() }
    }

    /// The effective config that the report was made with.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn run_toml(&self) -> Result<String, SavedError> {
        let path = self.path.join("run.toml");
        fs::read_to_string(&path).map_err(|source| SavedError::Unreadable { path, source })
    }
}

fn as_listed(folder: &Path, file: &FileEntry) -> Result<(), SavedError> {
    let path = folder.join(&file.path);
    let unreadable = |source| SavedError::Unreadable { path: path.clone(), source };
    let mut opened = fs::File::open(&path).map_err(unreadable)?;
    let mut sha256 = Sha256::new();
    let mut bytes = 0_u64;
    let mut buffer = vec![0; 1 << 18];
    loop {
        let n = opened.read(&mut buffer).map_err(unreadable)?;
        if n == 0 {
            break;
        }
        bytes += n as u64;
        sha256.update(&buffer[..n]);
    }
    let why = if bytes != file.bytes {
        format!("{bytes} bytes, not {}", file.bytes)
    } else if hex::encode(sha256.finalize()) != file.sha256 {
        "another SHA-256".to_owned()
    } else {
        return Ok(());
    };
    Err(SavedError::Changed { path, why })
}

fn parse<T: serde::de::DeserializeOwned>(folder: &Path, name: &str) -> Result<T, SavedError> {
    let path = folder.join(name);
    let bytes = fs::read(&path).map_err(|source| SavedError::Unreadable { path: path.clone(), source })?;
    serde_json::from_slice(&bytes).map_err(|e| SavedError::Malformed { path, why: e.to_string() })
}

fn findings(folder: &Path) -> Result<Vec<Finding>, SavedError> {
    let path = folder.join("findings.jsonl");
    let bytes = fs::read(&path).map_err(|source| SavedError::Unreadable { path: path.clone(), source })?;
    let lines = bytes.split(|byte| *byte == b'\n').zip(1_u64..).filter(|(line, _)| !line.is_empty());
    lines
        .map(|(line, number)| {
            serde_json::from_slice(line)
                .map_err(|e| SavedError::Malformed { path: path.clone(), why: format!("line {number}: {e}") })
        })
        .collect()
}

/// Writes a saved report again with the formats asked for: what an audit of the same inputs with those formats would
/// have written, byte by byte. Files that no renderer makes are taken over as they are.
///
/// # Errors
/// When a file cannot be read or written, or a format cannot be rendered.
pub fn write(
    saved: &Saved,
    formats: Formats,
    html: HtmlRenderer<'_>,
    run_toml: &str,
    staging: Staging,
) -> Result<Published, RenderError> {
    let mut files = Vec::new();
    for file in &saved.manifest.files {
        if file.path == "run.toml" {
            files.push(super::write_file(&staging, &file.path, |out| Ok(out.write_all(run_toml.as_bytes())?))?);
        } else if !FORMATS.iter().any(|format| format.when == When::Asked && format.file == file.path) {
            let from = saved.path.join(&file.path);
            let mut source = fs::File::open(&from).map_err(|e| FolderError::io(&from, "read this file", e))?;
            let copy = |out: super::Output<'_>| Ok(io::copy(&mut source, out).map(|_bytes| ())?);
            files.push(super::write_file(&staging, &file.path, copy)?);
        }
    }
    let bundle = Bundle {
        assessment: &saved.assessment,
        findings: &saved.findings,
        rejected: &[],
        subjects: None,
        run_toml,
        mapping_files: Vec::new(),
        formats,
        html: Some(html),
    };
    let asked: Vec<&Format> =
        FORMATS.iter().filter(|format| format.when == When::Asked && bundle.formats.contains(format.id)).collect();
    files.extend(super::render_all(&bundle, &staging, &asked)?);
    super::write_manifest(&bundle, &staging, files)?;
    Ok(staging.publish()?)
}
