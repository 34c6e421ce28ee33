//! Finds members whose login several people seem to use: too many networks or countries within a
//! period, or too many networks at once.
//!
//! Memory has the networks of the members who were here lately. The database has them too, so that
//! they survive a restart and that other receivers count them. A check of a member in a network
//! that is in memory costs one look-up and no write.
//! Any other check is counted before its answer where members may be blocked, and after it where
//! counts are only logged.

mod uncounted;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use ipnet::IpNet;
use parking_lot::{Mutex, MutexGuard, RwLock};

use uncounted::Uncounted;
pub use uncounted::Use;

use super::settings::{SharingAction, SharingConfig};
use crate::country_file::Country;
use crate::identity::Key;
use crate::network::contains;
use crate::recent::Recent;
use crate::shared_use::{MemberNetwork, SharingBlock, SharingReason};

/// The most members whose networks are in memory.
const MEMBERS_MAX: usize = 32_768;
/// The number of parts with their own lock, because every check takes one.
const SHARDS: usize = 16;
/// The most members who are blocked at a time.
pub const BLOCKS_MAX: u32 = 4_096;
/// A network counts as in use at once for this time after its last use.
pub const AT_ONCE_SECONDS: i64 = 300;
/// A network in constant use is written this often in the period that is counted.
const WRITTEN_TIMES: i64 = 4;
/// The clocks of two receivers, or of one and of the machine of a command, differ by less.
const CLOCKS_DIFFER_SECONDS: i64 = 60;
/// The most networks of a member in memory where their number has no limit, but that of their
/// countries has.
const NETWORKS_FOR_COUNTRIES: u32 = 60;

/// The networks of members, and who is blocked.
pub struct Sharing {
    config: SharingConfig,
    shards: [Mutex<Recent<Key, Seen>>; SHARDS],
    blocks: RwLock<HashMap<Key, HeldBlock>>,
    /// The number of blocks, so that nobody takes the lock while there are none.
    blocked: AtomicUsize,
    uncounted: Uncounted,
}

impl fmt::Debug for Sharing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sharing")
    }
}

/// A block that applies.
struct HeldBlock {
    block: SharingBlock,
    row: BlockRow,
}

/// What is known of the row of a block that applies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BlockRow {
    /// The lane of notes was full: the row has to be noted again.
    Refused,
    /// The writer has it. While nothing can be written, it is not in the database.
    Pending,
    /// It was seen in the database: once it is missing, the block was lifted.
    Seen,
}

impl HeldBlock {
    /// Whether a command lifted the block. `row` is the row of the member now.
    fn is_lifted(&self, row: Option<&SharingBlock>, now: i64) -> bool {
        let was_seen = self.row == BlockRow::Seen;
        // The row of an earlier block says nothing of one that was not written yet.
        row.map_or(was_seen, |row| row.until <= now && (was_seen || row.since >= self.block.since))
    }
}

/// What memory has of a member.
#[derive(Default)]
struct Seen {
    networks: Vec<Used>,
    /// Uses up to this second do not count: they were judged before.
    judged_until: i64,
}

struct Used {
    network: IpNet,
    first: i64,
    last: i64,
    /// The last use that was written.
    written: i64,
    country: Option<Country>,
}

/// What memory alone says of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FromMemory {
    /// The member may enter.
    Open,
    /// The member is blocked.
    Blocked,
    /// [`Sharing::settle`] decides, with what the database has.
    Unknown,
}

/// What follows from a use.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// The network, where it has to be written.
    pub network: Option<MemberNetwork>,
    /// The member counts as shared from now on.
    pub shared: Option<SharingBlock>,
    /// The member would count as shared, but [`BLOCKS_MAX`] members are blocked.
    pub is_full: bool,
    /// The networks that were counted.
    pub count: usize,
    /// Their countries.
    pub countries: usize,
}

