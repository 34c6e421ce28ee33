//! Jumps of the machine's clock. A clock that is a year ahead for some seconds must not end
//! memberships for good: what is moved or deleted by the time of day waits until a jump has stayed.
//!
//! A jump is seen by a second clock, which nobody can set and which runs on while the machine is
//! suspended ([`Clock::steady`](super::Clock::steady)). The difference of the two stays the same
//! but for what a time service does to keep the clock right, which is far less than what counts
//! here.

use std::fmt;

use super::{Moment, Reading, format_utc};
use crate::logging::limit::KeyedInterval;

/// A clock that is set by more than this has jumped, seconds. Time services slew what is less, and
/// nobody's membership is a matter of so little.
const JUMP_SECONDS: i64 = 300;
/// A start so long after the last sign of life in the database may be a start with a wrong clock,
/// seconds.
const QUIET_SECONDS: i64 = 86_400;
/// A difference that moves by no more than this stays where it is, seconds.
const STAYS_SECONDS: i64 = 60;
/// No two lines of one kind follow each other faster than this, seconds.
const LOG_EVERY_SECONDS: i64 = 60;
/// How many kinds of lines there are.
const KINDS: usize = 4;

/// Looks at both clocks, and says until which instant may be moved and deleted.
#[derive(Clone, Debug)]
pub struct Watch {
    /// How long a jump must stay to be believed, seconds.
    confirm_seconds: i64,
    /// The difference of the clocks that is believed, as `wall - steady`.
    believed: i64,
    /// How far the clock may be ahead of that.
    ahead_max: i64,
    /// The difference of late, and since when it stays.
    stays: Stays,
    is_pending: bool,
    /// When each kind of line was last written, by the steady clock.
    told: KeyedInterval<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Stays {
    difference: i64,
    since: i64,
}

impl Stays {
    fn at(reading: Reading) -> Self {
        Self { difference: reading.difference(), since: reading.steady }
    }
}

impl Watch {
    /// At a start, where `last` is the last sign of life in the database: the time of its newest
    /// record. Far behind that instant and far ahead of it, the clock may be wrong.
    pub fn new(now: Reading, last: Option<i64>, confirm_minutes: u32) -> Self {
        let is_far_ahead = last.is_some_and(|last| now.wall.saturating_sub(last) > QUIET_SECONDS);
        let (believed, ahead_max) = match last {
            Some(last) if is_far_ahead => (last.saturating_sub(now.steady), QUIET_SECONDS),
            _ => (now.difference(), JUMP_SECONDS),
        };
        Self {
            confirm_seconds: i64::from(confirm_minutes) * 60,
            believed,
            ahead_max,
            stays: Stays::at(now),
            is_pending: false,
            told: KeyedInterval::new(LOG_EVERY_SECONDS, KINDS),
        }
    }

    /// What time it is, and what is to be logged about it.
    pub fn look(&mut self, now: Reading) -> (Moment, Option<Seen>) {
        let is_new = (now.difference() - self.stays.difference).abs() > STAYS_SECONDS;
        if is_new {
            self.stays = Stays::at(now);
        }
        let was_pending = self.is_pending;
        let from = self.believed.saturating_add(now.steady);
        let has_stayed = now.steady.saturating_sub(self.stays.since) >= self.confirm_seconds;
        let is_near = (-JUMP_SECONDS..=self.ahead_max).contains(&now.wall.saturating_sub(from));
        self.is_pending = !is_near && !has_stayed;
        if has_stayed {
            // Also of a difference that is no jump: so the one that is believed follows the clock.
            self.believe(now);
        } else if is_near && self.ahead_max != JUMP_SECONDS {
            self.believe(now);
        }
        let until = now.wall.saturating_add(self.stays.since + self.confirm_seconds - now.steady);
        let jump = Jump { from, to: now.wall, until };
        let seen = match (is_near, has_stayed) {
            (false, false) if was_pending && !is_new => None,
            (false, false) if now.wall > from && self.ahead_max == QUIET_SECONDS => {
                Some(Seen::StartAhead(jump))
            }
            (false, false) if now.wall > from => Some(Seen::Ahead(jump)),
            (false, false) => Some(Seen::Back(jump)),
            (false, true) => Some(Seen::Stayed(jump)),
            (true, _) => was_pending.then_some(Seen::Right(jump)),
        };
        let moved_until = if self.is_pending { now.wall.min(from) } else { now.wall };
        (Moment { now: now.wall, moved_until }, seen.filter(|seen| self.is_due(seen, now.steady)))
    }

