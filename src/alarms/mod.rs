//! Alarms that the service raises by itself, for operators without Prometheus: a command is run or
//! a URL is called, once when a cause has lasted for a minute and once when it is over.
//!
//! Data goes one way: [`Facts`] -> [`find`] (pure) -> [`Ledger`] (pure) -> events -> [`Delivery`].

mod cause;
mod command;
mod delivery;
mod event;
mod facts;
mod ledger;
mod post;
mod probe;
mod rules;
mod state_file;
mod target;
mod thread;

pub use cause::Cause;
pub use command::{CommandError, run};
pub use delivery::{Delivery, Pauses};
pub use event::{Event, State};
pub use facts::{Backups, Differences, Facts, Limits};
pub use ledger::{Found, Ledger, Raised};
pub use post::{AlarmUrl, PostError, URL_EXPECTED};
pub use rules::{find, is_known};
pub use target::{AlarmConfig, Target, TargetError, Targets};
pub use thread::{AlarmThread, Alarms, Sources};
