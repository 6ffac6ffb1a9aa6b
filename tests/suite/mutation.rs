//! Files that were damaged at random, in every container: nothing may panic, and every record must be accounted for.
//!
//! The mutations are drawn from a fixed seed, so that a failure comes again; it names the seed. A few seconds of them run with the other tests.
//! A long run is asked for by hand and goes on from a seed of one's own:
//!
//!     REGRANT_MUTATIONS=100000 REGRANT_SEED=7 cargo test --release --test suite mutation -- --ignored --nocapture

use std::fs;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regrant::check::catalogue::Catalogue;
use regrant::config::Config;
use regrant::fact::Registry;
use regrant::mappings::Mappings;
use regrant::run::{RunError, Subjects};
use regrant::source::SourceError;
use regrant::source::mapping::{Setting, SourceMapping};

use crate::{assert_adds_up, audit_keeping, root};

/// Splitmix64: a few lines that give the same numbers everywhere and for ever.
pub struct Chance(pub u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`; 0 for 0.
    pub fn below(&mut self, n: usize) -> usize {
        if n == 0 { 0 } else { (self.next() % n as u64) as usize }
    }

    pub fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// What readers of these formats have stumbled over.
const TOKENS: [&str; 44] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    ",",
    ":",
    ";",
    "\t",
    "|",
    "\n",
    "\r",
    "\r\n",
    "\0",
    "\u{feff}",
    "\\ud800",
    "\\u0000",
    "null",
    "1e999",
    "-0",
    "{}",
    "[]",
    "[[[[[[[[[[[[[[[[",
    "{\"a\":",
    "\"_raw\":\"{\\\"a\\\":1}\"",
    "<Event>",
    "</Event>",
    "<![CDATA[",
    "&#x0;",
    "<!DOCTYPE a [<!ENTITY b \"c\">]>",
    "dn:: ====",
    "sep=;\n",
    "#TYPE x\n",
    "<34>1 ",
    "CEF:0|a|b|c|d|e|5|",
    "LEEF:2.0|a|b|c|d|^|",
    "日本語",
    "\u{202e}",
    "é",
    "0000-00-00",
    "9999-12-31T23:59:59.999999999Z",
    "-9223372036854775808",
    "+23:59",
];

/// Numbers at the ends of what times and counts are kept in.
const NUMBERS: [&str; 18] = [
    "0",
    "-1",
    "1",
    "9",
    "99",
    "0000",
    "9999",
    "10000",
    "1601",
    "2147483648",
    "4294967296",
    "253402300800",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551616",
    "116444736000000000",
    "999999999999999999999999999999",
];

/// A few steps away from `seed`.
pub fn mutated(seed: &[u8], other: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=chance.below(6) {
        let at = chance.below(bytes.len() + 1);
        match chance.below(11) {
            0 | 1 if at < bytes.len() => bytes[at] = *chance.of(b"\0\x01\x7f\x80\xff\xfe\"{}[],:\\\n\r \t;<>=|'09-"),
            2 if at < bytes.len() => bytes[at] ^= 1 << chance.below(8),
            3 | 4 => drop(bytes.splice(at..at, chance.of(&TOKENS).bytes())),
            5 => {
                let end = bytes.len().min(at + chance.below(200));
                bytes.drain(at..end);
            }
            6 => {
                let part = bytes[at..bytes.len().min(at + chance.below(3_000))].to_vec();
                let to = chance.below(bytes.len() + 1);
                bytes.splice(to..to, part);
            }
            7 if chance.below(3) == 0 => bytes.truncate(at),
            8 => {
                let from = chance.below(other.len());
                let until = other.len().min(from + chance.below(600));
                bytes.splice(at..at, other[from..until].iter().copied());
            }
            9 | 10 => {
                // A run of digits becomes another number.
                let start = bytes[at..].iter().position(u8::is_ascii_digit).map_or(bytes.len(), |n| at + n);
                let length = bytes[start..].iter().take_while(|b| b.is_ascii_digit()).count();
                if length > 0 {
                    bytes.splice(start..start + length, chance.of(&NUMBERS).bytes());
                }
            }
            _ => {
                let byte = *chance.of(b"[{\"<\\0a,\n");
                bytes.splice(at..at, std::iter::repeat_n(byte, chance.below(300)));
            }
        }
    }
    bytes
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(bytes).and_then(|()| gz.finish()).expect("in memory")
}

pub fn zipped(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in members {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).expect("a member");
        zip.write_all(bytes).expect("in memory");
    }
    zip.finish().expect("in memory").into_inner()
}

fn tarred(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        tar.append_data(&mut header, name, *bytes).expect("in memory");
    }
    tar.into_inner().expect("in memory")
}

fn utf_16(bytes: &[u8], mark: &[u8], unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    let units = String::from_utf8_lossy(bytes).encode_utf16().flat_map(unit).collect::<Vec<u8>>();
    [mark, &units].concat()
}

/// The rows of a CSV file as a workbook; none for what is no table.
fn workbook(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    for (row, record) in reader.byte_records().take(200).enumerate() {
        for (column, cell) in record.ok()?.iter().take(60).enumerate() {
            let text: String = String::from_utf8_lossy(cell).chars().take(1_000).collect();
            sheet.write_string(row as u32, column as u16, text).ok()?;
        }
    }
    book.save_to_buffer().ok()
}

/// The records of a CSV file as Parquet, every column a text.
fn parquet_of(bytes: &[u8]) -> Option<Vec<u8>> {
    use parquet::data_type::{ByteArray, ByteArrayType};
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes);
    let rows: Vec<csv::ByteRecord> = reader.byte_records().collect::<Result<_, _>>().ok()?;
    let (header, rows) = rows.split_first()?;
    let name = |n: usize| String::from_utf8_lossy(&header[n]).replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    let columns: String = (0..header.len()).map(|n| format!("OPTIONAL BYTE_ARRAY {} (UTF8);", name(n))).collect();
    let schema = parquet::schema::parser::parse_message_type(&format!("message s {{ {columns} }}")).ok()?;
    let properties = parquet::file::properties::WriterProperties::builder().build();
    let mut out = Vec::new();
    let mut writer =
        parquet::file::writer::SerializedFileWriter::new(&mut out, schema.into(), properties.into()).ok()?;
    let mut group = writer.next_row_group().ok()?;
    for n in 0..header.len() {
        let mut column = group.next_column().ok()??;
        let cells: Vec<ByteArray> = rows.iter().map(|row| ByteArray::from(row[n].to_vec())).collect();
        column.typed::<ByteArrayType>().write_batch(&cells, Some(&vec![1; cells.len()]), None).ok()?;
        column.close().ok()?;
    }
    group.close().ok()?;
    writer.close().ok()?;
    Some(out)
}

/// The text in one of the containers that are read through.
fn contained(text: &[u8], chance: &mut Chance) -> Vec<u8> {
    match chance.below(16) {
        0 => gzip(text),
        1 => {
            let half = text.len() / 2;
            [gzip(&text[..half]), gzip(&text[half..])].concat()
        }
        2 => zstd::encode_all(text, 1).expect("in memory"),
        3 => zipped(&[("a", text), ("b/c", text)]),
        4 => tarred(&[("a", text)]),
        5 => gzip(&tarred(&[("a", text), ("b", &gzip(text))])),
        6 => zipped(&[("in.zip", &zipped(&[("a", text)]))]),
        7 => utf_16(text, b"\xff\xfe", u16::to_le_bytes),
        8 => utf_16(text, b"", u16::to_be_bytes),
        9 => [b"\xef\xbb\xbf", text].concat(),
        10 | 11 => workbook(text).unwrap_or_default(),
        12 | 13 => parquet_of(text).unwrap_or_default(),
        14 => text.iter().map(|byte| if *byte == b',' { b';' } else { *byte }).collect(),
        _ => {
            let line = |line: &[u8]| serde_json::json!({"_raw": String::from_utf8_lossy(line)}).to_string() + "\n";
            text.split(|b| *b == b'\n').map(line).collect::<String>().into_bytes()
        }
    }
}

fn files_below(folder: &Path, out: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("a readable folder").path()).collect();
    entries.sort();
    for path in entries {
        match path.is_dir() {
            true => files_below(&path, out),
            false => out.push(path),
        }
    }
}

/// The samples of every source, and the beginnings of event logs where there are any at hand.
static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut paths = Vec::new();
    for folder in ["tests/sources", "tests/exports", "sample-data"] {
        files_below(&root().join(folder), &mut paths);
    }
    paths.retain(|path| path.extension().is_some_and(|e| !matches!(e.to_str(), Some("expected" | "md" | "toml"))));
    let mut logs = Vec::new();
    files_below(&root().join("../shared/real/windows"), &mut logs);
    logs.retain(|path| path.extension().is_some_and(|e| e == "evtx"));
    let read = |path: &PathBuf, most: usize| {
        let mut bytes = fs::read(path).expect("a readable sample");
        bytes.truncate(most);
        bytes
    };
    let texts = paths.iter().map(|path| read(path, 60_000));
    // A file header and one chunk.
    texts.chain(logs.iter().map(|path| read(path, 4_096 + 65_536))).collect()
});

/// One damaged file.
fn case(chance: &mut Chance) -> Vec<u8> {
    let seed = chance.of(&SEEDS);
    let other = chance.of(&SEEDS);
    match chance.below(5) {
        0 | 1 => mutated(seed, other, chance),
        2 | 3 => {
            let text = mutated(seed, other, chance);
            contained(&text, chance)
        }
        _ => {
            let whole = contained(seed, chance);
            mutated(&whole, other, chance)
        }
    }
}

/// Audits `n` damaged files, some at a time.
fn run(n: usize, seed: u64) {
    const AT_ONCE: usize = 24;
    let mut refused = 0;
    for batch in 0..n.div_ceil(AT_ONCE) {
        let seed = seed.wrapping_add(batch as u64);
        let mut chance = Chance(seed);
        let folder = tempfile::tempdir().expect("a temporary folder");
        for n in 0..AT_ONCE {
            fs::write(folder.path().join(format!("f{n:02}")), case(&mut chance)).expect("a writable folder");
        }
        // Files that are refused as a whole say so and leave the others to be read.
        loop {
            let config = Config::default();
            let paths = [folder.path().to_owned()];
            let done = catch_unwind(AssertUnwindSafe(|| {
                audit_keeping(Subjects::Never, &paths, config).inspect(assert_adds_up).map(drop)
            }));
            match done {
                Ok(Ok(())) => break,
                Ok(Err(RunError::Source(SourceError::Unreadable { path, cause, .. }))) => {
                    assert!(!cause.contains("of this container failed"), "{}: {}", keep(folder, seed), path.display());
                    // A member of an archive is named by its label.
                    let place = path.to_string_lossy().into_owned();
                    let file = folder.path().join(place.split("!/").next().expect("a first part"));
                    fs::remove_file(&file).expect("it was there");
                    refused += 1;
                }
                Ok(Err(error)) => panic!("{}: {error}", keep(folder, seed)),
                Err(_) => panic!("{}: it panicked", keep(folder, seed)),
            }
        }
    }
    println!("{n} damaged files, {refused} of them refused as a whole");
}

/// Where the files of a failure are kept, and what comes again by which seed.
fn keep(folder: tempfile::TempDir, seed: u64) -> String {
    format!("REGRANT_SEED={seed}, files kept in {}", folder.keep().display())
}

fn configs(n: usize, seed: u64) {
    let mut chance = Chance(seed);
    let mut paths = Vec::new();
    files_below(&root().join("mappings"), &mut paths);
    files_below(&root().join("docs/examples"), &mut paths);
    paths.push(root().join("sample-data/regrant.toml"));
    let read = |path: &PathBuf| (path.extension().is_some_and(|e| e == "md"), fs::read(path).expect("a readable file"));
    let texts: Vec<(bool, Vec<u8>)> = paths.iter().map(read).collect();
    let records: Vec<serde_json::Value> = SEEDS.iter().filter_map(|seed| serde_json::from_slice(seed).ok()).collect();
    let registry = Registry::new(&Config::default().policy);
    for _ in 0..n {
        let (is_check, seed) = chance.of(&texts);
        let bytes = mutated(seed, &chance.of(&texts).1.clone(), &mut chance);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let done = catch_unwind(AssertUnwindSafe(|| {
            if *is_check {
                let folder = tempfile::tempdir().expect("a temporary folder");
                fs::create_dir(folder.path().join("checks")).expect("a writable folder");
                fs::write(folder.path().join("checks/one.md"), &text).expect("a writable folder");
                if let Ok(mappings) = Mappings::load(&[folder.path().to_owned()]) {
                    let _ = Catalogue::load(&mappings, &registry);
                }
                return;
            }
            let _ = Config::parse(&text, Path::new("regrant.toml"));
            if let Ok(mapping) = SourceMapping::parse("one", &text) {
                for record in &records {
                    mapping.apply_in(record, &Setting::default());
                    mapping.record_weight(record);
                    mapping.undecided(record, &Setting::default());
                    mapping.names_without_action(record, &Setting::default());
                }
            }
        }));
        assert!(done.is_ok(), "this text made it panic:\n{text}");
    }
}

#[test]
fn damaged_files_of_every_container_are_accounted_for() {
    run(240, 1);
}

#[test]
fn damaged_mappings_checks_and_configs_are_refused() {
    configs(200, 1);
}

#[test]
#[ignore = "a long run, by hand: see above"]
#[allow(clippy::disallowed_methods, reason = "switches for whoever runs the tests")]
fn a_long_run() {
    let number = |name: &str, or: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(or);
    let n = number("REGRANT_MUTATIONS", 100_000) as usize;
    let seed = number("REGRANT_SEED", 2);
    configs(n / 10, seed);
    run(n, seed);
}
