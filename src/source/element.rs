//! Elements of XML and of binary XML, and the JSON that mappings see of them.

use serde_json::{Map, Value};

/// Nothing in a log is nested deeper.
pub(super) const DEEPEST: usize = 64;

/// One element.
#[derive(Debug, Default)]
pub(super) struct Element {
    /// Without its prefix.
    pub name: String,
    pub attributes: Vec<(String, String)>,
    pub text: String,
    pub children: Vec<Element>,
}

impl Element {
    /// An element without children and attributes is its text, null if it has none. Else it is an object of its children, those of one
    /// name in an array; attributes stand under `#attributes`, text under `#text`. `Data` elements of an event stand under their
    /// own names.
    pub(super) fn json(self) -> Value {
        let text = self.text.trim();
        if self.attributes.is_empty() && self.children.is_empty() {
            return if text.is_empty() { Value::Null } else { Value::from(text) };
        }
        let mut object = Map::new();
        if !self.attributes.is_empty() {
            let attributes = self.attributes.into_iter().map(|(name, value)| (name, Value::from(value)));
            object.insert("#attributes".to_owned(), Value::Object(attributes.collect()));
        }
        if !text.is_empty() {
            object.insert("#text".to_owned(), Value::from(text));
        }
        let event_data = matches!(self.name.as_str(), "EventData" | "UserData");
        for mut child in self.children {
            let mut name = std::mem::take(&mut child.name);
            if event_data
                && name == "Data"
                && let Some(at) = child.attributes.iter().position(|(key, _)| key == "Name")
            {
                name = child.attributes.swap_remove(at).1;
                child.attributes.clear();
            }
            child.name.clone_from(&name);
            let value = child.json();
            match object.get_mut(&name) {
                None => {
                    object.insert(name, value);
                }
                Some(Value::Array(list)) => list.push(value),
                Some(first) => {
                    let both = vec![first.take(), value];
                    *first = Value::Array(both);
                }
            }
        }
        Value::Object(object)
    }
}
