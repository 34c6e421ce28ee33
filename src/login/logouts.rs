//! How often a member logs out. Each logout is a row in the database, and a member who logs in and
//! out in a loop would take the room of all others' logouts.

use parking_lot::{Mutex, MutexGuard};

use crate::identity::Key;
use crate::recent::Recent;

/// Logouts of one member within a minute that have a row each.
const PER_MINUTE_MAX: u32 = 60;
const MINUTE_SECONDS: i64 = 60;
/// Members that are counted. Whoever falls out is counted anew, and the table has bounds of its
/// own.
const MEMBERS_MAX: usize = 4_096;

/// What becomes of a logout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It has a row of its own.
    Alone,
    /// It ends all logins that this member has now, so that the others of them cost nothing.
    WithAllBefore,
    /// Such a one is on its way: it has to wait.
    Later,
}

#[derive(Clone, Copy, Debug)]
struct Counted {
    /// When the minute began, by the steady clock.
    since: i64,
    count: u32,
    is_on_its_way: bool,
}

/// The count.
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
    /// Counts a logout that is to be written down; `steady` in seconds. After
    /// [`Way::WithAllBefore`], [`Logouts::done`] is to be called.
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

    /// It was written down, or could not be.
    pub fn done(&self, key: Key) {
        if let Some(counted) = self.all().get(&key) {
            counted.is_on_its_way = false;
        }
    }

    /// A panic elsewhere leaves whole entries.
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
