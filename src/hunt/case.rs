//! A case: what a hunt found, kept so that it can be looked at from another side in an instant.
//!
//! Two files: `case.json` (patterns, matches, limits) and `trail.zst` (events and names, in fixed widths). Of large data the
//! sign-ins are left out that lie far from everything else; the case says so, and a pivot on one of those needs the exports
//! again.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::events::{Event, Field, NONE, Reach, Trail, Who};
use super::incident::{Known, TOGETHER};
use super::limits::Limit;
use super::matcher::Match;
use super::report::Material;
use crate::table::event;

/// The part in words.
pub const WORDS: &str = "case/case.json";
/// The part in numbers.
pub const NUMBERS: &str = "case/trail.zst";
/// Up to so many events all are kept: they are read in well under a second.
const ALL: usize = 2_000_000;
/// Begins the part in numbers; the digit is the version.
const MAGIC: &[u8; 8] = b"RGTRAIL1";
/// Bytes of one event.
const WIDTH: usize = 8 + 4 * Field::ALL.len() + 12 + 3;

/// Why a case cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// Not there, or not readable.
    #[error("{}: {cause}\n  help: name the folder that `regrant hunt` wrote", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: String,
    },
    /// Something else stands in it.
    #[error("{}: {what}\n  help: hunt through the exports again; this case was cut, altered, or written by another version", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

/// A case in memory.
#[derive(Debug)]
pub struct Case {
    words: Words,
    trail: Trail,
    matches: Vec<Match>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Words {
    version: u32,
    as_of: i64,
    zone: Option<String>,
    inputs: Vec<(String, u64)>,
    span: Option<(i64, i64)>,
    events: u64,
    resets: u64,
    known: Vec<Known>,
    limits: Vec<Limit>,
    matches: Vec<(usize, i64, Vec<u32>, usize, String)>,
    who: BTreeMap<u32, Who>,
    #[serde(default)]
    reach: BTreeMap<u32, Reach>,
}

impl Case {
    /// What a case keeps of a hunt, as its two files.
    ///
    /// # Errors
    /// None that can happen: it is written into memory.
    pub fn pack(material: &Material<'_>) -> std::io::Result<(Vec<u8>, Vec<u8>)> {
        let kept = keep(material.trail, material.matches);
        let mut limits = material.limits.to_vec();
        if kept.len() < material.trail.events.len() {
            let left = material.trail.events.len() - kept.len();
            let because = format!(
                "{left} sign-ins far from any other event were left out of it; a pivot on those needs the exports"
            );
            limits.push(Limit::new("history", "this case", because));
        }
        let place: HashMap<u32, u32> = kept.iter().enumerate().map(|(new, &old)| (old, new as u32)).collect();
        let moved = |found: &Match| {
            let events = found.events.iter().filter_map(|i| place.get(i).copied()).collect();
            (found.pattern, found.at, events, found.count, found.because.clone())
        };
        let words = Words {
            version: 1,
            as_of: material.as_of,
            zone: material.zone.map(str::to_owned),
            inputs: material.inputs.to_vec(),
            span: material.span.or(material.trail.span()),
            events: material.events,
            resets: material.trail.resets,
            known: material.known.to_vec(),
            limits,
            matches: material.matches.iter().map(moved).collect(),
            who: material.trail.who.clone(),
            reach: material.trail.reach.clone(),
        };
        let words = serde_json::to_vec(&words).map_err(std::io::Error::other)?;
        let mut out = zstd::stream::write::Encoder::new(Vec::new(), 1)?;
        out.write_all(MAGIC)?;
        for list in [&material.trail.names, &material.trail.files] {
            out.write_all(&(list.len() as u64).to_le_bytes())?;
            for text in list {
                out.write_all(&(text.len() as u32).to_le_bytes())?;
                out.write_all(text.as_bytes())?;
            }
        }
        out.write_all(&(material.trail.common.len() as u64).to_le_bytes())?;
        for number in &material.trail.common {
            out.write_all(&number.to_le_bytes())?;
        }
        out.write_all(&(kept.len() as u64).to_le_bytes())?;
        let mut bytes = Vec::with_capacity(WIDTH);
        for &i in &kept {
            let event = &material.trail.events[i as usize];
            bytes.clear();
            bytes.extend(event.at.to_le_bytes());
            for value in event.values {
                bytes.extend(value.to_le_bytes());
            }
            for value in [event.id, event.file, event.record] {
                bytes.extend(value.to_le_bytes());
            }
            bytes.extend([event.action, event.outcome, event.own]);
            out.write_all(&bytes)?;
        }
        Ok((words, out.finish()?))
    }

