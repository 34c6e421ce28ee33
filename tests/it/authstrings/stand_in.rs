//! Without a NATS, the service creates strings itself: for the page that shows the link, and for
//! the service that redeems it.

use super::{
    KEY, SESSION, USERNAME, add_testakovsky, api_key, get, post_redeem, redeem, said, string_in,
};
use crate::support::{App, NOON, Program, Request, temp_dir};

const UNKNOWN: &str = "{\"error\":\"authstring: unknown, expired or redeemed already\"}";

fn issue(app: &App, query: &str) -> String {
    string_in(&get(app.address, &format!("/api/member/authstring?{query}")).body, "result")
        .to_owned()
}

#[test]
fn a_string_is_redeemed_once_and_says_who_and_what_for() {
    let app = App::start_with(&["--stand-in", &api_key("")]);
    add_testakovsky(&app);
    let string = issue(&app, &format!("type=packageupgrade&memberid=342&session={SESSION}"));
    assert_eq!(
        said(&redeem(&app, &string)),
        (
            200,
            "{\"memberid\":342,\"siteid\":1,\"type\":\"packageupgrade\",\
             \"username\":\"testakovsky2\"}"
        )
    );
    assert_eq!(said(&redeem(&app, &string)), (404, UNKNOWN));
    let rebuy = get(app.address, "/api/member/tokenrebuystring?username=testakovsky2&siteid=1");
    let redeemed = redeem(&app, string_in(&rebuy.body, "token_rebuy_string"));
    assert_eq!(
        said(&redeemed),
        (
            200,
            "{\"memberid\":342,\"siteid\":1,\"type\":\"tokenrebuy\",\"username\":\"testakovsky2\"}"
        )
    );
    let one = issue(&app, "type=cancel&username=testakovsky2&siteid=1");
    let other = issue(&app, "type=cancel&username=testakovsky2&siteid=1");
    assert_ne!(one, other);
    assert_eq!(
        [redeem(&app, &other).status, redeem(&app, &one).status],
        [200, 200],
        "each is good by itself"
    );
}

#[test]
fn a_string_ends_with_its_time_and_with_the_membership() {
    let app = App::start_with(&["--stand-in", "--stand-in-minutes", "2", &api_key("")]);
    add_testakovsky(&app);
    let query = "type=upsell&username=testakovsky2&siteid=1";
    let strings: Vec<_> = (0..3).map(|_| issue(&app, query)).collect();
    app.set_unix(NOON + 119);
    assert_eq!(redeem(&app, &strings[0]).status, 200);
    app.set_unix(NOON + 120);
    assert_eq!(said(&redeem(&app, &strings[1])), (404, UNKNOWN));
    let string = issue(&app, query);
    app.post("action=CHANGE&siteid=1&memberid=342&new_username=renamed");
    assert!(redeem(&app, &string).body.contains("\"username\":\"renamed\""));
    let string = issue(&app, "type=upsell&username=renamed&siteid=1");
    app.post("action=DELETE&siteid=1&memberid=342");
    assert_eq!(
        said(&redeem(&app, &string)),
        (404, "{\"error\":\"authstring: its member has left\"}")
    );
}

/// Regression: the string was marked as redeemed, although the answer did not reach the caller.
#[test]
fn a_string_that_could_not_be_answered_is_still_good() {
    let app = App::start_with(&["--stand-in", &api_key("")]);
    add_testakovsky(&app);
    let string = issue(&app, "type=upsell&username=testakovsky2&siteid=1");
    let database = rusqlite::Connection::open(app.config.location.file().unwrap()).unwrap();
    database.execute_batch("ALTER TABLE member_auth RENAME TO gone").unwrap();
    assert_eq!(
        said(&redeem(&app, &string)),
        (503, "{\"error\":\"temporarily unavailable, try again in a moment\"}")
    );
    database.execute_batch("ALTER TABLE gone RENAME TO member_auth").unwrap();
    assert_eq!(redeem(&app, &string).status, 200);
}

#[test]
fn of_many_who_redeem_one_string_at_once_one_has_it() {
    let app = App::start_with(&["--stand-in", &api_key("")]);
    add_testakovsky(&app);
    let string = issue(&app, "type=upsell&username=testakovsky2&siteid=1");
    let redeemed = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..20).map(|_| scope.spawn(|| redeem(&app, &string).status)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .filter(|status| *status == 200)
            .count()
    });
    assert_eq!(redeemed, 1);
}

