//! `facts.parquet`: one row a subject, with its facts, what it is, and what the facts rest on.
//!
//! Row groups are computed and encoded in parallel and appended in order, a few at a time: neither threads nor the size of
//! the inputs show in the bytes, and no more than those few are in memory. Written with the column writers of the `parquet`
//! crate, without Arrow.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::column::writer::{ColumnCloseResult, ColumnWriter, get_column_writer};
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedPageWriter, TrackedWrite};
use parquet::schema::types::{SchemaDescriptor, Type};
use rayon::prelude::*;

use super::basis::BASES;
use crate::check::SubjectKind;
use crate::check::predicate::Kind;
use crate::fact::{
    CredentialCompute, CredentialSubject, Fact, ResetCompute, ResetSubject, Unit, World, credential_fact,
    credential_facts, record, reset, reset_fact, reset_facts,
};
use crate::table::{credential, event};

/// Rows of one group: enough for engines to work with, few enough to hold some of them in memory.
pub const ROWS_PER_GROUP: usize = 32_768;

/// What a column of the table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// True or false.
    Bool,
    /// A double.
    Number,
    /// A whole number.
    Whole,
    /// Text.
    Text,
    /// An instant: microseconds UTC.
    Instant,
}

/// One column.
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub holds: Holds,
    /// Unit of a number.
    pub unit: Unit,
    /// What it is; for a fact of both kinds of subjects that of a reset.
    pub doc: &'static str,
    /// When it is null; `never` where the file says that it cannot be.
    pub null: &'static str,
    source: Source,
}

enum Source {
    Run(Run),
    Own(Own),
    Fact(Option<&'static Fact<ResetCompute>>, Option<&'static Fact<CredentialCompute>>),
    Seen,
    Sure,
    Basis(usize),
}

/// What is the same for every row of a run.
#[derive(Clone, Copy)]
enum Run {
    AsOf,
    Since,
    Until,
    Version,
    Kind,
}

/// What identifies a subject, beside its facts.
#[derive(Clone, Copy)]
enum Own {
    Subject,
    OccurredAt,
    Target,
    Identity,
    IdentityName,
    Executor,
    Approver,
    Ticket,
    SourceFile,
    SourceRecord,
}

/// Columns beside facts and bases, in their order.
const FIXED: [(&str, Holds, &str, &str, Source); 15] = [
    ("as_of", Holds::Instant, "up to when the data of the run was taken as known", "never", Source::Run(Run::AsOf)),
    ("since", Holds::Instant, "where the run's period begins", "no begin was given", Source::Run(Run::Since)),
    ("until", Holds::Instant, "where it ends, exclusive", "no end was given", Source::Run(Run::Until)),
    ("regrant_version", Holds::Text, "the version that computed the facts", "never", Source::Run(Run::Version)),
    ("subject_kind", Holds::Text, "reset or credential", "never", Source::Run(Run::Kind)),
    ("subject", Holds::Text, "the event_id or credential_id", "never", Source::Own(Own::Subject)),
    ("occurred_at", Holds::Instant, "when it was executed", "credentials", Source::Own(Own::OccurredAt)),
    (
        "target",
        Holds::Text,
        "who got the access or holds the credential, as in the source",
        "empty",
        Source::Own(Own::Target),
    ),
    ("identity", Holds::Text, "its person or workload id", "unresolved", Source::Own(Own::Identity)),
    ("identity_name", Holds::Text, "its display name", "unresolved, or none given", Source::Own(Own::IdentityName)),
    ("executor", Holds::Text, "who carried it out, as in the source", "credentials; empty", Source::Own(Own::Executor)),
    (
        "approver",
        Holds::Text,
        "the approver that counts, from the event or its ticket",
        "none",
        Source::Own(Own::Approver),
    ),
    ("ticket", Holds::Text, "the ticket that counts", "none", Source::Own(Own::Ticket)),
    ("source_file", Holds::Text, "the input", "never", Source::Own(Own::SourceFile)),
    ("source_record", Holds::Whole, "the number of its record there, from 1", "never", Source::Own(Own::SourceRecord)),
];

/// The two columns that make `days_inactive` under any `:dormant_days`.
const INACTIVE: [(&str, &str, &str, Source); 2] = [
    (
        "days_inactive_seen",
        "time from the target's latest activity that is seen, even if a later snapshot may hide some",
        "credentials; unresolved; no activity known",
        Source::Seen,
    ),
    (
        "days_inactive_sure",
        "the largest dormant_days under which days_inactive_seen is sure although it is exceeded",
        "no later snapshot hides activity: under any",
        Source::Sure,
    ),
];

