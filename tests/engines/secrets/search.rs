//! Searches bytes for secrets: unchanged, and in every encoding that a program might use by
//! accident.

use std::fmt::Write as _;

/// Alphanumeric parts of a secret with at least this length are searched for too, because a value
/// that was cut, or whose special characters were replaced, is a leak as well. Eight random
/// characters do not occur by chance.
const RUN_BYTES_MIN: usize = 8;
/// The number of findings that a failing test shows, and the bytes around each of them.
const FOUND_MAX: usize = 5;
const AROUND_BYTES: usize = 100;
const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The texts to search for.
pub struct Search {
    needles: Vec<Needle>,
    /// Indexes of the texts by their first two bytes.
    by_head: Vec<Vec<usize>>,
    /// Whether any text begins with these two bytes.
    is_head: Vec<bool>,
    /// Whether any text begins with four bytes of this [`beginning`].
    is_beginning: Vec<bool>,
}

struct Needle {
    what: String,
    bytes: Vec<u8>,
}

impl Default for Search {
    fn default() -> Self {
        let (by_head, is_head) = (vec![Vec::new(); 1 << 16], vec![false; 1 << 16]);
        Self { needles: Vec::new(), by_head, is_head, is_beginning: vec![false; BEGINNINGS] }
    }
}

impl Search {
    /// Adds this secret and its parts to the search.
    pub fn add(&mut self, what: &str, secret: &[u8]) {
        let runs =
            secret.split(|b| !b.is_ascii_alphanumeric()).filter(|run| run.len() >= RUN_BYTES_MIN);
        let halves = runs.clone().filter(|run| run.len() >= 2 * RUN_BYTES_MIN).flat_map(|run| {
            let (left, right) = run.split_at(run.len() / 2);
            [left, right]
        });
        let mut parts: Vec<&[u8]> = [secret].into_iter().chain(runs).chain(halves).collect();
        parts.dedup();
        for part in parts {
            let mut encodings = encodings(part);
            // Many encodings leave letters and digits unchanged, so duplicates are removed.
            encodings.sort_by(|(_, left), (_, right)| left.cmp(right));
            encodings.dedup_by(|(_, left), (_, right)| left == right);
            for (encoding, bytes) in encodings {
                self.by_head[head(bytes[0], bytes[1])].push(self.needles.len());
                self.is_head[head(bytes[0], bytes[1])] = true;
                let beginning = beginning(head(bytes[0], bytes[1]), head(bytes[2], bytes[3]));
                self.is_beginning[beginning] = true;
                self.needles.push(Needle { what: format!("{what}, {encoding}"), bytes });
            }
        }
        if let Some(raw) = unhex(secret) {
            self.add(&format!("{what}, its bytes"), &raw);
        }
    }

    /// The first few findings in these bytes, each with the bytes around it.
    pub fn found_in(&self, hay: &[u8]) -> Vec<String> {
        let at = |place: usize| {
            let here = &self.by_head[head(hay[place], hay[place + 1])];
            let here = here.iter().map(|&index| &self.needles[index]);
            let needle = here.into_iter().find(|needle| hay[place..].starts_with(&needle.bytes))?;
            let around =
                &hay[place.saturating_sub(AROUND_BYTES)..hay.len().min(place + AROUND_BYTES)];
            Some(format!("{} in: {}", needle.what, around.escape_ascii()))
        };
        // Slices and a plain loop, because each function call is slow in an unoptimised build, and
        // megabytes are searched.
        let (is_head, is_beginning): (&[bool], &[bool]) = (&self.is_head, &self.is_beginning);
        let (mut found, mut place) = (Vec::new(), 0);
        while place + 3 < hay.len() && found.len() < FOUND_MAX {
            let head = (hay[place] as usize) << 8 | hay[place + 1] as usize;
            if is_head[head] {
                let next = (hay[place + 2] as usize) << 8 | hay[place + 3] as usize;
                if is_beginning[beginning(head, next)] {
                    found.extend(at(place));
                }
            }
            place += 1;
        }
        found
    }
}

/// The values of [`beginning`]: so many that few of them are those of a text.
const BEGINNINGS: usize = 1 << 20;

/// A hash of four bytes, given as two and two.
fn beginning(head: usize, next: usize) -> usize {
    ((head * 977) ^ (next * 31)) % BEGINNINGS
}

