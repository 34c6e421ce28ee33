use super::*;
use crate::identity::{MemberId, SiteId};
use crate::password::{Cost, HashKind, Hasher, Seal};

fn key() -> Key {
    Key { site: SiteId::parse("5").unwrap(), member: MemberId::parse("71").unwrap() }
}

fn password(text: &str) -> Password {
    Password::parse(text).unwrap()
}

fn cryptpass(text: &str) -> Cryptpass {
    Cryptpass::parse(text).unwrap()
}

fn vault() -> Vault {
    Vault::from_key([7; 32])
}

fn wrap(text: &str) -> Wrapped {
    Hasher::new(Cost::lowest(HashKind::Argon2id)).wrap(&cryptpass(text)).unwrap()
}

/// A cryptpass in both forms that a row can have.
fn sealed_and_wrapped(text: &str) -> [Stored; 2] {
    [Stored::Sealed(vault().seal_cryptpass(key(), &cryptpass(text))), Stored::Wrapped(wrap(text))]
}

fn opens(stored: &Stored, typed: &str) -> bool {
    verify(stored, key(), &vault(), &password(typed)).unwrap()
}

#[test]
fn a_sealed_password_opens_to_itself_alone() {
    let stored = Stored::Sealed(vault().seal_password(key(), &password("41R19prsa7NLQ")));
    assert!(opens(&stored, "41R19prsa7NLQ"), "clear text, whatever it looks like");
    for typed in ["testtest", "41R19prsa7NLQ\0", "41R19prsa7NL", "41R19prsa7NLq"] {
        assert!(!opens(&stored, typed), "{typed:?}");
    }
}

#[test]
fn a_cryptpass_opens_to_its_password_sealed_and_wrapped_in_every_form() {
    for text in [
        "41R19prsa7NLQ",
        "7dTx9F2gGoM5w",
        "$1$abcdefgh$o6vkW26Fjwe4C6eYPw6.C0",
        "$5$saltstring$1IDF4OGvDGAZZxCt4rK0k2Q0Gwxjt1ux3aeapWHXbd1",
        "$6$saltstring$yq4YNTMrf/aUr1asqgZng7iPH3imQWx.izv9c.U1N6HirBh06ubZJoAQI8nMlrcnbGEnca\
         VCFze44i1wQ8L3P/",
        "$2a$04$abcdefghijklmnopqrstuuqyyLLpuVYWbE8OVUceJbhiDEB0LEHDm",
        "$2b$04$abcdefghijklmnopqrstuuqyyLLpuVYWbE8OVUceJbhiDEB0LEHDm",
        "$2y$04$abcdefghijklmnopqrstuuqyyLLpuVYWbE8OVUceJbhiDEB0LEHDm",
    ] {
        for stored in sealed_and_wrapped(text) {
            assert!(opens(&stored, "testtest"), "{text}");
            for typed in ["testtesu", "testtes", "testtest\0", "\0", text] {
                assert!(!opens(&stored, typed), "{text}: {typed:?}");
            }
        }
    }
}

#[test]
fn a_des_cryptpass_keeps_its_own_meaning_8_bytes_count() {
    for stored in sealed_and_wrapped("41R19prsa7NLQ") {
        assert!(opens(&stored, "testtestX"));
    }
}

/// bcrypt uses 72 bytes, so a cryptpass in bcrypt's form matches longer passwords too, as it
/// does elsewhere. NATS has no other form of it.
#[test]
fn a_bcrypt_cryptpass_keeps_its_own_meaning_72_bytes_count() {
    let password = "x".repeat(72);
    let made = bcrypt::hash_with_salt(format!("{password}more"), 4, [7; 16]).unwrap();
    for version in [bcrypt::Version::TwoA, bcrypt::Version::TwoB, bcrypt::Version::TwoY] {
        for stored in sealed_and_wrapped(&made.format_for_version(version.clone())) {
            for (typed, opened) in [
                (password.clone(), true),
                (format!("{password}other"), true),
                ("x".repeat(71), false),
                (format!("{password}\0"), false),
            ] {
                assert_eq!(opens(&stored, &typed), opened, "{version:?}: {typed:?}");
            }
        }
    }
    assert!(
        Cryptpass::parse(&made.format_for_version(bcrypt::Version::TwoX)).is_none(),
        "the faulty form"
    );
}

#[test]
fn md5_and_sha_cryptpasses_count_every_byte() {
    let password = "x".repeat(200);
    for setting in ["$1$abcdefgh$", "$5$saltstring$", "$6$saltstring$"] {
        let text = pwhash::unix::crypt(&password, setting).unwrap();
        for stored in sealed_and_wrapped(&text) {
            assert!(opens(&stored, &password), "{text}");
            for typed in ["x".repeat(199), "x".repeat(201), format!("{password}\0")] {
                assert!(!opens(&stored, &typed), "{text}: {} bytes", typed.len());
            }
        }
    }
}

