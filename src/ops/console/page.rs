//! The layout of the console, and how a page is made.
//!
//! # Conventions for pages
//!
//! A handler makes a `context!` and calls [`Page::respond`]:
//!
//! ```text
//! Page::new("members.html", "Members").with(context! { rows }).respond(&request, &signed)
//! ```
//!
//! A template begins with `{% extends "layout.html" %}` and fills the block `content`; the layout
//! has the menu, the heading `<h1>`, the messages and the name of the time zone. `head` is for a
//! script of the page's own ([`Page::with_script`]). The engine has no filters and no macros. A
//! value that is printed must be in the context; `{% if %}` also takes one that is not. All texts
//! are escaped; show a value of a stranger by [`crate::unicode::Visible`]. Times come from
//! [`Times`] as values.
//!
//! * **Tables**: `<div class="scroll" tabindex="0" role="region" aria-label="…"><table>` with
//!   `<caption>`, `<th scope="col">` and `<th scope="row">`. `td.number` is aligned right, and
//!   `td.wide` has long text. Without rows: one cell with `class="empty"` that says so.
//! * **Facts**: `<dl class="facts">` with `<dt>` and `<dd>`. Two columns on a desk:
//!   `class="columns"`.
//! * **States**: `<span class="tag good|warn|bad">word</span>`; the word says it, not the colour.
//! * **Forms**: each `<label for>` before its field, `class="hint"` for help. A form of method POST
//!   has `<input type="hidden" name="csrf" value="{{ csrf }}">`. A form of filters is
//!   `<form method="get" class="filters">` with a `<div>` for each field.
//! * **Buttons**: `<button>`, `class="second"` for a lesser one, `class="danger"` for one that
//!   takes something away. A link may look like one: `class="button second"`.
//! * **Changes**: a link leads to a page of confirmation ([`Confirmation`], `confirm.html`), whose
//!   form posts. The answer is a redirect (303) back to a page with `?done=WORD`; the page shows a
//!   [`Message`] for the words that it knows.
//! * **Lists** are bounded: [`Pages`], as `pages` in the context, and
//!   `{% include "pagination.html" %}`.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use minijinja::{Value, context};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::templates::render_template;
use super::times::Times;
use crate::http::respond::plain;
use crate::ops::signed::Signed;
use crate::ops::state;

/// Pages of the menu: the address, the name, and whether only the role `admin` may open it.
const MENU: [(&str, &str, bool); 7] = [
    ("/", "Today", false),
    ("/members", "Members", false),
    ("/postbacks", "Postbacks", false),
    ("/lab", "Lab", false),
    ("/blocks", "Blocks", false),
    ("/settings", "Settings", true),
    ("/health", "Health", false),
];
/// What a page with a script of this listener may load.
const POLICY_WITH_SCRIPT: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; \
     frame-ancestors 'none'; base-uri 'none'; script-src 'self'; connect-src 'self'",
);
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const CSS: HeaderValue = HeaderValue::from_static("text/css; charset=utf-8");
const STYLE: &str = include_str!("style.css");

/// A message at the top of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `good`, `note` or `bad`.
    kind: &'static str,
    text: String,
}

impl Message {
    /// Something was done.
    pub fn good(text: impl Into<String>) -> Self {
        Self { kind: "good", text: text.into() }
    }

    /// There was nothing to do.
    pub fn neutral(text: impl Into<String>) -> Self {
        Self { kind: "note", text: text.into() }
    }

    /// Something was not done, or is wrong.
    pub fn bad(text: impl Into<String>) -> Self {
        Self { kind: "bad", text: text.into() }
    }
}

/// The links below a list.
#[derive(Clone, Debug, Default)]
pub struct Pages {
    /// The address of the first page; `None` on the first page.
    pub first: Option<String>,
    /// The address of the next page.
    pub next: Option<String>,
    /// What the link to the next page says; by default "Next page".
    pub next_name: Option<String>,
    /// A sentence about the list.
    pub note: Option<String>,
}

impl Pages {
    /// For a template, as `pages`.
    pub fn value(self) -> Value {
        context! {
            first => self.first,
            next => self.next,
            next_name => self.next_name,
            note => self.note,
        }
    }
}

/// A page that asks before something is changed.
#[derive(Clone, Debug, Default)]
pub struct Confirmation {
    /// The question, as a sentence.
    pub question: String,
    /// What it is about: names and values.
    pub facts: Vec<(String, String)>,
    /// Where the form goes.
    pub action: String,
    /// Hidden fields of the form.
    pub fields: Vec<(String, String)>,
    /// What the button says.
    pub button: String,
    /// Whether it takes something away.
    pub is_dangerous: bool,
    /// Where "Cancel" leads.
    pub back: String,
}

impl Confirmation {
    /// The page with this title.
    pub fn page(self, title: impl Into<String>) -> Page {
        let pairs = |pairs: Vec<(String, String)>| -> Value {
            pairs.into_iter().map(|(name, value)| context! { name, value }).collect()
        };
        Page::new("confirm.html", title).with(context! {
            question => self.question,
            facts => pairs(self.facts),
            action => self.action,
            fields => pairs(self.fields),
            button => self.button,
            is_dangerous => self.is_dangerous,
            back => self.back,
        })
    }
}

