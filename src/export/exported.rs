//! What is exported, and what became of it.

use crate::password::Vault;
use crate::store::Read;

/// The form of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// CSV with a header line.
    Csv,
    /// One JSON object a line.
    JsonLines,
    /// `name:hash` lines, as Apache and nginx read them.
    Htpasswd,
}

/// What is exported.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// The form of the file.
    pub format: Format,
    /// Only this siteid.
    pub site: Option<i64>,
    /// Also former members, with the columns `reason` and `ended_at`.
    pub former: bool,
}

/// How many rows were read, and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExportCounts {
    /// Members in the file.
    pub members: u64,
    /// Former members in the file.
    pub formers: u64,
    /// Passwords in the file that are still sealed.
    pub sealed: u64,
    /// Of these, the ones that no key here opens. Their column `seal_key` is empty.
    pub sealed_elsewhere: u64,
    /// Values that a spreadsheet may run as formulas: they begin with `=`, `+`, `-` or `@`.
    pub formulas: u64,
    /// Members who are not in an .htpasswd, as their password is not hashed yet.
    pub not_hashed_yet: u64,
    /// Members who are not in an .htpasswd, as their hash is argon2id.
    pub argon2id: u64,
    /// Members who are not in an .htpasswd, as only a wrapped cryptpass is known.
    pub wrapped: u64,
    /// Members who are not in an .htpasswd, as it cannot hold their name.
    pub unfit_names: u64,
}

impl ExportCounts {
    /// Members who are not in the .htpasswd.
    pub fn left_out(&self) -> u64 {
        self.not_hashed_yet + self.argon2id + self.wrapped + self.unfit_names
    }
}

/// A finished export.
#[derive(Clone, Copy, Debug)]
pub struct Exported {
    /// What is in the file.
    pub counts: ExportCounts,
    /// Bytes of the file.
    pub bytes: u64,
    /// The next moment at which a member in the file expires, unix seconds.
    pub next_expiry: Option<i64>,
    /// The number of the newest journal record when the first row was read.
    pub newest: Option<i64>,
    /// Whether postbacks came between two parts: a member who was renamed meanwhile may be in the
    /// file twice, or not at all.
    pub changed_meanwhile: bool,
}

/// From where rows are exported.
#[derive(Debug)]
pub struct Source<'a> {
    /// The database.
    pub reader: &'a dyn Read,
    /// Finds the key of a seal, where the key file can be read.
    pub vault: Option<&'a Vault>,
    /// A member whose expiry is reached by this time (unix seconds) counts as former.
    pub now: i64,
}
