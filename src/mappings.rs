//! The kinds of knowledge that are files: checks, sources, frameworks, and the patterns of a hunt.
//!
//! The shipped files travel in the binary; folders named by the user are laid over them. A file replaces the one of its
//! kind and id whole, and the last folder wins. What a file says is left to the stage that reads it; here it is text with
//! a place.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};

use crate::check::nearest;
use crate::report::model::Override;

static SHIPPED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/mappings");

/// The framework file that is no framework: it excuses checks that none names.
const UNMAPPED: &str = "unmapped";

/// What a mapping file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MappingKind {
    /// Which facts make a failure.
    Check,
    /// How a vendor's record becomes a canonical row.
    Source,
    /// Which requirement a check is evidence for.
    Framework,
    /// Which sequence of events a hunt looks for.
    Pattern,
}

impl MappingKind {
    /// All of them.
    pub const ALL: [MappingKind; 4] =
        [MappingKind::Check, MappingKind::Source, MappingKind::Framework, MappingKind::Pattern];

    /// As written in outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            MappingKind::Check => "check",
            MappingKind::Source => "source",
            MappingKind::Framework => "framework",
            MappingKind::Pattern => "pattern",
        }
    }

    /// The subfolder it lives in.
    pub fn folder(self) -> &'static str {
        match self {
            MappingKind::Check => "checks",
            MappingKind::Source => "sources",
            MappingKind::Framework => "frameworks",
            MappingKind::Pattern => "patterns",
        }
    }

    /// The extension of its files.
    pub fn extension(self) -> &'static str {
        match self {
            MappingKind::Check | MappingKind::Pattern => "md",
            MappingKind::Source | MappingKind::Framework => "toml",
        }
    }
}

impl fmt::Display for MappingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a mapping file came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Part of the binary.
    Shipped,
    /// A file of the user's, as named.
    File(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Shipped => f.write_str("shipped"),
            Origin::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// One mapping file in force.
#[derive(Clone, Debug)]
pub struct MappingFile {
    /// What it holds.
    pub kind: MappingKind,
    /// Its file name without the extension.
    pub id: String,
    /// Its text, with `\n` line ends and without a byte order mark.
    pub text: String,
    /// Where it came from.
    pub origin: Origin,
    /// Does it stand in the place of a shipped file? False for shipped ones.
    pub replaces: bool,
}

impl MappingFile {
    /// The file as errors name it.
    pub fn place(&self) -> String {
        match &self.origin {
            Origin::Shipped => {
                format!("mappings/{}/{}.{} (shipped)", self.kind.folder(), self.id, self.kind.extension())
            }
            Origin::File(path) => path.display().to_string(),
        }
    }

    /// An error in this file.
    pub fn error(&self, line: Option<usize>, message: impl Into<String>, hint: impl Into<String>) -> MappingsError {
        MappingsError { place: self.place(), line, message: message.into(), hint: hint.into() }
    }

    /// An error of the TOML reader in this file, whose document begins after `lines_before` lines of the file.
    pub fn toml_error(&self, document: &str, lines_before: usize, error: &toml::de::Error) -> MappingsError {
        let line = error.span().map(|span| lines_before + line_of(document, span.start));
        // A message of serde's ends with a list of what was expected; the first word in backquotes is what was found.
        let message = error.message().trim().replace('\n', "; ");
        let mut quoted = message.split('`').skip(1).step_by(2);
        let found = quoted.next().unwrap_or_default();
        let expected: Vec<&str> = quoted.collect();
        let hint = match nearest(found, expected.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if expected.is_empty() => format!("see the shipped files of mappings/{}/", self.kind.folder()),
            None => format!("expected are {}", expected.join(", ")),
        };
        self.error(line, message, hint)
    }
}

/// The 1-based line of a byte position.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

/// A mapping file, or a folder of them, that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingsError {
    /// The file or folder, as named.
    pub place: String,
    /// The 1-based line; `None` when no single line is meant.
    pub line: Option<usize>,
    /// What was found and what was expected.
    pub message: String,
    /// What to do next.
    pub hint: String,
}

