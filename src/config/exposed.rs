//! Warns of secrets on the command line, which every user of the machine can see in the process
//! list, and in a few other places. There is no warning for variables: only the same user and root
//! can read those.

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::read::Config;
use super::server::is_open_to_others;

/// The name of the argument, its flag, and the flag that reads it from a file.
const SECRETS: [(&str, &str, &str); 6] = [
    ("alarm_url", "--alarm-url", "--alarm-url-file"),
    ("database_password", "--database-password", "--database-password-file"),
    ("from_password", "--from-password", "--from-password-file"),
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

/// A warning for each secret that the settings leave open in another way.
pub fn exposed_by(config: &Config) -> Vec<String> {
    let in_url = "the URL of --database has a password, which shows wherever the URL does: use \
        --database-password-file";
    let in_clear = "--database-tls off: what is read from the database and written to it travels \
        unencrypted";
    let console = config.ops.listen.filter(|listen| !listen.ip().is_loopback());
    let is_open = console.is_some() && config.trusted_proxy.0.is_empty();
    let by_http = "--ops-listen can be reached from other machines and has no TLS: passwords of \
        operators travel unencrypted unless a proxy of --trusted-proxy is in front";
    let mut sentences = Vec::new();
    sentences.extend(is_open.then(|| by_http.to_owned()));
    sentences.extend(config.password_in_url.then(|| in_url.to_owned()));
    sentences.extend(is_open_to_others(&config.location).then(|| in_clear.to_owned()));
    sentences
}

/// Whether the flag was given, before or after the command.
fn is_on_command_line(matches: &ArgMatches, name: &str) -> bool {
    // Commands without settings do not have the name.
    let here = matches.try_contains_id(name).unwrap_or(false)
        && matches.value_source(name) == Some(ValueSource::CommandLine);
    here || matches.subcommand().is_some_and(|(_, matches)| is_on_command_line(matches, name))
}
