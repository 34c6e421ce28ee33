//! The forms of crypt(3) that a cryptpass may have, and the computation of each.
//!
//! | form    | setting                               | digest   |
//! |---------|---------------------------------------|----------|
//! | DES     | 2 characters                          | 11       |
//! | MD5     | `$1$` salt of 0 to 8 `$`              | 22       |
//! | SHA-256 | `$5$` [`rounds=N$`] salt of 0 to 16 `$` | 43     |
//! | SHA-512 | `$6$` [`rounds=N$`] salt of 0 to 16 `$` | 86     |
//! | bcrypt  | `$2a$`, `$2b$` or `$2y$` cost `$` 22 characters | 31 |
//! | Apache's MD5 | `$apr1$` salt of 0 to 8 `$`       | 22       |
//! | Apache's SHA-1 | `{SHA}`                        | 28       |
//! | yescrypt | `$y$` `j`, 2 characters `$` salt of 0 to 43 `$` | 43 |
//!
//! The last three are in files of `htpasswd`. An import takes them. NATS never sends them, and a
//! postback with one is refused.
//!
//! A string is accepted only if crypt(3) can have made it, to the bits of its last character. Any
//! other one can never match, and an error to NATS is better than a member who cannot log in. The
//! strict check also keeps texts away from `pwhash` and `bcrypt` on which these would panic or use
//! another setting.

use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bcrypt::{HashParts, Version};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest as ring_digest};
use zeroize::Zeroizing;

use super::apr1::{self, APR1, DIGITS};
use super::yescrypt_form::{self, Parts, YESCRYPT};

/// The rounds of SHA that crypt(3) computes by default.
const SHA_ROUNDS_USUAL: u32 = 5000;
/// The most rounds of a SHA-256 or SHA-512 setting, because each login computes them.
pub(super) const SHA_ROUNDS_MAX: u32 = 100_000;
/// The fewest rounds that crypt(3) computes. It raises a smaller number and writes the raised one.
const SHA_ROUNDS_MIN: u32 = 1000;
/// The highest cost of a bcrypt setting, the binary logarithm of the rounds. 14 takes about a
/// second.
pub(super) const BCRYPT_COST_MAX: u32 = 14;
/// The lowest cost that bcrypt computes.
const BCRYPT_COST_MIN: u32 = 4;
/// The costs of bcrypt that are accepted.
pub(super) const BCRYPT_COSTS: RangeInclusive<u32> = BCRYPT_COST_MIN..=BCRYPT_COST_MAX;

/// A setting of a known form could not be computed. This is a fault of the program, not of the
/// visitor.
#[derive(Debug, thiserror::Error)]
#[error("crypt(3) could not be computed from a stored setting of known form")]
pub struct CryptError;

/// The algorithm, which the first characters name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Form {
    Des,
    Md5,
    Sha256,
    Sha512,
    Bcrypt,
    Apr1,
    Sha1,
    Yescrypt,
}

/// The beginning of Apache's SHA-1, which has no salt.
const SHA1: &str = "{SHA}";
/// The bytes of a SHA-1 digest.
const SHA1_BYTES: usize = 20;

impl Form {
    fn of(text: &str) -> Option<Self> {
        match text.as_bytes() {
            [b'$', b'1', b'$', ..] => Some(Form::Md5),
            [b'$', b'5', b'$', ..] => Some(Form::Sha256),
            [b'$', b'6', b'$', ..] => Some(Form::Sha512),
            [b'$', b'2', b'a' | b'b' | b'y', b'$', ..] => Some(Form::Bcrypt),
            _ if text.starts_with(APR1) => Some(Form::Apr1),
            _ if text.starts_with(SHA1) => Some(Form::Sha1),
            _ if text.starts_with(YESCRYPT) => Some(Form::Yescrypt),
            [b'$', ..] => None,
            _ => Some(Form::Des),
        }
    }

    /// Whether NATS can send it.
    fn is_of_nats(self) -> bool {
        match self {
            Form::Des | Form::Md5 | Form::Sha256 | Form::Sha512 | Form::Bcrypt => true,
            Form::Apr1 | Form::Sha1 | Form::Yescrypt => false,
        }
    }

