//! Reads NATS's answers. TMM documents only the successful one: JSON with the authstring under one
//! key. Anything else but an empty answer is an error, whose text names the likely cause.

use serde_json::Value;

use super::{AuthString, Resource};

/// The longest answer that is read, in bytes. A successful one has 46.
pub const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// The `Server` header of nats-userman, which can serve this API in place of NATS.
pub const USERMAN: &str = "nats-userman";
/// Characters of its error text that are repeated.
const ERROR_CHARS_MAX: usize = 300;

/// An answer that is neither an authstring nor empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// A status about key and account.
    #[error(
        "NATS answered with status {0}: api-key or api-username is wrong, the account may not use \
         the REST API, or this address is not in NATS's Admin API Allowed IPs"
    )]
    Forbidden(u16),
    /// The URL does not exist.
    #[error(
        "NATS answered with status 404: the URL is not NATS's, the REST API is switched off there, \
         or this NATS is older than this resource"
    )]
    NotFound,
    /// A redirect.
    #[error(
        "NATS answered with status {0}, a redirect: set the URL that it leads to, mostly https:// \
         instead of http://"
    )]
    Redirect(u16),
    /// NATS has failed.
    #[error("NATS answered with status {0}: it has failed, see its own error log")]
    Failed(u16),
    /// The error of a nats-userman. Its text has no secret in it.
    #[error("nats-userman answered with status {0}: {1}")]
    Userman(u16, String),
    /// NATS does not understand the request.
    #[error(
        "NATS answered with status 400: it does not understand the request, or this port needs \
         https://"
    )]
    BadRequest,
    /// Another status than 200.
    #[error("NATS answered with status {0} instead of 200")]
    Status(u16),
    /// A page of HTML.
    #[error(
        "NATS answered with HTML instead of JSON: the REST API is switched off, this address is \
         not in NATS's Admin API Allowed IPs, or the URL is not NATS's"
    )]
    Html,
    /// Other text that is not JSON.
    #[error(
        "NATS answered with something other than JSON: the REST API is switched off, or the URL is \
         not NATS's"
    )]
    NoJson,
    /// JSON with an error in it. Its text is not repeated, because it may contain the request,
    /// which has secrets in it.
    #[error(
        "NATS answered with an error instead of an authstring: api-key or api-username is wrong, \
         the account may not use the REST API, or this address is not in NATS's Admin API Allowed \
         IPs"
    )]
    ErrorText,
    /// JSON of another form.
    #[error(
        "NATS answered with JSON in which \"{0}\" is not 32 hexadecimal digits: it may be of a \
         version that this program does not support"
    )]
    Form(&'static str),
    /// More than [`ANSWER_BYTES_MAX`].
    #[error("NATS answered with more than {} bytes: the URL is not NATS's", ANSWER_BYTES_MAX)]
    TooLong,
    /// No HTTP, or HTTP that exceeds all limits.
    #[error(
        "NATS answered with something other than HTTP: the URL is not NATS's, or its port needs TLS"
    )]
    NoHttp,
}

impl Wrong {
    /// The error for a status that is not the expected one.
    pub fn of_status(status: u16) -> Self {
        match status {
            401 | 403 => Wrong::Forbidden(status),
            400 => Wrong::BadRequest,
            404 => Wrong::NotFound,
            300..=399 => Wrong::Redirect(status),
            500..=599 => Wrong::Failed(status),
            _ => Wrong::Status(status),
        }
    }
}

/// Reads an answer that was received to its end.
///
/// An empty answer is an empty body, `null`, `""`, `[]`, `false`, or an object in which the key is
/// missing or has one of these values.
///
/// # Errors
///
/// See [`Wrong`].
pub fn read(resource: Resource, status: u16, body: &[u8]) -> Result<Option<AuthString>, Wrong> {
    if status != 200 {
        return Err(Wrong::of_status(status));
    }
    // PHP files that were saved with a byte order mark send it before their output.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
    if body.is_empty() {
        return Ok(None);
    }
    // The content type is ignored: it is text/html unless a PHP program sets it.
    let value = match serde_json::from_slice(body) {
        Ok(value) => value,
        Err(_) if body.starts_with(b"<") => return Err(Wrong::Html),
        Err(_) => return Err(Wrong::NoJson),
    };
    match &value {
        Value::Object(object) => match object.get(resource.key()) {
            Some(Value::String(text)) if !text.is_empty() => {
                AuthString::parse(text).map(Some).ok_or(Wrong::Form(resource.key()))
            }
            Some(other) if !is_empty_value(other) => Err(Wrong::Form(resource.key())),
            _ if object.iter().any(|(name, value)| {
                matches!(&**name, "error" | "errors") && !is_empty_value(value)
            }) =>
            {
                Err(Wrong::ErrorText)
            }
            _ => Ok(None),
        },
        other if is_empty_value(other) => Ok(None),
        _ => Err(Wrong::Form(resource.key())),
    }
}

