//! `findings.parquet`: the columns of `findings.csv` with types, for warehouses and notebooks.
//!
//! `occurred_at` is a timestamp, `requirements` a list, `evidence` JSON; what is empty because it is not known is null.
//! Text is exactly as in the source. Written with the column writer of the `parquet` crate, without Arrow: a few columns
//! of text need no second in-memory format.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;

use super::Fault;
use super::findings::COLUMNS;
use super::reference::micros;
use crate::report::model::{Finding, State};

/// Rows of one group: enough for compression to pay, few enough to hold in memory.
const ROWS_PER_GROUP: usize = 65_536;

/// Writes one file.
///
/// # Errors
/// What `out` reports.
pub fn write(version: &str, findings: &[Finding], mut out: impl Write) -> Result<(), Fault> {
    let properties = WriterProperties::builder()
        .set_created_by(format!("regrant version {version}"))
        .set_compression(Compression::SNAPPY)
        .build();
    // Into memory, compressed: the writer wants to hand columns to other threads, which our files are not made for.
    let mut writer = SerializedFileWriter::new(Vec::new(), schema()?, Arc::new(properties))?;
    for group in findings.chunks(ROWS_PER_GROUP) {
        let mut rows = writer.next_row_group()?;
        for column in COLUMNS {
            write_column(&mut rows, column, group)?;
        }
        rows.close()?;
    }
    Ok(out.write_all(&writer.into_inner()?)?)
}

impl From<ParquetError> for Fault {
    fn from(error: ParquetError) -> Fault {
        Fault::Content(error.to_string())
    }
}

/// What a column holds.
enum Cells {
    /// Text that is always there.
    Text(fn(&Finding) -> &str),
    /// Text that is empty where it is not known.
    Known(fn(&Finding) -> &str),
    /// An instant, or null.
    Instant(fn(&Finding) -> &str),
    Number(fn(&Finding) -> u64),
    Json(fn(&Finding) -> Result<String, serde_json::Error>),
    List(fn(&Finding) -> &[String]),
}

fn cells(column: &str) -> Cells {
    match column {
        "finding_id" => Cells::Text(|f| &f.finding_id),
        "check" => Cells::Text(|f| &f.check),
        "control" => Cells::Text(|f| &f.control),
        "severity" => Cells::Text(|f| f.severity.as_str()),
        "state" => Cells::Text(|f| match f.state {
            State::Open => "open",
            State::Waived => "waived",
        }),
        "subject_kind" => Cells::Text(|f| &f.subject_kind),
        "subject" => Cells::Text(|f| &f.subject),
        "system" => Cells::Text(|f| &f.system),
        "occurred_at" => Cells::Instant(|f| &f.occurred_at),
        "action" => Cells::Known(|f| &f.action),
        "target" => Cells::Text(|f| &f.target),
        "identity" => Cells::Known(|f| &f.identity),
        "identity_name" => Cells::Known(|f| &f.identity_name),
        "tier" => Cells::Known(|f| &f.tier),
        "executor" => Cells::Known(|f| &f.executor),
        "approver" => Cells::Known(|f| &f.approver),
        "ticket" => Cells::Known(|f| &f.ticket),
        "because" => Cells::Text(|f| &f.because),
        "evidence" => Cells::Json(|f| serde_json::to_string(&f.evidence)),
        "requirements" => Cells::List(|f| &f.requirements),
        "source_file" => Cells::Text(|f| &f.source_file),
        "source_record" => Cells::Number(|f| f.source_record),
        // `waiver`, the last of COLUMNS; the test below walks them all.
        _ => Cells::Known(|f| &f.waiver),
    }
}

fn schema() -> Result<Arc<Type>, ParquetError> {
    let fields = COLUMNS.into_iter().map(|column| {
        let text = |repetition: Repetition, logical: LogicalType| {
            Type::primitive_type_builder(column, Physical::BYTE_ARRAY)
                .with_repetition(repetition)
                .with_logical_type(Some(logical))
                .build()
        };
        let number =
            |repetition: Repetition| Type::primitive_type_builder(column, Physical::INT64).with_repetition(repetition);
        let field = match cells(column) {
            Cells::Text(_) => text(Repetition::REQUIRED, LogicalType::String),
            Cells::Known(_) => text(Repetition::OPTIONAL, LogicalType::String),
            Cells::Json(_) => text(Repetition::REQUIRED, LogicalType::Json),
            Cells::Number(_) => number(Repetition::REQUIRED).build(),
            Cells::Instant(_) => number(Repetition::OPTIONAL)
                .with_logical_type(Some(LogicalType::timestamp(true, TimeUnit::MICROS)))
                .build(),
            Cells::List(_) => list(column),
        }?;
        Ok(Arc::new(field))
    });
    let fields = fields.collect::<Result<Vec<_>, ParquetError>>()?;
    Ok(Arc::new(Type::group_type_builder("finding").with_fields(fields).build()?))
}

/// The three levels that the format prescribes for lists.
fn list(column: &str) -> Result<Type, ParquetError> {
    let element = Type::primitive_type_builder("element", Physical::BYTE_ARRAY)
        .with_repetition(Repetition::REQUIRED)
        .with_logical_type(Some(LogicalType::String))
        .build()?;
    let repeated = Type::group_type_builder("list")
        .with_repetition(Repetition::REPEATED)
        .with_fields(vec![Arc::new(element)])
        .build()?;
    Type::group_type_builder(column)
        .with_repetition(Repetition::REQUIRED)
        .with_logical_type(Some(LogicalType::List))
        .with_fields(vec![Arc::new(repeated)])
        .build()
}

