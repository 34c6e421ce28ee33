//! The file of `--sites-file`: how pages look at single sites and hosts.
//!
//! ```toml
//! site_name = "All sites"
//! [words.en]
//! log_in = "Sign in"
//! [site.1]
//! site_name = "Films"
//! [host."www.example.com"]
//! site_name = "Example"
//! ```
//!
//! Keys are strict: an unknown one is an error that names the nearest known one. No setting in it
//! is a secret, so errors show values.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::look::{LOOK_KEYS, set};
use super::nearest::nearest;
use crate::chain::chain;
use crate::denied::explain;
use crate::identity::{ID_EXPECTED, SiteId};
use crate::login::page::PageSettings;
use crate::login::page::look::Look;
use crate::login::page::words::{self, LANGUAGE_EXPECTED, Language};
use crate::text_file;

/// The most bytes that are read.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// The longest text of a word, in bytes.
const WORD_BYTES_MAX: usize = 1024;
const WORD_EXPECTED: &str = "expected 1 to 1024 bytes of text without control characters";
const HOST_EXPECTED: &str = "expected a whole host name in quotes and without a port, as in \
                             [host.\"www.example.com\"]";
const TWICE: &str = "another section is for the same one: put both into one section";
const TABLE_EXPECTED: &str = "expected a section";
/// The tables of the file.
const TABLES: [&str; 3] = ["words", "site", "host"];

/// Reads the file. `general` has the settings of the flags, which the file's own precede.
///
/// # Errors
///
/// Everything that is wrong, each with its line.
pub(super) fn read(path: &Path, general: Look) -> Result<PageSettings, Vec<String>> {
    let text = text(path).map_err(|error| {
        vec![format!("cannot read {}: {}", path.display(), chain(&explain(path, error)))]
    })?;
    let (table, errors) = DeTable::parse_recoverable(&text);
    let mut reader = Reader { text: &text, path, problems: Vec::new() };
    for error in &errors {
        let at = error.span().map_or(text.len(), |span| span.start);
        reader.problem(at, "", &error.message().replace('\n', " "));
    }
    if errors.is_empty() {
        let read = reader.file(table.get_ref(), general);
        if reader.problems.is_empty() {
            return Ok(read);
        }
    }
    reader.problems.sort_by_key(|(line, _)| *line);
    Err(reader.problems.into_iter().map(|(_, problem)| problem).collect())
}

fn text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("it has more than {FILE_BYTES_MAX} bytes")));
    }
    text_file::text(bytes)
}

type Name<'a> = Spanned<DeString<'a>>;
type Item<'a> = Spanned<DeValue<'a>>;

struct Reader<'a> {
    text: &'a str,
    path: &'a Path,
    problems: Vec<(usize, String)>,
}

