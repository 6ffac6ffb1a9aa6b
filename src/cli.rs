//! What the user typed, nothing else: arguments and their help. What they mean is left to [`crate::verbs`].

use std::path::PathBuf;
use std::str::FromStr;

use chrono::NaiveDate;
use chrono_tz::Tz;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::check::Severity;
use crate::check::dialect::Dialect;
use crate::publish::keep::Keep;
use crate::render::html::View;
use crate::render::{Formats, OcsfVersion};
use crate::run;
use crate::time::{self, ParsedInstant};

const EXAMPLES: &str = "\
Examples:
  regrant demo                                 an invented organisation, audited
  regrant audit exports/                       every log and roster in a folder
  regrant audit exports/ -c regrant.toml       with a period, policy and waivers
  regrant hunt exports/                        incidents, and what to cut off
  regrant explain retroactive-approval         what a check finds, and why
  regrant list sources                         what can be read

Exit codes:
  0   ran, and nothing open is at or above --fail-on
  1   could not run        2   wrong usage
  3   too many records of an input were rejected (the report is written)
  4   publish: published, but the metrics file or the hook failed
  10  something open is at or above --fail-on
  11  --require-conclusive, and a check cannot conclude
  12  verify: something is not as it was written; replay: an output differs
Of several the first of 1, 2, 3, 10, 11.";

const AUDIT_EXAMPLES: &str = "\
Examples:
  regrant audit exports/
  regrant audit exports/ -c regrant.toml -o reports/2026-q3
  regrant audit okta.json hr.csv --since 2026-07-01 --until 2026-10-01
  regrant audit exports/ -c regrant.toml --fail-on high -q   in a pipeline
  regrant audit exports/ --identity ann@corp.example         one person

Without -c no config is read, not even one that lies in the folder. The report
goes to regrant-report/ unless -o names another folder; an older report there
is replaced as a whole. Exit codes: `regrant --help`.";

const DEMO_EXAMPLES: &str = "\
Examples:
  regrant demo                 open regrant-demo/report/index.html afterwards
  regrant demo --hunt          open regrant-demo/hunt/hunt.html afterwards
  regrant demo -o /tmp/try";

const HUNT_EXAMPLES: &str = "\
Examples:
  regrant hunt exports/                                     rank incidents
  regrant hunt exports/ --identity tobias.a@corp.example    around one account
  regrant hunt exports/ --ip 203.0.113.9 --since 2026-09-08
  regrant hunt --case regrant-hunt --executor dee@corp.example -o by-dee
                              look again, without the exports, in a second

hunt.html says what happened and what cannot be seen; timeline.csv and .jsonl
are in Timesketch's form; blast-list.csv and containment.csv are for whoever
cuts access off. Nothing found is worth as much as what the page says was
looked at.";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  regrant explain retroactive-approval                  a check
  regrant explain full-stack-reset                      a pattern of a hunt
  regrant explain 3f9c2a7d11e0b845 --report regrant-report
  regrant explain ann@corp.example       what the report finds about somebody";

const PUBLISH_EXAMPLES: &str = "\
Examples:
  regrant publish exports/ -c regrant.toml --site /srv/www/regrant
  regrant publish -c regrant.toml --site site --keep 30d,12m -q
  regrant publish -c regrant.toml --site site --fail-on new:high
  regrant publish -c regrant.toml --site site --metrics /var/lib/regrant.prom

Serve SITE/current: it is exchanged by one rename, so that a reader never sees
half a report and a run that fails or is killed leaves the site as it was.
Without PATH the folder of the config is read.

Exit codes are those of an audit (`regrant --help`), and 4 when the report is
published but the metrics file could not be written or the hook failed.";

const REPLAY_EXAMPLES: &str = "\
Examples:
  regrant replay reports/2026-q3 --inputs exports/
  regrant replay site/runs/2026-10-05T000000Z-1a2b3c4d --inputs archive/october

Exit code 12 when an output is not the same; it is said which, and why where
that can be told.";

const SAMPLE_EXAMPLES: &str = "\
Examples:
  regrant sample regrant-report --check missing-approval --seed 2026-q3
  regrant sample regrant-report --check missing-approval --size 60 --seed 7 \\
          -o workpaper.csv";

const DIFF_EXAMPLES: &str = "\
Examples:
  regrant diff reports/2026-q2 reports/2026-q3
  regrant diff reports/2026-q2 reports/2026-q3 --format md -o changes.md
  regrant diff site/runs/2026-10-04T000000Z-1c9a0f63 site/current/latest

A finding is fixed only where its subject is judged again and passes. What left
the population, or can no longer be judged, is counted apart.";

