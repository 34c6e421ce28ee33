//! Counts the networks of a member who may enter, and keeps out one who counts as shared.

use std::net::IpAddr;

use super::area::ThreadArea;
use super::sharing::{Glance, Settled};
use crate::identity::Key;
use crate::store::{Note, Read};

impl ThreadArea {
    /// Whether the member is kept out because of sharing. While the database cannot be read, nobody
    /// is.
    pub(super) async fn is_kept_out(&self, member: Key, address: IpAddr, now: i64) -> bool {
        let sharing = &self.shared.sharing;
        match sharing.glance(member, address, now) {
            Glance::Open => return false,
            Glance::Blocked => return true,
            Glance::Look => {}
        }
        let fewest = sharing.fewest();
        let look_up = move |reader: &dyn Read| {
            let stored = reader.networks_of(member)?;
            // A block says which networks were judged. It matters only where some could count.
            let may_count = stored.len() >= fewest;
            let block = if may_count { reader.sharing_of(member)? } else { None };
            Ok((stored, block))
        };
        let Ok((stored, block)) = self.members.read(look_up).await else { return false };
        let Settled { network, shared, count } =
            sharing.settle(member, address, now, &stored, block);
        if let Some(network) = network {
            // If it is not written, the next restart does not know it.
            self.writer.note(Note::Network(network));
        }
        let Some(shared) = shared else { return false };
        self.writer.note(Note::Shared(shared));
        log::warn!(
            site:% = member.site, member:% = member.member, networks = count, address:% = address;
            "a login may be shared: {}{}",
            shared.why.sentence(),
            if shared.until > now { ", the member is kept out for a while" } else { "" }
        );
        shared.until > now
    }
}
