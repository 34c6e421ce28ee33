//! Captured postbacks in files. There are two layouts: TMM's `key=value` lines with a blank line
//! between postbacks, and urlencoded bodies, one a line.

use std::fmt;
use std::io::{self, BufRead, Cursor, Read as _};
use std::path::{Path, PathBuf};

use super::{Foreign, Input};
use crate::fields::{BODY_BYTES_MAX, Fields};
use crate::text_file::BYTE_ORDER_MARK;

/// The most bytes of a pipe that are kept until its layout is known, because a pipe cannot be read
/// twice. TMM's layout shows in the first postback. Urlencoded bodies are all kept: about half a
/// million whole NATS4 records, or ten times as many short ones.
const PIPE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// A capture, read postback by postback.
pub struct Capture {
    path: PathBuf,
    lines: Box<dyn BufRead>,
    layout: Layout,
    bytes: u64,
    /// Lines read so far.
    line: u64,
    /// The first line of the postback read last.
    began: u64,
    /// Whether all lines are blank.
    is_blank: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    Tmm,
    Urlencoded,
}

/// Why a capture cannot be read. Each error names the file, and the line if there is one, and shows
/// nothing of its content.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The file cannot be read.
    #[error("cannot read {0}")]
    Io(String, #[source] io::Error),
    /// A line that is no field, such as the NULL of a database. Ignoring it could silently lose a
    /// member.
    #[error("{0}: expected name=value or a blank line")]
    NoField(String),
    /// A postback that is too long for the service, too.
    #[error("{0}: a postback of more than {BODY_BYTES_MAX} bytes; is this a capture?")]
    TooLong(String),
    /// Something else than a capture, recognised by its first bytes or because it has no postback.
    #[error("{0}: {1}")]
    Foreign(String, Foreign),
    /// All files are blank.
    #[error("no postback in {0}")]
    Blank(String),
    /// A pipe whose layout is not known within the bytes that are kept.
    #[error(
        "{0}: no line action=WORD within the first {1} bytes, and no more of a pipe is kept; write \
         it to a file and replay the file"
    )]
    PipeTooLong(String, usize),
}

/// One postback as it was captured.
pub enum Captured {
    /// Literal names and values.
    Literal(Vec<(Vec<u8>, Vec<u8>)>),
    /// A body.
    Urlencoded(Vec<u8>),
}

/// Hides secrets as the journal does.
impl fmt::Debug for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Captured").field(&self.fields()).finish()
    }
}

/// Without the lines that are still to be read.
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
                let encode = |bytes: &[u8]| {
                    percent_encoding::percent_encode(bytes, percent_encoding::NON_ALPHANUMERIC)
                        .to_string()
                };
                let pairs: Vec<_> = pairs
                    .iter()
                    .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
                    .collect();
                pairs.join("&").into_bytes()
            }
            Captured::Urlencoded(body) => body,
        }
    }
}

impl Capture {
    /// Opens captures, `-` for standard input, and reads each to find its layout: a line that is
    /// exactly `action=WORD` makes it TMM's. All of them are checked before the first postback is
    /// read, so that nothing is done if one is no capture.
    ///
    /// # Errors
    ///
    /// If one cannot be read or is no capture, where a pipe has no such line within 256 MiB, or
    /// where all are blank.
    pub fn open_all(paths: &[PathBuf]) -> Result<Vec<Self>, CaptureError> {
        let mut kept_max = PIPE_BYTES_MAX;
        let mut captures = Vec::with_capacity(paths.len());
        for path in paths {
            let input = Input::open(path)
                .map_err(|error| CaptureError::Io(path.display().to_string(), error))?;
            captures.push(Self::of_input(path, input, &mut kept_max)?);
        }
        if captures.iter().all(|capture| capture.is_blank) {
            let names: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
            return Err(CaptureError::Blank(names.join(", ")));
        }
        Ok(captures)
    }

