//! The text of an argon2id hash, in PHC form.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, Version};

/// The length of the output. A row with a shorter one is damaged.
pub(super) const ARGON2_OUTPUT_BYTES: usize = 32;
/// The most memory that a stored argon2id text may require, in KiB. It leaves room to raise our own
/// cost, and keeps a damaged row from exhausting the memory.
const ARGON2_MEMORY_KIB_MAX: u32 = 128 * 1024;
/// The most passes that a stored argon2id text may require.
const ARGON2_PASSES_MAX: u32 = 16;
/// The most lanes that a stored argon2id text may require.
const ARGON2_LANES_MAX: u32 = 16;

/// An argon2id text whose cost is within these bounds.
pub(super) struct Phc {
    pub(super) argon2: Argon2<'static>,
    pub(super) hash: PasswordHash,
}

impl Phc {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let hash = PasswordHash::new(text).ok()?;
        let params = Params::try_from(&hash).ok()?;
        let bounded = params.m_cost() <= ARGON2_MEMORY_KIB_MAX
            && params.t_cost() <= ARGON2_PASSES_MAX
            && params.p_cost() <= ARGON2_LANES_MAX;
        let ours = hash.algorithm == Algorithm::Argon2id.ident()
            && hash.version == Some(Version::V0x13.into());
        let whole = hash.salt.is_some()
            && hash.hash.is_some_and(|output| output.len() == ARGON2_OUTPUT_BYTES);
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        (bounded && ours && whole).then_some(Self { argon2, hash })
    }
}
