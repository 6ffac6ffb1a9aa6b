//! The one pass: facts of a block of subjects as columns, every predicate over them, verdicts counted, failures gathered.
//!
//! Blocks are judged in parallel and joined in order, so that neither threads nor block size show in the result. Text is
//! gathered only for rows that become findings.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use polars::prelude::{BooleanChunked, NamedFrom, PlSmallStr, Series};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use smol_str::SmolStr;

use super::framework::{Framework, Requirement};
use super::marks::{Bits, Known, Mark, Marks, Scope, all, bit, both, ones};
use super::waiver::{State, Waiver};
use crate::check::catalogue::{Catalogue, Check};
use crate::check::column::{self, Words};
use crate::check::predicate::Columns;
use crate::check::{Control, Severity, SubjectKind};
use crate::fact::coverage::{self, Extent, Short};
use crate::fact::{
    CredentialCompute, CredentialSubject, Fact, Registry, ResetCompute, ResetSubject, Value, World, credential_fact,
    credential_facts, policy_unit, record, reset_fact, reset_facts, revocation,
};
use crate::report::evidence::{Evidence, Told};
use crate::report::model::{Counts, Finding, State as FindingState, Subject};
use crate::table::{credential, event};
use crate::text::EMPTY;
use crate::time;

/// Subjects judged together: large enough for columns to pay, small enough to stay in cache.
const BLOCK: usize = 2048;

/// How many subjects one thread judges one after the other into the same counts: several blocks, where each thread then
/// still has many such turns.
fn turn(subjects: usize) -> usize {
    BLOCK * (subjects / BLOCK / rayon::current_num_threads() / 16).clamp(1, 16)
}

/// A finding and what it is ordered by.
pub struct Found {
    /// The finding.
    pub finding: Finding,
    /// Its instant; null for credentials.
    pub at: Option<i64>,
    /// Key of the target or holder.
    pub key: crate::identity::Key,
}

/// Numbers for charts, gathered in the same pass.
#[derive(Default)]
pub struct Sketch {
    /// Day → (resets, with an open finding).
    pub days: BTreeMap<chrono::NaiveDate, (u64, u64)>,
    /// Weekday × hour.
    pub hours: Vec<Vec<u64>>,
    /// The same without automation and self-service.
    pub desk_hours: Vec<Vec<u64>>,
    /// Of those how many were outside working hours; 0 where these are not known.
    pub desk_off_hours: u64,
    /// Minutes that prior credentials lived on, by class.
    pub survival: [u64; 8],
    /// Approval lead, by class.
    pub lead: [u64; 8],
    /// Inactivity, by class.
    pub dormancy: [u64; 6],
    /// Executor text → (resets, required but unapproved).
    pub executors: BTreeMap<crate::text::TextId, (u64, u64)>,
}

/// Everything that the pass found.
#[derive(Default)]
pub struct Judged {
    /// By check, in catalogue order.
    pub checks: Vec<Counts>,
    /// By check: missing fact → subjects.
    pub missing: Vec<BTreeMap<String, u64>>,
    /// By check: for want of how much log subjects could not be judged.
    pub short: Vec<BTreeMap<Short, u64>>,
    /// By check: what a table does not hold of the time around subjects that passed.
    pub beyond: Vec<BTreeMap<Short, u64>>,
    /// By control, in order.
    pub controls: Vec<Counts>,
    /// By framework and requirement.
    pub requirements: Vec<Vec<Counts>>,
    /// By waiver: (findings matched, findings turned).
    pub waivers: Vec<(u64, u64)>,
    /// By waiver and check: findings matched.
    pub waived_by_check: BTreeMap<(usize, String), u64>,
    /// Findings in report order.
    pub found: Vec<Found>,
    /// Facts and verdicts of every subject, if asked for.
    pub subjects: Vec<Subject>,
    /// For charts.
    pub sketch: Sketch,
}

/// Should the facts of every subject be kept?
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// For `subjects.jsonl.zst`.
    Subjects,
    /// Findings alone.
    Findings,
}

/// What the pass judges with.
pub struct Judge<'a> {
    /// The inputs.
    pub world: &'a World<'a>,
    /// The checks.
    pub catalogue: &'a Catalogue,
    /// The frameworks.
    pub frameworks: &'a [Framework],
    /// The waivers.
    pub waivers: &'a [Waiver<'a>],
    /// Names of facts.
    pub registry: &'a Registry,
    /// Requirements of each check.
    pub requirements: &'a BTreeMap<String, Vec<String>>,
    /// See [`Keep`].
    pub keep: Keep,
}

/// A block of subjects of one kind.
trait Block {
    const KIND: SubjectKind;
    fn len(&self) -> usize;
    /// A fact as a column; null of those subjects that nobody asks about, a bit for each who is asked about.
    fn series(&self, fact: &str, asked: Option<&Bits>) -> Option<Series>;
    /// A fact of words; null where it is of another kind.
    fn words(&self, fact: &str) -> Option<Words<'_>>;
    fn value(&self, fact: &str, i: usize) -> Option<(Value, crate::fact::Unit)>;
    fn facts(&self, i: usize) -> BTreeMap<String, serde_json::Value>;
    fn describe(&self, i: usize) -> Described;
    /// The log that does not reach as far as a fact looks.
    fn short(&self, fact: &str, i: usize) -> Option<Short>;
    /// What tables hold around each subject.
    fn extents(&self) -> Vec<Option<Extent>>;
    /// Role → place of each record that took part.
    fn sources(&self, i: usize) -> BTreeMap<String, String>;
}

