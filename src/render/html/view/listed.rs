//! The findings that stand in the page without its script; all of them are left to [`crate::render::html::data`].

use std::collections::BTreeSet;

use serde::Serialize;

use super::desk::{Desk, Link, Reference};
use super::population::subjects;
use crate::render::html::data::Bearing;
use crate::render::html::words::{self, SEVERITIES, When, number, visible, visible_cut};
use crate::report::model::{Assessment, Finding, State};

/// Findings that the page lists; the rest is in `findings.csv`.
pub(super) const LISTED: usize = 200;

#[derive(Serialize)]
pub(super) struct Group {
    severity: &'static str,
    title: String,
    line: String,
    pub(super) findings: Vec<FindingView>,
}

#[derive(Serialize)]
pub(super) struct FindingView {
    id: String,
    check: Link,
    severity: &'static str,
    waived: bool,
    waiver: String,
    because: String,
    who: String,
    identity: String,
    tier: String,
    system: String,
    action: String,
    subject_kind: &'static str,
    subject: String,
    at: Option<When>,
    executor: String,
    approver: String,
    ticket: String,
    evidence: Vec<(String, String)>,
    /// What it counts for.
    references: Vec<Reference>,
    /// Requirement, and why it is context only.
    contextual: Vec<(String, String)>,
    source: String,
}

/// Groups by severity of the first [`LISTED`] findings, and the ids of those.
pub(super) fn groups<'a>(a: &Assessment, findings: &'a [Finding], desk: &Desk<'_>) -> (Vec<Group>, BTreeSet<&'a str>) {
    let mut room = LISTED;
    let mut ids = BTreeSet::new();
    let mut out = Vec::new();
    for severity in SEVERITIES {
        // What nobody accepted comes first, otherwise the order of findings.csv.
        let of = |state: State| findings.iter().filter(move |f| f.severity == severity && f.state == state);
        let own: Vec<&Finding> = of(State::Open).chain(of(State::Waived)).take(room).collect();
        room -= own.len();
        let total = a.totals.get(&severity).copied().unwrap_or_default();
        let all = total.open + total.waived;
        if all == 0 && own.is_empty() {
            continue;
        }
        ids.extend(own.iter().map(|f| f.finding_id.as_str()));
        let mut line = format!("{} open", number(total.open));
        if total.waived > 0 {
            line.push_str(&format!(", {} accepted", number(total.waived)));
        }
        if (own.len() as u64) < all {
            line.push_str(&if own.is_empty() {
                "; none listed here, all in findings.csv".to_owned()
            } else {
                format!("; the first {} listed here", number(own.len() as u64))
            });
        }
        out.push(Group {
            severity: words::severity(severity),
            title: words::sentence(words::severity(severity)),
            line,
            findings: own.into_iter().map(|f| finding(f, desk)).collect(),
        });
    }
    (out, ids)
}

pub(super) fn finding(f: &Finding, desk: &Desk<'_>) -> FindingView {
    let mut counted = Vec::new();
    let mut contextual = Vec::new();
    for reference in f.requirements.iter() {
        match desk.bearing(&f.check, reference, &f.contextual) {
            Bearing::Counted => counted.push(reference.clone()),
            Bearing::Beside => {}
            Bearing::Context => {
                let of = desk.requirement(reference);
                let direct = of.is_some_and(|r| r.direct.iter().any(|id| *id == f.check));
                // What its scope leaves out and would not have counted either is in the page's data.
                if let (true, Some(why)) = (direct, of.and_then(|r| r.contextual.as_deref())) {
                    let id = reference.split_once(':').map_or(reference.as_str(), |(_, id)| id);
                    contextual.push((visible_cut(id, 60), visible(why)));
                }
            }
        }
    }
    let name = if !f.identity_name.is_empty() {
        &f.identity_name
    } else if !f.target.is_empty() {
        &f.target
    } else {
        &f.identity
    };
    FindingView {
        id: words::anchor(&f.finding_id),
        check: desk.check_link(&f.check),
        severity: words::severity(f.severity),
        waived: f.state == State::Waived,
        waiver: visible_cut(&f.waiver, 80),
        because: words::sentence_from_data(&visible(&f.because)),
        who: visible_cut(name, 120),
        identity: visible_cut(&f.identity, 120),
        tier: visible_cut(&f.tier, 40),
        system: visible_cut(&f.system, 120),
        action: visible_cut(&f.action, 60),
        subject_kind: subjects(&f.subject_kind).0,
        subject: visible_cut(&f.subject, 160),
        at: (!f.occurred_at.is_empty()).then(|| desk.clock.when(&f.occurred_at)),
        executor: visible_cut(&f.executor, 120),
        approver: visible_cut(&f.approver, 120),
        ticket: visible_cut(&f.ticket, 80),
        evidence: f
            .evidence
            .iter()
            .map(|(k, v)| (words::sentence(&words::fact_name(k)), words::told(k, v).into_owned()))
            .collect(),
        references: desk.references(&counted),
        contextual,
        source: format!("{}, record {}", visible(&f.source_file), number(f.source_record)),
    }
}