impl fmt::Display for MappingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}: line {line}: {}", self.place, self.message),
            None => write!(f, "{}: {}", self.place, self.message),
        }
    }
}

impl std::error::Error for MappingsError {}

/// Every mapping file in force.
#[derive(Clone, Debug)]
pub struct Mappings {
    files: BTreeMap<(MappingKind, String), MappingFile>,
}

impl Mappings {
    /// The shipped files, overlaid by the folders in their order.
    ///
    /// # Errors
    /// When a folder is missing or has nothing to offer, and for a file that is in no place where it would be read.
    pub fn load(dirs: &[PathBuf]) -> Result<Mappings, MappingsError> {
        let mut mappings = Mappings { files: BTreeMap::new() };
        for kind in MappingKind::ALL {
            let Some(folder) = SHIPPED.get_dir(kind.folder()) else { continue };
            for file in folder.files() {
                let path = file.path();
                // Samples and placeholders beside the mappings are not mappings.
                if path.extension().is_none_or(|extension| extension != kind.extension()) {
                    continue;
                }
                let id = path.file_stem().and_then(|stem| stem.to_str());
                let (Some(id), Some(text)) = (id, file.contents_utf8()) else {
                    return Err(fault(
                        path,
                        "a shipped mapping is not UTF-8",
                        "this is a fault of the build; report it",
                    ));
                };
                mappings.insert(kind, id.to_owned(), normalised(text), Origin::Shipped);
            }
        }
        for dir in dirs {
            mappings.overlay(dir)?;
        }
        Ok(mappings)
    }

    /// The files of a kind, by id. `unmapped.toml` is not among the frameworks.
    pub fn files(&self, kind: MappingKind) -> impl Iterator<Item = &MappingFile> {
        self.files
            .values()
            .filter(move |file| file.kind == kind && !(kind == MappingKind::Framework && file.id == UNMAPPED))
    }

    /// The file of a kind and id.
    pub fn get(&self, kind: MappingKind, id: &str) -> Option<&MappingFile> {
        self.files.get(&(kind, id.to_owned()))
    }

    /// `frameworks/unmapped.toml`, which excuses checks that no framework names.
    pub fn unmapped(&self) -> Option<&MappingFile> {
        self.get(MappingKind::Framework, UNMAPPED)
    }

