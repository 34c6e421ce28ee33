//! Pseudonyms for names that no member has. Visitors type passwords into the name field by mistake,
//! so such a text is neither logged nor stored. A text has the same pseudonym until the process
//! ends. Nobody can test a pseudonym against guesses later, because its key is lost with the
//! process.

use std::cell::OnceCell;

use blake2::Blake2bMac;
use blake2::digest::Mac as _;
use blake2::digest::common::KeyInit as _;
use blake2::digest::consts::U5;
use zeroize::Zeroizing;

use super::guard::{Guard, Verdict};
use crate::block::{LoginName, Network};
use crate::secret::redacted;

const KEY_BYTES: usize = 32;

/// Makes pseudonyms, under a random key of this process.
pub struct Pseudonyms(Blake2bMac<U5>);

redacted!(Pseudonyms);

impl Pseudonyms {
    /// Draws a new key.
    ///
    /// # Errors
    ///
    /// If the system gives no random bytes.
    pub fn new() -> Result<Self, getrandom::Error> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(key.as_mut())?;
        Ok(Self(
            Blake2bMac::new_from_slice(key.as_ref()).expect("BLAKE2b takes keys of up to 64 bytes"),
        ))
    }

    /// The pseudonym of a name: `?` and ten hexadecimal digits.
    pub fn of(&self, name: &LoginName) -> LoginName {
        let mut mac = self.0.clone();
        mac.update(name.as_str().as_bytes());
        let digits: String =
            mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        LoginName::new(&format!("?{digits}"))
    }
}

/// A typed name and its pseudonym. Wrong passwords are counted for the name if a member has it as
/// name, or as e-mail address where that may be typed; otherwise for the pseudonym. A block may be
/// of either.
#[derive(Debug)]
pub struct TypedName<'a> {
    pseudonyms: &'a Pseudonyms,
    plain: LoginName,
    pseudonym: OnceCell<LoginName>,
}

impl<'a> TypedName<'a> {
    /// Takes the typed name.
    pub fn new(pseudonyms: &'a Pseudonyms, name: &str) -> Self {
        Self { pseudonyms, plain: LoginName::new(name), pseudonym: OnceCell::new() }
    }

    /// The name as it was typed, in folded form. It may be a password.
    pub(super) fn plain(&self) -> &LoginName {
        &self.plain
    }

    /// The name to count, to block and to log.
    pub fn shown(&self, has_holder: bool) -> &LoginName {
        if has_holder { &self.plain } else { self.pseudonym() }
    }

    /// The verdict of the guard on name and pseudonym. The pseudonym is computed only while there
    /// are blocks.
    pub fn verdict(&self, guard: &Guard, network: Network, now: i64) -> Verdict {
        match guard.verdict(&self.plain, network, now) {
            Verdict::Open if guard.has_blocks() => guard.verdict(self.pseudonym(), network, now),
            verdict => verdict,
        }
    }

    fn pseudonym(&self) -> &LoginName {
        self.pseudonym.get_or_init(|| self.pseudonyms.of(&self.plain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_word_in_every_spelling_and_another_one_after_a_restart() {
        let (names, later) = (Pseudonyms::new().unwrap(), Pseudonyms::new().unwrap());
        let word = names.of(&LoginName::new("Hunter2 "));
        assert_eq!(word, names.of(&LoginName::new("hunter2")));
        assert_ne!(word, names.of(&LoginName::new("hunter3")));
        assert_ne!(word, later.of(&LoginName::new("hunter2")));
        let digits = word.as_str().strip_prefix('?').unwrap();
        assert!(
            digits.len() == 10 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{word}"
        );
        assert_eq!(word.to_string(), format!("name=\"?{digits}\""));
    }
}
