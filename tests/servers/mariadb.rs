//! The server that these stories use.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use mysql::prelude::Queryable as _;

use crate::support::{MariaDatabase, MariaDb};

#[test]
fn a_server_starts_answers_and_leaves_neither_a_database_nor_a_process_nor_a_file() {
    let Some(server) = MariaDb::start(&[]) else { return };
    let database = MariaDatabase::on(Arc::clone(&server));
    let answer: Option<i64> = database.connect().query_first("SELECT 1").unwrap();
    assert_eq!(answer, Some(1));
    let mut left_open = database.connect();
    left_open.query_drop("CREATE TABLE t (a INT) ENGINE=InnoDB").unwrap();
    left_open.query_drop("BEGIN").unwrap();
    left_open.query_drop("INSERT INTO t VALUES (1)").unwrap();
    let name = database.name().to_owned();
    drop(database);
    let databases: Vec<String> = server.admin().query("SHOW DATABASES").unwrap();
    assert!(!databases.contains(&name), "{databases:?}");

    let dir = server.dir().to_owned();
    let id = fs::read_to_string(dir.join("pid")).unwrap();
    let process = PathBuf::from(format!("/proc/{}", id.trim()));
    assert!(process.exists());
    drop(server);
    assert!(!process.exists() && !dir.exists());
}
