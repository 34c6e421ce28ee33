//! Recognises the layout in which a postback was pasted, and takes its fields from it.
//!
//! Errors show nothing of the text, which may contain passwords.

use crate::fields::{BODY_BYTES_MAX, Fields};
use crate::http::multipart;
use crate::replay::{BadRecord, JournalLine};

/// A postback as it was pasted.
pub struct Pasted {
    /// What it looks like.
    pub layout: Layout,
    /// Its content.
    pub content: Content,
}

/// The layout of a pasted text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `a=1&b=2`.
    Urlencoded,
    /// `?a=1&b=2`.
    QueryString,
    /// A URL with a query.
    Url,
    /// A request with its method or headers.
    Request,
    /// A body of `multipart/form-data`.
    Multipart,
    /// Lines of `name=value`.
    Lines,
    /// A line of `journal --json`.
    Record,
}

impl Layout {
    /// For the page.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Urlencoded => "a urlencoded body",
            Self::QueryString => "a query string",
            Self::Url => "a URL with its query string",
            Self::Request => "a whole request",
            Self::Multipart => "a body of multipart/form-data",
            Self::Lines => "lines with name=value, whose values are literal",
            Self::Record => "a record of `journal --json`",
        }
    }
}

/// The content of a pasted postback.
pub enum Content {
    /// A query string, and a body that overrides its fields.
    Form {
        /// Urlencoded.
        query: Vec<u8>,
        /// The body.
        body: Body,
    },
    /// A record, which has no secrets in clear.
    Record(Box<JournalLine>),
}

/// A body.
pub enum Body {
    /// Urlencoded.
    Urlencoded(Vec<u8>),
    /// Literal names and values.
    Literal(Vec<multipart::Part>),
}

/// Why a text is no postback.
#[derive(Debug, thiserror::Error)]
pub enum NotAPostback {
    /// Nothing was pasted.
    #[error("there is no text: paste a postback")]
    Empty,
    /// It is longer than any postback.
    #[error("the text has more than {BODY_BYTES_MAX} bytes, which no postback has")]
    TooLong,
    /// It has several postbacks.
    #[error("there are several postbacks: paste one of them")]
    Several,
    /// A URL without a query.
    #[error(
        "the URL has no query: paste the body of the request, or the URL with what \
                 follows the ?"
    )]
    NoQuery,
    /// A line that is no field.
    #[error("line {0} is no field: expected name=value")]
    NoField(usize),
    /// No `=` anywhere.
    #[error("there is no field: expected name=value, as in action=ADD&siteid=1")]
    NoFields,
    /// A multipart body that is not complete.
    #[error("{0}: paste the body as a whole, with its first and its last line")]
    Multipart(multipart::BadMultipart),
    /// A body of another type.
    #[error(
        "the request has a body that is no form: postbacks are urlencoded or \
                 multipart/form-data"
    )]
    OtherType,
    /// JSON that is no record.
    #[error(transparent)]
    Record(BadRecord),
}

impl Pasted {
    /// Reads a text in any layout.
    ///
    /// # Errors
    ///
    /// Why it is no postback.
    pub fn read(text: &str) -> Result<Self, NotAPostback> {
        if text.len() > BODY_BYTES_MAX {
            return Err(NotAPostback::TooLong);
        }
        let text = text.trim_start_matches('\u{feff}').trim_matches(['\r', '\n']);
        let first = text.lines().next().unwrap_or_default();
        if text.trim().is_empty() {
            Err(NotAPostback::Empty)
        } else if text.trim_start().starts_with('{') {
            let record = JournalLine::parse(text.trim(), 0).map_err(NotAPostback::Record)?;
            Ok(Self { layout: Layout::Record, content: Content::Record(Box::new(record)) })
        } else if request_target(first).is_some() || is_header(first) {
            of_request(text)
        } else if let Some(boundary) = first.strip_prefix("--") {
            let content_type = format!("multipart/form-data; boundary=\"{boundary}\"");
            let parts = multipart::parts(content_type.as_bytes(), text.as_bytes());
            Ok(Self::literal(Layout::Multipart, parts.map_err(NotAPostback::Multipart)?))
        } else if text.lines().filter(|line| !line.trim().is_empty()).count() > 1 {
            of_lines(text)
        } else {
            of_line(text.trim())
        }
    }

