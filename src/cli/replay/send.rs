//! `replay --to`: captured postbacks to a URL, as NATS would send them.

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::time::Duration;

use ureq::http::Uri;
use ureq::unversioned::transport::DefaultConnector;

use super::captures;
use super::counts::{end, show_error};
use crate::cli::failure::Failure;
use crate::host_names::HostNames;
use crate::nats_client::is_no_tls;
use crate::replay::Counts;
use crate::reply::Reply;

/// How often a postback is sent if the other side answers 503.
const TRIES_MAX: u32 = 4;
/// The timeout of one postback.
const SEND_TIME_MAX: Duration = Duration::from_secs(30);
/// The first wait before sending again; doubled each time.
const SEND_AGAIN_AFTER: Duration = Duration::from_millis(500);

pub(super) fn run(files: &[PathBuf], url: &str) -> Result<(), Failure> {
    let Some(target) = Destination::parse(url) else {
        return Err(Failure::usage(
            "--to: expected http:// or https:// and the URL that NATS calls",
        ));
    };
    let opened = captures::open(files)?;
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(SEND_TIME_MAX))
        .http_status_as_error(false)
        // A client that follows a redirect sends no body: each postback would be empty.
        .max_redirects(0)
        .max_redirects_will_error(false);
    // This resolver reports an unknown host as such.
    let agent =
        ureq::Agent::with_parts(config.build(), DefaultConnector::default(), HostNames::default());
    let mut counts = Counts::default();
    let sent = captures::each(files, opened, |captured, place| {
        let reply = send_one(&agent, &target, &captured.into_body());
        // If the first postback fails, the URL is wrong, and not a line of a file.
        let reply = if counts == Counts::default() {
            reply?
        } else {
            reply.map_err(|failure| failure.at(&place))?
        };
        counts.add(reply.word());
        show_error(&place, &reply)
    });
    end(&counts, sent)
}

/// Where postbacks are sent to. The URL contains the token, so messages name only host and port.
struct Destination<'a> {
    url: &'a str,
    place: String,
    is_https: bool,
}

impl<'a> Destination<'a> {
    fn parse(url: &'a str) -> Option<Self> {
        let parts: Uri = url.parse().ok()?;
        let is_https = match parts.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = parts.authority()?;
        let host = authority.host();
        // This crate ignores an invalid port and uses the default one, so it is checked here.
        let port = authority.as_str().rsplit('@').next()?.strip_prefix(host)?;
        if host.is_empty() || !(port.is_empty() || port.strip_prefix(':')?.parse::<u16>().is_ok()) {
            return None;
        }
        Some(Self { url, place: format!("{host}{port}"), is_https })
    }

    /// Why there was no response.
    fn unreached(&self, error: &ureq::Error) -> String {
        let place = &self.place;
        match error {
            ureq::Error::Timeout(_) => {
                format!("no reply from {place} within {} seconds", SEND_TIME_MAX.as_secs())
            }
            ureq::Error::HostNotFound => self.unknown(),
            ureq::Error::Io(error) => self.broken(error),
            ureq::Error::Rustls(error) => self.no_tls(&error.to_string()),
            ureq::Error::Tls(what) => self.no_tls(what),
            ureq::Error::ConnectionFailed => format!("no connection to {place}"),
            _ => format!("{place} does not answer with HTTP; {}", self.other_scheme()),
        }
    }

    fn broken(&self, error: &io::Error) -> String {
        let place = &self.place;
        match error.kind() {
            ErrorKind::ConnectionRefused => {
                format!(
                    "{place} refuses the connection: check that the service runs and that the \
                     port is right"
                )
            }
            ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe => {
                format!("{place} closed the connection without an answer; {}", self.other_scheme())
            }
            // The kind of error for bytes that are not TLS.
            ErrorKind::InvalidData => self.no_tls(&error.to_string()),
            _ => format!("{place}: {error}"),
        }
    }

    fn unknown(&self) -> String {
        format!("the host of {} is not known", self.place)
    }

    fn no_tls(&self, said: &str) -> String {
        let place = &self.place;
        match is_no_tls(said) {
            true => format!("{place} does not speak TLS; try http://"),
            false => format!("the certificate of {place} is not accepted: {said}"),
        }
    }

    fn other_scheme(&self) -> String {
        let other = if self.is_https { "http" } else { "https" };
        format!("try {other}://")
    }

    /// Why a response is not one of nats-userman.
    fn unexpected(&self, status: u16, is_html: bool) -> String {
        let found = format!("expected status 200 and a reply line, found status {status}");
        let why = match status {
            300..400 => "a redirect: give the URL that it leads to",
            404 => "check that the URL is complete, with /postback/ and the token",
            400 => return format!("{found}; {}", self.other_scheme()),
            _ if is_html => "and a page of HTML: a proxy answered, or another program",
            _ => return found,
        };
        format!("{found}, {why}")
    }
}

/// Posts one body and reads the reply line.
fn send_one(agent: &ureq::Agent, target: &Destination<'_>, body: &[u8]) -> Result<Reply, Failure> {
    let failed = |why: String| Failure::Failed(format!("--to: {why}"));
    let mut wait = SEND_AGAIN_AFTER;
    for _ in 1..=TRIES_MAX {
        let sent =
            agent.post(target.url).content_type("application/x-www-form-urlencoded").send(body);
        let mut response = sent.map_err(|error| failed(target.unreached(&error)))?;
        let status = response.status().as_u16();
        if status == 503 {
            std::thread::sleep(wait);
            wait *= 2;
            continue;
        }
        let is_html = response.body().mime_type() == Some("text/html");
        let line = response.body_mut().with_config().limit(64 * 1024).read_to_string();
        let reply = line.ok().and_then(|line| Reply::from_line(line.trim_end()));
        return match (status, reply) {
            (200, Some(reply)) => Ok(reply),
            (403, _) if !is_html => Err(failed(
                "not authorised; check the token in the URL, and that this address is \
                 allowed"
                    .into(),
            )),
            _ => Err(failed(target.unexpected(status, is_html))),
        };
    }
    Err(failed(format!("temporarily unavailable, {TRIES_MAX} times; send the rest later")))
}
