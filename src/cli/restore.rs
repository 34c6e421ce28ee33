//! `restore`: puts a backup in the place of the database.

use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Args;

use super::failure::Failure;
use super::progress::bar_of_bytes;
use crate::backup::restore::{
    LostMembers, Members, NotCompared, Order, RestoreError, Restored, check_target, complete,
    restore,
};
use crate::clock::{Clock, format_utc};
use crate::config::Config;
use crate::counted::counted;
use crate::data_dir::DataDirError;
use crate::store::{CopyWatch, SCHEMA_VERSION};

#[derive(Args, Debug)]
pub(super) struct RestoreCommand {
    /// The backup: a file that ends in .db
    file: PathBuf,
    /// The file of its keys [default: the one beside the backup that ends in .keys, if there is
    /// one]
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
}

impl RestoreCommand {
    pub(super) fn run(&self, config: &Config) -> Result<(), Failure> {
        let (data_dir, location) = (&config.data_dir, &config.location);
        if location.file().is_none() {
            return Err(Failure::of(&RestoreError::NoFile));
        }
        // A file that was mistyped leaves no new directory.
        if !data_dir.path().exists() && !self.file.exists() {
            return Err(Failure::of(&RestoreError::Missing(self.file.clone())));
        }
        data_dir.make().map_err(|error| Failure::of(&error))?;
        check_target(data_dir, location).map_err(|error| Failure::of(&error))?;
        // Held to the end: a service that is started meanwhile waits for it.
        let _locks = data_dir.lock_for_restore(location.file()).map_err(|error| match error {
            DataDirError::InUse(_) => Failure::Failed(format!(
                "{error}: stop it first, with `systemctl stop nats-userman.socket \
                 nats-userman.service` where systemd runs it"
            )),
            _ => Failure::of(&error),
        })?;
        let mut out = stdout().lock();
        if complete(data_dir, location).map_err(|error| Failure::of(&error))? {
            writeln!(out, "first completed a restore that was interrupted")
                .map_err(|error| Failure::from(error).at("restore"))?;
        }
        let stop = Arc::<AtomicBool>::default();
        let bar = bar_of_bytes();
        let mut progress = |done, all| {
            bar.set_length(all);
            bar.set_position(done);
            true
        };
        let mut watch = CopyWatch { stop: &stop, is_gentle: false, progress: &mut progress };
        let order = Order { file: &self.file, keys: self.keys.as_deref(), data_dir, location };
        let done = restore(order, Clock::System.now(), &mut watch);
        bar.finish_and_clear();
        let done = done.map_err(|error| Failure::of(&error))?;
        print(&mut out, &done, &self.file, config)?;
        Ok(out.flush()?)
    }
}

fn print(
    out: &mut impl Write,
    done: &Restored,
    file: &Path,
    config: &Config,
) -> std::io::Result<()> {
    let contents = &done.contents;
    writeln!(out, "restored {}: {contents}", file.display())?;
    if done.is_dated_ahead {
        writeln!(
            out,
            "the date in its name is in the future: the clock was wrong when it was made, or it is \
             wrong now; if another backup has newer records, restore that one"
        )?;
    }
    if let Some(keys) = &done.keys {
        match done.keeps_tokens {
            true => writeln!(
                out,
                "keys: from {keys}\nthe tokens of the URL stay as they are; those of the backup \
                 are in {keys}",
                keys = keys.display()
            )?,
            false => writeln!(out, "keys and tokens: from {}", keys.display())?,
        }
    }
    for aside in &done.aside {
        writeln!(out, "set aside: {}", aside.display())?;
    }
    print_lost(out, done)?;
    if contents.version < SCHEMA_VERSION {
        writeln!(
            out,
            "it is of an earlier release: the start upgrades it; then run `nats-userman member \
             logout --all`, which ends logins that were ended since the backup"
        )?;
    }
    if done.logins_ended {
        writeln!(out, "all logins by cookie were ended: members log in once more")?;
    }
    if config.postback_tokens.is_empty() && !config.data_dir.token_file().exists() {
        writeln!(
            out,
            "there is no {}: the start makes a new token, and NATS needs the new URL",
            config.data_dir.token_file().display()
        )?;
    }
    writeln!(out, "now start the service, and restart an Apache that reads the database")
}

fn print_lost(out: &mut impl Write, done: &Restored) -> std::io::Result<()> {
    let lost = match &done.lost {
        Ok(lost) => lost,
        Err(why) => {
            let sentence = match why {
                NotCompared::None => return Ok(()),
                NotCompared::Version => "it is of an earlier release".to_owned(),
                NotCompared::Other => "it and the backup have no record in common".to_owned(),
                NotCompared::Unreadable(why) => format!("it cannot be read: {why}"),
            };
            writeln!(out, "not compared with the former database: {sentence}")?;
            return match why {
                NotCompared::Other => print_command(out, done, None),
                _ => Ok(()),
            };
        }
    };
    if lost.has_parted {
        writeln!(
            out,
            "the former database was no later state of the backup: each has records that the other \
             does not have"
        )?;
    }
    if lost.records == 0 {
        return writeln!(out, "nothing was lost: the former database has no newer record");
    }
    write!(out, "lost: {}", counted(lost.records, "journal record"))?;
    match lost.span {
        Some((first, last)) => {
            writeln!(out, " from {} to {}", format_utc(first), format_utc(last))?;
            print_command(out, done, Some(first))?;
        }
        None => writeln!(out, ", which cannot be read")?,
    }
    let Some(LostMembers { missing, returned }) = &lost.members else {
        return writeln!(
            out,
            "  members are not compared, because the backup is of an earlier release"
        );
    };
    let is_missing = match missing.count {
        1 => "member of the former database is missing",
        _ => "members of the former database are missing",
    };
    let has_returned = match (lost.has_parted, returned.count) {
        (false, 1) => "who had left is a member again",
        (false, _) => "who had left are members again",
        (true, 1) => "member of the backup was none in the former database",
        (true, _) => "members of the backup were none in the former database",
    };
    print_members(out, missing, is_missing)?;
    print_members(out, returned, has_returned)
}

/// Prints how to list the records of the former database, from this time on.
fn print_command(out: &mut impl Write, done: &Restored, since: Option<i64>) -> std::io::Result<()> {
    let Some(former) = &done.former else { return Ok(()) };
    let since = since.map_or_else(String::new, |first| format!(" --since {first}"));
    let former = former.display();
    writeln!(out, "  list them: nats-userman --database sqlite:{former} journal{since}")
}

fn print_members(out: &mut impl Write, members: &Members, what: &str) -> std::io::Result<()> {
    if members.count == 0 {
        return Ok(());
    }
    let pairs: Vec<String> =
        members.first.iter().map(|key| format!("{} {}", key.site, key.member)).collect();
    let more = if members.count > pairs.len() as u64 { ", ..." } else { "" };
    writeln!(out, "  {} {what} (site and memberid): {}{more}", members.count, pairs.join(", "))
}
