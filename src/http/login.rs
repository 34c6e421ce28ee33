//! `/login` and `/logout`: the login page, for sites without the browser's own prompt, and a signed
//! cookie.

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::http::header::HeaderValue;
use actix_web::http::{Method, StatusCode};
use actix_web::web::{Data, Payload};

use super::body;
use super::cookies::{self, presented};
use super::form_origin::is_from_here;
use super::respond::{
    led_to, method_not_allowed, plain, plain_unavailable, see_other, unread_form,
};
use super::state::ThreadState;
use super::visitor::{self, invalid_query, tell_reason};
use super::visitor_log::Queried;
use crate::block::Network;
use crate::fields::Fields;
use crate::identity::Username;
use crate::login::admission::{Allowed, Denial, all_by_password};
use crate::login::ask::Ask;
use crate::login::back::Back;
use crate::login::basic::Typed;
use crate::login::members::Undecided;
use crate::login::page::{Facts, Form, LoginMessage, Shown};
use crate::login::sessions;
use crate::login_record::LoginWay;
use crate::metrics::{Outcome, TypedAt};
use crate::password::Password;
use crate::rest_api::Issuer;
use crate::store::LoginRow;

/// The handler of `/login?site=…`.
pub async fn login(
    request: HttpRequest,
    payload: Payload,
    state: Data<ThreadState>,
) -> HttpResponse {
    let (ask, back) = match Ask::parse_for_page(request.query_string().as_bytes()) {
        Ok(asked) => asked,
        Err(wrong) => return invalid_query(&state, Queried::Login, &wrong),
    };
    match *request.method() {
        Method::GET | Method::HEAD => {
            let now = state.shared().clock.now();
            let logins = presented(&request, &state, now);
            let message =
                match sessions::why_out(state.area(), Allowed::of(&ask), &logins, now).await {
                    Ok(LoginMessage::Nothing) | Err(Undecided) => {
                        cookies::not_kept(&request, &state, &logins, &back)
                    }
                    Ok(message) => message,
                };
            let form = LoginForm {
                request: &request,
                state: &state,
                ask: &ask,
                back,
                is_known: !logins.is_empty(),
                stay: false,
            };
            form.page(StatusCode::OK, message, "")
        }
        Method::POST => match body::read(&request, payload).await {
            Err(unread) => unread_form(unread),
            Ok(body) => {
                // Only from here on, so that a stop does not wait for a form that is sent slowly.
                let _in_flight = state.begin_request();
                // Only from the body: a password in a URL would be in access logs.
                let posted = body::posted(&request, &body);
                let back = posted.fields.get("back").map_or_else(Back::default, Back::read);
                let form = LoginForm {
                    request: &request,
                    state: &state,
                    ask: &ask,
                    back,
                    is_known: false,
                    stay: posted.fields.get("stay").is_some_and(|value| !value.is_empty()),
                };
                match posted.fields.get("upgrade") {
                    Some(_) => form.upgrade().await,
                    None => form.submit(&posted.fields).await,
                }
            }
        },
        _ => method_not_allowed("GET, HEAD, POST"),
    }
}

/// The login form of a site, and the request about it.
struct LoginForm<'a> {
    request: &'a HttpRequest,
    state: &'a ThreadState,
    ask: &'a Ask,
    back: Back,
    /// Whether the visitor has a login, for which an upgrade may be begun.
    is_known: bool,
    /// Whether the box "stay logged in" is ticked.
    stay: bool,
}

