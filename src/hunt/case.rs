//! A case: what a hunt found, kept so that it can be looked at from another side in an instant.
//!
//! Two files: `case.json` (patterns, limits, who is who) and `trail.zst` (events, matches and names, in fixed widths). Of large data the
//! sign-ins are left out that lie far from everything else; the case says so, and a pivot on one of those needs the exports
//! again.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use hashbrown::HashMap;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Proof;
use super::events::{Event, Field, NONE, Names, Reach, Trail, Who};
use super::incident::{Known, TOGETHER};
use super::limits::Limit;
use super::matcher::Match;
use super::pattern::Piece;
use super::report::Material;
use crate::mappings::Mappings;
use crate::table::event;

/// The part in words.
pub const WORDS: &str = "case/case.json";
/// The part in numbers.
pub const NUMBERS: &str = "case/trail.zst";
/// Up to so many events all are kept: they are read in well under a second.
const ALL: usize = 2_000_000;
/// Begins the part in numbers; the digit is the version.
const MAGIC: &[u8; 8] = b"RGTRAIL2";
/// Version of the part in words.
const VERSION: u32 = 2;
/// How the sentence begins that says so.
const OTHERWISE: &str = "was made by other patterns than those in force: ";
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
    proof: Proof,
    span: Option<(i64, i64)>,
    events: u64,
    resets: u64,
    known: Vec<Known>,
    limits: Vec<Limit>,
    /// By pattern, the sentence of its matches.
    sentences: Vec<Vec<Piece>>,
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
        let used = used(material.trail, &kept);
        let words = Words {
            version: VERSION,
            as_of: material.as_of,
            zone: material.zone.map(str::to_owned),
            inputs: material.inputs.to_vec(),
            proof: material.proof.clone(),
            span: material.span.or(material.trail.span()),
            events: material.events,
            resets: material.trail.resets,
            known: material.known.to_vec(),
            sentences: material.known.iter().map(|known| known.because.clone()).collect(),
            limits,
            who: material
                .trail
                .who
                .iter()
                .filter(|(n, _)| used[**n as usize] != NONE)
                .map(|(n, who)| (used[*n as usize], who.clone()))
                .collect(),
            reach: material.trail.reach.iter().map(|(n, reach)| (used[*n as usize], *reach)).collect(),
        };
        let words = serde_json::to_vec(&words).map_err(std::io::Error::other)?;
        let mut out = zstd::stream::write::Encoder::new(Vec::new(), 1)?;
        out.write_all(MAGIC)?;
        let mut lengths: Vec<u8> = Vec::new();
        let mut texts = String::new();
        let mut add = |text: &str| {
            lengths.extend((text.len() as u32).to_le_bytes());
            texts.push_str(text);
        };
        add("");
        let named = (1..material.trail.names.len() as u32).filter(|&n| used[n as usize] != NONE);
        let names = 1 + named.clone().count();
        named.for_each(|n| add(material.trail.names.get(n)));
        let files = &material.trail.files;
        files.iter().for_each(|file| add(file));
        for number in [names, files.len(), texts.len()] {
            out.write_all(&(number as u64).to_le_bytes())?;
        }
        out.write_all(&lengths)?;
        out.write_all(texts.as_bytes())?;
        let common = material.trail.common.iter().map(|&n| used[n as usize]).filter(|&n| n != NONE);
        let common: Vec<u32> = common.collect();
        out.write_all(&(common.len() as u64).to_le_bytes())?;
        for number in &common {
            out.write_all(&number.to_le_bytes())?;
        }
        out.write_all(&(kept.len() as u64).to_le_bytes())?;
        let mut bytes = Vec::with_capacity(WIDTH);
        for &i in &kept {
            let event = &material.trail.events[i as usize];
            bytes.clear();
            bytes.extend(event.at.to_le_bytes());
            for value in event.values {
                bytes.extend(used[value as usize].to_le_bytes());
            }
            for value in [used[event.id as usize], event.file, event.record] {
                bytes.extend(value.to_le_bytes());
            }
            bytes.extend([event.action, event.outcome, event.own]);
            out.write_all(&bytes)?;
        }
        out.write_all(&(material.matches.len() as u64).to_le_bytes())?;
        for found in material.matches {
            bytes.clear();
            bytes.extend(found.at.to_le_bytes());
            for value in [found.pattern, found.count, found.events.len()] {
                bytes.extend((value as u32).to_le_bytes());
            }
            // Whatever is matched is kept.
            for at in found.events.iter().filter_map(|i| place.get(i)) {
                bytes.extend(at.to_le_bytes());
            }
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
        if words.version != VERSION {
            let found = format!("its version is {}, this program reads {VERSION}", words.version);
            return Err(broken(WORDS, &found));
        }
        let mut bytes = Vec::new();
        zstd::stream::read::Decoder::new(numbers.as_slice())
            .and_then(|mut decoder| decoder.read_to_end(&mut bytes))
            .map_err(|e| broken(NUMBERS, &e.to_string()))?;
        let (mut trail, matches) =
            unpack(&bytes).ok_or_else(|| broken(NUMBERS, "it does not hold what it says it holds"))?;
        trail.who = words.who.clone();
        trail.reach = words.reach.clone();
        trail.resets = words.resets;
        if words.sentences.len() != words.known.len() {
            return Err(broken(WORDS, "it has not one sentence a pattern"));
        }
        let mut words = words;
        for (known, sentence) in words.known.iter_mut().zip(std::mem::take(&mut words.sentences)) {
            known.because = sentence;
        }
        let sound =
            |m: &Match| m.pattern < words.known.len() && m.events.iter().all(|&i| (i as usize) < trail.events.len());
        if !matches.iter().all(sound) {
            return Err(broken(NUMBERS, "a match names an event or a pattern that the case does not have"));
        }
        Ok(Case { words, trail, matches })
    }

    /// Says among what cannot be seen that the case was made by other patterns or mappings than these, and in what they
    /// differ; null when they are the same.
    pub fn compare(&mut self, mappings: &Mappings) -> Option<String> {
        let differs = self.words.proof.differs(mappings)?;
        let because = format!("{OTHERWISE}{differs}; hunt through the exports again to follow those in force now");
        self.words.limits.retain(|limit| !limit.because.starts_with(OTHERWISE));
        self.words.limits.push(Limit::new("history", "this case", because));
        self.words.limits.sort();
        Some(differs)
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
            proof: &self.words.proof,
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

    fn number(&mut self) -> Option<usize> {
        usize::try_from(u64::from_le_bytes(self.take(8)?.try_into().ok()?)).ok()
    }
}

