//! Limits password guessing: counts wrong passwords and blocks their source.
//!
//! Only different wrong passwords count; a browser repeats the same one for every image. There are
//! three counts and three kinds of blocks: see [`BlockKind`]. A wrong password from an IPv6 address
//! counts for its /64, /56 and /48, so that a visitor with many networks under one prefix is
//! stopped by the wider one. All state is in memory and bounded.

mod counter;
mod counters;
mod held;

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Mutex, MutexGuard};

pub use held::Weight;

use super::remembered::SecretDigest;
use super::settings::GuessLimits;
use crate::block::{Block, BlockKind, LoginName, NameHolder, Network, Target};
use crate::clock::Reading;
use counters::{Counters, Limit};
use held::{Blocks, Held};

/// The limit of a wider network is this multiple of the limit of the next narrower one.
const WIDER_LIMIT: u32 = 4;
/// A wrong password.
#[derive(Clone, Copy, Debug)]
pub struct WrongPassword<'a> {
    /// The login name.
    pub name: &'a LoginName,
    /// Whether a member has the name.
    pub holder: NameHolder,
    /// The visitor's network.
    pub network: Network,
    /// Whether the member who has the name has logged in from this network before.
    pub is_known: bool,
    /// Identifies the password without keeping it.
    pub secret: SecretDigest,
}

/// Whether a password may be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Open,
    /// It may not be hashed. Under [`BlockKind::Name`], a password that is remembered as right
    /// still logs in, and a password from a network that [`super::known`] has for the member is
    /// hashed. Under the other kinds, no password logs in.
    Blocked(BlockKind),
    /// A wider network than the visitor's own is blocked, perhaps because of others. Only members
    /// who have logged in from this network before may log in.
    BlockedAround(BlockKind),
}

/// Counts wrong passwords and blocks their source. Requests with a valid cookie are not checked.
pub struct Guard {
    limits: GuessLimits,
    exempt_loopback: bool,
    /// Hashes names and networks under a random key, so that the counters need no copy of a name.
    keys: RandomState,
    state: Mutex<State>,
    /// Names are not blocked before this time, by the steady clock. At first it may be unknown from
    /// which networks members log in.
    names_from: i64,
    /// The number of blocks, so that a check costs nothing while there are none. It is a hint only,
    /// so the weakest memory ordering is enough.
    blocks: AtomicUsize,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("limits", &self.limits).finish_non_exhaustive()
    }
}

struct State {
    counters: Counters,
    blocks: Blocks,
}

impl Guard {
    /// A guard without counts. While no trusted proxy is configured, all visitors behind a proxy
    /// seem to come from loopback. With `exempt_loopback`, loopback is neither counted nor blocked,
    /// because one visitor could lock all others out. Names are not blocked before `names_from`, by
    /// the steady clock.
    pub fn new(limits: GuessLimits, exempt_loopback: bool, names_from: i64) -> Self {
        let state = State { counters: Counters::new(), blocks: Blocks::new() };
        let (keys, blocks) = (RandomState::new(), AtomicUsize::new(0));
        Self { limits, exempt_loopback, keys, state: Mutex::new(state), names_from, blocks }
    }

    /// Whether there are blocks. This is only a hint.
    pub fn has_blocks(&self) -> bool {
        self.blocks.load(Ordering::Relaxed) > 0
    }

    /// Whether a password may be checked at `now`, by the steady clock.
    pub fn verdict(&self, name: &LoginName, network: Network, now: i64) -> Verdict {
        if !self.has_blocks() || self.is_exempt(network) {
            return Verdict::Open;
        }
        let pair = Target::Pair(name.clone(), network);
        let mut state = self.state();
        state.blocks.end(now);
        self.count_blocks(&state);
        let blocked = |network: Network| {
            let targets = [pair.at(network), Target::Network(network)];
            targets.into_iter().find(|target| state.blocks.hold(target)).map(|target| target.kind())
        };
        // Blocks that let nobody in are checked first.
        if let Some(kind) = blocked(network) {
            return Verdict::Blocked(kind);
        }
        if let Some(kind) = network.and_wider().skip(1).find_map(blocked) {
            return Verdict::BlockedAround(kind);
        }
        let waits = state.blocks.hold(&Target::Name(name.clone()));
        if waits { Verdict::Blocked(BlockKind::Name) } else { Verdict::Open }
    }

