//! From verdicts to the assessment: everything a report says, worked out once.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::{HashMap, HashSet};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::model::*;
use super::{coverage, plan};
use crate::assess::engine::{Found, Sketch};
use crate::assess::framework::{Framework, Requirement};
use crate::assess::waiver::{self, State as InForce};
use crate::check::catalogue::Check;
use crate::check::{Control, SubjectKind};
use crate::fact::{credential_facts, policy_unit, reset_facts};
use crate::identity::{Identity, Key, Kind};
use crate::run::{InputHash, Work};
use crate::settle::SINCE_EVER;
use crate::source::Input as SourceInput;
use crate::table::{Table, event, person, ticket, workload};
use crate::text::{EMPTY, TextId, fold};
use crate::time;

/// Everything that the renderers need.
pub struct Built {
    /// The assessment.
    pub assessment: Assessment,
    /// Every finding, in report order.
    pub findings: Vec<Finding>,
    /// Every rejected record.
    pub rejected: Vec<Rejected>,
    /// Every subject that was kept.
    pub subjects: Vec<Subject>,
}

/// What the counts of the judgement make, beside what is told of single findings.
struct Verdicts {
    checks: Vec<CheckResult>,
    controls: Vec<ControlResult>,
    frameworks: Vec<FrameworkResult>,
    data_quality: Vec<DataQuality>,
    waivers: Vec<WaiverResult>,
    inputs: Vec<Input>,
    plan: Vec<Remedy>,
}

/// How many examples a data-quality entry shows.
const EXAMPLES: usize = 5;

