//! The report folder: written aside, then exchanged as a whole.
//!
//! A reader never sees half a report, and a crash leaves the old one. What lies aside is named
//! `.NAME.regrant-staging-*` (the report being written, or the old one on its way out) or, where the system cannot
//! exchange two folders, `.NAME.regrant-previous-*` (the old one while the new one takes its place).

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rayon::prelude::*;
use tempfile::TempDir;

use super::manifest::{self, Manifest};

/// Why the report folder could not be written.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The path cannot name a report folder: `.`, `..`, `/`.
    #[error("{}: names no folder that a report can take the place of", path.display())]
    Nameless {
        /// As given.
        path: PathBuf,
    },
    /// Something other than a folder is there.
    #[error("{}: is {found}, not a folder", path.display())]
    NotAFolder {
        /// As given.
        path: PathBuf,
        /// What is there.
        found: &'static str,
    },
    /// Another file system begins there, so it cannot be exchanged.
    #[error("{}: is a mount point, which cannot be replaced as a whole", path.display())]
    MountPoint {
        /// As given.
        path: PathBuf,
    },
    /// The folder is not empty and not ours.
    #[error("{}: holds `{found}` but no manifest of a report by regrant", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// The first thing that was found in it, by name.
        found: String,
    },
    /// The folder is a report of ours that somebody put something into.
    #[error("{}: holds `{found}`, which its manifest does not know", path.display())]
    Stranger {
        /// The folder.
        path: PathBuf,
        /// The first such file, relative to the folder.
        found: String,
    },
    /// The folder is what another verb wrote: evidence does not go because somebody mistook a name at night.
    #[error("{}: holds {is}", path.display())]
    Other {
        /// The folder.
        path: PathBuf,
        /// What it holds.
        is: Kind,
    },
    /// A path that would leave the folder, or is not plain.
    #[error("{path:?} is not a plain relative path inside the report folder")]
    Escapes {
        /// As given.
        path: String,
    },
    /// The operating system refused.
    #[error("{}: cannot {doing}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What it answered.
        source: io::Error,
    },
}

impl FolderError {
    /// What to do next, one sentence without a full stop.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            FolderError::Nameless { .. } => "name the report folder itself, such as `-o regrant-report`".to_owned(),
            FolderError::NotAFolder { .. } => "name another folder with `-o`, or move what is there away".to_owned(),
            FolderError::MountPoint { path } => {
                format!("name a folder inside it, such as `-o {}`", path.join("regrant-report").display())
            }
            FolderError::Foreign { .. } => {
                "name an empty or a new folder with `-o`; only a folder with a manifest.json of regrant is replaced"
                    .to_owned()
            }
            FolderError::Stranger { .. } => {
                "a new report replaces the folder as a whole: move that file elsewhere, or name another folder with `-o`"
                    .to_owned()
            }
            FolderError::Other { .. } => {
                "a hunt replaces only a hunt, and an audit a report: name another folder with `-o`, or remove this one"
                    .to_owned()
            }
            FolderError::Escapes { .. } => "give it a name of letters, digits, `-`, `_` and `.`".to_owned(),
            FolderError::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    "make room, or name a folder on another disk with `-o`; a report that was there is still there"
                        .to_owned()
                }
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    "name a folder with `-o` whose parent you may write to; the report is written beside it first"
                        .to_owned()
                }
                _ => "name another folder with `-o`; a report that was there is still there".to_owned(),
            },
        }
    }

    pub(super) fn io(path: &Path, doing: &'static str, source: io::Error) -> FolderError {
        FolderError::Io { path: path.to_owned(), doing, source }
    }
}

/// How the new report took the place of the old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// In one step: at every instant there was a whole report, or none where there had been none.
    Atomic,
    /// In two: for an instant there was no report, because the file system cannot exchange folders.
    TwoSteps,
}

