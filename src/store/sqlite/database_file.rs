//! The setting `sqlite:PATH`: the database file and how it is opened.

use std::path::{Path, PathBuf};

use super::checkpoint::CHECKPOINT_PAGES;
use super::files::{FILE_SUFFIXES, beside};
use crate::heartbeat::Heartbeat;

/// A database file of SQLite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseFile {
    path: PathBuf,
    checkpoint_pages: i32,
    upgrade_copy: bool,
    heartbeat: Heartbeat,
}

impl DatabaseFile {
    /// The file of this path.
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            checkpoint_pages: CHECKPOINT_PAGES,
            upgrade_copy: true,
            heartbeat: Heartbeat::default(),
        }
    }

    /// Parses a path. Refuses text that would mean something else to SQLite or its tools: a
    /// database in memory (lost at the end), a `file:` URI, a query. With `./` before it such a
    /// name is a plain path, except for the query.
    pub fn parse(path: &str) -> Option<Self> {
        let is_plain = !path.is_empty()
            && !path.starts_with(':')
            && !path.starts_with("file:")
            && !path.contains(['?', '\0']);
        is_plain.then(|| Self::new(path.into()))
    }

    /// Checkpoints the WAL whenever it has this many pages.
    #[must_use]
    pub fn with_checkpoint_every(self, pages: i32) -> Self {
        Self { checkpoint_pages: pages, ..self }
    }

    /// The number of pages in the WAL at which a checkpoint is due.
    pub(super) fn checkpoint_pages(&self) -> i32 {
        self.checkpoint_pages
    }

    /// Whether a copy of an older database is kept before its upgrade.
    pub fn keeps_upgrade_copy(&self) -> bool {
        self.upgrade_copy
    }

    /// Disables the copy that is kept before an upgrade.
    #[must_use]
    pub fn without_upgrade_copy(self) -> Self {
        Self { upgrade_copy: false, ..self }
    }

    /// Reports long work of the writer, such as an upgrade, to this supervisor.
    #[must_use]
    pub fn watched_by(self, heartbeat: Heartbeat) -> Self {
        Self { heartbeat, ..self }
    }

    /// What reports long work.
    pub(super) fn heartbeat(&self) -> &Heartbeat {
        &self.heartbeat
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The files of [`DatabaseFile::all`], and the journal that SQLite has without a WAL.
    pub fn all_and_journal(&self) -> Vec<PathBuf> {
        let mut files = vec![beside(&self.path, "-journal")];
        files.extend(self.all());
        files
    }

    /// The database file and the files that SQLite keeps beside it.
    pub fn all(&self) -> Vec<PathBuf> {
        FILE_SUFFIXES.iter().map(|suffix| beside(&self.path, suffix)).collect()
    }
}
