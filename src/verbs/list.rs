//! `list`: checks, facts, sources, frameworks, formats and patterns, from the same registries that a run uses.

use std::fmt::Write as _;

use super::layout::{columns, count, shown, wrapped};
use super::{Knowledge, VerbError, config};
use crate::check::Control;
use crate::check::catalogue::Check;
use crate::check::predicate::Kind;
use crate::cli::{List, Listed};
use crate::fact::{Unit, credential_fact, credential_facts, reset_fact, reset_facts};
use crate::lake::table::{self, Holds};
use crate::mappings::{MappingKind, Mappings};
use crate::render::{FORMATS, When};
use crate::source::mapping::{Container, SourceMapping};
use crate::table::Table;

/// What was asked for, as plain text in columns.
///
/// # Errors
/// A mapping folder that cannot be used.
pub fn list(args: &List) -> Result<String, VerbError> {
    let mappings = || -> Result<Mappings, VerbError> {
        Ok(Mappings::load(&config(&args.house)?.mapping_folders(&args.house.mappings))?)
    };
    Ok(match args.what {
        Listed::Checks => checks(&Knowledge::load(&args.house)?),
        Listed::Facts => facts(),
        Listed::Sources => sources(&mappings()?)?,
        Listed::Frameworks => frameworks(&Knowledge::load(&args.house)?),
        Listed::Formats => formats(),
        Listed::Patterns => patterns(&mappings()?)?,
    })
}

fn patterns(mappings: &Mappings) -> Result<String, VerbError> {
    let patterns = crate::hunt::pattern::load_all(mappings)?;
    let widest = patterns.iter().map(|pattern| pattern.id.chars().count()).max().unwrap_or(0);
    let rows: Vec<Vec<String>> = patterns
        .iter()
        .map(|p| vec![format!("{:<widest$}", shown(&p.id)), format!("{:>3}", p.weight), shown(&p.title)])
        .collect();
    Ok(format!(
        "Sequences that `regrant hunt` looks for, with the points that each adds to an incident\n\n{}\n{}",
        columns(&rows, 2),
        wrapped(
            "A group of sequences with 120 points or more is an incident. `regrant explain PATTERN` says what one looks for, what \
             it needs and what else looks like it; docs/hunting.md shows how to add one.",
            0
        )
    ))
}

/// Severity before and after escalation.
pub(super) fn severity(check: &Check) -> String {
    match check.escalate.as_ref().filter(|escalation| escalation.to != check.severity) {
        Some(escalation) => format!("{}–{}", check.severity, escalation.to),
        None => check.severity.to_string(),
    }
}

fn checks(known: &Knowledge) -> String {
    let widest = known.catalogue.checks.iter().map(|check| check.id.chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for control in Control::ALL {
        let rows: Vec<Vec<String>> = known
            .catalogue
            .checks
            .iter()
            .filter(|check| check.control == control)
            .map(|check| {
                vec![format!("{:<widest$}", shown(&check.id)), format!("{:<15}", severity(check)), shown(&check.title)]
            })
            .collect();
        let _ = writeln!(out, "{} ({})", control.statement(), control.id());
        out.push_str(&columns(&rows, 2));
        out.push('\n');
    }
    out.push_str(&wrapped(
        "A range is the severity for others and, where the check says so, for sensitive identities. `regrant explain \
         CHECK` says what a check finds, why it matters and what to do.",
        0,
    ));
    out
}

/// Kind and unit of a fact in a word.
fn kind(kind: Kind, unit: Unit) -> &'static str {
    match (kind, unit) {
        (Kind::Bool, _) => "yes/no",
        (Kind::Text, _) => "text",
        (Kind::Number, Unit::None) => "number",
        (Kind::Number, Unit::Count) => "count",
        (Kind::Number, Unit::Level) => "level",
        (Kind::Number, Unit::Minutes) => "minutes",
        (Kind::Number, Unit::Hours) => "hours",
        (Kind::Number, Unit::Days) => "days",
    }
}

/// What a column of the table of facts holds, in a word.
fn cell(column: &table::Column) -> &'static str {
    match column.holds {
        Holds::Bool => "yes/no",
        Holds::Number => kind(Kind::Number, column.unit),
        Holds::Whole => "count",
        Holds::Text => "text",
        Holds::Instant => "instant",
    }
}

fn facts() -> String {
    let row = |name: &str, of: &str, doc: &str, null: &str| {
        vec![name.to_owned(), of.to_owned(), doc.to_owned(), null.to_owned()]
    };
    let resets: Vec<_> = reset_facts().map(|f| row(f.name, kind(f.kind(), f.unit), f.doc, f.null)).collect();
    let credentials: Vec<_> = credential_facts().map(|f| row(f.name, kind(f.kind(), f.unit), f.doc, f.null)).collect();
    let mut out = String::new();
    let facts = |name: &str| reset_fact(name).is_some() || credential_fact(name).is_some();
    let others = table::columns().into_iter().filter(|column| !facts(column.name));
    let others: Vec<_> = others.map(|c| row(c.name, cell(&c), c.doc, c.null)).collect();
    for (title, rows) in [
        ("Facts about a reset, at its own instant", resets),
        ("Facts about a credential of the inventory, at as_of", credentials),
        ("Columns of `regrant facts` beside them; policy_… is what facts rest on", others),
    ] {
        let _ = writeln!(out, "{title}\n");
        let widest = rows.iter().map(|row| row[0].len()).max().unwrap_or(0);
        for row in rows {
            let cells = |name: &str, of: &str, text: String| vec![format!("{name:<widest$}"), format!("{of:<7}"), text];
            let mut lines = vec![cells(&row[0], &row[1], row[2].clone())];
            if row[3] != "never" {
                lines.push(cells("", "", format!("Not known: {}", row[3])));
            }
            out.push_str(&columns(&lines, 2));
        }
        out.push('\n');
    }
    out.push_str("Predicates of checks, frameworks and waivers may name facts.\n");
    out
}

