//! The promises of the store that only a server has to keep; see [`crate::engines::conformance`].

mod copying;
mod members;
mod new_members;
mod round_trips;
mod transactions;
