//! LDIF: one record an entry, attributes as members, those that stand several times as arrays.

use std::io::{self, BufRead, Write};

use serde_json::{Map, Value};

use super::pump::broken_line;

/// A certificate or photo may be long; what is longer is no attribute of an account.
const LONGEST: usize = 16 << 20;

/// Whether text begins as LDIF does.
pub(super) fn looks_like(head: &[u8]) -> bool {
    let mut lines = head.split(|b| *b == b'\n').map(<[u8]>::trim_ascii);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with(b"#")).unwrap_or_default();
    let starts = |with: &[u8]| first.len() > with.len() && first[..with.len()].eq_ignore_ascii_case(with);
    starts(b"dn:") || starts(b"version:") && lines.any(|line| line.len() > 3 && line[..3].eq_ignore_ascii_case(b"dn:"))
}

/// Writes one JSON line an entry.
pub(super) fn to_lines(mut from: impl BufRead, to: &mut dyn Write) -> io::Result<()> {
    let mut entry = Entry::default();
    let mut logical: Vec<u8> = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        let n = io::Read::take(&mut from, LONGEST as u64).read_until(b'\n', &mut line)?;
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        // A line that begins with a blank goes on where the last one ended.
        if n > 0 && text.first() == Some(&b' ') && logical.len() < LONGEST {
            logical.extend_from_slice(&text[1..]);
            continue;
        }
        entry.attribute(&logical);
        logical.clear();
        if text.is_empty() {
            entry.give(to)?;
        }
        if n == 0 {
            return Ok(());
        }
        logical.extend_from_slice(text);
    }
}

#[derive(Default)]
struct Entry {
    members: Map<String, Value>,
    broken: Option<String>,
}

impl Entry {
    fn attribute(&mut self, line: &[u8]) {
        if line.is_empty() || line[0] == b'#' || line == b"-" {
            return;
        }
        let Some(colon) = line.iter().position(|b| *b == b':') else {
            self.broken = Some(String::from_utf8_lossy(&line[..line.len().min(300)]).into_owned());
            return;
        };
        let name = String::from_utf8_lossy(&line[..colon]).trim().to_owned();
        let rest = &line[colon + 1..];
        let value = match rest.first() {
            Some(b':') => match base64(rest[1..].trim_ascii()) {
                Some(bytes) => told(&name, bytes),
                None => {
                    self.broken = Some(format!("{name}: what stands there is not base64"));
                    return;
                }
            },
            // A reference to a file that is not here.
            Some(b'<') => return,
            _ => match std::str::from_utf8(rest) {
                Ok(text) => text.trim().to_owned(),
                Err(_) => {
                    self.broken = Some(format!("{name}: not UTF-8"));
                    return;
                }
            },
        };
        match self.members.get_mut(&name) {
            None => {
                self.members.insert(name, Value::from(value));
            }
            Some(Value::Array(list)) => list.push(Value::from(value)),
            Some(first) => {
                let both = vec![first.take(), Value::from(value)];
                *first = Value::Array(both);
            }
        }
    }

    fn give(&mut self, to: &mut dyn Write) -> io::Result<()> {
        let members = std::mem::take(&mut self.members);
        if let Some(why) = self.broken.take() {
            return broken_line(to, &format!("LDIF entry: {why}"));
        }
        // The version stands before the first entry.
        if members.is_empty() || members.len() == 1 && members.keys().all(|name| name.eq_ignore_ascii_case("version")) {
            return Ok(());
        }
        writeln!(to, "{}", Value::Object(members))
    }
}

/// Bytes of an attribute as text: SIDs and GUIDs as they are written elsewhere, other text that is no UTF-8 as hex.
fn told(name: &str, bytes: Vec<u8>) -> String {
    let name = name.to_ascii_lowercase();
    if name.ends_with("sid")
        && let Some(sid) = sid(&bytes)
    {
        return sid;
    }
    if name.ends_with("guid")
        && let Some(guid) = guid(&bytes)
    {
        return guid;
    }
    String::from_utf8(bytes).unwrap_or_else(|error| hex::encode(error.into_bytes()))
}

/// `S-1-5-21-…` of its bytes.
pub(super) fn sid(bytes: &[u8]) -> Option<String> {
    let (revision, count) = (*bytes.first()?, usize::from(*bytes.get(1)?));
    if bytes.len() != 8 + 4 * count {
        return None;
    }
    let authority = bytes[2..8].iter().fold(0_u64, |n, b| n << 8 | u64::from(*b));
    let mut text = format!("S-{revision}-{authority}");
    for part in bytes[8..].chunks_exact(4) {
        text.push_str(&format!("-{}", u32::from_le_bytes([part[0], part[1], part[2], part[3]])));
    }
    Some(text)
}

/// A GUID of its bytes, whose first three parts are little-endian.
pub(super) fn guid(bytes: &[u8]) -> Option<String> {
    let b: [u8; 16] = bytes.try_into().ok()?;
    let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    let text: String = order.iter().map(|i| format!("{:02x}", b[*i])).collect();
    Some(format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]))
}

fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0);
    let body: Vec<u8> = text.iter().copied().filter(|b| !b.is_ascii_whitespace() && *b != b'=').collect();
    for byte in body {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8]) -> Vec<String> {
        let mut out = Vec::new();
        to_lines(text, &mut out).expect("in memory");
        String::from_utf8(out).expect("text").lines().map(str::to_owned).collect()
    }

    #[test]
    fn entries_become_records() {
        let text = b"version: 1\r\n\r\n# the first\r\ndn: CN=Ann,DC=corp\r\n ,DC=example\r\nobjectClass: top\r\nobjectClass: user\r\ncn:: SsO8cmc=\r\n\
            objectSid:: AQUAAAAAAAUVAAAA3/Bbvlz6vU8vZ6gC9AEAAA==\r\njpegPhoto:< file:///x\r\n\r\n\r\ndn: CN=Bob\r\nsAMAccountName: bob\r\n";
        assert!(
            looks_like(text)
                && !looks_like(b"a,b\n")
                && !looks_like(b"version: 1\nx: 2\n")
                && looks_like(b"\n# c\ndn: x\n")
        );
        assert_eq!(
            lines(text),
            [
                r#"{"dn":"CN=Ann,DC=corp,DC=example","objectClass":["top","user"],"cn":"Jürg","objectSid":"S-1-5-21-3193696479-1337850460-44590895-500"}"#,
                r#"{"dn":"CN=Bob","sAMAccountName":"bob"}"#,
            ]
        );
        let broken = lines(b"dn: a\nno colon here\n\ndn: b\nx:: %%%\n\ndn: c\nx: \xff\n\ndn: d\n");
        assert_eq!(broken.iter().filter(|line| line.starts_with('!')).count(), 3);
        assert_eq!(broken.last().map(String::as_str), Some(r#"{"dn":"d"}"#));
    }

    proptest::proptest! {
        #[test]
        fn noise_never_panics(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200), text in "([a-z]{0,3}::? ?[A-Za-z0-9+/=]{0,9}\n? ?){0,20}") {
            lines(&bytes);
            lines(text.as_bytes());
            looks_like(&bytes);
        }
    }
}
