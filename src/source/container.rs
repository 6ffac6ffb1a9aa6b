//! From the bytes of a file to its text: gzip and zstd are read through, UTF-16 becomes UTF-8, byte order marks go; what is neither
//! JSON nor CSV becomes one of them.
//!
//! What a file is wrapped in is told by its first bytes, never by its name: exports are renamed, and a browser that
//! unpacks a download keeps the `.gz`. What the text *means* is left to the readers of each format, archives to
//! [`super::inventory`].

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_16BE, UTF_16LE, WINDOWS_1252};
use flate2::bufread::MultiGzDecoder;
use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::delimited::{self, Shape};
use super::pump::pumped;
use super::{evtx, ldif, parquet, syslog, xml};

/// Blocks this large keep the cost of a system call out of sight.
const BLOCK: usize = 1 << 20;

/// Bytes of a text that tell what it is.
const GLANCE: usize = 256 << 10;
/// What a packed file may unpack to whatever its size; a log of a day is less.
const UNPACKED_FREE: u64 = 1 << 30;
/// Beyond that, how many times its size. Logs pack to a tenth, the most repetitive to a fiftieth; a bomb to a thousandth.
const UNPACKED_TIMES: u64 = 100;

/// Opens a file as a stream of text bytes: JSON or CSV, whatever it was.
///
/// gzip (every member of it) and zstd are decompressed; UTF-16 is transcoded to UTF-8, a lone surrogate becoming U+FFFD; the mark
/// of UTF-8 is dropped. Event logs (EVTX), XML, LDIF, syslog and Parquet become JSON lines; tables with other separators or lines above their
/// header become plain CSV, those in Windows-1252 UTF-8. Any other bytes come as they are.
///
/// # Errors
/// The file cannot be opened or read. Compressed data that stops before its end is an error of the reader, after
/// every byte that could be had: its message says that the data ends early. So is data that unpacks to more than 1 GiB and
/// to more than 100 times its size.
pub fn open(path: &Path) -> io::Result<Box<dyn Read + Send>> {
    look(path).map(|(reader, _)| reader)
}

/// What [`open`] does to a file beyond unpacking it, in words; null where it gives the text as it is.
///
/// # Errors
/// As for [`open`].
pub fn manner(path: &Path) -> io::Result<Option<String>> {
    look(path).map(|(_, manner)| manner)
}

type Looked = (Box<dyn Read + Send>, Option<String>);

fn look(path: &Path) -> io::Result<Looked> {
    if raw_head(path, parquet::MAGIC.len())? == parquet::MAGIC {
        let path = path.to_owned();
        return Ok((pumped(move |to| parquet::to_lines(&path, to)), Some("Parquet".to_owned())));
    }
    let (glance, reader) = glance(unpacked(path)?);
    if glance.start.starts_with(evtx::MAGIC) {
        let reader = glance.before(reader);
        return Ok((pumped(move |to| evtx::to_lines(reader, to)), Some("Windows event log (EVTX)".to_owned())));
    }
    dressed(decoded(glance, reader))
}

/// The bytes of a file, decompressed where they are packed.
pub(super) fn unpacked(path: &Path) -> io::Result<Box<dyn Read + Send>> {
    let limit = Limit::of(path)?;
    let file = File::open(path)?;
    // Small objects come by the ten thousands; a block for each would cost more than reading them.
    let len = usize::try_from(file.metadata()?.len()).unwrap_or(BLOCK);
    let mut raw = BufReader::with_capacity(len.clamp(4096, BLOCK), file);
    Ok(match Packing::of(raw.fill_buf()?) {
        Packing::None => Box::new(raw),
        Packing::Gzip => Box::new(Bounded { inner: Named { inner: MultiGzDecoder::new(raw), packing: "gzip" }, limit }),
        Packing::Zstd => {
            let inner = zstd::stream::read::Decoder::with_buffer(raw)?;
            Box::new(Bounded { inner: Named { inner, packing: "zstd" }, limit })
        }
    })
}

