//! Two receivers on a real Galera cluster of three nodes, while nodes, receivers and connections
//! fail. Each story starts a cluster of its own on the loopback address.
//!
//! Takes minutes, so that `cargo test` leaves it out. Run it by `cargo test --test cluster`, or
//! only the stories whose names contain a word by `cargo test --test cluster -- WORD`. `FAULTS=500`
//! makes more faults, `FAULT_SEED=7` another series of them, `KILLS=100` kills one server more
//! often, `SKEW_ROUNDS=5000` makes more decisions meet, `HASH_ROUNDS=1000` more hashes.
//! `SHOW_LOGS=1` prints the logs of the receivers at the end.
//!
//! How fast such a cluster is, `cargo run --release --example flood -- --galera --only galera`
//! measures.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

mod checks;
mod deeds;
mod dice;
mod faults;
mod galera;
mod gatekeeper;
mod hashing;
#[allow(dead_code, reason = "shared with the other tests, which use all of it")]
#[path = "../it/support/http.rs"]
mod http;
mod node;
mod poster;
#[allow(dead_code, reason = "shared with tests of one server, which use all of it")]
mod proxy;
mod receiver;
#[path = "../system/runner.rs"]
mod runner;
mod single;
mod skew;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use runner::Story;

/// Of both receivers, 64 characters.
const TOKEN: &str = "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc";
/// How long a client waits for an answer: longer than a receiver may take.
const PATIENCE: Duration = Duration::from_secs(40);
/// What is waited for comes within this time also on a busy machine.
const EVENTUALLY: Duration = Duration::from_secs(120);

const NEEDS: &[&str] = &["mariadbd", "mariadb-install-db", "rsync", "setpriv"];

const STORIES: &[Story] = &[
    Story {
        name: "two_receivers_that_decide_about_one_member_or_one_name_at_once_agree",
        needs: NEEDS,
        run: skew::run,
    },
    Story {
        name: "a_password_that_is_sent_again_while_another_node_hashes_it_has_one_hash",
        needs: NEEDS,
        run: hashing::run,
    },
    Story {
        name: "one_server_that_is_killed_at_a_commit_keeps_what_was_acknowledged",
        needs: NEEDS,
        run: single::run,
    },
    Story {
        name: "whatever_fails_each_answer_is_true_on_every_node",
        needs: NEEDS,
        run: faults::run,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let meant = runner::meant(STORIES, &arguments);
    if runner::run(&meant) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A number of the environment.
fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().unwrap())
}

/// Waits for something that has to come. Returns how long it took.
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < EVENTUALLY, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
    began.elapsed()
}
