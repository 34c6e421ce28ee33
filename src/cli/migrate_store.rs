//! `migrate-store`: copies a database to another location.

use std::io::{Write, stdout};
use std::path::Path;
use std::time::Instant;

use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};

use super::failure::Failure;
use super::progress::bar_of_rows;
use crate::config::{Config, ServerSettings, read_location};
use crate::data_dir::DataDir;
use crate::migration::{Migrated, MigrationError, Phase, migrate};
use crate::store::Location;

#[derive(Args, Debug)]
pub(super) struct MigrateStoreCommand {
    /// Database to copy, as --database takes it; it is not changed
    #[arg(long, value_name = "LOCATION")]
    from: SecretString,
    /// New database, as --database takes it: a file that does not exist yet, or an empty database
    /// of a server; one that an interrupted copy has begun is continued
    #[arg(long, value_name = "LOCATION")]
    to: SecretString,
}

impl MigrateStoreCommand {
    /// `server` has the settings of a database on a server.
    pub(super) fn run(&self, config: &Config, server: &ServerSettings) -> Result<(), Failure> {
        let from = read_location("--from", &self.from, server)?;
        let to = read_location("--to", &self.to, server)?;
        warn_of_password("--from", &self.from);
        warn_of_password("--to", &self.to);
        let (bar, began) = (bar_of_rows(), Instant::now());
        let migrated = migrate(&from, &to, &mut |progress| {
            bar.set_message(match progress.phase {
                Phase::Copying => "copying",
                Phase::Checking => "checking",
            });
            bar.set_length(progress.all);
            bar.set_position(progress.done);
            true
        });
        bar.finish_and_clear();
        let migrated = migrated.map_err(|error| match error {
            MigrationError::Same => Failure::usage(error.to_string()),
            error => Failure::of(&error),
        })?;
        let mut out = stdout().lock();
        print(&mut out, &migrated, &from, &to, config, began.elapsed().as_secs())?;
        Ok(out.flush()?)
    }
}

fn warn_of_password(flag: &str, text: &SecretString) {
    if Location::parse(text.expose_secret().trim()).is_ok_and(|location| location.has_password()) {
        log::warn!(
            "{flag} has a password, which is visible in the process list to every user of this \
             machine: use --database-password-file"
        );
    }
}

fn print(
    out: &mut impl Write,
    migrated: &Migrated,
    from: &Location,
    to: &Location,
    config: &Config,
    seconds: u64,
) -> std::io::Result<()> {
    let from_file = from.file();
    let (from, to) = (from.setting(), to.setting());
    writeln!(out, "copied {from} to {to} in {seconds} s; both have:")?;
    for copied in &migrated.tables {
        let (table, rows) = (copied.table.name(), copied.rows);
        writeln!(out, "  {table:<16}{rows:>8} rows, SHA-256 {}", copied.sha256)?;
    }
    if migrated.found > 0 {
        writeln!(out, "{} rows were there from an interrupted run", migrated.found)?;
    }
    // The keys are mostly beside a file; those of a server are where the command's settings say.
    let has_keys = |dir: &&Path| DataDir::new(dir.to_path_buf()).seal_key().exists();
    let of_file = from_file.and_then(Path::parent).filter(has_keys);
    let dir = of_file.or_else(|| Some(config.data_dir.path()).filter(has_keys));
    let here = dir.map_or_else(String::new, |dir| format!(" (here {})", dir.display()));
    writeln!(
        out,
        "now set `database = \"{to}\"` in the configuration, and start the service\n\
         seal.key and cookie.key stay in the data directory of the service{here}: each receiver of \
         the new database needs the same two files, and the same tokens"
    )
}
