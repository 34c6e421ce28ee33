//! Captured postbacks in files, in two layouts: TMM's, with `key=value` lines and a blank line between postbacks, and urlencoded
//! bodies, one a line.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use crate::fields::Fields;
use crate::http::body::BODY_BYTES_MAX;

/// A capture that is read postback by postback.
#[derive(Debug)]
pub struct Capture {
    path: PathBuf,
    lines: BufReader<File>,
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

/// Why a capture cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// Input.
    #[error("cannot read {}", .0.display())]
    Io(PathBuf, #[source] io::Error),
    /// A line that is no field, as the NULL of a database is: somebody would be left out without a word.
    #[error("{}, line {}: expected name=value or a blank line", .0.display(), .1)]
    NoField(PathBuf, u64),
    /// A postback that the service would not take either.
    #[error("{}: a postback of more than {BODY_BYTES_MAX} bytes; is this a capture?", .0.display())]
    TooLong(PathBuf),
}

/// One postback as it was captured.
#[derive(Debug)]
pub enum Captured {
    /// Names and values as they stand.
    Literal(Vec<(Vec<u8>, Vec<u8>)>),
    /// A body.
    Urlencoded(Vec<u8>),
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
    /// Opens a capture. It is read once to tell its layout: a line that is exactly `action=WORD` makes it TMM's.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        let io = |error| CaptureError::Io(path.to_owned(), error);
        let open = || File::open(path).map(BufReader::new).map_err(io);
        let mut capture = Self { path: path.to_owned(), lines: open()?, layout: Layout::Urlencoded, bytes: 0, line: 0, began: 0 };
        while let Some(line) = capture.line()? {
            if is_action_line(&line) {
                capture.layout = Layout::Tmm;
                break;
            }
        }
        capture.lines = open()?;
        (capture.bytes, capture.line) = (0, 0);
        Ok(capture)
    }

    /// Bytes read so far, for the progress bar.
    pub fn bytes_read(&self) -> u64 {
        self.bytes
    }

    /// Where the postback read last begins: `FILE:LINE`.
    pub fn place(&self) -> String {
        format!("{}:{}", self.path.display(), self.began)
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
                return Err(CaptureError::TooLong(self.path.clone()));
            }
            match line.iter().position(|&b| b == b'=') {
                Some(equals) => pairs.push((line[..equals].to_vec(), line[equals + 1..].to_vec())),
                None if line.is_empty() => {}
                None => return Err(CaptureError::NoField(self.path.clone(), self.line)),
            }
        }
        Ok((!pairs.is_empty()).then_some(Captured::Literal(pairs)))
    }

    /// One line without its end.
    fn line(&mut self) -> Result<Option<Vec<u8>>, CaptureError> {
        let mut line = Vec::new();
        let most = BODY_BYTES_MAX as u64 + 2;
        let read = io::Read::take(&mut self.lines, most).read_until(b'\n', &mut line);
        let read = read.map_err(|error| CaptureError::Io(self.path.clone(), error))?;
        self.bytes += read as u64;
        self.line += 1;
        if read == 0 {
            return Ok(None);
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if line.len() > BODY_BYTES_MAX { Err(CaptureError::TooLong(self.path.clone())) } else { Ok(Some(line)) }
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
        assert!(error.ends_with(", line 4: expected name=value or a blank line"), "{error}");
    }

    #[test]
    fn a_line_longer_than_any_body_is_no_capture() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), vec![b'x'; BODY_BYTES_MAX + 1]).unwrap();
        assert!(matches!(Capture::open(file.path()), Err(CaptureError::TooLong(_))));
    }
}
