//! Members from before names were folded: two with names that look the same, and one with an
//! invisible name.

use rusqlite::Connection;

use super::kept;
use crate::property::dump;
use crate::support::{App, Program, Request, program, rows, temp_dir};

const COMPOSED: &str = "Ren\u{e9}";
const DECOMPOSED: &str = "Rene\u{301}";

/// The status of `/auth` for a name and a password in HTTP Basic, and the member.
fn auth(app: &App, site: i64, name: &str, password: &str) -> (u16, String) {
    let request = Request::get(&format!("/auth?site={site}"));
    let response = app.send(request.basic(name, password).from("192.0.2.77"));
    (response.status, response.header("x-member-id").unwrap_or("-").to_owned())
}

fn app() -> App {
    let kept = kept("0.1.0");
    App::start_at(kept.dir, &["--trusted-proxy", "127.0.0.1"], kept.facts.made_at + 1)
}

fn folded(app: &App) -> Vec<String> {
    app.rows(
        "SELECT memberid, username_folded FROM member_auth WHERE siteid = 1 AND memberid IN \
        (73, 74, 75) ORDER BY memberid",
    )
}

fn post(app: &App, action: &str, member: i64, more: &[(&str, &str)]) -> String {
    let (member, action) = (member.to_string(), action.to_owned());
    let fields = [&[("action", &*action), ("siteid", "1"), ("memberid", &*member)], more].concat();
    app.post(&serde_urlencoded::to_string(fields).unwrap())
}

#[test]
fn of_two_names_that_look_the_same_each_opens_the_door_when_it_is_typed_as_it_was_sent() {
    let app = app();
    assert_eq!(folded(&app), ["73|ren\u{e9}", "74|", "75|"]);
    assert_eq!(auth(&app, 1, COMPOSED, "first of two"), (200, "73".into()));
    assert_eq!(auth(&app, 1, DECOMPOSED, "second of two"), (200, "74".into()));
    assert_eq!(
        auth(&app, 1, DECOMPOSED, "first of two"),
        (200, "73".into()),
        "the other normal form of the one who holds it"
    );
    assert_eq!(auth(&app, 1, "REN\u{c9}", "first of two"), (200, "73".into()));
    assert_eq!(auth(&app, 1, COMPOSED, "second of two"), (401, "-".into()));
    assert_eq!(auth(&app, 1, "\u{200b}", "folds to nothing"), (200, "75".into()));
    assert_eq!(auth(&app, 1, "\u{200b}\u{200b}", "folds to nothing"), (401, "-".into()));
    assert_eq!(auth(&app, 1, "j\u{f6}rg", "umlaut"), (200, "77".into()));
    assert_eq!(auth(&app, 1, "blank", "blanks around"), (200, "78".into()));
    assert_eq!(auth(&app, 1, "ZeroWidth", "invisible"), (200, "76".into()));
}

#[test]
fn a_rebill_of_a_member_who_does_not_hold_the_folded_name_is_ok_and_nobody_else_gets_it() {
    let app = app();
    let activate = |member, name| post(&app, "ACTIVATE", member, &[("username", name)]);
    assert_eq!(activate(74, DECOMPOSED), "OK|member 74 \"Rene??\" of site 1 was so already");
    assert_eq!(
        activate(74, "rene\u{301}"),
        "ERROR|username \"rene??\" is held by member 73 of site 1, nothing was changed for member \
         74"
    );
    let rename = post(&app, "CHANGE", 73, &[("new_username", DECOMPOSED)]);
    assert_eq!(
        rename,
        "ERROR|username \"Rene??\" is held by member 74 of site 1, nothing was changed for member \
         73"
    );
    let add = |name| post(&app, "ADD", 300, &[("username", name), ("password", "x")]);
    assert_eq!(
        add("REN\u{c9}"),
        "ERROR|username \"REN??\" is held by member 73 of site 1, nothing was changed for member \
         300"
    );
    assert_eq!(
        add("\u{200b}"),
        "ERROR|username: expected a character that can be seen, found \"???\""
    );
    assert_eq!(post(&app, "TRIALTOFULL", 75, &[]), "OK|member 75 \"???\" of site 1 was so already");
    assert_eq!(
        post(&app, "CHANGE", 75, &[("new_password", "other")]),
        "OK|member 75 \"???\" changed on site 1"
    );
    assert_eq!(auth(&app, 1, "\u{200b}", "other"), (200, "75".into()));
    assert_eq!(folded(&app), ["73|ren\u{e9}", "74|", "75|"]);
}

