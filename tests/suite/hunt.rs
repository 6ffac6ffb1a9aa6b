//! Every case of every pattern document: CSV in, matches out; and what a hunt promises as a whole.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rayon::prelude::*;
use regrant::config::Config;
use regrant::hunt::case::Case as Kept;
use regrant::hunt::pattern::{self, Case, Expected, Pattern};
use regrant::hunt::report::Pivots;
use regrant::hunt::{self, Clocks, Request};
use regrant::mappings::Mappings;
use regrant::run::{InputHash, Progress};
use std::sync::Arc;

use crate::{default_as_of, one_thread};

fn patterns() -> Vec<Pattern> {
    let mappings = Mappings::load(&[]).unwrap_or_else(|e| panic!("{e}"));
    pattern::load_all(&mappings).unwrap_or_else(|e| panic!("{e}\n  help: {}", e.hint))
}

/// The matches of one pattern, each as the ids of its events, and whether there was anything that it could not judge.
fn run(pattern: &Pattern, case: &Case, reversed: &dyn Fn(&str) -> String) -> Result<(Vec<Vec<String>>, bool), String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (n, (table, text)) in case.tables.iter().enumerate() {
        fs::write(folder.path().join(format!("{n}-{table}.csv")), reversed(text)).expect("a writable folder");
    }
    let config = Config::parse(case.config.as_deref().unwrap_or_default(), &folder.path().join("regrant.toml"));
    let request = of_folder(folder.path(), config.map_err(|e| e.to_string())?, default_as_of());
    let nobody: Progress = Arc::new(|_, _| {});
    let found = hunt::find(&request, &nobody).map_err(|e| e.to_string())?;
    if let Some(input) = found.inputs.iter().find(|input| input.rejected > 0) {
        return Err(format!("a case's rows must all be read: {:?}", input.rejected_reasons));
    }
    let mine = found.patterns.iter().position(|p| p.id == pattern.id).expect("it is in force");
    let ids = |events: &[u32]| events.iter().filter_map(|i| found.ids.get(i).cloned()).collect::<Vec<_>>();
    let matches = found.followed.matches.iter().filter(|m| m.pattern == mine).map(|m| ids(&m.events)).collect();
    Ok((matches, found.followed.blind.keys().any(|blind| blind.pattern == mine)))
}

fn differences(pattern: &Pattern, case: &Case, how: &str, reversed: &dyn Fn(&str) -> String) -> Option<String> {
    let place = format!("mappings/patterns/{}.md:{}: case \"{}\" ({how})", pattern.id, case.line, case.name);
    let (mut matches, blind) = match run(pattern, case, reversed) {
        Ok(found) => found,
        Err(error) => return Some(format!("{place}: {error}")),
    };
    let found = match &case.expected {
        Expected::Matches(expected) => {
            let mut expected = expected.clone();
            expected.sort();
            matches.sort();
            expected == matches
        }
        Expected::Nothing => matches.is_empty() && !blind,
        Expected::CannotTell => matches.is_empty() && blind,
    };
    (!found).then(|| format!("{place}: expected {:?}, found {matches:?}, cannot tell: {blind}", case.expected))
}

fn backwards(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    lines[1..].reverse();
    lines.join("\n") + "\n"
}

#[test]
fn every_case_of_every_pattern() {
    let patterns = patterns();
    let cases: Vec<(&Pattern, &Case)> = patterns.iter().flat_map(|p| p.cases.iter().map(move |c| (p, c))).collect();
    let mut wrong: Vec<String> =
        cases.par_iter().filter_map(|(p, c)| differences(p, c, "as written", &str::to_owned)).collect();
    wrong.extend(one_thread().install(|| {
        let reversed = |(p, c): &(&Pattern, &Case)| differences(p, c, "rows reversed, one thread", &backwards);
        cases.iter().filter_map(reversed).collect::<Vec<_>>()
    }));
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    println!("{} cases of {} patterns, each two ways", cases.len(), patterns.len());
}

#[test]
fn every_pattern_shows_who_is_caught_who_is_spared_and_what_if_it_is_not_known() {
    for pattern in patterns() {
        let has = |f: &dyn Fn(&Expected) -> bool| pattern.cases.iter().any(|case| f(&case.expected));
        assert!(has(&|e| matches!(e, Expected::Matches(_))), "{}: nobody is caught", pattern.id);
        assert!(has(&|e| *e == Expected::CannotTell), "{}: what if it is not known?", pattern.id);
        // In a case that can tell, some record of an action of the pattern is part of no match.
        let spared = pattern.cases.iter().any(|case| {
            let caught: Vec<&String> = match &case.expected {
                Expected::Matches(matches) => matches.iter().flatten().collect(),
                Expected::Nothing => Vec::new(),
                Expected::CannotTell => return false,
            };
            let of_pattern = |action: &str| {
                let is = |code: &u8| hunt::events::ACTION_WORDS[*code as usize - 1] == action;
                pattern.steps.iter().any(|step| step.absent.is_none() && step.actions.iter().any(is))
            };
            events(case).iter().any(|(id, _, action)| of_pattern(action) && !caught.contains(&id))
        });
        assert!(spared, "{}: nobody is spared", pattern.id);
        let names: BTreeSet<&str> = pattern.cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names.len(), pattern.cases.len(), "{}", pattern.id);
        assert!(!pattern.innocent.is_empty(), "{}: what else looks like it?", pattern.id);
        assert!(!pattern.source.is_empty(), "{}: where do its windows come from?", pattern.id);
    }
}

/// Id, instant in microseconds and action of every event of a case.
fn events(case: &Case) -> Vec<(String, i64, String)> {
    let mut out = Vec::new();
    for (_, text) in case.tables.iter().filter(|(table, _)| table == "event") {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header = reader.headers().expect("a header").clone();
        let at = |name: &str| header.iter().position(|column| column == name);
        for row in reader.records() {
            let row = row.expect("good CSV");
            let cell = |name: &str| at(name).and_then(|n| row.get(n)).unwrap_or_default().to_owned();
            let instant = chrono::DateTime::parse_from_rfc3339(&cell("occurred_at")).expect("an instant");
            out.push((cell("event_id"), instant.timestamp_micros(), cell("action")));
        }
    }
    out
}