const VERIFY_EXAMPLES: &str = "\
Examples:
  regrant verify reports/2026-q3
  regrant verify reports/2026-q3 --inputs exports/ --signer audit.pub

Exit code 12 when a file was altered, is missing or was added, or the signature
is not what was asked for. Without a signature only accident is found: who can
alter a file can write a manifest too.";

const RENDER_EXAMPLES: &str = "\
Examples:
  regrant render regrant-report --format xlsx        beside what is there
  regrant render regrant-report --format sarif,ocsf -o for-siem
  regrant render regrant-report --view executive     the same formats again

Every file of the report is held against its manifest first. What is written is
what an audit of the same inputs with these formats would have written.";

const LIST_EXAMPLES: &str = "\
Examples:
  regrant list checks
  regrant list checks -c regrant.toml          with those that the config names
  regrant list sources --mappings our-mappings";

const LINT_EXAMPLES: &str = "\
Examples:
  regrant lint -c regrant.toml --mappings our-mappings
  regrant lint --mappings our-mappings --sample exports/desk.json

The sample shows how full each column is, event names and values that found no
place, and what could be concluded.";

const PLAN_EXAMPLES: &str = "\
Examples:
  regrant plan exports/
  regrant plan exports/ -c regrant.toml -o plan.txt";

const MAP_EXAMPLES: &str = "\
Examples:
  regrant map exports/leavers.csv      to regrant-mappings/sources/leavers.toml
  regrant audit exports/ --mappings regrant-mappings

The proposal goes by names of columns and shapes of values. Correct it, and try
it with `regrant lint --sample`.";

const FACTS_EXAMPLES: &str = "\
Examples:
  regrant facts exports/ -c regrant.toml -o lake/2026-q3.parquet
  regrant list facts                                   what its columns are

Exit code 3 when too many records of an input were rejected; the table is
written.";

const SQL_EXAMPLES: &str = "\
Examples:
  regrant sql --dialect duckdb -c regrant.toml -o verdicts.sql
  duckdb lake.db -c \"CREATE VIEW facts AS FROM 'lake/*.parquet'\" \\
         -c \".read verdicts.sql\" \\
         -c \"FROM regrant_populations ORDER BY as_of, place\"

The script makes the views regrant_verdicts, regrant_findings and
regrant_populations.";

const COMPLETIONS_EXAMPLES: &str = "\
Example:
  regrant completions bash > ~/.local/share/bash-completion/completions/regrant";

/// Audits credential resets: for every reset, whether it should have happened.
#[derive(Debug, Parser)]
#[command(
    name = "regrant",
    version,
    about = "Audits credential resets: joins identity logs, HR rosters, inventories and tickets, and says for every \
             reset whether it should have happened",
    after_help = EXAMPLES,
    max_term_width = 100,
    propagate_version = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Read files and folders, judge every reset and credential, write a report
    #[command(after_help = AUDIT_EXAMPLES)]
    Audit(Box<Audit>),
    /// Audit the sample data that comes with the program
    #[command(after_help = DEMO_EXAMPLES)]
    Demo(Demo),
    /// Audit, add the report to a site of reports, and say what changed: for schedulers
    #[command(after_help = PUBLISH_EXAMPLES)]
    Publish(Box<Publish>),
    /// What changed between two reports
    #[command(after_help = DIFF_EXAMPLES)]
    Diff(Diff),
    /// Check that a report is as it was written
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(Verify),
    /// Write further formats from a saved report, without its inputs
    #[command(after_help = RENDER_EXAMPLES)]
    Render(Render),
    /// Compute a report again from its inputs, and compare every byte
    #[command(after_help = REPLAY_EXAMPLES)]
    Replay(Replay),
    /// Draw an auditor's sample from the subjects of a check
    #[command(after_help = SAMPLE_EXAMPLES)]
    Sample(Sample),
    /// Find incidents of reset abuse in raw exports, and what to cut off first
    #[command(after_help = HUNT_EXAMPLES)]
    Hunt(Box<Hunt>),
    /// Explain a check, a pattern of a hunt, or a finding of a report
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(Explain),
    /// List what there is: checks, facts, sources, frameworks, formats or patterns
    #[command(after_help = LIST_EXAMPLES)]
    List(List),
    /// Check a config and mapping folders; with --sample what a mapping makes of a file
    #[command(after_help = LINT_EXAMPLES)]
    Lint(Lint),
    /// What these inputs let be concluded, and which further export would answer most of the rest
    #[command(after_help = PLAN_EXAMPLES)]
    Plan(Plan),
    /// Write the facts of every subject as a table for DuckDB, Spark, ClickHouse and other engines
    #[command(after_help = FACTS_EXAMPLES)]
    Facts(Facts),
    /// Print the SQL that turns tables of facts into verdicts, findings and populations
    #[command(after_help = SQL_EXAMPLES)]
    Sql(Sql),
    /// Propose a mapping for a CSV or JSON file that is not recognised
    #[command(after_help = MAP_EXAMPLES)]
    Map(Map),
    /// Print a completion script for a shell
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions(Completions),
    /// Print the manual page
    #[command(after_help = "Example:\n  regrant man | man -l -")]
    Man,
    /// Print the version, and the commit where the build was told
    #[command(hide = true)]
    Version,
}

