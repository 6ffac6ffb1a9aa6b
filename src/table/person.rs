//! `person`: HR roster, one row an employment period.

use super::{Type, columns};

/// What the roster says of an employment.
pub const STATUS: &[&str] = &["active", "leave", "terminated", "pending"];
/// Code of `leave`.
pub const LEAVE: u8 = 2;
/// Code of `terminated`.
pub const TERMINATED: u8 = 3;
/// Kinds of engagement.
pub const WORKER_TYPES: &[&str] = &["employee", "contractor", "vendor", "intern"];
/// Code of `contractor`.
pub const CONTRACTOR: u8 = 2;
/// Code of `vendor`.
pub const VENDOR: u8 = 3;
/// Tiers a roster can give.
pub const TIERS: &[&str] = &["standard", "executive", "privileged"];
/// Code of `executive`.
pub const EXECUTIVE: u8 = 2;
/// Code of `privileged`.
pub const PRIVILEGED: u8 = 3;

columns! {
    PERSON_ID "person_id" required Type::Alias, "the HR system's id";
    NAME "name" optional Type::Text, "display name; not an alias";
    EMAIL "email" optional Type::Alias, "work address";
    ALIASES "aliases" optional Type::List, "every other name of this person";
    STATUS_OF "status" optional Type::Enum(STATUS), "state of the employment";
    WORKER_TYPE "worker_type" optional Type::Enum(WORKER_TYPES), "kind of engagement";
    STARTED_ON "started_on" optional Type::On, "first day; missing means since ever";
    ENDED_ON "ended_on" optional Type::On, "last day worked";
    MANAGER "manager" optional Type::Alias, "whom this person reports to";
    DEPARTMENT "department" optional Type::Text, "where";
    TITLE "title" optional Type::Text, "as what";
    TIER "tier" optional Type::Enum(TIERS), "sensitivity by role";
}