/// Of every window of every pattern there are cases just inside and one second further.
#[test]
fn every_window_of_every_pattern_is_tried_to_the_second() {
    use hunt::pattern::Test;
    let mut without = Vec::new();
    let mut tried = 0;
    let mut unseen = false;
    for pattern in patterns() {
        let mut windows: Vec<(String, i64)> = Vec::new();
        if pattern.within > 0 {
            windows.push(("within".to_owned(), pattern.within));
        }
        windows.extend(pattern.count.iter().map(|count| ("count".to_owned(), count.within)));
        for step in &pattern.steps {
            windows.extend(step.absent.map(|within| (format!("absent {}", step.name), within)));
            windows.extend(step.conditions.iter().filter_map(|condition| match condition.test {
                Test::AfterReset(within) | Test::FirstAct(within) => Some((condition.name.clone(), within)),
                _ => None,
            }));
        }
        let apart: BTreeSet<i64> = pattern
            .cases
            .iter()
            .flat_map(|case| {
                let at: Vec<i64> = events(case).into_iter().map(|(_, at, _)| at).collect();
                at.iter().flat_map(|a| at.iter().map(|b| b - a).collect::<Vec<_>>()).collect::<Vec<_>>()
            })
            .collect();
        const SECOND: i64 = 1_000_000;
        let edge = |window: i64| {
            // Counts end before their window does, everything else with it.
            [window - SECOND, window].iter().any(|at| apart.contains(at) && apart.contains(&(at + SECOND)))
        };
        unseen |= edge(hunt::matcher::UNSEEN);
        for (what, window) in windows {
            tried += 1;
            if !edge(window) {
                without.push(format!("{}: {what}", pattern.id));
            }
        }
    }
    assert!(tried >= 25, "only {tried} windows");
    assert!(without.is_empty(), "no case to the second:\n{}", without.join("\n"));
    assert!(unseen, "no case of what was seen ninety days ago, to the second");
}

#[test]
fn a_wrong_expectation_of_a_pattern_is_noticed() {
    let patterns = patterns();
    let pattern = patterns.iter().find(|p| p.id == "full-stack-reset").expect("shipped");
    let mut case = pattern.cases[0].clone();
    case.expected = Expected::Nothing;
    assert!(differences(pattern, &case, "as written", &str::to_owned).is_some());
    case.expected = Expected::Matches(vec![vec!["a1".to_owned()]]);
    assert!(differences(pattern, &case, "as written", &str::to_owned).is_some());
}

#[test]
fn no_history_is_asked_of_a_field_that_has_none() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let shipped = include_str!("../../mappings/patterns/old-key-lives-on.md");
    let place = folder.path().join("patterns");
    fs::create_dir_all(&place).expect("a folder");
    for (fields, good) in [("[\"source_ip\", \"device\"]", true), ("[\"source_ip\", \"ticket\"]", false)] {
        let text = shipped.replace("unseen = [\"source_ip\"]", &format!("unseen = {fields}"));
        fs::write(place.join("old-key-lives-on.md"), text).expect("a pattern");
        let mappings = Mappings::load(&[folder.path().to_owned()]).unwrap_or_else(|e| panic!("{e}"));
        let loaded = hunt::pattern::load_all(&mappings);
        assert_eq!(loaded.is_ok(), good, "{fields}");
        let Err(error) = loaded else { continue };
        let said = format!("{error} {}", error.hint);
        for part in ["old-key-lives-on.md", "ticket", "source_ip, device, contact, session"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}

/// A hunt through a folder with the shipped patterns, clocks as they are written.
fn of_folder(folder: &Path, config: Config, as_of: i64) -> Request {
    Request {
        paths: vec![folder.to_owned()],
        config,
        as_of,
        mappings: Vec::new(),
        clocks: Clocks::AsWritten,
        input_hash: InputHash::Sha256,
    }
}

/// Three months of the sample, laid down and followed once for all tests that look at it.
fn sample() -> &'static (tempfile::TempDir, hunt::Found) {
    static SAMPLE: std::sync::OnceLock<(tempfile::TempDir, hunt::Found)> = std::sync::OnceLock::new();
    SAMPLE.get_or_init(|| hunted(hunt::sample::files()))
}

fn hunted(files: Vec<(&'static str, Vec<u8>)>) -> (tempfile::TempDir, hunt::Found) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("inside the folder")).expect("a subfolder");
        fs::write(path, content).expect("a file");
    }
    let request = of_folder(folder.path(), Config::default(), hunt::sample::AS_OF);
    let nobody: Progress = Arc::new(|_, _| {});
    let found = hunt::find(&request, &nobody).unwrap_or_else(|e| panic!("{e}"));
    (folder, found)
}

/// What the issue asks of hunting: each planted incident from its named minute, above everything else, and next to nothing else.
#[test]
fn planted_incidents_rank_above_three_months_of_ordinary_traffic() {
    let (others, resets) = planted_are_found(&sample().1, 3);
    assert!(resets >= 10_000, "{resets} resets are too few to say anything of one in 10,000");
    assert!(others * 10_000 <= resets, "{others} false incidents among {resets} resets");
}

/// Traffic that nobody looked at while the patterns were weighed.
#[test]
fn they_do_so_in_other_traffic_too() {
    let (mut others, mut resets) = (0, 0);
    for seed in [201, 202] {
        // Ordinary traffic may once look worse than the quietest of the three.
        let sum = planted_are_found(&hunted(hunt::sample::files_drawn(seed)).1, 4);
        (others, resets) = (others + sum.0, resets + sum.1);
    }
    assert!(others * 10_000 <= resets, "{others} false incidents among {resets} resets");
}

/// How many other incidents there are, among how many resets. The planted ones are `among` the first.
fn planted_are_found(found: &hunt::Found, among: usize) -> (u64, u64) {
    for input in &found.inputs {
        assert_eq!(input.rejected, 0, "{}: {:?}", input.path, input.rejected_reasons);
    }
    let told = hunt::report::tell(&found.material(), &Pivots::default());
    let top: Vec<String> = told
        .incidents
        .iter()
        .map(|i| format!("{} {} {:?} {}", i.score, i.began_at, i.known_at, hunt::output::headline(i)))
        .collect();
    println!(
        "{} resets, {} incidents, {} leads\n{}",
        told.resets,
        told.incident_count,
        told.lead_count,
        top.join("\n")
    );
    for planted in hunt::sample::PLANTED {
        let place = told.incidents.iter().position(|i| i.people.iter().any(|p| p.identity == planted.identity));
        let place = place.unwrap_or_else(|| panic!("{} is not found among\n{}", planted.name, top.join("\n")));
        assert!(place < among, "{} has rank {}:\n{}", planted.name, place + 1, top.join("\n"));
        assert_eq!(told.incidents[place].began_at, planted.began_at, "{}", planted.name);
        assert!(!told.incidents[place].containment.is_empty() && !told.incidents[place].lineage.is_empty());
    }
    (told.incident_count as u64 - 3, told.resets as u64)
}

