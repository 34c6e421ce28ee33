//! The only place with SQL. The writer uses a database through [`Engine`]: load all rows that a
//! batch of postbacks concerns, save all that was decided, commit. Each kind of database is one
//! module here that implements it, `sqlite` and `mysql`.

mod bad_location;
mod bounds;
mod columns;
mod copy;
mod current;
mod database_state;
mod diagnosis;
mod fault;
mod found;
mod lapse;
mod location;
pub mod mysql;
mod open_error;
pub mod pages;
mod person;
mod read;
pub mod reads;
mod record_summary;
mod records;
mod shaped;
mod sqlite;
mod table_row;
mod upgrade_plan;
mod view;

pub use bad_location::BadLocation;
pub use copy::{Contents, Copied, CopyError, CopyWatch};
pub use current::{CurrentDatabase, CurrentReader};
pub use database_state::{DatabaseState, MigrationTarget};
pub use diagnosis::{
    Diagnosis, EngineSetting, JournalGrowth, LogReader, LogState, OddCredentials, SchemaDifference,
    SeenCaller,
};
pub use fault::{Cause, Fault, Replacement, if_readable};
pub use found::{FoundMember, FoundState, SearchBy};
pub use lapse::{Lapse, standing_at};
pub use location::{
    Fingerprint, Location, begin_migration, check_access, check_content, check_content_within,
    check_copy, check_whole, complete_migration, diagnose, exists, foreign_log, is_led, log_state,
    migration_target, missing_privilege, open_backup, open_for_check, open_for_command,
    open_for_copy, open_reader, planned_upgrade, set_log_aside, state_of, with_engine,
};
pub use open_error::{OpenError, SCHEMA_VERSION, UpgradeError};
pub use person::{Forgotten, Person, Residue, Traces};
pub use read::Read;
pub use reads::{ReadError, ReadLimits, ReadSource, Reads};
pub use record_summary::{CountPage, RecordSummary, SiteCount};
pub use records::{
    BlockCursor, BlockPage, Conversion, CookieLogin, CookieLoginState, EngineTimes, FindBy, Forms,
    FormsCursor, FormsPage, Hardened, JournalFilter, JournalSpan, KNOWN_BYTES, KnownId,
    KnownNetwork, LoggedOut, LoginRow, LongRead, NamedLogins, Note, Outcome, Pending,
    ProvisionalRow, Rehashed, Seen, SetAside, SharedKey, SharedSetting, Spent, StoredRecord,
    TakenOver, Unfolded, UnreadableRecord,
};
pub use table_row::{Logout, LogoutBefore, Table, TableRow};
pub use upgrade_plan::UpgradePlan;
pub use view::{View, Wanted};

use std::time::Instant;

use crate::block::{Block, Target};
use crate::clock::Moment;
use crate::epoch::Epoch;
use crate::identity::Key;
use crate::journal::Record;
use crate::operator::{Operator, OperatorName};
use crate::password::{Hash, KeyId};

/// The operations of the single writer on a database. Every call happens between `begin` and
/// `commit` or `rollback`, except where its comment says otherwise. A batch costs a few round
/// trips: one `load`, one `save`, one `commit`.
///
/// # Errors
///
/// Each method returns a [`Fault`]. After [`Fault::TransactionLost`] the transaction does not exist
/// any more: the caller calls `rollback` and may run it again from its beginning.
pub trait Engine {
    /// Begins a transaction and takes the write lock, so that what is loaded stays true until the
    /// commit.
    fn begin(&mut self) -> Result<(), Fault>;

    /// Moves at most `most` members whose expiry is at or before `now` (unix seconds) to
    /// former_member. Returns how many.
    fn expire_due(&mut self, now: i64, most: usize) -> Result<usize, Fault>;

