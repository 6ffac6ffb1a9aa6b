//! Events as OCSF, so that other tools read what an incident is made of, and a hunt reads it again (`regrant-ocsf.toml`).
//!
//! What OCSF has an attribute for stands there; the action in the model's words, the system and what has no attribute stand
//! under `unmapped.regrant`. What tickets say and silences are no events of a log and are not written.

use rayon::prelude::*;
use serde_json::{Map, Value, json};

use super::events::{Event, Field, Trail};
use super::output::BLOCK;
use crate::table::event;
use crate::time::format_instant;

/// Events by their positions in the trail, one a line.
pub fn ocsf_events(trail: &Trail, positions: &[u32], version: &str) -> Vec<u8> {
    let block = |positions: &[u32]| {
        let mut out = Vec::new();
        for value in positions.iter().filter_map(|&i| one(trail, i, version)) {
            out.extend(value.to_string().into_bytes());
            out.push(b'\n');
        }
        out
    };
    positions.par_chunks(BLOCK).map(block).collect::<Vec<_>>().concat()
}

/// Class, activity and its caption; what Account Change has no activity for is its "Other", named by the action.
fn class(event: &Event, has_object: bool) -> (u32, &'static str, u32, &'static str) {
    let change = |activity, caption| (3001, "Account Change", activity, caption);
    match event.action {
        event::SIGN_IN => (3002, "Authentication", 1, "Logon"),
        event::PRIVILEGE_GRANTED if has_object => (3005, "User Access Management", 1, "Assign Privileges"),
        event::PASSWORD_RESET => change(4, "Password Reset"),
        _ if event.action() == "password-changed" => change(3, "Password Change"),
        event::MFA_RESET => change(11, "MFA Factor Disable"),
        event::FACTOR_ENROLLED => change(10, "MFA Factor Enable"),
        event::ACCOUNT_UNLOCKED => change(12, "Unlock"),
        _ if event.action() == "account-locked" => change(9, "Lock"),
        event::ACCOUNT_REACTIVATED => change(2, "Enable"),
        event::ACCOUNT_DISABLED => change(5, "Disable"),
        event::ACCOUNT_DELETED => change(6, "Delete"),
        _ => change(99, event.action()),
    }
}

fn one(trail: &Trail, i: u32, version: &str) -> Option<Value> {
    let event = &trail.events[i as usize];
    let value = |field: Field| trail.value(event, field);
    if event.action as usize > event::ACTIONS.len() {
        return None;
    }
    // A review that a ticket tells is called as the ticket is.
    if event.action == event::USE_REVIEWED
        && trail.name(event.id).is_some()
        && trail.name(event.id) == value(Field::Ticket)
    {
        return None;
    }
    let target = value(Field::Target)?;
    let (class_uid, class_name, activity, caption) = class(event, value(Field::Object).is_some());
    let place = trail.place(event);
    let uid = match (trail.name(event.id), &place) {
        (Some(id), _) => id.to_owned(),
        // Sign-ins are told by their record, and one record may hold several.
        (None, place) => format!("{}#{i}", place.as_deref().unwrap_or_default()),
    };
    let mut own = Map::new();
    own.insert("action".to_owned(), json!(event.action()));
    for field in [Field::System, Field::Contact, Field::Object, Field::Ticket, Field::Credential] {
        own.extend(value(field).map(|text| (field.as_str().to_owned(), json!(text))));
    }
    own.extend(place.map(|place| ("source".to_owned(), json!(place))));
    let mut out = json!({
        "class_uid": class_uid,
        "class_name": class_name,
        "category_uid": 3,
        "category_name": "Identity & Access Management",
        "activity_id": activity,
        "activity_name": caption,
        "type_uid": class_uid * 100 + activity,
        "severity_id": 1,
        "severity": "Informational",
        "time": event.at.div_euclid(1000),
        "time_dt": format_instant(event.at),
        "metadata": {
            "version": version,
            "uid": uid,
            "product": {"name": value(Field::System).unwrap_or("unknown")},
            "log_provider": "regrant",
            "event_code": event.action(),
            "profiles": ["datetime", "host"],
        },
        "user": {"name": target, "uid": target},
        "unmapped": {"regrant": own},
    });
    // Whoever did it to the own account is named once, even where the log names nobody beside.
    let by = value(Field::Executor).or((event.own == 2).then_some(target));
    let mut actor = Map::new();
    actor.extend(by.map(|by| ("user".to_owned(), json!({"name": by, "uid": by}))));
    if let Some(session) = value(Field::Session) {
        match class_uid {
            3002 => out["session"] = json!({"uid": session}),
            _ => {
                actor.insert("session".to_owned(), json!({"uid": session}));
            }
        }
    }
    if !actor.is_empty() {
        out["actor"] = Value::Object(actor);
    }
    if let Some(ip) = value(Field::SourceIp) {
        out["src_endpoint"] = json!({"ip": ip});
    }
    if let Some(device) = value(Field::Device) {
        out["device"] = json!({"uid": device, "type_id": 0});
    }
    if let Some(agent) = value(Field::UserAgent) {
        out["http_request"] = json!({"user_agent": agent});
    }
    if let (3005, Some(object)) = (class_uid, value(Field::Object)) {
        out["privileges"] = json!([object]);
    }
    let status = match event.outcome {
        0 => None,
        event::SUCCESS => Some((1, "Success")),
        event::FAILURE => Some((2, "Failure")),
        _ => Some((0, "Unknown")),
    };
    if let Some((id, word)) = status {
        out["status_id"] = json!(id);
        out["status"] = json!(word);
    }
    Some(out)
}
