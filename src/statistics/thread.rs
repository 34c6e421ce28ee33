//! The thread that counts in the background, and the handle on what it has counted.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use super::collector::{Collector, SETTLE_SECONDS};
use super::places::Places;
use super::snapshot::Snapshot;
use crate::chain::chain;
use crate::clock::Clock;
use crate::idle;
use crate::logging::limit::Interval;
use crate::store::{CurrentDatabase, CurrentReader, Fault};

/// How often the journal is followed.
const FOLLOW_EVERY: Duration = Duration::from_secs(1);
/// The pause after a page is this many times as long as the page took: reading takes a tenth of one
/// processor at most.
const PAUSE_FACTOR: u32 = 9;
/// The shortest pause after a page.
const PAUSE_MIN: Duration = Duration::from_millis(2);
/// How often the backlog and the sizes are read, and the members counted, at the most often. If
/// that takes long, it is done less often: a hundredth of the time is spent on it.
const MEASURE_EVERY: Duration = Duration::from_secs(10);
const COUNT_EVERY: Duration = Duration::from_secs(15);
const SHARE: u32 = 100;
/// How often a fault is logged.
const LOG_EVERY_SECONDS: i64 = 300;

/// What was counted; clones see the same.
#[derive(Clone, Debug, Default)]
pub struct Statistics(Arc<ArcSwap<Snapshot>>);

impl Statistics {
    /// The current counts. Costs nothing.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.load_full()
    }
}

/// The thread.
#[derive(Debug)]
pub struct StatisticsThread {
    thread: JoinHandle<()>,
    /// Wakes the thread when it is dropped.
    wake: SyncSender<()>,
    statistics: Statistics,
}

impl StatisticsThread {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn start(file: &CurrentDatabase, clock: &Clock) -> io::Result<Self> {
        let statistics = Statistics::default();
        let mut counting = Counting::new(file.clone(), clock.clone(), statistics.clone());
        let (wake, woken) = sync_channel(0);
        let thread = std::thread::Builder::new().name("statistics".into()).spawn(move || {
            // Not lower: a thread that never runs would keep its read transaction open.
            idle::let_requests_pass();
            counting.run(&woken);
        })?;
        Ok(Self { thread, wake, statistics })
    }

    /// The handle on what it counts.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Ends the thread after its current page.
    pub fn stop(self) {
        drop(self.wake);
        if self.thread.join().is_err() {
            log::error!("the statistics thread panicked");
        }
    }
}

/// The stop was requested.
struct Stopped;

struct Counting {
    file: CurrentDatabase,
    clock: Clock,
    statistics: Statistics,
    places: Places,
    collector: Collector,
    /// The generation of the database that the collector has read.
    generation: u64,
    reader: Option<CurrentReader>,
    measured: Periodic,
    counted: Periodic,
    faults: Interval,
}

impl Counting {
    fn new(file: CurrentDatabase, clock: Clock, statistics: Statistics) -> Self {
        let (places, collector) = (Places::of(file.location()), new_collector(&file));
        Self {
            file,
            clock,
            statistics,
            places,
            collector,
            generation: 0,
            reader: None,
            measured: Periodic::new(MEASURE_EVERY),
            counted: Periodic::new(COUNT_EVERY),
            faults: Interval::new(LOG_EVERY_SECONDS),
        }
    }

    fn run(&mut self, woken: &Receiver<()>) {
        loop {
            match self.round(woken) {
                Ok(Ok(())) => {}
                Ok(Err(fault)) => {
                    self.reader = None;
                    if self.faults.is_due(self.clock.steady()) {
                        log::warn!("the statistics are not up to date: {}", chain(&fault));
                    }
                }
                Err(Stopped) => return,
            }
            if wait(woken, FOLLOW_EVERY).is_err() {
                return;
            }
        }
    }

    /// What is due now, with a pause after each page.
    fn round(&mut self, woken: &Receiver<()>) -> Result<Result<(), Fault>, Stopped> {
        loop {
            if !self.has_reader() {
                return Ok(Ok(()));
            }
            let began = Instant::now();
            let more = match self.page() {
                Ok(more) => more,
                Err(fault) => return Ok(Err(fault)),
            };
            if !more {
                return Ok(Ok(()));
            }
            wait(woken, (began.elapsed() * PAUSE_FACTOR).max(PAUSE_MIN))?;
        }
    }

    /// Whether there is a reader of the current database. Of another database than before,
    /// everything is counted anew.
    fn has_reader(&mut self) -> bool {
        self.reader.take_if(|reader| !reader.is_current());
        if self.reader.is_none() {
            // An error means that no database is current: the writer logs that.
            self.reader = self.file.open().ok();
        }
        let Some(reader) = &self.reader else { return false };
        if self.generation != reader.generation() {
            self.generation = reader.generation();
            self.collector = new_collector(&self.file);
            self.measured.is_due_now();
            self.counted.is_due_now();
        }
        true
    }

    /// Reads a page of each kind that is due. Returns whether there are more.
    fn page(&mut self) -> Result<bool, Fault> {
        let Self { reader, collector, clock, places, .. } = self;
        let Some(reader) = reader else { return Ok(false) };
        let reading = clock.read();
        let mut more = collector.follow(&**reader, reading)?;
        more |= collector.read_back(&**reader, reading.wall)?;
        if self.measured.begins() {
            collector.measure(&**reader, places, reading.steady)?;
            self.measured.ends();
        }
        if self.counted.begins() {
            let goes_on = collector.count_members(&**reader, reading.wall)?;
            if goes_on {
                self.counted.pauses();
            } else {
                self.counted.ends();
            }
            more |= goes_on;
        }
        self.statistics.0.store(Arc::new(collector.snapshot(reading.wall)));
        Ok(more)
    }
}

fn new_collector(file: &CurrentDatabase) -> Collector {
    Collector::new(if file.reads_are_local() { 0 } else { SETTLE_SECONDS })
}

fn wait(woken: &Receiver<()>, time: Duration) -> Result<(), Stopped> {
    match woken.recv_timeout(time) {
        Err(RecvTimeoutError::Timeout) => Ok(()),
        _ => Err(Stopped),
    }
}

/// Work that is done at intervals: the longer it takes, the longer they are.
struct Periodic {
    at_least: Duration,
    due: Instant,
    /// When the current part began.
    began: Instant,
    /// How long the parts before it took.
    took: Duration,
}

impl Periodic {
    fn new(at_least: Duration) -> Self {
        let now = Instant::now();
        Self { at_least, due: now, began: now, took: Duration::ZERO }
    }

    fn is_due_now(&mut self) {
        *self = Self::new(self.at_least);
    }

    /// Whether it is due. Then it begins now, or goes on.
    fn begins(&mut self) -> bool {
        self.began = Instant::now();
        self.began >= self.due
    }

    /// A part has ended, and the next one is due at once.
    fn pauses(&mut self) {
        self.took += self.began.elapsed();
    }

    /// The last part has ended.
    fn ends(&mut self) {
        self.pauses();
        self.due = Instant::now() + (self.took * SHARE).max(self.at_least);
        self.took = Duration::ZERO;
    }
}
