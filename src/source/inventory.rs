//! Which files there are, and what each of them is: decided from content, or by the config.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Component, Path, PathBuf};

use std::sync::Arc;

use rayon::prelude::*;
use serde_json::Value;
use tempfile::TempDir;

use super::carrier::{self, Carrier, Shape};
use super::mapping::SourceMapping;
use super::mapping::quick::Hand;
use super::{SourceError, archive, container, excerpt, json, siblings};
use crate::config::{Config, Placed};
use crate::mappings::Mappings;
use crate::table::{Breadth, Table};
use crate::text::fold;

/// Bytes of a file that recognition looks at.
const HEAD: usize = 1 << 20;
/// Bytes of a file that are looked at where its siblings are known.
const FOLLOWS: usize = 32 << 10;
/// And how many of its records.
const FIRST_OF_FOLLOWERS: usize = 4;
/// Records of a file that recognition looks at.
const FIRST: usize = 50;

/// How a file is to be read.
#[derive(Clone, Debug)]
pub enum Recognised {
    /// Canonical CSV of a table.
    CanonicalCsv(Table),
    /// Canonical JSON of a table.
    CanonicalJson(Table),
    /// CSV by a source mapping.
    SourceCsv(usize),
    /// JSON by a source mapping, and where its records stand.
    SourceJson(usize, Shape),
}

/// One file to be read.
#[derive(Clone, Debug)]
pub struct Found {
    /// As printed: relative to the folder common to all that was named, with `/`.
    pub path: String,
    /// Where its text is read from: of a member of an archive, where it was unpacked to.
    pub disk: PathBuf,
    /// What is hashed for the manifest: the file itself; of a member of an archive, the member.
    pub original: PathBuf,
    /// Size on disk.
    pub bytes: u64,
    /// How to read it.
    pub as_what: Recognised,
    /// Why.
    pub because: String,
    /// Index of the `[[input]]` that matches it.
    pub rule: Option<usize>,
    /// What it is was concluded from its name: reading it has to show that it is.
    pub by_name: bool,
}

/// What is taken for granted of files that a machine wrote in great number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Nothing: each is looked at.
    Nothing,
    /// That one whose name differs from another's in digits alone is of its kind. Reading finds out where that is wrong, and
    /// says [`SourceError::Unlike`].
    Names,
}

impl Found {
    /// A file in which sources are mixed, as one input for each of them; any other as it is.
    fn shares(self, mappings: &[SourceMapping]) -> Vec<Found> {
        let Recognised::SourceJson(_, shape) = &self.as_what else { return vec![self] };
        if shape.among.is_empty() {
            return vec![self];
        }
        let share = |m: &usize| Found {
            path: format!("{}!/{}", self.path, mappings[*m].id),
            as_what: Recognised::SourceJson(*m, shape.clone()),
            ..self.clone()
        };
        shape.among.iter().map(share).collect()
    }

    /// What an error names: where the file lies; of a member of an archive its label, as nobody knows where it was unpacked to.
    pub(super) fn place(&self) -> PathBuf {
        place(&self.path, &self.disk)
    }
}

fn place(path: &str, disk: &Path) -> PathBuf {
    if path.contains("!/") { PathBuf::from(path) } else { disk.to_owned() }
}

/// Everything that was named, sorted by path.
pub struct Inventory {
    /// Files to be read.
    pub files: Vec<Found>,
    /// Files of folders that nobody recognises: path and what was found.
    pub skipped: Vec<(String, String)>,
    /// Source mappings, by id.
    pub mappings: Arc<[SourceMapping]>,
    /// How much of the records is read.
    pub breadth: Breadth,
    /// Where config and inputs lie to each other: what the config says of an earlier run, else as found.
    pub placed: Placed,
    /// Where members of archives were unpacked to; gone with the last of its owners.
    pub scratch: Option<Arc<TempDir>>,
}

struct Candidate {
    disk: PathBuf,
    named: bool,
    /// A link of a folder that leads to no file.
    not_followed: bool,
    /// Nobody looked whether it is an archive.
    unopened: bool,
    /// The archive it is a member of, and what was made of it.
    member: Option<Membership>,
}

struct Membership {
    /// Where the archive lies.
    archive: PathBuf,
    /// What stands behind the archive's path in its label.
    inner: String,
    note: Option<String>,
    original: PathBuf,
}

/// What a file is, and what is done to it beyond unpacking, in words.
struct Decided {
    decision: Decision,
    manner: Option<String>,
}

impl Inventory {
    /// Walks `paths` and recognises every file.
    ///
    /// # Errors
    /// A path that is not there, a named file that nobody recognises, an `[[input]]` that matches nothing.
    pub fn take(paths: &[PathBuf], config: &Config, mappings: &Mappings) -> Result<Inventory, SourceError> {
        Inventory::take_for(paths, config, mappings, Breadth::Audit)
    }

