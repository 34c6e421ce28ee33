//! The file of keys of a backup: the keys and tokens of the data directory, one a line behind the
//! name of its file. Only the owner may read it.

use std::io;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::error::BackupError;
use crate::data_dir::DataDir;
use crate::denied::explain;
use crate::key_file::{self, KEY_BYTES};
use crate::owner;
use crate::password::Vault;
use crate::secret::redacted;
use crate::token::Token;
use crate::token_file;
use crate::whole_file::Draft;

/// Only the owner reads keys.
pub(super) const MODE: u32 = 0o600;
/// The first line.
const HEAD: &str = "nats-userman keys";
/// No file of keys is larger: each of hundreds of tokens fits.
const BYTES_MAX: u64 = 64 * 1024;

/// What a file of keys cannot be used for.
#[derive(Debug, thiserror::Error)]
pub enum BadKeys {
    /// It cannot be read.
    #[error("cannot read the keys {}", .0.display())]
    Io(PathBuf, #[source] io::Error),
    /// It is another file.
    #[error("{}, line {line}: expected what `backup --with-keys` writes", .path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
}

/// The keys and tokens of a data directory, as far as it has them.
#[derive(Clone, Default)]
pub(super) struct Keys {
    pub(super) seal: Option<Zeroizing<[u8; KEY_BYTES]>>,
    cookie: Option<Zeroizing<[u8; KEY_BYTES]>>,
    tokens: Vec<Token>,
}

redacted!(Keys);

impl Keys {
    /// Those in this directory.
    pub(super) fn of(data_dir: &DataDir) -> Result<Self, BackupError> {
        let key = |path: PathBuf| match key_file::is_there(&path)? {
            true => key_file::load(&path).map(Some),
            false => Ok(None),
        };
        let file = data_dir.token_file();
        let tokens = match token_file::is_there(&file)? {
            true => token_file::read(&file)?,
            false => Vec::new(),
        };
        Ok(Self { seal: key(data_dir.seal_key())?, cookie: key(data_dir.cookie_key())?, tokens })
    }

    /// Opens seals with the key here.
    pub(super) fn vault(&self) -> Option<Vault> {
        self.seal.as_ref().map(|key| Vault::from_key(**key))
    }

    /// Leaves the tokens out if the directory has a token file. Returns whether that one has other
    /// tokens.
    pub(super) fn forget_tokens_if_there(&mut self, data_dir: &DataDir) -> bool {
        let file = data_dir.token_file();
        if file.symlink_metadata().is_err() {
            return false;
        }
        let own = token_file::read(&file).unwrap_or_default();
        let tokens = std::mem::take(&mut self.tokens);
        let is_own = |token: &Token| own.iter().any(|own| own.expose() == token.expose());
        let is_same = tokens.len() == own.len() && tokens.iter().all(is_own);
        !(tokens.is_empty() || is_same)
    }

    /// Writes them to a new file.
    pub(super) fn write(&self, place: &Path, data_dir: &DataDir) -> Result<(), BackupError> {
        let mut text = Zeroizing::new(String::with_capacity(4096));
        text.push_str(HEAD);
        text.push('\n');
        for (path, content) in self.files(data_dir) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            for line in content.lines() {
                [&name, " ", line, "\n"].into_iter().for_each(|part| text.push_str(part));
            }
        }
        let write = || {
            let draft = Draft::begin(place, MODE)?;
            owner::give(draft.file(), data_dir.path(), MODE)?;
            draft.create(text.as_bytes())
        };
        write().map_err(|error| BackupError::Finish(place.to_owned(), explain(place, error)))
    }

    /// Reads what [`Keys::write`] has written.
    pub(super) fn read(path: &Path) -> Result<Self, BadKeys> {
        let failed = |error| BadKeys::Io(path.to_owned(), explain(path, error));
        let metadata = path.metadata().map_err(failed)?;
        if !metadata.is_file() || metadata.len() > BYTES_MAX {
            return Err(BadKeys::Form { path: path.to_owned(), line: 1 });
        }
        let text = Zeroizing::new(std::fs::read(path).map_err(failed)?);
        let text = std::str::from_utf8(&text).unwrap_or_default();
        let mut keys = Self::default();
        let mut lines = text.lines().enumerate();
        let bad = |line| BadKeys::Form { path: path.to_owned(), line };
        lines.next().filter(|(_, line)| *line == HEAD).ok_or_else(|| bad(1))?;
        for (index, line) in lines {
            keys.take(line).ok_or_else(|| bad(index + 1))?;
        }
        Ok(keys)
    }

    fn take(&mut self, line: &str) -> Option<()> {
        let (name, value) = line.split_once(' ')?;
        match name {
            "seal.key" => self.seal = Some(key_file::from_hex(value.as_bytes())?),
            "cookie.key" => self.cookie = Some(key_file::from_hex(value.as_bytes())?),
            "postback-token" => self.tokens.push(Token::parse(value)?),
            _ => return None,
        }
        Some(())
    }

    /// The files that these are in a data directory, with their content.
    pub(super) fn files(&self, data_dir: &DataDir) -> Vec<(PathBuf, Zeroizing<String>)> {
        let key = |path: PathBuf, key: &Option<Zeroizing<[u8; KEY_BYTES]>>| {
            key.as_ref().map(|key| (path, key_file::to_line(key)))
        };
        let tokens = || {
            let mut text = Zeroizing::new(String::with_capacity(4096));
            for token in &self.tokens {
                text.push_str(token.expose());
                text.push('\n');
            }
            text
        };
        let tokens = (!self.tokens.is_empty()).then(|| (data_dir.token_file(), tokens()));
        let keys = [
            key(data_dir.seal_key(), &self.seal),
            key(data_dir.cookie_key(), &self.cookie),
            tokens,
        ];
        keys.into_iter().flatten().collect()
    }
}