/// A page that is to be made.
#[derive(Clone, Debug)]
pub struct Page {
    template: &'static str,
    title: String,
    status: StatusCode,
    messages: Vec<Message>,
    has_script: bool,
    context: Value,
}

impl Page {
    /// A page of this template with this title, which is also its heading.
    pub fn new(template: &'static str, title: impl Into<String>) -> Self {
        Self {
            template,
            title: title.into(),
            status: StatusCode::OK,
            messages: Vec::new(),
            has_script: false,
            context: context! {},
        }
    }

    /// A page with one sentence, for what cannot be shown.
    pub fn problem(status: StatusCode, title: &str, sentence: impl Into<String>) -> Self {
        let message = sentence.into();
        Self::new("message.html", title).status(status).with(context! { message })
    }

    /// The page while the database cannot be read.
    pub fn unreadable() -> Self {
        Self::problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "The database cannot be read",
            "The database cannot be read now, or not in time. The log of the service says why.",
        )
    }

    /// Adds a link to a page of [`Page::problem`].
    pub fn link(self, address: &'static str, name: &'static str) -> Self {
        let link = context! { address, name };
        Self { context: context! { link, ..self.context }, ..self }
    }

    /// The status of the response.
    pub fn status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// Adds a message.
    pub fn message(mut self, message: impl Into<Option<Message>>) -> Self {
        self.messages.extend(message.into());
        self
    }

    /// Allows a script of this listener, for a page that has one.
    pub fn with_script(self) -> Self {
        Self { has_script: true, ..self }
    }

    /// The values of the template.
    pub fn with(self, context: Value) -> Self {
        Self { context, ..self }
    }

    /// The response for this operator.
    pub fn respond(self, request: &HttpRequest, signed: &Signed) -> HttpResponse {
        let path = request.path();
        let is_current = |address: &str| match address {
            "/" => path == "/",
            address => path
                .strip_prefix(address)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        };
        let menu: Value = MENU
            .iter()
            .filter(|(_, _, is_admins)| !is_admins || signed.is_admin())
            .map(|(address, name, _)| {
                context! { address => *address, name => *name, is_current => is_current(address) }
            })
            .collect();
        let operator = context! {
            name => signed.operator.as_str(),
            role => signed.role.as_str(),
            menu,
        };
        self.finish(operator, signed.csrf.expose(), &times(request).zone().to_string())
    }

    /// The response for somebody who is not logged in: without a menu.
    pub fn respond_unsigned(self) -> HttpResponse {
        self.finish(Value::from(()), "", "")
    }

    fn finish(self, operator: Value, csrf: &str, zone: &str) -> HttpResponse {
        let messages: Value = self
            .messages
            .iter()
            .map(|message| context! { kind => message.kind, text => message.text.clone() })
            .collect();
        let title = self.title;
        let whole = context! { title, messages, operator, csrf, zone, ..self.context };
        let Ok(html) = render_template(self.template, &whole) else {
            let text = "The page cannot be made; the log says why.";
            return plain(StatusCode::INTERNAL_SERVER_ERROR, text);
        };
        let mut response = HttpResponse::build(self.status).body(html);
        response.headers_mut().insert(CONTENT_TYPE, HTML);
        if self.has_script {
            response.headers_mut().insert(CONTENT_SECURITY_POLICY, POLICY_WITH_SCRIPT);
        }
        response
    }
}

/// A page for an operator who is logged in. `title` is in the context.
pub fn render(
    request: &HttpRequest,
    signed: &Signed,
    template: &'static str,
    context: Value,
) -> HttpResponse {
    titled(template, context).respond(request, signed)
}

/// A page for somebody who is not logged in. `title` is in the context.
pub fn render_unsigned(status: StatusCode, template: &'static str, context: Value) -> HttpResponse {
    titled(template, context).status(status).respond_unsigned()
}

fn titled(template: &'static str, context: Value) -> Page {
    let title = context.get_attr("title").ok().filter(|title| !title.is_undefined());
    let title = title.map(|title| title.to_string()).unwrap_or_default();
    Page::new(template, title).with(context)
}

/// An address of this listener with these names and values. Those without a value are left out.
pub fn address(path: &str, pairs: &[(&str, &str)]) -> String {
    let pairs = pairs.iter().filter(|(_, value)| !value.is_empty());
    let pairs: Vec<String> = pairs
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
        .collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

/// Writes times in the time zone of the settings.
pub fn times(request: &HttpRequest) -> Times {
    let (_, thread) = state::of(request);
    Times::new(thread.shared().live.load().rules.expiry.zone.clone())
}

/// The handler of `/style.css`.
pub async fn style() -> HttpResponse {
    let mut response = HttpResponse::Ok().body(STYLE);
    response.headers_mut().insert(CONTENT_TYPE, CSS);
    response
}
