//! The pipeline: read, settle, resolve, compute, judge, assess. What is printed and where it is written is `main`'s.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::assess::engine::{Judge, Judged, Keep};
use crate::assess::framework::{self, Framework};
use crate::assess::waiver::{self, Waiver};
use crate::check::catalogue::Catalogue;
use crate::config::{Config, Placed};
use crate::fact::{Registry, World};
use crate::identity::Register;
use crate::mappings::{Mappings, MappingsError, Origin};
use crate::redact::{self, Pseudonyms};
use crate::report::build;
use crate::report::model::{Assessment, Finding, Rejected, Subject};
use crate::settle::{self, Settled};
use crate::source::mapping::SourceMapping;
use crate::source::{self, Inventory, SourceError, Trust};
use crate::text::fold;

/// Subjects up to which `subjects.jsonl.zst` is written without being asked for.
pub const SUBJECTS_AUTO: usize = 100_000;

/// What to audit.
pub struct Request {
    /// Files and folders.
    pub paths: Vec<PathBuf>,
    /// The config, with `since` and `until` of the command line already in it.
    pub config: Config,
    /// Up to when the data is taken as known.
    pub as_of: i64,
    /// Where that comes from: `command line`, `config` or `start of the program`.
    pub as_of_source: &'static str,
    /// Further mapping folders, after the config's.
    pub mappings: Vec<PathBuf>,
    /// How inputs are hashed.
    pub input_hash: InputHash,
    /// Whether every subject is kept.
    pub subjects: Subjects,
    /// `--identity`: limits findings and stories to one identity or name.
    pub identity: Option<String>,
    /// `--redact`: what stands for people; null leaves them as they are.
    pub redact: Option<Pseudonyms>,
}

impl Request {
    /// To see what inputs can answer, where nothing is kept of the report. `started` is what `as_of` falls back to.
    pub fn look(paths: Vec<PathBuf>, config: Config, mappings: Vec<PathBuf>, started: i64) -> Request {
        Request {
            paths,
            as_of: config.as_of.unwrap_or(started),
            as_of_source: if config.as_of.is_some() { "config" } else { "start of the program" },
            config,
            mappings,
            input_hash: InputHash::None,
            subjects: Subjects::Never,
            identity: None,
            redact: None,
        }
    }
}

/// How inputs are hashed for the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputHash {
    /// SHA-256.
    Sha256,
    /// BLAKE3.
    Blake3,
    /// Not at all.
    None,
}

/// When `subjects.jsonl.zst` is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subjects {
    /// Up to [`SUBJECTS_AUTO`].
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A mapping, check or framework file.
    #[error("{0}\n  help: {hint}", hint = .0.hint)]
    Mappings(#[from] MappingsError),
    /// An input.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A waiver of the config.
    #[error(transparent)]
    Waiver(#[from] waiver::WaiverError),
    /// `[policy.severity]` names a check that does not exist.
    #[error(
        "[policy.severity] names the check \"{0}\", which does not exist\n  help: `regrant list checks` names them all"
    )]
    Severity(String),
    /// `--identity` names nobody.
    #[error("nobody is called \"{asked}\" in these inputs\n  help: {}", like(near))]
    Nobody {
        /// As it was asked for.
        asked: String,
        /// Whose display name holds that, the first ones.
        near: Vec<String>,
    },
}

fn like(near: &[String]) -> String {
    match near {
        [] => "name a person or workload id, an alias, or a target exactly as a log writes it".to_owned(),
        near => format!("did you mean {}? Name the id, or an alias exactly as a log writes it", near.join(" or ")),
    }
}

/// Everything that a report folder is written from.
pub struct Report {
    /// What the report says.
    pub assessment: Assessment,
    /// Every finding, in report order.
    pub findings: Vec<Finding>,
    /// Every rejected record.
    pub rejected: Vec<Rejected>,
    /// Every subject, if kept.
    pub subjects: Option<Vec<Subject>>,
    /// The effective config.
    pub run_toml: String,
    /// Mapping files that are not the built-in ones.
    pub mapping_files: Vec<(String, String)>,
}

