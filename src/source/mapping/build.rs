//! From what an author wrote to a mapping that can be applied: every name, path, pattern and instant of it is checked here.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono_tz::Tz;

use super::cell::{Around, Condition, Decode, From, One, Part, Pick, Presence, Source, Test, spelling, unit};
use super::decide::Deciders;
use super::path::Path;
use super::pattern::Pattern;
use super::sieve::Sieve;
use super::tape::Plan;
use super::{Action, Block, Each, IfNone, OutOfScope, Recogniser, Reported, ServiceActor, SourceMapping, file, squash};
use crate::source::clock::{Clock, Dates, Format};
use crate::table::event::{ACTIONS, AUDITED_ACTIONS, EXECUTOR_KINDS};
use crate::table::{Breadth, Column, Table, Type};

/// What is wrong with a mapping that TOML has no objection to.
#[derive(Debug)]
pub(super) struct Fault {
    /// Text of the file near the fault, for its line.
    pub quoted: String,
    pub found: String,
    pub hint: String,
}

fn fault(quoted: &str, found: impl Into<String>, hint: impl Into<String>) -> Fault {
    Fault { quoted: quoted.to_owned(), found: found.into(), hint: hint.into() }
}

pub(super) fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

/// What holds for every time of a mapping.
struct Defaults {
    clock: Clock,
}

