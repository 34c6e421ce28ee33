//! Name and password in an `Authorization` header: HTTP Basic, RFC 7617.
//!
//! The challenge asks for UTF-8. Bytes that are not UTF-8 are read as Windows-1252, which older
//! clients send. Bytes that are valid in both are read as UTF-8; a crypt form made of them matches
//! in either case (see [`verify`](crate::password::verify)).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_PAD_INDIFFERENT;
use zeroize::Zeroizing;

use crate::identity::Username;
use crate::password::Password;
use crate::unicode::from_windows_1252;

/// The longest header value that is read, in bytes. The longest name and password take 1,708 bytes
/// in base64.
const HEADER_BYTES_MAX: usize = 4096;

/// A name and a password as a visitor typed them.
#[derive(Clone, Debug)]
pub struct Typed {
    /// The name.
    pub name: Username,
    /// The password.
    pub password: Password,
}

/// A Basic header without a name and password that a member can have. The error does not show the
/// header, because half of it is secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("authorization: expected a name and a password in base64, found something else")]
pub struct Malformed;

impl Typed {
    /// Reads the value of an `Authorization` header. `None` for another scheme.
    pub fn read(header: &[u8]) -> Option<Result<Self, Malformed>> {
        let header = header.trim_ascii();
        let end_of_scheme = header.iter().position(u8::is_ascii_whitespace).unwrap_or(header.len());
        let (scheme, credentials) = header.split_at(end_of_scheme);
        if !scheme.eq_ignore_ascii_case(b"basic") {
            return None;
        }
        let typed =
            if header.len() > HEADER_BYTES_MAX { None } else { read(credentials.trim_ascii()) };
        Some(typed.ok_or(Malformed))
    }

    /// Reads name and password that a web server has decoded.
    ///
    /// # Errors
    ///
    /// If no member can have them.
    pub fn decoded(name: &[u8], password: &[u8]) -> Result<Self, Malformed> {
        let typed = match (str::from_utf8(name), str::from_utf8(password)) {
            (Ok(name), Ok(password)) => typed(name, password),
            // Bytes of the same header are read in the same way.
            _ => typed(&from_windows_1252(name), &from_windows_1252(password)),
        };
        typed.ok_or(Malformed)
    }
}

fn typed(name: &str, password: &str) -> Option<Typed> {
    Some(Typed { name: Username::typed(name)?, password: Password::parse(password)? })
}

