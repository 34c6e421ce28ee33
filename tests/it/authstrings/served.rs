//! What a members area gets: the string, a blank, or an error that says what is wrong.

use super::{KEY, SESSION, USERNAME, add_testakovsky, api_key, get, get_with, said, string_in};
use crate::support::{App, NOON, Request};

const AUTH: &str = "/api/member/authstring";
const REBUY: &str = "/api/member/tokenrebuystring";

fn app() -> App {
    let app = App::start_with(&["--stand-in", &api_key("")]);
    add_testakovsky(&app);
    app
}

#[test]
fn an_active_member_gets_a_string_by_each_combination_of_either_resource() {
    let app = app();
    for who in [
        format!("memberid=342&session={SESSION}"),
        "username=testakovsky2&siteid=1".into(),
        "username=TestAkovsky2&siteid=1".into(),
        "username=testakovsky2&siteids=5,1".into(),
        "username=testakovsky2&siteid=1&status=1".into(),
    ] {
        let response = get(app.address, &format!("{AUTH}?type=instantupgrade&{who}"));
        assert_eq!(
            (response.status, response.header("content-type")),
            (200, Some("application/json")),
            "{who}"
        );
        assert_eq!(response.header("cache-control"), Some("no-store"));
        string_in(&response.body, "result");
        let response = get(app.address, &format!("{REBUY}?{who}"));
        assert_eq!(response.status, 200, "{who}");
        string_in(&response.body, "token_rebuy_string");
    }
}

#[test]
fn who_is_no_active_member_gets_a_blank() {
    let app = app();
    app.post("action=ADD&siteid=1&memberid=2&username=former&password=p&session=s");
    app.post("action=DELETE&siteid=1&memberid=2");
    app.post("action=ADD&siteid=1&memberid=3&username=expired&password=p");
    app.post("action=EXPIRE&siteid=1&memberid=3&expire=2026-06-16");
    app.set_unix_unnoticed(NOON + 86_400);
    app.post("action=ADD&siteid=1&memberid=4&username=sessionless&password=p");
    let other = SESSION.replace('d', "e");
    for who in [
        "username=former&siteid=1",
        "memberid=2&session=s",
        "username=expired&siteid=1",
        "username=nobody&siteid=1",
        "username=testakovsky2&siteid=2",
        "username=testakovsky2&siteids=2,3",
        "username=testakovsky2&siteid=1&status=2",
        "username=testakovsky2&siteid=1&status=0",
        &format!("memberid=342&session={SESSION}&status=2"),
        &format!("memberid=342&session={other}"),
        &format!("memberid=342&session={}", &SESSION[..31]),
        &format!("memberid=343&session={SESSION}"),
        "memberid=4&session=s",
        &format!("memberid=9223372036854775807&session={SESSION}"),
    ] {
        assert_eq!(
            said(&get(app.address, &format!("{AUTH}?type=cancel&{who}"))),
            (200, "{\"result\":\"\"}"),
            "{who}"
        );
        assert_eq!(
            said(&get(app.address, &format!("{REBUY}?{who}"))),
            (200, "{\"token_rebuy_string\":\"\"}"),
            "{who}"
        );
    }
}

#[test]
fn what_is_asked_wrongly_is_refused_by_name() {
    let app = app();
    let one = "expected memberid and session, or username and siteid, or username and siteids, and \
        no other of them";
    for (query, error) in [
        (
            "username=bob&siteid=1",
            "type: expected upsell, tokenrebuy, instantupgrade, packageupgrade, cancel or \
             signupplus, not given"
                .to_owned(),
        ),
        (
            "type=upgrade&username=bob&siteid=1",
            "type: expected upsell, tokenrebuy, instantupgrade, packageupgrade, cancel or \
             signupplus, found \\\"upgrade\\\""
                .into(),
        ),
        (
            "type=upsell&type=cancel&username=bob&siteid=1",
            "type: expected one value, as in siteids=1,2, found 2 of them".into(),
        ),
        (
            "type=upsell&username=bob&siteid=1&memberid=1&session=s",
            format!("username: {one}, found \\\"bob\\\""),
        ),
        ("type=upsell&username=bob&siteid=1&siteids=2", format!("siteids: {one}, found \\\"2\\\"")),
        (
            "type=upsell&username=bob&siteids=1,,2",
            "siteids: expected 1 to 32 siteids separated by commas, each once, found \\\"1,,2\\\""
                .into(),
        ),
        (
            "type=upsell&memberid=one&session=s",
            "memberid: expected a number from 1 to 9223372036854775807, found \\\"one\\\"".into(),
        ),
        ("type=upsell&memberid=1", format!("session: {one}, not given")),
        (
            "type=upsell&username=bob&siteid=1&status=active",
            "status: expected a number, as in 1 for active, found \\\"active\\\"".into(),
        ),
    ] {
        let response = get(app.address, &format!("{AUTH}?{query}"));
        assert_eq!(said(&response), (400, &*format!("{{\"error\":\"{error}\"}}")), "{query}");
        assert_eq!(response.header("content-type"), Some("application/json"));
    }
    let response = get(app.address, &format!("{REBUY}?username=bob"));
    assert_eq!(said(&response), (400, &*format!("{{\"error\":\"siteid: {one}, not given\"}}")));
}

