//! `event`: one record that concerns access.

use super::{Type, columns};

/// Actions that are access decisions and are audited.
pub const RESET_ACTIONS: usize = 7;
/// Actions that facts of the audit look at; those after them are read by `hunt` alone.
pub const AUDITED_ACTIONS: usize = 17;
/// Reset actions first, then context actions, then those of the trail that only a hunt follows.
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
    "device-registered",
    "federation-changed",
    "mail-forwarding-set",
    "application-consented",
    "recovery-codes-viewed",
    "recovery-code-used",
    "policy-weakened",
    "privileged-action",
    "holder-notified",
    "use-reviewed",
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
/// A factor that its holder can use from now on.
pub const FACTOR_ENROLLED: u8 = 15;
/// Recovery address, number or question changed.
pub const RECOVERY_CONTACT_CHANGED: u8 = 16;
/// Role, group or right given.
pub const PRIVILEGE_GRANTED: u8 = 17;
/// A device joined or registered.
pub const DEVICE_REGISTERED: u8 = 18;
/// Who may vouch for sign-ins: an identity provider or a federated domain added or changed.
pub const FEDERATION_CHANGED: u8 = 19;
/// Mail of the target goes elsewhere, or is hidden by a rule.
pub const MAIL_FORWARDING_SET: u8 = 20;
/// An application was given rights by consent.
pub const APPLICATION_CONSENTED: u8 = 21;
/// Recovery codes shown, downloaded or made anew.
pub const RECOVERY_CODES_VIEWED: u8 = 22;
/// A sign-in by recovery code.
pub const RECOVERY_CODE_USED: u8 = 23;
/// A rule that protects sign-ins was switched off or made weaker.
pub const POLICY_WEAKENED: u8 = 24;
/// Something only administrators do that is none of the above.
pub const PRIVILEGED_ACTION: u8 = 25;
/// The holder was told of a change.
pub const HOLDER_NOTIFIED: u8 = 26;
/// Somebody looked at what an emergency access was used for.
pub const USE_REVIEWED: u8 = 27;

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
    DEVICE "device" optional Type::Text, "device that it was done with, or that was registered; hunt";
    SESSION "session" optional Type::Text, "session or sign-in that it belongs to; hunt";
    USER_AGENT "user_agent" optional Type::Text, "program that it was done with, as it names itself; hunt";
    CONTACT "contact" optional Type::Text, "phone number or address that was enrolled or changed; hunt";
    OBJECT "object" optional Type::Text, "what was granted or changed: role, group, kind of factor, application, forwarding address; hunt";
}

/// The first column that only a hunt reads; the audit takes those from here on for unknown ones.
pub const FIRST_OF_TRAIL: usize = DEVICE;

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
            (FACTOR_ENROLLED, "factor-enrolled"),
            (DEVICE_REGISTERED, "device-registered"),
            (FEDERATION_CHANGED, "federation-changed"),
            (MAIL_FORWARDING_SET, "mail-forwarding-set"),
            (APPLICATION_CONSENTED, "application-consented"),
            (RECOVERY_CODES_VIEWED, "recovery-codes-viewed"),
            (RECOVERY_CODE_USED, "recovery-code-used"),
            (POLICY_WEAKENED, "policy-weakened"),
            (PRIVILEGED_ACTION, "privileged-action"),
            (HOLDER_NOTIFIED, "holder-notified"),
            (USE_REVIEWED, "use-reviewed"),
        ] {
            assert_eq!(ACTIONS[code as usize - 1], name);
        }
        assert_eq!(ACTIONS[RESET_ACTIONS - 1], "credential-rotated");
        assert_eq!(ACTIONS[AUDITED_ACTIONS - 1], "privilege-granted");
        assert_eq!(COLUMNS[FIRST_OF_TRAIL - 1].name, "source_ip");
    }

    #[test]
    fn a_mask_of_columns_has_a_bit_for_each() {
        assert!(COLUMNS.len() <= u32::BITS as usize);
    }
}
