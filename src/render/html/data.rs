//! Every finding as data inside the page: what search, facets, sorting and deep links work on.
//!
//! One object of words that many findings share (the head), then chunks of columns, each deflated and base64 encoded in
//! an element of its own that no browser runs. The page's script reads them after the first paint; text is set as text,
//! never as markup. Without the script the page lists the most severe findings itself, see [`super::view`].

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use hashbrown::HashMap;
use rayon::prelude::*;
use serde::Serialize;
use serde_json::Value;

use super::view::Desk;
use super::words::{self, visible, visible_cut};
use crate::report::model::{Assessment, Finding, State};

/// Findings in a chunk: a fixed number, so that the bytes do not depend on the number of threads; small enough to be
/// unpacked between two frames.
const CHUNK: usize = 2_048;

/// The data elements of a page.
#[derive(Serialize)]
pub(super) struct Data {
    /// What many findings share.
    head: String,
    /// Columns of the findings, in report order.
    chunks: Vec<String>,
}

/// Distinct words in the order of their first use; the page refers to them by number.
#[derive(Default)]
struct Words<'a> {
    of: HashMap<&'a str, usize>,
    list: Vec<&'a str>,
}

impl<'a> Words<'a> {
    fn number(&mut self, word: &'a str) -> usize {
        *self.of.entry(word).or_insert_with(|| {
            self.list.push(word);
            self.list.len() - 1
        })
    }

    fn shown(&self, longest: usize) -> Vec<String> {
        self.list.iter().map(|word| visible_cut(word, longest)).collect()
    }
}

/// What the page knows of a check that has findings.
#[derive(Serialize)]
struct CheckHead {
    id: String,
    anchor: String,
    title: String,
    control: String,
    evidence: Vec<String>,
    thresholds: Vec<(String, String)>,
    fails: String,
    remedy: Value,
}

/// A requirement that findings refer to.
#[derive(Serialize)]
struct RequirementHead {
    /// `framework:id`, for the filter.
    reference: String,
    id: String,
    framework: String,
    anchor: String,
    /// Why it is context only, where its scope leaves a subject out.
    contextual: String,
}

#[derive(Serialize)]
struct Head {
    total: usize,
    chunk: usize,
    checks: Vec<CheckHead>,
    controls: Vec<(String, String)>,
    requirements: Vec<RequirementHead>,
    /// Sets of references: counted, shown beside, context only; each a list of numbers of `requirements`.
    references: Vec<[Vec<usize>; 3]>,
    systems: Vec<String>,
    actions: Vec<String>,
    tiers: Vec<String>,
    executors: Vec<String>,
    approvers: Vec<String>,
    files: Vec<String>,
    waivers: Vec<String>,
    /// The waiver that the page offers for a finding; `{finding}` and `{check}` are to be filled in.
    snippet: String,
}

/// Columns of a chunk; numbers refer to the head's lists.
#[derive(Default, Serialize)]
struct Columns {
    id: Vec<String>,
    check: Vec<usize>,
    severity: Vec<usize>,
    /// 0 is open, else the number of the waiver and one.
    waiver: Vec<usize>,
    system: Vec<usize>,
    action: Vec<usize>,
    tier: Vec<usize>,
    executor: Vec<usize>,
    approver: Vec<usize>,
    references: Vec<usize>,
    file: Vec<usize>,
    record: Vec<u64>,
    at: Vec<String>,
    said_at: Vec<String>,
    subject: Vec<String>,
    target: Vec<String>,
    identity: Vec<String>,
    name: Vec<String>,
    ticket: Vec<String>,
    because: Vec<String>,
    evidence: Vec<Vec<String>>,
    /// Names of the evidence where they are not those of the check.
    names: BTreeMap<usize, Vec<String>>,
    kind: Vec<usize>,
}

