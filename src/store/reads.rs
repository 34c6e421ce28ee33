//! How an HTTP thread reads. The store says whether reading waits for a network: see
//! [`Location::reads_are_local`](super::Location::reads_are_local).
//!
//! A local read runs at once, on the thread's own connection. Beginning and ending a read
//! transaction costs as much as a query. Therefore all requests that a thread is serving share one
//! transaction: it begins with the first of them and ends after the last. It begins again whenever
//! the writer has committed, so an acknowledged change is visible at once. A change that a command
//! makes beside the service is visible one round of the thread later.
//!
//! A read that crosses a network runs on one of a bounded number of threads ([`pool`]), and the
//! HTTP thread serves other requests until it is done.

mod cookie_queue;
mod error;
pub mod pool;

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use super::{CookieLogin, CookieLoginState, CurrentDatabase, CurrentReader, Fault, Read};
use crate::chain::chain;
use crate::metrics::Metrics;
use cookie_queue::CookieQueue;
use error::CHECK_EVERY;
pub use error::ReadError;
pub use pool::{ReadLimits, ReadPool};

/// The state that all HTTP threads share for reading.
#[derive(Clone, Debug)]
pub struct ReadSource {
    file: CurrentDatabase,
    metrics: Metrics,
    /// If reads cross a network.
    remote: Option<RemoteReads>,
}

impl ReadSource {
    /// For a service on this database.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn new(file: CurrentDatabase, metrics: Metrics) -> std::io::Result<Self> {
        Self::with_limits(file, metrics, ReadLimits::default())
    }

    /// For a service on this database, with other bounds of the threads that read over a network.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn with_limits(
        file: CurrentDatabase,
        metrics: Metrics,
        limits: ReadLimits,
    ) -> std::io::Result<Self> {
        let is_local = file.reads_are_local();
        let remote = if is_local { None } else { Some(RemoteReads::start(&file, limits)?) };
        Ok(Self { file, metrics, remote })
    }
}

impl ReadSource {
    /// The threads that read, if reads cross a network.
    pub fn pool(&self) -> Option<&ReadPool> {
        self.remote.as_ref().map(|remote| &remote.pool)
    }
}

/// The reads of one HTTP thread. Clones belong to the same thread.
#[derive(Clone, Debug)]
pub enum Reads {
    /// On the thread's own connection.
    Local(Rc<LocalReads>),
    /// On the threads of a pool.
    Remote(RemoteReads),
}

/// Reads over a network, for all HTTP threads.
#[derive(Clone, Debug)]
pub struct RemoteReads {
    pool: ReadPool,
    cookies: CookieQueue,
}

impl RemoteReads {
    fn start(file: &CurrentDatabase, limits: ReadLimits) -> std::io::Result<Self> {
        let pool = ReadPool::start(file, limits)?;
        Ok(Self { cookies: CookieQueue::new(pool.clone()), pool })
    }
}

impl Reads {
    /// Reads for the calling thread, which must run a `LocalSet`.
    pub fn new(source: &ReadSource) -> Self {
        match &source.remote {
            Some(remote) => Self::Remote(remote.clone()),
            None => Self::Local(LocalReads::new(source.file.clone(), source.metrics.clone())),
        }
    }

    /// Reads what is committed now. All reads of one job see the same moment.
    ///
    /// # Errors
    ///
    /// If the database cannot be read, or not in time.
    pub async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&dyn Read) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, ReadError> {
        match self {
            Self::Local(local) => local.read(job),
            Self::Remote(remote) => remote.pool.read(job).await,
        }
    }

    /// Reads what is committed now, for a job that is a single call of [`Read::login_row`] or
    /// [`Read::logins_by_name`]. Over a network these see one moment by themselves, in one round
    /// trip.
    ///
    /// # Errors
    ///
    /// As [`Reads::read`].
    pub async fn read_alone<T: Send + 'static>(
        &self,
        job: impl FnOnce(&dyn Read) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, ReadError> {
        match self {
            Self::Local(local) => local.read(job),
            Self::Remote(remote) => remote.pool.read_alone(job).await,
        }
    }

    /// What is stored about these logins by cookie, in their order: see [`Read::cookie_logins`].
    /// Over a network, queries that wait become one.
    ///
    /// # Errors
    ///
    /// As [`Reads::read`].
    pub async fn cookie_logins(
        &self,
        logins: Vec<CookieLogin>,
        now: i64,
    ) -> Result<Vec<CookieLoginState>, ReadError> {
        match self {
            Self::Local(local) => local.read(|reader| reader.cookie_logins(&logins, now)),
            Self::Remote(remote) => remote.cookies.states(logins, now).await,
        }
    }
}

/// The connection of one thread. It is opened when it is first needed, and again after a fault or
/// when another database became current.
#[derive(Debug)]
pub struct LocalReads {
    file: CurrentDatabase,
    metrics: Metrics,
    open: RefCell<Option<OpenReader>>,
}

#[derive(Debug)]
struct OpenReader {
    reader: CurrentReader,
    /// The writer's count of transactions when the read transaction began; `None` if none is open.
    since: Option<u64>,
}

impl LocalReads {
    fn new(file: CurrentDatabase, metrics: Metrics) -> Rc<Self> {
        let reads = Rc::new(Self { file, metrics, open: RefCell::new(None) });
        tokio::task::spawn_local(keep_current(Rc::downgrade(&reads)));
        reads
    }

    fn read<T>(
        self: &Rc<Self>,
        job: impl FnOnce(&dyn Read) -> Result<T, Fault>,
    ) -> Result<T, ReadError> {
        let mut open = self.open.borrow_mut();
        open.take_if(|open| !open.reader.is_current());
        let reader = match open.as_mut() {
            Some(reader) => reader,
            None => {
                let reader = self.file.open().map_err(ReadError::of_opening)?;
                open.insert(OpenReader { reader, since: None })
            }
        };
        let done = self.begin_read(reader).and_then(|()| job(&*reader.reader));
        if done.is_err() {
            *open = None;
        }
        done.map_err(|fault| ReadError::Fault(chain(&fault)))
    }

    /// Continues the open read transaction, or begins one.
    fn begin_read(self: &Rc<Self>, open: &mut OpenReader) -> Result<(), Fault> {
        // Before the transaction begins: a commit in between is then read twice, never missed.
        let transactions = self.metrics.transactions();
        if open.since == Some(transactions) {
            return Ok(());
        }
        if open.since.take().is_none() {
            tokio::task::spawn_local(Rc::clone(self).end_read());
        }
        open.reader.end_read()?;
        open.reader.begin_read()?;
        open.since = Some(transactions);
        Ok(())
    }

    /// Closes a connection to a database that is no longer current.
    fn keep_current(&self) {
        self.file.check();
        self.open.borrow_mut().take_if(|open| !open.reader.is_current());
    }

    /// Ends the read transaction after the requests that are being served now.
    async fn end_read(self: Rc<Self>) {
        tokio::task::yield_now().await;
        let mut open = self.open.borrow_mut();
        let Some(reader) = open.as_mut() else { return };
        reader.since = None;
        if let Err(fault) = reader.reader.end_read() {
            log::error!("could not end a read transaction: {}", chain(&fault));
            *open = None;
        }
    }
}

async fn keep_current(reads: Weak<LocalReads>) {
    loop {
        tokio::time::sleep(CHECK_EVERY).await;
        let Some(reads) = reads.upgrade() else { return };
        reads.keep_current();
    }
}