    /// Counts a wrong password. Returns the blocks that begin because of it.
    pub fn wrong(&self, wrong: &WrongPassword<'_>, now: Reading) -> Vec<Block> {
        let WrongPassword { name, holder, network, is_known, secret } = *wrong;
        if self.is_exempt(network) {
            return Vec::new();
        }
        let mut state = self.state();
        state.blocks.end(now.steady);
        // A password that was being checked when the block began does not count against the visitor
        // or the neighbours.
        let own = [Target::Pair(name.clone(), network), Target::Network(network)];
        if own.iter().any(|target| state.blocks.hold(target)) {
            return Vec::new();
        }
        let mut targets = Vec::new();
        let window_seconds = self.limits.window_seconds;
        let attempt = self.keys.hash_one((name, network, secret));
        if state.counters.is_new(holder, attempt, now.steady, window_seconds) {
            for (step, network) in network.counted().enumerate() {
                targets.extend(
                    [Target::Pair(name.clone(), network), Target::Network(network)]
                        .map(|target| (target, step)),
                );
            }
        }
        let attempt = self.keys.hash_one((name, secret));
        if now.steady >= self.names_from
            && state.counters.is_new_for_name(holder, attempt, now.steady, window_seconds)
        {
            targets.push((Target::Name(name.clone()), 0));
        }
        // A block of a wide network does not apply to a known network, so its own block must stay.
        let begin = |(target, step)| {
            self.count(&mut state, target, holder, step, now, is_known && step == 0)
        };
        let begun = targets.into_iter().filter_map(begin).collect();
        self.count_blocks(&state);
        begun
    }

    /// Counts a wrong password for a target whose network is `step` steps wider than the narrowest.
    fn count(
        &self,
        state: &mut State,
        target: Target,
        holder: NameHolder,
        step: usize,
        now: Reading,
        stays_narrow: bool,
    ) -> Option<Block> {
        let kind = target.kind();
        let count = (0..step).fold(self.limits.of(kind), |limit, _| limit * WIDER_LIMIT);
        // A password that was being checked when the block began does not count.
        if count == 0 || state.blocks.hold(&target) {
            return None;
        }
        let limit = Limit { count, window_seconds: self.limits.window_seconds };
        if !state.counters.reaches(kind, holder, step, self.number(&target), limit, now.steady) {
            return None;
        }
        let lasts = i64::from(self.limits.block_seconds);
        let block = Block { target, since: now.wall, until: now.wall.saturating_add(lasts) };
        let (weight, ends) =
            (Weight::of(block.target.kind(), holder), now.steady.saturating_add(lasts));
        state.blocks.begin(Held { block: block.clone(), weight, ends, stays_narrow });
        Some(block)
    }

    /// Continues a block of an earlier run for the rest of its time. A block whose limit was turned
    /// off is dropped. The rest is at most as long as a new block: if the clock was ahead when the
    /// block began, its end is far in the future.
    pub fn begin(&self, mut block: Block, holder: NameHolder, now: Reading) {
        if self.limits.of(block.target.kind()) == 0 {
            return;
        }
        let rest =
            block.until.saturating_sub(now.wall).clamp(0, i64::from(self.limits.block_seconds));
        block.until = now.wall.saturating_add(rest);
        let mut state = self.state();
        let (weight, ends) =
            (Weight::of(block.target.kind(), holder), now.steady.saturating_add(rest));
        state.blocks.begin(Held { block, weight, ends, stays_narrow: false });
        state.blocks.end(now.steady);
        self.count_blocks(&state);
    }

    /// Ends a block early.
    pub fn lift(&self, target: &Target) {
        let mut state = self.state();
        state.blocks.lift(target);
        self.count_blocks(&state);
    }

