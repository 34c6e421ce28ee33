//! A changed setting: a hash of another kind is replaced by the configured kind when a postback or
//! a login brings the password. No login ends because of that.

use nats_userman::password::{Stored, Vault};
use nats_userman::store::open_reader;
use tempfile::TempDir;

use crate::commands::run_on;
use crate::property::{dump, replay};
use crate::support::{App, NOON, Program, Request, Response, eventually, program, temp_dir};

const BCRYPT: &[&str] = &["--password-hash", "bcrypt"];
const BOB: &str = "action=ADD&siteid=1&memberid=71&username=bob&password=secret";

/// A directory of an app with these flags, with bob, whose password is hashed.
fn with_bob(flags: &[&str]) -> TempDir {
    let app = App::start_in(temp_dir(), flags);
    app.post(BOB);
    app.harden();
    app.stop()
}

/// The beginning of the stored credential of member 71, in whichever table it is.
fn form(app: &App) -> String {
    let columns = "substr(coalesce(password, cryptpass_wrapped, 'sealed'), 1, 10)";
    let both =
        format!("SELECT {columns} FROM member_auth UNION ALL SELECT {columns} FROM former_member");
    app.rows(&both).remove(0)
}

fn is_bcrypt(app: &App) -> bool {
    form(app).starts_with("$2y$")
}

fn login_version(app: &App) -> String {
    app.rows("SELECT login_version FROM member_auth").remove(0)
}

fn ask(app: &App, with: impl Fn(Request) -> Request) -> Response {
    app.send(with(Request::get("/auth?site=1").host("members.example.com")))
}

/// The status of `/auth` with name and password.
fn visit(app: &App, password: &str) -> u16 {
    ask(app, |request| request.basic("bob", password)).status
}

