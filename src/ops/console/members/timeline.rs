//! The entries of a member's history as rows of a table.

use minijinja::{Value, context};

use crate::block::Target;
use crate::fields::Fields;
use crate::login_record::{LoginEvent, LoginRecord, LoginWay};
use crate::member_view::timeline::Entry;
use crate::ops::console::times::Times;
use crate::reply::{Reply, Word};
use crate::store::StoredRecord;
use crate::unicode::Visible;

/// A row.
pub fn row(entry: &Entry, times: &Times) -> Value {
    let time = times.html_or_none(entry.at());
    match entry {
        Entry::Record(record) => of_record(record, &time),
        Entry::Unreadable(id) => context! {
            time,
            kind => "unreadable",
            class => "bad",
            text => "This journal record cannot be read.",
            by => "",
            link => format!("/postbacks/{id}"),
        },
        Entry::Login(login) => of_login(&login.record, &time),
        Entry::Block(block) => {
            let until = times.text(block.until);
            let whom = match &block.target {
                Target::Pair(_, network) => format!("this name from {network}"),
                Target::Network(network) => format!("every name from {network}"),
                Target::Name(_) => "this name from unknown networks".into(),
            };
            let text = format!("Too many wrong passwords: {whom} is blocked until {until}.");
            context! { time, kind => "block", class => "bad", text, by => "the service" }
        }
        Entry::Sharing(block) => {
            let (why, until) = (block.why.sentence(), times.text(block.until));
            let text = format!("The login counts as shared: {why}; a block ends at {until}.");
            context! { time, kind => "sharing", class => "warn", text, by => "the service" }
        }
    }
}

fn of_record(record: &StoredRecord, time: &Value) -> Value {
    let fields = Fields::from_urlencoded(record.fields.as_bytes());
    let action = record.action.as_deref().or_else(|| fields.get("action"));
    let reply = Reply::from_line(&record.reply);
    let class = match reply.as_ref().map(Reply::word) {
        Some(Word::Ok) => "good",
        Some(Word::NotOk) => "warn",
        Some(Word::Error) | None => "bad",
    };
    let by = match (&record.operator, &record.address) {
        (Some(operator), _) => format!("operator {operator}"),
        (None, Some(address)) => format!("{} from {address}", source(&record.source)),
        (None, None) => source(&record.source).to_owned(),
    };
    context! {
        time => time.clone(),
        kind => Visible(action.unwrap_or("postback")).to_string(),
        class,
        text => record.reply.clone(),
        by,
        link => format!("/postbacks/{}", record.id),
    }
}

/// The source of a record in words.
fn source(word: &str) -> &str {
    match word {
        "nats" => "NATS",
        "operator" => "a command",
        other => other,
    }
}

fn of_login(record: &LoginRecord, time: &Value) -> Value {
    let class = match record.event {
        LoginEvent::Login => "good",
        LoginEvent::Logout => "",
        LoginEvent::Unknown
        | LoginEvent::Wrong
        | LoginEvent::Trial
        | LoginEvent::Blocked
        | LoginEvent::Shared => "warn",
    };
    let way = match record.way {
        LoginWay::Page => "the login page",
        LoginWay::Basic => "the browser's prompt",
    };
    context! {
        time => time.clone(),
        kind => "login",
        class,
        text => record.event.sentence(),
        by => format!("{way}, from {}", record.network),
    }
}
