//! The files of a hunt beside its page: time line, lists, data. CSV is guarded as all CSV of ours is; JSON has the text of the
//! logs as it is.

use rayon::prelude::*;
use serde_json::{Value, json};

use super::limits::Limit;
use super::report::{Hunt, Incident};
use super::story::Line;
use crate::render::findings::guarded_csv;
use crate::render::reference::micros;
use crate::time::format_instant;

/// The time line in Timesketch's form: it needs `message`, `datetime` and `timestamp_desc`, and takes further columns.
pub const TIMELINE: [&str; 21] = [
    "message",
    "datetime",
    "timestamp_desc",
    "timestamp",
    "tag",
    "incident",
    "action",
    "outcome",
    "target",
    "executor",
    "system",
    "source_ip",
    "device",
    "session",
    "user_agent",
    "contact",
    "object",
    "ticket",
    "credential",
    "event_id",
    "source",
];

fn cell(line: &Line, incidents: &[String], column: &str) -> String {
    match column {
        "message" => line.sentence.clone(),
        "datetime" => line.at.clone(),
        "timestamp_desc" => line.action.clone(),
        "timestamp" => micros(&line.at).map_or(String::new(), |at| at.to_string()),
        "tag" => if line.matched { "regrant-matched" } else { "regrant-context" }.to_owned(),
        "incident" => incidents.join(" "),
        "action" => line.action.clone(),
        "source" => line.place.clone().unwrap_or_default(),
        _ => line.fields.iter().find(|(name, _)| name == column).map_or(String::new(), |(_, value)| value.clone()),
    }
}

/// Lines of a long file that are made at once, beside others: an account that resets all day has hundreds of thousands.
pub(super) const BLOCK: usize = 8_192;

/// `timeline.csv`.
pub fn timeline_csv(lines: &[(Line, Vec<String>)]) -> Vec<u8> {
    let header: Vec<String> = TIMELINE.iter().map(|name| (*name).to_owned()).collect();
    let row = |(line, ids): &(Line, Vec<String>)| TIMELINE.iter().map(|column| cell(line, ids, column)).collect();
    let block = |lines: &[(Line, Vec<String>)]| guarded_csv(&lines.iter().map(row).collect::<Vec<Vec<String>>>());
    let blocks: Vec<Vec<u8>> = lines.par_chunks(BLOCK).map(block).collect();
    [vec![guarded_csv(&[header])], blocks].concat().concat()
}

/// `timeline.jsonl`: the same columns; what has no value is left out, `timestamp` is a number, `tag` a list.
pub fn timeline_jsonl(lines: &[(Line, Vec<String>)]) -> Vec<u8> {
    lines.par_chunks(BLOCK).map(jsonl).collect::<Vec<_>>().concat()
}

