//! Rows of the canonical tables, column by column.
//!
//! Text is a number ([`crate::text`]), an instant ([`crate::instants`]) is microseconds, an enum a code from 1, nothing is 0 or [`NULL`].
//! A column that no input reports takes no memory. Every row keeps where it came from and which columns its source
//! reports.

use std::borrow::Cow;

use chrono::{Datelike, NaiveDate};
use chrono_tz::Tz;
use rayon::prelude::*;

use crate::instants::Instants;
use crate::runs::Runs;
use crate::source::excerpt;
use crate::table::{Column, Table, Type};
use crate::text::{EMPTY, Interner, LIST_SEPARATOR, Map, Sight, Text, TextId, fold};
use crate::time::{self, ParsedInstant};

/// No instant.
pub const NULL: i64 = i64::MIN;
/// Added to a day number (days since 1970-01-01): instants of four-digit years stay far below it.
const DATE: i64 = 1 << 61;

/// A date or an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// A day of the organisation's zone.
    Date(NaiveDate),
    /// Microseconds UTC.
    Instant(i64),
}

impl On {
    fn pack(self) -> i64 {
        match self {
            On::Date(d) => DATE + i64::from(d.num_days_from_ce()),
            On::Instant(t) => t,
        }
    }

    fn unpack(x: i64) -> Option<On> {
        match x {
            NULL => None,
            x if x > DATE / 2 => {
                let day = i32::try_from(x - DATE).expect("packed from a date");
                Some(On::Date(NaiveDate::from_num_days_from_ce_opt(day).expect("packed from a date")))
            }
            x => Some(On::Instant(x)),
        }
    }

    /// Where it begins: a date at its midnight.
    pub fn start(self, zone: Tz) -> i64 {
        match self {
            On::Date(d) => time::midnight(d, zone),
            On::Instant(t) => t,
        }
    }

    /// Where it ends: a date is the last day, it ends at the following midnight.
    pub fn end(self, zone: Tz) -> i64 {
        match self {
            On::Date(d) => d.succ_opt().map_or(i64::MAX, |d| time::midnight(d, zone)),
            On::Instant(t) => t,
        }
    }

    /// As text: RFC 3339, or the date.
    pub fn text(self) -> String {
        match self {
            On::Date(d) => d.to_string(),
            On::Instant(t) => time::format_instant(t),
        }
    }
}

/// One column's values; empty when no input reports the column.
#[derive(Clone, Debug)]
enum Values {
    Text(Vec<TextId>),
    Time(Instants),
    Code(Vec<u8>),
}

impl Values {
    fn new(ty: Type) -> Values {
        match ty {
            Type::Text | Type::Alias | Type::Folded | Type::List => Values::Text(Vec::new()),
            Type::Instant | Type::On => Values::Time(Instants::default()),
            Type::Bool | Type::Enum(_) => Values::Code(Vec::new()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Values::Text(v) => v.len(),
            Values::Time(v) => v.len(),
            Values::Code(v) => v.len(),
        }
    }

    /// How many of them are none.
    fn missing(&self) -> usize {
        match self {
            Values::Text(v) => v.iter().filter(|x| **x == EMPTY).count(),
            Values::Time(v) => v.missing(),
            Values::Code(v) => v.iter().filter(|x| **x == 0).count(),
        }
    }

    fn reserve(&mut self, len: usize, coming: usize) {
        match self {
            Values::Text(v) => reserve(v, len, coming),
            Values::Time(v) if v.capacity() < len => v.reserve_exact(len + coming - v.len()),
            Values::Time(_) => {}
            Values::Code(v) => reserve(v, len, coming),
        }
    }

    fn pad(&mut self, len: usize) {
        match self {
            Values::Text(v) => v.resize(len, EMPTY),
            Values::Time(v) => v.pad(len),
            Values::Code(v) => v.resize(len, 0),
        }
    }
}

/// Room for `len` values and those to come: growth by doubling would leave half of the memory empty.
fn reserve<T>(values: &mut Vec<T>, len: usize, coming: usize) {
    if values.capacity() < len {
        values.reserve_exact(len + coming - values.len());
    }
}

/// What one decoder read, to be appended.
pub struct Portion<'a> {
    /// Its rows.
    pub rows: &'a Rows,
    /// Its texts' numbers in the whole.
    pub map: &'a Map,
    /// Records of the file before its first.
    pub records_before: u32,
}

