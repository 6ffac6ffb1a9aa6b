//! JSON Lines in which most events are of no interest: an event whose name nobody asks for is passed over without being
//! parsed.
//!
//! Only lines that are one object each are looked at so. At the first that is not, the general splitter takes over; a line
//! that says anything besides the name that could matter is parsed like any other.

use std::cell::Cell;
use std::io::{self, Read};
use std::ops::ControlFlow;

use memchr::memmem::Finder;

use super::json;

/// Read at once: what is looked at several times stays in the second-level cache.
const BLOCK: usize = 256 << 10;
/// A line that outgrows this is left to the splitter, which has limits of its own.
const LONGEST: usize = 64 << 20;
/// What parts two objects on one line.
const PARTED: [&str; 2] = ["}{", "} {"];

/// What a line says.
pub enum Line<'a> {
    /// The name that its event seems to have; the answer says whether such a record is wanted.
    Name(&'a str),
    /// The name of its event, and all of it: a record that is not wanted. The answer may still be that it is.
    Passed(&'a str, &'a [u8]),
    /// A line that looks like one object; [`Wanted::Yes`] says that it is not.
    Whole(&'a [u8]),
    /// A record, or what cannot be read as one.
    Piece(json::Piece<'a>),
}

/// Whether a line has to be parsed.
pub enum Wanted {
    /// It is done with.
    No,
    /// It is to be given again, as the next kind of line.
    Yes,
}

/// What is done at the first line that is not one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Irregular {
    /// From there on records are split as [`json::for_each`] does.
    Split,
    /// Reading ends there.
    Stop,
}

/// Finds the name of an event in a line.
pub struct Glance {
    name: Finder<'static>,
    /// Where one of these stands in a line, the record is wanted in any case.
    others: Vec<Finder<'static>>,
}

impl Glance {
    /// `name` is the key of the event's name, `keys` are those whose presence says that the rest has to be looked at.
    pub fn new(name: &str, keys: &[&str]) -> Glance {
        let finder = |text: &str| Finder::new(text).into_owned();
        let others = keys.iter().map(|key| finder(&format!("\"{key}\""))).chain(PARTED.map(finder));
        Glance { name: finder(&format!("\"{name}\"")), others: others.collect() }
    }

    /// The name, if it stands there plainly, and what follows its key.
    fn name<'l>(&self, line: &'l [u8]) -> Option<(&'l str, &'l [u8])> {
        let end = self.name.find(line)? + self.name.needle().len();
        let after = &line[end..];
        let rest = after.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
        let name = &rest[..memchr::memchr(b'"', rest)?];
        // What is quoted, escaped or structured in itself is read as JSON reads it.
        let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b':' | b'/' | b' ');
        let name = std::str::from_utf8(name).ok().filter(|name| !name.is_empty() && name.bytes().all(|b| plain(&b)))?;
        Some((name, after))
    }

    /// Whether the name stands in the line but once, and nothing else that matters does. `after` is what follows the name's key.
    fn is_alone(&self, line: &[u8], after: &[u8]) -> bool {
        self.name.find(after).is_none() && !self.others.iter().any(|other| other.find(line).is_some()) && balanced(line)
    }
}

/// As many brackets open as close, wherever they stand: a line that was cut off behind an inner bracket looks whole by its first and
/// last byte. One that is only unlike others (a bracket in a text) is parsed, which tells.
fn balanced(line: &[u8]) -> bool {
    // Of a piece this short a byte holds the difference, which lets the compiler take many bytes at once.
    line.chunks(96)
        .map(|piece| {
            i64::from(
                piece.iter().fold(0_i8, |n, b| n.wrapping_add((*b == b'{') as i8).wrapping_sub((*b == b'}') as i8)),
            )
        })
        .sum::<i64>()
        == 0
}