/// What a folder is written by, and is replaced by alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A report.
    Audit,
    /// A hunt.
    Hunt,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Kind::Audit => "the report of an audit",
            Kind::Hunt => "a hunt",
        })
    }
}

/// A report in its place.
#[derive(Debug)]
pub struct Published {
    /// The folder, as it was asked for.
    pub path: PathBuf,
    /// How it came there.
    pub exchange: Exchange,
    /// Where the replaced report still lies because it could not be deleted; null when there is nothing left.
    pub left_over: Option<PathBuf>,
}

/// A report being written aside. Dropped without [`Staging::publish`], it is removed.
#[derive(Debug)]
pub struct Staging {
    asked: PathBuf,
    place: PathBuf,
    folder: TempDir,
    // Says to other runs that this folder is in use; given back by the system when we end, however we end.
    _lock: Option<File>,
    // What is on its way to the disk: files, each with whether the whole of it is.
    on_its_way: Mutex<Vec<(PathBuf, Whole, Bringing)>>,
}

type Bringing = JoinHandle<io::Result<()>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whole {
    Yes,
    NotYet,
}

/// Bytes of a file after which it is sent on its way to the disk while more of it is written.
const AHEAD: u64 = 64 << 20;

/// A file of the report being written. What is done of it goes to the disk while the rest, and other files, are rendered, so that
/// [`Staging::publish`] has little to wait for.
pub struct Laid<'a> {
    staging: &'a Staging,
    path: PathBuf,
    file: Arc<File>,
    waiting: u64,
}

impl Laid<'_> {
    /// Nothing more comes.
    pub fn end(self) {
        self.send(Whole::Yes);
    }

    fn send(&self, whole: Whole) {
        let file = Arc::clone(&self.file);
        // Without a further thread there is no head start; `publish` brings the file to the disk then.
        if let Ok(bringing) = std::thread::Builder::new().spawn(move || file.sync_all()) {
            let mut on_its_way = self.staging.on_its_way.lock().unwrap_or_else(PoisonError::into_inner);
            on_its_way.push((self.path.clone(), whole, bringing));
        }
    }
}

