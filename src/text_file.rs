//! Small text files that a setting names: tokens, keys, the login page. They may have been written
//! on Windows.

use std::io;
use std::path::Path;

/// The byte order mark that some programs write before UTF-8.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads a UTF-8 file, without its byte order mark.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    text(std::fs::read(path)?)
}

/// Decodes UTF-8. The error says what the bytes are instead.
pub(crate) fn text(bytes: Vec<u8>) -> io::Result<String> {
    let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what);
    if is_utf_16(&bytes) {
        return Err(bad("expected UTF-8, found UTF-16: convert it with iconv -f UTF-16 -t UTF-8"));
    }
    let mut text =
        String::from_utf8(bytes).map_err(|_| bad("expected UTF-8, found bytes that are not"))?;
    if text.as_bytes().starts_with(BYTE_ORDER_MARK) {
        text.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(text)
}

/// Whether the bytes look like UTF-16: a byte order mark, or ASCII text with a NUL in every other
/// byte.
pub(crate) fn is_utf_16(bytes: &[u8]) -> bool {
    let is_nul = |at: usize| bytes.get(at) == Some(&0);
    let pairs = bytes.len().min(8) / 2;
    let every = |odd: usize| {
        pairs > 0 && (0..pairs).all(|pair| is_nul(2 * pair + odd) && !is_nul(2 * pair + 1 - odd))
    };
    bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") || every(0) || every(1)
}

/// Whether a value is in quotes. A shell removes them; a file of variables that no shell reads
/// keeps them.
pub(crate) fn is_quoted(text: &str) -> bool {
    let ends = text.chars().next().zip(text.chars().next_back());
    text.chars().nth(1).is_some()
        && ends.is_some_and(|(first, last)| first == last && ['"', '\''].contains(&first))
}

/// Whether a character is invisible and so easily overlooked, as a byte order mark or a zero-width
/// space.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
        | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_text_and_utf_16_is_named() {
        let said = |bytes: &[u8]| text(bytes.to_vec()).map_err(|error| error.to_string());
        assert_eq!(said(b"\xef\xbb\xbfa\r\n"), Ok("a\r\n".into()));
        assert_eq!(said(b""), Ok(String::new()));
        let utf_16 = "expected UTF-8, found UTF-16: convert it with iconv -f UTF-16 -t UTF-8";
        for bytes in [&b"\xff\xfea\0\n\0"[..], b"\xfe\xff\0a", b"a\0b\0c\0d\0e\0", b"\0a\0b\0c\0d"]
        {
            assert_eq!(said(bytes), Err(utf_16.into()), "{bytes:?}");
        }
        assert_eq!(said(b"jos\xe9"), Err("expected UTF-8, found bytes that are not".into()));
        assert_eq!(said(b"ab\0\0"), Ok("ab\0\0".into()));
    }

    #[test]
    fn quotes_are_around_a_value_only_where_both_are_there() {
        for (text, quoted) in [
            ("\"a\"", true),
            ("'a'", true),
            ("\"\"", true),
            ("\"", false),
            ("\"a'", false),
            ("a", false),
            ("", false),
        ] {
            assert_eq!(is_quoted(text), quoted, "{text}");
        }
    }
}
