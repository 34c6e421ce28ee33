//! Random stories with few members, sites and names. Each runs on the program and on
//! [`crate::model`]; replies, rows and passwords must be equal. A postback that is sent twice must
//! change nothing the second time. A replay of the journal into an empty database, under other
//! settings, must give equal rows in every column, with sealed and with hashed passwords.
//!
//! Most stories run without HTTP, which is faster; some run over HTTP, which must give the same
//! results. Every run has the same stories. `PROPERTY_CASES=5000` runs more of them, and `.ci/run`
//! does; `PROPERTY_SEED=7` runs others. A failure prints the shortest story that fails, as a
//! transcript. Write a named test for what it shows; do not keep the seed.

pub mod replays;
mod run;
mod stories;
mod subjects;

use std::path::Path;

use nats_userman::action::Rules;
use nats_userman::clock::ExpiryRule;
use nats_userman::password::{HashKind, Vault};
use nats_userman::store::{Location, with_engine};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

pub use self::replays::{dump, replay};
pub use self::run::shown;
use self::run::{Run, opened};
use self::stories::{Step, Story, stories};
pub use self::stories::{Text, postbacks};
use self::subjects::{Inside, OverHttp, Subject};
pub use self::subjects::{Place, in_transaction};
use crate::support::{
    App, EngineKind, NOON, Program, TestDatabase, check_database, program, temp_dir,
};

const STORIES: u32 = 120;
const STORIES_OVER_HTTP: u32 = 6;
/// Each makes three databases, and each statement goes to a server and back.
const STORIES_ON_A_SERVER: u32 = 12;
const STORIES_ON_A_SERVER_OVER_HTTP: u32 = 3;

/// Runs a story, replays its journal twice, and checks that everything is equal.
fn run_on(subject: &mut dyn Subject, story: &Story, dir: &Path) -> Result<(), String> {
    let mut run = Run::new(subject, story);
    run.run(&story.steps)?;
    // Expired members are moved, as happens within a second.
    run.wait_until(run.now, true);
    run.run(&[Step::PutHashes])?;
    let (now, keep) = (run.now, story.keep_cryptpass);
    let compare_replay = |run: &Run<'_>, name: &str| -> Result<Place, String> {
        let subject = &run.subject;
        let place = replay(dir, name, subject.location(), subject.vault(), keep, now)
            .map_err(|why| format!("{}\n*** {why}", run.said))?;
        let what = format!("every column, in the first database and after a replay {name}");
        run.same_lines(&what, &dump(subject.location()), &dump(&place.location))?;
        Ok(place)
    };
    let copy = compare_replay(&run, "with a backlog")?;
    copy.harden();
    let opened_there = opened(&copy.location, &copy.rules.vault, now);
    run.same_lines(
        "who is opened by what, and that after a replay and its own hashing",
        &run.opened(),
        &opened_there,
    )?;
    run.run(&[Step::Harden])?;
    compare_replay(&run, "without a backlog")?;
    let sealed = run.beside.rows("SELECT id FROM journal WHERE sealed IS NOT NULL");
    run.same_lines("records that are still sealed", &[], &sealed)?;
    check_database(run.subject.location());
    Ok(())
}

fn hash_kind(story: &Story) -> HashKind {
    if story.bcrypt { HashKind::Bcrypt } else { HashKind::Argon2id }
}

/// Without HTTP. Passes where the engine's server is not installed.
fn run_inside(engine: EngineKind, story: &Story) -> Result<(), String> {
    let Some(database) = TestDatabase::new(engine) else { return Ok(()) };
    let dir = temp_dir();
    let expiry = ExpiryRule {
        zone: story.zone.0.parse().unwrap(),
        grace_hours: u32::try_from(story.grace_hours).unwrap(),
    };
    let rules = Rules {
        vault: Vault::from_key([7; 32]),
        keep_cryptpass: story.keep_cryptpass,
        expiry,
        stale_guard: false,
    };
    let place = Place::on(database, rules, hash_kind(story));
    with_engine(&place.location, true, |engine| {
        run_on(
            &mut Inside { engine, place: &place, hashed: Vec::new(), rehashed: Vec::new() },
            story,
            dir.path(),
        )
    })
    .unwrap()
}

