//! Everything facts look at, indexed once: events by target and executor in time, activity, credentials, tickets.
//!
//! One sort each instead of self-joins; every look-up around a reset is then a binary search.

use hashbrown::{HashMap, HashSet};
use rayon::prelude::*;

use crate::config::{Config, Policy};
use crate::identity::{IdentityId, Key, Kind, Known, NO_KEY, Register};
use crate::settle::{SINCE_EVER, Settled};
use crate::table::{Table, account, credential, event, ticket, workload};
use crate::text::{EMPTY, TextId};
use crate::time::{DAY, HOUR, MINUTE};

/// Instants by key, in order of key, instant and appearance.
#[derive(Default)]
pub struct TimeIndex {
    entries: Vec<(Key, i64, u32)>,
    /// Where each identity's entries begin; names that resolve to nobody come after all of them.
    starts: Vec<u32>,
}

impl TimeIndex {
    /// Sorts what it is given; the number is the caller's (an event row, a position).
    ///
    /// `identities` is how many keys stand for identities: for those a look-up begins at their entries.
    pub fn build(identities: usize, entries: impl Iterator<Item = (Key, i64, u32)>) -> TimeIndex {
        let mut entries: Vec<_> = entries.filter(|e| e.0 != NO_KEY).collect();
        entries.par_sort_unstable();
        let mut starts = Vec::with_capacity(identities + 1);
        for (i, e) in entries.iter().enumerate() {
            while starts.len() <= identities && starts.len() <= e.0 as usize {
                starts.push(i as u32);
            }
        }
        starts.resize(identities + 1, entries.len() as u32);
        TimeIndex { entries, starts }
    }

    fn at(&self, key: Key, t: i64) -> usize {
        let slot = (key as usize).min(self.starts.len().saturating_sub(1));
        let from = self.starts.get(slot).map_or(0, |s| *s as usize);
        let to = self.starts.get(slot + 1).map_or(self.entries.len(), |s| *s as usize);
        from + self.entries[from..to].partition_point(|e| (e.0, e.1) < (key, t))
    }

    fn of(&self, i: usize, key: Key) -> Option<(i64, u32)> {
        self.entries.get(i).filter(|e| e.0 == key).map(|e| (e.1, e.2))
    }

    /// The last before `t` (strict).
    pub fn before(&self, key: Key, t: i64) -> Option<(i64, u32)> {
        self.of(self.at(key, t).checked_sub(1)?, key)
    }

    /// The first at or after `t`.
    pub fn from(&self, key: Key, t: i64) -> Option<(i64, u32)> {
        self.of(self.at(key, t), key)
    }

    /// Entries of the key before `t`, the latest first.
    pub fn back_from(&self, key: Key, t: i64) -> impl Iterator<Item = (i64, u32)> + '_ {
        self.entries[..self.at(key, t)].iter().rev().take_while(move |e| e.0 == key).map(|e| (e.1, e.2))
    }

    /// Entries of the key in `[from, until)`, in order.
    pub fn between(&self, key: Key, from: i64, until: i64) -> impl Iterator<Item = (i64, u32)> + '_ {
        self.entries[self.at(key, from)..].iter().take_while(move |e| e.0 == key && e.1 < until).map(|e| (e.1, e.2))
    }

    /// All entries, key by key.
    pub fn groups(&self) -> impl Iterator<Item = &[(Key, i64, u32)]> {
        self.entries.chunk_by(|a, b| a.0 == b.0)
    }
}

/// Rows by key.
struct RowIndex {
    entries: Vec<(Key, u32)>,
}

impl RowIndex {
    fn build(entries: impl Iterator<Item = (Key, u32)>) -> RowIndex {
        let mut entries: Vec<_> = entries.filter(|e| e.0 != NO_KEY).collect();
        entries.par_sort_unstable();
        RowIndex { entries }
    }

    fn of(&self, key: Key) -> impl Iterator<Item = u32> + '_ {
        let from = self.entries.partition_point(|e| e.0 < key);
        self.entries[from..].iter().take_while(move |e| e.0 == key).map(|e| e.1)
    }
}

