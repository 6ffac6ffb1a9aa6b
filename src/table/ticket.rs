//! `ticket`: approvals.

use super::{Type, columns};

/// Decisions.
pub const DECISIONS: &[&str] = &["approved", "rejected", "pending"];
/// Code of `approved`.
pub const APPROVED: u8 = 1;
/// Code of `rejected`.
pub const REJECTED: u8 = 2;
/// Code of `pending`.
pub const PENDING: u8 = 3;

columns! {
    TICKET "ticket" required Type::Text, "its id; compared folded";
    SUBJECT "subject" optional Type::Alias, "whose access it is about";
    REQUESTER "requester" optional Type::Alias, "who asked";
    APPROVER "approver" optional Type::Alias, "who decided";
    DECISION "decision" optional Type::Enum(DECISIONS), "what was decided";
    DECIDED_AT "decided_at" optional Type::Instant, "when it was decided";
    CATEGORY "category" optional Type::Text, "what kind of request it is";
    OPENED_AT "opened_at" optional Type::Instant, "when it was opened";
    CLOSED_AT "closed_at" optional Type::Instant, "when it was closed";
    RECORD_ID "record_id" optional Type::Text, "the id of its record, by which approvals may name it instead";
}
