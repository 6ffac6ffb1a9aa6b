//! Regrant audits credential resets: it joins identity logs, HR rosters, credential inventories, directories and
//! tickets, and says for every reset whether it should have happened, with the population behind every number.
//!
//! ```text
//!  files ─▶ source ─▶ rows ─▶ settle ─▶ identity ─▶ fact ─▶ check ─▶ assess ─▶ report ─▶ render
//!           mapping   canonical  one     who is      columns  two       waivers,  plain     html csv
//!           (.toml)   columns    place   who         once     predicates frameworks structs  jsonl json
//! ```
//!
//! One way, left to right. Three kinds of knowledge are data, not Rust, under `mappings/`: how a vendor's record becomes
//! a canonical row, which facts make a failure, which requirement a check is evidence for. Polars ends where `report`
//! begins; nothing after `main` reads the clock, the environment or the network.
//!
//! A run from a program of one's own:
//!
//! ```
//! use std::sync::Arc;
//! use regrant::config::Config;
//! use regrant::run::{InputHash, Request, Subjects, audit};
//!
//! let folder = std::env::temp_dir().join("regrant-doc-example");
//! std::fs::create_dir_all(&folder)?;
//! std::fs::write(folder.join("people.csv"), "person_id,email,ended_on\nE1,ann@corp.example,2026-08-31\n")?;
//! std::fs::write(
//!     folder.join("events.csv"),
//!     "event_id,occurred_at,system,action,target\nx,2026-09-01T00:00:00Z,okta,password-reset,ann@corp.example\n",
//! )?;
//! let request = Request {
//!     paths: vec![folder],
//!     config: Config::default(),
//!     as_of: 1_790_000_000_000_000,
//!     as_of_source: "command line",
//!     mappings: Vec::new(),
//!     input_hash: InputHash::Sha256,
//!     subjects: Subjects::Auto,
//!     identity: None,
//!     redact: None,
//! };
//! let report = audit(&request, &(Arc::new(|_, _| {}) as regrant::run::Progress))?;
//! assert!(report.findings.iter().any(|f| f.check == "reset-after-offboarding"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod assess;
pub mod check;
pub mod cli;
pub mod config;
pub mod fact;
pub mod hours;
pub mod hunt;
pub mod identity;
pub mod instants;
pub mod lake;
pub mod mappings;
pub mod proof;
pub mod publish;
pub mod redact;
pub mod render;
pub mod report;
pub mod rows;
pub mod run;
pub mod runs;
pub mod settle;
pub mod slots;
pub mod source;
pub mod table;
pub mod text;
pub mod time;
pub mod verbs;