impl Sharing {
    /// Starts with nothing in memory.
    pub fn new(config: SharingConfig) -> Self {
        Self {
            config,
            shards: std::array::from_fn(|_| Mutex::new(Recent::new(MEMBERS_MAX / SHARDS))),
            blocks: RwLock::default(),
            blocked: AtomicUsize::new(0),
            uncounted: Uncounted::default(),
        }
    }

    /// Whether anything is counted.
    pub fn is_on(&self) -> bool {
        self.config.action != SharingAction::Off
    }

    /// Whether members are blocked.
    pub fn blocks(&self) -> bool {
        self.config.action == SharingAction::Block
    }

    /// The fewest networks in the database with which one more may make a login count as shared.
    pub fn fewest(&self) -> usize {
        let limits = [self.config.networks, self.config.at_once, self.config.countries];
        limits.into_iter().filter(|&most| most > 0).min().unwrap_or(u32::MAX) as usize
    }

    /// The number of members who are blocked.
    pub fn blocked(&self) -> usize {
        self.blocked.load(Ordering::Relaxed)
    }

    /// The network of an address, as it is counted. All prefix lengths of the settings fit.
    fn network(&self, address: IpAddr) -> IpNet {
        let address = address.to_canonical();
        let (v4, v6) = (self.config.ipv4_prefix, self.config.ipv6_prefix);
        let prefix = if address.is_ipv4() { v4 } else { v6 };
        IpNet::new_assert(address, prefix).trunc()
    }

    /// Looks at memory, and notes the use there. `now` is in unix seconds.
    pub fn from_memory(&self, member: Key, address: IpAddr, now: i64) -> FromMemory {
        if !self.is_on() || self.is_exempt(member, address) {
            return FromMemory::Open;
        }
        if self.is_blocked(member, now) {
            return FromMemory::Blocked;
        }
        let network = self.network(address);
        let mut shard = self.shard(member);
        let Some(seen) = shard.get(&member) else { return FromMemory::Unknown };
        let since = now - self.config.window_seconds;
        let used = seen.networks.iter_mut().find(|used| used.network == network);
        // A use in the future is of a time when the clock was wrong.
        let counts = since + 1..=now + CLOCKS_DIFFER_SECONDS;
        let Some(used) = used.filter(|used| counts.contains(&used.last)) else {
            return FromMemory::Unknown;
        };
        if now - used.written >= self.config.window_seconds / WRITTEN_TIMES {
            return FromMemory::Unknown;
        }
        let was_idle = now - used.last >= AT_ONCE_SECONDS;
        used.last = used.last.max(now);
        if was_idle && self.reason(seen, now).is_some() {
            FromMemory::Unknown
        } else {
            FromMemory::Open
        }
    }

    fn is_exempt(&self, member: Key, address: IpAddr) -> bool {
        self.config.exempt_members.contains(&member)
            || contains(&self.config.exempt_networks, address.to_canonical())
    }

    fn is_blocked(&self, member: Key, now: i64) -> bool {
        if self.blocked() == 0 {
            return false;
        }
        self.blocks.read().get(&member).is_some_and(|held| self.config.holds(&held.block, now))
    }

    /// Keeps a use for [`Sharing::uncounted`], if there is room. Returns whether no use waited:
    /// then the caller must see to it that they are counted.
    pub fn count_later(&self, used: Use) -> bool {
        self.uncounted.add(used, self.network(used.address))
    }

    /// Takes the uses that wait to be counted.
    pub fn uncounted(&self) -> Vec<Use> {
        self.uncounted.take()
    }

