//! `findings.csv` and `findings.jsonl`: one row a finding, all of them, in the order they are given.
//!
//! The CSV is for spreadsheets and comes guarded (a leading `'` disarms what would be a formula); the exact text of
//! every field is in `findings.jsonl`.

use std::io::Write;

use hashbrown::HashMap;
use rayon::prelude::*;
use serde::Serialize;

use super::{Fault, scan};
use crate::check::Severity;
use crate::report::evidence::{Evidence, Told};
use crate::report::model::{Finding, State};

/// Rows of text as CSV, written as every CSV of ours is: a cell that a spreadsheet would take for a formula is guarded.
pub fn guarded_csv(rows: &[Vec<String>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for cells in rows {
        let mut row = Row::begin(&mut bytes);
        cells.iter().for_each(|cell| row.text(cell));
        row.end();
    }
    bytes
}

/// The columns of `findings.csv`, in order; the members of a line of `findings.jsonl` are the same, and `contextual` where
/// that is not empty.
pub const COLUMNS: [&str; 23] = [
    "finding_id",
    "check",
    "control",
    "severity",
    "state",
    "subject_kind",
    "subject",
    "system",
    "occurred_at",
    "action",
    "target",
    "identity",
    "identity_name",
    "tier",
    "executor",
    "approver",
    "ticket",
    "because",
    "evidence",
    "requirements",
    "source_file",
    "source_record",
    "waiver",
];

/// Rows a task renders: enough that what many of them share is spelt once, few enough that it is written from the cache.
const ROWS_PER_TASK: usize = 512;

/// Tasks between two writes: bounds what is held in memory.
const TASKS_PER_WRITE: usize = 8;

/// One row of a CSV file as all our CSV files are written: RFC 4180 quotes where needed, UTF-8 without a byte order
/// mark, LF at the end. Written by hand because most of a finding is its evidence, full of quotes to be doubled: 100,000
/// findings of 1 kB took 0.34 s with the `csv` crate's writer and take 0.18 s so (two cores).
///
/// A cell that a spreadsheet would take for a formula (it starts with `= + - @`, tab or carriage return) gets a leading
/// `'`. NUL, which RFC 4180 does not admit and many readers stop at, becomes U+FFFD.
pub(super) struct Row<'a> {
    bytes: &'a mut Vec<u8>,
    begun: bool,
}

impl<'a> Row<'a> {
    pub(super) fn begin(bytes: &'a mut Vec<u8>) -> Row<'a> {
        Row { bytes, begun: false }
    }

    pub(super) fn text(&mut self, text: &str) {
        self.separate();
        // Line ends and NUL are told from other control characters only where there is one.
        let suspect =
            scan::any(text, |eight| scan::is(eight, b'"') | scan::is(eight, b',') | scan::below(eight, b'\r' + 1));
        let quoted = suspect && text.bytes().any(|byte| matches!(byte, b'"' | b',' | b'\n' | b'\r' | 0));
        if quoted {
            self.bytes.push(b'"');
        }
        if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
            self.bytes.push(b'\'');
        }
        if quoted {
            self.escaped(text.as_bytes());
            self.bytes.push(b'"');
        } else {
            self.bytes.extend_from_slice(text.as_bytes());
        }
    }

    pub(super) fn number(&mut self, number: u64) {
        self.text(&number.to_string());
    }

    /// A JSON object: it starts with a brace, so it is no formula.
    fn json(&mut self, object: &[u8]) {
        self.separate();
        self.bytes.push(b'"');
        self.escaped(object);
        self.bytes.push(b'"');
    }

    /// A cell as another row spelt it.
    fn spelt(&mut self, cell: &[u8]) {
        self.separate();
        self.bytes.extend_from_slice(cell);
    }

    pub(super) fn end(self) {
        self.bytes.push(b'\n');
    }

    fn separate(&mut self) {
        if self.begun {
            self.bytes.push(b',');
        }
        self.begun = true;
    }

    fn escaped(&mut self, text: &[u8]) {
        let mut from = 0;
        for at in memchr::memchr2_iter(b'"', 0, text) {
            self.bytes.extend_from_slice(&text[from..at]);
            self.bytes.extend_from_slice(if text[at] == 0 { "\u{fffd}".as_bytes() } else { b"\"\"" });
            from = at + 1;
        }
        self.bytes.extend_from_slice(&text[from..]);
    }
}