pub(super) fn build(id: &str, file: file::Mapping, breadth: Breadth) -> Result<SourceMapping, Fault> {
    let paths = |texts: &[String]| texts.iter().map(|text| Path::parse(text)).collect::<Result<Vec<_>, _>>();
    let defaults = Defaults {
        clock: Clock {
            formats: file.time.map(|names| formats(names.list())).transpose()?.unwrap_or_default(),
            zone: file.zone.as_deref().map(zone).transpose()?,
            never: file.never.iter().map(|text| text.trim().to_lowercase()).collect(),
            day_only: false,
        },
    };
    let whole = |written| source(written, None, &defaults);
    let tables = [
        (Table::Event, file.event),
        (Table::Account, file.account),
        (Table::Credential, file.credential),
        (Table::Person, file.person),
        (Table::Workload, file.workload),
        (Table::Ticket, file.ticket),
    ];
    let fills_action = file.action.is_empty() && file.name.is_none();
    let mut blocks = Vec::new();
    for (table, written) in tables {
        for block in written {
            blocks.push(Block {
                table,
                each: each(block.each, block.if_none, &defaults)?,
                when: conditions(block.when, &defaults)?,
                columns: columns(table, block.columns, fills_action, &defaults, breadth)?,
            });
        }
    }
    let mut actions = Vec::new();
    let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for written in file.action {
        let first = written.names.first().cloned().unwrap_or_default();
        let action = match (&written.action, &written.out_of_scope) {
            (Some(name), None) => Some(ACTIONS.iter().copied().find(|action| action == name).ok_or_else(|| {
                fault(
                    &format!("\"{name}\""),
                    format!("\"{name}\" is not an action of the model"),
                    format!("use one of {}", ACTIONS.join(", ")),
                )
            })?),
            (None, Some(_)) => None,
            _ => {
                return Err(fault(
                    &first,
                    format!("the action of \"{first}\" needs either `action` or `out_of_scope`"),
                    "an event becomes an action of the model, or is left out with a reason",
                ));
            }
        };
        let action_set = columns(Table::Event, written.set, false, &defaults, breadth)?;
        let (action_each, action_when) =
            (each(written.each, written.if_none, &defaults)?, conditions(written.when, &defaults)?);
        // Dropped after it was checked: for the audit it is as if the mapping said nothing of it.
        let of_trail = written.hunt || action.is_some_and(|name| !ACTIONS[..AUDITED_ACTIONS].contains(&name));
        if breadth == Breadth::Audit && of_trail {
            continue;
        }
        for name in &written.names {
            by_name.entry(spelling(name)).or_default().push(actions.len());
        }
        if written.names.is_empty() {
            by_name.entry(String::new()).or_default().push(actions.len());
        }
        actions.push(Action {
            action,
            out_of_scope: written.out_of_scope,
            also: written.also,
            repeats: written.repeats,
            each: action_each,
            when: action_when,
            set: action_set,
        });
    }
    if blocks.is_empty() {
        return Err(fault(
            "",
            "no rows come of a record",
            "add [[event]], [[person]], [[workload]], [[credential]], [[account]] or [[ticket]]",
        ));
    }
    let service_actors = file.service_actor.into_iter().map(|written| service_actor(written, &defaults));
    let service_actors = service_actors.collect::<Result<Vec<_>, _>>()?;
    let told_kind = service_actors.iter().any(|actor| actor.kind.is_some());
    let mut reported = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        let event = block.table == Table::Event;
        let of: Vec<Option<usize>> = match event && !fills_action {
            true => (0..actions.len()).filter(|n| actions[*n].action.is_some()).map(Some).collect(),
            false => vec![None],
        };
        for action in of {
            let set = action.map(|n| &actions[n].set);
            let columns = block.table.columns().iter().map(|c| c.name).filter(|name| {
                *name == "system"
                    || event && *name == "action"
                    || event && *name == "executor_kind" && told_kind
                    || block.columns.contains_key(name)
                    || set.is_some_and(|set| set.contains_key(name))
            });
            let columns: Vec<&'static str> = columns.collect();
            let places = block.table.columns().iter().enumerate();
            let sources = places.clone().filter_map(|(place, column)| {
                let source = set.and_then(|set| set.get(column.name)).or_else(|| block.columns.get(column.name));
                let named = matches!(column.name, "system" | "action");
                (source.is_some() || named || column.required).then(|| (place, source.cloned()))
            });
            let mask = places.clone().filter(|(_, c)| columns.contains(&c.name)).fold(0, |mask, (n, _)| mask | 1 << n);
            reported.push(Reported { block: index, action, mask, sources: sources.collect(), columns });
        }
    }
    let recognisers = file.recognise.list().into_iter().map(|r| recogniser(r, &defaults)).collect::<Result<_, _>>()?;
    let out_of_scope = file
        .out_of_scope
        .into_iter()
        .map(|rule| Ok(OutOfScope { when: conditions(rule.when, &defaults)?, reason: rule.reason }))
        .collect::<Result<_, Fault>>()?;
    let mut mapping = SourceMapping {
        id: id.to_owned(),
        title: file.title,
        vendor: file.vendor,
        how_to_get: file.how_to_get,
        containers: file.container.list(),
        recognisers,
        envelopes: file.envelopes,
        unwrap: paths(&file.unwrap)?,
        nulls: file.null.iter().map(|text| spelling(text)).collect(),
        each: file.each.map(whole).transpose()?,
        name: file.name.map(whole).transpose()?,
        class: file.class.map(whole).transpose()?,
        system: file.system.map(whole).transpose()?,
        out_of_scope,
        blocks,
        can_show: ACTIONS
            .iter()
            .filter(|name| actions.iter().any(|action| action.action == Some(name)))
            .map(|name| (*name).to_owned())
            .collect(),
        actions,
        by_name,
        service_actors,
        repeats: file.repeats,
        renders: file.renders,
        excerpt: file.excerpt,
        snapshot_in_name: file.snapshot_in_name.as_deref().map(pattern).transpose()?,
        keys: Vec::new(),
        reported_at: Vec::new(),
        reported,
        sieve: Sieve::default(),
        plan: Plan::default(),
        deciders: None,
        marks: Plan::default(),
    };
    let of = |index: usize, action| mapping.reported.iter().position(|of| of.block == index && of.action == action);
    let of_block = |index| [None].into_iter().chain((0..mapping.actions.len()).map(Some)).map(move |a| of(index, a));
    mapping.reported_at = (0..mapping.blocks.len()).map(|index| of_block(index).collect()).collect();
    mapping.keys = first_keys(&mapping);
    let mut sieve = Sieve::default();
    all_paths(&mapping).into_iter().for_each(|path| path.sieve(&mut sieve));
    let mut plan = Plan::of(&sieve);
    all_paths(&mapping).into_iter().for_each(|path| path.place(&mut plan));
    (mapping.sieve, mapping.plan) = (sieve, plan);
    mapping.deciders = Deciders::of(&mapping);
    let mut marks = Sieve::default();
    let mut paths: Vec<&Path> = mapping.unwrap.iter().collect();
    for recogniser in &mapping.recognisers {
        paths.extend(recogniser.all.iter().chain(&recogniser.any).chain(&recogniser.none));
        Condition::all_paths(&recogniser.when, &mut paths);
    }
    paths.into_iter().for_each(|path| path.sieve(&mut marks));
    mapping.marks = Plan::of(&marks);
    Ok(mapping)
}

