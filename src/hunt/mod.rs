//! The first hour of an incident: who else, since when, by whom, from where, what next, and what is cut off first.
//!
//! ```text
//!  inputs ─▶ world ─▶ trail ─▶ matches ─▶ incidents ─▶ story, blast list, checklist ─▶ page, CSV, JSON, OCSF, Sigma
//!           as for    events    patterns   connected    sentences with the records
//!           an audit  in time   (.md)      groups       behind each
//! ```
//!
//! It reads what an audit reads and, beside that, columns and actions that facts do not look at: devices, sessions,
//! contacts, what was granted. Patterns are files under `mappings/patterns/`, so that an organisation can add its own. What
//! the data cannot show is listed ([`limits`]), never taken for nothing.

pub mod case;
pub mod events;
pub mod feed;
pub mod incident;
pub mod limits;
pub mod matcher;
pub mod output;
pub mod page;
pub mod pattern;
pub mod report;
pub mod sample;
pub mod sigma;
pub mod story;

use std::collections::BTreeMap;
use std::path::PathBuf;

use self::events::Trail;
use self::incident::Known;
use self::limits::Limit;
use self::matcher::Followed;
use self::pattern::Pattern;
use self::report::Material;
use crate::config::Config;
use crate::fact::World;
use crate::identity::Register;
use crate::mappings::Mappings;
use crate::run::{Progress, RunError};
use crate::settle;
use crate::source::{self, Input, Inventory};
use crate::table::Breadth;

/// What to hunt through.
pub struct Request {
    /// Files and folders.
    pub paths: Vec<PathBuf>,
    /// The config.
    pub config: Config,
    /// Up to when the data is taken as known.
    pub as_of: i64,
    /// Further mapping folders, after the config's.
    pub mappings: Vec<PathBuf>,
    /// Whether clocks of systems are set by each other.
    pub clocks: Clocks,
}

/// Whether clocks of systems are set by each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clocks {
    /// Every system's instants stay as they are written.
    AsWritten,
    /// They are moved by what records of the same acts in two systems show.
    Aligned,
}

/// What was found before anything is connected.
pub struct Found {
    /// Events in order of time.
    pub trail: Trail,
    /// Patterns in force, by id.
    pub patterns: Vec<Pattern>,
    /// What connecting and telling needs of them.
    pub known: Vec<Known>,
    /// What came of them.
    pub followed: Followed,
    /// Ids in the source of the events of matches: of events, and of tickets.
    pub ids: BTreeMap<u32, String>,
    /// Every input, with where its records went.
    pub inputs: Vec<Input>,
    /// What cannot be seen.
    pub limits: Vec<Limit>,
    /// Source mappings in force: Sigma rules say a source's events in its own words.
    pub mappings: Mappings,
    read: Vec<(String, u64)>,
    as_of: i64,
    zone: Option<String>,
}

impl Found {
    /// What a hunt is told from.
    pub fn material(&self) -> Material<'_> {
        Material {
            trail: &self.trail,
            known: &self.known,
            matches: &self.followed.matches,
            limits: &self.limits,
            as_of: self.as_of,
            zone: self.zone.as_deref(),
            inputs: &self.read,
            span: None,
            events: self.trail.events.len() as u64,
        }
    }
}

/// Reads everything and follows every pattern.
///
/// # Errors
/// Bad mappings, an input that cannot be read or recognised. Bad records are no error: they are counted.
pub fn find(request: &Request, progress: &Progress) -> Result<Found, RunError> {
    let mappings = Mappings::load(&request.config.mapping_folders(&request.mappings))?;
    let patterns = pattern::load_all(&mappings)?;
    let inventory = Inventory::take_for(&request.paths, &request.config, &mappings, Breadth::Hunt)?;
    let total: u64 = inventory.files.iter().map(|file| file.bytes).sum();
    let done = std::sync::atomic::AtomicU64::new(0);
    let tell = |bytes: u64| {
        let so_far = done.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed) + bytes;
        progress(so_far, total);
    };
    progress(0, total);
    // Members of archives lie there until they are read.
    let _scratch = inventory.scratch.clone();
    let reading = source::read_all(inventory, &request.config, &tell)?;
    let settled = settle::settle(reading, request.config.zone());
    let register = Register::build(&settled, request.config.zone());
    let world = World::build(&request.config, &settled, &register, request.as_of);
    let mut trail = Trail::build(&world, &BTreeMap::new());
    let mut offsets = Vec::new();
    if request.clocks == Clocks::Aligned {
        offsets = limits::offsets(&trail);
        let shift = offsets.iter().map(|offset| (offset.system.clone(), -offset.ahead)).collect();
        trail = Trail::build(&world, &shift);
    }
    let followed = matcher::follow(&world, &trail, &patterns);
    let mut limits = limits::limits(&world, &trail, &patterns, &followed);
    limits.extend(offsets.iter().map(limits::moved));
    limits.sort();
    let matched = followed.matches.iter().flat_map(|found| found.events.iter().copied());
    let ids = matched.filter_map(|i| Some((i, id_of(&world, &trail, i)?))).collect();
    let inputs = settled.inputs.clone();
    drop(world);
    // Giving back some gigabytes takes a while; nobody has to wait for it.
    rayon::spawn(move || drop((register, settled)));
    Ok(Found {
        known: patterns.iter().map(Known::from).collect(),
        trail,
        patterns,
        followed,
        ids,
        read: inputs.iter().map(|input| (input.path.clone(), input.read)).collect(),
        inputs,
        limits,
        mappings,
        as_of: request.as_of,
        zone: request.config.timezone.map(|zone| zone.name().to_owned()),
    })
}

/// What the source calls an event or a ticket; null for a silence.
fn id_of(world: &World<'_>, trail: &Trail, i: u32) -> Option<String> {
    let event = &trail.events[i as usize];
    match event.row {
        u32::MAX => trail.value(event, events::Field::Ticket).map(str::to_uppercase),
        row => {
            let id = world.settled.events.text(crate::table::event::EVENT_ID, row as usize);
            Some(world.settled.texts.get(id).to_owned())
        }
    }
}
