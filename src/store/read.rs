//! Reading. Commands and background threads call [`Read`] directly; an HTTP thread goes through
//! [`super::reads::Reads`].

use std::fmt;
use std::fs::File;
use std::path::Path;

use super::copy::{Copied, CopyError, CopyWatch};
use super::record_summary::{CountPage, RecordSummary};
use super::records::{
    BlockCursor, BlockPage, CookieLogin, CookieLoginState, FindBy, FormsCursor, FormsPage,
    JournalFilter, JournalSpan, KnownId, LoginRow, NamedLogins, Pending, StoredRecord, Unfolded,
    UnreadableRecord,
};
use super::{Fault, FoundMember, Person, SearchBy, Table, TableRow, Traces, View, Wanted};
use crate::action::Standing;
use crate::block::{Block, LoginName};
use crate::epoch::Epoch;
use crate::identity::{Key, MemberId, SessionHash, SiteId, Username};
use crate::login_record::StoredLogin;
use crate::member::{Former, Member};
use crate::operator::{Operator, OperatorName, TokenDigest};
use crate::password::{KeyId, Stored};
use crate::shared_use::{MemberNetwork, SharingBlock};

/// A read-only connection to a database. It never waits for the writer.
///
/// Each method is one query, or a bounded number of them. Lists come in pages with a cursor, so
/// that no read transaction is open while a caller prints a list or waits: the functions in
/// [`super::pages`] walk through them. Over a network [`Read::login_row`], [`Read::logins_by_name`]
/// and [`Read::cookie_logins`], which checks of visitors need, see one moment also outside of a
/// read transaction. `now` is in unix seconds: a member whose expiry is reached
/// then counts as gone, whether the row was moved already or not.
///
/// # Errors
///
/// Each method fails where the database cannot be read.
#[expect(clippy::missing_errors_doc, reason = "the trait says it once for all methods")]
pub trait Read: fmt::Debug + Send {
    /// Begins a read transaction: until [`Read::end_read`] everything that is read is of one
    /// moment. It must be short, because it can block the maintenance of the database.
    fn begin_read(&self) -> Result<(), Fault>;

    /// Ends the read transaction, if there is one. After an error the connection must be closed.
    fn end_read(&self) -> Result<(), Fault>;

    /// Whether no host that was named for reading answers, so that another one does.
    fn is_fallback(&self) -> bool {
        false
    }

