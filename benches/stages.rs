//! How long the stages take by themselves, on data made here: `cargo bench --bench stages`.
//!
//! What a whole run costs is measured by `compare.py`; see README.md.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::ops::ControlFlow;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use polars::prelude::{NamedFrom, Series};
use serde_json::json;

use regrant::check::Severity;
use regrant::check::predicate::{Columns, Kind, Names, Predicate};
use regrant::render::findings;
use regrant::report::model::{Finding, State};
use regrant::source::json::{self, Piece};
use regrant::text::{Interner, Texts};
use regrant::time::{format_instant, parse_instant};

/// Rows of a block of subjects, as the engine cuts them.
const BLOCK: usize = 1 << 16;

fn texts(c: &mut Criterion) {
    // As in a log: each of a hundred thousand aliases occurs ten times.
    let aliases: Vec<String> =
        (0..1_000_000_u64).map(|i| format!("user{}@example.com", i.wrapping_mul(2_654_435_761) % 100_000)).collect();
    let bytes: usize = aliases.iter().map(String::len).sum();
    let mut group = c.benchmark_group("text");
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("intern", |b| {
        b.iter(|| {
            let mut interner = Interner::default();
            aliases.iter().fold(0_u64, |sum, alias| sum + u64::from(interner.intern(alias)))
        });
    });
    let part = || {
        let mut part = Interner::default();
        for alias in &aliases {
            part.intern(alias);
        }
        part
    };
    group.throughput(Throughput::Elements(100_000));
    group.bench_function("merge", |b| {
        b.iter_batched(
            // Two decoders that saw the same names: what both hold is joined.
            || (Texts::default(), part(), part()),
            |(mut texts, first, second)| {
                texts.merge(&[first.seal(), second.seal()]);
                texts
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

fn instants(c: &mut Criterion) {
    const START: i64 = 1_782_864_000_000_000;
    let at = |i: usize| format_instant(START + i64::try_from(i).unwrap_or_default() * 7_654_321);
    let utc: Vec<String> = (0..BLOCK).map(at).collect();
    let offset: Vec<String> = utc.iter().map(|text| text.replace('Z', "+02:00")).collect();
    let naive: Vec<String> = utc.iter().map(|text| text.replace('Z', "").replace('T', " ")).collect();
    let mut group = c.benchmark_group("parse_instant");
    group.throughput(Throughput::Elements(BLOCK as u64));
    for (form, cells) in [("utc", &utc), ("offset", &offset), ("naive", &naive)] {
        assert!(parse_instant(cells[1].as_bytes()).is_some(), "{form}: {}", cells[1]);
        group.bench_with_input(BenchmarkId::from_parameter(form), cells, |b, cells| {
            b.iter(|| cells.iter().filter(|cell| black_box(parse_instant(cell.as_bytes())).is_some()).count());
        });
    }
    group.finish();
}

/// Facts of one block of resets, some of them unknown.
struct Facts(BTreeMap<&'static str, (Kind, Series)>);

impl Facts {
    fn generate() -> Facts {
        let flag = |name: &'static str, salt: usize| {
            let values: Vec<Option<bool>> =
                (0..BLOCK).map(|i| (!(i + salt).is_multiple_of(17)).then_some((i * salt).is_multiple_of(5))).collect();
            (name, (Kind::Bool, Series::new(name.into(), values)))
        };
        let number = |name: &'static str, salt: usize| {
            let values: Vec<Option<f64>> =
                (0..BLOCK).map(|i| (!(i + salt).is_multiple_of(13)).then_some((i * salt % 2000) as f64)).collect();
            (name, (Kind::Number, Series::new(name.into(), values)))
        };
        let actions = ["password-reset", "mfa-reset", "recovery-issued", "credential-rotated", "account-unlocked"];
        let action: Vec<&str> = (0..BLOCK).map(|i| actions[i % actions.len()]).collect();
        Facts(BTreeMap::from([
            flag("automated", 3),
            flag("self_service", 7),
            flag("target_offboarded", 11),
            flag("other_factor_observed", 13),
            number("approval_lead_minutes", 19),
            number("minutes_to_other_factor", 23),
            ("action", (Kind::Text, Series::new("action".into(), action))),
        ]))
    }
}

impl Names for Facts {
    fn kind(&self, name: &str) -> Option<Kind> {
        self.0.get(name).map(|(kind, _)| *kind)
    }

    fn policy(&self, name: &str) -> Option<f64> {
        matches!(name, "factor_pair_minutes" | "approval_max_age_minutes").then_some(60.0)
    }

    fn all(&self) -> Vec<String> {
        self.0.keys().map(|&name| name.to_owned()).collect()
    }
}

impl Columns for Facts {
    fn len(&self) -> usize {
        BLOCK
    }

    fn column(&self, name: &str) -> Series {
        self.0[name].1.clone()
    }
}

fn predicates(c: &mut Criterion) {
    let facts = Facts::generate();
    let mut group = c.benchmark_group("predicate");
    group.throughput(Throughput::Elements(BLOCK as u64));
    for (form, text) in [
        ("one flag", "target_offboarded"),
        ("comparison", "NOT automated AND NOT self_service AND approval_lead_minutes > :approval_max_age_minutes"),
        ("list of texts", "action IN ('password-reset', 'recovery-issued', 'mfa-reset') AND NOT self_service"),
        (
            "case",
            "CASE WHEN minutes_to_other_factor <= :factor_pair_minutes THEN TRUE WHEN other_factor_observed THEN FALSE END",
        ),
    ] {
        let predicate = Predicate::compile(text, &facts).expect("the predicates above are of the language");
        group.bench_with_input(BenchmarkId::from_parameter(form), &predicate, |b, predicate| {
            b.iter(|| black_box(predicate.eval(&facts)));
        });
    }
    group.finish();
}

/// Identity log events of about 1.5 KB.
fn log_event(out: &mut String, i: usize) {
    let event = json!({
        "actor": { "id": format!("00u{i:017}"), "type": "User", "alternateId": format!("user{i}@example.com"), "displayName": "Person" },
        "client": { "userAgent": { "rawUserAgent": "Mozilla/5.0 (X11; Linux x86_64) ".repeat(4) }, "ipAddress": "192.0.2.1" },
        "eventType": "user.account.reset_password",
        "outcome": { "result": "SUCCESS", "reason": null },
        "published": "2026-08-20T14:32:00.000Z",
        "debugContext": { "debugData": { "requestUri": "/api/v1/users", "behaviors": "{New Device=\"NEGATIVE\"}", "dtHash": "0123456789abcdef".repeat(60) } },
        "uuid": format!("{i:08x}-0000-11f0-8000-000000000000"),
        "target": [{ "id": format!("00u{i:017}"), "type": "User", "alternateId": "someone@example.com" }],
    });
    let _infallible = write!(out, "{event}");
}

fn records(c: &mut Criterion) {
    const RECORDS: usize = 10_000;
    let mut lines = String::new();
    let mut array = "[".to_owned();
    for i in 0..RECORDS {
        log_event(&mut lines, i);
        lines.push('\n');
        array.push_str(if i == 0 { "" } else { "," });
        log_event(&mut array, i);
    }
    array.push(']');
    let envelope = format!("{{\"Records\":{array}}}");
    let mut group = c.benchmark_group("json");
    for (form, member, text) in
        [("lines", None, &lines), ("array", None, &array), ("envelope", Some("Records"), &envelope)]
    {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_with_input(BenchmarkId::from_parameter(form), text, |b, text| {
            b.iter(|| {
                let mut found = 0;
                json::for_each(&mut text.as_bytes(), member, &mut |piece| {
                    found += usize::from(matches!(piece, Piece::Record(_)));
                    ControlFlow::Continue(())
                })
                .expect("memory can be read");
                assert_eq!(found, RECORDS);
            });
        });
    }
    group.finish();
}

fn finding(i: u64) -> Finding {
    Finding {
        finding_id: format!("{i:016x}").into(),
        check: "prior-credential-used-after-reset".into(),
        control: "revocation".into(),
        severity: Severity::High,
        state: State::Open,
        subject_kind: "reset".into(),
        subject: format!("evt-{i:010}").into(),
        system: "ad:corp.example".into(),
        occurred_at: "2026-08-20T14:32:00Z".into(),
        action: "password-reset".into(),
        target: format!("user{i}@example.com").into(),
        identity: format!("E{i:08}").into(),
        identity_name: format!("Person {i}").into(),
        tier: "standard".into(),
        executor: "desk7@example.com".into(),
        approver: "lead3@example.com".into(),
        ticket: format!("INC{i:09}").into(),
        because: format!("1 of 2 prior credentials of user{i}@example.com was used after this reset").into(),
        evidence: [("prior_used_after", json!(1)), ("action", json!("password-reset"))].into_iter().collect(),
        requirements: ["nist-csf-2:PR.AA-01".to_owned(), "owasp-nhi-2025:NHI1:2025".to_owned()].into(),
        source_file: "event.csv".into(),
        source_record: i,
        waiver: Default::default(),
        contextual: std::sync::Arc::default(),
    }
}

fn output(c: &mut Criterion) {
    let all: Vec<Finding> = (0..50_000).map(finding).collect();
    let mut size = Vec::new();
    findings::write_csv(&all, &mut size).expect("memory takes everything");
    let mut group = c.benchmark_group("findings");
    group.throughput(Throughput::Bytes(size.len() as u64));
    group.bench_function("csv", |b| {
        b.iter(|| findings::write_csv(&all, std::io::sink()).expect("a sink takes everything"));
    });
    group.bench_function("jsonl", |b| {
        b.iter(|| findings::write_jsonl(&all, std::io::sink()).expect("a sink takes everything"));
    });
    group.finish();
}

criterion_group! {
    name = stages;
    config = Criterion::default().sample_size(20);
    targets = texts, instants, predicates, records, output
}
criterion_main!(stages);