/// A small file read at once: its bytes as they lie on disk into `raw`, and its text into `text`. False for one that is not JSON in
/// UTF-8, packed by gzip or not at all, or not so small: [`open`] reads it.
///
/// # Errors
/// The file cannot be opened or read, or what it unpacks to ends early or is damaged.
pub(super) fn small_json(path: &Path, raw: &mut Vec<u8>, text: &mut Vec<u8>) -> io::Result<bool> {
    raw.clear();
    text.clear();
    let mut file = File::open(path)?;
    file.by_ref().take(SMALL + 1).read_to_end(raw)?;
    if raw.len() as u64 > SMALL {
        return Ok(false);
    }
    match Packing::of(raw) {
        Packing::Zstd => return Ok(false),
        Packing::None => text.extend_from_slice(raw),
        Packing::Gzip if INFLATE.with_borrow_mut(|inflate| gunzip(raw, inflate, text).is_some()) => {}
        Packing::Gzip => {
            text.clear();
            MultiGzDecoder::new(raw.as_slice()).take(MOST_OF_SMALL + 1).read_to_end(text)?;
        }
    }
    Ok(text.first() == Some(&b'{') && utf_16(text).is_none() && text.len() as u64 <= MOST_OF_SMALL)
}

thread_local! {
    /// The memory of inflating serves for the next file: fresh for each of ten thousands it stays in pieces that nothing else fits into.
    static INFLATE: RefCell<Decompress> = RefCell::new(Decompress::new(false));
}

/// Unpacks gzip as most programs write it, at once; null where it is written otherwise, or damaged, or no longer small.
fn gunzip(raw: &[u8], inflate: &mut Decompress, text: &mut Vec<u8>) -> Option<()> {
    const NAME: u8 = 8;
    let number = |four: &[u8]| four.try_into().ok().map(u32::from_le_bytes);
    let mut rest = raw;
    // What the last member says that it unpacks to; of a damaged file anything.
    let said = raw.last_chunk::<4>().map_or(0, |four| u32::from_le_bytes(*four)) as usize;
    text.reserve(said.min(raw.len().saturating_mul(64)) + 1);
    while !rest.is_empty() {
        let (head, body) = rest.split_at_checked(10)?;
        rest = match (Packing::of(head), head[3]) {
            (Packing::Gzip, 0) => body,
            (Packing::Gzip, NAME) => &body[memchr::memchr(0, body)? + 1..],
            _ => return None,
        };
        inflate.reset(false);
        let start = text.len();
        loop {
            let before = inflate.total_in();
            let status = inflate.decompress_vec(rest, text, FlushDecompress::Finish).ok()?;
            let taken = usize::try_from(inflate.total_in() - before).ok()?;
            rest = rest.get(taken..)?;
            match status {
                Status::StreamEnd => break,
                _ if text.len() < text.capacity() || text.len() as u64 > MOST_OF_SMALL => return None,
                _ => text.reserve(text.len().max(4096)),
            }
        }
        let (tail, behind) = rest.split_at_checked(8)?;
        let mut sum = Crc::new();
        sum.update(&text[start..]);
        if number(&tail[..4])? != sum.sum() || number(&tail[4..])? != sum.amount() {
            return None;
        }
        rest = behind;
    }
    Some(())
}

/// What is read at once, and what it may unpack to.
const SMALL: u64 = 4 << 20;
const MOST_OF_SMALL: u64 = 64 << 20;

/// The first bytes of a file as they lie on disk.
pub(super) fn raw_head(path: &Path, n: usize) -> io::Result<Vec<u8>> {
    let mut start = Vec::with_capacity(n);
    File::open(path)?.take(n as u64).read_to_end(&mut start)?;
    Ok(start)
}

/// Whether these bytes begin compressed data.
pub(super) fn is_packed(start: &[u8]) -> bool {
    !matches!(Packing::of(start), Packing::None)
}

/// What a packed file may still unpack to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    allowed: u64,
    left: u64,
}

impl Limit {
    pub(super) fn of(path: &Path) -> io::Result<Limit> {
        let allowed = std::fs::metadata(path)?.len().saturating_mul(UNPACKED_TIMES).max(UNPACKED_FREE);
        Ok(Limit { allowed, left: allowed })
    }

    /// Takes `n` bytes off.
    ///
    /// # Errors
    /// There were fewer left.
    pub(super) fn spend(&mut self, n: u64) -> io::Result<()> {
        self.left = self.left.checked_sub(n).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!(
                    "it unpacks to more than {} MiB, which is refused (the limit is {} MiB or {UNPACKED_TIMES} times the size of the file, whichever is more); \
                     unpack it yourself if it is meant to be so large",
                    self.allowed >> 20,
                    UNPACKED_FREE >> 20
                ),
            )
        })?;
        Ok(())
    }
}

