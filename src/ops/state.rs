//! What all handlers of the operations listener share.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::web::Data;

use super::checks::Checks;
use super::refused::OpsLog;
use super::tails::Tails;
use crate::config::Config;
use crate::http::probe::HealthProbe;
use crate::http::state::{ServerState, ThreadState};
use crate::operators::OperatorLogins;
use crate::password::{Cost, HashError};

/// What all handlers share.
#[derive(Debug)]
pub struct Ops {
    /// The settings of the start.
    pub config: Config,
    /// Checks the logins of operators.
    pub logins: OperatorLogins,
    /// Limits the lines about refused requests.
    pub log: OpsLog,
    /// The pages that follow the journal.
    pub tails: Tails,
    /// The checks of the machine.
    pub checks: Checks,
    /// Probes the writer and the database.
    pub(super) probe: HealthProbe,
}

impl Ops {
    /// For a service with this state. `cost` is that of operators' hashes.
    ///
    /// # Errors
    ///
    /// If no hash can be made.
    pub fn new(
        config: &Config,
        shared: &ServerState,
        cost: Cost,
        checks: Checks,
    ) -> Result<Self, HashError> {
        let remembered = shared.area.remembered.clone();
        let (writer, clock) = (shared.writer.clone(), shared.clock.clone());
        Ok(Self {
            config: config.clone(),
            logins: OperatorLogins::new(remembered, writer, clock, cost)?,
            log: OpsLog::default(),
            tails: Tails::default(),
            checks,
            probe: HealthProbe::new(shared.writer.clone(), shared.file.clone()),
        })
    }
}

/// The state of a request: that of all threads, and that of this one. Every request has both.
pub(super) fn of(request: &HttpRequest) -> (&Data<Ops>, &Data<ThreadState>) {
    let ops = request.app_data::<Data<Ops>>();
    let thread = request.app_data::<Data<ThreadState>>();
    ops.zip(thread).expect("the server sets both for all routes")
}

/// The address of the visitor, behind listed proxies.
pub(super) fn address(request: &HttpRequest) -> IpAddr {
    of(request).1.caller(request)
}
