//! Logins that several people share.

use tempfile::TempDir;

use crate::ENGINES;
use crate::support::visit::{BOB, Visit, admitted, auth, cookie, log_in};
use crate::support::{App, NOON, country_file, eventually, temp_dir};

pub const FLAGS: [&str; 4] = ["--sharing", "block", "--sharing-networks", "3"];

/// Sends bob's cookie from this many networks.
pub fn spread(app: &App, cookie: &str, networks: u32) -> Vec<(u16, String)> {
    (0..networks)
        .map(|number| {
            let from = format!("198.51.{number}.7");
            admitted(app, Visit::holding(cookie).from(&from))
        })
        .collect()
}

pub fn is_in(app: &App, cookie: &str) -> bool {
    admitted(app, Visit::holding(cookie).from("198.51.0.9")).0 == 200
}

#[test]
fn a_login_from_too_many_networks_is_blocked_with_a_page_that_says_why_on_every_engine() {
    for engine in ENGINES {
        let flags = [&["--trusted-proxy", "127.0.0.1"][..], &FLAGS].concat();
        let Some(app) = App::start_in_on_engine(engine, temp_dir(), &flags) else { continue };
        app.post(BOB);
        let cookie = cookie(&log_in(&app, "bob", "secret"));
        let shared = (403, "shared".to_owned());
        let answers = spread(&app, &cookie, 4);
        assert!(answers[..2].iter().all(|answer| answer.0 == 200), "{answers:?}");
        assert_eq!(answers[2..], [shared.clone(), shared.clone()], "with the login they are four");
        assert_eq!(admitted(&app, Visit::with("bob", "secret")), shared, "by password too");
        let page = auth(&app, "site=1&ask=page", Visit::holding(&cookie));
        assert_eq!(page.status, 403);
        assert!(page.body.contains("This login was used from too many places."), "{}", page.body);
        let form = log_in(&app, "bob", "secret");
        assert_eq!(form.status, 403);
        assert!(form.body.contains("This login was used from too many places."), "{}", form.body);
        let rows = || app.rows("SELECT event FROM login WHERE event = 'shared'");
        eventually("the attempt is recorded", || !rows().is_empty());

        app.set_unix(NOON + 3_600);
        assert!(is_in(&app, &cookie), "an hour later");
    }
}

#[test]
fn uses_that_are_counted_after_their_answer_survive_a_restart_on_every_engine() {
    for engine in ENGINES {
        let flags = ["--trusted-proxy", "127.0.0.1", "--sharing-networks", "3"];
        let Some(app) = App::start_in_on_engine(engine, temp_dir(), &flags) else { continue };
        app.post(BOB);
        let cookie = cookie(&log_in(&app, "bob", "secret"));
        assert!(spread(&app, &cookie, 2).iter().all(|answer| answer.0 == 200));
        eventually("the networks are written", || {
            app.rows("SELECT count(*) FROM sharing_network") == ["3"]
        });
        let app = app.restart(&flags);
        assert!(is_in(&app, &cookie));
        assert_eq!(admitted(&app, Visit::holding(&cookie).from("198.51.9.7")).0, 200);
        eventually("the fourth network is one too many", || {
            app.rows("SELECT memberid, why FROM sharing_block") == ["71|networks"]
        });
    }
}

/// 198.51.N.0/24 is in the Nth of these countries.
const COUNTRIES: [(&str, &str); 3] =
    [("198.51.0.0/24", "DE"), ("198.51.1.0/24", "FR"), ("2001:db8::/32", "US")];

/// A file of countries, and the flags for at most two of them.
pub struct CountryRule {
    _dir: TempDir,
    pub flags: Vec<String>,
}

impl CountryRule {
    pub fn new(action: &str, more: &[&str]) -> Self {
        let dir = temp_dir();
        let file = country_file(&dir.path().join("countries.mmdb"), &COUNTRIES);
        let flags = ["--trusted-proxy", "127.0.0.1", "--sharing", action, "--sharing-countries"];
        let flags = [&flags[..], &["2", "--sharing-country-file", &file], more].concat();
        let flags = flags.into_iter().map(str::to_owned).collect();
        Self { _dir: dir, flags }
    }

    pub fn flags(&self) -> Vec<&str> {
        self.flags.iter().map(String::as_str).collect()
    }
}

#[test]
fn a_login_from_too_many_countries_is_blocked_on_every_engine_after_a_restart_too() {
    let rule = CountryRule::new("block", &[]);
    for engine in ENGINES {
        let started = App::start_in_on_engine(engine, temp_dir(), &rule.flags());
        let Some(app) = started else { continue };
        app.post(BOB);
        let cookie = cookie(&log_in(&app, "bob", "secret"));
        let visit = |app: &App, from: &str| admitted(app, Visit::holding(&cookie).from(from)).0;
        // The network of 203.0.113.7 has no country.
        let at_first = ["198.51.0.7", "198.51.0.8", "203.0.113.7", "198.51.1.7"];
        assert_eq!(at_first.map(|from| visit(&app, from)), [200; 4]);
        eventually("the networks are written", || {
            let rows = "SELECT network, country FROM sharing_network WHERE country IS NOT NULL
                        ORDER BY network";
            app.rows(rows) == ["198.51.0.0/24|DE", "198.51.1.0/24|FR"]
        });
        let app = app.restart(&rule.flags());
        assert_eq!(visit(&app, "203.0.113.99"), 200);
        let answer = admitted(&app, Visit::holding(&cookie).from("2001:db8:7::7"));
        assert_eq!(answer, (403, "shared".to_owned()));
        let page = auth(&app, "site=1&ask=page", Visit::holding(&cookie).from("198.51.0.7"));
        assert_eq!(page.status, 403);
        assert!(page.body.contains("This login was used from too many places."), "{}", page.body);
        eventually("the block is written", || {
            app.rows("SELECT memberid, why FROM sharing_block") == ["71|countries"]
        });
        app.set_unix(NOON + 3_600);
        assert_eq!(visit(&app, "2001:db8:7::7"), 200, "an hour later");
    }
}

#[test]
fn countries_are_counted_after_the_answer_where_nobody_is_blocked() {
    let rule = CountryRule::new("log", &[]);
    for engine in ENGINES {
        let started = App::start_in_on_engine(engine, temp_dir(), &rule.flags());
        let Some(app) = started else { continue };
        app.post(BOB);
        let cookie = cookie(&log_in(&app, "bob", "secret"));
        for from in ["198.51.0.7", "198.51.1.7", "2001:db8::7"] {
            assert_eq!(admitted(&app, Visit::holding(&cookie).from(from)).0, 200);
        }
        eventually("it is written", || {
            let block = "SELECT memberid, until = since, why FROM sharing_block";
            app.rows(block) == ["71|1|countries"]
        });
    }
}
