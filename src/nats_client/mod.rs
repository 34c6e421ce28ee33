//! The HTTP client for NATS's REST API: one GET request, with one deadline.
//!
//! A site's own program in Rust can use [`Client`] alone:
//!
//! ```no_run
//! use std::time::Duration;
//! use nats_userman::authstring::{Lookup, Plus};
//! use nats_userman::identity::{SiteId, Username};
//! use nats_userman::nats_client::{Access, Client};
//!
//! let (url, key) = ("https://nats.example.com", "44b5498dbcb481a0d00b404c0169af62");
//! let access = Access::new(url, "tmm1phrvezsbu", key).ok_or("no access")?;
//! let client = Client::new(access, Duration::from_secs(5));
//! let username = Username::parse("bob").ok_or("no username")?;
//! let site = SiteId::parse("1").ok_or("no siteid")?;
//! match client.authstring(Plus::Upsell, &Lookup::Site { username, site })? {
//!     Some(string) => println!("{}", string.expose()),
//!     None => println!("bob is no active member of site 1"),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod connected;
pub mod logins;
pub mod members;
mod names;
pub mod relay;
pub mod report;
pub mod settings;

use std::fmt;
use std::time::{Duration, Instant};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use ureq::Agent;
use ureq::config::Config;
use ureq::http::header::SERVER;
use ureq::http::{HeaderValue, Uri};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::transport::{Connector as _, DefaultConnector};

use connected::Connected;
use report::{LoginReport, ReportPath};

use crate::authstring::answer::{self, ANSWER_BYTES_MAX, USERMAN, Wrong};
use crate::authstring::keys::is_credential;
use crate::authstring::{AuthString, Lookup, Plus, Resource};
use crate::host_names::HostNames;

/// Open connections that are kept for the next request.
const IDLE_CONNECTIONS_MAX: usize = 32;
/// What [`Access::new`] accepts as a URL.
pub const URL_EXPECTED: &str =
    "expected http:// or https:// and NATS's domain, as in https://nats.example.com, without /api";

/// The URL of NATS, and the credentials for its REST API.
#[derive(Clone)]
pub struct Access {
    url: String,
    username: String,
    /// Marked as sensitive, so that `Debug` does not show it.
    key: HeaderValue,
    roots: Option<RootCerts>,
    /// The text that the roots were read from, for comparison.
    pem: Vec<u8>,
}

