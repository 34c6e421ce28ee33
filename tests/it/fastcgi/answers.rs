//! What a question is answered.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::client::{
    AUTHORIZER, PARAMS, RESPONDER, STDIN, ask, begin, connect, read_answer, record, request,
};
use crate::area::{BOB, app, cookie, log_in};
use crate::support::{App, Request, Response};

const FASTCGI: [&str; 2] = ["--fastcgi-listen", "127.0.0.1:0"];

/// Members: bob in full, tim on trial, and carol on site 5.
fn members(flags: &[&str]) -> App {
    let app = app(&[&FASTCGI, flags].concat());
    app.post(BOB);
    app.post("action=ADD&siteid=1&memberid=72&username=t%C3%AFm&password=secret&trial=1");
    app.post("action=ADD&siteid=5&memberid=73&username=carol&password=secret");
    app
}

/// A visitor, as HTTP and FastCGI name what is known of them.
#[derive(Clone, Debug, Default)]
struct Visitor {
    authorization: Option<String>,
    cookie: Option<String>,
    address: &'static str,
}

impl Visitor {
    fn by_http(&self, app: &App, query: &str) -> Response {
        let mut request = Request::get(&format!("/auth?{query}"))
            .host("www.example.com")
            .from(self.address)
            .header("X-Original-URI", "/members/a?b=c");
        if let Some(value) = &self.authorization {
            request = request.header("Authorization", value);
        }
        if let Some(value) = &self.cookie {
            request = request.cookie(value);
        }
        app.send(request)
    }

    fn params<'a>(&'a self, query: &'a str) -> Vec<(&'a str, &'a str)> {
        let mut params = vec![
            ("FCGI_ROLE", "AUTHORIZER"),
            ("USERMAN_QUESTION", query),
            ("REMOTE_ADDR", self.address),
            ("REQUEST_URI", "/members/a?b=c"),
            ("HTTP_HOST", "www.example.com"),
        ];
        params.extend(self.authorization.as_deref().map(|value| ("HTTP_AUTHORIZATION", value)));
        params.extend(self.cookie.as_deref().map(|value| ("HTTP_COOKIE", value)));
        params
    }

    fn by_fastcgi(&self, app: &App, query: &str) -> Response {
        ask(app.fastcgi.unwrap(), &self.params(query))
    }
}

fn basic(name: &str, password: &str) -> Option<String> {
    Some(format!("Basic {}", STANDARD.encode(format!("{name}:{password}"))))
}

/// Status, the member, the reason, the challenge, and the page if there is one. The names of the
/// member's headers begin with `prefix`.
fn said(response: &Response, prefix: &str) -> (u16, Vec<String>, Option<String>) {
    let header = |name: &str| response.header(name).unwrap_or("-").to_owned();
    let member = ["id", "name", "site", "trial"].map(|name| header(&format!("{prefix}{name}")));
    let why = ["x-auth-reason", "www-authenticate"].map(header);
    // Sentences are for web servers without pages of their own.
    let page = response.body.starts_with("<!").then(|| response.body.clone());
    let policy = page.as_ref().map(|_| header("content-security-policy"));
    let told = member.into_iter().chain(why).chain(policy).collect();
    (response.status, told, page)
}

#[test]
fn each_question_is_answered_as_auth_answers_it() {
    let app = members(&[]);
    let cookies = cookie(&log_in(&app, "bob", "secret"));
    let trial = cookie(&log_in(&app, "tïm", "secret"));
    let visitors = [
        Visitor::default(),
        Visitor { authorization: basic("bob", "secret"), ..Visitor::default() },
        Visitor { authorization: basic("bob", "wrong"), ..Visitor::default() },
        Visitor { authorization: basic("tïm", "secret"), ..Visitor::default() },
        Visitor { authorization: basic("carol", "secret"), ..Visitor::default() },
        Visitor { authorization: Some("Basic ???".into()), ..Visitor::default() },
        Visitor { authorization: Some("Bearer x".into()), ..Visitor::default() },
        Visitor { cookie: Some(cookies.clone()), ..Visitor::default() },
        Visitor { cookie: Some(trial.clone()), ..Visitor::default() },
        Visitor { cookie: Some(format!("a=b; {cookies}; c=d")), ..Visitor::default() },
        Visitor { cookie: Some("__Host-userman=forged".into()), ..Visitor::default() },
        Visitor {
            cookie: Some(trial),
            authorization: basic("bob", "secret"),
            ..Visitor::default()
        },
    ];
    let questions = [
        "site=1",
        "site=1&ask=page",
        "site=1&trial=no",
        "site=1&trial=no&ask=page",
        "site=5,1",
        "site=9",
    ];
    let mut statuses = Vec::new();
    for visitor in visitors {
        let visitor = Visitor { address: "203.0.113.9", ..visitor };
        for question in questions {
            let http = said(&visitor.by_http(&app, question), "x-member-");
            let fastcgi = said(&visitor.by_fastcgi(&app, question), "variable-member_");
            assert_eq!(fastcgi, http, "{question} {visitor:?}");
            statuses.push(http.0);
        }
    }
    statuses.sort_unstable();
    statuses.dedup();
    assert_eq!(statuses, [200, 401, 403]);
}

