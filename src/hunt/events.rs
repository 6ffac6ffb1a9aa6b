//! The trail: every event of the inputs in order of time, with what joins events to each other as small numbers.
//!
//! Beside the events of the logs it holds what tickets say (rejected, a review) and where a log that is never silent for
//! long was silent. Names are folded; who is who is [`crate::identity`]'s.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::{HashMap, HashSet};
use rayon::prelude::*;

use crate::fact::World;
use crate::identity::{Key, Kind, NO_KEY};
use crate::table::{event, person, ticket, workload};
use crate::text::{EMPTY, TextId, fold};
use crate::time::HOUR;

/// Words of the codes of a trail's actions, from 1: those of the model, and what is seen in other tables and between events.
pub const ACTION_WORDS: [&str; event::ACTIONS.len() + 2] = {
    let mut all = [""; event::ACTIONS.len() + 2];
    let mut at = 0;
    while at < event::ACTIONS.len() {
        all[at] = event::ACTIONS[at];
        at += 1;
    }
    all[at] = "ticket-rejected";
    all[at + 1] = "log-silence";
    all
};
/// A ticket about the target was rejected.
pub const TICKET_REJECTED: u8 = event::ACTIONS.len() as u8 + 1;
/// A system that writes all the time wrote nothing: one event where that begins, one where it ends.
pub const LOG_SILENCE: u8 = event::ACTIONS.len() as u8 + 2;

/// A pause is a silence from here on, if it is unusual for its system.
const SILENCE: i64 = 2 * HOUR;
/// What happens more seldom than so often in the data is unusual.
const USUAL_PAUSES: usize = 10;
/// Fewer events say nothing about what is usual.
pub const EVENTS_FOR_SILENCE: usize = 30;

/// No value.
pub const NONE: u32 = 0;

/// What joins events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// Whose access.
    Target,
    /// Who carried it out.
    Executor,
    /// Address it came from.
    SourceIp,
    /// Device.
    Device,
    /// Session.
    Session,
    /// Program.
    UserAgent,
    /// Phone number or address.
    Contact,
    /// What was granted or changed.
    Object,
    /// Ticket.
    Ticket,
    /// System.
    System,
    /// Credential that was issued, or else the one that was replaced.
    Credential,
}

impl Field {
    /// All of them.
    pub const ALL: [Field; 11] = [
        Field::Target,
        Field::Executor,
        Field::SourceIp,
        Field::Device,
        Field::Session,
        Field::UserAgent,
        Field::Contact,
        Field::Object,
        Field::Ticket,
        Field::System,
        Field::Credential,
    ];

    /// As in pattern files and outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            Field::Target => "target",
            Field::Executor => "executor",
            Field::SourceIp => "source_ip",
            Field::Device => "device",
            Field::Session => "session",
            Field::UserAgent => "user_agent",
            Field::Contact => "contact",
            Field::Object => "object",
            Field::Ticket => "ticket",
            Field::System => "system",
            Field::Credential => "credential",
        }
    }

    /// The field of that name.
    pub fn named(name: &str) -> Option<Field> {
        Field::ALL.into_iter().find(|field| field.as_str() == name)
    }

    /// The columns of the event table that it comes from.
    pub fn columns(self) -> &'static [usize] {
        match self {
            Field::Target => &[event::TARGET],
            Field::Executor => &[event::EXECUTOR],
            Field::SourceIp => &[event::SOURCE_IP],
            Field::Device => &[event::DEVICE],
            Field::Session => &[event::SESSION],
            Field::UserAgent => &[event::USER_AGENT],
            Field::Contact => &[event::CONTACT],
            Field::Object => &[event::OBJECT],
            Field::Ticket => &[event::TICKET],
            Field::System => &[event::SYSTEM],
            Field::Credential => &[event::NEW_CREDENTIAL, event::OLD_CREDENTIAL],
        }
    }
}

