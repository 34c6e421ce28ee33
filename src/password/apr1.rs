//! Apache's own form of crypt(3)'s MD5, `$apr1$`, which `htpasswd` made by default for many years.
//! The crate `pwhash` computes `$1$` only. The two differ in the name within the first digest.

use md5::{Digest as _, Md5};

/// The digits of crypt(3)'s base 64 in order of value. bcrypt uses the same characters in another
/// order.
pub(super) const DIGITS: &[u8; 64] =
    b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The beginning of the text, which is hashed as well.
pub(super) const APR1: &str = "$apr1$";
/// How often the digest is computed again.
const ROUNDS: usize = 1000;
/// The order in which the bytes of the digest are written, three to each four characters.
const ORDER: [[usize; 3]; 5] = [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]];
/// The byte that is written last, alone.
const LAST: usize = 11;

/// The digest of a password under a salt, in the characters of crypt(3).
pub(super) fn digest(password: &[u8], salt: &str) -> String {
    let salt = salt.as_bytes();
    let doubled = Md5::new().chain(password).chain(salt).chain(password).finalize();
    let mut first = Md5::new().chain(password).chain(APR1).chain(salt);
    for piece in password.chunks(doubled.len()) {
        first.update(&doubled[..piece.len()]);
    }
    // One byte for each bit of the length, the lowest bit first.
    let mut length = password.len();
    while length > 0 {
        first.update(if length & 1 == 1 { &[0][..] } else { &password[..1] });
        length >>= 1;
    }
    let mut made = first.finalize();
    for round in 0..ROUNDS {
        let (before, after) =
            if round % 2 == 0 { (made.as_slice(), password) } else { (password, made.as_slice()) };
        let mut next = Md5::new().chain(before);
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        made = next.chain(after).finalize();
    }
    let mut text = String::with_capacity(22);
    for [high, middle, low] in ORDER {
        let bits = [made[high], made[middle], made[low]].map(u32::from);
        push(&mut text, bits[0] << 16 | bits[1] << 8 | bits[2], 4);
    }
    push(&mut text, u32::from(made[LAST]), 2);
    text
}

/// Writes six bits a character, the lowest first.
fn push(text: &mut String, bits: u32, chars: u32) {
    for at in 0..chars {
        let six = usize::try_from(bits >> (6 * at) & 0x3f).unwrap_or_default();
        text.push(char::from(DIGITS[six]));
    }
}
