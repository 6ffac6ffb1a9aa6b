//! The floor for a bucket of small gzip objects: every file below a folder is read and inflated, on all threads, and nothing else is
//! done. `cargo bench --bench inflate -- FOLDER [RUNS]` prints the seconds of each run and the bytes.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a bench prints what it measured")]

use std::cell::RefCell;
use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use flate2::bufread::MultiGzDecoder;
use rayon::prelude::*;

thread_local! {
    static BUFFERS: RefCell<(Vec<u8>, Vec<u8>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

/// Bytes that a file unpacks to.
fn inflated(path: &PathBuf) -> std::io::Result<usize> {
    BUFFERS.with_borrow_mut(|(raw, text)| {
        raw.clear();
        text.clear();
        std::fs::File::open(path)?.read_to_end(raw)?;
        MultiGzDecoder::new(raw.as_slice()).read_to_end(text)
    })
}

fn main() -> ExitCode {
    // Cargo adds words of its own.
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    let Some(folder) = words.next() else {
        eprintln!("name a folder: cargo bench --bench inflate -- FOLDER [RUNS]");
        // `cargo bench` without words runs every bench.
        return ExitCode::SUCCESS;
    };
    let runs: usize = words.next().and_then(|runs| runs.parse().ok()).unwrap_or(5);
    for _ in 0..runs {
        let started = Instant::now();
        let files: Vec<PathBuf> = walkdir::WalkDir::new(&folder)
            .into_iter()
            .filter_map(Result::ok)
            .filter(|entry| entry.file_type().is_file())
            .map(walkdir::DirEntry::into_path)
            .collect();
        match files.par_iter().map(inflated).try_reduce(|| 0, |a, b| Ok(a + b)) {
            Ok(bytes) => println!("{:.3} s, {} files, {bytes} bytes", started.elapsed().as_secs_f64(), files.len()),
            Err(error) => {
                eprintln!("{folder}: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
