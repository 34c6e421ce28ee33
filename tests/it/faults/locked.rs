//! Another process holds the lock of the database, and the queue of the writer is full.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use nats_userman::action::Rules;
use nats_userman::apply::Postback;
use nats_userman::clock::{Clock, ExpiryRule, Zone};
use nats_userman::fields::Fields;
use nats_userman::journal::Origin;
use nats_userman::password::Vault;
use nats_userman::store::{Location, with_engine};
use nats_userman::writer::{Answer, Writer};
use rusqlite::Connection;
use tempfile::TempDir;

use super::{
    NOTHING_CHANGED, add, added, assert_log_is_clean, assert_unavailable, errors, health,
    is_healthy, members,
};
use crate::support::{NOON, Program, WriterBench, eventually, temp_dir};

/// The promised limit is one second. The rest allows for a busy machine. A sender waits longer than
/// this.
const ANSWERED_WITHIN: Duration = Duration::from_secs(8);

/// Holds a write transaction on another connection.
fn lock(database: &std::path::Path) -> Connection {
    let conn = Connection::open(database).unwrap();
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    conn
}

#[test]
fn while_another_process_holds_the_lock_postbacks_get_503_and_afterwards_work_goes_on() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let database = data.join("userman.db");
    let mut program = Program::serve(&data, &[]);
    assert_eq!(program.post(&add(1)).unwrap().body, added(1));
    let holder = lock(&database);
    let is_refused = |member| {
        let began = Instant::now();
        assert_unavailable(&program.post(&add(member)).unwrap(), NOTHING_CHANGED);
        assert!(began.elapsed() < ANSWERED_WITHIN, "{:?}", began.elapsed());
    };
    is_refused(2);
    std::thread::scope(|scope| {
        for member in 3..5 {
            scope.spawn(move || is_refused(member));
        }
    });
    assert_eq!(health(program.address), (503, "unavailable".into()));
    assert_eq!(
        program.post("action=CHECK&siteid=1&username=name-1").unwrap().body,
        "OK|username \"name-1\" is taken on site 1"
    );
    holder.execute_batch("ROLLBACK").unwrap();
    assert_eq!(program.post(&add(5)).unwrap().body, added(5));
    eventually("/health is ok", || is_healthy(program.address));
    assert_eq!(members(&database), [1, 5], "what was refused was never done");
    let log = program.stderr();
    assert_eq!(errors(&log).len(), 1, "{log}");
    assert!(
        errors(&log)[0].contains("the database is locked by another process: database is locked"),
        "{log}"
    );
    assert!(errors(&log)[0].ends_with("(SQLite code 5)"), "{log}");
    assert!(program.terminate().success());
    assert_log_is_clean(&program);
}

/// A writer on a database of its own, without HTTP.
struct OwnWriter {
    dir: TempDir,
    inner: WriterBench,
}

impl OwnWriter {
    fn new() -> Self {
        let dir = temp_dir();
        let location = Location::sqlite(dir.path().join("userman.db"));
        with_engine(&location, true, |_| ()).unwrap();
        let vault = Vault::from_key([7; 32]);
        let inner = WriterBench::start(&location, &vault, Clock::Fixed(Arc::new(NOON.into())));
        Self { dir, inner }
    }

    fn writer(&self) -> &Writer {
        &self.inner.writer
    }

    fn database(&self) -> std::path::PathBuf {
        self.dir.path().join("userman.db")
    }

    fn postback(&self, member: usize) -> Postback {
        let expiry = ExpiryRule { zone: Zone::UTC, grace_hours: 0 };
        let rules = Rules {
            vault: self.inner.vault.clone(),
            keep_cryptpass: false,
            expiry,
            stale_guard: false,
        };
        Postback::read(&Fields::from_urlencoded(add(member).as_bytes()), &rules, Origin::Nats, None)
            .0
    }