fn holds(kind: Kind) -> Holds {
    match kind {
        Kind::Bool => Holds::Bool,
        Kind::Number => Holds::Number,
        Kind::Text => Holds::Text,
    }
}

/// Every column, in the order of the file: what identifies a subject, its facts, what they rest on.
pub fn columns() -> Vec<Column> {
    let fixed = FIXED.into_iter().map(|(name, holds, doc, null, source)| Column {
        name,
        holds,
        unit: Unit::None,
        doc,
        null,
        source,
    });
    let resets = reset_facts().map(|fact| Column {
        name: fact.name,
        holds: holds(fact.kind()),
        unit: fact.unit,
        doc: fact.doc,
        null: fact.null,
        source: Source::Fact(Some(fact), credential_fact(fact.name)),
    });
    let credentials = credential_facts().filter(|fact| reset_fact(fact.name).is_none()).map(|fact| Column {
        name: fact.name,
        holds: holds(fact.kind()),
        unit: fact.unit,
        doc: fact.doc,
        null: fact.null,
        source: Source::Fact(None, Some(fact)),
    });
    let inactive = INACTIVE.into_iter().map(|(name, doc, null, source)| Column {
        name,
        holds: Holds::Number,
        unit: Unit::Days,
        doc,
        null,
        source,
    });
    let bases = BASES.iter().enumerate().map(|(place, basis)| Column {
        name: basis.column,
        holds: Holds::Text,
        unit: Unit::None,
        doc: basis.doc,
        null: "never",
        source: Source::Basis(place),
    });
    fixed.chain(resets).chain(credentials).chain(inactive).chain(bases).collect()
}

impl Column {
    /// Facts are null for subjects of the other kind, so only the others can be required.
    fn required(&self) -> bool {
        self.null == "never" && !matches!(self.source, Source::Fact(..))
    }

    fn schema(&self) -> Result<Type, ParquetError> {
        let (physical, logical) = match self.holds {
            Holds::Bool => (Physical::BOOLEAN, None),
            Holds::Number => (Physical::DOUBLE, None),
            Holds::Whole => (Physical::INT64, None),
            Holds::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Holds::Instant => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
        };
        let repetition = if self.required() { Repetition::REQUIRED } else { Repetition::OPTIONAL };
        Type::primitive_type_builder(self.name, physical).with_repetition(repetition).with_logical_type(logical).build()
    }
}

/// Values of one column for one group; null where there is none.
enum Values {
    Bool(Vec<Option<bool>>),
    Number(Vec<Option<f64>>),
    Whole(Vec<Option<i64>>),
    Text(Vec<Option<ByteArray>>),
    Same(Option<ByteArray>),
    SameWhole(Option<i64>),
    Null,
}

