//! Blocks in the console.

use nats_userman::operator::Role;

use crate::engines::console::blocks::{FLAGS, block};
use crate::support::{App, OPS, Request};

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
