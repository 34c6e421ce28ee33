//! Parses a `multipart/form-data` body, which PHP's curl sends for an array.
//!
//! The body was read to its end before. NATS is PHP and its receivers are PHP, so this accepts what
//! PHP accepts: lines may end in LF alone, a boundary may be any text, the length and encoding of a
//! part are ignored. If PHP would accept half a value as a whole one, the body is refused.

mod disposition;

use disposition::{Disposition, is_space, trim_start};

/// The type of a body that [`parts`] reads.
pub const FORM_DATA: &str = "multipart/form-data";

/// Name and value of a field, as received.
pub type Part = (Vec<u8>, Vec<u8>);

/// The body does not match its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMultipart {
    /// The type is another one, or has no boundary.
    #[error("expected multipart/form-data with a boundary")]
    Type,
    /// The boundary is missing, or a part has no end.
    #[error("expected a complete multipart/form-data body")]
    Body,
}

/// The fields of the body in their order, with name and value byte for byte. Files and parts
/// without a name are left out.
///
/// # Errors
///
/// A type without a boundary, a body without that boundary, a part without an end.
pub fn parts(content_type: &[u8], body: &[u8]) -> Result<Vec<Part>, BadMultipart> {
    if !essence(content_type).eq_ignore_ascii_case(FORM_DATA.as_bytes()) {
        return Err(BadMultipart::Type);
    }
    let mut body = Rest {
        rest: body,
        delimiter: [b"--", boundary(content_type).ok_or(BadMultipart::Type)?].concat(),
    };
    let mut parts = Vec::new();
    let mut has_delimiter = false;
    while let Some(line) = body.next_delimiter() {
        has_delimiter = true;
        // After the last part PHP searches for another one, and so does this parser.
        if line == Delimiter::Close || body.rest.is_empty() {
            continue;
        }
        let disposition = body.disposition()?;
        let value = body.value()?;
        if let Some(Disposition { name: Some(name), filename: None }) =
            disposition.as_deref().map(Disposition::read)
        {
            parts.push((name, value.to_vec()));
        }
    }
    if has_delimiter { Ok(parts) } else { Err(BadMultipart::Body) }
}

/// The type of a body without its parameters. As in PHP, a comma or a blank ends it too.
pub fn essence(content_type: &[u8]) -> &[u8] {
    let content_type = content_type.trim_ascii();
    let end = content_type
        .iter()
        .position(|b| matches!(b, b';' | b',' | b' ' | b'\t'))
        .unwrap_or(content_type.len());
    &content_type[..end]
}

/// The text after the first `boundary` and the `=` after it: in quotation marks, or else up to a
/// comma or semicolon. Blanks belong to it, and so do the characters that a strict reader allows
/// only in quotation marks.
fn boundary(content_type: &[u8]) -> Option<&[u8]> {
    const NAME: &[u8] = b"boundary";
    // In lower case, or else in any case.
    let exact = find(content_type, NAME);
    let name = exact.or_else(|| {
        content_type.windows(NAME.len()).position(|text| text.eq_ignore_ascii_case(NAME))
    })?;
    let equals = name + content_type[name..].iter().position(|&b| b == b'=')?;
    let value = &content_type[equals + 1..];
    match value.strip_prefix(b"\"") {
        Some(quoted) => Some(&quoted[..quoted.iter().position(|&b| b == b'"')?]),
        None => Some(
            &value[..value.iter().position(|b| matches!(b, b',' | b';')).unwrap_or(value.len())],
        ),
    }
}

/// The rest of the body while it is parsed.
struct Rest<'a> {
    rest: &'a [u8],
    /// `--` and the boundary.
    delimiter: Vec<u8>,
}

/// A line that begins with the delimiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delimiter {
    /// A part follows.
    Part,
    /// The end: `--` follows.
    Close,
}

impl<'a> Rest<'a> {
    /// The next line without its line break. The last one may have none.
    fn line(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let end = self.rest.iter().position(|&b| b == b'\n');
        let (line, rest) = match end {
            Some(end) => (&self.rest[..end], &self.rest[end + 1..]),
            None => (self.rest, &[][..]),
        };
        self.rest = rest;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // PHP keeps a line as a C string, which ends at a NUL.
        Some(&line[..line.iter().position(|&b| b == 0).unwrap_or(line.len())])
    }

