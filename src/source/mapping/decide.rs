//! What becomes of a record that nobody wants, remembered: records that say the same in the few places that decide it are decided
//! alike, and most of a log is of few kinds.

use hashbrown::HashMap;

use super::SourceMapping;
use super::cell::{Condition, From, Source, Test};
use super::path::Path;
use super::quick::View;
use super::tape::Kind;
use crate::table::Table;

/// Kinds of records that are remembered; a log of more has been made to have them.
const MOST: usize = 4096;
/// Bytes of all texts that decide about a record.
const LONGEST: usize = 512;

/// The places that decide whether a record of a name without actions is left out, why, and of which system it is.
#[derive(Debug)]
pub(super) struct Deciders(Vec<(Path, Use)>);

/// What of a place decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Use {
    /// Whether something stands there.
    Presence,
    /// What stands there.
    Text,
}

/// What became of a record that was left out.
#[derive(Debug)]
pub(super) struct Decision {
    pub system: Option<String>,
    pub reason: String,
}

/// Decisions by what records say in the places that decide.
pub(super) type Decided = HashMap<Vec<u8>, Decision>;

impl Deciders {
    /// Null where more than some places decides.
    pub(super) fn of(mapping: &SourceMapping) -> Option<Deciders> {
        if mapping.blocks.iter().any(|block| block.table != Table::Event) {
            return None;
        }
        let mut used = Vec::new();
        mapping.out_of_scope.iter().for_each(|rule| uses(&rule.when, &mut used));
        let mut told = Vec::new();
        [&mapping.name, &mapping.class, &mapping.system].into_iter().flatten().for_each(|s| s.paths(&mut told));
        used.extend(told.into_iter().map(|path| (path, Use::Text)));
        let mut out: Vec<(Path, Use)> = Vec::new();
        for (path, as_what) in used {
            let places = path.places.get()?;
            match out.iter_mut().find(|(known, _)| known.places.get() == Some(places)) {
                Some((_, known)) => *known = as_what.max(*known),
                None => out.push((path.clone(), as_what)),
            }
        }
        Some(Deciders(out))
    }

    /// What a record says in these places; null where that has to be looked at more closely, or is long.
    pub(super) fn said(&self, view: View<'_>, out: &mut Vec<u8>) -> Option<()> {
        out.clear();
        for (path, as_what) in &self.0 {
            let Some(at) = path.straight(view)? else {
                out.push(b'-');
                continue;
            };
            match (view.record.kind(at), as_what) {
                (Kind::Array, _) => return None,
                (Kind::Object, _) => out.push(b'o'),
                (Kind::Null, _) => out.push(b'0'),
                (_, Use::Presence) => out.push(if view.says(at) { b'+' } else { b'0' }),
                (kind, Use::Text) => {
                    let text = view.record.text(at);
                    if out.len() + text.len() > LONGEST {
                        return None;
                    }
                    out.push(match kind {
                        Kind::Text => b't',
                        _ => b'v',
                    });
                    out.extend_from_slice(&(text.len() as u16).to_le_bytes());
                    out.extend_from_slice(text.as_bytes());
                }
            }
        }
        Some(())
    }
}

/// Whether there is room for another decision.
pub(super) fn has_room(decided: &Decided) -> bool {
    decided.len() < MOST
}

fn uses<'m>(conditions: &'m [Condition], out: &mut Vec<(&'m Path, Use)>) {
    for condition in conditions {
        match condition {
            Condition::Any(conditions) => uses(conditions, out),
            Condition::Test(Source::One(one), Test::Present(_)) if one.bare() && one.when.is_empty() => {
                match &one.from {
                    From::Path(path) => out.push((path, Use::Presence)),
                    from => out.extend(from.paths().into_iter().map(|path| (path, Use::Text))),
                }
            }
            other => {
                let mut paths = Vec::new();
                Condition::all_paths(std::slice::from_ref(other), &mut paths);
                out.extend(paths.into_iter().map(|path| (path, Use::Text)));
            }
        }
    }
}
