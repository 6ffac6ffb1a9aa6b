//! The page against hostile text, its own policy, and the empty run.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::check::Severity;
use crate::report::model::*;

/// Something to break out of every context that data stands in.
const HOSTILE: &str = "\"><img src=x onerror=alert(1)><script>alert(2)</script></style></script>'`javascript:alert(3)\u{202e}\u{200b}\0 style=\"x\" <a href=\"http://evil.example/x\">{{ 7*7 }}{% raw %}";

/// Replaces every text of the value, also the keys of maps whose keys are data.
fn poison(v: &mut Value, path: &str) {
    match v {
        Value::String(s) => {
            let closed = ["verdict", "severity", "escalated", "state", "subject_kind"];
            if !closed.contains(&path) {
                *s = HOSTILE.to_owned();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|i| poison(i, path)),
        Value::Object(map) => {
            for (k, inner) in map.iter_mut() {
                poison(inner, k);
            }
            let open = [
                "evidence",
                "thresholds",
                "indeterminate_because",
                "tables",
                "rejected_reasons",
                "out_of_scope_reasons",
                "policy",
            ];
            if open.contains(&path) {
                let old = std::mem::take(map);
                for (i, (_, inner)) in old.into_iter().enumerate() {
                    map.insert(format!("{HOSTILE}{i}"), inner);
                }
            }
        }
        _ => {}
    }
}

fn counts() -> Counts {
    Counts { population: 20, not_applicable: 3, passed: 10, failed: 4, waived: 1, indeterminate: 2 }
}

fn finding(id: usize, severity: Severity) -> Finding {
    Finding {
        finding_id: format!("{id:016x}").into(),
        check: "self-approval".into(),
        control: "audit-trail".into(),
        severity,
        state: if id.is_multiple_of(3) { State::Waived } else { State::Open },
        subject_kind: "reset".into(),
        subject: format!("E{id}").into(),
        system: "okta".into(),
        occurred_at: "2026-08-12T13:05:00Z".into(),
        action: "password-reset".into(),
        target: "ann@corp.example".into(),
        identity: "E1".into(),
        identity_name: "Ann".into(),
        tier: "standard".into(),
        executor: "hal".into(),
        approver: "hal".into(),
        ticket: "T-1".into(),
        because: "the approver carried it out".into(),
        evidence: [
            ("approver_is_executor", json!(true)),
            ("minutes_to_revoke", json!(4565.5)),
            ("tier", json!("standard")),
            ("notified", Value::Null),
        ]
        .into_iter()
        .collect(),
        requirements: ["nist-csf-2:PR.AA-01".to_owned(), "nist-csf-2:PR.AA-05".to_owned()].into(),
        source_file: "okta.json".into(),
        source_record: 1184,
        waiver: "W-1".into(),
        contextual: ["nist-csf-2:PR.AA-05".to_owned()].into(),
    }
}

/// One of everything.
fn full() -> (Assessment, Vec<Finding>) {
    let text = || "text".to_owned();
    let moment = |at: &str, kind: &str| Moment {
        at: at.into(),
        kind: kind.into(),
        text: text(),
        system: "okta".into(),
        source_file: "okta.json".into(),
        source_record: 3,
    };
    let bar = |label: &str, count, bad| Bar { label: label.into(), count, bad };
    let a = Assessment {
        tool: Tool { name: "regrant".into(), version: "0.1.0".into() },
        run: Run {
            as_of: "2026-10-05T00:00:00Z".into(),
            as_of_source: "config".into(),
            since: Some("2026-06-30T23:00:00Z".into()),
            until: Some("2026-09-30T23:00:00Z".into()),
            timezone: Some("Europe/London".into()),
            title: Some("Example Corp".into()),
            policy: json!({"dormant_days": 90, "revocation": {"human": 15}, "working_days": ["mon"]}),
            policy_changed: vec!["dormant_days".into()],
            digest: "abc".into(),
            ..Run::default()
        },
        inputs: vec![Input {
            path: "okta.json".into(),
            sha256: Some("0".repeat(64)),
            read: 10,
            accepted: 9,
            rejected: 1,
            expected_records: Some(12),
            naive_zone: Some("UTC".into()),
            naive_zone_assumed: true,
            rejected_reasons: BTreeMap::from([("bad-json".into(), 1)]),
            out_of_scope_reasons: BTreeMap::from([("sign-in".into(), 2)]),
            tables: BTreeMap::from([("event".into(), 9)]),
            reported_columns: vec!["target".into()],
            ignored_columns: vec!["x".into()],
            first_at: Some("2026-08-12T13:05:00Z".into()),
            last_at: Some(text()),
            snapshot: Some("2026-08-01".into()),
            ..Input::default()
        }],
        skipped: vec![Skipped { path: text(), reason: text() }],
        population: Population { resets: 20, ..Population::default() },
        checks: vec![CheckResult {
            id: "self-approval".into(),
            title: text(),
            control: "audit-trail".into(),
            subject: "reset".into(),
            severity: Some(Severity::High),
            escalated: Some(Severity::Critical),
            verdict: Standing::CannotConclude,
            counts: counts(),
            indeterminate_because: BTreeMap::from([("approver_is_target".into(), 2)]),
            inconclusive: Some(text()),
            uncovered: 0,
            applies: text(),
            fails: text(),
            thresholds: BTreeMap::from([("dormant_days".into(), json!(90))]),
            finds: "One `code` two.\n\n- a\n- b\n  more".into(),
            matters: text(),
            remedy: text(),
            requirements: vec!["nist-csf-2:PR.AA-01".into()],
            origin: text(),
        }],
        controls: vec![ControlResult {
            id: "audit-trail".into(),
            title: text(),
            verdict: Standing::Fail,
            counts: counts(),
            deviation_rate: Some(1.0 / 3.0),
            checks: vec!["self-approval".into()],
            worst_check: Some("self-approval".into()),
        }],
        frameworks: vec![FrameworkResult {
            id: "nist-csf-2".into(),
            title: text(),
            source: Some(text()),
            note: Some(text()),
            kind: "requirement".to_owned(),
            leading: true,
            requirements: vec![
                RequirementResult {
                    id: "PR.AA-01".into(),
                    aliases: vec![text()],
                    title: Some(text()),
                    title_is: "paraphrase".into(),
                    counts: counts(),
                    direct: vec!["self-approval".into()],
                    supporting: vec![text()],
                    limits: text(),
                    scope: Some(text()),
                    scope_credential: Some(text()),
                    status: Some("as cited".into()),
                    provenance: Some(text()),
                    nearest: vec![text()],
                    contextual: Some(text()),
                    guarded: vec![text()],
                    ..RequirementResult::default()
                },
                RequirementResult {
                    id: "PR.AA-05".into(),
                    direct: vec!["self-approval".into()],
                    contextual: Some("Context only: not this one.".into()),
                    ..RequirementResult::default()
                },
            ],
            ..FrameworkResult::default()
        }],
        totals: BTreeMap::from([
            (Severity::Critical, Total { open: 150, waived: 10 }),
            (Severity::Medium, Total { open: 1, waived: 0 }),
        ]),
        data_quality: vec![DataQuality {
            kind: text(),
            title: text(),
            count: 3,
            examples: vec![text()],
            weakens: vec!["self-approval".into()],
        }],
        waivers: vec![WaiverResult {
            id: "W-1".into(),
            state: "active".into(),
            flags: vec!["broad".into()],
            checks: vec!["self-approval".into()],
            r#where: text(),
            reason: text(),
            requested_by: text(),
            approved_by: text(),
            expires_on: "2026-12-31".into(),
            ..WaiverResult::default()
        }],
        series: Series {
            days: vec![Day { day: "2026-08-12".into(), resets: 20, failed: 5 }],
            survival: vec![bar("up to 15 min", 4, false), bar("over 30 d", 2, true)],
            approval_lead: vec![bar("late", 4, true)],
            dormancy: vec![bar("30 d", 4, false)],
            executors: vec![ExecutorBar { executor: text(), resets: 9, unapproved: 2 }],
            hours: vec![vec![1; 24]; 7],
            desk_hours: vec![vec![1; 24]; 7],
            desk_off_hours: Some(118),
            lineage: vec![
                LineageLink {
                    at: "2026-08-12T13:05:00Z".into(),
                    from: text(),
                    to: "Ann".into(),
                    action: text(),
                    first: true,
                },
                LineageLink {
                    at: "2026-08-12T14:05:00Z".into(),
                    from: "Ann".into(),
                    to: "Bob".into(),
                    action: text(),
                    first: false,
                },
            ],
            lineage_omitted: 3,
        },
        identities: vec![IdentityStory {
            identity: "E1".into(),
            name: "Ann".into(),
            kind: "human".into(),
            tier: "executive".into(),
            story: text(),
            next_step: text(),
            since: Some("2026-08-12T13:05:00Z".into()),
            periods: vec![(Some("2020-01-01T00:00:00Z".into()), Some("2026-08-01T00:00:00Z".into())), (None, None)],
            open: BTreeMap::from([(Severity::Critical, 1)]),
            findings: vec![format!("{:016x}", 1), "gone".into()],
            timeline: vec![moment("2026-08-12T13:05:00Z", "reset"), moment("2026-09-12T13:05:00Z", "sign-in")],
            timeline_omitted: 2,
        }],
        identities_concerned: 47,
        limited_to: Some(text()),
        overrides: vec![Override { kind: "check".into(), id: text(), replaces: true, path: text() }],
        ..Assessment::default()
    };
    let mut findings: Vec<Finding> = (1..=250).map(|i| finding(i, Severity::Critical)).collect();
    findings.push(finding(999, Severity::Medium));
    (a, findings)
}

/// What changed, every text being `text`.
fn changed(text: &str) -> (Changes, Baseline) {
    let own = || text.to_owned();
    let reference = Reference { as_of: own(), version: own(), run_digest: own(), ..Reference::default() };
    let one = |kind: ChangeKind| Change {
        kind,
        cause: Cause::Rules,
        why: own(),
        finding_id: own(),
        check: own(),
        severity: Severity::High,
        severity_before: Some(Severity::Low),
        subject_kind: own(),
        subject: own(),
        system: own(),
        occurred_at: own(),
        target: own(),
        because: own(),
        waiver: own(),
    };
    let changes = Changes {
        previous: reference.clone(),
        counts: BTreeMap::from([(ChangeKind::New, 30), (ChangeKind::LeftPopulation, 1)]),
        persisting: 7,
        new_open: BTreeMap::from([(Severity::High, 30)]),
        due_to_rules: 31,
        findings: vec![one(ChangeKind::New); 30].into_iter().chain([one(ChangeKind::LeftPopulation)]).collect(),
        rules: vec![RuleChange { kind: own(), id: own(), was: Some(own()), is: None }],
        population: vec![CountChange { what: own(), was: 9, is: 7 }],
        controls: vec![ControlChange { id: own(), was: Standing::Pass, is: Standing::Fail, ..Default::default() }],
        unchanged_inputs: vec![own()],
        ..Changes::default()
    };
    let known = BTreeMap::from([(Severity::High, 3)]);
    let baseline = Baseline {
        reference,
        known,
        left_out: 1,
        oldest: Some(own()),
        median_age_days: Some(10.5),
        ..Baseline::default()
    };
    (changes, baseline)
}

#[test]
fn what_changed_stands_above_the_controls() {
    let (mut a, findings) = full();
    assert!(!render(&a, &findings).expect("renders").contains("id=\"changes\""));
    let (changes, baseline) = changed("2026-10-04T00:00:00Z");
    (a.changes, a.baseline) = (Some(changes), Some(baseline));
    let html = render(&a, &findings).expect("renders");
    let at = |text: &str| html.find(text).unwrap_or_else(|| panic!("{text} is not there"));
    assert!(at("id=\"changes\"") < at("class=\"tiles\""));
    assert!(at("30 new findings") < at("… and 5 more, in changes.csv"));
    at("1 rule is not as it was");
    at("3 findings are known and still open");
    at("half of them for 10 d 12 h or longer");
}

fn between<'a>(html: &'a str, start: &str, end: &str) -> &'a str {
    let from = html.find(start).expect("start is there") + start.len();
    &html[from..from + html[from..].find(end).expect("end is there")]
}

