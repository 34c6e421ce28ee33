//! Reading: one connection, on which a read transaction reads one snapshot. A connection that was
//! lost while it was idle is opened again.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mysql::{Row, Value};

use super::connect::{Attempt, Connected, Purpose, connect, speaks};
use super::connection::Connection;
use super::server::{Host, Server};
use crate::store::{Cause, Fault};

/// How often a reader on another host than those for reading checks whether one of these answers
/// again.
const LOOK_BACK_EVERY: Duration = Duration::from_secs(60);

/// Whether it was logged that no host for reading answers.
static IS_ELSEWHERE: AtomicBool = AtomicBool::new(false);

/// A connection that only reads.
#[derive(Debug)]
pub(super) struct Reader {
    server: Server,
    purpose: Purpose,
    connection: RefCell<Option<Connection>>,
    /// The node of the connection.
    host: RefCell<Host>,
    /// When the hosts for reading were last checked.
    looked_back: Cell<Instant>,
    /// A read transaction is open.
    is_in_read: Cell<bool>,
}

impl Reader {
    pub(super) fn new(server: &Server, purpose: Purpose, connected: Connected) -> Self {
        let Connected { connection, host, .. } = connected;
        let reader = Self {
            server: server.clone(),
            purpose,
            connection: RefCell::new(Some(connection)),
            host: RefCell::new(host),
            looked_back: Cell::new(Instant::now()),
            is_in_read: Cell::new(false),
        };
        reader.log_fallback();
        reader
    }

    /// Whether it reads from a host that is not one of those for reading.
    pub(super) fn reads_from_fallback(&self) -> bool {
        !self.server.read_hosts().contains(&self.host.borrow())
    }

    fn log_fallback(&self) {
        let is_elsewhere = self.reads_from_fallback();
        match (is_elsewhere, IS_ELSEWHERE.swap(is_elsewhere, Ordering::Relaxed)) {
            (true, false) => log::warn!(
                "no host of --database-read can be used, so members are read from {}: \
                 `nats-userman doctor` says why",
                self.host.borrow()
            ),
            (false, true) => log::info!("members are read from {} again", self.host.borrow()),
            _ => {}
        }
    }

    /// Returns to a host for reading when one answers again. Checks that at intervals.
    fn look_back(&self) {
        if !self.reads_from_fallback() || self.looked_back.get().elapsed() < LOOK_BACK_EVERY {
            return;
        }
        self.looked_back.set(Instant::now());
        if self.server.read_hosts().iter().any(speaks)
            && let Ok(mut connection) = self.connection.try_borrow_mut()
        {
            *connection = None;
        }
    }

    fn connect(&self) -> Result<Connection, Fault> {
        let lost = self.host.borrow().clone();
        let attempt = Attempt { last: Some(&lost), ..Attempt::default() };
        let Connected { connection, host, .. } = connect(&self.server, self.purpose, attempt)?;
        self.host.replace(host);
        self.log_fallback();
        Ok(connection)
    }

    /// Begins a read transaction.
    pub(super) fn begin(&self) -> Result<(), Fault> {
        self.is_in_read.set(false);
        self.alone(|connection| Ok(connection.plain("START TRANSACTION READ ONLY")?))?;
        self.is_in_read.set(true);
        Ok(())
    }

    /// Ends the read transaction, if there is one.
    pub(super) fn end(&self) -> Result<(), Fault> {
        self.is_in_read.set(false);
        self.with(|connection| Ok(connection.plain("COMMIT")?))
    }

    /// Runs a query that is one statement. It sees one moment by itself: a read transaction around
    /// it would be two more round trips. Within a read transaction it belongs to that.
    pub(super) fn alone<T>(
        &self,
        query: impl Fn(&mut Connection) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        if self.is_in_read.get() {
            return self.with(query);
        }
        self.look_back();
        match self.with(&query) {
            // The server ended the idle connection, or was restarted.
            Err(_) if self.is_lost() => self.with(query),
            done => done,
        }
    }

    /// Runs a query of so many statements, all of which see one moment.
    pub(super) fn at_one_moment<T>(
        &self,
        statements: usize,
        query: impl FnOnce() -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        if statements <= 1 || self.is_in_read.get() {
            return query();
        }
        self.begin()?;
        let done = query();
        let ended = self.end();
        done.and_then(|done| ended.map(|()| done))
    }

    /// Lends the connection, which is opened where it was lost.
    pub(super) fn with<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut connection = self.connection.try_borrow_mut().map_err(|_| {
            Fault::Unusable(Cause::new("the connection is in use by the same thread", None))
        })?;
        connection.take_if(|connection| connection.is_broken());
        let connection = match &mut *connection {
            Some(connection) => connection,
            None => connection.insert(self.connect()?),
        };
        work(connection)
    }

    fn is_lost(&self) -> bool {
        let connection = self.connection.try_borrow();
        connection.is_ok_and(|it| it.as_ref().is_none_or(Connection::is_broken))
    }

    pub(super) fn rows(&self, sql: &'static str, values: Vec<Value>) -> Result<Vec<Row>, Fault> {
        self.with(|connection| connection.rows(sql, values))
    }

    pub(super) fn first(
        &self,
        sql: &'static str,
        values: Vec<Value>,
    ) -> Result<Option<Row>, Fault> {
        self.with(|connection| connection.first(sql, values))
    }
}
