//! The shortest story: a member joins, can log in, and leaves.

use crate::support::App;

#[test]
fn a_member_joins_is_there_and_leaves() {
    let app = App::start();
    assert_eq!(
        app.post("action=CHECK&siteid=1&username=bob"),
        "NOTOK|username \"bob\" is free on site 1"
    );
    assert_eq!(
        app.post("action=ADD&siteid=1&memberid=71&username=bob&password=secret"),
        "OK|member 71 \"bob\" added to site 1"
    );
    assert_eq!(
        app.post("action=CHECK&siteid=1&username=BOB"),
        "OK|username \"BOB\" is taken on site 1"
    );
    assert!(app.opens(1, 71, "secret") && !app.opens(1, 71, "Secret"));
    app.harden();
    assert!(app.opens(1, 71, "secret") && !app.opens(1, 71, "Secret"));
    assert_eq!(
        app.post("action=DELETE&siteid=1&memberid=71"),
        "OK|member 71 \"bob\" removed from site 1"
    );
    assert_eq!(
        app.post("action=CHECK&siteid=1&username=bob"),
        "NOTOK|username \"bob\" is free on site 1"
    );
}