#[test]
fn a_case_says_the_same_as_the_exports() {
    let (_folder, found) = sample();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (words, numbers) = Kept::pack(&found.material()).expect("written to memory");
    fs::create_dir_all(folder.path().join("case")).expect("a subfolder");
    fs::write(folder.path().join(hunt::case::WORDS), &words).expect("a file");
    fs::write(folder.path().join(hunt::case::NUMBERS), &numbers).expect("a file");
    let pivots = Pivots { values: vec![("ip".to_owned(), "203.0.113.77".to_owned())], ..Pivots::default() };
    let case = Kept::open(folder.path()).unwrap_or_else(|e| panic!("{e}"));
    let again = hunt::report::tell(&case.material(), &pivots);
    assert_eq!(again, hunt::report::tell(&found.material(), &pivots));
    assert_eq!(again.incidents[0].standing, "pivot");
    let mut cut = numbers.clone();
    cut.truncate(numbers.len() / 2);
    fs::write(folder.path().join(hunt::case::NUMBERS), &cut).expect("a file");
    assert!(Kept::open(folder.path()).expect_err("half of it is missing").to_string().contains("help:"));
}

/// Every cell of every table escapes, and nothing in the page can run or load.
#[test]
fn text_of_logs_stays_text_in_a_hunt() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let evil = "<script>alert(1)</script>\u{202e}";
    let mut events = "event_id,occurred_at,system,action,target,executor,object,contact\n".to_owned();
    for (n, action) in ["password-reset", "mfa-reset", "factor-enrolled", "privilege-granted"].into_iter().enumerate() {
        let by = if n < 2 { "=cmd()" } else { evil };
        events.push_str(&format!("e{n},2026-03-02T09:0{n}:00Z,{evil},{action},{evil},{by},@x,+1\n"));
    }
    fs::write(folder.path().join("event.csv"), events).expect("a file");
    let request = of_folder(folder.path(), Config::default(), default_as_of());
    let nobody: Progress = Arc::new(|_, _| {});
    let found = hunt::find(&request, &nobody).unwrap_or_else(|e| panic!("{e}"));
    let pivots = Pivots { values: vec![("executor".to_owned(), "=cmd()".to_owned())], ..Pivots::default() };
    let told = hunt::report::tell(&found.material(), &pivots);
    let timeline = hunt::report::timeline(&found.material(), &told);
    let html = hunt::page::html(&told, timeline.len()).unwrap_or_else(|e| panic!("{e}"));
    assert!(html.contains("&lt;script&gt;") && !html.contains("<script"), "a script got through");
    assert!(!html.contains('\u{202e}'), "an override turns the text around");
    for link in ["http:", "https:", "//"] {
        assert!(!html.contains(&format!("src=\"{link}")) && !html.contains(&format!("href=\"{link}")), "{link}");
    }
    let blast = String::from_utf8(hunt::output::blast_csv(&told)).expect("text");
    assert!(blast.contains("'=cmd()") && !blast.contains(",=cmd()"), "{blast}");
}

