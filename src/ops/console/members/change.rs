//! `/members/{site}/{memberid}/{change}`: a page that says what will happen, and the change.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, LOCATION};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use minijinja::{Value, context};

use super::{address, key, no_such_address, unreadable};
use crate::action::Rules;
use crate::clock::Zone;
use crate::fields::Fields;
use crate::http::state::ThreadState;
use crate::identity::{Key, USERNAME_EXPECTED, Username};
use crate::member_change::lift::Lift;
use crate::member_change::{MemberChange, NEW_EXPIRY_EXPECTED, NewExpiry};
use crate::member_view::profile::Profile;
use crate::ops::console::page::{Message, Page, times};
use crate::ops::console::times::Times;
use crate::ops::form::Form;
use crate::ops::session::{Session, Signed};
use crate::password::{PASSWORD_EXPECTED, Password};
use crate::reply::Word;
use crate::store::{Fault, Read, StoredRecord};
use crate::unicode::Visible;
use crate::writer::Answer;

/// Records of a member among which that of a change is searched. Others may have come meanwhile.
const RECORDS_SEARCHED: u32 = 20;

/// What can be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Lift,
    Remove,
    Restore,
    Expiry,
    Password,
    Logout,
}

impl Kind {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "lift" => Self::Lift,
            "remove" => Self::Remove,
            "restore" => Self::Restore,
            "expiry" => Self::Expiry,
            "password" => Self::Password,
            "logout" => Self::Logout,
            _ => return None,
        })
    }

    fn word(self) -> &'static str {
        match self {
            Self::Lift => "lift",
            Self::Remove => "remove",
            Self::Restore => "restore",
            Self::Expiry => "expiry",
            Self::Password => "password",
            Self::Logout => "logout",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Lift => "Lift the blocks",
            Self::Remove => "Remove a member",
            Self::Restore => "Restore a former member",
            Self::Expiry => "New expiry",
            Self::Password => "Set a password",
            Self::Logout => "End the logins",
        }
    }

    fn button(self) -> &'static str {
        match self {
            Self::Lift => "Lift the blocks",
            Self::Remove => "Remove",
            Self::Restore => "Restore",
            Self::Expiry => "Set the expiry",
            Self::Password => "Set the password",
            Self::Logout => "End the logins",
        }
    }

    /// Why it cannot be done with this member now.
    fn obstacle(self, profile: &Profile) -> Option<&'static str> {
        match self {
            Self::Lift if !profile.is_blocked() => Some("They are not blocked now."),
            Self::Restore if profile.is_here() => Some("They are a member now."),
            Self::Restore if !profile.is_former() => Some("They were never a member here."),
            Self::Remove | Self::Expiry | Self::Password | Self::Logout if !profile.is_here() => {
                Some("They are not a member now.")
            }
            _ => None,
        }
    }

    /// What will happen, in sentences.
    fn effects(self, profile: &Profile, times: &Times) -> Vec<String> {
        match self {
            Self::Lift => lifted(profile, times),
            Self::Remove => vec![
                "They cannot log in any more, from the next request on, and all their logins end."
                    .into(),
                "Their row moves to the former members, from which they can be restored. Another \
                 member may take their name meanwhile."
                    .into(),
                "NATS is not told: its next ADD or ACTIVATE for them lets them in again.".into(),
            ],
            Self::Restore => vec![
                "They can log in again with the password they had, and without an expiry.".into(),
                "If another member has their name now, give them another one.".into(),
                "NATS is not told.".into(),
            ],
            Self::Expiry => vec![
                "At that time they cannot log in any more, and their logins end.".into(),
                "The next EXPIRE of NATS sets another end, and its next ADD, ACTIVATE or \
                 TRIALTOFULL removes this one."
                    .into(),
            ],
            Self::Password => vec![
                "The old password is not valid any more, and all their logins end.".into(),
                "Set it in NATS too: the next postback of NATS with a password replaces this one."
                    .into(),
            ],
            Self::Logout => vec![
                "All browsers that are logged in as this member must log in again.".into(),
                "Their password stays valid, also where a browser sends it by itself.".into(),
            ],
        }
    }
}

fn lifted(profile: &Profile, times: &Times) -> Vec<String> {
    let mut sentences: Vec<String> = profile
        .all_blocks()
        .iter()
        .map(|block| {
            let until = times.text(block.until);
            let network = block.target.network().map(|network| format!(" from {network}"));
            let whom = if block.target.name().is_some() { "this name" } else { "every name" };
            format!("The block of {whom}{} until {until} ends.", network.unwrap_or_default())
        })
        .collect();
    if let Some(block) = profile.sharing_block() {
        let until = times.text(block.until);
        sentences.push(format!("The block because of sharing until {until} ends."));
    }
    sentences.push("They can try again within a second.".into());
    sentences
}

