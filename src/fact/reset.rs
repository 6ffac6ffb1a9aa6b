//! A reset and who is concerned: eligibility, verification, recovery tokens.

use std::cell::OnceCell;

use chrono_tz::Tz;

use super::coverage::reaches;
use super::revocation::Priors;
use super::standing::{Standing, TIERS};
use super::{Fact, ResetCompute, Unit, World};
use crate::config::Policy;
use crate::identity::{IdentityId, Key, Known, Stint};
use crate::settle::Period;
use crate::table::{Table, account, event, person, workload};
use crate::text::{LIST_SEPARATOR, TextId, Texts};
use crate::time::{self, DAY, HOUR, MINUTE};

/// One reset of the period, with what several facts share.
pub struct ResetSubject<'a> {
    /// The inputs.
    pub world: &'a World<'a>,
    /// Its event row.
    pub row: usize,
    /// T, when it was executed.
    pub at: i64,
    /// The target's identity.
    pub identity: Option<IdentityId>,
    /// Does the target's name lead to two identities?
    pub ambiguous: bool,
    /// The target's key.
    pub key: Key,
    /// See the fact.
    pub target_kind: &'static str,
    /// See the fact.
    pub tier: Option<&'static str>,
    /// See the fact.
    pub self_service: Option<bool>,
    /// See the fact.
    pub automated: bool,
    /// The stint that speaks for the target at T; null for all but people.
    speaks: Option<&'a Stint>,
    /// Was the target offboarded at T, and when did it end?
    ended: (Option<bool>, Option<i64>),
    /// The workload's owner: is it known, and who.
    owner: Owner,
    /// The ticket that the event names, if it is in the ticket table.
    pub(super) named_ticket: Option<usize>,
    /// The fact `days_inactive`, which charts ask for again.
    inactive: OnceCell<Option<f64>>,
    pub(super) prior: OnceCell<Option<Priors>>,
    pub(super) approval: OnceCell<super::record::Approval>,
}

/// Tiers whose resets need more care.
pub const SENSITIVE: [&str; 4] = ["emergency", "privileged", "executive", "workload"];

