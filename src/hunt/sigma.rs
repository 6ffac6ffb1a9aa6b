//! Sigma correlation rules for the patterns that Sigma can express, so that what was found once is detected from then on.
//!
//! Each file holds a rule a step, in the words of one source, and the correlation of them. Sigma knows no history ("unseen
//! in 90 days"), no absence and no registers: patterns that need those are listed with the reason, never exported weaker
//! than they are.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::events::{ACTION_WORDS, Field};
use super::pattern::{Order, Pattern, Step, Test};
use crate::mappings::{MappingKind, Mappings};
use crate::time::{DAY, HOUR, MINUTE};

/// The list of patterns that are not exported.
const LEFT_OUT: &str = "sigma/not-expressible.csv";

/// How a source's events are called in Sigma.
struct Dialect {
    /// The mapping.
    source: &'static str,
    product: &'static str,
    service: &'static str,
    /// The field with the name of the event; two, where our mappings join them by a blank.
    name: &'static [&'static str],
    /// What a success looks like: a field and its value.
    success: Option<(&'static str, &'static str)>,
    target: &'static str,
    executor: &'static str,
    source_ip: &'static str,
}

const DIALECTS: [Dialect; 4] = [
    Dialect {
        source: "okta-system-log",
        product: "okta",
        service: "okta",
        name: &["eventType"],
        success: Some(("outcome.result", "SUCCESS")),
        target: "target.alternateId",
        executor: "actor.alternateId",
        source_ip: "client.ipAddress",
    },
    Dialect {
        source: "aws-cloudtrail",
        product: "aws",
        service: "cloudtrail",
        name: &["eventSource", "eventName"],
        success: None,
        target: "requestParameters.userName",
        executor: "userIdentity.userName",
        source_ip: "sourceIPAddress",
    },
    Dialect {
        source: "entra-id",
        product: "azure",
        service: "auditlogs",
        name: &["OperationName"],
        success: Some(("Result", "success")),
        target: "TargetResources.userPrincipalName",
        executor: "InitiatedBy.user.userPrincipalName",
        source_ip: "InitiatedBy.user.ipAddress",
    },
    Dialect {
        source: "github-audit",
        product: "github",
        service: "audit",
        name: &["action"],
        success: None,
        target: "user",
        executor: "actor",
        source_ip: "actor_ip",
    },
];

impl Dialect {
    fn field(&self, field: Field) -> Option<&'static str> {
        match field {
            Field::Target => Some(self.target),
            Field::Executor => Some(self.executor),
            Field::SourceIp => Some(self.source_ip),
            _ => None,
        }
    }
}

/// Path and text of every rule file, and the list of what Sigma cannot say.
pub fn rules(patterns: &[Pattern], mappings: &Mappings) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut left_out = vec![["pattern", "source", "why"].map(str::to_owned).to_vec()];
    for pattern in patterns {
        if let Some(why) = beyond(pattern) {
            left_out.push(vec![pattern.id.clone(), String::new(), why]);
            continue;
        }
        for dialect in &DIALECTS {
            match rule(pattern, dialect, mappings) {
                Ok(text) => out.push((format!("sigma/{}-{}.yml", pattern.id, dialect.product), text)),
                Err(why) => left_out.push(vec![pattern.id.clone(), dialect.source.to_owned(), why]),
            }
        }
    }
    let list = crate::render::findings::guarded_csv(&left_out);
    out.push((LEFT_OUT.to_owned(), String::from_utf8_lossy(&list).into_owned()));
    out
}

