//! What the commands about all data of one person share.

use indicatif::{ProgressBar, ProgressStyle};
use zeroize::Zeroizing;

use crate::cli::failure::Failure;
use crate::config::Config;
use crate::identity::Key;
use crate::key_file::ring::Ring;
use crate::login::cookie::Signer;
use crate::personal;
use crate::store::{Person, Read};

/// Finds what is stored of a member. The bar shows how many recorded logins were read, because
/// those that have only a name are found by reading all.
pub(super) fn find(config: &Config, reader: &dyn Read, key: Key) -> Result<Person, Failure> {
    let keys = known_networks_keys(config)?;
    let bar = ProgressBar::no_length().with_style(
        ProgressStyle::with_template("{spinner} {pos} recorded logins are read")
            .unwrap_or_else(|_| ProgressStyle::default_spinner()),
    );
    let person = personal::find(reader, key, keys.as_ref(), |read| bar.inc(read));
    bar.finish_and_clear();
    Ok(person?)
}

/// The keys under which known networks are hashed. Without the file there was never a login.
fn known_networks_keys(config: &Config) -> Result<Option<Ring<Zeroizing<[u8; 32]>>>, Failure> {
    let path = config.data_dir.cookie_key();
    if !path.exists() {
        return Ok(None);
    }
    let signer = Signer::load(&path).map_err(|error| Failure::of(&error))?;
    Ok(Some(signer.known_networks_keys()))
}
