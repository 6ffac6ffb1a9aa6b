//! Windows event logs in their binary form (EVTX), as JSON lines in the shape that `evtx_dump` writes.
//!
//! Chunk by chunk from a stream, so that a log inside gzip needs no disk and memory holds 64 KiB of it. Our own reader because the crate
//! for it switches on features that make Polars compile again; the format is that of [MS-EVEN6] and of chunks of 64 KiB
//! with their own tables of names and templates.

use std::io::{self, Read, Write};

use serde_json::{Map, Value};

use super::element::{DEEPEST, Element};
use super::ldif::{guid, sid};
use super::pump::broken_line;
use crate::time;

/// What a file begins with.
pub(super) const MAGIC: &[u8] = b"ElfFile\0";
const CHUNK: usize = 64 << 10;
const FILE_HEADER: usize = 4096;
const CHUNK_HEADER: usize = 512;
const RECORD_HEADER: usize = 24;
/// Elements and values of one record; a template that repeats a nested value could otherwise grow without end.
const LARGEST: usize = 100_000;
/// 1601 in 100 ns of 1970.
const FILETIME_EPOCH: i64 = 116_444_736_000_000_000;

/// Writes one JSON line a record; of one that cannot be read, a line that is none.
pub(super) fn to_lines(mut from: impl Read, to: &mut dyn Write) -> io::Result<()> {
    let mut header = vec![0; FILE_HEADER];
    if fill(&mut from, &mut header)? < FILE_HEADER {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the event log ends within its header"));
    }
    let mut chunk = vec![0; CHUNK];
    loop {
        let n = fill(&mut from, &mut chunk)?;
        if n < CHUNK_HEADER {
            return Ok(());
        }
        let held = &chunk[..n];
        // The log is allotted in advance; what was never written is zero.
        if held.iter().all(|byte| *byte == 0) {
            continue;
        }
        if !held.starts_with(b"ElfChnk\0") {
            broken_line(to, "a chunk of the event log whose header is damaged")?;
            continue;
        }
        records(held, to)?;
    }
}

fn fill(from: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        match from.read(&mut into[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn records(chunk: &[u8], to: &mut dyn Write) -> io::Result<()> {
    let whole = Cursor { bytes: chunk, at: 48 };
    let free = { whole }.u32().map_or(0, |free| free as usize);
    let end = if (CHUNK_HEADER..=chunk.len()).contains(&free) { free } else { chunk.len() };
    let mut at = CHUNK_HEADER;
    while at + RECORD_HEADER < end {
        let mut cursor = Cursor { bytes: chunk, at: at + 4 };
        let size = cursor.u32().unwrap_or(0) as usize;
        if !chunk[at..].starts_with(b"**\0\0") || size < RECORD_HEADER + 4 || at + size > chunk.len() {
            // Behind the last record of a chunk that says no end there is nothing.
            if chunk[at..end].iter().any(|byte| *byte != 0) {
                broken_line(to, "a record of the event log whose header is damaged; the rest of its chunk is lost")?;
            }
            return Ok(());
        }
        let id = cursor.u64().unwrap_or(0);
        let mut reader = Binary { chunk, left: LARGEST };
        let body = at + RECORD_HEADER..at + size - 4;
        match reader.elements(body, &Within { values: &[], template: false, depth: 0 }) {
            Some(elements) if !elements.is_empty() => {
                let mut line = Map::new();
                for element in elements {
                    line.insert(element.name.clone(), element.json());
                }
                writeln!(to, "{}", Value::Object(line))?;
            }
            _ => broken_line(to, &format!("record {id} of the event log cannot be decoded"))?,
        }
        at += size;
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(n)?)?;
        self.at += n;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|b| b[0])
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    /// UTF-16 text behind its length in units.
    fn counted(&mut self) -> Option<String> {
        let units = usize::from(self.u16()?);
        self.take(units * 2).map(utf16)
    }
}

fn utf16(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    String::from_utf16_lossy(&units).trim_end_matches('\0').to_owned()
}

/// A value of a substitution.
enum Told {
    Nothing,
    Text(String),
    /// Binary XML that stands in the chunk.
    Nested(std::ops::Range<usize>),
}

/// Where a piece of binary XML stands.
struct Within<'v> {
    values: &'v [Told],
    /// Elements of templates carry a further number.
    template: bool,
    depth: usize,
}

struct Binary<'a> {
    chunk: &'a [u8],
    left: usize,
}