/// The header line of a CSV file.
pub(super) fn header(columns: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut row = Row::begin(&mut bytes);
    columns.iter().for_each(|column| row.text(column));
    row.end();
    bytes
}

/// Renders rows in parallel, in portions of fixed size, and writes them in order: while some are written, and digested, the
/// next ones are rendered. The buffers are used again, so that they stay in the cache.
pub(super) fn write_rows<T: Sync>(
    rows: &[T],
    mut out: impl Write + Send,
    render: impl Fn(&[T], &mut Vec<u8>) -> Result<(), Fault> + Sync,
) -> Result<(), Fault> {
    let fill = |window: &[T], buffers: &mut Vec<Vec<u8>>| -> Result<(), Fault> {
        buffers.resize_with(window.len().div_ceil(ROWS_PER_TASK), Vec::new);
        window.par_chunks(ROWS_PER_TASK).zip(buffers.par_iter_mut()).try_for_each(|(portion, bytes)| {
            bytes.clear();
            render(portion, bytes)
        })
    };
    let (mut ready, mut next) = (Vec::new(), Vec::new());
    let mut windows = rows.chunks(ROWS_PER_TASK * TASKS_PER_WRITE);
    if let Some(first) = windows.next() {
        fill(first, &mut ready)?;
    }
    loop {
        let window = windows.next();
        let (written, filled) = rayon::join(
            || ready.iter().try_for_each(|portion| out.write_all(portion)),
            || window.map_or(Ok(()), |window| fill(window, &mut next)),
        );
        written?;
        filled?;
        if window.is_none() {
            return Ok(());
        }
        std::mem::swap(&mut ready, &mut next);
    }
}

/// Writes one compact JSON object a row, each line ended by LF.
pub(super) fn write_json_lines<T: Serialize + Sync>(rows: &[T], out: impl Write + Send) -> Result<(), Fault> {
    write_rows(rows, out, |portion, bytes| {
        for row in portion {
            serde_json::to_writer(&mut *bytes, row)?;
            bytes.push(b'\n');
        }
        Ok(())
    })
}

/// A text as a JSON string, as `serde_json` spells it: only quote, backslash and control characters are escaped.
pub(super) fn json_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.push(b'"');
    if scan::any(text, |eight| scan::is(eight, b'"') | scan::is(eight, b'\\') | scan::below(eight, 0x20)) {
        let asks = |byte: u8| matches!(byte, b'"' | b'\\' | 0..0x20);
        let text = text.as_bytes();
        let mut from = 0;
        for (at, &byte) in text.iter().enumerate().filter(|(_, byte)| asks(**byte)) {
            bytes.extend_from_slice(&text[from..at]);
            from = at + 1;
            match byte {
                b'"' => bytes.extend_from_slice(b"\\\""),
                b'\\' => bytes.extend_from_slice(b"\\\\"),
                0x08 => bytes.extend_from_slice(b"\\b"),
                0x0c => bytes.extend_from_slice(b"\\f"),
                b'\n' => bytes.extend_from_slice(b"\\n"),
                b'\r' => bytes.extend_from_slice(b"\\r"),
                b'\t' => bytes.extend_from_slice(b"\\t"),
                _ => {
                    const HEX: &[u8; 16] = b"0123456789abcdef";
                    bytes.extend_from_slice(b"\\u00");
                    bytes.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
                }
            }
        }
        bytes.extend_from_slice(&text[from..]);
    } else {
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes.push(b'"');
}

fn json_texts(bytes: &mut Vec<u8>, texts: &[String]) {
    bytes.push(b'[');
    for (position, text) in texts.iter().enumerate() {
        if position > 0 {
            bytes.push(b',');
        }
        json_text(bytes, text);
    }
    bytes.push(b']');
}