/// The tier of an identity at `t`, the first that holds.
pub fn tier_of(world: &World<'_>, id: IdentityId, kind: &str, t: i64) -> &'static str {
    tier_by(world, id, kind, world.register.speaking(id, t))
}

/// The same of an identity for which `period` speaks.
fn tier_by(world: &World<'_>, id: IdentityId, kind: &str, period: Option<&Stint>) -> &'static str {
    if kind == "break-glass" {
        return "emergency";
    }
    let workload = world.workload_row(id);
    if period.is_some_and(|p| p.tier == person::PRIVILEGED)
        || workload.is_some_and(|r| world.settled.workloads.bool(workload::PRIVILEGED, r) == Some(true))
        || world.privileged[id as usize]
    {
        return "privileged";
    }
    if period.is_some_and(|p| p.tier == person::EXECUTIVE) {
        return "executive";
    }
    if kind == "workload" || kind == "shared" {
        return "workload";
    }
    let contractor = |p: &Stint| matches!(p.worker_type, person::CONTRACTOR | person::VENDOR);
    if period.is_some_and(contractor) { "contractor" } else { "standard" }
}

/// Does an owner's name resolve to a person, and to whom? Null when not reported, ambiguous, or no person is loaded.
pub type Owner = (Option<bool>, Option<IdentityId>);

/// The owner of that name.
pub fn owner_of(world: &World<'_>, owner: TextId, reported: bool, system: TextId) -> Owner {
    if !reported || !world.has(Table::Person) {
        return (None, None);
    }
    match world.register.lookup(&world.settled.texts, owner, system) {
        Known::Ambiguous => (None, None),
        Known::One(id) if world.workload_row(id).is_none() => (Some(true), Some(id)),
        _ => (Some(false), None),
    }
}

/// Does the name lead to an identity? Null where a register that could hold it is missing.
pub fn known(world: &World<'_>, id: Option<IdentityId>, ambiguous: bool, kind: &str) -> Option<bool> {
    let needed: &[Table] = match kind {
        "human" => &[Table::Person],
        "unknown" => &[Table::Person, Table::Workload],
        _ => &[Table::Workload],
    };
    match id {
        Some(_) => Some(true),
        None if ambiguous || !needed.iter().all(|t| world.has(*t)) => None,
        None => Some(false),
    }
}

impl<'a> ResetSubject<'a> {
    /// The reset of an event row.
    pub fn new(world: &'a World<'a>, row: usize) -> ResetSubject<'a> {
        let events = &world.settled.events;
        let key = world.target_key[row];
        let identity = world.register.identity_of(key);
        let system = events.text(event::SYSTEM, row);
        let ambiguous = identity.is_none()
            && world.register.lookup(&world.settled.texts, events.text(event::TARGET, row), system) == Known::Ambiguous;
        let standing = identity.map(|id| &world.standing[id as usize]);
        let target_kind = match standing {
            Some(s) => s.kind(),
            None => word(event::KINDS, events.code(event::TARGET_KIND, row)).unwrap_or("unknown"),
        };
        let at = world.at(row);
        let emergency = events.bool(event::EMERGENCY, row) == Some(true);
        let speaks = identity.and_then(|id| world.register.speaking(id, at));
        let tier = match identity {
            _ if emergency => Some("emergency"),
            Some(id) if !world.register.unchanging(id) => Some(tier_by(world, id, target_kind, speaks)),
            Some(_) => standing.map(Standing::tier),
            None => None,
        };
        let owner = match standing {
            Some(s) if matches!(target_kind, "workload" | "shared") => s.owner().unwrap_or((None, None)),
            _ => (None, None),
        };
        ResetSubject {
            world,
            row,
            at,
            identity,
            ambiguous,
            key,
            target_kind,
            tier,
            speaks,
            ended: identity.map_or((None, None), |id| world.register.offboarded(world.settled, id, at)),
            named_ticket: world.ticket(world.settled.texts.folded(events.text(event::TICKET, row))),
            self_service: world.self_service(row),
            automated: world.automated(row),
            owner,
            inactive: OnceCell::new(),
            prior: OnceCell::new(),
            approval: OnceCell::new(),
        }
    }

    pub(super) fn text(&self, column: usize) -> TextId {
        self.world.settled.events.text(column, self.row)
    }

    pub(super) fn instant(&self, column: usize) -> Option<i64> {
        self.world.settled.events.instant(column, self.row)
    }

    pub(super) fn code(&self, column: usize) -> u8 {
        self.world.settled.events.code(column, self.row)
    }

    pub(super) fn has(&self, column: usize) -> bool {
        self.world.settled.events.has(column, self.row)
    }

    /// Not empty; null when not reported.
    pub(super) fn given(&self, column: usize) -> Option<bool> {
        self.has(column).then(|| !self.world.settled.events.is_null(column, self.row))
    }

    /// The event's system.
    pub fn system(&self) -> TextId {
        self.text(event::SYSTEM)
    }

    /// A name of the event, with its system.
    pub(super) fn name(&self, column: usize) -> (TextId, TextId) {
        (self.text(column), self.system())
    }

    pub(super) fn folded(&self, text: TextId) -> std::borrow::Cow<'_, str> {
        self.world.settled.texts.get_folded(text)
    }

    /// The period that speaks for the target at T.
    pub(super) fn speaking(&self) -> Option<&'a Period> {
        Some(self.speaks?.period(self.world.settled))
    }

    /// (was it offboarded, when did it end)
    pub(super) fn offboarded(&self, id: Option<IdentityId>, t: i64) -> (Option<bool>, Option<i64>) {
        id.map_or((None, None), |id| self.world.register.offboarded(self.world.settled, id, t))
    }

    fn tier_or_standard(&self) -> &'static str {
        self.tier.unwrap_or("standard")
    }
}

/// The word of an enum code; null for 0.
pub fn word(names: &'static [&'static str], code: u8) -> Option<&'static str> {
    (code != 0).then(|| names[code as usize - 1])
}

