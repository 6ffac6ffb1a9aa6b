//! What a finding rests on: facts and their values.

use std::fmt;
use std::sync::Arc;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use smol_str::SmolStr;

/// The value of a fact as a finding tells it: JSON, and mostly without memory of its own.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// Not reported.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A number as JSON spells it, with the digits that it was given.
    Number(SmolStr),
    /// A word.
    Text(SmolStr),
    /// A list or an object. No fact of ours is one; a report that is read may hold one.
    Other(Box<Value>),
}

impl Told {
    /// The same as any JSON value.
    pub fn json(&self) -> Value {
        match self {
            Told::Null => Value::Null,
            Told::Bool(is) => (*is).into(),
            Told::Number(spelt) => spelt.parse().map_or(Value::Null, Value::Number),
            Told::Text(text) => text.as_str().into(),
            Told::Other(value) => (**value).clone(),
        }
    }
}

impl From<Value> for Told {
    fn from(value: Value) -> Told {
        match value {
            Value::Null => Told::Null,
            Value::Bool(is) => Told::Bool(is),
            Value::Number(number) => Told::Number(number.as_str().into()),
            Value::String(text) => Told::Text(text.into()),
            other => Told::Other(Box::new(other)),
        }
    }
}

impl Serialize for Told {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Told::Null => to.serialize_unit(),
            Told::Bool(is) => to.serialize_bool(*is),
            Told::Text(text) => to.serialize_str(text),
            Told::Number(_) | Told::Other(_) => self.json().serialize(to),
        }
    }
}

/// Fact → value, keys sorted and each once; null is "not reported".
///
/// All findings of a check have the same facts, so that they share the names: there may be a million of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    names: Arc<[SmolStr]>,
    values: Box<[Told]>,
}

impl Evidence {
    /// The value of each of these facts. Only for names that are sorted and each there once.
    pub fn of(names: &Arc<[SmolStr]>, value: impl FnMut(&SmolStr) -> Told) -> Evidence {
        debug_assert!(names.is_sorted_by(|a, b| a < b), "sorted, and each once");
        Evidence { names: names.clone(), values: names.iter().map(value).collect() }
    }

    /// Facts in order, each with its value.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Told)> {
        self.names.iter().map(SmolStr::as_str).zip(&self.values)
    }

    /// The names of the facts, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(SmolStr::as_str)
    }

    /// The same, to change the values.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Told)> {
        self.names.iter().map(SmolStr::as_str).zip(&mut self.values)
    }
}

impl<K: Into<SmolStr>, V: Into<Told>> FromIterator<(K, V)> for Evidence {
    /// Of several values of one name the last stands, as in a map.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(facts: I) -> Evidence {
        let facts: std::collections::BTreeMap<SmolStr, Told> =
            facts.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let (names, values): (Vec<SmolStr>, Vec<Told>) = facts.into_iter().unzip();
        Evidence { names: names.into(), values: values.into() }
    }
}

impl Serialize for Evidence {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.values.len()))?;
        for (name, value) in self.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Evidence {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Evidence, D::Error> {
        struct Facts;

        impl<'de> Visitor<'de> for Facts {
            type Value = Evidence;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of facts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Evidence, A::Error> {
                let facts = std::iter::from_fn(|| map.next_entry::<SmolStr, Value>().transpose());
                facts.collect()
            }
        }

        from.deserialize_map(Facts)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_is_an_object_with_sorted_members_each_once() {
        let evidence: Evidence =
            serde_json::from_str(r#"{"b": null, "a": 1.50, "b": "x", "a name longer than what fits inside": [1]}"#)
                .expect("an object");
        let expected = r#"{"a":1.50,"a name longer than what fits inside":[1],"b":"x"}"#;
        assert_eq!(serde_json::to_string(&evidence).expect("JSON"), expected);
        let told: Vec<Value> = evidence.iter().map(|(_, value)| value.json()).collect();
        assert_eq!(serde_json::to_string(&told).expect("JSON"), r#"[1.50,[1],"x"]"#);
        let names: Arc<[SmolStr]> = ["a", "b"].map(SmolStr::new).into();
        let made = Evidence::of(&names, |name| json!({"of": name.as_str()}).into());
        assert_eq!(made, [("b", json!({"of": "b"})), ("a", json!({"of": "a"}))].into_iter().collect());
        assert_ne!(made, evidence);
        assert_eq!(serde_json::from_str::<Evidence>("{}").expect("an object"), Evidence::default());
        assert!(serde_json::from_str::<Evidence>("[]").is_err());
    }
}
