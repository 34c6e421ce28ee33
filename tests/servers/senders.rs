//! Real senders: PHP's curl extension with each of its ways to pass parameters, PHP's http stream,
//! and the program curl. The password that each of them sends can be used to log in, while it is
//! sealed and after it is hashed.

use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{App, TOKEN, real_program};

/// A password in UTF-8 with all characters that encodings change.
const UTF8: &[u8] = "p+&=% é".as_bytes();
/// A password from a system that uses Windows-1252, where the euro sign is 0x80.
const WESTERN: &[u8] = b"p+&=% \xe9\x80";
/// The bytes that are sent for each password, and the text that the member types.
const PASSWORDS: [(&[u8], &str); 6] = [
    (UTF8, "p+&=% é"),
    (WESTERN, "p+&=% é€"),
    (b" p ", " p "),
    (b"%41%2B+", "%41%2B+"),
    (b"<a href=\"x\">'\\;@|", "<a href=\"x\">'\\;@|"),
    (b"0", "0"),
];

/// An app, and the number of members that senders have added to it.
struct Senders {
    app: App,
    members: i64,
}

impl Senders {
    fn new() -> Self {
        Self { app: App::start(), members: 0 }
    }

    fn url(&self) -> String {
        format!("http://{}/postback/{TOKEN}", self.app.address)
    }

    /// Lets `send` add a new member for every password. `send` gets the fields and returns status
    /// and reply. Then all members log in, before their passwords are hashed and afterwards.
    fn all_passwords_arrive(&mut self, way: &str, send: impl Fn(&str, &[(&str, &[u8])]) -> String) {
        let mut doors = Vec::new();
        for (password, typed) in PASSWORDS {
            self.members += 1;
            let (member, name) = (self.members, format!("user {}", self.members));
            let id = member.to_string();
            let fields: [(&str, &[u8]); 6] = [
                ("action", b"ADD"),
                ("siteid", b"1"),
                ("memberid", id.as_bytes()),
                ("username", name.as_bytes()),
                ("password", password),
                ("email", b"a+b@example.com"),
            ];
            let said = send(&self.url(), &fields);
            let shown = password.escape_ascii();
            assert_eq!(
                said,
                format!("200 OK|member {member} \"{name}\" added to site 1"),
                "{way}: {shown}"
            );
            let row = format!("SELECT username, email FROM member_auth WHERE memberid = {member}");
            assert_eq!(self.app.rows(&row), [format!("{name}|a+b@example.com")], "{way}: {shown}");
            doors.push((member, typed));
        }
        for hashed in [false, true] {
            for (member, typed) in &doors {
                assert!(self.app.opens(1, *member, typed), "{way}, hashed {hashed}: {typed}");
                assert!(
                    !self.app.opens(1, *member, &format!("{typed} ")),
                    "{way}, hashed {hashed}: {typed}"
                );
            }
            self.app.harden();
        }
    }
}

/// Runs a program with this standard input and returns its output. A failure shows its error
/// output.
fn run(program: &Path, arguments: &[OsString], input: &[u8]) -> String {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{arguments:?}: {printed}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    printed
}

/// PHP with its curl extension; `None` without it.
fn php() -> Option<PathBuf> {
    let php = real_program("php")?;
    let modules = run(&php, &["-m".into()], b"");
    if !modules.lines().any(|module| module == "curl") {
        assert!(
            std::env::var("REQUIRE_REAL").as_deref() != Ok("1"),
            "php has no curl extension and REQUIRE_REAL=1"
        );
        eprintln!("\n*** PHP HAS NO CURL EXTENSION: this test proves nothing here ***\n");
        return None;
    }
    Some(php)
}

fn send_by_php(php: &Path, way: &str, url: &str, fields: &[(&str, &[u8])]) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/senders/curl.php");
    let fields: serde_json::Map<_, _> =
        fields.iter().map(|(name, value)| ((*name).into(), base64(value).into())).collect();
    // Without the settings of this machine, on which the output of http_build_query depends.
    let arguments = ["-n", "-d", "extension=curl", script, way, url].map(OsString::from);
    run(php, &arguments, serde_json::Value::Object(fields).to_string().as_bytes())
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |three: &[u8]| {
        let bits = three.iter().fold(0u32, |bits, &byte| bits << 8 | u32::from(byte))
            << (8 * (3 - three.len()));
        let digits = (0..=three.len())
            .map(|digit| char::from(ALPHABET[(bits >> (18 - 6 * digit) & 63) as usize]));
        digits.chain(std::iter::repeat_n('=', 3 - three.len())).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}

/// The program curl, without output of its own and without a ~/.curlrc. It prints the status, a
/// space and the reply.
fn curl(program: &Path, arguments: &[OsString], input: &[u8]) -> String {
    let mut all: Vec<OsString> =
        ["-q", "-s", "-S", "-o", "-", "-w", "\n%{http_code}"].map(OsString::from).to_vec();
    all.extend_from_slice(arguments);
    let printed = run(program, &all, input);
    let (reply, status) = printed.rsplit_once('\n').unwrap();
    format!("{status} {reply}")
}

/// `name=value` as one argument, with arbitrary bytes.
fn argument(name: &str, value: &[u8]) -> OsString {
    OsStr::from_bytes(&[name.as_bytes(), b"=", value].concat()).to_owned()
}

