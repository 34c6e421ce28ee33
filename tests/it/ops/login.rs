//! Operators log in, and their sessions end.

use nats_userman::operator::Role;

use crate::support::{App, OPERATOR_PASSWORD, OPS, Request};

/// Through a tunnel, or through a proxy that is not listed, all operators come from 127.0.0.1.
#[test]
fn nobody_on_this_machine_locks_the_operators_out_by_inventing_names() {
    let app = App::start_with(&OPS);
    app.add_operator("anna", Role::Admin);
    for name in 0..8 {
        for number in 0..4 {
            let guessed = app.submit_login(&format!("guess-{name}"), &format!("wrong {number}"));
            assert_eq!(guessed.status, 401, "{name} {number}");
        }
    }
    assert_eq!(app.submit_login("anna", OPERATOR_PASSWORD).status, 303);
}

#[test]
fn from_elsewhere_twenty_wrong_passwords_block_their_network_whatever_the_names() {
    let flags = [&OPS[..], &["--trusted-proxy", "127.0.0.1"]].concat();
    let app = App::start_with(&flags);
    app.add_operator("anna", Role::Admin);
    let from = |address: &str, name: &str, password: &str| {
        let form = format!("name={name}&password={}", password.replace(' ', "+"));
        let request = Request::post("/login").same_origin().form(&form);
        app.send_ops(request.header("X-Forwarded-For", address)).status
    };
    for number in 0..20 {
        let (name, password) = (format!("guess-{}", number / 4), format!("wrong {number}"));
        assert_eq!(from("198.51.100.7", &name, &password), 401, "{number}");
    }
    assert_eq!(from("198.51.100.7", "anna", OPERATOR_PASSWORD), 429);
    assert_eq!(from("203.0.113.9", "anna", OPERATOR_PASSWORD), 303);
}

#[test]
fn the_cookie_is_for_tls_alone_where_a_listed_proxy_says_so() {
    let flags = [&OPS[..], &["--trusted-proxy", "127.0.0.1"]].concat();
    let app = App::start_with(&flags);
    app.add_operator("anna", Role::Admin);
    let form = format!("name=anna&password={}", OPERATOR_PASSWORD.replace(' ', "+"));
    let by_tls = |request: Request| {
        request.header("X-Forwarded-Proto", "https").header("X-Forwarded-For", "203.0.113.9")
    };
    let login = app.send_ops(by_tls(Request::post("/login")).same_origin().form(&form));
    let cookie = login.header("set-cookie").unwrap();
    let (value, rest) = cookie.split_once("; ").unwrap();
    assert!(value.starts_with("__Host-userman-console="), "{value}");
    assert_eq!(rest, "Max-Age=43200; Path=/; Secure; HttpOnly; SameSite=Strict");
    assert_eq!(app.send_ops(by_tls(Request::get("/")).cookie(value)).status, 200);
    // Another host of the domain can set the other name. It does not count here.
    let tossed = value.trim_start_matches("__Host-");
    assert_eq!(app.send_ops(by_tls(Request::get("/")).cookie(tossed)).status, 303);
}
