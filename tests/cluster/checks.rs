//! What has to hold in the end, whatever failed.

use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;

use mysql::prelude::Queryable as _;
use mysql::{Conn, Row, Value};

use super::deeds::{Answer, Sent};
use super::galera::{DATABASE, Galera};
use super::receiver::{Receiver, program};

/// Every node has the same rows in every table.
pub fn nodes_are_equal(galera: &Galera) {
    let tables: Vec<String> = galera.nodes[0]
        .rows()
        .query(format!(
            "SELECT table_name FROM information_schema.tables
             WHERE table_schema = '{DATABASE}' ORDER BY table_name"
        ))
        .unwrap();
    assert!(tables.iter().any(|name| name == "member_auth"), "{tables:?}");
    for table in &tables {
        let first = dump(&mut galera.nodes[0].rows(), table);
        for (at, node) in galera.nodes.iter().enumerate().skip(1) {
            let other = dump(&mut node.rows(), table);
            let differs = first.iter().zip(&other).find(|(one, other)| one != other);
            assert!(
                first.len() == other.len() && differs.is_none(),
                "{table}: node 1 has {} rows and node {} has {}; the first difference: {differs:?}",
                first.len(),
                at + 1,
                other.len(),
            );
        }
    }
}

/// All rows, sorted.
fn dump(conn: &mut Conn, table: &str) -> Vec<String> {
    let rows: Vec<Row> = conn.query(format!("SELECT * FROM {table}")).unwrap();
    let mut rows: Vec<String> = rows
        .into_iter()
        .map(|row| {
            let values: Vec<String> =
                row.unwrap().iter().map(|value: &Value| value.as_sql(true)).collect();
            values.join(",")
        })
        .collect();
    rows.sort_unstable();
    rows
}

/// Each batch that exists has as many records as its receiver was going to commit, by its log.
pub fn no_batch_is_half(conn: &mut Conn, receivers: &[Receiver]) {
    let logged: HashMap<i64, i64> = receivers.iter().flat_map(Receiver::batches).collect();
    let found: Vec<(i64, i64)> =
        conn.query("SELECT batch, COUNT(*) FROM journal GROUP BY batch").unwrap();
    let is_half =
        |(batch, records): &&(i64, i64)| logged.get(batch).is_some_and(|logged| logged != records);
    let half: Vec<_> = found.iter().filter(is_half).collect();
    assert!(half.is_empty(), "half batches (batch, found): {half:?}");
    // The last lines before a SIGKILL are lost.
    let unlogged = found.iter().filter(|(batch, _)| !logged.contains_key(batch)).count();
    let kills: usize = receivers.iter().map(|receiver| receiver.kills).sum();
    assert!(unlogged <= 3 * kills, "{unlogged} batches are not in the log, after {kills} kills");
    println!("{} batches are whole, {unlogged} more are not in the log", found.len() - unlogged);
}

/// What was counted of the answers.
#[derive(Debug, Default)]
pub struct Told {
    pub replies: usize,
    pub nothing: usize,
    pub unknown: usize,
    /// Unknown, and found in the journal.
    pub unknown_and_done: usize,
}

/// Each answer was true: what has a reply is in the journal once, with this reply. What was told to
/// have changed nothing is not in the journal. The rest is there once or not at all.
pub fn answers_are_true(conn: &mut Conn, sent: &[Sent]) -> Told {
    let rows: Vec<(String, String)> =
        conn.query("SELECT fields, reply FROM journal WHERE fields LIKE '%mark-%'").unwrap();
    let mut found: HashMap<String, Vec<String>> = HashMap::new();
    for (fields, reply) in rows {
        let begin = fields.find("mark-").unwrap();
        let length = fields[begin..].find("-end").unwrap();
        let mark = format!("{}-end", &fields[begin..begin + length]);
        found.entry(mark).or_default().push(reply);
    }
    let mut told = Told::default();
    for Sent { mark, answer } in sent {
        let found = found.remove(mark).unwrap_or_default();
        match answer {
            Answer::Reply(reply) => {
                told.replies += 1;
                assert_eq!(found, [reply.clone()], "{mark} was answered, and this is there");
            }
            Answer::Nothing => {
                told.nothing += 1;
                assert!(found.is_empty(), "{mark} was told to have changed nothing: {found:?}");
            }
            Answer::Unknown => {
                told.unknown += 1;
                told.unknown_and_done += found.len();
                assert!(found.len() <= 1, "{mark} was applied twice: {found:?}");
            }
        }
    }
    assert!(found.is_empty(), "nobody sent these: {found:?}");
    told
}

/// The journal, replayed into an empty database, gives the members of the database. So no record is
/// without its change, no change without its record, and the order of the journal is the order of
/// effect.
pub fn the_journal_gives_the_members(conn: &mut Conn, receiver: &Receiver, dir: &Path) {
    let file = dir.join("journal.json");
    let done = program()
        .args(["journal", "--json", "--database", receiver.setting(), "--data-dir"])
        .arg(receiver.dir())
        .stdout(std::fs::File::create(&file).unwrap())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let data = dir.join("replayed");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::copy(receiver.dir().join("seal.key"), data.join("seal.key")).unwrap();
    let done = program()
        .args(["replay", "--journal"])
        .arg(&file)
        .arg("--data-dir")
        .arg(&data)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let replayed = rusqlite::Connection::open(data.join("userman.db")).unwrap();
    for (table, last) in [("member_auth", "trial"), ("former_member", "ended_at")] {
        let columns = format!("siteid, memberid, email, biller, password, login_version, {last}");
        let order = "ORDER BY siteid, memberid";
        let mut query =
            replayed.prepare(&format!("SELECT username, {columns} FROM {table} {order}")).unwrap();
        let expected: Vec<String> = query
            .query_map([], |row| {
                let text = |at| -> rusqlite::Result<String> {
                    Ok(match row.get_ref(at)? {
                        rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                        rusqlite::types::ValueRef::Text(text) => {
                            String::from_utf8_lossy(text).into_owned()
                        }
                        _ => "NULL".into(),
                    })
                };
                Ok((0..8).map(|at| text(at).unwrap()).collect::<Vec<_>>().join("|"))
            })
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let found: Vec<String> = conn
            .query(format!(
                "SELECT CONCAT_WS('|', username_sent, siteid, memberid, IFNULL(email, 'NULL'),
                     IFNULL(biller, 'NULL'), IFNULL(password, 'NULL'), login_version, {last})
                 FROM {table} {order}"
            ))
            .unwrap();
        assert!(!found.is_empty());
        let differs = expected.iter().zip(&found).find(|(one, other)| one != other);
        assert!(
            expected.len() == found.len() && differs.is_none(),
            "{table}: {} rows by the journal, {} found; the first difference: {differs:?}",
            expected.len(),
            found.len(),
        );
    }
}
