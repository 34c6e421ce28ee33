//! NATS's REST API for authstrings: the service answers requests of a members area, relays them to
//! a NATS that works or fails, and creates strings itself without a NATS.

mod command;
mod login_reports;
mod relay;
mod served;
mod stand_in;

pub use crate::support::authstrings::{
    KEY, SESSION, STRING, USERNAME, add_testakovsky, api_key, get, get_with, post_redeem, redeem,
    said, string_in,
};
pub use crate::support::nats;
