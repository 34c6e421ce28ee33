//! Adds and removes operators and sets their passwords, each with a record in the journal. A replay
//! ignores these records, as operators are not among the rows that it restores.

use crate::action::{Change, Recorded};
use crate::journal::Record;
use crate::operator::{Operator, OperatorName};
use crate::password::Hash;
use crate::replay::operator_received;
use crate::reply::Reply;
use crate::store::{Engine, Fault, Outcome};

/// Adds an operator in the open transaction.
///
/// # Errors
///
/// [`Fault::Constraint`] if there is one with this name.
pub fn add(engine: &mut dyn Engine, operator: &Operator) -> Result<Reply, Fault> {
    let Operator { name, role, created_at, .. } = operator;
    engine.add_operator(operator)?;
    let reply = Reply::ok(format_args!("operator {name} added, with the role {}", role.as_str()));
    record(engine, "OPERATOR-ADD", reply, *created_at)
}

/// Sets an operator's password in the open transaction, which ends their sessions. `None` if there
/// is no such operator.
///
/// # Errors
///
/// If the database cannot be written.
pub fn set_password(
    engine: &mut dyn Engine,
    name: &OperatorName,
    hash: &Hash,
    now: i64,
) -> Result<Option<Reply>, Fault> {
    if !engine.set_operator_password(name, hash, now)? {
        return Ok(None);
    }
    let reply = Reply::ok(format_args!("operator {name} has a new password and is logged out"));
    record(engine, "OPERATOR-PASSWORD", reply, now).map(Some)
}

/// Removes an operator in the open transaction, which ends their sessions. `None` if there is no
/// such operator.
///
/// # Errors
///
/// If the database cannot be written.
pub fn remove(
    engine: &mut dyn Engine,
    name: &OperatorName,
    now: i64,
) -> Result<Option<Reply>, Fault> {
    if !engine.remove_operator(name)? {
        return Ok(None);
    }
    let reply = Reply::ok(format_args!("operator {name} removed and logged out"));
    record(engine, "OPERATOR-REMOVE", reply, now).map(Some)
}

fn record(engine: &mut dyn Engine, action: &str, reply: Reply, at: i64) -> Result<Reply, Fault> {
    // The reply has the name: a parameter that NATS does not send is hidden in the journal.
    let received = operator_received(&[("action", action)]);
    let put = Recorded::default();
    let record = Record { at, received: &received, moved_until: None, reply: reply.clone(), put };
    engine.save(&[Outcome { change: Change::None, record, taken_over: None }])?;
    Ok(reply)
}
