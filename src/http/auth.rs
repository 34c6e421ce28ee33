//! `/auth`: forward authentication for nginx's `auth_request`, Caddy's `forward_auth` and similar
//! ones. The status decides: 200 is admitted, 401 must log in, 403 is denied; 503 means that it
//! cannot be decided now, 400 that the query is wrong.

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::http::header::{
    AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE,
};
use actix_web::web::Data;

use super::respond::{self, plain, plain_unavailable};
use super::state::ThreadState;
use super::visitor::{invalid_query, page, tell_reason, visit};
use super::visitor_log::Queried;
use crate::login::ask::Ask;
use crate::login::basic::Typed;
use crate::login::check::{Answer, Body, CHALLENGE, PageRequest, Status, Told, check};
use crate::login::page::Facts;
use crate::metrics::{Asker, Outcome, Way};

const MEMBER_ID: HeaderName = HeaderName::from_static("x-member-id");
const MEMBER_NAME: HeaderName = HeaderName::from_static("x-member-name");
const MEMBER_SITE: HeaderName = HeaderName::from_static("x-member-site");
const MEMBER_TRIAL: HeaderName = HeaderName::from_static("x-member-trial");
/// The headers in which nginx and Caddy send the requested address, to return to it.
const ASKED_FOR: [HeaderName; 2] =
    [HeaderName::from_static("x-original-uri"), HeaderName::from_static("x-forwarded-uri")];

/// The handler, for every method.
pub async fn auth(request: HttpRequest, state: Data<ThreadState>) -> HttpResponse {
    let _in_flight = state.begin_request();
    state.shared().metrics.count_request();
    let ask = match Ask::parse(request.query_string().as_bytes()) {
        Ok(ask) => ask,
        Err(wrong) => {
            state.shared().metrics.count_check(Asker::Auth, Way::Nothing, Outcome::Invalid);
            return invalid_query(&state, Queried::Auth, &wrong);
        }
    };
    let header = request.headers().get(AUTHORIZATION);
    let typed = header.and_then(|value| Typed::read(value.as_bytes())).and_then(Result::ok);
    let asked = PageRequest { visit: visit(&request, &state), typed, page: asked_for(&request) };
    let answer = check(state.area(), Asker::Auth, &ask, &asked).await;
    response(&request, &state, &ask, &asked, &answer)
}

fn response(
    request: &HttpRequest,
    state: &ThreadState,
    ask: &Ask,
    asked: &PageRequest<'_>,
    answer: &Answer,
) -> HttpResponse {
    let status = respond::status_of_answer(answer.status);
    let mut response = match answer.body {
        Body::Nothing => HttpResponse::new(status),
        Body::Sentence(text) if answer.status == Status::Undecided => plain_unavailable(text),
        Body::Sentence(text) => plain(status, text),
        Body::Page(shown) => {
            // The button of the upgrade needs a login by cookie.
            let can_upgrade = request.headers().contains_key(COOKIE);
            let back = asked.back();
            let facts = Facts::new(shown, ask, back.as_str());
            page(request, state, status, Facts { can_upgrade, ..facts })
        }
    };
    let headers = response.headers_mut();
    if let Some(member) = &answer.member {
        tell(headers, member);
    }
    if answer.is_challenge {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
    }
    if let Some(reason) = answer.reason {
        tell_reason(&mut response, reason);
    }
    response
}

fn tell(headers: &mut HeaderMap, member: &Told) {
    let Told { id, name, site, trial } = member;
    // It is ASCII without control characters.
    let name = HeaderValue::from_str(name).unwrap_or(HeaderValue::from_static(""));
    let trial = HeaderValue::from_static(if *trial { "1" } else { "0" });
    for (header, value) in [
        (MEMBER_NAME, name),
        (MEMBER_ID, HeaderValue::from(id.get())),
        (MEMBER_SITE, HeaderValue::from(site.get())),
        (MEMBER_TRIAL, trial),
    ] {
        headers.insert(header, value);
    }
}

/// The page that the visitor requested, according to the proxy.
fn asked_for(request: &HttpRequest) -> &[u8] {
    let page = ASKED_FOR.iter().find_map(|name| request.headers().get(name));
    page.map_or(&[], HeaderValue::as_bytes)
}
