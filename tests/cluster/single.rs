//! One MariaDB without a cluster, killed again and again, mostly at a COMMIT whose answer is lost.
//! Two receivers write to it.

use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::dice::Dice;
use super::galera::start_one;
use super::poster::Posters;
use super::proxy::Cut;
use super::receiver::Receiver;
use super::{checks, eventually, number};

const KILLS: u64 = 10;
/// Replies of a receiver after which it works again.
const REPLIES_ENOUGH: usize = 10;

pub fn run() {
    let (count, seed) = (number("KILLS", KILLS), number("FAULT_SEED", 1));
    println!("{count} kills with FAULT_SEED={seed}");
    let dir = TempDir::new().unwrap();
    let (mut server, _dir) = start_one();
    let port = [server.ports.sql];
    let first = Receiver::start("one", dir.path(), &port, None);
    let second = Receiver::start("two", dir.path(), &port, Some(&first));
    let mut receivers = [first, second];
    let posters = Posters::start(seed, [receivers[0].address, receivers[1].address]);
    let mut dice = Dice(seed);
    for kill in 1..=count {
        let began = Instant::now();
        let cut = match dice.below(4) {
            0 => None,
            1 => Some(Cut::Before),
            2 => Some(Cut::Late(Duration::from_millis(30))),
            _ => Some(Cut::After),
        };
        if let Some(cut) = cut {
            let proxy = &receivers[dice.below(2)].proxies[0];
            proxy.cut_next(cut);
            eventually("a connection is cut", || proxy.is_done());
        }
        server.kill();
        server.start_alone(&[]);
        eventually("the server answers", || {
            assert!(!server.has_ended(), "the server has ended:\n{}", server.log());
            server.is_up()
        });
        let before = [0, 1].map(|at| posters.replies(at));
        eventually("both receivers reply", || {
            for receiver in &mut receivers {
                assert!(!receiver.has_ended(), "a receiver has ended:\n{}", receiver.log());
            }
            [0, 1].iter().all(|&at| posters.replies(at) >= before[at] + REPLIES_ENOUGH)
        });
        println!("{kill:>4}. {cut:?}, killed ({:.1} s)", began.elapsed().as_secs_f64());
    }
    let sent = posters.end();
    for receiver in &mut receivers {
        assert!(receiver.terminate().success());
    }
    let mut conn = server.rows();
    println!("{:?}", checks::answers_are_true(&mut conn, &sent));
    checks::no_batch_is_half(&mut conn, &receivers);
    checks::the_journal_gives_the_members(&mut conn, &receivers[0], dir.path());
}
