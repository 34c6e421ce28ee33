//! Each page at the size of a phone and of a desktop, in light and dark mode, as axe-core sees it.

use serde_json::{Value, json};

use super::BOB;
use super::driver::Browser;
use crate::support::{App, Request, eventually, temp_dir};

/// The width of the page with all overflow is at most that of the window.
pub const FITS: &str = "return document.documentElement.scrollWidth <= window.innerWidth \
    && window.innerWidth";
const COLOURS: &str = "const style = getComputedStyle(document.body); \
    return [style.backgroundColor, style.color]";
/// All rules of axe-core, also those of good practice.
pub const EXAMINE: &str = "const done = arguments[arguments.length - 1]; \
    axe.run().then(found => done(found.violations.map(rule => \
    `${rule.impact} ${rule.id}: ${rule.nodes.map(node => node.html).join(' ')}`)), \
    error => done([String(error)]))";

/// The script of axe-core, which examines pages for what people with a disability cannot use.
/// `.ci/run` gets it by npm. If it is missing: `None` with a loud line, or a
/// failure with REQUIRE_REAL=1.
pub fn axe_core() -> Option<String> {
    let place = concat!(env!("CARGO_MANIFEST_DIR"), "/target/npm/node_modules/axe-core/axe.min.js");
    let found = std::fs::read_to_string(place).ok();
    if found.is_none() {
        assert!(
            std::env::var("REQUIRE_REAL").as_deref() != Ok("1"),
            "axe-core is not installed and REQUIRE_REAL=1"
        );
        eprintln!("\n*** axe-core IS NOT INSTALLED: this test proves nothing here ***\n");
    }
    found
}

/// Goes through pages of this app, and checks each.
type Walk = fn(&App, &Browser, base: &str, check: &dyn Fn(&str));

/// The pages of logins, by their addresses and what is done on them.
fn pages(_: &App, browser: &Browser, base: &str, check: &dyn Fn(&str)) {
    let go = |path: &str| browser.go(&format!("{base}{path}"));
    go("/login?site=1&trial=no");
    check("the login form");
    browser.type_into("Username", "tess");
    browser.type_into("Password", "guess");
    browser.press("Log in");
    browser.comes_to("/login?site=1&trial=no", "Log in – Bob's Films");
    check("a wrong password");
    browser.type_into("Password", "secret");
    browser.press("Log in");
    browser.comes_to("/login?site=1&trial=no", "For full members – Bob's Films");
    check("for full members");
    go("/logout?site=1");
    check("the logout");
    browser.press("Log out");
    eventually("no cookie is left", || browser.cookies().is_empty());
    go("/login?site=1");
}

/// The pages of a member who is blocked because of sharing, and those while members cannot be read.
fn refusals(app: &App, browser: &Browser, base: &str, check: &dyn Fn(&str)) {
    let go = |path: &str| browser.go(&format!("{base}{path}"));
    let log_in = || {
        go("/login?site=1");
        browser.type_into("Username", "bob");
        browser.type_into("Password", "secret");
        browser.press("Log in");
    };
    let said = |text: &str| {
        eventually(text, || {
            let messages = browser.all("[role=alert]");
            messages.first().is_some_and(|message| browser.text(message) == text)
        });
    };
    log_in();
    eventually("bob is logged in", || browser.place().0 == format!("{base}/"));
    let from_elsewhere = Request::get("/auth?site=1").basic("bob", "secret").from("198.51.100.7");
    let blocked = app.send(from_elsewhere);
    assert_eq!((blocked.status, blocked.header("x-auth-reason")), (403, Some("shared")));
    go("/auth?site=1&ask=page");
    browser.comes_to("/auth?site=1&ask=page", "Please wait – Bob's Films");
    check("blocked because of sharing");
    log_in();
    said("This login was used from too many places. Please try again later, or contact support.");
    check("a login of somebody who is blocked");

    let database = rusqlite::Connection::open(app.config.location.file().unwrap()).unwrap();
    let rename = |old: &str, new: &str| {
        let sql = format!("ALTER TABLE member_auth RENAME COLUMN {old} TO {new}");
        database.execute_batch(&sql).unwrap();
    };
    rename("login_version", "gone");
    go("/auth?site=1&ask=page");
    browser.comes_to("/auth?site=1&ask=page", "Please try again – Bob's Films");
    check("members cannot be read");
    log_in();
    said("Logging in is not possible right now. Please try again in a moment.");
    check("a login while members cannot be read");
    rename("gone", "login_version");

    // The block is over.
    app.set_unix(app.now() + 3_601);
    go("/logout?site=1");
    browser.press("Log out");
    eventually("no cookie is left", || browser.cookies().is_empty());
}

