//! No secret is ever readable, whatever is sent and however malformed. The files of the data
//! directory, the most verbose log, the replies and the output of the commands never show one, in
//! clear text or in any encoding. On a server, the tables, the files of the server with its redo
//! log, and a log of every statement with its values do not show one either.

mod console;
pub mod search;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mysql::prelude::Queryable as _;
use nats_userman::store::Location;
use rusqlite::Connection;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::support::{
    Beside, MariaDatabase, PATIENCE, Request, eventually, program, rows, temp_dir,
};
use search::Search;

/// The parameters of the contract whose values are secrets.
const SECRETS: [&str; 9] = [
    "password",
    "new_password",
    "cryptpass",
    "new_cryptpass",
    "session",
    "token_hash",
    "new_token",
    "gateway_token",
    "bin_hash",
];
/// Personal details in a record: the journal shows them as `***`, and they have no column.
const PERSONAL: [&str; 8] =
    ["firstname", "lastname", "address1", "address2", "zip", "city", "country", "state"];
/// A value that is sent in clear text and is no secret. If it is not found, the search looks in the
/// wrong places.
pub const SEEN: &str = "seen8username";
/// Passwords that are sent together before the kill. They cannot all be hashed before the last
/// reply is read.
const BACKLOG: u32 = 24;
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

/// Secrets that were sent.
#[derive(Default)]
pub struct Sent {
    pub search: Search,
    pub count: u32,
}

impl Sent {
    /// A text of this many characters, which never repeats and is the same in every run.
    pub fn fresh(&mut self, chars: usize) -> String {
        const ALPHABET: &[u8; 62] =
            b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        self.count += 1;
        let blocks =
            (0u32..).flat_map(|block| Sha256::digest(format!("secret {} {block}", self.count)));
        blocks
            .take(chars)
            .map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]))
            .collect()
    }

    /// A secret of letters and digits.
    pub fn plain(&mut self, what: &str) -> String {
        let text = self.fresh(20);
        self.search.add(what, text.as_bytes());
        text
    }

    /// A secret with every character that an encoder might escape.
    pub fn odd(&mut self, what: &str) -> String {
        let text = format!("p+&=% é{}\"'\\|;<{}\u{20ac}", self.fresh(10), self.fresh(10));
        self.search.add(what, text.as_bytes());
        text
    }

    /// A traditional DES crypt(3) string. Its first two characters are the salt, which is no
    /// secret.
    pub fn cryptpass(&mut self, what: &str) -> String {
        let text = format!("{}.", self.fresh(12));
        self.search.add(what, text.as_bytes());
        self.search.add(what, &text.as_bytes()[2..12]);
        text
    }

    /// 32 hexadecimal digits, as NATS writes sessions.
    pub fn hex(&mut self, what: &str) -> String {
        let digest = Sha256::digest(self.fresh(20));
        let text: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        self.search.add(what, text.as_bytes());
        text
    }

    /// A value for the field of this name.
    pub fn of(&mut self, name: &str) -> String {
        match name {
            "cryptpass" | "new_cryptpass" => self.cryptpass(name),
            "session" | "token_hash" => self.hex(name),
            "password" | "new_password" => self.odd(name),
            _ => self.plain(name),
        }
    }

    /// All secrets and personal details that a record can have.
    pub fn record(&mut self) -> Vec<(&'static str, String)> {
        SECRETS.into_iter().chain(PERSONAL).map(|name| (name, self.of(name))).collect()
    }
}

/// A urlencoded form.
pub fn form(pairs: &[(&str, String)]) -> String {
    serde_urlencoded::to_string(pairs).unwrap()
}