    fn stop(self) -> TempDir {
        self.inner.stop();
        self.dir
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
}

type Waiting<'a> = Pin<Box<dyn Future<Output = Answer> + 'a>>;

/// The answers that are available at once, and the postbacks that still wait.
async fn at_once(all: Vec<Waiting<'_>>) -> (Vec<Answer>, Vec<Waiting<'_>>) {
    let (mut answers, mut waiting) = (Vec::new(), Vec::new());
    for mut one in all {
        match std::future::poll_fn(|context| Poll::Ready(one.as_mut().poll(context))).await {
            Poll::Ready(answer) => answers.push(answer),
            Poll::Pending => waiting.push(one),
        }
    }
    (answers, waiting)
}

#[test]
fn one_more_than_the_queue_holds_is_refused_at_once_and_what_waits_too_long_is_withdrawn_for_good()
{
    let own = OwnWriter::new();
    let holder = lock(&own.database());
    // The queue holds 2048 postbacks, and one batch of at most 256 may have been taken from it. All
    // others are refused.
    let (room, more) = (2048 + 256, 50);
    let (refused, withdrawn) = block_on(async {
        let all = (1..=room + more)
            .map(|member| Box::pin(own.writer().submit(own.postback(member))) as Waiting<'_>)
            .collect();
        let (refused, waiting) = at_once(all).await;
        // All wait at once, so that each is withdrawn when its own time is over.
        (refused, join_all(waiting).await)
    });
    assert!(refused.len() >= more, "{} refused", refused.len());
    assert!(refused.iter().chain(&withdrawn).all(|answer| *answer == Answer::Unavailable));
    holder.execute_batch("ROLLBACK").unwrap();
    // The queue still has hundreds of withdrawn postbacks before this one.
    eventually("the lock is free and the queue has room", || {
        matches!(block_on(own.writer().submit(own.postback(9999))), Answer::Reply(_))
    });
    let database = own.database();
    let _dir = own.stop();
    assert_eq!(members(&database), [9999], "a postback was done after it had been refused");
}

/// A batch is repeated with a savepoint for each postback. The schema is changed so that it refuses
/// one row, as a bug in the program could cause.
#[test]
fn a_row_that_the_schema_refuses_spoils_no_other_postback_of_its_batch() {
    let own = OwnWriter::new();
    let holder = lock(&own.database());
    let refuse = "CREATE TRIGGER sabotage BEFORE INSERT ON member_auth WHEN new.memberid = 3
                  BEGIN SELECT RAISE(ABORT, 'sabotaged'); END; COMMIT";
    let answers = block_on(async {
        let all = (1..=5)
            .map(|member| Box::pin(own.writer().submit(own.postback(member))) as Waiting<'_>)
            .collect();
        let (_, waiting) = at_once(all).await;
        holder.execute_batch(refuse).unwrap();
        let mut answers = Vec::new();
        for one in waiting {
            answers.push(one.await);
        }
        answers
    });
    for (member, answer) in (1..).zip(answers) {
        match answer {
            Answer::Reply(reply) => assert_eq!(reply.as_str(), added(member)),
            refused => assert_eq!((member, refused), (3, Answer::Unavailable)),
        }
    }
    let database = own.database();
    let _dir = own.stop();
    assert_eq!(members(&database), [1, 2, 4, 5]);
}

/// Regression: a stop was waiting after a batch. That batch met a fault after which the database is
/// opened again, the stop was lost, and the service never ended.
#[test]
fn a_stop_behind_a_batch_that_meets_a_fault_is_not_forgotten() {
    let own = OwnWriter::new();
    let holder = lock(&own.database());
    let answer = block_on(async {
        let (none, mut waiting) =
            at_once(vec![Box::pin(own.writer().submit(own.postback(1))) as Waiting<'_>]).await;
        assert!(none.is_empty());
        own.writer().stop();
        // The batch waits for the lock, or it begins later. It then finds no table.
        holder
            .execute_batch(
                "DROP VIEW journal_text; ALTER TABLE journal RENAME TO elsewhere; COMMIT",
            )
            .unwrap();
        waiting.pop().unwrap().await
    });
    assert_eq!(answer, Answer::Unavailable);
    eventually("the writer has ended", || own.inner.has_ended());
}
