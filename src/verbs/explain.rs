//! `explain`: a check or a pattern as its document says it, or a finding with everything that its report knows of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde_json::Value as Json;

use super::layout::{columns, count, prose, shown, wrapped};
use super::{Knowledge, VerbError, list};
use crate::check::catalogue::Check;
use crate::check::nearest;
use crate::cli::Explain;
use crate::fact::{self, Unit, Value, credential_facts, reset_facts};
use crate::hunt::pattern;
use crate::proof::Kept;
use crate::proof::facts::Rule;
use crate::proof::passing::what_passes;
use crate::render;
use crate::report::model::{Assessment, CheckResult, Finding};
use crate::source::mapping::SourceMapping;
use crate::table::Breadth;
use crate::text::fold;

mod hunted;

/// A check, a pattern of a hunt, or a finding of `--report`, in plain text.
///
/// # Errors
/// When there is none of that id, or the report cannot be read.
pub fn explain(args: &Explain) -> Result<String, VerbError> {
    let what = args.what.trim();
    if what.len() == 16 && what.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return finding(&what.to_ascii_lowercase(), &args.report);
    }
    let known = Knowledge::load(&args.house)?;
    if let Some(one) = known.catalogue.get(what) {
        return Ok(check(one, &known));
    }
    let patterns = pattern::load_all(&known.mappings)?;
    if let Some(one) = patterns.iter().find(|one| one.id == what) {
        let sources = SourceMapping::load_all_for(&known.mappings, Breadth::Hunt)?;
        return Ok(hunted::pattern(one, &sources));
    }
    if let Some(text) = about(what, &args.report) {
        return Ok(text);
    }
    let checks = known.catalogue.checks.iter().map(|check| check.id.as_str());
    let help = match nearest(what, checks.chain(patterns.iter().map(|one| one.id.as_str()))) {
        Some(near) => {
            format!("did you mean `{near}`? `regrant list checks` and `regrant list patterns` name them all")
        }
        None => "name a check (`regrant list checks`), a pattern of a hunt (`regrant list patterns`), or a finding by \
                 its 16 hexadecimal digits"
            .to_owned(),
    };
    let report = args.report.display();
    Err(VerbError::own(format!("there is no check or pattern \"{what}\", and no finding about it in {report}"), help))
}

/// Findings of a list that a terminal shows.
const LISTED: usize = 20;

/// What the report finds about a reset, credential, target or identity of this name; null when it finds nothing, or cannot be read.
fn about(what: &str, report: &Path) -> Option<String> {
    let name = fold(what);
    let file = File::open(report.join("findings.jsonl")).ok()?;
    let lines = BufReader::new(file).lines().map_while(Result::ok);
    let is = |finding: &Finding| {
        let names = [&finding.subject, &finding.target, &finding.identity, &finding.identity_name];
        !name.is_empty() && names.iter().any(|text| fold(text) == name)
    };
    let found: Vec<Finding> = lines.filter_map(|line| serde_json::from_str(&line).ok()).filter(is).collect();
    let first = found.first()?;
    let mut out = format!("{} about {}\n\n", count(found.len() as u64, "finding", "findings"), shown(what));
    for finding in found.iter().take(LISTED) {
        let line = format!("{}  {} {}: {}", finding.finding_id, finding.severity, finding.check, finding.because);
        out.push_str(&wrapped(&shown(&line), 2));
    }
    if found.len() > LISTED {
        let _ = writeln!(out, "  … and {} more in findings.csv", found.len() - LISTED);
    }
    let report = shown(&report.to_string_lossy());
    let _ = writeln!(out, "\n`regrant explain {} --report {report}` says more of the first", shown(&first.finding_id));
    Some(out)
}

fn heading(out: &mut String, title: &str) {
    let _ = write!(out, "\n{title}\n");
}

