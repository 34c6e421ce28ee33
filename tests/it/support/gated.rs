//! A reader that a test can delay or break, in place of a database over a network.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nats_userman::action::Standing;
use nats_userman::block::{Block, LoginName};
use nats_userman::epoch::Epoch;
use nats_userman::identity::{Key, MemberId, SessionHash, SiteId, Username};
use nats_userman::login_record::StoredLogin;
use nats_userman::member::{Former, Member};
use nats_userman::operator::{Operator, OperatorName, TokenDigest};
use nats_userman::password::{KeyId, Stored};
use nats_userman::shared_use::{MemberNetwork, SharingBlock};
use nats_userman::store::{
    BlockCursor, BlockPage, Cause, CookieLogin, CookieLoginState, Copied, CopyError, CopyWatch,
    CountPage, CurrentDatabase, Fault, FindBy, FormsCursor, FormsPage, FoundMember, JournalFilter,
    JournalSpan, KnownId, Location, LoginRow, NamedLogins, Pending, Person, Read, RecordSummary,
    SearchBy, StoredRecord, Table, TableRow, Traces, Unfolded, UnreadableRecord, View, Wanted,
    open_reader,
};
use parking_lot::{Condvar, Mutex};

/// Delays a query for the holder of the name `slow`, and fails one for `broken`. The same for
/// logins by cookie with the ids [`Gate::SLOW`] and [`Gate::BROKEN`]. Delays a query for the row of
/// the member [`Gate::SLOW_MEMBER`] by key.
#[derive(Debug, Default)]
pub struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
    opened: AtomicUsize,
    cookie_queries: Mutex<Vec<usize>>,
}

#[derive(Debug, Default)]
struct GateState {
    waiting: usize,
    is_open: bool,
}

impl Gate {
    pub const SLOW: [u8; 16] = [0x51; 16];
    pub const BROKEN: [u8; 16] = [0xb0; 16];
    pub const SLOW_MEMBER: i64 = 515_151;

    /// A database whose readers wait at this gate, and are not local.
    pub fn database(self: &Arc<Self>, location: Location) -> CurrentDatabase {
        let gate = Arc::clone(self);
        CurrentDatabase::with_readers(location, false, move |location| {
            gate.opened.fetch_add(1, Ordering::SeqCst);
            Ok(Box::new(GatedReader { inner: open_reader(location)?, gate: Arc::clone(&gate) }))
        })
    }

    /// Waits until this number of reads waits at the gate.
    pub fn wait_for(&self, count: usize) {
        let mut state = self.state.lock();
        self.changed.wait_while(&mut state, |state| state.waiting < count);
    }

    /// Lets all reads continue from now on.
    pub fn open(&self) {
        self.state.lock().is_open = true;
        self.changed.notify_all();
    }

    /// The number of readers that were opened.
    pub fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }

    /// The number of logins of each query about logins by cookie, in the order of their ends.
    pub fn cookie_queries(&self) -> Vec<usize> {
        self.cookie_queries.lock().clone()
    }

    fn pass(&self, name: &Username) -> Result<(), Fault> {
        match name.folded() {
            "slow" => {
                self.wait();
                Ok(())
            }
            "broken" => Err(broken()),
            "panic" => panic!("a job that panics"),
            _ => Ok(()),
        }
    }

    fn pass_logins(&self, logins: &[CookieLogin]) -> Result<(), Fault> {
        let has = |id| logins.iter().any(|login| login.id == id);
        if has(Self::BROKEN) {
            return Err(broken());
        }
        if has(Self::SLOW) {
            self.wait();
        }
        self.cookie_queries.lock().push(logins.len());
        Ok(())
    }

    fn wait(&self) {
        let mut state = self.state.lock();
        state.waiting += 1;
        self.changed.notify_all();
        self.changed.wait_while(&mut state, |state| !state.is_open);
    }
}

fn broken() -> Fault {
    Fault::Unusable(Cause::new("the connection was closed", None))
}

#[derive(Debug)]
struct GatedReader {
    inner: Box<dyn Read>,
    gate: Arc<Gate>,
}

impl Read for GatedReader {
    fn begin_read(&self) -> Result<(), Fault> {
        self.inner.begin_read()
    }