/// `audit`.
#[derive(Debug, Args)]
pub struct Audit {
    /// Files and folders to read; folders are walked
    #[arg(required_unless_present = "explain_input", value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,
    /// Only show which mapping reads this file and why, and the first rows; no report is written
    #[arg(long, value_name = "FILE", conflicts_with = "paths", value_hint = ValueHint::FilePath)]
    pub explain_input: Option<PathBuf>,
    /// Config, mappings.
    #[command(flatten)]
    pub house: House,
    /// Folder of the report; one that holds an older report is replaced as a whole
    #[arg(short, long, value_name = "DIR", default_value = "regrant-report", value_hint = ValueHint::DirPath)]
    pub output: PathBuf,
    /// Terms.
    #[command(flatten)]
    pub terms: Terms,
    /// Limit findings and stories to one person, workload or name
    #[arg(long, value_name = "X")]
    pub identity: Option<String>,
}

/// `hunt`.
#[derive(Debug, Args)]
pub struct Hunt {
    /// Files and folders to read; folders are walked
    #[arg(required_unless_present = "case", value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,
    /// Expand around a person, workload or name; repeatable, as the others
    #[arg(long, value_name = "X")]
    pub identity: Vec<String>,
    /// Expand around who carried something out
    #[arg(long, value_name = "X")]
    pub executor: Vec<String>,
    /// Expand around an address
    #[arg(long, value_name = "X")]
    pub ip: Vec<String>,
    /// Expand around a ticket
    #[arg(long, value_name = "X")]
    pub ticket: Vec<String>,
    /// Expand around a key, factor or other credential
    #[arg(long, value_name = "X")]
    pub credential: Vec<String>,
    /// Only sequences with an event from here on (RFC 3339, or a date: midnight in the config's zone)
    #[arg(long, value_name = "T")]
    pub since: Option<At>,
    /// Only sequences with an event before this
    #[arg(long, value_name = "T")]
    pub until: Option<At>,
    /// Take the data as known up to this instant [default: the config's, else now]
    #[arg(long, value_name = "T")]
    pub as_of: Option<At>,
    /// Look again at what an earlier hunt wrote to this folder, instead of reading exports
    #[arg(long, value_name = "DIR", conflicts_with_all = ["paths", "align_clocks", "as_of"], value_hint = ValueHint::DirPath)]
    pub case: Option<PathBuf>,
    /// How to hash the inputs for the manifest
    #[arg(long, value_name = "HOW", default_value = "sha256")]
    pub input_hash: Hash,
    /// Set clocks of systems by records of the same acts; without it differences are listed and nothing is moved
    #[arg(long)]
    pub align_clocks: bool,
    /// Config, mappings.
    #[command(flatten)]
    pub house: House,
    /// Folder to write; one that holds an older hunt is replaced as a whole
    #[arg(short, long, value_name = "DIR", default_value = "regrant-hunt", value_hint = ValueHint::DirPath)]
    pub output: PathBuf,
    /// Threads to use [default: one for each processor]
    #[arg(long, value_name = "N")]
    pub threads: Option<std::num::NonZeroUsize>,
    /// Print one line and no progress
    #[arg(short, long)]
    pub quiet: bool,
    /// Show progress on standard error; auto: when that is a terminal
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub progress: Show,
}

