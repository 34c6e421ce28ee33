//! `journal`: lists or exports the journal.

use std::io::{BufWriter, Write, stdout};

use clap::Args;

use super::failure::Failure;
use crate::action::{ACTION_EXPECTED, NAMES};
use crate::chain::chain;
use crate::clock::{EXPIRE_EXPECTED, parse_moment};
use crate::config::Config;
use crate::database;
use crate::replay::{JournalLine, record_text};
use crate::reply::Word;
use crate::store::{JournalFilter, Read, StoredRecord, pages};

/// Unreadable records that are named; further ones are counted.
const NAMED_MAX: usize = 10;
/// Begins a further line of a failure.
const LINE: &str = "\nnats-userman: ";

#[derive(Args, Debug)]
pub(super) struct JournalCommand {
    /// Only this siteid
    #[arg(long, value_parser = super::failure::id)]
    site: Option<i64>,
    /// Only this memberid
    #[arg(long, value_parser = super::failure::id)]
    member: Option<i64>,
    /// Only this username
    #[arg(long)]
    username: Option<String>,
    /// Only this action
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Only replies with this word: OK, NOTOK or ERROR
    #[arg(long, value_name = "WORD")]
    reply: Option<String>,
    /// Only from this time on: YYYY-MM-DD, "YYYY-MM-DD hh:mm:ss" (in --time-zone) or unix seconds
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Print one JSON object a line, with the stored forms of credentials, for `replay --journal`
    #[arg(long)]
    json: bool,
}

impl JournalCommand {
    pub(super) fn run(&self, config: &Config) -> Result<(), Failure> {
        let filter = self.filter(config)?;
        let reader = database::open(config)?;
        let mut out = BufWriter::new(stdout().lock());
        print(&*reader, &filter, &mut out, |record| match self.json {
            true => JournalLine::write(record).map_err(|error| Failure::of(&error)),
            false => Ok(record_text(record)),
        })
    }

    fn filter(&self, config: &Config) -> Result<JournalFilter, Failure> {
        let moment = |flag: &str, text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => parse_moment(text, &config.expiry.zone).map(Some).ok_or_else(|| {
                Failure::usage(format!("{flag}: {EXPIRE_EXPECTED}, found {text:?}"))
            }),
        };
        let replies = [Word::Ok, Word::NotOk, Word::Error].map(Word::as_str);
        Ok(JournalFilter {
            site: self.site,
            member: self.member,
            username: self.username.clone(),
            action: one_of(&NAMES, "--action", ACTION_EXPECTED, self.action.as_deref())?,
            word: one_of(
                &replies,
                "--reply",
                "expected OK, NOTOK or ERROR",
                self.reply.as_deref(),
            )?,
            since: moment("--since", &self.since)?,
            until: moment("--until", &self.until)?,
            ..JournalFilter::default()
        })
    }
}

/// Prints each record that matches, as `line` says. Records that cannot be read are left out, and
/// at the end they are a failure that names them.
pub(super) fn print(
    reader: &dyn Read,
    filter: &JournalFilter,
    out: &mut impl Write,
    line: impl Fn(&StoredRecord) -> Result<String, Failure>,
) -> Result<(), Failure> {
    let (mut left_out, mut count) = (Vec::new(), 0);
    pages::each_record_or_unreadable(reader, filter, |found| match found {
        Ok(record) => Ok::<_, Failure>(writeln!(out, "{}", line(&record)?)?),
        Err(unreadable) => {
            count += 1;
            if left_out.len() < NAMED_MAX {
                left_out.push(format!("left out: {}", chain(&unreadable)));
            }
            Ok(())
        }
    })?;
    out.flush()?;
    if count > left_out.len() {
        left_out.push(format!("{} more records are left out", count - left_out.len()));
    }
    if left_out.is_empty() { Ok(()) } else { Err(Failure::Failed(left_out.join(LINE))) }
}

/// One of these words in upper or lower case. A typing error is refused, as it would find nothing.
fn one_of(
    words: &[&str],
    flag: &str,
    expected: &str,
    found: Option<&str>,
) -> Result<Option<String>, Failure> {
    let Some(found) = found else { return Ok(None) };
    let word = words.iter().find(|word| word.eq_ignore_ascii_case(found));
    word.map(|word| Some((*word).to_owned()))
        .ok_or_else(|| Failure::usage(format!("{flag}: {expected}, found {found:?}")))
}
