//! `regrant.toml`: what the user may say about a run, read, checked and completed with the defaults.
//!
//! Everything here is decided from the text of the config alone. Left to others: whether a mapping, a check or a fact of that name exists,
//! whether an input glob matches a file, and whether two names of a waiver are one identity.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use chrono_tz::{TZ_VARIANTS, Tz};
use globset::{GlobBuilder, GlobMatcher};
use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::check::Severity;
use crate::time::{self, DAY, HOUR, MINUTE, SECOND};

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

/// `[policy]`: the organisation's thresholds. Names and units are those of the config.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Days without activity after which an identity or credential is dormant.
    pub dormant_days: f64,
    /// How long before the reset a verification may lie.
    pub verification_max_age_minutes: f64,
    /// How long before the reset an approval may lie.
    pub approval_max_age_minutes: f64,
    /// The longest life of a long-lived credential.
    pub max_credential_days: f64,
    /// The most distinct targets of one executor in a bulk window.
    pub bulk_targets: f64,
    /// Length of the bulk window.
    pub bulk_window_minutes: f64,
    /// The most resets of one target in a repeat window.
    pub repeat_limit: f64,
    /// Length of the repeat window.
    pub repeat_window_hours: f64,
    /// How near resets of two factors count as together.
    pub factor_pair_minutes: f64,
    /// How long after a reactivation a reset counts as following it.
    pub reactivation_hours: f64,
    /// How long after a reset a privilege grant counts as following it.
    pub privilege_hours: f64,
    /// How long after an executor's own reset its first reset of others counts as a cascade.
    pub cascade_hours: f64,
    /// How long after a refusal a grant counts as following it.
    pub denied_hours: f64,
    /// How long after a change of recovery contact a reset counts as following it.
    pub contact_change_days: f64,
    /// How soon after the reset the holder is to be told.
    pub notification_max_minutes: f64,
    /// How long after the reset a roster snapshot still tells of leave.
    pub roster_freshness_days: f64,
    /// How long before the reset a ticket found by subject may have been decided.
    pub approval_match_before_minutes: f64,
    /// How long after the reset a ticket found by subject may have been decided.
    pub approval_match_after_minutes: f64,
    /// Folded ticket categories that are about recovery; empty: any category.
    pub recovery_categories: Vec<String>,
    /// Folded departments whose people are the service desk.
    pub desk_departments: Vec<String>,
    /// Office hours in microseconds of the day: start inclusive, end exclusive.
    pub working_hours: (i64, i64),
    /// Whether each day of the week is a working day, from Monday.
    pub working_days: [bool; 7],
    /// Days that are no working days whatever their weekday.
    pub holidays: BTreeSet<NaiveDate>,
    /// Whether self-service resets need an approval.
    pub approval_self_service: bool,
    /// Whether resets by automation need an approval.
    pub approval_automation: bool,
    /// Minutes to revoke what a reset of a person replaced.
    pub revocation_human: f64,
    /// Minutes to revoke what a reset of a workload or shared account replaced.
    pub revocation_workload: f64,
    /// Minutes of overlap after a further credential was issued.
    pub revocation_issued: f64,
    /// Level of each verification method, by its folded name; a method not listed is 0.
    pub levels: BTreeMap<String, f64>,
    /// Level required, by tier.
    pub required: BTreeMap<String, f64>,
    /// The longest life of a recovery token in minutes, by channel.
    pub channel_minutes: BTreeMap<String, f64>,
    /// The longest life of a recovery token in minutes, by tier.
    pub tier_minutes: BTreeMap<String, f64>,
    /// Severities that replace the shipped ones, by check; whether the check exists is checked elsewhere.
    pub severity: BTreeMap<String, Severity>,
    /// Dotted names, as under `[policy]`, of what differs from the defaults, sorted.
    pub changed: Vec<String>,
}

/// What a policy number counts; it bounds what is accepted.
#[derive(Clone, Copy)]
enum Unit {
    Minutes,
    Hours,
    Days,
    Count,
}

impl Unit {
    /// A hundred years keep every sum with an instant inside 64 bits; a count only has to be one.
    fn most(self) -> f64 {
        match self {
            Unit::Minutes => 36_525.0 * 1_440.0,
            Unit::Hours => 36_525.0 * 24.0,
            Unit::Days => 36_525.0,
            Unit::Count => 1e9,
        }
    }
}

struct Scalar {
    name: &'static str,
    unit: Unit,
    value: fn(&Policy) -> f64,
    place: fn(&mut Policy) -> &mut f64,
}

macro_rules! scalars {
    ($($name:ident $unit:ident,)*) => {
        [$(Scalar { name: stringify!($name), unit: Unit::$unit, value: |p| p.$name, place: |p| &mut p.$name },)*]
    };
}

const SCALARS: [Scalar; 18] = scalars![
    dormant_days Days,
    verification_max_age_minutes Minutes,
    approval_max_age_minutes Minutes,
    max_credential_days Days,
    bulk_targets Count,
    bulk_window_minutes Minutes,
    repeat_limit Count,
    repeat_window_hours Hours,
    factor_pair_minutes Minutes,
    reactivation_hours Hours,
    privilege_hours Hours,
    cascade_hours Hours,
    denied_hours Hours,
    contact_change_days Days,
    notification_max_minutes Minutes,
    roster_freshness_days Days,
    approval_match_before_minutes Minutes,
    approval_match_after_minutes Minutes,
];
/// Keys of `[policy]` that are not scalars.
const POLICY_OTHERS: [&str; 10] = [
    "recovery_categories",
    "desk_departments",
    "working_hours",
    "working_days",
    "holidays",
    "approval",
    "revocation",
    "verification",
    "token",
    "severity",
];

impl Default for Policy {
    fn default() -> Self {
        let table = |rows: &[(&str, f64)]| rows.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect();
        let list = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect();
        Policy {
            dormant_days: 90.0,
            verification_max_age_minutes: 15.0,
            approval_max_age_minutes: 1440.0,
            max_credential_days: 90.0,
            bulk_targets: 10.0,
            bulk_window_minutes: 60.0,
            repeat_limit: 2.0,
            repeat_window_hours: 24.0,
            factor_pair_minutes: 60.0,
            reactivation_hours: 24.0,
            privilege_hours: 24.0,
            cascade_hours: 48.0,
            denied_hours: 24.0,
            contact_change_days: 7.0,
            notification_max_minutes: 60.0,
            roster_freshness_days: 31.0,
            approval_match_before_minutes: 10080.0,
            approval_match_after_minutes: 1440.0,
            recovery_categories: list(&[
                "access-recovery",
                "password-reset",
                "account-recovery",
                "credential-rotation",
            ]),
            desk_departments: list(&["service desk", "help desk", "it support"]),
            working_hours: (8 * HOUR, 18 * HOUR),
            working_days: [true, true, true, true, true, false, false],
            holidays: BTreeSet::new(),
            approval_self_service: false,
            approval_automation: false,
            revocation_human: 15.0,
            revocation_workload: 5.0,
            revocation_issued: 1440.0,
            levels: table(&[
                ("none", 0.0),
                ("knowledge-question", 1.0),
                ("caller-id", 1.0),
                ("employee-number", 1.0),
                ("sms", 2.0),
                ("voice", 2.0),
                ("email-code", 2.0),
                ("manager-attestation", 2.0),
                ("push", 2.0),
                ("totp", 3.0),
                ("app", 3.0),
                ("push-number-match", 3.0),
                ("known-device", 3.0),
                ("video-id", 3.0),
                ("fido2", 4.0),
                ("passkey", 4.0),
                ("smart-card", 4.0),
                ("in-person", 4.0),
                ("repeated-proofing", 4.0),
            ]),
            required: table(&[
                ("standard", 2.0),
                ("contractor", 2.0),
                ("workload", 3.0),
                ("executive", 3.0),
                ("privileged", 3.0),
                ("emergency", 4.0),
            ]),
            channel_minutes: table(&[
                ("email", 60.0),
                ("sms", 10.0),
                ("voice", 10.0),
                ("app", 10.0),
                ("desk", 60.0),
                ("postal", 30240.0),
                ("unknown", 60.0),
            ]),
            tier_minutes: table(&[
                ("standard", 60.0),
                ("contractor", 60.0),
                ("executive", 15.0),
                ("privileged", 15.0),
                ("workload", 15.0),
                ("emergency", 15.0),
            ]),
            severity: BTreeMap::new(),
            changed: Vec::new(),
        }
    }
}

