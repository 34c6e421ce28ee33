//! Counts postbacks, in a bounded amount of memory: pure functions of records and the time.

use std::collections::{BTreeMap, VecDeque};

use super::hours::{HOUR_SECONDS, Hours};
use super::snapshot::{
    ErrorReply, HourCount, LastPostback, Recent, SITES_MAX, SiteSilence, Snapshot,
};
use crate::action::{NAMES, place};
use crate::reply::Word;
use crate::store::RecordSummary;

/// The hours that are counted by action and reply word.
const HOURS_SHOWN: i64 = 48;
/// The newest ERROR replies that are kept.
const ERRORS_KEPT: usize = 50;
/// The longest reply that is kept, in bytes. A reply is ASCII.
const REPLY_BYTES_MAX: usize = 1_024;
/// The minutes of [`Recent`].
const MINUTES: usize = 60;
const MINUTE_SECONDS: i64 = 60;
/// The weeks with which a silence is compared.
const WEEKS: i64 = 4;
const WEEK_SECONDS: i64 = 7 * 86_400;
/// A silence is compared up to this length. A longer one is a habit.
const SILENCE_SECONDS_MAX: i64 = 14 * 86_400;
/// A record that is ahead of the clock by more than this was written while the clock was wrong.
const AHEAD_SECONDS_MAX: i64 = 3_600;

/// The actions, and none of them.
const ACTIONS: usize = NAMES.len() + 1;
const WORDS: [Word; 3] = Word::ALL;

fn action_at(place: usize) -> Option<&'static str> {
    NAMES.get(place).copied()
}

/// The last postback of each action.
type LastOf = [Option<i64>; ACTIONS];

#[derive(Clone, Debug)]
struct Site {
    /// When its first known postback came, and its last one.
    first: i64,
    last: i64,
    last_of: LastOf,
    hours: Hours,
}

/// One minute.
#[derive(Clone, Copy, Debug, Default)]
struct Minute {
    number: i64,
    recent: Recent,
}

/// The counts.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    /// By the beginning of the hour.
    hours: BTreeMap<i64, [[u64; WORDS.len()]; ACTIONS]>,
    minutes: [Minute; MINUTES],
    sites: BTreeMap<i64, Site>,
    others: LastOf,
    errors: BTreeMap<i64, ErrorReply>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            hours: BTreeMap::new(),
            minutes: [Minute::default(); MINUTES],
            sites: BTreeMap::new(),
            others: LastOf::default(),
            errors: BTreeMap::new(),
        }
    }
}

impl Tally {
    /// Counts a record at `now`.
    pub(super) fn add(&mut self, record: RecordSummary, now: i64) {
        let at = record.at;
        if !record.is_of_nats || at > now + AHEAD_SECONDS_MAX {
            return;
        }
        let action = place(record.action);
        if let Some(word) = record.word {
            self.count_hour(at, action, word, now);
            self.count_minute(at, word);
        }
        self.note_site(record.siteid, at, action);
        if let Some(mut reply) = record.error {
            reply.truncate(reply.floor_char_boundary(REPLY_BYTES_MAX));
            let RecordSummary { id, siteid, memberid, action, .. } = record;
            self.errors.insert(id, ErrorReply { id, at, siteid, memberid, action, reply });
            if self.errors.len() > ERRORS_KEPT {
                self.errors.pop_first();
            }
        }
    }

    fn count_hour(&mut self, at: i64, action: usize, word: Word, now: i64) {
        let hour = at.div_euclid(HOUR_SECONDS) * HOUR_SECONDS;
        if hour < first_hour(now) {
            return;
        }
        self.hours.entry(hour).or_default()[action][word as usize] += 1;
        while let Some(oldest) = self.hours.first_entry()
            && *oldest.key() < first_hour(now)
        {
            oldest.remove();
        }
    }

    fn count_minute(&mut self, at: i64, word: Word) {
        let number = at.div_euclid(MINUTE_SECONDS);
        let minute = &mut self.minutes[number.rem_euclid(MINUTES as i64) as usize];
        if minute.number < number {
            *minute = Minute { number, recent: Recent::default() };
        }
        if minute.number == number {
            minute.recent.postbacks += 1;
            minute.recent.errors += u64::from(word == Word::Error);
        }
    }

    fn note_site(&mut self, id: Option<i64>, at: i64, action: usize) {
        let may_come = self.sites.len() < SITES_MAX;
        let Some(id) = id.filter(|id| may_come || self.sites.contains_key(id)) else {
            self.others[action] = self.others[action].max(Some(at));
            return;
        };
        let site = self.sites.entry(id).or_insert_with(|| Site {
            first: at,
            last: at,
            last_of: LastOf::default(),
            hours: Hours::default(),
        });
        site.first = site.first.min(at);
        site.last = site.last.max(at);
        site.last_of[action] = site.last_of[action].max(Some(at));
        site.hours.add(at);
    }

    /// Puts the counts as of `now` into a snapshot. `known_since`: the journal was read from this
    /// time on.
    pub(super) fn put_into(&self, snapshot: &mut Snapshot, now: i64, known_since: i64) {
        snapshot.hours = self.hour_counts(now);
        snapshot.last = self.last_postbacks();
        snapshot.errors = self.errors.values().rev().cloned().collect::<VecDeque<_>>();
        snapshot.recent = self.recent(now);
        let silence = |(id, site): (&i64, &Site)| site.silence(*id, now, known_since);
        snapshot.silences = self.sites.iter().map(silence).collect();
    }

    fn hour_counts(&self, now: i64) -> Vec<HourCount> {
        let mut counts = Vec::new();
        for (&hour, actions) in self.hours.range(first_hour(now)..) {
            for (action, words) in actions.iter().enumerate() {
                for (word, &count) in WORDS.into_iter().zip(words) {
                    if count > 0 {
                        counts.push(HourCount { hour, action: action_at(action), word, count });
                    }
                }
            }
        }
        counts
    }

    fn last_postbacks(&self) -> Vec<LastPostback> {
        let sites = self.sites.iter().map(|(id, site)| (Some(*id), &site.last_of));
        sites
            .chain([(None, &self.others)])
            .flat_map(|(site, last_of)| {
                last_of.iter().enumerate().filter_map(move |(action, at)| {
                    at.map(|at| LastPostback { site, action: action_at(action), at })
                })
            })
            .collect()
    }

    fn recent(&self, now: i64) -> Recent {
        let newest = now.div_euclid(MINUTE_SECONDS);
        let is_recent = |minute: &&Minute| minute.number > newest - MINUTES as i64;
        self.minutes.iter().filter(is_recent).fold(Recent::default(), |sum, minute| Recent {
            postbacks: sum.postbacks + minute.recent.postbacks,
            errors: sum.errors + minute.recent.errors,
        })
    }
}

impl Site {
    fn silence(&self, site: i64, now: i64, known_since: i64) -> SiteSilence {
        let (since, until) = (self.last, now.min(self.last + SILENCE_SECONDS_MAX));
        let known_since = known_since.max(self.first);
        let weeks = (1..=WEEKS)
            .map(|week| week * WEEK_SECONDS)
            .take_while(|back| since - back >= known_since)
            .map(|back| self.hours.between(since - back, until - back))
            .collect();
        SiteSilence { site, since, weeks }
    }
}

/// The beginning of the oldest hour that is shown at `now`.
fn first_hour(now: i64) -> i64 {
    (now.div_euclid(HOUR_SECONDS) - HOURS_SHOWN + 1) * HOUR_SECONDS
}

#[cfg(test)]
mod tests;
