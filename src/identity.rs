//! Who is who: aliases to dense identity numbers, ambiguity, employment periods.
//!
//! An identity is a person or a workload. Nothing fuzzier than folding and the part behind `DOMAIN\`.

use std::collections::BTreeSet;
use std::ops::Range;

use chrono_tz::Tz;
use hashbrown::{HashMap, HashSet};
use rayon::prelude::*;

use crate::settle::{Period, Settled};
use crate::table::{account, workload};
use crate::text::{EMPTY, LIST_SEPARATOR, TextId, Texts};

/// An identity's number: its place in [`Register::identities`].
pub type IdentityId = u32;

/// What an alias leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing.
    Nobody,
    /// One identity.
    One(IdentityId),
    /// Two or more: it resolves to none.
    Ambiguous,
}

impl Known {
    /// The identity, if it is one.
    pub fn one(self) -> Option<IdentityId> {
        match self {
            Known::One(id) => Some(id),
            _ => None,
        }
    }
}

/// A person or a workload.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its id as first given.
    pub id: TextId,
    /// Its display name; [`EMPTY`] when none.
    pub name: TextId,
    /// Which.
    pub kind: Kind,
}

/// A person with its periods, or a workload with its row.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Its stints: where they lie among all, see [`Register::stints`].
    Person(Range<u32>),
    /// Row of the workload register.
    Workload(u32),
}

/// What is asked most often of a period of employment; the stints of one person lie side by side, by start.
#[derive(Clone, Copy, Debug)]
pub struct Stint {
    /// Start, inclusive.
    pub start: i64,
    /// End, exclusive; `i64::MAX` is open.
    end: i64,
    /// Position in [`Settled::periods`].
    period: u32,
    /// `tier` code, 0 when empty.
    pub tier: u8,
    /// `worker_type` code, 0 when empty.
    pub worker_type: u8,
    /// Terminated, but nobody says when.
    vague: bool,
    /// Does a source of it report `worker_type`?
    pub has_worker_type: bool,
    /// Does a source of it report `ended_on`?
    pub has_ended_on: bool,
    /// Do rosters say nothing of leave but that at `as_of` the person is not on leave? Most do, and their period need not
    /// be asked.
    pub never_on_leave: bool,
}

impl Stint {
    /// Has it no end?
    pub fn is_open(&self) -> bool {
        self.end == i64::MAX
    }

    /// Is it in force at `t`?
    fn covers(&self, t: i64) -> bool {
        self.start <= t && t < self.end
    }

    /// The whole period.
    pub fn period<'a>(&self, settled: &'a Settled) -> &'a Period {
        &settled.periods[self.period as usize]
    }
}

/// What events, accounts and credentials are grouped by: the identity where the name resolves, else the folded text.
pub type Key = u32;
/// No name, no key.
pub const NO_KEY: Key = Key::MAX;

/// Everybody, and every name.
pub struct Register {
    /// People first, then workloads, each in order of first appearance.
    pub identities: Vec<Identity>,
    /// How many of them are people.
    pub people: usize,
    stints: Vec<Stint>,
    /// By folded text: an identity, [`FREE`] or [`MANY`].
    alias: Vec<u32>,
    /// Accounts of one system: (system, folded text) → identity.
    own: HashMap<(TextId, TextId), IdentityId>,
    /// By name, what it leads to: an identity, [`FREE`], [`MANY`], or [`ASK`] where it depends on the system. Asked for several
    /// times a reset.
    leads: Vec<u32>,
    /// By identity.
    usual: Vec<Usual>,
    /// Ambiguous aliases that no other column holds.
    ambiguous_unasked: BTreeSet<String>,
    /// Identity of each account row that stands, in the order of `account_rows`.
    pub account_identity: Vec<Option<IdentityId>>,
    zone: Tz,
}

/// Of an identity what answers nearly every question about a time, in one place.
#[derive(Clone, Copy)]
struct Usual {
    /// From here on it is there for good; `i64::MAX` where that is not so simple.
    there_since: i64,
    /// Its only stint; [`FREE`] where it has none, [`MANY`] where it has several.
    stint: u32,
}

/// Hashes of aliases that no other column holds, as often as they are given.
type Unasked = Vec<u64>;

/// An alias of nobody.
const FREE: u32 = u32::MAX;
/// An alias of several identities.
const MANY: u32 = u32::MAX - 1;
/// An alias that is also an account of some system.
const ASK: u32 = u32::MAX - 2;

