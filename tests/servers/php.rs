//! The parameters that PHP reads from a request are those that the service reads. Checked for
//! generated forms that are unusual but valid, and for a list of intended differences, each with
//! its reason.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use actix_web::http::Method;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::test::TestRequest;
use actix_web::web::Bytes;
use encoding_rs::WINDOWS_1252;
use nats_userman::fields::BODY_BYTES_MAX;
use nats_userman::http::body;
use proptest::prelude::*;
use proptest::sample::select;

use crate::engines::property::{cases, check};
use crate::support::{PATIENCE, eventually, real_program};

/// The number of generated forms of each kind.
const FORMS: u32 = 500;

const URLENCODED: &[u8] = b"application/x-www-form-urlencoded";

/// A request as it is sent.
#[derive(Clone, Debug)]
struct Request {
    method: &'static str,
    query: Vec<u8>,
    content_type: Option<Vec<u8>>,
    body: Vec<u8>,
}

impl Request {
    fn post(content_type: &[u8], body: impl Into<Vec<u8>>) -> Self {
        Self {
            method: "POST",
            query: Vec::new(),
            content_type: Some(content_type.to_vec()),
            body: body.into(),
        }
    }

    fn form(body: impl Into<Vec<u8>>) -> Self {
        Self::post(URLENCODED, body)
    }

    fn multipart(body: impl Into<Vec<u8>>) -> Self {
        Self::post(b"multipart/form-data; boundary=B", body)
    }

    fn with_query(self, query: &str) -> Self {
        Self { query: query.into(), ..self }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} /?", self.method).into_bytes();
        bytes.extend(&self.query);
        bytes.extend(b" HTTP/1.1\r\nHost: test\r\nConnection: close\r\n");
        if let Some(content_type) = &self.content_type {
            bytes.extend([b"Content-Type: ", &content_type[..], b"\r\n"].concat());
        }
        bytes.extend(format!("Content-Length: {}\r\n\r\n", self.body.len()).bytes());
        bytes.extend(&self.body);
        bytes
    }
}

/// Parameters by name, the last value of each; `None` for an array.
type Read = BTreeMap<String, Option<String>>;

/// Bytes as text, by the rules of the contract.
fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec())
        .unwrap_or_else(|_| WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned())
}

/// What the service reads.
fn ours(request: &Request) -> Read {
    let uri = format!("/?{}", std::str::from_utf8(&request.query).unwrap());
    let mut built =
        TestRequest::with_uri(&uri).method(Method::from_bytes(request.method.as_bytes()).unwrap());
    if let Some(content_type) = &request.content_type {
        // An HTTP parser removes blanks around the value of a header.
        built = built.insert_header((CONTENT_TYPE, content_type.trim_ascii()));
    }
    let (head, body) = (built.to_http_request(), Bytes::from(request.body.clone()));
    let said = body::fields(&head, &body);
    said.fields
        .all()
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, value)| (name.to_owned(), Some(value.to_owned())))
        .collect()
}

/// PHP's built-in server, without the settings of this machine.
struct Php {
    child: Child,
    address: SocketAddr,
}