/// Tags as a browser would see them, outside the two inline elements.
fn tags(html: &str) -> Vec<String> {
    let mut html = html.to_owned();
    for (open, close) in [("<style>", "</style>"), ("<script>", "</script>")] {
        let inner = between(&html, open, close).to_owned();
        html = html.replacen(&inner, "", 1);
    }
    html.split('<').skip(1).map(|t| t.split('>').next().unwrap_or("").to_owned()).collect()
}

const PACKED: &str = "script type=\"application/octet-stream\" class=\"packed\"";

/// What stands in the page's data elements.
fn packed(html: &str) -> Vec<&str> {
    html.split(PACKED).skip(1).map(|rest| between(rest, ">", "</script>")).collect()
}

/// A data element as the page's script sees it.
fn unpacked(text: &str) -> Value {
    let value = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut bytes = Vec::new();
    for four in text.trim_end_matches('=').as_bytes().chunks(4) {
        let n = four.iter().fold(0_u32, |n, c| n << 6 | u32::from(value(*c))) << (6 * (4 - four.len()));
        bytes.extend_from_slice(&n.to_be_bytes()[1..four.len()]);
    }
    serde_json::from_reader(flate2::read::DeflateDecoder::new(bytes.as_slice())).expect("deflated JSON")
}

#[test]
fn every_finding_is_in_the_data_of_the_page() {
    let (a, findings) = full();
    let many: Vec<Finding> = (0..5_000).map(|i| finding(i, Severity::High)).chain(findings).collect();
    let html = render(&a, &many).expect("renders");
    let parts = packed(&html);
    let head = unpacked(parts[0]);
    assert_eq!(head["total"], json!(5_251));
    let mut ids = Vec::new();
    for part in &parts[1..] {
        let columns = unpacked(part);
        let length = columns["id"].as_array().expect("a column").len();
        for (name, column) in columns.as_object().expect("columns") {
            assert!(name == "names" || column.as_array().is_some_and(|c| c.len() == length), "{name}");
        }
        ids.extend(columns["id"].as_array().expect("a column").iter().map(|id| id.as_str().expect("text").to_owned()));
    }
    assert_eq!(ids, many.iter().map(|f| f.finding_id.clone()).collect::<Vec<_>>());
    let set = &head["references"][0];
    assert_eq!(head["requirements"][set[2][0].as_u64().expect("one is context") as usize]["id"], json!("PR.AA-05"));
}