/// A waiver for one finding, to be copied into the config: `{finding}` and `{check}` stand for its id and its check.
///
/// It is for that one finding, whose id stays the same from run to run, and ends ninety days after `as_of`.
pub fn snippet(as_of: &str) -> String {
    let day = chrono::DateTime::parse_from_rfc3339(as_of).map(|t| t.date_naive()).unwrap_or_default();
    let end = day.checked_add_days(chrono::Days::new(90)).unwrap_or(day);
    format!(
        "[[waiver]]\nid = \"W-{{finding}}\"\nchecks = [\"{{check}}\"]\nwhere = \"finding_id = '{{finding}}'\"\n\
         reason = \"say why this risk is acceptable\"\nrequested_by = \"who asks\"\napproved_by = \"who accepts the risk\"\n\
         starts_on = {day}\nexpires_on = {end}\n"
    )
}

/// Packs every finding.
pub(super) fn data(a: &Assessment, findings: &[Finding], desk: &Desk<'_>) -> Data {
    let (mut checks, mut systems, mut actions, mut tiers) =
        (Words::default(), Words::default(), Words::default(), Words::default());
    let (mut executors, mut approvers, mut files, mut waivers) =
        (Words::default(), Words::default(), Words::default(), Words::default());
    let mut sets: Vec<&Finding> = Vec::new();
    // By check, for as a rule all findings of a check have the same references, or one of few sets of them.
    let mut references: Vec<Vec<usize>> = Vec::new();
    // First the numbers, in order; then the chunks, each on its own.
    let numbers: Vec<[usize; 9]> = findings
        .iter()
        .map(|f| {
            let check = checks.number(&f.check);
            references.resize(checks.list.len(), Vec::new());
            let alike = |set: &usize| {
                let other = sets[*set];
                (Arc::ptr_eq(&f.requirements, &other.requirements) || f.requirements == other.requirements)
                    && f.contextual == other.contextual
            };
            let set = references[check].iter().copied().find(alike).unwrap_or_else(|| {
                sets.push(f);
                references[check].push(sets.len() - 1);
                sets.len() - 1
            });
            [
                check,
                if f.state == State::Open { 0 } else { waivers.number(&f.waiver) + 1 },
                systems.number(&f.system),
                actions.number(&f.action),
                tiers.number(&f.tier),
                executors.number(&f.executor),
                approvers.number(&f.approver),
                set,
                files.number(&f.source_file),
            ]
        })
        .collect();
    let mut requirements = Words::default();
    let references = sets
        .iter()
        .map(|f| {
            let mut set: [Vec<usize>; 3] = Default::default();
            for reference in f.requirements.iter() {
                let place = match desk.bearing(&f.check, reference, &f.contextual) {
                    Bearing::Counted => 0,
                    Bearing::Beside => 1,
                    Bearing::Context => 2,
                };
                set[place].push(requirements.number(reference));
            }
            set
        })
        .collect();
    let mut evidence: Vec<Vec<&str>> = vec![Vec::new(); checks.list.len()];
    for (f, n) in findings.iter().zip(&numbers) {
        if evidence[n[0]].is_empty() {
            evidence[n[0]] = f.evidence.keys().map(String::as_str).collect();
        }
    }
    let head = Head {
        total: findings.len(),
        chunk: CHUNK,
        checks: checks.list.iter().zip(&evidence).map(|(id, names)| check(id, names, desk)).collect(),
        controls: a.controls.iter().map(|c| (visible_cut(&c.id, 60), visible(&c.title))).collect(),
        requirements: requirements.list.iter().map(|r| requirement(r, desk)).collect(),
        references,
        systems: systems.shown(120),
        actions: actions.shown(60),
        tiers: tiers.shown(40),
        executors: executors.shown(120),
        approvers: approvers.shown(120),
        files: files.shown(words::LONGEST),
        waivers: waivers.shown(80),
        snippet: snippet(&a.run.as_of),
    };
    let chunks = findings
        .par_chunks(CHUNK)
        .zip(numbers.par_chunks(CHUNK))
        .map(|(findings, numbers)| pack(&columns(findings, numbers, &evidence, desk)))
        .collect();
    Data { head: pack(&head), chunks }
}

