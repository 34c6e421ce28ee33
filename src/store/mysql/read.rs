//! Implements the trait [`Read`]: single rows here, lists and the journal in files of their own.

use std::fs::File;
use std::path::Path;
use std::sync::LazyLock;

use mysql::{Row, Value};

use super::connection::{Many, ROWS_MAX};
use super::reader::Reader;
use super::rows::{
    FORMER_COLUMNS, HERE_COLUMNS, LOGIN_COLUMNS, LOGIN_COUNT, MEMBER_COLUMNS, folded_key, get,
    key_values, read_former, read_here, read_id, read_key, read_login, read_session, read_username,
    unfolded_key,
};
use crate::action::Standing;
use crate::block::{Block, LoginName};
use crate::epoch::Epoch;
use crate::identity::{Key, MemberId, SessionHash, SiteId, Username};
use crate::login_record::StoredLogin;
use crate::member::{Former, Member};
use crate::operator::{Operator, OperatorName, TokenDigest};
use crate::password::{KeyId, Stored};
use crate::shared_use::{MemberNetwork, SharingBlock};
use crate::store::{
    BlockCursor, BlockPage, CookieLogin, CookieLoginState, Copied, CopyError, CopyWatch, CountPage,
    Fault, FindBy, FormsCursor, FormsPage, FoundMember, JournalFilter, JournalSpan, KnownId,
    LoginRow, NamedLogins, Pending, Person, Read, RecordSummary, SearchBy, StoredRecord, Table,
    TableRow, Traces, Unfolded, UnreadableRecord, View, Wanted, if_readable, standing_at,
};

static HERE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {MEMBER_COLUMNS}, {HERE_COLUMNS} FROM member_auth
         WHERE siteid = ? AND memberid = ?"
    )
});

static FORMER: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {MEMBER_COLUMNS}, {FORMER_COLUMNS} FROM former_member
         WHERE siteid = ? AND memberid = ?"
    )
});

static LOGIN: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {LOGIN_COLUMNS} FROM member_auth
         WHERE siteid = ? AND memberid = ? AND (expire_at IS NULL OR expire_at > ?)"
    )
});