fn examine(walk: Walk, flags: &[&str], colours: [[&str; 2]; 2]) {
    let Some(axe) = axe_core() else { return };
    let flags: Vec<&str> = [
        "--site-name",
        "Bob's Films",
        "--login-stay-hours",
        "720",
        "--stand-in",
        "--join-url",
        "https://join.example.com/",
        "--forgot-password-url",
        "https://join.example.com/signup/password.php?siteid={siteid}",
        "--support-url",
        "mailto:help@example.com",
        "--upgrade-url",
        "https://join.example.com/up?authstring={authstring}",
    ]
    .into_iter()
    .chain(flags.iter().copied())
    .collect();
    let app = App::start_in(temp_dir(), &flags);
    app.post(BOB);
    app.post("action=ADD&siteid=1&memberid=72&username=tess&password=secret&trial=1");
    let base = format!("http://localhost:{}", app.address.port());
    for width in [360, 1280] {
        let open = || if width == 360 { Browser::open(true) } else { Browser::open_on_desktop() };
        let Some(browser) = open() else { return };
        for (scheme, colours) in ["light", "dark"].into_iter().zip(colours) {
            browser.set_mode(scheme);
            let check = |what: &str| {
                let what = format!("{what}, {scheme}, {width} wide");
                assert_eq!(browser.script(COLOURS), json!(colours), "{what}");
                browser.script(&axe);
                let found = browser.script_that_waits(EXAMINE);
                assert_eq!(found, json!([]), "{what}");
                assert_eq!(browser.script(FITS), json!(width), "{what}: cut off");
            };
            walk(&app, &browser, &base, &check);
            // The next round begins without a login.
            assert_eq!(browser.cookies(), [Value::Null; 0]);
        }
    }
}

#[test]
fn axe_finds_nothing_on_any_page_at_any_size_in_light_and_dark_mode() {
    let light = ["rgb(255, 255, 255)", "rgb(0, 0, 0)"];
    examine(pages, &[], [light, ["rgb(18, 18, 18)", "rgb(255, 255, 255)"]]);
}

#[test]
fn axe_finds_nothing_on_the_pages_of_a_block_for_sharing_and_of_an_unreadable_database() {
    let light = ["rgb(255, 255, 255)", "rgb(0, 0, 0)"];
    let flags = ["--trusted-proxy", "127.0.0.1", "--sharing", "block", "--sharing-networks", "1"];
    examine(refusals, &flags, [light, ["rgb(18, 18, 18)", "rgb(255, 255, 255)"]]);
}

/// Yellow on grey cannot be read, so links have the colour of the text there.
#[test]
fn axe_finds_nothing_in_colours_that_an_operator_chose_without_care() {
    let flags = [
        "--site-accent",
        "#ff0",
        "--site-background",
        "#808080",
        "--site-dark-accent",
        "#024",
        "--site-dark-background",
        "#036",
    ];
    let light = ["rgb(128, 128, 128)", "rgb(0, 0, 0)"];
    examine(pages, &flags, [light, ["rgb(0, 51, 102)", "rgb(255, 255, 255)"]]);
}

/// A click on the upgrade is the answer to a form, which the policy of the page must allow.
#[test]
fn the_button_of_the_upgrade_leads_to_nats_in_a_real_browser() {
    let Some(browser) = Browser::open(true) else { return };
    let nats = App::start();
    let front = format!("http://localhost:{}", nats.address.port());
    let upgrade = format!("{front}/health?name={{username}}&string={{authstring}}");
    let app = App::start_in(temp_dir(), &["--stand-in", "--upgrade-url", &upgrade]);
    app.post("action=ADD&siteid=1&memberid=72&username=tess&password=secret&trial=1");
    browser.go(&format!("http://localhost:{}/login?site=1&trial=no", app.address.port()));
    browser.type_into("Username", "tess");
    browser.type_into("Password", "secret");
    browser.press("Log in");
    browser.comes_to("/login?site=1&trial=no", "For full members");
    browser.press("Become a full member");
    eventually("the page of NATS", || {
        browser.place().0.starts_with(&format!("{front}/health?name=tess&string="))
    });
}