fn head(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

fn encodings(secret: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut all = vec![("literally".to_owned(), secret.to_vec())];
    let mut add = |name: String, text: String| all.push((name, text.into_bytes()));
    for (alphabet, name) in [(STANDARD, "base64"), (URL_SAFE, "base64url")] {
        for before in 0..3 {
            add(format!("{name} behind {before} bytes"), base64(alphabet, before, secret));
        }
    }
    let hex = hex(secret);
    add(
        "URL-encoded throughout".into(),
        hex.as_bytes().chunks(2).fold(String::new(), |text, byte| text + "%" + str(byte)),
    );
    add("hex in capitals".into(), hex.to_ascii_uppercase());
    add("hex".into(), hex);
    for lower in [false, true] {
        for space in ["+", "%20"] {
            add(format!("URL-encoded, {space}"), percent(secret, space, lower));
        }
    }
    add("escaped".into(), secret.escape_ascii().to_string());
    if let Ok(text) = std::str::from_utf8(secret) {
        add(
            "as JSON".into(),
            serde_json::Value::from(text).to_string().trim_matches('"').to_owned(),
        );
        add("escaped by {:?}".into(), text.escape_debug().to_string());
        add("escaped as Unicode".into(), text.escape_default().to_string());
        add(
            "printable".into(),
            text.bytes()
                .map(|b| if matches!(b, b' '..=b'~') { char::from(b) } else { '?' })
                .collect(),
        );
    }
    all
}

fn str(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// The bytes of a secret that is itself hexadecimal, such as NATS's session.
fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digits = text.len() >= 2 * RUN_BYTES_MIN
        && text.len().is_multiple_of(2)
        && text.iter().all(u8::is_ascii_hexdigit);
    digits.then(|| text.chunks(2).map(|pair| u8::from_str_radix(str(pair), 16).unwrap()).collect())
}

fn percent(bytes: &[u8], space: &str, lower: bool) -> String {
    bytes.iter().fold(String::new(), |text, &byte| match byte {
        b' ' => text + space,
        _ if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) => text + str(&[byte]),
        _ if lower => text + &format!("%{byte:02x}"),
        _ => text + &format!("%{byte:02X}"),
    })
}

/// The base64 characters that these bytes determine alone, after this number of other bytes.
fn base64(alphabet: &[u8; 64], before: usize, bytes: &[u8]) -> String {
    let bits: Vec<bool> =
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect();
    let shared = (6 - 8 * before % 6) % 6;
    let value = |six: &[bool]| six.iter().fold(0, |value, &bit| value << 1 | usize::from(bit));
    bits[shared..].chunks_exact(6).map(|six| char::from(alphabet[value(six)])).collect()
}

#[test]
fn a_secret_is_found_in_every_encoding_and_at_every_place() {
    let secret = "p+&=% é\"'\\|Aa1Bb2Cc3Dd4Ee5Ff6";
    let mut search = Search::default();
    search.add("it", secret.as_bytes());
    let planted: [&[u8]; 14] = [
        secret.as_bytes(),
        b"p%2B%26%3D%25+%C3%A9%22%27%5C%7CAa1Bb2Cc3Dd4Ee5Ff6",
        b"p%2b%26%3d%25%20%c3%a9%22%27%5c%7cAa1Bb2Cc3Dd4Ee5Ff6",
        // The output of `base64` with `x`, `xy`, `xyz` and nothing before it.
        b"eHArJj0lIMOpIidcfEFhMUJiMkNjM0RkNEVlNUZmNg==",
        b"eHlwKyY9JSDDqSInXHxBYTFCYjJDYzNEZDRFZTVGZjY=",
        b"eHl6cCsmPSUgw6kiJ1x8QWExQmIyQ2MzRGQ0RWU1RmY2",
        b"702b263d2520c3a922275c7c416131426232436333446434456535466636",
        b"702B263D2520C3A922275C7C416131426232436333446434456535466636",
        br#"{"password":"p+&=% \u00e9\"'\\|Aa1Bb2Cc3Dd4Ee5Ff6"}"#,
        br#"p+&=% \u{e9}\"\'\\|Aa1Bb2Cc3Dd4Ee5Ff6"#,
        b"p+&=% ??\"'\\?Aa1Bb2Cc3Dd4Ee5Ff6",
        // Cut at the beginning and at the end.
        b"...Dd4Ee5Ff6",
        b"p+&=% Aa1Bb2Cc3...",
        b"%41%61%31%42%62%32%43%63%33",
    ];
    for planted in planted {
        for (before, behind) in
            [(&b""[..], &b""[..]), (b"\0\xff0", b"0\xff"), (b"password=", b"&trial=0\n")]
        {
            let hay = [before, planted, behind].concat();
            assert!(!search.found_in(&hay).is_empty(), "not found: {}", hay.escape_ascii());
        }
    }
    for clean in [&b""[..], b"p", b"p+&=% ", b"Aa1Bb2C", b"***", &[0; 4096]] {
        assert_eq!(search.found_in(clean), [""; 0], "{}", clean.escape_ascii());
    }
}

#[test]
fn a_secret_that_is_written_in_hex_is_found_as_bytes_too() {
    let mut search = Search::default();
    search.add("session", b"4b23bba59cc003441ec36e48afda0fad");
    for planted in [
        &b"session=4b23bba59cc003441ec36e48afda0fad"[..],
        b"session=4b23bba59cc00344...",
        b"\x4b\x23\xbb\xa5\x9c\xc0\x03\x44\x1e\xc3\x6e\x48\xaf\xda\x0f\xad",
        b"SyO7pZzAA0Qew25Ir9oPrQ==",
        b"4B23BBA59CC003441EC36E48AFDA0FAD",
    ] {
        assert!(!search.found_in(planted).is_empty(), "not found: {}", planted.escape_ascii());
    }
}