/// Rows of one table.
#[derive(Clone, Debug)]
pub struct Rows {
    /// Which table.
    pub table: Table,
    columns: Vec<Values>,
    reported: Runs,
    file: Runs,
    record: Runs,
}

impl Rows {
    /// No rows.
    pub fn new(table: Table) -> Rows {
        let columns = table.columns().iter().map(|c| Values::new(c.ty)).collect();
        Rows { table, columns, reported: Runs::same(), file: Runs::same(), record: Runs::consecutive() }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.file.len()
    }

    /// None at all?
    pub fn is_empty(&self) -> bool {
        self.file.is_empty()
    }

    /// Index of the input that a row came from.
    pub fn file(&self, row: usize) -> u32 {
        self.file.get(row)
    }

    /// 1-based number of the record in its file.
    pub fn record(&self, row: usize) -> u32 {
        self.record.get(row)
    }

    /// Bit of a column: does the row's source report it? Merged rows report the union.
    pub fn reported(&self, row: usize) -> u32 {
        self.reported.get(row)
    }

    /// A merged row reports these columns.
    pub fn set_reported(&mut self, row: usize, reported: u32) {
        self.reported.set(row, reported);
    }

    /// Of what each row reports only that remains which the mask of its file has.
    pub fn report_only(&mut self, by_file: &[u32]) {
        let mut reported = Runs::same();
        for row in 0..self.len() {
            reported.push(self.reported.get(row) & by_file[self.file.get(row) as usize]);
        }
        self.reported = reported;
    }

    /// Text of a cell; [`EMPTY`] when empty or not reported.
    pub fn text(&self, column: usize, row: usize) -> TextId {
        match &self.columns[column] {
            Values::Text(v) => v.get(row).copied().unwrap_or(EMPTY),
            _ => unreachable!("the column holds no text"),
        }
    }

    /// Instant of a cell; null when empty or not reported.
    pub fn instant(&self, column: usize, row: usize) -> Option<i64> {
        match &self.columns[column] {
            Values::Time(v) => v.get(row),
            _ => unreachable!("the column holds no time"),
        }
    }

    /// Date or instant of a cell; null when empty or not reported.
    pub fn on(&self, column: usize, row: usize) -> Option<On> {
        match &self.columns[column] {
            Values::Time(v) => v.get(row).and_then(On::unpack),
            _ => unreachable!("the column holds no time"),
        }
    }

    /// Code of an enum cell from 1; 0 when empty or not reported.
    pub fn code(&self, column: usize, row: usize) -> u8 {
        match &self.columns[column] {
            Values::Code(v) => v.get(row).copied().unwrap_or(0),
            _ => unreachable!("the column holds no code"),
        }
    }

    /// A bool cell; null when empty or not reported.
    pub fn bool(&self, column: usize, row: usize) -> Option<bool> {
        match self.code(column, row) {
            0 => None,
            code => Some(code == 2),
        }
    }

    /// Does the row's source report the column?
    pub fn has(&self, column: usize, row: usize) -> bool {
        self.reported.get(row) >> column & 1 == 1
    }

    /// Is the cell empty (or not reported)?
    pub fn is_null(&self, column: usize, row: usize) -> bool {
        match &self.columns[column] {
            Values::Text(v) => v.get(row).is_none_or(|&x| x == EMPTY),
            Values::Time(v) => v.get(row).is_none(),
            Values::Code(v) => v.get(row).is_none_or(|&x| x == 0),
        }
    }