impl Register {
    /// Resolves rosters, registers and accounts.
    pub fn build(settled: &Settled, zone: Tz) -> Register {
        let texts = &settled.texts;
        let mut register = Register {
            identities: Vec::new(),
            people: 0,
            stints: Vec::with_capacity(settled.periods.len()),
            alias: vec![FREE; texts.names()],
            own: HashMap::new(),
            leads: Vec::new(),
            usual: Vec::new(),
            ambiguous_unasked: BTreeSet::new(),
            account_identity: Vec::new(),
            zone,
        };
        let mut unasked = Unasked::new();
        register.add_people(settled, &mut unasked);
        register.add_workloads(settled, &mut unasked);
        register.list_ambiguous_unasked(settled, unasked);
        register.add_accounts(settled);
        register.leads = register.leads(texts);
        let all = 0..register.identities.len() as IdentityId;
        register.usual = all.into_par_iter().map(|id| register.usual(settled, id)).collect();
        register
    }

    fn leads(&self, texts: &Texts) -> Vec<u32> {
        let accounts: HashSet<TextId> = self.own.keys().map(|(_, name)| *name).collect();
        let lead = |name: TextId| {
            let folded = texts.folded(name);
            if accounts.contains(&folded) || accounts.contains(&texts.tail(folded)) {
                return ASK;
            }
            match self.look_up(texts, name, EMPTY) {
                Known::Nobody => FREE,
                Known::Ambiguous => MANY,
                Known::One(id) => id,
            }
        };
        (0..texts.names() as TextId).into_par_iter().map(lead).collect()
    }

    fn usual(&self, settled: &Settled, id: IdentityId) -> Usual {
        let rows = &settled.workloads;
        match &self.identities[id as usize].kind {
            Kind::Person(range) => {
                let stints = self.stints(id);
                let since = stints.iter().filter(|s| s.is_open() && !s.vague).map(|s| s.start).min();
                let stint = match stints {
                    [] => FREE,
                    [_] => range.start,
                    _ => MANY,
                };
                Usual { there_since: since.unwrap_or(i64::MAX), stint }
            }
            Kind::Workload(row) => {
                let row = *row as usize;
                let stays = rows.on(workload::RETIRED_ON, row).is_none()
                    && rows.code(workload::STATUS_OF, row) != workload::RETIRED;
                Usual { there_since: if stays { i64::MIN } else { i64::MAX }, stint: FREE }
            }
        }
    }

    fn name(&mut self, texts: &Texts, text: TextId, id: IdentityId) {
        let folded = texts.folded(text);
        if folded == EMPTY {
            return;
        }
        let slot = &mut self.alias[folded as usize];
        *slot = if *slot == FREE || *slot == id { id } else { MANY };
    }

    fn name_list(&mut self, texts: &Texts, list: TextId, id: IdentityId, unasked: &mut Unasked) {
        for part in texts.get(list).split(LIST_SEPARATOR) {
            let folded = crate::text::fold(part);
            match texts.find(&folded) {
                // No other column holds it, so that it was never interned by itself and nobody asks for it.
                EMPTY if !folded.is_empty() => unasked.push(crate::text::hash(folded.as_bytes())),
                text => self.name(texts, text, id),
            }
        }
    }

    /// What nobody asks for leads to somebody all the same, and is listed when it leads to two. That is rare: only hashes are
    /// kept, and what has one of those that come again is looked at once more.
    fn list_ambiguous_unasked(&mut self, settled: &Settled, mut unasked: Unasked) {
        unasked.par_sort_unstable();
        let again: HashSet<u64> = unasked.windows(2).filter(|two| two[0] == two[1]).map(|two| two[0]).collect();
        if again.is_empty() {
            return;
        }
        let texts = &settled.texts;
        let (mut whose, mut found) = (HashMap::<String, IdentityId>::new(), BTreeSet::new());
        for (id, identity) in self.identities.iter().enumerate() {
            let lists: Vec<TextId> = match &identity.kind {
                Kind::Person(_) => self.stints(id as IdentityId).iter().map(|s| s.period(settled).aliases).collect(),
                Kind::Workload(row) => vec![settled.workloads.text(workload::ALIASES, *row as usize)],
            };
            for list in lists {
                for part in texts.get(list).split(LIST_SEPARATOR) {
                    let folded = crate::text::fold(part);
                    if again.contains(&crate::text::hash(folded.as_bytes()))
                        && texts.find(&folded) == EMPTY
                        && *whose.entry(folded.clone()).or_insert(id as IdentityId) != id as IdentityId
                    {
                        found.insert(folded);
                    }
                }
            }
        }
        self.ambiguous_unasked = found;
    }

