//! The slow hash that replaces a seal: argon2id, or bcrypt for an Apache that reads the column.

use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Params, Version};

use super::cost::{ARGON2_LANES, Cost, HashKind};
use super::credential::{Cryptpass, Hash, Password, Stored, Wrapped};
use super::crypt;
use super::phc::ARGON2_OUTPUT_BYTES;
use super::vault::Vault;
use super::verify::{VerifyError, verify_hash_in, verify_in, wrapped_holds_in};
use super::workspace::Workspace;
use crate::identity::Key;

const SALT_BYTES: usize = 16;

/// Why a hash could not be made. The password is never the reason.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// The system gave no salt.
    #[error("no random salt from the system: {0}")]
    Random(#[from] getrandom::Error),
    /// argon2id failed, or had no memory.
    #[error("argon2id: {0}")]
    Argon2(argon2::Error),
    /// The hash could not be written as text.
    #[error("argon2id: {0}")]
    Phc(argon2::password_hash::Error),
    /// bcrypt failed.
    #[error("bcrypt: {0}")]
    Bcrypt(#[from] bcrypt::BcryptError),
}

impl HashError {
    /// Whether memory or random bytes were missing, so that a later attempt may succeed.
    pub fn is_temporary(&self) -> bool {
        matches!(self, HashError::Argon2(argon2::Error::OutOfMemory) | HashError::Random(_))
    }
}

/// Hashes passwords in memory that it reuses: 19 MiB, allocated for the first hash and freed on
/// drop.
pub struct Hasher {
    cost: Cost,
    argon2: Argon2<'static>,
    workspace: Workspace,
}

impl Hasher {
    /// A hasher whose new hashes have this cost.
    pub fn new(cost: Cost) -> Self {
        let params =
            Params::new(cost.memory_kib, cost.passes, ARGON2_LANES, Some(ARGON2_OUTPUT_BYTES))
                .expect("each constructor of Cost gives a legal one");
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        Self { cost, argon2, workspace: Workspace::default() }
    }

    /// Hashes a password with the kind that [`Cost::kind_for`] gives.
    pub fn hash(&mut self, password: &Password) -> Result<Hash, HashError> {
        let text = password.expose();
        match self.cost.kind_for(password) {
            HashKind::Bcrypt => {
                let parts = bcrypt::hash_with_salt(text, self.cost.bcrypt, salt()?)?;
                Ok(Hash::from_text(parts.format_for_version(bcrypt::Version::TwoY)))
            }
            HashKind::Argon2id => self.argon2id(text.as_bytes()).map(Hash::from_text),
        }
    }

    /// Wraps a cryptpass: keeps its setting and replaces its digest by argon2id, for either kind of
    /// hash.
    pub fn wrap(&mut self, cryptpass: &Cryptpass) -> Result<Wrapped, HashError> {
        let text = cryptpass.expose();
        let (setting, _) =
            crypt::split(text).expect("every constructor of Cryptpass reads it by this function");
        let phc = self.argon2id(text.as_bytes())?;
        Ok(Wrapped::from_text(format!("{} {phc}", setting.as_str())))
    }

    /// A hasher that gets no memory for argon2id.
    #[cfg(test)]
    pub(crate) fn without_memory(cost: Cost) -> Self {
        Self { workspace: Workspace::reserving(|_, _| false), ..Self::new(cost) }
    }

    /// The cost of the hashes that it makes.
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// Does what [`super::verify`] does, in the memory of this hasher.
    pub fn verify(
        &mut self,
        stored: &Stored,
        key: Key,
        vault: &Vault,
        typed: &Password,
    ) -> Result<bool, VerifyError> {
        verify_in(&mut self.workspace, stored, key, vault, typed)
    }

    /// Does what [`super::verify_hash`] does, in the memory of this hasher.
    pub fn verify_hash(&mut self, hash: &Hash, typed: &Password) -> Result<bool, VerifyError> {
        verify_hash_in(&mut self.workspace, hash, typed)
    }

    /// Does what [`super::wrapped_holds`] does, in the memory of this hasher.
    pub fn wrapped_holds(
        &mut self,
        wrapped: &Wrapped,
        cryptpass: &Cryptpass,
    ) -> Result<bool, VerifyError> {
        wrapped_holds_in(&mut self.workspace, wrapped, cryptpass)
    }

    fn argon2id(&mut self, secret: &[u8]) -> Result<String, HashError> {
        let salt = salt()?;
        let mut output = [0; ARGON2_OUTPUT_BYTES];
        self.workspace
            .argon2id(&self.argon2, secret, &salt, &mut output)
            .map_err(HashError::Argon2)?;
        self.phc(&salt, &output).map_err(HashError::Phc)
    }

    fn phc(&self, salt: &[u8], output: &[u8]) -> Result<String, argon2::password_hash::Error> {
        let hash = phc::PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: self.argon2.params().try_into()?,
            salt: Some(phc::Salt::new(salt)?),
            hash: Some(phc::Output::new(output)?),
        };
        Ok(hash.to_string())
    }
}

fn salt() -> Result<[u8; SALT_BYTES], getrandom::Error> {
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt)?;
    Ok(salt)
}

#[cfg(test)]
mod tests {
    use argon2::PasswordVerifier as _;

    use super::*;
    use crate::password::verify_hash;

    fn password(text: &str) -> Password {
        Password::parse(text).unwrap()
    }

