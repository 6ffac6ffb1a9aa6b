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

use std::path::PathBuf;

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

    fn shipped_and(folders: &[PathBuf]) -> Result<Knowledge, VerbError> {
        Knowledge::load(&House { config: None, mappings: folders.to_vec() })
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
