//! The networks from which members have logged in. A block of a name does not apply to them.
//!
//! They belong to the member, not to the name: another member who gets the name has other networks,
//! and a member who is renamed keeps theirs. They are stored in the database, so that they survive
//! a restart. The cache in memory has the newest ones, and those that need not be stored again.
//!
//! They are hashed under a key that is derived from `cookie.key`. While that key is rotated, they
//! are looked up under all its keys. Each is stored again, under the current key, when its member
//! next logs in from there.

use std::sync::Arc;

use arc_swap::ArcSwap;
use hmac::{Hmac, KeyInit as _, Mac as _};
use parking_lot::{Mutex, MutexGuard};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::block::Network;
use crate::identity::Key;
use crate::key_file::ring::Ring;
use crate::recent::Recent;
use crate::secret::redacted;
use crate::store::{KNOWN_BYTES, KnownId, KnownNetwork};

/// The most pairs of member and network in memory, and the most members.
const PAIRS_MAX: usize = 16_384;
const MEMBERS_MAX: usize = 16_384;
/// The number of parts with their own lock, because every login with a right password takes one.
const SHARDS: usize = 16;
/// The most networks that are stored for a member per day. A visitor who has a password and many
/// addresses must not fill the queue of notes.
const NOTES_OF_A_DAY_MAX: u32 = 16;
const DAY_SECONDS: i64 = 86_400;

/// The known networks.
pub struct KnownNetworks {
    /// Make the hashes that the database stores.
    macs: ArcSwap<Ring<Hmac<Sha256>>>,
    shards: [Mutex<Shard>; SHARDS],
}

struct Shard {
    /// The day on which a pair was last stored.
    written: Recent<(Key, Network), i64>,
    /// The day on which networks were last stored for a member, and how many.
    notes: Recent<Key, (i64, u32)>,
}

redacted!(KnownNetworks);

fn macs(keys: &Ring<Zeroizing<[u8; 32]>>) -> Ring<Hmac<Sha256>> {
    keys.map(|key| Hmac::new_from_slice(key.as_slice()).expect("HMAC takes a key of any length"))
}

impl KnownNetworks {
    /// Starts with an empty cache. The keys must be the same after a restart, and serve no other
    /// purpose.
    pub fn new(keys: &Ring<Zeroizing<[u8; 32]>>) -> Self {
        let shard = || {
            Mutex::new(Shard {
                written: Recent::new(PAIRS_MAX / SHARDS),
                notes: Recent::new(MEMBERS_MAX / SHARDS),
            })
        };
        Self { macs: ArcSwap::from_pointee(macs(keys)), shards: std::array::from_fn(|_| shard()) }
    }

    /// Replaces the keys. The cached networks were stored under the former key, so the cache is
    /// cleared: the next login stores them again.
    pub fn take_keys(&self, keys: &Ring<Zeroizing<[u8; 32]>>) {
        self.macs.store(Arc::new(macs(keys)));
        for shard in &self.shards {
            shard.lock().written = Recent::new(PAIRS_MAX / SHARDS);
        }
    }

    /// What the database stores for a member and a network.
    pub fn id(&self, member: Key, network: Network) -> KnownId {
        Self::id_under(&self.macs.load().current, member, network)
    }

    /// What the database may have stored for a member and a network, the current first.
    pub fn ids(&self, member: Key, network: Network) -> Vec<KnownId> {
        self.macs.load().iter().map(|mac| Self::id_under(mac, member, network)).collect()
    }

    /// What the database may have stored for a member, under each key.
    pub fn member_ids(&self, member: Key) -> Vec<[u8; KNOWN_BYTES]> {
        self.macs.load().iter().map(|mac| hash_of_member(mac, member)).collect()
    }

    fn id_under(mac: &Hmac<Sha256>, member: Key, network: Network) -> KnownId {
        // The hashes of pairs and of members have inputs of different lengths, so they cannot be
        // equal.
        let of_both = mac_of_member(mac, member).chain_update(network.to_string());
        KnownId { member: hash_of_member(mac, member), network: short(of_both) }
    }

    /// Whether memory has this network of the member. If not, the database may have it.
    pub fn remembers(&self, member: Key, network: Network) -> bool {
        self.shard(member).written.get(&(member, network)).is_some()
    }

    /// Records that the member has logged in with the right password at `now`, unix seconds.
    /// Returns what to store, unless it was stored today.
    pub fn opened(&self, member: Key, network: Network, now: i64) -> Option<KnownNetwork> {
        let day = now.div_euclid(DAY_SECONDS);
        {
            let mut shard = self.shard(member);
            if shard.written.get(&(member, network)).is_some_and(|&mut written| written == day) {
                return None;
            }
            let notes = match shard.notes.get(&member) {
                Some((that_day, notes)) if *that_day == day => *notes,
                _ => 0,
            };
            if notes >= NOTES_OF_A_DAY_MAX {
                return None;
            }
            shard.notes.put(member, (day, notes + 1));
            shard.written.put((member, network), day);
        }
        Some(KnownNetwork { id: self.id(member, network), day })
    }

