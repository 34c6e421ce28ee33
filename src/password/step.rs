//! One slow computation of a login, and which of them each form of a credential needs.

use super::cost::{ARGON2_LANES, ARGON2_MEMORY_KIB, ARGON2_PASSES, BCRYPT_COST, Cost, HashKind};
use super::credential::Stored;
use super::crypt::{CryptCost, split};
use super::phc::Phc;

/// The most rounds of SHA that count as cheap compared with our own hash. 5,000 are usual.
const CHEAP_SHA_ROUNDS_MAX: u32 = 10_000;

/// One slow computation: its kind and its cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// argon2id.
    Argon2id { memory_kib: u32, passes: u32, lanes: u32 },
    /// A form of crypt(3), including bcrypt.
    Crypt(CryptCost),
}

impl Step {
    /// argon2id with these parameters.
    pub(super) fn argon2id(params: &argon2::Params) -> Self {
        Step::Argon2id {
            memory_kib: params.m_cost(),
            passes: params.t_cost(),
            lanes: params.p_cost(),
        }
    }

    /// The computation of a new hash.
    pub(super) fn configured(cost: Cost) -> Self {
        match cost.kind {
            HashKind::Argon2id => Step::Argon2id {
                memory_kib: cost.memory_kib,
                passes: cost.passes,
                lanes: ARGON2_LANES,
            },
            HashKind::Bcrypt => Step::Crypt(CryptCost::bcrypt(cost.bcrypt)),
        }
    }

    /// Whether every login may compute it for the sake of one row: it costs no more than our own
    /// hashes.
    pub(super) fn is_cheap(self) -> bool {
        match self {
            Step::Argon2id { memory_kib, passes, .. } => {
                u64::from(memory_kib) * u64::from(passes)
                    <= u64::from(ARGON2_MEMORY_KIB) * u64::from(ARGON2_PASSES)
            }
            Step::Crypt(cost) => cost.is_at_most(CHEAP_SHA_ROUNDS_MAX, BCRYPT_COST),
        }
    }
}

/// The slow computations of a login to a row in this form. There are none for a seal, which is soon
/// hashed, and for a text that [`super::verify`] does not support.
pub(super) fn steps_of(stored: &Stored) -> Vec<Step> {
    match stored {
        Stored::Sealed(_) => Vec::new(),
        Stored::Hash(hash) => {
            let bcrypt = || split(hash.as_str()).map(|(setting, _)| Step::Crypt(setting.cost()));
            Phc::parse(hash.as_str())
                .map(|phc| Step::argon2id(phc.argon2.params()))
                .or_else(bcrypt)
                .into_iter()
                .collect()
        }
        Stored::Wrapped(wrapped) => wrapped.parts().map_or_else(Vec::new, |(setting, phc)| {
            vec![Step::Crypt(setting.cost()), Step::argon2id(phc.argon2.params())]
        }),
    }
}
