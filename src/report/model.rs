//! The assessment: everything a report says, as plain data.
//!
//! One model that every renderer reads and that `assessment.json` is written from. Renderers compute nothing that
//! another output could contradict: printed counts, the HTML and the exit code come from here. Instants are RFC 3339 in
//! UTC with `Z`; null always means "not known" or "not given", never zero.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use smol_str::SmolStr;

use super::evidence::Evidence;
pub use crate::check::Severity;

/// The version of `assessment.json`'s schema; it grows when a field changes meaning or goes away.
pub const SCHEMA_VERSION: u32 = 1;

/// Everything a report says.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Assessment {
    /// See [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What computed it.
    pub tool: Tool,
    /// When, for which period, under which policy.
    pub run: Run,
    /// One entry a file that was read, by path.
    pub inputs: Vec<Input>,
    /// Files of a folder that nobody recognised, by path.
    pub skipped: Vec<Skipped>,
    /// What was judged.
    pub population: Population,
    /// Every check, in catalogue order.
    pub checks: Vec<CheckResult>,
    /// The six controls, in their order.
    pub controls: Vec<ControlResult>,
    /// Every framework, the leading three first.
    pub frameworks: Vec<FrameworkResult>,
    /// Findings by severity, all five severities always there.
    pub totals: BTreeMap<Severity, Total>,
    /// What weakens the conclusions.
    pub data_quality: Vec<DataQuality>,
    /// Every waiver of the config, in its order.
    pub waivers: Vec<WaiverResult>,
    /// Series for charts.
    pub series: Series,
    /// The identities most concerned, most urgent first, at most [`MOST_CONCERNED`] (all that were asked for with `--identity`).
    pub identities: Vec<IdentityStory>,
    /// How many identities have an open finding at all.
    pub identities_concerned: u64,
    /// `--identity X` as given; null for the whole organisation.
    pub limited_to: Option<String>,
    /// Mapping files that replaced or joined the shipped ones.
    pub overrides: Vec<Override>,
    /// What changed since an earlier report; null when none took part.
    pub changes: Option<Changes>,
    /// What was known before, by the report named with `--baseline`; null without one.
    pub baseline: Option<Baseline>,
    /// What would answer most of what cannot be concluded, the most useful first.
    #[serde(default)]
    pub plan: Vec<Remedy>,
    /// Which time the log of each system covers, by system.
    #[serde(default)]
    pub coverage: Vec<LogCoverage>,
}

/// How many identities the assessment tells the story of.
pub const MOST_CONCERNED: usize = 50;

/// The program.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Tool {
    /// Always `regrant`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// When, for which period, under which policy.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Run {
    /// The instant up to which the data is taken as known.
    pub as_of: String,
    /// Where `as_of` came from: `command line`, `config` or `start of the program`.
    pub as_of_source: String,
    /// Start of the period, inclusive; null is unbounded.
    pub since: Option<String>,
    /// End of the period, exclusive; null is unbounded.
    pub until: Option<String>,
    /// The organisation's IANA zone; null when the config has none (dates then are UTC).
    pub timezone: Option<String>,
    /// The config's title.
    pub title: Option<String>,
    /// Effective policy, nested as in `[policy]`.
    pub policy: Value,
    /// Dotted names of the policy values that the config set.
    pub policy_changed: Vec<String>,
    /// SHA-256 of the effective policy.
    pub policy_sha256: String,
    /// SHA-256 of all mappings in force.
    pub mappings_sha256: String,
    /// Over input hashes, config, mappings, version and `as_of`.
    pub digest: String,
}

