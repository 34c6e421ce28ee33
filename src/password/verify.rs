//! Decides whether a typed password is the password of a row.
//!
//! A broken row is an error, never a yes. No text in a row takes unbounded time or memory. Secrets
//! are compared in constant time.

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::cost::bcrypt_holds;
use super::credential::{Cryptpass, Hash, Password, Stored, Wrapped};
use super::crypt::{CryptError, Setting, split};
use super::phc::Phc;
use super::vault::{Opened, UnsealError, Vault};
use super::workspace::Workspace;
use crate::identity::Key;
use crate::unicode::to_windows_1252;

/// The row is broken, or could not be computed. This is a fault of the program or the database, not
/// of the visitor.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The seal cannot be opened.
    #[error("the sealed password cannot be opened: {0}")]
    Sealed(#[from] UnsealError),
    /// The column `password` holds neither of the known hashes.
    #[error(
        "the stored hash is neither argon2id nor bcrypt in the form and within the cost that \
         this version supports"
    )]
    Hash,
    /// The column does not hold a wrapped cryptpass.
    #[error(
        "the stored cryptpass is not a crypt(3) setting and an argon2id hash that this version \
         knows"
    )]
    Wrapped,
    /// argon2id failed, or had no memory.
    #[error("argon2id: {0}")]
    Argon2(argon2::Error),
    /// A known setting could not be computed.
    #[error(transparent)]
    Crypt(#[from] CryptError),
}

impl VerifyError {
    /// Whether memory was missing, so that a later attempt may succeed. Then nothing is known of
    /// the row or the password.
    pub fn is_temporary(&self) -> bool {
        matches!(self, VerifyError::Argon2(argon2::Error::OutOfMemory))
    }
}

/// Whether `typed` is the password that `stored` holds for the member `key`. A sealed password
/// takes microseconds, a hash tens of milliseconds. A wrapped cryptpass takes a hash and its
/// crypt(3), twice for a wrong password that is not ASCII.
pub fn verify(
    stored: &Stored,
    key: Key,
    vault: &Vault,
    typed: &Password,
) -> Result<bool, VerifyError> {
    verify_in(&mut Workspace::default(), stored, key, vault, typed)
}

/// Does what [`verify`] does, in the memory of the caller.
pub(super) fn verify_in(
    workspace: &mut Workspace,
    stored: &Stored,
    key: Key,
    vault: &Vault,
    typed: &Password,
) -> Result<bool, VerifyError> {
    match stored {
        Stored::Sealed(seal) => match vault.open(key, seal)? {
            Opened::Password(password) => {
                let normal = |text: &Password| text.in_nfc().unwrap_or_else(|| text.clone());
                Ok(same_text(normal(&password).expose(), normal(typed).expose()))
            }
            Opened::Cryptpass(cryptpass) => cryptpass_fits(workspace, &cryptpass, typed),
        },
        // New hashes are made of the password in NFC, older ones of the password as it was sent.
        Stored::Hash(hash) => Ok(verify_hash_in(workspace, hash, typed)?
            || typed
                .in_nfc()
                .map_or(Ok(false), |normal| verify_hash_in(workspace, hash, &normal))?),
        Stored::Wrapped(wrapped) => {
            let (setting, phc) = parts(wrapped)?;
            crypt_fits(workspace, setting, typed, |workspace, made| {
                phc_fits(&phc, workspace, made.as_bytes())
            })
        }
    }
}

/// Whether `typed` is the password of this hash. A password that bcrypt cannot hold (over 72 bytes,
/// or with a NUL) never matches a bcrypt hash, because [`super::Hasher::hash`] makes none of it.
pub fn verify_hash(hash: &Hash, typed: &Password) -> Result<bool, VerifyError> {
    verify_hash_in(&mut Workspace::default(), hash, typed)
}

pub(super) fn verify_hash_in(
    workspace: &mut Workspace,
    hash: &Hash,
    typed: &Password,
) -> Result<bool, VerifyError> {
    if let Some(phc) = Phc::parse(hash.as_str()) {
        return phc_fits(&phc, workspace, typed.expose().as_bytes());
    }
    if !is_bcrypt(hash) {
        return Err(VerifyError::Hash);
    }
    if !bcrypt_holds(typed) {
        return Ok(false);
    }
    bcrypt_fits(workspace, hash, typed)
}