impl Policy {
    /// The scalar of that name (`dormant_days`), as a predicate's `:name` asks for it; `None`: there is none.
    pub fn scalar(&self, name: &str) -> Option<f64> {
        SCALARS.iter().find(|scalar| scalar.name == name).map(|scalar| (scalar.value)(self))
    }

    /// Every scalar with its value, in the order of the documentation.
    pub fn scalars(&self) -> Vec<(&'static str, f64)> {
        SCALARS.iter().map(|scalar| (scalar.name, (scalar.value)(self))).collect()
    }

    /// The whole policy, nested as under `[policy]`, keys sorted, whole numbers as integers.
    pub fn to_value(&self) -> Value {
        let mut all: BTreeMap<String, Value> =
            self.scalars().into_iter().map(|(name, value)| (name.to_owned(), number(value))).collect();
        let numbers =
            |table: &BTreeMap<String, f64>| object(table.iter().map(|(key, value)| (key.as_str(), number(*value))));
        let texts = |list: &[String]| Value::from(list.to_vec());
        all.insert("recovery_categories".into(), texts(&self.recovery_categories));
        all.insert("desk_departments".into(), texts(&self.desk_departments));
        all.insert("working_hours".into(), self.working_hours_text().into());
        all.insert("working_days".into(), self.working_day_names().into());
        all.insert("holidays".into(), self.holidays.iter().map(NaiveDate::to_string).collect::<Vec<_>>().into());
        all.insert(
            "approval".into(),
            object([
                ("automation", self.approval_automation.into()),
                ("self_service", self.approval_self_service.into()),
            ]),
        );
        all.insert(
            "revocation".into(),
            object([
                ("human", number(self.revocation_human)),
                ("issued", number(self.revocation_issued)),
                ("workload", number(self.revocation_workload)),
            ]),
        );
        all.insert(
            "verification".into(),
            object([("levels", numbers(&self.levels)), ("required", numbers(&self.required))]),
        );
        all.insert(
            "token".into(),
            object([
                ("channel_minutes", numbers(&self.channel_minutes)),
                ("tier_minutes", numbers(&self.tier_minutes)),
            ]),
        );
        let severities =
            self.severity.iter().map(|(check, severity)| (check.as_str(), severity_name(*severity).into()));
        all.insert("severity".into(), object(severities));
        Value::Object(all.into_iter().collect())
    }

    fn working_hours_text(&self) -> String {
        let clock = |us: i64| format!("{:02}:{:02}", us / HOUR, us / MINUTE % 60);
        format!("{}-{}", clock(self.working_hours.0), clock(self.working_hours.1))
    }

    fn working_day_names(&self) -> Vec<&'static str> {
        WEEKDAYS.iter().zip(self.working_days).filter(|(_, works)| *works).map(|((name, _), _)| *name).collect()
    }

    /// What differs from the defaults, not what was written: the effective config says everything and changes no more than its origin.
    fn changes(&self) -> Vec<String> {
        let mut defaults = BTreeMap::new();
        flatten("", &Policy::default().to_value(), &mut defaults);
        let mut values = BTreeMap::new();
        flatten("", &self.to_value(), &mut values);
        values.retain(|name, value| defaults.get(name) != Some(value));
        values.into_keys().collect()
    }
}

fn flatten(prefix: &str, value: &Value, out: &mut BTreeMap<String, Value>) {
    let Value::Object(entries) = value else {
        out.insert(prefix.to_owned(), value.clone());
        return;
    };
    for (key, value) in entries {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        flatten(&name, value, out);
    }
}

fn object<'a>(entries: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>())
}

fn number(x: f64) -> Value {
    match whole(x) {
        Some(integer) => integer.into(),
        None => Number::from_f64(x).map_or(Value::Null, Value::Number),
    }
}

/// Below 2^53 a whole `f64` is one integer and no other.
fn whole(x: f64) -> Option<i64> {
    (x.fract() == 0.0 && x.abs() < 9_007_199_254_740_992.0).then_some(x as i64)
}

fn severity_name(severity: Severity) -> &'static str {
    SEVERITIES.iter().find(|(_, each)| *each == severity).map_or("", |(name, _)| name)
}

/// Trimmed and lower-cased: how names compare.
fn fold(text: &str) -> String {
    text.trim().to_lowercase()
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

/// The text being read, for places.
struct Document<'a> {
    text: &'a str,
    path: &'a Path,
}

impl Document<'_> {
    /// 1-based line and column, in characters.
    fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
        (line, column)
    }

    fn error(&self, span: Range<usize>, message: String, help: impl Into<String>) -> ConfigError {
        let (line, column) = self.position(span.start);
        ConfigError { path: self.path.to_owned(), line, column, message, help: help.into() }
    }
}

/// One table, with the name it has in messages.
struct Section<'a> {
    document: &'a Document<'a>,
    name: String,
    span: Range<usize>,
    entries: &'a DeTable<'a>,
}

/// One value, with the name it has in messages.
struct Item<'a> {
    document: &'a Document<'a>,
    name: String,
    value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Section<'a> {
    fn get(&self, key: &str) -> Option<Item<'a>> {
        self.items().find(|(name, _)| *name == key).map(|(_, item)| item)
    }

    fn need(&self, key: &str) -> Result<Item<'a>, ConfigError> {
        self.get(key).ok_or_else(|| {
            let message = format!("{} has no `{key}`", self.name);
            self.document.error(self.span.clone(), message, format!("add `{key} = …`; {}", keys_of(&self.name)))
        })
    }

    fn items(&self) -> impl Iterator<Item = (&'a str, Item<'a>)> + use<'a, '_> {
        self.entries.iter().map(|(key, value)| {
            let key = key.get_ref().as_ref();
            (key, Item { document: self.document, name: key.to_owned(), value })
        })
    }

    fn only(&self, known: &[&str]) -> Result<(), ConfigError> {
        let Some(key) = self.entries.keys().find(|key| !known.contains(&key.get_ref().as_ref())) else { return Ok(()) };
        let name = key.get_ref().as_ref();
        let help = match (home_of(name), nearest(name, known)) {
            (_, Some(near)) => format!("did you mean `{near}`?"),
            (Some(home), None) if home != self.name => format!("`{name}` belongs {home}"),
            _ => format!("the keys here are {}", listed(known, "and")),
        };
        Err(self.document.error(key.span(), format!("unknown key {} in {}", quoted(name), self.name), help))
    }

    /// A table inside this one; `None`: not given.
    fn table(&self, key: &str, name: &str) -> Result<Option<Section<'a>>, ConfigError> {
        self.get(key).map(|item| item.section(name)).transpose()
    }
}

/// Where a key lives that was found elsewhere: after `[[input]]` every key belongs to it, which is easily forgotten.
fn home_of(key: &str) -> Option<&'static str> {
    if TOP.contains(&key) {
        Some("at the top, before the first table")
    } else if POLICY_OTHERS.contains(&key) || SCALARS.iter().any(|scalar| scalar.name == key) {
        Some("under [policy]")
    } else if ["levels", "required"].contains(&key) {
        Some("under [policy.verification]")
    } else if ["channel_minutes", "tier_minutes"].contains(&key) {
        Some("under [policy.token]")
    } else if INPUT.contains(&key) {
        Some("under [[input]]")
    } else if WAIVER.contains(&key) {
        Some("under [[waiver]]")
    } else {
        None
    }
}