impl io::Write for Laid<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = (&*self.file).write(bytes)?;
        self.waiting += written as u64;
        if self.waiting >= AHEAD {
            self.waiting = 0;
            self.send(Whole::NotYet);
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Staging {
    /// Makes a folder beside `dest`, after making sure that `dest` may be replaced: it does not exist, is empty, or
    /// holds a report of ours, of the same kind, and nothing else. Missing parents are made. Removes what crashed runs left aside.
    ///
    /// # Errors
    /// When `dest` may not be replaced, or the system does not let us write beside it.
    pub fn prepare(dest: &Path, kind: Kind) -> Result<Staging, FolderError> {
        let place = place_of(dest)?;
        let (parent, name) = parent_and_name(&place, dest)?;
        fs::create_dir_all(parent).map_err(|source| FolderError::io(parent, "make this folder", source))?;
        clear_left_overs(parent, name, &place);
        may_be_replaced(&place, dest, Some(kind))?;
        let (folder, lock) =
            staging_folder(parent, name).map_err(|source| FolderError::io(parent, "make a folder in it", source))?;
        Ok(Staging { asked: dest.to_owned(), place, folder, _lock: lock, on_its_way: Mutex::default() })
    }

    /// The folder to write into.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A new file of the report, with the folders above it.
    ///
    /// # Errors
    /// When `relative` is no plain relative path, is already there, or the system refuses.
    pub fn create(&self, relative: &str) -> Result<File, FolderError> {
        if !is_plain(relative) || relative.contains('\\') {
            return Err(FolderError::Escapes { path: relative.to_owned() });
        }
        let path = self.path().join(relative);
        if let Some(above) = path.parent() {
            fs::create_dir_all(above).map_err(|source| FolderError::io(above, "make this folder", source))?;
        }
        File::create_new(&path).map_err(|source| FolderError::io(&path, "make this file", source))
    }

    /// The same for one that is long in the making.
    ///
    /// # Errors
    /// As [`Staging::create`].
    pub fn lay(&self, relative: &str) -> Result<Laid<'_>, FolderError> {
        let file = Arc::new(self.create(relative)?);
        Ok(Laid { staging: self, path: self.path().join(relative), file, waiting: 0 })
    }

    /// A further file of the report, whole.
    ///
    /// # Errors
    /// As [`Staging::create`].
    pub fn add(&self, relative: &str, bytes: &[u8]) -> Result<(), FolderError> {
        let mut file = self.create(relative)?;
        let written = io::Write::write_all(&mut file, bytes);
        written.map_err(|source| FolderError::io(&self.path().join(relative), "write this file", source))
    }

    /// Puts the folder in its place: everything is on the disk first, then one rename or exchange.
    ///
    /// # Errors
    /// When the place has become one that may not be replaced since, or the system refuses; what was there is then
    /// still there.
    pub fn publish(self) -> Result<Published, FolderError> {
        self.publish_by(Exchange::Atomic)
    }

    /// Leaves the folder where it is and says where; the next run for the same place removes it.
    #[must_use]
    pub fn keep(self) -> PathBuf {
        self.folder.keep()
    }

    fn publish_by(self, wanted: Exchange) -> Result<Published, FolderError> {
        let Staging { asked, place, folder, _lock, on_its_way } = self;
        let there = arrived(on_its_way.into_inner().unwrap_or_else(PoisonError::into_inner))?;
        sync(folder.path(), &there)?;
        may_be_replaced(&place, &asked, None)?;
        let (parent, name) = parent_and_name(&place, &asked)?;
        let fail = |source| FolderError::io(&place, "put the new report here", source);
        let mut left_over = None;
        let exchange = match fs::metadata(&place) {
            Err(_) => {
                fs::rename(folder.path(), &place).map_err(fail)?;
                // The folder has gone to its place: nothing is left to remove, and that place must not be.
                let _gone = folder.keep();
                Exchange::Atomic
            }
            Ok(old) => {
                // Whoever narrowed or widened the access to the report keeps it so.
                let _as_before = fs::set_permissions(folder.path(), old.permissions());
                let done = match wanted {
                    Exchange::Atomic => exchange(folder.path(), &place).map_err(fail)?,
                    Exchange::TwoSteps => Exchange::TwoSteps,
                };
                let old_report = match done {
                    Exchange::Atomic => folder,
                    Exchange::TwoSteps => rename_twice(folder, &place, parent, name).map_err(fail)?,
                };
                let lies_at = old_report.path().to_owned();
                clear(&lies_at);
                if old_report.close().is_err() && lies_at.exists() {
                    left_over = Some(lies_at);
                }
                done
            }
        };
        // The report is in place; a parent that cannot be synced costs at most the rename after a power cut.
        let _synced = File::open(parent).and_then(|folder| folder.sync_all());
        Ok(Published { path: asked, exchange, left_over })
    }
}

/// Does a path lead to something below the folder it is relative to?
#[must_use]
pub fn is_plain(relative: &str) -> bool {
    !relative.is_empty()
        && !relative.contains('\0')
        && Path::new(relative).components().all(|part| matches!(part, Component::Normal(_)))
}

/// Every file of a report folder by its path with `/`, sorted; manifest, signature and what file browsers strew about are
/// left out.
///
/// # Errors
/// When a folder of it cannot be read.
pub fn contents(report: &Path) -> io::Result<Vec<String>> {
    let mut paths = Vec::new();
    for entry in walkdir::WalkDir::new(report).sort_by_file_name() {
        let entry = entry?;
        // The folder itself may be a link to the report.
        if entry.depth() == 0 || entry.file_type().is_dir() || is_strewn(entry.file_name()) {
            continue;
        }
        let below = entry.path().strip_prefix(report).unwrap_or(entry.path());
        paths.push(below.iter().map(OsStr::to_string_lossy).collect::<Vec<_>>().join("/"));
    }
    paths.retain(|path| path != manifest::FILE && path != manifest::SIGNATURE);
    paths.sort();
    Ok(paths)
}

