//! A block of a name does not apply in a network from which the member has logged in before.

use tempfile::TempDir;

use super::{BOB, Visit, admitted, app};
use crate::continuity::kept;
use crate::support::{App, NOON, eventually};

const HOME: &str = "203.0.113.9";

/// Starts an app in this directory, behind a trusted proxy like the other apps.
fn restarted(dir: TempDir, now: i64) -> App {
    App::start_at(dir, &["--trusted-proxy", "127.0.0.1"], now)
}

/// Bob has logged in from their own network, and their password is hashed.
fn at_home() -> App {
    let app = app(&[]);
    app.post(BOB);
    app.harden();
    assert_eq!(answer(&app, "secret", HOME), "200 1 71 bob 0");
    app
}

/// Sends a hundred different wrong passwords for bob, each from another network. The name is
/// blocked afterwards.
fn block_bob(app: &App) {
    for number in 0..100 {
        let (password, from) = (format!("guess {number}"), format!("198.51.{number}.7"));
        admitted(app, Visit::with("bob", &password).from(&from));
    }
    app.look_at_blocks();
    assert_eq!(app.rows("SELECT username FROM block WHERE kind = 'name'"), ["bob"]);
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

/// Regression: a restart deleted the known networks of members. Soon after it, members were blocked
/// in their own networks.
#[test]
fn a_restart_forgets_no_network_of_a_member() {
    let app = restarted(at_home().stop(), NOON + 60);
    // Ten networks of one /60 prefix, with ten passwords each.
    for (network, number) in
        (0..10).flat_map(|network| (0..10).map(move |number| (network, number)))
    {
        let (password, from) =
            (format!("guess {network} {number}"), format!("2001:db8:0:{network:x}::7"));
        admitted(&app, Visit::with("bob", &password).from(&from));
    }
    assert_eq!(
        answer(&app, "secret", HOME),
        "200 1 71 bob 0",
        "nothing is remembered: this cost a hash"
    );
    block_bob(&app);
    assert_eq!(answer(&app, "other", HOME), "401 login");
    assert_eq!(answer(&app, "other", "192.0.2.7"), "403 blocked", "a stranger waits");
}

#[test]
fn a_block_of_a_name_outlasts_a_restart_and_so_does_what_it_does_not_keep_out() {
    let app = at_home();
    app.set_unix(NOON + 900);
    block_bob(&app);
    let app = restarted(app.stop(), NOON + 960);
    assert_eq!(answer(&app, "secret", "192.0.2.7"), "403 blocked");
    assert_eq!(answer(&app, "secret", HOME), "200 1 71 bob 0");
}

#[test]
fn a_network_has_a_row_with_the_day_of_the_last_login_from_there() {
    let app = at_home();
    let rows = || app.rows("SELECT hex(member), hex(network), day FROM known_network");
    eventually("a row", || rows().len() == 1);
    let first = rows();
    answer(&app, "secret", "203.0.113.10");
    eventually("another row", || rows().len() == 2);
    assert!(rows().contains(&first[0]), "and the first is as it was");
    app.set_unix(NOON + 86_400);
    answer(&app, "secret", HOME);
    let day = (NOON / 86_400 + 1).to_string();
    eventually("the next day", || rows().iter().any(|row| row.ends_with(&format!("|{day}"))));
    assert_eq!(rows().len(), 2);
}

/// At most 16 networks of a member are known, so a member with many addresses does not evict those
/// of other members.
#[test]
fn of_a_member_some_networks_are_known_and_not_any_number() {
    let app = at_home();
    for number in 0..100 {
        answer(&app, "secret", &format!("2001:db8:{number:x}::7"));
    }
    let dir = app.stop();
    let app = restarted(dir, NOON + 60);
    assert_eq!(app.rows("SELECT count(*) FROM known_network"), ["16"]);
}

/// A database of the release before has no known networks. No member is locked out for that reason.
#[test]
fn for_as_long_as_a_block_lasts_after_an_upgrade_no_name_is_blocked() {
    let kept = kept("0.2.0");
    let start = kept.facts.made_at + 1;
    // Without members, no guess verifies one of their hashes, which have the real cost.
    let database = rusqlite::Connection::open(kept.dir.path().join("data/userman.db")).unwrap();
    database.execute_batch("DELETE FROM member_auth; DELETE FROM former_member").unwrap();
    drop(database);
    let app = restarted(kept.dir, start);
    let guess = |number: u32, at: &str| {
        let (password, from) = (format!("guess {number} {at}"), format!("198.51.{number}.7"));
        admitted(&app, Visit::with("somebody", &password).from(&from));
    };
    (0..150).for_each(|number| guess(number, "at once"));
    app.look_at_blocks();
    assert_eq!(app.rows("SELECT kind FROM block WHERE kind = 'name'"), [""; 0]);
    app.set_unix(start + 900);
    (0..150).for_each(|number| guess(number, "later"));
    app.look_at_blocks();
    assert_eq!(app.rows("SELECT kind FROM block WHERE kind = 'name'"), ["name"]);
}
