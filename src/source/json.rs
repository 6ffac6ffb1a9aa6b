//! Splits a stream of text into JSON records: JSON Lines, arrays, concatenated values, arrays inside an envelope.
//!
//! It finds where a record ends and whether it parses, and keeps no more than one record in memory. What a record says
//! is left to mappings.

use std::cell::Cell;
use std::io::{self, Read};
use std::ops::ControlFlow;

use memchr::{memchr, memmem};
use serde::de::IgnoredAny;

/// One piece of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// An object, valid as JSON and as UTF-8. Parsing it can still fail where an escape names half a character
    /// (`"\ud800"`).
    Record(&'a [u8]),
    /// What cannot be read as a record: invalid, cut off, nested more than 127 deep, or no object. One broken record is
    /// one piece, of which at most the first 64 KiB are given.
    Broken(&'a [u8]),
}

/// What is read first, for many files hold no more; then at least a block, and as much again as is held.
const FIRST_BLOCK: usize = 64 << 10;
const BLOCK: usize = 1 << 20;
/// More of a broken record than this helps nobody.
const EXCERPT: usize = 64 << 10;
/// A record larger than this is taken for a file that forgot to close a bracket.
const LARGEST: usize = 256 << 20;
/// Nearly every record of a log ends within this.
const GLANCE: usize = 8 << 10;
/// What `serde_json` reads without being told to trust its input.
const DEEPEST: usize = 127;

/// Gives every record of a stream to `f`, in order, until `f` breaks off.
///
/// Top-level objects are records, whether one a line, pretty-printed or one after another; of a top-level array each
/// element is. With an `envelope`, of an object with a member of that name (or that name in lower case) that is an
/// array, the elements of the array are the records, and its other members are skipped; `response.items` is the array in
/// an object of the outermost one.
///
/// After a broken record that ends on its own line, reading goes on behind it; else at the next line that opens an
/// object and is indented no deeper than the broken one.
///
/// # Errors
/// The reader's, after all that was read before it was given to `f`.
pub fn for_each(
    reader: &mut dyn Read,
    envelope: Option<&str>,
    f: &mut dyn FnMut(Piece<'_>) -> ControlFlow<()>,
) -> io::Result<()> {
    let nothing: &mut Take<'_> = &mut |_, _| None;
    for_each_taking(From::Reader(reader), envelope, nothing, f)
}

/// Takes the record that bytes begin with, if it can, and says how long it is. It has to ask whether the record is one:
/// what else stands in an envelope may be another.
pub type Take<'t> = dyn FnMut(&[u8], &dyn Fn(&[u8]) -> bool) -> Option<usize> + 't;

/// Where text comes from.
pub enum From<'r> {
    /// It is read as it is needed.
    Reader(&'r mut dyn Read),
    /// All of it is here; what is left of it is of no use to anybody.
    Held(&'r mut Vec<u8>),
}

/// The same, but that every record of an envelope is first offered to `take` where it lies, unparsed.
///
/// # Errors
/// As [`for_each`].
pub fn for_each_taking(
    from: From<'_>,
    envelope: Option<&str>,
    take: &mut Take<'_>,
    f: &mut dyn FnMut(Piece<'_>) -> ControlFlow<()>,
) -> io::Result<()> {
    let envelope = envelope.map(Envelope::new);
    let reader = match from {
        From::Reader(reader) => reader,
        From::Held(text) => {
            let bytes = std::mem::take(text);
            let window = Window { reader: &mut io::empty(), bytes, filled: true, ended: true, failed: None };
            let mut splitter = Splitter { window, at: 0, within: Vec::new(), envelope, alone: None };
            while let ControlFlow::Continue(More::Yes) = splitter.step(take, f) {}
            *text = splitter.window.bytes;
            return Ok(());
        }
    };
    let mut bytes = WINDOW.take();
    bytes.clear();
    let window = Window { reader, bytes, filled: false, ended: false, failed: None };
    let mut splitter = Splitter { window, at: 0, within: Vec::new(), envelope, alone: None };
    while let ControlFlow::Continue(More::Yes) = splitter.step(take, f) {}
    let Window { bytes, failed, .. } = splitter.window;
    // The memory serves for the next file; that of an unusual one is given back.
    if bytes.capacity() <= 4 * BLOCK {
        WINDOW.set(bytes);
    }
    failed.map_or(Ok(()), Err)
}

thread_local! {
    static WINDOW: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

enum More {
    Yes,
    No,
}

/// The bytes read and not yet done with.
struct Window<'r> {
    reader: &'r mut dyn Read,
    bytes: Vec<u8>,
    /// Was anything read yet?
    filled: bool,
    ended: bool,
    /// Kept until everything read before it has been given out.
    failed: Option<io::Error>,
}

impl Window<'_> {
    /// Reads on, at least doubling what is held; false at the end.
    fn more(&mut self) -> bool {
        if self.ended {
            return false;
        }
        let held = self.bytes.len();
        let want = if self.filled { held.max(BLOCK) } else { FIRST_BLOCK };
        self.filled = true;
        self.bytes.resize(held + want, 0);
        let mut filled = held;
        while filled < self.bytes.len() {
            match self.reader.read(&mut self.bytes[filled..]) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.failed = Some(error);
                    self.ended = true;
                    break;
                }
            }
        }
        self.bytes.truncate(filled);
        filled > held
    }

    fn byte(&mut self, at: usize) -> Option<u8> {
        while at >= self.bytes.len() {
            if !self.more() {
                return None;
            }
        }
        Some(self.bytes[at])
    }

    /// The first byte from `at` on that is no white space.
    fn solid(&mut self, mut at: usize) -> (usize, Option<u8>) {
        loop {
            match self.byte(at) {
                Some(b' ' | b'\t' | b'\r' | b'\n') => at += 1,
                other => return (at, other),
            }
        }
    }

    /// Where the JSON value that begins at `at` ends; none if it is broken. Everything from `start` on stays held.
    fn value_end(&mut self, start: usize, at: usize) -> Option<usize> {
        let mut glance = GLANCE;
        loop {
            while self.bytes.len() < at + glance && self.more() {}
            let until = self.bytes.len().min(at + glance);
            let whole = self.ended && until == self.bytes.len();
            let seen = &self.bytes[at..until];
            match first_value(seen) {
                Ok(length) => {
                    // A number or word at the very end of what is seen may go on.
                    if length < seen.len() || whole {
                        return (depth(&seen[..length]) <= DEEPEST).then_some(at + length);
                    }
                }
                Err(error) if !error.is_eof() => return None,
                // Told early, so that a file of nothing but opening brackets is not read once for each of them.
                Err(_) if whole || until - start > LARGEST || depth(seen) > DEEPEST => return None,
                Err(_) => {}
            }
            glance *= 8;
        }
    }
}

/// The length of the value that begins `bytes`.
fn first_value(bytes: &[u8]) -> serde_json::Result<usize> {
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<IgnoredAny>();
    match values.next() {
        Some(Ok(_)) => Ok(values.byte_offset()),
        Some(Err(error)) => Err(error),
        None => Err(serde::de::Error::custom("no value")),
    }
}

/// The deepest nesting of brackets in valid JSON, or in the beginning of it.
fn depth(bytes: &[u8]) -> usize {
    if memchr::memchr2_iter(b'{', b'[', bytes).take(DEEPEST + 1).count() <= DEEPEST {
        return 0;
    }
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

struct Envelope {
    /// The object that the array is in, where it is not the outermost.
    outer: Option<[String; 2]>,
    /// The name, and how exports write it that put keys in lower case.
    names: [String; 2],
    /// The names as they stand in the bytes; looking for them is what spares most records a second look.
    needles: [memmem::Finder<'static>; 2],
}

impl Envelope {
    fn new(name: &str) -> Self {
        let needle = |name: &str| memmem::Finder::new(&format!("\"{name}\"")).into_owned();
        let both = |name: &str| [name.to_owned(), name.to_lowercase()];
        let (outer, name) = match name.split_once('.') {
            Some((outer, name)) => (Some(both(outer)), name),
            None => (None, name),
        };
        let names = both(name);
        Self { outer, needles: [needle(&names[0]), needle(&names[1])], names }
    }

    /// Whether no member of these bytes can be the array.
    fn stand_nowhere(&self, bytes: &[u8]) -> bool {
        self.needles.iter().all(|needle| needle.find(bytes).is_none())
    }
}

/// Whether bytes name an envelope somewhere.
pub fn names_envelope(name: &str, bytes: &[u8]) -> bool {
    let envelope = Envelope::new(name);
    !envelope.stand_nowhere(bytes)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Array,
    /// The array of an envelope, whose other members follow.
    Enveloped,
    /// The members of an envelope behind its array.
    Members,
}

struct Splitter<'r> {
    window: Window<'r>,
    at: usize,
    within: Vec<Within>,
    envelope: Option<Envelope>,
    /// Whether nothing that is still to come names the envelope; null before it was looked for.
    alone: Option<bool>,
}

impl Splitter<'_> {
    /// One piece, or one bracket.
    fn step(&mut self, take: &mut Take<'_>, f: &mut dyn FnMut(Piece<'_>) -> ControlFlow<()>) -> ControlFlow<(), More> {
        self.forget();
        let within = self.within.last().copied();
        let (at, byte) = self.window.solid(self.at);
        self.at = at;
        let Some(byte) = byte else { return ControlFlow::Continue(More::No) };
        match (byte, within) {
            // Some exports put a comma behind each line without being an array.
            (b',', _) => self.at += 1,
            (b'{', Some(Within::Enveloped)) if self.taken(take) => {}
            (b'{', None | Some(Within::Array | Within::Enveloped)) => return self.object(f),
            (b'[', None) => {
                self.at += 1;
                self.within.push(Within::Array);
            }
            (b']', Some(Within::Array)) => {
                self.at += 1;
                self.within.pop();
            }
            (b']', Some(Within::Enveloped)) => {
                self.at += 1;
                self.within.pop();
                self.within.push(Within::Members);
            }
            (b'}', Some(Within::Members)) => {
                self.at += 1;
                self.within.pop();
            }
            (b'"', Some(Within::Members)) => match self.member_end() {
                Some(end) => self.at = end,
                None => {
                    self.within.pop();
                    return self.broken(f);
                }
            },
            (_, Some(Within::Members)) => {
                self.within.pop();
            }
            (_, Some(Within::Array | Within::Enveloped)) => match self.window.value_end(at, at) {
                Some(end) => {
                    let end = end.max(at + 1);
                    self.at = end;
                    f(Piece::Broken(cut(&self.window.bytes[at..end])))?;
                }
                None => return self.broken(f),
            },
            (_, None) => return self.broken_line(f),
        }
        ControlFlow::Continue(More::Yes)
    }

    /// Whether the record that begins here was taken as it lies.
    fn taken(&mut self, take: &mut Take<'_>) -> bool {
        let Some(envelope) = &self.envelope else { return false };
        let held = &self.window.bytes[self.at..];
        // Where all is held what stands in the rest of it is asked once.
        let alone = self.window.ended && *self.alone.get_or_insert_with(|| envelope.stand_nowhere(held));
        let is_record = |bytes: &[u8]| alone || envelope.stand_nowhere(bytes);
        match take(held, &is_record) {
            Some(length) => {
                self.at += length;
                true
            }
            None => false,
        }
    }

    /// Drops what is done with, once that is most of what is held: each byte moves at most once for each that goes.
    fn forget(&mut self) {
        if self.at == self.window.bytes.len() {
            self.window.bytes.clear();
            self.at = 0;
        } else if self.at > BLOCK / 2 && self.at > self.window.bytes.len() / 2 {
            self.window.bytes.drain(..self.at);
            self.at = 0;
        }
    }

    fn object(&mut self, f: &mut dyn FnMut(Piece<'_>) -> ControlFlow<()>) -> ControlFlow<(), More> {
        let start = self.at;
        // Inside an envelope too: the one around it may have been cut off.
        let end = match self.open_envelope(start) {
            Opened::Array(at) => {
                self.at = at;
                if self.envelope.as_ref().is_some_and(|envelope| envelope.outer.is_some()) {
                    self.within.push(Within::Members);
                }
                self.within.push(Within::Enveloped);
                return ControlFlow::Continue(More::Yes);
            }
            Opened::Record(end) => Some(end),
            Opened::Broken => None,
        };
        let Some(end) = end else { return self.broken(f) };
        self.at = end;
        let record = &self.window.bytes[start..end];
        match std::str::from_utf8(record) {
            Ok(_) => f(Piece::Record(record))?,
            Err(_) => f(Piece::Broken(cut(record)))?,
        }
        ControlFlow::Continue(More::Yes)
    }

    fn open_envelope(&mut self, start: usize) -> Opened {
        let Some(envelope) = &self.envelope else {
            return self.window.value_end(start, start).map_or(Opened::Broken, Opened::Record);
        };
        let held = &self.window.bytes[start..];
        // As those who write envelopes do.
        let first = || held.strip_prefix(b"{\"")?.strip_prefix(envelope.names[0].as_bytes())?.strip_prefix(b"\":[");
        if envelope.outer.is_none()
            && let Some(rest) = first()
        {
            return Opened::Array(start + held.len() - rest.len());
        }
        let glance = &held[..held.len().min(GLANCE)];
        // An envelope with a broken record in it is still an envelope, so what does not parse is looked into as well.
        let record = match first_value(glance) {
            Ok(length) if length < glance.len() && depth(glance) <= DEEPEST => Some(length),
            _ => None,
        };
        if let Some(length) = record
            && envelope.stand_nowhere(&glance[..length])
        {
            return Opened::Record(start + length);
        }
        // Member by member, so that an envelope larger than memory opens as soon as its array begins.
        let (outer, names) = (envelope.outer.clone(), envelope.names.clone());
        let mut at = start + 1;
        let mut inside = outer.is_none();
        loop {
            let (next, byte) = self.window.solid(at);
            match byte {
                Some(b',') => at = next + 1,
                Some(b'}') if inside && outer.is_some() => {
                    inside = false;
                    at = next + 1;
                }
                Some(b'}') => return self.window.value_end(start, start).map_or(Opened::Broken, Opened::Record),
                Some(b'"') => {
                    let Some(key_end) = self.window.value_end(start, next) else { return Opened::Broken };
                    let (colon, byte) = self.window.solid(key_end);
                    if byte != Some(b':') {
                        return Opened::Broken;
                    }
                    let (value, byte) = self.window.solid(colon + 1);
                    let key = &self.window.bytes[next + 1..key_end - 1];
                    let is = |names: &[String; 2]| names.iter().any(|name| name.as_bytes() == key);
                    if byte == Some(b'[') && inside && is(&names) {
                        return Opened::Array(value + 1);
                    }
                    if byte == Some(b'{') && !inside && outer.as_ref().is_some_and(is) {
                        inside = true;
                        at = value + 1;
                        continue;
                    }
                    if byte.is_none() {
                        return Opened::Broken;
                    }
                    match self.window.value_end(start, value) {
                        Some(end) => at = end,
                        None => return Opened::Broken,
                    }
                }
                _ => return Opened::Broken,
            }
        }
    }

    /// The end of the member whose key begins here.
    fn member_end(&mut self) -> Option<usize> {
        let key_end = self.window.value_end(self.at, self.at)?;
        let (colon, byte) = self.window.solid(key_end);
        if byte != Some(b':') {
            return None;
        }
        let (value, _) = self.window.solid(colon + 1);
        self.window.byte(value)?;
        self.window.value_end(self.at, value)
    }

    /// A record that does not parse: up to its closing bracket if that is on its line, else up to the next record.
    fn broken(&mut self, f: &mut dyn FnMut(Piece<'_>) -> ControlFlow<()>) -> ControlFlow<(), More> {
        let indent = self.indent();
        let mut seen = Excerpt::default();
        let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
        let bracketed = matches!(self.window.byte(self.at), Some(b'{' | b'['));
        let closed = loop {
            // A word that is no value ends where the next element may begin.
            if !bracketed
                && !quoted
                && !seen.bytes.is_empty()
                && matches!(self.window.byte(self.at), Some(b',' | b'{' | b']' | b'}'))
            {
                break true;
            }
            let Some(byte) = self.next_of(&mut seen) else { break true };
            match byte {
                b'\n' => break false,
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b'{' | b'[' if !quoted => depth += 1,
                b'}' | b']' if !quoted => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        break true;
                    }
                }
                _ => {}
            }
        };
        while !closed && !self.line_opens_record(indent) {
            if !self.skip_line(&mut seen) {
                break;
            }
        }
        f(Piece::Broken(seen.bytes.trim_ascii()))?;
        ControlFlow::Continue(More::Yes)
    }

    /// Text where a record should begin: the line is given up.
    fn broken_line(&mut self, f: &mut dyn FnMut(Piece<'_>) -> ControlFlow<()>) -> ControlFlow<(), More> {
        let mut seen = Excerpt::default();
        self.skip_line(&mut seen);
        f(Piece::Broken(seen.bytes.trim_ascii()))?;
        ControlFlow::Continue(More::Yes)
    }

    /// How far the line is indented on which reading stands, as far as it is still held.
    fn indent(&self) -> usize {
        let before = &self.window.bytes[..self.at];
        let line = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
        self.window.bytes[line..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
    }

    /// Whether the line that begins here can be the start of a record, or the end of the array around it.
    fn line_opens_record(&mut self, indent: usize) -> bool {
        let mut at = self.at;
        while let Some(b' ' | b'\t') = self.window.byte(at) {
            at += 1;
        }
        let opens = match self.window.byte(at) {
            Some(b'{') => true,
            Some(b'[') => self.within.is_empty(),
            Some(b']') => !self.within.is_empty(),
            None => true,
            _ => false,
        };
        opens && at - self.at <= indent
    }

    fn next_of(&mut self, seen: &mut Excerpt) -> Option<u8> {
        if self.at > BLOCK {
            self.forget();
        }
        let byte = self.window.byte(self.at)?;
        self.at += 1;
        seen.take(&[byte]);
        Some(byte)
    }

    /// Goes to the beginning of the next line; false at the end.
    fn skip_line(&mut self, seen: &mut Excerpt) -> bool {
        loop {
            self.forget();
            if self.window.byte(self.at).is_none() {
                return false;
            }
            let rest = &self.window.bytes[self.at..];
            match memchr(b'\n', rest) {
                Some(newline) => {
                    seen.take(&rest[..=newline]);
                    self.at += newline + 1;
                    return true;
                }
                None => {
                    seen.take(rest);
                    self.at = self.window.bytes.len();
                }
            }
        }
    }
}

enum Opened {
    /// The array of the envelope, from behind its bracket.
    Array(usize),
    /// No envelope but a record, up to here.
    Record(usize),
    Broken,
}

#[derive(Default)]
struct Excerpt {
    bytes: Vec<u8>,
}

impl Excerpt {
    fn take(&mut self, bytes: &[u8]) {
        let room = EXCERPT - self.bytes.len().min(EXCERPT);
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

fn cut(bytes: &[u8]) -> &[u8] {
    bytes[..bytes.len().min(EXCERPT)].trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    /// Hands out a few bytes at a time, so that every boundary falls somewhere.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let n = self.0.len().min(into.len()).min(self.1);
            into[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    fn split(text: impl AsRef<[u8]>, envelope: Option<&str>) -> (Vec<String>, Vec<String>) {
        let (mut records, mut broken) = (Vec::new(), Vec::new());
        for_each(&mut Slow(text.as_ref(), 7), envelope, &mut |piece| {
            match piece {
                Piece::Record(bytes) => records.push(String::from_utf8_lossy(bytes).into_owned()),
                Piece::Broken(bytes) => broken.push(String::from_utf8_lossy(bytes).into_owned()),
            }
            ControlFlow::Continue(())
        })
        .expect("no reader here fails");
        (records, broken)
    }

    fn counts(text: impl AsRef<[u8]>, envelope: Option<&str>) -> (usize, usize) {
        let (records, broken) = split(text, envelope);
        (records.len(), broken.len())
    }

    #[test]
    fn every_shape_gives_its_records() {
        for text in [
            "{\"a\":1}\n{\"a\":2}\n{\"a\":3}",
            "{\"a\":1}{\"a\":2} {\"a\":3}",
            "[{\"a\":1},{\"a\":2},{\"a\":3}]",
            "[\n  {\n    \"a\": 1\n  },\n  {\"a\":2}\n,\n  {\"a\":3}\n]\n",
            "{\n  \"a\": 1\n}\n{\n  \"a\": 2\n}\n\n{\"a\":3}\n",
            "{\"a\":1},\r\n{\"a\":2},\r\n{\"a\":3}\r\n",
            "[{\"a\":1}]\n[{\"a\":2},{\"a\":3}]",
            "{\"a\":[{\"Records\":1}]}{\"Records\":2}{\"b\":\"Records\"}",
        ] {
            assert_eq!(counts(text, None), (3, 0), "{text}");
            assert_eq!(counts(text, Some("Records")), (3, 0), "{text}");
        }
        for text in ["", " \n\n", "[]", "[\n]\n", "{\"Records\":[]}"] {
            assert_eq!(counts(text, Some("Records")), (0, 0), "{text}");
        }
    }

    #[test]
    fn an_envelope_in_an_envelope_opens() {
        let one = r#"{"stat":"OK","response":{"metadata":{"items":[9]},"items":[{"a":1},{"b":2}],"more":[{"c":3}]},"items":[7]}"#;
        assert_eq!(counts(one, Some("response.items")), (2, 0));
        assert_eq!(counts(format!("{one}\n{one}"), Some("response.items")), (4, 0));
        let flat = r#"{"response":{"other":[1]},"items":[{"a":1}]}"#;
        assert_eq!(counts(flat, Some("response.items")), (1, 0), "it is a record");
        assert_eq!(counts(r#"{"response":{"items":[]},"x":1}"#, Some("response.items")), (0, 0));
        assert_eq!(counts(r#"{"response":{"items":[{"a":1},{"b":"#, Some("response.items")).0, 1, "cut off");
    }

    #[test]
    fn envelopes_open_and_their_other_members_are_skipped() {
        let one = r#"{"Records":[{"a":1},{"b":2}]}"#;
        let two = r#"{"next": {"deep": [1,{"x":"]"}]}, "Records" : [ {"a":1}, {"b":2} ], "more": [1,2], "n": null}"#;
        assert_eq!(counts(one, Some("Records")), (2, 0));
        assert_eq!(counts(two, Some("Records")), (2, 0));
        assert_eq!(counts(format!("{one}{two}\n{one}"), Some("Records")), (6, 0));
        assert_eq!(counts(format!("[{one},{two}]"), Some("Records")), (4, 0));
        assert_eq!(counts(one.to_lowercase(), Some("Records")), (2, 0));
        assert_eq!(counts(one, None), (1, 0));
        assert_eq!(counts(r#"{"Records":{"a":1}}"#, Some("Records")), (1, 0));
        let broken = r#"{"Records":[{"a":1},{"b":tru},{"c":3}],"n":1}{"a":4}"#;
        assert_eq!(counts(broken, Some("Records")), (3, 1));
        let cut_off = "{\"Records\":[{\"a\":1},{\"b\"\n{\"Records\":[{\"a\":1},{\"b\":2}]}\n{\"c\":3}";
        assert_eq!(counts(cut_off, Some("Records")), (4, 1));
    }

    #[test]
    fn one_bad_line_costs_one_record() {
        let (records, broken) =
            split("{\"a\":1}\n{\"a\": {\"b\":2}\n{\"a\":3}\n{\"a\":\n{\"a\":5}\nnoise\n{\"a\":6}", None);
        assert_eq!(records, ["{\"a\":1}", "{\"a\":3}", "{\"a\":5}", "{\"a\":6}"]);
        assert_eq!(broken, ["{\"a\": {\"b\":2}", "{\"a\":", "noise"]);
        assert_eq!(counts("{\"a\":\"x\ny\"}\n{\"a\":2}", None), (1, 1));
        assert_eq!(counts("{\"a\":1}\n{\"a\":2", None), (1, 1));
        assert_eq!(counts("{\"a\":1}\n\"text\"\n17\n{\"a\":2}\n", None), (2, 2));
    }

    #[test]
    fn a_broken_element_costs_one_record() {
        assert_eq!(counts(r#"[{"a":1},{"a":tru},{"a":3}]"#, None), (2, 1));
        assert_eq!(counts(r#"[{"a":1},7,"x",null,{"a":3}]"#, None), (2, 3));
        assert_eq!(counts(r#"[{"a":1},nonsense,{"a":3}]"#, None), (2, 1));
        assert_eq!(counts(r#"[{"a":1},[{"a":2}],{"a":3}]"#, None), (2, 1));
        assert_eq!(counts(r#"[{"a":1},{"a":2"#, None), (1, 1));
        assert_eq!(counts(r#"[{"a":1}"#, None), (1, 0));
        let pretty = "[\n  {\n    \"a\": 1,,\n    \"b\": [\n      {\n        \"c\": 1\n      }\n    ]\n  },\n  {\n    \"a\": 2\n  }\n]\n{\"a\":3}\n";
        assert_eq!(counts(pretty, None), (2, 1));
    }

    #[test]
    fn not_utf8_is_broken() {
        assert_eq!(counts(b"{\"a\":\"\xe9\"}\n{\"a\":2}\n", None), (1, 1));
    }

    #[test]
    fn deep_nesting_is_broken_and_never_overflows() {
        let deep = |n: usize| format!("{{\"a\":{}{}}}", "[".repeat(n), "]".repeat(n));
        assert_eq!(counts(deep(126), Some("Records")), (1, 0));
        assert_eq!(counts(deep(127), Some("Records")), (0, 1));
        assert_eq!(counts("{\"a\":\n".repeat(20_000), Some("Records")).0, 0);
        assert_eq!(counts(format!("{}\n{{\"a\":1}}", deep(200_000)), Some("Records")), (1, 1));
        assert_eq!(counts("{\"a\":".repeat(200_000), None), (0, 1));
        assert_eq!(counts("[".repeat(200_000), None).0, 0);
    }

    #[test]
    fn a_large_array_on_one_line_streams() {
        /// Never holds the text it gives.
        struct Endless(usize, Vec<u8>);
        impl Read for Endless {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                if self.1.is_empty() && self.0 > 0 {
                    self.0 -= 1;
                    self.1 = format!("{{\"n\":{},\"text\":\"{}\"}},", self.0, "x".repeat(1000)).into_bytes();
                }
                let n = self.1.len().min(into.len());
                into[..n].copy_from_slice(&self.1[..n]);
                self.1.drain(..n);
                Ok(n)
            }
        }
        let mut reader = (&b"{\"Records\":["[..]).chain(Endless(50_000, Vec::new())).chain(&b"{\"n\":0}]}"[..]);
        let mut records = 0;
        for_each(&mut reader, Some("Records"), &mut |piece| {
            assert!(matches!(piece, Piece::Record(_)));
            records += 1;
            ControlFlow::Continue(())
        })
        .expect("reads");
        assert_eq!(records, 50_001);
    }

    #[test]
    fn a_reader_that_fails_gives_first_what_it_had() {
        struct Failing;
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the gzip data ends early"))
            }
        }
        let mut seen = Vec::new();
        let error = for_each(&mut (&b"{\"a\":1}\n{\"a\":"[..]).chain(Failing), None, &mut |piece| {
            seen.push(matches!(piece, Piece::Record(_)));
            ControlFlow::Continue(())
        })
        .expect_err("it ends early");
        assert_eq!(seen, [true, false]);
        assert!(error.to_string().contains("ends early"));
    }

    #[test]
    fn reading_breaks_off_when_told() {
        let mut seen = 0;
        for_each(&mut &b"{}{}{}"[..], None, &mut |_| {
            seen += 1;
            if seen == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .expect("reads");
        assert_eq!(seen, 2);
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[\\PC\"\\\\{}\\[\\],\n]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("[a-zA-Z\"\\[\\]{}]{0,6}", inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn object() -> impl Strategy<Value = Value> {
        prop::collection::btree_map("[a-z]{1,6}", value(), 0..5)
            .prop_map(|map| Value::Object(map.into_iter().collect()))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn n_records_give_n(objects in prop::collection::vec(object(), 0..8), shape in 0..5, step in 1..64_usize) {
            let text = match shape {
                0 => objects.iter().map(|o| format!("{o}\n")).collect::<String>(),
                1 => objects.iter().map(|o| format!("{o:#}")).collect(),
                2 => Value::from(objects.clone()).to_string(),
                3 => format!("{:#}", Value::from(objects.clone())),
                _ => format!("{{\"first\":[1],\"Records\":{:#},\"last\":{{}}}}", Value::from(objects.clone())),
            };
            let mut seen = Vec::new();
            for_each(&mut Slow(text.as_bytes(), step), Some("Records"), &mut |piece| {
                match piece {
                    Piece::Record(bytes) => seen.push(serde_json::from_slice::<Value>(bytes).expect("a record parses")),
                    Piece::Broken(bytes) => panic!("{:?}", String::from_utf8_lossy(bytes)),
                }
                ControlFlow::Continue(())
            }).expect("reads");
            prop_assert_eq!(seen, objects);
        }

        #[test]
        fn truncation_loses_at_most_the_last(objects in prop::collection::vec(object(), 1..6), part in 0.0..1.0_f64) {
            let text = objects.iter().map(|o| format!("{o}\n")).collect::<String>();
            let mut end = (text.len() as f64 * part) as usize;
            while !text.is_char_boundary(end) { end -= 1; }
            let whole = text[..end].lines().filter(|line| serde_json::from_str::<Value>(line).is_ok()).count();
            let (records, broken) = split(&text[..end], Some("Records"));
            prop_assert_eq!(records.len(), whole);
            prop_assert!(broken.len() <= 1);
        }

        #[test]
        fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..400), text in "[\\[\\]{}\",:\\\\ \n0a]{0,200}") {
            split(&bytes, Some("Records"));
            split(&text, Some("a"));
            split(&text, None);
            for piece in split(&text, None).0 {
                prop_assert!(serde_json::from_str::<IgnoredAny>(&piece).is_ok());
            }
        }
    }
}
