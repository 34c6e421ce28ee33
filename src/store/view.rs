//! The members and names that a batch of postbacks concerns, in memory: loaded once, and updated
//! while the batch is decided. Pure.

use std::collections::{HashMap, HashSet};

use super::lapse::standing_at;
use super::records::TakenOver;
use crate::action::{Action, Change, Known, Standing};
use crate::clock::Moment;
use crate::identity::{Key, MemberId, SiteId, Username};
use crate::member::{Former, Member, Reason};

/// What has to be loaded for a batch.
#[derive(Debug, Default)]
pub struct Wanted<'a> {
    /// Members.
    pub keys: HashSet<Key>,
    /// Names within sites, each under its folded form. Every spelling counts separately.
    pub names: HashSet<(SiteId, &'a Username)>,
    /// What NATS calls members. A provisional member who has such a name is this member.
    pub called: HashSet<(Key, &'a Username)>,
    /// Members who are added, with their names, which are also in `names`. Mostly the database
    /// knows neither.
    pub added: HashSet<(Key, &'a Username)>,
}

impl<'a> Wanted<'a> {
    /// Adds what is needed to decide this action.
    pub fn add(&mut self, action: &'a Action) {
        self.keys.extend(action.key());
        self.names.extend(action.wanted());
        self.added.extend(action.added());
        if let Some(key) = action.key().filter(|key| !key.member.is_provisional()) {
            self.called.extend(action.names().into_iter().flatten().map(|name| (key, name)));
        }
    }

    /// The names whose holders have to be loaded, once the members are loaded. A member who is here
    /// under a name holds it, and no provisional member does.
    pub(super) fn names_to_load(&self, view: &View) -> HashSet<(SiteId, &'a Username)> {
        let mut names = self.names.clone();
        for &(key, name) in &self.called {
            let is_theirs = |row: &Member| row.username.folded() == name.folded();
            if !view.row(key).is_some_and(is_theirs) {
                names.insert((key.site, name));
            }
        }
        names
    }

    /// The names of members without a row. They may have left as provisional members.
    pub(super) fn names_of_unknown(&self, view: &View) -> Vec<(SiteId, &'a Username)> {
        let is_unknown = |key: Key| matches!(view.standing(key), Standing::Unknown);
        let called = self.called.iter().filter(|(key, _)| is_unknown(*key));
        called.map(|&(key, name)| (key.site, name)).collect()
    }

    /// The provisional members that were found by name and whose rows are not loaded yet.
    pub(super) fn provisional(&self, view: &View) -> Vec<Key> {
        let mut found: Vec<Key> = self
            .called
            .iter()
            .flat_map(|(key, name)| {
                [view.holder(key.site, name), view.provisional_former(key.site, name)]
                    .into_iter()
                    .flatten()
                    .map(|member| Key { member, ..*key })
            })
            .filter(|&key| key.member.is_provisional() && !view.has_member(key))
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Members and holders of names as they are now: the state of the database plus the changes of this
/// batch.
#[derive(Debug, Default)]
pub struct View {
    standings: HashMap<Key, Standing>,
    /// Whether one of them has lapsed by a clock that may be wrong.
    has_lapsed: bool,
    /// By folded form.
    holders: HashMap<(SiteId, String), Option<MemberId>>,
    /// The provisional members who left, by the folded form of their name.
    provisional_formers: HashMap<(SiteId, String), MemberId>,
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
        self.has_lapsed |= matches!(standing, Standing::Lapsed(_));
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

    /// Adds the provisional member who had this name last, as the database has it.
    pub(super) fn put_provisional_former(
        &mut self,
        site: SiteId,
        name: &Username,
        member: Option<MemberId>,
    ) {
        if let Some(member) = member {
            self.provisional_formers.entry((site, name.folded().to_owned())).or_insert(member);
        }
    }

    /// The provisional member who had this name last and is not here any more.
    pub fn provisional_former(&self, site: SiteId, name: &Username) -> Option<MemberId> {
        self.provisional_formers.get(&(site, name.folded().to_owned())).copied()
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

    /// Gives the rows of provisional members to the member of this key, before the decision is
    /// applied.
    pub fn take_over(&mut self, key: Key, taken: &TakenOver) {
        for gone in &taken.gone {
            let name = match self.standings.insert(gone.key, Standing::Unknown) {
                Some(Standing::Here(row)) => row.username,
                Some(Standing::Former(former)) => former.member.username,
                Some(Standing::Lapsed(_) | Standing::Unknown) | None => continue,
            };
            let name = (key.site, name.folded().to_owned());
            if self.holders.get(&name) == Some(&Some(gone.key.member)) {
                self.holders.insert(name.clone(), None);
            }
            self.provisional_formers.remove(&name);
        }
        if let Some(moved) = &taken.moved {
            if let Standing::Here(row) = moved {
                self.put_holder(key.site, &row.username, Some(key.member));
            }
            self.standings.insert(key, moved.clone());
        }
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
        if let Some(row) = change.row() {
            self.move_lapsed(row);
        }
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
            Standing::Former(former) if key.member.is_provisional() => {
                let name = former.member.username.folded().to_owned();
                self.provisional_formers.insert((key.site, name), key.member);
            }
            Standing::Lapsed(_) | Standing::Former(_) | Standing::Unknown => {}
        }
        self.standings.insert(key, standing);
    }

    /// Lets members leave who have lapsed by a clock that may be wrong and have the name that this
    /// member is given. The engine moves their rows when it saves this one.
    fn move_lapsed(&mut self, row: &Member) {
        if !self.has_lapsed {
            return;
        }
        for (key, standing) in &mut self.standings {
            if let Standing::Lapsed(lapsed) = standing
                && (key.site == row.key.site && *key != row.key)
                && row.username.clashes_with(&lapsed.username)
                && let Some(instant) = lapsed.expire_at
            {
                if key.member.is_provisional() {
                    let name = (key.site, lapsed.username.folded().to_owned());
                    self.provisional_formers.insert(name, key.member);
                }
                *standing = Standing::Former(Former::new(lapsed.clone(), Reason::Expired, instant));
            }
        }
    }
}
