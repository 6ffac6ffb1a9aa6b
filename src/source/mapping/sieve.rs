//! What of a record a mapping looks at: the rest of the JSON is passed over, not kept.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Members that are kept, and what is kept of each.
///
/// Text is kept wherever it stands, for it may hold JSON; so are all elements of an array, since paths count them.
#[derive(Debug, Default)]
pub(super) struct Sieve {
    /// Everything below is kept.
    whole: bool,
    members: Vec<(String, Sieve)>,
}

impl Sieve {
    /// Keeps everything from here on.
    pub(super) fn keep(&mut self) {
        self.whole = true;
        self.members.clear();
    }

    /// What is kept of a member; null where all is kept anyway.
    pub(super) fn member(&mut self, key: &str) -> Option<&mut Sieve> {
        if self.whole {
            return None;
        }
        let at = self.at(key).unwrap_or_else(|| {
            self.members.push((key.to_owned(), Sieve::default()));
            self.members.len() - 1
        });
        Some(&mut self.members[at].1)
    }

    /// Paths find members whatever their case.
    fn at(&self, key: &str) -> Option<usize> {
        self.members.iter().position(|(name, _)| name.eq_ignore_ascii_case(key))
    }

    /// Is everything kept?
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// Names, and what is kept of each.
    pub(super) fn members(&self) -> impl Iterator<Item = (&str, &Sieve)> {
        self.members.iter().map(|(name, within)| (name.as_str(), within))
    }

    /// Reads a record.
    ///
    /// # Errors
    /// It is no JSON.
    pub(super) fn read(&self, bytes: &[u8]) -> serde_json::Result<Value> {
        if self.whole {
            return serde_json::from_slice(bytes);
        }
        let text = std::str::from_utf8(bytes).map_err(serde_json::Error::custom)?;
        let mut json = serde_json::Deserializer::from_str(text);
        let value = self.deserialize(&mut json)?;
        json.end()?;
        Ok(value)
    }
}

impl<'de> DeserializeSeed<'de> for &Sieve {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        if self.whole { serde::Deserialize::deserialize(from) } else { from.deserialize_any(self) }
    }
}

impl<'de> Visitor<'de> for &Sieve {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    // No path leads through a number; one that ends at it keeps it whole.
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element_seed(self)? {
            list.push(element);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = members.next_key_seed(Key(self))? {
            match key {
                Some((name, sieve)) => {
                    let value = members.next_value_seed(sieve)?;
                    object.insert(name, value);
                }
                None => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Value::Object(object))
    }
}

/// A member's name, if it is kept.
struct Key<'s>(&'s Sieve);

impl<'de, 's> DeserializeSeed<'de> for Key<'s> {
    type Value = Option<(String, &'s Sieve)>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_str(self)
    }
}

impl<'de, 's> Visitor<'de> for Key<'s> {
    type Value = Option<(String, &'s Sieve)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.at(name).map(|at| (name.to_owned(), &self.0.members[at].1)))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::path::Path;
    use super::*;

    pub(in super::super) fn sieve(paths: &[&str]) -> Sieve {
        let mut sieve = Sieve::default();
        for path in paths {
            Path::parse(path).expect("a path").sieve(&mut sieve);
        }
        sieve
    }

    #[test]
    fn what_no_path_names_is_left_out() {
        let kept = |paths: &[&str], text: &str| sieve(paths).read(text.as_bytes()).expect("JSON").to_string();
        let text = r#"{"a":{"b":{"x":1,"y":[2]},"c":3},"d":[{"e":4,"f":5},{"E":"6"},"{\"e\":7}",8],"g":9.10,"h":null}"#;
        assert_eq!(kept(&["a.b"], text), r#"{"a":{"b":{"x":1,"y":[2]}}}"#);
        assert_eq!(kept(&["a.b.x", "g", "h.i"], text), r#"{"a":{"b":{"x":1}},"g":9.10,"h":null}"#);
        // No path reaches the number in this array, but an index counts it.
        assert_eq!(kept(&["d[f=5].e"], text), r#"{"d":[{"e":4,"f":5},{"E":"6"},"{\"e\":7}",8]}"#);
        assert_eq!(kept(&["a.*.x"], text), r#"{"a":{"b":{"x":1,"y":[2]},"c":3}}"#);
        assert_eq!(kept(&["*.x"], "{\"a\":{\"b\":1}}"), r#"{"a":{"b":1}}"#);
        assert_eq!(kept(&["a", "a.b"], text), r#"{"a":{"b":{"x":1,"y":[2]},"c":3}}"#);
        assert_eq!(kept(&["@.x", "$file", "h"], text), r#"{"h":null}"#);
        assert_eq!(kept(&["a.@json.b"], r#"{"a":"{\"b\":1}","b":2}"#), r#"{"a":"{\"b\":1}"}"#);
    }

    #[test]
    fn what_is_no_json_is_none() {
        for text in ["{\"x\":}", "{\"x\":1} 2", "{\"x\":\"\u{1}\"}", "{\"x\":01}", "{\"x\":[1,]}", "", "{"] {
            assert!(sieve(&["a"]).read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(sieve(&["a"]).read(b"{\"x\":\"\xff\"}").is_err());
    }
}
