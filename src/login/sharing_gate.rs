//! Counts the networks of a member who may enter, and blocks one who counts as shared.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;

use super::area::{Area, ThreadArea};
use super::members::Members;
use super::sharing::{FromMemory, Settled, Use};
use crate::identity::Key;
use crate::shared_use::{MemberNetwork, SharingBlock};
use crate::store::{Fault, Note, Read};
use crate::writer::Writer;

/// How long after an answer its use is counted, where nobody is blocked. As often as the writer
/// takes notes.
const COUNT_AFTER: Duration = Duration::from_millis(100);

/// What the database has of a member: their networks, and how they last counted as shared.
type StoredUse = (Vec<MemberNetwork>, Option<SharingBlock>);

impl ThreadArea {
    /// Whether the member is blocked because of sharing. While the database cannot be read, nobody
    /// is.
    pub(super) async fn is_blocked(&self, member: Key, address: IpAddr, now: i64) -> bool {
        let sharing = &self.shared.sharing;
        match sharing.from_memory(member, address, now) {
            FromMemory::Open => return false,
            FromMemory::Blocked => return true,
            FromMemory::Unknown => {}
        }
        let used = Use { member, address, at: now };
        if !sharing.blocks() {
            if sharing.count_later(used) {
                self.spawn_count();
            }
            return false;
        }
        // Boxed, because few checks come here, and all would carry its room.
        self.is_blocked_after(used).boxed_local().await
    }

    /// Counts a use with what the database has, and says whether the member is blocked then.
    async fn is_blocked_after(&self, used: Use) -> bool {
        let fewest = self.shared.sharing.fewest();
        let look_up = move |reader: &dyn Read| stored_use(reader, used.member, fewest);
        let Ok(stored) = self.members.read(look_up).await else { return false };
        let settled = count_use(&self.shared, &self.writer, used, &stored);
        if settled.is_full {
            self.shared.log.not_blocked(used.member, self.clock.steady());
        }
        settled.shared.is_some_and(|shared| shared.until > used.at)
    }

    /// Counts the uses that wait, a moment later.
    fn spawn_count(&self) {
        let shared = Arc::clone(&self.shared);
        let (members, writer) = (self.members.clone(), self.writer.clone());
        tokio::task::spawn_local(async move {
            tokio::time::sleep(COUNT_AFTER).await;
            count_uses(&shared, &members, &writer).await;
        });
    }
}

/// Counts the uses that wait. One that cannot be counted is dropped: the member's next use is
/// counted.
async fn count_uses(area: &Area, members: &Members, writer: &Writer) {
    let fewest = area.sharing.fewest();
    for used in area.sharing.uncounted() {
        let look_up = move |reader: &dyn Read| stored_use(reader, used.member, fewest);
        if let Ok(stored) = members.read(look_up).await {
            count_use(area, writer, used, &stored);
        }
    }
}

/// Reads what the database has of a member. `fewest` is [`Sharing::fewest`].
fn stored_use(reader: &dyn Read, member: Key, fewest: usize) -> Result<StoredUse, Fault> {
    let networks = reader.networks_of(member)?;
    // A block says which networks were judged. It matters only where some could count.
    let may_count = networks.len() >= fewest;
    let block = if may_count { reader.sharing_of(member)? } else { None };
    Ok((networks, block))
}

/// Counts a use. If the member counts as shared from now on, this is logged.
fn count_use(area: &Area, writer: &Writer, used: Use, (networks, block): &StoredUse) -> Settled {
    let country = area.countries.of(used.address);
    let mut settled = area.sharing.settle(used, country, networks, *block);
    if let Some(network) = settled.network.take() {
        // If it is not written, the next restart does not know it.
        writer.note(Note::Network(network));
    }
    let Some(shared) = settled.shared else { return settled };
    if !writer.note(Note::Shared(shared)) {
        area.sharing.was_refused(shared.key);
    }
    let Use { member, address, at } = used;
    log::warn!(
        site:% = member.site, member:% = member.member, networks = settled.count,
        countries = settled.countries, address:% = address;
        "a login may be shared: {}{}",
        shared.why.sentence(),
        if shared.until > at { ", the member is blocked for a while" } else { "" }
    );
    settled
}
