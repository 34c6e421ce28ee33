//! A site is silent for longer than its own habit. The habit is what it sent between the same times
//! of the week in the weeks before.

use super::super::cause::Cause;
use super::super::facts::Facts;
use super::super::ledger::Found;
use super::lasting::lasting;
use crate::statistics::SiteSilence;

/// A shorter silence is never an alarm: postbacks come in bursts.
const SILENCE_SECONDS_MIN: i64 = 15 * 60;
/// After a longer one, silence is the habit.
const SILENCE_SECONDS_MAX: i64 = 14 * 86_400;
/// The weeks before that must be known.
const WEEKS_MIN: usize = 2;
/// With so many weeks, the weakest of them does not count: something may have been broken then.
const WEEKS_WITHOUT_WEAKEST: usize = 3;

pub(super) fn find(facts: &Facts, limit: u32, is_raised: impl Fn(Cause) -> bool) -> Vec<Found> {
    if limit == 0 {
        return Vec::new();
    }
    let now = facts.now;
    let is_silent = |silence: &&SiteSilence| {
        let lasts = now - silence.since;
        let is_long = (SILENCE_SECONDS_MIN..=SILENCE_SECONDS_MAX).contains(&lasts);
        // An alarm ends with a postback, and not because another week came into the comparison.
        let is_raised = is_raised(Cause::Silence(silence.site));
        is_long && (is_raised || is_unusual(&expected(silence, lasts, facts.receiving), limit))
    };
    facts.snapshot.silences.iter().filter(is_silent).map(|silence| found(silence, now)).collect()
}

/// The postbacks of each week that could have been taken. What NATS sent while this service did not
/// run, or could not write, is missing for that reason: only the time since then counts, with its
/// share of the postbacks.
fn expected(silence: &SiteSilence, lasts: i64, receiving: i64) -> Vec<f64> {
    let share = match receiving {
        ..SILENCE_SECONDS_MIN => 0.0,
        _ => (receiving as f64 / lasts as f64).min(1.0),
    };
    silence.weeks.iter().map(|count| count * share).collect()
}

/// Whether each of these weeks had at least as many postbacks as the limit, in the same time.
fn is_unusual(weeks: &[f64], limit: u32) -> bool {
    let weak = weeks.iter().filter(|count| **count < f64::from(limit)).count();
    let may_be_weak = usize::from(weeks.len() >= WEEKS_WITHOUT_WEAKEST);
    weeks.len() >= WEEKS_MIN && weak <= may_be_weak
}

fn found(silence: &SiteSilence, now: i64) -> Found {
    let site = silence.site;
    let counts: Vec<String> =
        silence.weeks.iter().map(|count| format!("{}", count.round() as u64)).collect();
    let counts = match counts.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => "no".to_owned(),
    };
    let weeks = silence.weeks.len();
    Found::new(
        Cause::Silence(site),
        format!(
            "site {site} has sent nothing for {}; at the same times of the week, in the last \
             {weeks} weeks, there were about {counts} postbacks; check that NATS still calls the \
             postback URL of this site",
            lasting(now - silence.since)
        ),
    )
}
