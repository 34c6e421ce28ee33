//! What the next start will do to an older database.

use std::fmt;
use std::time::Duration;

/// An upgrade that is due. Sizes are in MiB, rounded up, except for the free space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpgradePlan {
    /// The version that the database has.
    pub from: i64,
    /// The version that it will have.
    pub to: i64,
    /// The size of the copy that is kept before; `None` if no copy is kept.
    pub copy: Option<u64>,
    /// What copy and upgrade need at most, together; `None` if the database is on a server.
    pub needed: Option<u64>,
    /// What is free where the database is; `None` if that is not known.
    pub free: Option<u64>,
    /// A rough estimate, by the size of the database; `None` if that is not known.
    pub about: Option<Duration>,
}

impl UpgradePlan {
    /// Whether the start will refuse the upgrade, because the copy has no room.
    pub fn is_refused(&self) -> bool {
        self.copy.is_some()
            && self.free.zip(self.needed).is_some_and(|(free, needed)| free < needed)
    }
}

/// A sentence for the operator.
impl fmt::Display for UpgradePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, copy, needed, free, about } = self;
        write!(f, "the next start upgrades the database from version {from} to {to}, ")?;
        match copy {
            Some(mib) => write!(f, "with a copy of {mib} MiB")?,
            None => write!(f, "without a copy")?,
        }
        match about.map(|about| about.as_secs()) {
            None => {}
            Some(0 | 1) => write!(f, ", in about a second")?,
            Some(some) => write!(f, ", in about {some} seconds")?,
        }
        if let Some(needed) = needed {
            write!(f, ": it needs up to {needed} MiB")?;
        }
        free.map_or(Ok(()), |free| write!(f, ", and {free} MiB are free"))
    }
}