/// Where the folder really is: links are followed, so that a link to the report stays a link.
fn place_of(dest: &Path) -> Result<PathBuf, FolderError> {
    if dest.file_name().is_none() {
        return Err(FolderError::Nameless { path: dest.to_owned() });
    }
    match fs::symlink_metadata(dest) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(dest.to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(dest.to_owned()),
        Err(error) => Err(FolderError::io(dest, "look at it", error)),
        Ok(found) => match fs::canonicalize(dest) {
            Ok(real) => Ok(real),
            Err(_) if found.is_symlink() => {
                Err(FolderError::NotAFolder { path: dest.to_owned(), found: "a link that leads nowhere" })
            }
            Err(error) => Err(FolderError::io(dest, "look at it", error)),
        },
    }
}

fn parent_and_name<'a>(place: &'a Path, dest: &Path) -> Result<(&'a Path, &'a OsStr), FolderError> {
    match (place.parent(), place.file_name()) {
        (Some(parent), Some(name)) if parent.as_os_str().is_empty() => Ok((Path::new("."), name)),
        (Some(parent), Some(name)) => Ok((parent, name)),
        _ => Err(FolderError::Nameless { path: dest.to_owned() }),
    }
}

fn may_be_replaced(place: &Path, dest: &Path, kind: Option<Kind>) -> Result<(), FolderError> {
    let found = match fs::metadata(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(FolderError::io(dest, "look at it", error)),
        Ok(found) => found,
    };
    if !found.is_dir() {
        return Err(FolderError::NotAFolder { path: dest.to_owned(), found: "a file" });
    }
    if is_mount_point(place, &found) {
        return Err(FolderError::MountPoint { path: dest.to_owned() });
    }
    let look = |source| FolderError::io(dest, "look into it", source);
    let mut first: Option<OsString> = None;
    for entry in fs::read_dir(place).map_err(look)? {
        let name = entry.map_err(look)?.file_name();
        if first.as_ref().is_none_or(|first| name < *first) {
            first = Some(name);
        }
    }
    let Some(first) = first else { return Ok(()) };
    let Some(manifest) = own_manifest(place) else {
        return Err(FolderError::Foreign { path: dest.to_owned(), found: printable(&first.to_string_lossy()) });
    };
    let is = if manifest.hunt.is_some() { Kind::Hunt } else { Kind::Audit };
    if kind.is_some_and(|kind| kind != is) {
        return Err(FolderError::Other { path: dest.to_owned(), is });
    }
    match stranger(place, &manifest) {
        Some(found) => Err(FolderError::Stranger { path: dest.to_owned(), found: printable(&found) }),
        None => Ok(()),
    }
}

/// The manifest of a report of ours; null for any other folder.
fn own_manifest(folder: &Path) -> Option<Manifest> {
    let manifest: Manifest = serde_json::from_slice(&fs::read(folder.join(manifest::FILE)).ok()?).ok()?;
    (manifest.tool.name == manifest::TOOL_NAME).then_some(manifest)
}

/// The first file that a report's manifest does not know, apart from what file browsers strew about.
fn stranger(folder: &Path, manifest: &Manifest) -> Option<String> {
    let mut known: Vec<&str> = manifest.files.iter().map(|file| file.path.as_str()).collect();
    known.sort_unstable();
    // A folder in it that we may not read is none of ours either; removing the report would fail on it.
    contents(folder).ok()?.into_iter().find(|path| known.binary_search(&path.as_str()).is_err())
}

