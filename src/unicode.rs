//! Text that looks equal but differs: the form in which names are compared, Unicode NFC, and how
//! invisible characters are shown to people.

use std::borrow::Cow;
use std::fmt;

use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::CodePointSetData;
use icu_properties::props::DefaultIgnorableCodePoint;
use zeroize::Zeroizing;

/// The version of the rules of [`folded`]. If the database has another one, all names are folded
/// again. Raise it when the rules or the Unicode data of the crates change: the test
/// `the_rules_of_folding_change_with_their_version` fails then. It does not depend on the compiler,
/// so that receivers of one database may be built by different ones. (Releases up to 0.6.0 had 1
/// and the Unicode version of the compiler here.)
pub const FOLDING_VERSION: i64 = 2 << 24;

/// The most passes of [`folded`]. The second changes only a few letters whose upper case has no
/// composed form (H with a line below). The third confirms that nothing changes any more.
const PASSES_MAX: usize = 4;

/// The form in which two spellings of one name are equal: Unicode NFC, without default-ignorable
/// code points (zero-width space, soft hyphen, direction marks), without white space at either end,
/// in lower case. Folding a folded name changes nothing.
///
/// Each character gets the lower case that it has alone. In a word it could depend on its position
/// (a Greek sigma at the end is another letter), so that a shortened or joined name would fold
/// differently.
pub fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.trim().to_ascii_lowercase();
    }
    let mut text = text.to_owned();
    for _ in 0..PASSES_MAX {
        let next = folded_once(&text);
        if next == text {
            break;
        }
        text = next;
    }
    text
}

fn folded_once(text: &str) -> String {
    let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    let shown: String = text.chars().filter(|&c| !ignorable.contains(c)).collect();
    let mut lower = String::with_capacity(shown.len());
    nfc(&shown).chars().for_each(|c| push_lower(c, &mut lower));
    nfc(lower.trim()).into_owned()
}

/// The lower case that a character has alone, by the data of the crates and not by that of the
/// compiler. One character has a lower case of two.
fn push_lower(c: char, text: &mut String) {
    if c == '\u{130}' {
        text.push_str("i\u{307}");
    } else {
        text.push(CaseMapper::new().simple_lowercase(c));
    }
}

/// The characters of the bytes 0x80 to 0x9f in Windows-1252, as browsers read it
/// (encoding.spec.whatwg.org). Every other byte is the character of its number. The crate
/// encoding_rs does this too, and brings the tables of all other encodings: 200 KB of the program.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// Decodes Windows-1252, where every byte is a character. The text may be a password: its buffer is
/// never reallocated, and is wiped when dropped.
pub fn from_windows_1252(bytes: &[u8]) -> Zeroizing<String> {
    let char_of = |&byte: &u8| match byte {
        0x80..=0x9f => WINDOWS_1252[usize::from(byte - 0x80)],
        _ => char::from(byte),
    };
    let length = bytes.iter().map(|byte| char_of(byte).len_utf8()).sum();
    let mut text = Zeroizing::new(String::with_capacity(length));
    text.extend(bytes.iter().map(char_of));
    text
}

/// Encodes a text in Windows-1252. `None` if it has a character that Windows-1252 does not have.
pub fn to_windows_1252(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    for c in text.chars() {
        let byte = match u8::try_from(c) {
            Ok(byte) if !(0x80..=0x9f).contains(&byte) => byte,
            _ => (0x80..=0x9f).zip(WINDOWS_1252).find(|&(_, known)| known == c)?.0,
        };
        bytes.push(byte);
    }
    Some(bytes)
}

/// The text in Unicode NFC, the form that most keyboards produce. File names on a Mac have another
/// one.
pub fn nfc(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    ComposingNormalizerBorrowed::new_nfc().normalize(text)
}

/// Shows a text to people: control characters, direction marks and other invisible characters
/// become `\u{200b}`. So no value can move a terminal's cursor, reverse a line, or look like
/// another value.
#[derive(Clone, Copy, Debug)]
pub struct Visible<'a>(pub &'a str);

impl fmt::Display for Visible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if is_visible(c) {
                fmt::Write::write_char(f, c)?
            } else {
                write!(f, "{}", c.escape_unicode())?
            }
        }
        Ok(())
    }
}

