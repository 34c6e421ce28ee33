//! A wrong value of each setting, as a flag, a variable and a line of the configuration file.

use std::fs;

use super::super::{end, run_on};
use super::{settings, variable_of};
use crate::support::{program, temp_dir};

/// Settings for which a wrong value alone is no error, or no error of the flag.
pub(super) const APART: [(&str, &str); 21] = [
    ("--alarm-url-file", "the_url_of_alarms_may_come_from_a_file"),
    ("--config", "what_is_no_readable_file_is_one_line"),
    ("--data-dir", "any path will do"),
    ("--database-read", "what_is_said_of_a_server_is_refused_with_sqlite"),
    ("--database-password", "what_is_said_of_a_server_is_refused_with_sqlite"),
    ("--database-password-file", "what_is_said_of_a_server_is_refused_with_sqlite"),
    ("--database-tls", "what_is_said_of_a_server_is_refused_with_sqlite"),
    ("--database-tls-ca", "what_is_said_of_a_server_is_refused_with_sqlite"),
    ("--backup-dir", "any path will do"),
    ("--backup-with-keys", "a_switch_takes_the_words_that_people_write_into_variables"),
    ("--postback-token-file", "tokens_may_come_from_a_file_that_a_setting_names"),
    ("--login-by-email", "a_switch_takes_the_words_that_people_write_into_variables"),
    ("--keep-cryptpass", "a_switch_takes_the_words_that_people_write_into_variables"),
    ("--stale-guard", "a_switch_takes_the_words_that_people_write_into_variables"),
    ("--no-upgrade-copy", "a_switch_takes_the_words_that_people_write_into_variables"),
    ("--stand-in", "a_switch_takes_the_words_that_people_write_into_variables"),
    ("--nats-url", "what_is_said_of_nats_is_said_whole"),
    ("--nats-api-username", "what_is_said_of_nats_is_said_whole"),
    ("--nats-api-key", "what_is_said_of_nats_is_said_whole"),
    ("--nats-api-key-file", "what_is_said_of_nats_is_said_whole"),
    ("--nats-ca", "what_is_said_of_nats_is_said_whole"),
];

const NO_LINK: &str = "expected a URL with https:// or http://, a path with / first, or mailto: \
                       and an address, with no blank, quote or angle bracket, found \
                       \"javascript:x\"";

