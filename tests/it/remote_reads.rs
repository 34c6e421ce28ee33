//! A database over a network: an HTTP thread continues while a read waits, and no sender waits for
//! ever.

use std::sync::Arc;
use std::time::Duration;

use nats_userman::identity::{Key, MemberId, SiteId, Username};
use nats_userman::metrics::Metrics;
use nats_userman::store::reads::pool::ReadLimits;
use nats_userman::store::{
    CookieLogin, CookieLoginState, Location, LoggedOut, Note, ReadError, ReadSource, Reads,
    with_engine,
};
use tempfile::TempDir;

use crate::support::{App, Gate, NOON, TOKEN, post_to, temp_dir};

/// Small limits.
const LIMITS: ReadLimits = ReadLimits { threads: 2, waiting: 3, time: Duration::from_secs(60) };

/// A database whose reads a test can delay, used on one thread.
struct Scene {
    gate: Arc<Gate>,
    location: Location,
    source: ReadSource,
    _dir: TempDir,
}

impl Scene {
    fn new(limits: ReadLimits) -> Self {
        let dir = temp_dir();
        let location = Location::sqlite(dir.path().join("userman.db"));
        with_engine(&location, true, |_| ()).unwrap();
        let gate = Arc::new(Gate::default());
        let source =
            ReadSource::with_limits(gate.database(location.clone()), Metrics::default(), limits)
                .unwrap();
        Self { gate, location, source, _dir: dir }
    }

    /// Runs a story on one thread, like an HTTP thread.
    fn on_one_thread<T>(&self, story: impl AsyncFnOnce(Reads) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, async { story(Reads::new(&self.source)).await })
    }
}

async fn holder(reads: &Reads, name: &str) -> Result<Option<MemberId>, ReadError> {
    let (site, name) = (SiteId::parse("1").unwrap(), Username::parse(name).unwrap());
    reads.read(move |reader| reader.holder(site, &name, NOON)).await
}

#[test]
fn a_thread_reads_on_while_another_read_waits() {
    let scene = Scene::new(LIMITS);
    scene.on_one_thread(async |reads| {
        let slow = tokio::task::spawn_local({
            let reads = reads.clone();
            async move { holder(&reads, "slow").await }
        });
        tokio::task::yield_now().await;
        scene.gate.wait_for(1);
        assert!(matches!(holder(&reads, "bob").await, Ok(None)));
        assert!(!slow.is_finished());
        scene.gate.open();
        assert!(matches!(slow.await.unwrap(), Ok(None)));
    });
}

#[test]
fn a_read_beyond_the_queue_is_refused_at_once_and_those_in_it_are_answered() {
    let scene = Scene::new(LIMITS);
    scene.on_one_thread(async |reads| {
        let spawn = |name: &'static str| {
            let reads = reads.clone();
            tokio::task::spawn_local(async move { holder(&reads, name).await })
        };
        let slow: Vec<_> = (0..LIMITS.threads).map(|_| spawn("slow")).collect();
        tokio::task::yield_now().await;
        scene.gate.wait_for(LIMITS.threads);
        let waiting: Vec<_> = (0..LIMITS.waiting).map(|_| spawn("bob")).collect();
        tokio::task::yield_now().await;
        let refused = holder(&reads, "bob").await;
        assert!(matches!(refused, Err(ReadError::Overloaded)), "{refused:?}");
        scene.gate.open();
        for read in slow.into_iter().chain(waiting) {
            assert!(matches!(read.await.unwrap(), Ok(None)));
        }
    });
}

#[test]
fn a_read_that_takes_too_long_is_given_up() {
    let scene = Scene::new(ReadLimits { time: Duration::from_millis(20), ..LIMITS });
    scene.on_one_thread(async |reads| {
        let late = holder(&reads, "slow").await;
        assert!(matches!(late, Err(ReadError::Overloaded)), "{late:?}");
    });
    scene.gate.open();
}