    /// `kept_max` is the number of bytes of pipes that may still be kept.
    fn of_input(path: &Path, input: Input, kept_max: &mut usize) -> Result<Self, CaptureError> {
        let name = path.display().to_string();
        let foreign = |kind| Err(CaptureError::Foreign(name.clone(), kind));
        if let Some(kind) = Foreign::of_bytes(input.head()) {
            return foreign(kind);
        }
        let (head, is_file) = (input.head().to_vec(), input.is_file());
        let (lines, again) = input.lines_and_again();
        let mut capture = Self {
            path: path.to_owned(),
            lines,
            layout: Layout::Urlencoded,
            bytes: 0,
            line: 0,
            began: 0,
            is_blank: true,
        };
        let (mut kept, mut has_action) = (Vec::new(), false);
        loop {
            let line = match capture.line() {
                Ok(Some(line)) => line,
                Ok(None) => break,
                // A format that has all in one line has its own error.
                Err(CaptureError::TooLong(place)) => {
                    return Foreign::of_text(&head)
                        .map_or(Err(CaptureError::TooLong(place)), foreign);
                }
                Err(error) => return Err(error),
            };
            if !is_file {
                kept.extend_from_slice(&line);
                kept.push(b'\n');
            }
            if kept.len() > *kept_max {
                return Err(CaptureError::PipeTooLong(name, *kept_max));
            }
            capture.is_blank &= line.is_empty();
            if is_action_line(&line) {
                capture.layout = Layout::Tmm;
                break;
            }
            has_action =
                has_action || Fields::from_urlencoded(&line).get("action").is_some_and(is_word);
        }
        if capture.layout == Layout::Urlencoded && !capture.is_blank {
            match Foreign::of_text(&head) {
                Some(kind) => return foreign(kind),
                None if !has_action => return foreign(Foreign::without_action(&head)),
                None => {}
            }
        }
        *kept_max -= kept.len();
        let rest = std::mem::replace(&mut capture.lines, Box::new(io::empty()));
        capture.lines = if is_file { again } else { Box::new(Cursor::new(kept).chain(rest)) };
        (capture.bytes, capture.line) = (0, 0);
        Ok(capture)
    }

    /// Bytes read so far, for the progress bar.
    pub fn bytes_read(&self) -> u64 {
        self.bytes
    }

    /// Where the last postback that was read begins: `FILE:LINE`.
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
    /// If the file cannot be read, or is no capture.
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
        if line.len() > BODY_BYTES_MAX {
            Err(CaptureError::TooLong(self.at(self.line)))
        } else {
            Ok(Some(line))
        }
    }
}

fn is_action_line(line: &[u8]) -> bool {
    let word = line.strip_prefix(b"action=");
    word.is_some_and(|word| is_word(&String::from_utf8_lossy(word)))
}