/// One file that was read. `read = accepted + out_of_scope + merged + duplicates + rejected`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Input {
    /// Relative to the deepest folder common to all that was named, with `/`.
    pub path: String,
    /// Of the file as it lies on disk; null with `--input-hash none` or another algorithm.
    pub sha256: Option<String>,
    /// Null unless `--input-hash blake3`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub blake3: Option<String>,
    /// Size on disk.
    pub bytes: u64,
    /// The mapping that read it: `canonical` or the id of a source mapping.
    pub mapping: String,
    /// Why that mapping.
    pub recognised_by: String,
    /// The table it feeds; of several the first in the order event, person, workload, credential, account, ticket.
    pub table: String,
    /// Rows made, by table.
    pub tables: BTreeMap<String, u64>,
    /// Records read.
    pub read: u64,
    /// Records that stand.
    pub accepted: u64,
    /// Records that the mapping leaves out on purpose.
    pub out_of_scope: u64,
    /// Records merged into another.
    pub merged: u64,
    /// Exact duplicates of another record.
    pub duplicates: u64,
    /// Records in `rejected.csv`.
    pub rejected: u64,
    /// Canonical columns that this source reports, in table order.
    pub reported_columns: Vec<String>,
    /// Columns of the file that no canonical column takes.
    pub ignored_columns: Vec<String>,
    /// Earliest instant of its records (events: `occurred_at`; inventories: `observed_at`; tickets: `decided_at`).
    pub first_at: Option<String>,
    /// Latest such instant.
    pub last_at: Option<String>,
    /// Zone that naive instants of this input were read in; null when there were none.
    pub naive_zone: Option<String>,
    /// Was the zone assumed (UTC by default), not configured?
    pub naive_zone_assumed: bool,
    /// The control total of the config; null when none is set.
    pub expected_records: Option<u64>,
    /// Snapshot date of a dated roster.
    pub snapshot: Option<String>,
    /// Rejections by reason.
    pub rejected_reasons: BTreeMap<String, u64>,
    /// Records left out by reason (for example an event type that is no access decision).
    pub out_of_scope_reasons: BTreeMap<String, u64>,
}

/// A file of a folder that nobody recognised.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Skipped {
    /// Like [`Input::path`].
    pub path: String,
    /// What was found.
    pub reason: String,
}

/// What was judged and what it was judged with.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Population {
    /// Resets of the period.
    pub resets: u64,
    /// Credentials of the inventory.
    pub credentials: u64,
    /// People and workloads.
    pub identities: u64,
    /// People of the roster.
    pub people: u64,
    /// Workloads of the register.
    pub workloads: u64,
    /// Events that stand, of any action, in or outside the period.
    pub events: u64,
    /// Accounts of directories.
    pub accounts: u64,
    /// Tickets.
    pub tickets: u64,
    /// Resets by action.
    pub resets_by_action: BTreeMap<String, u64>,
    /// Resets by kind of their target.
    pub resets_by_target_kind: BTreeMap<String, u64>,
    /// Resets by system.
    pub resets_by_system: BTreeMap<String, u64>,
}

/// How a check, control or requirement stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Standing {
    /// Something failed, waived or not.
    #[serde(rename = "fail")]
    Fail,
    /// Nothing failed, something could not be judged; or nothing could have been shown.
    #[default]
    #[serde(rename = "cannot conclude")]
    CannotConclude,
    /// Something passed, nothing failed, nothing is open.
    #[serde(rename = "pass")]
    Pass,
    /// Nothing to judge although the inputs could have shown it.
    #[serde(rename = "not applicable")]
    NotApplicable,
}

/// How a population divides. `population = not_applicable + passed + failed + waived + indeterminate`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Subjects.
    pub population: u64,
    /// The check does not apply to them.
    pub not_applicable: u64,
    /// They hold.
    pub passed: u64,
    /// They fail and nobody accepted that.
    pub failed: u64,
    /// They fail and a waiver in force accepts it.
    pub waived: u64,
    /// The data cannot tell.
    pub indeterminate: u64,
}

/// One check over its population.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CheckResult {
    /// The file name of its document.
    pub id: String,
    /// The fault, in a few words.
    pub title: String,
    /// One of the six controls.
    pub control: String,
    /// `reset` or `credential`.
    pub subject: String,
    /// As shipped or as the house set it, before escalation.
    pub severity: Option<Severity>,
    /// Severity for sensitive identities, where it differs.
    pub escalated: Option<Severity>,
    /// How it stands.
    pub verdict: Standing,
    /// How its population divides.
    #[serde(flatten)]
    pub counts: Counts,
    /// Missing fact → subjects that could not be judged for want of it, each counted under every missing fact.
    pub indeterminate_because: BTreeMap<String, u64>,
    /// Why nothing could be concluded, in words; null where it could.
    pub inconclusive: Option<String>,
    /// How many could not be judged because a log does not reach as far as the check looks.
    #[serde(default)]
    pub uncovered: u64,
    /// The predicate that says whom it concerns.
    pub applies: String,
    /// The predicate that says who fails.
    pub fails: String,
    /// Policy values that the predicates use, with the value in force.
    pub thresholds: BTreeMap<String, Value>,
    /// What it finds (prose).
    pub finds: String,
    /// Why it matters (prose).
    pub matters: String,
    /// What to do (prose).
    pub remedy: String,
    /// Requirements it is evidence for, `framework:id`.
    pub requirements: Vec<String>,
    /// `shipped`, or the file that it came from.
    pub origin: String,
}

