//! The site's folder: lock, left-overs, generations, and the exchange of one link.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::render::folder::{FolderError, is_plain};
use crate::source::SITE_MARKER;

/// The folder of the runs.
pub const RUNS: &str = "runs";
/// The folder of the generations.
const GENERATIONS: &str = "generations";
/// The link that readers follow.
pub const CURRENT: &str = "current";
/// Runs that retention leaves alone.
const PINS: &str = "pins.txt";
const LOCK: &str = ".lock";
const TRASH: &str = ".trash";

/// Why a site cannot be published to.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// Another run holds the lock.
    #[error(
        "{}: another run is publishing to this site\n  help: wait until it has ended, or let this one wait with `--lock wait`",
        .0.display()
    )]
    Busy(PathBuf),
    /// The folder holds something else.
    #[error(
        "{}: holds `{found}` and is no site of regrant\n  help: name an empty or a new folder with `--site`",
        path.display()
    )]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// The first thing found in it.
        found: String,
    },
    /// The operating system refused.
    #[error("{0}\n  help: {hint}", hint = hint(.0))]
    Folder(#[from] FolderError),
}

fn hint(error: &FolderError) -> String {
    let FolderError::Io { source, .. } = error else { return error.hint().replace("`-o`", "`--site`") };
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room, or let `--keep 30d,12m` remove old runs; the site is as the last run left it".to_owned()
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "let the account that publishes write to the site; the site is as the last run left it".to_owned()
        }
        _ => "the site is as the last run left it; run again".to_owned(),
    }
}

/// What to do when another run holds the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenBusy {
    /// Wait until it is given back.
    Wait,
    /// Leave.
    Fail,
}

/// A site that this run alone writes to.
#[derive(Debug)]
pub struct Site {
    root: PathBuf,
    // Given back by the system when we end, however we end.
    _lock: File,
}

fn refused<'a>(path: &'a Path, doing: &'static str) -> impl FnOnce(io::Error) -> SiteError + 'a {
    move |source| SiteError::Folder(FolderError::Io { path: path.to_owned(), doing, source })
}

impl Site {
    /// Takes the lock, makes what is missing and removes what crashed runs left.
    ///
    /// # Errors
    /// When another run holds the lock and `when_busy` says to leave, the folder is no site of ours, or the system refuses.
    pub fn open(root: &Path, when_busy: WhenBusy) -> Result<Site, SiteError> {
        fs::create_dir_all(root).map_err(refused(root, "make this folder"))?;
        ours(root)?;
        let place = root.join(LOCK);
        let lock = File::options().create(true).truncate(false).write(true).open(&place);
        let lock = lock.map_err(refused(&place, "make this file"))?;
        take(&lock, when_busy, root)?;
        for folder in [RUNS, GENERATIONS] {
            let folder = root.join(folder);
            fs::create_dir_all(&folder).map_err(refused(&folder, "make this folder"))?;
        }
        let marker = root.join(SITE_MARKER);
        if !marker.exists() {
            let text =
                "{\"tool\": {\"name\": \"regrant\"}, \"holds\": \"a site of reports, see `regrant publish --help`\"}\n";
            write(&marker, text.as_bytes())?;
        }
        let site = Site { root: root.to_owned(), _lock: lock };
        site.clear();
        Ok(site)
    }

    /// The folder of a run.
    pub fn run(&self, name: &str) -> PathBuf {
        self.root.join(RUNS).join(name)
    }

    /// The link that readers follow.
    pub fn current(&self) -> PathBuf {
        self.root.join(CURRENT)
    }

