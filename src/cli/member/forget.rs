//! `member forget`: removes all that is stored of a person, beside a running service, and names the
//! places that it cannot reach.

use std::fs;
use std::io::{BufRead as _, IsTerminal as _, Write as _, stderr, stdin, stdout};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::person;
use crate::action::Standing;
use crate::cli::failure::{Failure, judged};
use crate::clock::Clock;
use crate::config::Config;
use crate::counted::counted;
use crate::database;
use crate::identity::Key;
use crate::personal;
use crate::store::{FindBy, Forgotten, Person, Read, Residue, log_state, open_for_command, pages};

/// How long a running service may take to write what it had still to write of the person. It writes
/// blocks once a second.
const LATE_NOTES: Duration = Duration::from_millis(1_500);
/// The most sites that are named.
const SITES_MAX: u32 = 20;

/// How the command was called.
#[derive(Clone, Copy, Debug)]
pub(super) struct How {
    pub(super) yes: bool,
    pub(super) dry_run: bool,
    pub(super) json: bool,
}

pub(super) fn run(config: &Config, key: Key, how: How) -> Result<(), Failure> {
    let asks = !how.yes && !how.dry_run;
    if asks && !(stdin().is_terminal() && stderr().is_terminal()) {
        return Err(Failure::usage(
            "member forget: expected --yes, because there is no terminal to ask on; nothing was \
             changed",
        ));
    }
    let reader = database::open(config)?;
    // First what was stored before NATS named the member: if this is interrupted, the records that
    // tell of it are still there.
    let mut persons = Vec::new();
    for key in personal::provisional_keys(&*reader, key)?.into_iter().chain([key]) {
        persons.push(person::find(config, &*reader, key)?);
    }
    let mut stored = Forgotten::default();
    for person in &persons {
        stored.add(&self::stored(&*reader, person)?);
    }
    let remarks = remarks(config, &*reader, key)?;
    drop(reader);
    if how.dry_run {
        return print(key, how, &stored, &remarks, None);
    }
    if stored.all() > 0 && asks && !is_confirmed(key, &stored)? {
        return Err(Failure::Failed("nothing was changed".into()));
    }
    let (gone, residue) = forget(config, &persons)?;
    let verdict = match residue {
        Residue::Nothing | Residue::Server => Ok(()),
        Residue::Log => Err(Failure::Failed(held(config))),
    };
    judged(print(key, how, &gone, &remarks, Some(residue)), verdict)
}

/// What would be removed.
fn stored(reader: &dyn Read, person: &Person) -> Result<Forgotten, Failure> {
    let key = person.key;
    let traces = reader.traces_of(person)?;
    let mut records = traces.unassigned.len() as u64;
    pages::each_record_or_unreadable(reader, &personal::records_of(key), |_| {
        records += 1;
        Ok::<_, Failure>(())
    })?;
    let logins = reader.last_logins(key, u32::MAX)?.len() + person.logins.len();
    let sharing = reader.networks_of(key)?.len() + usize::from(reader.sharing_of(key)?.is_some());
    Ok(Forgotten {
        rows: u64::from(!matches!(reader.standing(key, i64::MIN)?, Standing::Unknown)),
        records,
        logins: logins as u64,
        cookies: (traces.logouts.len() + traces.last_uses.len()) as u64,
        known_networks: traces.known_days.len() as u64,
        sharing: sharing as u64,
        blocks: person.blocks.len() as u64,
    })
}

fn is_confirmed(key: Key, stored: &Forgotten) -> Result<bool, Failure> {
    let Key { site, member } = key;
    write!(
        stderr(),
        "This removes {} of member {member} of site {site} and cannot be undone.\nType yes to go \
         on: ",
        words(stored)
    )?;
    stderr().flush()?;
    let mut answer = String::new();
    stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim().eq_ignore_ascii_case("yes"))
}

fn forget(config: &Config, persons: &[Person]) -> Result<(Forgotten, Residue), Failure> {
    let is_served =
        config.location.is_shared() || config.data_dir.is_served(config.location.file());
    database::with_writer(config, |engine| {
        let mut gone = Forgotten::default();
        for person in persons {
            gone.add(&personal::forget(engine, person, || Clock::System.now().into())?);
        }
        if is_served && gone.all() > 0 {
            std::thread::sleep(LATE_NOTES);
            let reader = open_for_command(&config.location)?;
            for person in persons {
                gone.add(&personal::forget_late_notes(engine, &*reader, person)?);
            }
        }
        // Also if nothing was stored: an earlier run may have been interrupted before this.
        Ok((gone, engine.clear_deleted()?))
    })?
}

