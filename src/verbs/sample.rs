//! What one file becomes: `audit --explain-input` for its users, `lint --sample` for whoever writes a mapping.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::layout::{columns, count, number, shown};
use super::{Knowledge, VerbError};
use crate::cli::House;
use crate::report::model::Standing;
use crate::run::{self, Progress, Request, RunError};
use crate::source::carrier::Shape;
use crate::source::mapping::{Setting, SourceMapping};
use crate::source::{Input, Inventory, Reading, Recognised, chunk, container, excerpt, json, read_all};
use crate::table::Table;
use crate::text::fold;

/// Rows that are shown of each table.
const ROWS: usize = 5;
/// Names, reasons and values that are shown of each kind.
const LISTED: usize = 20;

/// Which mapping reads a file and why, what became of its records, and the first rows.
///
/// # Errors
/// The file cannot be read, or nobody recognises it.
pub fn explain_input(path: &Path, house: &House) -> Result<String, VerbError> {
    let known = Knowledge::load(house)?;
    let (reading, _) = read(path, &known)?;
    let mut out = String::new();
    for (n, input) in reading.inputs.iter().enumerate() {
        if n > 0 {
            out.push('\n');
        }
        out.push_str(&fate(input));
        out.push_str(&first_rows(&reading, n as u32));
    }
    for (path, why) in &reading.skipped {
        out.push_str(&format!("\n{}: not read, {}\n", shown(path), shown(why)));
    }
    Ok(out)
}

/// The test loop of a mapping: how full each column is, names and values that found no place, and what could be concluded.
///
/// # Errors
/// As for [`explain_input`].
pub fn sample(path: &Path, house: &House, started: i64) -> Result<String, VerbError> {
    let known = Knowledge::load(house)?;
    let (reading, names) = read(path, &known)?;
    let mut out = String::new();
    for (n, input) in reading.inputs.iter().enumerate() {
        out.push_str(&fate(input));
        out.push_str(&fill(&reading, n as u32));
        out.push_str(&rejections(&reading, n as u32));
        if let Some(names) = names.get(&(n as u32)).filter(|names| !names.is_empty()) {
            out.push_str("\n  Event names that the mapping does not name\n");
            let mut names: Vec<(&String, &u64)> = names.iter().collect();
            names.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
            let more = names.len().saturating_sub(LISTED);
            let mut rows: Vec<Vec<String>> =
                names.iter().take(LISTED).map(|(name, n)| vec![number(**n), shown(&excerpt::prose(name))]).collect();
            if more > 0 {
                rows.push(vec![String::new(), format!("and {}", count(more as u64, "other", "others"))]);
            }
            out.push_str(&columns(&rows, 4));
        }
        out.push('\n');
    }
    out.push_str(&conclusions(path, house, &known, started)?);
    Ok(out)
}

type Names = BTreeMap<u32, BTreeMap<String, u64>>;

fn read(path: &Path, known: &Knowledge) -> Result<(Reading, Names), VerbError> {
    let run = |error| VerbError::Run(RunError::Source(error));
    let inventory = Inventory::take(&[path.to_owned()], &known.config, &known.mappings).map_err(run)?;
    let mut names = Names::new();
    for (n, found) in inventory.files.iter().enumerate() {
        let file = found.path.rsplit('/').next().unwrap_or_default().to_owned();
        let mapped = match &found.as_what {
            Recognised::SourceCsv(m) => tabular_names(&inventory.mappings[*m], &found.disk, file),
            Recognised::SourceJson(m, shape) => json_names(*m, &inventory.mappings, &found.disk, shape, file),
            Recognised::CanonicalCsv(_) | Recognised::CanonicalJson(_) => continue,
        };
        // What cannot be read to its end is told by the reading proper.
        names.insert(n as u32, mapped.unwrap_or_default());
    }
    let reading = read_all(inventory, &known.config, &|_| {}).map_err(run)?;
    Ok((reading, names))
}

fn json_names(
    mapping: usize,
    mappings: &[SourceMapping],
    disk: &Path,
    shape: &Shape,
    file: String,
) -> std::io::Result<BTreeMap<String, u64>> {
    let mut names = BTreeMap::new();
    let setting = Setting { file, ..Setting::default() };
    json::for_each(&mut container::open(disk)?, shape.envelope.as_deref(), &mut |piece| {
        if let json::Piece::Record(bytes) = piece
            && let Ok(value) = serde_json::from_slice::<Value>(bytes)
            && let record = shape.record(&value)
            && (shape.among.is_empty() || shape.owner(mappings, &record).map(|n| shape.among[n]) == Some(mapping))
        {
            mappings[mapping]
                .names_without_action(&record, &setting)
                .into_iter()
                .for_each(|name| *names.entry(name).or_default() += 1);
        }
        ControlFlow::Continue(())
    })?;
    Ok(names)
}

fn tabular_names(mapping: &SourceMapping, disk: &Path, file: String) -> std::io::Result<BTreeMap<String, u64>> {
    let mut names = BTreeMap::new();
    let setting = Setting { file, tabular: true, ..Setting::default() };
    let mut reader = chunk::reader(container::open(disk)?);
    let mut record = csv::ByteRecord::new();
    let mut header: Option<Vec<String>> = None;
    while reader.read_byte_record(&mut record)? {
        let cells = record.iter().map(|cell| String::from_utf8_lossy(cell).into_owned());
        match &header {
            None => header = Some(mapping.header(&cells.map(|cell| fold(&cell)).collect::<Vec<_>>())),
            Some(header) => {
                let object = header.iter().cloned().zip(cells.map(Value::from)).collect();
                let found = mapping.names_without_action(&Value::Object(object), &setting);
                found.into_iter().for_each(|name| *names.entry(name).or_default() += 1);
            }
        }
    }
    Ok(names)
}

