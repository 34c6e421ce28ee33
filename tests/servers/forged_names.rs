//! A visitor claims to be member 666, in every spelling of the headers that name the visitor to an
//! application. The applications map several spellings to one name: PHP, and Python's WSGI.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use crate::support::free_port;
use crate::support::{App, real_program};
use crate::web::{Host, Kind, Visitor, WebServer};

/// Each application answers with the headers that it recognises as those of the members area,
/// sorted. PHP also shows a password that it was given.
const PHP: &str = r#"<?php
ksort($_SERVER);
foreach ($_SERVER as $name => $value) {
    $members = '/^(HTTP_X_)?(MEMBER_(ID|NAME|SITE|TRIAL)|FORWARDED_FOR)$/';
    $password = '/^(PHP_AUTH_|HTTP_AUTHORIZATION$)/';
    if (is_string($value) && preg_match($members, $name)
        || $value !== '' && preg_match($password, $name)) { echo "$name=$value\n"; }
}
"#;
const WSGI: &str = r#"
import re, sys
from wsgiref.simple_server import make_server
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    members = "HTTP_X_(MEMBER_(ID|NAME|SITE|TRIAL)|FORWARDED_FOR)$"
    told = sorted(name for name in environ if re.match(members, name))
    return ["".join(f"{name}={environ[name]}\n" for name in told).encode("latin-1")]
make_server("127.0.0.1", int(sys.argv[1]), application).serve_forever()
"#;

const TRUTH: &str =
    "HTTP_X_MEMBER_ID=72\nHTTP_X_MEMBER_NAME=alice\nHTTP_X_MEMBER_SITE=1\nHTTP_X_MEMBER_TRIAL=1\n";
const ADDRESS: &str = "HTTP_X_FORWARDED_FOR=127.0.0.1\n";
/// PHP's own variables, which no header can set.
const OWN_NAMES: &str = "MEMBER_ID=72\nMEMBER_NAME=alice\nMEMBER_SITE=1\nMEMBER_TRIAL=1\n";

#[derive(Clone, Copy, Debug)]
enum Language {
    Php,
    Python,
}

struct Site {
    server: WebServer,
    visitor: Visitor,
    // After the web server that calls it, because fields are dropped in this order.
    _application: WebServer,
    _pages: Option<WebServer>,
    app: App,
    host: Host,
}

impl Site {
    fn of(kind: Kind, language: Language) -> Option<Self> {
        let mut host = Host::new()?;
        let flags = [
            "--trusted-proxy",
            "127.0.0.1",
            "--password-hash",
            "bcrypt",
            "--fastcgi-listen",
            "127.0.0.1:0",
        ];
        let app = App::start_in(host.take_home(), &flags);
        app.post("action=ADD&siteid=1&memberid=72&username=alice&password=testtest&trial=1");
        app.harden();
        host.service = app.address;
        host.fastcgi = app.fastcgi.unwrap();
        let application = start(&mut host, language)?;
        fs::write(host.path("site/members/who.php"), PHP).unwrap();
        let pages = if kind == Kind::ApacheOnTable {
            None
        } else {
            Some(host.php("upgrade-link.php", &[])?)
        };
        let server = host.serve(kind)?;
        let visitor = Visitor::of(&host, &server);
        Some(Self { server, visitor, _application: application, _pages: pages, app, host })
    }

    /// The response to these headers at a path: its status, and what the application recognised.
    fn told(&self, path: &str, headers: &[String], more: &[&str]) -> (u16, String) {
        let headers = headers.iter().flat_map(|header| ["-H", header.as_str()]);
        let options: Vec<&str> = headers.chain(more.iter().copied()).collect();
        let response = self.visitor.get_with(path, &options);
        (response.status, response.body)
    }
}

