//! The words of pages in each built-in language: one file per language, with the same names. The
//! operator can replace any of them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use minijinja::Value;
use toml::de::{DeTable, DeValue};

/// The texts of one language, by their names.
pub type Texts = BTreeMap<String, String>;

/// A built-in language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Language(usize);

/// The code of each language and its file. The first one is the default.
const FILES: [(&str, &str); 10] = [
    ("en", include_str!("words/en.toml")),
    ("de", include_str!("words/de.toml")),
    ("fr", include_str!("words/fr.toml")),
    ("es", include_str!("words/es.toml")),
    ("it", include_str!("words/it.toml")),
    ("nl", include_str!("words/nl.toml")),
    ("pl", include_str!("words/pl.toml")),
    ("pt", include_str!("words/pt.toml")),
    ("cs", include_str!("words/cs.toml")),
    ("ja", include_str!("words/ja.toml")),
];

/// What a language may be, for errors.
pub const LANGUAGE_EXPECTED: &str = "expected en, de, fr, es, it, nl, pl, pt, cs or ja";

static BUILT_IN: LazyLock<Vec<Texts>> =
    LazyLock::new(|| FILES.iter().map(|(_, file)| texts(file)).collect());

impl Language {
    /// English.
    pub const DEFAULT: Self = Self(0);

    /// All languages.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..FILES.len()).map(Self)
    }

    /// The language with this code.
    pub fn of_code(code: &str) -> Option<Self> {
        FILES.iter().position(|(known, _)| *known == code).map(Self)
    }

    /// The code, as in the attribute `lang`.
    pub fn code(self) -> &'static str {
        FILES[self.0].0
    }

    /// Its place among [`Language::all`].
    pub(super) fn index(self) -> usize {
        self.0
    }

    /// The built-in words.
    pub fn words(self) -> &'static Texts {
        &BUILT_IN[self.0]
    }

    /// The language that a browser prefers, by its `Accept-Language`. A region does not matter:
    /// `pt-BR` is Portuguese. English if there is none of ours.
    pub fn preferred(header: &str) -> Self {
        let ranked = header.split(',').filter_map(|entry| {
            let mut parts = entry.split(';').map(str::trim);
            let code = parts.next()?.split('-').next()?.to_ascii_lowercase();
            let quality = match parts.find_map(|part| part.strip_prefix("q=")) {
                None => 1.0,
                Some(text) => text.parse::<f32>().ok().filter(|quality| *quality > 0.0)?,
            };
            Some((quality, Self::of_code(&code)?))
        });
        // The first of equals.
        let better =
            |best: (f32, Self), next: (f32, Self)| if next.0 > best.0 { next } else { best };
        ranked.reduce(better).map_or(Self::DEFAULT, |(_, language)| language)
    }
}

/// The names that words have.
pub fn names() -> impl Iterator<Item = &'static str> {
    Language::DEFAULT.words().keys().map(String::as_str)
}

/// The words of a language for templates, with the operator's in place of ours.
pub(super) fn value(language: Language, replaced: Option<&Texts>) -> Value {
    let mut words = language.words().clone();
    words.extend(replaced.into_iter().flatten().map(|(name, text)| (name.clone(), text.clone())));
    Value::from_pairs(words)
}

/// Reads a file of words. It is part of the program, and a test reads all of them.
fn texts(file: &str) -> Texts {
    let table = DeTable::parse(file).map(toml::Spanned::into_inner).unwrap_or_default();
    let text = |(name, value): (toml::Spanned<_>, toml::Spanned<DeValue<'_>>)| {
        let name: std::borrow::Cow<'_, str> = name.into_inner();
        Some((name.into_owned(), value.into_inner().as_str()?.to_owned()))
    };
    table.into_iter().filter_map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_language_has_each_word_and_no_other() {
        for (code, file) in FILES {
            let language = Language::of_code(code).unwrap();
            let lines = file.lines().filter(|line| line.contains(" = \"")).count();
            assert_eq!(language.words().len(), lines, "{code}: each line was read");
            assert!(language.words().keys().map(String::as_str).eq(names()), "{code}");
            for (name, text) in language.words() {
                assert!(!text.trim().is_empty() && text.trim() == text, "{code}: {name}");
                assert!(!text.contains(char::is_control), "{code}: {name}");
            }
        }
    }

    #[test]
    fn no_language_has_the_sentences_of_another() {
        for name in names().filter(|name| !["password", "support"].contains(name)) {
            let mut texts: Vec<_> =
                Language::all().map(|language| &language.words()[name]).collect();
            texts.sort();
            let count = texts.len();
            texts.dedup();
            // Portuguese and French, say, have one word in common, but never three languages.
            assert!(texts.len() + 1 >= count, "{name}: {texts:?}");
        }
    }

    #[test]
    fn the_browser_s_first_choice_of_ours_counts() {
        for (header, code, why) in [
            ("", "en", "nothing"),
            ("de", "de", "one"),
            ("de-AT,de;q=0.9,en;q=0.8", "de", "with a region"),
            ("pt-BR", "pt", "of another country"),
            ("DE", "de", "in any case"),
            ("sv,ja;q=0.5,en;q=0.1", "ja", "the first is none of ours"),
            ("en;q=0.1, fr ; q=0.7, es;q=0.6", "fr", "by quality, not by order"),
            ("nl,pl", "nl", "the first of equals"),
            ("it;q=0", "en", "refused"),
            ("it;q=x", "en", "unreadable"),
            ("*", "en", "any"),
            ("ﬁ-de;;q,,-;q=", "en", "nonsense"),
        ] {
            assert_eq!(Language::preferred(header).code(), code, "{header:?}: {why}");
        }
    }
}
