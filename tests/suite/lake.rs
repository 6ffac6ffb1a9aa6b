//! Tables of facts and the scripts that judge them, in DuckDB, ClickHouse and Spark where they are installed: the verdict of
//! every check on every subject is the one of `audit`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::{Arc, OnceLock};

use polars::prelude::{ChunkedArray, IntoSeries, NamedFrom, PlSmallStr, Series};
use regrant::assess::waiver::Waiver;
use regrant::check::SubjectKind;
use regrant::check::catalogue::{Catalogue, FactNames};
use regrant::check::dialect::Dialect;
use regrant::check::predicate::{Columns, Kind, Predicate};
use regrant::config::Config;
use regrant::fact::{Registry, ResetCompute, ResetSubject, World, reset_fact, reset_facts};
use regrant::lake::basis::BASES;
use regrant::lake::script::Script;
use regrant::lake::table;
use regrant::mappings::Mappings;
use regrant::report::model::Standing;
use regrant::run::{self, InputHash, Progress, Report, Request, Subjects};
use serde_json::Value;

use crate::{audit, default_as_of, one_thread, root, shared};

/// A Python with the engines: `REGRANT_ENGINES` names it, else the one that `.ci/run` makes, else any.
#[allow(clippy::disallowed_methods, reason = "a test asks the machine what it has")]
pub fn python() -> PathBuf {
    if let Some(named) = std::env::var_os("REGRANT_ENGINES") {
        return named.into();
    }
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    let own = home.join(".cache/regrant-engines/bin/python");
    if own.is_file() { own } else { "python3".into() }
}

#[allow(clippy::disallowed_methods, reason = "a test asks the machine what it has")]
fn required(dialect: Dialect) -> bool {
    let all = std::env::var("REGRANT_REQUIRE_ENGINES").unwrap_or_default();
    all.split(',').any(|name| name == dialect.name())
}

fn engines(dialect: Dialect, args: &[String]) -> std::io::Result<Output> {
    Command::new(python())
        .arg(root().join("tests/suite/engines.py"))
        .arg(dialect.name())
        .args(args)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
}

/// Can the engine be used here? Said where it cannot.
fn there_is(dialect: Dialect) -> bool {
    let why = match engines(dialect, &["--probe".to_owned()]) {
        Ok(output) if output.status.success() => return true,
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            text.lines().last().unwrap_or_default().to_owned()
        }
        Err(error) => format!("{}: {error}", python().display()),
    };
    assert!(!required(dialect), "{dialect} is required: {why}");
    println!("skipped: {dialect} cannot be used here: {why}");
    false
}

fn lines(dialect: Dialect, args: &[String]) -> Vec<Value> {
    let output = engines(dialect, args).expect("it could be started before");
    let tail: Vec<String> = String::from_utf8_lossy(&output.stderr).lines().rev().take(40).map(str::to_owned).collect();
    let tail: Vec<&str> = tail.iter().rev().map(String::as_str).collect();
    assert!(output.status.success(), "{dialect}:\n{}", tail.join("\n"));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"))).collect()
}

/// An organisation: where its exports lie and its config.
struct House {
    name: &'static str,
    paths: Vec<PathBuf>,
    config: Config,
    _folder: Option<tempfile::TempDir>,
}

impl House {
    fn sample() -> House {
        let folder = root().join("sample-data");
        let config = Config::load(&folder.join("regrant.toml")).unwrap_or_else(|e| panic!("{e}"));
        House { name: "sample", paths: vec![folder], config, _folder: None }
    }

    /// One that the oracle makes up; null where there is no oracle or no Python.
    fn made_up(seed: &'static str) -> Option<House> {
        let oracle = shared("oracle")?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let input = folder.path().join("in");
        let mut command = Command::new("python3");
        command.arg(oracle.join("gen.py")).args([seed, "400"]).arg(&input).env("PYTHONDONTWRITEBYTECODE", "1");
        let made = match command.output() {
            Ok(made) => made,
            Err(error) => {
                println!("skipped: there is no python3: {error}");
                return None;
            }
        };
        assert!(made.status.success(), "gen.py: {}", String::from_utf8_lossy(&made.stderr));
        let config = Config::load(&input.join("regrant.toml")).unwrap_or_else(|e| panic!("{e}"));
        Some(House { name: seed, paths: vec![input], config, _folder: Some(folder) })
    }

