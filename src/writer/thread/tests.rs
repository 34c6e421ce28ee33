//! Every command where the database loses its transaction.

use std::sync::mpsc::sync_channel;

use tokio::sync::oneshot;

use super::*;
use crate::apply::losing::{Losing, NOON, Scene, postback};
use crate::apply::transact;
use crate::apply::transaction::RERUNS_MAX;
use crate::clock::Clock;
use crate::clock::jump::Watch;
use crate::heartbeat::Heartbeat;
use crate::identity::{Key, MemberId, SiteId};
use crate::metrics::Metrics;
use crate::password::{Hash, Stored};
use crate::reply::Reply;
use crate::store::{CookieLogin, CurrentDatabase, Hardened, Note, Seen, open_reader};
use crate::writer::conversion::CONVERSION_PAUSE;
use crate::writer::lane::{Lane, PendingNote};
use crate::writer::logins::LoginTimes;
use crate::writer::queue::Answer;

/// What the writer answered, in the order of the commands, and its counters.
#[derive(Debug, PartialEq, Eq)]
struct Answers {
    added: Answer,
    noted: bool,
    hardened: bool,
    probed: bool,
    lost: u64,
}

fn setup(scene: &Scene) -> Setup {
    let clock = Clock::Fixed(std::sync::Arc::new(NOON.into()));
    Setup {
        file: CurrentDatabase::new(scene.location.clone()),
        vault: scene.vault.clone(),
        jumps: Watch::new(clock.read(), None, 10),
        clock,
        moved_until: None,
        journal_days: Some(30),
        logins: LoginTimes {
            lasts: 3_600,
            longest: 7_200,
            idle: Some(600),
            recorded: 86_400,
            used: 86_400,
        },
        upkeep_every: Duration::ZERO,
        commit_wait: None,
        conversion_pause: CONVERSION_PAUSE,
        sealed: sync_channel(1).0,
        heartbeat: Heartbeat::default(),
    }
}

fn member(text: &str) -> Key {
    Key { site: SiteId::parse("1").unwrap(), member: MemberId::parse(text).unwrap() }
}

/// Bob is there, with a sealed password. Ann joins, a note is written, Bob's password is
/// hashed, and the health probe comes; after each there is upkeep.
fn work(scene: &Scene, losing: &mut Losing<'_>) -> Answers {
    let (queue, commands) = sync_channel(16);
    let (metrics, lane) = (Metrics::default(), Lane::default());
    let (queued, _, mut added) = QueuedPostback::new(postback(
        "action=ADD&siteid=1&memberid=72&username=ann&cryptpass=ab01FAX.bQRSU",
    ));
    let (noted, mut was_noted) = oneshot::channel();
    let note = Note::Seen(Seen { key: member("71"), id: [3; 16], at: NOON });
    lane.push(PendingNote { note, done: Some(noted) });
    let (hardened, mut was_hardened) = oneshot::channel();
    let (probed, mut was_probed) = oneshot::channel();
    queue.send(Command::Postback(queued)).unwrap();
    queue.send(Command::Harden(vec![hashed(scene)], hardened)).unwrap();
    queue.send(Command::Probe(probed)).unwrap();
    queue.send(Command::Stop).unwrap();
    let mut thread =
        Thread::new(setup(scene), commands, Transactions::new(metrics.clone()), Notes::of(lane));
    assert_eq!(thread.work(losing), End::Stop);
    Answers {
        added: added.try_recv().unwrap().0,
        noted: was_noted.try_recv().unwrap(),
        hardened: was_hardened.try_recv().unwrap(),
        probed: was_probed.try_recv().unwrap(),
        lost: metrics.lost_transactions(),
    }
}

fn hashed(scene: &Scene) -> Hardened {
    let pending = open_reader(&scene.location).unwrap().pending(1).unwrap().remove(0);
    // The writer puts any text in the place of a seal.
    let form = Stored::Hash(Hash::from_text("a hash".into()));
    Hardened { pending, form, differs: false }
}

/// Bob is a member.
fn scene() -> Scene {
    let scene = Scene::new();
    let bob = postback("action=ADD&siteid=1&memberid=71&username=bob&password=secret");
    scene.with_losing(
        |_| {},
        |losing| transact(losing, &scene.vault, &[&bob], || NOON).unwrap().remove(0).unwrap(),
    );
    scene
}

fn is_noted(scene: &Scene) -> bool {
    let reader = open_reader(&scene.location).unwrap();
    let login = CookieLogin {
        key: member("71"),
        id: [3; 16],
        issued: NOON,
        login_version: 0,
        wants_last_use: true,
    };
    reader.cookie_logins(&[login], NOON).unwrap()[0].last_used == Some(NOON)
}

