//! Settings and their mistakes: flags, variables, files, exit codes.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use clap::{Arg, Command, CommandFactory as _};
use nats_userman::cli::Cli;

use super::{end, run, run_on};
use crate::docs::packaged_file;
use crate::support::{Program, TOKEN, post_to, program, temp_dir};

const OTHER: &str = "other_token_0123456789_abcdef_0123456789";

/// Every command with the words that call it, the program itself first.
fn commands() -> Vec<(Vec<String>, Command)> {
    let mut program = Cli::command();
    program.build();
    let mut all = vec![(Vec::new(), program)];
    let mut next = 0;
    while let Some((words, command)) = all.get(next).cloned() {
        let children = command.get_subcommands().filter(|child| child.get_name() != "help");
        all.extend(children.map(|child| {
            let name = child.get_name().to_owned();
            ([words.as_slice(), &[name]].concat(), child.clone())
        }));
        next += 1;
    }
    all
}

/// Every setting: its flag and its variable.
fn settings() -> Vec<(String, String)> {
    let program = Cli::command();
    let settings = program.get_arguments().filter(|setting| setting.is_global_set());
    let both = |setting: &Arg| {
        let variable = setting.get_env().unwrap_or_else(|| panic!("{setting} has no variable"));
        (format!("--{}", setting.get_long().unwrap()), variable.to_str().unwrap().to_owned())
    };
    settings.map(both).collect()
}

