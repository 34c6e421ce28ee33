//! Settings and their mistakes: flags, variables, files, exit codes.

use std::fs;
use std::process::Stdio;

use super::{end, run, run_on};
use crate::support::{Program, TOKEN, post_to, program};

const OTHER: &str = "other_token_0123456789_abcdef_0123456789";

#[test]
fn every_command_has_a_help() {
    for command in [
        "",
        "serve",
        "replay",
        "journal",
        "member",
        "member show",
        "member list",
        "member remove",
        "member restore",
        "token",
        "token show",
        "token add",
        "token retire",
        "check-config",
    ] {
        let args: Vec<&str> = command.split_ascii_whitespace().chain(["--help"]).collect();
        let help = run(&args).printed();
        assert!(help.contains("Usage: nats-userman"), "{command}: {help}");
        assert!(help.contains("--data-dir <DIR>") && help.contains("USERMAN_DATA_DIR="), "{command}: {help}");
    }
    assert_eq!(run(&["--version"]).printed(), format!("nats-userman {}\n", env!("CARGO_PKG_VERSION")));
}

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
    let dir = tempfile::tempdir().unwrap();
    run_on(dir.path(), &["member", "show", "1", "7x"])
        .ended(2, "nats-userman: MEMBERID: expected a number from 1 to 9223372036854775807, found \"7x\"\n");
    run_on(dir.path(), &["journal", "--action", "bogus"]).ended(
        2,
        "nats-userman: --action: expected ADD, MANUALADD, TRIALTOFULL, CHANGE, DELETE, EXPIRE, CHECK or ACTIVATE, found \"bogus\"\n",
    );
    run_on(dir.path(), &["journal", "--reply", "bogus"])
        .ended(2, "nats-userman: --reply: expected OK, NOTOK or ERROR, found \"bogus\"\n");
    run_on(dir.path(), &["journal", "--until", "2026-13-01"]).ended(
        2,
        "nats-userman: --until: expected YYYY-MM-DD, YYYY-MM-DD hh:mm:ss or unix seconds of 9 to 11 digits, found \"2026-13-01\"\n",
    );
}

const WRONG: [(&str, &str, &str); 12] = [
    ("--listen", "nonsense", "expected ADDRESS:PORT, as in 127.0.0.1:8080, found \"nonsense\""),
    ("--database", "mysql:x", "expected sqlite:PATH, found \"mysql\""),
    ("--time-zone", "Mars", "expected a name as in Europe/Berlin or UTC, found \"Mars\""),
    ("--expire-grace-hours", "8785", "expected a whole number of hours from 0 to 8784, found \"8785\""),
    ("--password-hash", "md5", "expected argon2id or bcrypt, found \"md5\""),
    ("--journal-days", "0", "expected a whole number of days from 1 to 36500, found \"0\""),
    ("--public-url", "ftp://x", "expected http:// or https://, a host, and no query, found \"ftp://x\""),
    ("--log", "loud", "expected error, warn, info, debug, trace or off, or module=level, found \"loud\""),
    ("--log-format", "xml", "expected text or json, found \"xml\""),
    ("--allow-ip", "10.0.0.0/33", "expected an address or a network, as in 192.0.2.0/24 or 2001:db8::/32, found \"10.0.0.0/33\""),
    (
        "--trusted-proxy",
        "example.com",
        "expected an address or a network, as in 192.0.2.0/24 or 2001:db8::/32, found \"example.com\"",
    ),
    ("--postback-token", "short", "expected 32 to 256 characters of A-Z, a-z, 0-9, _ and -, found 5 bytes"),
];

#[test]
fn each_bad_setting_is_one_clear_line_and_all_are_told_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut all = Vec::new();
    for (flag, value, problem) in WRONG {
        for command in ["serve", "check-config"] {
            run_on(&data, &[command, flag, value]).ended(2, &format!("nats-userman: {flag}: {problem}\n"));
        }
        all.extend([flag, value]);
    }
    let lines: String = WRONG.iter().map(|(flag, _, problem)| format!("nats-userman: {flag}: {problem}\n")).collect();
    run_on(&data, &[&["serve"], &all[..]].concat()).ended(2, &lines);
    assert!(!data.exists(), "nothing was made");
}

#[test]
fn every_setting_has_a_variable_and_a_flag_beats_it() {
    for (flag, value, problem) in WRONG {
        let variable = format!("USERMAN{}", flag.replace("--", "_").replace('-', "_").to_ascii_uppercase());
        let mut command = program();
        command.arg("check-config").env(&variable, value);
        end(command).ended(2, &format!("nats-userman: {flag}: {problem}\n"));
    }
    let dir = tempfile::tempdir().unwrap();
    let mut command = program();
    command.args(["check-config", "--time-zone", "Europe/Berlin"]).env("USERMAN_TIME_ZONE", "Mars");
    command.env("USERMAN_DATA_DIR", dir.path());
    assert!(end(command).printed().contains("time zone         Europe/Berlin, 0 hours of grace\n"));
}

