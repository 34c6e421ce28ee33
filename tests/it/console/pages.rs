//! All pages: the menu of each role, what no page may have, and health.

use nats_userman::operator::Role;

use super::{between, on_every_engine, page, says};
use crate::support::{App, OPS, Request};

const PAGES: [&str; 6] = ["/", "/postbacks", "/lab", "/blocks", "/settings", "/health"];

#[test]
fn the_menu_has_the_pages_that_the_role_may_open() {
    on_every_engine(&[], |app, anna| {
        let bert = app.console("bert", Role::Support);
        for (operator, may_set) in [(anna, true), (&bert, false)] {
            let menu = page(operator.get("/lab"));
            let menu = between(&menu, "<li><a href=\"", "</a>");
            let names: Vec<&str> =
                menu.iter().filter_map(|entry| entry.rsplit('>').next()).collect();
            let mut expected =
                vec!["Today", "Members", "Postbacks", "Lab", "Blocks", "Settings", "Health"];
            if !may_set {
                expected.retain(|name| *name != "Settings");
            }
            assert_eq!(names, expected);
            let current = menu.iter().filter(|entry| entry.contains("aria-current=\"page\""));
            assert_eq!(current.count(), 1);
        }
        assert_eq!(bert.get("/settings").status, 403);
        for path in PAGES {
            let unknown = app.send_ops(Request::get(path));
            let back = format!("/login?back={}", path.replace('/', "%2F"));
            assert_eq!((unknown.status, unknown.header("location")), (303, Some(&*back)));
        }
    });
}

#[test]
fn every_page_has_landmarks_a_heading_and_nothing_inline_or_from_elsewhere() {
    let app = App::start_with(&OPS);
    app.post("action=ADD&siteid=1&memberid=71&username=bob&password=secret");
    let anna = app.console("anna", Role::Admin);
    let more = ["/postbacks/1", "/postbacks/1?dry-run=1", "/nothing", "/logout"];
    for path in PAGES.into_iter().chain(more) {
        let body = anna.get(path).body;
        for (part, count) in [
            ("<html lang=\"en\">", 1),
            ("<h1>", 1),
            ("<main ", 1),
            ("<header ", 1),
            ("<nav aria-label=\"Pages\">", 1),
            ("href=\"#main\"", 1),
            (" style=", 0),
            ("<style", 0),
            (" onclick=", 0),
            ("http://", 0),
            ("https://", 0),
            ("=\"//", 0),
            ("src=\"", usize::from(path == "/postbacks")),
        ] {
            assert_eq!(body.matches(part).count(), count, "{path}: {part}: {body}");
        }
        let policy = anna.get(path).header("content-security-policy").unwrap().to_owned();
        assert_eq!(policy.contains("script-src"), path == "/postbacks", "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
    }
    let script = anna.get("/tail.js");
    assert_eq!(
        (script.status, script.header("content-type")),
        (200, Some("text/javascript; charset=utf-8"))
    );
}

#[test]
fn health_says_what_ready_says_and_what_doctor_finds() {
    on_every_engine(&[], |_, anna| {
        let body = page(anna.get("/health"));
        for text in [
            "ok the service runs",
            "ok the database is at its place",
            "ok postbacks can be committed",
            "ok members can be read",
            "clock clock ok the clock shows 2026-06-15T12:00:00Z",
            "public_url note --public-url is not set",
            "What to do: set it to the https:// URL of your web server",
        ] {
            says(&body, text);
        }
    });
}

#[test]
fn health_names_a_database_that_is_gone() {
    let app = App::start_with(&OPS);
    let anna = app.console("anna", Role::Support);
    let file = app.config.location.file().unwrap().to_owned();
    let away = file.with_extension("away");
    std::fs::rename(&file, &away).unwrap();
    crate::support::eventually("a page says so", || anna.get("/postbacks").status == 503);
    std::fs::rename(&away, &file).unwrap();
}
