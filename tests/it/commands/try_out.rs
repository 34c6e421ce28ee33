//! `try`, with the real program: against our own service, behind nginx, against receivers in PHP,
//! and against what else may answer at a URL.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use nats_userman::store::Location;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::replay::{export, state};
use super::{Ran, end, run, run_on};
use crate::support::{
    App, Beside, ENGINES, PATIENCE, Program, TOKEN, TestDatabase, certify, eventually, program,
    real_program, temp_dir,
};
use crate::web::{Host, Kind};

/// The requests of one way of sending.
const STEPS: usize = 24;

/// Runs `try` on a URL.
fn try_url(url: &str, more: &[&str]) -> Ran {
    run(&[&["try", url], more].concat())
}

fn as_json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

/// The problems that were found, without how often.
fn problems(ran: &Ran) -> Vec<String> {
    let found = as_json(ran)["problems"].as_array().unwrap().clone();
    found.iter().map(|found| found["problem"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn our_own_service_has_no_problem_and_nothing_but_the_marked_records_stays() {
    for engine in ENGINES {
        eprintln!("engine {engine:?}");
        let Some(database) = TestDatabase::new(engine) else { continue };
        let dir = temp_dir();
        let flags = database.flags();
        let service = Program::serve(dir.path(), &flags.each_ref().map(String::as_str));
        let ran = try_url(&format!("http://{}/postback/{TOKEN}", service.address), &[]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
        let last = ran.out.lines().last().unwrap();
        assert_eq!(last, format!("{} requests sent, 0 problems found", 3 * STEPS));
        for way in ["POST urlencoded\n", "POST multipart\n", "GET\n"] {
            assert!(ran.out.contains(way), "{}", ran.out);
        }
        assert!(!ran.out.contains(TOKEN) && !ran.out.contains("password=P"), "{}", ran.out);
        let beside = Beside::open(&database.location());
        for table in ["member_auth", "former_member"] {
            let count = beside.rows(&format!("SELECT count(*) FROM {table}"));
            assert_eq!(count, ["0"], "{table}");
        }
        let sources = "SELECT DISTINCT source, memberid FROM journal";
        assert_eq!(beside.rows(sources), ["operator|2147483600"]);
        let mut journal = program();
        journal.args(["journal", "--data-dir"]).arg(dir.path()).args(&flags);
        let journal = end(journal).out;
        let marked = "    from 127.0.0.1, a trial by `try`: action=ADD&siteid=2147483600&\
                      memberid=2147483600&username=";
        assert!(journal.contains(marked), "{journal}");
        assert_eq!(journal.matches(", a trial by `try`: ").count(), journal.lines().count() / 2);
    }
}

#[test]
fn a_replay_of_a_trial_gives_the_same_rows() {
    let app = App::start();
    let url = format!("http://{}/postback/{TOKEN}", app.address);
    assert_eq!(try_url(&url, &["--site", "1"]).code, Some(0));
    app.post("action=ADD&siteid=1&memberid=71&username=bob&password=secret");
    let from = app.stop();
    let (from, dir) = (from.path().join("data"), temp_dir());
    let file = export(&from, dir.path());
    let data = dir.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::copy(from.join("seal.key"), data.join("seal.key")).unwrap();
    let ran = run_on(&data, &["replay", "--journal", &file]);
    assert!(ran.code == Some(0) && ran.err.is_empty(), "{ran:?}");
    assert_eq!(state(&data), state(&from));
}

#[test]
fn json_has_each_request_with_its_reply_and_no_secret() {
    let app = App::start();
    let url = format!("http://{}/postback/{TOKEN}", app.address);
    let ran = try_url(&url, &["--json", "--site", "5"]);
    let all = as_json(&ran);
    assert_eq!(
        (&all["place"], &all["is_right"], &all["is_complete"], &all["problems"]),
        (&json!(app.address.to_string()), &json!(true), &json!(true), &json!([]))
    );
    let requests = all["requests"].as_array().unwrap();
    assert_eq!(requests.len(), 3 * STEPS);
    let add = &requests[2];
    assert_eq!((&add["way"], &add["status"]), (&json!("POST urlencoded"), &json!(200)));
    assert_eq!((&add["about"], &add["expected"]), (&json!("a new member"), &json!("OK")));
    assert!(add["reply"].as_str().unwrap().starts_with("OK|member 2147483600 \"t"), "{add}");
    assert!(add["reply"].as_str().unwrap().ends_with("\" added to site 5"), "{add}");
    assert!(add["request"].as_str().unwrap().contains("&password=***&"), "{add}");
    assert!(!ran.out.contains(TOKEN), "{}", ran.out);
}

#[test]
fn a_wrong_token_is_named_and_nothing_is_added() {
    let app = App::start();
    let token = "wrong-token-0123456789";
    let ran = try_url(&format!("http://{}/postback/{token}", app.address), &["--json"]);
    assert_eq!(ran.code, Some(1));
    assert_eq!(
        problems(&ran),
        ["status 403: not authorised; check the token in the URL, and that this address may send \
          postbacks (--allow-ip)"]
    );
    assert_eq!(
        ran.err,
        format!(
            "nats-userman: {} does not answer as NATS needs it: 1 problem found\n",
            app.address
        )
    );
    assert_eq!(as_json(&ran)["requests"].as_array().unwrap().len(), 3, "one for each way");
    assert!(!ran.out.contains(token), "{}", ran.out);
    assert_eq!(app.rows("SELECT count(*) FROM journal"), ["0"]);
}

/// The certificate is for www.example.com and members.example.com.
#[test]
fn behind_nginx_with_tls_a_wrong_certificate_is_explained_and_a_right_one_is_no_problem() {
    let Some(mut host) = Host::new() else { return };
    let app = App::start_in(host.take_home(), &["--trusted-proxy", "127.0.0.1"]);
    host.service = app.address;
    let Some(server) = host.serve(Kind::Nginx) else { return };
    let url = format!("https://127.0.0.1:{}/postback/{TOKEN}", server.port);
    let place = format!("127.0.0.1:{}", server.port);
    let ca = host.certificate();
    let ca = ca.to_str().unwrap();
    let refused = |more: &[&str]| problems(&try_url(&url, &[&["--json"], more].concat()));
    let not_accepted = format!("the certificate of {place} is not accepted: ");
    assert_eq!(
        refused(&[]),
        [format!(
            "{not_accepted}no known authority has signed it; let the web server send the whole \
             chain, not only its own certificate"
        )]
    );
    assert_eq!(
        refused(&["--ca", ca]),
        [format!("{not_accepted}it is for other names; use one for the host name of the URL")]
    );
    let plain = format!("http://127.0.0.1:{}/postback/{TOKEN}", server.port);
    let found = problems(&try_url(&plain, &["--json"]));
    assert!(found[0].starts_with("status 400, with a page of HTML: "), "{found:?}");
    let elsewhere = format!("https://127.0.0.1:{}/post/{TOKEN}", server.port);
    assert!(!try_url(&elsewhere, &["--json", "--ca", ca]).out.contains(TOKEN));

    // As a certificate for the name by which the receiver is called.
    let Some(openssl) = real_program("openssl") else { return };
    drop(server);
    let dir = Path::new(ca).parent().unwrap();
    certify(&openssl, dir, "IP:127.0.0.1,DNS:members.example.com");
    host.changes = vec![("server_name members.example.com;".into(), "server_name _;".into())];
    let Some(server) = host.nginx(&["nginx.conf"]) else { return };
    let url = format!("https://127.0.0.1:{}/postback/{TOKEN}", server.port);
    let ran = try_url(&url, &["--ca", ca]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
    let redirect = format!("http://127.0.0.1:{}/postback/{TOKEN}", host.plain_port);
    let ran = try_url(&redirect, &["--json"]);
    assert_eq!(ran.code, Some(1));
    assert!(!ran.out.contains(TOKEN), "{}", ran.out);
}

#[test]
fn a_certificate_that_has_expired_is_named() {
    let Some(openssl) = real_program("openssl") else { return };
    let dir = temp_dir();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (key, certificate) = (path("key"), path("certificate"));
    expired_certificate(&openssl, dir.path());
    let port = crate::web::free_port();
    let accept = format!("127.0.0.1:{port}");
    let mut server = Killed(
        Command::new(openssl)
            .args(["s_server", "-quiet", "-accept", &accept, "-cert", &certificate, "-key", &key])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    eventually("it listens", || TcpStream::connect(&accept).is_ok());
    let ran = try_url(&format!("https://{accept}/x"), &["--json", "--ca", &certificate]);
    assert_eq!(
        problems(&ran),
        [format!("the certificate of {accept} is not accepted: it has expired; renew it")]
    );
    assert!(server.0.try_wait().unwrap().is_none());
}

/// Makes `key` and `certificate` in this directory, which were valid in January 2020. Only `ca`
/// takes dates in every version of openssl.
fn expired_certificate(openssl: &Path, dir: &Path) {
    let shown = dir.display();
    let config = format!(
        "[ca]\ndefault_ca = own\n[own]\ndatabase = {shown}/index\nserial = {shown}/serial\n\
         new_certs_dir = {shown}\npolicy = any\nx509_extensions = leaf\n[any]\n\
         commonName = supplied\n[leaf]\nsubjectAltName = IP:127.0.0.1\n\
         basicConstraints = critical,CA:FALSE\n"
    );
    fs::write(dir.join("ca.conf"), config).unwrap();
    fs::write(dir.join("index"), "").unwrap();
    fs::write(dir.join("serial"), "01\n").unwrap();
    for line in [
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=test -keyout \
         key -out request",
        "ca -config ca.conf -selfsign -batch -notext -md sha256 -startdate \
         200101000000Z -enddate 200201000000Z -keyfile key -in request -out certificate",
    ] {
        let made = Command::new(openssl).args(line.split(' ')).current_dir(dir).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
}

/// A process that is killed in the end.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A receiver as sites have it: one file that keeps its members in another one. `before` and
/// `after` stand around its code.
fn php_receiver(dir: &Path, before: &str, change: (&str, &str), after: &str) -> Option<Php> {
    let code = include_str!("../../senders/receiver.php");
    assert!(code.contains(change.0), "{}", change.0);
    let code = code.replacen(change.0, change.1, 1);
    fs::write(dir.join("post.php"), format!("{before}{code}{after}")).unwrap();
    let _ = fs::remove_file(dir.join("members.json"));
    Php::start(dir)
}

struct Php {
    _child: Killed,
    url: String,
}

impl Php {
    fn start(dir: &Path) -> Option<Self> {
        let php = real_program("php")?;
        let address = format!("127.0.0.1:{}", crate::web::free_port());
        let child = Command::new(php)
            .args(["-n", "-d", "display_errors=1", "-d", "html_errors=1", "-S", &address, "-t"])
            .arg(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        eventually("PHP's server answers", || TcpStream::connect(&address).is_ok());
        let url = format!("http://{address}/post.php?key=a-secret-key");
        Some(Self { _child: Killed(child), url })
    }
}

const AS_IT_IS: (&str, &str) = ("<?php", "<?php");

#[test]
fn a_receiver_in_php_is_judged_by_the_same_rules() {
    let dir = temp_dir();
    let Some(php) = php_receiver(dir.path(), "", AS_IT_IS, "") else { return };
    let ran = try_url(&php.url, &["--site", "5"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
    assert!(!ran.out.contains("a-secret-key"), "{}", ran.out);
    assert_eq!(fs::read_to_string(dir.path().join("members.json")).unwrap(), "[]");
    drop(php);

    let other_way = "$is_taken ? 'NOTOK|taken' : 'OK|free'";
    for (before, change, after, problem) in [
        ("\u{feff}", AS_IT_IS, "", "a byte order mark before the reply: "),
        ("\n\n", AS_IT_IS, "", "blanks or empty lines before the reply: "),
        ("", AS_IT_IS, "\n?>\n\n", "a line break behind the reply: "),
        ("", ("OK|member added", "OK"), "", "no | behind the word: "),
        ("", ("<?php", "<?php echo $nothing;"), "", "a message of PHP before the reply: "),
        (
            "",
            ("$is_taken ? 'OK|taken' : 'NOTOK|free'", other_way),
            "",
            "expected NOTOK, found OK: a name that nobody has is free: NOTOK; if ",
        ),
        (
            "",
            ("$fields['new_username'] ?? ", ""),
            "",
            "expected NOTOK, found OK: new_username is not applied: whoever gets the former name",
        ),
        (
            "",
            ("'ERROR|unknown action'", "'OK|done'"),
            "",
            "expected ERROR, found OK: an unknown action is answered as if it were done",
        ),
        ("", ("$_REQUEST", "$_POST"), "", "no reply: expected OK|, NOTOK| or ERROR|"),
    ] {
        let Some(php) = php_receiver(dir.path(), before, change, after) else { return };
        let ran = try_url(&php.url, &["--json"]);
        assert_eq!(ran.code, Some(1), "{problem}");
        let found = problems(&ran);
        assert!(found.iter().any(|found| found.starts_with(problem)), "{problem}: {found:?}");
        assert!(!ran.out.contains("a-secret-key"), "{}", ran.out);
    }
}

/// A server that answers each request with what the test says, or not at all.
fn server(mut answer: impl FnMut(&str) -> Option<String> + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut unanswered = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let request = read_request(&mut stream);
            match answer(&request) {
                Some(answer) => drop(stream.write_all(answer.as_bytes())),
                None => unanswered.push(stream),
            }
        }
    });
    address
}

/// The request line and the body.
fn read_request(stream: &mut TcpStream) -> String {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let length = stream.read(&mut piece).unwrap_or(0);
        bytes.extend_from_slice(&piece[..length]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            if length == 0 {
                return text;
            }
            continue;
        };
        let announced = head
            .lines()
            .find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok()
            })
            .unwrap_or(0);
        if body.len() >= announced || length == 0 {
            return format!("{} {body}", head.lines().next().unwrap_or_default());
        }
    }
}

fn response(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn what_else_answers_at_a_url_is_said_in_the_operators_words() {
    let page = "<html><title>Not found";
    for (status, headers, body, problem) in [
        (
            "404 Not Found",
            "Content-Type: text/html\r\n",
            page,
            "status 404, with a page of HTML: nothing is at this URL; check the path with \
             /postback/ and the token, and that the web server passes it on",
        ),
        (
            "200 OK",
            "Content-Type: text/html; charset=utf-8\r\n",
            page,
            "a page of HTML instead of a reply: another program or the web server itself answers \
             at this URL",
        ),
        (
            "301 Moved",
            "Location: https://www.example.com/postback/abcdefgh\r\n",
            "",
            "status 301, a redirect to https://www.example.com: NATS's form does not arrive \
             behind it; paste the URL to which it leads into NATS",
        ),
        (
            "502 Bad Gateway",
            "Content-Type: text/html\r\n",
            page,
            "status 502, with a page of HTML: the web server does not reach the receiver; check \
             that it runs, and the address in the settings of the web server",
        ),
        (
            "200 OK",
            "",
            "",
            "an empty answer: the receiver writes nothing; its error log may say why",
        ),
    ] {
        let answer = response(status, headers, body);
        let address = server(move |_| Some(answer.clone()));
        let ran = try_url(&format!("http://{address}/postback/{TOKEN}"), &["--json"]);
        assert_eq!((ran.code, problems(&ran)), (Some(1), vec![problem.to_owned()]));
        assert!(!ran.out.contains(TOKEN) && !ran.out.contains("abcdefgh"), "{}", ran.out);
    }
}

#[test]
fn where_nothing_answers_the_reason_is_one_sentence() {
    let silent = server(|_| None);
    for (url, problem) in [
        (
            "http://127.0.0.1:1/x".to_owned(),
            "127.0.0.1:1 refuses the connection: check that the service runs and that the port is \
             right"
                .to_owned(),
        ),
        (
            "https://nobody.invalid/x".to_owned(),
            "the host of nobody.invalid is not known".to_owned(),
        ),
        (
            format!("http://{silent}/postback/{TOKEN}"),
            format!("no reply from {silent} within 1 seconds"),
        ),
    ] {
        let ran = try_url(&url, &["--json", "--wait", "1"]);
        assert_eq!((ran.code, problems(&ran)), (Some(1), vec![problem]), "{url}");
        assert_eq!(as_json(&ran)["requests"].as_array().unwrap().len(), 1, "{url}");
    }
    for url in ["members.example.com/x", "ftp://x/"] {
        try_url(url, &[]).ended(
            2,
            "nats-userman: try: expected http:// or https:// and the URL that NATS calls\n",
        );
    }
}

#[test]
fn an_interrupt_in_the_middle_removes_the_test_member_first() {
    let (requests, seen) = mpsc::channel();
    let (go_on, wait) = mpsc::channel::<()>();
    let address = server(move |request| {
        requests.send(request.to_owned()).unwrap();
        if request.contains("action=ADD") {
            let _ = wait.recv();
        }
        let word = if request.contains("action=CHECK") { "NOTOK|free" } else { "OK|done" };
        Some(response("200 OK", "", word))
    });
    let mut command = program();
    command.args(["try", &format!("http://{address}/postback/{TOKEN}")]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let next = || seen.recv_timeout(PATIENCE).unwrap();
    assert!(next().contains("action=DELETE"));
    assert!(next().contains("action=CHECK"));
    assert!(next().contains("action=ADD"));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    go_on.send(()).unwrap();
    // The signal arrives at its own time: more steps may come before it is noticed.
    drop(go_on);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("\n- interrupted before the end\n"), "{said}");
    assert!(seen.try_iter().last().unwrap().contains("action=DELETE"), "{said}");
}

#[test]
fn a_test_member_that_a_kill_left_is_removed_by_the_next_trial() {
    let app = App::start();
    let add = "action=ADD&siteid=2147483600&memberid=2147483600&username=left&password=secret";
    app.post(add);
    app.post(&add.replace("ADD", "EXPIRE").replace("password=secret", "expire=2001-01-01"));
    assert_eq!(app.rows("SELECT username FROM former_member"), ["left"]);
    let url = format!("http://{}/postback/{TOKEN}", app.address);
    assert_eq!(try_url(&url, &[]).code, Some(0));
    let location: &Location = &app.config.location;
    let beside = Beside::open(location);
    assert_eq!(beside.rows("SELECT count(*) FROM former_member"), ["0"]);
}