/// Subjects of one group.
enum Group<'w> {
    Resets(Vec<ResetSubject<'w>>),
    Credentials(Vec<CredentialSubject<'w>>),
}

fn bytes_of(text: &str) -> ByteArray {
    ByteArray::from(text.as_bytes().to_vec())
}

/// Text that is empty where it is not known.
fn known(text: &str) -> Option<ByteArray> {
    (!text.is_empty()).then(|| bytes_of(text))
}

macro_rules! fact_values {
    ($fact:expr, $subjects:expr, $compute:ident) => {
        match &$fact.compute {
            $compute::Bool(f) => Values::Bool($subjects.iter().map(|s| f(s)).collect()),
            $compute::Number(f) => Values::Number($subjects.iter().map(|s| f(s)).collect()),
            $compute::Text(f) => Values::Text($subjects.iter().map(|s| f(s).map(bytes_of)).collect()),
        }
    };
}

impl Group<'_> {
    fn len(&self) -> usize {
        match self {
            Group::Resets(all) => all.len(),
            Group::Credentials(all) => all.len(),
        }
    }

    fn kind(&self) -> SubjectKind {
        match self {
            Group::Resets(_) => SubjectKind::Reset,
            Group::Credentials(_) => SubjectKind::Credential,
        }
    }

    fn own(&self, world: &World<'_>, own: Own) -> Values {
        let texts = &world.settled.texts;
        let identity = |id: Option<u32>| id.map(|id| &world.register.identities[id as usize]);
        let file = |place: u32| Some(bytes_of(&world.settled.inputs[place as usize].path));
        match self {
            Group::Resets(all) => {
                let events = &world.settled.events;
                let text = |column: usize| {
                    Values::Text(all.iter().map(|s| known(&texts.get(events.text(column, s.row)))).collect())
                };
                match own {
                    Own::Subject => {
                        let id = |s: &ResetSubject<'_>| Some(bytes_of(&texts.get(events.text(event::EVENT_ID, s.row))));
                        Values::Text(all.iter().map(id).collect())
                    }
                    Own::OccurredAt => Values::Whole(all.iter().map(|s| Some(s.at)).collect()),
                    Own::Target => text(event::TARGET),
                    Own::Identity => Values::Text(
                        all.iter().map(|s| identity(s.identity).and_then(|one| known(&texts.get(one.id)))).collect(),
                    ),
                    Own::IdentityName => Values::Text(
                        all.iter().map(|s| identity(s.identity).and_then(|one| known(&texts.get(one.name)))).collect(),
                    ),
                    Own::Executor => text(event::EXECUTOR),
                    Own::Approver => {
                        Values::Text(all.iter().map(|s| known(&texts.get(record::approver(s).0))).collect())
                    }
                    Own::Ticket => {
                        Values::Text(all.iter().map(|s| known(&texts.get(record::ticket_text(s)))).collect())
                    }
                    Own::SourceFile => Values::Text(all.iter().map(|s| file(events.file(s.row))).collect()),
                    Own::SourceRecord => {
                        Values::Whole(all.iter().map(|s| Some(i64::from(events.record(s.row)))).collect())
                    }
                }
            }
            Group::Credentials(all) => {
                let rows = &world.settled.credentials;
                match own {
                    Own::Subject => {
                        let id = |s: &CredentialSubject<'_>| {
                            Some(bytes_of(&texts.get(rows.text(credential::CREDENTIAL_ID, s.row))))
                        };
                        Values::Text(all.iter().map(id).collect())
                    }
                    Own::Target => Values::Text(
                        all.iter().map(|s| known(&texts.get(rows.text(credential::IDENTITY, s.row)))).collect(),
                    ),
                    Own::Identity => Values::Text(
                        all.iter().map(|s| identity(s.identity).and_then(|one| known(&texts.get(one.id)))).collect(),
                    ),
                    Own::IdentityName => Values::Text(
                        all.iter().map(|s| identity(s.identity).and_then(|one| known(&texts.get(one.name)))).collect(),
                    ),
                    Own::SourceFile => Values::Text(all.iter().map(|s| file(rows.file(s.row))).collect()),
                    Own::SourceRecord => {
                        Values::Whole(all.iter().map(|s| Some(i64::from(rows.record(s.row)))).collect())
                    }
                    Own::OccurredAt | Own::Executor | Own::Approver | Own::Ticket => Values::Null,
                }
            }
        }
    }

    fn values(&self, world: &World<'_>, version: &str, column: &Column) -> Values {
        match (&column.source, self) {
            (Source::Run(run), _) => match run {
                Run::AsOf => Values::SameWhole(Some(world.as_of)),
                Run::Since => Values::SameWhole(world.config.since),
                Run::Until => Values::SameWhole(world.config.until),
                Run::Version => Values::Same(Some(bytes_of(version))),
                Run::Kind => Values::Same(Some(bytes_of(self.kind().as_str()))),
            },
            (Source::Own(own), _) => self.own(world, *own),
            (Source::Basis(place), _) => Values::Same(Some(bytes_of(&BASES[*place].value(world.config)))),
            (Source::Fact(Some(fact), _), Group::Resets(all)) => fact_values!(fact, all, ResetCompute),
            (Source::Fact(_, Some(fact)), Group::Credentials(all)) => fact_values!(fact, all, CredentialCompute),
            (Source::Seen, Group::Resets(all)) => Values::Number(all.iter().map(reset::days_inactive_seen).collect()),
            (Source::Sure, Group::Resets(all)) => Values::Number(all.iter().map(reset::days_inactive_sure).collect()),
            (Source::Fact(..) | Source::Seen | Source::Sure, _) => Values::Null,
        }
    }
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Resets of the period.
    pub resets: u64,
    /// Credentials of the inventory.
    pub credentials: u64,
}

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
#[error("the table of facts cannot be written: {0}")]
pub struct TableError(#[from] ParquetError);

/// Writes the facts of every reset of the period, then of every credential of the inventory.
///
/// # Errors
/// What `out` reports.
pub fn write(world: &World<'_>, version: &str, out: impl Write + Send) -> Result<Written, TableError> {
    let columns = columns();
    let fields = columns.iter().map(|column| column.schema().map(Arc::new)).collect::<Result<Vec<_>, _>>()?;
    let schema = Arc::new(Type::group_type_builder("facts").with_fields(fields).build()?);
    let properties = Arc::new(
        WriterProperties::builder()
            .set_created_by(format!("regrant version {version}"))
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .build(),
    );
    let descriptor = SchemaDescriptor::new(schema.clone());
    let mut file = SerializedFileWriter::new(out, schema, properties.clone())?;
    let encode = |group: Group<'_>| -> Result<Vec<(Bytes, ColumnCloseResult)>, ParquetError> {
        let one = |(place, column): (usize, &Column)| {
            let mut sink = TrackedWrite::new(Vec::new());
            let writer = get_column_writer(
                descriptor.column(place),
                properties.clone(),
                Box::new(SerializedPageWriter::new(&mut sink)),
            );
            let close = put(writer, group.values(world, version, column), group.len(), column)?;
            Ok((Bytes::from(sink.into_inner()?), close))
        };
        columns.iter().enumerate().map(one).collect()
    };
    let mut append = |groups: Vec<Result<Vec<(Bytes, ColumnCloseResult)>, ParquetError>>| {
        for group in groups {
            let mut rows = file.next_row_group()?;
            for (bytes, close) in group? {
                rows.append_column(&bytes, close)?;
            }
            rows.close()?;
        }
        Ok::<(), ParquetError>(())
    };
    // As many groups at a time as there are threads: more would only wait in memory.
    let at_once = ROWS_PER_GROUP * rayon::current_num_threads();
    for some in world.resets.chunks(at_once) {
        let subjects = |rows: &[u32]| rows.iter().map(|&row| ResetSubject::new(world, row as usize)).collect();
        append(some.par_chunks(ROWS_PER_GROUP).map(|rows| encode(Group::Resets(subjects(rows)))).collect())?;
    }
    let credentials = &world.settled.credential_rows;
    for some in credentials.chunks(at_once) {
        let subjects = |rows: &[u32]| rows.iter().map(|&row| CredentialSubject::new(world, row as usize)).collect();
        append(some.par_chunks(ROWS_PER_GROUP).map(|rows| encode(Group::Credentials(subjects(rows)))).collect())?;
    }
    file.close()?;
    Ok(Written { resets: world.resets.len() as u64, credentials: credentials.len() as u64 })
}

