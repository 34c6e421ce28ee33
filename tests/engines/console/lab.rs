//! The lab: a pasted postback is read and decided, and nothing is changed.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{on_every_engine, page, says};
use crate::support::{App, Console, Response};

const SECRET: &str = "Sesame-Lab-4711";

pub fn paste(operator: &Console, text: &str) -> Response {
    let text = utf8_percent_encode(text, NON_ALPHANUMERIC);
    operator.post("/lab", &format!("postback={text}"))
}

/// All that a postback could change.
fn rows(app: &App) -> Vec<String> {
    let counts = ["member_auth", "former_member", "journal"]
        .map(|table| app.rows(&format!("SELECT count(*) FROM {table}")).remove(0));
    counts.to_vec()
}

#[test]
fn a_postback_in_any_layout_is_answered_as_nats_would_be_and_nothing_is_changed() {
    on_every_engine(&[], |app, anna| {
        app.post("action=ADD&siteid=1&memberid=70&username=eve&password=secret");
        let before = rows(app);
        let fields = [
            ("action", "ADD"),
            ("siteid", "1"),
            ("memberid", "71"),
            ("username", "bob"),
            ("password", SECRET),
            ("email", "b@x.example"),
        ];
        let form = fields.map(|(name, value)| format!("{name}={value}")).join("&");
        let lines = fields.map(|(name, value)| format!("{name}={value}\r\n")).concat();
        let parts = fields
            .map(|(name, value)| {
                format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
            })
            .concat();
        for (text, layout) in [
            (form.clone(), "a urlencoded body"),
            (format!("?{form}"), "a query string"),
            (
                format!("https://pay.example.com/postback/T0ken?{form}"),
                "a URL with its query string",
            ),
            (format!("POST /postback/T0ken HTTP/1.1\r\nHost: x\r\n\r\n{form}"), "a whole request"),
            (
                format!("Content-Type: multipart/form-data; boundary=B\r\n\r\n{parts}--B--\r\n"),
                "a whole request",
            ),
            (format!("{parts}--B--\r\n"), "a body of multipart/form-data"),
            (lines, "lines with name=value, whose values are literal"),
        ] {
            let body = page(paste(anna, &text));
            for expected in [
                &*format!("It looks like {layout}."),
                "username bob used the login name",
                "password (given, not shown) used the password",
                "The reply would be: OK member 71 \"bob\" added to site 1",
                "A new member: a row would be added.",
                "email – b@x.example",
                "password – sealed, to be hashed",
                "Nothing was changed, and nothing was written into the journal.",
            ] {
                says(&body, expected);
            }
            assert!(!body.contains("Sesame"), "{layout}: {body}");
            assert!(!body.contains("T0ken"), "{layout}: {body}");
        }
        assert_eq!(rows(app), before);
    });
}

#[test]
fn what_would_change_in_the_row_is_shown_column_by_column() {
    on_every_engine(&["--time-zone", "Europe/Berlin"], |app, anna| {
        app.post(
            "action=ADD&siteid=1&memberid=71&username=bob&password=secret&email=a%40x.org&trial=1",
        );
        app.post("action=ADD&siteid=1&memberid=72&username=eve&password=secret");
        let before = rows(app);
        for (text, said) in [
            (
                "action=CHANGE&siteid=1&memberid=71&new_email=b%40x.org&new_trial=0",
                &["email a@x.org b@x.org", "trial yes no", "The row of the member would"][..],
            ),
            (
                "action=CHANGE&siteid=1&memberid=71&new_username=EVE",
                &[
                    "ERROR username \"EVE\" is held by member 72 of site 1, nothing was changed \
                     for member 71",
                    "The row would stay as it is.",
                ],
            ),
            (
                "action=EXPIRE&siteid=1&memberid=71&expire=2026-06-20+10:00:00",
                &["expire_at – 2026-06-20 10:00:00", "expire 2026-06-20 10:00:00 used"],
            ),
            (
                "action=DELETE&siteid=1&memberid=71",
                &["The member would leave (deleted, 2026-06-15 14:00:00)", "reason – deleted"],
            ),
            (
                "action=DELETE&siteid=1&memberid=79",
                &["OK member 79 is not a member of site 1 now, nothing to remove"],
            ),
            (
                "action=CHECK&siteid=1&username=bob",
                &["A CHECK never changes a row, and is not journalled.", "The reply would be: OK"],
            ),
            (
                "action=ADD&siteid=0&memberid=71&username=bob&password=x",
                &[
                    "siteid 0 refused expected a number from 1 to 9223372036854775807, found \"0\"",
                    "username bob not used another parameter is refused",
                    "The reply would be: ERROR siteid: expected a number",
                ],
            ),
        ] {
            let body = page(paste(anna, text));
            for said in said {
                says(&body, said);
            }
        }
        assert_eq!(rows(app), before);
    });
}