    fn all() -> Vec<House> {
        [Some(House::sample()), House::made_up("0"), House::made_up("5"), House::made_up("7")]
            .into_iter()
            .flatten()
            .collect()
    }

    fn request(&self, config: Config) -> Request {
        Request {
            paths: self.paths.clone(),
            as_of: config.as_of.unwrap_or_else(default_as_of),
            as_of_source: "config",
            config,
            mappings: Vec::new(),
            input_hash: InputHash::None,
            subjects: Subjects::Never,
            identity: None,
            redact: None,
        }
    }

    fn with_world<T>(&self, config: Config, work: impl FnOnce(&World<'_>) -> T) -> T {
        let nobody: Progress = Arc::new(|_, _| {});
        run::with_world(&self.request(config), &nobody, work).unwrap_or_else(|e| panic!("{}: {e}", self.name))
    }

    /// Its table of facts.
    fn facts(&self, config: &Config) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.with_world(config.clone(), |world| table::write(world, "0.0.0", &mut bytes).expect("memory takes it"));
        bytes
    }

    fn audit(&self, config: &Config) -> Report {
        audit(&self.paths, config.clone()).unwrap_or_else(|e| panic!("{}: {e}", self.name))
    }
}

fn script(dialect: Dialect, config: &Config) -> String {
    let registry = Registry::new(&config.policy);
    let mappings = Mappings::load(&[]).expect("the shipped ones");
    let catalogue = Catalogue::load(&mappings, &registry).expect("the shipped ones");
    let as_of = config.as_of.unwrap_or_else(default_as_of);
    let waivers = Waiver::compile(config, &catalogue, &registry, as_of).expect("good waivers");
    let script = Script {
        dialect,
        config,
        catalogue: &catalogue,
        waivers: &waivers,
        table: "facts",
        views: "regrant",
        version: "0",
    };
    script.print().unwrap_or_else(|e| panic!("{e}"))
}

/// What an engine is to say: a script over a table, and the audit that says the same.
struct Pair {
    name: String,
    script: String,
    facts: Vec<u8>,
    report: Report,
}

fn text<'v>(row: &'v Value, column: &str) -> &'v str {
    row[column].as_str().unwrap_or_default()
}

fn key(row: &Value) -> [String; 4] {
    ["check_id", "subject_kind", "system", "subject"].map(|column| text(row, column).to_owned())
}

/// Runs the script of each over its facts, and compares every verdict, finding and count with the audit's.
fn agree(dialect: Dialect, pairs: &[Pair]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut args = Vec::new();
    for (place, pair) in pairs.iter().enumerate() {
        for (name, bytes) in
            [(format!("{place}.sql"), pair.script.as_bytes()), (format!("{place}.parquet"), pair.facts.as_slice())]
        {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).expect("our own folder");
            args.push(path.display().to_string());
        }
    }
    let rows = lines(dialect, &args);
    for (place, pair) in pairs.iter().enumerate() {
        let of = |view: &str| rows.iter().filter(|row| row["pair"] == place && row["view"] == view).collect::<Vec<_>>();
        compare(dialect, pair, &of("verdicts"), &of("findings"), &of("populations"));
    }
}

