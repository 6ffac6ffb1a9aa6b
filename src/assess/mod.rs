//! From facts to verdicts: the engine's one pass, waivers, frameworks.

pub mod engine;
pub mod framework;
pub mod marks;
pub mod waiver;
