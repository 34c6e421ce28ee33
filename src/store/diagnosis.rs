//! The facts about the database that `doctor` reads from an engine, without a judgement.

/// A setting of the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineSetting {
    /// Its name.
    pub name: &'static str,
    /// The value that this release works with.
    pub expected: &'static str,
    /// The value that was found.
    pub found: String,
    /// What the operator can do if the two differ.
    pub remedy: &'static str,
}

/// A difference between the schema of this release and the one in the database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SchemaDifference {
    /// A table, index, view or column of this release is missing.
    Missing(String),
    /// Another program has added something that can change or refuse what is written.
    Trigger(String),
    /// Another program has added something that takes room and time.
    Foreign(String),
}

/// How the journal grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JournalGrowth {
    /// The approximate number of records: pruned records leave gaps.
    pub records: u64,
    /// The time of the oldest record, unix seconds.
    pub oldest_at: i64,
    /// Records of the time that the caller asked about.
    pub lately: u64,
}

/// An address from which postbacks came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenCaller {
    /// As the journal has it.
    pub address: String,
    /// How many of the newest records have it.
    pub records: u64,
    /// The first of these, unix seconds.
    pub first_at: i64,
    /// The last of these, unix seconds.
    pub last_at: i64,
}

/// Credentials that do not fit the settings or the schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OddCredentials {
    /// Members and former members without any form of a credential.
    pub without: u64,
    /// Members and former members whose cryptpass is stored.
    pub with_cryptpass: u64,
}

/// Facts about a database of this release.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// Settings of the engine that matter to promises.
    pub settings: Vec<EngineSetting>,
    /// Differences of the schema.
    pub schema: Vec<SchemaDifference>,
    /// The size of the database.
    pub bytes: u64,
    /// The part of the size that is free for new rows.
    pub unused_bytes: u64,
    /// How the journal grows; `None` if it has no record.
    pub growth: Option<JournalGrowth>,
    /// Who sent the newest postbacks, the most frequent first.
    pub callers: Vec<SeenCaller>,
    /// The time of the oldest record whose credential waits to be hashed, unix seconds.
    pub oldest_sealed_at: Option<i64>,
    /// Credentials that do not fit.
    pub credentials: OddCredentials,
}

/// A read transaction that keeps the engine from reclaiming the room of its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogReader {
    /// The process.
    pub process: i32,
    /// The place in the log up to which it reads. It differs between transactions.
    pub mark: u64,
    /// The bytes that were written to the log since it began.
    pub behind_bytes: u64,
}

/// The log of changes that are not in the database file yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogState {
    /// As the engine calls it.
    pub name: &'static str,
    /// Its size.
    pub bytes: u64,
    /// The size above which something keeps it from being reclaimed.
    pub usual_bytes_max: u64,
    /// The read transactions that are open now and that began before the newest change.
    pub readers: Vec<LogReader>,
}
