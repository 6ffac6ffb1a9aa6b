//! `regrant.toml`: what the user may say about a run, read, checked and completed with the defaults.
//!
//! Everything here is decided from the text of the config alone. Left to others: whether a mapping, a check or a fact of that name exists,
//! whether an input glob matches a file, and whether two names of a waiver are one identity.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use chrono_tz::{TZ_VARIANTS, Tz};
use globset::{GlobBuilder, GlobMatcher};
use toml::de::DeTable;

use crate::check::Severity;
use crate::time::{self, DAY, HOUR, MINUTE, SECOND};

mod document;
mod policy;
mod read;
mod written;

#[cfg(test)]
mod tests;

pub use policy::Policy;
pub(crate) use read::parse_age;

use document::*;
use policy::*;
use read::*;

/// The names that `formats` and `--format` take. `csv`, `jsonl` and `json` are always written: naming them changes nothing.
pub const FORMATS: [&str; 13] =
    ["html", "markdown", "xlsx", "sarif", "ocsf", "oscal", "hdf", "junit", "parquet", "csv", "jsonl", "json", "all"];

/// Who the page is for: order and depth differ, the data does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// Judges controls: everything unfolded, in the order of an opinion.
    #[default]
    Reviewer,
    /// Follows one account: identities, findings and patterns first.
    Responder,
    /// Decides what is done: the verdict, whom it concerns and patterns; the rest folded.
    Executive,
}

impl View {
    /// All three, the default first.
    pub const ALL: [View; 3] = [View::Reviewer, View::Responder, View::Executive];

    /// What `view` and `--view` call it.
    pub fn as_str(self) -> &'static str {
        match self {
            View::Reviewer => "reviewer",
            View::Responder => "responder",
            View::Executive => "executive",
        }
    }
}

const TOP: [&str; 15] = [
    "as_of",
    "since",
    "until",
    "title",
    "timezone",
    "fail_on",
    "formats",
    "view",
    "mappings",
    "config_at",
    "inputs_at",
    "input",
    "coverage",
    "policy",
    "waiver",
];
const INPUT: [&str; 10] = [
    "path",
    "mapping",
    "timezone",
    "snapshot",
    "system",
    "time_format",
    "date_order",
    "max_age",
    "expected_records",
    "optional",
];
const COVERAGE: [&str; 3] = ["system", "since", "until"];
const WAIVER: [&str; 8] = ["id", "checks", "where", "reason", "requested_by", "approved_by", "starts_on", "expires_on"];
const WEEKDAYS: [(&str, &str); 7] = [
    ("mon", "monday"),
    ("tue", "tuesday"),
    ("wed", "wednesday"),
    ("thu", "thursday"),
    ("fri", "friday"),
    ("sat", "saturday"),
    ("sun", "sunday"),
];
const SEVERITIES: [(&str, Severity); 5] = [
    ("critical", Severity::Critical),
    ("high", Severity::High),
    ("medium", Severity::Medium),
    ("low", Severity::Low),
    ("info", Severity::Info),
];
const DATE_ORDERS: [(&str, DateOrder); 3] = [("dmy", DateOrder::Dmy), ("mdy", DateOrder::Mdy), ("ymd", DateOrder::Ymd)];

/// Why a config cannot be used: the place, what was found and expected, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}\n  help: {help}", place(path, *line, *column))]
pub struct ConfigError {
    /// The config as it was named.
    pub path: PathBuf,
    /// 1-based; 0 when the file could not be read at all.
    pub line: usize,
    /// 1-based, in characters; 0 when the file could not be read at all.
    pub column: usize,
    /// What was found and what was expected.
    pub message: String,
    /// What to do next.
    pub help: String,
}

fn place(path: &Path, line: usize, column: usize) -> String {
    match line {
        0 => path.display().to_string(),
        _ => format!("{}:{line}:{column}", path.display()),
    }
}

/// The validated config, or the defaults when there is none.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file it was read from; `None` without one.
    pub path: Option<PathBuf>,
    /// The folder that `[[input]] path` and `mappings` are relative to: that of the config, else the working folder.
    pub base: PathBuf,
    /// The text as it was read; empty without a config.
    pub text: String,
    /// The instant of judgement, in microseconds; `None`: the time the program started.
    pub as_of: Option<i64>,
    /// Start of the period, inclusive, in microseconds; `None`: unbounded.
    pub since: Option<i64>,
    /// End of the period, exclusive, in microseconds; `None`: unbounded.
    pub until: Option<i64>,
    /// Title of the report; `None`: the report's own.
    pub title: Option<String>,
    /// The organisation's zone; `None`: not given, dates use UTC and office hours are not known.
    pub timezone: Option<Tz>,
    /// The least severity that makes the run exit with 10; `None`: no finding does.
    pub fail_on: Option<Severity>,
    /// Names out of [`FORMATS`], in the order given.
    pub formats: Vec<String>,
    /// Who the page is for.
    pub view: View,
    /// Mapping folders as written; [`Config::mapping_folders`] resolves them.
    pub mappings: Vec<PathBuf>,
    /// Where config and inputs lay when globs were first matched; `None`: they lie where they are found.
    pub placed: Option<Placed>,
    /// `[[input]]` in config order; the first that matches a file wins whole.
    pub inputs: Vec<InputRule>,
    /// `[[coverage]]`: which time the inputs of a system are about.
    pub coverage: Vec<CoverageRule>,
    /// Thresholds, lists and tables of `[policy]`, defaults included.
    pub policy: Policy,
    /// `[[waiver]]` in config order.
    pub waivers: Vec<WaiverRule>,
}