fn run_over_http(engine: EngineKind, story: &Story) -> Result<(), String> {
    let copies = temp_dir();
    let grace = story.grace_hours.to_string();
    let mut flags = vec!["--time-zone", story.zone.0, "--expire-grace-hours", &grace];
    flags.extend(story.keep_cryptpass.then_some("--keep-cryptpass"));
    let Some(app) = App::start_on_engine(engine, &flags) else { return Ok(()) };
    let vault = Vault::load(&app.dir.path().join("data/seal.key")).unwrap();
    run_on(&mut OverHttp { app, vault }, story, copies.path())
}

/// The number of cases: the usual one, or more in proportion to PROPERTY_CASES.
pub fn cases(usual: u32) -> u32 {
    number_of("PROPERTY_CASES").map_or(usual, |cases| (usual * cases).div_ceil(STORIES))
}

fn number_of(variable: &str) -> Option<u32> {
    std::env::var(variable).ok().map(|text| text.parse().expect(variable))
}

/// Tries many values, which are equal in every run. Shortens and shows a failure.
pub fn check<S: Strategy>(
    strategy: &S,
    cases: u32,
    test: impl Fn(&S::Value) -> Result<(), String>,
) {
    // No file of failures is written into the tree. A failure becomes a test with a name.
    let config =
        Config { cases, failure_persistence: None, max_shrink_iters: 3_000, ..Config::default() };
    let mut seed = [0; 32];
    seed[..4].copy_from_slice(&number_of("PROPERTY_SEED").unwrap_or(0).to_le_bytes());
    let mut runner =
        TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    match runner.run(strategy, |value| test(&value).map_err(TestCaseError::fail)) {
        Ok(()) => {}
        Err(TestError::Fail(reason, _)) => panic!("the shortest story that fails:\n\n{reason}\n"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

#[test]
fn every_story_goes_as_the_model_says_and_its_journal_replays_to_the_same_rows() {
    check(&stories(), cases(STORIES), |story| run_inside(EngineKind::Sqlite, story));
}

#[test]
fn every_story_goes_on_mariadb_as_the_model_says_and_its_journal_replays_to_the_same_rows() {
    let cases = cases(STORIES_ON_A_SERVER);
    check(&stories(), cases, |story| run_inside(EngineKind::MariaDb, story));
}

#[test]
fn a_story_over_http_has_the_same_results() {
    check(&stories(), cases(STORIES_OVER_HTTP), |story| run_over_http(EngineKind::Sqlite, story));
    let cases = cases(STORIES_ON_A_SERVER_OVER_HTTP);
    check(&stories(), cases, |story| run_over_http(EngineKind::MariaDb, story));
}

#[test]
fn the_real_program_exports_its_journal_and_replays_it_to_the_same_rows() {
    let dir = temp_dir();
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    let mut service = Program::serve(&first, &["--keep-cryptpass"]);
    for (body, word) in [
        (
            "action=ADD&siteid=1&memberid=71&username=bob&password=secret&email=a@example.com&\
             session=0123",
            "OK",
        ),
        ("action=ADD&siteid=1&memberid=72&username=BOB&password=secret", "ERROR"),
        ("action=ADD&siteid=1&memberid=72&username=ann&cryptpass=41R19prsa7NLQ&trial=1", "OK"),
        (
            "action=CHANGE&siteid=1&memberid=71&username=bob&new_username=rob&new_password=other",
            "OK",
        ),
        (
            "action=MANUALADD&siteid=1&memberid=73&username=bob&password=third&\
             cryptpass=a4sLkn7C9GP12",
            "OK",
        ),
        ("action=EXPIRE&siteid=1&memberid=72&expire=9999-12-31", "OK"),
        ("action=EXPIRE&siteid=1&memberid=73&expire=2020-01-01", "OK"),
        ("action=DELETE&siteid=1&memberid=71", "OK"),
        ("action=ACTIVATE&siteid=1&memberid=71&username=rob", "OK"),
        ("action=UPGRADE&siteid=1", "ERROR"),
    ] {
        let reply = service.post(body).unwrap().body;
        assert_eq!(reply.split('|').next().unwrap(), word, "{body}: {reply}");
    }
    assert!(service.terminate().success());
    // The journal also has the operator's commands, and the postbacks of a capture.
    let capture = dir.path().join("capture");
    std::fs::write(
        &capture,
        "action=CHANGE&siteid=1&memberid=72&new_password=fourth\n\
        action=DELETE&siteid=1&memberid=72\n",
    )
    .unwrap();
    for command in [
        vec!["member", "remove", "1", "71"],
        vec!["member", "restore", "1", "71", "--username", "robert"],
        vec!["replay", capture.to_str().unwrap()],
    ] {
        let done = program().args(&command).arg("--data-dir").arg(&first).output().unwrap();
        assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    let exported =
        program().args(["journal", "--json", "--data-dir"]).arg(&first).output().unwrap();
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    assert_eq!(exported.stdout.iter().filter(|&&byte| byte == b'\n').count(), 14);
    let file = dir.path().join("journal.jsonl");
    std::fs::write(&file, exported.stdout).unwrap();
    std::fs::create_dir(&second).unwrap();
    std::fs::copy(first.join("seal.key"), second.join("seal.key")).unwrap();
    let replayed = program()
        .args(["replay", "--journal"])
        .arg(&file)
        .arg("--data-dir")
        .arg(&second)
        .output()
        .unwrap();
    assert!(replayed.status.success(), "{}", String::from_utf8_lossy(&replayed.stderr));
    assert_eq!(String::from_utf8_lossy(&replayed.stdout), "12 OK, 0 NOTOK, 2 ERROR\n");

    let database = |data: &Path| Location::sqlite(data.join("userman.db"));
    assert_eq!(dump(&database(&first)), dump(&database(&second)));
}

#[test]
fn a_journal_of_strange_bodies_replays_to_the_same_rows() {
    let app = App::start_in(temp_dir(), &["--keep-cryptpass"]);
    for body in [
        // Windows-1252; a repeated key whose last value is empty or not; names as PHP writes them;
        // arrays; an empty body.
        "action=ADD&siteid=1&memberid=71&username=zo%E9&password=p%E9&email=z%40example.com&\
         biller=a%26b%3Dc%25",
        "action=ADD&siteid=1&memberid=72&username=bob&password=one&password=&\
         cryptpass=41R19prsa7NLQ&session=a&session=",
        "action=ADD&siteid=1&memberid=73&username=ghost&username=ann&password=&password=***&\
         session=***&memberidx=***",
        "action=DELETE&action=CHANGE&site.id=9&siteid=1&memberid=73&new_username[a]=x&\
         new_password=a+b&new email=n%40example.com",
        "action=CHANGE&siteid=1&memberid=72&new_email=&email=%C3%A9%40example.com&new_cryptpass=&\
         new_password=",
        // Refused, and no part of it is done.
        "action=CHANGE&siteid=1&memberid=72&new_username=eve&new_email=x&new_cryptpass=nonsense&\
         new_password=",
        "action=ACTIVATE&siteid=1&memberid=72&username=BOB&trial=yes&joined=soon&expires=0&\
         secret+with+no+name&&=x&%",
        "action=EXPIRE&siteid=1&memberid=71&expire=&expires=1900000000",
        "action=EXPIRE&siteid=1&memberid=72&expire=2026-06-15&expires=1900000000",
        "{\"action\":\"ADD\",\"password\":\"x\"}",
        "",
        "action=ADD&siteid=1&memberid=74&username=x%00y&password=x",
        "action=TRIALTOFULL&siteid=1&memberid=0072&username=b+ob",
    ] {
        let _ = app.post(body);
    }
    let copies = temp_dir();
    let vault = Vault::load(&app.dir.path().join("data/seal.key")).unwrap();
    let rows_now = dump(&app.config.location);
    let members =
        app.rows("SELECT memberid, username, email, expire_at FROM member_auth ORDER BY memberid");
    assert_eq!(
        members,
        ["71|zoé|z@example.com|1900000000", "72|b ob|é@example.com|", "73|ann|n@example.com|"]
    );
    assert!(app.opens(1, 71, "pé") && app.opens(1, 72, "testtest") && app.opens(1, 73, "a b"));
    let sealed =
        replay(copies.path(), "sealed.db", &app.config.location, &vault, true, NOON).unwrap();
    assert_eq!(dump(&sealed.location), rows_now);
    app.harden();
    let hashed =
        replay(copies.path(), "hashed.db", &app.config.location, &vault, true, NOON).unwrap();
    assert_eq!(dump(&hashed.location), dump(&app.config.location));
}