fn compare(dialect: Dialect, pair: &Pair, verdicts: &[&Value], findings: &[&Value], populations: &[&Value]) {
    let place = format!("{dialect}, {}", pair.name);
    let mut expected: BTreeMap<[String; 4], String> = BTreeMap::new();
    for subject in pair.report.subjects.as_deref().expect("kept") {
        for (check, verdict) in &subject.verdicts {
            let key = [check.clone(), subject.subject_kind.clone(), subject.system.clone(), subject.subject.clone()];
            expected.insert(key, verdict.clone());
        }
    }
    assert!(expected.len() > 10_000, "{place}: only {} verdicts", expected.len());
    let mut found: BTreeMap<[String; 4], String> = BTreeMap::new();
    for row in verdicts {
        let verdict = if text(row, "state") == "waived" { "waived" } else { text(row, "verdict") };
        assert!(found.insert(key(row), verdict.to_owned()).is_none(), "{place}: twice: {row}");
    }
    let differing: Vec<_> = expected.iter().filter(|(key, verdict)| found.get(*key) != Some(verdict)).take(5).collect();
    assert!(
        differing.is_empty(),
        "{place}: {differing:?}, but {:?}",
        differing.iter().map(|d| found.get(d.0)).collect::<Vec<_>>()
    );
    assert_eq!(found.len(), expected.len(), "{place}");

    let by_id: BTreeMap<&str, &&Value> = findings.iter().map(|row| (text(row, "finding_id"), row)).collect();
    assert_eq!(by_id.len(), pair.report.findings.len(), "{place}: findings");
    for finding in &pair.report.findings {
        let row = by_id.get(finding.finding_id.as_str()).unwrap_or_else(|| panic!("{place}: lacks {finding:?}"));
        let as_json = serde_json::to_value(finding).expect("a finding is JSON");
        for (column, name) in [
            ("check_id", "check"),
            ("control", "control"),
            ("severity", "severity"),
            ("state", "state"),
            ("subject_kind", "subject_kind"),
            ("subject", "subject"),
            ("system", "system"),
            ("action", "action"),
            ("target", "target"),
            ("identity", "identity"),
            ("identity_name", "identity_name"),
            ("tier", "tier"),
            ("executor", "executor"),
            ("approver", "approver"),
            ("ticket", "ticket"),
            ("source_file", "source_file"),
            ("waiver", "waiver"),
        ] {
            assert_eq!(text(row, column), as_json[name].as_str().unwrap_or_default(), "{place}: {column} of {row}");
        }
        assert_eq!(row["source_record"], as_json["source_record"], "{place}: {row}");
        let seconds: String = finding.occurred_at.chars().take(19).collect();
        let at: String = text(row, "occurred_at").replace(' ', "T").chars().take(19).collect();
        assert_eq!(at, seconds, "{place}: {row}");
    }

    assert_eq!(populations.len(), pair.report.assessment.checks.len(), "{place}: populations");
    for check in &pair.report.assessment.checks {
        let row = populations.iter().find(|row| text(row, "check_id") == check.id);
        let row = row.unwrap_or_else(|| panic!("{place}: lacks {}", check.id));
        let counts = serde_json::to_value(check.counts).expect("counts are JSON");
        for (name, count) in counts.as_object().expect("an object") {
            assert_eq!(&row[name], count, "{place}: {name} of {row}");
        }
        assert_eq!(row["not_comparable"], 0, "{place}: {row}");
        let standing = serde_json::to_value(check.verdict).expect("a word");
        // What control totals take back from a pass is not in the table.
        if check.verdict != Standing::CannotConclude || check.counts.indeterminate > 0 {
            assert_eq!(row["verdict"], standing, "{place}: {row}");
        }
    }
}

/// Houses as they are, and two of them under thresholds that their facts were not computed with.
fn pairs(dialect: Dialect, names: &[&str]) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for house in House::all() {
        let facts = house.facts(&house.config);
        let mut other = house.config.clone();
        other.policy.dormant_days = 17.0;
        other.policy.approval_max_age_minutes = 30.5;
        other.policy.bulk_targets = 1.0;
        other.policy.repeat_limit = 0.0;
        other.policy.max_credential_days = 400.0;
        let again = format!("{}, judged again", house.name);
        for (name, config) in [(house.name.to_owned(), &house.config), (again, &other)] {
            if names.contains(&name.as_str()) {
                let (script, report) = (script(dialect, config), house.audit(config));
                pairs.push(Pair { name, script, facts: facts.clone(), report });
            }
        }
    }
    pairs
}