#[test]
fn a_command_whose_transaction_is_lost_at_any_step_is_run_again_and_answered_once() {
    let first = scene();
    let (answers, steps) = first.with_losing(|_| {}, |losing| (work(&first, losing), losing.steps));
    let added = "OK|member 72 \"ann\" added to site 1";
    assert_eq!(answers.added, Answer::Reply(Reply::from_line(added).unwrap()));
    let expected = Answers { lost: 1, ..answers };
    assert!(expected.noted && expected.hardened && expected.probed, "{expected:?}");
    assert!(is_noted(&first));
    for step in 0..steps {
        let scene = scene();
        let answers = scene
            .with_losing(|losing| losing.lost_at = [step].into(), |losing| work(&scene, losing));
        assert_eq!(answers, expected, "lost at step {step}");
        assert_eq!(scene.content(), first.content(), "lost at step {step}");
        assert!(is_noted(&scene), "lost at step {step}");
    }
}

#[test]
fn what_is_lost_at_every_try_is_answered_with_no_and_the_database_is_opened_anew() {
    let scene = scene();
    let before = scene.content();
    let (queue, commands) = sync_channel(16);
    let (queued, _, mut added) = QueuedPostback::new(postback(
        "action=ADD&siteid=1&memberid=72&username=ann&password=secret",
    ));
    let (probed, mut was_probed) = oneshot::channel();
    queue.send(Command::Postback(queued)).unwrap();
    queue.send(Command::Probe(probed)).unwrap();
    let metrics = Metrics::default();
    let (transactions, notes) = (Transactions::new(metrics.clone()), Notes::of(Lane::default()));
    let mut thread = Thread::new(setup(&scene), commands, transactions, notes);
    let end = scene.with_losing(|losing| losing.lost_from = Some(0), |losing| thread.work(losing));
    assert_eq!(end, End::Reopen);
    assert_eq!(added.try_recv().unwrap().0, Answer::Unavailable);
    assert_eq!(was_probed.try_recv(), Ok(false), "it ended the batch, and is refused with it");
    assert_eq!(metrics.lost_transactions(), u64::from(RERUNS_MAX));
    assert_eq!(scene.content(), before);
}

#[test]
fn an_unknown_outcome_of_a_postback_alone_has_the_database_opened_anew() {
    let scene = scene();
    let (queue, commands) = sync_channel(16);
    let mut answers = ["72", "73"].map(|member| {
        let (queued, _, answered) = QueuedPostback::new(postback(&format!(
            "action=ADD&siteid=1&memberid={member}&username=name-{member}&password=secret"
        )));
        queue.send(Command::Postback(queued)).unwrap();
        answered
    });
    let (transactions, notes) = (Transactions::new(Metrics::default()), Notes::of(Lane::default()));
    let mut thread = Thread::new(setup(&scene), commands, transactions, notes);
    let ended = scene.with_losing(
        |losing| {
            losing.refused = Some(member("73"));
            (losing.ends_at_refused, losing.outcomes_are_unknown) = (true, true);
        },
        |losing| (thread.work(losing), losing.begun),
    );
    assert_eq!(ended, (End::Reopen, 3), "the batch twice, and 72 alone");
    let answers = answers.each_mut().map(|answered| answered.try_recv().unwrap().0);
    assert_eq!(answers, [Answer::OutcomeUnknown, Answer::Unavailable]);
}

/// All postbacks together write too few pages for a checkpoint that is due, and enough for one that
/// is made while nobody waits. The thread that posts waits for that one without sending anything.
#[test]
fn a_pause_of_the_postbacks_is_used_for_a_checkpoint_that_is_not_due_yet() {
    let scene = scene();
    let location = scene.location.clone().with_checkpoint_every(800);
    let setup = Setup { file: CurrentDatabase::new(location), ..setup(&scene) };
    let (queue, commands) = sync_channel(16);
    let (transactions, notes) = (Transactions::new(Metrics::default()), Notes::of(Lane::default()));
    let thread =
        std::thread::spawn(move || Thread::new(setup, commands, transactions, notes).run());
    for member in 100..120 {
        let (queued, _, added) = QueuedPostback::new(postback(&format!(
            "action=ADD&siteid=1&memberid={member}&username=name-{member}&cryptpass=ab01FAX.bQRSU"
        )));
        queue.send(Command::Postback(queued)).unwrap();
        assert!(matches!(added.blocking_recv().unwrap().0, Answer::Reply(_)));
    }
    // Not in the WAL, but in the database file itself.
    let file = scene.location.file().unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while memchr::memmem::find(&std::fs::read(file).unwrap(), b"name-100").is_none() {
        assert!(Instant::now() < until, "no checkpoint");
        std::thread::yield_now();
    }
    queue.send(Command::Stop).unwrap();
    thread.join().unwrap();
}
