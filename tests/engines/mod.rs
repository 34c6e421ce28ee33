//! Stories that every engine of the store must pass, and what they need. This is a module of two
//! test programs: `tests/it` runs the stories on SQLite, `tests/servers` on a real MariaDB. The
//! constant `ENGINES` of each program says so.

pub mod alarms;
pub mod area;
mod conflicts;
pub mod conformance;
pub mod console;
pub mod crash;
pub mod forget;
mod golden;
pub mod import;
pub mod in_step;
mod journal_replay;
mod member_changes;
pub mod migration;
mod model;
mod operator_login;
pub mod operators;
pub mod property;
pub mod provisional;
pub mod secrets;
pub mod statistics;
pub mod try_out;
