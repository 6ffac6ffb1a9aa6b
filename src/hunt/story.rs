//! What happened, told: a sentence an event with the fields behind it, who changed whose access, whom else it may concern,
//! and what is cut off first.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::events::{Event, Field, LOG_SILENCE, NONE, TICKET_REJECTED, Trail};
use super::incident::{Group, TOGETHER, TRACES, changes_access};
use crate::table::event;
use crate::time::{DAY, format_instant};

/// Lines of one story; the time line files have all of them. See [`first`] for which.
pub const LINES: usize = 400;

/// One event, told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// When, RFC 3339.
    pub at: String,
    /// In words.
    pub sentence: String,
    /// What was done, in the model's words.
    pub action: String,
    /// Part of a matched sequence, or what happened beside it.
    pub matched: bool,
    /// `file:record`; null for what is no record.
    pub place: Option<String>,
    /// Fields that have a value, in order.
    pub fields: Vec<(String, String)>,
}

/// One line of the lineage: it hangs on the line above it that is one less deep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descent {
    /// 0 is where it begins.
    pub depth: usize,
    /// Identity, factor, right or key.
    pub label: String,
    /// What happened to it, and when.
    pub note: String,
    /// `executor`, `identity`, `enrolled`, `granted`, `key`.
    pub kind: String,
    /// What it hangs on; empty for a root.
    pub by: String,
}

/// Somebody it may concern too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touched {
    /// The identity, as a log writes it.
    pub identity: String,
    /// Of the register; empty when not known.
    pub name: String,
    /// As the fact `tier`; empty when not known.
    pub tier: String,
    /// What they share: `executor`, `source_ip`, `session`, `device`, `contact`, `ticket`.
    pub via: String,
    /// Its value.
    pub value: String,
    /// In words.
    pub reason: String,
    /// First event of it in the window.
    pub first_at: String,
    /// Last event of it in the window.
    pub last_at: String,
    /// Events of it in the window.
    pub events: u64,
    /// Systems, in order.
    pub systems: Vec<String>,
    /// Is it among those whose access the incident itself changed?
    pub within: bool,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// 1 first.
    pub order: u32,
    /// `revoke-sessions`, `remove-factor`, `undo-grant`, `disable-account`, `re-proof`, `rotate-key`.
    pub step: String,
    /// Where.
    pub system: String,
    /// Whose.
    pub identity: String,
    /// Which factor, right, account or key; empty where the identity is meant.
    pub object: String,
    /// Why.
    pub why: String,
    /// `file:record` of what it goes back to; empty when there is none.
    pub evidence: String,
}