fn start(host: &mut Host, language: Language) -> Option<WebServer> {
    let port = free_port();
    host.application = SocketAddr::from(([127, 0, 0, 1], port));
    let command = match language {
        Language::Php => {
            fs::write(host.path("application.php"), PHP).unwrap();
            let mut command = Command::new(real_program("php")?);
            command.arg("-S").arg(host.application.to_string()).arg(host.path("application.php"));
            command
        }
        Language::Python => {
            fs::write(host.path("application.py"), WSGI).unwrap();
            let mut command = Command::new(real_program("python3")?);
            command.arg(host.path("application.py")).arg(port.to_string());
            command
        }
    };
    Some(WebServer::start(command, port, host.path("application.log")))
}

/// All headers with these two separators in their names, in several cases, each with two values.
fn forged(first: &str, second: &str) -> Vec<String> {
    let words = [
        ("Member", "Id"),
        ("Member", "Name"),
        ("Member", "Site"),
        ("Member", "Trial"),
        ("Forwarded", "For"),
    ];
    let names = words.map(|(word, last)| format!("X{first}{word}{second}{last}"));
    let cased = names.iter().flat_map(|name| {
        [name.clone(), name.to_lowercase(), name.to_uppercase(), alternating(name)]
    });
    cased.flat_map(|name| [format!("{name}: 666"), format!("{name}: 6.6.6.6")]).collect()
}

fn alternating(name: &str) -> String {
    let letter = |(index, letter): (usize, char)| {
        if index % 2 == 0 { letter.to_ascii_lowercase() } else { letter.to_ascii_uppercase() }
    };
    name.chars().enumerate().map(letter).collect()
}

/// Whether the visitor is a member, and curl's options for the password and the protocol.
fn tries(kind: Kind) -> Vec<(bool, Vec<&'static str>)> {
    let mut tries = vec![(false, vec![]), (true, vec!["-u", "alice:testtest"])];
    if kind == Kind::Caddy {
        tries.extend([(false, vec!["--http2"]), (true, vec!["--http2", "-u", "alice:testtest"])]);
    }
    tries
}

/// Areas without PHP refuse its pages.
#[test]
fn no_member_gets_the_source_of_a_page_in_php() {
    for kind in [Kind::Nginx, Kind::Caddy] {
        let Some(site) = Site::of(kind, Language::Php) else { continue };
        site.app.post("action=ADD&siteid=1&memberid=73&username=bob&password=testtest");
        site.app.harden();
        let status = |path: &str| site.visitor.status_as("bob", "testtest", path);
        for area in ["shared", "full"] {
            fs::create_dir_all(site.host.path(&format!("site/{area}/in"))).unwrap();
            for page in ["who.php", "in/who.php"] {
                let path = format!("{area}/{page}");
                fs::write(site.host.path(&format!("site/{path}")), PHP).unwrap();
                assert_eq!(status(&format!("/{path}")), 404, "{kind:?} {path}");
            }
        }
        assert_eq!(status("/members/who.php"), 200, "{kind:?}");
    }
}

