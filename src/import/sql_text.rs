//! SQL as `mysqldump` writes it, in tokens. Comments are skipped.

use std::io::{BufRead, BufReader};

use super::{BadSource, ROW_BYTES_MAX, Source};

/// The most bytes of a name or a word that are kept.
const WORD_BYTES_MAX: usize = 256;
/// The most bytes of a comment that are kept.
const COMMENT_BYTES_MAX: usize = 64;
/// The most comments whose beginnings are kept.
const COMMENTS_MAX: usize = 64;

/// A piece of SQL.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword or a number.
    Word(String),
    /// A name in back quotes.
    Name(String),
    /// A value in quotation marks or in hexadecimal digits, without its escapes. Cut off where it
    /// is longer than a row may be.
    Text(Vec<u8>),
    /// A single other character.
    Sign(u8),
    /// The end of the text.
    End,
}

/// Reads tokens.
pub(super) struct SqlText {
    name: String,
    from: BufReader<Box<dyn BufRead>>,
    line: u64,
    /// The beginnings of the first and the last comments.
    comments: Vec<String>,
}

impl SqlText {
    pub(super) fn of(source: &Source) -> Result<Self, BadSource> {
        let from = BufReader::with_capacity(64 * 1024, source.text()?);
        Ok(Self { name: source.name().to_owned(), from, line: 1, comments: Vec::new() })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The line that is read now, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Whether a comment begins with this text.
    pub(super) fn has_comment(&self, text: &str) -> bool {
        self.comments.iter().any(|comment| comment.starts_with(text))
    }

    /// The next token.
    pub(super) fn token(&mut self) -> Result<Token, BadSource> {
        loop {
            let Some(byte) = self.next()? else { return Ok(Token::End) };
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => {}
                b'#' => self.skip_line()?,
                b'-' if self.peek()? == Some(b'-') => self.skip_line()?,
                b'/' if self.peek()? == Some(b'*') => self.skip_comment()?,
                b'`' => {
                    return self.quoted(b'`').map(|name| {
                        let name = String::from_utf8_lossy(&name).into_owned();
                        Token::Name(name)
                    });
                }
                b'\'' | b'"' => return self.quoted(byte).map(Token::Text),
                _ if is_of_word(byte) || byte == b'-' => return self.word(byte),
                sign => return Ok(Token::Sign(sign)),
            }
        }
    }

    fn word(&mut self, first: u8) -> Result<Token, BadSource> {
        let mut word = vec![first];
        while let Some(byte) = self.peek()?.filter(|&byte| is_of_word(byte)) {
            self.next()?;
            if word.len() < ROW_BYTES_MAX {
                word.push(byte);
            }
        }
        if let Some(bytes) = word.strip_prefix(b"0x").and_then(unhex) {
            return Ok(Token::Text(bytes));
        }
        word.truncate(WORD_BYTES_MAX);
        Ok(Token::Word(String::from_utf8_lossy(&word).into_owned()))
    }

    /// The rest of a text in these marks. A doubled mark stands for one.
    fn quoted(&mut self, mark: u8) -> Result<Vec<u8>, BadSource> {
        let mut text = Vec::new();
        loop {
            let byte = match self.next()? {
                Some(byte) if byte == mark => match self.peek()? {
                    Some(next) if next == mark => {
                        self.next()?;
                        mark
                    }
                    _ => return Ok(text),
                },
                Some(b'\\') if mark != b'`' => match self.within()? {
                    b'0' => 0,
                    b'b' => 8,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'Z' => 26,
                    other => other,
                },
                Some(byte) => byte,
                None => return Err(self.unclosed()),
            };
            // One more than a row may have shows that it is too long.
            if text.len() <= ROW_BYTES_MAX {
                text.push(byte);
            }
        }
    }

    fn skip_line(&mut self) -> Result<(), BadSource> {
        let mut comment = Vec::new();
        while let Some(byte) = self.next()? {
            if byte == b'\n' {
                break;
            }
            if comment.len() < COMMENT_BYTES_MAX {
                comment.push(byte);
            }
        }
        let text = String::from_utf8_lossy(&comment);
        if self.comments.len() == COMMENTS_MAX {
            // The first one tells the kind of dump, the last ones whether it is complete.
            self.comments.remove(1);
        }
        self.comments.push(text.trim_start_matches(['-', ' ']).to_owned());
        Ok(())
    }

    fn skip_comment(&mut self) -> Result<(), BadSource> {
        self.next()?;
        let mut last = 0;
        loop {
            match self.within()? {
                b'/' if last == b'*' => return Ok(()),
                byte => last = byte,
            }
        }
    }

    fn within(&mut self) -> Result<u8, BadSource> {
        self.next()?.ok_or_else(|| self.unclosed())
    }

    fn unclosed(&self) -> BadSource {
        BadSource(format!(
            "{}, line {}: the text ends within quotation marks: it is cut off, make it again; \
             nothing was imported",
            self.name, self.line
        ))
    }

    fn peek(&mut self) -> Result<Option<u8>, BadSource> {
        match self.from.fill_buf() {
            Ok(buffer) => Ok(buffer.first().copied()),
            Err(error) => {
                Err(BadSource(format!("cannot read {}, line {}: {error}", self.name, self.line)))
            }
        }
    }

    fn next(&mut self) -> Result<Option<u8>, BadSource> {
        let byte = self.peek()?;
        if let Some(byte) = byte {
            self.from.consume(1);
            self.line += u64::from(byte == b'\n');
        }
        Ok(byte)
    }
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'+' | b'@' | b'$') || byte > 127
}

fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = digits.chunks_exact(2);
    if digits.is_empty() || !pairs.remainder().is_empty() {
        return None;
    }
    pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}
