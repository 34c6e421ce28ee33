//! Backups that the service makes by itself, on a thread of their own.
//!
//! The next one is due when the newest in the directory is old enough, so that a restart changes
//! nothing. A failed one is tried again soon, then less often. The service continues without it.
//! While the clock has just jumped, backups are made and none is removed.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{BackupConfig, BackupError, Made, Wishes, copy, newest_until, place};
use crate::backoff::Backoff;
use crate::chain::chain;
use crate::clock::Clock;
use crate::clock::jump::Watch;
use crate::counted::counted;
use crate::data_dir::DataDir;
use crate::store::{CopyWatch, CurrentDatabase};

/// How often the thread checks whether a backup is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often it reads the directory again, by the steady clock: a command may have made a backup.
const READ_EVERY_SECONDS: i64 = 30;
/// How long it waits after a failure, each time longer up to the last, in seconds.
const TRY_AGAIN_AFTER: &[i64] = &[60, 300, 900, 3_600];
/// The age while there is no backup.
const NONE: i64 = i64::MIN;

/// When the newest backup was made. Clones are of the same schedule.
#[derive(Clone, Debug)]
pub struct BackupAge(Arc<AtomicI64>);

impl BackupAge {
    /// The seconds since the newest backup; `None` if there is none.
    pub fn seconds(&self, now: i64) -> Option<i64> {
        let at = self.0.load(Ordering::Relaxed);
        (at != NONE).then(|| now.saturating_sub(at).max(0))
    }
}

/// The thread that makes backups.
#[derive(Debug)]
pub struct BackupThread {
    thread: JoinHandle<()>,
    stop: Arc<AtomicBool>,
    /// Wakes the thread when it is dropped.
    _wake: SyncSender<()>,
    age: BackupAge,
}

impl BackupThread {
    /// Starts the thread, if backups are configured. `jumps` is the thread's own: the writer logs
    /// what it sees.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn start(
        config: &BackupConfig,
        data_dir: &DataDir,
        file: &CurrentDatabase,
        clock: &Clock,
        jumps: Watch,
    ) -> io::Result<Option<Self>> {
        let Some(every) = config.every else { return Ok(None) };
        let (stop, age) = (Arc::<AtomicBool>::default(), BackupAge(Arc::new(NONE.into())));
        let mut schedule = Schedule {
            every,
            config: config.clone(),
            data_dir: data_dir.clone(),
            file: file.clone(),
            clock: clock.clone(),
            jumps,
            removes: false,
            stop: Arc::clone(&stop),
            age: age.clone(),
            newest: None,
            read_at: None,
            backoff: Backoff::new(TRY_AGAIN_AFTER),
        };
        let (wake, woken) = sync_channel(0);
        let thread = std::thread::Builder::new()
            .name("backup".into())
            .spawn(move || schedule.run(&woken))?;
        Ok(Some(Self { thread, stop, _wake: wake, age }))
    }

    /// The age of the newest backup.
    pub fn age(&self) -> &BackupAge {
        &self.age
    }

    /// Ends the thread. A backup that is being made is cancelled.
    pub fn stop(self) {
        let Self { thread, stop, _wake, .. } = self;
        stop.store(true, Ordering::Relaxed);
        drop(_wake);
        if thread.join().is_err() {
            log::error!("the backup thread panicked");
        }
    }
}

struct Schedule {
    every: i64,
    config: BackupConfig,
    data_dir: DataDir,
    file: CurrentDatabase,
    clock: Clock,
    jumps: Watch,
    /// Whether a backup was made since older ones were last removed.
    removes: bool,
    stop: Arc<AtomicBool>,
    age: BackupAge,
    /// The date of the newest backup.
    newest: Option<i64>,
    /// When the directory was last read, by the steady clock.
    read_at: Option<i64>,
    backoff: Backoff,
}