/// One event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Microseconds UTC.
    pub at: i64,
    /// By [`Field`]; [`NONE`] when empty or not reported.
    pub values: [u32; Field::ALL.len()],
    /// What the source calls it; [`NONE`] for sign-ins, which are told by their record.
    pub id: u32,
    /// Row of the event table; `u32::MAX` for what is no event of a log.
    pub row: u32,
    /// Index of the input; `u32::MAX` for a silence.
    pub file: u32,
    /// 1-based record of the input.
    pub record: u32,
    /// Code, see [`ACTION_WORDS`].
    pub action: u8,
    /// Code as in the event table.
    pub outcome: u8,
    /// Did the target do it? 0 not known, 1 no, 2 yes.
    pub own: u8,
}

impl Event {
    /// Its value of a field; [`NONE`] when there is none.
    pub fn get(&self, field: Field) -> u32 {
        self.values[field as usize]
    }

    /// What was done, in the model's words.
    pub fn action(&self) -> &'static str {
        ACTION_WORDS[self.action as usize - 1]
    }

    /// One of the seven reset actions?
    pub fn is_reset(&self) -> bool {
        (1..=event::RESET_ACTIONS as u8).contains(&self.action)
    }

    /// Did it fail?
    pub fn failed(&self) -> bool {
        self.outcome == event::FAILURE
    }

    /// Carried out by somebody else, as far as is known.
    pub fn by_others(&self) -> bool {
        self.own == 1
    }
}

/// What is known of whoever a name stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Who {
    /// Display name of the register; empty when none.
    pub name: String,
    /// `human`, `workload`, `shared`, `break-glass`, `unknown`.
    pub kind: String,
    /// As the fact `tier`, at `as_of`; empty when not known.
    pub tier: String,
    /// Position or department; empty when not known.
    pub post: String,
    /// Id and other names, folded.
    pub aliases: Vec<String>,
}

impl Who {
    /// Is it called so (folded)? Aliases of the register are resolved before events are numbered; this is for those who type
    /// an id, another alias, or the display name.
    pub fn called(&self, folded: &str) -> bool {
        self.aliases.iter().any(|alias| alias == folded) || !self.name.is_empty() && fold(&self.name) == folded
    }

    /// Does the tier make a reset weigh more?
    pub fn sensitive(&self) -> bool {
        crate::fact::reset::SENSITIVE.contains(&self.tier.as_str())
    }
}

/// Texts by number, one after another: millions of them are no millions of allocations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    text: String,
    ends: Vec<usize>,
}

impl Names {
    /// Texts that lie one after another in `text`, each of so many bytes; null where the lengths do not fit it.
    pub fn of(text: String, lengths: impl Iterator<Item = usize>) -> Option<Names> {
        let mut end = 0_usize;
        let mut ends = Vec::new();
        for length in lengths {
            end = end.checked_add(length)?;
            text.is_char_boundary(end).then_some(())?;
            ends.push(end);
        }
        (end == text.len()).then_some(Names { text, ends })
    }

    /// Adds one, and gives its number.
    pub fn push(&mut self, text: &str) -> u32 {
        self.text.push_str(text);
        self.ends.push(self.text.len());
        self.ends.len() as u32 - 1
    }

    /// The text of a number that was given.
    pub fn get(&self, number: u32) -> &str {
        let n = number as usize;
        let from = n.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[from..self.ends[n]]
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

/// All events, in order of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trail {
    /// By time, then by input and record.
    pub events: Vec<Event>,
    /// What the numbers of fields stand for, as first written; the first is empty.
    pub names: Names,
    /// By number of an identity's name, of those that a register knows.
    pub who: BTreeMap<u32, Who>,
    /// Paths of the inputs.
    pub files: Vec<String>,
    /// Resets among the events that did not fail.
    pub resets: u64,
    /// Numbers of addresses, devices, sessions and contacts that more identities had than say who somebody is; sorted.
    pub common: Vec<u32>,
    /// How far the log of each system reaches, by the number of its name.
    pub reach: BTreeMap<u32, Reach>,
}

/// How far the log of a system reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Reach {
    /// Its first event, microseconds UTC.
    pub first: i64,
    /// Its last one.
    pub last: i64,
    /// How many there are.
    pub events: u64,
}

