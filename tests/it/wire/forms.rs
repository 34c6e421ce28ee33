//! The forms in which a PHP sender may send a postback: content types, multipart, query strings,
//! and the value of each field after one decoding.

use super::{CHECK, FREE, bare};
use nats_userman::store::{Fault, JournalFilter, open_reader, pages};

use crate::support::{App, Request, Response, TOKEN};

/// A POST with this Content-Type line (or none) and this body.
fn post_as(app: &App, query: &str, content_type: Option<&str>, body: impl AsRef<[u8]>) -> Response {
    let post = Request::post(&format!("/postback/{TOKEN}{query}")).body(body.as_ref());
    app.send(match content_type {
        Some(value) => post.header("Content-Type", value),
        None => post,
    })
}

const URLENCODED: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=XX";
const NO_ACTION: &str = "ERROR|action: expected ADD, MANUALADD, TRIALTOFULL, CHANGE, DELETE, \
    EXPIRE, CHECK or ACTIVATE, not given";

/// A multipart body with these parts: for each one the parameters of its Content-Disposition, and
/// its value.
fn multipart(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (parameters, value) in parts {
        body.extend(
            format!("--XX\r\nContent-Disposition: form-data; {parameters}\r\n\r\n").bytes(),
        );
        body.extend(*value);
        body.extend(b"\r\n");
    }
    body.extend(b"--XX--\r\n");
    body
}

#[test]
fn a_post_is_read_as_urlencoded_unless_its_type_says_otherwise() {
    let app = App::start();
    for content_type in [
        None,
        Some(""),
        Some(URLENCODED),
        Some("application/x-www-form-urlencoded; charset=UTF-8"),
        Some("application/x-www-form-urlencoded;charset=iso-8859-1"),
        Some("Application/X-WWW-Form-URLencoded ; charset=\"utf-8\""),
        Some("application/x-www-form-urlencoded, application/x-www-form-urlencoded"),
        Some("application/x-www-form-urlencoded\t; charset=utf-8"),
    ] {
        assert_eq!(post_as(&app, "", content_type, CHECK).body, FREE, "{content_type:?}");
    }
}

#[test]
fn another_type_is_not_read_as_fields_and_is_journalled_as_type_and_length() {
    let app = App::start();
    let refused = |what: &str| {
        format!(
            "ERROR|body: expected application/x-www-form-urlencoded or multipart/form-data, found \
             \"{what}\""
        )
    };
    let json = r#"{"action":"ADD","siteid":1,"memberid":71,"username":"bob","password":"secret"}"#;
    let table = [
        ("application/json", json, "application/json, 78 bytes"),
        ("application/json; charset=utf-8", json, "application/json, 78 bytes"),
        ("text/plain", CHECK, "text/plain, 34 bytes"),
        ("Text/Plain;charset=UTF-8", CHECK, "text/plain, 34 bytes"),
        ("application/octet-stream", "x", "application/octet-stream, 1 bytes"),
        ("nonsense password=secret", CHECK, "nonsense, 34 bytes"),
        ("multipart/form-data", CHECK, "broken multipart/form-data, 34 bytes"),
        ("multipart/form-data; boundary=XX", CHECK, "broken multipart/form-data, 34 bytes"),
    ];
    for (content_type, body, what) in table {
        let response = post_as(&app, "", Some(content_type), body);
        assert_eq!((response.status, response.body), (200, refused(what)), "{content_type}");
    }
    let fields: Vec<String> = table.iter().map(|(_, _, what)| format!("||{what}")).collect();
    assert_eq!(app.rows("SELECT action, siteid, fields FROM journal_text ORDER BY id"), fields);
    // JSON with the type of a form, or without a type, is read as a form with one field that has an
    // odd name.
    assert_eq!(post_as(&app, "", Some(URLENCODED), json).body, NO_ACTION);
    assert_eq!(post_as(&app, "", None, json).body, NO_ACTION);
    assert_eq!(app.rows("SELECT fields FROM journal_text WHERE id > 8"), ["***", "***"]);
    assert_eq!(app.rows("SELECT * FROM member_auth"), [""; 0]);
}