/// Builds the assessment.
///
/// # Errors
/// When `--identity` names nobody: whom it may have meant, as many as a line holds.
pub fn build(mut work: Work<'_>) -> Result<Built, Vec<String>> {
    let limit = match &work.request.identity {
        Some(name) => Some(keys_of(&work, name).ok_or_else(|| near(&work, name))?),
        None => None,
    };
    let subjects = std::mem::take(&mut work.judged.subjects);
    let mut found = std::mem::take(&mut work.judged.found);
    let open = open(&found);
    if let Some(keys) = &limit {
        found.retain(|f| keys.contains(&f.key));
    }
    let totals = totals(&found);
    let verdicts = || {
        let spans = spans(&work);
        let checks = checks(&work);
        let inputs = input_results(&work, &spans);
        Verdicts {
            controls: controls(&work, &checks, &open),
            frameworks: work.frameworks.iter().enumerate().map(|(i, f)| framework(&work, i, f, &checks)).collect(),
            data_quality: data_quality(&work, &checks, &spans),
            waivers: waivers(&work, &checks),
            plan: plan::plan(&checks, &inputs, &work.sources, coverage::wanted(&work)),
            checks,
            inputs,
        }
    };
    let ((verdicts, population), ((identities, identities_concerned), (lineage, lineage_omitted))) = rayon::join(
        || rayon::join(verdicts, || population(&work)),
        || rayon::join(|| stories(&work, &found, limit.as_ref()), || lineage(&work, &found)),
    );
    let Verdicts { checks, controls, frameworks, data_quality, waivers, inputs, plan } = verdicts;
    let mut assessment = Assessment {
        schema_version: SCHEMA_VERSION,
        tool: Tool { name: "regrant".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        run: run(&work),
        inputs,
        skipped: work
            .world
            .settled
            .skipped
            .iter()
            .map(|(path, reason)| Skipped { path: path.clone(), reason: reason.clone() })
            .collect(),
        population,
        checks,
        controls,
        frameworks,
        totals,
        data_quality,
        waivers,
        series: Series { lineage, lineage_omitted, ..series(&work) },
        identities,
        identities_concerned,
        limited_to: work.request.identity.clone(),
        overrides: work.mappings.overrides(),
        changes: None,
        baseline: None,
        plan,
        coverage: coverage::logs(&work),
    };
    assessment.run.digest = digest(&work, &assessment);
    let rejected = work
        .world
        .settled
        .rejected
        .iter()
        .map(|r| Rejected {
            file: work.world.settled.inputs[r.file as usize].path.clone(),
            record: u64::from(r.record),
            reason: r.reason.clone(),
            excerpt: r.excerpt.clone(),
        })
        .collect();
    Ok(Built { assessment, findings: found.into_iter().map(|f| f.finding).collect(), rejected, subjects })
}

fn keys_of(work: &Work<'_>, name: &str) -> Option<BTreeSet<Key>> {
    let world = work.world;
    let mut keys = BTreeSet::new();
    if let Some(id) = world.lookup_text(name).one() {
        keys.insert(id);
    }
    let text = world.settled.texts.find(&fold(name));
    if text != EMPTY {
        keys.insert(world.register.identities.len() as Key + text);
    }
    let exists = |k: &Key| {
        world.register.identity_of(*k).is_some() || world.target_key.contains(k) || world.executor_key.contains(k)
    };
    keys.retain(exists);
    if keys.is_empty() {
        // What the report calls them, where nobody else is called so.
        let mut so = called(work, |display| display == fold(name));
        keys.extend(so.next().filter(|_| so.next().is_none()).map(|(key, _)| key));
    }
    (!keys.is_empty()).then_some(keys)
}

/// Identities whose folded display name is one that `is` wanted.
fn called<'w>(work: &'w Work<'_>, is: impl Fn(&str) -> bool + 'w) -> impl Iterator<Item = (Key, &'w Identity)> + 'w {
    let texts = &work.world.settled.texts;
    let all = work.world.register.identities.iter().zip(0 as Key..);
    all.filter(move |(identity, _)| identity.name != EMPTY && is(&fold(&texts.get(identity.name))))
        .map(|(identity, key)| (key, identity))
}

/// Whom somebody may have meant who typed a part of a display name.
fn near(work: &Work<'_>, name: &str) -> Vec<String> {
    const SHOWN: usize = 3;
    let (texts, part) = (&work.world.settled.texts, fold(name));
    let like = called(work, |display| !part.trim().is_empty() && display.contains(&part));
    like.take(SHOWN).map(|(_, one)| format!("{} ({})", texts.get(one.name), texts.get(one.id))).collect()
}

fn run(work: &Work<'_>) -> Run {
    let config = &work.request.config;
    let policy = config.policy.to_value();
    Run {
        as_of: time::format_instant(work.request.as_of),
        as_of_source: work.request.as_of_source.to_owned(),
        since: config.since.map(time::format_instant),
        until: config.until.map(time::format_instant),
        timezone: config.timezone.map(|z| z.name().to_owned()),
        title: config.title.clone(),
        policy_sha256: hex::encode(Sha256::digest(policy.to_string().as_bytes())),
        policy,
        policy_changed: config.policy.changed.clone(),
        mappings_sha256: work.mappings.sha256(),
        digest: String::new(),
    }
}

/// Over input hashes, config, mappings, version and `as_of`.
fn digest(work: &Work<'_>, assessment: &Assessment) -> String {
    let mut hasher = Sha256::new();
    for (input, hash) in assessment.inputs.iter().zip(&work.hashes) {
        hasher.update(format!("{}\t{}\t{}\n", input.path, input.bytes, hash.as_deref().unwrap_or("-")));
    }
    // Which formats are written, and for whom, says nothing of what was found: the same run rendered otherwise is the
    // same run.
    let rendering = |line: &&str| line.starts_with("formats = ") || line.starts_with("view = ");
    for line in work.run_toml.split_inclusive('\n').filter(|line| !rendering(line)) {
        hasher.update(line);
    }
    let run = &assessment.run;
    let identity = work.request.identity.as_deref().unwrap_or("");
    hasher.update(format!("\n{}\n{}\n{}\n{identity}", run.mappings_sha256, assessment.tool.version, run.as_of));
    hex::encode(hasher.finalize())
}

fn input_results(work: &Work<'_>, spans: &[Span]) -> Vec<Input> {
    let one = |(i, input): (usize, &SourceInput)| {
        let reported = input.reports.iter().flat_map(|(table, mask)| {
            let several = input.reports.len() > 1;
            table.columns().iter().enumerate().filter(move |(c, _)| mask >> c & 1 == 1).map(move |(_, column)| {
                if several { format!("{}.{}", table.name(), column.name) } else { column.name.to_owned() }
            })
        });
        let hash = work.hashes[i].clone();
        let (sha256, blake3) = match work.request.input_hash {
            InputHash::Blake3 => (None, hash),
            _ => (hash, None),
        };
        Input {
            path: input.path.clone(),
            sha256,
            blake3,
            bytes: input.bytes,
            mapping: input.mapping.clone(),
            recognised_by: input.recognised_by.clone(),
            table: input.table().map_or("", Table::name).to_owned(),
            tables: input
                .reports
                .keys()
                .map(|t| (t.name().to_owned(), input.rows.get(t).copied().unwrap_or(0)))
                .collect(),
            read: input.read,
            accepted: input.accepted,
            out_of_scope: input.out_of_scope,
            merged: input.merged,
            duplicates: input.duplicates,
            rejected: input.rejected,
            reported_columns: reported.collect(),
            ignored_columns: input.ignored_columns.clone(),
            first_at: spans[i].map(|s| time::format_instant(s.0)),
            last_at: spans[i].map(|s| time::format_instant(s.1)),
            naive_zone: input.naive_zone.clone(),
            naive_zone_assumed: input.naive_zone.is_some() && input.zone_assumed,
            expected_records: input.expected_records,
            snapshot: input.snapshot.map(|d| d.to_string()),
            rejected_reasons: input.rejected_reasons.clone(),
            out_of_scope_reasons: input.out_of_scope_reasons.clone(),
        }
    };
    work.world.settled.inputs.iter().enumerate().map(one).collect()
}

/// The earliest and the latest instant of an input's rows; null when none has one.
type Span = Option<(i64, i64)>;

/// The span of every input.
fn spans(work: &Work<'_>) -> Vec<Span> {
    let settled = work.world.settled;
    let none = || vec![None; settled.inputs.len()];
    let widen = |span: &mut Span, (from, until): (i64, i64)| {
        let span = span.get_or_insert((from, until));
        *span = (span.0.min(from), span.1.max(until));
    };
    let mut spans: Vec<Span> = none();
    for rows in [&settled.events, &settled.credentials, &settled.accounts, &settled.tickets] {
        let Some(clock) = rows.table.clock() else { continue };
        let one = |mut spans: Vec<Span>, row: usize| {
            if let Some(t) = rows.instant(clock, row) {
                widen(&mut spans[rows.file(row) as usize], (t, t));
            }
            spans
        };
        let parts: Vec<Vec<Span>> = (0..rows.len()).into_par_iter().with_min_len(1 << 16).fold(none, one).collect();
        for part in parts {
            spans.iter_mut().zip(part).for_each(|(span, own)| {
                if let Some(own) = own {
                    widen(span, own);
                }
            });
        }
    }
    spans
}

fn population(work: &Work<'_>) -> Population {
    let (world, settled) = (work.world, work.world.settled);
    let mut out = Population {
        resets: world.resets.len() as u64,
        credentials: settled.credential_rows.len() as u64,
        identities: world.register.identities.len() as u64,
        people: world.register.people as u64,
        workloads: (world.register.identities.len() - world.register.people) as u64,
        events: settled.event_rows.len() as u64,
        accounts: settled.account_rows.len() as u64,
        tickets: settled.ticket_rows.len() as u64,
        ..Population::default()
    };
    let kind = |row: usize| match world.register.identity_of(world.target_key[row]) {
        Some(id) => world.standing[id as usize].kind(),
        None => {
            crate::fact::reset::word(event::KINDS, settled.events.code(event::TARGET_KIND, row)).unwrap_or("unknown")
        }
    };
    let count = |rows: &[u32]| {
        let mut counts: HashMap<(u8, TextId, &str), u64> = HashMap::new();
        for row in rows.iter().map(|&r| r as usize) {
            let key = (settled.events.code(event::ACTION, row), settled.events.text(event::SYSTEM, row), kind(row));
            *counts.entry(key).or_default() += 1;
        }
        counts
    };
    let parts: Vec<_> = world.resets.par_chunks(1 << 16).map(count).collect();
    for ((action, system, kind), n) in parts.into_iter().flatten() {
        let name = event::ACTIONS[action as usize - 1];
        *out.resets_by_action.entry(name.to_owned()).or_default() += n;
        *out.resets_by_system.entry(settled.texts.get(system).to_string()).or_default() += n;
        *out.resets_by_target_kind.entry(kind.to_owned()).or_default() += n;
    }
    out
}

/// Could the inputs have shown a subject at all?
fn able(work: &Work<'_>, subject: SubjectKind) -> bool {
    let world = work.world;
    match subject {
        SubjectKind::Credential => world.has(Table::Credential),
        SubjectKind::Reset => world.settled.event_rows.iter().any(|&r| world.is_reset(r as usize)),
    }
}

fn standing(counts: &Counts, able: bool) -> Standing {
    if counts.failed + counts.waived > 0 {
        Standing::Fail
    } else if counts.indeterminate > 0 || counts.population == 0 && !able {
        Standing::CannotConclude
    } else if counts.passed > 0 {
        Standing::Pass
    } else {
        Standing::NotApplicable
    }
}

/// Facts by the tier: who is not known to be privileged is held to what is asked of others.
const BY_TIER: [&str; 4] = ["tier", "sensitive", "required_level", "token_limit_minutes"];
/// Further facts for which who is in no register is a stranger, or has never left.
const BY_REGISTER: [&str; 3] = ["target_kind", "revocation_sla_minutes", "approver_offboarded"];

/// Do passes of the check rest on a table?
fn rests_on(check: &Check, table: Table) -> bool {
    let names = |fact: &&str| [&check.applies, &check.fails].iter().any(|predicate| predicate.names().contains(*fact));
    match table {
        Table::Event => check.subject == SubjectKind::Reset,
        // A privileged credential or account makes its holder privileged.
        Table::Credential => {
            check.subject == SubjectKind::Credential
                || check.control == Control::Revocation
                || BY_TIER.iter().any(names)
        }
        Table::Ticket => check.control == Control::AuditTrail,
        Table::Person | Table::Workload | Table::Account => {
            check.control == Control::Eligibility
                || check.subject == SubjectKind::Credential
                || BY_TIER.iter().chain(&BY_REGISTER).any(names)
        }
    }
}

/// Inputs whose control total does not come out, by the checks whose passes rest on them.
fn short_inputs<'a>(work: &'a Work<'_>, check: &Check) -> Vec<&'a SourceInput> {
    let short = |i: &&SourceInput| i.expected_records.is_some_and(|n| n != i.read);
    let inputs = work.world.settled.inputs.iter();
    inputs.filter(short).filter(|i| i.reports.keys().any(|t| rests_on(check, *t))).collect()
}

fn checks(work: &Work<'_>) -> Vec<CheckResult> {
    let policy = &work.world.policy;
    let requirements = crate::assess::framework::requirements_by_check(work.frameworks);
    let one = |(c, check): (usize, &Check)| {
        let counts = work.judged.checks[c];
        let able = able(work, check.subject);
        let mut verdict = standing(&counts, able);
        let missing = &work.judged.missing[c];
        let mut inconclusive = None;
        if verdict == Standing::CannotConclude {
            inconclusive = Some(if counts.population == 0 {
                match check.subject {
                    SubjectKind::Reset => "no event with a reset action was supplied".to_owned(),
                    SubjectKind::Credential => "no credential inventory was supplied".to_owned(),
                }
            } else {
                let mut names: Vec<_> = missing.iter().collect();
                names.sort_by_key(|(name, n)| (std::cmp::Reverse(**n), (*name).clone()));
                let names: Vec<String> = names.iter().take(3).map(|(name, _)| (*name).clone()).collect();
                // Subjects whose applicability is not known are among those it may apply to.
                let concerned = counts.population - counts.not_applicable;
                format!(
                    "{} of {concerned} it applies to could not be judged: {}",
                    counts.indeterminate,
                    names.join(", ")
                ) + &coverage::because(work, c)
            });
        }
        let short = short_inputs(work, check);
        if verdict == Standing::Pass && !short.is_empty() {
            verdict = Standing::CannotConclude;
            let say = |i: &&SourceInput| {
                format!("{} has {} records, {} were expected", i.path, i.read, i.expected_records.unwrap_or_default())
            };
            inconclusive = Some(short.iter().map(say).collect::<Vec<_>>().join("; "));
        }
        let thresholds = check
            .applies
            .params()
            .union(check.fails.params())
            .filter_map(|name| {
                let value = crate::fact::Value::Number(policy.scalar(name)?);
                Some((name.clone(), serde_json::Value::String(value.words(policy_unit(name)))))
            })
            .collect();
        let own = policy.severity.get(&check.id).copied();
        CheckResult {
            id: check.id.clone(),
            title: check.title.clone(),
            control: check.control.id().to_owned(),
            subject: check.subject.as_str().to_owned(),
            severity: Some(own.unwrap_or(check.severity)),
            escalated: if own.is_some() { None } else { check.escalate.as_ref().map(|e| e.to) },
            verdict,
            counts,
            indeterminate_because: missing.clone(),
            inconclusive,
            uncovered: coverage::uncovered(work, c),
            applies: check.applies.text().to_owned(),
            fails: check.fails.text().to_owned(),
            thresholds,
            finds: check.finds.clone(),
            matters: check.matters.clone(),
            remedy: check.remedy.clone(),
            requirements: requirements.get(&check.id).cloned().unwrap_or_default(),
            origin: check.origin.clone(),
        }
    };
    work.catalogue.checks.iter().enumerate().map(one).collect()
}

/// Open findings by check and severity.
type OpenByCheck = BTreeMap<String, [u64; Severity::ALL.len()]>;

fn open(found: &[Found]) -> OpenByCheck {
    let count = |found: &[Found]| {
        let mut open: HashMap<String, [u64; Severity::ALL.len()]> = HashMap::new();
        for f in found.iter().filter(|f| f.finding.state == State::Open) {
            open.entry_ref(f.finding.check.as_str()).or_default()[f.finding.severity as usize] += 1;
        }
        open
    };
    let mut open = OpenByCheck::new();
    for (check, counts) in found.par_chunks(1 << 12).map(count).collect::<Vec<_>>().into_iter().flatten() {
        open.entry(check).or_default().iter_mut().zip(counts).for_each(|(all, n)| *all += n);
    }
    open
}

fn controls(work: &Work<'_>, checks: &[CheckResult], open: &OpenByCheck) -> Vec<ControlResult> {
    let one = |(k, control): (usize, &Control)| {
        let counts = work.judged.controls[k];
        let mine: Vec<&CheckResult> = checks.iter().filter(|c| c.control == control.id()).collect();
        let judged = counts.failed + counts.waived + counts.passed;
        // Most severe first, then most failures: compared as (open criticals, highs, …).
        let weight = |c: &&CheckResult| open.get(&c.id).copied().unwrap_or_default();
        let failing = mine.iter().copied().filter(|c| c.counts.failed + c.counts.waived > 0);
        let worst = failing.max_by(|a, b| weight(a).cmp(&weight(b)).then_with(|| b.id.cmp(&a.id)));
        ControlResult {
            id: control.id().to_owned(),
            title: control.statement().to_owned(),
            verdict: mine.iter().map(|c| c.verdict).min().unwrap_or(Standing::NotApplicable),
            counts,
            deviation_rate: (judged > 0).then(|| (counts.failed + counts.waived) as f64 / judged as f64),
            checks: mine.iter().map(|c| c.id.clone()).collect(),
            worst_check: worst.map(|c| c.id.clone()),
        }
    };
    Control::ALL.iter().enumerate().map(one).collect()
}

fn framework(work: &Work<'_>, i: usize, framework: &Framework, checks: &[CheckResult]) -> FrameworkResult {
    let requirement = |(r, q): (usize, &Requirement)| {
        let counts = work.judged.requirements[i][r];
        let direct: Vec<&CheckResult> = checks.iter().filter(|c| q.direct.contains(&c.id)).collect();
        let kinds = work.catalogue.checks.iter().filter(|c| q.direct.contains(&c.id)).map(|c| c.subject);
        let able = q.direct.is_empty() || kinds.into_iter().any(|k| able(work, k));
        let mut verdict = standing(&counts, able);
        let mut guarded = Vec::new();
        for guard in &q.guard {
            let value = work.world.policy.scalar(&guard.policy).unwrap_or(f64::NAN);
            if !guard.holds(value) {
                guarded.push(format!("{} is {value}: {}", guard.policy, guard.because));
            }
        }
        let unsure = direct.iter().any(|c| c.verdict == Standing::CannotConclude && c.counts.indeterminate == 0);
        if verdict == Standing::Pass && (!guarded.is_empty() || unsure) {
            verdict = Standing::CannotConclude;
        }
        RequirementResult {
            id: q.id.clone(),
            aliases: q.aliases.clone(),
            title: q.title.clone(),
            title_is: q.title_is.as_str().to_owned(),
            verdict,
            counts,
            direct: q.direct.clone(),
            supporting: q.supporting.clone(),
            limits: q.limits.clone(),
            scope: q.scope.as_ref().map(|p| p.text().to_owned()),
            scope_credential: q.scope_credential.as_ref().map(|p| p.text().to_owned()),
            status: q.status.clone(),
            provenance: q.provenance.clone(),
            nearest: q.nearest.clone(),
            contextual: q.contextual.clone(),
            guarded,
        }
    };
    FrameworkResult {
        id: framework.id.clone(),
        title: framework.title.clone(),
        publisher: framework.publisher.clone(),
        edition: framework.edition.clone(),
        licence: framework.licence.clone(),
        source: framework.source.clone(),
        note: framework.note.clone(),
        kind: framework.kind.as_str().to_owned(),
        leading: framework.order.is_some_and(|o| o <= 3),
        requirements: framework.requirements.iter().enumerate().map(requirement).collect(),
    }
}

fn totals(found: &[Found]) -> BTreeMap<Severity, Total> {
    let mut totals: BTreeMap<Severity, Total> = Severity::ALL.into_iter().map(|s| (s, Total::default())).collect();
    for f in found {
        let total = totals.entry(f.finding.severity).or_default();
        match f.finding.state {
            State::Open => total.open += 1,
            State::Waived => total.waived += 1,
        }
    }
    totals
}

fn waivers(work: &Work<'_>, checks: &[CheckResult]) -> Vec<WaiverResult> {
    let one = |(w, waiver): (usize, &waiver::Waiver<'_>)| {
        let (matched, turned) = work.judged.waivers[w];
        let broad = |id: &String| {
            let failures = checks.iter().find(|c| c.id == *id).map_or(0, |c| c.counts.failed + c.counts.waived);
            let mine = work.judged.waived_by_check.get(&(w, id.clone())).copied().unwrap_or(0);
            failures > 0 && mine as f64 > waiver::BROAD * failures as f64
        };
        let mut flags = Vec::new();
        if matched == 0 {
            flags.push("unused".to_owned());
        }
        if waiver.expiring(work.request.as_of) {
            flags.push("expiring".to_owned());
        }
        if waiver.state == InForce::Active && waiver.rule.checks.iter().any(broad) {
            flags.push("broad".to_owned());
        }
        WaiverResult {
            id: waiver.rule.id.clone(),
            state: waiver.state.as_str().to_owned(),
            flags,
            matched,
            waived: turned,
            checks: waiver.rule.checks.clone(),
            r#where: waiver.rule.where_.clone(),
            reason: waiver.rule.reason.clone(),
            requested_by: waiver.rule.requested_by.clone(),
            approved_by: waiver.rule.approved_by.clone(),
            starts_on: waiver.rule.starts_on.to_string(),
            expires_on: waiver.rule.expires_on.to_string(),
            expires_at: time::format_instant(waiver.ends),
        }
    };
    work.waivers.iter().enumerate().map(one).collect()
}

fn data_quality(work: &Work<'_>, checks: &[CheckResult], spans: &[Span]) -> Vec<DataQuality> {
    let (world, settled) = (work.world, work.world.settled);
    let texts = &settled.texts;
    let mut out = Vec::new();
    let with_facts = |names: &[&str]| -> Vec<String> {
        let uses = |c: &&Check| names.iter().any(|n| c.applies.names().contains(*n) || c.fails.names().contains(*n));
        work.catalogue.checks.iter().filter(uses).map(|c| c.id.clone()).collect()
    };
    let mut add = |kind: &str, title: String, count: usize, examples: Vec<String>, weakens: Vec<String>| {
        if count > 0 {
            let examples = examples.into_iter().take(EXAMPLES).collect();
            out.push(DataQuality { kind: kind.to_owned(), title, count: count as u64, examples, weakens });
        }
    };
    // Which facts nothing can feed: every subject that a check could not judge names them.
    let mut gaps: BTreeMap<&str, (u64, Vec<String>)> = BTreeMap::new();
    for check in checks {
        for (fact, n) in &check.indeterminate_because {
            // What only the log's length withholds is told of the log.
            if *n == check.counts.population && *n > check.uncovered {
                let gap = gaps.entry(fact).or_default();
                gap.0 = gap.0.max(*n);
                gap.1.push(check.id.clone());
            }
        }
    }
    for (fact, (n, weakened)) in gaps {
        let doc = reset_facts().find(|f| f.name == fact).map(|f| f.doc);
        let doc = doc.or_else(|| credential_facts().find(|f| f.name == fact).map(|f| f.doc)).unwrap_or_default();
        add("fact-without-source", format!("no input can tell `{fact}`: {doc}"), n as usize, Vec::new(), weakened);
    }
    for (table, what, facts) in [
        (Table::Person, "no HR roster was supplied", ["target_offboarded", "target_known", "owner_known"].as_slice()),
        (Table::Workload, "no register of workloads was supplied", &["target_known", "owner_known"]),
        (Table::Account, "no directory export was supplied", &["account_disabled", "days_inactive"]),
        (
            Table::Credential,
            "no credential inventory was supplied",
            &["prior_credentials", "prior_unrevoked", "active"],
        ),
        (Table::Ticket, "no tickets were supplied", &["ticket_found", "approval_present"]),
        (Table::Event, "no identity log was supplied", &["action"]),
    ] {
        if !world.has(table) {
            add("table-not-supplied", what.to_owned(), 1, vec![table.name().to_owned()], with_facts(facts));
        }
    }
    let ambiguous = world.register.ambiguous(texts);
    let names = ambiguous.iter().map(|n| (*n).to_owned()).collect();
    let weak = with_facts(&["target_known", "owner_known", "identity_known"]);
    add(
        "ambiguous-alias",
        "names that lead to more than one identity resolve to none".to_owned(),
        ambiguous.len(),
        names,
        weak,
    );
    let conflicts: Vec<String> = settled.period_conflicts.iter().map(|&t| texts.get(t).to_string()).collect();
    let title = "people for whom rosters disagree about the end of a period; the earliest end counts".to_owned();
    add("period-conflict", title, conflicts.len(), conflicts, with_facts(&["target_offboarded"]));
    let inferred: Vec<String> = settled
        .periods
        .iter()
        .filter(|p| p.inferred)
        .map(|p| texts.get(settled.people.text(person::PERSON_ID, p.row as usize)).to_string())
        .collect();
    let title = "periods whose end is inferred from absence in the next roster".to_owned();
    add("inferred-end", title, inferred.len(), inferred, with_facts(&["target_offboarded"]));
    let title =
        format!("events later than `as_of` ({}) are counted and feed nothing", time::format_instant(world.as_of));
    add("after-as-of", title, world.future as usize, Vec::new(), Vec::new());
    let naive: Vec<String> =
        settled.inputs.iter().filter(|i| i.naive_zone.is_some() && i.zone_assumed).map(|i| i.path.clone()).collect();
    let title =
        "inputs with instants that name no zone were read as UTC; set `timezone` for them in the config".to_owned();
    add("zone-assumed", title, naive.len(), naive, Vec::new());
    let of_nobody: Vec<u32> = world
        .resets
        .par_iter()
        .copied()
        .filter(|&r| world.register.identity_of(world.target_key[r as usize]).is_none())
        .collect();
    let unresolved: BTreeSet<&str> =
        of_nobody.into_iter().map(|r| texts.name(settled.events.text(event::TARGET, r as usize))).collect();
    let examples = unresolved.iter().map(|t| (*t).to_owned()).collect();
    add(
        "unresolved-target",
        "targets of resets that resolve to nobody".to_owned(),
        unresolved.len(),
        examples,
        Vec::new(),
    );
    let rejected: Vec<String> = settled
        .inputs
        .iter()
        .flat_map(|i| i.rejected_reasons.iter().map(move |(why, n)| format!("{}: {n} × {why}", i.path)))
        .collect();
    let count = settled.rejected.len();
    add(
        "rejected-records",
        "records that could not be used; each is in rejected.csv".to_owned(),
        count,
        rejected,
        Vec::new(),
    );
    for input in settled.inputs.iter().filter(|i| i.expected_records.is_some_and(|n| n != i.read)) {
        let expected = input.expected_records.unwrap_or_default();
        let title = format!("{} has {} records; the config expects {expected}", input.path, input.read);
        let weak = work.catalogue.checks.iter().filter(|c| short_inputs(work, c).iter().any(|i| i.path == input.path));
        add(
            "control-total",
            title,
            input.read.abs_diff(expected) as usize,
            Vec::new(),
            weak.map(|c| c.id.clone()).collect(),
        );
    }
    for (kind, title, inputs) in stale_inputs(work, spans) {
        let reports = |c: &&Check, input: &SourceInput| input.reports.keys().any(|t| rests_on(c, *t));
        let weak = work.catalogue.checks.iter().filter(|c| inputs.iter().any(|input| reports(c, input)));
        let weak = weak.map(|c| c.id.clone()).collect();
        // Every one of them: who is called at night must not have to look for the sixth.
        let paths: Vec<String> = inputs.iter().map(|input| input.path.clone()).collect();
        out.push(DataQuality {
            kind: kind.to_owned(),
            title,
            count: paths.len() as u64,
            examples: paths,
            weakens: weak,
        });
    }
    out.extend(coverage::quality(work, checks));
    let mut add = |kind: &str, title: String, count: usize, examples: Vec<String>, weakens: Vec<String>| {
        if count > 0 {
            let examples = examples.into_iter().take(EXAMPLES).collect();
            out.push(DataQuality { kind: kind.to_owned(), title, count: count as u64, examples, weakens });
        }
    };
    if work.request.config.timezone.is_none() {
        let title = "no `timezone` in the config: dates are read in UTC and working hours are not known".to_owned();
        add("no-timezone", title, 1, Vec::new(), with_facts(&["off_hours"]));
    }
    out
}

/// Inputs whose newest record is older than their `max_age`, and those of which no record tells its age.
fn stale_inputs<'a>(work: &'a Work<'_>, spans: &[Span]) -> Vec<(&'static str, String, Vec<&'a SourceInput>)> {
    let zone = work.request.config.zone();
    let (mut stale, mut unknown) = (Vec::new(), Vec::new());
    for (input, span) in work.world.settled.inputs.iter().zip(spans) {
        let Some(max_age) = input.max_age else { continue };
        let newest = span.map(|s| s.1).or_else(|| input.snapshot.map(|day| time::midnight(day, zone)));
        match newest {
            Some(newest) if work.world.as_of - newest > max_age => stale.push(input),
            Some(_) => {}
            None => unknown.push(input),
        }
    }
    let kinds = [
        ("stale-input", "inputs whose newest record is older than their `max_age`", stale),
        ("age-not-known", "inputs with a `max_age` of which no record says when it is from", unknown),
    ];
    kinds
        .into_iter()
        .filter(|(_, _, inputs)| !inputs.is_empty())
        .map(|(kind, title, inputs)| (kind, title.to_owned(), inputs))
        .collect()
}

