//! Lifts blocks beside a running service, which notices it within a second.

use super::failure::Failure;
use crate::apply::in_transaction;
use crate::clock::Clock;
use crate::clock::jump::moment_of_command;
use crate::config::Config;
use crate::database;
use crate::member_change::lift::Lift;

/// Makes all of them in one transaction, each with its record in the journal.
pub(super) fn make_lifts(config: &Config, lifts: &[Lift]) -> Result<(), Failure> {
    let last = database::open(config)?.last_seen(i64::MAX)?;
    database::with_writer(config, |engine| {
        in_transaction(engine, |engine| {
            let mut moment = moment_of_command(Clock::System.now(), last);
            for lift in lifts {
                lift.run(engine, moment)?;
                moment = moment.then();
            }
            Ok(())
        })
    })??;
    Ok(())
}