/// Compares URL, credentials and certificates.
impl PartialEq for Access {
    fn eq(&self, other: &Self) -> bool {
        let Self { url, username, key, roots: _, pem } = self;
        (url, username, key, pem) == (&other.url, &other.username, &other.key, &other.pem)
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("url", &self.url)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

impl Access {
    /// Accepts [`URL_EXPECTED`], with the path before `/api` if there is one, and NATS's
    /// `api-username` and `api-key`. `None` if one of them cannot be sent.
    pub fn new(url: &str, username: &str, key: &str) -> Option<Self> {
        let url = clean_url(url)?;
        if !is_credential(username) || !is_credential(key) {
            return None;
        }
        let mut key = HeaderValue::from_str(key).ok()?;
        key.set_sensitive(true);
        Some(Self { url, username: username.to_owned(), key, roots: None, pem: Vec::new() })
    }

    /// Replaces the trusted root certificates by these, in PEM format, for a NATS with a
    /// certificate of its own. `None` if there is no certificate in the text.
    pub fn trusting(mut self, pem: &[u8]) -> Option<Self> {
        self.roots = Some(certificates_of(pem)?);
        self.pem = pem.to_vec();
        Some(self)
    }

    /// NATS's URL, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The `api-username`.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The configuration of ureq, which keeps this number of idle connections.
    fn config(&self, idle: usize) -> Config {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // A redirect would send the key to another URL.
            .max_redirects(0)
            .max_redirects_will_error(false)
            // An environment variable must not send the key elsewhere.
            .proxy(None)
            .user_agent(concat!("nats-userman/", env!("CARGO_PKG_VERSION")))
            .max_idle_connections(idle)
            .max_idle_connections_per_host(idle);
        if let Some(roots) = &self.roots {
            config = config.tls_config(TlsConfig::builder().root_certs(roots.clone()).build());
        }
        config.build()
    }

    /// Whether others on the network can read the key and the authstrings: without TLS, and to
    /// another machine.
    pub fn is_open_to_others(&self) -> bool {
        let host = self
            .url
            .parse::<Uri>()
            .ok()
            .and_then(|uri| uri.host().map(str::to_owned))
            .unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let is_here =
            host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        self.url.starts_with("http://") && !is_here
    }
}

/// A URL without a slash at its end. `None` for text that is not a URL, for a URL with a query or a
/// user, and for the URL of the REST API itself, because its path is appended.
pub fn clean_url(text: &str) -> Option<String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let url = text.trim_end_matches('/');
    let is_url = url
        .parse::<Uri>()
        .is_ok_and(|uri| uri.scheme().is_some() && uri.host().is_some_and(|host| !host.is_empty()));
    let clean = is_url
        && !rest.contains(['@', '?', '#'])
        && rest.split('/').skip(1).all(|part| part != "api");
    clean.then(|| url.to_owned())
}

/// Why a request failed. No text contains a key, a session or an authstring.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Two connections failed or broke off.
    #[error("NATS cannot be reached: {0}; is its URL right, and is it up?")]
    Unreachable(String),
    /// NATS's certificate is not one that is trusted, or there is no TLS at all.
    #[error(
        "no TLS with NATS: {0}; does this port support TLS, and is the certificate issued for this \
         URL? Set --nats-ca for a self-signed certificate"
    )]
    Tls(String),
    /// The server answered without TLS.
    #[error(
        "no TLS with NATS: this port does not support it; is the URL http://, or is the port wrong?"
    )]
    NoTls,
    /// There was no complete answer before the deadline.
    #[error("NATS did not answer in time (--nats-seconds)")]
    TimedOut,
    /// The answer is wrong.
    #[error(transparent)]
    Wrong(#[from] Wrong),
}

/// Why a login was not reported.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// There was no connection, or NATS has answered that it failed. A second report does not count
    /// twice.
    #[error("{0}; it is tried again")]
    NotTaken(Error),
    /// NATS has understood the report and refused it. It would refuse a second one too.
    #[error("{0}; it is dropped")]
    Refused(Error),
    /// The report was sent, and there was no answer from NATS itself. A second one could count
    /// twice.
    #[error("{0}; NATS may have counted it, so it is dropped")]
    Unknown(Error),
}

/// Requests authstrings from NATS. It keeps connections, and threads can share it. Each request
/// blocks its thread until the deadline at most.
pub struct Client {
    access: Access,
    time_max: Duration,
    names: HostNames,
    agent: Agent,
    /// Keeps no connections. It is for the second try, which must not use a kept connection that
    /// NATS has closed.
    fresh: Agent,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("access", &self.access)
            .field("time_max", &self.time_max)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client with `time_max` as the total timeout of a request: name resolution, connection,
    /// TLS, answer and a second try together.
    pub fn new(access: Access, time_max: Duration) -> Self {
        let names = HostNames::default();
        let agent = |idle| {
            let config = access.config(idle);
            Agent::with_parts(config, DefaultConnector::default(), names.clone())
        };
        Self { agent: agent(IDLE_CONNECTIONS_MAX), fresh: agent(0), access, time_max, names }
    }

    /// NATS's URL, without a slash at its end.
    pub fn url(&self) -> &str {
        self.access.url()
    }

