//! Whether the sealed passwords of a database are under this key.

use crate::password::Vault;
use crate::store::{Fault, Read};

/// How many of the newest seals are tried with the key, where it was not written down which key
/// they are under.
const SEALS_TRIED: u32 = 16;

/// How many sealed passwords wait that this key does not open.
///
/// # Errors
///
/// Where the database cannot be read.
pub(crate) fn foreign_seals(vault: &Vault, reader: &dyn Read) -> Result<u64, Fault> {
    let backlog = reader.backlog()?;
    let is_foreign = || match reader.seal_key()? {
        Some(known) => Ok(known != vault.key_id()),
        None => {
            // One that does not open may be damaged; if none does, it is the key.
            let sample = reader.pending(SEALS_TRIED)?;
            Ok::<_, Fault>(
                !sample.is_empty()
                    && sample.iter().all(|item| vault.open(item.key, &item.seal).is_err()),
            )
        }
    };
    Ok(if backlog > 0 && is_foreign()? { backlog } else { 0 })
}
