//! Sends a request of `try` in one of the ways in which NATS may call.

use std::time::{Duration, Instant};

use ureq::Agent;
use ureq::http::header::{CONTENT_TYPE, LOCATION};

use super::judge::Answer;
use super::steps::Step;
use crate::cli::destination::Destination;

/// The most bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// How the fields are sent. NATS does not document which one it uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// A POST with an urlencoded body.
    Urlencoded,
    /// A POST with a multipart body, as PHP's curl sends an array.
    Multipart,
    /// A GET with a query string.
    Query,
}

impl Way {
    pub(super) const ALL: [Self; 3] = [Self::Urlencoded, Self::Multipart, Self::Query];

    /// As the operator reads it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Urlencoded => "POST urlencoded",
            Self::Multipart => "POST multipart",
            Self::Query => "GET",
        }
    }
}

/// Sends the step, and reads the answer. The error says why there is none.
pub(super) fn send(
    agent: &Agent,
    target: &Destination<'_>,
    way: Way,
    step: &Step,
) -> Result<Answer, String> {
    let began = Instant::now();
    let sent = match way {
        Way::Urlencoded => agent
            .post(target.url)
            .content_type("application/x-www-form-urlencoded")
            .send(urlencoded(step).as_bytes()),
        Way::Multipart => {
            let boundary = boundary(step);
            agent
                .post(target.url)
                .content_type(format!("multipart/form-data; boundary={boundary}"))
                .send(multipart(step, &boundary).as_bytes())
        }
        Way::Query => {
            let separator = if target.url.contains('?') { '&' } else { '?' };
            agent.get(format!("{}{separator}{}", target.url, urlencoded(step))).call()
        }
    };
    let mut response = sent.map_err(|error| target.unreached(&error))?;
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let is_html = header(CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/html"));
    let mut answer = Answer {
        status: response.status().as_u16(),
        location: header(LOCATION).map(str::to_owned),
        is_html,
        body: Vec::new(),
        took: Duration::ZERO,
    };
    let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
    answer.body = match body {
        Ok(body) => body,
        // Much too long for a reply. Its beginning does not matter.
        Err(ureq::Error::BodyExceedsLimit(_)) => b"<html".to_vec(),
        Err(error) => return Err(target.unreached(&error)),
    };
    answer.took = began.elapsed();
    Ok(answer)
}

/// Numbers, names and words of ASCII, and e-mail addresses: few characters need an escape.
fn urlencoded(step: &Step) -> String {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    let field = |(name, value): &(&str, String)| {
        format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC))
    };
    step.fields.iter().map(field).collect::<Vec<_>>().join("&")
}

fn multipart(step: &Step, boundary: &str) -> String {
    let part = |(name, value): &(&str, String)| {
        format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        )
    };
    step.fields.iter().map(part).collect::<String>() + &format!("--{boundary}--\r\n")
}

/// A boundary that no value contains.
fn boundary(step: &Step) -> String {
    let mut boundary = "nats-userman-try".to_owned();
    while step.fields.iter().any(|(_, value)| value.contains(&boundary)) {
        boundary.push('-');
    }
    boundary
}