    fn end_read(&self) -> Result<(), Fault> {
        self.inner.end_read()
    }

    fn load(&self, wanted: &Wanted<'_>, view: &mut View, now: i64) -> Result<(), Fault> {
        self.inner.load(wanted, view, now)
    }

    fn standing(&self, key: Key, now: i64) -> Result<Standing, Fault> {
        self.inner.standing(key, now)
    }

    fn holder(&self, site: SiteId, name: &Username, now: i64) -> Result<Option<MemberId>, Fault> {
        self.gate.pass(name)?;
        self.inner.holder(site, name, now)
    }

    fn is_name_known(&self, name: &Username) -> Result<bool, Fault> {
        self.inner.is_name_known(name)
    }

    fn logins_before(&self, key: Key, before: i64, most: u32) -> Result<Vec<StoredLogin>, Fault> {
        self.inner.logins_before(key, before, most)
    }

    fn blocks_of(&self, name: &LoginName, now: i64) -> Result<Vec<Block>, Fault> {
        self.inner.blocks_of(name, now)
    }

    fn block_of_network(&self, network: &str, now: i64) -> Result<Option<Block>, Fault> {
        self.inner.block_of_network(network, now)
    }

    fn search(
        &self,
        by: SearchBy<'_>,
        site: Option<SiteId>,
        now: i64,
        most: u32,
    ) -> Result<Vec<FoundMember>, Fault> {
        self.inner.search(by, site, now, most)
    }

    fn last_records(
        &self,
        key: Key,
        before: i64,
        most: u32,
    ) -> Result<Vec<Result<StoredRecord, UnreadableRecord>>, Fault> {
        self.inner.last_records(key, before, most)
    }

    fn traces_of(&self, person: &Person) -> Result<Traces, Fault> {
        self.inner.traces_of(person)
    }

    fn networks_of(&self, key: Key) -> Result<Vec<MemberNetwork>, Fault> {
        self.inner.networks_of(key)
    }

    fn sharing_of(&self, key: Key) -> Result<Option<SharingBlock>, Fault> {
        self.inner.sharing_of(key)
    }

    fn sharing_blocks(&self, now: i64, most: u32) -> Result<Vec<SharingBlock>, Fault> {
        self.inner.sharing_blocks(now, most)
    }

    fn most_networks(&self, since: i64, most: u32) -> Result<Vec<(Key, u64)>, Fault> {
        self.inner.most_networks(since, most)
    }

    fn find(&self, by: FindBy<'_>, most: u32) -> Result<Vec<Key>, Fault> {
        self.inner.find(by, most)
    }

    fn unfolded(&self, most: u32) -> Result<Vec<Unfolded>, Fault> {
        self.inner.unfolded(most)
    }

    fn count_unfolded(&self) -> Result<u64, Fault> {
        self.inner.count_unfolded()
    }

    fn sessions(&self, member: MemberId, now: i64) -> Result<Vec<(SiteId, SessionHash)>, Fault> {
        self.inner.sessions(member, now)
    }

    fn login_row(&self, key: Key, now: i64) -> Result<Option<LoginRow>, Fault> {
        if key.member.get() == Gate::SLOW_MEMBER {
            self.gate.wait();
        }
        self.inner.login_row(key, now)
    }

    fn logins_by_name(
        &self,
        sites: &[SiteId],
        name: &Username,
        now: i64,
    ) -> Result<NamedLogins, Fault> {
        self.inner.logins_by_name(sites, name, now)
    }

    fn cookie_logins(
        &self,
        logins: &[CookieLogin],
        now: i64,
    ) -> Result<Vec<CookieLoginState>, Fault> {
        self.gate.pass_logins(logins)?;
        self.inner.cookie_logins(logins, now)
    }

    fn is_known_network(&self, id: &KnownId) -> Result<bool, Fault> {
        self.inner.is_known_network(id)
    }

    fn has_known_networks(&self) -> Result<bool, Fault> {
        self.inner.has_known_networks()
    }

    fn login_epoch(&self) -> Result<Option<Epoch>, Fault> {
        self.inner.login_epoch()
    }

    fn blocks_page(&self, after: Option<&BlockCursor>, now: i64) -> Result<BlockPage, Fault> {
        self.inner.blocks_page(after, now)
    }