/// On what terms a run judges and writes; the same for every verb that makes a report.
#[derive(Clone, Debug, Args)]
pub struct Terms {
    /// Take the data as known up to this instant (RFC 3339, or a date: midnight in the config's zone)
    /// [default: the config's, else now]
    #[arg(long, value_name = "T")]
    pub as_of: Option<At>,
    /// Judge resets from here on (as for --as-of) [default: the config's, else all]
    #[arg(long, value_name = "T")]
    pub since: Option<At>,
    /// Judge resets before this (as for --as-of) [default: the config's, else all]
    #[arg(long, value_name = "T")]
    pub until: Option<At>,
    /// Who the page is for: order and depth differ, the data does not [default: the config's, else reviewer]
    #[arg(long, value_name = "WHO")]
    pub view: Option<Reader>,
    /// What to write beside the data files: html, all, or others of `regrant list formats`
    /// [default: the config's, else html]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = format)]
    pub format: Option<Vec<String>>,
    /// Version of OCSF that the export of that name says it follows
    #[arg(long, value_name = "VERSION", default_value = "1.6.0")]
    pub ocsf_version: Ocsf,
    /// End with code 10 when an open finding is at least this severe: critical, high, medium, low, info or none;
    /// new:high and so on look at what --baseline, or without it the previous run, does not have
    /// [default: the config's, else none]
    #[arg(long, value_name = "SEVERITY")]
    pub fail_on: Option<FailOn>,
    /// End with code 11 when any check cannot conclude
    #[arg(long)]
    pub require_conclusive: bool,
    /// End with code 3 when more than this share of an input's records is rejected
    #[arg(long, value_name = "SHARE", default_value = "0.01", value_parser = share)]
    pub max_rejected: f64,
    /// Threads to use [default: one for each processor]
    #[arg(long, value_name = "N")]
    pub threads: Option<std::num::NonZeroUsize>,
    /// Print one line, no progress and no hints
    #[arg(short, long)]
    pub quiet: bool,
    /// Show progress on standard error; auto: when that is a terminal
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub progress: Show,
    /// Write facts and verdicts of every subject; auto: up to 100,000 of them
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub subjects: Show,
    /// How to hash the inputs for the manifest
    #[arg(long, value_name = "HOW", default_value = "sha256")]
    pub input_hash: Hash,
    /// Replace people by pseudonyms in everything that is written; the same key gives the same ones in the next report
    #[arg(long)]
    pub redact: bool,
    /// Key for --redact: at least 16 bytes, such as `openssl rand -hex 32` makes
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub redact_key_file: Option<PathBuf>,
    /// Report that findings were known in: they are counted apart, with their age; see `--fail-on new:high`
    #[arg(long, value_name = "REPORTDIR", value_hint = ValueHint::DirPath)]
    pub baseline: Option<PathBuf>,
    /// Ed25519 key of OpenSSH to sign the manifest with; `regrant verify --signer` and `ssh-keygen -Y verify` check it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub sign_key: Option<PathBuf>,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms {
            as_of: None,
            since: None,
            until: None,
            view: None,
            format: None,
            ocsf_version: Ocsf::V1_6_0,
            fail_on: None,
            require_conclusive: false,
            max_rejected: 0.01,
            threads: None,
            quiet: false,
            progress: Show::Auto,
            subjects: Show::Auto,
            input_hash: Hash::Sha256,
            redact: false,
            redact_key_file: None,
            baseline: None,
            sign_key: None,
        }
    }
}

/// What a house brings along.
#[derive(Clone, Debug, Default, Args)]
pub struct House {
    /// Config to use; none is read unless it is named
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Folder of further sources, checks and frameworks, after the config's; repeatable
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub mappings: Vec<PathBuf>,
}

/// `demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// The same as --output
    #[arg(value_name = "DIR", conflicts_with = "output", value_hint = ValueHint::DirPath)]
    pub folder: Option<PathBuf>,
    /// Folder for the sample data (input/) and what is made of it (report/ or hunt/) [default: regrant-demo]
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub output: Option<PathBuf>,
    /// Three months of three thousand people with three incidents in them, hunted through instead of audited
    #[arg(long)]
    pub hunt: bool,
    /// Threads to use [default: one for each processor]
    #[arg(long, value_name = "N")]
    pub threads: Option<std::num::NonZeroUsize>,
    /// Print one line and no hints
    #[arg(short, long)]
    pub quiet: bool,
}

impl Demo {
    /// Where everything goes.
    pub fn place(&self) -> PathBuf {
        self.output.clone().or_else(|| self.folder.clone()).unwrap_or_else(|| PathBuf::from("regrant-demo"))
    }
}

/// `publish`.
#[derive(Debug, Args)]
pub struct Publish {
    /// Files and folders to read; folders are walked [default: the folder of the config]
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,
    /// Config, mappings.
    #[command(flatten)]
    pub house: House,
    /// Folder of the site
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub site: PathBuf,
    /// Terms.
    #[command(flatten)]
    pub terms: Terms,
    /// Runs that stay: the last of each of so many days (d), weeks (w), months (m) or years (y) [default: all]
    #[arg(long, value_name = "30d,12m")]
    pub keep: Option<Keep>,
    /// Never let retention remove this run (SITE/pins.txt lists such runs)
    #[arg(long)]
    pub pin: bool,
    /// What to do when another run is publishing to the site
    #[arg(long, value_name = "WHAT", default_value = "wait")]
    pub lock: Lock,
    /// End after this time, such as 90s, 30min or 2h, with the site as it was
    #[arg(long, value_name = "TIME", value_parser = limit)]
    pub time_limit: Option<std::time::Duration>,
    /// Write metrics in Prometheus' text format to this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub metrics: Option<PathBuf>,
    /// Command to run by the shell when anything changed; it reads the changes as JSON from its standard input
    #[arg(long, value_name = "CMD", value_hint = ValueHint::CommandString)]
    pub on_change: Option<String>,
}

