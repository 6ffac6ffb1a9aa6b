//! From the bytes of a file to its text: gzip and zstd are read through, UTF-16 becomes UTF-8, byte order marks go.
//!
//! What a file is wrapped in is told by its first bytes, never by its name: exports are renamed, and a browser that
//! unpacks a download keeps the `.gz`. What the text *means* is left to the readers of each format.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use encoding_rs::{CoderResult, Decoder, UTF_16BE, UTF_16LE};
use flate2::bufread::MultiGzDecoder;

/// Blocks this large keep the cost of a system call out of sight.
const BLOCK: usize = 1 << 20;

/// Opens a file as a stream of text bytes.
///
/// gzip (every member of it) and zstd are decompressed; UTF-16 with a byte order mark is transcoded to UTF-8, a lone
/// surrogate becoming U+FFFD; the mark of UTF-8 is dropped; any other bytes come as they are.
///
/// # Errors
/// The file cannot be opened or read. Compressed data that stops before its end is an error of the reader, after
/// every byte that could be had: its message says that the data ends early.
pub fn open(path: &Path) -> io::Result<Box<dyn Read + Send>> {
    let mut raw = BufReader::with_capacity(BLOCK, File::open(path)?);
    match Packing::of(raw.fill_buf()?) {
        Packing::None => text(raw),
        Packing::Gzip => {
            let unpacked = Named { inner: MultiGzDecoder::new(raw), packing: "gzip" };
            text(BufReader::with_capacity(BLOCK, unpacked))
        }
        Packing::Zstd => {
            let unpacked = Named { inner: zstd::stream::read::Decoder::with_buffer(raw)?, packing: "zstd" };
            text(BufReader::with_capacity(BLOCK, unpacked))
        }
    }
}

/// Where the text of a file begins that can be read from any place: neither packed nor UTF-16. Null for others.
///
/// # Errors
/// The file cannot be opened or read.
pub fn plain_start(path: &Path) -> io::Result<Option<u64>> {
    let mut start = Vec::with_capacity(4);
    File::open(path)?.take(4).read_to_end(&mut start)?;
    Ok(match (Packing::of(&start), start.as_slice()) {
        (Packing::None, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) => None,
        (Packing::None, [0xef, 0xbb, 0xbf, ..]) => Some(3),
        (Packing::None, _) => Some(0),
        _ => None,
    })
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

fn text<R: BufRead + Send + 'static>(mut reader: R) -> io::Result<Box<dyn Read + Send>> {
    // A decompressor may hand out its first byte alone; a byte order mark has up to three.
    let mut start = [0_u8; 3];
    let mut known = 0;
    let mut failed = None;
    while known < start.len() {
        match reader.read(&mut start[known..]) {
            Ok(0) => break,
            Ok(n) => known += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    let start = &start[..known];
    let (encoding, mark) = match start {
        [0xff, 0xfe, ..] => (Some(UTF_16LE), 2),
        [0xfe, 0xff, ..] => (Some(UTF_16BE), 2),
        [0xef, 0xbb, 0xbf] => (None, 3),
        _ => (None, 0),
    };
    let rest = Started { start: start[mark..].to_vec(), given: 0, failed, reader };
    Ok(match encoding {
        None => Box::new(rest),
        Some(encoding) => Box::new(Transcoded {
            inner: rest,
            decoder: encoding.new_decoder_without_bom_handling(),
            raw: vec![0; BLOCK],
            from: 0,
            until: 0,
            at_end: false,
            out: Vec::new(),
            given: 0,
        }),
    })
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
        assert_eq!(read(b"\xe9t\xe9").expect("reads"), b"\xe9t\xe9");
        assert_eq!(read("\u{feff}a,b".as_bytes()).expect("reads"), b"a,b");
    }

    #[test]
    fn every_member_of_a_gzip_file_is_read() {
        let both = [gzip(b"one\n"), gzip(b"two\n")].concat();
        assert_eq!(read(&both).expect("reads"), b"one\ntwo\n");
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
    fn head_is_no_longer_than_asked() {
        assert_eq!(head(file(b"abcdef").path(), 3).expect("reads"), b"abc");
        assert_eq!(head(file(b"ab").path(), 3).expect("reads"), b"ab");
        assert!(head(Path::new("/nonexistent/regrant"), 3).is_err());
    }
}