/// The columns of a finding that come from its subject.
struct Described {
    subject: SmolStr,
    system: SmolStr,
    at: Option<i64>,
    action: SmolStr,
    target: SmolStr,
    key: crate::identity::Key,
    identity: SmolStr,
    identity_name: SmolStr,
    tier: SmolStr,
    executor: SmolStr,
    approver: SmolStr,
    ticket: SmolStr,
    source_file: SmolStr,
    source_record: u64,
}

struct Resets<'a>(Vec<ResetSubject<'a>>);
struct Credentials<'a>(Vec<CredentialSubject<'a>>);

macro_rules! block {
    ($block:ident, $kind:ident, $facts:ident, $fact:ident, $compute:ident) => {
        const KIND: SubjectKind = SubjectKind::$kind;

        fn len(&self) -> usize {
            self.0.len()
        }

        fn series(&self, fact: &str, asked: Option<&Bits>) -> Option<Series> {
            let fact: &Fact<$compute> = $fact(fact)?;
            let some = |asked: &Bits, i: usize| bit(asked, i).then(|| &self.0[i]);
            let among = |asked| (0..self.0.len()).map(move |i| some(asked, i));
            Some(match (&fact.compute, asked) {
                ($compute::Bool(f), Some(asked)) => column::bools(fact.name, among(asked).map(|s| f(s?))),
                ($compute::Number(f), Some(asked)) => column::numbers(fact.name, among(asked).map(|s| f(s?))),
                ($compute::Bool(f), None) => column::bools(fact.name, self.0.iter().map(|s| f(s))),
                ($compute::Number(f), None) => column::numbers(fact.name, self.0.iter().map(|s| f(s))),
                ($compute::Text(f), _) => Series::new(
                    PlSmallStr::from_static(fact.name),
                    self.0.iter().map(|s| f(s)).collect::<Vec<Option<&str>>>(),
                ),
            })
        }

        fn words(&self, fact: &str) -> Option<Words<'_>> {
            match &$fact(fact)?.compute {
                $compute::Text(f) => Some(Words::of(self.0.iter().map(|s| f(s)))),
                $compute::Bool(_) | $compute::Number(_) => None,
            }
        }

        fn value(&self, fact: &str, i: usize) -> Option<(Value, crate::fact::Unit)> {
            let fact = $fact(fact)?;
            Some((fact.value(&self.0[i]), fact.unit))
        }

        fn facts(&self, i: usize) -> BTreeMap<String, serde_json::Value> {
            $facts().map(|f| (f.name.to_owned(), f.value(&self.0[i]).json())).collect()
        }
    };
}

fn place(world: &World<'_>, file: u32, record: u32) -> String {
    format!("{}:{record}", world.settled.inputs[file as usize].path)
}

fn identity_texts(world: &World<'_>, id: Option<u32>) -> (SmolStr, SmolStr) {
    let texts = &world.settled.texts;
    id.map_or_else(Default::default, |id| {
        let identity = &world.register.identities[id as usize];
        (texts.get(identity.id).into(), texts.get(identity.name).into())
    })
}

impl Block for Resets<'_> {
    block!(Resets, Reset, reset_facts, reset_fact, ResetCompute);

    fn describe(&self, i: usize) -> Described {
        let s = &self.0[i];
        let (world, events) = (s.world, &s.world.settled.events);
        let text = |column: usize| SmolStr::from(world.settled.texts.get(events.text(column, s.row)));
        let (identity, identity_name) = identity_texts(world, s.identity);
        Described {
            subject: text(event::EVENT_ID),
            system: text(event::SYSTEM),
            at: Some(s.at),
            action: SmolStr::new_static(event::ACTIONS[events.code(event::ACTION, s.row) as usize - 1]),
            target: text(event::TARGET),
            key: s.key,
            identity,
            identity_name,
            tier: SmolStr::new_static(s.tier.unwrap_or_default()),
            executor: text(event::EXECUTOR),
            approver: world.settled.texts.get(record::approver(s).0).into(),
            ticket: world.settled.texts.get(record::ticket_text(s)).into(),
            source_file: world.settled.inputs[events.file(s.row) as usize].path.as_str().into(),
            source_record: u64::from(events.record(s.row)),
        }
    }

    fn short(&self, fact: &str, i: usize) -> Option<Short> {
        coverage::short(fact, &self.0[i])
    }

    fn extents(&self) -> Vec<Option<Extent>> {
        Extent::of(&self.0)
    }

    fn sources(&self, i: usize) -> BTreeMap<String, String> {
        let s = &self.0[i];
        let (world, events) = (s.world, &s.world.settled.events);
        let mut sources = BTreeMap::new();
        sources.insert("event".to_owned(), place(world, events.file(s.row), events.record(s.row)));
        let twice = &world.settled.told_twice;
        let from = twice.partition_point(|pair| (pair.0 as usize) < s.row);
        let again: Vec<String> = twice[from..]
            .iter()
            .take_while(|pair| pair.0 as usize == s.row)
            .map(|pair| place(world, events.file(pair.1 as usize), events.record(pair.1 as usize)))
            .collect();
        if !again.is_empty() {
            sources.insert("event, told again".to_owned(), again.join(", "));
        }
        if let Some(row) = record::approval(s).ticket {
            let tickets = &world.settled.tickets;
            sources.insert("ticket".to_owned(), place(world, tickets.file(row), tickets.record(row)));
        }
        if let Some(id) = s.identity {
            let (role, rows, row) = match &world.register.identities[id as usize].kind {
                crate::identity::Kind::Person(_) => {
                    let stint = world.register.speaking(id, s.at).expect("a person has a stint");
                    ("person", &world.settled.people, stint.period(world.settled).row as usize)
                }
                crate::identity::Kind::Workload(row) => ("workload", &world.settled.workloads, *row as usize),
            };
            sources.insert(role.to_owned(), place(world, rows.file(row), rows.record(row)));
        }
        sources
    }
}