/// What to do when another run holds the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Lock {
    /// Wait until it has ended
    Wait,
    /// Leave with code 1
    Fail,
}

fn limit(text: &str) -> Result<std::time::Duration, String> {
    let wrong = || "write a whole number and s, min, h, d or w, such as 30min".to_owned();
    let micros = crate::config::parse_age(text.trim()).ok_or_else(wrong)?;
    u64::try_from(micros).map(std::time::Duration::from_micros).map_err(|_| wrong())
}

/// `replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// Report folder
    #[arg(value_name = "REPORTDIR", value_hint = ValueHint::DirPath)]
    pub report: PathBuf,
    /// Folder that the paths of the report's inputs are relative to
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub inputs: PathBuf,
    /// The earlier report that took part [default: looked for beside the report]
    #[arg(long, value_name = "REPORTDIR", value_hint = ValueHint::DirPath)]
    pub previous: Option<PathBuf>,
    /// The baseline that took part [default: looked for beside the report]
    #[arg(long, value_name = "REPORTDIR", value_hint = ValueHint::DirPath)]
    pub baseline: Option<PathBuf>,
    /// Threads to use [default: one for each processor]
    #[arg(long, value_name = "N")]
    pub threads: Option<std::num::NonZeroUsize>,
    /// Print only what is not the same
    #[arg(short, long)]
    pub quiet: bool,
}

/// `sample`.
#[derive(Debug, Args)]
pub struct Sample {
    /// Report folder, with subjects.jsonl.zst
    #[arg(value_name = "REPORTDIR", value_hint = ValueHint::DirPath)]
    pub report: PathBuf,
    /// Check whose subjects are drawn from
    #[arg(long, value_name = "CHECK")]
    pub check: String,
    /// How many subjects to draw
    #[arg(long, value_name = "N", default_value = "25")]
    pub size: std::num::NonZeroUsize,
    /// Any text; the same seed draws the same sample
    #[arg(long, value_name = "S")]
    pub seed: String,
    /// Work paper to write, as CSV [default: none, the sample is only printed]
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
}

/// `diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// Report folder of the earlier run
    #[arg(value_name = "OLD", value_hint = ValueHint::DirPath)]
    pub old: PathBuf,
    /// Report folder of the later run
    #[arg(value_name = "NEW", value_hint = ValueHint::DirPath)]
    pub new: PathBuf,
    /// How to print it
    #[arg(long, value_name = "HOW", default_value = "text")]
    pub format: DiffFormat,
    /// File to write instead of printing
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
}

/// How `diff` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// For a terminal
    Text,
    /// Markdown, for a ticket or a pull request
    Md,
    /// JSON: the member `changes` of assessment.json
    Json,
    /// CSV, a row a finding that changed
    Csv,
}

/// `verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// Report folder
    #[arg(value_name = "REPORTDIR", value_hint = ValueHint::DirPath)]
    pub report: PathBuf,
    /// Folder of the inputs: they are checked as well
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub inputs: Option<PathBuf>,
    /// Public key, authorized_keys or allowed_signers file with the Ed25519 key that the report must be signed with
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub signer: Option<PathBuf>,
    /// Print only what is not as it was written
    #[arg(short, long)]
    pub quiet: bool,
}

/// `render`.
#[derive(Debug, Args)]
pub struct Render {
    /// Folder of the report
    #[arg(value_name = "REPORTDIR", value_hint = ValueHint::DirPath)]
    pub report: PathBuf,
    /// What to write beside the data files: html, all, or others of `regrant list formats`
    /// [default: what the report has]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = format)]
    pub format: Option<Vec<String>>,
    /// Folder to write to; one that holds an older report is replaced as a whole [default: REPORTDIR]
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub output: Option<PathBuf>,
    /// Who the page is for: order and depth differ, the data does not [default: whom it was for]
    #[arg(long, value_name = "WHO")]
    pub view: Option<Reader>,
    /// Version of OCSF that the export of that name says it follows
    #[arg(long, value_name = "VERSION", default_value = "1.6.0")]
    pub ocsf_version: Ocsf,
}

