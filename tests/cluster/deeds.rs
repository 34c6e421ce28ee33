//! What was sent, and what the sender was told.

use std::net::SocketAddr;

use super::http::{Caller, Response};

/// What a sender knows after an answer, or without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A reply of the rules, which has to be in the journal.
    Reply(String),
    /// "Nothing was changed".
    Nothing,
    /// "Outcome unknown", or no answer at all.
    Unknown,
}

/// One postback.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Its value of `biller`, which the journal keeps. No two have the same.
    pub mark: String,
    pub answer: Answer,
}

/// A connection to a receiver, made again when it was lost.
pub struct Sender {
    address: SocketAddr,
    caller: Option<Caller>,
}

impl Sender {
    pub fn new(address: SocketAddr) -> Self {
        Self { address, caller: None }
    }

    /// `None`: it cannot have reached the receiver.
    pub fn post(&mut self, body: &str) -> Option<Answer> {
        if self.caller.is_none() {
            self.caller = Some(Caller::connect(self.address).ok()?);
        }
        let answered = self.caller.as_mut()?.post(body);
        let answer = match &answered {
            Ok(response) => answer_of(response),
            Err(_) => Answer::Unknown,
        };
        let ends = |response: &Response| response.header("connection") == Some("close");
        if answered.is_ok_and(|response| !ends(&response)) {
            return Some(answer);
        }
        self.caller = None;
        Some(answer)
    }
}

fn answer_of(response: &Response) -> Answer {
    match (response.status, response.body.as_str()) {
        (200, body) => Answer::Reply(body.to_owned()),
        (503, "ERROR|temporarily unavailable, nothing was changed") => Answer::Nothing,
        (503, "ERROR|temporarily unavailable, outcome unknown, send it again") => Answer::Unknown,
        (status, body) => panic!("an answer that nobody promised: {status} {body}"),
    }
}
