//! Records that are stored in a database, apart from the members themselves.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::Fault;
use crate::action::{Change, Recorded, Standing};
use crate::block::{Block, LoginName, NameHolder, Target};
use crate::identity::{Key, MemberId, SiteId, Username};
use crate::journal::Record;
use crate::journal::shape::Columns;
use crate::login_record::LoginRecord;
use crate::operator::{OperatorSession, TokenDigest};
use crate::password::{Hash, Seal, Stored};
use crate::shared_use::{MemberNetwork, SharingBlock};

/// The result of one postback. The change and its journal record are saved together or not at all.
#[derive(Clone, Debug)]
pub struct Outcome<'a> {
    /// The change to the member's row.
    pub change: Change,
    /// The journal record.
    pub record: Record<'a>,
    /// The provisional members whom the postback identified. Their rows go before the change comes.
    pub taken_over: Option<TakenOver>,
}

/// Provisional members whom a postback identified: NATS gave their name with another memberid.
#[derive(Clone, Debug)]
pub struct TakenOver {
    /// Their rows, which are deleted.
    pub gone: Vec<ProvisionalRow>,
    /// The first of these rows under the memberid of NATS: here or former. `None` if the member of
    /// that memberid is here with a row of their own.
    pub moved: Option<Standing>,
    /// Whether a row of former_member under the memberid of NATS is replaced.
    pub replaces_former: bool,
}

/// The row of a provisional member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProvisionalRow {
    /// Site and provisional memberid.
    pub key: Key,
    /// Whether it is in member_auth, or else in former_member.
    pub is_here: bool,
}

/// A sealed credential in the journal that waits to be hashed.
#[derive(Clone, Debug)]
pub struct Pending {
    /// The journal record that holds it.
    pub journal_id: i64,
    /// The member of the credential; the seal opens for no other.
    pub key: Key,
    /// The seal.
    pub seal: Seal,
    /// The form that the row had before this seal, if the row still has the seal.
    pub before: Option<Stored>,
}

impl Pending {
    /// The form that a member's row had before a seal, if the row still has this seal.
    pub(super) fn form_before(standing: Standing, seal: &Seal) -> Option<Stored> {
        let row = match standing {
            Standing::Here(row) | Standing::Lapsed(row) => row,
            Standing::Former(former) => former.member,
            Standing::Unknown => return None,
        };
        let has_it = matches!(&row.credential.stored, Stored::Sealed(held) if held == seal);
        row.before.filter(|_| has_it)
    }
}

/// A hashed credential that replaces a seal in every table that has it.
#[derive(Clone, Debug)]
pub struct Hardened {
    /// The seal that is replaced.
    pub pending: Pending,
    /// The hash or the wrapped cryptpass.
    pub form: Stored,
    /// The row had another credential before, so the logins that were opened with it end.
    pub differs: bool,
}

/// A hash that replaces another hash of the same password.
#[derive(Clone, Debug)]
pub struct Rehashed {
    /// The member.
    pub key: Key,
    /// The hash that the row has.
    pub old: Hash,
    /// The hash that it gets.
    pub new: Hash,
}

/// A login that was ended by a logout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggedOut {
    /// The member.
    pub key: Key,
    /// The cookie's random id.
    pub id: [u8; 16],
    /// When they logged in, unix seconds.
    pub issued: i64,
    /// Also ends all logins of this member that were issued in this second or earlier, unix
    /// seconds.
    pub and_all_until: Option<i64>,
    /// From this time on the cookie is not accepted anyway, unix seconds.
    pub until: i64,
}

/// When a login was last used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The member.
    pub key: Key,
    /// The cookie's random id.
    pub id: [u8; 16],
    /// Unix seconds.
    pub at: i64,
}

/// Limits before which nothing about logins must be kept, all in unix seconds.
#[derive(Clone, Copy, Debug)]
pub struct Spent {
    /// This moment.
    pub now: i64,
    /// Logins that were issued at or before this time are no longer valid. Logouts are merged into
    /// one row only below it, so that no valid login ends.
    pub issued: i64,
    /// Logins that were issued at or before this time cannot be valid under any setting.
    pub forgotten: i64,
    /// Logins that were last used at or before this time have ended.
    pub seen: i64,
    /// Logins that were recorded at or before this time are removed from the record.
    pub recorded: i64,
    /// Networks that members last used at or before this time no longer count for sharing, nor do
    /// blocks that ended by then.
    pub used: i64,
}

/// A small write that a visitor causes and that must survive a restart. Many are written in one
/// transaction, with lower priority than postbacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A login ended by logout.
    LogOut(LoggedOut),
    /// A login was used, where an inactivity timeout is set.
    Seen(Seen),
    /// A block began. It replaces a block against the same target.
    Block(Block),
    /// A member has logged in from a network that was unknown, or not yet noted today.
    Known(KnownNetwork),
    /// A block has ended.
    Lift(Target),
    /// A login, a failed login or a logout.
    Login(LoginRecord),
    /// A member has used the members area from a network.
    Network(MemberNetwork),
    /// A member counts as shared.
    Shared(SharingBlock),
    /// An operator has logged in. With too many sessions the oldest ends.
    OperatorLogin(OperatorSession),
    /// An operator has logged out.
    OperatorLogout(TokenDigest),
}