/// Label and upper limit in minutes; a class is bad when it reaches beyond what the policy gives people's credentials.
const SURVIVAL: [(&str, Option<f64>); 8] = [
    ("ended at once", Some(0.0)),
    ("up to 15 min", Some(15.0)),
    ("up to 1 h", Some(60.0)),
    ("up to 1 d", Some(1440.0)),
    ("up to 7 d", Some(10_080.0)),
    ("longer", Some(f64::INFINITY)),
    ("still alive", Some(f64::INFINITY)),
    ("not known", None),
];
/// Label and upper limit in minutes; late ones are negative and always bad, early ones beyond the policy's age.
const LEAD: [(&str, Option<f64>); 8] = [
    ("over 1 d late", Some(f64::INFINITY)),
    ("1 h to 1 d late", Some(f64::INFINITY)),
    ("up to 1 h late", Some(f64::INFINITY)),
    ("up to 1 h before", Some(60.0)),
    ("1 to 8 h before", Some(480.0)),
    ("8 h to 1 d before", Some(1440.0)),
    ("1 to 7 d before", Some(10_080.0)),
    ("over 7 d before", Some(f64::INFINITY)),
];
/// Label and upper limit in days; bad beyond the policy's dormancy.
const DORMANCY: [(&str, Option<f64>); 6] = [
    ("up to 7 d", Some(7.0)),
    ("up to 30 d", Some(30.0)),
    ("up to 90 d", Some(90.0)),
    ("up to 1 year", Some(365.0)),
    ("longer", Some(f64::INFINITY)),
    ("not known", None),
];

