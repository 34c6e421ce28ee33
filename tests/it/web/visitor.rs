//! A visitor of the protected site, who uses curl over TLS.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::{Host, WebServer};
use crate::support::{Response, read_response, real_program};

/// Ends each of several responses. No response contains it.
const END: &str = "--- end of a response ---";

/// A visitor with a browser.
pub struct Visitor {
    curl: PathBuf,
    options: Vec<String>,
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
        Self { curl: real_program("curl").unwrap(), options }
    }

    /// Requests any address of the host, with further options of curl.
    pub fn request(&self, url: &str, more: &[&str]) -> Response {
        let output =
            Command::new(&self.curl).args(&self.options).args(more).arg(url).output().unwrap();
        assert!(output.status.success(), "{url}: {}", String::from_utf8_lossy(&output.stderr));
        read_response(&mut output.stdout.as_slice()).unwrap()
    }

    /// Sends a form to any address of the host, with further options of curl.
    pub fn post(&self, url: &str, body: &str, more: &[&str]) -> Response {
        self.request(url, &[&["--data-raw", body], more].concat())
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

    /// Requests a path with further options of curl.
    pub fn get_with(&self, path: &str, more: &[&str]) -> Response {
        self.request(&format!("https://www.example.com{path}"), more)
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
