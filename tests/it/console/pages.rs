//! All pages: the menu of each role, what no page may have, and health.

use nats_userman::operator::Role;

use crate::engines::console::pages::PAGES;
use crate::support::{App, OPS};

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
fn health_names_a_database_that_is_gone() {
    let app = App::start_with(&OPS);
    let anna = app.console("anna", Role::Support);
    let file = app.config.location.file().unwrap().to_owned();
    let away = file.with_extension("away");
    std::fs::rename(&file, &away).unwrap();
    crate::support::eventually("a page says so", || anna.get("/postbacks").status == 503);
    std::fs::rename(&away, &file).unwrap();
}
