//! A record's JSON laid out flat while it is checked: what a mapping looks at, where it stands, and nothing built.
//!
//! Only what is sure is read so. Where a record is no JSON, or says what it says in an unusual way (an escape in a text that is kept,
//! a member twice, a number with an exponent, brackets many deep), there is none, and [`Sieve::read`] tells.

use super::sieve::Sieve;

/// Brackets in brackets, far below what `serde_json` takes.
const DEEPEST: usize = 64;
/// Members of an object of which all are kept; more are compared with each other for too long.
const MOST_MEMBERS: usize = 48;

/// What stands at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    True,
    False,
    Number,
    Text,
    Array,
    Object,
}

#[derive(Clone, Copy, Debug)]
struct Item {
    kind: Kind,
    /// The item behind this one and all within it.
    next: u32,
    /// Of a member its name.
    key: (u32, u32),
    /// Of a text what stands between its quotes; of a number all of it.
    at: (u32, u32),
}

/// Where everything that is kept of one record stands; used again for the next.
#[derive(Debug, Default)]
pub(super) struct Tape {
    items: Vec<Item>,
}

/// A record and where in it everything stands.
#[derive(Clone, Copy)]
pub(super) struct Record<'q> {
    text: &'q str,
    items: &'q [Item],
}

impl Tape {
    /// Lays out the object that `bytes` begins with, and gives its length. Null where that is not sure, or where the bytes end before
    /// it does. Whether it is UTF-8 is left to [`Tape::record`].
    pub(super) fn lay(&mut self, bytes: &[u8], sieve: &Sieve) -> Option<usize> {
        self.items.clear();
        if bytes.len() > u32::MAX as usize || bytes.first() != Some(&b'{') {
            return None;
        }
        self.object(bytes, 0, (0, 0), if sieve.is_whole() { None } else { Some(sieve) }, DEEPEST)
    }

    /// What was laid out of `bytes`; null where they are no UTF-8.
    pub(super) fn record<'q>(&'q self, bytes: &'q [u8]) -> Option<Record<'q>> {
        Some(Record { text: std::str::from_utf8(bytes).ok()?, items: &self.items })
    }

    fn push(&mut self, kind: Kind, key: (u32, u32), at: (usize, usize)) -> usize {
        let here = self.items.len();
        self.items.push(Item { kind, next: here as u32 + 1, key, at: (at.0 as u32, at.1 as u32) });
        here
    }

    fn close(&mut self, here: usize) {
        self.items[here].next = self.items.len() as u32;
    }

    /// `sieve` is null where all of it is kept.
    fn object(
        &mut self,
        bytes: &[u8],
        open: usize,
        key: (u32, u32),
        sieve: Option<&Sieve>,
        deeper: usize,
    ) -> Option<usize> {
        let deeper = deeper.checked_sub(1)?;
        let here = self.push(Kind::Object, key, (open, open));
        let mut at = solid(bytes, open + 1)?;
        if bytes[at] == b'}' {
            return Some(at + 1);
        }
        let mut met = 0_u64;
        loop {
            if *bytes.get(at)? != b'"' {
                return None;
            }
            let (close, plain) = text_end(bytes, at + 1)?;
            if !plain {
                return None;
            }
            let (from, to) = (at + 1, close);
            at = solid(bytes, close + 1)?;
            if bytes[at] != b':' {
                return None;
            }
            at = solid(bytes, at + 1)?;
            let key = (from as u32, to as u32);
            at = match sieve {
                None => {
                    if self.is_twice(bytes, here, &bytes[from..to]) {
                        return None;
                    }
                    self.value(bytes, at, key, None, deeper)?
                }
                Some(sieve) => match sieve.find(&bytes[from..to]) {
                    Some((n, within)) => {
                        // Twice, perhaps in another case: which of them counts is told elsewhere.
                        if n >= 64 || met >> n & 1 == 1 {
                            return None;
                        }
                        met |= 1 << n;
                        self.value(bytes, at, key, (!within.is_whole()).then_some(within), deeper)?
                    }
                    None => passed(bytes, at, deeper)?,
                },
            };
            at = solid(bytes, at)?;
            match bytes[at] {
                b',' => at = solid(bytes, at + 1)?,
                b'}' => {
                    self.close(here);
                    return Some(at + 1);
                }
                _ => return None,
            }
        }
    }

