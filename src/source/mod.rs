//! From named paths to canonical rows: inventory, recognition, reading, accounting.
//!
//! Every record read ends in exactly one counted place. What is left to others: what the rows mean together
//! ([`crate::settle`]), who is who ([`crate::identity`]).

pub mod accounting;
mod archive;
pub mod carrier;
pub mod chunk;
pub mod clock;
pub mod container;
mod delimited;
mod element;
mod evtx;
pub mod excerpt;
pub mod inventory;
pub mod json;
mod ldif;
pub mod lines;
pub mod mapping;
mod parquet;
mod pump;
pub mod read;
mod siblings;
mod syslog;
mod xml;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use accounting::{Fate, Input, RejectedRecord};
pub use inventory::{Inventory, Recognised, SITE_MARKER, Trust};
pub use read::{Digest, Reading, read_all, read_hashing};

/// Why reading stopped the run.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A path that is not there or cannot be opened.
    #[error("{}: {cause}\n  help: {hint}", .path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        cause: String,
        /// What to do.
        hint: String,
    },
    /// A file named on the command line or in the config that no mapping recognises.
    #[error("{}: {found}\n  help: {hint}", .path.display())]
    Unrecognised {
        /// Which.
        path: PathBuf,
        /// What it looks like.
        found: String,
        /// What to do.
        hint: String,
    },
    /// An `[[input]]` of the config that matches no file.
    #[error("{}: line {line}: [[input]] path = \"{glob}\" matches no file\n  help: correct the glob (it is relative to the config's folder), or add `optional = true`", .config.display())]
    UnmatchedInput {
        /// The config.
        config: PathBuf,
        /// Where in it.
        line: usize,
        /// The glob.
        glob: String,
    },
    /// A file that was taken for one like its siblings by its name, and is not: all have to be looked at.
    #[error("{}: it is not like the files whose names differ from its in digits alone\n  help: leave it out", .0.display())]
    Unlike(PathBuf),
    /// A source mapping does not load.
    #[error("{0}")]
    Mapping(String),
}

/// Members of an archive, and of the archives in it, as an audit names and hashes them: label → where it was unpacked to.
/// `label` is what the archive itself is called.
///
/// # Errors
/// The archive is damaged, or unpacks to more than the limit.
pub fn members(archive: &Path, label: &str, into: &Path) -> std::io::Result<BTreeMap<String, PathBuf>> {
    let unpacked = archive::unpack(archive, label, into)?;
    Ok(unpacked.members.into_iter().map(|member| (member.label, member.disk)).collect())
}
