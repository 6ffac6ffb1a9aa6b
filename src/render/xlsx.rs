//! `findings.xlsx`: a workbook for reviewers who work in a spreadsheet.
//!
//! Summary, findings, populations, inputs, waivers, and an action plan whose columns for owner, due date and
//! justification are to be filled in. Every text is written as text: no cell is a formula or a link, whatever it
//! begins with. The date of creation is `as_of`, so that the bytes are the same again.

use std::io::Write;

use rust_xlsxwriter::{
    Color, DataValidation, DocProperties, ExcelDateTime, Format, FormatAlign, Workbook, Worksheet, XlsxError,
};

use super::Fault;
use super::findings::COLUMNS;
use super::reference::{References, entry_word, micros, standing_word, titled, why_inconclusive};
use crate::check::Severity;
use crate::report::model::{Assessment, Counts, Finding, State};
use crate::time::SECOND;

/// What a cell can hold.
const LONGEST: usize = 32_767;

/// Rows that a sheet can hold below its header.
const MOST_ROWS: usize = 1_048_575;

/// Writes one workbook.
///
/// # Errors
/// What `out` reports.
pub fn write(assessment: &Assessment, findings: &[Finding], mut out: impl Write) -> Result<(), Fault> {
    let mut workbook = Workbook::new();
    let style = Style::new();
    workbook.set_properties(&properties(assessment)?);
    summary(workbook.add_worksheet(), assessment, findings, &style)?;
    all_findings(workbook.add_worksheet(), findings, &style)?;
    populations(workbook.add_worksheet(), assessment, &style)?;
    inputs(workbook.add_worksheet(), assessment, &style)?;
    waivers(workbook.add_worksheet(), assessment, &style)?;
    action_plan(workbook.add_worksheet(), assessment, findings, &style)?;
    Ok(out.write_all(&workbook.save_to_buffer()?)?)
}

impl From<XlsxError> for Fault {
    fn from(error: XlsxError) -> Fault {
        Fault::Content(error.to_string())
    }
}

struct Style {
    title: Format,
    header: Format,
    text: Format,
    to_fill: Format,
    date: Format,
    severities: Vec<(Severity, Format)>,
}

impl Style {
    fn new() -> Style {
        let text = || Format::new().set_align(FormatAlign::Top);
        let tint = |severity: Severity| match severity {
            Severity::Critical => Color::RGB(0xF4_C7_C3),
            Severity::High => Color::RGB(0xFC_E0_C6),
            Severity::Medium => Color::RGB(0xFD_F3_CC),
            Severity::Low => Color::RGB(0xE3_EE_DD),
            Severity::Info => Color::RGB(0xE6_E8_EB),
        };
        Style {
            title: Format::new().set_bold().set_font_size(14),
            header: Format::new()
                .set_bold()
                .set_text_wrap()
                .set_align(FormatAlign::Top)
                .set_background_color(Color::RGB(0x26_3A_4A))
                .set_font_color(Color::White),
            text: text(),
            to_fill: text().set_background_color(Color::RGB(0xFF_FB_E6)).set_text_wrap(),
            date: text().set_background_color(Color::RGB(0xFF_FB_E6)).set_num_format("yyyy-mm-dd"),
            severities: Severity::ALL.map(|one| (one, text().set_background_color(tint(one)))).to_vec(),
        }
    }

    fn of(&self, severity: Severity) -> &Format {
        self.severities.iter().find(|(one, _)| *one == severity).map_or(&self.text, |(_, format)| format)
    }
}

fn properties(assessment: &Assessment) -> Result<DocProperties, Fault> {
    let run = &assessment.run;
    let properties = DocProperties::new()
        .set_title(plain(run.title.as_deref().unwrap_or("Audit of credential resets")))
        .set_author(format!("regrant {}", assessment.tool.version))
        .set_comment(plain(&format!("As of {}; run digest {}", run.as_of, run.digest)));
    // Without a date of ours the writer would look at the clock.
    let seconds = micros(&run.as_of).unwrap_or_default() / SECOND;
    let created = ExcelDateTime::from_timestamp(seconds).or_else(|_| ExcelDateTime::from_timestamp(0))?;
    Ok(properties.set_creation_datetime(&created))
}