    /// The number of characters of the digest, and the possible last characters: its spare bits are
    /// zero.
    fn digest(self) -> (usize, &'static [u8]) {
        match self {
            Form::Des => (11, b".26AEIMQUYcgkosw"),
            Form::Md5 | Form::Apr1 => (22, b"./01"),
            Form::Sha256 | Form::Yescrypt => (43, b"./0123456789ABCD"),
            Form::Sha512 => (86, b"./01"),
            Form::Bcrypt => (31, b".CGKOSWaeimquy26"),
            Form::Sha1 => (28, b"="),
        }
    }

    /// Whether crypt(3) can have made this digest.
    fn made(self, digest: &str) -> bool {
        match self {
            // The decoder refuses spare bits that are not zero.
            Form::Sha1 => {
                BASE64_STANDARD.decode(digest).is_ok_and(|bytes| bytes.len() == SHA1_BYTES)
            }
            Form::Des
            | Form::Md5
            | Form::Sha256
            | Form::Sha512
            | Form::Bcrypt
            | Form::Apr1
            | Form::Yescrypt => {
                let (_, last) = self.digest();
                is_digits(digest) && digest.as_bytes().last().is_some_and(|it| last.contains(it))
            }
        }
    }
}

/// Form, cost and salt: what comes before the digest in a crypt string.
#[derive(Clone, Copy)]
pub(super) struct Setting<'a> {
    form: Form,
    text: &'a str,
}

/// The cost of a setting, which does not depend on its salt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct CryptCost {
    form: Form,
    /// The rounds of SHA, the cost of bcrypt or of yescrypt, or 0.
    rounds: u32,
}

impl CryptCost {
    /// bcrypt at this cost.
    pub(super) fn bcrypt(cost: u32) -> Self {
        Self { form: Form::Bcrypt, rounds: cost }
    }

    /// Whether it costs at most this many rounds of SHA, or bcrypt at this cost. DES and MD5 always
    /// do, and yescrypt within its bound costs about as much as bcrypt.
    pub(super) fn is_at_most(self, sha_rounds: u32, bcrypt: u32) -> bool {
        match self.form {
            Form::Des | Form::Md5 | Form::Apr1 | Form::Sha1 | Form::Yescrypt => true,
            Form::Sha256 | Form::Sha512 => self.rounds <= sha_rounds,
            Form::Bcrypt => self.rounds <= bcrypt,
        }
    }

    /// A setting of this cost, with a constant salt.
    pub(super) fn setting(self) -> String {
        let rounds = self.rounds;
        match self.form {
            Form::Des => "..".into(),
            Form::Md5 => "$1$........$".into(),
            Form::Apr1 => format!("{APR1}........$"),
            Form::Sha1 => SHA1.into(),
            Form::Sha256 => format!("$5$rounds={rounds}$................$"),
            Form::Sha512 => format!("$6$rounds={rounds}$................$"),
            Form::Bcrypt => format!("$2y${rounds:02}$......................"),
            Form::Yescrypt => yescrypt_form::setting_of(rounds),
        }
    }
}

/// Splits a crypt string into setting and digest.
pub(super) fn split(text: &str) -> Option<(Setting<'_>, &str)> {
    if !text.is_ascii() {
        return None;
    }
    let form = Form::of(text)?;
    let (chars, _) = form.digest();
    let (setting, digest) = text.split_at(text.len().checked_sub(chars)?);
    let made = form.made(digest);
    Setting::parse(setting).filter(|_| made).map(|setting| (setting, digest))
}