    /// The same, but that files are trusted by their names where `trust` says so and they allow it.
    ///
    /// # Errors
    /// As [`Inventory::take`].
    pub fn take_trusting(
        paths: &[PathBuf],
        config: &Config,
        mappings: &Mappings,
        trust: Trust,
    ) -> Result<Inventory, SourceError> {
        let (root, found) = named(paths)?;
        if trust == Trust::Names {
            let again = found.iter().map(|c| Candidate { disk: c.disk.clone(), member: None, ..*c }).collect();
            let by_names = Inventory::recognise_all(&root, again, None, config, (mappings, Breadth::Audit), trust)?;
            if let Some(inventory) = by_names {
                return Ok(inventory);
            }
        }
        Inventory::looked_at(&root, found, None, config, (mappings, Breadth::Audit))
    }

    /// The same at a breadth.
    ///
    /// # Errors
    /// As [`Inventory::take`].
    pub fn take_for(
        paths: &[PathBuf],
        config: &Config,
        mappings: &Mappings,
        breadth: Breadth,
    ) -> Result<Inventory, SourceError> {
        let (root, found) = named(paths)?;
        Inventory::looked_at(&root, found, None, config, (mappings, breadth))
    }

    fn looked_at(
        root: &Path,
        found: Vec<Candidate>,
        only: Option<&BTreeSet<String>>,
        config: &Config,
        known: (&Mappings, Breadth),
    ) -> Result<Inventory, SourceError> {
        let inventory = Inventory::recognise_all(root, found, only, config, known, Trust::Nothing)?;
        Ok(inventory.expect("only trust is ever refused"))
    }

    /// The files of an earlier run, by their paths below `root`; what else lies there is not looked at.
    ///
    /// # Errors
    /// As [`Inventory::take`].
    pub fn listed(
        root: &Path,
        paths: &[String],
        config: &Config,
        mappings: &Mappings,
    ) -> Result<Inventory, SourceError> {
        let unreadable = |path: &Path, e: std::io::Error| SourceError::Unreadable {
            path: path.to_owned(),
            cause: e.to_string(),
            hint: "name the folder that holds the inputs as they were".to_owned(),
        };
        let root = std::fs::canonicalize(root).map_err(|e| unreadable(root, e))?;
        // Not canonicalised: a link that now leads elsewhere must not change the path.
        let only: BTreeSet<String> = paths.iter().cloned().collect();
        let files: BTreeSet<&str> = paths.iter().map(|path| path.split("!/").next().unwrap_or(path)).collect();
        let found = files.iter().map(|path| Candidate::new(root.join(path), false)).collect();
        Inventory::looked_at(&root, found, Some(&only), config, (mappings, Breadth::Audit))
    }

