//! The clock of the machine is set: a year ahead or back, for some seconds or permanently.

mod due;
mod lapsed_early;
mod pending;
mod restarts;
mod rules;

use crate::area::{BOB, Visit, admitted, app};
use crate::support::App;

const DAY: i64 = 86_400;
const YEAR: i64 = 365 * DAY;
/// Ann, member 72 of site 1.
const ANN: &str = "action=ADD&siteid=1&memberid=72&username=ann&password=other";
/// An EXPIRE that ends Bob's membership in March.
const UNTIL_MARCH: &str = "action=EXPIRE&siteid=1&memberid=71&expire=2027-03-01";
const MEMBERS: &str = "SELECT memberid, expire_at FROM member_auth ORDER BY memberid";
const FORMER: &str = "SELECT memberid, reason, ended_at FROM former_member ORDER BY memberid";
const MARCH: &str = "1803859200";

/// Bob, whose membership ends in March, and Ann. The time is noon.
fn bob_and_ann(flags: &[&str]) -> App {
    let app = app(flags);
    for body in [BOB, ANN, UNTIL_MARCH] {
        assert!(app.post(body).starts_with("OK|"), "{body}");
    }
    app.harden();
    app
}

/// Whether Bob is let in.
fn bob_is_in(app: &App) -> bool {
    admitted(app, Visit::with("bob", "secret")) == (200, "1 71 bob 0".into())
}

/// Sends a postback and requires this kind of reply.
#[track_caller]
fn answers(app: &App, body: &str, reply: &str) {
    assert_eq!(app.post(body), reply, "{body}");
}