impl Reach {
    /// Are there enough events to say which pauses are usual? Where there are not, no silence is found.
    pub fn shows_silences(self) -> bool {
        self.events >= EVENTS_FOR_SILENCE as u64
    }
}

/// A value seen with at most so many identities says who somebody is: beyond are offices, gateways and shared kiosks.
pub const RARE: u32 = 4;

/// Gives numbers to what is seen for the first time.
struct Numbers<'w> {
    world: &'w World<'w>,
    texts: HashMap<TextId, u32>,
    keys: HashMap<Key, u32>,
    names: Names,
}

impl Numbers<'_> {
    fn text(&mut self, text: TextId) -> u32 {
        if text == EMPTY {
            return NONE;
        }
        let folded = self.world.settled.texts.folded(text);
        if let Some(&number) = self.texts.get(&folded) {
            return number;
        }
        let number = self.names.push(&self.world.settled.texts.get(text));
        self.texts.insert(folded, number);
        number
    }

    /// A text as it is written: ids.
    fn exact(&mut self, text: TextId) -> u32 {
        if text == EMPTY {
            return NONE;
        }
        self.names.push(&self.world.settled.texts.get(text))
    }

    /// The name as it is written stands for the identity where it is met first.
    fn identity(&mut self, key: Key, written: TextId) -> u32 {
        if key == NO_KEY || written == EMPTY {
            return NONE;
        }
        if let Some(&number) = self.keys.get(&key) {
            return number;
        }
        let number = self.names.push(&self.world.settled.texts.get(written));
        self.keys.insert(key, number);
        number
    }
}

impl Trail {
    /// The events of a world, its tickets and silences. `shift` moves the clocks of systems, in microseconds.
    pub fn build(world: &World<'_>, shift: &BTreeMap<String, i64>) -> Trail {
        let settled = world.settled;
        let rows = &settled.events;
        let mut numbers = Numbers { world, texts: HashMap::new(), keys: HashMap::new(), names: Names::default() };
        numbers.names.push("");
        let shift: HashMap<TextId, i64> =
            shift.iter().map(|(system, by)| (settled.texts.find(system), *by)).filter(|(id, _)| *id != EMPTY).collect();
        let mut order: Vec<(i64, u32)> = settled
            .event_rows
            .par_iter()
            .filter(|&&r| world.at(r as usize) <= world.as_of)
            .map(|&r| {
                let by = shift.get(&rows.text(event::SYSTEM, r as usize)).copied().unwrap_or(0);
                (world.at(r as usize) + by, r)
            })
            .collect();
        order.par_sort_unstable();
        let mut events = Vec::with_capacity(order.len());
        let mut resets = 0;
        for (at, r) in order {
            let row = r as usize;
            let mut values = [NONE; Field::ALL.len()];
            for field in Field::ALL {
                values[field as usize] = match field {
                    Field::Target => numbers.identity(world.target_key[row], rows.text(event::TARGET, row)),
                    Field::Executor => numbers.identity(world.executor_key[row], rows.text(event::EXECUTOR, row)),
                    _ => {
                        let texts = field.columns().iter().map(|&column| rows.text(column, row));
                        numbers.text(texts.into_iter().find(|&text| text != EMPTY).unwrap_or(EMPTY))
                    }
                };
            }
            let action = rows.code(event::ACTION, row);
            let event = Event {
                at,
                values,
                id: if action == event::SIGN_IN { NONE } else { numbers.exact(rows.text(event::EVENT_ID, row)) },
                row: r,
                file: rows.file(row),
                record: rows.record(row),
                action,
                outcome: rows.code(event::OUTCOME, row),
                own: world.self_service(row).map_or(0, |own| 1 + u8::from(own)),
            };
            resets += u64::from(event.is_reset() && !event.failed());
            events.push(event);
        }
        let (reach, silences) = silences(&events);
        of_tickets(world, &mut numbers, &mut events);
        events.extend(silences);
        // Stable, and what comes of tickets and silences comes in a fixed order of its own.
        events.par_sort_by_key(|event| event.at);
        let who = numbers.keys.iter().filter_map(|(&key, &number)| Some((number, who(world, key)?))).collect();
        let common = common(&events);
        Trail {
            common,
            events,
            names: numbers.names,
            who,
            files: settled.inputs.iter().map(|input| input.path.clone()).collect(),
            resets,
            reach,
        }
    }

