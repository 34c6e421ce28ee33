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
    /// When that state began; while a request is under way or answered, when its head did.
    since: Cell<Instant>,
    /// Only where the system had no room for all of an answer: mostly it has.
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
                if self.rest_bytes.get() > self.shared.limits.rest_bytes && self.cut.get().is_none()
                {
                    self.cut(Cut::Rest);
                }
            }
            State::Head | State::UnderWay | State::Answering => {}
        }
    }

    /// A request begins, with a body or without. False where the share of its kind is used up.
    pub fn begin(&self, kind: Kind, has_body: bool) -> bool {
        self.body.set(if has_body { Body::Unread } else { Body::Read });
        self.was_used.set(true);
        self.state.set(State::UnderWay);
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
    pub fn end(&self) {
        self.state.set(State::Answering);
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
        self.unsent.set(None);
        if self.state.get() != State::Answering {
            return false;
        }
        self.give_back();
        self.rest_bytes.set(0);
        self.enter(
            if self.has_unread_body() { State::Rest } else { State::Waiting },
            Instant::now(),
        );
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
            // actix answers the first head 408 when its time is over, and closes; in case it
            // cannot.
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A connection that came into this state just now.
    fn in_state(state: State, was_used: bool, now: Instant) -> Connection {
        let connection = Connection::new(Arc::new(Connections::new(Limits::default())), now);
        connection.was_used.set(was_used);
        connection.state.set(state);
        connection
    }

    #[test]
    fn each_state_in_which_the_client_has_something_to_do_ends() {
        let now = Instant::now();
        for (state, was_used, seconds, cut) in [
            (State::Waiting, false, 15, Cut::Idle),
            (State::Waiting, true, 15, Cut::Idle),
            (State::Head, true, 10, Cut::Head),
            (State::Head, false, 20, Cut::Head),
            (State::Rest, true, 1, Cut::Rest),
        ] {
            let connection = in_state(state, was_used, now);
            let at = now + Duration::from_secs(seconds);
            assert_eq!(connection.overdue(at - Duration::from_nanos(1)), None, "{state:?}");
            assert_eq!(connection.overdue(at), Some(cut), "{state:?}");
        }
        let day = now + Duration::from_secs(86_400);
        assert_eq!(
            in_state(State::UnderWay, true, now).overdue(day),
            None,
            "that is the handler's"
        );
    }

    #[test]
    fn an_answer_that_is_not_taken_ends_in_any_state() {
        let now = Instant::now();
        let after = |seconds| now + Duration::from_secs(seconds);
        for state in [State::Answering, State::UnderWay, State::Head] {
            for (moved, looked, cut) in [
                (0, 9, None),
                (0, 15, Some(Cut::Unsent)),
                (50, 59, None),
                (59, 60, Some(Cut::Unsent)),
            ] {
                let connection = in_state(state, true, after(looked));
                connection.unsent.set(Some(Unsent { since: now, moved: after(moved) }));
                assert_eq!(connection.overdue(after(looked)), cut, "{state:?} {moved} {looked}");
            }
        }
    }

    #[test]
    fn only_who_waits_for_the_client_may_go() {
        let now = Instant::now();
        for (state, may) in [
            (State::Waiting, true),
            (State::Head, true),
            (State::Answering, true),
            (State::Rest, true),
            (State::UnderWay, false),
        ] {
            let connection = in_state(state, true, now);
            assert_eq!(connection.may_go().is_some(), may, "{state:?}");
            connection.cut(Cut::Full);
            assert_eq!(connection.may_go(), None, "{state:?}: it goes already");
        }
    }

    #[test]
    fn a_slot_is_given_back_once_whatever_ends_the_request() {
        let shared = Arc::new(Connections::new(Limits { connections: 8, ..Limits::default() }));
        let connect = || Connection::new(Arc::clone(&shared), Instant::now());
        let [first, second, third, fourth] = [connect(), connect(), connect(), connect()];
        assert!(
            [&first, &second, &third].iter().all(|connection| connection.begin(Kind::Login, false))
        );
        assert!(!fourth.begin(Kind::Login, false), "three of eight");
        first.end();
        assert!(!fourth.begin(Kind::Login, false), "its answer is on its way");
        assert!(first.is_flushed() && !first.is_flushed());
        assert!(fourth.begin(Kind::Login, false));
        second.is_gone();
        assert!(first.begin(Kind::Login, true), "the client of another one went away");
        assert!(!second.begin(Kind::Login, false));
        // A request behind another one whose answer was not taken yet.
        first.end();
        assert!(first.begin(Kind::Login, false));
        assert!(!second.begin(Kind::Login, false));
        assert!(second.begin(Kind::Caller, false), "callers have no share that could be used up");
    }
}