#[test]
fn only_a_whole_key_with_its_username_is_taken() {
    let app = app();
    let path = format!("{AUTH}?type=upsell&username=testakovsky2&siteid=1");
    let refused = "{\"error\":\"api-key, api-username: expected both headers, once each, \
        with a key that is set with --api-key or --api-key-file\"}";
    for (headers, why) in [
        (String::new(), "none"),
        (format!("api-key: {KEY}\r\n"), "no username"),
        (format!("api-username: {USERNAME}\r\n"), "no key"),
        (format!("api-key: {}\r\napi-username: {USERNAME}\r\n", &KEY[1..]), "a part of it"),
        (format!("api-key: {KEY}0\r\napi-username: {USERNAME}\r\n"), "more than it"),
        (format!("api-key: {KEY}\r\napi-username: TMM1PHRVEZSBU\r\n"), "another username"),
        (
            format!("api-key: {KEY}\r\napi-key: {KEY}\r\napi-username: {USERNAME}\r\n"),
            "two of them",
        ),
        (format!("api_key: {KEY}\r\napi_username: {USERNAME}\r\n"), "the names of before 2015"),
    ] {
        assert_eq!(said(&get_with(app.address, &path, &headers)), (401, refused), "{why}");
    }
    // With a wrong key, the answer says nothing about the parameters.
    assert_eq!(said(&get_with(app.address, AUTH, "")), (401, refused));
    assert_eq!(
        get_with(app.address, &path, &format!("API-Key: {KEY}\r\nApi-Username: {USERNAME}\r\n"))
            .status,
        200
    );
}

#[test]
fn without_a_key_in_the_settings_nobody_is_answered() {
    let app = App::start_with(&["--stand-in"]);
    assert_eq!(get(app.address, &format!("{AUTH}?type=upsell&username=bob&siteid=1")).status, 401);
    assert_eq!(
        get_with(app.address, &format!("{AUTH}?type=upsell&username=bob&siteid=1"), "").status,
        401
    );
}

#[test]
fn a_key_is_valid_for_its_sites_and_from_its_addresses_alone() {
    let limited = format!("--api-key={USERNAME}:{KEY} site=1 site=2 ip=192.0.2.0/24");
    let app = App::start_with(&["--stand-in", &limited, "--trusted-proxy", "127.0.0.1"]);
    add_testakovsky(&app);
    app.post(&format!(
        "action=ADD&siteid=7&memberid=342&username=testakovsky2&password=p&session={SESSION}"
    ));
    app.post("action=ADD&siteid=7&memberid=9&username=seven&password=p&session=seven");
    let ask = |from: &str, who: &str| {
        let headers =
            format!("api-key: {KEY}\r\napi-username: {USERNAME}\r\nX-Forwarded-For: {from}\r\n");
        let response = get_with(app.address, &format!("{AUTH}?type=upsell&{who}"), &headers);
        (response.status, response.body)
    };
    let no_site = (403, "{\"error\":\"siteid: this key is not good for site 7\"}".to_owned());
    let blank = (200, "{\"result\":\"\"}".to_owned());
    assert_eq!(ask("192.0.2.9", "username=testakovsky2&siteid=1").0, 200);
    assert_eq!(ask("192.0.2.9", "username=nobody&siteid=2"), blank);
    assert_eq!(ask("192.0.2.9", "username=testakovsky2&siteid=7"), no_site);
    assert_eq!(
        ask("192.0.2.9", "username=nobody&siteid=7"),
        no_site,
        "it does not depend on the name"
    );
    let no_sites = (403, "{\"error\":\"siteids: this key is not good for site 7\"}".to_owned());
    assert_eq!(ask("192.0.2.9", "username=testakovsky2&siteids=1,7"), no_sites);
    let no_member = (403, "{\"error\":\"memberid: this key is not good for site 7\"}".to_owned());
    assert_eq!(ask("192.0.2.9", "memberid=9&session=seven"), no_member);
    assert_eq!(
        ask("192.0.2.9", "memberid=9&session=eight"),
        blank,
        "who does not know the session is told nothing"
    );
    // The member is on two sites. One matching site is enough.
    assert_eq!(ask("192.0.2.9", &format!("memberid=342&session={SESSION}")).0, 200);
    let elsewhere =
        (403, "{\"error\":\"address: this key is not good from 198.51.100.1\"}".to_owned());
    assert_eq!(ask("198.51.100.1", "username=testakovsky2&siteid=1"), elsewhere);
    assert_eq!(ask("198.51.100.1", ""), elsewhere);
}