struct Bounded<R> {
    inner: R,
    limit: Limit,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(into)?;
        self.limit.spend(n as u64)?;
        Ok(n)
    }
}

/// Where the text of a file begins that can be read from any place: neither packed nor of another encoding or dress. Null for
/// others.
///
/// # Errors
/// The file cannot be opened or read.
pub fn plain_start(path: &Path) -> io::Result<Option<u64>> {
    let start = raw_head(path, GLANCE)?;
    let plain = |text: &[u8]| Kind::of(text) == Kind::Table && !windows_1252(text) && Shape::of(text) == Shape::PLAIN;
    Ok(mark(&start).filter(|mark| plain(&start[*mark..])).map(|mark| mark as u64))
}

/// The same of a file that begins as JSON.
///
/// # Errors
/// The file cannot be opened or read.
pub fn json_start(path: &Path) -> io::Result<Option<u64>> {
    let start = raw_head(path, GLANCE)?;
    let plain = |text: &[u8]| Kind::of(text) == Kind::Json && utf_16(text).is_none();
    Ok(mark(&start).filter(|mark| plain(&start[*mark..])).map(|mark| mark as u64))
}

/// How long the byte order mark is; null of what is packed or UTF-16.
fn mark(start: &[u8]) -> Option<usize> {
    match (Packing::of(start), start) {
        (Packing::None, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) => None,
        (Packing::None, [0xef, 0xbb, 0xbf, ..]) => Some(3),
        (Packing::None, _) => Some(0),
        _ => None,
    }
}

/// What text is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Json,
    Xml,
    Ldif,
    Syslog,
    Table,
    /// No text at all: it comes as it is, for recognition to refuse.
    Binary,
}

impl Kind {
    fn of(text: &[u8]) -> Kind {
        match text.trim_ascii_start().first() {
            Some(b'{' | b'[') => Kind::Json,
            Some(b'<') if syslog::looks_like(text) => Kind::Syslog,
            Some(b'<') => Kind::Xml,
            // Of a table the header decides: a zero in a cell further down, which whoever is logged may have put there, hides no log.
            _ if text.split(|byte| matches!(byte, b'\n' | b'\r')).next().is_some_and(|line| line.contains(&0)) => {
                Kind::Binary
            }
            _ if ldif::looks_like(text) => Kind::Ldif,
            _ if syslog::looks_like(text) => Kind::Syslog,
            _ => Kind::Table,
        }
    }
}

/// Brings text to JSON or to plain CSV.
fn dressed(decoded: Box<dyn Read + Send>) -> io::Result<Looked> {
    let (glance, reader) = glance(decoded);
    let kind = Kind::of(&glance.start);
    let foreign = kind == Kind::Table && windows_1252(&glance.start);
    let shape = if kind == Kind::Table { Shape::of(&glance.start) } else { Shape::PLAIN };
    let mut reader: Box<dyn Read + Send> = Box::new(glance.before(reader));
    if foreign {
        reader = Box::new(Transcoded::new(reader, WINDOWS_1252));
    }
    let buffered = |reader| BufReader::with_capacity(BLOCK, reader);
    let told = |what: &str| Some(what.to_owned());
    Ok(match kind {
        Kind::Json | Kind::Binary => (reader, None),
        Kind::Xml => (pumped(move |to| xml::to_lines(buffered(reader), to)), told("XML")),
        Kind::Ldif => (pumped(move |to| ldif::to_lines(buffered(reader), to)), told("LDIF")),
        Kind::Syslog => (pumped(move |to| syslog::to_lines(buffered(reader), to)), told("syslog")),
        Kind::Table => {
            let encoding = foreign.then(|| "text in Windows-1252".to_owned());
            let manner: Vec<String> = encoding.into_iter().chain(shape.told()).collect();
            let manner = (!manner.is_empty()).then(|| manner.join(", "));
            match shape == Shape::PLAIN {
                true => (reader, manner),
                false => (pumped(move |to| delimited::to_csv(buffered(reader), shape, to)), manner),
            }
        }
    })
}

