//! Shows what `try` sends and finds.

use std::io::{Write as _, stdout};

use serde_json::{Value, json};

use super::judge::Answer;
use super::send::Way;
use super::steps::Step;
use crate::cli::failure::Failure;
use crate::counted::counted;

/// A problem, and in how many requests it was found.
struct Found {
    problem: String,
    count: u64,
}

/// Collects and prints.
pub(super) struct Report {
    is_json: bool,
    /// Texts that must not be shown: passwords, and the parts of the URL that may be the token.
    secrets: Vec<String>,
    found: Vec<Found>,
    requests: Vec<Value>,
    way: Option<Way>,
}

impl Report {
    pub(super) fn new(is_json: bool, secrets: Vec<String>) -> Self {
        Self { is_json, secrets, found: Vec::new(), requests: Vec::new(), way: None }
    }

    /// Without the secrets that a receiver may repeat.
    fn masked(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
    }

    /// A request, and its answer or why there is none.
    pub(super) fn add(
        &mut self,
        way: Way,
        step: &Step,
        answer: &Result<Answer, String>,
    ) -> Result<(), Failure> {
        let problems = match answer {
            Ok(answer) => answer.problems(step.expected, step.meaning),
            Err(why) => vec![why.clone()],
        };
        let reply = answer.as_ref().ok().map(|answer| self.masked(&answer.shown()));
        let millis = answer.as_ref().ok().map(|answer| answer.took.as_millis());
        for problem in &problems {
            self.problem(problem);
        }
        if self.is_json {
            self.requests.push(json!({
                "way": way.as_str(),
                "about": step.about,
                "request": step.shown(),
                "status": answer.as_ref().ok().map(|answer| answer.status),
                "reply": reply,
                "milliseconds": millis.map(|millis| u64::try_from(millis).unwrap_or(u64::MAX)),
                "expected": step.expected.as_str(),
                "problems": problems,
            }));
            return Ok(());
        }
        let mut out = stdout().lock();
        if self.way.replace(way) != Some(way) {
            writeln!(out, "{}", way.as_str())?;
        }
        let mark = if problems.is_empty() { "ok   " } else { "WRONG" };
        writeln!(out, "  {mark} {}: {}", step.about, step.shown())?;
        if let (Some(reply), Some(millis)) = (reply, millis) {
            writeln!(out, "        {millis} ms  {reply}")?;
        }
        for problem in &problems {
            writeln!(out, "        {problem}")?;
        }
        Ok(out.flush()?)
    }

    /// A problem that is not one of a single answer, or is.
    pub(super) fn problem(&mut self, problem: &str) {
        match self.found.iter_mut().find(|found| found.problem == problem) {
            Some(found) => found.count += 1,
            None => self.found.push(Found { problem: problem.to_owned(), count: 1 }),
        }
    }

    /// Prints the end. A problem is a failure.
    pub(super) fn end(self, place: &str, sent: u64, is_complete: bool) -> Result<(), Failure> {
        let mut out = stdout().lock();
        if self.is_json {
            let problems: Vec<_> = self
                .found
                .iter()
                .map(|found| json!({ "problem": found.problem, "count": found.count }))
                .collect();
            let object = json!({
                "place": place,
                "is_right": self.found.is_empty(),
                "is_complete": is_complete,
                "requests": self.requests,
                "problems": problems,
            });
            writeln!(out, "{object}")?;
        } else {
            if !self.found.is_empty() {
                writeln!(out, "\nwhat is wrong:")?;
            }
            for Found { problem, count } in &self.found {
                match count {
                    1 => writeln!(out, "- {problem}")?,
                    count => writeln!(out, "- {problem} ({count} times)")?,
                }
            }
            writeln!(
                out,
                "{} sent, {} found",
                counted(sent, "request"),
                counted(self.found.len() as u64, "problem")
            )?;
        }
        out.flush()?;
        match self.found.len() {
            0 => Ok(()),
            count => Err(Failure::Failed(format!(
                "{place} does not answer as NATS needs it: {} found",
                counted(count as u64, "problem")
            ))),
        }
    }
}