    /// SHA-256 over kind, id and text of every file that an audit goes by, in hex.
    pub fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        for file in self.files.values().filter(|file| file.kind != MappingKind::Pattern) {
            // The length keeps the end of one file from being read as the beginning of the next.
            hash.update(format!("{}\n{}\n{}\n", file.kind, file.id, file.text.len()));
            hash.update(&file.text);
        }
        hex::encode(hash.finalize())
    }

    /// The same of the patterns that a hunt goes by.
    pub fn patterns_sha256(&self) -> String {
        let mut hash = Sha256::new();
        for file in self.files(MappingKind::Pattern) {
            hash.update(format!("{}\n{}\n{}\n", file.kind, file.id, file.text.len()));
            hash.update(&file.text);
        }
        hex::encode(hash.finalize())
    }

    /// The files that an audit goes by and that are not the shipped ones, by kind and id.
    pub fn overrides(&self) -> Vec<Override> {
        let mut overrides = Vec::new();
        for file in self.files.values().filter(|file| file.kind != MappingKind::Pattern) {
            if let Origin::File(path) = &file.origin {
                overrides.push(Override {
                    kind: file.kind.to_string(),
                    id: file.id.clone(),
                    replaces: file.replaces,
                    path: path.display().to_string(),
                });
            }
        }
        overrides
    }

    /// Gives files the names that a report has for them, so that files read from that report pass for the ones it was made
    /// with.
    pub fn rename(&mut self, overrides: &[Override]) {
        for file in self.files.values_mut().filter(|file| file.origin != Origin::Shipped) {
            let named = overrides.iter().find(|one| one.kind == file.kind.as_str() && one.id == file.id);
            if let Some(named) = named {
                file.origin = Origin::File(PathBuf::from(&named.path));
                file.replaces = named.replaces;
            }
        }
    }

    fn insert(&mut self, kind: MappingKind, id: String, text: String, origin: Origin) {
        let replaces = origin != Origin::Shipped
            && self.get(kind, &id).is_some_and(|before| before.origin == Origin::Shipped || before.replaces);
        let file = MappingFile { kind, id: id.clone(), text, origin, replaces };
        self.files.insert((kind, id), file);
    }

    fn overlay(&mut self, dir: &Path) -> Result<(), MappingsError> {
        let mut found = false;
        for entry in entries(dir)? {
            let name = entry.name;
            let kind = MappingKind::ALL.into_iter().find(|kind| kind.folder() == name);
            let Some(kind) = kind else {
                let hint = match nearest(&name, MappingKind::ALL.map(MappingKind::folder).into_iter()) {
                    Some(near) if entry.is_dir => format!("did you mean `{near}`?"),
                    _ => "a mappings folder holds checks/*.md, sources/*.toml, frameworks/*.toml and patterns/*.md; move or remove it"
                        .to_owned(),
                };
                let what = if entry.is_dir { "this folder" } else { "this file" };
                return Err(fault(&entry.path, format!("{what} would not be read"), hint));
            };
            if !entry.is_dir {
                let hint = format!("make it a folder and put files such as {0}/x.{1} into it", name, kind.extension());
                return Err(fault(&entry.path, "a folder was expected here, this is a file", hint));
            }
            found = true;
            for file in entries(&entry.path)? {
                let id = file.name.strip_suffix(&format!(".{}", kind.extension())).filter(|_| !file.is_dir);
                let Some(id) = id else {
                    let hint = format!("{}/ holds *.{} files only; move or remove it", kind.folder(), kind.extension());
                    let what = if file.is_dir { "this folder" } else { "this file" };
                    return Err(fault(&file.path, format!("{what} would not be read"), hint));
                };
                if !is_id(id) {
                    let message = format!("{id:?} is no id of a {kind}");
                    let hint = "name the file with lower-case letters, digits, `-` and `.` only";
                    return Err(fault(&file.path, message, hint));
                }
                let bytes = fs::read(&file.path)
                    .map_err(|e| fault(&file.path, format!("cannot be read: {e}"), "make it readable or remove it"))?;
                let text = String::from_utf8(bytes).map_err(|e| {
                    let line =
                        1 + e.as_bytes().iter().take(e.utf8_error().valid_up_to()).filter(|b| **b == b'\n').count();
                    let mut error = fault(&file.path, "this is not UTF-8 text", "save the file as UTF-8");
                    error.line = Some(line);
                    error
                })?;
                self.insert(kind, id.to_owned(), normalised(&text), Origin::File(file.path));
            }
        }
        if !found {
            let hint = "a mappings folder holds at least one of checks/, sources/, frameworks/ and patterns/";
            return Err(fault(dir, "there is nothing to read in this folder", hint));
        }
        Ok(())
    }
}

/// Ids are printed in every output and name files, so they are kept plain.
fn is_id(id: &str) -> bool {
    id.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.' | '_'))
}

/// A checkout on Windows has other line ends; neither lines nor digests should depend on that.
fn normalised(text: &str) -> String {
    text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n")
}

fn fault(place: &Path, message: impl Into<String>, hint: impl Into<String>) -> MappingsError {
    MappingsError { place: place.display().to_string(), line: None, message: message.into(), hint: hint.into() }
}

struct Entry {
    path: PathBuf,
    name: String,
    is_dir: bool,
}