impl<'a> Setting<'a> {
    /// Reads a setting without a digest.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let form = Form::of(text)?;
        let known = match form {
            Form::Des => text.len() == 2 && is_digits(text),
            Form::Md5 => is_salt(&text[3..], 8),
            Form::Sha256 | Form::Sha512 => is_sha(&text[3..]),
            Form::Bcrypt => is_bcrypt(&text[4..]),
            Form::Apr1 => is_salt(&text[APR1.len()..], 8),
            Form::Sha1 => text == SHA1,
            Form::Yescrypt => Parts::of(&text[YESCRYPT.len()..]).is_some(),
        };
        known.then_some(Self { form, text })
    }

    /// The text of the setting.
    pub(super) fn as_str(&self) -> &'a str {
        self.text
    }

    /// What it costs to compute the setting.
    pub(super) fn cost(&self) -> CryptCost {
        let number =
            |text: &str, end: char| text.split(end).next().and_then(|digits| digits.parse().ok());
        let rounds = match self.form {
            Form::Des | Form::Md5 | Form::Apr1 | Form::Sha1 => None,
            Form::Sha256 | Form::Sha512 => self.text[3..]
                .strip_prefix("rounds=")
                .map_or(Some(SHA_ROUNDS_USUAL), |rest| number(rest, '$')),
            Form::Bcrypt => number(&self.text[4..], '$'),
            Form::Yescrypt => self.yescrypt().map(|parts| parts.cost()),
        };
        CryptCost { form: self.form, rounds: rounds.unwrap_or(0) }
    }

    /// Whether NATS can send this form.
    pub(super) fn is_of_nats(&self) -> bool {
        self.form.is_of_nats()
    }

    /// Whether this is bcrypt, the only form that this program makes too.
    pub(super) fn is_bcrypt(&self) -> bool {
        self.form == Form::Bcrypt
    }

    /// The crypt string of a password, setting included. A password with a NUL has none: crypt(3)
    /// reads C strings, and stopping at the NUL would accept `secret\0anything` for `secret`.
    pub(super) fn crypt(&self, password: &[u8]) -> Result<Option<Zeroizing<String>>, CryptError> {
        if password.contains(&0) {
            return Ok(None);
        }
        let made = match self.form {
            Form::Bcrypt => self.bcrypt(password),
            Form::Apr1 => {
                let salt = self.text[APR1.len()..].trim_end_matches('$');
                Some(format!("{}{}", self.text, apr1::digest(password, salt)))
            }
            Form::Sha1 => {
                let digest = ring_digest(&SHA1_FOR_LEGACY_USE_ONLY, password);
                Some(format!("{SHA1}{}", BASE64_STANDARD.encode(digest)))
            }
            Form::Yescrypt => self
                .yescrypt()
                .and_then(|parts| Some(format!("{}{}", self.text, parts.digest(password)?))),
            Form::Des | Form::Md5 | Form::Sha256 | Form::Sha512 => {
                pwhash::unix::crypt(password, self.text).ok()
            }
        };
        let made = made.map(Zeroizing::new).ok_or(CryptError)?;
        // A result with another setting, or one that was cut, must not be compared with anything.
        match split(&made) {
            Some((setting, _)) if setting.text == self.text => Ok(Some(made)),
            _ => Err(CryptError),
        }
    }

    fn yescrypt(&self) -> Option<Parts> {
        Parts::of(&self.text[YESCRYPT.len()..])
    }

    /// The versions 2a, 2b and 2y are one algorithm. They only differed in bugs of older programs.
    /// bcrypt uses the first 72 bytes.
    fn bcrypt(&self, password: &[u8]) -> Option<String> {
        // The crate reads complete hashes only, so a constant digest is added.
        let parts: HashParts = format!("{}{}", self.text, ".".repeat(31)).parse().ok()?;
        let version = match self.text.as_bytes()[2] {
            b'a' => Version::TwoA,
            b'b' => Version::TwoB,
            _ => Version::TwoY,
        };
        let made = bcrypt::hash_with_salt(password, parts.get_cost(), parts.get_salt_raw()).ok()?;
        Some(made.format_for_version(version))
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|b| DIGITS.contains(&b))
}

/// Whether the text is `salt$` with a salt of at most this length. crypt(3) accepts other
/// characters in a salt too, but `pwhash` does not.
fn is_salt(text: &str, chars_max: usize) -> bool {
    text.strip_suffix('$').is_some_and(|salt| salt.len() <= chars_max && is_digits(salt))
}

/// Whether the text is `salt$` or `rounds=N$salt$`, with N as crypt(3) writes it: in range and
/// without leading zeros.
fn is_sha(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("rounds=") else {
        return is_salt(text, 16);
    };
    let Some((rounds, salt)) = rest.split_once('$') else {
        return false;
    };
    let number =
        rounds.parse().ok().filter(|number| (SHA_ROUNDS_MIN..=SHA_ROUNDS_MAX).contains(number));
    number.is_some_and(|number| number.to_string() == rounds) && is_salt(salt, 16)
}

