//! The members and names that a batch of postbacks concerns, in memory: loaded once, and updated
//! while the batch is decided. Pure.

use std::collections::{HashMap, HashSet};

use super::lapse::standing_at;
use crate::action::{Action, Change, Known, Standing};
use crate::clock::Moment;
use crate::identity::{Key, MemberId, SiteId, Username};
use crate::member::Member;

/// What has to be loaded for a batch.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Members.
    pub keys: HashSet<Key>,
    /// Names within sites, each under its folded form. Every spelling counts separately.
    pub names: HashSet<(SiteId, Username)>,
}

impl Wanted {
    /// Adds what is needed to decide this action.
    pub fn add(&mut self, action: &Action) {
        self.keys.extend(action.key());
        self.names.extend(action.wanted().map(|(site, name)| (site, name.clone())));
    }
}

/// Members and holders of names as they are now: the state of the database plus the changes of this
/// batch.
#[derive(Debug, Default)]
pub struct View {
    standings: HashMap<Key, Standing>,
    /// By folded form.
    holders: HashMap<(SiteId, String), Option<MemberId>>,
    /// Those who have a name without holding its folded form, by the name without ASCII case: see
    /// [`Known::namesake`].
    namesakes: HashMap<(SiteId, String), MemberId>,
}

/// Under the index of names that is unique without ASCII case, two spellings are one.
fn without_case(name: &Username) -> String {
    name.as_str().to_ascii_lowercase()
}

impl View {
    /// Whether this member was loaded.
    pub fn has_member(&self, key: Key) -> bool {
        self.standings.contains_key(&key)
    }

    /// Whether this name's holder was loaded.
    pub fn has_name(&self, site: SiteId, name: &Username) -> bool {
        self.holders.contains_key(&(site, name.folded().to_owned()))
    }

    /// Adds a member's standing as the database has it.
    pub fn put_member(&mut self, key: Key, standing: Standing) {
        self.standings.insert(key, standing);
    }

    /// Adds the holder of a name as the database has it.
    pub fn put_holder(&mut self, site: SiteId, name: &Username, holder: Option<MemberId>) {
        self.holders.insert((site, name.folded().to_owned()), holder);
    }

    /// Adds the member who has this name in the database without holding its folded form.
    pub fn put_namesake(&mut self, site: SiteId, name: &Username, namesake: MemberId) {
        self.namesakes.insert((site, without_case(name)), namesake);
    }

    /// The member's standing. Unknown if it was not loaded.
    pub fn standing(&self, key: Key) -> &Standing {
        self.standings.get(&key).unwrap_or(&Standing::Unknown)
    }

    /// The holder of the folded form of a name. `None` also if it was not loaded.
    pub fn holder(&self, site: SiteId, name: &Username) -> Option<MemberId> {
        self.holders.get(&(site, name.folded().to_owned())).copied().flatten()
    }

    /// The member's row, if there is one.
    pub fn row(&self, key: Key) -> Option<&Member> {
        match self.standings.get(&key)? {
            Standing::Here(row) => Some(row),
            Standing::Lapsed(_) | Standing::Former(_) | Standing::Unknown => None,
        }
    }

    /// The state that this action is decided on. It must have been loaded.
    pub fn known(&self, action: &Action, was_done: bool) -> Known<'_> {
        let standing =
            action.key().and_then(|key| self.standings.get(&key)).unwrap_or(&Standing::Unknown);
        let holder = action.wanted().and_then(|(site, name)| self.holder(site, name));
        // Few databases have any.
        let wanted = action.wanted().filter(|_| !self.namesakes.is_empty());
        let namesake = wanted
            .and_then(|(site, name)| self.namesakes.get(&(site, without_case(name))).copied());
        Known { standing, holder, namesake, was_done }
    }

    /// Updates the view after a decision.
    pub fn apply(&mut self, change: &Change, moment: Moment) {
        let (key, standing) = match change {
            Change::None => return,
            Change::Insert(row) | Change::Restore(row) | Change::Update(row) => {
                (row.key, standing_at(Standing::Here(row.clone()), moment))
            }
            Change::Leave(former) => (former.member.key, Standing::Former(former.clone())),
            Change::Erase(key) => (*key, Standing::Unknown),
        };
        let old_name = self.row(key).map(|row| (row.username.clone(), row.holds_folded));
        match old_name {
            Some((old, true)) => self.put_holder(key.site, &old, None),
            Some((old, false)) => drop(self.namesakes.remove(&(key.site, without_case(&old)))),
            None => {}
        }
        // Also for names that were not loaded: they are known after this change.
        match &standing {
            Standing::Here(row) if row.holds_folded => {
                self.put_holder(key.site, &row.username, Some(key.member))
            }
            Standing::Here(row) => self.put_namesake(key.site, &row.username, key.member),
            Standing::Lapsed(_) | Standing::Former(_) | Standing::Unknown => {}
        }
        self.standings.insert(key, standing);
    }
}
