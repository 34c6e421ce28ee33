//! A real Apache reads member_auth directly, by mod_authn_dbd and the sqlite3 driver of apr, as
//! www-data with the rights of the group and without write permission. It uses
//! examples/apache-dbd.conf, with the query of TMM's documentation and with the column of bcrypt
//! hashes. Or it reads MariaDB by apr's mysql driver.

mod mariadb;

use std::os::unix::fs::MetadataExt as _;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::support::{Program, Request, eventually, rows, send_raw};
use crate::web::{Host, Visitor, WebServer, is_root};

/// The cryptpass of `testtest`, `password` and `testPassword`.
const TESTTEST: &str = "41R19prsa7NLQ";
const PASSWORD: &str = "a4sLkn7C9GP12";
const TEST_PASSWORD: &str = "d3695SDTr1h2k";

/// The host, the service with these flags, and Apache.
fn site(flags: &[&str]) -> Option<(Host, Program, WebServer)> {
    let host = Host::new()?;
    is_root();
    let service = Program::serve(host.data(), flags);
    let apache = host.apache(&["apache-dbd.conf"])?;
    Some((host, service, apache))
}

fn post(service: &Program, body: &str) -> String {
    service.post(body).unwrap().body
}

/// Checks that only the owner may write, that the group may read what it needs, and that no reader
/// has left a file.
fn check_modes(host: &Host) {
    if !is_root() {
        return;
    }
    let modes = |name: &str| {
        let metadata = std::fs::metadata(host.data().join(name)).unwrap();
        (metadata.mode() & 0o777, metadata.uid(), metadata.gid())
    };
    assert_eq!(modes("."), (0o750, 0, 33));
    for name in ["userman.db", "userman.db-wal", "userman.db-shm"] {
        assert_eq!(modes(name), (0o640, 0, 33), "{name}");
    }
    assert_eq!(modes("seal.key").0, 0o600);
    let strangers = std::fs::read_dir(host.data())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().metadata().unwrap().uid() != 0);
    assert_eq!(strangers.count(), 0, "files that the web server made");
}

#[test]
fn tmm_s_query_lets_in_who_is_a_member_now() {
    let Some((host, service, apache)) = site(&["--keep-cryptpass"]) else { return };
    whoever_is_a_member_now_gets_in(&host, &service, &apache);
    check_modes(&host);
}

fn whoever_is_a_member_now_gets_in(host: &Host, service: &Program, apache: &WebServer) {
    let visitor = Visitor::of(host, apache);
    let enters = |name: &str, password: &str| {
        let answers = [
            visitor.status_as(name, password, "/site5/"),
            visitor.status_as(name, password, "/shared/"),
        ];
        assert!(
            answers.iter().all(|status| [200, 401].contains(status)),
            "{answers:?}: {}",
            apache.errors()
        );
        answers.map(|status| status == 200)
    };
    let (both, none, shared) = ([true, true], [false, false], [false, true]);
    assert_eq!(enters("judy", "testtest"), none);
    let story = [
        (
            format!(
                "ADD&siteid=5&memberid=501&username=judy&password=testtest&cryptpass={TESTTEST}"
            ),
            "added to site 5",
        ),
        (
            format!("CHANGE&siteid=5&memberid=501&new_password=password&new_cryptpass={PASSWORD}"),
            "changed on site 5",
        ),
        ("CHANGE&siteid=5&memberid=501&new_username=judith".into(), "changed on site 5"),
        ("DELETE&siteid=5&memberid=501".into(), "removed from site 5"),
        ("ACTIVATE&siteid=5&memberid=501&username=judith".into(), "activated on site 5"),
        (
            "EXPIRE&siteid=5&memberid=501&expire=2017-06-06".into(),
            "of site 5 expired at 2017-06-06T00:00:00Z",
        ),
        (
            format!("ADD&siteid=7&memberid=701&username=JUDY&cryptpass={TEST_PASSWORD}"),
            "added to site 7",
        ),
    ];
    // The logins that each change leads to: judy with the first and the second password, judith
    // with the second, and JUDY of the other site.
    let entering = [
        [both, none, none, none],
        [none, both, none, none],
        [none, none, both, none],
        [none, none, none, none],
        [none, none, both, none],
        [none, none, none, none],
        [none, none, none, shared],
    ];
    for ((body, said), expected) in story.iter().zip(entering) {
        let reply = post(service, &format!("action={body}"));
        assert!(reply.starts_with("OK|member ") && reply.ends_with(said), "{body}: {reply}");
        let doors = [
            ("judy", "testtest"),
            ("judy", "password"),
            ("judith", "password"),
            ("judy", "testPassword"),
        ];
        assert_eq!(doors.map(|(name, password)| enters(name, password)), expected, "{body}");
    }
}

