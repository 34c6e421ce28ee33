//! The key files, read again while the service runs: after a rotation the new key writes, and the
//! former one still reads.

use std::path::Path;
use std::sync::Arc;

use crate::chain::chain;
use crate::config::Config;
use crate::data_dir::served::KeysInUse;
use crate::database::agree_on_keys;
use crate::key_file::ring::Ring;
use crate::login::area::Area;
use crate::login::cookie::Signer;
use crate::password::{KeyId, Vault};

/// The keys of a running service. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    /// Shares its keys with the vaults of all threads.
    pub(super) vault: Vault,
    pub(super) area: Arc<Area>,
}

impl Keys {
    /// Takes the keys of the files: all of them, or none. Returns a sentence for each key that has
    /// changed.
    pub(super) fn read_again(&self, config: &Config) -> Result<Vec<String>, String> {
        let (seal_key, cookie_key) = (config.data_dir.seal_key(), config.data_dir.cookie_key());
        let vault = Vault::load(&seal_key).map_err(|error| chain(&error))?;
        let signer = Signer::load(&cookie_key).map_err(|error| chain(&error))?;
        let files = [
            (seal_key, self.vault.key_ids(), vault.key_ids()),
            (cookie_key, self.area.signers.key_ids(), signer.key_ids()),
        ];
        if files.iter().all(|(_, before, now)| before == now) {
            return Ok(Vec::new());
        }
        for (path, before, now) in &files {
            keeps_reading(path, before, now)?;
        }
        agree_on_keys(config, &vault, &signer.key_ids()).map_err(|error| chain(&error))?;
        self.vault.take_keys_of(&vault);
        self.area.known.take_keys(&signer.known_networks_keys());
        self.area.signers.take_keys(signer);
        let changed = files.iter().filter(|(_, before, now)| before != now);
        Ok(changed.map(|(path, _, now)| sentence(path, now)).collect())
    }

    /// The keys that write now.
    pub(super) fn in_use(&self) -> KeysInUse {
        KeysInUse {
            seal: self.vault.key_id().to_string(),
            cookie: self.area.signers.key_ids().current.to_string(),
        }
    }
}

/// Refuses keys that do not read what the service has just written.
fn keeps_reading(path: &Path, before: &Ring<KeyId>, now: &Ring<KeyId>) -> Result<(), String> {
    match now.has(&before.current) {
        true => Ok(()),
        false => Err(format!(
            "{}: expected the key {}, which the service writes with, here or in .former, found {}",
            path.display(),
            before.current,
            now.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        )),
    }
}

/// As in "seal.key (0001abff writes, 7700aa01 reads)".
fn sentence(path: &Path, keys: &Ring<KeyId>) -> String {
    let name = path.file_name().unwrap_or_default().display();
    let mut others = keys.iter().skip(1).map(|id| format!(", {id} reads")).collect::<Vec<_>>();
    others.dedup();
    format!("{name} ({} writes{})", keys.current, others.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_says_which_key_writes_and_which_read() {
        let [current, next, former] = [0x1a, 0x2b, 0x3c].map(|byte| KeyId([byte; 16]));
        for (keys, expected) in [
            (Ring::of(current), "seal.key (1a1a1a1a writes)"),
            (
                Ring { next: Some(next), ..Ring::of(current) },
                "seal.key (1a1a1a1a writes, 2b2b2b2b reads)",
            ),
            (
                Ring { current, next: Some(next), former: Some(former) },
                "seal.key (1a1a1a1a writes, 3c3c3c3c reads, 2b2b2b2b reads)",
            ),
        ] {
            assert_eq!(sentence(Path::new("/srv/data/seal.key"), &keys), expected);
        }
    }
}