    fn value(
        &mut self,
        bytes: &[u8],
        at: usize,
        key: (u32, u32),
        sieve: Option<&Sieve>,
        deeper: usize,
    ) -> Option<usize> {
        match *bytes.get(at)? {
            b'"' => {
                let (close, plain) = text_end(bytes, at + 1)?;
                self.push(Kind::Text, key, (at + 1, close));
                plain.then_some(close + 1)
            }
            b'{' => self.object(bytes, at, key, sieve, deeper),
            b'[' => {
                let deeper = deeper.checked_sub(1)?;
                let here = self.push(Kind::Array, key, (at, at));
                let mut at = solid(bytes, at + 1)?;
                if bytes[at] == b']' {
                    return Some(at + 1);
                }
                loop {
                    at = self.value(bytes, at, (0, 0), sieve, deeper)?;
                    at = solid(bytes, at)?;
                    match bytes[at] {
                        b',' => at = solid(bytes, at + 1)?,
                        b']' => {
                            self.close(here);
                            return Some(at + 1);
                        }
                        _ => return None,
                    }
                }
            }
            b't' => self.word(bytes, at, key, b"true", Kind::True),
            b'f' => self.word(bytes, at, key, b"false", Kind::False),
            b'n' => self.word(bytes, at, key, b"null", Kind::Null),
            _ => {
                let (end, plain) = number_end(bytes, at)?;
                self.push(Kind::Number, key, (at, end));
                plain.then_some(end)
            }
        }
    }

    fn word(&mut self, bytes: &[u8], at: usize, key: (u32, u32), word: &[u8], kind: Kind) -> Option<usize> {
        self.push(kind, key, (at, at + word.len()));
        bytes[at..].starts_with(word).then_some(at + word.len())
    }

    /// Whether an object that is open has a member of this name, in any case, or more than are compared.
    fn is_twice(&self, bytes: &[u8], object: usize, key: &[u8]) -> bool {
        let mut at = object + 1;
        let mut members = 0;
        while let Some(item) = self.items.get(at) {
            members += 1;
            if members > MOST_MEMBERS || bytes[item.key.0 as usize..item.key.1 as usize].eq_ignore_ascii_case(key) {
                return true;
            }
            at = item.next as usize;
        }
        false
    }
}

impl<'q> Record<'q> {
    pub(super) fn kind(&self, at: u32) -> Kind {
        self.items[at as usize].kind
    }

    /// The text or number that stands there.
    pub(super) fn text(&self, at: u32) -> &'q str {
        let (from, to) = self.items[at as usize].at;
        self.text.get(from as usize..to as usize).unwrap_or_default()
    }

    /// The member of an object with this name, in any case; there is but one.
    pub(super) fn member(&self, object: u32, key: &str) -> Option<u32> {
        if self.kind(object) != Kind::Object {
            return None;
        }
        let bytes = self.text.as_bytes();
        let mut within = self.within(object);
        within.find(|at| {
            let (from, to) = self.items[*at as usize].key;
            (to - from) as usize == key.len() && bytes[from as usize..to as usize].eq_ignore_ascii_case(key.as_bytes())
        })
    }

    /// Members or elements, in order.
    pub(super) fn within(self, around: u32) -> impl Iterator<Item = u32> + use<'q> {
        let end = self.items[around as usize].next;
        let mut at = around + 1;
        std::iter::from_fn(move || {
            let here = at;
            (here < end).then(|| {
                at = self.items[here as usize].next;
                here
            })
        })
    }
}

