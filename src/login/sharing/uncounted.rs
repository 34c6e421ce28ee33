//! Uses of the members area whose network is counted after the answer. Where nobody is blocked
//! because of sharing, no answer depends on the count.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use ipnet::IpNet;
use parking_lot::Mutex;

use crate::identity::Key;

/// The most uses that wait. They are counted ten times a second, so that counting never takes much
/// of a processor. A use that finds no room is not counted; the next one of the same member may be.
pub(super) const UNCOUNTED_MAX: usize = 64;

/// A member's use of the members area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// The member.
    pub member: Key,
    /// From where.
    pub address: IpAddr,
    /// When, unix seconds.
    pub at: i64,
}

/// The uses that wait, at most one of each member in each network.
#[derive(Default)]
pub(super) struct Uncounted {
    uses: Mutex<HashMap<(Key, IpNet), Use>>,
    /// The number of uses, so that no check takes the lock while there is no room.
    count: AtomicUsize,
}

impl Uncounted {
    /// Adds a use, unless one of the member in this network waits or there is no room. Returns
    /// whether no use waited.
    pub(super) fn add(&self, used: Use, network: IpNet) -> bool {
        if self.count.load(Ordering::Relaxed) >= UNCOUNTED_MAX {
            return false;
        }
        let mut uses = self.uses.lock();
        let is_first = uses.is_empty();
        if uses.len() < UNCOUNTED_MAX {
            uses.entry((used.member, network)).or_insert(used);
        }
        self.count.store(uses.len(), Ordering::Relaxed);
        is_first
    }

    /// Removes all.
    pub(super) fn take(&self) -> Vec<Use> {
        let mut uses = self.uses.lock();
        self.count.store(0, Ordering::Relaxed);
        uses.drain().map(|(_, used)| used).collect()
    }
}
