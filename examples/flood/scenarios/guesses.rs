//! A flood of guesses that cost no hash: ten wrong passwords, known by then, from one network after
//! the other, so that each network is blocked. Postbacks continue beside it. Afterwards the service
//! is idle with as many blocks as there can be.

use std::time::{Duration, Instant};

use super::{Bench, CONNECTIONS, add, load, measure};
use crate::Failure;
use crate::client::Load;
use crate::process::Server;
use crate::report::{Bar, Series};
use crate::request::{Ask, GUESSES};

/// Few, so that their passwords are hashed before the idle service is measured.
const MEMBERS: u64 = 10;
const GUESS_CONNECTIONS: usize = 128;
const GUESS_RATE: f64 = 14_000.0;
const POSTBACK_CONNECTIONS: usize = 4;
const POSTBACK_RATE: f64 = 20.0;
const TIME: Duration = Duration::from_secs(10);
/// Until the last of the blocks is written, at 256 a second; and for how long the idle service is
/// measured.
const SETTLE_TIME: Duration = Duration::from_secs(45);
const REST_TIME: Duration = Duration::from_secs(10);

impl Bench {
    pub(super) async fn guess_flood(&mut self, name: &str) -> Result<(), Failure> {
        let mut program = self.program_with(&["--trusted-proxy=127.0.0.1".into()])?;
        let members = add(&mut program, CONNECTIONS, MEMBERS);
        measure(&program, members, &mut Series::default()).await?;
        // Each wrong password costs a hash once.
        let guess = |server: &Server, first, connections, guesses| {
            load(server, Ask::Guess { member: MEMBERS - 1, first }, connections, guesses)
        };
        let (mut known, mut flood, mut quiet, mut beside) =
            <(Series, Series, Series, Series)>::default();
        measure(&program, guess(&program, 0, 1, GUESSES), &mut known).await?;
        let postbacks = |program: &mut Server| {
            let due = (POSTBACK_RATE * TIME.as_secs_f64()) as u64;
            Load {
                rate: Some(POSTBACK_RATE),
                time: TIME,
                ..add(program, POSTBACK_CONNECTIONS, due)
            }
        };
        let adds = postbacks(&mut program);
        measure(&program, adds, &mut quiet).await?;
        let adds = postbacks(&mut program);
        let guesses = guess(&program, 1, GUESS_CONNECTIONS, u64::MAX);
        let guesses = Load { rate: Some(GUESS_RATE), time: TIME, ..guesses };
        let (flooded, added) = tokio::join!(
            measure(&program, guesses, &mut flood),
            measure(&program, adds, &mut beside)
        );
        flooded.and(added)?;

        tokio::time::sleep(SETTLE_TIME).await;
        let before = program.cpu_seconds();
        tokio::time::sleep(REST_TIME).await;
        let rest = (program.cpu_seconds() - before) / REST_TIME.as_secs_f64();
        let ending = Instant::now();
        self.end(program)?;
        let ended = ending.elapsed();

        self.report.row(name, "known wrong passwords", GUESS_CONNECTIONS, &flood);
        self.report.row(name, "ADD, quiet", POSTBACK_CONNECTIONS, &quiet);
        self.report.row(name, "ADD, beside the flood", POSTBACK_CONNECTIONS, &beside);
        let refused = beside.outcome().refused.len() as f64 + beside.outcome().failures as f64;
        self.report.bar("known wrong passwords: rate", flood.rate(), Bar::AtLeast(GUESS_RATE));
        self.report.bar("ADD beside known wrong passwords: refused", refused, Bar::AtMost(0.0));
        self.report.bar(
            "ADD beside known wrong passwords: p99, ms",
            beside.p99_ms(),
            Bar::AtMost(100.0),
        );
        self.report.bar(
            "processor at rest with all blocks that there can be, %",
            rest * 100.0,
            Bar::AtMost(1.0),
        );
        self.report.bar("SIGTERM to the end with these, s", ended.as_secs_f64(), Bar::AtMost(5.0));
        Ok(())
    }
}
