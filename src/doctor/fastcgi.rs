//! The FastCGI authorizer: whether it answers, and whom.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::report::{Level, Report};
use crate::config::Config;
use crate::network::{contains, reachable};

/// The timeout of each step.
const TIME_MAX: Duration = Duration::from_secs(5);
/// BEGIN_REQUEST in the role AUTHORIZER, whose connection ends with the answer; and PARAMS with a
/// question that needs no more than a site, until the empty record.
const QUESTION: &[u8] = b"\x01\x01\0\x01\0\x08\0\0\0\x02\0\0\0\0\0\0\
      \x01\x04\0\x01\0\x2e\0\0\
      \x10\x06USERMAN_QUESTIONsite=1\x0b\x09REMOTE_ADDR127.0.0.1\
      \x01\x04\0\x01\0\0\0\0";
/// How a record STDOUT of this request begins: the version, the type and the id.
const STDOUT: &[u8] = b"\x01\x06\0\x01";
/// Where its content begins.
const HEADER_BYTES: usize = 8;
/// What the answer to a visitor without a login begins with.
const WANTED: &[u8] = b"Status: 401";
/// What it begins with if members cannot be read.
const UNAVAILABLE: &[u8] = b"Status: 503";

/// Asks the authorizer, as a web server does.
pub(super) fn check_answer(config: &Config, report: &mut Report) {
    let name = "fastcgi";
    let Some(listen) = config.fastcgi_listen else { return report.ok(name, "off") };
    if listen.port() == 0 {
        return report.ok(name, "not checked: --fastcgi-listen has port 0");
    }
    if !is_for_this_machine(config, listen) {
        return report.ok(name, format!("not checked: {listen} answers --trusted-proxy alone"));
    }
    let mut refused = None;
    for place in reachable(listen) {
        let (level, found, remedy) = match ask(place) {
            Ok(answer) if answer == WANTED => return report.ok(name, format!("{place}: ok")),
            Ok(answer) if answer == UNAVAILABLE => (
                Level::Serious,
                format!("{place}: unavailable"),
                "read the log (`journalctl -u nats-userman -n 50`): it says why members cannot be \
                 read",
            ),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                refused = refused.or(Some((place, error)));
                continue;
            }
            Ok(_) | Err(_) => (
                Level::Serious,
                format!("{place}: expected the answer of nats-userman, found another one or none"),
                "check that no other program has the address of --fastcgi-listen, and restart the \
                 service",
            ),
        };
        return report.add(level, name, found, remedy);
    }
    if let Some((place, error)) = refused {
        report.add(
            Level::Serious,
            name,
            format!("{place}: {error}"),
            "restart the service: a change of --fastcgi-listen needs that",
        );
    }
}

/// Whether the web servers that may ask can reach it.
pub(super) fn check_peers(config: &Config, report: &mut Report) {
    let name = "fastcgi_peers";
    let Some(listen) = config.fastcgi_listen else { return };
    if listen.ip().is_loopback() {
        report.ok(name, format!("{listen} answers this machine alone"));
    } else if config.trusted_proxy.0.is_empty() {
        report.add(
            Level::Warning,
            name,
            format!(
                "{listen} can be reached from other machines and answers none of them, because no \
                 --trusted-proxy is set"
            ),
            "list the addresses of your web servers with --trusted-proxy, or set --fastcgi-listen \
             to 127.0.0.1 and the port",
        );
    } else {
        report.ok(name, format!("{listen} answers --trusted-proxy"));
    }
}

/// Whether the authorizer answers a question that `doctor` asks there.
fn is_for_this_machine(config: &Config, listen: SocketAddr) -> bool {
    let ip = listen.ip();
    ip.is_loopback() || ip.is_unspecified() || contains(&config.trusted_proxy.0, ip)
}

/// The beginning of the answer.
fn ask(place: SocketAddr) -> io::Result<[u8; WANTED.len()]> {
    let mut stream = TcpStream::connect_timeout(&place, TIME_MAX)?;
    stream.set_read_timeout(Some(TIME_MAX))?;
    stream.set_write_timeout(Some(TIME_MAX))?;
    stream.write_all(QUESTION)?;
    let (mut header, mut answer) = ([0; HEADER_BYTES], [0; WANTED.len()]);
    stream.read_exact(&mut header)?;
    stream.read_exact(&mut answer)?;
    match header.starts_with(STDOUT) {
        true => Ok(answer),
        false => Err(io::ErrorKind::InvalidData.into()),
    }
}
