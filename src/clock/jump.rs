//! Detects jumps of the machine's clock. A clock that is a year ahead for some seconds must not end
//! memberships for good. So what is moved or deleted by the time of day waits until the new time
//! has been stable for a while.
//!
//! A second clock reveals the jump: it cannot be set, and it runs on while the machine is suspended
//! ([`Clock::steady`](super::Clock::steady)). The difference of the two is constant, except for the
//! small corrections of a time service.

use std::fmt;

use super::{Moment, Reading, format_utc};
use crate::logging::limit::KeyedInterval;

/// The clock jumped if it was set by more than this, seconds. Time services correct smaller errors
/// slowly, and they do not matter to memberships.
const JUMP_SECONDS: i64 = 300;
/// If a start is later than the last recorded activity by more than this, the clock may be wrong,
/// seconds.
const QUIET_SECONDS: i64 = 86_400;
/// A difference counts as stable if it changes by no more than this, seconds.
const STAYS_SECONDS: i64 = 60;
/// The shortest time between two log lines of one kind, seconds.
const LOG_EVERY_SECONDS: i64 = 60;
/// The number of kinds of log lines.
const KINDS: usize = 4;

/// Compares both clocks, and decides until which instant members may be moved and rows deleted.
#[derive(Clone, Debug)]
pub struct Watch {
    /// How long a new time must be stable to be accepted, seconds.
    confirm_seconds: i64,
    /// The accepted difference of the clocks, `wall - steady`.
    accepted: i64,
    /// How far the clock may be ahead of it.
    ahead_max: i64,
    /// The current difference, and since when it is stable.
    stays: Stays,
    is_pending: bool,
    /// When each kind of line was last logged, by the steady clock.
    logged: KeyedInterval<usize>,
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
    /// Begins at a start. `last` is the last activity recorded in the database. If the clock is far
    /// ahead of it, the clock may be wrong.
    pub fn new(now: Reading, last: Option<i64>, confirm_minutes: u32) -> Self {
        let is_far_ahead = last.is_some_and(|last| now.wall.saturating_sub(last) > QUIET_SECONDS);
        let (accepted, ahead_max) = match last {
            Some(last) if is_far_ahead => (last.saturating_sub(now.steady), QUIET_SECONDS),
            _ => (now.difference(), JUMP_SECONDS),
        };
        Self {
            confirm_seconds: i64::from(confirm_minutes) * 60,
            accepted,
            ahead_max,
            stays: Stays::at(now),
            is_pending: false,
            logged: KeyedInterval::new(LOG_EVERY_SECONDS, KINDS),
        }
    }

    /// Compares the clocks. Returns the time, and what to log about it.
    pub fn check(&mut self, now: Reading) -> (Moment, Option<JumpReport>) {
        let is_new = (now.difference() - self.stays.difference).abs() > STAYS_SECONDS;
        if is_new {
            self.stays = Stays::at(now);
        }
        let was_pending = self.is_pending;
        let from = self.accepted.saturating_add(now.steady);
        let has_stayed = now.steady.saturating_sub(self.stays.since) >= self.confirm_seconds;
        let is_near = (-JUMP_SECONDS..=self.ahead_max).contains(&now.wall.saturating_sub(from));
        self.is_pending = !is_near && !has_stayed;
        if has_stayed {
            // A difference that is no jump is accepted too, so that it follows the corrections of
            // the clock.
            self.accept(now);
        } else if is_near && self.ahead_max != JUMP_SECONDS {
            self.accept(now);
        }
        let until = now.wall.saturating_add(self.stays.since + self.confirm_seconds - now.steady);
        let jump = Jump { from, to: now.wall, until };
        let seen = match (is_near, has_stayed) {
            (false, false) if was_pending && !is_new => None,
            (false, false) if now.wall > from && self.ahead_max == QUIET_SECONDS => {
                Some(JumpReport::StartAhead(jump))
            }
            (false, false) if now.wall > from => Some(JumpReport::Ahead(jump)),
            (false, false) => Some(JumpReport::Back(jump)),
            (false, true) => Some(JumpReport::Stayed(jump)),
            (true, _) => was_pending.then_some(JumpReport::Right(jump)),
        };
        let moved_until = if self.is_pending { now.wall.min(from) } else { now.wall };
        (Moment { now: now.wall, moved_until }, seen.filter(|seen| self.is_due(seen, now.steady)))
    }

