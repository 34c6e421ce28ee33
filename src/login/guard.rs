//! Who guesses passwords waits outside.
//!
//! Different wrong passwords are counted, an identical one that a browser sends again with each picture once. Three counts, three
//! kinds of block: see [`Kind`]. Time is an argument; all of it is memory with a bound, where what was not touched for the longest
//! time falls out first.

mod block;
mod target;

use std::collections::VecDeque;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use block::Block;
pub use target::{Door, Kind, Network, Target};

use super::remembered::SecretDigest;
use crate::recent::Recent;
use block::Blocks;

/// Pairs of door and network, networks, and doors that are counted at a time.
const PAIRS_MAX: usize = 16_384;
const NETWORKS_MAX: usize = 4_096;
const NAMES_MAX: usize = 4_096;
/// Wrong passwords that are known again.
const SEEN_MAX: usize = 65_536;
/// The highest limit: a counter keeps a time for each wrong password up to it.
pub const LIMIT_MAX: u32 = 1_000;

/// How many different wrong passwords are too many; 0 turns that count off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From one network at one door.
    pub pair: u32,
    /// From one network.
    pub network: u32,
    /// At one door.
    pub name: u32,
    /// Within how many seconds.
    pub window_seconds: u32,
    /// How long a block holds.
    pub block_seconds: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { pair: 10, network: 100, name: 100, window_seconds: 600, block_seconds: 900 }
    }
}

impl Limits {
    fn of(&self, kind: Kind) -> usize {
        let limit = match kind {
            Kind::Pair => self.pair,
            Kind::Network => self.network,
            Kind::Name => self.name,
        };
        limit.min(LIMIT_MAX) as usize
    }
}

/// What the guard says to somebody who comes with a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing against it.
    Open,
    /// No hash for this one. Under [`Kind::Name`] a password that is remembered as right still opens, and a member gets a hash from
    /// a network that [`super::known`] has for them; under the others nothing opens.
    Blocked(Kind),
}

/// The guard. It is asked about passwords alone; whoever has a cookie has shown one.
pub struct Guard {
    limits: Limits,
    exempt_loopback: bool,
    /// Makes numbers of doors and networks, under a random key: counters then need no copy of a name.
    keys: RandomState,
    state: Mutex<State>,
    /// No block of a name begins before, unix seconds: after a start it is not known yet which networks opened it.
    names_from: i64,
    /// How many blocks there are, so that a check costs nothing while there are none. It is only a hint, hence the weakest ordering.
    blocks: AtomicUsize,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("limits", &self.limits).finish_non_exhaustive()
    }
}

struct State {
    pairs: Recent<u64, Counter>,
    networks: Recent<u64, Counter>,
    names: Recent<u64, Counter>,
    /// When a wrong password was counted for a pair and its network.
    seen: Recent<u64, i64>,
    /// When one was counted for a name: the same one from another network is no other.
    seen_at_door: Recent<u64, i64>,
    blocks: Blocks,
}

/// The times of the latest wrong passwords, oldest first; fewer than the limit.
#[derive(Default)]
struct Counter(VecDeque<i64>);

impl Counter {
    /// Counts one. At the limit it begins anew, and says so.
    fn reaches(&mut self, limit: usize, now: i64, window_seconds: u32) -> bool {
        while self.0.front().is_some_and(|&then| is_over(then, now, window_seconds)) {
            self.0.pop_front();
        }
        self.0.push_back(now);
        let reached = self.0.len() >= limit;
        if reached {
            self.0 = VecDeque::new();
        }
        reached
    }
}

fn is_over(then: i64, now: i64, window_seconds: u32) -> bool {
    now.saturating_sub(then) >= i64::from(window_seconds)
}

impl State {
    fn counters(&mut self, kind: Kind) -> &mut Recent<u64, Counter> {
        match kind {
            Kind::Pair => &mut self.pairs,
            Kind::Network => &mut self.networks,
            Kind::Name => &mut self.names,
        }
    }
}

