//! The file of keys of a backup: the keys and tokens of the data directory, one a line behind the
//! name of its file. Only the owner may read it.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::error::BackupError;
use crate::data_dir::DataDir;
use crate::denied::explain;
use crate::key_file;
use crate::key_file::ring::{KeyBytes, KeyRing, Ring, former_of, load_ring, next_of};
use crate::owner;
use crate::password::Vault;
use crate::secret::redacted;
use crate::token::Token;
use crate::token_file;
use crate::whole_file::{Draft, remove};

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
    seal: KeyFiles,
    cookie: KeyFiles,
    tokens: Vec<Token>,
}

/// One key with those of a rotation, as far as they are there.
#[derive(Clone, Default)]
struct KeyFiles {
    current: Option<KeyBytes>,
    next: Option<KeyBytes>,
    former: Option<KeyBytes>,
}

redacted!(Keys, KeyFiles);

impl KeyFiles {
    fn load(path: &Path) -> Result<Self, BackupError> {
        Ok(match key_file::is_there(path)? {
            true => {
                let Ring { current, next, former } = load_ring(path)?;
                Self { current: Some(current), next, former }
            }
            false => Self::default(),
        })
    }

    fn ring(&self) -> Option<KeyRing> {
        let (next, former) = (self.next.clone(), self.former.clone());
        self.current.clone().map(|current| Ring { current, next, former })
    }

    /// The files that these are beside this one, with their content.
    fn files(&self, path: PathBuf) -> impl Iterator<Item = (PathBuf, Zeroizing<String>)> {
        let files =
            [(next_of(&path), &self.next), (former_of(&path), &self.former), (path, &self.current)];
        let line = |(path, key): (PathBuf, &Option<KeyBytes>)| {
            key.as_ref().map(|key| (path, key_file::to_line(key)))
        };
        files.map(line).into_iter().flatten()
    }
}

impl Keys {
    /// Those in this directory.
    pub(super) fn of(data_dir: &DataDir) -> Result<Self, BackupError> {
        let file = data_dir.token_file();
        let tokens = match token_file::is_there(&file)? {
            true => token_file::read(&file)?,
            false => Vec::new(),
        };
        let [seal, cookie] = [data_dir.seal_key(), data_dir.cookie_key()];
        Ok(Self { seal: KeyFiles::load(&seal)?, cookie: KeyFiles::load(&cookie)?, tokens })
    }

    /// Opens seals with the keys here.
    pub(super) fn vault(&self) -> Option<Vault> {
        self.seal.ring().map(|keys| Vault::from_ring(&keys))
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

    /// Writes them to a new file. If that fails, no file is left.
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
        write().map_err(|error| {
            // The file may be there although its directory could not be synced.
            if error.kind() != ErrorKind::AlreadyExists {
                let _ = remove(place);
            }
            BackupError::Finish(place.to_owned(), explain(place, error))
        })
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
        let key = match name {
            "seal.key" => &mut self.seal.current,
            "seal.key.next" => &mut self.seal.next,
            "seal.key.former" => &mut self.seal.former,
            "cookie.key" => &mut self.cookie.current,
            "cookie.key.next" => &mut self.cookie.next,
            "cookie.key.former" => &mut self.cookie.former,
            "postback-token" => {
                self.tokens.push(Token::parse(value)?);
                return Some(());
            }
            _ => return None,
        };
        *key = Some(key_file::from_hex(value.as_bytes())?.into());
        Some(())
    }

    /// The files that these are in a data directory, with their content.
    pub(super) fn files(&self, data_dir: &DataDir) -> Vec<(PathBuf, Zeroizing<String>)> {
        let tokens = || {
            let mut text = Zeroizing::new(String::with_capacity(4096));
            for token in &self.tokens {
                text.push_str(token.expose());
                text.push('\n');
            }
            text
        };
        let tokens = (!self.tokens.is_empty()).then(|| (data_dir.token_file(), tokens()));
        let keys = self.seal.files(data_dir.seal_key());
        keys.chain(self.cookie.files(data_dir.cookie_key())).chain(tokens).collect()
    }
}
