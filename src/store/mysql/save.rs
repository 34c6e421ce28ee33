//! Saves a batch by its net changes: what each member's rows were before and will be after. First
//! rows are deleted, then rows are inserted, so that a name may pass from one member to another in
//! any order.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::connection::{Insert, Many};
use super::engine::Mysql;
use super::journal::member_of;
use super::rows::{HERE_COLUMNS, MEMBER_COLUMNS, former_values, here_values, key_values};
use crate::action::{Change, Standing};
use crate::identity::{Key, SiteId};
use crate::member::{Former, Member, Reason};
use crate::password::Stored;
use crate::store::{Fault, Outcome};

pub(super) static INSERT_HERE: LazyLock<Insert> = LazyLock::new(|| {
    Insert::sparse(
        "INSERT INTO member_auth",
        &format!("{MEMBER_COLUMNS}, {HERE_COLUMNS}, username"),
        &["password", "cryptpass", "cryptpass_wrapped", "before_form", "before_sealed"],
    )
});

/// Changes a column of these rows, and changes it back when it is run again.
static TURN: LazyLock<Many> = LazyLock::new(|| {
    Many::new(
        "UPDATE member_auth FORCE INDEX (PRIMARY) SET login_version = -login_version
         WHERE (siteid, memberid) IN (",
        "(?, ?)",
        ")",
    )
});

/// Where a member's row is after the batch.
#[derive(Clone, Copy, Debug)]
enum After<'a> {
    Here(&'a Member),
    Former(&'a Former),
    /// In neither table: the member of `try`, or a provisional member whom a postback identified.
    Gone,
}

/// What a batch does to one member.
#[derive(Clone, Copy, Debug)]
struct NetChange<'a> {
    /// The database has a row in member_auth.
    was_here: bool,
    /// The database has a row in former_member.
    was_former: bool,
    after: After<'a>,
}

/// The net change of each member, by key: everyone writes in the same order. `lapsed` are members
/// who count as expired and whose rows are still in member_auth.
fn net_changes<'a>(outcomes: &'a [Outcome<'_>], lapsed: &[Key]) -> BTreeMap<Key, NetChange<'a>> {
    let mut changes: BTreeMap<Key, NetChange<'a>> = BTreeMap::new();
    // The first change shows which rows the database has.
    let mut add = |key, after, was_here, was_former| {
        let first = NetChange { was_here, was_former, after };
        changes.entry(key).and_modify(|change| change.after = after).or_insert(first);
    };
    for outcome in outcomes {
        if let Some(taken) = &outcome.taken_over {
            for gone in &taken.gone {
                add(gone.key, After::Gone, gone.is_here, !gone.is_here);
            }
            match &taken.moved {
                Some(Standing::Here(row)) => {
                    add(row.key, After::Here(row), false, taken.replaces_former);
                }
                Some(Standing::Former(former)) => {
                    let key = former.member.key;
                    add(key, After::Former(former), false, taken.replaces_former);
                }
                Some(Standing::Lapsed(_) | Standing::Unknown) | None => {}
            }
        }
        let (key, after, was_here, was_former) = match &outcome.change {
            Change::None => continue,
            Change::Insert(row) => (row.key, After::Here(row), false, false),
            Change::Restore(row) => {
                let is_lapsed = lapsed.contains(&row.key);
                (row.key, After::Here(row), is_lapsed, !is_lapsed)
            }
            Change::Update(row) => (row.key, After::Here(row), true, false),
            Change::Leave(former) => (former.member.key, After::Former(former), true, false),
            Change::Erase(key) => (*key, After::Gone, true, true),
        };
        add(key, after, was_here, was_former);
    }
    changes
}

impl Mysql<'_> {
    pub(super) fn save_all(&mut self, outcomes: &[Outcome<'_>]) -> Result<(), Fault> {
        self.make_room(outcomes)?;
        let changes = net_changes(outcomes, &self.lapsed);
        let (mut here_gone, mut former_gone) = (Vec::new(), Vec::new());
        let (mut here, mut former) = (Vec::new(), Vec::new());
        for (&key, change) in &changes {
            if change.was_here {
                here_gone.push(key);
            }
            match change.after {
                After::Here(row) => {
                    if change.was_former {
                        former_gone.push(key);
                    }
                    self.has_unfolded |= !row.holds_folded;
                    here.push(here_values(row));
                }
                After::Former(row) => former.push(former_values(row)),
                After::Gone if change.was_former => former_gone.push(key),
                After::Gone => {}
            }
        }
        self.delete_here(here_gone.clone())?;
        self.delete_former(former_gone)?;
        self.lock_passing_names(outcomes, &changes)?;
        self.connection()?.insert(&INSERT_HERE, here)?;
        self.replace_former(former)?;
        if self.has_unfolded {
            let mut sites: Vec<SiteId> = here_gone.into_iter().map(|key| key.site).collect();
            sites.dedup();
            sites.into_iter().try_for_each(|site| self.hand_on_names(site))?;
        }
        self.write_unchanged(outcomes, &changes)?;
        self.append_records(outcomes)
    }

    /// Locks the names that members take and give up again in this batch, by rows that it inserts
    /// and deletes. A name without a holder has no row to lock, and the net change writes none:
    /// without this, another receiver could give the name to its own member at the same time.
    fn lock_passing_names(
        &mut self,
        outcomes: &[Outcome<'_>],
        changes: &BTreeMap<Key, NetChange<'_>>,
    ) -> Result<(), Fault> {
        for row in outcomes.iter().filter_map(|outcome| outcome.change.row()) {
            let after = changes.get(&row.key).map(|change| change.after);
            let keeps_it =
                matches!(after, Some(After::Here(last)) if last.username == row.username);
            if row.holds_folded && !keeps_it {
                self.connection()?.insert(&INSERT_HERE, vec![here_values(row)])?;
                self.delete_here(vec![row.key])?;
            }
        }
        Ok(())
    }

    /// Writes the rows of members whose records take a seal from the row, which they leave as it
    /// is. On a cluster nothing else would keep another node from hashing that seal at this moment:
    /// row and record would get two hashes of one password.
    fn write_unchanged(
        &mut self,
        outcomes: &[Outcome<'_>],
        changes: &BTreeMap<Key, NetChange<'_>>,
    ) -> Result<(), Fault> {
        let takes_a_seal = |outcome: &&Outcome<'_>| {
            let credential = outcome.record.put.credential.as_ref();
            outcome.change == Change::None
                && credential.is_some_and(|put| matches!(put.stored, Stored::Sealed(_)))
        };
        let mut keys: Vec<Key> = outcomes
            .iter()
            .filter(takes_a_seal)
            .filter_map(|outcome| member_of(&outcome.record))
            .filter(|key| !changes.contains_key(key))
            .collect();
        keys.sort_unstable();
        keys.dedup();
        // Twice, because a row that is written with the same values is not written.
        for _ in 0..2 {
            let keys = keys.iter().copied().map(key_values).collect();
            self.connection()?.change_by(&TURN, keys)?;
        }
        Ok(())
    }

    /// Moves members whose expiry is reached by an unconfirmed clock, if they hold a name that a
    /// member is given.
    fn make_room(&mut self, outcomes: &[Outcome<'_>]) -> Result<(), Fault> {
        if self.lapsed.is_empty() {
            return Ok(());
        }
        let stored = self.stored_standings(&self.lapsed.clone())?;
        let mut lapsed: Vec<Member> = stored
            .into_values()
            .filter_map(|standing| match standing {
                Standing::Here(row) | Standing::Lapsed(row) => Some(row),
                Standing::Former(_) | Standing::Unknown => None,
            })
            .collect();
        lapsed.sort_by_key(|row| row.key);
        for row in outcomes.iter().filter_map(|outcome| outcome.change.row()) {
            let is_in_the_way = |other: &Member| {
                other.key != row.key
                    && other.key.site == row.key.site
                    && row.username.clashes_with(&other.username)
            };
            while let Some(place) = lapsed.iter().position(&is_in_the_way) {
                let other = lapsed.swap_remove(place);
                let Some(instant) = other.expire_at else { continue };
                log::warn!(
                    "member {} of site {} is moved to former_member, as member {} is given the \
                     username, while a jump of the clock is being confirmed",
                    other.key.member,
                    other.key.site,
                    row.key.member
                );
                self.lapsed.retain(|&key| key != other.key);
                self.move_to_former(&Former::new(other, Reason::Expired, instant))?;
            }
        }
        Ok(())
    }
}
