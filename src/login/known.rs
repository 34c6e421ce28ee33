//! From which networks members have logged in: a block of a name does not keep these out.
//!
//! Known by member and not by name: who gets the name of somebody who left has networks of their
//! own. A member who is renamed or gets another password keeps theirs.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::guard::Network;
use crate::member::Key;
use crate::recent::Recent;

/// Pairs of member and network that are known at a time.
const KNOWN_MAX: usize = 65_536;
/// Parts with a lock of their own: every right password comes by here.
const SHARDS: usize = 16;

/// The networks that are known.
pub struct KnownNetworks {
    keys: RandomState,
    shards: [Mutex<Recent<(Key, Network), ()>>; SHARDS],
}

impl fmt::Debug for KnownNetworks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KnownNetworks")
    }
}

impl Default for KnownNetworks {
    fn default() -> Self {
        let shards = std::array::from_fn(|_| Mutex::new(Recent::new(KNOWN_MAX / SHARDS)));
        Self { keys: RandomState::new(), shards }
    }
}

impl KnownNetworks {
    /// The member has logged in from there with the right password.
    pub fn opened(&self, member: Key, network: Network) {
        let mut shard = self.shard(member);
        if shard.get(&(member, network)).is_none() {
            shard.put((member, network), ());
        }
    }

    /// Whether the member has logged in from there before.
    pub fn has(&self, member: Key, network: Network) -> bool {
        self.shard(member).get(&(member, network)).is_some()
    }

    /// A panic elsewhere leaves whole entries.
    fn shard(&self, member: Key) -> MutexGuard<'_, Recent<(Key, Network), ()>> {
        let at = (self.keys.hash_one(member) % SHARDS as u64) as usize;
        self.shards[at].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::{MemberId, SiteId};

    #[test]
    fn a_network_is_known_for_the_member_who_logged_in_from_it_and_for_nobody_else() {
        let known = KnownNetworks::default();
        let member = |site, member| Key { site: SiteId::parse(site).unwrap(), member: MemberId::parse(member).unwrap() };
        let [home, elsewhere] = ["203.0.113.9", "2001:db8::1"].map(|text| Network::parse(text).unwrap());
        known.opened(member("1", "71"), home);
        assert!(known.has(member("1", "71"), home));
        assert!(!known.has(member("1", "71"), elsewhere));
        assert!(!known.has(member("1", "72"), home));
        assert!(!known.has(member("5", "71"), home));
    }
}