/// Where the config's folder and the folder common to all inputs lay, each seen from the deepest folder common to both, with `/`. `run.toml`
/// holds it, so that the globs of `[[input]]` match the same files when it is used from elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placed {
    /// The folder that globs are relative to; empty where it contains the inputs.
    pub config_at: String,
    /// The folder that paths of inputs are relative to; empty where it contains the config.
    pub inputs_at: String,
}

/// The order of day, month and year in a vendor's numeric dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateOrder {
    /// 31/12/2026.
    Dmy,
    /// 12/31/2026.
    Mdy,
    /// 2026/12/31.
    Ymd,
}

impl DateOrder {
    /// As the config spells it.
    pub fn name(self) -> &'static str {
        DATE_ORDERS.iter().find(|(_, order)| *order == self).map_or("", |(name, _)| name)
    }
}

/// One `[[input]]`: what the content of a file cannot tell.
#[derive(Clone, Debug)]
pub struct InputRule {
    /// The glob as written.
    pub path: String,
    /// The glob, relative to [`Config::base`]; `*` crosses `/`.
    pub matcher: GlobMatcher,
    /// Id of the source mapping; `None`: recognised.
    pub mapping: Option<String>,
    /// Zone of naive instants; `None`: UTC is assumed, and the report says so.
    pub timezone: Option<Tz>,
    /// The date the export stands for; `None`: not a dated snapshot.
    pub snapshot: Option<NaiveDate>,
    /// Folded name of the system for records that do not say it; `None`: the mapping's.
    pub system: Option<String>,
    /// How this file writes instants; `None`: as its mapping says.
    pub time_format: Option<String>,
    /// Order of numeric dates; `None`: as its mapping says.
    pub date_order: Option<DateOrder>,
    /// The longest time, in microseconds, that the newest record may lie before `as_of`; `None`: any.
    pub max_age: Option<i64>,
    /// The control total: how many records the file must hold; `None`: not stated.
    pub expected_records: Option<u64>,
    /// Whether the glob may match no file.
    pub optional: bool,
    /// 1-based line of the rule.
    pub line: usize,
}

/// One `[[coverage]]`: the time that the inputs of a system are known to be about, whatever their records show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoverageRule {
    /// The system, folded.
    pub system: String,
    /// From when; null is since ever.
    pub since: Option<i64>,
    /// Until when, exclusive; null is `as_of`.
    pub until: Option<i64>,
}

/// One `[[waiver]]`: a declared exception. All keys are needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaiverRule {
    /// Unique among the waivers.
    pub id: String,
    /// Ids of the checks it waives, at least one; whether they exist is checked elsewhere.
    pub checks: Vec<String>,
    /// The predicate over facts and finding columns, unparsed.
    pub where_: String,
    /// Why.
    pub reason: String,
    /// Who asked for it.
    pub requested_by: String,
    /// Who granted it: another text than `requested_by`; whether another identity is checked elsewhere.
    pub approved_by: String,
    /// First day in force, of the organisation's zone.
    pub starts_on: NaiveDate,
    /// Last day in force; not before `starts_on`.
    pub expires_on: NaiveDate,
    /// 1-based line of the rule.
    pub line: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            path: None,
            base: PathBuf::from("."),
            text: String::new(),
            as_of: None,
            since: None,
            until: None,
            title: None,
            timezone: None,
            fail_on: None,
            formats: vec!["html".to_owned()],
            view: View::default(),
            mappings: Vec::new(),
            placed: None,
            inputs: Vec::new(),
            coverage: Vec::new(),
            policy: Policy::default(),
            waivers: Vec::new(),
        }
    }
}

impl Config {
    /// Reads and validates a config file.
    ///
    /// # Errors
    /// When it cannot be read, is not UTF-8 or TOML, or says what the documentation does not allow: the first fault, with its place.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        let unread = |message: String, help: &str| ConfigError {
            path: path.to_owned(),
            line: 0,
            column: 0,
            message,
            help: help.to_owned(),
        };
        let bytes = std::fs::read(path)
            .map_err(|error| unread(format!("cannot read the config: {error}"), "check the path given with `-c`"))?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            unread(format!("the config is not UTF-8: byte {at} begins no character"), "save the file as UTF-8")
        })?;
        Config::parse(&text, path)
    }

    /// Validates the text of a config that lies at `path`.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(text: &str, path: &Path) -> Result<Config, ConfigError> {
        // Windows editors begin UTF-8 files with a byte order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let document = Document { text, path };
        let root = DeTable::parse(text).map_err(|error| {
            let help = "see https://toml.io: a key stands once, text in quotes, tables as [policy] and [[input]]";
            document.error(
                error.span().unwrap_or_default(),
                format!("this is not TOML: {}", error.message().trim()),
                help,
            )
        })?;
        read_config(&document, root.get_ref())
    }

    /// The organisation's zone, UTC without one.
    pub fn zone(&self) -> Tz {
        self.timezone.unwrap_or(Tz::UTC)
    }

    /// The first rule whose glob matches a path, given with `/` and relative to [`Config::base`].
    pub fn input(&self, rel_to_config: &str) -> Option<&InputRule> {
        self.inputs.iter().find(|rule| rule.matcher.is_match(rel_to_config))
    }

    /// The folders of `mappings`, resolved against [`Config::base`], and behind them those that are named beside the config.
    pub fn mapping_folders(&self, further: &[PathBuf]) -> Vec<PathBuf> {
        self.mappings.iter().map(|folder| self.base.join(folder)).chain(further.iter().cloned()).collect()
    }
}
