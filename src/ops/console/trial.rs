//! What a postback would do now, decided on a view of the rows that is never saved.

use minijinja::{Value, context};

use super::row::{RowChange, compare};
use super::times::Times;
use crate::action::{Rules, Standing};
use crate::apply::Postback;
use crate::fields::{Fields, MASK};
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

/// Parameters whose value a record does not have.
const PASSWORDS: [&str; 4] = ["password", "cryptpass", "new_password", "new_cryptpass"];
/// Why such a record cannot be decided again.
const NO_PASSWORD: &str = "The record has no password, because the postback was refused. Ask NATS \
                           to send it again.";

/// Whether it records a command of an operator that was no postback.
pub fn is_command(record: &StoredRecord) -> bool {
    record.source == "operator" && record.action.is_none()
}

/// The postback of a record.
///
/// # Errors
///
/// Why the record cannot be replayed.
pub fn postback_of(record: &StoredRecord) -> Result<Postback, String> {
    if is_command(record) {
        return Err("It records a command of an operator, and no postback.".into());
    }
    let line = JournalLine::write(record).map_err(|error| error.to_string())?;
    let line = JournalLine::parse(&line, 0)
        .map_err(|bad: BadRecord| format!("The record cannot be replayed: {bad}"))?;
    postback_of_line(&line).map_err(str::to_owned)
}

/// The postback of a line of `journal --json`.
///
/// # Errors
///
/// If it was refused, and would be decided by a password that the record does not have: the mask in
/// its place is no password.
pub fn postback_of_line(line: &JournalLine) -> Result<Postback, &'static str> {
    let (postback, put) = line.postback();
    let Err(refusal) = &postback.action else { return Ok(postback) };
    let fields = Fields::from_urlencoded(postback.received.fields().as_bytes());
    let is_masked = |name: &str| fields.get(name).is_some_and(|value| value.starts_with(MASK));
    let is_unknown = put.credential.is_none()
        && PASSWORDS.contains(&refusal.parameter)
        && PASSWORDS.into_iter().any(is_masked);
    if is_unknown { Err(NO_PASSWORD) } else { Ok(postback) }
}
