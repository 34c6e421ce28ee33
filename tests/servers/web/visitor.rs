//! A visitor of the protected site, over TLS. Plain requests are written here, because a start of
//! curl with TLS needs more processor time than the rest of the test. What needs a client of its
//! own, such as redirects, is sent by curl.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::{Host, WebServer};
use crate::support::{PATIENCE, Request, Response, read_response, real_program};

/// Ends each of several responses. No response contains it.
const END: &str = "--- end of a response ---";

/// A visitor with a browser.
pub struct Visitor {
    curl: PathBuf,
    options: Vec<String>,
    tls: Arc<ClientConfig>,
    port: u16,
    plain_port: u16,
}

impl Visitor {
    /// A visitor of this server.
    pub fn of(host: &Host, server: &WebServer) -> Self {
        let options =
            ["-q", "-s", "-S", "-i", "--http1.1", "--path-as-is", "--max-time", "30", "--cacert"];
        let mut options: Vec<String> = options.map(str::to_owned).to_vec();
        options.push(host.certificate().display().to_string());
        // The first matching entry counts. Every port except 80 leads to the port with TLS.
        options.extend(["--connect-to".into(), format!(":80:127.0.0.1:{}", host.plain_port)]);
        options.extend(["--connect-to".into(), format!("::127.0.0.1:{}", server.port)]);
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(host.certificate()).unwrap()).unwrap();
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = ClientConfig::builder_with_provider(ring)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.resumption = Resumption::disabled();
        Self {
            curl: real_program("curl").unwrap(),
            options,
            tls: Arc::new(tls),
            port: server.port,
            plain_port: host.plain_port,
        }
    }

    /// Requests any address of the host. The options are two of curl's: `-H`, a header, and `-u`,
    /// name and password for HTTP Basic.
    pub fn request(&self, url: &str, options: &[&str]) -> Response {
        self.send("GET", url, options, |request| request)
    }

    fn send(
        &self,
        method: &str,
        url: &str,
        options: &[&str],
        body: impl FnOnce(Request) -> Request,
    ) -> Response {
        let (scheme, address) = url.split_once("://").unwrap();
        let (host, path) = address.split_at(address.find('/').unwrap());
        let mut request = Request::new(method, path).host(host).header("Accept", "*/*");
        let (pairs, rest) = options.as_chunks();
        assert!(rest.is_empty(), "{url}: an option without a value: {rest:?}");
        for [option, value] in pairs {
            request = match (*option, value.split_once(':')) {
                ("-H", Some(_)) => request.lines(&format!("{value}\r\n")),
                ("-u", Some((name, password))) => request.basic(name, password),
                _ => panic!("{url}: {option} {value}"),
            };
        }
        let request = Vec::from(body(request));
        let answer = match scheme {
            "https" => {
                let name = host.split(':').next().unwrap().to_owned();
                let name = ServerName::try_from(name).unwrap();
                let tls = ClientConnection::new(Arc::clone(&self.tls), name).unwrap();
                exchange(StreamOwned::new(tls, connect(self.port)), &request)
            }
            "http" => exchange(connect(self.plain_port), &request),
            _ => panic!("{url}: neither http nor https"),
        };
        answer.unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    /// Sends a form to any address of the host, with options as of [`Visitor::request`].
    pub fn post(&self, url: &str, body: &str, options: &[&str]) -> Response {
        self.send("POST", url, options, |request| request.form(body))
    }

    /// Sends a form, and follows the redirect. Returns the last answer.
    pub fn post_and_follow(&self, url: &str, body: &str, more: &[&str]) -> Response {
        let output = Command::new(&self.curl)
            .args(&self.options)
            .args(["--data-raw", body])
            .args(more)
            .arg(url)
            .output()
            .unwrap();
        assert!(output.status.success(), "{url}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let last = text.rfind("HTTP/1.1 ").unwrap();
        read_response(&mut &output.stdout[last..]).unwrap()
    }

    /// Begins to send a form to any address of the host. The caller writes its body later. Returns
    /// when the web server has asked for the body.
    pub fn begin(&self, url: &str) -> Child {
        let mut command = Command::new(&self.curl);
        command.args(&self.options).args([
            "-v",
            "-X",
            "POST",
            "-T",
            "-",
            "-H",
            "Expect: 100-continue",
        ]);
        command.args(["-H", "Content-Type: application/x-www-form-urlencoded", url]);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        assert!(said.any(|line| line.starts_with("< HTTP/1.1 100 ")), "{url}: no 100 Continue");
        // Reads further output, which would fill the pipe.
        std::thread::spawn(move || said.for_each(drop));
        child
    }

    /// Requests a path with options as of [`Visitor::request`].
    pub fn get_with(&self, path: &str, options: &[&str]) -> Response {
        self.request(&format!("https://www.example.com{path}"), options)
    }

    /// Requests a path once for each list of further options of curl, one after the other in one
    /// process, which is faster than a process each.
    pub fn get_with_each(&self, requests: &[(&str, Vec<&str>)]) -> Vec<Response> {
        let mut command = Command::new(&self.curl);
        // `-q` counts only as the first argument.
        command.arg(&self.options[0]);
        for (index, (path, more)) in requests.iter().enumerate() {
            command.args((index > 0).then_some("--next")).args(&self.options[1..]).args(more);
            command.args(["--write-out", END, &format!("https://www.example.com{path}")]);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let responses = text.strip_suffix(END).unwrap().split(END);
        responses.map(|one| read_response(&mut one.as_bytes()).unwrap()).collect()
    }

    /// Requests a path without a password.
    pub fn get(&self, path: &str) -> Response {
        self.get_with(path, &[])
    }

    /// Requests a path with HTTP Basic.
    pub fn get_as(&self, name: &str, password: &str, path: &str) -> Response {
        self.get_with(path, &["-u", &format!("{name}:{password}")])
    }

    /// The status of a request with HTTP Basic.
    pub fn status_as(&self, name: &str, password: &str, path: &str) -> u16 {
        self.get_as(name, password, path).status
    }
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends a request, and reads the response with its whole body.
fn exchange(mut stream: impl Read + Write, request: &[u8]) -> std::io::Result<Response> {
    stream.write_all(request)?;
    stream.flush()?;
    let mut response = read_response(&mut stream)?;
    if response.header("transfer-encoding") == Some("chunked") {
        response.body = join_chunks(response.body.as_bytes())?;
    }
    Ok(response)
}

/// The text of a body in chunks, of which none may be missing.
fn join_chunks(mut chunks: &[u8]) -> std::io::Result<String> {
    let mut text = Vec::new();
    loop {
        let mut size = String::new();
        chunks.read_line(&mut size)?;
        let size = u64::from_str_radix(size.trim_end(), 16).map_err(std::io::Error::other)?;
        if size == 0 {
            return String::from_utf8(text).map_err(std::io::Error::other);
        }
        let before = text.len();
        (&mut chunks).take(size).read_to_end(&mut text)?;
        let mut end = [0; 2];
        chunks.read_exact(&mut end)?;
        assert_eq!((text.len() - before, &end), (usize::try_from(size).unwrap(), b"\r\n"));
    }
}