    fn add_people(&mut self, settled: &Settled, unasked: &mut Unasked) {
        let texts = &settled.texts;
        let mut by: HashMap<TextId, IdentityId> = HashMap::new();
        let mut periods: Vec<Vec<u32>> = Vec::new();
        for (i, period) in settled.periods.iter().enumerate() {
            let next = self.identities.len() as IdentityId;
            let id = *by.entry(period.person).or_insert(next);
            if id == next {
                self.identities.push(Identity { id: period.person_id, name: period.name, kind: Kind::Person(0..0) });
                periods.push(Vec::new());
            }
            periods[id as usize].push(i as u32);
            self.name(texts, period.person, id);
            self.name(texts, period.email, id);
            self.name_list(texts, period.aliases, id, unasked);
        }
        for (identity, mut periods) in self.identities.iter_mut().zip(periods) {
            periods.sort_by_key(|&p| (settled.periods[p as usize].start, settled.periods[p as usize].seq, p));
            let last = periods.last().map_or(EMPTY, |&p| settled.periods[p as usize].name);
            if last != EMPTY {
                identity.name = last;
            }
            let first = self.stints.len() as u32;
            self.stints.extend(periods.into_iter().map(|position| {
                let p = &settled.periods[position as usize];
                Stint {
                    start: p.start,
                    end: p.end.unwrap_or(i64::MAX),
                    period: position,
                    tier: p.tier,
                    worker_type: p.worker_type,
                    vague: p.status == crate::table::person::TERMINATED && p.end.is_none(),
                    has_worker_type: p.has_worker_type,
                    has_ended_on: p.has_ended_on,
                    never_on_leave: !p.statuses.is_empty()
                        && p.statuses.iter().all(|told| told.0.is_none() && told.1 != crate::table::person::LEAVE),
                }
            }));
            identity.kind = Kind::Person(first..self.stints.len() as u32);
        }
        self.people = self.identities.len();
    }

    fn add_workloads(&mut self, settled: &Settled, unasked: &mut Unasked) {
        let (texts, rows) = (&settled.texts, &settled.workloads);
        for &row in &settled.workload_rows {
            let r = row as usize;
            let id = self.identities.len() as IdentityId;
            self.identities.push(Identity {
                id: rows.text(workload::WORKLOAD_ID, r),
                name: rows.text(workload::NAME, r),
                kind: Kind::Workload(row),
            });
            self.name(texts, rows.text(workload::WORKLOAD_ID, r), id);
            self.name(texts, rows.text(workload::NAME, r), id);
            self.name_list(texts, rows.text(workload::ALIASES, r), id, unasked);
        }
    }

    fn add_accounts(&mut self, settled: &Settled) {
        let (texts, rows) = (&settled.texts, &settled.accounts);
        // Against the registers alone, so that the order of account rows does not matter.
        let named: Vec<Option<IdentityId>> = settled
            .account_rows
            .iter()
            .map(|&r| {
                let identity = rows.text(account::IDENTITY, r as usize);
                let name = if identity == EMPTY { rows.text(account::ACCOUNT, r as usize) } else { identity };
                self.lookup(texts, name, EMPTY).one()
            })
            .collect();
        for (&row, &id) in settled.account_rows.iter().zip(&named) {
            let Some(id) = id else { continue };
            let r = row as usize;
            let name = rows.text(account::ACCOUNT, r);
            self.own.insert((rows.text(account::SYSTEM, r), texts.folded(name)), id);
            if rows.text(account::IDENTITY, r) != EMPTY {
                self.name(texts, name, id);
            }
        }
        self.account_identity = named;
    }

    /// What a name leads to, from a row of `system` ([`EMPTY`] for rows of none).
    pub fn lookup(&self, texts: &Texts, name: TextId, system: TextId) -> Known {
        match self.leads.get(name as usize) {
            None | Some(&ASK) => self.look_up(texts, name, system),
            Some(&FREE) => Known::Nobody,
            Some(&MANY) => Known::Ambiguous,
            Some(&id) => Known::One(id),
        }
    }

    fn look_up(&self, texts: &Texts, name: TextId, system: TextId) -> Known {
        if name == EMPTY {
            return Known::Nobody;
        }
        let folded = texts.folded(name);
        for key in [folded, texts.tail(folded)] {
            if key == EMPTY {
                continue;
            }
            if system != EMPTY
                && let Some(&id) = self.own.get(&(system, key))
            {
                return Known::One(id);
            }
            match self.alias[key as usize] {
                FREE => {}
                MANY => return Known::Ambiguous,
                id => return Known::One(id),
            }
        }
        Known::Nobody
    }

