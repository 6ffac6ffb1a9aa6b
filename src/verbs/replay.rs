//! `replay`: a report computed again, and compared byte by byte.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use super::audit::with_bundle;
use super::layout::{count, shown};
use super::verify::NOT_AS_WRITTEN;
use super::{Said, VerbError};
use crate::cli::Replay;
use crate::proof::Kept;
use crate::proof::replay::replay as again;
use crate::render::manifest::{self, FileEntry, Manifest};
use crate::render::{self, Bundle, FORMATS, Formats};
use crate::run::Progress;

/// Computes a report again and says which of its files come out the same.
///
/// # Errors
/// When the report or its inputs cannot be read.
pub fn replay(args: &Replay, progress: &Progress) -> Result<Said, VerbError> {
    let kept = Kept::open(&args.report)?;
    let replayed = again(&kept, &args.inputs, args.previous.as_deref(), args.baseline.as_deref(), progress)?;
    let listed = kept.listed();
    let formats =
        Formats::parse(FORMATS.iter().filter(|format| listed.contains_key(format.file)).map(|format| format.id))?;
    let (out, code) = with_bundle(&replayed.report, formats, replayed.view, |bundle| compared(args, &kept, bundle))?;
    let mut text = if args.quiet && code == 0 { String::new() } else { out };
    if code != 0 {
        for cause in &replayed.causes {
            let _ = writeln!(text, "because: {}", shown(cause));
        }
        if replayed.causes.is_empty() {
            let _ = writeln!(
                text,
                "not explained: inputs, version and mappings are as they were; `regrant verify` tells whether the report is"
            );
        }
    }
    Ok(Said { text, notes: Vec::new(), code })
}

fn compared(args: &Replay, kept: &Kept, bundle: &Bundle<'_>) -> Result<(String, u8), VerbError> {
    let made = render::entries(bundle)?;
    let text = Manifest::of(bundle.assessment, made.clone()).text().map_err(|error| {
        VerbError::own(format!("the manifest cannot be made: {error}"), "this is a fault of regrant: please report it")
    })?;
    let now: BTreeMap<&str, &FileEntry> = made.iter().map(|entry| (entry.path.as_str(), entry)).collect();
    let then = kept.listed();
    let mut out = String::new();
    let mut same = 0_u64;
    for (path, entry) in &then {
        match now.get(path) {
            Some(is) if is == entry => same += 1,
            Some(_) => {
                let place = first_difference(kept, bundle, path)?;
                let _ = writeln!(out, "differs: {}{place}", shown(path));
            }
            None => {
                let _ = writeln!(out, "not made again: {}", shown(path));
            }
        }
    }
    for path in now.keys().filter(|path| !then.contains_key(*path)) {
        let _ = writeln!(out, "made now, but not then: {}", shown(path));
    }
    let written = fs::read(kept.folder.join(manifest::FILE)).unwrap_or_default();
    if written == text.as_bytes() {
        same += 1;
    } else {
        let _ = writeln!(out, "differs: {}", manifest::FILE);
    }
    let all = then.len() as u64 + 1;
    let place = shown(&args.report.to_string_lossy());
    if same == all && out.is_empty() {
        let _ = writeln!(out, "{place}: computed again, {} byte for byte the same", count(all, "file", "files"));
        return Ok((out, 0));
    }
    let _ = writeln!(out, "{place}: {same} of {all} files are the same");
    Ok((out, NOT_AS_WRITTEN))
}

/// Where a file of text differs first, for whoever looks for the reason.
fn first_difference(kept: &Kept, bundle: &Bundle<'_>, path: &str) -> Result<String, VerbError> {
    let (Some(now), Ok(then)) = (render::one(bundle, path)?, fs::read(kept.folder.join(path))) else {
        return Ok(String::new());
    };
    let (Ok(now), Ok(then)) = (String::from_utf8(now), String::from_utf8(then)) else { return Ok(String::new()) };
    let number = now.lines().zip(then.lines()).position(|(a, b)| a != b);
    let number = number.unwrap_or_else(|| now.lines().count().min(then.lines().count()));
    let cut = |text: &str| -> String {
        let line = text.lines().nth(number).unwrap_or("(no such line)").trim();
        line.chars().take(120).collect()
    };
    Ok(format!("\n  line {}\n    then: {}\n    now:  {}", number + 1, shown(&cut(&then)), shown(&cut(&now))))
}