fn series(work: &Work<'_>) -> Series {
    let sketch: &Sketch = &work.judged.sketch;
    let policy = work.world.policy;
    let bars = |names: &[(&str, Option<f64>)], counts: &[u64], allowed: f64| -> Vec<Bar> {
        if counts.iter().all(|n| *n == 0) {
            return Vec::new();
        }
        let pairs = names.iter().zip(counts);
        pairs
            .map(|((label, limit), count)| Bar {
                label: (*label).to_owned(),
                count: *count,
                bad: limit.is_some_and(|limit| limit > allowed),
            })
            .collect()
    };
    let mut days = Vec::new();
    if let (Some((first, _)), Some((last, _))) = (sketch.days.first_key_value(), sketch.days.last_key_value()) {
        let mut day = *first;
        while day <= *last {
            let (resets, failed) = sketch.days.get(&day).copied().unwrap_or_default();
            days.push(Day { day: day.to_string(), resets, failed });
            let Some(next) = day.succ_opt() else { break };
            day = next;
        }
    }
    let texts = &work.world.settled.texts;
    let mut executors: Vec<ExecutorBar> = sketch
        .executors
        .iter()
        .map(|(&id, &(resets, unapproved))| ExecutorBar { executor: texts.get(id).to_string(), resets, unapproved })
        .collect();
    executors.sort_by(|a, b| b.resets.cmp(&a.resets).then_with(|| a.executor.cmp(&b.executor)));
    executors.truncate(15);
    Series {
        hours: if days.is_empty() { Vec::new() } else { sketch.hours.clone() },
        desk_off_hours: work.world.config.timezone.map(|_| sketch.desk_off_hours),
        desk_hours: if days.is_empty() { Vec::new() } else { sketch.desk_hours.clone() },
        days,
        survival: bars(&SURVIVAL, &sketch.survival, policy.revocation_human),
        approval_lead: bars(&LEAD, &sketch.lead, policy.approval_max_age_minutes),
        dormancy: bars(&DORMANCY, &sketch.dormancy, policy.dormant_days),
        executors,
        ..Series::default()
    }
}