    /// Sets a text cell.
    pub fn set_text(&mut self, column: usize, row: usize, value: TextId) {
        let len = self.len();
        self.columns[column].pad(len);
        if let Values::Text(v) = &mut self.columns[column] {
            v[row] = value;
        }
    }

    /// Sets a code cell.
    pub fn set_code(&mut self, column: usize, row: usize, value: u8) {
        let len = self.len();
        self.columns[column].pad(len);
        if let Values::Code(v) = &mut self.columns[column] {
            v[row] = value;
        }
    }

    /// Copies a cell of another row into this one, if that one is not empty and this one is.
    pub fn fill(&mut self, column: usize, row: usize, from: usize) {
        if self.is_null(column, row) && !self.is_null(column, from) {
            self.copy(column, row, from);
        }
    }

    /// Copies a cell of another row into this one, empty or not.
    pub fn copy(&mut self, column: usize, row: usize, from: usize) {
        match &mut self.columns[column] {
            Values::Text(v) if !v.is_empty() => v[row] = v[from],
            Values::Time(v) if !v.is_empty() => v.copy(row, from),
            Values::Code(v) if !v.is_empty() => v[row] = v[from],
            _ => {}
        }
    }

    /// Sets an instant cell.
    pub fn set_instant(&mut self, column: usize, row: usize, value: Option<i64>) {
        self.set_raw(column, row, value.unwrap_or(NULL));
    }

    fn set_raw(&mut self, column: usize, row: usize, value: i64) {
        let len = self.len();
        self.columns[column].pad(len);
        if let Values::Time(v) = &mut self.columns[column] {
            v.set(row, value);
        }
    }

    /// Appends what decoders read, column by column in parallel; about `coming` further rows will follow.
    pub fn append(&mut self, parts: &[Portion<'_>], coming: usize) {
        let before = self.len();
        let after = before + parts.iter().map(|p| p.rows.len()).sum::<usize>();
        let types = self.table.columns();
        self.columns.par_iter_mut().enumerate().for_each(|(c, mine)| {
            if mine.len() == 0 && parts.iter().all(|p| p.rows.columns[c].len() == 0) {
                return;
            }
            mine.reserve(after, coming);
            let mut len = before;
            for part in parts {
                mine.pad(len);
                match (&mut *mine, &part.rows.columns[c]) {
                    (Values::Text(a), Values::Text(b)) => {
                        if types[c].ty == Type::Text {
                            a.extend(b.iter().map(|&id| part.map.plain(id)));
                        } else {
                            a.extend(b.iter().map(|&id| part.map.name(id)));
                        }
                    }
                    (Values::Time(a), Values::Time(b)) => a.append(b),
                    (Values::Code(a), Values::Code(b)) => a.extend_from_slice(b),
                    _ => unreachable!("both are of the same table"),
                }
                len += part.rows.len();
            }
            mine.pad(after);
        });
        for part in parts {
            self.reported.append(&part.rows.reported, 0);
            self.file.append(&part.rows.file, 0);
            self.record.append(&part.rows.record, part.records_before);
        }
    }

    /// Two rows carry the same record: every column equal as it compares, not reported equal to empty.
    pub fn same_content(&self, a: usize, b: usize, folded: impl Fn(TextId) -> TextId) -> bool {
        self.columns.iter().zip(self.table.columns()).all(|(values, column)| match values {
            Values::Text(v) if v.is_empty() => true,
            Values::Text(v) if folds(column.name, column.ty) => folded(v[a]) == folded(v[b]),
            Values::Text(v) => v[a] == v[b],
            Values::Time(v) => v.is_empty() || v.same(a, b),
            Values::Code(v) => v.is_empty() || v[a] == v[b],
        })
    }

    /// A cell as it stands in the text that derived ids are made of; null when empty.
    pub fn canonical<'a>(&self, column: usize, row: usize, text: impl Fn(TextId) -> Text<'a>) -> Option<String> {
        if self.is_null(column, row) {
            return None;
        }
        let spec = &self.table.columns()[column];
        Some(match spec.ty {
            Type::Instant => time::format_instant(self.instant(column, row)?),
            Type::On => self.on(column, row)?.text(),
            Type::Bool => self.bool(column, row)?.to_string(),
            Type::Enum(names) => names[self.code(column, row) as usize - 1].to_owned(),
            Type::List => text(self.text(column, row)).to_lowercase().replace(LIST_SEPARATOR, ";"),
            _ if folds(spec.name, spec.ty) => fold(&text(self.text(column, row))),
            _ => text(self.text(column, row)).to_string(),
        })
    }
}