/// What the report builder works from.
pub struct Work<'a> {
    /// What was asked for.
    pub request: &'a Request,
    /// Mappings in force.
    pub mappings: &'a Mappings,
    /// Those of sources, parsed.
    pub sources: Arc<[SourceMapping]>,
    /// Checks in force.
    pub catalogue: &'a Catalogue,
    /// Frameworks in force.
    pub frameworks: &'a [Framework],
    /// Waivers, in config order.
    pub waivers: &'a [Waiver<'a>],
    /// The inputs, indexed.
    pub world: &'a World<'a>,
    /// The verdicts.
    pub judged: Judged,
    /// Digest of each input, in order; null with `--input-hash none`.
    pub hashes: Vec<Option<String>>,
    /// The effective config.
    pub run_toml: &'a str,
}

/// Told of progress: bytes of input that are done, of a total.
pub type Progress = Arc<dyn Fn(u64, u64) + Send + Sync>;

/// Reads, judges and assesses. Nothing is printed or written.
///
/// # Errors
/// Bad mappings or config, an input that cannot be read or recognised. Bad records are no error: they are counted.
pub fn audit(request: &Request, progress: &Progress) -> Result<Report, RunError> {
    let mappings = Mappings::load(&request.config.mapping_folders(&request.mappings))?;
    let take = |trust| Inventory::take_trusting(&request.paths, &request.config, &mappings, trust);
    pipeline(request, &mappings, progress, &take)
}

