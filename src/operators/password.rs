//! Passwords of operators: how long they are, and their hash.

use crate::password::{Cost, Hash, HashError, HashKind, Hasher, Password};

/// The fewest characters of a password.
const CHARS_MIN: usize = 12;
/// The most bytes of a password.
const BYTES_MAX: usize = 256;
/// What [`parse`] accepts, for error messages.
pub const OPERATOR_PASSWORD_EXPECTED: &str = "expected a password of at least 12 characters and at \
     most 256 bytes, without control characters";

/// Reads a new password of an operator.
pub fn parse(text: &str) -> Option<Password> {
    let fits = text.len() <= BYTES_MAX
        && text.chars().count() >= CHARS_MIN
        && !text.contains(char::is_control);
    Password::parse(text).filter(|_| fits)
}

/// The cost of an operator's hash: argon2id, whatever the members' kind is.
pub fn cost() -> Cost {
    Cost::new(HashKind::Argon2id)
}

/// Hashes a password at this cost.
///
/// # Errors
///
/// If the system gives no salt or no memory.
pub fn hash(password: &Password, cost: Cost) -> Result<Hash, HashError> {
    // The same name typed on another keyboard may be in another form of Unicode.
    let normal = password.in_nfc();
    Hasher::new(cost).hash(normal.as_ref().unwrap_or(password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_has_twelve_characters_to_256_bytes() {
        for text in ["twelve chars", "zwölf Zeiche", &"x".repeat(256)] {
            assert!(parse(text).is_some(), "{text}");
        }
        for text in ["", "eleven char", "éééééé", "twelve\nchars", &"x".repeat(257)] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
