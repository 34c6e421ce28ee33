//! The members area: whether a visitor is a member now.
//!
//! ```text
//! query          --ask-->            Ask: which sites, full members only?, how to be asked
//! Authorization  --basic-->          Typed: name and password
//! Cookie         --cookie_header-->  values --cookie--> Logins: member, id, time, login_version
//!                --presented-->      of several cookies, the order in which their logins count
//! return address --back-->           Back: a path of this site, or `/`
//!
//! Typed + the member's row --guard--> blocked? --remembered--> matched before? --pool--> one hash
//! ```
//!
//! Each listener reads its protocol into a Visit and calls check, which gives all the same answer.
//!
//! There are no HTTP types here, and time is an argument. Visitors may send anything: every parser
//! accepts any bytes, is bounded, and shows no secret.

pub mod activity;
pub mod admission;
pub mod area;
pub mod area_log;
pub mod ask;
mod attempt;
pub mod back;
pub mod basic;
pub mod blocks;
pub mod check;
pub mod cookie;
pub mod cookie_domain;
pub mod cookie_domains;
pub mod cookie_header;
pub mod countries;
pub mod explanation;
pub mod failed;
pub mod guard;
pub mod history;
pub mod known;
pub mod logouts;
pub mod members;
pub mod page;
pub mod pool;
pub mod presented;
pub mod pseudonym;
mod recording;
pub mod remembered;
pub mod sessions;
pub mod settings;
pub mod sharing;
mod sharing_gate;
pub mod signers;
pub mod unkept;
pub mod visit;
