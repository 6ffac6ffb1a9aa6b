//! Where a large plain file can be cut, so that its pieces are decoded in parallel.
//!
//! A cut is always the beginning of a record: of JSON Lines and of CSV without a quote that is any line, in CSV with
//! quotes the records are walked once. What stands in a piece is left to the decoder.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use rayon::prelude::*;

/// Bytes of a piece: what a decoder keeps of one (texts, their hash table) stays in the second-level cache.
pub const CHUNK: u64 = 4 << 20;

/// Bytes of a line of JSON up to which a file is cut.
const LONGEST_LINE: u64 = 16 << 20;

thread_local! {
    static BLOCK: std::cell::RefCell<Vec<u8>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// A plain CSV file, cut.
pub struct Cut {
    /// Its header record.
    pub header: Vec<Vec<u8>>,
    /// The pieces behind it, each of whole records.
    pub pieces: Vec<Range<u64>>,
}

/// Cuts a plain (not packed, not transcoded) file of `len` bytes whose text begins at `start`; null for one without a
/// header line.
///
/// # Errors
/// The file cannot be read.
pub fn cut(path: &Path, start: u64, len: u64, chunk: u64) -> io::Result<Option<Cut>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(start))?;
    let mut reader = reader(file);
    let mut record = csv::ByteRecord::new();
    if !reader.read_byte_record(&mut record).map_err(io::Error::other)? {
        return Ok(None);
    }
    let body = start + reader.position().byte();
    let header = record.iter().map(<[u8]>::to_vec).collect();
    let starts: Vec<u64> = (0..).map(|i| body + i * chunk).take_while(|at| *at < len).collect();
    let looked: Vec<Look> =
        starts.par_iter().map(|&at| look(path, at, (at + chunk).min(len))).collect::<Result<_, _>>()?;
    let mut cuts = Vec::with_capacity(starts.len() + 1);
    if looked.iter().any(|l| l.quoted) {
        let mut next = body;
        loop {
            let at = start + reader.position().byte();
            if at >= next {
                cuts.push(at);
                next = at + chunk;
            }
            if !reader.read_byte_record(&mut record).map_err(io::Error::other)? {
                break;
            }
        }
    } else {
        cuts.push(body);
        cuts.extend(looked.iter().skip(1).filter_map(|l| l.line));
    }
    cuts.push(len);
    // A line that fills several pieces begins the next of them for each.
    cuts.dedup();
    let pieces = cuts.windows(2).map(|w| w[0]..w[1]).filter(|r| r.start < r.end).collect();
    Ok(Some(Cut { header, pieces }))
}

/// Cuts a plain file of JSON Lines of `len` bytes whose text begins at `start`; null where there is nothing to cut. Whether each line is one
/// object shows when it is read.
///
/// # Errors
/// The file cannot be read.
pub fn cut_lines(path: &Path, start: u64, len: u64, chunk: u64) -> io::Result<Option<Vec<Range<u64>>>> {
    if len - start <= chunk {
        return Ok(None);
    }
    let starts: Vec<u64> = (1..).map(|i| start + i * chunk).take_while(|at| *at < len).collect();
    let lines: Vec<Option<u64>> =
        starts.par_iter().map(|&at| next_line(path, at, len.min(at + chunk))).collect::<Result<_, _>>()?;
    let mut cuts = vec![start];
    cuts.extend(lines.into_iter().flatten());
    cuts.push(len);
    cuts.dedup();
    let pieces: Vec<Range<u64>> = cuts.windows(2).map(|w| w[0]..w[1]).collect();
    // A line of several pieces' length is left to what reads the file from its beginning.
    if pieces.iter().any(|p| p.end - p.start > (2 * chunk).max(LONGEST_LINE)) {
        return Ok(None);
    }
    Ok(Some(pieces))
}

/// Where the first line begins at or after `at` and before `until`; null when none does.
fn next_line(path: &Path, at: u64, until: u64) -> io::Result<Option<u64>> {
    let mut file = File::open(path)?;
    // One byte back: a place right behind a line feed begins a line.
    let mut from = at - 1;
    file.seek(SeekFrom::Start(from))?;
    let mut block = [0; 8192];
    loop {
        let n = file.read(&mut block)?;
        if n == 0 {
            return Ok(None);
        }
        if let Some(end) = memchr::memchr(b'\n', &block[..n]) {
            return Ok(Some(from + end as u64 + 1).filter(|at| *at < until));
        }
        from += n as u64;
        if from >= until {
            return Ok(None);
        }
    }
}

