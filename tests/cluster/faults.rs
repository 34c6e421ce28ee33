//! Faults under load, one after the other, in an order that comes again with its seed.

use std::time::{Duration, Instant};

use mysql::prelude::Queryable as _;
use tempfile::TempDir;

use super::checks;
use super::dice::Dice;
use super::galera::Galera;
use super::gatekeeper::Gatekeeper;
use super::poster::Posters;
use super::proxy::Cut;
use super::receiver::Receiver;
use super::{eventually, number};

const FAULTS: u64 = 50;
/// Replies of a receiver after which it works again.
const REPLIES_ENOUGH: usize = 10;

/// How late a COMMIT arrives.
const LATE: Duration = Duration::from_millis(30);

#[derive(Clone, Copy, Debug)]
enum Fault {
    Cut(Cut),
    KillReceiver,
    KillNode,
    StopNode,
    IsolateNode,
    KillAllNodes,
}

/// Of fifty faults, so many of each kind.
const DECK: [(Fault, usize); 8] = [
    (Fault::Cut(Cut::Before), 8),
    (Fault::Cut(Cut::After), 13),
    (Fault::Cut(Cut::Late(LATE)), 4),
    (Fault::KillReceiver, 8),
    (Fault::KillNode, 7),
    (Fault::StopNode, 5),
    (Fault::IsolateNode, 4),
    (Fault::KillAllNodes, 1),
];

/// Longest times, for the last lines.
#[derive(Debug, Default)]
struct Times {
    /// From the death of a node until both receivers write again.
    writes_resumed: Vec<Duration>,
    /// From the start of a killed node until it is synced.
    node_back: Vec<Duration>,
}

struct Scene {
    dice: Dice,
    galera: Galera,
    receivers: [Receiver; 2],
    posters: Posters,
    times: Times,
}

pub fn run() {
    let (count, seed) = (number("FAULTS", FAULTS), number("FAULT_SEED", 1));
    println!("{count} faults with FAULT_SEED={seed}");
    let dir = TempDir::new().unwrap();
    let galera = Galera::start();
    let first = Receiver::start("one", dir.path(), &galera.ports(0), None);
    let second = Receiver::start("two", dir.path(), &galera.ports(1), Some(&first));
    let receivers = [first, second];
    let addresses = [receivers[0].address, receivers[1].address];
    let gatekeeper = Gatekeeper::start(addresses);
    let posters = Posters::start(seed, addresses);
    let mut dice = Dice(seed);
    let mut deck = deck(count, &mut dice);
    let mut scene = Scene { dice, galera, receivers, posters, times: Times::default() };
    scene.wait_for_replies("at the start");
    for (at, fault) in deck.drain(..).enumerate() {
        let began = Instant::now();
        let said = scene.meet(fault);
        println!("{:>4}. {fault:?}{said} ({:.1} s)", at + 1, began.elapsed().as_secs_f64());
    }
    let Scene { mut galera, mut receivers, posters, times, .. } = scene;
    let seen = gatekeeper.end();
    let mut sent = posters.end();
    sent.extend(seen.sent);
    galera.wait_for_all();
    for receiver in &mut receivers {
        assert!(receiver.terminate().success());
    }
    let mut conn = galera.nodes[0].rows();
    let told = checks::answers_are_true(&mut conn, &sent);
    checks::no_batch_is_half(&mut conn, &receivers);
    checks::nodes_are_equal(&galera);
    checks::the_journal_gives_the_members(&mut conn, &receivers[0], dir.path());
    println!(
        "{told:?}; {} questions at the other receiver, {} by cookie",
        seen.asked, seen.by_cookie
    );
    println!("writes resumed after {}", seconds(&times.writes_resumed));
    println!("a killed node was back after {}", seconds(&times.node_back));
    assert!(told.replies > 0 && seen.by_cookie > 0);
    assert!(seen.stale.is_empty(), "answers by rows of the past: {:#?}", seen.stale);
}

fn seconds(times: &[Duration]) -> String {
    let times: Vec<String> =
        times.iter().map(|time| format!("{:.1}", time.as_secs_f64())).collect();
    format!("{} s", times.join(", "))
}

