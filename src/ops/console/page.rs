//! Makes the pages of the console of their templates.

use std::sync::LazyLock;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use minijinja::{Environment, UndefinedBehavior, Value, context};

use crate::chain::chain;
use crate::http::respond::plain;
use crate::ops::signed::Signed;

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const CSS: HeaderValue = HeaderValue::from_static("text/css; charset=utf-8");
const STYLE: &str = include_str!("style.css");

const TEMPLATES: [(&str, &str); 4] = [
    ("layout.html", include_str!("templates/layout.html")),
    ("login.html", include_str!("templates/login.html")),
    ("logout.html", include_str!("templates/logout.html")),
    ("message.html", include_str!("templates/message.html")),
];

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    for (name, text) in TEMPLATES {
        if let Err(error) = environment.add_template(name, text) {
            log::error!("a template of the console is wrong: {}", chain(&error));
        }
    }
    environment
});

/// A page for an operator who is logged in. The template has the values of `context`, and beside
/// them `operator`, `role`, `csrf` and `path`.
pub fn render(
    request: &HttpRequest,
    signed: &Signed,
    template: &str,
    context: Value,
) -> HttpResponse {
    let context = context! {
        operator => signed.operator.as_str(),
        role => signed.role.as_str(),
        csrf => signed.csrf.as_str(),
        path => request.path(),
        ..context
    };
    html(StatusCode::OK, template, context)
}

/// A page for somebody who is not logged in.
pub fn render_unsigned(status: StatusCode, template: &str, context: Value) -> HttpResponse {
    html(status, template, context)
}

fn html(status: StatusCode, template: &str, context: Value) -> HttpResponse {
    match ENVIRONMENT.get_template(template).and_then(|template| template.render(context)) {
        Ok(page) => {
            let mut response = HttpResponse::build(status).body(page);
            response.headers_mut().insert(CONTENT_TYPE, HTML);
            response
        }
        Err(error) => {
            log::error!("a page of the console cannot be made: {}", chain(&error));
            plain(StatusCode::INTERNAL_SERVER_ERROR, "The page cannot be made; the log says why.")
        }
    }
}

/// The handler of `/style.css`.
pub async fn style() -> HttpResponse {
    let mut response = HttpResponse::Ok().body(STYLE);
    response.headers_mut().insert(CONTENT_TYPE, CSS);
    response
}