impl LoginForm<'_> {
    /// The form with a message, and with the name that was typed. A password is never shown again.
    fn page(&self, status: StatusCode, message: LoginMessage, username: &str) -> HttpResponse {
        let facts = Facts::new(Shown::of(message), self.ask, self.back.as_str());
        let form = Form { stay: self.stay, ..facts.form };
        let facts = Facts { username, can_upgrade: self.is_known, form, ..facts };
        visitor::page(self.request, self.state, status, facts)
    }

    /// Handles the form.
    async fn submit(&self, fields: &Fields<'_>) -> HttpResponse {
        let (request, state, ask) = (self.request, self.state, self.ask);
        let invalid = || state.area().metrics.count_typed(TypedAt::Page, Outcome::Invalid);
        if !is_from_here(request, state, "login") {
            invalid();
            return self.page(StatusCode::FORBIDDEN, LoginMessage::Foreign, "");
        }
        let name = fields.get("username").and_then(Username::typed);
        let password = fields.get("password").and_then(Password::parse);
        let (name, password) = match (name, password) {
            (Some(name), Some(password)) => (name, password),
            (name, _) => {
                invalid();
                let name = name.as_ref().map_or("", Username::as_str);
                return self.page(StatusCode::UNAUTHORIZED, LoginMessage::Wrong, name);
            }
        };
        let (address, now) = (state.caller(request), state.shared().clock.now());
        let typed = Typed { name, password };
        let name = typed.name.as_str();
        let busy = || self.page(StatusCode::SERVICE_UNAVAILABLE, LoginMessage::Busy, name);
        match all_by_password(state.area(), Allowed::of(ask), &typed, address, now).await {
            Ok(Ok(rows)) => {
                let is_in = rows.first().is_some_and(|row| Allowed::of(ask).admits(row));
                let response = if is_in {
                    see_other(&self.back)
                } else {
                    self.trial_page(LoginMessage::Trial)
                };
                let entered = enter(request, state, response, &rows, self.stay, now).await;
                if is_in && entered.is_ok() {
                    cookies::was_given(request, state, &self.back);
                }
                entered.unwrap_or_else(|Undecided| busy())
            }
            Ok(Err(reason)) => {
                let (status, message) = match reason {
                    Denial::Login | Denial::Idle => (StatusCode::UNAUTHORIZED, LoginMessage::Wrong),
                    Denial::Trial => (StatusCode::FORBIDDEN, LoginMessage::Trial),
                    Denial::Blocked => (StatusCode::FORBIDDEN, LoginMessage::Blocked),
                    Denial::Shared => (StatusCode::FORBIDDEN, LoginMessage::Shared),
                };
                let mut response = self.page(status, message, name);
                tell_reason(&mut response, reason);
                response
            }
            Err(Undecided) => busy(),
        }
    }

    /// The page for a member on trial, who is logged in now.
    fn trial_page(&self, message: LoginMessage) -> HttpResponse {
        let facts = Facts::new(Shown::Trial(message), self.ask, self.back.as_str());
        let facts = Facts { can_upgrade: true, ..facts };
        let mut response = visitor::page(self.request, self.state, StatusCode::FORBIDDEN, facts);
        tell_reason(&mut response, Denial::Trial);
        response
    }

    /// Handles the button of the upgrade: only now an authstring is requested, for the member on
    /// trial who is logged in, and the browser is led to NATS with it.
    async fn upgrade(&self) -> HttpResponse {
        let (request, state) = (self.request, self.state);
        if !is_from_here(request, state, "upgrade") {
            return self.page(StatusCode::FORBIDDEN, LoginMessage::Foreign, "");
        }
        let now = state.shared().clock.now();
        let logins = presented(request, state, now);
        let member =
            match sessions::on_trial(state.area(), Allowed::of(self.ask), &logins, now).await {
                Ok(Some(member)) => member,
                Ok(None) => return self.page(StatusCode::UNAUTHORIZED, LoginMessage::Nothing, ""),
                Err(Undecided) => {
                    return self.page(StatusCode::SERVICE_UNAVAILABLE, LoginMessage::Busy, "");
                }
            };
        let shared = state.shared();
        let live = shared.live.now();
        let issuer =
            Issuer { strings: shared.strings(&live), clock: &shared.clock, log: &shared.api_log };
        // Its errors are logged.
        let string = issuer.upgrade(&member).await.ok().flatten();
        let address = string.and_then(|string| {
            let facts = Facts::new(Shown::Trial(LoginMessage::Trial), self.ask, "/");
            let facts = Facts { host: visitor::host(request), ..facts };
            let values = [
                ("siteid", &*member.key.site.to_string()),
                ("memberid", &*member.key.member.to_string()),
                ("username", member.username.as_str()),
                ("authstring", string.expose()),
            ];
            live.pages.upgrade(&facts, &values)
        });
        match address.and_then(|address| HeaderValue::from_str(&address).ok()) {
            Some(address) => led_to(address),
            None => self.trial_page(LoginMessage::NoUpgrade),
        }
    }
}

