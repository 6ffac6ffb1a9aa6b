//! Regrant audits credential resets.

pub mod assess;
pub mod check;
pub mod config;
pub mod fact;
pub mod identity;
pub mod mappings;
pub mod render;
pub mod report;
pub mod rows;
pub mod run;
pub mod settle;
pub mod source;
pub mod table;
pub mod text;
pub mod time;
