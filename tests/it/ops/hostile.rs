//! What strangers send to the operations listener.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use nats_userman::operator::Role;

use crate::support::{
    App, OPERATOR_PASSWORD, OPS, PATIENCE, Request, Response, eventually, send_raw,
};

const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action \
                      'self'; frame-ancestors 'none'; base-uri 'none'";

fn check_headers(response: &Response, what: &str) {
    for (name, value) in [
        ("cache-control", "no-store"),
        ("content-security-policy", POLICY),
        ("referrer-policy", "same-origin"),
        ("x-content-type-options", "nosniff"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(response.header(name), Some(value), "{what}: {name}");
    }
}

#[test]
fn every_response_has_the_security_headers() {
    let app = App::start_with(&OPS);
    let anna = app.console("anna", Role::Admin);
    for (path, status) in [("/", 200), ("/logout", 200), ("/nothing", 404), ("/style.css", 200)] {
        let response = anna.get(path);
        assert_eq!(response.status, status, "{path}");
        check_headers(&response, path);
    }
    for (request, status) in [
        (Request::get("/"), 303),
        (Request::get("/login"), 200),
        (Request::get("/health/live"), 401),
        (Request::new("PUT", "/login"), 405),
        (Request::new("DELETE", "/health/live"), 405),
        (Request::post("/login").form("name=anna"), 403),
        (Request::post("/logout").same_origin().form("csrf=1"), 401),
    ] {
        let bytes = Vec::from(request);
        let what = String::from_utf8_lossy(&bytes).into_owned();
        let response = app.send_ops(bytes);
        assert_eq!(response.status, status, "{what}");
        check_headers(&response, &what);
    }
}

#[test]
fn no_page_loads_anything_from_elsewhere_or_has_a_script_or_style_in_it() {
    let app = App::start_with(&OPS);
    let anna = app.console("anna", Role::Admin);
    for page in [anna.get("/").body, anna.get("/logout").body, anna.get("/login").body] {
        for part in ["<script", "<style", " style=", " onclick", "http://", "https://", "//"] {
            assert!(!page.contains(part), "{part}: {page}");
        }
    }
}

#[test]
fn a_form_of_another_site_or_of_another_session_changes_nothing() {
    let app = App::start_with(&OPS);
    let (anna, bert) = (app.console("anna", Role::Admin), app.console("bert", Role::Admin));
    let own = format!("csrf={}", anna.csrf);
    let logout = |request: Request| anna.send(request).status;
    let post = || Request::post("/logout");
    for (request, why) in [
        (post().form(&own), "no browser says where it is from"),
        (post().header("Sec-Fetch-Site", "cross-site").form(&own), "another site"),
        (post().header("Sec-Fetch-Site", "same-site").form(&own), "a neighbour"),
        (post().header("Origin", "https://evil.example.com").form(&own), "its origin"),
        (post().header("Origin", "null").form(&own), "no origin"),
        (post().same_origin().form("csrf="), "no token"),
        (post().same_origin().form(""), "no field"),
        (post().same_origin().form(&format!("csrf={}", bert.csrf)), "the token of another session"),
        (post().same_origin().form(&format!("csrf={}", &own[6..])), "a part of it"),
    ] {
        assert_eq!(logout(request), 403, "{why}");
        assert_eq!(anna.get("/").status, 200, "{why}");
    }
    let refused = anna.send(post().same_origin().form(""));
    let sentence = "This form is of another login, and nothing was changed.";
    assert!(refused.body.contains(sentence) && refused.is_html(), "{}", refused.body);
    let ended = app.send_ops(post().same_origin().form(&own));
    assert_eq!(ended.status, 401);
    let sentence = "Your session has ended, and nothing was changed. Log in, and repeat it.";
    assert!(ended.body.contains(sentence) && ended.is_html(), "{}", ended.body);
    let text = post().same_origin().header("Content-Type", "text/plain").body(own.clone());
    assert_eq!(logout(text), 415);
    let here = post().header("Origin", "http://test").form(&own);
    assert_eq!(logout(here), 303, "an older browser sends the origin alone");
}

#[test]
fn a_stranger_cannot_log_a_browser_in_or_choose_its_session() {
    let app = App::start_with(&OPS);
    app.add_operator("anna", Role::Admin);
    let form = format!("name=anna&password={}", OPERATOR_PASSWORD.replace(' ', "+"));
    let foreign = Request::post("/login").header("Sec-Fetch-Site", "cross-site").form(&form);
    let foreign = app.send_ops(foreign);
    assert_eq!((foreign.status, foreign.header("set-cookie")), (403, None));
    let chosen = format!("userman-console={}", "ab".repeat(32));
    let login = Request::post("/login").same_origin().cookie(&chosen).form(&form);
    let login = app.send_ops(login);
    let given = login.header("set-cookie").unwrap();
    assert!(login.status == 303 && !given.starts_with(&chosen), "{given}");
    assert_eq!(app.send_ops(Request::get("/").cookie(&chosen)).status, 303);
    // A login leads to no other site.
    for back in ["//evil.example.com/", "https://evil.example.com/", "/\\evil.example.com", "x"] {
        let form = format!("{form}&back={back}");
        let login = app.send_ops(Request::post("/login").same_origin().form(&form));
        assert_eq!(login.header("location"), Some("/"), "{back}");
    }
}

#[test]
fn a_login_ends_the_session_that_the_browser_had() {
    let app = App::start_with(&OPS);
    let anna = app.console("anna", Role::Admin);
    let form = format!("name=anna&password={}", OPERATOR_PASSWORD.replace(' ', "+"));
    assert_eq!(anna.send(Request::post("/login").same_origin().form(&form)).status, 303);
    assert_eq!(anna.get("/").status, 303);
}

#[test]
fn requests_of_no_sense_are_refused_and_the_next_one_is_answered() {
    let app = App::start_with(&OPS);
    let anna = app.console("anna", Role::Admin);
    let long = "x".repeat(200_000);
    for (request, status) in [
        (Request::get("/health/%6cive").host("127.0.0.1"), 200),
        (Request::get("/health/%2e%2e/metrics").host("127.0.0.1"), 303),
        (Request::get("/%ff%fe"), 303),
        (Request::get("/health/live/").host("127.0.0.1"), 303),
        (Request::get("//login"), 303),
        (Request::new("BREW", "/login"), 405),
        (Request::new("POST", "/health/live").host("127.0.0.1"), 405),
        (Request::get("/").cookie("userman-console"), 303),
        (Request::get("/").cookie("userman-console=%00; userman-console=\u{e9}"), 303),
        (Request::get("/").cookie(&format!("userman-console={}", "0".repeat(4_000))), 303),
        (Request::post("/login").same_origin().form(&format!("name={}", &long[..70_000])), 413),
        (
            Request::post("/login")
                .same_origin()
                .form(&format!("name={}&password=x", &long[..9_000])),
            401,
        ),
        (Request::post("/login").same_origin().form("name=%00%ff&password=%ff"), 401),
        (Request::post("/login").same_origin().form("name=anna"), 401),
    ] {
        let bytes = Vec::from(request);
        let what = String::from_utf8_lossy(&bytes[..bytes.len().min(120)]).into_owned();
        assert_eq!(app.send_ops(bytes).status, status, "{what}");
    }
    // A head that is too long for a request.
    let mut stream = TcpStream::connect(app.ops.unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let _ =
        stream.write_all(format!("GET / HTTP/1.1\r\nHost: test\r\nX: {long}\r\n\r\n").as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(anna.get("/").status, 200);
}

#[test]
fn connections_that_are_held_open_delay_neither_postbacks_nor_checks_nor_health() {
    let app = App::start_with(&OPS);
    app.post("action=ADD&siteid=1&memberid=71&username=bob&password=secret");
    // More than the listener keeps, each with a part of a head.
    let held: Vec<TcpStream> = (0..150)
        .map(|_| {
            let mut stream = TcpStream::connect(app.ops.unwrap()).unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: te").unwrap();
            stream
        })
        .collect();
    let deleted = app.post("action=DELETE&siteid=1&memberid=71");
    assert!(deleted.starts_with("OK|"), "{deleted}");
    assert_eq!(app.send(Request::get("/auth?site=1")).status, 401);
    // One that is accepted while the others still arrive may be the one that is closed.
    eventually("a new connection takes the place of one that waits", || {
        let live = Request::get("/health/live").host("127.0.0.1");
        send_raw(app.ops.unwrap(), live).is_ok_and(|live| live.status == 200)
    });
    drop(held);
}
