//! All pages: the menu of each role, what no page may have, and health.

use nats_userman::operator::Role;

use super::{between, on_every_engine, page, says};
use crate::support::Request;

pub const PAGES: [&str; 6] = ["/", "/postbacks", "/lab", "/blocks", "/settings", "/health"];

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
