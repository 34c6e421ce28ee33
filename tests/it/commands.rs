//! The command line, with the real program: what each command prints, its exit code, and what it
//! does not change.

mod block;
mod captures;
mod causes;
mod clean_stop;
mod closed_output;
mod config_file;
mod countries;
mod denied;
mod edited_journal;
mod exposed;
mod first_run;
mod foreign;
mod forget;
mod health;
mod import;
mod journal;
mod logout;
mod member_changes;
mod members;
mod on_a_server;
mod reload;
mod replay;
mod root;
mod server_settings;
mod sharing;
mod signals;
mod slow_reader;
mod states;
mod stop;
mod terminal;
mod try_out;
mod usage;
mod variables;

pub use crate::support::ran::{Ran, end, run, run_on, run_with_key, without_times};
