//! yescrypt, `$y$`, which Linux systems and some makers of `.htpasswd` files use: parameters, salt
//! and digest in crypt's own base64, the lowest bits first.

use yescrypt::{Params, yescrypt};

use super::apr1::DIGITS;

/// How a string of yescrypt begins.
pub(super) const YESCRYPT: &str = "$y$";
/// The most blocks times rounds of a setting, because each login computes them: those of `j9T`, the
/// default of libxcrypt, with 16 MiB of memory.
const COST_MAX: u64 = 4096 * 32;
/// The bytes of a digest.
const DIGEST_BYTES: usize = 32;
/// The most characters of a salt: 32 bytes.
const SALT_CHARS_MAX: usize = 43;

/// Parameters and salt of a setting.
pub(super) struct Parts {
    params: Params,
    salt: Vec<u8>,
    /// Cost and size of the blocks, a digit each, as in the setting.
    digits: [u8; 2],
}

impl Parts {
    /// Reads the part of a setting behind `$y$`, as in `j9T$salt$`.
    pub(super) fn of(text: &str) -> Option<Self> {
        let (params, salt) = text.strip_suffix('$')?.split_once('$')?;
        // Three characters have no optional parameters.
        let [b'j', cost, size] = *params.as_bytes() else { return None };
        let read: Params = params.parse().ok()?;
        let is_cheap = read.p() == 1 && read.n().checked_mul(read.r().into())? <= COST_MAX;
        let salt = if salt.len() <= SALT_CHARS_MAX { bytes_of(salt)? } else { return None };
        is_cheap.then_some(Self { params: read, salt, digits: [cost, size] })
    }

    /// Cost and size as a number. See [`setting_of`].
    pub(super) fn cost(&self) -> u32 {
        u32::from(u16::from_be_bytes(self.digits))
    }

    /// The digest of a password.
    pub(super) fn digest(&self, password: &[u8]) -> Option<String> {
        let mut digest = [0; DIGEST_BYTES];
        yescrypt(password, &self.salt, &self.params, &mut digest).ok()?;
        Some(text_of(&digest))
    }
}

/// A setting of this cost, with a constant salt.
pub(super) fn setting_of(cost: u32) -> String {
    let [_, _, cost, size] = cost.to_be_bytes();
    format!("{YESCRYPT}j{}{}$......................$", char::from(cost), char::from(size))
}

/// Three bytes are four digits, of which the first has the lowest bits.
fn text_of(bytes: &[u8]) -> String {
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let number = group.iter().rev().fold(0_u32, |number, &byte| number << 8 | u32::from(byte));
        for at in 0..=group.len() {
            let six = usize::try_from(number >> (6 * at) & 0x3f).unwrap_or_default();
            text.push(char::from(DIGITS[six]));
        }
    }
    text
}

/// The bytes of a text; `None` if [`text_of`] does not make it.
fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for group in text.as_bytes().chunks(4) {
        let mut number = 0_u32;
        for (at, digit) in group.iter().enumerate() {
            let six = DIGITS.iter().position(|known| known == digit)?;
            number |= u32::try_from(six).ok()? << (6 * at);
        }
        // A digit alone is less than a byte.
        bytes.extend(number.to_le_bytes().get(..group.len().checked_sub(1)?)?);
    }
    (text_of(&bytes) == text).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_salt_is_read_as_it_is_written() {
        for text in ["", "..", "./", "F5Jx5fExrKuPp53xLKQ..1", "abcd"] {
            assert_eq!(text_of(&bytes_of(text).unwrap()), text);
        }
        // As crypt(3) refuses them: half a byte, and bits that no byte has.
        for text in [".", "abc", "az", "a$", "é", "abcde"] {
            assert_eq!(bytes_of(text), None, "{text}");
        }
    }

    #[test]
    fn a_setting_is_read_if_a_login_can_compute_it() {
        for text in ["j9T$F5Jx5fExrKuPp53xLKQ..1$", "j75$$", "j9T$$"] {
            assert!(Parts::of(text).is_some(), "{text}");
        }
        for (text, reason) in [
            ("j9T$F5Jx5fExrKuPp53xLKQ..1", "no end of the salt"),
            ("jAT$$", "twice the default cost"),
            ("jzz$$", "far more cost"),
            ("j9T$abc$", "a salt that no crypt(3) makes"),
            ("/9T$$", "another flavour"),
            ("j9T.$$", "an optional parameter"),
            ("j9$$", "no size"),
            ("$", "nothing"),
        ] {
            assert!(Parts::of(text).is_none(), "{reason}");
        }
        assert!(Parts::of(&format!("j9T${}$", ".".repeat(44))).is_none(), "a salt of 33 bytes");
        let parts = Parts::of("j75$$").unwrap();
        assert!(setting_of(parts.cost()).starts_with("$y$j75$"));
    }
}
