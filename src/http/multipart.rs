//! A `multipart/form-data` body, which is what PHP's curl posts when it is given an array.
//!
//! The body was read whole before, under the bound that every body has; here it only gets taken apart.

use actix_multipart::Multipart;
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, ContentType, HeaderMap, HeaderValue};
use actix_web::web::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};

/// The type of a body that [`parts`] reads.
pub const FORM_DATA: &str = "multipart/form-data";

/// The body is not what its type says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMultipart {
    /// The type is another one, or names no boundary.
    #[error("expected multipart/form-data with a boundary")]
    Type,
    /// No boundary in it, a broken part, or no end.
    #[error("expected a complete multipart/form-data body")]
    Body,
}

/// The fields of the body in their order: name and value as they came, byte for byte. Files, and parts without a name, are
/// left out.
///
/// # Errors
///
/// A type without a boundary, a body without that boundary, a part without an end.
pub async fn parts(headers: &HeaderMap, body: Bytes) -> Result<Vec<(Vec<u8>, Vec<u8>)>, BadMultipart> {
    let bytes_max = body.len();
    let headers = as_mixed(headers)?;
    let whole = stream::iter([Ok::<_, PayloadError>(without_lengths(&headers, body)?)]);
    let mut multipart = Multipart::new(&headers, whole);
    let mut parts = Vec::new();
    while let Some(part) = multipart.next().await {
        let mut part = part.map_err(|_| BadMultipart::Body)?;
        let name = part.headers().get(CONTENT_DISPOSITION).and_then(|value| field_name(value.as_bytes()));
        // The part of a file is read too: the next one begins after it.
        let value = part.bytes(bytes_max).await.map_err(|_| BadMultipart::Body)?.map_err(|_| BadMultipart::Body)?;
        parts.extend(name.map(|name| (name, value.to_vec())));
    }
    Ok(parts)
}

/// The same type under the name `multipart/mixed`: of a form, the reader demands that all names be UTF-8, and throws the whole body
/// away for one that is not.
fn as_mixed(headers: &HeaderMap) -> Result<HeaderMap, BadMultipart> {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).ok_or(BadMultipart::Type)?;
    let (kind, parameters) = given.split_once(';').ok_or(BadMultipart::Type)?;
    if !kind.trim().eq_ignore_ascii_case(FORM_DATA) || !parameters.to_ascii_lowercase().contains("boundary=") {
        return Err(BadMultipart::Type);
    }
    let mixed = HeaderValue::try_from(format!("multipart/mixed;{parameters}")).map_err(|_| BadMultipart::Type)?;
    Ok(HeaderMap::from_iter([(CONTENT_TYPE, mixed)]))
}

/// The body with every Content-Length of a part under a name that means nothing. The reader would believe it and cut the value, or
/// throw the body away; PHP goes by the boundary alone.
fn without_lengths(headers: &HeaderMap, body: Bytes) -> Result<Bytes, BadMultipart> {
    const LENGTH: &[u8] = b"content-length";
    let is_length = |text: &[u8]| text.get(..LENGTH.len()).is_some_and(|name| name.eq_ignore_ascii_case(LENGTH));
    if !body.windows(LENGTH.len()).any(is_length) {
        return Ok(body);
    }
    let boundary = boundary(headers).ok_or(BadMultipart::Type)?;
    let (first, next) = (format!("\n--{boundary}\r\n"), format!("\r\n--{boundary}\r\n"));
    let mut clean = BytesMut::from(&body[..]);
    // Heads alone, found as the reader finds them: in a value such a line is the sender's text.
    let mut head = match body.strip_prefix(&first.as_bytes()[1..]) {
        Some(rest) => Some(body.len() - rest.len()),
        None => after(&body, 0, first.as_bytes()),
    };
    while let Some(begin) = head {
        let Some(end) = after(&body, begin, b"\r\n\r\n") else { break };
        for at in (begin..end).filter(|&at| body[at - 1] == b'\n' && is_length(&body[at..end])) {
            clean[at] = b'x';
        }
        head = after(&body, end, next.as_bytes());
    }
    Ok(clean.freeze())
}

/// As the reader finds it.
fn boundary(headers: &HeaderMap) -> Option<String> {
    let mut content_type = ContentType::plaintext();
    content_type.0 = headers.get(CONTENT_TYPE)?.to_str().ok()?.parse().ok()?;
    content_type.get_param("boundary").map(|boundary| boundary.as_str().to_owned())
}

