//! The state of one connection, and when it is over.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::Instant;

use super::{Connections, Kind, Limits};

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No byte of a request has come.
    Waiting,
    /// Bytes have come, and no request yet.
    Head,
    /// A handler has it.
    UnderWay,
    /// The handler is done; not all of the answer has been taken.
    Answering,
    /// The answer has been taken, and the body of its request goes on.
    Rest,
}

/// What became of a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    /// There is none, or it was read to its end.
    Read,
    /// What is left of it comes before the next request.
    Unread,
}

/// An answer of which the system has not taken all.
#[derive(Clone, Copy, Debug)]
struct Unsent {
    since: Instant,
    /// When the client last took some of it.
    moved: Instant,
}

/// Why a connection was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// It was idle for long enough; so proxies and browsers expect it, and it is not told.
    Idle,
    /// The head took too long.
    Head,
    /// The client did not take the answer.
    Unsent,
    /// The body went on after its request had been answered.
    Rest,
    /// It waited, and its place was needed.
    Full,
}

/// One connection. Its socket, its requests and its thread's table share it.
#[derive(Debug)]
pub struct Connection {
    shared: Arc<Connections>,
    state: Cell<State>,
    /// A request has come through it.
    was_used: Cell<bool>,
    /// When that state began.
    since: Cell<Instant>,
    unsent: Cell<Option<Unsent>>,
    /// The last write found no room.
    is_stalled: Cell<bool>,
    body: Cell<Body>,
    rest_bytes: Cell<usize>,
    /// The kind whose share it counts in.
    counted: Cell<Option<Kind>>,
    cut: Cell<Option<Cut>>,
    /// Of the task that has the socket.
    waker: RefCell<Option<Waker>>,
    /// Where it stands in the table.
    pub(super) place: Cell<usize>,
}

impl Connection {
    pub(super) fn new(shared: Arc<Connections>, now: Instant) -> Self {
        Self {
            shared,
            state: Cell::new(State::Waiting),
            was_used: Cell::new(false),
            since: Cell::new(now),
            unsent: Cell::new(None),
            is_stalled: Cell::new(false),
            body: Cell::new(Body::Read),
            rest_bytes: Cell::new(0),
            counted: Cell::new(None),
            cut: Cell::new(None),
            waker: RefCell::new(None),
            place: Cell::new(0),
        }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    fn enter(&self, state: State, now: Instant) {
        self.state.set(state);
        self.since.set(now);
    }

    /// Bytes have come.
    pub(super) fn came(&self, bytes: usize) {
        match self.state.get() {
            State::Waiting => self.enter(State::Head, Instant::now()),
            State::Rest => {
                self.rest_bytes.set(self.rest_bytes.get().saturating_add(bytes));
                if self.rest_bytes.get() > self.shared.limits.rest_bytes && self.cut.get().is_none() {
                    self.cut(Cut::Rest);
                }
            }
            State::Head | State::UnderWay | State::Answering => {}
        }
    }

    /// A request begins, with a body or without. False where the share of its kind is used up.
    pub fn begin(&self, kind: Kind, has_body: bool, now: Instant) -> bool {
        self.body.set(if has_body { Body::Unread } else { Body::Read });
        self.was_used.set(true);
        self.enter(State::UnderWay, now);
        // The client of pipelined requests may not have taken the answer to the one before.
        self.give_back();
        let is_taken = self.shared.take(kind);
        self.counted.set(is_taken.then_some(kind));
        is_taken
    }

    /// Its body was read to the end.
    pub(super) fn body_was_read(&self) {
        self.body.set(Body::Read);
    }

    /// Whether it has a body of which something is left.
    pub fn has_unread_body(&self) -> bool {
        self.body.get() == Body::Unread
    }

    /// Its handler is done, or was given up.
    pub fn end(&self, now: Instant) {
        self.enter(State::Answering, now);
        if self.unsent.get().is_none() {
            self.unsent.set(Some(Unsent { since: now, moved: now }));
        }
    }

    /// The system has taken some of an answer.
    pub(super) fn went(&self) {
        if self.is_stalled.replace(false)
            && let Some(unsent) = self.unsent.get()
        {
            self.unsent.set(Some(Unsent { moved: Instant::now(), ..unsent }));
        }
    }

    /// The system has no room for more.
    pub(super) fn stalls(&self) {
        self.is_stalled.set(true);
        if self.unsent.get().is_none() {
            let now = Instant::now();
            self.unsent.set(Some(Unsent { since: now, moved: now }));
        }
    }

    /// All that there is to send has been taken. Whether it waits from now on.
    pub(super) fn is_flushed(&self) -> bool {
        if self.unsent.take().is_none() || self.state.get() == State::UnderWay {
            return false;
        }
        self.give_back();
        self.rest_bytes.set(0);
        self.enter(if self.has_unread_body() { State::Rest } else { State::Waiting }, Instant::now());
        true
    }

    /// Gives its slot back.
    fn give_back(&self) {
        if let Some(kind) = self.counted.take() {
            self.shared.give_back(kind);
        }
    }

    /// Since when it waits for its client, so that its place may be taken.
    pub(super) fn may_go(&self) -> Option<Instant> {
        let may = self.state.get() != State::UnderWay && self.cut.get().is_none();
        may.then(|| self.since.get())
    }

    /// Closes it if a deadline has passed.
    pub(super) fn look(&self, now: Instant) {
        if self.cut.get().is_none()
            && let Some(cut) = self.overdue(now)
        {
            self.cut(cut);
        }
    }

    fn overdue(&self, now: Instant) -> Option<Cut> {
        let Limits { idle, head, stalled, answer, rest, .. } = self.shared.limits;
        let past = |since: Instant, limit| now.saturating_duration_since(since) >= limit;
        if let Some(unsent) = self.unsent.get()
            && (past(unsent.moved, stalled) || past(unsent.since, answer))
        {
            return Some(Cut::Unsent);
        }
        let since = self.since.get();
        match self.state.get() {
            State::Waiting => past(since, idle).then_some(Cut::Idle),
            // actix answers the first head 408 when its time is over, and closes; in case it cannot.
            State::Head if !self.was_used.get() => past(since, 2 * head).then_some(Cut::Head),
            State::Head => past(since, head).then_some(Cut::Head),
            State::Rest => past(since, rest).then_some(Cut::Rest),
            // The client need do nothing.
            State::UnderWay | State::Answering => None,
        }
    }

    /// Has the task that has the socket close it.
    pub(super) fn cut(&self, cut: Cut) {
        self.cut.set(Some(cut));
        self.shared.open.fetch_sub(1, Ordering::Relaxed);
        self.shared.told.cut(cut);
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// Whether it is to be closed.
    pub(super) fn is_cut(&self) -> bool {
        self.cut.get().is_some()
    }

    /// Whether there is something to send that the client has not taken.
    pub(super) fn has_unsent(&self) -> bool {
        self.unsent.get().is_some()
    }

    /// Whether bytes that have come meanwhile keep it: it waited for a request, and here is one.
    pub(super) fn may_go_on(&self) -> bool {
        self.state.get() == State::Waiting
    }

    /// Takes back that it is to be closed.
    pub(super) fn go_on(&self) {
        if self.cut.take().is_some() {
            self.shared.open.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Its socket is closed.
    pub(super) fn is_gone(&self) {
        self.give_back();
        if self.cut.get().is_none() {
            self.shared.open.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The task to be woken.
    pub(super) fn wakes(&self, waker: &Waker) {
        let mut kept = self.waker.borrow_mut();
        if !kept.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
            *kept = Some(waker.clone());
        }
    }
}
