//! Writes the notes of the lane, many in one transaction.

use std::time::{Duration, Instant};

use super::lane::{EVERY, Lane, PendingNote};
use super::transactions::Transactions;
use crate::store::{Engine, Fault};

/// The lane, and when its notes were last written.
pub(super) struct Notes {
    lane: Lane,
    written: Option<Instant>,
}

impl Notes {
    pub(super) fn of(lane: Lane) -> Self {
        Self { lane, written: None }
    }

    /// The time until waiting notes must be written; `None` if there are none.
    pub(super) fn due_in(&self) -> Option<Duration> {
        if self.lane.is_empty() {
            return None;
        }
        Some(self.written.map_or(Duration::ZERO, |last| EVERY.saturating_sub(last.elapsed())))
    }

    /// Refuses the notes for whose commit a client waits.
    pub(super) fn refuse(&self) {
        self.lane.refuse();
    }

    /// Writes the notes of one transaction. After a fault, notes without a waiting client are tried
    /// again. Where the database refuses the row of a note, that note alone is dropped.
    pub(super) fn write(
        &mut self,
        engine: &mut dyn Engine,
        sure: i64,
        transactions: &mut Transactions,
    ) -> Result<(), Fault> {
        let notes = self.lane.take();
        let mut write = |notes: &[PendingNote]| {
            transactions.run(engine, |engine| {
                notes.iter().try_for_each(|pending| engine.note(&pending.note, sure))
            })
        };
        let together = write(&notes);
        let result = if notes.len() > 1 && is_of_one_row(&together) {
            self.write_each(notes, &mut write)
        } else {
            self.end(notes, &together);
            together
        };
        self.written = Some(Instant::now());
        result
    }

    /// Writes each note in a transaction of its own. Returns the last fault.
    fn write_each(
        &self,
        notes: Vec<PendingNote>,
        write: &mut dyn FnMut(&[PendingNote]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut result = Ok(());
        let mut notes = notes.into_iter();
        while let Some(pending) = notes.next() {
            let alone = write(std::slice::from_ref(&pending));
            if alone.is_err() && !is_of_one_row(&alone) {
                // The database cannot be used.
                self.end(std::iter::once(pending).chain(notes).collect(), &alone);
                return alone;
            }
            self.end(vec![pending], &alone);
            result = alone.and(result);
        }
        result
    }

    /// Answers the clients that wait, and puts back what is to be tried again.
    fn end(&self, notes: Vec<PendingNote>, result: &Result<(), Fault>) {
        let (waited, others): (Vec<PendingNote>, Vec<_>) =
            notes.into_iter().partition(|pending| pending.done.is_some());
        for done in waited.into_iter().filter_map(|pending| pending.done) {
            let _ = done.send(result.is_ok());
        }
        if result.is_err() && !is_of_one_row(result) {
            self.lane.put_back(others);
        }
    }
}

fn is_of_one_row(result: &Result<(), Fault>) -> bool {
    result.as_ref().is_err_and(Fault::is_of_one_row)
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;
    use crate::apply::losing::Scene;
    use crate::identity::{Key, MemberId, SiteId};
    use crate::metrics::Metrics;
    use crate::store::{CookieLogin, LoggedOut, Note, open_reader};

    fn key(member: &str) -> Key {
        Key { site: SiteId::parse("1").unwrap(), member: MemberId::parse(member).unwrap() }
    }

    fn id(key: Key) -> [u8; 16] {
        [key.member.get() as u8; 16]
    }

    fn log_out(member: &str) -> Note {
        let key = key(member);
        Note::LogOut(LoggedOut { key, id: id(key), issued: 1, and_all_until: None, until: 60 })
    }

    fn login(member: &str) -> CookieLogin {
        let key = key(member);
        CookieLogin { key, id: id(key), issued: 1, login_version: 1, wants_last_use: false }
    }

    #[test]
    fn a_note_whose_row_is_refused_takes_no_other_with_it() {
        // The first transaction has steps 0 to 2. Alone, the note of 71 has 3 to 5, and that of 72
        // has 6 and 7.
        let all = (None, [true; 4], 0);
        let lost = (Some(8), [true, false, false, false], 2);
        for (lost_from, written, left) in [all, lost] {
            let scene = Scene::new();
            let mut notes = Notes::of(Lane::default());
            let answers = ["71", "72", "73"].map(|member| {
                let (done, answered) = oneshot::channel();
                notes.lane.push(PendingNote { note: log_out(member), done: Some(done) });
                answered
            });
            for member in ["74", "75"] {
                notes.lane.push(PendingNote { note: log_out(member), done: None });
            }
            let mut transactions = Transactions::new(Metrics::default());
            let result = scene.with_losing(
                |losing| (losing.refused, losing.lost_from) = (Some(key("72")), lost_from),
                |losing| notes.write(losing, 0, &mut transactions),
            );
            assert_eq!(is_of_one_row(&result), lost_from.is_none(), "{result:?}");
            let told = answers.map(|mut answered| answered.try_recv().unwrap());
            assert_eq!(told, [true, false, lost_from.is_none()]);
            let logins = ["71", "73", "74", "75"].map(login);
            let states = open_reader(&scene.location).unwrap().cookie_logins(&logins, 0).unwrap();
            let ended: Vec<bool> = states.iter().map(|state| state.is_logged_out).collect();
            assert_eq!(ended, written);
            assert_eq!(notes.lane.take().len(), left);
        }
    }
}
