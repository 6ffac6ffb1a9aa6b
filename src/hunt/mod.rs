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

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use self::events::Trail;
use self::incident::Known;
use self::limits::Limit;
use self::matcher::Followed;
use self::pattern::Pattern;
use self::report::Material;
use crate::config::Config;
use crate::fact::World;
use crate::identity::Register;
use crate::mappings::{MappingFile, MappingKind, Mappings};
use crate::run::{self, InputHash, Progress, RunError};
use crate::source::{Input, Inventory};
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
    /// How inputs are hashed for the manifest.
    pub input_hash: InputHash,
}

/// Whether clocks of systems are set by each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clocks {
    /// Every system's instants stay as they are written.
    AsWritten,
    /// They are moved by what records of the same acts in two systems show.
    Aligned,
}

/// What a hunt was made from: what its manifest says of it, and what a case has to be told by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// The version that read the exports.
    pub version: String,
    /// Over every source mapping, check and framework.
    pub mappings_sha256: String,
    /// Over every pattern.
    pub patterns_sha256: String,
    /// By pattern, over its text: which ones a later version has otherwise.
    pub patterns: BTreeMap<String, String>,
    /// Over inputs, config, mappings, patterns, version, `as_of` and whether clocks were moved.
    pub run_digest: String,
    /// Every input.
    pub inputs: Vec<InputProof>,
}

/// An input of a hunt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputProof {
    /// Relative to the deepest folder common to all that was named, with `/`.
    pub path: String,
    /// Size on disk.
    pub bytes: u64,
    /// Records read.
    pub records: u64,
    /// Null when another algorithm or none was asked for.
    pub sha256: Option<String>,
    /// Null unless BLAKE3 was asked for.
    pub blake3: Option<String>,
}

impl Proof {
    fn of(
        request: &Request,
        mappings: &Mappings,
        inputs: &[Input],
        hashes: Vec<Option<String>>,
        config: &str,
    ) -> Proof {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let mut hasher = Sha256::new();
        for (input, hash) in inputs.iter().zip(&hashes) {
            hasher.update(format!("{}\t{}\t{}\n", input.path, input.bytes, hash.as_deref().unwrap_or("-")));
        }
        let (mappings_sha256, patterns_sha256) = (mappings.sha256(), mappings.patterns_sha256());
        let as_of = crate::time::format_instant(request.as_of);
        let clocks = match request.clocks {
            Clocks::AsWritten => "as written",
            Clocks::Aligned => "aligned",
        };
        hasher.update(format!("{config}\n{mappings_sha256}\n{patterns_sha256}\n{version}\n{as_of}\n{clocks}"));
        let one = |(input, hash): (&Input, Option<String>)| {
            let (sha256, blake3) = match request.input_hash {
                InputHash::Blake3 => (None, hash),
                _ => (hash, None),
            };
            InputProof { path: input.path.clone(), bytes: input.bytes, records: input.read, sha256, blake3 }
        };
        Proof {
            version,
            mappings_sha256,
            patterns_sha256,
            patterns: digests(mappings),
            run_digest: hex::encode(hasher.finalize()),
            inputs: inputs.iter().zip(hashes).map(one).collect(),
        }
    }

    /// What these mappings have otherwise than those that the exports were followed by, in words; null when nothing.
    pub fn differs(&self, mappings: &Mappings) -> Option<String> {
        let mut found = Vec::new();
        let now = digests(mappings);
        let ids: BTreeSet<&String> = self.patterns.keys().chain(now.keys()).collect();
        for id in ids {
            match (self.patterns.get(id), now.get(id)) {
                (Some(_), None) => found.push(format!("{id} is no longer there")),
                (None, Some(_)) => found.push(format!("{id} is new")),
                (then, now) if then != now => found.push(format!("{id} is another")),
                _ => {}
            }
        }
        if mappings.sha256() != self.mappings_sha256 {
            found.push("mappings of sources are others".to_owned());
        }
        if self.version != env!("CARGO_PKG_VERSION") {
            found.push(format!("it was read by version {}", self.version));
        }
        (!found.is_empty()).then(|| found.join(", "))
    }
}

fn digests(mappings: &Mappings) -> BTreeMap<String, String> {
    let digest = |file: &MappingFile| (file.id.clone(), hex::encode(Sha256::digest(&file.text)));
    mappings.files(MappingKind::Pattern).map(digest).collect()
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
    /// What it was found from.
    pub proof: Proof,
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
            proof: &self.proof,
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
    let mut config = request.config.clone();
    config.placed = Some(inventory.placed.clone());
    // What they hold is in the digests.
    config.mappings = Vec::new();
    let (settled, hashes) = run::read(inventory, &request.config, request.input_hash, progress)?;
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
    let proof = Proof::of(request, &mappings, &inputs, hashes, &config.effective_toml(request.as_of));
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
        proof,
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
            Some(world.settled.texts.get(id).to_string())
        }
    }
}