    /// Its fields; `None` for a record.
    pub fn fields(&self) -> Option<Fields<'_>> {
        let Content::Form { query, body } = &self.content else { return None };
        let query = Fields::from_urlencoded(query);
        Some(query.then(match body {
            Body::Urlencoded(body) => Fields::from_urlencoded(body),
            Body::Literal(parts) => Fields::from_parts(parts.clone()),
        }))
    }

    fn urlencoded(layout: Layout, text: &str) -> Self {
        let body = Body::Urlencoded(text.as_bytes().to_vec());
        Self { layout, content: Content::Form { query: Vec::new(), body } }
    }

    fn literal(layout: Layout, parts: Vec<multipart::Part>) -> Self {
        let body = Body::Literal(parts);
        Self { layout, content: Content::Form { query: Vec::new(), body } }
    }
}

/// The address in the first line of a request.
fn request_target(line: &str) -> Option<&str> {
    let mut words = line.split_ascii_whitespace();
    let is_method = matches!(words.next(), Some("GET" | "POST"));
    words.next().filter(|target| is_method && target.contains('/'))
}

/// Whether a line is a header of HTTP: a name, a colon and a space.
fn is_header(line: &str) -> bool {
    line.split_once(':').is_some_and(|(name, value)| {
        !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && value.starts_with(' ')
    })
}

/// The query of an address, without its fragment.
fn query(address: &str) -> Option<&str> {
    let (_, query) = address.split_once('?')?;
    Some(query.split('#').next().unwrap_or_default())
}

fn of_request(text: &str) -> Result<Pasted, NotAPostback> {
    let (mut target, mut content_type, mut body_at) = (None, "", text.len());
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        at += line.len();
        let line = line.trim_end_matches(['\r', '\n']);
        if line.is_empty() {
            body_at = at;
            break;
        }
        if let Some(found) = request_target(line) {
            target = Some(found);
        } else if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-type")
        {
            content_type = value.trim();
        }
    }
    let body = &text[body_at..];
    let is_multipart = multipart::essence(content_type.as_bytes())
        .eq_ignore_ascii_case(multipart::FORM_DATA.as_bytes());
    let is_form = matches!(
        multipart::essence(content_type.as_bytes()).to_ascii_lowercase().as_slice(),
        b"" | b"application/x-www-form-urlencoded"
    );
    let query = target.and_then(query).unwrap_or_default().as_bytes().to_vec();
    let body = if is_multipart {
        let parts = multipart::parts(content_type.as_bytes(), body.as_bytes());
        Body::Literal(parts.map_err(NotAPostback::Multipart)?)
    } else if is_form {
        Body::Urlencoded(body.trim_end_matches(['\r', '\n']).as_bytes().to_vec())
    } else {
        return Err(NotAPostback::OtherType);
    };
    let is_empty = matches!(&body, Body::Urlencoded(body) if body.is_empty());
    if query.is_empty() && is_empty {
        return Err(NotAPostback::NoFields);
    }
    Ok(Pasted { layout: Layout::Request, content: Content::Form { query, body } })
}

/// Several lines: each is a field, or each is a postback.
fn of_lines(text: &str) -> Result<Pasted, NotAPostback> {
    let lines = || text.lines().map(|line| line.trim_end_matches('\r'));
    let has_action = |line: &str| Fields::from_urlencoded(line.as_bytes()).has("action");
    let is_field = |line: &str| line.starts_with("action=") && !line.contains('&');
    if !lines().any(is_field) {
        let bodies = lines().filter(|line| line.contains('&') && has_action(line)).count();
        if bodies > 1 {
            return Err(NotAPostback::Several);
        }
    }
    let (mut parts, mut has_ended) = (Vec::new(), false);
    for (index, line) in lines().enumerate() {
        if line.trim().is_empty() {
            has_ended = !parts.is_empty();
            continue;
        }
        if has_ended {
            return Err(NotAPostback::Several);
        }
        let (name, value) = line.split_once('=').ok_or(NotAPostback::NoField(index + 1))?;
        parts.push((name.as_bytes().to_vec(), value.as_bytes().to_vec()));
    }
    Ok(Pasted::literal(Layout::Lines, parts))
}

