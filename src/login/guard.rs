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
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

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
    exempt_loopback: AtomicBool,
    /// Hashes names and networks under a random key, so that the counters need no copy of a name.
    keys: RandomState,
    state: Mutex<GuardState>,
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

struct GuardState {
    counters: Counters,
    blocks: Blocks,
}

impl Guard {
    /// A guard without counts. While no trusted proxy is configured, all visitors behind a proxy
    /// seem to come from loopback. With `exempt_loopback`, loopback is neither counted nor blocked,
    /// because one visitor could lock all others out. Names are not blocked before `names_from`, by
    /// the steady clock.
    pub fn new(limits: GuessLimits, exempt_loopback: bool, names_from: i64) -> Self {
        let state = GuardState { counters: Counters::new(), blocks: Blocks::new() };
        let (keys, blocks) = (RandomState::new(), AtomicUsize::new(0));
        let exempt_loopback = AtomicBool::new(exempt_loopback);
        Self { limits, exempt_loopback, keys, state: Mutex::new(state), names_from, blocks }
    }

    /// Changes whether loopback is exempt, when the trusted proxies have changed.
    pub fn set_exempt_loopback(&self, exempt: bool) {
        self.exempt_loopback.store(exempt, Ordering::Relaxed);
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
        // Blocks that admit no login are checked first.
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
        state: &mut GuardState,
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

    /// Applies a block that another receiver has stored, for the rest of its time, but for no
    /// longer than a new block. Keeps its times. Returns its weight; `None` if it is over, or does
    /// not count here: a name that no member has, which is stored under a pseudonym, or a name
    /// before names may be blocked. A new target is applied only if there is space, so that no
    /// block is evicted.
    pub fn take_up(&self, block: &Block, holder: NameHolder, now: Reading) -> Option<Weight> {
        let kind = block.target.kind();
        let counts = self.limits.of(kind) > 0
            && match kind {
                BlockKind::Network => true,
                BlockKind::Pair => holder == NameHolder::Member,
                BlockKind::Name => holder == NameHolder::Member && now.steady >= self.names_from,
            };
        let rest = block.until.saturating_sub(now.wall).min(i64::from(self.limits.block_seconds));
        let mut state = self.state();
        state.blocks.end(now.steady);
        let has_room = state.blocks.hold(&block.target) || !state.blocks.is_full();
        if !counts || rest <= 0 || !has_room {
            return None;
        }
        let (weight, ends) = (Weight::of(kind, holder), now.steady.saturating_add(rest));
        state.blocks.begin(Held { block: block.clone(), weight, ends, stays_narrow: false });
        self.count_blocks(&state);
        Some(weight)
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
        self.exempt_loopback.load(Ordering::Relaxed) && network.is_loopback()
    }

    fn number(&self, target: &Target) -> u64 {
        self.keys.hash_one(target)
    }

    fn count_blocks(&self, state: &GuardState) {
        self.blocks.store(state.blocks.len(), Ordering::Relaxed);
    }

    /// A panic while the lock was held can leave a count off by one, which is harmless.
    fn state(&self) -> MutexGuard<'_, GuardState> {
        self.state.lock()
    }
}

#[cfg(test)]
mod tests;
