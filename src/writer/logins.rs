//! What the writer forgets of logins: logouts and last uses that tell nothing any more. Seldom, and
//! some rows at a time, so that no postback waits for it.

use super::transactions::Transactions;
use crate::store::{Engine, Fault, Spent};

/// How often it is looked for.
const EVERY_SECONDS: i64 = 60;
/// Rows of a table that one transaction forgets.
const ROWS_MAX: usize = 500;

/// How long logins by cookie last, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct LoginTimes {
    /// As it is set.
    pub lasts: i64,
    /// As it can be set at most: a logout holds also where it is set to more later.
    pub longest: i64,
    /// The inactivity timeout, if one is set.
    pub idle: Option<i64>,
}

impl LoginTimes {
    fn spent(self, now: i64) -> Spent {
        // Without a timeout nothing is known of last uses.
        let seen = self.idle.map_or(i64::MAX, |idle| now - idle);
        Spent { now, issued: now - self.lasts, forgotten: now - self.longest, seen }
    }
}

/// When it was last looked for, by the steady clock.
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