/// Elements as they open and close.
#[derive(Default)]
struct Tree {
    open: Vec<Element>,
    done: Vec<Element>,
    attribute: Option<(String, String)>,
}

impl Tree {
    fn text(&mut self, text: &str) {
        match (&mut self.attribute, self.open.last_mut()) {
            (Some((_, value)), _) => value.push_str(text),
            (None, Some(element)) => element.text.push_str(text),
            (None, None) => {}
        }
    }

    fn end_attribute(&mut self) {
        if let (Some((name, value)), Some(element)) = (self.attribute.take(), self.open.last_mut())
            && name != "xmlns"
            && !value.is_empty()
        {
            element.attributes.push((name, value));
        }
    }

    fn close(&mut self) -> Option<()> {
        let element = self.open.pop()?;
        self.give(element);
        Some(())
    }

    fn give(&mut self, element: Element) {
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.done.push(element),
        }
    }
}

impl Binary<'_> {
    fn spend(&mut self, n: usize) -> Option<()> {
        self.left = self.left.checked_sub(n + 1)?;
        Some(())
    }

    /// The elements of a range; none when they are damaged.
    fn elements(&mut self, range: std::ops::Range<usize>, within: &Within<'_>) -> Option<Vec<Element>> {
        if within.depth > DEEPEST {
            return None;
        }
        let mut cursor = Cursor { bytes: self.chunk.get(..range.end)?, at: range.start };
        let mut tree = Tree::default();
        while cursor.at < range.end {
            self.spend(0)?;
            match cursor.u8()? {
                0x00 => break,
                0x0f => {
                    cursor.take(3)?;
                }
                0x0c => {
                    for element in self.instance(&mut cursor, within.depth)? {
                        tree.give(element);
                    }
                }
                token @ (0x01 | 0x41) => {
                    if within.template {
                        cursor.u16()?;
                    }
                    cursor.u32()?;
                    let name = self.name(&mut cursor)?;
                    if token & 0x40 != 0 {
                        cursor.u32()?;
                    }
                    if tree.open.len() > DEEPEST {
                        return None;
                    }
                    tree.open.push(Element { name, ..Element::default() });
                }
                0x02 => tree.end_attribute(),
                0x03 | 0x04 => {
                    tree.end_attribute();
                    tree.close()?;
                }
                0x05 | 0x45 => {
                    let kind = cursor.u8()?;
                    let text = match kind {
                        0x01 => cursor.counted()?,
                        _ => return None,
                    };
                    self.spend(text.len() / 64)?;
                    tree.text(&text);
                }
                0x06 | 0x46 => {
                    tree.end_attribute();
                    tree.attribute = Some((self.name(&mut cursor)?, String::new()));
                }
                0x07 | 0x47 => tree.text(&cursor.counted()?),
                0x08 | 0x48 => {
                    let unit = cursor.u16()?;
                    tree.text(&String::from_utf16_lossy(&[unit]));
                }
                0x09 | 0x49 => {
                    let name = self.name(&mut cursor)?;
                    tree.text(match name.as_str() {
                        "amp" => "&",
                        "lt" => "<",
                        "gt" => ">",
                        "quot" => "\"",
                        "apos" => "'",
                        _ => "",
                    });
                }
                0x0a => {
                    self.name(&mut cursor)?;
                }
                0x0b => {
                    cursor.counted()?;
                }
                0x0d | 0x0e => {
                    let which = usize::from(cursor.u16()?);
                    cursor.u8()?;
                    match within.values.get(which) {
                        Some(Told::Text(text)) => {
                            self.spend(text.len() / 64)?;
                            tree.text(text);
                        }
                        Some(Told::Nested(range)) => {
                            let inner = Within { values: &[], template: false, depth: within.depth + 1 };
                            for element in self.elements(range.clone(), &inner)? {
                                tree.give(element);
                            }
                        }
                        Some(Told::Nothing) | None => {}
                    }
                }
                _ => return None,
            }
        }
        while !tree.open.is_empty() {
            tree.end_attribute();
            tree.close()?;
        }
        Some(tree.done)
    }

    /// A template with the values that belong into it.
    fn instance(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Option<Vec<Element>> {
        cursor.take(5)?;
        let definition = cursor.u32()? as usize;
        let mut header = Cursor { bytes: self.chunk, at: definition };
        header.take(4 + 16)?;
        let size = header.u32()? as usize;
        let body = header.at..header.at.checked_add(size)?;
        // The first use of a template in a chunk brings it along.
        if definition == cursor.at {
            cursor.at = body.end;
        }
        let count = cursor.u32()? as usize;
        let mut kinds = Cursor { bytes: cursor.bytes, at: cursor.at };
        cursor.take(count.checked_mul(4)?)?;
        let mut values = Vec::new();
        for _ in 0..count {
            let (size, kind, _) = (usize::from(kinds.u16()?), kinds.u8()?, kinds.u8()?);
            let at = cursor.at;
            let bytes = cursor.take(size)?;
            self.spend(size / 64)?;
            values.push(match kind {
                0x21 => Told::Nested(at..at + size),
                kind => told(kind, bytes),
            });
        }
        self.elements(body, &Within { values: &values, template: true, depth: depth + 1 })
    }

    /// A name of the chunk's table, which may stand right here.
    fn name(&self, cursor: &mut Cursor<'_>) -> Option<String> {
        let offset = cursor.u32()? as usize;
        let mut there = Cursor { bytes: self.chunk, at: offset.checked_add(6)? };
        let name = there.counted()?;
        if offset == cursor.at {
            cursor.at = there.at + 2;
        }
        Some(name)
    }
}

