//! What goes into a database and comes out of it, beside the members themselves.

use std::time::Instant;

use super::Fault;
use crate::action::{Change, Recorded};
use crate::block::{Block, NameHolder, Target};
use crate::identity::{Key, MemberId, Username};
use crate::journal::Record;
use crate::password::{Hash, Seal, Stored};

/// What became of one postback, to be saved as one: the change and its journal record, never one
/// without the other.
#[derive(Clone, Debug)]
pub struct Outcome<'a> {
    /// The change to the member's row.
    pub change: Change,
    /// The journal record.
    pub record: Record<'a>,
}

/// A sealed credential in the journal that waits to be hashed.
#[derive(Clone, Debug)]
pub struct Pending {
    /// The journal record that holds it.
    pub journal_id: i64,
    /// Whose it is; the seal opens for nobody else.
    pub key: Key,
    /// The seal.
    pub seal: Seal,
    /// The form that stood in the row before this seal, where the row still has the seal.
    pub before: Option<Stored>,
}

/// What a seal became, to take its place in every table that holds it.
#[derive(Clone, Debug)]
pub struct Hardened {
    /// What it was.
    pub pending: Pending,
    /// The hash or the wrapped cryptpass.
    pub form: Stored,
    /// The row had another credential before, and the logins that it opened end.
    pub differs: bool,
}

/// A hash in the place of another one of the same password.
#[derive(Clone, Debug)]
pub struct Rehashed {
    /// Whose it is.
    pub key: Key,
    /// The hash that the row has.
    pub old: Hash,
    /// The hash that it gets.
    pub new: Hash,
}

/// A login cookie that was given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggedOut {
    /// Whose login it was.
    pub key: Key,
    /// The cookie's random id.
    pub id: [u8; 16],
    /// When they logged in, unix seconds.
    pub issued: i64,
    /// Also all logins of this member that were issued in this second or before, unix seconds.
    pub and_all_until: Option<i64>,
    /// When nobody takes the cookie any more, unix seconds.
    pub until: i64,
}

/// When a login was last used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Whose it is.
    pub key: Key,
    /// The cookie's random id.
    pub id: [u8; 16],
    /// Unix seconds.
    pub at: i64,
}

/// From when on nothing has to be known of logins, all in unix seconds.
#[derive(Clone, Copy, Debug)]
pub struct Spent {
    /// This moment.
    pub now: i64,
    /// No login that was issued then or before counts, so that nobody loses one where logouts
    /// become one row.
    pub issued: i64,
    /// No login that was issued then or before can count, however long logins are set to last.
    pub forgotten: i64,
    /// A login that was last used then or before is over.
    pub seen: i64,
}

/// What a visitor causes and a restart shall not forget. Many are written in one transaction,
/// behind postbacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A login was given back.
    LogOut(LoggedOut),
    /// A login was used, where an inactivity timeout is set.
    Seen(Seen),
    /// A block began. It replaces a block against the same target.
    Block(Block),
    /// A member has logged in from a network that was not known, or not today.
    Known(KnownNetwork),
    /// A block has ended.
    Lift(Target),
}

/// What a login check asks of a member's row.
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
    /// What the password is verified against.
    pub stored: Stored,
}

/// A journal record as it is stored, with its number.
#[derive(Clone, Debug)]
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
    /// The line that went back.
    pub reply: String,
    /// Where a jump of the clock is or was being confirmed: see
    /// [`crate::clock::Moment::moved_until`].
    pub moved_until: Option<i64>,
    /// What was put into the row.
    pub put: Recorded,
}

/// Which journal records are asked for; `None` takes all.
#[derive(Clone, Debug, Default)]
pub struct JournalFilter {
    /// This site.
    pub site: Option<i64>,
    /// This member.
    pub member: Option<i64>,
    /// This username, in whatever spelling.
    pub username: Option<String>,
    /// This action.
    pub action: Option<String>,
    /// This reply word.
    pub word: Option<String>,
    /// At or after, unix seconds.
    pub since: Option<i64>,
    /// Before, unix seconds.
    pub until: Option<i64>,
}

