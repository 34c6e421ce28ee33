//! Whether a form was sent from a page of this site. Other forms are refused, and a line at a
//! limited rate says why: the cause is mostly a proxy that changes a header, and then no member can
//! log in.

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, HeaderName, ORIGIN};

use super::state::ThreadState;
use super::visitor::text;
use super::visitor_log::{ForeignForm, FormHeaders};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether the form is of this site, according to the browser or else to its origin. `form` names
/// it in the log.
pub(crate) fn is_from_here(request: &HttpRequest, state: &ThreadState, form: &str) -> bool {
    let (origin, host) = (text(request, &ORIGIN), text(request, &HOST));
    let refused = match (request.headers().get(FETCH_SITE), origin) {
        (Some(site), _) if site.as_bytes() == b"same-origin" => None,
        (Some(_), _) => Some(ForeignForm::FetchSite),
        (None, None) => Some(ForeignForm::Unknown),
        (None, Some(origin)) if is_ours(state, origin, host) => None,
        (None, Some(_)) => Some(ForeignForm::Origin),
    };
    let Some(why) = refused else { return true };
    let headers = FormHeaders {
        fetch_site: text(request, &FETCH_SITE).unwrap_or("-"),
        origin: origin.unwrap_or("-"),
        host: host.unwrap_or("-"),
    };
    let shared = state.shared();
    shared.visitor_log.foreign_form(why, form, headers, shared.clock.steady());
    false
}

fn is_ours(state: &ThreadState, origin: &str, host: Option<&str>) -> bool {
    let live = state.shared().live.load();
    let public = live.public_origin.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(origin));
    let asked = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    public || asked.zip(host).is_some_and(|(origin, host)| origin.eq_ignore_ascii_case(host))
}