impl Guard {
    /// A guard that has seen nothing. While no trusted proxy is listed, all visitors behind a proxy look like loopback: with
    /// `exempt_loopback` these are neither blocked nor counted, or one could lock out all.
    /// `now` is the start, unix seconds: for as long as a block lasts, networks become known again before a name can be blocked.
    pub fn new(limits: Limits, exempt_loopback: bool, now: i64) -> Self {
        let state = State {
            pairs: Recent::new(PAIRS_MAX),
            networks: Recent::new(NETWORKS_MAX),
            names: Recent::new(NAMES_MAX),
            seen: Recent::new(SEEN_MAX),
            seen_at_door: Recent::new(SEEN_MAX),
            blocks: Blocks::new(),
        };
        let (keys, blocks) = (RandomState::new(), AtomicUsize::new(0));
        let names_from = now.saturating_add(i64::from(limits.block_seconds));
        Self { limits, exempt_loopback, keys, state: Mutex::new(state), names_from, blocks }
    }

    /// Whether a password may be looked at.
    pub fn verdict(&self, door: &Door, network: Network, now: i64) -> Verdict {
        if self.blocks.load(Ordering::Relaxed) == 0 || self.is_exempt(network) {
            return Verdict::Open;
        }
        let pair = Target::Pair(door.clone(), network);
        let mut state = self.state();
        state.blocks.end(now);
        self.count_blocks(&state);
        // Those that let nobody in come first.
        if state.blocks.hold(&pair) {
            return Verdict::Blocked(Kind::Pair);
        }
        if state.blocks.hold(&Target::Network(network)) {
            return Verdict::Blocked(Kind::Network);
        }
        let waits = state.blocks.hold(&Target::Name(door.clone()));
        if waits { Verdict::Blocked(Kind::Name) } else { Verdict::Open }
    }

    /// Counts a wrong password. Returns the blocks that begin with it, for the caller to log and to write down.
    pub fn wrong(&self, door: &Door, network: Network, secret: SecretDigest, now: i64) -> Vec<Block> {
        if self.is_exempt(network) {
            return Vec::new();
        }
        let mut state = self.state();
        state.blocks.end(now);
        let mut targets = Vec::with_capacity(3);
        let attempt = self.keys.hash_one((door, network, secret));
        if self.is_new(&mut state.seen, attempt, now) {
            targets.extend([Target::Pair(door.clone(), network), Target::Network(network)]);
        }
        let attempt = self.keys.hash_one((door, secret));
        if now >= self.names_from && self.is_new(&mut state.seen_at_door, attempt, now) {
            targets.push(Target::Name(door.clone()));
        }
        let begun = targets.into_iter().filter_map(|target| self.count(&mut state, target, now)).collect();
        self.count_blocks(&state);
        begun
    }

    /// Whether this wrong password was not counted within the window; it is now.
    fn is_new(&self, seen: &mut Recent<u64, i64>, attempt: u64, now: i64) -> bool {
        let known = seen.get(&attempt).is_some_and(|&mut then| !is_over(then, now, self.limits.window_seconds));
        if !known {
            seen.put(attempt, now);
        }
        !known
    }

    fn count(&self, state: &mut State, target: Target, now: i64) -> Option<Block> {
        let limit = self.limits.of(target.kind());
        // While it is blocked, what was under way before is not held against it.
        if limit == 0 || state.blocks.hold(&target) {
            return None;
        }
        let number = self.number(&target);
        let counters = state.counters(target.kind());
        let reached = match counters.get(&number) {
            Some(counter) => counter.reaches(limit, now, self.limits.window_seconds),
            None => {
                let mut counter = Counter::default();
                let reached = counter.reaches(limit, now, self.limits.window_seconds);
                counters.put(number, counter);
                reached
            }
        };
        reached.then(|| {
            let block = Block { target, since: now, until: now.saturating_add(i64::from(self.limits.block_seconds)) };
            state.blocks.begin(block.clone());
            block
        })
    }

    /// Takes up a block of an earlier run. One of a kind that is turned off by now is left.
    pub fn begin(&self, block: Block) {
        if self.limits.of(block.target.kind()) > 0 {
            let mut state = self.state();
            state.blocks.begin(block);
            self.count_blocks(&state);
        }
    }

