//! `sample`: subjects of a check for an auditor to look at by hand, and a work paper to tick.

use std::fmt::Write as _;

use super::layout::{columns, shown, wrapped};
use super::{VerbError, replaced};
use crate::check::nearest;
use crate::cli;
use crate::proof::sample::{Sample, Stratum, draw, fails, interval};
use crate::proof::{Kept, ProofError};
use crate::render::findings::guarded_csv;
use crate::report::model::Subject;

/// What the auditor fills in.
const TICKS: [&str; 8] = [
    "source_record_seen",
    "identity_agreed",
    "facts_agreed",
    "verdict_agreed",
    "exception",
    "examined_by",
    "examined_on",
    "remark",
];

/// Draws the sample, prints how, and writes the work paper where one is asked for.
///
/// # Errors
/// When the report keeps no subjects, has no such check, or the work paper cannot be written.
pub fn draw_sample(args: &cli::Sample) -> Result<String, VerbError> {
    let kept = Kept::open(&args.report)?;
    let Some(check) = kept.assessment.checks.iter().find(|check| check.id == args.check) else {
        let near = nearest(&args.check, kept.assessment.checks.iter().map(|check| check.id.as_str()));
        let help = near.map_or_else(
            || "`regrant list checks` names them all".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        return Err(VerbError::own(format!("the report has no check {:?}", args.check), help));
    };
    let kind = check.subject.clone();
    let Some(subjects) = kept.subjects(&|named| named.subject_kind == kind)? else {
        return Err(ProofError::at(
            &kept.folder,
            "keeps no subjects, so that there is nothing to draw from",
            "audit again with `--subjects always`",
        )
        .into());
    };
    let sample = draw(subjects, &args.check, args.size.get(), &args.seed);
    let mut out = told(args, &kept, &sample);
    if let Some(path) = &args.output {
        replaced(path, &paper(args, &sample))?;
        let _ = writeln!(out, "\nWork paper: {}", shown(&path.to_string_lossy()));
    }
    Ok(out)
}

fn told(args: &cli::Sample, kept: &Kept, sample: &Sample) -> String {
    let run = &kept.assessment.run;
    let sum = |f: fn(&Stratum) -> u64| sample.strata.iter().map(f).sum::<u64>();
    let drawn = sum(|s| s.drawn.len() as u64);
    let mut out = format!("{}: {drawn} of {}\n\n", shown(&args.check), sum(|s| s.population));
    let mut rows = vec![["tier", "judged", "fail", "drawn", "of them fail"].map(str::to_owned).to_vec()];
    for stratum in &sample.strata {
        let failing = stratum.drawn.iter().filter(|(_, subject)| fails(subject, &args.check)).count();
        rows.push(vec![
            shown(&stratum.tier),
            stratum.population.to_string(),
            stratum.failing.to_string(),
            stratum.drawn.len().to_string(),
            failing.to_string(),
        ]);
    }
    out.push_str(&columns(&rows, 2));
    let _ = write!(out, "\nDrawn\n");
    for stratum in &sample.strata {
        for (rank, subject) in &stratum.drawn {
            let verdict = subject.verdicts.get(&args.check).map_or("", String::as_str);
            let short: String = rank.chars().take(12).collect();
            let line = format!("  {short}  {verdict:<6}  {} {} ({})", subject.system, subject.subject, source(subject));
            let _ = writeln!(out, "{}", shown(&line));
        }
    }
    let failing = sample.strata.iter().flat_map(|s| &s.drawn).filter(|(_, s)| fails(s, &args.check)).count() as u64;
    let (low, high) = interval(failing, drawn);
    let per_cent = |share: f64| format!("{:.1} %", share * 100.0);
    let rate = |part: u64, of: u64| if of == 0 { "none".to_owned() } else { per_cent(part as f64 / of as f64) };
    out.push('\n');
    out.push_str(&wrapped(
        &format!(
            "{failing} of the {drawn} drawn fail ({}); by Clopper and Pearson the rate lies between {} and {} (95 %, exact for a \
             simple random sample, near enough for one drawn by tier). Of all {} judged {} fail ({}). \
             {} could not be judged and {} the check does not apply to: none of them is drawn from.",
            rate(failing, drawn),
            per_cent(low),
            per_cent(high),
            sum(|s| s.population),
            sum(|s| s.failing),
            rate(sum(|s| s.failing), sum(|s| s.population)),
            sample.indeterminate,
            sample.not_applicable
        ),
        2,
    ));
    let none_high = interval(0, drawn).1;
    out.push_str(&wrapped(
        &format!(
            "If you agree with every verdict drawn, regrant's verdicts are wrong in at most {} of all judged (95 %).",
            per_cent(none_high)
        ),
        2,
    ));
    let _ = write!(out, "\nTo draw it again\n");
    out.push_str(&wrapped(
        &shown(&format!(
            "From subjects.jsonl.zst of run {}, take the subjects whose verdict under {} is pass, fail or waived. Group them by the \
             fact tier (none: unknown). Rank each by the SHA-256 of five lines without a last line feed: seed, check, subject_kind, \
             system, subject. Of each group draw its share of {}, in proportion, by largest remainder, at least one: the lowest ranks. \
             The seed is {:?}. One rank by hand:",
            run.digest, args.check, args.size, args.seed
        )),
        2,
    ));
    if let Some((_, subject)) = sample.strata.iter().find_map(|s| s.drawn.first()) {
        let line = format!(
            "printf '%s\\n%s\\n%s\\n%s\\n%s' {} | sha256sum",
            [&args.seed, &args.check, &subject.subject_kind, &subject.system, &subject.subject]
                .map(|w| quoted(w))
                .join(" ")
        );
        let _ = writeln!(out, "    {}", shown(&line));
    }
    out
}

/// A word for a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn source(subject: &Subject) -> &str {
    let role = if subject.subject_kind == "credential" { "credential" } else { "event" };
    subject.sources.get(role).map_or("", String::as_str)
}

fn paper(args: &cli::Sample, sample: &Sample) -> Vec<u8> {
    let mut head = vec![
        "number",
        "rank",
        "tier",
        "subject_kind",
        "subject",
        "system",
        "occurred_at",
        "target",
        "identity",
        "check",
        "verdict",
        "facts",
        "sources",
    ];
    head.extend(TICKS);
    let mut rows = vec![head.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()];
    for (tier, (rank, subject)) in sample.strata.iter().flat_map(|s| s.drawn.iter().map(|one| (&s.tier, one))) {
        let json = |value: Result<String, serde_json::Error>| value.unwrap_or_default();
        let mut row = vec![
            rows.len().to_string(),
            rank.clone(),
            tier.clone(),
            subject.subject_kind.clone(),
            subject.subject.clone(),
            subject.system.clone(),
            subject.occurred_at.clone(),
            subject.target.clone(),
            subject.identity.clone(),
            args.check.clone(),
            subject.verdicts.get(&args.check).cloned().unwrap_or_default(),
            json(serde_json::to_string(&subject.facts)),
            json(serde_json::to_string(&subject.sources)),
        ];
        row.extend(TICKS.map(|_| String::new()));
        rows.push(row);
    }
    guarded_csv(&rows)
}
