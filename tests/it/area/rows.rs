//! One name and one password on several sites: every row that the password matches counts, with
//! HTTP Basic and with the login page.

use super::{Visit, app, auth, cookie, raw, told};
use crate::support::{App, Response};

const FROM_HERE: &str =
    "Content-Type: application/x-www-form-urlencoded\r\nSec-Fetch-Site: same-origin\r\n";

/// The state of the account on one site at the time of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    Full,
    Trial,
    /// Was a member at the login, and is not a member now.
    Left,
    /// Was never a member.
    Nobody,
    /// A member with another password.
    Other,
}

fn log_in(app: &App, query: &str) -> Response {
    raw(app, &format!("POST /login?{query}"), FROM_HERE, "username=dual&password=secret")
}

fn add(app: &App, site: u32, is: Is) {
    let (password, trial) = match is {
        Is::Nobody => return,
        Is::Full | Is::Left => ("secret", 0),
        Is::Trial => ("secret", 1),
        Is::Other => ("another", 0),
    };
    let member = 60 + site;
    let fields =
        format!("siteid={site}&memberid={member}&username=dual&password={password}&trial={trial}");
    assert!(app.post(&format!("action=ADD&{fields}")).starts_with("OK|"));
}

fn leave(app: &App, site: u32, is: Is) {
    if is == Is::Left {
        assert!(
            app.post(&format!("action=DELETE&siteid={site}&memberid={}", 60 + site))
                .starts_with("OK|")
        );
    }
}

/// Regression: with the login page, a trial membership of site 1 hid the full membership of site 5,
/// and the end of the membership on site 1 ended the login.
#[test]
fn the_cookie_and_the_prompt_give_the_same_answer_for_every_pair_of_memberships() {
    use Is::{Full, Left, Nobody, Other, Trial};
    let all = [Full, Trial, Left, Nobody, Other];
    for (one, five) in all.into_iter().flat_map(|one| all.map(|five| (one, five))) {
        let app = app(&[]);
        add(&app, 1, one);
        add(&app, 5, five);
        let response = log_in(&app, "site=1,5");
        let opens = [one, five].into_iter().any(|is| matches!(is, Full | Trial | Left));
        assert_eq!(response.status, if opens { 303 } else { 401 }, "{one:?} {five:?}");
        let held = if opens { cookie(&response) } else { String::new() };
        leave(&app, 1, one);
        leave(&app, 5, five);
        for (site, is) in [("1", one), ("5", five)] {
            let alone = told(&auth(&app, &format!("site={site}"), Visit::holding(&held)));
            assert_eq!(
                alone.0,
                if matches!(is, Full | Trial) { 200 } else { 401 },
                "{one:?} {five:?}: site {site} alone"
            );
        }
        for (query, order) in
            [("site=1,5", [("1", one), ("5", five)]), ("site=5,1", [("5", five), ("1", one)])]
        {
            for full_only in [false, true] {
                let query = if full_only { format!("{query}&trial=no") } else { query.to_owned() };
                let taken =
                    order.into_iter().find(|(_, is)| *is == Full || *is == Trial && !full_only);
                let on_trial = order.into_iter().any(|(_, is)| is == Trial);
                let expected = match taken {
                    Some((site, is)) => {
                        (200, format!("{site} 6{site} dual {}", u8::from(is == Trial)))
                    }
                    None if on_trial => (403, "trial".into()),
                    None => (401, "login".into()),
                };
                let what = format!("site 1 {one:?}, site 5 {five:?}, {query}");
                assert_eq!(
                    told(&auth(&app, &query, Visit::with("dual", "secret"))),
                    expected,
                    "prompt: {what}"
                );
                assert_eq!(
                    told(&auth(&app, &query, Visit::holding(&held))),
                    expected,
                    "cookie: {what}"
                );
                let paged = format!("{query}&ask=page");
                assert_eq!(
                    told(&auth(&app, &paged, Visit::holding(&held))),
                    expected,
                    "page: {what}"
                );
            }
        }
    }
}

