//! `nats-userman` receives the user management postbacks of NATS (Too Much Media), keeps the table
//! `member_auth` in SQLite, MariaDB or MySQL, and authenticates members for the members area.
//!
//! ARCHITECTURE.md, in the root of the repository, is the map of the crate: its layers, of which
//! each imports only from itself and from those below it, and the module for each job.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod action;
pub mod alarms;
pub mod apply;
pub mod authstring;
mod backoff;
pub mod backup;
pub mod block;
pub mod chain;
mod child;
pub mod cli;
pub mod clock;
pub mod config;
pub mod connection_limits;
mod counted;
pub mod country_file;
pub mod data_dir;
pub mod database;
mod denied;
pub mod doctor;
pub mod epoch;
pub mod export;
pub mod exposition;
pub mod fastcgi;
pub mod fields;
pub mod file_system;
pub mod hardening;
pub mod heartbeat;
mod hex;
mod host_names;
pub mod http;
pub mod identity;
pub mod idle;
pub mod import;
pub mod journal;
pub mod key_file;
pub mod list_file;
pub mod logging;
pub mod login;
pub mod login_record;
pub mod member;
pub mod member_change;
pub mod member_view;
pub mod metrics;
pub mod migration;
pub mod nats_client;
pub mod network;
mod open_files;
pub mod operator;
pub mod operators;
pub mod ops;
mod owner;
pub mod password;
pub mod personal;
mod recent;
pub mod reconcile;
pub mod replay;
pub mod reply;
pub mod rest_api;
mod seals;
mod secret;
pub mod service;
pub mod shared_use;
pub mod statistics;
pub mod store;
mod text_file;
pub mod token;
pub mod token_file;
pub mod undumped;
pub mod unicode;
mod whole_file;
pub mod writer;