/// How many members have what in their row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forms {
    /// All of them.
    pub members: u64,
    /// With a bcrypt hash.
    pub bcrypt: u64,
    /// With an argon2id hash.
    pub argon2id: u64,
    /// With a wrapped cryptpass. The rest is sealed, and soon of another form.
    pub wrapped: u64,
    /// With nothing in the column `cryptpass`, whatever else they have.
    pub without_cryptpass: u64,
}

/// A member who does not hold the folded form of the name: see
/// [`crate::member::Member::holds_folded`].
#[derive(Clone, Debug)]
pub struct Unfolded {
    /// Who.
    pub key: Key,
    /// The exact name, by which they log in.
    pub username: Username,
    /// Who holds the folded form; nobody where it is empty.
    pub holder: Option<MemberId>,
}

/// Bytes of a keyed hash: without the key nobody finds what it is of, or two with one hash.
pub const KNOWN_BYTES: usize = 16;

/// A member and a network, as keyed hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownId {
    /// Of the member.
    pub member: [u8; KNOWN_BYTES],
    /// Of the member and the network: the same network of two members has two.
    pub network: [u8; KNOWN_BYTES],
}

/// A member has logged in from a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownNetwork {
    /// Who, from where.
    pub id: KnownId,
    /// When last, in days since 1970.
    pub day: i64,
}

/// A read transaction that is open for so long that it blocks the engine's maintenance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongRead {
    /// When it was first noticed; the transaction may be older.
    pub since: Instant,
    /// The bytes that the engine cannot reclaim meanwhile.
    pub bytes: u64,
}

/// A login by cookie, as the store is asked about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CookieLogin {
    /// The member.
    pub key: Key,
    /// The cookie's random id.
    pub id: [u8; 16],
    /// When they logged in, unix seconds.
    pub issued: i64,
    /// The version of the member's row then.
    pub login_version: i64,
    /// Whether [`CookieLoginState::last_used`] is asked for.
    pub wants_last_use: bool,
}

/// What is stored about a login by cookie.
#[derive(Debug)]
pub struct CookieLoginState {
    /// The member's row, if they may log in. A row that cannot be read is [`Fault::BadRow`].
    pub row: Result<Option<LoginRow>, Fault>,
    /// Whether the login was ended.
    pub is_logged_out: bool,
    /// When it was last used, unix seconds, as far as it was asked for and stored.
    pub last_used: Option<i64>,
}

/// The rows that a login with a name is checked against.
#[derive(Debug, Default)]
pub struct NamedLogins {
    /// By sites as they were asked for.
    pub rows: Vec<LoginRow>,
    /// What is wrong with rows that cannot be read. Nothing of their sites is in `rows`.
    pub unreadable: Vec<Fault>,
}

/// Behind which row of blocks a page begins.
#[derive(Clone, Debug)]
pub struct BlockCursor(pub(super) [String; 3]);

/// A page of blocks.
#[derive(Debug, Default)]
pub struct BlockPage {
    /// The blocks, each with whether a member has the name now.
    pub blocks: Vec<(Block, NameHolder)>,
    /// Rows of the page that cannot be read.
    pub unreadable: u64,
    /// Where the next page begins; `None` behind the last.
    pub next: Option<BlockCursor>,
}

/// Behind which member a page of forms begins.
#[derive(Clone, Copy, Debug)]
pub struct FormsCursor(pub(super) (i64, i64));

/// The forms of the stored passwords in a page of members.
#[derive(Debug, Default)]
pub struct FormsPage {
    /// The counts.
    pub forms: Forms,
    /// Where the next page begins; `None` behind the last.
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

/// How far the journal records of before version 5 of the schema are converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conversion {
    /// The number of the first record that there was to convert.
    pub first: i64,
    /// The number of the next one; after [`Conversion::last`] when all are converted.
    pub next: i64,
    /// The number of the last one.
    pub last: i64,
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
