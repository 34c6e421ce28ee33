//! UTF-16 as UTF-8, as it is read.

use std::io::{self, BufRead, Read};

/// The code unit of the byte order mark.
const MARK: u16 = 0xfeff;

/// Decodes UTF-16 without its byte order mark.
pub(super) struct Utf16 {
    from: Box<dyn BufRead>,
    is_big_endian: bool,
    is_begun: bool,
    /// UTF-8 of a character that did not fit into the caller's buffer.
    rest: Vec<u8>,
}

impl Utf16 {
    /// `head` has the first bytes: a mark, or ASCII with a NUL in every other byte.
    pub(super) fn new(from: Box<dyn BufRead>, head: &[u8]) -> Self {
        let is_big_endian = matches!(head, [0xfe, 0xff, ..] | [0, ..]);
        Self { from, is_big_endian, is_begun: false, rest: Vec::new() }
    }

    fn unit(&mut self) -> io::Result<Option<u16>> {
        let mut bytes = [0; 2];
        if self.from.read(&mut bytes[..1])? == 0 {
            return Ok(None);
        }
        self.from.read_exact(&mut bytes[1..]).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                invalid("the last character of the UTF-16 text is cut off")
            }
            _ => error,
        })?;
        Ok(Some(match self.is_big_endian {
            true => u16::from_be_bytes(bytes),
            false => u16::from_le_bytes(bytes),
        }))
    }

    fn character(&mut self) -> io::Result<Option<char>> {
        let Some(first) = self.unit()? else { return Ok(None) };
        let one = char::decode_utf16([first]).next().and_then(Result::ok);
        if one.is_some() {
            return Ok(one);
        }
        let second = self.unit()?.unwrap_or(0);
        let two = char::decode_utf16([first, second]).next().and_then(Result::ok);
        two.map(Some)
            .ok_or_else(|| invalid("the text has half a character of UTF-16: it is damaged"))
    }
}

impl Read for Utf16 {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut made = 0;
        while made < buffer.len() {
            if !self.rest.is_empty() {
                let fits = self.rest.len().min(buffer.len() - made);
                buffer[made..made + fits].copy_from_slice(&self.rest[..fits]);
                self.rest.drain(..fits);
                made += fits;
                continue;
            }
            let is_first = !std::mem::replace(&mut self.is_begun, true);
            match self.character() {
                Ok(None) => break,
                Ok(Some(c)) if is_first && u32::from(c) == u32::from(MARK) => {}
                Ok(Some(c)) => {
                    let mut utf_8 = [0; 4];
                    self.rest.extend_from_slice(c.encode_utf8(&mut utf_8).as_bytes());
                }
                // What was decoded before it is of no use: the file as a whole is refused.
                Err(error) => return Err(error),
            }
        }
        Ok(made)
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
