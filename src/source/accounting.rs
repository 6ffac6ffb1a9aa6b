//! Where every record went. `records read = accepted + out of scope + merged + duplicates + rejected`, always.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::NaiveDate;

use crate::hours::Hours;
use crate::table::Table;

/// Where one row ended. Of several rows of one record the best says where the record ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It stands.
    Accepted,
    /// Part of another row now.
    Merged,
    /// Equal to another row.
    Duplicate,
    /// Listed in `rejected.csv`.
    Rejected,
}

/// One file that was read, and where its records went.
#[derive(Clone, Debug, Default)]
pub struct Input {
    /// Relative path, as printed.
    pub path: String,
    /// Where it lies.
    pub disk: PathBuf,
    /// Size on disk.
    pub bytes: u64,
    /// `canonical` or the id of a source mapping.
    pub mapping: String,
    /// Why.
    pub recognised_by: String,
    /// Files of one feed are snapshots of the same roster.
    pub feed: String,
    /// Date of a snapshot; null when the config gives none.
    pub snapshot: Option<NaiveDate>,
    /// Tables it feeds, with the columns it reports there (a bit a column).
    pub reports: BTreeMap<Table, u32>,
    /// Columns of the file that nothing takes.
    pub ignored_columns: Vec<String>,
    /// Rows that stand, by table.
    pub rows: BTreeMap<Table, u64>,
    /// Records read.
    pub read: u64,
    /// See [`Fate::Accepted`].
    pub accepted: u64,
    /// Left out on purpose.
    pub out_of_scope: u64,
    /// See [`Fate::Merged`].
    pub merged: u64,
    /// See [`Fate::Duplicate`].
    pub duplicates: u64,
    /// See [`Fate::Rejected`].
    pub rejected: u64,
    /// Rejections by reason.
    pub rejected_reasons: BTreeMap<String, u64>,
    /// Out of scope by reason.
    pub out_of_scope_reasons: BTreeMap<String, u64>,
    /// Zone of naive instants; null when none was read.
    pub naive_zone: Option<String>,
    /// Was that zone assumed?
    pub zone_assumed: bool,
    /// Control total of the config.
    pub expected_records: Option<u64>,
    /// The longest time, in microseconds, that its newest record may lie before `as_of`; null when the config sets none.
    pub max_age: Option<i64>,
    /// Canonical actions that its mapping can show; empty for canonical files.
    pub can_show: Vec<String>,
    /// Systems of which it read a record.
    pub systems: std::collections::BTreeSet<String>,
    /// By system, when records happened that were left out on purpose: they are part of the log as well. Under an empty
    /// name those that do not say their system. Of events told by their name alone a sample.
    pub passed: BTreeMap<String, Hours>,
    /// Mappings whose acts its events tell once more, as its mapping says.
    pub repeats: Vec<String>,
    /// Mappings whose records are its own in another rendering.
    pub renders: Vec<String>,
    /// Records that are a feed of their own within the file, with the feeds that they repeat.
    pub asides: BTreeMap<u32, Vec<String>>,
    /// Of records that yield several rows: the best fate so far.
    pub(super) several: BTreeMap<u32, Option<Fate>>,
}

impl Input {
    /// This record yields several rows: it counts once, by its best row.
    pub fn expect_several(&mut self, record: u32) {
        self.several.insert(record, None);
    }

    /// One row of `record` ended so.
    pub fn count(&mut self, table: Table, record: u32, fate: Fate) {
        if fate == Fate::Accepted {
            *self.rows.entry(table).or_default() += 1;
        }
        match self.several.get_mut(&record) {
            Some(best) => *best = Some(best.map_or(fate, |best| best.min(fate))),
            None => self.add(fate),
        }
    }

    /// The rows of these records were accepted.
    pub fn accept(&mut self, table: Table, records: impl ExactSizeIterator<Item = u32>) {
        if self.several.is_empty() {
            *self.rows.entry(table).or_default() += records.len() as u64;
            self.accepted += records.len() as u64;
        } else {
            records.for_each(|record| self.count(table, record, Fate::Accepted));
        }
    }

    /// Does this record yield several rows?
    pub fn of_several(&self, record: u32) -> bool {
        self.several.contains_key(&record)
    }

    /// Were all rows of this record of several rejected?
    pub fn ends_rejected(&self, record: u32) -> bool {
        self.several.get(&record) == Some(&Some(Fate::Rejected))
    }

    /// One rejection less for this reason: the record of that row is counted elsewhere.
    pub fn take_back(&mut self, reason: &str) {
        if let Some(n) = self.rejected_reasons.get_mut(reason) {
            *n = n.saturating_sub(1);
        }
        self.rejected_reasons.retain(|_, n| *n > 0);
    }

    /// Takes over what a further piece of the same file counted while it was read.
    pub fn absorb(&mut self, piece: Input) {
        let before = self.read as u32;
        self.several.extend(piece.several.into_iter().map(|(record, fate)| (before + record, fate)));
        self.asides.extend(piece.asides.into_iter().map(|(record, feeds)| (before + record, feeds)));
        self.read += piece.read;
        self.out_of_scope += piece.out_of_scope;
        self.rejected += piece.rejected;
        for (reason, n) in piece.rejected_reasons {
            *self.rejected_reasons.entry(reason).or_default() += n;
        }
        for (reason, n) in piece.out_of_scope_reasons {
            *self.out_of_scope_reasons.entry(reason).or_default() += n;
        }
        self.naive_zone = self.naive_zone.take().or(piece.naive_zone);
        self.systems.extend(piece.systems);
        for (system, hours) in piece.passed {
            self.passed.entry(system).or_default().absorb(&hours);
        }
    }

    /// Records of several rows are settled; call once, after every row was counted.
    pub fn close(&mut self) {
        for fate in std::mem::take(&mut self.several).into_values().flatten() {
            self.add(fate);
        }
    }

    fn add(&mut self, fate: Fate) {
        match fate {
            Fate::Accepted => self.accepted += 1,
            Fate::Merged => self.merged += 1,
            Fate::Duplicate => self.duplicates += 1,
            Fate::Rejected => self.rejected += 1,
        }
    }

    /// The table it feeds; of several the first in order.
    pub fn table(&self) -> Option<Table> {
        self.reports.keys().next().copied()
    }
}

/// One rejected record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RejectedRecord {
    /// Index of the input.
    pub file: u32,
    /// 1-based record number.
    pub record: u32,
    /// A stable slug.
    pub reason: String,
    /// The beginning of the record, without secrets.
    pub excerpt: String,
}