#[test]
fn duckdb_says_what_audit_says() {
    if there_is(Dialect::DuckDb) {
        agree(Dialect::DuckDb, &pairs(Dialect::DuckDb, &["sample", "sample, judged again", "0", "7"]));
    }
}

#[test]
fn clickhouse_says_what_audit_says() {
    if there_is(Dialect::ClickHouse) {
        agree(Dialect::ClickHouse, &pairs(Dialect::ClickHouse, &["sample", "0, judged again", "5"]));
    }
}

#[test]
fn spark_says_what_audit_says() {
    if there_is(Dialect::Spark) {
        // Planning takes long here; the others have been through more.
        agree(Dialect::Spark, &pairs(Dialect::Spark, &["sample", "0, judged again", "5"]));
    }
}

/// Facts of a run, by fact and subject.
fn values(report: &Report) -> BTreeMap<(String, String), Value> {
    let subjects = report.subjects.as_deref().expect("kept").iter().filter(|subject| subject.subject_kind == "reset");
    subjects
        .flat_map(|s| {
            let subject = format!("{} {}", s.system, s.subject);
            s.facts.iter().map(move |(fact, value)| ((fact.clone(), subject.clone()), value.clone()))
        })
        .collect()
}

#[test]
fn a_fact_rests_on_the_policy_that_its_basis_names_and_on_no_other() {
    type Change = fn(&mut Config);
    let changes: [(&str, Change); 19] = [
        ("policy_desk_departments", |c| c.policy.desk_departments = vec!["nobody".to_owned()]),
        ("policy_roster_freshness", |c| c.policy.roster_freshness_days = 1.0),
        ("policy_verification_levels", |c| c.policy.levels.values_mut().for_each(|level| *level = 4.0 - *level)),
        ("policy_verification_required", |c| c.policy.required.values_mut().for_each(|level| *level = 4.0)),
        ("policy_token", |c| c.policy.tier_minutes.values_mut().for_each(|minutes| *minutes = 3.0)),
        ("policy_revocation", |c| {
            c.policy.revocation_human = 40_000.0;
            c.policy.revocation_workload = 40_000.0;
            c.policy.revocation_issued = 0.0;
        }),
        ("policy_approval", |c| c.policy.approval_self_service = true),
        ("policy_approval_match", |c| {
            c.policy.approval_match_before_minutes = 1.0;
            c.policy.approval_match_after_minutes = 0.0;
        }),
        ("policy_recovery_categories", |c| c.policy.recovery_categories = vec!["other".to_owned()]),
        ("policy_bulk_window", |c| c.policy.bulk_window_minutes = 100_000.0),
        ("policy_repeat_window", |c| c.policy.repeat_window_hours = 2_000.0),
        ("policy_working_time", |c| c.policy.working_days = [false, true, false, true, false, true, false]),
        ("policy_factor_pair", |c| c.policy.factor_pair_minutes = 1_000_000.0),
        ("policy_reactivation", |c| c.policy.reactivation_hours = 20_000.0),
        ("policy_privilege", |c| c.policy.privilege_hours = 20_000.0),
        ("policy_contact_change", |c| c.policy.contact_change_days = 1_000.0),
        ("policy_cascade", |c| c.policy.cascade_hours = 20_000.0),
        ("policy_denied", |c| c.policy.denied_hours = 20_000.0),
        // What predicates compare is no part of a fact.
        ("", |c| {
            c.policy.verification_max_age_minutes = 1.0;
            c.policy.approval_max_age_minutes = 1.0;
            c.policy.max_credential_days = 1.0;
            c.policy.bulk_targets = 1.0;
            c.policy.repeat_limit = 1.0;
            c.policy.notification_max_minutes = 1.0;
        }),
    ];
    let mut moved: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let houses: Vec<House> = [Some(House::sample()), House::made_up("0")].into_iter().flatten().collect();
    for house in &houses {
        let before = values(&house.audit(&house.config));
        for (column, change) in &changes {
            let mut config = house.config.clone();
            change(&mut config);
            let after = values(&house.audit(&config));
            assert_eq!(before.len(), after.len());
            let differing = before.iter().zip(&after).filter(|(a, b)| a != b).map(|(a, _)| a.0.0.clone());
            moved.entry(column).or_default().extend(differing);
        }
    }
    for (column, facts) in moved {
        let declared = BASES.iter().find(|basis| basis.column == column).map_or(&[][..], |basis| basis.facts);
        let undeclared: Vec<&String> = facts.iter().filter(|fact| !declared.contains(&fact.as_str())).collect();
        assert!(undeclared.is_empty(), "`{column}` moves {undeclared:?}");
        println!("{column}: {} of {} declared facts moved", facts.len(), declared.len());
        let reach = declared.iter().all(|fact| fact.ends_with("_observed"));
        assert!(declared.is_empty() || !facts.is_empty() || houses.len() == 1 || reach, "`{column}` moves nothing");
    }
}