fn keys_of(section: &str) -> String {
    match section {
        "[[waiver]]" => format!("a waiver needs {}", listed(&WAIVER, "and")),
        "[[coverage]]" => "a coverage names its system as the log does".to_owned(),
        _ => "an input is named by a glob, relative to the config".to_owned(),
    }
}

impl<'a> Item<'a> {
    fn error(&self, message: String, help: impl Into<String>) -> ConfigError {
        self.document.error(self.value.span(), message, help)
    }

    /// The value as a message quotes it.
    fn found(&self) -> String {
        match self.value.get_ref() {
            DeValue::String(text) => quoted(text),
            DeValue::Integer(integer) => integer.to_string(),
            DeValue::Float(float) => float.to_string(),
            DeValue::Boolean(flag) => flag.to_string(),
            DeValue::Datetime(at) => at.to_string(),
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        }
    }

    fn wrong(&self, expected: &str, help: impl Into<String>) -> ConfigError {
        self.error(format!("`{}` is {}, expected {expected}", self.name, self.found()), help)
    }

    fn section(&self, name: &str) -> Result<Section<'a>, ConfigError> {
        let DeValue::Table(entries) = self.value.get_ref() else {
            return Err(self.wrong("a table", format!("write {name} on a line of its own")));
        };
        Ok(Section { document: self.document, name: name.to_owned(), span: self.value.span(), entries })
    }

    fn sections(&self, name: &str) -> Result<Vec<Section<'a>>, ConfigError> {
        let DeValue::Array(items) = self.value.get_ref() else {
            return Err(self.wrong("a list of tables", format!("write {name} with two brackets on each side")));
        };
        items
            .iter()
            .map(|value| Item { document: self.document, name: self.name.clone(), value }.section(name))
            .collect()
    }

    fn list(&self) -> Result<Vec<Item<'a>>, ConfigError> {
        let DeValue::Array(items) = self.value.get_ref() else {
            return Err(self.wrong("a list", format!("write `{} = [{}]`", self.name, self.found())));
        };
        Ok(items.iter().map(|value| Item { document: self.document, name: self.name.clone(), value }).collect())
    }

    /// Text with something in it, trimmed.
    fn text(&self) -> Result<&'a str, ConfigError> {
        match self.value.get_ref() {
            DeValue::String(text) if !text.trim().is_empty() => Ok(text.trim()),
            DeValue::String(_) => {
                Err(self.wrong("some text", format!("say what `{}` is, or leave the key out", self.name)))
            }
            _ => Err(self.wrong("text", format!("write `{} = \"…\"`", self.name))),
        }
    }

    /// A folder below another, perhaps that folder itself (the empty text).
    fn folder(&self) -> Result<String, ConfigError> {
        match self.value.get_ref() {
            DeValue::String(text) => Ok(text.trim().to_owned()),
            _ => Err(self.wrong("text", format!("write `{} = \"…\"`", self.name))),
        }
    }

    fn owned(&self) -> Result<String, ConfigError> {
        self.text().map(str::to_owned)
    }

    fn flag(&self) -> Result<bool, ConfigError> {
        match self.value.get_ref() {
            DeValue::Boolean(flag) => Ok(*flag),
            _ => Err(self.wrong("true or false", "write it without quotes")),
        }
    }

    fn number(&self, unit: Unit) -> Result<f64, ConfigError> {
        let value = match self.value.get_ref() {
            DeValue::Integer(integer) => {
                i64::from_str_radix(integer.as_str(), integer.radix()).ok().map(|value| value as f64)
            }
            DeValue::Float(float) => float.as_str().parse().ok(),
            _ => return Err(self.wrong("a number", format!("write `{} = 60`, without quotes", self.name))),
        };
        let most = unit.most();
        // Written so that NaN, too, is out of bounds. `+ 0.0` makes of -0.0 the zero that it is.
        value.filter(|value| (0.0..=most).contains(value)).map(|value| value + 0.0).ok_or_else(|| {
            let what = match unit {
                Unit::Minutes => "minutes, at most a hundred years of them",
                Unit::Hours => "hours, at most a hundred years of them",
                Unit::Days => "days, at most a hundred years of them",
                Unit::Count => "a count",
            };
            self.wrong(&format!("a number from 0 to {most}"), format!("`{}` is {what}", self.name))
        })
    }

    fn count(&self) -> Result<u64, ConfigError> {
        let value = match self.value.get_ref() {
            DeValue::Integer(integer) => u64::from_str_radix(integer.as_str(), integer.radix()).ok(),
            _ => None,
        };
        // TOML written back knows 64-bit integers with a sign.
        value.filter(|value| i64::try_from(*value).is_ok()).ok_or_else(|| {
            self.wrong("a whole number, 0 or more", format!("write `{} = 1204`, without quotes", self.name))
        })
    }

    /// What a date or an instant is written as: TOML's own form and the same in quotes are read alike.
    fn time_text(&self) -> Option<String> {
        match self.value.get_ref() {
            DeValue::Datetime(at) => Some(at.to_string()),
            DeValue::String(text) => Some(text.trim().to_owned()),
            _ => None,
        }
    }

    fn date(&self) -> Result<NaiveDate, ConfigError> {
        self.time_text()
            .and_then(|text| time::parse_date(text.as_bytes()))
            .ok_or_else(|| self.wrong("a date", format!("write `{} = 2026-08-31`", self.name)))
    }

    fn instant(&self, zone: Tz) -> Result<i64, ConfigError> {
        let read = |text: String| match time::parse_date(text.as_bytes()) {
            Some(date) => Some(time::midnight(date, zone)),
            None => time::parse_instant(text.as_bytes()).map(|at| at.in_zone(zone)),
        };
        self.time_text().and_then(read).ok_or_else(|| {
            let help =
                format!("write `{} = 2026-10-05T00:00:00Z`, or `2026-10-05` for its midnight in `timezone`", self.name);
            self.wrong("an instant or a date", help)
        })
    }

    fn zone(&self) -> Result<Tz, ConfigError> {
        let name = self.text()?;
        name.parse().map_err(|_| {
            let known: Vec<&str> = TZ_VARIANTS.iter().map(|zone| zone.name()).collect();
            let help = match nearest(name, &known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "name a place, as `Europe/London`, or `UTC`; abbreviations and offsets know no summer time"
                    .to_owned(),
            };
            self.wrong("a zone of the IANA database", help)
        })
    }

    /// One of the named values, compared folded.
    fn one_of<T: Copy>(&self, known: &[(&str, T)]) -> Result<T, ConfigError> {
        let text = fold(self.text()?);
        known.iter().find(|(name, _)| *name == text).map(|(_, value)| *value).ok_or_else(|| {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            let help = nearest(&text, &names)
                .map_or_else(|| "choose one of these".to_owned(), |near| format!("did you mean `{near}`?"));
            self.wrong(&listed(&names, "or"), help)
        })
    }
}

