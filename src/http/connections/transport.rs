//! The socket of a connection. It updates the state of the connection with each read and write.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection::Connection;
use super::table::Table;

/// The socket. While its connection is being closed, a read returns the end and a write fails.
#[derive(Debug)]
pub struct Transport {
    stream: TcpStream,
    connection: Rc<Connection>,
    table: Rc<Table>,
}

impl Transport {
    /// Adds a connection with this socket to a table.
    pub fn accept(table: &Rc<Table>, stream: TcpStream) -> Self {
        Self { stream, connection: table.add(), table: Rc::clone(table) }
    }

    /// The state of the connection, for its requests.
    pub fn connection(&self) -> &Rc<Connection> {
        &self.connection
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let is_closing = self.connection.is_closing();
        if is_closing && !self.connection.may_stay_open() {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        match &read {
            Poll::Ready(Ok(())) if buf.filled().len() > before => {
                self.connection.received(buf.filled().len() - before);
                if is_closing {
                    self.connection.stay_open();
                    self.table.make_room();
                }
            }
            Poll::Pending if is_closing => return Poll::Ready(Ok(())),
            Poll::Pending => self.connection.set_waker(cx.waker()),
            Poll::Ready(_) => {}
        }
        read
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.connection.is_closing() && !self.connection.may_stay_open() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        match &written {
            Poll::Ready(Ok(_)) => self.connection.sent(),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                self.connection.stalled();
                self.connection.set_waker(cx.waker());
            }
        }
        written
    }

    /// actix flushes when it has written all that it had.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if flushed.is_ready() && self.connection.flushed() {
            self.table.make_room();
            if self.connection.has_unread_body() {
                // actix may have stopped reading it, and does not start again by itself.
                cx.waker().wake_by_ref();
            }
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        if self.connection.is_closing() && self.connection.has_unsent() {
            // Otherwise the system keeps the unsent bytes for minutes. If this fails, it does so.
            let _ = self.stream.set_zero_linger();
        }
        self.connection.is_gone();
        self.table.remove(&self.connection);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use actix_web::rt::net::{TcpListener, TcpStream};

    use super::super::counts::Connections;
    use super::*;
    use crate::connection_limits::ConnectionLimits;

    /// So many connections of a table, and their other ends.
    async fn accepted(
        table: &Rc<Table>,
        listener: &TcpListener,
        count: usize,
    ) -> Vec<(Transport, TcpStream)> {
        let mut all = Vec::new();
        for _ in 0..count {
            let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            all.push((Transport::accept(table, listener.accept().await.unwrap().0), client));
        }
        all
    }

    fn open(all: &[(Transport, TcpStream)]) -> Vec<bool> {
        all.iter().map(|(transport, _)| !transport.connection().is_closing()).collect()
    }

    /// Regression: where another thread had all connections, each new one of this thread closed the
    /// one before it.
    #[actix_web::test]
    async fn a_thread_with_few_connections_closes_none_of_them_for_the_many_of_another() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shared = Arc::new(Connections::new(ConnectionLimits {
            connections: 8,
            ..ConnectionLimits::default()
        }));
        let (many, few) =
            (Table::start(Arc::clone(&shared), 2), Table::start(Arc::clone(&shared), 2));
        let of_many = accepted(&many, &listener, 8).await;
        let of_few = accepted(&few, &listener, 4).await;
        assert_eq!(open(&of_few), [true; 4]);
        many.check();
        assert_eq!(
            open(&of_many),
            [false, false, false, false, true, true, true, true],
            "the longest first"
        );
        few.check();
        let newest = accepted(&few, &listener, 2).await;
        assert_eq!(
            (open(&of_few), open(&newest)),
            (vec![false, false, true, true], vec![true, true]),
            "no more than its part"
        );
        assert!(!shared.is_over_limit());
    }
}
