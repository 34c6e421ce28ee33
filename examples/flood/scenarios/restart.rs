//! Members who are logged in with name and password while the service restarts: no password is
//! remembered then, and all of them come at once. They have been there before, each from a network
//! of their own.

use std::time::Duration;

use super::{Bench, add, load, measure};
use crate::Failure;
use crate::client::Load;
use crate::process::Server;
use crate::report::{Bar, Series};
use crate::request::{Ask, GUESSES};

const MEMBERS: u64 = 200;
const LOGIN_CONNECTIONS: usize = 8;
/// Each of them waits for its own answer.
const ALL_AT_ONCE: usize = MEMBERS as usize;
/// The passwords of guessers are new: each costs a hash until its network is blocked.
const GUESS_CONNECTIONS: usize = 32;
const GUESS_RATE: f64 = 300.0;
const TIME: Duration = Duration::from_secs(10);

impl Bench {
    pub(super) async fn restart(&mut self, name: &str) -> Result<(), Failure> {
        let trusted = ["--trusted-proxy=127.0.0.1".into()];
        let dir = self.new_dir();
        let mut program = self.program_with_tables_in(&dir, &trusted)?;
        let members = add(&mut program, LOGIN_CONNECTIONS, MEMBERS);
        measure(&program, members, &mut Series::default()).await?;
        let all = |server: &Server, connections| {
            let load = load(server, Ask::Home, connections, MEMBERS);
            Load { time: 2 * TIME, ..load }
        };
        measure(&program, all(&program, LOGIN_CONNECTIONS), &mut Series::default()).await?;
        self.end(program)?;

        let (mut alone, mut beside, mut guesses) = <(Series, Series, Series)>::default();
        let again = self.receiver_in(&dir, 0, &trusted)?;
        measure(&again, all(&again, ALL_AT_ONCE), &mut alone).await?;
        self.end(again)?;

        let again = self.receiver_in(&dir, 0, &trusted)?;
        let guess = Ask::Guess { member: MEMBERS - 1, first: 0 };
        let guess = load(&again, guess, GUESS_CONNECTIONS, u64::MAX);
        let guess = Load { rate: Some(GUESS_RATE), time: TIME, ..guess };
        let (came, guessed) = tokio::join!(
            measure(&again, all(&again, ALL_AT_ONCE), &mut beside),
            measure(&again, guess, &mut guesses)
        );
        came.and(guessed)?;
        self.end(again)?;

        for (what, series) in [("alone", &alone), ("beside guesses", &beside)] {
            self.report.row(name, &format!("200 members, {what}"), ALL_AT_ONCE, series);
            let outcome = series.outcome();
            let within = |micros: &&u32| u128::from(**micros) <= TIME.as_micros();
            let got_in = outcome.latencies.iter().filter(within).count();
            let others = outcome.refused.len() as f64 + outcome.failures as f64;
            self.report.bar(
                &format!("200 members after a restart, {what}: in within 10 s"),
                got_in as f64,
                Bar::AtLeast(190.0),
            );
            self.report.bar(
                &format!("200 members after a restart, {what}: refused"),
                others,
                Bar::AtMost(0.0),
            );
        }
        self.report.row(name, "guesses beside", GUESS_CONNECTIONS, &guesses);
        self.report.note(format!(
            "{name}: {GUESSES} guesses come from each network, at {GUESS_RATE:.0} a second"
        ));
        Ok(())
    }
}