#[test]
fn what_is_no_redemption_is_refused() {
    let app = App::start_with(&["--stand-in", &api_key("")]);
    let expected = "authstring: expected JSON as in \
        {\\\"authstring\\\":\\\"877ae8d2c00e617d443643326bb848e2\\\"}";
    for (body, status, error) in [
        ("", 400, format!("{expected}, found 0 bytes")),
        ("authstring=877ae8d2c00e617d443643326bb848e2", 400, format!("{expected}, found 43 bytes")),
        ("{}", 400, format!("{expected}, found 2 bytes")),
        ("[\"877ae8d2c00e617d443643326bb848e2\"]", 400, format!("{expected}, found 36 bytes")),
        ("{\"authstring\":5}", 400, format!("{expected}, found 16 bytes")),
        ("{\"authstring\":\"a\",\"authstring\":\"b\"}", 400, format!("{expected}, found 35 bytes")),
        ("{\"authstring\":\"\"}", 404, "authstring: unknown, expired or redeemed already".into()),
        (
            "{\"authstring\":\"877ae8d2c00e617d443643326bb848e2\"}",
            404,
            "authstring: unknown, expired or redeemed already".into(),
        ),
    ] {
        assert_eq!(
            said(&post_redeem(&app, body, KEY)),
            (status, &*format!("{{\"error\":\"{error}\"}}")),
            "{body}"
        );
    }
    assert_eq!(post_redeem(&app, "{}", &KEY.replace('4', "5")).status, 401);
    let long = format!("{{\"authstring\":\"{}\"}}", "a".repeat(65_536));
    assert_eq!(
        said(&post_redeem(&app, &long, KEY)),
        (413, "{\"error\":\"body: expected at most 65536 bytes, found more\"}")
    );
}

#[test]
fn a_key_of_another_site_does_not_use_a_string_up() {
    let other = "--api-key=tmm2:0123456789abcdef0123456789abcdef site=2";
    let app = App::start_with(&["--stand-in", &api_key(""), other]);
    add_testakovsky(&app);
    let string = issue(&app, "type=upsell&username=testakovsky2&siteid=1");
    let body = format!("{{\"authstring\":\"{string}\"}}");
    let request = Request::post("/api/authstring/redeem")
        .header("api-key", "0123456789abcdef0123456789abcdef")
        .header("api-username", "tmm2")
        .body(body);
    let refused = "{\"error\":\"authstring: this key is not good for site 1\"}";
    assert_eq!(said(&app.send(request)), (403, refused));
    assert_eq!(redeem(&app, &string).status, 200);
}

#[test]
fn every_answer_and_the_log_say_that_it_is_the_stand_in_and_neither_shows_a_string() {
    let dir = temp_dir();
    let mut program =
        Program::serve(&dir.path().join("data"), &["--stand-in", &api_key(""), "--log", "trace"]);
    program
        .post(&format!(
            "action=ADD&siteid=1&memberid=342&username=bob&password=p&session={SESSION}"
        ))
        .unwrap();
    let path = format!("/api/member/authstring?type=upsell&memberid=342&session={SESSION}");
    let string = get(program.address, &path);
    let blank = get(program.address, "/api/member/authstring?type=upsell&username=nobody&siteid=1");
    let wrong = get(program.address, "/api/member/authstring");
    for response in [&string, &blank, &wrong] {
        assert_eq!(response.header("x-stand-in"), Some("nats-userman"), "{response:?}");
    }
    get_wrong_key(&program);
    program.terminate();
    let log = program.stderr();
    for line in [
        "WARN  --stand-in: authstrings are generated here and unknown to NATS; never use it on a \
         live site",
        "INFO  authstring of the stand-in plus=upsell site=1 member=342",
        "WARN  a call of /api from 127.0.0.1 was refused: api-key or api-username is missing or \
         wrong",
    ] {
        assert!(log.contains(line), "{line}:\n{log}");
    }
    for secret in [string_in(&string.body, "result"), SESSION, KEY, "another-key-0123456789"] {
        assert!(!log.contains(secret), "{log}");
    }
}

fn get_wrong_key(program: &Program) {
    let headers = format!("api-key: another-key-0123456789\r\napi-username: {USERNAME}\r\n");
    assert_eq!(super::get_with(program.address, "/api/member/authstring", &headers).status, 401);
}
