//! From which networks members have logged in, as keyed hashes.

use rusqlite::{Connection, OptionalExtension, params};

use super::reader::Reader;
use crate::store::bounds::{KNOWN_MAX, KNOWN_OF_A_MEMBER_MAX};
use crate::store::{Fault, KnownId, KnownNetwork};

impl Reader {
    /// Whether the member has logged in from the network.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub(super) fn has_network(&self, id: &KnownId) -> Result<bool, Fault> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT 1 FROM known_network WHERE member = ?1 AND network = ?2")?;
        Ok(statement.exists(params![id.member, id.network])?)
    }

    /// Whether any network is stored from which a member has logged in.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub(super) fn has_networks(&self) -> Result<bool, Fault> {
        Ok(self
            .conn
            .query_row("SELECT 1 FROM known_network LIMIT 1", [], |_| Ok(()))
            .optional()?
            .is_some())
    }
}

/// Notes that a member has logged in. If the member has too many networks, the one that was unused
/// for longest is removed.
pub(super) fn note(conn: &Connection, known: &KnownNetwork) -> Result<(), Fault> {
    let KnownId { member, network } = known.id;
    let values = params![member, network, known.day];
    let insert = "INSERT INTO known_network VALUES (?1, ?2, ?3)
         ON CONFLICT (member, network) DO UPDATE SET day = excluded.day";
    conn.prepare_cached(insert)?.execute(values)?;
    conn.prepare_cached(&format!(
        "DELETE FROM known_network WHERE member = ?1 AND network IN (
             SELECT network FROM known_network WHERE member = ?1
             ORDER BY network = ?2 DESC, day DESC LIMIT -1 OFFSET {KNOWN_OF_A_MEMBER_MAX})"
    ))?
    .execute(params![member, network])?;
    Ok(())
}

/// Removes the networks that were unused for longest, if there are too many in all. Counting reads
/// the whole index.
pub(super) fn trim(conn: &Connection) -> Result<(), Fault> {
    let count: i64 = conn
        .prepare_cached("SELECT count(*) FROM known_network")?
        .query_row([], |row| row.get(0))?;
    if count > KNOWN_MAX {
        conn.prepare_cached(
            "DELETE FROM known_network WHERE (member, network) IN (
                 SELECT member, network FROM known_network ORDER BY day LIMIT ?1)",
        )?
        .execute([count - KNOWN_MAX])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::KNOWN_BYTES;

    fn database() -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(include_str!("../../../schema.sql")).unwrap();
        conn
    }

    fn known(member: u8, network: u32, day: i64) -> KnownNetwork {
        let mut hash = [0; KNOWN_BYTES];
        hash[..4].copy_from_slice(&network.to_be_bytes());
        KnownNetwork { id: KnownId { member: [member; KNOWN_BYTES], network: hash }, day }
    }

    fn days(conn: &Connection, member: u8) -> Vec<i64> {
        let mut statement =
            conn.prepare("SELECT day FROM known_network WHERE member = ?1 ORDER BY day").unwrap();
        statement
            .query_map([[member; KNOWN_BYTES]], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect()
    }

    #[test]
    fn a_network_that_is_used_again_has_the_day_of_its_last_use() {
        let conn = database();
        for day in [3, 5, 4] {
            note(&conn, &known(1, 9, day)).unwrap();
        }
        assert_eq!(days(&conn, 1), [4], "a clock that was set back is believed");
    }

    #[test]
    fn of_a_member_sixteen_are_known_and_the_longest_unused_one_goes() {
        let conn = database();
        note(&conn, &known(2, 0, 0)).unwrap();
        for number in 0..100 {
            note(&conn, &known(1, number, i64::from(number))).unwrap();
        }
        assert_eq!(days(&conn, 1), (84..100).collect::<Vec<_>>());
        assert_eq!(days(&conn, 2), [0], "another member's stay");
        note(&conn, &known(1, 1_000, 0)).unwrap();
        assert_eq!(
            days(&conn, 1)[..2],
            [0, 85],
            "the one that is used now stays, whatever the clock says"
        );
    }

    #[test]
    fn in_all_there_is_a_bound_and_the_longest_unused_go() {
        let conn = database();
        // Enough members to reach the limit. SQLite generates them, because each note would take
        // several statements.
        conn.execute_batch(&format!(
            "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {})
             INSERT INTO known_network SELECT cast(n AS BLOB), x'00', n FROM number",
            KNOWN_MAX + 100
        ))
        .unwrap();
        trim(&conn).unwrap();
        let left = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(left("SELECT count(*) FROM known_network"), KNOWN_MAX);
        assert_eq!(left("SELECT min(day) FROM known_network"), 101);
        trim(&conn).unwrap();
        assert_eq!(left("SELECT min(day) FROM known_network"), 101, "no more than need be");
    }
}
