//! What an identity is at `as_of`, in two words of memory: it is asked for once a reset and once a credential, and among a
//! million identities each question is a look into memory that is far away.

use super::World;
use super::reset::{Owner, owner_of, tier_of};
use crate::identity::IdentityId;
use crate::rows::NULL;
use crate::table::workload;
use crate::text::EMPTY;

/// The kinds of [`World::kind_of`].
const KINDS: [&str; 4] = ["human", "workload", "shared", "break-glass"];
/// The values of the fact `tier`.
pub(super) const TIERS: [&str; 6] = ["emergency", "privileged", "executive", "workload", "contractor", "standard"];
/// Nobody.
const NONE: u32 = u32::MAX;

/// What an identity is at `as_of`.
#[derive(Clone, Copy)]
pub struct Standing {
    /// When it ended, [`NULL`] when it did not.
    end: i64,
    owner: u32,
    kind: u8,
    tier: u8,
    offboarded: Option<bool>,
    /// Null where it is no workload, or its row does not report an owner.
    owner_known: Option<Option<bool>>,
}

impl Standing {
    /// Of an identity of this world, whose register and privileges are known.
    pub fn of(world: &World<'_>, id: IdentityId) -> Standing {
        let kind = world.kind_of(id);
        let tier = tier_of(world, id, kind, world.as_of);
        let (offboarded, end) = world.register.offboarded(world.settled, id, world.as_of);
        let workload = world.workload_row(id);
        let rows = &world.settled.workloads;
        let owner = workload
            .filter(|row| rows.has(workload::OWNER, *row))
            .map(|row| owner_of(world, rows.text(workload::OWNER, row), true, EMPTY));
        let place = |words: &[&str], word: &str| {
            words.iter().position(|one| *one == word).expect("one of the words above") as u8
        };
        Standing {
            end: end.unwrap_or(NULL),
            owner: owner.and_then(|owner| owner.1).unwrap_or(NONE),
            kind: place(&KINDS, kind),
            tier: place(&TIERS, tier),
            offboarded,
            owner_known: owner.map(|owner| owner.0),
        }
    }

    /// As [`World::kind_of`].
    pub fn kind(&self) -> &'static str {
        KINDS[usize::from(self.kind)]
    }

    /// As the fact `tier`.
    pub fn tier(&self) -> &'static str {
        TIERS[usize::from(self.tier)]
    }

    /// As [`crate::identity::Register::offboarded`].
    pub fn ended(&self) -> (Option<bool>, Option<i64>) {
        (self.offboarded, (self.end != NULL).then_some(self.end))
    }

    /// The owner that its row names: is it known, and who. Null where it is no workload, or its row does not report one.
    pub fn owner(&self) -> Option<Owner> {
        Some((self.owner_known?, (self.owner != NONE).then_some(self.owner)))
    }
}
