//! Threads that read a database over a network, for HTTP threads that must not wait. Queue, threads
//! and waiting time are bounded. Each thread has a connection of its own, which is opened again
//! after a fault or where another database is current.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::oneshot;

use super::error::{CHECK_EVERY, ReadError};
use crate::chain::chain;
use crate::store::{CurrentDatabase, CurrentReader, Fault, Read};

/// The bounds of a pool.
#[derive(Clone, Copy, Debug)]
pub struct ReadLimits {
    /// Reads that run at once: each waits for a network, so more threads than processors.
    pub threads: usize,
    /// Reads that wait for a thread. One more is refused.
    pub waiting: usize,
    /// How long a read may take, the time in the queue included: a visitor gets an answer before
    /// the timeout of the web server in front.
    pub time: Duration,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self { threads: 8, waiting: 256, time: Duration::from_secs(5) }
    }
}

/// Runs a job and answers. Returns whether the connection is still good.
pub(super) type Job = dyn FnOnce(Result<&dyn Read, ReadError>) -> bool + Send;

/// A read that waits for a thread.
struct QueuedRead {
    until: Instant,
    run: Box<Job>,
}

/// The queue of the threads.
#[derive(Default)]
struct ReadQueue {
    reads: Mutex<WaitingReads>,
    changed: Condvar,
}

#[derive(Default)]
struct WaitingReads {
    reads: VecDeque<QueuedRead>,
    /// The last handle was dropped.
    is_closed: bool,
}

/// The next item for a thread in the queue.
enum Next {
    Read(QueuedRead),
    Nothing,
    Closed,
}

impl ReadQueue {
    fn push(&self, read: QueuedRead, most: usize) {
        let mut waiting = self.lock();
        if waiting.reads.len() >= most {
            drop(waiting);
            (read.run)(Err(ReadError::Overloaded));
            return;
        }
        waiting.reads.push_back(read);
        self.changed.notify_one();
    }

    /// Waits for at most [`CHECK_EVERY`].
    fn next(&self) -> Next {
        let is_idle = |waiting: &mut WaitingReads| waiting.reads.is_empty() && !waiting.is_closed;
        let mut waiting = self.lock();
        self.changed.wait_while_for(&mut waiting, is_idle, CHECK_EVERY);
        match waiting.reads.pop_front() {
            Some(read) => Next::Read(read),
            None if waiting.is_closed => Next::Closed,
            None => Next::Nothing,
        }
    }

    fn lock(&self) -> MutexGuard<'_, WaitingReads> {
        self.reads.lock()
    }
}

/// Ends the threads when the last handle is dropped.
struct Handle {
    queue: Arc<ReadQueue>,
    limits: ReadLimits,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.queue.lock().is_closed = true;
        self.queue.changed.notify_all();
    }
}

/// A handle on the threads. They end when the last handle is dropped.
#[derive(Clone)]
pub struct ReadPool(Arc<Handle>);

impl fmt::Debug for ReadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReadPool")
    }
}

impl ReadPool {
    /// Starts the threads.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn start(file: &CurrentDatabase, limits: ReadLimits) -> io::Result<Self> {
        let handle = Handle { queue: Arc::default(), limits };
        for number in 0..limits.threads {
            let (queue, file) = (Arc::clone(&handle.queue), file.clone());
            std::thread::Builder::new()
                .name(format!("read-{number}"))
                .spawn(move || serve(&queue, &file))?;
        }
        Ok(Self(Arc::new(handle)))
    }

    /// Runs a job in a read transaction on one of the threads.
    ///
    /// # Errors
    ///
    /// If the queue is full, the time is up, or the database cannot be read.
    pub async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&dyn Read) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, ReadError> {
        self.read_alone(move |reader| in_read(reader, job)).await
    }

    /// Runs a job without a read transaction on one of the threads: see
    /// [`super::Reads::read_alone`].
    ///
    /// # Errors
    ///
    /// As [`ReadPool::read`].
    pub async fn read_alone<T: Send + 'static>(
        &self,
        job: impl FnOnce(&dyn Read) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, ReadError> {
        let (answer, answered) = oneshot::channel();
        let run = Box::new(move |reader: Result<&dyn Read, ReadError>| {
            let done = reader
                .and_then(|reader| job(reader).map_err(|fault| ReadError::Fault(chain(&fault))));
            let is_good = done.is_ok();
            // An error means that the caller no longer waits.
            let _ = answer.send(done);
            is_good
        });
        self.push(run);
        self.answer(answered).await
    }

    /// The bounds.
    pub(super) fn limits(&self) -> ReadLimits {
        self.0.limits
    }

    /// Gives the threads a job. If too many wait, it gets [`ReadError::Overloaded`] at once.
    pub(super) fn push(&self, run: Box<Job>) {
        let Handle { queue, limits } = &*self.0;
        queue.push(QueuedRead { until: Instant::now() + limits.time, run }, limits.waiting);
    }

    /// Waits for the answer of a job.
    pub(super) async fn answer<T>(
        &self,
        answered: oneshot::Receiver<Result<T, ReadError>>,
    ) -> Result<T, ReadError> {
        match tokio::time::timeout(self.0.limits.time, answered).await {
            Ok(Ok(done)) => done,
            Ok(Err(_)) => Err(ReadError::Fault("a thread that reads has ended".into())),
            Err(_) => Err(ReadError::Overloaded),
        }
    }
}

/// One read transaction for one job.
fn in_read<T>(
    reader: &dyn Read,
    job: impl FnOnce(&dyn Read) -> Result<T, Fault>,
) -> Result<T, Fault> {
    reader.begin_read()?;
    let done = job(reader);
    let ended = reader.end_read();
    done.and_then(|done| ended.map(|()| done))
}

/// Runs one thread until the last handle is dropped.
fn serve(queue: &ReadQueue, file: &CurrentDatabase) {
    let mut open: Option<CurrentReader> = None;
    loop {
        let next = queue.next();
        file.check();
        open.take_if(|reader| !reader.is_current());
        match next {
            Next::Read(read) => open = run(read, open.take(), file),
            Next::Nothing => {}
            Next::Closed => return,
        }
    }
}

/// Runs one read. Returns the connection if it is still usable.
fn run(
    read: QueuedRead,
    open: Option<CurrentReader>,
    file: &CurrentDatabase,
) -> Option<CurrentReader> {
    if read.until <= Instant::now() {
        (read.run)(Err(ReadError::Overloaded));
        return open;
    }
    let opened = open.map_or_else(|| file.open().map_err(ReadError::of_opening), Ok);
    match opened {
        Ok(reader) => {
            // After a panic the connection may be in an undefined state, so it is closed. The
            // thread continues, and the panic is in the log.
            let run = AssertUnwindSafe(|| (read.run)(Ok(&*reader)));
            let is_good = catch_unwind(run).unwrap_or(false);
            is_good.then_some(reader)
        }
        Err(error) => {
            (read.run)(Err(error));
            None
        }
    }
}
