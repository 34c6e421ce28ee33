//! The login page, its cookie, and the logout.

use super::{BOB, Visit, admitted, app, auth, cookie, log_in, raw, told};
use crate::engines::area::pages::{FROM_HERE, is, log_in_at};
use crate::support::{App, NOON, Request, Response, temp_dir};

const BOB_IS_IN: (u16, &str) = (200, "1 71 bob 0");
const LOGIN: (u16, &str) = (401, "login");
const KEY: &str = "shop:0123456789abcdef";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

fn log_out(app: &App, cookie: &str) -> Response {
    raw(app, "POST /logout", &format!("{FROM_HERE}Cookie: {cookie}\r\n"), "back=%2Fbye")
}

#[test]
fn the_page_is_whole_without_anything_from_elsewhere() {
    let app = app(&[]);
    let page = raw(&app, "GET /login?site=1,5&back=%2Ffilms%3Fa%3D%22%3E", "", "");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    assert!(
        page.body.contains("action=\"/login?site=1,5\"")
            && page.body.contains("value=\"/films?a=%22%3E\""),
        "{}",
        page.body
    );
    assert_eq!(raw(&app, "GET /login?site=x", "", "").status, 400);
    assert_eq!(raw(&app, "PUT /login?site=1", "", "").status, 405);
}

#[test]
fn a_login_sets_a_cookie_that_opens_and_leads_back() {
    let app = app(&[]);
    app.post(BOB);
    let response = log_in(&app, "bob", "secret");
    assert_eq!((response.status, response.header("location")), (303, Some("/films?id=1")));
    let set = response.header("set-cookie").unwrap();
    assert!(set.starts_with("__Host-userman="), "{set}");
    assert!(set.ends_with("; Max-Age=604800; Path=/; Secure; HttpOnly; SameSite=Lax"), "{set}");
    let cookie = cookie(&response);
    is(admitted(&app, Visit::holding(&cookie)), BOB_IS_IN, "the cookie");
    is(
        admitted(&app, Visit::holding(&format!("a=b; __Host-userman=forged; {cookie}"))),
        BOB_IS_IN,
        "beside a stranger's",
    );
    is(told(&auth(&app, "site=5", Visit::holding(&cookie))), LOGIN, "on a site of others");
    is(told(&auth(&app, "site=5,1&trial=no", Visit::holding(&cookie))), BOB_IS_IN, "a full member");
    app.post("action=CHANGE&siteid=1&memberid=71&new_trial=1");
    is(
        told(&auth(&app, "site=1&trial=no", Visit::holding(&cookie))),
        (403, "trial"),
        "a trial member",
    );
    let wrong = log_in(&app, "bob", "Secret");
    assert_eq!((wrong.status, wrong.header("set-cookie")), (401, None));
    assert!(
        wrong.body.contains("Wrong username or password.")
            && wrong.body.contains("value=\"/films?id=1\""),
        "{}",
        wrong.body
    );
    assert!(!wrong.body.contains("Secret"), "{}", wrong.body);
    assert!(wrong.body.contains(" name=\"username\" ") && wrong.body.contains(" value=\"bob\""));
}

#[test]
fn a_login_ends_with_the_membership_with_another_password_and_with_its_time_and_no_rebill_ends_it()
{
    let app = app(&["--login-hours", "2"]);
    app.post(BOB);
    app.harden();
    let log_in_again = |password: &str| cookie(&log_in(&app, "bob", password));
    let kept = log_in_again("secret");
    app.post(BOB);
    is(admitted(&app, Visit::holding(&kept)), BOB_IS_IN, "a rebill");
    app.harden();
    is(admitted(&app, Visit::holding(&kept)), BOB_IS_IN, "a rebill that was hashed");
    app.post("action=ADD&siteid=1&memberid=71&username=bob&password=third");
    app.harden();
    is(
        admitted(&app, Visit::holding(&kept)),
        LOGIN,
        "an ADD with another password, once it is known to be another",
    );
    let kept = log_in_again("third");
    app.post("action=CHANGE&siteid=1&memberid=71&new_password=better");
    is(admitted(&app, Visit::holding(&kept)), LOGIN, "a CHANGE of the password, at once");
    let kept = log_in_again("better");
    app.post("action=DELETE&siteid=1&memberid=71");
    is(admitted(&app, Visit::holding(&kept)), LOGIN, "left");
    app.post("action=ACTIVATE&siteid=1&memberid=71&username=bob");
    is(admitted(&app, Visit::holding(&kept)), LOGIN, "back, and the old login is not");
    let kept = log_in_again("better");
    app.set_unix(NOON + 7_199);
    is(admitted(&app, Visit::holding(&kept)), BOB_IS_IN, "its last second");
    app.set_unix(NOON + 7_200);
    is(admitted(&app, Visit::holding(&kept)), LOGIN, "its time is over");
}