impl Block for Credentials<'_> {
    block!(Credentials, Credential, credential_facts, credential_fact, CredentialCompute);

    fn describe(&self, i: usize) -> Described {
        let s = &self.0[i];
        let (world, rows) = (s.world, &s.world.settled.credentials);
        let text = |column: usize| SmolStr::from(world.settled.texts.get(rows.text(column, s.row)));
        let (identity, identity_name) = identity_texts(world, s.identity);
        Described {
            subject: text(credential::CREDENTIAL_ID),
            system: text(credential::SYSTEM),
            at: None,
            action: SmolStr::default(),
            target: text(credential::IDENTITY),
            key: s.key,
            identity,
            identity_name,
            tier: SmolStr::new_static(s.tier.unwrap_or_default()),
            executor: SmolStr::default(),
            approver: SmolStr::default(),
            ticket: SmolStr::default(),
            source_file: world.settled.inputs[rows.file(s.row) as usize].path.as_str().into(),
            source_record: u64::from(rows.record(s.row)),
        }
    }

    fn short(&self, _: &str, _: usize) -> Option<Short> {
        None
    }

    fn extents(&self) -> Vec<Option<Extent>> {
        Vec::new()
    }

    fn sources(&self, i: usize) -> BTreeMap<String, String> {
        let s = &self.0[i];
        let (world, rows) = (s.world, &s.world.settled.credentials);
        let mut sources = BTreeMap::new();
        sources.insert("credential".to_owned(), place(world, rows.file(s.row), rows.record(s.row)));
        sources
    }
}

/// Columns of a block, computed when first named.
struct Cached<'b, B> {
    block: &'b B,
    series: RefCell<BTreeMap<String, Series>>,
    words: RefCell<BTreeMap<String, Option<Rc<Words<'b>>>>>,
    gaps: RefCell<BTreeMap<String, Rc<Bits>>>,
    /// Of facts that only tell whether checks fail: the subjects that these apply to. Set when that is known.
    asked: OnceCell<BTreeMap<&'b str, Bits>>,
}

impl<'b, B: Block> Cached<'b, B> {
    fn new(block: &'b B) -> Cached<'b, B> {
        Cached {
            block,
            series: RefCell::default(),
            words: RefCell::default(),
            gaps: RefCell::default(),
            asked: OnceCell::new(),
        }
    }

    /// From here on facts are asked for only to tell whether these checks fail, each of subjects that it applies to.
    fn ask<'c: 'b>(&self, checks: impl Iterator<Item = (&'c Check, &'c Known)>) {
        let mut asked: BTreeMap<&str, Bits> = BTreeMap::new();
        for (check, applies) in checks {
            let escalate = check.escalate.iter().flat_map(|escalate| escalate.when.names());
            for name in check.fails.names().iter().chain(escalate) {
                let of = asked.entry(name).or_insert_with(|| vec![0; applies.is.len()]);
                of.iter_mut().zip(&applies.is).for_each(|(of, is)| *of |= is);
            }
        }
        self.asked.set(asked).expect("asked once a block");
    }

    fn words(&self, name: &str) -> Option<Rc<Words<'b>>> {
        if let Some(words) = self.words.borrow().get(name) {
            return words.clone();
        }
        let words = self.block.words(name).map(Rc::new);
        self.words.borrow_mut().insert(name.to_owned(), words.clone());
        words
    }

    /// Of which subjects a fact is missing.
    fn gap(&self, name: &str) -> Rc<Bits> {
        if let Some(gap) = self.gaps.borrow().get(name) {
            return gap.clone();
        }
        let there: Bits = match self.words(name) {
            Some(words) => words.known(),
            None => {
                let series = self.column(name);
                match series.bool() {
                    // `…_observed` false is a gap of the inputs too: no feed carries the action.
                    Ok(column) if name.ends_with("_observed") => Known::of(column).is,
                    Ok(column) => Known::of(column).known,
                    Err(_) => Known::of(&series.is_not_null()).is,
                }
            }
        };
        let gap: Bits = all(self.block.len()).iter().zip(there).map(|(all, there)| all & !there).collect();
        let gap = Rc::new(gap);
        self.gaps.borrow_mut().insert(name.to_owned(), gap.clone());
        gap
    }
}

impl<B: Block> Columns for Cached<'_, B> {
    fn len(&self) -> usize {
        self.block.len()
    }

    fn column(&self, name: &str) -> Series {
        if let Some(series) = self.series.borrow().get(name) {
            return series.clone();
        }
        let series = self
            .block
            .series(name, self.asked.get().and_then(|asked| asked.get(name)))
            .expect("predicates name only facts of their subject, checked when compiled");
        self.series.borrow_mut().insert(name.to_owned(), series.clone());
        series
    }

    fn one_of(&self, name: &str, texts: &[&str]) -> Option<BooleanChunked> {
        Some(self.words(name)?.one_of(texts))
    }
}

