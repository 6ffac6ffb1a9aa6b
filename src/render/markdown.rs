//! `summary.md`: one page for a ticket or a chat.
//!
//! Text from logs stands in code spans: nothing in them is a link, a mention, a tag or formatting, in any dialect. Text
//! of the config and of mappings is escaped. Verdicts are in the words of the page.

use std::fmt::Write as _;
use std::io::Write;

use super::Fault;
use super::html::words::verdict;
use super::reference::{share, titled, why_inconclusive};
use crate::check::Severity;
use crate::report::model::{Assessment, Counts, Finding, Standing, State};

/// How many findings and identities the page has; all are in `findings.csv`.
const SHOWN: usize = 20;

/// Writes the page.
///
/// # Errors
/// What `out` reports.
pub fn write(assessment: &Assessment, findings: &[Finding], mut out: impl Write) -> Result<(), Fault> {
    let mut page = String::new();
    head(&mut page, assessment);
    controls(&mut page, assessment);
    act_first(&mut page, assessment);
    listed(&mut page, findings);
    undecided(&mut page, assessment);
    frameworks(&mut page, assessment);
    inputs(&mut page, assessment);
    let run = &assessment.run;
    let _ = writeln!(
        page,
        "\n---\nregrant {} · run digest {} · everything is in {}",
        escaped(&assessment.tool.version),
        code(&run.digest),
        code("assessment.json")
    );
    Ok(out.write_all(page.as_bytes())?)
}

fn head(page: &mut String, assessment: &Assessment) {
    let run = &assessment.run;
    let _ = writeln!(page, "# {}\n", escaped(run.title.as_deref().unwrap_or("Audit of credential resets")));
    let of = |standing: Standing| assessment.controls.iter().filter(|c| c.verdict == standing).count() as u64;
    let all = assessment.controls.len() as u64;
    let parts: Vec<String> = [
        (Standing::Pass, "hold"),
        (Standing::Fail, "fail"),
        (Standing::CannotConclude, "cannot be concluded"),
        (Standing::NotApplicable, "do not apply"),
    ]
    .into_iter()
    .filter(|(standing, _)| of(*standing) > 0)
    .map(|(standing, words)| format!("{} {words}", of(standing)))
    .collect();
    let _ = writeln!(page, "**Of {all} controls {}.**", parts.join(", "));
    let open: u64 = assessment.totals.values().map(|total| total.open).sum();
    let waived: u64 = assessment.totals.values().map(|total| total.waived).sum();
    let by_severity: Vec<String> = assessment
        .totals
        .iter()
        .filter(|(_, total)| total.open > 0)
        .map(|(severity, total)| format!("{} {}", total.open, severity.as_str()))
        .collect();
    let told = if by_severity.is_empty() { String::new() } else { format!(" ({})", by_severity.join(", ")) };
    let _ = writeln!(
        page,
        "{open} open findings{told}, {waived} accepted, over {} resets and {} credentials.\n",
        assessment.population.resets, assessment.population.credentials
    );
    let period = match (&run.since, &run.until) {
        (None, None) => "all resets in the data".to_owned(),
        (since, until) => format!(
            "resets from {} to {}",
            since.as_deref().map_or("the beginning".to_owned(), code),
            until.as_deref().map_or("the end of the data".to_owned(), code)
        ),
    };
    let _ = writeln!(page, "As of {}; {period}.", code(&run.as_of));
    if let Some(name) = &assessment.limited_to {
        let _ = writeln!(page, "Findings are limited to {}.", code(name));
    }
}

fn controls(page: &mut String, assessment: &Assessment) {
    page.push_str("\n## Controls\n\n| Control | Stands | Fails | Accepted | Cannot be judged | Holds | Population |\n|---|---|--:|--:|--:|--:|--:|\n");
    for control in &assessment.controls {
        let Counts { population, passed, failed, waived, indeterminate, .. } = control.counts;
        let _ = writeln!(
            page,
            "| {} | {} | {failed} | {waived} | {indeterminate} | {passed} | {population} |",
            escaped(&control.title),
            verdict(control.verdict).word
        );
    }
}

fn act_first(page: &mut String, assessment: &Assessment) {
    let shown: Vec<_> = assessment.identities.iter().take(SHOWN).collect();
    if shown.is_empty() {
        return;
    }
    let _ = writeln!(
        page,
        "\n## Who needs action first\n\n{} identities with open findings.\n",
        share(shown.len() as u64, assessment.identities_concerned)
    );
    for story in shown {
        let worst = story.open.iter().find(|(_, count)| **count > 0).map_or("", |(severity, _)| severity.as_str());
        let count: u64 = story.open.values().sum();
        let _ = writeln!(page, "- {} ({worst}, {count} open): {}", code(&story.name), code(&story.story));
    }
}