/// Text that is no UTF-8 anywhere it could be, and nothing but text otherwise. A file with both is UTF-8 with broken cells.
fn windows_1252(text: &[u8]) -> bool {
    let mut foreign = false;
    let mut chunks = text.utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        if !chunk.valid().is_ascii() {
            return false;
        }
        // The glance may end within a character.
        let cut = chunks.peek().is_none() && text.len() == GLANCE;
        foreign |= !chunk.invalid().is_empty() && !cut;
    }
    foreign && !text.iter().any(|byte| *byte < b' ' && !matches!(byte, b'\t' | b'\r' | b'\n'))
}

/// UTF-16 without a mark, told by the zeros of its first letters.
fn utf_16(text: &[u8]) -> Option<&'static Encoding> {
    match text {
        [a, 0, b, 0, ..] if *a != 0 && *b != 0 => Some(UTF_16LE),
        [0, a, 0, b, ..] if *a != 0 && *b != 0 => Some(UTF_16BE),
        _ => None,
    }
}

/// The first `n` bytes of the text of a file, fewer if it is shorter, for recognising what it is.
///
/// # Errors
/// The file cannot be opened, or not one byte of it can be read. A file that breaks off later gives what there is:
/// reading it in full is where that is reported.
pub fn head(path: &Path, n: usize) -> io::Result<Vec<u8>> {
    let mut reader = open(path)?;
    let mut bytes = Vec::with_capacity(n.min(BLOCK));
    match reader.by_ref().take(n as u64).read_to_end(&mut bytes) {
        Err(error) if bytes.is_empty() => Err(error),
        _ => Ok(bytes),
    }
}

#[derive(Clone, Copy)]
enum Packing {
    None,
    Gzip,
    Zstd,
}

impl Packing {
    fn of(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, 0x08, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            // A skippable frame: what pzstd and seekable zstd may begin with.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::None,
        }
    }
}

/// Puts the name of the packing into what a decompressor complains about.
struct Named<R> {
    inner: R,
    packing: &'static str,
}

impl<R: Read> Read for Named<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.inner.read(into).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            io::ErrorKind::UnexpectedEof => {
                io::Error::new(io::ErrorKind::UnexpectedEof, format!("the {} data ends early", self.packing))
            }
            kind => io::Error::new(kind, format!("the {} data is damaged: {error}", self.packing)),
        })
    }
}

/// The beginning of a stream, and why it could not be read on.
struct Glance {
    start: Vec<u8>,
    failed: Option<io::Error>,
}

impl Glance {
    /// The stream with its beginning put back.
    fn before<R>(self, reader: R) -> Started<R> {
        Started { start: self.start, given: 0, failed: self.failed, reader }
    }
}

fn glance<R: Read>(mut reader: R) -> (Glance, R) {
    let mut start = Vec::new();
    let failed = reader.by_ref().take(GLANCE as u64).read_to_end(&mut start).err();
    (Glance { start, failed }, reader)
}

/// Text as UTF-8, without a mark.
fn decoded(mut glance: Glance, reader: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
    let (encoding, mark) = match glance.start.as_slice() {
        [0xff, 0xfe, ..] => (Some(UTF_16LE), 2),
        [0xfe, 0xff, ..] => (Some(UTF_16BE), 2),
        [0xef, 0xbb, 0xbf, ..] => (None, 3),
        start => (utf_16(start), 0),
    };
    glance.start.drain(..mark);
    let rest = glance.before(reader);
    match encoding {
        None => Box::new(rest),
        Some(encoding) => Box::new(Transcoded::new(rest, encoding)),
    }
}

/// A reader of which the first bytes were already taken, and that may have failed right after them.
struct Started<R> {
    start: Vec<u8>,
    given: usize,
    failed: Option<io::Error>,
    reader: R,
}

impl<R: Read> Read for Started<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.given < self.start.len() {
            let n = into.len().min(self.start.len() - self.given);
            into[..n].copy_from_slice(&self.start[self.given..self.given + n]);
            self.given += n;
            return Ok(n);
        }
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.reader.read(into),
        }
    }
}

struct Transcoded<R> {
    inner: R,
    decoder: Decoder,
    raw: Vec<u8>,
    from: usize,
    until: usize,
    at_end: bool,
    out: Vec<u8>,
    given: usize,
}

impl<R: Read> Transcoded<R> {
    fn new(inner: R, encoding: &'static Encoding) -> Self {
        let decoder = encoding.new_decoder_without_bom_handling();
        Transcoded { inner, decoder, raw: vec![0; BLOCK], from: 0, until: 0, at_end: false, out: Vec::new(), given: 0 }
    }
}

