//! The counts as of one moment.

use std::collections::VecDeque;

use crate::reply::Word;

/// The most sites that are counted apart. All others are counted together.
pub const SITES_MAX: usize = 100;

/// The counts as of one moment. Postbacks are those that NATS sent and that are in the journal:
/// everything but CHECK, which changes nothing and is not recorded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// When the journal was last read, unix seconds; 0 if never.
    pub at: i64,
    /// From this second on the counts are complete, unix seconds. `None` while the time before the
    /// start is being read, the newest records first.
    pub complete_since: Option<i64>,
    /// The postbacks of the last 48 hours, the oldest hour first. Hours without any are left out.
    pub hours: Vec<HourCount>,
    /// The last postback of each site and action.
    pub last: Vec<LastPostback>,
    /// The newest ERROR replies, the newest first.
    pub errors: VecDeque<ErrorReply>,
    /// The postbacks of the last hour, to the minute.
    pub recent: Recent,
    /// For each site, how long it has been silent, and what it sent in these hours of earlier
    /// weeks.
    pub silences: Vec<SiteSilence>,
    /// The members of each site. Empty until they were counted once.
    pub members: Vec<SiteMembers>,
    /// When these were counted, unix seconds.
    pub members_at: Option<i64>,
    /// About how many records the journal has.
    pub journal_records: u64,
    /// The credentials that wait to be hashed.
    pub backlog: u64,
    /// How many there were a quarter of an hour ago. `None` soon after the start.
    pub backlog_before: Option<u64>,
    /// The sizes of what is on this machine.
    pub sizes: Sizes,
}

/// The postbacks of one hour with one action and one reply word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HourCount {
    /// The beginning of the hour (UTC), unix seconds.
    pub hour: i64,
    /// One of [`crate::action::NAMES`]; `None` if it was none of them.
    pub action: Option<&'static str>,
    /// The word of the reply.
    pub word: Word,
    /// How many.
    pub count: u64,
}

/// The last postback of a site with one action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastPostback {
    /// siteid. `None`: all sites beyond [`SITES_MAX`], and postbacks without a readable siteid.
    pub site: Option<i64>,
    /// One of [`crate::action::NAMES`]; `None` if it was none of them.
    pub action: Option<&'static str>,
    /// Unix seconds.
    pub at: i64,
}

/// A postback that was answered with ERROR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorReply {
    /// The number of the journal record.
    pub id: i64,
    /// Unix seconds.
    pub at: i64,
    /// siteid, as far as it was readable.
    pub siteid: Option<i64>,
    /// memberid, as far as it was readable.
    pub memberid: Option<i64>,
    /// One of [`crate::action::NAMES`]; `None` if it was none of them.
    pub action: Option<&'static str>,
    /// The reply line, with the word.
    pub reply: String,
}

/// The postbacks of the last hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recent {
    /// All of them.
    pub postbacks: u64,
    /// Those that were answered with ERROR.
    pub errors: u64,
}

/// How long a site has been silent, and how many postbacks it sent in these hours of the week
/// before.
#[derive(Clone, Debug, PartialEq)]
pub struct SiteSilence {
    /// siteid.
    pub site: i64,
    /// When its last postback came, unix seconds.
    pub since: i64,
    /// How many came between the same times of the week, one week earlier, two weeks earlier and so
    /// on, as far as the journal was read and the site has sent anything before. Parts of an hour
    /// count in proportion.
    pub weeks: Vec<f64>,
}

/// The members of one site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SiteMembers {
    /// siteid. `None`: all sites beyond [`SITES_MAX`].
    pub site: Option<i64>,
    /// Members with a full membership.
    pub full: u64,
    /// Members on trial.
    pub trial: u64,
    /// Former members.
    pub former: u64,
}

/// Bytes on this machine. `None` where there is no such thing: a database on a server has no file
/// here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// The database file.
    pub database: Option<u64>,
    /// The database's log of changes (the WAL).
    pub log: Option<u64>,
    /// What the service can still write on the disk of the database.
    pub free: Option<u64>,
}
