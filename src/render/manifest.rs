//! `manifest.json`: what the report folder holds and what it was computed from, each with size and digest.
//!
//! `self_sha256` is the SHA-256 of the manifest's own bytes with the value of that member left empty. To recompute it:
//!
//! ```sh
//! sed 's/^  "self_sha256": "[0-9a-f]*"/  "self_sha256": ""/' manifest.json | sha256sum
//! ```

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::report::model::{Assessment, Reference, Tool};

/// The file's name in the report folder.
pub const FILE: &str = "manifest.json";

/// The signature over the manifest's bytes, where the report was signed; the one file beside the manifest that it does not list.
pub const SIGNATURE: &str = "manifest.json.sig";

/// The name that marks a folder as ours.
pub const TOOL_NAME: &str = "regrant";

/// The manifest of one report.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// What wrote the report; `name` is always [`TOOL_NAME`].
    pub tool: Tool,
    /// The instant up to which the data was taken as known.
    pub as_of: String,
    /// The run digest: over input hashes, config, mappings, version and `as_of`.
    pub run_digest: String,
    /// Every other file of the folder, by path.
    pub files: Vec<FileEntry>,
    /// Every input that was read, in the order of the assessment.
    pub inputs: Vec<InputEntry>,
    /// Earlier reports that took part, such as the one that changes were worked out against: inputs like any other.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub reports: Vec<ReportEntry>,
    /// What a hunt went by; only there where a hunt wrote the folder.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hunt: Option<HuntEntry>,
    /// SHA-256 of this manifest with this member empty; see the module for how to recompute it.
    pub self_sha256: String,
}

/// What a hunt went by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HuntEntry {
    /// The version that read the exports; a case is told again by any.
    pub version: String,
    /// Over every source mapping, check and framework, as in an assessment.
    pub mappings_sha256: String,
    /// Over every pattern.
    pub patterns_sha256: String,
}

/// A file of the report folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Relative to the folder, with `/`.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// In lower-case hex.
    pub sha256: String,
}

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputEntry {
    /// As in `assessment.json`.
    pub path: String,
    /// Size on disk.
    pub bytes: u64,
    /// Records in it; only there where a hunt wrote the folder, which has no assessment to say so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub records: Option<u64>,
    /// Null when another algorithm or none was asked for.
    pub sha256: Option<String>,
    /// Only there with `--input-hash blake3`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub blake3: Option<String>,
}

/// An earlier report that took part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportEntry {
    /// `previous` or `baseline`.
    pub role: String,
    /// Its `as_of`.
    pub as_of: String,
    /// Its run digest.
    pub run_digest: String,
    /// SHA-256 of its manifest.
    pub manifest_sha256: String,
}

impl ReportEntry {
    fn of(role: &str, report: &Reference) -> ReportEntry {
        ReportEntry {
            role: role.to_owned(),
            as_of: report.as_of.clone(),
            run_digest: report.run_digest.clone(),
            manifest_sha256: report.manifest_sha256.clone(),
        }
    }
}

impl Manifest {
    /// The manifest of a folder that holds `files` (sorted here), of the run that `assessment` describes.
    #[must_use]
    pub fn of(assessment: &Assessment, mut files: Vec<FileEntry>) -> Manifest {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Manifest {
            tool: Tool { name: TOOL_NAME.to_owned(), version: assessment.tool.version.clone() },
            as_of: assessment.run.as_of.clone(),
            run_digest: assessment.run.digest.clone(),
            files,
            inputs: assessment
                .inputs
                .iter()
                .map(|input| InputEntry {
                    path: input.path.clone(),
                    bytes: input.bytes,
                    records: None,
                    sha256: input.sha256.clone(),
                    blake3: input.blake3.clone(),
                })
                .collect(),
            reports: assessment
                .changes
                .iter()
                .map(|changes| ReportEntry::of("previous", &changes.previous))
                .chain(assessment.baseline.iter().map(|baseline| ReportEntry::of("baseline", &baseline.reference)))
                .collect(),
            hunt: None,
            self_sha256: String::new(),
        }
    }

    /// The file's text, with `self_sha256` computed whatever it held.
    ///
    /// # Errors
    /// None that can happen: a manifest is strings and numbers.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        let mut manifest = Manifest { self_sha256: String::new(), ..self.clone() };
        manifest.self_sha256 = hex::encode(Sha256::digest(manifest.pretty()?));
        manifest.pretty()
    }

    fn pretty(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}

/// Passes bytes on and keeps their number and digest.
pub struct Digesting<W> {
    inner: W,
    sha256: Sha256,
    bytes: u64,
}

impl<W: Write> Digesting<W> {
    /// Counts and digests what is written to `inner`.
    pub fn new(inner: W) -> Digesting<W> {
        Digesting { inner, sha256: Sha256::new(), bytes: 0 }
    }

    /// The entry for what was written, under `path`, and the writer.
    pub fn finish(self, path: &str) -> (FileEntry, W) {
        let entry = FileEntry { path: path.to_owned(), bytes: self.bytes, sha256: hex::encode(self.sha256.finalize()) };
        (entry, self.inner)
    }
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.sha256.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::model::Input;

    #[test]
    fn the_digest_of_itself_is_over_itself_with_that_member_empty() {
        let mut assessment = Assessment::default();
        assessment.inputs.push(Input {
            path: "x\n  \"self_sha256\": \"00\"\u{202e}".to_owned(),
            blake3: Some("b3".to_owned()),
            ..Input::default()
        });
        let entry = |path: &str| FileEntry { path: path.to_owned(), bytes: 3, sha256: "aa".to_owned() };
        let text = Manifest::of(&assessment, vec![entry("z"), entry("a")]).text().expect("JSON");
        assert!(text.ends_with("}\n"));
        let member = regex::Regex::new("(?m)^  \"self_sha256\": \"([0-9a-f]*)\"").expect("a pattern");
        assert_eq!(member.captures_iter(&text).count(), 1, "no path can pass for the member");
        let found = member.captures(&text).expect("the member")[1].to_owned();
        let emptied = member.replace(&text, "  \"self_sha256\": \"\"");
        assert_eq!(found, hex::encode(Sha256::digest(emptied.as_bytes())));
        let back: Manifest = serde_json::from_str(&text).expect("a manifest");
        assert_eq!(back.files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["a", "z"]);
        assert_eq!(back.inputs[0].blake3.as_deref(), Some("b3"));
        assert_eq!(back.tool.name, "regrant");
    }
}
