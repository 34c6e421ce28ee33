//! Blocks in the console.

use super::{between, on_every_engine, page, says};
use crate::support::{App, Request, eventually};

pub const FLAGS: [&str; 4] = ["--trusted-proxy", "127.0.0.1", "--login-limit-pair", "2"];

fn status(app: &App, password: &str, from: &str) -> u16 {
    app.send(Request::get("/auth?site=1").basic("bob", password).from(from)).status
}

/// Bob is blocked from this address.
pub fn block(app: &App, from: &str) {
    assert_eq!([status(app, "a", from), status(app, "b", from)], [401, 401]);
    assert_eq!(status(app, "secret", from), 403);
    app.look_at_blocks();
}

#[test]
fn a_block_is_listed_and_lifted_after_a_question_and_the_journal_says_by_whom() {
    on_every_engine(&FLAGS, |app, anna| {
        says(&page(anna.get("/blocks")), "There are no login blocks.");
        app.post("action=ADD&siteid=1&memberid=71&username=bob&password=secret");
        block(app, "203.0.113.9");
        block(app, "198.51.100.7");
        let list = page(anna.get("/blocks"));
        says(&list, "one name from one network 203.0.113.9 bob 2026-06-15 12:00:00");
        let rows = between(&list, "aria-label=\"Lift the block of", "\"");
        assert_eq!(rows.len(), 2, "{list}");

        let path = "/blocks/lift?kind=pair&network=203%2E0%2E113%2E9&name=bob";
        let question = page(anna.get(path));
        says(&question, "Lift the block of the name bob and the network 203.0.113.9?");
        assert_eq!(status(app, "secret", "203.0.113.9"), 403, "a question lifts nothing");
        let form = "kind=pair&network=203.0.113.9&name=bob";
        let lifted = anna.post("/blocks/lift", form);
        assert_eq!((lifted.status, lifted.header("location")), (303, Some("/blocks?done=lifted")));
        eventually("the service has noticed", || {
            app.look_at_blocks();
            status(app, "secret", "203.0.113.9") == 200
        });
        assert_eq!(status(app, "secret", "198.51.100.7"), 403, "the other one holds");
        let list = page(anna.get("/blocks?done=lifted"));
        says(&list, "The block is lifted.");
        assert_eq!(between(&list, "aria-label=\"Lift the block of", "\"").len(), 1);
        let record = "SELECT source, operator, reply FROM journal ORDER BY id DESC LIMIT 1";
        let record = app.rows(record).remove(0);
        assert!(
            record
                .starts_with("operator|anna|OK|lifted: network=203.0.113.9 name=\"bob\" kind=pair"),
            "{record}"
        );
        says(&page(anna.get("/postbacks?source=operator")), "operator anna");
        let again = anna.post("/blocks/lift", form);
        assert_eq!(again.header("location"), Some("/blocks?done=gone"));
        says(
            &page(anna.get("/blocks?done=gone")),
            "Nothing to do: there is no such block, or it has ended.",
        );
    });
}

#[test]
fn a_member_who_is_blocked_for_sharing_is_let_in_again() {
    let flags = ["--trusted-proxy", "127.0.0.1", "--sharing", "block", "--sharing-networks", "1"];
    on_every_engine(&flags, |app, anna| {
        says(&page(anna.get("/blocks")), "No member is blocked because of sharing.");
        app.post("action=ADD&siteid=1&memberid=71&username=bob&password=secret");
        assert_eq!(status(app, "secret", "203.0.113.9"), 200);
        assert_eq!(status(app, "secret", "198.51.100.7"), 403);
        let list = || page(anna.get("/blocks"));
        eventually("it is stored", || list().contains("too many networks"));
        says(
            &page(anna.get("/blocks/sharing?site=1&member=71")),
            "Let member 71 of site 1 in again?",
        );
        let lifted = anna.post("/blocks/sharing", "site=1&member=71");
        assert_eq!((lifted.status, lifted.header("location")), (303, Some("/blocks?done=lifted")));
        says(&list(), "No member is blocked because of sharing.");
        let record = app.rows("SELECT operator, reply FROM journal ORDER BY id DESC LIMIT 1");
        assert_eq!(record, ["anna|OK|lifted for member 71 of site 1: the block for sharing"]);
        let again = anna.post("/blocks/sharing", "site=1&member=71");
        assert_eq!(again.header("location"), Some("/blocks?done=gone"), "nothing is lifted");
        assert!(!list().contains("aria-label=\"Pages of the list\""), "no empty landmark");
    });
}
