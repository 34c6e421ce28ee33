//! The only place that knows SQL. What the writer needs of a database is [`Engine`]: load all that
//! a batch of postbacks touches, save all that was decided, commit. A second engine is one more
//! module here that implements it.

mod current;
mod fault;
mod lapse;
mod location;
mod open_error;
pub mod pages;
mod read;
pub mod reads;
mod records;
mod sqlite;
mod view;

pub use current::{CurrentDatabase, CurrentReader};
pub use fault::{Cause, Fault, Replacement, if_readable};
pub use lapse::{Lapse, standing_at};
pub use location::{
    DatabaseState, Fingerprint, Location, check_access, check_content, check_whole, exists,
    open_for_check, open_reader, set_log_aside, state_of, with_engine,
};
pub use open_error::{OpenError, UpgradeError};
pub use read::Read;
pub use reads::{ReadError, ReadSource, Reads};
pub use records::{
    BlockCursor, BlockPage, Conversion, CookieLogin, CookieLoginState, Forms, FormsCursor,
    FormsPage, Hardened, JournalFilter, KNOWN_BYTES, KnownId, KnownNetwork, LoggedOut, LoginRow,
    LongRead, NamedLogins, Note, Outcome, Pending, Rehashed, Seen, Spent, StoredRecord, Unfolded,
};
pub use view::{View, Wanted};

use std::time::Instant;

use crate::block::{Block, Target};
use crate::clock::Moment;
use crate::epoch::Epoch;
use crate::identity::Key;
use crate::password::KeyId;

/// What the single writer asks of a database. Every call happens between `begin` and `commit` or
/// `rollback`, but for those that say otherwise. A batch costs a few round trips: one `load`, one
/// `save`, one `commit`.
pub trait Engine {
    /// Starts a transaction that holds the write lock, so that what is loaded stays true until the
    /// commit.
    fn begin(&mut self) -> Result<(), Fault>;

    /// Moves members whose noted expiry is at or before `now` (unix seconds) to former_member, at
    /// most `most`; says how many.
    fn expire_due(&mut self, now: i64, most: usize) -> Result<usize, Fault>;

    /// Adds to `view` what it does not hold yet of `wanted`, as of this moment: a member whose
    /// noted expiry is reached is moved first, and holds no name any more. While a jump of the
    /// clock is being confirmed nobody is moved by it: then `save` moves those whose names are
    /// given to others.
    fn load(&mut self, wanted: &Wanted, view: &mut View, moment: Moment) -> Result<(), Fault>;

    /// Writes outcomes in this order: changes and journal records. An error leaves the transaction
    /// open for `rollback`, or for `rollback_to_savepoint`.
    fn save(&mut self, outcomes: &[Outcome<'_>]) -> Result<(), Fault>;

    /// Marks a point to which `rollback_to_savepoint` goes back.
    fn savepoint(&mut self) -> Result<(), Fault>;

    /// Undoes all since `savepoint`, and forgets it. An error means that the whole transaction is
    /// lost.
    fn rollback_to_savepoint(&mut self) -> Result<(), Fault>;

    /// Forgets the savepoint.
    fn release_savepoint(&mut self) -> Result<(), Fault>;

    /// Commits durably: when it returns, power may fail. [`Fault::OutcomeUnknown`] where nobody can
    /// tell what happened; then the engine must be opened anew.
    fn commit(&mut self) -> Result<(), Fault>;

    /// Gives the transaction up. Never fails: whatever is wrong shows at the next `begin`.
    fn rollback(&mut self);

    /// Takes the folded form of the name from a member, who keeps the exact one: see
    /// [`crate::member::Member::holds_folded`].
    fn unfold(&mut self, key: Key) -> Result<(), Fault>;

    /// Puts what was hardened in the place of its seals, in member_auth, former_member and journal.
    fn harden(&mut self, hardened: &[Hardened]) -> Result<(), Fault>;

    /// Puts a new hash in the place of the old one in the member's row and in the journal records
    /// that brought it. Where the row has another credential by now, nothing happens.
    fn rehash(&mut self, rehashed: &Rehashed) -> Result<(), Fault>;

    /// Writes down what a visitor caused. `sure` is the time that is sure to have come, unix
    /// seconds.
    fn note(&mut self, note: &Note, sure: i64) -> Result<(), Fault>;

    /// Forgets what is spent of logouts and of last uses, or makes fewer rows of it, at most `most`
    /// of each table; says whether there was any. It cannot be undone, so the time has to be sure.
    fn forget_logins(&mut self, spent: Spent, most: usize) -> Result<bool, Fault>;

    /// Forgets a block. How long one lasts is no matter of the clock that somebody may set, so that
    /// none is forgotten by it.
    fn lift(&mut self, target: &Target) -> Result<(), Fault>;

    /// Forgets all blocks but these.
    fn keep_blocks(&mut self, blocks: &[Block]) -> Result<(), Fault>;

    /// Writes the probe of `GET /health`.
    fn probe(&mut self, now: i64) -> Result<(), Fault>;

    /// Removes journal records older than `before` (unix seconds), oldest first and at most `most`;
    /// those still sealed stay, and so does the newest. Says how many went.
    fn prune(&mut self, before: i64, most: usize) -> Result<usize, Fault>;

    /// Converts the next journal records that have an older form, at most `most`; says how far it
    /// has come, or `None` where there is nothing to convert. Both forms are read alike.
    fn convert_journal(&mut self, most: usize) -> Result<Option<Conversion>, Fault>;

    /// Writes down under which key seals are made from now on.
    fn set_seal_key(&mut self, id: KeyId) -> Result<(), Fault>;

    /// Ends all logins by cookie: those of before are none under another epoch.
    fn begin_login_epoch(&mut self, epoch: Epoch) -> Result<(), Fault>;

    /// Whether member_auth, former_member and journal are all empty.
    fn is_empty(&mut self) -> Result<bool, Fault>;

    /// Outside a transaction, after the replies of a batch are sent: the engine's own maintenance,
    /// as far as it is due. Returns a read transaction that has blocked it for too long. `now` is a
    /// monotonic time.
    ///
    /// # Errors
    ///
    /// Any fault.
    fn maintain(&mut self, now: Instant) -> Result<Option<LongRead>, Fault>;

    /// Outside a transaction: checks now that the database is the one that was opened.
    ///
    /// # Errors
    ///
    /// [`Fault::Replaced`] where it is not.
    fn check_current(&mut self) -> Result<(), Fault>;

    /// Outside a transaction, at the end of the last writer: leaves the database as one that can be
    /// copied at once; `false` where that failed. Then nothing is lost, and the log says what to
    /// do.
    fn finish(&mut self) -> bool;
}
