//! The operations listener, and the checks that its console shows.

use std::sync::Arc;
use std::time::Duration;

use super::error::StartError;
use super::listener;
use crate::chain::chain;
use crate::clock::Clock;
use crate::config::Config;
use crate::doctor;
use crate::http::live::Live;
use crate::http::state::ServerState;
use crate::ops::checks::{Checked, Checks};
use crate::ops::{Operations, Ops};
use crate::password::Cost;

/// Starts the listener, if the settings have its address. If it cannot start, the
/// service goes on: postbacks and checks do not need it.
pub(super) fn start(config: &Config, shared: &ServerState, cost: Cost) -> Option<Operations> {
    let address = config.ops.listen?;
    let ops =
        match Ops::new(config, shared, cost.of_operators(), checks(&shared.live, &shared.clock)) {
            Ok(ops) => ops,
            Err(error) => {
                log::warn!("the service runs without its operations listener: {}", chain(&error));
                return None;
            }
        };
    let started = listener::bind(address).and_then(|listener| {
        Operations::start(listener, ops, shared.clone()).map_err(StartError::from)
    });
    started
        .map_err(|error| {
            log::warn!(
                "the service runs without its operations listener: {}: change --ops-listen, or \
                 free the address and restart",
                chain(&error)
            );
        })
        .ok()
}

/// The checks of `doctor` that a running service can do, for the console. They judge the settings
/// in effect.
fn checks(live: &Live, clock: &Clock) -> Checks {
    let (live, clock) = (live.clone(), clock.clone());
    Checks::new(Arc::new(move || {
        let findings = doctor::examine_running(&doctor::Context {
            config: &live.config(),
            exposed: &[],
            machine: &doctor::Machine::default(),
            clock: &clock,
            depth: doctor::Depth::Quick,
            patience: Duration::ZERO,
            health: &|| Ok(String::new()),
            progress: &|_| {},
        });
        let checked = |finding: doctor::Finding| Checked {
            topic: finding.topic,
            name: finding.name,
            level: finding.level.as_str(),
            found: finding.found,
            remedy: finding.remedy,
        };
        findings.into_iter().map(checked).collect()
    }))
}
