//! Regrant audits credential resets.

pub mod check;
pub mod report;