/// Rules are what pySigma takes for rules. Without Python and pySigma beside it the test says so.
#[test]
fn exported_rules_are_sigma() {
    let patterns = patterns();
    let mappings = Mappings::load(&[]).unwrap_or_else(|e| panic!("{e}"));
    let rules = hunt::sigma::rules(&patterns, &mappings);
    let (lists, files): (Vec<_>, Vec<_>) = rules.iter().partition(|(path, _)| path.ends_with(".csv"));
    assert!(files.len() >= 6, "only {} rules", files.len());
    // What is not exported is listed with the reason.
    for pattern in &patterns {
        let exported = files.iter().any(|(path, _)| path.starts_with(&format!("sigma/{}-", pattern.id)));
        let listed = lists.iter().any(|(_, text)| text.contains(&format!("{},", pattern.id)));
        assert!(exported || listed, "{}", pattern.id);
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (path, text) in &files {
        fs::write(folder.path().join(path.replace('/', "_")), text).expect("a file");
    }
    let script = "import sys, pathlib\n\
        from sigma.collection import SigmaCollection\n\
        from sigma.correlations import SigmaCorrelationRule\n\
        n = 0\n\
        for path in sorted(pathlib.Path(sys.argv[1]).glob('*.yml')):\n\
        \x20   rules = SigmaCollection.from_yaml(path.read_text())\n\
        \x20   assert not rules.errors, (path, rules.errors)\n\
        \x20   rules.resolve_rule_references()\n\
        \x20   found = [r for r in rules.rules if isinstance(r, SigmaCorrelationRule)]\n\
        \x20   assert len(found) == 1 and len(rules.rules) > 1, path\n\
        \x20   n += 1\n\
        print(n)\n";
    let python = crate::lake::python();
    let probe = std::process::Command::new(&python).args(["-c", "import sigma.correlations"]).output();
    if !probe.is_ok_and(|out| out.status.success()) {
        println!("skipped: pySigma is not installed (`pip install pysigma`)");
        return;
    }
    let out =
        std::process::Command::new(&python).arg("-c").arg(script).arg(folder.path()).output().expect("it ran before");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(String::from_utf8_lossy(&out.stdout).trim(), files.len().to_string());
}

/// Canonical tables of a night in which one caller takes two accounts, after sixty quiet days; each name as `called` writes it.
pub fn night(called: &dyn Fn(&str) -> String) -> Vec<(&'static str, Vec<u8>)> {
    let header = "event_id,occurred_at,system,action,outcome,target,executor,source_ip,device,session,user_agent,contact,object,ticket,new_credential";
    let mut events = csv::Writer::from_writer(Vec::new());
    events.write_record(header.split(',')).expect("a header");
    let mut number = 0;
    let mut add = |at: &str, action: &str, outcome: &str, target: &str, by: &str, rest: [&str; 8]| {
        number += 1;
        let name = |text: &str| if text.is_empty() { String::new() } else { called(text) };
        let mut row = vec![format!("n{number}"), at.to_owned(), name("okta"), action.to_owned(), outcome.to_owned()];
        row.extend([target, by].map(name));
        // An address is one whatever it is called elsewhere.
        row.push(rest[0].to_owned());
        row.extend(rest[1..].iter().map(|text| name(text)));
        events.write_record(&row).expect("written to memory");
    };
    let first = chrono::NaiveDate::from_ymd_opt(2026, 6, 1).expect("a date");
    for day in 0..62 {
        let date = first + chrono::Days::new(day);
        for (minute, who, ip) in [(0, "ann", "192.0.2.10"), (7, "bob", "192.0.2.11"), (9, "dee", "192.0.2.1")] {
            let at = format!("{date}T08:{minute:02}:00Z");
            add(&at, "sign-in", "success", who, who, [ip, &format!("dev-{who}"), "", "", "", "", "", ""]);
        }
        if day % 3 == 0 {
            let whom = format!("user{day}");
            let ticket = format!("INC{day}");
            let at = format!("{date}T09:30:00Z");
            add(&at, "password-reset", "success", &whom, "dee", ["192.0.2.1", "", "", "", "", "", &ticket, ""]);
        }
    }
    let from = ["203.0.113.66", "dev-x", "s-1", "Browser 7", "", "", "", ""];
    let with = |n: usize, text: &'static str| {
        let mut rest = from;
        rest[n] = text;
        rest
    };
    let desk = ["192.0.2.1", "", "", "", "", "", "", ""];
    let mut asked = desk;
    asked[6] = "INC900";
    add("2026-07-31T01:00:00Z", "password-reset", "failure", "ann", "hal", desk);
    add("2026-07-31T01:20:00Z", "password-reset", "success", "ann", "dee", asked);
    add("2026-07-31T01:25:00Z", "mfa-reset", "success", "ann", "dee", desk);
    add("2026-07-31T01:32:00Z", "factor-enrolled", "success", "ann", "ann", with(4, "+1 555 0190"));
    add("2026-07-31T01:40:00Z", "sign-in", "success", "ann", "ann", from);
    add("2026-07-31T02:00:00Z", "privilege-granted", "success", "ann", "hal", with(5, "Super administrator"));
    add("2026-07-31T02:10:00Z", "password-reset", "success", "bob", "dee", desk);
    add("2026-07-31T02:12:00Z", "mfa-reset", "success", "bob", "dee", desk);
    add("2026-07-31T02:20:00Z", "factor-enrolled", "success", "bob", "bob", with(4, "+1 555 0190"));
    add("2026-07-31T02:25:00Z", "sign-in", "success", "bob", "bob", from);
    add("2026-07-31T02:40:00Z", "credential-issued", "success", "svc-feed", "ann", with(7, "K9"));
    add("2026-07-31T02:45:00Z", "mail-forwarding-set", "success", "ann", "ann", with(5, "collect@elsewhere.example"));
    add("2026-07-31T03:00:00Z", "sign-in", "success", "cal", "cal", from);
    let mut people = csv::Writer::from_writer(Vec::new());
    let header = ["person_id", "email", "name", "worker_type", "started_on", "tier", "status", "title"];
    people.write_record(header).expect("a header");
    for (who, tier) in [("ann", "executive"), ("bob", "privileged"), ("dee", "standard"), ("hal", "standard")] {
        let name = called(&format!("{who} the person"));
        let row = [who.to_uppercase(), called(who), name, "employee".to_owned(), "2020-01-01".to_owned()];
        let row = row.into_iter().chain([tier.to_owned(), "active".to_owned(), called("a post")]);
        people.write_record(row).expect("written to memory");
    }
    let done = |writer: csv::Writer<Vec<u8>>| writer.into_inner().expect("written to memory");
    vec![("event.csv", done(events)), ("person.csv", done(people))]
}

fn plain(name: &str) -> String {
    name.to_owned()
}

/// Everything that a page, a spreadsheet or a terminal could take for more than text.
pub fn evil(name: &str) -> String {
    format!(
        "=<img src=x onerror=window.pwned=1>\"'><script>window.pwned=1</script>[x](javascript:alert(1))\u{202e}{name}"
    )
}

pub fn hunt_of(files: Vec<(&'static str, Vec<u8>)>, clocks: Clocks) -> (tempfile::TempDir, hunt::Found) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, content) in files {
        fs::write(folder.path().join(name), content).expect("a file");
    }
    let config = Config::parse("timezone = \"Europe/Berlin\"", &folder.path().join("regrant.toml")).expect("good");
    let as_of = chrono::DateTime::parse_from_rfc3339("2026-08-05T00:00:00Z").expect("an instant").timestamp_micros();
    let request = Request {
        paths: vec![folder.path().to_owned()],
        config,
        as_of,
        mappings: Vec::new(),
        clocks,
        input_hash: InputHash::Sha256,
    };
    let nobody: Progress = Arc::new(|_, _| {});
    let found = hunt::find(&request, &nobody).unwrap_or_else(|e| panic!("{e}"));
    for input in &found.inputs {
        assert_eq!(input.rejected, 0, "{}: {:?}", input.path, input.rejected_reasons);
    }
    (folder, found)
}

fn told(found: &hunt::Found, pivots: &[(&str, &str)]) -> hunt::report::Hunt {
    let values = pivots.iter().map(|(kind, value)| ((*kind).to_owned(), (*value).to_owned())).collect();
    hunt::report::tell(&found.material(), &Pivots { values, ..Pivots::default() })
}