fn check(check: &Check, known: &Knowledge) -> String {
    let policy = &known.config.policy;
    let thresholds: BTreeMap<String, String> = check
        .applies
        .params()
        .iter()
        .chain(check.fails.params())
        .chain(check.escalate.iter().flat_map(|escalation| escalation.when.params()))
        .filter_map(|name| policy.scalar(name).map(|value| (name.clone(), threshold(name, value))))
        .collect();
    let mut out = format!("{}: {}\n\n", shown(&check.id), shown(&check.title));
    let mut rows = vec![
        vec!["control".to_owned(), check.control.statement().to_owned()],
        vec!["judges".to_owned(), format!("every {}", check.subject)],
        vec!["severity".to_owned(), list::severity(check)],
        vec!["applies".to_owned(), shown_predicate(check.applies.text())],
        vec!["fails".to_owned(), shown_predicate(check.fails.text())],
    ];
    if let Some(escalation) = &check.escalate {
        rows.push(vec![
            "escalates".to_owned(),
            format!("to {} when {}", escalation.to, shown_predicate(escalation.when.text())),
        ]);
    }
    if check.origin != "shipped" {
        rows.push(vec!["from".to_owned(), shown(&check.origin)]);
    }
    if let Some(severity) = policy.severity.get(&check.id) {
        rows.push(vec!["house".to_owned(), format!("the config sets its severity to {severity}")]);
    }
    out.push_str(&columns(&rows, 2));
    if !thresholds.is_empty() {
        heading(&mut out, "Thresholds in force");
        out.push_str(&columns(&thresholds.into_iter().map(|(name, value)| vec![name, value]).collect::<Vec<_>>(), 2));
    }
    texts(&mut out, [&check.finds, &check.matters, &check.remedy]);
    heading(&mut out, "Facts it looks at");
    let docs = docs(check.subject.as_str());
    let facts = check.facts(&known.registry);
    let rows: Vec<_> = facts
        .iter()
        .filter_map(|name| docs.get(name.as_str()).map(|(_, doc)| vec![name.clone(), (*doc).to_owned()]))
        .collect();
    out.push_str(&columns(&rows, 2));
    heading(&mut out, "Requirements it is evidence for");
    let mut rows = Vec::new();
    for framework in &known.frameworks {
        for requirement in &framework.requirements {
            let how = if requirement.direct.contains(&check.id) {
                "direct"
            } else if requirement.supporting.contains(&check.id) {
                "supporting"
            } else {
                continue;
            };
            let title = requirement.title.as_deref().unwrap_or_default();
            rows.push(vec![shown(&format!("{}:{}", framework.id, requirement.id)), how.to_owned(), shown(title)]);
        }
    }
    if rows.is_empty() {
        rows.push(vec!["none".to_owned()]);
    }
    out.push_str(&columns(&rows, 2));
    out
}

fn texts(out: &mut String, [finds, matters, remedy]: [&String; 3]) {
    for (title, text) in [("What it finds", finds), ("Why it matters", matters), ("What to do", remedy)] {
        heading(out, title);
        out.push_str(&prose(text, 2));
    }
}

fn threshold(name: &str, value: f64) -> String {
    Value::Number(value).words(fact::policy_unit(name))
}

