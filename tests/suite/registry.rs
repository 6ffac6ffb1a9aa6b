//! Walks the lists: every check, fact, policy value and mapping has what it must have, and what is counted once here
//! comes to the same as what is counted there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use regrant::assess::framework;
use regrant::check::SubjectKind;
use regrant::check::catalogue::{Catalogue, FactNames};
use regrant::config::Config;
use regrant::fact::{Registry, credential_facts, reset_facts};
use regrant::mappings::{MappingKind, Mappings};
use regrant::report::model::{Counts, Severity, Standing, State, Subject};
use regrant::run::Report;

use crate::{assert_adds_up, root, sample, shared, write};

/// The table of the specification, as it stands there.
const SPECIFIED: &str = include_str!("catalogue.txt");

struct Lists {
    mappings: Mappings,
    registry: Registry,
    catalogue: Catalogue,
}

fn lists() -> Lists {
    let mappings = Mappings::load(&[]).unwrap_or_else(|e| panic!("{e}"));
    let registry = Registry::new(&Config::default().policy);
    let catalogue = Catalogue::load(&mappings, &registry).unwrap_or_else(|e| panic!("{e}"));
    Lists { mappings, registry, catalogue }
}

/// Text without code marks, with single spaces.
fn plain(text: &str) -> String {
    text.replace('`', " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Where a predicate says more than the specification: what lies outside of a log whose coverage is known is not known. Where none
/// is, as of canonical tables, the fact that was added is true and the verdicts are those of the specification.
const WITHIN_THE_LOG: [(&str, &str, &str); 4] = [
    (
        "bulk-resets-by-executor",
        "executor_burst > :bulk_targets",
        "CASE WHEN executor_burst > :bulk_targets THEN TRUE WHEN bulk_window_observed THEN executor_burst > :bulk_targets END",
    ),
    (
        "repeated-resets",
        "target_burst > :repeat_limit",
        "CASE WHEN target_burst > :repeat_limit THEN TRUE WHEN repeat_window_observed THEN target_burst > :repeat_limit END",
    ),
    (
        "reset-cascade",
        "WHEN executor_given IS NOT NULL THEN FALSE",
        "WHEN executor_given IS NOT NULL AND cascade_window_observed THEN FALSE",
    ),
    (
        "denied-then-granted",
        "WHEN outcome_reported THEN FALSE",
        "WHEN outcome_reported AND denials_observed THEN FALSE",
    ),
];

#[test]
fn the_catalogue_is_that_of_the_specification() {
    let lists = lists();
    let rows: Vec<Vec<&str>> =
        SPECIFIED.lines().map(|l| l.trim_matches('|').split('|').map(str::trim).collect()).collect();
    assert_eq!(rows.len(), 48);
    assert_eq!(lists.catalogue.checks.len(), 48);
    for (row, check) in rows.iter().zip(&lists.catalogue.checks) {
        let [id, control, severity, applies, fails] = row.as_slice() else { panic!("{row:?}") };
        assert_eq!(*id, check.id, "the order differs");
        assert_eq!(*control, check.control.id(), "{id}");
        let (subject, applies) = match applies.strip_prefix("credential:") {
            Some(rest) => ("credential", rest),
            None => ("reset", *applies),
        };
        assert_eq!(subject, check.subject.as_str(), "{id}");
        assert_eq!(plain(applies), plain(check.applies.text()), "{id}: applies");
        let fails = match WITHIN_THE_LOG.iter().find(|more| more.0 == *id) {
            Some((_, specified, said)) => {
                assert!(plain(fails).contains(specified), "{id}: what is said otherwise is not what was specified");
                plain(fails).replace(specified, said)
            }
            None => plain(fails),
        };
        assert_eq!(fails, plain(check.fails.text()), "{id}: fails");
        let (base, raised) = severity.split_once('↑').map_or((*severity, None), |(b, r)| (b, Some(r.trim())));
        assert_eq!(base.trim(), check.severity.as_str(), "{id}");
        assert_eq!(raised, check.escalate.as_ref().map(|e| e.to.as_str()), "{id}");
        if let Some(escalate) = &check.escalate {
            assert_eq!(escalate.when.text(), "sensitive", "{id}");
        }
    }
}

#[test]
fn every_check_fires_and_passes_on_the_sample() {
    let report = sample();
    assert_eq!(report.assessment.checks.len(), 48);
    let mut silent = Vec::new();
    for check in &report.assessment.checks {
        if check.counts.failed + check.counts.waived == 0 {
            silent.push(format!("{} fails nowhere", check.id));
        }
        if check.counts.passed == 0 {
            silent.push(format!("{} passes nowhere", check.id));
        }
    }
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}

#[test]
fn every_check_is_mapped_or_excused() {
    let lists = lists();
    let frameworks =
        framework::load_all(&lists.mappings, &lists.catalogue, &lists.registry).unwrap_or_else(|e| panic!("{e}"));
    let leading: Vec<&str> = frameworks.iter().take(3).map(|f| f.id.as_str()).collect();
    assert_eq!(leading, ["nist-csf-2", "owasp-nhi-2025", "csa-maestro"]);
    let others: Vec<&str> = frameworks.iter().skip(3).map(|f| f.id.as_str()).collect();
    let specified = [
        "nist-800-53-r5",
        "pci-dss-4.0.1",
        "nist-800-63b-4",
        "iso-27001-2022",
        "cis-8.1",
        "soc2-2017",
        "csa-ccm-4.1",
        "hipaa",
        "nis2-2024-2690",
        "dora-rts-2024-1774",
        "nydfs-500",
        "mitre-attack-18.1",
    ];
    assert_eq!(others, specified);
    for framework in &frameworks {
        let technique = framework.id == "mitre-attack-18.1";
        assert_eq!(framework.kind.as_str() == "technique", technique, "{}", framework.id);
        assert!(framework.source.is_some() && framework.note.is_some(), "{} does not say where from", framework.id);
        assert!(framework.requirements.iter().any(|r| !r.direct.is_empty()), "{} judges nothing", framework.id);
        for requirement in &framework.requirements {
            let both = requirement.direct.iter().find(|c| requirement.supporting.contains(c));
            assert_eq!(both, None, "{}:{} counts a check and shows it beside itself", framework.id, requirement.id);
            let never = requirement.limits.starts_with("Never judged by Regrant");
            assert_eq!(never, requirement.direct.is_empty(), "{}:{}", framework.id, requirement.id);
        }
    }
    let named: BTreeSet<&str> = frameworks
        .iter()
        .flat_map(|f| f.requirements.iter().flat_map(|r| r.direct.iter().chain(&r.supporting)))
        .map(String::as_str)
        .collect();
    let excused = lists.mappings.unmapped().map_or("", |f| f.text.as_str());
    for check in &lists.catalogue.checks {
        let id = check.id.as_str();
        let is_excused = excused.contains(&format!("\"{id}\""));
        assert!(named.contains(id) || is_excused, "no framework names {id}, and unmapped.toml does not excuse it");
        assert!(!(named.contains(id) && is_excused), "{id} is excused, but a framework names it");
    }
    for framework in &frameworks {
        for requirement in &framework.requirements {
            assert!(!requirement.limits.trim().is_empty(), "{}:{} has no limits", framework.id, requirement.id);
            assert!(!requirement.direct.is_empty() || !requirement.supporting.is_empty(), "{}", requirement.id);
        }
    }
}

#[test]
fn every_requirement_has_an_identifier_that_its_publisher_gives() {
    let Some(file) = shared("schemas/reference-ids.json") else { return };
    let known: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(file).expect("a readable file")).expect("JSON");
    let names = [
        ("nist-csf-2", "nist-csf-2.0"),
        ("owasp-nhi-2025", "owasp-nhi-2025"),
        ("nist-800-53-r5", "nist-sp-800-53-r5"),
        ("pci-dss-4.0.1", "pci-dss-4.0.1"),
        ("nist-800-63b-4", "nist-sp-800-63b-4"),
        ("iso-27001-2022", "iso-27001-2022"),
        ("cis-8.1", "cis-controls-8.1"),
        ("soc2-2017", "soc2-tsc-2017"),
        ("csa-ccm-4.1", "csa-ccm-4.1"),
        ("hipaa", "hipaa-security-rule"),
        ("nis2-2024-2690", "nis2-ir-2024-2690"),
        ("dora-rts-2024-1774", "dora-rts-2024-1774"),
        ("nydfs-500", "nydfs-500"),
        ("mitre-attack-18.1", "mitre-attack"),
    ];
    let lists = lists();
    let frameworks =
        framework::load_all(&lists.mappings, &lists.catalogue, &lists.registry).unwrap_or_else(|e| panic!("{e}"));
    // The reference writes points with dots, the publishers in brackets; DORA's Article 21 has a paragraph 1 that it drops.
    let plain = |id: &str| id.replace('(', ".").replace(')', "");
    for (ours, theirs) in names {
        let framework = frameworks.iter().find(|f| f.id == ours).unwrap_or_else(|| panic!("{ours} is not shipped"));
        let ids: BTreeSet<String> =
            known["frameworks"][theirs]["ids"].as_object().expect("ids").keys().map(|id| plain(id)).collect();
        for requirement in &framework.requirements {
            let id = plain(&requirement.id);
            let dora = id.replacen("21.1.", "21.", 1);
            assert!(
                ids.contains(&id) || (ours.starts_with("dora") && ids.contains(&dora)),
                "{ours}: {}",
                requirement.id
            );
        }
    }
    assert_eq!(frameworks.len(), names.len() + 1, "all but CSA MAESTRO, whose one reference is as cited");
}

/// Every predicate of the shipped files with the subject it is over: text, names, policy values.
fn predicates(lists: &Lists) -> Vec<(String, SubjectKind, BTreeSet<String>, BTreeSet<String>)> {
    let mut all = Vec::new();
    for check in &lists.catalogue.checks {
        let raised = check.escalate.as_ref().map(|e| &e.when);
        for predicate in [&check.applies, &check.fails].into_iter().chain(raised) {
            all.push((check.id.clone(), check.subject, predicate.names().clone(), predicate.params().clone()));
        }
    }
    let frameworks =
        framework::load_all(&lists.mappings, &lists.catalogue, &lists.registry).unwrap_or_else(|e| panic!("{e}"));
    for framework in &frameworks {
        for requirement in &framework.requirements {
            for kind in SubjectKind::ALL {
                if let Some(scope) = requirement.scope_of(kind) {
                    let place = format!("{}:{}", framework.id, requirement.id);
                    all.push((place, kind, scope.names().clone(), scope.params().clone()));
                }
            }
        }
    }
    all
}

#[test]
fn every_fact_of_a_predicate_exists_and_every_fact_is_used() {
    let lists = lists();
    let mut used: BTreeSet<(SubjectKind, String)> = BTreeSet::new();
    for (place, subject, names, _) in predicates(&lists) {
        for name in names {
            assert!(lists.registry.names(subject).kind(&name).is_some(), "{place}: there is no fact {name}");
            used.insert((subject, name));
        }
    }
    for check in &lists.catalogue.checks {
        used.extend(check.facts(&lists.registry).into_iter().map(|name| (check.subject, name)));
    }
    // Named by no shipped predicate or sentence: they are for waivers and for checks of the house.
    let for_the_house: BTreeSet<(SubjectKind, &str)> = [
        (SubjectKind::Reset, "emergency"),
        (SubjectKind::Reset, "approval_reported"),
        (SubjectKind::Reset, "approval_source"),
        (SubjectKind::Credential, "privileged"),
        (SubjectKind::Credential, "tier"),
        (SubjectKind::Credential, "age_days"),
    ]
    .into();
    let resets = reset_facts().map(|f| (SubjectKind::Reset, f.name, f.doc, f.null));
    let credentials = credential_facts().map(|f| (SubjectKind::Credential, f.name, f.doc, f.null));
    let mut unused = BTreeSet::new();
    for (subject, name, doc, null) in resets.chain(credentials) {
        assert!(!doc.is_empty() && !null.is_empty(), "{name} is not documented");
        if !used.contains(&(subject, name.to_owned())) {
            unused.insert((subject, name));
        }
    }
    assert_eq!(unused, for_the_house, "left: facts that nothing names; right: those that are known to be so");
}

#[test]
fn every_policy_value_is_read() {
    let lists = lists();
    let policy = Config::default().policy;
    let in_predicates: BTreeSet<String> = predicates(&lists).into_iter().flat_map(|p| p.3).collect();
    let mut source = String::new();
    for entry in walkdir::WalkDir::new(root().join("src")) {
        let entry = entry.expect("a readable folder");
        let is_rust = entry.path().extension().is_some_and(|e| e == "rs");
        // The config parses and prints every value; that is not yet reading it.
        if is_rust && entry.file_name() != "config.rs" {
            source.push_str(&fs::read_to_string(entry.path()).expect("source text"));
        }
    }
    let names: Vec<&str> = policy.scalars().into_iter().map(|s| s.0).collect();
    assert!(names.len() >= 18, "{names:?}");
    for name in names {
        assert!(
            in_predicates.contains(name) || source.contains(&format!("policy.{name}")),
            "no predicate and no code reads the policy value {name}"
        );
    }
    for name in &in_predicates {
        assert!(policy.scalar(name).is_some(), ":{name} is no policy value");
    }
    for field in [
        "recovery_categories",
        "desk_departments",
        "working_hours",
        "working_days",
        "holidays",
        "approval_self_service",
        "approval_automation",
        "revocation_human",
        "revocation_workload",
        "revocation_issued",
        "levels",
        "required",
        "channel_minutes",
        "tier_minutes",
        "severity",
    ] {
        assert!(
            source.contains(&format!("policy.{field}")) || source.contains(&format!("p.{field}")),
            "policy.{field} is read nowhere"
        );
    }
}

#[test]
fn every_source_mapping_has_a_sample() {
    let lists = lists();
    let mut count = 0;
    for file in lists.mappings.files(MappingKind::Source) {
        count += 1;
        let folder = root().join("tests/sources").join(&file.id);
        let names: Vec<String> = fs::read_dir(&folder)
            .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
            .map(|e| e.expect("a readable folder").file_name().to_string_lossy().into_owned())
            .collect();
        let expected: Vec<&str> = names.iter().filter_map(|n| n.strip_suffix(".expected")).collect();
        assert!(!expected.is_empty(), "{}: no sample", folder.display());
        for stem in expected {
            let has = names.iter().any(|n| n.starts_with(&format!("{stem}.")) && !n.ends_with(".expected"));
            assert!(has, "{}: {stem}.expected has no sample beside it", folder.display());
        }
    }
    assert!(count >= 3, "only {count} source mappings were found");
}

#[test]
fn findings_have_the_columns_of_the_specification() {
    let report = sample();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dest = folder.path().join("report");
    write(&report, &dest);
    let header = "finding_id,check,control,severity,state,subject_kind,subject,system,occurred_at,action,target,\
        identity,identity_name,tier,executor,approver,ticket,because,evidence,requirements,source_file,source_record,waiver";
    let mut reader = csv::Reader::from_path(dest.join("findings.csv")).expect("written above");
    assert_eq!(reader.headers().expect("a header").iter().collect::<Vec<_>>().join(","), header);
    let rows: Vec<csv::StringRecord> = reader.records().map(|r| r.expect("good CSV")).collect();
    assert_eq!(rows.len(), report.findings.len());
    let jsonl = fs::read_to_string(dest.join("findings.jsonl")).expect("written above");
    assert_eq!(jsonl.lines().count(), rows.len());
    let mut contextual = 0;
    for (row, line) in rows.iter().zip(jsonl.lines()) {
        let value: serde_json::Value = serde_json::from_str(line).expect("a JSON line");
        let keys: Vec<&str> = value.as_object().expect("an object").keys().map(String::as_str).collect();
        // Where there is context only, the line says so beyond what a spreadsheet gets.
        let context = value.get("contextual").map_or(0, |c| c.as_array().map_or(0, Vec::len));
        contextual += usize::from(context > 0);
        assert_eq!(keys.join(","), if context > 0 { format!("{header},contextual") } else { header.to_owned() });
        assert_eq!(value["finding_id"].as_str(), row.get(0));
        assert_eq!(value["source_record"].to_string(), row[21]);
        let evidence: serde_json::Value = serde_json::from_str(&row[18]).expect("evidence is JSON");
        assert_eq!(evidence, value["evidence"]);
    }
    assert!(contextual > 0, "the sample has people, to whom NHI1:2025 does not apply");
}

fn worst<'a>(verdicts: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const WORST_FIRST: [&str; 5] = ["fail", "waived", "indeterminate", "pass", "not-applicable"];
    verdicts.min_by_key(|v| WORST_FIRST.iter().position(|w| w == v).expect("one of five"))
}

