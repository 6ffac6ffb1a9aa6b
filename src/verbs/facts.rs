//! `facts`: from exports to a table of facts.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::layout::{count, shown};
use super::{Said, VerbError, aside, config, unwritable};
use crate::cli;
use crate::lake::table;
use crate::run::{self, InputHash, Progress, Request, Subjects};
use crate::time;

/// How a Parquet file begins.
const MAGIC: &[u8] = b"PAR1";

/// Reads the inputs and writes the table. `started` is the instant `as_of` falls back to.
///
/// # Errors
/// Bad config or mappings, inputs that cannot be read, a file that cannot be written or is no Parquet.
pub fn facts(args: &cli::Facts, started: i64, progress: &Progress) -> Result<Said, VerbError> {
    let mut config = config(&args.house)?;
    let zone = config.zone();
    config.since = args.since.map(|at| at.in_zone(zone)).or(config.since);
    config.until = args.until.map(|at| at.in_zone(zone)).or(config.until);
    super::audit::period(&config)?;
    let as_of = args.as_of.map(|at| at.in_zone(zone)).or(config.as_of);
    let request = Request {
        paths: args.paths.clone(),
        config,
        as_of: as_of.unwrap_or(started),
        as_of_source: if as_of.is_some() { "command line or config" } else { "start of the program" },
        mappings: args.house.mappings.clone(),
        input_hash: InputHash::None,
        subjects: Subjects::Never,
        identity: None,
        redact: None,
    };
    // Before anything is read, so that nobody waits for a table that may not be written.
    let place = shown(&args.output.to_string_lossy());
    if !replaceable(&args.output).map_err(|error| unwritable(&place, &error.to_string()))? {
        return Err(VerbError::own(
            format!("{place}: there is a file that is no Parquet"),
            "name another file with `-o`, or remove this one",
        ));
    }
    let aside = aside(&args.output).map_err(|error| unwritable(&place, &error.to_string()))?;

    let made = run::with_world(&request, progress, |world| {
        let written = table::write(world, env!("CARGO_PKG_VERSION"), aside.as_file());
        let inputs = &world.settled.inputs;
        let (read, rejected) = inputs.iter().fold((0, 0), |sum, i| (sum.0 + i.read, sum.1 + i.rejected));
        let too_many = inputs.iter().any(|i| i.rejected as f64 > args.max_rejected * i.read as f64);
        written.map(|written| (written, inputs.len() as u64, read, rejected, too_many))
    })?;
    let (written, inputs, read, rejected, too_many) = made.map_err(|error| unwritable(&place, &error.to_string()))?;
    if inputs == 0 {
        return Err(VerbError::own(
            "no file is recognised, so there are no facts",
            "`regrant audit --explain-input FILE` says why, `regrant list sources` what is read",
        ));
    }
    aside.as_file().sync_all().map_err(|error| unwritable(&place, &error.to_string()))?;
    aside.persist(&args.output).map_err(|error| unwritable(&place, &error.error.to_string()))?;

    let mut text = String::new();
    if !args.quiet {
        text = format!(
            "{place}: {} and {} as of {}, from {} of {}\n",
            count(written.resets, "reset", "resets"),
            count(written.credentials, "credential", "credentials"),
            time::format_instant(request.as_of),
            count(read, "record", "records"),
            count(inputs, "input", "inputs"),
        );
        if rejected > 0 {
            let of = if rejected == 1 { "1 record was".to_owned() } else { format!("{rejected} records were") };
            text.push_str(&format!("{of} rejected; `regrant audit` says which and why\n"));
        }
    }
    let code = if too_many { run::Ending::Rejected } else { run::Ending::Clean }.code();
    let mut notes = Vec::new();
    if too_many && !args.quiet {
        let most = args.max_rejected * 100.0;
        notes
            .push(format!("exit code {code}: more than {most} % of an input's records were rejected (--max-rejected)"));
    }
    Ok(Said { text, notes, code })
}

/// Is there nothing, or an older table?
fn replaceable(file: &Path) -> std::io::Result<bool> {
    match File::open(file) {
        Ok(file) => {
            let mut begin = Vec::new();
            file.take(MAGIC.len() as u64).read_to_end(&mut begin)?;
            Ok(begin == MAGIC)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}