fn told(kind: u8, bytes: &[u8]) -> Told {
    if bytes.is_empty() {
        return Told::Nothing;
    }
    if kind & 0x80 != 0 {
        return array(kind & 0x7f, bytes);
    }
    let mut cursor = Cursor { bytes, at: 0 };
    let text = match kind {
        0x00 => None,
        0x01 => Some(utf16(bytes)),
        0x02 => Some(String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()),
        0x03 => cursor.u8().map(|n| (n as i8).to_string()),
        0x04 => cursor.u8().map(|n| n.to_string()),
        0x05 => cursor.u16().map(|n| (n as i16).to_string()),
        0x06 => cursor.u16().map(|n| n.to_string()),
        0x07 => cursor.u32().map(|n| (n as i32).to_string()),
        0x08 => cursor.u32().map(|n| n.to_string()),
        0x09 => cursor.u64().map(|n| (n as i64).to_string()),
        0x0a => cursor.u64().map(|n| n.to_string()),
        0x0b => cursor.u32().map(|n| f32::from_bits(n).to_string()),
        0x0c => cursor.u64().map(|n| f64::from_bits(n).to_string()),
        0x0d => Some(bytes.iter().any(|byte| *byte != 0).to_string()),
        0x0e => Some(hex::encode_upper(bytes)),
        0x0f => guid(bytes).map(|text| text.to_uppercase()),
        0x10 | 0x15 if bytes.len() == 8 => cursor.u64().map(|n| format!("0x{n:x}")),
        0x10 | 0x14 => cursor.u32().map(|n| format!("0x{n:x}")),
        0x11 => cursor.u64().and_then(filetime),
        0x12 => systemtime(bytes),
        0x13 => sid(bytes),
        _ => None,
    };
    text.map_or(Told::Nothing, Told::Text)
}

/// Texts joined by commas, numbers too.
fn array(kind: u8, bytes: &[u8]) -> Told {
    let parts: Vec<String> = match kind {
        0x01 => utf16(bytes).split('\0').map(str::to_owned).collect(),
        kind => {
            let size = match kind {
                0x03 | 0x04 => 1,
                0x05 | 0x06 => 2,
                0x07 | 0x08 | 0x0b | 0x0d | 0x14 => 4,
                0x09 | 0x0a | 0x0c | 0x11 | 0x15 => 8,
                0x0f | 0x12 => 16,
                _ => return Told::Nothing,
            };
            let of = |part: &[u8]| match told(kind, part) {
                Told::Text(text) => Some(text),
                Told::Nothing | Told::Nested(_) => None,
            };
            bytes.chunks_exact(size).filter_map(of).collect()
        }
    };
    if parts.is_empty() { Told::Nothing } else { Told::Text(parts.join(",")) }
}

