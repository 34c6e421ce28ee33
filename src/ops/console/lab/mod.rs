//! `/lab`: a pasted postback, how it is read, what would be answered, and what would change.
//! Nothing is changed, journalled or logged, and nothing secret is shown again.

mod fields;
mod layout;
mod meaning;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use minijinja::{Value, context};

use super::page::{Message, Page, times};
use super::trial::{Trial, postback_of_line, problem};
use crate::action::{Action, FieldsSource, Rules};
use crate::apply::Postback;
use crate::chain::chain;
use crate::fields::Fields;
use crate::http::state::ThreadState;
use crate::journal::Origin;
use crate::ops::form::Form;
use crate::ops::session::Session;
use crate::ops::signed::Signed;
use fields::{FieldRead, explain};
use layout::{Content, Pasted};

const HEADING: &str = "What would happen now";

/// The form.
pub async fn form(request: HttpRequest, Session(signed): Session) -> HttpResponse {
    page(context! {}).respond(&request, &signed)
}

/// The pasted postback.
pub async fn run(request: HttpRequest, form: Form, state: Data<ThreadState>) -> HttpResponse {
    let signed = &form.signed;
    let pasted = match Pasted::read(form.fields().get("postback").unwrap_or_default()) {
        Ok(pasted) => pasted,
        Err(why) => return refused(&chain(&why), &request, signed),
    };
    let rules = state.shared().live.load().rules.clone();
    let Read { postback, fields, more_fields } = Read::of(&pasted, &rules);
    let layout = pasted.layout.in_words();
    let context = context! { layout, fields, more_fields, fields_max => fields::SHOWN_MAX };
    let postback = match postback {
        Ok(postback) => postback,
        Err(why) => {
            let trial = problem(HEADING, why);
            return page(context! { trial, ..context }).respond(&request, signed);
        }
    };
    let (now, times) = (state.shared().clock.now(), times(&request));
    let tried =
        state.reads().read(move |read| Trial::run(read, &rules, &postback, now, &times)).await;
    match tried {
        Ok(trial) => {
            let trial = trial.value(HEADING);
            page(context! { trial, ..context }).respond(&request, signed)
        }
        Err(error) => {
            log::warn!("the console cannot read the database: {}", chain(&error));
            Page::unreadable().respond(&request, signed)
        }
    }
}

fn page(context: Value) -> Page {
    Page::new("lab.html", "Lab").with(context)
}

fn refused(why: &str, request: &HttpRequest, signed: &Signed) -> HttpResponse {
    page(context! {})
        .status(StatusCode::BAD_REQUEST)
        .message(Message::bad(format!("The text cannot be read as a postback: {why}.")))
        .respond(request, signed)
}

/// A pasted postback, read as the service reads one.
struct Read {
    /// Or why it cannot be decided.
    postback: Result<Postback, &'static str>,
    /// The explanation of its first fields, for a template.
    fields: Value,
    /// How many fields are not explained.
    more_fields: usize,
}

impl Read {
    fn of(pasted: &Pasted, rules: &Rules) -> Self {
        if let Content::Record(line) = &pasted.content {
            let postback = postback_of_line(line);
            let (recorded, _) = line.postback();
            let fields = Fields::from_urlencoded(recorded.received.fields().as_bytes());
            let mut read = explain(&fields, &line.parsed());
            if postback.is_err() {
                fields::forget_refusals(&mut read);
            }
            return Self::new(postback, &fields, &read);
        }
        let fields = pasted.fields().unwrap_or_default();
        let read = Action::parse(&fields, &FieldsSource::Wire(rules));
        let (postback, _) = Postback::read(&fields, rules, Origin::Nats, None);
        Self::new(Ok(postback), &fields, &explain(&fields, &read))
    }

    fn new(
        postback: Result<Postback, &'static str>,
        fields: &Fields<'_>,
        read: &[FieldRead],
    ) -> Self {
        let more_fields = fields.all().count().saturating_sub(fields::SHOWN_MAX);
        Self { postback, fields: fields::value(read), more_fields }
    }
}

#[cfg(test)]
mod tests {
    use super::fields::{SHOWN_MAX, Verdict};
    use super::*;
    use crate::clock::{ExpiryRule, Zone};
    use crate::password::Vault;

