//! The lab: a pasted postback is read and decided, and nothing is changed.

use nats_userman::operator::Role;

use super::{page, says};
use crate::engines::console::lab::paste;
use crate::support::{App, OPS, Request};

#[test]
fn a_record_of_the_journal_is_decided_again() {
    let app = App::start_with(&OPS);
    let anna = app.console("anna", Role::Support);
    let record = [
        r#"{"id":5,"at":1781524800,"source":"nats","action":"DELETE","siteid":1,"memberid":71,"#,
        r#""fields":"action=DELETE&siteid=1&memberid=71","reply":"OK|gone"}"#,
    ]
    .concat();
    let body = page(paste(&anna, &record));
    says(&body, "It looks like a record of `journal --json`.");
    says(&body, "The reply would be: OK member 71 is not a member of site 1 now");
}

#[test]
fn a_refused_record_of_the_journal_has_no_password_to_decide_with() {
    let app = App::start_with(&OPS);
    let anna = app.console("anna", Role::Support);
    let record = [
        r#"{"id":5,"at":1781524800,"source":"nats","action":"ADD","siteid":1,"memberid":71,"#,
        r#""username":"bob","fields":"action=ADD&siteid=1&memberid=71&username=bob&password=***","#,
        r#""reply":"ERROR|username \"bob\" is held"}"#,
    ]
    .concat();
    let body = page(paste(&anna, &record));
    says(
        &body,
        "The record has no password, because the postback was refused. Ask NATS to send it again.",
    );
    says(&body, "password *** not used the record does not have its value");
    assert!(!body.contains("The reply would be"), "{body}");
}

#[test]
fn two_hundred_fields_are_explained_and_the_others_counted() {
    let app = App::start_with(&OPS);
    let anna = app.console("anna", Role::Support);
    let body = format!("{}action=DELETE&siteid=1&memberid=71", "email=x&".repeat(5_000));
    let body = page(paste(&anna, &body));
    says(&body, "These are the first 200 fields. 4803 more are read, and not shown here.");
    assert_eq!(body.matches("<tr><th scope=\"row\">").count(), 200);
    says(&body, "The reply would be: OK member 71 is not a member of site 1 now");
}

#[test]
fn what_is_no_postback_is_refused_and_hostile_text_stays_text() {
    let app = App::start_with(&OPS);
    let anna = app.console("anna", Role::Support);
    for (text, why) in [
        ("", "there is no text: paste a postback."),
        ("hello", "there is no field: expected name=value, as in action=ADD&amp;siteid=1."),
        ("{\"a\":1}", "expected a line of `journal --json`"),
        ("action=ADD\nNULL", "line 2 is no field: expected name=value."),
        ("a=1&action=ADD\na=2&action=ADD", "there are several postbacks: paste one of them."),
    ] {
        let response = paste(&anna, text);
        assert_eq!(response.status, 400, "{text}");
        says(&response.body, &format!("The text cannot be read as a postback: {why}"));
    }
    let hostile = "action=ADD&siteid=1&memberid=7&username=<script>alert(1)</script>&password=x";
    let body = page(paste(&anna, hostile));
    assert!(body.contains("&lt;script&gt;alert(1)"), "{body}");
    assert!(!body.contains("<script"), "{body}");
    let long = format!("postback={}", "a".repeat(70_000));
    assert_eq!(anna.post("/lab", &long).status, 413);
}

#[test]
fn a_form_without_the_token_of_the_session_is_refused() {
    let app = App::start_with(&OPS);
    let anna = app.console("anna", Role::Admin);
    let form = "postback=action%3DCHECK%26siteid%3D1%26username%3Db";
    for (request, status) in [
        (Request::post("/lab").same_origin().form(form), 403),
        (Request::post("/lab").same_origin().form(&format!("{form}&csrf=0")), 403),
        (
            Request::post("/lab")
                .header("Sec-Fetch-Site", "cross-site")
                .form(&format!("{form}&csrf={}", anna.csrf)),
            403,
        ),
    ] {
        let response = anna.send(request);
        assert_eq!(response.status, status);
        assert!(!response.body.contains("The reply would be"), "{}", response.body);
    }
    assert_eq!(anna.post("/lab", form).status, 200);
    let unknown = Request::post("/lab").same_origin().form(&format!("{form}&csrf={}", anna.csrf));
    assert_eq!(app.send_ops(unknown).status, 401);
}