fn json_evidence(bytes: &mut Vec<u8>, evidence: &Evidence) -> Result<(), Fault> {
    bytes.push(b'{');
    for (position, (name, value)) in evidence.iter().enumerate() {
        if position > 0 {
            bytes.push(b',');
        }
        json_text(bytes, name);
        bytes.push(b':');
        match value {
            Told::Null => bytes.extend_from_slice(b"null"),
            Told::Bool(true) => bytes.extend_from_slice(b"true"),
            Told::Bool(false) => bytes.extend_from_slice(b"false"),
            Told::Number(spelt) => bytes.extend_from_slice(spelt.as_bytes()),
            Told::Text(text) => json_text(bytes, text),
            Told::Other(value) => serde_json::to_writer(&mut *bytes, value)?,
        }
    }
    bytes.push(b'}');
    Ok(())
}

/// What findings of a portion share, spelt once: lists by where they lie in memory.
#[derive(Default)]
struct Spelt(HashMap<(usize, usize), Vec<u8>>);

impl Spelt {
    fn list(&mut self, list: &[String], spell: impl FnOnce(&[String], &mut Vec<u8>)) -> &[u8] {
        self.0.entry((list.as_ptr().addr(), list.len())).or_insert_with(|| {
            let mut bytes = Vec::new();
            spell(list, &mut bytes);
            bytes
        })
    }
}

/// Writes `findings.csv`: the header of [`COLUMNS`], then one row a finding.
///
/// # Errors
/// What `out` reports.
pub fn write_csv(findings: &[Finding], mut out: impl Write + Send) -> Result<(), Fault> {
    out.write_all(&header(&COLUMNS))?;
    write_rows(findings, out, |portion, bytes| {
        let mut evidence = Vec::with_capacity(512);
        let mut lists = Spelt::default();
        for finding in portion {
            evidence.clear();
            json_evidence(&mut evidence, &finding.evidence)?;
            let before_evidence: [&str; 18] = [
                &finding.finding_id,
                &finding.check,
                &finding.control,
                severity_word(finding.severity),
                state_word(finding.state),
                &finding.subject_kind,
                &finding.subject,
                &finding.system,
                &finding.occurred_at,
                &finding.action,
                &finding.target,
                &finding.identity,
                &finding.identity_name,
                &finding.tier,
                &finding.executor,
                &finding.approver,
                &finding.ticket,
                &finding.because,
            ];
            let mut row = Row::begin(bytes);
            before_evidence.iter().for_each(|text| row.text(text));
            row.json(&evidence);
            row.spelt(lists.list(&finding.requirements, |list, cell| Row::begin(cell).text(&list.join(";"))));
            row.text(&finding.source_file);
            row.number(finding.source_record);
            row.text(&finding.waiver);
            row.end();
        }
        Ok(())
    })
}

/// Writes `findings.jsonl`: one compact JSON object a finding, members in the order of [`COLUMNS`].
///
/// Spelt here as serde would spell it, five times as fast: most of a line is what thousands of findings share.
///
/// # Errors
/// What `out` reports.
pub fn write_jsonl(findings: &[Finding], out: impl Write + Send) -> Result<(), Fault> {
    write_rows(findings, out, |portion, bytes| {
        let mut lists = Spelt::default();
        for finding in portion {
            // A member that is added to the model does not compile here until it is written.
            let Finding {
                finding_id,
                check,
                control,
                severity,
                state,
                subject_kind,
                subject,
                system,
                occurred_at,
                action,
                target,
                identity,
                identity_name,
                tier,
                executor,
                approver,
                ticket,
                because,
                evidence,
                requirements,
                source_file,
                source_record,
                waiver,
                contextual,
            } = finding;
            let texts: [(&[u8], &str); 18] = [
                (b"{\"finding_id\":", finding_id),
                (b",\"check\":", check),
                (b",\"control\":", control),
                (b",\"severity\":", severity_word(*severity)),
                (b",\"state\":", state_word(*state)),
                (b",\"subject_kind\":", subject_kind),
                (b",\"subject\":", subject),
                (b",\"system\":", system),
                (b",\"occurred_at\":", occurred_at),
                (b",\"action\":", action),
                (b",\"target\":", target),
                (b",\"identity\":", identity),
                (b",\"identity_name\":", identity_name),
                (b",\"tier\":", tier),
                (b",\"executor\":", executor),
                (b",\"approver\":", approver),
                (b",\"ticket\":", ticket),
                (b",\"because\":", because),
            ];
            for (member, text) in texts {
                bytes.extend_from_slice(member);
                json_text(bytes, text);
            }
            bytes.extend_from_slice(b",\"evidence\":");
            json_evidence(bytes, evidence)?;
            bytes.extend_from_slice(b",\"requirements\":");
            bytes.extend_from_slice(lists.list(requirements, |list, cell| json_texts(cell, list)));
            bytes.extend_from_slice(b",\"source_file\":");
            json_text(bytes, source_file);
            write!(bytes, ",\"source_record\":{source_record}")?;
            bytes.extend_from_slice(b",\"waiver\":");
            json_text(bytes, waiver);
            if !contextual.is_empty() {
                bytes.extend_from_slice(b",\"contextual\":");
                bytes.extend_from_slice(lists.list(contextual, |list, cell| json_texts(cell, list)));
            }
            bytes.extend_from_slice(b"}\n");
        }
        Ok(())
    })
}