/// Reads and indexes the inputs, and lends the result: for those who want the facts and no report.
///
/// # Errors
/// As [`audit`], but that checks, frameworks and waivers are not looked at.
pub fn with_world<T>(
    request: &Request,
    progress: &Progress,
    work: impl FnOnce(&World<'_>) -> T,
) -> Result<T, RunError> {
    let mappings = Mappings::load(&request.config.mapping_folders(&request.mappings))?;
    let take = |trust| Inventory::take_trusting(&request.paths, &request.config, &mappings, trust);
    let (_, settled, _) = read_trusting(&take, &request.config, request.input_hash, progress)?;
    let register = Register::build(&settled, request.config.zone());
    let world = World::build(&request.config, &settled, &register, request.as_of);
    let result = work(&world);
    rayon::spawn(move || drop((register, settled)));
    Ok(result)
}

/// The same for the files of an earlier run, by their paths below `root`, with the mappings that were in force then.
///
/// # Errors
/// As [`audit`].
pub fn audit_again(
    request: &Request,
    mappings: &Mappings,
    root: &Path,
    paths: &[String],
    progress: &Progress,
) -> Result<Report, RunError> {
    pipeline(request, mappings, progress, &|_| Inventory::listed(root, paths, &request.config, mappings))
}

fn pipeline(request: &Request, mappings: &Mappings, progress: &Progress, take: &Take<'_>) -> Result<Report, RunError> {
    let config = &request.config;
    let registry = Registry::new(&config.policy);
    let catalogue = Catalogue::load(mappings, &registry)?;
    let frameworks = framework::load_all(mappings, &catalogue, &registry)?;
    if let Some(unknown) = config.policy.severity.keys().find(|id| catalogue.get(id).is_none()) {
        return Err(RunError::Severity(unknown.clone()));
    }
    let waivers = Waiver::compile(config, &catalogue, &registry, request.as_of)?;

    let mapping_files = mappings_in_force(mappings);
    let (taken, settled, hashes) = read_trusting(take, config, request.input_hash, progress)?;
    let run_toml = run_toml(request, taken.placed, &mapping_files);
    let sources = taken.mappings;
    let register = Register::build(&settled, config.zone());
    let world = World::build(config, &settled, &register, request.as_of);
    waiver::independent(config, &waivers, &|name| world.lookup_text(name))?;

    let requirements = framework::requirements_by_check(&frameworks);
    let subjects = world.resets.len() + settled.credential_rows.len();
    let keep = match request.subjects {
        Subjects::Always => Keep::Subjects,
        Subjects::Auto if subjects <= SUBJECTS_AUTO => Keep::Subjects,
        _ => Keep::Findings,
    };
    let judge = Judge {
        world: &world,
        catalogue: &catalogue,
        frameworks: &frameworks,
        waivers: &waivers,
        registry: &registry,
        requirements: &requirements,
        keep,
    };
    let judged = judge.run();
    let work = Work {
        request,
        mappings,
        sources,
        catalogue: &catalogue,
        frameworks: &frameworks,
        waivers: &waivers,
        world: &world,
        judged,
        hashes: hashes.all()?,
        run_toml: &run_toml,
    };
    let nobody = |near| RunError::Nobody { asked: request.identity.clone().unwrap_or_default(), near };
    let mut built = build::build(work).map_err(nobody)?;
    let (mut run_toml, mut mapping_files) = (run_toml, mapping_files);
    if let Some(pseudonyms) = &request.redact {
        // Files of the house may name anybody; what a report says of their checks is redacted with it.
        mapping_files.clear();
        let parts = redact::Parts {
            assessment: &mut built.assessment,
            findings: &mut built.findings,
            rejected: &mut built.rejected,
            subjects: &mut built.subjects,
            run_toml: &mut run_toml,
        };
        redact::redact(parts, pseudonyms, &|text| settled.texts.knows(&fold(text)));
    }
    // Giving back some gigabytes takes a while; nobody has to wait for it.
    rayon::spawn(move || drop((register, settled)));
    Ok(Report {
        subjects: (keep == Keep::Subjects).then_some(built.subjects),
        assessment: built.assessment,
        findings: built.findings,
        rejected: built.rejected,
        run_toml,
        mapping_files,
    })
}

/// The effective config as the report keeps it: usable from the report's folder, wherever config and mappings lay.
fn run_toml(request: &Request, placed: Placed, mapping_files: &[(String, String)]) -> String {
    let mut config = request.config.clone();
    config.placed = Some(placed);
    config.mappings = if mapping_files.is_empty() { Vec::new() } else { vec![PathBuf::from("mappings")] };
    config.effective_toml(request.as_of)
}

fn mappings_in_force(mappings: &Mappings) -> Vec<(String, String)> {
    use crate::mappings::MappingKind;
    [MappingKind::Check, MappingKind::Framework, MappingKind::Source]
        .into_iter()
        .flat_map(|kind| mappings.files(kind))
        .chain(mappings.unmapped())
        .filter(|f| f.origin != Origin::Shipped)
        .map(|f| (format!("{}/{}.{}", f.kind.folder(), f.id, f.kind.extension()), f.text.clone()))
        .collect()
}

/// Finds the inputs, trusting names as far as it is told.
type Take<'t> = dyn Fn(Trust) -> Result<Inventory, SourceError> + 't;

/// What is still to be known of an inventory once it is read.
struct Taken {
    placed: Placed,
    mappings: Arc<[SourceMapping]>,
}

/// A digest, if one is wanted.
type Hashed = Result<Option<String>, SourceError>;

/// Digests of the inputs, one of which may still be computed.
struct Hashes {
    known: Vec<Option<String>>,
    /// The largest input and who computes its digest.
    coming: Option<(usize, JoinHandle<Hashed>)>,
    /// What was hashed, as it was before it was read.
    watched: Vec<(PathBuf, Stamp)>,
    /// Members of archives lie there.
    _scratch: Option<Arc<tempfile::TempDir>>,
}

impl Hashes {
    /// All of them, in order of the inputs.
    fn all(self) -> Result<Vec<Option<String>>, SourceError> {
        let mut all = self.known;
        if let Some((i, coming)) = self.coming {
            all[i] = coming.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        match self.watched.into_par_iter().find_first(|(path, before)| stamp(path) != *before) {
            Some((path, _)) => Err(SourceError::Unreadable {
                path,
                cause: "the file changed while it was read, so that its digest would not be that of what was read"
                    .to_owned(),
                hint: "nothing was written; audit a copy, or a file that is no longer written to (`--input-hash none` \
                       makes no such promise and takes it as it is)"
                    .to_owned(),
            }),
            None => Ok(all),
        }
    }
}

/// Reads and settles the files of an inventory; with the digest of each, in order, null with [`InputHash::None`].
///
/// # Errors
/// When one cannot be read, or changed while it was read.
pub fn read(
    inventory: Inventory,
    config: &Config,
    input_hash: InputHash,
    progress: &Progress,
) -> Result<(Settled, Vec<Option<String>>), RunError> {
    let (_, settled, hashes) = read_taken(inventory, config, input_hash, progress)?;
    Ok((settled, hashes.all()?))
}

fn read_trusting(
    take: &Take<'_>,
    config: &Config,
    input_hash: InputHash,
    progress: &Progress,
) -> Result<(Taken, Settled, Hashes), RunError> {
    let read = |trust| read_taken(take(trust)?, config, input_hash, progress);
    match read(Trust::Names) {
        Err(SourceError::Unlike(_)) => Ok(read(Trust::Nothing)?),
        other => Ok(other?),
    }
}

fn read_taken(
    inventory: Inventory,
    config: &Config,
    input_hash: InputHash,
    progress: &Progress,
) -> Result<(Taken, Settled, Hashes), SourceError> {
    let taken = Taken { placed: inventory.placed.clone(), mappings: inventory.mappings.clone() };
    let total: u64 = inventory.files.iter().map(|f| f.bytes).sum();
    let done = std::sync::atomic::AtomicU64::new(0);
    let tell = |bytes: u64| {
        let so_far = done.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed) + bytes;
        progress(so_far, total);
    };
    progress(0, total);
    let disks: Vec<PathBuf> = inventory.files.iter().map(|f| f.original.clone()).collect();
    let stamps: Vec<Stamp> = match input_hash {
        InputHash::None => Vec::new(),
        InputHash::Sha256 | InputHash::Blake3 => disks.par_iter().map(|path| stamp(path)).collect(),
    };
    // Members of archives are hashed after they were read: none of them may go before.
    let scratch = inventory.scratch.clone();
    // A file is hashed by one thread. One that is much of the input would be waited for, unless it is begun with and asked for last;
    // the others are hashed while rows are settled. On one thread nothing is gained by that.
    let largest = inventory.files.iter().enumerate().max_by_key(|(i, f)| (f.bytes, std::cmp::Reverse(*i)));
    let most = largest.filter(|(_, f)| f.bytes > (total / 4).max(ALONE)).map(|(i, _)| i);
    let most = most.filter(|_| input_hash != InputHash::None && rayon::current_num_threads() > 1);
    let coming = most.map(|i| {
        let (path, scratch) = (disks[i].clone(), scratch.clone());
        let work = move || {
            let _scratch = scratch;
            hash(&path, input_hash)
        };
        (i, std::thread::spawn(work))
    });
    let digest = |bytes: &[u8]| digest(bytes, input_hash);
    let reading = source::read_hashing(inventory, config, &tell, &digest)?;
    let mut known = reading.digests.clone();
    known.resize(disks.len(), None);
    // Settling has work for one thread only.
    let (settled, rest) = rayon::join(
        || settle::settle(reading, config.zone()),
        || {
            let mut rest: Vec<(usize, &mut Option<String>)> =
                known.iter_mut().enumerate().filter(|(i, known)| known.is_none() && Some(*i) != most).collect();
            rest.par_iter_mut().try_for_each(|(i, known)| {
                **known = hash(&disks[*i], input_hash)?;
                Ok(())
            })
        },
    );
    rest?;
    let watched = match input_hash {
        InputHash::None => Vec::new(),
        InputHash::Sha256 | InputHash::Blake3 => disks.into_iter().zip(stamps).collect(),
    };
    Ok((taken, settled, Hashes { known, coming, watched, _scratch: scratch }))
}

/// A smaller file is hashed among the others.
const ALONE: u64 = 8 << 20;

fn digest(bytes: &[u8], how: InputHash) -> Option<String> {
    match how {
        InputHash::None => None,
        InputHash::Blake3 => Some(blake3::hash(bytes).to_hex().to_string()),
        InputHash::Sha256 => Some(hex::encode(Sha256::digest(bytes))),
    }
}

/// Length and time of change of a file; null where the system does not say.
type Stamp = Option<(u64, Option<std::time::SystemTime>)>;

fn stamp(path: &Path) -> Stamp {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok()))
}

