//! Rows meet each other: derived ids, duplicates, conflicts, records of one act, periods of one person, snapshots of one
//! thing. Afterwards every row has its one place and every fact can be computed from what stands.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use chrono_tz::Tz;
use hashbrown::HashMap;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::rows::Rows;
use crate::slots::Slots;
use crate::source::{Fate, Input, Reading, RejectedRecord, excerpt};
use crate::table::{Table, account, credential, event, person, ticket, workload};
use crate::text::{EMPTY, Interner, Sight, TextId, Texts, fold, slot};
use crate::time::{self, MINUTE, SECOND};

/// Records of one act lie at most this long after the earliest of them.
const ONE_ACT: i64 = 15 * MINUTE;
/// Clocks of two feeds that tell of one act are at most this far apart. Microsoft's audit logs and Okta's agents stamp within a
/// second or two; somebody who does the same to the same account twice in half a minute is told apart by each feed.
pub const ONE_ACT_TWICE: i64 = 30 * SECOND;
/// A missing start is "since ever".
pub const SINCE_EVER: i64 = i64::MIN / 4;

/// A period of employment.
#[derive(Clone, Debug)]
pub struct Period {
    /// The row that carries it: its file, record and `person_id`.
    pub row: u32,
    /// Folded `person_id`.
    pub person: TextId,
    /// `person_id` as the row writes it that speaks first.
    pub person_id: TextId,
    /// Display name; [`EMPTY`] when none.
    pub name: TextId,
    /// Work address.
    pub email: TextId,
    /// List of aliases.
    pub aliases: TextId,
    /// Start; [`SINCE_EVER`] when missing.
    pub start: i64,
    /// End, exclusive; null is open.
    pub end: Option<i64>,
    /// Ended because the person is gone from the next snapshot.
    pub inferred: bool,
    /// `status` code, 0 when empty.
    pub status: u8,
    /// `worker_type` code, 0 when empty.
    pub worker_type: u8,
    /// Does a source of it report `worker_type`?
    pub has_worker_type: bool,
    /// Does a source of it report `ended_on`?
    pub has_ended_on: bool,
    /// Whom the person reports to.
    pub manager: TextId,
    /// Department as given.
    pub department: TextId,
    /// `tier` code, 0 when empty.
    pub tier: u8,
    /// What each row that reports `status` says, with its snapshot's date.
    pub statuses: Vec<(Option<NaiveDate>, u8)>,
    /// Order of first appearance.
    pub seq: u32,
}

/// Everything that stands.
pub struct Settled {
    /// Every text.
    pub texts: Texts,
    /// Acts that two feeds tell: the row that stands, and the one that was merged into it; in order.
    pub told_twice: Vec<(u32, u32)>,
    /// Event rows; only those in `event_rows` stand.
    pub events: Rows,
    /// Events that stand, in order of appearance.
    pub event_rows: Vec<u32>,
    /// Workload rows and those that stand.
    pub workloads: Rows,
    /// See `workloads`.
    pub workload_rows: Vec<u32>,
    /// Ticket rows and those that stand.
    pub tickets: Rows,
    /// See `tickets`.
    pub ticket_rows: Vec<u32>,
    /// Person rows, for texts and places.
    pub people: Rows,
    /// Periods in order of appearance.
    pub periods: Vec<Period>,
    /// People whose sources disagree about an end.
    pub period_conflicts: Vec<TextId>,
    /// Credential rows; those that stand in order of first appearance.
    pub credentials: Rows,
    /// See `credentials`.
    pub credential_rows: Vec<u32>,
    /// Account rows; those that stand in order of first appearance.
    pub accounts: Rows,
    /// See `accounts`.
    pub account_rows: Vec<u32>,
    /// Activity that snapshots of credentials show.
    pub credential_activity: Activity,
    /// The same of accounts.
    pub account_activity: Activity,
    /// Files.
    pub inputs: Vec<Input>,
    /// Files nobody recognised.
    pub skipped: Vec<(String, String)>,
    /// Rejected records, by file and record.
    pub rejected: Vec<RejectedRecord>,
}

/// Activity that snapshots of things show. What one snapshot alone says of a thing is asked of its row.
pub struct Activity {
    /// Rows that stand for several snapshots, in order.
    several: Vec<u32>,
    /// What each of those snapshots shows: the row that stands, and the instant.
    joined: Vec<(u32, i64)>,
    used: usize,
    never_used_since: Option<usize>,
}

impl Activity {
    /// What snapshots that became one show: the row that stands, and the instant.
    pub fn joined(&self) -> &[(u32, i64)] {
        &self.joined
    }

