//! `subjects.jsonl.zst`: facts, verdicts and sources of every subject, one JSON object a line, compressed.

use std::io::Write;

use super::Fault;
use super::findings::write_json_lines;
use crate::report::model::Subject;

/// Zstandard's own default: beyond it this text shrinks little and takes long.
const LEVEL: i32 = 3;

/// Writes one frame with a checksum, on one thread of the compressor, so that the bytes are the same on every machine.
///
/// # Errors
/// What `out` or the compressor reports.
pub fn write_zst(subjects: &[Subject], out: impl Write + Send) -> Result<(), Fault> {
    let mut frame = zstd::Encoder::new(out, LEVEL)?;
    frame.include_checksum(true)?;
    write_json_lines(subjects, &mut frame)?;
    frame.finish()?.flush()?;
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;

    pub fn subjects(count: u64) -> Vec<Subject> {
        (0..count)
            .map(|number| Subject {
                subject_kind: "reset".to_owned(),
                subject: format!("evt-{number}"),
                system: "okta".to_owned(),
                occurred_at: "2026-08-12T13:05:00Z".to_owned(),
                target: "\u{202e}jane\0".to_owned(),
                identity: String::new(),
                facts: BTreeMap::from([("tier".to_owned(), Value::Null), ("inactive_days".to_owned(), json!(number))]),
                verdicts: BTreeMap::from([("late-approval".to_owned(), "indeterminate".to_owned())]),
                sources: BTreeMap::from([("event".to_owned(), format!("okta.json:{number}"))]),
            })
            .collect()
    }

    fn bytes_of(subjects: &[Subject]) -> Vec<u8> {
        let mut out = Vec::new();
        write_zst(subjects, &mut out).expect("memory takes everything");
        out
    }

    #[test]
    fn every_subject_comes_back() {
        let subjects = subjects(3000);
        let text = zstd::decode_all(bytes_of(&subjects).as_slice()).expect("a whole frame");
        let back: Vec<Value> = String::from_utf8(text)
            .expect("UTF-8")
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        let expected: Vec<Value> =
            subjects.iter().map(|subject| serde_json::to_value(subject).expect("a subject is JSON")).collect();
        assert_eq!(back, expected);
    }

    #[test]
    fn bytes_do_not_depend_on_the_number_of_threads() {
        let subjects = subjects(40_000);
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool of one");
        let many = rayon::ThreadPoolBuilder::new().num_threads(5).build().expect("a pool of five");
        assert_eq!(alone.install(|| bytes_of(&subjects)), many.install(|| bytes_of(&subjects)));
    }
}