/// A multipart form with the boundary `B`.
pub fn multipart(pairs: &[(&str, String)]) -> String {
    let part = |(name, value): &(&str, String)| {
        format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    pairs.iter().map(part).collect::<String>() + "--B--\r\n"
}

/// A caller of the service. It keeps the answers.
pub struct Caller {
    pub address: SocketAddr,
    pub token: String,
    pub sent: Sent,
    pub answers: Vec<u8>,
    pub members: u32,
}

impl Caller {
    /// Sends bytes, and reads until the connection ends in any way.
    pub fn exchange(&mut self, request: &[u8]) -> String {
        let answer = exchange(self.address, request);
        self.answers.extend_from_slice(&answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub fn request(
        &mut self,
        method: &str,
        query: &str,
        headers: &str,
        body: impl AsRef<[u8]>,
    ) -> String {
        let path = format!("/postback/{}{query}", self.token);
        self.exchange(&request(method, &path, headers, body.as_ref()))
    }

    pub fn post(&mut self, body: impl AsRef<[u8]>) -> String {
        self.request("POST", "", FORM, body)
    }

    /// The fields of a new member: `action=…&siteid=1&memberid=…&username=…`.
    pub fn newcomer(&mut self, action: &str) -> Vec<(&'static str, String)> {
        self.members += 1;
        let (member, name) = (self.members.to_string(), format!("{SEEN}{}", self.members));
        vec![
            ("action", action.to_owned()),
            ("siteid", "1".into()),
            ("memberid", member),
            ("username", name),
        ]
    }

    pub fn all_actions(&mut self) {
        for action in
            ["ADD", "MANUALADD", "ACTIVATE", "TRIALTOFULL", "CHANGE", "DELETE", "EXPIRE", "CHECK"]
        {
            let mut add = self.newcomer("ADD");
            add.extend(self.sent.record());
            assert_ok(&self.post(form(&add)));
            // The same member with new secrets, and with an expiry in the future.
            add[0].1 = action.into();
            let mut again = add[..4].to_vec();
            again.extend(self.sent.record());
            again.push(("expire", "2099-01-01".into()));
            assert_ok(&self.post(form(&again)));
            assert_ok(&self.request(
                "POST",
                "",
                "Content-Type: multipart/form-data; boundary=B\r\n",
                multipart(&again),
            ));
            assert_ok(&self.request("GET", &format!("?{}", form(&again)), "", ""));
        }
    }

    pub fn credentials_alone(&mut self) {
        for name in ["password", "cryptpass"] {
            let mut add = self.newcomer("ADD");
            add.push((name, self.sent.of(name)));
            assert_ok(&self.post(form(&add)));
        }
        let md5 = format!(
            "$1$saltsalt${}.",
            self.sent.plain("digest of MD5 crypt").repeat(2).split_at(21).0
        );
        let mut add = self.newcomer("ADD");
        add.push(("cryptpass", md5));
        assert_ok(&self.post(form(&add)));
        let western: Vec<u8> =
            self.sent.plain("password in Windows-1252").bytes().chain(*b"%E9%80").collect();
        let add = self.newcomer("ADD");
        assert_ok(&self.post([format!("{}&password=", form(&add)).as_bytes(), &western].concat()));
    }

    /// Names that are on no list: with the brackets of arrays, in other cases, and undocumented
    /// parameters.
    pub fn unlisted_names(&mut self) {
        for secret in SECRETS {
            let dotted = secret.replace('_', ".");
            let names = [
                format!("mychanges_{secret}"),
                format!("mychanges[{secret}]"),
                format!("{secret}[]"),
                format!("{secret}[x][y]"),
                format!("{secret}[x"),
                format!("[{secret}]"),
                format!(" {secret}"),
                format!("{secret}\0"),
                format!("{secret} "),
                secret.to_ascii_uppercase(),
                format!("x_{secret}"),
                format!("{secret}2"),
                dotted,
            ];
            let mut pairs = self.newcomer("ADD");
            pairs.push(("password", self.sent.odd("password")));
            for name in &names {
                // The last of repeated names counts, and ` password` is another spelling of
                // `password`.
                let value = self.sent.of(secret);
                pairs.push((name, value));
            }
            assert_ok(&self.post(form(&pairs)));
            assert_ok(&self.request("GET", &format!("?{}", form(&pairs)), "", ""));
            // A header cannot contain a NUL.
            pairs.retain(|(name, _)| !name.contains('\0'));
            assert_ok(&self.request(
                "POST",
                "",
                "Content-Type: multipart/form-data; boundary=B\r\n",
                multipart(&pairs),
            ));
        }
        let names: Vec<String> = (0..3).map(|_| self.sent.plain("name of a field")).collect();
        let add = form(&self.newcomer("DELETE"));
        assert_ok(&self.post(format!("{}&{add}&{}=1&x[{}]=2", names[0], names[1], names[2])));
    }

    /// A sender that does not escape its values, or uses other separators.
    pub fn badly_encoded(&mut self) {
        let (one, two) =
            (self.sent.plain("password up to its &"), self.sent.plain("password from its & on"));
        let add = form(&self.newcomer("ADD"));
        assert_ok(&self.post(format!("{add}&password={one}&{two}&trial=0")));
        assert_ok(&self.post(format!("{add}&password={one}&{two}=x&{two}[&=%zz{two}&trial=0")));

        for separator in
            ["\n", "\r\n", "", ";", "&amp;", "%26", "%2526", "; ", "%0A", "\n\n", "|", " "]
        {
            for first in ["action", "memberid", "username", "siteid", "status"] {
                let mut pairs = vec![(first, "1".to_owned())];
                pairs.extend(self.sent.record());
                pairs.extend(self.newcomer("ADD"));
                let equals = if separator == "%2526" { "%253D" } else { "=" };
                let plain = |(name, value): &(&str, String)| {
                    format!(
                        "{name}{equals}{}",
                        value.replace(|c: char| !c.is_ascii_alphanumeric(), ".")
                    )
                };
                let joined = pairs
                    .iter()
                    .map(plain)
                    .collect::<Vec<_>>()
                    .join(separator)
                    .replacen(equals, "=", 1);
                self.post(&joined);
                self.request("POST", "", "", &joined);
                self.request(
                    "POST",
                    &format!("?action=CHECK&siteid=1&username={SEEN}"),
                    "",
                    &joined,
                );
                self.request("POST", "?action=DELETE&siteid=1&memberid=99", "", &joined);
                self.request(
                    "GET",
                    &format!("?{}", joined.replace(['\r', '\n', ' '], "%0A")),
                    "",
                    "",
                );
            }
        }
    }

    pub fn no_form(&mut self) {
        let mut pairs = self.newcomer("ADD");
        pairs.extend(self.sent.record());
        let object: serde_json::Map<_, _> =
            pairs.iter().map(|(name, value)| ((*name).into(), value.as_str().into())).collect();
        let json = serde_json::Value::Object(object).to_string();
        let xml: String =
            pairs.iter().map(|(name, value)| format!("<{name}>{value}</{name}>")).collect();
        for body in [json, xml, form(&pairs), multipart(&pairs)] {
            for kind in [
                "application/json",
                "text/plain",
                "text/xml; charset=utf-8",
                "",
                "application/x-www-form-urlencoded",
                "?",
            ] {
                self.request("POST", "", &format!("Content-Type: {kind}\r\n"), &body);
                self.request(
                    "POST",
                    "?action=DELETE&siteid=1&memberid=99",
                    &format!("Content-Type: {kind}\r\n"),
                    &body,
                );
            }
        }
    }

    pub fn broken_multipart(&mut self) {
        let mut pairs = self.newcomer("ADD");
        pairs.extend(self.sent.record());
        let whole = multipart(&pairs);
        let named = self.sent.plain("name of a part");
        let file = format!(
            "--B\r\nContent-Disposition: form-data; name=\"{named}\"; filename=\"{named}\"\r\n\r\n\
             {named}\r\n--B\r\nX-{named}: \r\n\r\n{named}\r\n--B--"
        );
        let cut = &whole[..whole.len() - 9];
        for body in [
            cut,
            &whole.replace("--B", "--C"),
            &whole.replace("\r\n\r\n", "\r\n"),
            &whole.replace('\r', ""),
            &file,
        ] {
            for kind in [
                "multipart/form-data; boundary=B",
                "multipart/form-data",
                "multipart/mixed; boundary=B",
            ] {
                self.request("POST", "", &format!("Content-Type: {kind}\r\n"), body);
            }
        }
    }

    pub fn unreadable_values(&mut self) {
        let long =
            |sent: &mut Sent, times: usize| sent.plain("a value that is too long").repeat(times);
        for (name, times) in [
            ("password", 60),
            ("cryptpass", 1),
            ("cryptpass", 60),
            ("session", 60),
            ("new_password", 1_000),
        ] {
            for action in ["ADD", "CHANGE", "ACTIVATE"] {
                let mut pairs = self.newcomer(action);
                pairs.push((name, long(&mut self.sent, times)));
                self.post(form(&pairs));
                pairs.push(("password", self.sent.odd("password")));
                self.post(form(&pairs));
            }
        }
        let control = format!("\r\n\0{}", self.sent.plain("session with control characters"));
        let mut pairs = self.newcomer("ADD");
        pairs.extend([
            ("session", control),
            ("password", self.sent.odd("password")),
            ("joined", "soon".into()),
            ("trial", "x".into()),
        ]);
        assert_ok(&self.post(form(&pairs)));
    }

    /// Every kind of ERROR, with secrets next to the wrong value.
    pub fn refused_by_the_rules(&mut self) {
        let held = form(&self.newcomer("ADD"));
        let password = form(&[("password", self.sent.odd("password"))]);
        assert_ok(&self.post(format!("{held}&{password}")));
        let other = format!("action=ADD&siteid=1&memberid=999999&username={SEEN}{}", self.members);
        for wrong in [
            other.as_str(),
            "action=CHANGE&siteid=1&memberid=888888",
            "action=REMOVE&siteid=1&memberid=1",
            "action=ADD&siteid=x&memberid=1&username=b",
            "action=ADD&siteid=1&memberid=&username=b",
            "action=ADD&siteid=1&memberid=1&username=a%0Ab",
            "action=CHANGE&siteid=1&memberid=1&new_trial=x",
            "action=EXPIRE&siteid=1&memberid=1&expire=soon",
            "action=EXPIRE&siteid=1&memberid=888888&expire=2099-01-01",
            "action=CHECK&siteid=1",
            "",
        ] {
            let record = self.sent.record();
            let said = self.post(format!("{}&{wrong}", form(&record)));
            assert!(said.contains("\r\n\r\nERROR|"), "{wrong}: {said}");
        }
    }

    /// Callers with no token or with an almost correct one, on any path and with any method.
    pub fn refused_at_the_door(&mut self) {
        let mut pairs = self.newcomer("ADD");
        pairs.extend(self.sent.record());
        let (body, wrong) = (form(&pairs), self.sent.plain("a wrong token").repeat(2));
        let path = format!("/postback/{wrong}");
        let headers = format!(
            "{FORM}Authorization: Basic {}\r\nCookie: session={}\r\nX-Forwarded-For: {}\r\n\
             User-Agent: {}\r\nReferer: http://x/?p={}\r\n",
            self.sent.plain("a header"),
            self.sent.plain("a cookie"),
            self.sent.plain("X-Forwarded-For"),
            self.sent.plain("User-Agent"),
            self.sent.plain("Referer")
        );
        for path in [
            path.as_str(),
            "/postback",
            "/postback/",
            &format!("/{wrong}"),
            &format!("{path}/{wrong}"),
            "/",
        ] {
            for method in ["POST", "GET", "PUT", "HEAD", "OPTIONS"] {
                self.exchange(&request(method, path, &headers, body.as_bytes()));
                self.exchange(&request(method, &format!("{path}?{body}"), &headers, b""));
            }
        }
        for method in ["PUT", "DELETE", "PATCH"] {
            let said = self.request(method, &format!("?{body}"), &headers, &body);
            assert!(said.starts_with("HTTP/1.1 405"), "{said}");
        }
        assert_ok(&self.request("POST", "", &headers, &body));
    }

    /// Visitors of the members area: right and wrong passwords in both ways, valid and forged
    /// cookies, mistakes of all kinds.
    pub fn visitors(&mut self) {
        let mut add = self.newcomer("ADD");
        let (name, password) = (add[3].1.clone(), self.sent.plain("a member's password"));
        add.push(("password", password.clone()));
        assert_ok(&self.post(form(&add)));
        let wrong = self.sent.odd("a wrong password");
        for (user, secret) in [
            (&name, &password),
            (&name, &wrong),
            (&self.sent.plain("a password typed as a name"), &wrong),
        ] {
            let basic = STANDARD.encode(format!("{user}:{secret}"));
            self.sent.search.add("Basic credentials", basic.as_bytes());
            for query in [
                "site=1",
                "site=1&ask=page",
                "site=1&trial=no",
                "site=0",
                &format!("site=1&x={basic}")[..],
            ] {
                self.exchange(&request(
                    "GET",
                    &format!("/auth?{query}"),
                    &format!("Authorization: Basic {basic}\r\n"),
                    b"",
                ));
            }
            let body = form(&[
                ("username", user.clone()),
                ("password", secret.clone()),
                ("back", "/x".into()),
            ]);
            for origin in
                ["Sec-Fetch-Site: same-origin\r\n", "Origin: http://elsewhere.example\r\n"]
            {
                // The answer to a login contains the cookie, as intended, so that answer is not
                // kept.
                let answer = exchange(
                    self.address,
                    &request("POST", "/login?site=1", &format!("{FORM}{origin}"), body.as_bytes()),
                );
                // What was typed as the name stays in that field, and is nowhere else.
                let answer =
                    String::from_utf8_lossy(&answer).replacen(&format!(" value=\"{user}\""), "", 1);
                match answer
                    .split_once("__Host-userman=")
                    .and_then(|(_, rest)| rest.split_once(';'))
                {
                    Some((cookie, _)) => self.sent.search.add("a login cookie", cookie.as_bytes()),
                    None => self.answers.extend_from_slice(answer.as_bytes()),
                }
                let cookie = answer
                    .split_once("__Host-userman=")
                    .and_then(|(_, rest)| Some(rest.split_once(';')?.0))
                    .unwrap_or("forged");
                let cookie = format!("Cookie: __Host-userman={cookie}\r\n");
                self.exchange(&request("GET", "/auth?site=1", &cookie, b""));
                self.exchange(&request(
                    "POST",
                    "/logout",
                    &format!("{FORM}Sec-Fetch-Site: same-origin\r\n{cookie}"),
                    body.as_bytes(),
                ));
            }
        }
        let mistyped = self.sent.plain("another password typed as a name");
        for (number, user) in (0..12).flat_map(|number| [(number, &name), (number, &mistyped)]) {
            let guess = self.sent.plain(&format!("guess {number} at {}", user == &name));
            let basic = STANDARD.encode(format!("{user}:{guess}"));
            self.exchange(&request(
                "GET",
                "/auth?site=1",
                &format!("Authorization: Basic {basic}\r\n"),
                b"",
            ));
        }
    }

    /// Requests that HTTP itself refuses, and clients that close the connection.
    pub fn broken_requests(&mut self) {
        let mut pairs = self.newcomer("ADD");
        pairs.extend(self.sent.record());
        let (body, token) = (form(&pairs), self.token.clone());
        let long = format!("{body}&x={}", "y".repeat(70_000));
        let head = format!("POST /postback/{token}");
        for request in [
            format!("{head}?{body} HTTP/9.9\r\nHost: x\r\n\r\n{body}"),
            format!("{head} {body}\r\n\r\n"),
            format!("{body}\r\n\r\n"),
            format!("{head} HTTP/1.1\r\n{body}\r\n\r\n"),
            format!("{head} HTTP/1.1\r\nHost: x\r\nContent-Length: {body}\r\n\r\n{body}"),
            format!(
                "{head} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\
                 \r\n{body}\r\n\r\n"
            ),
            format!(
                "{head} HTTP/1.1\r\nHost: x\r\n{FORM}Content-Length: 100000\r\n\
                 Connection: close\r\n\r\n{body}"
            ),
            format!(
                "{head} HTTP/1.1\r\nHost: x\r\n{FORM}Content-Length: {}\r\nConnection: close\r\n\
                 \r\n{long}",
                long.len()
            ),
            format!(
                "{head}?{long} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\
                 \r\n"
            ),
            format!(
                "GET /postback/{token}?{long} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            ),
        ] {
            self.exchange(request.as_bytes());
        }
        let chunks = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        let chunked = format!(
            "{head} HTTP/1.1\r\nHost: x\r\n{FORM}Transfer-Encoding: chunked\r\n\
             Connection: close\r\n\r\n{chunks}"
        );
        assert_ok(&self.exchange(chunked.as_bytes()));
        let old = format!("{head} HTTP/1.0\r\n{FORM}Content-Length: {}\r\n\r\n{body}", body.len());
        assert_ok(&self.exchange(old.as_bytes()));
    }

    /// Adds so many members with a password, all at once.
    pub fn add_with_passwords(&mut self, members: u32) {
        let path = format!("/postback/{}", self.token);
        let bodies: Vec<String> = (0..members)
            .map(|_| {
                let mut pairs = self.newcomer("ADD");
                pairs.push(("password", self.sent.odd("password of the backlog")));
                form(&pairs)
            })
            .collect();
        let address = self.address;
        std::thread::scope(|scope| {
            for body in &bodies {
                let request = request("POST", &path, FORM, body.as_bytes());
                scope.spawn(move || {
                    assert_ok(&String::from_utf8_lossy(&exchange(address, &request)))
                });
            }
        });
    }
}

fn request(method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    Request::new(method, path).lines(headers).body(body).into()
}

/// A server that has refused a request may close the connection before the whole request is
/// written. Its answer is not needed here.
fn exchange(address: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let _ = stream.write_all(request);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

fn assert_ok(answer: &str) {
    let end = answer.split("\r\n\r\n").last().unwrap_or_default();
    assert!(answer.starts_with("HTTP/1.") && end.starts_with("OK|"), "{answer}");
}

/// A directory for everything. The program runs as an operator starts it: without a given token,
/// and with its output in files.
pub struct Place {
    pub dir: TempDir,
    pub flags: Vec<String>,
    /// The database, if it is on a server.
    pub server: Option<MariaDatabase>,
}

pub struct Served {
    pub child: Child,
    pub address: SocketAddr,
}

/// A failed test leaves no process running.
impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Place {
    pub fn new(flags: &[&str]) -> Self {
        let dir = temp_dir();
        fs::create_dir(dir.path().join("out")).unwrap();
        let flags = flags.iter().map(|&flag| flag.to_owned()).collect();
        Self { dir, flags, server: None }
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn token(&self) -> String {
        fs::read_to_string(self.data().join("postback-token")).unwrap().trim().to_owned()
    }

    pub fn command(&self) -> Command {
        let mut command = program();
        command
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "1")
            .args(["--data-dir"])
            .arg(self.data())
            .args(&self.flags);
        command
    }

    /// Runs `serve`, with stdout and stderr in files with this name.
    pub fn serve(&self, name: &str, flags: &[&str]) -> Served {
        let file = |end: &str| self.dir.path().join("out").join(format!("{name}.{end}"));
        let (out, err) =
            (fs::File::create(file("stdout")).unwrap(), fs::File::create(file("stderr")).unwrap());
        let mut command = self.command();
        command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(flags)
            .stdout(Stdio::from(out))
            .stderr(Stdio::from(err));
        let child = command.spawn().unwrap();
        let mut address = None;
        // The last line of a start on stdout.
        eventually("the service listens", || {
            let said = fs::read_to_string(file("stdout")).unwrap();
            address = said
                .split_once("listens on ")
                .and_then(|(_, rest)| rest.split_once(',')?.0.parse().ok());
            address.is_some()
        });
        Served { child, address: address.unwrap() }
    }

    /// A caller that has sent nothing yet.
    pub fn caller(&self, served: &Served) -> Caller {
        Caller {
            address: served.address,
            token: self.token(),
            sent: Sent::default(),
            answers: Vec::new(),
            members: 0,
        }
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().unwrap()
    }

    /// The output of all commands that show stored data, and of those that show one member: of the
    /// members up to this number whose turn it is.
    pub fn commands(&self, members: u32, turn: Turn) -> Vec<u8> {
        let mine = (1..=members).filter(|member| member % turn.of == turn.number);
        let members: Vec<String> = mine.map(|member| member.to_string()).collect();
        let shows = members.iter().map(|member| vec!["member", "show", "1", member]);
        let others = [
            "journal",
            "journal --json",
            "member list",
            "member list --former",
            "check-config",
            "token show",
            "key list",
        ];
        let others = others.iter().map(|line| line.split(' ').collect::<Vec<_>>());
        let mut printed = Vec::new();
        for arguments in shows.chain(others) {
            printed.extend(self.printed_by(&arguments));
        }
        printed
    }

    /// All that a command prints that does what it should.
    pub fn printed_by(&self, arguments: &[&str]) -> Vec<u8> {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        [output.stdout, output.stderr].concat()
    }

    pub fn beside(&self) -> Beside {
        Beside::open(&match &self.server {
            Some(database) => database.location(),
            None => Location::sqlite(self.data().join("userman.db")),
        })
    }

    pub fn sealed(&self) -> u32 {
        self.beside().rows("SELECT count(*) FROM journal WHERE sealed IS NOT NULL")[0]
            .parse()
            .unwrap()
    }

    /// Waits as long as the backlog gets smaller. The hash worker has the lowest priority, and
    /// other tests run at the same time.
    pub fn wait_until_all_is_hashed(&self) {
        let mut left = self.sealed();
        while left > 0 {
            eventually("another password is hashed", || self.sealed() < left);
            left = self.sealed();
        }
    }

    /// All files of the data directory, and all output of `serve`.
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        [self.data(), self.dir.path().join("out")].iter().flat_map(|dir| files_in(dir)).collect()
    }

    /// What the server has: its files, those of the database, and its tables as it shows them.
    pub fn files_of_server(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let Some(database) = &self.server else { return Vec::new() };
        let (dir, beside) = (database.server().dir(), self.beside());
        let dirs = [dir.to_owned(), dir.join("data"), dir.join("data").join(database.name())];
        let mut files: Vec<_> = dirs.iter().flat_map(|dir| files_in(dir)).collect();
        for table in beside.rows("SHOW TABLES") {
            files.push((
                format!("table {table}").into(),
                beside.rows(&format!("SELECT * FROM {table}")).join("\n").into(),
            ));
        }
        files
    }

    /// Brings what is in a log into the files of the tables.
    pub fn checkpoint(&self) {
        match &self.server {
            Some(database) => {
                let tables = self.beside().rows("SHOW TABLES").join(", ");
                let mut admin = database.admin();
                admin.query_drop(format!("FLUSH TABLES {tables} FOR EXPORT")).unwrap();
                admin.query_drop("UNLOCK TABLES").unwrap();
            }
            None => checkpoint(&self.data().join("userman.db")),
        }
    }
}

fn files_in(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.is_file())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

/// The keys of the data directory, with those of a rotation.
const KEYS: [&str; 6] = [
    "seal.key",
    "seal.key.next",
    "seal.key.former",
    "cookie.key",
    "cookie.key.next",
    "cookie.key.former",
];

/// Checks that no file and no output contains a secret that was sent, and that the token is only in
/// the right places.
pub fn assert_nothing_found(when: &str, place: &Place, caller: &Caller, printed: &[u8]) {
    let mut own = Search::default();
    own.add("the token", place.token().as_bytes());
    for name in KEYS {
        match fs::read_to_string(place.data().join(name)) {
            Ok(key) => own.add(name, key.trim().as_bytes()),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{name}"),
        }
    }
    let mut seen = Search::default();
    seen.add("a username", SEEN.as_bytes());

    let mut places = place.files();
    if let Some(database) = &place.server {
        own.add("the password of the database", database.password().as_bytes());
    }
    places.push(("the replies".into(), caller.answers.clone()));
    places.push(("printed by commands".into(), printed.to_vec()));
    let of_server = place.files_of_server();
    for (path, content) in places.iter().chain(&of_server) {
        assert_eq!(caller.sent.search.found_in(content), [""; 0], "{when}, in {}", path.display());
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        // The server was told the password, in statements that its log has.
        let may_have_it = ["postback-token", "general.log"];
        if !may_have_it.contains(&&*file) && !KEYS.contains(&&*file) {
            assert_eq!(own.found_in(content), [""; 0], "{when}, in {}", path.display());
        }
    }
    let holds = |part: &str| {
        let all = places.iter().chain(&of_server);
        let mut found = all.filter(|(path, _)| path.to_string_lossy().ends_with(part));
        found.any(|(_, content)| !seen.found_in(content).is_empty())
    };
    let written = match &place.server {
        None => holds("userman.db") || holds("userman.db-wal"),
        Some(_) => {
            holds("general.log")
                && holds("table journal")
                && (holds("ib_logfile0") || holds("journal.ibd"))
        }
    };
    assert!(
        written && holds(".stderr") && holds("the replies") && holds("printed by commands"),
        "{when}: it looks past something"
    );
}

pub fn say_everything(caller: &mut Caller) {
    caller.all_actions();
    caller.credentials_alone();
    caller.unlisted_names();
    caller.badly_encoded();
    caller.no_form();
    caller.broken_multipart();
    caller.unreadable_values();
    caller.refused_by_the_rules();
    caller.refused_at_the_door();
    caller.visitors();
    caller.broken_requests();
}

/// Each member is shown once: in one of so many turns.
#[derive(Clone, Copy)]
pub struct Turn {
    pub number: u32,
    pub of: u32,
}

pub const EVERY_MEMBER: Turn = Turn { number: 0, of: 1 };

/// Runs all of it, with two turns from this one on. Returns the caller, who knows what was sent.
pub fn nothing_is_found_in(place: &Place, first: Turn) -> Caller {
    let mut served = place.serve("first", &[]);
    let mut caller = place.caller(&served);
    say_everything(&mut caller);
    let mut printed = place.commands(caller.members, first);
    assert_nothing_found("at once", place, &caller, &printed);

    caller.add_with_passwords(BACKLOG);
    served.child.kill().unwrap();
    served.child.wait().unwrap();
    assert!(place.sealed() > 0, "everything was hashed before the kill");
    for arguments in [["key", "prepare", "seal"], ["key", "rotate", "seal"]] {
        printed.extend(place.printed_by(&arguments));
    }
    printed.extend(place.printed_by(&["key", "prepare", "cookie"]));
    let there = KEYS.iter().filter(|name| place.data().join(name).exists());
    assert_eq!(there.count(), 4);
    assert_nothing_found("after the kill", place, &caller, &printed);

    let served = place.serve("second", &console::OPS);
    place.wait_until_all_is_hashed();
    let pages = place.pages("second", &mut caller);
    let second = Turn { number: first.number + 1, ..first };
    let printed = [place.commands(caller.members, second), pages].concat();
    assert_nothing_found("after hashing", place, &caller, &printed);
    terminate(served);

    let served = place.serve("third", &["--allow-ip", "192.0.2.1"]);
    caller.address = served.address;
    let refused = form(&caller.sent.record());
    let said = caller.request("POST", &format!("?{refused}"), FORM, &refused);
    assert!(said.starts_with("HTTP/1.1 403"), "{said}");
    terminate(served);
    place.checkpoint();
    assert_nothing_found("after a checkpoint", place, &caller, &printed);
    caller
}

pub fn terminate(mut served: Served) {
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&served.child),
        rustix::process::Signal::TERM,
    )
    .unwrap();
    assert!(served.child.wait().unwrap().success());
}

fn checkpoint(database: &Path) {
    let conn = Connection::open(database).unwrap();
    assert_eq!(rows(&conn, "PRAGMA wal_checkpoint(TRUNCATE)"), ["0|0|0"]);
}
