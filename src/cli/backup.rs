//! `backup`: copies the database, beside a running service or without one.

use std::io::{Write as _, stdout};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Args;
use serde_json::json;

use super::failure::{Failure, judged};
use super::progress::bar_of_bytes;
use crate::backup::{Made, Wishes, copy};
use crate::chain::chain;
use crate::clock::{Clock, format_utc};
use crate::config::Config;
use crate::counted::counted;
use crate::database;
use crate::key_file::ring::files_of;
use crate::store::{CopyError, CopyWatch, DatabaseState, OpenError, open_for_copy};

#[derive(Args, Debug)]
pub(super) struct BackupCommand {
    /// Directory for the backup, which must exist [default: that of --backup-dir]
    dir: Option<PathBuf>,
    /// Then remove older backups from the directory, so that this many stay; no other file is
    /// touched
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    keep: Option<u32>,
    /// Save the keys and the tokens too, in a second file that only its owner can read
    #[arg(long)]
    with_keys: bool,
    /// Print the result as a JSON object
    #[arg(long)]
    json: bool,
}

impl BackupCommand {
    pub(super) fn run(&self, config: &Config) -> Result<(), Failure> {
        if config.location.file().is_none() {
            return Err(Failure::of(&CopyError::NoFile));
        }
        let place = || config.location.to_string();
        match database::state(config)? {
            DatabaseState::Missing => return Err(database::missing(config).into()),
            DatabaseState::Begun => return Err(OpenError::Begun(place()).into()),
            DatabaseState::Older(_) | DatabaseState::Current => {}
        }
        let wishes = Wishes {
            dir: self.dir.clone().unwrap_or_else(|| config.backup.wishes.dir.clone()),
            keep: self.keep,
            with_keys: self.with_keys,
        };
        if self.dir.is_none() {
            config.backup.make_directory(&config.data_dir).map_err(|error| Failure::of(&error))?;
        }
        let made = make(config, &wishes)?;
        let mut out = stdout().lock();
        let printed = match self.json {
            true => writeln!(out, "{}", as_json(&made)),
            false => print(&mut out, &made, config, &wishes.dir),
        };
        let printed = printed.and_then(|()| out.flush()).map_err(Failure::from);
        let removed = made.removed.map(|_| ()).map_err(|error| {
            Failure::Failed(format!("cannot remove older backups: {}", chain(&error)))
        });
        judged(printed, removed)
    }
}

fn make(config: &Config, wishes: &Wishes) -> Result<Made, Failure> {
    let stop = Arc::<AtomicBool>::default();
    let bar = bar_of_bytes();
    bar.set_message("copying");
    let mut progress = |done, all| {
        bar.set_length(all);
        bar.set_position(done);
        true
    };
    let mut watch = CopyWatch { stop: &stop, is_gentle: true, progress: &mut progress };
    let reader = open_for_copy(&config.location)?;
    let now = Clock::System.now();
    let copied = copy(&*reader, &config.location, &config.data_dir, wishes, now, &mut watch);
    drop(reader);
    bar.set_message("checking");
    let made = copied.and_then(|copied| copied.finish(&stop));
    bar.finish_and_clear();
    made.map_err(|error| Failure::of(&error))
}

/// The file of the key that opens seals; during a rotation all of them.
fn seal_keys(config: &Config) -> String {
    let [current, next, former] = files_of(config.data_dir.seal_key());
    let others = [former, next].into_iter().filter(|path| path.exists());
    let names: Vec<_> =
        std::iter::once(current).chain(others).map(|path| path.display().to_string()).collect();
    names.join(" and ")
}

fn print(
    out: &mut impl std::io::Write,
    made: &Made,
    config: &Config,
    dir: &Path,
) -> std::io::Result<()> {
    writeln!(out, "{made}")?;
    let keys = seal_keys(config);
    match (&made.keys, made.sealed) {
        (Some(keys), _) => {
            writeln!(out, "keys and tokens: {}; keep this file secret", keys.display())?;
        }
        (None, Some(0)) => writeln!(out, "without keys: keep {keys} apart")?,
        (None, sealed) => {
            let passwords = match sealed {
                Some(count) => counted(count, "password"),
                None => "passwords that are not hashed yet".into(),
            };
            writeln!(
                out,
                "without keys: {passwords} can be opened only with {keys}; keep it apart, or use \
                 --with-keys"
            )?;
        }
    }
    if let Ok(removed) = &made.removed
        && !removed.is_empty()
    {
        writeln!(out, "removed {}", counted(removed.len() as u64, "older backup"))?;
    }
    if made.log_growth_mib() > 0 {
        writeln!(out, "the WAL grew by {} MiB meanwhile", made.log_growth_mib())?;
    }
    let device = |path: &Path| path.metadata().ok().map(|metadata| metadata.dev());
    if let Some(database) = config.location.file()
        && device(database).is_some_and(|own| device(dir) == Some(own))
    {
        writeln!(out, "it is on the disk of the database: copy it to another machine as well")?;
    }
    Ok(())
}

fn as_json(made: &Made) -> serde_json::Value {
    let contents = &made.copied.contents;
    let path = |path: &PathBuf| path.display().to_string();
    json!({
        "file": path(&made.database),
        "keys": made.keys.as_ref().map(path),
        "at": format_utc(made.at),
        "bytes": made.copied.bytes,
        "seconds": made.took.as_secs(),
        "schema_version": contents.version,
        "members": contents.members(),
        "former_members": contents.formers(),
        "journal_records": contents.records(),
        "newest_record": contents.newest.map(|(id, _)| id),
        "newest_record_at": contents.newest.map(|(_, at)| format_utc(at)),
        "sealed_passwords": made.sealed,
        "wal_growth_bytes": made.copied.log_growth,
        "removed": made.removed.iter().flatten().map(path).collect::<Vec<_>>(),
    })
}