fn jsonl(lines: &[(Line, Vec<String>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (line, ids) in lines {
        let mut members = serde_json::Map::new();
        for column in TIMELINE {
            let text = cell(line, ids, column);
            let value = match column {
                "timestamp" => micros(&line.at).map_or(Value::Null, Value::from),
                "tag" => json!([text]),
                "incident" => json!(ids),
                _ if text.is_empty() => continue,
                _ => Value::from(text),
            };
            members.insert(column.to_owned(), value);
        }
        out.extend(Value::Object(members).to_string().into_bytes());
        out.push(b'\n');
    }
    out
}

/// `blast-list.csv`.
pub fn blast_csv(hunt: &Hunt) -> Vec<u8> {
    let header = [
        "incident",
        "identity",
        "name",
        "tier",
        "in_incident",
        "via",
        "value",
        "reason",
        "first_at",
        "last_at",
        "events",
        "systems",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for incident in &hunt.incidents {
        rows.extend(incident.blast.iter().map(|t| {
            vec![
                incident.id.clone(),
                t.identity.clone(),
                t.name.clone(),
                t.tier.clone(),
                if t.within { "yes" } else { "no" }.to_owned(),
                t.via.clone(),
                t.value.clone(),
                t.reason.clone(),
                t.first_at.clone(),
                t.last_at.clone(),
                t.events.to_string(),
                t.systems.join(";"),
            ]
        }));
    }
    guarded_csv(&rows)
}

/// `limits.csv`: everything that cannot be seen, with the incidents that it concerns.
pub fn limits_csv(hunt: &Hunt) -> Vec<u8> {
    let header = ["kind", "what", "source", "because", "from", "until", "incidents"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    let instant = |at: Option<i64>| at.map_or(String::new(), format_instant);
    let row = |limit: &Limit, ids: &[&str]| {
        vec![
            limit.kind.clone(),
            limit.what.clone(),
            limit.source.clone(),
            limit.because.clone(),
            instant(limit.from),
            instant(limit.until),
            ids.join(" "),
        ]
    };
    for incident in &hunt.incidents {
        // Those of its own time are nobody else's.
        let own = incident.unseen.iter().filter(|limit| !hunt.limits.contains(limit));
        rows.extend(own.map(|limit| row(limit, &[&incident.id])));
    }
    for limit in &hunt.limits {
        let of = hunt.incidents.iter().filter(|incident| incident.unseen.contains(limit));
        rows.push(row(limit, &of.map(|incident| incident.id.as_str()).collect::<Vec<_>>()));
    }
    guarded_csv(&rows)
}

/// `containment.csv`.
pub fn containment_csv(hunt: &Hunt) -> Vec<u8> {
    let header = ["incident", "order", "step", "system", "identity", "object", "why", "evidence"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for incident in &hunt.incidents {
        rows.extend(incident.containment.iter().map(|cut| {
            vec![
                incident.id.clone(),
                cut.order.to_string(),
                cut.step.clone(),
                cut.system.clone(),
                cut.identity.clone(),
                cut.object.clone(),
                cut.why.clone(),
                cut.evidence.clone(),
            ]
        }));
    }
    guarded_csv(&rows)
}

/// `incidents.ocsf.jsonl`: a Detection Finding (2004) an incident, each event of its story as evidence.
pub fn ocsf(hunt: &Hunt, version: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for incident in &hunt.incidents {
        out.extend(finding(hunt, incident, version).to_string().into_bytes());
        out.push(b'\n');
    }
    out
}

fn finding(hunt: &Hunt, incident: &Incident, version: &str) -> Value {
    let ms = |text: &str| micros(text).map_or(0, |at| at.div_euclid(1000));
    let (severity_id, severity) = match incident.standing.as_str() {
        "incident" => (5, "Critical"),
        _ => (3, "Medium"),
    };
    let attacks: Vec<Value> =
        incident.attack.iter().map(|uid| json!({"version": "18.1", "technique": {"uid": uid}})).collect();
    let users: Vec<Value> =
        incident.people.iter().map(|p| json!({"type": "user", "name": p.identity, "uid": p.identity})).collect();
    let evidences: Vec<Value> = incident
        .story
        .iter()
        .map(|line| {
            let fields: serde_json::Map<String, Value> =
                line.fields.iter().map(|(name, value)| (name.clone(), Value::from(value.clone()))).collect();
            json!({"data": {"at": line.at, "action": line.action, "message": line.sentence, "source": line.place, "fields": fields}})
        })
        .collect();
    json!({
        "activity_id": 1,
        "activity_name": "Create",
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": 2004,
        "class_name": "Detection Finding",
        "type_uid": 200_401,
        "time": ms(&hunt.as_of),
        "severity_id": severity_id,
        "severity": severity,
        "status_id": 1,
        "status": "New",
        "is_alert": incident.standing == "incident",
        "message": headline(incident),
        "metadata": {
            "version": version,
            "product": {"name": "Regrant", "vendor_name": "Regrant", "uid": "regrant", "version": hunt.version},
            "uid": incident.id,
            "event_code": "hunt",
        },
        "finding_info": {
            "uid": incident.id,
            "title": headline(incident),
            "desc": incident.reasons.iter().map(|r| format!("{} ({})", r.text, r.points)).collect::<Vec<_>>().join("; "),
            "first_seen_time": ms(&incident.began_at),
            "last_seen_time": ms(&incident.last_at),
            "created_time": ms(incident.known_at.as_deref().unwrap_or(&incident.last_at)),
            "types": incident.reasons.iter().filter(|r| !r.pattern.is_empty()).map(|r| r.pattern.clone()).collect::<Vec<_>>(),
            "attacks": attacks,
        },
        "resources": users,
        "evidences": evidences,
    })
}

/// An incident in a line.
pub fn headline(incident: &Incident) -> String {
    let first: Vec<&str> = incident.people.iter().take(3).map(|person| person.identity.as_str()).collect();
    let more = match incident.people.len().saturating_sub(3) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let why = incident.reasons.first().map_or("what lies around the pivot", |reason| reason.text.as_str());
    format!("{}{more}: {why}", first.join(", "))
}