    /// What a number stands for; null for [`NONE`].
    pub fn name(&self, number: u32) -> Option<&str> {
        (number != NONE).then(|| self.names.get(number))
    }

    /// The value of an event's field in words; null when there is none.
    pub fn value(&self, event: &Event, field: Field) -> Option<&str> {
        self.name(event.get(field))
    }

    /// Where a record stands, as `path:record`; null for a silence.
    pub fn place(&self, event: &Event) -> Option<String> {
        self.files.get(event.file as usize).map(|file| format!("{file}:{}", event.record))
    }

    /// First and last instant; null without events.
    pub fn span(&self) -> Option<(i64, i64)> {
        Some((self.events.first()?.at, self.events.last()?.at))
    }

    /// Did more than a few identities have it? [`NONE`] says nothing of anybody either.
    pub fn is_common(&self, number: u32) -> bool {
        number == NONE || self.common.binary_search(&number).is_ok()
    }

    /// The positions of events in `[from, until]`.
    pub fn between(&self, from: i64, until: i64) -> std::ops::Range<usize> {
        self.events.partition_point(|e| e.at < from)..self.events.partition_point(|e| e.at <= until)
    }
}

/// Fields by which identities become known.
pub const MARKS: [Field; 4] = [Field::SourceIp, Field::Device, Field::Contact, Field::Session];

fn common(events: &[Event]) -> Vec<u32> {
    let parts = rayon::current_num_threads().clamp(1, 16) as u32;
    let of_part = |part: u32| {
        let mut holders: HashMap<u32, u32> = HashMap::new();
        let mut pairs: HashSet<(u32, u32)> = HashSet::new();
        for event in events.iter().filter(|event| !event.failed()) {
            for field in MARKS.into_iter().chain([Field::Ticket]) {
                let value = event.get(field);
                let mine = value != NONE && value % parts == part;
                if !mine || holders.get(&value).is_some_and(|n| *n > RARE) {
                    continue;
                }
                if pairs.insert((value, event.get(Field::Target))) {
                    *holders.entry(value).or_default() += 1;
                }
            }
        }
        holders.into_iter().filter(|(_, n)| *n > RARE).map(|(value, _)| value).collect::<Vec<u32>>()
    };
    let mut common: Vec<u32> = (0..parts).into_par_iter().flat_map_iter(of_part).collect();
    common.sort_unstable();
    common
}

/// What the register knows; null when it does not know the name.
fn who(world: &World<'_>, key: Key) -> Option<Who> {
    let id = world.register.identity_of(key)?;
    let identity = &world.register.identities[id as usize];
    let texts = &world.settled.texts;
    let mut aliases = vec![texts.get_folded(identity.id).into_owned()];
    let post = match &identity.kind {
        Kind::Person(_) => {
            for stint in world.register.stints(id) {
                let period = stint.period(world.settled);
                aliases.push(texts.get_folded(period.email).into_owned());
                let listed = texts.get_folded(period.aliases);
                aliases.extend(listed.split(crate::text::LIST_SEPARATOR).map(str::to_owned));
            }
            let period = world.register.speaking(id, world.as_of).map(|stint| stint.period(world.settled));
            period.map_or(String::new(), |period| {
                let title = world.settled.people.text(person::TITLE, period.row as usize);
                let post = if title == EMPTY { period.department } else { title };
                texts.get(post).to_string()
            })
        }
        Kind::Workload(row) => {
            let rows = &world.settled.workloads;
            for column in [workload::NAME, workload::ALIASES] {
                let listed = texts.get_folded(rows.text(column, *row as usize));
                aliases.extend(listed.split(crate::text::LIST_SEPARATOR).map(str::to_owned));
            }
            String::new()
        }
    };
    let standing = &world.standing[id as usize];
    aliases.retain(|alias| !alias.is_empty());
    aliases.sort();
    aliases.dedup();
    Some(Who {
        aliases,
        name: texts.get(identity.name).to_string(),
        kind: standing.kind().to_owned(),
        tier: standing.tier().to_owned(),
        post,
    })
}