impl Reader<'_> {
    fn problem(&mut self, at: usize, name: &str, problem: &str) {
        let line = self.text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
        let name = if name.is_empty() { String::new() } else { format!("{name}: ") };
        self.problems
            .push((line, format!("{}, line {line}: {name}{problem}", self.path.display())));
    }

    fn file(&mut self, table: &DeTable<'_>, mut general: Look) -> PageSettings {
        self.section(table, "", &mut general, &TABLES);
        let mut read = PageSettings { general, ..PageSettings::default() };
        for (name, item) in self.table(table, "site") {
            let known = SiteId::parse(name.get_ref());
            if known.is_none() {
                let found = format!("{ID_EXPECTED}, found \"{}\"", name.get_ref().escape_debug());
                self.problem(name.span().start, "site", &found);
            }
            let look = self.look(name, item, "site", &read.general);
            let Some((known, look)) = known.zip(look) else { continue };
            if read.sites.insert(known, look).is_some() {
                self.problem(name.span().start, &format!("site.{}", name.get_ref()), TWICE);
            }
        }
        for (name, item) in self.table(table, "host") {
            let host = name.get_ref().to_ascii_lowercase();
            let is_host = !host.is_empty() && !host.contains(['/', ' ', '*']) && !has_port(&host);
            if !is_host {
                let found = format!("{HOST_EXPECTED}, found \"{}\"", host.escape_debug());
                self.problem(name.span().start, "host", &found);
            }
            let look = self.look(name, item, "host", &read.general);
            if look.is_some_and(|look| read.hosts.insert(host, look).is_some()) {
                self.problem(name.span().start, &format!("host.{}", name.get_ref()), TWICE);
            }
        }
        read
    }

    /// The entries of a table of this name.
    fn table<'t, 'a>(
        &mut self,
        table: &'t DeTable<'a>,
        name: &str,
    ) -> Vec<(&'t Name<'a>, &'t Item<'a>)> {
        let Some((key, item)) = table.iter().find(|(key, _)| key.get_ref() == name) else {
            return Vec::new();
        };
        match item.get_ref() {
            DeValue::Table(inner) => inner.iter().collect(),
            _ => {
                self.problem(key.span().start, name, TABLE_EXPECTED);
                Vec::new()
            }
        }
    }

    fn look(
        &mut self,
        name: &Name<'_>,
        item: &Item<'_>,
        kind: &str,
        general: &Look,
    ) -> Option<Look> {
        let path = format!("{kind}.{}", name.get_ref());
        let mut look = general.clone();
        match item.get_ref() {
            DeValue::Table(table) => self.section(table, &path, &mut look, &["words"]),
            _ => {
                self.problem(name.span().start, &path, TABLE_EXPECTED);
                return None;
            }
        }
        Some(look)
    }

    /// Reads the settings of one section into a look. `tables` are those that the section may have.
    fn section(&mut self, table: &DeTable<'_>, path: &str, look: &mut Look, tables: &[&str]) {
        let mut items: Vec<_> = table.iter().collect();
        // In the order of the settings: the accent sets that of the dark mode, too.
        items.sort_by_key(|(key, _)| LOOK_KEYS.iter().position(|known| known == key.get_ref()));
        for (key, item) in items {
            let name: &str = key.get_ref();
            let at = key.span().start;
            let shown = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            if tables.contains(&name) {
                if name == "words" {
                    self.words(table, &shown, look);
                }
                continue;
            }
            if !LOOK_KEYS.contains(&name) {
                let known = LOOK_KEYS.into_iter().chain(tables.iter().copied());
                self.problem(at, &shown, &unknown("setting", name, known));
                continue;
            }
            let result = match item.get_ref().as_str() {
                Some(text) => set(look, name, text),
                None => Err("expected text in quotes".into()),
            };
            if let Err(problem) = result {
                self.problem(at, &shown, &problem);
            }
        }
    }

    /// Reads the words of each language.
    fn words(&mut self, table: &DeTable<'_>, path: &str, look: &mut Look) {
        for (code, item) in self.table(table, "words") {
            let Some(language) = Language::of_code(code.get_ref()) else {
                let found = code.get_ref().escape_debug();
                let problem = format!("{LANGUAGE_EXPECTED}, found \"{found}\"");
                self.problem(code.span().start, path, &problem);
                continue;
            };
            let DeValue::Table(words) = item.get_ref() else {
                self.problem(code.span().start, path, TABLE_EXPECTED);
                continue;
            };
            let texts = look.words.entry(language).or_default();
            for (name, item) in words {
                let shown = format!("{path}.{}.{}", language.code(), name.get_ref());
                let name_text: &str = name.get_ref();
                let text = item.get_ref().as_str().filter(|text| is_word(text));
                if !words::names().any(|known| known == name_text) {
                    let problem = unknown("word", name_text, words::names());
                    self.problem(name.span().start, &shown, &problem);
                } else if let Some(text) = text {
                    texts.insert(name_text.to_owned(), text.to_owned());
                } else {
                    self.problem(name.span().start, &shown, WORD_EXPECTED);
                }
            }
        }
    }
}

fn is_word(text: &str) -> bool {
    (1..=WORD_BYTES_MAX).contains(&text.len()) && !text.contains(char::is_control)
}

