//! `member`: what support staff see and change, beside a running service.

use super::{run_on, without_times};
use crate::support::{Program, Request, eventually, send_raw, temp_dir};

/// A service with bob (71), ann (72, expires in 2099) and cleo (73, deleted) on site 1, and dora
/// (71) on site 2.
fn service() -> (tempfile::TempDir, Program) {
    let dir = temp_dir();
    let program = Program::serve(dir.path(), &[]);
    for body in [
        "action=ADD&siteid=1&memberid=71&username=bob&password=secret&email=bob@example.com&\
         joined=1496792016&expires=1499470416",
        "action=ADD&siteid=1&memberid=72&username=ann&password=secret&trial=1&biller=CCBILL",
        "action=ADD&siteid=1&memberid=73&username=cleo&cryptpass=41R19prsa7NLQ",
        "action=ADD&siteid=2&memberid=71&username=dora&password=secret",
        "action=EXPIRE&siteid=1&memberid=72&expire=2099-01-01",
        "action=DELETE&siteid=1&memberid=73&username=cleo",
    ] {
        let reply = program.post(body).unwrap().body;
        assert!(reply.starts_with("OK|"), "{reply}");
    }
    (dir, program)
}

#[test]
fn list_shows_who_may_log_in_and_who_may_not_any_more() {
    let (dir, _program) = service();
    let list =
        |flags: &[&str]| run_on(dir.path(), &[&["member", "list"], flags].concat()).printed();
    let head = "siteid\tmemberid\tusername\ttrial\texpire_at\n";
    let (bob, ann) = ("1\t71\tbob\t0\t-\n", "1\t72\tann\t1\t2099-01-01T00:00:00Z\n");
    assert_eq!(list(&[]), format!("{head}{bob}{ann}2\t71\tdora\t0\t-\n"));
    assert_eq!(list(&["--site", "1"]), format!("{head}{bob}{ann}"));
    assert_eq!(list(&["--site", "3"]), head);
    let former = list(&["--former"]);
    assert!(
        former
            .starts_with("siteid\tmemberid\tusername\treason\tended_at\n1\t73\tcleo\tdeleted\t20"),
        "{former}"
    );
    assert_eq!(former.lines().count(), 2);
    assert_eq!(
        list(&["--former", "--site", "2"]),
        "siteid\tmemberid\tusername\treason\tended_at\n"
    );
}

#[test]
fn show_tells_where_a_member_stands_and_the_whole_history() {
    let (dir, _program) = service();
    let show = |site: &str, member: &str| {
        without_times(&run_on(dir.path(), &["member", "show", site, member]).printed())
    };
    for member in ["71", "72"] {
        eventually("it is hashed", || show("1", member).contains("password   hashed"));
    }
    assert_eq!(
        show("1", "71"),
        "member 71 of site 1: may log in\n    username   bob\n    password   hashed\n    \
         trial      no\n    \
         email      bob@example.com\n    biller     -\n    joined     TIME\n    expires    TIME \
         (as NATS sent it; locks nobody \
         out)\n    expire_at  -\n\nhistory:\nTIME  ADD         1  OK|member 71 \"bob\" added to \
         site 1\n    from 127.0.0.1: \
         action=ADD&siteid=1&memberid=71&username=bob&password=***&email=bob%40example.com&\
         joined=1496792016&expires=1499470416\n"
    );
    let ann = show("1", "72");
    assert!(ann.starts_with("member 72 of site 1: may log in\n    username   ann\n"), "{ann}");
    assert!(
        ann.contains("    trial      yes\n") && ann.contains("    biller     CCBILL\n"),
        "{ann}"
    );
    assert!(ann.contains("    expire_at  TIME\n"), "{ann}");
    assert!(
        ann.contains("EXPIRE      5  OK|member 72 \"ann\" of site 1 will expire at TIME\n"),
        "{ann}"
    );
    eventually("cleo's cryptpass is wrapped", || {
        show("1", "73").contains("password   cryptpass, wrapped")
    });
    let cleo = run_on(dir.path(), &["member", "show", "1", "73"]).printed();
    assert!(cleo.starts_with("member 73 of site 1: deleted at 20"), "{cleo}");
    assert!(cleo.lines().next().unwrap().ends_with("Z, may not log in"), "{cleo}");
    assert_eq!(show("1", "99"), "member 99 of site 1: was never a member\n\nhistory:\n");
    assert!(!(cleo + &ann).contains("41R19prsa7NLQ"));
}

