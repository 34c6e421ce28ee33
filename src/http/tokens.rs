//! The token in the path: a shared secret, because NATS signs nothing. Two or more are good during a rotation.

use std::fmt;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::SystemTime;

use secrecy::{ExposeSecret, SecretString};
use subtle::{Choice, ConstantTimeEq};

/// The shortest token that is taken: 32 characters of 64 are 192 bits.
pub const TOKEN_CHARS_MIN: usize = 32;
/// The longest: a URL has to hold it.
pub const TOKEN_CHARS_MAX: usize = 256;
/// What a token looks like.
pub const TOKEN_EXPECTED: &str = "expected 32 to 256 characters of A-Z, a-z, 0-9, _ and -";

/// One token.
#[derive(Clone)]
pub struct Token(SecretString);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

impl Token {
    /// Reads 32 to 256 characters of `[A-Za-z0-9_-]`.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (TOKEN_CHARS_MIN..=TOKEN_CHARS_MAX).contains(&text.len());
        let clean = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        (fits && clean).then(|| Self(text.to_owned().into()))
    }

    /// A new one: 192 random bits as 48 hexadecimal digits.
    ///
    /// # Errors
    ///
    /// Where the system gives no random bytes.
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

/// Whether one of the tokens is this text. Takes the same time whichever it is, and however much of one is right.
fn any_matches(tokens: &[Token], presented: &str) -> bool {
    let presented = presented.as_bytes();
    let found = tokens.iter().fold(Choice::from(0), |found, token| found | token.expose().as_bytes().ct_eq(presented));
    found.into()
}

/// What can be wrong with the token file.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Input or output.
    #[error("cannot use the token file {}", .0.display())]
    Io(PathBuf, #[source] std::io::Error),
    /// A line that is no token.
    #[error("{}, line {line}: {TOKEN_EXPECTED}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// No token at all.
    #[error("{} holds no token: `nats-userman token add` makes one", .0.display())]
    Empty(PathBuf),
}

/// Reads the tokens of a file, one a line.
///
/// # Errors
///
/// Where it cannot be read, or a line is no token.
pub fn read_file(path: &Path) -> Result<Vec<Token>, TokenError> {
    let text = crate::text_file::read(path).map_err(|error| TokenError::Io(path.to_owned(), error))?;
    let mut tokens = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let malformed = || TokenError::Malformed { path: path.to_owned(), line: index + 1 };
        tokens.push(Token::parse(line.trim()).ok_or_else(malformed)?);
    }
    if tokens.is_empty() { Err(TokenError::Empty(path.to_owned())) } else { Ok(tokens) }
}

/// Writes the tokens of a file, whole or not at all, readable by the owner alone.
///
/// # Errors
///
/// Where it cannot be written.
pub fn write_file(path: &Path, tokens: &[Token]) -> Result<(), TokenError> {
    let write = || {
        let new = path.with_extension("new");
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        // `token add` as root must not take the file away from the service's user. Who may not give it away owns it already.
        let owner = fs::metadata(path).or_else(|_| fs::metadata(path.parent().unwrap_or(Path::new("."))))?;
        if file.metadata()?.uid() != owner.uid() {
            fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
        }
        for token in tokens {
            writeln!(file, "{}", token.expose())?;
        }
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().map_err(|error| TokenError::Io(path.to_owned(), error))
}

/// The tokens that count now: those of the settings, or those of the file, which is read again when it changes, so that `token add`
/// and `token retire` need no restart.
#[derive(Clone, Debug)]
pub struct Tokens {
    current: Arc<RwLock<Vec<Token>>>,
    file: Option<PathBuf>,
    /// When the file had last been changed before it was first read.
    read_as_of: Option<SystemTime>,
}

impl Tokens {
    /// Tokens given as settings.
    pub fn given(tokens: Vec<Token>) -> Self {
        Self { current: Arc::new(RwLock::new(tokens)), file: None, read_as_of: None }
    }

    /// Tokens of a file.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    pub fn from_file(path: &Path) -> Result<Self, TokenError> {
        // The time first: a change in between is then seen as one.
        let read_as_of = modified(path);
        let tokens = read_file(path)?;
        Ok(Self { current: Arc::new(RwLock::new(tokens)), file: Some(path.to_owned()), read_as_of })
    }

    /// Whether this text is one of them, in constant time.
    pub fn contain(&self, presented: &str) -> bool {
        // A poisoned lock means a panic while the list was replaced; the list itself is whole either way.
        let tokens = self.current.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        any_matches(&tokens, presented)
    }

    /// When the file was last changed, for [`Tokens::reload`].
    pub fn changed_at(&self) -> Option<SystemTime> {
        self.file.as_deref().and_then(modified)
    }

    /// The same of the file as it was read at the start.
    pub fn read_as_of(&self) -> Option<SystemTime> {
        self.read_as_of
    }

    /// Reads the file again. What cannot be read leaves the tokens as they are, and is logged.
    pub fn reload(&self) {
        let Some(path) = &self.file else { return };
        match read_file(path) {
            Ok(tokens) => {
                log::info!("{} tokens read from {}", tokens.len(), path.display());
                *self.current.write().unwrap_or_else(std::sync::PoisonError::into_inner) = tokens;
            }
            Err(error) => log::error!("the tokens stay as they were: {}", crate::chain::chain(&error)),
        }
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
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
    fn either_of_two_tokens_opens_and_nothing_else_does() {
        let tokens = ["a".repeat(32), "b".repeat(40)].map(|text| Token::parse(&text).unwrap());
        let tokens = Tokens::given(tokens.to_vec());
        assert!(tokens.contain(&"a".repeat(32)) && tokens.contain(&"b".repeat(40)));
        for wrong in ["", "a", &"a".repeat(31), &"a".repeat(33), &"A".repeat(32)] {
            assert!(!tokens.contain(wrong), "{wrong}");
        }
    }

    #[test]
    fn no_token_is_shown_by_debug() {
        assert_eq!(format!("{:?}", Token::random().unwrap()), "Token(***)");
    }
}
