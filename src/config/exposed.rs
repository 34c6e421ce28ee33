//! Secrets that were given on the command line, which every user of the machine can read in the
//! list of processes. Variables are left in peace: only the same user, and root, can read those.

use clap::ArgMatches;
use clap::parser::ValueSource;

/// The name of the argument, its flag, and the flag that takes the same from a file.
const SECRETS: [(&str, &str, &str); 3] = [
    ("postback_token", "--postback-token", "--postback-token-file"),
    ("api_key", "--api-key", "--api-key-file"),
    ("nats_api_key", "--nats-api-key", "--nats-api-key-file"),
];

/// A sentence for each of them.
pub fn exposed(matches: &ArgMatches) -> Vec<String> {
    let given = SECRETS.iter().filter(|(name, _, _)| is_on_command_line(matches, name));
    given
        .map(|(_, flag, file)| {
            format!("{flag} stands in the list of processes, where every user of this machine can read it: use {file}")
        })
        .collect()
}

/// Also behind the command, where global flags may stand.
fn is_on_command_line(matches: &ArgMatches, name: &str) -> bool {
    // Commands that take no settings do not know the name.
    let here = matches.try_contains_id(name).unwrap_or(false)
        && matches.value_source(name) == Some(ValueSource::CommandLine);
    here || matches.subcommand().is_some_and(|(_, matches)| is_on_command_line(matches, name))
}