#[test]
fn a_logout_ends_the_login_for_good_across_restarts() {
    let app = app(&[]);
    app.post(BOB);
    let (phone, desktop) =
        (cookie(&log_in(&app, "bob", "secret")), cookie(&log_in(&app, "bob", "secret")));
    let out = log_out(&app, &phone);
    assert_eq!((out.status, out.header("location")), (303, Some("/bye")));
    assert!(out.header("set-cookie").unwrap().starts_with("__Host-userman=; Max-Age=0;"));
    is(admitted(&app, Visit::holding(&phone)), LOGIN, "logged out");
    is(admitted(&app, Visit::holding(&desktop)), BOB_IS_IN, "another login of his is none of it");
    let app = App::start_in(app.stop(), &["--trusted-proxy", "127.0.0.1"]);
    is(admitted(&app, Visit::holding(&phone)), LOGIN, "after a restart");
    is(admitted(&app, Visit::holding(&desktop)), BOB_IS_IN, "after a restart");
    assert_eq!(
        app.rows("SELECT length(id), until FROM logout"),
        [format!("16|{}", NOON + 8_784 * 3_600)]
    );
    assert_eq!(raw(&app, "PUT /logout", "", "").status, 405);
}

/// A link, a prefetch or a picture makes a browser send a GET: that logs nobody out.
#[test]
fn a_get_of_the_logout_shows_a_page_with_the_button_and_ends_nothing() {
    let app = app(&[]);
    app.post(BOB);
    let cookie = cookie(&log_in(&app, "bob", "secret"));
    let page = raw(&app, "GET /logout?back=/films", &format!("Cookie: {cookie}\r\n"), "");
    assert_eq!((page.status, page.header("set-cookie")), (200, None));
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    for part in [
        "<title>Log out</title>",
        "<form method=\"post\" action=\"/logout\">",
        "name=\"back\" value=\"/films\"",
        "<a href=\"/films\">Go back</a>",
    ] {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
    let away = raw(&app, "GET /logout?back=//evil.example", "", "");
    assert!(away.body.contains("name=\"back\" value=\"/\""), "{}", away.body);
    is(admitted(&app, Visit::holding(&cookie)), BOB_IS_IN, "still logged in");
}

#[test]
fn a_page_is_in_the_language_of_the_browser_or_of_the_site() {
    let any = app(&[]);
    for (header, code, button) in [
        ("", "en", "Log in"),
        ("Accept-Language: de-AT,de;q=0.9,en;q=0.8\r\n", "de", "Anmelden"),
        ("Accept-Language: ja\r\n", "ja", "ログイン"),
        ("Accept-Language: sv\r\n", "en", "Log in"),
    ] {
        let page = raw(&any, "GET /login?site=1", header, "");
        let parts = [format!("<html lang=\"{code}\">"), format!(">{button}</button>")];
        assert!(parts.iter().all(|part| page.body.contains(part)), "{header}: {}", page.body);
        let reason = raw(&any, "GET /auth?site=1&ask=page", header, "");
        assert!(parts.iter().all(|part| reason.body.contains(part)), "{header}: {}", reason.body);
    }
    let french = app(&["--site-language", "fr"]);
    let page = raw(&french, "GET /login?site=1", "Accept-Language: de\r\n", "");
    assert!(page.body.contains("<html lang=\"fr\">"), "{}", page.body);
}

#[test]
fn sites_and_hosts_have_looks_and_words_of_their_own() {
    let dir = temp_dir();
    let file = dir.path().join("sites.toml");
    std::fs::write(
        &file,
        "site_name = \"All\"\n[words.en]\nlog_in = \"Sign <in>\"\n\
         [site.5]\nsite_name = \"Films\"\nsite_accent = \"#ff0\"\n\
         forgot_password_url = \"https://join.example.com/signup/password.php?siteid={siteid}\"\n\
         [host.\"www.example.com\"]\nsite_name = \"Example\"\nsite_language = \"nl\"\n",
    )
    .unwrap();
    let app = app(&["--site-name", "Flag", "--sites-file", file.to_str().unwrap()]);
    let page = raw(&app, "GET /login?site=1", "", "").body;
    assert!(page.contains("<h1>All</h1>") && page.contains(">Sign &lt;in&gt;</button>"), "{page}");
    let page = raw(&app, "GET /login?site=5", "", "").body;
    assert!(page.contains("<h1>Films</h1>") && page.contains("--accent: #ffff00"), "{page}");
    assert!(
        page.contains("href=\"https://join.example.com/signup/password.php?siteid=5\""),
        "{page}"
    );
    let request = Request::get("/login?site=5").host("www.example.com:8443");
    let page = app.send(request).body;
    assert!(page.contains("<h1>Example</h1>") && page.contains("<html lang=\"nl\">"), "{page}");
}

#[test]
fn the_box_to_stay_logged_in_has_a_lifetime_of_its_own_and_without_it_the_browser_ends_the_login() {
    let app = app(&["--login-hours", "2", "--login-stay-hours", "48"]);
    app.post(BOB);
    let page = raw(&app, "GET /login?site=1", "", "").body;
    let unticked =
        "<label><input type=\"checkbox\" name=\"stay\" value=\"1\">Stay logged in</label>";
    assert!(page.contains(unticked), "{page}");
    let log_in = |stay: &str| {
        let body = format!("username=bob&password=secret{stay}");
        raw(&app, "POST /login?site=1", FROM_HERE, &body)
    };
    let (plain, stays) = (log_in(""), log_in("&stay=1"));
    let attributes = |response: &Response| {
        response.header("set-cookie").unwrap().split_once("; ").unwrap().1.to_owned()
    };
    assert_eq!(attributes(&plain), "Path=/; Secure; HttpOnly; SameSite=Lax");
    assert_eq!(attributes(&stays), "Max-Age=172800; Path=/; Secure; HttpOnly; SameSite=Lax");
    let (plain, stays) = (cookie(&plain), cookie(&stays));
    app.set_unix(NOON + 7_199);
    is(admitted(&app, Visit::holding(&plain)), BOB_IS_IN, "its last second");
    app.set_unix(NOON + 7_200);
    is(admitted(&app, Visit::holding(&plain)), LOGIN, "a browser that was never closed");
    app.set_unix(NOON + 172_799);
    is(admitted(&app, Visit::holding(&stays)), BOB_IS_IN, "its last second");
    app.set_unix(NOON + 172_800);
    is(admitted(&app, Visit::holding(&stays)), LOGIN, "over");
    let wrong = raw(&app, "POST /login?site=1", FROM_HERE, "username=bob&password=x&stay=1").body;
    assert!(wrong.contains("name=\"stay\" value=\"1\" checked>"), "{wrong}");
}

/// It costs each ADD some time, so it goes with the setting.
#[test]
fn sqlite_has_an_index_of_addresses_only_while_they_log_in() {
    let indexes = "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%\\_email' ESCAPE '\\'";
    let on = app(&["--login-by-email"]);
    on.post("action=ADD&siteid=1&memberid=71&username=bob&email=bob%40a.example&password=secret");
    assert_eq!(on.rows(indexes), ["2"]);
    assert_eq!(log_in_at(&on, 1, "bob@a.example", "secret"), 303);
    let off = on.restart(&[]);
    assert_eq!(off.rows(indexes), ["0"]);
    assert_eq!(log_in_at(&off, 1, "bob@a.example", "secret"), 401);
}

const UPGRADE: &str =
    "https://join.example.com/up.php?site={siteid}&username={username}&authstring={authstring}";
const TRIAL: &str = "action=ADD&siteid=1&memberid=72&username=tr%20%C3%B8&password=secret&trial=1";

/// The trial page is shown for each picture of the area, so it must not cost NATS a call.
#[test]
fn a_click_on_the_upgrade_and_nothing_else_gets_an_authstring() {
    let app = app(&["--stand-in", "--api-key", KEY, "--upgrade-url", UPGRADE]);
    app.post(TRIAL);
    let button = "<input type=\"hidden\" name=\"upgrade\" value=\"1\">";
    let entered = raw(
        &app,
        "POST /login?site=1&trial=no",
        FROM_HERE,
        "username=tr+%C3%B8&password=secret&back=/full/",
    );
    assert!(entered.status == 403 && entered.body.contains(button), "{}", entered.body);
    let policy = entered.header("content-security-policy").unwrap();
    assert!(policy.contains("form-action 'self' https://join.example.com;"), "{policy}");
    let held = format!("Cookie: {}\r\n", cookie(&entered));
    for page in ["GET /auth?site=1&trial=no&ask=page", "GET /login?site=1&trial=no"] {
        let page = raw(&app, page, &held, "");
        assert!(page.body.contains(button) && !page.body.contains("authstring"), "{}", page.body);
    }
    let click =
        |headers: &str| raw(&app, "POST /login?site=1&trial=no", headers, "upgrade=1&back=/full/");
    let led = click(&format!("{FROM_HERE}{held}"));
    let address = led.header("location").unwrap();
    let front = "https://join.example.com/up.php?site=1&username=tr%20%C3%B8&authstring=";
    let string = address.strip_prefix(front).unwrap();
    assert_eq!((led.status, string.len()), (303, 32), "{address}");
    let redeemed = app.send(
        Request::post("/api/authstring/redeem")
            .lines("api-username: shop\r\napi-key: 0123456789abcdef\r\n")
            .body(format!("{{\"authstring\":\"{string}\"}}")),
    );
    assert!(redeemed.body.contains("\"memberid\":72,"), "{}", redeemed.body);
    assert!(redeemed.body.contains("\"type\":\"instantupgrade\""), "{}", redeemed.body);

    let foreign = click(&format!("{FORM}Sec-Fetch-Site: cross-site\r\n{held}"));
    assert_eq!((foreign.status, foreign.header("location")), (403, None), "another site's form");
    let nobody = click(FROM_HERE);
    assert_eq!((nobody.status, nobody.header("location")), (401, None), "no login");
    app.post("action=TRIALTOFULL&siteid=1&memberid=72");
    let full = click(&format!("{FROM_HERE}{held}"));
    assert_eq!((full.status, full.header("location")), (401, None), "a full member by now");
}

#[test]
fn without_a_nats_there_is_no_button_and_a_click_is_told_so() {
    let app = app(&["--upgrade-url", UPGRADE]);
    app.post(TRIAL);
    let body = "username=tr+%C3%B8&password=secret";
    let page = raw(&app, "POST /login?site=1&trial=no", FROM_HERE, body);
    assert!(page.status == 403 && !page.body.contains("name=\"upgrade\""), "{}", page.body);
    let held = format!("{FROM_HERE}Cookie: {}\r\n", cookie(&page));
    let told = raw(&app, "POST /login?site=1&trial=no", &held, "upgrade=1");
    assert_eq!((told.status, told.header("location")), (403, None));
    assert!(told.body.contains("An upgrade is not possible right now."), "{}", told.body);
}

/// The text of a marked block of docs/login-page.md.
fn block(marker: &str) -> String {
    let page = include_str!("../../../docs/login-page.md");
    let (_, rest) = page.split_once(&format!("<!-- {marker} -->\n```")).unwrap();
    let (_, rest) = rest.split_once('\n').unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

#[test]
fn the_file_and_the_template_in_the_documentation_work() {
    let dir = temp_dir();
    let (file, template) = (dir.path().join("sites.toml"), dir.path().join("music.html"));
    std::fs::write(&template, block("own-template")).unwrap();
    let text = block("sites-file");
    let place = "/etc/nats-userman/music.html";
    assert_eq!(text.matches(place).count(), 1);
    std::fs::write(&file, text.replace(place, template.to_str().unwrap())).unwrap();
    let app = app(&["--sites-file", file.to_str().unwrap(), "--join-url", "/join"]);
    let page = raw(&app, "GET /login?site=1", "", "").body;
    assert!(page.contains("<h1>Example Films</h1>") && page.contains(">Anmelden</b"), "{page}");
    let page = raw(&app, "GET /login?site=5", "", "").body;
    assert!(page.contains("/films.png\" alt=\"Example Music\">\n<h1>Sign in</h1>"), "{page}");
    assert!(page.contains("<a href=\"/join\">Join Example Music</a>"), "{page}");
    let page = app.send(Request::get("/login?site=5").host("www.example.net")).body;
    assert!(page.contains("<h1>Example Net</h1>"), "{page}");
}

#[test]
fn a_form_must_come_from_a_page_of_the_site() {
    let app = app(&["--public-url", "https://members.example.com/area"]);
    app.post(BOB);
    let body = "username=bob&password=secret";
    for (headers, status) in [
        ("Sec-Fetch-Site: same-origin\r\n", 303),
        ("Sec-Fetch-Site: cross-site\r\nOrigin: https://members.example.com\r\n", 403),
        ("Sec-Fetch-Site: same-site\r\n", 403),
        ("Sec-Fetch-Site: none\r\n", 403),
        ("Origin: https://members.example.com\r\n", 303),
        ("Origin: https://evil.example\r\n", 403),
        ("Origin: https://members.example.com.evil.example\r\n", 403),
        ("Origin: null\r\n", 403),
        ("", 403),
    ] {
        let found = raw(&app, "POST /login?site=1", &format!("{FORM}{headers}"), body);
        assert_eq!(
            (found.status, found.header("set-cookie").is_some()),
            (status, status == 303),
            "{headers}"
        );
        let out = raw(&app, "POST /logout", &format!("{FORM}{headers}"), "");
        assert_eq!(out.status, status, "{headers}");
    }
}

#[test]
fn nobody_is_led_to_another_host() {
    let app = app(&[]);
    app.post(BOB);
    for back in [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "evil.example",
        "/a\r\nSet-Cookie: x=y",
        "/\t/evil.example",
        "",
    ] {
        let body = serde_urlencoded::to_string([
            ("username", "bob"),
            ("password", "secret"),
            ("back", back),
        ])
        .unwrap();
        let response = raw(&app, "POST /login?site=1", FROM_HERE, &body);
        assert_eq!((response.status, response.header("location")), (303, Some("/")), "{back:?}");
    }
}

#[test]
fn a_domain_shares_the_cookie_and_an_operators_page_holds_the_form() {
    let dir = temp_dir();
    let template = dir.path().join("page.html");
    std::fs::write(&template, "<!doctype html><title>Ours</title>{{form}}").unwrap();
    let app =
        app(&["--cookie-domain", "example.com", "--login-template", template.to_str().unwrap()]);
    app.post(BOB);
    let set = log_in(&app, "bob", "secret").header("set-cookie").unwrap().to_owned();
    assert!(set.starts_with("__Secure-userman=") && set.contains("; Domain=example.com;"), "{set}");
    let page = raw(&app, "GET /login?site=1", "", "");
    assert!(page.body.starts_with("<!doctype html><title>Ours</title><form "), "{}", page.body);
    assert!(!page.header("content-security-policy").unwrap().contains("default-src"));
}

/// Regression: the form did not keep the query, so the cookie was for the row of the trial
/// membership, and the full member was never let in.
#[test]
fn the_page_of_an_area_for_full_members_logs_the_full_member_in() {
    let app = app(&[]);
    app.post("action=ADD&siteid=1&memberid=60&username=dual&password=secret&trial=1");
    app.post("action=ADD&siteid=5&memberid=61&username=dual&password=secret");
    let page = auth(&app, "site=1,5&trial=no&ask=page", Visit::default());
    assert!(page.body.contains("action=\"/login?site=1,5&amp;trial=no\""), "{}", page.body);
    let full =
        raw(&app, "POST /login?site=1,5&trial=no", FROM_HERE, "username=dual&password=secret");
    is(
        told(&auth(&app, "site=1,5&trial=no", Visit::holding(&cookie(&full)))),
        (200, "5 61 dual 0"),
        "the full row",
    );
    let trial =
        raw(&app, "POST /login?site=1&trial=no", FROM_HERE, "username=dual&password=secret");
    assert_eq!((trial.status, trial.header("x-auth-reason")), (403, Some("trial")));
    is(
        told(&auth(&app, "site=1", Visit::holding(&cookie(&trial)))),
        (200, "1 60 dual 1"),
        "logged in, where a trial is enough",
    );
    for query in ["site=1&site=5", "site=1&trial=maybe", "trial=no"] {
        assert_eq!(raw(&app, &format!("GET /login?{query}"), "", "").status, 400, "{query}");
    }
    // Mail programs and social networks add them to a link.
    for query in ["site=1&fbclid=x", "utm_source=a&site=1&utm_source=b", "site=1&a[]=b"] {
        assert_eq!(raw(&app, &format!("GET /login?{query}"), "", "").status, 200, "{query}");
    }
}

/// Regression: eight cookies that another host had set hid the valid login, and a logout answered
/// as if it had ended that login.
#[test]
fn strangers_cookies_hide_no_login_and_no_logout() {
    let app = app(&["--cookie-domain", "example.com"]);
    app.post(BOB);
    let good = cookie(&log_in(&app, "bob", "secret"));
    let many = format!("{}{good}", "__Secure-userman=x; ".repeat(40));
    is(admitted(&app, Visit::holding(&many)), BOB_IS_IN, "behind forty");
    assert_eq!(log_out(&app, &format!("{many}; {good}; {good}")).status, 303);
    is(admitted(&app, Visit::holding(&good)), LOGIN, "ended");
    assert_eq!(app.rows("SELECT count(*) FROM logout"), ["1"]);
}

/// Regression: while the disk was full, the cookie stayed in a browser on a computer that other
/// people use.
#[test]
fn a_logout_clears_the_cookie_also_where_it_cannot_be_written_down() {
    let app = app(&[]);
    app.post(BOB);
    let cookie = cookie(&log_in(&app, "bob", "secret"));
    let lock = rusqlite::Connection::open(app.config.location.file().unwrap()).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let out = log_out(&app, &cookie);
    assert_eq!((out.status, out.header("retry-after")), (503, Some("5")));
    assert_eq!(
        out.body,
        "This browser is logged out. A copy of the login could not be ended just now."
    );
    assert!(out.header("set-cookie").unwrap().starts_with("__Host-userman=; Max-Age=0;"));
    lock.execute_batch("ROLLBACK").unwrap();
    is(admitted(&app, Visit::holding(&cookie)), BOB_IS_IN, "the copy, as was said");
}

/// Regression: an operator's own form with the method GET worked, and put passwords into access
/// logs.
#[test]
fn a_password_in_the_url_logs_nobody_in() {
    let app = app(&[]);
    app.post(BOB);
    let response = raw(&app, "POST /login?site=1&username=bob&password=secret", FROM_HERE, "");
    assert_eq!((response.status, response.header("set-cookie")), (400, None));
    assert_eq!(
        response.body.trim_end(),
        "query: expected username and password in the form alone, found \"username\""
    );
}