/// Why Sigma cannot express a pattern; null when it can.
fn beyond(pattern: &Pattern) -> Option<String> {
    if pattern.steps.iter().any(|step| step.absent.is_some()) {
        return Some("Sigma correlates what is there, not what is missing".to_owned());
    }
    if !pattern.differ.is_empty() {
        return Some("Sigma groups by what is the same, not by what differs".to_owned());
    }
    if pattern.count.as_ref().is_some_and(|count| count.own_history.is_some()) {
        return Some("Sigma knows no history of an executor".to_owned());
    }
    let stateless = |test: &Test| match test {
        Test::Outcome(codes) => codes.contains(&1),
        Test::FactIs(name, _) => ["self_service", "automated"].contains(name),
        _ => false,
    };
    let conditions = pattern.steps.iter().flat_map(|step| &step.conditions);
    let needed: Vec<&str> = conditions.filter(|c| !stateless(&c.test)).map(|c| c.name.as_str()).collect();
    (!needed.is_empty()).then(|| format!("needs registers or history: {}", needed.join(", ")))
}

fn rule(pattern: &Pattern, dialect: &Dialect, mappings: &Mappings) -> Result<String, String> {
    let file = mappings.get(MappingKind::Source, dialect.source).ok_or("this source has no mapping")?;
    let mut out = String::new();
    let mut names = Vec::new();
    for step in &pattern.steps {
        let events = events(&file.text, step)?;
        if events.is_empty() {
            let words: Vec<&str> = step.actions.iter().map(|&code| ACTION_WORDS[code as usize - 1]).collect();
            return Err(format!("the source has no event that always is {}", words.join(" or ")));
        }
        let name = format!("regrant_{}_{}_{}", pattern.id.replace('-', "_"), dialect.product, step.name);
        let _ = write!(
            out,
            "title: {}\nid: {}\nname: {name}\nstatus: experimental\ndescription: {}\nlogsource:\n  product: {}\n  service: {}\ndetection:\n  selection:\n",
            quoted(&format!("{}: step {}", pattern.id, step.name)),
            id(&name),
            quoted("A step of a correlation; no alarm by itself."),
            dialect.product,
            dialect.service,
        );
        for event in &events {
            let parts: Vec<&str> = event.splitn(dialect.name.len(), ' ').collect();
            for (n, (field, part)) in dialect.name.iter().zip(&parts).enumerate() {
                let _ = writeln!(out, "    {} {field}: {}", if n == 0 { "-" } else { " " }, quoted(part));
            }
        }
        let mut condition = "selection".to_owned();
        if let Some((field, value)) = dialect.success {
            let _ = writeln!(out, "  success:\n    {field}: {}", quoted(value));
            condition.push_str(" and success");
        } else if dialect.source == "aws-cloudtrail" {
            out.push_str("  refused:\n    errorCode|exists: true\n");
            condition.push_str(" and not refused");
        }
        let own = |c: &super::pattern::Condition| match c.test {
            Test::FactIs("self_service", wanted) => Some(wanted),
            _ => None,
        };
        if let Some(wanted) = step.conditions.iter().find_map(own) {
            let _ = writeln!(out, "  own:\n    {}|fieldref: {}", dialect.executor, dialect.target);
            condition.push_str(if wanted { " and own" } else { " and not own" });
        }
        let _ = writeln!(out, "  condition: {condition}\nlevel: informational\n---");
        names.push(name);
    }
    correlation(pattern, dialect, &names, &mut out)?;
    Ok(out)
}