/// An event in a sentence, from values as the log has them.
pub fn sentence(trail: &Trail, event: &Event) -> String {
    let value = |field: Field| trail.value(event, field);
    let target = value(Field::Target).unwrap_or("somebody");
    let by = value(Field::Executor).unwrap_or("somebody whom the log does not name");
    let own = event.own == 2;
    let object = |none: &str| value(Field::Object).map_or_else(|| none.to_owned(), |object| format!("“{object}”"));
    let credential = value(Field::Credential).map(|id| format!(" ({id})")).unwrap_or_default();
    let contact = value(Field::Contact).map(|contact| format!(" {contact}")).unwrap_or_default();
    let device = value(Field::Device).map(|device| format!(" on device {device}")).unwrap_or_default();
    let core = match event.action {
        event::PASSWORD_RESET if own => format!("{target} recovered the password without the old one"),
        event::PASSWORD_RESET => format!("{by} reset the password of {target}"),
        event::MFA_RESET if own => format!("{target} removed a factor"),
        event::MFA_RESET => format!("{by} reset factors of {target}"),
        event::RECOVERY_ISSUED if own => format!("{target} asked for a recovery code or link"),
        event::RECOVERY_ISSUED => format!("{by} gave {target} a recovery code, link or temporary pass"),
        event::ACCOUNT_UNLOCKED => format!("{by} unlocked {target}"),
        event::ACCOUNT_REACTIVATED => format!("{by} enabled {target} again"),
        event::CREDENTIAL_ISSUED => format!("{by} issued a new key or secret{credential} for {target}"),
        event::CREDENTIAL_ROTATED => format!("{by} exchanged a key or secret{credential} of {target}"),
        event::CREDENTIAL_REVOKED => format!("{by} revoked a credential{credential} of {target}"),
        event::SESSIONS_REVOKED => format!("{by} ended the sessions of {target}"),
        event::ACCOUNT_DISABLED => format!("{by} disabled {target}"),
        event::ACCOUNT_DELETED => format!("{by} deleted {target}"),
        event::SIGN_IN => format!("{target} signed in{device}"),
        event::FACTOR_ENROLLED => format!("{target} enrolled {}{contact}{device}", object("a factor")),
        event::RECOVERY_CONTACT_CHANGED => format!("{by} set the recovery contact of {target} to{contact}"),
        event::PRIVILEGE_GRANTED => format!("{by} gave {target} {}", object("a role, group or right")),
        event::DEVICE_REGISTERED => format!("{target} registered {}{device}", object("a device")),
        event::FEDERATION_CHANGED => format!("{by} changed who may vouch for sign-ins: {}", object(target)),
        event::MAIL_FORWARDING_SET => format!("{by} had mail of {target} go to {}", object("elsewhere")),
        event::APPLICATION_CONSENTED => format!("{by} consented to {} for {target}", object("an application")),
        event::RECOVERY_CODES_VIEWED => format!("{by} looked at recovery codes of {target}, or made them anew"),
        event::RECOVERY_CODE_USED => format!("{target} signed in with a recovery code"),
        event::POLICY_WEAKENED => format!("{by} weakened a rule that protects sign-ins: {}", object(target)),
        event::PRIVILEGED_ACTION => format!("{by} did what administrators do: {}", object("an act on")),
        event::HOLDER_NOTIFIED => format!("{target} was told of a change"),
        event::USE_REVIEWED => format!("{by} reviewed the use of {target}"),
        TICKET_REJECTED => format!("{by} rejected a request for {target}"),
        LOG_SILENCE => "a silence of the log begins or ends here".to_owned(),
        _ => format!("{}: {target}, by {by}", event.action()),
    };
    let from = value(Field::SourceIp).map(|ip| format!(", from {ip}")).unwrap_or_default();
    let ticket = value(Field::Ticket).map(|ticket| format!(", under ticket {ticket}")).unwrap_or_default();
    let system = value(Field::System).map(|system| format!(" ({system})")).unwrap_or_default();
    let failed = if event.failed() && event.action != TICKET_REJECTED { "refused or failed: " } else { "" };
    format!("{failed}{core}{from}{ticket}{system}")
}

/// An event as a line.
pub fn line(trail: &Trail, event: &Event, matched: bool) -> Line {
    let mut fields: Vec<(String, String)> = Vec::new();
    let id = trail.name(event.id);
    fields.extend(id.map(|id| ("event_id".to_owned(), id.to_owned())));
    let outcome = crate::fact::reset::word(event::OUTCOMES, event.outcome);
    fields.extend(outcome.map(|word| ("outcome".to_owned(), word.to_owned())));
    for field in Field::ALL {
        fields.extend(trail.value(event, field).map(|value| (field.as_str().to_owned(), value.to_owned())));
    }
    Line {
        at: format_instant(event.at),
        sentence: sentence(trail, event),
        action: event.action().to_owned(),
        matched,
        place: trail.place(event),
        fields,
    }
}

/// Addresses, devices, sessions, phones and tickets of a group that few identities have; numbers by field.
pub fn traces(trail: &Trail, group: &Group) -> BTreeSet<(Field, u32)> {
    let mut traces = BTreeSet::new();
    for &i in &group.events {
        let event = &trail.events[i as usize];
        for field in TRACES {
            let value = event.get(field);
            let theirs = field != Field::SourceIp || event.own == 2 || event.action == event::SIGN_IN;
            // Where the holder has been for long, nothing is followed.
            if value != NONE && theirs && !trail.is_common(value) {
                traces.insert((field, value));
            }
        }
    }
    traces
}

