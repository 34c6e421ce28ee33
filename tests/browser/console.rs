//! The console of operators: every page at the size of a phone and of a desk, the live tail, a run
//! of the lab, and a block that is lifted.
//!
//! With UPDATE_DOCS=1 the pictures under `docs/console/` are made again.

use std::path::Path;

use nats_userman::operator::Role;
use serde_json::json;

use super::accessible::{EXAMINE, FITS, axe_core};
use super::driver::Browser;
use crate::support::{App, OPERATOR_PASSWORD, OPS, Request, eventually, temp_dir};

/// Each page of the menu, its title, and whether it is kept as a picture.
const PAGES: [(&str, &str, Option<&str>); 6] = [
    ("/", "Today", Some("today")),
    ("/postbacks", "Postbacks", Some("postbacks")),
    ("/lab", "Lab", None),
    ("/blocks", "Blocks and sharing", Some("blocks")),
    ("/settings", "Settings", None),
    ("/health", "Health", Some("health")),
];
/// What the page has loaded from elsewhere.
const FROM_ELSEWHERE: &str = "return performance.getEntriesByType('resource') \
    .map(entry => entry.name).filter(name => !name.startsWith(location.origin + '/') \
    && !name.startsWith('data:'))";
const FLAGS: [&str; 4] = ["--trusted-proxy", "127.0.0.1", "--login-limit-pair", "2"];

/// A service with a day of postbacks, a blocked name, and an operator of each role.
fn busy_service() -> App {
    let app = App::start_in(temp_dir(), &[&OPS, &FLAGS[..]].concat());
    app.add_operator("anna", Role::Admin);
    app.add_operator("bert", Role::Support);
    let names = ["bob", "eve", "tess", "<script>alert(1)</script>"];
    for hour in 0..24 {
        app.set_unix(app.now() + if hour == 0 { 0 } else { 3_600 });
        for number in 0..(2 + hour % 5) {
            let member = 100 * hour + number;
            let name = format!("{}{member}", names[number % names.len()]);
            let name = name.replace('<', "%3C").replace('>', "%3E");
            let site = 1 + number % 2;
            let of = format!("siteid={site}&memberid={}&username={name}", member + 1);
            app.post(&format!("action=ADD&{of}&password=secret&email=a%40b.example"));
            if number % 3 == 1 {
                app.post(&format!("action=DELETE&{of}"));
            }
        }
    }
    app.post("action=ADD&siteid=1&memberid=9000&username=bob0&password=secret");
    app.post("action=ADD&siteid=1&memberid=71&username=bob&password=secret");
    for password in ["a", "b", "secret"] {
        let request = Request::get("/auth?site=1").basic("bob", password).from("203.0.113.9");
        app.send(request);
    }
    app.look_at_blocks();
    app
}

fn base(app: &App) -> String {
    format!("http://localhost:{}", app.ops.unwrap().port())
}

fn log_in(browser: &Browser, app: &App, name: &str) {
    browser.go(&format!("{}/", base(app)));
    browser.comes_to("/login?back=%2F", "Log in – nats-userman");
    browser.type_into("Operator", name);
    browser.type_into("Password", OPERATOR_PASSWORD);
    browser.press("Log in");
    browser.comes_to("/", "Today – nats-userman");
}

/// Nothing is wrong with the page that is shown.
fn check(browser: &Browser, axe: &str, width: u32, what: &str) {
    assert_eq!(browser.logged(), [""; 0], "{what}: the browser's console");
    assert_eq!(browser.script(FROM_ELSEWHERE), json!([]), "{what}: loaded from elsewhere");
    assert_eq!(browser.script(FITS), json!(width), "{what}: cut off");
    browser.script(axe);
    assert_eq!(browser.script_that_waits(EXAMINE), json!([]), "{what}");
    browser.logged();
}

/// Keeps a picture of the page in the documentation.
fn keep_picture(browser: &Browser, name: &str, width: u32) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/console");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join(format!("{name}-{width}.png")), browser.screenshot()).unwrap();
    }
}