#[test]
fn a_cryptpass_made_of_utf_8_or_of_windows_1252_opens_to_the_same_typed_text() {
    for text in ["$1$windows$AXbDhivOOUXuxrmdO1gjB.", "$1$utf8$ofS8PWVlPneTOxIFZuUV80"] {
        for stored in sealed_and_wrapped(text) {
            assert!(opens(&stored, "pässwörd€"), "{text}");
            for typed in ["passwörd€", "pässwörd", "pässwörd日"] {
                assert!(!opens(&stored, typed), "{text}: {typed}");
            }
        }
    }
}

#[test]
fn a_wrapped_cryptpass_holds_the_one_it_was_made_of() {
    let wrapped = wrap("41R19prsa7NLQ");
    for (text, same) in
        [("41R19prsa7NLQ", true), ("41R19prsa7NL.", false), ("7dTx9F2gGoM5w", false)]
    {
        assert_eq!(wrapped_holds(&wrapped, &cryptpass(text)).unwrap(), same, "{text}");
    }
}

#[test]
fn a_row_of_another_member_or_under_another_key_is_a_fault() {
    let stored = Stored::Sealed(vault().seal_password(key(), &password("secret")));
    let other = Key { member: MemberId::parse("72").unwrap(), ..key() };
    for (key, vault) in [(other, vault()), (key(), Vault::from_key([8; 32]))] {
        let error = verify(&stored, key, &vault, &password("secret")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the sealed password cannot be opened: the seal was made with another key or for \
             another member, or is damaged"
        );
    }
}

#[test]
fn a_broken_row_is_a_fault_never_yes_and_costs_nothing_to_refuse() {
    let good = Hasher::new(Cost::lowest(HashKind::Argon2id)).hash(&password("secret")).unwrap();
    let phc = good.as_str();
    for (text, reason) in [
        (String::new(), "empty"),
        ("secret".into(), "clear text"),
        ("*".into(), "a mark"),
        ("41R19prsa7NLQ".into(), "a crypt string that is not wrapped"),
        ("$1$abcdefgh$irWbblnpmw.5z7wgBnprh0".into(), "the same, MD5"),
        ("$2y$31$abcdefghijklmnopqrstuu8.veTXNDPV2eEsdpKNczMw2otgh5LnK".into(), "bcrypt for days"),
        ("$2y$10$abcdefghijklmnopqrstuu8.veTXNDPV2eEsdpKNczMw2otgh5Lé".into(), "bcrypt, not ASCII"),
        ("$argon2id$".into(), "a name alone"),
        ("$argon2id$v=19$m=8,t=1,p=1".into(), "no salt"),
        ("$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA".into(), "no hash"),
        (phc[..phc.len() - 1].into(), "cut short"),
        (phc[..phc.len() - 27].into(), "cut to a length that is one of argon2id"),
        (format!("{phc}$"), "more behind it"),
        (phc.replace("argon2id", "argon2i"), "another algorithm"),
        (phc.replace("v=19", "v=16"), "an older version"),
        (phc.replace("$v=19", ""), "no version"),
        (phc.replace("m=8", "m=4294967295"), "all memory there is"),
        (phc.replace("m=8", "m=7"), "too little memory"),
        (phc.replace("m=8", "m=131073"), "more memory than a login may take"),
        (phc.replace("t=1", "t=0"), "no pass"),
        (phc.replace("t=1", "t=4294967295"), "passes for years"),
        (phc.replace("p=1", "p=16777215"), "lanes without end"),
        (phc.replace("p=1", "p=1,x=1"), "an unknown parameter"),
        (phc.replace("m=8,t=1,p=1$", "m=8,t=1,p=1$AA"), "another salt"),
    ] {
        let hash = Stored::Hash(Hash::from_text(text.clone()));
        let answer = verify(&hash, key(), &vault(), &password("secret"));
        // A text of a valid form is only a wrong password.
        assert!(matches!(answer, Err(VerifyError::Hash) | Ok(false)), "{reason}: {answer:?}");
        assert_eq!(answer.is_ok(), reason == "another salt", "{reason}");
    }
}

#[test]
fn a_broken_wrapped_row_is_a_fault() {
    let wrapped = wrap("41R19prsa7NLQ");
    let text = wrapped.as_str();
    for broken in [
        String::new(),
        " ".into(),
        text[2..].into(),
        text[3..].into(),
        text.replace("41 ", "4! "),
        text.replace("41 ", "41  "),
        text.replace("41 ", "$6$rounds=999999999$ab$ "),
        text.replace("m=8", "m=4294967295"),
        "41R19prsa7NLQ".into(),
    ] {
        let stored = Stored::Wrapped(Wrapped::from_text(broken.clone()));
        assert!(
            matches!(
                verify(&stored, key(), &vault(), &password("testtest")),
                Err(VerifyError::Wrapped)
            ),
            "{broken}"
        );
    }
}

#[test]
fn a_broken_seal_is_a_fault() {
    for bytes in [vec![], vec![0; 40], vec![0; 104], vec![0; 105]] {
        let stored = Stored::Sealed(Seal::from_bytes(bytes));
        assert!(matches!(
            verify(&stored, key(), &vault(), &password("x")),
            Err(VerifyError::Sealed(_))
        ));
    }
}
