//! What a `replay` prints of replies, and how it ends.

use std::io::{Write as _, stdout};

use crate::cli::failure::Failure;
use crate::replay::Counts;
use crate::reply::{Reply, Word};

/// The counts at the end of a replay that changed something, also of one that ended early.
pub(super) fn end(counts: &Counts, done: Result<(), Failure>) -> Result<(), Failure> {
    match done {
        Ok(()) => {
            writeln!(stdout(), "{counts}")?;
            judge(counts)
        }
        Err(Failure::Failed(line)) if *counts != Counts::default() => {
            // Stdout may be what failed.
            let _ = writeln!(stdout(), "{counts}");
            let then = "what stands before it was applied; replay the whole capture again once it is mended, repeats are harmless";
            Err(Failure::Failed(format!("{line}; {then}")))
        }
        Err(failure) => Err(failure),
    }
}

/// A postback that was answered ERROR changed nothing: whoever only looks at the exit code has to
/// know.
pub(super) fn judge(counts: &Counts) -> Result<(), Failure> {
    match counts.error {
        0 => Ok(()),
        errors => Err(Failure::Failed(format!(
            "{errors} of {} postbacks got ERROR and changed nothing: see above",
            counts.all()
        ))),
    }
}

/// Of many replies, those that want somebody's eye.
pub(super) fn show_error(place: &str, reply: &Reply) -> Result<(), Failure> {
    if reply.word() == Word::Error {
        writeln!(stdout(), "{place}: {}", reply.as_str())?;
    }
    Ok(())
}