/// One control: its subjects, each with the worst verdict that a check of the control gave it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ControlResult {
    /// Its id, such as `recovery-token`.
    pub id: String,
    /// Its name as a statement that holds or does not.
    pub title: String,
    /// The worst verdict of its checks.
    pub verdict: Standing,
    /// Subjects by the worst verdict of the control's checks on them.
    #[serde(flatten)]
    pub counts: Counts,
    /// (failed + waived) / (failed + waived + passed), between 0 and 1; null when nothing could be judged.
    pub deviation_rate: Option<f64>,
    /// Its checks, in catalogue order.
    pub checks: Vec<String>,
    /// The check that fails most, weighed by severity first; null when none fails.
    pub worst_check: Option<String>,
}

/// One framework.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct FrameworkResult {
    /// The file name of its mapping.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Who publishes it.
    pub publisher: String,
    /// Which edition was mapped.
    pub edition: String,
    /// Under which licence its text stands.
    pub licence: String,
    /// Where the wording was verified.
    pub source: Option<String>,
    /// Printed with it.
    pub note: Option<String>,
    /// `requirement`: met or not; `technique`: seen or not, where a failure is a sighting and a pass is none.
    #[serde(default = "requirement")]
    pub kind: String,
    /// One of the three that lead every report?
    pub leading: bool,
    /// Its requirements, in file order.
    pub requirements: Vec<RequirementResult>,
}

// What every framework was before there were techniques.
fn requirement() -> String {
    "requirement".to_owned()
}

/// One requirement over its own population: the subjects of its direct checks that its scope admits.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RequirementResult {
    /// The publisher's identifier.
    pub id: String,
    /// What users call it, where that differs: "NHI1:2025 (cited as NHI-01)".
    pub aliases: Vec<String>,
    /// Short title; null when no official one is known.
    pub title: Option<String>,
    /// `official`, `paraphrase` or `none`.
    pub title_is: String,
    /// How it stands.
    pub verdict: Standing,
    /// How its population divides, each subject with the worst verdict of the direct checks.
    #[serde(flatten)]
    pub counts: Counts,
    /// Checks whose failure is evidence that exactly this was not met.
    pub direct: Vec<String>,
    /// Checks shown beside it, never counted.
    pub supporting: Vec<String>,
    /// What a pass does not prove.
    pub limits: String,
    /// The predicate that admits reset subjects; null admits all.
    pub scope: Option<String>,
    /// The predicate that admits credential subjects; null admits all.
    pub scope_credential: Option<String>,
    /// `as cited` for a reference that no publication defines.
    pub status: Option<String>,
    /// How the identifier is known.
    pub provenance: Option<String>,
    /// Nearest official entries, where the identifier itself is not official.
    pub nearest: Vec<String>,
    /// Wording for findings that the scope leaves out.
    pub contextual: Option<String>,
    /// Guards that turned a pass into cannot conclude: the policy value, what the requirement demands.
    pub guarded: Vec<String>,
}

/// Findings of one severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Total {
    /// Nobody accepted them.
    pub open: u64,
    /// A waiver in force accepts them.
    pub waived: u64,
}

/// Something that weakens conclusions.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct DataQuality {
    /// A stable slug, such as `ambiguous-alias` or `fact-without-source`.
    pub kind: String,
    /// One sentence.
    pub title: String,
    /// How many records, names or facts.
    pub count: u64,
    /// A few of them, in order.
    pub examples: Vec<String>,
    /// Checks that it weakens.
    pub weakens: Vec<String>,
}

