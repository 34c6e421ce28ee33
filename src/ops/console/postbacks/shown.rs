//! Journal records for pages: as a row of the list, and whole.

use minijinja::{Value, context};
use serde::Serialize;

use crate::chain::chain;
use crate::fields::{Fields, MASK};
use crate::ops::console::row;
use crate::ops::console::times::Times;
use crate::ops::console::trial::class_of;
use crate::replay::record_text;
use crate::reply::Reply;
use crate::store::{StoredRecord, UnreadableRecord};
use crate::unicode::Visible;

/// A record as a row of the list, for a template and for the script that follows the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordRow {
    id: i64,
    time: String,
    action: String,
    site: String,
    member: String,
    member_link: Option<String>,
    username: String,
    class: &'static str,
    word: String,
    sentence: String,
    source: String,
}

impl RecordRow {
    /// Of this record.
    pub fn of(record: &StoredRecord, times: &Times) -> Self {
        let (class, word, sentence) = reply(&record.reply);
        let number = |id: Option<i64>| id.map_or_else(|| "–".to_owned(), |id| id.to_string());
        let by_operator = record.source == "operator";
        let whose = record.operator.as_deref().filter(|_| by_operator);
        let source = match whose {
            Some(name) => format!("operator {}", Visible(name)),
            None => record.source.clone(),
        };
        Self {
            id: record.id,
            time: times.text(record.at),
            action: record.action.clone().unwrap_or_else(|| "–".into()),
            site: number(record.siteid),
            member: number(record.memberid),
            member_link: record.key().map(|key| format!("/members/{}/{}", key.site, key.member)),
            username: record
                .username
                .as_deref()
                .map(|name| Visible(name).to_string())
                .unwrap_or_default(),
            class,
            word,
            sentence,
            source,
        }
    }

    fn value(&self) -> Value {
        context! {
            id => self.id,
            time => self.time.clone(),
            action => self.action.clone(),
            site => self.site.clone(),
            member => self.member.clone(),
            member_link => self.member_link.clone(),
            username => self.username.clone(),
            class => self.class,
            word => self.word.clone(),
            sentence => self.sentence.clone(),
            source => self.source.clone(),
        }
    }
}

/// A row of the list, for a template.
pub fn row(found: &Result<StoredRecord, UnreadableRecord>, times: &Times) -> Value {
    match found {
        Ok(record) => RecordRow::of(record, times).value(),
        Err(unreadable) => context! { id => unreadable.id, unreadable => chain(unreadable) },
    }
}

/// The class of the style, the word and the sentence of a reply line.
fn reply(line: &str) -> (&'static str, String, String) {
    match Reply::from_line(line) {
        Some(reply) => (
            class_of(reply.word()),
            reply.word().as_str().to_owned(),
            Visible(reply.sentence()).to_string(),
        ),
        // Another program has written it.
        None => ("", "?".into(), Visible(line).to_string()),
    }
}

/// A record whole, for a template.
pub fn whole(record: &StoredRecord, times: &Times) -> Value {
    let mut facts = Vec::new();
    let mut fact = |name: &str, value: Option<String>, link: Option<String>| {
        facts.extend(value.map(|value| context! { name, value, link }));
    };
    let text = |text: &Option<String>| text.as_deref().map(|text| Visible(text).to_string());
    let member = record.key().map(|key| format!("/members/{}/{}", key.site, key.member));
    let of_member =
        record.key().map(|key| format!("/postbacks?site={}&memberid={}", key.site, key.member));
    fact("Number", Some(record.id.to_string()), None);
    fact("Time", Some(times.text(record.at)), None);
    fact("Source", Some(record.source.clone()), None);
    fact("Operator", text(&record.operator), None);
    fact("Address", text(&record.address), None);
    fact("Action", text(&record.action).or_else(|| Some("none of the eight".into())), None);
    fact("Site", record.siteid.map(|id| id.to_string()), None);
    fact("Member", record.memberid.map(|id| id.to_string()), member);
    fact("Username", text(&record.username), None);
    fact("Others", of_member.as_ref().map(|_| "All postbacks of this member".into()), of_member);
    let clock = "the clock had jumped: members were moved up to";
    fact("Clock", record.moved_until.map(|at| format!("{clock} {}", times.text(at))), None);
    let put = &record.put;
    let mut puts = Vec::new();
    let mut put_fact = |name: &str, value: Option<String>| {
        puts.extend(value.map(|value| context! { name, value }));
    };
    let credential = put.credential.as_ref();
    put_fact("Password", credential.map(|given| row::form(&given.stored).to_owned()));
    let kept = credential.and_then(|given| given.cryptpass.as_ref());
    put_fact("Cryptpass", kept.map(|_| "kept in its column".into()));
    put_fact("Session", put.session.map(|_| "its SHA-256".into()));
    put_fact("Expiry", put.expire_at.map(|at| times.text(at)));
    put_fact("Logins", put.logins_ended.then(|| "earlier logins were ended".into()));
    let stale = "older than the last change, so that it changed nothing";
    put_fact("Stamp", put.is_stale.then(|| stale.into()));
    context! {
        record => RecordRow::of(record, times).value(),
        facts,
        put => puts,
        fields => fields(&record.fields),
        text => record_text(record),
    }
}

/// The fields of a record by name. A part that is no field, such as the description of a body, has
/// no name.
fn fields(text: &str) -> Value {
    let fields = Fields::from_urlencoded(text.as_bytes());
    let shown = |(name, value): (&str, &str)| {
        let (name, value) = match (name, value) {
            ("", _) => ("(no name)".to_owned(), "(not shown)".to_owned()),
            (name, "") if name.starts_with(MASK) => ("(another name)".into(), "(not shown)".into()),
            (name, "") => (Visible(name).to_string(), "(empty)".into()),
            (name, value) if value.starts_with(MASK) => {
                (Visible(name).to_string(), "(given, not shown)".into())
            }
            (name, value) => (Visible(name).to_string(), Visible(value).to_string()),
        };
        context! { name, value }
    };
    if text.is_empty() {
        Value::from_iter(Vec::<Value>::new())
    } else {
        fields.all().map(shown).collect()
    }
}
