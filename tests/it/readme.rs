//! The README keeps its word: its session with curl gives the replies that stand there, and its table of settings is that of `--help`.

use std::process::Command;

use crate::support::{App, TOKEN, program, real_program};

const README: &str = include_str!("../../README.md");

/// The lines of the code block behind a marker.
fn block_after(marker: &str) -> Vec<&'static str> {
    let (_, rest) = README.split_once(marker).unwrap();
    rest.lines().skip_while(|line| !line.starts_with("```")).skip(1).take_while(|line| !line.starts_with("```")).collect()
}

#[test]
fn the_session_with_curl_gives_the_replies_that_stand_in_the_readme() {
    let Some(curl) = real_program("curl") else { return };
    let app = App::start();
    let url = format!("http://{}/postback/{TOKEN}", app.address);
    let lines = block_after("<!-- session -->");
    assert!(lines.len() >= 20 && lines.len().is_multiple_of(2), "commands and replies take turns");
    for pair in lines.chunks(2) {
        let command = pair[0].strip_prefix("$ curl ").unwrap();
        let script = format!("{} -s {command}", curl.display());
        let output = Command::new("sh").args(["-c", &script]).env("URL", &url).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), pair[1], "{}", pair[0]);
    }
    for action in nats_userman::action::NAMES {
        assert!(lines.iter().any(|line| line.contains(&format!("action={action}&"))), "{action} is not in the session");
    }
}

#[test]
fn the_stand_in_answers_as_it_stands_in_the_readme() {
    let Some(curl) = real_program("curl") else { return };
    let key = "0123456789abcdef0123456789abcdef";
    let app = App::start_with(&["--stand-in", "--api-key", &format!("shop:{key} site=1 site=5 ip=127.0.0.1")]);
    let postbacks = format!("http://{}/postback/{TOKEN}", app.address);
    let lines = block_after("<!-- stand-in -->");
    assert_eq!(lines.len(), 6, "commands and answers take turns");
    let example = "877ae8d2c00e617d443643326bb848e2";
    let mut string = example.to_owned();
    for pair in lines.chunks(2) {
        let command = pair[0].strip_prefix("$ curl ").unwrap().replace("127.0.0.1:8080", &app.address.to_string());
        let script = format!("{} -s {}", curl.display(), command.replace(example, &string));
        let output = Command::new("sh").args(["-c", &script]).env("URL", &postbacks).env("KEY", key).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        if pair[1].contains(example) {
            string = said.split('"').nth(3).unwrap().to_owned();
        }
        assert_eq!(said, pair[1].replace(example, &string), "{}", pair[0]);
    }
    assert_ne!(string, example);
}

#[test]
fn the_table_of_settings_has_every_flag_and_variable_that_help_has() {
    let help = String::from_utf8(program().args(["serve", "--help"]).output().unwrap().stdout).unwrap();
    let in_help = |prefix: &str| {
        let words = help.split(|c: char| c.is_whitespace() || "[],:=<>`".contains(c));
        let mut found: Vec<_> = words.filter(|word| word.starts_with(prefix) && word.len() > prefix.len()).collect();
        found.sort_unstable();
        found.dedup();
        found.into_iter().filter(|word| *word != "--help").map(str::to_owned).collect::<Vec<_>>()
    };
    let (flags, variables) = (in_help("--"), in_help("USERMAN_"));
    assert!(flags.len() >= 15 && variables.len() >= 15, "{flags:?} {variables:?}");
    for name in flags.iter().chain(&variables) {
        assert!(README.contains(&format!("| `{name}` |")), "{name} is not in the table of settings");
    }
}