/// Adds to the response a cookie for these rows and for those logins of other sites in the old
/// cookie that are still valid. Logins of the same sites end, and so do those that do not fit, so
/// that a copy of the old cookie is not valid any more.
async fn enter(
    request: &HttpRequest,
    state: &ThreadState,
    mut response: HttpResponse,
    rows: &[LoginRow],
    stays: bool,
    now: i64,
) -> Result<HttpResponse, Undecided> {
    let address = state.caller(request);
    let before = sessions::before(state.area(), &presented(request, state, now), rows, now).await?;
    for row in rows.iter().filter(|row| is_logged(state, row)) {
        log::info!(site:% = row.key.site, member:% = row.key.member, address:% = address; "login");
        state.area().record_login(LoginWay::Page, row, Network::of(address));
    }
    cookies::log_in(request, state, &mut response, rows, &before.kept, stays, now);
    if sessions::end(state.area(), before.ended.iter()).await.is_err() {
        state.area().shared.log.login_not_ended(state.shared().clock.steady());
    }
    Ok(response)
}

fn is_logged(state: &ThreadState, row: &LoginRow) -> bool {
    state.area().shared.login_lines().add(row.key, state.shared().clock.steady())
}

/// The handler of `/logout`. A GET shows a page with the button, and changes nothing: any page can
/// make a browser send one. A POST ends all logins of the browser, of all sites: it clears the
/// cookies, and stores the ids of the logins until they expire, so that a copy of a cookie is not
/// valid either.
pub async fn logout(
    request: HttpRequest,
    payload: Payload,
    state: Data<ThreadState>,
) -> HttpResponse {
    match *request.method() {
        Method::GET | Method::HEAD => return logout_page(&request, &state),
        Method::POST => {}
        _ => return method_not_allowed("GET, HEAD, POST"),
    }
    let body = match body::read(&request, payload).await {
        Err(unread) => return unread_form(unread),
        Ok(body) => body,
    };
    let _in_flight = state.begin_request();
    if !is_from_here(&request, &state, "logout") {
        return plain(StatusCode::FORBIDDEN, "this form was not sent from a page of this site");
    }
    let now = state.shared().clock.now();
    let logins = presented(&request, &state, now);
    let network = Network::of(state.caller(&request));
    logins.iter().for_each(|login| state.area().record_logout(login.key, network));
    let ended = sessions::end(state.area(), logins.iter()).await;
    let mut response = match ended.and(if logins.is_cut() { Err(Undecided) } else { Ok(()) }) {
        Ok(()) => {
            let posted = body::posted(&request, &body);
            see_other(&posted.fields.get("back").map_or_else(Back::default, Back::read))
        }
        Err(Undecided) => plain_unavailable(
            "This browser is logged out. A copy of the login could not be ended just now.",
        ),
    };
    cookies::clear(&request, &state, &mut response);
    response
}

/// The page with the button. Its query may have the return address and the site.
fn logout_page(request: &HttpRequest, state: &ThreadState) -> HttpResponse {
    let query = request.query_string().as_bytes();
    let fields = Fields::from_urlencoded(query);
    let back = fields.get("back").map_or_else(Back::default, Back::read);
    let ask = Ask::parse_for_page(query).ok().map(|(ask, _)| ask);
    let facts = Facts { ask: ask.as_ref(), ..Facts::without_site(Shown::Logout, back.as_str()) };
    visitor::page(request, state, StatusCode::OK, facts)
}