    fn recognise_all(
        root: &Path,
        found: Vec<Candidate>,
        only: Option<&BTreeSet<String>>,
        config: &Config,
        (mappings, breadth): (&Mappings, Breadth),
        trust: Trust,
    ) -> Result<Option<Inventory>, SourceError> {
        let sources =
            SourceMapping::load_all_for(mappings, breadth).map_err(|e| SourceError::Mapping(e.to_string()))?;
        let placed = config.placed.clone().unwrap_or_else(|| {
            let base = std::fs::canonicalize(&config.base).unwrap_or_else(|_| config.base.clone());
            let shared = common(&[root.to_owned(), base.clone()]);
            Placed { config_at: relative(&base, &shared), inputs_at: relative(root, &shared) }
        });
        // Only their relation counts, so both may as well begin at the root.
        let base = Path::new("/").join(&placed.config_at);
        let inputs_at = Path::new("/").join(&placed.inputs_at);
        let mut seen: Vec<(String, Candidate)> = found.into_par_iter().map(|c| (relative(&c.disk, root), c)).collect();
        // Named twice is read once; what was named outright stays so.
        seen.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()).then(b.1.named.cmp(&a.1.named)));
        seen.dedup_by(|a, b| a.0 == b.0);
        let mut matched = vec![false; config.inputs.len()];
        let mut inventory = Inventory {
            files: Vec::new(),
            skipped: Vec::new(),
            mappings: sources.into(),
            breadth,
            placed,
            scratch: None,
        };
        seen.retain(|(path, candidate)| {
            if candidate.not_followed {
                let found = "a link that leads to no file; one to a folder is not followed: name that folder itself";
                inventory.skipped.push((path.clone(), found.to_owned()));
            }
            !candidate.not_followed
        });
        let mut leaders = None;
        if trust == Trust::Names {
            let by_name = leaders.insert(siblings::leaders(&seen, |(path, _)| path));
            for ((_, candidate), leader) in seen.iter_mut().zip(by_name) {
                candidate.unopened = leader.is_some();
            }
        }
        let mut seen = inventory.open_archives(seen)?;
        if let Some(only) = only {
            // Of a mixed file each share has a label of its own.
            let shared = |path: &str| {
                let start = format!("{path}!/");
                only.range(start.clone()..).next().is_some_and(|next| next.starts_with(&start))
            };
            seen.retain(|(path, _)| only.contains(path) || shared(path));
            inventory.skipped.clear();
        }
        let rules: Vec<Option<usize>> =
            seen.par_iter().map(|(path, candidate)| candidate.rule(path, config, &inputs_at, &base)).collect();
        let decide = |i: usize| {
            let (path, candidate) = &seen[i];
            let wanted = rules[i].and_then(|r| config.inputs[r].mapping.as_deref());
            let decision = inventory.recognise(&candidate.disk, &place(path, &candidate.disk), wanted);
            let known = matches!(decision, Ok(Ok(_)));
            Decided {
                decision,
                manner: if known { container::manner(&candidate.disk).unwrap_or_default() } else { None },
            }
        };
        // Where no archive gave way to its members the files are what they were.
        let leaders = leaders.filter(|_| inventory.scratch.is_none() && only.is_none());
        let leaders = leaders.unwrap_or_else(|| siblings::leaders(&seen, |(path, _)| path));
        let mut decided: Vec<Option<Decided>> =
            leaders.par_iter().enumerate().map(|(i, leader)| leader.is_none().then(|| decide(i))).collect();
        let followers: Vec<(usize, Option<Decided>)> = leaders
            .par_iter()
            .enumerate()
            .filter_map(|(i, leader)| Some((i, (*leader)?)))
            .map(|(i, leader)| {
                let same_rule = rules[i] == rules[leader];
                let like = decided[leader].as_ref().filter(|_| same_rule);
                let like = like.and_then(|leader_is| inventory.like(leader_is, &seen[leader].0));
                if trust == Trust::Names {
                    return (i, like);
                }
                let alike = like.filter(|like| inventory.follows(&seen[i].1.disk, like));
                (i, Some(alike.unwrap_or_else(|| decide(i))))
            })
            .collect();
        for (i, decision) in followers {
            decided[i] = decision;
        }
        // Trust is for all of them or for none: what nobody opened has to be like another.
        let lost = |(n, (_, candidate)): (usize, &(String, Candidate))| candidate.unopened && leaders[n].is_none();
        if decided.iter().any(Option::is_none) || seen.iter().enumerate().any(lost) {
            return Ok(None);
        }
        let recognised: Vec<Decided> = decided.into_iter().flatten().collect();
        let original = |candidate: &Candidate| {
            candidate.member.as_ref().map_or(&candidate.disk, |member| &member.original).clone()
        };
        let size =
            |(_, candidate): &(String, Candidate)| std::fs::metadata(original(candidate)).map(|m| m.len()).unwrap_or(0);
        let sizes: Vec<u64> = seen.par_iter().map(size).collect();
        // A named archive of which nothing can be read is as wrong as a named file.
        let mut barren: BTreeMap<PathBuf, String> = BTreeMap::new();
        let by_names = leaders.iter().map(|leader| trust == Trust::Names && leader.is_some());
        for (((((path, candidate), rule), recognised), by_name), bytes) in
            seen.into_iter().zip(rules).zip(recognised).zip(by_names).zip(sizes)
        {
            if let Some(rule) = rule {
                matched[rule] = true;
            }
            let wanted = rule.and_then(|r| config.inputs[r].mapping.as_deref());
            let original = original(&candidate);
            let Decided { decision, manner } = recognised;
            match decision? {
                Ok((as_what, mut because)) => {
                    let note = candidate.member.as_ref().and_then(|member| member.note.clone());
                    for told in note.into_iter().chain(manner) {
                        because = format!("{because}; {told}");
                    }
                    if let Some(member) = &candidate.member {
                        barren.remove(&member.archive);
                    }
                    let disk = candidate.disk;
                    let found = Found { path, disk, original, bytes, as_what, because, rule, by_name };
                    let shares = found.shares(&inventory.mappings);
                    inventory.files.extend(shares);
                }
                Err(found) if candidate.member.is_some() => {
                    if let Some(member) = candidate.member.filter(|_| candidate.named) {
                        let readable = inventory.files.iter().any(|f| f.path.starts_with(&member.label_start(&path)));
                        if !readable {
                            barren.entry(member.archive).or_insert_with(|| format!("{}: {found}", member.inner));
                        }
                    }
                    inventory.skipped.push((path, found));
                }
                Err(found) if candidate.named || wanted.is_some() => {
                    return Err(SourceError::Unrecognised {
                        path: candidate.disk,
                        found,
                        hint: "`regrant list sources` shows what is read, `regrant map FILE` proposes a mapping; name the mapping for this input in regrant.toml, or leave the file out"
                            .to_owned(),
                    });
                }
                Err(found) => inventory.skipped.push((path, found)),
            }
        }
        if let Some((path, found)) = barren.into_iter().next() {
            return Err(SourceError::Unrecognised {
                path,
                found: format!("nothing in this archive is recognised, beginning with {found}"),
                hint: "`regrant list sources` shows what is read; leave the archive out".to_owned(),
            });
        }
        inventory.skipped.sort();
        for (rule, matched) in config.inputs.iter().zip(matched) {
            if !matched && !rule.optional {
                return Err(SourceError::UnmatchedInput {
                    config: config.path.clone().unwrap_or_default(),
                    line: rule.line,
                    glob: rule.path.clone(),
                });
            }
        }
        Ok(Some(inventory))
    }

    /// Archives give way to their members.
    fn open_archives(&mut self, seen: Vec<(String, Candidate)>) -> Result<Vec<(String, Candidate)>, SourceError> {
        let archives: Vec<bool> = seen.par_iter().map(|(_, c)| !c.unopened && archive::is_archive(&c.disk)).collect();
        let mut out = Vec::with_capacity(seen.len());
        for ((path, candidate), is_archive) in seen.into_iter().zip(archives) {
            if !is_archive {
                out.push((path, candidate));
                continue;
            }
            let failed = |error: std::io::Error| SourceError::Unreadable {
                path: candidate.disk.clone(),
                cause: error.to_string(),
                hint: "check that the archive was copied whole, unpack it yourself, or leave it out".to_owned(),
            };
            let scratch = match &self.scratch {
                Some(scratch) => Arc::clone(scratch),
                None => {
                    let scratch =
                        tempfile::Builder::new().prefix("regrant-").tempdir().map(Arc::new).map_err(failed)?;
                    self.scratch = Some(Arc::clone(&scratch));
                    scratch
                }
            };
            let unpacked = archive::unpack(&candidate.disk, &path, scratch.path()).map_err(failed)?;
            if candidate.named && unpacked.members.is_empty() {
                let first = unpacked.skipped.first().map(|(member, why)| format!("{member}: {why}"));
                return Err(SourceError::Unrecognised {
                    found: format!(
                        "nothing in this archive can be read: {}",
                        first.unwrap_or("it is empty".to_owned())
                    ),
                    path: candidate.disk,
                    hint: "unpack it yourself and name what is to be read, or leave it out".to_owned(),
                });
            }
            self.skipped.extend(unpacked.skipped);
            for member in unpacked.members {
                // A workbook of one sheet keeps its own name, and is what is hashed.
                let whole = member.label == path;
                let membership = Membership {
                    archive: candidate.disk.clone(),
                    inner: member.label.get(path.len()..).unwrap_or_default().to_owned(),
                    note: member.note,
                    original: if whole { candidate.disk.clone() } else { member.disk.clone() },
                };
                let named = candidate.named;
                out.push((member.label, Candidate { member: Some(membership), ..Candidate::new(member.disk, named) }));
            }
        }
        out.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
        Ok(out)
    }

    /// What a file is whose name differs from that of `leader` in digits alone, if its first records are of the same kind; null where
    /// that is not to be seen from them.
    fn like(&self, leader_is: &Decided, leader: &str) -> Option<Decided> {
        let Ok(Ok((Recognised::SourceJson(m, shape), _))) = &leader_is.decision else { return None };
        // Lines of several sources are told by looking further down; the records of one array are of one source.
        if shape.envelope.is_none() || shape.carrier.is_some() || !shape.among.is_empty() || leader_is.manner.is_some()
        {
            return None;
        }
        let because = format!("its first records are like those of {leader}, whose name differs in digits alone");
        let decision = Ok(Ok((Recognised::SourceJson(*m, shape.clone()), because)));
        Some(Decided { decision, manner: None })
    }

    /// Whether the first records of a file are of this kind.
    fn follows(&self, disk: &Path, like: &Decided) -> bool {
        let Ok(Ok((Recognised::SourceJson(m, shape), _))) = &like.decision else { return false };
        let mut head = Vec::with_capacity(FOLLOWS);
        let read = container::unpacked(disk).and_then(|text| text.take(FOLLOWS as u64).read_to_end(&mut head));
        read.is_ok() && begins_as(&self.mappings[*m], shape, &head, &mut Hand::default())
    }

    fn recognise(&self, disk: &Path, place: &Path, wanted: Option<&str>) -> Decision {
        let head = container::head(disk, HEAD).map_err(|e| SourceError::Unreadable {
            path: place.to_owned(),
            cause: e.to_string(),
            hint: "check the file's rights and that it was copied whole".to_owned(),
        })?;
        let wanted = wanted.filter(|w| *w != "canonical");
        let only = match wanted {
            None => None,
            Some(name) => match (Table::named(name), self.mappings.iter().position(|m| m.id == name)) {
                (Some(table), _) => Some(Only::Table(table)),
                (None, Some(source)) => Some(Only::Source(source)),
                (None, None) => {
                    return Ok(Err(format!("the config names the mapping \"{name}\", which does not exist")));
                }
            },
        };
        let because = |what: &str| match wanted {
            Some(name) => format!("the config names the mapping {name}"),
            None => what.to_owned(),
        };
        let start = head.iter().position(|b| !b.is_ascii_whitespace());
        let Some(start) = start else { return Ok(Err("the file is empty".to_owned())) };
        if matches!(head[start], b'{' | b'[') {
            return Ok(self.recognise_json(disk, &head, only, &because));
        }
        // Only the header decides: a cell of another encoding further down is that record's fault (`bad-encoding`).
        let first_line = head.split(|b| matches!(b, b'\n' | b'\r')).next().unwrap_or_default();
        let not_text = || "not text (neither UTF-8 nor UTF-16 with a byte order mark)".to_owned();
        if first_line.contains(&0) || std::str::from_utf8(first_line).is_err() {
            return Ok(Err(not_text()));
        }
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(head.as_slice());
        let mut record = csv::ByteRecord::new();
        if !reader.read_byte_record(&mut record).unwrap_or(false) {
            return Ok(Err("the file has no header line".to_owned()));
        }
        let header: Vec<String> = record.iter().map(|f| fold(&String::from_utf8_lossy(f))).collect();
        Ok(match only {
            Some(Only::Table(table)) => {
                named_table(table, &header).map(|()| (Recognised::CanonicalCsv(table), because("")))
            }
            Some(Only::Source(source)) => Ok((Recognised::SourceCsv(source), because(""))),
            None => match Table::recognise(&header) {
                Some(table) => Ok((
                    Recognised::CanonicalCsv(table),
                    format!("its header has every required column of `{}`", table.name()),
                )),
                None => match self.best(|m| m.csv_weight(&header)) {
                    Some(i) => {
                        Ok((Recognised::SourceCsv(i), format!("its header is that of {}", self.mappings[i].title)))
                    }
                    None if head.contains(&0) => Err(not_text()),
                    None => Err(unknown_header(&header)),
                },
            },
        })
    }

    /// The mapping that asks for most of those that fit; of equals the first by id.
    fn best(&self, weight: impl Fn(&SourceMapping) -> Option<usize>) -> Option<usize> {
        let fitting = self.mappings.iter().enumerate().filter_map(|(i, m)| Some((weight(m)?, i)));
        fitting.max_by_key(|(weight, i)| (*weight, std::cmp::Reverse(*i))).map(|(_, i)| i)
    }

    /// A recognised JSON file, and why in words.
    fn told(&self, i: usize, shape: Shape) -> (Recognised, String) {
        let mut why = match shape.among.is_empty() {
            true => format!("its records look like {}", self.mappings[i].title),
            false => {
                let titles: Vec<&str> = shape.among.iter().map(|m| self.mappings[*m].title.as_str()).collect();
                format!("its records are mixed: {}; each is read by the mapping that knows it", titles.join(", "))
            }
        };
        if let Some(carrier) = shape.carrier {
            why = format!("{why}; {}", carrier.told());
        }
        (Recognised::SourceJson(i, shape), why)
    }

    /// The mapping that knows a record best; of equals the first by id.
    fn knows(&self, record: &Value) -> Option<usize> {
        self.best(|source| source.record_weight(record))
    }

    /// All mappings of a file that is mixed, in order: of records that mapping `i` does not know another knows some. None of a file
    /// that is not.
    fn mixed<'a>(&self, i: usize, records: impl Iterator<Item = &'a Value>) -> Vec<usize> {
        let unknown = records.filter(|record| self.mappings[i].record_weight(record).is_none());
        let mut among: BTreeSet<usize> = unknown.filter_map(|record| self.knows(record)).collect();
        if !among.is_empty() {
            among.insert(i);
        }
        among.into_iter().collect()
    }

    /// The mappings that know at least a quarter of these records together.
    fn known(&self, records: &[Value]) -> Vec<usize> {
        let owners: Vec<usize> = records.iter().filter_map(|record| self.knows(record)).collect();
        match owners.len() * 4 >= records.len() {
            true => owners.into_iter().collect::<BTreeSet<_>>().into_iter().collect(),
            false => Vec::new(),
        }
    }

    /// Records that stand inside those of a search, a shipper or a container run-time: whose they are, and where they stand. `only` is
    /// the one mapping that is asked for.
    fn carried(&self, head: &[u8], plain: &[Value], only: Option<usize>) -> Option<(usize, Shape)> {
        let opened = |name: &str| -> Option<(Option<String>, Vec<Value>)> {
            let key = |key: &str| memchr::memmem::find(head, format!("\"{key}\"").as_bytes()).is_some();
            let records = name.split('.').all(key).then(|| carrier::first_records(head, Some(name), FIRST))?;
            (!records.is_empty() && records != plain).then(|| (Some(name.to_owned()), records))
        };
        let envelopes = carrier::ENVELOPES.iter().filter_map(|name| opened(name));
        let places: Vec<(Option<String>, Vec<Value>)> = envelopes.chain([(None, plain.to_vec())]).collect();
        for (envelope, records) in &places {
            let itself = envelope.is_some().then_some(None);
            for carrier in itself.into_iter().chain(Carrier::all().map(Some)) {
                let inner: Vec<Value> = match carrier {
                    None => records.clone(),
                    Some(carrier) => records.iter().filter_map(|r| carrier.inner(r).map(|r| r.into_owned())).collect(),
                };
                if inner.is_empty() || inner.len() * 2 <= records.len() {
                    continue;
                }
                let mut shape = Shape { envelope: envelope.clone(), carrier, among: Vec::new() };
                if let Some(i) = only {
                    if self.mappings[i].json_weight(&inner).is_some() {
                        return Some((i, shape));
                    }
                    continue;
                }
                if let Some(i) = self.best(|source| source.json_weight(&inner)) {
                    shape.among = self.mixed(i, inner.iter());
                    return Some((i, shape));
                }
                shape.among = self.known(&inner);
                match shape.among[..] {
                    [] => {}
                    [only] => return Some((only, Shape { among: Vec::new(), ..shape })),
                    [first, ..] => return Some((first, shape)),
                }
            }
        }
        None
    }

    fn recognise_json(
        &self,
        disk: &Path,
        head: &[u8],
        only: Option<Only>,
        because: &dyn Fn(&str) -> String,
    ) -> Result<(Recognised, String), String> {
        let plain = carrier::first_records(head, None, FIRST);
        let keys = |records: &[Value]| -> Vec<String> {
            let mut keys: Vec<String> = Vec::new();
            for record in records.iter().filter_map(Value::as_object) {
                for key in record.keys().map(|k| fold(k)) {
                    if !keys.contains(&key) {
                        keys.push(key);
                    }
                }
            }
            keys
        };
        let names = keys(&plain);
        let mut opened: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for name in self.mappings.iter().flat_map(|m| m.envelopes()) {
            // Splitting is dear: only by what stands there, if in lower case.
            let key = |key: &str| memchr::memmem::find(head, format!("\"{key}\"").as_bytes()).is_some();
            let there = |name: &str| name.split('.').all(key);
            if !opened.contains_key(name) && (there(name) || there(&name.to_lowercase())) {
                opened.insert(name.clone(), carrier::first_records(head, Some(name), FIRST));
            }
        }
        let fit = |source: &SourceMapping| -> Option<(usize, Option<String>)> {
            let inner = source.envelopes().iter().find_map(|name| {
                let weight = opened.get(name).and_then(|records| source.json_weight(records))?;
                Some((weight, Some(name.clone())))
            });
            inner.or_else(|| source.json_weight(&plain).map(|weight| (weight, None)))
        };
        match only {
            Some(Only::Table(table)) => {
                named_table(table, &names).map(|()| (Recognised::CanonicalJson(table), because("")))
            }
            Some(Only::Source(i)) => {
                let shape = match fit(&self.mappings[i]) {
                    Some((_, envelope)) => Shape { envelope, ..Shape::default() },
                    None => self.carried(head, &plain, Some(i)).map(|(_, shape)| shape).unwrap_or_default(),
                };
                Ok((Recognised::SourceJson(i, shape), because("")))
            }
            None => {
                if let Some(table) = Table::recognise(&names) {
                    let why = format!("its records have every required column of `{}`", table.name());
                    return Ok((Recognised::CanonicalJson(table), why));
                }
                if let Some(i) = self.best(|source| fit(source).map(|(weight, _)| weight)) {
                    let envelope = fit(&self.mappings[i]).and_then(|(_, envelope)| envelope);
                    let records = envelope.as_ref().and_then(|name| opened.get(name)).unwrap_or(&plain);
                    let mut shape = Shape { envelope, ..Shape::default() };
                    let mut others = Vec::new();
                    if shape.envelope.is_none() && head.len() > carrier::SMALL {
                        others = carrier::further_records(disk, head);
                    }
                    shape.among = self.mixed(i, records.iter().chain(&others));
                    return Ok(self.told(i, shape));
                }
                if let Some((i, shape)) = self.carried(head, &plain, None) {
                    return Ok(self.told(i, shape));
                }
                let among = self.known(&plain);
                if let [first, _, ..] = among[..] {
                    return Ok(self.told(first, Shape { among, ..Shape::default() }));
                }
                if names.is_empty() {
                    return Err("JSON without a single readable record".to_owned());
                }
                // Parquet, and rows that an API gives as objects: their members are the columns.
                if let Some(i) = self.best(|source| source.csv_weight(&names)) {
                    let because = format!("its members are the columns of {}", self.mappings[i].title);
                    return Ok((Recognised::SourceJson(i, Shape::default()), because));
                }
                Err(format!(
                    "JSON of no known source; its members begin: {}",
                    shorten(&excerpt::excerpt(&names.join(", ")))
                ))
            }
        }
    }
}