/// Who reset whom in the cascades: each reset that began one, and what its target then did to others within
/// `cascade_hours`. Waived ones are history too.
fn lineage(work: &Work<'_>, found: &[Found]) -> (Vec<LineageLink>, u64) {
    let world = work.world;
    let began: BTreeMap<(Key, &str), i64> = found
        .iter()
        .filter(|f| f.finding.check == "reset-cascade")
        .filter_map(|f| f.at.map(|at| ((f.key, f.finding.subject.as_str()), at)))
        .collect();
    if began.is_empty() {
        return (Vec::new(), 0);
    }
    let mut by_key: HashMap<Key, Vec<i64>> = HashMap::new();
    for ((key, _), at) in &began {
        by_key.entry(*key).or_default().push(*at);
    }
    let (events, texts) = (&world.settled.events, &world.settled.texts);
    let name = |key: Key, column: usize, row: usize| match world.register.identity_of(key) {
        Some(id) if world.register.identities[id as usize].name != EMPTY => {
            texts.get(world.register.identities[id as usize].name).to_string()
        }
        _ => texts.get(events.text(column, row)).to_string(),
    };
    let within = (world.policy.cascade_hours * time::HOUR as f64) as i64;
    let mut links = BTreeSet::new();
    for &r in &world.resets {
        let row = r as usize;
        let (from, to, at) = (world.executor_key[row], world.target_key[row], world.at(row));
        let first =
            by_key.contains_key(&to) && began.contains_key(&(to, &*texts.get(events.text(event::EVENT_ID, row))));
        let follows =
            from != to && by_key.get(&from).is_some_and(|starts| starts.iter().any(|s| *s < at && at - s <= within));
        if first || follows {
            links.insert(LineageLink {
                at: time::format_instant(at),
                from: name(from, event::EXECUTOR, row),
                to: name(to, event::TARGET, row),
                action: event::ACTIONS[events.code(event::ACTION, row) as usize - 1].to_owned(),
                first,
            });
        }
    }
    let omitted = links.len().saturating_sub(LINEAGE) as u64;
    (links.into_iter().take(LINEAGE).collect(), omitted)
}

