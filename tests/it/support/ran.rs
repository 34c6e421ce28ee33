//! How a command of the real program ends.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rusqlite::{Connection, OpenFlags};

use super::{TestDatabase, program};

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    /// Without the line of `made_database`.
    pub err: String,
    /// Whether an import said that it made the database, as it does in most tests.
    pub made_database: bool,
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

    /// Leaves out the warning that the URL of a database has a password, as it has in tests.
    pub fn without_password_warning(mut self) -> Self {
        let is_warning = |line: &&str| line.contains("the URL of --database has a password");
        let rest = self.err.lines().filter(|line| !is_warning(line));
        self.err = rest.map(|line| format!("{line}\n")).collect();
        self
    }

    /// Requires this exit code, and exactly this text on stderr.
    #[track_caller]
    pub fn ended(&self, code: i32, err: &str) {
        assert_eq!((self.code, self.err.as_str()), (Some(code), err), "{}", self.out);
    }
}

pub fn end(mut command: Command) -> Ran {
    let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (made, rest): (Vec<String>, Vec<String>) = text(output.stderr)
        .split_inclusive('\n')
        .map(ToOwned::to_owned)
        .partition(|line| line.ends_with(": a new one is made\n"));
    Ran {
        code: output.status.code(),
        out: text(output.stdout),
        err: rest.concat(),
        made_database: !made.is_empty(),
    }
}

/// Runs a command whose output is closed after so many lines, as `| head` does. Returns its exit
/// code and stderr.
pub fn end_after_lines(mut command: Command, lines: usize) -> (Option<i32>, String) {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut child = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    // It holds the other end of the pipe.
    drop(command);
    // Byte by byte, so that nothing behind these lines is taken.
    let (mut reader, mut byte, mut read) = (reader, [0], 0);
    while read < lines && reader.read(&mut byte).unwrap() == 1 {
        read += usize::from(byte == *b"\n");
    }
    drop(reader);
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (child.wait().unwrap().code(), said)
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
    run_on(data, &args).without_password_warning()
}

pub fn write(dir: &Path, name: &str, text: impl AsRef<[u8]>) -> String {
    let path = dir.join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

pub fn open(data: &Path) -> Connection {
    Connection::open_with_flags(data.join("userman.db"), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

/// Replaces the times in a text, because the program uses the clock of the machine.
pub fn without_times(text: &str) -> String {
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
