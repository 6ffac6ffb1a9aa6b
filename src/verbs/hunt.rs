//! `hunt`: from raw exports, or a saved case, to a folder that says what happened and what to cut off.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;

use super::layout::{columns, count, shown, wrapped};
use super::{Said, VerbError, audit, config};
use crate::cli::Hunt as Args;
use crate::hunt::case::{self, Case};
use crate::hunt::incident::Reason;
use crate::hunt::limits;
use crate::hunt::page::in_words;
use crate::hunt::report::{self, Hunt, Material, Pivots, Timeline};
use crate::hunt::{self, Clocks, Found, InputProof, Request, feed, output, page, sigma};
use crate::mappings::Mappings;
use crate::render::folder::{Kind, Staging};
use crate::render::html::words::Clock;
use crate::render::manifest::{Digesting, FileEntry, HuntEntry, Manifest};
use crate::report::model::{Assessment, Input};
use crate::run::{Progress, RunError};
use crate::text::fold;

/// Incidents that the summary names.
const NAMED: usize = 5;
/// Lines of what cannot be seen around the first that the summary has, and names that may have been meant.
const NEAR: usize = 3;
/// The version of OCSF that is written.
const OCSF: &str = "1.6.0";

/// Hunts and writes the folder. `started` is the instant `as_of` falls back to, in microseconds UTC.
///
/// # Errors
/// Bad config or mappings, inputs or a case that cannot be read, a pivot that nothing touches, a folder that cannot be
/// written.
pub fn hunt(args: &Args, started: i64, progress: &Progress) -> Result<Said, VerbError> {
    let config = config(&args.house)?;
    let zone = config.zone();
    let asked: Vec<(&str, &str)> = [
        ("identity", &args.identity),
        ("executor", &args.executor),
        ("ip", &args.ip),
        ("ticket", &args.ticket),
        ("credential", &args.credential),
    ]
    .into_iter()
    .flat_map(|(kind, values)| values.iter().map(move |value| (kind, value.as_str())))
    .collect();
    let pivots = Pivots {
        values: asked.iter().map(|(kind, value)| ((*kind).to_owned(), fold(value))).collect(),
        since: args.since.map(|at| at.in_zone(zone)),
        until: args.until.map(|at| at.in_zone(zone)),
    };
    if let (Some(since), Some(until)) = (pivots.since, pivots.until)
        && since >= until
    {
        return Err(VerbError::own(
            "the period from `--since` to `--until` is empty",
            "`--until` is exclusive and must lie after `--since`",
        ));
    }
    // Before anything is read, so that nobody waits for a folder that may not be written.
    let staging = Staging::prepare(&args.output, Kind::Hunt)?;
    let mut notes = Vec::new();
    let (hunt, published) = match &args.case {
        Some(folder) => {
            let mut case = Case::open(folder)?;
            let mappings = Mappings::load(&config.mapping_folders(&args.house.mappings)).map_err(RunError::from)?;
            if let Some(differs) = case.compare(&mappings) {
                notes.push(shown(&format!(
                    "this case was made by other patterns than those in force ({differs}): hunt through the exports again to follow these"
                )));
            }
            let material = case.material();
            let (hunt, timeline, events) = told(&material, &pivots, &asked)?;
            let published = write(&hunt, (&timeline, events), &material, None, staging)?;
            (hunt, published)
        }
        None => {
            let request = Request {
                paths: args.paths.clone(),
                as_of: args.as_of.map(|at| at.in_zone(zone)).or(config.as_of).unwrap_or(started),
                config,
                mappings: args.house.mappings.clone(),
                clocks: if args.align_clocks { Clocks::Aligned } else { Clocks::AsWritten },
                input_hash: args.input_hash.input_hash(),
            };
            let found = hunt::find(&request, progress)?;
            let (hunt, timeline, events) = told(&found.material(), &pivots, &asked)?;
            let published = write(&hunt, (&timeline, events), &found.material(), Some(&found), staging)?;
            // Nobody has to wait until millions of events are given back.
            rayon::spawn(move || drop(found));
            (hunt, published)
        }
    };
    notes.extend(audit::published_notes(&published));
    let place = published.path.join("hunt.html");
    let text = if args.quiet { line(&hunt) } else { summary(&hunt, &place) };
    if args.quiet {
        notes.clear();
    }
    Ok(Said { text, notes, code: 0 })
}

