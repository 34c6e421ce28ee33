//! The bytes of a file or a pipe as UTF-8 text: gzip and UTF-16 are recognised. Can be read twice.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek as _, SeekFrom};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;

use super::BadSource;
use super::utf_16::Utf16;
use crate::replay::Foreign;
use crate::text_file::BYTE_ORDER_MARK;

/// The most bytes of a pipe, which is kept in memory because it cannot be read twice.
const PIPE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The first bytes, by which a format is recognised.
const HEAD_BYTES: u64 = 8 * 1024;
const GZIP: &[u8] = b"\x1f\x8b";
/// The command that reads a pipe, for remedies.
const FROM_PIPE: &str = "nats-userman import -";

/// An open file, or the content of a pipe.
pub struct Source {
    name: String,
    content: Content,
    read: Rc<Cell<u64>>,
}

enum Content {
    /// A file, and the offset where it begins: the shell may have read a part of standard input.
    File(File, u64),
    Memory(Arc<[u8]>),
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Source({})", self.name)
    }
}

impl Source {
    /// Opens a file, or `-` for standard input. A pipe is read to its end.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is a pipe of more than 256 MiB.
    pub fn open(path: &Path) -> Result<Self, BadSource> {
        let is_stdin = path.as_os_str() == "-";
        let name = if is_stdin { "standard input".into() } else { path.display().to_string() };
        let opened = if is_stdin {
            io::stdin().as_fd().try_clone_to_owned().map(File::from)
        } else {
            File::open(path)
        };
        let failed = |error| BadSource(format!("cannot read {name}: {error}"));
        let mut file = opened.map_err(failed)?;
        let kind = file.metadata().map_err(failed)?;
        if kind.is_dir() {
            return Err(BadSource(format!("cannot read {name}: it is a directory; name a file")));
        }
        let content = if kind.is_file() {
            let start = file.stream_position().map_err(failed)?;
            Content::File(file, start)
        } else {
            let mut bytes = Vec::new();
            file.take(PIPE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
            if bytes.len() as u64 > PIPE_BYTES_MAX {
                return Err(BadSource(format!(
                    "{name} is a pipe of more than {PIPE_BYTES_MAX} bytes, and a pipe is kept in \
                     memory: write it to a file and import the file"
                )));
            }
            Content::Memory(bytes.into())
        };
        Ok(Self { name, content, read: Rc::default() })
    }

    /// These bytes under this name.
    pub fn of_bytes(name: &str, bytes: impl Into<Arc<[u8]>>) -> Self {
        Self { name: name.to_owned(), content: Content::Memory(bytes.into()), read: Rc::default() }
    }

    /// Its name for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its length in bytes, as it is stored.
    pub fn length(&self) -> u64 {
        match &self.content {
            Content::File(file, start) => {
                file.metadata().map_or(0, |kind| kind.len().saturating_sub(*start))
            }
            Content::Memory(bytes) => bytes.len() as u64,
        }
    }

    /// How many of its bytes were read since the last `Source::text`.
    pub fn bytes_read(&self) -> u64 {
        self.read.get()
    }

    /// The text from its beginning, without a byte order mark. It is UTF-8, unless the file is in
    /// an encoding of one byte a character.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is no text.
    pub(super) fn text(&self) -> Result<Box<dyn BufRead>, BadSource> {
        let failed = |error| BadSource(format!("cannot read {}: {error}", self.name));
        self.read.set(0);
        let bytes: Box<dyn Read> = match &self.content {
            Content::File(file, start) => {
                let mut file = file.try_clone().map_err(failed)?;
                file.seek(SeekFrom::Start(*start)).map_err(failed)?;
                Box::new(file)
            }
            Content::Memory(bytes) => Box::new(Cursor::new(Arc::clone(bytes))),
        };
        let counted = Counted { bytes, read: Rc::clone(&self.read) };
        plain_text(Box::new(counted), &self.name, FROM_PIPE)
    }

    /// The first bytes of the text.
    pub(super) fn head(&self) -> Result<Vec<u8>, BadSource> {
        let mut head = Vec::new();
        let read = self.text()?.take(HEAD_BYTES).read_to_end(&mut head);
        read.map_err(|error| BadSource(format!("cannot read {}: {error}", self.name)))?;
        Ok(head)
    }
}

/// The text of a file, without gzip, UTF-16 and a byte order mark. `from_pipe` is the command that
/// reads it from a pipe, for remedies.
///
/// # Errors
///
/// If it cannot be read, or is no text.
pub fn plain_text(
    bytes: Box<dyn Read>,
    name: &str,
    from_pipe: &str,
) -> Result<Box<dyn BufRead>, BadSource> {
    let failed = |error| BadSource(format!("cannot read {name}: {error}"));
    let (head, bytes) = with_head(bytes).map_err(failed)?;
    if !head.starts_with(GZIP) {
        return decoded(&head, bytes, name, from_pipe);
    }
    let (head, text) = with_head(Box::new(Gzip(MultiGzDecoder::new(bytes)))).map_err(failed)?;
    decoded(&head, text, name, from_pipe)
}

fn decoded(
    head: &[u8],
    mut text: Box<dyn BufRead>,
    name: &str,
    from_pipe: &str,
) -> Result<Box<dyn BufRead>, BadSource> {
    match Foreign::of_bytes(head) {
        None => {}
        Some(Foreign::Utf16(_)) => return Ok(Box::new(BufReader::new(Utf16::new(text, head)))),
        Some(Foreign::Sqlite) => {
            return Err(BadSource(format!(
                "{name}: looks like an SQLite database: export its table of members as CSV, \
                 sqlite3 -header -csv FILE 'SELECT * FROM TABLE' | {from_pipe}"
            )));
        }
        Some(kind) => return Err(BadSource(format!("{name}: {}", kind.said(from_pipe)))),
    }
    if head.starts_with(BYTE_ORDER_MARK) {
        text.consume(BYTE_ORDER_MARK.len());
    }
    Ok(text)
}

/// The first bytes, and everything from the beginning. The first buffer of the latter has at least
/// the bytes of a byte order mark, where there are so many.
fn with_head(mut from: Box<dyn Read>) -> io::Result<(Vec<u8>, Box<dyn BufRead>)> {
    let mut head = Vec::new();
    from.by_ref().take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok((head.clone(), Box::new(Cursor::new(head).chain(BufReader::with_capacity(64 * 1024, from)))))
}

/// Counts the bytes that are read.
struct Counted {
    bytes: Box<dyn Read>,
    read: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(buffer)?;
        self.read.set(self.read.get() + read as u64);
        Ok(read)
    }
}

