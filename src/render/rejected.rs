//! `rejected.csv`: every rejected record, in the order given, guarded like `findings.csv`.

use std::io::Write;

use super::Fault;
use super::findings::{Row, header, write_rows};
use crate::report::model::Rejected;

/// The columns of `rejected.csv`, in order.
pub const COLUMNS: [&str; 4] = ["file", "record", "reason", "excerpt"];

/// Writes the header of [`COLUMNS`], then one row a rejected record.
///
/// # Errors
/// What `out` reports.
pub fn write_csv(rejected: &[Rejected], mut out: impl Write + Send) -> Result<(), Fault> {
    out.write_all(&header(&COLUMNS))?;
    write_rows(rejected, out, |portion, bytes| {
        for rejection in portion {
            let mut row = Row::begin(bytes);
            row.text(&rejection.file);
            row.number(rejection.record);
            row.text(&rejection.reason);
            row.text(&rejection.excerpt);
            row.end();
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::super::findings::tests::HOSTILE;
    use super::*;

    #[test]
    fn hostile_excerpts_are_guarded_and_survive() {
        let rejected: Vec<Rejected> = HOSTILE
            .iter()
            .zip(1..)
            .map(|(text, record)| Rejected {
                file: (*text).to_owned(),
                record,
                reason: (*text).to_owned(),
                excerpt: (*text).to_owned(),
            })
            .collect();
        let mut out = Vec::new();
        write_csv(&rejected, &mut out).expect("memory takes everything");
        assert!(out.starts_with(b"file,record,reason,excerpt\n"));
        let mut reader = csv::Reader::from_reader(out.as_slice());
        let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().expect("well-formed UTF-8 rows");
        assert_eq!(rows.len(), rejected.len());
        for (row, one) in rows.iter().zip(&rejected) {
            assert!(row.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t', '\r'])));
            assert_eq!(row[1], one.record.to_string());
            assert_eq!(row[3].strip_prefix('\'').unwrap_or(&row[3]), one.excerpt.replace('\0', "\u{fffd}"));
        }
    }

    #[test]
    fn without_rejections_there_is_still_a_header() {
        let mut out = Vec::new();
        write_csv(&[], &mut out).expect("memory takes everything");
        assert_eq!(out, b"file,record,reason,excerpt\n");
    }

    proptest::proptest! {
        #[test]
        fn any_text_reads_back_by_another_reader(file in ".*", reason in "[=+@',\"\r\n\t x-]*", excerpt in "\\PC*") {
            let one = Rejected { file, record: u64::MAX, reason, excerpt };
            let mut out = Vec::new();
            write_csv(std::slice::from_ref(&one), &mut out).expect("memory takes everything");
            let rows: Vec<csv::StringRecord> =
                csv::Reader::from_reader(out.as_slice()).records().collect::<Result<_, _>>().expect("well-formed");
            let told = |text: &str| {
                let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
                format!("{}{text}", if formula { "'" } else { "" }).replace('\0', "\u{fffd}")
            };
            let expected = [told(&one.file), u64::MAX.to_string(), told(&one.reason), told(&one.excerpt)];
            proptest::prop_assert_eq!(rows.len(), 1);
            proptest::prop_assert_eq!(rows[0].iter().collect::<Vec<_>>(), expected);
        }
    }
}