#[test]
fn a_query_counts_beside_a_body_and_the_body_wins() {
    let app = App::start();
    let query = format!("?{CHECK}");
    for (why, query, content_type, body, reply) in [
        ("all in the query", query.as_str(), None, "", FREE),
        ("an empty form", &query, Some(URLENCODED), "", FREE),
        ("some here, some there", "?action=CHECK&siteid=1", Some(URLENCODED), "username=bob", FREE),
        ("the body wins", "?action=DELETE&siteid=2&username=ann", Some(URLENCODED), CHECK, FREE),
        ("an empty value wins, too", &query, Some(URLENCODED), "action=", NO_ACTION),
        ("a body that is no form leaves the query", &query, Some("application/json"), "{}", FREE),
    ] {
        assert_eq!(post_as(&app, query, content_type, body).body, reply, "{why}");
    }
    let whole = multipart(&[("name=\"username\"", b"bob")]);
    assert_eq!(
        post_as(&app, "?action=CHECK&siteid=1&username=x", Some(MULTIPART), whole).body,
        FREE
    );
}

#[test]
fn a_get_is_its_query_and_its_body_is_not_read() {
    let app = App::start();
    assert_eq!(bare(&app, "GET", &format!("/postback/{TOKEN}?{CHECK}")).body, FREE);
    assert_eq!(bare(&app, "GET", &format!("/postback/{TOKEN}")).body, NO_ACTION);
    let add = "action=ADD&siteid=1&memberid=71&username=b%6Fb&password=p%2B%26%3D%25+%C3%A9";
    assert_eq!(
        bare(&app, "GET", &format!("/postback/{TOKEN}?{add}")).body,
        "OK|member 71 \"bob\" added to site 1"
    );
    assert!(app.opens(1, 71, "p+&=% é"));
    let with_body = Request::get(&format!("/postback/{TOKEN}?{CHECK}")).form("action=DELETE");
    assert_eq!(app.send(with_body).body, "OK|username \"bob\" is taken on site 1");
}

#[test]
fn a_urlencoded_value_is_decoded_once_by_phps_rules() {
    let app = App::start();
    for (form, name, why) in [
        (&b"username=bob"[..], "bob", "as it is"),
        (b"username=b+o%2Bb", "b o+b", "plus and percent"),
        (b"username=b%2541", "b%41", "once"),
        (b"username=100%&x", "100%", "a percent that begins nothing"),
        (b"username=%zz%4", "%zz%4", "nor these"),
        (b"username=a=b", "a=b", "the first = ends the name"),
        (b"username=ann&username=bob", "bob", "the last of two"),
        (b"username=bob&username[]=ann&username[x]=cleo", "bob", "arrays are ignored"),
        (b"%75sername=bob", "bob", "names are decoded"),
        (b"username=%C3%A9", "é", "UTF-8"),
        (b"username=\xc3\xa9", "é", "UTF-8 as it is"),
        (b"username=%E9%80", "é€", "Windows-1252"),
        (b"username=\xe9", "é", "Windows-1252 as it is"),
        (b"username=%C3%A9%E9", "Ã©é", "one byte that is not UTF-8 makes all of it Windows-1252"),
        (b"&&username=bob&", "bob", "empty pieces"),
        (b"username=bob\r\n", "bob", "a line break at the end"),
        (b"username=bob\n", "bob", "the same of one byte"),
    ] {
        let body = [b"action=ADD&siteid=1&memberid=71&password=secret&", form].concat();
        let reply = post_as(&app, "", Some(URLENCODED), body).body;
        assert!(reply.starts_with("OK|"), "{why}: {reply}");
        assert_eq!(app.rows("SELECT username FROM member_auth"), [name], "{why}");
    }
}

