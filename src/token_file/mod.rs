//! The file that holds the tokens, one a line.

pub mod current;

use std::fs;
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::denied::{self, explain};
use crate::token::{TOKEN_EXPECTED, Token};
use crate::whole_file::parent;
use crate::whole_file::{Draft, draft_of, remove};

/// Only the owner reads and writes the file.
const MODE: u32 = 0o600;

/// Problems of the token file.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It cannot be read or written.
    #[error("cannot use the token file {}", .0.display())]
    Io(PathBuf, #[source] std::io::Error),
    /// A line is not a token.
    #[error("{}, line {line}: {TOKEN_EXPECTED}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// There is no token in it.
    #[error("{} holds no token: `nats-userman token add` makes one", .0.display())]
    Empty(PathBuf),
}

/// Whether the file exists.
///
/// # Errors
///
/// If access is denied.
pub fn is_there(path: &Path) -> Result<bool, TokenError> {
    denied::is_there(path).map_err(|error| TokenError::Io(path.to_owned(), error))
}

/// Locks the file until the result is dropped, so that no token is lost if two are added at the
/// same time.
///
/// # Errors
///
/// If it cannot be opened or locked.
pub fn lock(path: &Path) -> Result<fs::File, TokenError> {
    crate::whole_file::lock(path)
        .map_err(|error| TokenError::Io(path.to_owned(), explain(path, error)))
}

/// Reads the tokens of a file, one a line.
///
/// # Errors
///
/// If it cannot be read, or a line is not a token.
pub fn read(path: &Path) -> Result<Vec<Token>, TokenError> {
    let text = crate::text_file::read(path)
        .map_err(|error| TokenError::Io(path.to_owned(), explain(path, error)))?;
    let mut tokens = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let malformed = || TokenError::Malformed { path: path.to_owned(), line: index + 1 };
        tokens.push(Token::parse(line.trim()).ok_or_else(malformed)?);
    }
    if tokens.is_empty() { Err(TokenError::Empty(path.to_owned())) } else { Ok(tokens) }
}

/// Removes the temporary file that a killed `token add` has left. A running `token add` is not
/// disturbed.
pub(crate) fn remove_draft(path: &Path) {
    // Without a token file no `token add` can run.
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

/// Writes the tokens of a file, all or nothing. Only the owner can read it.
///
/// # Errors
///
/// If it cannot be written.
pub fn write(path: &Path, tokens: &[Token]) -> Result<(), TokenError> {
    let write = || {
        let draft = Draft::begin(path, MODE)?;
        // `token add` as root must not change the owner of the file. A user who is not root owns it
        // already.
        let owner = fs::metadata(path).or_else(|_| fs::metadata(parent(path)))?;
        if draft.file().metadata()?.uid() != owner.uid() {
            fchown(draft.file(), Some(owner.uid()), Some(owner.gid()))?;
        }
        let lines = tokens.iter().fold(String::new(), |lines, token| lines + token.expose() + "\n");
        draft.replace(Zeroizing::new(lines).as_bytes())
    };
    // About the new file, because mostly the directory denies access.
    write().map_err(|error| TokenError::Io(path.to_owned(), explain(&draft_of(path), error)))
}