/// CSV as it is read everywhere: no header handling, rows of any width.
pub fn reader<R: Read>(from: R) -> csv::Reader<R> {
    csv::ReaderBuilder::new().has_headers(false).flexible(true).buffer_capacity(1 << 20).from_reader(from)
}

/// The bytes of a range, put into `into`.
///
/// # Errors
/// The file cannot be read, or it is shorter than it was when it was cut.
pub fn read(path: &Path, range: &Range<u64>, into: &mut Vec<u8>) -> io::Result<()> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(range.start))?;
    let wanted = range.end - range.start;
    into.clear();
    into.reserve(usize::try_from(wanted).map_err(io::Error::other)?);
    if file.take(wanted).read_to_end(into)? as u64 != wanted {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was read"));
    }
    Ok(())
}

struct Look {
    quoted: bool,
    /// Where the first line begins that begins behind the piece's first byte; null when none does.
    line: Option<u64>,
}

fn look(path: &Path, from: u64, to: u64) -> io::Result<Look> {
    BLOCK.with_borrow_mut(|block| {
        // One byte back: a piece that begins right behind a line feed begins a line.
        let range = from.saturating_sub(1)..to;
        read(path, &range, block)?;
        let line = memchr::memchr(b'\n', block).map(|at| range.start + at as u64 + 1);
        Ok(Look { quoted: memchr::memchr(b'"', block).is_some(), line: line.filter(|at| *at < to) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    fn rows(bytes: &[u8]) -> Vec<Vec<Vec<u8>>> {
        let mut reader = reader(bytes);
        reader.byte_records().map(|r| r.expect("in memory").iter().map(<[u8]>::to_vec).collect()).collect()
    }

    #[test]
    fn lines_are_cut_at_line_feeds() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("log.jsonl");
        let text: String = (0..500).map(|n| format!("{{\"n\":{n},\"t\":\"{}\"}}\r\n", "x".repeat(n % 37))).collect();
        for (start, whole) in [("", &text), ("\u{feff}", &text)] {
            std::fs::write(&path, format!("{start}{whole}")).expect("written");
            let (from, len) = (start.len() as u64, (start.len() + whole.len()) as u64);
            for chunk in [1, 7, 64, 1000, len / 2] {
                let pieces = cut_lines(&path, from, len, chunk).expect("read").expect("cut");
                let mut at = from;
                for piece in &pieces {
                    assert_eq!(piece.start, at);
                    at = piece.end;
                    assert!(chunk > 64 || pieces.len() > 20, "{chunk}");
                    let bytes = &whole.as_bytes()[(piece.start - from) as usize..(piece.end - from) as usize];
                    assert!(bytes.starts_with(b"{") && bytes.ends_with(b"\n"));
                }
                assert_eq!(at, len);
            }
            assert_eq!(cut_lines(&path, from, len, len).expect("read"), None, "small enough");
        }
    }

    proptest! {
        #[test]
        fn pieces_hold_the_records_of_the_whole(
            text in "[a,\"\r\n é]{0,300}",
            chunk in 1_u64..80,
            mark in prop::bool::ANY,
        ) {
            let start = if mark { 3 } else { 0 };
            let bytes = [if mark { "\u{feff}".as_bytes() } else { b"" }, text.as_bytes()].concat();
            let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
            file.write_all(&bytes).expect("written");
            let whole = rows(text.as_bytes());
            match cut(file.path(), start, bytes.len() as u64, chunk).expect("cut") {
                None => prop_assert!(whole.is_empty()),
                Some(cut) => {
                    let mut all = vec![cut.header];
                    let mut piece = Vec::new();
                    let mut at = cut.pieces.first().map_or(0, |p| p.start);
                    for range in &cut.pieces {
                        prop_assert_eq!(range.start, at);
                        at = range.end;
                        read(file.path(), range, &mut piece).expect("read");
                        all.extend(rows(&piece));
                    }
                    prop_assert_eq!(all, whole);
                }
            }
        }
    }
}
