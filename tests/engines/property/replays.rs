//! The way of a journal back into a database, by `journal --json` and `replay --journal`.

use std::path::Path;
use std::sync::atomic::Ordering;

use nats_userman::action::Rules;
use nats_userman::clock::ExpiryRule;
use nats_userman::password::{HashKind, Vault};
use nats_userman::replay::{JournalLine, apply_records};
use nats_userman::store::{Fault, JournalFilter, Location, open_reader, pages, with_engine};

use super::subjects::{Place, in_transaction};
use crate::support::{Beside, EngineKind, TestDatabase};

/// Every column of every table that the journal restores. `before` is shown with its type.
pub fn dump(location: &Location) -> Vec<String> {
    let beside = Beside::open(location);
    // A server's own numbers have gaps, and it draws the names of batches.
    let drawn: &[&str] = match beside.engine() {
        EngineKind::Sqlite => &[],
        EngineKind::MariaDb => &["id", "batch"],
    };
    [
        beside.dump("member_auth", "siteid, memberid", &[]),
        beside.dump("former_member", "siteid, memberid", &[]),
        beside.dump("journal", "id", drawn),
    ]
    .concat()
}

/// The journal in the form of `journal --json`.
fn journal(location: &Location) -> Vec<String> {
    let mut lines = Vec::new();
    let reader = open_reader(location).unwrap();
    pages::each_record(&*reader, &JournalFilter::default(), |record| {
        lines.push(JournalLine::write(record).unwrap());
        Ok::<_, Fault>(())
    })
    .unwrap();
    lines
}

/// Replays a journal into an empty database of the same engine under different settings, because
/// the journal alone decides.
pub fn replay(
    dir: &Path,
    name: &str,
    from: &Location,
    vault: &Vault,
    keep_cryptpass: bool,
    now: i64,
) -> Result<Place, String> {
    let expiry = ExpiryRule { zone: "Pacific/Auckland".parse().unwrap(), grace_hours: 7 };
    let rules =
        Rules { vault: vault.clone(), keep_cryptpass: !keep_cryptpass, expiry, stale_guard: false };
    let place = match from {
        Location::Sqlite(_) => Place::new(dir, name, rules, HashKind::Argon2id),
        Location::Mysql(_) => {
            let database = TestDatabase::new(EngineKind::MariaDb).unwrap();
            Place::on(database, rules, HashKind::Argon2id)
        }
    };
    place.clock.store(now, Ordering::SeqCst);
    let mut last_id = 0;
    let read = |line: &String| {
        let record = JournalLine::parse(line, last_id).unwrap();
        last_id = record.id;
        record
    };
    let records: Vec<_> = journal(from).iter().map(read).collect();
    let mut diverged = Vec::new();
    with_engine(&place.location, true, |engine| {
        in_transaction(engine, |engine| {
            diverged = apply_records(engine, &place.rules, &records)?;
            engine.expire_due(now, usize::MAX).map(|_| ())
        })
    })
    .unwrap()
    .map_err(|fault| format!("fault: {fault:?}"))?;
    let diverged: Vec<_> =
        diverged.iter().map(|(id, reply)| format!("record {id}: {}", reply.as_str())).collect();
    if diverged.is_empty() {
        Ok(place)
    } else {
        Err(format!("the replay answers otherwise: {diverged:#?}"))
    }
}
