//! Any body gives fields, and what the journal shows of them reads back to itself and shows no
//! secret.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nats_userman::fields::{Fields, MASK, may_hold_fields};

/// Planted as a secret beside every input.
const PLANTED: &str = "Zq7-planted-Xw4";
/// Names whose values are secrets, in the forms that PHP would make of them.
const SECRETS: [&str; 6] =
    ["password", "new_password", "cryptpass", "session", "mychanges_password", "new%5fcryptpass"];
/// Names whose values the journal shows.
const SHOWN: [&str; 5] = ["action", "siteid", "memberid", "username", "expire"];

fuzz_target!(|body: &[u8]| {
    let fields = Fields::from_urlencoded(body);
    let journal = fields.journal_text();
    // Escaping makes at most three bytes of one, and Windows-1252 at most three of one before that;
    // `=`, `&` and MASK.
    assert!(
        journal.len() <= 9 * body.len() + MASK.len() + 1,
        "{} of {}",
        journal.len(),
        body.len()
    );
    assert!(journal.bytes().all(|b| b.is_ascii_graphic()), "{journal}");

    let again = Fields::from_urlencoded(journal.as_bytes());
    assert_eq!(again.journal_text(), journal);
    for name in SHOWN {
        assert_eq!(again.has(name), fields.has(name), "{name} in {journal}");
        let hides = |value: &str| may_hold_fields(name, value);
        let hidden = fields.get(name).is_some_and(hides) && again.get(name) == Some("***\n***");
        assert!(hidden || again.get(name) == fields.get(name), "{name} in {journal}");
    }
    let refused = fields.journal_text_of_refused();
    let refused = Fields::from_urlencoded(refused.as_bytes());
    for name in SHOWN {
        assert!(
            !refused.get(name).is_some_and(|value| may_hold_fields(name, value)),
            "{refused:?}"
        );
    }
    hides_a_planted_secret(body);
});

/// A secret under every one of its names, then one with a bare `&` in it, which turns up as a name.
fn hides_a_planted_secret(body: &[u8]) {
    // The fuzzer may copy the planted word into its input.
    if Fields::from_urlencoded(body).journal_text().contains("planted") {
        return;
    }
    for name in SECRETS {
        let planted =
            format!("&{name}={PLANTED}&{name}=x&{PLANTED}&{PLANTED}=y&{name}[]={PLANTED}&");
        let whole = [body, planted.as_bytes(), body].concat();
        let fields = Fields::from_urlencoded(&whole);
        let shown = format!("{} {fields:?}", fields.journal_text());
        assert!(!shown.contains("planted"), "{shown}");
    }
}