pub(super) fn minutes(us: i64) -> f64 {
    us as f64 / MINUTE as f64
}
pub(super) fn hours(us: i64) -> f64 {
    us as f64 / HOUR as f64
}
pub(super) fn days(us: i64) -> f64 {
    us as f64 / DAY as f64
}

type S<'a> = ResetSubject<'a>;

fn target_on_leave(s: &S<'_>) -> Option<bool> {
    let until = s.at + (s.world.policy.roster_freshness_days * DAY as f64) as i64;
    if s.speaks?.never_on_leave {
        return (s.at <= s.world.as_of && s.world.as_of <= until).then_some(false);
    }
    let speaks = s.speaking()?;
    let zone: Tz = s.world.config.zone();
    let dated =
        speaks.statuses.iter().map(|(date, status)| (date.map_or(s.world.as_of, |d| time::midnight(d, zone)), *status));
    // The first roster at or after the reset; of one instant the first that was read.
    let first = dated.filter(|(at, _)| s.at <= *at && *at <= until).min_by_key(|x| x.0)?;
    let covered = s.identity.is_some_and(|id| s.world.register.covering(id, s.at).is_some());
    Some(covered && first.1 == person::LEAVE)
}

fn target_contractor(s: &S<'_>) -> Option<bool> {
    let stint = s.speaks?;
    stint.has_worker_type.then_some(matches!(stint.worker_type, person::CONTRACTOR | person::VENDOR))
}

fn engagement_open_ended(s: &S<'_>) -> Option<bool> {
    let stint = s.speaks.filter(|_| target_contractor(s) == Some(true))?;
    stint.has_ended_on.then_some(stint.is_open())
}

fn account_disabled(s: &S<'_>) -> Option<bool> {
    let world = s.world;
    let here = |row: u32| world.settled.events.text(event::SYSTEM, row as usize) == s.system();
    if let Some((_, row)) = world.switches.back_from(s.key, s.at).find(|x| here(x.1)) {
        return Some(world.settled.events.code(event::ACTION, row as usize) != event::ACCOUNT_REACTIVATED);
    }
    let accounts = &world.settled.accounts;
    let mut answer = None;
    for row in world.accounts_of(s.key).filter(|&r| accounts.text(account::SYSTEM, r) == s.system()) {
        let off = matches!(accounts.code(account::STATUS_OF, row), account::DISABLED | account::DELETED);
        let this = if off { accounts.instant(account::DISABLED_AT, row).map(|t| t <= s.at) } else { Some(false) };
        answer = Some(match (answer, this) {
            (Some(Some(true)), _) | (_, Some(true)) => Some(true),
            (Some(None), _) | (_, None) => None,
            _ => Some(false),
        });
    }
    answer.flatten()
}

fn days_inactive(s: &S<'_>) -> Option<f64> {
    *s.inactive.get_or_init(|| find_inactive(s))
}

/// Days since the latest activity that is seen, whether or not a later snapshot may hide some; null: unresolved, or none seen.
pub(crate) fn days_inactive_seen(s: &S<'_>) -> Option<f64> {
    s.identity?;
    Some(days(s.at - s.world.last_active(s.row)?))
}

/// The largest `:dormant_days` under which [`days_inactive_seen`] holds although it is exceeded; null: under any.
pub(crate) fn days_inactive_sure(s: &S<'_>) -> Option<f64> {
    let shown = s.world.activity_reach(s.identity?, s.at).map(days);
    let logged = if by_sign_in(s) { super::coverage::sign_ins_reach(s).map(days) } else { None };
    [shown, logged].into_iter().flatten().reduce(f64::min)
}

/// Is the latest activity one that a log of sign-ins shows?
fn by_sign_in(s: &S<'_>) -> bool {
    let latest = s.world.last_active(s.row);
    latest.is_some() && s.world.sign_ins.before(s.key, s.at).map(|x| x.0) == latest
}

fn find_inactive(s: &S<'_>) -> Option<f64> {
    let id = s.identity?;
    let inactive = days_inactive_seen(s)?;
    // A log of sign-ins that ended long before, or is silent in between, would make everybody dormant.
    if inactive > s.world.policy.dormant_days && by_sign_in(s) && !reaches("days_inactive", s) {
        return None;
    }
    (inactive <= s.world.policy.dormant_days || !s.world.snapshot_hides(id, s.at)).then_some(inactive)
}

