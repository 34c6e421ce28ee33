//! Keeps other processes and core dumps from reading the memory of this process, which holds
//! tokens, keys and typed passwords.

use rustix::process::{DumpableBehavior, set_dumpable_behavior};

/// Makes the process not dumpable: no core dump is written, and only root may trace it or read its
/// memory. Call it before a secret is read.
///
/// # Errors
///
/// If the system refuses, which no Linux does.
pub fn forbid_dumps() -> std::io::Result<()> {
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}
