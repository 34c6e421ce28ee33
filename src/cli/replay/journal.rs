//! `replay --journal`: the journal of another database into an empty one.

use std::io::{BufRead as _, BufReader, Write as _, stdout};

use super::{Replay, take};
use crate::action::Rules;
use crate::cli::Failure;
use crate::clock::Clock;
use crate::config::Config;
use crate::replay::{Counts, JournalLine, apply_records, open_input};
use crate::store::{Engine, with_engine};

impl Replay {
    pub(super) fn journal(&self, config: &Config) -> Result<(), Failure> {
        let (_lock, rules) = take(config)?;
        let counts = with_engine(&config.location, true, |engine| self.journal_with(engine, &rules))??;
        Ok(writeln!(stdout(), "{counts}")?)
    }

    /// Wholly or not at all: half a journal is no state that ever was.
    fn journal_with(&self, engine: &mut dyn Engine, rules: &Rules) -> Result<Counts, Failure> {
        engine.begin()?;
        let done = self.journal_within(engine, rules).and_then(|counts| Ok(engine.commit().map(|()| counts)?));
        if done.is_err() {
            engine.rollback();
        }
        done
    }

    fn journal_within(&self, engine: &mut dyn Engine, rules: &Rules) -> Result<Counts, Failure> {
        if !engine.is_empty()? {
            return Err(Failure::Failed("replay --journal: the database is not empty; name a new --data-dir".into()));
        }
        let (mut counts, mut last_id) = (Counts::default(), 0);
        for path in &self.files {
            let error = |error: std::io::Error| Failure::Failed(format!("cannot read {}: {error}", path.display()));
            let lines = BufReader::new(open_input(path).map_err(error)?).lines();
            for (index, line) in lines.enumerate() {
                let place = format!("{}, line {}", path.display(), index + 1);
                let record = JournalLine::parse(&line.map_err(error)?, last_id).map_err(|bad| Failure::of(&bad).at(&place))?;
                last_id = record.id;
                counts.add(record.reply.word());
                take_over(engine, rules, record).map_err(|failure| failure.at(&place))?;
            }
        }
        engine.expire_due(Clock::System.now(), usize::MAX)?;
        Ok(counts)
    }
}

fn take_over(engine: &mut dyn Engine, rules: &Rules, record: JournalLine) -> Result<(), Failure> {
    if record.seal().is_some_and(|(key, seal)| rules.vault.open(key, seal).is_err()) {
        let hint = "put the seal.key of that database into the data directory first";
        return Err(Failure::Failed(format!("record {} has a password under another key: {hint}", record.id)));
    }
    match apply_records(engine, rules, &[record])?.into_iter().next() {
        None => Ok(()),
        Some((id, now)) => {
            let then = "which is not the reply that it records; the journal may have been pruned";
            Err(Failure::Failed(format!("record {id} gives \"{}\", {then}", now.as_str())))
        }
    }
}
