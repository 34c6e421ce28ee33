//! The findings of `doctor`.

use serde::Serialize;

/// How bad a finding is, in rising order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be, or it does not apply here.
    Ok,
    /// Worth knowing. Nothing has to be done.
    Note,
    /// It works, and should be changed.
    Warning,
    /// It does not work, or it will soon not work, or data is in danger.
    Serious,
}

impl Level {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Note => "note",
            Level::Warning => "warning",
            Level::Serious => "serious",
        }
    }
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The group to which the check belongs.
    pub topic: &'static str,
    /// The check. The name never changes, so that scripts can rely on it.
    pub name: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What was found.
    pub found: String,
    /// What to do; `None` if nothing has to be done.
    pub remedy: Option<String>,
}

/// Collects findings.
#[derive(Debug)]
pub struct Report {
    topic: &'static str,
    findings: Vec<Finding>,
}

impl Report {
    /// An empty report.
    pub(super) fn new() -> Self {
        Self { topic: "", findings: Vec::new() }
    }

    /// Begins the next group.
    pub(super) fn begin(&mut self, topic: &'static str) {
        self.topic = topic;
    }

    /// All is as it should be.
    pub(super) fn ok(&mut self, name: &'static str, found: impl Into<String>) {
        self.push(name, Level::Ok, found.into(), None);
    }

    /// Adds a finding with its remedy.
    pub(super) fn add(
        &mut self,
        level: Level,
        name: &'static str,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.push(name, level, found.into(), Some(remedy.into()));
    }

    /// How many findings there are.
    pub(super) fn len(&self) -> usize {
        self.findings.len()
    }

    fn push(&mut self, name: &'static str, level: Level, found: String, remedy: Option<String>) {
        self.findings.push(Finding { topic: self.topic, name, level, found, remedy });
    }

    /// The findings, in the order of the checks.
    pub(super) fn into_findings(self) -> Vec<Finding> {
        self.findings
    }
}
