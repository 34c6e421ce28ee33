//! A service that was started: what it does each second, how it is reloaded, and how it stops.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;

use super::manager::Manager;
use super::reload::Reloads;
use super::served::write_down;
use super::watching::Watching;
use super::{agreement, area};
use crate::backup::schedule::BackupThread;
use crate::config::Config;
use crate::data_dir::Lock;
use crate::hardening::{HashThread, HashWorker, Rehashes};
use crate::http::state::ServerState;
use crate::login::blocks::BlockSync;
use crate::ops::Operations;
use crate::reconcile::schedule::ReconcileThread;
use crate::token::Token;
use crate::writer::Writer;

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
    pub(super) address: SocketAddr,
    pub(super) fastcgi_address: Option<SocketAddr>,
    pub(super) operations: Option<Operations>,
    pub(super) handle: ServerHandle,
    pub(super) shared: ServerState,
    pub(super) writer: Writer,
    pub(super) writer_thread: JoinHandle<()>,
    pub(super) hashing: Hashing,
    pub(super) new_token: Option<Token>,
    /// The tokens of the start.
    pub(super) first_tokens: Arc<Vec<Token>>,
    pub(super) reloads: Reloads,
    pub(super) backups: Option<BackupThread>,
    pub(super) reconciling: Option<ReconcileThread>,
    pub(super) watching: Watching,
    pub(super) manager: Manager,
    /// The socket was passed, and stays open after this process.
    pub(super) keeps_socket: bool,
    pub(super) _locks: Vec<Lock>,
}

/// The background hashing of passwords.
#[derive(Debug)]
pub(super) enum Hashing {
    /// Not started yet: the worker, and both ends of the channel that wakes it.
    Waits(Box<HashWorker>, Receiver<()>, SyncSender<()>),
    Runs(HashThread),
    /// The system did not start the thread.
    Failed,
}

impl Service {
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

    /// Whether the console has no operator yet. `false` if the database cannot be read.
    pub fn has_no_operator(&self) -> bool {
        let reader = self.shared.file.open();
        let operators = reader.map(|reader| reader.operators());
        operators.is_ok_and(|operators| operators.is_ok_and(|operators| operators.is_empty()))
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