#[test]
fn every_command_has_a_help_that_names_every_setting() {
    let (commands, settings) = (commands(), settings());
    assert!(commands.len() > 10 && settings.len() > 30, "{commands:?} {settings:?}");
    for (words, command) in commands {
        let args: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
        // On one line: the width of the terminal decides where lines break.
        let help = run(&args).printed().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(help.contains(["Usage: nats-userman", &words.join(" ")].join(" ").trim_end()));
        for (flag, variable) in &settings {
            assert!(help.contains(&format!("{flag} ")), "{words:?}: {flag}: {help}");
            assert!(help.contains(&format!("[env: {variable}")), "{words:?}: {variable}: {help}");
        }
        for own in command.get_arguments().filter_map(Arg::get_long) {
            assert!(help.contains(&format!("--{own}")), "{words:?}: --{own}: {help}");
        }
    }
    assert_eq!(
        run(&["--version"]).printed(),
        format!("nats-userman {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn every_setting_has_the_variable_of_its_name_and_its_mistake_here() {
    for (flag, variable) in settings() {
        assert_eq!(variable, variable_of(&flag));
        let apart = APART.iter().any(|(other, _)| *other == flag);
        let wrong = WRONG.iter().any(|(other, ..)| *other == flag);
        assert!(apart != wrong, "{flag}: expected in one of WRONG and APART");
    }
}

fn variable_of(flag: &str) -> String {
    format!("USERMAN{}", flag.replace("--", "_").replace('-', "_").to_ascii_uppercase())
}

/// Settings that a wrong value alone does not refuse, or not by a flag.
const APART: [(&str, &str); 18] = [
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
    ("--keep-cryptpass", "a_switch_takes_the_words_that_people_write_into_variables"),
    ("--no-upgrade-copy", "a_switch_takes_the_words_that_people_write_into_variables"),
    ("--stand-in", "a_switch_takes_the_words_that_people_write_into_variables"),
    ("--nats-url", "what_is_said_of_nats_is_said_whole"),
    ("--nats-api-username", "what_is_said_of_nats_is_said_whole"),
    ("--nats-api-key", "what_is_said_of_nats_is_said_whole"),
    ("--nats-api-key-file", "what_is_said_of_nats_is_said_whole"),
    ("--nats-ca", "what_is_said_of_nats_is_said_whole"),
];

#[test]
fn wrong_usage_ends_with_code_2() {
    for args in [
        &[][..],
        &["frobnicate"],
        &["serve", "--frobnicate"],
        &["serve", "extra"],
        &["replay"],
        &["member"],
        &["member", "show", "1"],
        &["member", "show", "one", "71"],
        &["member", "remove", "1", "0"],
        &["journal", "--since", "yesterday"],
        &["journal", "--site", "one"],
        &["replay", "--dry-run", "--to", "http://127.0.0.1:1/", "x"],
        &["replay", "--journal", "--dry-run", "x"],
    ] {
        let ran = run(args);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{args:?}: {ran:?}");
        assert!(!ran.err.is_empty(), "{args:?}");
    }
    let dir = temp_dir();
    run_on(dir.path(), &["member", "show", "1", "7x"]).ended(
        2,
        "nats-userman: MEMBERID: expected a number from 1 to 9223372036854775807, found \"7x\"\n",
    );
    run_on(dir.path(), &["journal", "--action", "bogus"]).ended(
        2,
        "nats-userman: --action: expected ADD, MANUALADD, TRIALTOFULL, CHANGE, DELETE, EXPIRE, \
         CHECK or ACTIVATE, found \"bogus\"\n",
    );
    run_on(dir.path(), &["journal", "--reply", "bogus"])
        .ended(2, "nats-userman: --reply: expected OK, NOTOK or ERROR, found \"bogus\"\n");
    run_on(dir.path(), &["journal", "--until", "2026-13-01"]).ended(
        2,
        "nats-userman: --until: expected YYYY-MM-DD, YYYY-MM-DD hh:mm:ss or unix seconds of 9 to \
         11 digits, found \"2026-13-01\"\n",
    );
}

const WRONG: [(&str, &str, &str); 30] = [
    ("--listen", "nonsense", "expected ADDRESS:PORT, as in 127.0.0.1:8080, found \"nonsense\""),
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
    ("--login-hours", "0", "expected a whole number of hours from 1 to 8784, found \"0\""),
    (
        "--login-idle-minutes",
        "4",
        "expected 0 for off, or a whole number of minutes from 5 to 527040, found \"4\"",
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
    (
        "--login-template",
        "/nowhere",
        "cannot read /nowhere: No such file or directory (os error 2)",
    ),
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
];

/// NATS's URL, username and key go together, and a stand-in stands alone.
#[test]
fn what_is_said_of_nats_is_said_whole() {
    let dir = temp_dir();
    let (key_file, no_pem) = (dir.path().join("key"), dir.path().join("pem"));
    fs::write(&key_file, "0123 4567\n").unwrap();
    fs::write(&no_pem, "none").unwrap();
    let (key_file, no_pem) = (key_file.to_str().unwrap(), no_pem.to_str().unwrap());
    let (url, username, key) = (
        ["--nats-url", "https://nats.example.com"],
        ["--nats-api-username", "tmm1"],
        ["--nats-api-key", "0123"],
    );
    let beside = |flag: &str| {
        format!("nats-userman: {flag}: expected it beside --nats-url, found nothing\n")
    };
    let credential = "expected 1 to 256 printable ASCII characters without blanks";
    let no_url =
        "nats-userman: --nats-url: expected it beside --nats-api-username, --nats-api-key and \
         --nats-ca, found nothing\n"
            .to_owned();
    for (args, said) in [
        (vec![url], [beside("--nats-api-username"), beside("--nats-api-key")].concat()),
        (vec![url, key], beside("--nats-api-username")),
        (vec![username], no_url.clone()),
        (vec![key], no_url.clone()),
        (vec![["--nats-ca", no_pem]], no_url),
        (
            vec![["--nats-url", "https://user:secret@nats.example.com"], username, key],
            "nats-userman: --nats-url: expected http:// or https:// and NATS's domain, as in \
             https://nats.example.com, without /api, found a user, a query or a #\n"
                .into(),
        ),
        (
            vec![["--nats-url", "nats.example.com"], username, key],
            "nats-userman: --nats-url: expected http:// or https:// and NATS's domain, as in \
             https://nats.example.com, without /api, found \"nats.example.com\"\n"
                .into(),
        ),
        (
            vec![url, username, ["--nats-api-key", "a b"]],
            format!(
                "nats-userman: --nats-api-key: \
            {credential}, found 3 bytes\n"
            ),
        ),
        (
            vec![url, username, ["--nats-api-key-file", key_file]],
            format!(
                "nats-userman: \
            --nats-api-key-file: {credential}, found 9 bytes\n"
            ),
        ),
        (
            vec![url, username, ["--nats-api-key-file", "/nowhere"]],
            "nats-userman: --nats-api-key-file: expected a file, found /nowhere: No such file or \
             directory (os error 2)\n"
                .into(),
        ),
        (
            vec![url, username, key, ["--nats-api-key-file", key_file]],
            "nats-userman: --nats-api-key: expected one key, found --nats-api-key-file beside \
             it\n"
                .into(),
        ),
        (
            vec![url, username, key, ["--nats-ca", no_pem]],
            format!(
                "nats-userman: --nats-ca: expected certificates in PEM form, found none in \
                {no_pem}\n"
            ),
        ),
        (
            vec![url, username, key, ["--stand-in", "--stand-in"]],
            "nats-userman: --stand-in: expected it without --nats-url, found both\n".into(),
        ),
        (
            vec![["--api-key", "shop:0123456789abcdef,shop:0123456789abcdef site=1"]],
            "nats-userman: --api-key: expected each key once, found one of \"shop\" twice\n".into(),
        ),
    ] {
        let mut args = args.concat();
        args.dedup();
        run_on(&dir.path().join("data"), &[&["check-config"], &args[..]].concat()).ended(2, &said);
    }
}

#[test]
fn each_bad_setting_is_one_clear_line_and_all_are_told_at_once() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let mut all = Vec::new();
    for (flag, value, problem) in WRONG {
        for command in ["serve", "check-config"] {
            run_on(&data, &[command, flag, value])
                .ended(2, &format!("nats-userman: {flag}: {problem}\n"));
        }
        all.extend([flag, value]);
    }
    let lines: String = WRONG
        .iter()
        .map(|(flag, _, problem)| format!("nats-userman: {flag}: {problem}\n"))
        .collect();
    run_on(&data, &[&["serve"], &all[..]].concat()).ended(2, &lines);
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

/// The items of a list in TOML, or the one value.
fn texts(toml: &str) -> Vec<&str> {
    let items = toml.trim_start_matches('[').trim_end_matches(']').split(", ");
    items.map(|item| item.trim_matches('"')).collect()
}

#[test]
fn every_setting_has_the_same_value_by_flag_variable_and_key() {
    let dir = temp_dir();
    let file = dir.path().join("userman.toml");
    let lines = packaged_file::lines();
    assert!(lines.len() > 30, "{lines:?}");
    for line in &lines {
        let (key, toml) = line.split_once(" = ").unwrap();
        let is_switch = toml == "false";
        let toml = if is_switch { "true" } else { toml };
        // As wrong settings are printed too, the files that they name need not be there.
        let printed = |command: &mut std::process::Command| {
            let printed = command.args(["config", "--json"]).output().unwrap().stdout;
            let mut printed: serde_json::Value = serde_json::from_slice(&printed).unwrap();
            let setting = printed["settings"][key].take();
            (setting["origin"].as_str().unwrap().to_owned(), setting["value"].clone())
        };
        fs::write(&file, format!("{key} = {toml}\n")).unwrap();
        let (origin, by_key) = printed(program().env("USERMAN_CONFIG", &file));
        assert_eq!(origin, "file", "{line}");
        let flag = format!("--{}", key.replace('_', "-"));
        let (origin, by_variable) =
            printed(program().env(variable_of(&flag), texts(toml).join(",")));
        assert_eq!((origin.as_str(), &by_variable), ("variable", &by_key), "{line}");
        let mut with_flags = program();
        for text in texts(toml) {
            with_flags.arg(&flag).args((!is_switch).then_some(text));
        }
        assert_eq!(printed(&mut with_flags), ("flag".into(), by_key), "{line}");
    }
}

#[test]
fn every_mistake_in_the_configuration_file_is_told_with_its_line() {
    let dir = temp_dir();
    let file = dir.path().join("userman.toml");
    let is_secret = |flag: &str| ["--postback-token", "--api-key"].contains(&flag);
    for (flag, value, problem) in WRONG.iter().filter(|(flag, ..)| !is_secret(flag)) {
        let key = key_of(flag);
        fs::write(&file, format!("\n{key} = \"{value}\"\n")).unwrap();
        let mut command = program();
        command.arg("check-config").env("USERMAN_CONFIG", &file);
        let said = format!("nats-userman: {}, line 2: {key}: {problem}\n", file.display());
        end(command).ended(2, &said);
    }
}

/// Regression: as in a file of variables of which some are left open, `USERMAN_LISTEN=`.
#[test]
fn a_variable_that_is_set_to_nothing_is_not_set() {
    let dir = temp_dir();
    let with = |value: Option<&str>| {
        let mut command = program();
        command.current_dir(dir.path()).arg("check-config");
        // Without its variable, the machine's own configuration file would be read.
        for (_, variable) in settings().iter().filter(|(flag, _)| flag != "--config") {
            value.map(|value| command.env(variable, value));
        }
        end(command).printed()
    };
    assert_eq!((with(Some("")), with(Some(" \t"))), (with(None), with(None)));
    assert!(with(None).contains("allowed networks  any\n"));
}

/// Regression: `--allow-ip "$NETWORK"` with nothing in the script's variable let everybody in.
#[test]
fn a_flag_without_a_value_is_a_bad_setting() {
    let dir = temp_dir();
    let network = "expected an address or a network, as in 192.0.2.0/24 or 2001:db8::/32";
    for (flag, value, problem) in [
        ("--allow-ip", "", format!("{network}, found \"\"")),
        ("--allow-ip", " ", format!("{network}, found \" \"")),
        ("--allow-ip", ", ", format!("{network}, found \", \"")),
        ("--trusted-proxy", "", format!("{network}, found \"\"")),
        (
            "--postback-token",
            "",
            "expected 32 to 256 characters of A-Z, a-z, 0-9, _ and -, found \
            0 bytes"
                .into(),
        ),
        (
            "--api-key",
            "",
            "expected USERNAME:KEY with a KEY of at least 16 characters and no comma, then \
             site=SITEID and ip=CIDR as often as wanted, with blanks between, found 0 bytes"
                .into(),
        ),
        ("--listen", "", "expected ADDRESS:PORT, as in 127.0.0.1:8080, found \"\"".into()),
        (
            "--public-url",
            "",
            "expected http:// or https://, a host, and no query, found \
            \"\""
                .into(),
        ),
        (
            "--journal-days",
            "",
            "expected a whole number of days from 1 to 36500, found \
            \"\""
                .into(),
        ),
        ("--data-dir", "", "expected a path, found \"\"".into()),
        ("--database", "", "expected sqlite:PATH or mysql://USER@HOST/DATABASE, found \"\"".into()),
    ] {
        let mut command = program();
        // The flag counts, not the variable beside it.
        command
            .current_dir(dir.path())
            .args(["check-config", flag, value])
            .env("USERMAN_ALLOW_IP", "");
        end(command).ended(2, &format!("nats-userman: {flag}: {problem}\n"));
    }
    let mut command = program();
    command.current_dir(dir.path()).arg("check-config").env("USERMAN_ALLOW_IP", ",");
    end(command).ended(2, &format!("nats-userman: --allow-ip: {network}, found \",\"\n"));
    let list = run_on(
        &dir.path().join("data"),
        &["check-config", "--allow-ip", "192.0.2.1,,", "--allow-ip", ""],
    )
    .printed();
    assert!(list.contains("allowed networks  192.0.2.1/32\n"), "{list}");
}

#[test]
fn a_database_that_is_no_path_is_a_bad_setting() {
    let dir = temp_dir();
    for (database, found) in [
        ("sqlite:", "sqlite:"),
        ("sqlite::memory:", "sqlite::memory:"),
        ("sqlite:file:members.db", "sqlite:file:members.db"),
        ("sqlite:members.db?mode=ro&key=secret", "sqlite:members.db?"),
    ] {
        let said = format!(
            "nats-userman: --database: expected sqlite:PATH, the path of a file, found \
             \"{found}\"\n"
        );
        run_on(&dir.path().join("data"), &["check-config", "--database", database]).ended(2, &said);
    }
}

#[test]
fn check_config_says_what_would_be_used_and_hides_secrets() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let mut command = program();
    command.arg("check-config");
    for (variable, value) in [
        ("USERMAN_LISTEN", "[::1]:9000"),
        ("USERMAN_PUBLIC_URL", "https://members.example.com/"),
        ("USERMAN_DATA_DIR", data.to_str().unwrap()),
        ("USERMAN_DATABASE", "sqlite:/tmp/somewhere.db"),
        ("USERMAN_POSTBACK_TOKEN", &format!("{TOKEN},{OTHER}")),
        ("USERMAN_ALLOW_IP", "192.0.2.0/24, 2001:db8::1"),
        ("USERMAN_TRUSTED_PROXY", "127.0.0.1,10.1.2.3/8"),
        ("USERMAN_TIME_ZONE", "Europe/Berlin"),
        ("USERMAN_EXPIRE_GRACE_HOURS", "36"),
        ("USERMAN_CLOCK_JUMP_MINUTES", "30"),
        ("USERMAN_PASSWORD_HASH", "bcrypt"),
        ("USERMAN_KEEP_CRYPTPASS", "1"),
        ("USERMAN_JOURNAL_DAYS", "400"),
        ("USERMAN_BACKUP_EVERY", "12h"),
        ("USERMAN_LOGIN_HOURS", "12"),
        ("USERMAN_LOGIN_IDLE_MINUTES", "30"),
        ("USERMAN_COOKIE_DOMAIN", "example.com, .EU.example.com"),
        ("USERMAN_LOGIN_LIMIT_PAIR", "5"),
        ("USERMAN_LOGIN_LIMIT_NETWORK", "200"),
        ("USERMAN_LOGIN_LIMIT_NAME", "0"),
        ("USERMAN_LOGIN_WINDOW_MINUTES", "20"),
        ("USERMAN_LOGIN_BLOCK_MINUTES", "30"),
        ("USERMAN_API_KEY", "shop:0123456789abcdef,desk:0123456789abcdef site=1 ip=::1"),
        ("USERMAN_NATS_URL", "https://nats.example.com/"),
        ("USERMAN_NATS_API_USERNAME", "tmm1"),
        ("USERMAN_NATS_API_KEY", OTHER),
        ("USERMAN_NATS_SECONDS", "7"),
        ("USERMAN_LOG", "warn,writer=debug"),
        ("USERMAN_LOG_FORMAT", "json"),
    ] {
        command.env(variable, value);
    }
    let printed = end(command).printed();
    assert_eq!(
        printed,
        format!(
            "settings file     /dev/null\n\
             listen            [::1]:9000\n\
             public URL        https://members.example.com/postback/***\n\
             data directory    {}\n\
             database          sqlite:/tmp/somewhere.db\n\
             tokens            2 of the settings\n\
             allowed networks  192.0.2.0/24, 2001:db8::1/128\n\
             trusted proxies   127.0.0.1/32, 10.0.0.0/8\n\
             time zone         Europe/Berlin, 36 hours of grace\n\
             clock jumps       accepted after 30 minutes\n\
             password hash     bcrypt\n\
             keep cryptpass    yes\n\
             journal kept      400 days\n\
             upgrade copy      kept\n\
             backups           every 12h into {}/backups, keeping the newest 7\n\
             logins            12 hours, or 30 minutes unused, shared by eu.example.com and by \
             example.com, the default page\n\
             guessing          pair 5, network 200, name off wrong passwords within 20 minutes \
             block for 30 minutes\n\
             API keys          of shop, desk site=1 ip=::1/128\n\
             authstrings       of https://nats.example.com as tmm1, within 7 s\n\
             log               warn,writer=debug, json\n\
             configuration OK\n",
            data.display(),
            data.display()
        )
    );
    assert!(!data.exists(), "nothing was made");
}

#[test]
fn check_config_finds_a_directory_in_which_no_backup_can_be_made() {
    let dir = temp_dir();
    let (data, file) = (dir.path().join("data"), dir.path().join("file"));
    let missing = dir.path().join("none");
    fs::write(&file, "").unwrap();
    for (place, said) in [
        (&missing, "there is no directory AT: create it, or mount the disk that has it"),
        (&file, "AT is not a directory: name the directory for backups"),
    ] {
        let place = place.to_str().unwrap();
        let args = ["check-config", "--backup-every", "24h", "--backup-dir", place];
        let ran = run_on(&data, &args);
        let said = said.replace("AT", place);
        assert_eq!((ran.code, ran.err), (Some(1), format!("nats-userman: {said}\n")));
    }
}

#[test]
fn a_switch_takes_the_words_that_people_write_into_variables() {
    let dir = temp_dir();
    for (word, kept) in
        [("1", "yes"), ("true", "yes"), ("yes", "yes"), ("0", "no"), ("false", "no"), ("no", "no")]
    {
        let mut command = program();
        command
            .arg("check-config")
            .arg("--data-dir")
            .arg(dir.path().join("data"))
            .env("USERMAN_KEEP_CRYPTPASS", word);
        assert!(end(command).printed().contains(&format!("keep cryptpass    {kept}\n")), "{word}");
    }
    for (flag, _) in APART.iter().filter(|(_, why)| why.starts_with("a_switch_")) {
        let mut command = program();
        command.arg("check-config").env(variable_of(flag), "perhaps");
        let words = "expected yes or no, true or false, 1 or 0, found \"perhaps\"";
        end(command).ended(2, &format!("nats-userman: {flag}: {words}\n"));
    }
}

fn write(dir: &Path, name: &str, mode: u32, text: &str) {
    fs::write(dir.join(name), text).unwrap();
    fs::set_permissions(dir.join(name), Permissions::from_mode(mode)).unwrap();
}

#[test]
fn check_config_says_what_is_wrong_with_paths_and_makes_none() {
    let dir = temp_dir();
    let at = dir.path().canonicalize().unwrap();
    write(&at, "file", 0o600, "");
    std::os::unix::fs::symlink(at.join("nowhere"), at.join("link")).unwrap();
    let gone = "No such file or directory (os error 2)";
    let (file, link, missing) = (at.join("file"), at.join("link"), at.join("missing"));
    let (file, link, missing) = (file.display(), link.display(), missing.display());
    let elsewhere = |path: String| vec!["--database".to_owned(), format!("sqlite:{path}")];
    for (data, flags, problem) in [
        ("file", vec![], format!("the data directory {file} is not a directory")),
        (
            "file/a/b",
            vec![],
            format!("the data directory {file}/a/b cannot be made: {file} is not a directory"),
        ),
        ("link", vec![], format!("the data directory {link} is a broken symbolic link")),
        (
            "data",
            elsewhere(format!("{missing}/x.db")),
            format!("the database {missing}/x.db cannot be there: {missing} is not there: {gone}"),
        ),
        (
            "data",
            elsewhere(format!("{file}/x.db")),
            format!("the database {file}/x.db cannot be there: {file} is not a directory"),
        ),
    ] {
        let mut args = vec!["check-config"];
        args.extend(flags.iter().map(String::as_str));
        run_on(&at.join(data), &args).ended(1, &format!("nats-userman: {problem}\n"));
    }
    // What is missing above a data directory is made with it, and a database may lie in it or
    // beside.
    for database in [at.join("a/b/x.db"), at.join("x.db")] {
        let database = format!("sqlite:{}", database.display());
        assert!(
            run_on(&at.join("a/b"), &["check-config", "--database", &database])
                .printed()
                .ends_with("configuration OK\n")
        );
    }
    let mut here = program();
    here.current_dir(&at).args([
        "check-config",
        "--data-dir",
        "a",
        "--database",
        "sqlite:./a/x.db",
    ]);
    assert!(end(here).printed().ends_with("configuration OK\n"));
    assert_eq!(fs::read_dir(&at).unwrap().count(), 2, "nothing was made");
}

/// Regression: a restored key stayed readable for everybody, and nobody was told.
#[test]
fn files_that_are_open_to_others_are_told_and_a_start_tightens_the_secrets() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    // Killed, so that the WAL has something: SQLite gives an empty one the mode of the database.
    Program::serve(&data, &[]).kill();
    write(&data, "postback-token", 0o640, &format!("{TOKEN}\n"));
    let modes = [
        ("", 0o777),
        ("seal.key", 0o644),
        ("userman.db", 0o646),
        ("userman.db-wal", 0o660),
        ("userman.db-shm", 0o604),
    ];
    for (name, mode) in modes {
        fs::set_permissions(data.join(name), Permissions::from_mode(mode)).unwrap();
    }
    let mode = |name: &str| fs::metadata(data.join(name)).unwrap().permissions().mode() & 0o7777;
    let at = data.display();
    let secrets = [
        format!("{at}/seal.key: expected mode 0600, found 0644"),
        format!("{at}/postback-token: expected mode 0600, found 0640"),
    ];
    let rest = [
        format!(
            "{at}: expected mode 0750, found 0777: other users can access it; run `chmod o= {at}`"
        ),
        format!(
            "{at}/userman.db: expected mode 0640, found 0646: other users can access it; run \
             `chmod o= {at}/userman.db`"
        ),
        format!(
            "{at}/userman.db-shm: expected mode 0640, found 0604: other users can access it; run \
             `chmod o= {at}/userman.db-shm`"
        ),
    ];
    let lines = |secret: &str, front: &str| {
        let secrets = secrets.iter().map(|line| format!("{front}{line}{secret}\n"));
        secrets.chain(rest.iter().map(|line| format!("{front}{line}\n"))).collect::<String>()
    };
    run_on(&data, &["check-config"]).ended(1, &lines("; `serve` will fix it", "nats-userman: "));
    assert_eq!(modes.map(|(name, _)| (name, mode(name))), modes, "it changes nothing");

    let mut program = Program::serve(&data, &[]);
    program.terminate();
    let warned: String = program
        .stderr()
        .lines()
        .filter_map(|line| Some(format!("WARN{}\n", line.split_once(" WARN ")?.1)))
        .collect();
    assert_eq!(warned, lines("; fixed, but other users may have read it before", "WARN "));
    assert_eq!(["seal.key", "postback-token"].map(mode), [0o600; 2]);
    assert_eq!(["", "userman.db"].map(mode), [0o777, 0o646], "the operator's to decide");
}

#[test]
fn files_of_secrets_that_settings_name_are_told_when_they_are_open_to_others() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let keys = dir.path().join("api-keys");
    let at = keys.display().to_string();
    write(dir.path(), "api-keys", 0o640, "# pages\n\nshop:0123456789abcdef site=1\n");
    let args = ["check-config", "--api-key-file", &at];
    assert!(run_on(&data, &args).printed().contains("API keys          of shop site=1\n"));
    fs::set_permissions(&keys, Permissions::from_mode(0o644)).unwrap();
    let said = format!(
        "{at}: expected mode 0640, found 0644: other users can access it; run `chmod o= {at}`"
    );
    run_on(&data, &args).ended(1, &format!("nats-userman: {said}\n"));
    let mut program = Program::serve(&data, &["--api-key-file", &at]);
    program.terminate();
    assert!(program.stderr().contains(&format!(" WARN  {said}\n")), "{}", program.stderr());
    write(dir.path(), "api-keys", 0o600, "shop:0123456789abcdef\nshop 1\n");
    let line = "expected USERNAME:KEY with a KEY of at least 16 characters and no comma, then \
        site=SITEID and ip=CIDR as often as wanted, with blanks between";
    run_on(&data, &args).ended(2, &format!("nats-userman: --api-key-file: {at}, line 2: {line}\n"));
}

