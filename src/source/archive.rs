//! Archives: zip, tar (packed or not) and workbooks, whose members become inputs of their own (`archive.zip!/path`).
//!
//! Members are unpacked into a temporary folder once: what follows reads plain files, in parallel and as often as it
//! likes. Names of members are labels; no path of an archive is ever written to.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use calamine::{Data, DataRef, ExcelDateTime, ExcelDateTimeType, Reader as _, Xlsx};

use super::container::{self, Limit};

/// Archives inside archives, no deeper.
const DEEPEST: usize = 3;
/// What a workbook that counts days from 1904 is behind.
const DAYS_TO_1904: f64 = 1_462.0;
/// Members of one archive.
const MOST: usize = 200_000;

/// A member, unpacked.
pub(super) struct Member {
    /// `archive.zip!/path`, as from the archive's own label.
    pub label: String,
    /// Where it lies now.
    pub disk: PathBuf,
    /// What it was made of, where that is more than unpacking: a sheet.
    pub note: Option<String>,
}

/// What an archive held.
#[derive(Default)]
pub(super) struct Unpacked {
    pub members: Vec<Member>,
    /// Members that are not read, and why.
    pub skipped: Vec<(String, String)>,
}

/// Whether a file is one of those that hold others.
pub(super) fn is_archive(path: &Path) -> bool {
    let Ok(head) = container::raw_head(path, 600) else { return false };
    head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") || is_tar(&head) || packed_tar(path, &head)
}

fn is_tar(head: &[u8]) -> bool {
    head.get(257..262) == Some(b"ustar")
}

fn packed_tar(path: &Path, head: &[u8]) -> bool {
    let start = || -> io::Result<Vec<u8>> {
        let mut head = Vec::with_capacity(600);
        container::unpacked(path)?.take(600).read_to_end(&mut head)?;
        Ok(head)
    };
    container::is_packed(head) && start().is_ok_and(|head| is_tar(&head))
}

/// Unpacks an archive and the archives within it into `folder`, members in the order of their labels.
///
/// # Errors
/// The archive is damaged, or unpacks to more than the limit.
pub(super) fn unpack(path: &Path, label: &str, folder: &Path) -> io::Result<Unpacked> {
    let mut out = Unpacked::default();
    let mut limit = Limit::of(path)?;
    unpack_into(path, label, folder, 1, &mut limit, &mut out)?;
    out.members.sort_by(|a, b| a.label.as_bytes().cmp(b.label.as_bytes()));
    out.skipped.sort();
    Ok(out)
}

fn unpack_into(
    path: &Path,
    label: &str,
    folder: &Path,
    depth: usize,
    limit: &mut Limit,
    out: &mut Unpacked,
) -> io::Result<()> {
    let head = container::raw_head(path, 600)?;
    let before = out.members.len();
    if head.starts_with(b"PK") {
        let mut zip = zip::ZipArchive::new(BufReader::new(File::open(path)?)).map_err(damaged)?;
        if zip.file_names().any(|name| name == "xl/workbook.xml") {
            drop(zip);
            return workbook(path, label, folder, limit, out);
        }
        for n in 0..zip.len().min(MOST) {
            let encrypted = zip.by_index_raw(n).map_err(damaged)?.encrypted();
            let name = zip.name_for_index(n).unwrap_or_default().to_owned();
            if encrypted {
                out.skipped.push((format!("{label}!/{}", shown(&name)), "encrypted".to_owned()));
                continue;
            }
            let mut member = zip.by_index(n).map_err(damaged)?;
            if member.is_file() {
                store(&mut member, label, &name, folder, limit, out)?;
            }
        }
        count(zip.len(), label, out);
    } else {
        let text: Box<dyn Read + Send> = match is_tar(&head) {
            true => Box::new(BufReader::new(File::open(path)?)),
            false => container::unpacked(path)?,
        };
        let mut tar = tar::Archive::new(text);
        for (n, member) in tar.entries()?.enumerate() {
            let mut member = member?;
            if n >= MOST {
                count(n + 1, label, out);
                break;
            }
            let name = String::from_utf8_lossy(&member.path_bytes()).into_owned();
            if member.header().entry_type().is_file() {
                store(&mut member, label, &name, folder, limit, out)?;
            }
        }
    }
    // What was unpacked may be an archive itself.
    let inner: Vec<usize> = (before..out.members.len()).filter(|n| is_archive(&out.members[*n].disk)).collect();
    for n in inner.into_iter().rev() {
        let member = out.members.remove(n);
        if depth == DEEPEST {
            out.skipped.push((member.label, format!("an archive nested deeper than {DEEPEST}")));
            continue;
        }
        match unpack_into(&member.disk, &member.label, folder, depth + 1, limit, out) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => return Err(error),
            Err(error) => out.skipped.push((member.label, error.to_string())),
        }
    }
    Ok(())
}

