//! What happened lately, for `/metrics`, for alarms and for the console: counts of the postbacks in
//! the journal and of the members.
//!
//! A thread in the background follows the journal, and reads it backwards once for the time before
//! its start. So the counts contain the postbacks of all receivers of a database, and those from
//! before a restart. Pages take the current [`Snapshot`] and read no table.

mod collector;
mod hours;
mod members;
mod places;
mod snapshot;
mod tally;
mod thread;

pub use collector::{Collector, READ_BACK_SECONDS, SETTLE_SECONDS};
pub use places::Places;
pub use snapshot::{
    ErrorReply, HourCount, LastPostback, Recent, SITES_MAX, SiteMembers, SiteSilence, Sizes,
    Snapshot,
};
pub use thread::{Statistics, StatisticsThread};
