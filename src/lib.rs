//! `nats-userman` receives the user management postbacks of NATS (Too Much Media), keeps the table
//! `member_auth` in SQLite, and authenticates members for the members area.
//!
//! The map of the crate is ARCHITECTURE.md, in the root of the repository. A module imports only
//! from its own layer and from layers below it. From the top:
//!
//! 1. Commands: [`cli`].
//! 2. Start and stop: [`service`], [`database`], and [`doctor`], which checks both.
//! 3. Listeners: [`http`] and [`fastcgi`], the only layer with types for requests and responses.
//! 4. Settings: [`config`] reads flags, variables and files into the settings of the layers below.
//! 5. Members area: [`login`], [`alarms`], [`rest_api`], [`personal`], [`hardening`]: without HTTP.
//! 6. Applying: [`writer`], [`replay`], [`import`] and [`apply`] load, decide and save postbacks.
//! 7. Store: [`store`], the only SQL.
//! 8. Outside: [`nats_client`] and [`token_file`] use the network and files.
//! 9. Rules: [`action`], [`journal`] and [`authstring`], without I/O, clock or SQL.
//! 10. Values: [`fields`], [`member`], [`mod@block`], [`password`], [`token`], [`reply`].
//! 11. Ground: all other modules, such as [`identity`], [`clock`], [`logging`] and [`data_dir`].

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod action;
pub mod alarms;
pub mod apply;
pub mod authstring;
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
