//! `member conflicts`: members whom an ADD, a MANUALADD, an ACTIVATE or a TRIALTOFULL did not let
//! in because another member held the name, and from when it would.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write as _, stdout};

use serde::Serialize;

use crate::action::Standing;
use crate::chain::chain;
use crate::cli::failure::Failure;
use crate::clock::{Clock, format_utc};
use crate::config::Config;
use crate::counted::counted;
use crate::database;
use crate::identity::{Key, MemberId, Username};
use crate::reply::Word;
use crate::store::{JournalFilter, Read, StoredRecord, pages};
use crate::unicode::Visible;

/// The actions that give a person a name.
const ACTIONS: [&str; 4] = ["ADD", "MANUALADD", "ACTIVATE", "TRIALTOFULL"];

/// The most members who are listed. Each needs some memory until the whole journal is read.
const LISTED_MAX: usize = 100_000;

/// A refused postback: the last one of its member.
struct Refused {
    id: i64,
    at: i64,
    username: Username,
}

/// From when the postback would succeed, if NATS sent it again.
#[derive(Debug, PartialEq)]
enum Succeeds {
    /// At once: nobody holds the name any more, or a provisional member, who is this member.
    Now,
    /// When the membership of the holder ends.
    At(MemberId, i64),
    /// Not before the holder leaves or gets another name.
    Unknown(MemberId),
}

/// A line of `--json`. Moments are unix seconds.
#[derive(Serialize)]
struct Line<'a> {
    siteid: i64,
    memberid: i64,
    username: &'a str,
    refused_at: i64,
    journal_id: i64,
    holder: Option<i64>,
    /// `now`, `at` or `unknown`.
    succeeds: &'static str,
    succeeds_at: Option<i64>,
}

pub(super) fn run(config: &Config, site: Option<i64>, json: bool) -> Result<(), Failure> {
    let reader = database::open(config)?;
    let now = Clock::System.now();
    let (refused, unread) = refused(&*reader, site)?;
    let mut out = BufWriter::new(stdout().lock());
    let (mut listed, mut possible) = (0_u64, 0_u64);
    for (key, refused) in refused {
        let Some(from) = from(&*reader, key, &refused, now)? else { continue };
        listed += 1;
        possible += u64::from(from == Succeeds::Now);
        writeln!(
            out,
            "{}",
            if json { json_line(key, &refused, &from)? } else { text(key, &refused, &from) }
        )?;
    }
    if !json {
        writeln!(
            out,
            "{} without the name that NATS gave them, {possible} of whom would get it now",
            counted(listed, "member")
        )?;
    }
    out.flush()?;
    match unread {
        None => Ok(()),
        Some(problem) => Err(Failure::Failed(problem)),
    }
}

/// The last refusal of each member because of a held name, and what could not be read.
fn refused(
    reader: &dyn Read,
    site: Option<i64>,
) -> Result<(BTreeMap<Key, Refused>, Option<String>), Failure> {
    let word = Some(Word::Error.as_str().to_owned());
    let filter = JournalFilter { site, word, ..JournalFilter::default() };
    let (mut found, mut unread, mut left_out) = (BTreeMap::new(), None, 0);
    pages::each_record_or_unreadable(reader, &filter, |record| {
        match record {
            Err(unreadable) => unread = Some(format!("left out: {}", chain(&unreadable))),
            Ok(record) => match conflict(&record) {
                Some((key, _)) if found.len() >= LISTED_MAX && !found.contains_key(&key) => {
                    left_out += 1;
                }
                Some((key, refused)) => drop(found.insert(key, refused)),
                None => {}
            },
        }
        Ok::<_, Failure>(())
    })?;
    if left_out > 0 {
        unread = Some(format!(
            "{} more refusals are left out, because {LISTED_MAX} members are the most that are \
             listed: list the sites one by one with --site",
            left_out
        ));
    }
    Ok((found, unread))
}

/// The member and the refusal, if the record is one because of a held name.
fn conflict(record: &StoredRecord) -> Option<(Key, Refused)> {
    let is_giving = record.action.as_deref().is_some_and(|action| ACTIONS.contains(&action));
    // The reply cannot be this one for another reason: a refused parameter is named first.
    let is_held = record.reply.starts_with("ERROR|username \"")
        && record.reply.contains("\" is held by member ");
    let key = record.key()?;
    let username = Username::typed(record.username.as_deref()?)?;
    (is_giving && is_held).then_some((key, Refused { id: record.id, at: record.at, username }))
}

/// From when the postback would succeed; `None` if it was resolved since.
fn from(
    reader: &dyn Read,
    key: Key,
    refused: &Refused,
    now: i64,
) -> Result<Option<Succeeds>, Failure> {
    let theirs = JournalFilter {
        site: Some(key.site.get()),
        member: Some(key.member.get()),
        word: Some(Word::Ok.as_str().to_owned()),
        ..JournalFilter::default()
    };
    // A later OK let them in, or took their membership away.
    if !reader.journal_page(&theirs, refused.id, i64::MAX)?.is_empty() {
        return Ok(None);
    }
    let Some(holder) = reader.holder(key.site, &refused.username, now)? else {
        return Ok(Some(Succeeds::Now));
    };
    if holder == key.member {
        return Ok(None);
    }
    if holder.is_provisional() {
        return Ok(Some(Succeeds::Now));
    }
    Ok(match reader.standing(Key { member: holder, ..key }, now)? {
        Standing::Here(row) => Some(match row.expire_at {
            Some(instant) => Succeeds::At(holder, instant),
            None => Succeeds::Unknown(holder),
        }),
        // They left between the two queries.
        Standing::Lapsed(_) | Standing::Former(_) | Standing::Unknown => Some(Succeeds::Now),
    })
}

fn text(key: Key, refused: &Refused, from: &Succeeds) -> String {
    let from = match from {
        Succeeds::Now => "would succeed now".to_owned(),
        Succeeds::At(holder, instant) => {
            format!("would succeed from {} on, when member {holder} expires", format_utc(*instant))
        }
        Succeeds::Unknown(holder) => format!("would not succeed before member {holder} leaves"),
    };
    format!(
        "member {} \"{}\" of site {} was refused at {} and {from}",
        key.member,
        Visible(refused.username.as_str()),
        key.site,
        format_utc(refused.at)
    )
}

fn json_line(key: Key, refused: &Refused, from: &Succeeds) -> Result<String, Failure> {
    let (succeeds, holder, succeeds_at) = match from {
        Succeeds::Now => ("now", None, None),
        Succeeds::At(holder, instant) => ("at", Some(holder), Some(*instant)),
        Succeeds::Unknown(holder) => ("unknown", Some(holder), None),
    };
    let line = Line {
        siteid: key.site.get(),
        memberid: key.member.get(),
        username: refused.username.as_str(),
        refused_at: refused.at,
        journal_id: refused.id,
        holder: holder.map(|holder| holder.get()),
        succeeds,
        succeeds_at,
    };
    serde_json::to_string(&line).map_err(|error| Failure::of(&error))
}
