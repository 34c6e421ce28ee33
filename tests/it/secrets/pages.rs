//! No secret is on a page of the console, or in the log about it.

use nats_userman::operator::Role;
use nats_userman::store::Location;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::engines::secrets::{
    Caller, EVERY_MEMBER, Place, Served, assert_nothing_found, form, multipart, say_everything,
    terminate,
};
use crate::support::{Console, OPERATOR_PASSWORD, add_operator};

/// Records whose pages are loaded. Those at the end of the journal are of all kinds.
const RECORDS: i64 = 150;

/// Loads a page, and keeps what it says.
fn load(anna: &Console, path: &str, caller: &mut Caller) -> String {
    let response = anna.get(path);
    assert!(matches!(response.status, 200 | 404), "{path}: {}", response.status);
    // The token of forms is no secret of anybody else, and every page has it.
    let body = response.body.replace(&anna.csrf, "");
    caller.answers.extend_from_slice(body.as_bytes());
    body
}

#[test]
fn no_secret_is_on_any_page_of_the_console_or_in_the_log_about_it() {
    let place = Place::new(&["--log", "trace", "--ops-listen", "127.0.0.1:0"]);
    let served: Served = place.serve("first", &[]);
    let mut caller = place.caller(&served);
    say_everything(&mut caller);
    let ops = place.operations("first");
    add_operator(&Location::sqlite(place.data().join("userman.db")), "anna", Role::Admin);
    let anna = Console::log_in(ops, "anna");
    let cookie = anna.cookie.split_once('=').unwrap().1;
    caller.sent.search.add("the cookie of an operator", cookie.as_bytes());
    caller.sent.search.add("the token of forms", anna.csrf.as_bytes());
    let password = OPERATOR_PASSWORD.replace(' ', "+");
    caller.sent.search.add("the password of an operator", OPERATOR_PASSWORD.as_bytes());
    caller.sent.search.add("the password of an operator, in a form", password.as_bytes());

    for path in
        ["/", "/lab", "/blocks", "/settings", "/health", "/nothing", "/postbacks?reply=ERROR"]
    {
        load(&anna, path, &mut caller);
    }
    let mut path = "/postbacks".to_owned();
    let mut newest = 0;
    loop {
        let page = load(&anna, &path, &mut caller);
        let numbers = page.split("<td><a href=\"/postbacks/").skip(1);
        let first = numbers.filter_map(|rest| rest.split('"').next()?.parse::<i64>().ok()).next();
        newest = newest.max(first.unwrap_or(0));
        let Some((before, _)) = page.split_once("\" rel=\"next\">") else { break };
        path =
            before.rsplit("href=\"").next().unwrap().replace("&#x2f;", "/").replace("&amp;", "&");
    }
    assert!(newest > RECORDS, "{newest}");
    for id in newest - RECORDS..=newest {
        load(&anna, &format!("/postbacks/{id}?dry-run=1"), &mut caller);
    }
    paste_everything(&place, &anna, &mut caller);
    let printed = place.commands(1, EVERY_MEMBER);
    assert_nothing_found("on the pages", &place, &caller, &printed);
    terminate(served);
    assert_nothing_found("after the end", &place, &caller, &printed);
}

/// Postbacks with fresh secrets in every layout, also ones that are refused.
fn paste_everything(place: &Place, anna: &Console, caller: &mut Caller) {
    for action in ["ADD", "CHANGE", "ACTIVATE", "REMOVE", "CHECK"] {
        let mut pairs = vec![
            ("action", action.to_owned()),
            ("siteid", "1".into()),
            ("memberid", "1".into()),
            ("username", "seen8username1".into()),
        ];
        pairs.extend(caller.sent.record());
        let urlencoded = form(&pairs);
        let lines: Vec<String> =
            pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let unlisted = caller.sent.plain("a name that is on no list");
        for text in [
            urlencoded.clone(),
            format!("?{urlencoded}"),
            format!("http://127.0.0.1/postback/{}?{urlencoded}", place.token()),
            format!("POST /postback/{} HTTP/1.1\r\nHost: x\r\n\r\n{urlencoded}", place.token()),
            multipart(&pairs),
            lines.join("\r\n"),
            lines.join(";"),
            lines.join("&").replace('=', "%3D"),
            format!("{urlencoded}&{unlisted}=1&x[{unlisted}]=2&{unlisted}"),
            format!("{{\"password\":\"{unlisted}\"}}"),
            unlisted.clone(),
        ] {
            let pasted = utf8_percent_encode(&text, NON_ALPHANUMERIC);
            let response = anna.post("/lab", &format!("postback={pasted}"));
            assert!(matches!(response.status, 200 | 400), "{}", response.status);
            let body = response.body.replace(&anna.csrf, "");
            caller.answers.extend_from_slice(body.as_bytes());
        }
    }
}