#[test]
fn members_are_found_by_name_e_mail_and_memberid() {
    let (dir, _program) = service();
    let subjects = |args: &[&str]| {
        let shown = run_on(dir.path(), &[&["member", "show"], args].concat()).printed();
        let subject = |line: &str| line.split_once(':').map(|(subject, _)| subject.to_owned());
        let is_subject = |line: &&str| line.starts_with("member ");
        shown.lines().filter(is_subject).filter_map(subject).collect::<Vec<_>>()
    };
    let (bob, dora) = ("member 71 of site 1", "member 71 of site 2");
    assert_eq!(subjects(&["BOB"]), [bob]);
    assert_eq!(subjects(&["Bob@Example.com"]), [bob]);
    assert_eq!(subjects(&["71"]), [bob, dora]);
    assert_eq!(subjects(&["2", "71"]), [dora]);
    assert_eq!(subjects(&["2", "dora"]), [dora]);
    assert_eq!(subjects(&["cleo"]), ["member 73 of site 1"], "a former member");
    run_on(dir.path(), &["member", "show", "2", "bob"]).ended(
        1,
        "nats-userman: no member and no former member has this memberid, name or e-mail address: \
         \"bob\"\n",
    );
    let list = |args: &[&str]| run_on(dir.path(), &[&["member", "list"], args].concat()).printed();
    let head = "siteid\tmemberid\tusername\ttrial\texpire_at\n";
    let (bob, dora) = ("1\t71\tbob\t0\t-\n", "2\t71\tdora\t0\t-\n");
    assert_eq!(list(&["bob@example.com"]), format!("{head}{bob}"));
    assert_eq!(list(&["71"]), format!("{head}{bob}{dora}"));
    assert_eq!(list(&["71", "--site", "2"]), format!("{head}{dora}"));
    for (args, said) in [
        (&["cleo"][..], "no member is found; --former lists the former members"),
        (&["nobody"], "no member or former member is found"),
        (&["bob", "--former"], "no former member is found; without --former, members are listed"),
    ] {
        let none = run_on(dir.path(), &[&["member", "list"], args].concat());
        none.ended(0, &format!("nats-userman: {said}\n"));
    }
    assert_eq!(list(&["cleo", "--former"]).lines().count(), 2);
}

#[test]
fn show_tells_why_a_member_does_not_get_in_and_their_last_logins() {
    let (dir, program) = service();
    let show = || without_times(&run_on(dir.path(), &["member", "show", "bob"]).printed());
    let basic = |password: &str| {
        send_raw(program.address, Request::get("/auth?site=1").basic("bob", password))
            .unwrap()
            .status
    };
    eventually("bob's password is hashed", || show().contains("password   hashed"));
    assert_eq!((basic("secret"), basic("Secret")), (200, 401));
    eventually("the logins are recorded", || show().contains("wrong password (basic)"));
    let shown = show();
    let sentence = "member 71 of site 1: may log in; a wrong password was tried at TIME from \
                    127.0.0.1\n";
    assert!(shown.starts_with(sentence), "{shown}");
    let logins = "\nlast logins:\nTIME wrong password (basic) from 127.0.0.1\n\
                  TIME logged in (basic) from 127.0.0.1\n\nhistory:\n";
    assert!(shown.contains(logins), "{shown}");
}