/// The page that asks.
pub async fn confirm(
    path: Path<(String, String, String)>,
    request: HttpRequest,
    Session(signed): Session,
    state: Data<ThreadState>,
) -> HttpResponse {
    let Some(key) = key(&path.0, &path.1) else { return no_such_address(&request, &signed) };
    let Some(kind) = Kind::parse(&path.2) else { return no_such_change(key, &request, &signed) };
    let profile = match profile(&state, key).await {
        Ok(profile) => profile,
        Err(error) => return unreadable(&*error, &request, &signed),
    };
    match kind.obstacle(&profile) {
        Some(why) => nothing_to_do(kind, key, why).respond(&request, &signed),
        None => {
            question(kind, &profile, &Typed::default(), &times(&request)).respond(&request, &signed)
        }
    }
}

fn no_such_change(key: Key, request: &HttpRequest, signed: &Signed) -> HttpResponse {
    let sentence = "There is no such change. Go back to the member.";
    let context = context! { sentence, back => address(key) };
    Page::new("member_problem.html", "No such page")
        .status(StatusCode::NOT_FOUND)
        .with(context)
        .respond(request, signed)
}

async fn profile(state: &ThreadState, key: Key) -> Result<Profile, Box<dyn std::error::Error>> {
    let now = state.shared().clock.now();
    let area = Arc::clone(&state.area().shared);
    let read = move |read: &dyn Read| Profile::read(read, key, Some(&area.config.sharing), now);
    Ok(state.reads().read(read).await?)
}

fn nothing_to_do(kind: Kind, key: Key, why: &str) -> Page {
    let sentence =
        format!("{why} Nothing was changed for member {} of site {}.", key.member, key.site);
    let context = context! { sentence, back => address(key) };
    Page::new("member_problem.html", kind.title()).status(StatusCode::CONFLICT).with(context)
}

/// What stands in the fields of the form. A password is never shown again.
#[derive(Default)]
struct Typed {
    name: Option<String>,
    when: String,
    /// The time is over: the page asks once more.
    is_over: bool,
}

fn question(kind: Kind, profile: &Profile, typed: &Typed, times: &Times) -> Page {
    let Key { site, member } = profile.key;
    let name = profile.username().map(|name| name.as_str().to_owned());
    let shown = name.as_deref().map_or_else(|| "–".into(), |name| Visible(name).to_string());
    let expiry = profile.row().and_then(|row| row.expire_at);
    let effects: Value = kind.effects(profile, times).into_iter().map(Value::from).collect();
    let own = address(profile.key);
    Page::new("member_change.html", kind.title()).with(context! {
        kind => kind.word(),
        site => site.to_string(),
        member => member.to_string(),
        name => shown,
        expiry => expiry.map_or_else(|| Value::from("none"), |at| times.html(at)),
        effects,
        username => typed.name.clone().or(name),
        when => typed.when.clone(),
        is_over => typed.is_over,
        zone_name => times.zone().to_string(),
        action => format!("{own}/{}", kind.word()),
        back => own,
        button => kind.button(),
        is_dangerous => kind == Kind::Remove,
    })
}

/// Why a form is not taken.
struct BadForm {
    why: String,
    typed: Typed,
}

impl BadForm {
    fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), typed: Typed::default() }
    }
}

/// Reads what is to be changed.
fn read(kind: Kind, form: &Fields<'_>, zone: &Zone, now: i64) -> Result<MemberChange, BadForm> {
    match kind {
        Kind::Remove => Ok(MemberChange::Remove),
        Kind::Logout => Ok(MemberChange::EndLogins),
        Kind::Restore => {
            let name = form.get("username").unwrap_or_default();
            Username::typed(name).map(MemberChange::Restore).ok_or_else(|| BadForm {
                typed: Typed { name: Some(name.to_owned()), ..Typed::default() },
                ..BadForm::new(format!("Name: {USERNAME_EXPECTED}."))
            })
        }
        Kind::Expiry => {
            let when = form.get("when").unwrap_or_default();
            let typed = |is_over| Typed { when: when.to_owned(), is_over, name: None };
            let Some(expiry) = NewExpiry::parse(when, zone) else {
                let why = format!("Expiry: {NEW_EXPIRY_EXPECTED}.");
                return Err(BadForm { why, typed: typed(false) });
            };
            let is_over = expiry.instant().is_some_and(|instant| instant <= now);
            if is_over && form.get("over").is_none() {
                let why = "This time is over: the membership would end at once. Tick the box if \
                           you mean that."
                    .into();
                return Err(BadForm { why, typed: typed(true) });
            }
            Ok(MemberChange::Expiry(expiry))
        }
        Kind::Password => {
            let [first, second] =
                ["password", "again"].map(|name| form.get(name).unwrap_or_default());
            if first != second {
                return Err(BadForm::new("The two passwords differ. Type it twice again."));
            }
            Password::parse(first).map(MemberChange::Password).ok_or_else(|| {
                BadForm::new(format!("Password: {PASSWORD_EXPECTED}, found {} bytes.", first.len()))
            })
        }
        // It is no postback, and the caller makes it.
        Kind::Lift => Err(BadForm::new("There is no such change.")),
    }
}