/// Columns of failing rows, for waivers: facts first, then columns of the finding.
struct Failing<'b, B> {
    block: &'b B,
    rows: &'b [usize],
    findings: &'b [Found],
}

impl<B: Block> Columns for Failing<'_, B> {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn column(&self, name: &str) -> Series {
        let label = PlSmallStr::from_str(name);
        if let Some(first) = self.rows.first()
            && self.block.value(name, *first).is_some()
        {
            let values: Vec<Value> =
                self.rows.iter().map(|&i| self.block.value(name, i).map_or(Value::Null, |v| v.0)).collect();
            if values.iter().all(|v| matches!(v, Value::Bool(_) | Value::Null))
                && values.iter().any(|v| matches!(v, Value::Bool(_)))
            {
                let bools = values.iter().map(|v| if let Value::Bool(b) = v { Some(*b) } else { None });
                return column::bools(name, bools);
            }
            if values.iter().any(|v| matches!(v, Value::Number(_))) {
                let numbers = values.iter().map(|v| if let Value::Number(x) = v { Some(*x) } else { None });
                return Series::new(label, numbers.collect::<Vec<Option<f64>>>());
            }
            if values.iter().any(|v| matches!(v, Value::Text(_))) {
                let texts = values.iter().map(|v| if let Value::Text(t) = v { Some(t.as_str()) } else { None });
                return Series::new(label, texts.collect::<Vec<Option<&str>>>());
            }
            return Series::full_null(label, self.rows.len(), &polars::prelude::DataType::Null);
        }
        if name == "source_record" {
            let numbers = self.findings.iter().map(|f| f.finding.source_record as f64);
            return Series::new(label, numbers.collect::<Vec<f64>>());
        }
        Series::new(label, self.findings.iter().map(|f| column_of(&f.finding, name)).collect::<Vec<&str>>())
    }
}

/// A text column of a finding.
fn column_of<'f>(f: &'f Finding, name: &str) -> &'f str {
    match name {
        "finding_id" => &f.finding_id,
        "check" => &f.check,
        "control" => &f.control,
        "severity" => f.severity.as_str(),
        "state" => "open",
        "subject_kind" => &f.subject_kind,
        "subject" => &f.subject,
        "system" => &f.system,
        "occurred_at" => &f.occurred_at,
        "action" => &f.action,
        "target" => &f.target,
        "identity" => &f.identity,
        "identity_name" => &f.identity_name,
        "tier" => &f.tier,
        "executor" => &f.executor,
        "approver" => &f.approver,
        "ticket" => &f.ticket,
        "source_file" => &f.source_file,
        _ => "",
    }
}

/// First 16 hex digits of SHA-256 of check, subject kind, folded system and subject joined by line feeds.
pub fn finding_id(check: &str, kind: SubjectKind, system: &str, subject: &str) -> SmolStr {
    let mut digest = Sha256::new();
    for part in [check, "\n", kind.as_str(), "\n", &crate::text::fold(system), "\n", subject] {
        digest.update(part);
    }
    let mut id = [0; 16];
    hex::encode_to_slice(&digest.finalize()[..8], &mut id).expect("two digits for each of eight bytes");
    SmolStr::new(std::str::from_utf8(&id).expect("hexadecimal digits"))
}

impl<'j> Judge<'j> {
    /// Judges every reset of the period and every credential of the inventory.
    pub fn run(&self) -> Judged {
        let mut judged = self.empty();
        let world = self.world;
        let position = |id: &String| self.catalogue.checks.iter().position(|c| c.id == *id);
        let positions = |ids: &Vec<String>| ids.iter().filter_map(position).collect::<Vec<usize>>();
        let common = Common {
            direct: self
                .frameworks
                .iter()
                .map(|f| f.requirements.iter().map(|r| positions(&r.direct)).collect())
                .collect(),
            checks: self.catalogue.checks.iter().map(|check| Heading::of(check, self)).collect(),
        };
        let resets = world.resets.par_chunks(turn(world.resets.len())).map(|rows| {
            let mut part = self.empty();
            for rows in rows.chunks(BLOCK) {
                let block = Resets(rows.iter().map(|&r| ResetSubject::new(world, r as usize)).collect());
                let marks = self.block(&block, &common, &mut part);
                self.sketch(&block, &marks, &mut part);
            }
            part
        });
        let credentials =
            world.settled.credential_rows.par_chunks(turn(world.settled.credential_rows.len())).map(|rows| {
                let mut part = self.empty();
                for rows in rows.chunks(BLOCK) {
                    let subjects = rows.iter().map(|&r| CredentialSubject::new(world, r as usize)).collect();
                    self.block(&Credentials(subjects), &common, &mut part);
                }
                part
            });
        // Side by side, so that nobody waits for the last resets.
        let (resets, credentials) = rayon::join(|| resets.collect::<Vec<_>>(), || credentials.collect::<Vec<_>>());
        let mut found = Vec::with_capacity(resets.len() + credentials.len());
        for mut part in resets.into_iter().chain(credentials) {
            found.push(std::mem::take(&mut part.found));
            judged.join(part);
        }
        judged.found = sorted(found);
        judged
    }