/// The columns of a member's row that a login check needs.
#[derive(Clone, Debug)]
pub struct LoginRow {
    /// Site and memberid.
    pub key: Key,
    /// The name as it was sent.
    pub username: Username,
    /// Whether it is a trial membership.
    pub trial: bool,
    /// See [`crate::member::Member::login_version`].
    pub login_version: i64,
    /// The credential against which the password is verified.
    pub stored: Stored,
    /// Whether the password is sealed and still has to be compared with the one before it. If it is
    /// another one, `login_version` rises then.
    pub is_uncompared: bool,
}

/// A journal record as it is stored, with its number.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRecord {
    /// The order of effect.
    pub id: i64,
    /// Unix seconds.
    pub at: i64,
    /// `nats`, `operator` or `replay`.
    pub source: String,
    /// The caller.
    pub address: Option<String>,
    /// One of the eight words.
    pub action: Option<String>,
    /// siteid.
    pub siteid: Option<i64>,
    /// memberid.
    pub memberid: Option<i64>,
    /// username.
    pub username: Option<String>,
    /// The fields, urlencoded.
    pub fields: String,
    /// The reply line.
    pub reply: String,
    /// Where a jump of the clock is or was being confirmed: see
    /// [`crate::clock::Moment::moved_until`].
    pub moved_until: Option<i64>,
    /// Who made the change in the console.
    pub operator: Option<String>,
    /// The credential and the session that were put into the row.
    pub put: Recorded,
}

impl StoredRecord {
    /// The member, if both ids were readable.
    pub fn key(&self) -> Option<Key> {
        Some(Key {
            site: SiteId::parse(&self.siteid?.to_string())?,
            member: MemberId::parse(&self.memberid?.to_string())?,
        })
    }

    /// The columns whose values its fields repeat.
    pub(super) fn columns(&self) -> Columns<'_> {
        Columns {
            action: self.action.as_deref(),
            site: self.siteid,
            member: self.memberid,
            username: self.username.as_deref(),
        }
    }
}

/// A journal record that cannot be read, because another program has changed it.
#[derive(Debug, thiserror::Error)]
#[error("journal record {id} cannot be read")]
pub struct UnreadableRecord {
    /// Its number.
    pub id: i64,
    /// What cannot be read.
    #[source]
    pub fault: Fault,
}

/// Selects journal records; `None` means no condition.
#[derive(Clone, Debug, Default)]
pub struct JournalFilter {
    /// This site.
    pub site: Option<i64>,
    /// This member.
    pub member: Option<i64>,
    /// This username, in any spelling.
    pub username: Option<String>,
    /// This action.
    pub action: Option<String>,
    /// This reply word.
    pub word: Option<String>,
    /// At or after, unix seconds.
    pub since: Option<i64>,
    /// Before, unix seconds.
    pub until: Option<i64>,
    /// This source: `nats`, `operator` or `replay`.
    pub source: Option<String>,
    /// This text anywhere in the reply, in any case of ASCII letters.
    pub text: Option<String>,
}

/// What became of a log beside a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetAside {
    /// There is none with any content.
    Nothing,
    /// This one belongs to the database, and stays.
    Belongs(PathBuf),
    /// It has this name now, and so many bytes.
    Done(PathBuf, u64),
}

/// A part of the journal, and how it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalSpan {
    /// Only records with higher numbers.
    pub after: i64,
    /// Only records with numbers up to this one.
    pub newest: i64,
    /// The most records.
    pub most: u32,
    /// Whether the newest record comes first.
    pub newest_first: bool,
}

/// Counts of members by the form of their stored password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forms {
    /// All of them.
    pub members: u64,
    /// With a bcrypt hash.
    pub bcrypt: u64,
    /// With an argon2id hash.
    pub argon2id: u64,
    /// With a wrapped cryptpass. The others are sealed and will be hashed.
    pub wrapped: u64,
    /// With NULL in the column `cryptpass`, in addition to the counts above.
    pub without_cryptpass: u64,
}

/// A member who does not hold the folded form of the name: see
/// [`crate::member::Member::holds_folded`].
#[derive(Clone, Debug)]
pub struct Unfolded {
    /// The member.
    pub key: Key,
    /// The exact name with which they log in.
    pub username: Username,
    /// The holder of the folded form; `None` if the folded form is empty.
    pub holder: Option<MemberId>,
}

/// A keyed hash. Without the key it cannot be linked to its input or to another hash of it.
pub const KNOWN_BYTES: usize = 16;

/// A member and a network, as keyed hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownId {
    /// The hash of the member.
    pub member: [u8; KNOWN_BYTES],
    /// The hash of member and network: the same network has another hash for another member.
    pub network: [u8; KNOWN_BYTES],
}

