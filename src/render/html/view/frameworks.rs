//! Frameworks, their requirements, and the notes on where a wording comes from.

use std::collections::BTreeSet;

use serde::Serialize;

use super::desk::{Desk, Link};
use super::population::{Calls, Population, population_called, subjects};
use crate::render::html::words::{self, Verdict, count, number, visible, visible_cut};
use crate::report::model::{FrameworkResult, RequirementResult, Standing};

#[derive(Serialize)]
pub(super) struct Framework {
    anchor: String,
    title: String,
    publisher: String,
    edition: String,
    licence: String,
    source: Option<String>,
    note: Option<String>,
    summary: String,
    /// Are its entries techniques, seen or not?
    technique: bool,
    requirements: Vec<Requirement>,
}

#[derive(Serialize)]
pub(super) struct Requirement {
    anchor: String,
    id: String,
    aliases: Vec<String>,
    title: Option<String>,
    title_is: Option<&'static str>,
    judged: bool,
    verdict: Verdict,
    population: Population,
    direct: Vec<Link>,
    supporting: Vec<Link>,
    limits: String,
    scope: Vec<(&'static str, String)>,
    guarded: Vec<String>,
    contextual: Option<String>,
    footnote: Option<usize>,
    /// Null when no finding refers to it.
    filter: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Footnote {
    number: usize,
    requirement: String,
    status: Option<String>,
    provenance: Option<String>,
    nearest: Vec<String>,
}

pub(super) fn framework(
    f: &FrameworkResult,
    desk: &Desk<'_>,
    referred: &BTreeSet<&str>,
    footnotes: &mut Vec<Footnote>,
) -> Framework {
    let judged: Vec<&RequirementResult> = f.requirements.iter().filter(|r| !r.direct.is_empty()).collect();
    let of = |s: Standing| judged.iter().filter(|r| r.verdict == s).count() as u64;
    let technique = f.kind == "technique";
    let (fail, pass) =
        if technique { (("seen", "seen"), ("not seen", "not seen")) } else { (("fails", "fail"), ("holds", "hold")) };
    let (noun, nouns) = if technique { ("technique", "techniques") } else { ("requirement", "requirements") };
    let mut parts = Vec::new();
    for (standing, (one, many)) in [
        (Standing::Fail, fail),
        (Standing::CannotConclude, ("cannot be concluded", "cannot be concluded")),
        (Standing::Pass, pass),
        (Standing::NotApplicable, ("does not apply", "do not apply")),
    ] {
        let n = of(standing);
        if n > 0 {
            parts.push(format!("{} {}", number(n), if n == 1 { one } else { many }));
        }
    }
    let summary = if judged.is_empty() {
        format!("no {noun} is judged")
    } else {
        format!("of {}, {}", count(judged.len() as u64, noun, nouns), words::list(&parts))
    };
    Framework {
        anchor: words::anchor(&f.id),
        title: visible(&f.title),
        publisher: visible(&f.publisher),
        edition: visible(&f.edition),
        licence: visible(&f.licence),
        source: f.source.as_deref().map(|s| visible_cut(s, 1_000)),
        note: f.note.as_deref().map(|s| visible_cut(s, 1_500)),
        summary,
        technique,
        requirements: f.requirements.iter().map(|r| requirement(f, r, desk, referred, footnotes)).collect(),
    }
}

pub(super) fn requirement(
    f: &FrameworkResult,
    r: &RequirementResult,
    desk: &Desk<'_>,
    referred: &BTreeSet<&str>,
    footnotes: &mut Vec<Footnote>,
) -> Requirement {
    let explained = r.status.is_some() || r.provenance.is_some() || !r.nearest.is_empty();
    let footnote = explained.then(|| {
        let number = footnotes.len() + 1;
        footnotes.push(Footnote {
            number,
            requirement: format!("{} ({})", visible_cut(&r.id, 60), visible_cut(&f.title, 120)),
            status: r.status.as_deref().map(visible),
            provenance: r.provenance.as_deref().map(|p| visible_cut(p, 2_000)),
            nearest: r.nearest.iter().map(|n| visible(n)).collect(),
        });
        number
    });
    let mut kinds: Vec<&str> =
        r.direct.iter().filter_map(|id| desk.checks.get(id.as_str())).map(|c| c.subject.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let (one, many) = match kinds[..] {
        [kind] => subjects(kind),
        _ => ("subject", "subjects"),
    };
    Requirement {
        anchor: format!("r-{}-{}", words::anchor(&f.id), words::anchor(&r.id)),
        id: visible_cut(&r.id, 60),
        aliases: r.aliases.iter().map(|x| visible_cut(x, 60)).collect(),
        title: r.title.as_deref().map(visible),
        title_is: match r.title_is.as_str() {
            "paraphrase" => Some("in our words"),
            _ => None,
        },
        judged: !r.direct.is_empty(),
        verdict: if f.kind == "technique" { words::sighting(r.verdict) } else { words::verdict(r.verdict) },
        population: population_called(
            if f.kind == "technique" { Calls::Sightings } else { Calls::Verdicts },
            &r.counts,
            one,
            many,
        ),
        direct: desk.check_links(&r.direct),
        supporting: desk.check_links(&r.supporting),
        limits: visible_cut(&r.limits, 1_500),
        scope: [("Resets that count", r.scope.as_deref()), ("Credentials that count", r.scope_credential.as_deref())]
            .into_iter()
            .filter_map(|(name, s)| s.map(|s| (name, visible_cut(s, 1_000))))
            .collect(),
        guarded: r.guarded.iter().map(|g| visible(g)).collect(),
        contextual: r.contextual.as_deref().map(visible),
        footnote,
        filter: {
            let reference = format!("{}:{}", f.id, r.id);
            referred.contains(reference.as_str()).then(|| words::filter("requirement", &visible_cut(&reference, 120)))
        },
    }
}