fn is_visible(c: char) -> bool {
    // Interlinear annotations are neither default-ignorable nor white space.
    let is_annotation = ('\u{fff9}'..='\u{fffb}').contains(&c);
    let is_blank = c.is_whitespace() && c != ' ';
    let is_ignorable =
        !c.is_ascii() && CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c);
    !(c.is_control() || is_blank || is_annotation || is_ignorable)
}

#[cfg(test)]
mod tests {
    use encoding_rs::WINDOWS_1252 as KNOWN;
    use proptest::prelude::*;
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn windows_1252_has_the_characters_that_browsers_know() {
        for byte in 0..=u8::MAX {
            assert_eq!(*from_windows_1252(&[byte]), KNOWN.decode(&[byte]).0, "{byte:#x}");
        }
        // Windows-1252 has no character beyond.
        for c in '\0'..='\u{ffff}' {
            let text = String::from(c);
            let (bytes, _, is_missing) = KNOWN.encode(&text);
            let expected = (!is_missing).then_some(&*bytes);
            let made = to_windows_1252(&text);
            assert_eq!(made.as_ref().map(|bytes| bytes.as_slice()), expected, "{c:?}");
        }
        let password = "Grüße für 3 €";
        assert_eq!(*from_windows_1252(&to_windows_1252(password).unwrap()), password);
    }

    #[test]
    fn spellings_of_one_name_fold_to_one_form() {
        for (name, form) in [
            ("Bob", "bob"),
            (" bob\t", "bob"),
            ("a b", "a b"),
            ("Ren\u{e9}", "ren\u{e9}"),
            ("RENE\u{301}", "ren\u{e9}"),
            ("\u{c9}MILE", "\u{e9}mile"),
            ("zero\u{200b}width\u{ad}", "zerowidth"),
            ("\u{202e}bob\u{2069}", "bob"),
            ("\u{feff}bob", "bob"),
            ("e\u{200d}\u{301}", "\u{e9}"),
            ("\u{a0}bob\u{3000}", "bob"),
            ("\u{200b} bob \u{200b}", "bob"),
            ("\u{3a3}\u{3a3}", "\u{3c3}\u{3c3}"),
            ("\u{3a3}\u{3c2}", "\u{3c3}\u{3c2}"),
            ("\u{212a}", "k"),
            ("\u{130}", "i\u{307}"),
            ("H\u{331}", "\u{1e96}"),
            ("stra\u{df}e", "stra\u{df}e"),
            ("\u{200b}", ""),
            (" \u{ad} \u{2003}", ""),
            ("\u{3164}\u{fe0f}\u{e0041}", ""),
        ] {
            assert_eq!(folded(name), form, "{}", name.escape_unicode());
        }
    }

    fn is_folded(text: &str) -> bool {
        folded(text) == text
    }

    /// All characters but those of planes in which Unicode assigns nothing, or has private ones.
    fn characters() -> impl Iterator<Item = char> {
        (0..=0x3_ffff).chain(0xe_0000..=0xe_ffff).filter_map(char::from_u32)
    }

    #[test]
    fn each_character_is_folded_in_one_go() {
        for c in characters() {
            let once = folded(&c.to_string());
            assert!(is_folded(&once), "{}", c.escape_unicode());
        }
    }

    #[test]
    fn each_mark_behind_each_letter_is_folded_in_one_go() {
        for mark in
            (0x300..=0x36f).chain(0x1dc0..=0x1dff).chain(0x20d0..=0x20f0).filter_map(char::from_u32)
        {
            for letter in
                ('A'..='Z').chain('a'..='z').chain(['\u{c6}', '\u{3a5}', '\u{130}', '\u{1e9e}'])
            {
                for text in [
                    format!("{letter}{mark}"),
                    format!("{letter}\u{323}{mark}"),
                    format!("{letter}{mark}\u{301}"),
                ] {
                    assert!(is_folded(&folded(&text)), "{}", text.escape_unicode());
                }
            }
        }
    }

    /// SQLite's NOCASE, which a unique index uses too, ignores the case of ASCII letters only.
    #[test]
    fn names_that_are_equal_without_ascii_case_fold_to_one_form() {
        let marks = (0x80..=0x2fff).chain(0x1_d165..=0x1_d1ad).filter_map(char::from_u32);
        for mark in marks {
            for letter in 'A'..='Z' {
                let text = format!("{letter}{mark}");
                assert_eq!(
                    folded(&text),
                    folded(&text.to_ascii_lowercase()),
                    "{}",
                    text.escape_unicode()
                );
            }
        }
    }

