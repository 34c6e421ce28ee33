//! Rows of a file that repeat the member or the name of an earlier row. Which of the two is right,
//! only the operator knows.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};

use crate::identity::{MemberId, SiteId, Username};

/// Collects members and names, 16 bytes each, whatever their length.
pub(super) struct Collected {
    hasher: RandomState,
    members: Vec<Met>,
    names: Vec<Met>,
}

/// The hash of a member or name, the number of the row, and its line.
type Met = (u64, u32, u32);

/// The numbers of rows that repeat an earlier one, each with the line of that one.
#[derive(Debug, Default)]
pub struct Repeats {
    members: HashMap<u64, u64>,
    names: HashMap<u64, u64>,
}

impl Collected {
    pub(super) fn new() -> Self {
        Self { hasher: RandomState::new(), members: Vec::new(), names: Vec::new() }
    }

    /// Adds the member of a row. Two different ones have the same hash once in some 2^63 pairs.
    pub(super) fn add(
        &mut self,
        site: SiteId,
        member: Option<MemberId>,
        name: &Username,
        row: u64,
        line: u64,
    ) {
        let [row, line] = [row, line].map(|number| u32::try_from(number).unwrap_or(u32::MAX));
        if let Some(member) = member {
            self.members.push((self.hasher.hash_one((site, member)), row, line));
        }
        self.names.push((self.hasher.hash_one((site, name.folded())), row, line));
    }

    pub(super) fn repeats(self) -> Repeats {
        let members = repeats(self.members);
        let mut names = repeats(self.names);
        // A repeated member mostly has the same name, and needs no second reason.
        names.retain(|row, _| !members.contains_key(row));
        Repeats { members, names }
    }
}

fn repeats(mut all: Vec<Met>) -> HashMap<u64, u64> {
    all.sort_unstable();
    let same = all.chunk_by(|(left, ..), (right, ..)| left == right);
    same.flat_map(|same| {
        let (_, _, first) = same[0];
        same[1..].iter().map(move |&(_, row, _)| (u64::from(row), u64::from(first)))
    })
    .collect()
}

impl Repeats {
    /// The line of the earlier row with the same member.
    pub(super) fn member(&self, row: u64) -> Option<u64> {
        self.members.get(&row).copied()
    }

    /// The line of the earlier row with the same name for another member of the site.
    pub(super) fn name(&self, row: u64) -> Option<u64> {
        self.names.get(&row).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn a_member_and_a_name_are_found_again_within_their_site() {
        let mut collected = Collected::new();
        for (row, site, member, name) in [
            (2, "1", "71", "bob"),
            (3, "1", "72", "ann"),
            (4, "2", "71", "bob"),
            (5, "1", "71", "bob"),
            (6, "1", "71", "robert"),
            (7, "1", "73", "BOB"),
            (8, "1", "", "eve"),
            (9, "1", "", "Eve"),
        ] {
            let (site, member) = (SiteId::parse(site).unwrap(), MemberId::parse(member));
            collected.add(site, member, &Username::typed(name).unwrap(), row, row + 10);
        }
        let repeats = collected.repeats();
        assert_eq!(
            (2..10).map(|row| repeats.member(row)).collect::<Vec<_>>(),
            [None, None, None, Some(12), Some(12), None, None, None]
        );
        assert_eq!(
            (2..10).map(|row| repeats.name(row)).collect::<Vec<_>>(),
            [None, None, None, None, None, Some(12), None, Some(18)]
        );
    }
}