/// Makes the change.
pub async fn apply(
    path: Path<(String, String, String)>,
    request: HttpRequest,
    form: Form,
    state: Data<ThreadState>,
) -> HttpResponse {
    let signed = form.signed.clone();
    let Some(key) = key(&path.0, &path.1) else { return no_such_address(&request, &signed) };
    let Some(kind) = Kind::parse(&path.2) else { return no_such_change(key, &request, &signed) };
    let _in_flight = state.begin_request();
    let answer = if kind == Kind::Lift {
        let profile = match profile(&state, key).await {
            Ok(profile) => profile,
            Err(error) => return unreadable(&*error, &request, &signed),
        };
        let by = Some(&signed.operator);
        let lift = Lift::of_member(key, profile.username(), profile.all_blocks(), by);
        state.shared().writer.lift(lift).await
    } else {
        let now = state.shared().clock.now();
        let rules: Rules = state.shared().live.load().rules.clone();
        let change = match read(kind, &form.fields(), &rules.expiry.zone, now) {
            Ok(change) => change,
            Err(bad) => return again(kind, key, bad, &request, &state, &signed).await,
        };
        let postback = change.postback(key, &rules, Some(&signed.operator));
        state.shared().writer.submit(postback).await
    };
    answered(kind, key, &form, answer, &request, &state).await
}

/// The form once more, with what is wrong.
async fn again(
    kind: Kind,
    key: Key,
    BadForm { why, typed }: BadForm,
    request: &HttpRequest,
    state: &ThreadState,
    signed: &Signed,
) -> HttpResponse {
    match profile(state, key).await {
        Ok(profile) => question(kind, &profile, &typed, &times(request))
            .status(StatusCode::BAD_REQUEST)
            .message(Message::bad(why))
            .respond(request, signed),
        Err(error) => unreadable(&*error, request, signed),
    }
}

async fn answered(
    kind: Kind,
    key: Key,
    form: &Form,
    answer: Answer,
    request: &HttpRequest,
    state: &ThreadState,
) -> HttpResponse {
    let sentence = match answer {
        // The name may be taken: another one can be typed at once.
        Answer::Reply(reply) if kind == Kind::Restore && reply.word() == Word::Error => {
            let name = form.get("username");
            let typed = Typed { name, ..Typed::default() };
            let why = format!("Not done: {}.", reply.sentence());
            let bad = BadForm { why, typed };
            return again(kind, key, bad, request, state, &form.signed).await;
        }
        Answer::Reply(reply) => {
            let by = form.signed.operator.as_str().to_owned();
            let line = reply.as_str().to_owned();
            let record = state.reads().read(move |read| record_of(read, key, &by, &line)).await;
            // The change is made, whether its record can be read now or not.
            return see_member(key, kind, record.unwrap_or_default());
        }
        Answer::Unavailable => {
            "The database cannot be written now, or too much waits. Nothing was changed. Try again \
             in a moment; the log of the service says why."
        }
        Answer::OutcomeUnknown => {
            "It is not known whether the change was made. Look at the member, and try again if it \
             was not."
        }
    };
    let context = context! { sentence, back => address(key) };
    Page::new("member_problem.html", kind.title())
        .status(StatusCode::SERVICE_UNAVAILABLE)
        .with(context)
        .respond(request, &form.signed)
}

/// The number of the newest record of this operator with this reply.
fn record_of(read: &dyn Read, key: Key, operator: &str, reply: &str) -> Result<Option<i64>, Fault> {
    let records = read.last_records(key, i64::MAX, RECORDS_SEARCHED)?;
    let is_it = |record: &&StoredRecord| {
        record.operator.as_deref() == Some(operator) && record.reply == reply
    };
    Ok(records.iter().flatten().find(is_it).map(|record| record.id))
}

/// Back to the member's page, which tells what was answered.
fn see_member(key: Key, kind: Kind, record: Option<i64>) -> HttpResponse {
    let mut response = HttpResponse::new(StatusCode::SEE_OTHER);
    let record = record.map(|id| format!("record={id}&")).unwrap_or_default();
    let place = format!("{}?{record}done={}", address(key), kind.word());
    // Digits and a known word.
    if let Ok(place) = HeaderValue::from_str(&place) {
        response.headers_mut().insert(LOCATION, place);
    }
    response
}