    /// The blocks that are in force at `now` by the steady clock, in no order, and the number of
    /// this state. `None` if `seen` is the number of this state.
    pub fn blocks_since(&self, seen: Option<u64>, now: i64) -> Option<(u64, Vec<(Block, Weight)>)> {
        let mut state = self.state();
        state.blocks.end(now);
        self.count_blocks(&state);
        let changes = state.blocks.changes();
        let all = || state.blocks.iter().map(|held| (held.block.clone(), held.weight)).collect();
        (seen != Some(changes)).then(|| (changes, all()))
    }

    /// Whether wrong passwords from this network are not counted.
    pub fn is_exempt(&self, network: Network) -> bool {
        self.exempt_loopback && network.is_loopback()
    }

    fn number(&self, target: &Target) -> u64 {
        self.keys.hash_one(target)
    }

    fn count_blocks(&self, state: &State) {
        self.blocks.store(state.blocks.len(), Ordering::Relaxed);
    }

    /// A panic while the lock was held can leave a count off by one, which is harmless.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::login::remembered::Remembered;
    use crate::password::Password;

    const NOON: i64 = 1_781_524_800;

    fn login_name(name: &str) -> LoginName {
        LoginName::new(name)
    }

    fn network(number: u32) -> Network {
        Network::of(Ipv4Addr::from_bits(0x0a00_0000 + number).into())
    }

    /// A /64 in 2001:db8::/32.
    fn network6(number: u32) -> Network {
        Network::of(
            std::net::Ipv6Addr::from_bits((0x2001_0db8_u128 << 96) + (u128::from(number) << 64))
                .into(),
        )
    }

    /// A moment at which both clocks show the same.
    fn moment(now: i64) -> Reading {
        Reading { steady: now, wall: now }
    }

    /// A guard, and a visitor who guesses. Each guess is a new password unless the test says
    /// otherwise.
    struct Scene {
        guard: Guard,
        remembered: Remembered,
        guesses: u32,
    }

    impl Scene {
        fn new(limits: GuessLimits) -> Self {
            Self {
                guard: Guard::new(limits, true, NOON),
                remembered: Remembered::new().unwrap(),
                guesses: 0,
            }
        }

        fn types(&self, secret: &str, name: &str, from: Network, now: i64) -> Vec<Block> {
            self.types_at(NameHolder::Member, secret, name, from, moment(now))
        }

        fn types_at(
            &self,
            holder: NameHolder,
            secret: &str,
            name: &str,
            network: Network,
            now: Reading,
        ) -> Vec<Block> {
            let secret = self.remembered.secret(&Password::parse(secret).unwrap());
            self.guard.wrong(
                &WrongPassword {
                    name: &login_name(name),
                    holder,
                    network,
                    is_known: false,
                    secret,
                },
                now,
            )
        }

        /// The blocks that are in force, oldest first.
        fn blocks(&self, now: i64) -> Vec<Block> {
            let (_, held) = self.guard.blocks_since(None, now).unwrap();
            let mut blocks: Vec<Block> = held.into_iter().map(|(block, _)| block).collect();
            blocks.sort_by_key(|block| (block.since, block.to_string()));
            blocks
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
            self.guard.verdict(&login_name(name), from, now)
        }
    }

    fn lines(blocks: &[Block]) -> Vec<String> {
        blocks.iter().map(Block::line).collect()
    }

    /// Regression: all of sixty guesses that were sent at once were answered, and one /64 blocked
    /// the name for the /56.
    #[test]
    fn what_was_under_way_when_its_network_was_blocked_counts_for_nobody_else() {
        let mut scene = Scene::new(GuessLimits::default());
        assert_eq!(lines(&scene.guesses(99, "bob", network6(0), NOON)).len(), 1, "the pair");
        assert_eq!(scene.verdict("bob", network6(1), NOON), Verdict::Open, "its neighbour");
        assert_eq!(scene.guesses(9, "bob", network6(1 << 16), NOON), [], "nor does the name wait");
        let names = 0..400;
        let begun: Vec<Block> = names
            .flat_map(|nth| scene.guesses(1, &format!("name {nth}"), network6(2), NOON))
            .collect();
        assert_eq!(
            lines(&begun),
            ["login blocked: network=2001:db8:0:2::/64 kind=network until=2026-06-15T12:15:00Z"]
        );
        assert_eq!(scene.verdict("ann", network6(3), NOON), Verdict::Open);
    }

