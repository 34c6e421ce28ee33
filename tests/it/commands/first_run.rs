//! The first start and later ones: what is printed, which files are created with which modes, and
//! when a start is refused.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rusqlite::Connection;

use super::terminal::Terminal;
use super::{end, run_on};
use crate::support::{NO_CONFIG, Program, TOKEN, post_to, program, temp_dir};

/// Runs `serve` in this working directory. Returns its address, and what it printed until it was
/// stopped.
fn start_and_stop(cwd: &Path, flags: &[&str]) -> (String, String) {
    let mut command = program();
    command
        .current_dir(cwd)
        .args(["serve", "--listen", "127.0.0.1:0"])
        .args(flags)
        .stdout(Stdio::piped());
    let mut program = Program::spawn(command).unwrap();
    let (mut out, mut printed) = (program.child.stdout.take().unwrap(), String::new());
    assert!(program.terminate().success());
    out.read_to_string(&mut printed).unwrap();
    (program.address.to_string(), printed)
}

fn token_in(cwd: &Path) -> String {
    fs::read_to_string(cwd.join("data/postback-token")).unwrap().trim_end().to_owned()
}

const PROXY: &str = "NATS must be able to reach this URL: put a TLS proxy in front of it and set \
    --public-url.\n";

/// Without a terminal, the output is stored, mostly in the log of the system.
#[test]
fn a_start_without_a_terminal_names_the_file_of_the_token_and_never_prints_it() {
    let dir = temp_dir();
    let printed = |address: &str| {
        format!(
            "nats-userman listens on {address}, data in ./data\n\
             The URL for NATS is http://{address}/postback/TOKEN; the token is in \
             ./data/postback-token\n{PROXY}"
        )
    };
    let (address, first) = start_and_stop(dir.path(), &[]);
    assert_eq!(first, printed(&address));
    let token = token_in(dir.path());
    assert!(token.len() >= 32);
    let (address, next) = start_and_stop(dir.path(), &[]);
    assert_eq!(next, printed(&address));
    assert_eq!(token_in(dir.path()), token, "it stays the same");
    let (address, given) = start_and_stop(dir.path(), &["--postback-token", TOKEN]);
    assert_eq!(
        given,
        format!(
            "nats-userman listens on {address}, data in ./data\n\
             The URL for NATS is http://{address}/postback/TOKEN, with a token of the \
             settings\n{PROXY}"
        )
    );
}

/// Runs `serve` in this working directory on a terminal. Returns its address, and what it printed
/// there.
fn start_on_a_terminal(cwd: &Path, flags: &[&str], last: &str) -> (String, String) {
    let terminal = Terminal::new();
    let mut command = program();
    command.current_dir(cwd).args(["serve", "--listen", "127.0.0.1:0"]).args(flags);
    terminal.take(&mut command);
    let mut program = Program::spawn(command).unwrap();
    let printed = terminal.read_until(last);
    assert!(program.terminate().success());
    (program.address.to_string(), printed)
}

