//! Whether a text has any byte that asks for attention, eight bytes at once: most texts of a report have none, and are short.
//!
//! The tests are the well-known ones on whole words. They say for certain whether there is such a byte, not which one.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHEST: u64 = 0x8080_8080_8080_8080;

/// Has the text eight bytes, or fewer at its end, for which `test` is not 0? Bytes that fill up the last eight are letters.
pub fn any(text: &str, test: impl Fn(u64) -> u64) -> bool {
    let bytes = text.as_bytes();
    let Some(last) = bytes.last_chunk::<8>() else {
        let mut few = [b'a'; 8];
        few.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        return test(u64::from_le_bytes(few)) != 0;
    };
    let mut found = test(u64::from_le_bytes(*last));
    for eight in bytes.chunks_exact(8) {
        let mut word = [0; 8];
        word.copy_from_slice(eight);
        found |= test(u64::from_le_bytes(word));
    }
    found != 0
}

/// Not 0 where one of the eight is `byte`.
pub fn is(eight: u64, byte: u8) -> u64 {
    let zero = eight ^ (ONES * u64::from(byte));
    zero.wrapping_sub(ONES) & !zero & HIGHEST
}

/// Not 0 where one of the eight is below `limit`, which is 128 at most.
pub fn below(eight: u64, limit: u8) -> u64 {
    eight.wrapping_sub(ONES * u64::from(limit)) & !eight & HIGHEST
}

/// Not 0 where one of the eight is no ASCII.
pub fn foreign(eight: u64) -> u64 {
    eight & HIGHEST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_told_at_every_place() {
        for length in 1..20 {
            for place in 0..length {
                for byte in 0..0x80 {
                    let mut text = vec![b'm'; length];
                    text[place] = byte;
                    let text = String::from_utf8(text).expect("ASCII");
                    assert_eq!(any(&text, |eight| is(eight, b'"')), byte == b'"', "{text:?}");
                    assert_eq!(any(&text, |eight| below(eight, 0x20)), byte < 0x20, "{text:?}");
                    assert!(!any(&text, foreign));
                }
                let text = format!("{}é{}", "m".repeat(place), "m".repeat(length - place));
                assert!(any(&text, foreign) && !any(&text, |eight| is(eight, b'"') | below(eight, 0x20)), "{text:?}");
            }
        }
        assert!(!any("", |eight| is(eight, 0) | below(eight, 0x20) | foreign(eight)));
    }

    #[test]
    fn neighbours_do_not_pass_for_what_is_looked_for() {
        // A borrow from the byte before must not make one of these.
        for text in ["\u{0}!\u{0}!\u{0}!\u{0}!", "#!#!#!#!", "[]^[]^[]", "\u{1f} \u{1f} \u{1f} \u{1f} "] {
            assert_eq!(any(text, |eight| is(eight, b'"')), text.contains('"'), "{text:?}");
            assert_eq!(any(text, |eight| is(eight, b'\\')), text.contains('\\'), "{text:?}");
            assert_eq!(any(text, |eight| below(eight, 0x20)), text.bytes().any(|byte| byte < 0x20), "{text:?}");
        }
    }
}