fn sources(mappings: &Mappings) -> Result<String, VerbError> {
    let mut out = "Canonical tables, as CSV with these headers or as JSON with these members\n\n".to_owned();
    let mut rows = Vec::new();
    for table in Table::ALL {
        let names = |required: bool| {
            let of: Vec<&str> = table.columns().iter().filter(|c| c.required == required).map(|c| c.name).collect();
            of.join(", ")
        };
        rows.push(vec![table.name().to_owned(), "needs".to_owned(), names(true)]);
        rows.push(vec![String::new(), "takes".to_owned(), names(false)]);
    }
    out.push_str(&columns(&rows, 2));
    out.push_str("\nOther sources, recognised by content\n");
    for file in mappings.files(MappingKind::Source) {
        let source = SourceMapping::parse(&file.id, &file.text)?;
        let container: Vec<&str> = source
            .containers
            .iter()
            .map(|container| match container {
                Container::Json => "JSON",
                Container::Csv => "CSV",
            })
            .collect();
        let container = container.join(" or ");
        let _ = writeln!(out, "\n  {}", shown(&source.id));
        let mut rows = vec![
            vec!["what".to_owned(), shown(&format!("{} ({}), {container}", source.title, source.vendor))],
            vec!["get it".to_owned(), shown(&source.how_to_get)],
        ];
        let tables: Vec<&str> = source.maps().into_iter().map(|(table, _)| table).collect();
        rows.push(vec!["tables".to_owned(), tables.join(", ")]);
        if !source.actions().is_empty() {
            rows.push(vec!["actions".to_owned(), source.actions().join(", ")]);
        }
        if file.origin != crate::mappings::Origin::Shipped {
            rows.push(vec!["from".to_owned(), shown(&file.origin.to_string())]);
        }
        out.push_str(&columns(&rows, 4));
    }
    out.push('\n');
    out.push_str(&wrapped(
        "Each of them may be compressed with gzip or zstd. What content cannot tell, such as the date of a roster, is \
         said under [[input]] in the config.",
        0,
    ));
    Ok(out)
}

fn frameworks(known: &Knowledge) -> String {
    let mut out = String::new();
    for framework in &known.frameworks {
        let checks: std::collections::BTreeSet<&String> =
            framework.requirements.iter().flat_map(|r| r.direct.iter().chain(&r.supporting)).collect();
        let _ = writeln!(out, "{}", shown(&framework.id));
        let requirements = count(framework.requirements.len() as u64, "entry", "entries");
        let rows = [
            ("title", framework.title.clone()),
            ("edition", framework.edition.clone()),
            ("publisher", framework.publisher.clone()),
            ("covers", format!("{requirements}, evidence from {}", count(checks.len() as u64, "check", "checks"))),
            ("licence", framework.licence.clone()),
        ]
        .map(|(key, value)| vec![key.to_owned(), shown(&value)]);
        out.push_str(&columns(&rows, 2));
        out.push('\n');
    }
    out.push_str("Findings are evidence relevant to a requirement, never a verdict on compliance.\n");
    out
}

fn formats() -> String {
    let mut rows = Vec::new();
    for format in FORMATS {
        let when = match format.when {
            When::Always => "always",
            When::Given => "if any",
            When::Asked => "asked",
        };
        rows.push([format.id, format.file, when, format.doc].map(str::to_owned).to_vec());
    }
    let mut out = columns(&rows, 0);
    out.push('\n');
    out.push_str(&wrapped(
        "always: in every report. if any: when there is content for it. asked: with --format (default html).",
        0,
    ));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::House;
    use crate::verbs::layout::WIDTH;

    #[test]
    fn every_list_fits_and_is_complete() {
        for what in [Listed::Checks, Listed::Facts, Listed::Sources, Listed::Frameworks, Listed::Formats] {
            let text = list(&List { what, house: House::default() }).expect("the shipped mappings are sound");
            for line in text.lines() {
                // An address of an export is one word, however long.
                let word = line.split_whitespace().count() == 1;
                assert!(word || line.chars().count() <= WIDTH, "{what:?}: {line}");
            }
            assert!(text.lines().count() > 5, "{what:?}");
        }
        let checks = list(&List { what: Listed::Checks, house: House::default() }).expect("sound");
        for id in crate::check::catalogue::ORDER {
            assert!(checks.contains(id), "{id}");
        }
    }
}