/// What tickets say of a target: that a request was rejected, that a use was reviewed.
fn of_tickets(world: &World<'_>, numbers: &mut Numbers<'_>, events: &mut Vec<Event>) {
    let settled = world.settled;
    let tickets = &settled.tickets;
    for &r in &settled.ticket_rows {
        let row = r as usize;
        let subject = tickets.text(ticket::SUBJECT, row);
        if subject == EMPTY {
            continue;
        }
        let category = settled.texts.get_folded(tickets.text(ticket::CATEGORY, row));
        let rejected = (tickets.code(ticket::DECISION, row) == ticket::REJECTED)
            .then(|| tickets.instant(ticket::DECIDED_AT, row))
            .flatten()
            .map(|at| (at, TICKET_REJECTED));
        let reviewed = category
            .contains("review")
            .then(|| tickets.instant(ticket::CLOSED_AT, row).or_else(|| tickets.instant(ticket::DECIDED_AT, row)))
            .flatten()
            .map(|at| (at, event::USE_REVIEWED));
        for (at, action) in [rejected, reviewed].into_iter().flatten().filter(|(at, _)| *at <= world.as_of) {
            let mut values = [NONE; Field::ALL.len()];
            values[Field::Target as usize] =
                numbers.identity(world.register.key(&settled.texts, subject, EMPTY), subject);
            let by = tickets.text(ticket::APPROVER, row);
            values[Field::Executor as usize] = numbers.identity(world.register.key(&settled.texts, by, EMPTY), by);
            values[Field::Ticket as usize] = numbers.text(tickets.text(ticket::TICKET, row));
            events.push(Event {
                at,
                values,
                id: numbers.exact(tickets.text(ticket::TICKET, row)),
                row: u32::MAX,
                file: tickets.file(row),
                record: tickets.record(row),
                action,
                // A request that was refused, by somebody else than who asked.
                outcome: if action == TICKET_REJECTED { event::FAILURE } else { event::SUCCESS },
                own: 1,
            });
        }
    }
}

/// How far each system's log reaches, and where it was silent for longer than it ever is: the beginning and the end of that.
fn silences(events: &[Event]) -> (BTreeMap<u32, Reach>, Vec<Event>) {
    let mut of_system: BTreeMap<u32, Vec<i64>> = BTreeMap::new();
    for event in events {
        of_system.entry(event.get(Field::System)).or_default().push(event.at);
    }
    let mut reach = BTreeMap::new();
    let mut out = Vec::new();
    for (system, instants) in of_system {
        let (Some(&first), Some(&last)) = (instants.first(), instants.last()) else { continue };
        let so = Reach { first, last, events: instants.len() as u64 };
        reach.insert(system, so);
        if !so.shows_silences() {
            continue;
        }
        let limit = unusual_pause(&instants);
        for pair in instants.windows(2).filter(|pair| pair[1] - pair[0] > limit) {
            for at in [pair[0], pair[1]] {
                let mut values = [NONE; Field::ALL.len()];
                values[Field::System as usize] = system;
                let (row, file, record) = (u32::MAX, u32::MAX, 0);
                out.push(Event { at, values, id: NONE, row, file, record, action: LOG_SILENCE, outcome: 0, own: 0 });
            }
        }
    }
    (reach, out)
}

/// The pause that a system does not exceed as a rule: one and a half of the tenth longest. Weekends are usual, once there
/// are ten of them.
pub fn unusual_pause(instants: &[i64]) -> i64 {
    let mut pauses: Vec<i64> = instants.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let usual = match pauses.len() < USUAL_PAUSES {
        true => i64::MAX / 4,
        false => *pauses.select_nth_unstable_by(USUAL_PAUSES - 1, |a, b| b.cmp(a)).1,
    };
    (usual + usual / 2).max(SILENCE)
}

/// Names of systems, in order.
pub fn systems(trail: &Trail) -> BTreeSet<&str> {
    trail.events.iter().filter_map(|event| trail.value(event, Field::System)).collect()
}