/// Which time the events that one mapping reads of one system cover.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LogCoverage {
    /// The system, such as `okta`.
    pub system: String,
    /// The mapping that reads it, or `canonical`; empty where the config declares the coverage.
    pub mapping: String,
    /// How it is known: `declared` by the config, by the `records` of a vendor's log, or an `extract`: what a canonical table spans.
    pub basis: String,
    /// `events`, or `sign-ins` where these files hold nothing else.
    pub about: String,
    /// From when: the first record, those left out included; null is since ever, as declared.
    pub first_at: Option<String>,
    /// Until when: the last record.
    pub last_at: Option<String>,
    /// Records whose time was seen. Of records that are passed over by their name it is a sample.
    pub records: u64,
    /// Files that have a record of it.
    pub files: u64,
    /// Silences longer than its own rhythm allows, in order, at most 20.
    pub holes: Vec<Silence>,
    /// Further ones.
    pub holes_omitted: u64,
    /// What it lacks of the period, at its beginning and at its end, by its own rhythm.
    pub missing: Vec<Silence>,
    /// Whether verdicts rest on it: a time that it does not cover is unknown. Never so for an extract, or where the config declares otherwise.
    pub decides: bool,
}

/// A time without an event.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Silence {
    /// Its beginning.
    pub from: String,
    /// Its end.
    pub until: String,
}

/// One further export, column or setting, and what it would answer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Remedy {
    /// A stable slug, such as `roster`.
    pub id: String,
    /// What is needed, in a phrase.
    pub title: String,
    /// Checks that lack nothing else, in catalogue order.
    pub answers: Vec<String>,
    /// Checks that lack this among other things, in catalogue order.
    pub helps: Vec<String>,
    /// Subjects that the answered checks could not judge, each counted once for every check.
    pub subjects: u64,
    /// How to get it: menu path or call of sources that carry it.
    pub how: Vec<String>,
}

/// One waiver of the config.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct WaiverResult {
    /// Its id.
    pub id: String,
    /// `active`, `expired` or `not-yet-started`.
    pub state: String,
    /// `unused`, `expiring`, `broad`.
    pub flags: Vec<String>,
    /// Findings it matches, whatever its state.
    pub matched: u64,
    /// Findings it turned from open to waived.
    pub waived: u64,
    /// Checks it is for.
    pub checks: Vec<String>,
    /// Its predicate.
    pub r#where: String,
    /// Its reason.
    pub reason: String,
    /// Who asked.
    pub requested_by: String,
    /// Who accepted the risk.
    pub approved_by: String,
    /// First day, a date of the organisation's zone.
    pub starts_on: String,
    /// Last day, a date of the organisation's zone.
    pub expires_on: String,
    /// The exact instant it ends.
    pub expires_at: String,
}

/// Series for charts; each is complete, renderers only draw.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Series {
    /// Resets by day of the organisation's zone, every day of the data's span of resets.
    pub days: Vec<Day>,
    /// Prior credentials by how long they lived on after the reset, shortest class first, then "still alive" and "not known".
    pub survival: Vec<Bar>,
    /// Approvals by lead over the reset, earliest class first; negative classes are late.
    pub approval_lead: Vec<Bar>,
    /// Inactivity of the target at the reset, in classes of days.
    pub dormancy: Vec<Bar>,
    /// Resets by executor, the busiest first, at most 15.
    pub executors: Vec<ExecutorBar>,
    /// Resets by local weekday (0 = Monday) and hour (0–23): 7 rows of 24. Empty when there are no resets.
    pub hours: Vec<Vec<u64>>,
    /// The same for resets that a person carried out for another: neither automation nor self-service. What is not known
    /// to be self-service counts. Empty in reports of versions before it.
    #[serde(default)]
    pub desk_hours: Vec<Vec<u64>>,
    /// Of those in `desk_hours` how many were outside working hours, holidays included. Null without a `timezone`.
    #[serde(default)]
    pub desk_off_hours: Option<u64>,
    /// Who reset whom where a freshly reset person began to reset others, by time, at most [`LINEAGE`] links.
    pub lineage: Vec<LineageLink>,
    /// Links left out of `lineage`.
    pub lineage_omitted: u64,
}

/// How many links the lineage of cascades holds.
pub const LINEAGE: usize = 60;

/// One reset of a cascade: who reset whom.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LineageLink {
    /// When.
    pub at: String,
    /// Who carried it out: the name in the register, else as in the source; empty when not reported.
    pub from: String,
    /// Who was reset: the name in the register, else as in the source.
    pub to: String,
    /// Which reset.
    pub action: String,
    /// Is it the reset after which its target began to reset others?
    pub first: bool,
}

/// One day's resets.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Day {
    /// The date.
    pub day: String,
    /// Resets executed.
    pub resets: u64,
    /// Of them, those with at least one open finding.
    pub failed: u64,
}

