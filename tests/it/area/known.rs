//! A block of a name keeps no member out of a network from which they have logged in before.

use super::{BOB, Visit, admitted, app};
use crate::support::{App, NOON};

const HOME: &str = "203.0.113.9";

/// A hundred different wrong passwords for bob, each from a network of its own: the name is blocked.
fn block_bob(app: &App) {
    for number in 0..100 {
        let (password, from) = (format!("guess {number}"), format!("198.51.{number}.7"));
        admitted(app, Visit::with("bob", &password).from(&from));
    }
    app.look_at_blocks();
    assert_eq!(app.rows("SELECT kind, username FROM block"), ["name|bob"]);
}

fn answer(app: &App, password: &str, from: &str) -> String {
    let (status, said) = admitted(app, Visit::with("bob", password).from(from));
    format!("{status} {said}")
}

#[test]
fn who_gets_the_name_of_somebody_who_left_does_not_get_their_networks() {
    let app = app(&[]);
    app.post(BOB);
    assert_eq!(answer(&app, "secret", HOME), "200 1 71 bob 0");
    app.post("action=DELETE&siteid=1&memberid=71&username=bob");
    app.post("action=ADD&siteid=1&memberid=72&username=bob&password=other");
    app.set_unix(NOON + 900);
    block_bob(&app);
    assert_eq!(answer(&app, "other", HOME), "403 blocked", "home of the former bob");
}

#[test]
fn a_new_name_or_password_leaves_a_member_their_networks() {
    let app = app(&[]);
    app.post("action=ADD&siteid=1&memberid=71&username=rob&password=secret");
    assert_eq!(admitted(&app, Visit::with("rob", "secret").from(HOME)).0, 200);
    app.post("action=CHANGE&siteid=1&memberid=71&new_username=bob&new_password=better");
    app.set_unix(NOON + 900);
    block_bob(&app);
    assert_eq!(answer(&app, "worse", HOME), "401 login", "no block, a wrong password");
    assert_eq!(answer(&app, "better", HOME), "200 1 71 bob 0");
    assert_eq!(answer(&app, "other", "203.0.113.10"), "403 blocked", "another network");
}
