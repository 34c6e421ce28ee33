//! The names of the settings in the configuration file, from the definition of the command line.

use std::any::TypeId;
use std::path::PathBuf;

use clap::{Arg, ArgAction, Args as _, Command};

use super::settings::Settings;

/// A setting, as the configuration file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// The long name of the flag with underscores.
    pub(super) name: String,
    pub(super) kind: Kind,
    /// A secret is never read from the configuration file. Another setting names its file.
    pub(super) is_secret: bool,
}

/// What a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text, or a number.
    Text,
    Path,
    /// One or several texts.
    List,
    Switch,
}

/// The definition of all settings, without a command.
pub(super) fn table() -> Command {
    Settings::augment_args(Command::new("nats-userman")).no_binary_name(true)
}

/// The keys of all settings in this table, in the order of the definition.
pub(super) fn keys(table: &Command) -> Vec<Key> {
    table.get_arguments().filter(|arg| arg.get_env().is_some()).map(Key::of).collect()
}

impl Key {
    fn of(arg: &Arg) -> Self {
        let kind = match arg.get_action() {
            ArgAction::SetTrue => Kind::Switch,
            ArgAction::Append => Kind::List,
            _ if arg.get_value_parser().type_id() == TypeId::of::<PathBuf>() => Kind::Path,
            _ => Kind::Text,
        };
        Self { name: arg.get_id().to_string(), kind, is_secret: arg.is_hide_env_values_set() }
    }

    /// What the file may say, for errors.
    pub(super) fn expected(&self) -> &'static str {
        match self.kind {
            Kind::Text => "expected text in quotes or a whole number",
            Kind::Path => "expected a path in quotes",
            Kind::List => "expected text in quotes, or a list of that in square brackets",
            Kind::Switch => "expected true or false",
        }
    }
}