/// The cookie of a login at the login page.
fn log_in(app: &App) -> String {
    let body = "username=bob&password=secret";
    let request = Request::post("/login?site=1").host("members.example.com");
    let response = app.send(request.same_origin().form(body));
    assert_eq!(response.status, 303);
    response.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

/// Checks that a replay of the journal into an empty database gives equal rows in every column.
fn replays_to_the_same_rows(app: &App) {
    let copies = temp_dir();
    let vault = Vault::load(&app.dir.path().join("data/seal.key")).unwrap();
    let there =
        replay(copies.path(), "copy.db", &app.config.location, &vault, false, NOON).unwrap();
    assert_eq!(dump(&there.location), dump(&app.config.location));
}

#[test]
fn a_postback_with_the_same_password_brings_its_hash_to_the_configured_kind_and_ends_no_login() {
    for (before, after, begins) in [(&[][..], BCRYPT, "$2y$04$"), (BCRYPT, &[][..], "$argon2id$")] {
        for action in ["ADD", "MANUALADD", "ACTIVATE"] {
            let dir = with_bob(before);
            let app = App::start_in(dir, before);
            let cookie = log_in(&app);
            let app = App::start_in(app.stop(), after);
            assert!(!form(&app).starts_with(begins), "{action}");
            app.post(&BOB.replace("ADD", action));
            app.harden();
            assert!(form(&app).starts_with(begins), "{action}: {}", form(&app));
            assert_eq!((visit(&app, "secret"), visit(&app, "Secret")), (200, 401), "{action}");
            assert_eq!(
                ask(&app, |request| request.cookie(&cookie)).status,
                200,
                "{action}: the login of before"
            );
            assert_eq!(login_version(&app), "1", "{action}");
            replays_to_the_same_rows(&app);
        }
    }
}

#[test]
fn a_login_only_queues_its_password_and_the_worker_replaces_row_and_journal_at_once() {
    let app = App::start_in(with_bob(&[]), BCRYPT);
    app.post("action=CHANGE&siteid=1&memberid=71&new_email=b@example.com");
    let before = dump(&app.config.location);
    let cookie = log_in(&app);
    assert_eq!(visit(&app, "secret"), 200);
    assert_eq!(dump(&app.config.location), before, "a login writes nothing");
    app.harden();
    assert!(is_bcrypt(&app));
    let row = app.rows("SELECT password FROM member_auth").remove(0);
    assert_eq!(
        app.rows("SELECT password FROM journal"),
        [&row[..], ""],
        "the record that brought it has the new hash too"
    );
    assert_eq!((visit(&app, "secret"), visit(&app, "Secret")), (200, 401));
    assert_eq!(ask(&app, |request| request.cookie(&cookie)).status, 200);
    assert_eq!(login_version(&app), "1");
    replays_to_the_same_rows(&app);
    // The hash now has the configured kind, and is kept.
    app.harden();
    assert_eq!(app.rows("SELECT password FROM member_auth"), [row]);
}

#[test]
fn a_remembered_login_queues_its_password_too_and_a_wrong_one_never() {
    let app = App::start_in(with_bob(&[]), BCRYPT);
    assert_eq!(visit(&app, "Secret"), 401);
    app.harden();
    assert_eq!(form(&app), "$argon2id$");
    assert_eq!(visit(&app, "secret"), 200);
    app.forget_rehashes();
    app.harden();
    assert_eq!(form(&app), "$argon2id$", "what is lost from memory waits for the next visit");
    assert_eq!(visit(&app, "secret"), 200);
    app.harden();
    assert!(is_bcrypt(&app));
}

#[test]
fn a_login_whose_row_has_changed_meanwhile_replaces_nothing() {
    for (postback, opens) in [
        ("action=CHANGE&siteid=1&memberid=71&new_password=other", "other"),
        ("action=CHANGE&siteid=1&memberid=71&new_cryptpass=41R19prsa7NLQ", "testtest"),
    ] {
        let app = App::start_in(with_bob(&[]), BCRYPT);
        assert_eq!(visit(&app, "secret"), 200);
        app.post(postback);
        app.harden();
        assert_eq!((visit(&app, opens), visit(&app, "secret")), (200, 401), "{postback}");
        let old = app.rows("SELECT substr(password, 1, 10) FROM journal WHERE action = 'ADD'");
        assert_eq!(
            old,
            ["$argon2id$"],
            "{postback}: the record of the old password keeps its hash"
        );
        replays_to_the_same_rows(&app);
    }
}

#[test]
fn a_former_member_s_hash_follows_on_the_way_back() {
    for (back, queued) in [
        // With the password in the postback, it replaces the hash. Otherwise the first login does.
        ("action=ACTIVATE&siteid=1&memberid=71&username=bob&password=secret", false),
        ("action=ACTIVATE&siteid=1&memberid=71&username=bob", true),
        ("action=TRIALTOFULL&siteid=1&memberid=71&username=bob", true),
        ("action=TRIALTOFULL&siteid=1&memberid=71&username=bob&password=secret", false),
    ] {
        let app = App::start_in(with_bob(&[]), BCRYPT);
        app.post("action=DELETE&siteid=1&memberid=71");
        app.harden();
        assert_eq!(form(&app), "$argon2id$");
        app.post(back);
        app.harden();
        assert_eq!(is_bcrypt(&app), !queued, "{back}");
        assert_eq!(visit(&app, "secret"), 200);
        app.harden();
        assert!(is_bcrypt(&app), "{back}");
        assert_eq!(login_version(&app), "2", "as before, only the DELETE ended logins");
        replays_to_the_same_rows(&app);
    }
}

#[test]
fn a_member_who_leaves_after_the_login_takes_the_new_hash_along() {
    let app = App::start_in(with_bob(&[]), BCRYPT);
    assert_eq!(visit(&app, "secret"), 200);
    app.post("action=DELETE&siteid=1&memberid=71");
    app.harden();
    assert!(is_bcrypt(&app));
    replays_to_the_same_rows(&app);
}

#[test]
fn a_wrapped_cryptpass_and_a_password_that_bcrypt_cannot_hold_stay_as_they_are() {
    let app = App::start_in(temp_dir(), &[]);
    app.post("action=ADD&siteid=1&memberid=71&username=bob&cryptpass=41R19prsa7NLQ");
    app.harden();
    let app = App::start_in(app.stop(), BCRYPT);
    assert_eq!(
        (visit(&app, "testtest"), visit(&app, "testtest and more")),
        (200, 200),
        "of a DES crypt 8 bytes count"
    );
    app.harden();
    assert_eq!(form(&app), "41 $argon2");

    for typed in ["a\0b".to_owned(), "x".repeat(73)] {
        let add = BOB.replace("secret", &typed.replace('\0', "%00"));
        app.post(&add);
        app.harden();
        assert_eq!(form(&app), "$argon2id$");
        let hash = app.rows("SELECT password FROM member_auth");
        assert_eq!(visit(&app, &typed), 200);
        app.post(&add);
        app.harden();
        assert_eq!(app.rows("SELECT password FROM member_auth"), hash);
    }
}

/// Regression: release 0.1 made bcrypt hashes of the first 72 bytes of long passwords. Such a hash
/// matches nothing any more. If NATS sends the password again, it does not count as another
/// password, which would end logins.
#[test]
fn a_long_password_that_an_earlier_release_gave_bcrypt_comes_again_without_ending_logins() {
    let (long, other) = ("x".repeat(100), "x".repeat(71) + "y" + &"x".repeat(28));
    for (password, version) in [(&long, "1"), (&other, "2")] {
        let dir = with_bob(BCRYPT);
        let old = bcrypt::hash_with_salt(&long, 4, [7; 16])
            .unwrap()
            .format_for_version(bcrypt::Version::TwoY);
        let conn = rusqlite::Connection::open(dir.path().join("data/userman.db")).unwrap();
        conn.execute("UPDATE member_auth SET password = ?1", [&old]).unwrap();
        conn.execute("UPDATE journal SET password = ?1", [&old]).unwrap();
        drop(conn);
        let app = App::start_in(dir, BCRYPT);
        app.post(&BOB.replace("secret", password));
        app.harden();
        assert_eq!(
            (form(&app), login_version(&app)),
            ("$argon2id$".to_owned(), version.to_owned())
        );
        assert_eq!(visit(&app, password), 200);
        replays_to_the_same_rows(&app);
    }
}

#[test]
fn turned_on_late_keep_cryptpass_fills_its_column_at_the_next_postback_whatever_else_is_equal() {
    let (one, two) = ("41R19prsa7NLQ", "7dTx9F2gGoM5w");
    let credentials =
        |prefix: &str, crypt: &str| format!("&{prefix}password=secret&{prefix}cryptpass={crypt}");
    for (action, prefix) in [("ADD", ""), ("MANUALADD", ""), ("ACTIVATE", ""), ("CHANGE", "new_")] {
        for sealed in [false, true] {
            let app = App::start_in(temp_dir(), &[]);
            app.post(&format!("{BOB}&cryptpass={one}"));
            if !sealed {
                app.harden();
            }
            let app = App::start_in(app.stop(), &["--keep-cryptpass"]);
            let column = || app.rows("SELECT cryptpass FROM member_auth").remove(0);
            assert_eq!(column(), "");
            for crypt in [one, two] {
                let reply = app.post(&format!(
                    "action={action}&siteid=1&memberid=71&username=bob{}",
                    credentials(prefix, crypt)
                ));
                assert!(
                    reply.starts_with("OK|") && !reply.contains("was so already"),
                    "{action}, sealed {sealed}: {reply}"
                );
                assert_eq!(column(), crypt, "{action}, sealed {sealed}");
            }
            app.harden();
            assert_eq!(column(), two, "{action}, sealed {sealed}");
            assert!(app.opens(1, 71, "secret"));
        }
    }
    // After the member is back by a TRIALTOFULL. That of a current member brings no credential.
    let app = App::start_in(with_bob(&[]), &["--keep-cryptpass"]);
    let to_full =
        format!("action=TRIALTOFULL&siteid=1&memberid=71&username=bob{}", credentials("", one));
    app.post(&to_full);
    assert_eq!(app.rows("SELECT cryptpass FROM member_auth"), [""]);
    app.post("action=DELETE&siteid=1&memberid=71");
    app.post(&to_full);
    assert_eq!(app.rows("SELECT cryptpass FROM member_auth"), [one]);
}

/// The start and `check-config` count the members whom an Apache does not let in, and say how to
/// change that.
#[test]
fn the_start_and_check_config_count_whom_an_apache_keeps_out_for_the_settings() {
    let app = App::start_in(temp_dir(), &[]);
    app.post(&format!("{BOB}&cryptpass=41R19prsa7NLQ"));
    app.post("action=ADD&siteid=1&memberid=72&username=ann&cryptpass=41R19prsa7NLQ");
    app.post("action=ADD&siteid=1&memberid=73&username=eve&password=other");
    app.harden();
    let dir = app.stop();
    let data = dir.path().join("data");
    // An expired member, whom an Apache must not let in.
    let expired = "UPDATE member_auth SET expire_at = 1 WHERE memberid = 73";
    rusqlite::Connection::open(data.join("userman.db")).unwrap().execute(expired, []).unwrap();
    let no_bcrypt = "members without a bcrypt hash: 2 of 2; an Apache that reads `password` does \
        not let them in; each gets one at the member's next login (/login or /auth), or when NATS \
         next \
         sends the password (1 of them have a cryptpass instead, which only a password from NATS \
         replaces)";
    let no_cryptpass = "members without a cryptpass: 2 of 2; an Apache that reads `cryptpass` does \
        not let them in; each gets one when NATS next sends it, or by an import of NATS's own \
        table (docs/moving-in.md)";
    for (flags, sentences) in [
        (BCRYPT, &[no_bcrypt][..]),
        (&["--keep-cryptpass"], &[no_cryptpass]),
        (&["--keep-cryptpass", "--password-hash", "bcrypt"], &[no_bcrypt, no_cryptpass]),
        (&[], &[]),
    ] {
        let said = run_on(&data, &[&["check-config"], flags].concat()).printed();
        let (_, end) = said.split_once("log               info, text\n").unwrap();
        let lines: String = sentences.iter().map(|sentence| format!("{sentence}\n")).collect();
        let last = if sentences.is_empty() {
            "configuration OK\n"
        } else {
            "otherwise, configuration OK\n"
        };
        assert_eq!(end, format!("{lines}{last}"), "{flags:?}");

        let mut service = Program::run(program(), &data, flags).unwrap();
        let logged =
            || service.stderr().lines().filter(|line| line.contains("members with")).count();
        eventually("the start says so", || logged() == sentences.len());
        assert!(service.terminate().success());
        for sentence in sentences {
            assert!(
                service.stderr().contains(&format!(" WARN  {sentence}\n")),
                "{}",
                service.stderr()
            );
        }
    }
}

/// 2,500 members are counted over several pages.
#[test]
fn members_are_counted_over_many_pages_and_a_bcrypt_hash_under_argon2id_is_no_warning() {
    let dir = with_bob(BCRYPT);
    let data = dir.path().join("data");
    let conn = rusqlite::Connection::open(data.join("userman.db")).unwrap();
    let many = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 2500)
         INSERT INTO member_auth (siteid, memberid, username, password, trial, expire_at)
         SELECT 1 + n % 3, 1000 + n, 'name ' || n, password, 0, iif(n % 5 = 0, 1, NULL) FROM n, \
         (SELECT password FROM member_auth)";
    conn.execute(many, []).unwrap();
    drop(conn);
    let mut service = Program::serve(&data, &[]);
    let sentence = "INFO  members with a bcrypt hash: 2001 of 2001; each becomes argon2id at the \
         member's next login, or when NATS next sends the password\n";
    eventually("the start says so", || service.stderr().contains(sentence));
    assert!(service.terminate().success());
    assert!(!service.stderr().contains("WARN  members with"), "{}", service.stderr());
}

