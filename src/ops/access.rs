//! Who may read health and metrics: programs of this machine that come without a proxy, and callers
//! with a token of `--ops-token-file`.

use std::future::{Ready, ready};
use std::net::IpAddr;

use actix_web::dev::Payload;
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, HOST, HeaderValue, WWW_AUTHENTICATE};
use actix_web::{Error, FromRequest, HttpRequest};

use super::state;
use crate::http::respond::plain;
use crate::login::cookie_domains::host_of;
use crate::network::normalise;
use crate::token::Token;

/// Headers by which a proxy says for whom it asks, and all that begin with `x-forwarded`.
const PROXY_HEADERS: [&str; 12] = [
    "cf-connecting-ip",
    "client-ip",
    "fastly-client-ip",
    "forwarded",
    "proxy-connection",
    "true-client-ip",
    "via",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-forwarded-for",
    "x-proxyuser-ip",
    "x-real-ip",
];

/// The request may read health and metrics.
#[derive(Debug)]
pub struct MayRead;

impl FromRequest for MayRead {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(check(request).map(|()| Self).map_err(|why| {
            let (ops, thread) = state::of(request);
            let (address, now) = (thread.caller(request), thread.shared().clock.steady());
            ops.log.refused("health and metrics", address, why, now);
            let mut response = plain(
                StatusCode::UNAUTHORIZED,
                "expected a token of --ops-token-file (Authorization: Bearer TOKEN), or a request \
                 from this machine to an address or localhost and without a proxy\n",
            );
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            InternalError::from_response(why, response).into()
        }))
    }
}

/// Whether the request may read. The error says which check failed.
fn check(request: &HttpRequest) -> Result<(), &'static str> {
    let live = state::of(request).1.shared().live.load();
    if let Some(given) = request.headers().get(AUTHORIZATION) {
        let token = given.to_str().ok().and_then(bearer).and_then(Token::parse);
        // All are compared, so that the time does not say which of them is alike.
        let is_ours =
            |token: Token| live.ops_tokens.iter().fold(false, |is, own| is | (*own == token));
        return match token.is_some_and(is_ours) {
            true => Ok(()),
            false => Err("its token is none of --ops-token-file"),
        };
    }
    let peer = request.peer_addr().map(|peer| normalise(peer.ip()));
    if !peer.is_some_and(|peer| peer.is_loopback()) {
        return Err("it comes from another machine without a token");
    }
    if request.headers().keys().any(|name| is_of_proxy(name.as_str())) {
        return Err("it comes through a proxy without a token");
    }
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let public = live.public_origin.as_deref().and_then(|origin| origin.split_once("://"));
    match is_own_name(host.unwrap_or_default(), public.map(|(_, authority)| authority)) {
        true => Ok(()),
        // As by DNS rebinding: the page of another site makes a browser on this machine ask.
        false => Err("its Host is neither an address nor localhost nor the host of --public-url"),
    }
}

/// The token of an `Authorization` header.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn is_of_proxy(name: &str) -> bool {
    name.starts_with("x-forwarded") || PROXY_HEADERS.contains(&name)
}

/// Whether no other site can have this name, with or without its port.
fn is_own_name(authority: &str, public: Option<&str>) -> bool {
    let host = host_of(authority);
    let address = host.trim_start_matches('[').trim_end_matches(']');
    address.parse::<IpAddr>().is_ok()
        || host.eq_ignore_ascii_case("localhost")
        || public.is_some_and(|public| host.eq_ignore_ascii_case(host_of(public)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_an_address_localhost_or_the_public_name() {
        for (authority, is_own) in [
            ("127.0.0.1:9180", true),
            ("127.0.0.1", true),
            ("[::1]:9180", true),
            ("localhost:9180", true),
            ("LocalHost", true),
            ("members.example.com", true),
            ("Members.Example.com:443", true),
            ("evil.example.com", false),
            ("localhost.example.com", false),
            ("127.0.0.1.example.com", false),
            ("", false),
        ] {
            let public = Some("members.example.com:8443");
            assert_eq!(is_own_name(authority, public), is_own, "{authority}");
        }
        assert!(!is_own_name("members.example.com", None));
    }

    #[test]
    fn headers_of_proxies_are_known_and_those_of_clients_are_none() {
        for name in ["x-forwarded-for", "x-forwarded-host", "forwarded", "via", "x-real-ip"] {
            assert!(is_of_proxy(name), "{name}");
        }
        for name in ["host", "user-agent", "accept", "x-prometheus-scrape-timeout-seconds"] {
            assert!(!is_of_proxy(name), "{name}");
        }
    }

    #[test]
    fn a_bearer_token_is_behind_its_scheme_in_any_case() {
        for (header, token) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Basic abc", None),
            ("Bearer", None),
        ] {
            assert_eq!(bearer(header), token, "{header}");
        }
    }
}