#[test]
fn the_waiver_that_is_offered_is_one_that_a_config_takes() {
    let (a, findings) = full();
    let text = unpacked(packed(&render(&a, &findings).expect("renders"))[0])["snippet"].clone();
    let text = text.as_str().expect("text");
    assert_eq!(text, snippet(&a.run.as_of));
    let filled = text.replace("{finding}", &findings[0].finding_id).replace("{check}", &findings[0].check);
    let config = crate::config::Config::parse(&filled, std::path::Path::new("regrant.toml")).expect("a good config");
    let rule = &config.waivers[0];
    assert_eq!(
        (rule.checks.as_slice(), rule.where_.as_str()),
        (&["self-approval".to_owned()][..], "finding_id = '0000000000000001'")
    );
    assert_eq!(
        (rule.starts_on.to_string(), rule.expires_on.to_string()),
        ("2026-10-05".to_owned(), "2027-01-03".to_owned())
    );
}

#[test]
fn a_technique_is_seen_or_not_and_no_requirement() {
    let (mut a, findings) = full();
    a.frameworks[0].kind = "technique".into();
    a.frameworks[0].requirements[0].verdict = Standing::Fail;
    let html = render(&a, &findings).expect("renders");
    let row = between(&html, "<tr id=\"r-nist-csf-2-PR.AA-01\"", "</tr>");
    assert!(row.contains("</span> seen</span>") && row.contains("4 show it"), "{row}");
    assert!(!row.contains("fails") && html.contains("<th scope=\"col\">Technique</th>"));
}

