//! The headers that every response has.

use super::{bare, request};
use crate::authstrings::api_key;
use crate::support::{App, Request, Response, TOKEN, temp_dir};

const NOTHING: &str =
    "default-src 'none'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'";
const LOGIN_PAGE: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; \
    frame-ancestors 'none'; base-uri 'none'";
const OWN_PAGE: &str = "frame-ancestors 'none'; base-uri 'none'";

fn is_guarded(response: &Response, status: u16, policy: &str, what: &str) {
    assert_eq!(response.status, status, "{what}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cache-control", "no-store"),
        ("content-security-policy", policy),
    ] {
        let found: Vec<&str> = response
            .headers
            .iter()
            .filter(|(header, _)| header == name)
            .map(|(_, it)| it.as_str())
            .collect();
        assert_eq!(found, [value], "{what}: {name}");
    }
}

/// A form from a page of the site.
fn form(app: &App, path: &str, body: &str) -> Response {
    app.send(Request::post(path).same_origin().form(body))
}

#[test]
fn every_answer_forbids_to_sniff_to_frame_to_run_to_tell_on_and_to_keep_it() {
    let app = App::start_in(temp_dir(), &["--stand-in", &api_key("")]);
    app.post("action=ADD&siteid=1&memberid=71&username=bob&password=secret&trial=1");
    let postback = format!("/postback/{TOKEN}");
    for (method, path, status, policy) in [
        ("GET", "/login?site=1", 200, LOGIN_PAGE),
        ("HEAD", "/login?site=1", 200, LOGIN_PAGE),
        ("GET", "/login", 400, NOTHING),
        ("PUT", "/login?site=1", 405, NOTHING),
        ("PUT", "/logout", 405, NOTHING),
        ("GET", "/auth?site=1", 401, NOTHING),
        ("GET", "/auth?site=1&ask=page", 401, LOGIN_PAGE),
        ("GET", "/auth", 400, NOTHING),
        ("GET", "/health", 200, NOTHING),
        ("GET", "/postback/wrong", 403, NOTHING),
        ("PUT", postback.as_str(), 405, NOTHING),
        ("GET", postback.as_str(), 200, NOTHING),
        ("GET", "/api/member/authstring", 401, NOTHING),
        ("POST", "/api/authstring/redeem", 401, NOTHING),
        ("GET", "/", 404, NOTHING),
        ("GET", "/health/x", 404, NOTHING),
    ] {
        is_guarded(&bare(&app, method, path), status, policy, &format!("{method} {path}"));
    }
    for (query, status) in [("site=1", 200), ("site=1&trial=no", 403)] {
        let asked = app.send(Request::get(&format!("/auth?{query}")).basic("bob", "secret"));
        is_guarded(&asked, status, NOTHING, query);
    }
    is_guarded(
        &app.send(request("1.1", "", &"x".repeat(65_537))),
        413,
        NOTHING,
        "a postback that is too long",
    );
    for (path, body, status, policy) in [
        ("/login?site=1", "username=bob&password=secret", 303, NOTHING),
        ("/login?site=1", "username=bob&password=wrong", 401, LOGIN_PAGE),
        ("/login?site=1&trial=no", "username=bob&password=secret", 403, LOGIN_PAGE),
        ("/login?site=1", &*"x".repeat(65_537), 413, NOTHING),
        ("/logout", "", 303, NOTHING),
    ] {
        is_guarded(&form(&app, path, body), status, policy, &format!("POST {path} {status}"));
    }
}

#[test]
fn so_do_an_operators_own_page_and_what_is_unavailable() {
    let page = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(page.path(), "<!doctype html><title>Ours</title>{{form}}").unwrap();
    let app = App::start_in(temp_dir(), &["--login-template", page.path().to_str().unwrap()]);
    is_guarded(&bare(&app, "GET", "/login?site=1"), 200, OWN_PAGE, "a page of the operator's own");
    is_guarded(&bare(&app, "GET", "/api/member/authstring"), 401, NOTHING, "no key is set");
    let other = rusqlite::Connection::open(app.config.location.file().unwrap()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    is_guarded(&bare(&app, "GET", "/health"), 503, NOTHING, "/health");
    is_guarded(
        &app.send(request("1.1", "", "action=DELETE&siteid=1&memberid=71")),
        503,
        NOTHING,
        "a postback",
    );
}