    /// Adds to `view` what it does not hold yet of `wanted`, as of this moment, and the rows of
    /// provisional members who have a name that NATS gives another memberid. A member whose
    /// expiry is reached holds no name any more and is moved first. While a jump of the clock is
    /// being confirmed the row stays: then `save` moves a member only if the name is given to
    /// another one.
    fn load(&mut self, wanted: &Wanted<'_>, view: &mut View, moment: Moment) -> Result<(), Fault>;

    /// Writes outcomes in this order: changes and journal records. An error leaves the transaction
    /// open for `rollback`, or for `rollback_to_savepoint`.
    fn save(&mut self, outcomes: &[Outcome<'_>]) -> Result<(), Fault>;

    /// Whether a savepoint isolates a row that the schema refuses, so that the other postbacks of a
    /// batch can be applied in the same transaction. If not, each gets a transaction of its own.
    fn isolates_rows(&self) -> bool {
        true
    }

    /// Sets the savepoint to which `rollback_to_savepoint` returns.
    fn savepoint(&mut self) -> Result<(), Fault>;

    /// Undoes everything since `savepoint`, and removes the savepoint. After an error the whole
    /// transaction is lost.
    fn rollback_to_savepoint(&mut self) -> Result<(), Fault>;

    /// Removes the savepoint and keeps what was done since.
    fn release_savepoint(&mut self) -> Result<(), Fault>;

    /// Commits durably: after it returns, the changes survive a power failure. After
    /// [`Fault::OutcomeUnknown`] the engine must be opened again.
    fn commit(&mut self) -> Result<(), Fault>;

    /// Rolls the transaction back. Never fails: any problem shows at the next `begin`.
    fn rollback(&mut self);

    /// Takes the folded form of the name from a member, who keeps the exact name: see
    /// [`crate::member::Member::holds_folded`].
    fn unfold(&mut self, key: Key) -> Result<(), Fault>;

    /// Replaces seals by what they became, in member_auth, former_member and journal.
    fn harden(&mut self, hardened: &[Hardened]) -> Result<(), Fault>;

    /// Replaces a hash in the member's row and in the journal records that brought it. Where the
    /// row has another credential by now, nothing happens.
    fn rehash(&mut self, rehashed: &Rehashed) -> Result<(), Fault>;

    /// Stores a note. `sure` is a time that has certainly passed, unix seconds.
    fn note(&mut self, note: &Note, sure: i64) -> Result<(), Fault>;

    /// Deletes spent rows of logouts and last uses, or merges them, at most `most` of each table.
    /// Returns whether there were any. This cannot be undone, so the times must be sure.
    fn forget_logins(&mut self, spent: Spent, most: usize) -> Result<bool, Fault>;

    /// Deletes a block. Only this ends a stored block: its duration does not depend on a clock that
    /// can be set.
    fn lift(&mut self, target: &Target) -> Result<(), Fault>;

    /// Ends the blocks of this member for sharing at `now`. Returns whether there was one.
    fn lift_sharing(&mut self, key: Key, now: i64) -> Result<bool, Fault>;

    /// Removes all rows of a person, and their journal records. A record that a replay needs for
    /// other members is emptied instead. If there was anything, it appends `record`, which names
    /// nobody, and ends the logins by cookie that were issued up to `until`, unix seconds.
    fn forget(
        &mut self,
        person: &Person,
        record: &Record<'_>,
        until: i64,
    ) -> Result<Forgotten, Fault>;

    /// Removes the rows of a person that notes have written: logins, networks and blocks.
    fn forget_notes(&mut self, person: &Person) -> Result<Forgotten, Fault>;

    /// Deletes all blocks except these.
    fn keep_blocks(&mut self, blocks: &[Block]) -> Result<(), Fault>;

    /// Writes the probe of `GET /health`.
    fn probe(&mut self, now: i64) -> Result<(), Fault>;

    /// Deletes journal records older than `before` (unix seconds), the oldest first and at most
    /// `most`. Sealed records, the newest record and records later than `now` stay. Returns how
    /// many were deleted.
    fn prune(&mut self, before: i64, now: i64, most: usize) -> Result<usize, Fault>;

    /// Converts the next journal records that have an older form, at most `most`; says how far it
    /// has come, or `None` where there is nothing to convert. Both forms are read alike.
    fn convert_journal(&mut self, most: usize) -> Result<Option<Conversion>, Fault>;

    /// Inserts rows of one table as they are, for `migrate-store`. They come in the order of the
    /// table's key; journal records keep their numbers, and follow those that are there.
    fn insert_rows(&mut self, rows: &[TableRow]) -> Result<(), Fault>;

    /// Stores the key under which seals are made from now on.
    fn set_seal_key(&mut self, id: KeyId) -> Result<(), Fault>;

    /// Stores the key under which cookies are signed from now on, where receivers share one. An
    /// engine whose database has one receiver stores nothing.
    fn set_cookie_key(&mut self, id: KeyId) -> Result<(), Fault>;

    /// Stores the id of a key that receivers share unless one is stored, and returns the stored
    /// one. Of receivers that start at once, all get the id of the same one. With an engine whose
    /// database has one receiver, that receiver agrees with itself.
    fn agree_on_key(&mut self, key: SharedKey, id: KeyId) -> Result<KeyId, Fault>;

    /// Stores these settings of this receiver by their names, and returns what was stored under
    /// them before: the values of the receiver that started last. An engine whose database has one
    /// receiver stores nothing and returns nothing.
    fn agree_on_settings(
        &mut self,
        settings: &[SharedSetting],
    ) -> Result<Vec<SharedSetting>, Fault>;

    /// Stores a new login epoch, which ends all logins by cookie of the one before.
    fn begin_login_epoch(&mut self, epoch: Epoch) -> Result<(), Fault>;

    /// Adds an operator of the console. [`Fault::Constraint`] if there is one with this name.
    fn add_operator(&mut self, operator: &Operator) -> Result<(), Fault>;

    /// Stores a new password of an operator, and ends all their sessions. Returns whether there is
    /// such an operator.
    fn set_operator_password(
        &mut self,
        name: &OperatorName,
        hash: &Hash,
        now: i64,
    ) -> Result<bool, Fault>;

    /// Removes an operator and all their sessions. Returns whether there was such an operator.
    fn remove_operator(&mut self, name: &OperatorName) -> Result<bool, Fault>;

    /// Whether member_auth, former_member and journal are all empty. Also outside a transaction.
    fn is_empty(&mut self) -> Result<bool, Fault>;

    /// Outside a transaction: whether this process does the work that one does for all that share
    /// the database: expiry, hashing, pruning. Call it about once a second. An engine of one
    /// process always says yes.
    ///
    /// # Errors
    ///
    /// Any fault.
    fn lead(&mut self) -> Result<bool, Fault> {
        Ok(true)
    }

    /// Outside a transaction, after the replies of a batch are sent: the engine's own maintenance,
    /// as far as it is due. Returns a read transaction that has blocked it for too long. `now` is a
    /// monotonic time.
    ///
    /// # Errors
    ///
    /// Any fault.
    fn maintain(&mut self, now: Instant) -> Result<Option<LongRead>, Fault>;

    /// How long the last commit and the last checkpoint took, each only once.
    fn take_times(&mut self) -> EngineTimes {
        EngineTimes::default()
    }

    /// Prepares for many writes of one command, as those of an import, where that needs something.
    ///
    /// # Errors
    ///
    /// Any fault.
    fn expect_many(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    /// Makes an index on the e-mail addresses of members, or drops it, where the database does not
    /// have it anyway. Before the first postback.
    ///
    /// # Errors
    ///
    /// Any fault.
    fn index_emails(&mut self, _is_wanted: bool) -> Result<(), Fault> {
        Ok(())
    }

    /// Does what [`Engine::maintain`] does, while no request waits: maintenance that is not due yet
    /// and would take longer later.
    ///
    /// # Errors
    ///
    /// Any fault.
    fn maintain_early(&mut self, _now: Instant) -> Result<(), Fault> {
        Ok(())
    }

    /// Outside a transaction: checks now that the database is the one that was opened.
    ///
    /// # Errors
    ///
    /// [`Fault::Replaced`] where it is not.
    fn check_current(&mut self) -> Result<(), Fault>;

    /// Outside a transaction: removes what the files of the database still have of deleted rows, as
    /// far as the engine can. Says what is left.
    ///
    /// # Errors
    ///
    /// Any fault.
    fn clear_deleted(&mut self) -> Result<Residue, Fault>;

    /// Outside a transaction, at the end of the last writer: leaves the database in a state that
    /// can be copied at once; `false` if that failed. Then nothing is lost, and the log says what
    /// to do.
    fn finish(&mut self) -> bool;
}