#[test]
fn a_broken_reader_is_opened_anew_and_a_job_that_panics_ends_no_thread() {
    let scene = Scene::new(LIMITS);
    scene.on_one_thread(async |reads| {
        for (failures, name) in ["broken", "panic"].into_iter().enumerate() {
            // More often than there are threads.
            for _ in 0..=LIMITS.threads {
                let failed = holder(&reads, name).await;
                assert!(matches!(failed, Err(ReadError::Fault(_))), "{failed:?}");
            }
            assert_eq!(scene.gate.opened(), (failures + 1) * (LIMITS.threads + 1));
        }
        assert!(matches!(holder(&reads, "bob").await, Ok(None)));
    });
}

/// A login by cookie of a member of site 1.
fn login(member: i64, id: [u8; 16]) -> CookieLogin {
    let (site, member) = (SiteId::parse("1"), MemberId::parse(&member.to_string()));
    let key = Key { site: site.unwrap(), member: member.unwrap() };
    CookieLogin { key, id, issued: NOON, login_version: 1, wants_last_use: false }
}

type States = Result<Vec<CookieLoginState>, ReadError>;

fn check(reads: &Reads, logins: Vec<CookieLogin>) -> tokio::task::JoinHandle<States> {
    let reads = reads.clone();
    tokio::task::spawn_local(async move { reads.cookie_logins(logins, NOON).await })
}

/// As many queries as run at once, each of them at the gate.
async fn two_slow_checks(scene: &Scene, reads: &Reads) -> Vec<tokio::task::JoinHandle<States>> {
    let mut checks = Vec::new();
    for member in [1, 2] {
        checks.push(check(reads, vec![login(member, Gate::SLOW)]));
        tokio::task::yield_now().await;
        scene.gate.wait_for(checks.len());
    }
    checks
}

#[test]
fn checks_by_cookie_that_come_while_two_queries_run_are_one_query_and_each_gets_its_own_answer() {
    let scene = Scene::new(ReadLimits { threads: 4, waiting: 9, ..LIMITS });
    let id = |member: i64| [u8::try_from(member).unwrap(); 16];
    let out = |member| {
        let key = login(member, id(member)).key;
        let (issued, until) = (NOON, NOON + 60);
        Note::LogOut(LoggedOut { key, id: id(member), issued, and_all_until: None, until })
    };
    with_engine(&scene.location, false, |engine| {
        engine.begin().unwrap();
        for member in [3, 4] {
            engine.note(&out(member), NOON).unwrap();
        }
        engine.commit().unwrap();
    })
    .unwrap();
    scene.on_one_thread(async |reads| {
        let slow = two_slow_checks(&scene, &reads).await;
        let waiting: Vec<_> = (1..=9)
            .map(|first| check(&reads, vec![login(first, id(first)), login(first, [99; 16])]))
            .collect();
        tokio::task::yield_now().await;
        let refused = reads.cookie_logins(vec![login(1, id(1))], NOON).await;
        assert!(matches!(refused, Err(ReadError::Overloaded)), "{refused:?}");
        scene.gate.open();
        for check in slow {
            assert_eq!(check.await.unwrap().unwrap().len(), 1);
        }
        for (first, check) in (1_u8..).zip(waiting) {
            let found: Vec<bool> =
                check.await.unwrap().unwrap().iter().map(|state| state.is_logged_out).collect();
            assert_eq!(found, [[3, 4].contains(&first), false], "member {first}");
        }
    });
    let mut queries = scene.gate.cookie_queries();
    queries.sort_unstable();
    assert_eq!(queries, [1, 1, 18]);
}

#[test]
fn a_query_about_logins_that_fails_is_told_to_each_of_its_checks_and_the_next_check_is_answered() {
    let scene = Scene::new(LIMITS);
    scene.on_one_thread(async |reads| {
        let slow = two_slow_checks(&scene, &reads).await;
        let fail = [Gate::BROKEN, [7; 16]].map(|id| check(&reads, vec![login(3, id)]));
        tokio::task::yield_now().await;
        scene.gate.open();
        for check in slow {
            assert!(check.await.unwrap().is_ok());
        }
        for check in fail {
            let failed = check.await.unwrap();
            assert!(matches!(failed, Err(ReadError::Fault(_))), "{failed:?}");
        }
        assert!(reads.cookie_logins(vec![login(3, [7; 16])], NOON).await.is_ok());
    });
    assert_eq!(scene.gate.cookie_queries(), [1, 1, 1]);
}