/// The new number of each name that kept events have, in the old order; [`NONE`] for the others.
fn used(trail: &Trail, kept: &[u32]) -> Vec<u32> {
    let mut used = vec![NONE; trail.names.len()];
    for &i in kept {
        let event = &trail.events[i as usize];
        for value in event.values.into_iter().chain([event.id]) {
            used[value as usize] = 1;
        }
    }
    // Of each system it is known how far its log reaches, whatever of it is kept.
    for &system in trail.reach.keys() {
        used[system as usize] = 1;
    }
    let mut next = NONE;
    for slot in used.iter_mut().skip(1).filter(|slot| **slot != NONE) {
        next += 1;
        *slot = next;
    }
    used[NONE as usize] = NONE;
    used
}

fn unpack(bytes: &[u8]) -> Option<(Trail, Vec<Match>)> {
    let mut front = Front(bytes);
    (front.take(MAGIC.len())? == MAGIC).then_some(())?;
    let (names, files, length) = (front.number()?, front.number()?, front.number()?);
    let lengths = front.take(names.checked_add(files)?.checked_mul(4)?)?;
    let lengths = lengths.chunks_exact(4).map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]) as usize);
    let texts = std::str::from_utf8(front.take(length)?).ok()?.to_owned();
    let all = Names::of(texts, lengths)?;
    let files = (names..names + files).map(|n| all.get(n as u32).to_owned()).collect();
    let n = front.count(4)?;
    let common = (0..n).map(|_| front.four()).collect::<Option<Vec<u32>>>()?;
    let n = front.count(WIDTH)?;
    let events = front.take(n.checked_mul(WIDTH)?)?;
    let events = events.par_chunks_exact(WIDTH).map(|bytes| event(bytes, names)).collect::<Option<Vec<Event>>>()?;
    let n = front.count(20)?;
    let mut matches = Vec::with_capacity(n);
    for _ in 0..n {
        let at = i64::from_le_bytes(front.take(8)?.try_into().ok()?);
        let (pattern, count, long) = (front.four()? as usize, front.four()? as usize, front.four()? as usize);
        let positions = front.take(long.checked_mul(4)?)?.chunks_exact(4);
        let events = positions.map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect();
        matches.push(Match { pattern, at, events, count });
    }
    front.0.is_empty().then_some((Trail { events, names: all, files, common, ..Trail::default() }, matches))
}

/// One event; null when it names what is not there.
fn event(bytes: &[u8], names: usize) -> Option<Event> {
    let mut front = Front(bytes);
    let at = i64::from_le_bytes(front.take(8)?.try_into().ok()?);
    let mut values = [NONE; Field::ALL.len()];
    for value in &mut values {
        *value = front.four().filter(|&number| (number as usize) < names)?;
    }
    let id = front.four().filter(|&number| (number as usize) < names)?;
    let (file, record) = (front.four()?, front.four()?);
    let [action, outcome, own] = *front.take(3)? else { return None };
    let known = (1..=super::events::ACTION_WORDS.len()).contains(&(action as usize));
    (known && outcome as usize <= event::OUTCOMES.len()).then_some(())?;
    Some(Event { at, values, id, row: u32::MAX, file, record, action, outcome, own })
}
