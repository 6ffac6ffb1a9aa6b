//! A door to larger engines: the facts of every subject as a table, and the script that judges such tables there.
//!
//! So an organisation can keep years of facts and judge them again under a new policy. [`table`] writes one run's facts,
//! [`script`] prints SQL from the checks in force. Most thresholds are compared by predicates and may be other ones later;
//! some are part of facts, and [`basis`] is what keeps the two from being mixed: a fact that was computed under another
//! value is not known to the script.

pub mod basis;
pub mod script;
pub mod table;
