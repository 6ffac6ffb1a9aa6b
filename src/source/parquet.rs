//! Parquet as JSON lines: one object a row, nested groups and lists as they are.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use parquet::basic::{LogicalType, TimeUnit};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use parquet::schema::types::Type;
use serde_json::{Map, Value};

use super::pump::broken_line;
use crate::time;

/// What a file begins and ends with.
pub(super) const MAGIC: &[u8] = b"PAR1";

/// Writes one JSON line a row.
pub(super) fn to_lines(path: &Path, to: &mut dyn Write) -> io::Result<()> {
    let damaged = |error: parquet::errors::ParquetError| {
        io::Error::new(io::ErrorKind::InvalidData, format!("the Parquet file is damaged: {error}"))
    };
    let reader = SerializedFileReader::new(File::open(path)?).map_err(damaged)?;
    let schema = reader.metadata().file_metadata().schema();
    for row in reader.get_row_iter(None).map_err(damaged)? {
        match row {
            Ok(row) => writeln!(to, "{}", group(&row, Some(schema)))?,
            // Behind a damaged page nothing can be found again.
            Err(error) => {
                broken_line(to, &format!("a row of the Parquet file: {error}"))?;
                return Err(damaged(error));
            }
        }
    }
    Ok(())
}

/// The columns of a row of that type, where it is known.
fn group(row: &Row, of: Option<&Type>) -> Value {
    let types = of.filter(|of| of.is_group()).map_or(&[][..], Type::get_fields);
    let columns = row.get_column_iter().enumerate().map(|(i, (name, field))| {
        let of = types.get(i).filter(|of| of.name() == name).map(|of| &**of);
        (name.clone(), value(field, of))
    });
    Value::Object(columns.collect::<Map<_, _>>())
}

/// An instant as its column's type means it: finer than microseconds is cut, and where the type knows no zone the input's counts. The
/// crate's rows know neither. Null for what is no instant.
fn instant(field: &Field, of: Option<&Type>) -> Option<Value> {
    let Some(LogicalType::Timestamp(stamp)) = of?.get_basic_info().logical_type_ref() else { return None };
    let us = match (field, stamp.unit) {
        (Field::Long(ms) | Field::TimestampMillis(ms), TimeUnit::MILLIS) => ms.saturating_mul(1_000),
        (Field::Long(us) | Field::TimestampMicros(us), TimeUnit::MICROS) => *us,
        (Field::Long(ns), TimeUnit::NANOS) => ns.div_euclid(1_000),
        _ => return None,
    };
    let mut text = time::format_instant(us);
    if !stamp.is_adjusted_to_u_t_c {
        text.pop();
    }
    Some(Value::from(text))
}

