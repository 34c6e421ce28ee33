//! The console of operators: every page at the size of a phone and of a desk, the live tail, a run
//! of the lab, and a block that is lifted.

use nats_userman::operator::Role;
use nats_userman::store::Location;

use super::accessible::axe_core;
use super::driver::Browser;
use super::page::{base, check, keep_picture};
use crate::support::{
    App, OPERATOR_PASSWORD, OPS, Program, Request, add_operator, eventually, program, temp_dir,
};

/// Each page of the menu, its title, and the name of its picture. Another test has Settings.
const PAGES: [(&str, &str, Option<&str>); 6] = [
    ("/", "Today", Some("today")),
    ("/postbacks", "Postbacks", Some("postbacks")),
    ("/lab", "Lab", None),
    ("/blocks", "Blocks and sharing", Some("blocks")),
    ("/settings", "Settings", None),
    ("/health", "Health", Some("health")),
];
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

fn log_in(browser: &Browser, app: &App, name: &str) {
    log_in_at(browser, &base(app), name);
}

fn log_in_at(browser: &Browser, base: &str, name: &str) {
    browser.go(&format!("{base}/"));
    browser.comes_to("/login?back=%2F", "Log in – nats-userman");
    browser.type_into("Operator", name);
    browser.type_into("Password", OPERATOR_PASSWORD);
    browser.press("Log in");
    browser.comes_to("/", "Today – nats-userman");
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
        keep_picture(&browser, "login", width);
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
                if (path, scheme) == ("/postbacks/1", "light") {
                    keep_picture(&browser, "record", width);
                }
                check(&browser, &axe, width, &format!("{path}, {scheme}, {width} wide"));
            }
            try_in_the_lab(&browser, &app);
            if scheme == "light" {
                keep_picture(&browser, "lab", width);
            }
            check(&browser, &axe, width, &format!("a run of the lab, {scheme}, {width} wide"));
        }
    }
}

/// Pastes a postback into the lab, and reads what would be answered.
fn try_in_the_lab(browser: &Browser, app: &App) {
    browser.go(&format!("{}/lab", base(app)));
    let pasted = "action=CHANGE&siteid=1&memberid=71&new_password=Sesame-99&new_email=b@x.example";
    browser.type_into("Postback", pasted);
    browser.press("Try it");
    eventually("it is decided", || !browser.all("#sentence").is_empty());
    let said = browser.text(&browser.the("#sentence"));
    assert_eq!(said, "member 71 \"bob\" changed on site 1");
    assert!(!browser.text(&browser.the("main")).contains("Sesame"));
}

#[test]
fn axe_finds_nothing_on_the_settings_of_the_program_with_a_configuration_file() {
    let Some(axe) = axe_core() else { return };
    let dir = temp_dir();
    let (data, file) = (dir.path().join("data"), dir.path().join("nats-userman.toml"));
    std::fs::write(&file, "ops_listen = \"127.0.0.1:0\"\njournal_days = 90\n").unwrap();
    let mut command = program();
    command.env("USERMAN_CONFIG", &file).env("USERMAN_TIME_ZONE", "Europe/Berlin");
    let served = Program::run(command, &data, &[]).unwrap_or_else(|stderr| panic!("{stderr}"));
    let base = format!("http://localhost:{}", served.operations().port());
    add_operator(&Location::sqlite(data.join("userman.db")), "anna", Role::Admin);
    for width in [360, 1280] {
        let open = || if width == 360 { Browser::open(true) } else { Browser::open_on_desktop() };
        let Some(browser) = open() else { return };
        log_in_at(&browser, &base, "anna");
        for scheme in ["light", "dark"] {
            browser.set_mode(scheme);
            browser.go(&format!("{base}/settings"));
            browser.comes_to("/settings", "Settings – nats-userman");
            assert!(browser.text(&browser.the("main")).contains("journal_days"));
            check(&browser, &axe, width, &format!("/settings, {scheme}, {width} wide"));
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
    try_in_the_lab(&browser, &app);
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
