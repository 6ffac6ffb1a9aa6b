//! What the author of a mapping wrote, as TOML has it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Container, IfNone};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mapping {
    pub title: String,
    pub vendor: String,
    pub how_to_get: String,
    pub container: OneOrMany<Container>,
    #[serde(default)]
    pub envelopes: Vec<String>,
    #[serde(default)]
    pub unwrap: Vec<String>,
    #[serde(default)]
    pub null: Vec<String>,
    pub recognise: OneOrMany<Recognise>,
    pub each: Option<Source>,
    pub name: Option<Source>,
    pub class: Option<Source>,
    pub system: Option<Source>,
    pub zone: Option<String>,
    pub time: Option<OneOrMany<String>>,
    #[serde(default)]
    pub never: Vec<String>,
    pub snapshot_in_name: Option<String>,
    #[serde(default)]
    pub repeats: Vec<String>,
    #[serde(default)]
    pub renders: Vec<String>,
    #[serde(default)]
    pub excerpt: bool,
    #[serde(default)]
    pub out_of_scope: Vec<OutOfScope>,
    #[serde(default)]
    pub event: Vec<Block>,
    #[serde(default)]
    pub person: Vec<Block>,
    #[serde(default)]
    pub workload: Vec<Block>,
    #[serde(default)]
    pub credential: Vec<Block>,
    #[serde(default)]
    pub account: Vec<Block>,
    #[serde(default)]
    pub ticket: Vec<Block>,
    #[serde(default)]
    pub action: Vec<Action>,
    #[serde(default)]
    pub service_actor: Vec<ServiceActor>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "one, or a list of them, with no other keys than docs/mappings.md has")]
pub(super) enum OneOrMany<T> {
    Many(Vec<T>),
    One(T),
}

impl<T> OneOrMany<T> {
    pub fn list(self) -> Vec<T> {
        match self {
            Self::Many(list) => list,
            Self::One(one) => vec![one],
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recognise {
    #[serde(default)]
    pub all: Vec<String>,
    #[serde(default)]
    pub any: Vec<String>,
    #[serde(default)]
    pub none: Vec<String>,
    #[serde(default)]
    pub when: Vec<Condition>,
    #[serde(default)]
    pub headers: Vec<OneOrMany<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OutOfScope {
    pub when: Vec<Condition>,
    pub reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Block {
    pub each: Option<Source>,
    pub if_none: Option<IfNone>,
    #[serde(default)]
    pub when: Vec<Condition>,
    pub columns: BTreeMap<String, Source>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Action {
    #[serde(default)]
    pub names: Vec<String>,
    #[serde(default)]
    pub when: Vec<Condition>,
    pub action: Option<String>,
    pub out_of_scope: Option<String>,
    #[serde(default)]
    pub also: bool,
    #[serde(default)]
    pub repeats: Vec<String>,
    #[serde(default)]
    pub hunt: bool,
    pub each: Option<Source>,
    pub if_none: Option<IfNone>,
    #[serde(default)]
    pub set: BTreeMap<String, Source>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServiceActor {
    pub names: Vec<String>,
    pub kind: Option<String>,
    pub becomes: Option<Source>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a source is a path, a list of sources, or a table of path, const, template, first, all, latest, earliest, difference, common, null, decode, split, pattern, as, time, zone, never, cut, plus, values, pick, otherwise, when"
)]
pub(super) enum Source {
    Path(String),
    First(Vec<Source>),
    One(Box<One>),
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct One {
    pub path: Option<String>,
    #[serde(rename = "const")]
    pub constant: Option<String>,
    pub template: Option<String>,
    pub first: Option<Vec<String>>,
    pub all: Option<Vec<String>>,
    pub latest: Option<Vec<String>>,
    pub earliest: Option<Vec<String>>,
    pub difference: Option<[String; 2]>,
    pub common: Option<[String; 2]>,
    #[serde(default)]
    pub null: Vec<String>,
    pub decode: Option<String>,
    pub split: Option<OneOrMany<String>>,
    pub pattern: Option<String>,
    #[serde(rename = "as")]
    pub shape: Option<String>,
    pub time: Option<OneOrMany<String>>,
    pub zone: Option<String>,
    pub never: Option<Vec<String>>,
    pub cut: Option<String>,
    pub plus: Option<Plus>,
    #[serde(default)]
    pub values: BTreeMap<String, String>,
    pub pick: Option<String>,
    pub otherwise: Option<String>,
    #[serde(default)]
    pub when: Vec<Condition>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plus {
    pub path: String,
    pub unit: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Condition {
    pub path: Option<String>,
    pub of: Option<Source>,
    pub any: Option<Vec<Condition>>,
    pub present: Option<bool>,
    pub is: Option<Vec<String>>,
    pub is_not: Option<Vec<String>>,
    pub matches: Option<String>,
    pub matches_not: Option<String>,
    pub same_as: Option<String>,
    pub differs_from: Option<String>,
    pub bits: Option<i64>,
    pub bits_not: Option<i64>,
    pub above: Option<f64>,
    pub below: Option<f64>,
}
