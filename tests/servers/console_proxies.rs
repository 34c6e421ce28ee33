//! The console behind the real nginx and Apache, as docs/operations.md has them.

use std::fs;

use nats_userman::operator::Role;

use crate::support::{App, OPERATOR_PASSWORD, OPS};
use crate::web::{Host, Visitor, WebServer};

const HOME: &str = "https://members.example.com/";

/// The configuration in the page, for this app.
fn of_the_page(app: &App, language: &str) -> String {
    let page = include_str!("../../docs/operations.md");
    let (_, rest) = page.split_once(&format!("```{language}\n")).unwrap();
    let (text, _) = rest.split_once("```").unwrap();
    // The certificate of the tests has this name.
    let text = text.replace("console.example.com", "members.example.com");
    text.replace("127.0.0.1:9180", &app.ops.unwrap().to_string())
}

fn behind(language: &str, serve: impl Fn(&Host, &str) -> Option<WebServer>) {
    let Some(host) = Host::new() else { return };
    let app = App::start_with(&[&OPS[..], &["--trusted-proxy", "127.0.0.1"]].concat());
    app.add_operator("anna", Role::Admin);
    let own = host.path("console.conf");
    fs::write(&own, of_the_page(&app, language)).unwrap();
    let Some(server) = serve(&host, own.to_str().unwrap()) else { return };
    let visitor = Visitor::of(&host, &server);

    let url = |path: &str| format!("{HOME}{path}");
    let form = format!("name=anna&password={}", OPERATOR_PASSWORD.replace(' ', "+"));
    let here = ["-H", "Sec-Fetch-Site: same-origin"];
    let entered = visitor.post(&url("login"), &form, &here);
    assert_eq!(entered.status, 303, "{}: {}", entered.body, server.errors());
    let cookie = entered.header("set-cookie").unwrap();
    let (value, rest) = cookie.split_once("; ").unwrap();
    assert!(value.starts_with("__Host-userman-console="), "{cookie}");
    assert!(rest.contains("; Secure; HttpOnly; SameSite=Strict"), "{cookie}");
    let with_cookie = format!("Cookie: {value}");
    let page = visitor.request(&url("logout"), &["-H", &with_cookie]);
    assert_eq!(page.status, 200, "{}", server.errors());
    let (_, rest) = page.body.split_once("name=\"csrf\" value=\"").unwrap();
    let out = format!("csrf={}", rest.split('"').next().unwrap());
    // The exemption of this machine does not reach through the proxy.
    assert_eq!(visitor.request(&url("health/live"), &[]).status, 401);
    // An older browser says where a form is from by Origin alone.
    let foreign = ["-H", "Origin: https://evil.example.com", "-H", &with_cookie];
    assert_eq!(visitor.post(&url("logout"), &out, &foreign).status, 403);
    let own = ["-H", "Origin: https://members.example.com", "-H", &with_cookie];
    assert_eq!(visitor.post(&url("logout"), &out, &own).status, 303);
    assert_eq!(visitor.request(HOME, &["-H", &with_cookie]).status, 303);
}

#[test]
fn an_operator_logs_in_and_out_behind_nginx() {
    behind("nginx", |host, file| host.nginx(&[file]));
}

#[test]
fn an_operator_logs_in_and_out_behind_apache() {
    behind("apache", |host, file| host.apache(&[file]));
}
