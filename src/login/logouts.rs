//! Limits the logouts of one member. Each logout is a row in the database, and a member who logs in
//! and out in a loop would otherwise take the room of all other logouts.

use std::future::Future;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use crate::identity::Key;
use crate::recent::Recent;

/// The most logouts of one member per minute that get a row each.
const PER_MINUTE_MAX: u32 = 60;
const MINUTE_SECONDS: i64 = 60;
/// The most members that are counted. The count of a member who is evicted starts again at 0; the
/// table is bounded too.
const MEMBERS_MAX: usize = 4_096;

/// How a logout is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It gets a separate row.
    Alone,
    /// It ends all current logins of the member, so that the further logouts of these need no row.
    WithAllBefore,
    /// Such a logout is being stored, so this one has to wait.
    Later,
}

#[derive(Clone, Copy, Debug)]
struct Counted {
    /// When the minute began, by the steady clock.
    since: i64,
    count: u32,
    is_on_its_way: bool,
}

/// Counts the logouts of members.
pub struct Logouts(Mutex<Recent<Key, Counted>>);

impl std::fmt::Debug for Logouts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Logouts")
    }
}

impl Default for Logouts {
    fn default() -> Self {
        Self(Mutex::new(Recent::new(MEMBERS_MAX)))
    }
}

impl Logouts {
    /// Counts a logout that is to be stored; `steady` is in seconds. After [`Way::WithAllBefore`],
    /// call [`Logouts::store`].
    pub fn begin(&self, key: Key, steady: i64) -> Way {
        let mut all = self.all();
        let counted =
            all.get(&key).copied().filter(|counted| steady - counted.since < MINUTE_SECONDS);
        let mut counted =
            counted.unwrap_or(Counted { since: steady, count: 0, is_on_its_way: false });
        let way = match counted {
            Counted { count, .. } if count < PER_MINUTE_MAX => Way::Alone,
            Counted { is_on_its_way: false, .. } => Way::WithAllBefore,
            Counted { .. } => Way::Later,
        };
        counted.count = counted.count.saturating_add(1);
        counted.is_on_its_way |= way == Way::WithAllBefore;
        all.put(key, counted);
        way
    }

    /// Waits until a logout of [`Way::WithAllBefore`] is stored. Returns whether it was. The wait
    /// goes on if the caller ends, as for a visitor who disconnects: until the writer has answered,
    /// no other such logout of the member may take a place of its queue.
    pub async fn store(
        self: &Arc<Self>,
        key: Key,
        stored: impl Future<Output = bool> + 'static,
    ) -> bool {
        let logouts = Arc::clone(self);
        let wait = tokio::task::spawn_local(async move {
            let is_stored = stored.await;
            logouts.done(key);
            is_stored
        });
        // An error means that the service ends.
        wait.await.unwrap_or(false)
    }

    /// Records that the logout was stored, or could not be stored.
    fn done(&self, key: Key) {
        if let Some(counted) = self.all().get(&key) {
            counted.is_on_its_way = false;
        }
    }

    /// The counts.
    fn all(&self) -> MutexGuard<'_, Recent<Key, Counted>> {
        self.0.lock()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::sync::oneshot;

    use super::*;
    use crate::identity::{MemberId, SiteId};

    fn member(number: i64) -> Key {
        Key {
            site: SiteId::parse("1").unwrap(),
            member: MemberId::parse(&number.to_string()).unwrap(),
        }
    }

    #[test]
    fn whoever_logs_out_in_a_loop_has_one_row_after_sixty_and_one_at_a_time() {
        let logouts = Logouts::default();
        for number in 0..60 {
            assert_eq!(logouts.begin(member(71), 1_000), Way::Alone, "{number}");
        }
        assert_eq!(logouts.begin(member(71), 1_059), Way::WithAllBefore);
        assert_eq!(logouts.begin(member(71), 1_059), Way::Later);
        assert_eq!(logouts.begin(member(72), 1_059), Way::Alone, "somebody else");
        logouts.done(member(71));
        assert_eq!(logouts.begin(member(71), 1_059), Way::WithAllBefore);
        assert_eq!(logouts.begin(member(71), 1_060), Way::Alone, "another minute");
    }

    /// Regression: when a visitor disconnected during such a logout, all further logouts of the
    /// member were refused until the minute was over.
    #[tokio::test]
    async fn a_logout_is_awaited_to_its_end_although_the_visitor_has_disconnected() {
        let logouts = Arc::new(Logouts::default());
        (0..60).for_each(|_| assert_eq!(logouts.begin(member(71), 1_000), Way::Alone));
        let in_service = tokio::task::LocalSet::new();
        let begin = || logouts.begin(member(71), 1_000);
        let store = async {
            for is_stored in [true, false] {
                assert_eq!(begin(), Way::WithAllBefore);
                let (written, answered) = oneshot::channel();
                let stored = async { answered.await.unwrap() };
                let mut handler = Box::pin(logouts.store(member(71), stored));
                assert_eq!((&mut handler).now_or_never(), None);
                drop(handler);
                tokio::task::yield_now().await;
                assert_eq!(begin(), Way::Later, "it is not stored yet");
                written.send(is_stored).unwrap();
                tokio::task::yield_now().await;
            }
            assert_eq!(begin(), Way::WithAllBefore);
            assert!(logouts.store(member(71), std::future::ready(true)).await);
            assert_eq!(begin(), Way::WithAllBefore);
            assert!(!logouts.store(member(71), std::future::ready(false)).await);
        };
        in_service.run_until(store).await;
    }
}
