//! The state of the handlers: the part that all threads share, and the part of one thread.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use actix_web::HttpRequest;
use actix_web::http::header::X_FORWARDED_FOR;

use super::caller;
use super::connections::Connections;
use super::live::{Live, LiveSettings};
use super::refused::RefusedLog;
use super::visitor_log::VisitorLog;
use crate::alarms::Alarms;
use crate::authstring::stand_in::StandIn;
use crate::backup::schedule::BackupAge;
use crate::clock::Clock;
use crate::login::area::{Area, ThreadArea};
use crate::login::members::Members;
use crate::login::page::{Facts, Form};
use crate::metrics::Metrics;
use crate::network;
use crate::reconcile::schedule::Compared;
use crate::rest_api::{ApiLog, Strings};
use crate::statistics::Statistics;
use crate::store::{CurrentDatabase, ReadSource, Reads};
use crate::token_file::current::Tokens;
use crate::writer::Writer;

/// The state that all threads of the HTTP server share.
#[derive(Clone, Debug)]
pub struct ServerState {
    /// Writes postbacks.
    pub writer: Writer,
    /// Counts requests, also those that write nothing.
    pub metrics: Metrics,
    /// The time.
    pub clock: Clock,
    /// The database, to read.
    pub file: CurrentDatabase,
    /// How threads read it.
    pub reads: ReadSource,
    /// The tokens of callers.
    pub tokens: Tokens,
    /// The settings that can change while the service runs.
    pub live: Live,
    /// Limits the lines about refused calls.
    pub refused: Arc<RefusedLog>,
    /// Counts the requests of this process, for their ids.
    pub requests: Arc<AtomicU64>,
    /// Names this process in request ids: the second of its start, in hexadecimal.
    pub run: Arc<str>,
    /// Set when a stop has answered what was accepted: later postbacks get 503.
    pub stopping: Arc<AtomicBool>,
    /// Requests that were accepted and are not answered yet.
    pub in_flight: Arc<AtomicUsize>,
    /// Counts the connections.
    pub connections: Arc<Connections>,
    /// The age of the newest backup, if the service makes backups.
    pub backup_age: Option<BackupAge>,
    /// The counts of the journal and of the members. Empty where nobody takes them.
    pub statistics: Statistics,
    /// The alarms, if any can be raised.
    pub alarms: Option<Alarms>,
    /// The last comparison with NATS's list, if the service compares.
    pub compared: Option<Compared>,
    /// When the service was started, unix seconds.
    pub started_at: i64,
    /// The members area.
    pub area: Arc<Area>,
    /// Makes authstrings, if the service does so in place of NATS.
    pub stand_in: Option<Arc<StandIn>>,
    /// Limits the lines about requests of visitors.
    pub visitor_log: Arc<VisitorLog>,
    /// Limits the lines about the REST API.
    pub api_log: Arc<ApiLog>,
}

impl ServerState {
    /// Where authstrings come from.
    pub(super) fn strings<'a>(&'a self, live: &'a LiveSettings) -> Strings<'a> {
        match (&self.stand_in, &live.relay) {
            (Some(stand_in), _) => Strings::StandIn(stand_in),
            (None, Some(relay)) => Strings::Nats(relay),
            (None, None) => Strings::None,
        }
    }
}

/// Counts a request as in flight until it is dropped, also if the caller disconnects.
pub struct InFlight<'a>(&'a AtomicUsize);

impl<'a> InFlight<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The state of one thread: the shared state, and its own read-only connection.
#[derive(Debug)]
pub struct ThreadState {
    shared: ServerState,
    reads: Reads,
    area: ThreadArea,
}

impl ThreadState {
    /// The state of one thread of the server. Call it on that thread.
    pub fn new(shared: ServerState) -> Self {
        let reads = Reads::new(&shared.reads);
        let (clock, read_log) = (shared.clock.clone(), Arc::clone(&shared.area.read_log));
        let area = ThreadArea {
            shared: Arc::clone(&shared.area),
            members: Members::new(reads.clone(), clock.clone(), read_log),
            writer: shared.writer.clone(),
            metrics: shared.metrics.clone(),
            clock,
        };
        Self { shared, reads, area }
    }

    /// The part that all threads share.
    pub fn shared(&self) -> &ServerState {
        &self.shared
    }

    /// Reads what is committed.
    pub(crate) fn reads(&self) -> &Reads {
        &self.reads
    }

    /// The members area.
    pub fn area(&self) -> &ThreadArea {
        &self.area
    }

    /// Counts a request as in flight. The service stops when it is answered.
    pub fn begin_request(&self) -> InFlight<'_> {
        InFlight::new(&self.shared.in_flight)
    }

    /// What a page is about, with what the settings say about its form.
    pub fn with_settings<'a>(&self, live: &LiveSettings, facts: Facts<'a>) -> Facts<'a> {
        let config = &self.area.shared.config;
        let (can_stay, by_email) = (config.stay_seconds.is_some(), config.by_email);
        let has_source = !matches!(self.shared.strings(live), Strings::None);
        let can_upgrade = facts.can_upgrade && has_source;
        Facts { can_upgrade, form: Form { can_stay, by_email, ..facts.form }, ..facts }
    }

    /// The address of the caller.
    pub(crate) fn caller(&self, request: &HttpRequest) -> IpAddr {
        let peer =
            request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip());
        let lines = request.headers().get_all(X_FORWARDED_FOR).map(|value| value.as_bytes());
        let caller = caller::caller(peer, lines, &self.shared.live.load().proxies);
        if caller.ignored_header {
            self.shared.refused.unlisted_proxy(caller.address);
        }
        caller.address
    }

    /// Whether the request came through a listed proxy.
    pub(crate) fn is_behind_proxy(&self, request: &HttpRequest) -> bool {
        let peer = request.peer_addr().map(|address| network::normalise(address.ip()));
        peer.is_some_and(|peer| network::contains(&self.shared.live.load().proxies.0, peer))
    }
}
