//! Every finding as data inside the page: what search, facets, sorting and deep links work on.
//!
//! One object of words that many findings share (the head), then chunks of columns, each deflated and in base64, which has
//! only letters that no parser of markup stops at, in
//! an element of its own that no browser runs. The page's script reads them after the first paint; text is set as text,
//! never as markup. Without the script the page lists the most severe findings itself, see [`super::view`].

use std::io::Write;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use hashbrown::HashMap;
use rayon::prelude::*;
use serde::Serialize;
use serde_json::Value;

use super::HtmlError;
use super::view::Desk;
use super::words::{self, visible, visible_cut};
use crate::render::findings::json_text;
use crate::report::model::{Assessment, Finding, State};

/// Findings in a chunk: a fixed number, so that the bytes do not depend on the number of threads; small enough to be
/// unpacked between two frames.
const CHUNK: usize = 2_048;

/// The data elements of a page.
pub(super) struct Data {
    /// What many findings share.
    head: Vec<u8>,
    /// Columns of the findings, in report order.
    chunks: Vec<Vec<u8>>,
}

/// What the template holds in the place of the data, which would be copied three times on its way through it.
#[derive(Serialize)]
pub(super) struct Places {
    head: String,
    chunks: Vec<String>,
}

impl Places {
    /// Places for this many findings.
    pub(super) fn of(findings: usize) -> Places {
        let chunks = findings.div_ceil(CHUNK);
        Places { head: Places::mark(0), chunks: (1..=chunks).map(Places::mark).collect() }
    }

    /// No text from data can pass for it: in a page its angle brackets are escaped.
    fn mark(number: usize) -> String {
        format!("<packed {number}>")
    }
}

impl Data {
    /// The page with the data in its places.
    ///
    /// # Errors
    /// When a place is missing from the page, unless all of them are.
    pub(super) fn put_into(&self, page: &str) -> Result<String, HtmlError> {
        let packed = self.chunks.iter().map(Vec::len).sum::<usize>() + self.head.len();
        let mut out = String::with_capacity(page.len() + packed / 3 * 4 + 4 * (self.chunks.len() + 1));
        let mut rest = page;
        for (number, bytes) in std::iter::once(&self.head).chain(&self.chunks).enumerate() {
            match rest.split_once(&Places::mark(number)) {
                Some((before, after)) => {
                    out.push_str(before);
                    super::base64(bytes, &mut out);
                    rest = after;
                }
                // A page without findings lists none and has no data.
                None if number == 0 && self.chunks.is_empty() => break,
                None => return Err(HtmlError::NoPlace(number)),
            }
        }
        out.push_str(rest);
        Ok(out)
    }
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

/// The numbers of a finding, in this order: check, waiver, system, action, tier, executor, approver, references, file.
type Numbers = [usize; 9];

/// What a chunk of findings refers to, numbered in the order of its first use.
#[derive(Default)]
struct Index<'a> {
    /// Those of [`Numbers`], but for the references; the waivers from 0.
    words: [Words<'a>; 8],
    /// By check the names of the evidence.
    evidence: Vec<Vec<&'a str>>,
    /// One finding of each set of references.
    sets: Vec<&'a Finding>,
    /// By check, for as a rule all findings of a check have the same references, or one of few sets of them.
    references: Vec<Vec<usize>>,
}

impl<'a> Index<'a> {
    /// The numbers of a finding, as they are within this index.
    fn add(&mut self, f: &'a Finding) -> Numbers {
        let [checks, waivers, systems, actions, tiers, executors, approvers, files] = &mut self.words;
        let check = checks.number(&f.check);
        let waiver = if f.state == State::Open { 0 } else { waivers.number(&f.waiver) + 1 };
        let system = systems.number(&f.system);
        let action = actions.number(&f.action);
        let tier = tiers.number(&f.tier);
        let executor = executors.number(&f.executor);
        let approver = approvers.number(&f.approver);
        let file = files.number(&f.source_file);
        self.evidence(check, || f.evidence.keys().collect());
        let set = self.set(check, f);
        [check, waiver, system, action, tier, executor, approver, set, file]
    }

