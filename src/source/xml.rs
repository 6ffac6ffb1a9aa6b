//! XML as records: Windows events however they are strung together, and reports whose root holds one element a record.

use std::io::{self, BufRead, Read, Write};

use memchr::memmem;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value};

use super::element::{DEEPEST, Element};
use super::pump::broken_line;

const BLOCK: usize = 1 << 18;
/// An event is a few KiB; what goes on longer has lost its end.
const LARGEST: usize = 16 << 20;

/// Writes one JSON line a record.
pub(super) fn to_lines(mut from: impl BufRead, to: &mut dyn Write) -> io::Result<()> {
    let head = from.fill_buf()?;
    let events = memmem::find(head, b"<Event ").or(memmem::find(head, b"<Event>")).is_some();
    if events { event_lines(from, to) } else { report_lines(from, to) }
}

/// Each `<Event>` by itself: one that is broken costs no other.
fn event_lines(mut from: impl Read, to: &mut dyn Write) -> io::Result<()> {
    const END: &[u8] = b"</Event>";
    let mut held: Vec<u8> = Vec::new();
    let mut ended = false;
    loop {
        while !ended {
            let before = held.len();
            held.resize(before + BLOCK, 0);
            let n = read_some(&mut from, &mut held[before..])?;
            held.truncate(before + n);
            ended = n == 0;
            if memmem::find(&held, END).is_some() || held.len() >= LARGEST {
                break;
            }
        }
        let mut at = 0;
        while let Some(start) = next_start(&held, at) {
            let next = next_start(&held, start + 1).unwrap_or(held.len());
            match memmem::find(&held[start..], END).map(|end| start + end + END.len()) {
                Some(end) if end <= next => {
                    event_line(&held[start..end], to)?;
                    at = end;
                }
                // Another begins before this one ends.
                _ if next < held.len() => {
                    broken_line(to, &excerpt("XML event without an end", &held[start..next]))?;
                    at = next;
                }
                _ if ended || held.len() - start >= LARGEST => {
                    broken_line(to, &excerpt("XML event without an end", &held[start..]))?;
                    at = held.len();
                }
                _ => {
                    at = start;
                    break;
                }
            }
        }
        if ended {
            return Ok(());
        }
        // A start tag may lie across the boundary.
        let keep = if next_start(&held, at).is_some() { at } else { at.max(held.len().saturating_sub(8)) };
        held.drain(..keep);
    }
}

fn read_some(from: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match from.read(into) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

fn next_start(held: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(found) = memmem::find(held.get(at..)?, b"<Event") {
        let start = at + found;
        match held.get(start + 6) {
            Some(b' ' | b'>' | b'\t' | b'\r' | b'\n') => return Some(start),
            _ => at = start + 6,
        }
    }
    None
}

fn excerpt(what: &str, bytes: &[u8]) -> String {
    format!("{what}: {}", String::from_utf8_lossy(&bytes[..bytes.len().min(600)]))
}

fn event_line(bytes: &[u8], to: &mut dyn Write) -> io::Result<()> {
    let mut reader = Reader::from_reader(bytes);
    let mut found = None;
    let parsed = walk(&mut reader, 0, &mut |element| {
        found = Some(element);
        Ok(())
    });
    match (parsed, found) {
        (Ok(()), Some(element)) => {
            let mut line = Map::new();
            line.insert("Event".to_owned(), element.json());
            writeln!(to, "{}", Value::Object(line))
        }
        (Err(Stop::Xml(why)), _) => broken_line(to, &excerpt(&format!("XML event ({why})"), bytes)),
        (Err(Stop::Io(error)), _) => Err(error),
        (Ok(()), None) => broken_line(to, &excerpt("XML event", bytes)),
    }
}

/// Each element below the root.
fn report_lines(mut from: impl BufRead, to: &mut dyn Write) -> io::Result<()> {
    // The text is UTF-8 by now, whatever its declaration says.
    if from.fill_buf()?.starts_with(b"<?xml") {
        from.read_until(b'>', &mut Vec::new())?;
    }
    let mut reader = Reader::from_reader(from);
    let walked = walk(&mut reader, 1, &mut |element| match element.json() {
        object @ Value::Object(_) => writeln!(to, "{object}"),
        // A title or a date beside the records.
        _ => Ok(()),
    });
    match walked {
        Ok(()) => Ok(()),
        Err(Stop::Xml(why)) => broken_line(to, &format!("XML that does not parse from here on: {why}")),
        Err(Stop::Io(error)) => Err(error),
    }
}

enum Stop {
    Xml(String),
    Io(io::Error),
}

/// Gives every element at `depth` to `f`.
fn walk<R: BufRead>(
    reader: &mut Reader<R>,
    depth: usize,
    f: &mut dyn FnMut(Element) -> io::Result<()>,
) -> Result<(), Stop> {
    let mut stack: Vec<Element> = Vec::new();
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        let event = match reader.read_event_into(&mut buffer) {
            Err(quick_xml::Error::Io(error)) => return Err(Stop::Io(io::Error::new(error.kind(), error.to_string()))),
            Err(error) => return Err(Stop::Xml(error.to_string())),
            Ok(event) => event,
        };
        let bad = |error: &dyn std::fmt::Display| Stop::Xml(error.to_string());
        match event {
            Event::Start(start) => {
                if stack.len() >= DEEPEST {
                    return Err(Stop::Xml(format!("nested deeper than {DEEPEST}")));
                }
                stack.push(begin(&start).map_err(Stop::Xml)?);
            }
            Event::Empty(start) => {
                let element = begin(&start).map_err(Stop::Xml)?;
                end(element, &mut stack, depth, f).map_err(Stop::Io)?;
            }
            Event::End(_) => match stack.pop() {
                Some(element) => end(element, &mut stack, depth, f).map_err(Stop::Io)?,
                None => return Err(Stop::Xml("an end without a beginning".to_owned())),
            },
            Event::Text(text) => {
                let raw = std::str::from_utf8(&text).map_err(|e| bad(&e))?;
                let text = quick_xml::escape::unescape(raw).map_err(|e| bad(&e))?;
                match stack.last_mut() {
                    Some(element) if element.text.len() + text.len() <= LARGEST => element.text.push_str(&text),
                    Some(_) => return Err(Stop::Xml("a text too long".to_owned())),
                    None => {}
                }
            }
            Event::GeneralRef(reference) => {
                let name = std::str::from_utf8(&reference).map_err(|e| bad(&e))?;
                let text = quick_xml::escape::unescape(&format!("&{name};")).map_err(|e| bad(&e))?.into_owned();
                if let Some(element) = stack.last_mut() {
                    element.text.push_str(&text);
                }
            }
            Event::CData(text) => {
                if let Some(element) = stack.last_mut() {
                    let text = text.into_inner();
                    element.text.push_str(std::str::from_utf8(&text).map_err(|e| bad(&e))?);
                }
            }
            Event::Eof if stack.is_empty() => return Ok(()),
            Event::Eof => return Err(Stop::Xml("the file ends within an element".to_owned())),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
}

fn begin(start: &BytesStart<'_>) -> Result<Element, String> {
    let name = std::str::from_utf8(start.local_name().into_inner()).map_err(|e| e.to_string())?.to_owned();
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|e| e.to_string())?;
        let key = std::str::from_utf8(attribute.key.into_inner()).map_err(|e| e.to_string())?;
        if key == "xmlns" || key.starts_with("xmlns:") {
            continue;
        }
        let raw = std::str::from_utf8(&attribute.value).map_err(|e| e.to_string())?;
        let value = quick_xml::escape::unescape(raw).map_err(|e| e.to_string())?.into_owned();
        attributes.push((key.to_owned(), value));
    }
    Ok(Element { name, attributes, ..Element::default() })
}

