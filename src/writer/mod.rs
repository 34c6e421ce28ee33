//! The single writer: one thread, one connection, a bounded queue. It runs the waiting postbacks as
//! one transaction, and answers after the commit. Hashed passwords, notes of visitors, upkeep and
//! the health probe are commands of the same thread.

mod batch;
mod conversion;
mod faults;
mod handle;
mod lane;
mod logins;
mod notes;
mod queue;
mod readers;
mod replaced;
mod setup;
mod thread;
mod transactions;
mod upkeep;

pub use conversion::CONVERSION_PAUSE;
pub use handle::{COMMIT_WAIT_MAX, Writer};
pub use logins::LoginTimes;
pub use queue::Answer;
pub use setup::{Setup, UPKEEP_EVERY};
pub use thread::start;
