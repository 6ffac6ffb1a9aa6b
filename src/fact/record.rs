//! Who approved, under which ticket, and what the record says: approval, ticket, notification.

use super::reset::{facts, minutes};
use super::{Fact, ResetCompute, ResetSubject, Unit};
use crate::identity::{Key, Kind, Known};
use crate::table::{Table, event, ticket, workload};
use crate::text::{EMPTY, TextId};

type S<'a> = ResetSubject<'a>;

/// The approval that belongs to a reset.
pub struct Approval {
    /// `event`, `ticket` or `ticket-by-subject`; null when no approval was found.
    pub source: Option<&'static str>,
    /// The ticket of the reset.
    pub ticket: Option<usize>,
    /// Who approved, with the system the name counts in.
    approver: (TextId, TextId),
    approver_is: Known,
    at: Option<i64>,
}

/// The approval of a reset, found once.
pub fn approval<'s>(s: &'s S<'_>) -> &'s Approval {
    s.approval.get_or_init(|| {
        let named = s.has(event::TICKET);
        let ticket = if named { s.named_ticket } else { s.world.ticket_by_subject(s.row) };
        let tickets = &s.world.settled.tickets;
        let says =
            |r: usize| tickets.text(ticket::APPROVER, r) != EMPTY || tickets.instant(ticket::DECIDED_AT, r).is_some();
        let source = if s.text(event::APPROVER) != EMPTY || s.instant(event::APPROVED_AT).is_some() {
            Some("event")
        } else if ticket.is_some_and(says) {
            Some(if named { "ticket" } else { "ticket-by-subject" })
        } else {
            None
        };
        let approver = own_or_ticket(s, ticket, event::APPROVER, ticket::APPROVER);
        Approval {
            source,
            ticket,
            approver,
            approver_is: s.world.register.lookup(&s.world.settled.texts, approver.0, approver.1),
            at: s.instant(event::APPROVED_AT).or_else(|| tickets.instant(ticket::DECIDED_AT, ticket?)),
        }
    })
}

/// The event's name in `own`, else its ticket's in `other`, with the system it counts in.
fn own_or_ticket(s: &S<'_>, ticket: Option<usize>, own: usize, other: usize) -> (TextId, TextId) {
    if s.text(own) != EMPTY {
        return s.name(own);
    }
    (ticket.map_or(EMPTY, |r| s.world.settled.tickets.text(other, r)), EMPTY)
}

/// The approver that counts.
pub fn approver(s: &S<'_>) -> (TextId, TextId) {
    approval(s).approver
}

/// The ticket that counts, as text; [`EMPTY`] when none.
pub fn ticket_text(s: &S<'_>) -> TextId {
    match s.text(event::TICKET) {
        EMPTY => approval(s).ticket.map_or(EMPTY, |r| s.world.settled.tickets.text(ticket::TICKET, r)),
        own => own,
    }
}

fn requester(s: &S<'_>) -> (TextId, TextId) {
    own_or_ticket(s, approval(s).ticket, event::REQUESTER, ticket::REQUESTER)
}

fn approved_at(s: &S<'_>) -> Option<i64> {
    approval(s).at
}

fn decision(s: &S<'_>) -> u8 {
    approval(s).ticket.map_or(0, |r| s.world.settled.tickets.code(ticket::DECISION, r))
}

fn same(s: &S<'_>, a: (TextId, TextId), b: (TextId, TextId)) -> Option<bool> {
    s.world.register.same(&s.world.settled.texts, a, b)
}

/// Is the approver the one whose name stands in `column` of the event, and whose key is known?
fn approver_is(s: &S<'_>, column: usize, key: Key) -> Option<bool> {
    let (name, other) = (approval(s).approver, s.name(column));
    if name.0 == EMPTY || other.0 == EMPTY {
        return None;
    }
    s.world.register.same_known(
        &s.world.settled.texts,
        (name.0, approval(s).approver_is.one()),
        (other.0, s.world.register.identity_of(key)),
    )
}

fn approval_required(s: &S<'_>) -> Option<bool> {
    let policy = s.world.policy;
    if s.self_service == Some(true) && !policy.approval_self_service || s.automated && !policy.approval_automation {
        return Some(false);
    }
    (s.self_service.is_some() || s.automated).then_some(true)
}

fn approval_reported(s: &S<'_>) -> bool {
    s.has(event::APPROVER)
        || s.has(event::APPROVED_AT)
        || s.has(event::TICKET) && s.world.has(Table::Ticket)
        || s.world.subjects_on_tickets
}

fn approval_present(s: &S<'_>) -> Option<bool> {
    if !approval_reported(s) {
        return None;
    }
    // A pending ticket is still to be decided.
    if approval(s).source != Some("event") && decision(s) == ticket::PENDING {
        return Some(false);
    }
    Some(approver(s).0 != EMPTY || approved_at(s).is_some())
}