impl<R: Read> Read for Transcoded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        loop {
            if self.given < self.out.len() {
                let n = into.len().min(self.out.len() - self.given);
                into[..n].copy_from_slice(&self.out[self.given..self.given + n]);
                self.given += n;
                return Ok(n);
            }
            if self.at_end {
                return Ok(0);
            }
            if self.from == self.until {
                self.until = self.inner.read(&mut self.raw)?;
                self.from = 0;
            }
            let last = self.until == 0;
            self.out.resize(BLOCK, 0);
            let (result, read, written, _) =
                self.decoder.decode_to_utf8(&self.raw[self.from..self.until], &mut self.out, last);
            self.from += read;
            self.out.truncate(written);
            self.given = 0;
            self.at_end = last && result == CoderResult::InputEmpty;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(bytes).expect("written");
        file
    }

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let file = file(bytes);
        let mut out = Vec::new();
        open(file.path())?.read_to_end(&mut out)?;
        Ok(out)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).expect("in memory");
        encoder.finish().expect("in memory")
    }

    fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(unit).collect()
    }

    #[test]
    fn plain_bytes_come_as_they_are() {
        assert_eq!(read(b"").expect("reads"), b"");
        assert_eq!(read(b"a").expect("reads"), b"a");
        assert_eq!(read(b"\xe9t\xe9\x01").expect("reads"), b"\xe9t\xe9\x01");
        assert_eq!(read("\u{feff}a,b".as_bytes()).expect("reads"), b"a,b");
    }

    #[test]
    fn every_member_of_a_gzip_file_is_read() {
        let both = [gzip(b"one\n"), gzip(b"two\n")].concat();
        assert_eq!(read(&both).expect("reads"), b"one\ntwo\n");
    }

    #[test]
    fn small_files_unpack_as_any_do_or_are_left_to_the_general_way() {
        let text: Vec<u8> = (0..9000_u32).flat_map(|n| format!("{{\"n\":{n}}}\n").into_bytes()).collect();
        let named = flate2::GzBuilder::new().filename("a.json").write(Vec::new(), flate2::Compression::fast());
        let commented = flate2::GzBuilder::new().comment("a").write(Vec::new(), flate2::Compression::fast());
        let packed = |mut encoder: flate2::write::GzEncoder<Vec<u8>>| {
            encoder.write_all(&text).expect("in memory");
            encoder.finish().expect("in memory")
        };
        let (whole, named, commented) = (gzip(&text), packed(named), packed(commented));
        let mut inflate = Decompress::new(false);
        let mut unpacked = |raw: &[u8]| {
            let mut out = Vec::new();
            gunzip(raw, &mut inflate, &mut out).map(|()| out)
        };
        let twice = [text.clone(), text.clone()].concat();
        for (raw, wanted) in [(&whole, &text), (&named, &text), (&[whole.clone(), named.clone()].concat(), &twice)] {
            assert!(unpacked(raw).as_ref() == Some(wanted));
        }
        assert_eq!(unpacked(&gzip(b"")), Some(Vec::new()));
        assert_eq!(unpacked(&commented), None);
        for end in 0..whole.len() {
            assert!(end == 0 || unpacked(&whole[..end]).is_none(), "{end}");
        }
        let padded = [whole.as_slice(), &[0; 16]].concat();
        assert_eq!(unpacked(&padded), None);
        for at in (0..whole.len()).step_by(whole.len() / 97) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            // Time, system and the like say nothing of the text.
            assert!(unpacked(&damaged).is_none_or(|out| (4..10).contains(&at) && out == text), "{at}");
        }
        let small = |raw: &[u8]| {
            let (mut bytes, mut out) = (Vec::new(), Vec::new());
            small_json(file(raw).path(), &mut bytes, &mut out).map(|small| (small, out))
        };
        for raw in [&whole, &named, &commented] {
            assert!(small(raw).is_ok_and(|(small, out)| small && out == text));
        }
        assert!(small(&whole[..whole.len() - 1]).is_err());
    }

    #[test]
    fn truncated_gzip_says_so_and_its_head_can_be_had() {
        let noise: Vec<u8> = (0..200_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let whole = gzip(&noise);
        let error = read(&whole[..whole.len() / 2]).expect_err("it ends early");
        assert!(error.to_string().contains("the gzip data ends early"), "{error}");
        assert_eq!(head(file(&whole[..whole.len() / 2]).path(), 100).expect("a head"), &noise[..100]);
        let error = read(&whole[..4]).expect_err("it ends early");
        assert!(error.to_string().contains("ends early"), "{error}");
    }

    #[test]
    fn truncated_zstd_says_so() {
        let noise: Vec<u8> = (0..200_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let whole = zstd::encode_all(noise.as_slice(), 1).expect("in memory");
        assert_eq!(read(&whole).expect("reads"), noise);
        let error = read(&whole[..whole.len() / 2]).expect_err("it ends early");
        assert!(error.to_string().contains("the zstd data ends early"), "{error}");
    }

    #[test]
    fn utf16_of_both_orders_and_inside_gzip() {
        let text = "id,名前\r\n1,Kamińska 😀\r\n".repeat(70_000);
        for bytes in [utf16(&text, u16::to_le_bytes), utf16(&text, u16::to_be_bytes)] {
            assert_eq!(read(&bytes).expect("reads"), text.as_bytes());
            assert_eq!(read(&gzip(&bytes)).expect("reads"), text.as_bytes());
        }
        let mut odd = utf16("ab", u16::to_le_bytes);
        odd.push(0x61);
        assert_eq!(read(&odd).expect("reads"), "ab\u{fffd}".as_bytes());
    }

    #[test]
    fn tables_of_another_encoding_are_read_if_all_of_them_is() {
        assert_eq!(read(b"id,name\n1,M\xfcller\n").expect("reads"), "id,name\n1,Müller\n".as_bytes());
        let both = "id,name\n1,Müller\n2,".bytes().chain([0xfc, b'\n']).collect::<Vec<u8>>();
        assert_eq!(read(&both).expect("reads"), both);
        assert_eq!(read(b"a\0,\0b\0\n\0").expect("reads"), b"a,b\n");
        let told = |bytes: &[u8]| manner(file(bytes).path()).expect("looks");
        assert_eq!(told(b"a;b\n\xe9;1\n").as_deref(), Some("text in Windows-1252, fields separated by semicolons"));
        assert_eq!(told(b"a,b\n"), None);
        assert_eq!(plain_start(file(b"\xef\xbb\xbfa,b\n").path()).expect("looks"), Some(3));
        assert_eq!(plain_start(file(b"a;b\n").path()).expect("looks"), None);
        assert_eq!(plain_start(file(b"a,b\n\xe9,1\n").path()).expect("looks"), None);
    }

    #[test]
    fn what_unpacks_to_far_more_than_it_is_is_refused() {
        let mut bounded = Bounded { inner: io::repeat(b'x'), limit: Limit { allowed: 5 << 20, left: 5 << 20 } };
        let mut out = Vec::new();
        let error = bounded.read_to_end(&mut out).expect_err("too much");
        assert!(error.to_string().contains("more than 5 MiB"), "{error}");
        assert!(out.len() <= 5 << 20);
        let small = Limit::of(file(b"x").path()).expect("a size");
        assert_eq!(small.allowed, UNPACKED_FREE);
    }

    #[test]
    fn containers_become_text() {
        let event = "<Event><System><EventID>4724</EventID></System></Event>";
        let line = "{\"Event\":{\"System\":{\"EventID\":\"4724\"}}}\n";
        assert_eq!(read(event.as_bytes()).expect("reads"), line.as_bytes());
        assert_eq!(read(&gzip(&utf16(event, u16::to_le_bytes))).expect("reads"), line.as_bytes());
        assert_eq!(read(b"dn: CN=a\ncn: a\n").expect("reads"), b"{\"dn\":\"CN=a\",\"cn\":\"a\"}\n");
        assert!(read(b"ElfFile\0").expect_err("it is cut off").to_string().contains("header"));
        assert!(read(b"PAR1PAR1").is_err());
    }

    #[test]
    fn head_is_no_longer_than_asked() {
        assert_eq!(head(file(b"abcdef").path(), 3).expect("reads"), b"abc");
        assert_eq!(head(file(b"ab").path(), 3).expect("reads"), b"ab");
        assert!(head(Path::new("/nonexistent/regrant"), 3).is_err());
    }
}
