//! Prints the counts of replies after a `replay`, and decides its exit code.

use std::io::{Write as _, stdout};

use crate::cli::failure::{Failure, judged};
use crate::replay::Counts;
use crate::reply::{Reply, Word};

/// Prints the counts at the end of a replay, also of one that ended early.
pub(super) fn end(counts: &Counts, done: Result<(), Failure>) -> Result<(), Failure> {
    match done {
        Ok(()) => {
            let printed = writeln!(stdout(), "{counts}").map_err(Failure::from);
            judged(printed, judge(counts))
        }
        Err(Failure::Failed(line)) if *counts != Counts::default() => {
            // Writing to stdout may be what failed.
            let _ = writeln!(stdout(), "{counts}");
            let then = "everything before it was applied; fix the cause and replay the whole \
                capture again, repeats are harmless";
            Err(Failure::Failed(format!("{line}; {then}")))
        }
        Err(failure) => Err(failure),
    }
}

/// Fails if a postback was answered ERROR, so that the exit code shows it.
pub(super) fn judge(counts: &Counts) -> Result<(), Failure> {
    match counts.error {
        0 => Ok(()),
        errors => Err(Failure::Failed(format!(
            "{errors} of {} postbacks got ERROR and changed nothing: see above",
            counts.all()
        ))),
    }
}

/// Prints an ERROR reply. The others are only counted.
pub(super) fn show_error(place: &str, reply: &Reply) -> Result<(), Failure> {
    if reply.word() == Word::Error {
        writeln!(stdout(), "{place}: {}", reply.as_str())?;
    }
    Ok(())
}
