//! The FastCGI authorizer, asked by hand-made records. (By real web servers: `members_area`.)

mod answers;
mod client;
mod connections;
mod lifetime;
mod malformed;
