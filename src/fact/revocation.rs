//! What happened to the credentials that a reset replaced.

use smallvec::SmallVec;

use super::reset::{days, facts, minutes};
use super::{Fact, ResetCompute, ResetSubject, Unit};
use crate::table::{Table, credential, event};
use crate::text::EMPTY;
use crate::time::MINUTE;

/// A prior credential and what is known of its end, looked up once.
pub struct Prior {
    /// Its inventory row; null for one that the event names and the inventory lacks.
    row: Option<usize>,
    /// See [`World::revoked_at`]; of one that the inventory lacks, what an event says.
    revoked_at: Option<i64>,
    expires_at: Option<i64>,
    /// See [`World::ended_unseen`].
    ended_unseen: bool,
}

/// The prior credentials of a reset: one as a rule.
pub type Priors = SmallVec<[Prior; 1]>;

impl Prior {
    fn of(s: &S<'_>, row: Option<usize>) -> Prior {
        match row {
            Some(r) => {
                let revoked_at = s.world.revoked_at(r);
                Prior {
                    row,
                    revoked_at,
                    expires_at: s.world.settled.credentials.instant(credential::EXPIRES_AT, r),
                    ended_unseen: s.world.ended_unseen(r),
                }
            }
            None => Prior {
                row,
                revoked_at: s.world.revoked_by_event(s.system(), s.text(event::OLD_CREDENTIAL)),
                expires_at: None,
                ended_unseen: false,
            },
        }
    }

    /// When it ended, as far as that is known and not in the future.
    fn end(&self, as_of: i64) -> Option<i64> {
        [self.revoked_at, self.expires_at].into_iter().flatten().filter(|&t| t <= as_of).min()
    }
}

type S<'a> = ResetSubject<'a>;

fn new_credential(s: &S<'_>) -> Option<usize> {
    s.world.credential(s.system(), s.text(event::NEW_CREDENTIAL))
}

/// The prior credentials; null when not known.
fn prior<'s>(s: &'s S<'_>) -> Option<&'s [Prior]> {
    s.prior.get_or_init(|| find_prior(s)).as_deref()
}

fn find_prior(s: &S<'_>) -> Option<Priors> {
    let old = s.text(event::OLD_CREDENTIAL);
    if old != EMPTY {
        return Some(Priors::from_iter([Prior::of(s, s.world.credential(s.system(), old))]));
    }
    let last = credential::KINDS.len() as u8;
    let mut kinds = match s.code(event::ACTION) {
        event::PASSWORD_RESET | event::RECOVERY_ISSUED => 1..=credential::LAST_SIGN_IN_KIND,
        event::MFA_RESET => credential::FACTOR..=credential::RECOVERY_CODE,
        event::ACCOUNT_UNLOCKED | event::ACCOUNT_REACTIVATED => return Some(Priors::new()),
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
    let mut out = Priors::new();
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
        out.push(Prior::of(s, Some(row)));
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

fn unrevoked(s: &S<'_>, prior: &Prior) -> Option<bool> {
    let Some(row) = prior.row else { return prior.revoked_at.map(|_| false) };
    // Ended, perhaps late: that is another check's business.
    if prior.revoked_at.is_some() || prior.ended_unseen || prior.expires_at.is_some_and(|t| t <= s.world.as_of) {
        return Some(false);
    }
    (s.world.horizon(row) > sla_end(s)).then_some(true)
}

fn prior_unrevoked(s: &S<'_>) -> Option<f64> {
    let (mut alive, mut undecided) = (0u32, false);
    for p in prior(s)? {
        match unrevoked(s, p) {
            Some(true) => alive += 1,
            Some(false) => {}
            None => undecided = true,
        }
    }
    (alive > 0 || !undecided).then_some(f64::from(alive))
}

fn minutes_to_revoke(s: &S<'_>) -> Option<f64> {
    let mut last = None;
    for p in prior(s)? {
        if p.ended_unseen {
            return None;
        }
        last = last.max(p.end(s.world.as_of));
    }
    last.map(|t| minutes(t - s.at))
}

fn prior_used_after(s: &S<'_>) -> Option<f64> {
    let c = &s.world.settled.credentials;
    let (mut used, mut unsure) = (0, false);
    for p in prior(s)? {
        let Some(row) = p.row else {
            unsure = true;
            continue;
        };
        if s.world.used(row).is_some_and(|t| t > sla_end(s)) {
            used += 1;
        }
        unsure |= !c.has(credential::LAST_USED_AT, row) || s.world.horizon(row) <= sla_end(s);
    }
    if used == 0 && unsure { None } else { Some(f64::from(used)) }
}

/// How long each prior credential lived on after the reset, in minutes; null is "still alive" or not known, as said.
pub fn survivals(s: &S<'_>) -> Vec<Survival> {
    let one = |p: &Prior| match unrevoked(s, p) {
        Some(true) => Survival::Alive,
        None => Survival::Unknown,
        Some(false) => p.end(s.world.as_of).map_or(Survival::Unknown, |t| Survival::Minutes(minutes(t - s.at))),
    };
    prior(s).unwrap_or_default().iter().map(one).collect()
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
