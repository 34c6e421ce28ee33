//! What happens to a member while their password is hashed.

use std::sync::Arc;
use std::time::Duration;

use super::{Visit, admitted, auth, cookie, log_in, told};
use crate::support::metrics::metrics;
use crate::support::{App, Gate, eventually};

/// The number of passwords that were hashed for logins.
const HASHED: &str = "nats_userman_hash_wait_seconds_count ";
const ADD: &str = "action=ADD&siteid=1&username=bob&password=secret&trial=0";

/// A login that reads the row again waits at the gate until NATS has its answer.
#[test]
fn what_nats_was_answered_while_a_password_was_hashed_counts_for_its_login() {
    for (postback, expected) in [
        ("action=DELETE", (401, "login")),
        ("action=EXPIRE&expire=2026-06-14", (401, "login")),
        ("action=CHANGE&new_password=other", (401, "login")),
        ("action=CHANGE&new_username=rob", (401, "login")),
        ("action=CHANGE&new_trial=1", (403, "trial")),
        ("action=CHANGE&new_email=b@example.com", (200, "1 515151 bob 0")),
        // Sent again, the password is the same one.
        ("action=CHANGE&new_password=secret", (200, "1 515151 bob 0")),
    ] {
        let gate = Arc::new(Gate::default());
        let app = App::start_on({
            let gate = Arc::clone(&gate);
            move |config| gate.database(config.location.clone())
        });
        let post = |text: &str| app.post(&format!("{text}&memberid={}", Gate::SLOW_MEMBER));
        assert!(post(ADD).starts_with("OK|"));
        let answer = std::thread::scope(|scope| {
            let visitor =
                scope.spawn(|| told(&auth(&app, "site=1&trial=no", Visit::with("bob", "secret"))));
            gate.wait_for(1);
            let reply = post(&format!("{postback}&siteid=1"));
            assert!(reply.starts_with("OK|"), "{reply}");
            gate.open();
            visitor.join().unwrap()
        });
        assert_eq!((answer.0, answer.1.as_str()), expected, "{postback}");
    }
}

/// The end of the logins by the former password would end this one with them.
#[test]
fn a_login_by_a_new_password_stays_when_that_is_compared_with_the_one_before() {
    let app = App::start_with_compare_wait(Duration::from_secs(600));
    let hashed = || {
        let metrics = metrics(app.ops.unwrap());
        let count = metrics.lines().find_map(|line| line.strip_prefix(HASHED)).unwrap();
        count.parse::<u32>().unwrap()
    };
    assert!(app.post(&format!("{ADD}&memberid=71")).starts_with("OK|"));
    app.harden();
    let old = cookie(&log_in(&app, "bob", "secret"));
    for postback in [
        "action=ADD&siteid=1&memberid=71&username=bob&password=newer",
        "action=ACTIVATE&siteid=1&memberid=71&username=bob&password=newest",
    ] {
        assert!(app.post(postback).starts_with("OK|"));
        let password = postback.rsplit('=').next().unwrap();
        let before = hashed();
        let new = std::thread::scope(|scope| {
            let login = scope.spawn(|| cookie(&log_in(&app, "bob", password)));
            eventually("the login has opened the seal", || hashed() > before);
            app.harden();
            login.join().unwrap()
        });
        assert_eq!(admitted(&app, Visit::holding(&old)).0, 401, "the former password's");
        assert_eq!(admitted(&app, Visit::holding(&new)).0, 200, "{postback}");
    }
}
