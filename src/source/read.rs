//! Reads every file of an inventory, in parallel, into canonical rows.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek};
use std::ops::{ControlFlow, Range};
use std::path::Path;

use chrono_tz::Tz;
use rayon::prelude::*;
use serde_json::Value;

use super::accounting::{Input, RejectedRecord};
use super::carrier::Shape;
use super::clock::{Format, Habit, orders};
use super::inventory::{Found, Inventory, Recognised};
use super::mapping::quick::{Extent, Hand, Quick, QuickOutcome, QuickRow, QuickRows};
use super::mapping::{MappedOutcome, Setting, SourceMapping};
use super::{SourceError, chunk, container, excerpt, inventory, json, lines};
use crate::config::{Config, DateOrder};
use crate::hours::Hours;
use crate::rows::{Builder, Cell, Portion, Rows};
use crate::table::{Breadth, Table, Type};
use crate::text::{Interner, Sealed, Texts, fold};
use crate::time::{self, ParsedInstant};

/// Bytes of input that are decoded before they are joined.
const BATCH: u64 = 64 << 20;
/// The same in files and pieces, for folders of many small objects.
const BATCH_JOBS: usize = 4096;
/// Of lines whose event nobody wants the first are parsed for their time, and one in so many after them: enough to see when a
/// log begins and where it is silent.
const LOOKED_AT: (u64, u64) = (256, 64);
/// The same where a file goes on.
const LOOKED_AT_FURTHER: (u64, u64) = (8, 512);

/// Everything that was read, before any row met another.
pub struct Reading {
    /// Every text.
    pub texts: Texts,
    /// Rows by table.
    pub tables: BTreeMap<Table, Rows>,
    /// Files, by path.
    pub inputs: Vec<Input>,
    /// Files nobody recognised.
    pub skipped: Vec<(String, String)>,
    /// Rejected records.
    pub rejected: Vec<RejectedRecord>,
    /// Digests of inputs that were taken while they were read, in order; null of others.
    pub digests: Vec<Option<String>>,
}

/// Takes the digest of bytes; null where none is wanted.
pub type Digest<'d> = dyn Fn(&[u8]) -> Option<String> + Sync + 'd;

/// What one decoder gave: a file, a piece of one, or some that are alike.
struct Part {
    files: Vec<Done>,
    /// Where the line begins at which reading of a piece stopped, for it is not one object; null where it was read to its end.
    irregular_at: Option<u64>,
    texts: Sealed,
    rows: Vec<Rows>,
    rejected: Vec<RejectedRecord>,
}

/// A file that a decoder is done with, or its piece of one.
struct Done {
    /// Index of the input.
    file: u32,
    /// As [`Reading::digests`].
    digest: Option<String>,
    input: Input,
    /// Columns of a mapping that some record had a place for.
    seen: BTreeMap<Table, u32>,
}

/// Reads all files of the inventory. `progress` is told of bytes as files are done.
///
/// # Errors
/// A file that cannot be read to its end: a shorter result would be a silent one.
pub fn read_all(
    inventory: Inventory,
    config: &Config,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Reading, SourceError> {
    read_hashing(inventory, config, progress, &|_| None)
}

/// The same, the digests of small files being taken while they are at hand.
///
/// # Errors
/// As [`read_all`]; and [`SourceError::Unlike`], where a file was trusted by its name.
pub fn read_hashing(
    inventory: Inventory,
    config: &Config,
    progress: &(dyn Fn(u64) + Sync),
    digest: &Digest<'_>,
) -> Result<Reading, SourceError> {
    read_in(inventory, config, progress, digest, Sizes { chunk: chunk::CHUNK, batch: BATCH })
}

/// In how large steps files are read. What comes of it does not depend on it.
#[derive(Clone, Copy)]
struct Sizes {
    chunk: u64,
    batch: u64,
}

fn read_in(
    inventory: Inventory,
    config: &Config,
    progress: &(dyn Fn(u64) + Sync),
    digest: &Digest<'_>,
    sizes: Sizes,
) -> Result<Reading, SourceError> {
    let Inventory { files, skipped, mappings, breadth, .. } = inventory;
    let plan = |found: &Found| plan(found, config, (&mappings, breadth), sizes.chunk);
    let plans: Vec<Plan> = files.par_iter().map(plan).collect::<Result<_, _>>()?;
    let jobs = plans.iter().enumerate().flat_map(|(i, plan)| plan.jobs(i, &files));
    let jobs = in_company(jobs, &files, config, &mappings);
    let mut texts = Texts::default();
    let canonical = files.iter().filter(|found| matches!(found.as_what, Recognised::CanonicalCsv(_)));
    texts.expect_input(canonical.map(|found| found.bytes).sum());
    let mut reading = Reading {
        texts,
        tables: Table::ALL.into_iter().map(|t| (t, Rows::new(t))).collect(),
        inputs: Vec::new(),
        skipped,
        rejected: Vec::new(),
        digests: Vec::new(),
    };
    let mut seen: BTreeMap<u32, BTreeMap<Table, u32>> = BTreeMap::new();
    // Files whose further pieces are read already.
    let mut irregular: BTreeSet<u32> = BTreeSet::new();
    let mut rest = jobs.as_slice();
    while !rest.is_empty() {
        // What is decoded and not yet joined takes memory, so that it is joined now and then: cut by the inputs alone,
        // for the numbers of texts not to depend on threads.
        let mut bytes = 0;
        let fits = |job: &&Job<'_>| {
            let first = bytes == 0;
            bytes += job.bytes;
            first || bytes <= sizes.batch
        };
        let n = rest.iter().take(BATCH_JOBS).take_while(fits);
        let (batch, after) = rest.split_at(n.count());
        let parts: Vec<Result<Vec<Part>, SourceError>> = batch
            .par_iter()
            .with_max_len(1)
            .map(|job| {
                let parts = match irregular.contains(&job.file) {
                    true => Ok(Vec::new()),
                    false => job.read(config, &mappings, breadth, digest),
                };
                progress(job.bytes);
                parts
            })
            .collect();
        // How much is still to come of each table, were it like this batch.
        let mut read: BTreeMap<Table, (u64, u64)> = BTreeMap::new();
        for (job, coming) in batch.iter().map(|j| (j, false)).chain(after.iter().map(|j| (j, true))) {
            if let Recognised::CanonicalCsv(table) = job.found.as_what {
                let (done, left) = read.entry(table).or_default();
                *if coming { left } else { done } += job.bytes;
            }
        }
        let share = |table: &Table| read.get(table).map_or(0.0, |(done, left)| *left as f64 / (*done).max(1) as f64);
        let mut parts: Vec<Vec<Part>> = parts.into_iter().collect::<Result<_, _>>()?;
        // Where a line is not one object, nobody knows where the next record begins: what stands behind it is read again, and
        // what its pieces gave counts for nothing.
        for (job, parts) in batch.iter().zip(&mut parts) {
            if irregular.contains(&job.file) {
                parts.clear();
            } else if let Some(at) = parts.iter().find_map(|part| part.irregular_at) {
                irregular.insert(job.file);
                let rest = Job { piece: Some(Piece::Rest(at)), ..*job };
                parts.extend(rest.read(config, &mappings, breadth, digest)?);
            }
        }
        for done in parts.iter().flatten().flat_map(|part| &part.files) {
            for (table, mask) in &done.seen {
                *seen.entry(done.file).or_default().entry(*table).or_default() |= mask;
            }
        }
        let first = reading.inputs.is_empty();
        join(&mut reading, parts.into_iter().flatten().collect(), &share);
        if first {
            let bytes = |jobs: &[Job<'_>]| jobs.iter().map(|job| job.bytes).sum::<u64>() as f64;
            reading.texts.expect(bytes(after) / bytes(batch).max(1.0));
        }
        rest = after;
    }
    only_seen(&mut reading, &seen);
    Ok(reading)
}

/// Of what a mapping can fill a file reports those columns that some record of it had a place for.
fn only_seen(reading: &mut Reading, seen: &BTreeMap<u32, BTreeMap<Table, u32>>) {
    for (table, rows) in &mut reading.tables {
        let of = |i: u32| seen.get(&i).and_then(|tables| tables.get(table)).copied().unwrap_or(u32::MAX);
        let masks: Vec<u32> = (0..reading.inputs.len() as u32).map(of).collect();
        if masks.iter().any(|mask| *mask != u32::MAX) {
            rows.report_only(&masks);
        }
        for (input, mask) in reading.inputs.iter_mut().zip(masks) {
            input.reports.entry(*table).and_modify(|reported| *reported &= mask);
        }
    }
}

/// How one file is read: in pieces, if it can be cut.
enum Plan {
    Whole,
    Pieces(Layout, Vec<Range<u64>>),
    /// Pieces of what seems to be JSON Lines.
    Lines(Vec<Range<u64>>),
}

/// A piece of a file that is cut.
enum Piece<'a> {
    Csv(&'a Layout, &'a Range<u64>),
    Lines(Range<u64>),
    /// All from a line on that is not one object.
    Rest(u64),
}

/// What the header of a canonical CSV file says.
struct Layout {
    table: Table,
    /// For each field its column; of two columns of one name the last counts.
    columns: Vec<Option<usize>>,
    ignored: Vec<String>,
    /// Bit of a column: does the file report it?
    mask: u32,
    /// Fields whose header says that they hold a secret.
    secret: Vec<usize>,
}

