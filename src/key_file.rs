//! A key file: 64 lower-case hexadecimal digits and a line break, mode 0600, in the data directory.
//! `seal.key` together with the database reveals every password that is not hashed yet. Whoever has
//! `cookie.key` can log in as any member. Beside each are the keys of a rotation. See [`ring`].

pub mod ring;
pub(crate) mod rotation;

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::denied::{self, explain};
use crate::whole_file::{Draft, remove};

/// The key length of XChaCha20-Poly1305 and of HMAC-SHA256.
pub(crate) const KEY_BYTES: usize = 32;
/// Only the owner may read it.
const MODE: u32 = 0o600;
/// The most that is read. A key file has 65 bytes, but the path may lead to anything.
const FILE_BYTES_MAX: usize = 128;

/// Why the key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file does not exist.
    #[error("key file {}: expected 64 lower-case hex digits, found no file", .0.display())]
    Missing(PathBuf),
    /// The file exists and cannot be read.
    #[error("key file {}: cannot be read", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    /// The file was read and holds no key. The number is how many bytes it has, counted up to 128.
    #[error("key file {}: expected 64 lower-case hex digits and a line break, found {} bytes \
        that are not", .0.display(), .1)]
    Form(PathBuf, usize),
    /// The file exists already, or it cannot be made.
    #[error("key file {}: cannot be made", .0.display())]
    Create(PathBuf, #[source] io::Error),
}

/// Whether the file exists.
pub(crate) fn is_there(path: &Path) -> Result<bool, KeyFileError> {
    denied::is_there(path).map_err(|error| KeyFileError::Unreadable(path.to_owned(), error))
}

/// Whether the file is empty. A first start of an earlier release that was interrupted leaves it
/// so, because it made the file before it wrote the key.
pub(crate) fn is_begun(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() == 0)
}

/// Removes an empty file (see [`is_begun`]), so that a new key can be made. Call it only if no key
/// was ever used here: an empty file may also be a copy that failed on a full disk, and then the
/// key still exists elsewhere.
pub(crate) fn begin_anew(path: &Path) -> Result<(), KeyFileError> {
    remove(path).map_err(|error| KeyFileError::Create(path.to_owned(), explain(path, error)))?;
    let path = path.display();
    log::warn!(
        "the key file {path} was empty, as a first start leaves it that was cut short: a new key \
         is made"
    );
    Ok(())
}

/// Reads the key file without changing it.
pub(crate) fn load(path: &Path) -> Result<Zeroizing<[u8; KEY_BYTES]>, KeyFileError> {
    let fault = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => KeyFileError::Missing(path.to_owned()),
        _ => KeyFileError::Unreadable(path.to_owned(), explain(path, error)),
    };
    // Larger than the most that is read, because growing would leave copies of the key in memory.
    let mut text = Zeroizing::new(Vec::with_capacity(2 * FILE_BYTES_MAX));
    let file = File::open(path).map_err(fault)?;
    file.take(FILE_BYTES_MAX as u64).read_to_end(&mut text).map_err(fault)?;
    from_hex(text.strip_suffix(b"\n").unwrap_or(&text))
        .ok_or_else(|| KeyFileError::Form(path.to_owned(), text.len()))
}

/// Draws a key and writes it to a new file, which is synced to the disk before this returns.
pub(crate) fn create(path: &Path) -> Result<Zeroizing<[u8; KEY_BYTES]>, KeyFileError> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    getrandom::fill(key.as_mut())
        .expect("getrandom(2) gives up to 256 bytes whole, once the system has started");
    write(path, &key)
        .map_err(|error| KeyFileError::Create(path.to_owned(), explain(path, error)))?;
    Ok(key)
}

/// Never overwrites an existing key.
fn write(path: &Path, key: &[u8; KEY_BYTES]) -> io::Result<()> {
    Draft::begin(path, MODE)?.create(to_line(key).as_bytes())
}

/// The content of a key file.
pub(crate) fn to_line(key: &[u8; KEY_BYTES]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(2 * KEY_BYTES + 1));
    for byte in key {
        let digits = [byte >> 4, byte & 15];
        text.extend(digits.map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])));
    }
    text.push('\n');
    text
}

/// Reads the digits of a key.
pub(crate) fn from_hex(digits: &[u8]) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    if digits.len() != 2 * KEY_BYTES {
        return None;
    }
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = hex_value(pair[0])? << 4 | hex_value(pair[1])?;
    }
    Some(key)
}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const DIGITS: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff";

    fn key() -> [u8; KEY_BYTES] {
        let mut key = std::array::from_fn(|at| at as u8);
        key[31] = 0xff;
        key
    }

    #[test]
    fn a_key_is_written_as_hex_digits_that_its_owner_alone_can_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("seal.key");
        write(&path, &key()).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{DIGITS}\n"));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(*load(&path).unwrap(), key());
    }

    #[test]
    fn a_new_key_is_what_its_file_holds_and_no_other_is_like_it() {
        let dir = tempfile::tempdir().unwrap();
        let [a, b] = ["seal.key", "cookie.key"].map(|name| dir.path().join(name));
        let made = create(&a).unwrap();
        assert_eq!(*load(&a).unwrap(), *made);
        assert_ne!(*create(&b).unwrap(), *made);
    }

    #[test]
    fn a_file_that_is_there_is_never_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("seal.key");
        std::fs::write(&path, "mine").unwrap();
        let error = create(&path).unwrap_err();
        assert_eq!(error.to_string(), format!("key file {}: cannot be made", path.display()));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    }

    #[test]
    fn a_file_that_is_no_key_is_an_error_that_shows_nothing_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("seal.key");
        let named = format!("key file {}: ", path.display());
        assert_eq!(
            load(&path).unwrap_err().to_string(),
            format!("{named}expected 64 lower-case hex digits, found no file")
        );
        for (text, bytes) in [
            (String::new(), 0),
            ("\n".into(), 1),
            (DIGITS[1..].into(), 63),
            (format!("{DIGITS}0"), 65),
            (format!("{DIGITS}\n\n"), 66),
            (format!("{DIGITS}\r\n"), 66),
            (DIGITS.to_uppercase(), 64),
            (DIGITS.replace('f', "g"), 64),
            (DIGITS.repeat(100), 128),
        ] {
            std::fs::write(&path, &text).unwrap();
            assert_eq!(
                load(&path).unwrap_err().to_string(),
                format!(
                    "{named}expected 64 lower-case hex digits and a line break, found {bytes} \
                     bytes that are not"
                ),
            );
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        std::fs::write(&path, DIGITS).unwrap();
        assert_eq!(*load(&path).unwrap(), key(), "the line break may be missing");
        assert_eq!(
            load(dir.path()).unwrap_err().to_string(),
            format!("key file {}: cannot be read", dir.path().display())
        );
    }
}
