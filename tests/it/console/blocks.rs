//! Blocks in the console.

use nats_userman::operator::Role;

use crate::engines::console::blocks::{FLAGS, block};
use crate::support::{App, OPS, Request, eventually};

#[test]
fn bad_targets_foreign_forms_and_strangers_lift_nothing() {
    let app = App::start_with(&[&OPS, &FLAGS[..]].concat());
    let anna = app.console("anna", Role::Support);
    app.post("action=ADD&siteid=1&memberid=71&username=bob&password=secret");
    block(&app, "203.0.113.9");
    for query in ["", "kind=pair&name=bob", "kind=x&network=203.0.113.9", "kind=network&network=x"]
    {
        assert_eq!(anna.get(&format!("/blocks/lift?{query}")).status, 400, "{query}");
        assert_eq!(anna.post("/blocks/lift", query).status, 400, "{query}");
    }
    for query in ["", "site=1", "site=x&member=1", "site=1&member=0"] {
        assert_eq!(anna.get(&format!("/blocks/sharing?{query}")).status, 400, "{query}");
        assert_eq!(anna.post("/blocks/sharing", query).status, 400, "{query}");
    }
    let form = "kind=pair&network=203.0.113.9&name=bob";
    let without = anna.send(Request::post("/blocks/lift").same_origin().form(form));
    assert_eq!(without.status, 403, "without the token");
    let with = format!("{form}&csrf={}", anna.csrf);
    let unknown = app.send_ops(Request::post("/blocks/lift").same_origin().form(&with));
    assert_eq!(unknown.status, 401, "without a session");
    assert_eq!(app.rows("SELECT count(*) FROM block"), ["1"]);
}

/// Regression: with `--sharing log` nobody is blocked, and the pages said that they were.
#[test]
fn a_block_because_of_sharing_that_the_settings_do_not_apply_is_none() {
    let flags = |action: &'static str| {
        let more = ["--trusted-proxy", "127.0.0.1", "--sharing-networks", "1", "--sharing", action];
        [&OPS, &more[..]].concat()
    };
    let app = App::start_with(&flags("block"));
    app.post("action=ADD&siteid=1&memberid=71&username=bob&password=secret");
    let status = |app: &App, from: &str| {
        let request = Request::get("/auth?site=1").basic("bob", "secret").from(from);
        app.send(request).status
    };
    assert_eq!([status(&app, "203.0.113.9"), status(&app, "198.51.100.7")], [200, 403]);
    eventually("it is stored", || app.rows("SELECT count(*) FROM sharing_block") == ["1"]);
    let app = app.restart(&flags("log"));
    assert_eq!(status(&app, "198.51.100.7"), 200);
    let anna = app.console("anna", Role::Support);
    let member = anna.get("/members/1/71").body;
    assert!(member.contains("They may log in"), "{member}");
    assert!(anna.get("/blocks").body.contains("No member is blocked because of sharing."));
}