/// Says what an error of the decoder means.
struct Gzip(MultiGzDecoder<Box<dyn BufRead>>);

impl Read for Gzip {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| {
            io::Error::new(
                error.kind(),
                "the gzip file is cut off or damaged: copy it again, from its beginning to its end",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> Result<String, String> {
        let source = Source::of_bytes("members", bytes);
        let mut text = String::new();
        source
            .text()
            .map_err(|error| error.to_string())?
            .read_to_string(&mut text)
            .map_err(|error| error.to_string())?;
        Ok(text)
    }

    #[test]
    fn text_is_read_in_each_encoding_that_is_recognised_and_read_again() {
        let utf_16 = |text: &str, bytes: fn(u16) -> [u8; 2]| {
            text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>()
        };
        let text = "username,é😀\nbob,x\n";
        let marked = format!("\u{feff}{text}");
        for (bytes, name) in [
            (text.as_bytes().to_vec(), "UTF-8"),
            (marked.as_bytes().to_vec(), "UTF-8 with a mark"),
            (utf_16(&marked, u16::to_le_bytes), "UTF-16, little-endian"),
            (utf_16(&marked, u16::to_be_bytes), "UTF-16, big-endian"),
            (utf_16(text, u16::to_le_bytes), "UTF-16 without a mark"),
            (gzip(text.as_bytes()), "gzip"),
            ([gzip(b"username,"), gzip("é😀\nbob,x\n".as_bytes())].concat(), "two parts of gzip"),
            (gzip(&utf_16(&marked, u16::to_le_bytes)), "gzip of UTF-16"),
        ] {
            let source = Source::of_bytes("members", bytes.as_slice());
            for _ in 0..2 {
                let mut found = String::new();
                source.text().unwrap().read_to_string(&mut found).unwrap();
                assert_eq!(found, text, "{name}");
                assert_eq!(source.bytes_read(), bytes.len() as u64, "{name}");
            }
        }
        assert_eq!(read(b"").unwrap(), "");
        assert_eq!(read(b"\xef").map_err(|_| ()), Err(()), "no UTF-8, and no panic");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let cut = gzip(&b"username,password\n".repeat(999));
        let long = gzip(&(0..99_999_u32).flat_map(u32::to_be_bytes).collect::<Vec<u8>>());
        let gzip_said =
            "the gzip file is cut off or damaged: copy it again, from its beginning to its end";
        assert_eq!(
            read(&cut[..cut.len() / 2]).unwrap_err(),
            format!("cannot read members: {gzip_said}")
        );
        assert_eq!(read(&long[..long.len() - 9]).unwrap_err(), gzip_said, "cut off far behind");
        assert_eq!(
            read(b"\xff\xfea\0b").unwrap_err(),
            "the last character of the UTF-16 text is cut off"
        );
        assert_eq!(
            read(b"\xff\xfea\0\0\xd8b\0").unwrap_err(),
            "the text has half a character of UTF-16: it is damaged"
        );
        for (bytes, said) in [
            (
                &b"PK\x03\x04\x14\0"[..],
                "members: looks like a ZIP archive: pipe it, unzip -p FILE | nats-userman import -",
            ),
            (
                b"BZh91AY&SY",
                "members: looks like bzip2: pipe it, bunzip2 -c FILE | nats-userman import -",
            ),
            (
                b"\xfd7zXZ\0\0",
                "members: looks like xz: pipe it, xz -dc FILE | nats-userman import -",
            ),
            (
                b"SQLite format 3\0\x10",
                "members: looks like an SQLite database: export its table of members as CSV, \
                 sqlite3 -header -csv FILE 'SELECT * FROM TABLE' | nats-userman import -",
            ),
        ] {
            assert_eq!(read(bytes).unwrap_err(), said);
        }
    }
}