fn deck(count: u64, dice: &mut Dice) -> Vec<Fault> {
    let mut deck = Vec::new();
    while (deck.len() as u64) < count {
        let mut some: Vec<Fault> =
            DECK.iter().flat_map(|&(fault, times)| std::iter::repeat_n(fault, times)).collect();
        dice.shuffle(&mut some);
        deck.extend(some);
    }
    deck.truncate(usize::try_from(count).unwrap());
    deck
}

impl Scene {
    /// Makes a fault, and waits until all is well again.
    fn meet(&mut self, fault: Fault) -> String {
        let said = match fault {
            Fault::Cut(cut) => self.cut(cut),
            Fault::KillReceiver => self.kill_receiver(),
            Fault::KillNode => self.kill_node(),
            Fault::StopNode => self.stop_node(),
            Fault::IsolateNode => self.isolate_node(),
            Fault::KillAllNodes => {
                self.galera.kill_all_and_recover();
                String::new()
            }
        };
        self.wait_for_replies("after the fault");
        said
    }

    /// Waits until both receivers reply to postbacks again.
    fn wait_for_replies(&mut self, when: &str) -> Duration {
        let before = [0, 1].map(|at| self.posters.replies(at));
        eventually(&format!("both receivers reply {when}"), || {
            for receiver in &mut self.receivers {
                assert!(!receiver.has_ended(), "a receiver has ended:\n{}", receiver.log());
            }
            [0, 1].iter().all(|&at| self.posters.replies(at) >= before[at] + REPLIES_ENOUGH)
        })
    }

    fn cut(&mut self, cut: Cut) -> String {
        let proxies = &self.receivers[self.dice.below(2)].proxies;
        // Whichever its writer uses.
        proxies.iter().for_each(|proxy| proxy.cut_next(cut));
        eventually("a connection is cut", || proxies.iter().any(|proxy| proxy.is_done()));
        let cut = proxies.iter().filter(|proxy| !proxy.never_mind()).count();
        format!(", {cut} connections")
    }

    fn kill_receiver(&mut self) -> String {
        let receiver = &mut self.receivers[self.dice.below(2)];
        receiver.kill();
        receiver.start_again();
        String::new()
    }

    fn kill_node(&mut self) -> String {
        let at = self.dice.below(self.galera.nodes.len());
        let died = Instant::now();
        self.galera.nodes[at].kill();
        // Some commits were on their way.
        std::thread::sleep(Duration::from_millis(500));
        self.wait_for_replies("without a node");
        let resumed = died.elapsed();
        let began = Instant::now();
        self.galera.nodes[at].join();
        self.galera.wait_for(&[at]);
        let back = began.elapsed();
        self.galera.wait_for_all();
        self.times.writes_resumed.push(resumed);
        self.times.node_back.push(back);
        let (resumed, back) = (resumed.as_secs_f64(), back.as_secs_f64());
        format!(": node {}; writes resumed after {resumed:.1} s, back after {back:.1} s", at + 1)
    }

    fn stop_node(&mut self) -> String {
        let at = self.dice.below(self.galera.nodes.len());
        // Shorter and longer than the others wait for it.
        let tenths = 5 + self.dice.below(90);
        self.galera.nodes[at].stop();
        std::thread::sleep(Duration::from_millis(100 * tenths as u64));
        self.galera.nodes[at].go_on();
        self.wait_until_whole(at);
        format!(": node {} for {:.1} s", at + 1, tenths as f64 / 10.0)
    }

    fn isolate_node(&mut self) -> String {
        let at = self.dice.below(self.galera.nodes.len());
        let tenths = 10 + self.dice.below(80);
        let mut conn = self.galera.nodes[at].connect().unwrap();
        let set =
            |value: u8| format!("SET GLOBAL wsrep_provider_options = 'gmcast.isolate={value}'");
        conn.query_drop(set(1)).unwrap();
        std::thread::sleep(Duration::from_millis(100 * tenths as u64));
        conn.query_drop(set(0)).unwrap();
        self.wait_until_whole(at);
        format!(": node {} for {:.1} s", at + 1, tenths as f64 / 10.0)
    }

    /// A node that was cut off may have ended itself. An operator's supervisor would restart it.
    fn wait_until_whole(&mut self, at: usize) {
        let node = &mut self.galera.nodes[at];
        eventually("a node that was away is back", || {
            if node.has_ended() {
                node.kill();
                node.join();
            }
            node.is_synced()
        });
        self.galera.wait_for_all();
    }
}
