//! Rows in a form that no engine determines: `migrate-store` reads them from one database and
//! writes them to another one as they are.

use super::Fault;
use super::records::{BlockPage, KnownNetwork, Seen, StoredRecord, UnreadableRecord};
use crate::block::Block;
use crate::identity::Key;
use crate::login_record::StoredLogin;
use crate::member::{Former, Member};
use crate::operator::Operator;
use crate::shared_use::{MemberNetwork, SharingBlock};

/// A table that is copied row by row. Tables of one row, such as the id of the seal key, have
/// methods of their own in [`super::Read`] and [`super::Engine`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// `member_auth`, by siteid and memberid.
    Members,
    /// `former_member`, by siteid and memberid.
    Formers,
    /// `journal`, by number.
    Journal,
    /// `logout`, by id.
    Logouts,
    /// `logout_before`, by siteid and memberid.
    LogoutsBefore,
    /// `login_seen`, by siteid, memberid and id.
    LastUses,
    /// `known_network`, by member and network.
    KnownNetworks,
    /// `block`, by kind, network and username.
    Blocks,
    /// `login`, by number.
    Logins,
    /// `sharing_network`, by siteid, memberid and network.
    MemberNetworks,
    /// `sharing_block`, by siteid and memberid.
    SharingBlocks,
    /// `operator`, by name.
    Operators,
}

impl Table {
    /// All of them, in the order in which they are copied.
    pub const ALL: [Self; 12] = [
        Self::Members,
        Self::Formers,
        Self::Journal,
        Self::Logouts,
        Self::LogoutsBefore,
        Self::LastUses,
        Self::KnownNetworks,
        Self::Blocks,
        Self::Logins,
        Self::MemberNetworks,
        Self::SharingBlocks,
        Self::Operators,
    ];

    /// Its name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Members => "member_auth",
            Self::Formers => "former_member",
            Self::Journal => "journal",
            Self::Logouts => "logout",
            Self::LogoutsBefore => "logout_before",
            Self::LastUses => "login_seen",
            Self::KnownNetworks => "known_network",
            Self::Blocks => "block",
            Self::Logins => "login",
            Self::MemberNetworks => "sharing_network",
            Self::SharingBlocks => "sharing_block",
            Self::Operators => "operator",
        }
    }
}

/// A row of one of the tables.
#[derive(Clone, Debug, PartialEq)]
pub enum TableRow {
    /// Of [`Table::Members`].
    Member(Member),
    /// Of [`Table::Formers`].
    Former(Former),
    /// Of [`Table::Journal`].
    Record(StoredRecord),
    /// Of [`Table::Logouts`].
    Logout(Logout),
    /// Of [`Table::LogoutsBefore`].
    LogoutBefore(LogoutBefore),
    /// Of [`Table::LastUses`].
    LastUse(Seen),
    /// Of [`Table::KnownNetworks`].
    KnownNetwork(KnownNetwork),
    /// Of [`Table::Blocks`].
    Block(Block),
    /// Of [`Table::Logins`].
    Login(StoredLogin),
    /// Of [`Table::MemberNetworks`].
    MemberNetwork(MemberNetwork),
    /// Of [`Table::SharingBlocks`].
    SharingBlock(SharingBlock),
    /// Of [`Table::Operators`].
    Operator(Operator),
}

impl TableRow {
    /// A record that was read for a page.
    pub(super) fn of_record(found: Result<StoredRecord, UnreadableRecord>) -> Result<Self, Fault> {
        found
            .map(Self::Record)
            .map_err(|UnreadableRecord { id, fault }| fault.in_row(&format!("journal record {id}")))
    }

    /// All blocks of a page, if each of them can be read.
    pub(super) fn of_blocks(page: BlockPage) -> Result<Vec<Self>, Fault> {
        match page.unreadable {
            0 => Ok(page.blocks.into_iter().map(|(block, _)| Self::Block(block)).collect()),
            count => Err(Fault::BadRow(format!("block: {count} rows have no known target"))),
        }
    }

    /// Its table.
    pub fn table(&self) -> Table {
        match self {
            Self::Member(_) => Table::Members,
            Self::Former(_) => Table::Formers,
            Self::Record(_) => Table::Journal,
            Self::Logout(_) => Table::Logouts,
            Self::LogoutBefore(_) => Table::LogoutsBefore,
            Self::LastUse(_) => Table::LastUses,
            Self::KnownNetwork(_) => Table::KnownNetworks,
            Self::Block(_) => Table::Blocks,
            Self::Login(_) => Table::Logins,
            Self::MemberNetwork(_) => Table::MemberNetworks,
            Self::SharingBlock(_) => Table::SharingBlocks,
            Self::Operator(_) => Table::Operators,
        }
    }

    /// The member or the record that it concerns, for messages. Ids of logins and networks are not
    /// shown.
    pub fn subject(&self) -> String {
        let member = |key: &Key| format!("member {} of site {}", key.member, key.site);
        match self {
            Self::Member(row) => member(&row.key),
            Self::Former(row) => format!("former {}", member(&row.member.key)),
            Self::Record(row) => format!("journal record {}", row.id),
            Self::Logout(Logout { of: Some((key, _)), .. }) => {
                format!("a logout of {}", member(key))
            }
            Self::Logout(Logout { of: None, .. }) => "a logout".to_owned(),
            Self::LogoutBefore(row) => format!("the earlier logouts of {}", member(&row.key)),
            Self::LastUse(row) => format!("a login of {}", member(&row.key)),
            Self::KnownNetwork(_) => "a known network".to_owned(),
            Self::Block(_) => "a block".to_owned(),
            Self::Login(row) => format!("login record {}", row.id),
            Self::MemberNetwork(row) => format!("a network of {}", member(&row.key)),
            Self::SharingBlock(row) => format!("the sharing of {}", member(&row.key)),
            Self::Operator(row) => format!("the operator {}", row.name),
        }
    }
}

/// A login that was ended by a logout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logout {
    /// The cookie's random id.
    pub id: [u8; 16],
    /// From this time on the row may be deleted, unix seconds.
    pub until: i64,
    /// Whose login it was, and when they logged in, unix seconds. `None` in rows from before
    /// version 4 of the schema.
    pub of: Option<(Key, i64)>,
}

/// All logins of a member up to a second were ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogoutBefore {
    /// The member.
    pub key: Key,
    /// Logins that were issued in this second or earlier have ended, unix seconds.
    pub issued: i64,
    /// Logins with a later version of the member's row have not.
    pub login_version: i64,
}