#[test]
fn a_key_that_its_owner_may_only_read_stays_so() {
    let dir = temp_dir();
    Program::serve(dir.path(), &[]).terminate();
    for (before, after) in [(0o400, 0o400), (0o444, 0o400)] {
        fs::set_permissions(dir.path().join("seal.key"), Permissions::from_mode(before)).unwrap();
        Program::serve(dir.path(), &[]).terminate();
        assert_eq!(
            fs::metadata(dir.path().join("seal.key")).unwrap().permissions().mode() & 0o7777,
            after
        );
    }
}

#[test]
fn check_config_says_what_is_wrong_and_touches_nothing() {
    let dir = temp_dir();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o750)).unwrap();
    write(dir.path(), "seal.key", 0o600, "no key");
    write(dir.path(), "postback-token", 0o600, &format!("{TOKEN}\nshort\n"));
    write(
        dir.path(),
        "userman.db",
        0o640,
        "no database, although it is long enough for the head of one",
    );
    let ran = run_on(dir.path(), &["check-config"]);
    let at = dir.path().display();
    let lines = [
        format!(
            "nats-userman: {at}/postback-token, line 2: expected 32 to 256 characters of A-Z, \
             a-z, 0-9, _ and -\n"
        ),
        format!(
            "nats-userman: key file {at}/seal.key: expected 64 lower-case hex digits and a line \
             break, found 6 bytes that are not\n"
        ),
        format!(
            "nats-userman: the database {at}/userman.db is damaged or no SQLite database; nothing \
             was changed, restore a backup"
        ),
    ];
    assert!(ran.err.starts_with(&lines.concat()), "{}", ran.err);
    assert_eq!((ran.code, ran.err.lines().count()), (Some(1), 3), "{}", ran.err);
    assert!(!ran.out.contains(TOKEN) && !ran.out.contains("nothing is wrong"), "{}", ran.out);
    assert_eq!(fs::read_to_string(dir.path().join("seal.key")).unwrap(), "no key");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3, "no file was made");
}