    fn believe(&mut self, now: Reading) {
        (self.believed, self.ahead_max) = (now.difference(), JUMP_SECONDS);
        self.stays = Stays::at(now);
    }

    fn is_due(&mut self, seen: &Seen, steady: i64) -> bool {
        self.told.is_due(&seen.kind(), steady)
    }
}

/// A start whose clock is behind the last sign of life in the database: the line for the log.
pub fn is_behind(now: i64, last: i64) -> Option<String> {
    (last.saturating_sub(now) > JUMP_SECONDS).then(|| {
        format!(
            "the clock stands at {}, behind the newest record of the journal ({}): if it is wrong, set it right and restart; \
             members who lapse meanwhile would get in until it reaches their time",
            format_utc(now),
            format_utc(last)
        )
    })
}

/// Until when a command may move members, which has no second clock to look at: to the last sign of
/// life in the database, where the clock is far ahead of it.
pub fn moment_of_command(now: i64, last: Option<i64>) -> Moment {
    let is_far_ahead = |last: &i64| now.saturating_sub(*last) > QUIET_SECONDS;
    Moment { now, moved_until: last.filter(is_far_ahead).unwrap_or(now) }
}

/// A clock that was set: from what it would show, to what it shows, and the time at which that is
/// believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jump {
    from: i64,
    to: i64,
    until: i64,
}

/// What there is to say about the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It was set ahead.
    Ahead(Jump),
    /// At a start it stands far ahead of the last sign of life: it is wrong, or the service has not
    /// run for long.
    StartAhead(Jump),
    /// It was set back.
    Back(Jump),
    /// It has stayed where it was set, and is believed.
    Stayed(Jump),
    /// It is where it was before the jump.
    Right(Jump),
}

