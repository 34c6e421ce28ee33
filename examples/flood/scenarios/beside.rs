//! Look-ups beside the ceiling: as many as there can be, then half as many, for their latency.

use std::time::Duration;

use super::{Bench, CONNECTIONS, ROUNDS, load};
use crate::Failure;
use crate::client::Load;
use crate::process::Server;
use crate::report::Series;
use crate::request::Ask;

/// The part of the full load at which latency is measured, and for how long in each round.
const HALF: f64 = 0.5;
const HALF_TIME: Duration = Duration::from_secs(2);

/// What was measured.
pub(super) struct Beside {
    /// Our rate by the ceiling's.
    pub rate_ratio: f64,
    /// At half the load.
    pub half_p99_ms: f64,
}

impl Bench {
    /// Look-ups beside the ceiling, so many a round, then at half their rate; with their rows.
    pub(super) async fn beside(
        &mut self,
        name: &str,
        server: &Server,
        ask: Ask,
        requests: u64,
    ) -> Result<Beside, Failure> {
        let (mut ceiling, mut program) = (Series::default(), Series::default());
        let (mut ceiling_half, mut half) = (Series::default(), Series::default());
        for _ in 0..ROUNDS {
            let load = load(server, ask.clone(), CONNECTIONS, requests);
            self.round(server, load, &mut ceiling, &mut program).await?;
        }
        let rate = program.rate() * HALF;
        for _ in 0..ROUNDS {
            let load = load(server, ask.clone(), CONNECTIONS, u64::MAX);
            let load = Load { rate: Some(rate), time: HALF_TIME, ..load };
            self.round(server, load, &mut ceiling_half, &mut half).await?;
        }
        self.report.row(name, "ceiling", CONNECTIONS, &ceiling);
        self.report.row(name, "program", CONNECTIONS, &program);
        self.report.row(name, "ceiling, half the program's load", CONNECTIONS, &ceiling_half);
        self.report.row(name, "program, half the load", CONNECTIONS, &half);
        let outcome = half.outcome();
        self.report.note(format!(
            "{name}: {rate:.0} requests a second were due at half the load; of {} that were, {} \
             found all {CONNECTIONS} connections waiting and were not sent",
            outcome.latencies.len() as u64
                + outcome.refused.len() as u64
                + outcome.failures
                + outcome.unsent,
            outcome.unsent
        ));
        Ok(Beside { rate_ratio: program.rate_ratio(&ceiling), half_p99_ms: half.p99_ms() })
    }
}