    /// The URL of NATS, and the credentials.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// Requests the authstring of a "plus system" for a member; `None` if there is no such active
    /// member.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn authstring(&self, plus: Plus, lookup: &Lookup) -> Result<Option<AuthString>, Error> {
        self.get(Resource::AuthString(plus), lookup, Instant::now() + self.time_max)
    }

    /// Requests the authstring for TokenPlus from a NATS before 4.1.14.1.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn token_rebuy_string(&self, lookup: &Lookup) -> Result<Option<AuthString>, Error> {
        self.get(Resource::TokenRebuyString, lookup, Instant::now() + self.time_max)
    }

    /// Requests an authstring from a resource, with a deadline.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn get(
        &self,
        resource: Resource,
        lookup: &Lookup,
        until: Instant,
    ) -> Result<Option<AuthString>, Error> {
        match self.try_once(&self.agent, resource, lookup, until) {
            // NATS may have closed a kept connection. A second request is harmless.
            Err(Error::Unreachable(_)) => self.try_once(&self.fresh, resource, lookup, until),
            other => other,
        }
    }

    /// Reports a login of a member. Any status of 200 to 299 is success: TMM has published no
    /// answer.
    ///
    /// # Errors
    ///
    /// See [`ReportError`].
    pub fn report_login(&self, path: ReportPath, report: &LoginReport) -> Result<(), ReportError> {
        let url = format!("{}{}", self.access.url, path.as_str());
        let (site, address) = (report.site.to_string(), report.address.to_string());
        let parameters =
            [("siteid", site.as_str()), ("username", report.username.as_str()), ("ip", &address)];
        // An agent for this report alone, with a connection of its own. It shows whether NATS may
        // have got the report: a second one would count twice.
        let connected = Connected::default();
        let connector = DefaultConnector::default().chain(connected.clone());
        let agent = Agent::with_parts(self.access.config(0), connector, self.names.clone());
        let response = if path == ReportPath::LoginLog {
            let mut request = agent.get(url);
            for (name, value) in parameters {
                let value = utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
                request = request.query_raw(name, value);
            }
            request.config().timeout_global(Some(self.time_max)).build().call()
        } else {
            let request = agent
                .post(url)
                .header("api-key", &self.access.key)
                .header("api-username", &self.access.username);
            request.config().timeout_global(Some(self.time_max)).build().send_form(parameters)
        };
        let status = match response {
            Ok(response) => response.status().as_u16(),
            Err(failure) if connected.is_set() => return Err(ReportError::Unknown(error(failure))),
            Err(failure) => return Err(ReportError::NotTaken(error(failure))),
        };
        let wrong = || Wrong::of_status(status).into();
        match status {
            200..=299 => Ok(()),
            // A proxy got no answer from NATS.
            502 | 504 => Err(ReportError::Unknown(wrong())),
            500..=599 => Err(ReportError::NotTaken(wrong())),
            _ => Err(ReportError::Refused(wrong())),
        }
    }

    fn try_once(
        &self,
        agent: &Agent,
        resource: Resource,
        lookup: &Lookup,
        until: Instant,
    ) -> Result<Option<AuthString>, Error> {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::TimedOut);
        }
        let mut request = agent.get(format!("{}{}", self.access.url, resource.path()));
        for (name, value) in parameters(resource, lookup) {
            // Escapes everything that has a meaning in a query, also to PHP.
            request =
                request.query_raw(name, utf8_percent_encode(&value, NON_ALPHANUMERIC).to_string());
        }
        let request = request
            .header("api-key", &self.access.key)
            .header("api-username", &self.access.username);
        let mut response =
            request.config().timeout_global(Some(left)).build().call().map_err(error)?;
        let body = response
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES_MAX)
            .read_to_vec()
            .map_err(error)?;
        let status = response.status().as_u16();
        if response.headers().get(SERVER).is_some_and(|server| server == USERMAN)
            && let Some(error) = answer::error_of_userman(status, &body)
        {
            return Err(error.into());
        }
        Ok(answer::read(resource, status, &body)?)
    }
}

/// NATS's parameters of a request.
fn parameters(resource: Resource, lookup: &Lookup) -> Vec<(&'static str, String)> {
    let plus = match resource {
        Resource::AuthString(plus) => Some(("type", plus.as_str().to_owned())),
        Resource::TokenRebuyString => None,
    };
    let member = match lookup {
        Lookup::Session { member, session } => {
            [("memberid", member.to_string()), ("session", session.expose().to_owned())]
        }
        Lookup::Site { username, site } => {
            [("username", username.to_string()), ("siteid", site.to_string())]
        }
        Lookup::Sites { username, sites } => {
            [("username", username.to_string()), ("siteids", sites.to_string())]
        }
    };
    plus.into_iter().chain(member).collect()
}

