//! What is told: an alarm is raised or cleared.

use serde_json::json;

use super::cause::Cause;

/// Whether an alarm begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The cause has lasted for a minute.
    Raised,
    /// The cause is over.
    Cleared,
    /// A test of `nats-userman alarm test`.
    Test,
}

impl State {
    /// The word in messages.
    pub fn name(self) -> &'static str {
        match self {
            State::Raised => "raised",
            State::Cleared => "cleared",
            State::Test => "test",
        }
    }
}

/// One message about an alarm. It has no secret in it, and no name of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What it is about.
    pub cause: Cause,
    /// Whether it begins or ends.
    pub state: State,
    /// Since when there is the cause, unix seconds.
    pub since: i64,
    /// What is wrong, in words and figures.
    pub message: String,
}

impl Event {
    /// A message that tests the way to the operator.
    pub fn test(now: i64) -> Self {
        Self {
            cause: Cause::Test,
            state: State::Test,
            since: now,
            message: "a test of nats-userman alarm test: nothing is wrong".into(),
        }
    }

    /// The message as JSON, with the name of this machine.
    pub fn json_of_this_machine(&self) -> String {
        self.json(&host())
    }

    /// The message as JSON, for a command and a URL. `host` is the name of this machine.
    pub fn json(&self, host: &str) -> String {
        let Event { cause, state, since, message } = self;
        json!({
            "alarm": cause.name(),
            "state": state.name(),
            "site": cause.site(),
            "since": since,
            "message": message,
            "host": host,
            "service": "nats-userman",
            "version": env!("CARGO_PKG_VERSION"),
        })
        .to_string()
    }
}

/// The name of this machine.
pub(super) fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_object_of_json() {
        let event = Event {
            cause: Cause::Silence(5),
            state: State::Raised,
            since: 1_781_524_800,
            message: "site 5 has sent nothing".into(),
        };
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            event.json("db1"),
            format!(
                "{{\"alarm\":\"silence\",\"host\":\"db1\",\"message\":\"site 5 has sent \
                 nothing\",\"service\":\"nats-userman\",\"since\":1781524800,\"site\":5,\
                 \"state\":\"raised\",\"version\":\"{version}\"}}"
            )
        );
    }
}
