//! The life of a member in a members area: the real nginx, Apache and Caddy with the files of
//! `examples/`, and postbacks through the same web server.

use crate::support::visit::{Visit, admitted};
use crate::support::{App, EngineKind, NOON, TOKEN};
use crate::web::{Host, Kind, Visitor, WebServer, application};

/// The cryptpass of `testtest`, `password` and `testPassword`. In its area for all sites, Apache
/// reads this column.
const TESTTEST: &str = "41R19prsa7NLQ";
const PASSWORD: &str = "a4sLkn7C9GP12";
const TEST_PASSWORD: &str = "d3695SDTr1h2k";

/// The host, the service, and the web server in front of it.
struct Site {
    kind: Kind,
    app: Option<App>,
    server: WebServer,
    visitor: Visitor,
    // The last field, so that its files exist until the server has ended.
    host: Host,
}

impl Site {
    fn of(kind: Kind, engine: EngineKind) -> Option<Self> {
        let mut host = Host::new()?;
        let mut flags =
            vec!["--trusted-proxy", "127.0.0.1", "--public-url", "https://members.example.com"];
        flags.extend(["--sharing", "block"]);
        if kind == Kind::ApacheOnTable {
            flags.extend(["--password-hash", "bcrypt", "--keep-cryptpass"]);
        }
        if matches!(kind, Kind::Apache | Kind::NginxByFastcgi) {
            flags.extend(["--fastcgi-listen", "127.0.0.1:0"]);
        }
        let app = App::start_in_on_engine(engine, host.take_home(), &flags)?;
        host.service = app.address;
        host.fastcgi = app.fastcgi.unwrap_or(host.fastcgi);
        host.application = application::start();
        let server = host.serve(kind)?;
        let visitor = Visitor::of(&host, &server);
        Some(Self { kind, app: Some(app), server, visitor, host })
    }

    /// Whether the server asks the service. Otherwise it reads the table.
    fn asks(&self) -> bool {
        self.kind.asks()
    }

    /// Sends a postback through the web server. A server that reads the table accepts a new
    /// password after it is hashed.
    fn post(&self, body: &str) -> String {
        let reply =
            self.visitor.post(&format!("https://members.example.com/postback/{TOKEN}"), body, &[]);
        assert_eq!(reply.status, 200, "{:?}: {}{}", self.kind, reply.body, self.server.errors());
        if !self.asks() {
            self.app.as_ref().unwrap().harden();
        }
        reply.body
    }

    /// Whether the visitor is let in at /members/. Any status other than 200 and 401 fails the
    /// test.
    fn enters(&self, name: &str, password: &str) -> bool {
        let answer = self.visitor.get_as(name, password, "/members/");
        match answer.status {
            200 => {
                assert_eq!(answer.body, "inside members\n");
                assert_eq!(
                    answer.header("cache-control"),
                    Some("private, no-store"),
                    "{:?}",
                    self.kind
                );
            }
            401 => {}
            status => panic!("{:?}: {status}, {}", self.kind, self.server.errors()),
        }
        answer.status == 200
    }

    fn title(&self, name: &str, password: &str, path: &str) -> (u16, String) {
        let answer = self.visitor.get_as(name, password, path);
        let title = answer
            .body
            .split_once("<h1>")
            .and_then(|(_, rest)| rest.split_once("</h1>"))
            .map_or("", |(title, _)| title);
        (answer.status, title.to_owned())
    }
}

