//! The URL of a receiver, for the commands that send postbacks as NATS does: `replay --to` and
//! `try`. The URL contains the token, so messages name only host and port.

use std::io::{self, ErrorKind};
use std::time::Duration;

use ureq::Agent;
use ureq::http::Uri;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::transport::DefaultConnector;

use crate::host_names::HostNames;
use crate::nats_client::is_no_tls;

/// A client for one receiver. It follows no redirect: a client that does sends no body, and each
/// postback would be empty. `roots`: other root certificates than the usual ones.
pub(super) fn agent(time_max: Duration, roots: Option<RootCerts>) -> Agent {
    let mut config = Agent::config_builder()
        .timeout_global(Some(time_max))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false);
    if let Some(roots) = roots {
        config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
    }
    // This resolver reports an unknown host as such.
    Agent::with_parts(config.build(), DefaultConnector::default(), HostNames::default())
}

/// Where postbacks are sent to.
pub(super) struct Destination<'a> {
    pub(super) url: &'a str,
    pub(super) place: String,
    pub(super) is_https: bool,
    time_max: Duration,
}

impl<'a> Destination<'a> {
    pub(super) fn parse(url: &'a str, time_max: Duration) -> Option<Self> {
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
        Some(Self { url, place: format!("{host}{port}"), is_https, time_max })
    }

    /// Why there was no response.
    pub(super) fn unreached(&self, error: &ureq::Error) -> String {
        let place = &self.place;
        match error {
            ureq::Error::Timeout(_) => {
                format!("no reply from {place} within {} seconds", self.time_max.as_secs())
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
            false => format!("the certificate of {place} is not accepted: {}", certificate(said)),
        }
    }

    pub(super) fn other_scheme(&self) -> String {
        let other = if self.is_https { "http" } else { "https" };
        format!("try {other}://")
    }
}

/// rustls's error about a certificate in other words, with what to do. An error that is none of
/// these stays as it is.
fn certificate(said: &str) -> &str {
    let known = [
        ("certificate expired", "it has expired; renew it"),
        ("not valid yet", "it is not valid yet; check the clocks of both machines"),
        ("not valid for name", "it is for other names; use one for the host name of the URL"),
        (
            "UnknownIssuer",
            "no known authority has signed it; let the web server send the whole chain, not only \
             its own certificate",
        ),
        ("CaUsedAsEndEntity", "it is that of an authority; make one with CA:FALSE"),
        ("Revoked", "it was revoked; renew it"),
    ];
    known.iter().find(|(part, _)| said.contains(part)).map_or(said, |(_, words)| words)
}