fn read(credentials: &[u8]) -> Option<Typed> {
    // Decoded into buffers that never grow, because growing would leave copies of the password.
    let mut bytes = Zeroizing::new(vec![0; base64::decoded_len_estimate(credentials.len())]);
    // RFC 7617 requires padding, and some clients omit it.
    let length = STANDARD_PAD_INDIFFERENT.decode_slice(credentials, &mut bytes).ok()?;
    let bytes = &bytes[..length];
    let decoded;
    let text = match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => {
            decoded = from_windows_1252(bytes);
            &decoded
        }
    };
    // Splits at the first colon. A password may contain colons, but a name in this header cannot.
    let (name, password) = text.split_once(':')?;
    typed(name, password)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Key, MemberId, SiteId};
    use crate::password::{Cryptpass, Stored, Vault, verify};
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

    fn basic(clear: &[u8]) -> Vec<u8> {
        format!("Basic {}", STANDARD.encode(clear)).into_bytes()
    }

    /// Name and password; `None` for another scheme.
    fn read(header: &[u8]) -> Option<Result<(String, String), Malformed>> {
        Typed::read(header).map(|read| {
            read.map(|typed| (typed.name.to_string(), typed.password.expose().to_owned()))
        })
    }

    #[test]
    fn name_and_password_are_read_in_every_form_that_clients_send() {
        let table: &[(&[u8], &str, &str, &str)] = &[
            (b"Basic Ym9iOnNlY3JldA==", "bob", "secret", "as in the RFC"),
            (b"bASIC Ym9iOnNlY3JldA==", "bob", "secret", "the scheme has no case"),
            (b"Basic   Ym9iOnNlY3JldA== ", "bob", "secret", "more spaces"),
            (b"Basic\tYm9iOnNlY3JldA==", "bob", "secret", "a tab"),
            (b"Basic Ym9iOnNlY3JldA", "bob", "secret", "no padding"),
            (b"Basic Ym9iOnNlY3JldA=", "bob", "secret", "half of it"),
            (&basic(b"bob:a:b:"), "bob", "a:b:", "colons in the password"),
            (&basic(b"a b@example.com: "), "a b@example.com", " ", "spaces count"),
            (&basic(b"bob:\0\r\n\x7f"), "bob", "\0\r\n\u{7f}", "a password has anything in it"),
            (&basic("josé:pässwörd€".as_bytes()), "josé", "pässwörd€", "UTF-8"),
            (&basic(b"jos\xe9:p\xe4ssw\xf6rd\x80"), "josé", "pässwörd€", "Windows-1252"),
            (
                &basic(b"bob:\x81\xe9"),
                "bob",
                "\u{81}é",
                "a byte that Windows-1252 has no letter for",
            ),
            (&basic(b"bob\x85:x"), "bob…", "x", "a control character of Latin-1 is a letter there"),
            (&basic(b"bob:\xc3\xa9\xe9"), "bob", "Ã©é", "not UTF-8 to the end is not UTF-8"),
            (
                &basic(b"\xef\xbb\xbfbob:x"),
                "\u{feff}bob",
                "x",
                "no mark of the byte order is looked for",
            ),
        ];
        for (header, name, password, why) in table {
            assert_eq!(read(header), Some(Ok((name.to_string(), password.to_string()))), "{why}");
        }
    }

    #[test]
    fn another_scheme_is_not_ours() {
        let long = [&b"Negotiate "[..], &[b'A'; 10_000]].concat();
        for header in [
            &b""[..],
            b" ",
            b"Bearer abc",
            b"Digest username=\"bob\"",
            b"Basi",
            b"Basics Ym9iOng=",
            b"Basic:Ym9iOng=",
            &long,
        ] {
            assert_eq!(read(header), None, "{}", header.escape_ascii());
        }
    }

    #[test]
    fn a_header_that_no_member_could_send_is_malformed() {
        let table: &[(&[u8], &str)] = &[
            (b"Basic", "nothing"),
            (b"Basic ", "nothing but a space"),
            (b"basic !", "no base64"),
            (b"Basic bob:secret", "not encoded"),
            (b"Basic Ym9iOnNlY3JldA===", "more than the padding"),
            (b"Basic Ym9iOnNlY3JldB==", "bits left over"),
            (b"Basic Ym9iOnNl Y3JldA==", "a space within"),
            (b"Basic Ym9iOnNlY3JldA==, Basic Ym9iOnNlY3JldA==", "two of them"),
            (b"Basic Ym9iOi0_", "the other alphabet"),
            (b"Basic \xff\xfe", "bytes"),
            (&basic(b""), "empty"),
            (&basic(b"bob"), "no colon"),
            (&basic(b":secret"), "no name"),
            (&basic(b"bob:"), "no password"),
            (&basic(b":"), "neither"),
            (&basic(b"bo\0b:x"), "a NUL in the name"),
            (&basic(b"bob\r\nX-Member-Id 1:x"), "a line break in the name"),
            (&basic(b"bob\x7f:x"), "a DEL in the name"),
            (&basic(b"bob\x81:\xe9"), "a control character of Windows-1252 in the name"),
        ];
        for (header, why) in table {
            assert_eq!(read(header), Some(Err(Malformed)), "{why}");
        }
    }

    #[test]
    fn the_longest_of_everything_is_taken_and_one_more_is_not() {
        let of = |name: usize, password: usize| {
            read(&basic(format!("{}:{}", "n".repeat(name), "p".repeat(password)).as_bytes()))
        };
        assert!(matches!(of(255, 1024), Some(Ok(_))));
        assert_eq!(of(256, 1), Some(Err(Malformed)));
        assert_eq!(of(1, 1025), Some(Err(Malformed)));
        // The length is counted in UTF-8, whatever encoding was sent, as in a postback.
        assert_eq!(read(&basic(&[&[0xe9; 128][..], b":x"].concat())), Some(Err(Malformed)));
        let spaces = HEADER_BYTES_MAX - "basicYm9iOnNlY3JldA==".len();
        let padded =
            |spaces: usize| read(format!("basic{}Ym9iOnNlY3JldA==", " ".repeat(spaces)).as_bytes());
        assert!(matches!(padded(spaces), Some(Ok(_))));
        assert_eq!(padded(spaces + 1), Some(Err(Malformed)));
    }

    /// NATS made the crypt form of the bytes that a browser sent from the join form. `verify` gets
    /// text.
    #[test]
    fn a_password_typed_in_windows_1252_opens_a_crypt_form_made_of_those_bytes_and_of_utf_8() {
        let key = Key { site: SiteId::parse("5").unwrap(), member: MemberId::parse("71").unwrap() };
        let vault = Vault::from_key([7; 32]);
        let opens = |cryptpass: &str, bytes: &[u8]| {
            let typed = Typed::read(&basic(&[b"bob:", bytes].concat())).unwrap().unwrap();
            let sealed =
                Stored::Sealed(vault.seal_cryptpass(key, &Cryptpass::parse(cryptpass).unwrap()));
            verify(&sealed, key, &vault, &typed.password).unwrap()
        };
        for cryptpass in ["$1$windows$AXbDhivOOUXuxrmdO1gjB.", "$1$utf8$ofS8PWVlPneTOxIFZuUV80"] {
            assert!(opens(cryptpass, b"p\xe4ssw\xf6rd\x80"), "{cryptpass}");
            assert!(opens(cryptpass, "pässwörd€".as_bytes()), "{cryptpass}");
            assert!(!opens(cryptpass, b"p\xe4ssw\xf6rd"), "{cryptpass}");
        }
        let every_byte: Vec<u8> = (0x80..=0xff).collect();
        let made = pwhash::unix::crypt(&every_byte, "$1$abcdefgh$").unwrap();
        assert!(opens(&made, &every_byte));
        // Bytes of Windows-1252 that are also valid UTF-8.
        let made = pwhash::unix::crypt(b"\xc3\xa9", "$1$abcdefgh$").unwrap();
        assert!(opens(&made, b"\xc3\xa9"));
    }

    #[test]
    fn nothing_that_was_typed_as_a_password_is_shown() {
        let typed = Typed::read(b"Basic Ym9iOnNlY3JldA==").unwrap().unwrap();
        assert_eq!(
            format!("{typed:?}"),
            "Typed { name: Username(\"bob\"), password: Password(***) }"
        );
        let sentence =
            "authorization: expected a name and a password in base64, found something else";
        assert_eq!(Malformed.to_string(), sentence);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(0..=255_u8, 0..300)) {
            let _ = Typed::read(&bytes);
            let _ = Typed::read(&[b"Basic ", &bytes[..]].concat());
            let _ = Typed::read(&basic(&bytes));
        }

        #[test]
        fn what_a_member_has_is_read_as_it_is(
            name in "[^:\\p{Cc}]{1,60}",
            password in "(?s).{1,200}",
        ) {
            let clear = format!("{name}:{password}");
            let unpadded = format!("Basic {}", STANDARD_NO_PAD.encode(&clear));
            for header in [basic(clear.as_bytes()), unpadded.into_bytes()] {
                let expected = (name.clone(), password.clone());
                proptest::prop_assert_eq!(read(&header), Some(Ok(expected)));
            }
        }
    }
}
