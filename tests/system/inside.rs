//! The commands that a script runs inside a machine: this test program, as `inside COMMAND
//! ARGUMENTS`.

use std::fs;
use std::io::{Error, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

/// The maximum of a wait. A service may upgrade its database while connections wait.
const PATIENCE: Duration = Duration::from_secs(60);
const POST_EVERY: Duration = Duration::from_millis(5);

/// A command by its name.
pub fn command(name: &str) -> Option<fn(&[String])> {
    match name {
        "get" => Some(get),
        "post" => Some(post),
        "poster" => Some(poster),
        "kept-poster" => Some(kept_poster),
        "hold-lock" => Some(hold_lock),
        "count" => Some(count),
        _ => None,
    }
}

/// `get ADDRESS PATH`: prints status and body.
fn get(arguments: &[String]) {
    let [address, path] = arguments else { panic!("get ADDRESS PATH") };
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    let answer = connect(address).and_then(|mut stream| exchange(&mut stream, &request));
    match answer {
        Ok(Answer { status, body, .. }) => println!("{status} {body}"),
        Err(error) => println!("no answer: {error}"),
    }
}

/// `post ADDRESS TOKEN BODY`: prints status and body.
fn post(arguments: &[String]) {
    let [address, token, body] = arguments else { panic!("post ADDRESS TOKEN BODY") };
    let request = request(token, body, "close");
    let answer = connect(address).and_then(|mut stream| exchange(&mut stream, &request));
    match answer {
        Ok(Answer { status, body, .. }) => println!("{status} {body}"),
        Err(error) => println!("no answer: {error}"),
    }
}

/// `poster ADDRESS TOKEN STOP ANSWERED`: posts a new member every 5 ms, each on its own connection,
/// until the file STOP exists. Writes the members whose ADD was answered OK to the file ANSWERED,
/// and prints the number of all others.
fn poster(arguments: &[String]) {
    let [address, token, stop, answered] = arguments else {
        panic!("poster ADDRESS TOKEN STOP ANSWERED")
    };
    let (sender, results) = mpsc::channel();
    let (mut next, mut member) = (Instant::now(), 0_u32);
    while !Path::new(stop).exists() {
        member += 1;
        let (sender, request) = (sender.clone(), add(token, member, "close"));
        let address = address.clone();
        std::thread::spawn(move || {
            let answer = connect(&address).and_then(|mut stream| exchange(&mut stream, &request));
            let _ = sender.send((member, answer));
        });
        next += POST_EVERY;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    drop(sender);
    report("poster", &results.iter().collect::<Vec<_>>(), answered);
}

/// `kept-poster ADDRESS TOKEN STOP ANSWERED`: like `poster`, on one connection for as long as the
/// server keeps it open.
fn kept_poster(arguments: &[String]) {
    let [address, token, stop, answered] = arguments else {
        panic!("kept-poster ADDRESS TOKEN STOP ANSWERED")
    };
    let (mut results, mut kept) = (Vec::new(), None);
    for member in 1_000_001.. {
        if Path::new(stop).exists() {
            break;
        }
        let mut post = || {
            let mut stream = match kept.take() {
                Some(stream) => stream,
                None => connect(address)?,
            };
            let answer = exchange(&mut stream, &add(token, member, "keep-alive"))?;
            kept = answer.is_kept.then_some(stream);
            Ok(answer)
        };
        results.push((member, post()));
        std::thread::sleep(POST_EVERY);
    }
    report("kept-poster", &results, answered);
}

fn report(name: &str, results: &[(u32, Result<Answer, Error>)], answered: &str) {
    let (mut ok, mut problems) = (String::new(), Vec::new());
    for (member, result) in results {
        match result {
            Ok(answer) if answer.status == 200 && answer.body.starts_with("OK|") => {
                ok += &format!("{member}\n");
            }
            Ok(answer) => problems.push(format!("{member}: {} {}", answer.status, answer.body)),
            Err(error) => problems.push(format!("{member}: {error}")),
        }
    }
    fs::write(answered, ok).unwrap();
    assert!(results.len() > 50, "{} posts", results.len());
    println!("{name}: {} of many not answered OK {problems:?}", problems.len());
}

/// `hold-lock DATABASE SECONDS`: holds the write lock for this time.
fn hold_lock(arguments: &[String]) {
    let [database, seconds] = arguments else { panic!("hold-lock DATABASE SECONDS") };
    let conn = Connection::open(database).unwrap();
    conn.busy_timeout(PATIENCE).unwrap();
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    std::thread::sleep(Duration::from_secs(seconds.parse().unwrap()));
    conn.execute_batch("ROLLBACK").unwrap();
}

/// `count DATABASE QUERY`: prints the number that the query returns.
fn count(arguments: &[String]) {
    let [database, query] = arguments else { panic!("count DATABASE QUERY") };
    let conn = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    conn.busy_timeout(PATIENCE).unwrap();
    let count: i64 = conn.query_row(query, [], |row| row.get(0)).unwrap();
    println!("{count}");
}

struct Answer {
    status: u16,
    body: String,
    is_kept: bool,
}

fn add(token: &str, member: u32, connection: &str) -> String {
    let body = format!(
        "action=ADD&siteid=1&memberid={member}&username=name-{member}&cryptpass=ab01FAX.bQRSU"
    );
    request(token, &body, connection)
}

fn request(token: &str, body: &str, connection: &str) -> String {
    format!(
        "POST /postback/{token} HTTP/1.1\r\nHost: test\r\nConnection: {connection}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn connect(address: &str) -> Result<TcpStream, Error> {
    let address: SocketAddr = address.parse().unwrap();
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Sends a request and reads its response, which must have a length.
fn exchange(stream: &mut TcpStream, request: &str) -> Result<Answer, Error> {
    stream.write_all(request.as_bytes())?;
    let (mut received, mut part) = (String::new(), [0; 4096]);
    loop {
        if let Some((head, body)) = received.split_once("\r\n\r\n") {
            let head = head.to_lowercase();
            let value = |name: &str| {
                head.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim())
            };
            let length: usize = value("content-length:").unwrap_or("0").parse().unwrap();
            if body.len() >= length {
                return Ok(Answer {
                    status: head[9..12].parse().unwrap(),
                    body: body.to_owned(),
                    is_kept: value("connection:") != Some("close"),
                });
            }
        }
        let read = stream.read(&mut part)?;
        if read == 0 {
            return Err(Error::new(ErrorKind::UnexpectedEof, "closed without an answer"));
        }
        received.push_str(&String::from_utf8_lossy(&part[..read]));
    }
}
