//! Which causes have an alarm: each is raised once, when it has lasted for a minute, and cleared
//! once, when it has been away for five minutes. So a cause that comes and goes is one alarm.

use std::collections::{BTreeMap, BTreeSet};

use super::cause::Cause;
use super::event::{Event, State};
use crate::clock::Reading;

/// How long a cause must last.
const RAISE_AFTER_SECONDS: i64 = 60;
/// How long it must be away.
const CLEAR_AFTER_SECONDS: i64 = 300;

/// A cause that there is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The cause.
    pub cause: Cause,
    /// What is wrong, with the figures, and what to do.
    pub message: String,
}

impl Found {
    pub(super) fn new(cause: Cause, message: impl Into<String>) -> Self {
        Self { cause, message: message.into() }
    }
}

/// An alarm that is raised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raised {
    /// The cause.
    pub cause: Cause,
    /// Since when there is the cause, unix seconds.
    pub since: i64,
    /// What is wrong, with the figures of now.
    pub message: String,
}

#[derive(Clone, Debug)]
struct Entry {
    since: i64,
    message: String,
    /// When it was first found, by the steady clock.
    first_found: i64,
    /// Since when it is away, by the steady clock.
    away_since: Option<i64>,
    is_raised: bool,
}

/// The causes that were found lately.
#[derive(Clone, Debug, Default)]
pub struct Ledger(BTreeMap<Cause, Entry>);

impl Ledger {
    /// With alarms that were raised before a restart: they are not raised again.
    pub fn of(raised: Vec<Raised>, steady: i64) -> Self {
        let entry = |Raised { cause, since, message }| {
            let entry =
                Entry { since, message, first_found: steady, away_since: None, is_raised: true };
            (cause, entry)
        };
        Self(raised.into_iter().map(entry).collect())
    }

    /// Takes what was found now. Returns what has to be told. Of causes that cannot be judged now,
    /// nothing changes.
    pub fn update(
        &mut self,
        found: Vec<Found>,
        now: Reading,
        can_judge: impl Fn(Cause) -> bool,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        let mut here = BTreeSet::new();
        for Found { cause, message } in found.into_iter().filter(|found| can_judge(found.cause)) {
            here.insert(cause);
            let entry = self.0.entry(cause).or_insert_with(|| Entry {
                since: now.wall,
                message: String::new(),
                first_found: now.steady,
                away_since: None,
                is_raised: false,
            });
            (entry.message, entry.away_since) = (message, None);
            if !entry.is_raised && now.steady - entry.first_found >= RAISE_AFTER_SECONDS {
                entry.is_raised = true;
                events.push(event(cause, entry, State::Raised));
            }
        }
        self.0.retain(|&cause, entry| {
            if here.contains(&cause) || !can_judge(cause) {
                return true;
            }
            let away_since = *entry.away_since.get_or_insert(now.steady);
            let is_over = now.steady - away_since >= CLEAR_AFTER_SECONDS;
            if entry.is_raised && is_over {
                entry.message = cause.over();
                events.push(event(cause, entry, State::Cleared));
            }
            entry.is_raised && !is_over
        });
        events
    }

    /// Forgets these causes without a word: another receiver tells of them now.
    pub fn forget(&mut self, is_meant: impl Fn(Cause) -> bool) {
        self.0.retain(|cause, _| !is_meant(*cause));
    }

    /// Whether this cause has an alarm.
    pub fn is_raised(&self, cause: Cause) -> bool {
        self.0.get(&cause).is_some_and(|entry| entry.is_raised)
    }

    /// The alarms that are raised.
    pub fn raised(&self) -> Vec<Raised> {
        let raised = self.0.iter().filter(|(_, entry)| entry.is_raised);
        raised
            .map(|(&cause, entry)| Raised {
                cause,
                since: entry.since,
                message: entry.message.clone(),
            })
            .collect()
    }
}