impl Seen {
    fn kind(self) -> usize {
        match self {
            Seen::Ahead(_) | Seen::StartAhead(_) => 0,
            Seen::Back(_) => 1,
            Seen::Stayed(_) => 2,
            Seen::Right(_) => 3,
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Seen::Ahead(jump)
        | Seen::StartAhead(jump)
        | Seen::Back(jump)
        | Seen::Stayed(jump)
        | Seen::Right(jump)) = self;
        let [from, to, until] = [jump.from, jump.to, jump.until].map(format_utc);
        match self {
            Seen::Ahead(_) => write!(
                f,
                "the clock has jumped ahead, from {from} to {to}: members whose time is over by it do not get in, but nobody is \
                 moved to former_member and nothing old is deleted before {until}; if it is wrong, set it right until then"
            ),
            Seen::StartAhead(_) => write!(
                f,
                "the clock stands at {to}, long after the last sign of life in the database ({from}): members whose time is over by \
                 it do not get in, but nobody is moved to former_member and nothing old is deleted before {until}; if it is wrong, \
                 set it right until then, else do nothing"
            ),
            Seen::Back(_) => write!(
                f,
                "the clock has jumped back, from {from} to {to}: members are moved to former_member by the time that it shows \
                 now; if it is wrong, set it right, it is taken for right from {until} on"
            ),
            Seen::Stayed(_) => write!(
                f,
                "the clock has stayed at its new time, {to}: members are moved by it from here on"
            ),
            Seen::Right(_) => {
                write!(f, "the clock is right again, {to}: nobody was moved by its jump")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_781_524_800;
    const DAY: i64 = 86_400;
    const YEAR: i64 = 365 * DAY;

    /// Both clocks, so many seconds after a start; the wall clock is off by `off`.
    fn at(seconds: i64, off: i64) -> Reading {
        Reading { wall: NOON + seconds + off, steady: 1_000 + seconds }
    }

    fn watch() -> Watch {
        Watch::new(at(0, 0), None, 10)
    }

    /// How far behind the wall clock members are moved, at each of these looks; and what was seen.
    fn looks(watch: &mut Watch, readings: &[(i64, i64)]) -> Vec<(i64, &'static str)> {
        let look = |&(seconds, off): &(i64, i64)| {
            let (moment, seen) = watch.look(at(seconds, off));
            assert_eq!(moment.now, at(seconds, off).wall);
            let seen = seen.map_or("", |seen| ["ahead", "back", "stayed", "right"][seen.kind()]);
            (moment.now - moment.moved_until, seen)
        };
        readings.iter().map(look).collect()
    }

    #[test]
    fn a_clock_that_is_a_year_ahead_for_some_seconds_moves_nobody() {
        let seen =
            looks(&mut watch(), &[(0, 0), (10, YEAR), (11, YEAR), (599, YEAR), (601, 0), (602, 0)]);
        assert_eq!(seen, [(0, ""), (YEAR, "ahead"), (YEAR, ""), (YEAR, ""), (0, "right"), (0, "")]);
    }

    #[test]
    fn a_jump_that_stays_for_ten_minutes_is_believed() {
        let seen = looks(
            &mut watch(),
            &[(0, 0), (10, YEAR), (609, YEAR), (610, YEAR), (611, YEAR), (2_000, YEAR)],
        );
        assert_eq!(seen, [(0, ""), (YEAR, "ahead"), (YEAR, ""), (0, "stayed"), (0, ""), (0, "")]);
    }

    #[test]
    fn a_clock_that_is_set_back_moves_by_the_earlier_time() {
        let seen =
            looks(&mut watch(), &[(0, 0), (10, -YEAR), (609, -YEAR), (610, -YEAR), (620, 0)]);
        assert_eq!(
            seen,
            [(0, ""), (0, "back"), (0, ""), (0, "stayed"), (YEAR, "ahead")],
            "and then ahead of what is believed"
        );
    }

    #[test]
    fn another_jump_while_one_waits_begins_anew() {
        let seen = looks(
            &mut watch(),
            &[(0, YEAR), (500, 2 * YEAR), (700, 2 * YEAR), (1_099, 2 * YEAR), (1_100, 2 * YEAR)],
        );
        assert_eq!(
            seen,
            [(YEAR, "ahead"), (2 * YEAR, "ahead"), (2 * YEAR, ""), (2 * YEAR, ""), (0, "stayed")]
        );
    }

    #[test]
    fn steps_of_up_to_five_minutes_a_slow_slew_and_a_suspend_are_no_jumps() {
        assert_eq!(looks(&mut watch(), &[(0, 300), (1, -300), (2, 1), (3, 0)]), [(0, ""); 4]);
        assert_eq!(looks(&mut watch(), &[(0, 301)]), [(301, "ahead")]);
        // 500 millionths, as a time service slews, for a month.
        let slew: Vec<_> =
            (0..30 * 1_440).map(|minute| (minute * 60, minute * 60 / 2_000)).collect();
        let mut slewed = watch();
        assert!(looks(&mut slewed, &slew).iter().all(|look| *look == (0, "")));
        assert_eq!(
            slewed.look(at(31 * DAY, 0)).1.map(Seen::kind),
            Some(1),
            "it has followed by 21 minutes"
        );
        // Both clocks have run on.
        assert_eq!(looks(&mut watch(), &[(0, 0), (30 * DAY, 0)]), [(0, ""); 2]);
    }

    /// Steps that are each no jump do not add up to one unseen.
    #[test]
    fn a_clock_that_runs_away_in_small_steps_has_jumped_in_the_end() {
        let steps: Vec<_> = (0..60).map(|second| (second, second * 100)).collect();
        let seen = looks(&mut watch(), &steps);
        assert_eq!(seen[..4], [(0, ""), (0, ""), (0, ""), (0, "")]);
        assert!(seen[4..].iter().all(|(behind, _)| *behind > 300), "{seen:?}");
        assert_eq!(
            seen.iter().filter(|(_, seen)| !seen.is_empty()).count(),
            1,
            "and the log is not flooded"
        );
    }

    #[test]
    fn without_a_time_to_wait_a_jump_is_believed_at_once() {
        let seen = looks(&mut Watch::new(at(0, 0), None, 0), &[(1, YEAR), (2, YEAR), (3, 0)]);
        assert_eq!(seen, [(0, "stayed"), (0, ""), (0, "")]);
    }

    #[test]
    fn a_start_long_after_the_last_record_waits_as_after_a_jump() {
        let start = |last| Watch::new(at(0, 0), last, 10);
        assert_eq!(
            looks(&mut start(Some(NOON - DAY)), &[(0, 0), (600, 0)]),
            [(0, ""); 2],
            "a quiet day"
        );
        assert_eq!(looks(&mut start(None), &[(0, 0)]), [(0, "")], "the first start of all");
        assert_eq!(
            looks(&mut start(Some(NOON + YEAR)), &[(0, 0)]),
            [(0, "")],
            "behind it: told by the start"
        );
        let weeks = looks(
            &mut start(Some(NOON - 20 * DAY)),
            &[(0, 0), (1, 0), (599, 0), (600, 0), (601, 0)],
        );
        assert_eq!(
            weeks,
            [(20 * DAY, "ahead"), (20 * DAY, ""), (20 * DAY, ""), (0, "stayed"), (0, "")],
            "a site that sleeps"
        );
        let wrong = looks(
            &mut start(Some(NOON - YEAR)),
            &[(0, 0), (5, DAY / 2 - YEAR), (6, DAY / 2 - YEAR), (7, 0)],
        );
        let expected = [(YEAR, "ahead"), (0, "right"), (0, ""), (YEAR - DAY / 2, "")];
        assert_eq!(wrong, expected, "a wrong year, set right: then that is believed");
    }

    #[test]
    fn what_is_said_names_both_times_what_waits_and_until_when() {
        let (mut watch, ahead) = (watch(), at(0, YEAR));
        assert_eq!(
            watch.look(ahead).1.unwrap().to_string(),
            "the clock has jumped ahead, from 2026-06-15T12:00:00Z to 2027-06-15T12:00:00Z: members whose time is over by it do not \
             get in, but nobody is moved to former_member and nothing old is deleted before 2027-06-15T12:10:00Z; if it is wrong, \
             set it right until then"
        );
        assert_eq!(
            watch.look(at(5, 0)).1.unwrap().to_string(),
            "the clock is right again, 2026-06-15T12:00:05Z: nobody was moved by its jump"
        );
        assert_eq!(
            watch.look(at(6, -DAY)).1.unwrap().to_string(),
            "the clock has jumped back, from 2026-06-15T12:00:06Z to 2026-06-14T12:00:06Z: members are moved to former_member by \
             the time that it shows now; if it is wrong, set it right, it is taken for right from 2026-06-14T12:10:06Z on"
        );
        assert_eq!(
            Watch::new(at(0, 0), Some(NOON - 20 * DAY), 10).look(at(0, 0)).1.unwrap().to_string(),
            "the clock stands at 2026-06-15T12:00:00Z, long after the last sign of life in the database (2026-05-26T12:00:00Z): \
             members whose time is over by it do not get in, but nobody is moved to former_member and nothing old is deleted before \
             2026-06-15T12:10:00Z; if it is wrong, set it right until then, else do nothing"
        );
        assert_eq!(is_behind(NOON, NOON + 300), None);
        assert_eq!(
            is_behind(NOON, NOON + DAY).unwrap(),
            "the clock stands at 2026-06-15T12:00:00Z, behind the newest record of the journal (2026-06-16T12:00:00Z): if it is \
             wrong, set it right and restart; members who lapse meanwhile would get in until it reaches their time"
        );
    }

    #[test]
    fn a_command_moves_nobody_by_a_clock_that_is_far_ahead_of_the_database() {
        for (last, behind) in [
            (None, 0),
            (Some(NOON - DAY), 0),
            (Some(NOON - DAY - 1), DAY + 1),
            (Some(NOON + DAY), 0),
        ] {
            let moment = moment_of_command(NOON, last);
            assert_eq!((moment.now, moment.now - moment.moved_until), (NOON, behind), "{last:?}");
        }
    }
}
