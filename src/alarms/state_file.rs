//! The file of the raised alarms in the data directory: a service that is restarted again and again
//! does not raise them again and again.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::cause::Cause;
use super::ledger::Raised;
use crate::whole_file::Draft;

/// Larger is no file of this program: a cause for each of 100 sites takes some 40 KiB.
const BYTES_MAX: u64 = 1 << 20;
const MODE: u32 = 0o600;

#[derive(Serialize, Deserialize)]
struct Line {
    alarm: String,
    site: Option<i64>,
    since: i64,
    message: String,
}

/// The file.
#[derive(Clone, Debug)]
pub(super) struct StateFile(pub(super) PathBuf);

impl StateFile {
    /// The alarms that were raised when it was written. A file that cannot be read is as none: at
    /// worst, an alarm is raised a second time.
    pub(super) fn read(&self) -> Vec<Raised> {
        match read(&self.0) {
            Ok(raised) => raised,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                let path = self.0.display();
                log::warn!("{path} cannot be read, alarms may be raised again: {error}");
                Vec::new()
            }
        }
    }

    pub(super) fn write(&self, raised: &[Raised]) -> io::Result<()> {
        let line = |raised: &Raised| Line {
            alarm: raised.cause.name().to_owned(),
            site: raised.cause.site(),
            since: raised.since,
            message: raised.message.clone(),
        };
        let lines: Vec<Line> = raised.iter().map(line).collect();
        Draft::begin(&self.0, MODE)?.replace(&serde_json::to_vec(&lines)?)
    }
}

fn read(path: &Path) -> io::Result<Vec<Raised>> {
    if path.metadata()?.len() > BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is too large"));
    }
    let lines: Vec<Line> = serde_json::from_slice(&std::fs::read(path)?)?;
    let raised = |line: Line| {
        let cause = Cause::parse(&line.alarm, line.site)?;
        Some(Raised { cause, since: line.since, message: line.message })
    };
    Ok(lines.into_iter().filter_map(raised).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_anything_else_is_as_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = StateFile(dir.path().join("alarms.json"));
        assert_eq!(file.read(), []);
        let raised: Vec<Raised> = [
            Cause::ReadOnly,
            Cause::Errors,
            Cause::Silence(5),
            Cause::Silence(6),
            Cause::Backlog,
            Cause::Backup,
            Cause::Disk,
            Cause::Differences,
        ]
        .into_iter()
        .map(|cause| Raised { cause, since: 7, message: format!("{cause}") })
        .collect();
        file.write(&raised).unwrap();
        assert_eq!(file.read(), raised);
        for text in
            ["", "[]", "{}", "[{\"alarm\":\"x\",\"site\":null,\"since\":1,\"message\":\"\"}]"]
        {
            std::fs::write(&file.0, text).unwrap();
            assert_eq!(file.read(), [], "{text}");
        }
    }
}