    #[test]
    fn ten_different_wrong_passwords_block_the_pair_for_a_quarter_of_an_hour() {
        let mut scene = Scene::new(GuessLimits::default());
        let (home, elsewhere) = (network(9), network(10));
        assert_eq!(scene.guesses(9, "bob", home, NOON), []);
        assert_eq!(scene.verdict("bob", home, NOON), Verdict::Open);
        let begun = scene.guesses(1, "BOB", home, NOON);
        assert_eq!(
            lines(&begun),
            ["login blocked: network=10.0.0.9 name=\"bob\" kind=pair until=2026-06-15T12:15:00Z"]
        );
        assert_eq!(scene.verdict("bob", home, NOON + 899), Verdict::Blocked(BlockKind::Pair));
        assert_eq!(
            scene.verdict("Bob", home, NOON),
            Verdict::Blocked(BlockKind::Pair),
            "case is no way out"
        );
        assert_eq!(scene.verdict("alice", home, NOON), Verdict::Open, "another name");
        assert_eq!(scene.verdict("bob", elsewhere, NOON), Verdict::Open, "another network");
        assert_eq!(scene.blocks(NOON + 899), begun);
        assert_eq!(scene.verdict("bob", home, NOON + 900), Verdict::Open);
        assert_eq!(scene.blocks(NOON + 900), []);
        assert_eq!(
            scene.guard.blocks.load(Ordering::Relaxed),
            0,
            "and a check costs nothing again"
        );
        assert_eq!(scene.guesses(9, "bob", home, NOON + 900), [], "the count begins anew");
    }

    #[test]
    fn an_identical_wrong_password_counts_once_in_a_window() {
        let scene = Scene::new(GuessLimits { pair: 2, ..GuessLimits::default() });
        for seconds in 0..600 {
            assert_eq!(
                scene.types("old password", "bob", network(9), NOON + seconds),
                [],
                "{seconds}"
            );
        }
        assert_eq!(
            scene.types("old password", "bob", network(9), NOON + 600),
            [],
            "counted again, alone in its window"
        );
        assert_eq!(scene.types("another", "bob", network(9), NOON + 601).len(), 1);
    }

    #[test]
    fn what_is_older_than_the_window_does_not_count() {
        let mut scene = Scene::new(GuessLimits::default());
        for nth in 0..100 {
            assert_eq!(
                scene.guesses(1, "bob", network(9), NOON + nth * 67),
                [],
                "nine in any 600 seconds: {nth}"
            );
        }
        let mut scene = Scene::new(GuessLimits::default());
        let begun: Vec<Block> =
            (0..10).flat_map(|nth| scene.guesses(1, "bob", network(9), NOON + nth * 66)).collect();
        assert_eq!(begun.len(), 1, "ten in 594 seconds");
    }

    #[test]
    fn a_hundred_at_whatever_names_block_the_network() {
        let mut scene = Scene::new(GuessLimits::default());
        let begun: Vec<Block> = (0..99)
            .flat_map(|nth| scene.guesses(1, &format!("name {nth}"), network(9), NOON))
            .collect();
        assert_eq!(begun, []);
        let begun = scene.guesses(1, "bob", network(9), NOON);
        assert_eq!(
            lines(&begun),
            ["login blocked: network=10.0.0.9 kind=network until=2026-06-15T12:15:00Z"]
        );
        assert_eq!(
            scene.verdict("mallory", network(9), NOON),
            Verdict::Blocked(BlockKind::Network)
        );
        assert_eq!(scene.verdict("bob", network(8), NOON), Verdict::Open);
    }

