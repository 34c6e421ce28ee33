//! Whether a key opens the sealed passwords of a database.

use crate::key_file::ring::Ring;
use crate::password::{KeyId, Vault};
use crate::store::{Fault, Read};

/// How many of the newest seals are opened as a test, in a database that does not name its key.
const SEALS_TRIED: u32 = 16;

/// Whether a database with this id has to take the id of the current key: it has none, or that of a
/// key that is not used any more. A receiver whose next key is stored is to be rotated itself.
pub(crate) fn is_outdated(stored: Option<KeyId>, own: &Ring<KeyId>) -> bool {
    stored.is_none_or(|stored| stored != own.current && Some(stored) != own.next)
}

/// How many sealed passwords these keys do not open.
///
/// # Errors
///
/// If the database cannot be read.
pub(crate) fn foreign_seals(vault: &Vault, reader: &dyn Read) -> Result<u64, Fault> {
    let backlog = reader.backlog()?;
    let is_foreign = || match reader.seal_key()? {
        Some(known) => Ok(!vault.key_ids().has(&known)),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_the_current_key_is_stored_unless_another_receiver_was_rotated_before() {
        let [current, next, former, other] = [1, 2, 3, 4].map(|byte| KeyId([byte; 16]));
        let own = Ring { current, next: Some(next), former: Some(former) };
        for (stored, expected) in [
            (None, true),
            (Some(current), false),
            (Some(next), false),
            (Some(former), true),
            (Some(other), true),
        ] {
            assert_eq!(is_outdated(stored, &own), expected, "{stored:?}");
        }
    }
}
