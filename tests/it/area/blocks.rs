//! A visitor who guesses passwords is blocked, and a member cannot be locked out by that.

use super::{BOB, Visit, admitted, app, log_in, raw, told};
use crate::support::{App, NOON};

const BLOCKED: (u16, &str) = (403, "blocked");
const LOGIN: (u16, &str) = (401, "login");
const BOB_IS_IN: (u16, &str) = (200, "1 71 bob 0");

fn is(found: (u16, String), expected: (u16, &str), what: &str) {
    assert_eq!((found.0, found.1.as_str()), expected, "{what}");
}

/// Tries this number of different wrong passwords for a name from an address. Returns the last
/// answer.
fn guess(app: &App, count: usize, name: &str, from: &str) -> (u16, String) {
    let answer = |number| {
        admitted(app, Visit::with(name, &format!("guess {number} from {from}")).from(from))
    };
    // All of them are sent; the last answer is returned.
    (0..count).fold((0, String::new()), |_, number| answer(number))
}

#[test]
fn ten_different_wrong_passwords_block_a_name_for_a_network_for_a_quarter_of_an_hour() {
    let app = app(&[]);
    app.post(BOB);
    app.harden();
    let bob = Visit::with("bob", "secret");
    for _ in 0..50 {
        is(
            admitted(&app, Visit::with("bob", "the same").from("198.51.100.1")),
            LOGIN,
            "a browser repeats itself",
        );
    }
    is(guess(&app, 9, "bob", "198.51.100.1"), LOGIN, "the tenth");
    is(admitted(&app, bob.from("198.51.100.1")), BLOCKED, "now even the right one");
    is(admitted(&app, bob.from("198.51.100.2")), BOB_IS_IN, "from elsewhere it opens");
    is(
        admitted(&app, Visit::with("ann", "x").from("198.51.100.1")),
        LOGIN,
        "another name is no matter of it",
    );
    app.look_at_blocks();
    let rows = "SELECT kind, network, username, until - since FROM block";
    assert_eq!(app.rows(rows), ["pair|198.51.100.1|bob|900"]);
    app.set_unix(NOON + 900);
    is(admitted(&app, bob.from("198.51.100.1")), BOB_IS_IN, "a quarter of an hour later");
    app.look_at_blocks();
    assert_eq!(app.rows(rows), [""; 0], "and its row is gone");
}

#[test]
fn a_hundred_block_the_network_and_an_ipv6_customer_is_one_network() {
    let app = app(&["--login-limit-pair", "0"]);
    app.post(BOB);
    for number in 0..100 {
        let from = format!("2001:db8:1:2::{number:x}");
        is(admitted(&app, Visit::with(&format!("name {number}"), "x").from(&from)), LOGIN, &from);
    }
    is(
        admitted(&app, Visit::with("bob", "secret").from("2001:db8:1:2:ffff::1")),
        BLOCKED,
        "the same /64",
    );
    is(
        admitted(&app, Visit::with("bob", "secret").from("2001:db8:1:3::1")),
        BOB_IS_IN,
        "the next one",
    );
}

#[test]
fn nobody_locks_a_member_out_of_their_own_network_or_ends_a_login_by_guessing_their_name() {
    let app = app(&[]);
    app.post(BOB);
    app.harden();
    is(admitted(&app, Visit::with("bob", "secret").from("203.0.113.9")), BOB_IS_IN, "at home");
    is(
        admitted(&app, Visit::with("bob", "secret").from("203.0.113.10")),
        BOB_IS_IN,
        "at work, where it cost no hash",
    );
    app.set_unix(NOON + 900);
    let cookie = super::cookie(&log_in(&app, "bob", "secret"));
    for network in 0..12 {
        is(
            guess(&app, 9, "bob", &format!("198.51.100.{network}")),
            if network == 11 { BLOCKED } else { LOGIN },
            "from everywhere",
        );
    }
    is(
        admitted(&app, Visit::with("bob", "other").from("192.0.2.7")),
        BLOCKED,
        "a network that never opened it waits",
    );
    is(
        admitted(&app, Visit::with("bob", "secret").from("192.0.2.8")),
        BOB_IS_IN,
        "a remembered password goes on",
    );
    is(admitted(&app, Visit::holding(&cookie).from("198.51.100.1")), BOB_IS_IN, "a cookie goes on");
    // The new password is not in the cache. It is accepted from the network where the member logged
    // in before.
    app.post("action=CHANGE&siteid=1&memberid=71&new_password=better");
    app.harden();
    is(admitted(&app, Visit::with("bob", "better").from("192.0.2.9")), BLOCKED, "abroad");
    is(admitted(&app, Visit::with("bob", "better").from("203.0.113.9")), BOB_IS_IN, "at home");
    is(admitted(&app, Visit::with("bob", "better").from("203.0.113.10")), BOB_IS_IN, "at work");
}