#[test]
fn the_night_is_one_incident_and_every_pivot_leads_to_it() {
    let (_folder, found) = hunt_of(night(&plain), Clocks::AsWritten);
    let all = told(&found, &[]);
    let one = &all.incidents[0];
    assert_eq!(all.incident_count, 1, "{:?}", all.incidents.iter().map(hunt::output::headline).collect::<Vec<_>>());
    let people: Vec<&str> = one.people.iter().map(|p| p.identity.as_str()).collect();
    assert!(people.contains(&"ann") && people.contains(&"bob"), "{people:?}");
    for (kind, value) in
        [("identity", "bob"), ("executor", "dee"), ("ip", "203.0.113.66"), ("ticket", "inc900"), ("credential", "k9")]
    {
        let around = told(&found, &[(kind, value)]);
        assert_eq!(around.incidents[0].standing, "pivot", "{kind}");
        assert_eq!(around.incident_count, 1, "{kind}");
        assert!(around.touched.is_some_and(|n| n > 0), "{kind}");
    }
    assert!(told(&found, &[("identity", "nobody")]).incidents.is_empty());
    // Who only came from the same address is somebody to ask.
    assert!(one.blast.iter().any(|touched| touched.identity == "cal" && !touched.within && touched.via == "source_ip"));
}

#[test]
fn time_lines_are_what_timesketch_takes_and_no_cell_is_a_formula() {
    for (called, hostile) in [(&plain as &dyn Fn(&str) -> String, 0), (&evil, 1)] {
        let (_folder, found) = hunt_of(night(called), Clocks::AsWritten);
        let hunt = told(&found, &[]);
        let lines = hunt::report::timeline(&found.material(), &hunt);
        assert!(lines.len() > 10, "{}", lines.len());
        let csv_text = hunt::output::timeline_csv(&lines);
        let mut reader = csv::Reader::from_reader(csv_text.as_slice());
        let header: Vec<String> = reader.headers().expect("a header").iter().map(str::to_owned).collect();
        assert_eq!(header[..3], ["message", "datetime", "timestamp_desc"]);
        let mut last = 0;
        for row in reader.records() {
            let row = row.expect("good CSV");
            let cell = |name: &str| row.get(header.iter().position(|h| h == name).expect("a column")).expect("a cell");
            assert!(!cell("message").is_empty() && !cell("timestamp_desc").is_empty());
            let at = chrono::DateTime::parse_from_rfc3339(cell("datetime")).expect("RFC 3339").timestamp_micros();
            assert_eq!(at.to_string(), cell("timestamp"));
            assert!(at >= last, "out of order");
            last = at;
            assert!(["regrant-matched", "regrant-context"].contains(&cell("tag")));
        }
        let jsonl = String::from_utf8(hunt::output::timeline_jsonl(&lines)).expect("UTF-8");
        assert_eq!(jsonl.lines().count(), lines.len());
        for line in jsonl.lines() {
            let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
            for name in ["message", "datetime", "timestamp_desc"] {
                assert!(value[name].as_str().is_some_and(|text| !text.is_empty()), "{name}: {line}");
            }
            assert!(value["timestamp"].is_i64() && value["tag"].is_array());
            // Data has the text of the log as it is.
            assert!(hostile == 0 || line.contains("\"target\":\"=<img"), "{line}");
        }
        let files = [
            ("timeline.csv", csv_text),
            ("blast-list.csv", hunt::output::blast_csv(&hunt)),
            ("containment.csv", hunt::output::containment_csv(&hunt)),
            ("limits.csv", hunt::output::limits_csv(&hunt)),
        ];
        for (name, bytes) in files {
            let mut guarded = 0;
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes.as_slice());
            for row in reader.records() {
                for cell in &row.expect("good CSV") {
                    assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{name}: {cell:?}");
                    guarded += usize::from(cell.starts_with('\''));
                }
            }
            assert!(guarded > 0 || name == "limits.csv", "{name}: nothing to guard");
        }
    }
}

/// By the subset of the schema that is at hand; what it has no class for by what every class asks for.
#[test]
fn what_a_hunt_writes_as_ocsf_is_valid_and_reads_back_as_the_same_incidents() {
    let strange = |name: &str| format!("<b>{name}</b>|\"\u{202e}日本");
    for (called, reads_back) in [(&plain as &dyn Fn(&str) -> String, true), (&strange, true), (&evil, false)] {
        let (_folder, found) = hunt_of(night(called), Clocks::AsWritten);
        let hunt = told(&found, &[]);
        let all: Vec<u32> = (0..found.trail.events.len() as u32).collect();
        let written = hunt::feed::ocsf_events(&found.trail, &all, "1.6.0");
        let lines = |bytes: &[u8]| -> Vec<serde_json::Value> {
            let text = std::str::from_utf8(bytes).expect("UTF-8");
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
        };
        let (events, incidents) = (lines(&written), lines(&hunt::output::ocsf(&hunt, "1.6.0")));
        assert_eq!(incidents.len(), hunt.incidents.len());
        for event in &events {
            for name in
                ["class_uid", "category_uid", "activity_id", "type_uid", "severity_id", "time", "metadata", "user"]
            {
                assert!(!event[name].is_null(), "{name}: {event}");
            }
            let class = event["class_uid"].as_u64().expect("a class");
            assert_eq!(
                event["type_uid"].as_u64(),
                Some(class * 100 + event["activity_id"].as_u64().expect("a number"))
            );
        }
        if let Some(schemas) = crate::shared("schemas") {
            let changes: Vec<serde_json::Value> =
                events.iter().filter(|event| event["class_uid"] == 3001).cloned().collect();
            assert!(changes.len() > 20);
            let schema = |name: &str| schemas.join(format!("ocsf-1.6.0-{name}.derived.schema.json"));
            crate::exports::assert_valid(&schema("account_change"), None, &changes);
            crate::exports::assert_valid(&schema("detection_finding"), None, &incidents);
        }
        // What looks like a secret in a name is left out when it is read from a vendor's record.
        if !reads_back {
            continue;
        }
        let people = night(called).pop().expect("the roster");
        let (_folder, again) = hunt_of(vec![("events.jsonl", written), people], Clocks::AsWritten);
        let read: Vec<&str> = again.inputs.iter().map(|input| input.mapping.as_str()).collect();
        assert!(read.contains(&"regrant-ocsf"), "{read:?}");
        let same = |hunt: &hunt::report::Hunt| -> Vec<String> {
            let one = |i: &hunt::report::Incident| {
                let people: Vec<&str> = i.people.iter().map(|p| p.identity.as_str()).collect();
                let sentences: Vec<&str> = i.story.iter().map(|line| line.sentence.as_str()).collect();
                let reasons = &i.reasons;
                format!("{} {} {} {people:?} {reasons:#?} {sentences:#?}", i.score, i.began_at, i.last_at)
            };
            hunt.incidents.iter().map(one).collect()
        };
        assert_eq!(same(&told(&again, &[])), same(&hunt));
    }
}