#[test]
fn axe_finds_nothing_on_any_page_of_the_console_and_nothing_comes_from_elsewhere() {
    let Some(axe) = axe_core() else { return };
    let app = busy_service();
    let carl = app.console("carl", Role::Support);
    eventually("the journal is counted", || carl.get("/").body.contains("<rect "));
    for width in [360, 1280] {
        let open = || if width == 360 { Browser::open(true) } else { Browser::open_on_desktop() };
        let Some(browser) = open() else { return };
        browser.go(&format!("{}/", base(&app)));
        check(&browser, &axe, width, "the login form");
        log_in(&browser, &app, "anna");
        for scheme in ["light", "dark"] {
            browser.set_mode(scheme);
            for (path, title, picture) in PAGES {
                browser.go(&format!("{}{path}", base(&app)));
                browser.comes_to(path, &format!("{title} – nats-userman"));
                if let (Some(name), "light") = (picture, scheme) {
                    keep_picture(&browser, name, width);
                }
                check(&browser, &axe, width, &format!("{path}, {scheme}, {width} wide"));
            }
            for path in [
                "/postbacks/1",
                "/postbacks/1?dry-run=1",
                "/postbacks?site=x",
                "/blocks/lift?kind=pair&network=203.0.113.9&name=bob",
                "/nothing",
            ] {
                browser.go(&format!("{}{path}", base(&app)));
                // A status of 400 or 404 is a line in the browser's console.
                browser.logged();
                check(&browser, &axe, width, &format!("{path}, {scheme}, {width} wide"));
            }
        }
    }
}

#[test]
fn an_operator_of_the_role_support_sees_no_settings() {
    let app = busy_service();
    let Some(browser) = Browser::open_on_desktop() else { return };
    for (name, may_set) in [("bert", false), ("anna", true)] {
        log_in(&browser, &app, name);
        assert_eq!(browser.all("nav a[href='/settings']").len(), usize::from(may_set), "{name}");
        browser.go(&format!("{}/settings", base(&app)));
        let title = if may_set { "Settings" } else { "Not allowed" };
        browser.comes_to("/settings", &format!("{title} – nats-userman"));
        browser.press("Log out");
        browser.comes_to("/login", "Log in – nats-userman");
    }
}

#[test]
fn new_postbacks_appear_on_a_page_that_follows_and_by_a_reload_without_scripts() {
    let app = busy_service();
    let (Some(browser), Some(plain)) = (Browser::open(true), Browser::open(false)) else { return };
    let first = |browser: &Browser| {
        let rows = browser.all("#records tr");
        browser.text(&rows[0])
    };
    for one in [&browser, &plain] {
        log_in(one, &app, "bert");
        one.go(&format!("{}/postbacks", base(&app)));
    }
    browser.press("Follow live");
    eventually("it follows", || {
        browser.text(&browser.the("#tail-status")).starts_with("Following live")
    });
    app.post("action=ADD&siteid=1&memberid=9001&username=%3Cb%3Enewest&password=secret");
    eventually("the newest is shown", || first(&browser).contains("<b>newest"));
    assert_eq!(browser.logged(), [""; 0]);
    browser.press("Stop following");
    assert_eq!(browser.text(&browser.the("#tail-status")), "Stopped.");

    assert!(!first(&plain).contains("newest"));
    assert_eq!(plain.all("#follow[hidden]").len(), 1, "no button without scripts");
    plain.go(&format!("{}/postbacks", base(&app)));
    assert!(first(&plain).contains("<b>newest"));
}

#[test]
fn a_postback_is_tried_in_the_lab_and_a_block_is_lifted_with_the_keyboard_alone() {
    let Some(axe) = axe_core() else { return };
    let app = busy_service();
    let Some(browser) = Browser::open_on_desktop() else { return };
    log_in(&browser, &app, "bert");
    browser.go(&format!("{}/lab", base(&app)));
    let pasted = "action=CHANGE&siteid=1&memberid=71&new_password=Sesame-99&new_email=b@x.example";
    browser.type_into("Postback", pasted);
    browser.press("Try it");
    eventually("it is decided", || !browser.all("#sentence").is_empty());
    let said = browser.text(&browser.the("#sentence"));
    assert_eq!(said, "member 71 \"bob\" changed on site 1");
    assert!(!browser.text(&browser.the("main")).contains("Sesame"));
    keep_picture(&browser, "lab", 1280);
    check(&browser, &axe, 1280, "a run of the lab");

    browser.go(&format!("{}/blocks", base(&app)));
    browser.click(&browser.the("td a.button"));
    eventually("the question", || browser.place().1.starts_with("Lift a login block"));
    browser.press("Lift the block");
    browser.comes_to("/blocks?done=lifted", "Blocks and sharing – nats-userman");
    assert!(browser.all("td a.button").is_empty());
    let record = app.rows("SELECT operator FROM journal ORDER BY id DESC LIMIT 1");
    assert_eq!(record, ["bert"]);
    check(&browser, &axe, 1280, "a lifted block");
}
