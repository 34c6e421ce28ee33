//! Compares NATS's list with the members here, site by site, both in the order of memberids.

use std::collections::{HashMap, HashSet};

use super::error::ReconcileError;
use super::list::{Entry, MemberList};
use super::{Counts, Difference, Kind};
use crate::identity::{Key, SiteId, Username};
use crate::member::Member;
use crate::store::Read;

/// From where and as of when the members here are read.
pub struct Here<'a> {
    /// The database.
    pub reader: &'a dyn Read,
    /// A member whose expiry is reached by this time (unix seconds) counts as former.
    pub now: i64,
    /// The members who have changed since the list was made. They are not compared.
    pub changed: &'a HashSet<Key>,
    /// Called after each page; `false` ends the comparison.
    pub go_on: &'a mut dyn FnMut() -> bool,
}

impl std::fmt::Debug for Here<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Here").field("now", &self.now).finish_non_exhaustive()
    }
}

/// Passes each difference to `each`, and counts them.
///
/// # Errors
///
/// See [`ReconcileError`].
pub fn compare(
    here: &mut Here<'_>,
    list: &MemberList,
    each: &mut dyn FnMut(&Difference) -> Result<(), ReconcileError>,
) -> Result<Counts, ReconcileError> {
    let mut counts = Counts::default();
    for site in list.sites() {
        let (missing, provisional) = members(here, list, site, &mut counts, each)?;
        let missing = identified(list, missing, provisional, &mut counts, each)?;
        missing_here(here, list, site, missing, &mut counts, each)?;
    }
    Ok(counts)
}

/// An entry of the list without a member here.
struct Missing<'a> {
    entry: &'a Entry,
    /// The row is here, but its expiry is reached.
    is_lapsed: bool,
}

/// Provisional members of a site, by their folded names.
type Provisional = HashMap<String, (Key, Username)>;

/// Compares the members of a site. Returns the entries of the list that have no member here, and
/// the provisional members, whose memberid no list has.
fn members<'a>(
    here: &mut Here<'_>,
    list: &'a MemberList,
    site: SiteId,
    counts: &mut Counts,
    each: &mut dyn FnMut(&Difference) -> Result<(), ReconcileError>,
) -> Result<(Vec<Missing<'a>>, Provisional), ReconcileError> {
    let mut provisional = Provisional::new();
    let mut listed = list.of_site(site).iter().peekable();
    let (mut missing, mut after) = (Vec::new(), None);
    loop {
        // Also those whose expiry is reached and who are not moved yet.
        let page = here.reader.members_page(Some(site.get()), after, i64::MIN)?;
        for row in &page {
            while let Some(entry) = listed.next_if(|entry| entry.key < row.key) {
                missing.push(Missing { entry, is_lapsed: false });
            }
            let entry = listed.next_if(|entry| entry.key == row.key);
            if row.expire_at.is_some_and(|instant| instant <= here.now) {
                missing.extend(entry.map(|entry| Missing { entry, is_lapsed: true }));
                continue;
            }
            counts.members += 1;
            match entry {
                _ if here.changed.contains(&row.key) => counts.changed += 1,
                Some(entry) => differences(list, entry, row, counts, each)?,
                None if row.key.member.is_provisional() => {
                    let name = row.username.folded().to_owned();
                    provisional.insert(name, (row.key, row.username.clone()));
                }
                None => not_there(row.key, row.username.clone(), counts, each)?,
            }
        }
        let Some(last) = page.last() else { break };
        after = Some(last.key);
        if !(here.go_on)() {
            return Err(ReconcileError::Stopped);
        }
    }
    missing.extend(listed.map(|entry| Missing { entry, is_lapsed: false }));
    Ok((missing, provisional))
}