impl Layout {
    fn of(table: Table, header: &[String], breadth: Breadth) -> Layout {
        let last = |i: usize, name: &String| !header[i + 1..].contains(name);
        let column = |(i, name): (usize, &String)| table.column_at(breadth, name).filter(|_| last(i, name));
        let columns: Vec<Option<usize>> = header.iter().enumerate().map(column).collect();
        let ignored = header.iter().zip(&columns).filter(|(_, c)| c.is_none()).map(|(name, _)| name.clone());
        let mask = columns.iter().flatten().fold(0, |mask, c| mask | 1 << c);
        Layout { table, ignored: ignored.collect(), mask, secret: secret_fields(header), columns }
    }
}

fn plan(
    found: &Found,
    config: &Config,
    (mappings, breadth): (&[SourceMapping], Breadth),
    chunk: u64,
) -> Result<Plan, SourceError> {
    if let Recognised::SourceJson(m, shape) = &found.as_what
        && shape.envelope.is_none()
        && shape.among.is_empty()
        && (!mappings[*m].needs_order() || found.rule.is_some_and(|r| config.inputs[r].date_order.is_some()))
    {
        let cut = container::json_start(&found.disk).and_then(|start| match start {
            Some(start) => chunk::cut_lines(&found.disk, start, std::fs::metadata(&found.disk)?.len(), chunk),
            None => Ok(None),
        });
        return Ok(cut.map_err(|e| unreadable(found, e.to_string()))?.map_or(Plan::Whole, Plan::Lines));
    }
    let Recognised::CanonicalCsv(table) = found.as_what else { return Ok(Plan::Whole) };
    let cut = container::plain_start(&found.disk).and_then(|start| match start {
        Some(start) => chunk::cut(&found.disk, start, std::fs::metadata(&found.disk)?.len(), chunk),
        None => Ok(None),
    });
    Ok(match cut.map_err(|e| unreadable(found, e.to_string()))? {
        Some(cut) => {
            let header: Vec<String> = cut.header.iter().map(|f| fold(&String::from_utf8_lossy(f))).collect();
            Plan::Pieces(Layout::of(table, &header, breadth), cut.pieces)
        }
        None => Plan::Whole,
    })
}

impl Plan {
    fn jobs<'a>(&'a self, file: usize, files: &'a [Found]) -> Vec<Job<'a>> {
        let found = &files[file];
        let mut shares = &files[file..=file];
        if let Recognised::SourceJson(m, shape) = &found.as_what
            && let Some(first) = shape.among.first()
        {
            // The shares of a mixed file follow each other, and are read at once.
            if first != m {
                return Vec::new();
            }
            shares = &files[file..file + shape.among.len()];
        }
        let job = |piece, bytes| Job { file: file as u32, found, shares, piece, bytes };
        match self {
            Plan::Pieces(layout, pieces) if !pieces.is_empty() => {
                pieces.iter().map(|range| job(Some(Piece::Csv(layout, range)), range.end - range.start)).collect()
            }
            Plan::Lines(pieces) => {
                pieces.iter().map(|range| job(Some(Piece::Lines(range.clone())), range.end - range.start)).collect()
            }
            _ => vec![job(None, shares.iter().map(|share| share.bytes).sum())],
        }
    }
}

/// Files that follow each other and are alike, of which each was trusted by its name, are read by one decoder: what it needs is made
/// once for all of them.
fn in_company<'a>(
    jobs: impl Iterator<Item = Job<'a>>,
    files: &'a [Found],
    config: &Config,
    mappings: &[SourceMapping],
) -> Vec<Job<'a>> {
    let alike = |a: &Found, b: &Found| match (&a.as_what, &b.as_what) {
        (Recognised::SourceJson(m, shape), Recognised::SourceJson(n, other)) => {
            let ordered =
                || !mappings[*m].needs_order() || a.rule.is_some_and(|r| config.inputs[r].date_order.is_some());
            a.by_name && b.by_name && m == n && shape == other && a.rule == b.rule && ordered()
        }
        _ => false,
    };
    let mut out: Vec<Job<'a>> = Vec::new();
    for job in jobs {
        match out.last_mut() {
            Some(last)
                if alike(last.found, job.found)
                    && last.bytes + job.bytes <= COMPANY
                    && last.shares.len() < MOST_OF_COMPANY =>
            {
                let first = last.file as usize;
                last.shares = &files[first..=job.file as usize];
                last.bytes += job.bytes;
            }
            _ => out.push(job),
        }
    }
    out
}

/// What one decoder reads of files that are alike, packed as they are, and how many of them: small enough that all threads are busy to
/// the end.
const COMPANY: u64 = 1 << 20;
const MOST_OF_COMPANY: usize = 64;

/// A file or a piece of one, or some files that are alike.
struct Job<'a> {
    file: u32,
    found: &'a Found,
    /// The file itself; of a mixed one, its inputs; or all files that are alike.
    shares: &'a [Found],
    piece: Option<Piece<'a>>,
    bytes: u64,
}

/// Joins what was decoded, in the order of files and pieces.
///
/// `share` is how much of a table is still to come, as a share of these parts.
fn join(reading: &mut Reading, mut parts: Vec<Part>, share: &dyn Fn(&Table) -> f64) {
    let texts: Vec<Sealed> = parts.iter_mut().map(|part| std::mem::take(&mut part.texts)).collect();
    let maps = reading.texts.merge(&texts);
    drop(texts);
    let mut before = Vec::with_capacity(parts.len());
    for part in &mut parts {
        let first = part.files.first().map(|done| &done.input.path);
        let read = match reading.inputs.last() {
            Some(last) if Some(&last.path) == first => last.read as u32,
            _ => 0,
        };
        before.push(read);
        for rejected in &mut part.rejected {
            rejected.record += read;
        }
        reading.rejected.append(&mut part.rejected);
        for done in std::mem::take(&mut part.files) {
            match reading.inputs.last_mut() {
                Some(last) if last.path == done.input.path => last.absorb(done.input),
                _ => {
                    reading.inputs.push(done.input);
                    reading.digests.push(done.digest);
                }
            }
        }
    }
    for (table, rows) in &mut reading.tables {
        let mut portions = Vec::new();
        for ((part, map), &records_before) in parts.iter().zip(&maps).zip(&before) {
            portions.extend(part.rows.iter().filter(|r| r.table == *table).map(|rows| Portion {
                rows,
                map,
                records_before,
            }));
        }
        let now: usize = portions.iter().map(|p| p.rows.len()).sum();
        rows.append(&portions, (now as f64 * share(table) * 1.02) as usize);
    }
}

fn unreadable(found: &Found, cause: String) -> SourceError {
    SourceError::Unreadable {
        path: found.place(),
        cause,
        hint: "nothing was written; check that the file was copied whole, or leave it out".to_owned(),
    }
}

