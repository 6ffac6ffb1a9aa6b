//! Accepted risks, and what weakens the conclusions.

use serde::Serialize;

use super::desk::{Desk, Link};
use crate::render::html::words::{self, number, visible, visible_cut};
use crate::report::model::{DataQuality, WaiverResult};

#[derive(Serialize)]
pub(super) struct WaiverView {
    id: String,
    state: String,
    active: bool,
    flags: Vec<&'static str>,
    matched: String,
    waived: String,
    checks: Vec<Link>,
    predicate: String,
    reason: String,
    requested_by: String,
    approved_by: String,
    starts: String,
    expires: String,
    expires_at: String,
}

#[derive(Serialize)]
pub(super) struct Quality {
    title: String,
    kind: String,
    count: String,
    examples: Vec<String>,
    weakens: Vec<Link>,
}

pub(super) fn waiver(w: &WaiverResult, desk: &Desk<'_>) -> WaiverView {
    let active = w.state == "active";
    WaiverView {
        id: visible_cut(&w.id, 80),
        state: match w.state.as_str() {
            "active" => format!("accepted until {}", words::date(&w.expires_on)),
            "expired" => format!("expired on {}", words::date(&w.expires_on)),
            "not-yet-started" => format!("starts on {}", words::date(&w.starts_on)),
            other => visible_cut(other, 40),
        },
        active,
        flags: w
            .flags
            .iter()
            .filter_map(|f| match f.as_str() {
                "unused" => Some("matches nothing"),
                "expiring" => Some("ends within 30 days"),
                "broad" => Some("covers more than a quarter of a check’s failures"),
                _ => None,
            })
            .collect(),
        matched: number(w.matched),
        waived: number(w.waived),
        checks: desk.check_links(&w.checks),
        predicate: visible_cut(&w.r#where, 1_000),
        reason: visible(&w.reason),
        requested_by: visible_cut(&w.requested_by, 120),
        approved_by: visible_cut(&w.approved_by, 120),
        starts: words::date(&w.starts_on),
        expires: words::date(&w.expires_on),
        expires_at: visible_cut(&w.expires_at, 60),
    }
}

pub(super) fn quality(q: &DataQuality, desk: &Desk<'_>) -> Quality {
    Quality {
        title: words::sentence(&visible(&q.title)),
        kind: visible_cut(&q.kind, 60),
        count: number(q.count),
        examples: q.examples.iter().take(10).map(|e| visible_cut(e, 120)).collect(),
        weakens: desk.check_links(&q.weakens),
    }
}
