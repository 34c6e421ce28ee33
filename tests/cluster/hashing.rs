//! One node hashes a password while the other one takes the same password again. Row and journal
//! have one hash of it, or a replay of the journal would give another row.

use std::sync::{Arc, Barrier};

use mysql::prelude::Queryable as _;
use tempfile::TempDir;

use super::deeds::{Answer, Sender};
use super::galera::Galera;
use super::receiver::Receiver;
use super::{checks, eventually, number};

const ROUNDS: u64 = 150;
/// Times that each side sends a password in a round, one after the other: longer than it takes to
/// hash it.
const REPEATS: usize = 12;

pub fn run() {
    let rounds = number("HASH_ROUNDS", ROUNDS);
    let dir = TempDir::new().unwrap();
    let mut galera = Galera::start();
    let first = Receiver::start("one", dir.path(), &galera.ports(0), None);
    let second = Receiver::start("two", dir.path(), &galera.ports(1), Some(&first));
    let mut receivers = [first, second];

    let together = Arc::new(Barrier::new(2));
    let threads = [0, 1].map(|side| {
        let (address, together) = (receivers[side].address, Arc::clone(&together));
        std::thread::spawn(move || {
            let mut sender = Sender::new(address);
            for member in 1..=rounds {
                together.wait();
                let add = format!("action=ADD&siteid=1&memberid={member}&username=n{member}");
                for _ in 0..REPEATS {
                    let answer = sender.post(&format!("{add}&password=secret"));
                    // On a busy machine a postback may wait for too long.
                    assert!(!matches!(answer, None | Some(Answer::Unknown)), "{answer:?}");
                }
            }
        })
    });
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    // The checks compare former members too.
    let mut sender = Sender::new(receivers[0].address);
    sender.post("action=DELETE&siteid=1&memberid=1").unwrap();

    galera.wait_for_all();
    let mut conn = galera.nodes[2].rows();
    eventually("all passwords are hashed", || {
        let waiting: Option<u64> =
            conn.query_first("SELECT COUNT(*) FROM journal WHERE waiting = 1").unwrap();
        waiting == Some(0)
    });
    for receiver in &mut receivers {
        assert!(receiver.terminate().success());
    }
    let others: Vec<(i64, i64)> = conn
        .query(
            "SELECT j.memberid, j.seq FROM journal AS j JOIN member_auth AS m
                 ON m.siteid = j.siteid AND m.memberid = j.memberid
             WHERE j.password <> m.password ORDER BY j.id",
        )
        .unwrap();
    assert!(others.is_empty(), "records with another hash than the row: {others:?}");
    // At least some were sent again before they were hashed.
    let together: Option<u64> = conn
        .query_first("SELECT COUNT(*) FROM journal WHERE reply LIKE '%was so already%'")
        .unwrap();
    println!("{rounds} rounds, {together:?} times the password was sealed still");
    assert!(together > Some(0));
    checks::nodes_are_equal(&galera);
    checks::the_journal_gives_the_members(&mut conn, &receivers[0], dir.path());
}
