//! The commands in the README and in `docs/`: each block is run as it is printed, and must give the
//! printed output.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;

use crate::support::pages::{block_after, page};
use crate::support::{Caller, NO_CONFIG, Program, TOKEN, eventually, rows, temp_dir};

const BACKUP: &str = "<!-- backup -->";
const RESTORE: &str = "<!-- restore -->";

/// Runs the commands after a marker. A directory of the test replaces /backup.
fn run_block(marker: &str, cwd: &Path) {
    let output = try_block(marker, cwd, "");
    assert!(output.status.success(), "{marker}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Runs the commands after a marker in a shell that does not stop at a failure.
fn try_block(marker: &str, cwd: &Path, before: &str) -> Output {
    let backup = cwd.join("backup").display().to_string();
    let block = block_after(&page("docs/backup-restore.md"), marker).join("\n");
    let script = format!("{before}\n{block}").replace("/backup", &backup);
    let script = script.replace("/var/lib/nats-userman", &cwd.join("data").display().to_string());
    let bin: PathBuf = Path::new(env!("CARGO_BIN_EXE_nats-userman")).parent().unwrap().into();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    Command::new("sh")
        .args(["-c", &script])
        .current_dir(cwd)
        .env("PATH", path)
        .envs([NO_CONFIG])
        .output()
        .unwrap()
}

/// Regression: an incomplete copy from a full disk replaced the last good one.
#[test]
fn a_backup_or_restore_that_fails_leaves_what_was_there() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    assert!(Program::serve(&data, &[]).terminate().success());
    write_token(&data);
    let database = data.join("userman.db");
    Connection::open(&database)
        .unwrap()
        .execute_batch("CREATE TABLE ballast AS SELECT randomblob(1000000)")
        .unwrap();
    run_block(BACKUP, dir.path());
    let backups = dir.path().join("backup");
    let files = || {
        let files = fs::read_dir(&backups).unwrap().map(|entry| entry.unwrap().path());
        let files = files.filter(|path| path.extension().is_some_and(|end| end != "new"));
        let mut files: Vec<_> = files.map(|path| (fs::read(&path).unwrap(), path)).collect();
        files.sort_by(|one, other| one.1.cmp(&other.1));
        files
    };
    let good = files();
    assert_eq!(good.len(), 2);
    // Limits the size of a file, so that writing fails as on a full disk.
    assert!(!try_block(BACKUP, dir.path(), "ulimit -f 100").status.success());
    assert!(files() == good, "the last good backup is lost");

    let before = fs::read(&database).unwrap();
    assert!(!try_block(RESTORE, dir.path(), "ulimit -f 100").status.success());
    assert!(fs::read(&database).unwrap() == before, "the database is lost");
}

/// Regression: sqlite3's `.backup` starts again after every postback.
#[test]
fn the_backup_ends_beside_postbacks_and_is_whole_and_can_be_restored() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let mut service = Program::serve(&data, &[]);
    let add = |member: usize| {
        format!(
            "action=ADD&siteid=1&memberid={member}&username=name-{member}&cryptpass=41R19prsa7NLQ"
        )
    };
    let added = |member: usize| format!("OK|member {member} \"name-{member}\" added to site 1");
    (1..=20).for_each(|member| assert_eq!(service.post(&add(member)).unwrap().body, added(member)));
    assert!(service.terminate().success());
    // Data for a copy that takes as long as many postbacks.
    let ballast = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
         INSERT INTO journal (at, source, fields, reply) SELECT 1, 'replay', hex(randomblob(500)), \
         'OK|' FROM n";
    Connection::open(data.join("userman.db")).unwrap().execute(ballast, []).unwrap();
    write_token(&data);
    let mut service = Program::serve(&data, &[]);

    let (address, done) = (service.address, AtomicBool::new(false));
    let posted = std::thread::scope(|scope| {
        let stream = scope.spawn(|| {
            let mut caller = Caller::connect(address).unwrap();
            let mut next = 21;
            while !done.load(Ordering::SeqCst) {
                assert_eq!(caller.post(&add(next)).unwrap().body, added(next));
                next += 1;
            }
            next - 21
        });
        run_block(BACKUP, dir.path());
        done.store(true, Ordering::SeqCst);
        stream.join().unwrap()
    });
    assert!(posted >= 20, "{posted} postbacks beside it show nothing");
    let files = fs::read_dir(dir.path().join("backup")).unwrap();
    let mut files = files.map(|entry| entry.unwrap().path());
    let file = files.find(|path| path.extension().is_some_and(|end| end == "db")).unwrap();
    let copy = Connection::open(file).unwrap();
    assert_eq!(rows(&copy, "PRAGMA integrity_check"), ["ok"]);
    let whole = "SELECT (SELECT count(*) FROM member_auth) = (SELECT count(*) FROM journal WHERE \
        action = 'ADD'),
                     (SELECT count(*) FROM member_auth) BETWEEN 20 AND 20 + ?1";
    let whole = whole.replace("?1", &posted.to_string());
    assert_eq!(rows(&copy, &whole), ["1|1"]);
    let members = rows(&copy, "SELECT count(*) FROM member_auth");
    drop(copy);

    assert!(service.terminate().success());
    run_block(RESTORE, dir.path());
    let restored = Program::serve(&data, &[]);
    assert_eq!(
        rows(
            &Connection::open(data.join("userman.db")).unwrap(),
            "SELECT count(*) FROM member_auth"
        ),
        members
    );
    eventually("it can write", || restored.post(&add(1)).unwrap().status == 200);
    assert!(!restored.stderr().contains("expected mode"), "{}", restored.stderr());
}

/// The restore replaces the keys. The earlier keys belong to the former database.
#[test]
fn a_restore_is_tried_and_done_and_undone_with_the_commands_of_the_page() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let serve = |member: usize| {
        let mut service = Program::serve(&data, &[]);
        let fields = format!("username=name-{member}&password=secret-{member}");
        let body = format!("action=ADD&siteid=1&memberid={member}&{fields}");
        assert!(service.post(&body).unwrap().body.starts_with("OK|"));
        assert!(service.terminate().success());
    };
    let key = || fs::read(data.join("cookie.key")).unwrap();
    let members = || {
        let database = Connection::open(data.join("userman.db")).unwrap();
        rows(&database, "SELECT memberid FROM member_auth")
    };
    serve(1);
    write_token(&data);
    let old = key();
    run_block(BACKUP, dir.path());
    let tried = try_block("<!-- drill -->", dir.path(), "");
    let said = String::from_utf8(tried.stdout).unwrap();
    assert!(tried.status.success() && said.contains("name-1"), "{said}");

    fs::remove_dir_all(&data).unwrap();
    serve(2);
    let new = key();
    run_block(RESTORE, dir.path());
    assert!(members() == ["1"] && key() == old);
    let data_dir = format!("export USERMAN_DATA_DIR={}", data.display());
    let undone = try_block("<!-- undo -->", dir.path(), &data_dir);
    assert!(undone.status.success(), "{}", String::from_utf8_lossy(&undone.stderr));
    assert!(members() == ["2"] && key() == new);
    assert_eq!(fs::read_to_string(data.join("postback-token")).unwrap(), format!("{TOKEN}\n"));
}

/// The services in these tests have their token from a flag.
fn write_token(data: &Path) {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = fs::File::options()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(data.join("postback-token"))
        .unwrap();
    std::io::Write::write_all(&mut file, format!("{TOKEN}\n").as_bytes()).unwrap();
}
