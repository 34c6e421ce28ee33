//! Captured postbacks in files, in two layouts: TMM's, with `key=value` lines and a blank line between postbacks, and urlencoded
//! bodies, one a line.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read as _, Seek as _, SeekFrom};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use crate::fields::Fields;
use crate::http::body::BODY_BYTES_MAX;

/// What is kept of a pipe, which cannot be read a second time, until its layout is known. TMM's shows within its first postback;
/// of urlencoded bodies all is kept: some half a million whole records of NATS4, or ten times as many short ones.
const PIPE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// What some programs put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A capture that is read postback by postback.
pub struct Capture {
    path: PathBuf,
    lines: Box<dyn BufRead>,
    layout: Layout,
    bytes: u64,
    /// Lines read so far.
    line: u64,
    /// The first line of the postback read last.
    began: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    Tmm,
    Urlencoded,
}

/// Why a capture cannot be read. Each names the file, and the line where there is one, and shows nothing of what stands there.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// Input.
    #[error("cannot read {0}")]
    Io(String, #[source] io::Error),
    /// A line that is no field, as the NULL of a database is: somebody would be left out without a word.
    #[error("{0}: expected name=value or a blank line")]
    NoField(String),
    /// A postback that the service would not take either.
    #[error("{0}: a postback of more than {BODY_BYTES_MAX} bytes; is this a capture?")]
    TooLong(String),
    /// A pipe that does not tell its layout in time.
    #[error("{0}: no line action=WORD within {1} bytes, and more is not kept of a pipe; write it to a file and replay that")]
    PipeTooLong(String, usize),
}

/// Opens what a command line names; `-` is standard input.
///
/// # Errors
///
/// Where it cannot be opened.
pub fn open_input(path: &Path) -> io::Result<File> {
    if path.as_os_str() == "-" { Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?)) } else { File::open(path) }
}

/// One postback as it was captured.
pub enum Captured {
    /// Names and values as they stand.
    Literal(Vec<(Vec<u8>, Vec<u8>)>),
    /// A body.
    Urlencoded(Vec<u8>),
}

/// As the journal would show it: a capture is full of secrets.
impl fmt::Debug for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Captured").field(&self.fields()).finish()
    }
}

/// Without the lines that wait to be read.
impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Capture({}, {:?})", self.place(), self.layout)
    }
}

impl Captured {
    /// Its fields.
    pub fn fields(&self) -> Fields<'_> {
        match self {
            Captured::Literal(pairs) => Fields::from_parts(pairs.clone()),
            Captured::Urlencoded(body) => Fields::from_urlencoded(body),
        }
    }

    /// As a body to post.
    pub fn into_body(self) -> Vec<u8> {
        match self {
            Captured::Literal(pairs) => {
                let encode =
                    |bytes: &[u8]| percent_encoding::percent_encode(bytes, percent_encoding::NON_ALPHANUMERIC).to_string();
                let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
                pairs.join("&").into_bytes()
            }
            Captured::Urlencoded(body) => body,
        }
    }
}