fn end(
    element: Element,
    stack: &mut [Element],
    depth: usize,
    f: &mut dyn FnMut(Element) -> io::Result<()>,
) -> io::Result<()> {
    if stack.len() == depth {
        return f(element);
    }
    if stack.len() > depth
        && let Some(parent) = stack.last_mut()
    {
        parent.children.push(element);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        let mut out = Vec::new();
        to_lines(text.as_bytes(), &mut out).expect("in memory");
        String::from_utf8(out).expect("text").lines().map(str::to_owned).collect()
    }

    const EVENT: &str = "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><EventID Qualifiers='1'>4724</EventID>\
        <TimeCreated SystemTime='2026-09-01T00:00:00.1234567Z'/><Computer>DC1</Computer></System><EventData><Data Name='TargetUserName'>ann &amp; co</Data>\
        <Data Name='Empty'/><Data>x</Data><Data>y</Data></EventData></Event>";

    #[test]
    fn events_of_every_stringing_together() {
        let is = r##"{"Event":{"System":{"EventID":{"#attributes":{"Qualifiers":"1"},"#text":"4724"},"TimeCreated":{"#attributes":{"SystemTime":"2026-09-01T00:00:00.1234567Z"}},"Computer":"DC1"},"EventData":{"TargetUserName":"ann & co","Empty":null,"Data":["x","y"]}}}"##;
        assert_eq!(lines(EVENT), [is]);
        assert_eq!(lines(&format!("<?xml version='1.0'?>\n<Events>{EVENT}\n{EVENT}</Events>")), [is, is]);
        assert_eq!(lines(&EVENT.repeat(3000)).len(), 3000);
    }

    #[test]
    fn a_broken_event_costs_no_other() {
        let cut = &EVENT[..EVENT.len() / 2];
        let wrong = EVENT.replace("</Computer>", "</Komputer>");
        let got = lines(&format!("{EVENT}{cut}{EVENT}{wrong}{EVENT}{cut}"));
        let broken: Vec<bool> = got.iter().map(|line| line.starts_with('!')).collect();
        assert_eq!(broken, [false, true, false, true, false, true]);
        assert!(lines(&format!("<Event>{}", "<a>".repeat(10_000)))[0].starts_with('!'));
    }

    #[test]
    fn reports_give_the_children_of_their_root() {
        let text = "<?xml version='1.0'?><wd:Report_Data xmlns:wd='urn:x'><wd:Report_Entry><wd:Employee_ID>7</wd:Employee_ID><wd:Org wd:Descriptor='A'/>\
            </wd:Report_Entry><wd:Report_Entry><wd:Employee_ID>8</wd:Employee_ID></wd:Report_Entry></wd:Report_Data>";
        assert_eq!(
            lines(text),
            [r##"{"Employee_ID":"7","Org":{"#attributes":{"wd:Descriptor":"A"}}}"##, r#"{"Employee_ID":"8"}"#]
        );
        assert!(lines("<a><b><c>1</c></b><b><c>").iter().any(|line| line.starts_with('!')));
    }

    proptest::proptest! {
        #[test]
        fn noise_never_panics(text in "(<Event[ >]|</Event>|<[a-z]{0,3}|/?>|[a-z&;='\"]{0,4}){0,40}") {
            lines(&text);
        }
    }
}
