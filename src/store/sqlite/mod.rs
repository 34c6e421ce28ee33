//! The SQLite engine. Nothing outside this module names SQLite or its driver.

mod add_columns;
mod blocks;
mod check;
mod checkpoint;
mod connection;
mod convert;
mod copy;
mod database_file;
mod diagnosis;
mod engine;
mod fault;
mod files;
mod folding;
mod forms;
mod header;
mod journal;
mod known;
mod logins;
mod members;
mod names;
mod open;
mod own_file;
#[cfg(test)]
mod plans;
mod read;
mod reader;
mod rows;
mod seals;
mod shapes;
mod upgrade;
mod upgrade_copy;
mod upgrade_progress;
mod upgrade_space;
mod wal_aside;
mod wal_mark;
mod wal_readers;
mod wal_tail;
mod whole;

pub use check::{check_pages, check_pages_within, open_unchanged, planned_upgrade, state_of};
pub use copy::{check_copy, open_backup, open_for_copy};
pub use database_file::DatabaseFile;
pub use diagnosis::diagnose;
pub use files::{Files, FilesSeen};
pub use open::{check_whole, check_writable, is_there, open_reader, with_engine};
pub use wal_aside::set_wal_aside;
pub use wal_readers::log_state;
