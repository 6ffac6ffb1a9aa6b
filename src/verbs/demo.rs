//! `demo`: the sample organisation that travels in the binary, laid down and audited.

use std::fs;
use std::io;
use std::path::Path;

use include_dir::{Dir, File, include_dir};

use super::{Said, VerbError, audit};
use crate::cli::{Audit, Demo, House, Hunt, Terms};
use crate::run::Progress;

static SAMPLE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/sample-data");

/// Writes the sample data to `input/` and its report to `report/`.
///
/// # Errors
/// When `input/` holds anything that is not the sample's own, or cannot be written.
pub fn demo(args: &Demo, started: i64, progress: &Progress) -> Result<Said, VerbError> {
    if args.hunt {
        return hunt_demo(args, started, progress);
    }
    let place = args.place();
    let input = place.join("input");
    let mut files = Vec::new();
    collect(&SAMPLE, &mut files);
    only_ours(&input, &files)?;
    for file in &files {
        let path = input.join(file.path());
        let write = || {
            fs::create_dir_all(path.parent().unwrap_or(&input))?;
            fs::write(&path, file.contents())
        };
        write().map_err(|error| refused(&path, "write", &error))?;
    }
    let args = Audit {
        explain_input: None,
        paths: vec![input.clone()],
        house: House { config: Some(input.join("regrant.toml")), mappings: Vec::new() },
        output: place.join("report"),
        terms: Terms { max_rejected: 1.0, quiet: args.quiet, ..Terms::default() },
        identity: None,
    };
    audit::audit(&args, started, progress)
}

/// Writes three months of a large organisation to `input/` and hunts through them.
fn hunt_demo(args: &Demo, started: i64, progress: &Progress) -> Result<Said, VerbError> {
    let place = args.place();
    let input = place.join("input");
    let files = crate::hunt::sample::files();
    for entry in walkdir::WalkDir::new(&input).sort_by_file_name().into_iter().flatten() {
        let ours =
            entry.path().strip_prefix(&input).is_ok_and(|path| files.iter().any(|(name, _)| Path::new(name) == path));
        if !entry.file_type().is_dir() && !ours {
            let message = format!("{}: is not of the sample data", entry.path().display());
            return Err(VerbError::own(message, "name another folder: `regrant demo --hunt DIR`"));
        }
    }
    for (name, content) in files {
        let path = input.join(name);
        let write = || {
            fs::create_dir_all(path.parent().unwrap_or(&input))?;
            fs::write(&path, content)
        };
        write().map_err(|error| refused(&path, "write", &error))?;
    }
    let args = Hunt {
        paths: vec![input],
        identity: Vec::new(),
        executor: Vec::new(),
        ip: Vec::new(),
        ticket: Vec::new(),
        credential: Vec::new(),
        since: None,
        until: None,
        as_of: None,
        case: None,
        align_clocks: false,
        input_hash: crate::cli::Hash::Sha256,
        house: House { config: None, mappings: Vec::new() },
        output: place.join("hunt"),
        threads: args.threads,
        quiet: args.quiet,
        progress: crate::cli::Show::Auto,
    };
    // The sample ends at a date of its own.
    super::hunt::hunt(&args, started.max(crate::hunt::sample::AS_OF), progress)
}

fn collect(folder: &'static Dir<'static>, files: &mut Vec<&'static File<'static>>) {
    files.extend(folder.files());
    for below in folder.dirs() {
        collect(below, files);
    }
}

/// Somebody's own exports must not be mixed with invented ones, and somebody's changes to the sample not be lost.
fn only_ours(input: &Path, files: &[&File<'_>]) -> Result<(), VerbError> {
    let help = "name another folder: `regrant demo DIR`";
    if fs::symlink_metadata(input).is_ok_and(|meta| !meta.is_dir()) {
        return Err(VerbError::own(format!("{}: is not a folder", input.display()), help));
    }
    if !input.exists() {
        return Ok(());
    }
    for entry in walkdir::WalkDir::new(input).sort_by_file_name() {
        let entry = entry.map_err(|error| VerbError::own(format!("{}: {error}", input.display()), help))?;
        if entry.file_type().is_dir() {
            continue;
        }
        let ours = entry.path().strip_prefix(input).ok().and_then(|path| files.iter().find(|file| file.path() == path));
        let Some(ours) = ours.filter(|_| entry.file_type().is_file()) else {
            return Err(VerbError::own(format!("{}: is not of the sample data", entry.path().display()), help));
        };
        let now = fs::read(entry.path()).map_err(|error| refused(entry.path(), "read", &error))?;
        if now != ours.contents() {
            let message = format!("{}: is not as the sample data has it", entry.path().display());
            return Err(VerbError::own(message, format!("{help}, or delete that file")));
        }
    }
    Ok(())
}

fn refused(path: &Path, doing: &str, error: &io::Error) -> VerbError {
    let help = "name a folder that you may write to: `regrant demo DIR`";
    VerbError::own(format!("{}: cannot {doing} this file: {error}", path.display()), help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_samples_own_files_are_replaced() {
        let place = tempfile::tempdir().expect("a folder of our own");
        let mut files = Vec::new();
        collect(&SAMPLE, &mut files);
        assert!(files.iter().any(|file| file.path() == Path::new("regrant.toml")));
        only_ours(&place.path().join("input"), &files).expect("there is none");
        let config = place.path().join("regrant.toml");
        fs::write(&config, SAMPLE.get_file("regrant.toml").expect("the sample has a config").contents())
            .expect("it is writable");
        only_ours(place.path(), &files).expect("it is the sample's own");
        fs::write(&config, "title = 'mine'").expect("it is writable");
        assert!(only_ours(place.path(), &files).is_err());
        fs::remove_file(&config).expect("it is there");
        fs::write(place.path().join("okta.json"), "[]").expect("it is writable");
        assert!(only_ours(place.path(), &files).is_err());
    }
}
