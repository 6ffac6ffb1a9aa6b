//! Checks: two predicates over facts, kept as documents, judged in one pass.
//!
//! Knows nothing of frameworks, waivers or reports.

use serde::{Deserialize, Serialize};

/// Severity of a finding, most severe first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Access regained by someone who should not have it, or a takeover path.
    Critical,
    /// A control absent on a sensitive identity, or separation of duties broken.
    High,
    /// A control weak, or evidence missing.
    Medium,
    /// Hygiene.
    Low,
    /// Worth knowing.
    Info,
}