    /// Records that the network could not be stored. The next login from there tries again.
    pub fn was_not_written(&self, member: Key, network: Network) {
        self.shard(member).written.put((member, network), i64::MIN);
    }

    /// The part that holds the member.
    fn shard(&self, member: Key) -> MutexGuard<'_, Shard> {
        self.shards[member.part_of(SHARDS)].lock()
    }
}

fn mac_of_member(mac: &Hmac<Sha256>, member: Key) -> Hmac<Sha256> {
    mac.clone()
        .chain_update(member.site.get().to_be_bytes())
        .chain_update(member.member.get().to_be_bytes())
}

fn hash_of_member(mac: &Hmac<Sha256>, member: Key) -> [u8; KNOWN_BYTES] {
    short(mac_of_member(mac, member))
}

fn short(mac: Hmac<Sha256>) -> [u8; KNOWN_BYTES] {
    let mut hash = [0; KNOWN_BYTES];
    hash.copy_from_slice(&mac.finalize().into_bytes()[..KNOWN_BYTES]);
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{MemberId, SiteId};

    const NOON: i64 = 1_781_524_800;

    fn of(key: u8) -> Ring<Zeroizing<[u8; 32]>> {
        Ring::of(Zeroizing::new([key; 32]))
    }

    fn known() -> KnownNetworks {
        KnownNetworks::new(&of(7))
    }

    fn member(site: &str, member: &str) -> Key {
        Key { site: SiteId::parse(site).unwrap(), member: MemberId::parse(member).unwrap() }
    }

    fn network(text: &str) -> Network {
        Network::parse(text).unwrap()
    }

    #[test]
    fn a_network_is_known_for_the_member_who_logged_in_from_it_and_for_no_one_else() {
        let (known, bob) = (known(), member("1", "71"));
        let [home, elsewhere] = ["203.0.113.9", "2001:db8::1"].map(network);
        assert!(known.opened(bob, home, NOON).is_some());
        assert!(known.remembers(bob, home));
        for (other, from) in
            [(bob, elsewhere), (member("1", "72"), home), (member("5", "71"), home)]
        {
            assert!(!known.remembers(other, from));
        }
    }

    #[test]
    fn it_is_written_down_once_a_day_and_again_where_it_could_not_be() {
        let (known, bob, home) = (known(), member("1", "71"), network("203.0.113.9"));
        let days = |now| known.opened(bob, home, now).map(|known| known.day);
        assert_eq!(
            [NOON, NOON + 3_600, NOON + 43_200, NOON + 43_201].map(days),
            [Some(20_619), None, Some(20_620), None]
        );
        known.was_not_written(bob, home);
        assert!(known.remembers(bob, home), "all the same it is known");
        assert_eq!(days(NOON + 43_202), Some(20_620));
    }

    #[test]
    fn a_member_with_many_addresses_is_written_down_sixteen_times_a_day() {
        let (known, bob) = (known(), member("1", "71"));
        let opened = |number: u32, now| {
            known.opened(bob, network(&format!("2001:db8:1:{number:x}::1")), now).is_some()
        };
        assert_eq!((0..1_000).filter(|&number| opened(number, NOON)).count(), 16);
        assert!(opened(1_000, NOON + DAY_SECONDS), "the next day");
        assert!(
            known.opened(member("1", "72"), network("2001:db8::"), NOON).is_some(),
            "another member"
        );
    }

    #[test]
    fn the_database_has_hashes_that_need_the_key() {
        let id = |key: u8, who, from| KnownNetworks::new(&of(key)).id(who, network(from));
        let bob = member("1", "71");
        let home = id(7, bob, "203.0.113.9");
        assert_eq!(home, id(7, bob, "203.0.113.9"), "after a restart");
        let work = id(7, bob, "203.0.113.10");
        assert_eq!(home.member, work.member);
        assert_ne!(home.network, work.network);
        let anns = id(7, member("1", "72"), "203.0.113.9");
        assert!(anns.member != home.member && anns.network != home.network);
        let other_key = id(8, bob, "203.0.113.9");
        assert!(other_key.member != home.member && other_key.network != home.network);
    }
    #[test]
    fn while_the_key_is_rotated_both_hashes_are_looked_up_and_the_new_one_is_stored() {
        let (known, bob, home) = (known(), member("1", "71"), network("203.0.113.9"));
        let before = known.opened(bob, home, NOON).unwrap();
        assert_eq!(known.ids(bob, home), [before.id]);
        known.take_keys(&Ring { former: Some(Zeroizing::new([7; 32])), ..of(8) });
        assert!(!known.remembers(bob, home), "the database knows it");
        let after = known.opened(bob, home, NOON + 1).unwrap();
        assert_eq!(after.id, KnownNetworks::new(&of(8)).id(bob, home));
        assert_eq!(known.ids(bob, home), [after.id, before.id]);
        assert!(known.remembers(bob, home) && known.opened(bob, home, NOON + 2).is_none());
    }
}