/// The events of a group and what happened to the same identities around it, in order: positions in the trail.
pub fn around(trail: &Trail, group: &Group) -> Vec<(u32, bool)> {
    let (from, until) = group.span(trail);
    let traces = traces(trail, group);
    let matched: BTreeSet<u32> = group.events.iter().copied().collect();
    let mut lines: Vec<(u32, bool)> = matched.iter().map(|&i| (i, true)).collect();
    for i in trail.between(from - DAY, until + TOGETHER) {
        let event = &trail.events[i];
        let of_subject = |field: Field| group.subjects.contains(&event.get(field));
        let concerned = match event.action {
            event::SIGN_IN => {
                of_subject(Field::Target) && TRACES.iter().any(|&field| traces.contains(&(field, event.get(field))))
            }
            LOG_SILENCE => false,
            _ => of_subject(Field::Target) || of_subject(Field::Executor),
        };
        if concerned && !matched.contains(&(i as u32)) {
            lines.push((i as u32, false));
        }
    }
    lines.sort_unstable();
    lines
}

/// Those that a story tells, in order of time: what is part of a sequence before what happened beside it, the earliest first.
pub fn first(events: &[(u32, bool)]) -> Vec<(u32, bool)> {
    let mut room = LINES;
    let mut told: Vec<(u32, bool)> = Vec::with_capacity(LINES.min(events.len()));
    for part in [true, false] {
        let lines = events.iter().filter(|(_, matched)| *matched == part).take(room);
        told.extend(lines);
        room = LINES - told.len();
    }
    told.sort_unstable();
    told
}

/// Who changed whose access, what was enrolled and granted, as a tree.
pub fn lineage(trail: &Trail, events: &[(u32, bool)]) -> Vec<Descent> {
    // For each identity the first who changed its access, then what followed, in order of time.
    let mut children: BTreeMap<u32, Vec<(u32, usize)>> = BTreeMap::new();
    let mut parent_of: BTreeMap<u32, u32> = BTreeMap::new();
    let mut own: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    let mut roots: Vec<u32> = Vec::new();
    for &(i, _) in events {
        let i = i as usize;
        let event = &trail.events[i];
        let (target, by) = (event.get(Field::Target), event.get(Field::Executor));
        if event.failed() || target == NONE || !changes_access(event) || event.action >= TICKET_REJECTED {
            continue;
        }
        if event.is_reset() && event.own != 2 {
            if !parent_of.contains_key(&target) && !descends(&parent_of, by, target) {
                parent_of.insert(target, by);
                children.entry(by).or_default().push((target, i));
                if !roots.contains(&by) && !parent_of.contains_key(&by) {
                    roots.push(by);
                }
            } else {
                own.entry(target).or_default().push(i);
            }
        } else if matches!(
            event.action,
            event::FACTOR_ENROLLED
                | event::DEVICE_REGISTERED
                | event::PRIVILEGE_GRANTED
                | event::FEDERATION_CHANGED
                | event::MAIL_FORWARDING_SET
                | event::APPLICATION_CONSENTED
                | event::RECOVERY_CONTACT_CHANGED
                | event::CREDENTIAL_ISSUED
        ) {
            let whose = if parent_of.contains_key(&target) { target } else { by };
            own.entry(whose).or_default().push(i);
        }
    }
    // An executor that is itself reset later is not where it begins.
    roots.retain(|root| !parent_of.contains_key(root));
    let mut out = Vec::new();
    for root in roots {
        let label = trail.name(root).unwrap_or("executor not reported").to_owned();
        let by = String::new();
        out.push(Descent { depth: 0, label, note: "carried out resets".into(), kind: "executor".into(), by });
        descend(trail, root, 1, &children, &own, &mut out);
    }
    out
}

/// Is `above` below `below` already? Then hanging `below` on it would close a circle.
fn descends(parent_of: &BTreeMap<u32, u32>, mut above: u32, below: u32) -> bool {
    let mut steps = 0;
    while above != below {
        match parent_of.get(&above) {
            Some(&next) if steps < parent_of.len() => above = next,
            _ => return false,
        }
        steps += 1;
    }
    true
}

