//! Every case of every check document: CSV in, verdicts out.
//!
//! Each runs as written, with the rows of its tables reversed, and on one thread. `REGRANT_BLESS=1 cargo test --test
//! suite checks` writes what came out into the documents, to be read with `git diff`.

use std::collections::BTreeMap;
use std::fs;

use rayon::prelude::*;
use regrant::check::catalogue::{Case, Catalogue, Check};
use regrant::config::Config;
use regrant::fact::Registry;
use regrant::mappings::Mappings;

use crate::{assert_adds_up, audit, one_thread, root};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Rows {
    AsWritten,
    Reversed,
}

fn catalogue() -> Catalogue {
    let mappings = Mappings::load(&[]).unwrap_or_else(|e| panic!("{e}"));
    Catalogue::load(&mappings, &Registry::new(&Config::default().policy)).unwrap_or_else(|e| panic!("{e}"))
}

/// The rows below the header in the other order; a quoted line break belongs to its row.
fn reversed(text: &str) -> String {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut rows: Vec<csv::StringRecord> = reader.records().map(|r| r.expect("CSV of a document")).collect();
    rows[1..].reverse();
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    for row in &rows {
        writer.write_record(row).expect("memory takes it");
    }
    String::from_utf8(writer.into_inner().expect("memory takes it")).expect("it was text before")
}

/// Verdicts of one check, by subject; a subject of two systems is named `system/subject` beside its plain name.
fn run(check: &Check, case: &Case, rows: Rows) -> Result<BTreeMap<String, String>, String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut names: Vec<String> = Vec::new();
    for (table, text) in &case.tables {
        let nth = names.iter().filter(|n| *n == table).count();
        names.push(table.clone());
        let name = if nth == 0 { format!("{table}.csv") } else { format!("{table}-{}.csv", nth + 1) };
        let text = if rows == Rows::Reversed { reversed(text) } else { text.clone() };
        fs::write(folder.path().join(name), text).expect("a writable folder");
    }
    let config = Config::parse(case.config.as_deref().unwrap_or_default(), &folder.path().join("regrant.toml"));
    let report = audit(&[folder.path().to_owned()], config.map_err(|e| e.to_string())?).map_err(|e| e.to_string())?;
    assert_adds_up(&report);
    if !report.rejected.is_empty() || !report.assessment.skipped.is_empty() {
        return Err(format!("a case's rows must all be read: {:?} {:?}", report.rejected, report.assessment.skipped));
    }
    let mut verdicts = BTreeMap::new();
    for subject in report.subjects.expect("asked for") {
        if subject.subject_kind != check.subject.as_str() {
            continue;
        }
        let verdict = match subject.verdicts.get(&check.id).map(String::as_str) {
            // A waiver changes how a failure counts, never the verdict.
            Some("waived") => "fail".to_owned(),
            Some(verdict) => verdict.to_owned(),
            None => return Err(format!("{} has no verdict", subject.subject)),
        };
        verdicts.insert(format!("{}/{}", subject.system, subject.subject), verdict.clone());
        if let Some(other) = verdicts.insert(subject.subject.clone(), verdict.clone())
            && other != verdict
        {
            return Err(format!("{} stands for two subjects with different verdicts", subject.subject));
        }
    }
    Ok(verdicts)
}

fn differences(check: &Check, case: &Case, how: &str, rows: Rows) -> Vec<String> {
    let place = format!("mappings/checks/{}.md:{}: case \"{}\" ({how})", check.id, case.line, case.name);
    match run(check, case, rows) {
        Err(error) => vec![format!("{place}: {error}")],
        Ok(actual) => case
            .verdicts
            .iter()
            .filter_map(|(subject, expected)| {
                let found = actual.get(subject).map_or("no such subject", String::as_str);
                (found != expected.as_str())
                    .then(|| format!("{place}: {subject}: expected {}, actual {found}", expected.as_str()))
            })
            .collect(),
    }
}

/// Writes the verdicts that came out over those that stand in the document.
fn bless(check: &Check) {
    let path = root().join(format!("mappings/checks/{}.md", check.id));
    let text = fs::read_to_string(&path).expect("a shipped document");
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    for case in &check.cases {
        let actual = run(check, case, Rows::AsWritten).unwrap_or_else(|e| panic!("{}: {}: {e}", check.id, case.name));
        let mut inside = false;
        for line in &mut lines[case.line..] {
            if line.starts_with("### ") {
                break;
            }
            if line.starts_with("```") {
                inside = line.as_str() == "```verdicts";
            } else if inside
                && let Some((subject, _)) = line.rsplit_once(':')
                && let Some(verdict) = actual.get(subject.trim())
            {
                *line = format!("{}: {verdict}", subject.trim());
            }
        }
    }
    fs::write(&path, lines.join("\n")).expect("a writable document");
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a switch for whoever runs the tests")]
fn every_case_of_every_check() {
    let catalogue = catalogue();
    if std::env::var_os("REGRANT_BLESS").is_some() {
        catalogue.checks.iter().for_each(bless);
        return;
    }
    let cases: Vec<(&Check, &Case)> =
        catalogue.checks.iter().flat_map(|check| check.cases.iter().map(move |case| (check, case))).collect();
    assert!(cases.len() >= 4 * 48, "only {} cases were found", cases.len());
    let mut wrong: Vec<String> = cases
        .par_iter()
        .flat_map_iter(|(check, case)| {
            let mut found = differences(check, case, "as written", Rows::AsWritten);
            found.extend(differences(check, case, "rows reversed", Rows::Reversed));
            found
        })
        .collect();
    wrong.extend(one_thread().install(|| {
        cases
            .iter()
            .flat_map(|(check, case)| differences(check, case, "one thread", Rows::AsWritten))
            .collect::<Vec<_>>()
    }));
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    println!("{} cases, each three ways", cases.len());
}

#[test]
fn a_wrong_expectation_is_noticed() {
    let catalogue = catalogue();
    let check = catalogue.get("reset-after-offboarding").expect("shipped");
    let mut case = check.cases[0].clone();
    let (subject, verdict) = case.verdicts[0].clone();
    let other = regrant::check::Verdict::ALL.into_iter().find(|v| *v != verdict).expect("four verdicts");
    case.verdicts = vec![(subject.clone(), other), ("nobody".to_owned(), verdict)];
    let found = differences(check, &case, "as written", Rows::AsWritten);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains(&format!("{subject}: expected {other}, actual {verdict}")), "{found:?}");
    assert!(found[1].ends_with("actual no such subject"), "{found:?}");
}

#[test]
fn every_check_shows_who_is_caught_and_who_is_spared() {
    use regrant::check::Verdict;
    let mut missing = Vec::new();
    for check in &catalogue().checks {
        let shown: Vec<Verdict> = check.cases.iter().flat_map(|c| c.verdicts.iter().map(|v| v.1)).collect();
        for verdict in Verdict::ALL {
            if !shown.contains(&verdict) {
                missing.push(format!("{} {verdict}", check.id));
            }
        }
    }
    // These apply to every reset; and how often a target was reset is known for all that the check applies to.
    let impossible = [
        "reset-of-unknown-identity not-applicable",
        "repeated-resets indeterminate",
        "privilege-grant-after-reset not-applicable",
        "denied-then-granted not-applicable",
        "contact-changed-before-reset not-applicable",
    ];
    assert_eq!(missing, impossible, "left: verdicts that no case shows; right: those that cannot be reached");
}
