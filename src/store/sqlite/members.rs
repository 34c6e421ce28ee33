//! Members and former members, as the writer loads and saves them.

use rusqlite::{Statement, params};

use super::engine::Sqlite;
use super::folding::GIVE_FOLDED;
use super::rows::{
    FORMER_COLUMNS, FORMER_NAME, FormColumns, MEMBER_COLUMNS, before_column, member_id,
    read_former, read_here,
};
use crate::action::{Change, Standing};
use crate::clock::Moment;
use crate::identity::{Key, MemberId, SiteId, Username};
use crate::member::{Former, Member, Reason};
use crate::store::{Fault, Lapse, Outcome, TakenOver, View, Wanted, standing_at};
use crate::unicode::folded;

/// See [`crate::action::Known`].
#[derive(Default)]
struct NameHeld {
    holder: Option<MemberId>,
    namesake: Option<MemberId>,
}

impl Sqlite<'_> {
    pub(super) fn move_expired(&mut self, now: i64, most: usize) -> Result<usize, Fault> {
        let bounds = params![now, i64::try_from(most).unwrap_or(i64::MAX)];
        if !self.select_due.exists([now])? {
            return Ok(0);
        }
        // In SQL alone, so that a row that cannot be read does not keep the others from being
        // moved. Both statements select the same rows.
        let (columns, due) = (
            MEMBER_COLUMNS,
            "(siteid, memberid) IN (SELECT siteid, memberid FROM member_auth \
             WHERE expire_at <= ?1 ORDER BY expire_at, siteid, memberid LIMIT ?2)",
        );
        self.conn.execute(
            &format!(
                "INSERT OR REPLACE INTO former_member ({columns}, {FORMER_COLUMNS}, {FORMER_NAME})
                 SELECT {columns}, login_version + 1, 'expired', expire_at,
                     iif(memberid >= {first}, username_folded, NULL)
                 FROM member_auth WHERE {due}",
                first = MemberId::FIRST_PROVISIONAL
            ),
            bounds,
        )?;
        let sites = if self.has_unfolded { self.sites_due(now)? } else { Vec::new() };
        let moved = self.conn.execute(&format!("DELETE FROM member_auth WHERE {due}"), bounds)?;
        sites.into_iter().try_for_each(|site| self.hand_on_names(site))?;
        Ok(moved)
    }

    pub(super) fn load_view(
        &mut self,
        wanted: &Wanted<'_>,
        view: &mut View,
        moment: Moment,
    ) -> Result<(), Fault> {
        for &key in &wanted.keys {
            if !view.has_member(key) {
                let standing = self.standing(key, moment)?;
                view.put_member(key, standing);
            }
        }
        for (site, name) in &wanted.names_to_load(view) {
            let known = view.has_name(*site, name);
            // Each spelling of one folded form may have a namesake.
            if !known || self.has_unfolded {
                let held = self.holder(*site, name, moment)?;
                if !known {
                    view.put_holder(*site, name, held.holder);
                }
                if let Some(namesake) = held.namesake {
                    view.put_namesake(*site, name, namesake);
                }
            }
        }
        self.load_provisional(wanted, view, moment)
    }

    /// The provisional members who have one of these names, and those who had it.
    fn load_provisional(
        &mut self,
        wanted: &Wanted<'_>,
        view: &mut View,
        moment: Moment,
    ) -> Result<(), Fault> {
        for (site, name) in wanted.names_of_unknown(view) {
            let found = {
                let mut rows = self.select_provisional.query(params![name.folded(), site.get()])?;
                rows.next()?.map(|row| row.get::<_, i64>(0)).transpose()?
            };
            view.put_provisional_former(site, name, found.and_then(member_id));
        }
        for key in wanted.provisional(view) {
            let standing = self.standing(key, moment)?;
            view.put_member(key, standing);
        }
        Ok(())
    }

    /// Puts the row of a provisional member under the memberid that NATS gave it.
    fn take_over(&mut self, taken: &TakenOver) -> Result<(), Fault> {
        for gone in &taken.gone {
            let ids = params![gone.key.site.get(), gone.key.member.get()];
            self.delete_member.execute(ids)?;
            self.delete_former.execute(ids)?;
        }
        match &taken.moved {
            Some(Standing::Here(row)) => {
                self.delete_former.execute(params![row.key.site.get(), row.key.member.get()])?;
                write_row(&mut self.insert_member, row)?;
            }
            Some(Standing::Former(former)) => self.write_former(former)?,
            Some(Standing::Lapsed(_) | Standing::Unknown) | None => {}
        }
        Ok(())
    }

    pub(super) fn take_folded(&mut self, key: Key) -> Result<(), Fault> {
        let sql =
            "UPDATE member_auth SET username_folded = NULL WHERE siteid = ?1 AND memberid = ?2";
        self.conn.prepare_cached(sql)?.execute([key.site.get(), key.member.get()])?;
        self.has_unfolded = true;
        Ok(())
    }

    /// The member's standing at this moment. A member whose expiry is reached is moved, if the
    /// clock is confirmed.
    fn standing(&mut self, key: Key, moment: Moment) -> Result<Standing, Fault> {
        let standing = self.load_standing(key)?;
        let here = matches!(standing, Standing::Here(_));
        let standing = standing_at(standing, moment);
        match &standing {
            Standing::Former(former) if here => self.save_former(former)?,
            Standing::Lapsed(row) => self.lapsed.push(row.key),
            Standing::Here(_) | Standing::Former(_) | Standing::Unknown => {}
        }
        Ok(standing)
    }

    /// The holder of a name at this moment. A member whose expiry is reached holds no name, and is
    /// moved if the clock is confirmed.
    fn holder(&mut self, site: SiteId, name: &Username, moment: Moment) -> Result<NameHeld, Fault> {
        loop {
            let (mut held, mut due) = (NameHeld::default(), None);
            let mut rows =
                self.select_holder.query(params![name.folded(), site.get(), name.as_str()])?;
            while let Some(row) = rows.next()? {
                // A row that another program wrote may have an invalid memberid.
                let Some(member) = member_id(row.get(0)?) else { continue };
                let (expire_at, folded): (Option<i64>, bool) = (row.get(1)?, row.get(2)?);
                match (Lapse::of(expire_at, moment), folded) {
                    (Lapse::Unconfirmed, _) => self.lapsed.push(Key { site, member }),
                    (Lapse::Since(_), _) => due = Some(member),
                    (Lapse::None, true) => held.holder = Some(member),
                    (Lapse::None, false) => held.namesake = Some(member),
                }
            }
            drop(rows);
            self.has_unfolded |= held.namesake.is_some();
            let Some(member) = due else { return Ok(held) };
            // Then another member with that name may hold it.
            self.standing(Key { site, member }, moment)?;
        }
    }

    /// The sites of the members whose noted expiry is reached.
    fn sites_due(&self, now: i64) -> Result<Vec<i64>, Fault> {
        // Without the name of the index, SQLite would scan the table in the order of its sites.
        let mut statement = self.conn.prepare_cached(
            "SELECT DISTINCT siteid FROM member_auth INDEXED BY member_auth_expire_at
                 WHERE expire_at <= ?1",
        )?;
        Ok(statement.query_map([now], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    /// Assigns each folded form without a holder to the member who has the name, the lowest
    /// memberid first.
    pub(super) fn hand_on_names(&mut self, site: i64) -> Result<(), Fault> {
        if !self.has_unfolded {
            return Ok(());
        }
        let mut unfolded = self.conn.prepare_cached(
            "SELECT memberid, username FROM member_auth INDEXED BY member_auth_unfolded
                 WHERE username_folded IS NULL AND siteid = ?1 ORDER BY memberid",
        )?;
        let rows = unfolded
            .query_map([site], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<Vec<(i64, String)>, _>>()?;
        let mut give = self.conn.prepare_cached(GIVE_FOLDED)?;
        for (member, form) in rows
            .iter()
            .map(|(member, name)| (member, folded(name)))
            .filter(|(_, form)| !form.is_empty())
        {
            give.execute(params![site, member, form])?;
        }
        Ok(())
    }

    fn load_standing(&mut self, key: Key) -> Result<Standing, Fault> {
        let ids = params![key.site.get(), key.member.get()];
        let mut rows = self.select_member.query(ids)?;
        if let Some(row) = rows.next()? {
            return Ok(Standing::Here(read_here(row)?));
        }
        drop(rows);
        let mut rows = self.select_former.query(ids)?;
        match rows.next()? {
            None => Ok(Standing::Unknown),
            Some(row) => Ok(Standing::Former(read_former(row)?)),
        }
    }

    pub(super) fn save_one(&mut self, outcome: &Outcome<'_>) -> Result<(), Fault> {
        if let Some(taken) = &outcome.taken_over {
            self.take_over(taken)?;
        }
        if let Some(row) = outcome.change.row()
            && !self.lapsed.is_empty()
        {
            self.make_room_for(row)?;
        }
        match &outcome.change {
            Change::None => {}
            Change::Insert(row) => write_row(&mut self.insert_member, row)?,
            Change::Restore(row) => {
                let ids = params![row.key.site.get(), row.key.member.get()];
                self.delete_former.execute(ids)?;
                if self.lapsed.contains(&row.key) {
                    self.delete_member.execute(ids)?;
                }
                write_row(&mut self.insert_member, row)?;
            }
            Change::Update(row) => {
                write_row(&mut self.update_member, row)?;
                self.hand_on_names(row.key.site.get())?;
            }
            Change::Leave(former) => self.save_former(former)?,
            Change::Erase(key) => {
                let ids = params![key.site.get(), key.member.get()];
                self.delete_member.execute(ids)?;
                self.delete_former.execute(ids)?;
                self.hand_on_names(key.site.get())?;
            }
        }
        self.has_unfolded |= outcome.change.row().is_some_and(|row| !row.holds_folded);
        self.journal.save(&outcome.record)
    }

    /// Moves members whose expiry is reached by an unconfirmed clock, if they hold the name that
    /// this member is given.
    fn make_room_for(&mut self, row: &Member) -> Result<(), Fault> {
        for key in self.lapsed.clone().into_iter().filter(|key| key.site == row.key.site) {
            let Standing::Here(lapsed) = self.load_standing(key)? else { continue };
            let Some(instant) = lapsed.expire_at else { continue };
            if key != row.key && row.username.clashes_with(&lapsed.username) {
                log::warn!(
                    "member {} of site {} is moved to former_member, as member {} is given \
                     the username, while a jump of the clock \
                     is being confirmed",
                    key.member,
                    key.site,
                    row.key.member
                );
                self.save_former(&Former::new(lapsed, Reason::Expired, instant))?;
            }
        }
        Ok(())
    }

    fn save_former(&mut self, former: &Former) -> Result<(), Fault> {
        let row = &former.member;
        self.delete_member.execute(params![row.key.site.get(), row.key.member.get()])?;
        self.write_former(former)?;
        self.hand_on_names(row.key.site.get())
    }

    /// Inserts a row of former_member.
    pub(super) fn write_former(&mut self, former: &Former) -> Result<(), Fault> {
        let row = &former.member;
        let name = row.key.member.is_provisional().then(|| row.username.folded());
        bind_row(&mut self.insert_former, row)?;
        self.insert_former.raw_bind_parameter(17, former.reason.as_str())?;
        self.insert_former.raw_bind_parameter(18, former.ended_at)?;
        self.insert_former.raw_bind_parameter(19, name)?;
        self.insert_former.raw_execute()?;
        Ok(())
    }

    /// Inserts a row of member_auth.
    pub(super) fn write_member(&mut self, row: &Member) -> Result<(), Fault> {
        self.has_unfolded |= !row.holds_folded;
        write_row(&mut self.insert_member, row)
    }
}

/// INSERT or UPDATE of member_auth, whose parameters are the same.
fn write_row(statement: &mut Statement<'_>, row: &Member) -> Result<(), Fault> {
    bind_row(statement, row)?;
    statement.raw_bind_parameter(17, row.expire_at)?;
    statement.raw_bind_parameter(18, row.holds_folded.then(|| row.username.folded()))?;
    statement.raw_execute()?;
    Ok(())
}

/// Binds the columns of [`MEMBER_COLUMNS`] and login_version, in their order.
fn bind_row(statement: &mut Statement<'_>, row: &Member) -> Result<(), Fault> {
    let form = FormColumns::of(&row.credential.stored);
    statement.raw_bind_parameter(1, row.key.site.get())?;
    statement.raw_bind_parameter(2, row.key.member.get())?;
    statement.raw_bind_parameter(3, row.username.as_str())?;
    statement.raw_bind_parameter(4, form.password)?;
    statement.raw_bind_parameter(5, row.credential.cryptpass.as_ref().map(|kept| kept.expose()))?;
    statement.raw_bind_parameter(6, row.email.as_deref())?;
    statement.raw_bind_parameter(7, row.trial)?;
    statement.raw_bind_parameter(8, row.biller.as_deref())?;
    statement.raw_bind_parameter(9, row.session.map(|hash| hash.0))?;
    statement.raw_bind_parameter(10, row.joined)?;
    statement.raw_bind_parameter(11, row.expires)?;
    statement.raw_bind_parameter(12, form.sealed)?;
    statement.raw_bind_parameter(13, form.wrapped)?;
    statement.raw_bind_parameter(14, before_column(row.before.as_ref()))?;
    statement.raw_bind_parameter(15, row.stamp)?;
    statement.raw_bind_parameter(16, row.login_version)?;
    Ok(())
}
