//! The tokens that are valid now, shared by all threads.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use subtle::{Choice, ConstantTimeEq};

use super::TokenError;
use crate::chain::chain;
use crate::token::Token;

/// The tokens that are valid now: those of the settings, or those of the data directory's file. The
/// file is read again when it has changed, so that `token add` and `token retire` need no restart.
#[derive(Clone, Debug)]
pub struct Tokens(Arc<SharedTokens>);

#[derive(Debug)]
struct SharedTokens {
    current: ArcSwap<Vec<Token>>,
    file: Option<PathBuf>,
    /// The state of the file when it was last read, whether it was valid or not.
    seen: Mutex<Option<Stamp>>,
}

/// Identifies a state of a file without reading it.
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
    /// Tokens of the settings.
    pub fn given(tokens: Vec<Token>) -> Self {
        Self::new(tokens, None, None)
    }

    /// Tokens of a file.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn from_file(path: &Path) -> Result<Self, TokenError> {
        // The stamp comes first, so that a change in between is detected.
        let stamp = Stamp::of(path);
        Ok(Self::new(super::read(path)?, Some(path.to_owned()), stamp))
    }

    fn new(tokens: Vec<Token>, file: Option<PathBuf>, seen: Option<Stamp>) -> Self {
        let current = ArcSwap::from_pointee(tokens);
        Self(Arc::new(SharedTokens { current, file, seen: Mutex::new(seen) }))
    }

    /// Whether this text is one of them, in constant time. If it is not, the file is checked for a
    /// change, so that a token that was just added is valid for the first call. A call with a wrong
    /// token therefore costs a `stat`, but no read.
    pub fn contain(&self, presented: &str) -> bool {
        let matches = || any_matches(&self.0.current.load(), presented);
        matches() || {
            self.refresh();
            matches()
        }
    }

    /// Reads the file if it has changed. If it cannot be read, that is logged and the tokens stay.
    pub fn refresh(&self) {
        let Some(path) = &self.0.file else { return };
        let now = Stamp::of(path);
        let mut seen = self.0.seen.lock();
        if *seen == now {
            return;
        }
        match self.read(path, &mut seen) {
            Ok(_) => log::info!("{} tokens read from {}", self.count(), path.display()),
            Err(error) => log::error!("the previous tokens stay in effect: {}", chain(&error)),
        }
    }

    /// Reads the file in any case. Returns whether the tokens have changed.
    ///
    /// # Errors
    ///
    /// If it cannot be read. The tokens stay.
    pub fn read_again(&self) -> Result<bool, TokenError> {
        self.0.file.as_deref().map_or(Ok(false), |path| self.read(path, &mut self.0.seen.lock()))
    }

    /// Replaces the tokens. Returns whether they have changed.
    pub fn replace(&self, tokens: Vec<Token>) -> bool {
        let before = self.0.current.swap(Arc::new(tokens));
        *before != **self.0.current.load()
    }

    /// The stamp stays locked meanwhile, so that other callers wait and find the new tokens.
    fn read(&self, path: &Path, seen: &mut Option<Stamp>) -> Result<bool, TokenError> {
        // The stamp comes first, so that a change in between is detected.
        *seen = Stamp::of(path);
        Ok(self.replace(super::read(path)?))
    }

    /// All of them.
    pub fn all(&self) -> Arc<Vec<Token>> {
        self.0.current.load_full()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.current.load().len()
    }
}

/// Whether one of the tokens is this text. The time does not depend on which one it is, nor on how
/// much of one is right.
fn any_matches(tokens: &[Token], presented: &str) -> bool {
    let presented = presented.as_bytes();
    let found = tokens
        .iter()
        .fold(Choice::from(0), |found, token| found | token.expose().as_bytes().ct_eq(presented));
    found.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_of_two_tokens_opens_and_nothing_else_does() {
        let tokens = ["a".repeat(32), "b".repeat(40)].map(|text| Token::parse(&text).unwrap());
        let tokens = Tokens::given(tokens.to_vec());
        assert!(tokens.contain(&"a".repeat(32)) && tokens.contain(&"b".repeat(40)));
        for wrong in ["", "a", &"a".repeat(31), &"a".repeat(33), &"A".repeat(32)] {
            assert!(!tokens.contain(wrong), "{wrong}");
        }
    }
}
