//! How each field of a postback is read, for people.

use std::collections::HashMap;

use minijinja::{Value, context};

use super::meaning::meaning;
use crate::action::Parsed;
use crate::fields::{Fields, MASK};
use crate::reply::{Found, Refusal};
use crate::unicode::Visible;

/// The most fields that are explained.
pub const SHOWN_MAX: usize = 200;

/// A field, and how it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldRead {
    /// Its name, or a word in place of a name that may not be shown.
    pub name: String,
    /// Its value, or a word in place of a value that may not be shown.
    pub value: String,
    /// How it is read.
    pub verdict: Verdict,
}

/// How a field is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The action uses it.
    Used(String),
    /// The action is refused because of it.
    Refused(String),
    /// It cannot be read, and counts as not given.
    Ignored(String),
    /// The action has no use for it.
    Unused(String),
}

impl Verdict {
    fn parts(&self) -> (&'static str, &'static str, &str) {
        match self {
            Self::Used(text) => ("good", "used", text),
            Self::Refused(text) => ("bad", "refused", text),
            Self::Ignored(text) => ("warn", "ignored", text),
            Self::Unused(text) => ("", "not used", text),
        }
    }
}

/// Explains the first [`SHOWN_MAX`] fields. `parsed` is what the action made of them.
pub fn explain(fields: &Fields<'_>, parsed: &Parsed) -> Vec<FieldRead> {
    let all: Vec<(&str, &str)> = fields.all().collect();
    // A later one replaces the number of an earlier one.
    let last: HashMap<&str, usize> =
        all.iter().enumerate().map(|(index, &(name, _))| (name, index)).collect();
    let explained = |(index, &(name, value)): (usize, &(&str, &str))| {
        let is_last = last.get(name) == Some(&index);
        let (shown_name, shown_value) = shown(name, value);
        FieldRead {
            name: shown_name,
            value: shown_value,
            verdict: verdict(name, value, is_last, parsed),
        }
    };
    let mut read: Vec<FieldRead> = all.iter().enumerate().take(SHOWN_MAX).map(explained).collect();
    // A parameter that is missing has no field of its own.
    if let Err(refusal) = &parsed.action
        && !all.iter().any(|(name, _)| *name == refusal.parameter)
    {
        read.push(FieldRead {
            name: refusal.parameter.into(),
            value: "–".into(),
            verdict: Verdict::Refused(why(refusal)),
        });
    }
    read
}

/// Says of the fields that a record hides that their values are not known, instead of refusing the
/// mask.
pub fn forget_refusals(read: &mut [FieldRead]) {
    let refused = read.iter_mut().filter(|one| matches!(one.verdict, Verdict::Refused(_)));
    for one in refused.filter(|one| one.value.starts_with(MASK)) {
        one.verdict = Verdict::Unused("the record does not have its value".into());
    }
}

/// Name and value as far as the journal shows them.
fn shown(name: &str, value: &str) -> (String, String) {
    let one = Fields::from_pairs([(name.as_bytes(), value.as_bytes())]);
    let text = one.journal_text_of_refused();
    match text.split_once('=') {
        None if name.is_empty() => ("(no name)".into(), "(not shown)".into()),
        // A part of a password with a bare `&` arrives as a name.
        None => ("(another name)".into(), "(not shown)".into()),
        Some((_, "")) => (name.to_owned(), "(empty)".into()),
        Some((_, masked)) if masked.starts_with(MASK) && value != MASK => {
            (name.to_owned(), "(given, not shown)".into())
        }
        Some(_) => (name.to_owned(), Visible(value).to_string()),
    }
}

fn verdict(name: &str, value: &str, is_last: bool, parsed: &Parsed) -> Verdict {
    if name.is_empty() {
        return Verdict::Unused("an array, or a value without a name, is no field".into());
    }
    if !is_last {
        return Verdict::Unused("a later field of the same name counts".into());
    }
    let of = |refusals: &[Refusal]| refusals.iter().find(|one| one.parameter == name).map(why);
    match &parsed.action {
        Err(refusal) if refusal.parameter == name => Verdict::Refused(why(refusal)),
        _ if value.is_empty() => Verdict::Unused("an empty value counts as not given".into()),
        Err(_) => Verdict::Unused("another parameter is refused".into()),
        Ok(action) => match (of(&parsed.ignored), meaning(action, name)) {
            (Some(why), _) => Verdict::Ignored(why),
            (None, Some(meaning)) => Verdict::Used(meaning.to_owned()),
            (None, None) => Verdict::Unused(format!("{} does not use it", action.name())),
        },
    }
}

/// What was expected and what was found.
fn why(refusal: &Refusal) -> String {
    let found = match &refusal.found {
        Found::Nothing => "it is not given".to_owned(),
        Found::Value(value) => {
            let cut = &value[..value.floor_char_boundary(255)];
            format!("found \"{}\"", Visible(cut))
        }
        Found::Secret(_) => "found something else".to_owned(),
        Found::Words(words) => format!("found {words}"),
    };
    format!("{}, {found}", refusal.expected)
}

/// For a template.
pub fn value(read: &[FieldRead]) -> Value {
    read.iter()
        .map(|FieldRead { name, value, verdict }| {
            let (class, word, meaning) = verdict.parts();
            let (name, value) = (Visible(name).to_string(), value.clone());
            context! { name, value, class, word, meaning }
        })
        .collect()
}