/// From the ADD to the EXPIRE. Bob's name has a letter that a header cannot contain unencoded.
fn life(site: &Site) {
    let (kind, bob) = (site.kind, "bøb");
    assert!(!site.enters(bob, "testtest"), "{kind:?}");
    let add = format!(
        "action=ADD&siteid=1&memberid=71&username=b%C3%B8b&password=testtest&cryptpass={TESTTEST}&\
         trial=1"
    );
    assert_eq!(site.post(&add), "OK|member 71 \"b??b\" added to site 1");
    assert!(site.enters(bob, "testtest") && site.enters("BøB", "testtest"), "{kind:?}: in at once");
    assert!(!site.enters(bob, "testtest ") && !site.enters("bob", "testtest"), "{kind:?}");

    assert_eq!(site.title(bob, "testtest", "/full/"), (403, "For full members".into()), "{kind:?}");
    assert_eq!(
        site.post("action=TRIALTOFULL&siteid=1&memberid=71"),
        "OK|member 71 \"b??b\" became a full member of site 1"
    );
    assert_eq!(site.visitor.get_as(bob, "testtest", "/full/").body, "inside full\n", "{kind:?}");
    assert_eq!(site.visitor.get_as(bob, "wrong", "/full/").status, 401, "{kind:?}");

    let change = format!(
        "action=CHANGE&siteid=1&memberid=71&new_password=password&new_cryptpass={PASSWORD}"
    );
    assert_eq!(site.post(&change), "OK|member 71 \"b??b\" changed on site 1");
    assert!(
        site.enters(bob, "password") && !site.enters(bob, "testtest"),
        "{kind:?}: old out, new in"
    );
    assert_eq!(
        site.post("action=CHANGE&siteid=1&memberid=71&new_username=r%C3%B8b"),
        "OK|member 71 \"r??b\" changed on site 1"
    );
    let rob = "røb";
    assert!(site.enters(rob, "password") && !site.enters(bob, "password"), "{kind:?}: renamed");

    assert_eq!(
        site.post("action=DELETE&siteid=1&memberid=71"),
        "OK|member 71 \"r??b\" removed from site 1"
    );
    assert!(!site.enters(rob, "password"), "{kind:?}: out at once");
    assert_eq!(
        site.post("action=ACTIVATE&siteid=1&memberid=71&username=r%C3%B8b"),
        "OK|member 71 \"r??b\" activated on site 1"
    );
    assert!(site.enters(rob, "password"), "{kind:?}: back");
    assert_eq!(
        site.post("action=EXPIRE&siteid=1&memberid=71&expire=2026-06-15"),
        "OK|member 71 \"r??b\" of site 1 expired at 2026-06-15T00:00:00Z"
    );
    assert!(!site.enters(rob, "password"), "{kind:?}: expired today");
}

/// Whatever headers a visitor sends, the application gets the values of the table. (Other spellings
/// of these headers: `forged_names`.)
fn forged_headers(site: &Site) {
    let kind = site.kind;
    assert_eq!(
        site.post(&format!(
            "action=ADD&siteid=1&memberid=72&username=al+%C3%A9&password=testtest&\
            cryptpass={TESTTEST}&trial=1"
        )),
        "OK|member 72 \"al ??\" added to site 1"
    );
    let names = ["X-Member-Id", "x-member-name", "X-MEMBER-SITE", "X-Member-Trial", "x-member-id"];
    let forged: Vec<String> = names
        .iter()
        .flat_map(|name| ["-H".into(), format!("{name}: 1"), "-H".into(), format!("{name}: 0")])
        .collect();
    let mut options: Vec<&str> = forged.iter().map(String::as_str).collect();
    let outside = site.visitor.get_with("/members/app/", &options);
    assert_eq!(outside.status, 401, "{kind:?}");
    options.extend(["-u", "al é:testtest"]);
    let told = "x-member-id: 72\nx-member-name: al%20%c3%a9\nx-member-site: 1\nx-member-trial: 1\n";
    let inside = site.visitor.get_with("/members/app/x?y=1", &options);
    assert_eq!(
        (inside.status, inside.body.replace("%C3%A9", "%c3%a9").as_str()),
        (200, told),
        "{kind:?}"
    );
    // The request to the service has no body, and the application gets the body.
    let posted = site.visitor.post("https://www.example.com/members/app/x", "a=b", &options);
    assert_eq!(
        (posted.status, posted.body.replace("%C3%A9", "%c3%a9").as_str()),
        (200, told),
        "{kind:?}"
    );
}