/// Where the next such text from `from` on ends.
fn after(body: &[u8], from: usize, text: &[u8]) -> Option<usize> {
    body[from..].windows(text.len()).position(|window| window == text).map(|at| from + at + text.len())
}

/// The name in `form-data; name="…"`. None if there is none, or a file name beside it.
fn field_name(disposition: &[u8]) -> Option<Vec<u8>> {
    let mut name = None;
    let mut rest = disposition;
    while let Some(parameter) = next_parameter(&mut rest) {
        let Some(equals) = parameter.iter().position(|&b| b == b'=') else {
            continue;
        };
        let key = parameter[..equals].trim_ascii();
        if key.eq_ignore_ascii_case(b"filename") {
            return None;
        }
        if key.eq_ignore_ascii_case(b"name") {
            name = Some(unquoted(parameter[equals + 1..].trim_ascii()));
        }
    }
    name
}

/// Cuts off what stands before the next `;` outside quotation marks.
fn next_parameter<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    if rest.is_empty() {
        return None;
    }
    let (mut quoted, mut escaped) = (false, false);
    let ends = |&b: &u8| {
        quoted ^= b == b'"' && !escaped;
        escaped = quoted && b == b'\\' && !escaped;
        b == b';' && !quoted
    };
    let end = rest.iter().position(ends).unwrap_or(rest.len());
    let parameter = &rest[..end];
    *rest = rest.get(end + 1..).unwrap_or_default();
    Some(parameter)
}

