//! Values: the three ways to give one, values without content, switches, and paths of databases.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use super::super::{end, run_on};
use super::wrong::APART;
use super::{settings, variable_of};
use crate::docs::packaged_file;
use crate::support::{program, temp_dir};

/// The items of a list in TOML, or its one value.
fn texts(toml: &str) -> Vec<&str> {
    let items = toml.trim_start_matches('[').trim_end_matches(']').split(", ");
    items.map(|item| item.trim_matches('"')).collect()
}

/// A line of the packaged configuration file: its key, and a value in TOML.
struct Line {
    key: String,
    toml: String,
    is_switch: bool,
}

impl Line {
    fn all() -> Vec<Self> {
        let lines = packaged_file::lines();
        assert!(lines.len() > 30, "{lines:?}");
        let read = |line: &String| {
            let (key, toml) = line.split_once(" = ").unwrap();
            let is_switch = toml == "false";
            let toml = if is_switch { "true" } else { toml };
            Self { key: key.to_owned(), toml: toml.to_owned(), is_switch }
        };
        lines.iter().map(read).collect()
    }

    fn flag(&self) -> String {
        format!("--{}", self.key.replace('_', "-"))
    }
}

/// The settings in groups. Each is in at least one group, and of any two, one is in a group without
/// the other: a setting that took the value of another one would show.
fn groups(lines: &[Line]) -> Vec<Vec<&Line>> {
    let bits = usize::BITS - lines.len().leading_zeros();
    let of_bit = |bit: u32| {
        let numbered = (1..).zip(lines);
        numbered.filter(|(number, _)| number >> bit & 1 == 1).map(|(_, line)| line).collect()
    };
    (0..bits).map(of_bit).collect()
}

/// The settings that are not at their default: key, origin and value. `config` prints wrong
/// settings too, so the files that they name need not exist.
fn given(mut command: Command) -> Vec<(String, String, serde_json::Value)> {
    let printed = command.args(["config", "--json"]).output().unwrap().stdout;
    let printed: serde_json::Value = serde_json::from_slice(&printed).unwrap();
    let settings = printed["settings"].as_object().unwrap();
    let read = |(key, setting): (&String, &serde_json::Value)| {
        (key.clone(), setting["origin"].as_str().unwrap().to_owned(), setting["value"].clone())
    };
    settings.iter().map(read).filter(|(_, origin, _)| origin != "default").collect()
}

#[test]
fn every_setting_has_the_same_value_by_flag_variable_and_key() {
    let dir = temp_dir();
    let file = dir.path().join("userman.toml");
    let lines = Line::all();
    for group in groups(&lines) {
        let text: String =
            group.iter().map(|line| format!("{} = {}\n", line.key, line.toml)).collect();
        fs::write(&file, &text).unwrap();
        let mut with_file = program();
        with_file.env("USERMAN_CONFIG", &file);
        let (mut with_variables, mut with_flags) = (program(), program());
        for line in &group {
            with_variables.env(variable_of(&line.flag()), texts(&line.toml).join(","));
            for text in texts(&line.toml) {
                with_flags.arg(line.flag()).args((!line.is_switch).then_some(text));
            }
        }
        let by_key = given(with_file);
        let found: BTreeSet<&str> = by_key.iter().map(|(key, ..)| key.as_str()).collect();
        assert_eq!(found, group.iter().map(|line| line.key.as_str()).collect(), "{text}");
        let of = |origin: &str| -> Vec<_> {
            let all = by_key.iter().cloned();
            all.map(|(key, _, value)| (key, origin.to_owned(), value)).collect()
        };
        assert_eq!(by_key, of("file"), "{text}");
        assert_eq!(given(with_variables), of("variable"), "{text}");
        assert_eq!(given(with_flags), of("flag"), "{text}");
    }
}

/// Regression: an empty variable, such as `USERMAN_LISTEN=` in a file of variables, was a bad
/// value.
#[test]
fn a_variable_that_is_set_to_nothing_is_not_set() {
    let dir = temp_dir();
    let with = |value: Option<&str>| {
        let mut command = program();
        command.current_dir(dir.path()).arg("check-config");
        // `--config` keeps its variable. Otherwise the configuration file of the machine would be
        // read.
        for (_, variable) in settings().iter().filter(|(flag, _)| flag != "--config") {
            value.map(|value| command.env(variable, value));
        }
        end(command).printed()
    };
    assert_eq!((with(Some("")), with(Some(" \t"))), (with(None), with(None)));
    assert!(with(None).contains("allowed networks  any\n"));
}

/// Regression: `--allow-ip "$NETWORK"` with an empty variable in a script allowed all addresses.
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
        // The flag counts, not the variable.
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