fn urlencoded(fields: &[(&str, &[u8])]) -> String {
    let encode = |bytes: &[u8]| {
        percent_encoding::percent_encode(bytes, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    fields
        .iter()
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect::<Vec<_>>()
        .join("&")
}

#[test]
fn what_php_sends_in_each_of_its_ways_is_what_the_member_types() {
    let Some(php) = php() else { return };
    let mut senders = Senders::new();
    for way in ["array", "string", "get", "http10", "stream", "stream10"] {
        senders.all_passwords_arrive(way, |url, fields| send_by_php(&php, way, url, fields));
    }
}

#[test]
fn a_record_that_php_announces_with_expect_100_continue_is_taken() {
    let Some(php) = php() else { return };
    let app = App::start();
    let url = format!("http://{}/postback/{TOKEN}", app.address);
    // For bodies over a kilobyte (newer versions: a megabyte), and for every multipart body, PHP's
    // curl first asks with `Expect: 100-continue`.
    let long = vec![b'x'; 60_000];
    for (member, way) in ["array", "string"].into_iter().enumerate() {
        let (id, name) = ((member + 1).to_string(), format!("u{member}"));
        let fields: [(&str, &[u8]); 6] = [
            ("firstname", &long),
            ("action", b"ADD"),
            ("siteid", b"1"),
            ("memberid", id.as_bytes()),
            ("username", name.as_bytes()),
            ("password", UTF8),
        ];
        assert_eq!(
            send_by_php(&php, way, &url, &fields),
            format!("200 OK|member {id} \"{name}\" added to site 1"),
            "{way}"
        );
        assert!(app.opens(1, i64::try_from(member).unwrap() + 1, "p+&=% é"), "{way}");
    }
}

#[test]
fn what_curl_sends_in_each_of_its_ways_is_what_the_member_types() {
    let Some(program) = real_program("curl") else { return };
    let mut senders = Senders::new();
    let each = |flag: &str, fields: &[(&str, &[u8])]| -> Vec<OsString> {
        fields.iter().flat_map(|(name, value)| [flag.into(), argument(name, value)]).collect()
    };
    let with = |more: &[&str], mut arguments: Vec<OsString>, url: &str| {
        arguments.extend(more.iter().map(OsString::from));
        arguments.push(url.into());
        curl(&program, &arguments, b"")
    };
    senders
        .all_passwords_arrive("-d", |url, fields| with(&["-d", &urlencoded(fields)], vec![], url));
    senders.all_passwords_arrive("--data-urlencode", |url, fields| {
        with(&[], each("--data-urlencode", fields), url)
    });
    senders.all_passwords_arrive("--form-string", |url, fields| {
        with(&[], each("--form-string", fields), url)
    });
    senders.all_passwords_arrive("-G", |url, fields| {
        with(&["-G"], each("--data-urlencode", fields), url)
    });
    senders.all_passwords_arrive("--http1.0", |url, fields| {
        with(&["--http1.0"], each("--data-urlencode", fields), url)
    });
    let chunked = ["-H", "Transfer-Encoding: chunked"];
    senders.all_passwords_arrive("chunked", |url, fields| {
        with(&chunked, each("--data-urlencode", fields), url)
    });
    let asks = ["-H", "Expect: 100-continue"];
    senders.all_passwords_arrive("Expect", |url, fields| {
        with(&asks, each("--form-string", fields), url)
    });
}

/// In `-F`, a value that begins with `@` or `<` is the name of a file. The test uses the password
/// that contains neither.
#[test]
fn what_curl_sends_as_a_form_is_what_the_member_types() {
    let Some(program) = real_program("curl") else { return };
    let app = App::start();
    let fields: [(&str, &[u8]); 5] = [
        ("action", b"ADD"),
        ("siteid", b"1"),
        ("memberid", b"71"),
        ("username", b"bob"),
        ("password", UTF8),
    ];
    let mut arguments: Vec<OsString> = fields
        .iter()
        .flat_map(|(name, value)| [OsString::from("-F"), argument(name, value)])
        .collect();
    arguments.push("-F".into());
    arguments.push(concat!("upload=@", env!("CARGO_MANIFEST_DIR"), "/Cargo.toml").into());
    arguments.push(format!("http://{}/postback/{TOKEN}", app.address).into());
    assert_eq!(curl(&program, &arguments, b""), "200 OK|member 71 \"bob\" added to site 1");
    assert!(app.opens(1, 71, "p+&=% é"));
    app.harden();
    assert!(app.opens(1, 71, "p+&=% é"));
}

#[test]
fn a_large_body_of_curl_is_taken_up_to_64_kib_and_refused_above() {
    let Some(program) = real_program("curl") else { return };
    let app = App::start();
    let url = format!("http://{}/postback/{TOKEN}", app.address);
    let body = |bytes: usize| {
        let mut body =
            b"action=ADD&siteid=1&memberid=71&username=bob&password=p%2B%26%3D%25+%C3%A9&x="
                .to_vec();
        body.resize(bytes, b'y');
        body
    };
    for more in [
        &[][..],
        &["-H", "Expect: 100-continue"],
        &["--http1.0"],
        &["-H", "Transfer-Encoding: chunked"],
    ] {
        let arguments = |url: &str| {
            more.iter()
                .copied()
                .chain(["--data-binary", "@-", url])
                .map(OsString::from)
                .collect::<Vec<_>>()
        };
        assert!(
            curl(&program, &arguments(&url), &body(64 * 1024)).starts_with("200 OK|member 71 "),
            "{more:?}"
        );
        let said = curl(&program, &arguments(&url), &body(64 * 1024 + 1));
        assert_eq!(said, "413 ERROR|body: expected at most 65536 bytes, found more", "{more:?}");
    }
    assert!(app.opens(1, 71, "p+&=% é"));
}
