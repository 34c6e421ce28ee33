//! What a postback would do now, decided on a view of the rows that is never saved.

use minijinja::{Value, context};

use super::row::{RowChange, compare};
use super::times::Times;
use crate::action::{Rules, Standing};
use crate::apply::Postback;
use crate::replay::{BadRecord, DryRun, JournalLine};
use crate::reply::{Reply, Word};
use crate::store::{Fault, Read, StoredRecord};

/// What would be answered and changed.
#[derive(Clone, Debug)]
pub struct Trial {
    reply: Reply,
    change: RowChange,
    notes: Vec<String>,
}

impl Trial {
    /// Decides a postback on the rows as they are now.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn run(
        read: &dyn Read,
        rules: &Rules,
        postback: &Postback,
        now: i64,
        times: &Times,
    ) -> Result<Self, Fault> {
        let key = postback.action.as_ref().ok().and_then(|action| action.key());
        let before = match key {
            Some(key) => read.standing(key, now)?,
            None => Standing::Unknown,
        };
        let mut run = DryRun::new(Some(read), rules);
        let outcome = run.next(postback, now)?;
        let gone = outcome.taken_over.iter().flat_map(|taken| &taken.gone);
        let mut notes: Vec<String> = gone
            .map(|row| {
                format!(
                    "The provisional member {} of site {} has this name and would become this \
                     member.",
                    row.key.member, row.key.site
                )
            })
            .collect();
        if outcome.record.put.is_stale {
            notes.push(
                "Its stamp is older than that of the row, so that it would change nothing \
                 (--stale-guard)."
                    .into(),
            );
        }
        if postback.is_check() {
            notes.push("A CHECK never changes a row, and is not journalled.".into());
        }
        let change = compare(&before, &outcome.change, times);
        Ok(Self { reply: outcome.record.reply, change, notes })
    }

    /// For a template.
    pub fn value(&self, heading: &str) -> Value {
        context! {
            heading,
            class => class_of(self.reply.word()),
            word => self.reply.word().as_str(),
            sentence => self.reply.sentence(),
            change => self.change.value(),
            notes => self.notes.clone(),
        }
    }
}

/// A trial that could not be run, for a template.
pub fn problem(heading: &str, problem: &str) -> Value {
    context! { heading, problem }
}

/// The class of the style for a word of a reply.
pub fn class_of(word: Word) -> &'static str {
    match word {
        Word::Ok => "good",
        Word::NotOk => "warn",
        Word::Error => "bad",
    }
}

/// The postback of a record.
///
/// # Errors
///
/// Why the record cannot be replayed.
pub fn postback_of(record: &StoredRecord) -> Result<Postback, String> {
    if record.source == "operator" && record.action.is_none() {
        return Err("It records a command of an operator, and no postback.".into());
    }
    let line = JournalLine::write(record).map_err(|error| error.to_string())?;
    let line = JournalLine::parse(&line, 0)
        .map_err(|bad: BadRecord| format!("The record cannot be replayed: {bad}"))?;
    Ok(line.postback().0)
}
