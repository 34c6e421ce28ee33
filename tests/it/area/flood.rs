//! A flood of logins gets 503 and does not delay other requests. The test runs the real program,
//! because only its hashes have the real cost.

use std::path::Path;
use std::sync::Barrier;

use super::Visit;
use crate::support::{Program, Request, Response, eventually, send_raw, temp_dir};

/// Logins at the same time: far more than the service queues.
const LOGINS: usize = 160;

#[test]
fn a_flood_of_logins_is_refused_while_postbacks_and_remembered_logins_go_on() {
    let dir = temp_dir();
    let program = Program::serve(&dir.path().join("data"), &["--trusted-proxy", "127.0.0.1"]);
    let ask = |visit: Visit<'_>| -> Response {
        let request = Request::get("/auth?site=1").lines(&visit.headers());
        send_raw(program.address, request).unwrap()
    };
    assert!(
        program
            .post("action=ADD&siteid=1&memberid=71&username=bob&password=secret")
            .unwrap()
            .body
            .starts_with("OK|")
    );
    assert_eq!(
        ask(Visit::with("bob", "secret")).status,
        200,
        "remembered from here on, or hashed once more when it is hardened"
    );
    let ready = Barrier::new(LOGINS + 1);
    std::thread::scope(|scope| {
        let floods: Vec<_> = (0..LOGINS)
            .map(|number| {
                let (ready, ask) = (&ready, &ask);
                scope.spawn(move || {
                    let (name, from) = (format!("name {number}"), format!("198.51.100.{number}"));
                    ready.wait();
                    ask(Visit::with(&name, "x").from(&from))
                })
            })
            .collect();
        ready.wait();
        let cookie_free =
            program.post("action=ADD&siteid=1&memberid=72&username=ann&password=secret").unwrap();
        assert_eq!(cookie_free.body, "OK|member 72 \"ann\" added to site 1");
        let answers: Vec<Response> =
            floods.into_iter().map(|flood| flood.join().unwrap()).collect();
        let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
        assert_eq!(
            count(401) + count(503),
            LOGINS,
            "refused for a while or for good, and nothing else"
        );
        assert!(count(503) > 0 && count(401) > 0, "{} and {}", count(503), count(401));
        let busy = answers.iter().find(|answer| answer.status == 503).unwrap();
        assert_eq!(
            (busy.header("retry-after"), busy.body.as_str()),
            (Some("5"), "It cannot be decided now. Please try again in a moment.")
        );
    });
    assert_eq!(ask(Visit::with("bob", "secret")).status, 200, "afterwards all is well");
}

/// Regression: the threads that hash for logins ran only on an idle processor. Beside one busy
/// program, the first login took 12 to 16 s.
#[test]
fn a_login_is_hashed_at_a_low_priority_that_is_never_starved_and_only_the_background_is_idle() {
    let dir = temp_dir();
    let program = Program::serve(&dir.path().join("data"), &[]);
    let own = priority(Path::new("/proc/self/stat"));
    let tasks = format!("/proc/{}/task", program.child.id());
    let priorities = || -> Vec<(String, (i32, u32))> {
        let of = |task: std::fs::DirEntry| {
            let name = std::fs::read_to_string(task.path().join("comm")).unwrap().trim().to_owned();
            (name, priority(&task.path().join("stat")))
        };
        std::fs::read_dir(&tasks).unwrap().map(|task| of(task.unwrap())).collect()
    };
    let has = |name: &str, wanted: (i32, u32)| priorities().contains(&(name.to_owned(), wanted));
    eventually("a nice value of 10 at the usual policy", || {
        has("login 0", (own.0.max(10), SCHED_OTHER))
    });
    eventually("idle", || has("hashing", (own.0, SCHED_IDLE)));
}

const SCHED_OTHER: u32 = 0;
const SCHED_IDLE: u32 = 5;

/// The nice value and the policy in a `stat` file of /proc.
fn priority(stat: &Path) -> (i32, u32) {
    let text = std::fs::read_to_string(stat).unwrap();
    // The name may contain blanks. It ends with the last parenthesis, and the third field follows.
    let fields: Vec<&str> = text.rsplit_once(") ").unwrap().1.split(' ').collect();
    (fields[19 - 3].parse().unwrap(), fields[41 - 3].parse().unwrap())
}
