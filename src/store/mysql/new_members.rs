//! New members: those of a batch whom it adds, and whom the database does not know by key or name.

use std::collections::HashSet;
use std::sync::LazyLock;

use mysql::Value;

use super::connection::Many;
use super::engine::Mysql;
use super::rows::{folded_key, get, key_values, read_key};
use crate::identity::{Key, SiteId, Username};
use crate::store::{Fault, View, Wanted};

/// Which of these members the database knows: by a record of the journal, a row, or their name,
/// which another member holds or a provisional member had. With DISTINCT, the first record of a
/// member is enough. The SELECT without rows gives the values the types of the columns: otherwise
/// MariaDB takes them from the first execution, and cuts off the values of the next ones.
/// 4611686018427387904 is [`crate::identity::MemberId::FIRST_PROVISIONAL`].
static SELECT_KNOWN: LazyLock<Many> = LazyLock::new(|| {
    Many::new(
        "WITH added (siteid, memberid, username_key) AS (
             SELECT siteid, memberid, username_key FROM member_auth WHERE FALSE
             UNION ALL VALUES ",
        "(?, ?, ?)",
        ")
         SELECT DISTINCT added.siteid, added.memberid, added.username_key FROM added
         LEFT JOIN journal AS record FORCE INDEX (journal_member)
             ON record.siteid = added.siteid AND record.memberid = added.memberid
         LEFT JOIN member_auth AS here FORCE INDEX (PRIMARY)
             ON here.siteid = added.siteid AND here.memberid = added.memberid
         LEFT JOIN former_member AS former FORCE INDEX (PRIMARY)
             ON former.siteid = added.siteid AND former.memberid = added.memberid
         LEFT JOIN member_auth AS holder FORCE INDEX (member_auth_username_key)
             ON holder.username_key = added.username_key AND holder.siteid = added.siteid
         LEFT JOIN former_member AS provisional FORCE INDEX (former_member_username_key)
             ON provisional.username_key = added.username_key
                 AND provisional.siteid = added.siteid
                 AND provisional.memberid >= 4611686018427387904
         WHERE record.siteid IS NOT NULL OR here.siteid IS NOT NULL OR former.siteid IS NOT NULL
             OR holder.siteid IS NOT NULL OR provisional.siteid IS NOT NULL",
    )
});

/// The new members of a batch.
#[derive(Debug, Default)]
pub(super) struct New<'a> {
    /// Members without a record and without a row.
    pub(super) keys: HashSet<Key>,
    /// Names that nobody holds and no provisional member had.
    pub(super) names: HashSet<(SiteId, &'a Username)>,
}

impl Mysql<'_> {
    /// Finds the new members with one query, in place of a locked read for each table. A row that
    /// is not there cannot be locked: if another receiver writes one after this, the unique keys of
    /// members, names and records refuse this batch's rows, and the transaction is run again.
    pub(super) fn find_new<'a>(
        &mut self,
        wanted: &Wanted<'a>,
        view: &View,
    ) -> Result<New<'a>, Fault> {
        // MySQL writes VALUES in another way. A name that nobody holds may have a namesake.
        if self.is_mysql || self.has_unfolded {
            return Ok(New::default());
        }
        let mut added: Vec<(Key, &Username)> =
            wanted.added.iter().copied().filter(|(key, _)| !view.has_member(*key)).collect();
        added.sort_unstable_by_key(|(key, _)| *key);
        let values = |&(key, name): &(Key, &Username)| {
            [key_values(key), vec![Value::Bytes(folded_key(name))]].concat()
        };
        let values = added.iter().map(values).collect();
        let mut known = HashSet::new();
        for mut row in self.connection()?.rows_by(&SELECT_KNOWN, values)? {
            let name: Vec<u8> = get(&mut row, 2)?;
            known.insert((read_key(&mut row, 0, 1)?, name));
        }
        added.retain(|&(key, name)| !known.contains(&(key, folded_key(name))));
        Ok(New {
            keys: added.iter().map(|(key, _)| *key).collect(),
            names: added.iter().map(|&(key, name)| (key.site, name)).collect(),
        })
    }
}