/// A sheet being filled from the top.
struct Sheet<'a> {
    sheet: &'a mut Worksheet,
    style: &'a Style,
    row: u32,
}

enum Cell<'a> {
    Text(&'a str),
    Owned(String),
    Number(u64),
    Severity(Severity),
    Instant(Option<&'a str>),
    Fill,
    FillDate,
}

impl<'a> Sheet<'a> {
    fn begin(
        sheet: &'a mut Worksheet,
        style: &'a Style,
        name: &str,
        columns: &[(&str, f64)],
    ) -> Result<Sheet<'a>, Fault> {
        sheet.set_name(name)?;
        let mut begun = Sheet { sheet, style, row: 0 };
        begun.header(columns)?;
        begun.sheet.set_freeze_panes(1, 0)?;
        begun.sheet.set_repeat_rows(0, 0)?;
        begun.sheet.set_landscape();
        Ok(begun)
    }

    fn header(&mut self, columns: &[(&str, f64)]) -> Result<(), Fault> {
        for (at, (title, width)) in (0_u16..).zip(columns) {
            self.sheet.write_string_with_format(self.row, at, *title, &self.style.header)?;
            self.sheet.set_column_width(at, *width)?;
        }
        self.row += 1;
        Ok(())
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> Result<(), Fault> {
        for (at, cell) in (0_u16..).zip(cells) {
            let (row, style) = (self.row, self.style);
            match cell {
                Cell::Text("") => {}
                Cell::Text(text) => {
                    self.sheet.write_string_with_format(row, at, plain(text), &style.text)?;
                }
                Cell::Owned(text) => {
                    self.sheet.write_string_with_format(row, at, plain(text), &style.text)?;
                }
                Cell::Number(number) => {
                    // Spreadsheets count in doubles; what they cannot hold exactly is told as text.
                    if *number < 1 << 53 {
                        self.sheet.write_number_with_format(row, at, *number as f64, &style.text)?;
                    } else {
                        self.sheet.write_string_with_format(row, at, number.to_string(), &style.text)?;
                    }
                }
                Cell::Severity(severity) => {
                    self.sheet.write_string_with_format(row, at, severity.as_str(), style.of(*severity))?;
                }
                Cell::Instant(instant) => {
                    self.sheet.write_string_with_format(row, at, instant.unwrap_or("not reported"), &style.text)?;
                }
                Cell::Fill => {
                    self.sheet.write_blank(row, at, &style.to_fill)?;
                }
                Cell::FillDate => {
                    self.sheet.write_blank(row, at, &style.date)?;
                }
            }
        }
        self.row += 1;
        Ok(())
    }

    /// Filters over everything below the header.
    fn end(self, columns: usize) -> Result<(), Fault> {
        let last = u16::try_from(columns.saturating_sub(1)).unwrap_or(u16::MAX);
        self.sheet.autofilter(0, 0, self.row.saturating_sub(1), last)?;
        Ok(())
    }
}

/// What a cell can hold of a text: cut at a character, and said so; characters that XML cannot hold replaced.
fn plain(text: &str) -> String {
    let clean = |c: char| match c {
        '\u{0}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        _ => c,
    };
    let length = text.chars().count();
    if length <= LONGEST {
        return text.chars().map(clean).collect();
    }
    let rest = format!("… ({length} characters; the whole text is in findings.jsonl)");
    let kept: String = text.chars().take(LONGEST - rest.chars().count()).map(clean).collect();
    kept + &rest
}

fn summary(sheet: &mut Worksheet, assessment: &Assessment, findings: &[Finding], style: &Style) -> Result<(), Fault> {
    sheet.set_name("Summary")?;
    let run = &assessment.run;
    let mut s = Sheet { sheet, style, row: 0 };
    s.sheet.write_string_with_format(
        0,
        0,
        plain(run.title.as_deref().unwrap_or("Audit of credential resets")),
        &style.title,
    )?;
    s.sheet.set_landscape();
    s.sheet.set_print_fit_to_pages(1, 0);
    s.row = 2;
    let since = run.since.as_deref().unwrap_or("the beginning of the data");
    let until = run.until.as_deref().unwrap_or("the end of the data");
    let p = &assessment.population;
    for (name, value) in [
        ("As of", run.as_of.clone()),
        ("Period", format!("{since} to {until}")),
        ("Resets judged", p.resets.to_string()),
        ("Credentials judged", p.credentials.to_string()),
        ("Limited to", assessment.limited_to.clone().unwrap_or_else(|| "the whole organisation".to_owned())),
        ("Made by", format!("{} {}", assessment.tool.name, assessment.tool.version)),
        ("Run digest", run.digest.clone()),
    ] {
        s.row(&[Cell::Text(name), Cell::Owned(value)])?;
    }
    s.row += 1;
    s.header(&[("Findings by severity", 44.0), ("Open", 22.0), ("Waived", 12.0)])?;
    for (severity, total) in &assessment.totals {
        s.row(&[Cell::Severity(*severity), Cell::Number(total.open), Cell::Number(total.waived)])?;
    }
    s.row += 1;
    s.header(&[
        ("Control", 44.0),
        ("Stands", 22.0),
        ("Fails", 12.0),
        ("Waived", 12.0),
        ("Cannot be judged", 12.0),
        ("Holds", 12.0),
        ("Does not apply", 12.0),
        ("Population", 12.0),
    ])?;
    for control in &assessment.controls {
        let mut cells = vec![Cell::Text(&control.title), Cell::Text(standing_word(control.verdict))];
        cells.extend(counts(&control.counts));
        s.row(&cells)?;
    }
    s.row += 1;
    if findings.len() > MOST_ROWS {
        s.row(&[Cell::Owned(format!(
            "The sheets of findings hold {MOST_ROWS} of {}; all are in findings.csv.",
            findings.len()
        ))])?;
    }
    s.row(&[Cell::Text("Evidence relevant to requirements, never a statement of compliance.")])?;
    Ok(())
}

fn counts(counts: &Counts) -> [Cell<'static>; 6] {
    [
        Cell::Number(counts.failed),
        Cell::Number(counts.waived),
        Cell::Number(counts.indeterminate),
        Cell::Number(counts.passed),
        Cell::Number(counts.not_applicable),
        Cell::Number(counts.population),
    ]
}

fn all_findings(sheet: &mut Worksheet, findings: &[Finding], style: &Style) -> Result<(), Fault> {
    let width = |column: &str| match column {
        "because" => 70.0,
        "evidence" | "requirements" => 40.0,
        "check" | "target" | "source_file" | "executor" | "approver" => 30.0,
        "finding_id" | "subject" | "system" | "occurred_at" | "identity_name" => 22.0,
        _ => 14.0,
    };
    let columns = COLUMNS.map(|column| (column, width(column)));
    let mut s = Sheet::begin(sheet, style, "Findings", &columns)?;
    for finding in findings.iter().take(MOST_ROWS) {
        let state = if finding.state == State::Open { "open" } else { "waived" };
        s.row(&[
            Cell::Text(&finding.finding_id),
            Cell::Text(&finding.check),
            Cell::Text(&finding.control),
            Cell::Severity(finding.severity),
            Cell::Text(state),
            Cell::Text(&finding.subject_kind),
            Cell::Text(&finding.subject),
            Cell::Text(&finding.system),
            Cell::Text(&finding.occurred_at),
            Cell::Text(&finding.action),
            Cell::Text(&finding.target),
            Cell::Text(&finding.identity),
            Cell::Text(&finding.identity_name),
            Cell::Text(&finding.tier),
            Cell::Text(&finding.executor),
            Cell::Text(&finding.approver),
            Cell::Text(&finding.ticket),
            Cell::Text(&finding.because),
            Cell::Owned(serde_json::to_string(&finding.evidence)?),
            Cell::Owned(finding.requirements.join(";")),
            Cell::Text(&finding.source_file),
            Cell::Number(finding.source_record),
            Cell::Text(&finding.waiver),
        ])?;
    }
    s.end(columns.len())
}

fn populations(sheet: &mut Worksheet, assessment: &Assessment, style: &Style) -> Result<(), Fault> {
    let columns = [
        ("Kind", 14.0),
        ("Of", 34.0),
        ("Id", 38.0),
        ("Title", 60.0),
        ("Stands", 16.0),
        ("Fails", 10.0),
        ("Waived", 10.0),
        ("Cannot be judged", 10.0),
        ("Holds", 10.0),
        ("Does not apply", 10.0),
        ("Population", 12.0),
        ("Remarks", 70.0),
    ];
    let mut s = Sheet::begin(sheet, style, "Populations", &columns)?;
    for check in &assessment.checks {
        let mut cells = vec![
            Cell::Text("check"),
            Cell::Text(&check.control),
            Cell::Text(&check.id),
            Cell::Text(&check.title),
            Cell::Text(standing_word(check.verdict)),
        ];
        cells.extend(counts(&check.counts));
        let unsure = check.counts.indeterminate > 0 || check.inconclusive.is_some();
        cells.push(Cell::Owned(if unsure { why_inconclusive(check) } else { String::new() }));
        s.row(&cells)?;
    }
    for framework in &assessment.frameworks {
        for requirement in &framework.requirements {
            let judged = !requirement.direct.is_empty();
            let mut cells = vec![
                Cell::Text(if framework.kind == "technique" { "technique" } else { "requirement" }),
                Cell::Owned(titled(framework)),
                Cell::Text(&requirement.id),
                Cell::Text(requirement.title.as_deref().unwrap_or("no official title known")),
                Cell::Text(if judged { entry_word(framework, requirement.verdict) } else { "shown, not judged" }),
            ];
            cells.extend(counts(&requirement.counts));
            cells.push(Cell::Text(&requirement.limits));
            s.row(&cells)?;
        }
    }
    s.end(columns.len())
}

fn inputs(sheet: &mut Worksheet, assessment: &Assessment, style: &Style) -> Result<(), Fault> {
    let columns = [
        ("Input", 60.0),
        ("Read by", 24.0),
        ("Table", 14.0),
        ("Records read", 12.0),
        ("Accepted", 12.0),
        ("Out of scope", 12.0),
        ("Merged", 12.0),
        ("Duplicates", 12.0),
        ("Rejected", 12.0),
        ("Expected", 12.0),
        ("First", 24.0),
        ("Last", 24.0),
        ("Bytes", 14.0),
        ("SHA-256", 66.0),
    ];
    let mut s = Sheet::begin(sheet, style, "Inputs", &columns)?;
    for input in &assessment.inputs {
        s.row(&[
            Cell::Text(&input.path),
            Cell::Text(&input.mapping),
            Cell::Text(&input.table),
            Cell::Number(input.read),
            Cell::Number(input.accepted),
            Cell::Number(input.out_of_scope),
            Cell::Number(input.merged),
            Cell::Number(input.duplicates),
            Cell::Number(input.rejected),
            input.expected_records.map_or(Cell::Text("not stated"), Cell::Number),
            Cell::Instant(input.first_at.as_deref()),
            Cell::Instant(input.last_at.as_deref()),
            Cell::Number(input.bytes),
            Cell::Text(input.sha256.as_deref().or(input.blake3.as_deref()).unwrap_or("not computed")),
        ])?;
    }
    s.end(columns.len())
}

fn waivers(sheet: &mut Worksheet, assessment: &Assessment, style: &Style) -> Result<(), Fault> {
    let columns = [
        ("Waiver", 18.0),
        ("State", 16.0),
        ("Flags", 20.0),
        ("Matched", 10.0),
        ("Waived", 10.0),
        ("Checks", 40.0),
        ("Where", 60.0),
        ("Reason", 70.0),
        ("Requested by", 30.0),
        ("Approved by", 30.0),
        ("Starts on", 12.0),
        ("Expires on", 12.0),
    ];
    let mut s = Sheet::begin(sheet, style, "Waivers", &columns)?;
    for waiver in &assessment.waivers {
        s.row(&[
            Cell::Text(&waiver.id),
            Cell::Text(&waiver.state),
            Cell::Owned(waiver.flags.join(", ")),
            Cell::Number(waiver.matched),
            Cell::Number(waiver.waived),
            Cell::Owned(waiver.checks.join(", ")),
            Cell::Text(&waiver.r#where),
            Cell::Text(&waiver.reason),
            Cell::Text(&waiver.requested_by),
            Cell::Text(&waiver.approved_by),
            Cell::Text(&waiver.starts_on),
            Cell::Text(&waiver.expires_on),
        ])?;
    }
    s.end(columns.len())
}

fn action_plan(
    sheet: &mut Worksheet,
    assessment: &Assessment,
    findings: &[Finding],
    style: &Style,
) -> Result<(), Fault> {
    let columns = [
        ("Finding", 20.0),
        ("Severity", 12.0),
        ("Check", 32.0),
        ("Identity", 30.0),
        ("What happened", 70.0),
        ("What to do", 70.0),
        ("Owner", 28.0),
        ("Due date", 14.0),
        ("Decision", 16.0),
        ("Justification", 50.0),
    ];
    let references = References::of(assessment);
    let mut s = Sheet::begin(sheet, style, "Action plan", &columns)?;
    for finding in findings.iter().filter(|finding| finding.state == State::Open).take(MOST_ROWS) {
        let name = if finding.identity_name.is_empty() { &finding.target } else { &finding.identity_name };
        s.row(&[
            Cell::Text(&finding.finding_id),
            Cell::Severity(finding.severity),
            Cell::Text(&finding.check),
            Cell::Text(name),
            Cell::Text(&finding.because),
            Cell::Text(references.check(&finding.check).map_or("", |check| &check.remedy)),
            Cell::Fill,
            Cell::FillDate,
            Cell::Fill,
            Cell::Fill,
        ])?;
    }
    if s.row > 1 {
        let decisions = DataValidation::new().allow_list_strings(&["fix", "waive", "no fault", "investigate"])?;
        s.sheet.add_data_validation(1, 8, s.row - 1, 8, &decisions)?;
    }
    s.end(columns.len())
}

#[cfg(test)]
mod tests {
    use calamine::{Data, Reader, Xlsx};

    use super::super::assessment::tests::full;
    use super::super::findings::tests::{HOSTILE, finding};
    use super::*;

    fn book(findings: &[Finding]) -> Vec<u8> {
        let mut out = Vec::new();
        write(&full(), findings, &mut out).expect("memory takes everything");
        out
    }

    fn open(bytes: Vec<u8>) -> Xlsx<std::io::Cursor<Vec<u8>>> {
        Xlsx::new(std::io::Cursor::new(bytes)).expect("a workbook")
    }

    #[test]
    fn hostile_text_reads_back_as_text_and_no_cell_is_a_formula() {
        let mut findings: Vec<Finding> = HOSTILE.iter().zip(1..).map(|(text, number)| finding(text, number)).collect();
        findings.push(finding(&"山".repeat(40_000), 99));
        findings[0].state = State::Open;
        let mut book = open(book(&findings));
        let names = book.sheet_names();
        assert_eq!(names, ["Summary", "Findings", "Populations", "Inputs", "Waivers", "Action plan"]);
        for name in &names {
            assert!(book.worksheet_formula(name).expect("a sheet").is_empty(), "{name} has formulas");
        }
        let sheet = book.worksheet_range("Findings").expect("a sheet");
        let mut rows = sheet.rows();
        let header: Vec<String> = rows.next().expect("a header").iter().map(ToString::to_string).collect();
        assert_eq!(header, COLUMNS);
        let targets: Vec<String> = rows.map(|row| row[10].to_string()).collect();
        assert_eq!(targets.len(), findings.len());
        for (target, finding) in targets.iter().zip(&findings) {
            if finding.target.chars().count() <= LONGEST {
                // XML parsers read a carriage return as a line feed.
                let as_written = plain(&finding.target).replace("\r\n", "\n").replace('\r', "\n");
                assert_eq!(target.replace("\r\n", "\n").replace('\r', "\n"), as_written);
            } else {
                assert_eq!(target.chars().count(), LONGEST);
                assert!(target.ends_with("… (40000 characters; the whole text is in findings.jsonl)"));
            }
        }
        let plan = book.worksheet_range("Action plan").expect("a sheet");
        assert_eq!(plan.rows().count(), 2, "the header and the one open finding");
        assert_eq!(plan.rows().nth(1).map(|row| row[6].clone()), Some(Data::Empty), "for the owner to be filled in");
    }

    #[test]
    fn the_bytes_are_the_same_again() {
        let findings: Vec<Finding> = (0..300).map(|number| finding(HOSTILE[number % 12], number as u64)).collect();
        assert_eq!(book(&findings), book(&findings));
    }
}