/// The inputs, resolved and indexed.
pub struct World<'a> {
    /// Config.
    pub config: &'a Config,
    /// Thresholds.
    pub policy: &'a Policy,
    /// Rows.
    pub settled: &'a Settled,
    /// Who is who.
    pub register: &'a Register,
    /// Up to when the data is known.
    pub as_of: i64,
    /// Resets of the period, in order of appearance.
    pub resets: Vec<u32>,
    /// Events after `as_of`: counted, and nothing else.
    pub future: u64,
    /// By event row.
    pub target_key: Vec<Key>,
    /// By event row.
    pub executor_key: Vec<Key>,
    /// By event row: code of the derived executor kind, 0 when not known.
    pub executor_kind: Vec<u8>,
    /// By event row: 0 not known, 1 false, 2 true.
    self_service: Vec<u8>,
    /// By event row: distinct targets of the executor's burst.
    pub executor_burst: Vec<u32>,
    /// By event row: resets of the target's burst.
    pub target_burst: Vec<u32>,
    /// Sign-ins by target.
    pub sign_ins: TimeIndex,
    /// Instants that snapshots show as activity, by identity.
    pub snapshot_activity: TimeIndex,
    /// By identity: (system, latest snapshot activity).
    snapshot_latest: HashMap<IdentityId, Vec<(TextId, i64)>>,
    /// First sign-in of a system.
    first_sign_in: HashMap<TextId, i64>,
    /// account-disabled, -deleted, -reactivated by target.
    pub switches: TimeIndex,
    /// account-reactivated by target.
    pub reactivations: TimeIndex,
    /// privilege-granted by target.
    pub grants: TimeIndex,
    /// recovery-contact-changed by target.
    pub contact_changes: TimeIndex,
    /// Passwords reset or recovered by somebody else, by target.
    pub password_side: TimeIndex,
    /// Factors reset by somebody else, by target.
    pub factor_side: TimeIndex,
    /// Resets of others, by executor.
    pub acts_on_others: TimeIndex,
    /// Refused resets that are not self-service, by target.
    pub denied: TimeIndex,
    /// Actions that the inputs can show anywhere.
    shown: HashSet<u8>,
    /// The same in a system.
    shown_in: HashSet<(u8, TextId)>,
    accounts: RowIndex,
    credentials: RowIndex,
    /// Positions by (system, credential id).
    credential_at: HashMap<(TextId, TextId), u32>,
    revoked_by_event: HashMap<(TextId, TextId), i64>,
    sessions_revoked: HashMap<(Key, TextId), Vec<i64>>,
    /// By credential row: latest activity, [`SINCE_EVER`] when none.
    pub credential_used: HashMap<u32, i64>,
    /// By identity: does any account or credential of it say privileged?
    pub privileged: Vec<bool>,
    ticket_at: HashMap<TextId, u32>,
    /// Approved tickets by key of their subject, and by its folded text.
    approved_by_key: TimeIndex,
    approved_by_text: TimeIndex,
    /// Do tickets with a subject exist at all?
    pub subjects_on_tickets: bool,
    /// Folded ticket id → distinct targets among the resets of the period.
    ticket_targets: HashMap<TextId, u32>,
    loaded: [bool; 6],
}

/// 0 not known, 1 false, 2 true.
fn three(x: Option<bool>) -> u8 {
    x.map_or(0, |b| 1 + u8::from(b))
}