    /// Ends a block before its time.
    pub fn lift(&self, block: &Block) {
        let mut state = self.state();
        state.blocks.lift(&block.target);
        self.count_blocks(&state);
    }

    /// The blocks that hold now, the oldest first.
    pub fn blocks(&self, now: i64) -> Vec<Block> {
        let mut state = self.state();
        state.blocks.end(now);
        self.count_blocks(&state);
        let mut blocks: Vec<Block> = state.blocks.iter().cloned().collect();
        blocks.sort_by_cached_key(|block| (block.since, block.to_string()));
        blocks
    }

    /// Whether nothing is counted for this network.
    pub fn is_exempt(&self, network: Network) -> bool {
        self.exempt_loopback && network.is_loopback()
    }

    fn number(&self, target: &Target) -> u64 {
        self.keys.hash_one(target)
    }

    fn count_blocks(&self, state: &State) {
        self.blocks.store(state.blocks.len(), Ordering::Relaxed);
    }

    /// A panic leaves counts that are one off at most.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::login::remembered::Remembered;
    use crate::password::Password;

    const NOON: i64 = 1_781_524_800;

    fn door(name: &str) -> Door {
        Door::new(name)
    }

    fn network(number: u32) -> Network {
        Network::of(Ipv4Addr::from_bits(0x0a00_0000 + number).into())
    }

    /// A guard, and somebody who guesses: each guess is another password unless it is told.
    struct Scene {
        guard: Guard,
        remembered: Remembered,
        guesses: u32,
    }

    impl Scene {
        fn new(limits: Limits) -> Self {
            Self { guard: Guard::new(limits, true, NOON - 900), remembered: Remembered::new().unwrap(), guesses: 0 }
        }

        fn types(&self, secret: &str, name: &str, from: Network, now: i64) -> Vec<Block> {
            let secret = self.remembered.secret(&Password::parse(secret).unwrap());
            self.guard.wrong(&door(name), from, secret, now)
        }

        fn guesses(&mut self, times: u32, name: &str, from: Network, now: i64) -> Vec<Block> {
            let mut begun = Vec::new();
            for _ in 0..times {
                self.guesses += 1;
                begun.extend(self.types(&format!("guess {}", self.guesses), name, from, now));
            }
            begun
        }

        fn verdict(&self, name: &str, from: Network, now: i64) -> Verdict {
            self.guard.verdict(&door(name), from, now)
        }
    }

    fn lines(blocks: &[Block]) -> Vec<String> {
        blocks.iter().map(Block::line).collect()
    }

    #[test]
    fn ten_different_wrong_passwords_block_the_pair_for_a_quarter_of_an_hour() {
        let mut scene = Scene::new(Limits::default());
        let (home, elsewhere) = (network(9), network(10));
        assert_eq!(scene.guesses(9, "bob", home, NOON), []);
        assert_eq!(scene.verdict("bob", home, NOON), Verdict::Open);
        let begun = scene.guesses(1, "BOB", home, NOON);
        assert_eq!(lines(&begun), ["login blocked: network=10.0.0.9 name=\"bob\" kind=pair until=2026-06-15T12:15:00Z"]);
        assert_eq!(scene.verdict("bob", home, NOON + 899), Verdict::Blocked(Kind::Pair));
        assert_eq!(scene.verdict("Bob", home, NOON), Verdict::Blocked(Kind::Pair), "case is no way out");
        assert_eq!(scene.verdict("alice", home, NOON), Verdict::Open, "another name");
        assert_eq!(scene.verdict("bob", elsewhere, NOON), Verdict::Open, "another network");
        assert_eq!(scene.guard.blocks(NOON + 899), begun);
        assert_eq!(scene.verdict("bob", home, NOON + 900), Verdict::Open);
        assert_eq!(scene.guard.blocks(NOON + 900), []);
        assert_eq!(scene.guard.blocks.load(Ordering::Relaxed), 0, "and a check costs nothing again");
        assert_eq!(scene.guesses(9, "bob", home, NOON + 900), [], "the count begins anew");
    }

