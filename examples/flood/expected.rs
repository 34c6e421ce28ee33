//! What a right reply's body is.

use std::fmt;

/// How long an authstring is.
const HEX_DIGITS: usize = 32;

/// What a reply of status 200 must hold to be right.
#[derive(Clone, Copy)]
pub enum Expected {
    /// This at its beginning.
    Word(&'static str),
    /// JSON with an authstring, and nothing else.
    AuthString,
    /// JSON with a blank in its place.
    Blank,
}

impl Expected {
    /// What the ceiling answers to the same: it knows nobody, so everybody is welcome.
    pub fn of_ceiling(self) -> Self {
        match self {
            Self::Word(_) => Self::Word("OK|"),
            Self::AuthString | Self::Blank => Self::AuthString,
        }
    }

    pub fn is(self, body: &[u8]) -> bool {
        match self {
            Self::Word(word) => body.starts_with(word.as_bytes()),
            Self::AuthString => result(body).is_some_and(|text| {
                text.len() == HEX_DIGITS && text.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
            }),
            Self::Blank => result(body).is_some_and(<[u8]>::is_empty),
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => f.write_str(word),
            Self::AuthString => f.write_str("{\"result\":\"<32 hex>\"}"),
            Self::Blank => f.write_str("{\"result\":\"\"}"),
        }
    }
}

/// The one value of a compact answer. Not parsed: that would cost processor time that the server shares.
fn result(body: &[u8]) -> Option<&[u8]> {
    body.strip_prefix(b"{\"result\":\"")?.strip_suffix(b"\"}")
}