fn read_config(document: &Document<'_>, root: &DeTable<'_>) -> Result<Config, ConfigError> {
    let top = Section { document, name: "the config".to_owned(), span: 0..0, entries: root };
    top.only(&TOP)?;
    let mut config = Config {
        path: Some(document.path.to_owned()),
        base: match document.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        },
        text: document.text.to_owned(),
        timezone: top.get("timezone").map(|item| item.zone()).transpose()?,
        ..Config::default()
    };
    let zone = config.zone();
    let instant = |key: &str| top.get(key).map(|item| item.instant(zone)).transpose();
    config.as_of = instant("as_of")?;
    config.since = instant("since")?;
    config.until = instant("until")?;
    if let (Some(since), Some(until), Some(item)) = (config.since, config.until, top.get("until"))
        && since >= until
    {
        let (since, until) = (time::format_instant(since), time::format_instant(until));
        return Err(item.error(
            format!("`until` is {until}, expected an instant after `since`, {since}"),
            "the period is [since, until): `until` is the first instant outside it",
        ));
    }
    config.title = top.get("title").map(|item| item.owned()).transpose()?;
    if let Some(item) = top.get("fail_on") {
        let known: Vec<(&str, Option<Severity>)> =
            [("none", None)].into_iter().chain(SEVERITIES.map(|(name, severity)| (name, Some(severity)))).collect();
        config.fail_on = item.one_of(&known)?;
    }
    if let Some(item) = top.get("formats") {
        let known = FORMATS.map(|name| (name, name));
        config.formats =
            item.list()?.iter().map(|item| item.one_of(&known).map(str::to_owned)).collect::<Result<_, _>>()?;
    }
    if let Some(item) = top.get("view") {
        config.view = item.one_of(&View::ALL.map(|view| (view.as_str(), view)))?;
    }
    if let Some(item) = top.get("mappings") {
        config.mappings = item.list()?.iter().map(|item| item.text().map(PathBuf::from)).collect::<Result<_, _>>()?;
    }
    let at = |key: &str| top.get(key).map(|item| item.folder()).transpose();
    if let (Some(config_at), Some(inputs_at)) = (at("config_at")?, at("inputs_at")?) {
        config.placed = Some(Placed { config_at, inputs_at });
    }
    if let Some(item) = top.get("input") {
        config.inputs = item.sections("[[input]]")?.iter().map(read_input).collect::<Result<_, _>>()?;
    }
    if let Some(item) = top.get("coverage") {
        for section in item.sections("[[coverage]]")? {
            let rule = read_coverage(&section, zone)?;
            if config.coverage.iter().any(|other| other.system == rule.system) {
                let message = format!("the coverage of {} stands twice", quoted(&rule.system));
                return Err(section.need("system")?.error(message, "say once from when until when it is covered"));
            }
            config.coverage.push(rule);
        }
    }
    if let Some(section) = top.table("policy", "[policy]")? {
        config.policy = read_policy(&section)?;
    }
    if let Some(item) = top.get("waiver") {
        for section in item.sections("[[waiver]]")? {
            let waiver = read_waiver(&section).map_err(|mut error| {
                // Of twenty waivers the line alone is hard to tell; the id is what people call it by.
                if let Some(Ok(id)) = section.get("id").map(|item| item.owned())
                    && !error.message.contains(&quoted(&id))
                {
                    error.message = format!("waiver {}: {}", quoted(&id), error.message);
                }
                error
            })?;
            if let Some(other) = config.waivers.iter().find(|other| other.id == waiver.id) {
                let message = format!("the waiver id {} is already that of line {}", quoted(&waiver.id), other.line);
                return Err(section
                    .need("id")?
                    .error(message, "findings name the waiver by its id: give each its own"));
            }
            config.waivers.push(waiver);
        }
    }
    Ok(config)
}

fn read_input(section: &Section<'_>) -> Result<InputRule, ConfigError> {
    section.only(&INPUT)?;
    let path = section.need("path")?;
    let glob = path.text()?;
    let matcher = GlobBuilder::new(glob.strip_prefix("./").unwrap_or(glob))
        .literal_separator(false)
        .build()
        .map_err(|error| {
            let message = format!("`path` is {}, expected a glob: {}", quoted(glob), error.kind());
            path.error(
                message,
                "`*` and `?` match any characters, `[…]` one of a set; put a literal bracket in brackets: `[[]`",
            )
        })?
        .compile_matcher();
    let text = |key: &str| section.get(key).map(|item| item.owned()).transpose();
    Ok(InputRule {
        path: glob.to_owned(),
        matcher,
        mapping: text("mapping")?,
        timezone: section.get("timezone").map(|item| item.zone()).transpose()?,
        snapshot: section.get("snapshot").map(|item| item.date()).transpose()?,
        system: text("system")?.map(|system| fold(&system)),
        time_format: section.get("time_format").map(|item| time_format(&item)).transpose()?,
        date_order: section.get("date_order").map(|item| item.one_of(&DATE_ORDERS)).transpose()?,
        max_age: section.get("max_age").map(|item| age(&item)).transpose()?,
        expected_records: section.get("expected_records").map(|item| item.count()).transpose()?,
        optional: section.get("optional").map(|item| item.flag()).transpose()?.unwrap_or(false),
        line: section.document.position(section.span.start).0,
    })
}

/// A `%` format is checked here; what other names there are, the source's reader knows.
fn time_format(item: &Item<'_>) -> Result<String, ConfigError> {
    let text = item.text()?;
    match chrono::format::StrftimeItems::new(text).any(|part| part == chrono::format::Item::Error) {
        true => Err(item.wrong("a time format", "write it with strftime's signs, as \"%d/%m/%Y %H:%M:%S\"")),
        false => Ok(text.to_owned()),
    }
}

const AGES: [(&str, i64); 5] = [("s", SECOND), ("min", MINUTE), ("h", HOUR), ("d", DAY), ("w", 7 * DAY)];

/// `2d`, `36 h`: microseconds, more than none and at most a hundred years.
fn age(item: &Item<'_>) -> Result<i64, ConfigError> {
    parse_age(item.text()?).ok_or_else(|| {
        item.wrong("a whole number and s, min, h, d or w", format!("write `{} = \"2d\"` for two days", item.name))
    })
}

/// The same of a text that stands elsewhere; `None` for anything else.
pub(crate) fn parse_age(text: &str) -> Option<i64> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = text.strip_suffix(unit).unwrap_or(text);
    AGES.iter()
        .find(|(name, _)| *name == unit.trim())
        .and_then(|(_, each)| digits.parse::<i64>().ok()?.checked_mul(*each))
        .filter(|age| (1..=36_525 * DAY).contains(age))
}

fn read_coverage(section: &Section<'_>, zone: Tz) -> Result<CoverageRule, ConfigError> {
    section.only(&COVERAGE)?;
    let instant = |key: &str| section.get(key).map(|item| item.instant(zone)).transpose();
    let rule = CoverageRule {
        system: fold(section.need("system")?.text()?),
        since: instant("since")?,
        until: instant("until")?,
    };
    if let (Some(since), Some(until), Some(item)) = (rule.since, rule.until, section.get("until"))
        && since >= until
    {
        let found = format!("`until` is {}, expected an instant after `since`", time::format_instant(until));
        return Err(item.error(found, "the period is [since, until): `until` is the first instant outside it"));
    }
    Ok(rule)
}

fn read_waiver(section: &Section<'_>) -> Result<WaiverRule, ConfigError> {
    section.only(&WAIVER)?;
    let text = |key: &str| section.need(key)?.owned();
    let (id, list, where_) = (text("id")?, section.need("checks")?, text("where")?);
    let checks: Vec<String> = list.list()?.iter().map(Item::owned).collect::<Result<_, _>>()?;
    if checks.is_empty() {
        return Err(list.error(
            "`checks` is an empty list, expected the ids of the checks to waive".to_owned(),
            "`regrant list checks` prints the ids",
        ));
    }
    let (reason, requested_by, approver) = (text("reason")?, text("requested_by")?, section.need("approved_by")?);
    let approved_by = approver.owned()?;
    if fold(&requested_by) == fold(&approved_by) {
        return Err(approver
            .wrong("someone other than `requested_by`", "nobody waives their own findings: name who granted it"));
    }
    let (starts_on, end) = (section.need("starts_on")?.date()?, section.need("expires_on")?);
    let expires_on = end.date()?;
    if expires_on < starts_on {
        return Err(end.wrong(&format!("a day not before `starts_on`, {starts_on}"), "it is the last day in force"));
    }
    let line = section.document.position(section.span.start).0;
    Ok(WaiverRule { id, checks, where_, reason, requested_by, approved_by, starts_on, expires_on, line })
}