    /// Whether the latest reading shows a jump that is not confirmed.
    pub fn is_pending(&self) -> bool {
        self.is_pending
    }

    fn accept(&mut self, now: Reading) {
        (self.accepted, self.ahead_max) = (now.difference(), JUMP_SECONDS);
        self.stays = Stays::at(now);
    }

    fn is_due(&mut self, seen: &JumpReport, steady: i64) -> bool {
        self.logged.is_due(&seen.kind(), steady)
    }
}

/// The log line of a start whose clock is behind the last activity recorded in the database.
pub fn is_behind(now: i64, last: i64) -> Option<String> {
    (last.saturating_sub(now) > JUMP_SECONDS).then(|| {
        format!(
            "the clock shows {}, before the newest record of the journal ({}): if it is wrong, \
             correct it and restart; otherwise members who expire in between can log in until the \
             clock reaches their expiry",
            format_utc(now),
            format_utc(last)
        )
    })
}

/// Until when a command may move members. A command has no second clock to compare, so that is the
/// last recorded activity if the clock is far ahead of it. If the clock was set back behind that,
/// members were moved until then.
pub fn moment_of_command(now: i64, last: Option<i64>) -> Moment {
    let is_far_away = |last: &i64| *last > now || now.saturating_sub(*last) > QUIET_SECONDS;
    Moment { now, moved_until: last.filter(is_far_away).unwrap_or(now) }
}

/// A clock that was set: the time that it would show, the time that it shows, and when that is
/// accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jump {
    from: i64,
    to: i64,
    until: i64,
}

/// The log lines about the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JumpReport {
    /// It was set ahead.
    Ahead(Jump),
    /// At a start it is far ahead of the last recorded activity: it is wrong, or the service has
    /// not run for long.
    StartAhead(Jump),
    /// It was set back.
    Back(Jump),
    /// It has kept its new time, which is accepted.
    Stayed(Jump),
    /// It shows the time that it had before the jump.
    Right(Jump),
}

impl JumpReport {
    fn kind(self) -> usize {
        match self {
            JumpReport::Ahead(_) | JumpReport::StartAhead(_) => 0,
            JumpReport::Back(_) => 1,
            JumpReport::Stayed(_) => 2,
            JumpReport::Right(_) => 3,
        }
    }
}