fn nobody_becomes_another_member(kind: Kind, language: Language) {
    let Some(site) = Site::of(kind, language) else { return };
    let application = "/members/app/x";
    let mut places = vec![(application, format!("{ADDRESS}{TRUTH}"))];
    match kind {
        // It has no PHP.
        Kind::ApacheOnTable => {}
        // It calls PHP by itself, without a header about the visitor's address.
        Kind::Apache => places.push(("/members/who.php", format!("{TRUTH}{OWN_NAMES}"))),
        Kind::Nginx | Kind::NginxByFastcgi | Kind::Caddy => {
            places.push(("/members/who.php", format!("{ADDRESS}{TRUTH}{OWN_NAMES}")));
        }
    }
    let separators = ["-", "_", ".", "!"];
    let pairs = separators.iter().flat_map(|first| separators.map(|second| (*first, second)));
    let tries = tries(kind);
    let cases: Vec<_> =
        tries.iter().flat_map(|one| places.iter().map(move |place| (one, place))).collect();
    for (first, second) in pairs {
        let headers = forged(first, second);
        let headers = headers.iter().flat_map(|header| ["-H", header.as_str()]);
        let requests: Vec<_> = cases
            .iter()
            .map(|((_, more), (path, _))| {
                (*path, headers.clone().chain(more.iter().copied()).collect())
            })
            .collect();
        let responses = site.visitor.get_with_each(&requests);
        assert_eq!(responses.len(), cases.len());
        for (((is_member, more), (path, truth)), response) in cases.iter().zip(responses) {
            let what = format!("{kind:?} {language:?} X{first}Member{second}Id {more:?} {path}");
            let (status, told) = (response.status, response.body);
            if *is_member {
                assert_eq!((status, &told), (200, truth), "{what}: {}", site.server.errors());
            } else {
                assert!(status == 401 && !told.contains("HTTP_X"), "{what}: {status} {told}");
            }
        }
    }
    // Names that are invalid are left out or refused.
    for separator in [" ", "\t", "é", "\u{7f}", "[", "(", ":", "/", "\\", "\"", "@", ","] {
        let (status, told) =
            site.told(application, &forged(separator, separator), &["-u", "alice:testtest"]);
        let is_good =
            matches!(status, 200 | 400) && !told.contains("666") && !told.contains("6.6.6.6");
        assert!(is_good, "{kind:?} {language:?} {separator:?}: {status} {told}");
    }
    // A proxy removes the headers that `Connection` names, including those that name the member to
    // the application.
    let names =
        ["X-Member-Id", "X-Member-Name", "X-Member-Site", "X-Member-Trial", "X-Forwarded-For"];
    let joined = [", ", ",", "\t ,,"]
        .map(|between| vec![format!("Connection: {}", names.join(between).to_lowercase())]);
    let apart =
        ["Upgrade"].iter().chain(&names).map(|name| format!("Connection: {name}")).collect();
    for (headers, (path, truth)) in
        joined.iter().chain([&apart]).flat_map(|it| places.iter().map(move |place| (it, place)))
    {
        let (status, told) = site.told(path, headers, &["-u", "alice:testtest"]);
        assert_eq!((status, &told), (200, truth), "{kind:?} {language:?} {path} {headers:?}");
    }
    // The connection was opened for another host of the server, with other settings, and the `Host`
    // header comes last.
    for separator in ["_", "."] {
        let names = forged(separator, separator).join("\r\n") + "\r\nHost: www.example.com";
        let options = ["-H", "Host:", "-H", &*names, "-u", "alice:testtest"];
        let response =
            site.visitor.request(&format!("https://members.example.com{application}"), &options);
        let told = &response.body;
        assert!(
            !told.contains("666") && !told.contains("6.6.6.6"),
            "{kind:?} {language:?} {separator}: {told}"
        );
    }
    for line in
        ["X-Member-Id : 666", "X-Member-Id\t: 666", " X-Member-Id: 666", "X-Member-Id: 1\r\n 666"]
    {
        let (status, told) = site.told(application, &[line.into()], &["-u", "alice:testtest"]);
        assert!(
            matches!(status, 200 | 400) && !told.contains("666"),
            "{kind:?} {language:?} {line:?}: {status} {told}"
        );
    }
    drop(site.server);
    drop(site.host);
}

#[test]
fn no_spelling_of_a_header_makes_a_visitor_another_member_behind_nginx() {
    nobody_becomes_another_member(Kind::Nginx, Language::Php);
    nobody_becomes_another_member(Kind::Nginx, Language::Python);
}

#[test]
fn no_spelling_of_a_header_makes_a_visitor_another_member_behind_caddy() {
    nobody_becomes_another_member(Kind::Caddy, Language::Php);
    nobody_becomes_another_member(Kind::Caddy, Language::Python);
}

#[test]
fn no_spelling_of_a_header_makes_a_visitor_another_member_behind_apache() {
    nobody_becomes_another_member(Kind::Apache, Language::Php);
    nobody_becomes_another_member(Kind::Apache, Language::Python);
}

#[test]
fn no_spelling_of_a_header_makes_a_visitor_another_member_behind_an_apache_on_the_table() {
    nobody_becomes_another_member(Kind::ApacheOnTable, Language::Php);
    nobody_becomes_another_member(Kind::ApacheOnTable, Language::Python);
}
