//! The settings of a database on a server. No test reaches a server: `config` checks the settings
//! and connects to nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use clap::Parser as _;
use nats_userman::config::{Config, Settings};

use super::{Ran, end, run_on};
use crate::support::{program, temp_dir};

const URL: &str = "mysql://userman@db1.example.com,[2001:db8::2]:3307/nats";
const PASSWORD: &str = "hidden0word";
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

/// `config` with these flags.
fn config(flags: &[&str]) -> Ran {
    let mut command = program();
    command.arg("config").args(flags);
    end(command)
}

/// `config` ended with code 2 and these lines, of one bad setting each.
#[track_caller]
fn refused(flags: &[&str], lines: &[&str]) {
    let said: String = lines.iter().map(|line| format!("nats-userman: {line}\n")).collect();
    config(flags).ended(2, &said);
}

fn line(ran: &Ran, key: &str) -> String {
    let is_its = |line: &&str| line.starts_with(key) || line.starts_with(&format!("# {key} "));
    ran.out.lines().find(is_its).unwrap_or_default().to_owned()
}

#[test]
fn a_url_without_a_password_is_shown_and_one_with_a_password_is_not() {
    let ran = config(&["--database", URL]);
    assert_eq!(line(&ran, "database"), format!("database = \"{URL}\"  # flag"));
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let ran = config(&["--database", &URL.replace('@', &format!(":{PASSWORD}@"))]);
    assert_eq!(line(&ran, "database"), "# database is set and not shown  # flag");
    assert!(ran.code == Some(0) && !format!("{ran:?}").contains(PASSWORD), "{ran:?}");
}

#[test]
fn what_is_said_of_a_server_is_refused_with_sqlite() {
    let expected = "expected it with --database mysql://USER@HOST/DATABASE, found a database of \
        SQLite";
    let flags = [
        ["--database-read", "db2"],
        ["--database-password", PASSWORD],
        ["--database-password-file", "/nowhere"],
        ["--database-tls", "off"],
        ["--database-tls-ca", "/nowhere"],
    ];
    for [flag, value] in flags {
        refused(&[flag, value], &[&format!("{flag}: {expected}")]);
    }
    let lines = flags.map(|[flag, _]| format!("{flag}: {expected}"));
    refused(flags.as_flattened(), &lines.each_ref().map(String::as_str));
}

#[test]
fn each_setting_of_a_server_is_refused_with_what_was_expected() {
    let dir = temp_dir();
    let file = |name: &str, text: &str| {
        fs::write(dir.path().join(name), text).unwrap();
        dir.path().join(name).to_str().unwrap().to_owned()
    };
    let (empty, lines) = (file("empty", "\n"), file("lines", "one\ntwo\n"));
    let (no_pem, pem) = (file("no_pem", "none"), file("pem", CERTIFICATE));
    let hosts = "expected HOST[:PORT], up to 16 with commas between, an IPv6 address in brackets";
    let password = "expected a password of 1 to 1024 bytes in one line";
    let no_certificate = format!("expected certificates in PEM form, found none in {no_pem}");
    let missing = "expected a file of PEM certificates, found /nowhere: No such file or directory \
        (os error 2)";
    let no_file = "expected a file, found /nowhere: No such file or directory (os error 2)";
    for (flag, value, problem) in [
        ("--database-read", "db2,::1", format!("{hosts}, found \"::1\"")),
        ("--database-read", "", format!("{hosts}, found \"\"")),
        ("--database-read", "u:p@db2", format!("{hosts}, found one with an @")),
        ("--database-read", "db2:x", "expected a port from 1 to 65535, found \"db2:x\"".to_owned()),
        ("--database-password", "", format!("{password}, found 0 bytes")),
        (
            "--database-password",
            "'x'",
            format!("{password}, found 3 bytes with quotes around them"),
        ),
        ("--database-password-file", &empty, format!("{password}, found 0 bytes")),
        ("--database-password-file", &lines, format!("{password}, found 7 bytes")),
        ("--database-password-file", "/nowhere", no_file.to_owned()),
        ("--database-tls", "on", "expected required or off, found \"on\"".to_owned()),
        ("--database-tls-ca", &no_pem, no_certificate),
        ("--database-tls-ca", "/nowhere", missing.to_owned()),
    ] {
        refused(&["--database", URL, flag, value], &[&format!("{flag}: {problem}")]);
    }
    refused(
        &["--database", URL, "--database-tls", "off", "--database-tls-ca", &pem],
        &["--database-tls-ca: expected it without --database-tls off, found both"],
    );
    let two = |beside: &str| format!("--database-password: expected one password, found {beside}");
    let both = ["--database-password", "x", "--database-password-file", &empty];
    refused(
        &[&["--database", URL], &both[..]].concat(),
        &[&two("--database-password-file beside it")],
    );
    let url = URL.replace('@', ":x@");
    for one in both.chunks(2) {
        refused(
            &[&["--database", url.as_str()], one].concat(),
            &[&two("one in the URL of --database beside it")],
        );
    }
    refused(
        &["--database", URL, "--backup-every", "24h"],
        &["--backup-every: expected it with a database of SQLite, found one on a server, which \
           its own tools back up: docs/cluster.md"],
    );
}