#[test]
fn every_reader_gets_the_same_data_in_another_order() {
    let (a, findings) = full();
    let pages = [View::Reviewer, View::Responder, View::Executive]
        .map(|view| render_for(view, &a, &findings).expect("renders"));
    let sorted = |page: &String| {
        let mut ids: Vec<String> =
            page.split(" id=\"").skip(1).map(|t| t.split('"').next().unwrap_or_default().to_owned()).collect();
        ids.sort();
        ids
    };
    assert_eq!(sorted(&pages[0]), sorted(&pages[1]));
    assert_eq!(sorted(&pages[0]), sorted(&pages[2]));
    let before = |page: &str, a: &str, b: &str| page.find(&format!("id=\"{a}\"")) < page.find(&format!("id=\"{b}\""));
    assert!(before(&pages[0], "controls", "findings") && before(&pages[1], "findings", "controls"));
    assert!(pages[2].contains("<details class=\"deep\">") && !pages[0].contains("<details class=\"deep\">"));
}

#[test]
fn hostile_text_in_every_field_stays_text() {
    let (a, findings) = full();
    let clean = render(&a, &findings).expect("renders");
    let mut value = serde_json::to_value(&a).expect("serialises");
    poison(&mut value, "");
    let mut a: Assessment = serde_json::from_value(value).expect("still an assessment");
    let (changes, baseline) = changed(HOSTILE);
    (a.changes, a.baseline) = (Some(changes), Some(baseline));
    let findings: Vec<Finding> = findings
        .iter()
        .map(|f| {
            let mut value = serde_json::to_value(f).expect("serialises");
            poison(&mut value, "");
            serde_json::from_value(value).expect("still a finding")
        })
        .collect();
    let html = render(&a, &findings).expect("renders");
    for page in [&clean, &html] {
        let tags = tags(page);
        let scripts: Vec<&String> = tags.iter().filter(|t| t.starts_with("script")).collect();
        assert_eq!(scripts.iter().filter(|t| t.as_str() == "script").count(), 1);
        assert!(scripts.iter().all(|t| ["script", PACKED].contains(&t.as_str())), "{scripts:?}");
        assert!(packed(page).iter().all(|p| p.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b))));
        assert_eq!(tags.iter().filter(|t| t.starts_with("style")).count(), 1);
        for tag in &tags {
            assert!(!tag.starts_with("img"), "{tag}");
            let mut quoted = tag.split('"');
            // Every second part stands in quotes: names of attributes are in the others.
            let names: String = quoted.by_ref().step_by(2).collect();
            for bad in ["style=", "onerror", "onload", "onclick"] {
                assert!(!names.contains(bad), "{tag}");
            }
            for bad in ["href=\"http", "href=\"javascript", "src=\"", "url(http", "xlink"] {
                assert!(!tag.contains(bad), "{tag}");
            }
        }
    }
    assert!(!html.contains('\u{202e}') && !html.contains('\u{200b}') && !html.contains('\0'));
    assert!(html.contains("[U+202E]") && html.contains("{{ 7*7 }}"));
}

