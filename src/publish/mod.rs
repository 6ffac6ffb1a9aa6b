//! A site of reports that a scheduler keeps up: one folder a run, and an index that is exchanged by one rename.
//!
//! ```text
//! SITE/runs/2026-10-05T000000Z-1a2b3c4d/   a report, whole; the name is as_of and the run digest's first digits
//! SITE/generations/000042/                 index.html, status.json, history.jsonl, latest → the run, runs → ../../runs
//! SITE/current → generations/000042        the one link that is exchanged
//! SITE/pins.txt                            runs that retention leaves alone, a name a line
//! ```
//!
//! Everything is on the disk before the link is exchanged, so that a crash at any moment leaves the site as it was. What
//! it left aside the next run removes, under the lock that only one run holds.

pub mod history;
pub mod keep;
pub mod page;
pub mod site;
pub mod status;
