//! The first start on the database of an old release: from the start of the program until it
//! listens, with the copy of the old database that it keeps.

use std::fs::{self, File};
use std::path::Path;
use std::time::Instant;

use rusqlite::Connection;

use super::{Bench, MILLION, megabytes};
use crate::Failure;
use crate::process::{Server, data};
use crate::report::{Bar, median};

/// A data directory as that release left it, with few members.
const RELEASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/releases/0.3.0/data");
const ROUNDS: usize = 3;
const RECORDS_OF_A_MEMBER: u64 = 3;
const SECONDS_MAX: f64 = 15.0;

impl Bench {
    pub(super) fn upgrade(&mut self, name: &str) -> Result<(), Failure> {
        let old = self.new_dir();
        let members = self.scaled(MILLION);
        copy_dir(Path::new(RELEASE), &data(&old))?;
        fill(&Server::database_in(&old), members)?;
        let bytes = Server::database_in(&old).metadata()?.len();
        let (mut seconds, mut most) = (Vec::new(), 0);
        for _ in 0..ROUNDS {
            let dir = self.new_dir();
            copy_dir(&data(&old), &data(&dir))?;
            let begun = Instant::now();
            let server = self.receiver_in(&dir, 0, &[])?;
            seconds.push(begun.elapsed().as_secs_f64());
            most = most.max(server.resident_kib_max());
            server.stop()?;
            fs::remove_dir_all(&dir)?;
        }
        let each: Vec<String> = seconds.iter().map(|seconds| format!("{seconds:.1}")).collect();
        self.report.note(format!(
            "{name}: a database of 0.3.0 with {members} members, {} journal records and {:.2} \
             GiB; seconds until the program listened: {}; {:.0} MB resident at most",
            members * RECORDS_OF_A_MEMBER,
            bytes as f64 / f64::from(1 << 30),
            each.join(", "),
            megabytes(most)
        ));
        self.report.bar("upgrade of 0.3.0, seconds", median(seconds), Bar::AtMost(SECONDS_MAX));
        Ok(())
    }
}

/// Copies the files, and waits until they are on the disk: the program must not wait for them.
fn copy_dir(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let file = to.join(entry.file_name());
        fs::copy(entry.path(), &file)?;
        File::open(file)?.sync_all()?;
    }
    Ok(())
}

/// Adds members of a site of their own, each with a hashed password, and their records. Memberids
/// rise with time, and names have no order.
fn fill(database: &Path, members: u64) -> Result<(), Failure> {
    let conn = Connection::open(database)?;
    conn.execute_batch(&format!(
        "BEGIN;
         CREATE TEMP TABLE number AS
             WITH RECURSIVE number (n) AS
                 (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {members})
             SELECT n, lower(hex(randomblob(5))) || n AS name,
                 '$argon2id$v=19$m=19456,t=2,p=1$' || substr(hex(randomblob(11)), 1, 22) || '$'
                     || substr(hex(randomblob(22)), 1, 43) AS hash
             FROM number;
         INSERT INTO member_auth (siteid, memberid, username, username_folded, password, email,
                 trial, biller, session_sha256, joined, expires)
             SELECT 1000, n, name, name, hash, name || '@example.com', 0, 'NETBILLING:' || n,
                 randomblob(32), 1500000000 + n, 0
             FROM number;"
    ))?;
    for _ in 0..RECORDS_OF_A_MEMBER {
        conn.execute_batch(
            "INSERT INTO journal (at, source, address, action, siteid, memberid, username, fields,
                 reply, password, session_sha256)
             SELECT 1500000000 + n, 'nats', '192.0.2.' || (n % 256), 'ADD', 1000, n, name,
                 'action=ADD&siteid=1000&memberid=' || n || '&username=' || name
                     || '&password=***&email=' || name || '%40example.com&trial=0'
                     || '&biller=NETBILLING%3A' || n || '&session=***&joined=' || (1500000000 + n)
                     || '&expires=0&name=***&address=***&ip=***',
                 'OK|member ' || n || ' \"' || name || '\" added to site 1000',
                 hash, randomblob(32)
             FROM number;",
        )?;
    }
    conn.execute_batch("DROP TABLE number; COMMIT; PRAGMA wal_checkpoint(TRUNCATE);")?;
    Ok(())
}