fn event(cause: Cause, entry: &Entry, state: State) -> Event {
    Event { cause, state, since: entry.since, message: entry.message.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_781_524_800;

    fn at(second: i64) -> Reading {
        Reading { wall: NOON + second, steady: 5_000 + second }
    }

    fn found(causes: &[Cause]) -> Vec<Found> {
        causes.iter().map(|cause| Found::new(*cause, format!("{cause}!"))).collect()
    }

    fn texts(events: Vec<Event>) -> Vec<String> {
        let text = |event: Event| {
            let Event { cause, state, since, message } = event;
            format!("{cause} {} since {}: {message}", state.name(), since - NOON)
        };
        events.into_iter().map(text).collect()
    }

    #[test]
    fn a_cause_is_raised_once_after_a_minute_and_cleared_once_after_five_minutes_without_it() {
        let mut ledger = Ledger::default();
        let story = [
            (0, true, None),
            (59, true, None),
            (60, true, Some("disk raised since 0: disk!")),
            (61, true, None),
            (900, true, None),
            (901, false, None),
            (1_100, true, None),
            (1_200, false, None),
            (1_499, false, None),
            (
                1_500,
                false,
                Some("disk cleared since 0: the disk of the database has enough room again"),
            ),
            (1_501, false, None),
            (1_600, true, None),
            (1_630, false, None),
            (1_660, true, None),
            (1_700, true, None),
            (1_720, true, Some("disk raised since 1660: disk!")),
        ];
        for (second, is_here, expected) in story {
            let causes: &[Cause] = if is_here { &[Cause::Disk] } else { &[] };
            let told = texts(ledger.update(found(causes), at(second), |_| true));
            assert_eq!(told, Vec::from_iter(expected), "second {second}");
        }
    }

    #[test]
    fn a_set_clock_raises_and_clears_nothing() {
        let mut ledger = Ledger::default();
        ledger.update(found(&[Cause::Disk]), at(0), |_| true);
        let jumped = Reading { wall: NOON + 99_999, steady: 5_001 };
        assert_eq!(texts(ledger.update(found(&[Cause::Disk]), jumped, |_| true)), [""; 0]);
    }

    #[test]
    fn sites_have_alarms_of_their_own() {
        let mut ledger = Ledger::default();
        let (five, six) = (Cause::Silence(5), Cause::Silence(6));
        ledger.update(found(&[five]), at(0), |_| true);
        ledger.update(found(&[five, six]), at(30), |_| true);
        let told = texts(ledger.update(found(&[five, six]), at(60), |_| true));
        assert_eq!(told, ["silence of site 5 raised since 0: silence of site 5!"]);
        assert!(ledger.is_raised(five) && !ledger.is_raised(six));
    }

    #[test]
    fn what_was_raised_before_a_restart_is_not_raised_again_and_is_cleared() {
        let mut ledger = Ledger::default();
        ledger.update(found(&[Cause::Disk]), at(0), |_| true);
        ledger.update(found(&[Cause::Disk]), at(60), |_| true);
        let mut ledger = Ledger::of(ledger.raised(), 5);
        assert_eq!(texts(ledger.update(found(&[Cause::Disk]), at(0), |_| true)), [""; 0]);
        assert_eq!(texts(ledger.update(found(&[Cause::Disk]), at(99), |_| true)), [""; 0]);
        ledger.update(Vec::new(), at(100), |_| true);
        assert_eq!(ledger.update(Vec::new(), at(400), |_| true).len(), 1);
        assert_eq!(ledger.raised(), []);
    }

    #[test]
    fn what_cannot_be_judged_stays_as_it_is() {
        let mut ledger = Ledger::of(
            vec![Raised { cause: Cause::Errors, since: NOON, message: "errors!".into() }],
            5_000,
        );
        for second in [0, 400, 800] {
            assert_eq!(texts(ledger.update(Vec::new(), at(second), |_| false)), [""; 0]);
        }
        assert!(ledger.is_raised(Cause::Errors));
        ledger.forget(Cause::is_shared);
        assert!(!ledger.is_raised(Cause::Errors));
    }
}