/// The first byte from `at` on that is no white space.
#[inline(always)]
fn solid(bytes: &[u8], mut at: usize) -> Option<usize> {
    while matches!(bytes.get(at)?, b' ' | b'\t' | b'\r' | b'\n') {
        at += 1;
    }
    Some(at)
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The quote that closes a text, and whether everything before it stands for itself; null where a text may not go on so.
#[inline(always)]
fn text_end(bytes: &[u8], mut at: usize) -> Option<(usize, bool)> {
    let mut plain = true;
    loop {
        // Eight bytes at once: a quote, a backslash or a control character among them. The lowest that is marked is one.
        while let Some(eight) = bytes.get(at..at + 8).and_then(|eight| <[u8; 8]>::try_from(eight).ok()) {
            let x = u64::from_le_bytes(eight);
            let (quote, slash) = (x ^ (LOW * 0x22), x ^ (LOW * 0x5c));
            let marked =
                (quote.wrapping_sub(LOW) & !quote | slash.wrapping_sub(LOW) & !slash | x.wrapping_sub(LOW * 0x20) & !x)
                    & HIGH;
            if marked != 0 {
                at += marked.trailing_zeros() as usize / 8;
                break;
            }
            at += 8;
        }
        match *bytes.get(at)? {
            b'"' => return Some((at, plain)),
            b'\\' => {
                plain = false;
                at += match *bytes.get(at + 1)? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
                    b'u' if bytes.get(at + 2..at + 6)?.iter().all(u8::is_ascii_hexdigit) => 6,
                    _ => return None,
                };
            }
            0..0x20 => return None,
            _ => at += 1,
        }
    }
}

/// Where a number ends, and whether it has no exponent.
fn number_end(bytes: &[u8], mut at: usize) -> Option<(usize, bool)> {
    let digits = |mut at: usize| {
        let from = at;
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        (at > from).then_some(at)
    };
    if bytes.get(at) == Some(&b'-') {
        at += 1;
    }
    at = if bytes.get(at) == Some(&b'0') { at + 1 } else { digits(at)? };
    if bytes.get(at) == Some(&b'.') {
        at = digits(at + 1)?;
    }
    let plain = !matches!(bytes.get(at), Some(b'e' | b'E'));
    if !plain {
        at += 1;
        if matches!(bytes.get(at), Some(b'+' | b'-')) {
            at += 1;
        }
        at = digits(at)?;
    }
    // What follows is looked at by whoever asked; a digit behind a zero is no number.
    (!bytes.get(at).is_some_and(u8::is_ascii_digit)).then_some((at, plain))
}