/// Does a text column compare folded?
pub fn folds(name: &str, ty: Type) -> bool {
    matches!(ty, Type::Alias | Type::List) || name == "ticket"
}

/// What a cell is read as.
pub enum Cell<'a> {
    /// Text, already trimmed and not empty.
    Text(&'a str),
    /// A JSON array's elements as text.
    List(&'a [String]),
    /// Something no column takes (a JSON object).
    Other,
}

/// Builds rows of one table, one at a time: cells first, then [`Builder::commit`] or [`Builder::forget`].
pub struct Builder {
    /// What was committed.
    pub rows: Rows,
    pending: Vec<i64>,
    /// Bit of a column: is its cell of the pending row set?
    set: u32,
    required: u32,
    /// Bit of a column: do people type into it what they like?
    prose: u32,
    sights: Vec<Sight>,
    zone: Tz,
    /// Was any naive instant read?
    pub naive: bool,
}

impl Builder {
    /// Naive instants are read in `zone`.
    pub fn new(table: Table, zone: Tz) -> Builder {
        let columns = table.columns();
        let mask = |of: fn(&Column) -> bool| {
            columns.iter().enumerate().filter(|(_, c)| of(c)).fold(0, |mask, (i, _)| mask | 1 << i)
        };
        Builder {
            rows: Rows::new(table),
            pending: vec![0; columns.len()],
            set: 0,
            required: mask(|c| c.required),
            prose: mask(|c| matches!(c.name, "reason" | "category")),
            sights: vec![Sight::default(); columns.len()],
            zone,
            naive: false,
        }
    }

    /// Puts one cell that is not empty.
    ///
    /// # Errors
    /// When the cell does not parse; the row must then be forgotten and rejected as `bad-<column>`.
    pub fn put(&mut self, column: usize, cell: &Cell<'_>, texts: &mut Interner) -> Result<(), BadCell> {
        let ty = self.rows.table.columns()[column].ty;
        let value = match (cell, ty) {
            (Cell::List(parts), Type::List) => match join(parts.iter().map(String::as_str)) {
                Some(list) => i64::from(texts.intern(&list)),
                None => return Ok(()),
            },
            (Cell::Text(text), ty) => {
                let text = self.harmless(column, ty, text);
                match self.convert(column, ty, &text, texts)? {
                    Some(value) => value,
                    None => return Ok(()),
                }
            }
            _ => return Err(BadCell),
        };
        self.pending[column] = value;
        self.set |= 1 << column;
        Ok(())
    }

    /// The text without secrets: of what people type, and of links.
    fn harmless<'a>(&self, column: usize, ty: Type, text: &'a str) -> Cow<'a, str> {
        match ty {
            Type::Text if self.prose >> column & 1 == 1 => excerpt::prose(text),
            Type::Text | Type::Alias if text.starts_with("http") => excerpt::id(text),
            _ => Cow::Borrowed(text),
        }
    }

    /// Puts the next fields of a column, trimmed and in order, where columns are put one by one; [`Builder::close`] makes rows of
    /// them. `coming` is how many fields there may be in all.
    ///
    /// # Errors
    /// When a cell does not parse. The builder is then of no use.
    pub fn fill<'a>(
        &mut self,
        column: usize,
        fields: impl Iterator<Item = &'a str>,
        coming: usize,
        texts: &mut Interner,
    ) -> Result<(), BadCell> {
        let ty = self.rows.table.columns()[column].ty;
        let mut values = std::mem::replace(&mut self.rows.columns[column], Values::new(ty));
        values.reserve(coming, 0);
        match &mut values {
            Values::Time(values) if ty == Type::Instant => {
                for field in fields {
                    match time::whole_seconds(field.as_bytes()) {
                        Some(seconds) => values.push_seconds(seconds),
                        None if field.is_empty() => values.push(NULL),
                        None => values.push(self.instant(field)?),
                    }
                }
            }
            Values::Time(values) => self.each(column, fields, texts, |value| values.push(value.unwrap_or(NULL)))?,
            Values::Code(values) => self.each(column, fields, texts, |value| values.push(value.unwrap_or(0) as u8))?,
            Values::Text(values) => {
                self.each(column, fields, texts, |value| values.push(value.map_or(EMPTY, |id| id as TextId)))?;
            }
        }
        self.rows.columns[column] = values;
        Ok(())
    }

    fn each<'a>(
        &mut self,
        column: usize,
        fields: impl Iterator<Item = &'a str>,
        texts: &mut Interner,
        mut put: impl FnMut(Option<i64>),
    ) -> Result<(), BadCell> {
        let ty = self.rows.table.columns()[column].ty;
        // What stands in a row often stands in the next.
        let mut last = ("", None);
        for field in fields {
            if field != last.0 {
                let text = self.harmless(column, ty, field);
                last = (field, self.convert(column, ty, &text, texts)?);
            }
            put(last.1);
        }
        Ok(())
    }

    /// Makes so many rows of the columns that were filled; null where one of them lacks a required column.
    pub fn close(&mut self, file: u32, rows: u32) -> Option<()> {
        for (column, values) in self.rows.columns.iter_mut().enumerate() {
            let missing = values.missing();
            if missing == values.len() {
                *values = Values::new(self.rows.table.columns()[column].ty);
            } else if missing == 0 {
                self.set |= 1 << column;
            }
        }
        if self.lacks().is_some() && rows > 0 {
            return None;
        }
        self.set = 0;
        self.rows.file.push_run(file, rows as usize);
        self.rows.record.push_run(1, rows as usize);
        self.rows.reported.push_run(0, rows as usize);
        Some(())
    }

    fn convert(&mut self, column: usize, ty: Type, text: &str, texts: &mut Interner) -> Result<Option<i64>, BadCell> {
        Ok(Some(match ty {
            Type::Text => i64::from(texts.intern_plain(text, &mut self.sights[column])),
            Type::Alias => i64::from(texts.intern(text)),
            Type::Folded => i64::from(intern_folded(text, texts)),
            Type::List => match join(text.split(';')) {
                Some(list) => i64::from(texts.intern(&list)),
                None => return Ok(None),
            },
            Type::Bool => match text.to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" => 2,
                "false" | "0" | "no" => 1,
                _ => return Err(BadCell),
            },
            Type::Instant => self.instant(text)?,
            Type::On => match time::parse_date(text.as_bytes()) {
                Some(date) => On::Date(date).pack(),
                None => self.instant(text)?,
            },
            Type::Enum(names) => {
                let found = match names.iter().position(|n| *n == text) {
                    Some(i) => Some(i),
                    None => {
                        let low = fold(text);
                        names.iter().position(|n| *n == low).or_else(|| names.iter().position(|n| *n == "unknown"))
                    }
                };
                found.ok_or(BadCell)? as i64 + 1
            }
        }))
    }

    fn instant(&mut self, text: &str) -> Result<i64, BadCell> {
        match time::parse_instant(text.as_bytes()).ok_or(BadCell)? {
            ParsedInstant::Utc(t) => Ok(t),
            ParsedInstant::Naive(local) => {
                self.naive = true;
                Ok(time::resolve_naive(local, self.zone))
            }
        }
    }

    /// Is the cell of the pending row set?
    pub fn is_set(&self, column: usize) -> bool {
        self.set >> column & 1 == 1
    }

    /// The first required column that the pending row lacks.
    pub fn lacks(&self) -> Option<&'static str> {
        self.lacks_beside(0)
    }

    /// The same, were the columns of `coming` (a bit a column) set as well.
    pub fn lacks_beside(&self, coming: u32) -> Option<&'static str> {
        let lacking = self.required & !(self.set | coming);
        (lacking != 0).then(|| self.rows.table.columns()[lacking.trailing_zeros() as usize].name)
    }

    /// The pending row becomes a row. `reported` are the columns that this row's source reports, as far as known yet.
    pub fn commit(&mut self, file: u32, record: u32, reported: u32) {
        let len = self.rows.len();
        for (column, values) in self.rows.columns.iter_mut().enumerate() {
            let set = self.set >> column & 1 == 1;
            if !set && values.len() == 0 {
                continue;
            }
            let value = self.pending[column];
            values.pad(len);
            match values {
                Values::Text(v) => {
                    v.push(if set { u32::try_from(value).expect("made from a text number") } else { EMPTY });
                }
                Values::Time(v) => v.push(if set { value } else { NULL }),
                Values::Code(v) => v.push(if set { u8::try_from(value).expect("made from a code") } else { 0 }),
            }
        }
        self.set = 0;
        self.rows.file.push(file);
        self.rows.record.push(record);
        self.rows.reported.push(reported);
    }

    /// The pending row is dropped.
    pub fn forget(&mut self) {
        self.set = 0;
    }

    /// The rows, all of them reporting `reported` beside what each reports itself.
    pub fn finish(mut self, reported: u32) -> Rows {
        let len = self.rows.len();
        for values in &mut self.rows.columns {
            if values.len() > 0 {
                values.pad(len);
            }
        }
        self.rows.reported.each(|mask| mask | reported);
        self.rows
    }
}

