//! Makes authstrings in place of NATS, so that a members area can be developed and tested without a
//! NATS.

use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};

use super::{AuthString, Plus};
use crate::identity::Key;
use crate::recent::Recent;

/// The most authstrings that are kept. The newest half of them is never evicted.
const STRINGS_MAX: usize = 65_536;
/// Bytes of an authstring: 128 random bits, as NATS's seem to have.
const STRING_BYTES: usize = 16;

/// The purpose of an authstring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The action that it authorises.
    pub plus: Plus,
    /// For whom.
    pub key: Key,
    /// When it expires, by the steady clock. Authstrings do not outlive the process.
    until: i64,
}

/// The authstrings that were made.
pub struct StandIn {
    lifetime_seconds: i64,
    /// By SHA-256, so that memory holds no valid authstring. A redeemed one has no ticket.
    strings: Mutex<Recent<[u8; 32], Option<Ticket>>>,
}

impl std::fmt::Debug for StandIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StandIn")
            .field("lifetime_seconds", &self.lifetime_seconds)
            .finish_non_exhaustive()
    }
}

impl StandIn {
    /// Makes a source whose authstrings are valid for this many seconds.
    pub fn new(lifetime_seconds: i64) -> Self {
        Self { lifetime_seconds, strings: Mutex::new(Recent::new(STRINGS_MAX)) }
    }

    /// Makes an authstring. Here and below `now` is the steady clock's.
    ///
    /// # Errors
    ///
    /// If the system gives no random bytes.
    pub fn issue(&self, plus: Plus, key: Key, now: i64) -> Result<AuthString, getrandom::Error> {
        let mut bytes = [0; STRING_BYTES];
        getrandom::fill(&mut bytes)?;
        let text = format!("{:032x}", u128::from_be_bytes(bytes));
        let ticket = Ticket { plus, key, until: now.saturating_add(self.lifetime_seconds) };
        let digest = digest(&text);
        self.strings.lock().put(digest, Some(ticket));
        Ok(AuthString(text.into()))
    }

    /// The purpose of a valid authstring; `None` if it is unknown, expired, or redeemed already.
    pub fn find(&self, text: &str, now: i64) -> Option<Ticket> {
        let digest = digest(text);
        let ticket = *self.strings.lock().get(&digest)?;
        ticket.filter(|ticket| now < ticket.until)
    }

    /// Redeems an authstring: it is not valid any more. Of several callers at once, one succeeds.
    pub fn redeem(&self, text: &str, now: i64) -> Option<Ticket> {
        let digest = digest(text);
        let ticket = self.strings.lock().get(&digest)?.take();
        ticket.filter(|ticket| now < ticket.until)
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{MemberId, SiteId};

    fn bob() -> Key {
        Key { site: SiteId::parse("1").unwrap(), member: MemberId::parse("71").unwrap() }
    }

    #[test]
    fn a_string_is_good_once_until_its_time_is_over() {
        let stand_in = StandIn::new(60);
        let strings: Vec<_> =
            (0..3).map(|_| stand_in.issue(Plus::Upsell, bob(), 1_000).unwrap()).collect();
        let find = |index: usize, now| stand_in.find(strings[index].expose(), now);
        let redeem = |index: usize, now| stand_in.redeem(strings[index].expose(), now);
        let good = Some(Ticket { plus: Plus::Upsell, key: bob(), until: 1_060 });
        assert_eq!([find(0, 1_000), find(0, 1_000)], [good; 2], "finding it does not redeem it");
        assert_eq!(redeem(0, 1_000), good);
        assert_eq!([find(0, 1_000), redeem(0, 1_000)], [None; 2], "once");
        assert_eq!(redeem(1, 1_059), good);
        assert_eq!([find(2, 1_060), redeem(2, 1_060)], [None; 2], "over");
        assert_eq!(stand_in.redeem("", 1_000), None);
    }

    #[test]
    fn a_string_is_32_hexadecimal_digits_and_no_two_are_alike() {
        let stand_in = StandIn::new(60);
        let mut seen = std::collections::HashSet::new();
        for _ in 0..1_000 {
            let string = stand_in.issue(Plus::Cancel, bob(), 0).unwrap();
            assert!(
                AuthString::parse(string.expose()).is_some()
                    && string.expose() == string.expose().to_lowercase()
            );
            assert!(seen.insert(string.expose().to_owned()));
        }
    }

    #[test]
    fn memory_is_bounded_and_the_latest_half_is_there() {
        let stand_in = StandIn::new(60);
        let first = stand_in.issue(Plus::Cancel, bob(), 0).unwrap();
        let last: Vec<_> =
            (0..STRINGS_MAX).map(|_| stand_in.issue(Plus::Cancel, bob(), 0).unwrap()).collect();
        assert_eq!(stand_in.redeem(first.expose(), 0), None);
        for string in &last[STRINGS_MAX / 2..] {
            assert!(stand_in.redeem(string.expose(), 0).is_some());
        }
    }
}
