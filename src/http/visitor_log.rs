//! Log lines about requests of visitors that are wrong, at a limited rate.

use crate::logging::limit::Interval;
use crate::reply::Refusal;

/// Seconds between two lines of one kind.
const LOG_EVERY_SECONDS: i64 = 60;

/// Why a form is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ForeignForm {
    /// Its origin is not this site.
    Origin,
    /// The browser says, in Sec-Fetch-Site, that another site sent it.
    FetchSite,
    /// The request does not show where it came from.
    Unknown,
}

/// The headers of a form that is refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct FormHeaders<'a> {
    pub(super) fetch_site: &'a str,
    pub(super) origin: &'a str,
    pub(super) host: &'a str,
}

/// What has a query of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queried {
    /// `/auth`. The web server sends it.
    Auth,
    /// `/login`. Any visitor can send it.
    Login,
    /// The FastCGI authorizer. The web server sends it.
    Authorizer,
}

/// Limits the lines. Shared by all threads; `now` is the steady clock's.
#[derive(Debug)]
pub struct VisitorLog {
    /// Visitors must not hide a mistake of the configuration by a wrong query of their own.
    invalid_auth: Interval,
    invalid_login: Interval,
    invalid_authorizer: Interval,
    foreign_origin: Interval,
    foreign_fetch_site: Interval,
    unknown_origin: Interval,
}

impl Default for VisitorLog {
    fn default() -> Self {
        let interval = || Interval::new(LOG_EVERY_SECONDS);
        Self {
            invalid_auth: interval(),
            invalid_login: interval(),
            invalid_authorizer: interval(),
            foreign_origin: interval(),
            foreign_fetch_site: interval(),
            unknown_origin: interval(),
        }
    }
}

impl VisitorLog {
    /// The query of `/auth` or `/login`, or the question of a web server, is wrong, which is a
    /// mistake in the site's configuration.
    pub fn invalid_query(&self, queried: Queried, wrong: &Refusal, now: i64) {
        let (interval, name) = match queried {
            Queried::Auth => (&self.invalid_auth, "/auth"),
            Queried::Login => (&self.invalid_login, "/login"),
            Queried::Authorizer => (&self.invalid_authorizer, "the FastCGI authorizer"),
        };
        if interval.is_due(now) {
            log::warn!("invalid query of {name}: {}", wrong.reply().sentence());
        }
    }

    /// A form is refused. `form` names it.
    pub(super) fn foreign_form(
        &self,
        why: ForeignForm,
        form: &str,
        headers: FormHeaders<'_>,
        now: i64,
    ) {
        let interval = match why {
            ForeignForm::Origin => &self.foreign_origin,
            ForeignForm::FetchSite => &self.foreign_fetch_site,
            ForeignForm::Unknown => &self.unknown_origin,
        };
        if !interval.is_due(now) {
            return;
        }
        let FormHeaders { fetch_site, origin, host } = headers;
        match why {
            ForeignForm::FetchSite => log::warn!(
                fetch_site = fetch_site, origin = origin, host = host;
                "{form} form refused: the browser says (Sec-Fetch-Site) that no page of the same \
                 scheme, host and port sent it; a page elsewhere can link to /login, and a proxy \
                 must pass /login on under the host of the protected pages"
            ),
            ForeignForm::Unknown => log::warn!(
                host = host;
                "{form} form refused: it has neither Sec-Fetch-Site nor Origin; the proxy must \
                 pass both on unchanged, or no browser sent it"
            ),
            ForeignForm::Origin => log::warn!(
                origin = origin, host = host;
                "{form} form refused: its origin is neither the requested host nor --public-url; \
                 the proxy must pass on the visitor's Host with its port \
                 (nginx: proxy_set_header Host $http_host)"
            ),
        }
    }
}