#[test]
fn a_multipart_value_is_literal_and_file_parts_are_ignored() {
    let app = App::start();
    let fixed: [(&str, &[u8]); 3] =
        [("name=\"action\"", b"ADD"), ("name=\"siteid\"", b"1"), ("name=\"memberid\"", b"71")];
    for (parts, name, why) in [
        (&[("name=\"username\"", &b"b+o%2Bb"[..])][..], "b+o%2Bb", "nothing is decoded"),
        (&[("name=\"username\"", b"ann"), ("name=\"username\"", b"bob")], "bob", "the last of two"),
        (
            &[("name=\"username\"", b"bob"), ("name=\"username\"; filename=\"x\"", b"ann")],
            "bob",
            "a file is no value",
        ),
        (
            &[("name=\"username\"; filename=\"\"", b"ann"), ("name=\"username\"", b"bob")],
            "bob",
            "nor one without a name",
        ),
        (&[("name=\"username\"", b"bob"), ("name=\"username[]\"", b"ann")], "bob", "an array"),
        (
            &[("name=\"username\"", b"bob"), ("x=\"username\"", b"ann")],
            "bob",
            "a part without a name",
        ),
        (&[("name=username", b"bob")], "bob", "without quotation marks"),
        (&[("name=\"username\"", b"\xe9")], "é", "Windows-1252"),
        (&[("name=\"username\"", "日本".as_bytes())], "日本", "UTF-8"),
    ] {
        let body = multipart(
            &[&fixed[..], parts, &[("name=\"password\"", "p+&=% é".as_bytes())]].concat(),
        );
        let reply = post_as(&app, "", Some(MULTIPART), body).body;
        assert!(reply.starts_with("OK|"), "{why}: {reply}");
        assert_eq!(app.rows("SELECT username FROM member_auth"), [name], "{why}");
        assert!(app.opens(1, 71, "p+&=% é"), "{why}");
    }
    let body = multipart(&[
        ("name=\"action\"", b"CHECK"),
        ("name=\"siteid\"", b"1"),
        ("name=\"username\"", b"bob"),
    ]);
    let body = String::from_utf8(body).unwrap();
    for (content_type, boundary) in [
        ("multipart/form-data; charset=utf-8; boundary=\"XX\"", "XX"),
        ("multipart/form-data; boundary=a=b:c/d", "a=b:c/d"),
        ("multipart/form-data, boundary=XX, x", "XX"),
    ] {
        let body = body.replace("--XX", &format!("--{boundary}"));
        assert_eq!(post_as(&app, "", Some(content_type), &body).body, FREE, "{content_type}");
        assert_eq!(
            post_as(&app, "", Some(content_type), body.replace("\r\n", "\n")).body,
            FREE,
            "{content_type}, LF"
        );
    }
}

#[test]
fn a_multipart_body_without_its_end_is_no_form() {
    let app = App::start();
    let body = multipart(&[
        ("name=\"action\"", b"DELETE"),
        ("name=\"siteid\"", b"1"),
        ("name=\"memberid\"", b"71"),
    ]);
    let cut = &body[..body.len() - 8];
    let what = format!("broken multipart/form-data, {} bytes", cut.len());
    let refused = format!(
        "ERROR|body: expected application/x-www-form-urlencoded or multipart/form-data, found \
         \"{what}\""
    );
    assert_eq!(post_as(&app, "", Some(MULTIPART), cut).body, refused);
    // The query alone may be an action with less than was sent.
    for query in [format!("?{CHECK}"), "?action=DELETE&siteid=1&memberid=71".to_owned()] {
        assert_eq!(post_as(&app, &query, Some(MULTIPART), cut).body, refused, "{query}");
    }
    assert_eq!(app.rows("SELECT fields FROM journal_text"), [what.as_str(); 3]);
}

#[test]
fn the_journal_has_every_list_of_fields_as_it_was_sent() {
    let app = App::start();
    let long = vec!["trial=0"; 8_000].join("&");
    let table = [
        ("trial=&siteid=1&siteid=02&memberid=71&trial=1", None),
        ("siteid&=x&a[b]=c&password=a&b&zip=1&x", Some("siteid=&***&password=***&***&zip=***&***")),
        ("=&&&=", Some("***")),
        (
            "username=~%3D%26%2A%2A%2A&email=%7E&trial=%3D",
            Some("username=***%0A***&email=%7E&trial=***%0A***"),
        ),
        ("username=***&original_username=***&status=*", None),
        (&*long, None),
    ];
    for (body, _) in table {
        assert!(app.post(body).starts_with("ERROR|"), "{body}");
    }
    let expected: Vec<&str> = table.iter().map(|(body, text)| text.unwrap_or(*body)).collect();
    assert_eq!(app.rows("SELECT fields FROM journal_text ORDER BY id"), expected);
    let mut shown = Vec::new();
    let reader = open_reader(&app.config.location).unwrap();
    pages::each_record(&*reader, &JournalFilter::default(), |record| {
        shown.push(record.fields.clone());
        Ok::<_, Fault>(())
    })
    .unwrap();
    assert_eq!(shown, expected);
}
