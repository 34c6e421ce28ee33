//! The operations listener: whether it answers, and whether an operator can log in.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::context::Known;
use super::report::{Level, Report};
use crate::config::Config;
use crate::counted::counted;
use crate::network::reachable;

/// The timeout of each step.
const TIME_MAX: Duration = Duration::from_secs(5);
const QUESTION: &[u8] =
    b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
/// The answer, as far as it says that it is ours.
const ANSWER: &str = "{\"live\":true}";
/// More than the whole answer.
const ANSWER_BYTES_MAX: u64 = 16 * 1024;

pub(super) fn check(config: &Config, known: &Known, report: &mut Report) {
    let name = "operations";
    let Some(listen) = config.ops.listen else { return report.ok(name, "off") };
    if !known.is_served {
        return report.ok(name, format!("not checked: no service runs that listens on {listen}"));
    }
    if listen.port() == 0 {
        report.ok(name, "not checked: --ops-listen has port 0");
        return check_operators(known, report);
    }
    // Of a wildcard, the last one is of IPv4, which each machine has.
    let place = reachable(listen).pop().unwrap_or(listen);
    match ask(place) {
        Ok(answer) if answer.ends_with(ANSWER) => report.ok(name, format!("{place}: ok")),
        Ok(_) => report.add(
            Level::Warning,
            name,
            format!("{place}: expected the answer of nats-userman, found another one"),
            "set another address with --ops-listen, or free this one, and restart the service",
        ),
        Err(error) => report.add(
            Level::Warning,
            name,
            format!("{place}: {error}"),
            "read what the log says about the operations listener \
             (`journalctl -u nats-userman`), and restart the service",
        ),
    }
    check_operators(known, report);
}

fn check_operators(known: &Known, report: &mut Report) {
    let name = "operators";
    // A database that cannot be read is reported elsewhere.
    let Some(Ok(operators)) = known.reader().map(crate::store::Read::operators) else { return };
    match operators.len() {
        0 => report.add(
            Level::Note,
            name,
            "there is no operator: nobody can log in to the console".to_owned(),
            "make the first one: `nats-userman operator add NAME --role admin`",
        ),
        count => report.ok(name, counted(count as u64, "operator")),
    }
}

fn ask(place: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&place, TIME_MAX)?;
    stream.set_read_timeout(Some(TIME_MAX))?;
    stream.set_write_timeout(Some(TIME_MAX))?;
    stream.write_all(QUESTION)?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