    /// A case that lies in a folder of `regrant hunt`.
    ///
    /// # Errors
    /// When its files are not there, or not as they were written.
    pub fn open(folder: &Path) -> Result<Case, CaseError> {
        let read = |name: &str| {
            let path = folder.join(name);
            let bytes = std::fs::read(&path);
            bytes.map_err(|e| CaseError::Unreadable { path, cause: e.to_string() })
        };
        let (words, numbers) = (read(WORDS)?, read(NUMBERS)?);
        let broken = |name: &str, what: &str| CaseError::Broken { path: folder.join(name), what: what.to_owned() };
        let words: Words = serde_json::from_slice(&words).map_err(|e| broken(WORDS, &e.to_string()))?;
        if words.version != 1 {
            return Err(broken(WORDS, "its version is not 1"));
        }
        let mut bytes = Vec::new();
        zstd::stream::read::Decoder::new(numbers.as_slice())
            .and_then(|mut decoder| decoder.read_to_end(&mut bytes))
            .map_err(|e| broken(NUMBERS, &e.to_string()))?;
        let mut trail = unpack(&bytes).ok_or_else(|| broken(NUMBERS, "it does not hold what it says it holds"))?;
        trail.who = words.who.clone();
        trail.reach = words.reach.clone();
        trail.resets = words.resets;
        let matches: Vec<Match> = words
            .matches
            .iter()
            .map(|(pattern, at, events, count, because)| Match {
                pattern: *pattern,
                at: *at,
                events: events.clone(),
                count: *count,
                because: because.clone(),
            })
            .collect();
        let sound =
            |m: &Match| m.pattern < words.known.len() && m.events.iter().all(|&i| (i as usize) < trail.events.len());
        if !matches.iter().all(sound) {
            return Err(broken(WORDS, "a match names an event or a pattern that the case does not have"));
        }
        Ok(Case { words, trail, matches })
    }

    /// What a hunt is told from.
    pub fn material(&self) -> Material<'_> {
        Material {
            trail: &self.trail,
            known: &self.words.known,
            matches: &self.matches,
            limits: &self.words.limits,
            as_of: self.words.as_of,
            zone: self.words.zone.as_deref(),
            inputs: &self.words.inputs,
            span: self.words.span,
            events: self.words.events,
        }
    }
}

/// Positions of the events that a case keeps.
fn keep(trail: &Trail, matches: &[Match]) -> Vec<u32> {
    if trail.events.len() <= ALL {
        return (0..trail.events.len() as u32).collect();
    }
    let matched: BTreeSet<u32> = matches.iter().flat_map(|m| m.events.iter().copied()).collect();
    let traces: BTreeSet<u32> = matched
        .iter()
        .flat_map(|&i| super::incident::TRACES.map(|field| trail.events[i as usize].get(field)))
        .filter(|&value| !trail.is_common(value))
        .collect();
    // Instants of what is no sign-in, by target.
    let mut acts: HashMap<u32, Vec<i64>> = HashMap::new();
    for event in trail.events.iter().filter(|event| event.action != event::SIGN_IN) {
        acts.entry(event.get(Field::Target)).or_default().push(event.at);
    }
    let near = |event: &Event| {
        acts.get(&event.get(Field::Target)).is_some_and(|at| {
            let next = at.partition_point(|&t| t < event.at - TOGETHER);
            at.get(next).is_some_and(|&t| t <= event.at + TOGETHER)
        })
    };
    (0..trail.events.len() as u32)
        .filter(|&i| {
            let event = &trail.events[i as usize];
            event.action != event::SIGN_IN
                || matched.contains(&i)
                || super::incident::TRACES.iter().any(|&field| traces.contains(&event.get(field)))
                || near(event)
        })
        .collect()
}

/// Takes bytes from the front.
struct Front<'a>(&'a [u8]);

impl<'a> Front<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(front)
    }

    fn four(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn count(&mut self, least_bytes: usize) -> Option<usize> {
        let n = usize::try_from(u64::from_le_bytes(self.take(8)?.try_into().ok()?)).ok()?;
        // No room is made for what cannot be there.
        (n.checked_mul(least_bytes)? <= self.0.len()).then_some(n)
    }

    fn texts(&mut self) -> Option<Vec<String>> {
        let n = self.count(4)?;
        (0..n)
            .map(|_| {
                let length = self.four()? as usize;
                Some(std::str::from_utf8(self.take(length)?).ok()?.to_owned())
            })
            .collect()
    }
}

fn unpack(bytes: &[u8]) -> Option<Trail> {
    let mut front = Front(bytes);
    (front.take(MAGIC.len())? == MAGIC).then_some(())?;
    let (names, files) = (front.texts()?, front.texts()?);
    let n = front.count(4)?;
    let common = (0..n).map(|_| front.four()).collect::<Option<Vec<u32>>>()?;
    let n = front.count(WIDTH)?;
    let mut events = Vec::with_capacity(n);
    for _ in 0..n {
        let mut event = Front(front.take(WIDTH)?);
        let at = i64::from_le_bytes(event.take(8)?.try_into().ok()?);
        let mut values = [NONE; Field::ALL.len()];
        for value in &mut values {
            *value = event.four().filter(|&number| (number as usize) < names.len())?;
        }
        let id = event.four().filter(|&number| (number as usize) < names.len())?;
        let (file, record) = (event.four()?, event.four()?);
        let [action, outcome, own] = *event.take(3)? else { return None };
        let known = (1..=super::events::ACTION_WORDS.len()).contains(&(action as usize));
        (known && outcome as usize <= event::OUTCOMES.len()).then_some(())?;
        events.push(Event { at, values, id, row: u32::MAX, file, record, action, outcome, own });
    }
    front.0.is_empty().then_some(Trail { events, names, files, common, ..Trail::default() })
}
