//! The thread that looks for causes, and tells of them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use super::cause::Cause;
use super::delivery::Delivery;
use super::event::{Event, State, host};
use super::facts::{Backups, Differences, Facts};
use super::ledger::{Ledger, Raised};
use super::probe::Probe;
use super::rules::{find, is_known};
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
/// How long deliveries that run at the stop may take.
const STOP_WITHIN: Duration = Duration::from_secs(2);
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
        let kept = file.read();
        let mut watch = Watch {
            ledger: Ledger::of(kept.clone(), now.steady),
            started: now,
            receiving_since: now.steady,
            led_at: now.steady,
            probe: Probe::default(),
            undelivered: Vec::new(),
            kept: kept.iter().map(|raised| raised.cause).collect(),
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
    /// Since when postbacks can be taken, by the steady clock.
    receiving_since: i64,
    /// When this receiver last led, by the steady clock.
    led_at: i64,
    probe: Probe,
    /// The events, with their messages, that a target has not taken yet.
    undelivered: Vec<(Event, String)>,
    /// The causes that were last written to the file.
    kept: BTreeSet<Cause>,
}

impl Watch {
    fn run(&mut self, woken: &Receiver<()>) {
        loop {
            self.look();
            if woken.recv_timeout(LOOK_EVERY) != Err(RecvTimeoutError::Timeout) {
                break;
            }
        }
        self.targets.iter().for_each(Delivery::begin_stop);
        let until = Instant::now() + STOP_WITHIN;
        let left: usize = self.targets.iter().map(|target| target.stop(until)).sum();
        self.keep(&self.ledger.raised());
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
        let limits = &self.config.limits;
        let found = find(&facts, limits, |cause| self.ledger.is_raised(cause));
        let can_judge =
            |cause: Cause| (leads || !cause.is_shared()) && is_known(cause, &facts, limits);
        let events = self.ledger.update(found, now, can_judge);
        events.iter().for_each(|event| self.tell(event));
        let raised = self.ledger.raised();
        self.keep(&raised);
        self.told.0.store(Arc::new(raised));
    }

    /// Keeps the alarms as all targets know them, if that has changed. One that was raised and not
    /// taken yet is left out, and one whose end was not taken yet is kept: after a restart, either
    /// is told again.
    fn keep(&mut self, raised: &[Raised]) {
        let targets = &self.targets;
        self.undelivered.retain(|(_, json)| targets.iter().any(|target| target.has(json)));
        let told = as_delivered(raised, self.undelivered.iter().map(|(event, _)| event));
        let causes: BTreeSet<Cause> = told.iter().map(|raised| raised.cause).collect();
        if causes == self.kept {
            return;
        }
        self.kept = causes;
        if let Err(error) = self.file.write(&told) {
            let path = self.file.0.display();
            log::warn!("{path} cannot be written, alarms may be raised again: {}", chain(&error));
        }
    }

    fn facts(&mut self, now: Reading) -> Facts {
        let Sources { statistics, backups, compared, writer, .. } = &self.sources;
        let can_write = self.probe.look(now.steady, || writer.begin_probe());
        if can_write == Some(false) {
            self.receiving_since = now.steady;
        }
        let receiving = now.steady - self.receiving_since;
        let is_comparing = compared.is_some();
        let running = now.steady - self.started.steady;
        let backups = backups.as_ref().map(|(every, age)| Backups {
            every: *every,
            age: age.seconds(now.wall),
            running,
        });
        let (snapshot, differences) = (statistics.snapshot(), compared.as_ref());
        let differences =
            differences.and_then(|last| last.get().map(|(count, at)| Differences { count, at }));
        Facts { now: now.wall, snapshot, backups, can_write, receiving, is_comparing, differences }
    }

    fn tell(&mut self, event: &Event) {
        let (cause, message) = (event.cause, &event.message);
        match event.state {
            State::Cleared => log::info!("alarm {cause} is over: {message}"),
            _ => log::warn!("alarm {cause}: {message}"),
        }
        let json = event.json(&self.host);
        self.targets.iter().for_each(|target| target.put(json.clone()));
        self.undelivered.push((event.clone(), json));
    }
}

/// The alarms as they were told: those that are raised, as if the events that wait had not been.
fn as_delivered<'e>(
    raised: &[Raised],
    undelivered: impl Iterator<Item = &'e Event>,
) -> Vec<Raised> {
    let mut told: BTreeMap<Cause, Raised> =
        raised.iter().map(|raised| (raised.cause, raised.clone())).collect();
    let mut seen = BTreeSet::new();
    // The first that waits says how it was before.
    for Event { cause, state, since, message } in undelivered {
        if !seen.insert(*cause) {
            continue;
        }
        match state {
            State::Raised => told.remove(cause),
            State::Cleared => {
                let before = Raised { cause: *cause, since: *since, message: message.clone() };
                told.insert(*cause, before)
            }
            State::Test => None,
        };
    }
    told.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_target_has_not_taken_counts_as_not_told() {
        let raised =
            |message: &str| Raised { cause: Cause::Disk, since: 7, message: message.into() };
        let event =
            |state| Event { cause: Cause::Disk, state, since: 7, message: "an event".into() };
        let (begun, over) = (event(State::Raised), event(State::Cleared));
        for (now, undelivered, kept) in [
            (vec![raised("now")], vec![], vec![raised("now")]),
            (vec![], vec![], vec![]),
            (vec![raised("now")], vec![&begun], vec![]),
            (vec![], vec![&over], vec![raised("an event")]),
            (vec![], vec![&begun, &over], vec![]),
            (vec![raised("now")], vec![&over, &begun], vec![raised("an event")]),
            (vec![raised("now")], vec![&begun, &over, &begun], vec![]),
        ] {
            assert_eq!(as_delivered(&now, undelivered.iter().copied()), kept, "{undelivered:?}");
        }
    }
}
