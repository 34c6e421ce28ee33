//! The token in the path of a postback: a shared secret, because NATS does not sign its requests.
//! During a rotation two or more tokens are valid.

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::secret::redacted;

/// The shortest token that is accepted: 32 characters of 64 are 192 bits.
pub const TOKEN_CHARS_MIN: usize = 32;
/// The longest token that is accepted, so that it fits into a URL.
pub const TOKEN_CHARS_MAX: usize = 256;
/// The form of a token.
pub const TOKEN_EXPECTED: &str = "expected 32 to 256 characters of A-Z, a-z, 0-9, _ and -";

/// One token.
#[derive(Clone)]
pub struct Token(SecretString);

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.expose().as_bytes().ct_eq(other.expose().as_bytes()).into()
    }
}

redacted!(Token);

impl Token {
    /// Reads 32 to 256 characters of `[A-Za-z0-9_-]`.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (TOKEN_CHARS_MIN..=TOKEN_CHARS_MAX).contains(&text.len());
        let clean = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        (fits && clean).then(|| Self(text.to_owned().into()))
    }

    /// A new token: 192 random bits as 48 hexadecimal digits.
    ///
    /// # Errors
    ///
    /// If the system gives no random bytes.
    pub fn random() -> std::io::Result<Self> {
        let mut bytes = [0u8; 24];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()))
    }

    /// The text, for the URL that the operator pastes.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_32_to_256_characters_that_a_url_can_hold() {
        for (text, good) in [
            ("0123456789abcdefABCDEF_-01234567".to_owned(), true),
            ("x".repeat(256), true),
            ("x".repeat(31), false),
            ("x".repeat(257), false),
            (format!("{}/", "x".repeat(32)), false),
            (format!("{}é", "x".repeat(32)), false),
        ] {
            assert_eq!(Token::parse(&text).is_some(), good, "{text}");
        }
    }

    #[test]
    fn no_token_is_shown_by_debug() {
        assert_eq!(format!("{:?}", Token::random().unwrap()), "Token(***)");
    }
}
