//! Stories with real programs of others: databases, web servers, senders and readers. MariaDB runs
//! the stories of `tests/engines` too, which `tests/it` runs on SQLite.
//!
//! Such programs need more processor time than ours, so that `cargo test` leaves these stories out.
//! Run them by `cargo test --test servers`.

#![allow(clippy::unwrap_used, missing_docs)]

mod alarms;
mod authstrings;
mod commands;
mod conformance;
mod console;
mod console_proxies;
mod crash;
mod direct_readers;
#[allow(dead_code, unused_imports, reason = "shared with `tests/it`, which uses all of it")]
#[path = "../engines/mod.rs"]
mod engines;
mod examples;
mod fail2ban;
mod first_start;
mod foreign_wal;
mod forged_names;
mod forget;
mod htpasswd;
mod import;
mod key_rotation;
mod litestream;
mod mariadb;
mod members_area;
mod migration;
mod php;
mod prometheus;
mod property;
mod random;
mod readme;
mod receivers;
mod secrets;
mod senders;
mod server_reads;
mod server_settings;
mod server_tls;
mod server_upgrade;
mod slow_forms;
mod sshfs;
#[allow(dead_code, unused_imports, reason = "shared with the other tests, which use all of it")]
#[path = "../it/support/mod.rs"]
mod support;
mod systemd;
mod try_out;
mod unknown_outcomes;
mod web;

use support::EngineKind;

/// What the stories for every engine run on here. `tests/it` runs them on SQLite.
const ENGINES: [EngineKind; 1] = [EngineKind::MariaDb];