fn verification_level(s: &S<'_>) -> Option<f64> {
    if !s.has(event::VERIFICATION) {
        return None;
    }
    let said = s.text(event::VERIFICATION);
    let known = s.world.verification_levels.get(&said).copied();
    // A hunt asks of resets outside of the period as well.
    Some(known.unwrap_or_else(|| level_of(s.world.policy, &s.world.settled.texts, said)))
}

/// The highest level of the methods that a text lists.
pub(super) fn level_of(policy: &Policy, texts: &Texts, methods: TextId) -> f64 {
    let said = texts.get_folded(methods);
    let levels = said.split(LIST_SEPARATOR).map(|method| policy.levels.get(method).copied().unwrap_or(0.0));
    levels.fold(0.0, f64::max)
}

fn token_issued(s: &S<'_>) -> Option<bool> {
    if s.code(event::ACTION) == event::RECOVERY_ISSUED
        || s.instant(event::TOKEN_ISSUED_AT).is_some()
        || s.instant(event::TOKEN_EXPIRES_AT).is_some()
    {
        return Some(true);
    }
    (s.has(event::TOKEN_ISSUED_AT) || s.has(event::TOKEN_EXPIRES_AT)).then_some(false)
}

fn token_ttl_minutes(s: &S<'_>) -> Option<f64> {
    let stand_in = (s.code(event::ACTION) == event::RECOVERY_ISSUED).then_some(s.at);
    let issued = s.instant(event::TOKEN_ISSUED_AT).or(stand_in)?;
    Some(minutes(s.instant(event::TOKEN_EXPIRES_AT)? - issued))
}

fn token_limit_minutes(s: &S<'_>) -> Option<f64> {
    let tier = TIERS.iter().position(|tier| *tier == s.tier_or_standard())?;
    s.world.token_limits[usize::from(s.code(event::TOKEN_CHANNEL))][tier]
}

/// The longest life of a token by channel (its code, 0 where it is not known) and tier.
pub(super) fn token_limits(policy: &Policy) -> Vec<[Option<f64>; TIERS.len()]> {
    let of = |channel: &str, tier: &str| {
        let by_channel = policy.channel_minutes.get(channel).copied()?;
        if channel == "postal" {
            return Some(by_channel);
        }
        Some(by_channel.min(policy.tier_minutes.get(tier).copied()?))
    };
    std::iter::once("unknown")
        .chain(event::CHANNELS.iter().copied())
        .map(|channel| TIERS.map(|tier| of(channel, tier)))
        .collect()
}

macro_rules! facts {
    ($compute:ident; $($name:literal $kind:ident $unit:ident, $doc:literal, null $null:literal, $f:expr;)*) => {
        /// The facts of this family.
        pub static FACTS: &[Fact<$compute>] = &[
            $(Fact { name: $name, unit: Unit::$unit, doc: $doc, null: $null, compute: $compute::$kind($f) }),*
        ];
    };
}
pub(super) use facts;