// Documents break long predicates over lines; here they wrap anyway.
fn shown_predicate(text: &str) -> String {
    shown(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Unit and meaning of every fact about a subject.
fn docs(subject: &str) -> BTreeMap<&'static str, (Unit, &'static str)> {
    if subject == "credential" {
        credential_facts().map(|f| (f.name, (f.unit, f.doc))).collect()
    } else {
        reset_facts().map(|f| (f.name, (f.unit, f.doc))).collect()
    }
}

fn finding(id: &str, report: &Path) -> Result<String, VerbError> {
    let file = report.join("findings.jsonl");
    let found = look_up(id, &file)?;
    let path = report.join("assessment.json");
    let bytes = std::fs::read(&path).map_err(|error| unreadable(&path, &error.to_string()))?;
    let assessment = render::assessment::read_json(&bytes).map_err(|error| unreadable(&path, &error.to_string()))?;
    let mut out = tell(&found, &assessment);
    out.push_str(&would_pass(&found, &assessment, report)?);
    Ok(out)
}

/// Where every fact came from, and what would have made the finding pass; from the subjects that the report keeps.
fn would_pass(finding: &Finding, assessment: &Assessment, report: &Path) -> Result<String, VerbError> {
    let mut out = String::new();
    // A report that is only half there can still be explained.
    let Ok(kept) = Kept::open(report) else { return Ok(out) };
    let key = (finding.subject_kind.to_string(), finding.system.to_string(), finding.subject.to_string());
    let Some(subjects) = kept.subjects_of(&std::collections::BTreeSet::from([key]))? else {
        heading(&mut out, "What would have made it pass");
        out.push_str(&wrapped("Not known: the report keeps no facts (audit with `--subjects always`).", 2));
        return Ok(out);
    };
    let Some(subject) = subjects.first() else { return Ok(out) };
    heading(&mut out, "Where the facts came from");
    let rows: Vec<Vec<String>> =
        subject.sources.iter().map(|(role, place)| vec![shown(role), shown(&place_words(place))]).collect();
    out.push_str(&columns(&rows, 2));
    let check = assessment.checks.iter().find(|check| check.id == finding.check);
    let rule = match (check, kept.config()) {
        (Some(check), Ok(config)) => Rule::of(check, &config.policy),
        _ => None,
    };
    heading(&mut out, "What would have made it pass");
    let ways = rule.map(|rule| what_passes(&rule, &subject.facts)).unwrap_or_default();
    if ways.is_empty() {
        out.push_str(&wrapped("No change of one or two facts of this check alone would have.", 2));
    }
    for way in ways {
        let words: Vec<String> = way.into_iter().map(|step| step.words).collect();
        out.push_str(&wrapped(&shown(&words.join(", and ")), 2));
    }
    Ok(out)
}

/// `file:record` in words.
fn place_words(place: &str) -> String {
    place.rsplit_once(':').map_or_else(|| place.to_owned(), |(file, record)| format!("{file}, record {record}"))
}

fn unreadable(path: &Path, cause: &str) -> VerbError {
    VerbError::own(
        format!("{}: cannot be read: {cause}", path.display()),
        "name a report of this version of regrant with `--report DIR`",
    )
}

fn look_up(id: &str, path: &Path) -> Result<Finding, VerbError> {
    let file = File::open(path).map_err(|error| unreadable(path, &error.to_string()))?;
    for (index, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(|error| unreadable(path, &error.to_string()))?;
        // Cheaper than parsing every line; the parsed id decides.
        if !line.contains(id) {
            continue;
        }
        let found: Finding = serde_json::from_str(&line)
            .map_err(|error| unreadable(path, &format!("line {} is no finding: {error}", index + 1)))?;
        if found.finding_id == id {
            return Ok(found);
        }
    }
    Err(VerbError::own(
        format!("{}: there is no finding {id}", path.display()),
        "name the report that it is in with `--report DIR`; a finding that is no longer there may have been remedied",
    ))
}

fn tell(finding: &Finding, assessment: &Assessment) -> String {
    let check: Option<&CheckResult> = assessment.checks.iter().find(|check| check.id == finding.check);
    let mut out = format!("{}\n\n", shown(&finding.finding_id));
    let mut because = finding.because.trim().to_owned();
    if !because.ends_with('.') {
        because.push('.');
    }
    out.push_str(&wrapped(&shown(&because), 2));
    out.push('\n');
    let title = check.map_or("", |check| check.title.as_str());
    let state =
        if finding.waiver.is_empty() { "open".to_owned() } else { format!("accepted by waiver {}", finding.waiver) };
    let place = if finding.source_record == 0 {
        finding.source_file.to_string()
    } else {
        format!("{}, record {}", finding.source_file, finding.source_record)
    };
    let identity = match (finding.identity.is_empty(), finding.identity_name.is_empty()) {
        (true, _) => String::new(),
        (false, true) => finding.identity.to_string(),
        (false, false) => format!("{} ({})", finding.identity_name, finding.identity),
    };
    let rows: Vec<Vec<String>> = [
        ("check", format!("{} ({title})", finding.check)),
        ("severity", finding.severity.to_string()),
        ("state", state),
        (finding.subject_kind.as_str(), finding.subject.to_string()),
        ("system", finding.system.to_string()),
        ("at", finding.occurred_at.to_string()),
        ("action", finding.action.to_string()),
        ("target", finding.target.to_string()),
        ("identity", identity),
        ("tier", finding.tier.to_string()),
        ("executor", finding.executor.to_string()),
        ("approver", finding.approver.to_string()),
        ("ticket", finding.ticket.to_string()),
        ("source", place),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(key, value)| vec![key.to_owned(), shown(&value)])
    .collect();
    out.push_str(&columns(&rows, 2));

    heading(&mut out, "Evidence");
    let docs = docs(&finding.subject_kind);
    let mut rows = Vec::new();
    for (name, value) in finding.evidence.iter() {
        let (unit, doc) = docs.get(name).copied().unwrap_or((Unit::None, ""));
        rows.push(vec![shown(name), shown(&words(&value.json(), unit)), doc.to_owned()]);
    }
    out.push_str(&columns(&rows, 2));
    if let Some(check) = check {
        heading(&mut out, "The rule");
        let mut rows = vec![
            vec!["applies".to_owned(), shown_predicate(&check.applies)],
            vec!["fails".to_owned(), shown_predicate(&check.fails)],
        ];
        for (name, value) in &check.thresholds {
            rows.push(vec![shown(name), shown(&words(value, fact::policy_unit(name)))]);
        }
        out.push_str(&columns(&rows, 2));
        texts(&mut out, [&check.finds, &check.matters, &check.remedy]);
    }
    if !finding.requirements.is_empty() {
        heading(&mut out, "Requirements it is evidence for");
        let rows: Vec<_> = finding
            .requirements
            .iter()
            .map(|id| vec![shown(id), shown(requirement_title(id, assessment).unwrap_or_default())])
            .collect();
        out.push_str(&columns(&rows, 2));
    }
    out
}

/// The title of `framework:id`; null when no official one is known.
fn requirement_title<'a>(of: &str, assessment: &'a Assessment) -> Option<&'a str> {
    let (framework, id) = of.split_once(':')?;
    let framework = assessment.frameworks.iter().find(|one| one.id == framework)?;
    framework.requirements.iter().find(|one| one.id == id)?.title.as_deref()
}

