//! Postbacks, one a line, decided one after the other on a state that they make themselves: every
//! reply is one line of printable ASCII, no record shows a secret, a postback sent twice is
//! answered with the same word and changes nothing the second time.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use nats_userman::action::{Action, Change, FieldsSource, Recorded, Rules, Sender};
use nats_userman::apply::{Postback, decide};
use nats_userman::clock::ExpiryRule;
use nats_userman::fields::Fields;
use nats_userman::journal::Origin;
use nats_userman::password::Vault;
use nats_userman::reply::Word;
use nats_userman::store::View;

/// 2026-06-15 12:00:00 UTC.
const NOON: i64 = 1_781_524_800;
/// `OK|` and a sentence with two names of 255 bytes at most, or a quoted value of 255.
const REPLY_BYTES_MAX: usize = 900;
/// Postbacks of one input.
const POSTBACKS_MAX: usize = 12;
/// Planted as the password and session of every postback.
const PLANTED: &str = "Zq7-planted-Xw4";

static RULES: LazyLock<Rules> = LazyLock::new(|| Rules {
    vault: Vault::from_key([7; 32]),
    keep_cryptpass: true,
    expiry: ExpiryRule { zone: "Europe/Berlin".parse().unwrap(), grace_hours: 1 },
    stale_guard: true,
});

fuzz_target!(|bodies: &[u8]| {
    let mut view = View::default();
    for body in bodies.split(|&b| b == b'\n').take(POSTBACKS_MAX) {
        // The fuzzer may copy the planted word into its input.
        if Fields::from_urlencoded(body).journal_text().contains("planted") {
            return;
        }
        let planted = format!("&password={PLANTED}&new_password={PLANTED}&session={PLANTED}");
        let body = [body, planted.as_bytes()].concat();
        let once = post(&mut view, &body);
        let twice = post(&mut view, &body);
        assert_eq!(once.word, twice.word, "{}", body.escape_ascii());
        assert!(once.word != Word::Ok || !twice.changed, "changed twice: {}", body.escape_ascii());
    }
});

/// The result of one postback.
struct Came {
    word: Word,
    changed: bool,
}

fn post(view: &mut View, body: &[u8]) -> Came {
    let fields = Fields::from_urlencoded(body);
    let (postback, ignored) = Postback::read(&fields, &RULES, Origin::Nats, None);
    let outcome = decide(&RULES.vault, &postback, view, NOON);
    let line = outcome.record.reply.as_str();
    assert!(line.len() <= REPLY_BYTES_MAX, "{} bytes: {line}", line.len());
    assert!(
        line.bytes().all(|b| matches!(b, b' '..=b'~')) && line.matches('|').count() == 1,
        "{line}"
    );
    let shown =
        format!("{line} {} {postback:?} {outcome:?} {ignored:?}", postback.received.fields());
    assert!(!shown.contains("planted"), "{shown}");
    let word = outcome.record.reply.word();
    // A CHECK has no record.
    if word == Word::Ok && !postback.is_check() {
        reads_back(&fields, &postback, &outcome.record.put);
    }
    Came { word, changed: !matches!(outcome.change, Change::None) }
}

/// The record's fields, with what the postback put into the row beside them, are the same action
/// again.
fn reads_back(fields: &Fields<'_>, postback: &Postback, put: &Recorded) {
    let Ok(action) = &postback.action else { return };
    let text = postback.received.fields();
    let recorded = Fields::from_urlencoded(text.as_bytes());
    let again = Action::parse(&recorded, &FieldsSource::Journal(put, Word::Ok, Sender::Nats));
    let again =
        again.action.unwrap_or_else(|refusal| panic!("{refusal} of {text}, from {fields:?}"));
    assert_eq!(
        (again.name(), again.key(), again.wanted()),
        (action.name(), action.key(), action.wanted()),
        "{text}"
    );
    assert_eq!(again.expire_at(), action.expire_at(), "{text}");
}
