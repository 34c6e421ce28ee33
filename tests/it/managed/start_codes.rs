//! The exit code of a start that fails. It is 2 for a wrong setting, and the unit does not start it
//! again (`RestartPreventExitStatus=2`). It is 1 for a cause that may end by itself.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use rusqlite::Connection;

use crate::support::{Program, program, temp_dir};

const WRONG_SETTING: i32 = 2;
const FAILED: i32 = 1;

/// Runs `serve` in this data directory. Returns the exit code and the output, without the path of
/// the directory.
fn start(data: &Path, flags: &[&str]) -> (i32, String) {
    let mut command = program();
    command.arg("serve").args(flags);
    for (flag, value) in [("--listen", "127.0.0.1:0"), ("--data-dir", data.to_str().unwrap())] {
        if !flags.contains(&flag) {
            command.args([flag, value]);
        }
    }
    let output = command.output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    let last = err.lines().last().unwrap_or_default();
    let line = last.replace(data.to_str().unwrap(), "DATA");
    (output.status.code().unwrap(), line)
}

/// The state that a start finds.
struct Case {
    what: &'static str,
    /// Creates this state in the data directory of a stopped service.
    make: fn(&Path),
    flags: &'static [&'static str],
    code: i32,
    says: &'static str,
}

const CASES: &[Case] = &[
    Case {
        what: "an address that the machine does not have",
        make: |_| (),
        flags: &["--listen", "192.0.2.1:8080"],
        code: WRONG_SETTING,
        says: "cannot listen on 192.0.2.1:8080: ",
    },
    Case {
        what: "a data directory that is a file",
        make: |data| {
            fs::remove_dir_all(data).unwrap();
            fs::write(data, "").unwrap();
        },
        flags: &[],
        code: WRONG_SETTING,
        says: "cannot use the data directory DATA: it is not a directory",
    },
    Case {
        what: "a data directory below a file",
        make: |_| (),
        flags: &["--data-dir", "/dev/null/data"],
        code: WRONG_SETTING,
        says: "cannot use the data directory /dev/null/data: ",
    },
    Case {
        what: "a seal key that is none",
        make: |data| fs::write(data.join("seal.key"), "no key").unwrap(),
        flags: &[],
        code: WRONG_SETTING,
        says: "key file DATA/seal.key: expected 64 lower-case hex digits",
    },
    Case {
        what: "a cookie key that is none",
        make: |data| fs::write(data.join("cookie.key"), "no key").unwrap(),
        flags: &[],
        code: WRONG_SETTING,
        says: "key file DATA/cookie.key: expected 64 lower-case hex digits",
    },
    Case {
        what: "a seal key that is a directory",
        make: |data| {
            fs::remove_file(data.join("seal.key")).unwrap();
            fs::create_dir(data.join("seal.key")).unwrap();
        },
        flags: &[],
        code: WRONG_SETTING,
        says: "key file DATA/seal.key: cannot be read: ",
    },
    Case {
        what: "a token file with a line that is no token",
        make: |data| fs::write(data.join("postback-token"), "short\n").unwrap(),
        flags: &[],
        code: WRONG_SETTING,
        says: "DATA/postback-token, line 1: ",
    },
    Case {
        what: "a token file without a token",
        make: |data| fs::write(data.join("postback-token"), "\n").unwrap(),
        flags: &[],
        code: WRONG_SETTING,
        says: "DATA/postback-token holds no token: ",
    },
    Case {
        what: "a token file that cannot be read",
        make: |data| {
            fs::remove_file(data.join("postback-token")).unwrap();
            fs::create_dir(data.join("postback-token")).unwrap();
        },
        flags: &[],
        code: WRONG_SETTING,
        says: "cannot use the token file DATA/postback-token: ",
    },
    Case {
        what: "a token file of the settings that is not there",
        make: |_| (),
        flags: &["--postback-token-file", "/dev/null/tokens"],
        code: WRONG_SETTING,
        says: "--postback-token-file: ",
    },
    Case {
        what: "a database of another program",
        make: |data| {
            fs::remove_file(data.join("userman.db")).unwrap();
            let conn = Connection::open(data.join("userman.db")).unwrap();
            conn.execute_batch("CREATE TABLE theirs (a)").unwrap();
        },
        flags: &[],
        code: WRONG_SETTING,
        says: "cannot use the database DATA/userman.db: it is a database of another program",
    },
    Case {
        what: "a database that is a directory",
        make: |data| fs::create_dir(data.join("elsewhere")).unwrap(),
        flags: &["--database", "sqlite:/dev"],
        code: WRONG_SETTING,
        says: "cannot use the database /dev: ",
    },
    Case {
        what: "a damaged database",
        make: |data| fs::write(data.join("userman.db"), "damaged ".repeat(2048)).unwrap(),
        flags: &[],
        code: FAILED,
        says: "the database DATA/userman.db is damaged or no SQLite database",
    },
    Case {
        what: "a database without its content",
        make: |data| fs::write(data.join("userman.db"), "").unwrap(),
        flags: &[],
        code: FAILED,
        says: "the database DATA/userman.db is empty: ",
    },
];

#[test]
fn a_start_that_fails_says_by_its_exit_code_whether_a_setting_is_wrong() {
    let dir = temp_dir();
    let mut wrong = Vec::new();
    for (index, Case { what, make, flags, code, says }) in CASES.iter().enumerate() {
        let data = dir.path().join(index.to_string());
        let mut command = program();
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(&data);
        command.stdout(std::process::Stdio::null());
        assert!(Program::spawn(command).unwrap().terminate().success());
        make(&data);
        let (found, line) = start(&data, flags);
        if found != *code || !line.starts_with(&format!("nats-userman: {says}")) {
            wrong.push(format!("{what}: {found}, {line}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_port_or_a_directory_in_use_may_be_free_later() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let (code, line) = start(&data, &["--listen", &address]);
    assert!(code == FAILED && line.contains("another program uses that port"), "{line}");
    let _service = Program::serve(&data, &[]);
    let in_use = "nats-userman: the data directory DATA is in use by a running nats-userman";
    assert_eq!(start(&data, &[]), (FAILED, in_use.into()));
}