    /// What all snapshots show of the rows that stand: the row and the instant.
    pub fn each<'a>(&'a self, rows: &'a Rows, stand: &'a [u32]) -> impl Iterator<Item = (u32, i64)> + Clone + 'a {
        let alone = |r: &&u32| self.several.is_empty() || self.several.binary_search(r).is_err();
        let shown = move |&r: &u32| Some((r, self.of(rows, r)?));
        stand.iter().filter(alone).filter_map(shown).chain(self.joined.iter().copied())
    }

    fn of(&self, rows: &Rows, row: u32) -> Option<i64> {
        let row = row as usize;
        let used = rows.instant(self.used, row);
        let created = || self.never_used_since.filter(|_| rows.has(self.used, row)).and_then(|c| rows.instant(c, row));
        used.or_else(created)
    }
}

/// Settles everything that was read.
pub fn settle(reading: Reading, zone: Tz) -> Settled {
    let Reading { mut texts, mut tables, mut inputs, skipped, mut rejected, digests: _ } = reading;
    let mut take = |t: Table| tables.remove(&t).expect("every table was read");
    let (mut events, workloads, mut tickets) = (take(Table::Event), take(Table::Workload), take(Table::Ticket));
    let (people, mut credentials, mut accounts) = (take(Table::Person), take(Table::Credential), take(Table::Account));
    name_events(&mut events, &mut texts);
    texts.close();
    name_tickets(&mut tickets, &texts);
    let firsts = |rows: &Rows, column: usize, system: Option<usize>| match system {
        Some(system) => firsts(&texts, rows, |r| (rows.text(column, r), rows.text(system, r))),
        None => firsts(&texts, rows, |r| (texts.folded(rows.text(column, r)), EMPTY)),
    };
    let (of_events, (of_credentials, of_tickets)) = rayon::join(
        || firsts(&events, event::EVENT_ID, Some(event::SYSTEM)),
        || {
            rayon::join(
                || firsts(&credentials, credential::CREDENTIAL_ID, Some(credential::SYSTEM)),
                || firsts(&tickets, ticket::TICKET, None),
            )
        },
    );
    let of_workloads = firsts(&workloads, workload::WORKLOAD_ID, None);
    let account = |r: usize| (texts.folded(accounts.text(account::ACCOUNT, r)), accounts.text(account::SYSTEM, r));
    let of_accounts = self::firsts(&texts, &accounts, account);
    let mut desk = Desk { texts: &texts, inputs: &mut inputs, rejected: &mut rejected };
    let mut told_twice = Vec::new();
    let unique = desk.unique_events(&mut events, of_events, &mut told_twice);
    let event_rows = desk.merge_events(&mut events, unique, &mut told_twice);
    told_twice.sort_unstable();
    let workload_rows = desk.unique(&workloads, of_workloads);
    desk.accept(&workloads, &workload_rows);
    let ticket_rows = desk.tickets(&mut tickets, of_tickets);
    let (periods, period_conflicts) = desk.periods(&people, zone);
    let (credential_rows, credential_activity) = desk.snapshots(
        &mut credentials,
        of_credentials,
        &Snapshot {
            observed: credential::OBSERVED_AT,
            ended: credential::REVOKED_AT,
            used: credential::LAST_USED_AT,
            never_used_since: None,
        },
    );
    let (account_rows, account_activity) = desk.snapshots(
        &mut accounts,
        of_accounts,
        &Snapshot {
            observed: account::OBSERVED_AT,
            ended: account::DISABLED_AT,
            used: account::LAST_ACTIVE_AT,
            never_used_since: Some(account::CREATED_AT),
        },
    );
    rejected.sort();
    // A record of several rows is rejected once, and only if none of its rows stands.
    let mut before = None;
    rejected.retain(|r| {
        let input = &mut inputs[r.file as usize];
        let again = before.replace((r.file, r.record)) == Some((r.file, r.record));
        let stays = !input.of_several(r.record) || !again && input.ends_rejected(r.record);
        if !stays {
            input.take_back(&r.reason);
        }
        stays
    });
    for input in &mut inputs {
        input.close();
    }
    Settled {
        texts,
        told_twice,
        events,
        event_rows,
        workloads,
        workload_rows,
        tickets,
        ticket_rows,
        people,
        periods,
        period_conflicts,
        credentials,
        credential_rows,
        accounts,
        account_rows,
        credential_activity,
        account_activity,
        inputs,
        skipped,
        rejected,
    }
}

