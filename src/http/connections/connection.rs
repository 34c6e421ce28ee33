//! The state of one connection, and when it is closed.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use super::closed::CloseReason;
use super::counts::Connections;
use super::share::RequestKind;
use crate::connection_limits::ConnectionLimits;

/// The states of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// No byte of a request was received.
    Idle,
    /// Part of a head was received.
    Head,
    /// A handler has the request.
    Handled,
    /// The handler has returned; the response was not sent to its end.
    Sending,
    /// The response was sent, and the body of its request continues.
    Rest,
}

/// How far the body of a request was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyState {
    /// There is none, or it was read to its end.
    Read,
    /// The rest of it comes before the next request.
    Unread,
}

/// A response that the system has not accepted completely.
#[derive(Clone, Copy, Debug)]
struct Unsent {
    since: Instant,
    /// When the client last accepted some of it.
    moved: Instant,
}

/// A response that goes on for a long time: see [`Connection::stream`].
#[derive(Debug)]
pub struct Streaming(Rc<Connection>);

impl Drop for Streaming {
    fn drop(&mut self) {
        self.0.is_streaming.set(false);
    }
}

/// One connection. Its socket, its requests and its thread's table share it.
#[derive(Debug)]
pub struct Connection {
    shared: Arc<Connections>,
    stage: Cell<Stage>,
    /// A request was received.
    was_used: Cell<bool>,
    /// It is counted as one that has something to answer.
    is_unanswered: Cell<bool>,
    /// When the stage began; while a request is handled or answered, when its head began.
    since: Cell<Instant>,
    /// Set only if the system had no room for all of a response, which is rare.
    unsent: Cell<Option<Unsent>>,
    /// The last write found no room.
    is_stalled: Cell<bool>,
    body: Cell<BodyState>,
    rest_bytes: Cell<usize>,
    /// Its response goes on for as long as its client reads it.
    is_streaming: Cell<bool>,
    /// The kind whose slot it has taken.
    slot: Cell<Option<RequestKind>>,
    closing: Cell<Option<CloseReason>>,
    /// Wakes the task that has the socket.
    waker: RefCell<Option<Waker>>,
    /// Its index in the table.
    pub(super) place: Cell<usize>,
}

impl Connection {
    pub(super) fn new(shared: Arc<Connections>, now: Instant) -> Self {
        shared.opened();
        shared.begin_answer();
        Self {
            shared,
            stage: Cell::new(Stage::Idle),
            was_used: Cell::new(false),
            is_unanswered: Cell::new(true),
            since: Cell::new(now),
            unsent: Cell::new(None),
            is_stalled: Cell::new(false),
            body: Cell::new(BodyState::Read),
            rest_bytes: Cell::new(0),
            is_streaming: Cell::new(false),
            slot: Cell::new(None),
            closing: Cell::new(None),
            waker: RefCell::new(None),
            place: Cell::new(0),
        }
    }

    /// The limits.
    pub fn limits(&self) -> &ConnectionLimits {
        self.shared.limits()
    }

    fn enter(&self, stage: Stage, now: Instant) {
        self.stage.set(stage);
        self.since.set(now);
    }

    /// Bytes were received.
    pub(super) fn received(&self, bytes: usize) {
        match self.stage.get() {
            Stage::Idle => {
                self.enter(Stage::Head, Instant::now());
                self.begin_answer();
            }
            Stage::Rest => {
                self.rest_bytes.set(self.rest_bytes.get().saturating_add(bytes));
                if self.rest_bytes.get() > self.limits().rest_bytes && !self.is_closing() {
                    self.close(CloseReason::Rest);
                }
            }
            Stage::Head | Stage::Handled | Stage::Sending => {}
        }
    }

    /// Starts a request, with a body or without. False if the share of its kind is used up.
    pub fn begin(&self, kind: RequestKind, has_body: bool) -> bool {
        self.body.set(if has_body { BodyState::Unread } else { BodyState::Read });
        self.was_used.set(true);
        self.stage.set(Stage::Handled);
        // A request that was received together with the one before.
        self.begin_answer();
        // A client that pipelines may not have read the response to the previous request.
        self.return_slot();
        let is_taken = self.shared.take_slot(kind);
        self.slot.set(is_taken.then_some(kind));
        is_taken
    }

    /// The body was read to its end.
    pub(super) fn body_was_read(&self) {
        self.body.set(BodyState::Read);
    }