/// One class of a distribution.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Bar {
    /// Its name.
    pub label: String,
    /// How many.
    pub count: u64,
    /// Outside policy?
    pub bad: bool,
}

/// One executor's resets.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ExecutorBar {
    /// As in the source.
    pub executor: String,
    /// Resets it executed.
    pub resets: u64,
    /// Of them, those where approval was required and is missing.
    pub unapproved: u64,
}

/// What happened to one identity (or unresolved name).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct IdentityStory {
    /// Person or workload id; empty when the name resolves to nothing.
    pub identity: String,
    /// The name in the register, else the name in the source.
    pub name: String,
    /// `human`, `workload`, `shared`, `break-glass` or `unknown`.
    pub kind: String,
    /// Tier at its latest finding; empty when unknown.
    pub tier: String,
    /// One sentence a responder can act on.
    pub story: String,
    /// The next step.
    pub next_step: String,
    /// Since when exposed: the instant of the earliest open finding of the worst severity.
    pub since: Option<String>,
    /// Employment periods or the life of the workload: (start, end), null is open.
    pub periods: Vec<(Option<String>, Option<String>)>,
    /// Open findings by severity.
    pub open: BTreeMap<Severity, u64>,
    /// Its findings, by id.
    pub findings: Vec<String>,
    /// What the data knows of it in time order, at most [`TIMELINE`] entries.
    pub timeline: Vec<Moment>,
    /// Entries left out of `timeline`.
    pub timeline_omitted: u64,
}

/// How many entries a story's time line holds.
pub const TIMELINE: usize = 60;

/// One entry of a time line.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Moment {
    /// When.
    pub at: String,
    /// `reset`, `approval`, `verification`, `revocation`, `sign-in`, `context`, `started`, `ended`.
    pub kind: String,
    /// What, in words.
    pub text: String,
    /// Where.
    pub system: String,
    /// Input path; empty for what no single record says.
    pub source_file: String,
    /// 1-based record number; 0 for what no single record says.
    pub source_record: u64,
}

/// A mapping file that is not the built-in one.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Override {
    /// `check`, `framework` or `source`.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Did it replace a shipped file, or is it new?
    pub replaces: bool,
    /// The file, as named.
    pub path: String,
}

/// A report that another is compared with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// Its `as_of`.
    pub as_of: String,
    /// Start of its period, inclusive; null is unbounded.
    pub since: Option<String>,
    /// End of its period, exclusive; null is unbounded.
    pub until: Option<String>,
    /// The version that wrote it.
    pub version: String,
    /// Its run digest.
    pub run_digest: String,
    /// SHA-256 of its manifest, which names every other file of it.
    pub manifest_sha256: String,
}

/// What became of one finding between two reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// It was not there, and is not known to have been there earlier.
    New,
    /// It was not in the earlier report, but in one before that.
    Reopened,
    /// It was accepted by a waiver that is no longer in force, or no longer matches.
    WaiverExpired,
    /// It weighs more or less than before.
    SeverityChanged,
    /// It was open, and a waiver in force now accepts it.
    NewlyWaived,
    /// Its subject is judged and passes.
    Fixed,
    /// Its subject is there, but the check does not apply to it any more, or is not in force.
    NoLongerApplies,
    /// Its subject is there, but the data does not tell any more. Not fixed.
    NoLongerJudged,
    /// Its subject is not in the population any more: the period moved on, or its record is not in the inputs. Not fixed.
    LeftPopulation,
    /// It is not there, and the new report keeps no subjects that could tell why. Not known to be fixed.
    Gone,
}

impl ChangeKind {
    /// Every kind, those that ask for attention first.
    pub const ALL: [ChangeKind; 10] = [
        ChangeKind::New,
        ChangeKind::Reopened,
        ChangeKind::WaiverExpired,
        ChangeKind::SeverityChanged,
        ChangeKind::NewlyWaived,
        ChangeKind::Fixed,
        ChangeKind::NoLongerApplies,
        ChangeKind::NoLongerJudged,
        ChangeKind::LeftPopulation,
        ChangeKind::Gone,
    ];