/// By what members are searched.
#[derive(Clone, Copy, Debug)]
pub enum FindBy<'a> {
    /// By name, in any spelling.
    Name(&'a Username),
    /// By e-mail address, in any case of ASCII letters.
    Email(&'a str),
    /// By memberid, on all sites.
    Member(MemberId),
}

/// A login of a member from a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownNetwork {
    /// Member and network.
    pub id: KnownId,
    /// The day of the last login, in days since 1970.
    pub day: i64,
}

/// A read transaction that has been open for so long that it blocks the engine's maintenance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongRead {
    /// When it was first noticed; the transaction may be older.
    pub since: Instant,
    /// The bytes that the engine cannot reclaim meanwhile.
    pub bytes: u64,
    /// What the engine calls the log that grows.
    pub log: &'static str,
    /// The usual causes, for a log line that says what to look for.
    pub suspects: &'static str,
}

/// How long the last work of the engine took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineTimes {
    /// The commit of a transaction.
    pub commit: Option<Duration>,
    /// A checkpoint, complete or not.
    pub checkpoint: Option<Duration>,
}

/// A query about one login by cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CookieLogin {
    /// The member.
    pub key: Key,
    /// The cookie's random id.
    pub id: [u8; 16],
    /// When they logged in, unix seconds.
    pub issued: i64,
    /// The version of the member's row at that time.
    pub login_version: i64,
    /// Whether [`CookieLoginState::last_used`] is needed.
    pub wants_last_use: bool,
}

/// What is stored about a login by cookie.
#[derive(Debug)]
pub struct CookieLoginState {
    /// The member's row, if they may log in. A row that cannot be read is [`Fault::BadRow`].
    pub row: Result<Option<LoginRow>, Fault>,
    /// Whether the login was ended.
    pub is_logged_out: bool,
    /// When it was last used, unix seconds, if that was queried and is stored.
    pub last_used: Option<i64>,
}

/// The rows that a login with a name is checked against.
#[derive(Debug, Default)]
pub struct NamedLogins {
    /// The rows, in the order of the sites in the query.
    pub rows: Vec<LoginRow>,
    /// Errors of rows that cannot be read. Their sites have nothing in `rows`.
    pub unreadable: Vec<Fault>,
}

/// The row of blocks behind which a page begins.
#[derive(Clone, Debug)]
pub struct BlockCursor(pub(super) [String; 3]);

impl BlockCursor {
    /// Behind a row with this kind, network and name, in this order.
    pub fn behind(columns: [String; 3]) -> Self {
        Self(columns)
    }

    /// Kind, network and name of the row.
    pub fn parts(&self) -> &[String; 3] {
        &self.0
    }

    /// Behind this block.
    pub fn of(block: &Block) -> Self {
        let target = &block.target;
        let network = target.network().map(|network| network.to_string()).unwrap_or_default();
        let name = target.name().map(LoginName::as_str).unwrap_or_default();
        Self([target.kind().as_str().to_owned(), network, name.to_owned()])
    }
}

/// A page of blocks.
#[derive(Debug, Default)]
pub struct BlockPage {
    /// The blocks, each with whether a member has the name now.
    pub blocks: Vec<(Block, NameHolder)>,
    /// Rows of the page that cannot be read.
    pub unreadable: u64,
    /// Where the next page begins; `None` after the last.
    pub next: Option<BlockCursor>,
}

/// The member behind whom a page of forms begins.
#[derive(Clone, Copy, Debug)]
pub struct FormsCursor(pub(super) (i64, i64));

/// The forms of the stored passwords in a page of members.
#[derive(Debug, Default)]
pub struct FormsPage {
    /// The counts.
    pub forms: Forms,
    /// Where the next page begins; `None` after the last.
    pub next: Option<FormsCursor>,
}

impl Forms {
    /// Adds the counts of other members.
    pub fn add(&mut self, other: &Self) {
        self.members += other.members;
        self.bcrypt += other.bcrypt;
        self.argon2id += other.argon2id;
        self.wrapped += other.wrapped;
        self.without_cryptpass += other.without_cryptpass;
    }
}

/// Progress of the conversion of journal records that schema versions before 5 wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversion {
    /// The number of the first record to convert.
    pub first: i64,
    /// The number of the next one; after [`Conversion::last`] when all are converted.
    pub next: i64,
    /// The number of the last one.
    pub last: i64,
    /// The records of this step that keep their longer form, because they cannot be read or
    /// written again. Another program has changed them.
    pub left: Vec<i64>,
}

impl Conversion {
    /// Whether all records are converted.
    pub fn is_done(&self) -> bool {
        self.next > self.last
    }

    /// How much is done, in per cent of the numbers.
    pub fn percent(&self) -> i64 {
        let all = (self.last - self.first + 1).max(1);
        (self.next - self.first).clamp(0, all) * 100 / all
    }
}

/// A key that all receivers of one database share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharedKey {
    /// `seal.key`, under which passwords are sealed.
    Seals,
    /// `cookie.key`, under which logins are signed.
    Cookies,
}

/// A setting that should be the same at all receivers of one database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedSetting {
    /// Its name in the configuration file, at most 64 ASCII characters.
    pub name: String,
    /// Its value as text, at most 255 characters.
    pub value: String,
}