/// Whether the first records of a text are of a source.
pub(super) fn begins_as(mapping: &SourceMapping, shape: &Shape, text: &[u8], hand: &mut Hand) -> bool {
    let mut head = &text[..text.len().min(FOLLOWS)];
    if let Some(sure) = shape.envelope.as_deref().and_then(|envelope| begins_plainly(mapping, envelope, head, hand)) {
        return sure;
    }
    // How many there were, and were all of them known.
    let seen = Cell::new((0, true));
    let see = |known: bool| seen.set((seen.get().0 + 1, seen.get().1 && known));
    let wants = || seen.get().0 < FIRST_OF_FOLLOWERS;
    // What a cut-off head breaks is not the file's fault: only whole records count here.
    let _ = json::for_each_taking(
        json::From::Reader(&mut head),
        shape.envelope.as_deref(),
        &mut |bytes, is_record| {
            let (length, known) = wants().then(|| mapping.knows_quick(bytes, hand)).flatten()?;
            bytes.get(..length).filter(|record| is_record(record)).map(|_| see(known))?;
            Some(length)
        },
        &mut |piece| {
            if let json::Piece::Record(bytes) = piece
                && wants()
                && let Ok(record) = serde_json::from_slice::<Value>(bytes)
            {
                see(mapping.record_weight(&record).is_some());
            }
            if wants() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        },
    );
    let (n, all) = seen.get();
    n > 0 && all
}