fn resets(systems: &[(&str, i64)], acts: i64) -> Vec<u8> {
    let mut text = "event_id,occurred_at,system,action,target,executor\n".to_owned();
    for act in 0..acts {
        for (system, ahead) in systems {
            let at = 1_785_000_000 + act * 7_200 + ahead;
            let at = chrono::DateTime::from_timestamp(at, 0).expect("an instant").to_rfc3339();
            text.push_str(&format!("{system}{act},{at},{system},password-reset,user{act},dee\n"));
        }
    }
    // Which clock the others are held against is that of the system with the most events.
    text.push_str("z,2026-07-20T00:00:00Z,okta,sign-in,zoe,zoe\n");
    text.into_bytes()
}

#[test]
fn clocks_are_told_apart_by_what_both_recorded_and_moved_only_when_asked() {
    let instants = |found: &hunt::Found, system: &str| -> Vec<i64> {
        let of = |e: &&hunt::events::Event| found.trail.value(e, hunt::events::Field::System) == Some(system);
        found.trail.events.iter().filter(of).map(|e| e.at).collect()
    };
    let files = || vec![("event.csv", resets(&[("okta", 0), ("ad", 90)], 8))];
    let (_a, as_written) = hunt_of(files(), Clocks::AsWritten);
    let clock = |found: &hunt::Found| -> Vec<String> {
        let of = found.limits.iter().filter(|limit| limit.kind == "clock");
        of.map(|limit| format!("{} {}", limit.what, limit.because)).collect()
    };
    let listed = clock(&as_written);
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert!(listed[0].contains("ad its clock is 1 min 30 s ahead of that of okta, by 8 acts"), "{listed:?}");
    assert_eq!(instants(&as_written, "ad")[0] - instants(&as_written, "okta")[1], 90_000_000);

    let (_b, aligned) = hunt_of(files(), Clocks::Aligned);
    assert!(
        clock(&aligned).iter().any(|text| text.contains("moved back by 1 min 30 s, as asked")),
        "{:?}",
        clock(&aligned)
    );
    assert_eq!(instants(&aligned, "ad"), instants(&aligned, "okta")[1..]);

    // Four acts are too few, and what scatters is no offset.
    let (_c, few) = hunt_of(vec![("event.csv", resets(&[("okta", 0), ("ad", 90)], 4))], Clocks::Aligned);
    assert!(clock(&few).is_empty(), "{:?}", clock(&few));
    let mut scattered = String::from_utf8(resets(&[("okta", 0)], 8)).expect("text");
    for act in 0..8 {
        let at = chrono::DateTime::from_timestamp(1_785_000_000 + act * 7_200 + act * 100, 0).expect("an instant");
        scattered.push_str(&format!("ad{act},{},ad,password-reset,user{act},dee\n", at.to_rfc3339()));
    }
    let (_d, scattered) = hunt_of(vec![("event.csv", scattered.into_bytes())], Clocks::Aligned);
    assert!(clock(&scattered).is_empty(), "{:?}", clock(&scattered));
}

/// A log with an event every half hour but for two silences, one of them in the night; and a log that ends with it.
fn holes() -> Vec<(&'static str, Vec<u8>)> {
    let mut text = "event_id,occurred_at,system,action,target,executor\n".to_owned();
    let start = chrono::DateTime::parse_from_rfc3339("2026-06-01T00:00:00Z").expect("an instant");
    for half in 0..62 * 48 {
        let at = start + chrono::Duration::minutes(30 * half);
        let within = |from: &str, until: &str| {
            let instant = |text: &str| chrono::DateTime::parse_from_rfc3339(text).expect("an instant");
            at > instant(from) && at < instant(until)
        };
        if within("2026-06-10T00:00:00Z", "2026-06-10T09:00:00Z")
            || within("2026-07-31T00:00:00Z", "2026-07-31T06:00:00Z")
        {
            continue;
        }
        text.push_str(&format!("v{half},{},vpn,sign-in,zoe,zoe\n", at.to_rfc3339()));
    }
    let mut capped = "event_id,occurred_at,system,action,target,executor,contact\n".to_owned();
    for n in 0..100 {
        let at = chrono::DateTime::parse_from_rfc3339("2026-07-30T12:00:00Z").expect("an instant");
        let at = at + chrono::Duration::minutes(n);
        capped.push_str(&format!("c{n},{},duo,factor-enrolled,ann,ann,\n", at.to_rfc3339()));
    }
    let mut files = night(&plain);
    files.push(("vpn.csv", text.into_bytes()));
    files.push(("duo.csv", capped.into_bytes()));
    files
}

#[test]
fn holes_and_truncation_around_the_incident_stand_with_it_and_others_do_not() {
    let (_folder, found) = hunt_of(holes(), Clocks::AsWritten);
    let hunt = told(&found, &[("identity", "ann")]);
    let lines = |limits: &[hunt::limits::Limit]| -> Vec<String> {
        limits.iter().map(|limit| format!("{} {}: {}", limit.kind, limit.what, limit.because)).collect()
    };
    let (near, all) = (lines(&hunt.incidents[0].unseen), lines(&hunt.limits));
    let has = |lines: &[String], parts: &[&str]| lines.iter().any(|line| parts.iter().all(|part| line.contains(part)));
    let night = ["silence vpn", "from 2026-07-31T00:00:00Z to 2026-07-31T06:00:00Z"];
    assert!(has(&near, &night) && has(&all, &night), "{near:#?}");
    let earlier = ["silence vpn", "from 2026-06-10T00:00:00Z to 2026-06-10T09:00:00Z"];
    assert!(has(&all, &earlier) && !has(&near, &earlier), "{near:#?}");
    assert!(has(&near, &["input duo.csv", "exactly 100 records"]), "{near:#?}");
    assert!(has(&near, &["system duo", "ends at 2026-07-30T13:39:00Z"]), "{near:#?}");
    assert!(has(&near, &["window", "the data ends 1 d", "at 2026-08-01T23:30:00Z"]), "{near:#?}");
    assert!(has(&near, &["window", "the data begins 60 d", "at 2026-06-01T00:00:00Z"]), "{near:#?}");
    // Fields of the inputs that it is told from, and of no other.
    assert!(has(&near, &["field duo.csv", "does not carry", "source_ip"]), "{near:#?}");
    assert!(has(&all, &["field vpn.csv"]) && !has(&near, &["field vpn.csv"]), "{near:#?}");
    // The page has these with the incident, and all of them below, in words.
    let html = hunt::page::html(&hunt, 1).unwrap_or_else(|e| panic!("{e}"));
    assert!(html.contains("What cannot be seen around it") && html.contains("nothing from 31 Jul 2026 02:00 CEST"));
    let csv_text = String::from_utf8(hunt::output::limits_csv(&hunt)).expect("text");
    assert!(csv_text.lines().count() > all.len(), "all of them, those of its own time as well");
}

