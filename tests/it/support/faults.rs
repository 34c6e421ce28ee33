//! What stories about faults share.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::ran::run_on;
use super::{PATIENCE, Program, Response, TOKEN, program, rows};

pub const NOTHING_CHANGED: &str = "ERROR|temporarily unavailable, nothing was changed";

/// A secret that no log may contain.
pub const PASSWORD: &str = "sesame-7f3a";

/// An ADD of a member, whose name contains the number.
pub fn add(member: usize) -> String {
    format!("action=ADD&siteid=1&memberid={member}&username=name-{member}&password={PASSWORD}")
}

pub fn added(member: usize) -> String {
    format!("OK|member {member} \"name-{member}\" added to site 1")
}

/// Checks the whole response of a 503.
pub fn assert_unavailable(response: &Response, body: &str) {
    assert_eq!((response.status, response.body.as_str()), (503, body));
    assert_eq!(response.header("retry-after"), Some("5"));
    assert_eq!(response.header("content-type"), Some("text/plain; charset=utf-8"));
}

/// The memberids in member_auth, in order.
pub fn members(database: &Path) -> Vec<usize> {
    let conn = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let ids = "SELECT memberid FROM member_auth ORDER BY memberid";
    let recorded = "SELECT memberid FROM journal WHERE action = 'ADD' AND reply LIKE 'OK|%' GROUP \
        BY memberid ORDER BY memberid";
    let members = rows(&conn, ids);
    assert_eq!(members, rows(&conn, recorded), "rows and journal differ");
    members.iter().map(|id| id.parse().unwrap()).collect()
}

/// Runs `serve`, which must refuse to start. Returns its exit code and its output.
pub fn start(mut command: Command, data: &Path) -> (i32, String) {
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(data)
        .env("USERMAN_POSTBACK_TOKEN", TOKEN);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut status = None;
    // If the service does start, it would run until it is killed.
    let until = std::time::Instant::now() + PATIENCE;
    while status.is_none() && std::time::Instant::now() < until {
        std::thread::park_timeout(std::time::Duration::from_millis(5));
        status = child.try_wait().unwrap();
    }
    let _ = child.kill();
    child.wait().unwrap();
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (status.and_then(|status| status.code()).unwrap_or(-1), said)
}

pub fn other(database: &Path) -> Connection {
    let conn = Connection::open(database).unwrap();
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    conn.execute_batch("PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = OFF").unwrap();
    conn
}

pub fn checkpoint(database: &Path, mode: &str) {
    rows(&other(database), &format!("PRAGMA wal_checkpoint({mode})"));
}

pub fn contents(data: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> =
        fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

pub fn serve_and_add(data: &Path, ids: std::ops::Range<usize>) -> Program {
    let service = Program::serve(data, &[]);
    ids.for_each(|id| assert_eq!(service.post(&add(id)).unwrap().body, added(id)));
    service
}

/// Checks that a start and a command that only reads are refused, and that no byte is changed.
pub fn assert_refused(data: &Path) {
    let before = contents(data);
    let (code, said) = start(program(), data);
    assert!(code == 1 && said.contains("does not belong to the database"), "{said}");
    let ran = run_on(data, &["member", "list"]);
    assert!(ran.code == Some(1) && ran.err.contains("does not belong to the database"), "{ran:?}");
    assert!(contents(data) == before, "files were touched");
}
/// The files that only a first start creates.
const SECRETS: [&str; 3] = ["seal.key", "cookie.key", "postback-token"];

pub fn file_names(data: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(data)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The existing files of secrets.
pub fn secret_files(data: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let all = SECRETS.iter().map(|name| data.join(name));
    all.filter_map(|path| fs::read(&path).ok().map(|content| (path, content))).collect()
}
