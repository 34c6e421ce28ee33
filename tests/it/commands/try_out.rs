//! `try`, with the real program: against our own service, and against what else may answer at a
//! URL.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::mpsc;

use nats_userman::store::Location;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::replay::{export, state};
use super::run_on;
use crate::engines::try_out::{STEPS, as_json, problems, try_url};
use crate::support::{App, Beside, PATIENCE, TOKEN, program, temp_dir};

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
