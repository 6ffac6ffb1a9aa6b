//! Syslog (RFC 3164 and RFC 5424, as sent and as written to files) and CEF or LEEF lines: the event they carry, as JSON lines.
//!
//! Where the message is a JSON object, that object is the record, and nothing of the header is kept. Any other message becomes an
//! object of `_raw` (the line as it is), `syslog` (what its header says) and, of CEF and LEEF, `cef` or `leef` with their fields.

use std::io::{self, BufRead, Read, Write};

use serde::de::IgnoredAny;
use serde_json::{Map, Value};

/// A message is a few KiB at most; what is longer is given in pieces, which are no records.
const LONGEST: u64 = 16 << 20;
/// Lines that tell what a file is.
const LOOKED: usize = 10;
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Whether text is made of such lines: nearly all of the first ones. A line without a priority has to carry an event, for tables begin
/// with a date as well.
pub(super) fn looks_like(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(&head[..head.len().min(64 << 10)]);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).take(LOOKED).collect();
    let such = |line: &&&str| {
        let (header, rest) = header(line);
        carried(rest).is_some() && (header.told() || starts_event(line)) || header.priority.is_some()
    };
    !lines.is_empty() && lines.iter().filter(such).count() * 10 >= lines.len() * 9
}

/// Writes one JSON line a message.
pub(super) fn to_lines(mut from: impl BufRead, to: &mut dyn Write) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if Read::take(&mut from, LONGEST).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        if !text.is_empty() {
            write_line(text, to)?;
        }
    }
}

fn write_line(text: &str, to: &mut dyn Write) -> io::Result<()> {
    let (header, rest) = header(text);
    let carried = carried(rest);
    if let Some(Carried::Json(object)) = carried {
        return writeln!(to, "{object}");
    }
    let mut record = Map::new();
    record.insert("_raw".to_owned(), Value::from(text));
    let mut members = Map::new();
    for (name, value) in
        [("priority", header.priority), ("time", header.time), ("host", header.host), ("app", header.app)]
    {
        if let Some(value) = value {
            members.insert(name.to_owned(), Value::from(value));
        }
    }
    record.insert("syslog".to_owned(), Value::Object(members));
    match carried {
        Some(Carried::Cef(event)) => drop(record.insert("cef".to_owned(), cef(event))),
        Some(Carried::Leef(event)) => drop(record.insert("leef".to_owned(), leef(event))),
        _ => {}
    }
    writeln!(to, "{}", Value::Object(record))
}

#[derive(Default)]
struct Header<'a> {
    priority: Option<&'a str>,
    time: Option<&'a str>,
    host: Option<&'a str>,
    app: Option<&'a str>,
}

impl Header<'_> {
    fn told(&self) -> bool {
        self.priority.is_some() || self.time.is_some()
    }
}

