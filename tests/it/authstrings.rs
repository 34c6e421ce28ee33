//! NATS's REST API for authstrings: served to a members area, relayed to a NATS that has good and
//! bad days, and played without one.

mod command;
pub mod nats;
mod pages;
mod relay;
mod served;
mod stand_in;
mod tls;

use std::net::SocketAddr;

use crate::support::{App, Request, Response, send_raw};

/// The key and the username of TMM's sample programs.
pub const KEY: &str = "44b5498dbcb481a0d00b404c0169af62";
pub const USERNAME: &str = "tmm1phrvezsbu";
/// Their member's session.
pub const SESSION: &str = "d2877c3303d01165f780f63bd9da3620";
/// The string of TMM's page.
pub const STRING: &str = "877ae8d2c00e617d443643326bb848e2";

/// The flag of the key above, with limits.
pub fn api_key(limits: &str) -> String {
    format!("--api-key={USERNAME}:{KEY} {limits}")
}

/// A GET with the right key, and its response.
pub fn get(address: SocketAddr, path: &str) -> Response {
    get_with(address, path, &format!("api-key: {KEY}\r\napi-username: {USERNAME}\r\n"))
}

/// A GET with header lines of the caller's, and its response.
pub fn get_with(address: SocketAddr, path: &str, headers: &str) -> Response {
    send_raw(address, Request::get(path).lines(headers)).unwrap()
}

/// Status and body.
pub fn said(response: &Response) -> (u16, &str) {
    (response.status, &response.body)
}

/// Member 342 "testakovsky2" of site 1, as TMM's samples have him, with [`SESSION`].
pub fn add_testakovsky(app: &App) {
    let body = format!(
        "action=ADD&siteid=1&memberid=342&username=testakovsky2&password=secret&session={SESSION}"
    );
    assert_eq!(app.post(&body), "OK|member 342 \"testakovsky2\" added to site 1");
}

/// The string in an answer, which is nothing but that.
pub fn string_in<'a>(body: &'a str, key: &str) -> &'a str {
    let string = body
        .strip_prefix(&format!("{{\"{key}\":\""))
        .and_then(|rest| rest.strip_suffix("\"}"))
        .unwrap_or_else(|| panic!("{body}"));
    assert!(string.len() == 32 && string.bytes().all(|b| b.is_ascii_hexdigit()), "{body}");
    string
}
