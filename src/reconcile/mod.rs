//! Compares the members here with NATS's list of active members, reports the differences, and mends
//! them where the operator says so.

mod changed;
mod compare;
mod error;
mod fetch;
mod guard;
mod json;
mod list;
mod mend;
mod read;
mod row;
pub mod schedule;

use std::io::Read;

use crate::identity::{Key, MemberId, SiteId, Username};
use crate::store;

pub use changed::{Since, changed_since};
pub use compare::{Here, compare};
pub use error::ReconcileError;
pub use fetch::fetch;
pub use list::{ListWish, MemberList, RefusedRow};
pub use mend::{Mended, Mending, Plan, Planned};

/// A difference between NATS's list and the members here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The member.
    pub key: Key,
    /// The name here, or that of the list for someone who is not here.
    pub name: Option<Username>,
    /// What differs.
    pub kind: Kind,
}

/// What differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// NATS has them as active, and they are not a member here.
    NotHere {
        /// They were a member here, so that the kept credential can be used.
        is_former: bool,
        /// The list has a password or a cryptpass.
        has_credential: bool,
    },
    /// They are a member here, and not active at NATS.
    NotThere,
    /// They are here under the memberid of an import that had none of NATS.
    Provisional {
        /// That memberid.
        here: MemberId,
    },
    /// NATS has another name.
    Name {
        /// That name.
        there: Username,
    },
    /// NATS has another trial flag.
    Trial {
        /// That flag.
        there: bool,
    },
    /// NATS has another expiry.
    Expiry {
        /// That time, unix seconds.
        there: i64,
        /// The time here.
        here: Option<i64>,
    },
}

/// How many members were compared, and what differs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Members here, of the sites that were compared.
    pub members: u64,
    /// In the list and not a member here.
    pub not_here: u64,
    /// Of these, former members.
    pub not_here_former: u64,
    /// A member here and not in the list.
    pub not_there: u64,
    /// Active at NATS and here, under a provisional memberid.
    pub provisional: u64,
    /// With another name.
    pub names: u64,
    /// With another trial flag.
    pub trials: u64,
    /// With another expiry.
    pub expiries: u64,
    /// Not compared, because they have changed since the list was made.
    pub changed: u64,
}

impl Counts {
    /// All differences.
    pub fn all(&self) -> u64 {
        self.mendable() + self.expiries
    }

    /// Those that can be mended. Another expiry is only reported.
    pub fn mendable(&self) -> u64 {
        self.not_here + self.not_there + self.provisional + self.names + self.trials
    }
}

/// As the log and the last line of the command show it.
impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} active at NATS and not here ({} of them former members), {} here and not active at \
             NATS, {} with another name, {} with another trial flag, {} with another expiry",
            self.not_here,
            self.not_here_former,
            self.not_there,
            self.names,
            self.trials,
            self.expiries
        )?;
        match self.provisional {
            0 => Ok(()),
            count => write!(f, ", {count} with a provisional memberid"),
        }
    }
}

/// Reads a list from a file.
///
/// # Errors
///
/// See [`ReconcileError`].
pub fn read_list(
    input: impl Read,
    wish: &ListWish,
    report: &mut dyn FnMut(usize),
) -> Result<MemberList, ReconcileError> {
    let mut list = MemberList::new(wish.clone());
    let read = read::read(input, &mut |row, number| {
        list.push(row, number, None)?;
        if list.rows().is_multiple_of(1_000) {
            report(list.members());
        }
        Ok(())
    })?;
    list.may_be_cut = read.may_be_cut;
    list.is_csv = read.kind == read::Kind::Csv;
    list.complete()?;
    Ok(list)
}

/// The sites of which there are members here.
///
/// # Errors
///
/// If the database cannot be read.
pub fn sites_here(reader: &dyn store::Read, now: i64) -> Result<Vec<SiteId>, store::Fault> {
    let mut sites: Vec<SiteId> = Vec::new();
    loop {
        // Behind every member of the last site.
        let after = sites.last().map(|&site| Key::last_of(site));
        match reader.members_page(None, after, now)?.first() {
            Some(row) => sites.push(row.key.site),
            None => return Ok(sites),
        }
    }
}
