//! What must not change a verdict: how rows are spread over files, what people are called, in which week it was, and who else
//! there is. No expected verdict is written down here, so that none can be wrong.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use chrono::{DateTime, Duration, Utc};
use regrant::config::Config;
use regrant::report::model::Subject;
use serde_json::{Map, Value};

use crate::{assert_adds_up, audit};

/// Numbers that follow from a seed alone.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn shuffle<T>(&mut self, all: &mut [T]) {
        for i in (1..all.len()).rev() {
            all.swap(i, self.below(i + 1));
        }
    }
}

type Row = Vec<(&'static str, String)>;
type Tables = BTreeMap<&'static str, Vec<Row>>;

/// How an organisation is told: what its people are called, and how many weeks later all of it happens.
#[derive(Clone, Copy)]
struct Telling {
    name: fn(usize) -> String,
    weeks: i64,
}

const PLAIN: Telling = Telling { name: |n| format!("p{n}"), weeks: 0 };

/// When `minutes` after a Monday, each time another second, so that nothing happens at once.
fn instant(telling: Telling, minutes: i64, second: usize) -> String {
    let monday: DateTime<Utc> = "2026-03-02T09:00:00Z".parse().expect("an instant");
    let at = monday + Duration::weeks(telling.weeks) + Duration::minutes(minutes) + Duration::seconds(second as i64);
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn day(telling: Telling, minutes: i64) -> String {
    instant(telling, minutes, 0)[..10].to_owned()
}

/// A small organisation in which much happens to the same few.
fn organisation(seed: u64, telling: Telling) -> Tables {
    const PEOPLE: usize = 9;
    const RESETS: [&str; 6] = [
        "password-reset",
        "mfa-reset",
        "recovery-issued",
        "account-unlocked",
        "credential-rotated",
        "credential-issued",
    ];
    const AROUND: [&str; 6] = [
        "sign-in",
        "account-disabled",
        "account-reactivated",
        "privilege-granted",
        "recovery-contact-changed",
        "sessions-revoked",
    ];
    let dice = &mut Dice(seed);
    let name = |dice: &mut Dice| (telling.name)(dice.below(PEOPLE + 4));
    let systems = ["okta", "entra", "aws:1"];
    let mut tables = Tables::new();
    let mut add = |table, row: Row| tables.entry(table).or_default().push(row);
    for n in 0..PEOPLE {
        let ended = if dice.below(4) == 0 { day(telling, 1440 * dice.below(30) as i64) } else { String::new() };
        add(
            "person",
            vec![
                ("person_id", (telling.name)(n)),
                ("aliases", format!("corp\\{0};{0}@corp.example", (telling.name)(n))),
                ("status", dice.one(&["active", "active", "leave", "terminated"]).into()),
                ("worker_type", dice.one(&["employee", "contractor"]).into()),
                ("started_on", day(telling, -1440 * 400)),
                ("ended_on", ended),
                ("manager", name(dice)),
                ("department", dice.one(&["Service Desk", "Ops", ""]).into()),
                ("tier", dice.one(&["standard", "executive", "privileged"]).into()),
            ],
        );
    }
    for n in PEOPLE..PEOPLE + 3 {
        let kind = dice.one(&["service-account", "shared-mailbox", "bot"]).to_owned();
        add("workload", vec![("workload_id", (telling.name)(n)), ("kind", kind), ("owner", name(dice))]);
    }
    for n in 0..14 {
        let second = n;
        let system = systems[n % 3].to_owned();
        let whose = (telling.name)(n / 3 % PEOPLE);
        let active = instant(telling, dice.below(40_000) as i64 - 20_000, second);
        let account = format!("{whose}-{system}");
        let disabled =
            if dice.below(3) == 0 { instant(telling, dice.below(20_000) as i64, second) } else { String::new() };
        let status = if disabled.is_empty() { "enabled" } else { "disabled" };
        let row = vec![("account", account), ("system", system), ("identity", whose), ("last_active_at", active)];
        add("account", [row, vec![("status", status.into()), ("disabled_at", disabled)]].concat());
    }
    for n in 0..40 {
        let some = |dice: &mut Dice, from: i64| match dice.below(3) {
            0 => String::new(),
            _ => instant(telling, from + dice.below(30_000) as i64, n),
        };
        let row = vec![
            ("credential_id", format!("c{n}")),
            ("identity", name(dice)),
            ("system", dice.one(&systems).to_owned()),
            ("kind", dice.one(&["password", "session", "factor", "api-key"]).to_owned()),
            ("created_at", some(dice, -100_000)),
            ("last_used_at", some(dice, -9_000)),
            ("expires_at", some(dice, 0)),
            ("revoked_at", some(dice, 0)),
            ("observed_at", instant(telling, 45_000, n)),
        ];
        add("credential", row);
    }
    for n in 0..20 {
        let row = vec![
            ("ticket", format!("T-{n}")),
            ("subject", name(dice)),
            ("approver", name(dice)),
            ("decision", dice.one(&["approved", "approved", "rejected", "pending"]).to_owned()),
            ("decided_at", instant(telling, dice.below(20_000) as i64, n)),
            ("category", dice.one(&["access-recovery", "hardware"]).to_owned()),
        ];
        add("ticket", row);
    }
    for n in 0..160 {
        // Close together, so that there are bursts and chains.
        let minutes = dice.below(9) as i64 * 1440 + dice.below(240) as i64;
        let action = if dice.below(3) == 0 { dice.one(&AROUND) } else { dice.one(&RESETS) };
        let later = |dice: &mut Dice, by: i64| match dice.below(3) {
            0 => String::new(),
            _ => instant(telling, minutes + by + dice.below(40) as i64, n),
        };
        let row = vec![
            ("event_id", format!("e{n}")),
            ("occurred_at", instant(telling, minutes, n)),
            ("system", dice.one(&systems).to_owned()),
            ("action", action.to_owned()),
            ("outcome", dice.one(&["success", "success", "failure"]).to_owned()),
            ("target", name(dice)),
            ("executor", name(dice)),
            ("executor_kind", dice.one(&["", "", "automation", "desk", "self"]).to_owned()),
            ("requester", name(dice)),
            ("approver", if dice.below(2) == 0 { name(dice) } else { String::new() }),
            ("approved_at", later(dice, -60)),
            ("ticket", if dice.below(2) == 0 { format!("t-{}", dice.below(22)) } else { String::new() }),
            ("verification", dice.one(&["", "sms", "fido2;sms"]).to_owned()),
            ("verified_at", later(dice, -30)),
            ("token_expires_at", later(dice, 20)),
            ("notified_at", later(dice, 30)),
            ("new_credential", if dice.below(3) == 0 { format!("c{}", dice.below(44)) } else { String::new() }),
        ];
        add("event", row);
    }
    tables
}

/// One file of a table.
fn file(path: &Path, rows: &[Row]) {
    let text = if path.extension().is_some_and(|e| e == "jsonl") {
        let object =
            |row: &Row| row.iter().map(|(k, v)| ((*k).to_owned(), Value::from(v.as_str()))).collect::<Map<_, _>>();
        rows.iter().map(|row| format!("{}\n", Value::Object(object(row)))).collect::<String>()
    } else {
        let line = |cells: Vec<&str>| format!("{}\n", cells.join(","));
        let header = rows.first().map_or(String::new(), |row| line(row.iter().map(|c| c.0).collect()));
        header + &rows.iter().map(|row| line(row.iter().map(|c| c.1.as_str()).collect())).collect::<String>()
    };
    fs::write(path, text).expect("a writable folder");
}

type Answers = BTreeMap<(String, String, String), Subject>;

/// Every subject of an organisation whose tables stand in so many files.
fn answers(tables: &Tables, telling: Telling, files: usize, ending: &str) -> Answers {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (table, rows) in tables {
        for n in 0..files.min(rows.len()) {
            let some: Vec<Row> = rows.iter().skip(n).step_by(files).cloned().collect();
            file(&folder.path().join(format!("{table}-{n}.{ending}")), &some);
        }
    }
    let config = format!("as_of = {}\ntimezone = \"UTC\"\n", instant(telling, 50_000, 0));
    let config = Config::parse(&config, &folder.path().join("regrant.toml")).unwrap_or_else(|e| panic!("{e}"));
    let report = audit(&[folder.path().to_owned()], config).unwrap_or_else(|e| panic!("{e}"));
    assert_adds_up(&report);
    assert!(report.rejected.is_empty(), "{:?}", report.rejected.first().map(|r| &r.reason));
    let subjects = report.subjects.expect("asked for");
    subjects.into_iter().map(|s| ((s.subject_kind.clone(), s.system.clone(), s.subject.clone()), s)).collect()
}

/// Facts and verdicts are the same for each subject of `a`.
fn assert_agree(what: &str, a: &Answers, b: &Answers) {
    assert!(a.len() > 40, "{what}: only {} subjects", a.len());
    for (key, one) in a {
        let other = b.get(key).unwrap_or_else(|| panic!("{what}: {key:?} is gone"));
        for (fact, value) in &one.facts {
            assert_eq!(value, &other.facts[fact], "{what}: {fact} of {key:?}");
        }
        assert_eq!(one.verdicts, other.verdicts, "{what}: {key:?}");
    }
}

const SEEDS: std::ops::Range<u64> = 0..4;

#[test]
fn in_how_many_files_rows_stand_and_in_which_order_is_of_no_interest() {
    for seed in SEEDS {
        let mut tables = organisation(seed, PLAIN);
        let whole = answers(&tables, PLAIN, 1, "csv");
        for (files, ending) in [(3, "csv"), (50, "csv"), (2, "jsonl")] {
            tables.values_mut().for_each(|rows| Dice(files as u64).shuffle(rows));
            let split = answers(&tables, PLAIN, files, ending);
            assert_eq!(whole.len(), split.len());
            assert_agree(&format!("seed {seed}, {files} files of {ending}"), &whole, &split);
            let identities = |all: &Answers| all.values().map(|s| s.identity.clone()).collect::<Vec<_>>();
            assert_eq!(identities(&whole), identities(&split));
        }
    }
}

#[test]
fn what_people_are_called_is_of_no_interest() {
    // In another order, another script, and not in one case.
    let other = Telling { name: |n| format!("Žofie {} Ζωή", 99 - n), ..PLAIN };
    for seed in SEEDS {
        let (plain, renamed) = (organisation(seed, PLAIN), organisation(seed, other));
        let (plain, renamed) = (answers(&plain, PLAIN, 1, "csv"), answers(&renamed, other, 1, "csv"));
        assert_agree(&format!("seed {seed}"), &plain, &renamed);
        for (key, one) in &plain {
            let number = one.identity.strip_prefix('p').and_then(|n| n.parse().ok());
            assert_eq!(renamed[key].identity, number.map_or(String::new(), other.name), "{key:?}");
        }
    }
}

#[test]
fn in_which_week_all_of_it_happened_is_of_no_interest() {
    for (seed, weeks) in SEEDS.zip([1, 52, 700, -3000]) {
        let later = Telling { weeks, ..PLAIN };
        let (now, then) = (organisation(seed, PLAIN), organisation(seed, later));
        let (now, then) = (answers(&now, PLAIN, 1, "csv"), answers(&then, later, 1, "csv"));
        assert_agree(&format!("seed {seed}, {weeks} weeks later"), &now, &then);
    }
}

#[test]
fn strangers_change_nothing_for_anybody_else() {
    for seed in SEEDS {
        let mut tables = organisation(seed, PLAIN);
        let before = answers(&tables, PLAIN, 1, "csv");
        let mut add = |table: &'static str, cells: &[(&str, &str)]| {
            let rows = tables.get_mut(table).expect("it has rows");
            let mut row: Row = rows[0].iter().map(|(column, _)| (*column, String::new())).collect();
            for (column, cell) in &mut row {
                *cell = cells.iter().find(|c| c.0 == *column).map_or(String::new(), |c| c.1.to_owned());
            }
            rows.insert(seed as usize, row);
        };
        add("person", &[("person_id", "stranger"), ("aliases", "corp\\stranger;the other one"), ("tier", "executive")]);
        add("ticket", &[("ticket", "X-1"), ("subject", "stranger"), ("decision", "approved")]);
        add("credential", &[("credential_id", "x"), ("identity", "stranger"), ("system", "okta"), ("kind", "session")]);
        for (n, (action, system)) in [("password-reset", "okta"), ("mfa-reset", "aws:1")].into_iter().enumerate() {
            let (id, at) = (format!("x{n}"), instant(PLAIN, 3000 * n as i64 + 700, 30));
            let who = [("target", "the other one"), ("executor", "nobody in any register")];
            let what = [("event_id", id.as_str()), ("occurred_at", &at), ("system", system), ("action", action)];
            add("event", &[&who[..], &what[..]].concat());
        }
        let after = answers(&tables, PLAIN, 1, "csv");
        assert_eq!(after.len(), before.len() + 3);
        assert_agree(&format!("seed {seed}"), &before, &after);
    }
}

#[test]
fn an_alias_of_two_people_is_listed_though_no_record_names_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let rows = "person_id,aliases\na,Zed;alone\nb,x; zed \nc,y;y\n";
    fs::write(folder.path().join("person.csv"), rows).expect("a writable folder");
    let report = audit(&[folder.path().to_owned()], Config::default()).unwrap_or_else(|e| panic!("{e}"));
    let listed = report.assessment.data_quality.iter().find(|d| d.kind == "ambiguous-alias").expect("it is listed");
    assert_eq!((listed.count, listed.examples.as_slice()), (1, &["zed".to_owned()][..]));
}

#[test]
fn a_person_is_written_as_in_the_latest_roster() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a writable folder");
    file("a.csv", "person_id,email\nANN,ann@corp.example\n");
    file("b.csv", "person_id,email\nAnn,ann@corp.example\n");
    file("e.csv", "event_id,occurred_at,system,action,target\n1,2026-09-01T08:00:00Z,okta,password-reset,ann\n");
    let config =
        "[[input]]\npath = \"a.csv\"\nsnapshot = 2026-08-01\n[[input]]\npath = \"b.csv\"\nsnapshot = 2026-09-01\n";
    let config = Config::parse(config, &folder.path().join("regrant.toml")).unwrap_or_else(|e| panic!("{e}"));
    let report = audit(&[folder.path().to_owned()], config).unwrap_or_else(|e| panic!("{e}"));
    let subjects = report.subjects.expect("asked for");
    assert_eq!(subjects[0].identity, "Ann");
}