/// Whether `hash` is the bcrypt hash that release 0.1 made of the first 72 bytes of this longer
/// password. No login matches it any more. But if NATS sends the same password again, it counts as
/// unchanged.
pub(crate) fn is_truncated_bcrypt_of(hash: &Hash, password: &Password) -> bool {
    !bcrypt_holds(password)
        && is_bcrypt(hash)
        && bcrypt_fits(&mut Workspace::default(), hash, password).unwrap_or(false)
}

fn is_bcrypt(hash: &Hash) -> bool {
    split(hash.as_str()).is_some_and(|(setting, _)| setting.is_bcrypt())
}

fn bcrypt_fits(
    workspace: &mut Workspace,
    hash: &Hash,
    password: &Password,
) -> Result<bool, VerifyError> {
    let (setting, _) = split(hash.as_str()).ok_or(VerifyError::Hash)?;
    let made = workspace.crypt(setting, password.expose().as_bytes())?;
    Ok(made.is_some_and(|made| made.as_bytes().ct_eq(hash.as_str().as_bytes()).into()))
}

/// Whether `wrapped` was made of exactly this cryptpass.
pub fn wrapped_holds(wrapped: &Wrapped, cryptpass: &Cryptpass) -> Result<bool, VerifyError> {
    wrapped_holds_in(&mut Workspace::default(), wrapped, cryptpass)
}

pub(super) fn wrapped_holds_in(
    workspace: &mut Workspace,
    wrapped: &Wrapped,
    cryptpass: &Cryptpass,
) -> Result<bool, VerifyError> {
    let (setting, phc) = parts(wrapped)?;
    // The setting is no secret. A different one gives the answer without hashing.
    let same_setting =
        split(cryptpass.expose()).is_some_and(|(given, _)| given.as_str() == setting.as_str());
    Ok(same_setting && phc_fits(&phc, workspace, cryptpass.expose().as_bytes())?)
}

fn cryptpass_fits(
    workspace: &mut Workspace,
    cryptpass: &Cryptpass,
    typed: &Password,
) -> Result<bool, VerifyError> {
    let (setting, _) = split(cryptpass.expose()).ok_or(VerifyError::Wrapped)?;
    crypt_fits(workspace, setting, typed, |_, made| {
        Ok(made.as_bytes().ct_eq(cryptpass.expose().as_bytes()).into())
    })
}

/// Computes the crypt string of each of the [`spellings`] until one fits.
fn crypt_fits(
    workspace: &mut Workspace,
    setting: Setting<'_>,
    typed: &Password,
    fits: impl Fn(&mut Workspace, &str) -> Result<bool, VerifyError>,
) -> Result<bool, VerifyError> {
    for bytes in spellings(typed) {
        if let Some(made) = workspace.crypt(setting, &bytes)?
            && fits(workspace, &made)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The typed text in UTF-8 and in Windows-1252, as typed and in Unicode NFC if that differs. NATS
/// made a cryptpass of the bytes that a browser sent, and its pages were not always in UTF-8.
pub(super) fn spellings(typed: &Password) -> Vec<Zeroizing<Vec<u8>>> {
    let mut spellings = Vec::with_capacity(2);
    for text in [Some(typed), typed.in_nfc().as_ref()].into_iter().flatten() {
        spellings.push(Zeroizing::new(text.expose().as_bytes().to_vec()));
        spellings.extend(windows_1252(text.expose()));
    }
    spellings
}

/// The text in Windows-1252, if its bytes differ.
fn windows_1252(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    if text.is_ascii() { None } else { to_windows_1252(text) }
}

/// Compares digests, because the lengths of the texts differ and are secret too.
fn same_text(a: &str, b: &str) -> bool {
    Sha256::digest(a).ct_eq(&Sha256::digest(b)).into()
}

fn parts(wrapped: &Wrapped) -> Result<(Setting<'_>, Phc), VerifyError> {
    wrapped.parts().ok_or(VerifyError::Wrapped)
}

fn phc_fits(phc: &Phc, workspace: &mut Workspace, secret: &[u8]) -> Result<bool, VerifyError> {
    let (Some(salt), Some(expected)) = (&phc.hash.salt, &phc.hash.hash) else {
        return Err(VerifyError::Hash);
    };
    let mut made = Zeroizing::new(vec![0; expected.len()]);
    workspace.argon2id(&phc.argon2, secret, salt, &mut made).map_err(VerifyError::Argon2)?;
    Ok(made.as_slice().ct_eq(expected.as_bytes()).into())
}

#[cfg(test)]
mod tests;