    /// Counts a use in a country, with what the database has of the member.
    pub fn settle(
        &self,
        used: Use,
        country: Option<Country>,
        stored: &[MemberNetwork],
        block: Option<SharingBlock>,
    ) -> Settled {
        let Use { member, address, at: now } = used;
        let (network, since) = (self.network(address), now - self.config.window_seconds);
        let mut shard = self.shard(member);
        if shard.get(&member).is_none() {
            shard.put(member, Seen::default());
        }
        let Some(seen) = shard.get(&member) else { return Settled::default() };
        // What the clock of this moment does not explain is of a time when it was wrong.
        let is_possible = |at: i64| at <= now + CLOCKS_DIFFER_SECONDS;
        seen.networks.retain(|used| is_possible(used.last));
        if !is_possible(seen.judged_until - self.config.block_seconds) {
            seen.judged_until = 0;
        }
        if let Some(block) = block.filter(|block| is_possible(block.since)) {
            seen.judged_until = seen.judged_until.max(block.until);
        }
        for row in stored.iter().filter(|row| is_possible(row.last_at)) {
            let Ok(network) = row.network.parse::<IpNet>() else { continue };
            let last = row.last_at.min(now);
            let country = row.country.as_deref().and_then(Country::parse);
            match seen.networks.iter_mut().find(|used| used.network == network) {
                Some(used) => {
                    used.last = used.last.max(last);
                    used.country = used.country.or(country);
                }
                None => {
                    let (first, written) = (row.first_at, row.last_at);
                    seen.networks.push(Used { network, first, last, written, country });
                }
            }
        }
        seen.networks.retain(|used| used.last > since);
        let mut settled = Settled::default();
        let position = seen.networks.iter().position(|used| used.network == network);
        let position = position.unwrap_or_else(|| {
            let (first, last, written) = (now, now, i64::MIN);
            seen.networks.push(Used { network, first, last, written, country });
            seen.networks.len() - 1
        });
        let used = &mut seen.networks[position];
        used.last = used.last.max(now);
        let is_elsewhere = country.is_some() && used.country != country;
        used.country = country.or(used.country);
        if is_elsewhere
            || now.saturating_sub(used.written) >= self.config.window_seconds / WRITTEN_TIMES
        {
            used.written = now;
            settled.network = Some(MemberNetwork {
                key: member,
                network: network.to_string(),
                first_at: used.first,
                last_at: now,
                country: used.country.map(|country| country.to_string()),
            });
        }
        settled.count = self.counted(seen).count();
        settled.countries = self.countries(seen, since);
        if let Some(why) = self.reason(seen, now) {
            let lasts = if self.blocks() { self.config.block_seconds } else { 0 };
            let shared = SharingBlock { key: member, since: now, until: now + lasts, why };
            if self.begin(shared) {
                seen.judged_until = shared.until;
                settled.shared = Some(shared);
            } else {
                settled.is_full = true;
            }
        }
        if settled.shared.is_none() {
            // Those beyond the limit were judged: the newest are enough.
            let most = match self.config.networks {
                0 if self.config.countries > 0 => NETWORKS_FOR_COUNTRIES,
                most => most.max(self.config.at_once),
            };
            seen.networks.sort_unstable_by_key(|used| std::cmp::Reverse(used.last));
            seen.networks.truncate(most as usize + 2);
        }
        settled
    }