#[test]
fn a_token_of_a_variable_is_not_shown_by_help() {
    for command in ["serve", "check-config", "token"] {
        let mut help = program();
        help.args([command, "--help"]).env("USERMAN_POSTBACK_TOKEN", TOKEN);
        assert!(!end(help).printed().contains(TOKEN));
    }
}

#[test]
fn tokens_may_come_from_a_file_that_a_setting_names() {
    let dir = temp_dir();
    let (data, file) = (dir.path().join("data"), dir.path().join("secret"));
    fs::write(&file, format!("{TOKEN}\n{OTHER}\n")).unwrap();
    let mut command = program();
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(&data)
        .env("USERMAN_POSTBACK_TOKEN_FILE", &file);
    command.stdout(Stdio::null());
    let program = Program::spawn(command).unwrap();
    for (token, status) in
        [(TOKEN, 200), (OTHER, 200), ("wrong-token-0123456789-abcdef-0123456789", 403)]
    {
        assert_eq!(
            post_to(program.address, token, b"action=CHECK&siteid=1&username=bob").unwrap().status,
            status
        );
    }
    assert!(!data.join("postback-token").exists(), "given ones replace the file's");
    let missing = dir.path().join("missing");
    let ran = run_on(&data, &["serve", "--postback-token-file", missing.to_str().unwrap()]);
    ran.ended(
        2,
        &format!(
            "nats-userman: --postback-token-file: cannot use the token file {}: \
             No such file or directory (os error 2)\n",
            missing.display()
        ),
    );
}

