//! The service: data directory, database, keys, writer, hashing worker and HTTP server, started in
//! this order and stopped in reverse order.

mod agreement;
mod area;
mod error;
mod keys;
pub mod listener;
pub mod manager;
mod reload;
mod served;
mod watching;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix_web::dev::{Server, ServerHandle};
pub use error::StartError;
use manager::Manager;
use reload::{Place, Reloads};
use served::write_down;
use watching::{Watched, Watching};

use crate::apply::in_transaction;
use crate::authstring::stand_in::StandIn;
use crate::backup::restore;
use crate::backup::schedule::BackupThread;
use crate::chain::chain;
use crate::clock::Clock;
use crate::clock::jump::{self, Watch};
use crate::config::Config;
use crate::data_dir::{Lock, modes};
use crate::database::{self, DatabaseError};
use crate::doctor;
use crate::hardening::{HashThread, HashWorker, Rehashes};
use crate::http;
use crate::http::connections::Connections;
use crate::http::live::Live;
use crate::http::refused::RefusedLog;
use crate::http::state::ServerState;
use crate::login::blocks::BlockSync;
use crate::login::settings::{HOUR_SECONDS, LOGIN_SECONDS_MAX};
use crate::nats_client::settings::StringSource;
use crate::open_files;
use crate::ops::checks::{Checked, Checks};
use crate::ops::{Operations, Ops};
use crate::password::{Cost, Hasher};
use crate::reconcile::schedule::{ReconcileThread, Schedule};
use crate::store::{CurrentDatabase, Engine, Read, ReadSource, exists, with_engine};
use crate::token::Token;
use crate::token_file;
use crate::token_file::current::Tokens;
use crate::writer::{self, CONVERSION_PAUSE, LoginTimes, Setup, Writer};

/// The longest wait for accepted requests at a stop: longer than body, queue and database lock of
/// one can take together.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(12);
const DRAIN_LOOK_EVERY: Duration = Duration::from_millis(10);
/// How long a stop waits for the first request of a connection. A proxy sends it at once.
const FIRST_REQUEST_TIME_MAX: Duration = Duration::from_secs(1);
/// With a passed socket, clients keep connecting while the service stops. The thread that accepts
/// connections gets the pause a moment later, so nothing may be left to answer in this many checks
/// in a row: 50 ms.
const QUIET_LOOKS: u32 = 5;
/// How soon a retired token and a lifted block take effect, and counts of suppressed log lines are
/// logged.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How soon the cost of a login follows a change in the members' hashes. A sample takes some
/// milliseconds.
const SAMPLE_EVERY: Duration = Duration::from_secs(600);

/// A service that was started.
#[derive(Debug)]
pub struct Service {
    address: SocketAddr,
    fastcgi_address: Option<SocketAddr>,
    operations: Option<Operations>,
    handle: ServerHandle,
    shared: ServerState,
    writer: Writer,
    writer_thread: JoinHandle<()>,
    hashing: Hashing,
    new_token: Option<Token>,
    /// The tokens of the start.
    first_tokens: Arc<Vec<Token>>,
    reloads: Reloads,
    backups: Option<BackupThread>,
    reconciling: Option<ReconcileThread>,
    watching: Watching,
    manager: Manager,
    /// The socket was passed, and stays open after this process.
    keeps_socket: bool,
    _locks: Vec<Lock>,
}

/// What the process was given by the program that started it.
#[derive(Debug, Default)]
pub struct Surroundings {
    /// The service manager.
    pub manager: Manager,
    /// A listening socket.
    pub listener: Option<TcpListener>,
}

