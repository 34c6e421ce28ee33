//! Alarms: the service runs a program and calls a URL.

use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

use crate::ENGINES;
use crate::support::{App, NOON, eventually, temp_dir};

/// A program of the operator.
pub fn script(dir: &Path, text: &str) -> PathBuf {
    let path = dir.join("alarm");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    path
}

/// A web server that answers each request with the next of these answers, and passes the requests
/// on.
pub fn server(answers: Vec<&'static str>) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hooks/s3cret", listener.local_addr().unwrap());
    let (sender, requests) = channel();
    std::thread::spawn(move || {
        for answer in answers {
            let Ok((mut stream, _)) = listener.accept() else { return };
            let request = read_request(&mut stream);
            let _ = stream.write_all(answer.as_bytes());
            drop(stream);
            if sender.send(request).is_err() {
                return;
            }
        }
    });
    (url, requests)
}

/// A request with its body.
pub fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut buffer = [0; 4_096];
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .filter_map(|line| {
                    line.to_lowercase().strip_prefix("content-length: ")?.parse().ok()
                })
                .next()
                .unwrap_or(0);
            if body.len() >= length {
                return text;
            }
        }
        match stream.read(&mut buffer) {
            Ok(read @ 1..) => request.extend_from_slice(&buffer[..read]),
            _ => return text,
        }
    }
}
pub const OK: &str = "HTTP/1.1 204 No Content\r\n\r\n";

pub fn json_of(request: &str) -> Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// The next message. Meanwhile the clock goes on by these seconds at a time. The service looks once
/// a second, so that more than ten times as many pass between two looks.
pub fn next_message(app: &App, seconds: i64, requests: &Receiver<String>) -> String {
    let mut message = None;
    eventually("a message comes", || {
        app.set_unix(app.now() + seconds);
        message = requests.try_recv().ok();
        message.is_some()
    });
    message.unwrap()
}

#[test]
fn many_error_replies_are_told_once_to_a_program_and_a_url_and_once_when_they_are_over() {
    for engine in ENGINES {
        let dir = temp_dir();
        let told = dir.path().join("told");
        let alarm = script(dir.path(), &format!("cat >>{}; env >>{0}.env", told.display()));
        let (url, requests) = server(vec![OK, OK]);
        let flags =
            ["--alarm-command", &format!("{} --to ops", alarm.display()), "--alarm-url", &url]
                .map(str::to_owned);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let Some(app) = App::start_on_engine(engine, &flags) else { continue };
        for member in 1..=6 {
            app.post(&format!("action=CHANGE&siteid=5&memberid={member}&new_username=kim"));
        }
        // Where receivers share a database, a record settles first.
        // The errors count for an hour.
        let request = next_message(&app, 5, &requests);
        assert!(request.starts_with("POST /hooks/s3cret HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("content-type: application/json\r\n"), "{request}");
        let json = json_of(&request);
        assert_eq!((&json["alarm"], &json["state"]), (&"errors".into(), &"raised".into()));
        let since = json["since"].as_i64().unwrap();
        assert!(since >= NOON && app.now() >= since + 60, "a cause must last for a minute: {json}");
        assert_eq!(
            json["message"],
            "6 of 6 postbacks of the last hour were answered with ERROR: 100 %, more than 20 % \
             (--alarm-error-percent); `nats-userman journal --reply ERROR` lists them"
        );
        eventually("the program was run", || {
            fs::read_to_string(&told).is_ok_and(|it| it.len() > 9)
        });
        let of_program: Value = serde_json::from_str(&fs::read_to_string(&told).unwrap()).unwrap();
        assert_eq!(of_program, json);
        let variables = told.with_extension("env");
        eventually("the program has ended", || {
            fs::read_to_string(&variables).is_ok_and(|text| text.contains("PATH="))
        });
        let variables = fs::read_to_string(variables).unwrap();
        assert!(!variables.contains("CARGO"), "the service's variables: {variables}");

        // An hour later there are no errors any more.
        app.set_unix(app.now() + 3_700);
        let cleared = json_of(&next_message(&app, 30, &requests));
        assert_eq!((&cleared["alarm"], &cleared["state"]), (&"errors".into(), &"cleared".into()));
        assert_eq!(cleared["message"], "fewer postbacks are answered with ERROR again");
        assert_eq!(cleared["since"], json["since"]);
    }
}