impl Php {
    fn start() -> Option<Self> {
        let php = real_program("php")?;
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let settings = ["request_order=GP", "display_errors=0", "log_errors=0"]
            .into_iter()
            .flat_map(|setting| ["-d", setting]);
        let child = Command::new(php)
            .arg("-n")
            .args(settings)
            .args([
                "-S",
                &address.to_string(),
                concat!(env!("CARGO_MANIFEST_DIR"), "/tests/senders/fields.php"),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let php = Self { child, address };
        eventually("PHP's server answers", || TcpStream::connect(address).is_ok());
        Some(php)
    }

    fn reads(&self, request: &Request) -> Read {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&request.bytes()).unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        let (head, json) = response.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{request:?}: {head}");
        let fields: Vec<(String, Option<String>)> =
            serde_json::from_str(json).unwrap_or_else(|e| panic!("{request:?}: {e}"));
        fields
            .into_iter()
            .map(|(name, value)| (unhex(&name), value.as_deref().map(unhex)))
            .collect()
    }
}

impl Drop for Php {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn unhex(digits: &str) -> String {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    text(&digits.as_bytes().chunks(2).map(byte).collect::<Vec<_>>())
}

/// Fails if PHP and the service read different parameters. Arrays are ignored.
fn same(php: &Php, request: &Request) -> Result<(), String> {
    let expected: Read =
        php.reads(request).into_iter().filter(|(_, value)| value.is_some()).collect();
    let found = ours(request);
    if expected == found {
        return Ok(());
    }
    let shown = String::from_utf8_lossy(&request.bytes())
        .escape_debug()
        .to_string()
        .replace("\\n", "\\n\n");
    Err(format!("{shown}\n\nPHP reads {expected:#?}\nwe read   {found:#?}"))
}

/// Several of these pieces, joined.
fn pieces(from: &'static [&'static [u8]], most: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(select(from), 0..=most).prop_map(|pieces| pieces.concat())
}

/// Stands for the field's number in a generated name. All names differ, so that none is a text in
/// one field and an array in another, which is an intended difference.
const NUMBER: u8 = b'@';

fn numbered(bytes: &[u8], number: usize) -> Vec<u8> {
    let letter = b'A' + u8::try_from(number).unwrap();
    bytes.iter().map(|&b| if b == NUMBER { letter } else { b }).collect()
}

/// A name with further pieces before and after it.
fn name() -> impl Strategy<Value = Vec<u8>> {
    let before: &[&[u8]] = &[
        b"",
        b"",
        b"",
        b" ",
        b".",
        b"..",
        b"_.",
        b"[",
        b"..Host-",
        b"_.Secure-",
        b"__Host-",
        b"'",
        b"%",
        b"\t",
    ];
    let behind: &[&[u8]] = &[
        b"",
        b"",
        b"",
        b"a",
        b" ",
        b".",
        b"[",
        b"]",
        b"[x]",
        b"[]",
        b"[ x]",
        b"%",
        b"%61",
        b"%00",
        b"%5B",
        b"%5D",
        b"+",
        b"\0",
        b"\t",
        b"\n",
        b"\"",
        b"\\\"",
        b"\\\\",
        b"'",
        b";",
        b",",
        b"=",
        b"\xc3\xa9",
        b"\xe9",
        b"-",
        b"#",
    ];
    (select(before), pieces(behind, 3))
        .prop_map(|(before, behind)| [before, b"f@", &behind].concat())
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    let of: &[&[u8]] = &[
        b"1",
        b"two words",
        b"+",
        b"%",
        b"%4",
        b"%41",
        b"%2541",
        b"%zz",
        b"%00",
        b"\0",
        b"=",
        b";",
        b",",
        b"\"",
        b"'",
        b"\\",
        b"\r",
        b"\n",
        b"\r\n",
        b"-",
        b"--",
        b"--B",
        b"\r\n--",
        b"\xc3\xa9",
        b"%C3%A9",
        b"\xe9",
        b"%E9",
        b"[x]",
        b"Content-Length: 1\r\n\r\n",
        b"Content-Disposition: form-data; name=x",
    ];
    prop_oneof![9 => pieces(of, 4), 1 => (1_usize..12_000).prop_map(|bytes| vec![b'x'; bytes])]
}

/// A urlencoded body and a query, mostly with POST.
fn urlencoded() -> impl Strategy<Value = Request> {
    let types: &[&[u8]] = &[
        URLENCODED,
        b"Application/X-WWW-Form-URLencoded",
        b"application/x-www-form-urlencoded; charset=UTF-8",
        b"application/x-www-form-urlencoded;charset=\"x\"",
        b"application/x-www-form-urlencoded,text/plain",
        b"application/x-www-form-urlencoded text/plain",
        b"application/x-www-form-urlencoded;",
        b"application/x-www-form-urlencoded/x",
        b"x-application/x-www-form-urlencoded",
        b"\"application/x-www-form-urlencoded\"",
        b"text/plain",
        b"application/json",
    ];
    let equals: &[&[u8]] = &[b"=", b"=", b"=", b"==", b"", b"%3D"];
    let field = (name(), select(equals), value())
        .prop_map(|(name, equals, value)| [name, equals.to_vec(), value].concat());
    let odd: &[&[u8]] = &[
        b"",
        b"=",
        b"=x",
        b"dup=1",
        b"dup=2",
        b"dup",
        b"dup=",
        b"+=1",
        b"%00=1",
        b"list[x]=y",
        b"list[]=z",
    ];
    let field = prop_oneof![4 => field, 1 => select(odd).prop_map(<[u8]>::to_vec)];
    let fields = || prop::collection::vec(field.clone(), 0..6);
    let method = select(&["POST", "POST", "POST", "GET"][..]);
    (method, select(types), fields(), fields()).prop_map(|(method, content_type, query, body)| {
        let fields: Vec<_> = query
            .iter()
            .chain(&body)
            .enumerate()
            .map(|(number, field)| numbered(field, number))
            .collect();
        let (query, body) = fields.split_at(query.len());
        // A query is printable and ends at a fragment. A body does not end with a line break.
        let query = query
            .join(&b'&')
            .into_iter()
            .filter(|&b| b.is_ascii_graphic() && !b"\"#<>`{}\\".contains(&b))
            .collect();
        let body = [body, &[b"last=1".to_vec()]].concat().join(&b'&');
        Request { method, query, ..Request::post(content_type, body) }
    })
}

/// Parameters of a content type, and the boundary that they set.
fn boundaries() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let (x71, x300): (&'static str, &'static str) = (
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        concat!(
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
             xxxxxxxxxxxxxx",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
             xxxxxxxxxxxxxx",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
             xxxxxxxxxxxxxx",
        ),
    );
    let texts = vec![
        "B",
        "B",
        "a=b",
        "a:b/c",
        "/",
        "=",
        "----WebKitFormBoundaryAbC",
        "a b",
        " B",
        "'q'",
        "(x)@<y>?",
        "b+_./:=?",
        "a\tb",
        "a\\b",
        "B\"",
        "boundary=B",
        "é",
        "",
        "-",
        "--",
        x71,
        x300,
    ];
    let quoted = select(texts.clone())
        .prop_map(|text| (format!("\"{}\"", text.replace('"', "")), text.replace('"', "")));
    let plain = select(texts).prop_map(|text| (text.to_owned(), text.to_owned()));
    let quoted_only = select(&["a,b", "a;b", ";", "a b "][..])
        .prop_map(|text| (format!("\"{text}\""), text.to_owned()));
    let before: &[&str] =
        &["; ", "; ", ";", ";;", " ", ", ", ";\t", "; charset=utf-8; ", "; x=\"y;z\"; ", "; x"];
    let name: &[&str] = &[
        "boundary=",
        "boundary=",
        "boundary=",
        "Boundary=",
        "BOUNDARY=",
        "boundary =",
        "boundary*=",
    ];
    let behind: &[&str] = &["", "", ";", "; charset=utf-8", ", x", ";boundary=C", ",boundary=C"];
    let value = prop_oneof![4 => plain, 2 => quoted, 1 => quoted_only];
    (select(before), select(name), value, select(behind)).prop_map(
        |(before, name, (value, boundary), behind)| {
            // Blanks at the end of a header do not belong to its value.
            let parameters = format!("{before}{name}{value}{behind}").trim_end().to_owned();
            // PHP first searches for the word in lower case, and stops if it finds it.
            let upper_first = name.starts_with('B')
                && parameters[before.len() + name.len()..].contains("boundary");
            if upper_first {
                (b"; boundary=B".to_vec(), b"B".to_vec())
            } else {
                (parameters.into_bytes(), boundary.into_bytes())
            }
        },
    )
}

