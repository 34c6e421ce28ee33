//! Where messages go.

use std::sync::atomic::AtomicBool;

use super::command::{self, CommandError};
use super::facts::Limits;
use super::post::{self, AlarmUrl, PostError};

/// The settings of alarms.
#[derive(Clone, Debug)]
pub struct AlarmConfig {
    /// Where they are told.
    pub targets: Targets,
    /// When they are raised.
    pub limits: Limits,
}

/// Where alarms are told; nowhere, if there is neither.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    /// A program and its arguments.
    pub command: Option<Vec<String>>,
    /// A URL.
    pub url: Option<AlarmUrl>,
}

impl Targets {
    /// All of them.
    pub fn all(&self) -> Vec<Target> {
        let command = self.command.clone().map(Target::Command);
        command.into_iter().chain(self.url.clone().map(Target::Url)).collect()
    }
}

/// One of them.
#[derive(Clone, Debug)]
pub enum Target {
    /// A program and its arguments.
    Command(Vec<String>),
    /// A URL.
    Url(AlarmUrl),
}

/// Why a target did not take a message.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The command.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The URL.
    #[error(transparent)]
    Post(#[from] PostError),
}

impl Target {
    /// The name of its setting.
    pub fn setting(&self) -> &'static str {
        match self {
            Target::Command(_) => "--alarm-command",
            Target::Url(_) => "--alarm-url",
        }
    }

    /// Delivers a message of JSON. Takes at most ten seconds.
    ///
    /// # Errors
    ///
    /// See [`TargetError`].
    pub fn deliver(&self, json: &str) -> Result<(), TargetError> {
        self.deliver_unless(json, &AtomicBool::new(false))
    }

    /// Delivers as [`Target::deliver`] does, and kills a program that runs when `is_over` becomes
    /// true.
    pub(super) fn deliver_unless(
        &self,
        json: &str,
        is_over: &AtomicBool,
    ) -> Result<(), TargetError> {
        match self {
            Target::Command(command) => {
                Ok(command::run_unless(command, json, command::TIME_MAX, is_over)?)
            }
            Target::Url(url) => Ok(url.post(json, post::TIME_MAX)?),
        }
    }
}