    fn read(body: &str) -> Vec<FieldRead> {
        let rules = Rules {
            vault: Vault::from_key([0; 32]),
            keep_cryptpass: false,
            expiry: ExpiryRule { zone: Zone::UTC, grace_hours: 0 },
            stale_guard: false,
        };
        let fields = Fields::from_urlencoded(body.as_bytes());
        explain(&fields, &Action::parse(&fields, &FieldsSource::Wire(&rules)))
    }

    #[test]
    fn each_field_says_how_it_is_read() {
        let found = read(
            "action=ADD&siteid=2&siteid=1&memberid=71&username=b%C3%B6b&password=Sesame-1&\
             cryptpass=&trial=maybe&status=1&colour=red&x[]=1&city=Rome",
        );
        let found: Vec<(&str, &str, &Verdict)> =
            found.iter().map(|one| (&*one.name, &*one.value, &one.verdict)).collect();
        let used = |text: &str| Verdict::Used(text.into());
        let unused = |text: &str| Verdict::Unused(text.into());
        let expected = [
            ("action", "ADD", used("the action")),
            ("siteid", "2", unused("a later field of the same name counts")),
            ("siteid", "1", used("the site")),
            ("memberid", "71", used("the member")),
            ("username", "böb", used("the login name")),
            ("password", "(given, not shown)", used("the password")),
            ("cryptpass", "(empty)", unused("an empty value counts as not given")),
            ("trial", "maybe", Verdict::Ignored("expected 0 or 1, found \"maybe\"".into())),
            ("status", "1", unused("ADD does not use it")),
            ("(another name)", "(not shown)", unused("ADD does not use it")),
            (
                "(no name)",
                "(not shown)",
                unused("an array, or a value without a name, is no field"),
            ),
            ("city", "(given, not shown)", unused("ADD does not use it")),
        ];
        let expected: Vec<_> =
            expected.iter().map(|(name, value, verdict)| (*name, *value, verdict)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_first_fields_are_explained_in_one_pass_and_what_is_missing_too() {
        let body = format!("{}action=ADD&siteid=1&memberid=7", "email=x&".repeat(20_000));
        let found = read(&body);
        assert_eq!(found.len(), SHOWN_MAX + 1);
        let later = Verdict::Unused("a later field of the same name counts".into());
        assert_eq!(found[SHOWN_MAX - 1].verdict, later);
        assert_eq!((&*found[SHOWN_MAX].name, &*found[SHOWN_MAX].value), ("username", "–"));
    }

    #[test]
    fn what_is_missing_or_refused_is_named() {
        let refused = |body: &str| {
            let found = read(body);
            let is_refused = |one: &&FieldRead| matches!(one.verdict, Verdict::Refused(_));
            let one = found.iter().find(is_refused).unwrap_or_else(|| panic!("{found:?}"));
            (one.name.clone(), one.value.clone(), one.verdict.clone())
        };
        let number = "expected a number from 1 to 9223372036854775807";
        for (body, name, value, why) in [
            ("action=DELETE&siteid=x&memberid=1", "siteid", "x", format!("{number}, found \"x\"")),
            ("action=CHECK&username=b", "siteid", "–", format!("{number}, it is not given")),
            (
                "action=ADD&siteid=1&memberid=71&username=b",
                "password",
                "–",
                "expected 1 to 1024 bytes, or a cryptpass, it is not given".into(),
            ),
        ] {
            assert_eq!(refused(body), (name.into(), value.into(), Verdict::Refused(why)), "{body}");
        }
    }

    #[test]
    fn no_password_is_in_what_is_shown_of_a_refused_postback_either() {
        let secret = "Sesame-4711";
        for body in [
            format!(
                "action=ADD&siteid=1&memberid=71&username=b%0Apassword={secret}&password={secret}"
            ),
            format!("action=ADD;password={secret}"),
            format!("action=CHANGE&siteid=1&memberid=71&new_password={secret}&Password={secret}"),
            format!("action=ADD&password=a&{secret}&b"),
        ] {
            let shown = format!("{:?}", read(&body));
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