/// The head of a part.
fn head() -> impl Strategy<Value = Vec<u8>> {
    let kinds: &[&[u8]] = &[
        b"form-data",
        b"form-data",
        b"Form-Data",
        b"attachment",
        b"",
        b"form-data ; x=\"a;b\"",
        b" form-data",
        b"x='a;'",
    ];
    let between: &[&[u8]] =
        &[b"; ", b"; ", b";", b";;", b";\t ", b";\r\n\t", b";\n ", b";\r\nx=y;"];
    let keys: &[&[u8]] = &[b"name=", b"name=", b"NAME=", b"name==", b"name= "];
    let marks: &[&[u8]] = &[b"\"", b"\"", b"'", b""];
    let behind: &[&[u8]] = &[
        b"",
        b"",
        b"",
        b" ",
        b"x",
        b"\t; x",
        b";",
        b"; x=y",
        b"; name*=utf-8''z",
        b"; filename=\"f\"",
        b"; filename=\"\"",
        b"; FILENAME=f",
        b"; filename",
        b"; filename=",
        b"; filename*=utf-8''f",
        b"; =x",
        b";\r\n x=\"y\"",
    ];
    let headers: &[&[u8]] = &[
        b"",
        b"",
        b"",
        b"Content-Type: text/plain; charset=utf-16\r\n",
        b"Content-Length: 1\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"X: y\r\n",
        b"X : y\r\n",
        b"x-\0: y\r\n",
        b"\x01: y\r\n",
        b"Content-Type: a\r\n b\r\n",
    ];
    let dispositions: &[&[u8]] = &[
        b"Content-Disposition: ",
        b"Content-Disposition: ",
        b"content-disposition:",
        b"CONTENT-DISPOSITION:\t ",
    ];
    let name = (select(keys), select(marks), name(), select(behind));
    let start = (select(headers), select(dispositions), select(kinds), select(between));
    (start, name, select(headers)).prop_map(
        |((first, disposition, kind, between), (key, mark, name, behind), last)| {
            // A line break in a name would end the header. An unclosed quotation mark would include
            // the text after it.
            let name: Vec<u8> = name
                .into_iter()
                .filter(|&b| b != b'\n' && (!mark.is_empty() || !b"\"'".contains(&b)))
                .collect();
            [first, disposition, kind, between, key, mark, &name, mark, behind, b"\r\n", last]
                .concat()
        },
    )
}

