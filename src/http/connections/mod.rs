//! Connections: each has a deadline in every state, and each kind of request has its own share of
//! them.
//!
//! actix's own timers cover only the first head and the time between requests. Otherwise a client
//! could hold a connection for ever: one byte of the next head, a response that it does not read, a
//! body that continues after its request was refused. So the socket is wrapped ([`Transport`]). The
//! bytes and the requests on it update the state of its [`Connection`], and each thread checks its
//! own [`Table`] four times a second.
//!
//! | state | what ends it | limit (`ConnectionLimits`) |
//! |---|---|---|
//! | idle | the first byte of a request | `idle` |
//! | a head is being received | its last byte | `head` |
//! | a request is being handled | its response | the handler's own: body, queue, hash, NATS |
//! | a response is being sent | the client accepts it | `stalled`, `answer` |
//! | the rest of an unread body | its end | `rest`, `rest_bytes` |
//!
//! [`RequestKind`] has the shares. If the table is full, a new connection closes the one that has
//! been idle for the longest time, so that a caller always gets a connection.

mod closed;
mod connection;
mod counts;
mod share;
mod table;
mod transport;

use std::rc::Rc;
use std::time::Duration;

use actix_web::HttpRequest;

pub use connection::{Connection, Streaming};
pub use counts::Connections;
pub use share::RequestKind;
pub use table::Table;
pub use transport::Transport;

use crate::connection_limits::ConnectionLimits;

/// Timeout of the body of this request.
pub fn body_timeout(request: &HttpRequest) -> Duration {
    let connection = request.conn_data::<Rc<Connection>>();
    connection
        .map_or_else(|| ConnectionLimits::default().body, |connection| connection.limits().body)
}

/// Records that the body of this request was read to its end, so that the next request can follow.
pub fn body_was_read(request: &HttpRequest) {
    if let Some(connection) = request.conn_data::<Rc<Connection>>() {
        connection.body_was_read();
    }
}