#[test]
fn of_many_checks_by_cookie_at_once_none_is_left_without_an_answer() {
    let scene = Scene::new(ReadLimits { waiting: 1_000, ..LIMITS });
    scene.on_one_thread(async |reads| {
        let checks: Vec<_> =
            (1..=1_000).map(|member| check(&reads, vec![login(member, [7; 16])])).collect();
        for check in checks {
            assert!(check.await.unwrap().is_ok());
        }
    });
    let queries = scene.gate.cookie_queries();
    assert_eq!((queries.iter().sum::<usize>(), queries.iter().max()), (1_000, Some(&64)));
}

#[test]
fn the_service_answers_others_while_a_check_waits_for_the_database() {
    let gate = Arc::new(Gate::default());
    let there = Arc::clone(&gate);
    let app = App::start_on(move |config| there.database(config.location.clone()));
    let check = |name: &str| {
        format!("GET /postback/{TOKEN}?action=CHECK&siteid=1&username={name} HTTP/1.0\r\n\r\n")
    };
    std::thread::scope(|scope| {
        let slow: Vec<_> = (1..ReadLimits::default().threads)
            .map(|_| scope.spawn(|| app.send(check("slow"))))
            .collect();
        gate.wait_for(slow.len());
        assert_eq!(app.send("GET /health HTTP/1.0\r\n\r\n").body, "ok");
        assert!(app.send(check("bob")).body.starts_with("NOTOK|"));
        assert!(
            app.post("action=ADD&siteid=1&memberid=71&username=bob&password=x").starts_with("OK|")
        );
        assert!(app.send(check("bob")).body.starts_with("OK|"), "what was acknowledged is seen");
        gate.open();
        for check in slow {
            assert!(check.join().unwrap().body.starts_with("NOTOK|"));
        }
    });
}

#[test]
fn a_check_that_cannot_be_read_gets_503_and_the_next_one_its_answer() {
    let gate = Arc::new(Gate::default());
    let app = App::start_on(move |config| gate.database(config.location.clone()));
    let check = |name: &str| {
        app.send(format!(
            "GET /postback/{TOKEN}?action=CHECK&siteid=1&username={name} HTTP/1.0\r\n\r\n"
        ))
    };
    let refused = check("broken");
    assert_eq!(
        (refused.status, refused.body.as_str()),
        (503, "ERROR|temporarily unavailable, nothing was changed")
    );
    assert_eq!(check("bob").status, 200);
}

#[test]
fn a_sender_whose_commit_takes_too_long_is_told_that_its_outcome_is_unknown() {
    let gate = Arc::new(Gate::default());
    // Long enough for the writer to take the postback; then it cannot be withdrawn.
    let app = App::start_with_commit_wait(Duration::from_secs(3), move |config| {
        gate.database(config.location.clone())
    });
    let add = "action=ADD&siteid=1&memberid=71&username=bob&password=x";
    let unknown =
        app.while_the_writer_is_stuck(|| post_to(app.address, TOKEN, add.as_bytes()).unwrap());
    assert_eq!(
        (unknown.status, unknown.body.as_str(), unknown.header("retry-after").is_some()),
        (503, "ERROR|temporarily unavailable, outcome unknown, send it again", true)
    );
    // The writer is done with it before it takes the next one: it had happened after all.
    assert!(app.post("action=DELETE&siteid=1&memberid=72").starts_with("OK|"));
    assert_eq!(app.rows("SELECT memberid FROM member_auth"), ["71"]);
    assert_eq!(app.post(add), "OK|member 71 \"bob\" of site 1 was so already");
}