#[test]
fn nothing_is_loaded_and_no_sentence_shouts() {
    let (a, findings) = full();
    let html = render(&a, &findings).expect("renders");
    assert!(!html.contains("http://") && !html.contains("https://"));
    for loading in
        ["<link", "<img", "<iframe", "@import", "url(http", "src=", " style=", "fetch(", "XMLHttp", "innerHTML"]
    {
        assert!(!html.contains(loading), "{loading}");
    }
    let script = between(&html, "<script>", "</script>").to_owned();
    let rest = html.replacen(&script, "", 1).replacen("<!DOCTYPE", "", 1);
    assert!(!rest.contains('!'));
    assert_eq!(html.matches("<h1").count(), 1);
}

#[test]
fn the_policy_names_the_hashes_of_what_the_page_runs() {
    let (a, findings) = full();
    let html = render(&a, &findings).expect("renders");
    let policy = between(&html, "http-equiv=\"Content-Security-Policy\" content=\"", "\"");
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    for (directive, inline) in
        [("style-src", between(&html, "<style>", "</style>")), ("script-src", between(&html, "<script>", "</script>"))]
    {
        let wanted = format!("{directive} '{}'", policy_hash(inline));
        assert!(policy.contains(&wanted), "{policy} lacks {wanted}");
    }
    // RFC 4648, section 10.
    let letters = |bytes: &[u8]| {
        let mut out = String::new();
        base64(bytes, &mut out);
        out
    };
    assert_eq!([letters(b""), letters(b"f"), letters(b"fo"), letters(b"foo")], ["", "Zg==", "Zm8=", "Zm9v"]);
    assert_eq!(letters(&[0xff; 3 * 256 + 1]), "/".repeat(4 * 256) + "/w==");
}

#[test]
fn an_empty_assessment_is_a_page_and_says_nothing_it_does_not_know() {
    let html = render(&Assessment::default(), &[]).expect("renders");
    assert!(html.contains("No reset was found"));
    assert!(html.contains("No findings."));
    assert!(html.contains("No chart, nothing to show"));
    assert!(html.contains("No check could judge anything."));
    assert!(!html.contains("enough to judge") && !html.contains("anything to report"));
}

#[test]
fn two_hundred_are_listed_the_rest_is_named_and_every_link_inside_has_a_target() {
    let (a, findings) = full();
    let html = render(&a, &findings).expect("renders");
    assert_eq!(html.matches("<li id=\"f-").count(), 200);
    assert!(html.contains("200 of 251 findings"));
    assert!(html.contains("1 of 47 identities with an open finding"));
    assert!(html.contains("PR.AA-05: Context only: not this one."));
    assert!(html.contains("12 Aug 2026 14:05 BST") && html.contains("title=\"2026-08-12T13:05:00Z\""));
    assert!(html.contains("between 1 July 2026 and 30 September 2026"));
    for target in html.split("href=\"#").skip(1).map(|t| t.split('"').next().unwrap_or("")) {
        // Checks that the fixture names without defining them cannot be linked to by a real run.
        if !["check-text"].contains(&target) && !target.starts_with("f-") {
            assert!(html.contains(&format!("id=\"{target}\"")), "#{target} leads nowhere");
        }
    }
}

