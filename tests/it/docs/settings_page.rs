//! `docs/settings.md` lists the settings and commands of clap's definition of the command line.
//! With `UPDATE_DOCS=1` the test writes the lists again.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;

use clap::{Arg, ArgAction, Command, CommandFactory as _, Parser as _};
use nats_userman::cli::Cli;
use nats_userman::config::{Config, RELOADED, Settings};

use super::{pages, prose, root};

const COLUMNS_MAX: usize = 100;
const BEGIN: &str = "<!-- generated -->\n";
const END: &str = "<!-- end of generated -->\n";

/// If a flag is renamed, the pages must be changed too.
#[test]
fn every_flag_that_a_page_names_is_a_flag_of_the_program() {
    fn flags(command: &Command, found: &mut HashSet<String>) {
        found.extend(command.get_arguments().filter_map(Arg::get_long).map(str::to_owned));
        command.get_subcommands().for_each(|inner| flags(inner, found));
    }
    let mut known = HashSet::new();
    let mut root = Cli::command();
    root.build();
    flags(&root, &mut known);
    let is_ours = |code: &&str| code.starts_with("--") || code.starts_with("nats-userman");
    let mut count = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let prose = prose(&text).collect::<Vec<_>>().join("\n");
        // The code between backquotes, except commands of other programs.
        for code in prose.split('`').skip(1).step_by(2).filter(is_ours) {
            let names = code.split("--").skip(1).map(|rest| {
                rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').next().unwrap()
            });
            for name in names.filter(|name| !name.is_empty() && !name.ends_with('-')) {
                assert!(known.contains(name), "{}: --{name}", page.display());
                count += 1;
            }
        }
    }
    assert!(count > 60, "{count} flags");
}

#[test]
fn the_numbers_of_the_page_are_the_bounds_of_the_settings() {
    let page = fs::read_to_string(root().join("docs/settings.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `--")?.split_once("` | "));
    let mut count = 0;
    for (flag, value) in rows {
        let (least, rest) = value.split_once(" to ").unwrap();
        let most = rest.split([' ', ';']).next().unwrap().replace(',', "");
        let (least, most): (u32, u32) = (least.parse().unwrap(), most.parse().unwrap());
        let is_taken = |number: u32| {
            let setting = format!("--{flag}={number}");
            let line = Line::try_parse_from(["test", "--data-dir", "data", &setting]).unwrap();
            Config::read(&line.settings).is_ok()
        };
        assert!(is_taken(least) && is_taken(most) && !is_taken(most + 1), "--{flag}: {value}");
        assert!(least == 0 || !is_taken(least - 1), "--{flag}: {value}");
        assert_eq!(least == 0 || value.contains("0 is off"), is_taken(0), "--{flag}: {value}");
        count += 1;
    }
    assert_eq!(count, 12);
}

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    settings: Settings,
}

#[test]
fn the_page_of_settings_has_what_the_command_line_has() {
    let path = root().join("docs/settings.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let fresh = format!("{before}{BEGIN}{}{END}{after}", generated());
    if std::env::var("UPDATE_DOCS").as_deref() == Ok("1") {
        fs::write(&path, &fresh).unwrap();
    }
    assert!(
        fresh == fs::read_to_string(&path).unwrap(),
        "docs/settings.md is stale: UPDATE_DOCS=1 cargo test --locked --test it settings_page"
    );
}

fn generated() -> String {
    let mut root = Cli::command();
    root.build();
    let settings: Vec<&Arg> = root.get_arguments().filter(|arg| arg.get_env().is_some()).collect();
    assert!(settings.len() > 30, "{} settings", settings.len());
    let mut page = String::new();
    let mut section = String::new();
    for setting in settings {
        let heading = setting.get_help_heading().unwrap_or("Service settings");
        if heading != section {
            heading.clone_into(&mut section);
            let _ = writeln!(page, "\n## {section}");
        }
        describe_setting(setting, &mut page);
    }
    page.push_str("\n## Commands\n\nEach command has `--help`, and takes the settings above.\n");
    own_subcommands(&root).for_each(|command| describe_command(command, &mut page));
    page.push('\n');
    page
}

/// The subcommands without `help`, which clap adds.
fn own_subcommands(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|inner| inner.get_name() != "help")
}

