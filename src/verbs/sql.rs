//! `sql`: the script that judges tables of facts in another engine.

use super::{Knowledge, VerbError, printed};
use crate::assess::waiver::Waiver;
use crate::cli;
use crate::lake::script::Script;

/// The script, or where it was written to. `started` says which waivers of the config are in force where a run does not.
///
/// # Errors
/// Bad config or mappings, a check or waiver that the engine cannot be told.
pub fn sql(args: &cli::Sql, started: i64) -> Result<String, VerbError> {
    let knowledge = Knowledge::load(&args.house)?;
    let config = &knowledge.config;
    super::known_severities(config, &knowledge.catalogue)?;
    let waivers = Waiver::compile(config, &knowledge.catalogue, &knowledge.registry, config.as_of.unwrap_or(started))?;
    let script = Script {
        dialect: args.dialect.dialect(),
        config,
        catalogue: &knowledge.catalogue,
        waivers: &waivers,
        table: &args.table,
        views: &args.views,
        version: env!("CARGO_PKG_VERSION"),
    };
    printed(script.print().map_err(Box::new)?, args.output.as_deref())
}