    fn counted<'s>(&self, seen: &'s Seen) -> impl Iterator<Item = &'s Used> {
        let judged = seen.judged_until;
        seen.networks.iter().filter(move |used| used.last > judged)
    }

    /// The number of countries of the networks that count and were used after `since`.
    fn countries(&self, seen: &Seen, since: i64) -> usize {
        let counted = self.counted(seen).filter(|used| used.last > since);
        let countries: BTreeSet<Country> = counted.filter_map(|used| used.country).collect();
        countries.len()
    }

    fn reason(&self, seen: &Seen, now: i64) -> Option<SharingReason> {
        let (window, most) = (now - self.config.window_seconds, self.config.networks as usize);
        if most > 0 && self.counted(seen).filter(|used| used.last > window).count() > most {
            return Some(SharingReason::Networks);
        }
        let (active, most) = (now - AT_ONCE_SECONDS, self.config.at_once as usize);
        let at_once = self.counted(seen).filter(|used| used.last > active).count();
        if most > 0 && at_once > most {
            return Some(SharingReason::AtOnce);
        }
        let most = self.config.countries as usize;
        let is_too_many = most > 0 && self.countries(seen, window) > most;
        is_too_many.then_some(SharingReason::Countries)
    }

    /// Begins a block, where members are blocked. Returns `false` if there are too many already.
    fn begin(&self, block: SharingBlock) -> bool {
        if !self.blocks() {
            return true;
        }
        let mut blocks = self.blocks.write();
        if blocks.len() >= BLOCKS_MAX as usize && !blocks.contains_key(&block.key) {
            return false;
        }
        blocks.insert(block.key, HeldBlock { block, row: BlockRow::Pending });
        self.blocked.store(blocks.len(), Ordering::Relaxed);
        true
    }

    /// Notes that the lane of notes was full when the block of this member began.
    pub fn was_refused(&self, member: Key) {
        if let Some(held) = self.blocks.write().get_mut(&member) {
            held.row = BlockRow::Refused;
        }
    }

    /// Takes the blocks that the lane of notes refused. The caller notes them again.
    pub fn take_refused(&self) -> Vec<SharingBlock> {
        if self.blocked() == 0 {
            return Vec::new();
        }
        let mut blocks = self.blocks.write();
        let refused = blocks.values_mut().filter(|held| held.row == BlockRow::Refused);
        refused
            .map(|held| {
                held.row = BlockRow::Pending;
                held.block
            })
            .collect()
    }

    /// The second after which the end of a block must lie, for its row to matter to
    /// [`Sharing::take_up`]. Usually it is `now`. While a block was not seen in the database, it is
    /// a time before that block began, because a lift moves the end of a row to its own time.
    pub fn reads_after(&self, now: i64) -> i64 {
        let blocks = self.blocks.read();
        let unseen = blocks.values().filter(|held| held.row != BlockRow::Seen);
        let began = unseen.map(|held| held.block.since - CLOCKS_DIFFER_SECONDS);
        began.min().map_or(now, |began| began.min(now))
    }

    /// Brings memory up to date with the blocks that the database has: those of other receivers
    /// begin, and those that a command lifted end. Returns the members whose blocks were lifted.
    ///
    /// `stored` are the rows that end after [`Sharing::reads_after`]. A missing row means a lift
    /// only where the row was there before. A block that cannot be written holds until its end.
    pub fn take_up(&self, stored: Vec<SharingBlock>, now: i64) -> Vec<Key> {
        if !self.blocks() {
            return Vec::new();
        }
        let stored: HashMap<Key, SharingBlock> =
            stored.into_iter().map(|block| (block.key, block)).collect();
        let mut blocks = self.blocks.write();
        let mut lifted = Vec::new();
        blocks.retain(|key, held| {
            let is_over = held.block.until <= now;
            let is_lifted = !is_over && held.is_lifted(stored.get(key), now);
            if is_lifted {
                lifted.push(*key);
            }
            !is_over && !is_lifted
        });
        for (key, block) in stored {
            let is_exempt = self.config.exempt_members.contains(&key);
            if block.until > now && !is_exempt && blocks.len() < BLOCKS_MAX as usize {
                blocks.insert(key, HeldBlock { block, row: BlockRow::Seen });
            }
        }
        self.blocked.store(blocks.len(), Ordering::Relaxed);
        drop(blocks);
        // What comes after the lift counts, as at other receivers.
        for member in &lifted {
            if let Some(seen) = self.shard(*member).get(member) {
                seen.judged_until = now;
            }
        }
        lifted
    }

    /// The part that has the member.
    fn shard(&self, member: Key) -> MutexGuard<'_, Recent<Key, Seen>> {
        self.shards[member.part_of(SHARDS)].lock()
    }
}

#[cfg(test)]
mod tests;
