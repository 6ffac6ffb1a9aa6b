//! What happened to the credentials that a reset replaced.

use super::reset::{days, facts, minutes};
use super::{Fact, ResetCompute, ResetSubject, Unit};
use crate::table::{Table, credential, event};
use crate::text::EMPTY;
use crate::time::MINUTE;

/// A prior credential: its inventory row, or null for one that the event names and the inventory lacks.
pub type Prior = Option<usize>;

type S<'a> = ResetSubject<'a>;

fn new_credential(s: &S<'_>) -> Option<usize> {
    s.world.credential(s.system(), s.text(event::NEW_CREDENTIAL))
}

/// The prior credentials; null when not known.
fn prior<'s>(s: &'s S<'_>) -> Option<&'s [Prior]> {
    s.prior.get_or_init(|| find_prior(s)).as_deref()
}

fn find_prior(s: &S<'_>) -> Option<Vec<Prior>> {
    let old = s.text(event::OLD_CREDENTIAL);
    if old != EMPTY {
        return Some(vec![s.world.credential(s.system(), old)]);
    }
    let last = credential::KINDS.len() as u8;
    let mut kinds = match s.code(event::ACTION) {
        event::PASSWORD_RESET | event::RECOVERY_ISSUED => 1..=credential::LAST_SIGN_IN_KIND,
        event::MFA_RESET => credential::FACTOR..=credential::RECOVERY_CODE,
        event::ACCOUNT_UNLOCKED | event::ACCOUNT_REACTIVATED => return Some(Vec::new()),
        _ => credential::FIRST_MACHINE_KIND..=last,
    };
    if !s.world.has(Table::Credential) || s.identity.is_none() {
        return None;
    }
    let c = &s.world.settled.credentials;
    let machine = *kinds.start() == credential::FIRST_MACHINE_KIND;
    if let Some(new) = new_credential(s).filter(|_| machine)
        && c.code(credential::KIND, new) != 0
    {
        let kind = c.code(credential::KIND, new);
        kinds = kind..=kind;
    }
    let mut out = Vec::new();
    for row in s.world.credentials_of(s.key) {
        if c.text(credential::SYSTEM, row) != s.system()
            || !kinds.contains(&c.code(credential::KIND, row))
            || c.text(credential::CREDENTIAL_ID, row) == s.text(event::NEW_CREDENTIAL)
            || c.instant(credential::CREATED_AT, row).is_some_and(|t| t >= s.at)
            || s.world.revoked_at(row).is_some_and(|t| t < s.at)
            || c.instant(credential::EXPIRES_AT, row).is_some_and(|t| t < s.at)
            || s.world.ended_unseen(row) && c.instant(credential::OBSERVED_AT, row).is_some_and(|t| t <= s.at)
        {
            continue;
        }
        out.push(Some(row));
    }
    Some(out)
}

fn sla_minutes(s: &S<'_>) -> f64 {
    let policy = s.world.policy;
    match (s.code(event::ACTION), s.target_kind) {
        (event::CREDENTIAL_ISSUED, _) => policy.revocation_issued,
        (_, "workload" | "shared") => policy.revocation_workload,
        _ => policy.revocation_human,
    }
}

fn sla_end(s: &S<'_>) -> i64 {
    s.at + (sla_minutes(s) * MINUTE as f64) as i64
}

fn expiry(s: &S<'_>, row: usize) -> Option<i64> {
    s.world.settled.credentials.instant(credential::EXPIRES_AT, row)
}

/// A named credential that is not in the inventory: a revocation event may name it.
fn missing_revoked_at(s: &S<'_>) -> Option<i64> {
    s.world.revoked_by_event(s.system(), s.text(event::OLD_CREDENTIAL))
}

fn unrevoked(s: &S<'_>, prior: Prior) -> Option<bool> {
    let Some(row) = prior else { return missing_revoked_at(s).map(|_| false) };
    // Ended, perhaps late: that is another check's business.
    if s.world.revoked_at(row).is_some()
        || s.world.ended_unseen(row)
        || expiry(s, row).is_some_and(|t| t <= s.world.as_of)
    {
        return Some(false);
    }
    (s.world.horizon(row) > sla_end(s)).then_some(true)
}