    #[test]
    fn an_identical_wrong_password_counts_once_in_a_window() {
        let scene = Scene::new(Limits { pair: 2, ..Limits::default() });
        for seconds in 0..600 {
            assert_eq!(scene.types("old password", "bob", network(9), NOON + seconds), [], "{seconds}");
        }
        assert_eq!(scene.types("old password", "bob", network(9), NOON + 600), [], "counted again, alone in its window");
        assert_eq!(scene.types("another", "bob", network(9), NOON + 601).len(), 1);
    }

    #[test]
    fn what_is_older_than_the_window_does_not_count() {
        let mut scene = Scene::new(Limits::default());
        for nth in 0..100 {
            assert_eq!(scene.guesses(1, "bob", network(9), NOON + nth * 67), [], "nine in any 600 seconds: {nth}");
        }
        let mut scene = Scene::new(Limits::default());
        let begun: Vec<Block> = (0..10).flat_map(|nth| scene.guesses(1, "bob", network(9), NOON + nth * 66)).collect();
        assert_eq!(begun.len(), 1, "ten in 594 seconds");
    }

    #[test]
    fn a_hundred_at_whatever_names_block_the_network() {
        let mut scene = Scene::new(Limits::default());
        let begun: Vec<Block> = (0..99).flat_map(|nth| scene.guesses(1, &format!("name {nth}"), network(9), NOON)).collect();
        assert_eq!(begun, []);
        let begun = scene.guesses(1, "bob", network(9), NOON);
        assert_eq!(lines(&begun), ["login blocked: network=10.0.0.9 kind=network until=2026-06-15T12:15:00Z"]);
        assert_eq!(scene.verdict("mallory", network(9), NOON), Verdict::Blocked(Kind::Network));
        assert_eq!(scene.verdict("bob", network(8), NOON), Verdict::Open);
    }

    #[test]
    fn a_hundred_at_one_name_block_it() {
        let mut scene = Scene::new(Limits::default());
        let begun: Vec<Block> = (100..200).flat_map(|number| scene.guesses(1, "bob", network(number), NOON)).collect();
        assert_eq!(lines(&begun), ["login blocked: name=\"bob\" kind=name until=2026-06-15T12:15:00Z"]);
        assert_eq!(scene.verdict("bob", network(2), NOON), Verdict::Blocked(Kind::Name));
        assert_eq!(scene.verdict("alice", network(2), NOON), Verdict::Open);
        // Whose network is known may still not guess: this verdict comes first.
        assert_eq!(scene.guesses(10, "bob", network(1), NOON)[0].target.kind(), Kind::Pair);
        assert_eq!(scene.verdict("bob", network(1), NOON), Verdict::Blocked(Kind::Pair));
        // Nor does anybody wait longer because others go on.
        assert_eq!(scene.verdict("bob", network(2), NOON + 900), Verdict::Open);
    }

    /// A hundred networks with the same wrong password: somebody's old one, on all his devices.
    #[test]
    fn the_same_wrong_password_counts_once_for_a_name_wherever_it_comes_from() {
        let scene = Scene::new(Limits::default());
        for number in 0..300 {
            assert_eq!(scene.types("old", "bob", network(number), NOON), [], "{number}");
        }
    }

    #[test]
    fn for_as_long_as_a_block_lasts_after_a_start_no_name_is_blocked() {
        let mut scene = Scene { guard: Guard::new(Limits::default(), true, NOON), ..Scene::new(Limits::default()) };
        let at_once: Vec<Block> = (0..300).flat_map(|number| scene.guesses(1, "bob", network(number), NOON + 899)).collect();
        assert_eq!(at_once, []);
        let later: Vec<Block> = (0..100).flat_map(|number| scene.guesses(1, "bob", network(number), NOON + 900)).collect();
        assert_eq!(later.iter().map(|block| block.target.kind()).collect::<Vec<_>>(), [Kind::Name]);
    }

