//! What a batch of postbacks touches, held in memory: loaded once, kept true while the batch is decided. Pure.

use std::collections::{HashMap, HashSet};

use crate::action::{Action, Change, Known, Standing};
use crate::member::{Key, Member, MemberId, SiteId, Username};

/// What has to be loaded for a batch.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Members.
    pub keys: HashSet<Key>,
    /// Names within sites, folded.
    pub names: HashSet<(SiteId, String)>,
}

impl Wanted {
    /// Adds what deciding this action asks for.
    pub fn add(&mut self, action: &Action) {
        self.keys.extend(action.key());
        self.names.extend(action.wanted().map(|(site, name)| (site, name.folded())));
    }
}

/// Members and holders of names as they are now: in the database, but for the changes of this batch.
#[derive(Debug, Default)]
pub struct View {
    standings: HashMap<Key, Standing>,
    holders: HashMap<(SiteId, String), Option<MemberId>>,
}

impl View {
    /// Whether this member was loaded.
    pub fn has_member(&self, key: Key) -> bool {
        self.standings.contains_key(&key)
    }

    /// Whether this name was loaded.
    pub fn has_name(&self, name: &(SiteId, String)) -> bool {
        self.holders.contains_key(name)
    }

    /// Puts in what the database says of a member.
    pub fn put_member(&mut self, key: Key, standing: Standing) {
        self.standings.insert(key, standing);
    }

    /// Puts in who the database says holds a name.
    pub fn put_holder(&mut self, name: (SiteId, String), holder: Option<MemberId>) {
        self.holders.insert(name, holder);
    }

    /// The member's row, if the member is there.
    pub fn row(&self, key: Key) -> Option<&Member> {
        match self.standings.get(&key)? {
            Standing::Here(row) => Some(row),
            Standing::Former(_) | Standing::Unknown => None,
        }
    }

    /// What is known for this action. It must have been wanted and loaded.
    pub fn known(&self, action: &Action) -> Known<'_> {
        let standing = action.key().and_then(|key| self.standings.get(&key)).unwrap_or(&Standing::Unknown);
        let holder = action.wanted().and_then(|(site, name)| self.holders.get(&(site, name.folded())).copied().flatten());
        Known { standing, holder }
    }

    /// Keeps the view true after a decision.
    pub fn apply(&mut self, change: &Change) {
        let (key, standing) = match change {
            Change::None => return,
            Change::Insert(row) | Change::Restore(row) | Change::Update(row) => (row.key, Standing::Here(row.clone())),
            Change::Leave(former) => (former.member.key, Standing::Former(former.clone())),
        };
        let old_name = self.row(key).map(|row| row.username.clone());
        if let Some(old) = old_name {
            self.set_holder(key.site, &old, None);
        }
        if let Standing::Here(row) = &standing {
            self.set_holder(key.site, &row.username, Some(key.member));
        }
        self.standings.insert(key, standing);
    }

    /// Also for names that were not loaded: after this they are known.
    fn set_holder(&mut self, site: SiteId, name: &Username, holder: Option<MemberId>) {
        self.holders.insert((site, name.folded()), holder);
    }
}