/// `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// Id of a check, of a pattern of a hunt or of a finding; or a reset, credential or identity that the report is about
    #[arg(value_name = "CHECK|PATTERN|FINDING|NAME")]
    pub what: String,
    /// Report that the finding is in
    #[arg(long, value_name = "DIR", default_value = "regrant-report", value_hint = ValueHint::DirPath)]
    pub report: PathBuf,
    /// Config, mappings.
    #[command(flatten)]
    pub house: House,
}

/// `list`.
#[derive(Debug, Args)]
pub struct List {
    /// What to list
    pub what: Listed,
    /// Config, mappings.
    #[command(flatten)]
    pub house: House,
}

/// What can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Listed {
    /// Every check by control, with its severity
    Checks,
    /// Every fact that checks and waivers may name
    Facts,
    /// Every file that can be read, and where to get it
    Sources,
    /// Every framework that findings are evidence for
    Frameworks,
    /// Every file of a report
    Formats,
    /// Every sequence of events that a hunt looks for
    Patterns,
}

/// `lint`.
#[derive(Debug, Args)]
pub struct Lint {
    /// Config, mappings.
    #[command(flatten)]
    pub house: House,
    /// File to try the mappings on
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub sample: Option<PathBuf>,
}

/// `plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// Files and folders to read; folders are walked
    #[arg(required = true, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,
    /// Config, mappings.
    #[command(flatten)]
    pub house: House,
    /// File to write instead of printing
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Take the data as known up to this instant (RFC 3339, or a date: midnight in the config's zone)
    /// [default: the config's, else now]
    #[arg(long, value_name = "T")]
    pub as_of: Option<At>,
    /// Threads to use [default: one for each processor]
    #[arg(long, value_name = "N")]
    pub threads: Option<std::num::NonZeroUsize>,
    /// Show progress on standard error; auto: when that is a terminal
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub progress: Show,
}

/// `facts`.
#[derive(Debug, Args)]
pub struct Facts {
    /// Files and folders to read; folders are walked
    #[arg(required = true, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,
    /// Config, mappings.
    #[command(flatten)]
    pub house: House,
    /// Parquet file to write; one that is there is replaced as a whole
    #[arg(short, long, value_name = "FILE", default_value = "facts.parquet", value_hint = ValueHint::FilePath)]
    pub output: PathBuf,
    /// Take the data as known up to this instant (RFC 3339, or a date: midnight in the config's zone)
    /// [default: the config's, else now]
    #[arg(long, value_name = "T")]
    pub as_of: Option<At>,
    /// Take resets from here on (as for --as-of) [default: the config's, else all]
    #[arg(long, value_name = "T")]
    pub since: Option<At>,
    /// Take resets before this (as for --as-of) [default: the config's, else all]
    #[arg(long, value_name = "T")]
    pub until: Option<At>,
    /// End with code 3 when more than this share of an input's records is rejected
    #[arg(long, value_name = "SHARE", default_value = "0.01", value_parser = share)]
    pub max_rejected: f64,
    /// Threads to use [default: one for each processor]
    #[arg(long, value_name = "N")]
    pub threads: Option<std::num::NonZeroUsize>,
    /// Print nothing but errors, and show no progress
    #[arg(short, long)]
    pub quiet: bool,
    /// Show progress on standard error; auto: when that is a terminal
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub progress: Show,
}

/// `sql`.
#[derive(Debug, Args)]
pub struct Sql {
    /// Whose SQL
    #[arg(long, value_name = "ENGINE")]
    pub dialect: Engine,
    /// Config, mappings.
    #[command(flatten)]
    pub house: House,
    /// File to write instead of printing
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Table or view of facts; dots part catalogue, schema and name
    #[arg(long, value_name = "NAME", default_value = "facts", value_parser = table_name)]
    pub table: String,
    /// What the names of the views begin with
    #[arg(long, value_name = "NAME", default_value = "regrant", value_parser = view_name)]
    pub views: String,
}

/// An engine that judges tables of facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// DuckDB
    Duckdb,
    /// Spark SQL, and Databricks
    Spark,
    /// ClickHouse, and chdb
    Clickhouse,
}

impl Engine {
    /// For the script.
    pub fn dialect(self) -> Dialect {
        match self {
            Engine::Duckdb => Dialect::DuckDb,
            Engine::Spark => Dialect::Spark,
            Engine::Clickhouse => Dialect::ClickHouse,
        }
    }
}

fn table_name(text: &str) -> Result<String, String> {
    let fits = text.split('.').all(|part| !part.is_empty() && !part.contains(char::is_control));
    if fits { Ok(text.to_owned()) } else { Err("write a name, such as facts or lake.audit.facts".to_owned()) }
}