    fn count_blocks(&self) -> Result<usize, Fault> {
        self.inner.count_blocks()
    }

    fn members_page(
        &self,
        site: Option<i64>,
        after: Option<Key>,
        now: i64,
    ) -> Result<Vec<Member>, Fault> {
        self.inner.members_page(site, after, now)
    }

    fn formers_page(&self, site: Option<i64>, after: Option<Key>) -> Result<Vec<Former>, Fault> {
        self.inner.formers_page(site, after)
    }

    fn sample(&self, most: u32) -> Result<Vec<Stored>, Fault> {
        self.inner.sample(most)
    }

    fn forms_page(&self, after: Option<FormsCursor>, now: i64) -> Result<FormsPage, Fault> {
        self.inner.forms_page(after, now)
    }

    fn journal_page(
        &self,
        filter: &JournalFilter,
        after: i64,
        newest: i64,
    ) -> Result<Vec<Result<StoredRecord, UnreadableRecord>>, Fault> {
        self.inner.journal_page(filter, after, newest)
    }

    fn journal_span(
        &self,
        filter: &JournalFilter,
        span: JournalSpan,
    ) -> Result<Vec<Result<StoredRecord, UnreadableRecord>>, Fault> {
        self.inner.journal_span(filter, span)
    }

    fn record_from(&self, id: i64) -> Result<Option<(i64, i64)>, Fault> {
        self.inner.record_from(id)
    }

    fn summaries_after(
        &self,
        after: i64,
        newest: i64,
        most: u32,
    ) -> Result<Vec<RecordSummary>, Fault> {
        self.inner.summaries_after(after, newest, most)
    }

    fn summaries_before(&self, before: i64, most: u32) -> Result<Vec<RecordSummary>, Fault> {
        self.inner.summaries_before(before, most)
    }

    fn count_journal(&self) -> Result<u64, Fault> {
        self.inner.count_journal()
    }

    fn count_members_page(&self, after: Option<(i64, i64)>, most: u32) -> Result<CountPage, Fault> {
        self.inner.count_members_page(after, most)
    }

    fn count_formers_page(&self, after: Option<(i64, i64)>, most: u32) -> Result<CountPage, Fault> {
        self.inner.count_formers_page(after, most)
    }

    fn newest_record(&self) -> Result<Option<(i64, i64)>, Fault> {
        self.inner.newest_record()
    }

    fn last_seen(&self, now: i64) -> Result<Option<i64>, Fault> {
        self.inner.last_seen(now)
    }

    fn is_unused(&self) -> Result<bool, Fault> {
        self.inner.is_unused()
    }

    fn backlog(&self) -> Result<u64, Fault> {
        self.inner.backlog()
    }

    fn pending(&self, most: u32) -> Result<Vec<Pending>, Fault> {
        self.inner.pending(most)
    }

    fn operators(&self) -> Result<Vec<Operator>, Fault> {
        self.inner.operators()
    }

    fn operator(&self, name: &OperatorName) -> Result<Option<Operator>, Fault> {
        self.inner.operator(name)
    }

    fn operator_session(&self, token: &TokenDigest, now: i64) -> Result<Option<Operator>, Fault> {
        self.inner.operator_session(token, now)
    }

    fn seal_key(&self) -> Result<Option<KeyId>, Fault> {
        self.inner.seal_key()
    }

    fn cookie_key(&self) -> Result<Option<KeyId>, Fault> {
        self.inner.cookie_key()
    }

    fn folding_version(&self) -> Result<Option<i64>, Fault> {
        self.inner.folding_version()
    }

    fn rows_page(&self, table: Table, after: Option<&TableRow>) -> Result<Vec<TableRow>, Fault> {
        self.inner.rows_page(table, after)
    }

    fn count_rows(&self) -> Result<u64, Fault> {
        self.inner.count_rows()
    }

    fn copy_size(&self) -> Result<u64, Fault> {
        self.inner.copy_size()
    }

    fn copy_to(
        &self,
        place: &Path,
        file: &File,
        watch: &mut CopyWatch<'_>,
    ) -> Result<Copied, CopyError> {
        self.inner.copy_to(place, file, watch)
    }
}
