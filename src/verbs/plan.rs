//! `plan`: what a folder of exports can answer, and what one more export would add.

use super::layout::{columns, count, shown, wrapped};
use super::{VerbError, config, printed};
use crate::cli;
use crate::report::model::{Assessment, Standing};
use crate::run::{self, Progress, Request};

/// The answer as text, or where it was written to. `started` is the instant `as_of` falls back to.
///
/// # Errors
/// Bad config or mappings, inputs that cannot be read.
pub fn plan(args: &cli::Plan, started: i64, progress: &Progress) -> Result<String, VerbError> {
    let mut config = config(&args.house)?;
    config.as_of = args.as_of.map(|at| at.in_zone(config.zone())).or(config.as_of);
    let request = Request::look(args.paths.clone(), config, args.house.mappings.clone(), started);
    printed(told(&run::audit(&request, progress)?.assessment), args.output.as_deref())
}

fn told(a: &Assessment) -> String {
    let of = |standing: fn(&Standing) -> bool| a.checks.iter().filter(|c| standing(&c.verdict)).count() as u64;
    let open = of(|s| *s == Standing::CannotConclude);
    let idle = of(|s| *s == Standing::NotApplicable);
    let whole = a.checks.len() as u64;
    let mut out = format!(
        "Of {} these inputs let {} conclude; {} cannot; {} nothing to judge.\n",
        count(whole, "check", "checks"),
        whole - open - idle,
        open,
        if idle == 1 { "1 has".to_owned() } else { format!("{idle} have") }
    );
    if !a.coverage.is_empty() {
        out.push_str("\nWhich time the logs cover\n");
        let day = |at: &Option<String>| at.as_deref().map_or("ever".to_owned(), |at| at.chars().take(16).collect());
        let rows: Vec<Vec<String>> = a
            .coverage
            .iter()
            .map(|log| {
                let silent = match log.holes.len() as u64 + log.holes_omitted {
                    0 => String::new(),
                    n => format!("silent {}", count(n, "time", "times")),
                };
                let about = if log.about == "sign-ins" { "sign-ins alone" } else { "" };
                vec![
                    shown(&log.system),
                    format!("{} to {}", shown(&day(&log.first_at)), shown(&day(&log.last_at))),
                    shown(if log.mapping.is_empty() { "declared" } else { &log.mapping }),
                    [silent.as_str(), about].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", "),
                ]
            })
            .collect();
        out.push_str(&columns(&rows, 2));
    }
    if open > 0 {
        out.push_str("\nCannot conclude\n");
        let rows: Vec<Vec<String>> = a
            .checks
            .iter()
            .filter(|check| check.verdict == Standing::CannotConclude)
            .map(|check| {
                let missing: Vec<&str> = check.indeterminate_because.keys().map(String::as_str).collect();
                vec![shown(&check.id), format!("lacks {}", missing.join(", "))]
            })
            .collect();
        out.push_str(&columns(&rows, 2));
    }
    if a.plan.is_empty() {
        out.push_str("\nNo further export is needed for an answer.\n");
        return out;
    }
    out.push_str("\nWhat would change that, the most useful first\n");
    for (n, remedy) in a.plan.iter().enumerate() {
        out.push('\n');
        out.push_str(&wrapped(&format!("{}. {}", n + 1, remedy.title), 2));
        let mut rows = Vec::new();
        if !remedy.answers.is_empty() {
            let answers = count(remedy.answers.len() as u64, "check", "checks");
            rows.push(vec!["answers".to_owned(), shown(&format!("{answers}: {}", remedy.answers.join(", ")))]);
        }
        if !remedy.helps.is_empty() {
            rows.push(vec!["with others".to_owned(), shown(&remedy.helps.join(", "))]);
        }
        for (n, how) in remedy.how.iter().enumerate() {
            rows.push(vec![if n == 0 { "get it".to_owned() } else { String::new() }, shown(how)]);
        }
        out.push_str(&columns(&rows, 5));
    }
    out
}
