//! Whether a form was sent from a page of ours. One that was not is refused, and a line at a
//! bounded rate says why: mostly it is a proxy that changes a header, and then nobody can log in.

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, HeaderName, ORIGIN};

use super::mistakes::Mistake;
use super::postback::Desk;
use super::visited::text;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// As the browser says, or else by the origin it names. `form` names it in the log.
pub(super) fn is_from_here(request: &HttpRequest, desk: &Desk, form: &'static str) -> bool {
    let (origin, host) = (text(request, &ORIGIN), text(request, &HOST));
    let refused = match (request.headers().get(FETCH_SITE), origin) {
        (Some(site), _) if site.as_bytes() == b"same-origin" => None,
        (Some(_), _) => Some(Mistake::ForeignFetchSite),
        (None, None) => Some(Mistake::FormWithoutOrigin),
        (None, Some(origin)) if is_ours(desk, origin, host) => None,
        (None, Some(_)) => Some(Mistake::ForeignForm),
    };
    if let Some(mistake) = refused {
        let site = text(request, &FETCH_SITE).unwrap_or("-");
        let line = || log_refused(mistake, form, site, origin.unwrap_or("-"), host.unwrap_or("-"));
        desk.shared().mistakes.say(mistake, desk.shared().clock.steady(), line);
    }
    refused.is_none()
}

fn is_ours(desk: &Desk, origin: &str, host: Option<&str>) -> bool {
    let public =
        desk.shared().public_origin.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(origin));
    let asked = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    public || asked.zip(host).is_some_and(|(origin, host)| origin.eq_ignore_ascii_case(host))
}

fn log_refused(mistake: Mistake, form: &str, site: &str, origin: &str, host: &str) {
    match mistake {
        Mistake::ForeignFetchSite => log::warn!(
            fetch_site = site, origin = origin, host = host;
            "{form} form refused: the browser says (Sec-Fetch-Site) that no page of the same scheme, host and port sent it; \
             a page elsewhere can link to /login, and a proxy must hand /login on under the host of the protected pages"
        ),
        Mistake::FormWithoutOrigin => log::warn!(
            host = host;
            "{form} form refused: it has neither Sec-Fetch-Site nor Origin; the proxy must hand both on unchanged, \
             or no browser sent it"
        ),
        _ => log::warn!(
            origin = origin, host = host;
            "{form} form refused: its origin is neither the host that was asked nor --public-url; the proxy must hand on \
             the visitor's Host with its port (nginx: proxy_set_header Host $http_host)"
        ),
    }
}