impl<'a> World<'a> {
    /// Indexes everything.
    pub fn build(config: &'a Config, settled: &'a Settled, register: &'a Register, as_of: i64) -> World<'a> {
        let texts = &settled.texts;
        let events = &settled.events;
        let at = |r: u32| events.instant(event::OCCURRED_AT, r as usize).unwrap_or(SINCE_EVER);
        let known: Vec<u32> = settled.event_rows.iter().copied().filter(|&r| at(r) <= as_of).collect();
        let mut target_key = vec![NO_KEY; events.len()];
        let mut executor_key = vec![NO_KEY; events.len()];
        for &r in &known {
            let (row, system) = (r as usize, events.text(event::SYSTEM, r as usize));
            target_key[row] = register.key(texts, events.text(event::TARGET, row), system);
            executor_key[row] = register.key(texts, events.text(event::EXECUTOR, row), system);
        }
        let mut loaded = [false; 6];
        for input in &settled.inputs {
            for (table, rows) in &input.rows {
                loaded[*table as usize] |= *rows > 0;
            }
        }
        let mut world = World {
            config,
            policy: &config.policy,
            settled,
            register,
            as_of,
            resets: Vec::new(),
            future: (settled.event_rows.len() - known.len()) as u64,
            target_key,
            executor_key,
            executor_kind: vec![0; events.len()],
            self_service: vec![0; events.len()],
            executor_burst: vec![0; events.len()],
            target_burst: vec![0; events.len()],
            sign_ins: TimeIndex::default(),
            snapshot_activity: TimeIndex::default(),
            snapshot_latest: HashMap::new(),
            first_sign_in: HashMap::new(),
            switches: TimeIndex::default(),
            reactivations: TimeIndex::default(),
            grants: TimeIndex::default(),
            contact_changes: TimeIndex::default(),
            password_side: TimeIndex::default(),
            factor_side: TimeIndex::default(),
            acts_on_others: TimeIndex::default(),
            denied: TimeIndex::default(),
            shown: HashSet::new(),
            shown_in: HashSet::new(),
            accounts: RowIndex { entries: Vec::new() },
            credentials: RowIndex { entries: Vec::new() },
            credential_at: HashMap::new(),
            revoked_by_event: HashMap::new(),
            sessions_revoked: HashMap::new(),
            credential_used: HashMap::new(),
            privileged: vec![false; register.identities.len()],
            ticket_at: HashMap::new(),
            approved_by_key: TimeIndex::default(),
            approved_by_text: TimeIndex::default(),
            subjects_on_tickets: false,
            ticket_targets: HashMap::new(),
            loaded,
        };
        world.executors(&known);
        world.sequences(&known);
        world.inventories();
        world.tickets();
        world.population(&known);
        world
    }

    fn executors(&mut self, known: &[u32]) {
        let events = &self.settled.events;
        let derived: Vec<(u8, u8)> = known
            .par_iter()
            .map(|&r| {
                let row = r as usize;
                let kind = self.derive_executor_kind(row);
                let system = events.text(event::SYSTEM, row);
                let executor = (events.text(event::EXECUTOR, row), system);
                let same = self.register.same(&self.settled.texts, executor, (events.text(event::TARGET, row), system));
                let own = if kind == 1 || same == Some(true) {
                    Some(true)
                } else if executor.0 == EMPTY && kind == 0 {
                    None
                } else {
                    Some(false)
                };
                (kind, three(own))
            })
            .collect();
        for (&r, (kind, own)) in known.iter().zip(derived) {
            self.executor_kind[r as usize] = kind;
            self.self_service[r as usize] = own;
        }
    }

    /// The event's, unless empty, unknown or not reported; then what the registers say.
    fn derive_executor_kind(&self, row: usize) -> u8 {
        let said = self.settled.events.code(event::EXECUTOR_KIND, row);
        if said != 0 && said as usize != event::EXECUTOR_KINDS.len() {
            return said;
        }
        let Some(id) = self.register.identity_of(self.executor_key[row]) else { return 0 };
        let code = |name: &str| {
            event::EXECUTOR_KINDS.iter().position(|k| *k == name).expect("one of the kinds above") as u8 + 1
        };
        match &self.register.identities[id as usize].kind {
            Kind::Workload(_) => code("automation"),
            Kind::Person(periods) => {
                let t = self.at(row);
                let texts = &self.settled.texts;
                let department = self.register.speaking(self.settled, periods, t).department;
                let folded = texts.get(texts.folded(department));
                let desk = !folded.is_empty() && self.policy.desk_departments.iter().any(|d| d == folded);
                code(if desk { "desk" } else { "admin" })
            }
        }
    }

    /// When an event happened.
    pub fn at(&self, row: usize) -> i64 {
        self.settled.events.instant(event::OCCURRED_AT, row).unwrap_or(SINCE_EVER)
    }

    /// Is it a reset action?
    pub fn is_reset(&self, row: usize) -> bool {
        (1..=event::RESET_ACTIONS as u8).contains(&self.settled.events.code(event::ACTION, row))
    }

    /// Did it fail?
    pub fn failed(&self, row: usize) -> bool {
        self.settled.events.code(event::OUTCOME, row) == event::FAILURE
    }

    /// Was it self-service? Null when not known.
    pub fn self_service(&self, row: usize) -> Option<bool> {
        match self.self_service[row] {
            0 => None,
            x => Some(x == 2),
        }
    }

    /// Was it automation?
    pub fn automated(&self, row: usize) -> bool {
        let kind = self.executor_kind[row];
        kind != 0 && event::EXECUTOR_KINDS[kind as usize - 1] == "automation"
    }

    /// Was at least one record of the table accepted?
    pub fn has(&self, table: Table) -> bool {
        self.loaded[table as usize]
    }

    /// Can the inputs show this action in any system?
    pub fn can_show(&self, action: u8) -> bool {
        self.shown.contains(&action)
    }

    /// Can they in this one?
    pub fn can_show_in(&self, action: u8, system: TextId) -> bool {
        self.shown_in.contains(&(action, system))
    }

    fn sequences(&mut self, known: &[u32]) {
        let (events, names) = (&self.settled.events, self.register.identities.len());
        let action = |r: u32| events.code(event::ACTION, r as usize);
        let target = |this: &Self, r: u32| (this.target_key[r as usize], this.at(r as usize), r);
        let succeeded = |this: &Self, r: u32| !this.failed(r as usize);
        let index = |this: &Self, keep: &dyn Fn(u32) -> bool| {
            TimeIndex::build(names, known.iter().copied().filter(|&r| keep(r)).map(|r| target(this, r)))
        };
        let this = &*self;
        let sign_ins = index(this, &|r| action(r) == event::SIGN_IN && succeeded(this, r));
        let switches = index(this, &|r| {
            matches!(action(r), event::ACCOUNT_DISABLED | event::ACCOUNT_DELETED | event::ACCOUNT_REACTIVATED)
                && succeeded(this, r)
        });
        let reactivations = index(this, &|r| action(r) == event::ACCOUNT_REACTIVATED && succeeded(this, r));
        let grants = index(this, &|r| action(r) == event::PRIVILEGE_GRANTED && succeeded(this, r));
        let contact_changes = index(this, &|r| action(r) == event::RECOVERY_CONTACT_CHANGED && succeeded(this, r));
        let by_others = |r: u32| succeeded(this, r) && this.self_service(r as usize) == Some(false);
        let password_side =
            index(this, &|r| matches!(action(r), event::PASSWORD_RESET | event::RECOVERY_ISSUED) && by_others(r));
        let factor_side = index(this, &|r| action(r) == event::MFA_RESET && by_others(r));
        let denied = index(this, &|r| {
            let row = r as usize;
            this.is_reset(row)
                && this.failed(row)
                && this.self_service(row) != Some(true)
                && events.text(event::EXECUTOR, row) != EMPTY
        });
        let resets: Vec<u32> =
            known.iter().copied().filter(|&r| this.is_reset(r as usize) && succeeded(this, r)).collect();
        let acts_on_others = TimeIndex::build(
            names,
            resets
                .iter()
                .filter(|&&r| this.executor_key[r as usize] != this.target_key[r as usize])
                .map(|&r| (this.executor_key[r as usize], this.at(r as usize), r)),
        );
        let led = resets
            .iter()
            .copied()
            .filter(|&r| this.self_service(r as usize) != Some(true) && !this.automated(r as usize));
        let by_executor = TimeIndex::build(names, led.map(|r| (this.executor_key[r as usize], this.at(r as usize), r)));
        let by_hand = resets.iter().copied().filter(|&r| !this.automated(r as usize));
        let by_target = TimeIndex::build(names, by_hand.map(|r| target(this, r)));
        let mut executor_burst = vec![0; events.len()];
        let width = (self.policy.bulk_window_minutes * MINUTE as f64) as i64;
        for group in by_executor.groups() {
            burst(group, width, |r| self.target_key[r as usize], &mut executor_burst);
        }
        let mut target_burst = vec![0; events.len()];
        let width = (self.policy.repeat_window_hours * HOUR as f64) as i64;
        for group in by_target.groups() {
            burst(group, width, |r| r, &mut target_burst);
        }
        let (mut shown, mut shown_in, mut first_sign_in) = (HashSet::new(), HashSet::new(), HashMap::new());
        let (mut revoked_by_event, mut sessions_revoked) = (HashMap::new(), HashMap::<_, Vec<i64>>::new());
        for &r in known {
            let row = r as usize;
            let (system, action, at) = (events.text(event::SYSTEM, row), action(r), self.at(row));
            shown.insert(action);
            shown_in.insert((action, system));
            if action == event::SIGN_IN {
                let first = first_sign_in.entry(system).or_insert(at);
                *first = at.min(*first);
            }
            if self.failed(row) {
                continue;
            }
            let old = events.text(event::OLD_CREDENTIAL, row);
            if action == event::CREDENTIAL_REVOKED && old != EMPTY {
                let first = revoked_by_event.entry((system, old)).or_insert(at);
                *first = at.min(*first);
            }
            if action == event::SESSIONS_REVOKED {
                sessions_revoked.entry((self.target_key[row], system)).or_default().push(at);
            }
        }
        // A mapping that maps an action can show it wherever it read a record of that system.
        for input in &self.settled.inputs {
            for name in &input.can_show {
                let Some(code) = event::ACTIONS.iter().position(|a| a == name) else { continue };
                for system in &input.systems {
                    shown.insert(code as u8 + 1);
                    let system = self.settled.texts.find(system);
                    if system != EMPTY {
                        shown_in.insert((code as u8 + 1, system));
                    }
                }
            }
        }
        self.sign_ins = sign_ins;
        self.switches = switches;
        self.reactivations = reactivations;
        self.grants = grants;
        self.contact_changes = contact_changes;
        self.password_side = password_side;
        self.factor_side = factor_side;
        self.denied = denied;
        self.acts_on_others = acts_on_others;
        self.executor_burst = executor_burst;
        self.target_burst = target_burst;
        self.shown = shown;
        self.shown_in = shown_in;
        self.first_sign_in = first_sign_in;
        self.revoked_by_event = revoked_by_event;
        self.sessions_revoked = sessions_revoked;
    }

    fn inventories(&mut self) {
        let (settled, register, texts) = (self.settled, self.register, &self.settled.texts);
        let folded = |t: TextId| register.identities.len() as u32 + texts.folded(t);
        let account_key: Vec<(Key, u32)> = settled
            .account_rows
            .iter()
            .zip(&register.account_identity)
            .map(|(&r, id)| (id.unwrap_or_else(|| folded(settled.accounts.text(account::ACCOUNT, r as usize))), r))
            .collect();
        let credentials = &settled.credentials;
        let credential_key: Vec<(Key, u32)> = settled
            .credential_rows
            .par_iter()
            .map(|&r| {
                let row = r as usize;
                let system = credentials.text(credential::SYSTEM, row);
                (register.key(texts, credentials.text(credential::IDENTITY, row), system), r)
            })
            .collect();
        let mut flag = |key: Key, privileged: Option<bool>| {
            if privileged == Some(true)
                && let Some(id) = register.identity_of(key)
            {
                self.privileged[id as usize] = true;
            }
        };
        for &(key, r) in &account_key {
            flag(key, settled.accounts.bool(account::PRIVILEGED, r as usize));
        }
        for &(key, r) in &credential_key {
            flag(key, credentials.bool(credential::PRIVILEGED, r as usize));
        }
        let key_of_account: HashMap<u32, Key> = account_key.iter().map(|&(k, r)| (r, k)).collect();
        let mut key_of_credential = vec![NO_KEY; credentials.len()];
        for &(k, r) in &credential_key {
            key_of_credential[r as usize] = k;
        }
        let mut activity: Vec<(Key, i64, TextId)> = Vec::with_capacity(settled.credential_activity.len());
        for &(r, t) in &settled.account_activity {
            activity.push((key_of_account[&r], t, settled.accounts.text(account::SYSTEM, r as usize)));
        }
        for &(r, t) in &settled.credential_activity {
            activity.push((key_of_credential[r as usize], t, credentials.text(credential::SYSTEM, r as usize)));
            let latest = self.credential_used.entry(r).or_insert(t);
            *latest = t.max(*latest);
        }
        activity.retain(|a| register.identity_of(a.0).is_some());
        for &(key, t, system) in &activity {
            let systems = self.snapshot_latest.entry(key).or_default();
            match systems.iter_mut().find(|s| s.0 == system) {
                Some(latest) => latest.1 = t.max(latest.1),
                None => systems.push((system, t)),
            }
        }
        self.snapshot_activity = TimeIndex::build(register.identities.len(), activity.into_iter());
        self.credential_at = settled
            .credential_rows
            .iter()
            .map(|&r| {
                let row = r as usize;
                ((credentials.text(credential::SYSTEM, row), credentials.text(credential::CREDENTIAL_ID, row)), r)
            })
            .collect();
        self.accounts = RowIndex::build(account_key.into_iter());
        self.credentials = RowIndex::build(credential_key.into_iter());
    }

    fn tickets(&mut self) {
        let (tickets, texts) = (&self.settled.tickets, &self.settled.texts);
        let (mut by_key, mut by_text) = (Vec::new(), Vec::new());
        for &r in &self.settled.ticket_rows {
            let row = r as usize;
            self.ticket_at.insert(texts.folded(tickets.text(ticket::TICKET, row)), r);
            let subject = tickets.text(ticket::SUBJECT, row);
            if subject == EMPTY {
                continue;
            }
            self.subjects_on_tickets = true;
            let Some(at) = tickets.instant(ticket::DECIDED_AT, row) else { continue };
            if tickets.code(ticket::DECISION, row) == ticket::APPROVED && self.category_may_recover(row) {
                by_key.push((self.register.key(texts, subject, EMPTY), at, r));
                by_text.push((texts.folded(subject), at, r));
            }
        }
        self.approved_by_key = TimeIndex::build(self.register.identities.len(), by_key.into_iter());
        self.approved_by_text = TimeIndex::build(0, by_text.into_iter());
    }

    /// Of tickets matched by subject: the category, where the source reports it, must be one of recovery.
    fn category_may_recover(&self, row: usize) -> bool {
        let allowed = &self.policy.recovery_categories;
        if allowed.is_empty() || !self.settled.tickets.has(ticket::CATEGORY, row) {
            return true;
        }
        let texts = &self.settled.texts;
        let category = texts.get(texts.folded(self.settled.tickets.text(ticket::CATEGORY, row)));
        allowed.iter().any(|a| a == category)
    }

    fn population(&mut self, known: &[u32]) {
        let inside = |t: i64| self.config.since.is_none_or(|s| s <= t) && self.config.until.is_none_or(|u| t < u);
        let resets: Vec<u32> = known
            .iter()
            .copied()
            .filter(|&r| self.is_reset(r as usize) && !self.failed(r as usize) && inside(self.at(r as usize)))
            .collect();
        let (events, texts) = (&self.settled.events, &self.settled.texts);
        let mut pairs: Vec<(TextId, Key)> = resets
            .iter()
            .map(|&r| (texts.folded(events.text(event::TICKET, r as usize)), self.target_key[r as usize]))
            .filter(|p| p.0 != EMPTY)
            .collect();
        pairs.par_sort_unstable();
        pairs.dedup();
        for group in pairs.chunk_by(|a, b| a.0 == b.0) {
            self.ticket_targets.insert(group[0].0, group.len() as u32);
        }
        self.resets = resets;
    }

    /// Account rows of a key.
    pub fn accounts_of(&self, key: Key) -> impl Iterator<Item = usize> + '_ {
        self.accounts.of(key).map(|r| r as usize)
    }

