//! Queries of a members area and answers of NATS: no query names two members at once, and only an
//! authstring is read as one.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nats_userman::authstring::keys::{ApiKey, ApiKeys};
use nats_userman::authstring::query::StringQuery;
use nats_userman::authstring::{Lookup, Resource, answer};
use nats_userman::identity::Sites;
use nats_userman::nats_client::Access;

fuzz_target!(|bytes: &[u8]| {
    question(bytes);
    nats_answers(bytes);
    let text = String::from_utf8_lossy(bytes);
    key(&text);
    access(&text);
});

fn question(query: &[u8]) {
    let typed = [b"type=upsell&", query].concat();
    for question in [
        StringQuery::authstring(query),
        StringQuery::authstring(&typed),
        StringQuery::tokenrebuystring(query),
    ] {
        match question {
            Ok(StringQuery { lookup: Lookup::Session { member, session }, .. }) => {
                assert!(member.get() > 0 && format!("{session:?}") == "Session(***)");
            }
            Ok(StringQuery {
                lookup: Lookup::Site { username, .. } | Lookup::Sites { username, .. },
                ..
            }) if !(1..=255).contains(&username.as_str().len()) => {
                panic!("{username:?}")
            }
            Ok(StringQuery { lookup: Lookup::Sites { sites, .. }, .. }) => {
                assert_eq!(Sites::parse(&sites.to_string()), Some(sites))
            }
            Ok(_) => {}
            Err(refusal) => {
                assert!(refusal.reply().sentence().contains(": expected "), "{refusal:?}")
            }
        }
    }
}

fn nats_answers(body: &[u8]) {
    let Ok(Some(string)) = answer::read(Resource::TokenRebuyString, 200, body) else { return };
    assert!(string.expose().len() == 32 && string.expose().bytes().all(|b| b.is_ascii_hexdigit()));
    assert!(!format!("{string:?}").contains(string.expose()));
}

/// A key that reads is found by its own username and text, and shows the text nowhere.
fn key(text: &str) {
    let Some(key) = ApiKey::parse(text) else { return };
    let (username, secret) = text
        .split_ascii_whitespace()
        .next()
        .and_then(|pair| pair.split_once(':'))
        .expect("it was read");
    assert_eq!(key.username(), username);
    let keys = ApiKeys::new(vec![key]).expect("there is one");
    assert!(keys.find(username.as_bytes(), secret.as_bytes()).is_some());
    assert!(keys.find(username.as_bytes(), &secret.as_bytes()[1..]).is_none());
}

fn access(url: &str) {
    if let Some(access) = Access::new(url, "username", "key") {
        assert!(!access.url().ends_with('/') && !access.url().contains(['?', '#', '@']));
    }
}