fn approval_decision<'s>(s: &'s S<'_>) -> Option<&'s str> {
    super::reset::word(ticket::DECISIONS, decision(s))
        .or_else(|| (approval(s).source == Some("event")).then_some("approved"))
}

fn approver_offboarded(s: &S<'_>) -> Option<bool> {
    s.offboarded(approval(s).approver_is.one(), approved_at(s).unwrap_or(s.at)).0
}

fn requester_entitled(s: &S<'_>) -> Option<bool> {
    let (name, system) = requester(s);
    let texts = &s.world.settled.texts;
    let who = s.world.register.lookup(texts, name, system).one()?;
    let target = s.identity?;
    if who == target {
        return Some(true);
    }
    let superior = match &s.world.register.identities[target as usize].kind {
        Kind::Person(_) => s.speaking()?.manager,
        Kind::Workload(row) => s.world.settled.workloads.text(workload::OWNER, *row as usize),
    };
    s.world.register.lookup(texts, superior, EMPTY).one().map(|id| id == who)
}

fn ticket_found(s: &S<'_>) -> Option<bool> {
    (s.world.has(Table::Ticket) && s.text(event::TICKET) != EMPTY).then(|| s.named_ticket.is_some())
}

fn ticket_category_allowed(s: &S<'_>) -> Option<bool> {
    let category = s.world.settled.tickets.text(ticket::CATEGORY, s.named_ticket?);
    let allowed = &s.world.policy.recovery_categories;
    (category != EMPTY && !allowed.is_empty()).then(|| allowed.iter().any(|a| *a == s.folded(category)))
}

fn ticket_closed(s: &S<'_>) -> Option<bool> {
    let (tickets, row) = (&s.world.settled.tickets, s.named_ticket?);
    tickets.has(ticket::CLOSED_AT, row).then(|| tickets.instant(ticket::CLOSED_AT, row).is_some())
}

fn ticket_closed_before_minutes(s: &S<'_>) -> Option<f64> {
    Some(minutes(s.at - s.world.settled.tickets.instant(ticket::CLOSED_AT, s.named_ticket?)?))
}

fn ticket_targets(s: &S<'_>) -> Option<f64> {
    let folded = s.world.settled.texts.folded(s.text(event::TICKET));
    (folded != EMPTY).then(|| f64::from(s.world.targets_of_ticket(folded)))
}

facts! { ResetCompute;
    "approval_required" Bool None, "does the policy ask for an approval?", null "self-service not known, and not automated", approval_required;
    "approval_reported" Bool None, "could the inputs show an approval of this reset?", null "never", |s| Some(approval_reported(s));
    "approval_source" Text None, "where the approval comes from: event, ticket or ticket-by-subject", null "no approval found", |s| approval(s).source;
    "approval_present" Bool None, "is an approver or an approval instant known? A pending ticket is none", null "the inputs could not show one", approval_present;
    "approval_decision" Text None, "approved, rejected or pending", null "none known", approval_decision;
    "approval_lead_minutes" Number Minutes, "time from the approval to the reset; negative: approved afterwards", null "not known", |s| approved_at(s).map(|t| minutes(s.at - t));
    "approver_is_executor" Bool None, "did the approver carry it out?", null "not known", |s| approver_is(s, event::EXECUTOR, s.world.executor_key[s.row]);
    "approver_is_target" Bool None, "did the approver get the access?", null "not known", |s| approver_is(s, event::TARGET, s.key);
    "approver_is_requester" Bool None, "did the approver ask for it?", null "not known", |s| same(s, approver(s), requester(s));
    "approver_offboarded" Bool None, "had the approver left when approving?", null "approver unresolved", approver_offboarded;
    "ticket_found" Bool None, "is the named ticket in the ticket table?", null "no ticket table, none named, not reported", ticket_found;
    "ticket_subject_matches" Bool None, "is the ticket about the target?", null "not found, names no subject, or not known",
        |s| same(s, (s.world.settled.tickets.text(ticket::SUBJECT, s.named_ticket?), EMPTY), s.name(event::TARGET));
    "ticket_category_allowed" Bool None, "is the ticket's category one of recovery?", null "not found; category empty or not reported; no categories set", ticket_category_allowed;
    "ticket_closed" Bool None, "was the ticket closed?", null "not found, not reported", ticket_closed;
    "ticket_closed_before_minutes" Number Minutes, "time from the ticket's close to the reset; negative: closed afterwards", null "not known", ticket_closed_before_minutes;
    "ticket_targets" Number Count, "distinct targets among the period's resets under this ticket", null "no ticket named", ticket_targets;
    "requester_entitled" Bool None, "is the requester the target, its manager or its owner?", null "requester, target, manager or owner not known", requester_entitled;
    "notified" Bool None, "was holder or owner told?", null "not reported", |s| s.given(event::NOTIFIED_AT);
    "notified_minutes" Number Minutes, "time from the reset to the notice", null "not known", |s| s.instant(event::NOTIFIED_AT).map(|t| minutes(t - s.at));
}
