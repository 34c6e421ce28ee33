//! Checks the `USERMAN_` variables: which are settings, and which are mistakes. The names come from
//! the definition of the command line.

use std::any::TypeId;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::builder::Resettable;
use clap::{Arg, Command};

use super::nearest::nearest;
use super::problems::{BadSetting, may_have_secret};

pub(super) const PREFIX: &str = "USERMAN_";

/// The variables that Kubernetes and Docker's links set in other containers for a service called
/// `userman`.
const OF_ORCHESTRATORS: [&str; 3] = ["SERVICE_", "PORT", "ENV_"];

/// Makes clap ignore variables that are empty or not text. Files of variables often have lines
/// without a value, which count as not set. (A flag without a value is an error: usually of a
/// script whose own variable is empty.) [`bad_variables`] reports those that are not text, as
/// clap would not name them. `--help` hides a URL that may have a password.
pub fn without_unusable_variables(command: Command) -> Command {
    command.mut_args(|arg| {
        let value = arg.get_env().and_then(std::env::var_os);
        let is_unusable =
            |value: OsString| value.to_string_lossy().trim().is_empty() || is_no_text(&arg, &value);
        let has_secret =
            |value: &OsString| may_have_secret(arg.get_id().as_str(), &value.to_string_lossy());
        let hides = arg.is_hide_env_values_set() || value.as_ref().is_some_and(has_secret);
        if value.is_some_and(is_unusable) {
            return arg.env(Resettable::Reset);
        }
        // `--help` shows the others.
        arg.hide_env_values(hides)
    })
}

/// The variables that are named like settings but are none, and the settings that are not text, in
/// the order of their names. An unknown name is an error even if its value is empty.
pub fn bad_variables(
    command: &Command,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Vec<BadSetting> {
    let settings: Vec<_> = settings(command).collect();
    let mut environment: Vec<_> = environment.into_iter().collect();
    environment.sort_unstable();
    let bad = |(name, value): &(OsString, OsString)| match settings
        .iter()
        .find(|setting| setting.get_env() == Some(name))
    {
        Some(setting) if is_no_text(setting, value) => {
            Some(BadSetting::new(shown(name), "expected UTF-8, found bytes that are not"))
        }
        Some(_) => None,
        None => is_meant_for_us(name, value, &settings)
            .then(|| BadSetting::new(shown(name), unknown(name, &settings))),
    };
    environment.iter().filter_map(bad).collect()
}

/// All arguments that have a variable, those of commands included.
fn settings(command: &Command) -> Box<dyn Iterator<Item = &Arg> + '_> {
    let own = command.get_arguments().filter(|arg| arg.get_env().is_some());
    Box::new(own.chain(command.get_subcommands().flat_map(settings)))
}

fn is_no_text(arg: &Arg, value: &OsStr) -> bool {
    value.to_str().is_none() && arg.get_value_parser().type_id() != TypeId::of::<PathBuf>()
}

/// Whether this unknown name was meant to be a setting: it has the prefix, perhaps after a byte
/// order mark or a space, or only its case is wrong.
fn is_meant_for_us(name: &OsStr, value: &OsStr, settings: &[&Arg]) -> bool {
    let name = bare(name);
    match name.strip_prefix(PREFIX) {
        Some(rest) => !is_of_an_orchestrator(rest, &value.to_string_lossy()),
        None => settings
            .iter()
            .filter_map(|setting| setting.get_env()?.to_str())
            .any(|known| name.eq_ignore_ascii_case(known)),
    }
}

/// Whether an orchestrator set this variable for a service `userman`, or for another one whose name
/// begins so, such as `userman-db`, which is recognised by the form of the variable.
fn is_of_an_orchestrator(rest: &str, value: &str) -> bool {
    let is_address = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    let is_of_a_port =
        ["_TCP", "_UDP", "_SCTP"].iter().any(|kind| rest.contains(kind)) && rest.contains("_PORT_");
    OF_ORCHESTRATORS.iter().any(|known| rest.starts_with(known))
        || rest == "NAME"
        || rest.ends_with("_SERVICE_HOST")
        || rest.contains("_SERVICE_PORT")
        || is_of_a_port
        || (rest.ends_with("_PORT") && is_address)
}

/// The error for an unknown name. The value is not shown: it may be a secret.
fn unknown(name: &OsStr, settings: &[&Arg]) -> String {
    let name = bare(name).to_ascii_uppercase();
    let rest = name.strip_prefix(PREFIX).unwrap_or(&name);
    let known = settings.iter().filter_map(|setting| setting.get_env()?.to_str());
    match nearest(rest, known.filter_map(|known| known.strip_prefix(PREFIX))) {
        Some(known) => format!("no setting has this name; the nearest is {PREFIX}{known}"),
        None => "no setting has this name; `nats-userman --help` lists them".into(),
    }
}

/// A name without characters that a file of variables may have added around it.
fn bare(name: &OsStr) -> String {
    name.to_string_lossy().trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_').to_owned()
}

/// A name as an error shows it.
pub(super) fn shown(name: impl AsRef<OsStr>) -> String {
    let text = name.as_ref().to_string_lossy();
    let is_plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_plain { text.into_owned() } else { format!("\"{}\"", text.escape_debug()) }
}
