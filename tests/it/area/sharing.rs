//! Members whose login is used from too many networks.

use super::{BOB, Visit, admitted, app, cookie, log_in, raw};
use crate::engines::area::sharing::{CountryRule, FLAGS, is_in, spread};
use crate::support::{App, NOON, eventually, temp_dir};

#[test]
fn what_was_counted_and_who_is_blocked_survive_a_restart() {
    let app = app(&FLAGS);
    app.post(BOB);
    let cookie = cookie(&log_in(&app, "bob", "secret"));
    assert!(spread(&app, &cookie, 2).iter().all(|answer| answer.0 == 200));
    eventually("the networks are written", || {
        app.rows("SELECT count(*) FROM sharing_network") == ["3"]
    });
    let flags = [&["--trusted-proxy", "127.0.0.1"][..], &FLAGS].concat();
    let app = App::start_at(app.stop(), &flags, NOON + 60);
    assert_eq!(admitted(&app, Visit::holding(&cookie).from("198.51.9.7")).1, "shared");
    eventually("the block is written", || {
        app.rows("SELECT memberid, until FROM sharing_block") == [format!("71|{}", NOON + 3_660)]
    });
    let app = App::start_at(app.stop(), &flags, NOON + 120);
    assert!(!is_in(&app, &cookie));
}

#[test]
fn by_default_a_line_is_logged_and_nobody_is_blocked() {
    let app = app(&["--sharing-networks", "3"]);
    app.post(BOB);
    let cookie = cookie(&log_in(&app, "bob", "secret"));
    assert!(spread(&app, &cookie, 9).iter().all(|answer| answer.0 == 200));
    eventually("it is written", || {
        app.rows("SELECT memberid, until = since, why FROM sharing_block") == ["71|1|networks"]
    });
    assert_eq!(raw(&app, "GET /auth?site=1", "", "").status, 401);
}

#[test]
fn without_it_nothing_is_written_and_exempt_members_are_not_counted() {
    for flags in [&["--sharing", "off"][..], &["--sharing-exempt-member", "1/71"]] {
        let app = app(&[flags, &["--sharing-networks", "1"]].concat());
        app.post(BOB);
        let one = cookie(&log_in(&app, "bob", "secret"));
        assert!(spread(&app, &one, 9).iter().all(|answer| answer.0 == 200));
        // The answer comes when all earlier notes are written.
        let form = super::form("members.example.com", "/logout", &one, "");
        assert_eq!(app.send(form).status, 303);
        assert_eq!(app.rows("SELECT count(*) FROM sharing_network"), ["0"], "{flags:?}");
    }
}

#[test]
fn exempt_networks_and_members_are_in_no_country() {
    for exempt in
        [["--sharing-exempt-network", "2001:db8::/32"], ["--sharing-exempt-member", "1/71"]]
    {
        let rule = CountryRule::new("block", &exempt);
        let app = App::start_in(temp_dir(), &rule.flags());
        app.post(BOB);
        let cookie = cookie(&log_in(&app, "bob", "secret"));
        for from in ["198.51.0.7", "198.51.1.7", "2001:db8::7"] {
            assert_eq!(admitted(&app, Visit::holding(&cookie).from(from)).0, 200, "{exempt:?}");
        }
    }
}