impl Schedule {
    fn run(&mut self, woken: &Receiver<()>) {
        loop {
            self.look();
            if woken.recv_timeout(LOOK_EVERY) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    }

    fn look(&mut self) {
        let reading = self.clock.read();
        let (now, steady) = (reading.wall, reading.steady);
        self.jumps.check(reading);
        self.remove_old(now);
        let is_read = self.read_at.is_some_and(|at| steady - at < READ_EVERY_SECONDS);
        if is_read && !self.is_due(now) || !self.backoff.may_try(steady) {
            return;
        }
        self.read_at = Some(steady);
        match self.make_if_due(now) {
            Ok(None) => {}
            Ok(Some(made)) => {
                log::info!("backup {made}");
                self.removes = true;
                self.remove_old(now);
                self.note_success();
                self.note(Some(made.at));
            }
            Err(error) if error.is_stop() && self.stop.load(Ordering::Relaxed) => {
                log::info!("the backup that was being made is given up");
            }
            Err(error) => self.note_failure(&chain(&error), steady),
        }
    }

    fn note_failure(&mut self, cause: &str, steady: i64) {
        if let Some(wait) = self.backoff.failed(cause, steady) {
            let minutes = counted(wait.unsigned_abs() / 60, "minute");
            log::error!("no backup was made, the next try is in {minutes}: {cause}");
        }
    }

    fn note_success(&mut self) {
        let failures = self.backoff.succeeded();
        if failures > 0 {
            log::info!("backups are made again, after {}", counted(failures, "failure"));
        }
    }

    /// Removes the backups beyond the number that is kept, once after each backup. While a jump of
    /// the clock is not confirmed, this waits.
    fn remove_old(&mut self, now: i64) {
        let Wishes { dir, keep, .. } = &self.config.wishes;
        if !self.removes || self.jumps.is_pending() {
            return;
        }
        self.removes = false;
        let Some(keep) = *keep else { return };
        let removed = place::newest_until(dir, now)
            .map_err(|error| place::unusable(dir, error))
            .and_then(|newest| {
                newest.map_or(Ok(Vec::new()), |newest| place::remove_old(dir, keep, newest, now))
            });
        if let Err(error) = removed {
            log::error!("cannot remove older backups: {}", chain(&error));
        }
    }

    fn is_due(&self, now: i64) -> bool {
        self.newest.is_none_or(|at| now.saturating_sub(at) >= self.every)
    }

    fn note(&mut self, newest: Option<i64>) {
        self.newest = newest;
        self.age.0.store(newest.unwrap_or(NONE), Ordering::Relaxed);
    }

    /// Looks for the newest backup, and makes one if that is too old.
    fn make_if_due(&mut self, now: i64) -> Result<Option<Made>, BackupError> {
        let dir = &self.config.wishes.dir;
        self.config.make_directory(&self.data_dir)?;
        // One with a later date is of a clock that was wrong, then or now.
        let newest = newest_until(dir, now).map_err(|error| place::unusable(dir, error))?;
        self.note(newest.map(|newest| newest.at));
        if self.is_due(now) { self.make(now).map(Some) } else { Ok(None) }
    }

    fn make(&self, now: i64) -> Result<Made, BackupError> {
        let reader = self.file.open()?;
        // Older ones are removed after it, when the clock allows it.
        let wishes = &Wishes { keep: None, ..self.config.wishes.clone() };
        log::info!(
            "backup: copying the database to {}; its WAL grows until the copy is complete",
            wishes.dir.display()
        );
        let copied = {
            let mut go_on = |_, _| reader.is_current();
            let mut watch = CopyWatch { stop: &self.stop, is_gentle: true, progress: &mut go_on };
            copy(&*reader, self.file.location(), &self.data_dir, wishes, now, &mut watch)
        };
        if !reader.is_current() {
            return Err(BackupError::Replaced);
        }
        // The service waits for its readers when the database is replaced.
        drop(reader);
        copied?.finish(&self.stop)
    }
}
