//! The man pages and completions as text.

use std::path::Path;
use std::{fs, io};

use clap::{Command, CommandFactory as _};
use clap_complete::aot::{Shell, generate};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use nats_userman::cli::Cli;

const NAME: &str = "nats-userman";

/// Where the files are, below `packaging/`.
pub const DIRECTORIES: [&str; 2] = ["man", "completions"];

/// Every file as (path below `packaging/`, content).
pub fn all() -> Vec<(String, String)> {
    let mut files = Vec::new();
    man_pages(&described(), &mut files);
    let shells = [
        (Shell::Bash, "nats-userman.bash"),
        (Shell::Zsh, "_nats-userman"),
        (Shell::Fish, "nats-userman.fish"),
    ];
    for (shell, file) in shells {
        let mut text = Vec::new();
        generate(shell, &mut completed(), NAME, &mut text);
        let text = utf8(text);
        // For bash, clap_complete 4.6 writes the `-` in the program's name in two ways, so that no
        // command's options would be completed.
        let text = text.replace("nats__subcmd__userman", "nats__userman");
        files.push((format!("completions/{file}"), text));
    }
    files
}

/// Writes every file. Files of removed commands are deleted.
pub fn write(packaging: &Path) -> io::Result<()> {
    for directory in DIRECTORIES.map(|directory| packaging.join(directory)) {
        if directory.exists() {
            fs::remove_dir_all(&directory)?;
        }
        fs::create_dir_all(&directory)?;
    }
    all().into_iter().try_for_each(|(path, text)| fs::write(packaging.join(path), text))
}

/// The command line. Each command takes all settings, but only the page of the program lists them,
/// and only `serve` and the program itself complete them: seventy settings for each of thirty
/// commands would hide the command's own options.
fn command_line() -> Command {
    Cli::command().disable_help_subcommand(true).mut_args(|setting| setting.global(false))
}

fn completed() -> Command {
    let program = command_line();
    let settings: Vec<_> = program.get_arguments().cloned().collect();
    program.mut_subcommand("serve", |serve| serve.args(settings))
}

fn described() -> Command {
    let mut program = command_line()
        .about(env!("CARGO_PKG_DESCRIPTION"))
        .override_usage("nats-userman [SETTINGS] COMMAND [OPTIONS]")
        .subcommand_help_heading("COMMANDS");
    program.build();
    program
}

/// A page for each command: `man nats-userman member list` finds the last one of its words.
fn man_pages(command: &Command, files: &mut Vec<(String, String)>) {
    // An empty date would be no argument, and the others would move up.
    let page = Man::new(command.clone()).date(" ").source(NAME).manual("User commands");
    let mut text = Vec::new();
    let mut parts = vec![
        Man::render_title,
        Man::render_name_section,
        Man::render_synopsis_section,
        Man::render_description_section,
    ];
    let has_commands = command.has_subcommands();
    if has_commands {
        parts.push(Man::render_subcommands_section);
    }
    parts.push(Man::render_options_section);
    for part in parts {
        part(&page, &mut text).expect("writing into memory does not fail");
    }
    let end = if command.get_name() == NAME { end_of_program() } else { end_of_command(command) };
    text.extend(end.to_roff().into_bytes());
    files.push((format!("man/{}", page.get_filename()), utf8(text)));
    command.get_subcommands().for_each(|inner| man_pages(inner, files));
}

/// The sections of the program's page that are not in the definition of the command line.
fn end_of_program() -> Roff {
    let mut page = Roff::new();
    section(&mut page, "FILES");
    for (path, meaning) in FILES {
        item(&mut page, path, meaning);
    }
    section(&mut page, "EXIT STATUS");
    for (code, meaning) in EXIT_CODES {
        item(&mut page, code, meaning);
    }
    section(&mut page, "SIGNALS");
    for (signal, meaning) in SIGNALS {
        item(&mut page, signal, meaning);
    }
    section(&mut page, "SEE ALSO");
    page.text([roman("The pages in /usr/share/doc/nats-userman/docs.")]);
    page
}

fn end_of_command(command: &Command) -> Roff {
    let mut page = Roff::new();
    if let Some(notes) = command.get_after_help() {
        section(&mut page, "NOTES");
        page.text([roman(notes.to_string())]);
    }
    section(&mut page, "SEE ALSO");
    page.text([bold(NAME), roman("(1) lists the settings, which every command takes.")]);
    page
}

fn section(page: &mut Roff, heading: &str) {
    page.control("SH", [heading]);
}

fn item(page: &mut Roff, name: &str, meaning: &str) {
    page.control("TP", []);
    page.text([bold(name)]);
    page.text([roman(meaning)]);
}

fn utf8(text: Vec<u8>) -> String {
    String::from_utf8(text).expect("both crates write UTF-8")
}

const FILES: [(&str, &str); 2] = [
    (
        "/etc/nats-userman/nats-userman.toml",
        "The settings of the service and of all commands. A key is the name of a flag, with _ in \
         place of -.",
    ),
    ("/var/lib/nats-userman", "The database, the keys and the token of the service."),
];

const EXIT_CODES: [(&str, &str); 3] = [
    ("0", "Done."),
    ("1", "Failed. The last line on stderr says why."),
    ("2", "Wrong usage or a wrong setting."),
];

const SIGNALS: [(&str, &str); 2] = [
    ("SIGTERM, SIGINT", "serve accepts nothing more, answers what it has accepted, and ends."),
    ("SIGHUP", "serve reads again what can be read again. It logs what changed."),
];