fn listed(page: &mut String, findings: &[Finding]) {
    let open: Vec<&Finding> = findings.iter().filter(|finding| finding.state == State::Open).collect();
    if open.is_empty() {
        page.push_str("\n## Findings\n\nNone is open.\n");
        return;
    }
    let _ = writeln!(
        page,
        "\n## Findings\n\n{} open findings, the most severe first; all are in {}.\n",
        share(open.len().min(SHOWN) as u64, open.len() as u64),
        code("findings.csv")
    );
    page.push_str("| Severity | Check | What happened | Id |\n|---|---|---|---|\n");
    for finding in open.into_iter().take(SHOWN) {
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} |",
            finding.severity.as_str(),
            cell(&finding.check),
            cell(&finding.because),
            cell(&finding.finding_id)
        );
    }
}

fn undecided(page: &mut String, assessment: &Assessment) {
    let open: Vec<_> = assessment.checks.iter().filter(|check| check.verdict == Standing::CannotConclude).collect();
    if open.is_empty() {
        return;
    }
    let _ = writeln!(
        page,
        "\n## What cannot be concluded\n\n{} checks. Not examined is not passed.\n",
        share(open.len() as u64, assessment.checks.len() as u64)
    );
    for check in open {
        let _ = writeln!(page, "- {}: {}", code(&check.id), escaped(&why_inconclusive(check)));
    }
}

fn frameworks(page: &mut String, assessment: &Assessment) {
    page.push_str("\n## Frameworks\n\nEvidence relevant to requirements, never a statement of compliance.\n\n| Framework | Fails | Cannot conclude | Holds | Does not apply |\n|---|--:|--:|--:|--:|\n");
    for framework in assessment.frameworks.iter().filter(|framework| framework.kind != "technique") {
        let of = |standing: Standing| {
            framework.requirements.iter().filter(|r| !r.direct.is_empty() && r.verdict == standing).count()
        };
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | {} |",
            escaped(&titled(framework)),
            of(Standing::Fail),
            of(Standing::CannotConclude),
            of(Standing::Pass),
            of(Standing::NotApplicable)
        );
    }
    for framework in assessment.frameworks.iter().filter(|framework| framework.kind == "technique") {
        let seen: Vec<String> = framework
            .requirements
            .iter()
            .filter(|r| !r.direct.is_empty() && r.verdict == Standing::Fail)
            .map(|r| code(&r.id))
            .collect();
        let judged = framework.requirements.iter().filter(|r| !r.direct.is_empty()).count() as u64;
        let told = if seen.is_empty() { String::new() } else { format!(": {}", seen.join(", ")) };
        let _ = writeln!(
            page,
            "\n{}: patterns that fit {} techniques were seen{told}.",
            escaped(&titled(framework)),
            share(seen.len() as u64, judged)
        );
    }
}

fn inputs(page: &mut String, assessment: &Assessment) {
    page.push_str("\n## What was read\n\n| Input | Read | Accepted | Rejected |\n|---|--:|--:|--:|\n");
    for input in assessment.inputs.iter().take(SHOWN) {
        let _ = writeln!(page, "| {} | {} | {} | {} |", cell(&input.path), input.read, input.accepted, input.rejected);
    }
    let (shown, all) = (assessment.inputs.len().min(SHOWN), assessment.inputs.len());
    if shown < all {
        let _ = writeln!(
            page,
            "\n{} inputs; the others are in {}.",
            share(shown as u64, all as u64),
            code("assessment.json")
        );
    }
    let expired = assessment.waivers.iter().filter(|waiver| waiver.state == "expired").count();
    if expired > 0 {
        let of = share(expired as u64, assessment.waivers.len() as u64);
        let _ = writeln!(page, "\n{of} waivers have expired.");
    }
    if assessment.totals.get(&Severity::Critical).is_some_and(|total| total.open > 0) {
        page.push_str("\nSomething critical is open.\n");
    }
}

/// Text from data as a code span: literal in every dialect, no mention, no link. Line breaks become blanks; what is
/// not visible or turns text around is written out as `\u{…}`.
pub(super) fn code(text: &str) -> String {
    let text = visible(text);
    if text.trim().is_empty() {
        return "(empty)".to_owned();
    }
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest + 1);
    // A blank beside a backtick belongs to the fence and is not shown.
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// [`code`] for a cell of a table, where a bar would end the cell even inside a code span.
pub(super) fn cell(text: &str) -> String {
    code(text).replace('|', "\\|")
}

/// Text as Markdown that shows it as it is: all punctuation that could mean something is escaped.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in visible(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '|' | '~' | '!' | '$' | '^' => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
    out
}

fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.trim().chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}' => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            _ if c.is_control() => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_cannot_leave_its_code_span_or_its_cell() {
        assert_eq!(code("@everyone [x](javascript:1)"), "`@everyone [x](javascript:1)`");
        assert_eq!(code("a`b``c"), "```a`b``c```");
        assert_eq!(code("`x`"), "`` `x` ``");
        assert_eq!(cell("a|b\n|c"), "`a\\|b \\|c`");
        assert_eq!(code("\u{202e}txt\0"), "`\\u{202e}txt\\u{0}`");
        assert_eq!(code(" \n"), "(empty)");
    }

    #[test]
    fn escaped_text_shows_as_it_is() {
        assert_eq!(escaped("<b>*[a](b)*_#|&"), "&lt;b&gt;\\*\\[a\\](b)\\*\\_\\#\\|&amp;");
    }
}