    fn empty(&self) -> Judged {
        Judged {
            checks: vec![Counts::default(); self.catalogue.checks.len()],
            missing: vec![BTreeMap::new(); self.catalogue.checks.len()],
            short: vec![BTreeMap::new(); self.catalogue.checks.len()],
            beyond: vec![BTreeMap::new(); self.catalogue.checks.len()],
            controls: vec![Counts::default(); Control::ALL.len()],
            requirements: self.frameworks.iter().map(|f| vec![Counts::default(); f.requirements.len()]).collect(),
            waivers: vec![(0, 0); self.waivers.len()],
            sketch: Sketch { hours: vec![vec![0; 24]; 7], desk_hours: vec![vec![0; 24]; 7], ..Sketch::default() },
            ..Judged::default()
        }
    }

    /// Adds what the checks say of a block; the marks of each check over its subjects.
    fn block<B: Block>(&self, block: &B, common: &Common, out: &mut Judged) -> Vec<Option<Marks>> {
        let columns = Cached::new(block);
        let n = block.len();
        // Many requirements share a scope.
        let mut distinct: BTreeMap<&str, Rc<Scope>> = BTreeMap::new();
        let mut scope = |r: &'j Requirement| {
            let predicate = r.scope_of(B::KIND)?;
            let of = || Scope::of(&predicate.eval(&columns));
            Some(distinct.entry(predicate.text()).or_insert_with(of).clone())
        };
        let scopes: Vec<Vec<_>> =
            self.frameworks.iter().map(|f| f.requirements.iter().map(&mut scope).collect()).collect();
        let mut extents = Lacking { extents: block.extents(), by_width: BTreeMap::new() };
        let mut marks: Vec<Option<Marks>> = vec![None; self.catalogue.checks.len()];
        let checks = self.catalogue.checks.iter().enumerate().filter(|(_, check)| check.subject == B::KIND);
        let applies: Vec<Known> = checks.clone().map(|(_, check)| Known::of(&check.applies.eval(&columns))).collect();
        columns.ask(checks.clone().map(|(_, check)| check).zip(&applies));
        for ((c, check), applies) in checks.zip(&applies) {
            let mut of_check = Marks::of(applies, &Known::of(&check.fails.eval(&columns)), n);
            let heading = &common.checks[c];
            self.failures(block, (check, heading), &columns, &scopes, &mut of_check, out);
            self.indeterminate(check, &columns, applies, &of_check, &mut out.missing[c]);
            self.uncovered(block, check, &of_check, &mut extents, (&mut out.short[c], &mut out.beyond[c]));
            of_check.tally(&mut out.checks[c]);
            marks[c] = Some(of_check);
        }
        self.aggregate(&common.direct, &scopes, &marks, out);
        if self.keep == Keep::Subjects {
            self.subjects(block, &marks, out);
        }
        marks
    }

    fn severities<B: Block>(
        &self,
        check: &Check,
        columns: &Cached<'_, B>,
    ) -> (Severity, Option<(BooleanChunked, Severity)>) {
        match (self.world.policy.severity.get(&check.id), &check.escalate) {
            // The house's own word is final.
            (Some(own), _) => (*own, None),
            (None, Some(e)) => (check.severity, Some((e.when.eval(columns), e.to))),
            (None, None) => (check.severity, None),
        }
    }

    fn failures<B: Block>(
        &self,
        block: &B,
        (check, heading): (&Check, &Heading),
        columns: &Cached<'_, B>,
        scopes: &Scopes,
        marks: &mut Marks,
        out: &mut Judged,
    ) {
        let rows: Vec<usize> = ones(marks.with(Mark::Failed)).collect();
        if rows.is_empty() {
            return;
        }
        let (severity, escalation) = self.severities(check, columns);
        let mut because = String::new();
        let mut found: Vec<Found> = rows
            .iter()
            .map(|&i| {
                let d = block.describe(i);
                let severity = match &escalation {
                    Some((when, to)) if when.get(i) == Some(true) => *to,
                    _ => severity,
                };
                let mut finding = Finding {
                    finding_id: finding_id(&check.id, B::KIND, &d.system, &d.subject),
                    check: heading.id.clone(),
                    control: SmolStr::new_static(check.control.id()),
                    severity,
                    state: FindingState::Open,
                    subject_kind: SmolStr::new_static(B::KIND.as_str()),
                    subject: d.subject,
                    system: d.system,
                    occurred_at: d.at.map(|at| SmolStr::from(time::format_instant(at))).unwrap_or_default(),
                    action: d.action,
                    target: d.target,
                    identity: d.identity,
                    identity_name: d.identity_name,
                    tier: d.tier,
                    executor: d.executor,
                    approver: d.approver,
                    ticket: d.ticket,
                    because: SmolStr::default(),
                    evidence: Evidence::of(&heading.facts, |name| {
                        block.value(name, i).map_or(Told::Null, |v| v.0.told())
                    }),
                    requirements: heading.requirements.clone(),
                    source_file: d.source_file,
                    source_record: d.source_record,
                    waiver: SmolStr::default(),
                    contextual: Arc::default(),
                };
                because.clear();
                check.because.render(&mut because, |name| self.say(block, i, &finding, name));
                finding.because = SmolStr::new(&because);
                Found { finding, at: d.at, key: d.key }
            })
            .collect();
        self.waive(block, check, &rows, &mut found, out);
        self.contextual(scopes, heading, &rows, &mut found);
        for (&i, f) in rows.iter().zip(&found) {
            if f.finding.state == FindingState::Waived {
                marks.waive(i);
            }
        }
        out.found.append(&mut found);
    }

    /// A placeholder of a sentence.
    fn say<'f, B: Block>(&self, block: &B, i: usize, finding: &'f Finding, name: &str) -> Cow<'f, str> {
        if let Some(policy) = name.strip_prefix(':') {
            let value = self.world.policy.scalar(policy).map_or(Value::Null, Value::Number);
            return Cow::Owned(value.words(policy_unit(policy)));
        }
        if let Some((value, unit)) = block.value(name, i) {
            return Cow::Owned(value.words(unit));
        }
        match column_of(finding, name) {
            "" => Cow::Borrowed("not reported"),
            text => Cow::Borrowed(text),
        }
    }

    fn waive<B: Block>(&self, block: &B, check: &Check, rows: &[usize], found: &mut [Found], out: &mut Judged) {
        for (w, waiver) in self.waivers.iter().enumerate() {
            let Some(predicate) = waiver.predicate(&check.id, B::KIND) else { continue };
            let matches = predicate.eval(&Failing { block, rows, findings: found });
            let matches: Vec<bool> = matches.iter().map(|m| m == Some(true)).collect();
            for (f, _) in found.iter_mut().zip(matches).filter(|(_, m)| *m) {
                out.waivers[w].0 += 1;
                *out.waived_by_check.entry((w, check.id.clone())).or_default() += 1;
                if waiver.state == State::Active && f.finding.state == FindingState::Open {
                    f.finding.state = FindingState::Waived;
                    f.finding.waiver = SmolStr::new(&waiver.rule.id);
                    out.waivers[w].1 += 1;
                }
            }
        }
    }

    /// Names the requirements whose scope leaves a failing subject out. Where the scope cannot tell, it leaves nobody out.
    fn contextual(&self, scopes: &Scopes, heading: &Heading, rows: &[usize], found: &mut [Found]) {
        let scoped: Vec<&Scope> = heading.scoped.iter().filter_map(|&(f, r, _)| scopes[f][r].as_deref()).collect();
        // Of thousands of subjects most are left out of the same ones.
        let (mut left_out, mut last) = (Vec::new(), None::<(Vec<usize>, Arc<[String]>)>);
        for (&row, f) in rows.iter().zip(found) {
            left_out.clear();
            left_out.extend((0..scoped.len()).filter(|&s| scoped[s].leaves_out(row)));
            f.finding.contextual = match &last {
                Some((of, list)) if *of == left_out => list.clone(),
                _ => {
                    let list = heading.contextual(&left_out);
                    last = Some((left_out.clone(), list.clone()));
                    list
                }
            };
        }
    }

    /// For want of which facts subjects could not be judged.
    fn indeterminate<B: Block>(
        &self,
        check: &Check,
        columns: &Cached<'_, B>,
        applies: &Known,
        marks: &Marks,
        missing: &mut BTreeMap<String, u64>,
    ) {
        let unsure = marks.with(Mark::Indeterminate);
        if unsure.iter().all(|word| *word == 0) {
            return;
        }
        let of = |(unsure, known): (&u64, &u64)| (unsure & !known, unsure & known);
        let (of_applies, of_fails): (Bits, Bits) = unsure.iter().zip(&applies.known).map(of).unzip();
        for (rows, predicate) in [(of_applies, &check.applies), (of_fails, &check.fails)] {
            if rows.iter().all(|word| *word == 0) {
                continue;
            }
            // Where no feed carries an action, that alone is named.
            let (feeds, facts): (Vec<_>, Vec<_>) = predicate.names().iter().partition(|n| n.ends_with("_observed"));
            let mut others = rows.clone();
            for name in feeds {
                let gap = columns.gap(name);
                count(missing, name, both(&rows, &gap));
                others.iter_mut().zip(&*gap).for_each(|(other, gap)| *other &= !gap);
            }
            for name in facts {
                count(missing, name, both(&others, &columns.gap(name)));
            }
        }
    }

    /// Where a check looks at more of a log than there is: subjects that could not be judged for it, and passes that rest on a
    /// table which may have been cut there.
    fn uncovered<B: Block>(
        &self,
        block: &B,
        check: &Check,
        marks: &Marks,
        extents: &mut Lacking,
        (short, beyond): (&mut BTreeMap<Short, u64>, &mut BTreeMap<Short, u64>),
    ) {
        for fact in check.fails.names() {
            let Some(width) = coverage::looks(fact, self.world.policy) else { continue };
            for found in ones(marks.with(Mark::Indeterminate)).filter_map(|i| block.short(fact, i)) {
                *short.entry(found).or_default() += 1;
            }
            // Who was active long ago is dormant for all that a table tells; who passes was active of late.
            if fact != "days_inactive" {
                for (found, rows) in extents.of(width) {
                    count(beyond, found, both(rows, marks.with(Mark::Passed)));
                }
            }
        }
    }

    fn aggregate(&self, direct: &Direct, scopes: &Scopes, marks: &[Option<Marks>], out: &mut Judged) {
        for (k, control) in Control::ALL.iter().enumerate() {
            let checks = &self.catalogue.checks;
            if let Some(all) = Marks::worst(marks, (0..checks.len()).filter(|&c| checks[c].control == *control)) {
                all.tally(&mut out.controls[k]);
            }
        }
        for (f, framework) in self.frameworks.iter().enumerate() {
            for r in 0..framework.requirements.len() {
                let Some(all) = Marks::worst(marks, direct[f][r].iter().copied()) else { continue };
                let counts = &mut out.requirements[f][r];
                match &scopes[f][r] {
                    Some(scope) => all.tally_within(scope, counts),
                    None => all.tally(counts),
                }
            }
        }
    }

    fn subjects<B: Block>(&self, block: &B, marks: &[Option<Marks>], out: &mut Judged) {
        for i in 0..block.len() {
            let d = block.describe(i);
            let verdict = |(c, check): (usize, &Check)| {
                let word = match marks[c].as_ref()?.get(i) {
                    Mark::NotApplicable => "not-applicable",
                    Mark::Passed => "pass",
                    Mark::Indeterminate => "indeterminate",
                    Mark::Waived => "waived",
                    Mark::Failed => "fail",
                };
                Some((check.id.clone(), word.to_owned()))
            };
            out.subjects.push(Subject {
                subject_kind: B::KIND.as_str().to_owned(),
                subject: d.subject.into(),
                system: d.system.into(),
                occurred_at: d.at.map(time::format_instant).unwrap_or_default(),
                target: d.target.into(),
                identity: d.identity.into(),
                facts: block.facts(i),
                verdicts: self.catalogue.checks.iter().enumerate().filter_map(verdict).collect(),
                sources: block.sources(i),
            });
        }
    }

    fn sketch(&self, block: &Resets<'_>, marks: &[Option<Marks>], part: &mut Judged) {
        let worst = Marks::worst(marks, 0..marks.len());
        let fact = |name: &str| reset_fact(name).expect("a fact of this crate");
        let (required, lead) = (fact("approval_required"), fact("approval_lead_minutes"));
        let (present, inactive) = (fact("approval_present"), fact("days_inactive"));
        let off_hours = fact("off_hours");
        let sketch = &mut part.sketch;
        for (i, s) in block.0.iter().enumerate() {
            let local = self.world.clock.local_parts(s.at);
            let events = &self.world.settled.events;
            let failed = worst.as_ref().is_some_and(|worst| worst.get(i) == Mark::Failed);
            let day = sketch.days.entry(local.date).or_default();
            *day = (day.0 + 1, day.1 + u64::from(failed));
            let (day, hour) = (local.weekday as usize, (local.micros_of_day / time::HOUR) as usize);
            sketch.hours[day][hour] += 1;
            if !s.automated && s.self_service != Some(true) {
                sketch.desk_hours[day][hour] += 1;
                sketch.desk_off_hours += u64::from(off_hours.value(s) == Value::Bool(true));
            }
            for lived in revocation::survivals(s) {
                let class = match lived {
                    revocation::Survival::Alive => 6,
                    revocation::Survival::Unknown => 7,
                    revocation::Survival::Minutes(m) => {
                        [0.0, 15.0, 60.0, 1440.0, 10_080.0].iter().position(|limit| m <= *limit).unwrap_or(5)
                    }
                };
                sketch.survival[class] += 1;
            }
            let required = required.value(s) == Value::Bool(true);
            if let (true, Value::Number(m)) = (required, lead.value(s)) {
                // A lead of exactly 0 is not late, one of exactly a day not older than a day.
                let late = [-1440.0, -60.0, 0.0].iter().position(|limit| m < *limit);
                let class = late.unwrap_or_else(|| {
                    [60.0, 480.0, 1440.0, 10_080.0].iter().position(|limit| m <= *limit).map_or(7, |i| i + 3)
                });
                sketch.lead[class] += 1;
            }
            let class = match inactive.value(s) {
                Value::Number(d) => [7.0, 30.0, 90.0, 365.0].iter().position(|limit| d <= *limit).unwrap_or(4),
                _ => 5,
            };
            sketch.dormancy[class] += 1;
            let executor = events.text(event::EXECUTOR, s.row);
            if executor != EMPTY && s.self_service != Some(true) && !s.automated {
                let bar = sketch.executors.entry(self.world.settled.texts.folded(executor)).or_default();
                let unapproved = required && present.value(s) == Value::Bool(false);
                *bar = (bar.0 + 1, bar.1 + u64::from(unapproved));
            }
        }
    }
}

