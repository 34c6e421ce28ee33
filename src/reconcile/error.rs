//! Why a list cannot be compared.

use std::io;

use crate::nats_client;
use crate::store::{Fault, OpenError};

/// Why nothing was compared. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The input cannot be read.
    #[error("cannot read the list")]
    Io(#[source] io::Error),
    /// A row of CSV is not one, mostly because the file was cut off.
    #[error("the list cannot be read at line {line}: {what}; get a whole list and try again")]
    Csv {
        /// The line.
        line: u64,
        /// What is wrong.
        what: String,
    },
    /// JSON that is not the list, or was cut off. Its content is not shown.
    #[error(
        "the list cannot be read at line {line}, column {column}: {what}; get a whole list and try \
         again"
    )]
    Json {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// It is another kind of file.
    #[error("expected CSV with a header line or JSON, found {0}")]
    Foreign(&'static str),
    /// A column that is needed.
    #[error("the list has no column `{0}`: name it so in the header line")]
    NoColumn(&'static str),
    /// Two columns of one name.
    #[error("the list has two columns `{0}`: remove one")]
    ColumnTwice(String),
    /// Rows do not say their site.
    #[error("the list does not say the site of its members: give one with --site")]
    NoSite,
    /// None of its rows can be read.
    #[error("no row of the list can be read; the first one is row {0}: {1}; correct the list")]
    NoRow(u64, String),
    /// There is no member in it.
    #[error(
        "the list has no active member, which is more likely a mistake than the truth: get the \
         list again"
    )]
    Empty,
    /// There is no member of a site in it.
    #[error(
        "the list has no active member of site {0}, which is more likely a mistake than the \
         truth: get the list again, or leave the site out"
    )]
    EmptySite(i64),
    /// More members than fit.
    #[error("the list has more than {0} members: give single sites with --site")]
    TooMany(usize),
    /// More text than fits.
    #[error("the list has a value of more than 65535 bytes, or more than 4 GiB of them")]
    TooLarge,
    /// NATS.
    #[error(transparent)]
    Nats(#[from] nats_client::Error),
    /// NATS has an error instead of the list. Its text is not repeated, because it may contain the
    /// request.
    #[error(
        "NATS answered with an error instead of a list: the account may not use this resource, or \
         this address is not in NATS's Admin API Allowed IPs"
    )]
    NatsError,
    /// A page does not continue the one before it.
    #[error(
        "NATS's list has changed between two pages (at member {0} of site {1}): try again, when \
         fewer members change"
    )]
    Changed(String, i64),
    /// Each page is the first one.
    #[error(
        "NATS answered with the same {0} members for each page, so this version has no pages that \
         this program knows: export the list to a file and give that file"
    )]
    SamePage(u64),
    /// NATS did not look at the site.
    #[error(
        "NATS answered with a member of site {found} when it was asked for site {asked}: this \
         version has no list of one site: export the list to a file and give that file"
    )]
    OtherSite {
        /// The site of the request.
        asked: i64,
        /// The site of a row.
        found: i64,
    },
    /// The database has no site to compare.
    #[error("there is no member here, so no site to compare: give one with --site")]
    NoSites,
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database cannot be read.
    #[error("cannot read the database")]
    Read(#[from] Fault),
    /// The report cannot be written.
    #[error(transparent)]
    Report(io::Error),
    /// The caller has ended it.
    #[error("it was stopped")]
    Stopped,
}