/// The records of one ticket become its first row. What a request says of itself goes before its approvals: they say by whom and
/// when. Of several approvals all are needed.
fn join_tickets(tickets: &mut Rows, first: usize, group: &[u32]) {
    let rows: Vec<usize> = group.iter().map(|&r| r as usize).collect();
    let decision = |r: usize| tickets.code(ticket::DECISION, r);
    let of_request = |r: &&usize| !tickets.has(ticket::APPROVER, **r);
    let any = |request: bool, code: u8| rows.iter().any(|r| of_request(&r) == request && decision(*r) == code);
    // Of a request exported twice the later says more; an approval that is pending still holds the others up.
    let order = [
        (true, ticket::REJECTED),
        (true, ticket::APPROVED),
        (true, ticket::PENDING),
        (false, ticket::REJECTED),
        (false, ticket::PENDING),
        (false, ticket::APPROVED),
    ];
    let decided = order.into_iter().find(|(request, code)| any(*request, *code)).map_or(0, |(_, code)| code);
    let at = |r: &usize| tickets.instant(ticket::DECIDED_AT, *r);
    let deciding = || rows.iter().copied().filter(|r| decision(*r) == decided);
    let decided_at = deciding().filter_map(|r| at(&r)).max();
    let approver = deciding()
        .filter(|r| tickets.text(ticket::APPROVER, *r) != EMPTY)
        .max_by_key(|r| (at(r), std::cmp::Reverse(*r)))
        .map_or(EMPTY, |r| tickets.text(ticket::APPROVER, r));
    let closed_at = rows.iter().filter_map(|r| tickets.instant(ticket::CLOSED_AT, *r)).max();
    let reported = rows.iter().fold(0, |mask, r| mask | tickets.reported(*r));
    for &row in &rows[1..] {
        for column in [ticket::SUBJECT, ticket::REQUESTER, ticket::CATEGORY, ticket::OPENED_AT] {
            tickets.fill(column, first, row);
        }
    }
    tickets.set_text(ticket::APPROVER, first, approver);
    tickets.set_code(ticket::DECISION, first, decided);
    tickets.set_instant(ticket::DECIDED_AT, first, decided_at);
    tickets.set_instant(ticket::CLOSED_AT, first, closed_at);
    tickets.set_reported(first, reported);
}

/// Approvals that name a ticket by the id of its record name it by its own id from here on. An id that two tickets have names
/// neither.
fn name_tickets(tickets: &mut Rows, texts: &Texts) {
    let mut known: HashMap<TextId, Option<TextId>> = HashMap::new();
    for row in 0..tickets.len() {
        let (record, name) = (tickets.text(ticket::RECORD_ID, row), tickets.text(ticket::TICKET, row));
        if record != EMPTY {
            let same =
                |held: &mut Option<TextId>| *held = held.filter(|held| texts.folded(*held) == texts.folded(name));
            known.entry(texts.folded(record)).and_modify(same).or_insert(Some(name));
        }
    }
    if known.is_empty() {
        return;
    }
    for row in 0..tickets.len() {
        let named = known.get(&texts.folded(tickets.text(ticket::TICKET, row))).copied().flatten();
        if let Some(name) = named.filter(|_| tickets.text(ticket::RECORD_ID, row) == EMPTY) {
            tickets.set_text(ticket::TICKET, row, name);
        }
    }
}

/// An event without id gets one from its content; the n-th identical record of one file adds `-n`.
fn name_events(events: &mut Rows, texts: &mut Texts) {
    let nameless: Vec<usize> = (0..events.len()).filter(|&row| events.text(event::EVENT_ID, row) == EMPTY).collect();
    let bodies: Vec<(u32, [u8; 32])> = nameless
        .par_iter()
        .map(|&row| (events.file(row), Sha256::digest(content(events, row, texts).as_bytes()).into()))
        .collect();
    let mut seen: HashMap<(u32, [u8; 32]), u32> = HashMap::new();
    let (mut names, mut sight) = (Interner::default(), Sight::default());
    let ids: Vec<TextId> = bodies
        .into_iter()
        .map(|body| {
            let n = seen.entry(body).or_default();
            *n += 1;
            let digest = hex::encode(&body.1[..8]);
            names.intern_plain(&if *n > 1 { format!("~{digest}-{n}") } else { format!("~{digest}") }, &mut sight)
        })
        .collect();
    let map = texts.merge(&[names.seal()]).remove(0);
    for (row, id) in nameless.into_iter().zip(ids) {
        events.set_text(event::EVENT_ID, row, map.plain(id));
    }
}

/// Lines `column=value` of the non-empty canonical values in column order.
fn content(rows: &Rows, row: usize, texts: &Texts) -> String {
    let columns = rows.table.columns().iter().enumerate();
    let lines =
        columns.filter_map(|(i, c)| Some(format!("{}={}", c.name, rows.canonical(i, row, |id| texts.get(id))?)));
    lines.collect::<Vec<_>>().join("\n")
}

/// Of one feed: its dates, and for each person the dates in which the person is listed.
type Presence = (BTreeSet<NaiveDate>, HashMap<TextId, BTreeSet<NaiveDate>>);

/// Columns by which the snapshots of one thing are joined.
struct Snapshot {
    observed: usize,
    ended: usize,
    used: usize,
    /// Where "reported and empty" of `used` means never used, the column that counts instead.
    never_used_since: Option<usize>,
}

