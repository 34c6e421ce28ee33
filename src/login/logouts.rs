//! Limits the logouts of one member. Each logout is a row in the database, and a member who logs in
//! and out in a loop would otherwise take the room of all other logouts.

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
    /// call [`Logouts::done`].
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

    /// Records that the logout was stored, or could not be stored.
    pub fn done(&self, key: Key) {
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
}