/// Whether this could be an action, also one of a NATS to come.
fn is_word(action: &str) -> bool {
    !action.is_empty() && action.bytes().all(|b| b.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path) -> Result<Capture, CaptureError> {
        Capture::open_all(&[path.to_owned()]).map(|mut captures| captures.remove(0))
    }

    fn read(content: &[u8]) -> Vec<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let mut capture = open(file.path()).unwrap();
        std::iter::from_fn(|| capture.next_postback().unwrap())
            .map(|one| String::from_utf8(one.into_body()).unwrap())
            .collect()
    }

    #[test]
    fn lines_of_urlencoded_bodies_are_postbacks_and_blank_lines_are_nothing() {
        let bodies =
            read(b"action=CHECK&siteid=1&username=a\r\n\n\naction=DELETE&memberid=1&siteid=1");
        assert_eq!(
            bodies,
            ["action=CHECK&siteid=1&username=a", "action=DELETE&memberid=1&siteid=1"]
        );
    }

    #[test]
    fn a_line_that_is_just_an_action_makes_it_tmm_s_layout_with_literal_values() {
        let bodies =
            read(b"\nmemberid=71\npassword=p+&=% \n\naction=ADD\n\n\nmemberid=72\naction=DELETE\n");
        assert_eq!(
            bodies,
            ["memberid=71&password=p%2B%26%3D%25%20", "action=ADD", "memberid=72&action=DELETE"]
        );
    }

    #[test]
    fn a_line_that_is_no_field_is_told_by_its_number_for_a_database_prints_null_there() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "action=DELETE\nmemberid=1\n\nNULL\n").unwrap();
        let mut capture = open(file.path()).unwrap();
        assert!(capture.next_postback().unwrap().is_some());
        let error = capture.next_postback().unwrap_err().to_string();
        assert!(error.ends_with(":4: expected name=value or a blank line"), "{error}");
    }

    #[test]
    fn a_line_longer_than_any_body_is_no_capture() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), vec![b'x'; BODY_BYTES_MAX + 1]).unwrap();
        assert!(matches!(open(file.path()), Err(CaptureError::TooLong(_))));
    }

    /// The bodies of a capture that comes through a pipe, of which so much is kept.
    fn read_pipe(content: &[u8], mut kept_max: usize) -> Result<Vec<String>, CaptureError> {
        let (reader, mut writer) = io::pipe().unwrap();
        // A pipe takes 64 KiB by itself.
        io::Write::write_all(&mut writer, content).unwrap();
        drop(writer);
        let file = std::fs::File::from(std::os::fd::OwnedFd::from(reader));
        let input = Input::of_file(Path::new("-"), file).unwrap();
        let mut capture = Capture::of_input(Path::new("-"), input, &mut kept_max)?;
        let bodies = std::iter::from_fn(|| capture.next_postback().unwrap());
        Ok(bodies.map(|one| String::from_utf8(one.into_body()).unwrap()).collect())
    }

    #[test]
    fn a_pipe_is_read_once_and_nothing_of_it_is_lost() {
        for content in [
            &b"action=CHECK&siteid=1&username=a\r\n\n\naction=DELETE&memberid=1&siteid=1"[..],
            b"\nmemberid=71\npassword=p+&=% \n\naction=ADD\n\n\nmemberid=72\naction=DELETE\n",
            b"\xef\xbb\xbfaction=ADD\nmemberid=71",
        ] {
            assert_eq!(read_pipe(content, 1000).unwrap(), read(content));
        }
    }

    #[test]
    fn a_pipe_is_kept_up_to_a_bound_until_its_layout_is_known() {
        let bodies = "action=DELETE&memberid=1&siteid=1\n".repeat(3);
        assert_eq!(read_pipe(bodies.as_bytes(), bodies.len()).unwrap().len(), 3);
        let error = read_pipe(bodies.as_bytes(), bodies.len() - 1).unwrap_err().to_string();
        assert!(error.starts_with("-: no line action=WORD within the first 101 bytes"), "{error}");
        let lines =
            format!("action=DELETE\nmemberid=1\n{}", "\nmemberid=2\naction=DELETE\n".repeat(9));
        assert_eq!(read_pipe(lines.as_bytes(), 20).unwrap().len(), 10, "the rest is not kept");
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_capture() {
        assert_eq!(read(b"\xef\xbb\xbfaction=CHECK&siteid=1"), ["action=CHECK&siteid=1"]);
        assert_eq!(read(b"\xef\xbb\xbfaction=DELETE\nmemberid=1\n"), ["action=DELETE&memberid=1"]);
        assert_eq!(
            read(b"\xef\xbb\xbf\naction=DELETE\nmemberid=1\n"),
            ["action=DELETE&memberid=1"]
        );
    }

    #[test]
    fn debug_shows_no_secret_of_a_capture() {
        let one = Captured::Urlencoded(b"action=ADD&password=secret".into());
        assert_eq!(format!("{one:?}"), "Captured(Fields(action=ADD&password=***))");
    }
}
