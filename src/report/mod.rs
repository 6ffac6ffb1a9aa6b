//! The report as data: [`model`] and how it is built.

pub mod build;
pub mod coverage;
pub mod evidence;
pub mod model;
pub mod plan;