/// Values and, for a column that may be null, which of them are there.
fn split<T>(values: Vec<Option<T>>, column: &Column) -> (Vec<T>, Option<Vec<i16>>) {
    let there = (!column.required()).then(|| values.iter().map(|value| i16::from(value.is_some())).collect());
    (values.into_iter().flatten().collect(), there)
}

fn put(
    writer: ColumnWriter<'_>,
    values: Values,
    rows: usize,
    column: &Column,
) -> Result<ColumnCloseResult, ParquetError> {
    let values = match (values, column.holds) {
        (Values::Same(one), _) => Values::Text(vec![one; rows]),
        (Values::SameWhole(one), _) => Values::Whole(vec![one; rows]),
        (Values::Null, Holds::Bool) => Values::Bool(vec![None; rows]),
        (Values::Null, Holds::Number) => Values::Number(vec![None; rows]),
        (Values::Null, Holds::Whole | Holds::Instant) => Values::Whole(vec![None; rows]),
        (Values::Null, Holds::Text) => Values::Text(vec![None; rows]),
        (values, _) => values,
    };
    match (writer, values) {
        (ColumnWriter::BoolColumnWriter(mut writer), Values::Bool(values)) => {
            let (values, there) = split(values, column);
            writer.write_batch(&values, there.as_deref(), None)?;
            writer.close()
        }
        (ColumnWriter::DoubleColumnWriter(mut writer), Values::Number(values)) => {
            let (values, there) = split(values, column);
            writer.write_batch(&values, there.as_deref(), None)?;
            writer.close()
        }
        (ColumnWriter::Int64ColumnWriter(mut writer), Values::Whole(values)) => {
            let (values, there) = split(values, column);
            writer.write_batch(&values, there.as_deref(), None)?;
            writer.close()
        }
        (ColumnWriter::ByteArrayColumnWriter(mut writer), Values::Text(values)) => {
            let (values, there) = split(values, column);
            writer.write_batch(&values, there.as_deref(), None)?;
            writer.close()
        }
        _ => Err(ParquetError::General(format!("column {} is not of its own type", column.name))),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_columns_share_a_name_and_facts_of_one_name_are_of_one_kind() {
        let columns = columns();
        let names: BTreeSet<&str> = columns.iter().map(|column| column.name).collect();
        assert_eq!(names.len(), columns.len());
        for column in &columns {
            assert!(!column.doc.is_empty() && !column.null.is_empty(), "{}", column.name);
            if let Source::Fact(Some(reset), Some(credential)) = &column.source {
                assert_eq!(reset.kind(), credential.kind(), "{}", column.name);
                assert_eq!(reset.unit, credential.unit, "{}", column.name);
            }
        }
        for fact in reset_facts().map(|fact| fact.name).chain(credential_facts().map(|fact| fact.name)) {
            assert!(names.contains(fact), "{fact}");
        }
    }
}
