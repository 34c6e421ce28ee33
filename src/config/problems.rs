//! Collects the errors in settings, each as one line.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use super::values::switch;
use crate::store::{BadLocation, Location};
use crate::text_file::{is_invisible, is_quoted};
use crate::token::Token;

/// One setting that cannot be used: its flag, variable or line, and the error, usually what was
/// expected and what was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct BadSetting {
    name: Cow<'static, str>,
    problem: String,
}

impl BadSetting {
    pub(super) fn new(name: impl Into<Cow<'static, str>>, problem: impl Into<String>) -> Self {
        Self { name: name.into(), problem: problem.into() }
    }

    pub(super) fn found(flag: &'static str, expected: &'static str, found: &str) -> Self {
        Self::new(flag, format!("{expected}, found {found}"))
    }

    /// The setting, as the configuration file names it; `None` if this is about something else.
    pub(super) fn key(&self) -> Option<String> {
        self.name.strip_prefix("--").map(|flag| flag.replace('-', "_"))
    }

    /// Replaces the name, by that of a line in the configuration file.
    pub(super) fn named(self, name: String) -> Self {
        Self { name: name.into(), ..self }
    }

    /// A file that a setting names cannot be used: the error of the file says why.
    pub(super) fn file(flag: &'static str, error: &dyn std::error::Error) -> Self {
        Self::new(flag, crate::chain::chain(error))
    }
}

/// Collects errors.
#[derive(Default)]
pub(super) struct Problems(pub(super) Vec<BadSetting>);

impl Problems {
    pub(super) fn read<T>(
        &mut self,
        flag: &'static str,
        expected: &'static str,
        text: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let value = parse(text.trim());
        if value.is_none() {
            self.0.push(BadSetting::found(flag, expected, &format!("\"{}\"", text.escape_debug())));
        }
        value
    }

    pub(super) fn read_optional<T>(
        &mut self,
        flag: &'static str,
        expected: &'static str,
        text: Option<&str>,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        text.and_then(|text| self.read(flag, expected, text, parse))
    }

    /// Reads a switch.
    pub(super) fn switch(&mut self, flag: &'static str, text: &str) -> Option<bool> {
        self.read(flag, "expected yes or no, true or false, 1 or 0", text, switch)
    }

    /// Reads a URL. A bad one that may contain a password, a key or a token is not shown.
    pub(super) fn url(
        &mut self,
        flag: &'static str,
        expected: &'static str,
        text: &str,
        parse: impl Fn(&str) -> Option<String>,
    ) -> Option<String> {
        let url = parse(text.trim());
        if url.is_none() {
            let quoted = || format!("\"{}\"", text.escape_debug());
            let found = secret_of_url(text).map_or_else(quoted, str::to_owned);
            self.0.push(BadSetting::found(flag, expected, &found));
        }
        url
    }

    /// Reads a file that a setting names with `read`, and collects its error.
    pub(super) fn file<T, E: std::error::Error>(
        &mut self,
        flag: &'static str,
        path: Option<&PathBuf>,
        read: impl FnOnce(&Path) -> Result<T, E>,
    ) -> Option<T> {
        let path = self.path(flag, path?)?;
        read(path).map_err(|error| self.0.push(BadSetting::file(flag, &error))).ok()
    }

    /// Reads a list. It may have empty items, as after a last comma, but not only those: an empty
    /// list of networks would mean "any".
    pub(super) fn read_all<T>(
        &mut self,
        flag: &'static str,
        expected: &'static str,
        texts: &[String],
        parse: fn(&str) -> Option<T>,
    ) -> Vec<T> {
        let given: Vec<_> = texts.iter().filter(|text| !text.trim().is_empty()).collect();
        if given.is_empty() && !texts.is_empty() {
            self.0.push(BadSetting::found(
                flag,
                expected,
                &format!("\"{}\"", texts.join(",").escape_debug()),
            ));
        }
        given.into_iter().filter_map(|text| self.read(flag, expected, text, parse)).collect()
    }

