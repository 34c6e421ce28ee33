//! The reply line to NATS, and the refusals that lead to an `ERROR`.
//!
//! NATS reads `OK|message`, `NOTOK|message` or `ERROR|message`. Support staff read the message in
//! the member's notes.

use std::fmt::{self, Write as _};

use crate::fields::may_hold_fields;

/// The most bytes of a value that a reply quotes. A username always fits.
const QUOTE_BYTES_MAX: usize = 255;

/// The word before the bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// The action is done, or the row already had these values. For CHECK: the name is taken.
    Ok,
    /// Only for CHECK: the name is free.
    NotOk,
    /// Refused; nothing was changed.
    Error,
}

impl Word {
    /// All words.
    pub const ALL: [Self; 3] = [Word::Ok, Word::NotOk, Word::Error];

    /// As NATS reads it.
    pub fn as_str(self) -> &'static str {
        match self {
            Word::Ok => "OK",
            Word::NotOk => "NOTOK",
            Word::Error => "ERROR",
        }
    }
}

/// One reply line: printable ASCII, no line break, exactly one bar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    word: Word,
    line: String,
}

impl Reply {
    /// `OK|` and the sentence.
    pub fn ok(sentence: impl fmt::Display) -> Self {
        Self::new(Word::Ok, sentence)
    }

    /// `NOTOK|` and the sentence.
    pub fn not_ok(sentence: impl fmt::Display) -> Self {
        Self::new(Word::NotOk, sentence)
    }

    /// `ERROR|` and the sentence.
    pub fn error(sentence: impl fmt::Display) -> Self {
        Self::new(Word::Error, sentence)
    }

    fn new(word: Word, sentence: impl fmt::Display) -> Self {
        let mut line = String::with_capacity(80);
        line.push_str(word.as_str());
        line.push('|');
        let mut reply = Self { word, line };
        reply.push(sentence);
        reply
    }

    /// Continues the sentence.
    pub fn push(&mut self, more: impl fmt::Display) {
        // Writing to a String cannot fail, and our Display implementations do not.
        let _ = write!(Printable(&mut self.line), "{more}");
    }

    /// A line from a journal record. Its word must be known; its text stays as it is.
    pub fn from_line(line: &str) -> Option<Self> {
        let (word, _) = line.split_once('|')?;
        let word = Word::ALL.into_iter().find(|w| w.as_str() == word)?;
        Some(Self { word, line: line.to_owned() })
    }

    /// The word before the bar.
    pub fn word(&self) -> Word {
        self.word
    }

    /// The text after the word and the bar.
    pub fn sentence(&self) -> &str {
        self.line.split_once('|').map_or("", |(_, sentence)| sentence)
    }

    /// The whole line.
    pub fn as_str(&self) -> &str {
        &self.line
    }
}

impl From<Reply> for String {
    fn from(reply: Reply) -> Self {
        reply.line
    }
}

/// Replaces every bar, and every byte that is not printable ASCII, by `?`.
struct Printable<'a>(&'a mut String);

impl fmt::Write for Printable<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.bytes().all(printable) {
            self.0.push_str(text);
        } else {
            self.0.extend(text.bytes().map(|b| if printable(b) { char::from(b) } else { '?' }));
        }
        Ok(())
    }
}

fn printable(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'|'
}

/// A mistake of the sender: a parameter, what was expected, and what was found. Never a fault of
/// this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The parameter's name as NATS writes it.
    pub parameter: &'static str,
    /// A clause that begins with "expected".
    pub expected: &'static str,
    /// The value that was found.
    pub found: Found,
}

/// The value that was found instead of the expected one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing, or an empty value.
    Nothing,
    /// A value that may be shown.
    Value(String),
    /// A value that is secret: its length in bytes.
    Secret(usize),
    /// A description of something that is no single value.
    Words(String),
}

impl Refusal {
    /// The parameter is missing or empty.
    pub fn missing(parameter: &'static str, expected: &'static str) -> Self {
        Self { parameter, expected, found: Found::Nothing }
    }

    /// The parameter is unreadable. Its value may be shown, unless it contains further fields.
    pub fn malformed(parameter: &'static str, expected: &'static str, value: &str) -> Self {
        if may_hold_fields(parameter, value) {
            return Self::malformed_secret(parameter, expected, value);
        }
        Self { parameter, expected, found: Found::Value(value.to_owned()) }
    }

    /// The parameter is unreadable, and its value is a secret.
    pub fn malformed_secret(parameter: &'static str, expected: &'static str, value: &str) -> Self {
        Self { parameter, expected, found: Found::Secret(value.len()) }
    }

    /// The `ERROR` reply.
    pub fn reply(&self) -> Reply {
        Reply::error(self)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}, ", self.parameter, self.expected)?;
        match &self.found {
            Found::Nothing => f.write_str("not given"),
            Found::Value(value) => write!(f, "found {}", Quoted(value)),
            Found::Secret(bytes) => write!(f, "found {bytes} bytes"),
            Found::Words(words) => write!(f, "found {words}"),
        }
    }
}

/// A value in quotation marks, truncated to [`QUOTE_BYTES_MAX`].
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cut = self.0.floor_char_boundary(QUOTE_BYTES_MAX);
        let dots = if cut < self.0.len() { "..." } else { "" };
        write!(f, "\"{}{dots}\"", &self.0[..cut])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_printable_ascii_with_one_bar_whatever_a_value_holds() {
        let reply = Reply::ok("member 1 \"a|b\r\né\u{7f}\" added");
        assert_eq!(reply.as_str(), "OK|member 1 \"a?b?????\" added");
    }

    #[test]
    fn a_refusal_names_the_parameter_what_was_expected_and_what_was_found() {
        let line = |refusal: Refusal| refusal.reply().as_str().to_owned();
        assert_eq!(
            line(Refusal::missing("siteid", "expected a number")),
            "ERROR|siteid: expected a number, not given"
        );
        assert_eq!(
            line(Refusal::malformed("siteid", "expected a number", "x")),
            "ERROR|siteid: expected a number, found \"x\""
        );
        assert_eq!(
            line(Refusal::malformed_secret(
                "password",
                "expected 1 to 1024 bytes",
                &"x".repeat(1025)
            )),
            "ERROR|password: expected 1 to 1024 bytes, found 1025 bytes"
        );
    }

    #[test]
    fn a_value_that_may_hold_a_password_is_not_quoted() {
        for value in ["ADD;password=p", "{\"password\":1}", "a%25253Dsecret", "<password>p</>"] {
            let refusal = Refusal::malformed("action", "expected ADD", value);
            assert_eq!(refusal.reply().as_str(), "ERROR|action: expected ADD, found 14 bytes");
        }
        let line = Refusal::malformed("username", "expected others", "a|b%").reply();
        assert_eq!(line.as_str(), "ERROR|username: expected others, found \"a?b%\"");
    }

    #[test]
    fn a_long_value_is_cut() {
        let line = Refusal::malformed("action", "expected ADD", &"x".repeat(60_000))
            .reply()
            .as_str()
            .to_owned();
        assert!(line.len() < 320 && line.ends_with("x...\""), "{line}");
    }
}
