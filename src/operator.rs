//! Those who may log in to the console: names, roles, and their logins. They are no members.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::password::Hash;
use crate::secret::redacted;

/// Longest name of an operator, in bytes.
pub const OPERATOR_BYTES_MAX: usize = 64;
/// What [`OperatorName::parse`] accepts, for error messages.
pub const OPERATOR_EXPECTED: &str =
    "expected 1 to 64 characters of a-z, 0-9, '.', '_', '-' and '@', the first a letter or digit";
/// The most operators that can be added.
pub const OPERATORS_MAX: usize = 1_000;
/// The most logins of one operator. One more ends the oldest.
pub const OPERATOR_SESSIONS_MAX: u32 = 32;
/// How long a login of an operator lasts, in seconds: 12 hours.
pub const OPERATOR_SESSION_SECONDS: i64 = 12 * 60 * 60;

/// The name of an operator, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OperatorName(String);

impl OperatorName {
    /// Reads a name.
    pub fn parse(text: &str) -> Option<Self> {
        let is_fit = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-@".contains(&byte)
        };
        let first = *text.as_bytes().first()?;
        let fits = text.len() <= OPERATOR_BYTES_MAX
            && text.bytes().all(is_fit)
            && (first.is_ascii_lowercase() || first.is_ascii_digit());
        fits.then(|| Self(text.to_owned()))
    }

    /// Reads a name that an operator typed to log in: white space around it and capital letters do
    /// not matter.
    pub fn typed(text: &str) -> Option<Self> {
        Self::parse(&text.trim().to_ascii_lowercase())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OperatorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an operator may do in the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Searches and reads, lifts blocks, and changes members.
    Support,
    /// Everything.
    Admin,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Support, Self::Admin];

    /// Its word in the database and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Support => "support",
            Self::Admin => "admin",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

/// A row of the table `operator`.
#[derive(Clone, Debug, PartialEq)]
pub struct Operator {
    /// The name.
    pub name: OperatorName,
    /// The role.
    pub role: Role,
    /// The password as argon2id.
    pub hash: Hash,
    /// Unix seconds.
    pub created_at: i64,
    /// When the password was set, unix seconds.
    pub changed_at: i64,
}

/// SHA-256 of the random token in an operator's cookie.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenDigest(pub [u8; 32]);

/// SHA-256 of the hash that an operator's password had at the login.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PasswordDigest(pub [u8; 32]);

redacted!(PasswordDigest, TokenDigest);

impl TokenDigest {
    /// Of these random bytes.
    pub fn of(token: &[u8; 32]) -> Self {
        Self(Sha256::digest(token).into())
    }
}

impl PasswordDigest {
    /// Of this hash, which has a random salt.
    pub fn of(hash: &Hash) -> Self {
        Self(Sha256::digest(hash.as_str().as_bytes()).into())
    }
}

/// A row of the table `operator_session`: a login of an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorSession {
    /// Of the token in the cookie.
    pub token: TokenDigest,
    /// Who logged in.
    pub name: OperatorName,
    /// Of the password at the login. With another password in the operator's row the session has
    /// ended.
    pub password: PasswordDigest,
    /// Unix seconds.
    pub began_at: i64,
    /// Unix seconds.
    pub ends_at: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_operator_is_one_to_64_characters_in_lower_case() {
        for text in ["a", "7", "anna", "a.b-c_d@example.com", &"x".repeat(64)] {
            assert_eq!(OperatorName::parse(text).unwrap().as_str(), text);
        }
        for text in ["", "Anna", " a", "-a", ".a", "@a", "a b", "a\n", "ä", &"x".repeat(65)] {
            assert_eq!(OperatorName::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_typed_name_may_have_capitals_and_white_space_around_it() {
        assert_eq!(OperatorName::typed(" Anna \t").unwrap().as_str(), "anna");
        assert_eq!(OperatorName::typed("an na"), None);
    }

    #[test]
    fn digests_are_not_shown_by_debug() {
        assert_eq!(format!("{:?}", TokenDigest::of(&[7; 32])), "TokenDigest(***)");
        let hash = Hash::from_text("$argon2id$v=19$m=8,t=1,p=1$one".into());
        assert_eq!(format!("{:?}", PasswordDigest::of(&hash)), "PasswordDigest(***)");
    }
}
