//! The help of every command, and command lines that are wrong.

use clap::{Arg, Command, CommandFactory as _};
use nats_userman::cli::Cli;

use super::super::{end, run, run_on};
use super::settings;
use crate::support::{TOKEN, program, temp_dir};

/// Every command with its words on the command line. The first one is the program without a
/// command.
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

/// The words that the program prints for `--help` of a command, from its definition.
fn help_of(command: &Command) -> String {
    let text = command.clone().render_long_help().to_string();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_command_has_a_help_that_names_every_setting() {
    let (commands, settings) = (commands(), settings());
    assert!(commands.len() > 10 && settings.len() > 30, "{commands:?} {settings:?}");
    for (words, command) in commands {
        // On one line, because the width of the terminal decides where lines break.
        let help = help_of(&command);
        // The program itself prints it for a few of them.
        if ["", "serve", "member show"].contains(&&*words.join(" ")) {
            let args: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
            let printed = run(&args).printed().split_whitespace().collect::<Vec<_>>().join(" ");
            // The tests give it a variable.
            let printed = printed.replace("USERMAN_CONFIG=/dev/null]", "USERMAN_CONFIG=]");
            assert_eq!(printed, help.replace("USERMAN_CONFIG=/dev/null]", "USERMAN_CONFIG=]"));
        }
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
fn wrong_usage_ends_with_code_2() {
    for args in [
        &[][..],
        &["frobnicate"],
        &["serve", "--frobnicate"],
        &["serve", "extra"],
        &["replay"],
        &["member"],
        &["member", "show"],
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
    run_on(dir.path(), &["member", "remove", "1", "7x"]).ended(
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

/// A start looks at the commands first whose names are among the arguments.
#[test]
fn a_mistyped_command_is_told_the_nearest_one_also_behind_a_value_that_is_named_like_a_command() {
    for args in [&["serv"][..], &["--data-dir", "backup", "serv"], &["--log", "help", "serv"]] {
        let ran = run(args);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{args:?}");
        let told = "error: unrecognized subcommand 'serv'\n\n  tip: a similar subcommand exists: \
            'serve'\n";
        assert!(ran.err.starts_with(told), "{args:?}: {}", ran.err);
    }
}

#[test]
fn a_token_of_a_variable_is_not_shown_by_help() {
    for command in ["serve", "check-config", "token"] {
        let mut help = program();
        help.args([command, "--help"]).env("USERMAN_POSTBACK_TOKEN", TOKEN);
        assert!(!end(help).printed().contains(TOKEN));
    }
}
