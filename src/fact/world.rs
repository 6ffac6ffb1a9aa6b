//! Everything facts look at, indexed once: events by target and executor in time, activity, credentials, tickets.
//!
//! One sort each instead of self-joins; every look-up around a reset is then a binary search.

use std::cell::LazyCell;

use hashbrown::{HashMap, HashSet};
use rayon::prelude::*;

use super::coverage::Coverage;
use super::index::{Acts, RowIndex, TextIndex, TimeIndex};
use super::reset::{level_of, token_limits};
use super::standing::{Standing, TIERS};
use crate::config::{Config, Policy};
use crate::identity::{IdentityId, Key, Kind, Known, NO_KEY, Register};
use crate::instants::Instants;
use crate::rows::NULL;
use crate::settle::{SINCE_EVER, Settled};
use crate::table::{Table, account, credential, event, ticket, workload};
use crate::text::{EMPTY, TextId};
use crate::time::{Clock, DAY, HOUR, MINUTE};

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
    /// By event row, of resets whose target resolves: its latest activity before that sign-ins or snapshots show.
    last_active: Instants,
    /// Resets by target, until [`World::last_active`] is made of them.
    resets_by_target: TimeIndex,
    /// Sign-ins by target.
    pub sign_ins: TimeIndex,
    /// Instants that snapshots show as activity, by identity; the number is the system.
    pub snapshot_activity: TimeIndex,
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
    /// Credential rows by id.
    credential_at: TextIndex,
    revoked_by_event: HashMap<(TextId, TextId), i64>,
    sessions_revoked: HashMap<(Key, TextId), Vec<i64>>,
    /// Of credential rows that stand for several snapshots: latest activity that any of these shows.
    credential_used: HashMap<u32, i64>,
    /// By identity: does any account or credential of it say privileged?
    pub privileged: Vec<bool>,
    /// Ticket rows by folded id.
    ticket_at: TextIndex,
    /// Approved tickets by key of their subject, and by its folded text.
    approved_by_key: TimeIndex,
    approved_by_text: TimeIndex,
    /// Do tickets with a subject exist by which a reset can be found?
    pub subjects_on_tickets: bool,
    /// Folded ticket id → distinct targets among the resets of the period, where there are several.
    ticket_targets: HashMap<TextId, u32>,
    loaded: [bool; 6],
    /// Which time logs cover.
    pub coverage: Coverage,
    /// The wall clock of the organisation's zone.
    pub clock: Clock,
    /// By credential row.
    pub holder_key: Vec<Key>,
    /// By identity.
    pub standing: Vec<Standing>,
    /// By channel (its code) and tier: the longest life of a recovery token in minutes.
    pub(super) token_limits: Vec<[Option<f64>; TIERS.len()]>,
    /// By what a reset says of its verification: the highest level among the methods.
    pub(super) verification_levels: HashMap<TextId, f64>,
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
        let known: Vec<u32> = settled.event_rows.par_iter().copied().filter(|&r| at(r) <= as_of).collect();
        let keys = |column: usize| -> Vec<Key> {
            let mut keys = vec![NO_KEY; events.len()];
            let of =
                |r: u32| register.key(texts, events.text(column, r as usize), events.text(event::SYSTEM, r as usize));
            scatter(&known, &mut keys, of);
            keys
        };
        let (target_key, executor_key) = (keys(event::TARGET), keys(event::EXECUTOR));
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
            last_active: Instants::default(),
            resets_by_target: TimeIndex::default(),
            sign_ins: TimeIndex::default(),
            snapshot_activity: TimeIndex::default(),
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
            accounts: RowIndex::default(),
            credentials: RowIndex::default(),
            credential_at: TextIndex::default(),
            revoked_by_event: HashMap::new(),
            sessions_revoked: HashMap::new(),
            credential_used: HashMap::new(),
            privileged: Vec::new(),
            ticket_at: TextIndex::default(),
            approved_by_key: TimeIndex::default(),
            approved_by_text: TimeIndex::default(),
            subjects_on_tickets: false,
            ticket_targets: HashMap::new(),
            loaded,
            coverage: Coverage::default(),
            clock: Clock::new(config.zone(), as_of),
            holder_key: Vec::new(),
            standing: Vec::new(),
            token_limits: token_limits(&config.policy),
            verification_levels: HashMap::new(),
        };
        let ((held, coverage), ()) = rayon::join(
            || rayon::join(|| Held::of(settled, register), || Coverage::of(config, settled, as_of)),
            || {
                world.executors(&known);
                world.sequences(&known);
                world.tickets();
                world.population(&known);
            },
        );
        world.hold(held);
        world.last_active = world.activity_before();
        world.resets_by_target = TimeIndex::default();
        world.coverage = coverage;
        let methods = |r: &u32| events.text(event::VERIFICATION, *r as usize);
        for resets in world.resets.chunk_by(|a, b| methods(a) == methods(b)) {
            let said = methods(&resets[0]);
            world.verification_levels.entry(said).or_insert_with(|| level_of(&config.policy, texts, said));
        }
        world.standing =
            (0..register.identities.len() as IdentityId).into_par_iter().map(|id| Standing::of(&world, id)).collect();
        world
    }

    fn executors(&mut self, known: &[u32]) {
        let events = &self.settled.events;
        let texts = &self.settled.texts;
        let mut kinds = vec![0; events.len()];
        scatter(known, &mut kinds, |r| self.derive_executor_kind(r as usize));
        let mut own = vec![0; events.len()];
        scatter(known, &mut own, |r| {
            let row = r as usize;
            let (executor, target) = (events.text(event::EXECUTOR, row), events.text(event::TARGET, row));
            let (a, b) = (self.executor_key[row], self.target_key[row]);
            // As `Register::same`, from keys that are there already.
            let same = match (self.register.identity_of(a), self.register.identity_of(b)) {
                _ if executor == EMPTY || target == EMPTY => false,
                (Some(a), Some(b)) => a == b,
                _ => texts.folded(executor) == texts.folded(target),
            };
            three(if kinds[row] == 1 || same {
                Some(true)
            } else if executor == EMPTY && kinds[row] == 0 {
                None
            } else {
                Some(false)
            })
        });
        (self.executor_kind, self.self_service) = (kinds, own);
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
            Kind::Person(_) => {
                let texts = &self.settled.texts;
                let stint = self.register.speaking(id, self.at(row));
                let department = stint.map_or(EMPTY, |s| s.period(self.settled).department);
                let folded = texts.get_folded(department);
                let desk = !folded.is_empty() && self.policy.desk_departments.iter().any(|d| *d == folded);
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
        let this = &*self;
        let at = |key: &[Key], r: u32| (key[r as usize], (this.at(r as usize), r));
        let by_target = |rows: &[u32], keep: &(dyn Fn(u32) -> bool + Sync)| {
            let kept: Vec<u32> = rows.iter().copied().filter(|&r| keep(r)).collect();
            TimeIndex::build(names, kept.iter().map(|&r| at(&this.target_key, r)))
        };
        let succeeded: Vec<u32> = known.par_iter().copied().filter(|&r| !this.failed(r as usize)).collect();
        let resets: Vec<u32> = succeeded.par_iter().copied().filter(|&r| this.is_reset(r as usize)).collect();
        let by_others = |r: u32| this.self_service(r as usize) == Some(false);
        let by_hand = |r: u32| !this.automated(r as usize);
        let switch =
            |r: u32| matches!(action(r), event::ACCOUNT_DISABLED | event::ACCOUNT_DELETED | event::ACCOUNT_REACTIVATED);
        let password = |r: u32| matches!(action(r), event::PASSWORD_RESET | event::RECOVERY_ISSUED) && by_others(r);
        let refused = |r: u32| {
            let row = r as usize;
            this.is_reset(row)
                && this.failed(row)
                && this.self_service(row) != Some(true)
                && events.text(event::EXECUTOR, row) != EMPTY
        };
        let others = |r: u32| this.executor_key[r as usize] != this.target_key[r as usize];
        let led = |r: u32| this.self_service(r as usize) != Some(true) && by_hand(r);
        let by_executor = |keep: &(dyn Fn(u32) -> bool + Sync)| {
            let kept: Vec<u32> = resets.iter().copied().filter(|&r| keep(r)).collect();
            TimeIndex::build(names, kept.iter().map(|&r| at(&this.executor_key, r)))
        };
        let bulk = (self.policy.bulk_window_minutes * MINUTE as f64) as i64;
        let repeat = (self.policy.repeat_window_hours * HOUR as f64) as i64;
        let mut out = Sequences::default();
        rayon::scope(|s| {
            let Sequences {
                resets_by_target,
                sign_ins,
                switches,
                reactivations,
                grants,
                contact_changes,
                password_side,
                factor_side,
                denied,
                acts_on_others,
                executor_burst,
                target_burst,
            } = &mut out;
            let (succeeded, resets) = (&succeeded, &resets);
            let (by_target, by_executor) = (&by_target, &by_executor);
            s.spawn(move |_| {
                *executor_burst = bursts(&by_executor(&led), bulk, events.len(), |r| this.target_key[r as usize]);
            });
            s.spawn(move |_| *target_burst = bursts(&by_target(resets, &by_hand), repeat, events.len(), |r| r));
            s.spawn(move |_| *resets_by_target = by_target(resets, &|_| true));
            s.spawn(move |_| *acts_on_others = by_executor(&others));
            s.spawn(move |_| *password_side = by_target(resets, &password));
            s.spawn(move |_| *factor_side = by_target(resets, &|r| action(r) == event::MFA_RESET && by_others(r)));
            s.spawn(move |_| *sign_ins = by_target(succeeded, &|r| action(r) == event::SIGN_IN));
            s.spawn(move |_| *switches = by_target(succeeded, &switch));
            s.spawn(move |_| *reactivations = by_target(succeeded, &|r| action(r) == event::ACCOUNT_REACTIVATED));
            s.spawn(move |_| *grants = by_target(succeeded, &|r| action(r) == event::PRIVILEGE_GRANTED));
            s.spawn(move |_| {
                *contact_changes = by_target(succeeded, &|r| action(r) == event::RECOVERY_CONTACT_CHANGED);
            });
            s.spawn(move |_| *denied = by_target(known, &refused));
        });
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
        self.resets_by_target = out.resets_by_target;
        self.sign_ins = out.sign_ins;
        self.switches = out.switches;
        self.reactivations = out.reactivations;
        self.grants = out.grants;
        self.contact_changes = out.contact_changes;
        self.password_side = out.password_side;
        self.factor_side = out.factor_side;
        self.denied = out.denied;
        self.acts_on_others = out.acts_on_others;
        self.executor_burst = out.executor_burst;
        self.target_burst = out.target_burst;
        self.shown = shown;
        self.shown_in = shown_in;
        self.first_sign_in = first_sign_in;
        self.revoked_by_event = revoked_by_event;
        self.sessions_revoked = sessions_revoked;
    }

    /// One walk through the resets and the activity of each identity, instead of a search for each reset.
    fn activity_before(&self) -> Instants {
        const IDENTITIES: usize = 4096;
        let n = self.register.identities.len();
        let parts: Vec<Vec<(u32, i64)>> = (0..n.div_ceil(IDENTITIES))
            .into_par_iter()
            .map(|part| {
                let mut out = Vec::new();
                for id in part * IDENTITIES..n.min((part + 1) * IDENTITIES) {
                    let resets = self.resets_by_target.of(id as Key);
                    if resets.is_empty() {
                        continue;
                    }
                    let mut feeds =
                        [&self.sign_ins, &self.snapshot_activity].map(|index| index.of(id as Key).iter().peekable());
                    let mut latest = NULL;
                    for (at, row) in resets.iter() {
                        for feed in &mut feeds {
                            while let Some((t, _)) = feed.next_if(|entry| entry.0 < at) {
                                latest = latest.max(t);
                            }
                        }
                        out.push((row, latest));
                    }
                }
                out
            })
            .collect();
        let mut latest = Instants::none(self.settled.events.len());
        for (row, t) in parts.into_iter().flatten() {
            latest.set(row as usize, t);
        }
        latest
    }

    /// The latest activity of a reset's target before it, as sign-ins and snapshots show it; null when none, or when the
    /// target does not resolve.
    pub fn last_active(&self, row: usize) -> Option<i64> {
        self.last_active.get(row)
    }

    fn hold(&mut self, held: Held) {
        self.privileged = held.privileged;
        self.credential_used = held.credential_used;
        self.holder_key = held.holder_key;
        self.snapshot_activity = held.snapshot_activity;
        self.credential_at = held.credential_at;
        self.accounts = held.accounts;
        self.credentials = held.credentials;
    }

    fn tickets(&mut self) {
        let (tickets, texts) = (&self.settled.tickets, &self.settled.texts);
        let id = |&r: &u32| (texts.folded(tickets.text(ticket::TICKET, r as usize)), r);
        self.ticket_at = TextIndex::build(texts.slots(), self.settled.ticket_rows.iter().map(id));
        let (mut by_key, mut by_text) = (Vec::new(), Vec::new());
        let events = &self.settled.events;
        let target = |&r: &u32| texts.folded(events.text(event::TARGET, r as usize));
        let targets = LazyCell::new(|| self.settled.event_rows.iter().map(target).collect::<HashSet<_>>());
        for &r in &self.settled.ticket_rows {
            let row = r as usize;
            let subject = tickets.text(ticket::SUBJECT, row);
            if subject == EMPTY {
                continue;
            }
            if !self.subjects_on_tickets {
                self.subjects_on_tickets = self.may_match(row, &targets);
            }
            let Some(at) = tickets.instant(ticket::DECIDED_AT, row) else { continue };
            if tickets.code(ticket::DECISION, row) == ticket::APPROVED && self.category_may_recover(row) {
                by_key.push((self.register.key(texts, subject, EMPTY), (at, r)));
                by_text.push((texts.folded(subject), (at, r)));
            }
        }
        self.approved_by_key = TimeIndex::build(self.register.identities.len(), by_key.iter().copied());
        self.approved_by_text = TimeIndex::build(0, by_text.iter().copied());
    }

    /// Could a reset be found by this ticket's subject? A canonical table is written for it. A vendor's export may name people
    /// as nobody else does, or say nothing of decisions: no reset lacks an approval because of such a file.
    fn may_match(&self, row: usize, targets: &LazyCell<HashSet<TextId>, impl FnOnce() -> HashSet<TextId>>) -> bool {
        let (tickets, texts) = (&self.settled.tickets, &self.settled.texts);
        let subject = tickets.text(ticket::SUBJECT, row);
        self.settled.inputs[tickets.file(row) as usize].mapping == "canonical"
            || tickets.has(ticket::DECIDED_AT, row)
                && (self.register.lookup(texts, subject, EMPTY) != Known::Nobody
                    || targets.contains(&texts.folded(subject)))
    }

    /// Of tickets matched by subject: the category, where the source reports it, must be one of recovery.
    fn category_may_recover(&self, row: usize) -> bool {
        let allowed = &self.policy.recovery_categories;
        if allowed.is_empty() || !self.settled.tickets.has(ticket::CATEGORY, row) {
            return true;
        }
        let texts = &self.settled.texts;
        let category = texts.get_folded(self.settled.tickets.text(ticket::CATEGORY, row));
        allowed.iter().any(|a| *a == category)
    }

    fn population(&mut self, known: &[u32]) {
        let inside = |t: i64| self.config.since.is_none_or(|s| s <= t) && self.config.until.is_none_or(|u| t < u);
        let resets: Vec<u32> = known
            .par_iter()
            .copied()
            .filter(|&r| self.is_reset(r as usize) && !self.failed(r as usize) && inside(self.at(r as usize)))
            .collect();
        let (events, texts) = (&self.settled.events, &self.settled.texts);
        let mut pairs: Vec<(TextId, Key)> = resets
            .par_iter()
            .map(|&r| (texts.folded(events.text(event::TICKET, r as usize)), self.target_key[r as usize]))
            .filter(|p| p.0 != EMPTY)
            .collect();
        pairs.par_sort_unstable();
        pairs.dedup();
        for group in pairs.chunk_by(|a, b| a.0 == b.0).filter(|g| g.len() > 1) {
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
        let rows = &self.settled.credentials;
        self.credential_at.get(id, |r| rows.text(credential::SYSTEM, r as usize) == system).map(|r| r as usize)
    }

    /// The ticket of that folded id.
    pub fn ticket(&self, folded: TextId) -> Option<usize> {
        if folded == EMPTY {
            return None;
        }
        self.ticket_at.get(folded, |_| true).map(|r| r as usize)
    }

    /// Distinct targets among the resets of the period under the ticket of one of them.
    pub fn targets_of_ticket(&self, folded: TextId) -> u32 {
        self.ticket_targets.get(&folded).copied().unwrap_or(1)
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
            let key = self.holder_key[row];
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

    /// The latest use of a credential that any of its snapshots shows.
    pub fn used(&self, row: usize) -> Option<i64> {
        let joined = if self.credential_used.is_empty() { None } else { self.credential_used.get(&(row as u32)) };
        joined.copied().or_else(|| self.settled.credentials.instant(credential::LAST_USED_AT, row))
    }

    /// Until when the inventory saw a credential.
    pub fn horizon(&self, row: usize) -> i64 {
        self.settled.credentials.instant(credential::OBSERVED_AT, row).unwrap_or(self.as_of)
    }

    /// May a snapshot of the identity's activity at or after `t` hide activity before it?
    pub fn snapshot_hides(&self, id: IdentityId, t: i64) -> bool {
        let limit = (self.policy.dormant_days * DAY as f64) as i64;
        let hides = |system: TextId| self.first_sign_in.get(&system).is_none_or(|&f| f > t - limit);
        self.snapshot_activity.since(id, t).any(|(_, system)| hides(system))
    }

    /// How far back from `t` activity of the identity can be told in spite of the snapshots at or after `t`, in microseconds:
    /// as far as the sign-ins of each of their systems reach, negative where one has none. Null: no snapshot hides anything.
    pub fn activity_reach(&self, id: IdentityId, t: i64) -> Option<i64> {
        let reach = |system: TextId| self.first_sign_in.get(&system).map_or(-DAY, |&first| t - first);
        self.snapshot_activity.since(id, t).map(|(_, system)| reach(system)).min()
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
        let id = |r: u32| texts.get_folded(tickets.text(ticket::TICKET, r as usize));
        let before = pools
            .iter()
            .flat_map(|(index, key)| index.between(*key, from, t + 1))
            .filter(|x| fits(x.1))
            .min_by(|a, b| b.0.cmp(&a.0).then_with(|| id(a.1).cmp(&id(b.1))));
        let after = || {
            pools
                .iter()
                .flat_map(|(index, key)| index.between(*key, t + 1, until + 1))
                .filter(|x| fits(x.1))
                .min_by(|a, b| a.0.cmp(&b.0).then_with(|| id(a.1).cmp(&id(b.1))))
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

/// What [`World`] knows of accounts and credentials, indexed beside the events.
#[derive(Default)]
struct Held {
    privileged: Vec<bool>,
    credential_used: HashMap<u32, i64>,
    holder_key: Vec<Key>,
    snapshot_activity: TimeIndex,
    credential_at: TextIndex,
    accounts: RowIndex,
    credentials: RowIndex,
}

impl Held {
    fn of(settled: &Settled, register: &Register) -> Held {
        let texts = &settled.texts;
        let mut held = Held { privileged: vec![false; register.identities.len()], ..Held::default() };
        let folded = |t: TextId| register.identities.len() as u32 + texts.folded(t);
        let account_key: Vec<(Key, u32)> = settled
            .account_rows
            .iter()
            .zip(&register.account_identity)
            .map(|(&r, id)| (id.unwrap_or_else(|| folded(settled.accounts.text(account::ACCOUNT, r as usize))), r))
            .collect();
        let credentials = &settled.credentials;
        let mut key_of_credential = vec![NO_KEY; credentials.len()];
        scatter(&settled.credential_rows, &mut key_of_credential, |r| {
            let row = r as usize;
            let system = credentials.text(credential::SYSTEM, row);
            register.key(texts, credentials.text(credential::IDENTITY, row), system)
        });
        let mut flag = |key: Key, privileged: Option<bool>| {
            if privileged == Some(true)
                && let Some(id) = register.identity_of(key)
            {
                held.privileged[id as usize] = true;
            }
        };
        for &(key, r) in &account_key {
            flag(key, settled.accounts.bool(account::PRIVILEGED, r as usize));
        }
        for &r in &settled.credential_rows {
            flag(key_of_credential[r as usize], credentials.bool(credential::PRIVILEGED, r as usize));
        }
        for &(r, t) in settled.credential_activity.joined() {
            held.credential_used.entry(r).and_modify(|used| *used = t.max(*used)).or_insert(t);
        }
        let key_of_account: HashMap<u32, Key> = account_key.iter().map(|&(k, r)| (r, k)).collect();
        let names = register.identities.len();
        held.holder_key = key_of_credential;
        let of_credential = &held.holder_key;
        rayon::scope(|s| {
            let (by_id, accounts, credentials_of) =
                (&mut held.credential_at, &mut held.accounts, &mut held.credentials);
            let snapshots = &mut held.snapshot_activity;
            s.spawn(move |_| {
                let of_accounts = settled.account_activity.each(&settled.accounts, &settled.account_rows);
                let of_accounts = of_accounts
                    .map(|(r, t)| (key_of_account[&r], (t, settled.accounts.text(account::SYSTEM, r as usize))));
                let of_credentials = settled.credential_activity.each(credentials, &settled.credential_rows);
                let of_credentials = of_credentials
                    .map(|(r, t)| (of_credential[r as usize], (t, credentials.text(credential::SYSTEM, r as usize))));
                let resolves = |entry: &(Key, _)| register.identity_of(entry.0).is_some();
                *snapshots = TimeIndex::build(names, of_accounts.chain(of_credentials).filter(resolves));
            });
            s.spawn(move |_| {
                let id = |&r: &u32| (credentials.text(credential::CREDENTIAL_ID, r as usize), r);
                *by_id = TextIndex::build(texts.slots(), settled.credential_rows.iter().map(id));
            });
            s.spawn(move |_| *accounts = RowIndex::build(names, account_key.iter().copied()));
            s.spawn(move |_| {
                let keyed = settled.credential_rows.iter().map(|&r| (of_credential[r as usize], r));
                *credentials_of = RowIndex::build(names, keyed);
            });
        });
        held
    }
}

/// What [`World::sequences`] computes side by side.
#[derive(Default)]
struct Sequences {
    resets_by_target: TimeIndex,
    sign_ins: TimeIndex,
    switches: TimeIndex,
    reactivations: TimeIndex,
    grants: TimeIndex,
    contact_changes: TimeIndex,
    password_side: TimeIndex,
    factor_side: TimeIndex,
    denied: TimeIndex,
    acts_on_others: TimeIndex,
    executor_burst: Vec<u32>,
    target_burst: Vec<u32>,
}

/// Computes a value for each row that is listed, in parallel, and puts it into its place.
fn scatter<T: Copy + Send + Sync>(rows: &[u32], out: &mut [T], value: impl Fn(u32) -> T + Sync) {
    if rows.len() == out.len() {
        // Every row stands, so that they are listed in order.
        out.par_iter_mut().enumerate().for_each(|(i, place)| *place = value(i as u32));
        return;
    }
    let values: Vec<T> = rows.par_iter().map(|&r| value(r)).collect();
    for (&r, value) in rows.iter().zip(values) {
        out[r as usize] = value;
    }
}

/// By row: for each act the largest number of distinct things in any window that holds it.
fn bursts(acts: &TimeIndex, width: i64, rows: usize, thing: impl Fn(u32) -> u32 + Sync) -> Vec<u32> {
    let groups: Vec<Acts<'_>> = acts.groups().collect();
    let count = |group: &Acts<'_>| burst(&group.iter().collect::<Vec<_>>(), width, &thing);
    let counts: Vec<Vec<u32>> = groups.par_iter().with_min_len(64).map(count).collect();
    let mut out = vec![0; rows];
    for (group, counts) in groups.into_iter().zip(counts) {
        for (act, count) in group.iter().zip(counts) {
            out[act.1 as usize] = count;
        }
    }
    out
}

/// For each act the largest number of distinct things in any window `(t - width, t]` that ends at an act and contains it.
fn burst(acts: &[(i64, u32)], width: i64, thing: impl Fn(u32) -> u32) -> Vec<u32> {
    if let [_] = acts {
        return vec![1];
    }
    let mut counts: Vec<u32> = Vec::with_capacity(acts.len());
    let mut inside: HashMap<u32, u32> = HashMap::new();
    let mut low = 0;
    for act in acts {
        *inside.entry(thing(act.1)).or_default() += 1;
        while acts[low].0 <= act.0 - width {
            let gone = thing(acts[low].1);
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
    let mut out = Vec::with_capacity(acts.len());
    for act in acts {
        let t = act.0;
        while next < acts.len() && acts[next].0 < t + width {
            while queue.back().is_some_and(|&b| counts[b] <= counts[next]) {
                queue.pop_back();
            }
            queue.push_back(next);
            next += 1;
        }
        // Acts of the same instant all belong.
        while acts[first].0 < t {
            first += 1;
        }
        while queue.front().is_some_and(|&f| f < first) {
            queue.pop_front();
        }
        out.push(queue.front().map_or(0, |&f| counts[f]));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_of_a_burst_sees_the_whole_burst() {
        let acts: Vec<(i64, u32)> = [0, 10, 10, 25, 100].iter().enumerate().map(|(i, &t)| (t, i as u32)).collect();
        // (0, 25] has three acts of 10, 10, 25; (-15, 10] has three of 0, 10, 10.
        assert_eq!(burst(&acts, 25, |r| r), [3, 3, 3, 3, 1]);
    }
}
