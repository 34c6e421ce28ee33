//! The record of logins.

use crate::ENGINES;
use crate::support::visit::{BOB, Visit, admitted, app, auth, cookie, form, log_in};
use crate::support::{App, temp_dir};

/// The record, the oldest row first. A pseudonym is shown as `?`.
pub fn record(app: &App) -> Vec<String> {
    let columns = "event, way, siteid, coalesce(memberid, '-'), coalesce(name, '-'), network";
    let rows = app.rows(&format!("SELECT {columns} FROM login ORDER BY id"));
    let pseudonym = |field: &str| {
        let is_word = field.len() == 11 && field.starts_with('?');
        (if is_word { "?" } else { field }).to_owned()
    };
    rows.iter().map(|row| row.split('|').map(pseudonym).collect::<Vec<_>>().join(" ")).collect()
}

/// With bob (71), tim on trial (72), and rob, who has left (73).
pub fn site(flags: &[&str]) -> App {
    filled(app(flags))
}

fn filled(app: App) -> App {
    for body in [
        BOB,
        "action=ADD&siteid=1&memberid=72&username=tim&password=secret&trial=1",
        "action=ADD&siteid=1&memberid=73&username=rob&password=secret",
        "action=DELETE&siteid=1&memberid=73",
    ] {
        assert!(app.post(body).starts_with("OK|"));
    }
    app.harden();
    app
}

#[test]
fn each_login_is_recorded_with_its_cause_on_every_engine() {
    for engine in ENGINES {
        let flags = ["--trusted-proxy", "127.0.0.1", "--login-limit-pair", "2"];
        let Some(app) = App::start_in_on_engine(engine, temp_dir(), &flags) else { continue };
        let app = filled(app);
        let cookie = cookie(&log_in(&app, "Bob", "secret"));
        assert_eq!(log_in(&app, "bob", "wrong").status, 401);
        admitted(&app, Visit::with("Bob", "wrong again").from("2001:db8::7"));
        admitted(&app, Visit::with("rob", "secret").from("198.51.100.1"));
        admitted(&app, Visit::with("Correct Horse", "Battery").from("198.51.100.2"));
        assert_eq!(auth(&app, "site=1&trial=no", Visit::with("tim", "secret")).status, 403);
        let (status, _) = admitted(&app, Visit::with("tim", "secret").from("198.51.100.3"));
        assert_eq!(status, 200);
        admitted(&app, Visit::with("bob", "third").from("2001:db8::7"));
        admitted(&app, Visit::with("bob", "fourth").from("2001:db8::7"));
        log_out(&app, &cookie);
        assert_eq!(
            record(&app),
            [
                "login page 1 71 bob 127.0.0.1",
                "wrong page 1 71 bob 127.0.0.1",
                "wrong basic 1 71 bob 2001:db8::/64",
                "unknown basic 1 73 rob 198.51.100.1",
                "unknown basic 1 - ? 198.51.100.2",
                "trial basic 1 72 tim 203.0.113.9",
                "login basic 1 72 tim 198.51.100.3",
                "wrong basic 1 71 bob 2001:db8::/64",
                "blocked basic 1 71 bob 2001:db8::/64",
                "logout page 1 71 - 203.0.113.9",
            ],
            "{engine:?}"
        );
    }
}

/// The answer comes when all earlier notes are written.
pub fn log_out(app: &App, cookie: &str) {
    assert_eq!(app.send(form("members.example.com", "/logout", cookie, "")).status, 303);
}
