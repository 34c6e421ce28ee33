//! Posts a message to the operator's URL.

use std::fmt;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use ureq::Agent;

/// The longest time of a request, with name resolution and TLS.
pub(super) const TIME_MAX: Duration = Duration::from_secs(10);
/// What [`AlarmUrl::parse`] accepts, for error messages.
pub const URL_EXPECTED: &str =
    "expected one URL with http:// or https:// and a host, without a name and a password in it";
/// The longest URL.
const URL_BYTES_MAX: usize = 2_048;

/// The URL. It may have a secret in its path or its query, so that it is never shown; a message
/// about it has its host.
#[derive(Clone)]
pub struct AlarmUrl {
    url: SecretString,
    host: String,
}

impl fmt::Debug for AlarmUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AlarmUrl").field(&self.host).finish()
    }
}

/// Why the URL did not take the message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// There was no answer before the deadline.
    #[error("{0} did not answer within 10 seconds")]
    TooSlow(String),
    /// There was no connection.
    #[error("{0} cannot be reached: {1}")]
    Unreachable(String, String),
    /// The status is not 200 to 299.
    #[error("{0} answered with the status {1}, and not 200 to 299{2}")]
    Status(String, u16, &'static str),
}

impl AlarmUrl {
    /// Reads a URL.
    pub fn parse(text: &str) -> Option<Self> {
        let url: ureq::http::Uri = text.parse().ok()?;
        let is_http = matches!(url.scheme_str(), Some("http" | "https"));
        let authority = url.authority().filter(|authority| !authority.as_str().contains('@'))?;
        let is_clean = text.len() <= URL_BYTES_MAX && !authority.host().is_empty();
        (is_http && is_clean).then(|| Self {
            url: SecretString::from(text.to_owned()),
            host: authority.as_str().to_owned(),
        })
    }

    /// Posts JSON, and waits for the status. Follows no redirect, and uses no proxy of the
    /// environment.
    ///
    /// # Errors
    ///
    /// See [`PostError`].
    pub fn post(&self, json: &str, time_max: Duration) -> Result<(), PostError> {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_global(Some(time_max))
            .max_idle_connections(0)
            .user_agent(concat!("nats-userman/", env!("CARGO_PKG_VERSION")));
        let agent = Agent::new_with_config(config.build());
        let request =
            agent.post(self.url.expose_secret()).header("content-type", "application/json");
        // The body of the answer is not read.
        let status = request.send(json).map_err(|error| self.failed(&error))?.status().as_u16();
        match status {
            200..=299 => Ok(()),
            300..=399 => {
                let why = " (a redirect is not followed)";
                Err(PostError::Status(self.host.clone(), status, why))
            }
            _ => Err(PostError::Status(self.host.clone(), status, "")),
        }
    }

    /// Without the text of errors that may have the URL in them.
    fn failed(&self, error: &ureq::Error) -> PostError {
        let host = self.host.clone();
        let why = match error {
            ureq::Error::Timeout(_) => return PostError::TooSlow(host),
            ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                return PostError::TooSlow(host);
            }
            ureq::Error::Io(error) => error.to_string(),
            ureq::Error::HostNotFound => "its name is not known".to_owned(),
            ureq::Error::ConnectionFailed => "no connection".to_owned(),
            ureq::Error::Rustls(error) => error.to_string(),
            ureq::Error::Tls(what) => (*what).to_owned(),
            _ => "its answer is no HTTP".to_owned(),
        };
        PostError::Unreachable(host, why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_host_and_no_password_and_is_never_shown() {
        let url = AlarmUrl::parse("https://hooks.example.com:8443/T0/s3cret?key=s3cret").unwrap();
        assert_eq!(format!("{url:?}"), "AlarmUrl(\"hooks.example.com:8443\")");
        for text in [
            "",
            "hooks.example.com",
            "/path",
            "ftp://x/",
            "https://",
            "https:///x",
            "https://user:pass@x/",
            "https://x y/",
        ] {
            assert!(AlarmUrl::parse(text).is_none(), "{text}");
        }
    }
}