    /// Skips to the line after the next delimiter.
    fn next_delimiter(&mut self) -> Option<Delimiter> {
        loop {
            let line = self.line()?;
            if let Some(delimiter) = self.as_delimiter(line) {
                return Some(delimiter);
            }
        }
    }

    /// Blanks after a delimiter are the padding that RFC 2046 allows.
    fn as_delimiter(&self, line: &[u8]) -> Option<Delimiter> {
        let behind = line.strip_prefix(&*self.delimiter)?;
        match behind {
            [b'-', b'-', ..] => Some(Delimiter::Close),
            _ if behind.iter().all(|b| matches!(b, b' ' | b'\t')) => Some(Delimiter::Part),
            _ => None,
        }
    }

    /// Reads the head of a part: its first Content-Disposition. A line without a colon, or one that
    /// begins with a blank, continues the header before it.
    fn disposition(&mut self) -> Result<Option<Vec<u8>>, BadMultipart> {
        let mut headers: Vec<(&[u8], Vec<u8>)> = Vec::new();
        loop {
            if !self.rest.contains(&b'\n') {
                return Err(BadMultipart::Body);
            }
            let line = self.line().ok_or(BadMultipart::Body)?;
            let Some(&first) = line.first() else { break };
            let colon = line.iter().position(|&b| b == b':').filter(|_| !is_space(first));
            match (colon, headers.last_mut()) {
                (Some(colon), _) => {
                    headers.push((&line[..colon], trim_start(&line[colon + 1..]).to_vec()))
                }
                (None, Some((_, value))) => value.extend_from_slice(line),
                (None, None) => {}
            }
        }
        let disposition =
            headers.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(b"content-disposition"));
        Ok(disposition.map(|(_, value)| value))
    }

    /// Reads the value of a part up to the delimiter. A line that only begins like the delimiter is
    /// an error, because the value before it may be half a password.
    fn value(&mut self) -> Result<&'a [u8], BadMultipart> {
        let end = find(self.rest, &[b"\n", &*self.delimiter].concat()).ok_or(BadMultipart::Body)?;
        let value = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        let mut ahead = Rest { rest: self.rest, delimiter: Vec::new() };
        if ahead.line().and_then(|line| self.as_delimiter(line)).is_none() {
            return Err(BadMultipart::Body);
        }
        Ok(value.strip_suffix(b"\r").unwrap_or(value))
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=B";

    fn read(content_type: &str, body: impl AsRef<[u8]>) -> Result<Vec<Part>, BadMultipart> {
        parts(content_type.as_bytes(), body.as_ref())
    }

    fn pair(name: &[u8], value: &[u8]) -> Part {
        (name.to_vec(), value.to_vec())
    }

    /// Two fields with this boundary.
    fn two_fields(boundary: &str) -> String {
        let part = |name: &str, value: &str| {
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name={name}\r\n\r\n{value}\r\n"
            )
        };
        format!("{}{}--{boundary}--\r\n", part("a", "1"), part("b", "2"))
    }

    #[test]
    fn what_curl_sends_is_read() {
        let boundary = "------------------------d74496d66958873e";
        let part = |head: &str, value: &str| {
            format!("--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n")
        };
        let body = [
            part("name=\"action\"", "ADD"),
            part("name=\"username\"", "a+b%41 é"),
            part("name=\"password\"", "p&q=\r\n--\r\n\r\"r;"),
            part("name=\"email\"", ""),
            part("name=\"f\"; filename=\"a.txt\"\r\nContent-Type: text/plain", "file"),
            part("name=\"trial\"\r\nContent-Length: 1", "0"),
            format!("--{boundary}--\r\n"),
        ]
        .concat();
        let expected = [
            pair(b"action", b"ADD"),
            pair(b"username", "a+b%41 é".as_bytes()),
            pair(b"password", b"p&q=\r\n--\r\n\r\"r;"),
            pair(b"email", b""),
            pair(b"trial", b"0"),
        ];
        for content_type in
            ["multipart/form-data; boundary=", "Multipart/Form-Data;charset=utf-8; Boundary="]
        {
            assert_eq!(
                read(&format!("{content_type}{boundary}"), &body).unwrap(),
                expected,
                "{content_type}"
            );
        }
    }

    /// Regression: a boundary without quotation marks was refused where it had one of the
    /// characters that need them.
    #[test]
    fn a_boundary_is_any_text() {
        let (long, longest) = ("x".repeat(71), "x".repeat(1_000));
        let table = [
            ("; boundary=a=b", "a=b"),
            ("; boundary=a:b/c", "a:b/c"),
            ("; boundary=(a)@<b>[c]?", "(a)@<b>[c]?"),
            ("; boundary=a b", "a b"),
            ("; boundary= B", " B"),
            ("; boundary=B\"", "B\""),
            ("; boundary='B'", "'B'"),
            ("; boundary=\"a b;c,d\"", "a b;c,d"),
            ("; boundary=\"B\"x", "B"),
            ("; boundary=\"a\\\"b\"", "a\\"),
            ("; boundary=B; charset=utf-8", "B"),
            ("; boundary=B ; charset=utf-8", "B "),
            ("; boundary=B, multipart/form-data", "B"),
            ("; boundary=B;", "B"),
            ("; boundary =B", "B"),
            ("; charset=utf-8; boundary=B", "B"),
            (";;boundary=B", "B"),
            (" boundary=B", "B"),
            (",boundary=B", "B"),
            ("; xboundary=B", "B"),
            ("; boundary=A; boundary=B", "A"),
            ("; BOUNDARY=A; boundary=B", "B"),
            ("; BoundarY=Ab", "Ab"),
            ("; boundary=", ""),
            ("; boundary=\"\"", ""),
            (&format!("; boundary={long}"), &long),
            (&format!("; boundary={longest}"), &longest),
        ];
        for (parameters, boundary) in table {
            let found = read(&format!("multipart/form-data{parameters}"), two_fields(boundary));
            assert_eq!(found, Ok(vec![pair(b"a", b"1"), pair(b"b", b"2")]), "{parameters}");
        }
    }

    #[test]
    fn a_name_is_bytes_in_quotation_marks() {
        let table: &[(&[u8], Option<&[u8]>)] = &[
            (b"form-data; name=\"a\"", Some(b"a")),
            (b"form-data; name=a", Some(b"a")),
            (b"form-data; name='a'", Some(b"a")),
            (b"form-data; name='a\\'b\"c'", Some(b"a'b\"c")),
            (b"FORM-DATA;NAME= \"a\" ; x=y", Some(b"a")),
            (b"form-data; name=a b", Some(b"a")),
            (b"form-data; name=a; name=b", Some(b"b")),
            (b"form-data;; name==a;;", Some(b"a")),
            (b"attachment; name=a", Some(b"a")),
            (b"name=a", Some(b"a")),
            (b"form-data; name=\"\"", Some(b"")),
            (b"form-data; name=\"a;b=c\"", Some(b"a;b=c")),
            (b"form-data; name=\"a\\\"b\\\\c\\d\"", Some(b"a\"b\\c\\d")),
            (b"form-data; name=\"a%22b\"", Some(b"a%22b")),
            (b"form-data; name=\"\xe9\"", Some(b"\xe9")),
            (b"form-data; name=\"a[b]\"", Some(b"a[b]")),
            (b"form-data; name=\"a", Some(b"a")),
            (b"form-data; name=\"a\"; filename", Some(b"a")),
            (b"form-data; name=\"a\"; filename*=utf-8''f", Some(b"a")),
            (b"form-data", None),
            (b"form-data; x=\"name=a\"", None),
            (b"form-data; name", None),
            (b"form-data; name =a", None),
            (b"form-data; name*=utf-8''a", None),
            (b"form-data; \"name\"=a", None),
            (b"form-data; name=\"a\"; filename=\"\"", None),
            (b"form-data; filename=f; name=\"a\"", None),
            (b"form-data; FileName=f; name=\"a\"", None),
        ];
        for (disposition, name) in table {
            let head: &[u8] = b"--B\r\nContent-Disposition: ";
            let body = [
                head,
                disposition,
                b"\r\n\r\n\xe9\r\n--B\r\nContent-Disposition: form-data; name=z\r\n\r\n1\r\n--B--",
            ]
            .concat();
            let expected: Vec<_> =
                name.iter().map(|name| pair(name, b"\xe9")).chain([pair(b"z", b"1")]).collect();
            assert_eq!(read(TYPE, body), Ok(expected), "{}", disposition.escape_ascii());
        }
    }

    #[test]
    fn a_head_is_read_as_loosely_as_php_reads_it() {
        let table = [
            ("Content-Disposition: form-data; name=a\r\nX: y", Some("a"), "another header"),
            (
                "Content-Type: text/plain; charset=utf-16\r\ncontent-disposition:form-data;name=a",
                Some("a"),
                "another one before it",
            ),
            ("Content-Disposition: form-data;\r\n\tname=a", Some("a"), "a folded header"),
            ("Content-Disposition: form-data;\r\nname=a", Some("a"), "a line without a colon"),
            (
                "X: y\r\n Content-Disposition: form-data; name=a",
                None,
                "a header that is folded into another",
            ),
            (
                "Content-Disposition: x; name=a\r\nContent-Disposition: y; name=b",
                Some("a"),
                "the first of two",
            ),
            ("Content-Disposition : form-data; name=a", None, "a blank before the colon"),
            ("Content-Disposition: form-data; name=a\0b\r\nX", Some("aX"), "a NUL ends the line"),
            ("\u{1}: x\r\nContent-Disposition: form-data; name=a", Some("a"), "control characters"),
            ("X: y", None, "no disposition"),
        ];
        for (head, name, why) in table {
            for end in ["\r\n", "\n"] {
                let body = format!("--B\r\n{head}\r\n\r\n1\r\n--B--\r\n").replace("\r\n", end);
                let expected: Vec<_> =
                    name.iter().map(|name| pair(name.as_bytes(), b"1")).collect();
                assert_eq!(read(TYPE, &body), Ok(expected), "{why}: {body:?}");
            }
        }
    }

    #[test]
    fn text_may_stand_around_the_parts_and_blanks_behind_a_delimiter() {
        let body = two_fields("B");
        for (text, why) in [
            (format!("preamble\r\n\r\n{body}epilogue"), "text"),
            (format!("\r\n--Bonn\r\n{body}--Bonn\r\n"), "text that begins as the delimiter does"),
            (body.replace("--B\r\n", "--B \t\r\n"), "padding"),
            (body.replace("\r\n", "\n"), "LF alone"),
            (format!("--B--\r\n{body}"), "an end before the parts"),
            (body.replace("--B--\r\n", "--B--"), "no line break at the end"),
            (body.replace("--B--\r\n", "--B"), "no end but a delimiter"),
            (body.replace("--B--\r\n", "--B\r\n"), "the same with its line break"),
        ] {
            assert_eq!(
                read(TYPE, &text),
                Ok(vec![pair(b"a", b"1"), pair(b"b", b"2")]),
                "{why}: {text:?}"
            );
        }
    }

    #[test]
    fn line_breaks_of_a_value_are_its_own_but_for_the_last() {
        for value in ["", "\r", "\n", "\r\n", "\n\n", "x\r\n", "--\r\n-", "\r\n-B", "\0"] {
            for end in ["\r\n--B--", "\n--B--"] {
                let value =
                    if end.starts_with('\n') { value.trim_end_matches('\r') } else { value };
                let body =
                    format!("--B\r\nContent-Disposition: form-data; name=a\r\n\r\n{value}{end}");
                assert_eq!(read(TYPE, &body), Ok(vec![pair(b"a", value.as_bytes())]), "{body:?}");
            }
        }
    }

    /// Regression: a part's own length was believed, so that a wrong one cut the value or lost the
    /// whole postback.
    #[test]
    fn a_length_that_a_part_states_is_nothing_whatever_it_says() {
        let value = "secret\r\nContent-Length: 2\r\n\r\n --B\r\ncontent-length: 2";
        for length in [
            "Content-Length: 3",
            "content-length:0",
            "CONTENT-LENGTH: 9999",
            "Content-Length: x",
            "Content-Length: -1",
        ] {
            for lines in ["{d}\r\n{l}", "{l}\r\n{d}", "{l}\r\n{l}\r\n{d}", "X: y\n{l}\n{d}"] {
                let head = |name: &str| {
                    lines
                        .replace("{d}", &format!("Content-Disposition: form-data; name={name}"))
                        .replace("{l}", length)
                };
                for preamble in ["", "content-length: 1\r\n", "\n"] {
                    let body = format!(
                        "{preamble}--B\r\n{}\r\n\r\n{value}\r\n--B\r\n{}\r\n\r\n2\r\n--B--\r\n",
                        head("a"),
                        head("b")
                    );
                    let expected = [pair(b"a", value.as_bytes()), pair(b"b", b"2")];
                    assert_eq!(read(TYPE, &body).as_deref(), Ok(&expected[..]), "{body}");
                }
            }
        }
    }

    /// Cut anywhere, a body is refused, unless what it lost is the end alone, or whole parts with
    /// all that announces them.
    #[test]
    fn a_value_that_nothing_ends_is_never_taken() {
        let first = "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--B";
        let whole = format!("{first}\r\nContent-Disposition: form-data; name=b\r\n\r\n2\r\n--B--");
        assert_eq!(read(TYPE, "--B--\r\n"), Ok(vec![]), "no part");
        for length in 0..whole.len() {
            let cut = &whole[..length];
            let expected = match cut.len() - cut.rfind("--B").unwrap_or(0) {
                // Behind a delimiter there is only a part of its line break: the parts before it
                // are whole.
                3..=5 if cut.ends_with(['B', '\r', '\n']) => Ok(cut.matches("\n--B").count()),
                _ => Err(BadMultipart::Body),
            };
            assert_eq!(read(TYPE, cut).map(|parts| parts.len()), expected, "{cut:?}");
        }
    }

    #[test]
    fn a_value_with_a_line_that_begins_as_the_delimiter_does_is_refused() {
        for line in ["--Bonn", "--B-", "--B x", "--B\r"] {
            let body = format!(
                "--B\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n{line}\r\n2\r\n--B--"
            );
            assert_eq!(read(TYPE, &body), Err(BadMultipart::Body), "{body:?}");
        }
    }

    #[test]
    fn another_boundary_is_refused() {
        for body in [
            "--C\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--C--",
            "a=1&b=2",
            "",
            "pre--B--",
        ] {
            assert_eq!(read(TYPE, body), Err(BadMultipart::Body), "{body:?}");
        }
    }

    #[test]
    fn a_type_without_a_boundary_or_another_type_is_refused() {
        for content_type in [
            "multipart/form-data",
            "multipart/form-data; charset=utf-8",
            "multipart/form-data; boundary",
            "multipart/form-data; boundary=\"B",
            "multipart/mixed; boundary=B",
            "multipart/form-datas; boundary=B",
            "text/plain; boundary=B",
            "",
        ] {
            assert_eq!(read(content_type, "--B--"), Err(BadMultipart::Type), "{content_type}");
        }
    }

    #[test]
    fn a_body_of_the_largest_size_is_read() {
        let head = "--B\r\nContent-Disposition: form-data; name=a\r\n\r\n";
        let end = "\r\n--B--\r\n";
        for size in [65_535, 65_536, 70_000] {
            // Beginnings of boundaries all over, the worst for the reader.
            let value = "\r\n--".repeat(size)[..size - head.len() - end.len()].to_owned();
            let found = read(TYPE, format!("{head}{value}{end}")).unwrap();
            assert_eq!(found, [pair(b"a", value.as_bytes())]);
        }
    }
}