enum Carried<'a> {
    Json(&'a str),
    Cef(&'a str),
    Leef(&'a str),
}

fn starts_event(text: &str) -> bool {
    text.starts_with("CEF:") || text.starts_with("LEEF:")
}

/// The header of a line and what stands behind it.
fn header(line: &str) -> (Header<'_>, &str) {
    let mut header = Header::default();
    let line = line.trim_start_matches('\u{feff}').trim_start();
    // Sent over TCP each message is counted: `123 <34>1 …`.
    let counted = line.split_once(' ').filter(|(n, rest)| n.len() <= 6 && digits(n) && rest.starts_with('<'));
    let mut rest = counted.map_or(line, |(_, rest)| rest);
    if let Some((priority, after)) = rest.strip_prefix('<').and_then(|inner| inner.split_once('>'))
        && priority.len() <= 3
        && digits(priority)
    {
        header.priority = Some(priority);
        rest = after;
        if let Some(after) = rest.strip_prefix("1 ") {
            return (header, structured(after, &mut Header::default()));
        }
    }
    let Some((time, after)) = time(rest) else { return (header, rest) };
    header.time = Some(time);
    rest = after;
    if let Some((host, after)) =
        rest.split_once(' ').filter(|(host, _)| !host.contains(['{', '|']) && !host.ends_with(':'))
    {
        header.host = Some(host);
        rest = after;
    }
    if let Some((app, after)) = rest.split_once(": ").filter(|(app, _)| !app.contains([' ', '{', '|'])) {
        header.app = Some(app);
        rest = after;
    }
    (header, rest)
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// The message of RFC 5424 behind its version.
fn structured<'a>(text: &'a str, header: &mut Header<'a>) -> &'a str {
    let mut rest = text;
    for n in 0..5 {
        let Some((field, after)) = rest.split_once(' ') else { return rest };
        let field = Some(field).filter(|field| *field != "-");
        match n {
            0 => header.time = field,
            1 => header.host = field,
            2 => header.app = field,
            _ => {}
        }
        rest = after;
    }
    if let Some(after) = rest.strip_prefix('-') {
        return after.trim_start().trim_start_matches('\u{feff}');
    }
    while rest.starts_with('[') {
        let (mut quoted, mut escaped) = (false, false);
        let end = rest.char_indices().find(|(_, c)| {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => quoted = !quoted,
                ']' if !quoted => return true,
                _ => {}
            }
            false
        });
        let Some((end, _)) = end else { return rest };
        rest = &rest[end + 1..];
    }
    rest.trim_start().trim_start_matches('\u{feff}')
}

/// `Sep  4 12:00:01` or an instant of RFC 3339, and what stands behind the blank after it.
fn time(text: &str) -> Option<(&str, &str)> {
    let clock = |text: &str| {
        text.len() == 8
            && text.bytes().enumerate().all(|(n, b)| if n % 3 == 2 { b == b':' } else { b.is_ascii_digit() })
    };
    if MONTHS.iter().any(|month| text.starts_with(month)) {
        let (stamp, rest) = text.split_at_checked(15)?;
        let day = stamp.get(4..6)?.trim_start();
        return (digits(day) && clock(stamp.get(7..)?)).then(|| (stamp, rest.trim_start()));
    }
    let (stamp, rest) = text.split_once(' ')?;
    let date = stamp.len() >= 19 && stamp.bytes().take(4).all(|b| b.is_ascii_digit()) && stamp.as_bytes()[10] == b'T';
    (date && stamp.get(11..19).is_some_and(clock)).then_some((stamp, rest))
}

/// The event in a message, behind whatever a sender puts before it (`tag:`, `@cee:`).
fn carried(message: &str) -> Option<Carried<'_>> {
    let at = ["CEF:", "LEEF:", "{"].iter().filter_map(|start| message.find(start)).min()?;
    let event = message[at..].trim_end();
    if event.starts_with("CEF:") {
        return Some(Carried::Cef(event));
    }
    if event.starts_with("LEEF:") {
        return Some(Carried::Leef(event));
    }
    serde_json::from_str::<IgnoredAny>(event).is_ok().then_some(Carried::Json(event))
}

/// The parts of a header between bars, of which the last is the rest; `\|` is no bar.
fn bars(text: &str, parts: usize) -> Vec<String> {
    let mut out = vec![String::new()];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let last = out.len() == parts;
        match c {
            '|' if !last => out.push(String::new()),
            '\\' if !last => out.last_mut().expect("never empty").extend(chars.next()),
            c => out.last_mut().expect("never empty").push(c),
        }
    }
    out
}

fn object(names: &[&str], parts: &[String]) -> Map<String, Value> {
    names.iter().zip(parts).map(|(name, part)| ((*name).to_owned(), Value::from(part.trim()))).collect()
}

fn cef(event: &str) -> Value {
    let parts = bars(event.trim_start_matches("CEF:"), 8);
    let mut out = object(&["version", "vendor", "product", "productVersion", "id", "name", "severity"], &parts);
    let mut fields: Map<String, Value> = Map::new();
    let mut key = String::new();
    let mut value = String::new();
    let mut put = |key: &mut String, value: &mut String| {
        let key = std::mem::take(key);
        let value = std::mem::take(value);
        if !key.is_empty() {
            fields.insert(key, Value::from(value.trim()));
        }
    };
    // A blank ends a value only where the next word is a key.
    let mut word = String::new();
    let mut chars = parts.get(7).map(String::as_str).unwrap_or_default().chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n' | 'r') => word.push('\n'),
                Some(other) => word.push(other),
                None => word.push('\\'),
            },
            '=' if !word.trim_start().is_empty()
                && word
                    .trim_start()
                    .chars()
                    .all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '[' | ']' | '-')) =>
            {
                put(&mut key, &mut value);
                word.trim_start().clone_into(&mut key);
                word.clear();
            }
            ' ' => {
                value.push_str(&word);
                word.clear();
                word.push(' ');
            }
            c => word.push(c),
        }
    }
    value.push_str(&word);
    put(&mut key, &mut value);
    out.insert("fields".to_owned(), Value::Object(fields));
    Value::Object(out)
}

