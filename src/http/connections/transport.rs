//! The socket of a connection, which tells the connection what moves.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection::Connection;
use super::table::Table;

/// The socket. Where its connection is to be closed, it reads as at its end, or as broken.
#[derive(Debug)]
pub struct Transport {
    stream: TcpStream,
    connection: Rc<Connection>,
    table: Rc<Table>,
}

impl Transport {
    pub(super) fn new(stream: TcpStream, connection: Rc<Connection>, table: Rc<Table>) -> Self {
        Self { stream, connection, table }
    }

    /// Its state, for the requests that come through it.
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
        let is_cut = self.connection.is_cut();
        if is_cut && !self.connection.may_go_on() {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        match &read {
            Poll::Ready(Ok(())) if buf.filled().len() > before => {
                self.connection.came(buf.filled().len() - before);
                if is_cut {
                    self.connection.go_on();
                    self.table.make_room();
                }
            }
            Poll::Pending if is_cut => return Poll::Ready(Ok(())),
            Poll::Pending => self.connection.wakes(cx.waker()),
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
        if self.connection.is_cut() && !self.connection.may_go_on() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        match &written {
            Poll::Ready(Ok(_)) => self.connection.went(),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                self.connection.stalls();
                self.connection.wakes(cx.waker());
            }
        }
        written
    }

    /// actix flushes when all that it had was written.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if flushed.is_ready() && self.connection.is_flushed() {
            self.table.make_room();
            if self.connection.has_unread_body() {
                // actix may have stopped to read it, and would not begin again by itself.
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
        if self.connection.is_cut() && self.connection.has_unsent() {
            // The system would keep what was not taken for minutes. Where this fails, it does.
            let _ = self.stream.set_zero_linger();
        }
        self.connection.is_gone();
        self.table.remove(&self.connection);
    }
}
