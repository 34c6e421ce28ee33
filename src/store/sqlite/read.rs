//! Implements the trait [`Read`] on a SQLite connection. The queries are in the files of their
//! subjects.

use std::fs::File;
use std::path::Path;

use super::reader::Reader;
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
    TableRow, Traces, Unfolded, UnreadableRecord, View, Wanted, standing_at,
};

impl Read for Reader {
    fn begin_read(&self) -> Result<(), Fault> {
        self.begin()
    }

    fn end_read(&self) -> Result<(), Fault> {
        self.end()
    }

    fn load(&self, wanted: &Wanted<'_>, view: &mut View, now: i64) -> Result<(), Fault> {
        self.load_view(wanted, view, now)
    }

    fn standing(&self, key: Key, now: i64) -> Result<Standing, Fault> {
        Ok(standing_at(self.stored_standing(key)?, now))
    }

    fn holder(&self, site: SiteId, name: &Username, now: i64) -> Result<Option<MemberId>, Fault> {
        self.name_holder(site, name, now)
    }

    fn is_name_known(&self, name: &Username) -> Result<bool, Fault> {
        self.is_somebodys(name)
    }

    fn unfolded(&self, most: u32) -> Result<Vec<Unfolded>, Fault> {
        self.select_unfolded(most)
    }

    fn count_unfolded(&self) -> Result<u64, Fault> {
        self.unfolded_count()
    }

    fn sessions(&self, member: MemberId, now: i64) -> Result<Vec<(SiteId, SessionHash)>, Fault> {
        self.select_sessions(member, now)
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
        self.named_logins(sites, name, now)
    }

    fn cookie_logins(
        &self,
        logins: &[CookieLogin],
        now: i64,
    ) -> Result<Vec<CookieLoginState>, Fault> {
        logins.iter().map(|login| self.cookie_login(login, now)).collect()
    }

    fn is_known_network(&self, id: &KnownId) -> Result<bool, Fault> {
        self.has_network(id)
    }

    fn has_known_networks(&self) -> Result<bool, Fault> {
        self.has_networks()
    }

    fn login_epoch(&self) -> Result<Option<Epoch>, Fault> {
        self.epoch()
    }

    fn blocks_page(&self, after: Option<&BlockCursor>, now: i64) -> Result<BlockPage, Fault> {
        self.select_blocks(after, now)
    }

    fn count_blocks(&self) -> Result<usize, Fault> {
        self.block_count()
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
        Reader::journal_page(self, filter, after, newest)
    }

    fn journal_span(
        &self,
        filter: &JournalFilter,
        span: JournalSpan,
    ) -> Result<Vec<Result<StoredRecord, UnreadableRecord>>, Fault> {
        Reader::journal_span(self, filter, span)
    }

    fn record_from(&self, id: i64) -> Result<Option<(i64, i64)>, Fault> {
        Reader::record_from(self, id)
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
        Reader::newest_record(self)
    }

    fn last_seen(&self, now: i64) -> Result<Option<i64>, Fault> {
        Reader::last_seen(self, now)
    }

    fn is_unused(&self) -> Result<bool, Fault> {
        self.has_nothing()
    }

    fn backlog(&self) -> Result<u64, Fault> {
        self.pending_count()
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
        self.key_of_seals()
    }

    fn cookie_key(&self) -> Result<Option<KeyId>, Fault> {
        Ok(None)
    }

    fn folding_version(&self) -> Result<Option<i64>, Fault> {
        Reader::folding_version(self)
    }

    fn rows_page(&self, table: Table, after: Option<&TableRow>) -> Result<Vec<TableRow>, Fault> {
        self.select_rows(table, after)
    }

    fn count_rows(&self) -> Result<u64, Fault> {
        self.row_count()
    }

    fn copy_size(&self) -> Result<u64, Fault> {
        self.size()
    }

    fn copy_to(
        &self,
        place: &Path,
        file: &File,
        watch: &mut CopyWatch<'_>,
    ) -> Result<Copied, CopyError> {
        self.copy(place, file, watch)
    }
}