fn fate(input: &Input) -> String {
    let mut rows = vec![
        vec!["read by".to_owned(), shown(&input.mapping)],
        vec!["because".to_owned(), shown(&input.recognised_by)],
        vec!["records".to_owned(), number(input.read)],
    ];
    let reasons = |of: &BTreeMap<String, u64>| {
        let mut reasons: Vec<(&String, &u64)> = of.iter().collect();
        reasons.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        let list: Vec<String> =
            reasons.iter().take(LISTED).map(|(reason, n)| format!("{} {}", number(**n), shown(reason))).collect();
        list.join(", ")
    };
    if input.out_of_scope > 0 {
        let why = format!("{}: {}", number(input.out_of_scope), reasons(&input.out_of_scope_reasons));
        rows.push(vec!["out of scope".to_owned(), why]);
    }
    if input.rejected > 0 {
        rows.push(vec![
            "rejected".to_owned(),
            format!("{}: {}", number(input.rejected), reasons(&input.rejected_reasons)),
        ]);
    }
    if let Some(zone) = &input.naive_zone {
        let assumed = if input.zone_assumed { " (assumed; set `timezone` under [[input]])" } else { "" };
        rows.push(vec!["wall clocks".to_owned(), format!("read in {zone}{assumed}")]);
    }
    format!("{}\n{}", shown(&input.path), columns(&rows, 2))
}

fn rows_of(reading: &Reading, table: Table, file: u32) -> impl Iterator<Item = usize> + '_ {
    let rows = &reading.tables[&table];
    (0..rows.len()).filter(move |row| rows.file(*row) == file)
}

fn first_rows(reading: &Reading, file: u32) -> String {
    let mut out = String::new();
    for table in Table::ALL {
        let rows = &reading.tables[&table];
        let total = rows_of(reading, table, file).count();
        if total == 0 {
            continue;
        }
        out.push_str(&format!("\n  {}: {}\n", table.name(), count(total as u64, "row", "rows")));
        for row in rows_of(reading, table, file).take(ROWS) {
            let cell = |(n, column): (usize, &crate::table::Column)| {
                let text = rows.canonical(n, row, |id| reading.texts.get(id))?;
                Some(vec![column.name.to_owned(), shown(&text)])
            };
            out.push_str(&format!("  record {}\n", rows.record(row)));
            let cells: Vec<Vec<String>> = table.columns().iter().enumerate().filter_map(cell).collect();
            out.push_str(&columns(&cells, 4));
        }
    }
    out
}

fn fill(reading: &Reading, file: u32) -> String {
    let mut out = String::new();
    for table in Table::ALL {
        let rows = &reading.tables[&table];
        let total = rows_of(reading, table, file).count() as u64;
        if total == 0 {
            continue;
        }
        out.push_str(&format!("\n  {}: {}\n", table.name(), count(total, "row", "rows")));
        let mut lines = Vec::new();
        for (n, column) in table.columns().iter().enumerate() {
            let reported = rows_of(reading, table, file).filter(|row| rows.has(n, *row)).count() as u64;
            let filled = rows_of(reading, table, file).filter(|row| !rows.is_null(n, *row)).count() as u64;
            let told = match reported {
                0 => "not reported".to_owned(),
                n if n < total => format!("{} of {} that report it", number(filled), number(n)),
                n => format!("{} of {}", number(filled), number(n)),
            };
            let share = if reported == 0 {
                String::new()
            } else {
                format!("{:>3.0} %", 100.0 * filled as f64 / reported as f64)
            };
            lines.push(vec![column.name.to_owned(), share, told]);
        }
        out.push_str(&columns(&lines, 4));
    }
    out
}

fn rejections(reading: &Reading, file: u32) -> String {
    let rejected: Vec<_> = reading.rejected.iter().filter(|r| r.file == file).collect();
    if rejected.is_empty() {
        return String::new();
    }
    let mut out = "\n  Rejected, the first of them\n".to_owned();
    let rows: Vec<Vec<String>> = rejected
        .iter()
        .take(LISTED)
        .map(|r| vec![format!("record {}", r.record), r.reason.clone(), shown(&r.excerpt)])
        .collect();
    out.push_str(&columns(&rows, 4));
    out
}

/// Which checks the file alone would let conclude.
fn conclusions(path: &Path, house: &House, known: &Knowledge, started: i64) -> Result<String, VerbError> {
    let request = Request::look(vec![path.to_owned()], known.config.clone(), house.mappings.clone(), started);
    let nobody: Progress = Arc::new(|_, _| {});
    let assessment = run::audit(&request, &nobody)?.assessment;
    let of = |standing: &[Standing]| -> Vec<String> {
        assessment.checks.iter().filter(|c| standing.contains(&c.verdict)).map(|c| shown(&c.id)).collect()
    };
    let told = |what: &str, list: Vec<String>| {
        vec![what.to_owned(), if list.is_empty() { "none".to_owned() } else { list.join(", ") }]
    };
    let rows = [
        told("conclude", of(&[Standing::Fail, Standing::Pass])),
        told("cannot", of(&[Standing::CannotConclude])),
        told("nothing to judge", of(&[Standing::NotApplicable])),
    ];
    Ok(format!("Checks, with this file alone (`regrant plan` says what others would add)\n{}", columns(&rows, 2)))
}