/// Regression: NATS repeats the name at a rebill, and a member who had paid was refused.
#[test]
fn a_rebill_of_a_member_whose_name_cannot_be_seen_is_ok_and_nobody_else_gets_such_a_name() {
    let app = app();
    let unseen = "expected a character that can be seen, found";
    let noted = (app.now() + 60).to_string();
    assert!(post(&app, "EXPIRE", 75, &[("expire", &noted)]).starts_with("OK|"));
    let name = [("username", "\u{200b}")];
    assert_eq!(post(&app, "ACTIVATE", 75, &name), "OK|member 75 \"???\" activated on site 1");
    app.set_unix(app.now() + 60);
    assert_eq!(
        auth(&app, 1, "\u{200b}", "folds to nothing"),
        (200, "75".into()),
        "the expiry is lifted"
    );
    let with_password = [("username", "\u{200b}"), ("password", "other")];
    assert_eq!(post(&app, "ADD", 75, &with_password), "OK|member 75 \"???\" updated on site 1");
    assert_eq!(auth(&app, 1, "\u{200b}", "other"), (200, "75".into()));
    let same = post(&app, "CHANGE", 75, &[("new_username", "\u{200b}")]);
    assert_eq!(same, "OK|member 75 \"???\" of site 1 was so already");
    let check = |name: &str| {
        app.post(
            &serde_urlencoded::to_string([
                ("action", "CHECK"),
                ("siteid", "1"),
                ("username", name),
            ])
            .unwrap(),
        )
    };
    assert_eq!(check("\u{200b}"), "OK|username \"???\" is taken on site 1");
    assert_eq!(check("\u{200b} "), format!("ERROR|username: {unseen} \"??? \""));
    assert_eq!(post(&app, "ADD", 300, &with_password), format!("ERROR|username: {unseen} \"???\""));
    assert_eq!(
        post(&app, "ACTIVATE", 75, &[("username", " ")]),
        format!("ERROR|username: {unseen} \" \"")
    );
    assert_eq!(
        post(&app, "CHANGE", 75, &[("new_username", " ")]),
        format!("ERROR|new_username: {unseen} \" \"")
    );
    // After the DELETE, no other member gets this name.
    assert_eq!(post(&app, "DELETE", 75, &[]), "OK|member 75 \"???\" removed from site 1");
    assert_eq!(post(&app, "ACTIVATE", 75, &name), format!("ERROR|username: {unseen} \"???\""));
    assert_eq!(post(&app, "TRIALTOFULL", 75, &name), format!("ERROR|username: {unseen} \"???\""));
}

#[test]
fn a_folded_name_that_becomes_free_goes_to_the_other_who_has_it() {
    let renamed = |app: &App| {
        let reply = post(app, "CHANGE", 73, &[("new_username", "rene")]);
        assert_eq!(reply, "OK|member 73 \"rene\" changed on site 1");
    };
    let deleted = |app: &App| {
        assert_eq!(post(app, "DELETE", 73, &[]), "OK|member 73 \"Ren??\" removed from site 1");
    };
    let expires = |app: &App, notice: bool| {
        let at = (app.now() + 60).to_string();
        assert!(post(app, "EXPIRE", 73, &[("expire", &at)]).starts_with("OK|"));
        if notice {
            app.set_unix(app.now() + 60)
        } else {
            app.set_unix_unnoticed(app.now() + 60)
        }
        // The row has moved, or moves with the next postback that needs the name.
        let reply = post(app, "ADD", 300, &[("username", COMPOSED), ("password", "x")]);
        assert_eq!(
            reply,
            "ERROR|username \"Ren??\" is held by member 74 of site 1, nothing was changed for \
             member 300"
        );
    };
    for what in ["renamed", "deleted", "expired", "expired, not moved yet"] {
        let app = app();
        match what {
            "renamed" => renamed(&app),
            "deleted" => deleted(&app),
            "expired" => expires(&app, true),
            _ => expires(&app, false),
        }
        assert!(folded(&app).contains(&"74|ren\u{e9}".into()), "{what}");
        assert_eq!(auth(&app, 1, COMPOSED, "second of two"), (200, "74".into()), "{what}");
        assert_eq!(
            post(&app, "ACTIVATE", 73, &[("username", COMPOSED)]),
            "ERROR|username \"Ren??\" is held by member 74 of site 1, nothing was changed for \
             member 73",
            "{what}"
        );
    }
}

#[test]
fn the_journal_of_before_replays_to_the_same_rows_and_the_same_folded_names() {
    let kept = kept("0.1.0");
    let (old, new) = (kept.data(), kept.dir.path().join("new"));
    let mut service = Program::serve(&old, &[]);
    assert!(service.terminate().success());
    let done =
        program().args(["member", "remove", "1", "100", "--data-dir"]).arg(&old).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let journal = program().args(["journal", "--json", "--data-dir"]).arg(&old).output().unwrap();
    let file = kept.dir.path().join("journal.jsonl");
    std::fs::write(&file, journal.stdout).unwrap();
    std::fs::create_dir(&new).unwrap();
    std::fs::copy(old.join("seal.key"), new.join("seal.key")).unwrap();
    let done = program()
        .args(["replay", "--journal"])
        .arg(&file)
        .arg("--data-dir")
        .arg(&new)
        .output()
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
    assert!(done.status.success() && !said.contains("answers otherwise"), "{said}");
    let database =
        |data: &std::path::Path| nats_userman::store::Location::sqlite(data.join("userman.db"));
    assert!(dump(&database(&old)) == dump(&database(&new)), "the rows differ");
}

