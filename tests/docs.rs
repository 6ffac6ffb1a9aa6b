//! The documents say what the program does: columns, defaults, counts, examples and links are held against it.

#![allow(clippy::print_stdout, reason = "a test that was skipped says so")]

use std::collections::BTreeMap;
use std::path::Path;

use clap::Parser;
use regrant::check::Control;
use regrant::check::catalogue::Catalogue;
use regrant::cli::{Cli, Verb};
use regrant::config::{Config, Policy};
use regrant::fact::Registry;
use regrant::mappings::Mappings;
use regrant::render::{FORMATS, When};
use regrant::table::{Column, Table, Type};

const README: &str = include_str!("../README.md");
const TABLES: &str = include_str!("../docs/tables.md");
const FORMATS_MD: &str = include_str!("../docs/formats.md");
const CONFIG: &str = include_str!("../docs/config.md");

fn words(column: &Column) -> String {
    match column.ty {
        Type::Text | Type::Folded => "text".to_owned(),
        Type::Alias => "name".to_owned(),
        Type::List => "list".to_owned(),
        Type::Bool => "yes/no".to_owned(),
        Type::Instant => "instant".to_owned(),
        Type::On => "date or instant".to_owned(),
        Type::Enum(all) => all.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" "),
    }
}

fn rows(table: Table) -> String {
    let row = |column: &Column| {
        let name = if column.required { format!("**`{}`**", column.name) } else { format!("`{}`", column.name) };
        format!("| {name} | {} | {} |\n", words(column), column.doc)
    };
    let rows: String = table.columns().iter().map(row).collect();
    format!("| column | holds | |\n|---|---|---|\n{rows}")
}

/// The code blocks that open with `fence`, in order.
fn blocks(text: &str, fence: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    let close = fence.trim_end_matches(|c: char| c != '`');
    while let Some(line) = lines.next() {
        if line == fence {
            found.push(lines.by_ref().take_while(|line| *line != close).map(|line| format!("{line}\n")).collect());
        }
    }
    found
}

#[test]
fn every_column_is_documented_as_it_is() {
    for table in Table::ALL {
        let heading = format!("\n## {}\n", table.name());
        let section = TABLES.split_once(&heading).map(|(_, after)| after).unwrap_or_default();
        let section = section.split("\n## ").next().unwrap_or_default();
        let rows = rows(table);
        assert!(section.contains(&rows), "docs/tables.md, {}: the table should read\n\n{rows}", table.name());
        let listed = section.lines().filter(|line| line.starts_with('|')).count();
        assert_eq!(listed, rows.lines().count(), "docs/tables.md, {}: rows beyond the columns", table.name());
    }
}

#[test]
fn the_documented_defaults_are_the_defaults() {
    let blocks = blocks(CONFIG, "```toml");
    let whole = blocks.concat();
    let config = Config::parse(&whole, Path::new("docs/config.md")).expect("docs/config.md is a config");
    assert_eq!(config.policy.changed, Vec::<String>::new());
    let defaults = Policy::default();
    assert_eq!(config.policy, defaults);
    let policy = blocks.last().expect("the policy is the last block");
    let scalars = defaults.scalars();
    for name in scalars.iter().map(|(name, _)| name) {
        assert!(policy.lines().any(|line| line.split('=').next().map(str::trim) == Some(name)), "{name} is missing");
    }
    let tables = [&defaults.levels, &defaults.required, &defaults.channel_minutes, &defaults.tier_minutes];
    for name in tables.into_iter().flat_map(BTreeMap::keys) {
        assert!(policy.contains(&format!("\n{name} = ")), "{name} is missing");
    }
    assert_eq!((config.inputs.len(), config.waivers.len()), (1, 1));
}