fn read_policy(section: &Section<'_>) -> Result<Policy, ConfigError> {
    let known: Vec<&str> = SCALARS.iter().map(|scalar| scalar.name).chain(POLICY_OTHERS).collect();
    section.only(&known)?;
    let mut policy = Policy::default();
    for scalar in &SCALARS {
        if let Some(item) = section.get(scalar.name) {
            *(scalar.place)(&mut policy) = item.number(scalar.unit)?;
        }
    }
    for (key, place) in
        [("recovery_categories", &mut policy.recovery_categories), ("desk_departments", &mut policy.desk_departments)]
    {
        if let Some(item) = section.get(key) {
            *place = item.list()?.iter().map(|item| item.text().map(fold)).collect::<Result<_, _>>()?;
        }
    }
    if let Some(item) = section.get("working_hours") {
        policy.working_hours = working_hours(&item)?;
    }
    if let Some(item) = section.get("working_days") {
        let names: Vec<(&str, usize)> =
            WEEKDAYS.iter().enumerate().flat_map(|(day, (short, long))| [(*short, day), (*long, day)]).collect();
        policy.working_days = [false; 7];
        for item in item.list()? {
            policy.working_days[item.one_of(&names)?] = true;
        }
    }
    if let Some(item) = section.get("holidays") {
        policy.holidays = item.list()?.iter().map(Item::date).collect::<Result<_, _>>()?;
    }
    if let Some(approval) = section.table("approval", "[policy.approval]")? {
        approval.only(&["self_service", "automation"])?;
        for (key, place) in
            [("self_service", &mut policy.approval_self_service), ("automation", &mut policy.approval_automation)]
        {
            if let Some(item) = approval.get(key) {
                *place = item.flag()?;
            }
        }
    }
    if let Some(revocation) = section.table("revocation", "[policy.revocation]")? {
        revocation.only(&["human", "workload", "issued"])?;
        for (key, place) in [
            ("human", &mut policy.revocation_human),
            ("workload", &mut policy.revocation_workload),
            ("issued", &mut policy.revocation_issued),
        ] {
            if let Some(item) = revocation.get(key) {
                *place = item.number(Unit::Minutes)?;
            }
        }
    }
    if let Some(verification) = section.table("verification", "[policy.verification]")? {
        verification.only(&["levels", "required"])?;
        if let Some(levels) = verification.table("levels", "[policy.verification.levels]")? {
            let mut set = BTreeSet::new();
            for (method, item) in levels.items() {
                let method = fold(method);
                if !set.insert(method.clone()) {
                    let message = format!("the method {} stands twice in {}", quoted(&method), levels.name);
                    return Err(item.error(message, "methods compare without regard to case: keep one of them"));
                }
                policy.levels.insert(method, item.number(Unit::Count)?);
            }
        }
        if let Some(table) = verification.table("required", "[policy.verification.required]")? {
            merge(&mut policy.required, &table, Unit::Count)?;
        }
    }
    if let Some(token) = section.table("token", "[policy.token]")? {
        token.only(&["channel_minutes", "tier_minutes"])?;
        if let Some(table) = token.table("channel_minutes", "[policy.token.channel_minutes]")? {
            merge(&mut policy.channel_minutes, &table, Unit::Minutes)?;
        }
        if let Some(table) = token.table("tier_minutes", "[policy.token.tier_minutes]")? {
            merge(&mut policy.tier_minutes, &table, Unit::Minutes)?;
        }
    }
    if let Some(severity) = section.table("severity", "[policy.severity]")? {
        for (check, item) in severity.items() {
            policy.severity.insert(check.to_owned(), item.one_of(&SEVERITIES)?);
        }
    }
    policy.changed = policy.changes();
    Ok(policy)
}

/// A table whose keys are fixed: those given replace the defaults.
fn merge(defaults: &mut BTreeMap<String, f64>, table: &Section<'_>, unit: Unit) -> Result<(), ConfigError> {
    let known: Vec<&str> = defaults.keys().map(String::as_str).collect();
    table.only(&known)?;
    for (key, item) in table.items() {
        defaults.insert(key.to_owned(), item.number(unit)?);
    }
    Ok(())
}

/// `08:00-18:00` in microseconds of the day; `24:00` is the end of the day.
fn working_hours(item: &Item<'_>) -> Result<(i64, i64), ConfigError> {
    let clock = |text: &str| {
        let (hour, minute) = text.trim().split_once(':')?;
        let digits = |text: &str| match text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse::<i64>().ok(),
            false => None,
        };
        let (hour, minute) = (digits(hour)?, digits(minute)?);
        (minute < 60 && hour * HOUR + minute * MINUTE <= DAY).then_some(hour * HOUR + minute * MINUTE)
    };
    item.text()?
        .split_once('-')
        .and_then(|(from, to)| Some((clock(from)?, clock(to)?)))
        .filter(|(from, to)| from < to)
        .ok_or_else(|| {
            item.wrong(
                "hours of one day, the earlier first",
                "write `working_hours = \"08:00-18:00\"`; the end is exclusive, at most 24:00",
            )
        })
}

/// Text as a message shows it: quoted, control characters escaped, cut at 60 characters.
fn quoted(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    format!("{short:?}{more}")
}

fn listed(names: &[&str], conjunction: &str) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} {conjunction} {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

/// The known name that a slip of the finger away was meant; `None`: nothing is near.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let name: Vec<char> = fold(name).chars().take(80).collect();
    let most = (name.len() / 3).clamp(1, 3);
    known.iter().map(|each| (edits(&name, each), *each)).filter(|(edits, _)| *edits <= most).min().map(|(_, each)| each)
}

