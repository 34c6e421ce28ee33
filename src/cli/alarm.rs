//! `alarm test`: sends a test message to the command and the URL of the settings.

use std::io::{Write as _, stdout};

use clap::Subcommand;

use super::failure::Failure;
use crate::alarms::Event;
use crate::chain::chain;
use crate::clock::Clock;
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum AlarmCommand {
    /// Send a test message to --alarm-command and --alarm-url, and say what happened
    Test,
}

impl AlarmCommand {
    pub(super) fn run(&self, config: &Config) -> Result<(), Failure> {
        let AlarmCommand::Test = self;
        let targets = config.alarms.targets.all();
        if targets.is_empty() {
            let why = "there is nothing to test: neither --alarm-command nor --alarm-url is set";
            return Err(Failure::Failed(why.into()));
        }
        let json = Event::test(Clock::System.now()).json_of_this_machine();
        let mut failed = 0;
        for target in &targets {
            let setting = target.setting();
            match target.deliver(&json) {
                Ok(()) => writeln!(stdout(), "{setting} has taken the test message")?,
                Err(error) => {
                    failed += 1;
                    writeln!(stdout(), "{setting} has not taken it: {}", chain(&error))?;
                }
            }
        }
        match failed {
            0 => Ok(()),
            _ => {
                let all = targets.len();
                Err(Failure::Failed(format!("{failed} of {all} targets did not take the message")))
            }
        }
    }
}