    /// Credential rows of a key.
    pub fn credentials_of(&self, key: Key) -> impl Iterator<Item = usize> + '_ {
        self.credentials.of(key).map(|r| r as usize)
    }

    /// The inventory's row of a credential.
    pub fn credential(&self, system: TextId, id: TextId) -> Option<usize> {
        if id == EMPTY {
            return None;
        }
        self.credential_at.get(&(system, id)).map(|&r| r as usize)
    }

    /// The ticket of that folded id.
    pub fn ticket(&self, folded: TextId) -> Option<usize> {
        if folded == EMPTY {
            return None;
        }
        self.ticket_at.get(&folded).map(|&r| r as usize)
    }

    /// Distinct targets among the resets of the period under a ticket.
    pub fn targets_of_ticket(&self, folded: TextId) -> u32 {
        self.ticket_targets.get(&folded).copied().unwrap_or(0)
    }

    /// First revocation that an event names, not after `as_of`.
    pub fn revoked_by_event(&self, system: TextId, id: TextId) -> Option<i64> {
        self.revoked_by_event.get(&(system, id)).copied()
    }

    /// The first known revocation of an inventory row, not after `as_of`.
    pub fn revoked_at(&self, row: usize) -> Option<i64> {
        let c = &self.settled.credentials;
        let system = c.text(credential::SYSTEM, row);
        let mut first = c.instant(credential::REVOKED_AT, row).filter(|&t| t <= self.as_of);
        let mut earlier = |t: Option<i64>| first = [first, t].into_iter().flatten().min();
        earlier(self.revoked_by_event(system, c.text(credential::CREDENTIAL_ID, row)));
        if matches!(c.code(credential::KIND, row), credential::SESSION | credential::REFRESH_TOKEN) {
            let key = self.register.key(&self.settled.texts, c.text(credential::IDENTITY, row), system);
            let created = c.instant(credential::CREATED_AT, row);
            let all = self.sessions_revoked.get(&(key, system)).into_iter().flatten().copied();
            earlier(all.filter(|&t| created.is_none_or(|c| c < t)).min());
        }
        first
    }

    /// Revoked or expired at an unknown instant, not after `observed_at`.
    pub fn ended_unseen(&self, row: usize) -> bool {
        let c = &self.settled.credentials;
        match c.code(credential::STATUS_OF, row) {
            credential::REVOKED | credential::INACTIVE => {
                c.instant(credential::REVOKED_AT, row).is_none() && self.revoked_at(row).is_none()
            }
            credential::EXPIRED => c.instant(credential::EXPIRES_AT, row).is_none(),
            _ => false,
        }
    }

    /// Until when the inventory saw a credential.
    pub fn horizon(&self, row: usize) -> i64 {
        self.settled.credentials.instant(credential::OBSERVED_AT, row).unwrap_or(self.as_of)
    }

    /// May a snapshot of the identity's activity at or after `t` hide activity before it?
    pub fn snapshot_hides(&self, id: IdentityId, t: i64) -> bool {
        let limit = (self.policy.dormant_days * DAY as f64) as i64;
        self.snapshot_latest.get(&id).is_some_and(|systems| {
            systems
                .iter()
                .any(|&(system, latest)| latest >= t && self.first_sign_in.get(&system).is_none_or(|&f| f > t - limit))
        })
    }

    /// The approved recovery ticket of a target: the latest decided before `t`, else the earliest after, within the windows.
    pub fn ticket_by_subject(&self, row: usize) -> Option<usize> {
        if !self.subjects_on_tickets {
            return None;
        }
        let (events, texts) = (&self.settled.events, &self.settled.texts);
        let t = self.at(row);
        let target = (events.text(event::TARGET, row), events.text(event::SYSTEM, row));
        let from = t - (self.policy.approval_match_before_minutes * MINUTE as f64) as i64;
        let until = t + (self.policy.approval_match_after_minutes * MINUTE as f64) as i64;
        let tickets = &self.settled.tickets;
        let fits = |r: u32| {
            self.register.same(texts, (tickets.text(ticket::SUBJECT, r as usize), EMPTY), target) == Some(true)
        };
        let pools = [(&self.approved_by_key, self.target_key[row]), (&self.approved_by_text, texts.folded(target.0))];
        let id = |r: u32| texts.get(texts.folded(tickets.text(ticket::TICKET, r as usize)));
        let before = pools
            .iter()
            .flat_map(|(index, key)| index.between(*key, from, t + 1))
            .filter(|x| fits(x.1))
            .min_by(|a, b| b.0.cmp(&a.0).then_with(|| id(a.1).cmp(id(b.1))));
        let after = || {
            pools
                .iter()
                .flat_map(|(index, key)| index.between(*key, t + 1, until + 1))
                .filter(|x| fits(x.1))
                .min_by(|a, b| a.0.cmp(&b.0).then_with(|| id(a.1).cmp(id(b.1))))
        };
        before.or_else(after).map(|x| x.1 as usize)
    }

    /// What a name of the config leads to (no system).
    pub fn lookup_text(&self, name: &str) -> Known {
        let texts = &self.settled.texts;
        let folded = crate::text::fold(name);
        let known = |text: &str| self.register.lookup(texts, texts.find(text), EMPTY);
        match (known(&folded), folded.rfind('\\')) {
            (Known::Nobody, Some(at)) => known(folded[at + 1..].trim()),
            (found, _) => found,
        }
    }

    /// The row of a workload identity.
    pub fn workload_row(&self, id: IdentityId) -> Option<usize> {
        match self.register.identities[id as usize].kind {
            Kind::Workload(row) => Some(row as usize),
            Kind::Person(_) => None,
        }
    }

    /// The kind of an identity, as in `target_kind`.
    pub fn kind_of(&self, id: IdentityId) -> &'static str {
        match self.workload_row(id) {
            None => "human",
            Some(row) => match self.settled.workloads.code(workload::KIND, row) {
                workload::SHARED_MAILBOX | workload::SHARED_ACCOUNT => "shared",
                workload::BREAK_GLASS => "break-glass",
                _ => "workload",
            },
        }
    }
}

