//! `account`: directory export, one row an account in one system, a dated snapshot.

use super::{Type, columns};

/// States of an account.
pub const STATUS: &[&str] = &["enabled", "disabled", "locked", "deleted"];
/// Code of `disabled`.
pub const DISABLED: u8 = 2;
/// Code of `deleted`.
pub const DELETED: u8 = 4;

columns! {
    ACCOUNT "account" required Type::Alias, "its name in the system";
    SYSTEM "system" required Type::Folded, "the directory";
    IDENTITY "identity" optional Type::Alias, "its person or workload; when empty its own name is looked up";
    STATUS_OF "status" optional Type::Enum(STATUS), "state of the account";
    PRIVILEGED "privileged" optional Type::Bool, "has it more than ordinary rights?";
    CREATED_AT "created_at" optional Type::Instant, "when it was made";
    LAST_ACTIVE_AT "last_active_at" optional Type::Instant, "latest activity; reported and empty means never used";
    PASSWORD_CHANGED_AT "password_changed_at" optional Type::Instant, "when its password was last set";
    DISABLED_AT "disabled_at" optional Type::Instant, "when it was switched off";
    OBSERVED_AT "observed_at" optional Type::Instant, "when the snapshot was taken";
}