    /// As written in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            ChangeKind::New => "new",
            ChangeKind::Reopened => "reopened",
            ChangeKind::WaiverExpired => "waiver-expired",
            ChangeKind::SeverityChanged => "severity-changed",
            ChangeKind::NewlyWaived => "newly-waived",
            ChangeKind::Fixed => "fixed",
            ChangeKind::NoLongerApplies => "no-longer-applies",
            ChangeKind::NoLongerJudged => "no-longer-judged",
            ChangeKind::LeftPopulation => "left-population",
            ChangeKind::Gone => "gone",
        }
    }
}

/// To what a change is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// To the records: under the earlier rules it would have come about as well.
    World,
    /// To check, policy, waivers or version: under the earlier rules it would not have come about.
    Rules,
    /// Both changed, or the facts are not kept: it cannot be told.
    NotKnown,
}

impl Cause {
    /// As written in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::World => "world",
            Cause::Rules => "rules",
            Cause::NotKnown => "not-known",
        }
    }
}

/// One finding that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What became of it.
    pub kind: ChangeKind,
    /// To what that is due.
    pub cause: Cause,
    /// Why, in words.
    pub why: String,
    /// The finding.
    pub finding_id: String,
    /// The check.
    pub check: String,
    /// Its severity in the later report, in the earlier one where it is only there.
    pub severity: Severity,
    /// Its severity in the earlier report; null where it was not there.
    pub severity_before: Option<Severity>,
    /// `reset` or `credential`.
    pub subject_kind: String,
    /// `event_id` or `credential_id`.
    pub subject: String,
    /// Folded.
    pub system: String,
    /// RFC 3339 UTC; empty for credentials.
    pub occurred_at: String,
    /// As in the source.
    pub target: String,
    /// The sentence.
    pub because: String,
    /// Id of the waiver that accepts it, or did; empty without one.
    pub waiver: String,
}

/// What changed between two reports.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Changes {
    /// The earlier report.
    pub previous: Reference,
    /// How many findings changed how; every kind is there, at zero where none did.
    pub counts: BTreeMap<ChangeKind, u64>,
    /// Findings in both, whatever changed about them.
    pub persisting: u64,
    /// New and reopened findings that are open, by severity.
    pub new_open: BTreeMap<Severity, u64>,
    /// Of all changes those that are due to check, policy, waivers or version.
    pub due_to_rules: u64,
    /// Every finding that changed, the most severe of each kind first.
    pub findings: Vec<Change>,
    /// Checks, policy values, waivers and the version that are not as they were.
    pub rules: Vec<RuleChange>,
    /// What is judged, and what with: counts that are not as they were.
    pub population: Vec<CountChange>,
    /// Controls whose verdict or deviation rate is not as it was.
    pub controls: Vec<ControlChange>,
    /// Inputs that have the bytes they had in the earlier report although `as_of` moved on, by path.
    pub unchanged_inputs: Vec<String>,
    /// Findings of the later report by the `as_of` of the report that first had them.
    pub first_seen: BTreeMap<String, Vec<String>>,
    /// Findings that went since, by the `as_of` of the report that first lacked them: what makes a finding reopened.
    /// Forgotten after [`REMEMBERED_DAYS`].
    pub gone: BTreeMap<String, Vec<String>>,
}

/// How long a finding that went is remembered: a year, and a month for who looks once a year.
pub const REMEMBERED_DAYS: i64 = 396;

/// A rule that is not as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleChange {
    /// `version`, `check`, `policy`, `waiver` or `mappings`.
    pub kind: String,
    /// The check's or waiver's id, or the policy value's dotted name.
    pub id: String,
    /// As it was; null where it was not there.
    pub was: Option<String>,
    /// As it is; null where it is no longer there.
    pub is: Option<String>,
}

/// A count that is not as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountChange {
    /// Of what: a field of the population.
    pub what: String,
    /// As it was.
    pub was: u64,
    /// As it is.
    pub is: u64,
}

/// A control that does not stand as it stood.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ControlChange {
    /// The control.
    pub id: String,
    /// How it stood.
    pub was: Standing,
    /// How it stands.
    pub is: Standing,
    /// Its deviation rate as it was; null when nothing could be judged.
    pub rate_was: Option<f64>,
    /// Its deviation rate as it is; null when nothing could be judged.
    pub rate_is: Option<f64>,
}

