//! Checks of logins by cookie over a network. A query about many logins costs the server little
//! more than a query about one, so checks that come while others run are queried together.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::error::ReadError;
use super::pool::ReadPool;
use crate::chain::chain;
use crate::store::{CookieLogin, CookieLoginState, Read};

/// The most queries that run at once: one is on its way while the next is decided.
const RUNNING_MAX: usize = 2;
/// The most logins of one query.
const LOGINS_MAX: usize = 64;

type States = Result<Vec<CookieLoginState>, ReadError>;

/// A check that waits for a query.
struct Check {
    logins: Vec<CookieLogin>,
    now: i64,
    until: Instant,
    answer: oneshot::Sender<States>,
}

#[derive(Default)]
struct Waiting {
    checks: VecDeque<Check>,
    /// Queries that run, or wait for a thread of the pool.
    running: usize,
}

/// The checks that wait. Clones share them.
#[derive(Clone)]
pub(super) struct CookieQueue {
    pool: ReadPool,
    waiting: Arc<Mutex<Waiting>>,
}

impl fmt::Debug for CookieQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CookieQueue")
    }
}

impl CookieQueue {
    pub(super) fn new(pool: ReadPool) -> Self {
        Self { pool, waiting: Arc::default() }
    }

    /// What is stored about these logins.
    ///
    /// # Errors
    ///
    /// As [`ReadPool::read`].
    pub(super) async fn states(&self, logins: Vec<CookieLogin>, now: i64) -> States {
        let limits = self.pool.limits();
        let (answer, answered) = oneshot::channel();
        let check = Check { logins, now, until: Instant::now() + limits.time, answer };
        {
            let mut waiting = self.waiting.lock();
            if waiting.checks.len() >= limits.waiting {
                return Err(ReadError::Overloaded);
            }
            waiting.checks.push_back(check);
        }
        self.run_next();
        self.pool.answer(answered).await
    }

    /// Gives the pool a query, if checks wait and another query may run.
    fn run_next(&self) {
        {
            let mut waiting = self.waiting.lock();
            if waiting.checks.is_empty() || waiting.running >= RUNNING_MAX {
                return;
            }
            waiting.running += 1;
        }
        let running = Running(self.clone());
        self.pool.push(Box::new(move |reader| running.query(reader)));
    }

    /// The checks of the next query. A check whose time is over gets its answer now.
    fn take(&self) -> Vec<Check> {
        let now = Instant::now();
        let (mut taken, mut late, mut logins) = (Vec::new(), Vec::new(), 0);
        let mut waiting = self.waiting.lock();
        while let Some(check) = waiting.checks.pop_front() {
            if check.until <= now {
                late.push(check);
            } else if taken.is_empty() || logins + check.logins.len() <= LOGINS_MAX {
                logins += check.logins.len();
                taken.push(check);
            } else {
                waiting.checks.push_front(check);
                break;
            }
        }
        drop(waiting);
        answer_all(late, &ReadError::Overloaded);
        taken
    }
}

/// A query that runs, or waits for a thread of the pool. However it ends, another may run then.
struct Running(CookieQueue);

impl Running {
    /// Returns whether the connection is still good.
    fn query(&self, reader: Result<&dyn Read, ReadError>) -> bool {
        let checks = self.0.take();
        let Some(now) = checks.iter().map(|check| check.now).max() else { return true };
        let logins: Vec<CookieLogin> =
            checks.iter().flat_map(|check| check.logins.iter().copied()).collect();
        let found = reader.and_then(|reader| {
            reader.cookie_logins(&logins, now).map_err(|fault| ReadError::Fault(chain(&fault)))
        });
        match found {
            Ok(states) => {
                let mut states = states.into_iter();
                for check in checks {
                    let its = states.by_ref().take(check.logins.len()).collect();
                    // An error means that the caller no longer waits.
                    let _ = check.answer.send(Ok(its));
                }
                true
            }
            Err(error) => {
                answer_all(checks, &error);
                false
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.waiting.lock().running -= 1;
        self.0.run_next();
    }
}

fn answer_all(checks: impl IntoIterator<Item = Check>, error: &ReadError) {
    for check in checks {
        // An error means that the caller no longer waits.
        let _ = check.answer.send(Err(error.clone()));
    }
}
