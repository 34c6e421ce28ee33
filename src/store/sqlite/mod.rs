//! The SQLite engine. Nothing outside this module names SQLite or its driver.

mod blocks;
mod check;
mod checkpoint;
mod connection;
mod convert;
mod database_file;
mod engine;
mod fault;
mod files;
mod folding;
mod forms;
mod journal;
mod known;
mod logins;
mod members;
mod names;
mod open;
mod own_file;
mod read;
mod reader;
mod rows;
mod seals;
mod shapes;
mod upgrade;
mod upgrade_copy;
mod wal_aside;
mod wal_mark;
mod wal_tail;
mod whole;

pub use check::{check_pages, open_unchanged, state_of};
pub use database_file::DatabaseFile;
pub use files::{Files, FilesSeen};
pub use open::{check_whole, check_writable, is_there, open_reader, with_engine};
pub use wal_aside::set_wal_aside;