fn descend(
    trail: &Trail,
    of: u32,
    depth: usize,
    children: &BTreeMap<u32, Vec<(u32, usize)>>,
    own: &BTreeMap<u32, Vec<usize>>,
    out: &mut Vec<Descent>,
) {
    let by = trail.name(of).unwrap_or("executor not reported").to_owned();
    for &(target, i) in children.get(&of).into_iter().flatten() {
        let event = &trail.events[i];
        let again = own.get(&target).map_or(0, |list| list.iter().filter(|&&i| trail.events[i].is_reset()).count());
        let more = if again > 0 { format!(", and {again} more") } else { String::new() };
        out.push(Descent {
            depth,
            label: trail.name(target).unwrap_or_default().to_owned(),
            note: format!("{} {}{more}", event.action(), format_instant(event.at)),
            kind: "identity".to_owned(),
            by: by.clone(),
        });
        for &i in own.get(&target).into_iter().flatten() {
            let event = &trail.events[i];
            let value = |field: Field| trail.value(event, field);
            let kind = match event.action {
                event::CREDENTIAL_ISSUED => "key",
                event::FACTOR_ENROLLED | event::DEVICE_REGISTERED | event::RECOVERY_CONTACT_CHANGED => "enrolled",
                _ if event.is_reset() => continue,
                _ => "granted",
            };
            let named = match kind {
                "key" => value(Field::Credential),
                "enrolled" => value(Field::Contact).or(value(Field::Device)).or(value(Field::Object)),
                _ => value(Field::Object).or(value(Field::Target)),
            };
            out.push(Descent {
                depth: depth + 1,
                label: named.unwrap_or("not named by the log").to_owned(),
                note: format!("{} {}", event.action(), format_instant(event.at)),
                kind: kind.to_owned(),
                by: trail.name(target).unwrap_or_default().to_owned(),
            });
        }
        descend(trail, target, depth + 1, children, own, out);
    }
}

/// Everybody who shares an executor, address, session, device, phone or ticket with a group, within 72 hours of it.
pub fn blast(trail: &Trail, group: &Group) -> Vec<Touched> {
    let (from, until) = group.span(trail);
    let traces = traces(trail, group);
    let executors: BTreeSet<u32> = group
        .events
        .iter()
        .map(|&i| &trail.events[i as usize])
        .filter(|event| event.is_reset() && event.by_others())
        .map(|event| event.get(Field::Executor))
        .filter(|&by| by != NONE)
        .collect();
    struct So {
        first: i64,
        last: i64,
        events: u64,
        systems: BTreeSet<u32>,
    }
    let mut found: BTreeMap<(u32, Field, u32), So> = BTreeMap::new();
    for event in &trail.events[trail.between(from - TOGETHER, until + TOGETHER)] {
        let target = event.get(Field::Target);
        if target == NONE || event.failed() {
            continue;
        }
        let by = event.get(Field::Executor);
        let changed = event.own != 2 && executors.contains(&by) && changes_access(event);
        let shared = TRACES.map(|field| (field, event.get(field))).into_iter().filter(|trace| traces.contains(trace));
        for (field, value) in shared.chain(changed.then_some((Field::Executor, by))) {
            let so = found.entry((target, field, value)).or_insert(So {
                first: event.at,
                last: event.at,
                events: 0,
                systems: BTreeSet::new(),
            });
            so.last = event.at;
            so.events += 1;
            so.systems.insert(event.get(Field::System));
        }
    }
    let mut list: Vec<Touched> = found
        .into_iter()
        .map(|((target, field, value), so)| {
            let who = trail.who.get(&target).cloned().unwrap_or_default();
            let value = trail.name(value).unwrap_or_default().to_owned();
            let reason = match field {
                Field::Executor => format!("access changed by {value}, who carried out a reset of the incident"),
                Field::SourceIp => format!("came from {value}, an address of the incident"),
                Field::Device => format!("used or registered device {value}"),
                Field::Session => format!("session {value}"),
                Field::Contact => format!("has the contact {value}"),
                _ => format!("under ticket {value}"),
            };
            Touched {
                identity: trail.name(target).unwrap_or_default().to_owned(),
                name: who.name,
                tier: who.tier,
                via: field.as_str().to_owned(),
                value,
                reason,
                first_at: format_instant(so.first),
                last_at: format_instant(so.last),
                events: so.events,
                systems: so.systems.iter().filter_map(|&n| trail.name(n)).map(str::to_owned).collect(),
                within: group.subjects.contains(&target),
            }
        })
        .collect();
    // Those of the incident first; then what is shared with few before what a desk does all day.
    let weak = |t: &Touched| t.via == "executor";
    list.sort_by(|a, b| {
        (!a.within, weak(a), &a.identity, &a.via, &a.value).cmp(&(!b.within, weak(b), &b.identity, &b.via, &b.value))
    });
    list
}