#[test]
fn siteids_are_looked_through_in_the_order_given() {
    let app = app();
    app.post("action=ADD&siteid=5&memberid=71&username=bob&password=p");
    app.post("action=ADD&siteid=1&memberid=72&username=bob&password=p");
    app.post("action=ADD&siteid=3&memberid=73&username=bob&password=p");
    app.post("action=DELETE&siteid=3&memberid=73");
    for (siteids, member) in [("5,1", 71), ("1,5", 72), ("2,3,1", 72), ("3,5", 71), ("5", 71)] {
        let string =
            get(app.address, &format!("{AUTH}?type=upsell&username=bob&siteids={siteids}"));
        let redeemed = super::redeem(&app, string_in(&string.body, "result"));
        assert!(
            redeemed.body.contains(&format!("\"memberid\":{member},")),
            "{siteids}: {}",
            redeemed.body
        );
    }
}

#[test]
fn with_neither_nats_nor_a_stand_in_the_answer_names_both() {
    let app = App::start_with(&[&api_key("")]);
    add_testakovsky(&app);
    let error = "{\"error\":\"there are no authstrings here: start the service with \
        --nats-url, or with --stand-in while you develop\"}";
    for path in [
        format!("{AUTH}?type=upsell&username=testakovsky2&siteid=1"),
        format!("{REBUY}?username=nobody&siteid=1"),
    ] {
        let response = get(app.address, &path);
        assert_eq!(said(&response), (503, error));
        assert_eq!(
            (response.header("retry-after"), response.header("x-stand-in")),
            (Some("5"), None)
        );
    }
    assert_eq!(said(&super::redeem(&app, "x")), (503, error));
    assert_eq!(get(app.address, AUTH).status, 400, "what is wrong is told first");
}

#[test]
fn another_method_is_refused_and_the_right_one_is_named() {
    let app = app();
    for (line, allow) in [
        (format!("POST {AUTH}?type=upsell&username=testakovsky2&siteid=1"), "GET"),
        (format!("HEAD {AUTH}?type=upsell&username=testakovsky2&siteid=1"), "GET"),
        (format!("DELETE {REBUY}"), "GET"),
        ("GET /api/authstring/redeem".into(), "POST"),
    ] {
        let (method, path) = line.split_once(' ').unwrap();
        let request = Request::new(method, path).header("api-key", KEY);
        let response = app.send(request.header("api-username", USERNAME).body(""));
        let body = if line.starts_with("HEAD") {
            String::new()
        } else {
            format!("{{\"error\":\"expected the method {allow}\"}}")
        };
        assert_eq!(said(&response), (405, &*body), "{line}");
        assert_eq!(response.header("allow"), Some(allow));
    }
}

#[test]
fn nothing_of_it_writes_to_the_database() {
    let app = app();
    let tables = ["member_auth", "former_member", "journal"];
    let rows = || tables.map(|table| app.rows(&format!("SELECT * FROM {table}")));
    let before = rows();
    let string = get(app.address, &format!("{AUTH}?type=upsell&memberid=342&session={SESSION}"));
    super::redeem(&app, string_in(&string.body, "result"));
    get(app.address, &format!("{AUTH}?type=upsell&username=nobody&siteid=1"));
    assert_eq!(rows(), before);
}
