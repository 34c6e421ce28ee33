//! Connections: each has a deadline in every state, and no kind of request takes the slots of
//! another.
//!
//! actix's own timers cover the first head and the time between requests. Between them a client
//! could hold a connection for ever: one byte of the next head, an answer that is not read, a body
//! that goes on after its request was refused. So the socket is wrapped ([`Transport`]); what moves
//! through it and the requests on it keep the state of the [`Connection`]; and each thread looks
//! over its own [`Table`] four times a second.
//!
//! | state | ends it | limit |
//! |---|---|---|
//! | waiting for a request | its first byte | [`Limits::idle`] |
//! | a head is on its way | its last byte | [`Limits::head`] |
//! | a request is under way | its answer | the handler's own: body, queue, hash, NATS |
//! | an answer is on its way | the client takes it | [`Limits::stalled`], [`Limits::answer`] |
//! | the rest of a body that nobody reads | its end | [`Limits::rest`], [`Limits::rest_bytes`] |
//!
//! [`Kind`] has the shares. Where the table is full, a new connection takes the place of the one
//! that has waited longest for a request, so that a caller always finds a place.

mod connection;
mod share;
mod table;
mod told;
mod transport;

use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::HttpRequest;

pub use connection::Connection;
pub use share::Kind;
pub use table::Table;
pub use transport::Transport;

use share::KINDS;
use told::Told;

/// The bounds. Not settings: tests shorten them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections of all threads, at about 35 KiB each. Beyond it a new one takes the place of one
    /// that waits.
    pub connections: usize,
    /// How long a connection may wait between requests: NATS's next postback of a busy minute finds
    /// it. The proxies of the examples keep theirs for less.
    pub idle: Duration,
    /// How long a head may take from its first byte; the first one, from the connection's begin.
    pub head: Duration,
    /// How long a body may take from the end of its head.
    pub body: Duration,
    /// How long the client may take none of an answer.
    pub stalled: Duration,
    /// How long it may take for all of it, a little now and then.
    pub answer: Duration,
    /// How long a body may go on that nobody reads: it was answered before its end. Not at once,
    /// because a client that is cut off while it sends does not see the answer.
    pub rest: Duration,
    /// How much of it.
    pub rest_bytes: usize,
    /// How often a thread looks for what is over.
    pub look_every: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            idle: Duration::from_secs(15),
            head: Duration::from_secs(10),
            body: Duration::from_secs(10),
            stalled: Duration::from_secs(15),
            answer: Duration::from_secs(60),
            rest: Duration::from_secs(1),
            rest_bytes: 256 * 1024,
            look_every: Duration::from_millis(250),
        }
    }
}

impl Limits {
    /// Sockets at the most, where none of them waits. Each thread may have its part of these: with
    /// twice its part of the connections no thread stands full while the others take all new ones.
    pub fn sockets(&self) -> usize {
        2 * self.connections
    }

    /// The same with so few connections that there are at most this many sockets.
    pub fn with_sockets(self, most: usize) -> Self {
        Self { connections: (most / 2).clamp(Self::CONNECTIONS_MIN, self.connections), ..self }
    }

    /// Fewer would not serve one busy page.
    const CONNECTIONS_MIN: usize = 32;
}

/// What the connections of all threads share.
#[derive(Debug)]
pub struct Connections {
    limits: Limits,
    /// Without those that are being closed.
    open: AtomicUsize,
    under_way: [AtomicUsize; KINDS],
    told: Told,
}

impl Connections {
    /// None yet.
    pub fn new(limits: Limits) -> Self {
        let under_way = [const { AtomicUsize::new(0) }; KINDS];
        Self { limits, open: AtomicUsize::new(0), under_way, told: Told::default() }
    }

    /// The bounds.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether there are more than there should be.
    fn is_over(&self) -> bool {
        self.open.load(Ordering::Relaxed) > self.limits.connections
    }

    /// Takes a slot for a request of this kind; false where its share is used up.
    fn take(&self, kind: Kind) -> bool {
        let Some(most) = kind.share(self.limits.connections) else { return true };
        let under_way = &self.under_way[kind as usize];
        // Nothing else is published through these counts, here and elsewhere, so no order is
        // needed.
        let taken = under_way.fetch_add(1, Ordering::Relaxed) < most;
        if !taken {
            under_way.fetch_sub(1, Ordering::Relaxed);
            self.told.refused(kind);
        }
        taken
    }

    /// Gives back what [`Connections::take`] took.
    fn give_back(&self, kind: Kind) {
        if kind.share(self.limits.connections).is_some() {
            self.under_way[kind as usize].fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Logs what was closed and refused since the last line, at most once a minute.
    pub fn look(&self, steady: i64) {
        self.told.look(steady, self.limits.connections);
    }
}

/// How long the body of this request may take.
pub fn body_time(request: &HttpRequest) -> Duration {
    let connection = request.conn_data::<Rc<Connection>>();
    connection.map_or_else(|| Limits::default().body, |connection| connection.limits().body)
}

/// Notes that the body of this request was read to its end, so that the next one may follow.
pub fn body_was_read(request: &HttpRequest) {
    if let Some(connection) = request.conn_data::<Rc<Connection>>() {
        connection.body_was_read();
    }
}
