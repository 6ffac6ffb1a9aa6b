//! `credential`: inventory, one row a credential, a dated snapshot.

use super::{Type, columns};

/// Kinds of credential.
pub const KINDS: &[&str] = &[
    "password",
    "session",
    "refresh-token",
    "app-password",
    "factor",
    "recovery-code",
    "api-key",
    "access-key",
    "token",
    "secret",
    "certificate",
    "ssh-key",
];
/// Kinds that a password reset or recovery replaces: codes up to this one, from 1.
pub const LAST_SIGN_IN_KIND: u8 = 4;
/// Code of `session`.
pub const SESSION: u8 = 2;
/// Code of `refresh-token`.
pub const REFRESH_TOKEN: u8 = 3;
/// Code of `factor`.
pub const FACTOR: u8 = 5;
/// Code of `recovery-code`.
pub const RECOVERY_CODE: u8 = 6;
/// Kinds that machines use: codes from this one on.
pub const FIRST_MACHINE_KIND: u8 = 7;
/// States of a credential.
pub const STATUS: &[&str] = &["active", "inactive", "revoked", "expired"];
/// Code of `inactive`.
pub const INACTIVE: u8 = 2;
/// Code of `revoked`.
pub const REVOKED: u8 = 3;
/// Code of `expired`.
pub const EXPIRED: u8 = 4;

columns! {
    CREDENTIAL_ID "credential_id" required Type::Text, "its id in the system";
    IDENTITY "identity" required Type::Alias, "whose it is";
    SYSTEM "system" required Type::Folded, "where it opens";
    KIND "kind" optional Type::Enum(KINDS), "what it is";
    STATUS_OF "status" optional Type::Enum(STATUS), "state when observed";
    OWNER "owner" optional Type::Alias, "the person answerable for it";
    PRIVILEGED "privileged" optional Type::Bool, "does it give more than ordinary rights?";
    CREATED_AT "created_at" optional Type::Instant, "when it was made";
    LAST_USED_AT "last_used_at" optional Type::Instant, "latest use; reported and empty means never used";
    EXPIRES_AT "expires_at" optional Type::Instant, "when it ends by itself; reported and empty means never";
    REVOKED_AT "revoked_at" optional Type::Instant, "when it was ended";
    OBSERVED_AT "observed_at" optional Type::Instant, "when the snapshot was taken";
}
