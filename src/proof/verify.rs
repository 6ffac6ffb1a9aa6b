//! Is a report as it was written? Every file against the manifest, the manifest against itself, inputs against both.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::ProofError;
use super::kept::{digest, read_manifest};
use crate::render::folder;
use crate::render::manifest::{self, InputEntry, Manifest};
use crate::source::members;

/// What is not as the manifest says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The manifest is not what was written: its own digest does not fit, or it cannot be read.
    Manifest(String),
    /// The file has other bytes.
    Altered(String, String),
    /// The manifest lists it, and it is not there.
    Missing(String),
    /// It is there, and the manifest does not list it.
    Added(String),
    /// An input has other bytes than those that were read.
    InputAltered(String, String),
    /// An input that was read is not in the folder that was named.
    InputMissing(String),
}

/// What was looked at and what was found.
#[derive(Clone, Debug, Default)]
pub struct Verified {
    /// The manifest, where it could be read; null when it could not.
    pub manifest: Option<Manifest>,
    /// The manifest's bytes: what a signature is over.
    pub manifest_bytes: Vec<u8>,
    /// Files whose digest fits.
    pub sound: u64,
    /// Inputs whose digest fits; null when no folder of inputs was named.
    pub inputs_sound: Option<u64>,
    /// Inputs of which the manifest has no digest (`--input-hash none`), by path.
    pub inputs_unhashed: Vec<String>,
    /// Everything that is not as it was written, in order.
    pub faults: Vec<Fault>,
}

/// Looks at every file of a report folder and, where `inputs` is named, at every input.
///
/// # Errors
/// When the folder has no manifest or is not readable; whatever else is wrong is a [`Fault`].
pub fn verify(report: &Path, inputs: Option<&Path>) -> Result<Verified, ProofError> {
    let place = report.join(manifest::FILE);
    let bytes = fs::read(&place).map_err(|error| ProofError::unread(&place, &error))?;
    let mut out = Verified { inputs_sound: inputs.map(|_| 0), ..Verified::default() };
    if let Err(why) = own_digest(&bytes) {
        out.faults.push(Fault::Manifest(why));
    }
    let manifest = match read_manifest(&place, &bytes) {
        Ok(manifest) => manifest,
        Err(error) => {
            out.faults.push(Fault::Manifest(error.message));
            out.manifest_bytes = bytes;
            return Ok(out);
        }
    };
    out.manifest_bytes = bytes;
    for file in &manifest.files {
        match look(report, &file.path) {
            Ok((size, _)) if size != file.bytes => {
                let why = format!("{size} bytes, {} were written", file.bytes);
                out.faults.push(Fault::Altered(file.path.clone(), why));
            }
            Ok((_, sha256)) if sha256 != file.sha256 => {
                out.faults.push(Fault::Altered(file.path.clone(), "its SHA-256 is another".to_owned()));
            }
            Ok(_) => out.sound += 1,
            Err(Unseen::Missing) => out.faults.push(Fault::Missing(file.path.clone())),
            Err(Unseen::Not(why)) => out.faults.push(Fault::Altered(file.path.clone(), why)),
        }
    }
    let known: BTreeSet<&str> = manifest.files.iter().map(|file| file.path.as_str()).collect();
    let there = folder::contents(report).map_err(|error| ProofError::unread(report, &error))?;
    out.faults.extend(there.into_iter().filter(|path| !known.contains(path.as_str())).map(Fault::Added));
    if let Some(folder) = inputs {
        let mut folder = Inputs::of(folder);
        for input in &manifest.inputs {
            match folder.as_read(input) {
                Ok(true) => out.inputs_sound = out.inputs_sound.map(|n| n + 1),
                Ok(false) => out.inputs_unhashed.push(input.path.clone()),
                Err(fault) => out.faults.push(fault),
            }
        }
    }
    out.manifest = Some(manifest);
    out.faults.sort();
    Ok(out)
}

/// A folder of inputs, with the archives in it that were looked into.
pub(super) struct Inputs<'a> {
    folder: &'a Path,
    scratch: Option<tempfile::TempDir>,
    /// By archive: where each member was unpacked to, or why it was not.
    opened: BTreeMap<String, Result<BTreeMap<String, PathBuf>, String>>,
}