/// Names are unique within one site only.
fn two_sites(site: &Site) {
    let (kind, status) =
        (site.kind, |password: &str, path: &str| site.visitor.status_as("carol", password, path));
    for (site_id, password, cryptpass) in
        [(1, "testtest", TESTTEST), (5, "testPassword", TEST_PASSWORD)]
    {
        let add = format!(
            "action=ADD&siteid={site_id}&memberid=73&username=carol&password={password}&\
             cryptpass={cryptpass}"
        );
        assert_eq!(site.post(&add), format!("OK|member 73 \"carol\" added to site {site_id}"));
    }
    assert_eq!(
        (status("testtest", "/members/"), status("testPassword", "/members/")),
        (200, 401),
        "{kind:?}"
    );
    // A server that reads the table uses the first row with the name, as its file says.
    let second = if site.asks() { 200 } else { 401 };
    assert_eq!(
        (status("testtest", "/shared/"), status("testPassword", "/shared/")),
        (200, second),
        "{kind:?}"
    );
    assert_eq!(status("password", "/shared/"), 401, "{kind:?}");
    if !site.asks() {
        assert_eq!(
            (status("testtest", "/site5/"), status("testPassword", "/site5/")),
            (401, 200),
            "{kind:?}"
        );
    }
    assert!(site.post("action=DELETE&siteid=1&memberid=73").starts_with("OK|"));
    assert_eq!(
        (status("testtest", "/shared/"), status("testPassword", "/shared/")),
        (401, 200),
        "{kind:?}"
    );
}

/// Strangers are not let in, without a password or by another spelling of the path.
fn strangers(site: &Site) {
    let kind = site.kind;
    let prompt = site.visitor.get("/shared/");
    let realm = if site.asks() {
        "Basic realm=\"members\", charset=\"UTF-8\""
    } else {
        "Basic realm=\"members\""
    };
    assert_eq!((prompt.status, prompt.header("www-authenticate")), (401, Some(realm)), "{kind:?}");
    let detours = [
        "/members",
        "//members/",
        "/members//",
        "/./members/",
        "/reasons/../members/",
        "/%6dembers/",
        "/members%2findex.html",
        "/members/index.html",
        "/members/app/../index.html",
        "/reasons/..%2fmembers/index.html",
        "/MEMBERS/",
        "/members/./index.html",
        "/_auth/site=1",
        "/_auth/../members/index.html",
        "/members/?ask=basic&site=2",
    ];
    for path in detours {
        let answer = site.visitor.get(path);
        assert!(
            !answer.body.contains("inside") && !answer.body.contains("x-member"),
            "{kind:?} {path}: {}",
            answer.body
        );
    }
}

/// The addresses of the service for the web server and for local programs are not public, in any
/// spelling: not `/auth`, not the REST API, not /health. The host of the pages accepts no postback,
/// not even with the right token.
fn the_service_itself(site: &Site) {
    let kind = site.kind;
    let add = "action=ADD&siteid=1&memberid=77&username=gina&password=testtest";
    assert_eq!(site.post(add), "OK|member 77 \"gina\" added to site 1");
    let fronts = [
        "",
        "/",
        "/x/..",
        "/login/..",
        "/login/%2e%2e",
        "/postback/..",
        "/postback/%2e%2e",
        "/postback/..%2f..",
    ];
    let more = [
        "/postback/x/../..",
        "/postback/.%2e",
        "/logout/..;",
        "/postback/..;",
        "/%2e",
        "/.",
        "/members/../",
        "/login%2f..",
    ];
    let inside = [
        "/auth?site=1",
        "/%61uth?site=1",
        "/auth%3fsite=1",
        "/health",
        "/api/member/authstring",
        "/api/authstring/redeem",
    ];
    let answer = |host: &str, path: &str| {
        site.visitor.request(&format!("https://{host}.example.com{path}"), &[])
    };
    for front in fronts.iter().chain(&more) {
        for host in ["www", "members"] {
            for path in inside {
                let found = answer(host, &format!("{front}{path}"));
                let is_ours = ["x-auth-reason", "x-member-id", "server"].iter().any(|name| {
                    found
                        .header(name)
                        .is_some_and(|value| *name != "server" || value == "nats-userman")
                });
                let is_ours = is_ours || found.body == "ok" || found.body.contains("\"error\"");
                assert!(!is_ours, "{kind:?} {host} {front}{path}: {found:?}");
            }
        }
        let postback = format!("{front}/postback/{TOKEN}?action=DELETE&siteid=1&memberid=77");
        let found = answer("www", &postback);
        assert!(!found.body.contains("OK|"), "{kind:?} {front}: {found:?}");
    }
    assert_eq!(
        site.post("action=CHECK&siteid=1&username=gina"),
        "OK|username \"gina\" is taken on site 1",
        "{kind:?}"
    );
}