/// `asked` are the pivots as they were written.
fn told(
    material: &Material<'_>,
    pivots: &Pivots,
    asked: &[(&str, &str)],
) -> Result<(Hunt, Timeline, Vec<u32>), VerbError> {
    let (hunt, timeline, events) = report::tell_in_time(material, pivots);
    if hunt.touched == Some(0) {
        let asked: Vec<String> = asked.iter().map(|(kind, value)| format!("--{kind} {value}")).collect();
        let help = match near(material, pivots) {
            names if names.is_empty() => {
                "write it exactly as a log does, or widen --since and --until; names are not matched by similarity"
                    .to_owned()
            }
            names => format!(
                "did you mean {}? Write it exactly as a log does, or widen --since and --until",
                names.join(" or ")
            ),
        };
        return Err(VerbError::own(shown(&format!("no event is touched by {}", asked.join(" or "))), shown(&help)));
    }
    Ok((hunt, timeline, events))
}

/// Names and values of the data that hold what was asked for, and are not it.
fn near(material: &Material<'_>, pivots: &Pivots) -> Vec<String> {
    let names = &material.trail.names;
    let like = |name: &&str| {
        let name = fold(name);
        pivots.values.iter().any(|(_, value)| value.len() > 2 && name != *value && name.contains(value.as_str()))
    };
    (1..names.len() as u32).map(|n| names.get(n)).filter(like).take(NEAR).map(str::to_owned).collect()
}

/// Writes every file, the manifest last, and puts the folder in its place.
fn write(
    hunt: &Hunt,
    (timeline, told): (&Timeline, Vec<u32>),
    material: &Material<'_>,
    found: Option<&Found>,
    staging: Staging,
) -> Result<crate::render::folder::Published, VerbError> {
    let fault = |what: &str, error: String| {
        VerbError::own(format!("{what} cannot be made: {error}"), "this is a fault of regrant; report it")
    };
    let mut files: Vec<FileEntry> = Vec::new();
    let mut put = |path: &str, bytes: &[u8]| -> Result<(), VerbError> {
        let mut out = Digesting::new(Vec::with_capacity(bytes.len()));
        let digested = out.write_all(bytes);
        digested.map_err(|error| fault(path, error.to_string()))?;
        let (entry, bytes) = out.finish(path);
        staging.add(path, &bytes)?;
        files.push(entry);
        Ok(())
    };
    put("timeline.csv", &output::timeline_csv(timeline))?;
    put("timeline.jsonl", &output::timeline_jsonl(timeline))?;
    put("blast-list.csv", &output::blast_csv(hunt))?;
    put("containment.csv", &output::containment_csv(hunt))?;
    put("limits.csv", &output::limits_csv(hunt))?;
    put("incidents.ocsf.jsonl", &output::ocsf(hunt, OCSF))?;
    put("events.ocsf.jsonl", &feed::ocsf_events(material.trail, &told, OCSF))?;
    let mut data = serde_json::to_vec_pretty(hunt).map_err(|error| fault("hunt.json", error.to_string()))?;
    data.push(b'\n');
    put("hunt.json", &data)?;
    let (words, numbers) = Case::pack(material).map_err(|error| fault(case::WORDS, error.to_string()))?;
    put(case::WORDS, &words)?;
    put(case::NUMBERS, &numbers)?;
    if let Some(found) = found {
        for (path, text) in sigma::rules(&found.patterns, &found.mappings) {
            put(&path, text.as_bytes())?;
        }
    }
    let html = page::html(hunt, timeline.len()).map_err(|error| fault("hunt.html", error))?;
    put("hunt.html", html.as_bytes())?;
    let mut assessment = Assessment::default();
    assessment.tool.version.clone_from(&hunt.version);
    assessment.run.as_of.clone_from(&hunt.as_of);
    let proof = &hunt.proof;
    assessment.run.digest.clone_from(&proof.run_digest);
    let input = |input: &InputProof| Input {
        path: input.path.clone(),
        bytes: input.bytes,
        sha256: input.sha256.clone(),
        blake3: input.blake3.clone(),
        ..Input::default()
    };
    assessment.inputs = proof.inputs.iter().map(input).collect();
    let mut manifest = Manifest::of(&assessment, files);
    for (entry, input) in manifest.inputs.iter_mut().zip(&proof.inputs) {
        entry.records = Some(input.records);
    }
    manifest.hunt = Some(HuntEntry {
        version: proof.version.clone(),
        mappings_sha256: proof.mappings_sha256.clone(),
        patterns_sha256: proof.patterns_sha256.clone(),
    });
    let text = manifest.text().map_err(|error| fault("manifest.json", error.to_string()))?;
    staging.add(crate::render::manifest::FILE, text.as_bytes())?;
    Ok(staging.publish()?)
}

/// One line for a log.
fn line(hunt: &Hunt) -> String {
    format!(
        "{}, {}, {} below; {} looked at\n",
        count(hunt.incident_count, "incident", "incidents"),
        count(hunt.lead_count, "lead", "leads"),
        count(hunt.below, "group", "groups"),
        count(hunt.events, "event", "events"),
    )
}