fn hash(path: &Path, how: InputHash) -> Hashed {
    let failed = |e: std::io::Error| SourceError::Unreadable {
        path: path.to_owned(),
        cause: e.to_string(),
        hint: "the file could be opened before; is it being written while it is audited?".to_owned(),
    };
    match how {
        InputHash::None => Ok(None),
        InputHash::Blake3 => {
            let mut hasher = blake3::Hasher::new();
            let file = std::fs::File::open(path).map_err(failed)?;
            std::io::copy(&mut std::io::BufReader::with_capacity(1 << 20, file), &mut hasher).map_err(failed)?;
            Ok(Some(hasher.finalize().to_hex().to_string()))
        }
        InputHash::Sha256 => {
            let mut hasher = Sha256::new();
            let mut file = std::fs::File::open(path).map_err(failed)?;
            // Stays in the second-level cache; never more than the file, of which there may be ten thousands.
            let len = file.metadata().map_err(failed)?.len();
            let mut buffer = vec![0; usize::try_from(len + 1).unwrap_or(usize::MAX).clamp(4096, 256 << 10)];
            loop {
                let n = std::io::Read::read(&mut file, &mut buffer).map_err(failed)?;
                if n == 0 {
                    return Ok(Some(hex::encode(hasher.finalize())));
                }
                hasher.update(&buffer[..n]);
            }
        }
    }
}