    /// Texts of characters that folding changes, and of others.
    fn texts() -> impl Strategy<Value = String> {
        let odd = "AaHhIiJjTtWwYy \t\u{300}\u{301}\u{307}\u{30c}\u{323}\u{331}\u{345}\u{200b}\
            \u{200d}\u{ad}\u{3a3}\u{3c2}\u{130}\u{212b}\u{1100}\u{1161}\u{11a8}\u{2003}";
        let odd: Vec<char> = odd.chars().collect();
        let c = prop_oneof![3 => prop::sample::select(odd), 1 => any::<char>()];
        prop::collection::vec(c, 0..12).prop_map(|chars| chars.into_iter().collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 2_000,
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn folding_is_idempotent(text in texts()) {
            let once = folded(&text);
            prop_assert!(is_folded(&once), "{}", text.escape_unicode());
            prop_assert_eq!(once.trim(), &once);
        }

        #[test]
        fn neither_ascii_case_nor_normal_form_nor_what_is_ignored_makes_another_name(
            text in texts(),
            at in 0..13_usize,
        ) {
            let form = folded(&text);
            prop_assert_eq!(folded(&text.to_ascii_uppercase()), &*form);
            prop_assert_eq!(folded(&nfc(&text)), &*form);
            let nfd = icu_normalizer::DecomposingNormalizerBorrowed::new_nfd();
            let decomposed = nfd.normalize(&text).into_owned();
            prop_assert_eq!(folded(&decomposed), &*form);
            let mut chars: Vec<char> = text.chars().collect();
            chars.insert(at.min(chars.len()), '\u{200b}');
            prop_assert_eq!(folded(&chars.into_iter().collect::<String>()), form);
        }
    }

    /// No character has a lower case of several but the one that [`push_lower`] names. The compiler
    /// may have another version of Unicode, so that only characters in both are compared.
    #[test]
    fn the_lower_case_of_each_character_is_that_of_the_standard_library() {
        for c in characters() {
            let mut lower = String::new();
            push_lower(c, &mut lower);
            let known: String = c.to_lowercase().collect();
            let is_known_to_both = [&lower, &known].iter().all(|text| **text != c.to_string());
            assert!(lower == known || !is_known_to_both, "{}", c.escape_unicode());
        }
        let mut lower = String::new();
        "\u{c9}\u{130}\u{3a3}\u{1e9e}\u{10400}".chars().for_each(|c| push_lower(c, &mut lower));
        assert_eq!(lower, "\u{e9}i\u{307}\u{3c3}\u{df}\u{10428}");
    }

    /// A digest of what the normal form, the lower case, the ignorable code points and white space
    /// make of each character, alone and between others. It changes with the Unicode data of the
    /// crates. Then raise FOLDING_VERSION and compute the digest again.
    #[test]
    fn the_rules_of_folding_change_with_their_version() {
        let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
        let mut digest = Sha256::new();
        for c in characters() {
            digest.update([u8::from(ignorable.contains(c)), u8::from(c.is_whitespace())]);
            digest.update(folded(&format!("x{c}x")).as_bytes());
            digest.update(nfc(&format!("{c}o\u{316}{c}\u{301}")).as_bytes());
        }
        let digest: String =
            digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((FOLDING_VERSION, digest.as_str()), (2 << 24, "84f3f276e69a0a43"));
    }

    #[test]
    fn what_cannot_be_seen_is_shown_as_its_number() {
        for (text, shown) in [
            ("bob smith", "bob smith"),
            ("Ren\u{e9} \u{6f22}\u{5b57} \u{1f600}", "Ren\u{e9} \u{6f22}\u{5b57} \u{1f600}"),
            ("a\u{200b}b", "a\\u{200b}b"),
            ("\u{202e}txt", "\\u{202e}txt"),
            ("\u{2066}a\u{2069}\u{61c}", "\\u{2066}a\\u{2069}\\u{61c}"),
            ("a\u{1b}[2J\u{85}\u{7f}\n", "a\\u{1b}[2J\\u{85}\\u{7f}\\u{a}"),
            (
                "a\u{a0}b\u{3000}\u{2028}\u{ad}\u{feff}\u{fff9}",
                "a\\u{a0}b\\u{3000}\\u{2028}\\u{ad}\\u{feff}\\u{fff9}",
            ),
        ] {
            assert_eq!(Visible(text).to_string(), shown);
        }
    }
}