/// Gives every record of a stream to `f`, in order. Without a glance every line is given whole. Where reading stops at an irregular line,
/// the answer is how many bytes stand before it; null where the end was reached.
///
/// # Errors
/// The reader's, after all that was read before it was given to `f`.
pub fn for_each(
    reader: &mut dyn Read,
    glance: Option<&Glance>,
    irregular: Irregular,
    f: &mut dyn FnMut(Line<'_>) -> Wanted,
) -> io::Result<Option<u64>> {
    let mut held = HELD.take();
    let done = each(reader, &mut held, (glance, irregular), f);
    // The memory serves for the next file; that of an unusual one is given back.
    if held.len() <= 4 * BLOCK {
        HELD.set(held);
    }
    done
}

thread_local! {
    static HELD: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

fn each(
    reader: &mut dyn Read,
    held: &mut Vec<u8>,
    (glance, irregular): (Option<&Glance>, Irregular),
    f: &mut dyn FnMut(Line<'_>) -> Wanted,
) -> io::Result<Option<u64>> {
    let mut before = 0;
    // What is read and not yet done with; behind it stands what an earlier block left.
    let mut filled = 0;
    loop {
        if held.len() < filled + BLOCK {
            held.resize(filled + BLOCK, 0);
        }
        let read = loop {
            match reader.read(&mut held[filled..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        match read {
            // At the end of a file a line may end without a line feed.
            Ok(0) => return pieces(&mut &held[..filled], f).map(|()| None),
            Ok(n) => filled += n,
            Err(error) => {
                pieces(&mut &held[..filled], f)?;
                return Err(error);
            }
        }
        let mut done = 0;
        let mut unusual = false;
        while let Some(end) = memchr::memchr(b'\n', &held[done..filled]) {
            let line = held[done..done + end].trim_ascii_end();
            unusual = !(line.is_empty() || line.starts_with(b"{") && line.ends_with(b"}"));
            if unusual {
                break;
            }
            let named = glance.and_then(|glance| Some((glance, glance.name(line)?)));
            let wanted = match named {
                Some((glance, (name, after))) if matches!(f(Line::Name(name)), Wanted::No) => {
                    if glance.is_alone(line, after) { f(Line::Passed(name, line)) } else { Wanted::Yes }
                }
                _ => Wanted::Yes,
            };
            if matches!(wanted, Wanted::Yes) && matches!(f(Line::Whole(line)), Wanted::Yes) {
                pieces(&mut &line[..], f)?;
            }
            done += end + 1;
        }
        if unusual || filled - done > LONGEST {
            return match irregular {
                Irregular::Split => pieces(&mut held[done..filled].chain(reader), f).map(|()| None),
                Irregular::Stop => Ok(Some(before + done as u64)),
            };
        }
        before += done as u64;
        held.copy_within(done..filled, 0);
        filled -= done;
    }
}

fn pieces(reader: &mut dyn Read, f: &mut dyn FnMut(Line<'_>) -> Wanted) -> io::Result<()> {
    json::for_each(reader, None, &mut |piece| {
        f(Line::Piece(piece));
        ControlFlow::Continue(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn glance() -> Glance {
        Glance::new("eventType", &["_raw"])
    }

    /// Names passed over, and pieces.
    fn read(text: &[u8], want: &str) -> (Vec<String>, Vec<Result<String, String>>) {
        let (mut names, mut records) = (Vec::new(), Vec::new());
        let mut f = |line: Line<'_>| match line {
            Line::Name(name) if name == want => Wanted::Yes,
            Line::Name(_) => Wanted::No,
            Line::Whole(line) => match serde_json::from_slice::<serde_json::Value>(line) {
                Ok(_) => {
                    records.push(Ok(String::from_utf8_lossy(line).into_owned()));
                    Wanted::No
                }
                Err(_) => Wanted::Yes,
            },
            Line::Passed(name, _) => {
                names.push(name.to_owned());
                Wanted::No
            }
            Line::Piece(piece) => {
                records.push(match piece {
                    json::Piece::Record(bytes) => Ok(String::from_utf8_lossy(bytes).into_owned()),
                    json::Piece::Broken(bytes) => Err(String::from_utf8_lossy(bytes).into_owned()),
                });
                Wanted::No
            }
        };
        for_each(&mut &text[..], Some(&glance()), Irregular::Split, &mut f).expect("in memory");
        (names, records)
    }

    #[test]
    fn names_are_seen_at_a_glance() {
        let name = |line: &str| {
            let (glance, line) = (glance(), line.as_bytes());
            glance.name(line).filter(|(_, after)| glance.is_alone(line, after)).map(|(name, _)| name.to_owned())
        };
        assert_eq!(name(r#"{"a":1,"eventType" : "user.session.start","b":{}}"#).as_deref(), Some("user.session.start"));
        for unclear in [
            r#"{"a":"\"eventType\":\"x\""}"#,
            r#"{"eventType":"x","d":{"eventType":"y"}}"#,
            r#"{"eventType":"\u0078"}"#,
            r#"{"eventType":7}"#,
            r#"{"eventType":"x","_raw":"{}"}"#,
            r#"{"eventType":"x"}{"eventType":"x"}"#,
            r#"{"eventType":"x"} {"b":1}"#,
            r#"{"eventType":""}"#,
            r#"{"EventType":"x"}"#,
            r#"{"a":"eventType"}"#,
            r#"{"a":1}"#,
            r#"{"eventType":"x","b":{"c":1}"#,
        ] {
            assert_eq!(name(unclear), None, "{unclear}");
        }
    }

    #[test]
    fn what_is_not_one_object_a_line_goes_to_the_splitter() {
        let text = "{\"eventType\":\"a\"}\n\n{\"eventType\":\"b\"}\r\n{\n\"eventType\":\"c\"}\n{\"eventType\":\"a\"}";
        let (names, records) = read(text.as_bytes(), "b");
        assert_eq!(names, ["a"]);
        let good: Vec<_> = records.into_iter().map(|r| r.expect("good JSON")).collect();
        assert_eq!(good, ["{\"eventType\":\"b\"}", "{\n\"eventType\":\"c\"}", "{\"eventType\":\"a\"}"]);
        let (_, records) = read(b"{\"eventType\":\"b\"}\nnot json}\n{\"x\":1}\n", "b");
        assert_eq!(records.iter().filter(|r| r.is_err()).count(), 1);
        assert_eq!(records.len(), 3);
        // Cut off behind an inner bracket.
        let (names, records) = read(b"{\"eventType\":\"a\",\"c\":{\"d\":1}\n{\"eventType\":\"a\"}\n", "b");
        assert_eq!((names.len(), records.iter().filter(|r| r.is_err()).count()), (1, 1));
    }

    proptest! {
        #[test]
        fn as_many_records_as_the_splitter_finds(
            lines in prop::collection::vec(
                prop_oneof![
                    "\\{\"eventType\":\"[ab]\"\\}",
                    "\\{\"x\":\\{\"eventType\":\"a\"\\},\"eventType\":\"[abc]\"\\}",
                    "\\{\"eventType\":\"a\"\\} ?\\{\"eventType\":\"b\"\\}",
                    "\\{\"n\":[0-9]{1,3}\\}",
                    Just("{".to_owned()), Just("}".to_owned()), Just(String::new()),
                ], 0..12),
        ) {
            let text = lines.join("\n");
            let (names, records) = read(text.as_bytes(), "b");
            let mut all = 0;
            json::for_each(&mut text.as_bytes(), None, &mut |_| { all += 1; ControlFlow::Continue(()) }).expect("in memory");
            prop_assert_eq!(names.len() + records.len(), all, "{}", text);
        }
    }
}
