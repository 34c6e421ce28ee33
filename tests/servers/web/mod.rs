//! The protected site of an operator: its web server, its application and its visitors.

pub mod application;
mod host;
mod server;
mod visitor;

pub use host::{Host, Kind, is_root};
pub use server::WebServer;
pub use visitor::Visitor;