/// What this command cannot remove, a sentence each.
fn remarks(config: &Config, reader: &dyn Read, key: Key) -> Result<Vec<String>, Failure> {
    let mut remarks = Vec::new();
    let others = reader.find(FindBy::Member(key.member), SITES_MAX)?;
    let sites: Vec<String> = others
        .iter()
        .filter(|other| other.site != key.site)
        .map(|other| other.site.to_string())
        .collect();
    if !sites.is_empty() {
        remarks.push(format!(
            "the rows of memberid {} of other sites ({}): run this command for each of them",
            key.member,
            sites.join(", ")
        ));
    }
    match config.location.file() {
        Some(database) => {
            let copies = copies_beside(database);
            if !copies.is_empty() {
                remarks.push(format!("copies of the database: {}", copies.join(", ")));
            }
            let dir = &config.backup.wishes.dir;
            remarks.push(match backups_in(dir) {
                0 => "backups: none is in the directory of --backup-dir".into(),
                count => format!("{} in {}", counted(count, "backup"), dir.display()),
            });
        }
        None => remarks.push(
            "the server of the database: its backups, its binary log (until it is purged), and \
             free space in its files (OPTIMIZE TABLE rewrites a table)"
                .into(),
        ),
    }
    remarks.push(
        "the log of the service (with the unit, journalctl -u nats-userman) and the logs of the \
         web server"
            .into(),
    );
    remarks.push("captures, exports and journals that were written to files".into());
    remarks.push("NATS itself, and logins that were reported to it".into());
    Ok(remarks)
}

/// Files beside the database that begin with its name: copies of an upgrade or of a restore.
fn copies_beside(database: &Path) -> Vec<String> {
    let own = |suffix: &str| {
        let mut name = database.file_name().unwrap_or_default().to_owned();
        name.push(suffix);
        name
    };
    let current = ["", "-wal", "-shm"].map(own);
    let mut copies: Vec<String> = entries(database.parent().unwrap_or(Path::new(".")))
        .into_iter()
        .filter(|path| {
            let name = path.file_name().unwrap_or_default();
            name.as_encoded_bytes().starts_with(current[0].as_encoded_bytes())
                && current.iter().all(|own| own != name)
        })
        .map(|path| path.display().to_string())
        .collect();
    copies.sort();
    copies
}

fn backups_in(dir: &Path) -> u64 {
    entries(dir).iter().filter(|path| path.extension().is_some_and(|end| end == "db")).count()
        as u64
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// As in "1 row, 7 journal records".
fn words(rows: &Forgotten) -> String {
    let parts: Vec<String> = counts(rows)
        .into_iter()
        .filter(|&(_, _, count)| count > 0)
        .map(|(_, what, count)| counted(count, what))
        .collect();
    if parts.is_empty() { "nothing".into() } else { parts.join(", ") }
}

/// The name in JSON, the word for people, and the count.
fn counts(rows: &Forgotten) -> [(&'static str, &'static str, u64); 7] {
    [
        ("rows", "row", rows.rows),
        ("journal_records", "journal record", rows.records),
        ("logins", "recorded login", rows.logins),
        ("cookie_logins", "state of a cookie login", rows.cookies),
        ("known_networks", "known network", rows.known_networks),
        ("sharing", "row of the protection against sharing", rows.sharing),
        ("blocks", "block", rows.blocks),
    ]
}

/// `residue`: `None` for a dry run.
fn print(
    key: Key,
    how: How,
    rows: &Forgotten,
    remarks: &[String],
    residue: Option<Residue>,
) -> Result<(), Failure> {
    let Key { site, member } = key;
    let mut out = stdout().lock();
    if how.json {
        let counts: serde_json::Map<_, _> = counts(rows)
            .into_iter()
            .map(|(name, _, count)| (name.to_owned(), count.into()))
            .collect();
        let object = json!({
            "siteid": site.get(),
            "memberid": member.get(),
            "dry_run": how.dry_run,
            "removed": counts,
            "wal_is_clear": residue.map(|residue| residue != Residue::Log),
            "not_removed": remarks,
        });
        return Ok(writeln!(out, "{object}")?);
    }
    if rows.all() == 0 {
        return Ok(writeln!(
            out,
            "nothing is stored of member {member} of site {site}: nothing was removed"
        )?);
    }
    writeln!(out, "not removed, look there too:")?;
    for remark in remarks {
        writeln!(out, "- {remark}")?;
    }
    match residue {
        None => writeln!(
            out,
            "dry run: member {member} of site {site} has {}; nothing was changed",
            words(rows)
        )?,
        Some(_) => writeln!(
            out,
            "OK|member {member} of site {site} is forgotten: {} removed",
            words(rows)
        )?,
    }
    Ok(())
}

/// Why the WAL still has pages of the member.
fn held(config: &Config) -> String {
    let readers = log_state(&config.location).ok().flatten().map(|state| state.readers);
    let processes: Vec<String> =
        readers.iter().flatten().map(|reader| reader.process.to_string()).collect();
    let who = match processes.is_empty() {
        true => "another process uses the database".to_owned(),
        false => format!("process {} reads the database", processes.join(", ")),
    };
    format!(
        "the rows are removed, but the WAL still has former pages with them, because {who}: end \
         it, and run this command again"
    )
}
