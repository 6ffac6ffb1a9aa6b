//! `changes.md` and `changes.csv`: what changed since an earlier report.
//!
//! The same, as data, is the member `changes` of `assessment.json`.

use std::fmt::Write as _;
use std::io::Write;

use super::Fault;
use super::findings::{Row, header, severity_word};
use super::html::words::visible;
use crate::report::model::{Assessment, Cause, Change, ChangeKind, Changes, Standing};

/// The columns of `changes.csv`, in order.
pub const COLUMNS: [&str; 14] = [
    "change",
    "cause",
    "why",
    "finding_id",
    "check",
    "severity",
    "severity_before",
    "subject_kind",
    "subject",
    "system",
    "occurred_at",
    "target",
    "because",
    "waiver",
];

/// Changes of one kind that the Markdown lists; the rest is in the CSV.
const LISTED: usize = 50;

/// What one kind of change is called, for one and for several.
pub fn words(kind: ChangeKind) -> (&'static str, &'static str) {
    match kind {
        ChangeKind::New => ("new finding", "new findings"),
        ChangeKind::Reopened => ("reopened", "reopened"),
        ChangeKind::WaiverExpired => ("no longer accepted by a waiver", "no longer accepted by a waiver"),
        ChangeKind::SeverityChanged => ("of other severity", "of other severity"),
        ChangeKind::NewlyWaived => ("newly accepted by a waiver", "newly accepted by a waiver"),
        ChangeKind::Fixed => ("fixed", "fixed"),
        ChangeKind::NoLongerApplies => ("no longer applies", "no longer apply"),
        ChangeKind::NoLongerJudged => ("can no longer be judged", "can no longer be judged"),
        ChangeKind::LeftPopulation => ("left the population", "left the population"),
        ChangeKind::Gone => ("gone, not known why", "gone, not known why"),
    }
}

/// How a control or check stands, in a word.
pub fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Fail => "fails",
        Standing::CannotConclude => "cannot conclude",
        Standing::Pass => "holds",
        Standing::NotApplicable => "does not apply",
    }
}

/// One row a change; cells that a spreadsheet would take for formulas are guarded.
///
/// # Errors
/// What `out` reports.
pub fn write_csv(changes: &Changes, mut out: impl Write) -> Result<(), Fault> {
    out.write_all(&header(&COLUMNS))?;
    let mut bytes = Vec::new();
    for change in &changes.findings {
        let mut row = Row::begin(&mut bytes);
        row.text(change.kind.as_str());
        row.text(change.cause.as_str());
        for cell in [&change.why, &change.finding_id, &change.check] {
            row.text(cell);
        }
        row.text(severity_word(change.severity));
        row.text(change.severity_before.map_or("", severity_word));
        for cell in [
            &change.subject_kind,
            &change.subject,
            &change.system,
            &change.occurred_at,
            &change.target,
            &change.because,
            &change.waiver,
        ] {
            row.text(cell);
        }
        row.end();
        out.write_all(&bytes)?;
        bytes.clear();
    }
    Ok(out.flush()?)
}

/// A text to read, or to paste into a ticket or a pull request.
pub fn markdown(assessment: &Assessment, changes: &Changes) -> String {
    let mut out = String::new();
    let _ = write!(
        out,
        "# What changed\n\nFrom {} (run `{}`) to {} (run `{}`).\n\n",
        escaped(&changes.previous.as_of),
        short(&changes.previous.run_digest),
        escaped(&assessment.run.as_of),
        short(&assessment.run.digest)
    );
    for line in summary(changes) {
        let _ = writeln!(out, "- {}", escaped(&line));
    }
    if !changes.rules.is_empty() {
        let _ = write!(out, "\n## Rules that are not as they were\n\n| kind | what | was | is |\n|---|---|---|---|\n");
        for rule in &changes.rules {
            let cell = |text: &Option<String>| text.as_deref().map_or_else(|| "–".to_owned(), escaped);
            let (was, is) = (cell(&rule.was), cell(&rule.is));
            let _ = writeln!(out, "| {} | {} | {was} | {is} |", escaped(&rule.kind), escaped(&rule.id));
        }
    }
    for kind in ChangeKind::ALL {
        let of: Vec<&Change> = changes.findings.iter().filter(|change| change.kind == kind).collect();
        if of.is_empty() {
            continue;
        }
        let (one, many) = words(kind);
        let _ = write!(out, "\n## {} {}\n\n", of.len(), if of.len() == 1 { one } else { many });
        for change in of.iter().take(LISTED) {
            let cause = match change.cause {
                Cause::World => "",
                Cause::Rules => " *Due to the rules.*",
                Cause::NotKnown => " *Whether this is due to the rules is not known.*",
            };
            let _ = writeln!(
                out,
                "- **{}** `{}` {} ({}){cause} `{}`",
                severity_word(change.severity),
                change.check.replace('`', "'"),
                escaped(&change.because),
                escaped(&change.why),
                change.finding_id.replace('`', "'"),
            );
        }
        if of.len() > LISTED {
            let _ = writeln!(out, "- … and {} more, in changes.csv", of.len() - LISTED);
        }
    }
    out
}

/// The change in a few sentences, the same in every output.
pub fn summary(changes: &Changes) -> Vec<String> {
    let mut out = Vec::new();
    let mut counted = Vec::new();
    for (kind, count) in changes.counts.iter().filter(|(_, count)| **count > 0) {
        let (one, many) = words(*kind);
        counted.push(format!("{count} {}", if *count == 1 { one } else { many }));
    }
    out.push(match counted.is_empty() {
        true => format!("No finding changed; {} as before.", changes.persisting),
        false => format!("{}; {} as before.", counted.join(", "), changes.persisting),
    });
    let open: Vec<String> = changes
        .new_open
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(severity, count)| format!("{count} {severity}"))
        .collect();
    if !open.is_empty() {
        out.push(format!("Open and not there before: {}.", open.join(", ")));
    }
    if changes.due_to_rules > 0 {
        let n = changes.due_to_rules;
        out.push(format!(
            "{n} of these changes {} due to the rules, not to the world.",
            if n == 1 { "is" } else { "are" }
        ));
    }
    for control in changes.controls.iter().filter(|control| control.was != control.is) {
        out.push(format!("{}: {}, before: {}.", control.id, standing(control.is), standing(control.was)));
    }
    let population: Vec<String> = changes
        .population
        .iter()
        .map(|count| format!("{} {} ({})", count.is, count.what, signed(count.was, count.is)))
        .collect();
    if !population.is_empty() {
        out.push(format!("What is judged changed: {}.", population.join(", ")));
    }
    if !changes.unchanged_inputs.is_empty() {
        let name = |path: &String| path.rsplit('/').next().unwrap_or_default().to_owned();
        out.push(match &changes.unchanged_inputs[..] {
            [one] => format!("1 input has the same bytes as in that report: {}.", name(one)),
            all if all.len() <= 3 => {
                let names: Vec<String> = all.iter().map(name).collect();
                format!("{} inputs have the same bytes as in that report: {}.", all.len(), names.join(", "))
            }
            all => format!("{} inputs have the same bytes as in that report.", all.len()),
        });
    }
    out
}

fn signed(was: u64, is: u64) -> String {
    if is >= was { format!("+{}", is - was) } else { format!("−{}", was - is) }
}

fn short(digest: &str) -> String {
    digest.chars().filter(char::is_ascii_hexdigit).take(12).collect()
}

/// Text from data in Markdown: nothing in it is markup, and nothing in it hides or reorders.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in visible(text).chars() {
        if matches!(
            c,
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '|' | '<' | '>' | '~' | '!' | '&'
        ) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