/// What all blocks have in common.
struct Common {
    /// See [`Direct`].
    direct: Vec<Vec<Vec<usize>>>,
    /// By check.
    checks: Vec<Heading>,
}

/// What all findings of a check share, so that a million of them hold it once.
struct Heading {
    id: SmolStr,
    /// The facts that are its evidence.
    facts: Arc<[SmolStr]>,
    requirements: Arc<[String]>,
    /// Requirements with a scope that it is evidence for: framework, place in it, `framework:id`.
    scoped: Vec<(usize, usize, String)>,
    /// By which of these leave a subject out: their names.
    contextual: Mutex<BTreeMap<Vec<usize>, Arc<[String]>>>,
}

impl Heading {
    fn of(check: &Check, judge: &Judge<'_>) -> Heading {
        let mut scoped = Vec::new();
        for (f, framework) in judge.frameworks.iter().enumerate() {
            for (r, requirement) in framework.requirements.iter().enumerate() {
                let names = requirement.direct.iter().chain(&requirement.supporting).any(|id| *id == check.id);
                if names && requirement.scope_of(check.subject).is_some() {
                    scoped.push((f, r, format!("{}:{}", framework.id, requirement.id)));
                }
            }
        }
        Heading {
            id: SmolStr::new(&check.id),
            facts: check.facts(judge.registry).into_iter().map(SmolStr::from).collect(),
            requirements: judge.requirements.get(&check.id).map(|r| r.as_slice().into()).unwrap_or_default(),
            scoped,
            contextual: Mutex::default(),
        }
    }