/// After ten different wrong passwords, even the right one is refused for some time.
fn blocked(site: &Site) {
    let kind = site.kind;
    let add = "action=ADD&siteid=1&memberid=74&username=dave&password=testtest";
    assert_eq!(site.post(add), "OK|member 74 \"dave\" added to site 1");
    for number in 0..10 {
        assert_eq!(
            site.visitor.status_as("dave", &format!("guess {number}"), "/shared/"),
            401,
            "{kind:?} {number}"
        );
    }
    assert_eq!(site.title("dave", "testtest", "/shared/"), (403, "Please wait".into()), "{kind:?}");
    // With the login page, the service makes this page as well, in the look of the site.
    let page = site.visitor.get_as("dave", "testtest", "/members/");
    assert!(page.body.contains("<h2>Please wait</h2>"), "{kind:?}: {page:?}");
    assert!(page.body.contains("<a href=\"/login?site=1&amp;back="), "{kind:?}: {page:?}");
    assert_eq!(page.status, 403, "{kind:?}");
}

/// A login that is used from nine networks at once is refused, with a page that says why.
fn shared_login(site: &Site) {
    let kind = site.kind;
    let add = "action=ADD&siteid=1&memberid=79&username=sam&password=testtest";
    assert_eq!(site.post(add), "OK|member 79 \"sam\" added to site 1");
    let from = |network| {
        let address = format!("198.51.{network}.7");
        admitted(site.app.as_ref().unwrap(), Visit::with("sam", "testtest").from(&address)).0
    };
    assert_eq!((0..9).map(from).collect::<Vec<_>>(), [[200; 8].as_slice(), &[403]].concat());
    let title = "Used from too many places";
    assert_eq!(site.title("sam", "testtest", "/shared/"), (403, title.into()), "{kind:?}");
    let page = site.visitor.get_as("sam", "testtest", "/members/");
    let says = "This login was used from too many places.";
    assert!(page.status == 403 && page.body.contains(says), "{kind:?}: {page:?}");
}

/// The login page: a form, a cookie, the area, and the logout.
fn login_page(site: &Site) {
    let kind = site.kind;
    let add = "action=ADD&siteid=1&memberid=75&username=erin&password=testtest";
    assert_eq!(site.post(add), "OK|member 75 \"erin\" added to site 1");
    let form = site.visitor.get("/members/index.html?a=b");
    assert_eq!((form.status, form.header("www-authenticate")), (401, None), "{kind:?}");
    assert!(
        form.body.contains("<form") && form.body.contains("/members/index.html?a=b"),
        "{kind:?}: {}",
        form.body
    );

    let login = |password: &str| {
        let body = format!("username=erin&password={password}");
        site.visitor.post(
            "https://www.example.com/login?site=1",
            &body,
            &["-H", "Sec-Fetch-Site: same-origin"],
        )
    };
    assert_eq!(
        (login("wrong").status, login("wrong").header("set-cookie")),
        (401, None),
        "{kind:?}"
    );
    let entered = login("testtest");
    let cookie = entered
        .header("set-cookie")
        .and_then(|cookie| cookie.split(';').next())
        .unwrap_or_default()
        .to_owned();
    assert!(
        entered.status == 303 && cookie.starts_with("__Host-userman="),
        "{kind:?}: {entered:?}"
    );
    let cookie = format!("Cookie: {cookie}");
    assert_eq!(
        site.visitor.get_with("/members/", &["-H", &cookie]).body,
        "inside members\n",
        "{kind:?}"
    );
    let left = site.visitor.post(
        "https://www.example.com/logout",
        "",
        &["-H", &cookie, "-H", "Sec-Fetch-Site: same-origin"],
    );
    assert_eq!(left.status, 303, "{kind:?}");
    assert_eq!(
        site.visitor.get_with("/members/", &["-H", &cookie]).status,
        401,
        "{kind:?}: logged out"
    );
}

/// Regression: on a site with its own port, `$host` lost the port, so a form was refused if the
/// browser sent only its `Origin`.
fn login_page_at_a_port(site: &Site) {
    let kind = site.kind;
    let at = "https://www.example.com:8443";
    let log_in = |origin: &str| {
        let origin = format!("Origin: {origin}");
        site.visitor
            .post(
                &format!("{at}/login?site=1"),
                "username=erin&password=testtest",
                &["-H", &origin],
            )
            .status
    };
    assert_eq!(log_in(at), 303, "{kind:?}");
    assert_eq!(log_in("https://www.example.com"), 403, "{kind:?}: another port is another origin");
}

