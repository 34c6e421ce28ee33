//! The session of an operator: its cookie, and the extractors for handlers that need one.

use actix_web::dev::Payload;
use actix_web::error::InternalError;
use actix_web::http::header::{COOKIE, HeaderValue, LOCATION, SET_COOKIE, X_FORWARDED_PROTO};
use actix_web::http::{Method, StatusCode};
use actix_web::{Error, FromRequest, HttpRequest, HttpResponse};
use futures_util::future::LocalBoxFuture;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

pub use super::signed::{FormToken, Signed};

use super::console::page::{self, Page};
use super::state;
use crate::chain::chain;
use crate::hex::hex;
use crate::key_file::from_hex;
use crate::login::cookie_header;
use crate::operator::{OPERATOR_SESSION_SECONDS, TokenDigest};
use crate::secret::redacted;
use crate::store::ReadError;

/// The cookie of a browser that uses TLS. Browsers take this name from the host itself only, over
/// TLS.
const SECURE_COOKIE: &str = "__Host-userman-console";
/// The cookie over HTTP, as through a tunnel to this machine.
const PLAIN_COOKIE: &str = "userman-console";
/// The most values of the cookie that are looked up.
const VALUES_MAX: usize = 4;
/// The longest address that a login leads back to.
const BACK_BYTES_MAX: usize = 1024;

/// The random bytes in a cookie.
#[derive(Clone)]
pub(super) struct SessionToken(Zeroizing<[u8; 32]>);

redacted!(SessionToken);

impl SessionToken {
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *bytes)?;
        Ok(Self(bytes))
    }

    /// Reads 64 hexadecimal digits in lower case.
    fn parse(text: &str) -> Option<Self> {
        from_hex(text.as_bytes()).map(Self)
    }

    fn expose(&self) -> String {
        hex(&*self.0)
    }

    pub(super) fn digest(&self) -> TokenDigest {
        TokenDigest::of(&self.0)
    }

    /// The token of forms: from it nobody can compute the one in the cookie.
    fn csrf(&self) -> String {
        hex(&Sha256::new_with_prefix(b"csrf").chain_update(*self.0).finalize())
    }
}

/// The extractor of a request with a valid session. Without one, a GET is led to the login page,
/// and another request gets 401.
#[derive(Debug)]
pub struct Session(pub Signed);

/// The extractor of a request of an operator with the role admin. With another role it is answered
/// 403.
#[derive(Debug)]
pub struct AdminOnly(pub Signed);

impl FromRequest for Session {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { signed(&request).await.map(Self).map_err(error) })
    }
}

impl FromRequest for AdminOnly {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let signed = signed(&request).await.map_err(error)?;
            if signed.is_admin() {
                return Ok(Self(signed));
            }
            refuse(&request, "a page of admins", "the operator has the role support");
            let context = minijinja::context! {
                title => "Not allowed",
                message => "Your role is support. This page is for operators with the role admin.",
            };
            let mut response = page::render(&request, &signed, "message.html", context);
            *response.status_mut() = StatusCode::FORBIDDEN;
            Err(error(response))
        })
    }
}

/// A response in the place of the handler's.
pub(super) fn error(response: HttpResponse) -> Error {
    InternalError::from_response("refused", response).into()
}

/// Logs that a request was refused.
pub(super) fn refuse(request: &HttpRequest, what: &str, why: &str) {
    let (ops, thread) = state::of(request);
    ops.log.refused(what, thread.caller(request), why, thread.shared().clock.steady());
}

/// The operator whose session the cookie names, if there is one.
///
/// # Errors
///
/// If the database cannot be read.
pub(super) async fn find(request: &HttpRequest) -> Result<Option<Signed>, ReadError> {
    let (_, thread) = state::of(request);
    let now = thread.shared().clock.now();
    for token in tokens(request) {
        let digest = token.digest();
        let found = thread.reads().read(move |reader| reader.operator_session(&digest, now)).await;
        if let Some(operator) = found? {
            return Ok(Some(Signed {
                operator: operator.name,
                role: operator.role,
                csrf: FormToken::new(token.csrf()),
                token: digest,
            }));
        }
    }
    Ok(None)
}