    /// Whether a part of a body is unread.
    pub fn has_unread_body(&self) -> bool {
        self.body.get() == BodyState::Unread
    }

    /// Marks the response as one whose pieces come over a long time, until the value is dropped.
    /// Meanwhile the connection keeps its slot and is not closed as idle.
    pub fn stream(self: &Rc<Self>) -> Streaming {
        self.is_streaming.set(true);
        Streaming(Rc::clone(self))
    }

    /// The handler has returned, or was cancelled.
    pub fn end(&self) {
        self.stage.set(Stage::Sending);
    }

    /// The system has accepted some of a response.
    pub(super) fn sent(&self) {
        if self.is_stalled.replace(false)
            && let Some(unsent) = self.unsent.get()
        {
            self.unsent.set(Some(Unsent { moved: Instant::now(), ..unsent }));
        }
    }

    /// The system has no room for more.
    pub(super) fn stalled(&self) {
        self.is_stalled.set(true);
        if self.unsent.get().is_none() {
            let now = Instant::now();
            self.unsent.set(Some(Unsent { since: now, moved: now }));
        }
    }

    /// All bytes of a response were sent. Returns whether the connection is idle from now on.
    pub(super) fn flushed(&self) -> bool {
        self.unsent.set(None);
        // Between two pieces of a stream, all was sent and the response has not ended.
        if self.stage.get() != Stage::Sending || self.is_streaming.get() {
            return false;
        }
        self.return_slot();
        self.end_answer();
        self.rest_bytes.set(0);
        self.enter(if self.has_unread_body() { Stage::Rest } else { Stage::Idle }, Instant::now());
        true
    }

    fn return_slot(&self) {
        if let Some(kind) = self.slot.take() {
            self.shared.return_slot(kind);
        }
    }

