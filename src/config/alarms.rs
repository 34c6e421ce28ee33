//! The settings of alarms.

use std::path::PathBuf;

use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};

use super::problems::{BadSetting, Problems, bytes};
use super::values::{INTERVAL_EXPECTED, any_path, interval, number};
use crate::alarms::{AlarmConfig, AlarmUrl, Limits, Targets, URL_EXPECTED};
use crate::text_file;

const COMMAND_EXPECTED: &str =
    "expected the absolute path of a program, and its arguments after blanks, without quotes";
const COUNT_MAX: u32 = 1_000_000_000;
const COUNT_EXPECTED: &str = "expected a whole number up to 1000000000, or 0 for no such alarm";

/// The settings as text. The comments are the help texts of the flags.
#[allow(rustdoc::bare_urls, rustdoc::invalid_html_tags, rustdoc::broken_intra_doc_links)]
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Alarms")]
pub struct AlarmSettings {
    /// Program that gets each alarm as JSON on its standard input, with its arguments after blanks,
    /// as in /usr/local/bin/alarm --to ops; no shell reads it
    #[arg(long, global = true, env = "USERMAN_ALARM_COMMAND", value_name = "COMMAND")]
    pub alarm_command: Option<String>,
    /// URL to which each alarm is posted as JSON
    #[arg(
        long,
        global = true,
        env = "USERMAN_ALARM_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub alarm_url: Option<SecretString>,
    /// File with the URL to which each alarm is posted
    #[arg(
        long,
        global = true,
        env = "USERMAN_ALARM_URL_FILE",
        value_name = "FILE",
        value_parser = any_path()
    )]
    pub alarm_url_file: Option<PathBuf>,
    /// Alarm if more than this percentage of the postbacks of an hour was answered with ERROR; 0
    /// for no such alarm
    #[arg(
        long,
        global = true,
        env = "USERMAN_ALARM_ERROR_PERCENT",
        value_name = "PERCENT",
        default_value = "20"
    )]
    pub alarm_error_percent: String,
    /// Alarm if a site is silent in a time in which it usually sends at least this many postbacks;
    /// 0 for no such alarm
    #[arg(
        long,
        global = true,
        env = "USERMAN_ALARM_SILENCE_POSTBACKS",
        value_name = "COUNT",
        default_value = "12"
    )]
    pub alarm_silence_postbacks: String,
    /// Alarm if more credentials than this wait to be hashed and become no fewer; 0 for no such
    /// alarm
    #[arg(
        long,
        global = true,
        env = "USERMAN_ALARM_BACKLOG",
        value_name = "COUNT",
        default_value = "1000"
    )]
    pub alarm_backlog: String,
    /// Alarm if the newest backup is older than this, as in 36h [default: twice --backup-every]
    #[arg(long, global = true, env = "USERMAN_ALARM_BACKUP_AGE", value_name = "TIME")]
    pub alarm_backup_age: Option<String>,
    /// Alarm if the disk of the database has less room than this, in MiB; 0 for no such alarm
    #[arg(
        long,
        global = true,
        env = "USERMAN_ALARM_DISK_MIB",
        value_name = "MIB",
        default_value = "1024"
    )]
    pub alarm_disk_mib: String,
    /// Alarm if --reconcile-every finds this many members that differ from NATS's list; 0 for no
    /// such alarm
    #[arg(
        long,
        global = true,
        env = "USERMAN_ALARM_DIFFERENCES",
        value_name = "COUNT",
        default_value = "1"
    )]
    pub alarm_differences: String,
}

/// Reads the settings; `None` if one is wrong.
pub(super) fn read(settings: &AlarmSettings, bad: &mut Problems) -> Option<AlarmConfig> {
    let before = bad.0.len();
    let text = settings.alarm_command.as_deref();
    let command = bad.read_optional("--alarm-command", COMMAND_EXPECTED, text, command);
    let url = url(settings, bad);
    let error_percent = bad.read(
        "--alarm-error-percent",
        "expected a whole number from 1 to 99, or 0 for no such alarm",
        &settings.alarm_error_percent,
        number(0, 99),
    );
    let silence = &settings.alarm_silence_postbacks;
    let silence_postbacks =
        bad.read("--alarm-silence-postbacks", COUNT_EXPECTED, silence, number(0, COUNT_MAX));
    let backlog = &settings.alarm_backlog;
    let backlog = bad.read("--alarm-backlog", COUNT_EXPECTED, backlog, number(0, COUNT_MAX));
    let backup_age = bad.read_optional(
        "--alarm-backup-age",
        INTERVAL_EXPECTED,
        settings.alarm_backup_age.as_deref(),
        interval,
    );
    let disk = &settings.alarm_disk_mib;
    let disk_mib = bad.read("--alarm-disk-mib", COUNT_EXPECTED, disk, number(0, COUNT_MAX));
    let differences = &settings.alarm_differences;
    let differences =
        bad.read("--alarm-differences", COUNT_EXPECTED, differences, number(0, COUNT_MAX));
    let limits = Limits {
        error_percent: error_percent?,
        silence_postbacks: silence_postbacks?,
        backlog: backlog?,
        backup_age,
        disk_mib: disk_mib?,
        differences: differences?,
    };
    (bad.0.len() == before).then_some(AlarmConfig { targets: Targets { command, url }, limits })
}

/// A program and its arguments.
fn command(text: &str) -> Option<Vec<String>> {
    let is_plain = text.starts_with('/') && !text.contains(['"', '\'', '`', '\0']);
    is_plain.then(|| text.split_ascii_whitespace().map(str::to_owned).collect())
}

fn url(settings: &AlarmSettings, bad: &mut Problems) -> Option<AlarmUrl> {
    let (flag, text) = match (&settings.alarm_url, &settings.alarm_url_file) {
        (None, None) => return None,
        (Some(_), Some(_)) => {
            let expected = "expected one URL";
            bad.0.push(BadSetting::found("--alarm-url", expected, "--alarm-url-file beside it"));
            return None;
        }
        (Some(text), None) => ("--alarm-url", text.expose_secret().to_owned()),
        (None, Some(_)) => {
            let file = settings.alarm_url_file.as_ref();
            let read = |path: &std::path::Path| {
                text_file::read(path)
                    .map_err(|error| std::io::Error::other(format!("{}: {error}", path.display())))
            };
            ("--alarm-url-file", bad.file("--alarm-url-file", file, read)?)
        }
    };
    let url = AlarmUrl::parse(text.trim());
    if url.is_none() {
        bad.0.push(BadSetting::found(flag, URL_EXPECTED, &bytes(&text)));
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_a_path_and_arguments_and_no_line_of_a_shell() {
        let words = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
        for (text, expected) in [
            ("/bin/true", words(&["/bin/true"])),
            ("/bin/a  --to\tops", words(&["/bin/a", "--to", "ops"])),
            ("/bin/a $HOME;x|y", words(&["/bin/a", "$HOME;x|y"])),
            ("true", None),
            ("./true", None),
            ("", None),
            ("/bin/a \"b c\"", None),
            ("/bin/a 'b c'", None),
        ] {
            assert_eq!(command(text), expected, "{text}");
        }
    }
}
