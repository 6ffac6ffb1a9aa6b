//! `diff`: what changed between two reports.

use std::fmt::Write as _;

use super::layout::{columns, shown, wrapped};
use super::{VerbError, printed};
use crate::cli::{Diff, DiffFormat};
use crate::proof::Kept;
use crate::proof::diff::{Later, changes, concerned};
use crate::render::changes::{markdown, summary, words, write_csv};
use crate::report::model::{Assessment, Cause, Change, ChangeKind, Changes};

/// Changes of one kind that a terminal shows.
const LISTED: usize = 20;

/// Compares two report folders: what changed, or where it was written to.
///
/// # Errors
/// When one of them cannot be read, or one is limited to an identity that the other is not limited to.
pub fn diff(args: &Diff) -> Result<String, VerbError> {
    let (old, new) = (Kept::open(&args.old)?, Kept::open(&args.new)?);
    let (before, after) = (old.findings()?, new.findings()?);
    let subjects = new.subjects_of(&concerned(&before, &after))?;
    let later = Later { assessment: &new.assessment, findings: &after, subjects: subjects.as_deref() };
    let changes = changes(&old, &later)?;
    let made = |what: &str, error: String| {
        VerbError::own(format!("{what} cannot be made: {error}"), "this is a fault of regrant: please report it")
    };
    let text = match args.format {
        DiffFormat::Text => text(&new.assessment, &changes),
        DiffFormat::Md => markdown(&new.assessment, &changes),
        DiffFormat::Json => {
            serde_json::to_string_pretty(&changes).map_err(|error| made("the JSON", error.to_string()))? + "\n"
        }
        DiffFormat::Csv => {
            let mut out = Vec::new();
            write_csv(&changes, &mut out).map_err(|error| made("the CSV", error.to_string()))?;
            String::from_utf8_lossy(&out).into_owned()
        }
    };
    printed(text, args.output.as_deref())
}

fn text(assessment: &Assessment, changes: &Changes) -> String {
    let heading = format!("From {} to {}", changes.previous.as_of, assessment.run.as_of);
    let mut out = format!("{}\n\n", shown(&heading));
    for line in summary(changes) {
        out.push_str(&wrapped(&shown(&line), 2));
    }
    if !changes.rules.is_empty() {
        let _ = write!(out, "\nRules that are not as they were\n");
        for rule in &changes.rules {
            let _ = writeln!(out, "  {} {}", shown(&rule.kind), shown(&rule.id));
            for (word, side) in [("was", &rule.was), ("is", &rule.is)] {
                let side = side.as_deref().unwrap_or("not there");
                out.push_str(&wrapped(&format!("{word}: {}", shown(side)), 4));
            }
        }
    }
    for kind in ChangeKind::ALL {
        let of: Vec<&Change> = changes.findings.iter().filter(|change| change.kind == kind).collect();
        if of.is_empty() {
            continue;
        }
        let (one, many) = words(kind);
        let _ = write!(out, "\n{} {}\n", of.len(), if of.len() == 1 { one } else { many });
        let rows: Vec<Vec<String>> = of.iter().take(LISTED).map(|change| row(change)).collect();
        out.push_str(&columns(&rows, 2));
        if of.len() > LISTED {
            let _ = writeln!(out, "  … and {} more (--format csv has them all)", of.len() - LISTED);
        }
    }
    out
}

fn row(change: &Change) -> Vec<String> {
    let cause = match change.cause {
        Cause::World => "",
        Cause::Rules => " [rules]",
        Cause::NotKnown => " [cause not known]",
    };
    let said = format!("{}{cause}: {}; {}", change.check, change.because, change.why);
    vec![change.finding_id.clone(), change.severity.to_string(), shown(&said)]
}