impl Capture {
    /// Opens a capture, `-` for standard input. It is read to tell its layout: a line that is exactly `action=WORD` makes it TMM's.
    ///
    /// # Errors
    ///
    /// Where it cannot be read, or is a pipe of more than 256 MiB without such a line.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        let file = open_input(path).map_err(|error| CaptureError::Io(path.display().to_string(), error))?;
        Self::of_file(path, file, PIPE_BYTES_MAX)
    }

    fn of_file(path: &Path, mut file: File, pipe_bytes_max: usize) -> Result<Self, CaptureError> {
        let name = path.display().to_string();
        let io = |error| CaptureError::Io(name.clone(), error);
        let rewinds = file.metadata().map_err(io)?.is_file();
        // Standard input may be a file of which the shell has read the beginning.
        let start = if rewinds { file.stream_position().map_err(io)? } else { 0 };
        let lines = Box::new(BufReader::new(file.try_clone().map_err(io)?));
        let mut capture = Self { path: path.to_owned(), lines, layout: Layout::Urlencoded, bytes: 0, line: 0, began: 0 };
        let mut kept = Vec::new();
        while let Some(line) = capture.line()? {
            if !rewinds {
                kept.extend_from_slice(&line);
                kept.push(b'\n');
            }
            if kept.len() > pipe_bytes_max {
                return Err(CaptureError::PipeTooLong(name, pipe_bytes_max));
            }
            if is_action_line(&line) {
                capture.layout = Layout::Tmm;
                break;
            }
        }
        if rewinds {
            file.seek(SeekFrom::Start(start)).map_err(io)?;
            capture.lines = Box::new(BufReader::new(file));
        } else {
            let rest = std::mem::replace(&mut capture.lines, Box::new(io::empty()));
            capture.lines = Box::new(Cursor::new(kept).chain(rest));
        }
        (capture.bytes, capture.line) = (0, 0);
        Ok(capture)
    }

    /// Bytes read so far, for the progress bar.
    pub fn bytes_read(&self) -> u64 {
        self.bytes
    }

    /// Where the postback read last begins: `FILE:LINE`.
    pub fn place(&self) -> String {
        self.at(self.began)
    }

    fn at(&self, line: u64) -> String {
        format!("{}:{line}", self.path.display())
    }

    /// The next postback, `None` at the end.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read, or is no capture.
    pub fn next_postback(&mut self) -> Result<Option<Captured>, CaptureError> {
        match self.layout {
            Layout::Urlencoded => self.next_body(),
            Layout::Tmm => self.next_block(),
        }
    }

    fn next_body(&mut self) -> Result<Option<Captured>, CaptureError> {
        while let Some(line) = self.line()? {
            if !line.is_empty() {
                self.began = self.line;
                return Ok(Some(Captured::Urlencoded(line)));
            }
        }
        Ok(None)
    }

    fn next_block(&mut self) -> Result<Option<Captured>, CaptureError> {
        let (mut pairs, mut bytes) = (Vec::new(), 0);
        while let Some(line) = self.line()? {
            if line.is_empty() && !pairs.is_empty() {
                break;
            }
            if pairs.is_empty() {
                self.began = self.line;
            }
            bytes += line.len();
            if bytes > BODY_BYTES_MAX {
                return Err(CaptureError::TooLong(self.place()));
            }
            match line.iter().position(|&b| b == b'=') {
                Some(equals) => pairs.push((line[..equals].to_vec(), line[equals + 1..].to_vec())),
                None if line.is_empty() => {}
                None => return Err(CaptureError::NoField(self.at(self.line))),
            }
        }
        Ok((!pairs.is_empty()).then_some(Captured::Literal(pairs)))
    }

    /// One line without its end.
    fn line(&mut self) -> Result<Option<Vec<u8>>, CaptureError> {
        let mut line = Vec::new();
        let most = (BYTE_ORDER_MARK.len() + BODY_BYTES_MAX + 2) as u64;
        self.line += 1;
        let read = self.lines.by_ref().take(most).read_until(b'\n', &mut line);
        let read = read.map_err(|error| CaptureError::Io(self.at(self.line), error))?;
        self.bytes += read as u64;
        if read == 0 {
            return Ok(None);
        }
        if self.line == 1 && line.starts_with(BYTE_ORDER_MARK) {
            line.drain(..BYTE_ORDER_MARK.len());
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if line.len() > BODY_BYTES_MAX { Err(CaptureError::TooLong(self.at(self.line))) } else { Ok(Some(line)) }
    }
}

