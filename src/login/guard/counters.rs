//! The counts of wrong passwords. Each cache is bounded and evicts what was not used for the
//! longest time. There are separate caches for members' names, for other names, and for each width
//! of network, so that a flood in one does not evict counts of another.

use super::counter::{Count, Slices, Times, is_over};
use crate::block::{BlockKind, NameHolder, STEPS};
use crate::recent::Recent;

/// The most counts of each kind that are kept.
const PAIRS_MAX: usize = 16_384;
const NETWORKS_MAX: usize = 8_192;
const NAMES_MAX: usize = 4_096;
/// The most wrong passwords that are remembered, to recognise repetitions.
const SEEN_MAX: usize = 32_768;

/// How many wrong passwords are too many, and within what time.
#[derive(Clone, Copy)]
pub(super) struct Limit {
    pub(super) count: u32,
    pub(super) window_seconds: u32,
}

/// Counts by a keyed hash of the target.
type RecentCounts<C> = Recent<u64, C>;

pub(super) struct Counters {
    /// Indexed by [`NameHolder`].
    parts: [HolderCounters; 2],
    /// Counts of the narrowest networks, and of wider ones by step.
    networks: RecentCounts<Times>,
    wide_networks: [RecentCounts<Slices>; STEPS - 1],
}

/// The counts for names of members, or for all other names.
struct HolderCounters {
    pairs: RecentCounts<Times>,
    wide_pairs: [RecentCounts<Slices>; STEPS - 1],
    names: RecentCounts<Times>,
    /// When a wrong password was last counted for a pair and its networks.
    seen: Recent<u64, i64>,
    /// When a wrong password was last counted for a name. From another network it is the same one.
    seen_for_name: Recent<u64, i64>,
}

impl HolderCounters {
    fn new() -> Self {
        Self {
            pairs: Recent::new(PAIRS_MAX),
            wide_pairs: std::array::from_fn(|_| Recent::new(NETWORKS_MAX)),
            names: Recent::new(NAMES_MAX),
            seen: Recent::new(SEEN_MAX),
            seen_for_name: Recent::new(SEEN_MAX),
        }
    }
}

impl Counters {
    pub(super) fn new() -> Self {
        Self {
            parts: [HolderCounters::new(), HolderCounters::new()],
            networks: Recent::new(NETWORKS_MAX),
            wide_networks: std::array::from_fn(|_| Recent::new(NETWORKS_MAX)),
        }
    }

    /// Whether this wrong password was not counted for this network within the window. It is
    /// recorded as counted.
    pub(super) fn is_new(
        &mut self,
        holder: NameHolder,
        attempt: u64,
        now: i64,
        window_seconds: u32,
    ) -> bool {
        is_new(&mut self.part(holder).seen, attempt, now, window_seconds)
    }

    /// Whether this wrong password was not counted for this name within the window, from any
    /// network. It is recorded as counted.
    pub(super) fn is_new_for_name(
        &mut self,
        holder: NameHolder,
        attempt: u64,
        now: i64,
        window_seconds: u32,
    ) -> bool {
        is_new(&mut self.part(holder).seen_for_name, attempt, now, window_seconds)
    }

    /// Counts one for the target with this hash. `step` says how wide its network is; 0 is the
    /// narrowest. Returns whether it reaches the limit; then the count starts again at 0.
    pub(super) fn reaches(
        &mut self,
        kind: BlockKind,
        holder: NameHolder,
        step: usize,
        number: u64,
        limit: Limit,
        now: i64,
    ) -> bool {
        match (kind, step.checked_sub(1)) {
            (BlockKind::Name, _) => reaches(&mut self.part(holder).names, number, limit, now),
            (BlockKind::Pair, None) => reaches(&mut self.part(holder).pairs, number, limit, now),
            (BlockKind::Pair, Some(step)) => {
                reaches(&mut self.part(holder).wide_pairs[step], number, limit, now)
            }
            (BlockKind::Network, None) => reaches(&mut self.networks, number, limit, now),
            (BlockKind::Network, Some(step)) => {
                reaches(&mut self.wide_networks[step], number, limit, now)
            }
        }
    }

    fn part(&mut self, holder: NameHolder) -> &mut HolderCounters {
        &mut self.parts[holder as usize]
    }

    #[cfg(test)]
    pub(super) fn keep_their_bounds(&self) -> bool {
        let wide = |counts: &RecentCounts<Slices>| counts.len() <= NETWORKS_MAX;
        let part = |part: &HolderCounters| {
            part.pairs.len() <= PAIRS_MAX
                && part.wide_pairs.iter().all(wide)
                && part.names.len() <= NAMES_MAX
                && part.seen.len() <= SEEN_MAX
                && part.seen_for_name.len() <= SEEN_MAX
        };
        self.parts.iter().all(part)
            && self.networks.len() <= NETWORKS_MAX
            && self.wide_networks.iter().all(wide)
    }
}

fn is_new(seen: &mut Recent<u64, i64>, attempt: u64, now: i64, window_seconds: u32) -> bool {
    let known = seen.get(&attempt).is_some_and(|&mut then| !is_over(then, now, window_seconds));
    if !known {
        seen.put(attempt, now);
    }
    !known
}

fn reaches<C: Count>(counts: &mut RecentCounts<C>, number: u64, limit: Limit, now: i64) -> bool {
    if let Some(count) = counts.get(&number) {
        return count.reaches(limit.count, now, limit.window_seconds);
    }
    let mut count = C::default();
    let reached = count.reaches(limit.count, now, limit.window_seconds);
    counts.put(number, count);
    reached
}