impl<'a> Inputs<'a> {
    pub(super) fn of(folder: &'a Path) -> Inputs<'a> {
        Inputs { folder, scratch: None, opened: BTreeMap::new() }
    }

    /// Does an input have the bytes that were read? `Ok(false)`: its size fits, and no digest was kept.
    pub(super) fn as_read(&mut self, input: &InputEntry) -> Result<bool, Fault> {
        let found = match look(self.folder, &input.path) {
            // A member of an archive, unless a file is really called so.
            Err(Unseen::Missing) => self.member(&input.path),
            Ok(found) => Ok((self.folder.join(&input.path), found)),
            Err(other) => Err(other),
        };
        let (place, (size, sha256)) = match found {
            Ok(found) => found,
            Err(Unseen::Missing) => return Err(Fault::InputMissing(input.path.clone())),
            Err(Unseen::Not(why)) => return Err(Fault::InputAltered(input.path.clone(), why)),
        };
        let altered = |why: String| Err(Fault::InputAltered(input.path.clone(), why));
        if size != input.bytes {
            return altered(format!("{size} bytes, {} were read", input.bytes));
        }
        match (&input.sha256, &input.blake3) {
            (Some(expected), _) if *expected != sha256 => altered("its SHA-256 is another".to_owned()),
            (Some(_), _) => Ok(true),
            (None, Some(expected)) => {
                let mut hash = blake3::Hasher::new();
                let read = fs::File::open(place).and_then(|mut file| std::io::copy(&mut file, &mut hash));
                match read {
                    Ok(_) if hash.finalize().to_hex().as_str() == expected => Ok(true),
                    Ok(_) => altered("its BLAKE3 is another".to_owned()),
                    Err(error) => altered(format!("cannot be read: {error}")),
                }
            }
            (None, None) => Ok(false),
        }
    }

    /// A member such as `exports.zip!/okta.json`, unpacked once for all members of its archive.
    fn member(&mut self, path: &str) -> Result<(PathBuf, (u64, String)), Unseen> {
        let Some(archive) = archive_of(self.folder, path) else { return Err(Unseen::Missing) };
        if !self.opened.contains_key(archive) {
            let members = self.open(archive).map_err(|error| format!("{archive} cannot be opened: {error}"));
            self.opened.insert(archive.to_owned(), members);
        }
        let place = match self.opened.get(archive) {
            Some(Ok(members)) => members.get(path).ok_or(Unseen::Missing)?,
            Some(Err(why)) => return Err(Unseen::Not(why.clone())),
            None => return Err(Unseen::Missing),
        };
        let found = digest(place).map_err(|error| Unseen::Not(format!("cannot be read: {error}")))?;
        Ok((place.clone(), found))
    }

    fn open(&mut self, archive: &str) -> std::io::Result<BTreeMap<String, PathBuf>> {
        let scratch = match &mut self.scratch {
            Some(scratch) => scratch,
            none => none.insert(tempfile::Builder::new().prefix("regrant-").tempdir()?),
        };
        members(&self.folder.join(archive), archive, scratch.path())
    }
}

/// The file that a path with `!/` is a member of; null where there is none.
pub(super) fn archive_of<'p>(folder: &Path, path: &'p str) -> Option<&'p str> {
    path.match_indices("!/")
        .filter_map(|(at, _)| path.get(..at))
        .find(|archive| folder::is_plain(archive) && folder.join(archive).is_file())
}

enum Unseen {
    Missing,
    Not(String),
}

fn look(within: &Path, path: &str) -> Result<(u64, String), Unseen> {
    // A manifest that was tampered with must not make us read elsewhere.
    if !folder::is_plain(path) {
        return Err(Unseen::Not("its path leaves the folder".to_owned()));
    }
    let place = within.join(path);
    match fs::symlink_metadata(&place) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(Unseen::Missing),
        Err(error) => return Err(Unseen::Not(format!("cannot be read: {error}"))),
        Ok(found) if found.is_dir() => return Err(Unseen::Not("is a folder".to_owned())),
        Ok(_) => {}
    }
    digest(&place).map_err(|error| Unseen::Not(format!("cannot be read: {error}")))
}

/// The digest that the manifest has of itself, over its own bytes: so whatever a later version adds is covered as well.
fn own_digest(bytes: &[u8]) -> Result<(), String> {
    const MEMBER: &[u8] = b"\n  \"self_sha256\": \"";
    let Some(at) = memchr::memmem::find(bytes, MEMBER).map(|at| at + MEMBER.len()) else {
        return Err("it has no digest of itself".to_owned());
    };
    let Some(length) = memchr::memchr(b'"', &bytes[at..]) else {
        return Err("its digest of itself does not end".to_owned());
    };
    let mut hash = Sha256::new();
    hash.update(&bytes[..at]);
    hash.update(&bytes[at + length..]);
    if hex::encode(hash.finalize()).as_bytes() == &bytes[at..at + length] {
        Ok(())
    } else {
        Err("its digest of itself is another".to_owned())
    }
}