#[test]
fn names_are_folded_anew_where_the_rules_have_changed() {
    let kept = kept("0.1.0");
    let mut service = Program::serve(&kept.data(), &[]);
    assert!(
        service
            .stderr()
            .contains("the names of 19 members were folded by the rules of this release"),
        "{}",
        service.stderr()
    );
    assert!(service.terminate().success());
    // As another release would leave it.
    let conn = Connection::open(kept.database()).unwrap();
    let before =
        rows(&conn, "SELECT siteid, memberid, username_folded FROM member_auth ORDER BY 1, 2");
    conn.execute_batch(
        "UPDATE member_auth SET username_folded = 'x' || memberid; UPDATE folding SET version = \
         version - 1;
         INSERT OR REPLACE INTO block (kind, network, username, since, until) VALUES
             ('network', '198.51.100.7', '', unixepoch(), unixepoch() + 3600),
             ('pair', '2001:db8:1::/64', 'bob', unixepoch(), unixepoch() + 3600),
             ('pair', '203.0.113.9', 'J\u{d6}RG', unixepoch(), unixepoch() + 3600);
         DELETE FROM block WHERE username = 'j\u{f6}rg'",
    )
    .unwrap();
    let mut service = Program::serve(&kept.data(), &[]);
    let log = service.stderr();
    assert!(
        log.contains("the names of 19 members were folded by the rules of this release"),
        "{log}"
    );
    assert!(log.contains("3 members log in by their exact names alone"), "{log}");
    assert_eq!(
        rows(&conn, "SELECT siteid, memberid, username_folded FROM member_auth ORDER BY 1, 2"),
        before
    );
    assert_eq!(
        rows(&conn, "SELECT DISTINCT username FROM block ORDER BY 1"),
        ["", "bob", "j\u{f6}rg"]
    );
    assert!(service.terminate().success());
    let mut service = Program::serve(&kept.data(), &[]);
    assert!(!service.stderr().contains("folded"), "{}", service.stderr());
    assert!(service.terminate().success());
}

#[test]
fn check_config_names_who_logs_in_by_the_exact_name_alone_and_lists_show_what_cannot_be_seen() {
    let kept = kept("0.1.0");
    let mut service = Program::serve(&kept.data(), &[]);
    assert!(service.terminate().success());
    let run = |arguments: &[&str]| {
        let done = program().args(arguments).arg("--data-dir").arg(kept.data()).output().unwrap();
        (String::from_utf8(done.stdout).unwrap(), String::from_utf8(done.stderr).unwrap())
    };
    let (said, problems) = run(&["check-config"]);
    assert_eq!(problems, "");
    for line in [
        "member 74 of site 1 logs in by the exact username \"Rene\u{301}\" alone, because the \
         username of member 73 looks the same: \
         give the member another username in NATS",
        "member 75 of site 1 logs in by the exact username \"\\u{200b}\" alone, because no \
         character of the username can be seen: \
         give the member another username in NATS",
    ] {
        assert!(said.contains(line), "{said}");
    }
    let (list, _) = run(&["member", "list"]);
    assert!(list.contains("\t76\tzero\\u{200b}width\t") && !list.contains('\u{200b}'), "{list}");
    let (shown, _) = run(&["member", "show", "1", "75"]);
    assert!(shown.contains("    username   \\u{200b}\n") && !shown.contains('\u{200b}'), "{shown}");
    let (found, _) = run(&["journal", "--username", "REN\u{c9}"]);
    assert_eq!(found.matches("added to site 1").count(), 2, "{found}");
}

#[test]
fn a_name_that_basic_cannot_carry_is_told_once_a_postback_and_is_no_error() {
    let dir = temp_dir();
    let mut service = Program::serve(&dir.path().join("data"), &[]);
    for body in [
        "action=CHECK&siteid=1&username=a:b",
        "action=ADD&siteid=1&memberid=71&username=a:b&password=x",
        "action=ADD&siteid=1&memberid=72&username=A:B&password=x",
        "action=CHANGE&siteid=1&memberid=71&new_username=bob",
        "action=CHANGE&siteid=1&memberid=71&new_username=c:d",
    ] {
        service.post(body).unwrap();
    }
    assert!(service.terminate().success());
    let log = service.stderr();
    let line = "WARN  the username of member 71 of site 1 has a colon, which HTTP Basic cannot \
        carry: this member can use only the login page";
    assert_eq!((log.matches(line).count(), log.matches("has a colon").count()), (2, 2), "{log}");
}