/// For each act the largest number of distinct things in any window `(t - width, t]` that ends at an act and contains it.
fn burst(acts: &[(Key, i64, u32)], width: i64, thing: impl Fn(u32) -> u32, out: &mut [u32]) {
    let mut counts: Vec<u32> = Vec::with_capacity(acts.len());
    let mut inside: HashMap<u32, u32> = HashMap::new();
    let mut low = 0;
    for act in acts {
        *inside.entry(thing(act.2)).or_default() += 1;
        while acts[low].1 <= act.1 - width {
            let gone = thing(acts[low].2);
            let left = inside.get_mut(&gone).expect("it was counted when it came in");
            *left -= 1;
            if *left == 0 {
                inside.remove(&gone);
            }
            low += 1;
        }
        counts.push(inside.len() as u32);
    }
    // The largest count among acts in [t, t + width), by a queue of falling counts.
    let mut queue: std::collections::VecDeque<usize> = std::collections::VecDeque::new();
    let mut next = 0;
    let mut first = 0;
    for i in 0..acts.len() {
        let t = acts[i].1;
        while next < acts.len() && acts[next].1 < t + width {
            while queue.back().is_some_and(|&b| counts[b] <= counts[next]) {
                queue.pop_back();
            }
            queue.push_back(next);
            next += 1;
        }
        // Acts of the same instant all belong.
        while acts[first].1 < t {
            first += 1;
        }
        while queue.front().is_some_and(|&f| f < first) {
            queue.pop_front();
        }
        out[acts[i].2 as usize] = queue.front().map_or(0, |&f| counts[f]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_of_a_burst_sees_the_whole_burst() {
        let acts: Vec<(Key, i64, u32)> =
            [0, 10, 10, 25, 100].iter().enumerate().map(|(i, &t)| (7, t, i as u32)).collect();
        let mut out = vec![0; 5];
        burst(&acts, 25, |r| r, &mut out);
        // (0, 25] has three acts of 10, 10, 25; (-15, 10] has three of 0, 10, 10.
        assert_eq!(out, [3, 3, 3, 3, 1]);
    }

    #[test]
    fn index_looks_both_ways() {
        for identities in [0, 2, 9] {
            let index = TimeIndex::build(identities, [(1, 5, 0), (1, 9, 1), (2, 1, 2)].into_iter());
            assert_eq!(index.before(1, 9), Some((5, 0)));
            assert_eq!(index.from(1, 9), Some((9, 1)));
            assert_eq!(index.before(1, 5), None);
            assert_eq!(index.from(1, 10), None);
            assert_eq!(index.before(2, 1), None);
            assert_eq!(index.before(0, 99), None);
            assert_eq!(index.from(5, 0), None);
        }
    }
}