fn reason(reason: &Reason) -> String {
    match reason.worth.as_str() {
        "" => reason.text.clone(),
        worth => format!("{} ({worth})", reason.text),
    }
}

fn summary(hunt: &Hunt, place: &std::path::Path) -> String {
    let mut out = String::new();
    let clock = Clock::new(hunt.zone.as_deref());
    let at = |text: &str| clock.when(text).text;
    let span = match (&hunt.first_at, &hunt.last_at) {
        (Some(first), Some(last)) => format!(" from {} to {}", at(first), at(last)),
        _ => String::new(),
    };
    let _ = writeln!(
        out,
        "{}, {} among {}{span}\n",
        count(hunt.incident_count, "incident", "incidents"),
        count(hunt.lead_count, "lead", "leads"),
        count(hunt.events, "event", "events"),
    );
    for incident in hunt.incidents.iter().take(NAMED) {
        let head = match incident.standing.as_str() {
            "pivot" => "Around what was asked for".to_owned(),
            standing => format!("{} of {} points", title(standing), incident.score),
        };
        // What lies around a pivot was never one thing that could be known.
        let known = match (&incident.known_at, incident.standing.as_str()) {
            (_, "pivot") => {
                let people = count(incident.people.len() as u64, "identity", "identities");
                format!(" until {}, {people}", at(&incident.last_at))
            }
            (Some(known), _) => format!(", enough to know {}", at(known)),
            (None, _) => String::new(),
        };
        let began = if incident.standing == "pivot" { "from" } else { "began" };
        let head = format!("{head}, {began} {}{known}", at(&incident.began_at));
        let _ = writeln!(out, "{}", shown(&head));
        out.push_str(&wrapped(&shown(&output::headline(incident)), 2));
        let rows: Vec<Vec<String>> =
            incident.reasons.iter().map(|r| vec![format!("{:>5}", r.points), shown(&reason(r))]).collect();
        out.push_str(&columns(&rows, 2));
        let cuts = incident.containment.len() as u64;
        let others: BTreeSet<&str> =
            incident.blast.iter().filter(|touched| !touched.within).map(|touched| touched.identity.as_str()).collect();
        let _ = writeln!(
            out,
            "  {}, {} something with it\n",
            count(cuts, "thing to cut off", "things to cut off"),
            count(others.len() as u64, "other identity shares", "other identities share")
        );
    }
    if hunt.incidents.len() > NAMED {
        let more = hunt.incidents.len() as u64 - NAMED as u64;
        let _ = writeln!(out, "{} on the page\n", count(more, "more stands", "more stand"));
    }
    // Without an incident the leads are where somebody goes on.
    if hunt.incidents.is_empty() && !hunt.leads.is_empty() {
        out.push_str("Leads with the most points\n");
        for lead in hunt.leads.iter().take(NAMED) {
            let line = format!("{} from {}: {}", lead.score, at(&lead.began_at), output::headline(lead));
            out.push_str(&wrapped(&shown(&line), 2));
        }
        let more = hunt.lead_count.saturating_sub(NAMED as u64);
        match more.min((hunt.leads.len() as u64).saturating_sub(NAMED as u64)) {
            0 => {}
            n => {
                let _ = writeln!(out, "  {} on the page", count(n, "more stands", "more stand"));
            }
        }
        out.push('\n');
    }
    if let Some(first) = hunt.incidents.first().filter(|first| !first.unseen.is_empty()) {
        out.push_str("What cannot be seen around the first\n");
        let near = limits::together(&first.unseen);
        for group in near.iter().take(NEAR) {
            out.push_str(&wrapped(&shown(&format!("{}: {}", group.what, in_words(clock, &group.because))), 2));
        }
        if near.len() > NEAR {
            let _ = writeln!(out, "  and {} more", near.len() - NEAR);
        }
        out.push('\n');
    }
    let unseen: BTreeSet<&str> = hunt
        .limits
        .iter()
        .filter(|limit| limit.kind == "pattern" && limit.because.starts_with("cannot be seen"))
        .map(|limit| limit.what.as_str())
        .collect();
    if !unseen.is_empty() {
        let text = format!(
            "{} of {} patterns cannot be seen in these inputs; what they would find is not ruled out.",
            unseen.len(),
            hunt.patterns.len()
        );
        out.push_str(&wrapped(&text, 0));
    }
    let _ = writeln!(out, "{}", shown(&place.to_string_lossy()));
    out
}

fn title(standing: &str) -> &'static str {
    if standing == "incident" { "Incident" } else { "Lead" }
}
