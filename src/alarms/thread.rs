//! The thread that looks for causes, and tells of them.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::delivery::Delivery;
use super::event::{Event, State, host};
use super::facts::{Backups, Differences, Facts};
use super::ledger::{Ledger, Raised};
use super::rules::find;
use super::state_file::StateFile;
use super::target::AlarmConfig;
use crate::backup::schedule::BackupAge;
use crate::chain::chain;
use crate::clock::{Clock, Reading};
use crate::counted::counted;
use crate::reconcile::schedule::Compared;
use crate::statistics::Statistics;
use crate::store::CurrentDatabase;
use crate::writer::Writer;

/// How often the rules are applied. They read what is in memory.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often a commit is tried, by the steady clock.
const PROBE_EVERY_SECONDS: i64 = 30;
/// For how long another receiver must lead until this one forgets what it has raised of the
/// database that they share: a lease may be lost for a moment, as at a start.
const FORGET_AFTER_SECONDS: i64 = 60;

/// The alarms that are raised; clones see the same.
#[derive(Clone, Debug, Default)]
pub struct Alarms(Arc<ArcSwap<Vec<Raised>>>);

impl Alarms {
    /// Those that are raised now.
    pub fn raised(&self) -> Arc<Vec<Raised>> {
        self.0.load_full()
    }
}

/// Where the facts come from.
#[derive(Debug)]
pub struct Sources {
    /// The counts of the journal.
    pub statistics: Statistics,
    /// The database, which says whether this receiver leads.
    pub database: CurrentDatabase,
    /// Tries commits.
    pub writer: Writer,
    /// The time.
    pub clock: Clock,
    /// The scheduled backups: the time between two in seconds, and the age of the newest.
    pub backups: Option<(i64, BackupAge)>,
    /// The last comparison with NATS's list.
    pub compared: Option<Compared>,
    /// The file of the raised alarms.
    pub file: PathBuf,
}

/// The thread.
#[derive(Debug)]
pub struct AlarmThread {
    thread: JoinHandle<()>,
    /// Wakes the thread when it is dropped.
    wake: SyncSender<()>,
    alarms: Alarms,
}

impl AlarmThread {
    /// Starts the thread, and one for each target.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn start(config: AlarmConfig, sources: Sources) -> io::Result<Self> {
        let alarms = Alarms::default();
        let targets: Vec<Delivery> =
            config.targets.all().into_iter().map(Delivery::start).collect::<Result<_, _>>()?;
        let file = StateFile(sources.file.clone());
        let now = sources.clock.read();
        let mut watch = Watch {
            ledger: Ledger::of(file.read(), now.steady),
            started: now,
            led_at: now.steady,
            probed: None,
            told: alarms.clone(),
            host: host(),
            file,
            config,
            sources,
            targets,
        };
        let (wake, woken) = sync_channel(0);
        let thread =
            std::thread::Builder::new().name("alarms".into()).spawn(move || watch.run(&woken))?;
        Ok(Self { thread, wake, alarms })
    }

    /// The alarms that are raised.
    pub fn alarms(&self) -> &Alarms {
        &self.alarms
    }

    /// Ends the thread. Before the writer ends, which it may ask.
    pub fn stop(self) {
        drop(self.wake);
        if self.thread.join().is_err() {
            log::error!("the alarm thread panicked");
        }
    }
}

struct Watch {
    config: AlarmConfig,
    sources: Sources,
    targets: Vec<Delivery>,
    ledger: Ledger,
    file: StateFile,
    host: String,
    told: Alarms,
    started: Reading,
    /// When this receiver last led, by the steady clock.
    led_at: i64,
    /// When a commit was last tried, by the steady clock, and whether it succeeded.
    probed: Option<(i64, bool)>,
}

impl Watch {
    fn run(&mut self, woken: &Receiver<()>) {
        loop {
            self.look();
            if woken.recv_timeout(LOOK_EVERY) != Err(RecvTimeoutError::Timeout) {
                break;
            }
        }
        let left: usize = self.targets.iter().map(Delivery::stop).sum();
        if left > 0 {
            log::error!("{} not delivered before the stop", counted(left as u64, "alarm"));
        }
    }

    fn look(&mut self) {
        let now = self.sources.clock.read();
        let facts = self.facts(now);
        let leads = self.sources.database.is_leading();
        if leads {
            self.led_at = now.steady;
        } else if now.steady - self.led_at >= FORGET_AFTER_SECONDS {
            self.ledger.forget(|cause| cause.is_shared());
        }
        let is_counted = facts.snapshot.complete_since.is_some();
        let found = find(&facts, &self.config.limits, |cause| self.ledger.is_raised(cause));
        let events =
            self.ledger.update(found, now, |cause| !cause.is_shared() || leads && is_counted);
        events.iter().for_each(|event| self.tell(event));
        let raised = self.ledger.raised();
        if !events.is_empty()
            && let Err(error) = self.file.write(&raised)
        {
            let path = self.file.0.display();
            log::warn!("{path} cannot be written, alarms may be raised again: {}", chain(&error));
        }
        self.told.0.store(Arc::new(raised));
    }

    fn facts(&mut self, now: Reading) -> Facts {
        let Sources { statistics, backups, compared, .. } = &self.sources;
        let running = now.steady - self.started.steady;
        let backups = backups.as_ref().map(|(every, age)| Backups {
            every: *every,
            age: age.seconds(now.wall),
            running,
        });
        let (snapshot, differences) = (statistics.snapshot(), compared.as_ref());
        let differences =
            differences.and_then(|last| last.get().map(|(count, at)| Differences { count, at }));
        Facts {
            now: now.wall,
            snapshot,
            backups,
            can_write: Some(self.can_write(now)),
            differences,
        }
    }

    fn can_write(&mut self, now: Reading) -> bool {
        match self.probed {
            Some((at, can)) if now.steady - at < PROBE_EVERY_SECONDS => can,
            _ => {
                let can = self.sources.writer.probe_and_wait();
                self.probed = Some((now.steady, can));
                can
            }
        }
    }

    fn tell(&self, event: &Event) {
        let (cause, message) = (event.cause, &event.message);
        match event.state {
            State::Cleared => log::info!("alarm {cause} is over: {message}"),
            _ => log::warn!("alarm {cause}: {message}"),
        }
        let json = event.json(&self.host);
        self.targets.iter().for_each(|target| target.put(json.clone()));
    }
}