#[test]
fn facts_of_another_policy_are_not_judged() {
    let dialect = Dialect::DuckDb;
    if !there_is(dialect) {
        return;
    }
    let house = House::sample();
    let mut other = house.config.clone();
    other.policy.bulk_window_minutes = 61.0;
    other.policy.levels.insert("totp".to_owned(), 1.0);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (sql, facts) = (folder.path().join("s.sql"), folder.path().join("f.parquet"));
    std::fs::write(&sql, script(dialect, &other)).expect("our own folder");
    std::fs::write(&facts, house.facts(&house.config)).expect("our own folder");
    let rows = lines(dialect, &[sql.display().to_string(), facts.display().to_string()]);
    let report = house.audit(&house.config);
    for check in &report.assessment.checks {
        let row = rows.iter().find(|row| row["view"] == "populations" && text(row, "check_id") == check.id);
        let row = row.unwrap_or_else(|| panic!("lacks {}", check.id));
        let judged = row["passed"].as_u64().unwrap_or(0) + row["failed"].as_u64().unwrap_or(0);
        let strange =
            ["bulk-resets-by-executor", "reset-without-verification", "weak-verification", "stale-verification"];
        if strange.contains(&check.id.as_str()) {
            assert_eq!(judged, 0, "{row}");
            assert!(row["not_comparable"].as_u64() > Some(0), "{row}");
            assert_eq!(row["population"], check.counts.population, "{row}");
        } else {
            assert_eq!(row["not_comparable"], 0, "{row}");
            assert_eq!(row["failed"], check.counts.failed, "{row}");
        }
    }
}

#[test]
fn the_table_is_the_same_on_any_number_of_threads() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut csv = "event_id,occurred_at,system,action,target,executor\n".to_owned();
    for n in 0..table::ROWS_PER_GROUP * 2 + 17 {
        let line = format!("e{n},2026-07-{:02}T10:00:00Z,okta,password-reset,p{},x{}\n", n % 28 + 1, n % 991, n % 13);
        csv.push_str(&line);
    }
    std::fs::write(folder.path().join("event.csv"), csv).expect("our own folder");
    let house =
        House { name: "many", paths: vec![folder.path().to_owned()], config: Config::default(), _folder: Some(folder) };
    let many = rayon::ThreadPoolBuilder::new().num_threads(5).build().expect("a pool of five");
    let alone = one_thread().install(|| house.facts(&house.config));
    assert_eq!(alone, many.install(|| house.facts(&house.config)));
    let mut file = tempfile::tempfile().expect("a file");
    std::io::Write::write_all(&mut file, &alone).expect("it takes everything");
    use parquet::file::reader::FileReader;
    let reader = parquet::file::reader::SerializedFileReader::new(file).expect("a file of Parquet");
    let groups: Vec<i64> = reader.metadata().row_groups().iter().map(|group| group.num_rows()).collect();
    let full = table::ROWS_PER_GROUP as i64;
    assert_eq!(groups, [full, full, 17]);
}

