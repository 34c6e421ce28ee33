//! The command line, with the real program: what each command prints, its exit code, and what it
//! does not change.

mod block;
mod captures;
mod causes;
mod clean_stop;
mod config_file;
mod conflicts;
mod countries;
mod denied;
mod edited_journal;
mod exposed;
mod first_run;
mod foreign;
mod forget;
mod health;
mod import;
mod journal;
mod logout;
mod member_changes;
mod members;
mod on_a_server;
mod random;
mod reload;
mod replay;
mod root;
mod server_settings;
mod sharing;
mod signals;
mod slow_reader;
mod states;
mod stop;
mod terminal;
mod try_out;
mod usage;
mod variables;

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{TestDatabase, program};

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Requires exit code 0 and an empty stderr; returns stdout.
    #[track_caller]
    pub fn printed(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""), "{}", self.out);
        self.out
    }

    /// Requires that a replay ran to its end, and that this number of postbacks got ERROR. Returns
    /// stdout.
    #[track_caller]
    pub fn printed_with_errors(self, errors: usize, all: usize) -> String {
        let said = format!(
            "nats-userman: {errors} of {all} postbacks got ERROR and changed nothing: see above\n"
        );
        self.ended(1, &said);
        self.out
    }

    /// Requires this exit code, and exactly this text on stderr.
    #[track_caller]
    pub fn ended(&self, code: i32, err: &str) {
        assert_eq!((self.code, self.err.as_str()), (Some(code), err), "{}", self.out);
    }
}

pub(crate) fn end(mut command: Command) -> Ran {
    let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// Runs the program with these arguments and nothing else.
pub fn run(args: &[&str]) -> Ran {
    let mut command = program();
    command.args(args);
    end(command)
}

/// Runs the program with this NATS key in its environment variable.
pub fn run_with_key(key: &str, args: &[&str]) -> Ran {
    let mut command = program();
    command.args(args).env("USERMAN_NATS_API_KEY", key);
    end(command)
}

/// Runs a command on this data directory.
pub fn run_on(data: &Path, args: &[&str]) -> Ran {
    let mut command = program();
    command.args(args).arg("--data-dir").arg(data);
    end(command)
}

/// Runs a command on a database of either engine, without the warning about its password.
pub fn run_beside(database: &TestDatabase, data: &Path, args: &[&str]) -> Ran {
    let flags = database.flags();
    let args: Vec<&str> = args.iter().copied().chain(flags.iter().map(String::as_str)).collect();
    let mut ran = run_on(data, &args);
    let is_warning = |line: &&str| line.contains("the URL of --database has a password");
    ran.err =
        ran.err.lines().filter(|line| !is_warning(line)).map(|it| format!("{it}\n")).collect();
    ran
}

/// Replaces the times in a text, because the program uses the clock of the machine.
fn without_times(text: &str) -> String {
    let is_time = |word: &str| {
        word.len() == 20
            && word.starts_with("20")
            && word.ends_with('Z')
            && word.as_bytes()[10] == b'T'
    };
    let line = |line: &str| {
        line.split(' ')
            .map(|word| if is_time(word) { "TIME" } else { word })
            .collect::<Vec<_>>()
            .join(" ")
    };
    text.lines().map(|text| line(text) + "\n").collect()
}