impl fmt::Display for JumpReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (JumpReport::Ahead(jump)
        | JumpReport::StartAhead(jump)
        | JumpReport::Back(jump)
        | JumpReport::Stayed(jump)
        | JumpReport::Right(jump)) = self;
        let [from, to, until] = [jump.from, jump.to, jump.until].map(format_utc);
        match self {
            JumpReport::Ahead(_) => write!(
                f,
                "the clock jumped ahead from {from} to {to}: members who have expired by that time \
                 cannot log in, but until {until} no member is moved to former_member and nothing \
                 old is deleted; if the clock is wrong, correct it before then"
            ),
            JumpReport::StartAhead(_) => write!(
                f,
                "the clock shows {to}, long after the last activity recorded in the database \
                 ({from}): members who have expired by that time cannot log in, but until {until} \
                 no member is moved to former_member and nothing old is deleted; if the clock is \
                 wrong, correct it before then, otherwise do nothing"
            ),
            JumpReport::Back(_) => write!(
                f,
                "the clock jumped back from {from} to {to}: members are moved to former_member by \
                 the new time; if the clock is wrong, correct it; from {until} on it is considered \
                 right"
            ),
            JumpReport::Stayed(_) => write!(
                f,
                "the clock has kept its new time, {to}: members are moved by it from now on"
            ),
            JumpReport::Right(_) => {
                write!(f, "the clock is right again, {to}: its jump moved no member")
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

    /// Both clocks, this many seconds after a start. The wall clock is wrong by `off`.
    fn at(seconds: i64, off: i64) -> Reading {
        Reading { wall: NOON + seconds + off, steady: 1_000 + seconds }
    }

    fn watch() -> Watch {
        Watch::new(at(0, 0), None, 10)
    }

    /// How far behind the wall clock members are moved, at each of these comparisons, and what was
    /// logged.
    fn looks(watch: &mut Watch, readings: &[(i64, i64)]) -> Vec<(i64, &'static str)> {
        let look = |&(seconds, off): &(i64, i64)| {
            let (moment, seen) = watch.check(at(seconds, off));
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
    fn a_jump_that_stays_for_ten_minutes_is_accepted() {
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
            "and then ahead of what is accepted"
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
        // A correction by 500 millionths, the most that a time service makes, for a month.
        let slew: Vec<_> =
            (0..30 * 1_440).map(|minute| (minute * 60, minute * 60 / 2_000)).collect();
        let mut slewed = watch();
        assert!(looks(&mut slewed, &slew).iter().all(|look| *look == (0, "")));
        assert_eq!(
            slewed.check(at(31 * DAY, 0)).1.map(JumpReport::kind),
            Some(1),
            "it has followed by 21 minutes"
        );
        // Both clocks ran on while the machine was suspended.
        assert_eq!(looks(&mut watch(), &[(0, 0), (30 * DAY, 0)]), [(0, ""); 2]);
    }

    /// Steps that are each too small for a jump must not add up unnoticed.
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
    fn without_a_time_to_wait_a_jump_is_accepted_at_once() {
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
        assert_eq!(wrong, expected, "a wrong year, set right: then that is accepted");
    }

    #[test]
    fn what_is_said_names_both_times_what_waits_and_until_when() {
        let (mut watch, ahead) = (watch(), at(0, YEAR));
        assert_eq!(
            watch.check(ahead).1.unwrap().to_string(),
            "the clock jumped ahead from 2026-06-15T12:00:00Z to 2027-06-15T12:00:00Z: members who \
             have expired by that time cannot log in, but until 2027-06-15T12:10:00Z no member is \
             moved to former_member and nothing old is deleted; if the clock is wrong, correct it \
             before then"
        );
        assert_eq!(
            watch.check(at(5, 0)).1.unwrap().to_string(),
            "the clock is right again, 2026-06-15T12:00:05Z: its jump moved no member"
        );
        assert_eq!(
            watch.check(at(6, -DAY)).1.unwrap().to_string(),
            "the clock jumped back from 2026-06-15T12:00:06Z to 2026-06-14T12:00:06Z: members are \
             moved to former_member by the new time; if the clock is wrong, correct it; from \
             2026-06-14T12:10:06Z on it is considered right"
        );
        assert_eq!(
            Watch::new(at(0, 0), Some(NOON - 20 * DAY), 10).check(at(0, 0)).1.unwrap().to_string(),
            "the clock shows 2026-06-15T12:00:00Z, long after the last activity recorded in the \
             database (2026-05-26T12:00:00Z): members who have expired by that time cannot log in, \
             but until 2026-06-15T12:10:00Z no member is moved to former_member and nothing old is \
             deleted; if the clock is wrong, correct it before then, otherwise do nothing"
        );
        assert_eq!(is_behind(NOON, NOON + 300), None);
        assert_eq!(
            is_behind(NOON, NOON + DAY).unwrap(),
            "the clock shows 2026-06-15T12:00:00Z, before the newest record of the journal \
             (2026-06-16T12:00:00Z): if it is wrong, correct it and restart; otherwise members who \
             expire in between can log in until the clock reaches their expiry"
        );
    }

    #[test]
    fn a_command_moves_nobody_by_a_clock_that_is_far_ahead_of_the_database() {
        for (last, behind) in [
            (None, 0),
            (Some(NOON - DAY), 0),
            (Some(NOON - DAY - 1), DAY + 1),
            (Some(NOON + DAY), -DAY),
        ] {
            let moment = moment_of_command(NOON, last);
            assert_eq!((moment.now, moment.now - moment.moved_until), (NOON, behind), "{last:?}");
        }
    }
}