#[test]
fn tmm_s_query_is_answered_while_the_service_is_stopped_or_was_killed() {
    let Some((host, mut service, mut apache)) = site(&["--keep-cryptpass"]) else { return };
    for (round, end) in ["stopped", "killed", "stopped again"].into_iter().enumerate() {
        let member = 501 + round;
        let add = format!(
            "action=ADD&siteid=5&memberid={member}&username=judy{round}&cryptpass={TESTTEST}"
        );
        assert_eq!(
            post(&service, &add),
            format!("OK|member {member} \"judy{round}\" added to site 5")
        );
        let remove = format!("action=DELETE&siteid=5&memberid={}", member - 1);
        assert!(post(&service, &remove).starts_with("OK|member "));
        match end {
            "killed" => service.kill(),
            _ => {
                assert!(service.terminate().success());
                let wal = std::fs::metadata(host.data().join("userman.db-wal")).unwrap();
                assert_eq!(wal.len(), 0, "{}: {}", service.stderr(), apache.errors());
            }
        }
        // With the connections that were open when the service ended, and with an Apache that
        // starts afterwards.
        for started in ["before", "after"] {
            let visitor = Visitor::of(&host, &apache);
            let of = |name: String, password| visitor.status_as(&name, password, "/site5/");
            let name = format!("judy{round}");
            let answers = [
                of(name.clone(), "testtest"),
                of(name, "wrong"),
                of(format!("judy{}", round.wrapping_sub(1)), "testtest"),
            ];
            assert_eq!(
                answers,
                [200, 401, 401],
                "{end}, Apache started {started}: {}",
                apache.errors()
            );
            if started == "before" {
                drop(apache);
                apache = host.apache(&["apache-dbd.conf"]).unwrap();
            }
        }
        check_modes(&host);
        service = Program::serve(host.data(), &["--keep-cryptpass"]);
    }
    // An Apache that started without the service sees later changes of the service.
    post(&service, "action=DELETE&siteid=5&memberid=503");
    assert_eq!(
        Visitor::of(&host, &apache).status_as("judy2", "testtest", "/site5/"),
        401,
        "{}",
        apache.errors()
    );
}

/// Regression: members from before the setting stayed locked out, because a password that was sent
/// again kept its old hash.
#[test]
fn who_was_a_member_before_the_setting_gets_in_when_a_login_or_nats_has_brought_the_password() {
    let Some((host, mut service, apache)) = site(&[]) else { return };
    let visitor = Visitor::of(&host, &apache);
    let add = |name: &str, member: u32| {
        format!("action=ADD&siteid=1&memberid={member}&username={name}&password=secret")
    };
    for (name, member) in [("bob", 71), ("ann", 72)] {
        post(&service, &add(name, member));
    }
    let hashed = || Connection::open(host.data().join("userman.db")).unwrap();
    let count = "SELECT count(*) FROM member_auth WHERE password LIKE '$argon2id$%'";
    eventually("both are hashed", || rows(&hashed(), count) == ["2"]);
    assert!(service.terminate().success());
    service = Program::serve(host.data(), &["--password-hash", "bcrypt"]);
    assert_eq!(
        ["bob", "ann"].map(|name| visitor.status_as(name, "secret", "/members/")),
        [401, 401]
    );

    let request = Request::get("/auth?site=1").basic("bob", "secret");
    assert_eq!(send_raw(service.address, request).unwrap().status, 200);
    eventually("bob is let in, who logged in", || {
        visitor.status_as("bob", "secret", "/members/") == 200
    });
    assert_eq!(visitor.status_as("ann", "secret", "/members/"), 401);
    post(&service, &add("ann", 72));
    eventually("ann is let in, whom NATS sent again", || {
        visitor.status_as("ann", "secret", "/members/") == 200
    });
    assert_eq!(visitor.status_as("ann", "Secret", "/members/"), 401);

    // Now the column that TMM's query reads. Only NATS can send a value for it.
    assert!(service.terminate().success());
    service = Program::serve(host.data(), &["--keep-cryptpass"]);
    let five = |more: &str| {
        format!("action=ADD&siteid=5&memberid=501&username=judy&password=testtest{more}")
    };
    post(&service, &five(""));
    assert_eq!(visitor.status_as("judy", "testtest", "/site5/"), 401);
    post(&service, &five(&format!("&cryptpass={TESTTEST}")));
    assert_eq!(
        visitor.status_as("judy", "testtest", "/site5/"),
        200,
        "at once: {}",
        apache.errors()
    );
    check_modes(&host);
}

