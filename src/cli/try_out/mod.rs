//! `try`: plays NATS against a receiver at its public URL, and says what is wrong in the words of
//! the operator.

mod interrupt;
mod judge;
mod report;
mod send;
mod steps;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use ureq::Agent;
use ureq::http::Uri;
use ureq::tls::RootCerts;

use super::destination::{Destination, agent};
use super::failure::Failure;
use crate::clock::Clock;
use crate::identity::TEST_ID;
use crate::nats_client::certificates_of;
use report::Report;
use send::{Way, send};
use steps::{Step, TestMember};

/// All requests together may take this long. Then the test member is removed.
const TIME_MAX: Duration = Duration::from_secs(180);
/// The shortest part of a URL that can be a token.
const TOKEN_CHARS_MIN: usize = 8;
/// What `try` does, for `--help`.
const WHAT: &str = "It adds a test member with a memberid that NATS does not use, sends every \
    action as a urlencoded POST, as a multipart POST and as a GET, and removes the member. The \
    journal of nats-userman keeps the records, marked as a trial. Exit code 1: something is wrong.";

#[derive(Args, Debug)]
#[command(after_help = WHAT)]
pub(super) struct TryCommand {
    /// URL that is pasted into NATS, with the token
    url: String,
    /// siteid to send, where a receiver accepts only its own sites [default: one that NATS does not
    /// use]
    #[arg(long, value_parser = super::failure::id)]
    site: Option<i64>,
    /// Seconds to wait for each answer
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(1..=60)
    )]
    wait: u64,
    /// File with root certificates in PEM form, for a receiver whose certificate no public
    /// authority has signed
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Print the result as a JSON object
    #[arg(long)]
    json: bool,
}

impl TryCommand {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let wait = Duration::from_secs(self.wait);
        let Some(target) = Destination::parse(&self.url, wait) else {
            return Err(Failure::usage(
                "try: expected http:// or https:// and the URL that NATS calls",
            ));
        };
        let interrupted = interrupt::catch().map_err(|error| Failure::of(&error))?;
        let member = TestMember {
            site: self.site.unwrap_or(TEST_ID).to_string(),
            member: TEST_ID.to_string(),
            names: [word("t")?, word("t")?],
            passwords: [word("P")?, word("P")?],
            joined: Clock::System.now().to_string(),
        };
        let mut secrets = token_parts(&self.url);
        secrets.extend(member.passwords.iter().cloned());
        let mut trial = Trial {
            agent: agent(wait, self.roots()?),
            target,
            report: Report::new(self.json, secrets),
            interrupted: &interrupted,
            began: Instant::now(),
            sent: 0,
            removal: None,
        };
        let told = trial.tell(&member);
        trial.clean(&member);
        let is_complete = matches!(told, Ok(End::Complete));
        if let Ok(End::Interrupted) = told {
            trial.report.problem("interrupted before the end");
        }
        if let Ok(End::TimeIsOver) = told {
            trial.report.problem("not all was tried, because the answers take too long");
        }
        told?;
        let place = trial.target.place.clone();
        trial.report.end(&place, trial.sent, is_complete)
    }

    fn roots(&self) -> Result<Option<RootCerts>, Failure> {
        let Some(path) = &self.ca else { return Ok(None) };
        let pem = fs::read(path).map_err(|error| {
            Failure::Failed(format!("--ca: cannot read {}: {error}", path.display()))
        })?;
        match certificates_of(&pem) {
            Some(roots) => Ok(Some(roots)),
            None => Err(Failure::Failed(format!(
                "--ca: expected certificates in PEM form, found none in {}",
                path.display()
            ))),
        }
    }
}

/// How the story ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Complete,
    /// By Ctrl-C.
    Interrupted,
    TimeIsOver,
}

/// One run.
struct Trial<'a> {
    agent: Agent,
    target: Destination<'a>,
    report: Report,
    interrupted: &'a AtomicBool,
    began: Instant,
    sent: u64,
    /// The way in which the test member has to be removed, while there may be one.
    removal: Option<Way>,
}

impl Trial<'_> {
    /// Tells the story in each way. If a way gets no reply at the beginning, the rest would show
    /// the same.
    fn tell(&mut self, member: &TestMember) -> Result<End, Failure> {
        for way in Way::ALL {
            for (number, step) in member.story().iter().enumerate() {
                if self.interrupted.load(Ordering::SeqCst) {
                    return Ok(End::Interrupted);
                }
                if self.began.elapsed() > TIME_MAX {
                    return Ok(End::TimeIsOver);
                }
                let answer = send(&self.agent, &self.target, way, step);
                self.sent += 1;
                let is_answered = answer.is_ok();
                let has_reply = answer.as_ref().is_ok_and(judge::Answer::has_reply);
                // Noted first, because the output may be closed.
                if number > 0 || has_reply {
                    let is_done = answer.as_ref().is_ok_and(|it| it.says(step.expected));
                    self.note(way, step, is_done);
                }
                self.report.add(way, step, &answer).map_err(|failure| failure.at("try"))?;
                if number == 0 && !is_answered {
                    // No connection, or no answer: the other ways use the same one.
                    return Ok(End::Complete);
                }
                if number == 0 && !has_reply {
                    break;
                }
            }
        }
        Ok(End::Complete)
    }

    /// Notes whether there may be a test member now.
    fn note(&mut self, way: Way, step: &Step, is_done: bool) {
        match step.fields.first().map(|(_, action)| action.as_str()) {
            Some("ADD" | "MANUALADD" | "ACTIVATE") => self.removal = Some(way),
            Some("DELETE") if is_done => self.removal = None,
            _ => {}
        }
    }

    /// Removes the test member of a story that did not come to its end.
    fn clean(&mut self, member: &TestMember) {
        let Some(way) = self.removal.take() else { return };
        let step = member.removal("the test member is removed");
        let answer = send(&self.agent, &self.target, way, &step);
        self.sent += 1;
        let is_removed = answer.as_ref().is_ok_and(|answer| answer.says(step.expected));
        // Whether the output can be written does not matter here.
        let _ = self.report.add(way, &step, &answer);
        if !is_removed {
            self.report.problem(&format!(
                "the test member could not be removed: remove member {} of site {} by hand",
                member.member, member.site
            ));
        }
    }
}

/// A random name or password of 12 letters and digits, which any receiver accepts. It contains no
/// other word.
fn word(first: &str) -> Result<String, Failure> {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0; 11];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::Failed(format!("the system gives no random bytes: {error}")))?;
    let letters = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
    Ok(first.chars().chain(letters).collect())
}

/// The parts of the URL that may be the token: the segments of the path, and the query.
fn token_parts(url: &str) -> Vec<String> {
    let Ok(url) = url.parse::<Uri>() else { return Vec::new() };
    let segments = url.path().split('/');
    let values = url.query().unwrap_or_default().split(['&', '=']);
    segments
        .chain(values)
        .filter(|part| part.len() >= TOKEN_CHARS_MIN && *part != "postback")
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_url_that_may_be_the_token_is_hidden() {
        assert_eq!(
            token_parts("https://members.example.com/postback/abcdefgh?key=ijklmnop&a=b"),
            ["abcdefgh", "ijklmnop"]
        );
    }

    #[test]
    fn a_word_is_new_each_time_and_fits_every_receiver() {
        let (one, other) = (word("t").unwrap(), word("t").unwrap());
        assert_ne!(one, other);
        assert!(one.len() == 12 && one.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{one}");
    }
}