fn view_name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let fits = text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(plain);
    if fits { Ok(text.to_owned()) } else { Err("write letters, digits and _, a letter first".to_owned()) }
}

/// `map`.
#[derive(Debug, Args)]
pub struct Map {
    /// CSV or JSON file, packed or not
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Mapping folder to write into
    #[arg(short, long, value_name = "DIR", default_value = "regrant-mappings", value_hint = ValueHint::DirPath)]
    pub output: PathBuf,
    /// Table that the rows belong to: event, person, workload, credential, account or ticket
    /// [default: the one whose columns fit best]
    #[arg(long, value_name = "TABLE", value_parser = table)]
    pub table: Option<crate::table::Table>,
}

/// `completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// Who reads the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Reader {
    /// Judges controls: the order of an opinion, everything unfolded
    Reviewer,
    /// Follows one account: identities, findings and patterns first
    Responder,
    /// Decides what is done: verdict, whom it concerns, patterns; the rest folded
    Executive,
}

impl Reader {
    /// For the page.
    pub fn view(self) -> View {
        match self {
            Reader::Reviewer => View::Reviewer,
            Reader::Responder => View::Responder,
            Reader::Executive => View::Executive,
        }
    }
}

/// When to do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Show {
    /// When it makes sense
    Auto,
    /// In any case
    Always,
    /// In no case
    Never,
}

impl Show {
    /// For `--subjects`.
    pub fn subjects(self) -> run::Subjects {
        match self {
            Show::Auto => run::Subjects::Auto,
            Show::Always => run::Subjects::Always,
            Show::Never => run::Subjects::Never,
        }
    }
}

/// A version of OCSF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Ocsf {
    /// What AWS Security Hub reads
    #[value(name = "1.6.0")]
    V1_6_0,
    /// The stable version of March 2026
    #[value(name = "1.8.0")]
    V1_8_0,
}

impl Ocsf {
    /// For the renderer.
    pub fn version(self) -> OcsfVersion {
        match self {
            Ocsf::V1_6_0 => OcsfVersion::V1_6_0,
            Ocsf::V1_8_0 => OcsfVersion::V1_8_0,
        }
    }
}

/// How inputs are hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Hash {
    /// SHA-256
    Sha256,
    /// BLAKE3: faster where the processor has no SHA instructions
    Blake3,
    /// Not at all
    None,
}

impl Hash {
    /// For the pipeline.
    pub fn input_hash(self) -> run::InputHash {
        match self {
            Hash::Sha256 => run::InputHash::Sha256,
            Hash::Blake3 => run::InputHash::Blake3,
            Hash::None => run::InputHash::None,
        }
    }
}

/// A point in time before the zone is known that a date or a wall clock is read in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The midnight that begins it.
    Day(NaiveDate),
    /// An instant, or a wall clock.
    Instant(ParsedInstant),
}

impl At {
    /// The instant, in microseconds UTC.
    pub fn in_zone(self, zone: Tz) -> i64 {
        match self {
            At::Day(day) => time::midnight(day, zone),
            At::Instant(instant) => instant.in_zone(zone),
        }
    }
}

impl FromStr for At {
    type Err = String;

    fn from_str(text: &str) -> Result<At, String> {
        let day = time::parse_date(text.as_bytes()).map(At::Day);
        day.or_else(|| time::parse_instant(text.as_bytes()).map(At::Instant))
            .ok_or_else(|| "write a date such as 2026-10-05, or an instant such as 2026-10-05T09:00:00Z".to_owned())
    }
}

/// Which findings make a run fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailOn {
    /// The least severity; null: none does.
    pub least: Option<Severity>,
    /// Which of them count.
    pub among: run::Among,
}

impl FromStr for FailOn {
    type Err = String;

    fn from_str(text: &str) -> Result<FailOn, String> {
        if text == "none" {
            return Ok(FailOn { least: None, among: run::Among::All });
        }
        let (word, among) = match text.strip_prefix("new:") {
            Some(word) => (word, run::Among::New),
            None => (text, run::Among::All),
        };
        let severity: Result<Severity, _> = word.parse();
        let wrong =
            |_| "write critical, high, medium, low, info or none; or new:critical, new:high and so on".to_owned();
        severity.map(|s| FailOn { least: Some(s), among }).map_err(wrong)
    }
}

fn table(text: &str) -> Result<crate::table::Table, String> {
    let names = || crate::table::Table::ALL.map(crate::table::Table::name).join(", ");
    crate::table::Table::named(text).ok_or_else(|| format!("write one of {}", names()))
}