/// The same of a text that begins with the array of its envelope and nothing else, as machines write it; null where that is not sure.
fn begins_plainly(mapping: &SourceMapping, envelope: &str, head: &[u8], hand: &mut Hand) -> Option<bool> {
    let rest = head.strip_prefix(b"{\"")?.strip_prefix(envelope.as_bytes())?;
    let mut rest = rest.strip_prefix(b"\":[")?;
    if json::names_envelope(envelope, rest) {
        return None;
    }
    let mut all = true;
    for _ in 0..FIRST_OF_FOLLOWERS {
        rest = rest.trim_ascii_start();
        let (length, known) = mapping.knows_quick(rest, hand)?;
        all &= known;
        rest = rest[length..].trim_ascii_start().strip_prefix(b",")?;
    }
    Some(all)
}

/// Everything below the paths that were named, and the folder common to them.
fn named(paths: &[PathBuf]) -> Result<(PathBuf, Vec<Candidate>), SourceError> {
    let mut found = Vec::new();
    let mut roots: Vec<PathBuf> = Vec::new();
    for path in paths {
        let disk = std::fs::canonicalize(path).map_err(|e| SourceError::Unreadable {
            path: path.clone(),
            cause: e.to_string(),
            hint: "name a file or a folder that exists and that you may read".to_owned(),
        })?;
        if disk.is_dir() {
            walk(&disk, &mut found)?;
            roots.push(disk);
        } else {
            roots.push(disk.parent().unwrap_or(Path::new("/")).to_owned());
            found.push(Candidate::new(disk, true));
        }
    }
    Ok((common(&roots), found))
}