/// What is cut off, in order.
pub fn containment(trail: &Trail, group: &Group, events: &[(u32, bool)]) -> Vec<Cut> {
    let mut cuts: BTreeSet<(u32, String, String, String)> = BTreeSet::new();
    let mut told: BTreeMap<(u32, String, String, String), (String, String)> = BTreeMap::new();
    let mut reset_since: BTreeMap<u32, i64> = BTreeMap::new();
    let mut add = |order: u32, system: &str, identity: &str, object: &str, why: String, evidence: String| {
        let key = (order, system.to_owned(), identity.to_owned(), object.to_owned());
        if cuts.insert(key.clone()) {
            told.insert(key, (why, evidence));
        }
    };
    for &(i, _) in events {
        let event = &trail.events[i as usize];
        if event.failed() || event.action >= TICKET_REJECTED {
            continue;
        }
        let value = |field: Field| trail.value(event, field).unwrap_or_default();
        let (target, by) = (event.get(Field::Target), event.get(Field::Executor));
        let (system, identity, at) = (value(Field::System), value(Field::Target), format_instant(event.at));
        let evidence = trail.place(event).unwrap_or_default();
        if event.is_reset() && event.own != 2 && group.subjects.contains(&target) {
            reset_since.entry(target).or_insert(event.at);
            add(
                1,
                system,
                identity,
                "",
                format!("{} by {} at {at}", event.action(), value(Field::Executor)),
                evidence.clone(),
            );
            let why = "whoever was let in may not be the holder: confirm the person by a way known from before";
            add(5, system, identity, "", why.to_owned(), evidence.clone());
        }
        let concerned = reset_since.contains_key(&target) || reset_since.contains_key(&by);
        if !concerned {
            continue;
        }
        let named = |fields: &[Field]| {
            let known = fields.iter().map(|&field| value(field)).find(|text| !text.is_empty());
            known.unwrap_or("(not named by the log)").to_owned()
        };
        match event.action {
            event::SIGN_IN => {
                add(1, system, identity, "", format!("signed in at {at} from {}", value(Field::SourceIp)), evidence)
            }
            event::FACTOR_ENROLLED | event::DEVICE_REGISTERED | event::RECOVERY_CONTACT_CHANGED => {
                let object = named(&[Field::Contact, Field::Device, Field::Credential, Field::Object]);
                add(2, system, identity, &object, format!("{} at {at}, after the reset", event.action()), evidence);
            }
            event::PRIVILEGE_GRANTED
            | event::FEDERATION_CHANGED
            | event::MAIL_FORWARDING_SET
            | event::APPLICATION_CONSENTED
            | event::POLICY_WEAKENED => {
                let object = named(&[Field::Object]);
                add(
                    3,
                    system,
                    identity,
                    &object,
                    format!("{} at {at}, by {}", event.action(), value(Field::Executor)),
                    evidence,
                );
            }
            event::ACCOUNT_REACTIVATED => add(4, system, identity, "", format!("enabled at {at}"), evidence),
            event::CREDENTIAL_ISSUED | event::CREDENTIAL_ROTATED => {
                let object = named(&[Field::Credential]);
                add(
                    6,
                    system,
                    identity,
                    &object,
                    format!("{} at {at}; revoke older ones too", event.action()),
                    evidence,
                );
            }
            _ => {}
        }
    }
    let step = |order: u32| match order {
        1 => "revoke-sessions",
        2 => "remove-factor",
        3 => "undo-grant",
        4 => "disable-account",
        5 => "re-proof",
        _ => "rotate-key",
    };
    told.into_iter()
        .map(|((order, system, identity, object), (why, evidence))| Cut {
            order,
            step: step(order).to_owned(),
            system,
            identity,
            object,
            why,
            evidence,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_story_tells_sequences_first_and_drops_nothing_uncounted() {
        let few: Vec<(u32, bool)> = (0..9).map(|i| (i, i % 2 == 0)).collect();
        assert_eq!(first(&few), few);
        let many: Vec<(u32, bool)> = (0..100_000).map(|i| (i, i % 1_000 == 999)).collect();
        let told = first(&many);
        assert_eq!(told.len(), LINES);
        assert_eq!(told.iter().filter(|(_, matched)| *matched).count(), 100, "all that are part of a sequence");
        assert!(told.is_sorted() && told.contains(&(99_999, true)) && told.contains(&(0, false)));
        let only: Vec<(u32, bool)> = (0..100_000).map(|i| (i, true)).collect();
        assert_eq!(first(&only), only[..LINES]);
    }
}