const WRONG: [(&str, &str, &str); 69] = [
    ("--listen", "nonsense", "expected ADDRESS:PORT, as in 127.0.0.1:8080, found \"nonsense\""),
    ("--fastcgi-listen", "9001", "expected ADDRESS:PORT, as in 127.0.0.1:9001, found \"9001\""),
    ("--ops-listen", "9180", "expected ADDRESS:PORT, as in 127.0.0.1:9180, found \"9180\""),
    (
        "--ops-token-file",
        "/nowhere",
        "cannot use the token file /nowhere: No such file or directory (os error 2)",
    ),
    (
        "--database",
        "mysql:x",
        "expected sqlite:PATH or mysql://USER@HOST/DATABASE, found \"mysql\"",
    ),
    ("--time-zone", "Mars", "expected a name as in Europe/Berlin or UTC, found \"Mars\""),
    (
        "--expire-grace-hours",
        "8785",
        "expected a whole number of hours from 0 to 8784, found \"8785\"",
    ),
    ("--clock-jump-minutes", "x", "expected a whole number of minutes from 0 to 1440, found \"x\""),
    ("--password-hash", "md5", "expected argon2id or bcrypt, found \"md5\""),
    ("--journal-days", "0", "expected a whole number of days from 1 to 36500, found \"0\""),
    (
        "--public-url",
        "ftp://x",
        "expected http:// or https://, a host, and no query, found \"ftp://x\"",
    ),
    (
        "--log",
        "loud",
        "expected error, warn, info, debug, trace or off, or module=level, found \"loud\"",
    ),
    ("--log-format", "xml", "expected text or json, found \"xml\""),
    (
        "--allow-ip",
        "10.0.0.0/33",
        "expected an address or a network, as in 192.0.2.0/24 or 2001:db8::/32, found \
         \"10.0.0.0/33\"",
    ),
    (
        "--allow-ip-file",
        "/nowhere",
        "cannot read the networks in /nowhere: No such file or directory (os error 2)",
    ),
    (
        "--trusted-proxy",
        "example.com",
        "expected an address or a network, as in 192.0.2.0/24 or 2001:db8::/32, found \
         \"example.com\"",
    ),
    (
        "--trusted-proxy-file",
        "/nowhere",
        "cannot read the networks in /nowhere: No such file or directory (os error 2)",
    ),
    (
        "--postback-token",
        "short",
        "expected 32 to 256 characters of A-Z, a-z, 0-9, _ and -, found 5 bytes",
    ),
    (
        "--backup-every",
        "daily",
        "expected minutes, hours or days up to a year, as in 90m, 24h or 7d, found \"daily\"",
    ),
    ("--backup-keep", "x", "expected a whole number from 1 to 10000, or 0 for all, found \"x\""),
    (
        "--alarm-command",
        "true",
        "expected the absolute path of a program, and its arguments after blanks, without quotes, \
         found \"true\"",
    ),
    (
        "--alarm-url",
        "hooks.example.com/s3cret",
        "expected one URL with http:// or https:// and a host, without a name and a password in \
         it, found 24 bytes",
    ),
    (
        "--alarm-error-percent",
        "100",
        "expected a whole number from 1 to 99, or 0 for no such alarm, found \"100\"",
    ),
    (
        "--alarm-silence-postbacks",
        "x",
        "expected a whole number up to 1000000000, or 0 for no such alarm, found \"x\"",
    ),
    (
        "--alarm-backlog",
        "1e3",
        "expected a whole number up to 1000000000, or 0 for no such alarm, found \"1e3\"",
    ),
    (
        "--alarm-backup-age",
        "1w",
        "expected minutes, hours or days up to a year, as in 90m, 24h or 7d, found \"1w\"",
    ),
    (
        "--alarm-disk-mib",
        "1G",
        "expected a whole number up to 1000000000, or 0 for no such alarm, found \"1G\"",
    ),
    (
        "--alarm-differences",
        "1.5",
        "expected a whole number up to 1000000000, or 0 for no such alarm, found \"1.5\"",
    ),
    ("--login-hours", "0", "expected a whole number of hours from 1 to 8784, found \"0\""),
    (
        "--login-stay-hours",
        "8785",
        "expected 0 for off, or a whole number of hours from 1 to 8784, found \"8785\"",
    ),
    (
        "--login-idle-minutes",
        "4",
        "expected 0 for off, or a whole number of minutes from 5 to 527040, found \"4\"",
    ),
    (
        "--login-days",
        "36501",
        "expected 0 for off, or a whole number of days up to 36500, found \"36501\"",
    ),
    (
        "--cookie-domain",
        "localhost:80",
        "expected a host name without a port, as in example.com, found \"localhost:80\"",
    ),
    (
        "--login-limit-pair",
        "1001",
        "expected a whole number from 0 to 1000, 0 for off, found \"1001\"",
    ),
    (
        "--login-limit-network",
        "1001",
        "expected a whole number from 0 to 1000, 0 for off, found \"1001\"",
    ),
    ("--login-limit-name", "x", "expected a whole number from 0 to 1000, 0 for off, found \"x\""),
    (
        "--login-window-minutes",
        "1441",
        "expected a whole number of minutes from 1 to 1440, found \"1441\"",
    ),
    (
        "--login-block-minutes",
        "x",
        "expected a whole number of minutes from 1 to 1440, found \"x\"",
    ),
    ("--sharing", "on", "expected off, log or block, found \"on\""),
    ("--sharing-networks", "61", "expected a whole number from 0 to 60, 0 for off, found \"61\""),
    ("--sharing-at-once", "x", "expected a whole number from 0 to 60, 0 for off, found \"x\""),
    ("--sharing-countries", "61", "expected a whole number from 0 to 60, 0 for off, found \"61\""),
    ("--sharing-minutes", "9", "expected a whole number of minutes from 10 to 44640, found \"9\""),
    (
        "--sharing-block-minutes",
        "0",
        "expected a whole number of minutes from 1 to 44640, found \"0\"",
    ),
    ("--sharing-ipv4-prefix", "33", "expected a whole number of bits from 8 to 32, found \"33\""),
    ("--sharing-ipv6-prefix", "65", "expected a whole number of bits from 16 to 64, found \"65\""),
    ("--sharing-exempt-member", "71", "expected SITEID/MEMBERID, as in 1/71, found \"71\""),
    (
        "--sharing-exempt-network",
        "office",
        "expected an address or a network, as in 192.0.2.0/24 or 2001:db8::/32, found \"office\"",
    ),
    (
        "--sharing-country-file",
        "/nowhere",
        "cannot read the countries in /nowhere: No such file or directory (os error 2)",
    ),
    (
        "--site-name",
        "a\tb",
        "expected 1 to 100 characters without control characters, found \"a\\tb\"",
    ),
    ("--site-logo", "/nowhere", "cannot read /nowhere: No such file or directory (os error 2)"),
    ("--site-accent", "red", "expected a colour as in #0b5cad or #fff, found \"red\""),
    ("--site-background", "red", "expected a colour as in #0b5cad or #fff, found \"red\""),
    ("--site-dark-accent", "red", "expected a colour as in #0b5cad or #fff, found \"red\""),
    ("--site-dark-background", "red", "expected a colour as in #0b5cad or #fff, found \"red\""),
    ("--site-language", "sv", "expected en, de, fr, es, it, nl, pl, pt, cs or ja, found \"sv\""),
    ("--forgot-password-url", "javascript:x", NO_LINK),
    ("--join-url", "javascript:x", NO_LINK),
    ("--support-url", "javascript:x", NO_LINK),
    (
        "--upgrade-url",
        "/up",
        "expected a URL with https:// or http:// that has {authstring} in it, found \"/up\"",
    ),
    (
        "--login-template",
        "/nowhere",
        "cannot read /nowhere: No such file or directory (os error 2)",
    ),
    ("--sites-file", "/nowhere", "cannot read /nowhere: No such file or directory (os error 2)"),
    (
        "--api-key",
        "shop:short",
        "expected USERNAME:KEY with a KEY of at least 16 characters and no comma, then \
         site=SITEID and ip=CIDR as often as wanted, with blanks between, found 10 bytes",
    ),
    (
        "--api-key-file",
        "/nowhere",
        "cannot read the API keys in /nowhere: No such file or directory (os error 2)",
    ),
    ("--nats-seconds", "11", "expected a whole number of seconds from 1 to 10, found \"11\""),
    ("--stand-in-minutes", "0", "expected a whole number of minutes from 1 to 1440, found \"0\""),
    ("--nats-report-logins", "yes", "expected no, recordlogin, login or loginlog, found \"yes\""),
    (
        "--nats-report-hours",
        "9000",
        "expected a whole number of hours from 0 to 8784, found \"9000\"",
    ),
    (
        "--reconcile-every",
        "1w",
        "expected minutes, hours or days up to a year, as in 90m, 24h or 7d, found \"1w\"",
    ),
];