/// A cell does not parse as its column's type.
#[derive(Debug, PartialEq, Eq)]
pub struct BadCell;

fn intern_folded(text: &str, texts: &mut Interner) -> TextId {
    if text.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
        texts.intern(text)
    } else {
        texts.intern(&fold(text))
    }
}

fn join<'a>(parts: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut out = String::new();
    for part in parts.map(str::trim).filter(|p| !p.is_empty()) {
        if !out.is_empty() {
            out.push(LIST_SEPARATOR);
        }
        out.push_str(part);
    }
    (!out.is_empty()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_not_its_midnight() {
        let date = NaiveDate::from_ymd_opt(2026, 8, 31).expect("a date");
        let packed = On::Date(date).pack();
        assert_eq!(On::unpack(packed), Some(On::Date(date)));
        assert_ne!(packed, On::Instant(On::Date(date).start(Tz::UTC)).pack());
        assert_eq!(On::unpack(NULL), None);
        assert_eq!(On::unpack(-5), Some(On::Instant(-5)));
    }

    #[test]
    fn unknown_values_of_enums() {
        let mut texts = Interner::default();
        let mut b = Builder::new(Table::Event, Tz::UTC);
        let put = |b: &mut Builder, c: usize, t: &str, texts: &mut Interner| b.put(c, &Cell::Text(t), texts);
        assert_eq!(put(&mut b, crate::table::event::ACTION, "dance", &mut texts), Err(BadCell));
        assert_eq!(put(&mut b, crate::table::event::OUTCOME, "Denied", &mut texts), Ok(()));
        assert_eq!(put(&mut b, crate::table::event::ACTION, " MFA-Reset ", &mut texts), Ok(()));
        assert_eq!(b.lacks(), Some("occurred_at"));
        b.commit(0, 1, 0);
        let rows = b.finish(0);
        assert_eq!(rows.code(crate::table::event::OUTCOME, 0), 3);
        assert_eq!(rows.code(crate::table::event::ACTION, 0), crate::table::event::MFA_RESET);
    }
}
