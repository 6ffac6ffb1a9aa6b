//! Says which folders the binary carries, so that a changed file of them is compiled in (`include_dir!` does not), and of which
//! commit a source archive is.

use std::fs;
use std::path::Path;

fn main() {
    for folder in ["mappings", "templates", "sample-data", "schemas"] {
        println!("cargo:rerun-if-changed={folder}");
    }
    // Neither changes in a working tree, so that nothing is compiled again for a commit; who builds from one says which it is in
    // the variable REGRANT_COMMIT, which `src/main.rs` reads.
    // A file that is not there would have this run at every build.
    for file in [".cargo_vcs_info.json", ".git-archive"].into_iter().filter(|file| Path::new(file).exists()) {
        println!("cargo:rerun-if-changed={file}");
    }
    if let Some(commit) = packaged().or_else(archived) {
        println!("cargo:rustc-env=REGRANT_SOURCE_COMMIT={commit}");
    }
}

/// As `cargo package` notes it: `{"git": {"sha1": "…"}}`.
fn packaged() -> Option<String> {
    let text = fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let (_, rest) = text.split_once("\"sha1\"")?;
    commit(rest.split('"').nth(1)?)
}

/// As `git archive` writes it over the file's one word.
fn archived() -> Option<String> {
    commit(fs::read_to_string(".git-archive").ok()?.trim())
}

fn commit(text: &str) -> Option<String> {
    (text.len() >= 7 && text.bytes().all(|b| b.is_ascii_hexdigit())).then(|| text.to_owned())
}
