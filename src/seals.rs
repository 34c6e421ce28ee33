//! Whether a key opens the sealed passwords of a database.

use crate::password::Vault;
use crate::store::{Fault, Read};

/// How many of the newest seals are opened as a test, in a database that does not name its key.
const SEALS_TRIED: u32 = 16;

/// How many sealed passwords this key does not open.
///
/// # Errors
///
/// If the database cannot be read.
pub(crate) fn foreign_seals(vault: &Vault, reader: &dyn Read) -> Result<u64, Fault> {
    let backlog = reader.backlog()?;
    let is_foreign = || match reader.seal_key()? {
        Some(known) => Ok(known != vault.key_id()),
        None => {
            // A seal that cannot be opened may be damaged. If none can be opened, the key is wrong.
            let sample = reader.pending(SEALS_TRIED)?;
            Ok::<_, Fault>(
                !sample.is_empty()
                    && sample.iter().all(|item| vault.open(item.key, &item.seal).is_err()),
            )
        }
    };
    Ok(if backlog > 0 && is_foreign()? { backlog } else { 0 })
}