/// What file browsers leave in folders that are looked at.
fn is_strewn(name: &OsStr) -> bool {
    matches!(name.to_str(), Some(".DS_Store" | "Thumbs.db" | "desktop.ini"))
}

/// A name from the disk as it may stand on a terminal.
fn printable(name: &str) -> String {
    name.escape_debug().collect()
}

#[cfg(unix)]
fn is_mount_point(place: &Path, found: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    let Ok((parent, _)) = parent_and_name(place, place) else { return true };
    fs::metadata(parent).is_ok_and(|parent| parent.dev() != found.dev())
}

#[cfg(not(unix))]
fn is_mount_point(_place: &Path, _found: &fs::Metadata) -> bool {
    false
}

fn aside(name: &OsStr, what: &str) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(name);
    prefix.push(what);
    prefix
}

const STAGING: &str = ".regrant-staging-";
const PREVIOUS: &str = ".regrant-previous-";

fn temporary(parent: &Path, prefix: &OsStr) -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // What the user's umask leaves, as for any folder a command makes; not the 0700 of temporary folders.
        builder.permissions(fs::Permissions::from_mode(0o777));
    }
    builder.tempdir_in(parent)
}

fn staging_folder(parent: &Path, name: &OsStr) -> io::Result<(TempDir, Option<File>)> {
    let prefix = aside(name, STAGING);
    // Between making and locking it, another run may take it for a left-over and remove it.
    for _ in 0..8 {
        let folder = temporary(parent, &prefix)?;
        match lock(folder.path()) {
            Lock::Ours(file) if folder.path().exists() => return Ok((folder, Some(file))),
            Lock::Ours(_) | Lock::Taken => {}
            Lock::Unsupported => return Ok((folder, None)),
        }
    }
    Err(io::Error::other("other runs keep removing it"))
}

enum Lock {
    Ours(File),
    Taken,
    Unsupported,
}

#[cfg(unix)]
fn lock(folder: &Path) -> Lock {
    let Ok(file) = File::open(folder) else { return Lock::Unsupported };
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Lock::Ours(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Lock::Taken,
        Err(_) => Lock::Unsupported,
    }
}

#[cfg(not(unix))]
fn lock(_folder: &Path) -> Lock {
    Lock::Unsupported
}

/// Removes what crashed runs for this place left aside, and puts a report back that a crash caught between two renames.
/// What cannot be removed stays: it is not needed, and the next run tries again.
fn clear_left_overs(parent: &Path, name: &OsStr, place: &Path) {
    let (staging, previous) = (aside(name, STAGING), aside(name, PREVIOUS));
    let Ok(entries) = fs::read_dir(parent) else { return };
    let mut left: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    left.sort();
    for path in left {
        let Some(lies) = path.file_name().map(OsStr::as_encoded_bytes) else { continue };
        let was_previous = lies.starts_with(previous.as_encoded_bytes());
        if !was_previous && !lies.starts_with(staging.as_encoded_bytes()) {
            continue;
        }
        // A link by that name is none of ours and is never followed.
        if !fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir()) || !holds_only_ours(&path) {
            continue;
        }
        let Lock::Ours(_held) = lock(&path) else { continue };
        if was_previous && !place.exists() && own_manifest(&path).is_some() {
            let _back = fs::rename(&path, place);
        } else {
            let _removed = fs::remove_dir_all(&path);
        }
    }
}