fn write_column<W: Write + Send>(
    rows: &mut SerializedRowGroupWriter<'_, W>,
    column: &str,
    findings: &[Finding],
) -> Result<(), Fault> {
    let Some(mut writer) = rows.next_column()? else {
        return Err(Fault::Content(format!("the schema has no column {column}")));
    };
    let bytes = |text: &str| ByteArray::from(text.as_bytes().to_vec());
    match cells(column) {
        Cells::Text(text) => {
            let values: Vec<ByteArray> = findings.iter().map(|f| bytes(text(f))).collect();
            writer.typed::<ByteArrayType>().write_batch(&values, None, None)?;
        }
        Cells::Known(text) => {
            let there: Vec<i16> = findings.iter().map(|f| i16::from(!text(f).is_empty())).collect();
            let values: Vec<ByteArray> = findings.iter().map(text).filter(|text| !text.is_empty()).map(bytes).collect();
            writer.typed::<ByteArrayType>().write_batch(&values, Some(&there), None)?;
        }
        Cells::Instant(text) => {
            let instants: Vec<Option<i64>> = findings.iter().map(|f| micros(text(f))).collect();
            let there: Vec<i16> = instants.iter().map(|at| i16::from(at.is_some())).collect();
            let values: Vec<i64> = instants.into_iter().flatten().collect();
            writer.typed::<Int64Type>().write_batch(&values, Some(&there), None)?;
        }
        Cells::Number(number) => {
            let values: Vec<i64> = findings.iter().map(|f| i64::try_from(number(f)).unwrap_or(i64::MAX)).collect();
            writer.typed::<Int64Type>().write_batch(&values, None, None)?;
        }
        Cells::Json(json) => {
            let values = findings.iter().map(|f| Ok(bytes(&json(f)?))).collect::<Result<Vec<ByteArray>, Fault>>()?;
            writer.typed::<ByteArrayType>().write_batch(&values, None, None)?;
        }
        Cells::List(list) => {
            let (mut values, mut there, mut again) = (Vec::new(), Vec::new(), Vec::new());
            for finding in findings {
                let items = list(finding);
                if items.is_empty() {
                    there.push(0);
                    again.push(0);
                }
                for (at, item) in items.iter().enumerate() {
                    values.push(bytes(item));
                    there.push(1);
                    again.push(i16::from(at > 0));
                }
            }
            writer.typed::<ByteArrayType>().write_batch(&values, Some(&there), Some(&again))?;
        }
    }
    Ok(writer.close()?)
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::{Field, RowAccessor};

    use super::super::findings::tests::{HOSTILE, finding};
    use super::*;

    fn bytes_of(findings: &[Finding]) -> Vec<u8> {
        let mut out = Vec::new();
        write("0.0.0", findings, &mut out).expect("memory takes everything");
        out
    }

    fn reader_of(findings: &[Finding]) -> SerializedFileReader<std::fs::File> {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(&bytes_of(findings)).expect("it takes everything");
        SerializedFileReader::new(file).expect("a file of Parquet")
    }

    fn told(field: &Field) -> String {
        match field {
            Field::Str(text) => text.clone(),
            Field::Null => String::new(),
            Field::Long(number) => number.to_string(),
            Field::ListInternal(list) => list.elements().iter().map(told).collect::<Vec<_>>().join(";"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn hostile_text_reads_back_as_it_was() {
        let mut findings: Vec<Finding> = HOSTILE.iter().zip(1..).map(|(text, number)| finding(text, number)).collect();
        findings[3].occurred_at = "2026-08-12T13:05:00.25Z".into();
        findings[4].requirements = std::sync::Arc::default();
        let reader = reader_of(&findings);
        let schema = reader.metadata().file_metadata().schema();
        let names: Vec<&str> = schema.get_fields().iter().map(|field| field.name()).collect();
        assert_eq!(names, COLUMNS);
        let rows: Vec<_> = reader.get_row_iter(None).expect("rows").map(|row| row.expect("a row")).collect();
        assert_eq!(rows.len(), findings.len());
        for (row, finding) in rows.iter().zip(&findings) {
            let model = serde_json::to_value(finding).expect("a finding is JSON");
            for (column, (name, field)) in COLUMNS.iter().zip(row.get_column_iter()) {
                assert_eq!(column, name);
                match *column {
                    "occurred_at" => {
                        let at = micros(&finding.occurred_at);
                        assert_eq!(matches!(field, Field::Null), at.is_none());
                        if at.is_some() {
                            let place = COLUMNS.iter().position(|one| *one == "occurred_at").expect("it is one");
                            assert_eq!(row.get_timestamp_micros(place).ok(), at);
                        }
                    }
                    "evidence" => {
                        let back: serde_json::Value = serde_json::from_str(&told(field)).expect("JSON");
                        assert_eq!(back, model["evidence"]);
                    }
                    "requirements" => assert_eq!(told(field), finding.requirements.join(";")),
                    "source_record" => assert_eq!(told(field), finding.source_record.to_string()),
                    _ => assert_eq!(told(field), model[*column].as_str().expect("text"), "{column}"),
                }
            }
        }
    }

    #[test]
    fn the_bytes_are_the_same_again_and_no_findings_are_a_file_too() {
        let findings: Vec<Finding> = (0..3000).map(|number| finding(HOSTILE[number % 12], number as u64)).collect();
        assert_eq!(bytes_of(&findings), bytes_of(&findings));
        let reader = reader_of(&[]);
        assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
    }
}