#[test]
fn the_page_of_an_area_for_full_members_lets_in_whoever_is_one_on_any_of_its_sites() {
    use Is::{Full, Trial};
    for (one, five, status) in
        [(Full, Trial, 303), (Trial, Full, 303), (Full, Full, 303), (Trial, Trial, 403)]
    {
        let app = app(&[]);
        add(&app, 1, one);
        add(&app, 5, five);
        let response = log_in(&app, "site=1,5&trial=no");
        assert_eq!(response.status, status, "{one:?} {five:?}");
        if status == 303 {
            // The trial membership counts where trial members are allowed.
            for site in [1, 5] {
                assert_eq!(
                    auth(&app, &format!("site={site}"), Visit::holding(&cookie(&response))).status,
                    200,
                    "{one:?} {five:?}"
                );
            }
        }
    }
}

#[test]
fn a_trial_member_who_becomes_a_full_one_needs_no_new_login() {
    let app = app(&[]);
    add(&app, 1, Is::Trial);
    add(&app, 5, Is::Trial);
    let held = cookie(&log_in(&app, "site=1,5"));
    assert_eq!(
        told(&auth(&app, "site=1,5&trial=no", Visit::holding(&held))),
        (403, "trial".into())
    );
    app.post("action=TRIALTOFULL&siteid=5&memberid=65");
    assert_eq!(
        told(&auth(&app, "site=1,5&trial=no", Visit::holding(&held))),
        (200, "5 65 dual 0".into())
    );
}

#[test]
fn of_more_rows_than_a_cookie_holds_those_that_let_in_come_first() {
    let app = app(&[]);
    for site in 1..=9 {
        add(&app, site, Is::Trial);
    }
    for site in [9, 10] {
        add(&app, site, Is::Full);
    }
    app.post("action=TRIALTOFULL&siteid=9&memberid=69");
    let held = cookie(&log_in(&app, "site=1,2,3,4,5,6,7,8,9,10&trial=no"));
    let admitted: Vec<u32> = (1..=10)
        .filter(|site| auth(&app, &format!("site={site}"), Visit::holding(&held)).status == 200)
        .collect();
    assert_eq!(admitted, [1, 2, 3, 4, 5, 6, 9, 10]);
    assert_eq!(
        told(&auth(&app, "site=1,9&trial=no", Visit::holding(&held))),
        (200, "9 69 dual 0".into())
    );
}

/// Regression: a trial member who opened an area for full members got a message without a link.
#[test]
fn a_trial_member_before_an_area_for_full_members_is_shown_the_form() {
    let app = app(&[]);
    add(&app, 1, Is::Trial);
    let trial = cookie(&log_in(&app, "site=1"));
    let headers = Visit::holding(&trial).headers() + "X-Original-URI: /full/films\r\n";
    let page = raw(&app, "GET /auth?site=1,5&trial=no&ask=page", &headers, "");
    assert_eq!((page.status, page.header("x-auth-reason")), (403, Some("trial")));
    assert!(
        page.body.contains(
            "This part is for full members. If you are one, please log in with that account."
        ),
        "{}",
        page.body
    );
    let form = "action=\"/login?site=1,5&amp;trial=no\"";
    assert!(
        page.body.contains(form) && page.body.contains("value=\"/full/films\""),
        "{}",
        page.body
    );
    app.post("action=ADD&siteid=5&memberid=65&username=full&password=secret");
    let body = "username=full&password=secret";
    let held = raw(
        &app,
        "POST /login?site=1,5&trial=no",
        &format!("{FROM_HERE}Cookie: {trial}\r\n"),
        body,
    );
    assert_eq!(
        told(&auth(&app, "site=1,5&trial=no", Visit::holding(&cookie(&held)))),
        (200, "5 65 full 0".into())
    );
    assert_eq!(
        told(&auth(&app, "site=1", Visit::holding(&cookie(&held)))),
        (200, "1 61 dual 1".into())
    );
}

/// The limits for password guessing stay the same: if the password matches on one of several sites,
/// no failure is counted, and a wrong password counts once.
#[test]
fn a_login_at_several_sites_counts_as_one_try() {
    let app = app(&["--login-limit-pair", "2"]);
    add(&app, 1, Is::Other);
    add(&app, 5, Is::Full);
    for _ in 0..5 {
        assert_eq!(log_in(&app, "site=1,5").status, 303);
    }
    let guess = |password: &str| {
        let body = format!("username=dual&password={password}");
        raw(&app, "POST /login?site=1,5", FROM_HERE, &body).status
    };
    assert_eq!([guess("a"), guess("b"), guess("secret")], [401, 401, 403]);
}