    #[test]
    fn a_hundred_at_one_name_block_it() {
        let mut scene = Scene::new(GuessLimits::default());
        let begun: Vec<Block> =
            (100..200).flat_map(|number| scene.guesses(1, "bob", network(number), NOON)).collect();
        assert_eq!(
            lines(&begun),
            ["login blocked: name=\"bob\" kind=name until=2026-06-15T12:15:00Z"]
        );
        assert_eq!(scene.verdict("bob", network(2), NOON), Verdict::Blocked(BlockKind::Name));
        assert_eq!(scene.verdict("alice", network(2), NOON), Verdict::Open);
        // A known network may not guess either: this verdict comes first.
        assert_eq!(scene.guesses(10, "bob", network(1), NOON)[0].target.kind(), BlockKind::Pair);
        assert_eq!(scene.verdict("bob", network(1), NOON), Verdict::Blocked(BlockKind::Pair));
        // Further guesses of others do not lengthen the block.
        assert_eq!(scene.verdict("bob", network(2), NOON + 900), Verdict::Open);
    }

    /// The same wrong password from a hundred networks: a member's old one, on all their devices.
    #[test]
    fn the_same_wrong_password_counts_once_for_a_name_wherever_it_comes_from() {
        let scene = Scene::new(GuessLimits::default());
        for number in 0..300 {
            assert_eq!(scene.types("old", "bob", network(number), NOON), [], "{number}");
        }
    }

    #[test]
    fn no_name_is_blocked_before_the_given_moment() {
        let mut scene = Scene {
            guard: Guard::new(GuessLimits::default(), true, NOON + 900),
            ..Scene::new(GuessLimits::default())
        };
        let at_once: Vec<Block> = (0..300)
            .flat_map(|number| scene.guesses(1, "bob", network(number), NOON + 899))
            .collect();
        assert_eq!(at_once, []);
        let later: Vec<Block> = (0..100)
            .flat_map(|number| scene.guesses(1, "bob", network(number), NOON + 900))
            .collect();
        assert_eq!(
            later.iter().map(|block| block.target.kind()).collect::<Vec<_>>(),
            [BlockKind::Name]
        );
    }

    #[test]
    fn several_blocks_can_begin_at_once_and_what_was_under_way_begins_no_other() {
        let mut scene =
            Scene::new(GuessLimits { pair: 3, network: 3, name: 3, ..GuessLimits::default() });
        let kinds: Vec<BlockKind> = scene
            .guesses(3, "bob", network(9), NOON)
            .iter()
            .map(|block| block.target.kind())
            .collect();
        assert_eq!(kinds, [BlockKind::Pair, BlockKind::Network, BlockKind::Name]);
        assert_eq!(scene.guesses(9, "bob", network(9), NOON), []);
    }

    #[test]
    fn a_limit_of_0_is_off() {
        let off = GuessLimits { pair: 0, network: 0, name: 0, ..GuessLimits::default() };
        let mut scene = Scene::new(off);
        assert_eq!(scene.guesses(2_000, "bob", network(9), NOON), []);
        scene.guard.begin(
            Block { target: Target::Network(network(9)), since: NOON, until: NOON + 900 },
            NameHolder::Member,
            moment(NOON),
        );
        assert_eq!(
            scene.verdict("bob", network(9), NOON),
            Verdict::Open,
            "nor does a block of an earlier run hold"
        );
    }

