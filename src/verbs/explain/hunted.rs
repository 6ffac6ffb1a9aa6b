//! A pattern of a hunt in plain text: what it looks for, how far apart, what it needs, and what else looks like it.

use std::collections::BTreeMap;

use super::heading;
use crate::hunt::events::{ACTION_WORDS, EVENTS_FOR_SILENCE, Field, LOG_SILENCE, RARE, TICKET_REJECTED};
use crate::hunt::incident::{INCIDENT, LEAD};
use crate::hunt::matcher::{BASELINE, HISTORY, UNSEEN};
use crate::hunt::pattern::{Condition, Expected, Order, Pattern, Step, Test};
use crate::source::mapping::SourceMapping;
use crate::table::event;
use crate::time::{DAY, format_duration_micros};
use crate::verbs::layout::{columns, prose, shown, wrapped};

/// Everything that a pattern's file and the sources in force say of it.
pub(super) fn pattern(pattern: &Pattern, sources: &[SourceMapping]) -> String {
    let mut out = format!("{}: {}\n\n", shown(&pattern.id), shown(&pattern.title));
    let mut rows = vec![vec![
        "points".to_owned(),
        format!("{}; from {LEAD} points a group of sequences is a lead, from {INCIDENT} an incident", pattern.weight),
    ]];
    rows.push(vec!["order".to_owned(), order(pattern)]);
    let names = |fields: &[Field]| fields.iter().map(|field| field.as_str()).collect::<Vec<_>>().join(", ");
    if let Some(count) = &pattern.count {
        let of = count.of.map_or("events".to_owned(), |field| format!("different values of {}", field.as_str()));
        let key = pattern.steps.first().map_or(&[][..], |step| step.key.as_slice());
        let per = if key.is_empty() { "all together".to_owned() } else { format!("for one {}", names(key)) };
        rows.push(vec![
            "counts".to_owned(),
            format!("at least {} {of} in {}, {per}", count.at_least, format_duration_micros(count.within)),
        ]);
        if let Some(history) = count.own_history {
            let days = history.days;
            let text = format!("and more than {} times the most of any of the {days} days before", history.times);
            rows.push(vec![String::new(), text]);
        }
    } else if let Some(first) = pattern.steps.iter().find(|step| step.absent.is_none())
        && !first.key.is_empty()
    {
        rows.push(vec!["joined by".to_owned(), format!("the same {}", names(&first.key))]);
    }
    if !pattern.differ.is_empty() {
        rows.push(vec!["differing in".to_owned(), names(&pattern.differ)]);
    }
    if !pattern.attack.is_empty() {
        rows.push(vec!["ATT&CK".to_owned(), shown(&pattern.attack.join(", "))]);
    }
    if pattern.origin != "shipped" {
        rows.push(vec!["from".to_owned(), shown(&pattern.origin)]);
    }
    out.push_str(&columns(&rows, 2));
    heading(&mut out, "Steps");
    for step in &pattern.steps {
        out.push_str(&wrapped(&said(pattern, step), 2));
    }
    heading(&mut out, "Thresholds come from");
    let source = if pattern.source.is_empty() { "its file does not say" } else { &pattern.source };
    out.push_str(&wrapped(&shown(source), 2));
    heading(&mut out, "What it finds");
    out.push_str(&prose(&pattern.finds, 2));
    heading(&mut out, "Why it matters");
    out.push_str(&prose(&pattern.matters, 2));
    heading(&mut out, "What looks like it");
    let innocent = if pattern.innocent.is_empty() { "Its file does not say." } else { &pattern.innocent };
    out.push_str(&prose(innocent, 2));
    heading(&mut out, "What to do");
    out.push_str(&prose(&pattern.remedy, 2));
    heading(&mut out, "What it needs");
    out.push_str(&columns(&needs(pattern, sources), 2));
    heading(&mut out, "What it cannot tell");
    let untold: Vec<Vec<String>> = cannot(pattern).into_iter().map(|text| vec![text]).collect();
    out.push_str(&columns(&untold, 2));
    heading(&mut out, "An example that it finds");
    out.push_str(&example(pattern));
    out
}

fn order(pattern: &Pattern) -> String {
    let present = pattern.steps.iter().filter(|step| step.absent.is_none()).count();
    let within = match pattern.within {
        0 => String::new(),
        within => format!(", the last within {} of the first", format_duration_micros(within)),
    };
    match (present, pattern.order) {
        (1, _) => "one event".to_owned(),
        (_, Order::InOrder) => format!("each step after the one before{within}"),
        (_, Order::Any) => format!("steps in any order{within}"),
    }
}

