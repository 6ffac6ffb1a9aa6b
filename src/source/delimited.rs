//! Tables that are CSV but for their dress: other separators, title lines above the header, Excel's and PowerShell's first lines.
//!
//! They are told by their beginning and rewritten as plain CSV while they are read, so that one reader of CSV is enough.

use std::io::{self, BufRead, Write};

/// Separators that exports use; of equals the first.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Lines above a header that are looked at.
const TITLES: usize = 12;

/// How a table departs from plain CSV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub separator: u8,
    /// Lines above the header.
    pub above: usize,
}

impl Shape {
    /// Plain CSV.
    pub(super) const PLAIN: Shape = Shape { separator: b',', above: 0 };

    /// The shape of a table that begins with `head`.
    pub(super) fn of(head: &[u8]) -> Shape {
        let mut above = 0;
        let mut rest = head;
        let mut told = None;
        loop {
            let (line, after) = split_line(rest);
            let text = line.trim_ascii();
            let lower = text.to_ascii_lowercase();
            if let [b's', b'e', b'p', b'=', separator] = lower[..] {
                told = Some(separator);
            } else if !lower.starts_with(b"#type ") {
                break;
            }
            above += 1;
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        let separator = told.filter(|s| SEPARATORS.contains(s)).unwrap_or_else(|| separator(rest));
        Shape { separator, above: above + titles(rest, separator) }
    }

    /// In words, for the report; none for plain CSV.
    pub(super) fn told(self) -> Option<String> {
        let separator = match self.separator {
            b';' => Some("fields separated by semicolons"),
            b'\t' => Some("fields separated by tabs"),
            b'|' => Some("fields separated by bars"),
            _ => None,
        };
        let above = match self.above {
            0 => None,
            1 => Some("1 line above the header left out".to_owned()),
            n => Some(format!("{n} lines above the header left out")),
        };
        let told: Vec<String> = separator.map(str::to_owned).into_iter().chain(above).collect();
        (!told.is_empty()).then(|| told.join(", "))
    }
}

fn split_line(text: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b'\n', text) {
        Some(end) => (&text[..end], &text[end + 1..]),
        None => (text, &[]),
    }
}

/// How often a byte stands outside of quotes in the first line that is not blank and has any separator.
fn separator(head: &[u8]) -> u8 {
    let mut best = (0, b',');
    let mut rest = head;
    for _ in 0..TITLES {
        let (line, after) = split_line(rest);
        for separator in SEPARATORS {
            let mut quoted = false;
            let mut count = 0;
            for byte in line {
                match *byte {
                    b'"' => quoted = !quoted,
                    byte if byte == separator && !quoted => count += 1,
                    _ => {}
                }
            }
            if count > best.0 {
                best = (count, separator);
            }
        }
        // A header has its separators; a title above it hardly any.
        if best.0 > 1 || after.is_empty() {
            break;
        }
        rest = after;
    }
    best.1
}

/// Lines of title above the header: the first rows have one cell that is not empty, the header several.
fn titles(head: &[u8], separator: u8) -> usize {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(separator).from_reader(head);
    let mut row = csv::ByteRecord::new();
    let mut lines = 0;
    for n in 0..TITLES {
        if !reader.read_byte_record(&mut row).unwrap_or(false) {
            return 0;
        }
        let filled = row.iter().filter(|cell| !cell.trim_ascii().is_empty()).count();
        if n == 0 && filled > 1 {
            return 0;
        }
        if filled >= 3 {
            let at = row.position().map_or(0, |position| position.line());
            lines = usize::try_from(at.saturating_sub(1)).unwrap_or(0);
            break;
        }
    }
    lines
}

/// Rewrites a table as plain CSV. Rows without a single filled cell are blank lines.
pub(super) fn to_csv(mut from: impl BufRead, shape: Shape, to: &mut dyn Write) -> io::Result<()> {
    let mut skipped = Vec::new();
    for _ in 0..shape.above {
        skipped.clear();
        from.read_until(b'\n', &mut skipped)?;
    }
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(shape.separator).from_reader(from);
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(to);
    let mut row = csv::ByteRecord::new();
    while reader.read_byte_record(&mut row)? {
        if row.iter().any(|cell| !cell.trim_ascii().is_empty()) {
            writer.write_byte_record(&row)?;
        }
    }
    writer.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Shape, String) {
        let shape = Shape::of(text.as_bytes());
        let mut out = Vec::new();
        to_csv(text.as_bytes(), shape, &mut out).expect("in memory");
        (shape, String::from_utf8(out).expect("text"))
    }

    #[test]
    fn tables_of_every_dress_become_plain() {
        assert_eq!(Shape::of(b"a,b\n1,2\n"), Shape::PLAIN);
        assert_eq!(Shape::of(b"a\n1\n"), Shape::PLAIN);
        assert_eq!(Shape::of(b"\"a;b;c\",b\n"), Shape::PLAIN);
        assert_eq!(Shape::of(b""), Shape::PLAIN);
        assert_eq!(read("a;b;c\r\n1;\"2;x\ny\";\"3,4\"\r\n").1, "a,b,c\n1,\"2;x\ny\",\"3,4\"\n");
        assert_eq!(read("a\tb\n1\t2\n").1, "a,b\n1,2\n");
        assert_eq!(read("sep=;\na;b\n1;2\n"), (Shape { separator: b';', above: 1 }, "a,b\n1,2\n".to_owned()));
        let shell = "#TYPE Microsoft.ActiveDirectory.Management.ADUser\r\n\"Name\",\"Enabled\"\r\n\"Ann\",\"True\"\r\n";
        assert_eq!(read(shell).1, "Name,Enabled\nAnn,True\n");
        let titled = "Terminations,,\nRun on,,\n,,\nID,Name,End\n7,Ann,2026-08-31\n,,\n";
        assert_eq!(read(titled), (Shape { separator: b',', above: 3 }, "ID,Name,End\n7,Ann,2026-08-31\n".to_owned()));
        assert_eq!(read("Report\n\nid;name;end\n7;Ann;x\n").1, "id,name,end\n7,Ann,x\n");
    }

    proptest::proptest! {
        #[test]
        fn noise_never_panics(text in "[a,;\t|\"\n#=sep]{0,60}") {
            read(&text);
        }
    }
}