/// Every path by which rows are made of a record.
fn all_paths(mapping: &SourceMapping) -> Vec<&Path> {
    let mut paths: Vec<&Path> = mapping.unwrap.iter().collect();
    let whole = [&mapping.each, &mapping.name, &mapping.class, &mapping.system];
    whole.into_iter().flatten().for_each(|source| source.paths(&mut paths));
    mapping.out_of_scope.iter().for_each(|rule| Condition::all_paths(&rule.when, &mut paths));
    for block in &mapping.blocks {
        block.columns.values().for_each(|source| source.paths(&mut paths));
        block.each.iter().for_each(|each| each.source.paths(&mut paths));
        Condition::all_paths(&block.when, &mut paths);
    }
    for action in &mapping.actions {
        action.set.values().for_each(|source| source.paths(&mut paths));
        action.each.iter().for_each(|each| each.source.paths(&mut paths));
        Condition::all_paths(&action.when, &mut paths);
    }
    for actor in &mapping.service_actors {
        actor.becomes.iter().for_each(|source| source.paths(&mut paths));
    }
    paths
}

/// Every first key of a mapping's paths, once, as first written.
fn first_keys(mapping: &SourceMapping) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for key in all_paths(mapping).into_iter().filter_map(Path::first_key) {
        if !keys.iter().any(|known| known == key) {
            keys.push(key.to_owned());
        }
    }
    keys
}

fn recogniser(written: file::Recognise, defaults: &Defaults) -> Result<Recogniser, Fault> {
    let paths = |texts: &[String]| texts.iter().map(|text| Path::parse(text)).collect::<Result<Vec<_>, _>>();
    if written.all.is_empty() && written.any.is_empty() && written.when.is_empty() && written.headers.is_empty() {
        return Err(fault(
            "recognise",
            "`recognise` names nothing that a file would be known by",
            "say `all`, `any` or `when` for JSON, `headers` for CSV",
        ));
    }
    let names = |names: file::OneOrMany<String>| names.list().iter().map(|name| squash(name)).collect();
    Ok(Recogniser {
        all: paths(&written.all)?,
        any: paths(&written.any)?,
        none: paths(&written.none)?,
        when: conditions(written.when, defaults)?,
        headers: written.headers.into_iter().map(names).collect(),
        without: written.none.iter().map(|name| squash(name)).collect(),
    })
}

fn service_actor(written: file::ServiceActor, defaults: &Defaults) -> Result<ServiceActor, Fault> {
    let kind = written.kind.as_deref().map(|kind| {
        let known = EXECUTOR_KINDS.iter().copied().find(|known| *known == kind);
        known.ok_or_else(|| {
            fault(
                &format!("\"{kind}\""),
                format!("\"{kind}\" is not a kind of executor"),
                format!("use one of {}", EXECUTOR_KINDS.join(", ")),
            )
        })
    });
    let names: Vec<String> =
        written.names.iter().map(|name| name.split('*').map(regex::escape).collect::<Vec<_>>().join(".*")).collect();
    Ok(ServiceActor {
        names: pattern(&format!("(?is)^(?:{})$", names.join("|")))?,
        kind: kind.transpose()?,
        becomes: written.becomes.map(|becomes| source(becomes, None, defaults)).transpose()?,
    })
}

fn each(written: Option<file::Source>, if_none: Option<IfNone>, defaults: &Defaults) -> Result<Option<Each>, Fault> {
    let each = written
        .map(|written| Ok(Each { source: source(written, None, defaults)?, if_none: if_none.unwrap_or_default() }));
    each.transpose()
}

fn columns(
    table: Table,
    written: BTreeMap<String, file::Source>,
    with_action: bool,
    defaults: &Defaults,
    breadth: Breadth,
) -> Result<BTreeMap<&'static str, Arc<Source>>, Fault> {
    let read = |name: &&'static str| table.column_at(breadth, name).is_some();
    let all = written
        .into_iter()
        .map(|(name, written)| {
            let known = table.columns().iter().find(|known| known.name == name);
            let known =
                known.filter(|_| with_action || name != "action" || table != Table::Event).ok_or_else(|| {
                    let names: Vec<&str> = table.columns().iter().map(|c| c.name).collect();
                    fault(
                        &format!("{name} ="),
                        format!("`{name}` is not a column of {} that a mapping gives here", table.name()),
                        format!(
                            "columns of {}: {}; `action` is given by [[action]] where there is one",
                            table.name(),
                            names.join(", ")
                        ),
                    )
                })?;
            Ok((known.name, Arc::new(source(written, Some(known), defaults)?)))
        })
        .collect::<Result<BTreeMap<_, _>, Fault>>()?;
    Ok(all.into_iter().filter(|(name, _)| read(name)).collect())
}

