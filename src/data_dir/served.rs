//! What `serve` records for commands that are run without its settings: the URL that NATS calls, up
//! to the token, whether the tokens of the data directory are used, and the ids of the keys that
//! write. None of it is secret.

use std::net::SocketAddr;
use std::{fs, io};

use serde::{Deserialize, Serialize};

use super::DataDir;
use crate::denied::explain;
use crate::whole_file::{Draft, draft_of};

const MODE: u32 = 0o640;

/// How the service runs, or was last run.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Served {
    /// The URL for NATS, up to the token.
    pub(crate) url_front: String,
    /// Whether the URL comes from `--public-url`, and not from the address of the listener.
    pub(crate) is_public: bool,
    /// Whether the tokens come from the settings.
    pub(crate) tokens_of_settings: bool,
    /// Where it listens; releases before 0.5.0 did not record it.
    #[serde(default)]
    pub(crate) address: Option<SocketAddr>,
    /// The keys that it writes with; releases before 0.6.0 did not record them.
    #[serde(default)]
    pub(crate) keys: Option<KeysInUse>,
}

/// The ids of the keys that a service writes with.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct KeysInUse {
    /// The key under which passwords are sealed.
    pub seal: String,
    /// The key under which cookies are signed.
    pub cookie: String,
}

impl Served {
    /// The record of the last start. An unreadable file counts as none.
    pub(crate) fn load(dir: &DataDir) -> Option<Self> {
        serde_json::from_slice(&fs::read(dir.served()).ok()?).ok()
    }

    /// Writes the file: all or nothing.
    pub(crate) fn save(&self, dir: &DataDir) -> io::Result<()> {
        let mut text = serde_json::to_vec(self)?;
        text.push(b'\n');
        let place = dir.served();
        let save = || Draft::begin(&place, MODE)?.replace(&text);
        save().map_err(|error| explain(&draft_of(&place), error))
    }
}
