//! Random stories with few members, sites and names. Each runs on the program and on
//! [`crate::engines::model`]; replies, rows and passwords must be equal. A postback that is sent
//! twice must change nothing the second time. A replay of the journal into an empty database, under
//! other settings, must give equal rows in every column, with sealed and with hashed passwords.
//!
//! Most stories run without HTTP, which is faster; some run over HTTP, which must give the same
//! results. Every run has the same stories. `PROPERTY_CASES=5000` runs more of them, and `.ci/run`
//! does; `PROPERTY_SEED=7` runs others. A failure prints the shortest story that fails, as a
//! transcript. Write a named test for what it shows; do not keep the seed.

pub mod replays;
mod run;
pub mod stories;
mod subjects;

use std::path::Path;

use nats_userman::action::Rules;
use nats_userman::clock::ExpiryRule;
use nats_userman::password::{HashKind, Vault};
use nats_userman::store::with_engine;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

pub use self::replays::{dump, replay};
pub use self::run::shown;
use self::run::{Run, opened};
use self::stories::{Step, Story};
pub use self::stories::{postbacks, stories};
use self::subjects::{Inside, OverHttp, Subject};
pub use self::subjects::{Place, in_transaction};
use crate::ENGINES;
use crate::support::{App, EngineKind, TestDatabase, check_database, temp_dir};

pub const STORIES: u32 = 40;
const STORIES_OVER_HTTP: u32 = 6;
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
pub fn run_inside(engine: EngineKind, story: &Story) -> Result<(), String> {
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
fn a_story_over_http_has_the_same_results() {
    for engine in ENGINES {
        let usual = match engine {
            EngineKind::Sqlite => STORIES_OVER_HTTP,
            EngineKind::MariaDb => STORIES_ON_A_SERVER_OVER_HTTP,
        };
        check(&stories(), cases(usual), |story| run_over_http(engine, story));
    }
}