fn damaged(error: zip::result::ZipError) -> io::Error {
    match error {
        zip::result::ZipError::Io(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, format!("the zip archive is damaged: {other}")),
    }
}

fn count(members: usize, label: &str, out: &mut Unpacked) {
    if members > MOST {
        out.skipped.push((format!("{label}!/"), format!("more than {MOST} members: the others are not read")));
    }
}

/// A name as it can be shown: no control characters, no steps out of the archive.
fn shown(name: &str) -> String {
    let clean: String = name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    let parts: Vec<&str> = clean.split(['/', '\\']).filter(|part| !matches!(*part, "" | "." | "..")).collect();
    parts.join("/")
}

fn store(
    from: &mut dyn Read,
    label: &str,
    name: &str,
    folder: &Path,
    limit: &mut Limit,
    out: &mut Unpacked,
) -> io::Result<()> {
    let name = shown(name);
    // What file managers put there unasked.
    if name.is_empty() || name.split('/').any(|part| part.starts_with('.') || part == "__MACOSX") {
        return Ok(());
    }
    let disk = new_file(folder)?;
    let mut to = BufWriter::new(File::create(&disk)?);
    let mut buffer = vec![0; 1 << 18];
    loop {
        let n = match from.read(&mut buffer) {
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if n == 0 {
            break;
        }
        limit.spend(n as u64)?;
        to.write_all(&buffer[..n])?;
    }
    to.flush()?;
    out.members.push(Member { label: format!("{label}!/{name}"), disk, note: None });
    Ok(())
}

/// A name of its own in the folder, whatever else lies there.
fn new_file(folder: &Path) -> io::Result<PathBuf> {
    let file = tempfile::Builder::new().prefix("m").tempfile_in(folder)?;
    file.into_temp_path().keep().map_err(|error| error.error)
}

/// Each sheet of a workbook as CSV.
fn workbook(path: &Path, label: &str, folder: &Path, limit: &mut Limit, out: &mut Unpacked) -> io::Result<()> {
    measure(BufReader::new(File::open(path)?), limit)?;
    let wrong = |error: calamine::XlsxError| {
        io::Error::new(io::ErrorKind::InvalidData, format!("the workbook is damaged: {error}"))
    };
    let mut book: Xlsx<_> = Xlsx::new(BufReader::new(File::open(path)?)).map_err(wrong)?;
    let mut sheets = Vec::new();
    for name in book.sheet_names() {
        let disk = new_file(folder)?;
        match sheet(&mut book, &name, &disk, limit) {
            Ok(true) => sheets.push((shown(&name), disk)),
            Ok(false) => {}
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => return Err(error),
            Err(error) => out.skipped.push((format!("{label}!/{}", shown(&name)), error.to_string())),
        }
    }
    let alone = sheets.len() == 1;
    for (name, disk) in sheets {
        let place = if alone { label.to_owned() } else { format!("{label}!/{name}") };
        out.members.push(Member { label: place, disk, note: Some(format!("sheet \"{name}\" of a workbook")) });
    }
    Ok(())
}

/// A sheet as CSV, cell by cell: two cells at opposite ends of a sheet are two cells, and not the seventeen thousand million between
/// them. False for one without a filled cell.
fn sheet<R: Read + Seek>(book: &mut Xlsx<R>, name: &str, disk: &Path, limit: &mut Limit) -> io::Result<bool> {
    let wrong = |error: calamine::XlsxError| io::Error::new(io::ErrorKind::InvalidData, error.to_string());
    let mut columns: Option<(u32, u32)> = None;
    let mut cells = book.worksheet_cells_reader(name).map_err(wrong)?;
    while let Some(found) = cells.next_cell().map_err(wrong)? {
        let column = found.get_position().1;
        if !matches!(found.get_value(), DataRef::Empty) {
            columns = Some(columns.map_or((column, column), |(first, last)| (first.min(column), last.max(column))));
        }
    }
    drop(cells);
    let Some((first, last)) = columns else { return Ok(false) };
    let mut writer = csv::WriterBuilder::new().from_writer(BufWriter::new(File::create(disk)?));
    let mut row: Vec<String> = vec![String::new(); (last - first) as usize + 1];
    let mut at = None;
    let mut cells = book.worksheet_cells_reader(name).map_err(wrong)?;
    loop {
        let next = cells.next_cell().map_err(wrong)?;
        let place = next.as_ref().map(|found| found.get_position().0);
        if at.is_some() && place != at && row.iter().any(|cell| !cell.is_empty()) {
            limit.spend(row.iter().map(|cell| cell.len() as u64 + 1).sum())?;
            writer.write_record(&row)?;
            row.iter_mut().for_each(String::clear);
        }
        let Some(found) = next else { break };
        at = place;
        let column = found.get_position().1;
        if let Some(text) = column.checked_sub(first).and_then(|n| row.get_mut(n as usize)) {
            *text = cell(&Data::from(found.get_value().clone()));
        }
    }
    writer.flush()?;
    Ok(true)
}

/// What the parts of a workbook unpack to; a library reads them whole.
fn measure(file: impl Read + Seek, limit: &mut Limit) -> io::Result<()> {
    let mut zip = zip::ZipArchive::new(file).map_err(damaged)?;
    let mut buffer = vec![0; 1 << 18];
    for n in 0..zip.len() {
        let mut part = zip.by_index(n).map_err(damaged)?;
        loop {
            let n = part.read(&mut buffer)?;
            if n == 0 {
                break;
            }
            limit.spend(n as u64)?;
        }
    }
    Ok(())
}

fn cell(data: &Data) -> String {
    match data {
        Data::Empty | Data::Error(_) => String::new(),
        Data::String(text) => text.trim().to_owned(),
        // Ids typed as numbers have no fraction.
        Data::Float(n) if n.fract() == 0.0 && n.abs() < 1e15 => format!("{n:.0}"),
        Data::Float(n) => n.to_string(),
        Data::Int(n) => n.to_string(),
        Data::Bool(truth) => truth.to_string(),
        Data::DateTime(at) => {
            // The parts are private without a feature that changes chrono for everybody; equality tells them.
            let is = |of_1904| *at == ExcelDateTime::new(at.as_f64(), ExcelDateTimeType::DateTime, of_1904);
            match (is(false), is(true)) {
                (true, _) => day(at.as_f64()),
                (_, true) => day(at.as_f64() + DAYS_TO_1904),
                _ => at.as_f64().to_string(),
            }
        }
        Data::DateTimeIso(text) | Data::DurationIso(text) => text.clone(),
    }
}

/// A serial day number as a date, or as a wall clock where it has a time.
fn day(serial: f64) -> String {
    // 25,569 days lie between Excel's day 0 and 1970.
    let micros = ((serial - 25_569.0) * crate::time::DAY as f64 / 1e6).round();
    if !(-6e10..2.5e11).contains(&micros) {
        return serial.to_string();
    }
    let text = crate::time::format_instant(micros as i64 * 1_000_000);
    let text = text.trim_end_matches('Z');
    text.strip_suffix("T00:00:00").unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zipped(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
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

    type Read = (Vec<(String, Vec<u8>)>, Vec<(String, String)>);

    fn unpack_bytes(bytes: &[u8]) -> io::Result<Read> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("archive");
        std::fs::write(&path, bytes).expect("written");
        assert!(is_archive(&path));
        let out = unpack(&path, "a", folder.path())?;
        let read = |m: &Member| (m.label.clone(), std::fs::read(&m.disk).expect("reads"));
        Ok((out.members.iter().map(read).collect(), out.skipped))
    }

    #[test]
    fn members_of_archives_and_of_archives_in_them() {
        let inner = zipped(&[("../deep/x.csv", b"a,b\n1,2\n"), ("__MACOSX/x", b"no"), (".DS_Store", b"no")]);
        let zip = zipped(&[("b.json", b"{}"), ("in.zip", &inner), ("folder/", b"")]);
        let tar = tarred(&[("b.json", b"{}"), ("in.zip", &inner)]);
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(&tar).expect("in memory");
        for bytes in [zip, tar, gz.finish().expect("in memory")] {
            let (members, skipped) = unpack_bytes(&bytes).expect("unpacks");
            assert_eq!(
                members,
                [
                    ("a!/b.json".to_owned(), b"{}".to_vec()),
                    ("a!/in.zip!/deep/x.csv".to_owned(), b"a,b\n1,2\n".to_vec())
                ]
            );
            assert!(skipped.is_empty());
        }
        let mut nested = zipped(&[("x.csv", b"a")]);
        for _ in 0..4 {
            nested = zipped(&[("n.zip", &nested)]);
        }
        let (members, skipped) = unpack_bytes(&nested).expect("unpacks");
        assert!(members.is_empty() && skipped[0].1.contains("deeper"), "{skipped:?}");
    }

    #[test]
    fn serial_days_are_dates() {
        assert_eq!(day(45_292.0), "2024-01-01");
        assert_eq!(day(45_292.5), "2024-01-01T12:00:00");
        assert_eq!(day(1e300), 1e300.to_string());
        assert_eq!(cell(&Data::Float(1001.0)), "1001");
        assert_eq!(cell(&Data::Float(0.5)), "0.5");
    }

    #[test]
    fn damaged_archives_never_panic() {
        let seeds = [zipped(&[("b.json", &[7; 3000]), ("c", b"x")]), tarred(&[("b.json", &[7; 3000]), ("c", b"x")])];
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("archive");
        let mut state = 11_u64;
        for n in 0..400 {
            let mut bytes = seeds[n % 2].clone();
            for _ in 0..4 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let at = (state >> 33) as usize % bytes.len();
                bytes[at] = (state >> 17) as u8;
            }
            std::fs::write(&path, &bytes).expect("written");
            if is_archive(&path) {
                let _ = unpack(&path, "a", folder.path());
            }
        }
    }
}
