//! One file a verb. A verb returns what is to be printed; `main` prints it and exits.

pub mod audit;
pub mod demo;
pub mod diff;
pub mod draw;
pub mod explain;
pub mod facts;
pub mod hunt;
pub mod layout;
pub mod lint;
pub mod list;
pub mod map;
pub mod plan;
pub mod publish;
pub mod render;
pub mod replay;
pub mod sample;
pub mod sql;
pub mod summary;
pub mod verify;

use std::io::Write as _;
use std::path::Path;

use crate::assess::framework::{self, Framework};
use crate::assess::waiver::WaiverError;
use crate::check::catalogue::Catalogue;
use crate::cli::House;
use crate::config::{Config, ConfigError};
use crate::fact::Registry;
use crate::lake::script::ScriptError;
use crate::mappings::{Mappings, MappingsError};
use crate::proof::ProofError;
use crate::proof::replay::ReplayError;
use crate::publish::site::SiteError;
use crate::redact::KeyError;
use crate::render::folder::FolderError;
use crate::render::saved::SavedError;
use crate::render::{RenderError, UnknownFormat};
use crate::run::RunError;
use crate::source::mapping::MappingError;

/// What a verb has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// For standard output.
    pub text: String,
    /// For standard error, a line each; empty when asked to be quiet.
    pub notes: Vec<String>,
    /// The exit code.
    pub code: u8,
}

impl Said {
    /// Text, and nothing to complain about.
    pub fn plain(text: String) -> Said {
        Said { text, notes: Vec::new(), code: 0 }
    }
}

/// Why a verb could not do what was asked. Every one says what to do next in a line that begins with `help:`.
#[derive(Debug, thiserror::Error)]
pub enum VerbError {
    /// The config is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A waiver of the config is wrong.
    #[error(transparent)]
    Waiver(#[from] WaiverError),
    /// A mapping, check or framework file is wrong.
    #[error("{0}\n  help: {hint}", hint = .0.hint)]
    Mappings(#[from] MappingsError),
    /// A source mapping is wrong.
    #[error(transparent)]
    Source(#[from] MappingError),
    /// The audit could not run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The report could not be written.
    #[error("{0}\n  help: {hint}", hint = .0.hint())]
    Render(#[from] RenderError),
    /// The report's folder cannot be used.
    #[error("{0}\n  help: {hint}", hint = .0.hint())]
    Folder(#[from] FolderError),
    /// The report cannot be read back.
    #[error("{0}\n  help: {hint}", hint = .0.hint())]
    Saved(#[from] SavedError),
    /// There is no key for `--redact`.
    #[error("{0}\n  help: {hint}", hint = .0.hint())]
    Key(#[from] KeyError),
    /// The config names a format that nobody knows.
    #[error("{0}\n  help: {hint}", hint = .0.hint())]
    Format(#[from] UnknownFormat),
    /// A report cannot be computed again.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The site cannot be published to.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// A kept report, a key or what lies beside them cannot be used.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// A check or waiver cannot be said in another engine's SQL.
    #[error(transparent)]
    Script(#[from] Box<ScriptError>),
    /// A saved case cannot be used.
    #[error(transparent)]
    Case(#[from] crate::hunt::case::CaseError),
    /// Everything else.
    #[error("{message}\n  help: {help}")]
    Own {
        /// Place, what was found and what was expected.
        message: String,
        /// What to do next.
        help: String,
    },
}

impl VerbError {
    fn own(message: impl Into<String>, help: impl Into<String>) -> VerbError {
        VerbError::Own { message: message.into(), help: help.into() }
    }
}

/// What a house works with, all of it validated.
struct Knowledge {
    config: Config,
    mappings: Mappings,
    registry: Registry,
    catalogue: Catalogue,
    frameworks: Vec<Framework>,
}

impl Knowledge {
    fn load(house: &House) -> Result<Knowledge, VerbError> {
        let config = config(house)?;
        let mappings = Mappings::load(&config.mapping_folders(&house.mappings))?;
        let registry = Registry::new(&config.policy);
        let catalogue = Catalogue::load(&mappings, &registry)?;
        let frameworks = framework::load_all(&mappings, &catalogue, &registry)?;
        Ok(Knowledge { config, mappings, registry, catalogue, frameworks })
    }
}

/// The config that was named; the defaults when none was.
fn config(house: &House) -> Result<Config, VerbError> {
    Ok(house.config.as_deref().map(Config::load).transpose()?.unwrap_or_default())
}

/// Does the policy set severities only of checks that exist?
fn known_severities(config: &Config, catalogue: &Catalogue) -> Result<(), VerbError> {
    match config.policy.severity.keys().find(|id| catalogue.get(id).is_none()) {
        Some(unknown) => Err(RunError::Severity(unknown.clone()).into()),
        None => Ok(()),
    }
}

/// What a verb prints, or where that was written to when a file was named for it.
fn printed(text: String, file: Option<&Path>) -> Result<String, VerbError> {
    let Some(file) = file else { return Ok(text) };
    replaced(file, text.as_bytes())?;
    Ok(format!("written to {}\n", layout::shown(&file.to_string_lossy())))
}

/// Writes a file of its own aside, and then puts it in the place of an older one: nobody ever reads half of it.
fn replaced(file: &Path, bytes: &[u8]) -> Result<(), VerbError> {
    let place = layout::shown(&file.to_string_lossy());
    let write = || -> std::io::Result<()> {
        let mut aside = aside(file)?;
        aside.write_all(bytes)?;
        aside.as_file().sync_all()?;
        aside.persist(file).map_err(|error| error.error).map(|_| ())
    };
    write().map_err(|error| unwritable(&place, &error.to_string()))
}

fn unwritable(place: &str, cause: &str) -> VerbError {
    VerbError::own(
        format!("{place}: cannot be written: {cause}"),
        "name a file in a folder that you may write to with `-o`",
    )
}

/// A file beside the named one.
fn aside(file: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".regrant-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // What the user's umask leaves, as for any file a command makes; not the 0600 of temporary files.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}