#[test]
fn the_configuration_file_has_the_password_in_a_file_of_its_own() {
    let dir = temp_dir();
    let file = dir.path().join("userman.toml");
    fs::write(&file, format!("database = \"{URL}\"\ndatabase_password = \"{PASSWORD}\"\n"))
        .unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let mut command = program();
    command.arg("config").env("USERMAN_CONFIG", &file);
    end(command).ended(
        2,
        &format!(
            "nats-userman: {}, line 2: database_password: expected no secret in this file: put it \
             into a file of its own and name that by database_password_file\n",
            file.display()
        ),
    );
}

#[test]
fn no_password_shows_in_help_in_config_or_in_an_error_wherever_it_stands() {
    let in_url = URL.replace('@', &format!(":{PASSWORD}@"));
    let of_no_host = format!("mysql://userman:{PASSWORD}/nats");
    for (variable, value) in [
        ("USERMAN_DATABASE", in_url.as_str()),
        ("USERMAN_DATABASE", of_no_host.as_str()),
        ("USERMAN_DATABASE_PASSWORD", PASSWORD),
    ] {
        for args in [&["--help"][..], &["serve", "--help"], &["config"], &["config", "--json"]] {
            let mut command = program();
            command.args(args).env("USERMAN_DATABASE", URL).env(variable, value);
            let ran = end(command);
            assert!(!format!("{ran:?}").contains(PASSWORD), "{variable} {args:?}: {ran:?}");
        }
    }
    let mut command = program();
    command.arg("--help").env("USERMAN_DATABASE", URL);
    let help = end(command).printed();
    let is_shown = help.split_whitespace().collect::<String>().contains(URL);
    assert!(is_shown, "what is no secret is shown: {help}");
}

#[test]
fn check_config_warns_of_a_password_in_the_url_and_of_a_connection_in_clear() {
    let dir = temp_dir();
    let in_url = "the URL of --database has a password, which shows wherever the URL does: use \
        --database-password-file\n";
    let in_clear = "--database-tls off: what is read from the database and written to it travels \
        unencrypted\n";
    // The port takes no connection, and a name that ends so is nowhere.
    for (url, flags, warnings) in [
        ("mysql://u@127.0.0.1:1/nats", &[][..], String::new()),
        ("mysql://u@127.0.0.1:1/nats", &["--database-tls", "off"], String::new()),
        ("mysql://u:hidden0word@127.0.0.1:1/nats", &[], in_url.into()),
        ("mysql://u@db.invalid:1/nats", &[], String::new()),
        ("mysql://u@db.invalid:1/nats", &["--database-tls", "off"], in_clear.into()),
        (
            "mysql://u:hidden0word@[::1]:1/nats",
            &["--database-read", "db.invalid:1", "--database-tls", "off"],
            format!("{in_url}{in_clear}"),
        ),
    ] {
        let args = [&["check-config", "--database", url], flags].concat();
        let ran = run_on(&dir.path().join("data"), &args);
        assert_eq!(ran.code, Some(1), "there is no server: {ran:?}");
        assert!(!format!("{ran:?}").contains(PASSWORD), "{ran:?}");
        let warned: String =
            [in_url, in_clear].into_iter().filter(|it| ran.out.contains(it)).collect();
        assert_eq!(warned, warnings, "{args:?}: {ran:?}");
        let shown = url.replace(":hidden0word", "");
        let row = format!("database          {shown}");
        assert!(ran.out.contains(&row), "{ran:?}");
    }
}

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    settings: Settings,
}

#[test]
fn no_password_shows_where_settings_are_printed_for_debugging() {
    let dir = temp_dir();
    let file = dir.path().join("password");
    fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let in_url = URL.replace('@', &format!(":{PASSWORD}@"));
    for flags in [
        ["--database", &in_url, "--database-tls", "off"],
        ["--database", URL, "--database-password", PASSWORD],
        ["--database", URL, "--database-password-file", file.to_str().unwrap()],
    ] {
        let line = Line::parse_from([&["test"], &flags[..]].concat());
        let config = Config::read(&line.settings).unwrap();
        assert!(config.location.has_password(), "{flags:?}");
        let shown = format!("{:?} {config:?} {}", line.settings, config.location);
        assert!(!shown.contains(PASSWORD) && shown.contains("***"), "{shown}");
    }
}
