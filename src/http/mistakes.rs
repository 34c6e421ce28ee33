//! What goes wrong around logins and the REST API, in the log at a bounded rate: visitors come by
//! the thousand, and each picture of a page asks.

use crate::logging::limit::Interval;

/// Seconds between two lines of one kind.
const LOG_EVERY_SECONDS: i64 = 60;

/// The kinds, each with a rate of its own.
#[derive(Clone, Copy, Debug)]
pub enum Mistake {
    /// The database cannot be read.
    CannotRead,
    /// The query of `/auth` or `/login` is wrong: the operator's mistake.
    AskedWrongly,
    /// A login form came from another origin.
    ForeignForm,
    /// The same, as the browser itself says.
    ForeignFetchSite,
    /// Nobody says where a login form came from.
    FormWithoutOrigin,
    /// A browser did not keep the login cookie.
    LoginNotKept,
    /// A browser's cookies have logins of different members of one site.
    Rivals,
    /// The login that a new one takes the place of could not be ended.
    SessionNotEnded,
    /// A wrong password from a network that is not counted.
    Uncounted,
    /// A member's row cannot be read.
    BadRow,
    /// A call of `/api` with a wrong key, or from a wrong address.
    ApiRefused,
    /// NATS did not answer in time.
    NatsIsSilent,
    /// NATS cannot be reached.
    NatsIsNotThere,
    /// NATS gave an answer that is none.
    NatsIsWrong,
    /// Too much is asked of NATS at once.
    NatsIsBusy,
    /// NATS gave a blank for an active member.
    NatsBlank,
}

/// How many kinds there are.
const KINDS: usize = Mistake::NatsBlank as usize + 1;

/// Limits the lines of each kind.
#[derive(Debug)]
pub struct Mistakes([Interval; KINDS]);

impl Default for Mistakes {
    fn default() -> Self {
        Self([const { Interval::new(LOG_EVERY_SECONDS) }; KINDS])
    }
}

impl Mistakes {
    /// Calls `line`, unless this kind was logged within the last minute of the steady clock.
    pub fn say(&self, what: Mistake, now: i64, line: impl FnOnce()) {
        if self.0[what as usize].is_due(now) {
            line();
        }
    }
}
