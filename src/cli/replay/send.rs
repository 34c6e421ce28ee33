//! `replay --to`: captured postbacks to a URL, as NATS would send them.

use std::time::Duration;

use super::{Replay, end, show_error};
use crate::cli::Failure;
use crate::replay::Counts;
use crate::reply::Reply;

/// How often a postback is sent again where the other side answers 503.
const TRIES_MAX: u32 = 4;
/// How long one postback may take there.
const SEND_TIME_MAX: Duration = Duration::from_secs(30);
/// The first wait before sending again; doubled each time.
const SEND_AGAIN_AFTER: Duration = Duration::from_millis(500);

impl Replay {
    pub(super) fn send(&self, url: &str) -> Result<(), Failure> {
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(Failure::usage("--to: expected http:// or https:// and the URL that NATS calls"));
        }
        let captures = self.captures()?;
        let config = ureq::Agent::config_builder().timeout_global(Some(SEND_TIME_MAX)).http_status_as_error(false);
        let agent = config.build().new_agent();
        let mut counts = Counts::default();
        let sent = self.each(captures, |captured, place| {
            let reply = send_one(&agent, url, &captured.into_body());
            // At the first postback it is the URL that is wrong, and no line of a file.
            let reply = if counts == Counts::default() { reply? } else { reply.map_err(|failure| failure.at(&place))? };
            counts.add(reply.word());
            show_error(&place, &reply)
        });
        end(&counts, sent)
    }
}

/// Posts one body and reads the line that comes back. The URL holds the token, so no error names it.
fn send_one(agent: &ureq::Agent, url: &str, body: &[u8]) -> Result<Reply, Failure> {
    let mut wait = SEND_AGAIN_AFTER;
    for _ in 1..=TRIES_MAX {
        let sent = agent.post(url).content_type("application/x-www-form-urlencoded").send(body);
        let mut response = sent.map_err(|error| Failure::Failed(format!("--to: {}", send_error(&error))))?;
        let status = response.status().as_u16();
        if status == 503 {
            std::thread::sleep(wait);
            wait *= 2;
            continue;
        }
        let line = response.body_mut().with_config().limit(64 * 1024).read_to_string();
        let reply = line.ok().and_then(|line| Reply::from_line(line.trim_end()));
        return match (status, reply) {
            (200, Some(reply)) => Ok(reply),
            (403, _) => {
                Err(Failure::Failed("--to: not authorised; is the token in the URL right, and this address allowed?".into()))
            }
            _ => Err(Failure::Failed(format!("--to: expected status 200 and a reply line, found status {status}"))),
        };
    }
    Err(Failure::Failed(format!("--to: temporarily unavailable, {TRIES_MAX} times; send the rest later")))
}

fn send_error(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::Timeout(_) => format!("no reply within {} seconds", SEND_TIME_MAX.as_secs()),
        ureq::Error::HostNotFound => "the host was not found".into(),
        ureq::Error::ConnectionFailed => "no connection".into(),
        _ => "the postback could not be sent; is the URL right?".into(),
    }
}