/// What lies in a folder, by name. Dot files are left out: file managers and version control put them there unasked.
fn entries(dir: &Path) -> Result<Vec<Entry>, MappingsError> {
    let unreadable = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::NotFound => fault(dir, "there is no such folder", "check the path given with --mappings"),
        std::io::ErrorKind::NotADirectory => {
            let hint = "--mappings takes a folder with checks/, sources/ or frameworks/ in it";
            fault(dir, "this is a file, a folder was expected", hint)
        }
        _ => fault(dir, format!("cannot be read: {e}"), "make it readable"),
    };
    let mut entries = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()).map(str::to_owned) else {
            return Err(fault(&path, "the name of this file is not UTF-8", "rename it"));
        };
        if name.starts_with('.') {
            continue;
        }
        // Follows links: a mappings folder may be put together from several places.
        let is_dir =
            fs::metadata(&path).map_err(|e| fault(&path, format!("cannot be read: {e}"), "remove it"))?.is_dir();
        entries.push(Entry { path, name, is_dir });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().expect("inside the folder")).expect("a subfolder");
            fs::write(path, text).expect("a file");
        }
        dir
    }

    fn error(dirs: &[&Path]) -> MappingsError {
        let dirs: Vec<PathBuf> = dirs.iter().map(|dir| dir.to_path_buf()).collect();
        Mappings::load(&dirs).expect_err("not a mappings folder")
    }

    #[test]
    fn shipped_files_are_there_by_kind() {
        let mappings = Mappings::load(&[]).expect("shipped");
        assert!(mappings.files(MappingKind::Check).count() >= 48);
        assert!(mappings.files(MappingKind::Framework).all(|file| file.id != "unmapped"));
        assert!(mappings.unmapped().is_some());
        assert!(mappings.overrides().is_empty());
        assert_eq!(mappings.sha256().len(), 64);
    }

    #[test]
    fn the_last_folder_wins_whole() {
        let first = folder(&[("checks/self-approval.md", "one"), ("checks/house-rule.md", "new"), (".DS_Store", "")]);
        let second = folder(&[("checks/self-approval.md", "\u{feff}two\r\nlines"), ("checks/house-rule.md", "newer")]);
        let mappings = Mappings::load(&[first.path().to_owned(), second.path().to_owned()]).expect("two good folders");
        let file = mappings.get(MappingKind::Check, "self-approval").expect("still there");
        assert_eq!(file.text, "two\nlines");
        assert!(file.replaces);
        assert!(!mappings.get(MappingKind::Check, "house-rule").expect("added").replaces);
        let overrides = mappings.overrides();
        assert_eq!(overrides.iter().map(|o| o.id.as_str()).collect::<Vec<_>>(), ["house-rule", "self-approval"]);
        assert!(overrides[1].replaces && overrides[1].path.ends_with("self-approval.md"));
        assert_ne!(mappings.sha256(), Mappings::load(&[]).expect("shipped").sha256());
    }

    #[test]
    fn what_would_not_be_read_is_an_error() {
        let missing = error(&[Path::new("/nowhere/at/all")]);
        assert!(missing.message.contains("no such folder"), "{missing}");
        let misspelt = folder(&[("check/a.md", "")]);
        assert_eq!(error(&[misspelt.path()]).hint, "did you mean `checks`?");
        let stray = folder(&[("checks/a.md", ""), ("a.md", "")]);
        assert!(error(&[stray.path()]).hint.contains("checks/*.md"));
        let wrong = folder(&[("frameworks/a.yaml", "")]);
        assert!(error(&[wrong.path()]).hint.contains("*.toml"));
        let shouting = folder(&[("checks/My Check.md", "")]);
        assert!(error(&[shouting.path()]).message.contains("no id"));
        let empty = folder(&[]);
        assert!(error(&[empty.path()]).message.contains("nothing to read"));
        let file = folder(&[("checks/a.md", "")]);
        assert!(error(&[&file.path().join("checks/a.md")]).message.contains("a folder was expected"));
    }
}