// Random predicates: the same values in an engine as here.

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }
}

fn names(kind: Kind) -> &'static [&'static str] {
    static OF: OnceLock<[Vec<&'static str>; 3]> = OnceLock::new();
    let of = OF.get_or_init(|| {
        [Kind::Bool, Kind::Number, Kind::Text]
            .map(|kind| reset_facts().filter(|fact| fact.kind() == kind).map(|fact| fact.name).collect())
    });
    &of[match kind {
        Kind::Bool => 0,
        Kind::Number => 1,
        Kind::Text => 2,
    }]
}

/// A predicate, or a part of one.
fn made_up(dice: &mut Dice, kind: Kind, depth: usize) -> String {
    let leaf = |dice: &mut Dice| match (dice.below(6), kind) {
        (0, _) => "NULL".to_owned(),
        (1, Kind::Bool) => ["TRUE", "FALSE"][dice.below(2)].to_owned(),
        (1 | 2, Kind::Number) => ["0", "1", "2", "0.5", "60", "1440", "90.25"][dice.below(7)].to_owned(),
        (1 | 2, Kind::Text) => {
            ["'human'", "'okta'", "'password-reset'", "'standard'", "'it''s \\ ${x}'", "''"][dice.below(6)].to_owned()
        }
        _ => names(kind)[dice.below(names(kind).len())].to_owned(),
    };
    if depth == 0 {
        return leaf(dice);
    }
    let below = depth - 1;
    let any = |dice: &mut Dice| [Kind::Bool, Kind::Number, Kind::Text][dice.below(3)];
    let ordered = |dice: &mut Dice| [Kind::Number, Kind::Text][dice.below(2)];
    let list = |dice: &mut Dice, kind: Kind| {
        (0..=dice.below(3)).map(|_| made_up(dice, kind, below)).collect::<Vec<_>>().join(", ")
    };
    match (dice.below(12), kind) {
        (0, _) => {
            let otherwise = match dice.below(2) {
                0 => String::new(),
                _ => format!(" ELSE {}", made_up(dice, kind, below)),
            };
            let (when, then) = (made_up(dice, Kind::Bool, below), made_up(dice, kind, below));
            format!("CASE WHEN {when} THEN {then}{otherwise} END")
        }
        (1, _) => format!("COALESCE({})", list(dice, kind)),
        (2..=6, Kind::Number) => {
            let op = ["+", "-", "*"][dice.below(3)];
            format!("({} {op} {})", made_up(dice, kind, below), made_up(dice, kind, below))
        }
        (2 | 3, Kind::Bool) => {
            format!("({} AND {})", made_up(dice, kind, below), made_up(dice, kind, below))
        }
        (4, Kind::Bool) => format!("({} OR {})", made_up(dice, kind, below), made_up(dice, kind, below)),
        (5, Kind::Bool) => format!("(NOT {})", made_up(dice, kind, below)),
        (6, Kind::Bool) => {
            let of = any(dice);
            format!("({} IS {}NULL)", made_up(dice, of, below), ["", "NOT "][dice.below(2)])
        }
        (7, Kind::Bool) => {
            let of = any(dice);
            format!("({} {}IN ({}))", made_up(dice, of, below), ["", "NOT "][dice.below(2)], list(dice, of))
        }
        (8, Kind::Bool) => {
            let of = ordered(dice);
            let [value, low, high] = [0; 3].map(|_| made_up(dice, of, below));
            format!("({value} {}BETWEEN {low} AND {high})", ["", "NOT "][dice.below(2)])
        }
        (9, Kind::Bool) => {
            let of = any(dice);
            format!("({} {} {})", made_up(dice, of, below), ["=", "<>"][dice.below(2)], made_up(dice, of, below))
        }
        (_, Kind::Bool) => {
            let of = ordered(dice);
            let op = ["<", "<=", ">", ">="][dice.below(4)];
            format!("({} {op} {})", made_up(dice, of, below), made_up(dice, of, below))
        }
        _ => leaf(dice),
    }
}

struct Resets<'w>(Vec<ResetSubject<'w>>);