/// A part of an area with a question of its own, whichever way its path is written.
fn part_for_full_members(site: &Site) {
    let add = "action=ADD&siteid=1&memberid=78&username=tess&password=testtest&trial=1";
    assert_eq!(site.post(add), "OK|member 78 \"tess\" added to site 1");
    let spellings = [
        "/members/extras/",
        "/members/extras/index.html",
        "/members/%65xtras/",
        "/members/extra%73/index.html",
        "//members//extras/",
        "/members//extras/index.html",
        "/members/./extras/",
        "/members/app/../extras/index.html",
        "/full/../members/extras/",
        "/%6dembers/extras/",
        "/%6Dembers/%2e/extras/",
    ];
    let tries = |site: &Site, path: &str| {
        let answer = site.visitor.get_as("tess", "testtest", path);
        (answer.status, answer.body)
    };
    for path in spellings {
        let (status, body) = tries(site, path);
        assert_eq!(status, 403, "{path}: {body}");
        assert!(body.contains("This part is for full members."), "{path}: {body}");
    }
    assert_eq!(tries(site, "/%6dembers/"), (200, "inside members\n".into()));
    assert!(site.post("action=TRIALTOFULL&siteid=1&memberid=78").starts_with("OK|"));
    for path in spellings {
        assert_eq!(tries(site, path), (200, "inside members/extras\n".into()), "{path}");
    }
}

/// Apache says of the page of another program that it is in ISO 8859-1, unless it is told not to.
fn charset(site: &Site) {
    let form = site.visitor.get("/members/");
    assert_eq!(form.header("content-type"), Some("text/html"));
    assert!(form.body.contains("<meta charset=\"utf-8\">"), "{}", form.body);
}

/// For a browser that drops cookies, the area shows the message, because the redirect leads there.
fn login_not_kept(site: &Site) {
    let kind = site.kind;
    let form =
        ["-L", "-H", "Sec-Fetch-Site: same-origin", "-H", "User-Agent: a browser without cookies"];
    let body = "username=erin&password=testtest&back=/members/";
    let page = site.visitor.post_and_follow("https://www.example.com/login?site=1", body, &form);
    assert_eq!(page.status, 401, "{kind:?}");
    assert!(page.body.contains("This browser did not keep the login."), "{kind:?}: {}", page.body);
}

/// Port 80 redirects to https with the whole address, and accepts no postback.
fn plain_port(site: &Site) {
    let kind = site.kind;
    if kind == Kind::Caddy {
        // Caddy does that by itself. The test disables it, because it would take port 80 of the
        // machine.
        return;
    }
    for host in ["www", "members"] {
        let led = site.visitor.request(&format!("http://{host}.example.com/members/a?b=c"), &[]);
        let to = format!("https://{host}.example.com/members/a?b=c");
        assert_eq!((led.status, led.header("location")), (301, Some(to.as_str())), "{kind:?}");
    }
    let refused = site.visitor.post(
        &format!("http://members.example.com/postback/{TOKEN}"),
        "action=CHECK",
        &[],
    );
    assert_eq!((refused.status, refused.header("location")), (403, None), "{kind:?}");
    for (log, text) in site.host.logs() {
        assert!(!text.contains(TOKEN), "{kind:?}: {}", log.display());
    }
}