    /// Reads a list of secrets. A bad one is not shown: it may be nearly right.
    pub(super) fn secrets<T>(
        &mut self,
        flag: &'static str,
        expected: &'static str,
        texts: &[SecretString],
        parse: fn(&str) -> Option<T>,
    ) -> Vec<T> {
        let given = texts.iter().map(|text| text.expose_secret().trim());
        let only_blanks = given.clone().all(str::is_empty);
        let mut read = Vec::new();
        for text in given.filter(|text| only_blanks || !text.is_empty()) {
            match parse(text).filter(|_| !is_quoted(text)) {
                Some(secret) => read.push(secret),
                None => self.0.push(BadSetting::found(flag, expected, &bytes(text))),
            }
        }
        read
    }

    /// Checks a path for what is certainly a mistake, such as a line break at its end.
    pub(super) fn path<'a>(&mut self, flag: &'static str, path: &'a Path) -> Option<&'a Path> {
        let problem = path_problem(path);
        let is_good = problem.is_none();
        self.0.extend(problem.map(|problem| BadSetting::new(flag, problem)));
        is_good.then_some(path)
    }

    pub(super) fn database(&mut self, text: &str) -> Option<Location> {
        self.location("--database", text)
    }

    /// Reads the location of a database from this flag.
    pub(super) fn location(&mut self, flag: &'static str, text: &str) -> Option<Location> {
        if let Some(path) = text.trim_start().strip_prefix("sqlite:") {
            // Spaces around it are not part of it, and a query may contain a key.
            let path = path.trim_matches([' ', '\t']).split('?').next().unwrap_or(path);
            let path = Path::new(path);
            if !path.as_os_str().is_empty() {
                self.path(flag, path)?;
            }
        }
        let text = text.trim();
        let bad = |bad: BadLocation| match text.starts_with(QUOTES) {
            true => BadSetting::found(flag, bad.expected, "quotes around it"),
            false => BadSetting::found(flag, bad.expected, &bad.found),
        };
        Location::parse(text).map_err(|error| self.0.push(bad(error))).ok()
    }
}

/// What in a URL may be a secret.
fn secret_of_url(text: &str) -> Option<&'static str> {
    if text.contains(['@', '?', '#']) {
        Some("a user, a query or a #")
    } else if text.split('/').any(|part| Token::parse(part.trim()).is_some()) {
        Some("a token in it")
    } else {
        None
    }
}

/// Whether the text of this setting, which is no secret, may contain one.
pub(super) fn may_have_secret(key: &str, text: &str) -> bool {
    match key {
        "public_url" | "nats_url" => secret_of_url(text).is_some(),
        "database" => match Location::parse(text.trim()) {
            Ok(location) => location.has_password(),
            // A query, or a URL.
            Err(_) => {
                let is_url = text.contains('@') || text.contains("://");
                text.contains('?') || is_url && !text.trim().starts_with("sqlite:")
            }
        },
        _ => false,
    }
}

/// The quotes of shells, and the typographic ones into which web pages turn them.
const QUOTES: [char; 8] =
    ['"', '\'', '`', '\u{201c}', '\u{201d}', '\u{2018}', '\u{2019}', '\u{ab}'];

/// Why a path is a mistake. A file of variables from Windows has a carriage return after each
/// value, and quotes remain in it where no shell reads it.
fn path_problem(path: &Path) -> Option<String> {
    let text = path.to_string_lossy();
    let (first, last) = (text.chars().next(), text.chars().next_back());
    let at_an_end = |is: fn(char) -> bool| first.is_some_and(is) || last.is_some_and(is);
    let what = if text.is_empty() {
        "expected a path"
    } else if text.contains(char::is_control) {
        "expected a path without control characters"
    } else if text.starts_with(QUOTES) {
        "expected a path without quotes"
    } else if text.starts_with('~') {
        "expected a path without ~ at its beginning, which only a shell replaces"
    } else if at_an_end(|c| c.is_whitespace() || is_invisible(c)) {
        "expected a path without blanks around it"
    } else {
        return None;
    };
    Some(format!("{what}, found \"{}\"", text.escape_debug()))
}

/// What errors show of a bad secret.
pub(super) fn bytes(secret: &str) -> String {
    let quotes = if is_quoted(secret) { " with quotes around them" } else { "" };
    format!("{} bytes{quotes}", secret.len())
}