impl Candidate {
    fn new(disk: PathBuf, named: bool) -> Candidate {
        Candidate { disk, named, not_followed: false, unopened: false, member: None }
    }

    /// The `[[input]]` that matches it; of a member by its own path, else by that of its archive.
    fn rule(&self, path: &str, config: &Config, inputs_at: &Path, base: &Path) -> Option<usize> {
        if config.inputs.is_empty() {
            return None;
        }
        let matching = |path: &str| {
            let by_config = relative(&inputs_at.join(path), base);
            config.inputs.iter().position(|i| i.matcher.is_match(&by_config))
        };
        let archive = self.member.as_ref().and_then(|member| path.strip_suffix(&member.inner));
        matching(path).or_else(|| archive.and_then(matching))
    }
}

impl Membership {
    /// What the labels of all members of the archive begin with.
    fn label_start(&self, label: &str) -> String {
        label.strip_suffix(&self.inner).unwrap_or(label).to_owned()
    }
}

/// How a file is read and why, or what it looks like instead; or why it cannot be looked at.
type Decision = Result<Result<(Recognised, String), String>, SourceError>;

#[derive(Clone, Copy)]
enum Only {
    Table(Table),
    Source(usize),
}

fn named_table(table: Table, names: &[String]) -> Result<(), String> {
    let missing = table.missing(names);
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!(
        "named for the table `{}`, but it lacks the required column{} {}",
        table.name(),
        if missing.len() == 1 { "" } else { "s" },
        missing.join(", ")
    ))
}