#[test]
fn check_config_says_what_would_be_used_and_hides_secrets() {
    let dir = tempfile::tempdir().unwrap();
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
        ("USERMAN_PASSWORD_HASH", "bcrypt"),
        ("USERMAN_KEEP_CRYPTPASS", "1"),
        ("USERMAN_JOURNAL_DAYS", "400"),
        ("USERMAN_LOG", "warn,writer=debug"),
        ("USERMAN_LOG_FORMAT", "json"),
    ] {
        command.env(variable, value);
    }
    let printed = end(command).printed();
    assert_eq!(
        printed,
        format!(
            "listen            [::1]:9000\n\
             public URL        https://members.example.com/postback/***\n\
             data directory    {}\n\
             database          sqlite:/tmp/somewhere.db\n\
             tokens            2 of the settings\n\
             allowed networks  192.0.2.0/24, 2001:db8::1/128\n\
             trusted proxies   127.0.0.1/32, 10.0.0.0/8\n\
             time zone         Europe/Berlin, 36 hours of grace\n\
             password hash     bcrypt\n\
             keep cryptpass    yes\n\
             journal kept      400 days\n\
             log               warn,writer=debug, json\n\
             nothing is wrong with it\n",
            data.display()
        )
    );
    assert!(!data.exists(), "nothing was made");
}

#[test]
fn a_switch_takes_the_words_that_people_write_into_variables() {
    let dir = tempfile::tempdir().unwrap();
    for (word, kept) in [("1", "yes"), ("true", "yes"), ("yes", "yes"), ("0", "no"), ("false", "no"), ("no", "no")] {
        let mut command = program();
        command.arg("check-config").arg("--data-dir").arg(dir.path()).env("USERMAN_KEEP_CRYPTPASS", word);
        assert!(end(command).printed().contains(&format!("keep cryptpass    {kept}\n")), "{word}");
    }
}

#[test]
fn check_config_says_what_is_wrong_and_touches_nothing() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("seal.key"), "no key").unwrap();
    fs::write(dir.path().join("postback-token"), format!("{TOKEN}\nshort\n")).unwrap();
    fs::write(dir.path().join("userman.db"), "no database, although it is long enough for the head of one").unwrap();
    let ran = run_on(dir.path(), &["check-config"]);
    let at = dir.path().display();
    let lines = [
        format!("nats-userman: {at}/postback-token, line 2: expected 32 to 256 characters of A-Z, a-z, 0-9, _ and -\n"),
        format!(
            "nats-userman: key file {at}/seal.key: expected 64 lower-case hex digits and a line break, found 6 bytes that are not\n"
        ),
        format!(
            "nats-userman: the database {at}/userman.db is damaged or no SQLite database; nothing was changed, restore a backup"
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
    let dir = tempfile::tempdir().unwrap();
    let (data, file) = (dir.path().join("data"), dir.path().join("secret"));
    fs::write(&file, format!("{TOKEN}\n{OTHER}\n")).unwrap();
    let mut command = program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(&data).env("USERMAN_POSTBACK_TOKEN_FILE", &file);
    command.stdout(Stdio::null());
    let program = Program::spawn(command).unwrap();
    for (token, status) in [(TOKEN, 200), (OTHER, 200), ("wrong-token-0123456789-abcdef-0123456789", 403)] {
        assert_eq!(post_to(program.address, token, b"action=CHECK&siteid=1&username=bob").unwrap().status, status);
    }
    assert!(!data.join("postback-token").exists(), "given ones replace the file's");
    let missing = dir.path().join("missing");
    let ran = run_on(&data, &["serve", "--postback-token-file", missing.to_str().unwrap()]);
    ran.ended(
        2,
        &format!(
            "nats-userman: --postback-token-file: expected a file with one token a line, found cannot use the token file {}: \
             No such file or directory (os error 2)\n",
            missing.display()
        ),
    );
}

#[test]
fn token_shows_no_secret_off_a_terminal_and_keeps_the_last_one() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("postback-token");
    run_on(dir.path(), &["token", "show"])
        .ended(1, &format!("nats-userman: there is no token yet at {}: `nats-userman serve` makes it\n", file.display()));
    fs::write(&file, format!("{TOKEN}\n{OTHER}\n")).unwrap();
    let show = format!(
        "1  http://127.0.0.1:8080/postback/test...\n2  http://127.0.0.1:8080/postback/othe...\nthe whole tokens are in {}\n",
        file.display()
    );
    assert_eq!(run_on(dir.path(), &["token", "show"]).printed(), show);
    run_on(dir.path(), &["token", "retire", "3"])
        .ended(2, "nats-userman: token retire: expected a number from 1 to 2, found 3\n");
    assert_eq!(run_on(dir.path(), &["token", "retire", "1"]).printed(), "token 1 is out of use; 1 left\n");
    run_on(dir.path(), &["token", "retire", "1"])
        .ended(1, "nats-userman: this is the only token: make another with `nats-userman token add` first\n");
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("{OTHER}\n"));
    run_on(dir.path(), &["token", "show", "--postback-token", TOKEN]).ended(
        1,
        "nats-userman: the tokens come from the settings (--postback-token); change them there and restart the service\n",
    );
}
