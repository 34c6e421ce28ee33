//! How much a database stores and a page reads, the same for every engine.

/// Records of logins that are kept, whatever their age. Visitors cause them.
pub(super) const LOGIN_RECORDS_MAX: i64 = 10_000_000;
/// The maximum of networks that are stored for a member.
pub(super) const NETWORKS_OF_A_MEMBER_MAX: i64 = 64;
/// Logouts of a member that have a row each. When there is one more, the older half is merged into
/// one row.
pub(super) const LOGOUTS_MAX: i64 = 64;
/// Logins of a member whose time of last use is kept. For the others the time of issue is used.
pub(super) const LAST_USES_MAX: i64 = 64;
/// The maximum of known networks of one member. A member with many addresses evicts only their own.
pub(super) const KNOWN_OF_A_MEMBER_MAX: i64 = 16;
/// The maximum of known networks in all; [`KNOWN_TRIM_EVERY`] more are tolerated.
pub(super) const KNOWN_MAX: i64 = 65_536;
/// How many known networks are noted between two counts of their table.
pub(super) const KNOWN_TRIM_EVERY: u32 = 256;
/// The most members without a folded form of their name that a search reads. There are few.
pub(super) const UNFOLDED_MAX: u32 = 1_000;
/// The oldest records that a pruning of the journal looks at. It passes over those with a date in
/// the future, from a time when the clock was wrong.
pub(super) const PRUNE_LOOKED_AT_MAX: u32 = 16_384;
/// Records, from the newest on, whose callers `doctor` counts.
pub(super) const CALLER_RECORDS: u32 = 10_000;
/// Callers that `doctor` lists.
pub(super) const CALLERS_MAX: u32 = 50;
/// Rows of a list that are read at once. They are passed on after the read transaction has ended: a
/// list that is printed into `less` may stay open for hours, and SQLite could not restart its WAL
/// meanwhile.
pub(super) const PAGE_ROWS: u32 = 1_000;
/// A page of long records ends earlier, with the record that reaches this many bytes of fields.
pub(super) const RECORDS_PAGE_BYTES: usize = 4 * 1024 * 1024;
