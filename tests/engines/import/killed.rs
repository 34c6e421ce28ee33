//! Imports that are interrupted, or run twice at once: in the end everything is as if one had run
//! once.

use std::path::PathBuf;
use std::process::Stdio;

use tempfile::TempDir;

use super::data_in;
use crate::ENGINES;
use crate::support::ran::{run_beside, write};
use crate::support::{
    Beside, EngineKind, TestDatabase, check_database, eventually, program, temp_dir,
};

/// As `import` writes in one transaction.
const BATCH: usize = 512;
const ROWS: usize = 16 * BATCH;
/// Kept as it is, so that two imports give equal rows.
const HASH: &str = "$2y$04$......................LAtw7/ohmmBAhnXqmkuIz83Rl5Qdjhm";

fn members(rows: usize) -> String {
    let mut text = String::from("siteid,memberid,username,cryptpass\n");
    for id in 1..=rows {
        text.push_str(&format!("1,{id},m{id},{HASH}\n"));
    }
    text
}

/// All that an import has written, without the times and the order of records.
fn content(database: &TestDatabase) -> [Vec<String>; 2] {
    let beside = Beside::open(&database.location());
    let records = "SELECT siteid, memberid, username, action, source, reply FROM journal ORDER BY \
        siteid, memberid, reply";
    let mut rows = beside.dump("member_auth", "siteid, memberid", &[]);
    rows.extend(beside.dump("former_member", "siteid, memberid", &[]));
    [rows, beside.rows(records)]
}

/// What one undisturbed import of this file writes.
fn as_one_run(like: &TestDatabase, file: &str) -> [Vec<String>; 2] {
    let engine = Beside::open(&like.location()).engine();
    let (dir, database) = (temp_dir(), TestDatabase::new(engine).unwrap());
    run_beside(&database, &data_in(dir.path()), &["import", file]).printed();
    content(&database)
}

/// A database with one imported member: what is interrupted is an import, and not the making of
/// tables.
struct Begun {
    database: TestDatabase,
    dir: TempDir,
    data: PathBuf,
}

impl Begun {
    /// `None`, with a loud line, where the engine's server is not installed.
    fn on(engine: EngineKind) -> Option<Self> {
        let (database, dir) = (TestDatabase::new(engine)?, temp_dir());
        let data = data_in(dir.path());
        let first = write(dir.path(), "first.csv", members(1));
        run_beside(&database, &data, &["import", &first]).printed();
        Some(Self { database, dir, data })
    }
}

#[test]
fn an_import_that_is_killed_leaves_whole_batches_and_the_next_one_completes_it() {
    for engine in ENGINES {
        let Some(Begun { database, dir, data }) = Begun::on(engine) else { continue };
        let file = write(dir.path(), "members.csv", members(ROWS));
        let count = |table: &str| -> usize {
            let all = format!("SELECT count(*) FROM {table}");
            Beside::open(&database.location()).rows(&all)[0].parse().unwrap()
        };
        let mut before = 1;
        for _ in 0..2 {
            let mut import = program();
            import.args(["import", &file, "--data-dir"]).arg(&data).args(database.flags());
            let mut child = import.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            eventually("a batch is there", || count("member_auth") > before);
            child.kill().unwrap();
            let status = child.wait().unwrap();
            assert_eq!(status.code(), None, "{engine:?}: it was killed before its end");
            // The server may still be ending the transaction of the connection.
            check_database(&database.location());
            let members = count("member_auth");
            assert!(members > before && members < ROWS, "{engine:?}: {members}");
            assert_eq!(members % BATCH, 0, "{engine:?}: a batch is there as a whole");
            assert_eq!(count("journal"), members, "{engine:?}: each member with one record");
            before = members;
        }
        let rest = ROWS - before;
        assert_eq!(
            run_beside(&database, &data, &["import", &file]).printed(),
            format!("{rest} added, 0 changed, {before} were so already, 0 refused\n"),
            "{engine:?}"
        );
        assert_eq!(content(&database), as_one_run(&database, &file), "{engine:?}");
    }
}

#[test]
fn two_imports_of_one_file_at_once_import_each_member_once() {
    for engine in ENGINES {
        let Some(Begun { database, dir, data }) = Begun::on(engine) else { continue };
        let rows = 4 * BATCH;
        let file = write(dir.path(), "members.csv", members(rows));
        let both: Vec<String> = std::thread::scope(|scope| {
            // The one that ends first cannot empty the WAL of SQLite, and says so.
            let import = || {
                let ran = run_beside(&database, &data, &["import", &file]);
                assert_eq!(ran.code, Some(0), "{}", ran.err);
                ran.out
            };
            let threads = [scope.spawn(import), scope.spawn(import)];
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let number = |said: &str, words: &str| -> usize {
            let (before, _) = said.split_once(words).unwrap_or_else(|| panic!("{said}"));
            before.rsplit(", ").next().unwrap().parse().unwrap()
        };
        let sum = |words: &str| both.iter().map(|said| number(said, words)).sum::<usize>();
        assert_eq!(sum(" added"), rows - 1, "{engine:?}: {both:?}");
        assert_eq!(sum(" were so already"), rows + 1, "{engine:?}: {both:?}");
        assert_eq!(sum(" changed") + sum(" refused"), 0, "{engine:?}: {both:?}");
        check_database(&database.location());
        assert_eq!(content(&database), as_one_run(&database, &file), "{engine:?}");
    }
}

/// Each of the two gives out memberids, and a name goes to one of them.
#[test]
fn two_imports_at_once_of_a_list_without_memberids_give_each_name_to_one_member() {
    for engine in ENGINES {
        let Some(Begun { database, dir, data }) = Begun::on(engine) else { continue };
        let rows = 2 * BATCH;
        let names: String = (1..=rows).map(|id| format!("n{id}:{HASH}\n")).collect();
        let file = write(dir.path(), "htpasswd", names);
        let args = ["import", "--site", "2", &file];
        std::thread::scope(|scope| {
            let import = || {
                let ran = run_beside(&database, &data, &args);
                let is_known =
                    |line: &&str| line.contains(" is held by member ") || line.contains(" added, ");
                let other = ran.out.lines().find(|line| !is_known(line));
                assert_eq!(other, None, "{engine:?}: {}", ran.err);
            };
            let threads = [scope.spawn(import), scope.spawn(import)];
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
        let beside = Beside::open(&database.location());
        let count = format!(
            "SELECT count(*), count(DISTINCT {}) FROM member_auth WHERE siteid = 2",
            beside.username()
        );
        assert_eq!(beside.rows(&count), [format!("{rows}|{rows}")], "{engine:?}");
        assert_eq!(
            run_beside(&database, &data, &args).printed(),
            format!("0 added, 0 changed, {rows} were so already, 0 refused\n"),
            "{engine:?}"
        );
    }
}