fn share(text: &str) -> Result<f64, String> {
    let share: Option<f64> = text.parse().ok();
    share.filter(|s| (0.0..=1.0).contains(s)).ok_or_else(|| "write a share between 0 and 1, such as 0.01".to_owned())
}

fn format(text: &str) -> Result<String, String> {
    let id = format_id(text.trim());
    Formats::parse([id]).map_err(|unknown| unknown.hint()).map(|_| id.to_owned())
}

/// The config calls `assessment.json` by its kind of file.
pub fn format_id(name: &str) -> &str {
    if name == "json" { "assessment" } else { name }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_argument_is_sound_and_has_help() {
        let mut command = Cli::command();
        command.build();
        command.clone().debug_assert();
        for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
            assert!(verb.get_about().is_some(), "{} says nothing", verb.get_name());
            for argument in verb.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {} says nothing", verb.get_name(), argument.get_id());
            }
            // A terminal of 80 columns breaks what is longer in the middle of an example.
            let examples = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            let told = !verb.get_arguments().any(|a| !matches!(a.get_id().as_str(), "help" | "version"));
            assert!(told || examples.contains("regrant "), "{} has no example", verb.get_name());
            for line in examples.lines().chain(EXAMPLES.lines()) {
                assert!(line.chars().count() <= 80, "{}: {line}", verb.get_name());
            }
        }
    }

    /// What is called the same means the same, and whoever learnt it at one verb finds it at the next.
    #[test]
    fn options_are_spelled_alike_everywhere() {
        let mut command = Cli::command();
        command.build();
        let mut short: std::collections::BTreeMap<char, String> = std::collections::BTreeMap::new();
        let mut examples = 0;
        for verb in command.get_subcommands() {
            for argument in verb.get_arguments() {
                if let (Some(letter), Some(long)) = (argument.get_short(), argument.get_long()) {
                    let known = short.entry(letter).or_insert_with(|| long.to_owned());
                    assert_eq!(known, long, "-{letter} of {}", verb.get_name());
                }
            }
            let has = |id: &str| verb.get_arguments().any(|argument| argument.get_id() == id);
            // Whatever reads exports can be told by which config, as of when and on how many threads.
            let reads = has("paths");
            assert!(!reads || has("config") && has("as_of") && has("threads"), "{}", verb.get_name());
            assert!(!has("mappings") || has("config"), "{} takes mappings but no config", verb.get_name());
            // Examples that cannot be typed are worse than none.
            let text = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            for line in text.replace("\\\n", "").lines().filter(|line| line.starts_with("  regrant ")) {
                let words = line.trim().split("   ").next().unwrap_or_default();
                let words = words.split(['>', '|']).next().unwrap_or_default().split_whitespace();
                let parsed = Cli::try_parse_from(words).map(|_| ());
                assert!(parsed.is_ok(), "{}: {line}: {}", verb.get_name(), parsed.unwrap_err());
                examples += 1;
            }
        }
        assert!(examples > 30, "{examples}");
        for verb in ["demo", "audit", "hunt", "plan", "facts", "sql", "diff", "render", "sample", "map"] {
            let verb = command.find_subcommand(verb).expect("a verb of ours");
            assert!(verb.get_arguments().any(|argument| argument.get_short() == Some('o')), "{} -o", verb.get_name());
        }
    }

    #[test]
    fn points_in_time_are_dates_or_instants() {
        let zone = chrono_tz::Europe::London;
        let at = |text: &str| text.parse::<At>().map(|at| time::format_instant(at.in_zone(zone)));
        assert_eq!(at("2026-07-01").as_deref(), Ok("2026-06-30T23:00:00Z"));
        assert_eq!(at("2026-07-01T00:00:00Z").as_deref(), Ok("2026-07-01T00:00:00Z"));
        assert_eq!(at("2026-07-01T02:00:00+02:00").as_deref(), Ok("2026-07-01T00:00:00Z"));
        assert!(at("yesterday").is_err() && at("2026-02-30").is_err() && at("").is_err());
    }

    #[test]
    fn what_cannot_be_meant_is_a_usage_error() {
        let parse = |rest: &[&str]| Cli::try_parse_from(["regrant", "audit", "x"].iter().chain(rest)).map(|_| ());
        for wrong in [
            ["--format", "pdf"],
            ["--fail-on", "urgent"],
            ["--max-rejected", "2"],
            ["--max-rejected", "NaN"],
            ["--threads", "0"],
            ["--as-of", "soon"],
        ] {
            assert_eq!(parse(&wrong).map_err(|e| e.exit_code()), Err(2), "{wrong:?}");
        }
        parse(&["--format", "html,json", "--fail-on", "none", "--max-rejected", "0"]).expect("all fit");
    }
}