/// Where a value ends of which nothing is kept.
fn passed(bytes: &[u8], mut at: usize, deeper: usize) -> Option<usize> {
    match *bytes.get(at)? {
        b'"' => text_end(bytes, at + 1).map(|(close, _)| close + 1),
        b'{' => {
            let deeper = deeper.checked_sub(1)?;
            at = solid(bytes, at + 1)?;
            if bytes[at] == b'}' {
                return Some(at + 1);
            }
            loop {
                if bytes[at] != b'"' {
                    return None;
                }
                at = solid(bytes, text_end(bytes, at + 1)?.0 + 1)?;
                if bytes[at] != b':' {
                    return None;
                }
                at = solid(bytes, at + 1)?;
                at = solid(bytes, passed(bytes, at, deeper)?)?;
                match bytes[at] {
                    b',' => at = solid(bytes, at + 1)?,
                    b'}' => return Some(at + 1),
                    _ => return None,
                }
            }
        }
        b'[' => {
            let deeper = deeper.checked_sub(1)?;
            at = solid(bytes, at + 1)?;
            if bytes[at] == b']' {
                return Some(at + 1);
            }
            loop {
                at = solid(bytes, passed(bytes, at, deeper)?)?;
                match bytes[at] {
                    b',' => at = solid(bytes, at + 1)?,
                    b']' => return Some(at + 1),
                    _ => return None,
                }
            }
        }
        b't' => bytes[at..].starts_with(b"true").then_some(at + 4),
        b'f' => bytes[at..].starts_with(b"false").then_some(at + 5),
        b'n' => bytes[at..].starts_with(b"null").then_some(at + 4),
        _ => number_end(bytes, at).map(|(end, _)| end),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::path::Path;
    use super::*;

    fn sieve(paths: &[&str]) -> Sieve {
        let mut sieve = Sieve::default();
        for path in paths {
            Path::parse(path).expect("a path").sieve(&mut sieve);
        }
        sieve
    }

    fn built(record: Record<'_>, at: u32) -> Value {
        match record.kind(at) {
            Kind::Null => Value::Null,
            Kind::True => Value::Bool(true),
            Kind::False => Value::Bool(false),
            Kind::Number => serde_json::from_str(record.text(at)).expect("a number"),
            Kind::Text => Value::from(record.text(at)),
            Kind::Array => record.within(at).map(|at| built(record, at)).collect(),
            Kind::Object => {
                let member = |at: u32| {
                    let (from, to) = record.items[at as usize].key;
                    (record.text[from as usize..to as usize].to_owned(), built(record, at))
                };
                Value::Object(record.within(at).map(member).collect())
            }
        }
    }

    fn laid(text: &[u8], sieve: &Sieve) -> Option<(usize, Value)> {
        let mut tape = Tape::default();
        let length = tape.lay(text, sieve)?;
        tape.record(&text[..length]).map(|record| (length, built(record, 0)))
    }

    #[test]
    fn what_is_not_sure_is_not_laid_out() {
        let sieve = sieve(&["a", "b.c"]);
        for text in [
            "",
            "{",
            "x",
            "[]",
            "{\"a\":1",
            "{\"x\":nope}",
            "{\"x\":01}",
            "{\"x\":1.}",
            "{\"x\":-}",
            "{\"x\":tru}",
            "{\"x\":[1,]}",
            "{\"x\":1,}",
            "{\"x\" 1}",
            "{x:1}",
            "{\"x\":\"\u{1}\"}",
            "{\"x\":\"\\x\"}",
            "{\"x\":\"\\u12g4\"}",
            "{\"x\":\"a}",
            "{\"a\":1,\"a\":2}",
            "{\"a\":1,\"A\":2}",
            "{\"a\":{\"x\":1,\"X\":2}}",
            "{\"a\":\"\\n\"}",
            "{\"\\u0061\":1}",
            "{\"a\":1e5}",
            "{\"x\":1e}",
            "{\"x\":.5}",
            "{\"x\":+1}",
            "{\"x\":1}\u{0}",
        ] {
            let whole = laid(text.as_bytes(), &sieve).filter(|(length, _)| *length == text.len());
            assert!(whole.is_none(), "{text}");
        }
        let deep = format!("{{\"x\":{}{}}}", "[".repeat(DEEPEST), "]".repeat(DEEPEST));
        assert!(laid(deep.as_bytes(), &sieve).is_none());
        assert!(laid(b"{\"x\":\"\xff\"}", &sieve).is_none());
        let text =
            "{\"x\":1e5,\"y\":\"\\u00e9\\n\",\"b\":{\"c\":[-0.5,{\"d\":null}],\"e\":[]},\"a\" : {} , \"z\":[{}]} ";
        let (length, value) = laid(text.as_bytes(), &sieve).expect("sure");
        assert_eq!((length, value.to_string()), (text.len() - 1, r#"{"b":{"c":[-0.5,{"d":null}]},"a":{}}"#.to_owned()));
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[a-z\"\\\\é\n ]{0,20}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("[a-c]{1,2}", inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// What is laid out is what the sieve keeps, and nothing is that is no JSON, whatever is done to the text.
        #[test]
        fn as_the_sieve_reads_it(value in value(), at in 0.0..1.0_f64, byte in prop::option::of(any::<u8>()), pretty in any::<bool>()) {
            let record = serde_json::json!({"b": value, "x": value, "A": value});
            let mut text = if pretty { format!("{record:#}") } else { record.to_string() }.into_bytes();
            if let Some(byte) = byte {
                let place = (text.len() as f64 * at) as usize;
                text[place] = byte;
            }
            for paths in [&["a", "b.c.a"][..], &["*"], &["x[a=b].c", "b.a"]] {
                let sieve = sieve(paths);
                if let Some((length, value)) = laid(&text, &sieve) {
                    prop_assert_eq!(sieve.read(&text[..length]).expect("JSON"), value);
                }
            }
        }
    }
}
