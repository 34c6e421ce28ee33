//! The service: data directory, database, keys, writer, hashing worker and HTTP server, started in
//! this order and stopped in reverse order.

mod agreement;
mod area;
mod error;
mod keys;
pub mod listener;
pub mod manager;
mod opened;
mod operations;
mod reload;
mod running;
mod served;
mod start;
mod watching;

pub use error::StartError;
pub use running::Service;
pub use start::Surroundings;
