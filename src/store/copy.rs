//! Copies of a whole database, for a backup and for its restore.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::fault::Fault;
use crate::clock::format_utc;
use crate::counted::counted;

/// What a database holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// The version of its schema.
    pub version: i64,
    /// The tables and how many rows each has.
    pub tables: Vec<(String, u64)>,
    /// Number and time of the newest journal record.
    pub newest: Option<(i64, i64)>,
}

impl Contents {
    /// Those who may log in.
    pub fn members(&self) -> u64 {
        self.rows("member_auth")
    }

    /// Those who may not log in any more.
    pub fn formers(&self) -> u64 {
        self.rows("former_member")
    }

    /// The records of the journal.
    pub fn records(&self) -> u64 {
        self.rows("journal")
    }

    fn rows(&self, table: &str) -> u64 {
        self.tables.iter().find(|(name, _)| name == table).map_or(0, |(_, rows)| *rows)
    }

    /// What differs in a copy, if anything does.
    pub fn difference(&self, copy: &Self) -> Option<String> {
        if copy.version != self.version {
            return Some(format!("version {} in place of {}", copy.version, self.version));
        }
        if copy.newest != self.newest {
            return Some("another newest journal record".into());
        }
        let missing = |(table, rows): &(String, u64)| {
            let there = copy.rows(table);
            (there != *rows).then(|| format!("{there} of {rows} rows of {table}"))
        };
        let tables = (copy.tables.len() != self.tables.len())
            .then(|| format!("{} of {} tables", copy.tables.len(), self.tables.len()));
        self.tables.iter().find_map(missing).or(tables)
    }
}

/// As commands and the log show it.
impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            counted(self.members(), "member"),
            counted(self.formers(), "former member"),
            counted(self.records(), "journal record"),
        ];
        f.write_str(&counts.join(", "))?;
        match self.newest {
            Some((id, at)) => write!(f, ", the newest {id} of {}", format_utc(at)),
            None => Ok(()),
        }
    }
}

/// A finished copy.
#[derive(Clone, Debug)]
pub struct Copied {
    /// What the database held at the moment of the copy.
    pub contents: Contents,
    /// Bytes of the copy.
    pub bytes: u64,
    /// Bytes by which the log of the database has grown meanwhile, because the copy kept it from
    /// beginning anew.
    pub log_growth: u64,
}

/// Follows a copy, and can end it.
pub struct CopyWatch<'a> {
    /// Ends the copy soon after another thread has set it.
    pub stop: &'a Arc<AtomicBool>,
    /// Whether the copy pauses half of the time, so that other processes can use the disk.
    pub is_gentle: bool,
    /// Called with the bytes that are copied and their total. A return value of `false` ends the
    /// copy.
    pub progress: &'a mut dyn FnMut(u64, u64) -> bool,
}

impl std::fmt::Debug for CopyWatch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CopyWatch").field("is_gentle", &self.is_gentle).finish_non_exhaustive()
    }
}

/// Why no copy was made.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The engine.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The file of the copy.
    #[error("cannot write the copy")]
    Io(#[from] io::Error),
    /// The path of the copy is not one that the engine takes.
    #[error("the path is not UTF-8")]
    Path,
    /// The database is on a server, whose own tools copy it.
    #[error(
        "the database is no file: back it up with the tools of its server, as docs/cluster.md shows"
    )]
    NoFile,
    /// The copy is not what was copied.
    #[error("the copy differs from the database: {0}")]
    Differs(String),
    /// The copy is as damaged as the database, or the disk of the copy is broken.
    #[error("the copy is damaged, and the database may be; run `nats-userman check-config`: {0}")]
    Damaged(String),
    /// The log of the database grew so much meanwhile that postbacks would soon find no space.
    #[error(
        "the log of the database has grown by {mib} MiB meanwhile, and the copy was ended before \
         it fills the disk: free some space, or back up when fewer postbacks come",
        mib = .0 >> 20
    )]
    LogTooLarge(u64),
    /// The caller has ended it.
    #[error("it was stopped")]
    Stopped,
}
