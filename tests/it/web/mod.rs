//! The protected site of an operator: its web server, its application, its visitors.

pub mod application;
mod server;
mod visitor;

pub use server::{Host, WebServer, is_root};
pub use visitor::Visitor;