fn value(field: &Field, of: Option<&Type>) -> Value {
    if let Some(instant) = instant(field, of) {
        return instant;
    }
    match field {
        Field::Null => Value::Null,
        Field::Bool(truth) => Value::from(*truth),
        Field::Byte(n) => Value::from(*n),
        Field::Short(n) => Value::from(*n),
        Field::Int(n) => Value::from(*n),
        Field::Long(n) => Value::from(*n),
        Field::UByte(n) => Value::from(*n),
        Field::UShort(n) => Value::from(*n),
        Field::UInt(n) => Value::from(*n),
        Field::ULong(n) => Value::from(*n),
        Field::Float16(n) => Value::from(f64::from(*n)),
        Field::Float(n) => Value::from(f64::from(*n)),
        Field::Double(n) => Value::from(*n),
        Field::Str(text) => Value::from(text.as_str()),
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => Value::from(text),
            Err(_) => Value::from(hex::encode(bytes.data())),
        },
        Field::Date(days) => {
            let text = time::format_instant(i64::from(*days).saturating_mul(time::DAY));
            Value::from(text.chars().take(10).collect::<String>())
        }
        Field::TimestampMillis(ms) => Value::from(time::format_instant(ms.saturating_mul(1_000))),
        Field::TimestampMicros(us) => Value::from(time::format_instant(*us)),
        Field::Group(row) => group(row, of),
        Field::ListInternal(list) => Value::Array(list.elements().iter().map(|field| value(field, None)).collect()),
        Field::MapInternal(map) => {
            let key = |field: &Field| match value(field, None) {
                Value::String(text) => text,
                other => other.to_string(),
            };
            Value::Object(map.entries().iter().map(|(name, field)| (key(name), value(field, None))).collect())
        }
        other @ (Field::Decimal(_) | Field::TimeMillis(_) | Field::TimeMicros(_)) => Value::from(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::column::writer::ColumnWriter;
    use parquet::data_type::ByteArray;
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;
    use std::sync::Arc;

    /// A file of two rows: a text, an instant, one of them null.
    pub(crate) fn sample(path: &Path) {
        let schema = "message s { REQUIRED BYTE_ARRAY person_id (UTF8); OPTIONAL INT64 at (TIMESTAMP(MICROS,true)); }";
        let schema = Arc::new(parse_message_type(schema).expect("a schema"));
        let file = File::create(path).expect("a file");
        let mut writer =
            SerializedFileWriter::new(file, schema, Arc::new(WriterProperties::builder().build())).expect("a writer");
        let mut rows = writer.next_row_group().expect("a group");
        while let Some(mut column) = rows.next_column().expect("a column") {
            match column.untyped() {
                ColumnWriter::ByteArrayColumnWriter(typed) => {
                    typed.write_batch(&[ByteArray::from("p1"), ByteArray::from("p2")], None, None).expect("written");
                }
                ColumnWriter::Int64ColumnWriter(typed) => {
                    typed.write_batch(&[1_614_719_904_000_000], Some(&[1, 0]), None).expect("written");
                }
                _ => unreachable!("the schema has two columns"),
            }
            column.close().expect("closed");
        }
        rows.close().expect("closed");
        writer.close().expect("closed");
    }

    #[test]
    fn instants_of_every_unit_with_and_without_a_zone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.parquet");
        let columns = [
            ("MILLIS,true", 1_614_719_904_123, "2021-03-02T21:18:24.123Z"),
            ("MILLIS,false", 1_614_719_904_000, "2021-03-02T21:18:24"),
            ("MICROS,true", 1_614_719_904_123_456, "2021-03-02T21:18:24.123456Z"),
            ("MICROS,false", -1, "1969-12-31T23:59:59.999999"),
            // As pandas writes them.
            ("NANOS,true", 1_614_719_904_123_456_789, "2021-03-02T21:18:24.123456Z"),
            ("NANOS,false", 1_614_719_904_000_000_000, "2021-03-02T21:18:24"),
            ("", 7, "7"),
        ];
        let column = |(i, (ty, ..)): (usize, &(&str, i64, &str))| match *ty {
            "" => format!("OPTIONAL INT64 c{i};"),
            ty => format!("OPTIONAL INT64 c{i} (TIMESTAMP({ty}));"),
        };
        let schema = format!("message s {{ {} }}", columns.iter().enumerate().map(column).collect::<String>());
        let schema = Arc::new(parse_message_type(&schema).expect("a schema"));
        let file = File::create(&path).expect("a file");
        let mut writer = SerializedFileWriter::new(file, schema, Arc::default()).expect("a writer");
        let mut rows = writer.next_row_group().expect("a group");
        for (_, n, _) in columns {
            let mut column = rows.next_column().expect("a column").expect("one for each");
            let ColumnWriter::Int64ColumnWriter(typed) = column.untyped() else { unreachable!("they are numbers") };
            typed.write_batch(&[n], Some(&[1, 0]), None).expect("written");
            column.close().expect("closed");
        }
        rows.close().expect("closed");
        writer.close().expect("closed");
        let mut out = Vec::new();
        to_lines(&path, &mut out).expect("reads");
        let lines: Vec<Value> =
            String::from_utf8(out).expect("text").lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
        for (i, (ty, n, text)) in columns.into_iter().enumerate() {
            let expected = if ty.is_empty() { Value::from(n) } else { Value::from(text) };
            assert_eq!(lines[0][format!("c{i}")], expected, "{ty}");
            assert_eq!(lines[1][format!("c{i}")], Value::Null, "{ty}");
        }
    }

    #[test]
    fn rows_become_lines_and_damage_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.parquet");
        sample(&path);
        let mut out = Vec::new();
        to_lines(&path, &mut out).expect("reads");
        let text = String::from_utf8(out).expect("text");
        assert_eq!(
            text,
            "{\"person_id\":\"p1\",\"at\":\"2021-03-02T21:18:24Z\"}\n{\"person_id\":\"p2\",\"at\":null}\n"
        );
        let bytes = std::fs::read(&path).expect("reads");
        let mut state = 3_u64;
        for _ in 0..200 {
            let mut broken = bytes.clone();
            for _ in 0..6 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let at = (state >> 33) as usize % broken.len();
                broken[at] = (state >> 17) as u8;
            }
            std::fs::write(&path, &broken).expect("written");
            let _ = std::panic::catch_unwind(|| to_lines(&path, &mut Vec::new()));
        }
    }
}
