//! Which receiver does the work that one receiver does for all. A lease is a written row: on a
//! cluster a lock on one node protects nothing on another.

use mysql::Value;

use super::connection::Connection;
use crate::store::Fault;

/// Seconds for which a lease is valid, by the clock of the server. It is renewed every second.
const LEASE_SECONDS: i64 = 10;

/// Takes or renews the lease. Returns whether this receiver has it now.
pub(super) fn take(connection: &mut Connection, receiver: &[u8; 16]) -> Result<bool, Fault> {
    let receiver = || Value::Bytes(receiver.to_vec());
    // The counter makes sure that a renewal changes the row.
    let changed = connection.run(
        "UPDATE lease SET holder = ?, until = UNIX_TIMESTAMP() + ?, renewals = renewals + 1
         WHERE name = 'background' AND (holder = ? OR until < UNIX_TIMESTAMP())",
        vec![receiver(), LEASE_SECONDS.into(), receiver()],
    )?;
    Ok(changed > 0)
}

/// Ends the lease, if this receiver has it.
pub(super) fn give_back(connection: &mut Connection, receiver: &[u8; 16]) -> Result<(), Fault> {
    connection.run(
        "UPDATE lease SET until = 0 WHERE name = 'background' AND holder = ?",
        vec![Value::Bytes(receiver.to_vec())],
    )?;
    Ok(())
}
