//! Passwords: sealed at once, hashed in the background, verified in every form that a row can have.
//!
//! ```text
//! postback: Password | Cryptpass --vault--> Seal --committed--> reply
//! later:    Seal --vault--> Password  --hash--> Hash      argon2id, or bcrypt for Apache
//!                           Cryptpass --hash--> Wrapped   setting, argon2id of the crypt string
//! login:    Stored + typed Password --verify--> yes, no, or the row is broken
//! ```
//!
//! No `Debug`, error or `Display` shows a secret. Clear text is wiped when it is dropped.

mod apr1;
mod cost;
mod credential;
mod crypt;
mod hash;
mod phc;
mod step;
mod steps;
mod vault;
mod verifier;
mod verify;
mod workspace;
mod yescrypt_form;

pub use cost::{Cost, HashKind, UnknownHashKind};
pub use credential::{
    CRYPTPASS_EXPECTED, Cryptpass, Hash, PASSWORD_BYTES_MAX, PASSWORD_EXPECTED, Password, Seal,
    Stored, Wrapped,
};
pub use hash::{HashError, Hasher};
pub use steps::Steps;
pub use vault::{KeyId, Opened, UnsealError, Vault};
pub use verifier::Verifier;
pub(crate) use verify::is_truncated_bcrypt_of;
pub use verify::{VerifyError, verify, verify_hash, wrapped_holds};
