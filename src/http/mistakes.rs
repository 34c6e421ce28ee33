//! What goes wrong around logins and the REST API, in the log at a bounded rate: visitors come by
//! the thousand, and each picture of a page asks.

use std::sync::atomic::{AtomicI64, Ordering};

/// How often one kind is said again.
const AGAIN_AFTER_SECONDS: i64 = 60;

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

/// When each kind was last said, unix seconds.
#[derive(Debug)]
pub struct Mistakes([AtomicI64; KINDS]);

impl Default for Mistakes {
    fn default() -> Self {
        Self([const { AtomicI64::new(i64::MIN) }; KINDS])
    }
}

impl Mistakes {
    /// Says it, unless it was said within the last minute by the steady clock: one that is set
    /// would silence it for as long.
    pub fn say(&self, what: Mistake, now: i64, line: impl FnOnce()) {
        let last = &self.0[what as usize];
        let before = last.load(Ordering::Relaxed);
        let is_due = now.saturating_sub(before) >= AGAIN_AFTER_SECONDS;
        // Of several threads one says it.
        if is_due
            && last.compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            line();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_said_once_a_minute() {
        let (mistakes, mut said) = (Mistakes::default(), Vec::new());
        for (what, now) in [
            (Mistake::AskedWrongly, 0),
            (Mistake::AskedWrongly, 59),
            (Mistake::CannotRead, 59),
            (Mistake::AskedWrongly, 60),
            (Mistake::ForeignForm, 60),
        ] {
            mistakes.say(what, now, || said.push(now));
        }
        assert_eq!(said, [0, 59, 60, 60]);
    }
}