impl Job<'_> {
    fn read(
        &self,
        config: &Config,
        mappings: &[SourceMapping],
        breadth: Breadth,
        digest: &Digest<'_>,
    ) -> Result<Vec<Part>, SourceError> {
        let decoders = || -> Vec<Decoder> {
            let of =
                |(n, found): (usize, &Found)| Decoder::new(found, self.file + n as u32, config, (mappings, breadth));
            self.shares.iter().enumerate().map(of).collect()
        };
        if self.found.by_name && self.shares.len() > 1 {
            return self.read_alike(config, (mappings, breadth), digest).map(|part| vec![part]);
        }
        let unsettled = |(found, decoder): (&Found, &Decoder)| match found.as_what {
            Recognised::SourceCsv(m) | Recognised::SourceJson(m, _) => {
                mappings[m].needs_order() && decoder.setting.habit.order.is_none()
            }
            Recognised::CanonicalCsv(_) | Recognised::CanonicalJson(_) => false,
        };
        let mut decoders_of_all = decoders();
        if self.shares.iter().zip(&decoders_of_all).any(unsettled) {
            // 03/04/2026 says nothing; 17/04/2026 anywhere in the file says it for all of them.
            let mut scouts = decoders();
            scouts.iter_mut().for_each(|scout| scout.possible = Some((true, true)));
            self.run(&mut scouts, mappings, &|_| None)?;
            for ((found, decoder), scout) in self.shares.iter().zip(&mut decoders_of_all).zip(scouts) {
                if unsettled((found, decoder)) {
                    decoder.order_is(match scout.possible {
                        Some((true, false)) => Some(DateOrder::Dmy),
                        Some((false, true)) => Some(DateOrder::Mdy),
                        _ => None,
                    });
                }
            }
        }
        self.run(&mut decoders_of_all, mappings, digest)?;
        Ok(decoders_of_all.into_iter().map(Decoder::finish).collect())
    }

    /// Files that were trusted by their names, one after the other.
    fn read_alike(
        &self,
        config: &Config,
        known: (&[SourceMapping], Breadth),
        digest: &Digest<'_>,
    ) -> Result<Part, SourceError> {
        let mut decoder = Decoder::new(self.found, self.file, config, known);
        for (n, found) in self.shares.iter().enumerate() {
            if n > 0 {
                decoder.turn_to(found, self.file + n as u32, config, known);
            }
            let Recognised::SourceJson(m, shape) = &found.as_what else {
                unreachable!("only JSON is trusted by its name")
            };
            match decoder.small_json(&known.0[*m], shape, &found.disk, digest) {
                Some(done) => {
                    done.map_err(|(record, cause)| unreadable(found, format!("after record {record}: {cause}")))?;
                }
                None => return Err(SourceError::Unlike(found.place())),
            }
        }
        Ok(decoder.finish())
    }

    fn run(
        &self,
        decoders: &mut [Decoder],
        mappings: &[SourceMapping],
        digest: &Digest<'_>,
    ) -> Result<(), SourceError> {
        let open = || container::open(&self.found.disk).map_err(|e| unreadable(self.found, e.to_string()));
        let lines = |start: u64, n: u64| {
            let mut file = std::fs::File::open(&self.found.disk)?;
            file.seek(std::io::SeekFrom::Start(start))?;
            Ok::<Source, std::io::Error>(Box::new(file.take(n)))
        };
        let unread = |e: std::io::Error| unreadable(self.found, e.to_string());
        let done = match (&self.found.as_what, &self.piece, decoders) {
            (_, Some(Piece::Csv(layout, range)), [decoder]) => decoder.piece(layout, &self.found.disk, range),
            (Recognised::SourceJson(m, _), Some(Piece::Lines(range)), [decoder]) => {
                let mut reader = lines(range.start, range.end - range.start).map_err(unread)?;
                if range.start > 0 {
                    decoder.looked_at = LOOKED_AT_FURTHER;
                }
                decoder.source_lines(&mappings[*m], &mut reader, lines::Irregular::Stop).map(|before| {
                    decoder.irregular_at = before.map(|before| range.start + before);
                })
            }
            (Recognised::SourceJson(m, shape), Some(Piece::Rest(start)), [decoder]) => {
                decoder.looked_at = LOOKED_AT_FURTHER;
                let mut rest = lines(*start, u64::MAX).map_err(unread)?;
                decoder.source_json(&mappings[*m], shape, json::From::Reader(&mut rest))
            }
            (Recognised::SourceJson(m, shape), _, [decoder]) if self.found.by_name => {
                match decoder.small_json(&mappings[*m], shape, &self.found.disk, digest) {
                    Some(done) => done,
                    None => return Err(SourceError::Unlike(self.found.place())),
                }
            }
            (Recognised::CanonicalCsv(table), _, [decoder]) => decoder.canonical_csv(*table, open()?),
            (Recognised::CanonicalJson(table), _, [decoder]) => decoder.canonical_json(*table, open()?),
            (Recognised::SourceCsv(m), _, [decoder]) => decoder.source_csv(&mappings[*m], open()?),
            (Recognised::SourceJson(m, shape), _, [decoder]) => {
                decoder.source_json(&mappings[*m], shape, json::From::Reader(&mut open()?))
            }
            (Recognised::SourceJson(_, shape), _, decoders) => mixed_json(decoders, shape, mappings, open()?),
            _ => unreachable!("only mixed files have several inputs"),
        };
        done.map_err(|(record, cause)| unreadable(self.found, format!("after record {record}: {cause}")))
    }
}

/// Each record of a mixed file by the mapping that knows it. What no mapping knows is out of scope, and what is no record is rejected,
/// both in the first input of the file.
fn mixed_json(
    decoders: &mut [Decoder],
    shape: &Shape,
    mappings: &[SourceMapping],
    mut reader: Source,
) -> Result<(), Broken> {
    for (decoder, m) in decoders.iter_mut().zip(&shape.among) {
        decoder.prepare(&mappings[*m]);
    }
    let mut before = 0;
    let done = json::for_each(&mut reader, shape.envelope.as_deref(), &mut |piece| {
        let value = match piece {
            json::Piece::Record(bytes) => serde_json::from_slice::<Value>(bytes).ok(),
            json::Piece::Broken(_) => None,
        };
        let (json::Piece::Record(bytes) | json::Piece::Broken(bytes)) = piece;
        let text = || String::from_utf8_lossy(bytes).into_owned();
        let inner = value.as_ref().map(|value| shape.record(value));
        let owner = inner.as_ref().map(|record| shape.owner(mappings, record));
        let n = owner.flatten().unwrap_or(0);
        let decoder = &mut decoders[n];
        decoder.elsewhere = before - decoder.input.read;
        decoder.input.read += 1;
        before += 1;
        match (&inner, owner) {
            (Some(record), Some(Some(_))) => decoder.source_record(&mappings[shape.among[n]], record, &text),
            (Some(_), _) => decoder.leave_out("of no source that was recognised in this file"),
            (None, _) => decoder.reject("bad-json", &text()),
        }
        ControlFlow::Continue(())
    });
    done.map_err(|e| (before, e.to_string()))
}

struct Decoder {
    index: u32,
    breadth: Breadth,
    zone: Tz,
    input: Input,
    texts: Interner,
    rejected: Vec<RejectedRecord>,
    builders: BTreeMap<Table, Builder>,
    /// The config's `system`, for files that do not say it themselves.
    system: Option<String>,
    /// What mappings are told of the file.
    setting: Setting,
    /// What is around each record.
    shape: Shape,
    /// Records of the file so far that are another input's.
    elsewhere: u64,
    /// Columns of the mapping that some record had a place for.
    seen: BTreeMap<Table, u32>,
    /// While the file is read for the order of its dates alone: could all of them so far be day first, month first?
    possible: Option<(bool, bool)>,
    /// See [`LOOKED_AT`].
    looked_at: (u64, u64),
    tally: Tally,
    /// As [`Part::irregular_at`].
    irregular_at: Option<u64>,
    digest: Option<String>,
    hand: Hand,
    /// Files before this one, where several are alike.
    done: Vec<Done>,
}

/// What is counted of most records by a text that most of them share: it is brought to its final form once.
#[derive(Default)]
struct Tally {
    /// Reasons of what was left out, as mappings give them.
    left_out: hashbrown::HashMap<String, u64>,
    /// Systems of which a record was read, as records say them.
    systems: hashbrown::HashSet<String>,
    /// By system, as records say it, when records happened that were left out.
    passed: Vec<(Option<String>, Hours)>,
}

/// Which cells of a row are put.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Put {
    /// Those that may be refused.
    Checked,
    /// Those that are text.
    Texts,
}

/// Systems whose hours are kept apart before they are folded; a file has few.
const MOST_SYSTEMS: usize = 64;

fn flush_passed(passed: &mut Vec<(Option<String>, Hours)>, own: Option<&str>, input: &mut Input) {
    for (system, hours) in passed.drain(..) {
        let said = || system.as_deref().map(|system| fold(&excerpt::id(system)));
        let system = own.map(fold).or_else(said).unwrap_or_default();
        input.passed.entry(system).or_default().absorb(&hours);
    }
}

/// A row of a source mapping: its table, the columns it reports, its cells.
type ReadyRow = (Table, u32, Vec<(usize, String)>);
/// Records behind a header line, and that line folded.
type Csv = (csv::Reader<Source>, Vec<String>);
/// The last record that was read whole, and what went wrong after it.
type Broken = (u64, String);
type Source = Box<dyn std::io::Read + Send>;

impl Decoder {
    fn new(found: &Found, index: u32, config: &Config, (mappings, breadth): (&[SourceMapping], Breadth)) -> Decoder {
        let rule = found.rule.map(|r| &config.inputs[r]);
        let zone = rule.and_then(|r| r.timezone);
        let mapping = match &found.as_what {
            Recognised::CanonicalCsv(_) | Recognised::CanonicalJson(_) => "canonical".to_owned(),
            Recognised::SourceCsv(m) | Recognised::SourceJson(m, _) => mappings[*m].id.clone(),
        };
        let mut input = Input {
            path: found.path.clone(),
            disk: found.disk.clone(),
            bytes: found.bytes,
            feed: rule.and_then(|r| r.mapping.clone()).unwrap_or_else(|| mapping.clone()),
            mapping,
            recognised_by: found.because.clone(),
            snapshot: rule.and_then(|r| r.snapshot),
            expected_records: rule.and_then(|r| r.expected_records),
            max_age: rule.and_then(|r| r.max_age),
            zone_assumed: zone.is_none(),
            ..Input::default()
        };
        let file = match &found.as_what {
            // The label of a share ends with its mapping.
            Recognised::SourceJson(_, shape) if !shape.among.is_empty() => {
                found.path.rsplit_once("!/").map_or("", |(file, _)| file)
            }
            _ => found.path.as_str(),
        };
        let file = file.rsplit('/').next().unwrap_or_default().to_owned();
        if let Recognised::SourceCsv(m) | Recognised::SourceJson(m, _) = &found.as_what {
            input.snapshot = input.snapshot.or_else(|| mappings[*m].snapshot_of(&file));
        }
        Decoder {
            index,
            breadth,
            zone: zone.unwrap_or(Tz::UTC),
            input,
            texts: Interner::default(),
            rejected: Vec::new(),
            builders: BTreeMap::new(),
            system: rule.and_then(|r| r.system.clone()),
            setting: Setting {
                file,
                tabular: false,
                habit: Habit {
                    zone,
                    order: rule.and_then(|r| r.date_order),
                    format: rule.and_then(|r| r.time_format.as_deref()).and_then(Format::named),
                },
            },
            // What stands in an array is told when it is opened, and what is mixed record by record.
            shape: match &found.as_what {
                Recognised::SourceJson(_, shape) if shape.among.is_empty() => shape.clone(),
                _ => Shape::default(),
            },
            elsewhere: 0,
            seen: BTreeMap::new(),
            possible: None,
            looked_at: LOOKED_AT,
            tally: Tally::default(),
            irregular_at: None,
            digest: None,
            hand: Hand::default(),
            done: Vec::new(),
        }
    }