/// A multipart body in which every part is terminated.
fn multipart() -> impl Strategy<Value = Request> {
    let kinds: &[&[u8]] = &[
        b"multipart/form-data",
        b"multipart/form-data",
        b"Multipart/Form-Data",
        b"multipart/mixed",
        b"multipart/form-datax",
    ];
    let part = (head(), value(), prop::bool::weighted(0.1));
    let start: &[&[u8]] = &[b"", b"", b"\r\n", b"text\r\n", b"text\r\n\r\nX: y\n", b"-\n"];
    let end: &[&[u8]] = &[
        b"--\r\n",
        b"--\r\n",
        b"--",
        b"",
        b"\r\n",
        b"--x\r\n",
        b"--\r\ntext",
        b"--\r\ntext\r\n\r\n",
    ];
    let form = (boundaries(), prop::collection::vec(part, 0..5), prop::bool::weighted(0.2));
    (select(kinds), form, select(start), select(end), any::<bool>()).prop_map(
        |(kind, ((parameters, boundary), parts, lf), start, end, more)| {
            let delimiter = [b"--", &boundary[..]].concat();
            let mut body = start.to_vec();
            let put = |head: &[u8], value: &[u8], body: &mut Vec<u8>| {
                // A value must not contain a delimiter.
                let holds = [b"\n", value]
                    .concat()
                    .windows(delimiter.len() + 1)
                    .any(|text| text[0] == b'\n' && text[1..] == delimiter);
                let value = if holds { b"" } else { value };
                let break_ = if lf { &b"\n"[..] } else { b"\r\n" };
                body.extend([&delimiter, break_, head, break_, value, break_].concat());
            };
            for (number, (head, value, no_disposition)) in parts.iter().enumerate() {
                let head =
                    if *no_disposition { b"X: y\r\n".to_vec() } else { numbered(head, number) };
                put(&head, value, &mut body);
            }
            body.extend([&delimiter, end].concat());
            // Parts after the end of the body.
            if more && end.ends_with(b"\r\n") && end.starts_with(b"--") {
                put(b"Content-Disposition: form-data; name=more\r\n", b"1", &mut body);
                body.extend([&delimiter[..], b"--\r\n"].concat());
            }
            Request::post(&[kind, &parameters[..]].concat(), body)
        },
    )
}

#[test]
fn generated_urlencoded_forms_and_queries_are_read_as_php_reads_them() {
    let Some(php) = Php::start() else { return };
    check(&urlencoded(), cases(FORMS), |request| same(&php, request));
}

#[test]
fn generated_multipart_forms_are_read_as_php_reads_them() {
    let Some(php) = Php::start() else { return };
    let fields = Cell::new(0);
    check(&multipart(), cases(FORMS), |request| {
        fields.set(fields.get() + ours(request).len());
        same(&php, request)
    });
    assert!(fields.get() >= FORMS as usize / 2, "most forms are empty: {} fields", fields.get());
}

/// A part of a body with the boundary `B`.
fn part(disposition: &str, value: &str) -> String {
    format!("--B\r\nContent-Disposition: {disposition}\r\n\r\n{value}\r\n")
}

/// A request that the service intentionally reads in another way than PHP, and the reason. `[]`
/// stands for an array.
struct Intended {
    why: &'static str,
    request: Request,
    php: &'static [(&'static str, &'static str)],
    ours: &'static [(&'static str, &'static str)],
}