#[test]
fn loopback_is_not_blocked_while_no_proxy_is_listed() {
    let app = App::start();
    app.post(BOB);
    is(guess(&app, 150, "bob", "198.51.100.1"), LOGIN, "all visitors look alike");
    is(admitted(&app, Visit::with("bob", "secret")), BOB_IS_IN, "and the member gets in");
}

#[test]
fn blocks_outlast_a_restart_but_for_those_of_a_name() {
    let app = app(&["--login-limit-name", "20"]);
    app.post(BOB);
    app.set_unix(NOON + 900);
    is(guess(&app, 10, "bob", "198.51.100.1"), LOGIN, "a pair");
    is(guess(&app, 10, "bob", "198.51.100.2"), LOGIN, "another, and the name");
    let kinds = "SELECT kind FROM block ORDER BY kind, network";
    app.look_at_blocks();
    assert_eq!(app.rows(kinds), ["name", "pair", "pair"]);
    let app = App::start_in(app.stop(), &["--trusted-proxy", "127.0.0.1"]);
    assert_eq!(app.rows(kinds), ["pair", "pair"]);
    is(admitted(&app, Visit::with("bob", "secret").from("198.51.100.1")), BLOCKED, "as before");
    is(
        admitted(&app, Visit::with("bob", "secret").from("192.0.2.7")),
        BOB_IS_IN,
        "networks that opened it are forgotten: no block",
    );
}

