//! The page Members of the console, as an operator of each role uses it: search, what is said of a
//! member, and each change, with the keyboard alone.

use nats_userman::operator::Role;

use super::accessible::axe_core;
use super::driver::Browser;
use super::page::{base, check, keep_picture};
use crate::support::{App, OPERATOR_PASSWORD, OPS, Request, eventually, temp_dir};

const MEMBER: &str = "bob – member 71 of site 1 – nats-userman";

/// A service with bob (71), who is blocked, ann (72), the former member cleo (73), a hostile name
/// (74), and an operator of each role.
fn service() -> App {
    let flags = ["--trusted-proxy", "127.0.0.1", "--login-limit-pair", "2"];
    let app = App::start_in(temp_dir(), &[&OPS, &flags[..]].concat());
    app.add_operator("anna", Role::Admin);
    app.add_operator("bert", Role::Support);
    for body in [
        "action=ADD&siteid=1&memberid=71&username=bob&password=secret&email=bob%40example.com",
        "action=ADD&siteid=1&memberid=72&username=ann&password=secret&trial=1",
        "action=EXPIRE&siteid=1&memberid=72&expire=2026-07-01",
        "action=ADD&siteid=1&memberid=73&username=cleo&password=secret",
        "action=DELETE&siteid=1&memberid=73",
        "action=ADD&siteid=1&memberid=75&username=Barbara&password=secret&email=b%40example.com",
        "action=ADD&siteid=2&memberid=76&username=bernd&password=secret&trial=1",
        "action=DELETE&siteid=2&memberid=76",
        "action=ADD&siteid=1&memberid=74&username=%3Cb%3Eeve%3C%2Fb%3E&password=secret",
    ] {
        assert!(app.post(body).starts_with("OK|"), "{body}");
    }
    app.harden();
    for password in ["a", "b", "c"] {
        app.send(Request::get("/auth?site=1").basic("bob", password).from("203.0.113.9"));
    }
    app.look_at_blocks();
    app
}

fn log_in(browser: &Browser, app: &App, name: &str) {
    browser.go(&format!("{}/members", base(app)));
    browser.type_into("Operator", name);
    browser.type_into("Password", OPERATOR_PASSWORD);
    browser.press("Log in");
    browser.comes_to("/members", "Members – nats-userman");
}

fn log_out(browser: &Browser) {
    browser.press("Log out");
    eventually("the login form", || !browser.all("form[action='/login']").is_empty());
}

/// The message at the top of the page.
fn message(browser: &Browser) -> String {
    browser.text(&browser.the("p.message.good, p.message.bad"))
}

/// Follows the link of a change on the member's page.
fn begin(browser: &Browser, change: &str, title: &str) {
    browser.follow(&browser.the(&format!("nav a[href$='/{change}']")));
    browser.comes_to(&format!("/members/1/71/{change}"), &format!("{title} – nats-userman"));
}

#[test]
fn axe_finds_nothing_on_the_pages_of_members_on_a_phone_and_on_a_desk() {
    let Some(axe) = axe_core() else { return };
    let app = service();
    for width in [360, 1280] {
        let open = || if width == 360 { Browser::open(true) } else { Browser::open_on_desktop() };
        let Some(browser) = open() else { return };
        log_in(&browser, &app, "anna");
        for scheme in ["light", "dark"] {
            browser.set_mode(scheme);
            for (path, picture) in [
                ("/members", None),
                ("/members?q=nobody", None),
                ("/members?q=b", Some("members")),
                ("/members/1/71", Some("member")),
                ("/members/1/72", None),
                ("/members/1/73", None),
                ("/members/1/74", None),
                ("/members/9/99", None),
                ("/members/1/71/lift", None),
                ("/members/1/71/expiry", None),
                ("/members/1/71/password", Some("password")),
                ("/members/1/71/logout", None),
                ("/members/1/71/remove", None),
                ("/members/1/73/restore", None),
            ] {
                browser.go(&format!("{}{path}", base(&app)));
                if let (Some(name), "light") = (picture, scheme) {
                    keep_picture(&browser, name, width);
                }
                check(&browser, &axe, width, &format!("{path}, {scheme}, {width} wide"));
            }
            for path in ["/members/x/71", "/members/1/71/restore"] {
                browser.go(&format!("{}{path}", base(&app)));
                // A status of 404 or 409 is a line in the browser's console.
                browser.logged();
                check(&browser, &axe, width, &format!("{path}, {scheme}, {width} wide"));
            }
        }
    }
}

