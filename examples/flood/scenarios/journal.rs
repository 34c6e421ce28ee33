//! The journal: the bytes that a record takes, the rate of ADD by the order of memberids, and the
//! history of one member among millions of records.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use rusqlite::Connection;

use super::{Bench, CONNECTIONS, ROUNDS, add, load, measure};
use crate::Failure;
use crate::report::{Bar, Series, median};
use crate::request::{Ask, memberid};

const RECORDS_OF_ONE_ORDER: u64 = 100_000;
const RECORDS: u64 = 5_000_000;
const HISTORIES: u64 = 21;
const BYTES_MAX: f64 = 620.0;
const HISTORY_MS_MAX: f64 = 20.0;

/// All that a record takes: its row, its index entries, and its part of the shapes.
const BYTES_A_RECORD: &str = "SELECT sum(pgsize) * 1.0 / (SELECT count(*) FROM journal) FROM dbstat
     WHERE name IN (SELECT name FROM sqlite_schema WHERE tbl_name IN ('journal', 'journal_shape'))";

impl Bench {
    pub(super) async fn journal(&mut self, name: &str) -> Result<(), Failure> {
        let count = self.scaled(RECORDS_OF_ONE_ORDER);
        let (mut rising, mut random) = (Series::default(), Series::default());
        let mut database = None;
        for _ in 0..ROUNDS {
            let mut program = self.program()?;
            let adds = add(&mut program, CONNECTIONS, count);
            measure(&program, adds, &mut rising).await?;
            database = Some(program.database());
            self.end(program)?;
            let program = self.program()?;
            let adds = load(&program, Ask::AddScattered { members: count }, CONNECTIONS, count);
            measure(&program, adds, &mut random).await?;
            self.end(program)?;
        }
        self.report.row(name, "ADD, memberids in rising order", CONNECTIONS, &rising);
        self.report.row(name, "ADD, memberids in random order", CONNECTIONS, &random);
        let Some(database) = database else { return Ok(()) };
        let conn = Connection::open(&database)?;
        let bytes = conn.query_row(BYTES_A_RECORD, [], |row| row.get(0))?;
        self.report.bar("journal: bytes of an ADD", bytes, Bar::AtMost(BYTES_MAX));
        let records = self.scaled(RECORDS);
        fill(&conn, i64::try_from(records)?)?;
        drop(conn);
        for (of, flags) in [("member", &[][..]), ("member of a site", &["--site", "1"])] {
            let times = (0..HISTORIES).map(|index| {
                history(&self.binary, &database, memberid(index * 7919 % count), flags)
            });
            let ms = median(times.collect::<Result<_, _>>()?);
            let bar = format!("journal: history of a {of} among {records} records, ms");
            self.report.bar(&bar, ms, Bar::AtMost(HISTORY_MS_MAX));
        }
        Ok(())
    }
}

/// Adds records like the ones that there are, with other memberids, up to `records`.
pub(super) fn fill(conn: &Connection, records: i64) -> Result<(), Failure> {
    let has: i64 = conn.query_row("SELECT max(id) FROM journal", [], |row| row.get(0))?;
    conn.pragma_update(None, "synchronous", "OFF")?;
    conn.execute(
        "WITH RECURSIVE next (id) AS (SELECT ?1 + 1 UNION ALL SELECT id + 1 FROM next WHERE id < ?2)
         INSERT INTO journal (id, at, source, address, action, siteid, memberid, username, fields,
             reply, session_sha256, sealed, password)
         SELECT next.id, at, source, address, action, siteid, 300000000 + next.id, username,
             fields, reply, session_sha256, NULL, password
         FROM next JOIN journal ON journal.id = next.id % ?1 + 1",
        [has, records],
    )?;
    Ok(())
}

/// Milliseconds of `nats-userman journal`, with the start of the program.
fn history(binary: &Path, database: &Path, member: u64, flags: &[&str]) -> Result<f64, Failure> {
    let begun = Instant::now();
    let output = Command::new(binary)
        .args(["journal", "--member", &member.to_string(), "--data-dir"])
        .arg(database.parent().unwrap_or(database))
        .args(flags)
        .output()?;
    let ms = begun.elapsed().as_secs_f64() * 1e3;
    let text = String::from_utf8_lossy(&output.stdout);
    if !text.contains(&format!("OK|member {member} ")) {
        return Err(format!("no record of member {member}: {text}").into());
    }
    Ok(ms)
}