    /// Goes on with another file, of which all is like the one before but its name.
    fn turn_to(&mut self, found: &Found, index: u32, config: &Config, known: (&[SourceMapping], Breadth)) {
        self.close();
        let Decoder { input, setting, .. } = Decoder::new(found, index, config, known);
        (self.index, self.input, self.setting) = (index, input, setting);
        self.tally.systems.clear();
    }

    /// The file is done with.
    fn close(&mut self) {
        self.flush();
        // Every builder is asked: each forgets what the next file has to say for itself.
        let naive = self.builders.values_mut().fold(false, |any, builder| any | std::mem::take(&mut builder.naive));
        if naive {
            self.input.naive_zone = Some(self.zone.name().to_owned());
        }
        self.input.ignored_columns.sort();
        let input = std::mem::take(&mut self.input);
        let (digest, seen) = (self.digest.take(), std::mem::take(&mut self.seen));
        self.done.push(Done { file: self.index, digest, input, seen });
    }

    /// The number of the record in its file, from 1.
    fn number(&self) -> u32 {
        (self.input.read + self.elsewhere) as u32
    }

    fn leave_out(&mut self, reason: &str) {
        self.input.out_of_scope += 1;
        *self.input.out_of_scope_reasons.entry(reason.to_owned()).or_default() += 1;
    }

    fn reject(&mut self, reason: &str, record: &str) {
        self.input.rejected += 1;
        *self.input.rejected_reasons.entry(reason.to_owned()).or_default() += 1;
        self.rejected.push(RejectedRecord {
            file: self.index,
            record: self.number(),
            reason: reason.to_owned(),
            excerpt: excerpt::excerpt(record),
        });
    }

    fn canonical_csv(&mut self, table: Table, reader: Source) -> Result<(), Broken> {
        let Some((mut reader, header)) = open_csv(reader)? else { return Ok(()) };
        self.records(&Layout::of(table, &header, self.breadth), &mut reader)
    }

    /// A piece of a plain file: records between commas and line feeds where it has neither quotes nor lone carriage
    /// returns nor bytes of another encoding, else as the csv crate reads it.
    fn piece(&mut self, layout: &Layout, disk: &Path, range: &Range<u64>) -> Result<(), Broken> {
        thread_local! {
            static PIECE: std::cell::RefCell<Vec<u8>> = const { std::cell::RefCell::new(Vec::new()) };
        }
        PIECE.with_borrow_mut(|bytes| {
            chunk::read(disk, range, bytes).map_err(|e| (self.input.read, e.to_string()))?;
            let simple = memchr::memchr(b'"', bytes).is_none()
                && memchr::memchr_iter(b'\r', bytes).all(|at| bytes.get(at + 1) == Some(&b'\n'));
            match std::str::from_utf8(bytes) {
                Ok(text) if simple => {
                    self.simple_records(layout, text);
                    Ok(())
                }
                _ => self.records(layout, &mut chunk::reader(bytes.as_slice())),
            }
        })
    }

    fn simple_records(&mut self, layout: &Layout, text: &str) {
        self.input.reports.insert(layout.table, layout.mask);
        self.input.ignored_columns.clone_from(&layout.ignored);
        if let Some(rows) = self.regular_records(layout, text) {
            self.input.read += u64::from(rows);
            return;
        }
        self.texts = Interner::for_input(text.len());
        let mut builder = Builder::new(layout.table, self.zone);
        let mut fields: Vec<&str> = Vec::with_capacity(layout.columns.len());
        let mut start = 0;
        let ends = memchr::memchr2_iter(b',', b'\n', text.as_bytes());
        for at in ends.chain((!text.ends_with('\n')).then_some(text.len())) {
            let field = &text[start..at];
            start = at + 1;
            if text.as_bytes().get(at) == Some(&b',') {
                fields.push(field);
                continue;
            }
            fields.push(field.strip_suffix('\r').unwrap_or(field));
            if fields != [""] {
                self.input.read += 1;
                match self.csv_row(&mut builder, layout, fields.iter().map(|f| Ok(*f))) {
                    Ok(()) => builder.commit(self.index, self.input.read as u32, 0),
                    Err(reason) => {
                        builder.forget();
                        self.reject(
                            &reason,
                            &row_text(fields.iter().map(|f| Cow::Borrowed(*f)), layout.columns.len(), &layout.secret),
                        );
                    }
                }
            }
            fields.clear();
        }
        self.builders.insert(layout.table, builder);
    }

    /// Records that all have the fields of the header, some at a time, column by column: how many there are, or null where one of them
    /// has to be rejected. They are then read again one by one, which says which and why.
    fn regular_records(&mut self, layout: &Layout, text: &str) -> Option<u32> {
        let width = layout.columns.len();
        let mut texts = Interner::for_input(text.len());
        let mut builder = Builder::new(layout.table, self.zone);
        let (mut ends, mut rest, mut rows, mut coming) = (Vec::new(), text, 0, 0);
        while !rest.is_empty() {
            let (some, after) = rest.split_at(whole_lines(rest.as_bytes()));
            ends_of_fields(some.as_bytes(), width, &mut ends)?;
            let here = ends.len() / width;
            if rows == 0 {
                coming = (here as f64 * 1.05 * (text.len() as f64 / some.len() as f64)) as usize;
            }
            for (n, column) in layout.columns.iter().enumerate() {
                let Some(column) = *column else { continue };
                let fields = (0..here).map(|row| {
                    let at = row * width + n;
                    let field = &some[if at == 0 { 0 } else { ends[at - 1] as usize + 1 }..ends[at] as usize];
                    trimmed(if n + 1 == width { field.strip_suffix('\r').unwrap_or(field) } else { field })
                });
                builder.fill(column, fields, coming, &mut texts).ok()?;
            }
            rows += here;
            rest = after;
        }
        let rows = u32::try_from(rows).ok()?;
        builder.close(self.index, rows)?;
        self.texts = texts;
        self.builders.insert(layout.table, builder);
        Some(rows)
    }

    fn records<R: std::io::Read>(&mut self, layout: &Layout, reader: &mut csv::Reader<R>) -> Result<(), Broken> {
        self.input.reports.insert(layout.table, layout.mask);
        self.input.ignored_columns.clone_from(&layout.ignored);
        let mut builder = Builder::new(layout.table, self.zone);
        let mut record = csv::ByteRecord::new();
        while reader.read_byte_record(&mut record).map_err(|e| (self.input.read, e.to_string()))? {
            self.input.read += 1;
            let fields = record.iter().map(|f| std::str::from_utf8(f).map_err(|_| "bad-encoding".to_owned()));
            match self.csv_row(&mut builder, layout, fields) {
                Ok(()) => builder.commit(self.index, self.input.read as u32, 0),
                Err(reason) => {
                    builder.forget();
                    let fields = record.iter().map(String::from_utf8_lossy);
                    self.reject(&reason, &row_text(fields, layout.columns.len(), &layout.secret));
                }
            }
        }
        self.builders.insert(layout.table, builder);
        Ok(())
    }