    #[test]
    fn loopback_is_neither_blocked_nor_counted_while_all_visitors_look_alike() {
        for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            let here = Network::parse(address).unwrap();
            let mut scene = Scene::new(GuessLimits::default());
            assert_eq!(scene.guesses(500, "bob", here, NOON), [], "{address}");
            let others: Vec<Block> = (10..109)
                .flat_map(|number| scene.guesses(1, "bob", network(number), NOON))
                .collect();
            assert_eq!(others, [], "{address}: 99 at the name, and none of them from here");
            assert_eq!(scene.verdict("bob", here, NOON), Verdict::Open);
            scene.guard.begin(
                Block { target: Target::Name(login_name("bob")), since: NOON, until: NOON + 900 },
                NameHolder::Member,
                moment(NOON),
            );
            assert_eq!(scene.verdict("bob", here, NOON), Verdict::Open, "{address}");

            let mut scene =
                Scene { guard: Guard::new(GuessLimits::default(), false, NOON), ..scene };
            assert_eq!(
                scene.guesses(10, "bob", here, NOON).len(),
                1,
                "{address}: behind a listed proxy it is somebody"
            );
        }
    }

    #[test]
    fn a_stored_block_holds_again_until_it_ends_or_is_lifted() {
        let scene = Scene::new(GuessLimits::default());
        let block = |target| Block { target, since: NOON - 60, until: NOON + 60 };
        let stored = [
            block(Target::Network(network(9))),
            block(Target::Pair(login_name("bob"), network(8))),
        ];
        for block in &stored {
            scene.guard.begin(block.clone(), NameHolder::Member, moment(NOON));
        }
        assert_eq!(scene.verdict("alice", network(9), NOON), Verdict::Blocked(BlockKind::Network));
        assert_eq!(scene.verdict("bob", network(8), NOON), Verdict::Blocked(BlockKind::Pair));
        scene.guard.lift(&stored[0].target);
        assert_eq!(scene.verdict("alice", network(9), NOON), Verdict::Open);
        assert_eq!(scene.blocks(NOON), stored[1..]);
        assert_eq!(scene.verdict("bob", network(8), NOON + 60), Verdict::Open);
    }

    #[test]
    fn new_counters_push_out_counters_and_never_a_block() {
        let mut scene = Scene::new(GuessLimits { network: 2, ..GuessLimits::default() });
        assert_eq!(scene.guesses(2, "bob", network(1), NOON).len(), 1);
        for number in 0..20_000 {
            assert_eq!(
                scene.guesses(1, &format!("name {number}"), network(10 + number), NOON),
                [],
                "{number}"
            );
        }
        assert_eq!(scene.verdict("bob", network(1), NOON), Verdict::Blocked(BlockKind::Network));
        assert!(scene.guard.state().counters.keep_their_bounds());
    }

    #[test]
    fn a_wrong_password_of_ipv6_counts_for_the_64_the_56_and_the_48() {
        let mut scene = Scene::new(GuessLimits { network: 0, name: 0, ..GuessLimits::default() });
        let begun: Vec<String> = (0..300)
            .flat_map(|number| scene.guesses(9, "bob", network6(number), NOON))
            .map(|block| block.target.network().unwrap().to_string())
            .collect();
        // Nine from each /64 are below every limit of a /64. Forty block a /56, and 160 the /48.
        assert_eq!(begun, ["2001:db8::/56", "2001:db8::/48", "2001:db8:0:100::/56"]);
        assert_eq!(
            scene.verdict("bob", network6(65_535), NOON),
            Verdict::BlockedAround(BlockKind::Pair),
            "the same /48"
        );
        assert_eq!(scene.verdict("bob", network6(65_536), NOON), Verdict::Open, "the next /48");
        assert_eq!(scene.verdict("ann", network6(0), NOON), Verdict::Open, "another name");
    }

    /// Regression: ten requests from each /64 of a /48 made 65,536 blocks.
    #[test]
    fn whoever_has_a_48_gets_few_blocks_whatever_names_and_passwords_he_sends() {
        for (what, names) in [("one name", 1), ("another name at each network", 4_096)] {
            let mut begun = 0;
            let scene = Scene::new(GuessLimits::default());
            for number in 0..4_096 {
                let (name, network) = (format!("name {}", number % names), network6(number));
                for guess in 0..10 {
                    if scene.verdict(&name, network, NOON) == Verdict::Open {
                        begun += scene
                            .types_at(
                                NameHolder::Nobody,
                                &format!("guess {guess}"),
                                &name,
                                network,
                                moment(NOON),
                            )
                            .len();
                    }
                }
            }
            assert!(begun < 250, "{what}: {begun}");
        }
    }

    #[test]
    fn a_block_of_a_wider_network_is_told_from_one_of_the_visitors_own() {
        let mut scene = Scene::new(GuessLimits::default());
        let (home, neighbour) = (network6(9), network6(10));
        for number in 100..150 {
            scene.guesses(9, "bob", network6(number), NOON);
            scene.guesses(90, &format!("name {number}"), network6(number), NOON);
        }
        assert_eq!(scene.verdict("bob", neighbour, NOON), Verdict::BlockedAround(BlockKind::Pair));
        assert_eq!(
            scene.verdict("ann", neighbour, NOON),
            Verdict::BlockedAround(BlockKind::Network)
        );
        // A member who has logged in from it before may log in, but may not guess.
        assert_eq!(
            scene.guesses(10, "bob", home, NOON)[0].target,
            Target::Pair(login_name("bob"), home)
        );
        assert_eq!(scene.verdict("bob", home, NOON), Verdict::Blocked(BlockKind::Pair));
    }

    /// Regression: 4,200 networks evicted the block of a guesser, which had 15 minutes to go.
    #[test]
    fn a_flood_of_other_networks_and_names_frees_nobody_who_guessed_at_a_member() {
        let mut scene =
            Scene::new(GuessLimits { pair: 2, network: 0, name: 0, ..GuessLimits::default() });
        assert_eq!(scene.guesses(2, "bob", network(1), NOON).len(), 1);
        for number in 0..9_000_u32 {
            let from = network(1_000 + number * 256);
            // Names that no member has, and the guesser's own account.
            for (holder, name) in [
                (NameHolder::Nobody, format!("name {number}")),
                (NameHolder::Member, "mallory".into()),
            ] {
                for guess in ["a", "b"] {
                    scene.types_at(holder, guess, &name, from, moment(NOON + 1));
                }
            }
        }
        assert_eq!(scene.verdict("bob", network(1), NOON + 2), Verdict::Blocked(BlockKind::Pair));
    }

    #[test]
    fn a_count_of_a_members_name_is_not_pushed_out_by_names_that_nobody_has() {
        let mut scene = Scene::new(GuessLimits { network: 0, name: 0, ..GuessLimits::default() });
        assert_eq!(scene.guesses(9, "bob", network(1), NOON), []);
        for number in 0..20_000 {
            scene.types_at(
                NameHolder::Nobody,
                "a",
                &format!("name {number}"),
                network(number),
                moment(NOON),
            );
        }
        assert_eq!(scene.guesses(1, "bob", network(1), NOON).len(), 1);
    }

    /// The steady clock decides how long a block lasts; the wall clock is only shown.
    #[test]
    fn a_wall_clock_that_is_set_makes_no_block_longer_or_shorter() {
        let mut scene = Scene::new(GuessLimits { network: 0, name: 0, ..GuessLimits::default() });
        let year = 365 * 86_400;
        for guess in 0..10 {
            scene.guesses += 1;
            let ahead = Reading { steady: NOON, wall: NOON + year };
            scene.types_at(NameHolder::Member, &format!("{guess}"), "bob", network(9), ahead);
        }
        assert_eq!(scene.blocks(NOON)[0].until, NOON + year + 900, "as the clock said");
        assert_eq!(scene.verdict("bob", network(9), NOON + 899), Verdict::Blocked(BlockKind::Pair));
        assert_eq!(scene.verdict("bob", network(9), NOON + 900), Verdict::Open);
    }

    #[test]
    fn a_stored_block_lasts_no_longer_than_a_new_one() {
        for (until, shown, why) in [
            (NOON + 60, Some(NOON + 60), "its rest"),
            (NOON + 365 * 86_400, Some(NOON + 900), "the clock was a year ahead when it began"),
            (i64::MAX, Some(NOON + 900), "whatever stands there"),
            (NOON, None, "it has ended"),
            (i64::MIN, None, "long ago"),
        ] {
            let scene = Scene::new(GuessLimits::default());
            let block = Block { target: Target::Network(network(9)), since: NOON - 60, until };
            // The machine was started an hour ago.
            scene.guard.begin(block, NameHolder::Nobody, Reading { steady: 3_600, wall: NOON });
            assert_eq!(scene.blocks(3_600).first().map(|block| block.until), shown, "{why}");
            assert_eq!(scene.blocks(3_600 + 900), [], "{why}");
        }
    }

    #[test]
    fn a_clock_that_jumps_is_survived() {
        let mut scene = Scene::new(GuessLimits { network: 0, name: 0, ..GuessLimits::default() });
        let mut begun = Vec::new();
        for now in [i64::MAX, i64::MIN, NOON, 0, i64::MAX] {
            begun.extend(scene.guesses(9, "bob", network(9), now));
            scene.verdict("bob", network(9), now);
        }
        assert!(!begun.is_empty());
    }
}