fn of_line(text: &str) -> Result<Pasted, NotAPostback> {
    let is_url = text.starts_with("http://") || text.starts_with("https://");
    if is_url || text.starts_with('/') {
        let query = query(text).filter(|query| query.contains('=')).ok_or(NotAPostback::NoQuery)?;
        return Ok(Pasted::urlencoded(Layout::Url, query));
    }
    let (layout, form) = match text.strip_prefix('?') {
        Some(query) => (Layout::QueryString, query),
        None => (Layout::Urlencoded, text),
    };
    if form.contains('=') {
        Ok(Pasted::urlencoded(layout, form))
    } else {
        Err(NotAPostback::NoFields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The layout, and the fields as the journal would show them.
    fn read(text: &str) -> Result<(Layout, String), String> {
        let pasted = Pasted::read(text).map_err(|error| error.to_string())?;
        Ok((pasted.layout, pasted.fields().map(|fields| fields.journal_text()).unwrap_or_default()))
    }

    #[test]
    fn a_postback_is_read_in_any_layout() {
        let fields = "action=DELETE&siteid=1&memberid=71&username=b+c";
        let part = |name: &str, value: &str| {
            format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let multipart =
            [("action", "DELETE"), ("siteid", "1"), ("memberid", "71"), ("username", "b c")]
                .map(|(name, value)| part(name, value))
                .concat()
                + "--B--";
        let record = [
            r#"{"id":5,"at":1781524800,"source":"nats","action":"DELETE","siteid":1,"#,
            r#""memberid":71,"fields":"action=DELETE&siteid=1&memberid=71","reply":"OK|gone"}"#,
        ]
        .concat();
        for (text, layout) in [
            (fields.to_owned(), Layout::Urlencoded),
            (format!("\r\n{fields}\r\n"), Layout::Urlencoded),
            (format!("?{fields}"), Layout::QueryString),
            (format!("https://pay.example.com/postback/TOKEN?{fields}#x"), Layout::Url),
            (format!("/postback/TOKEN?{fields}"), Layout::Url),
            (
                format!(
                    "POST /postback/T?action=ADD&siteid=1 HTTP/1.1\r\nHost: a\r\n\r\n{fields}\r\n"
                ),
                Layout::Request,
            ),
            (
                format!("Content-Type: application/x-www-form-urlencoded\nHost: a\n\n{fields}"),
                Layout::Request,
            ),
            (
                format!("Content-Type: multipart/form-data; boundary=B\r\n\r\n{multipart}"),
                Layout::Request,
            ),
            (multipart, Layout::Multipart),
            ("action=DELETE\r\nsiteid=1\r\nmemberid=71\r\nusername=b c".into(), Layout::Lines),
        ] {
            let expected = match layout {
                Layout::Request if text.starts_with("POST") => {
                    format!("action=ADD&siteid=1&{fields}")
                }
                _ => fields.to_owned(),
            };
            assert_eq!(read(&text), Ok((layout, expected)), "{text}");
        }
        assert_eq!(read(&record), Ok((Layout::Record, String::new())));
    }

    #[test]
    fn literal_values_are_not_decoded() {
        assert_eq!(
            read("action=CHECK\nsiteid=1\nusername=a+b%41"),
            Ok((Layout::Lines, "action=CHECK&siteid=1&username=a%2Bb%2541".into()))
        );
    }

    #[test]
    fn what_is_no_postback_is_refused_and_nothing_of_it_is_shown() {
        let long = format!("action=ADD&x={}", "y".repeat(BODY_BYTES_MAX));
        for (text, why) in [
            ("", "there is no text: paste a postback"),
            (" \r\n ", "there is no text: paste a postback"),
            (&*long, "the text has more than 65536 bytes, which no postback has"),
            ("hello", "there is no field: expected name=value, as in action=ADD&siteid=1"),
            (
                "https://a.example/postback/T",
                "the URL has no query: paste the body of the request, or the URL with what \
                 follows the ?",
            ),
            ("action=ADD&a=1\naction=ADD&a=2", "there are several postbacks: paste one of them"),
            (
                "action=ADD\na=1\n\naction=ADD\na=2",
                "there are several postbacks: paste one of them",
            ),
            ("action=ADD\nNULL", "line 2 is no field: expected name=value"),
            (
                "{\"password\":\"secret\"}",
                "expected a line of `journal --json` (line 1, column 21)",
            ),
            (
                "--B\r\nx",
                "expected a complete multipart/form-data body: paste the body as a whole, with \
                 its first and its last line",
            ),
            (
                "Content-Type: application/json\n\n{}",
                "the request has a body that is no form: postbacks are urlencoded or \
                 multipart/form-data",
            ),
            (
                "GET /postback/T HTTP/1.1\nHost: a\n\n",
                "there is no field: expected name=value, as in action=ADD&siteid=1",
            ),
        ] {
            assert_eq!(read(text), Err(why.to_owned()), "{text:.80}");
        }
    }
}