/// The identities (or unresolved names) most concerned, the most urgent first.
fn stories(work: &Work<'_>, found: &[Found], limit: Option<&BTreeSet<Key>>) -> (Vec<IdentityStory>, u64) {
    // By severity, the most severe first.
    type Open = [u64; Severity::ALL.len()];
    let mut open: HashMap<Key, Open> = HashMap::new();
    for f in found.iter().filter(|f| f.finding.state == State::Open) {
        open.entry(f.key).or_default()[f.finding.severity as usize] += 1;
    }
    let concerned = open.len() as u64;
    for key in limit.into_iter().flatten() {
        open.entry(*key).or_default();
    }
    // Of equals the first by name: the numbers behind the keys are not the organisation's.
    let name = |key: Key| {
        let id = work.world.register.identity_of(key);
        let text = |id: u32| work.world.register.identities[id as usize].id;
        let text = id.map_or_else(|| key - work.world.register.identities.len() as Key, text);
        work.world.settled.texts.name(text)
    };
    // Names are asked for only among those who may be shown.
    let mut urgent: Vec<Open> = open.values().copied().collect();
    let least = if urgent.len() > MOST_CONCERNED {
        *urgent.select_nth_unstable_by(MOST_CONCERNED - 1, |a, b| b.cmp(a)).1
    } else {
        Open::default()
    };
    let mut ranked: Vec<(std::cmp::Reverse<Open>, &str, Key)> = open
        .iter()
        .filter(|(_, open)| **open >= least)
        .map(|(key, open)| (std::cmp::Reverse(*open), name(*key), *key))
        .collect();
    ranked.sort_unstable();
    ranked.truncate(MOST_CONCERNED);
    let wanted: HashSet<Key> = ranked.iter().map(|r| r.2).collect();
    let mut of: HashMap<Key, Vec<&Found>> = HashMap::new();
    for f in found.iter().filter(|f| wanted.contains(&f.key)) {
        of.entry(f.key).or_default().push(f);
    }
    let mut moments = moments(work, &wanted);
    let stories = ranked
        .into_iter()
        .map(|(std::cmp::Reverse(open), _, key)| {
            let mut timeline = moments.remove(&key).unwrap_or_default();
            timeline.sort_by(|a, b| (a.0, &a.1.kind, &a.1.text).cmp(&(b.0, &b.1.kind, &b.1.text)));
            let open = Severity::ALL.into_iter().zip(open).filter(|(_, n)| *n > 0).collect();
            story(work, key, of.get(&key).map_or(&[], Vec::as_slice), open, timeline)
        })
        .collect();
    (stories, concerned)
}