fn is_action_line(line: &[u8]) -> bool {
    let word = line.strip_prefix(b"action=");
    word.is_some_and(|word| !word.is_empty() && word.iter().all(u8::is_ascii_alphabetic))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &[u8]) -> Vec<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let mut capture = Capture::open(file.path()).unwrap();
        std::iter::from_fn(|| capture.next_postback().unwrap()).map(|one| String::from_utf8(one.into_body()).unwrap()).collect()
    }

    #[test]
    fn lines_of_urlencoded_bodies_are_postbacks_and_blank_lines_are_nothing() {
        let bodies = read(b"action=CHECK&siteid=1&username=a\r\n\n\naction=DELETE&memberid=1&siteid=1");
        assert_eq!(bodies, ["action=CHECK&siteid=1&username=a", "action=DELETE&memberid=1&siteid=1"]);
    }

    #[test]
    fn a_line_that_is_just_an_action_makes_it_tmm_s_layout_with_literal_values() {
        let bodies = read(b"\nmemberid=71\npassword=p+&=% \n\naction=ADD\n\n\nmemberid=72\naction=DELETE\n");
        assert_eq!(bodies, ["memberid=71&password=p%2B%26%3D%25%20", "action=ADD", "memberid=72&action=DELETE"]);
    }

    #[test]
    fn a_line_that_is_no_field_is_told_by_its_number_for_a_database_prints_null_there() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "action=DELETE\nmemberid=1\n\nNULL\n").unwrap();
        let mut capture = Capture::open(file.path()).unwrap();
        assert!(capture.next_postback().unwrap().is_some());
        let error = capture.next_postback().unwrap_err().to_string();
        assert!(error.ends_with(":4: expected name=value or a blank line"), "{error}");
    }

    #[test]
    fn a_line_longer_than_any_body_is_no_capture() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), vec![b'x'; BODY_BYTES_MAX + 1]).unwrap();
        assert!(matches!(Capture::open(file.path()), Err(CaptureError::TooLong(_))));
    }

    /// The bodies of a capture that comes through a pipe, of which so much is kept.
    fn read_pipe(content: &[u8], kept_max: usize) -> Result<Vec<String>, CaptureError> {
        let (reader, mut writer) = io::pipe().unwrap();
        // A pipe takes 64 KiB by itself.
        io::Write::write_all(&mut writer, content).unwrap();
        drop(writer);
        let file = File::from(std::os::fd::OwnedFd::from(reader));
        let mut capture = Capture::of_file(Path::new("-"), file, kept_max)?;
        let bodies = std::iter::from_fn(|| capture.next_postback().unwrap());
        Ok(bodies.map(|one| String::from_utf8(one.into_body()).unwrap()).collect())
    }

    #[test]
    fn a_pipe_is_read_once_and_nothing_of_it_is_lost() {
        for content in [
            &b"action=CHECK&siteid=1&username=a\r\n\n\naction=DELETE&memberid=1&siteid=1"[..],
            b"\nmemberid=71\npassword=p+&=% \n\naction=ADD\n\n\nmemberid=72\naction=DELETE\n",
            b"\xef\xbb\xbfaction=ADD\nmemberid=71",
            b"",
        ] {
            assert_eq!(read_pipe(content, 1000).unwrap(), read(content));
        }
    }

    #[test]
    fn a_pipe_is_kept_up_to_a_bound_until_its_layout_is_known() {
        let bodies = "action=DELETE&memberid=1&siteid=1\n".repeat(3);
        assert_eq!(read_pipe(bodies.as_bytes(), bodies.len()).unwrap().len(), 3);
        let error = read_pipe(bodies.as_bytes(), bodies.len() - 1).unwrap_err().to_string();
        assert!(error.starts_with("-: no line action=WORD within 101 bytes"), "{error}");
        let lines = format!("action=DELETE\nmemberid=1\n{}", "\nmemberid=2\naction=DELETE\n".repeat(9));
        assert_eq!(read_pipe(lines.as_bytes(), 20).unwrap().len(), 10, "the rest is not kept");
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_capture() {
        assert_eq!(read(b"\xef\xbb\xbfaction=CHECK&siteid=1"), ["action=CHECK&siteid=1"]);
        assert_eq!(read(b"\xef\xbb\xbfaction=DELETE\nmemberid=1\n"), ["action=DELETE&memberid=1"]);
        assert_eq!(read(b"\xef\xbb\xbf\naction=DELETE\nmemberid=1\n"), ["action=DELETE&memberid=1"]);
    }

    #[test]
    fn debug_shows_no_secret_of_a_capture() {
        let one = Captured::Urlencoded(b"action=ADD&password=secret".into());
        assert_eq!(format!("{one:?}"), "Captured(Fields(action=ADD&password=***))");
    }
}
