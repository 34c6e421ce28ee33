//! What a database has of one person, and what is removed when that person is forgotten.

use std::collections::BTreeSet;

use super::records::{KNOWN_BYTES, Seen};
use super::table_row::{Logout, LogoutBefore};
use crate::block::Target;
use crate::identity::Key;
use crate::login_record::StoredLogin;
use crate::unicode::folded;

/// By what the rows of a person are found.
#[derive(Clone, Debug)]
pub struct Person {
    /// Site and memberid.
    pub key: Key,
    /// The folded names and e-mail addresses that this person has or had, and that no other member
    /// has.
    pub names: BTreeSet<String>,
    /// The keyed hashes of the member in `known_network`, one for each key.
    pub known: Vec<[u8; KNOWN_BYTES]>,
    /// The blocks of these names.
    pub blocks: Vec<Target>,
    /// The records of logins with these names that name no member.
    pub logins: Vec<StoredLogin>,
}

impl Person {
    /// Whether a journal record belongs to this person although its siteid or its memberid was not
    /// readable. Such a record changed nothing.
    pub(super) fn sent_unassigned(&self, member: Option<i64>, username: Option<&str>) -> bool {
        match member {
            Some(member) => member == self.key.member.get(),
            None => username.is_some_and(|name| self.names.contains(&folded(name))),
        }
    }
}

/// How many rows were removed when a person was forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Of member_auth and former_member.
    pub rows: u64,
    /// Of the journal.
    pub records: u64,
    /// Recorded logins, failed logins and logouts.
    pub logins: u64,
    /// Ended logins and last uses of logins.
    pub cookies: u64,
    /// Networks from which the member has logged in, as keyed hashes.
    pub known_networks: u64,
    /// Networks and blocks of the protection against sharing.
    pub sharing: u64,
    /// Blocks of the member's names.
    pub blocks: u64,
}

impl Forgotten {
    /// All rows.
    pub fn all(&self) -> u64 {
        let Self { rows, records, logins, cookies, known_networks, sharing, blocks } = self;
        rows + records + logins + cookies + known_networks + sharing + blocks
    }

    /// Adds the rows that were removed later.
    pub fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.records += other.records;
        self.logins += other.logins;
        self.cookies += other.cookies;
        self.known_networks += other.known_networks;
        self.sharing += other.sharing;
        self.blocks += other.blocks;
    }
}

/// What is stored of a person apart from their row, the records of their memberid, and their
/// networks.
#[derive(Clone, Debug, Default)]
pub struct Traces {
    /// Logins that were ended one by one.
    pub logouts: Vec<Logout>,
    /// Logins that were ended together.
    pub logout_before: Option<LogoutBefore>,
    /// When logins were last used.
    pub last_uses: Vec<Seen>,
    /// The days of the last logins from known networks, in days since 1970.
    pub known_days: Vec<i64>,
    /// Numbers of journal records without a readable siteid or memberid.
    pub unassigned: Vec<i64>,
}

/// What the files of a database still have of rows that were deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Residue {
    /// Nothing.
    Nothing,
    /// The WAL may have them, because another process has a read transaction open.
    Log,
    /// The files and logs of the server may have them.
    Server,
}
