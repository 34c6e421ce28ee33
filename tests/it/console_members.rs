//! The page Members of the console: the search, a member, and each change, through the front door.

use nats_userman::operator::Role;

use crate::engines::console::members::{Browser, FLAGS, filled, form, message, rows};
use crate::support::{App, OPERATOR_PASSWORD, Request};

#[test]
fn at_most_fifty_members_are_shown_and_the_page_says_that_there_are_more() {
    let app = App::start_with(&FLAGS);
    for member in 100..151 {
        app.post(&format!(
            "action=ADD&siteid=1&memberid={member}&username=joe{member}&password=secret"
        ));
    }
    let eve = Browser::of(&app, "eve", Role::Support);
    let page = eve.page("/members?q=joe");
    assert_eq!(rows(&page).len(), 50);
    assert_eq!(message(&page).split_once(". ").unwrap().0, "More members begin like this");
    assert!(!eve.page("/members?q=joe14").contains("More members"));
}

#[test]
fn a_form_that_is_not_right_is_shown_again_with_what_is_expected_and_without_the_password() {
    let app = App::start_with(&FLAGS);
    filled(&app);
    let eve = Browser::of(&app, "eve", Role::Support);
    let wrong = |change: &str, fields: &[(&str, &str)]| {
        let again = eve.send(&format!("/members/1/71/{change}"), fields);
        assert_eq!(again.status, 400, "{}", again.body);
        assert!(!again.body.contains("correct horse"), "{}", again.body);
        assert!(again.body.contains("<form method=\"post\""), "{}", again.body);
        message(&again.body)
    };
    let horse = ("password", "correct horse");
    let differ = "The two passwords differ. Type it twice again.";
    assert_eq!(wrong("password", &[horse, ("again", "correct horses")]), differ);
    assert_eq!(wrong("password", &[horse]), differ);
    assert_eq!(wrong("password", &[]), "Password: expected 1 to 1024 bytes, found 0 bytes.");
    let long = "x".repeat(1_025);
    assert_eq!(
        wrong("password", &[("password", &long), ("again", &long)]),
        "Password: expected 1 to 1024 bytes, found 1025 bytes."
    );
    let when = "Expiry: expected YYYY-MM-DD, \"YYYY-MM-DD hh:mm\", with :ss or not, unix seconds \
                of 9 to 11 digits, or never.";
    assert_eq!(wrong("expiry", &[]), when);
    assert_eq!(wrong("expiry", &[("when", "tomorrow")]), when);
    assert_eq!(
        wrong("expiry", &[("when", "2026-06-15 13:59")]),
        "This time is over: the membership would end at once. Tick the box if you mean that."
    );
    assert!(app.rows("SELECT 1 FROM journal WHERE source = 'operator'").is_empty());
    let over = [("when", "2026-06-15 13:59"), ("over", "1")];
    assert_eq!(
        eve.change("/members/1/71/expiry", &over),
        "Done: member 71 \"bob\" of site 1 expired at 2026-06-15T11:59:00Z."
    );
    for name in ["", "\u{7}", &"x".repeat(256)] {
        let again = eve.send("/members/1/71/restore", &[("username", name)]);
        assert_eq!(again.status, 400);
        let expected = "Name: expected 1 to 255 bytes without control characters.";
        assert_eq!(message(&again.body), expected);
    }
    for (path, status) in [
        ("/members/1/71/remove", 409),
        ("/members/1/72/restore", 409),
        ("/members/1/99/restore", 409),
        ("/members/x/71/remove", 404),
    ] {
        assert_eq!(eve.get(path).status, status, "{path}");
    }
    for other in [eve.get("/members/1/71/other"), eve.0.post("/members/1/71/other", "")] {
        assert_eq!(other.status, 404);
        let page = other.body.replace("&#x2f;", "/");
        assert!(page.contains("<p>There is no such change. Go back to the member.</p>"), "{page}");
        assert!(page.contains("<a href=\"/members/1/71\">Back to the member</a>"), "{page}");
    }
}

#[test]
fn without_a_session_or_its_token_nothing_is_shown_or_changed() {
    let app = App::start_with(&FLAGS);
    filled(&app);
    let eve = Browser::of(&app, "eve", Role::Support);
    for path in ["/members?q=bob", "/members/1/71", "/members/1/71/remove"] {
        let led = app.send_ops(Request::get(path));
        assert_eq!(led.status, 303);
        assert!(led.header("location").unwrap().starts_with("/login?back="), "{led:?}");
    }
    let path = "/members/1/71/remove";
    let stranger = Request::post(path).same_origin().form("");
    assert_eq!(app.send_ops(stranger).status, 401);
    assert_eq!(eve.post_without_token(path, &[]).status, 403);
    assert_eq!(eve.post_without_token(path, &[("csrf", "0")]).status, 403);
    assert!(app.rows("SELECT 1 FROM journal WHERE source = 'operator'").is_empty());
}

#[test]
fn hostile_names_and_addresses_are_text_on_every_page() {
    let app = App::start_with(&FLAGS);
    let hostile = "<script>alert(1)</script>\"'&\u{202e}";
    let body = |pairs: &[(&str, &str)]| form(pairs);
    app.post(&body(&[
        ("action", "ADD"),
        ("siteid", "1"),
        ("memberid", "71"),
        ("username", hostile),
        ("password", "secret"),
        ("email", "\"><img src=x>@example.com"),
        ("biller", "<b>x</b>"),
    ]));
    let eve = Browser::of(&app, "eve", Role::Support);
    let search = format!("/members?{}", form(&[("q", "<script>"), ("site", "")]));
    let echoed = format!("/members?{}", form(&[("q", "\"><b>"), ("site", "\"><b>")]));
    eve.change("/members/1/71/logout", &[]);
    for path in [
        search.as_str(),
        &echoed,
        "/members/1/71",
        "/members/1/71?done=%3Cscript%3E&before=%3Cscript%3E",
        "/members/1/71/remove",
        "/members/1/71/expiry",
    ] {
        let page = eve.page(path);
        for tag in ["<script>", "<img", "<b>", "\u{202e}"] {
            assert!(!page.contains(tag), "{path}: {tag}: {page}");
        }
    }
    eve.change("/members/1/71/remove", &[]);
    let page = eve.page("/members/1/71/restore");
    assert!(!page.contains("<script>") && page.contains("&lt;script&gt;"), "{page}");
}

#[test]
fn no_page_of_a_member_has_a_secret() {
    let app = App::start_with(&[&FLAGS[..], &["--keep-cryptpass"]].concat());
    let session = "a5f1c0ffee00a5f1c0ffee00";
    app.post(&format!(
        "action=ADD&siteid=1&memberid=71&username=bob&password=hidden+words&session={session}"
    ));
    app.post("action=CHANGE&siteid=1&memberid=71&new_cryptpass=41R19prsa7NLQ");
    app.harden();
    let eve = Browser::of(&app, "eve", Role::Admin);
    let new = [("password", "correct horse"), ("again", "correct horse")];
    eve.change("/members/1/71/password", &new);
    app.harden();
    let hash = app.rows("SELECT password FROM member_auth").remove(0);
    for path in ["/members?q=bob", "/members/1/71", "/members/1/71/password"] {
        let page = eve.page(path);
        for secret in [
            "hidden words",
            "correct horse",
            "41R19prsa7NLQ",
            session,
            &hash,
            "$argon2id",
            OPERATOR_PASSWORD,
        ] {
            assert!(!page.contains(secret), "{path}: {secret}");
        }
    }
}
