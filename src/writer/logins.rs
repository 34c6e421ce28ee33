//! Removes logouts and last uses of logins that no longer matter: seldom, and a bounded number of
//! rows at a time, so that no postback waits for it.

use super::transactions::Transactions;
use crate::store::{Engine, Fault, Spent};

/// How often the writer looks for such rows.
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
}

impl LoginTimes {
    fn spent(self, now: i64) -> Spent {
        // Without a timeout no last use matters.
        let seen = self.idle.map_or(i64::MAX, |idle| now - idle);
        Spent { now, issued: now - self.lasts, forgotten: now - self.longest, seen }
    }
}

/// When the writer last looked for such rows, by the steady clock.
#[derive(Debug, Default)]
pub(super) struct Forgetting(Option<i64>);

impl Forgetting {
    /// `sure` is a time that is sure to have come, in unix seconds, and `steady` this moment by the
    /// steady clock.
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
        // There may be more: the next round goes on.
        self.0 = (!some).then_some(steady);
        Ok(())
    }
}