    fn contextual(&self, left_out: &[usize]) -> Arc<[String]> {
        let mut lists = self.contextual.lock().expect("nobody panics while holding it");
        let list = |of: &Vec<usize>| of.iter().map(|&s| self.scoped[s].2.clone()).collect();
        lists.entry(left_out.to_vec()).or_insert_with_key(list).clone()
    }
}

/// By framework and requirement the checks that are direct evidence, as positions in the catalogue.
type Direct = [Vec<Vec<usize>>];

/// By framework and requirement which subjects of a block its scope takes in; null where it has none.
type Scopes = [Vec<Option<Rc<Scope>>>];

/// What tables do not hold of the time around the subjects of a block.
struct Lacking {
    /// Of each subject.
    extents: Vec<Option<Extent>>,
    /// By how far is looked before and after: who lacks what.
    by_width: BTreeMap<(i64, i64), BTreeMap<Short, Bits>>,
}

impl Lacking {
    fn of(&mut self, width: (i64, i64)) -> &BTreeMap<Short, Bits> {
        let extents = &self.extents;
        self.by_width.entry(width).or_insert_with(|| {
            let mut lacking: BTreeMap<Short, Bits> = BTreeMap::new();
            for (i, extent) in extents.iter().enumerate() {
                if let Some(short) = extent.and_then(|extent| extent.lacks(width)) {
                    let bits = lacking.entry(short).or_insert_with(|| vec![0; extents.len().div_ceil(64)]);
                    bits[i / 64] |= 1 << (i % 64);
                }
            }
            lacking
        })
    }
}