/// A cell becomes that of another row, where that has one.
fn overwrite(rows: &mut Rows, column: usize, row: usize, from: usize) {
    if rows.is_null(column, row) {
        rows.fill(column, row, from);
    } else if !rows.is_null(column, from) {
        rows.copy(column, row, from);
    }
}

/// Which rows have the key of an earlier one.
struct Firsts {
    rows: u32,
    /// Such a row, in order, and the first with its key.
    again: Vec<(u32, u32)>,
}

impl Firsts {
    /// Every row, and the first with its key.
    fn each(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let mut again = self.again.iter().peekable();
        (0..self.rows).map(move |row| again.next_if(|other| other.0 == row).copied().unwrap_or((row, row)))
    }
}

/// Rows by their key: (a text, a system).
fn firsts(texts: &Texts, rows: &Rows, key: impl Fn(usize) -> (TextId, TextId)) -> Firsts {
    let mut firsts = Firsts { rows: rows.len() as u32, again: Vec::new() };
    // Most texts come once, or never again: only those that do are looked at more closely.
    let (mut seen, mut several) = (Slots::none_of(texts.slots()), Slots::none_of(texts.slots()));
    for row in 0..rows.len() {
        let text = slot(key(row).0);
        if !seen.insert(text) {
            several.insert(text);
        }
    }
    let several = several.ranked();
    if several.is_empty() {
        return firsts;
    }
    let mut head = vec![0u32; several.len()];
    // The same id in two systems is rare.
    let mut next: HashMap<u32, u32> = HashMap::new();
    for row in 0..rows.len() {
        let (text, system) = key(row);
        let Some(place) = several.place(slot(text)) else { continue };
        let mut at = head[place];
        while at != 0 && key(at as usize - 1).1 != system {
            at = next.get(&at).copied().unwrap_or(0);
        }
        if at == 0 {
            let at = row as u32 + 1;
            if head[place] != 0 {
                next.insert(at, head[place]);
            }
            head[place] = at;
        } else {
            firsts.again.push((row as u32, at - 1));
        }
    }
    firsts
}

/// Sorts rows into their places and keeps the books.
struct Desk<'a> {
    texts: &'a Texts,
    inputs: &'a mut Vec<Input>,
    rejected: &'a mut Vec<RejectedRecord>,
}