/// Every page over https tells browsers to use https only, and http pages do not. The login page
/// keeps its own policy when the web server forwards it.
fn by_https_alone(site: &Site) {
    let kind = site.kind;
    let mut pages = vec![
        "/",
        "/nothing",
        "/members/",
        "/members/app/",
        "/shared/",
        "/full/",
        "/reasons/login.html",
    ];
    if site.asks() {
        pages.extend(["/login?site=1", "/logout"]);
    }
    let postback = format!("members.example.com/postback/{TOKEN}");
    let open = pages.iter().map(|page| (format!("www.example.com{page}"), &[][..]));
    let as_member =
        pages.iter().map(|page| (format!("www.example.com{page}"), &["-u", "al é:testtest"][..]));
    for (address, options) in open.chain(as_member).chain([(postback, &[][..])]) {
        let response = site.visitor.request(&format!("https://{address}"), options);
        let found: Vec<_> = response
            .headers
            .iter()
            .filter(|(name, _)| name == "strict-transport-security")
            .collect();
        assert_eq!(
            found.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>(),
            ["max-age=300"],
            "{kind:?} {address}"
        );
    }
    if kind != Kind::Caddy {
        let plain = site.visitor.request("http://www.example.com/members/", &[]);
        assert_eq!(plain.header("strict-transport-security"), None, "{kind:?}");
    }
    if site.asks() {
        for page in ["/members/", "/login?site=1"] {
            let form = site.visitor.get(page);
            let policy = form.header("content-security-policy").unwrap_or_default();
            assert!(
                policy.starts_with("default-src 'none'; style-src"),
                "{kind:?} {page}: {policy}"
            );
            assert_eq!(form.header("x-content-type-options"), Some("nosniff"), "{kind:?} {page}");
        }
    }
}

/// While the service is stopped, a server that asks it admits nobody. A server that reads the table
/// lets every member in.
fn service_down(mut site: Site) {
    let kind = site.kind;
    let add = format!(
        "action=ADD&siteid=1&memberid=76&username=frank&password=testtest&cryptpass={TESTTEST}"
    );
    assert_eq!(site.post(&add), "OK|member 76 \"frank\" added to site 1");
    assert!(site.enters("frank", "testtest"), "{kind:?}");
    let _left = site.app.take().unwrap().stop();
    // Apache has no other status for that.
    let status = if kind == Kind::Apache { 500 } else { 503 };
    if site.asks() {
        for path in ["/members/", "/shared/", "/full/", "/members/app/"] {
            assert_eq!(
                site.title("frank", "testtest", path),
                (status, "Please try again".into()),
                "{kind:?} {path}"
            );
        }
    } else {
        assert!(site.enters("frank", "testtest") && !site.enters("frank", "wrong"), "{kind:?}");
    }
}

fn walk(kind: Kind, engine: EngineKind) {
    let Some(site) = Site::of(kind, engine) else { return };
    assert_eq!(site.app.as_ref().unwrap().now(), NOON, "2026-06-15 is today");
    life(&site);
    forged_headers(&site);
    two_sites(&site);
    strangers(&site);
    if site.asks() {
        blocked(&site);
        shared_login(&site);
        login_page(&site);
        if kind == Kind::Apache {
            part_for_full_members(&site);
            charset(&site);
        }
        login_page_at_a_port(&site);
        login_not_kept(&site);
    }
    plain_port(&site);
    by_https_alone(&site);
    // After the search for the token in logs: this part sends the token to the host of the pages,
    // which logs its requests.
    the_service_itself(&site);
    service_down(site);
}

#[test]
fn a_member_s_life_before_nginx() {
    walk(Kind::Nginx, EngineKind::Sqlite);
}

#[test]
fn a_member_s_life_before_nginx_with_the_database_on_mariadb() {
    walk(Kind::Nginx, EngineKind::MariaDb);
}

#[test]
fn a_member_s_life_before_apache() {
    walk(Kind::Apache, EngineKind::Sqlite);
}

#[test]
fn a_member_s_life_before_apache_with_the_database_on_mariadb() {
    walk(Kind::Apache, EngineKind::MariaDb);
}

#[test]
fn a_member_s_life_before_an_apache_that_reads_the_table() {
    walk(Kind::ApacheOnTable, EngineKind::Sqlite);
}

#[test]
fn a_member_s_life_before_nginx_that_asks_by_fastcgi() {
    walk(Kind::NginxByFastcgi, EngineKind::Sqlite);
}

#[test]
fn a_member_s_life_before_caddy() {
    walk(Kind::Caddy, EngineKind::Sqlite);
}

