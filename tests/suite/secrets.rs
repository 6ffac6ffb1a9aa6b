//! Secrets that stand in logs reach no output: every sample of every source with a canary in every place a secret was ever seen in.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use regrant::cli::{House, Map};
use regrant::config::Config;
use regrant::render::{self, Bundle, Formats};
use regrant::report::model::{Assessment, Finding};
use regrant::verbs::{map, sample};
use serde_json::{Map as Members, Value, json};

use crate::{assert_adds_up, audit, default_as_of, root};

/// A word without digits, so that only what it is called can give it away.
const CANARY: &str = "kanarienvogel";

/// Adds what real records hold beside what is read, to every object and to the JSON in texts.
fn with_members(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut out: Members<String, Value> = Members::new();
            for (key, value) in [
                ("newPassword", json!(format!("{CANARY} two"))),
                ("secretAccessKey", json!(format!("{CANARY}/x+y"))),
                ("Authorization", json!(format!("Bearer {CANARY} x"))),
                ("recoveryUrl", json!(format!("https://idp.example/r?recoveryToken={CANARY}&lang=en"))),
                ("bypass_codes", json!(["x", CANARY])),
                ("temporaryAccessPass", json!({"value": CANARY})),
            ] {
                out.insert(key.to_owned(), value);
            }
            out.extend(members.iter().map(|(key, value)| (key.clone(), with_members(value))));
            Value::Object(out)
        }
        Value::Array(elements) => Value::Array(elements.iter().map(with_members).collect()),
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(inner @ (Value::Object(_) | Value::Array(_))) => Value::String(with_members(&inner).to_string()),
            _ => value.clone(),
        },
        other => other.clone(),
    }
}

/// Puts a secret behind the texts whose path is in this share of all paths.
fn with_texts(value: &Value, path: &str, share: (usize, usize), said: &str) -> Value {
    match value {
        Value::Object(members) => {
            let of = |(key, value): (&String, &Value)| {
                (key.clone(), with_texts(value, &format!("{path}.{key}"), share, said))
            };
            Value::Object(members.iter().map(of).collect())
        }
        Value::Array(elements) => Value::Array(elements.iter().map(|e| with_texts(e, path, share, said)).collect()),
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(inner @ (Value::Object(_) | Value::Array(_))) => {
                Value::String(with_texts(&inner, path, share, said).to_string())
            }
            _ if path.bytes().map(usize::from).sum::<usize>() % share.1 == share.0 => {
                Value::String(format!("{text}{said}"))
            }
            _ => value.clone(),
        },
        other => other.clone(),
    }
}

/// What people and programs write a secret into.
const SAID: [&str; 3] =
    [" password: kanarienvogel", " https://idp.example/reset?token=kanarienvogel&x=1", "&client_secret=kanarienvogel"];

fn json_variants(text: &str) -> Vec<String> {
    let Ok(values) = serde_json::Deserializer::from_str(text).into_iter::<Value>().collect::<Result<Vec<_>, _>>()
    else {
        return Vec::new();
    };
    let lines = |of: &dyn Fn(&Value) -> Value| values.iter().map(|v| of(v).to_string() + "\n").collect::<String>();
    let members = lines(&with_members);
    // Cut off, so that they are rejected with what they begin with.
    let cut =
        members.lines().map(|line| line.chars().take(line.chars().count() - 3).collect::<String>() + "\n").collect();
    let mut out = vec![members, cut];
    const SHARES: usize = 5;
    for n in 0..SHARES {
        out.push(lines(&|v| with_texts(v, "", (n, SHARES), SAID[n % SAID.len()])));
    }
    out
}

fn csv_variants(text: &[u8]) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text);
    let rows: Vec<Vec<String>> = reader
        .byte_records()
        .filter_map(Result::ok)
        .map(|row| row.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect())
        .collect();
    let Some((header, body)) = rows.split_first() else { return Vec::new() };
    let written = |rows: Vec<Vec<String>>| {
        let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
        rows.iter().for_each(|row| writer.write_record(row).expect("in memory"));
        String::from_utf8(writer.into_inner().expect("in memory")).expect("text")
    };
    let added = |row: &[String], cell: &str| row.iter().cloned().chain([cell.to_owned()]).collect::<Vec<_>>();
    let mut with_column = vec![added(header, "Initial Password")];
    with_column.extend(body.iter().map(|row| added(row, CANARY)));
    // A row that is too long is rejected as well.
    with_column.extend(body.iter().map(|row| added(&added(row, CANARY), "one too many")));
    let mut out = vec![written(with_column)];
    const SHARES: usize = 4;
    for n in 0..SHARES {
        let cell = |(at, cell): (usize, &String)| match at % SHARES == n {
            true => format!("{cell}{}", SAID[n % SAID.len()]),
            false => cell.clone(),
        };
        let of = |row: &Vec<String>| row.iter().enumerate().map(cell).collect();
        out.push(written(std::iter::once(header.clone()).chain(body.iter().map(of)).collect()));
    }
    out
}