fn story(
    work: &Work<'_>,
    key: Key,
    findings: &[&Found],
    open: BTreeMap<Severity, u64>,
    timeline: Vec<(i64, Moment)>,
) -> IdentityStory {
    let world = work.world;
    let texts = &world.settled.texts;
    let instant = |t: i64| (t > SINCE_EVER).then(|| time::format_instant(t));
    let mut out = IdentityStory { open, kind: "unknown".to_owned(), ..IdentityStory::default() };
    match world.register.identity_of(key) {
        Some(id) => {
            let identity = &world.register.identities[id as usize];
            out.identity = texts.get(identity.id).to_string();
            out.name = texts.get(if identity.name == EMPTY { identity.id } else { identity.name }).to_string();
            out.kind = world.kind_of(id).to_owned();
            out.periods = match &identity.kind {
                Kind::Person(_) => world
                    .register
                    .stints(id)
                    .iter()
                    .map(|s| s.period(world.settled))
                    .map(|p| (instant(p.start), p.end.map(time::format_instant)))
                    .collect(),
                Kind::Workload(row) => {
                    let end = world.settled.workloads.on(workload::RETIRED_ON, *row as usize);
                    vec![(None, end.map(|on| time::format_instant(on.end(work.request.config.zone()))))]
                }
            };
        }
        None => {
            let text = key - world.register.identities.len() as Key;
            out.name = findings.first().map_or_else(|| texts.get(text).to_string(), |f| f.finding.target.to_string());
        }
    }
    // Most severe first, then the earliest: what the story is about.
    let mut ordered: Vec<&&Found> = findings.iter().filter(|f| f.finding.state == State::Open).collect();
    ordered.sort_by_key(|f| (f.finding.severity, f.at.unwrap_or(i64::MAX), &f.finding.check, &f.finding.subject));
    if let Some(worst) = ordered.first() {
        out.tier = worst.finding.tier.to_string();
        out.since = ordered
            .iter()
            .filter(|f| f.finding.severity == worst.finding.severity)
            .filter_map(|f| f.at)
            .min()
            .map(time::format_instant);
        out.story = worst.finding.because.to_string();
        let remedy = work.catalogue.get(&worst.finding.check).map_or("", |c| c.remedy.as_str());
        out.next_step = first_sentence(remedy);
    }
    out.findings = findings.iter().map(|f| f.finding.finding_id.to_string()).collect();
    out.timeline_omitted = timeline.len().saturating_sub(TIMELINE) as u64;
    out.timeline = around(timeline, findings);
    out
}

