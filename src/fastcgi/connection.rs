//! One connection of a web server: question after question, each within a deadline.

use std::net::IpAddr;
use std::pin::pin;
use std::rc::Rc;

use actix_web::rt::net::TcpStream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::answer::{Printed, answer, busy};
use super::question::Params;
use super::record::{Malformed, Progress, Reader, Request};
use crate::http::connections::{RequestKind, Table, Transport};
use crate::http::state::ThreadState;
use crate::network::{self, TrustedProxies};

/// Bytes that are read at a time. The question of a browser has some two thousand.
const READ_BYTES: usize = 4096;

/// Serves a connection until its end. `stopping` ends when the service stops: a connection without
/// a question is closed then.
pub async fn serve(
    stream: TcpStream,
    table: &Rc<Table>,
    state: &ThreadState,
    stopping: impl Future<Output = ()>,
) {
    let Ok(peer) = stream.peer_addr() else { return };
    let peer = network::normalise(peer.ip());
    if !is_allowed(peer, &state.shared().live.load().proxies) {
        return log_closed(state, peer, "it is neither this machine nor a --trusted-proxy");
    }
    let mut transport = Transport::accept(table, stream);
    match ask_and_answer(&mut transport, state, peer, stopping).await {
        Ended::Unread => drain(&mut transport).await,
        Ended::Gone => {}
        Ended::Malformed(why) => log_closed(state, peer, &why.to_string()),
        Ended::Late => log_closed(state, peer, "expected a whole question within 10 seconds"),
    }
}

/// Whether a peer may ask: what it says of a visitor's address counts, as with a trusted proxy.
fn is_allowed(peer: IpAddr, proxies: &TrustedProxies) -> bool {
    peer.is_loopback() || network::contains(&proxies.0, peer)
}

fn log_closed(state: &ThreadState, peer: IpAddr, why: &str) {
    let shared = state.shared();
    shared.refused.closed_fastcgi(peer, why, shared.clock.steady());
}

/// How a connection ends.
enum Ended {
    /// With an answer, and the peer may still send.
    Unread,
    /// With an answer, or the peer has closed it, or does not want an answer, or its time is over.
    Gone,
    Malformed(Malformed),
    /// A question was not whole in time.
    Late,
}

async fn ask_and_answer(
    transport: &mut Transport,
    state: &ThreadState,
    peer: IpAddr,
    stopping: impl Future<Output = ()>,
) -> Ended {
    let mut stopping = pin!(stopping);
    let mut reader = Reader::default();
    let connection = Rc::clone(transport.connection());
    let time_max = state.shared().connections.limits().head;
    loop {
        let next = tokio::select! {
            biased;
            next = timeout(time_max, next(transport, &mut reader)) => next,
            () = &mut stopping => return Ended::Gone,
        };
        let request = match next {
            Ok(Ok(Some(request))) => request,
            Ok(Ok(None)) => return Ended::Gone,
            Ok(Err(why)) => return Ended::Malformed(why),
            Err(_) if reader.has_begun() => return Ended::Late,
            Err(_) => return Ended::Gone,
        };
        let printed = if connection.begin(RequestKind::Visitor, false) {
            printed(&request, state, peer).await
        } else {
            Ok(busy())
        };
        connection.end();
        let Printed { head, body } = match printed {
            Ok(printed) => printed,
            Err(why) => return Ended::Malformed(why),
        };
        let bytes = request.answer(head.as_bytes(), body.as_bytes());
        if transport.write_all(&bytes).await.is_err() || transport.flush().await.is_err() {
            return Ended::Gone;
        }
        if !request.keeps_connection || connection.ends_with_response() {
            let is_read = !request.has_input() && !reader.has_begun();
            return if is_read { Ended::Gone } else { Ended::Unread };
        }
    }
}

async fn printed(
    request: &Request,
    state: &ThreadState,
    peer: IpAddr,
) -> Result<Printed, Malformed> {
    let pairs = request.params()?;
    let params = Params(&pairs);
    request.check_role(params.wants_authorizer())?;
    let _in_flight = state.begin_request();
    state.shared().metrics.count_request();
    Ok(answer(state, params, peer).await)
}

/// The next request; `None` at the end of the connection.
async fn next(
    transport: &mut Transport,
    reader: &mut Reader,
) -> Result<Option<Request>, Malformed> {
    let mut bytes = [0; READ_BYTES];
    let mut received = 0;
    loop {
        match reader.push(&bytes[..received])? {
            Progress::Request(request) => return Ok(Some(request)),
            Progress::Aborted => return Ok(None),
            Progress::More => {}
        }
        match transport.read(&mut bytes).await {
            Ok(0) | Err(_) => return Ok(None),
            Ok(read) => received = read,
        }
    }
}

/// Reads what the peer still sends, such as the empty input of nginx: the system resets a
/// connection that is closed with unread bytes, and the peer may lose the answer. The peer closes
/// it when it has the answer.
async fn drain(transport: &mut Transport) {
    let limits = *transport.connection().limits();
    let mut bytes = [0; READ_BYTES];
    let mut rest = limits.rest_bytes;
    let _ = timeout(limits.rest, async {
        if transport.shutdown().await.is_err() {
            return;
        }
        while let Ok(read @ 1..) = transport.read(&mut bytes).await {
            rest = rest.saturating_sub(read);
            if rest == 0 {
                return;
            }
        }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::parse_network;

    #[test]
    fn this_machine_and_listed_proxies_may_ask() {
        let listed = TrustedProxies(vec![parse_network("10.0.0.0/8").unwrap()]);
        for (peer, by_default, with_proxy) in [
            ("127.0.0.1", true, true),
            ("127.9.9.9", true, true),
            ("::1", true, true),
            ("10.1.2.3", false, true),
            ("192.0.2.1", false, false),
            ("2001:db8::1", false, false),
        ] {
            let peer: IpAddr = peer.parse().unwrap();
            let allowed = [&TrustedProxies::default(), &listed].map(|it| is_allowed(peer, it));
            assert_eq!(allowed, [by_default, with_proxy], "{peer}");
        }
    }
}
