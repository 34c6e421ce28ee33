//! The README keeps its word: its session with curl gives the replies that stand there, and its
//! table of settings is that of `--help`.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::{App, Caller, Program, TOKEN, eventually, program, real_program, rows};

const README: &str = include_str!("../../README.md");

/// The lines of the code block behind a marker.
fn block_after(marker: &str) -> Vec<&'static str> {
    let (_, rest) = README.split_once(marker).unwrap();
    rest.lines()
        .skip_while(|line| !line.starts_with("```"))
        .skip(1)
        .take_while(|line| !line.starts_with("```"))
        .collect()
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
        assert!(
            lines.iter().any(|line| line.contains(&format!("action={action}&"))),
            "{action} is not in the session"
        );
    }
}

/// Runs the commands behind a marker, with a directory of the test's own in place of /backup.
fn run_block(marker: &str, cwd: &Path) {
    let output = try_block(marker, cwd, "");
    assert!(output.status.success(), "{marker}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The same as in a shell, which does not stop at a command that fails.
fn try_block(marker: &str, cwd: &Path, before: &str) -> Output {
    let backup = cwd.join("backup").display().to_string();
    let script =
        format!("{before}\n{}", block_after(marker).join("\n")).replace("/backup", &backup);
    let bin = Path::new(env!("CARGO_BIN_EXE_nats-userman")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    Command::new("sh").args(["-c", &script]).current_dir(cwd).env("PATH", path).output().unwrap()
}

/// Regression: what a full disk had left of a copy took the place of the last good one.
#[test]
fn a_backup_or_restore_of_the_readme_that_fails_leaves_what_was_there() {
    if real_program("sqlite3").is_none() {
        return;
    }
    let dir = TempDir::new().unwrap();
    let data = dir.path().join("data");
    assert!(Program::serve(&data, &[]).terminate().success());
    write_token(&data);
    let database = data.join("userman.db");
    Connection::open(&database)
        .unwrap()
        .execute_batch("CREATE TABLE ballast AS SELECT randomblob(1000000)")
        .unwrap();
    run_block("<!-- backup -->", dir.path());
    let (backup, before) =
        (dir.path().join("backup/userman.db"), std::fs::read(&database).unwrap());
    let good = std::fs::read(&backup).unwrap();
    // No file may be larger, as on a full disk.
    assert!(!try_block("<!-- backup -->", dir.path(), "ulimit -f 100").status.success());
    assert!(std::fs::read(&backup).unwrap() == good, "the last good backup is lost");

    std::fs::create_dir(data.join("before")).unwrap();
    assert!(!try_block("<!-- restore -->", dir.path(), "").status.success());
    assert!(std::fs::read(&database).unwrap() == before, "the database is lost");
}

/// Regression: `.backup` begins again with every postback.
#[test]
fn the_backup_of_the_readme_ends_beside_postbacks_and_is_whole_and_can_be_restored() {
    if real_program("sqlite3").is_none() {
        return;
    }
    let dir = TempDir::new().unwrap();
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
    // Enough for a copy to last for many postbacks.
    let ballast = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
         INSERT INTO journal (at, source, fields, reply) SELECT 1, 'replay', hex(randomblob(500)), 'OK|' FROM n";
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
        run_block("<!-- backup -->", dir.path());
        done.store(true, Ordering::SeqCst);
        stream.join().unwrap()
    });
    assert!(posted >= 20, "{posted} postbacks beside it show nothing");
    let copy = Connection::open(dir.path().join("backup/userman.db")).unwrap();
    assert_eq!(rows(&copy, "PRAGMA integrity_check"), ["ok"]);
    let whole = "SELECT (SELECT count(*) FROM member_auth) = (SELECT count(*) FROM journal WHERE action = 'ADD'),
                     (SELECT count(*) FROM member_auth) BETWEEN 20 AND 20 + ?1";
    let whole = whole.replace("?1", &posted.to_string());
    assert_eq!(rows(&copy, &whole), ["1|1"]);
    let members = rows(&copy, "SELECT count(*) FROM member_auth");
    drop(copy);

    assert!(service.terminate().success());
    run_block("<!-- restore -->", dir.path());
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

/// The services of these tests have their token from a flag.
fn write_token(data: &Path) {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::File::options()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(data.join("postback-token"))
        .unwrap();
    std::io::Write::write_all(&mut file, format!("{TOKEN}\n").as_bytes()).unwrap();
}

#[test]
fn the_stand_in_answers_as_it_stands_in_the_readme() {
    let Some(curl) = real_program("curl") else { return };
    let key = "0123456789abcdef0123456789abcdef";
    let app = App::start_with(&[
        "--stand-in",
        "--api-key",
        &format!("shop:{key} site=1 site=5 ip=127.0.0.1"),
    ]);
    let postbacks = format!("http://{}/postback/{TOKEN}", app.address);
    let lines = block_after("<!-- stand-in -->");
    assert_eq!(lines.len(), 6, "commands and answers take turns");
    let example = "877ae8d2c00e617d443643326bb848e2";
    let mut string = example.to_owned();
    for pair in lines.chunks(2) {
        let command = pair[0]
            .strip_prefix("$ curl ")
            .unwrap()
            .replace("127.0.0.1:8080", &app.address.to_string());
        let script = format!("{} -s {}", curl.display(), command.replace(example, &string));
        let output = Command::new("sh")
            .args(["-c", &script])
            .env("URL", &postbacks)
            .env("KEY", key)
            .output()
            .unwrap();
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
    let help =
        String::from_utf8(program().args(["serve", "--help"]).output().unwrap().stdout).unwrap();
    let in_help = |prefix: &str| {
        let words = help.split(|c: char| c.is_whitespace() || "[],:=<>`".contains(c));
        let mut found: Vec<_> =
            words.filter(|word| word.starts_with(prefix) && word.len() > prefix.len()).collect();
        found.sort_unstable();
        found.dedup();
        found.into_iter().filter(|word| *word != "--help").map(str::to_owned).collect::<Vec<_>>()
    };
    let (flags, variables) = (in_help("--"), in_help("USERMAN_"));
    assert!(flags.len() >= 15 && variables.len() >= 15, "{flags:?} {variables:?}");
    for name in flags.iter().chain(&variables) {
        assert!(
            README.contains(&format!("| `{name}` |")),
            "{name} is not in the table of settings"
        );
    }
}