#[test]
fn a_member_is_found_let_in_removed_restored_and_given_a_password_with_the_keyboard_alone() {
    let app = service();
    // Without scripts, so that each button is pressed by its key.
    let Some(browser) = Browser::open(false) else { return };
    log_in(&browser, &app, "bert");
    browser.type_into("Memberid, name or e-mail address", "BOB");
    browser.press("Search");
    browser.comes_to("/members?q=BOB&site=", "Members – nats-userman");
    let only = browser.the("p a.button");
    assert_eq!(browser.text(&only), "bob, member 71 of site 1");
    browser.follow(&only);
    browser.comes_to("/members/1/71", MEMBER);
    let why = browser.text(&browser.the("#why"));
    let blocked = "from 203.0.113.9, because of wrong passwords, and may log in from elsewhere.";
    assert!(why.starts_with("They are blocked until ") && why.ends_with(blocked), "{why}");

    begin(&browser, "lift", "Lift the blocks");
    browser.press("Lift the blocks");
    browser.comes_to("&done=lift", MEMBER);
    let lifted = "Done: lifted for member 71 of site 1: 1 block for wrong passwords.";
    assert_eq!(message(&browser), lifted);
    app.look_at_blocks();
    let login = Request::get("/auth?site=1").basic("bob", "secret").from("203.0.113.9");
    assert_eq!(app.send(login).status, 200);

    begin(&browser, "remove", "Remove a member");
    browser.press("Remove");
    browser.comes_to("&done=remove", MEMBER);
    assert_eq!(message(&browser), "Done: member 71 \"bob\" removed from site 1.");
    begin(&browser, "restore", "Restore a former member");
    browser.press("Restore");
    browser.comes_to("&done=restore", MEMBER);
    assert_eq!(message(&browser), "Done: member 71 \"bob\" activated on site 1.");

    begin(&browser, "expiry", "New expiry");
    browser.type_into("New expiry", "2026-12-24 18:00");
    browser.press("Set the expiry");
    browser.comes_to("&done=expiry", MEMBER);
    let will = "Done: member 71 \"bob\" of site 1 will expire at 2026-12-24T18:00:00Z.";
    assert_eq!(message(&browser), will);

    begin(&browser, "password", "Set a password");
    browser.type_into("New password", "correct horse");
    browser.type_into("The same again", "correct horse");
    browser.press("Set the password");
    browser.comes_to("&done=password", MEMBER);
    assert_eq!(message(&browser), "Done: member 71 \"bob\" changed on site 1.");
    log_out(&browser);

    // The member logs in with it on their own page.
    let Some(member) = Browser::open(true) else { return };
    let area = format!("http://localhost:{}/login?site=1", app.address.port());
    for (password, gets_in) in [("secret", false), ("correct horse", true)] {
        member.go(&area);
        member.type_into("Username", "bob");
        member.type_into("Password", password);
        member.press("Log in");
        if gets_in {
            eventually("the login is kept", || !member.cookies().is_empty());
        } else {
            eventually("it is wrong", || !member.all("[role=alert]").is_empty());
            assert!(member.cookies().is_empty());
        }
    }
    let names = app.rows("SELECT DISTINCT operator FROM journal WHERE source = 'operator'");
    assert_eq!(names, ["bert"]);
}

#[test]
fn both_roles_find_members_and_see_the_same_changes() {
    let app = service();
    let Some(browser) = Browser::open_on_desktop() else { return };
    for name in ["bert", "anna"] {
        log_in(&browser, &app, name);
        browser.go(&format!("{}/members/1/71", base(&app)));
        browser.comes_to("/members/1/71", MEMBER);
        let links = browser.all("nav[aria-label=Changes] a");
        let links: Vec<String> = links.iter().map(|link| browser.text(link)).collect();
        let all = ["Lift the blocks", "New expiry", "Set a password", "End logins", "Remove"];
        assert_eq!(links, all, "{name}");
        log_out(&browser);
    }
}
