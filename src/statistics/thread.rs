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
            measured: Periodic::new(MEASURE_EVERY, Instant::now()),
            counted: Periodic::new(COUNT_EVERY, Instant::now()),
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
            self.measured = Periodic::new(MEASURE_EVERY, Instant::now());
            self.counted = Periodic::new(COUNT_EVERY, Instant::now());
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
        if self.measured.begins(Instant::now()) {
            collector.measure(&**reader, places, reading.steady)?;
            self.measured.ends(Instant::now());
        }
        if self.counted.begins(Instant::now()) {
            let goes_on = collector.count_members(&**reader, reading.wall)?;
            if goes_on {
                self.counted.pauses(Instant::now());
            } else {
                self.counted.ends(Instant::now());
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
    /// It is due at once.
    fn new(at_least: Duration, now: Instant) -> Self {
        Self { at_least, due: now, began: now, took: Duration::ZERO }
    }

    /// Whether it is due. Then it begins now, or goes on.
    fn begins(&mut self, now: Instant) -> bool {
        self.began = now;
        now >= self.due
    }

    /// A part has ended, and the next one is due at once.
    fn pauses(&mut self, now: Instant) {
        self.took += now - self.began;
    }

    /// The last part has ended.
    fn ends(&mut self, now: Instant) {
        self.pauses(now);
        self.due = now + (self.took * SHARE).max(self.at_least);
        self.took = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_counted_again_each_fifteen_seconds_or_in_a_hundredth_of_the_time() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut counted = Periodic::new(COUNT_EVERY, start);
        assert!(counted.begins(at(0)), "at the start");
        counted.ends(at(50));
        assert!(!counted.begins(at(15_049)));
        assert!(counted.begins(at(15_050)), "fifteen seconds after the end of the last count");
        counted.pauses(at(15_150));
        assert!(counted.begins(at(20_000)), "the next part is due at once");
        counted.ends(at(20_200));
        assert!(!counted.begins(at(50_199)), "both parts took 300 ms, a hundredth of 30 s");
        assert!(counted.begins(at(50_200)));
    }
}