/// Regression: of ten simultaneous guesses, all were hashed before the first one counted, and a
/// right password among them was accepted after the block.
#[test]
fn who_guesses_in_a_burst_gets_no_further_than_who_guesses_one_by_one() {
    let app = app(&[]);
    app.post(BOB);
    app.harden();
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let app = &app;
        let guess = |number: usize| {
            move || {
                admitted(app, Visit::with("bob", &format!("guess {number}")).from("198.51.100.1")).0
            }
        };
        let all: Vec<_> = (0..40).map(|number| scope.spawn(guess(number))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    // Guesses that were being hashed when the tenth one was counted still get 401. All others get
    // 403.
    assert!(answers.iter().all(|status| [401, 403].contains(status)), "{answers:?}");
    is(admitted(&app, Visit::with("bob", "secret").from("198.51.100.1")), BLOCKED, "the right one");
}

/// Regression: each block was written by its own synced transaction, in the queue of postbacks.
#[test]
fn a_block_holds_at_once_and_is_written_with_others_later_or_at_the_end() {
    let app = app(&["--login-limit-pair", "2", "--login-days", "0"]);
    app.post(BOB);
    let conn = app.database();
    let version = || conn.query_row("PRAGMA data_version", [], |row| row.get::<_, i64>(0)).unwrap();
    let before = version();
    for number in 0..20 {
        let from = format!("198.51.{number}.1");
        guess(&app, 2, "bob", &from);
        is(guess(&app, 1, "bob", &from), BLOCKED, "it holds");
    }
    assert_eq!(version(), before, "nothing was committed for it");
    app.look_at_blocks();
    assert_eq!(app.rows("SELECT count(*) FROM block"), ["20"]);
    guess(&app, 2, "bob", "192.0.2.1");
    let dir = app.stop();
    let conn = rusqlite::Connection::open(dir.path().join("data/userman.db")).unwrap();
    assert_eq!(
        crate::support::rows(&conn, "SELECT count(*) FROM block"),
        ["21"],
        "the last one too"
    );
}

#[test]
fn whoever_has_many_networks_of_ipv6_is_stopped_by_the_wider_one_and_no_member_at_home_in_it() {
    let app = app(&[]);
    app.post(BOB);
    app.harden();
    let bob = Visit::with("bob", "secret");
    is(admitted(&app, bob.from("2001:db8:1:2f0::7")), BOB_IS_IN, "at home");
    for number in 0..5 {
        guess(&app, 8, "bob", &format!("2001:db8:1:20{number}::1"));
    }
    is(admitted(&app, bob.from("2001:db8:1:2ff::1")), BLOCKED, "40 from one /56");
    is(admitted(&app, bob.from("2001:db8:1:300::1")), BOB_IS_IN, "the next one");
    is(admitted(&app, bob.from("2001:db8:1:2f0::8")), BOB_IS_IN, "at home, though in this /56");
    is(admitted(&app, Visit::with("ann", "x").from("2001:db8:1:200::1")), LOGIN, "another name");
    is(guess(&app, 10, "bob", "2001:db8:1:2f0::7"), LOGIN, "at home somebody guesses");
    is(admitted(&app, bob.from("2001:db8:1:2f0::7")), BLOCKED, "and waits like anybody");
    app.look_at_blocks();
    assert_eq!(
        app.rows("SELECT network FROM block ORDER BY 1"),
        ["2001:db8:1:200::/56", "2001:db8:1:2f0::/64"]
    );
}

/// Regression: 65,000 stored blocks used most of a core permanently, and 300,000 kept the service
/// from stopping.
#[test]
fn of_more_stored_blocks_than_are_held_those_of_members_names_stay() {
    let app = app(&[]);
    app.post(BOB);
    let dir = app.stop();
    let mut conn = rusqlite::Connection::open(dir.path().join("data/userman.db")).unwrap();
    let write = conn.transaction().unwrap();
    let block = "INSERT INTO block VALUES (?1, ?2, ?3, ?4, ?4 + 900)";
    write.execute(block, rusqlite::params!["pair", "192.0.2.1", "bob", NOON - 10]).unwrap();
    for number in 0..20_000_u32 {
        let network = std::net::Ipv4Addr::from_bits(0x0a00_0000 + number * 256).to_string();
        write.execute(block, rusqlite::params!["network", network, "", NOON]).unwrap();
        write
            .execute(block, rusqlite::params!["pair", network, format!("name {number}"), NOON])
            .unwrap();
    }
    write.commit().unwrap();
    drop(conn);
    let app = App::start_in(dir, &["--trusted-proxy", "127.0.0.1"]);
    is(
        admitted(&app, Visit::with("bob", "secret").from("192.0.2.1")),
        BLOCKED,
        "it ends first, and is a member's",
    );
    let kept = "SELECT kind, count(*), sum(username = 'bob') FROM block GROUP BY kind";
    assert_eq!(
        app.rows(kept),
        ["network|8191|0", "pair|1|1"],
        "the others are forgotten, and names that nobody has"
    );
}

/// Regression: while the clock was a year ahead, blocks were stored that lasted a year.
#[test]
fn a_stored_block_of_a_clock_that_was_ahead_lasts_no_longer_than_any_other() {
    let app = app(&[]);
    app.post(BOB);
    let year = 365 * 86_400;
    app.set_unix(NOON + year);
    guess(&app, 10, "bob", "198.51.100.1");
    let app = App::start_in(app.stop(), &["--trusted-proxy", "127.0.0.1"]);
    assert_eq!(app.rows("SELECT until FROM block"), [(NOON + 900).to_string()]);
    is(
        admitted(&app, Visit::with("bob", "secret").from("198.51.100.1")),
        BLOCKED,
        "for a quarter of an hour",
    );
    app.set_unix(NOON + 900);
    is(
        admitted(&app, Visit::with("bob", "secret").from("198.51.100.1")),
        BOB_IS_IN,
        "and no longer",
    );
}

/// Regression: a row that was written by hand kept the service from starting.
#[test]
fn a_block_that_cannot_be_read_is_passed_over() {
    let app = app(&[]);
    app.post(BOB);
    let dir = app.stop();
    let conn = rusqlite::Connection::open(dir.path().join("data/userman.db")).unwrap();
    conn.execute_batch("INSERT INTO block VALUES ('pair', '', 'x', 1, 9999999999)").unwrap();
    drop(conn);
    let app = App::start_in(dir, &["--trusted-proxy", "127.0.0.1"]);
    is(admitted(&app, Visit::with("bob", "secret")), BOB_IS_IN, "it serves");
}

#[test]
fn the_login_form_counts_like_the_pop_up_whatever_sites_it_asks_for() {
    let app = app(&[]);
    app.post(BOB);
    let form = |site: &str, password: &str| {
        let body = format!("username=bob&password={password}");
        let headers = "Content-Type: application/x-www-form-urlencoded\r\n\
            Sec-Fetch-Site: same-origin\r\nX-Forwarded-For: 198.51.100.1\r\n";
        told(&raw(&app, &format!("POST /login?site={site}"), headers, &body))
    };
    for number in 1..=10 {
        is(
            form(&format!("1,{}", number + 1), &format!("guess{number}")),
            LOGIN,
            "a new list of sites is no new count",
        );
    }
    is(form("1", "secret"), BLOCKED, "the form");
    is(admitted(&app, Visit::with("bob", "secret").from("198.51.100.1")), BLOCKED, "the pop-up");
}