/// The error of a nats-userman that serves this API in place of NATS. Its text is passed on,
/// because it is ours and has no secret in it. `None` if there is none.
pub fn error_of_userman(status: u16, body: &[u8]) -> Option<Wrong> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let text = answer.get("error")?.as_str()?;
    let clean = |c: char| if c.is_control() { '?' } else { c };
    Some(Wrong::Userman(status, text.chars().take(ERROR_CHARS_MAX).map(clean).collect()))
}

/// Whether PHP wrote an empty value.
fn is_empty_value(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Plus;
    use super::*;

    const STRING: &str = "877ae8d2c00e617d443643326bb848e2";

    fn reads(status: u16, body: &str) -> Result<Option<String>, Wrong> {
        let found = read(Resource::AuthString(Plus::Upsell), status, body.as_bytes())?;
        Ok(found.map(|string| string.expose().to_owned()))
    }

    #[test]
    fn a_string_is_read_from_the_key_of_its_resource() {
        for body in [
            format!("{{\"result\":\"{STRING}\"}}"),
            format!("\u{feff} {{\n  \"result\": \"{STRING}\", \"more\": [1]\n}}\n"),
            format!("{{\"error\":\"none\",\"result\":\"{STRING}\"}}"),
        ] {
            assert_eq!(reads(200, &body), Ok(Some(STRING.into())), "{body}");
        }
        let old = format!("{{\"token_rebuy_string\":\"{STRING}\"}}");
        let found = read(Resource::TokenRebuyString, 200, old.as_bytes()).unwrap().unwrap();
        assert_eq!(found.expose(), STRING);
        assert_eq!(format!("{found:?}"), "AuthString(***)");
        assert_eq!(
            reads(200, &old),
            Ok(None),
            "the key of the other resource is a missing key here"
        );
    }

    #[test]
    fn a_blank_in_all_its_forms_is_a_blank() {
        for body in [
            "",
            " \r\n",
            "null",
            "\"\"",
            "[]",
            "{}",
            "false",
            "\u{feff}",
            "{\"result\":\"\"}",
            "{\"result\":null}",
            "{\"result\":[]}",
            "{\"result\":false}",
            "{\"result\":{}}",
            "{\"other\":1}",
            "{\"error\":null}",
            "{\"errors\":[]}",
        ] {
            assert_eq!(reads(200, body), Ok(None), "{body}");
        }
    }

    #[test]
    fn everything_else_is_a_failure_with_its_likely_cause() {
        let upper = STRING.to_uppercase();
        let table = [
            (200, "<!DOCTYPE html><p>Not allowed", Wrong::Html),
            (200, " <br />\n<b>Notice</b>: in /nats{\"result\":\"\"}", Wrong::Html),
            (200, "Access denied", Wrong::NoJson),
            (200, "{\"result\":\"877ae8d2", Wrong::NoJson),
            (200, "{\"error\":\"Invalid key\"}", Wrong::ErrorText),
            (200, "{\"result\":\"\",\"error\":\"Invalid key\"}", Wrong::ErrorText),
            (200, "{\"result\":\"877ae8d2c00e617d443643326bb848e\"}", Wrong::Form("result")),
            (200, "{\"result\":\"877ae8d2c00e617d443643326bb848eg\"}", Wrong::Form("result")),
            (200, "{\"result\":5}", Wrong::Form("result")),
            (200, "{\"result\":true}", Wrong::Form("result")),
            (200, "[1]", Wrong::Form("result")),
            (200, "\"877ae8d2c00e617d443643326bb848e2\"", Wrong::Form("result")),
            (401, "", Wrong::Forbidden(401)),
            (403, "null", Wrong::Forbidden(403)),
            (404, "", Wrong::NotFound),
            (301, "", Wrong::Redirect(301)),
            (500, "", Wrong::Failed(500)),
            (503, "[]", Wrong::Failed(503)),
            (204, "", Wrong::Status(204)),
            (400, "", Wrong::BadRequest),
            (402, "", Wrong::Status(402)),
        ];
        for (status, body, wrong) in table {
            assert_eq!(reads(status, body), Err(wrong), "{status} {body}");
        }
        assert_eq!(
            reads(200, &format!("{{\"result\":\"{upper}\"}}")),
            Ok(Some(upper)),
            "either case"
        );
    }
}