fn said(pattern: &Pattern, step: &Step) -> String {
    let words: Vec<&str> = step.actions.iter().map(|&code| ACTION_WORDS[code as usize - 1]).collect();
    let conditions: Vec<String> = step.conditions.iter().filter_map(condition).collect();
    let place = pattern.steps.iter().position(|other| other.name == step.name).unwrap_or_default();
    let text = match step.absent {
        None => format!("{}: {}", step.name, words.join(" or ")),
        Some(within) => {
            let when = if place == 0 { "before" } else { "after" };
            let within = format_duration_micros(within);
            format!("{}: no {} in the {within} {when}, that much included", step.name, words.join(" or "))
        }
    };
    // Where the shared field is another one than in the first step, as in a cascade.
    let first = pattern.steps.iter().find(|other| other.absent.is_none());
    let moved = first.filter(|first| first.key != step.key).map(|first| {
        let pairs = first.key.iter().zip(&step.key).filter(|(a, b)| a != b);
        pairs.map(|(a, b)| format!("its {} is the {} before", b.as_str(), a.as_str())).collect::<Vec<_>>().join(", ")
    });
    let all: Vec<String> = conditions.into_iter().chain(moved).collect();
    let text = if all.is_empty() { text } else { format!("{text}; {}", all.join("; ")) };
    shown(&text)
}

/// A condition in words; null for what is not worth a word: that it did not fail.
fn condition(condition: &Condition) -> Option<String> {
    let not = |is: bool| if is { "" } else { "not " };
    Some(match &condition.test {
        Test::Outcome(codes) => match codes.as_slice() {
            [0, 1, 3] => return None,
            codes => {
                let word = |code: &u8| match code {
                    0 => "not reported",
                    code => event::OUTCOMES.get(*code as usize - 1).copied().unwrap_or("unknown"),
                };
                format!("outcome {}", codes.iter().map(word).collect::<Vec<_>>().join(" or "))
            }
        },
        Test::Unseen(fields) => {
            let names: Vec<&str> = fields.iter().map(|field| field.as_str()).collect();
            let names = names.join(" or ");
            format!(
                "{names} unseen: the target did not sign in with it in the {} before",
                format_duration_micros(UNSEEN)
            )
        }
        Test::Rare(field) => format!("{} that at most {RARE} identities ever had", field.as_str()),
        Test::AfterReset(within) => {
            format!("at most {} after somebody else reset the target", format_duration_micros(*within))
        }
        Test::FirstAct(within) => {
            format!("the executor did nothing of the kind in the {} before", format_duration_micros(*within))
        }
        Test::ByOutsider(is) => format!("the executor is {}a contractor or of a vendor", not(*is)),
        Test::HiredDays(compare) => format!("days since the target's first day {}", compare.words()),
        Test::AnyTicket(is) => format!("{} ticket is about it", if *is { "a" } else { "no" }),
        Test::TokenChannel(among) => format!("the code travelled by {}", among.join(" or ")),
        Test::Object(pattern) => format!("what was granted or changed matches {}", pattern.as_str()),
        Test::ExecutorKind(among) => format!("the executor is {}", among.join(" or ")),
        Test::FactIs("self_service", is) => {
            if *is {
                "by the holder".to_owned()
            } else {
                "by somebody else".to_owned()
            }
        }
        Test::FactIs(name, is) => format!("{name} is {is}"),
        Test::FactIn(name, among) => format!("{name} is {}", among.join(" or ")),
        Test::FactCompares(name, compare) => format!("{name} {}", compare.words()),
    })
}