fn describe_setting(setting: &Arg, page: &mut String) {
    let flag = format!("--{}", setting.get_long().unwrap());
    let variable = setting.get_env().unwrap().to_str().unwrap();
    let (meaning, default_of_help) = help(setting);
    let takes_value = setting.get_action().takes_values();
    let default = match (setting.get_default_values(), default_of_help) {
        _ if !takes_value => "off".into(),
        ([default], _) => format!("`{}`", default.to_str().unwrap()),
        (_, Some(default)) if default.contains('<') => format!("`{default}`"),
        (_, Some(default)) => default,
        _ => "none".into(),
    };
    let value = if takes_value { format!(" {}", value_name(setting)) } else { String::new() };
    let name = setting.get_id().as_str();
    let again = match value_name(setting).as_str() {
        _ if name == "config" => "needs a restart; SIGHUP reads the file again",
        _ if ["postback_token_file", "sharing_country_file"].contains(&name) => {
            "SIGHUP reads the setting and the file again; a restart is needed to begin or to end \
             its use"
        }
        "FILE" if RELOADED.contains(&name) => "SIGHUP reads the setting and the file again",
        _ if RELOADED.contains(&name) => "SIGHUP reads it again",
        _ => "needs a restart",
    };
    let names = format!("`{flag}{value}`, `{variable}`");
    let names = match name {
        "config" => format!("Flag and variable: {names}"),
        _ if setting.is_hide_env_values_set() => {
            format!("Flag and variable: {names}; in the configuration file use `{name}_file`")
        }
        _ => format!("Flag, variable and key: {names}, `{name}`"),
    };
    let _ = writeln!(page, "\n### `{flag}`\n\n{}", wrap(&sentence(&meaning), "", ""));
    let _ = writeln!(page, "\n{}", wrap(&names, "- ", "  "));
    let _ = writeln!(page, "- Default: {default}");
    let _ = writeln!(page, "{}", wrap(&format!("Change: {again}"), "- ", "  "));
}

fn describe_command(command: &Command, page: &mut String) {
    if command.has_subcommands() {
        own_subcommands(command).for_each(|inner| describe_command(inner, page));
        return;
    }
    let name = command.get_bin_name().unwrap().trim_start_matches("nats-userman ");
    let about = command.get_long_about().or(command.get_about()).unwrap().to_string();
    let _ = writeln!(page, "\n### `{name}`\n\n{}", wrap(&sentence(&about), "", ""));
    let own = |arg: &&Arg| arg.get_env().is_none() && arg.get_id() != "help";
    let arguments: Vec<&Arg> = command.get_arguments().filter(own).collect();
    if !arguments.is_empty() {
        page.push('\n');
    }
    for argument in arguments {
        let takes_value = argument.get_action().takes_values();
        let name = match (argument.get_long(), takes_value) {
            (Some(long), true) => format!("--{long} {}", value_name(argument)),
            (Some(long), false) => format!("--{long}"),
            (None, _) => value_name(argument),
        };
        let name = match argument.get_action() {
            ArgAction::Append => format!("{name}..."),
            _ => name,
        };
        let (meaning, _) = help(argument);
        let _ = writeln!(page, "{}", wrap(&format!("`{name}`: {meaning}"), "- ", "  "));
    }
    if let Some(more) = command.get_after_help() {
        let _ = writeln!(page, "\n{}", wrap(&more.to_string(), "", ""));
    }
}

pub(super) fn value_name(arg: &Arg) -> String {
    arg.get_value_names()
        .and_then(|names| names.first())
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// The help text, and the default that it describes in words.
pub(super) fn help(arg: &Arg) -> (String, Option<String>) {
    let text = arg.get_long_help().or(arg.get_help()).unwrap().to_string();
    match text.split_once(" [default: ") {
        Some((meaning, rest)) => {
            let (default, more) = rest.split_once(']').unwrap();
            (format!("{meaning}{more}"), Some(default.to_owned()))
        }
        None => (text, None),
    }
}

/// The text with a full stop at its end.
pub(super) fn sentence(text: &str) -> String {
    format!("{}.", text.trim_end().trim_end_matches('.'))
}

/// Wraps a text at a hundred columns. Words in angle brackets would be HTML.
pub(super) fn wrap(text: &str, first: &str, further: &str) -> String {
    let mut wrapped = String::new();
    for (number, paragraph) in text.split("\n\n").enumerate() {
        if number > 0 {
            wrapped.push_str("\n\n");
        }
        let mut line = if number == 0 { first } else { further }.to_owned();
        let mut is_empty = true;
        for word in paragraph.split_whitespace() {
            let word = if word.contains('<') { format!("`{word}`") } else { word.to_owned() };
            if !is_empty && line.chars().count() + 1 + word.chars().count() > COLUMNS_MAX {
                wrapped.push_str(&line);
                wrapped.push('\n');
                line = further.to_owned();
                is_empty = true;
            }
            if !is_empty {
                line.push(' ');
            }
            line.push_str(&word);
            is_empty = false;
        }
        wrapped.push_str(&line);
    }
    wrapped
}