/// What is said of a first line that nobody knows. Only names are shown: it may be no header, but the first line of a list of passwords.
fn unknown_header(header: &[String]) -> String {
    let odd = |c: char| c.is_control() || matches!(c, '@' | '=' | '!' | '$' | '%' | '^' | '\\' | '"');
    let name = |cell: &&String| {
        !cell.starts_with(|c: char| c.is_ascii_digit()) && !cell.contains(odd) && cell.chars().count() <= 60
    };
    let filled: Vec<&String> = header.iter().filter(|cell| !cell.is_empty()).collect();
    if filled.len() < 2 || !filled.iter().all(name) {
        return format!(
            "no known header; its first line has {} and is not shown, as it may be data",
            match header.len() {
                1 => "1 column".to_owned(),
                n => format!("{n} columns"),
            }
        );
    }
    format!("no known header; its columns begin: {}", shorten(&excerpt::excerpt(&header.join(", "))))
}

fn shorten(text: &str) -> String {
    let cut: String = text.chars().filter(|c| !c.is_control()).take(120).collect();
    if text.chars().count() > 120 { format!("{cut}…") } else { cut }
}

fn walk(root: &Path, found: &mut Vec<Candidate>) -> Result<(), SourceError> {
    let hidden = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with('.');
    let walk = walkdir::WalkDir::new(root)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|e| e.depth() == 0 || !(hidden(e.file_name()) || e.file_type().is_dir() && is_report(e.path())));
    for entry in walk {
        let entry = entry.map_err(|e| SourceError::Unreadable {
            path: e.path().unwrap_or(root).to_owned(),
            cause: e.to_string(),
            hint: "every folder below a named one must be readable".to_owned(),
        })?;
        let link = entry.file_type().is_symlink();
        let is_file = entry.file_type().is_file() || link && entry.path().is_file();
        if (is_file || link) && entry.file_name() != "regrant.toml" {
            let candidate = Candidate::new(entry.path().to_owned(), false);
            found.push(Candidate { not_followed: !is_file, ..candidate });
        }
    }
    Ok(())
}