#[test]
fn what_many_inputs_have_in_common_is_said_once() {
    let mut files = night(&plain);
    let names: Vec<&'static str> = (0..30).map(|n| &*format!("part-{n}.csv").leak()).collect();
    for (n, name) in names.iter().enumerate() {
        let row = format!("p{n},2026-07-0{}T00:00:00Z,app{n},password-reset,user{n},dee\n", n % 9 + 1);
        files.push((*name, format!("event_id,occurred_at,system,action,target,executor\n{row}").into_bytes()));
    }
    files.push(("notes.txt", b"nothing of this\nis a log\n".to_vec()));
    let (_folder, found) = hunt_of(files, Clocks::AsWritten);
    let groups = hunt::limits::together(&found.limits);
    let of = |kind: &str, words: &str| groups.iter().find(|g| g.kind == kind && g.because.contains(words));
    let fields = of("field", "do not carry source_ip").unwrap_or_else(|| panic!("{groups:#?}"));
    assert_eq!((fields.count, fields.what.as_str()), (30, "30 canonical tables"), "{fields:?}");
    assert_eq!(fields.examples.len(), 3);
    let few = of("silence", "too few events").unwrap_or_else(|| panic!("{groups:#?}"));
    assert_eq!((few.count, few.what.as_str()), (30, "30 systems"));
    let early = of("system", "ends more than a day before").or(of("system", "end more than a day")).is_some();
    assert!(early || of("system", "more than a day before that of others").is_some(), "{groups:#?}");
    assert!(groups.len() * 3 < found.limits.len(), "{} of {}", groups.len(), found.limits.len());
    let counted: u64 = groups.iter().map(|group| group.count).sum();
    assert_eq!(counted, found.limits.len() as u64, "each limit stands in one group");
}

/// The page as it is written, with everything that a log can say in it.
pub fn page_of(called: &dyn Fn(&str) -> String) -> String {
    let (_folder, found) = hunt_of(night(called), Clocks::AsWritten);
    let hunt = told(&found, &[("executor", &regrant::text::fold(&called("dee")))]);
    assert_eq!(hunt.incidents.len(), 2, "the pivot and the incident");
    let lines = hunt::report::timeline(&found.material(), &hunt);
    hunt::page::html(&hunt, lines.len()).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn prose_of_the_page_says_instants_in_words_and_raw_fields_keep_them() {
    let html = page_of(&plain);
    let visible: String = {
        // Without what stands in attributes and in the raw fields.
        let raw = regex::Regex::new("(?s)<dl>.*?</dl>|<style>.*?</style>|<[^>]*>").expect("a pattern");
        raw.replace_all(&html, " ").into_owned()
    };
    let instant = regex::Regex::new("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z").expect("a pattern");
    assert!(!instant.is_match(&visible), "{:?}", instant.find(&visible).map(|m| m.as_str()));
    assert!(visible.contains("31 Jul 2026 03:20 CEST"));
    assert!(html.contains("<dt>at</dt><dd>2026-07-31T01:20:00Z</dd>"));
}

/// One desk account does everything, from one address, to a few people, in a few days: what would be slow if an event were
/// compared with all before it. What comes of it is the same bytes on one thread and on four.
#[test]
fn a_busy_executor_is_followed_the_same_on_any_number_of_threads() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut events = "event_id,occurred_at,system,action,target,executor,source_ip,outcome,contact\n".to_owned();
    let start = chrono::DateTime::parse_from_rfc3339("2026-02-01T00:00:00Z").expect("an instant");
    for n in 0..40_000_u32 {
        let at = (start + chrono::Duration::seconds(i64::from(n) * 13)).format("%Y-%m-%dT%H:%M:%SZ");
        let target = if n % 3 == 0 { "ann".to_owned() } else { format!("p{}", n % 50) };
        let (action, by, outcome) = match n % 8 {
            0 | 1 => ("password-reset", "desk", "success"),
            2 => ("mfa-reset", "desk", "success"),
            3 => ("factor-enrolled", target.as_str(), "success"),
            4 => ("password-reset", "desk", "failure"),
            5 => ("mfa-reset", "other", "success"),
            6 => ("holder-notified", "desk", "success"),
            _ => ("sign-in", target.as_str(), "success"),
        };
        events.push_str(&format!("e{n},{at},okta,{action},{target},{by},192.0.2.{},{outcome},+1{}\n", n % 2, n % 5));
    }
    fs::write(folder.path().join("event.csv"), events).expect("a file");
    let request = || of_folder(folder.path(), Config::default(), default_as_of());
    let nobody: Progress = Arc::new(|_, _| {});
    let find = || {
        let found = hunt::find(&request(), &nobody).unwrap_or_else(|e| panic!("{e}"));
        let told = hunt::report::tell(&found.material(), &Pivots::default());
        (found.followed.matches.clone(), Kept::pack(&found.material()).expect("written to memory"), told)
    };
    let four = rayon::ThreadPoolBuilder::new().num_threads(4).build().expect("four threads").install(find);
    let one = one_thread().install(find);
    assert!(four.0.len() > 1_000, "{} matches", four.0.len());
    // A count that goes on is one match, however long it gets.
    assert!(four.0.iter().any(|found| found.events.len() > 5_000));
    assert!(one == four, "one thread and four say different things");
}