    fn fits(hash: &Hash, text: &str) -> bool {
        verify_hash(hash, &password(text)).unwrap()
    }

    /// Passwords that a hash may treat wrongly.
    fn odd_passwords() -> Vec<String> {
        let mut odd: Vec<String> =
            ["x", " ", "\0", "\0\0", "a\0b", "a\0c", "a", "pässwörd", "$1$a$b", "\r\n"]
                .map(str::to_owned)
                .into();
        odd.extend([71, 72, 73, 74].map(|bytes| "y".repeat(bytes)));
        // Passwords that share their first 72 bytes, and some with a letter of two bytes across
        // that limit.
        odd.extend([
            "y".repeat(72) + "z",
            "é".repeat(36),
            "é".repeat(36) + "y",
            "y".repeat(71) + "é",
            "y".repeat(71) + "è",
        ]);
        odd.extend(["z".repeat(1024), "é".repeat(512)]);
        odd
    }

    #[test]
    fn members_get_the_costs_that_owasp_names() {
        let argon2id =
            Hasher::new(Cost::new(HashKind::Argon2id)).hash(&password("testtest")).unwrap();
        assert!(
            argon2id.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{}",
            argon2id.as_str()
        );
        assert!(Argon2::default().verify_password(b"testtest", argon2id.as_str()).is_ok());
        let bcrypt = Hasher::new(Cost::new(HashKind::Bcrypt)).hash(&password("testtest")).unwrap();
        assert!(bcrypt.as_str().starts_with("$2y$10$"), "{}", bcrypt.as_str());
        assert!(bcrypt::verify("testtest", bcrypt.as_str()).unwrap());
    }

    #[test]
    fn every_legal_password_has_a_hash_that_fits_it_and_no_other() {
        for kind in [HashKind::Argon2id, HashKind::Bcrypt] {
            let mut hasher = Hasher::new(Cost::lowest(kind));
            for text in odd_passwords() {
                let hash = hasher.hash(&password(&text)).unwrap();
                for typed in odd_passwords() {
                    assert_eq!(
                        fits(&hash, &typed),
                        text == typed,
                        "{kind}: {text:?} and {typed:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_password_that_bcrypt_cannot_hold_gets_argon2id_under_bcrypt_too() {
        let mut hasher = Hasher::new(Cost::lowest(HashKind::Bcrypt));
        for (text, kind, why) in [
            ("a".to_owned(), HashKind::Bcrypt, "a short one"),
            ("x".repeat(72), HashKind::Bcrypt, "all that bcrypt counts"),
            ("x".repeat(73), HashKind::Argon2id, "a byte more"),
            ("é".repeat(36), HashKind::Bcrypt, "bytes, not letters: 72"),
            ("é".repeat(36) + "x", HashKind::Argon2id, "73"),
            ("x".repeat(1024), HashKind::Argon2id, "the longest"),
            ("a\0".to_owned(), HashKind::Argon2id, "a NUL"),
        ] {
            let hash = hasher.hash(&password(&text)).unwrap();
            let start = if kind == HashKind::Bcrypt { "$2y$04$" } else { "$argon2id$" };
            assert!(hash.as_str().starts_with(start), "{why}: {}", hash.as_str());
            assert_eq!(Cost::new(HashKind::Bcrypt).kind_for(&password(&text)), kind, "{why}");
            assert_eq!(
                Cost::new(HashKind::Argon2id).kind_for(&password(&text)),
                HashKind::Argon2id,
                "{why}"
            );
            assert!(fits(&hash, &text), "{why}");
        }
    }

    /// Regression: only the first 72 bytes of a longer password were compared, also with the hash
    /// of an earlier version.
    #[test]
    fn no_bcrypt_hash_is_opened_by_a_password_that_bcrypt_cannot_hold() {
        let seventy_two = "x".repeat(72);
        let of_a_longer_one =
            Hash::from_text(bcrypt::hash(format!("{seventy_two}more"), 4).unwrap());
        assert!(
            fits(&of_a_longer_one, &seventy_two),
            "what bcrypt made of it is the hash of its beginning"
        );
        for typed in [
            format!("{seventy_two}more"),
            format!("{seventy_two}x"),
            format!("{seventy_two}\0"),
            "x".repeat(1024),
        ] {
            assert!(!fits(&of_a_longer_one, &typed), "{typed:?}");
        }
        let short = Hasher::new(Cost::lowest(HashKind::Bcrypt)).hash(&password("a")).unwrap();
        assert!(!fits(&short, "a\0a"));
    }

    #[test]
    fn two_hashes_of_one_password_differ() {
        let mut hasher = Hasher::new(Cost::lowest(HashKind::Argon2id));
        assert_ne!(hasher.hash(&password("x")).unwrap(), hasher.hash(&password("x")).unwrap());
    }

    #[test]
    fn a_wrapped_cryptpass_keeps_its_setting_and_not_its_digest() {
        let cryptpass = Cryptpass::parse("41R19prsa7NLQ").unwrap();
        let wrapped = Hasher::new(Cost::lowest(HashKind::Bcrypt)).wrap(&cryptpass).unwrap();
        assert!(
            wrapped.as_str().starts_with("41 $argon2id$v=19$m=8,t=1,p=1$"),
            "{}",
            wrapped.as_str()
        );
        assert!(!wrapped.as_str().contains("R19prsa7NLQ"));
    }
}