#[test]
fn a_start_on_a_terminal_prints_the_url_to_paste() {
    let dir = temp_dir();
    let (address, printed) = start_on_a_terminal(dir.path(), &[], PROXY);
    let url = format!("http://{address}/postback/{}", token_in(dir.path()));
    assert_eq!(
        printed,
        format!(
            "nats-userman listens on {address}, data in ./data\n\
             \n\
             Paste this into NATS: Sites Admin, edit a site (NATS3) or a tour (NATS4, NATS5), \
             User Management URL:\n\
             \n    {url}\n\
             \n\
             Try it:\n\
             \n    curl -d 'action=CHECK&siteid=1&username=bob' {url}\n\
             \n{PROXY}"
        )
    );
    let flags = ["--public-url", "https://members.example.com/nats/"];
    let url = format!("https://members.example.com/nats/postback/{}", token_in(dir.path()));
    let last = format!("username=bob' {url}\n\n");
    let (_, printed) = start_on_a_terminal(dir.path(), &flags, &last);
    assert!(
        printed.contains(&format!("\n    {url}\n")) && !printed.contains("--public-url"),
        "{printed}"
    );
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn files_have_their_modes_whatever_the_umask() {
    for umask in ["000", "022", "077", "277"] {
        let dir = temp_dir();
        let data = dir.path().join("data");
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")])
            .arg(program().get_program())
            .envs([NO_CONFIG]);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(&data);
        let mut program = Program::spawn({
            command.stdin(Stdio::null()).stdout(Stdio::null());
            command
        })
        .unwrap();
        let token = fs::read_to_string(data.join("postback-token")).unwrap();
        let add = b"action=ADD&siteid=1&memberid=71&username=bob&password=secret";
        assert_eq!(post_to(program.address, token.trim_end(), add).unwrap().status, 200);
        let expected = [
            ("", 0o750),
            ("userman.db", 0o640),
            ("userman.db-wal", 0o640),
            ("userman.db-shm", 0o640),
            ("seal.key", 0o600),
            ("cookie.key", 0o600),
            ("postback-token", 0o600),
            ("userman.lock", 0o600),
            ("served.json", 0o640),
        ];
        for (file, bits) in expected {
            assert_eq!(
                mode(&data.join(file)),
                bits,
                "umask {umask}: {file:?}: {:o}",
                mode(&data.join(file))
            );
        }
        assert_eq!(
            fs::read_dir(&data).unwrap().count(),
            expected.len() - 1,
            "and nothing else is there"
        );
        program.terminate();
        let mut add = Command::new("sh");
        add.args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")])
            .arg(crate::support::program().get_program())
            .envs([NO_CONFIG]);
        add.args(["token", "add", "--data-dir"]).arg(&data);
        end(add).printed();
        assert_eq!(mode(&data.join("postback-token")), 0o600, "umask {umask}: written anew");
    }
}

#[test]
fn a_second_serve_on_a_data_directory_is_refused() {
    let dir = temp_dir();
    let first = Program::serve(dir.path(), &[]);
    run_on(dir.path(), &["serve", "--listen", "127.0.0.1:0"]).ended(
        1,
        &format!(
            "nats-userman: the data directory {} is in use by a running nats-userman\n",
            dir.path().display()
        ),
    );
    assert_eq!(
        first.post("action=CHECK&siteid=1&username=bob").unwrap().body,
        "NOTOK|username \"bob\" is free on site 1"
    );
    drop(first);
    // The lock of the directory is released in every case.
    assert!(Program::serve(dir.path(), &[]).terminate().success());
}

/// Regression: a user who removed the lock file, because it seemed to be an old one, could start a
/// second service.
#[test]
fn a_second_serve_is_refused_without_the_lock_file_too() {
    let dir = temp_dir();
    let first = Program::serve(dir.path(), &[]);
    // The port is in use, so that a second service ends even if the lock does not stop it.
    let address = first.address.to_string();
    fs::remove_file(dir.path().join("userman.lock")).unwrap();
    for _ in 0..2 {
        run_on(dir.path(), &["serve", "--listen", &address]).ended(
            1,
            &format!(
                "nats-userman: the data directory {} is in use by a running nats-userman\n",
                dir.path().display()
            ),
        );
    }
}

/// Regression: for a database outside the data directory, its directory was locked only if the
/// database existed.
#[test]
fn a_database_elsewhere_is_locked_by_the_start_that_makes_it() {
    let dir = temp_dir();
    let there = dir.path().join("there");
    fs::create_dir(&there).unwrap();
    let database = format!("sqlite:{}/members.db", there.display());
    let first = Program::serve(&dir.path().join("first"), &["--database", &database]);
    let address = first.address.to_string();
    run_on(&dir.path().join("second"), &["serve", "--listen", &address, "--database", &database])
        .ended(
            1,
            &format!(
                "nats-userman: the data directory {} is in use by a running nats-userman\n",
                there.canonicalize().unwrap().display()
            ),
        );
}

#[test]
fn an_address_that_is_taken_is_one_line() {
    let dir = temp_dir();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    run_on(&dir.path().join("data"), &["serve", "--listen", &address]).ended(
        1,
        &format!(
            "nats-userman: cannot listen on {address}: Address already in use (os \
            error 98): another program uses that port; `ss -ltnp` shows which\n"
        ),
    );
}

#[test]
fn a_data_directory_that_cannot_be_made_is_one_line() {
    let dir = temp_dir();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let data = file.join("data");
    run_on(&data, &["serve"]).ended(
        2,
        &format!(
            "nats-userman: cannot use the data directory {}: Not a directory (os error 20)\n",
            data.display()
        ),
    );
}

/// The files of a data directory with their bytes, without the lock, SQLite's index of the WAL, and
/// an empty WAL.
fn files(data: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .map(|path| {
            (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap())
        })
        .filter(|(name, bytes)| {
            !bytes.is_empty() && name != "userman.lock" && !name.ends_with("-shm")
        })
        .collect();
    files.sort_unstable();
    files
}

#[test]
fn a_database_of_a_newer_release_or_of_another_program_is_refused_and_left_alone() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let mut program = Program::serve(&data, &[]);
    program.post("action=ADD&siteid=1&memberid=71&username=bob&password=secret").unwrap();
    program.terminate();
    let path = data.join("userman.db");
    let capture = dir.path().join("capture");
    fs::write(&capture, "action=CHECK&siteid=1&username=bob\n").unwrap();
    for (pragma, problem) in [
        (
            "user_version = 99",
            "it has version 99, and this release supports versions up to 8; install the newer \
             release again",
        ),
        ("application_id = 7", "it is a database of another program"),
    ] {
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch(&format!("PRAGMA {pragma}")).unwrap();
        drop(conn);
        let before = files(&data);
        for args in [
            &["serve", "--listen", "127.0.0.1:0"][..],
            &["journal"],
            &["member", "list"],
            &["member", "show", "1", "71"],
            &["member", "remove", "1", "71"],
            &["replay", capture.to_str().unwrap()],
            &["replay", "--dry-run", capture.to_str().unwrap()],
        ] {
            // A database of another program means a wrong setting.
            let is_setting = args[0] == "serve" && pragma.starts_with("application_id");
            run_on(&data, args).ended(
                if is_setting { 2 } else { 1 },
                &format!("nats-userman: cannot use the database {}: {problem}\n", path.display()),
            );
        }
        let ran = run_on(&data, &["check-config"]);
        assert!(ran.code == Some(1) && ran.err.contains(problem), "{ran:?}");
        assert!(files(&data) == before, "{pragma}: a file was changed");
    }
}

#[test]
fn commands_that_read_do_not_make_a_database() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let missing = format!(
        "nats-userman: there is no database at {}: `nats-userman serve` creates it\n",
        data.join("userman.db").display()
    );
    for args in [
        &["journal"][..],
        &["member", "list"],
        &["member", "show", "1", "71"],
        &["member", "restore", "1", "71"],
    ] {
        run_on(&data, args).ended(1, &missing);
    }
    run_on(&data, &["member", "remove", "1", "71"]).ended(1, &missing);
    assert!(!data.exists());
}