/// The cost of every login follows the rows. The oldest and the newest ones are sampled.
#[test]
fn after_a_switch_a_sample_of_the_rows_has_the_former_kind_and_the_new_one() {
    let add = |app: &App, members: std::ops::Range<u32>| {
        for member in members {
            app.post(&format!(
                "action=ADD&siteid=1&memberid={member}&username=name{member}&password=secret"
            ));
        }
        app.harden();
    };
    let app = App::start_in(temp_dir(), &[]);
    add(&app, 1..6);
    let app = App::start_in(app.stop(), BCRYPT);
    add(&app, 6..10);
    let bcrypt = |most: u32| {
        let rows = open_reader(&app.config.location).unwrap().sample(most).unwrap();
        let is_bcrypt = |stored: &Stored| matches!(stored, Stored::Hash(hash) if hash.is_bcrypt());
        (rows.iter().filter(|stored| is_bcrypt(stored)).count(), rows.len())
    };
    assert_eq!(bcrypt(4), (2, 4), "two of each end");
    assert_eq!(bcrypt(100), (8, 18), "all, from both ends");
}

#[test]
fn a_row_that_cannot_be_read_keeps_no_other_hash_from_being_replaced() {
    let app = App::start_in(with_bob(&[]), BCRYPT);
    assert_eq!(visit(&app, "secret"), 200);
    let sabotage = rusqlite::Connection::open(app.config.location.file().unwrap()).unwrap();
    let damage = "UPDATE member_auth SET username = 'b' || char(7) WHERE memberid = 71";
    sabotage.execute_batch(damage).unwrap();
    // An error of the row would panic here, as the service would try again for ever.
    app.harden();
    assert_eq!(form(&app), "$argon2id$");
}
