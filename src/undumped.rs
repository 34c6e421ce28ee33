//! Keeps other processes and core dumps from reading this one's memory, in which tokens, keys and
//! typed passwords stand.

use rustix::process::{DumpableBehavior, set_dumpable_behavior};

/// Makes the process not dumpable: no core dump is written, and only root may trace it or read its
/// memory. To be called before a secret is read.
///
/// # Errors
///
/// Where the system refuses, which no Linux does.
pub fn forbid_dumps() -> std::io::Result<()> {
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}