/// The rows with a name: the holder of its folded form, and who has it without that.
static NAMED: LazyLock<Many> = LazyLock::new(|| {
    Many::new(
        format!(
            "SELECT {LOGIN_COLUMNS}, username_key, expire_at FROM member_auth
             WHERE (username_key, siteid) IN ("
        ),
        "(?, ?)",
        ")",
    )
});

/// The place of username_key behind [`LOGIN_COLUMNS`].
const NAMED_KEY: usize = LOGIN_COUNT;

impl Reader {
    /// The member's standing in the tables.
    pub(super) fn stored_standing(&self, key: Key) -> Result<Standing, Fault> {
        if let Some(mut row) = self.first(&HERE, key_values(key))? {
            return Ok(Standing::Here(read_here(&mut row)?));
        }
        match self.first(&FORMER, key_values(key))? {
            Some(mut row) => Ok(Standing::Former(read_former(&mut row)?)),
            None => Ok(Standing::Unknown),
        }
    }

    /// The rows that have one of these names at `now`, each with the key of its name.
    fn named(&self, keys: Vec<Vec<Value>>, now: i64) -> Result<Vec<(Vec<u8>, Row)>, Fault> {
        let mut found = Vec::new();
        let statements = keys.len().div_ceil(ROWS_MAX);
        let rows = self.at_one_moment(statements, || {
            self.alone(|connection| connection.rows_by(&NAMED, keys.clone()))
        })?;
        for mut row in rows {
            let expire_at: Option<i64> = get(&mut row, NAMED_KEY + 1)?;
            if expire_at.is_none_or(|instant| instant > now) {
                found.push((get(&mut row, NAMED_KEY)?, row));
            }
        }
        Ok(found)
    }

    /// The member who has a name under this key on this site at `now`.
    fn member_named(
        &self,
        key: Vec<u8>,
        site: SiteId,
        now: i64,
    ) -> Result<Option<MemberId>, Fault> {
        let found = self.first(
            "SELECT memberid FROM member_auth WHERE username_key = ? AND siteid = ?
                 AND (expire_at IS NULL OR expire_at > ?)",
            vec![Value::Bytes(key), site.get().into(), now.into()],
        )?;
        let Some(mut row) = found else { return Ok(None) };
        Ok(MemberId::parse(&get::<i64>(&mut row, 0)?.to_string()))
    }

    fn count(&self, sql: &'static str) -> Result<u64, Fault> {
        self.first(sql, Vec::new())?.map_or(Ok(0), |mut row| get(&mut row, 0))
    }

    fn one_id(&self, sql: &'static str) -> Result<Option<[u8; 16]>, Fault> {
        self.first(sql, Vec::new())?.map(|mut row| read_id(&mut row, 0)).transpose()
    }

    fn login_by_key(&self, key: Key, now: i64) -> Result<Option<LoginRow>, Fault> {
        let mut values = key_values(key);
        values.push(now.into());
        let row = self.alone(|connection| connection.first(&LOGIN, values.clone()))?;
        row.map(|mut row| read_login(&mut row)).transpose()
    }
}

impl Read for Reader {
    fn begin_read(&self) -> Result<(), Fault> {
        self.begin()
    }

    fn end_read(&self) -> Result<(), Fault> {
        self.end()
    }

    fn is_fallback(&self) -> bool {
        self.reads_from_fallback()
    }

    fn load(&self, wanted: &Wanted<'_>, view: &mut View, now: i64) -> Result<(), Fault> {
        for &key in &wanted.keys {
            if !view.has_member(key) {
                view.put_member(key, standing_at(self.stored_standing(key)?, now));
            }
        }
        for (site, name) in &wanted.names_to_load(view) {
            let unfolded = unfolded_key(name.as_str());
            let namesake = self.member_named(unfolded, *site, now)?;
            if !view.has_name(*site, name) {
                let holder = self.member_named(folded_key(name), *site, now)?;
                view.put_holder(*site, name, holder.or(namesake));
            }
            if let Some(namesake) = namesake {
                view.put_namesake(*site, name, namesake);
            }
        }
        for (site, name) in wanted.names_of_unknown(view) {
            let former = self.first(
                "SELECT siteid, memberid FROM former_member
                 WHERE username_key = ? AND siteid = ? AND memberid >= 4611686018427387904
                 ORDER BY ended_at DESC, memberid LIMIT 1",
                vec![Value::Bytes(folded_key(name)), site.get().into()],
            )?;
            let former = former.map(|mut row| read_key(&mut row, 0, 1)).transpose()?;
            view.put_provisional_former(site, name, former.map(|key| key.member));
        }
        for key in wanted.provisional(view) {
            view.put_member(key, standing_at(self.stored_standing(key)?, now));
        }
        Ok(())
    }

    fn standing(&self, key: Key, now: i64) -> Result<Standing, Fault> {
        Ok(standing_at(self.stored_standing(key)?, now))
    }

    fn holder(&self, site: SiteId, name: &Username, now: i64) -> Result<Option<MemberId>, Fault> {
        match self.member_named(folded_key(name), site, now)? {
            None => self.member_named(unfolded_key(name.as_str()), site, now),
            holder => Ok(holder),
        }
    }

    fn is_name_known(&self, name: &Username) -> Result<bool, Fault> {
        let (folded, unfolded) = (folded_key(name), unfolded_key(name.as_str()));
        let known = self.first(
            "SELECT EXISTS (SELECT 1 FROM member_auth WHERE username_key IN (?, ?))
                 OR EXISTS (SELECT 1 FROM former_member WHERE username_key = ?)",
            vec![Value::Bytes(folded.clone()), Value::Bytes(unfolded), Value::Bytes(folded)],
        )?;
        known.map_or(Ok(false), |mut row| get(&mut row, 0))
    }

    fn unfolded(&self, most: u32) -> Result<Vec<Unfolded>, Fault> {
        let rows = self.rows(
            "SELECT siteid, memberid, username_sent FROM member_auth WHERE username_key < 0x01
             ORDER BY siteid, memberid LIMIT ?",
            vec![most.into()],
        )?;
        let mut found = Vec::new();
        for mut row in rows {
            let (key, username) = (read_key(&mut row, 0, 1)?, read_username(&mut row, 2)?);
            let holder = self.member_named(folded_key(&username), key.site, i64::MIN)?;
            found.push(Unfolded { key, username, holder });
        }
        Ok(found)
    }

    fn count_unfolded(&self) -> Result<u64, Fault> {
        self.count("SELECT COUNT(*) FROM member_auth WHERE username_key < 0x01")
    }

    fn sessions(&self, member: MemberId, now: i64) -> Result<Vec<(SiteId, SessionHash)>, Fault> {
        // A memberid alone is no key: one look-up for each site, of which there are few.
        let rows = self.rows(
            "SELECT STRAIGHT_JOIN m.siteid, m.memberid, m.session_sha256
             FROM (SELECT DISTINCT siteid FROM member_auth) AS site
             JOIN member_auth AS m ON m.siteid = site.siteid AND m.memberid = ?
             WHERE m.expire_at IS NULL OR m.expire_at > ? ORDER BY m.siteid",
            vec![member.get().into(), now.into()],
        )?;
        let mut found = Vec::new();
        for mut row in rows {
            if let Some(session) = read_session(&mut row, 2)? {
                found.push((read_key(&mut row, 0, 1)?.site, session));
            }
        }
        Ok(found)
    }

    fn login_row(&self, key: Key, now: i64) -> Result<Option<LoginRow>, Fault> {
        self.login_by_key(key, now)
    }

    fn logins_by_name(
        &self,
        sites: &[SiteId],
        name: &Username,
        now: i64,
    ) -> Result<NamedLogins, Fault> {
        let unfolded = unfolded_key(name.as_str());
        let keys = sites
            .iter()
            .flat_map(|site| {
                [folded_key(name), unfolded.clone()]
                    .map(|key| vec![Value::Bytes(key), site.get().into()])
            })
            .collect();
        let mut rows = Vec::new();
        for (key, mut row) in self.named(keys, now)? {
            let site: i64 = row.get(0).unwrap_or(0);
            rows.push((site, key != unfolded, if_readable(read_login(&mut row))?));
        }
        // Who has exactly this name comes before the holder of its folded form.
        rows.sort_by_key(|&(_, is_holder, _)| is_holder);
        let mut found = NamedLogins::default();
        for site in sites {
            let of_site = rows.extract_if(.., |(id, ..)| *id == site.get());
            match of_site.map(|(_, _, row)| row).collect::<Result<Vec<_>, _>>() {
                Ok(rows) => found.rows.extend(rows),
                Err(fault) => found.unreadable.push(fault),
            }
        }
        Ok(found)
    }

    fn cookie_logins(
        &self,
        logins: &[CookieLogin],
        now: i64,
    ) -> Result<Vec<CookieLoginState>, Fault> {
        self.cookie_states(logins, now)
    }

    fn is_known_network(&self, id: &KnownId) -> Result<bool, Fault> {
        let (member, network) = (id.member.to_vec(), id.network.to_vec());
        let known = "SELECT 1 FROM known_network WHERE member = ? AND network = ?";
        let found = self.first(known, vec![Value::Bytes(member), Value::Bytes(network)])?;
        Ok(found.is_some())
    }

    fn has_known_networks(&self) -> Result<bool, Fault> {
        Ok(self.first("SELECT 1 FROM known_network LIMIT 1", Vec::new())?.is_some())
    }

    fn login_epoch(&self) -> Result<Option<Epoch>, Fault> {
        Ok(self.one_id("SELECT id FROM login_epoch")?.map(Epoch))
    }

    fn blocks_page(&self, after: Option<&BlockCursor>, now: i64) -> Result<BlockPage, Fault> {
        self.select_blocks(after, now)
    }

    fn count_blocks(&self) -> Result<usize, Fault> {
        Ok(usize::try_from(self.count("SELECT COUNT(*) FROM block")?).unwrap_or(usize::MAX))
    }

    fn logins_before(&self, key: Key, before: i64, most: u32) -> Result<Vec<StoredLogin>, Fault> {
        self.logins_of(key, before, most)
    }

    fn blocks_of(&self, name: &LoginName, now: i64) -> Result<Vec<Block>, Fault> {
        self.blocks_of_name(name, now)
    }

    fn block_of_network(&self, network: &str, now: i64) -> Result<Option<Block>, Fault> {
        self.network_block(network, now)
    }

    fn traces_of(&self, person: &Person) -> Result<Traces, Fault> {
        self.person_traces(person)
    }

    fn networks_of(&self, key: Key) -> Result<Vec<MemberNetwork>, Fault> {
        self.member_networks(key)
    }

    fn sharing_of(&self, key: Key) -> Result<Option<SharingBlock>, Fault> {
        self.sharing_block_of(key)
    }

    fn sharing_blocks(&self, now: i64, most: u32) -> Result<Vec<SharingBlock>, Fault> {
        self.current_sharing(now, most)
    }

    fn most_networks(&self, since: i64, most: u32) -> Result<Vec<(Key, u64)>, Fault> {
        self.worst(since, most)
    }

    fn find(&self, by: FindBy<'_>, most: u32) -> Result<Vec<Key>, Fault> {
        self.find_keys(by, most)
    }

    fn search(
        &self,
        by: SearchBy<'_>,
        site: Option<SiteId>,
        now: i64,
        most: u32,
    ) -> Result<Vec<FoundMember>, Fault> {
        self.search_members(by, site, now, most)
    }

    fn last_records(
        &self,
        key: Key,
        before: i64,
        most: u32,
    ) -> Result<Vec<Result<StoredRecord, UnreadableRecord>>, Fault> {
        self.records_before(key, before, most)
    }

    fn members_page(
        &self,
        site: Option<i64>,
        after: Option<Key>,
        now: i64,
    ) -> Result<Vec<Member>, Fault> {
        self.select_members(site, after, now)
    }

    fn formers_page(&self, site: Option<i64>, after: Option<Key>) -> Result<Vec<Former>, Fault> {
        self.select_formers(site, after)
    }

    fn sample(&self, most: u32) -> Result<Vec<Stored>, Fault> {
        self.sample_forms(most)
    }

    fn forms_page(&self, after: Option<FormsCursor>, now: i64) -> Result<FormsPage, Fault> {
        self.count_forms(after, now)
    }

    fn journal_page(
        &self,
        filter: &JournalFilter,
        after: i64,
        newest: i64,
    ) -> Result<Vec<Result<StoredRecord, UnreadableRecord>>, Fault> {
        self.page_of_records(filter, after, newest)
    }

    fn journal_span(
        &self,
        filter: &JournalFilter,
        span: JournalSpan,
    ) -> Result<Vec<Result<StoredRecord, UnreadableRecord>>, Fault> {
        self.span_of_records(filter, span)
    }

    fn record_from(&self, id: i64) -> Result<Option<(i64, i64)>, Fault> {
        self.first_record_from(id)
    }

    fn summaries_after(
        &self,
        after: i64,
        newest: i64,
        most: u32,
    ) -> Result<Vec<RecordSummary>, Fault> {
        self.select_summaries_after(after, newest, most)
    }

    fn summaries_before(&self, before: i64, most: u32) -> Result<Vec<RecordSummary>, Fault> {
        self.select_summaries_before(before, most)
    }

    fn count_journal(&self) -> Result<u64, Fault> {
        self.journal_size()
    }

    fn count_members_page(&self, after: Option<(i64, i64)>, most: u32) -> Result<CountPage, Fault> {
        self.members_count(after, most)
    }

    fn count_formers_page(&self, after: Option<(i64, i64)>, most: u32) -> Result<CountPage, Fault> {
        self.formers_count(after, most)
    }

    fn newest_record(&self) -> Result<Option<(i64, i64)>, Fault> {
        self.newest()
    }

    fn last_seen(&self, now: i64) -> Result<Option<i64>, Fault> {
        self.last_use(now)
    }

    fn is_unused(&self) -> Result<bool, Fault> {
        let used = "SELECT EXISTS (SELECT 1 FROM journal) OR EXISTS (SELECT 1 FROM member_auth)
                        OR EXISTS (SELECT 1 FROM former_member)";
        self.first(used, Vec::new())?.map_or(Ok(true), |mut row| Ok(!get::<bool>(&mut row, 0)?))
    }

    fn backlog(&self) -> Result<u64, Fault> {
        self.count("SELECT COUNT(*) FROM journal WHERE waiting = 1")
    }

    fn pending(&self, most: u32) -> Result<Vec<Pending>, Fault> {
        self.select_pending(most)
    }

    fn operators(&self) -> Result<Vec<Operator>, Fault> {
        self.select_operators()
    }

    fn operator(&self, name: &OperatorName) -> Result<Option<Operator>, Fault> {
        self.operator_named(name)
    }

    fn operator_session(&self, token: &TokenDigest, now: i64) -> Result<Option<Operator>, Fault> {
        self.session_of(token, now)
    }

    fn seal_key(&self) -> Result<Option<KeyId>, Fault> {
        Ok(self.one_id("SELECT id FROM seal_key")?.map(KeyId))
    }

    fn cookie_key(&self) -> Result<Option<KeyId>, Fault> {
        Ok(self.one_id("SELECT id FROM cookie_key")?.map(KeyId))
    }

    fn folding_version(&self) -> Result<Option<i64>, Fault> {
        let version = self.first("SELECT version FROM folding", Vec::new())?;
        version.map(|mut row| get(&mut row, 0)).transpose()
    }

    fn rows_page(&self, table: Table, after: Option<&TableRow>) -> Result<Vec<TableRow>, Fault> {
        self.select_rows(table, after)
    }

    fn count_rows(&self) -> Result<u64, Fault> {
        self.count(
            "SELECT CAST(COALESCE(SUM(table_rows), 0) AS UNSIGNED) FROM information_schema.tables
             WHERE table_schema = DATABASE() AND table_name IN ('member_auth', 'former_member',
                 'journal', 'logout', 'logout_before', 'login_seen', 'known_network', 'block',
                 'login', 'sharing_network', 'sharing_block')",
        )
    }

    fn copy_size(&self) -> Result<u64, Fault> {
        self.count(
            "SELECT CAST(COALESCE(SUM(data_length + index_length), 0) AS UNSIGNED)
             FROM information_schema.tables WHERE table_schema = DATABASE()",
        )
    }

    fn copy_to(
        &self,
        _place: &Path,
        _file: &File,
        _watch: &mut CopyWatch<'_>,
    ) -> Result<Copied, CopyError> {
        Err(super::no_copy())
    }
}