/// The operator whose session the cookie names.
///
/// # Errors
///
/// The response, if there is none.
pub(super) async fn signed(request: &HttpRequest) -> Result<Signed, HttpResponse> {
    match find(request).await {
        Ok(Some(signed)) => return Ok(signed),
        Ok(None) => {}
        Err(error) => {
            refuse(request, "a page", &format!("sessions cannot be read: {}", chain(&error)));
            let page = Page::problem(
                StatusCode::SERVICE_UNAVAILABLE,
                "The database cannot be read",
                "Your session cannot be checked now. /health/ready says what is wrong, and so does \
                 `nats-userman doctor` on the machine.",
            );
            return Err(page.respond_unsigned());
        }
    }
    Err(match *request.method() {
        Method::GET | Method::HEAD => to_login(request),
        _ => {
            refuse(request, "a form", "it has no session, or one that has ended");
            Page::problem(
                StatusCode::UNAUTHORIZED,
                "Log in again",
                "Your session has ended, and nothing was changed. Log in, and repeat it.",
            )
            .link("/login", "Log in")
            .respond_unsigned()
        }
    })
}

/// The tokens in the cookies of a request.
fn tokens(request: &HttpRequest) -> Vec<SessionToken> {
    let name = cookie_name(request);
    let lines = request.headers().get_all(COOKIE).map(HeaderValue::as_bytes);
    cookie_header::values(lines, name).take(VALUES_MAX).filter_map(SessionToken::parse).collect()
}

fn to_login(request: &HttpRequest) -> HttpResponse {
    let asked = request.uri().path_and_query().map_or("/", |asked| asked.as_str());
    let back = if asked.len() > BACK_BYTES_MAX { "/" } else { asked };
    let back = utf8_percent_encode(back, NON_ALPHANUMERIC);
    let mut response = HttpResponse::new(StatusCode::SEE_OTHER);
    let location = HeaderValue::from_str(&format!("/login?back={back}"));
    let location = location.unwrap_or(HeaderValue::from_static("/login"));
    response.headers_mut().insert(LOCATION, location);
    response
}

/// Whether the browser uses TLS, as a listed proxy says.
fn is_by_tls(request: &HttpRequest) -> bool {
    let scheme = request.headers().get(X_FORWARDED_PROTO);
    let is_https = scheme.is_some_and(|it| it.as_bytes().eq_ignore_ascii_case(b"https"));
    is_https && state::of(request).1.is_behind_proxy(request)
}

fn cookie_name(request: &HttpRequest) -> &'static str {
    if is_by_tls(request) { SECURE_COOKIE } else { PLAIN_COOKIE }
}

/// Gives the browser a token.
pub(super) fn set(request: &HttpRequest, response: &mut HttpResponse, token: &SessionToken) {
    let value = token.expose();
    put(request, response, &value, OPERATOR_SESSION_SECONDS);
}

/// Takes the token from the browser.
pub(super) fn clear(request: &HttpRequest, response: &mut HttpResponse) {
    put(request, response, "", 0);
}

fn put(request: &HttpRequest, response: &mut HttpResponse, value: &str, seconds: i64) {
    let secure = if is_by_tls(request) { "; Secure" } else { "" };
    let cookie = format!(
        "{}={value}; Max-Age={seconds}; Path=/{secure}; HttpOnly; SameSite=Strict",
        cookie_name(request)
    );
    // It is ASCII without control characters.
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_64_digits_and_its_form_token_is_another_one() {
        let token = SessionToken::random().unwrap();
        let text = token.expose();
        assert_eq!(SessionToken::parse(&text).unwrap().digest(), token.digest());
        assert_ne!(token.csrf(), text);
        assert_ne!(token.csrf(), hex(&token.digest().0));
        for wrong in
            ["", &text[1..], &format!("{text}0"), &text.replace(char::is_alphanumeric, "G")]
        {
            assert!(SessionToken::parse(wrong).is_none(), "{wrong}");
        }
        assert_eq!(format!("{token:?}"), "SessionToken(***)");
    }
}