/// The background hashing of passwords.
#[derive(Debug)]
enum Hashing {
    /// Not started yet: the worker, and both ends of the channel that wakes it.
    Waits(Box<HashWorker>, Receiver<()>, SyncSender<()>),
    Runs(HashThread),
    /// The system did not start the thread.
    Failed,
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
        database::refuse_network(config).map_err(DatabaseError::from)?;
        config.data_dir.make()?;
        let locks = config.data_dir.lock(config.location.file())?;
        if restore::complete(&config.data_dir, &config.location)? {
            log::warn!("completed a restore that was interrupted");
        }
        config.data_dir.remove_drafts();
        modes::tighten(&config.data_dir, &config.location.files(), &config.secret_files);
        warn_of_lost_database(config);
        let vault = database::open_or_make(config)?;
        if !config.location.is_shared() {
            let index = |engine: &mut dyn Engine| engine.index_emails(config.area.by_email);
            with_engine(&config.location, false, |engine| in_transaction(engine, index))?
                .map_err(DatabaseError::Write)?;
        }
        // It may just have been created, or upgraded.
        file.resume();
        // The writer opens its own reader; this one is closed after the check.
        let reader = file.open()?;
        let jumps = watch_for_jumps(config, &clock, &*reader);
        let moved_until = moved_until(&clock, &*reader);
        let (tokens, new_token) = open_tokens(config)?;
        let first_tokens = tokens.all();
        if new_token.is_some() {
            agreement::warn_of_new_token(config, &*reader);
        }
        drop(reader);
        agreement::compare_settings(config);
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
            logins: LoginTimes {
                lasts: config.area.lifetimes().longest(),
                longest: LOGIN_SECONDS_MAX,
                idle: config.area.idle_seconds,
                recorded: i64::from(config.area.login_days) * 24 * HOUR_SECONDS,
                used: config.area.sharing.window_seconds,
            },
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
        let backups = BackupThread::start(&config.backup, &config.data_dir, &file, &clock, jumps)?;
        let reconciling = reconcile(config, &file, &clock, &live)?;
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
            connections: Arc::new(Connections::new(open_files::fit(
                config.connections,
                config.ops.listen.is_some(),
            ))),
        };
        let operations = operations(config, &shared, cost);
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

    /// Starts the thread that hashes sealed passwords in the background.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn start_hashing(&mut self) -> std::io::Result<()> {
        self.hashing = match std::mem::replace(&mut self.hashing, Hashing::Failed) {
            Hashing::Waits(worker, woken, wake) => {
                Hashing::Runs(HashThread::start(*worker, woken, wake)?)
            }
            started => started,
        };
        Ok(())
    }

    /// Reloads the configuration file and the files of the settings in the background, and logs
    /// what has changed.
    pub fn reload(&self) {
        self.reloads.want();
    }

    /// The address of the listener; with port 0 in the settings, the port that the system chose.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of the FastCGI authorizer, if there is one.
    pub fn fastcgi_address(&self) -> Option<SocketAddr> {
        self.fastcgi_address
    }

    /// The address of the operations listener, if it runs.
    pub fn ops_address(&self) -> Option<SocketAddr> {
        self.operations.as_ref().map(Operations::address)
    }

    /// Records how the service runs, for commands that are run with other settings.
    pub fn write_down(&self, config: &Config) {
        write_down(config, self.address, self.reloads.keys.in_use());
    }

    /// The token that this start created, if it created one.
    pub fn new_token(&self) -> Option<&Token> {
        self.new_token.as_ref()
    }

    /// The handle on the writer.
    pub fn writer(&self) -> &Writer {
        &self.writer
    }

    /// Hashes that logins found to be of another kind than is configured.
    pub fn rehashes(&self) -> &Arc<Rehashes> {
        &self.shared.area.rehashes
    }

    /// Whether the writer's thread has ended unexpectedly: then nothing can be written any more.
    pub fn has_lost_its_writer(&self) -> bool {
        self.writer_thread.is_finished()
    }

    /// Watches the token file, the blocks and the log limits; never returns.
    pub async fn watch(&self) {
        let (blocks, others) = (self.block_sync(), async {
            let mut sampled = Instant::now();
            let mut turn = self.shared.file.generation();
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                if sampled.elapsed() >= SAMPLE_EVERY {
                    sampled = Instant::now();
                    area::sample_rows(&self.shared).await;
                }
                area::take_up_epoch(
                    &self.shared,
                    std::mem::replace(&mut turn, self.shared.file.generation()) != turn,
                )
                .await;
                area::say_left_out(&self.shared, false);
                self.shared.refused.end_windows(self.shared.clock.steady());
                self.shared.connections.log_closed(self.shared.clock.steady());
                self.shared.tokens.refresh();
            }
        });
        let (location, first) = (self.shared.file.location(), Arc::clone(&self.first_tokens));
        let tokens = agreement::follow_tokens(location, &self.shared.tokens, first, LOOK_EVERY);
        // Separate: a locked database delays the writing of blocks, and nothing else.
        tokio::join!(others, tokens, async {
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                blocks.run_once().await;
                area::take_up_sharing(&self.shared).await;
            }
        });
    }

    /// Brings log and database up to date with the blocks in memory.
    pub fn block_sync(&self) -> BlockSync {
        BlockSync {
            area: Arc::clone(&self.shared.area),
            database: self.shared.file.clone(),
            writer: self.writer.clone(),
            clock: self.shared.clock.clone(),
            shared: self.shared.reads.pool().cloned(),
        }
    }

    /// Tells the service manager that requests are answered now.
    pub fn ready(&self) {
        self.manager.ready(&format!("listening on {}", self.address));
    }

    /// Stops accepting, answers what was accepted, closes the database.
    pub async fn stop(mut self) {
        self.manager.stopping();
        self.handle.pause().await;
        let began = Instant::now();
        self.answer_accepted(began).await;
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.shared.area.pool.stop();
        while self.shared.in_flight.load(Ordering::SeqCst) > 0 && began.elapsed() < DRAIN_TIME_MAX {
            tokio::time::sleep(DRAIN_LOOK_EVERY).await;
        }
        // Graceful: the last answers are still being sent.
        self.handle.stop(true).await;
        if let Some(operations) = self.operations.take() {
            operations.stop().await;
        }
        if let Some(reports) = &self.shared.area.reports {
            reports.stop();
        }
        area::say_left_out(&self.shared, true);
        self.shared.refused.close();
        self.block_sync().finish();
        self.watching.stop();
        if let Some(backups) = self.backups {
            backups.stop();
        }
        if let Some(reconciling) = self.reconciling {
            reconciling.stop();
        }
        if let Hashing::Runs(thread) = self.hashing {
            thread.stop();
        }
        self.writer.stop();
        if self.writer_thread.join().is_err() {
            log::error!("the writer thread panicked");
        }
    }

    /// Answers the requests on connections that were accepted, and closes each connection with its
    /// answer. Connections that wait for their next request stay open meanwhile.
    async fn answer_accepted(&self, began: Instant) {
        self.shared.connections.begin_closing();
        let looks = if self.keeps_socket { QUIET_LOOKS } else { 1 };
        let mut quiet = 0;
        while began.elapsed() < DRAIN_TIME_MAX {
            let answered = self.shared.in_flight.load(Ordering::SeqCst) == 0
                && (self.shared.connections.all_are_answered()
                    || began.elapsed() >= FIRST_REQUEST_TIME_MAX);
            quiet = if answered { quiet + 1 } else { 0 };
            if quiet >= looks {
                return;
            }
            tokio::time::sleep(DRAIN_LOOK_EVERY).await;
        }
    }
}

