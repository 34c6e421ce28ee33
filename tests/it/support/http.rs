//! HTTP requests that are sent exactly as written.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpStream};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{PATIENCE, TOKEN};

/// The content type of a form.
pub const FORM: &str = "application/x-www-form-urlencoded";

/// A request. It asks the server to close the connection, unless [`Request::kept_open`] is used.
#[derive(Clone)]
pub struct Request {
    line: String,
    headers: String,
    host: String,
    closes: bool,
    body: Option<Vec<u8>>,
}

impl Request {
    /// `method` is the method, such as "GET". `path` includes the query.
    pub fn new(method: &str, path: &str) -> Self {
        Self {
            line: format!("{method} {path}"),
            headers: String::new(),
            host: "test".to_owned(),
            closes: true,
            body: None,
        }
    }

    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    pub fn post(path: &str) -> Self {
        Self::new("POST", path)
    }

    /// A postback with the right token.
    pub fn postback(form: &str) -> Self {
        Self::post(&format!("/postback/{TOKEN}")).form(form)
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers += &format!("{name}: {value}\r\n");
        self
    }

    /// Adds complete header lines, each with its line end.
    pub fn lines(mut self, lines: &str) -> Self {
        self.headers += lines;
        self
    }

    pub fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// Adds username and password as a browser sends them after its prompt.
    pub fn basic(self, name: &str, password: &str) -> Self {
        let both = STANDARD.encode(format!("{name}:{password}"));
        self.header("Authorization", &format!("Basic {both}"))
    }

    pub fn cookie(self, cookies: &str) -> Self {
        self.header("Cookie", cookies)
    }

    /// Adds the address of the client as a proxy reports it.
    pub fn from(self, address: &str) -> Self {
        self.header("X-Forwarded-For", address)
    }

    /// Adds the headers with which a browser says that a page of the same origin sends the form.
    pub fn same_origin(self) -> Self {
        self.header("Sec-Fetch-Site", "same-origin")
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Adds an unchanged body of type [`FORM`].
    pub fn form(self, body: &str) -> Self {
        self.header("Content-Type", FORM).body(body)
    }

    /// The head alone, for a body of this length that is sent later or never.
    pub fn announcing(self, bytes: usize) -> Vec<u8> {
        self.header("Content-Length", &bytes.to_string()).into()
    }

    /// Does not ask the server to close the connection.
    pub fn kept_open(mut self) -> Self {
        self.closes = false;
        self
    }
}

impl From<Request> for Vec<u8> {
    fn from(request: Request) -> Self {
        let Request { line, headers, host, closes, body } = request;
        let close = if closes { "Connection: close\r\n" } else { "" };
        let length = match &body {
            Some(body) => format!("Content-Length: {}\r\n", body.len()),
            None => String::new(),
        };
        let head = format!("{line} HTTP/1.1\r\nHost: {host}\r\n{close}{headers}{length}\r\n");
        [head.into_bytes(), body.unwrap_or_default()].concat()
    }
}

/// An HTTP response.
#[derive(Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    /// Names in lower case, in the received order.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Response {
    /// Whether it is a page for a browser.
    pub fn is_html(&self) -> bool {
        self.header("content-type").is_some_and(|kind| kind.starts_with("text/html"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

/// Reads one response, to its Content-Length or to the end of the connection.
pub fn read_response(stream: &mut impl Read) -> std::io::Result<Response> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    // A server may say "100 Continue" first.
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if !line.starts_with("HTTP/1.1 100") {
            break;
        }
        reader.read_line(&mut String::new())?;
    }
    let status = line
        .split(' ')
        .nth(1)
        .and_then(|code| code.trim().parse().ok())
        .ok_or(std::io::ErrorKind::InvalidData)?;
    let mut headers = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .and_then(|(_, value)| value.parse::<u64>().ok());
    let mut body = Vec::new();
    match length {
        Some(bytes) => reader.take(bytes).read_to_end(&mut body)?,
        None => reader.read_to_end(&mut body)?,
    };
    Ok(Response { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
}

/// Sends a [`Request`] or plain bytes on a new connection, and reads one response.
pub fn send_raw(address: SocketAddr, request: impl Into<Vec<u8>>) -> std::io::Result<Response> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&request.into())?;
    read_response(&mut stream)
}

/// A urlencoded POST to `/postback/{token}` on a connection of its own.
pub fn post_to(address: SocketAddr, token: &str, body: &[u8]) -> std::io::Result<Response> {
    let post = Request::post(&format!("/postback/{token}"));
    send_raw(address, post.header("Content-Type", FORM).body(body))
}

/// A client that keeps its connection open, as a busy NATS does.
pub struct Caller(TcpStream);

impl Caller {
    pub fn connect(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    /// A urlencoded POST with the right token, and its response.
    pub fn post(&mut self, body: &str) -> std::io::Result<Response> {
        self.0.write_all(&Vec::from(Request::postback(body).kept_open()))?;
        read_response(&mut self.0)
    }
}