/// Whether this is rustls's error for an answer that is not TLS, mostly plain HTTP.
pub(crate) fn is_no_tls(error: &str) -> bool {
    error.starts_with("received corrupt message")
}

/// The text of rustls, except for two cases: no TLS, and the most common mistake in a self-made
/// certificate.
fn tls(error: &str) -> Error {
    if is_no_tls(error) {
        return Error::NoTls;
    }
    if error.contains("CaUsedAsEndEntity") {
        return Error::Tls(
            "its certificate is that of a CA, which cannot also be a server's: make one with \
                `-addext basicConstraints=critical,CA:FALSE`"
                .into(),
        );
    }
    Error::Tls(error.to_owned())
}

/// Converts errors of ureq. Its texts can contain the URL with a session in it, so only those that
/// cannot are kept.
fn error(error: ureq::Error) -> Error {
    match error {
        ureq::Error::Timeout(_) => Error::TimedOut,
        ureq::Error::BodyExceedsLimit(_) => Error::Wrong(Wrong::TooLong),
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => Error::TimedOut,
        // The error of TLS for bytes that are not TLS.
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            tls(&error.to_string())
        }
        ureq::Error::Io(error) => Error::Unreachable(error.to_string()),
        ureq::Error::HostNotFound => Error::Unreachable("its name is not known".into()),
        ureq::Error::Rustls(error) => tls(&error.to_string()),
        ureq::Error::Tls(what) => Error::Tls(what.into()),
        ureq::Error::ConnectionFailed => Error::Unreachable("no connection".into()),
        _ => Error::Wrong(Wrong::NoHttp),
    }
}

/// The certificates of a text in PEM form as the only trusted roots. `None` if it has none.
pub(crate) fn certificates_of(pem: &[u8]) -> Option<RootCerts> {
    let certificates: Vec<_> = certificates(pem).collect();
    (!certificates.is_empty()).then(|| RootCerts::new_with_certs(&certificates))
}

/// Whether the text has a certificate in PEM form.
pub fn has_certificates(pem: &[u8]) -> bool {
    certificates(pem).next().is_some()
}

fn certificates(pem: &[u8]) -> impl Iterator<Item = Certificate<'static>> {
    parse_pem(pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_without_a_slash_at_its_end_and_without_what_does_not_belong_to_it() {
        for (text, taken) in [
            ("https://nats.example.com", Some("https://nats.example.com")),
            ("https://nats.example.com/", Some("https://nats.example.com")),
            ("http://[::1]:8080", Some("http://[::1]:8080")),
            ("http://api:8080/nats/", Some("http://api:8080/nats")),
            ("https://nats.example.com/api", None),
            ("https://nats.example.com/api/member/authstring", None),
            ("nats.example.com", None),
            ("ftp://nats.example.com", None),
            ("https://", None),
            ("https:///x", None),
            ("https://user:secret@nats.example.com", None),
            ("https://nats.example.com/?a=b", None),
            ("https://nats.example.com/#a", None),
            ("https://nats example.com", None),
        ] {
            assert_eq!(clean_url(text).as_deref(), taken, "{text}");
        }
    }

    #[test]
    fn a_key_is_open_to_others_without_tls_unless_nats_is_on_this_machine() {
        for (url, is_open) in [
            ("https://nats.example.com", false),
            ("http://nats.example.com", true),
            ("http://192.0.2.1:80", true),
            ("http://localhost:8080", false),
            ("http://127.0.0.1", false),
            ("http://[::1]:8080", false),
        ] {
            assert_eq!(
                Access::new(url, "username", "key").unwrap().is_open_to_others(),
                is_open,
                "{url}"
            );
        }
    }

    #[test]
    fn the_certificate_of_a_ca_is_named_as_what_it_is() {
        let said = |text: &str| tls(text).to_string();
        let of_a_ca = said("invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))");
        assert!(
            of_a_ca.starts_with("no TLS with NATS: its certificate is that of a CA, "),
            "{of_a_ca}"
        );
        let expired = said("invalid peer certificate: Expired");
        assert!(
            expired.starts_with("no TLS with NATS: invalid peer certificate: Expired; "),
            "{expired}"
        );
    }
}
