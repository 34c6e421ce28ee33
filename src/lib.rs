//! `nats-userman` receives the user management postbacks of NATS (Too Much Media), keeps
//! `member_auth` in SQLite, and answers.
//!
//! ```text
//!             +--------------- pure: no I/O, no clock, no actix, no rusqlite ---------------+
//!  bytes -> Fields -> Action -> decide(&Action, what is known of member and name, now) -> Change, Reply
//!    |                                                                                |       |
//!    +-> Postback -> bounded queue -> writer: begin .. load, decide, save, journal .. commit  |
//!                                                                       only then: the reply line
//!  CHECK, /auth, lists, the hashing worker: read-only connections
//!  replay and the operator's commands: the same apply
//! ```
//!
//! In reading order:
//!
//! - [`fields`]: names and values as PHP reads them, and how the journal shows them.
//! - [`identity`], [`member`], [`reply`]: the row and the line that goes back, as values.
//! - [`mod@unicode`]: in which form names are compared, and how people are shown what cannot be
//!   seen.
//! - [`mod@block`], [`epoch`]: what is blocked in the members area, and which logins count.
//! - [`action`]: the eight actions, parsed once, decided by pure functions.
//! - [`apply`]: from postbacks to rows: load, decide, save.
//! - [`store`]: the only SQL. [`journal`] is what it records.
//! - [`writer`]: the one thread that writes.
//! - [`password`]: sealed at once, verified in every form; [`hardening`] hashes in the background.
//! - [`login`]: the members area: what a visitor sends, what is remembered, who is blocked, where
//!   passwords are hashed.
//! - [`authstring`]: NATS's REST API for strings that authorise a link: called, served, and played
//!   without a NATS.
//! - [`http`]: the surface; [`service`] starts and stops all of it; [`database`] says first what is
//!   there.
//! - [`replay`], [`cli`]: the way back in, and the commands.
//! - `secret`: types whose content is never shown.
//! - [`mod@idle`]: the priority of hashing threads; `open_files`: how many connections the system
//!   allows. [`undumped`]: nobody but root reads the memory.
//! - [`config`], [`network`], [`data_dir`], [`key_file`], [`list_file`], [`clock`], [`logging`],
//!   [`mod@chain`]: settings, files, time, log lines.
//! - `whole_file`: small files that are put in place whole or not at all.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod action;
pub mod apply;
pub mod authstring;
pub mod block;
pub mod chain;
pub mod cli;
pub mod clock;
pub mod config;
pub mod connection_limits;
pub mod data_dir;
pub mod database;
mod denied;
pub mod epoch;
pub mod fields;
pub mod hardening;
pub mod http;
pub mod identity;
pub mod idle;
pub mod journal;
pub mod key_file;
pub mod list_file;
pub mod logging;
pub mod login;
pub mod member;
pub mod metrics;
pub mod network;
mod open_files;
pub mod password;
mod recent;
pub mod replay;
pub mod reply;
pub mod rest_api;
mod seals;
mod secret;
pub mod service;
pub mod store;
mod text_file;
pub mod token;
pub mod undumped;
pub mod unicode;
mod whole_file;
pub mod writer;