/// An Apache with this text of its example changed, and the service behind it.
fn changed_apache(changes: &[(&str, &str)], flags: &[&str]) -> Option<Site> {
    let mut host = Host::new()?;
    let flags = [&["--fastcgi-listen", "127.0.0.1:0"], flags].concat();
    let app = App::start_in(host.take_home(), &flags);
    app.post("action=ADD&siteid=1&memberid=71&username=bob&password=testtest");
    host.service = app.address;
    host.fastcgi = app.fastcgi.unwrap();
    host.changes = changes.iter().map(|(from, to)| (from.to_string(), to.to_string())).collect();
    let server = host.apache(&["members-apache.conf"])?;
    let visitor = Visitor::of(&host, &server);
    Some(Site { kind: Kind::Apache, app: Some(app), server, visitor, host })
}

#[test]
fn an_apache_that_asks_without_a_question_lets_nobody_in() {
    for question in ["# none", "SetEnv USERMAN_QUESTION \"$question\""] {
        let changes = [("SetEnvIf Request_URI ^ \"USERMAN_QUESTION=$question\"", question)];
        let Some(site) = changed_apache(&changes, &[]) else { return };
        for path in ["/members/", "/shared/", "/full/", "/members/app/", "/members/extras/"] {
            assert_eq!(site.visitor.status_as("bob", "testtest", path), 400, "{question} {path}");
        }
    }
}

/// With `RequireBasicAuth On`, Apache asks for the password itself, and hands it over.
#[test]
fn an_apache_may_ask_for_the_password_itself() {
    let changes = [
        ("AuthType None\n    CGIPassAuth On", "AuthType Basic\n    AuthName members"),
        ("RequireBasicAuth Off", "RequireBasicAuth On"),
    ];
    let Some(site) = changed_apache(&changes, &[]) else { return };
    let prompt = site.visitor.get("/shared/");
    let challenge = prompt.header("www-authenticate");
    assert_eq!((prompt.status, challenge), (401, Some("Basic realm=\"members\"")));
    assert_eq!(site.visitor.status_as("bob", "testtest", "/shared/"), 200);
    for number in 0..10 {
        assert_eq!(site.visitor.status_as("bob", &format!("guess {number}"), "/shared/"), 401);
    }
}

/// Such a form would hold a connection of the service for as long as its sender likes to send.
#[test]
fn an_apache_takes_no_login_form_that_comes_in_chunks_or_is_long() {
    let Some(site) = changed_apache(&[], &[]) else { return };
    let login = "https://www.example.com/login?site=1";
    let form = "username=bob&password=testtest";
    let own = ["-H", "Sec-Fetch-Site: same-origin"];
    assert_eq!(site.visitor.post(login, form, &own).status, 303);
    let chunked = [&own[..], &["-H", "Transfer-Encoding: chunked"]].concat();
    for form in [form, &format!("{form}&more={}", "x".repeat(40_000))] {
        assert_eq!(site.visitor.post(login, form, &chunked).status, 411);
    }
    for (bytes, status) in [(16_000, 303), (17_000, 413), (70_000, 413)] {
        let form = format!("{form}&more={}", "x".repeat(bytes));
        assert_eq!(site.visitor.post(login, &form, &own).status, status, "{bytes}");
    }
}

/// Apache passes on 8 KiB of a page. A longer one becomes a short one that leads to `/login`.
#[test]
fn an_apache_shows_a_page_of_8_kib_whole_and_a_longer_one_at_login() {
    let dir = tempfile::tempdir().unwrap();
    let template = dir.path().join("page.html");
    let page = |bytes: usize| {
        let text = "x".repeat(bytes);
        std::fs::write(&template, format!("<!doctype html>{{{{form}}}}<p>{text}</p>")).unwrap();
        let flags = ["--login-template", template.to_str().unwrap()];
        let site = changed_apache(&[], &flags)?;
        let form = site.visitor.get("/members/a?b=c");
        assert_eq!((form.status, form.header("x-auth-reason")), (401, Some("login")));
        Some((form.body, site.visitor.get("/login?site=1&back=/members/a?b=c").body))
    };
    let Some((small, _)) = page(0) else { return };
    let room = 8190 - small.len();
    let (whole, at_login) = page(room).unwrap();
    assert_eq!((whole.len(), whole == at_login), (8190, true));
    let (short, at_login) = page(room + 1).unwrap();
    assert_eq!(at_login.len(), 8191);
    let link = "<a href=\"/login?site=1&amp;back=%2Fmembers%2Fa%3Fb%3Dc\">Log in</a>";
    assert!(short.contains(link), "{short}");
}
