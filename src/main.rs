//! Regrant.
fn main() {}
