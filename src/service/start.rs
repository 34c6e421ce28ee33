//! Starts the service.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use actix_web::dev::Server;

use super::agreement::compare_settings;
use super::error::StartError;
use super::manager::Manager;
use super::opened::Opened;
use super::reload::{Place, Reloads};
use super::running::{Hashing, Service};
use super::watching::{Watched, Watching};
use super::{area, listener, operations};
use crate::authstring::stand_in::StandIn;
use crate::backup::schedule::BackupThread;
use crate::clock::Clock;
use crate::config::Config;
use crate::hardening::{HashWorker, Rehashes};
use crate::http;
use crate::http::connections::Connections;
use crate::http::live::Live;
use crate::http::refused::RefusedLog;
use crate::http::state::ServerState;
use crate::login::settings::{HOUR_SECONDS, LOGIN_SECONDS_MAX};
use crate::nats_client::settings::StringSource;
use crate::open_files;
use crate::password::{Cost, Hasher};
use crate::reconcile::schedule::{ReconcileThread, Schedule};
use crate::store::{CurrentDatabase, ReadSource};
use crate::writer::{self, CONVERSION_PAUSE, LoginTimes, Setup};

/// What the process was given by the program that started it.
#[derive(Debug, Default)]
pub struct Surroundings {
    /// The service manager.
    pub manager: Manager,
    /// A listening socket.
    pub listener: Option<TcpListener>,
}

impl Service {
    /// Starts everything; the server runs while the second value is awaited.
    ///
    /// Passwords stay sealed until [`Service::start_hashing`]. `cost` is what a new hash costs, and
    /// with it every login.
    ///
    /// # Errors
    ///
    /// See [`StartError`]. Nothing was changed then, except for files that a first start creates.
    pub fn start(
        config: &Config,
        clock: Clock,
        cost: Cost,
        surroundings: Surroundings,
    ) -> Result<(Self, Server), StartError> {
        let mut config = config.clone();
        config.location = config.location.watched_by(surroundings.manager.heartbeat());
        let database = CurrentDatabase::new(config.location.clone());
        Self::start_in(&config, database, clock, cost, surroundings)
    }

    /// Starts everything as [`Service::start`] does, with this handle on the database of the
    /// settings, and without a service manager.
    ///
    /// # Errors
    ///
    /// See [`StartError`].
    pub fn start_on(
        config: &Config,
        file: CurrentDatabase,
        clock: Clock,
        cost: Cost,
    ) -> Result<(Self, Server), StartError> {
        Self::start_in(config, file, clock, cost, Surroundings::default())
    }