/// A left-over may lack its manifest, but has nothing in it that a report would not have.
fn holds_only_ours(folder: &Path) -> bool {
    let ours = |name: &OsStr| {
        is_strewn(name)
            || name == OsStr::new(manifest::SIGNATURE)
            || super::FORMATS.iter().any(|format| name == OsStr::new(format.file.trim_end_matches('/')))
    };
    fs::read_dir(folder).is_ok_and(|mut entries| entries.all(|entry| entry.is_ok_and(|entry| ours(&entry.file_name()))))
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn exchange(new: &Path, place: &Path) -> io::Result<Exchange> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, new, CWD, place, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(Exchange::Atomic),
        Err(Errno::NOSYS | Errno::INVAL | Errno::NOTSUP) => Ok(Exchange::TwoSteps),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn exchange(_new: &Path, _place: &Path) -> io::Result<Exchange> {
    Ok(Exchange::TwoSteps)
}

/// The old folder goes aside, the new one in; when the second fails, the old one comes back. Returns the old one.
fn rename_twice(new: TempDir, place: &Path, parent: &Path, name: &OsStr) -> io::Result<TempDir> {
    let old = temporary(parent, &aside(name, PREVIOUS))?;
    // Held over the renames, so that no other run takes the old report for a left-over meanwhile.
    let _held = lock(place);
    fs::remove_dir(old.path())?;
    fs::rename(place, old.path())?;
    match fs::rename(new.path(), place) {
        Ok(()) => {
            let _gone = new.keep();
            Ok(old)
        }
        Err(error) => match fs::rename(old.path(), place) {
            Ok(()) => Err(error),
            Err(_) => {
                // The only report there is must not be removed with its temporary name.
                let lies_at = old.keep();
                Err(io::Error::new(error.kind(), format!("{error}; the report before it is now {}", lies_at.display())))
            }
        },
    }
}

const TO_THE_DISK: &str = "bring this file to the disk";

/// Waits for files that are on their way to the disk; those that are there as a whole. An error is told to the first who waits for
/// a file alone, so every answer is looked at.
fn arrived(on_its_way: Vec<(PathBuf, Whole, Bringing)>) -> Result<BTreeSet<PathBuf>, FolderError> {
    let mut there = BTreeSet::new();
    for (path, whole, bringing) in on_its_way {
        let done = bringing.join().unwrap_or_else(|_| Err(io::Error::other("the thread that did it ended")));
        done.map_err(|source| FolderError::io(&path, TO_THE_DISK, source))?;
        if whole == Whole::Yes {
            there.insert(path);
        }
    }
    Ok(there)
}

/// Removes the files of a folder beside each other: giving back hundreds of megabytes takes a while. What cannot be removed stays.
fn clear(folder: &Path) {
    let files: Vec<PathBuf> =
        fs::read_dir(folder).map(|found| found.flatten().map(|entry| entry.path()).collect()).unwrap_or_default();
    files.par_iter().for_each(|file| {
        let _folders_stay = fs::remove_file(file);
    });
}

/// Brings every file and folder of the report to the disk, but for those that are there.
fn sync(folder: &Path, there: &BTreeSet<PathBuf>) -> Result<(), FolderError> {
    for entry in walkdir::WalkDir::new(folder).contents_first(true) {
        let entry = entry.map_err(|error| FolderError::io(folder, "read the new report again", error.into()))?;
        if there.contains(entry.path()) {
            continue;
        }
        let done = File::open(entry.path()).and_then(|file| file.sync_all());
        match done {
            // Some file systems cannot sync folders; their files are synced.
            Err(_) if entry.file_type().is_dir() => {}
            done => done.map_err(|source| FolderError::io(entry.path(), TO_THE_DISK, source))?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::render::manifest::FileEntry;
    use crate::report::model::Assessment;

    /// A staged report of one file whose content is `text`.
    fn staged(dest: &Path, text: &str) -> Staging {
        let staging = Staging::prepare(dest, Kind::Audit).expect("a folder that may be replaced");
        staging.create("run.toml").expect("a new file").write_all(text.as_bytes()).expect("room for a few bytes");
        let files = vec![FileEntry { path: "run.toml".to_owned(), bytes: text.len() as u64, sha256: String::new() }];
        let manifest = Manifest::of(&Assessment::default(), files).text().expect("JSON");
        staging.create(manifest::FILE).expect("a new file").write_all(manifest.as_bytes()).expect("room");
        staging
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    fn text(dest: &Path) -> String {
        fs::read_to_string(dest.join("run.toml")).expect("the file of the report")
    }

    #[test]
    fn a_new_report_takes_a_free_place_and_missing_parents_are_made() {
        let home = tempfile::tempdir().expect("a folder");
        let dest = home.path().join("deep/report");
        let published = staged(&dest, "one").publish().expect("published");
        assert_eq!(published.path, dest);
        assert_eq!((published.exchange, published.left_over), (Exchange::Atomic, None));
        assert_eq!(text(&dest), "one");
        assert_eq!(names(&home.path().join("deep")), ["report"]);
    }

    #[test]
    fn an_older_report_is_replaced_as_a_whole_both_ways() {
        for way in [Exchange::Atomic, Exchange::TwoSteps] {
            let home = tempfile::tempdir().expect("a folder");
            let dest = home.path().join("report");
            staged(&dest, "one").publish().expect("published");
            let next = staged(&dest, "two");
            assert_eq!(text(&dest), "one", "until it is published the old one stands");
            let published = next.publish_by(way).expect("published");
            if way == Exchange::TwoSteps {
                assert_eq!(published.exchange, Exchange::TwoSteps);
            }
            assert_eq!(text(&dest), "two");
            assert_eq!(names(&dest), ["manifest.json", "run.toml"]);
            assert_eq!(names(home.path()), ["report"], "nothing stays aside");
        }
    }

    #[test]
    fn an_empty_folder_is_taken() {
        let home = tempfile::tempdir().expect("a folder");
        let dest = home.path().join("report");
        fs::create_dir(&dest).expect("a folder");
        staged(&dest, "one").publish().expect("published");
        assert_eq!(text(&dest), "one");
    }

    #[test]
    fn dropped_without_publishing_leaves_nothing() {
        let home = tempfile::tempdir().expect("a folder");
        drop(staged(&home.path().join("report"), "one"));
        assert!(names(home.path()).is_empty());
    }

    #[test]
    fn foreign_folders_files_and_nameless_places_are_refused() {
        let home = tempfile::tempdir().expect("a folder");
        let refused = |dest: &Path| {
            let error = Staging::prepare(dest, Kind::Audit).expect_err("refused");
            assert!(!error.hint().is_empty());
            error
        };
        let dest = home.path().join("thesis");
        fs::create_dir(&dest).expect("a folder");
        fs::write(dest.join("chapter\u{1b}[31m.tex"), "years of work").expect("a file");
        let error = refused(&dest);
        assert!(matches!(error, FolderError::Foreign { .. }));
        assert!(!error.to_string().contains('\u{1b}'), "names from the disk cannot colour the terminal");

        fs::write(dest.join("manifest.json"), r#"{"tool":{"name":"other","version":"1"}}"#).expect("a file");
        assert!(matches!(refused(&dest), FolderError::Foreign { .. }));

        let file = home.path().join("file");
        fs::write(&file, "x").expect("a file");
        assert!(matches!(refused(&file), FolderError::NotAFolder { .. }));
        assert!(matches!(refused(&file.join("below")), FolderError::Io { .. }));
        for nameless in [".", "..", "/", "a/.."] {
            assert!(matches!(refused(Path::new(nameless)), FolderError::Nameless { .. }), "{nameless}");
        }
        assert_eq!(names(home.path()), ["file", "thesis"]);
    }

    #[test]
    fn a_note_put_into_a_report_is_not_deleted_with_it() {
        let home = tempfile::tempdir().expect("a folder");
        let dest = home.path().join("report");
        staged(&dest, "one").publish().expect("published");
        let before = staged(&dest, "two");
        fs::write(dest.join("sign-off.txt"), "agreed").expect("a file");
        let error = before.publish().expect_err("refused though it was put there after the run began");
        assert!(matches!(&error, FolderError::Stranger { found, .. } if found == "sign-off.txt"), "{error}");
        assert!(matches!(Staging::prepare(&dest, Kind::Audit), Err(FolderError::Stranger { .. })));
        fs::rename(dest.join("sign-off.txt"), dest.join(".DS_Store")).expect("renamed");
        staged(&dest, "two").publish().expect("what file browsers strew about does not stop a report");
        assert_eq!(text(&dest), "two");
    }

    #[test]
    fn what_crashed_runs_left_is_cleared_and_what_is_in_use_or_not_ours_is_not() {
        let home = tempfile::tempdir().expect("a folder");
        let dest = home.path().join("report");
        let crashed = staged(&dest, "crashed").keep();
        let foreign = home.path().join(".report.regrant-staging-mine");
        fs::create_dir(&foreign).expect("a folder");
        fs::write(foreign.join("letter.txt"), "dear").expect("a file");
        let other_place = home.path().join(".other.regrant-staging-abc");
        fs::create_dir(&other_place).expect("a folder");
        assert!(crashed.exists());

        let running = staged(&dest, "running");
        assert!(!crashed.exists());
        let second = staged(&dest, "second");
        assert!(running.path().exists(), "a run that still goes on keeps its folder");
        running.publish().expect("published");
        second.publish().expect("published");
        assert_eq!(text(&dest), "second");
        assert_eq!(names(home.path()), [".other.regrant-staging-abc", ".report.regrant-staging-mine", "report"]);
    }

    #[test]
    fn a_crash_between_two_renames_loses_no_report() {
        let home = tempfile::tempdir().expect("a folder");
        let dest = home.path().join("report");
        staged(&dest, "one").publish().expect("published");
        fs::rename(&dest, home.path().join(".report.regrant-previous-x1")).expect("renamed");
        drop(Staging::prepare(&dest, Kind::Audit).expect("a folder that may be replaced"));
        assert_eq!(text(&dest), "one");
        assert_eq!(names(home.path()), ["report"]);
    }

    #[test]
    fn paths_cannot_leave_the_folder() {
        let home = tempfile::tempdir().expect("a folder");
        let staging = Staging::prepare(&home.path().join("report"), Kind::Audit).expect("a free place");
        for path in ["", "../x", "/etc/x", "a/../../x", "a\\b", "nul\0", "mappings/../../x"] {
            assert!(matches!(staging.create(path), Err(FolderError::Escapes { .. })), "{path:?}");
        }
        staging.create("mappings/checks/x.md").expect("a plain path");
        assert!(matches!(staging.create("mappings/checks/x.md"), Err(FolderError::Io { .. })), "never written twice");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_stay_links_and_access_stays_as_it_was() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let home = tempfile::tempdir().expect("a folder");
        let real = home.path().join("2026-Q3");
        staged(&real, "one").publish().expect("published");
        fs::set_permissions(&real, fs::Permissions::from_mode(0o750)).expect("our own folder");
        let latest = home.path().join("latest");
        symlink(&real, &latest).expect("a link");
        staged(&latest, "two").publish().expect("published");
        assert_eq!(text(&real), "two");
        assert!(latest.is_symlink());
        assert_eq!(fs::metadata(&real).expect("there").permissions().mode() & 0o777, 0o750);
        let nowhere = home.path().join("nowhere");
        symlink(home.path().join("gone"), &nowhere).expect("a link");
        assert!(matches!(Staging::prepare(&nowhere, Kind::Audit), Err(FolderError::NotAFolder { .. })));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn where_nothing_can_be_written_it_says_so() {
        let error = Staging::prepare(Path::new("/proc/report"), Kind::Audit).expect_err("refused");
        assert!(error.to_string().starts_with("/proc: cannot"), "{error}");
        assert!(!error.hint().is_empty());
        let full = FolderError::io(Path::new("x"), "write this file", io::ErrorKind::StorageFull.into());
        assert!(full.hint().starts_with("make room"));
    }
}