/// With all seven digits of its fraction.
fn filetime(ticks: u64) -> Option<String> {
    let since = i64::try_from(ticks).ok()?.checked_sub(FILETIME_EPOCH)?;
    let seconds = time::format_instant(since.div_euclid(10_000_000) * time::SECOND);
    Some(format!("{}.{:07}Z", seconds.trim_end_matches('Z'), since.rem_euclid(10_000_000)))
}

fn systemtime(bytes: &[u8]) -> Option<String> {
    let mut cursor = Cursor { bytes, at: 0 };
    let mut next = || cursor.u16();
    let (year, month, _, day) = (next()?, next()?, next()?, next()?);
    let (hour, minute, second, milli) = (next()?, next()?, next()?, next()?);
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    fn real() -> Vec<PathBuf> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/real/windows");
        let walk = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().filter_map(Result::ok);
        walk.map(|entry| entry.into_path()).filter(|path| path.extension().is_some_and(|e| e == "evtx")).collect()
    }

    fn lines(bytes: &[u8]) -> Vec<String> {
        let mut out = Vec::new();
        let _ = to_lines(bytes, &mut out);
        String::from_utf8(out).expect("text").lines().map(str::to_owned).collect()
    }

    #[test]
    fn real_logs_give_the_events_that_others_count() {
        let files = real();
        if files.is_empty() {
            eprintln!("skipped: there are no event logs");
            return;
        }
        let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
        for path in files {
            let name = path.file_name().expect("a file").to_string_lossy().into_owned();
            let bytes = std::fs::read(&path).expect("reads");
            for line in lines(&bytes) {
                let Ok(value) = serde_json::from_str::<Value>(&line) else {
                    *counts.entry((name.clone(), "broken".to_owned())).or_default() += 1;
                    continue;
                };
                *counts.entry((name.clone(), "all".to_owned())).or_default() += 1;
                let id = &value["Event"]["System"]["EventID"];
                let id = id.as_str().or_else(|| id["#text"].as_str()).expect("every event has an id").to_owned();
                assert!(value["Event"]["System"]["TimeCreated"]["#attributes"]["SystemTime"].is_string(), "{line}");
                *counts.entry((name.clone(), id)).or_default() += 1;
            }
        }
        // As the tools of others count them.
        let of = |id: &str| counts.get(&("security.evtx".to_owned(), id.to_owned())).copied().unwrap_or_default();
        assert_eq!(
            [
                of("all"),
                of("broken"),
                of("4738"),
                of("4722"),
                of("4724"),
                of("4723"),
                of("4781"),
                of("4624"),
                of("4720")
            ],
            [2261, 0, 10, 2, 1, 1, 14, 583, 2],
            "{counts:?}"
        );
    }

    #[test]
    fn damaged_logs_never_panic() {
        let mut log = vec![0; FILE_HEADER];
        log[..8].copy_from_slice(MAGIC);
        let seeds: Vec<Vec<u8>> = match real().first() {
            Some(path) => {
                let bytes = std::fs::read(path).expect("reads");
                vec![bytes[..bytes.len().min(FILE_HEADER + 2 * CHUNK)].to_vec()]
            }
            None => Vec::new(),
        };
        log.extend_from_slice(b"ElfChnk\0");
        log.resize(FILE_HEADER + CHUNK_HEADER, 0xff);
        log.extend_from_slice(b"**\0\0\x40\0\0\0");
        log.resize(FILE_HEADER + CHUNK, 0x0c);
        let mut state = 7_u64;
        for seed in seeds.iter().chain([&log]) {
            for _ in 0..150 {
                let mut bytes = seed.clone();
                for _ in 0..40 {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let at = FILE_HEADER + (state >> 33) as usize % (bytes.len() - FILE_HEADER);
                    bytes[at] = (state >> 17) as u8;
                }
                let cut = bytes.len() - (state >> 40) as usize % 5_000;
                lines(&bytes[..cut]);
            }
        }
    }
}