fn has_port(host: &str) -> bool {
    !host.ends_with(']') && host.rsplit_once(':').is_some_and(|(_, port)| !port.is_empty())
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let name = name.to_ascii_lowercase().replace('-', "_");
    match nearest(&name, known) {
        Some(known) => format!("no {what} has this name; the nearest is {known}"),
        None => format!("no {what} has this name"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<PageSettings, Vec<String>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let general = Look { name: Some("Flag".into()), ..Look::default() };
        read(file.path(), general).map_err(|problems| {
            let path = file.path().to_str().unwrap();
            problems.iter().map(|problem| problem.replace(path, "FILE")).collect()
        })
    }

    #[test]
    fn a_section_has_what_the_file_says_for_all_and_replaces_it() {
        let read = read_text(
            "join_url = \"/join\"\n[words.en]\nlog_in = \"Sign in\"\njoin = \"Join\"\n\
             [site.7]\nsite_name = \"Films\"\n[site.7.words.en]\njoin = \"Join Films\"\n\
             [site.7.words.de]\njoin = \"Dabei sein\"\n[host.\"WWW.Example.com\"]\n",
        )
        .unwrap();
        let name = |look: &Look| look.name.clone().unwrap();
        let word = |look: &Look, language: &str, word: &str| {
            let language = Language::of_code(language).unwrap();
            look.words.get(&language).and_then(|words| words.get(word)).cloned()
        };
        let films = &read.sites[&SiteId::parse("7").unwrap()];
        let host = &read.hosts["www.example.com"];
        assert_eq!([&read.general, films, host].map(name), ["Flag", "Films", "Flag"]);
        assert!([&read.general, films, host].iter().all(|look| look.join.is_some()));
        for (look, language, name, text) in [
            (&read.general, "en", "join", Some("Join")),
            (films, "en", "join", Some("Join Films")),
            (films, "en", "log_in", Some("Sign in")),
            (films, "de", "join", Some("Dabei sein")),
            (host, "en", "join", Some("Join")),
            (host, "de", "join", None),
        ] {
            assert_eq!(word(look, language, name).as_deref(), text, "{language} {name}");
        }
    }

    #[test]
    fn each_mistake_has_its_line_and_the_nearest_name() {
        let found = read_text(
            "site_nam = \"x\"\nsite_accent = \"red\"\njoin_url = 5\nsites = 1\n\
             [words.en]\nlogin = \"x\"\njoin = \"\"\n[words.sv]\njoin = \"x\"\n\
             [site.films]\n[site.0]\n[site.1]\nsupport_url = \"javascript:x\"\nhost = 1\n\
             [host.\"a.example:80\"]\nsite_language = \"xx\"\n",
        )
        .unwrap_err();
        let expected = [
            "FILE, line 1: site_nam: no setting has this name; the nearest is site_name",
            "FILE, line 2: site_accent: expected a colour as in #0b5cad or #fff, found \"red\"",
            "FILE, line 3: join_url: expected text in quotes",
            "FILE, line 4: sites: no setting has this name; the nearest is site",
            "FILE, line 6: words.en.login: no word has this name; the nearest is log_in",
            "FILE, line 7: words.en.join: expected 1 to 1024 bytes of text without control \
             characters",
            "FILE, line 8: words: expected en, de, fr, es, it, nl, pl, pt, cs or ja, found \"sv\"",
            "FILE, line 10: site: expected a number from 1 to 9223372036854775807, found \
             \"films\"",
            "FILE, line 11: site: expected a number from 1 to 9223372036854775807, found \
             \"0\"",
            "FILE, line 13: site.1.support_url: expected a URL with https:// or http://, a path \
             with / first, or mailto: and an address, with no blank, quote or angle bracket, \
             found \"javascript:x\"",
            "FILE, line 14: site.1.host: no setting has this name",
            "FILE, line 15: host: expected a whole host name in quotes and without a port, as in \
             [host.\"www.example.com\"], found \"a.example:80\"",
            "FILE, line 16: host.a.example:80.site_language: expected en, de, fr, es, it, nl, pl, \
             pt, cs or ja, found \"xx\"",
        ];
        assert_eq!(found, expected);
        let found = read_text(
            "[site.7]\n[site.007]\n[host.\"a.example\"]\n[host.\"A.example\"]\n\
             [host.\"*.example\"]\n",
        )
        .unwrap_err();
        let expected = [
            "FILE, line 1: site.7: another section is for the same one: put both into one section",
            "FILE, line 3: host.a.example: another section is for the same one: put both into one \
             section",
            "FILE, line 5: host: expected a whole host name in quotes and without a port, as in \
             [host.\"www.example.com\"], found \"*.example\"",
        ];
        assert_eq!(found, expected);
        let found = read_text("site_name = \n[site\n").unwrap_err();
        assert!(found.iter().all(|line| line.starts_with("FILE, line ")), "{found:?}");
    }
}
