//! Faults in the log: each once when it begins, once a minute while it lasts, and a line when it is over. A full disk under load
//! would otherwise fill what is left with its own complaints.

use std::time::{Duration, Instant};

use crate::chain::chain;
use crate::store::{Fault, OpenError};

const REPEAT_AFTER: Duration = Duration::from_secs(60);

/// The fault that lasts, if any.
#[derive(Debug, Default)]
pub(super) struct FaultLog {
    lasting: Option<Lasting>,
}

#[derive(Debug)]
struct Lasting {
    what: String,
    logged: Instant,
    /// How often it was met since it began.
    count: u64,
}

impl FaultLog {
    /// A transaction failed.
    pub(super) fn note(&mut self, fault: &Fault) {
        let code = fault.code().map(|code| format!(" (SQLite code {code})")).unwrap_or_default();
        self.met(format!("{}{code}", chain(fault)));
    }

    /// The database cannot be opened.
    pub(super) fn cannot_open(&mut self, error: &OpenError) {
        self.met(chain(error));
    }

    /// A transaction went through.
    pub(super) fn fine(&mut self) {
        if let Some(Lasting { what, count, .. }) = self.lasting.take() {
            log::info!("the database can be written again; {count} times it could not: {what}");
        }
    }

    fn met(&mut self, what: String) {
        match &mut self.lasting {
            Some(lasting) if lasting.what == what => {
                lasting.count += 1;
                if lasting.logged.elapsed() >= REPEAT_AFTER {
                    log::error!("still: {what}; {} times so far", lasting.count);
                    lasting.logged = Instant::now();
                }
            }
            _ => {
                log::error!("{what}");
                self.lasting = Some(Lasting { what, logged: Instant::now(), count: 1 });
            }
        }
    }
}
