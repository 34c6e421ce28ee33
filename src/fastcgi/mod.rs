//! The FastCGI listener: an authorizer, for Apache's `mod_authnz_fcgi` and for nginx's
//! `auth_request` with `fastcgi_pass`.
//!
//! ```text
//! bytes --record--> Request --question--> PageRequest --login::check--> Answer --answer--> bytes
//! ```
//!
//! It shares threads, connections and their deadlines with the HTTP listener (`connection`): a
//! question takes a slot of the kind of `/auth`, and a connection counts like one of HTTP.

mod answer;
mod connection;
pub mod question;
pub mod record;

pub use connection::serve;
