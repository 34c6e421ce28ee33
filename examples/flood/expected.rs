//! The expected bodies of replies.

use std::fmt;

/// How long an authstring is.
const HEX_DIGITS: usize = 32;

/// What an expected reply contains.
#[derive(Clone, Copy)]
pub enum Expected {
    /// This text at its beginning.
    Word(&'static str),
    /// JSON with an authstring, and nothing else.
    AuthString,
    /// JSON with a blank in its place.
    Blank,
    /// A wrong password of a visitor who is not blocked.
    Wrong,
}

impl Expected {
    /// The answer of the ceiling: it has no members, so it admits everybody.
    pub fn of_ceiling(self) -> Self {
        match self {
            Self::Word(_) => Self::Word("OK|"),
            Self::AuthString | Self::Blank => Self::AuthString,
            Self::Wrong => Self::Word("OK|"),
        }
    }

    /// The status that it comes with.
    pub fn status(self) -> u16 {
        match self {
            Self::Word(_) | Self::AuthString | Self::Blank => 200,
            Self::Wrong => 401,
        }
    }

    pub fn is(self, body: &[u8]) -> bool {
        match self {
            Self::Word(word) => body.starts_with(word.as_bytes()),
            Self::AuthString => result(body).is_some_and(|text| {
                text.len() == HEX_DIGITS
                    && text.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
            }),
            Self::Blank => result(body).is_some_and(<[u8]>::is_empty),
            // The status says all.
            Self::Wrong => true,
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => f.write_str(word),
            Self::AuthString => f.write_str("{\"result\":\"<32 hex>\"}"),
            Self::Blank => f.write_str("{\"result\":\"\"}"),
            Self::Wrong => f.write_str("401"),
        }
    }
}

/// The one value of a compact answer. Not parsed: that would cost processor time that the server
/// shares.
fn result(body: &[u8]) -> Option<&[u8]> {
    body.strip_prefix(b"{\"result\":\"")?.strip_suffix(b"\"}")
}