/// Finds the provisional members in the list by their names, as the first postback of NATS with
/// such a name does. Returns the entries that are of nobody here.
fn identified<'a>(
    list: &MemberList,
    mut missing: Vec<Missing<'a>>,
    mut provisional: Provisional,
    counts: &mut Counts,
    each: &mut dyn FnMut(&Difference) -> Result<(), ReconcileError>,
) -> Result<Vec<Missing<'a>>, ReconcileError> {
    if provisional.is_empty() {
        return Ok(missing);
    }
    let mut found = Vec::new();
    missing.retain(|Missing { entry, .. }| {
        let row = list.name(entry).and_then(|name| provisional.remove(name.folded()));
        found.extend(row.iter().map(|(here, name)| (entry.key, here.member, name.clone())));
        row.is_none()
    });
    for (key, here, name) in found {
        counts.provisional += 1;
        each(&Difference { key, name: Some(name), kind: Kind::Provisional { here } })?;
    }
    let mut others: Vec<(Key, Username)> = provisional.into_values().collect();
    others.sort_unstable_by_key(|(key, _)| *key);
    for (key, name) in others {
        not_there(key, name, counts, each)?;
    }
    Ok(missing)
}

fn not_there(
    key: Key,
    name: Username,
    counts: &mut Counts,
    each: &mut dyn FnMut(&Difference) -> Result<(), ReconcileError>,
) -> Result<(), ReconcileError> {
    counts.not_there += 1;
    each(&Difference { key, name: Some(name), kind: Kind::NotThere })
}

/// Says of each entry without a member whether it is that of a former member.
fn missing_here(
    here: &mut Here<'_>,
    list: &MemberList,
    site: SiteId,
    missing: Vec<Missing<'_>>,
    counts: &mut Counts,
    each: &mut dyn FnMut(&Difference) -> Result<(), ReconcileError>,
) -> Result<(), ReconcileError> {
    let changed = here.changed;
    let mut say = |entry: &Entry, is_former: bool| {
        if changed.contains(&entry.key) {
            counts.changed += 1;
            return Ok(());
        }
        counts.not_here += 1;
        counts.not_here_former += u64::from(is_former);
        let has_credential = list.secret(entry).is_some();
        let kind = Kind::NotHere { is_former, has_credential };
        each(&Difference { key: entry.key, name: list.name(entry), kind })
    };
    let mut missing = missing.into_iter().peekable();
    let mut after = None;
    while missing.peek().is_some() {
        let page = here.reader.formers_page(Some(site.get()), after)?;
        for former in &page {
            let key = former.member.key;
            while let Some(missing) = missing.next_if(|missing| missing.entry.key < key) {
                say(missing.entry, missing.is_lapsed)?;
            }
            if let Some(missing) = missing.next_if(|missing| missing.entry.key == key) {
                say(missing.entry, true)?;
            }
        }
        let Some(last) = page.last() else { break };
        after = Some(last.member.key);
        if !(here.go_on)() {
            return Err(ReconcileError::Stopped);
        }
    }
    missing.try_for_each(|missing| say(missing.entry, missing.is_lapsed))
}

/// The differences of a member who is in both.
fn differences(
    list: &MemberList,
    entry: &Entry,
    row: &Member,
    counts: &mut Counts,
    each: &mut dyn FnMut(&Difference) -> Result<(), ReconcileError>,
) -> Result<(), ReconcileError> {
    let mut say = |kind| each(&Difference { key: row.key, name: Some(row.username.clone()), kind });
    // Two spellings of one folded form open the same login.
    if let Some(there) = list.name(entry).filter(|name| name.folded() != row.username.folded()) {
        counts.names += 1;
        say(Kind::Name { there })?;
    }
    if let Some(there) = entry.trial.filter(|&trial| trial != row.trial) {
        counts.trials += 1;
        say(Kind::Trial { there })?;
    }
    // NATS's `expires` is what came as `expires`, or the date of an EXPIRE. A postback without one
    // left none here, which is no difference.
    let known = [row.expires.filter(|&instant| instant != 0), row.expire_at];
    let is_known = known.iter().any(Option::is_some);
    if let Some(there) = entry.expires().filter(|there| is_known && !known.contains(&Some(*there)))
    {
        counts.expiries += 1;
        say(Kind::Expiry { there, here: row.expire_at.or(row.expires) })?;
    }
    Ok(())
}
