//! Nearly all tests in one binary: the program as its users and operators use it. They need nothing
//! but this crate, a C compiler and the basic programs of the system. `tests/servers` has the
//! stories with databases, web servers and clients of others. `support` has what several tests
//! need.

#![allow(clippy::unwrap_used, missing_docs)]

mod alarms;
mod area;
mod authstrings;
mod backup;
mod clock;
mod commands;
mod connections;
mod console;
mod console_members;
mod continuity;
mod copying;
mod crash;
mod credentials;
mod docs;
mod doctor;
#[path = "../engines/mod.rs"]
mod engines;
mod examples;
mod failed_logins;
mod fastcgi;
mod faults;
mod first_story;
mod in_step;
mod key_rotation;
mod layers;
mod login_version;
mod managed;
mod migration;
mod ops;
mod passwords;
mod programs;
mod prometheus;
mod property;
mod provisional;
mod readme;
mod rehash;
mod remote_reads;
mod secrets;
mod security_table;
mod server_reads;
mod shim;
mod statistics;
mod store;
#[allow(dead_code, unused_imports, reason = "shared with the other tests, which use all of it")]
mod support;
mod syncing;
mod text;
mod wire;

use support::EngineKind;

/// What the stories for every engine run on here. `tests/servers` runs them on MariaDB.
const ENGINES: [EngineKind; 1] = [EngineKind::Sqlite];
