//! A server in place of NATS, which answers correctly, incorrectly or not at all.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How the server answers one request.
#[derive(Clone)]
pub enum Day {
    /// With this status, type and body. The connection stays open.
    Answer(u16, &'static str, String),
    /// With these bytes; then it closes the connection.
    AnswerAndClose(String),
    /// With a redirect to this address.
    Redirect(String),
    /// It closes the connection without an answer.
    Close,
    /// It sends half an answer, then closes the connection.
    Half,
    /// It sends nothing. The connection stays open.
    Silence,
    /// It sends the head and then single bytes, slowly and without an end.
    Trickle,
    /// It sends the head and then bytes at full speed, without an end.
    Endless,
    /// It sends something that is not HTTP.
    Nonsense,
}

/// The requests: request lines, headers with lower-case names, and bodies.
pub type Asked = Arc<Mutex<Vec<String>>>;

/// A server on a free port. Its threads end with their connections.
pub struct Nats {
    pub address: SocketAddr,
    pub asked: Asked,
    pub connections: Arc<AtomicUsize>,
}

impl Nats {
    /// Starts a server that uses the next behaviour for each request, and the last one for all
    /// further requests.
    pub fn with(days: Vec<Day>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let nats = Self {
            address: listener.local_addr().unwrap(),
            asked: Asked::default(),
            connections: Arc::default(),
        };
        let (asked, connections, days) =
            (Arc::clone(&nats.asked), Arc::clone(&nats.connections), Arc::new(days));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                connections.fetch_add(1, Ordering::SeqCst);
                let (asked, days) = (Arc::clone(&asked), Arc::clone(&days));
                std::thread::spawn(move || serve(&stream.unwrap(), &asked, &days));
            }
        });
        nats
    }

    /// Starts a server that answers every request with this body.
    pub fn answering(body: &str) -> Self {
        Self::with(vec![Day::Answer(200, "application/json", body.into())])
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(stream: &TcpStream, asked: &Asked, days: &[Day]) {
    let mut lines = BufReader::new(stream);
    while let Some(request) = read_request(&mut lines) {
        let number = {
            let mut asked = asked.lock().unwrap();
            asked.push(request);
            asked.len() - 1
        };
        if !answer(stream, &days[number.min(days.len() - 1)]) {
            return;
        }
    }
}

fn read_request(lines: &mut BufReader<&TcpStream>) -> Option<String> {
    let mut request = String::new();
    loop {
        let before = request.len();
        if lines.read_line(&mut request).ok()? == 0 {
            return None;
        }
        if request[before..].trim().is_empty() {
            let length =
                request.to_lowercase().split_once("content-length: ").map_or(0, |(_, it)| {
                    it.split_once('\r').and_then(|(length, _)| length.parse().ok()).unwrap()
                });
            let mut body = vec![0; length];
            lines.read_exact(&mut body).ok()?;
            return Some(request + str::from_utf8(&body).unwrap());
        }
    }
}

/// Returns whether the connection stays open. An error means that the client has closed it.
fn answer(mut stream: &TcpStream, day: &Day) -> bool {
    let head = |status: u16, kind: &str, length: usize| {
        format!("HTTP/1.1 {status} Day\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n")
    };
    let endless =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    match day {
        Day::Answer(status, kind, body) => stream
            .write_all(format!("{}{body}", head(*status, kind, body.len())).as_bytes())
            .is_ok(),
        Day::AnswerAndClose(body) => {
            let _ = stream.write_all(
                format!("{}{body}", head(200, "application/json", body.len())).as_bytes(),
            );
            false
        }
        Day::Redirect(to) => stream
            .write_all(
                format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n")
                    .as_bytes(),
            )
            .is_ok(),
        Day::Close => false,
        Day::Half => {
            let _ = stream
                .write_all(format!("{}{{\"resu", head(200, "application/json", 46)).as_bytes());
            false
        }
        // Until the client closes the connection.
        Day::Silence => stream.read(&mut [0]).is_ok_and(|read| read > 0),
        Day::Trickle => {
            let mut sent = stream.write_all(endless.as_bytes());
            while sent.is_ok() {
                std::thread::park_timeout(Duration::from_millis(20));
                sent = stream.write_all(b"1\r\n \r\n");
            }
            false
        }
        Day::Endless => {
            let mut sent = stream.write_all(endless.as_bytes());
            while sent.is_ok() {
                sent = stream.write_all(b"10\r\n                \r\n");
            }
            false
        }
        Day::Nonsense => {
            let _ = stream.write_all(b"220 mail.example.com ESMTP\r\n");
            false
        }
    }
}