/// Around a desk account there is more than a page can show: it says how much and where that stands, and the data files have it.
#[test]
fn around_a_busy_desk_the_page_stays_small_and_nothing_goes_uncounted() {
    const RESETS: i64 = 30_000;
    let mut text = "event_id,occurred_at,system,action,target,executor\n".to_owned();
    for act in 0..RESETS {
        let at = chrono::DateTime::from_timestamp(1_780_000_000 + act * 60, 0).expect("an instant").to_rfc3339();
        text.push_str(&format!("e{act},{at},okta,password-reset,user{act},dee\n"));
    }
    let (_folder, found) = hunt_of(vec![("event.csv", text.into_bytes())], Clocks::AsWritten);
    let pivots = Pivots { values: vec![("executor".to_owned(), "dee".to_owned())], ..Pivots::default() };
    let (hunt, lines, _) = hunt::report::tell_in_time(&found.material(), &pivots);
    let around = &hunt.incidents[0];
    assert_eq!((hunt.touched, around.standing.as_str()), (Some(RESETS as u64), "pivot"));
    let html = hunt::page::html(&hunt, lines.len()).unwrap_or_else(|e| panic!("{e}"));
    assert!(html.len() < 1_000_000, "{} bytes", html.len());
    // The data: every event, person and step.
    let rows = |csv: Vec<u8>| csv::Reader::from_reader(csv.as_slice()).records().count();
    assert_eq!(rows(hunt::output::timeline_csv(&lines)), lines.len());
    assert_eq!(String::from_utf8(hunt::output::timeline_jsonl(&lines)).expect("UTF-8").lines().count(), lines.len());
    assert!(lines.len() >= RESETS as usize);
    assert_eq!(around.people.len(), RESETS as usize);
    assert_eq!(rows(hunt::output::containment_csv(&hunt)), around.containment.len());
    assert!(around.containment.len() >= RESETS as usize);
    // The page: what it shows and what it says it does not show are all there is.
    assert_eq!(around.story.len() as u64 + around.more_lines, lines.len() as u64);
    for (heading, row, all, place) in [
        ("Whose access was changed</h3>", "<tr><th scope=\"row\">", around.people.len(), "hunt.json"),
        ("The same as a table</summary>", "<tr><th scope=\"row\">", around.lineage.len(), "hunt.json"),
        ("1. Revoke sessions and tokens</h4>", "<li>", RESETS as usize, "containment.csv"),
        ("What happened</h3>", "<time ", lines.len(), "timeline.csv"),
    ] {
        let section = html.split_once(heading).map(|(_, rest)| rest.split("<h").next().unwrap_or_default());
        let section = section.unwrap_or_else(|| panic!("no {heading}"));
        let shown = section.matches(row).count();
        let said: String = section
            .split(" more")
            .find_map(|before| before.rsplit_once("<p class=\"quiet\">"))
            .unwrap_or_else(|| panic!("{heading} says nothing"))
            .1
            .chars()
            .filter(char::is_ascii_digit)
            .collect();
        assert!(shown > 100 && section.contains(place), "{heading}: {shown}");
        assert_eq!(shown + said.parse::<usize>().expect("a number"), all, "{heading}");
    }
}

/// The folder of a hunt is checked like a report's, against its inputs too; a case says when other patterns are in force.
#[test]
fn a_hunt_can_be_verified_and_a_case_knows_its_patterns() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let inputs = folder.path().join("in");
    fs::create_dir(&inputs).expect("a folder");
    let events = "event_id,occurred_at,system,action,target,executor\n\
        a,2026-09-01T09:00:00Z,okta,password-reset,ann,dee\nb,2026-09-01T09:30:00Z,okta,mfa-reset,ann,dee\n";
    fs::write(inputs.join("event.csv"), events).expect("a file");
    let run = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_regrant"));
        let out = command.args(args).current_dir(folder.path()).output().expect("the binary runs");
        let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
        (out.status.code(), text)
    };
    let hunted = run(&["hunt", "in", "--as-of", "2026-10-01", "-o", "found"]);
    assert_eq!(hunted.0, Some(0), "{}", hunted.1);
    // What nothing touches is named as it was asked for.
    let (code, text) = run(&["hunt", "in", "--as-of", "2026-10-01", "--identity", "Ann@Corp.Example", "-o", "none"]);
    assert!(code == Some(1) && text.contains("--identity Ann@Corp.Example"), "{code:?} {text}");
    let manifest = fs::read_to_string(folder.path().join("found/manifest.json")).expect("a manifest");
    let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("JSON");
    let input = &manifest["inputs"][0];
    use sha2::Digest as _;
    assert_eq!(input["sha256"], hex::encode(sha2::Sha256::digest(events)));
    assert_eq!((input["bytes"].as_u64(), input["records"].as_u64()), (Some(events.len() as u64), Some(2)));
    for member in ["mappings_sha256", "patterns_sha256"] {
        assert_eq!(manifest["hunt"][member].as_str().map(str::len), Some(64), "{member}");
    }
    assert_eq!(manifest["run_digest"].as_str().map(str::len), Some(64));
    let sound = run(&["verify", "found", "--inputs", "in"]);
    assert_eq!(sound.0, Some(0), "{}", sound.1);

    // Told again by the same patterns it says nothing of them; by others, which.
    let again = run(&["hunt", "--case", "found", "--identity", "ann", "-o", "again"]);
    assert!(again.0 == Some(0) && !again.1.contains("other patterns"), "{}", again.1);
    assert_eq!(run(&["verify", "again", "--inputs", "in"]).0, Some(0));
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/mappings/patterns/cascade.md")).expect("there");
    let own = folder.path().join("own/patterns");
    fs::create_dir_all(&own).expect("a folder");
    fs::write(own.join("cascade.md"), text.replace("weight  = 40", "weight  = 41")).expect("a file");
    let other = run(&["hunt", "--case", "found", "--mappings", "own", "-o", "other"]);
    assert_eq!(other.0, Some(0), "{}", other.1);
    assert!(other.1.contains("cascade is another"), "{}", other.1);
    let said = fs::read_to_string(folder.path().join("other/hunt.json")).expect("there");
    assert!(said.contains("made by other patterns than those in force: cascade is another"));

    fs::write(folder.path().join("found/timeline.csv"), "nothing happened\n").expect("a file");
    fs::write(inputs.join("event.csv"), events.replace("dee", "eve")).expect("a file");
    let altered = run(&["verify", "found", "--inputs", "in"]);
    assert_eq!(altered.0, Some(12), "{}", altered.1);
    assert!(
        altered.1.contains("altered: timeline.csv") && altered.1.contains("input altered: event.csv"),
        "{}",
        altered.1
    );
}