    /// Every run there is, by name; names begin with `as_of`.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn runs(&self) -> Result<Vec<String>, SiteError> {
        let folder = self.root.join(RUNS);
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder).map_err(refused(&folder, "look into it"))? {
            let entry = entry.map_err(refused(&folder, "look into it"))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') && entry.path().is_dir() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// The text of a file of the generation that readers see; null when there is none.
    pub fn published(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.current().join(file)).ok()
    }

    /// Names of runs that retention leaves alone; what stands behind `#` is a remark.
    pub fn pins(&self) -> Vec<String> {
        let text = fs::read_to_string(self.root.join(PINS)).unwrap_or_default();
        let names = text.lines().filter_map(|line| line.split('#').next()).map(str::trim);
        names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    /// Pins a run.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn pin(&self, name: &str) -> Result<(), SiteError> {
        if self.pins().iter().any(|pinned| pinned == name) {
            return Ok(());
        }
        let place = self.root.join(PINS);
        let before = fs::read_to_string(&place).unwrap_or_default();
        let new = self.root.join(".pins-new");
        write(&new, format!("{}\n{name}\n", before.trim_end()).trim_start().as_bytes())?;
        fs::rename(&new, &place).map_err(refused(&place, "put the new list here"))
    }

    /// Puts a generation with these files before readers, in one rename; `latest` is the run it leads to.
    ///
    /// # Errors
    /// When the system refuses; readers then see what they saw before.
    pub fn publish(&self, latest: &str, files: &[(&str, String)]) -> Result<(), SiteError> {
        let generations = self.root.join(GENERATIONS);
        let name = format!("{:06}", self.generations().last().map_or(0, |last| last.1) + 1);
        let aside = generations.join(format!(".{name}"));
        fs::create_dir(&aside).map_err(refused(&aside, "make this folder"))?;
        for (file, text) in files {
            write(&aside.join(file), text.as_bytes())?;
        }
        let link = |to: String, name: &str| {
            let place = aside.join(name);
            symlink(Path::new(&to), &place).map_err(refused(&place, "make this link"))
        };
        link(format!("../../{RUNS}/{latest}"), "latest")?;
        link(format!("../../{RUNS}"), RUNS)?;
        sync(&aside);
        let place = generations.join(&name);
        fs::rename(&aside, &place).map_err(refused(&place, "put the new index here"))?;
        sync(&generations);
        let new = self.root.join(format!(".{CURRENT}-{name}"));
        symlink(Path::new(&format!("{GENERATIONS}/{name}")), &new).map_err(refused(&new, "make this link"))?;
        let current = self.current();
        fs::rename(&new, &current).map_err(refused(&current, "put the new link here"))?;
        sync(&self.root);
        Ok(())
    }

    /// Removes runs; each goes aside first, so that nobody finds half of one. What cannot be removed stays.
    pub fn remove(&self, runs: &[String]) {
        let trash = self.root.join(TRASH);
        if runs.is_empty() || fs::create_dir_all(&trash).is_err() {
            return;
        }
        for run in runs.iter().filter(|run| is_plain(run)) {
            let _next_run_tries_again = fs::rename(self.run(run), trash.join(run));
        }
        let _next_run_tries_again = fs::remove_dir_all(&trash);
    }

    fn generations(&self) -> Vec<(String, u64)> {
        let entries = fs::read_dir(self.root.join(GENERATIONS)).into_iter().flatten().filter_map(Result::ok);
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut all: Vec<(String, u64)> = names.filter_map(|name| name.parse().ok().map(|n| (name, n))).collect();
        all.sort_by_key(|one| one.1);
        all
    }

    /// Removes what no reader is led to: half-made runs, generations and links, and generations before the last two (a
    /// reader may have come by way of the last but one).
    fn clear(&self) {
        let remove = |path: PathBuf| {
            // A link is removed, not what it leads to.
            let is_dir = fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir());
            let _next_run_tries_again = if is_dir { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        };
        let hidden = |folder: &Path| -> Vec<(String, PathBuf)> {
            let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
            entries
                .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()))
                .filter(|(name, _)| name.starts_with('.'))
                .collect()
        };
        for folder in [RUNS, GENERATIONS] {
            hidden(&self.root.join(folder)).into_iter().for_each(|(_, path)| remove(path));
        }
        for (name, path) in hidden(&self.root) {
            if name == TRASH || name == ".pins-new" || name.starts_with(".current-") {
                remove(path);
            }
        }
        let shown = fs::read_link(self.current()).ok();
        let shown = shown.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        let all = self.generations();
        let at = all.iter().position(|(name, _)| Some(name) == shown.as_ref());
        for (i, (name, _)) in all.iter().enumerate() {
            let needed = at.is_some_and(|at| i == at || i + 1 == at);
            if !needed {
                remove(self.root.join(GENERATIONS).join(name));
            }
        }
    }
}

/// An empty folder, or one that is a site already.
fn ours(root: &Path) -> Result<(), SiteError> {
    if root.join(SITE_MARKER).exists() {
        return Ok(());
    }
    let known = [RUNS, GENERATIONS, CURRENT, PINS, LOCK];
    let mut names: Vec<String> = fs::read_dir(root)
        .map_err(refused(root, "look into it"))?
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !known.contains(&name.as_str()))
        .collect();
    names.sort();
    match names.into_iter().next() {
        Some(found) => Err(SiteError::Foreign { path: root.to_owned(), found: found.escape_debug().collect() }),
        None => Ok(()),
    }
}

#[cfg(unix)]
fn take(lock: &File, when_busy: WhenBusy, root: &Path) -> Result<(), SiteError> {
    use rustix::fs::{FlockOperation, flock};
    match flock(lock, FlockOperation::NonBlockingLockExclusive) {
        Err(rustix::io::Errno::WOULDBLOCK) if when_busy == WhenBusy::Fail => {
            return Err(SiteError::Busy(root.to_owned()));
        }
        Err(rustix::io::Errno::WOULDBLOCK) => {}
        done => return done.map_err(|errno| refused(root, "lock it")(errno.into())),
    }
    flock(lock, FlockOperation::LockExclusive).map_err(|errno| refused(root, "lock it")(errno.into()))
}

// The standard library's own lock is newer than the oldest Rust that this is built with; elsewhere two runs are the
// scheduler's to keep apart.
#[cfg(not(unix))]
fn take(_lock: &File, _when_busy: WhenBusy, _root: &Path) -> Result<(), SiteError> {
    Ok(())
}

#[cfg(unix)]
fn symlink(to: &Path, place: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(to, place)
}

#[cfg(windows)]
fn symlink(to: &Path, place: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_dir(to, place)
}

/// Writes a file and brings it to the disk.
fn write(path: &Path, bytes: &[u8]) -> Result<(), SiteError> {
    let mut file = File::create(path).map_err(refused(path, "make this file"))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(refused(path, "write this file"))
}

/// Writes a file that others read at any time: aside first, then in one rename.
///
/// # Errors
/// When the system refuses; what was there is then still there.
pub fn replace(path: &Path, text: &str) -> Result<(), SiteError> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".new");
    let aside = path.with_file_name(name);
    write(&aside, text.as_bytes())?;
    fs::rename(&aside, path).map_err(refused(path, "put the new file here"))
}

// Some file systems cannot sync folders; their files are synced.
fn sync(folder: &Path) {
    let _synced = File::open(folder).and_then(|folder| folder.sync_all());
}