/// The file that marks a folder as a site of published reports.
pub const SITE_MARKER: &str = "regrant-site.json";

/// A folder that Regrant wrote: its `manifest.json` names the tool, or it is marked as a site. Old findings must not
/// become input.
fn is_report(folder: &Path) -> bool {
    ["manifest.json", SITE_MARKER].into_iter().any(|file| {
        let Ok(text) = std::fs::read(folder.join(file)) else { return false };
        let Ok(value) = serde_json::from_slice::<Value>(&text) else { return false };
        value.get("tool").is_some_and(|t| t.to_string().to_lowercase().contains("regrant"))
    })
}

/// The deepest folder common to all.
fn common(roots: &[PathBuf]) -> PathBuf {
    let mut roots = roots.iter();
    let Some(first) = roots.next() else { return PathBuf::new() };
    let mut common: Vec<Component<'_>> = first.components().collect();
    for root in roots {
        let same = common.iter().zip(root.components()).take_while(|(a, b)| **a == *b).count();
        common.truncate(same);
    }
    common.into_iter().collect()
}

/// `path` as seen from `root`, with `/`; with `..` where it lies outside.
fn relative(path: &Path, root: &Path) -> String {
    if let Ok(below) = path.strip_prefix(root) {
        let mut out = String::with_capacity(below.as_os_str().len());
        for component in below {
            if !out.is_empty() {
                out.push('/');
            }
            out.push_str(&component.to_string_lossy());
        }
        return out;
    }
    let (a, b): (Vec<_>, Vec<_>) = (path.components().collect(), root.components().collect());
    let same = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let up = std::iter::repeat_n("..".to_owned(), b.len() - same);
    let down = a[same..].iter().map(|c| c.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_what_is_common() {
        let roots = [PathBuf::from("/a/b/c"), PathBuf::from("/a/b/d/e")];
        assert_eq!(common(&roots), PathBuf::from("/a/b"));
        assert_eq!(relative(Path::new("/a/b/d/e/f.csv"), Path::new("/a/b")), "d/e/f.csv");
        assert_eq!(relative(Path::new("/a/x.csv"), Path::new("/a/b")), "../x.csv");
    }
}
