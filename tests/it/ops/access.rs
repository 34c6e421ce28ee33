//! Health for programs: from this machine, or with a token.

use std::fs;
use std::net::TcpListener;

use crate::support::{App, OPS, Program, Request, temp_dir};

const TOKEN: &str = "ops-token-0123456789abcdef-0123456789";
const REFUSED: &str = "expected a token of --ops-token-file (Authorization: Bearer TOKEN), or a \
                       request from this machine to an address or localhost and without a proxy\n";

fn get(path: &str) -> Request {
    Request::get(path).host("127.0.0.1:9180")
}

#[test]
fn a_program_of_this_machine_reads_live_and_ready() {
    let app = App::start_with(&OPS);
    let live = app.send_ops(get("/health/live"));
    assert_eq!((live.status, live.body.as_str()), (200, "{\"live\":true}"));
    assert_eq!(live.header("content-type"), Some("application/json"));
    let ready = app.send_ops(get("/health/ready"));
    assert_eq!(
        (ready.status, ready.body.as_str()),
        (
            200,
            "{\"ready\":true,\"checks\":[{\"name\":\"running\",\"ok\":true},\
             {\"name\":\"database\",\"ok\":true},{\"name\":\"commit\",\"ok\":true},\
             {\"name\":\"read\",\"ok\":true}]}"
        )
    );
    for host in ["localhost:9180", "[::1]:9180", "127.0.0.1"] {
        assert_eq!(app.send_ops(Request::get("/health/live").host(host)).status, 200, "{host}");
    }
}

#[test]
fn a_program_that_watches_by_head_gets_the_status_alone() {
    let app = App::start_with(&OPS);
    for path in ["/health/live", "/health/ready", "/metrics"] {
        let head = app.send_ops(Request::new("HEAD", path).host("127.0.0.1:9180"));
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
    }
}

#[test]
fn a_database_that_is_gone_is_not_ready_and_the_answer_says_what_to_do() {
    let app = App::start_with(&OPS);
    let file = app.config.location.file().unwrap().to_owned();
    fs::rename(&file, file.with_extension("away")).unwrap();
    app.send(Request::postback("action=DELETE&siteid=1&memberid=71"));
    let ready = app.send_ops(get("/health/ready"));
    assert_eq!(ready.status, 503, "{}", ready.body);
    let json: serde_json::Value = serde_json::from_str(&ready.body).unwrap();
    assert_eq!(json["ready"], false);
    let check = |name: &str| {
        let checks = json["checks"].as_array().unwrap();
        checks.iter().find(|check| check["name"] == name).unwrap().clone()
    };
    assert_eq!(
        check("database"),
        serde_json::json!({
            "name": "database",
            "ok": false,
            "problem": "the database is not at its place, or another one is",
            "remedy": "put the right database in its place, or restart the service to use the one \
                       that is there; the log says what was found",
        })
    );
    assert_eq!(check("commit")["ok"], false);
    assert_eq!(check("running")["ok"], true);
    assert_eq!(app.send_ops(get("/health/live")).status, 200, "the process still answers");
    fs::rename(file.with_extension("away"), &file).unwrap();
}

#[test]
fn who_comes_through_a_proxy_or_under_another_name_needs_a_token() {
    let dir = temp_dir();
    let file = dir.path().join("ops-tokens");
    fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let flags = [&OPS[..], &["--ops-token-file", file.to_str().unwrap()]].concat();
    let app = App::start_with(&flags);
    let status = |request: Request| app.send_ops(request).status;
    for name in [
        "X-Forwarded-For",
        "x-forwarded-host",
        "X-Forwarded-Proto",
        "X-Real-IP",
        "Forwarded",
        "Via",
        "CF-Connecting-IP",
        "True-Client-IP",
    ] {
        let request = || get("/health/live").header(name, "127.0.0.1");
        let refused = app.send_ops(request());
        assert_eq!((refused.status, refused.body.as_str()), (401, REFUSED), "{name}");
        assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
        let bearer = format!("Bearer {TOKEN}");
        assert_eq!(status(request().header("Authorization", &bearer)), 200, "{name}");
    }
    // The page of another site, whose name leads here.
    for host in ["evil.example.com", "evil.example.com:9180", "127.0.0.1.example.com", ""] {
        assert_eq!(status(Request::get("/health/ready").host(host)), 401, "{host}");
    }
    // A wrong token is refused, although none was needed.
    for wrong in [
        "Bearer ops-token-0123456789abcdef-012345678X",
        "Bearer ",
        "Bearer",
        "Basic b3BzOnRva2Vu",
        "bearer \u{e9}",
    ] {
        assert_eq!(status(get("/health/live").header("Authorization", wrong)), 401, "{wrong}");
    }
}

#[test]
fn the_public_name_is_no_foreign_name() {
    let flags = [&OPS[..], &["--public-url", "https://members.example.com/x"]].concat();
    let app = App::start_with(&flags);
    let status = |host: &str| app.send_ops(Request::get("/health/live").host(host)).status;
    assert_eq!([status("members.example.com"), status("other.example.com")], [200, 401]);
}

#[test]
fn a_taken_port_is_a_warning_and_the_service_goes_on() {
    let (dir, taken) = (temp_dir(), TcpListener::bind("127.0.0.1:0").unwrap());
    let address = taken.local_addr().unwrap().to_string();
    let service = Program::serve(&dir.path().join("data"), &["--ops-listen", &address]);
    let added = service.post("action=ADD&siteid=1&memberid=71&username=bob&password=secret");
    assert_eq!(added.unwrap().body, "OK|member 71 \"bob\" added to site 1");
    let line = format!(
        "the service runs without its operations listener: cannot listen on {address}: Address \
         already in use (os error 98): another program uses that port; `ss -ltnp` shows which: \
         change --ops-listen, or free the address and restart"
    );
    assert!(service.stderr().contains(&line), "{}", service.stderr());
}

#[test]
fn without_the_setting_there_is_no_operations_listener() {
    let dir = temp_dir();
    let service = Program::serve(&dir.path().join("data"), &[]);
    assert!(!service.stderr().contains("operations"), "{}", service.stderr());
}