fn variants(path: &Path) -> Vec<String> {
    let bytes = fs::read(path).expect("a readable sample");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    match path.extension().and_then(|e| e.to_str()) {
        Some("json" | "jsonl") => json_variants(&text),
        Some("csv") => csv_variants(&bytes),
        Some("xml") => {
            let data = format!("<Data Name=\"Password\">{CANARY}</Data></EventData>");
            vec![text.replace("</EventData>", &data), text.replace("</EventData>", &format!("{data}</Broken>"))]
        }
        Some("ldif") => {
            let planted = format!("\nuserPassword:: {CANARY}\nunicodePwd: {CANARY}\ndn:");
            vec![text.replace("\ndn:", &planted), text.replace("\ndn:", &format!("\nunicodePwd {CANARY}{planted}"))]
        }
        _ => Vec::new(),
    }
}

fn samples() -> Vec<PathBuf> {
    let folders = fs::read_dir(root().join("tests/sources")).expect("the samples");
    let files = folders.flat_map(|folder| fs::read_dir(folder.expect("an entry").path()).expect("a folder"));
    let mut out: Vec<PathBuf> = files.map(|file| file.expect("an entry").path()).collect();
    out.sort();
    out
}

fn assert_clean(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).to_lowercase();
    if let Some(at) = text.find(CANARY) {
        let around: String = text[..at].chars().rev().take(200).collect::<Vec<_>>().into_iter().rev().collect();
        panic!("{what}: …{around}{CANARY}");
    }
}

#[test]
fn planted_secrets_reach_no_output() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let inputs = folder.path().join("in");
    fs::create_dir(&inputs).expect("a writable folder");
    let mut planted = Vec::new();
    for path in samples() {
        // A share of the columns may be none of them.
        for (n, text) in variants(&path).into_iter().enumerate().filter(|(_, text)| text.contains(CANARY)) {
            let id = path.parent().and_then(Path::file_name).expect("a folder").to_string_lossy().into_owned();
            let name = path.file_name().expect("a file").to_string_lossy().into_owned();
            let to = inputs.join(format!("{id}-{n}-{name}"));
            fs::write(&to, text).expect("a writable folder");
            planted.push(to);
        }
    }
    fs::write(inputs.join("passwords.txt"), format!("{CANARY}\nother\n")).expect("written");
    assert!(planted.len() > 300, "{} files", planted.len());
    let report = audit(std::slice::from_ref(&inputs), Config::default()).unwrap_or_else(|error| panic!("{error}"));
    assert_adds_up(&report);
    let accepted: u64 = report.assessment.inputs.iter().map(|input| input.accepted).sum();
    assert!(accepted > 500 && report.rejected.len() > 300, "{accepted} accepted, {} rejected", report.rejected.len());
    assert!(report.findings.len() > 100);
    let html = |a: &Assessment, f: &[Finding]| render::html::render(a, f).map_err(|e| e.to_string());
    let bundle = Bundle {
        assessment: &report.assessment,
        findings: &report.findings,
        rejected: &report.rejected,
        subjects: report.subjects.as_deref(),
        run_toml: &report.run_toml,
        mapping_files: report.mapping_files.clone(),
        formats: Formats::parse(["markdown", "sarif", "ocsf", "oscal", "hdf", "junit"]).expect("formats"),
        html: Some(&html),
    };
    let out = folder.path().join("report");
    render::write(&bundle, &out).unwrap_or_else(|error| panic!("{error}"));
    for entry in fs::read_dir(&out).expect("the report").map(|entry| entry.expect("an entry").path()) {
        if entry.is_file() {
            let bytes = fs::read(&entry).expect("readable");
            let name = entry.file_name().expect("a name").to_string_lossy().into_owned();
            match name.ends_with(".zst") {
                true => assert_clean(&name, &zstd::decode_all(bytes.as_slice()).expect("zstd")),
                false => assert_clean(&name, &bytes),
            }
        }
    }
}

#[derive(Parser)]
struct Nothing {
    #[command(flatten)]
    house: House,
}

#[test]
fn what_shows_a_file_shows_no_secret_of_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let house = Nothing::parse_from(["regrant"]).house;
    let of = [
        "okta-system-log",
        "auth0-logs",
        "aws-cloudtrail-csv",
        "servicenow-requests",
        "successfactors",
        "cyberark-accounts",
    ];
    for path in samples().iter().filter(|path| of.iter().any(|id| path.parent().is_some_and(|p| p.ends_with(id)))) {
        for (n, text) in variants(path).into_iter().enumerate().filter(|(n, _)| n % 4 == 0) {
            let file = folder.path().join(format!("{n}-{}", path.file_name().expect("a file").to_string_lossy()));
            fs::write(&file, text).expect("a writable folder");
            let what = |verb: &str| format!("{verb} {}, variant {n}", path.display());
            // A file that nobody recognises any more is refused, and the refusal shows none either.
            let told = sample::explain_input(&file, &house).unwrap_or_else(|error| error.to_string());
            assert_clean(&what("explain-input"), told.as_bytes());
            let told = sample::sample(&file, &house, default_as_of()).unwrap_or_else(|error| error.to_string());
            assert_clean(&what("lint --sample"), told.as_bytes());
            let args =
                Map { file, output: folder.path().join(format!("{n}-{}", path.to_string_lossy().len())), table: None };
            let told = map::map(&args).unwrap_or_else(|error| error.to_string());
            assert_clean(&what("map"), told.as_bytes());
        }
    }
}
