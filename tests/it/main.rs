//! The one test binary: the program as its users and operators use it. `support` has what several
//! tests need.

#![allow(clippy::unwrap_used, missing_docs)]

mod area;
mod authstrings;
mod backup;
mod browser;
mod clock;
mod commands;
mod conformance;
mod connections;
mod continuity;
mod crash;
mod credentials;
mod direct_readers;
mod docs;
mod doctor;
mod examples;
mod fail2ban;
mod failed_logins;
mod faults;
mod first_story;
mod forged_names;
mod golden;
mod layers;
mod login_version;
mod managed;
mod members_area;
mod model;
mod passwords;
mod php;
mod property;
mod readme;
mod receivers;
mod rehash;
mod remote_reads;
mod secrets;
mod security_table;
mod senders;
mod shim;
mod store;
mod support;
mod syncing;
mod text;
mod web;
mod wire;