/// Regression: the block was one of a wider network, and the command looked for names alone.
#[test]
fn show_tells_of_a_block_of_a_network_around_the_one_that_a_member_tried_from() {
    let dir = temp_dir();
    let limits = ["--login-limit-network", "2", "--login-limit-pair", "0"];
    let flags = [&["--trusted-proxy", "127.0.0.1"], &limits[..]].concat();
    let service = Program::serve(dir.path(), &flags);
    service.post("action=ADD&siteid=1&memberid=71&username=bob&password=secret").unwrap();
    let visit = |name: &str, password: &str, from: &str| {
        let request = Request::get("/auth?site=1").basic(name, password).from(from);
        send_raw(service.address, request).unwrap().status
    };
    for number in 0..12 {
        visit(&format!("x{number}"), "wrong", &format!("2001:db8:1:{number:x}::1"));
    }
    assert_eq!(visit("bob", "secret", "2001:db8:1:20::1"), 403);
    let show = || without_times(&run_on(dir.path(), &["member", "show", "bob"]).printed());
    eventually("the block is told", || show().contains("cannot log in"));
    let shown = show();
    let (from, why) = shown.lines().next().unwrap().split_once(", because ").unwrap();
    let network = "member 71 of site 1: cannot log in from 2001:db8:1::/56 until ";
    assert!(from.starts_with(network), "{shown}");
    assert_eq!(why, "too many wrong passwords came from that network; from elsewhere they can");
}

#[test]
fn remove_and_restore_act_beside_the_service_and_are_journalled_as_the_operators() {
    let (dir, program) = service();
    let member = |args: &[&str]| run_on(dir.path(), &[&["member"], args].concat());
    let check =
        |name: &str| program.post(&format!("action=CHECK&siteid=1&username={name}")).unwrap().body;

    assert_eq!(
        member(&["remove", "1", "71"]).printed(),
        "OK|member 71 \"bob\" removed from site 1\n"
    );
    assert_eq!(
        check("bob"),
        "NOTOK|username \"bob\" is free on site 1",
        "the service knows at once"
    );
    assert_eq!(
        member(&["remove", "1", "71"]).printed(),
        "OK|member 71 is not a member of site 1 now, nothing to remove\n"
    );

    assert_eq!(
        member(&["restore", "1", "71"]).printed(),
        "OK|member 71 \"bob\" activated on site 1\n"
    );
    assert_eq!(check("bob"), "OK|username \"bob\" is taken on site 1");
    member(&["restore", "1", "71"])
        .ended(1, "nats-userman: member 71 of site 1 is a member now, nothing to restore\n");
    member(&["restore", "1", "99"])
        .ended(1, "nats-userman: member 99 of site 1 was never a member\n");

    // Another member has the name meanwhile.
    program.post("action=CHANGE&siteid=1&memberid=72&new_username=Cleo").unwrap();
    member(&["restore", "1", "73"]).ended(
        1,
        "nats-userman: ERROR|username \"cleo\" is held by member 72 of site 1, nothing \
            was changed for member 73\n",
    );
    assert_eq!(
        member(&["restore", "1", "73", "--username", "cleo 73"]).printed(),
        "OK|member 73 \"cleo 73\" activated on site 1\n"
    );

    let journal = run_on(dir.path(), &["journal", "--json", "--since", "2026-01-01"]).printed();
    let operator: Vec<serde_json::Value> = journal
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|record: &serde_json::Value| record["source"] == "operator")
        .collect();
    let told: Vec<(&str, &str, &str)> = operator
        .iter()
        .map(|record| {
            (
                record["action"].as_str().unwrap(),
                record["fields"].as_str().unwrap(),
                record["reply"].as_str().unwrap(),
            )
        })
        .collect();
    let delete = "action=DELETE&siteid=1&memberid=71";
    assert_eq!(
        told,
        [
            ("DELETE", delete, "OK|member 71 \"bob\" removed from site 1"),
            ("DELETE", delete, "OK|member 71 is not a member of site 1 now, nothing to remove"),
            (
                "ACTIVATE",
                "action=ACTIVATE&siteid=1&memberid=71&username=bob",
                "OK|member 71 \"bob\" activated on site 1"
            ),
            (
                "ACTIVATE",
                "action=ACTIVATE&siteid=1&memberid=73&username=cleo",
                "ERROR|username \"cleo\" is held by member 72 of site 1, nothing was changed for \
                 member 73"
            ),
            (
                "ACTIVATE",
                "action=ACTIVATE&siteid=1&memberid=73&username=cleo+73",
                "OK|member 73 \"cleo 73\" activated on site 1"
            ),
        ]
    );
    assert!(operator.iter().all(|record| record["address"].is_null()));
    let show = run_on(dir.path(), &["member", "show", "1", "71"]).printed();
    assert!(
        show.contains("    from operator: action=ACTIVATE&siteid=1&memberid=71&username=bob\n"),
        "{show}"
    );
}