const LOCAL: &str = "http://127.0.0.1:8080/postback/ is the address where the service listens: if \
    NATS cannot reach it, set --public-url (USERMAN_PUBLIC_URL)\n";

#[test]
fn token_shows_no_secret_off_a_terminal_and_keeps_the_last_one() {
    let dir = temp_dir();
    let file = dir.path().join("postback-token");
    run_on(dir.path(), &["token", "show"]).ended(
        1,
        &format!(
            "nats-userman: there is no token yet at {}: `nats-userman serve` creates it\n",
            file.display()
        ),
    );
    fs::write(&file, format!("{TOKEN}\n{OTHER}\n")).unwrap();
    let show = format!(
        "1  http://127.0.0.1:8080/postback/test...\n2  \
         http://127.0.0.1:8080/postback/othe...\nthe full tokens are in {}\n{LOCAL}",
        file.display()
    );
    assert_eq!(run_on(dir.path(), &["token", "show"]).printed(), show);
    run_on(dir.path(), &["token", "retire", "3"])
        .ended(2, "nats-userman: token retire: expected a number from 1 to 2, found 3\n");
    assert_eq!(
        run_on(dir.path(), &["token", "retire", "1"]).printed(),
        "token 1 is retired; 1 left\n"
    );
    run_on(dir.path(), &["token", "retire", "1"]).ended(
        1,
        "nats-userman: this is the only token: create another with `nats-userman token add` \
         first\n",
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("{OTHER}\n"));
    let mut with_setting = program();
    with_setting
        .args(["token", "show", "--data-dir"])
        .arg(dir.path())
        .env("USERMAN_POSTBACK_TOKEN", TOKEN);
    end(with_setting).ended(
        1,
        "nats-userman: the tokens come from the settings (--postback-token or \
         --postback-token-file): change them there; a changed file takes effect at a reload, \
         anything else at a restart\n",
    );
}
