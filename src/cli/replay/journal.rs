//! `replay --journal`: the journal of another database into an empty one.

use std::io::{BufRead as _, Write as _, stdout};
use std::path::{Path, PathBuf};

use super::target::take;
use crate::action::Rules;
use crate::cli::failure::Failure;
use crate::clock::Clock;
use crate::config::Config;
use crate::replay::{Counts, Foreign, Input, JournalLine, apply_records};
use crate::store::{Engine, with_engine};

pub(super) fn run(files: &[PathBuf], config: &Config) -> Result<(), Failure> {
    let journals = files.iter().map(|path| open(path)).collect::<Result<Vec<_>, Failure>>()?;
    make_tables(config)?;
    let (_lock, rules) = take(config, "stop it, or replay into a new data directory")?;
    let counts = with_engine(&config.location, true, |engine| {
        let counts = journal_with(journals, engine, &rules);
        engine.finish();
        counts
    })??;
    Ok(writeln!(stdout(), "{counts}")?)
}

/// Makes the tables on a server: the keys beside the journal are those of another database, and an
/// empty one beside keys would be refused as one that was lost.
fn make_tables(config: &Config) -> Result<(), Failure> {
    match config.location.is_shared() {
        true => Ok(with_engine(&config.location, true, |_| ())?),
        false => Ok(()),
    }
}

/// An open journal with its path.
type JournalFile<'a> = (&'a Path, Input);

/// Opens a journal, unless it is not a text file.
fn open(path: &Path) -> Result<JournalFile<'_>, Failure> {
    let input = Input::open(path).map_err(|error| unreadable(path, &error))?;
    match Foreign::of_bytes(input.head()) {
        Some(kind) => Err(Failure::Failed(format!(
            "{}: {}",
            path.display(),
            kind.said("nats-userman replay --journal -")
        ))),
        None => Ok((path, input)),
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Failed(format!("cannot read {}: {error}", path.display()))
}

/// Applies all records or none: half a journal is a state that never existed.
fn journal_with(
    journals: Vec<JournalFile<'_>>,
    engine: &mut dyn Engine,
    rules: &Rules,
) -> Result<Counts, Failure> {
    engine.begin()?;
    let done = journal_within(journals, engine, rules)
        .and_then(|counts| Ok(engine.commit().map(|()| counts)?));
    if done.is_err() {
        engine.rollback();
    }
    done
}

fn journal_within(
    journals: Vec<JournalFile<'_>>,
    engine: &mut dyn Engine,
    rules: &Rules,
) -> Result<Counts, Failure> {
    if !engine.is_empty()? {
        return Err(Failure::Failed(
            "replay --journal: the database is not empty; use a new --data-dir".into(),
        ));
    }
    let (mut counts, mut last_id) = (Counts::default(), 0);
    for (path, input) in journals {
        for (index, line) in input.lines().lines().enumerate() {
            let place = format!("{}, line {}", path.display(), index + 1);
            let line = line.map_err(|error| unreadable(path, &error))?;
            // Some programs write a byte order mark at the beginning of UTF-8.
            let line = if index == 0 { line.trim_start_matches('\u{feff}') } else { &line };
            let record =
                JournalLine::parse(line, last_id).map_err(|bad| Failure::of(&bad).at(&place))?;
            last_id = record.id;
            counts.add(record.reply.word());
            take_over(engine, rules, record).map_err(|failure| failure.at(&place))?;
        }
    }
    engine.expire_due(Clock::System.now(), usize::MAX)?;
    Ok(counts)
}

fn take_over(engine: &mut dyn Engine, rules: &Rules, record: JournalLine) -> Result<(), Failure> {
    if record.seal().is_some_and(|(key, seal)| rules.vault.open(key, seal).is_err()) {
        let hint = "copy the seal.key of that database into the data directory first";
        return Err(Failure::Failed(format!(
            "record {} has a password sealed under another key: {hint}",
            record.id
        )));
    }
    match apply_records(engine, rules, &[record])?.into_iter().next() {
        None => Ok(()),
        Some((id, now)) => {
            let then = "not the reply that it records; the journal may have been pruned";
            Err(Failure::Failed(format!("record {id} gives \"{}\", {then}", now.as_str())))
        }
    }
}