fn leef(event: &str) -> Value {
    let text = event.trim_start_matches("LEEF:");
    let second = text.starts_with('2');
    let parts = bars(text, if second { 7 } else { 6 });
    let mut out = object(&["version", "vendor", "product", "productVersion", "id"], &parts);
    // Version 2 may say what parts its fields, itself or as a hexadecimal code.
    let told = parts.get(5).filter(|_| second).map(|part| part.trim());
    let code = told.and_then(|part| part.strip_prefix("0x").or_else(|| part.strip_prefix('x')));
    let coded = code.and_then(|code| u32::from_str_radix(code, 16).ok()).and_then(char::from_u32);
    let between = coded.or_else(|| told.and_then(|part| part.chars().next())).unwrap_or('\t');
    let fields = parts.get(if second { 6 } else { 5 }).map(String::as_str).unwrap_or_default();
    let field =
        |part: &str| part.split_once('=').map(|(key, value)| (key.trim().to_owned(), Value::from(value.trim())));
    out.insert("fields".to_owned(), Value::Object(fields.split(between).filter_map(field).collect()));
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        let mut out = Vec::new();
        to_lines(text.as_bytes(), &mut out).expect("in memory");
        String::from_utf8(out).expect("text").lines().map(str::to_owned).collect()
    }

    #[test]
    fn json_in_any_header_is_the_record() {
        for line in [
            r#"<34>1 2026-09-14T22:14:15.003Z host app - ID47 - {"a":1}"#,
            "<34>1 2026-09-14T22:14:15.003Z host app 1 - [x@1 k=\"v\\\"]\"][y] \u{feff}{\"a\":1}",
            r#"71 <34>1 2026-09-14T22:14:15.003Z host app - ID47 - {"a":1}"#,
            r#"<13>Sep  4 22:14:15 host app[12]: {"a":1}"#,
            r#"Sep 14 22:14:15 host app: @cee: {"a":1}"#,
            r#"2026-09-14T22:14:15.003+02:00 host app: {"a":1}"#,
            r#"<13>{"a":1}"#,
        ] {
            assert!(looks_like(line.as_bytes()), "{line}");
            assert_eq!(lines(line), [r#"{"a":1}"#], "{line}");
        }
    }

    #[test]
    fn cef_and_leef_give_their_fields() {
        let cef = r"<5>Sep 14 22:14:15 vault CEF:0|Cyber-Ark|Vault|12.2|24|CPM \| Change|5|act=CPM Change Password suser=Password Manager msg=a\=b c fname=Root\\x";
        let got: Value = serde_json::from_str(&lines(cef)[0]).expect("JSON");
        assert_eq!(got["cef"]["name"], "CPM | Change");
        assert_eq!(
            got["cef"]["fields"],
            serde_json::json!({"act": "CPM Change Password", "suser": "Password Manager", "msg": "a=b c", "fname": "Root\\x"})
        );
        assert_eq!(got["syslog"], serde_json::json!({"priority": "5", "time": "Sep 14 22:14:15", "host": "vault"}));
        assert_eq!(got["_raw"], cef);
        for leef in
            ["LEEF:1.0|V|P|1|24|a=1 2\tb=x=y", "LEEF:2.0|V|P|1|24|^|a=1 2^b=x=y", "LEEF:2.0|V|P|1|24|0x5E|a=1 2^b=x=y"]
        {
            assert!(looks_like(leef.as_bytes()));
            let got: Value = serde_json::from_str(&lines(leef)[0]).expect("JSON");
            assert_eq!(got["leef"]["fields"], serde_json::json!({"a": "1 2", "b": "x=y"}), "{leef}");
        }
    }

    #[test]
    fn tables_and_xml_are_none() {
        for text in [
            "2026-09-14T22:14:15Z,okta,password-reset,ann\n",
            "a,b\n1,2\n",
            "<Event><x/></Event>",
            "<?xml version='1.0'?>",
            "Sep,Oct\n1,2\n",
            "dn: cn=x\n",
            "",
            "2026-09-14T22:14:15Z okta {x},1\n",
            "Jun",
            "March results,x\n",
        ] {
            assert!(!looks_like(text.as_bytes()), "{text}");
        }
        assert_eq!(lines("<13>Sep  4 22:14:15 host sshd[1]: Failed password for ann").len(), 1);
    }

    proptest::proptest! {
        #[test]
        fn noise_never_panics(text in "(<[0-9]{1,4}>|1 |CEF:0|LEEF:2.0|[|=\\\\ \\[\\]\"{}-]|Sep  4 22:14:15|2026-09-14T22:14:15Z|[a-zé日]{0,4}|\n){0,40}") {
            looks_like(text.as_bytes());
            lines(&text);
        }
    }
}