#[test]
fn the_column_of_bcrypt_hashes_lets_in_who_is_a_member_now() {
    let Some((host, mut service, apache)) = site(&["--password-hash", "bcrypt"]) else { return };
    let visitor = Visitor::of(&host, &apache);
    post(&service, "action=ADD&siteid=1&memberid=71&username=bob&password=p%2B%26%3D%25+1&trial=1");
    // The column is NULL until the password is hashed.
    eventually("bob is let in", || visitor.status_as("bob", "p+&=% 1", "/members/") == 200);
    assert_eq!(visitor.status_as("bob", "wrong", "/members/"), 401);
    assert_eq!(visitor.status_as("BOB", "p+&=% 1", "/members/"), 200);

    let full = visitor.get_as("bob", "p+&=% 1", "/full/");
    assert_eq!(
        (full.status, full.body.contains("<h1>For full members</h1>")),
        (403, true),
        "{}",
        apache.errors()
    );
    post(&service, "action=TRIALTOFULL&siteid=1&memberid=71&username=bob");
    assert_eq!(visitor.get_as("bob", "p+&=% 1", "/full/").body, "inside full\n");
    let stranger = visitor.get("/full/");
    assert_eq!(
        (stranger.status, stranger.header("www-authenticate")),
        (401, Some("Basic realm=\"members\""))
    );
    assert!(stranger.body.contains("<h1>Members only</h1>"));

    post(&service, "action=CHANGE&siteid=1&memberid=71&new_username=rob&new_password=better");
    assert_eq!(
        visitor.status_as("rob", "p+&=% 1", "/members/"),
        401,
        "the old password is out at once"
    );
    eventually("rob is let in", || visitor.status_as("rob", "better", "/members/") == 200);
    for end in ["stopped", "killed"] {
        match end {
            "killed" => service.kill(),
            _ => assert!(service.terminate().success()),
        }
        assert_eq!(
            visitor.status_as("rob", "better", "/members/"),
            200,
            "{end}: {}",
            apache.errors()
        );
        service = Program::serve(host.data(), &["--password-hash", "bcrypt"]);
    }
    post(&service, "action=DELETE&siteid=1&memberid=71");
    assert_eq!(visitor.status_as("rob", "better", "/members/"), 401);

    // A membership that ends while the service is stopped. The service would have moved the row.
    post(&service, "action=ACTIVATE&siteid=1&memberid=71&username=rob");
    post(&service, "action=EXPIRE&siteid=1&memberid=71&expire=2099-12-31");
    assert_eq!(visitor.status_as("rob", "better", "/members/"), 200);
    assert!(service.terminate().success());
    let conn = Connection::open(host.data().join("userman.db")).unwrap();
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    conn.execute("UPDATE member_auth SET expire_at = 1", []).unwrap();
    drop(conn);
    assert_eq!(visitor.status_as("rob", "better", "/members/"), 401);
    check_modes(&host);
}
