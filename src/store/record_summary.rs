//! What the statistics read of journal records and of members: a few columns of many rows.

use crate::action::NAMES;
use crate::reply::Word;

/// The columns of a journal record that statistics count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordSummary {
    /// The number of the record.
    pub id: i64,
    /// Unix seconds.
    pub at: i64,
    /// Whether NATS sent it, and neither a command nor a replay.
    pub is_of_nats: bool,
    /// One of [`NAMES`].
    pub action: Option<&'static str>,
    /// siteid, as far as it was readable.
    pub siteid: Option<i64>,
    /// memberid, as far as it was readable.
    pub memberid: Option<i64>,
    /// The word of the reply.
    pub word: Option<Word>,
    /// The whole reply line, if it is an ERROR.
    pub error: Option<String>,
}

impl RecordSummary {
    /// A record of these columns.
    pub(super) fn new(
        (id, at): (i64, i64),
        source: &str,
        action: Option<&str>,
        (siteid, memberid): (Option<i64>, Option<i64>),
        reply: &str,
    ) -> Self {
        let word = reply.split_once('|').map(|(word, _)| word);
        let word = Word::ALL.into_iter().find(|known| word == Some(known.as_str()));
        Self {
            id,
            at,
            is_of_nats: source == "nats",
            action: action.and_then(|action| NAMES.into_iter().find(|name| *name == action)),
            siteid,
            memberid,
            word,
            error: (word == Some(Word::Error)).then(|| reply.to_owned()),
        }
    }
}

/// How many members, or former members, of one site a page has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SiteCount {
    /// siteid.
    pub site: i64,
    /// All of them.
    pub rows: u64,
    /// Those on trial. Of former members: those who were on trial when they left.
    pub trials: u64,
}

/// The counts of a page of members, or of former members, by site and memberid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountPage {
    /// The sites in the page.
    pub sites: Vec<SiteCount>,
    /// The ids behind which the next page begins; `None` after the last.
    pub next: Option<(i64, i64)>,
}

impl CountPage {
    /// A page of at most `most` rows. Each row here is a site, its last memberid in the page, its
    /// rows and its trials; the sites rise.
    pub(super) fn new(rows: &[(i64, i64, u64, u64)], most: u32) -> Self {
        let all: u64 = rows.iter().map(|(_, _, rows, _)| rows).sum();
        let is_full = all >= u64::from(most);
        Self {
            sites: rows
                .iter()
                .map(|&(site, _, rows, trials)| SiteCount { site, rows, trials })
                .collect(),
            next: rows.last().filter(|_| is_full).map(|&(site, member, ..)| (site, member)),
        }
    }
}