/// Levenshtein's distance, case ignored.
fn edits(from: &[char], to: &str) -> usize {
    let to: Vec<char> = to.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let cost = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

impl Config {
    /// The whole effective config as TOML, defaults included: what `run.toml` holds, and what parses back to this config judged at `as_of`
    /// (microseconds). Its paths stay relative to the folder of the config it came from.
    pub fn effective_toml(&self, as_of: i64) -> String {
        let mut out = Lines(
            "# The effective config of this run, defaults included. `regrant replay` runs it again as it was;\n\
             # `regrant audit INPUTS -c run.toml` uses it for inputs that lie anywhere.\n\n"
                .to_owned(),
        );
        let instant = time::format_instant;
        out.key("as_of", instant(as_of));
        out.given("since", self.since.map(instant));
        out.given("until", self.until.map(instant));
        out.given("title", self.title.as_deref().map(literal));
        out.given("timezone", self.timezone.map(|zone| literal(zone.name())));
        out.key("fail_on", literal(self.fail_on.map_or("none", severity_name)));
        out.key("formats", list(self.formats.iter().map(|name| literal(name))));
        out.key("view", literal(self.view.as_str()));
        out.key("mappings", list(self.mappings.iter().map(|folder| literal(&folder.to_string_lossy()))));
        if let (Some(placed), false) = (&self.placed, self.inputs.is_empty()) {
            out.key("config_at", literal(&placed.config_at));
            out.key("inputs_at", literal(&placed.inputs_at));
        }
        for rule in &self.inputs {
            out.table("[[input]]");
            out.key("path", literal(&rule.path));
            out.given("mapping", rule.mapping.as_deref().map(literal));
            out.given("timezone", rule.timezone.map(|zone| literal(zone.name())));
            out.given("snapshot", rule.snapshot.map(|date| date.to_string()));
            out.given("system", rule.system.as_deref().map(literal));
            out.given("time_format", rule.time_format.as_deref().map(literal));
            out.given("date_order", rule.date_order.map(|order| literal(order.name())));
            out.given("max_age", rule.max_age.map(|age| literal(&age_text(age))));
            out.given("expected_records", rule.expected_records.map(|count| count.to_string()));
            out.key("optional", rule.optional.to_string());
        }
        for rule in &self.coverage {
            out.table("[[coverage]]");
            out.key("system", literal(&rule.system));
            out.given("since", rule.since.map(instant));
            out.given("until", rule.until.map(instant));
        }
        self.policy.write(&mut out);
        for rule in &self.waivers {
            out.table("[[waiver]]");
            out.key("id", literal(&rule.id));
            out.key("checks", list(rule.checks.iter().map(|check| literal(check))));
            out.key("where", literal(&rule.where_));
            out.key("reason", literal(&rule.reason));
            out.key("requested_by", literal(&rule.requested_by));
            out.key("approved_by", literal(&rule.approved_by));
            out.key("starts_on", rule.starts_on.to_string());
            out.key("expires_on", rule.expires_on.to_string());
        }
        out.0
    }
}

impl Policy {
    fn write(&self, out: &mut Lines) {
        out.table("[policy]");
        for (name, value) in self.scalars() {
            out.key(name, decimal(value));
        }
        out.key("recovery_categories", list(self.recovery_categories.iter().map(|name| literal(name))));
        out.key("desk_departments", list(self.desk_departments.iter().map(|name| literal(name))));
        out.key("working_hours", literal(&self.working_hours_text()));
        out.key("working_days", list(self.working_day_names().into_iter().map(literal)));
        out.key("holidays", list(self.holidays.iter().map(NaiveDate::to_string)));
        out.table("[policy.approval]");
        out.key("self_service", self.approval_self_service.to_string());
        out.key("automation", self.approval_automation.to_string());
        out.table("[policy.revocation]");
        out.key("human", decimal(self.revocation_human));
        out.key("workload", decimal(self.revocation_workload));
        out.key("issued", decimal(self.revocation_issued));
        for (name, table) in [
            ("[policy.verification.levels]", &self.levels),
            ("[policy.verification.required]", &self.required),
            ("[policy.token.channel_minutes]", &self.channel_minutes),
            ("[policy.token.tier_minutes]", &self.tier_minutes),
        ] {
            out.table(name);
            for (key, value) in table {
                out.key(key, decimal(*value));
            }
        }
        out.table("[policy.severity]");
        for (check, severity) in &self.severity {
            out.key(check, literal(severity_name(*severity)));
        }
    }
}

/// TOML in the making.
struct Lines(String);

impl Lines {
    fn table(&mut self, header: &str) {
        self.0.push('\n');
        self.0.push_str(header);
        self.0.push('\n');
    }

    fn key(&mut self, key: &str, value: String) {
        let bare =
            !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        self.0.push_str(&if bare { key.to_owned() } else { literal(key) });
        self.0.push_str(" = ");
        self.0.push_str(&value);
        self.0.push('\n');
    }

    fn given(&mut self, key: &str, value: Option<String>) {
        if let Some(value) = value {
            self.key(key, value);
        }
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

/// A basic string of one line. What would reorder the text around it on a screen is escaped with the control characters.
fn literal(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{feff}' => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn decimal(x: f64) -> String {
    whole(x).map_or_else(|| format!("{x:?}"), |integer| integer.to_string())
}

fn age_text(age: i64) -> String {
    let (name, each) = AGES.iter().rev().find(|(_, each)| age % each == 0).unwrap_or(&AGES[0]);
    format!("{}{name}", age / each)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every documented key, none at its default.
    const FULL: &str = r#"
as_of = 2026-10-05T00:00:00Z
since = 2026-07-01
until = "2026-10-01"
title = "Example Corp, \"Q3\" \u202e 監査"
timezone = "Europe/London"
fail_on = "high"
formats = ["html", "all"]
view = "responder"
mappings = ["our-mappings"]
config_at = ""
inputs_at = "exports"

[[input]]
path = "hr/workers-*.csv"
mapping = "workday-report"
timezone = "America/New_York"
snapshot = 2026-08-01
system = "AD:Corp.Example"
time_format = "%d/%m/%Y %H:%M:%S"
date_order = "dmy"
max_age = "36h"
expected_records = 1204
optional = true

[[coverage]]
system = "Okta"
since = 2026-06-20
until = "2026-10-05T00:00:00Z"

[[input]]
path = "./exports/[ab]?.json"
snapshot = "2026-08-02"

[policy]
dormant_days = 120
verification_max_age_minutes = 12.5
approval_max_age_minutes = 1
max_credential_days = 2
bulk_targets = 3
bulk_window_minutes = 4
repeat_limit = 5
repeat_window_hours = 6
factor_pair_minutes = 7
reactivation_hours = 8
privilege_hours = 9
cascade_hours = 10
denied_hours = 11
contact_change_days = 12
notification_max_minutes = 13
roster_freshness_days = 14
approval_match_before_minutes = 0x0f
approval_match_after_minutes = 1_6
recovery_categories = []
desk_departments = ["  Service Desk ", "Élan"]
working_hours = "07:30 - 24:00"
working_days = ["sun", "Monday"]
holidays = [2026-08-31, "2026-12-25"]

[policy.approval]
self_service = true
automation = true
[policy.revocation]
human = 1
workload = 2
issued = 3
[policy.verification.levels]
TOTP = 2
"carrier pigeon" = 1
[policy.verification.required]
standard = 1
contractor = 1
workload = 1
executive = 1
privileged = 1
emergency = 1
[policy.token.channel_minutes]
email = 1
sms = 1
voice = 1
app = 1
desk = 1
postal = 1
unknown = 1
[policy.token.tier_minutes]
standard = 1
contractor = 1
executive = 1
privileged = 1
workload = 1
emergency = 1
[policy.severity]
weak-verification = "low"

[[waiver]]
id = "W-2026-014"
checks = ["weak-verification", "ticket-not-found"]
where = "system = 'legacy-erp' AND tier = 'standard'"
reason = """ERP 7
knows no second factor"""
requested_by = "ann@corp.example"
approved_by = "ciso@corp.example"
starts_on = 2026-07-01
expires_on = 2026-12-31
"#;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(text, Path::new("conf/regrant.toml"))
    }

    fn good(text: &str) -> Config {
        parse(text).unwrap_or_else(|error| panic!("{text}\n{error}"))
    }

    fn fault(text: &str) -> String {
        match parse(text) {
            Ok(_) => panic!("accepted: {text}"),
            Err(error) => error.to_string(),
        }
    }

    fn date(text: &str) -> NaiveDate {
        time::parse_date(text.as_bytes()).expect("a date")
    }

    #[test]
    fn every_documented_key_is_read() {
        let config = good(FULL);
        let shown = |at: Option<i64>| at.map(time::format_instant);
        assert_eq!(shown(config.as_of).as_deref(), Some("2026-10-05T00:00:00Z"));
        assert_eq!(shown(config.since).as_deref(), Some("2026-06-30T23:00:00Z"));
        assert_eq!(shown(config.until).as_deref(), Some("2026-09-30T23:00:00Z"));
        assert_eq!(config.title.as_deref(), Some("Example Corp, \"Q3\" \u{202e} 監査"));
        assert_eq!(config.zone(), Tz::Europe__London);
        assert_eq!(config.fail_on, Some(Severity::High));
        assert_eq!(config.formats, ["html", "all"]);
        assert_eq!(config.view, View::Responder);
        assert_eq!(config.mapping_folders(&[]), [PathBuf::from("conf/our-mappings")]);

        let placed = Placed { config_at: String::new(), inputs_at: "exports".to_owned() };
        assert_eq!(config.placed, Some(placed));

        let coverage = &config.coverage[0];
        // Midnight in London, where it is summer.
        let said = [coverage.since, coverage.until].map(|at| at.map(time::format_instant));
        assert_eq!(
            (coverage.system.as_str(), said),
            ("okta", ["2026-06-19T23:00:00Z", "2026-10-05T00:00:00Z"].map(|t| Some(t.to_owned())))
        );
        let input = &config.inputs[0];
        assert_eq!(input.mapping.as_deref(), Some("workday-report"));
        assert_eq!(input.timezone, Some(Tz::America__New_York));
        assert_eq!(input.snapshot, Some(date("2026-08-01")));
        assert_eq!(input.system.as_deref(), Some("ad:corp.example"));
        assert_eq!(input.time_format.as_deref(), Some("%d/%m/%Y %H:%M:%S"));
        assert_eq!(input.date_order, Some(DateOrder::Dmy));
        assert_eq!(input.max_age, Some(36 * HOUR));
        assert_eq!(input.expected_records, Some(1204));
        assert!(input.optional);
        assert_eq!((input.line, config.inputs[1].line), (14, 31));
        assert_eq!(config.inputs[1].snapshot, Some(date("2026-08-02")));

        let policy = &config.policy;
        let expected =
            [120.0, 12.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0];
        assert_eq!(policy.scalars().into_iter().map(|(_, value)| value).collect::<Vec<_>>(), expected);
        assert_eq!(policy.scalar("verification_max_age_minutes"), Some(12.5));
        assert_eq!(policy.scalar("severity"), None);
        assert!(policy.recovery_categories.is_empty());
        assert_eq!(policy.desk_departments, ["service desk", "élan"]);
        assert_eq!(policy.working_hours, (7 * HOUR + 30 * MINUTE, DAY));
        assert_eq!(policy.working_days, [true, false, false, false, false, false, true]);
        assert_eq!(policy.holidays, BTreeSet::from([date("2026-08-31"), date("2026-12-25")]));
        assert!(policy.approval_self_service && policy.approval_automation);
        assert_eq!((policy.revocation_human, policy.revocation_workload, policy.revocation_issued), (1.0, 2.0, 3.0));
        assert_eq!(policy.levels["totp"], 2.0);
        assert_eq!(policy.levels["carrier pigeon"], 1.0);
        assert_eq!(policy.levels["fido2"], 4.0);
        for table in [&policy.required, &policy.channel_minutes, &policy.tier_minutes] {
            assert!(table.values().all(|value| *value == 1.0));
        }
        assert_eq!(policy.severity["weak-verification"], Severity::Low);

        let waiver = &config.waivers[0];
        assert_eq!(waiver.checks, ["weak-verification", "ticket-not-found"]);
        assert_eq!(waiver.reason, "ERP 7\nknows no second factor");
        assert_eq!((waiver.starts_on, waiver.expires_on), (date("2026-07-01"), date("2026-12-31")));
    }

    #[test]
    fn the_full_sample_sets_every_key_there_is() {
        for key in TOP
            .into_iter()
            .chain(INPUT)
            .chain(COVERAGE)
            .chain(WAIVER)
            .chain(POLICY_OTHERS)
            .chain(SCALARS.map(|scalar| scalar.name))
        {
            assert!(FULL.contains(key), "{key}");
        }
    }

    #[test]
    fn an_empty_config_is_the_default() {
        let (empty, default) = (good(""), Config::default());
        assert_eq!(empty.policy, default.policy);
        assert_eq!(empty.effective_toml(0), default.effective_toml(0));
        assert_eq!((empty.zone(), empty.timezone, empty.fail_on), (Tz::UTC, None, None));
        assert_eq!(empty.formats, ["html"]);
        assert_eq!(empty.view, View::Reviewer);
        assert_eq!(empty.base, Path::new("conf"));
        assert_eq!(Config::parse("", Path::new("regrant.toml")).map(|config| config.base), Ok(PathBuf::from(".")));
        assert!(default.policy.changed.is_empty());
        assert_eq!(good("\u{feff}fail_on = \"none\"").fail_on, None);
    }

    #[test]
    fn the_effective_config_parses_back_to_itself() {
        for text in [FULL, "", "[policy]\ndormant_days = 0.1\n[policy.verification.levels]\n\"a\\\"b\\nc\" = 1e-7"] {
            let config = good(text);
            let at = config.as_of.unwrap_or(1_234_567_891_000_001);
            let written = config.effective_toml(at);
            let again = good(&written);
            assert_eq!(again.as_of, Some(at));
            assert_eq!((again.since, again.until, &again.title), (config.since, config.until, &config.title));
            assert_eq!(
                (again.timezone, again.fail_on, &again.formats, again.view),
                (config.timezone, config.fail_on, &config.formats, config.view)
            );
            assert_eq!((&again.policy, &again.mappings), (&config.policy, &config.mappings));
            let without_lines = |config: &Config| {
                let inputs: Vec<_> = config.inputs.iter().cloned().map(|rule| InputRule { line: 0, ..rule }).collect();
                let waivers: Vec<_> =
                    config.waivers.iter().cloned().map(|rule| WaiverRule { line: 0, ..rule }).collect();
                format!("{inputs:?} {waivers:?}")
            };
            assert_eq!(without_lines(&again), without_lines(&config));
            assert_eq!(again.effective_toml(at), written);
        }
        assert!(!good(FULL).effective_toml(0).contains('\u{202e}'), "an override character reached run.toml");
    }

    #[test]
    fn changed_is_what_differs_from_the_defaults() {
        let config = good(
            "policy.dormant_days = 90\npolicy.repeat_limit = 3\npolicy.verification.levels = { FIDO2 = 3, pigeon = 0 }\n\
             policy.severity.weak-verification = 'low'\npolicy.desk_departments = ['SERVICE DESK', 'Help desk', 'it support']",
        );
        let expected =
            ["repeat_limit", "severity.weak-verification", "verification.levels.fido2", "verification.levels.pigeon"];
        assert_eq!(config.policy.changed, expected);
    }

    #[test]
    fn the_policy_as_data_has_sorted_keys_and_whole_numbers() {
        let value = good("[policy]\ncascade_hours = 1.5").policy.to_value();
        let keys: Vec<&String> = value.as_object().expect("an object").keys().collect();
        assert!(keys.is_sorted());
        assert_eq!(keys.len(), SCALARS.len() + POLICY_OTHERS.len());
        assert_eq!(value["dormant_days"].to_string(), "90");
        assert_eq!(value["cascade_hours"].to_string(), "1.5");
        assert_eq!(value["token"]["channel_minutes"]["postal"].to_string(), "30240");
        assert_eq!(value["working_hours"], "08:00-18:00");
        assert_eq!(value["severity"].to_string(), "{}");
    }

    #[test]
    fn times_are_read_in_the_organisations_zone_wherever_it_stands() {
        let since = |value: &str| {
            good(&format!("since = {value}\ntimezone = 'America/New_York'")).since.map(time::format_instant)
        };
        for (value, expected) in [
            ("2026-07-01", "2026-07-01T04:00:00Z"),
            ("'2026-07-01'", "2026-07-01T04:00:00Z"),
            ("2026-07-01T10:00:00", "2026-07-01T14:00:00Z"),
            ("'2026-07-01 10:00'", "2026-07-01T14:00:00Z"),
            ("2026-07-01T10:00:00+02:00", "2026-07-01T08:00:00Z"),
            ("2026-07-01T10:00:00.123456789Z", "2026-07-01T10:00:00.123456Z"),
            ("2026-11-01T01:30:00", "2026-11-01T05:30:00Z"),
            ("2026-03-08T02:30:00", "2026-03-08T07:30:00Z"),
        ] {
            assert_eq!(since(value).as_deref(), Some(expected), "{value}");
        }
    }

    #[test]
    fn the_first_glob_that_matches_wins_and_a_star_crosses_folders() {
        let config = good("input = [{path = 'hr/*.csv', system = 'a'}, {path = './*', system = 'b'}]");
        let system = |path: &str| config.input(path).and_then(|rule| rule.system.as_deref());
        assert_eq!(system("hr/2026/08/workers.csv"), Some("a"));
        assert_eq!(system("hr/workers.json"), Some("b"));
        assert!(good("input = [{path = 'hr/[ab].csv'}]").input("hr/c.csv").is_none());
    }

    #[test]
    fn a_fault_names_its_place_what_was_found_and_what_to_do() {
        for (text, expected) in [
            (
                "title = 'x'\n[policy]\ndormant_dayz = 3",
                "conf/regrant.toml:3:1: unknown key \"dormant_dayz\" in [policy]\n  help: did you mean `dormant_days`?",
            ),
            (
                "dormant_days = 3",
                "conf/regrant.toml:1:1: unknown key \"dormant_days\" in the config\n  help: `dormant_days` belongs under [policy]",
            ),
            (
                "[[input]]\npath = 'x'\nas_of = 2026-01-01",
                "conf/regrant.toml:3:1: unknown key \"as_of\" in [[input]]\n  help: `as_of` belongs at the top, before the first table",
            ),
            (
                "[policy.token.channel_minutes]\n  pigeon = 3",
                "conf/regrant.toml:2:3: unknown key \"pigeon\" in [policy.token.channel_minutes]\n  help: the keys here are `app`, \
                 `desk`, `email`, `postal`, `sms`, `unknown` and `voice`",
            ),
            (
                "timezone = 'Europe/Londn'",
                "conf/regrant.toml:1:12: `timezone` is \"Europe/Londn\", expected a zone of the IANA database\n  help: did you mean \
                 `Europe/London`?",
            ),
            (
                "[policy]\ndormant_days = '90'",
                "conf/regrant.toml:2:16: `dormant_days` is \"90\", expected a number\n  help: write `dormant_days = 60`, without quotes",
            ),
            (
                "[policy]\ndormant_days = nan",
                "conf/regrant.toml:2:16: `dormant_days` is nan, expected a number from 0 to 36525\n  help: `dormant_days` is days, at \
                 most a hundred years of them",
            ),
            (
                "since = 2026-10-01\nuntil = 2026-10-01",
                "conf/regrant.toml:2:9: `until` is 2026-10-01T00:00:00Z, expected an instant after `since`, 2026-10-01T00:00:00Z\n  \
                 help: the period is [since, until): `until` is the first instant outside it",
            ),
            (
                "formats = ['html', 'pages']",
                "conf/regrant.toml:1:20: `formats` is \"pages\", expected `html`, `markdown`, `xlsx`, `sarif`, `ocsf`, `oscal`, `hdf`, \
                 `junit`, `parquet`, `csv`, `jsonl`, `json` or `all`\n  help: choose one of these",
            ),
            (
                "\n[[waiver]]\nid = 'W'",
                "conf/regrant.toml:2:1: waiver \"W\": [[waiver]] has no `checks`\n  help: add `checks = …`; a waiver needs `id`, `checks`, `where`, \
                 `reason`, `requested_by`, `approved_by`, `starts_on` and `expires_on`",
            ),
            ("title = '監査' x", "conf/regrant.toml:1:14: this is not TOML"),
        ] {
            let found = fault(text);
            assert!(found.starts_with(expected), "{text}\nfound    {found}\nexpected {expected}");
        }
    }

    #[test]
    fn values_out_of_their_range_are_refused() {
        for text in [
            "fail_on = 'severe'",
            "fail_on = 3",
            "as_of = 10:00:00",
            "as_of = 'now'",
            "as_of = 2026",
            "timezone = 'BST+1'",
            "title = ' '",
            "formats = 'html'",
            "mappings = [1]",
            "input = 3",
            "[input]\npath = 'x'",
            "[[input]]",
            "[[input]]\npath = '[a'",
            "[[input]]\npath = 'x'\nmax_age = '2'",
            "[[input]]\npath = 'x'\nmax_age = '2m'",
            "[[input]]\npath = 'x'\nmax_age = 'd'",
            "[[input]]\npath = 'x'\nmax_age = '0d'",
            "[[input]]\npath = 'x'\nmax_age = '-2d'",
            "[[input]]\npath = 'x'\nmax_age = '9999999d'",
            "[[input]]\npath = 'x'\nmax_age = '99999999999999999999d'",
            "[[input]]\npath = 'x'\nmax_age = 2",
            "[[input]]\npath = 'x'\nexpected_records = -1",
            "[[input]]\npath = 'x'\nexpected_records = 1.5",
            "[[input]]\npath = 'x'\nexpected_records = 9223372036854775808",
            "[[input]]\npath = 'x'\ndate_order = 'ydm'",
            "[[input]]\npath = 'x'\ntime_format = '%Q'",
            "[[input]]\npath = 'x'\noptional = 'yes'",
            "[[input]]\npath = 'x'\nsnapshot = 2026-08-01T00:00:00Z",
            "[[input]]\npath = 'x'\nsnapshot = 'August'",
            "policy = 3",
            "[policy]\ndormant_days = -1",
            "[policy]\ndormant_days = inf",
            "[policy]\ndormant_days = 36526",
            "[policy]\nbulk_targets = 99999999999999999999999",
            "[policy]\nworking_hours = '8-18'",
            "[policy]\nworking_hours = '22:00-06:00'",
            "[policy]\nworking_hours = '08:00-08:00'",
            "[policy]\nworking_hours = '08:00-24:01'",
            "[policy]\nworking_hours = '08:60-18:00'",
            "[policy]\nworking_hours = '+8:00-18:00'",
            "[policy]\nworking_days = ['mo']",
            "[policy]\nholidays = ['2026-02-30']",
            "[policy]\nholidays = 2026-08-31",
            "[policy.approval]\nself_service = 1",
            "[policy.approval]\nself = true",
            "[policy.revocation]\nhumans = 1",
            "[policy.verification]\nlevel = {}",
            "[policy.verification.levels]\nTOTP = 1\ntotp = 2",
            "[policy.verification.levels]\ntotp = '2'",
            "[policy.verification.required]\nvip = 3",
            "[policy.token]\nminutes = 3",
            "[policy.severity]\nx = 'none'",
            "[policy]\ndormant_days = 1\ndormant_days = 2",
        ] {
            fault(text);
        }
    }

    #[test]
    fn a_waiver_needs_everything_and_two_people() {
        let waiver = |from: &str, to: &str| {
            let (_, text) = FULL.split_once("[[waiver]]").expect("the sample has a waiver");
            assert!(text.contains(from), "{from}");
            format!("[[waiver]]{}", text.replace(from, to))
        };
        assert_eq!(good(&waiver("W-2026-014", "W")).waivers[0].id, "W");
        assert_eq!(good(&waiver("2026-12-31", "2026-07-01")).waivers.len(), 1);
        for key in WAIVER {
            let found = fault(&waiver(&format!("\n{key} = "), "\nnotes = "));
            assert!(found.contains("notes"), "{found}");
        }
        let found = fault(&waiver("ciso@corp.example", " ANN@corp.example"));
        assert!(
            found.contains("`approved_by` is \" ANN@corp.example\", expected someone other than `requested_by`"),
            "{found}"
        );
        assert!(
            fault(&waiver("2026-12-31", "2026-06-30")).contains("expected a day not before `starts_on`, 2026-07-01")
        );
        assert!(
            fault(&waiver("[\"weak-verification\", \"ticket-not-found\"]", "[]")).contains("`checks` is an empty list")
        );
        let found = fault(&format!("{}{}", waiver("W-2026-014", "W"), waiver("W-2026-014", "W")));
        assert!(found.contains("regrant.toml:12:6: the waiver id \"W\" is already that of line 1\n"), "{found}");
    }

    #[test]
    fn a_file_that_cannot_be_read_says_so() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("regrant.toml");
        let error = Config::load(&path).expect_err("nothing is there").to_string();
        assert!(error.starts_with(&format!("{}: cannot read the config: ", path.display())), "{error}");
        std::fs::write(&path, b"title = '\xff'").expect("the folder is ours");
        let error = Config::load(&path).expect_err("not UTF-8").to_string();
        assert!(error.contains("byte 9 begins no character"), "{error}");
        std::fs::write(&path, b"title = 'x'").expect("the folder is ours");
        assert_eq!(Config::load(&path).map(|config| config.base), Ok(folder.path().to_owned()));
    }
}
