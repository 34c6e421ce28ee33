//! The login page in real Chromium, in front of pages that a real nginx protects with
//! `auth_request`. Chromium trusts `http://localhost`, so `Secure` and `__Host-` cookies work as
//! they do over TLS.
//!
//! Chromium needs more processor time for these stories than any other suite, so that `cargo test`
//! leaves them out. Run them by `cargo test --test browser`.

#![allow(clippy::unwrap_used, missing_docs)]

mod accessible;
mod console;
mod driver;
mod members;
mod page;
#[allow(dead_code, unused_imports, reason = "shared with the other tests, which use all of it")]
#[path = "../it/support/mod.rs"]
mod support;
#[allow(dead_code, unused_imports, reason = "shared with the other tests, which use all of it")]
#[path = "../servers/web/mod.rs"]
mod web;

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{App, eventually, free_port, real_program, temp_dir};
use crate::web::WebServer;
use driver::Browser;

/// Bob, member 71 of site 1.
const BOB: &str = "action=ADD&siteid=1&memberid=71&username=bob&password=secret";
const WRONG: &str = "Wrong username or password.";
const BY_HTTP: &str =
    "This page was opened with http, and browsers keep no login there. Open the site with https.";
const NOT_KEPT: &str =
    "This browser did not keep the login. Open the site with https, and allow cookies for it.";
const FOREIGN: &str = "The form was not sent from this page. Please log in here.";
/// Widths in CSS pixels: of the page with all overflow, and of the phone.
const WIDTHS: &str = "return [document.documentElement.scrollWidth, window.innerWidth]";
const STATUS: &str = "return performance.getEntriesByType('navigation')[0].responseStatus";
/// Whether the browser has cached this page on its disk or in memory.
const KEPT: &str = "return fetch(location, \
    { cache: 'only-if-cached', mode: 'same-origin' }).then(r => r.ok, () => false)";

/// The site: two pages for members and a public front page, and on another port a page of a foreign
/// site that sends forms to this one.
struct Site {
    nginx: WebServer,
    strangers_port: u16,
    app: App,
    _dir: TempDir,
}

impl Site {
    fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// Starts it with further flags of the service.
    fn start_with(flags: &[&str]) -> Option<Self> {
        let nginx = real_program("nginx").or_else(|| real_program("/usr/sbin/nginx"))?;
        let app = App::start_in(temp_dir(), &[&["--trusted-proxy", "127.0.0.1"], flags].concat());
        app.post(BOB);
        let dir = temp_dir();
        let pages = dir.path().join("pages");
        std::fs::create_dir(&pages).unwrap();
        for (name, title) in
            [("index.html", "Front"), ("films.html", "Films"), ("more.html", "More films")]
        {
            std::fs::write(pages.join(name), page(title)).unwrap();
        }
        let (port, strangers_port) = (free_port(), free_port());
        let service = app.address.to_string();
        let stranger = strangers_page(port);
        std::fs::write(
            dir.path().join("nginx.conf"),
            settings(dir.path(), port, strangers_port, &service, &stranger),
        )
        .unwrap();
        let mut command = Command::new(nginx);
        command.arg("-p").arg(dir.path()).arg("-c").arg(dir.path().join("nginx.conf"));
        let nginx = WebServer::start(command, port, dir.path().join("nginx.log"));
        Some(Self { nginx, strangers_port, app, _dir: dir })
    }

    fn url(&self, path: &str) -> String {
        self.url_at("localhost", path)
    }

    fn url_at(&self, host: &str, path: &str) -> String {
        format!("http://{host}:{}{path}", self.nginx.port)
    }
}

/// A page with a logout form. Its heading says whether scripts run.
fn page(title: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><title>{title}</title><h1>{title}</h1>\
         <form method=\"post\" action=\"/logout\"><button>Log out</button></form>\
         <script>document.querySelector('h1').append(' with scripts')</script>"
    )
}

/// A foreign page that sends forms in the visitor's name: a login under the attacker's name, and a
/// logout.
fn strangers_page(port: u16) -> String {
    let to = |path| format!("<form method=post action=http://localhost:{port}{path}>");
    format!(
        "<title>Stranger</title>{}<input type=hidden name=username value=bob><input type=hidden \
         name=password value=secret><button>Win</button></form>{}<button>Lose</button></form>",
        to("/login?site=1"),
        to("/logout")
    )
}

