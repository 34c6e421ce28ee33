//! What `serve` writes down for commands that are run without its settings: the URL that NATS calls,
//! up to the token, and whether the tokens of the data directory count. Nothing of it is secret.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};

use serde::{Deserialize, Serialize};

use super::DataDir;
use crate::denied::told;

const MODE: u32 = 0o640;

/// How the service runs, or ran last.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Served {
    /// The URL for NATS, up to the token.
    pub(crate) url_front: String,
    /// Whether that is the one of `--public-url`, and not the address that is listened on.
    pub(crate) is_public: bool,
    /// Whether the tokens are those of the settings.
    pub(crate) tokens_of_settings: bool,
}

impl Served {
    /// What the last start wrote down. A file that says nothing is as good as none.
    pub(crate) fn load(dir: &DataDir) -> Option<Self> {
        serde_json::from_slice(&fs::read(dir.served()).ok()?).ok()
    }

    /// Writes it down, whole or not at all.
    pub(crate) fn save(&self, dir: &DataDir) -> io::Result<()> {
        let new = dir.served().with_extension("new");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(MODE)
            .open(&new)
            .map_err(|error| told(&new, error))?;
        // The mode above is cut by the umask.
        file.set_permissions(Permissions::from_mode(MODE))?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.write_all(b"\n")?;
        fs::rename(&new, dir.served())
    }
}
