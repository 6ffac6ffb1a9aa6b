//! How a verdict is made: every check’s two questions, the policy in force, overrides, populations.

use serde::Serialize;
use serde_json::Value;

use super::controls::origin;
use crate::render::html::words::{self, number, visible, visible_cut};
use crate::report::model::{Assessment, CheckResult, Override};

/// A check's two questions.
#[derive(Serialize)]
pub(super) struct Asks {
    id: String,
    anchor: String,
    applies: String,
    fails: String,
    thresholds: Vec<PolicyValue>,
    origin: Option<String>,
}

#[derive(Serialize)]
pub(super) struct PolicyValue {
    name: String,
    value: String,
    changed: bool,
}

#[derive(Serialize)]
pub(super) struct OverrideView {
    kind: String,
    id: String,
    replaces: bool,
    path: String,
}

pub(super) fn asks(c: &CheckResult, changed: &[String]) -> Asks {
    Asks {
        id: visible_cut(&c.id, 80),
        anchor: words::anchor(&c.id),
        applies: visible_cut(&c.applies, 2_000),
        fails: visible_cut(&c.fails, 2_000),
        thresholds: c
            .thresholds
            .iter()
            .map(|(name, v)| PolicyValue {
                name: words::fact_name(name),
                value: words::value(name, v).into_owned(),
                changed: changed.iter().any(|set| set == name),
            })
            .collect(),
        origin: origin(c),
    }
}

pub(super) fn overridden(o: &Override) -> OverrideView {
    OverrideView {
        kind: visible_cut(&o.kind, 40),
        id: visible_cut(&o.id, 80),
        replaces: o.replaces,
        path: visible(&o.path),
    }
}

/// The policy flattened to dotted names, in its own order.
pub(super) fn policy(policy: &Value, changed: &[String]) -> Vec<PolicyValue> {
    let mut out = Vec::new();
    flatten("", policy, changed, &mut out);
    out
}

pub(super) fn flatten(prefix: &str, v: &Value, changed: &[String], out: &mut Vec<PolicyValue>) {
    match v {
        Value::Object(fields) => {
            for (key, inner) in fields {
                let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                flatten(&name, inner, changed, out);
            }
        }
        Value::Null if prefix.is_empty() => {}
        _ => {
            let inherited =
                |c: &String| prefix == c || prefix.strip_prefix(c.as_str()).is_some_and(|r| r.starts_with('.'));
            // Under `revocation` and the token limits the unit stands in the name of the table, not of the key.
            let unit =
                if prefix.contains("_minutes.") || prefix.starts_with("revocation.") { "_minutes" } else { prefix };
            out.push(PolicyValue {
                name: visible_cut(prefix, 120),
                value: match v {
                    Value::Null => "not set".to_owned(),
                    _ => words::value(unit, v).into_owned(),
                },
                changed: changed.iter().any(inherited),
            });
        }
    }
}

pub(super) fn population_lines(a: &Assessment) -> Vec<(&'static str, String)> {
    let p = &a.population;
    vec![
        ("Resets of the period", number(p.resets)),
        ("Credentials of the inventory", number(p.credentials)),
        ("Events read, of any action", number(p.events)),
        ("People of the roster", number(p.people)),
        ("Workloads of the register", number(p.workloads)),
        ("Accounts of directories", number(p.accounts)),
        ("Tickets", number(p.tickets)),
    ]
}
