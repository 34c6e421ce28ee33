//! Counts that the connections of all threads share.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::closed::{CloseReason, ClosedLog};
use super::share::{KINDS, RequestKind};
use crate::connection_limits::ConnectionLimits;

/// Counts the connections of all threads.
#[derive(Debug)]
pub struct Connections {
    limits: ConnectionLimits,
    /// Open connections, without those that are being closed.
    open: AtomicUsize,
    /// Connections with a request that is not answered yet, or that had none yet.
    unanswered: AtomicUsize,
    /// The service stops: each connection is closed with its next answer.
    closing: AtomicBool,
    /// Requests that are being handled, by kind.
    active: [AtomicUsize; KINDS],
    log: ClosedLog,
}

impl Connections {
    /// No connections yet.
    pub fn new(limits: ConnectionLimits) -> Self {
        let active = [const { AtomicUsize::new(0) }; KINDS];
        Self {
            limits,
            open: AtomicUsize::new(0),
            unanswered: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            active,
            log: ClosedLog::default(),
        }
    }

    /// No connections yet, of the operations listener.
    pub fn of_operations(limits: ConnectionLimits) -> Self {
        Self { log: ClosedLog::of_operations(), ..Self::new(limits) }
    }

    /// The limits.
    pub fn limits(&self) -> &ConnectionLimits {
        &self.limits
    }

    /// Counts a new connection, or one whose close was cancelled.
    pub(super) fn opened(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a connection that the client closed.
    pub(super) fn closed(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// Counts a connection that this server closes, for the log too.
    pub(super) fn closed_for(&self, reason: CloseReason) {
        self.closed();
        self.log.closed(reason);
    }

    /// Counts a connection that has something to answer.
    pub(super) fn begin_answer(&self) {
        self.unanswered.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one that has nothing to answer any more.
    pub(super) fn end_answer(&self) {
        self.unanswered.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether no connection has a request that is not answered, and each had one.
    pub fn all_are_answered(&self) -> bool {
        self.unanswered.load(Ordering::Relaxed) == 0
    }

    /// From now on each connection is closed with its next answer.
    pub fn begin_closing(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// Whether there are more connections than the limit.
    pub(super) fn is_over_limit(&self) -> bool {
        self.open.load(Ordering::Relaxed) > self.limits.connections
    }

    /// Takes a slot for a request of this kind; false if its share is used up.
    pub(super) fn take_slot(&self, kind: RequestKind) -> bool {
        let Some(most) = kind.share(self.limits.connections) else { return true };
        let active = &self.active[kind as usize];
        // Nothing else is published through these counts, here and elsewhere, so no order is
        // needed.
        let is_taken = active.fetch_add(1, Ordering::Relaxed) < most;
        if !is_taken {
            active.fetch_sub(1, Ordering::Relaxed);
            self.log.refused(kind);
        }
        is_taken
    }

    /// Returns a slot that [`Connections::take_slot`] took.
    pub(super) fn return_slot(&self, kind: RequestKind) {
        if kind.share(self.limits.connections).is_some() {
            self.active[kind as usize].fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Logs what was closed and refused since the last line, at most once a minute.
    pub fn log_closed(&self, steady: i64) {
        self.log.log(steady, self.limits.connections);
    }
}
