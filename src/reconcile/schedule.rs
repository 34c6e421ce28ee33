//! Compares the members with NATS's list at intervals, on a thread of the service, and logs what
//! differs. It changes nothing.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::changed::{Since, changed_since};
use super::compare::{Here, compare};
use super::error::ReconcileError;
use super::fetch::fetch;
use super::list::ListWish;
use super::{Counts, sites_here};
use crate::chain::chain;
use crate::clock::{Clock, Zone};
use crate::counted::counted;
use crate::nats_client::Client;
use crate::store::CurrentDatabase;

/// How often the thread checks whether a comparison is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The longest time from the start to the first one.
const FIRST_AFTER_SECONDS: i64 = 600;
/// How long a stop waits for the thread. A request to NATS may last longer, and is left to end with
/// the process: it writes nothing.
const STOP_WAIT_MAX: Duration = Duration::from_secs(2);
const STOP_LOOK_EVERY: Duration = Duration::from_millis(10);
/// Changes that NATS made this long before a request may not be in its answer.
pub const SLACK_SECONDS: i64 = 60;

/// The result of the last comparison; clones see the same.
#[derive(Clone, Debug, Default)]
pub struct Compared(Arc<Mutex<Option<(u64, i64)>>>);

impl Compared {
    /// How many members differed, and when they were compared (unix seconds).
    pub fn get(&self) -> Option<(u64, i64)> {
        *self.0.lock()
    }
}

/// The thread that compares.
#[derive(Debug)]
pub struct ReconcileThread {
    thread: JoinHandle<()>,
    stop: Arc<AtomicBool>,
    /// Wakes the thread when it is dropped.
    _wake: SyncSender<()>,
    compared: Compared,
}

/// What is compared, and how often.
pub struct Schedule {
    /// The time between two comparisons, in seconds.
    pub every: i64,
    /// The client for NATS as the settings are at that time, or none if there is no NATS.
    pub client: Box<dyn Fn() -> Option<Arc<Client>> + Send>,
    /// The database.
    pub database: CurrentDatabase,
    /// The clock.
    pub clock: Clock,
    /// The time zone of dates in the list, as the settings are at that time.
    pub zone: Box<dyn Fn() -> Zone + Send>,
}

impl std::fmt::Debug for Schedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Schedule").field("every", &self.every).finish_non_exhaustive()
    }
}

impl ReconcileThread {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn start(schedule: Schedule) -> io::Result<Self> {
        let stop = Arc::<AtomicBool>::default();
        let (wake, woken) = sync_channel(0);
        let (stopped, compared) = (Arc::clone(&stop), Compared::default());
        let told = compared.clone();
        let thread = std::thread::Builder::new()
            .name("reconcile".into())
            .spawn(move || schedule.run(&woken, &stopped, &told))?;
        Ok(Self { thread, stop, _wake: wake, compared })
    }

    /// The result of the last comparison.
    pub fn compared(&self) -> &Compared {
        &self.compared
    }

    /// Ends the thread. A comparison that is running is given up.
    pub fn stop(self) {
        let Self { thread, stop, _wake, .. } = self;
        stop.store(true, Ordering::Relaxed);
        drop(_wake);
        let began = Instant::now();
        while !thread.is_finished() && began.elapsed() < STOP_WAIT_MAX {
            std::thread::sleep(STOP_LOOK_EVERY);
        }
        if thread.is_finished() && thread.join().is_err() {
            log::error!("the reconcile thread panicked");
        }
    }
}

impl Schedule {
    fn run(&self, woken: &Receiver<()>, stop: &AtomicBool, told: &Compared) {
        let mut due = self.clock.steady() + self.every.min(FIRST_AFTER_SECONDS);
        while woken.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
            // Of the receivers that share a database one compares.
            if self.clock.steady() < due || !self.database.is_leading() {
                continue;
            }
            match self.compare(stop) {
                Ok(None) => {}
                Ok(Some((counts, refused))) => {
                    log_counts(&counts, refused);
                    *told.0.lock() = Some((counts.all(), self.clock.now()));
                }
                Err(ReconcileError::Stopped) if stop.load(Ordering::Relaxed) => return,
                Err(ReconcileError::Stopped) => {
                    log::warn!("the database was replaced while it was compared with NATS's list");
                }
                Err(error) => {
                    log::warn!("the members were not compared with NATS's: {}", chain(&error));
                }
            }
            due = self.clock.steady() + self.every;
        }
    }

    /// The counts, and the rows of the list that cannot be read; `None` without a NATS.
    fn compare(&self, stop: &AtomicBool) -> Result<Option<(Counts, u64)>, ReconcileError> {
        let Some(client) = (self.client)() else {
            log::warn!("the members are not compared with NATS's: there is no --nats-url any more");
            return Ok(None);
        };
        let now = self.clock.now();
        let (wish, since) = {
            let reader = self.database.open()?;
            let sites = sites_here(&*reader, now)?;
            let record = reader.newest_record()?.map(|(id, _)| id);
            let wish = ListWish { sites, zone: (self.zone)(), keeps_secrets: false };
            (wish, Since { at: now - SLACK_SECONDS, record })
        };
        if wish.sites.is_empty() {
            return Err(ReconcileError::NoSites);
        }
        // No reader is open meanwhile: the service waits for all of them when the database is
        // replaced.
        let list = fetch(&client, &wish, stop, &mut |_| ())?;
        let reader = self.database.open()?;
        let changed = changed_since(&*reader, since)?;
        let mut go_on = || !stop.load(Ordering::Relaxed) && reader.is_current();
        let mut here =
            Here { reader: &*reader, now: self.clock.now(), changed: &changed, go_on: &mut go_on };
        let counts = compare(&mut here, &list, &mut |_| Ok(()))?;
        Ok(Some((counts, list.refused_count)))
    }
}

fn log_counts(counts: &Counts, refused: u64) {
    if refused > 0 {
        log::warn!("NATS's list of members has {} that cannot be read", counted(refused, "row"));
    }
    let (level, sentence) = worded(counts);
    log::log!(level, "{sentence}");
}

fn worded(counts: &Counts) -> (log::Level, String) {
    match counts.all() {
        0 => (
            log::Level::Info,
            format!(
                "the members are those of NATS: {} compared",
                counted(counts.members, "member")
            ),
        ),
        _ => (
            log::Level::Warn,
            format!(
                "the members are not those of NATS: {counts}; `nats-userman reconcile --from-nats` \
                 lists them"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_a_warning_with_the_counts_and_none_is_a_line_of_its_own() {
        let same = Counts { members: 2, ..Counts::default() };
        let line = "the members are those of NATS: 2 members compared";
        assert_eq!(worded(&same), (log::Level::Info, line.into()));
        let differ = Counts { not_here: 3, not_here_former: 1, not_there: 4, ..same };
        let line = "the members are not those of NATS: 3 active at NATS and not here (1 of them \
                    former members), 4 here and not active at NATS, 0 with another name, 0 with \
                    another trial flag, 0 with another expiry; `nats-userman reconcile \
                    --from-nats` lists them";
        assert_eq!(worded(&differ), (log::Level::Warn, line.into()));
    }
}