    /// What a name is grouped by; [`NO_KEY`] without a name.
    pub fn key(&self, texts: &Texts, name: TextId, system: TextId) -> Key {
        if name == EMPTY {
            return NO_KEY;
        }
        match self.lookup(texts, name, system) {
            Known::One(id) => id,
            _ => self.identities.len() as u32 + texts.folded(name),
        }
    }

    /// The identity that a key stands for; null when it stands for a text.
    pub fn identity_of(&self, key: Key) -> Option<IdentityId> {
        ((key as usize) < self.identities.len()).then_some(key)
    }

    /// Are two names (each with its row's system) the same? Null when it is not known.
    pub fn same(&self, texts: &Texts, a: (TextId, TextId), b: (TextId, TextId)) -> Option<bool> {
        if a.0 == EMPTY || b.0 == EMPTY {
            return None;
        }
        let known = |x: (TextId, TextId)| (x.0, self.lookup(texts, x.0, x.1).one());
        self.same_known(texts, known(a), known(b))
    }

    /// The same of two names that are given, each with the identity that it leads to.
    pub fn same_known(
        &self,
        texts: &Texts,
        a: (TextId, Option<IdentityId>),
        b: (TextId, Option<IdentityId>),
    ) -> Option<bool> {
        match (a.1, b.1) {
            (Some(x), Some(y)) => Some(x == y),
            _ => (texts.folded(a.0) == texts.folded(b.0)).then_some(true),
        }
    }

    /// Aliases that lead to more than one identity, sorted.
    pub fn ambiguous<'a>(&'a self, texts: &'a Texts) -> Vec<&'a str> {
        let many = self.alias.iter().enumerate().filter(|(_, slot)| **slot == MANY);
        let unasked = self.ambiguous_unasked.iter().map(String::as_str);
        let mut names: Vec<&str> = many.map(|(i, _)| texts.name(i as TextId)).chain(unasked).collect();
        names.sort_unstable();
        names
    }

    /// The stints of a person, by start; none of a workload.
    pub fn stints(&self, id: IdentityId) -> &[Stint] {
        match &self.identities[id as usize].kind {
            Kind::Person(range) => &self.stints[range.start as usize..range.end as usize],
            Kind::Workload(_) => &[],
        }
    }

    /// The stint in force at `t`; of several the one that started last.
    pub fn covering(&self, id: IdentityId, t: i64) -> Option<&Stint> {
        self.stints(id).iter().rev().find(|s| s.covers(t))
    }

    /// Does the same speak for it at any time?
    pub fn unchanging(&self, id: IdentityId) -> bool {
        self.usual[id as usize].stint != MANY
    }

    /// The stint that speaks for a person at `t`: covering, else the last begun before, else the first; null for a
    /// workload.
    pub fn speaking(&self, id: IdentityId, t: i64) -> Option<&Stint> {
        match self.usual[id as usize].stint {
            FREE => return None,
            MANY => {}
            // It speaks at any time.
            only => return Some(&self.stints[only as usize]),
        }
        let past = || self.stints(id).iter().rev().find(|s| s.start <= t);
        self.covering(id, t).or_else(past).or_else(|| self.stints(id).first())
    }

    /// Was the identity offboarded at `t`, and when did it end? Null when the registers cannot say.
    pub fn offboarded(&self, settled: &Settled, id: IdentityId, t: i64) -> (Option<bool>, Option<i64>) {
        if self.usual[id as usize].there_since <= t {
            return (Some(false), None);
        }
        match &self.identities[id as usize].kind {
            Kind::Workload(row) => {
                let row = *row as usize;
                match settled.workloads.on(workload::RETIRED_ON, row) {
                    Some(on) => {
                        let end = on.end(self.zone);
                        if end <= t { (Some(true), Some(end)) } else { (Some(false), None) }
                    }
                    None if settled.workloads.code(workload::STATUS_OF, row) == workload::RETIRED => (None, None),
                    None => (Some(false), None),
                }
            }
            Kind::Person(_) => {
                let stints = self.stints(id);
                if stints.iter().any(|s| !s.vague && s.covers(t)) {
                    return (Some(false), None);
                }
                if stints.iter().any(|s| s.vague && s.start <= t) {
                    return (None, None);
                }
                let ended = stints.iter().map(|s| s.end).filter(|&e| e <= t && e != i64::MAX).max();
                (Some(ended.is_some()), ended)
            }
        }
    }
}