#[test]
fn a_member_is_told_by_variables_and_by_nothing_else() {
    let app = members(&[]);
    let visitor =
        Visitor { authorization: basic("tïm", "secret"), address: "203.0.113.9", cookie: None };
    let answer = visitor.by_fastcgi(&app, "site=1&ask=page");
    let variable = |name: &str, value: &str| (format!("variable-{name}"), value.to_owned());
    assert_eq!(
        (answer.status, answer.headers, answer.body.as_str()),
        (
            200,
            vec![
                variable("member_id", "72"),
                variable("member_name", "t%C3%AFm"),
                variable("member_site", "1"),
                variable("member_trial", "1"),
            ],
            ""
        )
    );
    // Name and password as Apache hands them over with `RequireBasicAuth On`.
    let asked = |name: &str, password: &str| {
        let more = [("REMOTE_USER", name), ("REMOTE_PASSWD", password)];
        let visitor = Visitor { address: "203.0.113.9", ..Visitor::default() };
        let params = [&visitor.params("site=1")[..], &more].concat();
        ask(app.fastcgi.unwrap(), &params).status
    };
    assert_eq!(
        (asked("tïm", "secret"), asked("tïm", "wrong"), asked("", "secret")),
        (200, 401, 401)
    );
}

#[test]
fn a_mistake_in_the_configuration_lets_nobody_in() {
    let app = members(&[]);
    let address = app.fastcgi.unwrap();
    let password = basic("bob", "secret").unwrap();
    let own = ("REMOTE_ADDR", "203.0.113.9");
    let question = ("USERMAN_QUESTION", "site=1");
    type Params<'a> = &'a [(&'a str, &'a str)];
    let table: &[(Params<'_>, u16, &str)] = &[
        (&[question, own], 200, "as it should be"),
        (&[own], 400, "no question"),
        (&[question, question, own], 400, "the same question twice"),
        (&[question, ("USERMAN_QUESTION", "site=5"), own], 400, "two questions"),
        (&[question, ("USERMAN_QUESTION", ""), own], 400, "an empty one beside it"),
        (&[("USERMAN_QUESTION", ""), own], 400, "an empty one"),
        (&[("userman_question", "site=1"), own], 400, "in small letters"),
        (&[("HTTP_USERMAN_QUESTION", "site=1"), own], 400, "from a header of the visitor"),
        (&[("QUERY_STRING", "site=1"), own], 400, "from the visitor's address"),
        (&[("USERMAN_QUESTION", "site=1&trail=no"), own], 400, "misspelt"),
        (&[("USERMAN_QUESTION", "site=1&site=5"), own], 400, "two sites"),
        (&[question], 400, "no address"),
        (&[question, own, own], 400, "two addresses"),
        (&[question, ("REMOTE_ADDR", "unix:")], 400, "no address of a network"),
    ];
    for (params, status, what) in table {
        let params = [&[("HTTP_AUTHORIZATION", password.as_str())], *params].concat();
        let answer = ask(address, &params);
        assert_eq!((answer.status, answer.body.as_str()), (*status, ""), "{what}");
        assert!(
            *status == 200 || !answer.headers.iter().any(|(name, _)| name.starts_with("variable"))
        );
    }
}

#[test]
fn guesses_count_for_the_address_of_the_visitor() {
    let app = members(&[]);
    let status = |address: &'static str, forwarded: &str, password: &str| {
        let visitor = Visitor { authorization: basic("bob", password), address, cookie: None };
        let mut params = visitor.params("site=1");
        params.push(("HTTP_X_FORWARDED_FOR", forwarded));
        ask(app.fastcgi.unwrap(), &params).status
    };
    for number in 0..10 {
        // A header that the visitor writes changes nothing.
        let forwarded = format!("198.51.100.{number}");
        assert_eq!(status("203.0.113.9", &forwarded, &format!("guess {number}")), 401);
    }
    assert_eq!(status("203.0.113.9", "", "secret"), 403, "blocked");
    assert_eq!(status("203.0.113.10", "", "secret"), 200, "another network");
    // A proxy that is listed may name the visitor to the web server.
    assert_eq!(status("127.0.0.1", "203.0.113.9", "secret"), 403);
    assert_eq!(status("::ffff:203.0.113.9", "", "secret"), 403, "the same address, mapped");
}

