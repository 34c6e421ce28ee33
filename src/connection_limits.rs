//! The limits of connections to the HTTP server, and how many threads serve them.

use std::time::Duration;

/// The limits. They are not settings; only tests change them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Connections of all threads together, at about 35 KiB each. A further connection closes an
    /// idle one.
    pub connections: usize,
    /// Timeout between requests. It is long enough for the next postback of a busy minute, and
    /// longer than the keep-alive timeouts of the proxies in `examples/`.
    pub idle: Duration,
    /// Timeout of a request head, from its first byte; for the first head, from the start of the
    /// connection.
    pub head: Duration,
    /// Timeout of a request body, from the end of the head.
    pub body: Duration,
    /// Timeout while the client accepts no byte of a response.
    pub stalled: Duration,
    /// Total timeout of sending a response.
    pub answer: Duration,
    /// Timeout of the rest of a body whose request was answered before its end. The connection is
    /// not closed at once, because a client that is cut off while it sends does not see the
    /// response.
    pub rest: Duration,
    /// How many bytes of that rest are accepted.
    pub rest_bytes: usize,
    /// How often a thread checks for passed deadlines.
    pub check_every: Duration,
}

impl Default for ConnectionLimits {
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
            check_every: Duration::from_millis(250),
        }
    }
}

impl ConnectionLimits {
    /// Fewer connections would not serve one busy page.
    const CONNECTIONS_MIN: usize = 32;

    /// The largest number of sockets, if none of the connections is idle. It is twice the number of
    /// connections, so that one thread can hold more than its part without being full while the
    /// other threads accept all new connections.
    pub fn sockets(&self) -> usize {
        2 * self.connections
    }

    /// These limits with so few connections that there are at most `most` sockets.
    pub fn with_sockets(self, most: usize) -> Self {
        Self { connections: (most / 2).clamp(Self::CONNECTIONS_MIN, self.connections), ..self }
    }
}

/// Threads that serve requests.
pub fn server_threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