/// The text without its quotation marks. As in PHP a backslash counts only before `"` and `\`: curl writes no others.
fn unquoted(value: &[u8]) -> Vec<u8> {
    let Some(inner) = value.strip_prefix(b"\"") else {
        return value.to_vec();
    };
    let mut text = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => break,
            b'\\' => text.push(bytes.next_if(|b| matches!(b, b'"' | b'\\')).unwrap_or(byte)),
            _ => text.push(byte),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(content_type: &str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap())])
    }

    async fn read(content_type: &str, body: impl Into<Vec<u8>>) -> Result<Vec<(Vec<u8>, Vec<u8>)>, BadMultipart> {
        parts(&headers(content_type), Bytes::from(body.into())).await
    }

    const TYPE: &str = "multipart/form-data; boundary=B";

    fn pair(name: &[u8], value: &[u8]) -> (Vec<u8>, Vec<u8>) {
        (name.to_vec(), value.to_vec())
    }

    #[actix_web::test]
    async fn what_curl_sends_is_read() {
        let boundary = "------------------------d74496d66958873e";
        let part = |head: &str, value: &str| format!("--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n");
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
        for content_type in ["multipart/form-data; boundary=", "Multipart/Form-Data;charset=utf-8; Boundary="] {
            assert_eq!(read(&format!("{content_type}{boundary}"), body.clone()).await.unwrap(), expected, "{content_type}");
        }
    }

    #[actix_web::test]
    async fn a_boundary_may_be_quoted_and_text_may_stand_around_the_parts() {
        let body = "preamble\r\n\r\n--a b:c\r\ncontent-disposition: form-data; name=a\r\n\r\n1\r\n--a b:c--\r\nepilogue";
        assert_eq!(read("multipart/form-data; boundary=\"a b:c\"", body).await, Ok(vec![pair(b"a", b"1")]));
    }

    #[actix_web::test]
    async fn a_name_is_bytes_in_quotation_marks() {
        let table: &[(&[u8], Option<&[u8]>)] = &[
            (b"form-data; name=\"a\"", Some(b"a")),
            (b"form-data; name=a", Some(b"a")),
            (b"FORM-DATA;NAME = \"a\" ; x=y", Some(b"a")),
            (b"form-data; name=\"\"", Some(b"")),
            (b"form-data; name=\"a;b=c\"", Some(b"a;b=c")),
            (b"form-data; name=\"a\\\"b\\\\c\\d\"", Some(b"a\"b\\c\\d")),
            (b"form-data; name=\"a%22b\"", Some(b"a%22b")),
            (b"form-data; name=\"\xe9\"", Some(b"\xe9")),
            (b"form-data; name=\"a[b]\"", Some(b"a[b]")),
            (b"form-data; name=\"a", Some(b"a")),
            (b"form-data", None),
            (b"form-data; x=\"name=a\"", None),
            (b"form-data; name", None),
            (b"form-data; name=\"a\"; filename=\"\"", None),
            (b"form-data; filename=f; name=\"a\"", None),
        ];
        for (disposition, name) in table {
            let head: &[u8] = b"--B\r\nContent-Disposition: ";
            let body =
                [head, disposition, b"\r\n\r\n\xe9\r\n--B\r\nContent-Disposition: form-data; name=z\r\n\r\n1\r\n--B--"].concat();
            let expected: Vec<_> = name.iter().map(|name| pair(name, b"\xe9")).chain([pair(b"z", b"1")]).collect();
            assert_eq!(read(TYPE, body).await, Ok(expected), "{}", disposition.escape_ascii());
        }
    }

    /// Regression: a part's own length was believed, so that a wrong one cut the value or lost the whole postback.
    #[actix_web::test]
    async fn a_length_that_a_part_states_is_nothing_whatever_it_says() {
        let value = "secret\r\nContent-Length: 2\r\n\r\n --B\r\ncontent-length: 2";
        for length in ["Content-Length: 3", "content-length:0", "CONTENT-LENGTH: 9999", "Content-Length: x", "Content-Length: -1"]
        {
            for lines in ["{d}\r\n{l}", "{l}\r\n{d}", "{l}\r\n{l}\r\n{d}", "X: y\n{l}\n{d}"] {
                let head = |name: &str| {
                    lines.replace("{d}", &format!("Content-Disposition: form-data; name={name}")).replace("{l}", length)
                };
                for preamble in ["", "content-length: 1\r\n", "\n"] {
                    let body =
                        format!("{preamble}--B\r\n{}\r\n\r\n{value}\r\n--B\r\n{}\r\n\r\n2\r\n--B--\r\n", head("a"), head("b"));
                    let expected = [pair(b"a", value.as_bytes()), pair(b"b", b"2")];
                    assert_eq!(read(TYPE, body.clone()).await.as_deref(), Ok(&expected[..]), "{body}");
                }
            }
        }
    }

    #[actix_web::test]
    async fn a_part_without_a_disposition_is_no_field() {
        assert_eq!(read(TYPE, "--B\r\nX: y\r\n\r\n1\r\n--B--").await, Ok(vec![]));
    }

    #[actix_web::test]
    async fn a_body_may_hold_no_part_but_has_to_end() {
        assert_eq!(read(TYPE, "--B--\r\n").await, Ok(vec![]));
        let whole = "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--B\r\nContent-Disposition: form-data; name=b\r\n\r\n2\r\n--B--";
        assert_eq!(read(TYPE, whole).await.map(|parts| parts.len()), Ok(2));
        for length in 0..whole.len() {
            assert_eq!(read(TYPE, &whole[..length]).await, Err(BadMultipart::Body), "{:?}", &whole[..length]);
        }
    }

    #[actix_web::test]
    async fn another_boundary_or_broken_headers_are_refused() {
        for body in
            ["--C\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--C--", "a=1&b=2", "--B\r\n\u{1}: x\r\n\r\n1\r\n--B--"]
        {
            assert_eq!(read(TYPE, body).await, Err(BadMultipart::Body), "{body:?}");
        }
    }

    #[actix_web::test]
    async fn a_type_without_a_boundary_or_another_type_is_refused() {
        for content_type in
            ["multipart/form-data", "multipart/form-data; charset=utf-8", "multipart/mixed; boundary=B", "text/plain; boundary=B"]
        {
            assert_eq!(read(content_type, "--B--").await, Err(BadMultipart::Type), "{content_type}");
        }
        for content_type in
            ["multipart/form-data; boundary=", "multipart/form-data; boundary=\"\"", "multipart/form-data; xboundary=B"]
        {
            assert!(read(content_type, "--B--").await.is_err(), "{content_type}");
        }
        assert_eq!(parts(&HeaderMap::new(), Bytes::new()).await, Err(BadMultipart::Type));
    }

    #[actix_web::test]
    async fn a_body_of_the_largest_size_is_read() {
        let head = "--B\r\nContent-Disposition: form-data; name=a\r\n\r\n";
        let end = "\r\n--B--\r\n";
        for size in [65_535, 65_536, 70_000] {
            // Beginnings of boundaries all over, the worst for the reader.
            let value = "\r\n--".repeat(size)[..size - head.len() - end.len()].to_owned();
            let found = read(TYPE, format!("{head}{value}{end}")).await.unwrap();
            assert_eq!(found, [pair(b"a", value.as_bytes())]);
        }
    }
}
