//! Facts about a credential of the inventory, judged at `as_of`.

use super::reset::{Owner, SENSITIVE, days, facts, hours, known, owner_of, word};
use super::standing::Standing;
use super::{CredentialCompute, Fact, Unit, World};
use crate::identity::{IdentityId, Key, Known};
use crate::table::credential;
use crate::text::{EMPTY, TextId};

/// One credential, with what several facts share.
pub struct CredentialSubject<'a> {
    /// The inputs.
    pub world: &'a World<'a>,
    /// Its inventory row.
    pub row: usize,
    /// Whose it is.
    pub identity: Option<IdentityId>,
    /// Does the name lead to two identities?
    pub ambiguous: bool,
    /// The holder's key.
    pub key: Key,
    /// See the fact.
    pub identity_kind: &'static str,
    /// See the fact.
    pub tier: Option<&'static str>,
    /// Was the holder offboarded at `as_of`, and when did it end?
    ended: (Option<bool>, Option<i64>),
    owner: Owner,
}

type S<'a> = CredentialSubject<'a>;

impl<'a> CredentialSubject<'a> {
    /// The credential of an inventory row.
    pub fn new(world: &'a World<'a>, row: usize) -> CredentialSubject<'a> {
        let c = &world.settled.credentials;
        let texts = &world.settled.texts;
        let (name, system) = (c.text(credential::IDENTITY, row), c.text(credential::SYSTEM, row));
        let key = world.holder_key[row];
        let identity = world.register.identity_of(key);
        let standing = identity.map(|id| &world.standing[id as usize]);
        CredentialSubject {
            world,
            row,
            identity,
            ambiguous: identity.is_none() && world.register.lookup(texts, name, system) == Known::Ambiguous,
            key,
            identity_kind: standing.map_or("unknown", Standing::kind),
            tier: standing.map(Standing::tier),
            ended: standing.map_or((None, None), Standing::ended),
            owner: owner(world, row, standing),
        }
    }

    fn text(&self, column: usize) -> TextId {
        self.world.settled.credentials.text(column, self.row)
    }

    fn instant(&self, column: usize) -> Option<i64> {
        self.world.settled.credentials.instant(column, self.row)
    }

    fn has(&self, column: usize) -> bool {
        self.world.settled.credentials.has(column, self.row)
    }

    fn owner_offboarded(&self) -> Option<bool> {
        self.world.standing[self.owner.1? as usize].ended().0
    }
}

/// The credential's owner, else the workload's.
fn owner(world: &World<'_>, row: usize, holder: Option<&Standing>) -> Owner {
    let c = &world.settled.credentials;
    let own = c.text(credential::OWNER, row);
    if own != EMPTY {
        return owner_of(world, own, true, c.text(credential::SYSTEM, row));
    }
    if let Some(owner) = holder.and_then(Standing::owner) {
        return owner;
    }
    owner_of(world, EMPTY, c.has(credential::OWNER, row), EMPTY)
}

fn active(s: &S<'_>) -> bool {
    let ended = matches!(
        s.world.settled.credentials.code(credential::STATUS_OF, s.row),
        credential::REVOKED | credential::INACTIVE | credential::EXPIRED
    );
    !(ended
        || s.world.revoked_at(s.row).is_some()
        || s.instant(credential::EXPIRES_AT).is_some_and(|t| t <= s.world.as_of))
}

fn days_unused(s: &S<'_>) -> Option<f64> {
    let used = s.world.used(s.row);
    let never = || s.has(credential::LAST_USED_AT).then(|| s.instant(credential::CREATED_AT)).flatten();
    used.or_else(never).map(|t| days(s.world.as_of - t))
}

facts! { CredentialCompute;
    "kind" Text None, "what it is", null "empty or not reported", |s| word(credential::KINDS, s.world.settled.credentials.code(credential::KIND, s.row));
    "system" Text None, "where it opens", null "never", |s| Some(s.world.settled.texts.name(s.text(credential::SYSTEM)));
    "privileged" Bool None, "does it give more than ordinary rights?", null "empty or not reported", |s| s.world.settled.credentials.bool(credential::PRIVILEGED, s.row);
    "active" Bool None, "neither revoked nor expired at `as_of`", null "never", |s| Some(active(s));
    "identity_known" Bool None, "does its holder resolve to an identity?", null "ambiguous, or a register was not supplied", |s| known(s.world, s.identity, s.ambiguous, "unknown");
    "identity_kind" Text None, "human, workload, shared, break-glass, or unknown when unresolved", null "never", |s| Some(s.identity_kind);
    "tier" Text None, "emergency, privileged, executive, workload, contractor or standard", null "holder unresolved", |s| s.tier;
    "sensitive" Bool None, "is the tier emergency, privileged, executive or workload?", null "tier not known", |s| s.tier.map(|t| SENSITIVE.contains(&t));
    "identity_offboarded" Bool None, "has the holder left, or the workload been retired?", null "holder unresolved, or terminated or retired without a date", |s| s.ended.0;
    "hours_since_offboarding" Number Hours, "time from that end to `as_of`", null "not offboarded", |s| s.ended.1.map(|end| hours(s.world.as_of - end));
    "owner_known" Bool None, "does its owner, else the workload's, resolve to a person?", null "owner not reported or ambiguous; no roster", |s| s.owner.0;
    "owner_offboarded" Bool None, "has that owner left?", null "owner not known", |s| s.owner_offboarded();
    "days_unused" Number Days, "time from its latest use, else from its creation when it was never used", null "not known", days_unused;
    "lifetime_days" Number Days, "life it was given", null "not known", |s| Some(days(s.instant(credential::EXPIRES_AT)? - s.instant(credential::CREATED_AT)?));
    "unlimited" Bool None, "has it no end?", null "not reported", |s| s.has(credential::EXPIRES_AT).then(|| s.instant(credential::EXPIRES_AT).is_none());
    "age_days" Number Days, "time from its creation to `as_of`", null "not known", |s| s.instant(credential::CREATED_AT).map(|t| days(s.world.as_of - t));
}