/// Starts the operations listener, if the settings have its address. If it cannot start, the
/// service goes on: postbacks and checks do not need it.
fn operations(config: &Config, shared: &ServerState, cost: Cost) -> Option<Operations> {
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

/// Starts the thread that compares the members with NATS's list, if the settings say so. It follows
/// a reload of the access to NATS and of the time zone.
fn reconcile(
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

/// Compares the clock with the last activity in the database, and warns if it is behind that.
fn watch_for_jumps(config: &Config, clock: &Clock, reader: &dyn Read) -> Watch {
    let now = clock.read();
    // A start does not check for damaged pages, and one that is found here is no reason to fail.
    let last = reader.last_seen(now.wall).unwrap_or_else(|fault| {
        log::warn!("could not compare the clock with the newest journal record: {}", chain(&fault));
        None
    });
    if let Some(line) = last.and_then(|last| jump::is_behind(now.wall, last)) {
        log::warn!("{line}");
    }
    Watch::new(now, last, config.clock_jump_minutes)
}

/// Until when members were moved before this start, if the clock was set back since: within a
/// second, the service moves all who have expired by the time of a record, a probe or a move.
fn moved_until(clock: &Clock, reader: &dyn Read) -> Option<i64> {
    // A fault was logged by the comparison of the clock just before.
    let last = reader.last_seen(i64::MAX).ok().flatten();
    last.filter(|&last| last > clock.now())
}

/// Warns that an empty database is created although there are keys: the database may have been
/// forgotten in the restore of a backup.
fn warn_of_lost_database(config: &Config) {
    // A database that cannot be accessed is reported when it is opened.
    if config.data_dir.seal_key().exists() && !exists(&config.location).unwrap_or(true) {
        let place = &config.location;
        log::warn!(
            "there is no database at {place}, but there are keys: an empty database is created; \
             if it was lost, stop the service and restore the backup"
        );
    }
}

/// The tokens of the settings, else those of the file, else a new one in a new file.
fn open_tokens(config: &Config) -> Result<(Tokens, Option<Token>), StartError> {
    if !config.postback_tokens.is_empty() {
        return Ok((Tokens::given(config.postback_tokens.clone()), None));
    }
    let path = config.data_dir.token_file();
    token_file::remove_draft(&path);
    if token_file::is_there(&path)? {
        return Ok((Tokens::from_file(&path)?, None));
    }
    let token = Token::random()?;
    token_file::write(&path, std::slice::from_ref(&token))?;
    Ok((Tokens::from_file(&path)?, Some(token)))
}