/// How a requirement bears on a finding.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Bearing {
    /// The failure is evidence that it was not met.
    Counted,
    /// Shown beside, never counted.
    Beside,
    /// Its scope leaves the subject out.
    Context,
}

fn check(id: &str, names: &[&str], desk: &Desk<'_>) -> CheckHead {
    let known = desk.checks.get(id);
    CheckHead {
        id: visible_cut(id, 80),
        anchor: words::anchor(id),
        title: desk.check_link(id).text,
        control: known.map(|c| visible_cut(&c.control, 60)).unwrap_or_default(),
        evidence: names.iter().map(|name| words::sentence(&words::fact_name(name))).collect(),
        thresholds: known.map(|c| super::view::thresholds(&c.thresholds)).unwrap_or_default(),
        fails: known.map(|c| visible_cut(&c.fails, 2_000)).unwrap_or_default(),
        // A value of ours always serialises; without it the finding still links to its check.
        remedy: known.and_then(|c| serde_json::to_value(super::view::prose(&c.remedy)).ok()).unwrap_or_default(),
    }
}

fn requirement(reference: &str, desk: &Desk<'_>) -> RequirementHead {
    let (framework, id) = reference.split_once(':').unwrap_or(("", reference));
    let title = desk.frameworks.get(framework).map_or(framework, |f| f.title.as_str());
    let contextual = desk.requirement(reference).and_then(|r| r.contextual.as_deref()).unwrap_or_default();
    RequirementHead {
        reference: visible_cut(reference, 120),
        id: visible_cut(id, 60),
        framework: visible_cut(title, 120),
        anchor: format!("r-{}-{}", words::anchor(framework), words::anchor(id)),
        contextual: visible(contextual),
    }
}

fn columns(findings: &[Finding], numbers: &[[usize; 9]], evidence: &[Vec<&str>], desk: &Desk<'_>) -> Columns {
    let mut out = Columns::default();
    for (i, (f, n)) in findings.iter().zip(numbers).enumerate() {
        out.id.push(words::anchor(&f.finding_id));
        out.check.push(n[0]);
        out.severity.push(words::SEVERITIES.iter().position(|s| *s == f.severity).unwrap_or_default());
        out.waiver.push(n[1]);
        out.system.push(n[2]);
        out.action.push(n[3]);
        out.tier.push(n[4]);
        out.executor.push(n[5]);
        out.approver.push(n[6]);
        out.references.push(n[7]);
        out.file.push(n[8]);
        out.record.push(f.source_record);
        let when = desk.clock.when(&f.occurred_at);
        out.at.push(when.exact);
        out.said_at.push(when.text);
        out.subject.push(visible_cut(&f.subject, 160));
        out.target.push(visible_cut(&f.target, 120));
        out.identity.push(visible_cut(&f.identity, 120));
        out.name.push(visible_cut(&f.identity_name, 120));
        out.ticket.push(visible_cut(&f.ticket, 80));
        out.because.push(visible(&f.because));
        out.evidence.push(f.evidence.iter().map(|(k, v)| words::value(k, v)).collect());
        if !f.evidence.keys().map(String::as_str).eq(evidence[n[0]].iter().copied()) {
            let names = f.evidence.keys().map(|k| words::sentence(&words::fact_name(k))).collect();
            out.names.insert(i, names);
        }
        out.kind.push(usize::from(f.subject_kind == "credential"));
    }
    out
}

/// JSON, deflated, as base64: letters that no parser of markup stops at.
fn pack(value: &impl Serialize) -> String {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(4));
    // Writing to memory does not fail, and maps have text keys.
    let json = serde_json::to_vec(value).expect("plain structs are JSON");
    encoder.write_all(&json).expect("memory takes everything");
    super::base64(&encoder.finish().expect("memory takes everything"))
}