    fn evidence(&mut self, check: usize, names: impl FnOnce() -> Vec<&'a str>) {
        if self.evidence.len() <= check {
            self.evidence.resize(check + 1, Vec::new());
        }
        if self.evidence[check].is_empty() {
            self.evidence[check] = names();
        }
    }

    fn set(&mut self, check: usize, f: &'a Finding) -> usize {
        if self.references.len() <= check {
            self.references.resize(check + 1, Vec::new());
        }
        let alike = |set: &usize| {
            let other = self.sets[*set];
            let same = |a: &Arc<[String]>, b: &Arc<[String]>| Arc::ptr_eq(a, b) || a == b;
            same(&f.requirements, &other.requirements) && same(&f.contextual, &other.contextual)
        };
        if let Some(set) = self.references[check].iter().copied().find(alike) {
            return set;
        }
        self.sets.push(f);
        self.references[check].push(self.sets.len() - 1);
        self.sets.len() - 1
    }

    /// Takes over what a later part refers to; by field the numbers here of what is numbered there.
    fn join(&mut self, part: &Index<'a>) -> [Vec<usize>; 9] {
        let mut words = self.words.iter_mut().zip(&part.words);
        let [check, waiver, system, action, tier, executor, approver, file] = std::array::from_fn(|_| {
            words.next().map_or_else(Vec::new, |(all, part)| part.list.iter().map(|word| all.number(word)).collect())
        });
        for (own, names) in part.evidence.iter().enumerate() {
            self.evidence(check[own], || names.clone());
        }
        let mut of = vec![0; part.sets.len()];
        for (own, sets) in part.references.iter().enumerate() {
            sets.iter().for_each(|set| of[*set] = own);
        }
        let sets = part.sets.iter().zip(of).map(|(f, own)| self.set(check[own], f)).collect();
        // 0 is no waiver.
        let waiver = std::iter::once(0).chain(waiver.into_iter().map(|number| number + 1)).collect();
        [check, waiver, system, action, tier, executor, approver, sets, file]
    }
}

/// Packs every finding.
pub(super) fn data(a: &Assessment, findings: &[Finding], desk: &Desk<'_>) -> Data {
    // Each chunk by itself, then joined in order, so that a word's number is that of its first use; then packed.
    let parts: Vec<(Index<'_>, Vec<Numbers>)> = findings
        .par_chunks(CHUNK)
        .map(|findings| {
            let mut index = Index::default();
            let numbers = findings.iter().map(|f| index.add(f)).collect();
            (index, numbers)
        })
        .collect();
    let mut index = Index::default();
    let chunks: Vec<([Vec<usize>; 9], Vec<Numbers>)> =
        parts.into_iter().map(|(part, numbers)| (index.join(&part), numbers)).collect();
    let Index {
        words: [checks, waivers, systems, actions, tiers, executors, approvers, files], evidence, sets, ..
    } = index;
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
    // A value of ours always serialises: maps have text keys.
    let pack_head = || pack(&serde_json::to_vec(&head).expect("plain structs are JSON"));
    let pack_chunks = || {
        let both = findings.par_chunks(CHUNK).zip(chunks.par_iter());
        both.map(|(findings, (of, numbers))| pack(&columns(findings, numbers, of, &evidence, desk))).collect()
    };
    let (head, chunks) = rayon::join(pack_head, pack_chunks);
    Data { head, chunks }
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

/// A list of JSON in the making.
struct Column(Vec<u8>);

impl Column {
    fn new() -> Column {
        Column(Vec::with_capacity(CHUNK * 24))
    }

    fn next(&mut self) -> &mut Vec<u8> {
        self.0.push(if self.0.is_empty() { b'[' } else { b',' });
        &mut self.0
    }

    fn number(&mut self, number: u64) {
        let out = self.next();
        // The twenty digits of the largest number, from the last one on.
        let (mut digits, mut at, mut rest) = ([0; 20], 20, number);
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        out.extend_from_slice(&digits[at..]);
    }

    fn text(&mut self, text: &str) {
        json_text(self.next(), text);
    }

    /// A text from data, as the page may show it.
    fn shown(&mut self, text: &str, longest: usize) {
        self.text(&words::shown(text, longest));
    }

    fn end(self, name: &str, out: &mut Vec<u8>) {
        out.push(if out.is_empty() { b'{' } else { b',' });
        json_text(out, name);
        out.push(b':');
        if self.0.is_empty() {
            out.push(b'[');
        }
        out.extend_from_slice(&self.0);
        out.push(b']');
    }
}

/// A chunk as one object of columns; `of` are by field of [`Numbers`] the head's numbers of the chunk's own.
///
/// `names` are, by place in the chunk, the names of the evidence where they are not those of the check.
fn columns(
    findings: &[Finding],
    numbers: &[Numbers],
    of: &[Vec<usize>; 9],
    evidence: &[Vec<&str>],
    desk: &Desk<'_>,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(CHUNK * 384);
    let texts = |name: &str, out: &mut Vec<u8>, put: &dyn Fn(&mut Column, &Finding)| {
        let mut column = Column::new();
        findings.iter().for_each(|f| put(&mut column, f));
        column.end(name, out);
    };
    let number = |name: &str, out: &mut Vec<u8>, field: usize| {
        let mut column = Column::new();
        numbers.iter().for_each(|own| column.number(of[field][own[field]] as u64));
        column.end(name, out);
    };
    let out = &mut out;
    texts("id", out, &|column, f| column.text(&words::anchor(&f.finding_id)));
    number("check", out, 0);
    texts("severity", out, &|column, f| {
        column.number(words::SEVERITIES.iter().position(|s| *s == f.severity).unwrap_or_default() as u64);
    });
    let fields = ["waiver", "system", "action", "tier", "executor", "approver", "references", "file"];
    fields.iter().zip(1..).for_each(|(name, field)| number(name, out, field));
    texts("record", out, &|column, f| column.number(f.source_record));
    texts("at", out, &|column, f| column.shown(&f.occurred_at, words::LONGEST_INSTANT));
    texts("said_at", out, &|column, f| column.text(&desk.clock.said(&f.occurred_at)));
    texts("subject", out, &|column, f| column.shown(&f.subject, 160));
    texts("target", out, &|column, f| column.shown(&f.target, 120));
    texts("identity", out, &|column, f| column.shown(&f.identity, 120));
    texts("name", out, &|column, f| column.shown(&f.identity_name, 120));
    texts("ticket", out, &|column, f| column.shown(&f.ticket, 80));
    texts("because", out, &|column, f| column.shown(&f.because, words::LONGEST));
    texts("evidence", out, &|column, f| {
        let mut values = Column(Vec::with_capacity(128));
        f.evidence.iter().for_each(|(name, value)| values.text(&words::told(name, value)));
        let list = column.next();
        if values.0.is_empty() {
            list.push(b'[');
        }
        list.extend_from_slice(&values.0);
        list.push(b']');
    });
    out.extend_from_slice(b",\"names\":");
    let mut names = serde_json::Map::new();
    for (i, (f, own)) in findings.iter().zip(numbers).enumerate() {
        if !f.evidence.keys().eq(evidence[of[0][own[0]]].iter().copied()) {
            let own = f.evidence.keys().map(|k| words::sentence(&words::fact_name(k)).into()).collect();
            names.insert(i.to_string(), Value::Array(own));
        }
    }
    out.extend_from_slice(Value::Object(names).to_string().as_bytes());
    texts("kind", out, &|column, f| column.number(u64::from(f.subject_kind == "credential")));
    out.push(b'}');
    std::mem::take(out)
}

/// Deflated. A level above 2 would make the page a twelfth smaller at most and take up to three times as long.
fn pack(json: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::with_capacity(json.len() / 4), Compression::new(2));
    encoder.write_all(json).expect("memory takes everything");
    encoder.finish().expect("memory takes everything")
}
