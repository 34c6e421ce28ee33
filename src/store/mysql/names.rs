//! Members who do not hold the folded form of their name: see
//! [`crate::member::Member::holds_folded`].

use mysql::Value;

use super::engine::Mysql;
use super::rows::{folded_key, get, read_username, unfolded_key};
use crate::identity::{Key, SiteId};
use crate::store::Fault;

impl Mysql<'_> {
    pub(super) fn take_folded(&mut self, key: Key) -> Result<(), Fault> {
        let ids: Vec<Value> = vec![key.site.get().into(), key.member.get().into()];
        let connection = self.connection()?;
        let found = connection.first(
            "SELECT username_sent FROM member_auth WHERE siteid = ? AND memberid = ? FOR UPDATE",
            ids.clone(),
        )?;
        let Some(mut row) = found else { return Ok(()) };
        let name = read_username(&mut row, 0)?;
        let mut values = vec![Value::Bytes(unfolded_key(name.as_str()))];
        values.extend(ids);
        connection.run(
            "UPDATE member_auth SET username_key = ? WHERE siteid = ? AND memberid = ?",
            values,
        )?;
        self.has_unfolded = true;
        Ok(())
    }

    /// Gives each folded form without a holder to the member who has the name, the lowest memberid
    /// first.
    pub(super) fn hand_on_names(&mut self, site: SiteId) -> Result<(), Fault> {
        if !self.has_unfolded {
            return Ok(());
        }
        let connection = self.connection()?;
        let rows = connection.rows(
            "SELECT memberid, username_sent FROM member_auth
             WHERE username_key < 0x01 AND siteid = ? ORDER BY memberid FOR UPDATE",
            vec![site.get().into()],
        )?;
        for mut row in rows {
            let member: i64 = get(&mut row, 0)?;
            let Ok(name) = read_username(&mut row, 1) else { continue };
            if name.folded().is_empty() {
                continue;
            }
            let key = || Value::Bytes(folded_key(&name));
            let held = connection.first(
                "SELECT 1 FROM member_auth WHERE username_key = ? AND siteid = ? FOR UPDATE",
                vec![key(), site.get().into()],
            )?;
            if held.is_none() {
                connection.run(
                    "UPDATE member_auth SET username_key = ? WHERE siteid = ? AND memberid = ?",
                    vec![key(), site.get().into(), member.into()],
                )?;
            }
        }
        Ok(())
    }
}
