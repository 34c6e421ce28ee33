//! The load: threads that post to both receivers, each for members of its own, sometimes with names
//! that others want too.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::deeds::{Answer, Sender, Sent};
use super::dice::Dice;

const THREADS: usize = 6;
const MEMBERS_EACH: usize = 15;
/// Names that all want.
const SHARED_NAMES: usize = 12;
/// Between two postbacks of a thread. The faults are to meet work, not the machine's limits.
const PAUSE: Duration = Duration::from_millis(15);

#[derive(Default)]
pub struct Counts {
    ended: AtomicBool,
    /// Replies of each receiver.
    replies: [AtomicUsize; 2],
}

pub struct Posters {
    counts: Arc<Counts>,
    threads: Vec<JoinHandle<Vec<Sent>>>,
}

impl Posters {
    pub fn start(seed: u64, receivers: [SocketAddr; 2]) -> Self {
        let counts = Arc::new(Counts::default());
        let threads = (0..THREADS)
            .map(|thread| {
                let counts = Arc::clone(&counts);
                std::thread::spawn(move || work(thread, seed, receivers, &counts))
            })
            .collect();
        Self { counts, threads }
    }

    pub fn replies(&self, receiver: usize) -> usize {
        self.counts.replies[receiver].load(Ordering::Relaxed)
    }

    /// Ends the load, and returns what was sent.
    pub fn end(self) -> Vec<Sent> {
        self.counts.ended.store(true, Ordering::Relaxed);
        self.threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    }
}

fn work(thread: usize, seed: u64, receivers: [SocketAddr; 2], counts: &Counts) -> Vec<Sent> {
    let mut dice = Dice(seed ^ (thread as u64 + 1) << 32);
    let mut senders = receivers.map(Sender::new);
    let mut all = Vec::new();
    while !counts.ended.load(Ordering::Relaxed) {
        let mark = format!("mark-{thread}-{}-end", all.len());
        let body = format!("{}&biller={mark}", body(thread, all.len(), &mut dice));
        let receiver = dice.below(2);
        match senders[receiver].post(&body) {
            Some(answer) => {
                if let Answer::Reply(_) = answer {
                    counts.replies[receiver].fetch_add(1, Ordering::Relaxed);
                }
                all.push(Sent { mark, answer });
            }
            None => std::thread::sleep(10 * PAUSE),
        }
        std::thread::sleep(PAUSE);
    }
    all
}

fn body(thread: usize, number: usize, dice: &mut Dice) -> String {
    let member = (thread + 1) * 1_000 + dice.below(MEMBERS_EACH);
    let name = match dice.below(4) {
        0 => format!("wanted{}", dice.below(SHARED_NAMES)),
        _ => format!("name{member}"),
    };
    let of = format!("siteid=1&memberid={member}");
    match dice.below(8) {
        0..=3 => format!("action=ADD&{of}&username={name}&password=pw{number}"),
        4..=5 => format!("action=CHANGE&{of}&new_username={name}&new_email={number}@example.com"),
        6 => format!("action=CHANGE&{of}&new_password=pw{number}"),
        _ => format!("action=DELETE&{of}"),
    }
}