fn correlation(pattern: &Pattern, dialect: &Dialect, names: &[String], out: &mut String) -> Result<(), String> {
    let unsaid = |field: Field| format!("the source's field for `{}` has no name in Sigma", field.as_str());
    let mut kind = match pattern.order {
        Order::InOrder => "temporal_ordered",
        Order::Any => "temporal",
    };
    let mut condition = String::new();
    let mut span = pattern.within;
    if let Some(count) = &pattern.count {
        span = count.within;
        kind = if count.of.is_some() { "value_count" } else { "event_count" };
        let field = match count.of {
            Some(field) => format!("    field: {}\n", dialect.field(field).ok_or_else(|| unsaid(field))?),
            None => String::new(),
        };
        condition = format!("  condition:\n{field}    gte: {}\n", count.at_least);
    }
    let levels = [(40, "high"), (25, "medium"), (0, "low")];
    let level = levels.iter().find(|(least, _)| pattern.weight >= *least).map_or("low", |(_, level)| level);
    let whole = format!("regrant_{}_{}", pattern.id.replace('-', "_"), dialect.product);
    let _ = write!(
        out,
        "title: {}\nid: {}\nname: {whole}\nstatus: experimental\ndescription: {}\ncorrelation:\n  type: {kind}\n  rules:\n",
        quoted(&pattern.title),
        id(&whole),
        quoted(&pattern.finds.replace('\n', " ")),
    );
    for name in names {
        let _ = writeln!(out, "    - {name}");
    }
    let width = pattern.steps.first().map_or(0, |step| step.key.len());
    let mut aliases = String::new();
    if width > 0 {
        out.push_str("  group-by:\n");
    }
    for slot in 0..width {
        let fields: Vec<Field> = pattern.steps.iter().map(|step| step.key[slot]).collect();
        let same: BTreeSet<Field> = fields.iter().copied().collect();
        let said: Vec<&str> =
            fields.iter().map(|&f| dialect.field(f).ok_or_else(|| unsaid(f))).collect::<Result<_, _>>()?;
        if same.len() == 1 {
            let _ = writeln!(out, "    - {}", said[0]);
        } else {
            let alias = format!("joined_{slot}");
            let _ = writeln!(out, "    - {alias}");
            let _ = writeln!(aliases, "    {alias}:");
            for (name, field) in names.iter().zip(&said) {
                let _ = writeln!(aliases, "      {name}: {field}");
            }
        }
    }
    let _ = write!(out, "  timespan: {}\n{condition}", timespan(span));
    if !aliases.is_empty() {
        let _ = write!(out, "  aliases:\n{aliases}");
    }
    if !pattern.attack.is_empty() {
        out.push_str("tags:\n");
        for technique in &pattern.attack {
            let _ = writeln!(out, "  - attack.{}", technique.to_lowercase());
        }
    }
    let _ = write!(out, "level: {level}\nfalsepositives:\n  - {}\n", quoted(&innocent(pattern)));
    Ok(())
}

/// What else looks like it, on one line.
fn innocent(pattern: &Pattern) -> String {
    match pattern.innocent.is_empty() {
        true => "Its file does not say.".to_owned(),
        false => pattern.innocent.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

/// Names of a source's events that are always one of the step's actions, whatever else the record says.
fn events(mapping: &str, step: &Step) -> Result<BTreeSet<String>, String> {
    let file: toml::Table = toml::from_str(mapping).map_err(|error| error.message().to_owned())?;
    let words: Vec<&str> = step.actions.iter().map(|&code| ACTION_WORDS[code as usize - 1]).collect();
    let mut events = BTreeSet::new();
    for action in file.get("action").and_then(toml::Value::as_array).into_iter().flatten() {
        let is = action.get("action").and_then(toml::Value::as_str).is_some_and(|word| words.contains(&word));
        if !is || action.get("when").is_some() {
            continue;
        }
        let names = action.get("names").and_then(toml::Value::as_array).into_iter().flatten();
        events.extend(names.filter_map(toml::Value::as_str).map(str::to_owned));
    }
    Ok(events)
}

fn timespan(span: i64) -> String {
    match span {
        span if span % DAY == 0 => format!("{}d", span / DAY),
        span if span % HOUR == 0 => format!("{}h", span / HOUR),
        span => format!("{}m", (span / MINUTE).max(1)),
    }
}

/// A string of JSON is a string of YAML, whatever stands in it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A UUID made from a name: the same on every run.
fn id(name: &str) -> String {
    let digest = Sha256::digest(format!("regrant sigma {name}"));
    let mut bytes: Vec<u8> = digest[..16].to_vec();
    bytes[6] = bytes[6] & 0x0f | 0x50;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex::encode(bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
