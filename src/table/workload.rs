//! `workload`: register of non-human identities.

use super::{Type, columns};

/// Kinds of workload.
pub const KINDS: &[&str] =
    &["service-account", "bot", "agent", "application", "device", "shared-mailbox", "shared-account", "break-glass"];
/// Code of `shared-mailbox`.
pub const SHARED_MAILBOX: u8 = 6;
/// Code of `shared-account`.
pub const SHARED_ACCOUNT: u8 = 7;
/// Code of `break-glass`.
pub const BREAK_GLASS: u8 = 8;
/// States of a workload.
pub const STATUS: &[&str] = &["active", "retired"];
/// Code of `retired`.
pub const RETIRED: u8 = 2;

columns! {
    WORKLOAD_ID "workload_id" required Type::Alias, "the register's id";
    NAME "name" optional Type::Alias, "its name, an alias too";
    ALIASES "aliases" optional Type::List, "every other name of it";
    KIND "kind" optional Type::Enum(KINDS), "what it is";
    OWNER "owner" optional Type::Alias, "the person answerable for it";
    ENVIRONMENT "environment" optional Type::Text, "prod, test, …";
    PRIVILEGED "privileged" optional Type::Bool, "has it more than ordinary rights?";
    STATUS_OF "status" optional Type::Enum(STATUS), "in use or retired";
    RETIRED_ON "retired_on" optional Type::On, "last day of its life";
}
