//! Warns of secrets on the command line, which every user of the machine can see in the process
//! list. There is no warning for variables: only the same user and root can read those.

use clap::ArgMatches;
use clap::parser::ValueSource;

/// The name of the argument, its flag, and the flag that reads it from a file.
const SECRETS: [(&str, &str, &str); 3] = [
    ("postback_token", "--postback-token", "--postback-token-file"),
    ("api_key", "--api-key", "--api-key-file"),
    ("nats_api_key", "--nats-api-key", "--nats-api-key-file"),
];

/// A warning for each such secret.
pub fn exposed(matches: &ArgMatches) -> Vec<String> {
    let given = SECRETS.iter().filter(|(name, _, _)| is_on_command_line(matches, name));
    given
        .map(|(_, flag, file)| {
            format!(
                "{flag} is visible in the process list to every user of this machine: use \
                {file}"
            )
        })
        .collect()
}

/// Whether the flag was given, before or after the command.
fn is_on_command_line(matches: &ArgMatches, name: &str) -> bool {
    // Commands without settings do not have the name.
    let here = matches.try_contains_id(name).unwrap_or(false)
        && matches.value_source(name) == Some(ValueSource::CommandLine);
    here || matches.subcommand().is_some_and(|(_, matches)| is_on_command_line(matches, name))
}
