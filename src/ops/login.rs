//! `/login` and `/logout` of operators.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER};
use actix_web::web::{Bytes, Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use minijinja::context;

use super::console::page::{self, Page};
use super::form::{self, Form};
use super::session::{self, Session, SessionToken};
use super::{Ops, state};
use crate::fields::Fields;
use crate::http::respond::{plain_unavailable, see_other};
use crate::http::state::ThreadState;
use crate::login::back::Back;
use crate::operators::LoginRefused;
use crate::operators::login::Attempt;

/// The text for a browser, and after how many seconds it may try again.
fn message(refused: LoginRefused) -> (StatusCode, &'static str, Option<HeaderValue>) {
    match refused {
        LoginRefused::Wrong => {
            (StatusCode::UNAUTHORIZED, "The name or the password is wrong.", None)
        }
        LoginRefused::Blocked => (
            StatusCode::TOO_MANY_REQUESTS,
            "There were too many wrong passwords. Try again in five minutes.",
            Some(HeaderValue::from_static("300")),
        ),
        LoginRefused::Unavailable => (
            StatusCode::SERVICE_UNAVAILABLE,
            "Logins cannot be checked just now. Try again in a moment.",
            Some(HeaderValue::from_static("5")),
        ),
    }
}

/// The page with the form.
pub(super) async fn page(request: HttpRequest) -> HttpResponse {
    let query = Fields::from_urlencoded(request.query_string().as_bytes());
    let back = query.get("back").map_or_else(Back::default, Back::read);
    render(StatusCode::OK, &back, "", "")
}

fn render(status: StatusCode, back: &Back, name: &str, message: &str) -> HttpResponse {
    let context = context! { back => back.as_str(), name, message };
    page::render_unsigned(status, "login.html", context)
}

/// The handler of the form.
pub(super) async fn submit(
    request: HttpRequest,
    payload: Payload,
    ops: Data<Ops>,
    thread: Data<ThreadState>,
) -> HttpResponse {
    let body: Bytes = match form::read(&request, payload).await {
        Ok(body) => body,
        Err(response) => return response,
    };
    let fields = Fields::from_urlencoded(&body);
    let back = fields.get("back").map_or_else(Back::default, Back::read);
    let (name, password) = (fields.get("name"), fields.get("password"));
    let (name, password) = (name.unwrap_or_default(), password.unwrap_or_default());
    // Each login has a token of its own, whatever the browser sent.
    let Ok(token) = SessionToken::random() else {
        return plain_unavailable("The system gives no random bytes.");
    };
    let address = state::address(&request);
    let attempt = Attempt { name, password, address, token: token.digest() };
    match ops.logins.log_in(&attempt, thread.reads()).await {
        Ok(_) => {
            // One that this browser had before.
            if let Ok(Some(before)) = session::find(&request).await {
                ops.logins.log_out(before.token).await;
            }
            let mut response = see_other(&back);
            session::set(&request, &mut response, &token);
            response
        }
        Err(refused) => {
            let (status, text, retry) = message(refused);
            let mut response = render(status, &back, name, text);
            if let Some(seconds) = retry {
                response.headers_mut().insert(RETRY_AFTER, seconds);
            }
            response
        }
    }
}

/// The page with the button. A GET ends no session: any page can make a browser send one.
pub(super) async fn logout_page(request: HttpRequest, session: Session) -> HttpResponse {
    page::render(&request, &session.0, "logout.html", context! { title => "Log out" })
}

/// Ends the session.
pub(super) async fn logout(request: HttpRequest, form: Form, ops: Data<Ops>) -> HttpResponse {
    if !ops.logins.log_out(form.signed.token).await {
        return Page::problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "Not logged out",
            "The session could not be ended just now. Try again.",
        )
        .respond(&request, &form.signed);
    }
    log::info!(
        operator:% = form.signed.operator, address:% = state::address(&request);
        "operator logout"
    );
    let mut response = see_other(&Back::read("/login"));
    session::clear(&request, &mut response);
    response
}
