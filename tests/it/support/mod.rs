//! What tests share: the app, which is the whole service on a free port, in a temporary data
//! directory, with a clock that stands still; and the real program as a process. No helper sleeps
//! for a fixed time: each checks a condition until it is true, or until a limit is reached.

mod app;
pub mod authstrings;
mod bench;
mod certificate;
mod console;
mod database;
mod dir;
pub mod faults;
mod gated;
mod http;
mod mariadb;
pub mod metrics;
mod mmdb;
mod mounted;
pub mod nats;
pub mod pages;
mod port;
mod program;
pub mod ran;
pub mod rotation;
mod rows;
pub mod visit;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use nats_userman::member::Member;
use nats_userman::password::{Cost, HashKind, Password, Vault, VerifyError, verify};
use nats_userman::writer::LoginTimes;

pub use app::App;
pub use bench::WriterBench;
pub use certificate::{certify, certify_by_authority, make_authority};
pub use console::{Console, OPERATOR_PASSWORD, OPS, add_operator};
pub use database::{Beside, EngineKind, TestDatabase, check_database};
pub use dir::temp_dir;
pub use gated::Gate;
pub use http::{Caller, Request, Response, post_to, read_response, send_raw};
pub use mariadb::{MariaDatabase, MariaDb, server_program};
pub use mmdb::{country_file, map, mmdb, text};
pub use mounted::{Mounted, in_own_namespace};
pub use port::free_port;
pub use program::{NO_CONFIG, Program, operations_in, program};
pub use rows::{check_invariants, rows};

/// The token in all tests.
pub const TOKEN: &str = "test-token-0123456789abcdef-0123456789";
/// 2026-06-15 12:00:00 UTC, the time at which every test begins.
pub const NOON: i64 = 1_781_524_800;
/// The limit of every wait for an answer or for a process.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// The limit of a wait for a condition. Some come with work that has the lowest priority, such as
/// hashing, which gets little time of busy processors.
const PATIENCE_FOR_CONDITION: Duration = Duration::from_secs(150);

/// The first pause between two checks of a condition, and the longest one. The pauses grow, because
/// a check takes processor time from what it waits for.
const PAUSE_MIN: Duration = Duration::from_millis(2);
const PAUSE_MAX: Duration = Duration::from_millis(40);

/// The default lifetimes of logins, for a writer without a service.
pub const LOGIN_TIMES: LoginTimes = LoginTimes {
    lasts: 604_800,
    longest: 31_622_400,
    idle: None,
    recorded: 7_776_000,
    used: 86_400,
};

/// The files of a data directory while the service runs.
pub const DATA_FILES: [&str; 8] = [
    "cookie.key",
    "postback-token",
    "seal.key",
    "served.json",
    "userman.db",
    "userman.db-shm",
    "userman.db-wal",
    "userman.lock",
];

/// The lowest cost of new hashes, so that tests are fast.
pub fn cheap(kind: HashKind) -> Cost {
    Cost::custom(kind, 8, 1, 4).unwrap()
}

/// Whether `typed` is the password of the member in this row.
pub fn verify_member(row: &Member, vault: &Vault, typed: &Password) -> Result<bool, VerifyError> {
    verify(&row.credential.stored, row.key, vault, typed)
}

/// Waits until the condition is true. Fails after [`PATIENCE_FOR_CONDITION`].
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let (until, mut pause) = (Instant::now() + PATIENCE_FOR_CONDITION, PAUSE_MIN);
    while !is_so() {
        assert!(Instant::now() < until, "not within {PATIENCE_FOR_CONDITION:?}: {what}");
        std::thread::park_timeout(pause);
        pause = PAUSE_MAX.min(pause * 3 / 2);
    }
}

/// How far apart the steps are that a story tests which has something fail at each step: this far
/// in a usual run, and each step with `EVERY_CALL=1`, as `.ci/run` has it. Stories that are alike
/// begin at different steps.
pub fn stride(usual: usize) -> usize {
    if std::env::var_os("EVERY_CALL").is_some() { 1 } else { usual }
}

/// The path of a program of the system. If it is missing: `None` with a loud line, or a failure
/// with REQUIRE_REAL=1.
pub fn real_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file());
    if found.is_none() {
        assert!(
            std::env::var("REQUIRE_REAL").as_deref() != Ok("1"),
            "{name} is not installed and REQUIRE_REAL=1"
        );
        eprintln!("\n*** {name} IS NOT INSTALLED: this test proves nothing here ***\n");
    }
    found
}

/// Pseudo-random numbers, which are the same for the same seed (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }
}
