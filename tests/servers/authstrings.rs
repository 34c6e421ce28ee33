//! NATS's REST API for authstrings, with the clients that people use, and behind a real nginx.

mod pages;
mod tls;