    fn csv_row<'a>(
        &mut self,
        builder: &mut Builder,
        layout: &Layout,
        fields: impl ExactSizeIterator<Item = Result<&'a str, String>>,
    ) -> Result<(), String> {
        if fields.len() != layout.columns.len() {
            return Err("wrong-number-of-fields".to_owned());
        }
        for (field, column) in fields.zip(&layout.columns) {
            let Some(column) = *column else { continue };
            let text = trimmed(field?);
            if !text.is_empty() {
                builder.put(column, &Cell::Text(text), &mut self.texts).map_err(|_| bad(layout.table, column))?;
            }
        }
        builder.lacks().map_or(Ok(()), |c| Err(format!("missing-{c}")))
    }

    fn canonical_json(&mut self, table: Table, mut reader: Source) -> Result<(), Broken> {
        let mut builder = Builder::new(table, self.zone);
        let mut mask = 0u32;
        let mut ignored = std::collections::BTreeSet::new();
        let done = json::for_each(&mut reader, None, &mut |piece| {
            self.input.read += 1;
            match piece {
                json::Piece::Broken(bytes) => self.reject("bad-json", &String::from_utf8_lossy(bytes)),
                json::Piece::Record(bytes) => match self.json_row(&mut builder, bytes, &mut mask, &mut ignored) {
                    Ok(()) => builder.commit(self.index, self.input.read as u32, 0),
                    Err(reason) => {
                        builder.forget();
                        self.reject(&reason, &String::from_utf8_lossy(bytes));
                    }
                },
            }
            ControlFlow::Continue(())
        });
        done.map_err(|e| (self.input.read, e.to_string()))?;
        self.input.reports.insert(table, mask);
        self.input.ignored_columns = ignored.into_iter().collect();
        self.builders.insert(table, builder);
        Ok(())
    }

    fn json_row(
        &mut self,
        builder: &mut Builder,
        bytes: &[u8],
        mask: &mut u32,
        ignored: &mut std::collections::BTreeSet<String>,
    ) -> Result<(), String> {
        let value: Value = serde_json::from_slice(bytes).map_err(|_| "bad-json".to_owned())?;
        let Value::Object(members) = value else { return Err("bad-json".to_owned()) };
        let table = builder.rows.table;
        let mut failed = None;
        for (key, value) in &members {
            let name = fold(key);
            let Some(column) = table.column_at(self.breadth, &name) else {
                ignored.insert(name);
                continue;
            };
            *mask |= 1 << column;
            if builder.is_set(column) || failed.is_some() {
                continue;
            }
            if put_json(builder, column, value, &mut self.texts).is_err() {
                failed = Some(bad(table, column));
            }
        }
        match failed {
            Some(reason) => Err(reason),
            None => builder.lacks().map_or(Ok(()), |c| Err(format!("missing-{c}"))),
        }
    }

    fn prepare(&mut self, mapping: &SourceMapping) {
        for (table, mask) in mapping.masks() {
            self.input.reports.insert(table, mask);
            self.builders.entry(table).or_insert_with(|| Builder::new(table, self.zone));
        }
        // As of canonical tables: only what is in it is known to be shown.
        if !mapping.excerpt {
            self.input.can_show.clone_from(&mapping.can_show);
        }
        self.input.repeats.clone_from(&mapping.repeats);
        self.input.renders.clone_from(&mapping.renders);
    }

    /// A file that is trusted by its name; null where it is not what it was taken for, or cannot be read at once.
    fn small_json(
        &mut self,
        mapping: &SourceMapping,
        shape: &Shape,
        disk: &Path,
        digest: &Digest<'_>,
    ) -> Option<Result<(), Broken>> {
        thread_local! {
            static FILE: RefCell<(Vec<u8>, Vec<u8>)> = const { RefCell::new((Vec::new(), Vec::new())) };
        }
        let (mut raw, mut text) = FILE.take();
        let read = container::small_json(disk, &mut raw, &mut text);
        let alike = read.is_ok_and(|small| small) && inventory::begins_as(mapping, shape, &text, &mut self.hand);
        let done = alike.then(|| {
            self.digest = digest(&raw);
            self.source_json(mapping, shape, json::From::Held(&mut text))
        });
        FILE.replace((raw, text));
        done
    }

    fn source_json(&mut self, mapping: &SourceMapping, shape: &Shape, from: json::From<'_>) -> Result<(), Broken> {
        let envelope = shape.envelope.as_deref();
        if envelope.is_none() {
            return match from {
                json::From::Reader(reader) => self.source_lines(mapping, reader, lines::Irregular::Split),
                json::From::Held(text) => self.source_lines(mapping, &mut text.as_slice(), lines::Irregular::Split),
            }
            .map(drop);
        }
        self.prepare(mapping);
        let mut hand = std::mem::take(&mut self.hand);
        let (setting, quick) = (self.setting.clone(), self.takes_quick(mapping));
        // Both ways count the records of one decoder, by turns.
        let decoder = RefCell::new(self);
        let done = json::for_each_taking(
            from,
            envelope,
            &mut |bytes, is_record| {
                let (length, quick) = mapping.quick(bytes, Extent::First, &mut hand, &setting).filter(|_| quick)?;
                let record = bytes.get(..length).filter(|record| is_record(record))?;
                let mut decoder = decoder.borrow_mut();
                decoder.input.read += 1;
                decoder.quick_record(quick, &|| String::from_utf8_lossy(record).into_owned());
                Some(length)
            },
            &mut |piece| {
                decoder.borrow_mut().source_piece(mapping, &piece);
                ControlFlow::Continue(())
            },
        );
        let decoder = decoder.into_inner();
        decoder.hand = hand;
        done.map_err(|e| (decoder.input.read, e.to_string()))
    }

    /// What the mapping looks at; all of a record that stands inside another.
    fn read_json(&self, mapping: &SourceMapping, bytes: &[u8]) -> serde_json::Result<Value> {
        match self.shape.carrier {
            None => mapping.read_json(bytes),
            Some(_) => serde_json::from_slice(bytes),
        }
    }

    fn source_piece(&mut self, mapping: &SourceMapping, piece: &json::Piece<'_>) {
        self.input.read += 1;
        match piece {
            json::Piece::Broken(bytes) => self.reject("bad-json", &String::from_utf8_lossy(bytes)),
            json::Piece::Record(bytes) => match self.read_json(mapping, bytes) {
                Ok(value) => self.source_record(mapping, &value, &|| String::from_utf8_lossy(bytes).into_owned()),
                Err(_) => self.reject("bad-json", &String::from_utf8_lossy(bytes)),
            },
        }
    }

    /// Whether records may be mapped where they lie.
    fn takes_quick(&self, mapping: &SourceMapping) -> bool {
        self.shape.carrier.is_none() && self.possible.is_none() && mapping.is_quick()
    }

    /// Whether a line could be mapped where it lies.
    fn quick_line(&mut self, mapping: &SourceMapping, line: &[u8], hand: &mut Hand, setting: &Setting) -> bool {
        let Some((_, quick)) = mapping.quick(line, Extent::Whole, hand, setting) else { return false };
        self.input.read += 1;
        self.quick_record(quick, &|| String::from_utf8_lossy(line).into_owned());
        true
    }

    /// Events that nothing is wanted of are judged by their name, once a name.
    ///
    /// The answer is where reading stopped, as of [`lines::for_each`].
    fn source_lines(
        &mut self,
        mapping: &SourceMapping,
        reader: &mut dyn Read,
        irregular: lines::Irregular,
    ) -> Result<Option<u64>, Broken> {
        self.prepare(mapping);
        let (key, keys) = mapping.glance().unzip();
        let glance = key.map(|name| lines::Glance::new(name, &keys.unwrap_or_default()));
        let key = key.unwrap_or_default();
        /// Why records of a name are out of scope, and how many there were; null where they are wanted.
        type Passed = Option<(String, u64)>;
        let mut names: hashbrown::HashMap<String, Passed> = hashbrown::HashMap::new();
        let (mut hand, setting, quick) =
            (std::mem::take(&mut self.hand), self.setting.clone(), self.takes_quick(mapping));
        let mut passed_over = 0;
        let done = lines::for_each(reader, glance.as_ref(), irregular, &mut |line| match line {
            lines::Line::Piece(piece) => {
                self.source_piece(mapping, &piece);
                lines::Wanted::No
            }
            lines::Line::Whole(line) if quick && self.quick_line(mapping, line, &mut hand, &setting) => {
                lines::Wanted::No
            }
            lines::Line::Whole(line) => match self.read_json(mapping, line) {
                Ok(value) => {
                    self.input.read += 1;
                    self.source_record(mapping, &value, &|| String::from_utf8_lossy(line).into_owned());
                    lines::Wanted::No
                }
                Err(_) => lines::Wanted::Yes,
            },
            lines::Line::Name(name) => {
                if !names.contains_key(name) {
                    let passed = if mapping.wants(name) { None } else { self.reason_of_name(mapping, key, name) };
                    names.insert(name.to_owned(), passed.map(|reason| (reason, 0)));
                }
                match names.get(name) {
                    Some(Some(_)) => lines::Wanted::No,
                    _ => lines::Wanted::Yes,
                }
            }
            lines::Line::Passed(name, line) => {
                match names.get_mut(name) {
                    Some(Some((_, n))) => {
                        passed_over += 1;
                        // Where it turns out to be broken, its name still said that nothing is wanted of it.
                        if (passed_over <= self.looked_at.0 || passed_over.is_multiple_of(self.looked_at.1))
                            && let Ok(value) = mapping.read_json(line)
                        {
                            let mapped = mapping.apply_in(&value, &self.setting);
                            self.pass(mapped.occurred_at.as_deref(), mapped.system.as_deref());
                        }
                        *n += 1;
                        self.input.read += 1;
                        lines::Wanted::No
                    }
                    _ => lines::Wanted::Yes,
                }
            }
        });
        self.hand = hand;
        // Sorted, though sums do not depend on the order: hash order must not reach anything.
        let mut passed: Vec<(String, u64)> = names.into_values().flatten().collect();
        passed.sort();
        for (reason, n) in passed {
            if n > 0 {
                self.input.out_of_scope += n;
                *self.input.out_of_scope_reasons.entry(reason).or_default() += n;
            }
        }
        done.map_err(|e| (self.input.read, e.to_string()))
    }

    /// Why an event of this name is out of scope, its name being all that matters; null when it is not.
    fn reason_of_name(&mut self, mapping: &SourceMapping, key: &str, name: &str) -> Option<String> {
        let record = Value::Object([(key.to_owned(), Value::from(name))].into_iter().collect());
        let mapped = mapping.apply_in(&record, &self.setting);
        let MappedOutcome::OutOfScope(reason) = mapped.outcome else { return None };
        self.input.systems.extend(mapped.system.as_deref().map(|system| fold(&excerpt::id(system))));
        Some(excerpt::prose(&reason).into_owned())
    }

    fn source_csv(&mut self, mapping: &SourceMapping, reader: Source) -> Result<(), Broken> {
        self.prepare(mapping);
        self.setting.tabular = true;
        let Some((mut reader, header)) = open_csv(reader)? else { return Ok(()) };
        let header = mapping.header(&header);
        let secret = secret_fields(&header);
        let mut record = csv::ByteRecord::new();
        while reader.read_byte_record(&mut record).map_err(|e| (self.input.read, e.to_string()))? {
            self.input.read += 1;
            let text = || row_text(record.iter().map(String::from_utf8_lossy), header.len(), &secret);
            if record.len() != header.len() {
                self.reject("wrong-number-of-fields", &text());
                continue;
            }
            // With replacement characters two names could become one.
            let cells: Result<Vec<&str>, _> = record.iter().map(std::str::from_utf8).collect();
            let Ok(cells) = cells else {
                self.reject("bad-encoding", &text());
                continue;
            };
            self.source_record(mapping, &tabular(&header, &cells), &text);
        }
        Ok(())
    }

    fn order_is(&mut self, order: Option<DateOrder>) {
        self.setting.habit.order = order;
        let said = match order {
            Some(DateOrder::Dmy) => "; its numeric dates can only be day first",
            Some(DateOrder::Mdy) => "; its numeric dates can only be month first",
            Some(DateOrder::Ymd) | None => return,
        };
        self.input.recognised_by.push_str(said);
    }

    /// Notes when a record happened that was left out.
    fn pass(&mut self, occurred_at: Option<&str>, system: Option<&str>) {
        let Some(text) = occurred_at else { return };
        let at = match time::parse_instant(text.trim().as_bytes()) {
            Some(ParsedInstant::Utc(at)) => at,
            Some(ParsedInstant::Naive(local)) => time::resolve_naive(local, self.zone),
            None => return,
        };
        let passed = &mut self.tally.passed;
        let known = passed.iter().rposition(|(of, _)| of.as_deref() == system);
        let known = known.unwrap_or_else(|| {
            if passed.len() >= MOST_SYSTEMS {
                flush_passed(passed, self.system.as_deref(), &mut self.input);
            }
            passed.push((system.map(str::to_owned), Hours::default()));
            passed.len() - 1
        });
        passed[known].1.see(at);
    }

    fn note_system(&mut self, system: Option<&str>) {
        if let Some(system) = system
            && !self.tally.systems.contains(system)
        {
            self.tally.systems.insert(system.to_owned());
            self.input.systems.insert(fold(&excerpt::id(system)));
        }
    }

    /// As [`Decoder::leave_out`]; the reason is brought to its final form with all that share it.
    fn leave_out_as(&mut self, reason: &str) {
        match self.tally.left_out.get_mut(reason) {
            Some(n) => *n += 1,
            None => {
                self.tally.left_out.insert(reason.to_owned(), 1);
            }
        }
    }

    /// What was counted becomes part of the input.
    fn flush(&mut self) {
        // Sorted, though sums do not depend on the order: hash order must not reach anything.
        let mut left_out: Vec<(String, u64)> = self.tally.left_out.drain().collect();
        left_out.sort();
        for (reason, n) in left_out {
            self.input.out_of_scope += n;
            *self.input.out_of_scope_reasons.entry(excerpt::prose(&reason).into_owned()).or_default() += n;
        }
        flush_passed(&mut self.tally.passed, self.system.as_deref(), &mut self.input);
    }

    /// A record that was mapped where it lies.
    fn quick_record(&mut self, quick: Quick<'_>, text: &dyn Fn() -> String) {
        self.note_system(quick.system.as_deref());
        self.pass(quick.occurred_at.as_deref(), quick.system.as_deref());
        match quick.outcome {
            QuickOutcome::OutOfScope(reason) => self.leave_out_as(&reason),
            QuickOutcome::Reject(reason) => self.reject(&reason, &text()),
            QuickOutcome::Rows(rows) => self.quick_rows(rows, text),
        }
    }

    fn quick_rows(&mut self, mut found: QuickRows<'_>, text: &dyn Fn() -> String) {
        let several = found.rows.len() > 1;
        for row in &found.rows {
            match self.seen.get_mut(&row.table) {
                Some(seen) => *seen |= row.seen,
                None => {
                    self.seen.insert(row.table, row.seen);
                }
            }
        }
        let record = self.number();
        if let Some(row) = found.rows.iter().find(|row| !row.repeats.is_empty()) {
            self.input.asides.insert(record, row.repeats.to_vec());
        }
        for row in &found.rows {
            let columns = row.table.columns();
            for (column, cell) in &mut found.cells[row.cells.clone()] {
                // What is no text becomes a number, or is refused.
                if is_textual(columns[*column].ty)
                    && let Cow::Owned(clean) = excerpt::id(cell)
                {
                    *cell = Cow::Owned(clean);
                }
            }
        }
        for row in &found.rows {
            if let Err(reason) = self.put(row, &found, Put::Checked) {
                return self.reject(&reason, &text());
            }
            if several {
                self.builders.get_mut(&row.table).expect("every table of the mapping has a builder").forget();
            }
        }
        if several {
            self.input.expect_several(record);
        }
        for row in &found.rows {
            if several {
                self.put(row, &found, Put::Checked).expect("it was tried just above");
            }
            self.put(row, &found, Put::Texts).expect("a text is always taken");
            let builder = self.builders.get_mut(&row.table).expect("every table of the mapping has a builder");
            builder.commit(self.index, record, row.reports);
        }
    }

    /// Puts some cells of a row. Texts go last, and only of a row that stands: no text is kept of one that does not.
    fn put(&mut self, row: &QuickRow<'_>, found: &QuickRows<'_>, which: Put) -> Result<(), String> {
        let table = row.table;
        let columns = table.columns();
        let builder = self.builders.get_mut(&table).expect("every table of the mapping has a builder");
        let own = self.system.as_deref().zip(table.column("system"));
        let cells = found.cells[row.cells.clone()].iter().map(|(column, cell)| (*column, trimmed(cell)));
        let cells = cells.filter(|(column, _)| own.is_none_or(|(_, system)| *column != system));
        let mut coming = 0;
        for (column, cell) in cells.chain(own.map(|(system, column)| (column, system.trim()))) {
            if cell.is_empty() {
                continue;
            }
            let textual = is_textual(columns[column].ty);
            coming |= u32::from(textual) << column;
            let put = match which {
                Put::Checked => !textual,
                Put::Texts => textual,
            };
            if put && builder.put(column, &Cell::Text(cell), &mut self.texts).is_err() {
                builder.forget();
                return Err(bad(table, column));
            }
        }
        match builder.lacks_beside(coming) {
            Some(column) => {
                builder.forget();
                Err(format!("missing-{column}"))
            }
            None => Ok(()),
        }
    }

    fn source_record(&mut self, mapping: &SourceMapping, value: &Value, text: &dyn Fn() -> String) {
        match self.shape.carrier.and_then(|carrier| carrier.inner(value)) {
            Some(inner) => self.bare_record(mapping, &inner, text),
            None => self.bare_record(mapping, value, text),
        }
    }

    fn bare_record(&mut self, mapping: &SourceMapping, value: &Value, text: &dyn Fn() -> String) {
        if let Some(possible) = &mut self.possible {
            for (day_first, month_first) in mapping.undecided(value, &self.setting).iter().filter_map(|t| orders(t)) {
                *possible = (possible.0 && day_first, possible.1 && month_first);
            }
            return;
        }
        let mapped = mapping.apply_in(value, &self.setting);
        self.note_system(mapped.system.as_deref());
        self.pass(mapped.occurred_at.as_deref(), mapped.system.as_deref());
        let rows = match mapped.outcome {
            MappedOutcome::OutOfScope(reason) => return self.leave_out(&excerpt::prose(&reason)),
            MappedOutcome::Reject(reason) => return self.reject(&reason, &text()),
            MappedOutcome::Rows(rows) => rows,
        };
        // All or nothing: half a record would be neither accepted nor rejected.
        let mut ready: Vec<ReadyRow> = Vec::new();
        let asides = rows.iter().find(|row| !row.repeats.is_empty()).map(|row| row.repeats.clone());
        for row in rows {
            let table = Table::named(row.table).expect("a mapping names canonical tables, which lint checks");
            *self.seen.entry(table).or_default() |= row.seen;
            let clean = |(name, cell): (String, String)| {
                let column = table.column(&name)?;
                Some((column, excerpt::id(&cell).into_owned()))
            };
            let mut cells: Vec<(usize, String)> = row.cells.into_iter().filter_map(clean).collect();
            let system = table.column("system");
            if let (Some(system), Some(column)) = (&self.system, system) {
                cells.retain(|(c, _)| *c != column);
                cells.push((column, system.clone()));
            }
            let columns = mapping.reports(row.reported).iter().filter_map(|c| table.column(c));
            ready.push((table, columns.fold(0, |m, c| m | 1 << c), cells));
        }
        let record = self.number();
        if let Some(repeats) = asides {
            self.input.asides.insert(record, repeats);
        }
        let mut trial = Interner::default();
        for (table, _, cells) in &ready {
            let builder = self.builders.get_mut(table).expect("every table of the mapping has a builder");
            let mut failed = None;
            for (column, cell) in cells {
                let cell = cell.trim();
                if !cell.is_empty() && builder.put(*column, &Cell::Text(cell), &mut trial).is_err() {
                    failed = Some(bad(*table, *column));
                    break;
                }
            }
            let failed = failed.or_else(|| builder.lacks().map(|c| format!("missing-{c}")));
            builder.forget();
            if let Some(reason) = failed {
                return self.reject(&reason, &text());
            }
        }
        if ready.len() > 1 {
            self.input.expect_several(record);
        }
        for (table, reported, cells) in &ready {
            let builder = self.builders.get_mut(table).expect("every table of the mapping has a builder");
            for (column, cell) in cells {
                let cell = cell.trim();
                if !cell.is_empty() {
                    builder.put(*column, &Cell::Text(cell), &mut self.texts).expect("it was tried just above");
                }
            }
            builder.commit(self.index, record, *reported);
        }
        if ready.is_empty() {
            self.leave_out("nothing to map");
        }
    }

    fn finish(mut self) -> Part {
        // A source mapping says row by row what it reports.
        let by_row = self.input.mapping != "canonical";
        let reports = self.input.reports.clone();
        self.close();
        let mask = |table: &Table| if by_row { 0 } else { reports.get(table).copied().unwrap_or(0) };
        Part {
            files: self.done,
            irregular_at: self.irregular_at,
            texts: self.texts.seal(),
            rows: self.builders.into_iter().map(|(table, builder)| builder.finish(mask(&table))).collect(),
            rejected: self.rejected,
        }
    }
}

