//! Reads a body of limited length to its end, and the fields in it.
//!
//! A query is no longer than the longest body either: actix refuses such a request.

use actix_web::http::Method;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use actix_web::web::{Bytes, BytesMut, Payload};
use actix_web::{HttpRequest, error::PayloadError};
use futures_util::StreamExt as _;

use super::connections;
use super::multipart;
use crate::fields::{BODY_BYTES_MAX, Fields};

/// How many characters of an unknown content type the journal records.
const TYPE_CHARS_MAX: usize = 64;

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It is longer than [`BODY_BYTES_MAX`].
    TooLong,
    /// It was not complete before the timeout.
    TooSlow,
    /// The client disconnected, or ended its chunks early.
    BrokenOff,
}

/// Reads a body to its end.
///
/// # Errors
///
/// See [`Unread`].
pub async fn read(request: &HttpRequest, payload: Payload) -> Result<Bytes, Unread> {
    let announced = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > BODY_BYTES_MAX as u64) {
        return Err(Unread::TooLong);
    }
    let body = tokio::time::timeout(connections::body_timeout(request), collect(payload))
        .await
        .unwrap_or(Err(Unread::TooSlow))?;
    connections::body_was_read(request);
    Ok(body)
}

async fn collect(payload: Payload) -> Result<Bytes, Unread> {
    let mut payload = payload.into_inner();
    let mut whole = BytesMut::new();
    let mut first = None;
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| match error {
            PayloadError::Overflow => Unread::TooLong,
            _ => Unread::BrokenOff,
        })?;
        if whole.len() + chunk.len() + first.as_ref().map_or(0, Bytes::len) > BODY_BYTES_MAX {
            return Err(Unread::TooLong);
        }
        // A body mostly comes in one chunk, which need not be copied.
        match (first.take(), whole.is_empty()) {
            (None, true) => first = Some(chunk),
            (earlier, _) => {
                whole.extend_from_slice(&earlier.unwrap_or_default());
                whole.extend_from_slice(&chunk);
            }
        }
    }
    Ok(first.unwrap_or_else(|| whole.freeze()))
}

/// The fields of a request, and for a body that is not a form a description for the journal.
#[derive(Debug)]
pub struct RequestFields<'a> {
    /// Query first, then body: the later of two names wins, as in PHP's `$_REQUEST`.
    pub fields: Fields<'a>,
    /// `application/json, 123 bytes`, if the body was not read as fields.
    pub no_form: Option<String>,
    /// The body says that it is a form, and cannot be read as one.
    is_broken: bool,
}

impl<'a> RequestFields<'a> {
    fn of(fields: Fields<'a>) -> Self {
        Self { fields, no_form: None, is_broken: false }
    }
}

/// Reads the fields of query and body. Only the body of a POST counts, as in PHP. If the body is a
/// broken form, the query does not count either: the body may have had more, such as a new
/// password.
pub fn fields<'a>(request: &'a HttpRequest, body: &'a Bytes) -> RequestFields<'a> {
    let query = Fields::from_urlencoded(request.query_string().as_bytes());
    if request.method() != Method::POST || body.is_empty() {
        return RequestFields::of(query);
    }
    let posted = posted(request, body);
    if posted.is_broken {
        return posted;
    }
    RequestFields { fields: query.then(posted.fields), ..posted }
}

/// Reads the fields of the body alone.
pub fn posted<'a>(request: &'a HttpRequest, body: &'a Bytes) -> RequestFields<'a> {
    let content_type =
        request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    match essence(content_type).as_str() {
        "" | "application/x-www-form-urlencoded" => {
            RequestFields::of(Fields::from_urlencoded(without_line_break(body)))
        }
        multipart::FORM_DATA => match multipart::parts(content_type, body) {
            Ok(parts) => RequestFields::of(Fields::from_parts(parts)),
            Err(_) => RequestFields {
                fields: Fields::default(),
                no_form: Some(describe("broken multipart/form-data", body)),
                is_broken: true,
            },
        },
        other => RequestFields {
            no_form: Some(describe(other, body)),
            ..RequestFields::of(Fields::default())
        },
    }
}

/// Removes the line break that `curl -d @file` or an editor leaves at the end, because it is not
/// part of the last value.
fn without_line_break(body: &[u8]) -> &[u8] {
    body.strip_suffix(b"\n").map_or(body, |line| line.strip_suffix(b"\r").unwrap_or(line))
}

fn describe(kind: &str, body: &Bytes) -> String {
    format!("{kind}, {} bytes", body.len())
}

/// The content type without its parameters, in lower case, of limited length, and only with
/// characters that a type may have, because strangers write headers too.
fn essence(value: &[u8]) -> String {
    let clean = |b: u8| {
        if b.is_ascii_alphanumeric() || b"/-+._".contains(&b) {
            b.to_ascii_lowercase()
        } else {
            b'?'
        }
    };
    multipart::essence(value).iter().take(TYPE_CHARS_MAX).map(|&b| char::from(clean(b))).collect()
}