fn tally<'a>(verdicts: impl Iterator<Item = &'a str>) -> Counts {
    let mut counts = Counts::default();
    for verdict in verdicts {
        counts.population += 1;
        match verdict {
            "fail" => counts.failed += 1,
            "waived" => counts.waived += 1,
            "indeterminate" => counts.indeterminate += 1,
            "pass" => counts.passed += 1,
            "not-applicable" => counts.not_applicable += 1,
            other => panic!("`{other}` is no verdict"),
        }
    }
    counts
}

fn standing(c: &Counts) -> Standing {
    if c.failed + c.waived > 0 {
        Standing::Fail
    } else if c.indeterminate > 0 {
        Standing::CannotConclude
    } else if c.passed > 0 {
        Standing::Pass
    } else {
        Standing::NotApplicable
    }
}

/// Subjects by the worst verdict that any of these checks gave them.
fn together(subjects: &[Subject], checks: &[String]) -> Counts {
    tally(
        subjects
            .iter()
            .filter_map(|s| worst(checks.iter().filter_map(|check| s.verdicts.get(check)).map(String::as_str))),
    )
}

/// Counts every population of a report again from its subjects; how many were compared.
pub(crate) fn recounted(report: &Report) -> usize {
    let a = &report.assessment;
    let subjects = report.subjects.as_ref().expect("asked for");
    let mut counted = 0;
    for check in &a.checks {
        let counts = together(subjects, std::slice::from_ref(&check.id));
        assert_eq!(counts, check.counts, "{}", check.id);
        assert_eq!(standing(&counts), check.verdict, "{}", check.id);
        let population = if check.subject == "reset" { a.population.resets } else { a.population.credentials };
        assert_eq!(counts.population, population, "{}", check.id);
        let found =
            |state: State| report.findings.iter().filter(|f| f.check == check.id && f.state == state).count() as u64;
        assert_eq!((found(State::Open), found(State::Waived)), (counts.failed, counts.waived), "{}", check.id);
        counted += 1;
    }
    for control in &a.controls {
        let counts = together(subjects, &control.checks);
        assert_eq!(counts, control.counts, "{}", control.id);
        assert_eq!(standing(&counts), control.verdict, "{}", control.id);
        let judged = counts.failed + counts.waived + counts.passed;
        let rate = (judged > 0).then(|| (counts.failed + counts.waived) as f64 / judged as f64);
        match (rate, control.deviation_rate) {
            (Some(a), Some(b)) => assert!((a - b).abs() < 1e-4, "{}: {a} {b}", control.id),
            (a, b) => assert_eq!(a, b, "{}", control.id),
        }
        counted += 1;
    }
    for framework in &a.frameworks {
        for requirement in framework.requirements.iter().filter(|r| r.scope.is_none() && r.scope_credential.is_none()) {
            let place = format!("{}:{}", framework.id, requirement.id);
            assert_eq!(together(subjects, &requirement.direct), requirement.counts, "{place}");
            counted += 1;
        }
        // A subject that several requirements share stands in each; no requirement can hold more than there are.
        for requirement in &framework.requirements {
            let all = together(subjects, &requirement.direct);
            assert!(requirement.counts.population <= all.population, "{}:{}", framework.id, requirement.id);
            assert!(requirement.counts.failed <= all.failed, "{}:{}", framework.id, requirement.id);
        }
    }
    counted
}

