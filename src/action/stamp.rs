//! `stamp`: when NATS wrote the record of a postback. See [`crate::apply`], which decides by it.

/// The `stamp` of a postback, and whether it decides.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stamp {
    /// Unix seconds; `None` if it was not given or is unreadable.
    pub at: Option<i64>,
    /// Whether an older one counts.
    pub guard: StaleGuard,
}

/// Whether a postback can be stale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StaleGuard {
    /// None is.
    #[default]
    Off,
    /// `--stale-guard`: those with an older stamp are.
    On,
    /// From a journal record: whether it was stale then.
    Recorded(bool),
}
