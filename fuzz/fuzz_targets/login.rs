//! What a visitor of a members area sends: no bytes log anybody in that we did not sign, name a
//! member that cannot be, ask about no site, or lead to another host.

#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libfuzzer_sys::fuzz_target;
use nats_userman::identity::{SITES_MAX, USERNAME_BYTES_MAX};
use nats_userman::login::ask::Ask;
use nats_userman::login::back::{ADDRESS_BYTES_MAX, Back};
use nats_userman::login::basic::Typed;
use nats_userman::login::cookie::{Lifetimes, Signer};
use nats_userman::login::cookie_domain::CookieDomain;
use nats_userman::login::cookie_domains::{CookieDomains, host_of};
use nats_userman::login::cookie_header::values;

/// 2026-06-15 12:00:00 UTC.
const NOON: i64 = 1_781_524_800;
const LIFETIME: i64 = 86_400;
/// Letters in a cookie of the release before.
const FORMER_LETTERS: usize = 108;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    ask(bytes);
    basic(bytes);
    cookie(bytes, &text);
    back(&text);
});

fn ask(query: &[u8]) {
    let Ok(ask) = Ask::parse(query) else { return };
    assert!((1..=SITES_MAX).contains(&ask.sites.as_slice().len()));
    let list = ask.sites.to_string();
    let again = format!("site={list}&trial={}", if ask.full_only { "no" } else { "yes" });
    let again = Ask::parse(again.as_bytes()).expect("what was read can be asked again");
    assert_eq!((again.sites, again.full_only), (ask.sites, ask.full_only));
}

fn basic(bytes: &[u8]) {
    let encoded = format!("Basic {}", STANDARD.encode(bytes));
    for header in [bytes, encoded.as_bytes()] {
        let Some(Ok(typed)) = Typed::read(header) else { continue };
        let name = typed.name.as_str();
        assert!(
            (1..=USERNAME_BYTES_MAX).contains(&name.len())
                && !name.contains(char::is_control)
                && !name.contains(':'),
            "{name:?}"
        );
        let shown = format!("{typed:?}");
        assert!(shown.ends_with("password: Password(***) }"), "{shown}");
    }
    // In base64 there is no other scheme, and nothing is ignored silently.
    assert!(Typed::read(encoded.as_bytes()).is_some());
}

fn cookie(bytes: &[u8], text: &str) {
    let signer = Signer::from_key([7; 32]);
    let lines = || bytes.split(|&b| b == b'\n');
    assert!(values(lines(), "__Host-userman").all(|value| !value.contains(';')));
    for value in values(lines(), "__Host-userman").chain([text]) {
        // The corpus has some that were signed with this key: then it is such a text and no other.
        let logins = signer.read(value, NOON, Lifetimes::alike(LIFETIME));
        assert!(
            logins.is_empty() || signer.sign(&logins) == value || value.len() == FORMER_LETTERS
        );
    }
    if let Some(domain) = CookieDomain::parse(text) {
        assert!(
            domain
                .as_str()
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-'))
        );
        assert_eq!(CookieDomain::parse(domain.as_str()), Some(domain.clone()));
        let domains = CookieDomains::new(vec![domain.clone()]);
        assert_eq!(domains.cookie_at(&format!("www.{domain}")).domain, Some(&domain));
    }
    assert!(text.starts_with(host_of(text)));
}

fn back(text: &str) {
    let back = Back::read(text);
    let bytes = back.as_str().as_bytes();
    assert!(bytes[0] == b'/' && !matches!(bytes.get(1), Some(b'/' | b'\\')), "{back}");
    assert!(bytes.len() <= ADDRESS_BYTES_MAX && bytes.iter().all(u8::is_ascii_graphic), "{back}");
    assert_eq!(Back::read(back.as_str()), back);
}