#[test]
fn what_is_counted_comes_to_the_same_when_counted_again() {
    let report = sample();
    assert_adds_up(&report);
    assert!(recounted(&report) > 60, "few populations were counted again");
    let a = &report.assessment;

    let mut totals: BTreeMap<(Severity, State), u64> = BTreeMap::new();
    for finding in &report.findings {
        *totals.entry((finding.severity, finding.state)).or_default() += 1;
    }
    for severity in Severity::ALL {
        let said = a.totals[&severity];
        let of = |state| totals.get(&(severity, state)).copied().unwrap_or_default();
        assert_eq!((said.open, said.waived), (of(State::Open), of(State::Waived)), "{severity}");
    }
    assert!(totals.keys().any(|k| k.1 == State::Waived), "the sample waives nothing");

    let waived: u64 = a.waivers.iter().map(|w| w.waived).sum();
    assert_eq!(waived, report.findings.iter().filter(|f| f.state == State::Waived).count() as u64);
    for waiver in &a.waivers {
        let by_it = report.findings.iter().filter(|f| f.waiver == waiver.id).count() as u64;
        assert_eq!(by_it, waiver.waived, "{}", waiver.id);
        assert!(waiver.waived <= waiver.matched, "{}", waiver.id);
    }
    assert_eq!(a.population.resets, a.population.resets_by_action.values().sum::<u64>());
    assert_eq!(a.population.resets, a.population.resets_by_system.values().sum::<u64>());
    assert_eq!(a.population.resets, a.population.resets_by_target_kind.values().sum::<u64>());
}

#[test]
fn finding_ids_are_unique_and_made_as_specified() {
    use sha2::Digest;
    let report = sample();
    let mut seen = BTreeSet::new();
    for f in &report.findings {
        let text = [f.check.as_str(), &f.subject_kind, &f.system, &f.subject].join("\n");
        let digest = hex::encode(sha2::Sha256::digest(text.as_bytes()));
        assert_eq!(f.finding_id, &digest[..16], "{} {}", f.check, f.subject);
        assert!(seen.insert(&f.finding_id), "{} stands twice", f.finding_id);
    }
    let key = |f: &regrant::report::model::Finding| {
        (f.severity, f.occurred_at.clone(), f.check.clone(), f.system.clone(), f.subject.clone())
    };
    assert!(report.findings.is_sorted_by_key(key), "findings are not in the order of the specification");
}