    #[test]
    fn several_blocks_can_begin_at_once_and_what_was_under_way_begins_no_other() {
        let mut scene = Scene::new(Limits { pair: 3, network: 3, name: 3, ..Limits::default() });
        let kinds: Vec<Kind> = scene.guesses(3, "bob", network(9), NOON).iter().map(|block| block.target.kind()).collect();
        assert_eq!(kinds, [Kind::Pair, Kind::Network, Kind::Name]);
        assert_eq!(scene.guesses(9, "bob", network(9), NOON), []);
    }

    #[test]
    fn a_limit_of_0_is_off() {
        let off = Limits { pair: 0, network: 0, name: 0, ..Limits::default() };
        let mut scene = Scene::new(off);
        assert_eq!(scene.guesses(2_000, "bob", network(9), NOON), []);
        scene.guard.begin(Block { target: Target::Network(network(9)), since: NOON, until: NOON + 900 });
        assert_eq!(scene.verdict("bob", network(9), NOON), Verdict::Open, "nor does a block of an earlier run hold");
    }

    #[test]
    fn loopback_is_neither_blocked_nor_counted_while_all_visitors_look_alike() {
        for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            let here = Network::parse(address).unwrap();
            let mut scene = Scene::new(Limits::default());
            assert_eq!(scene.guesses(500, "bob", here, NOON), [], "{address}");
            let others: Vec<Block> = (10..109).flat_map(|number| scene.guesses(1, "bob", network(number), NOON)).collect();
            assert_eq!(others, [], "{address}: 99 at the name, and none of them from here");
            assert_eq!(scene.verdict("bob", here, NOON), Verdict::Open);
            scene.guard.begin(Block { target: Target::Name(door("bob")), since: NOON, until: NOON + 900 });
            assert_eq!(scene.verdict("bob", here, NOON), Verdict::Open, "{address}");

            let mut scene = Scene { guard: Guard::new(Limits::default(), false, NOON - 900), ..scene };
            assert_eq!(scene.guesses(10, "bob", here, NOON).len(), 1, "{address}: behind a listed proxy it is somebody");
        }
    }

    #[test]
    fn a_stored_block_holds_again_until_it_ends_or_is_lifted() {
        let scene = Scene::new(Limits::default());
        let block = |target| Block { target, since: NOON - 60, until: NOON + 60 };
        let stored = [block(Target::Network(network(9))), block(Target::Pair(door("bob"), network(8)))];
        for block in &stored {
            scene.guard.begin(block.clone());
        }
        assert_eq!(scene.verdict("alice", network(9), NOON), Verdict::Blocked(Kind::Network));
        assert_eq!(scene.verdict("bob", network(8), NOON), Verdict::Blocked(Kind::Pair));
        scene.guard.lift(&stored[0]);
        assert_eq!(scene.verdict("alice", network(9), NOON), Verdict::Open);
        assert_eq!(scene.guard.blocks(NOON), stored[1..]);
        assert_eq!(scene.verdict("bob", network(8), NOON + 60), Verdict::Open);
    }

    #[test]
    fn new_counters_push_out_counters_and_never_a_block() {
        let mut scene = Scene::new(Limits { network: 2, ..Limits::default() });
        assert_eq!(scene.guesses(2, "bob", network(1), NOON).len(), 1);
        for number in 0..20_000 {
            assert_eq!(scene.guesses(1, &format!("name {number}"), network(10 + number), NOON), [], "{number}");
        }
        assert_eq!(scene.verdict("bob", network(1), NOON), Verdict::Blocked(Kind::Network));
        let state = scene.guard.state();
        assert!(state.pairs.len() <= PAIRS_MAX && state.networks.len() <= NETWORKS_MAX && state.names.len() <= NAMES_MAX);
        assert!(state.seen.len() <= SEEN_MAX);
    }

    #[test]
    fn a_clock_that_jumps_is_survived() {
        let mut scene = Scene::new(Limits { network: 0, name: 0, ..Limits::default() });
        let mut begun = Vec::new();
        for now in [i64::MAX, i64::MIN, NOON, 0, i64::MAX] {
            begun.extend(scene.guesses(9, "bob", network(9), now));
            scene.verdict("bob", network(9), now);
        }
        assert!(!begun.is_empty());
    }
}
