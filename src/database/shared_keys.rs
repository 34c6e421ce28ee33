//! The keys that all receivers of one database share. The database stores their ids: a receiver
//! with another seal key could not open the passwords of the others, and would end their logins
//! with another cookie key.

use std::path::PathBuf;

use crate::config::Config;
use crate::key_file::ring::Ring;
use crate::login::cookie::Signer;
use crate::password::{KeyId, Vault};
use crate::store::{Fault, Read, SharedKey};

/// A key is not the one that the other receivers have.
#[derive(Debug, thiserror::Error)]
#[error(
    "{}: expected the key of the other receivers of {place}, found {found}: copy seal.key*, \
     cookie.key* and postback-token from the data directory of one of them to {}, over what is \
     there", .path.display(), .dir.display()
)]
pub struct OtherKey {
    path: PathBuf,
    place: String,
    found: &'static str,
    dir: PathBuf,
}

/// Compares the id of a key in the database with those of this receiver's key files, if the key is
/// there. While the key is rotated, other receivers may write with the next or the former one. A
/// database with one receiver takes any key.
pub(super) fn check(
    config: &Config,
    key: SharedKey,
    stored: Option<KeyId>,
    own: Option<&Ring<KeyId>>,
) -> Result<(), OtherKey> {
    match (config.location.is_shared(), stored) {
        (true, Some(stored)) if !own.is_some_and(|own| own.has(&stored)) => Err(OtherKey {
            path: match key {
                SharedKey::Seals => config.data_dir.seal_key(),
                SharedKey::Cookies => config.data_dir.cookie_key(),
            },
            place: config.location.to_string(),
            found: if own.is_some() { "another one" } else { "no file" },
            dir: config.data_dir.path().to_owned(),
        }),
        _ => Ok(()),
    }
}

/// The keys of the data directory that are not those of the other receivers. A key that cannot be
/// read is left out.
///
/// # Errors
///
/// If the database cannot be read.
pub fn other_keys(config: &Config, reader: &dyn Read) -> Result<Vec<OtherKey>, Fault> {
    let id_of_seals = Vault::load(&config.data_dir.seal_key()).map(|vault| vault.key_ids());
    let id_of_cookies = Signer::load(&config.data_dir.cookie_key()).map(|signer| signer.key_ids());
    let keys = [
        (SharedKey::Seals, reader.seal_key()?, config.data_dir.seal_key(), id_of_seals),
        (SharedKey::Cookies, reader.cookie_key()?, config.data_dir.cookie_key(), id_of_cookies),
    ];
    let differs = keys.into_iter().filter_map(|(key, stored, path, own)| match own {
        Err(_) if path.exists() => None,
        own => check(config, key, stored, own.ok().as_ref()).err(),
    });
    Ok(differs.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(database: &str) -> Config {
        Config::of_flags(&["--database", database])
    }

    #[test]
    fn a_receiver_of_a_shared_database_has_the_stored_key_or_names_the_files_to_copy() {
        let [one, next, former, other] = [1, 2, 3, 4].map(|byte| KeyId([byte; 16]));
        let own = Ring { current: one, next: Some(next), former: Some(former) };
        let shared = config("mysql://userman:hidden@[::1]/nats");
        let check = |key, stored, own: Option<&Ring<KeyId>>| {
            check(&shared, key, stored, own).map_err(|other| other.to_string())
        };
        assert_eq!(check(SharedKey::Seals, None, None), Ok(()), "the first start");
        assert_eq!(check(SharedKey::Seals, None, Some(&own)), Ok(()), "one that was cut short");
        for (stored, why) in [
            (one, "the usual"),
            (next, "another one was rotated before"),
            (former, "this one was rotated first"),
        ] {
            assert_eq!(check(SharedKey::Cookies, Some(stored), Some(&own)), Ok(()), "{why}");
        }
        let said = |file: &str, found: &str| {
            Err(format!(
                "/srv/data/{file}: expected the key of the other receivers of \
                 mysql://userman@[::1]:3306/nats, found {found}: copy seal.key*, cookie.key* and \
                 postback-token from the data directory of one of them to /srv/data, over what is \
                 there"
            ))
        };
        assert_eq!(
            check(SharedKey::Seals, Some(other), Some(&own)),
            said("seal.key", "another one")
        );
        assert_eq!(check(SharedKey::Cookies, Some(one), None), said("cookie.key", "no file"));
    }

    #[test]
    fn a_database_with_one_receiver_takes_any_key() {
        let own = config("sqlite:/srv/data/userman.db");
        let key = Ring::of(KeyId([2; 16]));
        for key in [None, Some(&key)] {
            assert!(check(&own, SharedKey::Seals, Some(KeyId([1; 16])), key).is_ok());
        }
    }
}