fn words(value: &Json, unit: Unit) -> String {
    match value {
        Json::Null => Value::Null.words(unit),
        Json::Bool(yes) => Value::Bool(*yes).words(unit),
        Json::Number(number) => number.as_f64().map_or_else(|| number.to_string(), |x| Value::Number(x).words(unit)),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::House;

    fn asked(what: &str, report: &Path) -> Result<String, VerbError> {
        explain(&Explain { what: what.to_owned(), report: report.to_owned(), house: House::default() })
    }

    #[test]
    fn every_check_explains_itself() {
        for id in crate::check::catalogue::ORDER {
            let text = asked(id, Path::new("none")).expect("it is shipped");
            for part in ["What it finds", "Why it matters", "What to do", "Facts it looks at", "Requirements"] {
                assert!(text.contains(part), "{id}: no {part}");
            }
        }
    }

    #[test]
    fn every_pattern_explains_itself() {
        let mappings = crate::mappings::Mappings::load(&[]).expect("shipped");
        for pattern in pattern::load_all(&mappings).expect("shipped") {
            let text = asked(&pattern.id, Path::new("none")).expect("it is shipped");
            for part in [
                "Steps",
                "Thresholds come from",
                "What it finds",
                "What it needs",
                "What it cannot tell",
                "What looks like it",
                "An example",
            ] {
                assert!(text.contains(part), "{}: no {part}\n{text}", pattern.id);
            }
            for step in &pattern.steps {
                assert!(text.contains(&step.name), "{}: step {}", pattern.id, step.name);
            }
        }
        let text = asked("reset-enrol-unseen-sign-in", Path::new("none")).expect("it is shipped");
        for part in ["within 1 d", "unseen", "90 d", "okta-system-log", "source_ip", "Elastic"] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn a_mistyped_pattern_is_named() {
        let error = asked("full-stack-rest", Path::new("none")).expect_err("it is mistyped").to_string();
        assert!(error.contains("did you mean `full-stack-reset`?"), "{error}");
    }

    #[test]
    fn a_mistyped_check_is_named() {
        let error = asked("retroactive-aproval", Path::new("none")).expect_err("it is mistyped").to_string();
        assert!(error.contains("did you mean `retroactive-approval`?"), "{error}");
    }

    #[test]
    fn a_finding_that_is_not_there_is_said_to_be_missing() {
        let place = tempfile::tempdir().expect("a folder of our own");
        std::fs::write(place.path().join("findings.jsonl"), "").expect("it is writable");
        let error = asked("00112233445566AA", place.path()).expect_err("there is none").to_string();
        assert!(error.contains("there is no finding 00112233445566aa"), "{error}");
    }
}