fn prior_unrevoked(s: &S<'_>) -> Option<f64> {
    let all: Vec<_> = prior(s)?.iter().map(|&p| unrevoked(s, p)).collect();
    match all.iter().filter(|u| **u == Some(true)).count() {
        0 if all.contains(&None) => None,
        n => Some(n as f64),
    }
}

fn minutes_to_revoke(s: &S<'_>) -> Option<f64> {
    let mut last = None;
    for &p in prior(s)? {
        let ends = match p {
            Some(row) if s.world.ended_unseen(row) => return None,
            Some(row) => [s.world.revoked_at(row), expiry(s, row)],
            None => [missing_revoked_at(s), None],
        };
        last = last.max(ends.into_iter().flatten().filter(|&t| t <= s.world.as_of).min());
    }
    last.map(|t| minutes(t - s.at))
}

fn prior_used_after(s: &S<'_>) -> Option<f64> {
    let c = &s.world.settled.credentials;
    let (mut used, mut unsure) = (0, false);
    for &p in prior(s)? {
        let Some(row) = p else {
            unsure = true;
            continue;
        };
        if s.world.credential_used.get(&(row as u32)).is_some_and(|&t| t > sla_end(s)) {
            used += 1;
        }
        unsure |= !c.has(credential::LAST_USED_AT, row) || s.world.horizon(row) <= sla_end(s);
    }
    if used == 0 && unsure { None } else { Some(f64::from(used)) }
}

/// How long each prior credential lived on after the reset, in minutes; null is "still alive" or not known, as said.
pub fn survivals(s: &S<'_>) -> Vec<Survival> {
    let one = |p: Prior| match unrevoked(s, p) {
        Some(true) => Survival::Alive,
        None => Survival::Unknown,
        Some(false) => {
            let ends = match p {
                Some(row) => [s.world.revoked_at(row), expiry(s, row)],
                None => [missing_revoked_at(s), None],
            };
            let end = ends.into_iter().flatten().filter(|&t| t <= s.world.as_of).min();
            end.map_or(Survival::Unknown, |t| Survival::Minutes(minutes(t - s.at)))
        }
    };
    prior(s).unwrap_or_default().iter().map(|&p| one(p)).collect()
}

/// What became of a prior credential.
pub enum Survival {
    /// It ended that many minutes after the reset.
    Minutes(f64),
    /// It lived on past its time.
    Alive,
    /// The data cannot tell.
    Unknown,
}

facts! { ResetCompute;
    "revocation_sla_minutes" Number Minutes, "time that the policy gives the prior credentials to end", null "never", |s| Some(sla_minutes(s));
    "prior_credentials" Number Count, "credentials that this reset replaced", null "no inventory or target unresolved, and none named",
        |s| prior(s).map(|p| p.len() as f64);
    "prior_unrevoked" Number Count, "of them, those that neither were revoked nor expired and were seen alive after their time", null "as prior_credentials; or none is certain and one is undecided", prior_unrevoked;
    "minutes_to_revoke" Number Minutes, "time from the reset to the end of the last prior credential that ended", null "none ended; or one ended at an unknown instant", minutes_to_revoke;
    "prior_used_after" Number Count, "of them, those used after their time", null "as prior_credentials; or none was and the inventory cannot tell of one", prior_used_after;
    "new_credential_unlimited" Bool None, "has the new credential no end?", null "not named; not in the inventory; end not reported",
        |s| {
            let c = &s.world.settled.credentials;
            let row = new_credential(s)?;
            c.has(credential::EXPIRES_AT, row).then(|| c.instant(credential::EXPIRES_AT, row).is_none())
        };
    "new_credential_days" Number Days, "life of the new credential", null "not known",
        |s| {
            let c = &s.world.settled.credentials;
            let row = new_credential(s)?;
            Some(days(c.instant(credential::EXPIRES_AT, row)? - c.instant(credential::CREATED_AT, row)?))
        };
}