/// In report order: by severity, instant, check, system and subject.
///
/// Findings are large and there may be a million: their order is sorted, and each is then moved once.
fn sorted(parts: Vec<Vec<Found>>) -> Vec<Found> {
    let first = |f: &Found| (f.finding.severity, f.at.unwrap_or(i64::MIN));
    let places = |(p, part): (u32, &Vec<Found>)| (0..part.len() as u32).map(|i| (p, i)).collect::<Vec<_>>();
    let get = |(p, i): (u32, u32)| &parts[p as usize][i as usize];
    let rest = |place: (u32, u32)| {
        let f = &get(place).finding;
        (&f.check, &f.system, &f.subject, &f.source_file, f.source_record)
    };
    let mut order: Vec<_> = (0..).zip(&parts).flat_map(places).map(|place| (first(get(place)), place)).collect();
    order.par_sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| rest(a.1).cmp(&rest(b.1))));
    let mut parts: Vec<Vec<Option<Found>>> =
        parts.into_iter().map(|part| part.into_iter().map(Some).collect()).collect();
    let mut found = Vec::with_capacity(order.len());
    found.extend(order.into_iter().filter_map(|(_, (p, i))| parts[p as usize][i as usize].take()));
    found
}

fn count<K: Ord + Clone>(counts: &mut BTreeMap<K, u64>, of: &K, n: u64) {
    if n > 0 {
        *counts.entry(of.clone()).or_default() += n;
    }
}

fn add(a: &mut Counts, b: &Counts) {
    a.population += b.population;
    a.not_applicable += b.not_applicable;
    a.passed += b.passed;
    a.failed += b.failed;
    a.waived += b.waived;
    a.indeterminate += b.indeterminate;
}

impl Judged {
    fn join(&mut self, mut part: Judged) {
        self.checks.iter_mut().zip(&part.checks).for_each(|(a, b)| add(a, b));
        self.controls.iter_mut().zip(&part.controls).for_each(|(a, b)| add(a, b));
        for (a, b) in self.requirements.iter_mut().flatten().zip(part.requirements.iter().flatten()) {
            add(a, b);
        }
        for (a, b) in self.missing.iter_mut().zip(part.missing) {
            for (name, n) in b {
                *a.entry(name).or_default() += n;
            }
        }
        let cut = self.short.iter_mut().chain(&mut self.beyond).zip(part.short.into_iter().chain(part.beyond));
        for (a, b) in cut {
            for (short, n) in b {
                *a.entry(short).or_default() += n;
            }
        }
        for (a, b) in self.waivers.iter_mut().zip(&part.waivers) {
            *a = (a.0 + b.0, a.1 + b.1);
        }
        for (key, n) in part.waived_by_check {
            *self.waived_by_check.entry(key).or_default() += n;
        }
        self.found.append(&mut part.found);
        self.subjects.append(&mut part.subjects);
        let (a, b) = (&mut self.sketch, part.sketch);
        for (day, n) in b.days {
            let sum = a.days.entry(day).or_default();
            *sum = (sum.0 + n.0, sum.1 + n.1);
        }
        for (x, y) in a.hours.iter_mut().flatten().zip(b.hours.iter().flatten()) {
            *x += y;
        }
        for (x, y) in a.desk_hours.iter_mut().flatten().zip(b.desk_hours.iter().flatten()) {
            *x += y;
        }
        a.desk_off_hours += b.desk_off_hours;
        a.survival.iter_mut().zip(b.survival).for_each(|(x, y)| *x += y);
        a.lead.iter_mut().zip(b.lead).for_each(|(x, y)| *x += y);
        a.dormancy.iter_mut().zip(b.dormancy).for_each(|(x, y)| *x += y);
        for (executor, n) in b.executors {
            let sum = a.executors.entry(executor).or_default();
            *sum = (sum.0 + n.0, sum.1 + n.1);
        }
    }
}