/// The records of a CSV file behind its header line, and that line folded; null for a file without one.
fn open_csv(reader: Source) -> Result<Option<Csv>, Broken> {
    let mut reader = chunk::reader(reader);
    let mut record = csv::ByteRecord::new();
    if !reader.read_byte_record(&mut record).map_err(|e| (0, e.to_string()))? {
        return Ok(None);
    }
    let header = record.iter().map(|f| fold(&String::from_utf8_lossy(f))).collect();
    Ok(Some((reader, header)))
}

fn secret_fields(header: &[String]) -> Vec<usize> {
    header.iter().enumerate().filter(|(_, name)| excerpt::names_a_secret(name)).map(|(n, _)| n).collect()
}

/// A row as it may be listed: what stands in a column of secrets is left out, which it says. Of a row of another width nobody knows
/// what stands where.
fn row_text<'a>(fields: impl Iterator<Item = Cow<'a, str>>, width: usize, secret: &[usize]) -> String {
    let mut fields: Vec<Cow<'_, str>> = fields.collect();
    if !secret.is_empty() && fields.len() != width {
        return format!("{} fields, not shown: the header names a column of secrets", fields.len());
    }
    secret.iter().for_each(|n| fields[*n] = Cow::Borrowed("[removed]"));
    fields.join(",")
}

