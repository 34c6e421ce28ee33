//! The signer of cookies under the current [`Epoch`]: no cookie of another epoch is valid.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;

use super::cookie::Signer;
use crate::epoch::Epoch;
use crate::key_file::ring::Ring;
use crate::password::KeyId;
use crate::secret::redacted;

/// The signer of the current epoch. Requests read it without a lock.
pub struct Signers {
    /// The signer with the keys of the files alone. It is used until the first epoch is drawn, so
    /// that an upgrade ends no login. Locked while the current signer is replaced.
    first: Mutex<Signer>,
    current: ArcSwap<(Option<Epoch>, Signer)>,
}

redacted!(Signers);

impl Signers {
    /// Starts with the epoch of the database, if it has one.
    pub fn new(first: Signer, epoch: Option<Epoch>) -> Self {
        let current = ArcSwap::from_pointee((epoch, Self::of(&first, epoch)));
        Self { first: Mutex::new(first), current }
    }

    fn of(first: &Signer, epoch: Option<Epoch>) -> Signer {
        epoch.map_or_else(|| first.clone(), |epoch| first.of_epoch(epoch))
    }

    /// The current signer. Drop the guard soon, because it can delay [`Signers::take_up`].
    pub fn current(&self) -> Guard<Arc<(Option<Epoch>, Signer)>> {
        self.current.load()
    }

    /// Changes to the epoch that the database has now. Returns whether it changed.
    pub fn take_up(&self, epoch: Option<Epoch>) -> bool {
        let first = self.first.lock();
        let is_new = self.current().0 != epoch;
        if is_new {
            self.current.store(Arc::new((epoch, Self::of(&first, epoch))));
        }
        is_new
    }

    /// Replaces the keys.
    pub fn take_keys(&self, signer: Signer) {
        let mut first = self.first.lock();
        let epoch = self.current().0;
        self.current.store(Arc::new((epoch, Self::of(&signer, epoch))));
        *first = signer;
    }

    /// Identifies the keys of the files.
    pub fn key_ids(&self) -> Ring<KeyId> {
        self.first.lock().key_ids()
    }
}

#[cfg(test)]
mod tests {
    use super::super::cookie::{Lifetimes, Login, LoginId};
    use super::*;
    use crate::identity::{Key, MemberId, SiteId};

    const NOON: i64 = 1_781_524_800;
    /// A cookie of release 0.1.0 under a key of 32 bytes of 7: see `cookie/former.rs`.
    const FORMER: &str = "AQAAAAAAAAAFAAAAAAAAAEcAAQIDBAUGBwgJCgsMDQ4PAAAAAGov6UAAAAAAAAAAA5YmHkc\
        42dtXPYNHMbYGc4O2-P8qbrd7ih8la_VItPPU";

    #[test]
    fn a_login_is_good_in_its_own_epoch_alone() {
        let key = Key { site: SiteId::parse("5").unwrap(), member: MemberId::parse("71").unwrap() };
        let login =
            Login { key, id: LoginId::random(), issued: NOON, login_version: 3, stays: false };
        let signers = Signers::new(Signer::from_key([7; 32]), None);
        let reads =
            |text: &str| !signers.current().1.read(text, NOON, Lifetimes::alike(86_400)).is_empty();
        let of_no_epoch = Signer::from_key([7; 32]).sign(&[login]);
        assert!(reads(&of_no_epoch) && reads(FORMER), "before the switch is used, nothing changes");
        let (first, second) = (Epoch([1; 16]), Epoch([2; 16]));
        assert!(signers.take_up(Some(first)) && !signers.take_up(Some(first)));
        let of_first = signers.current().1.sign(&[login]);
        assert!(reads(&of_first) && !reads(&of_no_epoch) && !reads(FORMER));
        assert!(signers.take_up(Some(second)));
        assert!(!reads(&of_first) && !reads(&of_no_epoch));
        assert!(
            signers.take_up(None) && reads(&of_no_epoch) && !reads(&of_first),
            "a backup of before was restored"
        );
        assert_eq!(format!("{signers:?}"), "Signers(***)");
        assert_ne!(Epoch::random(), Epoch::random());
    }

    #[test]
    fn other_keys_sign_in_the_epoch_of_now_and_of_later() {
        let key = Key { site: SiteId::parse("5").unwrap(), member: MemberId::parse("71").unwrap() };
        let login =
            Login { key, id: LoginId::random(), issued: NOON, login_version: 3, stays: false };
        let (one, other) = (Signer::from_key([7; 32]), Signer::from_key([8; 32]));
        let (first, second) = (Epoch([1; 16]), Epoch([2; 16]));
        let signers = Signers::new(one, Some(first));
        signers.take_keys(other.clone());
        let signed = || signers.current().1.sign(&[login]);
        assert_eq!(signed(), other.of_epoch(first).sign(&[login]));
        assert!(!signers.take_up(Some(first)) && signers.take_up(Some(second)));
        assert_eq!(signed(), other.of_epoch(second).sign(&[login]));
        assert_eq!(signers.key_ids(), other.key_ids());
    }

    #[test]
    fn the_key_of_an_epoch_stays_the_same_in_every_release() {
        let key = Key { site: SiteId::parse("5").unwrap(), member: MemberId::parse("71").unwrap() };
        let id = LoginId(std::array::from_fn(|at| at as u8));
        let login = Login { key, id, issued: NOON, login_version: 3, stays: false };
        assert_eq!(Signer::from_key([7; 32]).of_epoch(Epoch([1; 16])).sign(&[login]), WRITTEN);
    }

    /// Made by another HMAC.
    const WRITTEN: &str = "AgEAAAAAAAAABQAAAAAAAABHAAECAwQFBgcICQoLDA0ODwAAAABqL-lAAAAAAAAAAAOynt\
        0y12MBfVci7TI1hBL31Blh6R23Osg6OFdARo29Jw";
}
