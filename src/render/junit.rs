//! `checks.junit.xml`: JUnit XML, for the test view of a pipeline.
//!
//! A suite a control. Every open finding is a failed case; a waived one, and what cannot be judged, is a skipped one,
//! because a case that is there without a mark counts as passed. Checks without findings are one case each.

use std::fmt::Write as _;
use std::io::Write;

use super::Fault;
use super::reference::{References, counts_in_words, why_inconclusive};
use crate::report::model::{Assessment, CheckResult, Finding, Standing, State};

/// Writes one document that `junit-10.xsd` admits.
///
/// # Errors
/// What `out` reports.
pub fn write(assessment: &Assessment, findings: &[Finding], mut out: impl Write) -> Result<(), Fault> {
    let references = References::of(assessment);
    let suites: Vec<Suite> = assessment
        .controls
        .iter()
        .map(|control| {
            let mut suite = Suite { name: format!("{}: {}", control.id, control.title), ..Suite::default() };
            for check in assessment.checks.iter().filter(|check| check.control == control.id) {
                suite.check(check, findings.iter().filter(|finding| finding.check == check.id), &references);
            }
            suite
        })
        .collect();
    let sum = |of: fn(&Suite) -> u64| suites.iter().map(of).sum::<u64>();
    let title = assessment.run.title.as_deref().unwrap_or("Audit of credential resets");
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(
        out,
        "<testsuites name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\">",
        escaped(title),
        sum(|suite| suite.tests),
        sum(|suite| suite.failures)
    )?;
    for suite in &suites {
        writeln!(
            out,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" timestamp=\"{}\">",
            escaped(&suite.name),
            suite.tests,
            suite.failures,
            suite.skipped,
            escaped(assessment.run.as_of.trim_end_matches('Z'))
        )?;
        out.write_all(suite.cases.as_bytes())?;
        writeln!(out, "  </testsuite>")?;
    }
    Ok(out.write_all(b"</testsuites>\n")?)
}

#[derive(Default)]
struct Suite {
    name: String,
    tests: u64,
    failures: u64,
    skipped: u64,
    cases: String,
}

impl Suite {
    fn check<'a>(
        &mut self,
        check: &CheckResult,
        findings: impl Iterator<Item = &'a Finding>,
        references: &References<'_>,
    ) {
        let before = self.tests;
        for finding in findings {
            self.finding(check, finding, references);
        }
        let cannot_tell = check.verdict == Standing::CannotConclude || check.counts.indeterminate > 0;
        if cannot_tell {
            self.skipped(check, "cannot conclude", &why_inconclusive(check));
        } else if check.verdict == Standing::NotApplicable {
            self.skipped(check, "not applicable", "it applies to no subject");
        } else if self.tests == before {
            let name = format!("{}: {}", check.id, counts_in_words(&check.counts));
            self.open(check, &name);
            self.cases.push_str("/>\n");
        }
    }

    fn finding(&mut self, check: &CheckResult, finding: &Finding, references: &References<'_>) {
        // GitLab drops cases of the same name; the id keeps them apart.
        let name = format!("{} {} [{}]", finding.target, finding.occurred_at, finding.finding_id);
        self.open(check, &name);
        self.cases.push_str(">\n");
        match finding.state {
            State::Open => {
                self.failures += 1;
                let _ = writeln!(
                    self.cases,
                    "      <failure type=\"{}\" message=\"{}\">{}</failure>",
                    finding.severity.as_str(),
                    escaped(&finding.because),
                    escaped(&detail(check, finding))
                );
            }
            State::Waived => {
                self.skipped += 1;
                let reason = references.waiver(&finding.waiver).map_or("", |waiver| waiver.reason.as_str());
                let message = format!("waived by {}: {reason}", finding.waiver);
                let _ = writeln!(
                    self.cases,
                    "      <skipped type=\"waived-{}\" message=\"{}\">{}</skipped>",
                    finding.severity.as_str(),
                    escaped(&message),
                    escaped(&detail(check, finding))
                );
            }
        }
        self.cases.push_str("    </testcase>\n");
    }

    fn skipped(&mut self, check: &CheckResult, kind: &str, why: &str) {
        self.open(check, &format!("{}: {kind}", check.id));
        self.skipped += 1;
        let _ = write!(
            self.cases,
            ">\n      <skipped type=\"{kind}\" message=\"{}\"/>\n    </testcase>\n",
            escaped(&format!("{why} ({})", counts_in_words(&check.counts)))
        );
    }

    fn open(&mut self, check: &CheckResult, name: &str) {
        self.tests += 1;
        let class = format!("regrant.{}.{}", check.control, check.id);
        let _ = write!(self.cases, "    <testcase classname=\"{}\" name=\"{}\"", escaped(&class), escaped(name.trim()));
    }
}

fn detail(check: &CheckResult, finding: &Finding) -> String {
    let mut text = format!("{}\n{} {} in {}\n", finding.because, finding.subject_kind, finding.subject, finding.system);
    let _ = writeln!(text, "record {} of {}", finding.source_record, finding.source_file);
    let _ = writeln!(text, "evidence relevant to {}", finding.requirements.join(", "));
    text.push_str(&check.remedy);
    text
}

/// Text of an element or attribute in double quotes. What XML 1.0 cannot hold becomes U+FFFD; line breaks and tabs are
/// written as references, since parsers turn those of attributes into blanks.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_end_an_attribute_or_break_the_document() {
        assert_eq!(escaped("a\"b'<c>&]]>\n\0\u{ffff}山"), "a&quot;b&#39;&lt;c&gt;&amp;]]&gt;&#10;\u{fffd}\u{fffd}山");
    }
}