/// The word for a severity in every machine-readable output.
pub(super) fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "high",
        Severity::Medium => "medium",
        Severity::Low => "low",
        Severity::Info => "info",
    }
}

fn state_word(state: State) -> &'static str {
    match state {
        State::Open => "open",
        State::Waived => "waived",
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::Value;
    use std::sync::Arc;

    use serde_json::json;
    use smol_str::SmolStr;

    use super::*;

    /// Text as an attacker would put it into a log.
    pub const HOSTILE: [&str; 12] = [
        "=HYPERLINK(\"http://evil\",\"x\")",
        "+1+1",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "a,b;\"c\"\r\nd\ne",
        "before\0after",
        "\u{202e}txt.exe",
        "<script>alert(1)</script>|[x](javascript:1)",
        "山田太郎",
        "",
    ];

    /// A finding that carries `text` wherever text can stand.
    pub fn finding(text: &str, number: u64) -> Finding {
        let t = || SmolStr::new(text);
        Finding {
            finding_id: t(),
            check: t(),
            control: t(),
            severity: Severity::High,
            state: State::Waived,
            subject_kind: t(),
            subject: t(),
            system: t(),
            occurred_at: t(),
            action: t(),
            target: t(),
            identity: t(),
            identity_name: t(),
            tier: t(),
            executor: t(),
            approver: t(),
            ticket: t(),
            because: t(),
            evidence: [("zeta", json!(text)), (text, Value::Null), ("alpha", json!(1.5))].into_iter().collect(),
            requirements: [text.to_owned(), "nist-csf:PR.AA-01".to_owned()].into(),
            source_file: t(),
            source_record: number,
            waiver: t(),
            contextual: Arc::default(),
        }
    }

    fn csv_of(findings: &[Finding]) -> Vec<u8> {
        let mut out = Vec::new();
        write_csv(findings, &mut out).expect("memory takes everything");
        out
    }

    /// What sentences and waivers may name is there under the same name in every finding, in the same order.
    #[test]
    fn what_a_waiver_may_name_is_a_column() {
        let named: Vec<&str> =
            COLUMNS.into_iter().filter(|column| crate::fact::FINDING_COLUMNS.contains(column)).collect();
        assert_eq!(named, crate::fact::FINDING_COLUMNS);
    }

    #[test]
    fn the_header_is_the_spec_s_and_the_model_s() {
        let out = csv_of(&[]);
        assert_eq!(
            String::from_utf8(out).expect("UTF-8"),
            "finding_id,check,control,severity,state,subject_kind,subject,system,occurred_at,action,target,identity,\
             identity_name,tier,executor,approver,ticket,because,evidence,requirements,source_file,source_record,waiver\n"
        );
        let model = serde_json::to_value(finding("x", 1)).expect("a finding is JSON");
        let members: Vec<&String> = model.as_object().expect("an object").keys().collect();
        assert_eq!(members, COLUMNS);
    }

    #[test]
    fn hostile_text_survives_the_round_trip_and_is_no_formula() {
        let findings: Vec<Finding> = HOSTILE.iter().zip(1..).map(|(text, number)| finding(text, number)).collect();
        let out = csv_of(&findings);
        let mut reader = csv::Reader::from_reader(out.as_slice());
        assert_eq!(reader.headers().expect("a header"), COLUMNS.as_slice());
        let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().expect("well-formed UTF-8 rows");
        assert_eq!(rows.len(), HOSTILE.len());
        for ((row, text), finding) in rows.iter().zip(HOSTILE).zip(&findings) {
            assert_eq!(row.len(), COLUMNS.len());
            for cell in row {
                assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell:?}");
                assert!(!cell.contains('\0'));
            }
            let expected = text.replace('\0', "\u{fffd}");
            for (column, cell) in COLUMNS.iter().zip(row) {
                match *column {
                    "severity" => assert_eq!(cell, "high"),
                    "state" => assert_eq!(cell, "waived"),
                    "source_record" => assert_eq!(cell, finding.source_record.to_string()),
                    "evidence" => {
                        let back: Evidence = serde_json::from_str(cell).expect("JSON");
                        assert_eq!(back, finding.evidence, "evidence keeps even NUL, as an escape");
                    }
                    "requirements" => assert!(cell.ends_with(";nist-csf:PR.AA-01")),
                    _ => assert_eq!(cell.strip_prefix('\'').unwrap_or(cell), expected),
                }
            }
        }
    }

    #[test]
    fn evidence_is_compact_with_sorted_keys() {
        let out = String::from_utf8(csv_of(&[finding("m", 7)])).expect("UTF-8");
        assert!(out.contains(r#""{""alpha"":1.5,""m"":null,""zeta"":""m""}""#), "{out}");
    }

    #[test]
    fn lines_are_one_object_each_and_exact() {
        let findings: Vec<Finding> = HOSTILE.iter().zip(1..).map(|(text, number)| finding(text, number)).collect();
        let mut out = Vec::new();
        write_jsonl(&findings, &mut out).expect("memory takes everything");
        let text = String::from_utf8(out).expect("UTF-8");
        assert!(text.ends_with('\n'));
        let lines: Vec<&str> = text.split_terminator('\n').collect();
        assert_eq!(lines.len(), findings.len());
        for (line, finding) in lines.iter().zip(&findings) {
            let back: Value = serde_json::from_str(line).expect("JSON");
            assert_eq!(back, serde_json::to_value(finding).expect("a finding is JSON"));
        }
    }

    #[test]
    fn a_line_is_spelt_as_serde_spells_it() {
        let every: String = (0_u8..=0x80).map(char::from).chain("\u{2028}\u{1f600}é".chars()).collect();
        let texts = HOSTILE.iter().copied().chain([every.as_str(), "\\", "\""]);
        let mut findings: Vec<Finding> = texts.zip(1..).map(|(text, number)| finding(text, number)).collect();
        let numbers = ["0", "-1", "1.5", "1e300", "9007199254740993", "123456789012345678901234567890"];
        let values = numbers.iter().map(|n| serde_json::from_str(n).expect("a number"));
        let more = [json!(true), json!(false), json!(-0.000_001), json!(["a\"", 1]), json!({"b": null})];
        findings[0].evidence = values.chain(more).enumerate().map(|(i, value)| (format!("{i}\n"), value)).collect();
        findings[0].contextual = ["a\"b".to_owned(), every.clone()].into();
        findings[1].state = State::Open;
        findings[1].severity = Severity::Info;
        findings[1].requirements = [].into();
        let (mut lines, mut expected) = (Vec::new(), Vec::new());
        write_jsonl(&findings, &mut lines).expect("memory takes everything");
        for finding in &findings {
            serde_json::to_writer(&mut expected, finding).expect("a finding is JSON");
            expected.push(b'\n');
        }
        assert_eq!(String::from_utf8(lines), String::from_utf8(expected));
    }

    #[test]
    fn bytes_do_not_depend_on_the_number_of_threads() {
        let findings: Vec<Finding> = (0..5000).map(|number| finding(HOSTILE[number % 12], number as u64)).collect();
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool of one");
        let many = rayon::ThreadPoolBuilder::new().num_threads(7).build().expect("a pool of seven");
        assert_eq!(alone.install(|| csv_of(&findings)), many.install(|| csv_of(&findings)));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_told_apart_from_bad_content() {
        let findings = vec![finding("x", 1); 3];
        let full = || std::fs::File::options().write(true).open("/dev/full").expect("a device");
        for result in [write_csv(&findings, full()), write_jsonl(&findings, full())] {
            let Err(Fault::Write(error)) = result else { unreachable!("a full disk cannot be written to") };
            assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
        }
    }
}