#[test]
fn the_same_assessment_is_the_same_bytes() {
    let (a, findings) = full();
    assert_eq!(render(&a, &findings).expect("renders"), render(&a, &findings).expect("renders"));
}

#[test]
fn words_keep_units_numbers_and_scripts_apart() {
    use super::words::*;
    assert_eq!(visible("田中\u{202e}x\u{7}"), "田中[U+202E]x␇");
    assert_eq!(visible_cut("田中太郎", 2), "田中…");
    assert_eq!(number(1_234_567), "1\u{202f}234\u{202f}567");
    assert_eq!(count(1, "reset", "resets"), "1 reset");
    assert_eq!(duration(273_600.0), "3 d 4 h");
    assert_eq!(duration(-90.0), "−1 min 30 s");
    assert_eq!(value("days_inactive", &json!(91)), "91 d");
    assert_eq!(fact_name("days_unused"), "time unused");
    assert_eq!(fact_name("minutes_to_revoke"), "time to revoke");
    assert_eq!(fact_name("days_since_contact_change"), "time since contact change");
    assert_eq!(fact_name("approval_lead_minutes"), "approval lead");
    assert_eq!(shown("plain", 5), visible_cut("plain", 5));
    assert_eq!(shown("too long", 5), "too l…");
    assert_eq!(shown("\u{7f}", 5), "␡");
    assert_eq!(value("x", &Value::Null), "not reported");
    assert_eq!(value("x", &json!("")), "empty");
    assert_eq!(percent(0.000_01), "under 0.1 %");
    assert_eq!(percent(0.999_99), "over 99.9 %");
    assert_eq!(Clock::new(Some("nowhere")).when("2026-08-12T13:05:00Z").text, "12 Aug 2026 13:05 UTC");
}

#[test]
fn instants_as_the_model_writes_them_are_said_as_any_other() {
    use super::words::Clock;
    for zone in ["UTC", "Europe/London", "America/St_Johns", "Asia/Kolkata", "Pacific/Apia", "Antarctica/Troll"] {
        let clock = Clock::new(Some(zone));
        for day in ["1000-01-01", "1890-06-30", "2026-03-29", "2026-10-25", "2024-02-29", "8999-12-31"] {
            for time in ["00:00:00", "00:59:59", "01:00:00", "23:59:59"] {
                let text = format!("{day}T{time}Z");
                // The same instant in a form that only the general parser knows.
                assert_eq!(clock.said(&text), clock.said(&format!("{day}T{time}.0+00:00")), "{zone} {text}");
            }
        }
    }
    let clock = Clock::new(None);
    for text in ["2026-02-29T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01 00:00:00z", "2026_01-01T00:00:00Z", "２"]
    {
        assert_eq!(clock.when(text).text, clock.said(text));
    }
    assert_eq!(clock.said("2026-02-29T00:00:00Z"), "2026-02-29T00:00:00Z");
    assert_eq!(clock.said("2026-06-30T23:59:60Z"), "30 Jun 2026 23:59 UTC");
}

#[test]
fn a_share_of_few_that_could_be_judged_is_not_written_large() {
    let (mut a, findings) = full();
    let control = a.controls.first_mut().expect("a control");
    control.counts = Counts { population: 32_544, failed: 518, indeterminate: 32_026, ..Counts::default() };
    control.deviation_rate = Some(1.0);
    let html = render(&a, &findings).expect("renders");
    assert!(html.contains("<strong>518 of 32\u{202f}544</strong> <span>judged, 100 % of them deviate"), "in the tile");
    assert!(html.contains("518 of 32\u{202f}544 could be judged; 100 % of them deviate"), "in the section");
}

#[test]
fn a_title_cannot_end_the_string_of_the_printed_header() {
    let style = css_string("a\"}</style>\\ b\u{202e}é");
    assert!(style.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '"' | '\\' | ' ')), "{style}");
    assert_eq!(style.matches('"').count(), 2);
}