facts! { ResetCompute;
    "action" Text None, "what was done", null "never", |s| word(event::ACTIONS, s.code(event::ACTION));
    "system" Text None, "where", null "never", |s| Some(s.world.settled.texts.name(s.system()));
    "emergency" Bool None, "declared break-glass use; empty is no", null "not reported",
        |s| s.has(event::EMERGENCY).then(|| s.world.settled.events.bool(event::EMERGENCY, s.row) == Some(true));
    "executor_kind" Text None, "in which role it was carried out: the event's word, else from the registers", null "not reported and not resolved",
        |s| word(event::EXECUTOR_KINDS, s.world.executor_kind[s.row]);
    "target_known" Bool None, "does the target resolve to an identity?", null "ambiguous, or the register that could hold it was not supplied",
        |s| known(s.world, s.identity, s.ambiguous, word(event::KINDS, s.code(event::TARGET_KIND)).unwrap_or("unknown"));
    "target_kind" Text None, "human, workload, shared, break-glass or unknown; the registers win", null "never", |s| Some(s.target_kind);
    "tier" Text None, "emergency, privileged, executive, workload, contractor or standard", null "target unresolved", |s| s.tier;
    "sensitive" Bool None, "is the tier emergency, privileged, executive or workload?", null "tier not known",
        |s| s.tier.map(|t| SENSITIVE.contains(&t));
    "self_service" Bool None, "did the holder do it without anybody else?", null "no executor, and no executor kind", |s| s.self_service;
    "automated" Bool None, "was it carried out by automation?", null "never", |s| Some(s.automated);
    "executor_given" Bool None, "does the record say who carried it out?", null "not reported", |s| s.given(event::EXECUTOR);
    "reason_given" Bool None, "does the record give a reason?", null "not reported", |s| s.given(event::REASON);
    "ticket_given" Bool None, "does the record name a ticket?", null "not reported", |s| s.given(event::TICKET);
    "restored_given" Bool None, "does the record say what was given back? `none` is an answer", null "not reported", |s| s.given(event::RESTORED);
    "outcome_reported" Bool None, "does the source report outcomes, so that a refusal would be seen?", null "never", |s| Some(s.has(event::OUTCOME));
    "target_offboarded" Bool None, "had the person left, or the workload been retired, at the reset?", null "target unresolved, or terminated or retired without a date",
        |s| s.ended.0;
    "hours_since_offboarding" Number Hours, "time from the end of the last period to the reset", null "not offboarded",
        |s| s.ended.1.map(|end| hours(s.at - end));
    "target_on_leave" Bool None, "does the first roster at or after the reset say `leave`?", null "no person; status not reported; no roster soon enough after the reset", target_on_leave;
    "target_contractor" Bool None, "is the person a contractor or vendor?", null "no person; worker type not reported", target_contractor;
    "engagement_open_ended" Bool None, "has the engagement no end date?", null "no contractor; end date not reported", engagement_open_ended;
    "account_disabled" Bool None, "was the target's account in this system disabled or deleted just before?", null "neither an event nor an account row says; or it does without an instant", account_disabled;
    "days_inactive" Number Days, "time from the target's latest activity to the reset", null "unresolved; no activity known; or a later snapshot, or a log of sign-ins that does not reach as far, hides it", days_inactive;
    "owner_known" Bool None, "does the workload's owner resolve to a person?", null "no workload; owner not reported or ambiguous; no roster", |s| s.owner.0;
    "owner_offboarded" Bool None, "had the owner left at the reset?", null "owner not known", |s| s.offboarded(s.owner.1, s.at).0;
    "executor_offboarded" Bool None, "had the executor left at the reset?", null "executor unresolved",
        |s| s.offboarded(s.world.register.identity_of(s.world.executor_key[s.row]), s.at).0;
    "verification_level" Number Level, "highest level of the methods used; an unmapped method is 0", null "not reported", verification_level;
    "required_level" Number Level, "level that the policy asks of the tier", null "never", |s| s.world.policy.required.get(s.tier_or_standard()).copied();
    "verification_age_minutes" Number Minutes, "time from the verification to the reset; negative: verified afterwards", null "not known",
        |s| s.instant(event::VERIFIED_AT).map(|t| minutes(s.at - t));
    "token_issued" Bool None, "was a recovery link, one-time code or temporary password issued?", null "nothing about tokens is reported, and the action is another", token_issued;
    "token_expiry_given" Bool None, "does the record say when the token ends?", null "not reported", |s| s.given(event::TOKEN_EXPIRES_AT);
    "token_redeemed" Bool None, "was the token used?", null "not reported", |s| s.given(event::TOKEN_REDEEMED_AT);
    "token_ttl_minutes" Number Minutes, "life of the token", null "not known", token_ttl_minutes;
    "token_limit_minutes" Number Minutes, "the smaller of the channel's and the tier's limit; for post the channel's", null "never", token_limit_minutes;
    "token_redeemed_late_minutes" Number Minutes, "time from the token's end to its use; negative: used in time", null "either is unknown",
        |s| Some(minutes(s.instant(event::TOKEN_REDEEMED_AT)? - s.instant(event::TOKEN_EXPIRES_AT)?));
}