/// Whether the text is `NN$` and 22 characters, the last of which has four spare bits.
fn is_bcrypt(text: &str) -> bool {
    let [tens @ b'0'..=b'9', ones @ b'0'..=b'9', b'$', salt @ ..] = text.as_bytes() else {
        return false;
    };
    let cost = u32::from(tens - b'0') * 10 + u32::from(ones - b'0');
    let salted = salt.len() == 22 && is_digits(&text[3..]) && b".Oeu".contains(&salt[21]);
    BCRYPT_COSTS.contains(&cost) && salted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The crypt string of the bytes under the setting of `text`.
    fn again(text: &str, password: &[u8]) -> String {
        let (setting, _) = split(text).unwrap();
        setting.crypt(password).unwrap().unwrap().to_string()
    }

    #[test]
    fn each_form_is_computed_as_crypt_does() {
        // NATS sent the first four. All are results of libxcrypt's crypt(3).
        for (password, text) in KNOWN {
            assert_eq!(again(text, password.as_bytes()), *text, "{password}");
        }
    }

    #[test]
    fn of_des_8_bytes_count_without_their_top_bit() {
        assert_eq!(again("41R19prsa7NLQ", b"testtest and more"), "41R19prsa7NLQ");
        assert_eq!(again("41R19prsa7NLQ", b"\xf4esttest"), "41R19prsa7NLQ");
        assert_ne!(again("41R19prsa7NLQ", b"testtes"), "41R19prsa7NLQ");
    }

    #[test]
    fn nothing_with_a_nul_has_a_crypt_string() {
        for (_, text) in KNOWN {
            let (setting, _) = split(text).unwrap();
            assert!(setting.crypt(b"secret\0").unwrap().is_none(), "{text}");
        }
    }

    #[test]
    fn a_setting_is_what_stands_before_the_digest() {
        for (_, text) in KNOWN {
            let (setting, digest) = split(text).unwrap();
            assert_eq!(format!("{}{digest}", setting.as_str()), *text);
            assert_eq!(Setting::parse(setting.as_str()).unwrap().form, setting.form);
        }
    }

    #[test]
    fn what_a_setting_costs_has_a_setting_of_its_own() {
        for (_, text) in KNOWN {
            let (setting, _) = split(text).unwrap();
            let cost = setting.cost();
            let own = cost.setting();
            let again = Setting::parse(&own).unwrap();
            assert_eq!(again.cost(), cost, "{text}");
            assert!(again.crypt(b"nobody").unwrap().is_some(), "{text}");
        }
        let cost = |text: &str| Setting::parse(text).unwrap().cost();
        assert_eq!(cost("$6$salt$"), cost("$6$rounds=5000$other$"));
        assert_ne!(cost("$6$salt$"), cost("$6$rounds=5001$salt$"));
        assert_ne!(cost("$6$salt$"), cost("$5$salt$"));
    }

    #[test]
    fn what_no_crypt_could_have_made_is_refused() {
        let (md5, sha256, sha512) = ("5".repeat(21), "5".repeat(42), "5".repeat(85));
        let bcrypt = "$2y$10$abcdefghijklmnopqrstuu8.veTXNDPV2eEsdpKNczMw2otgh5LnK";
        assert!(split(bcrypt).is_some());
        for (text, reason) in [
            (String::new(), "empty"),
            ("41".into(), "a setting alone"),
            ("41R19prsa7NL".into(), "DES, 12 characters"),
            ("41R19prsa7NLQQ".into(), "DES, 14 characters"),
            ("41R19prsa7NLR".into(), "DES, a last digit with too many bits"),
            ("4!R19prsa7NLQ".into(), "DES, an odd salt"),
            ("\x014R19prsa7NLQ".into(), "a control character"),
            ("é1R19prsa7NLQ".into(), "not ASCII"),
            ("_J9..rasmBYk8r9AiWNc".into(), "BSDI's DES"),
            ("*0".into(), "crypt's own refusal"),
            (format!("$apr1$123456789${md5}."), "Apache's MD5, a salt of 9"),
            (format!("$apr1$ab${md5}5"), "Apache's MD5, a last digit with too many bits"),
            (format!("$apr1$ab{md5}."), "Apache's MD5, no end of the salt"),
            ("{SHA}Uau5Y2B43vv4iNhFenx2+FyPEUw".into(), "SHA-1, no padding"),
            ("{SHA}Uau5Y2B43vv4iNhFenx2+FyPEUx=".into(), "SHA-1, too many bits"),
            ("{SHA}Uau5Y2B43vv4iNhFenx2+FyPE===".into(), "SHA-1, too short"),
            ("{SHA}salt$Uau5Y2B43vv4iNhFenx2+FyPEUw=".into(), "SHA-1, a salt"),
            ("{SSHA}Uau5Y2B43vv4iNhFenx2+FyPEUw=".into(), "SHA-1 of another program"),
            ("password".into(), "a password"),
            (format!("$1$123456789${md5}."), "MD5, a salt of 9"),
            (format!("$1$abc{md5}."), "MD5, no end of the salt"),
            (format!("$1$a b${md5}."), "MD5, a space in the salt"),
            (format!("$1$ab${md5}5"), "MD5, a last digit with too many bits"),
            (format!("$5$12345678901234567${sha256}."), "SHA-256, a salt of 17"),
            (format!("$5$rounds=0$ab${sha256}."), "no rounds"),
            (format!("$5$rounds=999$ab${sha256}."), "too few rounds"),
            (format!("$5$rounds=05000$ab${sha256}."), "a leading zero"),
            (format!("$5$rounds=+5000$ab${sha256}."), "a sign"),
            (format!("$5$rounds=$ab${sha256}."), "rounds without a number"),
            (format!("$5$rounds=5000{sha256}."), "rounds without a salt"),
            (format!("$6$rounds=100001$ab${sha512}."), "more rounds than a login may cost"),
            (format!("$6$rounds=99999999999$ab${sha512}."), "rounds beyond 32 bits"),
            (format!("$6$ab${sha256}."), "SHA-512, the digest of SHA-256"),
            (bcrypt.replace("$10$", "$15$"), "more cost than a login may have"),
            (bcrypt.replace("$10$", "$03$"), "less cost than bcrypt has"),
            (bcrypt.replace("$10$", "$+9$"), "a sign"),
            (bcrypt.replace("$2y$", "$2x$"), "the faulty bcrypt"),
            (bcrypt.replace("uu8", "uv8"), "a salt with too many bits"),
            (bcrypt.replace("LnK", "LnL"), "a digest with too many bits"),
            (format!("$y$jAT$${sha256}."), "yescrypt, more cost than a login may have"),
            (format!("$y$j9T$${sha256}E"), "yescrypt, a last digit with too many bits"),
            (format!("$y$j9T$abc${sha256}."), "yescrypt, a salt with too many bits"),
            (format!("$y$j9T{sha256}."), "yescrypt, no salt"),
            (format!("$7$C6..../....${sha256}."), "scrypt"),
            ("$3$$8846f7eaee8fb117ad06bdd830b7586c".into(), "NT"),
            ("$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAA".into(), "argon2id"),
        ] {
            assert!(split(&text).is_none(), "{reason}: {text}");
        }
    }

    #[test]
    fn the_costliest_settings_are_accepted() {
        for text in [
            format!("$6$rounds=100000$ab${}.", "5".repeat(85)),
            format!("$2b$14${}{}.", "u".repeat(22), "u".repeat(30)),
        ] {
            assert!(split(&text).is_some(), "{text}");
        }
    }

    const LONG: &str = "correct horse battery staple, and then some more of it so that it passes \
        seventy-two bytes";
    const KNOWN: &[(&str, &str)] = &[
        ("testtest", "41R19prsa7NLQ"),
        ("testtest", "7dTx9F2gGoM5w"),
        ("password", "a4sLkn7C9GP12"),
        ("testPassword", "d3695SDTr1h2k"),
        ("", "41jafBQnMGV36"),
        ("pässwörd", "aZXpB2S.u7uSw"),
        ("日本語", "./0CKIlmZnE5A"),
        ("password", "$1$$I2o9Z7NcvQAKp7wyCTlia0"),
        ("password", "$1$5pZSV9va$azfrPr6af3Fc7dLblQXVa0"),
        ("password", "$5$$V0edGK/GfSrNwzYCrbML4V/gvkNuNTfvn.Pt/LMSAf8"),
        ("password", "$5$saltstring$OH4IDuTlsuTYPdED1gsuiRMyTAwNlRWyA6Xr3I4/dQ5"),
        ("password", "$5$rounds=1000$roundstoolow$C7LgBKoW9Cpd8uupMmg0Kv0Lud0icu6mTwa7mcvsVSC"),
        (
            "password",
            "$6$saltstring$adDbXsJjcDlq2662QPgd.tkSOVmnG9Tt3oXl4HR60SusC3AGjirnDenVZp3DGwLwqy6iYK\
             CzannhaX9DR72nN1",
        ),
        (
            "password",
            "$6$rounds=5000$abcdefghijklmnop$0aenUFHf897F9u0tURIHOeACWajSuVGa7jgJGyq.DKZm/WXl/IZF\
             vPbneFydBjomEOgM.Sh1m0L3KsS1.H5b//",
        ),
        ("password", "$2a$04$abcdefghijklmnopqrstuughE8Ev8uGFaUgY2cNEySvxngrb/Jzdm"),
        ("password", "$2b$04$abcdefghijklmnopqrstuughE8Ev8uGFaUgY2cNEySvxngrb/Jzdm"),
        ("password", "$2y$04$......................LAtw7/ohmmBAhnXqmkuIz83Rl5Qdjhm"),
        ("testtest", "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$B7RKt0vq1twPDblWvudBzozXGE485nqQPDWqERW8dR8"),
        ("", "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$5P1uc1zvKhieqEtKttbwCQrTPXpY1cK9wEnTDKAqLD8"),
        ("pässwörd", "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$UAi3w.V1khOnmiQzfq00d7LaG6KfSe9MVbNef5kSs64"),
        ("testtest", "$y$j9T$$jfprVhS4.rdm1NpeckJxuiQjQBeyZMcCN/7D56HvsA1"),
        ("testtest", "$y$j75$..$j4OIP9Xd8250rLWzerp2q9g0Rl3WngHsZhBixDF7gQ0"),
        // Results of `openssl passwd -apr1` and `openssl dgst -sha1`.
        ("testtest", "$apr1$abcdefgh$0UjStWmXslmzQv7sQKyIS/"),
        ("", "$apr1$abcdefgh$L.PT565ESX4Tp2bqNs7Ie."),
        ("pässwörd", "$apr1$abcdefgh$030j6I3f1zNCF9tihqdd11"),
        ("secret", "$apr1$a/$JnJRGcPFfu6VtRuzUBfhL1"),
        ("exactly16bytes!!", "$apr1$12345678$7K4LHBxCDc3CoV.eVIENs."),
        ("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "$apr1$abcdefgh$7h4098paklNpzdB9KwCdh/"),
        ("testtest", "{SHA}Uau5Y2B43vv4iNhFenx2+FyPEUw="),
        ("pässwörd", "{SHA}9Rfd8dMqES/xrVXGbRsSyzjn6Pc="),
        ("", "$1$5pZSV9va$DLu0KyBfk2R1Z39LqQhi01"),
        ("pässwörd", "$1$5pZSV9va$BMC4h7DlOH.mQ.K62hd3l0"),
        (LONG, "$1$5pZSV9va$Fc6Gq.iiEFb95J1o5XjO7."),
        ("", "$5$saltstring$FdNfA4gXqvCeO6iZs7G/.wwwoywYZqo0l1pwmfWaBA7"),
        ("pässwörd", "$5$saltstring$bWOoCRTKNT.aiY/gJjvk1HjBYuRpcYQmcc5hqf6H4T4"),
        (LONG, "$5$saltstring$2eTWdgey12bdnNGV8DyCf55BCReWLHFiB4DCJrN.r5/"),
        (
            "",
            "$6$saltstring$kyGrqt6gmjAdtFLPrflEFifSYLCWWq1pyx95SvqinLDy2UHmj0sTF0MSLMwxPFZc3tu5kQ\
             ckI8fks0zOPda3n1",
        ),
        (
            "pässwörd",
            "$6$saltstring$6PSVl254uv0cWCoUS0qzSX5NenRA/YFCwPzGA9ONu.MmmxqXTWHerEzD8WyuBl3ukfIZZU\
             9uxLD6Bn6p7S3rG.",
        ),
        (
            LONG,
            "$6$saltstring$U/0tGraCxcU3z4LQPk1RpJF.eIdqEu1j3T6lZOOHrLIGwICePPUxiSeaLAtWRDWHtJEpcI\
             jIY5c3.k6rX4SIv.",
        ),
        ("", "$2y$04$abcdefghijklmnopqrstuOPYMo8FIicLfSLl7WijjcPEQmRxjEu.y"),
        ("pässwörd", "$2y$04$abcdefghijklmnopqrstuOz04mYzLqOky8uH6VHSMIRHtAef.x9f6"),
        (LONG, "$y$j75$abcdefghijklmnopqrstu.$lJyTaPqO0RLJOSmc1Ols7K9kPcWGH2j0.weaLCsDX2."),
        (LONG, "$2y$04$abcdefghijklmnopqrstuOKXx0sVN73Mt.9k42lyof3UGyaimvf0i"),
    ];
}