/// A row as a record: a header that stands several times holds what is there of each.
fn tabular(header: &[String], cells: &[&str]) -> Value {
    let mut object = serde_json::Map::with_capacity(header.len());
    for (name, cell) in header.iter().zip(cells) {
        match object.get_mut(name) {
            None => {
                object.insert(name.clone(), Value::from(*cell));
            }
            Some(Value::Array(list)) => list.push(Value::from(*cell)),
            Some(first) => {
                let both = vec![first.take(), Value::from(*cell)];
                *first = Value::Array(both);
            }
        }
    }
    Value::Object(object)
}

/// Bytes whose fields are gone through column by column: they are looked at once for each column, and stay in the cache.
const AT_ONCE: usize = 96 << 10;

/// As many whole lines as are looked at at once, in bytes.
fn whole_lines(text: &[u8]) -> usize {
    let Some(first) = text.get(..AT_ONCE) else { return text.len() };
    match memchr::memrchr(b'\n', first) {
        Some(end) => end + 1,
        None => memchr::memchr(b'\n', text).map_or(text.len(), |end| end + 1),
    }
}

/// Where the fields of records without quotes end; null unless each of them has so many.
fn ends_of_fields(text: &[u8], width: usize, ends: &mut Vec<u32>) -> Option<()> {
    ends.clear();
    let mut left = width;
    for at in memchr::memchr2_iter(b',', b'\n', text) {
        left -= 1;
        if (text[at] == b'\n') != (left == 0) {
            return None;
        }
        if left == 0 {
            left = width;
        }
        ends.push(at as u32);
    }
    if text.last().is_some_and(|last| *last != b'\n') {
        left -= 1;
        ends.push(text.len() as u32);
    }
    // A header of one field says nothing of blank lines.
    (width > 1 && u32::try_from(text.len()).is_ok() && (left == width || left == 0)).then_some(())
}

fn is_textual(ty: Type) -> bool {
    matches!(ty, Type::Text | Type::Alias | Type::Folded | Type::List)
}

/// Most cells begin and end with a visible character; only others need the full rule of white space.
fn trimmed(text: &str) -> &str {
    match text.as_bytes() {
        [0x21..=0x7e] | [0x21..=0x7e, .., 0x21..=0x7e] => text,
        _ => text.trim(),
    }
}

fn bad(table: Table, column: usize) -> String {
    format!("bad-{}", table.columns()[column].name)
}