impl Desk<'_> {
    fn count(&mut self, rows: &Rows, row: u32, fate: Fate) {
        let row = row as usize;
        self.inputs[rows.file(row) as usize].count(rows.table, rows.record(row), fate);
    }

    /// These rows stand.
    fn accept(&mut self, rows: &Rows, stand: &[u32]) {
        for of_file in stand.chunk_by(|a, b| rows.file(*a as usize) == rows.file(*b as usize)) {
            let input = &mut self.inputs[rows.file(of_file[0] as usize) as usize];
            input.accept(rows.table, of_file.iter().map(|r| rows.record(*r as usize)));
        }
    }

    fn same(&self, rows: &Rows, a: u32, b: u32) -> bool {
        rows.same_content(a as usize, b as usize, |id| self.texts.folded(id))
    }

    /// The first row of each key; equal ones after it are duplicates, others are rejected.
    fn unique(&mut self, rows: &Rows, firsts: Firsts) -> Vec<u32> {
        let mut stand = Vec::with_capacity(rows.len());
        for (row, first) in firsts.each() {
            if first == row {
                stand.push(row);
            } else if self.same(rows, first, row) {
                self.count(rows, row, Fate::Duplicate);
            } else {
                self.conflicting(rows, row);
            }
        }
        stand
    }

    /// As [`Desk::unique`], but that a vendor's renderings of one record may differ: they are one.
    fn unique_events(&mut self, events: &mut Rows, firsts: Firsts, told_twice: &mut Vec<(u32, u32)>) -> Vec<u32> {
        let mut stand = Vec::with_capacity(events.len());
        for (row, first) in firsts.each() {
            if first == row {
                stand.push(row);
            } else if self.same(events, first, row) {
                self.count(events, row, Fate::Duplicate);
            } else if let Some(rendering) = self.rendering(events, first, row) {
                if rendering == first {
                    // The one that is rendered otherwise says what is so, wherever its file lies.
                    (0..event::COLUMNS.len()).for_each(|c| overwrite(events, c, first as usize, row as usize));
                } else {
                    (0..event::COLUMNS.len()).for_each(|c| events.fill(c, first as usize, row as usize));
                }
                events.set_reported(first as usize, events.reported(first as usize) | events.reported(row as usize));
                self.count(events, row, Fate::Merged);
                told_twice.push((first, row));
            } else {
                self.conflicting(events, row);
            }
        }
        stand
    }

    /// Which of two rows with one id is the other in another rendering; null where they are no such pair.
    fn rendering(&self, events: &Rows, a: u32, b: u32) -> Option<u32> {
        let (x, y) = (a as usize, b as usize);
        let name = |r: usize| self.texts.folded(events.text(event::TARGET, r));
        let alike = events.code(event::ACTION, x) == events.code(event::ACTION, y) && name(x) == name(y);
        let apart = events.instant(event::OCCURRED_AT, x)?.abs_diff(events.instant(event::OCCURRED_AT, y)?);
        if !alike || apart > ONE_ACT_TWICE as u64 {
            return None;
        }
        let of = |r: usize| &self.inputs[events.file(r) as usize];
        let renders = |a: usize, b: usize| of(a).renders.contains(&of(b).mapping);
        if renders(y, x) {
            Some(b)
        } else if renders(x, y) {
            Some(a)
        } else {
            None
        }
    }

    /// The feeds whose events a row tells once more.
    fn repeats(&self, events: &Rows, row: usize) -> &[String] {
        let input = &self.inputs[events.file(row) as usize];
        input.asides.get(&events.record(row)).unwrap_or(&input.repeats)
    }

    /// Events of feeds that repeat each other: of one system, target and action and at most [`ONE_ACT_TWICE`] apart. Each is merged
    /// with the nearest of the other feed and with no other, so that two acts stay two.
    fn tell_once(&mut self, events: &mut Rows, rows: &[u32], told_twice: &mut Vec<(u32, u32)>) -> BTreeSet<u32> {
        let mut gone = BTreeSet::new();
        let at = |events: &Rows, r: u32| events.instant(event::OCCURRED_AT, r as usize).unwrap_or(0);
        // A feed is a mapping, or those records of it that repeat others of it.
        let feed = |desk: &Self, r: u32| {
            let input = &desk.inputs[events.file(r as usize) as usize];
            (input.mapping.clone(), input.asides.contains_key(&events.record(r as usize)))
        };
        let mut groups: HashMap<(TextId, TextId, u8), Vec<u32>> = HashMap::new();
        for &r in rows {
            let row = r as usize;
            if self.inputs[events.file(row) as usize].mapping == "canonical" {
                continue;
            }
            let target = self.texts.folded(events.text(event::TARGET, row));
            groups
                .entry((events.text(event::SYSTEM, row), target, events.code(event::ACTION, row)))
                .or_default()
                .push(r);
        }
        let mut pairs: Vec<(u64, i64, u32, u32)> = Vec::new();
        let mut groups: Vec<Vec<u32>> = groups.into_values().filter(|group| group.len() > 1).collect();
        groups.sort_unstable();
        for mut group in groups {
            group.sort_by_key(|&r| (at(events, r), r));
            for (i, &early) in group.iter().enumerate() {
                let near =
                    group[i + 1..].iter().take_while(|&&late| at(events, late) - at(events, early) <= ONE_ACT_TWICE);
                for &late in near {
                    let (a, b) = (feed(self, early), feed(self, late));
                    let tells = |of: u32, other: &(String, bool)| {
                        !other.1 && self.repeats(events, of as usize).contains(&other.0)
                    };
                    // Which of the two is repeated, and stands.
                    let pair = if a == b {
                        continue;
                    } else if tells(late, &a) {
                        (early, late)
                    } else if tells(early, &b) {
                        (late, early)
                    } else {
                        continue;
                    };
                    if self.may_be_one(events, early as usize, late as usize) {
                        let apart = at(events, late).abs_diff(at(events, early));
                        pairs.push((apart, at(events, early), pair.0, pair.1));
                    }
                }
            }
        }
        // Nearest first; what decides between equals is what the records say, not where their files lie.
        let id = |r: u32| self.texts.get(events.text(event::EVENT_ID, r as usize));
        pairs.sort_by(|a, b| {
            (a.0, a.1, &*id(a.2), &*id(a.3), a.2, a.3).cmp(&(b.0, b.1, &*id(b.2), &*id(b.3), b.2, b.3))
        });
        let mut taken: BTreeSet<(u32, (String, bool))> = BTreeSet::new();
        let mut joined = Vec::new();
        for (_, _, stands, goes) in pairs {
            let (of_stands, of_goes) = (feed(self, stands), feed(self, goes));
            if gone.contains(&stands) || gone.contains(&goes) || taken.contains(&(stands, of_goes.clone())) {
                continue;
            }
            // What others were merged into would have to take them along.
            if joined.iter().any(|(other, _)| *other == goes) {
                continue;
            }
            taken.insert((stands, of_goes));
            taken.insert((goes, of_stands));
            gone.insert(goes);
            joined.push((stands, goes));
        }
        for &(stands, goes) in &joined {
            let (first, row) = (stands as usize, goes as usize);
            if events.code(event::OUTCOME, first) == event::OUTCOMES.len() as u8 {
                events.set_code(event::OUTCOME, first, 0);
            }
            let name = |r: usize| self.texts.folded(events.text(event::EXECUTOR, r));
            // In which role somebody acted is not said by a feed that names somebody else, as the account of an agent.
            let other = name(first) != EMPTY && name(first) != name(row);
            for column in (0..event::COLUMNS.len()).filter(|column| !(other && *column == event::EXECUTOR_KIND)) {
                events.fill(column, first, row);
            }
            events.set_reported(first, events.reported(first) | events.reported(row));
        }
        told_twice.append(&mut joined);
        gone
    }

    /// Nothing that two events say of themselves tells them apart.
    fn may_be_one(&self, events: &Rows, a: usize, b: usize) -> bool {
        let credential = |c: usize| {
            let (x, y) = (events.text(c, a), events.text(c, b));
            x == EMPTY || y == EMPTY || fold(&self.texts.get(x)) == fold(&self.texts.get(y))
        };
        let (x, y) = (events.code(event::OUTCOME, a), events.code(event::OUTCOME, b));
        let failed = |code: u8| code == event::FAILURE;
        let succeeded = |code: u8| matches!(code, 0 | event::SUCCESS);
        credential(event::NEW_CREDENTIAL)
            && credential(event::OLD_CREDENTIAL)
            && !(failed(x) && succeeded(y) || succeeded(x) && failed(y))
    }

    fn conflicting(&mut self, rows: &Rows, row: u32) {
        let r = row as usize;
        self.count(rows, row, Fate::Rejected);
        let reason = "conflicting-duplicate";
        *self.inputs[rows.file(r) as usize].rejected_reasons.entry(reason.to_owned()).or_default() += 1;
        self.rejected.push(RejectedRecord {
            file: rows.file(r),
            record: rows.record(r),
            reason: reason.to_owned(),
            excerpt: excerpt::excerpt(&content(rows, r, self.texts).replace('\n', ", ")),
        });
    }

    /// Tickets by id. Vendors keep a request and each of its approvals apart: records that source mappings bring to one ticket
    /// are one, unless they are about different people or were opened at different times.
    fn tickets(&mut self, tickets: &mut Rows, firsts: Firsts) -> Vec<u32> {
        let mut groups: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        let mut stand = Vec::with_capacity(tickets.len());
        for (row, first) in firsts.each() {
            if first == row {
                stand.push(row);
                continue;
            }
            let group = groups.entry(first).or_insert_with(|| vec![first]);
            if group.iter().any(|&other| self.same(tickets, other, row)) {
                self.count(tickets, row, Fate::Duplicate);
            } else if group.iter().all(|&other| self.one_ticket(tickets, other, row)) {
                group.push(row);
                self.count(tickets, row, Fate::Merged);
            } else {
                self.conflicting(tickets, row);
            }
        }
        self.accept(tickets, &stand);
        for (first, group) in groups.into_iter().filter(|(_, group)| group.len() > 1) {
            join_tickets(tickets, first as usize, &group);
        }
        stand
    }

    fn one_ticket(&self, tickets: &Rows, a: u32, b: u32) -> bool {
        let mapped = |r: u32| self.inputs[tickets.file(r as usize) as usize].mapping != "canonical";
        let (x, y) = (a as usize, b as usize);
        let subject = |r: usize| self.texts.folded(tickets.text(ticket::SUBJECT, r));
        let opened = |r: usize| tickets.instant(ticket::OPENED_AT, r);
        mapped(a)
            && mapped(b)
            && (subject(x) == EMPTY || subject(y) == EMPTY || subject(x) == subject(y))
            && (opened(x).is_none() || opened(y).is_none() || opened(x) == opened(y))
    }

    /// Records of one act: same system, correlation, target and action, at most 15 minutes after the earliest of them.
    /// Then what two feeds tell of one act.
    fn merge_events(&mut self, events: &mut Rows, rows: Vec<u32>, told_twice: &mut Vec<(u32, u32)>) -> Vec<u32> {
        let mut correlated: Vec<u32> =
            rows.iter().copied().filter(|&r| events.text(event::CORRELATION_ID, r as usize) != EMPTY).collect();
        let at = |events: &Rows, r: u32| events.instant(event::OCCURRED_AT, r as usize).unwrap_or(0);
        correlated.sort_by_key(|&r| (at(events, r), r));
        let mut open: HashMap<(TextId, TextId, TextId, u8), u32> = HashMap::new();
        let mut merged = BTreeSet::new();
        for r in correlated {
            let row = r as usize;
            let key = (
                events.text(event::SYSTEM, row),
                events.text(event::CORRELATION_ID, row),
                self.texts.folded(events.text(event::TARGET, row)),
                events.code(event::ACTION, row),
            );
            match open.get(&key) {
                Some(&first) if at(events, r) - at(events, first) <= ONE_ACT => {
                    let first = first as usize;
                    if matches!(events.code(event::OUTCOME, row), 0 | event::SUCCESS) {
                        events.set_code(event::OUTCOME, first, event::SUCCESS);
                    }
                    for column in 0..event::COLUMNS.len() {
                        events.fill(column, first, row);
                    }
                    events.set_reported(first, events.reported(first) | events.reported(row));
                    merged.insert(r);
                }
                _ => {
                    open.insert(key, r);
                    if events.code(event::OUTCOME, row) == 0 {
                        events.set_code(event::OUTCOME, row, event::SUCCESS);
                    }
                }
            }
        }
        if self.inputs.iter().any(|input| !(input.repeats.is_empty() && input.asides.is_empty())) {
            let left: Vec<u32> = rows.iter().copied().filter(|r| !merged.contains(r)).collect();
            merged.append(&mut self.tell_once(events, &left, told_twice));
        }
        merged.iter().for_each(|&r| self.count(events, r, Fate::Merged));
        let mut stand = rows;
        if !merged.is_empty() {
            stand.retain(|r| !merged.contains(r));
        }
        self.accept(events, &stand);
        stand
    }

    /// Rows of one `person_id` and start are one period: the earliest end wins, the rest comes from the first that has it.
    fn periods(&mut self, people: &Rows, zone: Tz) -> (Vec<Period>, Vec<TextId>) {
        let mut order: Vec<Vec<u32>> = Vec::new();
        let mut by: HashMap<(TextId, Option<i64>), usize> = HashMap::new();
        let mut present: BTreeMap<String, Presence> = BTreeMap::new();
        for row in 0..people.len() {
            let person = self.texts.folded(people.text(person::PERSON_ID, row));
            let start = people.on(person::STARTED_ON, row).map(|on| on.start(zone));
            let slot = *by.entry((person, start)).or_insert_with(|| {
                order.push(Vec::new());
                order.len() - 1
            });
            let fate = if order[slot].iter().any(|&x| self.same(people, x, row as u32)) {
                Fate::Duplicate
            } else if order[slot].is_empty() {
                Fate::Accepted
            } else {
                Fate::Merged
            };
            self.count(people, row as u32, fate);
            order[slot].push(row as u32);
            let input = &self.inputs[people.file(row) as usize];
            if let Some(date) = input.snapshot {
                let (dates, who) = present.entry(input.feed.clone()).or_default();
                dates.insert(date);
                who.entry(person).or_default().insert(date);
            }
        }
        let mut periods = Vec::new();
        let mut conflicts = Vec::new();
        for rows in &order {
            let (period, conflict) = self.join_period(people, rows, zone);
            if conflict {
                conflicts.push(people.text(person::PERSON_ID, period.row as usize));
            }
            self.stints(people, rows, period, &present, zone, &mut periods);
        }
        periods.sort_by_key(|p| p.seq);
        (periods, conflicts)
    }

    fn snapshot(&self, people: &Rows, row: u32) -> Option<NaiveDate> {
        self.inputs[people.file(row as usize) as usize].snapshot
    }

    fn join_period(&self, people: &Rows, rows: &[u32], zone: Tz) -> (Period, bool) {
        let mut order = rows.to_vec();
        // The latest snapshot speaks; undated rows after all dated ones, in order.
        order.sort_by_key(|&r| (self.snapshot(people, r).map_or((1, None), |d| (0, Some(std::cmp::Reverse(d)))), r));
        let text = |c: usize| order.iter().map(|&r| people.text(c, r as usize)).find(|&t| t != EMPTY).unwrap_or(EMPTY);
        let code = |c: usize| order.iter().map(|&r| people.code(c, r as usize)).find(|&t| t != 0).unwrap_or(0);
        let has = |c: usize| rows.iter().any(|&r| people.has(c, r as usize));
        let mut ends: Vec<i64> =
            rows.iter().filter_map(|&r| people.on(person::ENDED_ON, r as usize)).map(|on| on.end(zone)).collect();
        ends.sort_unstable();
        let mut distinct: Vec<u32> = Vec::new();
        for &r in rows {
            if !distinct.iter().any(|&x| self.same(people, x, r)) {
                distinct.push(r);
            }
        }
        let conflict = !ends.is_empty() && (ends.first() != ends.last() || ends.len() < distinct.len());
        let first = rows[0];
        let period = Period {
            row: first,
            person: self.texts.folded(people.text(person::PERSON_ID, first as usize)),
            person_id: text(person::PERSON_ID),
            name: text(person::NAME),
            email: text(person::EMAIL),
            aliases: text(person::ALIASES),
            start: people.on(person::STARTED_ON, first as usize).map_or(SINCE_EVER, |on| on.start(zone)),
            end: ends.first().copied(),
            inferred: false,
            status: code(person::STATUS_OF),
            worker_type: code(person::WORKER_TYPE),
            has_worker_type: has(person::WORKER_TYPE),
            has_ended_on: has(person::ENDED_ON),
            manager: text(person::MANAGER),
            department: text(person::DEPARTMENT),
            tier: code(person::TIER),
            statuses: rows
                .iter()
                .filter(|&&r| people.has(person::STATUS_OF, r as usize))
                .map(|&r| (self.snapshot(people, r), people.code(person::STATUS_OF, r as usize)))
                .collect(),
            seq: first,
        };
        (period, conflict)
    }

    /// The period, ended where its person is missing from the next snapshot of a feed; one more for each return.
    fn stints(
        &self,
        people: &Rows,
        rows: &[u32],
        mut period: Period,
        present: &BTreeMap<String, Presence>,
        zone: Tz,
        out: &mut Vec<Period>,
    ) {
        let mut further = Vec::new();
        for (feed, (dates, who)) in present {
            let of_feed = |r: &&u32| self.inputs[people.file(**r as usize) as usize].feed == *feed;
            let mine: BTreeSet<NaiveDate> =
                rows.iter().filter(of_feed).filter_map(|&r| self.snapshot(people, r)).collect();
            let Some(listed) = who.get(&period.person).filter(|_| !mine.is_empty()) else { continue };
            let end = period.end;
            let mut runs: Vec<(Vec<NaiveDate>, Option<i64>)> = Vec::new();
            let mut run: Vec<NaiveDate> = Vec::new();
            for date in dates.iter().copied().map(Some).chain([None]) {
                match date {
                    Some(d) if listed.contains(&d) => run.push(d),
                    _ if !run.is_empty() => {
                        runs.push((std::mem::take(&mut run), date.map(|d| time::midnight(d, zone))));
                    }
                    _ => {}
                }
            }
            runs.retain(|(run, _)| run.iter().any(|d| mine.contains(d)));
            for (n, (run, gone)) in runs.iter().enumerate() {
                let to = [end, *gone].into_iter().flatten().min();
                let at = time::midnight(run[0], zone);
                if n == 0 {
                    if gone.is_some() && to == *gone && end != *gone {
                        (period.end, period.inferred) = (to, true);
                    }
                } else if to.is_none_or(|to| at < to) {
                    let inferred = to == *gone && to.is_some();
                    further.push(Period { start: at, end: to, inferred, ..period.clone() });
                }
            }
        }
        out.push(period);
        out.append(&mut further);
    }

    /// Snapshots of one thing are one: the latest `observed_at` wins, each column from the latest row that reports it; the
    /// earliest end of all; every activity instant stays.
    fn snapshots(&mut self, rows: &mut Rows, firsts: Firsts, columns: &Snapshot) -> (Vec<u32>, Activity) {
        let mut groups: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for &(row, first) in &firsts.again {
            let group = groups.entry(first).or_insert_with(|| vec![first]);
            if group.iter().any(|&x| rows.same_content(x as usize, row as usize, |id| self.texts.folded(id))) {
                self.count(rows, row, Fate::Duplicate);
            } else {
                group.push(row);
                self.count(rows, row, Fate::Merged);
            }
        }
        let mut stand = Vec::with_capacity(rows.len() - firsts.again.len());
        stand.extend(firsts.each().filter(|(row, first)| row == first).map(|(row, _)| row));
        self.accept(rows, &stand);
        let (used, never_used_since) = (columns.used, columns.never_used_since);
        let mut activity = Activity { several: Vec::new(), joined: Vec::new(), used, never_used_since };
        let mut joined = Vec::new();
        for (first, group) in groups.into_iter().filter(|(_, group)| group.len() > 1) {
            let mut order = group.clone();
            order.sort_by_key(|&r| {
                (std::cmp::Reverse(rows.instant(columns.observed, r as usize).unwrap_or(SINCE_EVER)), r)
            });
            let win = order[0];
            activity.several.push(win);
            for &r in &group {
                activity.joined.extend(activity.of(rows, r).map(|at| (win, at)));
            }
            let ended = group.iter().filter_map(|&r| rows.instant(columns.ended, r as usize)).min();
            for column in 0..rows.table.columns().len() {
                if let Some(&from) = order.iter().find(|&&r| rows.has(column, r as usize))
                    && from != win
                {
                    rows.copy(column, win as usize, from as usize);
                }
            }
            if ended.is_some() {
                rows.set_instant(columns.ended, win as usize, ended);
            }
            rows.set_reported(win as usize, group.iter().fold(0, |m, &r| m | rows.reported(r as usize)));
            let place = stand.binary_search(&first).expect("the first of several stands for all until they are joined");
            joined.push((place, win));
        }
        for (place, win) in joined {
            stand[place] = win;
        }
        activity.several.sort_unstable();
        (stand, activity)
    }
}