#[test]
fn every_setting_has_the_variable_of_its_name_and_its_mistake_here() {
    for (flag, variable) in settings() {
        assert_eq!(variable, variable_of(&flag));
        let apart = APART.iter().any(|(other, _)| *other == flag);
        let wrong = WRONG.iter().any(|(other, ..)| *other == flag);
        assert!(apart != wrong, "{flag}: expected in one of WRONG and APART");
    }
}

/// The lines about all of [`WRONG`], each with its beginning before the problem.
fn lines_with(beginning: impl Fn(usize, &str) -> String) -> String {
    let line = |(index, (flag, _, problem)): (usize, &(&str, &str, &str))| {
        format!("nats-userman: {}: {problem}\n", beginning(index, flag))
    };
    WRONG.iter().enumerate().map(line).collect()
}

/// Another story has each of them alone, as a variable.
#[test]
fn each_bad_setting_is_one_clear_line_and_all_are_told_at_once() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let all: Vec<&str> = WRONG.iter().flat_map(|(flag, value, _)| [*flag, *value]).collect();
    for command in ["serve", "check-config"] {
        let lines = lines_with(|_, flag| flag.to_owned());
        run_on(&data, &[&[command], &all[..]].concat()).ended(2, &lines);
    }
    assert!(!data.exists(), "nothing was made");
}

#[test]
fn every_setting_has_a_variable_and_a_flag_beats_it() {
    for (flag, value, problem) in WRONG {
        let mut command = program();
        command.arg("check-config").env(variable_of(flag), value);
        end(command).ended(2, &format!("nats-userman: {flag}: {problem}\n"));
    }
    let dir = temp_dir();
    let mut command = program();
    command.args(["check-config", "--time-zone", "Europe/Berlin"]).env("USERMAN_TIME_ZONE", "Mars");
    command.env("USERMAN_DATA_DIR", dir.path().join("data"));
    assert!(end(command).printed().contains("time zone         Europe/Berlin, 0 hours of grace\n"));
}

/// The key of a flag in the configuration file.
fn key_of(flag: &str) -> String {
    flag.trim_start_matches('-').replace('-', "_")
}

#[test]
fn every_mistake_in_the_configuration_file_is_told_with_its_line() {
    let dir = temp_dir();
    let file = dir.path().join("userman.toml");
    let secrets = ["--postback-token", "--api-key", "--alarm-url"];
    let is_secret = |flag: &str| secrets.contains(&flag);
    let text: String = WRONG
        .iter()
        .map(|(flag, value, _)| match is_secret(flag) {
            true => "\n".to_owned(),
            false => format!("{} = {value:?}\n", key_of(flag)),
        })
        .collect();
    fs::write(&file, text).unwrap();
    let mut command = program();
    command.arg("check-config").env("USERMAN_CONFIG", &file);
    let mut said = lines_with(|index, flag| {
        format!("{}, line {}: {}", file.display(), index + 1, key_of(flag))
    });
    let is_of_secret =
        |line: &&str| secrets.iter().any(|flag| line.contains(&format!(": {}: ", key_of(flag))));
    said =
        said.lines().filter(|line| !is_of_secret(line)).map(|line| format!("{line}\n")).collect();
    end(command).ended(2, &said);
}