/// A login page of the operator's that is so long, with its form for /members/.
fn template(dir: &std::path::Path, bytes: usize) -> String {
    let file = dir.join(format!("page-{bytes}.html"));
    std::fs::write(&file, format!("<!doctype html>{{{{form}}}}{}", "x".repeat(bytes))).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_page_of_over_8_kib_becomes_a_short_one_that_leads_to_the_login_page() {
    let dir = tempfile::tempdir().unwrap();
    let visitor = Visitor { address: "203.0.113.9", ..Visitor::default() };
    let page = |bytes: usize| {
        let app = members(&["--login-template", &template(dir.path(), bytes)]);
        let by_http = visitor.by_http(&app, "site=1&ask=page");
        let answer = visitor.by_fastcgi(&app, "site=1&ask=page");
        assert_eq!((answer.status, answer.header("x-auth-reason")), (401, Some("login")));
        (by_http.body, answer.body)
    };
    let around = page(0).0.len();
    let (whole, passed) = page(8190 - around);
    assert_eq!((whole.len(), passed == whole), (8190, true));
    let (whole, passed) = page(8191 - around);
    assert_eq!(whole.len(), 8191);
    let to = "/login?site=1&amp;back=%2Fmembers%2Fa%3Fb%3Dc";
    assert!(passed.contains(&format!("<a href=\"{to}\">Log in</a>")), "{passed}");
    assert!(passed.contains(&format!("content=\"0; url={to}\"")), "{passed}");
}

#[test]
fn several_questions_come_on_one_connection_where_the_web_server_keeps_it() {
    let app = members(&[]);
    let visitor =
        Visitor { authorization: basic("bob", "secret"), address: "203.0.113.9", cookie: None };
    // nginx is a responder alone, and sends an empty input. An authorizer gets none.
    for (role, input) in [(AUTHORIZER, Vec::new()), (RESPONDER, record(STDIN, b""))] {
        let mut stream = connect(app.fastcgi.unwrap());
        for (question, status) in [("site=1", 200), ("site=5", 401), ("site=1", 200)] {
            stream.write_all(&request(role, 1, &visitor.params(question))).unwrap();
            stream.write_all(&input).unwrap();
            assert_eq!(read_answer(&mut stream).unwrap().status, status);
        }
        stream.write_all(&request(role, 0, &visitor.params("site=1"))).unwrap();
        stream.write_all(&input).unwrap();
        assert_eq!(read_answer(&mut stream).unwrap().status, 200);
        assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0, "the last one has no flag");
    }
}

#[test]
fn a_question_is_answered_when_its_params_end_in_however_many_pieces_it_came() {
    let app = members(&[]);
    let visitor =
        Visitor { authorization: basic("bob", "secret"), address: "203.0.113.9", cookie: None };
    let whole = request(AUTHORIZER, 0, &visitor.params("site=1"));
    let mut stream = connect(app.fastcgi.unwrap());
    stream.set_nodelay(true).unwrap();
    for byte in whole.chunks(1) {
        stream.write_all(byte).unwrap();
    }
    assert_eq!(read_answer(&mut stream).unwrap().status, 200);
    // Each parameter in a record of its own, and one cut in two.
    let params = &whole[16..whole.len() - 8];
    let mut stream = connect(app.fastcgi.unwrap());
    let mut bytes = begin(AUTHORIZER, 0);
    params[8..].chunks(40).for_each(|piece| bytes.extend(record(PARAMS, piece)));
    bytes.extend(record(PARAMS, b""));
    stream.write_all(&bytes).unwrap();
    assert_eq!(read_answer(&mut stream).unwrap().status, 200);
}
