//! Records inside records: what SIEMs, log shippers and container run-times put around a vendor's record, and files in which
//! records of several vendors are mixed.

use std::borrow::Cow;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use serde_json::Value;

use super::mapping::SourceMapping;
use super::{container, json};

/// Members that hold the vendor's record, as an object or as JSON text; looked into, in this order, only where nobody knows the records
/// as they are. Splunk, Elastic, log shippers, Docker, OpenTelemetry, Google Cloud, journald.
const CARRIERS: [Carrier; 17] = [
    Carrier(&["result", "_raw"]),
    Carrier(&["_source", "event", "original"]),
    Carrier(&["_source", "event.original"]),
    Carrier(&["_source", "_raw"]),
    Carrier(&["_source", "message"]),
    Carrier(&["event", "original"]),
    Carrier(&["event.original"]),
    Carrier(&["_raw"]),
    Carrier(&["message"]),
    Carrier(&["_source"]),
    Carrier(&["event"]),
    Carrier(&["result"]),
    Carrier(&["log"]),
    Carrier(&["body"]),
    Carrier(&["jsonPayload"]),
    Carrier(&["MESSAGE"]),
    Carrier(&["raw"]),
];
/// Arrays in which searches of SIEMs give their records, beside those that mappings name.
pub(super) const ENVELOPES: [&str; 2] = ["results", "hits.hits"];
/// A file of less is known by its first records.
pub(super) const SMALL: usize = 64 << 10;
/// Places of a file that are looked at for further sources, and what is read of each.
const PLACES: u64 = 8;
const GLANCE: u64 = 32 << 10;
const LINES: usize = 4;

/// A path of members to the vendor's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carrier(&'static [&'static str]);

impl Carrier {
    pub(super) fn all() -> impl Iterator<Item = Carrier> {
        CARRIERS.into_iter()
    }

    /// The record inside, if there is an object or the JSON text of one.
    pub fn inner<'a>(&self, record: &'a Value) -> Option<Cow<'a, Value>> {
        let mut found = record;
        for key in self.0 {
            found = found.get(key)?;
        }
        match found {
            Value::Object(_) => Some(Cow::Borrowed(found)),
            Value::String(text) if text.trim_start().starts_with('{') => {
                serde_json::from_str::<Value>(text).ok().filter(Value::is_object).map(Cow::Owned)
            }
            _ => None,
        }
    }

    /// In words, for the report.
    pub(super) fn told(&self) -> String {
        format!("each record in `{}`", self.0.join("."))
    }
}

/// Where the records of a JSON file stand, and whose they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// The member that holds the array of records; null where they stand by themselves.
    pub envelope: Option<String>,
    /// What is around each record; null where nothing is.
    pub carrier: Option<Carrier>,
    /// Of a file in which sources are mixed, all of its mappings, in order; empty for others.
    pub among: Vec<usize>,
}

impl Shape {
    /// The vendor's record; the record itself where there is none inside.
    pub fn record<'a>(&self, record: &'a Value) -> Cow<'a, Value> {
        self.carrier.and_then(|carrier| carrier.inner(record)).unwrap_or(Cow::Borrowed(record))
    }

    /// Of a mixed file, whose record this is: the place in `among` of the mapping that asks for most of those that know it. Null where none does.
    pub fn owner(&self, mappings: &[SourceMapping], record: &Value) -> Option<usize> {
        let fitting = self.among.iter().enumerate().filter_map(|(n, m)| Some((mappings[*m].record_weight(record)?, n)));
        fitting.max_by_key(|(weight, n)| (*weight, std::cmp::Reverse(*n))).map(|(_, n)| n)
    }
}

/// Records from further down a file of lines: some lines at some places of what was read of it, and of the file where it can be read
/// from any place.
pub(super) fn further_records(disk: &Path, head: &[u8]) -> Vec<Value> {
    let mut out = Vec::new();
    let step = head.len() / (PLACES as usize + 1);
    for place in 1..=PLACES as usize {
        let from = place * step;
        whole_lines(&head[from..head.len().min(from + GLANCE as usize)], &mut out);
    }
    let mut places = || -> std::io::Result<()> {
        let length = std::fs::metadata(disk)?.len();
        let raw = container::raw_head(disk, 64)?;
        if length <= head.len() as u64 || container::is_packed(&raw) || !head.starts_with(&raw) {
            return Ok(());
        }
        let mut file = File::open(disk)?;
        let mut bytes = Vec::new();
        for place in 1..=PLACES {
            file.seek(SeekFrom::Start(length / (PLACES + 1) * place))?;
            bytes.clear();
            file.by_ref().take(GLANCE).read_to_end(&mut bytes)?;
            whole_lines(&bytes, &mut out);
        }
        Ok(())
    };
    // Reading the file in full is where a fault is told.
    let _ = places();
    out
}

fn whole_lines(bytes: &[u8], out: &mut Vec<Value>) {
    let lines = bytes.split(|b| *b == b'\n').skip(1).map(<[u8]>::trim_ascii);
    let records = lines.filter(|line| line.starts_with(b"{") && line.ends_with(b"}"));
    out.extend(records.filter_map(|line| serde_json::from_slice(line).ok()).take(LINES));
}

/// The first `n` records of the beginning of a file.
pub(super) fn first_records(head: &[u8], envelope: Option<&str>, n: usize) -> Vec<Value> {
    use std::ops::ControlFlow;
    let mut out = Vec::new();
    let mut reader = head;
    // What a cut-off head breaks is not the file's fault: only whole records count here.
    let _ = json::for_each(&mut reader, envelope, &mut |piece| {
        if let json::Piece::Record(bytes) = piece
            && let Ok(value) = serde_json::from_slice(bytes)
        {
            out.push(value);
        }
        if out.len() < n { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    out
}
