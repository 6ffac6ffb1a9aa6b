//! `verify`: is a report as it was written, and by whom?

use std::fmt::Write as _;
use std::fs;

use super::layout::{count, shown, wrapped};
use super::{Said, VerbError};
use crate::cli::Verify;
use crate::proof::ProofError;
use crate::proof::sign::{self, Signed};
use crate::proof::verify::{Fault, Verified, verify as look};
use crate::render::manifest;

/// The exit code when something is not as it was written.
pub const NOT_AS_WRITTEN: u8 = 12;

/// Checks every file, and the signature where there is one or one is asked for.
///
/// # Errors
/// When the folder has no manifest, or the file of signers has no key.
pub fn verify(args: &Verify) -> Result<Said, VerbError> {
    let found = look(&args.report, args.inputs.as_deref())?;
    let place = args.report.join(manifest::SIGNATURE);
    let signature = match fs::read(&place) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(ProofError::unread(&place, &error).into()),
    };
    let signers = match &args.signer {
        Some(path) => Some((path, fs::read_to_string(path).map_err(|error| ProofError::unread(path, &error))?)),
        None => None,
    };
    let named = signers.as_ref().map(|(path, text)| (path.as_path(), text.as_str()));
    let signed = match &signature {
        Some(bytes) => Some(sign::check(&found.manifest_bytes, bytes, named)?),
        None => None,
    };
    let forged = match (&signed, named.is_some()) {
        (Some(Signed::Not(_)), _) | (None, true) => 1,
        _ => 0,
    };
    let code = if found.faults.is_empty() && forged == 0 { 0 } else { NOT_AS_WRITTEN };
    let text = if args.quiet && code == 0 { String::new() } else { text(args, &found, signed.as_ref()) };
    Ok(Said { text, notes: Vec::new(), code })
}

fn text(args: &Verify, found: &Verified, signed: Option<&Signed>) -> String {
    let mut out = String::new();
    for fault in &found.faults {
        let line = match fault {
            Fault::Manifest(why) => format!("altered: {}: {why}", manifest::FILE),
            Fault::Altered(path, why) => format!("altered: {path}: {why}"),
            Fault::Missing(path) => format!("missing: {path}"),
            Fault::Added(path) => format!("added: {path}: the manifest does not list it"),
            Fault::InputAltered(path, why) => format!("input altered: {path}: {why}"),
            Fault::InputMissing(path) => format!("input missing: {path}"),
        };
        let _ = writeln!(out, "{}", shown(&line));
    }
    let place = shown(&args.report.to_string_lossy());
    let files = count(found.sound, "file is", "files are");
    let verdict = if found.faults.is_empty() { "untouched" } else { "not as it was written" };
    let _ = writeln!(out, "{place}: {verdict}; {files} as the manifest says");
    if let Some(manifest) = &found.manifest {
        let line = format!(
            "  written by regrant {}, as of {}, run {}",
            manifest.tool.version, manifest.as_of, manifest.run_digest
        );
        let _ = writeln!(out, "{}", shown(&line));
    }
    if let Some(sound) = found.inputs_sound {
        let _ = writeln!(out, "  inputs: {} as they were read", count(sound, "file is", "files are"));
        if !found.inputs_unhashed.is_empty() {
            let unhashed = found.inputs_unhashed.len() as u64;
            let _ = writeln!(
                out,
                "  inputs: of {} only the size is known (--input-hash none)",
                count(unhashed, "file", "files")
            );
        }
    }
    let said = match signed {
        Some(Signed::ByNamed(key)) => format!("signed by a key that was named: {key}"),
        Some(Signed::BySomebody(key)) => {
            format!(
                "signed by the key {key}, which nobody vouches for here: name who must have signed with `--signer FILE`"
            )
        }
        Some(Signed::Not(why)) => format!("signature: {why}"),
        None if args.signer.is_some() => "not signed, although a signer is asked for".to_owned(),
        None => {
            "not signed: this finds accident, not forgery, since whoever can alter a file can write a new manifest; \
                 sign reports with `--sign-key`"
                .to_owned()
        }
    };
    out.push_str(&wrapped(&shown(&said), 2));
    out
}