/// Tables, columns and actions without which it finds nothing, and which shipped sources have the actions.
fn needs(pattern: &Pattern, sources: &[SourceMapping]) -> Vec<Vec<String>> {
    let mut columns: BTreeMap<String, ()> = BTreeMap::new();
    let mut tables: BTreeMap<&str, &str> = BTreeMap::new();
    let mut need = |field: Field| {
        columns.insert(field.as_str().to_owned(), ());
    };
    for step in &pattern.steps {
        step.key.iter().copied().for_each(&mut need);
        for condition in &step.conditions {
            match &condition.test {
                Test::Unseen(fields) => fields.iter().copied().for_each(&mut need),
                Test::Rare(field) => need(*field),
                Test::Object(_) => need(Field::Object),
                Test::FirstAct(_) | Test::AfterReset(_) | Test::ExecutorKind(_) => need(Field::Executor),
                Test::ByOutsider(_) => {
                    need(Field::Executor);
                    tables.insert("person", "who is a contractor: worker_type");
                }
                Test::HiredDays(_) => {
                    tables.insert("person", "first days: started_on");
                }
                Test::AnyTicket(_) => {
                    tables.insert("ticket", "or the column ticket of events");
                }
                Test::FactIs("self_service" | "automated" | "habitual_executor", _) => need(Field::Executor),
                Test::FactIs("target_on_leave", _) => {
                    tables.insert("person", "who is on leave: status");
                }
                Test::FactIn("tier", _) => {
                    tables.insert("person", "or account or workload: who is privileged or an executive");
                }
                Test::FactIn("target_kind", _) => {
                    tables.insert("workload", "or the column target_kind of events: what is no person");
                }
                Test::FactCompares("prior_unrevoked", _) => {
                    tables.insert("credential", "which older keys live on");
                }
                _ => {}
            }
        }
    }
    pattern.differ.iter().copied().for_each(&mut need);
    if let Some(field) = pattern.count.as_ref().and_then(|count| count.of) {
        need(field);
    }
    let mut rows = Vec::new();
    for step in &pattern.steps {
        let words: Vec<&str> = step.actions.iter().map(|&code| ACTION_WORDS[code as usize - 1]).collect();
        if step.actions.iter().all(|&code| code == LOG_SILENCE) {
            let text = format!("at least {EVENTS_FOR_SILENCE} events of the system of the reset");
            rows.push(vec![step.name.clone(), text]);
            continue;
        }
        let has = |source: &&SourceMapping| source.actions().iter().any(|action| words.contains(action));
        let mut ids: Vec<String> = sources.iter().filter(has).map(|source| source.id.clone()).collect();
        ids.sort();
        if step.actions.contains(&TICKET_REJECTED) {
            ids.push("tickets".to_owned());
        }
        let ids =
            if ids.is_empty() { "no source that is read: the event table alone".to_owned() } else { ids.join(", ") };
        rows.push(vec![step.name.clone(), shown(&format!("{}, in {ids}", words.join(" or ")))]);
    }
    let named: Vec<String> = columns.into_keys().collect();
    if !named.is_empty() {
        rows.push(vec!["columns".to_owned(), named.join(", ")]);
    }
    rows.extend(tables.into_iter().map(|(table, why)| vec![table.to_owned(), why.to_owned()]));
    rows
}

/// What makes it say "not known" instead of "no".
fn cannot(pattern: &Pattern) -> Vec<String> {
    let mut out = Vec::new();
    let days = |span: i64| format!("{} days", span / DAY);
    for step in &pattern.steps {
        for condition in &step.conditions {
            match &condition.test {
                Test::Unseen(_) | Test::FirstAct(_) => {
                    out.push(format!("an event less than {} after the data begins", days(HISTORY)));
                }
                Test::FactIs("habitual_executor", _) => {
                    out.push("a reset less than 30 days after the data begins".to_owned());
                }
                _ => {}
            }
        }
        if let Some(within) = step.absent {
            out.push(format!("an event less than {} before the data ends", format_duration_micros(within)));
        }
        if step.actions == [LOG_SILENCE] {
            out.push(format!(
                "a reset in a system with fewer than {EVENTS_FOR_SILENCE} events, or near an end of its log"
            ));
        }
    }
    if pattern.count.as_ref().is_some_and(|count| count.own_history.is_some()) {
        out.push(format!("an event less than {} after the data begins", days(BASELINE)));
    }
    out.push("an event of which one of the columns or tables above is missing".to_owned());
    out.push("a sequence that has begun, where no input shows a further step".to_owned());
    let mut seen: Vec<String> = Vec::new();
    out.retain(|text| {
        let new = !seen.contains(text);
        seen.push(text.clone());
        new
    });
    out
}

/// The events of the first match that its file shows.
fn example(pattern: &Pattern) -> String {
    let found = pattern.cases.iter().find_map(|case| match &case.expected {
        Expected::Matches(matches) => Some((case, matches.first()?)),
        _ => None,
    });
    let Some((case, ids)) = found else { return wrapped("Its file shows none.", 2) };
    let mut rows = Vec::new();
    for (_, text) in case.tables.iter().filter(|(table, _)| table == "event") {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let Ok(header) = reader.headers().cloned() else { continue };
        for row in reader.records().flatten() {
            let cell = |name: &str| header.iter().position(|column| column == name).and_then(|at| row.get(at));
            if !ids.iter().any(|id| Some(id.as_str()) == cell("event_id")) {
                continue;
            }
            let further = header.iter().zip(row.iter()).filter(|(name, value)| {
                !["event_id", "occurred_at", "action", "target", "system"].contains(name) && !value.is_empty()
            });
            let further: Vec<String> = further.map(|(name, value)| format!("{name} {value}")).collect();
            let of = |name: &str| shown(cell(name).unwrap_or_default());
            rows.push(vec![of("occurred_at"), of("action"), of("target"), shown(&further.join(", "))]);
        }
    }
    columns(&rows, 2)
}