/// How a run ends, after `spec/3`: of several reasons the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Nothing to complain about.
    Clean,
    /// More than the allowed share of an input's records was rejected.
    Rejected,
    /// Something open is at or above `--fail-on`.
    Findings,
    /// `--require-conclusive` and some check cannot conclude.
    Inconclusive,
}

impl Ending {
    /// The process's exit code.
    pub fn code(self) -> u8 {
        match self {
            Ending::Clean => 0,
            Ending::Rejected => 3,
            Ending::Findings => 10,
            Ending::Inconclusive => 11,
        }
    }
}

/// Which open findings `--fail-on` looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Among {
    /// All of them.
    All,
    /// Those that the baseline does not have; without one, those that the previous report did not have; without both, all.
    New,
}

/// What makes a run end with a code other than 0.
pub struct Demands {
    /// The least severity of an open finding; null is none.
    pub fail_on: Option<crate::check::Severity>,
    /// Which of them count.
    pub among: Among,
    /// Must every check conclude?
    pub conclusive: Conclusive,
    /// Share of an input's records that may be rejected.
    pub max_rejected: f64,
}

/// Must every check conclude?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusive {
    /// Yes.
    Required,
    /// No.
    NotRequired,
}

/// The ending, from the same model as every output.
pub fn ending(assessment: &Assessment, demands: &Demands) -> Ending {
    let too_many = |i: &crate::report::model::Input| i.rejected as f64 > demands.max_rejected * i.read as f64;
    let new = match (&assessment.baseline, &assessment.changes) {
        _ if demands.among == Among::All => None,
        (Some(baseline), _) => Some(&baseline.new),
        (None, Some(changes)) => Some(&changes.new_open),
        (None, None) => None,
    };
    let open = |s: crate::check::Severity| match new {
        Some(new) => new.get(&s).is_some_and(|count| *count > 0),
        None => assessment.totals.get(&s).is_some_and(|t| t.open > 0),
    };
    let severities = crate::check::Severity::ALL;
    if assessment.inputs.iter().any(too_many) {
        Ending::Rejected
    } else if demands.fail_on.is_some_and(|least| severities.into_iter().any(|s| s <= least && open(s))) {
        Ending::Findings
    } else if demands.conclusive == Conclusive::Required
        && assessment.checks.iter().any(|c| c.verdict == crate::report::model::Standing::CannotConclude)
    {
        Ending::Inconclusive
    } else {
        Ending::Clean
    }
}