/// At most [`TIMELINE`] entries: those nearest in time to what was found.
fn around(mut timeline: Vec<(i64, Moment)>, findings: &[&Found]) -> Vec<Moment> {
    if timeline.len() > TIMELINE {
        let found: Vec<i64> = findings.iter().filter_map(|f| f.at).collect();
        let distance = |t: i64| found.iter().map(|f| f.abs_diff(t)).min().unwrap_or(u64::MAX);
        let mut order: Vec<usize> = (0..timeline.len()).collect();
        order.sort_by_key(|&i| (distance(timeline[i].0), i));
        let keep: BTreeSet<usize> = order.into_iter().take(TIMELINE).collect();
        let mut i = 0;
        timeline.retain(|_| {
            i += 1;
            keep.contains(&(i - 1))
        });
    }
    timeline.into_iter().map(|m| m.1).collect()
}

fn first_sentence(text: &str) -> String {
    match text.find(". ") {
        Some(end) => text[..=end].to_owned(),
        None => text.trim().to_owned(),
    }
}

fn moments(work: &Work<'_>, wanted: &HashSet<Key>) -> BTreeMap<Key, Vec<(i64, Moment)>> {
    let (world, settled) = (work.world, work.world.settled);
    let texts = &settled.texts;
    let mut out: BTreeMap<Key, Vec<(i64, Moment)>> = BTreeMap::new();
    if wanted.is_empty() {
        return out;
    }
    let path = |file: u32| settled.inputs[file as usize].path.clone();
    let mut put = |key: Key, t: i64, kind: &str, text: String, system: &str, file: u32, record: u32| {
        let moment = Moment {
            at: time::format_instant(t),
            kind: kind.to_owned(),
            text,
            system: system.to_owned(),
            source_file: path(file),
            source_record: u64::from(record),
        };
        out.entry(key).or_default().push((t, moment));
    };
    let concerns =
        |r: &u32| wanted.contains(&world.target_key[*r as usize]) || wanted.contains(&world.executor_key[*r as usize]);
    let rows: Vec<u32> = settled.event_rows.par_iter().copied().filter(concerns).collect();
    for r in rows {
        let row = r as usize;
        let key = world.target_key[row];
        let executor_key = world.executor_key[row];
        let acted = executor_key != key && wanted.contains(&executor_key) && world.is_reset(row);
        if !wanted.contains(&key) && !acted {
            continue;
        }
        let events = &settled.events;
        let action = event::ACTIONS[events.code(event::ACTION, row) as usize - 1];
        let system = texts.name(events.text(event::SYSTEM, row));
        let target = texts.get(events.text(event::TARGET, row));
        let executor = texts.get(events.text(event::EXECUTOR, row));
        let refused = if world.failed(row) { " (refused)" } else { "" };
        let by = if executor.is_empty() { String::new() } else { format!(" by {executor}") };
        let t = world.at(row);
        let (file, record) = (events.file(row), events.record(row));
        if wanted.contains(&key) {
            let kind = match events.code(event::ACTION, row) {
                code if (1..=event::RESET_ACTIONS as u8).contains(&code) => "reset",
                event::SIGN_IN => "sign-in",
                event::CREDENTIAL_REVOKED | event::SESSIONS_REVOKED => "revocation",
                _ => "context",
            };
            put(key, t, kind, format!("{action}{refused} of {target}{by}"), system, file, record);
            if let Some(v) = events.instant(event::VERIFIED_AT, row) {
                let how = texts.get(events.text(event::VERIFICATION, row)).replace(crate::text::LIST_SEPARATOR, ", ");
                put(key, v, "verification", format!("verified: {how}"), system, file, record);
            }
            if let Some(a) = events.instant(event::APPROVED_AT, row) {
                let who = texts.get(events.text(event::APPROVER, row));
                put(key, a, "approval", format!("approved by {who}"), system, file, record);
            }
        }
        if acted {
            put(executor_key, t, "reset", format!("carried out {action}{refused} on {target}"), system, file, record);
        }
    }
    for &r in &settled.ticket_rows {
        let row = r as usize;
        let tickets = &settled.tickets;
        let key = world.register.key(texts, tickets.text(ticket::SUBJECT, row), EMPTY);
        if let (true, Some(t)) = (wanted.contains(&key), tickets.instant(ticket::DECIDED_AT, row)) {
            let decision =
                crate::fact::reset::word(ticket::DECISIONS, tickets.code(ticket::DECISION, row)).unwrap_or("decided");
            let id = texts.get(tickets.text(ticket::TICKET, row));
            let who = texts.get(tickets.text(ticket::APPROVER, row));
            put(
                key,
                t,
                "approval",
                format!("ticket {id} {decision} by {who}"),
                "",
                tickets.file(row),
                tickets.record(row),
            );
        }
    }
    for &key in wanted {
        let Some(id) = world.register.identity_of(key) else { continue };
        for p in world.register.stints(id).iter().map(|s| s.period(settled)) {
            let (file, record) = (settled.people.file(p.row as usize), settled.people.record(p.row as usize));
            if p.start > SINCE_EVER {
                put(key, p.start, "started", "employment begins".to_owned(), "", file, record);
            }
            if let Some(end) = p.end {
                let how = if p.inferred { "employment ends (inferred from absence)" } else { "employment ends" };
                put(key, end, "ended", how.to_owned(), "", file, record);
            }
        }
    }
    out
}