#[test]
fn every_format_is_documented_and_can_be_named_in_a_config() {
    for format in FORMATS.iter().filter(|format| format.when == When::Asked) {
        assert!(FORMATS_MD.contains(&format!("| `{}` | `{}` |", format.id, format.file)), "{}", format.id);
        let config = format!("formats = [\"{}\"]", format.id);
        Config::parse(&config, Path::new("regrant.toml")).unwrap_or_else(|e| panic!("{e}"));
        assert!(README.contains(&format!("`{}`", format.id)) || README.contains(format.file), "{}", format.id);
    }
    for name in regrant::config::FORMATS {
        regrant::render::Formats::parse([regrant::cli::format_id(name)]).unwrap_or_else(|e| panic!("{e}"));
    }
}

#[test]
fn the_readme_counts_the_checks_right() {
    let registry = Registry::new(&Policy::default());
    let mappings = Mappings::load(&[]).expect("the shipped files load");
    let catalogue = Catalogue::load(&mappings, &registry).expect("the shipped checks load");
    let all = catalogue.checks.len();
    assert!(README.contains(&format!(
        "\n{all} checks under {} controls.",
        ["no", "one", "two", "three", "four", "five", "six"][Control::ALL.len()]
    )));
    for control in Control::ALL {
        let count = catalogue.checks.iter().filter(|check| check.control == control).count();
        let row = format!("| {} | {count} |", control.id());
        assert!(README.contains(&row), "README.md should say {row}");
    }
}

#[test]
fn the_readme_s_check_can_be_used() {
    let check = blocks(README, "````markdown").pop().expect("an example of a check");
    let home = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(home.path().join("checks")).expect("a folder in it");
    std::fs::write(home.path().join("checks/unlock-by-vendor.md"), check).expect("a file in it");
    let mappings = Mappings::load(&[home.path().to_owned()]).expect("a folder of mappings");
    let catalogue = Catalogue::load(&mappings, &Registry::new(&Policy::default())).expect("a sound check");
    assert_eq!(catalogue.get("unlock-by-vendor").expect("it is there").cases.len(), 1);
}

#[test]
fn links_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for document in [
        "README.md",
        "CHANGELOG.md",
        "docs/tables.md",
        "docs/config.md",
        "docs/formats.md",
        "docs/hunting.md",
        "docs/lake.md",
        "benches/README.md",
    ] {
        let text = std::fs::read_to_string(root.join(document)).expect("a document of ours");
        let folder = root.join(document).parent().expect("it lies in a folder").to_owned();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            let local = !target.is_empty() && !target.contains("://");
            assert!(!local || folder.join(target).exists(), "{document} links to {target}");
        }
    }
}

#[test]
fn the_mapping_of_the_walk_through_maps_its_records() {
    use regrant::source::mapping::{MappedOutcome, SourceMapping};
    let text = include_str!("../docs/mappings.md");
    let mapping = blocks(text, "```toml").into_iter().next().expect("a first mapping");
    let mapping = SourceMapping::parse("desk-tool", &mapping).unwrap_or_else(|error| panic!("{error}"));
    let records: Vec<serde_json::Value> =
        blocks(text, "```json")[0].lines().map(|line| serde_json::from_str(line).expect("a record")).collect();
    assert!(mapping.recognises_json(&records));
    assert!(
        matches!(mapping.apply(&records[0]).outcome, MappedOutcome::Rows(rows) if rows[0].get("action") == Some("password-reset"))
    );
    assert!(matches!(mapping.apply(&records[1]).outcome, MappedOutcome::OutOfScope(_)));
}

const EXAMPLES: [&str; 6] =
    ["regrant.cron", "regrant.service", "regrant.timer", "cronjob.yaml", "github-actions.yml", "regrant-task.ps1"];

fn example(name: &str) -> String {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples").join(name);
    std::fs::read_to_string(&place).unwrap_or_else(|e| panic!("{}: {e}", place.display()))
}

/// The words of `regrant publish` as a schedule has them: one line, or a YAML list of words.
fn command_of(name: &str) -> Vec<String> {
    let text = example(name);
    if let Some((_, after)) = text.split_once("              command:\n") {
        let words = after.lines().map_while(|line| line.trim().strip_prefix("- ")).map(str::to_owned);
        return words.collect();
    }
    let at = text.find("publish ").unwrap_or_else(|| panic!("{name} publishes nothing"));
    let line = text[at..].lines().next().unwrap_or_default();
    let line = line.split(['>', '\'', '|']).next().unwrap_or_default();
    ["regrant"].into_iter().chain(line.split_whitespace()).map(str::to_owned).collect()
}