impl Columns for Resets<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn column(&self, name: &str) -> Series {
        let label = PlSmallStr::from_str(name);
        match &reset_fact(name).expect("a fact").compute {
            ResetCompute::Bool(f) => {
                let column: polars::prelude::BooleanChunked = ChunkedArray::from_iter(self.0.iter().map(|s| f(s)));
                column.with_name(label).into_series()
            }
            ResetCompute::Number(f) => Series::new(label, self.0.iter().map(|s| f(s)).collect::<Vec<Option<f64>>>()),
            ResetCompute::Text(f) => Series::new(label, self.0.iter().map(|s| f(s)).collect::<Vec<Option<&str>>>()),
        }
    }
}

fn random_predicates_agree(dialect: Dialect, count: usize) {
    if !there_is(dialect) {
        return;
    }
    let Some(house) = House::made_up("0").or_else(|| Some(House::sample())) else { return };
    let registry = Registry::new(&house.config.policy);
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut predicates = Vec::new();
    while predicates.len() < count {
        let text = made_up(&mut dice, Kind::Bool, 4);
        // `NULL IN (1, 'a')` and the like have no kind.
        if let Ok(predicate) = Predicate::compile(&text, registry.names(SubjectKind::Reset))
            && let Ok(sql) = dialect.condition(&predicate, &|name| Ok(name.to_owned()))
        {
            predicates.push((predicate, sql));
        }
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (list, facts) = (folder.path().join("each.txt"), folder.path().join("f.parquet"));
    let text: String = predicates.iter().map(|(_, sql)| format!("{sql}\n")).collect();
    std::fs::write(&list, text).expect("our own folder");
    std::fs::write(&facts, house.facts(&house.config)).expect("our own folder");
    let found = lines(dialect, &["--each".to_owned(), list.display().to_string(), facts.display().to_string()]);
    assert_eq!(found.len(), count);
    let mut seen = BTreeSet::new();
    house.with_world(house.config.clone(), |world| {
        use regrant::table::event::EVENT_ID;
        let resets = Resets(world.resets.iter().map(|&row| ResetSubject::new(world, row as usize)).collect());
        let id = |s: &ResetSubject<'_>| world.settled.texts.get(world.settled.events.text(EVENT_ID, s.row)).to_string();
        for ((predicate, sql), found) in predicates.iter().zip(&found) {
            let values = predicate.eval(&resets);
            let mut by_id: BTreeMap<String, Vec<Option<bool>>> = BTreeMap::new();
            for (s, value) in resets.0.iter().zip(values.iter()) {
                by_id.entry(id(s)).or_default().push(value);
            }
            // An id that two systems share has two values here and one there.
            for (id, values) in by_id.iter().filter(|(_, values)| values.len() == 1) {
                let there = found[format!("reset {id}")].as_bool();
                assert_eq!(there, values[0], "{dialect}: {} of {id}\n{sql}", predicate.text());
                seen.insert(there);
            }
        }
    });
    assert_eq!(seen.len(), 3, "{dialect}: only {seen:?} occurred");
}

#[test]
fn random_predicates_agree_in_duckdb() {
    random_predicates_agree(Dialect::DuckDb, 400);
}

#[test]
fn random_predicates_agree_in_clickhouse() {
    random_predicates_agree(Dialect::ClickHouse, 400);
}

#[test]
fn random_predicates_agree_in_spark() {
    random_predicates_agree(Dialect::Spark, 100);
}

#[test]
fn a_script_is_cut_where_its_lines_end_with_a_semicolon() {
    let config = Config::load(&root().join("sample-data/regrant.toml")).unwrap_or_else(|e| panic!("{e}"));
    for dialect in Dialect::ALL {
        let script = script(dialect, &config);
        let statements = script.lines().filter(|line| line.ends_with(';')).count();
        assert_eq!(statements, 3, "{dialect}");
        assert!(script.ends_with(";\n"));
    }
}
