//! `set-wal-aside`: renames the WAL of an old database that was left beside a restored one.

use std::io::{Write as _, stdout};

use super::failure::Failure;
use crate::clock::{Clock, format_utc};
use crate::config::Config;
use crate::database::refuse_within_a_restore;
use crate::store::{SetAside, exists, set_log_aside};

pub(super) fn run(config: &Config) -> Result<(), Failure> {
    let database = &config.location;
    if database.file().is_none() {
        return Err(Failure::Failed(format!(
            "the database {database} is no file of SQLite and has no WAL: there is nothing to set \
             aside"
        )));
    }
    refuse_within_a_restore(config).map_err(|error| Failure::of(&error))?;
    if !exists(database).map_err(|error| Failure::of(&error))? {
        return Err(Failure::Failed(format!(
            "there is no database at {}: put the backup there first",
            database
        )));
    }
    let _locks = config.data_dir.lock(database.file()).map_err(|error| Failure::of(&error))?;
    let stamp = format_utc(Clock::System.now()).replace(['-', ':'], "");
    let failed =
        |error| Failure::Failed(format!("cannot set the WAL of {} aside: {error}", database));
    let mut out = stdout().lock();
    match set_log_aside(database, &stamp).map_err(failed)? {
        SetAside::Nothing => {
            writeln!(out, "{} has no WAL with any content: nothing was set aside", database)?;
        }
        SetAside::Belongs(wal) => {
            return Err(Failure::Failed(format!(
                "the WAL {} belongs to the database, and the newest postbacks may be in it alone: \
                 nothing was set aside; start the service, which uses both",
                wal.display()
            )));
        }
        SetAside::Done(aside, bytes) => {
            writeln!(out, "set aside: {} ({bytes} bytes)", aside.display())?;
            writeln!(
                out,
                "Its content is not in the database. Start the service again, and restart other \
                 programs that read the database."
            )?;
        }
    }
    Ok(())
}
