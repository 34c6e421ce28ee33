//! The report of a command that reads rows: refused ones, notes, and counts at the end.

use std::io::{Write as _, stdout};

use serde_json::{Map, Value, json};

use super::failure::Failure;
use crate::unicode::Visible;

/// Prints refused rows and counts, as text or as JSON lines.
#[derive(Debug)]
pub(super) struct Report {
    is_json: bool,
    refused: u64,
}

impl Report {
    pub(super) fn new(is_json: bool) -> Self {
        Self { is_json, refused: 0 }
    }

    /// Prints a refused row: where it is, what is wrong, and what to do.
    pub(super) fn refuse(
        &mut self,
        place: &str,
        problem: &str,
        remedy: &str,
    ) -> Result<(), Failure> {
        self.refused += 1;
        if self.is_json {
            return line(&json!({ "refused": place, "problem": problem, "remedy": remedy }));
        }
        Ok(writeln!(stdout(), "{place}: {}; {remedy}", Visible(problem))?)
    }

    /// Prints something about a row that was not refused.
    pub(super) fn note(&self, place: &str, note: &str) -> Result<(), Failure> {
        if self.is_json {
            return line(&json!({ "note": place, "about": note }));
        }
        Ok(writeln!(stdout(), "{place}: {}", Visible(note))?)
    }

    /// Prints the counts, each with its name in JSON and its words in text: the last line.
    pub(super) fn end(
        &self,
        counts: &[(&str, u64, &str)],
        is_dry_run: bool,
    ) -> Result<(), Failure> {
        if self.is_json {
            let named = counts.iter().map(|(name, count, _)| ((*name).to_owned(), json!(count)));
            let mut object: Map<String, Value> = named.collect();
            object.insert("refused".into(), json!(self.refused));
            object.insert("dry_run".into(), json!(is_dry_run));
            return line(&Value::Object(object));
        }
        // What seldom happens is named only where it happened.
        let is_told = |count: u64, words: &str| count > 0 || !words.starts_with("left out");
        let words: Vec<String> = counts
            .iter()
            .filter(|(_, count, words)| is_told(*count, words))
            .map(|(_, count, words)| format!("{count} {words}"))
            .collect();
        let end = if is_dry_run { "; nothing was changed" } else { "" };
        Ok(writeln!(stdout(), "{}, {} refused{end}", words.join(", "), self.refused)?)
    }

    /// Fails if a row was refused, so that the exit code shows it.
    pub(super) fn judge(&self, rows: u64) -> Result<(), Failure> {
        match self.refused {
            0 => Ok(()),
            refused => Err(Failure::Failed(format!(
                "{refused} of {rows} rows were refused and changed nothing: see above"
            ))),
        }
    }
}

fn line(value: &Value) -> Result<(), Failure> {
    Ok(writeln!(stdout(), "{value}")?)
}
