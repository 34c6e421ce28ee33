//! `replay --to`: captured postbacks to a URL, as NATS would send them.

use std::path::PathBuf;
use std::time::Duration;

use super::captures;
use super::counts::{end, show_error};
use crate::cli::destination::{Destination, agent};
use crate::cli::failure::Failure;
use crate::replay::Counts;
use crate::reply::Reply;

/// How often a postback is sent if the other side answers 503.
const TRIES_MAX: u32 = 4;
/// The timeout of one postback.
const SEND_TIME_MAX: Duration = Duration::from_secs(30);
/// The first wait before sending again; doubled each time.
const SEND_AGAIN_AFTER: Duration = Duration::from_millis(500);

pub(super) fn run(files: &[PathBuf], url: &str) -> Result<(), Failure> {
    let Some(target) = Destination::parse(url, SEND_TIME_MAX) else {
        return Err(Failure::usage(
            "--to: expected http:// or https:// and the URL that NATS calls",
        ));
    };
    let opened = captures::open(files)?;
    let agent = agent(SEND_TIME_MAX, None);
    let mut counts = Counts::default();
    let sent = captures::each(files, opened, |captured, place| {
        let reply = send_one(&agent, &target, &captured.into_body());
        // If the first postback fails, the URL is wrong, and not a line of a file.
        let reply = if counts == Counts::default() {
            reply?
        } else {
            reply.map_err(|failure| failure.at(&place))?
        };
        counts.add(reply.word());
        show_error(&place, &reply).map_err(|failure| failure.at(&place))
    });
    end(&counts, sent)
}

/// Why a response is not one of nats-userman.
fn unexpected(target: &Destination<'_>, status: u16, is_html: bool) -> String {
    let found = format!("expected status 200 and a reply line, found status {status}");
    let why = match status {
        300..400 => "a redirect: give the URL that it leads to",
        404 => "check that the URL is complete, with /postback/ and the token",
        400 => return format!("{found}; {}", target.other_scheme()),
        _ if is_html => "and a page of HTML: a proxy answered, or another program",
        _ => return found,
    };
    format!("{found}, {why}")
}

/// Posts one body and reads the reply line.
fn send_one(agent: &ureq::Agent, target: &Destination<'_>, body: &[u8]) -> Result<Reply, Failure> {
    let failed = |why: String| Failure::Failed(format!("--to: {why}"));
    let mut wait = SEND_AGAIN_AFTER;
    for _ in 1..=TRIES_MAX {
        let sent =
            agent.post(target.url).content_type("application/x-www-form-urlencoded").send(body);
        let mut response = sent.map_err(|error| failed(target.unreached(&error)))?;
        let status = response.status().as_u16();
        if status == 503 {
            std::thread::sleep(wait);
            wait *= 2;
            continue;
        }
        let is_html = response.body().mime_type() == Some("text/html");
        let line = response.body_mut().with_config().limit(64 * 1024).read_to_string();
        let reply = line.ok().and_then(|line| Reply::from_line(line.trim_end()));
        return match (status, reply) {
            (200, Some(reply)) => Ok(reply),
            (403, _) if !is_html => Err(failed(
                "not authorised; check the token in the URL, and that this address is \
                 allowed"
                    .into(),
            )),
            _ => Err(failed(unexpected(target, status, is_html))),
        };
    }
    Err(failed(format!("temporarily unavailable, {TRIES_MAX} times; send the rest later")))
}
