//! Passwords over HTTP: sealed at once and hashed later. A login works before and after.

use std::path::PathBuf;
use std::sync::Arc;

use nats_userman::action::Standing;
use nats_userman::clock::Clock;
use nats_userman::identity::{Key, MemberId, SiteId};
use nats_userman::password::{HashKind, Password, Vault};
use nats_userman::store::{Location, open_reader};
use rusqlite::Connection;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::store::{files, refuses_to_serve};
use crate::support::{App, NOON, Program, WriterBench, eventually, rows, temp_dir, verify_member};

/// Crypt strings made by Debian's libcrypt, and their passwords.
const CRYPTS: [(&str, &str, &str); 7] = [
    ("41", "41R19prsa7NLQ", "testtest"),
    ("$1$saltsalt$", "$1$saltsalt$le8lFSqqnPaRFOlmAZpvH1", "Hello world!"),
    ("$5$saltstring$", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5", "Hello world!"),
    (
        "$5$rounds=1000$saltstring$",
        "$5$rounds=1000$saltstring$z/y8l95GSjij6uHx2xAJer7YCODLtrhIxItWC13D4g5",
        "Hello world!",
    ),
    (
        "$6$saltstring$",
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/\
         O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
        "Hello world!",
    ),
    (
        "$2b$04$abcdefghijklmnopqrstuu",
        "$2b$04$abcdefghijklmnopqrstuuyeG8laUfZvsCmc.AE6qIDYSPGM2efmK",
        "Hello world!",
    ),
    (
        "$2y$04$abcdefghijklmnopqrstuu",
        "$2y$04$abcdefghijklmnopqrstuuyeG8laUfZvsCmc.AE6qIDYSPGM2efmK",
        "Hello world!",
    ),
];

const STATE: &str = "SELECT CASE WHEN sealed IS NOT NULL THEN 'sealed' WHEN cryptpass_wrapped IS \
    NOT NULL THEN 'wrapped'
     ELSE 'hashed' END, password IS NULL, cryptpass FROM ";

/// Parameters and their values.
type Pairs<'a> = &'a [(&'a str, &'a str)];

fn fields(pairs: Pairs<'_>) -> String {
    serde_urlencoded::to_string(pairs).unwrap()
}

fn app() -> App {
    App::start_in(temp_dir(), &[])
}

/// Adds member 71, "bob", of site 1 with these credentials.
fn add(app: &App, credentials: Pairs<'_>) {
    let who = [("action", "ADD"), ("siteid", "1"), ("memberid", "71"), ("username", "bob")];
    let reply = app.post(&fields(&[&who[..], credentials].concat()));
    assert_eq!(reply, "OK|member 71 \"bob\" added to site 1");
}

/// Sends an action about member 71 and expects OK.
fn send(app: &App, action: &str, further: Pairs<'_>) {
    let who = [("action", action), ("siteid", "1"), ("memberid", "71"), ("username", "bob")];
    let reply = app.post(&fields(&[&who[..], further].concat()));
    assert!(reply.starts_with("OK|"), "{action}: {reply}");
}

fn hash(app: &App) -> String {
    app.rows("SELECT password FROM member_auth WHERE memberid = 71").remove(0)
}

fn state(app: &App) -> String {
    app.rows(&format!("{STATE} member_auth WHERE memberid = 71")).remove(0)
}

#[test]
fn a_password_is_sealed_at_once_and_hashed_later() {
    let app = app();
    add(&app, &[("password", "secret")]);
    assert_eq!(state(&app), "sealed|1|", "nothing in `password` until it is hashed");
    assert!(
        app.opens(1, 71, "secret") && !app.opens(1, 71, "secret ") && !app.opens(1, 71, "Secret")
    );
    app.harden();
    assert_eq!(state(&app), "hashed|0|");
    assert!(hash(&app).starts_with("$argon2id$v=19$"));
    assert!(
        app.opens(1, 71, "secret") && !app.opens(1, 71, "secret ") && !app.opens(1, 71, "Secret")
    );
    assert_eq!(app.rows("SELECT before, sealed, cryptpass_wrapped FROM member_auth"), ["||"]);
}

#[test]
fn a_password_is_clear_text_whatever_it_looks_like() {
    let long = "x".repeat(1024);
    let looks = [
        "41R19prsa7NLQ",
        "$2y$04$abcdefghijklmnopqrstuuyeG8laUfZvsCmc.AE6qIDYSPGM2efmK",
        "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$AAAA",
        "p+&=% é",
        "%41",
        " leading and trailing ",
        "a\r\nb",
        "***",
        &long,
    ];
    for look in looks {
        let app = app();
        add(&app, &[("password", look)]);
        assert!(app.opens(1, 71, look), "sealed: {look}");
        app.harden();
        assert!(app.opens(1, 71, look), "hashed: {look}");
        assert!(
            !app.opens(1, 71, "testtest")
                && !app.opens(1, 71, "Hello world!")
                && !app.opens(1, 71, "A"),
            "{look}"
        );
    }
}

#[test]
fn the_hash_stays_when_a_rebill_brings_the_same_password_and_goes_when_it_brings_another() {
    let app = app();
    add(&app, &[("password", "secret")]);
    app.harden();
    let first = hash(&app);
    for (action, field) in [
        ("ACTIVATE", "password"),
        ("ADD", "password"),
        ("MANUALADD", "password"),
        ("CHANGE", "new_password"),
    ] {
        send(&app, action, &[(field, "secret")]);
        assert_eq!(state(&app), "sealed|1|", "{action}");
        send(&app, action, &[(field, "secret")]);
        assert!(app.opens(1, 71, "secret"), "{action}");
        app.harden();
        assert_eq!(hash(&app), first, "{action}: the same hash, byte for byte");
    }
    send(&app, "ACTIVATE", &[("password", "other")]);
    assert!(app.opens(1, 71, "other") && !app.opens(1, 71, "secret"));
    app.harden();
    let second = hash(&app);
    assert_ne!(second, first);
    assert!(app.opens(1, 71, "other") && !app.opens(1, 71, "secret"));
    assert_eq!(
        app.rows("SELECT DISTINCT password FROM journal ORDER BY id"),
        [first, second],
        "the journal has both"
    );
}

#[test]
fn the_password_of_a_member_who_comes_back_is_hashed_anew_and_compared_with_nothing() {
    let app = app();
    add(&app, &[("password", "secret")]);
    app.harden();
    let first = hash(&app);
    send(&app, "DELETE", &[]);
    send(&app, "ACTIVATE", &[("password", "secret")]);
    assert_eq!(app.rows("SELECT before IS NULL FROM member_auth"), ["1"]);
    app.harden();
    assert_ne!(hash(&app), first);
    assert!(app.opens(1, 71, "secret"));
}

#[test]
fn a_password_that_changes_twice_before_it_is_hashed_ends_as_the_last_one() {
    let app = app();
    add(&app, &[("password", "one")]);
    app.harden();
    let first = hash(&app);
    send(&app, "CHANGE", &[("new_password", "two")]);
    send(&app, "CHANGE", &[("new_password", "one")]);
    assert!(app.opens(1, 71, "one") && !app.opens(1, 71, "two"));
    app.harden();
    assert!(app.opens(1, 71, "one") && !app.opens(1, 71, "two"));
    // Each form is an argon2id hash. The two may be equal or not.
    assert!(hash(&app).starts_with("$argon2id$") && first.starts_with("$argon2id$"));
}

#[test]
fn a_cryptpass_that_came_alone_is_wrapped_and_keeps_its_meaning() {
    for (setting, crypt, typed) in CRYPTS {
        let app = app();
        add(&app, &[("cryptpass", crypt)]);
        assert_eq!(state(&app), "sealed|1|", "{crypt}");
        let look = |when: &str| {
            assert!(app.opens(1, 71, typed), "{when}: {crypt}");
            for wrong in ["testtesT", "Hello world", "hello world!", crypt] {
                assert!(!app.opens(1, 71, wrong), "{when}: {crypt} opened by {wrong}");
            }
            let opened = app.opens(1, 71, &format!("{typed} and more"));
            assert_eq!(
                opened,
                setting == "41",
                "{when}: of a DES crypt 8 bytes count, of others all"
            );
        };
        look("sealed");
        app.harden();
        assert_eq!(state(&app), "wrapped|1|", "{crypt}");
        look("wrapped");
        let wrapped = app.rows("SELECT cryptpass_wrapped FROM member_auth").remove(0);
        assert!(wrapped.starts_with(&format!("{setting} $argon2id$")), "{wrapped}");
        let digest = crypt.strip_prefix(setting).unwrap().as_bytes();
        for (name, bytes) in files(&app.dir.path().join("data")) {
            assert!(
                !bytes.windows(digest.len()).any(|window| window == digest),
                "the weak digest is in {name}"
            );
        }
    }
}

#[test]
fn the_wrapped_form_stays_when_the_same_cryptpass_comes_again() {
    let app = app();
    add(&app, &[("cryptpass", CRYPTS[0].1)]);
    app.harden();
    let wrapped = || app.rows("SELECT cryptpass_wrapped FROM member_auth").remove(0);
    let first = wrapped();
    send(&app, "ACTIVATE", &[("cryptpass", CRYPTS[0].1)]);
    app.harden();
    assert_eq!(wrapped(), first);
    // Another crypt string counts as another password, even if its password is the same.
    send(&app, "ACTIVATE", &[("cryptpass", "7dTx9F2gGoM5w")]);
    app.harden();
    assert_ne!(wrapped(), first);
    assert!(app.opens(1, 71, "testtest"));
}

#[test]
fn a_cryptpass_that_came_with_a_password_is_dropped() {
    let app = app();
    add(&app, &[("cryptpass", CRYPTS[0].1), ("password", "secret")]);
    let look = || assert!(app.opens(1, 71, "secret") && !app.opens(1, 71, "testtest"));
    look();
    app.harden();
    look();
    assert_eq!(state(&app), "hashed|0|");
    assert_eq!(app.rows("SELECT cryptpass, cryptpass_wrapped, sealed FROM journal"), ["||"]);
    send(&app, "CHANGE", &[("new_cryptpass", "a4sLkn7C9GP12"), ("new_password", "third")]);
    assert!(
        app.opens(1, 71, "third") && !app.opens(1, 71, "password") && !app.opens(1, 71, "secret")
    );
}

#[test]
fn a_password_takes_the_place_of_a_cryptpass_and_the_other_way_round() {
    for harden_between in [false, true] {
        let app = app();
        let pause = || {
            if harden_between {
                app.harden()
            }
        };
        add(&app, &[("cryptpass", CRYPTS[0].1)]);
        pause();
        send(&app, "CHANGE", &[("new_password", "secret")]);
        assert!(app.opens(1, 71, "secret") && !app.opens(1, 71, "testtest"));
        pause();
        send(&app, "CHANGE", &[("new_cryptpass", "a4sLkn7C9GP12")]);
        assert!(
            app.opens(1, 71, "password")
                && !app.opens(1, 71, "secret")
                && !app.opens(1, 71, "testtest")
        );
        app.harden();
        assert!(
            app.opens(1, 71, "password")
                && !app.opens(1, 71, "secret")
                && !app.opens(1, 71, "testtest")
        );
        assert_eq!(state(&app), "wrapped|1|");
    }
}

#[test]
fn with_keep_cryptpass_the_column_follows_every_postback_that_brings_a_credential() {
    let app = App::start_in(temp_dir(), &["--keep-cryptpass"]);
    let (one, two) = (CRYPTS[0].1, "a4sLkn7C9GP12");
    add(&app, &[("password", "testtest"), ("cryptpass", one)]);
    let column =
        |table: &str| app.rows(&format!("SELECT cryptpass FROM {table} WHERE memberid = 71"));
    assert_eq!(column("member_auth"), [one]);
    let steps: [(&str, Pairs<'_>, &str, &str); 12] = [
        ("CHANGE", &[("new_email", "b@example.com")], one, "no credential, no change"),
        ("CHANGE", &[("new_password", "other")], "", "a password alone: never an older cryptpass"),
        ("CHANGE", &[("new_password", "password"), ("new_cryptpass", two)], two, "both"),
        (
            "TRIALTOFULL",
            &[("password", "x"), ("cryptpass", one)],
            two,
            "does not touch credentials of a member",
        ),
        ("ACTIVATE", &[], two, "no credential"),
        ("ACTIVATE", &[("password", "password")], "", "the same password, without its cryptpass"),
        ("ACTIVATE", &[("cryptpass", one)], one, "a cryptpass alone"),
        (
            "ADD",
            &[("password", "testtest"), ("cryptpass", "nonsense")],
            "",
            "an unreadable one counts as not given",
        ),
        (
            "MANUALADD",
            &[("password", "testtest"), ("cryptpass", one)],
            one,
            "the same password with its cryptpass",
        ),
        (
            "CHANGE",
            &[("password", "x"), ("cryptpass", two)],
            one,
            "of a CHANGE only the new ones count",
        ),
        ("CHANGE", &[("new_cryptpass", two)], two, "a cryptpass alone"),
        ("ACTIVATE", &[("password", ""), ("cryptpass", "")], two, "empty counts as not given"),
    ];
    for (action, further, expected, why) in steps {
        send(&app, action, further);
        assert_eq!(column("member_auth"), [expected], "{action} {further:?}: {why}");
    }
    send(&app, "DELETE", &[("password", "x"), ("cryptpass", one)]);
    assert_eq!(column("former_member"), [two], "it goes along");
    app.harden();
    assert_eq!(column("former_member"), [two], "and hashing leaves it");
    send(&app, "ACTIVATE", &[]);
    assert_eq!(column("member_auth"), [two], "and it comes back");
    send(&app, "DELETE", &[]);
    send(&app, "ACTIVATE", &[("password", "new")]);
    assert_eq!(column("member_auth"), [""], "but not with another password");
}

#[test]
fn without_keep_cryptpass_the_column_stays_empty() {
    let app = app();
    add(&app, &[("password", "testtest"), ("cryptpass", CRYPTS[0].1)]);
    send(&app, "CHANGE", &[("new_cryptpass", CRYPTS[0].1)]);
    app.harden();
    assert_eq!(
        app.rows("SELECT cryptpass FROM member_auth UNION ALL SELECT cryptpass FROM journal"),
        ["", "", ""]
    );
}

#[test]
fn former_members_and_the_journal_are_hashed_too() {
    let app = app();
    add(&app, &[("password", "secret")]);
    send(&app, "CHANGE", &[("new_password", "other")]);
    send(&app, "DELETE", &[]);
    let sealed = "SELECT (SELECT count(*) FROM member_auth WHERE sealed IS NOT NULL OR \
        typeof(before) = 'blob'),
        (SELECT count(*) FROM former_member WHERE sealed IS NOT NULL OR typeof(before) = 'blob'),
        (SELECT count(*) FROM journal WHERE sealed IS NOT NULL)";
    assert_eq!(app.rows(sealed), ["0|1|2"]);
    app.harden();
    assert_eq!(app.rows(sealed), ["0|0|0"]);
    let journal = app.rows("SELECT password FROM journal ORDER BY id");
    assert!(
        journal[0].starts_with("$argon2id$")
            && journal[1].starts_with("$argon2id$")
            && journal[0] != journal[1]
    );
    assert_eq!(journal[2], "", "a DELETE brings nothing");
    assert_eq!(
        app.rows("SELECT password FROM former_member"),
        [journal[1].as_str()],
        "one hash, in both tables"
    );
}

#[test]
fn a_backlog_survives_a_restart() {
    let app = app();
    add(&app, &[("password", "secret")]);
    app.post("action=ADD&siteid=1&memberid=72&username=ann&cryptpass=41R19prsa7NLQ");
    app.post("action=ADD&siteid=1&memberid=73&username=cy&password=third");
    app.post("action=DELETE&siteid=1&memberid=73");
    let app = App::start_in(app.stop(), &[]);
    assert_eq!(app.rows("SELECT count(*) FROM journal WHERE sealed IS NOT NULL"), ["3"]);
    let look = || {
        assert!(app.opens(1, 71, "secret") && !app.opens(1, 71, "x"));
        assert!(app.opens(1, 72, "testtest") && !app.opens(1, 72, "x"));
        assert!(!app.opens(1, 73, "third"), "a former member");
    };
    look();
    app.harden();
    look();
    app.post("action=ACTIVATE&siteid=1&memberid=73&username=cy");
    assert!(app.opens(1, 73, "third"));
    assert_eq!(app.rows("SELECT count(*) FROM journal WHERE sealed IS NOT NULL"), ["0"]);
}

#[test]
fn the_real_worker_hashes_what_an_earlier_run_left_sealed() {
    let app = app();
    add(&app, &[("password", "secret")]);
    let dir = app.stop();
    let data = dir.path().join("data");
    let mut service = Program::serve(&data, &[]);
    eventually("the backlog is hashed", || {
        let conn = Connection::open(data.join("userman.db")).unwrap();
        rows(&conn, "SELECT password FROM member_auth")[0]
            .starts_with("$argon2id$v=19$m=19456,t=2,p=1$")
    });
    eventually("the log says so", || service.stderr().contains("all passwords are hashed"));
    assert!(service.terminate().success());
    assert!(service.stderr().contains("passwords waiting to be hashed: 1"), "{}", service.stderr());
    assert!(opens(&data, "secret") && !opens(&data, "Secret"));
}

#[test]
fn with_password_hash_bcrypt_the_column_is_what_apache_reads() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let mut service = Program::serve(&data, &["--password-hash", "bcrypt"]);
    let (longest, longer) = ("x".repeat(72), "x".repeat(100));
    for (password, beginning) in
        [(&longest, "$2y$10$"), (&longer, "$argon2id$v=19$m=19456,t=2,p=1$")]
    {
        service
            .post(&format!("action=ADD&siteid=1&memberid=71&username=bob&password={password}"))
            .unwrap();
        eventually("the password is hashed", || {
            let conn = Connection::open(data.join("userman.db")).unwrap();
            rows(&conn, "SELECT password FROM member_auth")[0].starts_with(beginning)
        });
    }
    assert!(service.terminate().success());
    assert!(opens(&data, &longer) && !opens(&data, &longest) && !opens(&data, "x"));
}

/// Whether this password matches member 71 of site 1 in a data directory without a service.
fn opens(data: &std::path::Path, typed: &str) -> bool {
    let vault = Vault::load(&data.join("seal.key")).unwrap();
    let reader = open_reader(&Location::sqlite(data.join("userman.db"))).unwrap();
    let key = Key { site: SiteId::parse("1").unwrap(), member: MemberId::parse("71").unwrap() };
    let Standing::Here(row) = reader.standing(key, NOON).unwrap() else { panic!("not there") };
    verify_member(&row, &vault, &Password::parse(typed).unwrap()).unwrap()
}

#[test]
fn hashes_of_both_kinds_live_side_by_side() {
    let app = app();
    add(&app, &[("password", "secret")]);
    app.harden();
    let dir = app.stop();
    let app = App::start_in(dir, &["--password-hash", "bcrypt"]);
    let argon2id = hash(&app);
    send(&app, "ACTIVATE", &[("password", "secret")]);
    harden_as(&app, HashKind::Bcrypt);
    assert!(
        argon2id.starts_with("$argon2id$") && hash(&app).starts_with("$2y$"),
        "the same password, of the other kind"
    );
    assert!(app.opens(1, 71, "secret") && !app.opens(1, 71, "other"));
    send(&app, "ACTIVATE", &[("password", "other")]);
    harden_as(&app, HashKind::Argon2id);
    assert!(hash(&app).starts_with("$argon2id$"));
    assert!(app.opens(1, 71, "other") && !app.opens(1, 71, "secret"));
    send(&app, "ACTIVATE", &[("password", "other")]);
    app.harden();
    assert!(hash(&app).starts_with("$2y$"));
    let bcrypt = hash(&app);
    send(&app, "ACTIVATE", &[("password", "other")]);
    app.harden();
    assert_eq!(hash(&app), bcrypt, "a hash of the configured kind stays");
}

/// Hashes with the other kind, as [`App::harden`] does. Its writer works beside that of the app.
fn harden_as(app: &App, kind: HashKind) {
    let vault = Vault::load(&app.dir.path().join("data/seal.key")).unwrap();
    let clock = Clock::Fixed(Arc::new(NOON.into()));
    let bench = WriterBench::start(&app.config.location, &vault, clock);
    bench.hash_all(kind);
    bench.stop();
}

#[test]
fn a_seal_that_does_not_open_keeps_nobody_else_from_being_hashed() {
    let app = app();
    add(&app, &[("password", "secret")]);
    app.post("action=ADD&siteid=1&memberid=72&username=ann&password=other");
    app.post("action=ADD&siteid=1&memberid=73&username=cy&password=third");
    let damage = "UPDATE member_auth SET sealed = zeroblob(104) WHERE memberid = 72;
                  UPDATE journal SET sealed = zeroblob(104) WHERE memberid = 72";
    Connection::open(app.config.location.file().unwrap()).unwrap().execute_batch(damage).unwrap();
    app.harden();
    assert!(app.opens(1, 71, "secret") && app.opens(1, 73, "third"));
    assert_eq!(
        app.rows("SELECT memberid FROM member_auth WHERE password IS NOT NULL"),
        ["71", "73"]
    );
    let sealed = "SELECT memberid FROM member_auth WHERE sealed = zeroblob(104)";
    assert_eq!(app.rows(sealed), ["72"], "left for the operator to look at");
    // The remedy in the message: NATS sends the password again.
    app.post("action=ADD&siteid=1&memberid=72&username=ann&password=other");
    assert!(app.opens(1, 72, "other"));
    app.harden();
    assert!(app.opens(1, 72, "other"));
}

#[test]
fn an_activate_restores_the_kept_credential_in_each_state() {
    let (password, crypt): (Pairs<'_>, Pairs<'_>) =
        (&[("password", "testtest")], &[("cryptpass", CRYPTS[0].1)]);
    for (credential, name) in [(password, "password"), (crypt, "cryptpass")] {
        // Passwords are hashed never, before the member leaves, while they are gone, or after they
        // are back.
        for harden_at in 0..4 {
            let app = app();
            add(&app, credential);
            let harden_if = |step| {
                if harden_at == step {
                    app.harden();
                }
            };
            harden_if(1);
            send(&app, "DELETE", &[("password", "x"), ("cryptpass", "a4sLkn7C9GP12")]);
            assert!(!app.opens(1, 71, "testtest"), "nobody gets in who is not a member now");
            harden_if(2);
            send(&app, "ACTIVATE", &[("password", "")]);
            harden_if(3);
            assert!(
                app.opens(1, 71, "testtest")
                    && !app.opens(1, 71, "x")
                    && !app.opens(1, 71, "password"),
                "{name} {harden_at}"
            );
            assert_eq!(app.opens(1, 71, "testtest and more"), name == "cryptpass", "{harden_at}");
            assert_eq!(state(&app).starts_with("sealed"), harden_at == 0, "{name} {harden_at}");
        }
    }
}

#[test]
fn an_expired_member_is_restored_with_the_kept_credential_too() {
    let app = app();
    add(&app, &[("password", "secret")]);
    send(&app, "EXPIRE", &[("expire", "2026-06-15 12:00:01")]);
    assert!(app.opens(1, 71, "secret"));
    app.set_unix_unnoticed(NOON + 1);
    assert!(!app.opens(1, 71, "secret"), "from that instant on, moved or not");
    app.harden();
    send(&app, "TRIALTOFULL", &[]);
    assert!(app.opens(1, 71, "secret"));
}

#[test]
fn a_session_is_kept_as_its_sha_256_and_nothing_else() {
    let app = app();
    let session = "sess10n-0f-b0b-0123456789abcdef";
    add(&app, &[("password", "secret"), ("session", session)]);
    let hex: String = Sha256::digest(session).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(app.rows("SELECT session_sha256 FROM member_auth"), [hex.as_str()]);
    assert_eq!(app.rows("SELECT session_sha256 FROM journal"), [hex.as_str()]);
    for (name, bytes) in files(&app.dir.path().join("data")) {
        assert!(
            !bytes.windows(session.len()).any(|window| window == session.as_bytes()),
            "it is in {name}"
        );
    }
    send(&app, "ACTIVATE", &[("session", "")]);
    assert_eq!(
        app.rows("SELECT session_sha256 FROM member_auth"),
        [hex.as_str()],
        "empty counts as not given"
    );
}

/// A data directory of a stopped service, with a sealed password.
fn with_backlog() -> (TempDir, PathBuf) {
    let app = app();
    add(&app, &[("password", "secret")]);
    let dir = app.stop();
    let data = dir.path().join("data");
    (dir, data)
}

#[test]
fn without_the_key_that_sealed_passwords_need_the_service_does_not_start() {
    let (_dir, data) = with_backlog();
    let key = std::fs::read(data.join("seal.key")).unwrap();
    std::fs::remove_file(data.join("seal.key")).unwrap();
    refuses_to_serve(&data, 1, &["seal.key", "1 password", "missing", "backup"]);
    // The remedy in the message works.
    std::fs::write(data.join("seal.key"), key).unwrap();
    assert!(Program::serve(&data, &[]).terminate().success());
    assert!(opens(&data, "secret"));
}

#[test]
fn with_another_key_the_service_does_not_start() {
    let (_dir, data) = with_backlog();
    std::fs::write(data.join("seal.key"), "0123456789abcdef".repeat(4) + "\n").unwrap();
    refuses_to_serve(&data, 1, &["seal.key", "another key", "backup"]);
}

#[test]
fn seals_that_are_damaged_do_not_make_the_right_key_a_wrong_one() {
    let (_dir, data) = with_backlog();
    let conn = Connection::open(data.join("userman.db")).unwrap();
    let damage = "sealed = zeroblob(104) WHERE sealed IS NOT NULL";
    conn.execute_batch(&format!("UPDATE member_auth SET {damage}; UPDATE journal SET {damage}"))
        .unwrap();
    drop(conn);
    assert!(Program::serve(&data, &[]).terminate().success());
}

#[test]
fn with_a_key_file_that_is_no_key_the_service_does_not_start() {
    let (_dir, data) = with_backlog();
    for (content, why) in [
        ("", "empty"),
        ("0123456789abcdef\n", "too short"),
        (&*("0123456789ABCDEF".repeat(4) + "\n"), "not as we write it"),
        (&*("0123456789abcdef".repeat(4) + "0\n"), "too long"),
        (&*"x".repeat(100_000), "far too long"),
    ] {
        std::fs::write(data.join("seal.key"), content).unwrap();
        eprintln!("{why}");
        refuses_to_serve(&data, 2, &["seal.key", "expected 64 lower-case hex digits"]);
    }
    std::fs::remove_file(data.join("seal.key")).unwrap();
    std::fs::create_dir(data.join("seal.key")).unwrap();
    let refused = Program::run(crate::support::program(), &data, &[]);
    assert!(
        refused.is_err_and(|stderr| stderr.lines().count() == 1 && stderr.contains("seal.key")),
        "a directory"
    );
}

#[test]
fn when_nothing_is_sealed_a_lost_key_is_made_anew() {
    let app = app();
    add(&app, &[("password", "secret")]);
    app.harden();
    let dir = app.stop();
    std::fs::remove_file(dir.path().join("data/seal.key")).unwrap();
    let app = App::start_in(dir, &[]);
    assert!(app.opens(1, 71, "secret"));
    send(&app, "CHANGE", &[("new_password", "other")]);
    assert!(app.opens(1, 71, "other"));
}