    /// Since when it waits for its client; `None` if it must not be closed to make room.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        let is_answered = self.stage.get() == Stage::Handled || self.is_streaming.get();
        let may_close = !is_answered && !self.is_closing();
        may_close.then(|| self.since.get())
    }

    /// Closes it if a deadline has passed.
    pub(super) fn check(&self, now: Instant) {
        if !self.is_closing()
            && let Some(reason) = self.overdue(now)
        {
            self.close(reason);
        }
    }

    fn overdue(&self, now: Instant) -> Option<CloseReason> {
        let ConnectionLimits { idle, head, stalled, answer, rest, .. } = *self.limits();
        let past = |since: Instant, limit| now.saturating_duration_since(since) >= limit;
        if let Some(unsent) = self.unsent.get()
            && (past(unsent.moved, stalled) || past(unsent.since, answer))
        {
            return Some(CloseReason::Unsent);
        }
        let since = self.since.get();
        match self.stage.get() {
            Stage::Idle => past(since, idle).then_some(CloseReason::Idle),
            // actix answers a late first head with 408 and closes. Twice its time is the fallback.
            Stage::Head if !self.was_used.get() => {
                past(since, 2 * head).then_some(CloseReason::Head)
            }
            Stage::Head => past(since, head).then_some(CloseReason::Head),
            Stage::Rest => past(since, rest).then_some(CloseReason::Rest),
            // The connection does not wait for its client.
            Stage::Handled | Stage::Sending => None,
        }
    }

    /// Makes the task that has the socket close it.
    pub(super) fn close(&self, reason: CloseReason) {
        self.closing.set(Some(reason));
        self.shared.closed_for(reason);
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// Whether it is being closed.
    pub(super) fn is_closing(&self) -> bool {
        self.closing.get().is_some()
    }

    /// Whether there are bytes of a response that the client has not accepted.
    pub(super) fn has_unsent(&self) -> bool {
        self.unsent.get().is_some()
    }

    /// Whether bytes that were received meanwhile keep it open: it was closed as idle, and here is
    /// a request.
    pub(super) fn may_stay_open(&self) -> bool {
        self.stage.get() == Stage::Idle
    }

    /// Cancels the close.
    pub(super) fn stay_open(&self) {
        if self.closing.take().is_some() {
            self.shared.opened();
        }
    }

    fn begin_answer(&self) {
        if !self.is_unanswered.replace(true) {
            self.shared.begin_answer();
        }
    }

    fn end_answer(&self) {
        if self.is_unanswered.replace(false) {
            self.shared.end_answer();
        }
    }

    /// Whether this response is the last one on the connection.
    pub fn ends_with_response(&self) -> bool {
        self.has_unread_body() || self.shared.is_closing()
    }

    /// The socket was closed.
    pub(super) fn is_gone(&self) {
        self.return_slot();
        self.end_answer();
        if !self.is_closing() {
            self.shared.closed();
        }
    }

    /// Sets the task to wake.
    pub(super) fn set_waker(&self, waker: &Waker) {
        let mut kept = self.waker.borrow_mut();
        if !kept.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
            *kept = Some(waker.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A connection that has just entered this state.
    fn at_stage(stage: Stage, was_used: bool, now: Instant) -> Connection {
        let connection =
            Connection::new(Arc::new(Connections::new(ConnectionLimits::default())), now);
        connection.was_used.set(was_used);
        connection.stage.set(stage);
        connection
    }

    #[test]
    fn each_state_in_which_the_client_has_something_to_do_ends() {
        let now = Instant::now();
        for (stage, was_used, seconds, cut) in [
            (Stage::Idle, false, 15, CloseReason::Idle),
            (Stage::Idle, true, 15, CloseReason::Idle),
            (Stage::Head, true, 10, CloseReason::Head),
            (Stage::Head, false, 20, CloseReason::Head),
            (Stage::Rest, true, 1, CloseReason::Rest),
        ] {
            let connection = at_stage(stage, was_used, now);
            let at = now + Duration::from_secs(seconds);
            assert_eq!(connection.overdue(at - Duration::from_nanos(1)), None, "{stage:?}");
            assert_eq!(connection.overdue(at), Some(cut), "{stage:?}");
        }
        let day = now + Duration::from_secs(86_400);
        assert_eq!(at_stage(Stage::Handled, true, now).overdue(day), None, "that is the handler's");
    }

    #[test]
    fn an_answer_that_is_not_taken_ends_in_any_state() {
        let now = Instant::now();
        let after = |seconds| now + Duration::from_secs(seconds);
        for stage in [Stage::Sending, Stage::Handled, Stage::Head] {
            for (moved, looked, cut) in [
                (0, 9, None),
                (0, 15, Some(CloseReason::Unsent)),
                (50, 59, None),
                (59, 60, Some(CloseReason::Unsent)),
            ] {
                let connection = at_stage(stage, true, after(looked));
                connection.unsent.set(Some(Unsent { since: now, moved: after(moved) }));
                assert_eq!(connection.overdue(after(looked)), cut, "{stage:?} {moved} {looked}");
            }
        }
    }

    #[test]
    fn only_who_waits_for_the_client_waiting_since() {
        let now = Instant::now();
        for (stage, may) in [
            (Stage::Idle, true),
            (Stage::Head, true),
            (Stage::Sending, true),
            (Stage::Rest, true),
            (Stage::Handled, false),
        ] {
            let connection = Rc::new(at_stage(stage, true, now));
            assert_eq!(connection.waiting_since().is_some(), may, "{stage:?}");
            let stream = connection.stream();
            assert_eq!(connection.waiting_since(), None, "{stage:?}: a stream is no idle one");
            drop(stream);
            connection.close(CloseReason::Full);
            assert_eq!(connection.waiting_since(), None, "{stage:?}: it goes already");
        }
    }

    #[test]
    fn a_slot_is_given_back_once_whatever_ends_the_request() {
        let shared = Arc::new(Connections::new(ConnectionLimits {
            connections: 8,
            ..ConnectionLimits::default()
        }));
        let connect = || Connection::new(Arc::clone(&shared), Instant::now());
        let [first, second, third, fourth] = [connect(), connect(), connect(), connect()];
        assert!(
            [&first, &second, &third]
                .iter()
                .all(|connection| connection.begin(RequestKind::Login, false))
        );
        assert!(!fourth.begin(RequestKind::Login, false), "three of eight");
        first.end();
        assert!(!fourth.begin(RequestKind::Login, false), "its answer is on its way");
        assert!(first.flushed() && !first.flushed());
        assert!(fourth.begin(RequestKind::Login, false));
        second.is_gone();
        assert!(first.begin(RequestKind::Login, true), "the client of another one went away");
        assert!(!second.begin(RequestKind::Login, false));
        // A request behind another one whose answer was not taken yet.
        first.end();
        assert!(first.begin(RequestKind::Login, false));
        assert!(!second.begin(RequestKind::Login, false));
        assert!(
            second.begin(RequestKind::Caller, false),
            "callers have no share that could be used up"
        );
    }
}
