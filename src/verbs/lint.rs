//! `lint`: everything that can be wrong with a config and with mappings, without any data.

use super::layout::{columns, count, shown};
use super::{Knowledge, VerbError};
use crate::assess::waiver::Waiver;
use crate::cli::{Lint, format_id};
use crate::hunt::pattern;
use crate::mappings::{MappingKind, Origin};
use crate::render::Formats;
use crate::run::RunError;
use crate::source::mapping::SourceMapping;

/// What was checked and found in order. `started` judges which waivers are in force when the config has no `as_of`.
///
/// # Errors
/// The first thing that is wrong.
pub fn lint(args: &Lint, started: i64) -> Result<String, VerbError> {
    if let Some(path) = &args.sample {
        return super::sample::sample(path, &args.house, started);
    }
    let known = Knowledge::load(&args.house)?;
    let config = &known.config;
    SourceMapping::load_all(&known.mappings)?;
    let patterns = pattern::load_all(&known.mappings)?;
    if let Some(unknown) = config.policy.severity.keys().find(|id| known.catalogue.get(id).is_none()) {
        return Err(RunError::Severity(unknown.clone()).into());
    }
    Formats::parse(config.formats.iter().map(|name| format_id(name)))?;
    let waivers = Waiver::compile(config, &known.catalogue, &known.registry, config.as_of.unwrap_or(started))?;

    let mut rows = Vec::new();
    if let Some(path) = &config.path {
        let changed = config.policy.changed.len() as u64;
        let states = waivers.iter().map(|waiver| format!("{} {}", waiver.rule.id, waiver.state.as_str()));
        let inputs = count(config.inputs.len() as u64, "input rule", "input rules");
        let policy = count(changed, "policy value differs", "policy values differ");
        rows.push(vec![shown(&path.to_string_lossy()), format!("{inputs}, {policy} from the default")]);
        for name in &config.policy.changed {
            rows.push(vec![String::new(), format!("[policy] {}", shown(name))]);
        }
        let waivers = count(waivers.len() as u64, "waiver", "waivers");
        rows.push(vec![
            "waivers".to_owned(),
            [waivers].into_iter().chain(states.map(|s| shown(&s))).collect::<Vec<_>>().join(", "),
        ]);
    } else {
        rows.push(vec!["config".to_owned(), "none named; the defaults hold (name one with -c)".to_owned()]);
    }
    let requirements: usize = known.frameworks.iter().map(|framework| framework.requirements.len()).sum();
    let sources = known.mappings.files(MappingKind::Source).count() as u64;
    rows.push(vec!["checks".to_owned(), count(known.catalogue.checks.len() as u64, "check", "checks")]);
    rows.push(vec![
        "frameworks".to_owned(),
        format!(
            "{}, {}",
            count(known.frameworks.len() as u64, "framework", "frameworks"),
            count(requirements as u64, "requirement", "requirements")
        ),
    ]);
    rows.push(vec!["sources".to_owned(), count(sources, "source mapping", "source mappings")]);
    rows.push(vec!["patterns".to_owned(), count(patterns.len() as u64, "pattern", "patterns")]);
    for file in known.mappings.files(MappingKind::Pattern).filter(|file| file.origin != Origin::Shipped) {
        let does = if file.replaces { "replaces the shipped" } else { "adds the" };
        rows.push(vec![String::new(), shown(&format!("{} {does} pattern {}", file.origin, file.id))]);
    }
    for other in known.mappings.overrides() {
        let does = if other.replaces { "replaces the shipped" } else { "adds the" };
        rows.push(vec![String::new(), shown(&format!("{} {does} {} {}", other.path, other.kind, other.id))]);
    }
    Ok(format!("Everything is in order.\n\n{}", columns(&rows, 2)))
}