    /// Adds to `view` what it does not hold yet of `wanted`.
    fn load(&self, wanted: &Wanted<'_>, view: &mut View, now: i64) -> Result<(), Fault>;

    /// Whether this is a member or a former member, with the row.
    fn standing(&self, key: Key, now: i64) -> Result<Standing, Fault>;

    /// The member who has this name on this site: who holds its folded form, else who has exactly
    /// this name.
    fn holder(&self, site: SiteId, name: &Username, now: i64) -> Result<Option<MemberId>, Fault>;

    /// Whether a member or a former member of any site has this name. The folded form of a former
    /// member's name is not stored: a name that differs in more than the case of ASCII letters may
    /// not be found.
    fn is_name_known(&self, name: &Username) -> Result<bool, Fault>;

    /// At most `most` members who do not hold the folded form of their name, and who holds it.
    fn unfolded(&self, most: u32) -> Result<Vec<Unfolded>, Fault>;

    /// Counts the members who do not hold the folded form of their name.
    fn count_unfolded(&self) -> Result<u64, Fault>;

    /// The sites on which this memberid is a member, each with the stored session. Sites without
    /// one are left out.
    fn sessions(&self, member: MemberId, now: i64) -> Result<Vec<(SiteId, SessionHash)>, Fault>;

    /// The row that a login of this member is checked against.
    fn login_row(&self, key: Key, now: i64) -> Result<Option<LoginRow>, Fault>;

    /// The rows that a login with this name is checked against, of these sites in their order. Of
    /// one site a member who has exactly this name comes before the one who holds its folded form:
    /// see [`crate::member::Member::holds_folded`].
    fn logins_by_name(
        &self,
        sites: &[SiteId],
        name: &Username,
        now: i64,
    ) -> Result<NamedLogins, Fault>;

    /// What is known of each of these logins by cookie, in their order.
    fn cookie_logins(
        &self,
        logins: &[CookieLogin],
        now: i64,
    ) -> Result<Vec<CookieLoginState>, Fault>;

    /// Whether the member has logged in from the network.
    fn is_known_network(&self, id: &KnownId) -> Result<bool, Fault>;

    /// Whether any network is stored from which a member has logged in.
    fn has_known_networks(&self) -> Result<bool, Fault>;

    /// The epoch under which cookies are valid; `None` if no command ever ended all logins.
    fn login_epoch(&self) -> Result<Option<Epoch>, Fault>;

    /// A page of the blocks that end after `now`, and the cursor of the next page.
    fn blocks_page(&self, after: Option<&BlockCursor>, now: i64) -> Result<BlockPage, Fault>;

    /// Counts all stored blocks.
    fn count_blocks(&self) -> Result<usize, Fault>;

    /// The last records of logins of this member, the newest first, at most `most`.
    fn last_logins(&self, key: Key, most: u32) -> Result<Vec<StoredLogin>, Fault> {
        self.logins_before(key, i64::MAX, most)
    }

    /// The records of logins of this member with numbers below `before`, the newest first, at most
    /// `most`.
    fn logins_before(&self, key: Key, before: i64, most: u32) -> Result<Vec<StoredLogin>, Fault>;

    /// The blocks of this name that end after `now`, of the name alone and of pairs with a network.
    fn blocks_of(&self, name: &LoginName, now: i64) -> Result<Vec<Block>, Fault>;

    /// The block of all logins from this network, as a record of logins has it, if it ends after
    /// `now`.
    fn block_of_network(&self, network: &str, now: i64) -> Result<Option<Block>, Fault>;

    /// What is stored of a person apart from rows, records of the memberid, logins and networks.
    fn traces_of(&self, person: &Person) -> Result<Traces, Fault>;

    /// The networks that are stored for this member.
    fn networks_of(&self, key: Key) -> Result<Vec<MemberNetwork>, Fault>;

    /// When and why this member last counted as shared.
    fn sharing_of(&self, key: Key) -> Result<Option<SharingBlock>, Fault>;

    /// The members who are blocked after `now` because of sharing, at most `most`: first those who
    /// are blocked longest.
    fn sharing_blocks(&self, now: i64, most: u32) -> Result<Vec<SharingBlock>, Fault>;

    /// The members with the most networks that were used after `since`, each with their count, at
    /// most `most`. It reads the whole table.
    fn most_networks(&self, since: i64, most: u32) -> Result<Vec<(Key, u64)>, Fault>;

    /// The keys of members and former members, at most `most`, by site and memberid. A member whose
    /// expiry is reached counts.
    fn find(&self, by: FindBy<'_>, most: u32) -> Result<Vec<Key>, Fault>;

    /// The members and former members whose name or address begins so, of one site or of all, at
    /// most `most`, by folded name, site and memberid. A search by address is fast only with the
    /// index of [`super::Engine::index_emails`].
    fn search(
        &self,
        by: SearchBy<'_>,
        site: Option<SiteId>,
        now: i64,
        most: u32,
    ) -> Result<Vec<FoundMember>, Fault>;

    /// The journal records of a member with numbers below `before`, the newest first, at most
    /// `most`. A record that cannot be read does not hide the others.
    fn last_records(
        &self,
        key: Key,
        before: i64,
        most: u32,
    ) -> Result<Vec<Result<StoredRecord, UnreadableRecord>>, Fault>;

    /// A page of members by site and memberid, of one site or of all. Empty after the last.
    fn members_page(
        &self,
        site: Option<i64>,
        after: Option<Key>,
        now: i64,
    ) -> Result<Vec<Member>, Fault>;

    /// A page of former members by site and memberid, of one site or of all. Empty after the last.
    fn formers_page(&self, site: Option<i64>, after: Option<Key>) -> Result<Vec<Former>, Fault>;

    /// The forms of at most `most` stored passwords, half of them of the first members by site and
    /// memberid, half of the last: a site that has changed its kind of hash has the former kinds
    /// among the oldest members.
    fn sample(&self, most: u32) -> Result<Vec<Stored>, Fault>;

    /// Counts the forms of the stored passwords in a page of members.
    fn forms_page(&self, after: Option<FormsCursor>, now: i64) -> Result<FormsPage, Fault>;

    /// A page of the journal records with numbers above `after` and up to `newest`, in the order of
    /// effect. Empty after the last. A record that cannot be read does not hide the others.
    fn journal_page(
        &self,
        filter: &JournalFilter,
        after: i64,
        newest: i64,
    ) -> Result<Vec<Result<StoredRecord, UnreadableRecord>>, Fault>;

    /// The journal records of a part of the journal, the newest first or last. A record that cannot
    /// be read does not hide the others.
    fn journal_span(
        &self,
        filter: &JournalFilter,
        span: JournalSpan,
    ) -> Result<Vec<Result<StoredRecord, UnreadableRecord>>, Fault>;

    /// Number and time of the first journal record with this number or a higher one.
    fn record_from(&self, id: i64) -> Result<Option<(i64, i64)>, Fault>;

    /// What statistics need of the journal records with numbers above `after` and up to `newest`,
    /// at most `most`, in the order of effect.
    fn summaries_after(
        &self,
        after: i64,
        newest: i64,
        most: u32,
    ) -> Result<Vec<RecordSummary>, Fault>;

    /// What statistics need of the journal records with numbers below `before`, at most `most`, the
    /// newest first.
    fn summaries_before(&self, before: i64, most: u32) -> Result<Vec<RecordSummary>, Fault>;

    /// About how many records the journal has. Costs little, however many there are: it does not
    /// count them.
    fn count_journal(&self) -> Result<u64, Fault>;

    /// Counts a page of at most `most` members, by site and memberid, behind `after`. A member
    /// whose expiry is reached counts until the row is moved.
    fn count_members_page(&self, after: Option<(i64, i64)>, most: u32) -> Result<CountPage, Fault>;

    /// Counts a page of at most `most` former members.
    fn count_formers_page(&self, after: Option<(i64, i64)>, most: u32) -> Result<CountPage, Fault>;

    /// Number and time of the newest journal record.
    fn newest_record(&self) -> Result<Option<(i64, i64)>, Fault>;

    /// The last time at which this database was surely in use, unix seconds: that of the newest
    /// journal record, or of a later health probe or move of expired members that is not ahead of
    /// `now`.
    fn last_seen(&self, now: i64) -> Result<Option<i64>, Fault>;

    /// Whether there was never a member. The newest journal record is never pruned.
    fn is_unused(&self) -> Result<bool, Fault>;

    /// Counts the credentials in the journal that wait to be hashed.
    fn backlog(&self) -> Result<u64, Fault>;

    /// The newest credentials that wait to be hashed, at most `most`.
    fn pending(&self, most: u32) -> Result<Vec<Pending>, Fault>;

    /// The operators of the console, by name, at most 1,000.
    fn operators(&self) -> Result<Vec<Operator>, Fault>;

    /// The operator with this name.
    fn operator(&self, name: &OperatorName) -> Result<Option<Operator>, Fault>;

    /// The operator whose session this is. `None` if it has ended: by a logout, by its time, by the
    /// removal of the operator, or by a new password.
    fn operator_session(&self, token: &TokenDigest, now: i64) -> Result<Option<Operator>, Fault>;

    /// The key under which seals are made, if it is stored.
    fn seal_key(&self) -> Result<Option<KeyId>, Fault>;

    /// The key under which cookies are signed, as far as it was written down: an engine whose
    /// database has one receiver does not.
    fn cookie_key(&self) -> Result<Option<KeyId>, Fault>;

    /// The version of the rules by which the names of members were folded.
    fn folding_version(&self) -> Result<Option<i64>, Fault>;

    /// The next rows of a table in the order of its key, behind `after` or from the first on. Empty
    /// after the last. A row that cannot be read fails, with its table in the message.
    fn rows_page(&self, table: Table, after: Option<&TableRow>) -> Result<Vec<TableRow>, Fault>;

    /// About how many rows all tables of [`Table`] have, for a progress bar.
    fn count_rows(&self) -> Result<u64, Fault>;

    /// The bytes that a copy of the whole database takes.
    fn copy_size(&self) -> Result<u64, Fault>;

    /// Copies the whole database, as of one moment, to this new and empty file. Other processes
    /// write meanwhile and are hardly delayed. Reads a database of any version of the schema. An
    /// engine whose databases are no files refuses.
    fn copy_to(
        &self,
        place: &Path,
        file: &File,
        watch: &mut CopyWatch<'_>,
    ) -> Result<Copied, CopyError>;
}