fn put_json(
    builder: &mut Builder,
    column: usize,
    value: &Value,
    texts: &mut Interner,
) -> Result<(), crate::rows::BadCell> {
    let scalar = |value: &Value| match value {
        Value::String(s) => s.trim().to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    match value {
        Value::Null => Ok(()),
        Value::Object(members) if members.is_empty() => Ok(()),
        Value::Object(_) => builder.put(column, &Cell::Other, texts),
        Value::Array(items) if items.is_empty() => Ok(()),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(scalar).collect();
            builder.put(column, &Cell::List(&items), texts)
        }
        Value::String(s) => match s.trim() {
            "" => Ok(()),
            text => builder.put(column, &Cell::Text(text), texts),
        },
        other => builder.put(column, &Cell::Text(&scalar(other)), texts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mappings::Mappings;

    /// Everything a reading says, in words: numbers of texts may differ, what they stand for may not.
    fn said(reading: &Reading) -> String {
        // Which of the lines that are passed over are looked at for their time depends on the pieces; those, on the file alone.
        let clear = |input: &Input| Input { passed: BTreeMap::new(), ..input.clone() };
        let inputs: Vec<Input> = reading.inputs.iter().map(clear).collect();
        let mut out = format!("{inputs:?}\n{:?}\n{:?}\n", reading.skipped, reading.rejected);
        for (table, rows) in &reading.tables {
            for row in 0..rows.len() {
                let cells = (0..table.columns().len()).map(|c| rows.canonical(c, row, |id| reading.texts.get(id)));
                let cells: Vec<_> = cells.collect();
                let place = (rows.file(row), rows.record(row), rows.reported(row));
                out.push_str(&format!("{} {place:?} {cells:?}\n", table.name()));
            }
        }
        out
    }

    /// A log of which some lines are not wanted, some are broken, some lack what others have.
    fn okta(n: u32) -> String {
        let name = ["user.account.reset_password", "user.session.start", "policy.lifecycle.update"][n as usize % 3];
        let client = if n < 40 { "" } else { ",\"client\":{\"ipAddress\":\"192.0.2.7\"}" };
        let end = if n % 41 == 7 { ",\"x\":nope}" } else { "}" };
        format!(
            "{{\"uuid\":\"u{n}\",\"published\":\"2026-07-01T10:{:02}:00Z\",\"eventType\":\"{name}\",\"actor\":{{\"id\":\"a\",\
             \"type\":\"User\",\"alternateId\":\"desk@example.com\"}},\"target\":[{{\"id\":\"t\",\"type\":\"User\",\
             \"alternateId\":\"user{}@example.com\"}}],\"outcome\":{{\"result\":\"SUCCESS\"}}{client}{end}\n",
            n % 60,
            n % 13
        )
    }

    fn read_folder(folder: &Path, sizes: Sizes, threads: usize) -> String {
        let config = Config::default();
        let mappings = Mappings::load(&[]).expect("the shipped ones");
        let inventory = Inventory::take(&[folder.to_owned()], &config, &mappings).expect("readable");
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        said(&pool.install(|| read_in(inventory, &config, &|_| (), &|_| None, sizes)).expect("read"))
    }

    #[test]
    fn lines_that_are_no_objects_do_not_show_where_a_log_was_cut() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let lines = |range: Range<u32>| range.map(okta).collect::<String>();
        let put = |name: &str, text: String| std::fs::write(folder.path().join(name), text).expect("written");
        let odd = [
            "{\"a\":\n1}\n",
            "[{\"uuid\":\"x\"}]\n",
            " {\"uuid\":\"indented\"}\n",
            "{\"uuid\":\"comma\"},\n",
            "no json\n",
            "{\"uuid\":\n",
            "{\"a\":1}{\"a\":2}\n",
            "\"text\"\n",
        ];
        for (n, odd) in odd.into_iter().enumerate() {
            // At the beginning of a piece of a thousand bytes, or anywhere in one.
            let (before, after) = (lines(0..60 + 7 * n as u32), lines(200..320));
            put(&format!("odd-{n}.jsonl"), format!("{before}{odd}{after}{odd}"));
            let fill = 4096 - (before.len() + 11) % 1024;
            put(&format!("edge-{n}.jsonl"), format!("{before}{{\"x\":\"{}\"}}\n{odd}{after}", "x".repeat(fill)));
        }
        put("crlf.jsonl", lines(0..90).replace('\n', "\r\n"));
        put("mark.jsonl", format!("\u{feff}{}", lines(0..90)));
        put("no-end.jsonl", lines(0..90).trim_end().to_owned());
        put("blank.jsonl", lines(0..90).replace("\n", "\n \r\n\n"));
        put("cut.jsonl", lines(0..90) + &okta(1)[..150]);
        put("cut-behind-a-bracket.jsonl", lines(0..90) + &okta(1)[..okta(1).find('}').expect("one") + 1]);
        let long = okta(3).replace("\"uuid\"", &format!("\"long\":\"{}\",\"uuid\"", "x".repeat(700 << 10)));
        put("long.jsonl", lines(0..90) + &long + &lines(90..120) + "odd\n" + &long);
        put("array.json", format!("[{}]", lines(0..90).trim_end().replace('\n', ",\n")));
        let whole = read_folder(folder.path(), Sizes { chunk: 1 << 40, batch: 1 << 40 }, 1);
        for (chunk, batch, threads) in
            [(1 << 10, 1 << 40, 3), (1 << 10, 1, 1), (5000, 9000, 8), (300 << 10, 1 << 40, 2)]
        {
            assert!(read_folder(folder.path(), Sizes { chunk, batch }, threads) == whole, "{chunk} {batch} {threads}");
        }
        for told in ["indented", "no json", "comma"] {
            assert!(whole.contains(told), "{told}");
        }
    }

    /// The same records read where they lie, and built because some text in each is written with an escape.
    #[test]
    fn records_say_the_same_where_they_lie_and_built() {
        let read = |text: &str, name: &str| {
            let folder = tempfile::tempdir().expect("a temporary folder");
            std::fs::write(folder.path().join(name), text).expect("written");
            let said = read_folder(folder.path(), Sizes { chunk: 1 << 40, batch: 1 << 40 }, 1);
            // Sizes and excerpts are those of the bytes.
            let lines = said.lines().filter(|line| !line.starts_with("[Input") && !line.starts_with("[Rejected"));
            let counts = said.lines().next().and_then(|line| line.split_once("read: ")).expect("an input").1.to_owned();
            (counts, lines.map(str::to_owned).collect::<Vec<_>>())
        };
        let plain: String = (0..200).map(okta).collect();
        let escaped =
            plain.replace("desk@", "d\\u0065sk@").replace("\"user.account.reset", "\"user.\\u0061ccount.reset");
        assert_eq!(read(&plain, "log.jsonl"), read(&escaped, "log.jsonl"));
        let trail = |n: u32, sign: &str| {
            let name = ["UpdateLoginProfile", "GetObject", "CreateAccessKey", "ConsoleLogin"][n as usize % 4];
            let source = if n % 4 == 1 { "s3" } else { "iam" };
            let refused = if n % 5 == 1 { ",\"errorCode\":\"AccessDenied\"" } else { "" };
            let user = if n % 7 == 1 { String::new() } else { format!("\"userName\":\"user{}\"", n % 9) };
            let end = if n % 41 == 7 { ",\"x\":nope}" } else { "}" };
            format!(
                "{{\"eventVersion\":\"1.08\",\"userIdentity\":{{\"type\":\"IAMUser\",\"accountId\":\"123456789012\",\"userName\":\
                 \"{sign}dmin\"}},\"eventTime\":\"2026-07-01T{:02}:00:00Z\",\"eventSource\":\"{source}.{sign}mazonaws.com\",\
                 \"eventName\":\"{name}\",\"awsRegion\":\"us-east-1\",\"requestParameters\":{{{user}}},\"eventID\":\"{n}\",\
                 \"recipientAccountId\":\"123456789012\"{refused}{end}",
                n % 24
            )
        };
        let records = |sign: &str| (0..400).map(|n| trail(n, sign)).collect::<Vec<_>>().join(",\n");
        let around = |sign: &str| format!("{{\"Records\":[{}]}}", records(sign));
        let (lie, built) = (read(&around("a"), "trail.json"), read(&around("\\u0061"), "trail.json"));
        assert_eq!(lie, built);
        assert!(lie.1.len() > 100, "{:?}", lie.0);
    }

    /// Objects of a bucket that one decoder reads give what each gives by itself: its own systems, hours, rejections and zones.
    #[test]
    fn files_in_company_say_what_they_say_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let record = |file: u32, n: u32| {
            let name = ["UpdateLoginProfile", "GetObject", "CreateAccessKey", "ListBuckets"][(file + n) as usize % 4];
            let user = if n % 3 == 1 { "null".to_owned() } else { format!("{{\"userName\":\"user{}\"}}", n % 9) };
            // Broken, without a zone, and built because of an escape: some files hold one such, most none.
            let (zone, end) = match (file % 17, n) {
                (3, 5) => ("Z", ",\"x\":nope}"),
                (5, 6) => ("", "}"),
                (7, 7) => ("Z", ",\"\\u0078\":1}"),
                _ => ("Z", "}"),
            };
            format!(
                "{{\"eventVersion\":\"1.08\",\"userIdentity\":{{\"type\":\"IAMUser\",\"userName\":\"admin\"}},\"eventTime\":\
                 \"2026-07-{:02}T{:02}:00:00{zone}\",\"eventSource\":\"iam.amazonaws.com\",\"eventName\":\"{name}\",\"awsRegion\":\
                 \"us-east-1\",\"requestParameters\":{user},\"eventID\":\"{file}-{n}\",\"recipientAccountId\":\"{:012}\"{end}",
                1 + file % 28,
                n % 24,
                123 + file % 5
            )
        };
        for file in 0..150 {
            let records = (0..12).map(|n| record(file, n)).collect::<Vec<_>>().join(",");
            let text = format!("{{\"Records\":[{records}]}}");
            std::fs::write(folder.path().join(format!("trail-{file}.json")), text).expect("written");
        }
        let config = Config::default();
        let mappings = Mappings::load(&[]).expect("the shipped ones");
        let read = |trust, threads| {
            let paths = [folder.path().to_owned()];
            let inventory = Inventory::take_trusting(&paths, &config, &mappings, trust).expect("readable");
            let trusted = inventory.files.iter().filter(|found| found.by_name).count();
            assert_eq!(trusted, if trust == inventory::Trust::Names { 149 } else { 0 });
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            let sizes = Sizes { chunk: 1 << 20, batch: 1 << 40 };
            said(&pool.install(|| read_in(inventory, &config, &|_| (), &|_| None, sizes)).expect("read"))
        };
        let alone = read(inventory::Trust::Nothing, 1);
        assert!(alone.contains("bad-json") && alone.contains("naive_zone: Some") && alone.contains("naive_zone: None"));
        for threads in [1, 8] {
            assert!(read(inventory::Trust::Names, threads) == alone, "{threads} threads");
        }
    }

    #[test]
    fn neither_pieces_nor_threads_show() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let line = |n: u32, quoted: bool| {
            let reason = match (n % 7, quoted) {
                (0, true) => "\"first line\nsecond \"\"line\"\"\"",
                (1, _) => "café 日本",
                (2, _) => "  ",
                _ => "lockout",
            };
            let at = if n % 97 == 5 { "yesterday".to_owned() } else { format!("2026-07-01T10:{:02}:00Z", n % 60) };
            let more = if n % 101 == 7 { ",one too many" } else { "" };
            let end = if n.is_multiple_of(3) { "\r\n" } else { "\n" };
            format!("evt-{n},{at},Okta,password-reset,CORP\\User{},{reason}{more}{end}", n % 13)
        };
        for (name, quoted) in [("plain.csv", false), ("quoted.csv", true)] {
            let header = "event_id,occurred_at,system,action,target,reason\n".to_owned();
            let text = header + &(0..4000).map(|n| line(n, quoted)).collect::<String>();
            std::fs::write(folder.path().join(name), text).expect("written");
        }
        let mut broken = b"event_id,occurred_at,system,action,target\n".to_vec();
        for n in 0..500_u32 {
            let name: &[u8] = if n % 50 == 3 { b"J\xfcrgen" } else { "Jörg".as_bytes() };
            broken.extend([format!("b{n},2026-07-02T00:00:00Z,ad,mfa-reset,").as_bytes(), name, b"\n"].concat());
        }
        std::fs::write(folder.path().join("latin.csv"), broken).expect("written");
        std::fs::write(folder.path().join("okta.jsonl"), (0..900).map(okta).collect::<String>()).expect("written");
        let config = Config::default();
        let mappings = Mappings::load(&[]).expect("the shipped ones");
        let read = |sizes: Sizes, threads: usize| {
            let inventory = Inventory::take(&[folder.path().to_owned()], &config, &mappings).expect("readable");
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            said(&pool.install(|| read_in(inventory, &config, &|_| (), &|_| None, sizes)).expect("read"))
        };
        let whole = read(Sizes { chunk: 64 << 20, batch: 1 << 40 }, 1);
        assert!(whole.contains("bad-occurred_at") && whole.contains("wrong-number-of-fields"), "{whole:.2000}");
        assert!(whole.contains("bad-encoding") && whole.contains("second \\\"line"), "{whole:.2000}");
        assert!(whole.contains("bad-json") && whole.contains("policy"), "{whole:.2000}");
        for chunk in [1 << 10, 3 << 10, 40_000, 1 << 20] {
            for (batch, threads) in [(1, 1), (100_000, 8), (1 << 40, 3)] {
                let pieces = read(Sizes { chunk, batch }, threads);
                assert!(pieces == whole, "chunk {chunk}, batch {batch}, {threads} threads");
            }
        }
    }
}