fn intended() -> Vec<Intended> {
    let (a, b) = (part("form-data; name=a", "1"), part("form-data; name=b", "2"));
    let one = |why, request, php, ours| Intended { why, request, php, ours };
    let untyped = Request { content_type: None, ..Request::form("a=1") };
    vec![
        one("a POST without a type is urlencoded: PHP reads nothing", untyped, &[], &[("a", "1")]),
        one("an empty type is none", Request::post(b"", "a=1"), &[], &[("a", "1")]),
        one(
            "a tab ends a type as a blank does",
            Request::post(&[URLENCODED, b"\t;x"].concat(), "a=1"),
            &[],
            &[("a", "1")],
        ),
        one(
            "blanks behind a header are no part of it, as HTTP says",
            Request::post(b"multipart/form-data; boundary=B  ", format!("{a}--B--")),
            &[],
            &[("a", "1")],
        ),
        one(
            "one line break at the end is the sender's editor's",
            Request::form("a=1\r\n"),
            &[("a", "1\r\n")],
            &[("a", "1")],
        ),
        one("the same, LF", Request::form("a=1\n"), &[("a", "1\n")], &[("a", "1")]),
        one(
            "one line break, not two",
            Request::form("a=1\n\n"),
            &[("a", "1\n\n")],
            &[("a", "1\n")],
        ),
        one(
            "an array is ignored and leaves a field of its name",
            Request::form("a=1&a[x]=2"),
            &[("a", "[]")],
            &[("a", "1")],
        ),
        one(
            "also over a query",
            Request::form("a[x]=2").with_query("a=1"),
            &[("a", "[]")],
            &[("a", "1")],
        ),
        one(
            "blanks behind a delimiter are padding, as RFC 2046 says: PHP leaves the part out",
            Request::multipart(format!("{}{b}--B--", a.replace("--B", "--B \t"))),
            &[("b", "2")],
            &[("a", "1"), ("b", "2")],
        ),
        one(
            "a part without a name is no field: PHP stops there",
            Request::multipart(format!("{a}{}{b}--B--", part("form-data", "x"))),
            &[("a", "1")],
            &[("a", "1"), ("b", "2")],
        ),
        one(
            "a value that nothing ends may be cut",
            Request::multipart(format!("{a}{}", &b[..b.len() - 2])),
            &[("a", "1"), ("b", "2")],
            &[],
        ),
        one(
            "a head that nothing ends is cut",
            Request::multipart(format!("{a}{}", &b[..b.len() - 5])),
            &[("a", "1"), ("b", "")],
            &[],
        ),
        one(
            "a value with a line that begins as the delimiter does: PHP cuts it there",
            Request::multipart(format!(
                "{}{b}--B--",
                part("form-data; name=a", "1\r\n--Bonn\r\n2")
            )),
            &[("a", "1"), ("b", "2")],
            &[],
        ),
    ]
}

#[test]
fn every_difference_from_php_is_intended_and_still_there() {
    let Some(php) = Php::start() else { return };
    let read = |fields: &[(&str, &str)]| -> Read {
        fields
            .iter()
            .map(|&(name, value)| (name.to_owned(), (value != "[]").then(|| value.to_owned())))
            .collect()
    };
    for Intended { why, request, php: theirs, ours: mine } in intended() {
        assert_eq!(php.reads(&request), read(theirs), "PHP: {why}");
        assert_eq!(ours(&request), read(mine), "we: {why}");
        assert_ne!(theirs, mine, "{why}");
    }
}

/// PHP stops at 1,000 fields, at some more parts, and at 64 levels of brackets. The service has the
/// limit of 64 KiB for a body.
#[test]
fn fields_beyond_phps_own_limits_are_read() {
    let Some(php) = Php::start() else { return };
    let names: Vec<String> = (0..1_100).map(|number| format!("f{number}")).collect();
    let form =
        Request::form(names.iter().map(|name| format!("{name}=1")).collect::<Vec<_>>().join("&"));
    let query = Request { body: Vec::new(), ..Request::form("") }
        .with_query(std::str::from_utf8(&form.body).unwrap());
    let short = |name: &String| format!("--B\nContent-Disposition:x;name={name}\n\n1\n");
    let parts = Request::multipart(names.iter().map(short).collect::<String>() + "--B--");
    assert!(parts.body.len() <= BODY_BYTES_MAX, "{}", parts.body.len());
    for request in [form, query, parts] {
        let (theirs, mine) = (php.reads(&request), ours(&request));
        assert!((1_000..=1_001).contains(&theirs.len()), "{}", theirs.len());
        assert_eq!(mine.len(), names.len());
        assert!(theirs.iter().all(|(name, value)| mine.get(name) == Some(value)));
    }
}
