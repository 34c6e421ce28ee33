//! What stories about NATS's REST API for authstrings share.

use std::net::SocketAddr;

use super::{App, Request, Response, send_raw};

/// Key and username of TMM's sample programs.
pub const KEY: &str = "44b5498dbcb481a0d00b404c0169af62";
pub const USERNAME: &str = "tmm1phrvezsbu";
/// The session of the member in these samples.
pub const SESSION: &str = "d2877c3303d01165f780f63bd9da3620";
/// The string on TMM's page.
pub const STRING: &str = "877ae8d2c00e617d443643326bb848e2";

/// The flag that sets the key above, with limits.
pub fn api_key(limits: &str) -> String {
    format!("--api-key={USERNAME}:{KEY} {limits}")
}

/// A GET with the right key, and its response.
pub fn get(address: SocketAddr, path: &str) -> Response {
    get_with(address, path, &format!("api-key: {KEY}\r\napi-username: {USERNAME}\r\n"))
}

/// A GET with these header lines, and its response.
pub fn get_with(address: SocketAddr, path: &str, headers: &str) -> Response {
    send_raw(address, Request::get(path).lines(headers)).unwrap()
}

/// Status and body.
pub fn said(response: &Response) -> (u16, &str) {
    (response.status, &response.body)
}

/// Member 342, "testakovsky2", of site 1, as in TMM's samples, with [`SESSION`].
pub fn add_testakovsky(app: &App) {
    let body = format!(
        "action=ADD&siteid=1&memberid=342&username=testakovsky2&password=secret&session={SESSION}"
    );
    assert_eq!(app.post(&body), "OK|member 342 \"testakovsky2\" added to site 1");
}

/// The string in an answer that consists of it alone.
pub fn string_in<'a>(body: &'a str, key: &str) -> &'a str {
    let string = body
        .strip_prefix(&format!("{{\"{key}\":\""))
        .and_then(|rest| rest.strip_suffix("\"}"))
        .unwrap_or_else(|| panic!("{body}"));
    assert!(string.len() == 32 && string.bytes().all(|b| b.is_ascii_hexdigit()), "{body}");
    string
}

/// Redeems a string.
pub fn redeem(app: &App, string: &str) -> Response {
    post_redeem(app, &format!("{{\"authstring\":\"{string}\"}}"), KEY)
}

pub fn post_redeem(app: &App, body: &str, key: &str) -> Response {
    let request = Request::post("/api/authstring/redeem").header("api-key", key);
    let json = request.header("api-username", USERNAME).header("Content-Type", "application/json");
    app.send(json.body(body))
}
