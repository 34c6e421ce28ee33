//! The SQLite engine. Nothing outside this module names SQLite or its driver.

mod blocks;
mod checkpoint;
mod convert;
mod current;
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
mod state;
mod upgrade;
mod upgrade_copy;
mod wal_aside;
mod wal_mark;
mod wal_tail;
mod whole;

pub use current::{CurrentFile, CurrentReader};
pub use files::FilesSeen;
pub(crate) use open::check_access;
pub use open::{Location, OpenError, check_whole, is_there, open_reader, with_engine};
pub use state::{State, check_pages, look, open_unchanged};
pub use upgrade::UpgradeError;
pub use upgrade_copy::{CopyError, NoCopy};
pub use wal_aside::set_wal_aside;
