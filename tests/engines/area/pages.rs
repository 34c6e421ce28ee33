//! The login page.

use std::fmt::Display;

use crate::ENGINES;
use crate::support::visit::raw;
use crate::support::{App, temp_dir};

pub const FROM_HERE: &str =
    "Content-Type: application/x-www-form-urlencoded\r\nSec-Fetch-Site: same-origin\r\n";

pub fn is(found: (u16, String), expected: (u16, &str), what: &str) {
    assert_eq!((found.0, found.1.as_str()), expected, "{what}");
}

/// `site` may be several, with commas.
pub fn log_in_at(app: &App, site: impl Display, name: &str, password: &str) -> u16 {
    let body = serde_urlencoded::to_string([("username", name), ("password", password)]);
    raw(app, &format!("POST /login?site={site}"), FROM_HERE, &body.unwrap()).status
}

#[test]
fn an_email_address_logs_in_the_one_member_of_the_site_who_has_it() {
    for engine in ENGINES {
        let flags = ["--login-by-email", "--trusted-proxy", "127.0.0.1"];
        let Some(app) = App::start_in_on_engine(engine, temp_dir(), &flags) else { continue };
        for (site, member, name, email) in [
            (1, 71, "bob", "bob%40example.com"),
            (5, 72, "bobby", "bob%40example.com"),
            (1, 73, "ann", "two%40example.com"),
            (1, 74, "eve", "two%40example.com"),
            (1, 75, "mallory%40example.com", "-"),
            (1, 76, "max", "mallory%40example.com"),
            (1, 77, "gone", "gone%40example.com"),
            (5, 78, "maxine", "mallory%40example.com"),
        ] {
            let fields = format!("siteid={site}&memberid={member}&username={name}&email={email}");
            let reply = app.post(&format!("action=ADD&{fields}&password=secret{member}"));
            assert!(reply.starts_with("OK|"), "{reply}");
        }
        app.post("action=DELETE&siteid=1&memberid=77");
        for (site, name, password, status, why) in [
            (1, "bob@example.com", "secret71", 303, "theirs alone on this site"),
            (1, "Bob@Example.com", "secret71", 303, "in any case"),
            (5, "bob@example.com", "secret72", 303, "another member of another site"),
            (1, "bob@example.com", "secret72", 401, "whose password is good there only"),
            (1, "two@example.com", "secret73", 401, "two members have it"),
            (1, "mallory@example.com", "secret75", 303, "a name comes first"),
            (1, "mallory@example.com", "secret76", 401, "and hides the address"),
            (1, "gone@example.com", "secret77", 401, "left"),
            (1, "bob", "secret71", 303, "the name, as ever"),
        ] {
            let found = log_in_at(&app, site, name, password);
            assert_eq!(found, status, "{engine:?}: {site} {name}: {why}");
        }
        for (password, status, why) in [
            ("secret75", 303, "the name of site 1"),
            ("secret78", 303, "the address on site 5, where nobody has that name"),
            ("secret76", 401, "the name hides the address on its own site"),
        ] {
            let found = log_in_at(&app, "5,1", "mallory@example.com", password);
            assert_eq!(found, status, "{engine:?}: {why}");
        }
        for guess in 0..10 {
            log_in_at(&app, 1, "Bob@example.com", &format!("guess{guess}"));
            log_in_at(&app, 1, "nobody@example.com", &format!("guess{guess}"));
        }
        app.look_at_blocks();
        let blocked =
            app.rows("SELECT CAST(username AS CHAR) FROM block WHERE username NOT LIKE '?%'");
        assert_eq!(blocked, ["bob@example.com"], "{engine:?}: a stranger's text may be a password");
        assert_eq!(log_in_at(&app, 1, "bob", "secret71"), 303, "{engine:?}: by the name");
        let page = raw(&app, "GET /login?site=1", "", "").body;
        let label = "<label for=\"userman-name\">Username or e-mail address</label>";
        assert!(page.contains(label), "{page}");
    }
}
