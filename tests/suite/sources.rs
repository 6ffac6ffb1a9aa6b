//! Every source mapping against samples in the vendor's wire format, and against real logs where they are at hand.
//!
//! A sample is recognised among all mappings and read as an audit reads it. What it must become stands beside it; `REGRANT_BLESS=1
//! cargo test --test suite sources` writes that anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use regrant::config::Config;
use regrant::mappings::Mappings;
use regrant::source::{Inventory, Reading, read_all};
use regrant::table::event::{ACTIONS, AUDITED_ACTIONS, FAILURE, RESET_ACTIONS};
use regrant::table::{Breadth, Table};

use crate::{assert_adds_up, audit, root, shared};

/// The shipped mappings, as they lie on disk: a new one is tested before anything is compiled again.
fn mappings() -> Mappings {
    Mappings::load(&[root().join("mappings")]).unwrap_or_else(|error| panic!("{error}"))
}

fn read(folder: &Path, mappings: &Mappings) -> Reading {
    read_for(folder, mappings, Breadth::Audit)
}

fn read_for(folder: &Path, mappings: &Mappings, breadth: Breadth) -> Reading {
    let config = Config::default();
    let inventory = Inventory::take_for(&[folder.to_owned()], &config, mappings, breadth);
    let inventory = inventory.unwrap_or_else(|error| panic!("{error}"));
    read_all(inventory, &config, &|_| {}).unwrap_or_else(|error| panic!("{error}"))
}

