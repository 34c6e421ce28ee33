//! The memory for slow hashes, which is reused, and a count of the computations of the current
//! login.

use argon2::{Argon2, Block, Error};

use zeroize::Zeroizing;

use super::cost::ARGON2_MEMORY_KIB;
use super::crypt::{CryptError, Setting};
use super::step::Step;

/// The most memory that is kept, in blocks of 1 KiB: what our own cost needs. More than that, for a
/// stored hash of a higher cost, is freed.
const BLOCKS_KEPT_MAX: usize = ARGON2_MEMORY_KIB as usize;

/// Reserves memory for this many more blocks. Returns `false` if the system gives none.
pub(super) type Reserve = fn(&mut Vec<Block>, usize) -> bool;

/// The memory of one thread that hashes.
pub(super) struct Workspace {
    blocks: Vec<Block>,
    reserve: Reserve,
    /// What was computed since [`Workspace::begin`], and how often.
    computed: Vec<(Step, u64)>,
}

impl Default for Workspace {
    fn default() -> Self {
        Self::reserving(|blocks, more| blocks.try_reserve_exact(more).is_ok())
    }
}

impl Workspace {
    /// A workspace that reserves its memory with this function.
    pub(super) fn reserving(reserve: Reserve) -> Self {
        Self { blocks: Vec::new(), reserve, computed: Vec::new() }
    }

    /// Resets the counts, for the next login.
    pub(super) fn begin(&mut self) {
        self.computed.clear();
    }

    /// Computes argon2id of a secret. A failed computation is counted too.
    pub(super) fn argon2id(
        &mut self,
        argon2: &Argon2<'_>,
        secret: &[u8],
        salt: &[u8],
        output: &mut [u8],
    ) -> Result<(), Error> {
        self.count(Step::argon2id(argon2.params()));
        let needed = argon2.params().block_count();
        if let Some(missing) = needed.checked_sub(self.blocks.len()) {
            // Memory may be short for a while. That must not end the process, and says nothing
            // about the password.
            if missing > 0 && !(self.reserve)(&mut self.blocks, missing) {
                return Err(Error::OutOfMemory);
            }
            self.blocks.resize(needed, Block::new());
        }
        let made =
            argon2.hash_password_into_with_memory(secret, salt, output, &mut self.blocks[..needed]);
        if self.blocks.len() > BLOCKS_KEPT_MAX {
            self.blocks = Vec::new();
        }
        made
    }

    /// The crypt string of a password. `None`, without a computation, for a password with a NUL.
    pub(super) fn crypt(
        &mut self,
        setting: Setting<'_>,
        password: &[u8],
    ) -> Result<Option<Zeroizing<String>>, CryptError> {
        let made = setting.crypt(password);
        if !matches!(made, Ok(None)) {
            self.count(Step::Crypt(setting.cost()));
        }
        made
    }

    fn count(&mut self, step: Step) {
        match self.computed.iter_mut().find(|(counted, _)| *counted == step) {
            Some((_, times)) => *times += 1,
            None => self.computed.push((step, 1)),
        }
    }

    /// The kinds of computations since [`Workspace::begin`].
    pub(super) fn computed(&self) -> impl Iterator<Item = Step> {
        self.computed.iter().map(|(step, _)| *step)
    }

    /// How often this was computed since [`Workspace::begin`].
    pub(super) fn times(&self, step: Step) -> u64 {
        self.computed.iter().find(|(counted, _)| *counted == step).map_or(0, |(_, times)| *times)
    }
}

#[cfg(test)]
mod tests {
    use argon2::{Algorithm, Params, Version};

    use super::*;

    fn hash(workspace: &mut Workspace, memory_kib: u32) -> [u8; 32] {
        let params = Params::new(memory_kib, 1, 1, Some(32)).unwrap();
        let mut output = [0; 32];
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        workspace.argon2id(&argon2, b"secret", b"salt and more", &mut output).unwrap();
        output
    }

    #[test]
    fn what_was_hashed_before_changes_no_hash() {
        let mut used = Workspace::default();
        for memory_kib in [8, 64, 16, 8, 64] {
            assert_eq!(
                hash(&mut used, memory_kib),
                hash(&mut Workspace::default(), memory_kib),
                "{memory_kib}"
            );
        }
        let times = |memory_kib| used.times(Step::Argon2id { memory_kib, passes: 1, lanes: 1 });
        assert_eq!([8, 16, 64].map(times), [2, 1, 2]);
    }

    #[test]
    fn more_memory_than_our_own_cost_needs_is_given_back() {
        let mut workspace = Workspace::default();
        hash(&mut workspace, 64);
        assert_eq!(workspace.blocks.len(), 64);
        hash(&mut workspace, ARGON2_MEMORY_KIB + 8);
        assert_eq!(workspace.blocks.capacity(), 0);
    }
}
