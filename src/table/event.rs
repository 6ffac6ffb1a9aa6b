//! `event`: one record that concerns access.

use super::{Type, columns};

/// Actions that are access decisions and are audited.
pub const RESET_ACTIONS: usize = 7;
/// Reset actions first, then context actions.
pub const ACTIONS: &[&str] = &[
    "password-reset",
    "mfa-reset",
    "recovery-issued",
    "account-unlocked",
    "account-reactivated",
    "credential-issued",
    "credential-rotated",
    "password-changed",
    "credential-revoked",
    "sessions-revoked",
    "account-locked",
    "account-disabled",
    "account-deleted",
    "sign-in",
    "factor-enrolled",
    "recovery-contact-changed",
    "privilege-granted",
];
/// Set by someone else, or self-service recovery without the old password.
pub const PASSWORD_RESET: u8 = 1;
/// Factor removed, reset or bypassed.
pub const MFA_RESET: u8 = 2;
/// Recovery link, one-time code, temporary password or pass.
pub const RECOVERY_ISSUED: u8 = 3;
/// A lockout cleared.
pub const ACCOUNT_UNLOCKED: u8 = 4;
/// A disabled or deleted account comes back.
pub const ACCOUNT_REACTIVATED: u8 = 5;
/// A further key, secret, token or certificate for an existing identity.
pub const CREDENTIAL_ISSUED: u8 = 6;
/// A credential exchanged.
pub const CREDENTIAL_ROTATED: u8 = 7;
/// A credential ended.
pub const CREDENTIAL_REVOKED: u8 = 9;
/// All sessions of an identity ended.
pub const SESSIONS_REVOKED: u8 = 10;
/// Account switched off.
pub const ACCOUNT_DISABLED: u8 = 12;
/// Account removed.
pub const ACCOUNT_DELETED: u8 = 13;
/// Activity.
pub const SIGN_IN: u8 = 14;
/// Recovery address, number or question changed.
pub const RECOVERY_CONTACT_CHANGED: u8 = 16;
/// Role, group or right given.
pub const PRIVILEGE_GRANTED: u8 = 17;

/// `success`, `failure`, `unknown`.
pub const OUTCOMES: &[&str] = &["success", "failure", "unknown"];
/// Code of `success`.
pub const SUCCESS: u8 = 1;
/// Code of `failure`.
pub const FAILURE: u8 = 2;
/// Kinds of target; the last is `unknown`.
pub const KINDS: &[&str] = &["human", "workload", "shared", "break-glass", "unknown"];
/// Kinds of executor; the last is `unknown`.
pub const EXECUTOR_KINDS: &[&str] = &["self", "desk", "admin", "automation", "vendor", "unknown"];
/// How a recovery token travelled; the last is `unknown`.
pub const CHANNELS: &[&str] = &["email", "sms", "voice", "app", "desk", "postal", "unknown"];

columns! {
    EVENT_ID "event_id" optional Type::Text, "id in the source; without one it is derived from the record's content";
    CORRELATION_ID "correlation_id" optional Type::Text, "what the source gives to all records of one act";
    OCCURRED_AT "occurred_at" required Type::Instant, "when it was executed";
    SYSTEM "system" required Type::Folded, "where: okta, entra, ad:corp.example, aws:123456789012";
    ACTION "action" required Type::Enum(ACTIONS), "what was done";
    OUTCOME "outcome" optional Type::Enum(OUTCOMES), "empty or not reported is success in canonical files";
    TARGET "target" required Type::Alias, "whose access was restored or changed";
    TARGET_KIND "target_kind" optional Type::Enum(KINDS), "what the source says; the registers win";
    EXECUTOR "executor" optional Type::Alias, "who carried it out";
    EXECUTOR_KIND "executor_kind" optional Type::Enum(EXECUTOR_KINDS), "in which role";
    REQUESTER "requester" optional Type::Alias, "who asked";
    APPROVER "approver" optional Type::Alias, "who approved";
    APPROVED_AT "approved_at" optional Type::Instant, "when it was approved";
    TICKET "ticket" optional Type::Text, "under which ticket; compared folded";
    REASON "reason" optional Type::Text, "why";
    VERIFICATION "verification" optional Type::List, "methods with which the requester was verified";
    VERIFIED_AT "verified_at" optional Type::Instant, "when the requester was verified";
    TOKEN_CHANNEL "token_channel" optional Type::Enum(CHANNELS), "how a recovery link, one-time code or temporary password travelled";
    TOKEN_ISSUED_AT "token_issued_at" optional Type::Instant, "when the recovery token was issued";
    TOKEN_EXPIRES_AT "token_expires_at" optional Type::Instant, "when the recovery token ends";
    TOKEN_REDEEMED_AT "token_redeemed_at" optional Type::Instant, "when the recovery token was used";
    OLD_CREDENTIAL "old_credential" optional Type::Text, "the credential that was replaced";
    NEW_CREDENTIAL "new_credential" optional Type::Text, "the credential that was issued";
    RESTORED "restored" optional Type::List, "what was given back; `none` is an answer";
    NOTIFIED_AT "notified_at" optional Type::Instant, "when holder or owner was told, by a way other than the one recovered";
    EMERGENCY "emergency" optional Type::Bool, "declared break-glass use";
    SOURCE_IP "source_ip" optional Type::Text, "where it came from";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_positions() {
        for (code, name) in [
            (PASSWORD_RESET, "password-reset"),
            (CREDENTIAL_ROTATED, "credential-rotated"),
            (CREDENTIAL_REVOKED, "credential-revoked"),
            (SESSIONS_REVOKED, "sessions-revoked"),
            (ACCOUNT_DISABLED, "account-disabled"),
            (ACCOUNT_DELETED, "account-deleted"),
            (SIGN_IN, "sign-in"),
            (RECOVERY_CONTACT_CHANGED, "recovery-contact-changed"),
            (PRIVILEGE_GRANTED, "privilege-granted"),
        ] {
            assert_eq!(ACTIONS[code as usize - 1], name);
        }
        assert_eq!(ACTIONS[RESET_ACTIONS - 1], "credential-rotated");
    }
}
