//! Visitors of a members area, over HTTP: `/auth` and `/login`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{App, Request, Response, temp_dir};

/// Bob, member 71 of site 1.
pub const BOB: &str = "action=ADD&siteid=1&memberid=71&username=bob&password=secret";

/// Starts an app with these flags. It trusts the proxy at 127.0.0.1, so that a test can choose the
/// address of a visitor.
pub fn app(flags: &[&str]) -> App {
    App::start_in(temp_dir(), &[&["--trusted-proxy", "127.0.0.1"], flags].concat())
}

/// A request of a visitor to `/auth`: the address and the credentials.
#[derive(Clone, Copy, Default)]
pub struct Visit<'a> {
    /// Username and password of `Authorization: Basic`.
    pub basic: Option<(&'a str, &'a str)>,
    /// The `Cookie` header.
    pub cookie: Option<&'a str>,
    /// The address of the visitor as the proxy reports it.
    pub from: Option<&'a str>,
}

impl<'a> Visit<'a> {
    pub fn with(name: &'a str, password: &'a str) -> Self {
        Self { basic: Some((name, password)), ..Self::default() }
    }

    pub fn holding(cookie: &'a str) -> Self {
        Self { cookie: Some(cookie), ..Self::default() }
    }

    pub fn from(self, address: &'a str) -> Self {
        Self { from: Some(address), ..self }
    }

    pub fn headers(&self) -> String {
        let mut headers = String::new();
        if let Some((name, password)) = self.basic {
            headers += &format!(
                "Authorization: Basic {}\r\n",
                STANDARD.encode(format!("{name}:{password}"))
            );
        }
        if let Some(cookie) = self.cookie {
            headers += &format!("Cookie: {cookie}\r\n");
        }
        headers + &format!("X-Forwarded-For: {}\r\n", self.from.unwrap_or("203.0.113.9"))
    }
}

/// `GET /auth?…`.
pub fn auth(app: &App, query: &str, visit: Visit<'_>) -> Response {
    raw(app, &format!("GET /auth?{query}"), &visit.headers(), "")
}

/// The answer of `/auth?site=1`: the status, with the member or with the reason.
pub fn admitted(app: &App, visit: Visit<'_>) -> (u16, String) {
    told(&auth(app, "site=1", visit))
}

pub fn told(response: &Response) -> (u16, String) {
    let header = |name| response.header(name).unwrap_or("-");
    let member = || {
        ["x-member-site", "x-member-id", "x-member-name", "x-member-trial"].map(header).join(" ")
    };
    (
        response.status,
        if response.status == 200 { member() } else { header("x-auth-reason").to_owned() },
    )
}

pub fn raw(app: &App, line: &str, headers: &str, body: &str) -> Response {
    let (method, path) = line.split_once(' ').unwrap();
    app.send(Request::new(method, path).host("members.example.com").lines(headers).body(body))
}

/// Sends the login form as a browser does from a page of the same origin.
pub fn log_in(app: &App, name: &str, password: &str) -> Response {
    let body = serde_urlencoded::to_string([
        ("username", name),
        ("password", password),
        ("back", "/films?id=1"),
    ])
    .unwrap();
    raw(
        app,
        "POST /login?site=1",
        "Content-Type: application/x-www-form-urlencoded\r\nSec-Fetch-Site: same-origin\r\n",
        &body,
    )
}

/// The cookie that a response sets, in the form in which a browser sends it back.
pub fn cookie(response: &Response) -> String {
    response.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

/// A form that a browser with these cookies sends to a host.
pub fn form(host: &str, path: &str, cookies: &str, body: &str) -> Request {
    Request::post(path).host(host).from("203.0.113.9").cookie(cookies).same_origin().form(body)
}
