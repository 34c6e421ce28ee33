//! Reads of members' rows, for logins and for authstrings. A fault is logged at a limited rate, and
//! the caller gets only the error that nothing can be decided now.

use std::sync::Arc;

use crate::clock::Clock;
use crate::identity::{Key, SiteId, Username};
use crate::logging::limit::Interval;
use crate::store::{
    CookieLogin, CookieLoginState, Fault, FindBy, LoginRow, Read, ReadError, Reads, if_readable,
};

/// The most members and former members of all sites with one e-mail address.
const EMAIL_ROWS_MAX: u32 = 64;
/// Seconds between two lines of one kind.
const LOG_EVERY_SECONDS: i64 = 60;

/// It cannot be decided now, because the database cannot be read or too much is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undecided;

/// Limits the lines about failed reads. Shared by all threads.
#[derive(Debug)]
pub struct ReadLog {
    fault: Interval,
    bad_row: Interval,
}

impl Default for ReadLog {
    fn default() -> Self {
        Self { fault: Interval::new(LOG_EVERY_SECONDS), bad_row: Interval::new(LOG_EVERY_SECONDS) }
    }
}

/// Reads members for one thread. Clones belong to the same thread.
#[derive(Clone, Debug)]
pub struct Members {
    reads: Reads,
    clock: Clock,
    log: Arc<ReadLog>,
}

impl Members {
    /// Makes a reader that reads in this way.
    pub fn new(reads: Reads, clock: Clock, log: Arc<ReadLog>) -> Self {
        Self { reads, clock, log }
    }

    /// Reads what is committed now.
    ///
    /// # Errors
    ///
    /// If the database cannot be read. A fault is logged.
    pub async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&dyn Read) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Undecided> {
        self.reads.read(job).await.map_err(|error| self.log_fault(error))
    }

    /// Reads without a read transaction, by a single call: see [`Reads::read_alone`].
    async fn read_alone<T: Send + 'static>(
        &self,
        job: impl FnOnce(&dyn Read) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Undecided> {
        self.reads.read_alone(job).await.map_err(|error| self.log_fault(error))
    }

    fn log_fault(&self, error: ReadError) -> Undecided {
        if let ReadError::Fault(error) = error
            && self.log.fault.is_due(self.clock.steady())
        {
            log::error!("cannot read members: {error}");
        }
        Undecided
    }

    /// What is stored about these logins by cookie, in their order.
    ///
    /// # Errors
    ///
    /// As [`Members::read`].
    pub async fn cookie_logins(
        &self,
        logins: Vec<CookieLogin>,
        now: i64,
    ) -> Result<Vec<CookieLoginState>, Undecided> {
        self.reads.cookie_logins(logins, now).await.map_err(|error| self.log_fault(error))
    }

    /// The rows that a login with this name is checked against.
    ///
    /// # Errors
    ///
    /// See [`Members::read`].
    pub async fn logins_by_name(
        &self,
        sites: &[SiteId],
        name: &Username,
        now: i64,
    ) -> Result<Vec<LoginRow>, Undecided> {
        let (sites, name) = (sites.to_vec(), name.clone());
        let found =
            self.read_alone(move |reader| reader.logins_by_name(&sites, &name, now)).await?;
        found.unreadable.iter().for_each(|fault| self.log_unreadable(fault));
        Ok(found.rows)
    }

    /// The rows that a login with this e-mail address is checked against: for each site the member
    /// who has it, if exactly one has it.
    ///
    /// # Errors
    ///
    /// See [`Members::read`].
    pub async fn logins_by_email(
        &self,
        sites: &[SiteId],
        email: &str,
        now: i64,
    ) -> Result<Vec<LoginRow>, Undecided> {
        if sites.is_empty() || !email.contains('@') {
            return Ok(Vec::new());
        }
        let (sites, email) = (sites.to_vec(), email.trim().to_owned());
        let found = self.read(move |reader| {
            let keys = reader.find(FindBy::Email(&email), EMAIL_ROWS_MAX)?;
            // There may be more of them, so no site certainly has exactly one.
            if keys.len() >= EMAIL_ROWS_MAX as usize {
                return Ok(Vec::new());
            }
            let mut found = Vec::new();
            for site in sites {
                // Former members have no row. One that cannot be read may be of this address too.
                let mut rows = Vec::new();
                for key in keys.iter().filter(|key| key.site == site) {
                    rows.extend(if_readable(reader.login_row(*key, now))?.transpose());
                }
                found.extend(rows.pop().filter(|_| rows.is_empty()));
            }
            Ok(found)
        });
        let found = found.await?.into_iter();
        Ok(found.filter_map(|row| self.readable(row.map(Some))).collect())
    }

    /// The row that a login of this member is checked against.
    ///
    /// # Errors
    ///
    /// See [`Members::read`].
    pub async fn login_row(&self, key: Key, now: i64) -> Result<Option<LoginRow>, Undecided> {
        let row = self.read_alone(move |reader| if_readable(reader.login_row(key, now))).await?;
        Ok(self.readable(row))
    }

    /// Treats a row that cannot be read as absent, so that a member's other rows still count. It is
    /// logged.
    pub fn readable<T: Default>(&self, found: Result<T, Fault>) -> T {
        found.unwrap_or_else(|fault| {
            self.log_unreadable(&fault);
            T::default()
        })
    }

    fn log_unreadable(&self, fault: &Fault) {
        if self.log.bad_row.is_due(self.clock.steady()) {
            log::error!("a member cannot log in: {fault}");
        }
    }
}