/// nginx runs as one process, so that the test can end it completely.
fn settings(dir: &Path, port: u16, strangers_port: u16, service: &str, stranger: &str) -> String {
    let dir = dir.display();
    format!(
        r#"daemon off; master_process off; pid {dir}/pid; error_log stderr;
events {{}}
http {{
    access_log off; default_type text/html;
    client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {dir}/pages;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $remote_addr;
        location = / {{ try_files /index.html =404; }}
        location / {{
            auth_request /auth;
            error_page 401 = @form;
            add_header Cache-Control no-store always;
        }}
        location = /auth {{
            internal;
            proxy_pass http://{service}/auth?site=1&ask=page;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
        }}
        location @form {{
            proxy_method GET;
            proxy_set_header X-Original-URI $request_uri;
            rewrite ^ /auth?site=1&ask=page? break;
            proxy_pass http://{service};
        }}
        location = /login {{ proxy_pass http://{service}; }}
        location = /logout {{ proxy_pass http://{service}; }}
    }}
    server {{ listen 127.0.0.1:{strangers_port}; return 200 "{stranger}"; }}
}}
"#
    )
}

fn log_in(browser: &Browser, password: &str) {
    browser.type_into("Username", "bob");
    browser.type_into("Password", password);
    browser.press("Log in");
}

/// After a wrong password, the name is still there.
fn log_in_again(browser: &Browser, password: &str) {
    browser.type_into("Password", password);
    browser.press("Log in");
}

/// A member logs in, reads and logs out, with scripts or without.
fn evening(site: &Site, browser: &Browser) {
    browser.go(&site.url("/films.html?id=1"));
    browser.comes_to("/films.html?id=1", "Log in");
    log_in(browser, "guess");
    browser.comes_to("/login?site=1", "Log in");
    assert_eq!(browser.text(&browser.the("[role=alert]")), WRONG);
    assert_eq!(browser.cookies(), [Value::Null; 0]);
    log_in_again(browser, "secret");
    browser.comes_to("/films.html?id=1", "Films");
    let cookies = browser.cookies();
    let about = |name: &str| cookies.iter().map(|cookie| cookie[name].clone()).collect::<Vec<_>>();
    assert_eq!(about("name"), [json!("__Host-userman")]);
    assert_eq!((about("httpOnly"), about("secure")), (vec![json!(true)], vec![json!(true)]));
    assert_eq!((about("sameSite"), about("path")), (vec![json!("Lax")], vec![json!("/")]));
    browser.go(&site.url("/more.html"));
    browser.comes_to("/more.html", "More films");

    site.app.post("action=DELETE&siteid=1&memberid=71");
    browser.go(&site.url("/films.html"));
    browser.comes_to("/films.html", "Log in");
    log_in(browser, "secret");
    browser.comes_to("/login?site=1", "Log in");
    site.app.post("action=ACTIVATE&siteid=1&memberid=71&username=bob");
    log_in_again(browser, "secret");
    browser.comes_to("/films.html", "Films");

    browser.press("Log out");
    browser.comes_to("/", "Front");
    assert_eq!(browser.cookies(), [Value::Null; 0]);
    browser.back();
    browser.comes_to("/films.html", "Log in");
}

#[test]
fn a_members_evening_in_chromium_with_javascript() {
    let (Some(site), Some(browser)) = (Site::start(), Browser::open(true)) else { return };
    browser.go(&site.url("/"));
    assert_eq!(browser.text(&browser.the("h1")), "Front with scripts");
    evening(&site, &browser);
    log_in(&browser, "secret");
    browser.comes_to("/films.html", "Films");
    assert_eq!(browser.script("return document.cookie"), json!(""), "no script reads the cookie");
    assert_eq!(browser.script(KEPT), json!(false), "nothing of it is kept");
}

#[test]
fn a_members_evening_in_chromium_without_javascript() {
    let (Some(site), Some(browser)) = (Site::start(), Browser::open(false)) else { return };
    browser.go(&site.url("/"));
    assert_eq!(browser.text(&browser.the("h1")), "Front");
    evening(&site, &browser);
}

/// Regression: the right password led back to the empty form, without a message.
#[test]
fn a_browser_that_does_not_keep_the_login_is_told_so_and_by_http_it_is_told_why() {
    let Some(site) = Site::start() else { return };
    let (Some(any), Some(without_cookies)) = (Browser::open(true), Browser::open_without_cookies())
    else {
        return;
    };
    let said = |browser: &Browser| {
        let messages = browser.all("[role=alert]");
        messages.first().map(|message| browser.text(message))
    };
    // The two browsers use two pages, because the service cannot distinguish these visitors.
    for (browser, host, page, text) in [
        (&any, "www.example.com", "/films.html?id=1", BY_HTTP),
        (&without_cookies, "localhost", "/more.html?id=1", NOT_KEPT),
    ] {
        let url = site.url_at(host, page);
        browser.go(&url);
        assert_eq!(said(browser), None, "{url}: the first look");
        log_in(browser, "secret");
        let what = format!("the page says: {text}");
        eventually(&what, || said(browser).as_deref() == Some(text));
        browser.comes_to(page, "Log in");
        // The next right password gives the message again.
        log_in(browser, "guess");
        browser.comes_to("/login?site=1", "Log in");
        assert_eq!(said(browser).as_deref(), Some(WRONG), "{url}");
        log_in_again(browser, "secret");
        browser.comes_to(page, "Log in");
        assert_eq!((said(browser).as_deref(), browser.cookies()), (Some(text), vec![]), "{url}");
    }
}

/// The name of a cookie with a domain begins with `__Secure-`, for which browsers have rules.
#[test]
fn hosts_of_one_domain_share_a_login() {
    let Some(site) = Site::start_with(&["--cookie-domain", "example.net,app.localhost"]) else {
        return;
    };
    let Some(browser) = Browser::open(true) else { return };
    browser.go(&site.url_at("www.app.localhost", "/films.html"));
    log_in(&browser, "secret");
    browser.comes_to("/films.html", "Films");
    browser.go(&site.url_at("more.app.localhost", "/more.html"));
    browser.comes_to("/more.html", "More films");
    let cookies = browser.cookies();
    let about = |name: &str| cookies.iter().map(|cookie| cookie[name].clone()).collect::<Vec<_>>();
    assert_eq!(
        (about("name"), about("domain")),
        (vec![json!("__Secure-userman")], vec![json!(".app.localhost")])
    );
    browser.go(&site.url("/films.html"));
    browser.comes_to("/films.html", "Log in");
    browser.go(&site.url_at("more.app.localhost", "/more.html"));
    browser.press("Log out");
    browser.comes_to("/", "Front");
    browser.go(&site.url_at("www.app.localhost", "/films.html"));
    browser.comes_to("/films.html", "Log in");
    assert_eq!(browser.cookies(), [Value::Null; 0]);
}

/// Browsers treat such a host as a different one, and would not keep a cookie of the domain for it.
#[test]
fn a_host_with_a_dot_at_its_end_keeps_a_login_of_its_own() {
    let Some(site) = Site::start_with(&["--cookie-domain", "app.localhost"]) else { return };
    let Some(browser) = Browser::open(true) else { return };
    browser.go(&site.url_at("www.app.localhost.", "/films.html"));
    log_in(&browser, "secret");
    browser.comes_to("/films.html", "Films");
    assert_eq!(browser.cookies()[0]["name"], "__Host-userman");
}

#[test]
fn the_login_page_fits_a_phone_and_a_screen_reader_can_read_it() {
    let (Some(site), Some(browser)) = (Site::start(), Browser::open(true)) else { return };
    for said in [false, true] {
        if said {
            log_in(&browser, "guess");
            browser.comes_to("/login?site=1", "Log in");
        } else {
            browser.go(&site.url("/films.html"));
        }
        assert_eq!(browser.attribute(&browser.the("html"), "lang"), "en");
        assert_eq!(browser.text(&browser.the("h1")), "Members");
        let parts = browser.all("input:not([type=hidden]), button");
        let read: Vec<_> =
            parts.iter().map(|part| (browser.label(part), browser.role(part))).collect();
        let expected = [("Username", "textbox"), ("Password", "textbox"), ("Log in", "button")];
        assert_eq!(read, expected.map(|(label, role)| (label.to_owned(), role.to_owned())));
        let focused = browser.focused();
        assert_eq!(browser.label(&focused), if said { "Password" } else { "Username" });
        let described = if said { "userman-message" } else { "" };
        assert_eq!(
            browser.attribute(&focused, "aria-describedby"),
            described,
            "read with the field that has the focus"
        );
        let messages: Vec<_> =
            browser.all("#userman-message").iter().map(|message| browser.role(message)).collect();
        assert_eq!(messages, if said { vec!["alert"] } else { vec![] });
        assert_eq!(browser.script(WIDTHS), json!([360, 360]));
    }
}

#[test]
fn a_form_on_a_strangers_page_logs_nobody_in_and_nobody_out() {
    let (Some(site), Some(browser)) = (Site::start(), Browser::open(true)) else { return };
    let strangers = [
        // Another port is another origin, but the same site as far as cookies are concerned.
        format!("http://localhost:{}/", site.strangers_port),
        format!("http://127.0.0.1:{}/", site.strangers_port),
        format!("data:text/html,{}", strangers_page(site.nginx.port).replace('?', "%3F")),
    ];
    for stranger in &strangers {
        browser.go(stranger);
        browser.press("Win");
        browser.comes_to("/login?site=1", "Log in");
        assert_eq!(browser.text(&browser.the("[role=alert]")), FOREIGN, "{stranger}");
        assert_eq!((browser.script(STATUS), browser.cookies()), (json!(403), vec![]), "{stranger}");
    }
    browser.go(&site.url("/films.html"));
    log_in(&browser, "secret");
    browser.comes_to("/films.html", "Films");
    for stranger in &strangers {
        browser.go(stranger);
        browser.press("Lose");
        browser.comes_to("/logout", "");
        assert_eq!(browser.script(STATUS), json!(403), "{stranger}");
        browser.go(&site.url("/films.html"));
        browser.comes_to("/films.html", "Films");
    }
}