    fn start_in(
        config: &Config,
        file: CurrentDatabase,
        clock: Clock,
        cost: Cost,
        surroundings: Surroundings,
    ) -> Result<(Self, Server), StartError> {
        let Surroundings { manager, listener: passed } = surroundings;
        manager.starting("opening the database");
        let opened = Opened::open(config, &file, &clock)?;
        let Opened { locks, vault, jumps, moved_until, tokens, new_token } = opened;
        let first_tokens = tokens.all();
        let keeps_socket = passed.is_some();
        let listener = listener::take_or_bind(passed, config.listen)?;
        let address = listener.local_addr()?;
        let fastcgi = config.fastcgi_listen.map(listener::bind).transpose()?;
        let fastcgi_address = fastcgi.as_ref().map(TcpListener::local_addr).transpose()?;

        let (wake, sealed): (SyncSender<()>, Receiver<()>) = sync_channel(1);
        let (writer, writer_thread) = writer::start(Setup {
            file: file.clone(),
            vault: vault.clone(),
            clock: clock.clone(),
            jumps: jumps.clone(),
            moved_until,
            journal_days: config.journal_days,
            logins: login_times(config),
            upkeep_every: config.upkeep_every,
            commit_wait: (!file.reads_are_local()).then_some(config.commit_wait),
            conversion_pause: CONVERSION_PAUSE,
            sealed: wake.clone(),
            heartbeat: manager.heartbeat(),
        })?;
        let rehashes = Arc::new(Rehashes::new(cost, wake.clone()));
        let hash_worker =
            HashWorker::new(file.clone(), vault.clone(), Hasher::new(cost), writer.clone())
                .with_rehashes(Arc::clone(&rehashes))
                .reporting_leftovers(clock.clone(), config.keep_cryptpass);
        let hashing = Hashing::Waits(Box::new(hash_worker), sealed, wake);
        let live = Live::new(config, vault.clone());
        let area = Arc::new(area::open(config, &vault, &clock, cost, rehashes, &live)?);
        // A receiver that is refused until here leaves the settings of those that run.
        compare_settings(config);
        let backups = BackupThread::start(&config.backup, &config.data_dir, &file, &clock, jumps)?;
        let reconciling = start_reconciling(config, &file, &clock, &live)?;
        let watching = Watching::start(
            config,
            &Watched {
                file: &file,
                clock: &clock,
                writer: &writer,
                backup_age: backups.as_ref().map(BackupThread::age),
                compared: reconciling.as_ref().map(ReconcileThread::compared),
            },
        )?;
        let shared = ServerState {
            area,
            statistics: watching.statistics(),
            alarms: watching.alarms(),
            compared: reconciling.as_ref().map(|thread| thread.compared().clone()),
            started_at: clock.now(),
            backup_age: backups.as_ref().map(|backups| backups.age().clone()),
            stand_in: stand_in(&config.api.source),
            visitor_log: Arc::default(),
            api_log: Arc::default(),
            metrics: writer.metrics().clone(),
            writer: writer.clone(),
            run: format!("{:x}", clock.now()).into(),
            clock,
            reads: ReadSource::new(file.clone(), writer.metrics().clone())?,
            file,
            tokens,
            live,
            refused: Arc::new(RefusedLog::default()),
            requests: Arc::new(AtomicU64::new(1)),
            stopping: Arc::new(AtomicBool::new(false)),
            in_flight: Arc::new(AtomicUsize::new(0)),
            connections: connections(config),
        };
        let operations = operations::start(config, &shared, cost);
        let server = http::server(listener, fastcgi, shared.clone())?;
        let handle = server.handle();
        let place = Place { address, keeps_socket };
        let reloads = Reloads::start(config, place, &shared, vault, manager.clone())?;
        let service = Self {
            address,
            fastcgi_address,
            operations,
            handle,
            shared,
            writer,
            writer_thread,
            hashing,
            new_token,
            first_tokens,
            reloads,
            backups,
            reconciling,
            watching,
            manager,
            keeps_socket,
            _locks: locks,
        };
        Ok((service, server))
    }
}

/// Starts the thread that compares the members with NATS's list, if the settings say so. It follows
/// a reload of the access to NATS and of the time zone.
fn start_reconciling(
    config: &Config,
    file: &CurrentDatabase,
    clock: &Clock,
    live: &Live,
) -> std::io::Result<Option<ReconcileThread>> {
    let Some(every) = config.api.reconcile_every else { return Ok(None) };
    let (of_client, of_zone) = (live.clone(), live.clone());
    let client = move || of_client.load().relay.as_ref().map(|relay| Arc::clone(relay.client()));
    let schedule = Schedule {
        every,
        client: Box::new(client),
        database: file.clone(),
        clock: clock.clone(),
        zone: Box::new(move || of_zone.load().rules.expiry.zone.clone()),
    };
    ReconcileThread::start(schedule).map(Some)
}

fn stand_in(source: &StringSource) -> Option<Arc<StandIn>> {
    match source {
        StringSource::StandIn(seconds) => Some(Arc::new(StandIn::new(*seconds))),
        StringSource::None | StringSource::Nats(..) => None,
    }
}

/// How long the rows of logins stay.
fn login_times(config: &Config) -> LoginTimes {
    LoginTimes {
        lasts: config.area.lifetimes().longest(),
        longest: LOGIN_SECONDS_MAX,
        idle: config.area.idle_seconds,
        recorded: i64::from(config.area.login_days) * 24 * HOUR_SECONDS,
        used: config.area.sharing.window_seconds,
    }
}

/// As many connections as the limit of open files allows.
fn connections(config: &Config) -> Arc<Connections> {
    let limits = open_files::fit(config.connections, config.ops.listen.is_some());
    Arc::new(Connections::new(limits))
}