/// Open findings against those of a report that were known and lived with. Only open findings of that report are known:
/// what a waiver accepted there had an end, and is new once that is over.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Baseline {
    /// The report.
    pub reference: Reference,
    /// Open findings that were open there, by severity.
    pub known: BTreeMap<Severity, u64>,
    /// Open findings that were not, by severity.
    pub new: BTreeMap<Severity, u64>,
    /// Findings that were open there and are not in this report.
    pub gone: u64,
    /// Findings that a waiver accepted there, and that are therefore not known.
    pub left_out: u64,
    /// Since when the oldest known finding is known: the `as_of` of the first report that had it; null without any.
    pub oldest: Option<String>,
    /// Median age of known findings in days, at `as_of`; null without any.
    pub median_age_days: Option<f64>,
    /// Known findings by the `as_of` of the report that first had them.
    pub known_since: BTreeMap<String, u64>,
    /// The open findings that are new, by id.
    pub new_findings: Vec<String>,
}

/// One finding: one check that one subject fails. Columns of `findings.csv`, in this order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// First 16 hex digits of SHA-256 of check, subject_kind, folded system and subject joined by line feeds.
    pub finding_id: SmolStr,
    /// The check.
    pub check: SmolStr,
    /// Its control.
    pub control: SmolStr,
    /// After escalation.
    pub severity: Severity,
    /// Open, or accepted by a waiver in force.
    pub state: State,
    /// `reset` or `credential`.
    pub subject_kind: SmolStr,
    /// `event_id` or `credential_id`.
    pub subject: SmolStr,
    /// Folded.
    pub system: SmolStr,
    /// RFC 3339 UTC; empty for credentials.
    pub occurred_at: SmolStr,
    /// Empty for credentials.
    pub action: SmolStr,
    /// As in the source.
    pub target: SmolStr,
    /// Person or workload id; empty when unresolved.
    pub identity: SmolStr,
    /// Its name; empty when unresolved or nameless.
    pub identity_name: SmolStr,
    /// Empty when unknown.
    pub tier: SmolStr,
    /// As in the source.
    pub executor: SmolStr,
    /// The one that counts, from the event or its ticket.
    pub approver: SmolStr,
    /// The one that counts.
    pub ticket: SmolStr,
    /// The sentence.
    pub because: SmolStr,
    /// Fact → value, keys sorted; null is "not reported".
    pub evidence: Evidence,
    /// `framework:id`.
    #[serde(with = "shared")]
    pub requirements: Arc<[String]>,
    /// Input path of the record that carries it.
    pub source_file: SmolStr,
    /// 1-based record number.
    pub source_record: u64,
    /// Id of the waiver that accepts it; empty when open.
    pub waiver: SmolStr,
    /// Of `requirements`, those whose scope leaves this subject out: context, never counted. Empty when none is; not a
    /// column of `findings.csv`.
    #[serde(default, skip_serializing_if = "<[String]>::is_empty", with = "shared")]
    pub contextual: Arc<[String]>,
}

/// Whether anybody accepted a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nobody did.
    Open,
    /// A waiver in force does.
    Waived,
}

/// One rejected record, a line of `rejected.csv`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rejected {
    /// Input path.
    pub file: String,
    /// 1-based record number.
    pub record: u64,
    /// A stable slug such as `bad-occurred_at`.
    pub reason: String,
    /// The beginning of the record, without anything that looks like a secret.
    pub excerpt: String,
}

/// Facts and verdicts of one subject, a line of `subjects.jsonl.zst`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Subject {
    /// `reset` or `credential`.
    pub subject_kind: String,
    /// `event_id` or `credential_id`.
    pub subject: String,
    /// Folded.
    pub system: String,
    /// Empty for credentials.
    pub occurred_at: String,
    /// As in the source.
    pub target: String,
    /// Empty when unresolved.
    pub identity: String,
    /// Every fact; null is "not known".
    pub facts: BTreeMap<String, Value>,
    /// Check → `pass`, `fail`, `waived`, `indeterminate`, `not-applicable`.
    pub verdicts: BTreeMap<String, String>,
    /// Role (`event`, `ticket`, `person`, `workload`, `credential`) → `file:record`.
    pub sources: BTreeMap<String, String>,
}

/// A list that many findings share, as an array of its own in each.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(list: &Arc<[String]>, to: S) -> Result<S::Ok, S::Error> {
        list.as_ref().serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<[String]>, D::Error> {
        Vec::<String>::deserialize(from).map(Arc::from)
    }
}