fn pattern(text: &str) -> Result<Pattern, Fault> {
    Pattern::new(text).map_err(|error| {
        fault(
            text,
            format!("the pattern {text} does not compile: {error}"),
            "use the syntax of Rust's regex crate: no look-around, no back-references",
        )
    })
}

fn formats(names: Vec<String>) -> Result<Vec<Format>, Fault> {
    let format = |name: &String| {
        Format::named(name).ok_or_else(|| {
            fault(
                &format!("\"{name}\""),
                format!("\"{name}\" is no way to write time"),
                format!("use {}", Format::NAMES),
            )
        })
    };
    names.iter().map(format).collect()
}

fn zone(name: &str) -> Result<Tz, Fault> {
    name.parse().map_err(|_| {
        fault(&format!("\"{name}\""), format!("\"{name}\" is no time zone"), "use a name such as Europe/London or UTC")
    })
}

fn source(written: file::Source, column: Option<&Column>, defaults: &Defaults) -> Result<Source, Fault> {
    let one = match written {
        file::Source::Path(path) => file::One { path: Some(path), ..file::One::default() },
        file::Source::First(sources) => {
            let sources = sources.into_iter().map(|written| source(written, column, defaults));
            return Ok(Source::First(sources.collect::<Result<_, _>>()?));
        }
        file::Source::One(one) => *one,
    };
    let paths = |texts: &[String]| texts.iter().map(|text| Path::parse(text)).collect::<Result<Vec<_>, _>>();
    let mut from = Vec::new();
    let mut pick = None;
    let quoted = [&one.path, &one.constant, &one.template].into_iter().flatten().next().cloned().unwrap_or_default();
    if let Some(path) = &one.path {
        from.push(From::Path(Path::parse(path)?));
    }
    if let Some(text) = one.constant {
        from.push(From::Const(text));
    }
    if let Some(template) = &one.template {
        from.push(From::Template(parts(template)?));
    }
    if let Some(first) = &one.first {
        from.push(From::FirstOf(paths(first)?));
    }
    for (several, way) in [(&one.all, None), (&one.latest, Some(Pick::Latest)), (&one.earliest, Some(Pick::Earliest))] {
        if let Some(several) = several {
            from.push(From::Several(paths(several)?));
            pick = way;
        }
    }
    if let Some([a, b]) = &one.difference {
        from.push(From::Difference(Path::parse(a)?, Path::parse(b)?));
    }
    if let Some([a, b]) = &one.common {
        from.push(From::Common(Path::parse(a)?, Path::parse(b)?));
    }
    let (Some(from), true) = (from.pop(), from.is_empty()) else {
        return Err(fault(
            &quoted,
            "a source needs exactly one of path, const, template, first, all, latest, earliest, difference, common",
            "for the first of several that gives something, write a list",
        ));
    };
    let timely = column.is_some_and(|column| matches!(column.ty, Type::Instant | Type::On));
    let own = one.time.is_some() || one.zone.is_some() || one.never.is_some() || one.cut.is_some();
    let dates = match column.map(|column| column.ty) {
        Some(Type::On) => Dates::Stay,
        _ => Dates::Midnight,
    };
    let clock = (timely || own).then(|| {
        Ok((
            Clock {
                formats: match one.time {
                    Some(names) => formats(names.list())?,
                    None => defaults.clock.formats.clone(),
                },
                zone: one.zone.as_deref().map(zone).transpose()?.or(defaults.clock.zone),
                never: match one.never {
                    Some(never) => never.iter().map(|text| text.trim().to_lowercase()).collect(),
                    None => defaults.clock.never.clone(),
                },
                day_only: match one.cut.as_deref() {
                    None => false,
                    Some("day") => true,
                    Some(other) => {
                        return Err(fault(other, format!("`cut = \"{other}\"` is not known"), "write cut = \"day\""));
                    }
                },
            },
            dates,
        ))
    });
    let plus = one.plus.map(|plus| {
        let unit = unit(&plus.unit).ok_or_else(|| {
            fault(&plus.unit, format!("\"{}\" is no unit of time", plus.unit), "use seconds, minutes, hours or days")
        })?;
        Ok((Path::parse(&plus.path)?, unit))
    });
    let pick = match one.pick.as_deref() {
        None => pick,
        Some("first") => Some(Pick::First),
        Some("last") => Some(Pick::Last),
        Some(other) => return Err(fault(other, format!("`pick = \"{other}\"` is not known"), "use first or last")),
    };
    let decode = match one.decode.as_deref() {
        None => None,
        Some("percent") => Some(Decode::Percent),
        Some(other) => return Err(fault(other, format!("`decode = \"{other}\"` is not known"), "use percent")),
    };
    let split = one.split.map(file::OneOrMany::list).unwrap_or_default();
    if split.iter().any(String::is_empty) {
        return Err(fault("split", "`split` at nothing", "name the text between the pieces, such as \",\""));
    }
    Ok(Source::One(Box::new(One {
        from,
        nulls: one.null.iter().map(|text| spelling(text)).collect(),
        split,
        decode,
        pattern: one.pattern.as_deref().map(pattern).transpose()?,
        shape: one.shape.as_deref().map(shape).transpose()?.unwrap_or_default(),
        clock: clock.transpose()?,
        plus: plus.transpose()?,
        values: one.values.into_iter().map(|(text, meaning)| (spelling(&text), meaning)).collect(),
        otherwise: one.otherwise,
        pick,
        when: conditions(one.when, defaults)?,
    })))
}

