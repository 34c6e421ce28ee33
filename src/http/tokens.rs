//! The token in the path: a shared secret, because NATS signs nothing. Two or more are good during
//! a rotation.

use std::fmt;
use std::fs;
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use secrecy::{ExposeSecret, SecretString};
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use crate::chain::chain;
use crate::data_dir::parent;
use crate::denied::{self, told};
use crate::whole_file::{Draft, draft_of, remove};

/// The shortest token that is taken: 32 characters of 64 are 192 bits.
pub const TOKEN_CHARS_MIN: usize = 32;
/// The longest: a URL has to hold it.
pub const TOKEN_CHARS_MAX: usize = 256;
/// What a token looks like.
pub const TOKEN_EXPECTED: &str = "expected 32 to 256 characters of A-Z, a-z, 0-9, _ and -";

/// Of the token file: its owner alone.
const MODE: u32 = 0o600;

/// One token.
#[derive(Clone)]
pub struct Token(SecretString);

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.expose().as_bytes().ct_eq(other.expose().as_bytes()).into()
    }
}

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

/// Whether one of the tokens is this text. Takes the same time whichever it is, and however much of
/// one is right.
fn any_matches(tokens: &[Token], presented: &str) -> bool {
    let presented = presented.as_bytes();
    let found = tokens
        .iter()
        .fold(Choice::from(0), |found, token| found | token.expose().as_bytes().ct_eq(presented));
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

/// Whether there is such a file.
///
/// # Errors
///
/// Where it must not be looked at.
pub fn is_there(path: &Path) -> Result<bool, TokenError> {
    denied::is_there(path).map_err(|error| TokenError::Io(path.to_owned(), error))
}

/// Keeps others who change the file waiting until this is dropped: two who add a token at the same
/// time must not lose one of both.
///
/// # Errors
///
/// Where it cannot be opened or locked.
pub fn lock_file(path: &Path) -> Result<fs::File, TokenError> {
    let lock = || loop {
        let file = fs::File::open(path)?;
        file.lock()?;
        // Each change puts another file in its place.
        if file.metadata()?.ino() == fs::metadata(path)?.ino() {
            return Ok(file);
        }
    };
    lock().map_err(|error| TokenError::Io(path.to_owned(), told(path, error)))
}

/// Reads the tokens of a file, one a line.
///
/// # Errors
///
/// Where it cannot be read, or a line is no token.
pub fn read_file(path: &Path) -> Result<Vec<Token>, TokenError> {
    let text = crate::text_file::read(path)
        .map_err(|error| TokenError::Io(path.to_owned(), told(path, error)))?;
    let mut tokens = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let malformed = || TokenError::Malformed { path: path.to_owned(), line: index + 1 };
        tokens.push(Token::parse(line.trim()).ok_or_else(malformed)?);
    }
    if tokens.is_empty() { Err(TokenError::Empty(path.to_owned())) } else { Ok(tokens) }
}

/// Removes what a `token add` that was killed has left: tokens that never counted. One that is
/// under way goes on.
pub(crate) fn remove_draft(path: &Path) {
    // Without a token file there is no `token add`.
    let file = fs::File::open(path);
    if file.as_ref().map_or(true, |file| file.try_lock().is_ok())
        && let Err(error) = remove(&draft_of(path))
    {
        log::warn!(
            "{}, left by a `token add` that was cut short, cannot be removed: {error}",
            draft_of(path).display()
        );
    }
}

/// Writes the tokens of a file, whole or not at all, readable by the owner alone.
///
/// # Errors
///
/// Where it cannot be written.
pub fn write_file(path: &Path, tokens: &[Token]) -> Result<(), TokenError> {
    let write = || {
        let draft = Draft::begin(path, MODE)?;
        // `token add` as root must not take the file away from the service's user. Who may not give
        // it away owns it already.
        let owner = fs::metadata(path).or_else(|_| fs::metadata(parent(path)))?;
        if draft.file().metadata()?.uid() != owner.uid() {
            fchown(draft.file(), Some(owner.uid()), Some(owner.gid()))?;
        }
        let lines = tokens.iter().fold(String::new(), |lines, token| lines + token.expose() + "\n");
        draft.replace(Zeroizing::new(lines).as_bytes())
    };
    // Of the new file, as it is mostly the directory that is closed.
    write().map_err(|error| TokenError::Io(path.to_owned(), told(&draft_of(path), error)))
}

/// The tokens that count now: those of the settings, or those of the data directory's file. The
/// file is read again when it has changed, so that `token add` and `token retire` need no restart.
#[derive(Clone, Debug)]
pub struct Tokens(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    current: ArcSwap<Vec<Token>>,
    file: Option<PathBuf>,
    /// The file as it was when it was last read, whether it could be used or not.
    seen: Mutex<Option<Stamp>>,
}

/// Tells one state of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self {
            file: (metadata.dev(), metadata.ino()),
            bytes: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

impl Tokens {
    /// Tokens given as settings.
    pub fn given(tokens: Vec<Token>) -> Self {
        Self::new(tokens, None, None)
    }

    /// Tokens of a file.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    pub fn from_file(path: &Path) -> Result<Self, TokenError> {
        // The stamp first: a change in between is then seen as one.
        let stamp = Stamp::of(path);
        Ok(Self::new(read_file(path)?, Some(path.to_owned()), stamp))
    }

    fn new(tokens: Vec<Token>, file: Option<PathBuf>, seen: Option<Stamp>) -> Self {
        let current = ArcSwap::from_pointee(tokens);
        Self(Arc::new(Shared { current, file, seen: Mutex::new(seen) }))
    }

    /// Whether this text is one of them, in constant time. Where it is none, the file is looked at:
    /// a token that was just added is good for the first call that has it. A call with a wrong
    /// token costs a `stat` by that, and no reading.
    pub fn contain(&self, presented: &str) -> bool {
        let matches = || any_matches(&self.0.current.load(), presented);
        matches() || {
            self.look();
            matches()
        }
    }

    /// Reads the file if it has changed. What cannot be read leaves the tokens as they are, and is
    /// logged.
    pub fn look(&self) {
        let Some(path) = &self.0.file else { return };
        let now = Stamp::of(path);
        let mut seen = self.seen();
        if *seen == now {
            return;
        }
        match self.read(path, &mut seen) {
            Ok(_) => log::info!("{} tokens read from {}", self.count(), path.display()),
            Err(error) => log::error!("the tokens stay as they were: {}", chain(&error)),
        }
    }

    /// Reads the file in any case. Whether the tokens are others now.
    ///
    /// # Errors
    ///
    /// Where it cannot be read: the tokens are as they were.
    pub fn read_again(&self) -> Result<bool, TokenError> {
        self.0.file.as_deref().map_or(Ok(false), |path| self.read(path, &mut self.seen()))
    }

    /// Takes others of the settings. Whether they are others.
    pub fn replace(&self, tokens: Vec<Token>) -> bool {
        let before = self.0.current.swap(Arc::new(tokens));
        *before != **self.0.current.load()
    }

    /// The stamp stays locked meanwhile: whoever looks then waits, and finds the new tokens.
    fn read(&self, path: &Path, seen: &mut Option<Stamp>) -> Result<bool, TokenError> {
        // The stamp first: a change in between is then seen as one.
        *seen = Stamp::of(path);
        Ok(self.replace(read_file(path)?))
    }

    /// A panic leaves a whole stamp.
    fn seen(&self) -> MutexGuard<'_, Option<Stamp>> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.current.load().len()
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
