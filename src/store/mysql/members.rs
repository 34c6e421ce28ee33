//! Members and former members, as the writer loads them: by key and by name, locked.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use mysql::Value;

use super::connection::{Insert, Many};
use super::engine::Mysql;
use super::new_members::New;
use super::rows::{
    FORMER_COLUMNS, HERE_COLUMNS, MEMBER_COLUMNS, folded_key, former_values, get, is_folded_key,
    key_values, read_former, read_here, read_key, read_username, unfolded_key,
};
use crate::action::Standing;
use crate::clock::Moment;
use crate::identity::{Key, MemberId, SiteId, Username};
use crate::member::Former;
use crate::store::{Fault, Lapse, View, Wanted, standing_at};

// The keys are named, because for a table that it estimates to be small, the server scans other
// rows and locks all of them.

static SELECT_HERE: LazyLock<Many> = LazyLock::new(|| {
    let columns = format!("{MEMBER_COLUMNS}, {HERE_COLUMNS}");
    Many::new(
        format!(
            "SELECT {columns} FROM member_auth FORCE INDEX (PRIMARY)
             WHERE (siteid, memberid) IN ("
        ),
        "(?, ?)",
        ") FOR UPDATE",
    )
});

static SELECT_FORMER: LazyLock<Many> = LazyLock::new(|| {
    let columns = format!("{MEMBER_COLUMNS}, {FORMER_COLUMNS}");
    Many::new(
        format!(
            "SELECT {columns} FROM former_member FORCE INDEX (PRIMARY)
             WHERE (siteid, memberid) IN ("
        ),
        "(?, ?)",
        ") FOR UPDATE",
    )
});

static SELECT_HOLDERS: LazyLock<Many> = LazyLock::new(|| {
    Many::new(
        "SELECT siteid, memberid, username_key, expire_at FROM member_auth
             FORCE INDEX (member_auth_username_key)
         WHERE (username_key, siteid) IN (",
        "(?, ?)",
        ") FOR UPDATE",
    )
});

/// Whether provisional members have left one of these sites. Mostly none has, and this costs less
/// than to look for their names. 4611686018427387904 is [`MemberId::FIRST_PROVISIONAL`].
static SELECT_ANY_PROVISIONAL: LazyLock<Many> = LazyLock::new(|| {
    Many::new(
        "SELECT 1 FROM former_member FORCE INDEX (PRIMARY)
         WHERE memberid >= 4611686018427387904 AND siteid IN (",
        "?",
        ") LIMIT 1",
    )
});

/// The provisional members who had these names. 4611686018427387904 is
/// [`MemberId::FIRST_PROVISIONAL`].
static SELECT_PROVISIONAL: LazyLock<Many> = LazyLock::new(|| {
    Many::new(
        "SELECT siteid, memberid, username_key, ended_at FROM former_member
             FORCE INDEX (former_member_username_key)
         WHERE memberid >= 4611686018427387904 AND (username_key, siteid) IN (",
        "(?, ?)",
        ")",
    )
});

static DELETE_HERE: LazyLock<Many> = LazyLock::new(|| {
    Many::new("DELETE FROM member_auth WHERE (siteid, memberid) IN (", "(?, ?)", ")")
});

static DELETE_FORMER: LazyLock<Many> = LazyLock::new(|| {
    Many::new("DELETE FROM former_member WHERE (siteid, memberid) IN (", "(?, ?)", ")")
});

static REPLACE_FORMER: LazyLock<Insert> = LazyLock::new(|| {
    let columns = format!("{MEMBER_COLUMNS}, {FORMER_COLUMNS}");
    Insert::new("REPLACE INTO former_member", &columns)
});

/// The key of a name and its site, as they are bound.
fn name_values((key, site): (Vec<u8>, SiteId)) -> Vec<Value> {
    vec![Value::Bytes(key), site.get().into()]
}

/// A row that has a name that was looked for.
struct NameRow {
    key: Key,
    name_key: Vec<u8>,
    expire_at: Option<i64>,
}

impl Mysql<'_> {
    pub(super) fn load_view(
        &mut self,
        wanted: &Wanted<'_>,
        view: &mut View,
        moment: Moment,
    ) -> Result<(), Fault> {
        let mut keys: Vec<Key> =
            wanted.keys.iter().copied().filter(|&key| !view.has_member(key)).collect();
        // Two receivers that lock in the same order do not block each other.
        keys.sort_unstable();
        let mut new = self.find_new(wanted, view)?;
        for &key in &new.keys {
            self.numbers.insert(key, 0);
            view.put_member(key, Standing::Unknown);
        }
        keys.retain(|key| !new.keys.contains(key));
        self.load_numbers(keys.clone())?;
        for (key, standing) in self.standings(&keys, moment)? {
            if let Standing::Here(row) | Standing::Lapsed(row) = &standing {
                // The row is of a later moment: they may have taken the name since the query.
                new.names.retain(|(site, name)| {
                    *site != key.site || name.folded() != row.username.folded()
                });
            }
            view.put_member(key, standing);
        }
        let mut names = wanted.names_to_load(view);
        names.retain(|name| !new.names.contains(name));
        self.load_names(&names, view, moment)?;
        self.load_provisional(wanted, &new, view, moment)
    }

    /// The provisional members who have one of these names, and those who had it.
    fn load_provisional(
        &mut self,
        wanted: &Wanted<'_>,
        new: &New<'_>,
        view: &mut View,
        moment: Moment,
    ) -> Result<(), Fault> {
        let mut names = wanted.names_of_unknown(view);
        names.retain(|name| !new.names.contains(name));
        let mut keys: Vec<_> = names.iter().map(|(site, name)| (folded_key(name), *site)).collect();
        keys.sort_unstable();
        keys.dedup();
        if !self.has_provisional_formers(&keys)? {
            keys.clear();
        }
        let keys = keys.into_iter().map(name_values).collect();
        let mut formers: HashMap<(SiteId, Vec<u8>), (i64, MemberId)> = HashMap::new();
        for mut row in self.connection()?.rows_by(&SELECT_PROVISIONAL, keys)? {
            let key = read_key(&mut row, 0, 1)?;
            let (name, ended_at): (Vec<u8>, i64) = (get(&mut row, 2)?, get(&mut row, 3)?);
            let last = formers.entry((key.site, name)).or_insert((ended_at, key.member));
            // Who left last, and of two the first.
            if (ended_at, std::cmp::Reverse(key.member)) > (last.0, std::cmp::Reverse(last.1)) {
                *last = (ended_at, key.member);
            }
        }
        for (site, name) in names {
            let former = formers.get(&(site, folded_key(name))).map(|&(_, member)| member);
            view.put_provisional_former(site, name, former);
        }
        for (key, standing) in self.standings(&wanted.provisional(view), moment)? {
            view.put_member(key, standing);
        }
        Ok(())
    }

    fn has_provisional_formers(&mut self, names: &[(Vec<u8>, SiteId)]) -> Result<bool, Fault> {
        let mut sites: Vec<SiteId> = names.iter().map(|(_, site)| *site).collect();
        sites.sort_unstable();
        sites.dedup();
        let sites = sites.into_iter().map(|site| vec![site.get().into()]).collect();
        Ok(!self.connection()?.rows_by(&SELECT_ANY_PROVISIONAL, sites)?.is_empty())
    }

    /// The standings of these members at this moment. Members whose expiry is reached are moved, if
    /// the clock is confirmed.
    fn standings(&mut self, keys: &[Key], moment: Moment) -> Result<Vec<(Key, Standing)>, Fault> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut stored = self.stored_standings(keys)?;
        let mut standings = Vec::with_capacity(keys.len());
        for &key in keys {
            let standing = stored.remove(&key).unwrap_or(Standing::Unknown);
            let is_here = matches!(standing, Standing::Here(_));
            let standing = standing_at(standing, moment);
            match &standing {
                Standing::Former(former) if is_here => self.move_to_former(former)?,
                Standing::Lapsed(row) => self.lapsed.push(row.key),
                Standing::Here(_) | Standing::Former(_) | Standing::Unknown => {}
            }
            standings.push((key, standing));
        }
        Ok(standings)
    }

    /// The rows as they are stored, locked. Members without a row are left out.
    pub(super) fn stored_standings(
        &mut self,
        keys: &[Key],
    ) -> Result<HashMap<Key, Standing>, Fault> {
        let mut found = HashMap::with_capacity(keys.len());
        let values = |keys: &[Key]| keys.iter().copied().map(key_values).collect::<Vec<_>>();
        for mut row in self.connection()?.rows_by(&SELECT_HERE, values(keys))? {
            let member = read_here(&mut row)?;
            found.insert(member.key, Standing::Here(member));
        }
        let others: Vec<Key> =
            keys.iter().copied().filter(|key| !found.contains_key(key)).collect();
        for mut row in self.connection()?.rows_by(&SELECT_FORMER, values(&others))? {
            let former = read_former(&mut row)?;
            found.insert(former.member.key, Standing::Former(former));
        }
        Ok(found)
    }

    /// The holders of the names, and those who have them without holding the folded form. A member
    /// whose expiry is reached holds no name, and is moved if the clock is confirmed.
    fn load_names(
        &mut self,
        names: &HashSet<(SiteId, &Username)>,
        view: &mut View,
        moment: Moment,
    ) -> Result<(), Fault> {
        if names.is_empty() {
            return Ok(());
        }
        let mut keys: Vec<(Vec<u8>, SiteId)> = names
            .iter()
            .flat_map(|(site, name)| {
                let unfolded = self.has_unfolded.then(|| unfolded_key(name.as_str()));
                [Some(folded_key(name)), unfolded].into_iter().flatten().map(|key| (key, *site))
            })
            .collect();
        keys.sort_unstable();
        keys.dedup();
        let (mut holders, mut due) = (HashMap::new(), Vec::new());
        for row in self.name_rows(keys)? {
            match Lapse::of(row.expire_at, moment) {
                Lapse::Unconfirmed => self.lapsed.push(row.key),
                Lapse::Since(_) => due.push(row.key),
                Lapse::None => drop(holders.insert((row.key.site, row.name_key), row.key.member)),
            }
        }
        if !due.is_empty() {
            // Afterwards another member may hold the name.
            due.sort_unstable();
            due.dedup();
            self.standings(&due, moment)?;
            return self.load_names(names, view, moment);
        }
        self.put_names(names, view, &holders);
        Ok(())
    }

    fn put_names(
        &mut self,
        names: &HashSet<(SiteId, &Username)>,
        view: &mut View,
        holders: &HashMap<(SiteId, Vec<u8>), MemberId>,
    ) {
        for (site, name) in names {
            if !view.has_name(*site, name) {
                let holder = holders.get(&(*site, folded_key(name))).copied();
                view.put_holder(*site, name, holder);
            }
            if let Some(&namesake) = holders.get(&(*site, unfolded_key(name.as_str()))) {
                view.put_namesake(*site, name, namesake);
            }
        }
    }

    fn name_rows(&mut self, keys: Vec<(Vec<u8>, SiteId)>) -> Result<Vec<NameRow>, Fault> {
        let keys = keys.into_iter().map(name_values).collect();
        let mut found = Vec::new();
        for mut row in self.connection()?.rows_by(&SELECT_HOLDERS, keys)? {
            // A row that another program wrote may have an invalid memberid.
            let Ok(key) = read_key(&mut row, 0, 1) else { continue };
            let name_key: Vec<u8> = get(&mut row, 2)?;
            self.has_unfolded |= !is_folded_key(&name_key);
            found.push(NameRow { key, name_key, expire_at: get(&mut row, 3)? });
        }
        Ok(found)
    }

    /// Moves a member at once.
    pub(super) fn move_to_former(&mut self, former: &Former) -> Result<(), Fault> {
        self.delete_here(vec![former.member.key])?;
        self.replace_former(vec![former_values(former)])?;
        self.hand_on_names(former.member.key.site)
    }

    pub(super) fn delete_here(&mut self, keys: Vec<Key>) -> Result<(), Fault> {
        let keys = keys.into_iter().map(key_values).collect();
        self.connection()?.change_by(&DELETE_HERE, keys)?;
        Ok(())
    }

    pub(super) fn delete_former(&mut self, keys: Vec<Key>) -> Result<(), Fault> {
        let keys = keys.into_iter().map(key_values).collect();
        self.connection()?.change_by(&DELETE_FORMER, keys)?;
        Ok(())
    }

    pub(super) fn replace_former(&mut self, rows: Vec<Vec<Value>>) -> Result<(), Fault> {
        self.connection()?.insert(&REPLACE_FORMER, rows).map(drop)
    }

    /// Moves at most `most` members whose noted expiry is at or before `now`. Returns how many.
    pub(super) fn move_expired(&mut self, now: i64, most: usize) -> Result<usize, Fault> {
        let most = u64::try_from(most).unwrap_or(u64::MAX);
        let due = self.connection()?.rows(
            "SELECT siteid, memberid FROM member_auth WHERE expire_at <= ?
             ORDER BY expire_at, siteid, memberid LIMIT ? FOR UPDATE",
            vec![now.into(), most.into()],
        )?;
        let mut keys = Vec::with_capacity(due.len());
        for mut row in due {
            // As bare numbers, so that a row that cannot be read does not keep the others.
            keys.push(vec![Value::Int(get(&mut row, 0)?), Value::Int(get(&mut row, 1)?)]);
        }
        let moved = keys.len();
        if moved == 0 {
            return Ok(0);
        }
        self.connection()?.change_by(&COPY_EXPIRED, keys.clone())?;
        self.fold_copies(keys.clone())?;
        self.connection()?.change_by(&DELETE_HERE, keys.clone())?;
        let mut sites: Vec<_> = keys
            .iter()
            .filter_map(|key| match key.first() {
                Some(Value::Int(site)) => SiteId::parse(&site.to_string()),
                _ => None,
            })
            .collect();
        sites.sort_unstable();
        sites.dedup();
        sites.into_iter().try_for_each(|site| self.hand_on_names(site))?;
        Ok(moved)
    }

    /// Gives the copies of members who do not hold the folded form of their name that form, as each
    /// row of former_member has it. SQL cannot fold a name.
    fn fold_copies(&mut self, keys: Vec<Vec<Value>>) -> Result<(), Fault> {
        for mut row in self.connection()?.rows_by(&SELECT_UNFOLDED, keys)? {
            let (site, member): (i64, i64) = (get(&mut row, 0)?, get(&mut row, 1)?);
            // A name that cannot be read keeps its key.
            let Ok(name) = read_username(&mut row, 2) else { continue };
            self.connection()?.run(
                "UPDATE former_member SET username_key = ? WHERE siteid = ? AND memberid = ?",
                vec![Value::Bytes(folded_key(&name)), site.into(), member.into()],
            )?;
        }
        Ok(())
    }
}

static SELECT_UNFOLDED: LazyLock<Many> = LazyLock::new(|| {
    Many::new(
        "SELECT siteid, memberid, username_sent FROM member_auth
         WHERE username_key < 0x01 AND (siteid, memberid) IN (",
        "(?, ?)",
        ")",
    )
});

/// In SQL alone, so that a row that cannot be read does not keep the others from being moved.
static COPY_EXPIRED: LazyLock<Many> = LazyLock::new(|| {
    let shared = MEMBER_COLUMNS.replace(", login_version", "");
    Many::new(
        format!(
            "REPLACE INTO former_member ({shared}, login_version, {FORMER_COLUMNS})
             SELECT {shared}, login_version + 1,
                 IF(ASCII(username_key) = 0, SUBSTRING(username_key, 2), username_key),
                 'expired', expire_at
             FROM member_auth FORCE INDEX (PRIMARY) WHERE (siteid, memberid) IN ("
        ),
        "(?, ?)",
        ")",
    )
});