fn shape(text: &str) -> Result<Vec<Around>, Fault> {
    let wrong = || {
        fault(
            text,
            format!("`as = \"{text}\"` has no place for the text"),
            "write {} where it belongs, as in \"aws:{}\", or {1} for the first group of the pattern",
        )
    };
    let mut shape = Vec::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        let (group, after) = behind.split_once('}').ok_or_else(wrong)?;
        shape.push(Around::Text(before.to_owned()));
        shape.push(Around::Group(if group.is_empty() { 0 } else { group.parse().map_err(|_| wrong())? }));
        rest = after;
    }
    if shape.is_empty() {
        return Err(wrong());
    }
    shape.push(Around::Text(rest.to_owned()));
    Ok(shape)
}

fn parts(template: &str) -> Result<Vec<Part>, Fault> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('{') {
        let (path, after) = behind.split_once('}').ok_or_else(|| {
            fault(
                template,
                format!("the template \"{template}\" opens a brace and does not close it"),
                "write paths in braces, as in \"aws:{recipientAccountId}\"",
            )
        })?;
        parts.push(Part::Text(before.to_owned()));
        parts.push(Part::Path(Path::parse(path)?));
        rest = after;
    }
    parts.push(Part::Text(rest.to_owned()));
    Ok(parts)
}

fn conditions(written: Vec<file::Condition>, defaults: &Defaults) -> Result<Vec<Condition>, Fault> {
    written.into_iter().map(|written| condition(written, defaults)).collect()
}

fn condition(written: file::Condition, defaults: &Defaults) -> Result<Condition, Fault> {
    let spelt = |list: Vec<String>| list.iter().map(|text| spelling(text)).collect();
    let place = written.path.clone().unwrap_or_else(|| "of".to_owned());
    let wrong =
        |what: &str, hint: &str| fault(&place, format!("the condition on \"{place}\" needs exactly {what}"), hint);
    let mut tests = Vec::new();
    if let Some(present) = written.present {
        tests.push(Test::Present(if present { Presence::There } else { Presence::Missing }));
    }
    tests.extend(written.is.map(|list| Test::Is(spelt(list))));
    tests.extend(written.is_not.map(|list| Test::IsNot(spelt(list))));
    tests.extend(written.matches.as_deref().map(pattern).transpose()?.map(Test::Matches));
    tests.extend(written.matches_not.as_deref().map(pattern).transpose()?.map(Test::MatchesNot));
    tests.extend(written.same_as.as_deref().map(Path::parse).transpose()?.map(Test::Same));
    tests.extend(written.differs_from.as_deref().map(Path::parse).transpose()?.map(Test::Differs));
    tests.extend(written.bits.map(Test::Bits));
    tests.extend(written.bits_not.map(Test::BitsNot));
    tests.extend(written.above.map(Test::Above));
    tests.extend(written.below.map(Test::Below));
    let source = match (written.path, written.of, written.any) {
        (Some(path), None, None) => source(file::Source::Path(path), None, defaults)?,
        (None, Some(of), None) => source(of, None, defaults)?,
        (None, None, Some(any)) if tests.is_empty() => return Ok(Condition::Any(conditions(any, defaults)?)),
        _ => return Err(wrong("one of path, of, any", "`any` stands alone; `path` and `of` have a test")),
    };
    match (tests.pop(), tests.is_empty()) {
        (Some(test), true) => Ok(Condition::Test(source, test)),
        _ => Err(wrong(
            "one test",
            "one of present, is, is_not, matches, matches_not, same_as, differs_from, bits, bits_not, above, below",
        )),
    }
}