/// What became of a file: its rows, with what they report and leave empty, its rejected records, and what was left out.
fn told(reading: &Reading, file: u32) -> String {
    let mut lines: BTreeMap<(u32, usize), String> = BTreeMap::new();
    for (table, rows) in &reading.tables {
        for row in (0..rows.len()).filter(|row| rows.file(*row) == file) {
            let (mut cells, mut empty) = (Vec::new(), Vec::new());
            for (n, column) in table.columns().iter().enumerate() {
                match rows.canonical(n, row, |id| reading.texts.get(id)) {
                    Some(text) => cells.push(format!("{}={text}", column.name)),
                    None if rows.reported(row) & 1 << n != 0 => empty.push(column.name),
                    None => {}
                }
            }
            let record = rows.record(row);
            let empty = if empty.is_empty() { String::new() } else { format!(" | empty: {}", empty.join(" ")) };
            lines.insert((record, lines.len()), format!("{record} {}: {}{empty}", table.name(), cells.join(" | ")));
        }
    }
    for rejected in reading.rejected.iter().filter(|rejected| rejected.file == file) {
        lines.insert((rejected.record, lines.len()), format!("{} rejected: {}", rejected.record, rejected.reason));
    }
    let mut text: String = lines.values().map(|line| format!("{line}\n")).collect();
    let input = &reading.inputs[file as usize];
    for (reason, n) in &input.out_of_scope_reasons {
        text.push_str(&format!("{n} out of scope: {reason}\n"));
    }
    let zone = if input.naive_zone.is_some() { "; times without a zone" } else { "" };
    text.push_str(&format!("{} read{zone}\n", input.read));
    text
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a switch for whoever runs the tests")]
fn samples_become_what_they_must() {
    let bless = std::env::var_os("REGRANT_BLESS").is_some();
    let folder = root().join("tests/sources");
    let reading = read(&folder, &mappings());
    let skipped = reading.skipped.iter().filter(|(path, _)| !path.ends_with(".expected") && !path.ends_with(".hunted"));
    let mut faults: Vec<String> =
        skipped.map(|(path, reason)| format!("{path} was not recognised: {reason}")).collect();
    for (file, input) in reading.inputs.iter().enumerate() {
        let path = &input.disk;
        let id = path.parent().and_then(Path::file_name).expect("a folder a mapping").to_string_lossy();
        if input.mapping != id {
            faults.push(format!("{} was taken for {}", path.display(), input.mapping));
            continue;
        }
        if input.read == 0 {
            faults.push(format!("{}: nothing was read", path.display()));
        }
        let got = told(&reading, file as u32);
        // Where a vendor's record holds a secret, the samples hold these words, plain and in base64.
        let shown = reading.rejected.iter().map(|r| r.excerpt.as_str()).chain([got.as_str()]);
        for secret in ["must-never-be-read", "bXVzdC1uZXZlci1iZS1yZWFk", "never-in-a-row"] {
            if shown.clone().any(|text| text.contains(secret)) {
                faults.push(format!("{}: a secret was read", path.display()));
            }
        }
        let beside = path.with_extension("expected");
        if bless {
            fs::write(&beside, &got).expect("a writable sample folder");
        } else if fs::read_to_string(&beside).unwrap_or_default() != got {
            faults.push(format!("{} became\n{got}", path.display()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What a hunt reads of the same samples, and an audit does not: further columns and actions. Beside the sample, as `.hunted`,
/// stand the lines that differ.
#[test]
#[allow(clippy::disallowed_methods, reason = "a switch for whoever runs the tests")]
fn samples_become_what_a_hunt_must_see() {
    let bless = std::env::var_os("REGRANT_BLESS").is_some();
    let folder = root().join("tests/sources");
    let (audited, hunted) = (read(&folder, &mappings()), read_for(&folder, &mappings(), Breadth::Hunt));
    let mut faults = Vec::new();
    for (file, input) in hunted.inputs.iter().enumerate() {
        let path = &input.disk;
        assert_eq!(*path, audited.inputs[file].disk);
        let (less, more) = (told(&audited, file as u32), told(&hunted, file as u32));
        let known: Vec<&str> = less.lines().collect();
        let got: String = more.lines().filter(|line| !known.contains(line)).map(|line| format!("{line}\n")).collect();
        let beside = path.with_extension("hunted");
        if bless && !got.is_empty() {
            fs::write(&beside, &got).expect("a writable sample folder");
        } else if fs::read_to_string(&beside).unwrap_or_default() != got {
            faults.push(format!("{} becomes in a hunt\n{got}", path.display()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Every event name that a mapping names for hunts alone stands in a sample, each of its hunt actions comes of one, and so does
/// each column that only a hunt reads.
#[test]
fn every_event_and_column_that_only_a_hunt_reads_has_a_sample() {
    let folder = root().join("tests/sources");
    let hunted = read_for(&folder, &mappings(), Breadth::Hunt);
    let events = &hunted.tables[&Table::Event];
    let column = |name: &str| Table::Event.column(name).expect("a column of event");
    let own = ["device", "session", "user_agent", "contact", "object"];
    let mut missing = Vec::new();
    let mut names_seen = 0;
    for entry in fs::read_dir(root().join("mappings/sources")).expect("the mappings") {
        let path = entry.expect("a file").path();
        let id = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let table: toml::Table = fs::read_to_string(&path).expect("text").parse().expect("TOML");
        let rows: Vec<usize> =
            (0..events.len()).filter(|row| hunted.inputs[events.file(*row) as usize].mapping == id).collect();
        let of_hunts = |action: &&toml::Value| {
            let name = action.get("action").and_then(toml::Value::as_str);
            action.get("hunt").and_then(toml::Value::as_bool) == Some(true)
                || name.is_some_and(|name| !ACTIONS[..AUDITED_ACTIONS].contains(&name))
        };
        let mut text = String::new();
        for sample in hunted.inputs.iter().filter(|input| input.mapping == id) {
            text.push_str(&String::from_utf8_lossy(&fs::read(&sample.disk).expect("a sample")).to_lowercase());
        }
        let actions = table.get("action").and_then(toml::Value::as_array).cloned().unwrap_or_default();
        for action in actions.iter().filter(of_hunts) {
            for name in action["names"].as_array().expect("a list") {
                names_seen += 1;
                // CloudTrail's names are two members, joined.
                let name = name.as_str().expect("text").to_lowercase();
                if !name.split(' ').filter(|_| id.starts_with("aws")).all(|part| text.contains(part))
                    || !id.starts_with("aws") && !text.contains(&name)
                {
                    missing.push(format!("{id}: {name} stands in no sample"));
                }
            }
            let of = action["action"].as_str().expect("text");
            let code = ACTIONS.iter().position(|word| *word == of).expect("an action") as u8 + 1;
            if !rows.iter().any(|row| events.code(column("action"), *row) == code) {
                missing.push(format!("{id}: no sample becomes {of}"));
            }
        }
        let sets = |name: &str| {
            let top = table.get("event").and_then(toml::Value::as_array).into_iter().flatten();
            let set = actions.iter().filter_map(|action| action.get("set"));
            top.filter_map(|event| event.get("columns")).chain(set).any(|columns| columns.get(name).is_some())
        };
        for name in own.into_iter().filter(|name| sets(name)) {
            let filled = |row: &&usize| events.canonical(column(name), **row, |id| hunted.texts.get(id)).is_some();
            if !rows.iter().any(|row| filled(&row)) {
                missing.push(format!("{id}: no sample fills {name}"));
            }
        }
    }
    assert!(names_seen > 80, "only {names_seen} names");
    missing.sort();
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// What a mapping says of each event name, in order: the action, or why none.
fn meanings(id: &str) -> Vec<(String, String)> {
    let path = root().join("mappings/sources").join(id).with_extension("toml");
    let text = fs::read_to_string(path).expect("a shipped mapping");
    let table: toml::Table = text.parse().expect("TOML");
    let mut meanings = Vec::new();
    // What only a hunt looks at needs members that a table has no columns for.
    let of_hunts = |action: &&toml::Value| {
        let name = action.get("action").and_then(toml::Value::as_str);
        action.get("hunt").and_then(toml::Value::as_bool) == Some(true)
            || name.is_some_and(|name| !ACTIONS[..AUDITED_ACTIONS].contains(&name))
    };
    for action in table["action"].as_array().expect("a list").iter().filter(|action| !of_hunts(action)) {
        let meaning =
            action.get("action").or(action.get("out_of_scope")).and_then(|m| m.as_str()).expect("one of them");
        for name in action["names"].as_array().expect("a list") {
            meanings.push((name.as_str().expect("text").to_owned(), meaning.to_owned()));
        }
    }
    meanings
}

#[test]
fn the_two_forms_of_one_log_mean_the_same() {
    for (members, columns) in [("okta-system-log", "okta-system-log-csv"), ("aws-cloudtrail", "aws-cloudtrail-csv")] {
        assert_eq!(meanings(members), meanings(columns), "{members} and {columns}");
    }
}

/// Of the files of a folder that one mapping read: how many, their records, and the resets among them that did not fail.
#[derive(Debug, Default, PartialEq, Eq)]
struct Real {
    files: u64,
    read: u64,
    resets: u64,
    left_out: u64,
    rejected: u64,
}

fn real_counts(reading: &Reading) -> BTreeMap<String, Real> {
    let key = |file: usize| {
        let input = &reading.inputs[file];
        let folder = input.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{folder} {}", input.mapping)
    };
    let mut counts: BTreeMap<String, Real> = BTreeMap::new();
    for (n, input) in reading.inputs.iter().enumerate() {
        let of = counts.entry(key(n)).or_default();
        of.files += 1;
        of.read += input.read;
        of.left_out += input.out_of_scope;
        of.rejected += input.rejected;
    }
    let events = &reading.tables[&Table::Event];
    let column = |name| Table::Event.column(name).expect("a column of event");
    for row in 0..events.len() {
        let reset = events.code(column("action"), row) as usize <= RESET_ACTIONS;
        if reset && events.code(column("outcome"), row) != FAILURE {
            counts.entry(key(events.file(row) as usize)).or_default().resets += 1;
        }
    }
    counts
}

/// Records and resets of real logs, counted by another program from the vendors' own event names. Folder and mapping; where a
/// reset is refused, or lacks its time or its target, it is none.
const KNOWN: &[(&str, u64, u64)] = &[
    ("auth0/panther auth0-logs", 57, 0),
    ("aws_cloudtrail/cribl aws-cloudtrail", 44, 0),
    ("aws_cloudtrail/invictus aws-cloudtrail", 2900, 44),
    ("aws_cloudtrail/panther aws-cloudtrail", 475, 12),
    ("aws_cloudtrail/plaso aws-cloudtrail", 6, 0),
    ("aws_cloudtrail/splunk_examples aws-cloudtrail", 48, 5),
    ("aws_cloudtrail/stratus aws-cloudtrail", 127, 4),
    ("aws_cloudtrail/unwrapped aws-cloudtrail", 44, 0),
    ("duo/panther duo-logs", 42, 5),
    ("entra/otrf entra-id", 4, 2),
    ("entra/panther entra-id", 48, 1),
    ("entra/splunk_examples entra-id", 16, 4),
    ("gcp/gcp-security-analytics gcp-audit", 18, 0),
    ("gcp/panther gcp-audit", 206, 4),
    ("gcp/plaso gcp-audit", 11, 0),
    ("github/panther github-audit", 107, 1),
    ("google_workspace/panther google-workspace", 165, 0),
    ("o365_ual/panther m365-unified-audit", 4, 1),
    ("o365_ual/splunk_examples m365-unified-audit", 18, 2),
    ("okta/cribl okta-system-log", 100, 1),
    ("okta/panther okta-system-log", 88, 6),
    ("okta/unwrapped okta-system-log", 100, 1),
    ("onelogin/panther onelogin-events", 36, 0),
    ("onepassword/cribl onepassword-audit", 67, 2),
    ("onepassword/unwrapped onepassword-audit", 67, 2),
    ("windows/omerbenamram-evtx windows-security", 3023, 5),
    ("windows/otrf/empire_scm_dll_hijack_ikeext.tar.gz! windows-security", 14722, 2),
    ("windows/otrf/empire_wmic_add_user_backdoor.zip! windows-security", 12278, 0),
    ("windows/splunk_examples windows-security", 15, 2),
];

#[test]
fn real_logs_are_read_whole_and_their_resets_found() {
    let Some(real) = shared("real") else { return };
    let report = audit(std::slice::from_ref(&real), Config::default()).unwrap_or_else(|error| panic!("{error}"));
    assert_adds_up(&report);
    let counts = real_counts(&read(&real, &mappings()));
    for (of, n) in &counts {
        println!("{of}: {n:?}");
    }
    for (of, records, resets) in KNOWN {
        let found = counts.get(*of).map(|real| (real.read, real.resets));
        assert_eq!(found, Some((*records, *resets)), "{of}");
    }
}
