//! What stands for a name that nobody has. People type passwords into the field for the name: such
//! a text is kept nowhere, neither in the log nor in a table. The same text gives the same word
//! until the end of the process, and no word can be tested against guesses afterwards, because the
//! key is gone with it.

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

/// Makes the words, under a random key of this process.
pub struct Pseudonyms(Blake2bMac<U5>);

redacted!(Pseudonyms);

impl Pseudonyms {
    /// Under a new key.
    ///
    /// # Errors
    ///
    /// Where the system gives no key.
    pub fn new() -> Result<Self, getrandom::Error> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(key.as_mut())?;
        Ok(Self(
            Blake2bMac::new_from_slice(key.as_ref()).expect("BLAKE2b takes keys of up to 64 bytes"),
        ))
    }

    /// What is written in place of this name: `?` and ten hexadecimal digits.
    pub fn of(&self, name: &LoginName) -> LoginName {
        let mut mac = self.0.clone();
        mac.update(name.as_str().as_bytes());
        let digits: String =
            mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        LoginName::new(&format!("?{digits}"))
    }
}

/// A name as it was typed, and the word for it. Which of both guesses at it are counted under
/// depends on who has the name; a block may be of either.
#[derive(Debug)]
pub struct TypedName<'a> {
    pseudonyms: &'a Pseudonyms,
    plain: LoginName,
    pseudonym: OnceCell<LoginName>,
}

impl<'a> TypedName<'a> {
    /// Of a typed name.
    pub fn new(pseudonyms: &'a Pseudonyms, name: &str) -> Self {
        Self { pseudonyms, plain: LoginName::new(name), pseudonym: OnceCell::new() }
    }

    /// The one to count, to block and to show.
    pub fn shown(&self, has_holder: bool) -> &LoginName {
        if has_holder { &self.plain } else { self.pseudonym() }
    }

    /// What the guard says to either. The word is made only where there are blocks at all.
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