#[test]
fn the_schedules_call_the_program_as_it_is() {
    for name in EXAMPLES.iter().filter(|name| **name != "regrant.timer") {
        let words = command_of(name);
        let parsed = Cli::try_parse_from(&words).unwrap_or_else(|e| panic!("{name}: {words:?}: {e}"));
        let Verb::Publish(args) = parsed.verb else { panic!("{name} does not publish") };
        assert!(args.terms.quiet && args.keep.is_some() && args.terms.fail_on.is_some(), "{name}");
    }
    for line in include_str!("../docs/publishing.md").lines().filter_map(|line| line.strip_prefix("    regrant ")) {
        let words: Vec<&str> = ["regrant"].into_iter().chain(line.split_whitespace()).collect();
        Cli::try_parse_from(&words).unwrap_or_else(|e| panic!("docs/publishing.md: {line}: {e}"));
    }
    let index = include_str!("../docs/publishing.md");
    assert!(EXAMPLES.iter().all(|name| index.contains(&format!("(examples/{name})"))));
}

#[test]
fn systemd_accepts_the_units() {
    let home = tempfile::tempdir().expect("a folder");
    // The program lies elsewhere while it is tested, and its manual is nowhere.
    let service = example("regrant.service")
        .replace("/usr/local/bin/regrant", env!("CARGO_BIN_EXE_regrant"))
        .replace("Documentation=man:regrant(1)\n", "");
    std::fs::write(home.path().join("regrant.service"), service).expect("a file");
    std::fs::write(home.path().join("regrant.timer"), example("regrant.timer")).expect("a file");
    let units = ["regrant.service", "regrant.timer"].map(|name| home.path().join(name));
    let Ok(out) = std::process::Command::new("systemd-analyze").arg("verify").args(units).output() else {
        println!("skipped: there is no systemd-analyze");
        return;
    };
    let said = String::from_utf8_lossy(&out.stderr);
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("regrant.")).collect();
    assert!(out.status.success() && ours.is_empty(), "{said}");
}

#[test]
fn the_yaml_examples_are_what_their_readers_expect() {
    let script = "import sys, yaml\n\
        job = yaml.safe_load(open(sys.argv[1]))\n\
        assert job['apiVersion'] == 'batch/v1' and job['kind'] == 'CronJob'\n\
        pod = job['spec']['jobTemplate']['spec']['template']['spec']\n\
        names = {v['name'] for v in pod['volumes']}\n\
        c = pod['containers'][0]\n\
        assert {m['name'] for m in c['volumeMounts']} == names and pod['restartPolicy'] == 'Never'\n\
        assert c['securityContext']['readOnlyRootFilesystem'] and pod['securityContext']['runAsNonRoot']\n\
        assert c['command'][:2] == ['regrant', 'publish']\n\
        flow = yaml.safe_load(open(sys.argv[2]))\n\
        assert set(flow) >= {'name', 'jobs', 'permissions'} and (True in flow or 'on' in flow)\n\
        for job in flow['jobs'].values():\n\
        \x20   assert 'runs-on' in job and all(('uses' in s) != ('run' in s) for s in job['steps'])\n";
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples");
    let python =
        |arguments: &[&std::ffi::OsStr]| std::process::Command::new("python3").arg("-c").args(arguments).output();
    if !python(&["import yaml".as_ref()]).is_ok_and(|out| out.status.success()) {
        println!("skipped: there is no Python with a YAML reader");
        return;
    }
    let (job, flow) = (place.join("cronjob.yaml"), place.join("github-actions.yml"));
    let out = python(&[script.as_ref(), job.as_os_str(), flow.as_os_str()]).expect("it started before");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}
