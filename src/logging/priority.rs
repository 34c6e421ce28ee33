//! The priority of log lines for the systemd journal. A line that begins with `<3>` is an error
//! there, so that `journalctl -p err` shows it: sd-daemon(3).

use std::io::stderr;
use std::sync::OnceLock;

use log::Level;
use rustix::fs::fstat;

/// Whether stderr is the stream to the journal. It does not change while the process runs.
static IS_JOURNAL: OnceLock<bool> = OnceLock::new();

/// Whether lines need a priority.
pub(super) fn is_wanted() -> bool {
    *IS_JOURNAL
        .get_or_init(|| std::env::var("JOURNAL_STREAM").is_ok_and(|stream| is_stderr(&stream)))
}

/// Whether stderr is this stream, given as device and inode. A service that is started by another
/// one inherits the variable, perhaps with another stderr.
fn is_stderr(stream: &str) -> bool {
    let Some((device, inode)) = parse(stream) else { return false };
    fstat(stderr()).is_ok_and(|stat| (stat.st_dev, stat.st_ino) == (device, inode))
}

fn parse(stream: &str) -> Option<(u64, u64)> {
    let (device, inode) = stream.split_once(':')?;
    Some((device.parse().ok()?, inode.parse().ok()?))
}

/// What a line of this level begins with. The numbers are those of syslog.
pub(super) fn prefix(level: Level) -> &'static str {
    match level {
        Level::Error => "<3>",
        Level::Warn => "<4>",
        Level::Info => "<6>",
        Level::Debug | Level::Trace => "<7>",
    }
}

/// What a line about a failed command begins with: nothing, unless the journal reads it.
pub fn of_failure() -> &'static str {
    if is_wanted() { prefix(Level::Error) } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_a_device_and_an_inode() {
        assert_eq!(parse("8:4711"), Some((8, 4711)));
        for text in ["", "8", "8:", ":4711", "8:x", "8:4711:1", "-8:4711"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
