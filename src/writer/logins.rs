//! Removes logouts and last uses of logins that no longer matter. Does so rarely, and a bounded
//! number of rows at a time, so that no postback waits for it.

use super::transactions::Transactions;
use crate::store::{Engine, Fault, Spent};

/// How often the writer searches for such rows.
const EVERY_SECONDS: i64 = 60;
/// Rows of a table that one transaction removes.
const ROWS_MAX: usize = 500;

/// How long logins by cookie last, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct LoginTimes {
    /// The setting.
    pub lasts: i64,
    /// The longest possible setting: a logout stays valid if the setting is raised later.
    pub longest: i64,
    /// The inactivity timeout, if one is set.
    pub idle: Option<i64>,
    /// How long logins stay in the record.
    pub recorded: i64,
    /// How long a network counts for sharing.
    pub used: i64,
}

impl LoginTimes {
    fn spent(self, now: i64) -> Spent {
        // Without a timeout the last use does not matter.
        let seen = self.idle.map_or(i64::MAX, |idle| now - idle);
        Spent {
            now,
            issued: now - self.lasts,
            forgotten: now - self.longest,
            seen,
            recorded: now - self.recorded,
            used: now - self.used,
        }
    }
}

/// When the writer last searched for such rows, by the steady clock.
#[derive(Debug, Default)]
pub(super) struct Forgetting(Option<i64>);

impl Forgetting {
    /// `sure` is a time that has certainly passed, in unix seconds; `steady` is the current time of
    /// the steady clock.
    pub(super) fn run_if_due(
        &mut self,
        times: LoginTimes,
        sure: i64,
        steady: i64,
        transactions: &mut Transactions,
        engine: &mut dyn Engine,
    ) -> Result<(), Fault> {
        if self.0.is_some_and(|last| steady - last < EVERY_SECONDS) {
            return Ok(());
        }
        let spent = times.spent(sure);
        let some = transactions.run(engine, |engine| engine.forget_logins(spent, ROWS_MAX))?;
        // There may be more; the next round continues.
        self.0 = (!some).then_some(steady);
        Ok(())
    }
}
